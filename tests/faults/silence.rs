//! F5 to F8, F26: peers that are silent, slow, late, or speak in pieces.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use respec::{Config, ErrorKind, Phase, Protocol};
use respec_testkit::{Action, At, Proxy, Rule, Server, Variant, Way, shared};
use socket2::{Domain, Socket, Type};

use crate::{
    beside, count, is_long,
    run::{Load, Numbers, PATIENCE, Run, SHAPES, busy, until},
    shape::Shape,
    side::Side,
    span,
};

#[test]
fn f05_a_server_that_does_not_take_part_in_the_greeting_costs_the_connect_time_out() {
    let limit = Duration::from_millis(300);
    let all = Variant::ALL
        .into_iter()
        .flat_map(|variant| Side::all().map(|side| (variant, side)));
    beside(all, |(variant, side)| {
        let server = shared(variant);
        let run = Run::new("F5", server, &side, Protocol::Resp3, limit);
        let proxy = Proxy::start(server.addr()).unwrap();
        let full = FullBacklog::bind();
        for round in 0..count(9, 100) {
            // It does not even accept, or accepts and gets no word, or gets the greeting and never says
            // one, so that this is in flight.
            let config = if round % 3 == 0 {
                let config = Config::tcp("127.0.0.1", full.addr.port());
                config.response_timeout(limit).connect_timeout(limit)
            } else {
                run.config(&proxy, Protocol::Resp3)
            };
            let at = match round % 3 {
                2 => At::after_request(0),
                _ => At::now(Way::Requests),
            };
            proxy.script([Rule::new(at, Action::BlackHole)]);
            let caller = side.client(config);
            let call = || side.wait(run.call(&caller, Shape::Append, 0));
            let error = run.struck(&proxy, call).unwrap_err();
            let kinds = [ErrorKind::Timeout(Phase::Connect), ErrorKind::Connect];
            assert!(kinds.contains(&error.kind()), "{error}");
            assert!(!error.may_have_executed(), "{error}");
        }
        // The next attempt finds a server that does.
        proxy.script([]);
        let caller = side.client(run.config(&proxy, Protocol::Resp3));
        side.wait(run.call(&caller, Shape::Append, 0)).unwrap();
        run.finish(&[&proxy], server);
    });
}

#[test]
fn f06_a_frozen_server_costs_calls_their_time_and_no_more() {
    beside(Variant::ALL, |variant| {
        let server = Server::start(variant).unwrap();
        let limit = Duration::from_millis(400);
        // Both at once, since it is the server that is frozen; their silence is that of the defaults.
        let sides = Side::all();
        let clients = sides.each_ref().map(|side| {
            let run = Run::new("F6", &server, side, Protocol::Resp3, limit);
            let proxy = Proxy::start(server.addr()).unwrap();
            let caller = side.client(run.config(&proxy, Protocol::Resp3));
            let load = Load::start(&run, side, &caller, 4);
            (run, proxy, load)
        });
        for round in 0..count(4, 100) {
            for (run, ..) in &clients {
                let done = run.tally().ok;
                until("all are at work", || run.tally().ok > done + 20);
            }
            let before = clients.each_ref().map(|(_, proxy, _)| proxy.accepted());
            server.pause().unwrap();
            let frozen = Instant::now();
            for (run, proxy, _) in &clients {
                until("a request has come to it", || proxy.in_flight() > 0);
                run.fault(proxy.in_flight());
            }
            let time = FROZEN[round as usize % FROZEN.len()];
            thread::sleep(time.saturating_sub(frozen.elapsed()));
            server.resume().unwrap();
            let lasted = frozen.elapsed();
            let done = clients.each_ref().map(|(run, ..)| run.tally().ok);
            for (((run, proxy, _), side), (done, before)) in
                clients.iter().zip(&sides).zip(done.into_iter().zip(before))
            {
                until("the client is served again", || run.tally().ok > done + 50);
                let dials = proxy.accepted() - before;
                if side.is_blocking() || time > SILENCE {
                    // Attempts are made one after the other, and each takes its time before the pause.
                    let allowed = 12 + 2 * lasted.as_secs() as usize;
                    assert!(dials <= allowed, "{dials} dials in {lasted:?}");
                } else {
                    // What is late is swallowed in order, on the connection that it is late on.
                    assert_eq!(dials, 0, "{time:?}: the connection was given up");
                }
            }
        }
        for (run, proxy, load) in clients {
            load.finish();
            run.finish(&[&proxy], &server);
        }
    });
}

#[test]
fn f07_a_slow_server_is_not_a_dead_one() {
    let limit = Duration::from_secs(5);
    let all = Variant::ALL
        .into_iter()
        .flat_map(|variant| Side::all().map(|side| (variant, side)));
    beside(all, |(variant, side)| {
        let server = shared(variant);
        let run = Run::new("F7", server, &side, Protocol::Resp3, limit);
        let proxy = Proxy::start(server.addr()).unwrap();
        let caller = side.client(run.config(&proxy, Protocol::Resp3));
        let load = Load::start(&run, &side, &caller, 4);
        let end = Instant::now() + span(Duration::from_secs(30), Duration::from_secs(20 * 60));
        let mut numbers = Numbers::new(7);
        let before = busy(&proxy);
        while Instant::now() < end {
            // A few bytes now and then, or everything late by a time that changes.
            let slow = if numbers.below(2) == 0 {
                let pause = Duration::from_millis(10);
                Action::Throttle { piece: 1, pause }
            } else {
                let late = 1 + numbers.below(800) as u64;
                Action::Latency(Duration::from_millis(late))
            };
            proxy.act(Way::Replies, slow);
            run.fault(proxy.in_flight());
            thread::sleep(Duration::from_millis(500));
            proxy.act(Way::Replies, Action::Heal);
        }
        load.finish();
        assert!(
            before.is_open(),
            "a connection was given up that was only slow"
        );
        let row = run.finish(&[&proxy], server);
        assert!(row.succeeded() >= 0.95, "{}", row.details());
    });
}

/// 60,000 operations over all runs; the long mode has 2,400,000.
#[test]
fn f08_a_late_reply_is_swallowed_and_the_next_one_is_right() {
    let limit = Duration::from_millis(50);
    let all = Variant::ALL
        .into_iter()
        .flat_map(|variant| Side::all().map(|side| (variant, side)));
    // One at a time, as the machine has to be in time for most calls.
    for (variant, side) in all {
        let server = shared(variant);
        let run = Run::new("F8", server, &side, Protocol::Resp3, limit);
        let proxy = Proxy::start(server.addr()).unwrap();
        // Every tenth reply waits for longer than its caller does.
        let late = Action::Hold(2 * limit);
        proxy.script([Rule::new(At::reply(9), late).each()]);
        let callers: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let config = run.config(&proxy, Protocol::Resp3);
                side.client(config.connect_timeout(PATIENCE))
            })
            .collect();
        // One at a time, as what is late holds up all that is behind it on the same connection.
        let loads: Vec<_> = callers
            .iter()
            .zip(0..)
            .map(|(caller, writer)| Load::start_from(&run, &side, caller, writer..writer + 1))
            .collect();
        let operations = count(10_000, 400_000);
        let begun = Instant::now();
        while run.operations() < operations {
            assert!(begun.elapsed() < 60 * PATIENCE, "{} done", run.operations());
            thread::sleep(Duration::from_millis(5));
        }
        loads.into_iter().for_each(Load::finish);
        for fault in proxy.traffic().faults() {
            run.fault(fault.in_flight);
        }
        let row = run.finish(&[&proxy], server);
        let timeouts = &row.verdict.tally.errors;
        assert!(!timeouts.is_empty(), "{}", row.details());
    }
}

/// Each of 200 requests and 200 replies is cut at each of its bytes, on a connection for each place,
/// of which each server has a third; the long mode has all of them on each.
#[test]
fn f26_replies_are_the_same_in_pieces_of_any_size() {
    let all = Variant::ALL.into_iter().flat_map(|variant| {
        let protocols = [Protocol::Resp2, Protocol::Resp3];
        let all = protocols.map(|protocol| Side::all().map(|side| (variant, side, protocol)));
        all.into_iter().flatten()
    });
    beside(all, |(variant, side, protocol)| {
        let server = shared(variant);
        let limit = Duration::from_secs(10);
        let run = Run::new("F26", server, &side, protocol, limit);
        let proxy = Proxy::start(server.addr()).unwrap();
        let client = || side.client(run.config(&proxy, protocol).pool_max(1));
        let trace: Vec<_> = (0..200).map(|at| SHAPES[at % SHAPES.len()]).collect();
        let (first, step) = match is_long() {
            true => (0, 1),
            false => (variant as usize, Variant::ALL.len()),
        };
        // In two pieces: the second comes when the first was read.
        for (way, longest) in [(Way::Requests, 90), (Way::Replies, 80)] {
            let places: Vec<_> = (1..longest).skip(first).step_by(step).collect();
            for places in places.chunks(8) {
                let callers = places.iter().map(|place| {
                    let frame = match way {
                        Way::Requests => At::request(0),
                        Way::Replies => At::reply(0),
                    };
                    let pause = Action::Hold(Duration::from_micros(300));
                    proxy.script([Rule::new(frame.plus(*place), pause).each()]);
                    let caller = client();
                    side.wait(run.call(&caller, Shape::Echo, 0)).unwrap();
                    caller
                });
                let callers: Vec<_> = callers.collect();
                let calls = callers.into_iter().zip(1..).map(|(caller, writer)| {
                    let (run, trace) = (Arc::clone(&run), trace.clone());
                    side.spawn(async move { run.pipeline(&caller, &trace, writer).await })
                });
                let calls: Vec<_> = calls.collect();
                calls.into_iter().for_each(|call| call());
            }
            // No frame has a place that was left out.
            let traffic = proxy.traffic();
            let frames = traffic.records().filter(|record| record.name() != "HELLO");
            let lengths = frames.map(|record| match way {
                Way::Requests => record.request.received,
                Way::Replies => record.reply.received,
            });
            let found = lengths.max().unwrap();
            assert!(found <= longest, "a frame of {found} bytes");
        }
        proxy.script([]);
        let caller = client();
        side.wait(run.pipeline(&caller, &trace, 0));
        let link = proxy.newest().unwrap();
        // In three pieces, few as they are.
        let short = [Shape::Set, Shape::Append, Shape::Mget];
        side.wait(run.pipeline(&caller, &short, 0));
        let length: u64 = {
            let traffic = proxy.traffic();
            let replies = traffic.records().map(|record| record.reply.delivered);
            let replies: Vec<_> = replies.collect();
            replies.iter().rev().take(short.len()).sum()
        };
        assert!(length <= 64, "{length}");
        let pairs = (1..length).flat_map(|one| (one + 1..length).map(move |two| [one, two]));
        for pair in pairs.skip(first).step_by(step) {
            for at in pair {
                let pause = Action::Hold(Duration::from_micros(300));
                link.arm(Rule::new(At::now(Way::Replies).plus(at), pause));
            }
            side.wait(run.pipeline(&caller, &short, 0));
        }
        // In pieces of other sizes, both ways, under load.
        for sizes in [vec![1], vec![2, 3], vec![1, 60, 5], vec![4096]] {
            proxy.act(Way::Requests, Action::Split(sizes.clone()));
            proxy.act(Way::Replies, Action::Split(sizes));
            side.wait(run.pipeline(&caller, &trace, 0));
        }
        assert!(link.is_open());
        run.faults_of(&proxy, 0);
        let row = run.finish(&[&proxy], server);
        assert!(row.verdict.tally.errors.is_empty(), "{}", row.details());
    });
}

/// A listener that accepts nobody and whose queue is full, so that nobody is even greeted by the
/// kernel.
struct FullBacklog {
    addr: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl FullBacklog {
    fn bind() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        socket.listen(0).unwrap();
        let listener = TcpListener::from(socket);
        let addr = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(200)) {
            queue.push(stream);
            assert!(queue.len() < 100, "the queue is never full");
        }
        Self {
            addr,
            _listener: listener,
            _queue: queue,
        }
    }
}

/// How long a peer may be silent, unless it is set otherwise.
const SILENCE: Duration = Duration::from_secs(10);
/// For how long a server is frozen: two times shorter than that, and one that is longer.
const FROZEN: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(5),
    Duration::from_secs(15),
];
/// Connections that are late at the same time.
const CLIENTS: usize = 16;
