//! The shared client on a real server: calls, many tasks, blocking commands, what is refused.

use respec::{Client, Config, ErrorKind};
use respec_testkit::{Server, Variant};

use crate::support::{args, info, server, until, words};

async fn many_tasks(url: &str, name: &'static str) {
    let client = Client::connect(url).await.unwrap();
    let mut tasks = Vec::new();
    for task in 0..64 {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            let key = format!("{name}:{task}");
            for round in 0..200 {
                let tag = format!("{task}-{round}");
                client.send(args(&["SET", &key, &tag])).await.unwrap();
                assert_eq!(client.send(args(&["GET", &key])).await.unwrap(), tag);
                assert_eq!(client.send(args(&["ECHO", &tag])).await.unwrap(), tag);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn many_tasks_share_a_connection_on_one_thread() {
    many_tasks(&server().url(), "one").await;
}

#[tokio::test]
async fn callers_share_one_attempt_to_connect() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(Config::from_url(&server.url()).unwrap());
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            client.send(words("CLIENT ID")).await
        }));
    }
    let mut ids = Vec::new();
    for task in tasks {
        ids.push(task.await.unwrap().unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_failed_attempt_reaches_all_who_wait() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(Config::from_url(&server.url()).unwrap());
    server.kill().unwrap();
    let (one, other) = tokio::join!(client.send(words("PING")), client.send(words("PING")));
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(!error.may_have_executed());
    }
    server.restart().unwrap();
    assert_eq!(client.send(words("PING")).await.unwrap(), "PONG");
}

#[tokio::test]
async fn connections_for_blocking_commands_are_used_again() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::connect(&server.url()).await.unwrap();
    let before = info(&server, "total_connections_received");
    for _ in 0..10 {
        client.send(words("RPUSH again v")).await.unwrap();
        client.send(words("BLPOP again 0")).await.unwrap();
    }
    let after = info(&server, "total_connections_received");
    // One for the pops, one for asking.
    assert_eq!(
        after.parse::<u32>().unwrap() - before.parse::<u32>().unwrap(),
        2
    );
}

#[tokio::test]
async fn a_blocking_command_that_is_given_up_takes_nothing() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::connect(&server.url()).await.unwrap();
    for round in 0..5 {
        let popper = client.clone();
        let blpop = words(&format!("BLPOP given:up:{round} 0"));
        let pop = tokio::spawn(async move { popper.send(blpop).await });
        until("the pop blocks", async || {
            info(&server, "blocked_clients") == "1"
        })
        .await;
        pop.abort();
        assert!(pop.await.unwrap_err().is_cancelled());
        until("the pop has ended", async || {
            info(&server, "blocked_clients") == "0"
        })
        .await;
        let rpush = words(&format!("RPUSH given:up:{round} v"));
        assert_eq!(client.send(rpush).await.unwrap(), "1");
        let llen = words(&format!("LLEN given:up:{round}"));
        assert_eq!(client.send(llen).await.unwrap(), "1");
    }
}

#[tokio::test]
async fn capacity_survives_callers_who_leave_at_any_time() {
    let server = Server::start(Variant::Redis70).unwrap();
    let config = Config::from_url(&server.url()).unwrap().pool_max(2);
    let client = Client::from_config(config);
    for round in 0..200 {
        let mut calls: Vec<_> = (0..5).map(|_| Box::pin(client.dedicated())).collect();
        for poll in 0..round % 7 {
            // One that has got its connection drops it here.
            calls.retain_mut(|call| {
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                call.as_mut().poll(&mut cx).is_pending()
            });
            if poll % 2 == 0 {
                calls.pop();
            }
            tokio::task::yield_now().await;
        }
    }
    let one = client.dedicated().await.unwrap();
    let two = client.dedicated().await.unwrap();
    for dedicated in [one, two] {
        assert_eq!(dedicated.send(words("PING")).await.unwrap(), "PONG");
    }
}

#[test]
fn futures_can_be_sent_to_other_threads() {
    fn sendable<T: Send>(_: T) {}
    let client = Client::from_config(Config::tcp("127.0.0.1", 1));
    sendable(client.send(words("PING")));
    sendable(client.pipeline((words("PING"), words("PING"))));
    sendable(client.dedicated());
}

#[test]
fn without_a_runtime_there_is_an_error() {
    let client = Client::from_config(Config::tcp("127.0.0.1", 1));
    let mut call = std::pin::pin!(client.send(words("PING")));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match call.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(Err(error)) => assert_eq!(error.kind(), ErrorKind::Connect),
        other => panic!("expected an error, got {other:?}"),
    }
}
