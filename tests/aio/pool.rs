//! The pool of the async client on real servers: what is lent, kept, closed, made anew and counted.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use respec::{Client, Config, Protocol, aio::Dedicated};
use respec_testkit::{Server, Variant};
use tokio::task::{JoinSet, yield_now};

use crate::pool_support::{CHANGES, CROWD, Numbers, add_up};
use crate::support::{args, until, words};

const LONG: Duration = Duration::from_secs(60);

/// Settings that no load on the machine can make fail.
fn patient(server: &Server) -> Config {
    let config = Config::from_url(&server.url()).unwrap();
    config.response_timeout(LONG).pool_wait(LONG)
}

/// Polls a future so many times, and drops it if it is not ready then.
async fn for_a_while<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

/// One caller of a crowd: uses the pool in ways by chance, and looks for what others left behind.
async fn one_of_the_crowd(client: Client, caller: usize, rounds: usize) {
    let mut numbers = Numbers::new(caller);
    for round in 0..rounds {
        let polls = numbers.below(6);
        match numbers.below(20) {
            0 | 1 => {
                let dedicated = client.dedicated().await.unwrap();
                clean(&dedicated).await;
                let change = words(CHANGES[numbers.below(CHANGES.len())]);
                for_a_while(1 + polls, dedicated.send(change)).await;
            }
            // Leaves the queue, or a connection on its way.
            2..8 => {
                for_a_while(polls, client.dedicated()).await;
            }
            // Leaves a reply behind.
            8 => {
                let dedicated = client.dedicated().await.unwrap();
                for_a_while(polls, dedicated.send(words("PING"))).await;
            }
            // Leaves a blocking command, which ends its connection.
            9 => {
                let key = format!("pool:pop:{caller}");
                for_a_while(polls, client.send(args(&["BLPOP", &key, "0.001"]))).await;
            }
            10 => {
                client.send(words("INCR pool:watched")).await.unwrap();
            }
            // Aborted, if somebody's `WATCH` were still there.
            11 => {
                let dedicated = client.dedicated().await.unwrap();
                let ran = dedicated.transaction([words("GET pool:database")]).await;
                assert_eq!(ran.unwrap(), ["0"]);
            }
            12 => {
                let key = format!("pool:popped:{caller}");
                let text = round.to_string();
                client.send(args(&["RPUSH", &key, &text])).await.unwrap();
                let popped = client.send(args(&["BLPOP", &key, "60"])).await.unwrap();
                assert_eq!(popped, format!("[{key}, {text}]"));
            }
            _ => clean(&client.dedicated().await.unwrap()).await,
        }
    }
}

/// Asserts that nobody has left anything on a connection, without marking it.
async fn clean(dedicated: &Dedicated) {
    assert_eq!(dedicated.send(words("PING")).await.unwrap(), "PONG");
    let database = dedicated.send(words("GET pool:database")).await;
    assert_eq!(database.unwrap(), "0");
}

/// Waits until no attempt to connect is under way that its caller has left.
async fn settled(client: &Client) {
    until("the pool is at rest", async || {
        let stats = client.pool_stats();
        (stats.connecting, stats.in_use) == (0, 0)
    })
    .await;
    add_up(client.pool_stats());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_leaves_nothing_behind_and_no_place_is_lost() {
    let server = Server::start(Variant::Redis70).unwrap();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let config = patient(&server).protocol(protocol).client_name("crowd");
        let client = Client::from_config(config.clone().pool_max(4));
        client.send(words("SET pool:database 0")).await.unwrap();
        let other = Client::from_config(config.database(1));
        other.send(words("SET pool:database 1")).await.unwrap();
        let mut crowd = JoinSet::new();
        for caller in 0..4 * CROWD {
            crowd.spawn(one_of_the_crowd(client.clone(), caller, 400));
        }
        crowd.join_all().await;
        settled(&client).await;
        let stats = client.pool_stats();
        assert!(stats.lent > 5000, "{stats:?}");
        assert!(stats.closed_dirty > 300 && stats.waited > 1000, "{stats:?}");
        assert_eq!((stats.timed_out, stats.failed), (0, 0), "{stats:?}");

        let mut all = Vec::new();
        for _ in 0..4 {
            all.push(client.dedicated().await.unwrap());
        }
        for one in &all {
            let about = one.send(words("CLIENT INFO")).await.unwrap();
            for state in [
                " db=0 ",
                " sub=0 ",
                " psub=0 ",
                " multi=-1 ",
                " name=crowd ",
            ] {
                assert!(about.contains(state), "{state} in {about}");
            }
        }
    }
}

#[tokio::test]
async fn callers_who_leave_the_line_do_not_change_its_order() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(patient(&server).pool_max(1));
    let held = client.dedicated().await.unwrap();
    let mut callers = JoinSet::new();
    let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
    for caller in 0..10 {
        let (client, served) = (client.clone(), served.clone());
        let waiting = client.clone();
        callers.spawn(async move {
            // Every third one leaves.
            if caller % 3 == 2 {
                for_a_while(3, client.dedicated()).await;
                return;
            }
            let dedicated = client.dedicated().await.unwrap();
            served.send(caller).unwrap();
            // A place that is passed on as leave to connect keeps the order as well.
            if caller % 3 == 0 {
                dedicated.send(words("SELECT 1")).await.unwrap();
            }
        });
        until("the caller waits, or has left", async || {
            waiting.pool_stats().waited == caller + 1
        })
        .await;
    }
    until("who wants to has left", async || {
        client.pool_stats().waiting == 7
    })
    .await;
    drop((held, served));
    callers.join_all().await;
    for caller in [0, 1, 3, 4, 6, 7, 9] {
        assert_eq!(order.recv().await, Some(caller));
    }
    let stats = client.pool_stats();
    add_up(stats);
    assert_eq!((stats.waited, stats.timed_out, stats.lent), (10, 0, 8));
}

#[tokio::test]
async fn an_attempt_whose_caller_has_left_serves_the_next() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(patient(&server).pool_max(1));
    assert!(for_a_while(2, client.dedicated()).await.is_none());
    assert_eq!(client.pool_stats().connecting, 1);
    let next = client.dedicated().await.unwrap();
    next.send(words("PING")).await.unwrap();
    let stats = client.pool_stats();
    assert_eq!((stats.made, stats.waited, stats.in_use), (1, 1, 1));
}
