//! What becomes of calls while there is no connection.

use std::{
    io,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use respec::{
    Address, CallOptions, Config, Dialler, ErrorKind, Offline, RetryPolicy, Socket, prelude::*,
};
use respec_testkit::{Cluster, Server, Variant};

use super::{Client, NAME, PROTOCOLS, config, spawn};
use crate::{clusters, until};

/// Long enough for any machine, and far less than what is waited for otherwise.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn calls_wait_for_a_server_that_comes_back() {
    for variant in Variant::ALL {
        for protocol in PROTOCOLS {
            let server = Server::start(variant).unwrap();
            // That calls are not sent again has nothing to do with those that could not be sent.
            let config = config(&server)
                .protocol(protocol)
                .retries(0)
                .response_timeout(Duration::from_secs(60));
            let client = Client::from_config(config);
            reply!(client.set("k", "v")).unwrap();
            server.kill().unwrap();
            // What is written to a connection that the client has not seen to end may be executed.
            let hurried = client.with(CallOptions::new().timeout(Duration::from_millis(50)));
            let gone = async || {
                reply!(hurried.get("k")).unwrap_err();
                client.stats().connect_failures > 0
            };
            until("the client knows that the server is gone", gone).await;
            let failures = client.stats().connect_failures;
            let waiting: Vec<_> = (0..20)
                .map(|at| {
                    let client = client.clone();
                    spawn(async move {
                        match at % 4 {
                            0 => reply!(client.set("k", "v")).map(drop),
                            1 => reply!(client.rpush("list", "x")).map(drop),
                            2 => reply!(client.blpop(["none"], 0.01)).map(drop),
                            _ => done!(client.dedicated()).map(drop),
                        }
                    })
                })
                .collect();
            let dials = async || client.stats().connect_failures > failures + 2;
            until("the client has dialled in vain", dials).await;
            server.restart().unwrap();
            for waiting in waiting {
                waiting.join().await.unwrap();
            }
            // Each of them was executed once.
            let length = reply!(client.llen("list")).unwrap();
            assert_eq!(length, 5, "{variant:?} {protocol:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_vain_is_told_why_there_is_no_connection() {
    let server = Server::start(Variant::Redis70).unwrap();
    let config = config(&server).response_timeout(Duration::from_millis(300));
    server.kill().unwrap();
    let client = Client::from_config(config.clone());
    let begun = Instant::now();
    for error in [
        reply!(client.get("k")).unwrap_err(),
        reply!(client.blpop(["k"], 0.01)).unwrap_err(),
        done!(client.dedicated()).err().unwrap(),
    ] {
        assert!(error.is_connection() || error.is_timeout(), "{error}");
        assert!(
            error.is_retryable() && !error.may_have_executed(),
            "{error}"
        );
        assert!(
            error.to_string().contains(&server.port().to_string()),
            "{error}"
        );
    }
    assert!(
        begun.elapsed() > Duration::from_millis(600),
        "they have waited"
    );
    // Who wants nothing to be tried again gets the first error.
    let client = Client::from_config(config.response_timeout(Duration::from_secs(60)));
    let never = client.with(CallOptions::new().retry(RetryPolicy::Never));
    let begun = Instant::now();
    let error = reply!(never.get("k")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    let hurried = client.with(CallOptions::new().timeout(Duration::from_millis(100)));
    assert!(reply!(hurried.get("k")).is_err());
    assert!(done!(hurried.dedicated()).is_err());
    assert!(begun.elapsed() < SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_for_good_is_not_waited_for() {
    for variant in Variant::ALL {
        let server = Server::builder(variant).config("requirepass", "right");
        let server = server.start().unwrap();
        let config = config(&server)
            .password("wrong")
            .response_timeout(Duration::from_secs(60));
        let client = Client::from_config(config);
        let begun = Instant::now();
        let error = reply!(client.get("k")).unwrap_err();
        assert!(error.to_string().contains("WRONGPASS"), "{error}");
        assert!(begun.elapsed() < SOON, "{variant:?}");
    }
}

/// Dials as the system does, until it is told to keep whoever wants a connection waiting.
#[derive(Clone, Default)]
struct Hanging {
    hangs: Arc<AtomicUsize>,
    dials: Arc<AtomicUsize>,
}

impl Hanging {
    /// What the next dials come to: 0 a socket, 1 an error, 2 nothing for as long as it is so.
    fn set(&self, hangs: usize) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }
}

impl Dialler for Hanging {
    fn dial(&self, server: &Address, _allowed: Duration) -> io::Result<Socket> {
        self.dials.fetch_add(1, Ordering::SeqCst);
        while self.hangs.load(Ordering::SeqCst) == 2 {
            thread::sleep(Duration::from_millis(5));
        }
        match self.hangs.load(Ordering::SeqCst) {
            0 => Ok(TcpStream::connect(server.to_string())?.into()),
            _ => Err(io::ErrorKind::NetworkUnreachable.into()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_fail_at_once_where_they_shall_not_wait() {
    for variant in Variant::ALL {
        for protocol in PROTOCOLS {
            let server = Server::start(variant).unwrap();
            let dialler = Hanging::default();
            let hour = Duration::from_secs(3600);
            let config = config(&server)
                .protocol(protocol)
                .offline(Offline::Fail)
                .connect_timeout(hour)
                .response_timeout(hour)
                .pool_wait(hour)
                .dialler(dialler.clone());
            let client = Client::from_config(config);
            // The first connection is waited for.
            reply!(client.set("k", "v")).unwrap();
            dialler.set(1);
            server.kill().unwrap();
            let gone = async || reply!(client.get("k")).is_err();
            until("the client has no connection", gone).await;
            // Attempts take for ever from now on, and no call waits for them.
            dialler.set(2);
            let before = dialler.dials.load(Ordering::SeqCst);
            let tried = async || {
                for error in [
                    reply!(client.get("k")).unwrap_err(),
                    reply!(client.blpop(["k"], 0)).unwrap_err(),
                    done!(client.dedicated()).err().unwrap(),
                ] {
                    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
                    assert!(error.to_string().contains("network unreachable"), "{error}");
                    assert!(error.is_retryable(), "{error}");
                }
                dialler.dials.load(Ordering::SeqCst) > before
            };
            until("an attempt is made beside the calls", tried).await;
            tried().await;
            dialler.set(0);
            server.restart().unwrap();
            let back = async || reply!(client.set("k", "v")).is_ok();
            until("the client has a connection again", back).await;
            reply!(client.blpop(["none"], 0.01)).unwrap();
            drop(done!(client.dedicated()).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_a_cluster_fail_at_once_where_they_shall_not_wait() {
    for variant in clusters::VARIANTS {
        let cluster = Cluster::builder(variant).replicas(0).start().unwrap();
        let hour = Duration::from_secs(3600);
        let config = Config::from_url(&cluster.url()).unwrap();
        let config = config.offline(Offline::Fail).response_timeout(hour);
        let client = Client::from_config(config.clone());
        for key in 0..64 {
            reply!(client.set(key, "v")).unwrap();
        }
        for node in cluster.nodes() {
            node.server().kill().unwrap();
        }
        let gone = async || reply!(client.get("k")).is_err();
        until("the client has no connection", gone).await;
        for key in 0..64 {
            let error = reply!(client.set(key, "v")).unwrap_err();
            assert!(error.is_connection() || error.is_timeout(), "{error}");
        }
        let other = Client::from_config(config);
        let error = reply!(other.get("k")).unwrap_err();
        assert!(!error.may_have_executed(), "{error}");
    }
}

/// The blocking client keeps nothing: its callers wait where they are.
#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_bytes_wait_for_a_connection() {
    if NAME != "async" {
        return;
    }
    let server = Server::start(Variant::Redis70).unwrap();
    let config = config(&server)
        .max_unanswered(1000)
        .response_timeout(Duration::from_secs(60));
    server.kill().unwrap();
    let client = Client::from_config(config);
    let value = "v".repeat(700);
    let set = |key: &'static str| {
        let (client, value) = (client.clone(), value.clone());
        spawn(async move { reply!(client.set(key, &value)).map(drop) })
    };
    let first = set("a");
    let dialled = async || client.stats().connect_failures > 0;
    until("the first one waits", dialled).await;
    let error = reply!(client.set("b", &value)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    assert!(error.to_string().contains("max_unanswered"), "{error}");
    assert!(error.is_retryable(), "{error}");
    let hurried = client.with(CallOptions::new().timeout(Duration::from_millis(50)));
    let small = reply!(hurried.get("b")).unwrap_err();
    let text = small.to_string();
    assert!(
        !text.contains("max_unanswered"),
        "there is room for it: {text}"
    );
    server.restart().unwrap();
    first.join().await.unwrap();
    set("b").join().await.unwrap();
}
