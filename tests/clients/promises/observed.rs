//! What an observer sees of a client, and what the client says of itself.

use std::{
    panic,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

use respec::{
    CallOptions, Config, ErrorKind, cmd,
    command::raw,
    observe::{self, CallOutcome, DisconnectReason, Event},
    prelude::*,
};
use respec_testkit::{Cluster, Server, Variant, shared};

use super::{Client, NAME, PROTOCOLS, config};
use crate::{
    clusters::{self, VARIANTS, urls},
    until,
    words::words,
};

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// What a client has told, and a client that tells it.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Event>>>);

impl Seen {
    /// A client with these settings.
    fn client(&self, config: Config) -> Client {
        let seen = self.clone();
        Client::from_config(config.observer(Arc::new(move |event: &Event| {
            seen.events().push(event.clone());
        })))
    }

    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was told since this was last asked.
    fn take(&self) -> Vec<Event> {
        assert!(observe::flush(LONG));
        std::mem::take(&mut *self.events())
    }

    /// The calls among these: what was called, how many commands it had, and what was wrong.
    fn calls(&self) -> Vec<(String, Option<usize>, Option<String>)> {
        let calls = self.take().into_iter().filter_map(|event| match event {
            Event::CallEnded {
                operation,
                batch_size,
                outcome,
                ..
            } => {
                let error = outcome.error_type().map(str::to_owned);
                Some((operation.into_owned(), batch_size, error))
            }
            _ => None,
        });
        calls.collect()
    }
}

/// Settings for all servers and clusters in both versions of the protocol, with a prefix for keys.
fn everywhere(test: &str) -> Vec<(Config, String)> {
    let mut all = Vec::new();
    for variant in Variant::ALL {
        for protocol in PROTOCOLS {
            let prefix = format!("{NAME}:{test}:{variant:?}:{protocol:?}");
            all.push((config(shared(variant)).protocol(protocol), prefix));
        }
    }
    for (url, name) in urls() {
        let prefix = format!("{{{NAME}:{test}:{}}}", name.replace(' ', "-"));
        all.push((Config::from_url(&url).unwrap(), prefix));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_seen_once_with_its_outcome() {
    for (config, key) in everywhere("observed") {
        let seen = Seen::default();
        let client = seen.client(config);
        let one = |name: &str| (name.to_owned(), None, None);
        let batch = |name: &str, count| (name.to_owned(), Some(count), None);
        let failed = |name: &str, error: &str| (name.to_owned(), None, Some(error.to_owned()));
        let mut expected = Vec::new();

        reply!(client.set(&key, "text")).unwrap();
        reply!(client.get(&key)).unwrap();
        expected.extend([one("SET"), one("GET")]);

        // What a server refuses has its code, and what the client refuses its kind.
        reply!(client.incr(&key)).unwrap_err();
        reply!(client.lpush(&key, "x")).unwrap_err();
        done!(client.send(raw("NO.SUCH").key(&key))).unwrap_err();
        done!(client.send(words("SELECT 1"))).unwrap_err();
        reply!(client.get(&key).decode::<i64>()).unwrap_err();
        expected.extend([
            failed("INCR", "ERR"),
            failed("LPUSH", "WRONGTYPE"),
            failed("NO.SUCH", "ERR"),
            failed("SELECT", "refused"),
            failed("GET", "decode"),
        ]);

        // A batch of one command is that command.
        let (get, set) = (cmd::get(&key), cmd::set(&key, "other"));
        reply!(client.pipeline((&get, &set))).unwrap();
        reply!(client.pipeline([&get, &get, &get])).unwrap();
        reply!(client.pipeline([&get])).unwrap();
        reply!(client.pipeline(Vec::<respec::command::Erased<'_>>::new())).unwrap();
        reply!(client.transaction((&get, &set))).unwrap();
        reply!(client.transaction([&get, &get])).unwrap();
        expected.extend([
            batch("PIPELINE", 2),
            batch("PIPELINE GET", 3),
            one("GET"),
            batch("PIPELINE", 0),
            batch("MULTI", 2),
            batch("MULTI GET", 2),
        ]);

        let own = done!(client.dedicated_for(&key)).unwrap();
        reply!(own.get(&key)).unwrap();
        reply!(own.pipeline([&get, &get])).unwrap();
        reply!(own.incr(&key)).unwrap_err();
        drop(own);
        expected.extend([one("GET"), batch("PIPELINE GET", 2), failed("INCR", "ERR")]);

        let popped = reply!(client.blpop([&format!("{key}:none")], 0.01)).unwrap();
        assert_eq!(popped, None);
        let late = client.with(CallOptions::new().timeout(Duration::from_millis(1)));
        let error = reply!(late.blpop([&format!("{key}:none")], 1)).unwrap_err();
        assert!(error.is_timeout(), "{error}");
        expected.push(one("BLPOP"));

        let mut calls = seen.calls();
        let (name, _, error) = calls.pop().unwrap();
        assert_eq!(name, "BLPOP");
        assert!(error.unwrap().starts_with("timeout_"), "{key}");
        assert_eq!(calls, expected, "{key}");

        // One for each node that is asked.
        let answers = done!(client.each_node().send(cmd::ping())).unwrap();
        let calls = seen.calls();
        assert_eq!(calls, vec![one("PING"); answers.len()], "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_call_tells_where_it_went_and_how_often() {
    for variant in VARIANTS {
        let cluster = Cluster::shared(variant);
        let seen = Seen::default();
        let client = seen.client(Config::from_url(&cluster.url()).unwrap());
        let key = format!("{NAME}:observed:place:{variant:?}");
        reply!(client.set(&key, "x")).unwrap();
        let slot = respec::cluster::key_slot(key.as_bytes());
        let primary = cluster.primary_of(slot).unwrap().addr().to_string();
        let ended = |events: Vec<Event>| {
            let ended = events.into_iter().filter_map(|event| match event {
                Event::CallEnded {
                    server,
                    retries,
                    redirects,
                    outcome,
                    ..
                } => Some((server.unwrap().to_string(), retries, redirects, outcome)),
                _ => None,
            });
            ended.collect::<Vec<_>>()
        };
        let at = |redirects| (primary.clone(), 0, redirects, CallOutcome::Answered);
        assert_eq!(ended(seen.take()), [at(0)], "{variant:?}");

        // A new client does not know yet that a slot has moved, and is told by a node.
        let nodes = done!(client.nodes()).unwrap();
        let other = nodes.iter().find(|node| node.to_string() != primary);
        let wrong = CallOptions::new().node(other.unwrap().clone());
        let error = reply!(client.with(wrong).get(&key)).unwrap_err();
        assert_eq!(error.code(), Some("MOVED"), "{variant:?}: {error}");
        let told = ended(seen.take());
        let (server, _, redirects, outcome) = &told[0];
        assert_eq!((told.len(), *redirects), (1, 0));
        assert_eq!(*server, other.unwrap().to_string());
        assert_eq!(outcome.error_type(), Some("MOVED"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_observer_keeps_no_call_waiting_and_learns_what_it_has_missed() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let seen = Seen::default();
    let config = {
        let seen = seen.clone();
        config(shared(Variant::Redis70)).observer(Arc::new(move |event: &Event| {
            // Until the other end is dropped.
            let _ = released.lock().unwrap().recv();
            seen.events().push(event.clone());
        }))
    };
    let client = Client::from_config(config);
    let key = format!("{NAME}:observed:slow");
    let calls = 20_000;
    for _ in 0..calls / 100 {
        for _ in 0..100 {
            reply!(client.get(&key)).unwrap();
        }
    }
    assert!(!observe::flush(Duration::from_millis(1)));
    let dropped = client.stats().events_dropped;
    assert!(dropped > 0);
    drop(release);
    let events = seen.take();
    let ended = events
        .iter()
        .filter(|event| matches!(event, Event::CallEnded { .. }));
    assert_eq!(ended.count() as u64 + dropped, calls);
    let missing = events.iter().filter_map(|event| match event {
        Event::EventsDropped { events, .. } => Some(*events),
        _ => None,
    });
    assert_eq!(missing.sum::<u64>(), dropped);
    // Whoever was slow is told what comes next, and connections first of all.
    let first = &events[0];
    assert!(matches!(first, Event::Connecting { .. }), "{first:?}");
    reply!(client.get(&key)).unwrap();
    assert_eq!(seen.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_that_panics_harms_nobody() {
    let seen = Seen::default();
    let config = {
        let seen = seen.clone();
        config(shared(Variant::Redis82)).observer(Arc::new(move |event: &Event| {
            seen.events().push(event.clone());
            // As a panic, but without a line about it.
            panic::resume_unwind(Box::new("an observer that fails"));
        }))
    };
    let client = Client::from_config(config);
    let key = format!("{NAME}:observed:panic");
    for _ in 0..3 {
        reply!(client.get(&key)).unwrap();
        assert_eq!(seen.calls().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_started_again_is_seen_and_counted() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let seen = Seen::default();
        let client = seen.client(config(&server));
        let key = format!("{NAME}:observed:killed");
        reply!(client.set(&key, "x")).unwrap();
        let address = server.addr().to_string();
        let connected = |events: &[Event]| {
            let ours = |event: &&Event| match event {
                Event::Connected { server, .. } => server.to_string() == address,
                _ => false,
            };
            events.iter().filter(ours).count()
        };
        assert_eq!(connected(&seen.take()), 1);
        let stats = client.stats();
        assert_eq!((stats.connected, stats.lost, stats.reconnects), (1, 0, 0));
        assert_eq!((stats.connections, stats.servers), (1, 1));

        server.kill().unwrap();
        let fails = async || reply!(client.get(&key)).is_err();
        until("a call fails", fails).await;
        let is_seen = async || client.stats().connect_failures > 0;
        until("an attempt to connect fails", is_seen).await;
        let events = seen.take();
        let lost = events.iter().find_map(|event| match event {
            Event::Disconnected { reason, .. } => Some(*reason),
            _ => None,
        });
        assert_eq!(lost, Some(DisconnectReason::Ended), "{events:?}");
        let failed = events.iter().find_map(|event| match event {
            Event::ConnectFailed { server, error, .. } => Some((server.to_string(), error.kind())),
            _ => None,
        });
        assert_eq!(failed, Some((address.clone(), ErrorKind::Connect)));
        let stats = client.stats();
        assert_eq!((stats.lost, stats.connections), (1, 0), "{stats}");

        server.restart().unwrap();
        let answers = async || reply!(client.get(&key)).is_ok();
        until("it answers again", answers).await;
        assert_eq!(connected(&seen.take()), 1);
        let stats = client.stats();
        assert_eq!((stats.connected, stats.lost, stats.reconnects), (2, 1, 1));
        assert!(
            stats.to_string().contains("2 made, 1 lost, 1 made anew"),
            "{stats}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_is_seen_with_the_slots_that_have_another_primary() {
    for variant in VARIANTS {
        let cluster = clusters::own(variant);
        let seen = Seen::default();
        let client = seen.client(Config::from_url(&cluster.url()).unwrap());
        let primary = cluster.primaries().unwrap()[0].clone();
        let key = cluster.key_at(&primary).unwrap();
        reply!(client.set(&key, "x")).unwrap();
        let stats = client.stats();
        assert!(stats.topology_age.is_some_and(|age| age < LONG), "{stats}");
        assert_eq!((stats.topology_changes, stats.redirects), (1, 0), "{stats}");

        let replica = cluster.replicas_of(&primary).unwrap()[0].clone();
        cluster.fail_over(&replica).unwrap();
        let slot = respec::cluster::key_slot(key.as_bytes());
        let mut all = Vec::new();
        let is_seen = async || {
            // The old primary says where it has gone to, if nothing else does.
            let _ = reply!(client.set(&key, "y"));
            all.extend(seen.take());
            all.iter().any(|event| match event {
                Event::TopologyChanged { moved, .. } => moved.iter().any(|it| {
                    it.ranges.iter().any(|range| range.contains(&slot))
                        && it
                            .from
                            .as_ref()
                            .is_some_and(|it| it.to_string() == primary.addr().to_string())
                        && it
                            .to
                            .as_ref()
                            .is_some_and(|it| it.to_string() == replica.addr().to_string())
                }),
                _ => false,
            })
        };
        until("the failover is seen", is_seen).await;
        assert!(client.stats().topology_changes > 1);
        let text = all
            .iter()
            .map(Event::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        let expected = format!("{} is now the primary of slots ", replica.addr());
        assert!(text.contains(&expected), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_is_doing_is_told_and_printed() {
    for (config, key) in everywhere("stats") {
        let client = Client::from_config(config);
        reply!(client.set(&key, "x")).unwrap();
        let waiting = {
            let (client, key) = (client.clone(), format!("{key}:list"));
            super::spawn(async move { reply!(client.blpop([&key], 20)) })
        };
        let waits = async || {
            let stats = client.stats();
            stats.in_flight == 1 && stats.unanswered_bytes > 0 && stats.pool.in_use == 1
        };
        until("a call is in flight", waits).await;
        let stats = client.stats();
        assert_eq!(stats.calls, 2, "{key}: {stats}");
        assert!(stats.connections > stats.shared, "{key}: {stats}");
        assert_eq!(stats.timeouts, 0, "{key}: {stats}");
        let text = stats.to_string();
        assert!(text.contains("calls: 2 begun, 1 in flight, "), "{text}");
        assert_eq!(
            text.contains("topology: told "),
            stats.topology_age.is_some()
        );
        reply!(client.rpush(format!("{key}:list"), "x")).unwrap();
        waiting.join().await.unwrap();
        let stats = client.stats();
        assert_eq!((stats.in_flight, stats.unanswered_bytes), (0, 0), "{key}");
        assert_eq!(stats.calls, 3, "{key}");
    }
}

#[test]
fn an_observer_is_named_in_what_prints_and_is_no_part_of_a_url() {
    let plain = Config::default();
    let observer: Arc<dyn observe::Observer> = Arc::new(|_: &Event| {});
    let observed = plain.clone().observer(observer);
    assert!(format!("{observed:?}").contains("observer: Some("));
    assert_eq!(observed.to_string(), plain.to_string());
    assert_ne!(observed, plain);
    assert_eq!(observed, observed.clone());
}
