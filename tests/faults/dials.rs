//! F24, F42: more clients than a server has room for, or than it can greet at once.

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use respec::Protocol;
use respec_testkit::{Proxy, Server, Variant};

use crate::{
    beside, count,
    run::{PATIENCE, Run, until},
    shape::Shape,
    side::Side,
};

#[test]
fn f24_a_server_that_is_full_says_so_and_is_left_alone() {
    beside(Variant::ALL, |variant| {
        let server = Server::start(variant).unwrap();
        for side in Side::all() {
            let limit = Duration::from_secs(4);
            let run = Run::new("F24", &server, &side, Protocol::Resp3, limit);
            let proxy = Proxy::start(server.addr()).unwrap();
            let mut own = server.connection(PATIENCE).unwrap();
            let mut room_for = |clients: &str| {
                let set: [&[u8]; 4] = [b"CONFIG", b"SET", b"maxclients", clients.as_bytes()];
                assert_eq!(own.command(&set).unwrap(), b"+OK\r\n");
            };
            for _ in 0..count(1, 20) {
                let caller = side.client(run.config(&proxy, Protocol::Resp3));
                room_for("1");
                let (begun, dials) = (Instant::now(), proxy.accepted());
                let callers = (0..4).map(|writer| {
                    let (run, caller) = (Arc::clone(&run), caller.clone());
                    side.spawn(async move {
                        let mut told = 0;
                        while begun.elapsed() < FULL {
                            let result = run.call(&caller, Shape::Append, writer).await;
                            let error = result.unwrap_err();
                            assert!(!error.may_have_executed(), "{error}");
                            let full = error.to_string().contains("the server is full");
                            assert!(full || error.is_timeout(), "{error}");
                            told += u32::from(full);
                        }
                        told
                    })
                });
                let callers: Vec<_> = callers.collect();
                let told = || callers.into_iter().map(|caller| caller()).sum();
                let told: u32 = run.struck(&proxy, told);
                assert!(told > 0, "somebody is told why");
                let dials = proxy.accepted() - dials;
                let seconds = begun.elapsed().as_secs_f64();
                // The first callers may all have dialled before one of them was refused.
                let allowed = 4.0 + 2.0 * seconds;
                assert!((dials as f64) < allowed, "{dials} dials in {seconds} s");
                room_for("1000");
                until("there is room again", || {
                    side.wait(run.call(&caller, Shape::Append, 9)).is_ok()
                });
            }
            run.finish(&[&proxy], &server);
        }
    });
}

#[test]
fn f42_a_crowd_of_clients_comes_back_without_a_stampede() {
    let clients = count(100, 500) as usize;
    beside(Variant::ALL, |variant| {
        // Otherwise it may postpone a write for as long as it waits for the disk.
        let server = Server::builder(variant).config("appendfsync", "always");
        let server = server.config("appendonly", "yes").start().unwrap();
        for side in Side::all() {
            let limit = Duration::from_secs(10);
            let run = Run::new("F42", &server, &side, Protocol::Resp3, limit);
            run.expect("LOADING");
            let proxy = Proxy::start(server.addr()).unwrap();
            let config = || run.config(&proxy, Protocol::Resp3).pool_max(1);
            let callers: Vec<_> = (0..clients).map(|_| side.client(config())).collect();
            let once = || {
                let calls = callers.iter().zip(0..).map(|(caller, writer)| {
                    let (run, caller) = (Arc::clone(&run), caller.clone());
                    side.spawn(
                        async move { run.call(&caller, Shape::Append, writer).await.is_ok() },
                    )
                });
                let calls: Vec<_> = calls.collect();
                calls.into_iter().all(|call| call())
            };
            for _ in 0..count(1, 20) {
                until("all are connected", once);
                let down = Instant::now();
                let calls = callers.iter().zip(0..).map(|(caller, writer)| {
                    let (run, caller) = (Arc::clone(&run), caller.clone());
                    side.spawn(async move {
                        // Until one is served that was asked for behind the outage.
                        loop {
                            let sent = Instant::now();
                            let result = run.call(&caller, Shape::Append, writer).await;
                            if result.is_ok() && sent > down + DOWN {
                                return Instant::now();
                            }
                            assert!(sent < down + DOWN + PATIENCE, "not served again");
                        }
                    })
                });
                let calls: Vec<_> = calls.collect();
                until("they are at work", || proxy.in_flight() > 0);
                run.fault(proxy.in_flight());
                server.kill().unwrap();
                let killed = Instant::now();
                let left = (down + DOWN).saturating_duration_since(Instant::now());
                thread::sleep(left);
                server.restart().unwrap();
                let up = Instant::now();
                for call in calls {
                    let served: Instant = call();
                    run.recovered(served.saturating_duration_since(up));
                }
                // Six dials in the first second, and then, as the pauses grow until they are half a second
                // in the middle, some two a second: all that were made by then, so that a machine that
                // is busy makes it less.
                let mut dials = BTreeMap::new();
                for dial in proxy.traffic().dials().filter(|dial| *dial > killed) {
                    *dials.entry((dial - killed).as_secs()).or_insert(0) += 1;
                }
                let mut made = 0;
                for (second, dials_then) in &dials {
                    made += dials_then;
                    let allowed = clients * (16 + 5 * *second as usize) / 2;
                    assert!(made <= allowed, "{dials:?}");
                }
            }
            let row = run.finish(&[&proxy], &server);
            let stalled = row.verdict.deadlines.longest_stall;
            for beyond in &row.verdict.tally.recoveries {
                assert!(*beyond < BACK + stalled, "{}", row.details());
            }
        }
    });
}

/// How long a server has no room.
const FULL: Duration = Duration::from_secs(3);
/// How long a server stays away.
const DOWN: Duration = Duration::from_secs(5);
/// In which time all are served again.
const BACK: Duration = Duration::from_secs(5);
