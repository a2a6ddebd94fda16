//! What both clients tell of calls whose time runs out, on real servers that let them wait.

#![cfg(all(feature = "async", feature = "blocking", feature = "core"))]

use std::{sync::Arc, time::Duration};

use respec_testkit::{Action, At, Proxy, Rule, Server, Variant, Way, shared};
use tokio::runtime::{Builder, Runtime};

use super::{
    Event,
    tests::{Kept, listening},
};
use crate::{
    Client, Config, Error, ErrorKind, Phase, Result, aio, blocking, cmd,
    command::{Raw, raw},
    reply::Value,
};

/// A client of either kind, and what it has told.
struct Caller {
    client: Side,
    kept: Arc<Kept>,
}

enum Side {
    Async(Runtime, Client),
    Blocking(blocking::Client),
}

/// A connection of a caller's own.
enum Own {
    Async(aio::Dedicated),
    Blocking(blocking::Dedicated),
}

impl Caller {
    /// One of each kind.
    fn both(config: &Config) -> [Self; 2] {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (client, kept) = listening(|| Client::from_config(config.clone()));
        let client = Side::Async(runtime, client);
        let (other, of_other) = listening(|| blocking::Client::from_config(config.clone()));
        [
            Self { client, kept },
            Self {
                client: Side::Blocking(other),
                kept: of_other,
            },
        ]
    }

    fn is_blocking(&self) -> bool {
        matches!(self.client, Side::Blocking(_))
    }

    fn call(&self, command: Raw<'_>) -> Result<Value> {
        match &self.client {
            Side::Async(runtime, client) => runtime.block_on(client.send(command)),
            Side::Blocking(client) => client.send(command),
        }
    }

    fn pipeline(&self, commands: &[Raw<'_>]) -> Result<Vec<Value>> {
        match &self.client {
            Side::Async(runtime, client) => {
                runtime.block_on(client.pipeline(commands).into_future())
            }
            Side::Blocking(client) => client.pipeline(commands).send(),
        }
    }

    fn dedicated(&self) -> Result<Own> {
        Ok(match &self.client {
            Side::Async(runtime, client) => Own::Async(runtime.block_on(client.dedicated())?),
            Side::Blocking(client) => Own::Blocking(client.dedicated()?),
        })
    }

    fn call_on(&self, own: &Own, command: Raw<'_>) -> Result<Value> {
        match (&self.client, own) {
            (Side::Async(runtime, _), Own::Async(own)) => runtime.block_on(own.send(command)),
            (_, Own::Blocking(own)) => own.send(command),
            _ => panic!("expected a connection of this client"),
        }
    }

    /// What a command answers that goes to each node.
    fn each(&self, command: Raw<'_>) -> Vec<Result<Value>> {
        let replies = match &self.client {
            Side::Async(runtime, client) => runtime.block_on(client.each_node().send(command)),
            Side::Blocking(client) => client.each_node().send(command),
        };
        replies.unwrap().into_iter().map(|(_, it)| it).collect()
    }

    /// Asserts which time-outs were told since this was last asked, by name, and that none came too
    /// early.
    #[track_caller]
    fn assert_told(&self, expected: &[(&str, Phase)], earliest: Duration) {
        let told: Vec<_> = self
            .kept
            .take()
            .into_iter()
            .filter_map(|(_, event)| match event {
                Event::TimedOut {
                    command,
                    phase,
                    after,
                } => Some((command, phase, after)),
                _ => None,
            })
            .collect();
        let mut names: Vec<_> = told
            .iter()
            .map(|(name, phase, _)| (&**name, *phase))
            .collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        let client = if self.is_blocking() {
            "blocking"
        } else {
            "async"
        };
        assert_eq!(names, expected, "{client}");
        assert!(
            told.iter().all(|(.., after)| *after >= earliest),
            "{client}: {told:?}"
        );
    }
}

/// The settings for a client of whose calls each may take so long.
fn config(port: u16, limit: Duration) -> Config {
    Config::tcp("127.0.0.1", port).response_timeout(limit)
}

#[track_caller]
fn assert_late(error: &Error, phase: Phase) {
    assert_eq!(error.kind(), ErrorKind::Timeout(phase), "{error}");
}

#[test]
fn a_reply_that_does_not_come_is_told_once_whatever_waits_for_it() {
    let server = Server::start(Variant::Redis70).unwrap();
    for caller in Caller::both(&config(server.port(), LIMIT).pool_max(2)) {
        let own = caller.dedicated().unwrap();
        caller.call(raw("ECHO").arg("x")).unwrap();
        caller.assert_told(&[], LIMIT);

        server.pause().unwrap();
        let error = caller.call(raw("GET").key("told")).unwrap_err();
        assert_late(&error, Phase::Reply);
        caller.assert_told(&[("GET", Phase::Reply)], LIMIT);
        let error = caller.call_on(&own, raw("GET").key("told")).unwrap_err();
        assert_late(&error, Phase::Reply);
        caller.assert_told(&[("GET", Phase::Reply)], LIMIT);
        drop(own);
        server.resume().unwrap();

        caller.call(raw("ECHO").arg("x")).unwrap();
        server.pause().unwrap();
        let three = [raw("GET").key("told"), raw("ECHO").arg("x"), raw("TIME")];
        let error = caller.pipeline(&three).unwrap_err();
        assert_late(&error, Phase::Reply);
        caller.assert_told(&[("pipeline", Phase::Reply)], LIMIT);
        server.resume().unwrap();

        assert!(caller.each(raw("ECHO").arg("x"))[0].is_ok());
        server.pause().unwrap();
        assert!(caller.each(raw("ECHO").arg("x"))[0].is_err());
        caller.assert_told(&[("ECHO", Phase::Reply)], LIMIT);
        server.resume().unwrap();
    }
}

#[test]
fn a_request_that_is_not_taken_is_told_once() {
    let server = Server::start(Variant::Redis70).unwrap();
    let large = vec![b'v'; 16 << 20];
    for caller in Caller::both(&config(server.port(), LIMIT).pool_max(2)) {
        let own = caller.dedicated().unwrap();
        caller.call(raw("ECHO").arg("x")).unwrap();
        server.pause().unwrap();
        let error = caller.call(raw("ECHO").arg(&large)).unwrap_err();
        let phase = error.phase().unwrap();
        // Of what was written in part the reply may come, for all that is known.
        assert!(matches!(phase, Phase::Write | Phase::Reply), "{error}");
        caller.assert_told(&[("ECHO", phase)], LIMIT);
        let error = caller.call_on(&own, raw("ECHO").arg(&large)).unwrap_err();
        let phase = error.phase().unwrap();
        assert!(matches!(phase, Phase::Write | Phase::Reply), "{error}");
        caller.assert_told(&[("ECHO", phase)], LIMIT);
        server.resume().unwrap();
    }
}

#[test]
fn a_wait_for_a_connection_of_the_pool_is_told_once() {
    // The pool's own limit is shorter than that of calls, and then longer.
    let long = Duration::from_secs(60);
    for (wait, limit) in [(LIMIT, long), (long, LIMIT)] {
        let config = config(shared(Variant::Redis70).port(), limit)
            .pool_max(1)
            .pool_wait(wait);
        for caller in Caller::both(&config) {
            let own = caller.dedicated().unwrap();
            let pop = || raw("BLPOP").key("told:none").arg(1);
            assert_late(&caller.call(pop()).unwrap_err(), Phase::Queue);
            caller.assert_told(&[("BLPOP", Phase::Queue)], LIMIT);
            if wait < limit {
                assert_late(&caller.dedicated().err().unwrap(), Phase::Queue);
                caller.assert_told(&[("dedicated connection", Phase::Queue)], LIMIT);
            }
            drop(own);
            caller.call(raw("ECHO").arg("x")).unwrap();
            caller.assert_told(&[], LIMIT);
        }
    }
}

#[test]
fn a_wait_in_front_of_a_connection_with_too_much_unanswered_is_told_once() {
    let server = Server::start(Variant::Redis70).unwrap();
    let [caller, _] = Caller::both(&config(server.port(), LIMIT).max_unanswered(1));
    let Side::Async(runtime, client) = &caller.client else {
        panic!("expected the async client");
    };
    caller.call(raw("ECHO").arg("x")).unwrap();
    server.pause().unwrap();
    let (first, second) = runtime.block_on(async {
        tokio::join!(
            client.send(raw("GET").key("told")),
            client.send(cmd::ping())
        )
    });
    assert_late(&first.unwrap_err(), Phase::Reply);
    assert_late(&second.unwrap_err(), Phase::Queue);
    caller.assert_told(&[("GET", Phase::Reply), ("PING", Phase::Queue)], LIMIT);
    server.resume().unwrap();
}

#[test]
fn a_server_that_does_not_greet_is_told_once_for_each_call() {
    let proxy = Proxy::start(shared(Variant::Redis70).addr()).unwrap();
    proxy.script([Rule::new(At::now(Way::Requests), Action::StopReading)]);
    let config = config(proxy.port(), 4 * LIMIT).connect_timeout(LIMIT);
    for caller in Caller::both(&config) {
        let error = caller.call(raw("GET").key("told")).unwrap_err();
        assert_late(&error, Phase::Connect);
        caller.assert_told(&[("GET", Phase::Connect)], LIMIT);
    }
    for caller in Caller::both(&config) {
        assert_late(&caller.dedicated().err().unwrap(), Phase::Connect);
        caller.assert_told(&[("dedicated connection", Phase::Connect)], LIMIT);
    }
    // Nobody tells the topology of a cluster either.
    let port = proxy.port();
    let url = format!("redis-cluster://127.0.0.1:{port}?response_timeout=200ms&connect_timeout=9s");
    for caller in Caller::both(&Config::from_url(&url).unwrap()) {
        let error = caller.call(raw("GET").key("told")).unwrap_err();
        assert!(!error.may_have_executed(), "{error}");
        caller.assert_told(&[("GET", Phase::Connect)], LIMIT);
    }
}

#[test]
fn a_wait_for_a_server_that_may_execute_is_told_although_its_error_says_why() {
    let server = Server::start(Variant::Redis70).unwrap();
    let of_nobody: [&[u8]; 3] = [b"REPLICAOF", b"127.0.0.1", b"1"];
    server.command(&of_nobody).unwrap();
    for caller in Caller::both(&config(server.port(), LIMIT)) {
        // Of the last try, which has little time, the reply may come too late on a busy machine.
        let calls = (0..TRIES).map(|_| {
            caller.kept.take();
            caller.call(raw("SET").key("told").arg("x")).unwrap_err()
        });
        let mut refused = calls.filter(|error| error.code() == Some("READONLY"));
        assert!(refused.next().is_some());
        // The last wait ends a little before the time, as too little would be left behind it.
        caller.assert_told(&[("SET", Phase::Queue)], LIMIT / 2);
    }
}

/// How often is tried what needs a machine that is not too busy.
const TRIES: usize = 50;

/// How long what times out may take.
const LIMIT: Duration = Duration::from_millis(200);
