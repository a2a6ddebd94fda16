//! What a caller may want of its calls.

use std::time::{Duration, Instant};

use respec::{CallOptions, Config, ErrorKind, RetryPolicy, cluster::ReadFrom, prelude::*};
use respec_testkit::{Server, Variant};

use super::{Client, NAME, PROTOCOLS, clients, config, spawn};
use crate::{
    clusters::{self, VARIANTS, urls},
    until,
    words::words,
};

/// Long enough for any machine, and far less than what is waited for otherwise.
const SOON: Duration = Duration::from_secs(20);

fn quick() -> CallOptions {
    CallOptions::new().timeout(Duration::from_millis(100))
}

/// How often a server has answered a command with an error in place of running it.
fn rejected(server: &Server, command: &str) -> u64 {
    let info = server.command(&[b"INFO", b"commandstats"]).unwrap();
    let text = String::from_utf8(info).unwrap();
    let start = format!("cmdstat_{command}:");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    let count = line.and_then(|line| {
        let rest = line.split_once("rejected_calls=")?.1;
        rest.split(',').next()?.trim().parse().ok()
    });
    count.unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_call_is_all_that_it_may_take() {
    let mut all = clients("options:time");
    for (url, name) in urls() {
        let client = done!(Client::connect(&url)).unwrap();
        all.push((client, format!("{NAME}:options:time:{name}")));
    }
    for (client, prefix) in all {
        let name = prefix.replace(' ', "-");
        let client = Client::from_config(client.config().clone().client_name(&name));
        let hurried = client.with(quick());
        let begun = Instant::now();
        // What the server may hold back does not add to it, not even without an end.
        let error = reply!(hurried.blpop([&prefix], 0)).unwrap_err();
        assert!(error.is_timeout(), "{prefix}: {error}");
        let error = reply!(hurried.blpop([&prefix], 60)).unwrap_err();
        assert!(error.is_timeout(), "{prefix}: {error}");
        let own = done!(hurried.dedicated_for(&prefix)).unwrap();
        let error = reply!(own.blpop([&prefix], 60)).unwrap_err();
        assert!(error.is_timeout(), "{prefix}: {error}");
        assert!(begun.elapsed() < SOON, "{prefix}");
        // The calls that were not in time have ended for the server as well, and take nothing.
        let waits = |line: &str| line.contains(&name) && line.contains("cmd=blpop");
        let gone = async || {
            let lists = done!(client.each_primary().send(words("CLIENT LIST"))).unwrap();
            let mut lists = lists.into_iter().map(|(_, list)| list.unwrap());
            lists.all(|list| !list.lines().any(waits))
        };
        until("nobody waits any more", gone).await;
        reply!(client.rpush(&prefix, "x")).unwrap();
        let popped = reply!(client.blpop([&prefix], 60)).unwrap();
        assert_eq!(popped.unwrap().1, "x", "{prefix}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_sent_again_as_its_caller_wants() {
    for variant in Variant::ALL {
        for protocol in PROTOCOLS {
            let server = Server::start(variant).unwrap();
            let lacks = [&b"CONFIG"[..], b"SET", b"min-replicas-to-write", b"1"];
            server.command(&lacks).unwrap();
            let config = config(&server)
                .protocol(protocol)
                .response_timeout(Duration::from_millis(400))
                .retry_backoff(Duration::from_millis(10));
            let tried = async |client: &Client| {
                let before = rejected(&server, "set");
                let error = reply!(client.set("k", "v")).unwrap_err();
                assert_eq!(error.code(), Some("NOREPLICAS"), "{error}");
                assert!(error.is_retryable() && !error.may_have_executed());
                rejected(&server, "set") - before
            };
            let client = Client::from_config(config.clone());
            let many = tried(&client).await;
            assert!(many > 3, "{variant:?}: {many}");
            let once = client.with(CallOptions::new().retry(RetryPolicy::Never));
            assert_eq!(tried(&once).await, 1, "{variant:?}");
            // A client that is made of one with options has what it is given, and nothing else.
            let again = once.with(CallOptions::new());
            assert!(tried(&again).await > 3, "{variant:?}");
            for most in [0, 2] {
                let client = Client::from_config(config.clone().retries(most));
                assert_eq!(tried(&client).await, u64::from(most) + 1, "{variant:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_executed_is_sent_again_by_the_word_of_its_caller() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let config = config(&server).client_name(format!("{NAME}-idempotent"));
        let client = Client::from_config(config);
        for (options, is_done) in [
            (CallOptions::new(), false),
            (CallOptions::new().idempotent(), true),
            (
                CallOptions::new().idempotent().retry(RetryPolicy::Never),
                false,
            ),
        ] {
            let client = client.with(options);
            done!(client.send(words("PING"))).unwrap();
            // Writes are held back, and so nobody knows what has become of them when the connection ends.
            server
                .command(&[b"CLIENT", b"PAUSE", b"60000", b"WRITE"])
                .unwrap();
            let writer = {
                let client = client.clone();
                spawn(async move { reply!(client.hset("h", ("f", "v"))) })
            };
            let waits = async || {
                let info = server.command(&[b"INFO", b"clients"]).unwrap();
                let text = String::from_utf8(info).unwrap();
                text.contains("blocked_clients:1")
            };
            until("the write has come", waits).await;
            server
                .command(&[b"CLIENT", b"KILL", b"SKIPME", b"yes"])
                .unwrap();
            server.command(&[b"CLIENT", b"UNPAUSE"]).unwrap();
            let result = writer.join().await;
            match (result, is_done) {
                (Ok(added), true) => assert_eq!(added, 1, "{variant:?}"),
                (Err(error), false) => {
                    assert!(error.may_have_executed(), "{variant:?}: {error}");
                    assert!(!error.is_retryable(), "{variant:?}: {error}");
                }
                (result, _) => panic!("{variant:?}: {result:?}"),
            }
            reply!(client.del("h")).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_names_the_node() {
    for (url, name) in urls() {
        let client = done!(Client::connect(&url)).unwrap();
        for node in done!(client.nodes()).unwrap() {
            let there = client.with(CallOptions::new().node(node.clone()));
            let id = done!(there.send(words("CLUSTER MYID"))).unwrap();
            let direct = done!(client.node(&node)).unwrap();
            let expected = done!(direct.send(words("CLUSTER MYID"))).unwrap();
            assert_eq!(id, expected, "{name}");
        }
        let nowhere = respec::cluster::NodeAddress::new("127.0.0.1", 1);
        let there = client.with(CallOptions::new().node(nowhere.clone()));
        let error = reply!(there.get("k")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{name}: {error}");
        assert!(!error.may_have_executed(), "{name}");
    }
    for (client, prefix) in clients("options:node") {
        let only = done!(client.nodes()).unwrap().remove(0);
        let there = client.with(CallOptions::new().node(only));
        assert_eq!(done!(there.send(words("PING"))).unwrap(), "PONG");
        let nowhere = respec::cluster::NodeAddress::new("127.0.0.1", 1);
        let there = client.with(CallOptions::new().node(nowhere));
        let error = done!(there.send(words("PING"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{prefix}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_reads_from_replicas() {
    for variant in VARIANTS {
        let cluster = clusters::own(variant);
        let client = done!(Client::connect(&cluster.url())).unwrap();
        let reading = client.with(CallOptions::new().read_from(ReadFrom::PreferReplica));
        reply!(client.set("k", "v")).unwrap();
        let there = async || reply!(reading.get("k")).unwrap().as_deref() == Some(&b"v"[..]);
        until("the replica has it", there).await;
        let reads = |address: &respec::cluster::NodeAddress| {
            let server = Config::tcp(address.host(), address.port());
            Client::from_config(server)
        };
        let mut at_replicas = 0;
        for (at, node) in done!(client.nodes()).unwrap().iter().enumerate() {
            let info = done!(reads(node).send(words("INFO commandstats"))).unwrap();
            let count = info
                .lines()
                .find_map(|line| line.strip_prefix("cmdstat_get:calls="))
                .and_then(|rest| rest.split(',').next()?.parse::<u64>().ok())
                .unwrap_or(0);
            match at < 3 {
                true => assert_eq!(count, 0, "{variant:?}: a primary was read from"),
                false => at_replicas += count,
            }
        }
        assert!(at_replicas > 0, "{variant:?}");
        // Where nothing is said, the primary is read from.
        assert_eq!(reply!(client.get("k")).unwrap().as_deref(), Some(&b"v"[..]));
    }
}
