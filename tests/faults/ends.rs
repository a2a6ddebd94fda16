//! F1 to F3: connections that end while idle, in a reply, in a request.

use std::{
    fs,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use respec::{Config, Protocol};
use respec_testkit::{Action, At, Proxy, Rule, Variant, Way, proxy::Link, shared};

use crate::{
    beside,
    caller::Caller,
    count,
    run::{Load, Numbers, PATIENCE, Run, SHAPES, busy, until},
    shape::Shape,
    side::Side,
};

#[test]
fn f01_a_connection_that_was_reset_while_idle_costs_nobody_an_error() {
    let all = Variant::ALL
        .into_iter()
        .flat_map(|variant| Side::all().map(|side| (variant, side)));
    beside(all, |(variant, side)| {
        let sides = [side];
        let run = Run::new("F1", shared(variant), &sides[0], Protocol::Resp3, LIMIT);
        let rounds = count(25, 625);
        idle_ends(
            run,
            variant,
            &sides,
            4,
            rounds,
            &[Action::Reset, Action::Close],
            Duration::ZERO,
        );
    });
}

/// The same with clients whose drivers run only while somebody waits, so that they have not seen the
/// end when the next call is made. A reset is noticed when something is written, whenever that is; an
/// orderly end is looked for after half a second without a call.
#[test]
fn f01_a_driver_that_has_not_run_since_costs_nobody_an_error() {
    let ends = [
        (Action::Reset, Duration::ZERO),
        (Action::Close, Duration::from_millis(510)),
    ];
    let all = Variant::ALL
        .into_iter()
        .flat_map(|variant| ends.clone().map(|end| (variant, end)));
    beside(all, |(variant, (end, idle))| {
        let sides = [(); 8].map(|()| Side::one_thread());
        let run = Run::new("F1", shared(variant), &sides[0], Protocol::Resp3, LIMIT);
        idle_ends(run, variant, &sides, 1, count(25, 625), &[end], idle);
    });
}

/// Calls of several clients, and then the ends of their connections, again and again.
fn idle_ends(
    run: Arc<Run>,
    variant: Variant,
    sides: &[Side],
    of_each: usize,
    rounds: u64,
    ends: &[Action],
    idle: Duration,
) {
    let server = shared(variant);
    let proxy = Proxy::start(server.addr()).unwrap();
    let client = |side: &Side| side.client(mapped(&run, &proxy));
    let clients = sides
        .iter()
        .flat_map(|side| (0..of_each).map(move |_| side))
        .map(|side| (side, client(side)));
    let clients: Vec<_> = clients.collect();
    for round in 0..rounds {
        for end in ends {
            for ((side, caller), at) in clients.iter().zip(0..) {
                let shape = SHAPES[(round as usize + at) % SHAPES.len()];
                let _ = side.wait(run.call(caller, shape, at as u32));
            }
            assert_eq!(proxy.open().len(), clients.len());
            assert_eq!(proxy.in_flight(), 0, "all of them are idle");
            clients.iter().for_each(|_| run.fault(0));
            cut_idle(&proxy, end.clone());
            thread::sleep(idle);
        }
    }
    for (side, caller) in &clients {
        let _ = side.wait(run.call(caller, Shape::Echo, 0));
    }
    drop(clients);
    let row = run.finish(&[&proxy], server);
    let errors = &row.verdict.tally.errors;
    assert!(errors.is_empty(), "{}", row.details());
}

#[test]
fn f02_a_reply_that_is_cut_at_any_byte_is_no_reply() {
    let all = Variant::ALL
        .into_iter()
        .flat_map(|variant| Side::all().map(|side| (variant, side)));
    beside(all, |(variant, side)| {
        let server = shared(variant);
        for protocol in PROTOCOLS {
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
                    train(&run, &side, &caller, is_piped(&side, passing));
                    faults = run.faults_of(&proxy, faults);
                    ended(&proxy, &link);
                }
            }
            random_cuts(&run, &side, &caller, &proxy, Way::Replies);
            run.finish(&[&proxy], server);
        }
    });
}

#[test]
fn f03_what_a_connection_took_before_its_end_is_known_to_the_byte() {
    let all = Variant::ALL
        .into_iter()
        .flat_map(|variant| Side::all().map(|side| (variant, side)));
    beside(all, |(variant, side)| {
        let server = shared(variant);
        for protocol in PROTOCOLS {
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
                train(&run, &side, &caller, is_piped(&side, passing));
                faults = run.faults_of(&proxy, faults);
                ended(&proxy, &link);
            }
            random_cuts(&run, &side, &caller, &proxy, Way::Requests);
            run.finish(&[&proxy], server);
        }
    });
}

/// Whether a round has a pipeline: every other one, and most where each call takes a thread.
fn is_piped(side: &Side, round: u64) -> bool {
    let each = if side.is_blocking() { 8 } else { 2 };
    !round.is_multiple_of(each)
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

/// The settings for a client whose sockets stand in a table of the system where few others do.
fn mapped(run: &Run, proxy: &Proxy) -> Config {
    let config = Config::tcp("::ffff:127.0.0.1", proxy.port()).response_timeout(run.limit());
    config.connect_timeout(run.limit()).pool_wait(run.limit())
}

/// Ends all connections, and waits until the client's kernel knows.
fn cut_idle(proxy: &Proxy, end: Action) {
    proxy.act(Way::Replies, end);
    let begun = Instant::now();
    loop {
        // To read the table takes longer than the end does.
        thread::sleep(Duration::from_millis(1));
        if !is_connected(proxy.port()) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "the end has not arrived");
    }
}

/// Whether a socket of this machine still takes its connection to a port for established.
fn is_connected(port: u16) -> bool {
    let sockets = fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    let port = format!(":{port:04X}");
    sockets.lines().any(|line| {
        let mut columns = line.split_whitespace().skip(2);
        let (remote, state) = (columns.next(), columns.next());
        remote.is_some_and(|remote| remote.ends_with(&port)) && state == Some("01")
    })
}

const PROTOCOLS: [Protocol; 2] = [Protocol::Resp2, Protocol::Resp3];
/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(5);
