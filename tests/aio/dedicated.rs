//! Connections of one caller's own.

use std::{
    task::{Context, Waker},
    time::Duration,
};

use respec::{Client, Config, ErrorKind, Protocol, aio::Dedicated};
use respec_testkit::{Server, Variant};

use crate::support::{args, client, hasty, info, server, until, words};

async fn id(dedicated: &Dedicated) -> String {
    dedicated.send(words("CLIENT ID")).await.unwrap()
}

#[tokio::test]
async fn state_stays_on_the_connection_that_has_it() {
    let client = client().await;
    let dedicated = client.dedicated().await.unwrap();
    client.send(words("SET dedicated:k 0")).await.unwrap();
    dedicated.send(words("SELECT 1")).await.unwrap();
    dedicated.send(words("SET dedicated:k 1")).await.unwrap();
    assert_eq!(dedicated.send(words("GET dedicated:k")).await.unwrap(), "1");
    assert_eq!(client.send(words("GET dedicated:k")).await.unwrap(), "0");
    dedicated.send(words("DEL dedicated:k")).await.unwrap();

    let other = client.dedicated().await.unwrap();
    assert_eq!(other.send(words("GET dedicated:k")).await.unwrap(), "0");
}

#[tokio::test]
async fn a_clean_connection_is_used_again_and_another_is_closed() {
    let client = client().await;
    let dedicated = client.dedicated().await.unwrap();
    let first = id(&dedicated).await;
    dedicated.send(words("GET dedicated:k")).await.unwrap();
    let batch = dedicated.transaction((words("PING"), words("GET dedicated:k")));
    batch.await.unwrap();
    drop(dedicated);

    let dedicated = client.dedicated().await.unwrap();
    assert_eq!(id(&dedicated).await, first);
    // A command that the spec does not know could do anything.
    let unknown = dedicated.send(words("FUTURE.CMD")).await.unwrap_err();
    assert_eq!(unknown.code(), Some("ERR"));
    drop(dedicated);

    let dedicated = client.dedicated().await.unwrap();
    let second = id(&dedicated).await;
    assert_ne!(second, first);
    dedicated.send(words("WATCH dedicated:k")).await.unwrap();
    drop(dedicated);

    let dedicated = client.dedicated().await.unwrap();
    let third = id(&dedicated).await;
    assert_ne!(third, second);
    // A reply is owed when it is dropped.
    let mut call = Box::pin(dedicated.send(words("GET dedicated:k")));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(&mut cx).is_pending());
    tokio::task::yield_now().await;
    drop(call);
    drop(dedicated);
    let dedicated = client.dedicated().await.unwrap();
    assert_ne!(id(&dedicated).await, third);
}

#[tokio::test]
async fn a_connection_shows_whom_it_talks_to() {
    let dedicated = client().await.dedicated().await.unwrap();
    let shown = format!("{dedicated:?}");
    let id = format!("id: Some({})", id(&dedicated).await);
    assert!(shown.contains(&id), "{shown}");
    assert!(shown.contains("redis") && shown.contains(server().version()));
}

#[tokio::test]
async fn transactions_can_be_written_by_hand() {
    let dedicated = client().await.dedicated().await.unwrap();
    assert_eq!(dedicated.send(words("MULTI")).await.unwrap(), "OK");
    let queued = dedicated.send(words("INCR dedicated:hand")).await.unwrap();
    assert_eq!(queued, "QUEUED");
    assert_eq!(dedicated.send(words("EXEC")).await.unwrap(), "[1]");
}

#[tokio::test]
async fn replies_cannot_be_switched_off() {
    let dedicated = client().await.dedicated().await.unwrap();
    for mode in ["ON", "OFF", "SKIP"] {
        let command = args(&["CLIENT", "REPLY", mode]);
        let error = dedicated.send(command).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(!error.may_have_executed());
    }
    assert_eq!(dedicated.send(words("PING")).await.unwrap(), "PONG");
}

#[tokio::test]
async fn a_failing_authentication_shifts_nobodys_reply() {
    for variant in [Variant::Redis70, Variant::Redis82, Variant::Valkey91] {
        let client = Client::connect(&respec_testkit::shared(variant).url()).await;
        let dedicated = client.unwrap().dedicated().await.unwrap();
        let auth = || words("AUTH nobody wrong");

        let batch = dedicated.pipeline((words("PING"), auth(), words("PING")));
        assert_eq!(batch.await.unwrap_err().kind(), ErrorKind::Refused);
        let (ping, refused) =
            tokio::join!(dedicated.send(words("ECHO before")), dedicated.send(auth()));
        assert_eq!(ping.unwrap(), "before");
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
        let (error, ping) =
            tokio::join!(dedicated.send(auth()), dedicated.send(words("ECHO behind")));
        assert_eq!(error.unwrap_err().code(), Some("WRONGPASS"));
        assert_eq!(ping.unwrap(), "behind");
        assert_eq!(dedicated.send(words("ECHO last")).await.unwrap(), "last");
    }
}

async fn subscribe(config: Config, channel: &str) {
    let client = Client::from_config(config);
    let dedicated = client.dedicated().await.unwrap();
    let other = format!("{channel}:other");
    let confirmed = dedicated.send(args(&["SUBSCRIBE", channel, &other])).await;
    assert_eq!(confirmed.unwrap(), format!("[subscribe, {other}, 2]"));

    for n in 0..100 {
        let message = format!("message {n}");
        let publish = args(&["PUBLISH", channel, &message]);
        assert_eq!(client.send(publish).await.unwrap(), "1");
    }
    for n in 0..100 {
        let push = format!(
            "{:?}",
            dedicated.next_push().await.unwrap().value().unwrap()
        );
        assert!(push.contains(&format!("message {n}")), "{push}");
    }

    let confirmed = dedicated.send(args(&["UNSUBSCRIBE", channel])).await;
    assert_eq!(confirmed.unwrap(), format!("[unsubscribe, {channel}, 1]"));
    let confirmed = dedicated.send(args(&["UNSUBSCRIBE", &other])).await;
    assert_eq!(confirmed.unwrap(), format!("[unsubscribe, {other}, 0]"));
    let echo = args(&["ECHO", channel]);
    assert_eq!(dedicated.send(echo).await.unwrap(), channel);
    let publish = args(&["PUBLISH", channel, "nobody"]);
    assert_eq!(client.send(publish).await.unwrap(), "0");
}

#[tokio::test]
async fn messages_of_channels_arrive_under_resp3() {
    let config = Config::from_url(&server().url()).unwrap();
    subscribe(config, "dedicated:resp3").await;
}

#[tokio::test]
async fn messages_of_channels_arrive_under_resp2() {
    let config = Config::from_url(&server().url()).unwrap();
    subscribe(config.protocol(Protocol::Resp2), "dedicated:resp2").await;
}

#[tokio::test]
async fn a_message_inside_a_transaction_is_no_reply_of_it() {
    for variant in [Variant::Redis70, Variant::Redis82, Variant::Valkey91] {
        let server = respec_testkit::shared(variant);
        let client = Client::connect(&server.url()).await.unwrap();
        let dedicated = client.dedicated().await.unwrap();
        dedicated.send(words("SUBSCRIBE inside")).await.unwrap();
        let (receivers, value) = dedicated
            .transaction((words("PUBLISH inside hello"), words("GET inside:none")))
            .await
            .unwrap();
        assert_eq!((receivers.as_str(), value.as_str()), ("1", "nil"));
        let push = format!(
            "{:?}",
            dedicated.next_push().await.unwrap().value().unwrap()
        );
        assert!(push.contains("hello"), "{push}");
        assert_eq!(dedicated.send(words("ECHO after")).await.unwrap(), "after");
    }
}

#[tokio::test]
async fn lines_of_monitor_arrive() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::connect(&server.url()).await.unwrap();
    let dedicated = client.dedicated().await.unwrap();
    assert_eq!(dedicated.send(words("MONITOR")).await.unwrap(), "OK");
    client.send(words("SET monitored 1")).await.unwrap();
    loop {
        let line = format!(
            "{:?}",
            dedicated.next_push().await.unwrap().value().unwrap()
        );
        if line.contains("monitored") {
            break;
        }
    }
}

#[tokio::test]
async fn waiting_for_a_push_ends_with_the_connection() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::connect(&server.url()).await.unwrap();
    let dedicated = client.dedicated().await.unwrap();
    dedicated.send(words("SUBSCRIBE ends")).await.unwrap();
    client.send(words("PUBLISH ends last")).await.unwrap();
    // The answer to the first may leave the server before the message; that to a second cannot.
    client.send(words("PING")).await.unwrap();
    server.kill().unwrap();
    let last = format!(
        "{:?}",
        dedicated.next_push().await.unwrap().value().unwrap()
    );
    assert!(last.contains("last"), "{last}");
    let error = dedicated.next_push().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    let error = dedicated.send(words("PING")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(!error.may_have_executed());
}

#[tokio::test]
async fn a_blocking_command_ends_a_dedicated_connection_when_it_is_given_up() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(hasty(&server));
    let dedicated = client.dedicated().await.unwrap();
    let pop = dedicated.send(words("BLPOP nothing 0"));
    let given_up = tokio::time::timeout(Duration::from_millis(50), pop).await;
    assert!(given_up.is_err());
    until("the pop has ended", async || {
        info(&server, "blocked_clients") == "0"
    })
    .await;
    let error = dedicated.send(words("PING")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
}

#[tokio::test]
async fn a_pipeline_may_change_and_block_its_own_connection() {
    let dedicated = client().await.dedicated().await.unwrap();
    let (selected, pushed, popped) = dedicated
        .pipeline((
            words("SELECT 2"),
            words("RPUSH dedicated:list v"),
            words("BLPOP dedicated:list 1"),
        ))
        .await
        .unwrap();
    assert_eq!(
        (selected.as_str(), pushed.as_str(), popped.as_str()),
        ("OK", "1", "[dedicated:list, v]")
    );
}
