//! A connection that has too much unanswered: callers wait in front of it, in order and in time.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use respec::{Client, Config, ErrorKind, Phase, prelude::*};
use respec_testkit::{Server, Variant};

use crate::support::{until, words};

const LIMIT: usize = 64 << 10;

fn config(server: &Server, timeout: Duration) -> Config {
    Config::from_url(&server.url())
        .unwrap()
        .max_unanswered(LIMIT)
        .response_timeout(timeout)
}

fn value() -> Vec<u8> {
    vec![b'v'; LIMIT / 8]
}

#[tokio::test]
async fn callers_wait_until_there_is_room() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(config(&server, Duration::from_secs(20)));
    client.set("before", "x").await.unwrap();
    server.pause().unwrap();
    let calls: Vec<_> = (0..200)
        .map(|at| {
            let client = client.clone();
            tokio::spawn(async move {
                client.set(format!("key:{at}"), value()).await.unwrap();
                client.incr("done").await.unwrap();
            })
        })
        .collect();
    // Every task has sent or waits by now; what is sent is not more than the limit and one request.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    server.resume().unwrap();
    for call in calls {
        call.await.unwrap();
    }
    let done: Option<u32> = client.get("done").decode().await.unwrap();
    assert_eq!(done, Some(200));
}

#[tokio::test]
async fn those_in_front_run_out_of_time_and_were_not_sent() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(config(&server, Duration::from_millis(300)));
    client.set("before", "x").await.unwrap();
    server.pause().unwrap();
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.rpush("list", [value()]).await })
        })
        .collect();
    let (mut in_front, mut sent) = (0, 0);
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        match error.kind() {
            ErrorKind::Timeout(Phase::Queue) => {
                assert!(!error.may_have_executed(), "{error}");
                in_front += 1;
            }
            ErrorKind::Timeout(_) => sent += 1,
            kind => panic!("got {kind:?}"),
        }
    }
    assert!(in_front >= 25, "{in_front} waited in front");
    assert!(sent >= 8, "{sent} were sent");
    server.resume().unwrap();
    until("the server has caught up", async || {
        client.llen("list").await.is_ok()
    })
    .await;
    // Those in front are not among the elements.
    assert!(client.llen("list").await.unwrap() <= sent);
    assert_eq!(client.send(words("ECHO next")).await.unwrap(), "next");
}

#[tokio::test]
async fn one_that_leaves_makes_room_for_the_next() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(config(&server, Duration::from_secs(20)));
    client.set("before", "x").await.unwrap();
    server.pause().unwrap();
    let noop = || Context::from_waker(Waker::noop());
    let mut large = pin!(client.send(respec::cmd::set("large", vec![b'l'; 2 * LIMIT])));
    assert!(large.as_mut().poll(&mut noop()).is_pending());
    let after = client.clone();
    {
        let mut leaves = pin!(client.send(respec::cmd::incr("left")));
        assert!(leaves.as_mut().poll(&mut noop()).is_pending());
        assert_eq!(
            format!("{:?}", leaves.as_ref().get_ref()),
            "INCR (waiting for its turn)"
        );
    }
    let stays = tokio::spawn(async move { after.incr("stayed").await });
    tokio::task::yield_now().await;
    let admitted = client.clone();
    let mut unpolled = Box::pin(async move { admitted.incr("left").await });
    assert!(unpolled.as_mut().poll(&mut noop()).is_pending());
    server.resume().unwrap();
    large.await.unwrap();
    assert_eq!(stays.await.unwrap().unwrap(), 1);
    // Let in, but not polled since: whoever comes later must not wait for it.
    let next = tokio::spawn({
        let client = client.clone();
        async move { client.incr("next").await }
    });
    drop(unpolled);
    assert_eq!(next.await.unwrap().unwrap(), 1);
    assert_eq!(client.get("left").await.unwrap(), None);
}

#[tokio::test]
async fn a_request_beyond_the_limit_is_sent_alone() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(config(&server, Duration::from_secs(20)));
    for round in 0..3 {
        let large = client.set("large", vec![b'l'; 10 * LIMIT]);
        let small = client.incr("small");
        let (large, small) = tokio::join!(large.into_future(), small.into_future());
        large.unwrap();
        assert_eq!(small.unwrap(), round + 1);
    }
}

#[tokio::test]
async fn the_end_of_the_connection_reaches_those_in_front() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(config(&server, Duration::from_secs(20)));
    client.set("before", "x").await.unwrap();
    server.pause().unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.rpush("list", [value()]).await })
        })
        .collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    server.kill().unwrap();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(
            error.is_connection() || error.kind() == ErrorKind::Connect,
            "{error:?}"
        );
    }
    let mut polled = pin!(client.send(words("PING")));
    assert!(matches!(
        polled
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop())),
        Poll::Pending
    ));
}
