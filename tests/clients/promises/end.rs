//! The beginning and the end of a client.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use respec::{CallOptions, Config, ErrorKind, prelude::*};
use respec_testkit::{Cluster, Server, Variant};

use super::{Client, NAME, PROTOCOLS, clients, config, spawn};
use crate::{
    clusters::{VARIANTS, urls},
    until,
    words::words,
};

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// Clients of servers and of clusters, each for itself, with a name of its own.
async fn all(test: &str) -> Vec<(Client, String)> {
    let mut all = clients(test);
    for (url, name) in urls() {
        let name = format!("{NAME}:{test}:{}", name.replace(' ', "-"));
        all.push((Client::from_config(Config::from_url(&url).unwrap()), name));
    }
    for (client, name) in &mut all {
        *client = Client::from_config(client.config().clone().client_name(name.as_str()));
    }
    all
}

/// How many connections of a name there are.
async fn connections(client: &Client, name: &str) -> usize {
    let lists = done!(client.each_node().send(words("CLIENT LIST"))).unwrap();
    let lists = lists.into_iter().map(|(_, list)| list.unwrap());
    lists.map(|list| list.matches(name).count()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_answered_before_a_client_is_closed() {
    for (client, name) in all("end:answered").await {
        let other = Client::from_config(client.config().clone().client_name("other"));
        let own = done!(client.dedicated_for(&name)).unwrap();
        let popper = {
            let (client, name) = (client.clone(), name.clone());
            spawn(async move { reply!(client.blpop([&name], 20)) })
        };
        let waits = async || {
            let lists = done!(other.each_primary().send(words("CLIENT LIST"))).unwrap();
            lists.into_iter().any(|(_, list)| {
                let list = list.unwrap();
                let mut lines = list.lines();
                lines.any(|line| line.contains(&name) && line.contains("cmd=blpop"))
            })
        };
        until("it waits", waits).await;
        let closer = {
            let client = client.clone();
            spawn(async move { done!(client.close(LONG)) })
        };
        let closes = async || {
            let answer = done!(client.send(words("PING")));
            answer.is_err_and(|error| error.kind() == ErrorKind::Closed)
        };
        until("no more calls begin", closes).await;
        assert!(!popper.is_finished() && !closer.is_finished(), "{name}");
        reply!(other.rpush(&name, "x")).unwrap();
        let popped = popper.join().await.unwrap();
        assert_eq!(popped.unwrap().1, "x", "{name}");
        closer.join().await.unwrap();

        // Nothing is left, and all that comes later is refused.
        let gone = async || connections(&other, &name).await == 0;
        until("all connections are closed", gone).await;
        let refused = |error: respec::Error| {
            assert_eq!(error.kind(), ErrorKind::Closed, "{name}: {error}");
            assert!(
                !error.may_have_executed() && !error.is_retryable(),
                "{name}"
            );
        };
        refused(done!(client.send(words("PING"))).unwrap_err());
        let with = client.with(CallOptions::new().timeout(LONG));
        refused(reply!(with.get(&name)).unwrap_err());
        refused(reply!(client.pipeline([words("PING")])).unwrap_err());
        refused(reply!(client.blpop([&name], 1)).unwrap_err());
        refused(done!(own.send(words("PING"))).unwrap_err());
        refused(done!(client.dedicated()).unwrap_err());
        refused(done!(client.ready(LONG)).unwrap_err());
        for (_, answer) in done!(client.each_primary().send(words("PING"))).unwrap_or_default() {
            refused(answer.unwrap_err());
        }
        assert!(!client.is_connected(), "{name}");
        done!(client.close(LONG)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_in_time_fails_with_the_client() {
    for (client, name) in all("end:late").await {
        let other = Client::from_config(client.config().clone().client_name("other"));
        let popper = {
            let (client, name) = (client.clone(), name.clone());
            spawn(async move { reply!(client.blpop([&name], 0)) })
        };
        let waits = async || connections(&other, &name).await > 0;
        until("it waits", waits).await;
        let begun = Instant::now();
        let error = done!(client.close(Duration::from_millis(100))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{name}");
        assert!(
            error.to_string().contains("1 calls were still under way"),
            "{error}"
        );
        let error = popper.join().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{name}: {error}");
        assert!(begun.elapsed() < LONG, "{name}");
        let gone = async || connections(&other, &name).await == 0;
        until("all connections are closed", gone).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_ends_under_load_loses_no_call_that_was_accepted() {
    for (client, name) in all("end:load").await {
        let other = Client::from_config(client.config().clone().client_name("other"));
        let counted = Arc::new(AtomicU64::new(0));
        let workers: Vec<_> = (0..16)
            .map(|_| {
                let (client, name) = (client.clone(), name.clone());
                let counted = Arc::clone(&counted);
                spawn(async move {
                    loop {
                        match reply!(client.incr(&name)) {
                            Ok(_) => counted.fetch_add(1, Ordering::Relaxed),
                            Err(error) => return error,
                        };
                    }
                })
            })
            .collect();
        let under_load = async || counted.load(Ordering::Relaxed) > 500;
        until("there is load", under_load).await;
        done!(client.close(LONG)).unwrap();
        for worker in workers {
            let error = worker.join().await;
            assert_eq!(error.kind(), ErrorKind::Closed, "{name}: {error}");
            assert!(!error.may_have_executed(), "{name}: {error}");
        }
        let there = reply!(other.get(&name)).unwrap().unwrap();
        let there: u64 = std::str::from_utf8(&there).unwrap().parse().unwrap();
        assert_eq!(there, counted.load(Ordering::Relaxed), "{name}");
        reply!(other.del([&name])).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_ready_when_all_nodes_answer() {
    for variant in Variant::ALL {
        for protocol in PROTOCOLS {
            let server = Server::start(variant).unwrap();
            let config = config(&server).protocol(protocol);
            let client = Client::from_config(config.connect_timeout(Duration::from_millis(300)));
            assert!(!client.is_connected(), "{variant:?}");
            server.pause().unwrap();
            let error = done!(client.ready(Duration::from_millis(700))).unwrap_err();
            assert!(error.is_timeout() || error.is_connection(), "{error}");
            server.resume().unwrap();
            done!(client.ready(LONG)).unwrap();
            assert!(client.is_connected(), "{variant:?}");
            server.stop().unwrap();
            assert!(done!(client.send(words("PING"))).is_err());
            let ended = async || !client.is_connected();
            until("it is known that the server is gone", ended).await;
        }
    }
    for variant in VARIANTS {
        let cluster = Cluster::start(variant).unwrap();
        let client = Client::from_config(Config::from_url(&cluster.url()).unwrap());
        assert!(!client.is_connected(), "{variant:?}");
        done!(client.ready(LONG)).unwrap();
        assert!(client.is_connected(), "{variant:?}");
    }
}
