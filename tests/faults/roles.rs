//! F19, F21: servers that cannot serve for a while, and servers that have another role now.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use respec::Protocol;
use respec_testkit::{Proxy, Server, Variant};

use crate::{
    beside,
    caller::Caller,
    count,
    run::{Load, Run, SHAPES, Work, busy, until},
    shape::Shape,
    side::{Running, Side},
};

#[test]
fn f19_a_server_that_loads_its_data_is_waited_for() {
    beside(Variant::ALL, |variant| {
        // It takes two seconds, and answers every hundredth.
        let server = Server::builder(variant)
            .config("key-load-delay", "200")
            .config("loading-process-events-interval-bytes", "1024");
        let server = server.start().unwrap();
        let fill = b"for i = 1, 10000 do redis.call('SET', 'f19:' .. i, i) end";
        server.command(&[b"EVAL", fill, b"0"]).unwrap();
        for side in Side::all() {
            let run = Run::new("F19", &server, &side, Protocol::Resp3, LIMIT);
            let proxy = Proxy::start(server.addr()).unwrap();
            let caller = side.client(run.config(&proxy, Protocol::Resp3));
            for _ in 0..count(2, 50) {
                side.wait(run.call(&caller, Shape::Append, 0)).unwrap();
                assert_eq!(server.command(&[b"SAVE"]).unwrap(), b"+OK\r\n");
                thread::scope(|scope| {
                    let restarted = scope.spawn(|| server.restart().unwrap());
                    until("the server loads", || {
                        let ping = server.command(&[b"PING"]);
                        ping.is_ok_and(|ping| ping.starts_with(b"-LOADING"))
                    });
                    let (begun, asked) = (Instant::now(), proxy.traffic().records().count());
                    let call = || side.wait(run.call(&caller, Shape::Append, 0));
                    run.struck(&proxy, call).unwrap();
                    let (took, asked) =
                        (begun.elapsed(), proxy.traffic().records().count() - asked);
                    assert!(asked > 1, "it was asked for while the server loaded");
                    // Those of the handshake, and twenty a second.
                    let allowed = 5.0 + 20.0 * took.as_secs_f64();
                    assert!((asked as f64) < allowed, "{asked} requests in {took:?}");
                    restarted.join().unwrap();
                });
            }
            let row = run.finish(&[&proxy], &server);
            assert!(row.verdict.tally.errors.is_empty(), "{}", row.details());
        }
    });
}

#[test]
fn f21_a_primary_that_has_become_a_replica_is_left() {
    beside(Variant::ALL, |variant| {
        let servers = [(); 2].map(|()| Server::start(variant).unwrap());
        replicate(&servers[1], &servers[0]);
        for side in Side::all() {
            let run = Run::new("F21", &servers[0], &side, Protocol::Resp3, LIMIT);
            // The proxy stands for the name of the service, which leads to the primary.
            let proxy = Proxy::start(servers[0].addr()).unwrap();
            let caller = side.client(run.config(&proxy, Protocol::Resp3));
            // In a pipeline of which something was executed, what stands in front of that and was
            // refused is not sent again, as it would be out of order.
            let loads = [
                Load::of(&run, &side, &caller, 0..4, Work::Calls(&SHAPES)),
                Load::of(
                    &run,
                    &side,
                    &caller,
                    4..5,
                    Work::Pipelines(&[Shape::Append; 3]),
                ),
            ];
            // There and back again, so that it begins with the same one.
            for round in 0..count(6, 200) {
                let [old, new] = match round % 2 {
                    0 => [&servers[0], &servers[1]],
                    _ => [&servers[1], &servers[0]],
                };
                busy(&proxy);
                run.fault(proxy.in_flight());
                assert_eq!(old.command(&[b"FAILOVER"]).unwrap(), b"+OK\r\n");
                until("the other one is the primary", || {
                    role(new) == "master" && role(old) == "slave"
                });
                proxy.set_server(new.addr());
                let done = run.tally().ok;
                until("callers are served again", || run.tally().ok > done + 20);
                until("it is replicated again", || linked(old));
                // Servers that fail over again at once serve for a moment each second, which one who
                // pauses between his attempts may miss until his time is over.
                if round % 4 == 3 {
                    run.drain();
                }
            }
            loads.into_iter().for_each(Load::finish);
            let row = run.finish(&[&proxy], &servers[0]);
            assert!(row.verdict.tally.errors.is_empty(), "{}", row.details());
        }
    });
}

/// A server that refuses for a while, and says that it has done nothing, is waited for.
#[test]
fn f21_a_server_that_lacks_its_primary_or_its_replicas_is_waited_for() {
    beside(Variant::ALL, |variant| {
        let server = Server::builder(variant).config("replica-serve-stale-data", "no");
        let server = server.start().unwrap();
        for side in Side::all() {
            let run = Run::new("F21", &server, &side, Protocol::Resp3, LIMIT);
            let proxy = Proxy::start(server.addr()).unwrap();
            let caller = side.client(run.config(&proxy, Protocol::Resp3));
            let set = |replicas: &str| {
                let set: [&[u8]; 4] = [
                    b"CONFIG",
                    b"SET",
                    b"min-replicas-to-write",
                    replicas.as_bytes(),
                ];
                assert_eq!(server.command(&set).unwrap(), b"+OK\r\n");
            };
            let follow = |host: &str, port: &str| {
                let words: [&[u8]; 3] = [b"REPLICAOF", host.as_bytes(), port.as_bytes()];
                assert_eq!(server.command(&words).unwrap(), b"+OK\r\n");
            };
            for _ in 0..count(6, 200) {
                let told = refusals(&server, "NOREPLICAS");
                set("1");
                run.struck(&proxy, || {
                    let call = waits(&run, &side, &caller, Shape::Append);
                    until("it was refused", || {
                        refusals(&server, "NOREPLICAS") > told + 1
                    });
                    set("0");
                    call();
                });
                let told = refusals(&server, "MASTERDOWN");
                follow("127.0.0.1", "1");
                run.struck(&proxy, || {
                    let call = waits(&run, &side, &caller, Shape::Mget);
                    until("it was refused", || {
                        refusals(&server, "MASTERDOWN") > told + 1
                    });
                    follow("NO", "ONE");
                    call();
                });
            }
            let row = run.finish(&[&proxy], &server);
            assert!(row.verdict.tally.errors.is_empty(), "{}", row.details());
        }
    });
}

/// A call that has to be served in the end.
fn waits(run: &Arc<Run>, side: &Side, caller: &Caller, shape: Shape) -> Running<()> {
    let (run, caller) = (Arc::clone(run), caller.clone());
    side.spawn(async move { drop(run.call(&caller, shape, 0).await.unwrap()) })
}

/// How often a server has answered with this error.
fn refusals(server: &Server, code: &str) -> u64 {
    let count = info(server, "errorstats", &format!("errorstat_{code}"));
    let count = count.strip_prefix("count=");
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn replicate(replica: &Server, primary: &Server) {
    let port = primary.port().to_string();
    let words: [&[u8]; 3] = [b"REPLICAOF", b"127.0.0.1", port.as_bytes()];
    assert_eq!(replica.command(&words).unwrap(), b"+OK\r\n");
    until("it is replicated", || linked(replica));
}

fn role(server: &Server) -> String {
    info(server, "replication", "role")
}

fn linked(replica: &Server) -> bool {
    info(replica, "replication", "master_link_status") == "up"
}

fn info(server: &Server, section: &str, field: &str) -> String {
    let info = server.command(&[b"INFO", section.as_bytes()]).unwrap();
    let info = String::from_utf8_lossy(&info).into_owned();
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(name, _)| *name == field);
    found
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(10);
