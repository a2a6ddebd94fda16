//! F11, F12: servers that end and come back.

use std::time::{Duration, Instant};

use respec::{Protocol, cmd};
use respec_testkit::{Proxy, Server, Variant};

use crate::{
    beside, count,
    run::{Load, Run, Witness, busy},
    side::Side,
};

#[test]
fn f11_a_server_that_is_restarted_is_found_again() {
    beside(Variant::ALL, |variant| {
        ends("F11", variant, |server| server.stop().unwrap());
    });
}

#[test]
fn f12_a_server_that_was_killed_is_found_again() {
    beside(Variant::ALL, |variant| {
        ends("F12", variant, |server| server.kill().unwrap());
    });
}

/// Load on a server that keeps its data, which ends and is started again.
fn ends(row: &'static str, variant: Variant, end: impl Fn(&Server)) {
    // Otherwise it may postpone a write for as long as it waits for the disk.
    let server = Server::builder(variant).config("appendfsync", "always");
    let server = server.config("appendonly", "yes").start().unwrap();
    for side in Side::all() {
        let run = Run::new(row, &server, &side, Protocol::Resp3, LIMIT);
        run.expect("LOADING");
        let proxy = Proxy::start(server.addr()).unwrap();
        let config = run.config(&proxy, Protocol::Resp3);
        // What a connection is given in the beginning, the next ones are given as well.
        let named = side.client(config.clone().client_name("faults").database(7));
        let is_as_before = || {
            let info = side.wait(named.call(cmd::raw("CLIENT").arg("INFO")));
            let info = format!("{:?}", info.unwrap());
            assert!(
                info.contains(" db=7 ") && info.contains(" name=faults "),
                "{info}"
            );
        };
        is_as_before();
        let caller = side.client(config);
        let load = Load::start(&run, &side, &caller, 4);
        let witness = Witness::start(&run, &side, &caller, &server);
        for _ in 0..count(4, 100) {
            busy(&proxy);
            run.fault(proxy.in_flight());
            end(&server);
            let moment = Instant::now();
            server.restart().unwrap();
            run.recovered(witness.beyond(moment));
            is_as_before();
        }
        witness.finish();
        load.finish();
        let row = run.finish(&[&proxy], &server);
        for beyond in &row.verdict.tally.recoveries {
            assert!(*beyond < RECOVERED, "{}", row.details());
        }
    }
}

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(3);
/// After this time beyond the server's own every caller is served again, however busy the machine.
const RECOVERED: Duration = Duration::from_secs(5);
