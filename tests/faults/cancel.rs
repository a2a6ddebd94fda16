//! F9, F10, F38, F43: calls that nobody waits for any more, clients that are gone, users' mistakes.

use std::{pin::pin, sync::Arc, task::Poll, time::Duration};

use respec::{
    Protocol, cmd,
    command::{Command, Detached, Info},
    reply::DecodeError,
    resp::{Reply, Writer},
};
use respec_testkit::{Action, At, Proxy, Rule, Server, Variant, Way, shared};

use crate::{
    beside,
    caller::{Caller, polled},
    count,
    run::{Load, Numbers, PATIENCE, Run, SHAPES, busy, until},
    shape::Shape,
    side::{Running, Side},
};

/// 102,000 cancellations over all runs, of which a fifth strikes a request in flight; the others are
/// dropped before they are polled or before they are written. The long mode has 3,000,000.
#[test]
fn f09_a_call_that_is_dropped_at_any_poll_shifts_nobodys_reply() {
    let side = Side::threads();
    let both = [Protocol::Resp2, Protocol::Resp3];
    let all = both
        .into_iter()
        .flat_map(|protocol| Variant::ALL.map(|variant| (protocol, variant)));
    for (protocol, variant) in all {
        let server = shared(variant);
        let run = Run::new("F9", server, &side, protocol, LIMIT);
        let proxy = Proxy::start(server.addr()).unwrap();
        let caller = side.client(run.config(&proxy, protocol));
        let load = Load::start(&run, &side, &caller, 4);
        let cancellations = count(17_000, 500_000);
        let tasks = (0..8).map(|writer| {
            let (run, caller) = (Arc::clone(&run), caller.clone());
            side.spawn(async move {
                let mut numbers = Numbers::new(u64::from(writer));
                let mut left = cancellations / 8;
                while left > 0 {
                    // One that comes back before it is dropped is not cancelled.
                    if cancel(&run, &caller, &mut numbers, 100 + writer).await {
                        left -= 1;
                    }
                }
            })
        });
        let tasks: Vec<Running<()>> = tasks.collect();
        tasks.into_iter().for_each(|task| task());
        load.finish();
        assert_eq!(proxy.accepted(), 1, "no connection is given up for a call");
        let row = run.finish(&[&proxy], server);
        assert!(row.verdict.tally.cancelled >= cancellations / 8 * 8);
        assert!(row.verdict.tally.errors.is_empty(), "{}", row.details());
    }
}

/// Begins an operation, polls it a few times, and drops it unless it was done by then.
async fn cancel(run: &Run, caller: &Caller, numbers: &mut Numbers, writer: u32) -> bool {
    // What may overtake another has a writer of its own.
    let shape = match SHAPES[numbers.below(SHAPES.len())] {
        Shape::Append => Shape::Echo,
        shape => shape,
    };
    let op = run.begin(shape, writer);
    match polled(run.send(caller, &op), numbers).await {
        Some(result) => {
            run.end(op, &result);
            false
        }
        None => {
            run.cancelled(op);
            true
        }
    }
}

#[test]
fn f10_calls_end_and_sockets_close_when_a_client_or_its_runtime_is_gone() {
    beside(Variant::ALL, |variant| gone(shared(variant)));
}

fn gone(server: &Server) {
    let elsewhere = Side::threads();
    let run = Run::new("F10", server, &elsewhere, Protocol::Resp3, LIMIT);
    let proxy = Proxy::start(server.addr()).unwrap();
    for _ in 0..count(200, 5_000) {
        let home = Side::threads();
        let caller = home.client(run.config(&proxy, Protocol::Resp3));
        home.wait(run.call(&caller, Shape::Echo, 0)).unwrap();
        let link = proxy.newest().unwrap();
        // So that all are under way when it happens.
        link.act(Way::Replies, Action::Hold(PATIENCE));
        let calls = SHAPES.map(|shape| {
            let (run, caller) = (Arc::clone(&run), caller.clone());
            elsewhere.spawn(async move { drop(run.call(&caller, shape, 1).await) })
        });
        proxy
            .wait(PATIENCE, |traffic| {
                (traffic.in_flight(link.number()) == SHAPES.len()).then_some(())
            })
            .unwrap();
        run.fault(link.in_flight());
        drop(caller);
        let Side::Async(runtime) = home else {
            unreachable!("it was made so")
        };
        runtime.shutdown_background();
        calls.into_iter().for_each(|call| call());
        all_closed(&proxy);
    }
    run.finish(&[&proxy], server);

    let side = Side::Blocking;
    let run = Run::new("F10", server, &side, Protocol::Resp3, LIMIT);
    for _ in 0..count(200, 5_000) {
        let caller = side.client(run.config(&proxy, Protocol::Resp3));
        proxy.script([Rule::new(
            At::reply(3),
            Action::Hold(Duration::from_millis(2)),
        )]);
        let calls = SHAPES.map(|shape| {
            let (run, caller) = (Arc::clone(&run), caller.clone());
            side.spawn(async move { drop(run.call(&caller, shape, shape as u32).await) })
        });
        proxy
            .wait(PATIENCE, |traffic| traffic.open().next())
            .unwrap();
        run.fault(proxy.in_flight());
        drop(caller);
        calls.into_iter().for_each(|call| call());
        all_closed(&proxy);
    }
    run.finish(&[&proxy], server);
}

/// Waits until a proxy has no connection any more.
fn all_closed(proxy: &Proxy) {
    let closed = proxy.wait(PATIENCE, |traffic| {
        traffic.open().next().is_none().then_some(())
    });
    closed.unwrap();
}

#[test]
fn f38_a_blocking_pop_that_ends_early_takes_nothing_later() {
    beside(Variant::ALL, |variant| {
        let server = Server::start(variant).unwrap();
        for side in Side::all() {
            let limit = Duration::from_secs(5);
            let run = Run::new("F38", &server, &side, Protocol::Resp3, limit);
            let proxy = Proxy::start(server.addr()).unwrap();
            let caller = side.client(run.config(&proxy, Protocol::Resp3));

            for round in 0..count(200, 20_000) {
                let list = format!("f38:{round}");
                let element = format!("element {round}");
                let end = round % 3;
                pop(&run, &side, &caller, &proxy, &server, &list, end);
                // Whoever waited is gone, so this stays.
                until("nobody waits on the server", || blocked(&server) == 0);
                let push: [&[u8]; 3] = [b"RPUSH", list.as_bytes(), element.as_bytes()];
                assert_eq!(server.command(&push).unwrap(), b":1\r\n");
                let pop = side.wait(caller.call(cmd::blpop([&list], 1.0)));
                match pop {
                    Ok(Some((key, popped))) => {
                        assert_eq!(key, list);
                        assert_eq!(popped, element);
                    }
                    other => panic!("{element} was taken by an earlier pop: {other:?}"),
                }
            }
            run.finish(&[&proxy], &server);
        }
    });
}

/// Waits for an element until a time-out, a cancellation or the loss of the connection.
fn pop(
    run: &Run,
    side: &Side,
    caller: &Caller,
    proxy: &Proxy,
    server: &Server,
    list: &str,
    end: u64,
) {
    let waiting = || until("somebody waits on the server", || blocked(server) == 1);
    let keys = [list.to_owned()];
    match (end, side) {
        // The server's time.
        (0, _) => {
            let pop = || side.wait(caller.call(cmd::blpop(keys, 0.01)));
            assert!(run.struck(proxy, pop).unwrap().is_none());
        }
        (1, Side::Async(runtime)) => {
            let caller = caller.clone();
            let call = runtime.spawn(async move { caller.call(cmd::blpop(keys, 0.0)).await });
            waiting();
            run.fault(proxy.in_flight());
            call.abort();
        }
        _ => {
            let caller = caller.clone();
            let call = side.spawn(async move { caller.call(cmd::blpop(keys, 0.0)).await });
            waiting();
            let link = busy(proxy);
            run.fault(link.in_flight());
            link.act(Way::Replies, Action::Reset);
            let error = call().unwrap_err();
            assert!(error.may_have_executed(), "{error}");
        }
    }
}

fn blocked(server: &Server) -> u32 {
    let info = server.command(&[b"INFO", b"clients"]).unwrap();
    let info = String::from_utf8_lossy(&info).into_owned();
    let mut lines = info.lines();
    let field = lines.find_map(|line| line.strip_prefix("blocked_clients:"));
    field.unwrap().trim().parse().unwrap()
}

/// A command of a user who made a mistake.
#[derive(Clone, Copy, Debug)]
enum Mistake {
    Write,
    Read,
    Refuse,
}

impl Command for Mistake {
    type Via = Detached;
    type Reply = ();

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        Info::of("ECHO").unwrap()
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.word(b"ECHO");
        if matches!(self, Self::Write) {
            panicking();
        }
        to.word(b"mistake");
    }

    fn read(&self, reply: Reply<'_>) -> Result<(), DecodeError> {
        match self {
            Self::Read => panicking(),
            _ => Err(DecodeError::expected("something else", reply)),
        }
    }
}

/// Panics without a word in the output of the tests.
fn panicking() -> ! {
    std::panic::resume_unwind(Box::new("a mistake"))
}

#[test]
fn f43_a_users_mistake_fails_that_call_alone() {
    let all = Variant::ALL
        .into_iter()
        .flat_map(|variant| Side::all().map(|side| (variant, side)));
    beside(all, |(variant, side)| {
        let server = shared(variant);
        let run = Run::new("F43", server, &side, Protocol::Resp3, LIMIT);
        let proxy = Proxy::start(server.addr()).unwrap();
        let caller = side.client(run.config(&proxy, Protocol::Resp3));
        let load = Load::start(&run, &side, &caller, 4);
        let mut round = 0;
        while run.faults() < count(1_000, 10_000) {
            let mistake = [Mistake::Write, Mistake::Read, Mistake::Refuse][round % 3];
            round += 1;
            let in_flight = proxy.in_flight();
            let caller = caller.clone();
            let call = side.spawn(async move {
                let call = caller.call(mistake);
                quietly(call).await
            });
            let outcome = call();
            match mistake {
                Mistake::Refuse => assert!(outcome.is_ok_and(|result| result.is_err())),
                _ => assert!(outcome.is_err(), "{mistake:?} has panicked"),
            }
            run.fault(in_flight);
        }
        load.finish();
        let row = run.finish(&[&proxy], server);
        assert!(row.verdict.tally.errors.is_empty(), "{}", row.details());
    });
}

/// What comes of a task, or that it has panicked.
async fn quietly<T>(task: impl Future<Output = T>) -> Result<T, ()> {
    let mut task = pin!(task);
    std::future::poll_fn(|cx| {
        let polled = std::panic::AssertUnwindSafe(|| task.as_mut().poll(cx));
        match std::panic::catch_unwind(polled) {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(())),
        }
    })
    .await
}

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(10);
