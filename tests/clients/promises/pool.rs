//! The pool: what is lent, kept, closed, made anew and counted.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use respec::{CallOptions, Config, ErrorKind, Phase, RetryPolicy};
use respec_testkit::{Server, Variant};

use super::{Client, config, spawn};
use crate::{
    pool_support::{CROWD, add_up, kill_all},
    until,
    words::{field, hasty, words},
};

const LONG: Duration = Duration::from_secs(60);

/// Settings that no load on the machine can make fail.
fn patient(server: &Server) -> Config {
    config(server).response_timeout(LONG).pool_wait(LONG)
}

/// Takes this many connections at once, and gives them back.
async fn take(client: &Client, count: usize) {
    let mut taken = Vec::new();
    for _ in 0..count {
        taken.push(done!(client.dedicated()).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_closed_are_replaced_without_an_error() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let client = Client::from_config(patient(&server).pool_max(4));
        for round in 1..=20 {
            take(&client, 4).await;
            assert_eq!(client.pool_stats().idle, 4);
            kill_all(&server);
            // Blocking, so that it takes a connection of the pool whichever client it is.
            let popped = done!(client.send(words("BLPOP pool:none 0.001")));
            assert_eq!(popped.unwrap(), "nil");
            // The first caller has found all of them.
            let stats = client.pool_stats();
            assert_eq!((stats.closed_broken, stats.idle), (4 * round, 1));
            add_up(stats);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_minimum_is_kept_up() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let url = format!("{}?pool_min=3&pool_max=4", server.url());
        let client = done!(Client::connect(&url)).unwrap();
        let stats = client.pool_stats();
        assert_eq!((stats.idle, stats.made, stats.lent), (3, 3, 0));
        let full = async || {
            let stats = client.pool_stats();
            stats.idle >= 3 && stats.connecting == 0
        };
        // They have died, which is seen when they are next used.
        kill_all(&server);
        take(&client, 3).await;
        until("the minimum is open", full).await;
        assert_eq!(client.pool_stats().closed_broken, 3);
        // One was left in another state.
        let changed = done!(client.dedicated()).unwrap();
        done!(changed.send(words("SELECT 1"))).unwrap();
        drop(changed);
        // It is made anew beside what is next asked for.
        take(&client, 1).await;
        until("the minimum is open", full).await;
        assert_eq!(client.pool_stats().closed_dirty, 1);
        add_up(client.pool_stats());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_closed_when_they_are_idle_for_too_long_or_too_old() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let instant = Duration::from_nanos(1);
        let idle = patient(&server).pool_idle_timeout(instant);
        let client = Client::from_config(idle.clone());
        take(&client, 2).await;
        take(&client, 1).await;
        let stats = client.pool_stats();
        assert_eq!((stats.made, stats.closed_idle, stats.idle), (3, 2, 1));
        add_up(stats);

        let client = Client::from_config(idle.pool_min(1));
        take(&client, 1).await;
        take(&client, 1).await;
        let stats = client.pool_stats();
        assert_eq!((stats.made, stats.closed_idle), (1, 0));

        let client = Client::from_config(patient(&server).pool_lifetime(instant));
        take(&client, 1).await;
        take(&client, 1).await;
        let stats = client.pool_stats();
        assert_eq!((stats.made, stats.closed_old, stats.idle), (2, 2, 0));
        add_up(stats);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_served_in_the_order_of_their_arrival() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let client = Client::from_config(patient(&server).pool_max(1));
        let order = Arc::new(Mutex::new(Vec::new()));
        let held = done!(client.dedicated()).unwrap();
        let mut callers = Vec::new();
        for caller in 0..10 {
            callers.push(spawn({
                let (client, order) = (client.clone(), Arc::clone(&order));
                async move {
                    let dedicated = done!(client.dedicated()).unwrap();
                    order.lock().unwrap().push(caller);
                    // A place that is passed on as leave to connect keeps the order as well.
                    if caller % 3 == 0 {
                        done!(dedicated.send(words("SELECT 1"))).unwrap();
                    }
                }
            }));
            let waits = async || client.pool_stats().waiting == caller + 1;
            until("the caller waits", waits).await;
        }
        drop(held);
        for caller in callers {
            caller.join().await;
        }
        assert_eq!(*order.lock().unwrap(), (0..10).collect::<Vec<_>>());
        let stats = client.pool_stats();
        add_up(stats);
        assert_eq!((stats.waited, stats.timed_out, stats.lent), (10, 0, 11));
        assert!(stats.longest_wait > Duration::ZERO);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_vain_is_told_so_and_leaves_no_trace() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let config = patient(&server).pool_max(1);
        let client = Client::from_config(config.pool_wait(Duration::from_millis(20)));
        let held = done!(client.dedicated()).unwrap();
        let callers: Vec<_> = (0..2 * CROWD)
            .map(|_| {
                let client = client.clone();
                spawn(async move { done!(client.send(words("BLPOP pool:none 0.001"))) })
            })
            .collect();
        for caller in callers {
            let error = caller.join().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Queue));
            assert!(!error.may_have_executed());
        }
        drop(held);
        let popped = done!(client.send(words("BLPOP pool:none 0.001")));
        assert_eq!(popped.unwrap(), "nil");
        let stats = client.pool_stats();
        add_up(stats);
        assert_eq!((stats.waited, stats.timed_out, stats.made), (16, 16, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_is_the_failure_of_all_who_wait_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Config::tcp("127.0.0.1", port).connect_timeout(LONG);
    let client = Client::from_config(config.pool_max(1).pool_wait(LONG));
    let client = client.with(CallOptions::new().retry(RetryPolicy::Never));
    let callers: Vec<_> = (0..=CROWD)
        .map(|_| {
            let client = client.clone();
            spawn(async move { done!(client.dedicated()).map(drop) })
        })
        .collect();
    let all_wait = async || client.pool_stats().waiting == CROWD;
    until("all wait", all_wait).await;
    let (attempt, _) = listener.accept().unwrap();
    drop(listener);
    drop(attempt);
    for caller in callers {
        let error = caller.join().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    }
    let stats = client.pool_stats();
    assert_eq!((stats.failed, stats.timed_out), (1, 0));
    add_up(stats);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_is_found_and_all_places_with_it() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let client = Client::from_config(patient(&server).pool_max(4));
        for _ in 0..2 {
            take(&client, 2).await;
            server.kill().unwrap();
            let hasty = client.with(CallOptions::new().retry(RetryPolicy::Never));
            let callers: Vec<_> = (0..4 * CROWD)
                .map(|_| {
                    let client = hasty.clone();
                    spawn(async move { done!(client.dedicated()).map(drop) })
                })
                .collect();
            for caller in callers {
                let error = caller.join().await.unwrap_err();
                assert!(error.is_connection(), "{error}");
            }
            server.restart().unwrap();
            let back = async || done!(client.dedicated()).is_ok();
            until("the server is back", back).await;
            take(&client, 4).await;
            let stats = client.pool_stats();
            add_up(stats);
            assert_eq!(stats.open(), 4);
            assert!(stats.failed < 4 * CROWD as u64, "{stats:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_full_is_not_asked_again_and_again() {
    for variant in Variant::ALL {
        let server = Server::builder(variant).config("maxclients", "4");
        let server = server.start().unwrap();
        // The fourth, so that counts can be read while the server is full.
        let mut observer = server.connection(LONG).unwrap();
        let config = hasty(&server).pool_wait(Duration::from_millis(100));
        let client = Client::from_config(config);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(done!(client.dedicated()).unwrap());
        }
        let start = std::time::Instant::now();
        let error = done!(client.dedicated()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        let callers: Vec<_> = (0..CROWD)
            .map(|_| {
                let client = client.clone();
                spawn(async move {
                    for _ in 0..3 {
                        let error = done!(client.dedicated()).unwrap_err();
                        assert!(error.is_connection() || error.is_timeout(), "{error}");
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().await;
        }
        let seconds = start.elapsed().as_secs();
        drop(held);
        // What comes back serves at once, pause or not.
        take(&client, 1).await;
        let stats = client.pool_stats();
        assert!(stats.failed <= 1 + seconds, "{stats:?}");
        let told = observer.command(&[b"INFO"]).unwrap();
        let rejected: u64 = field(&told, "rejected_connections").parse().unwrap();
        assert!(rejected >= stats.failed);
    }
}
