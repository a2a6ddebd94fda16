//! F1 to F3: connections that end while idle, in a reply, in a request.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use respec::Protocol;
use respec_testkit::{Action, At, Proxy, Rule, Variant, Way, proxy::Link, shared};

use crate::{
    caller::{Caller, Side},
    count,
    run::{Load, Numbers, PATIENCE, Run, SHAPES, Shape, busy, until},
};

#[test]
fn f01_a_connection_that_was_reset_while_idle_costs_nobody_an_error() {
    let server = shared(Variant::Redis82);
    for side in Side::all() {
        let run = Run::new("F1", server, &side, Protocol::Resp3, LIMIT);
        let proxy = Proxy::start(server.addr()).unwrap();
        let caller = side.client(run.config(&proxy, Protocol::Resp3));
        for round in 0..count(200, 5_000) {
            let shape = SHAPES[round as usize % SHAPES.len()];
            let _ = side.wait(run.call(&caller, shape, 0));
            let end = if round % 2 == 0 {
                Action::Reset
            } else {
                Action::Close
            };
            cut_idle(&proxy, end);
            run.fault(0);
        }
        let _ = side.wait(run.call(&caller, Shape::Echo, 0));
        let row = run.finish(&[&proxy], server);
        let errors = &row.verdict.tally.errors;
        assert!(errors.is_empty(), "{}", row.details());
    }
}

#[test]
fn f02_a_reply_that_is_cut_at_any_byte_is_no_reply() {
    let server = shared(Variant::Valkey91);
    for side in Side::all() {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let run = Run::new("F2", server, &side, protocol, LIMIT);
            let proxy = Proxy::start(server.addr()).unwrap();
            let caller = side.client(run.config(&proxy, protocol).pool_max(1));
            let mut faults = 0;
            for end in [Action::Reset, Action::Close, Action::HalfClose] {
                for passing in 0..300 {
                    let link = connected(&run, &side, &caller, &proxy);
                    let at = At::now(Way::Replies).plus(passing);
                    let rule = Rule::new(at, end.clone());
                    link.arm(rule);
                    train(&run, &side, &caller, passing % 2 == 0);
                    faults = run.faults_of(&proxy, faults);
                    ended(&proxy, &link);
                }
            }
            random_cuts(&run, &side, &caller, &proxy, Way::Replies);
            run.finish(&[&proxy], server);
        }
    }
}

#[test]
fn f03_what_a_connection_took_before_its_end_is_known_to_the_byte() {
    let server = shared(Variant::Redis70);
    for side in Side::all() {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let run = Run::new("F3", server, &side, protocol, LIMIT);
            let proxy = Proxy::start(server.addr()).unwrap();
            let caller = side.client(run.config(&proxy, protocol).pool_max(1));
            let mut faults = 0;
            for passing in 0..=400 {
                let link = connected(&run, &side, &caller, &proxy);
                link.arm(Rule::new(
                    At::now(Way::Requests).plus(passing),
                    Action::Reset,
                ));
                train(&run, &side, &caller, passing % 2 == 0);
                faults = run.faults_of(&proxy, faults);
                ended(&proxy, &link);
            }
            random_cuts(&run, &side, &caller, &proxy, Way::Requests);
            run.finish(&[&proxy], server);
        }
    }
}

/// Some twenty operations, in one pipeline or as many calls at once as the client can make.
fn train(run: &Arc<Run>, side: &Side, caller: &Caller, piped: bool) {
    let shapes: Vec<_> = (0..20).map(|at| SHAPES[at % SHAPES.len()]).collect();
    if piped {
        side.wait(run.pipeline(caller, &shapes, 0));
        return;
    }
    let calls = (0..).zip(shapes).map(|(writer, shape)| {
        let (run, caller) = (Arc::clone(run), caller.clone());
        side.spawn(async move { drop(run.call(&caller, shape, 1 + writer).await) })
    });
    let calls: Vec<_> = calls.collect();
    for call in calls {
        call();
    }
}

/// Cuts under load, after numbers of bytes that look like chance.
fn random_cuts(run: &Arc<Run>, side: &Side, caller: &Caller, proxy: &Proxy, way: Way) {
    let mut numbers = Numbers::new(7);
    let load = Load::start(run, side, caller, 8);
    let mut faults = proxy.traffic().faults().len();
    for _ in 0..count(50, 20_000) {
        let link = busy(proxy);
        let passing = numbers.below(2_000) as u64;
        link.arm(Rule::new(At::now(way).plus(passing), Action::Reset));
        proxy
            .wait(PATIENCE, |traffic| traffic.ended(link.number()))
            .unwrap();
        faults = run.faults_of(proxy, faults);
    }
    load.finish();
}

/// A connection that is ready, with nothing in flight.
fn connected(run: &Run, side: &Side, caller: &Caller, proxy: &Proxy) -> Link {
    until("there is a connection", || {
        side.wait(run.call(caller, Shape::Echo, 0)).is_ok()
    });
    proxy.newest().unwrap()
}

/// Waits until a connection has ended.
fn ended(proxy: &Proxy, link: &Link) {
    let ended = proxy.wait(PATIENCE, |traffic| traffic.ended(link.number()));
    ended.unwrap();
}

/// Ends all connections, and waits until the client's kernel knows.
fn cut_idle(proxy: &Proxy, end: Action) {
    proxy.act(Way::Replies, end);
    let begun = Instant::now();
    while is_connected(proxy.port()) {
        assert!(begun.elapsed() < PATIENCE, "the end has not arrived");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Whether a socket of this machine still takes its connection to a port for established.
fn is_connected(port: u16) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let port = format!(":{port:04X}");
    sockets.lines().any(|line| {
        let mut columns = line.split_whitespace().skip(2);
        let (remote, state) = (columns.next(), columns.next());
        remote.is_some_and(|remote| remote.ends_with(&port)) && state == Some("01")
    })
}

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(5);
