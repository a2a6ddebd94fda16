//! Connections of one caller: what may change them, what they receive, and when they are kept.

use std::time::{Duration, Instant};

use respec::{Config, ErrorKind, Phase, Protocol, blocking::Client};

use respec_testkit::{Server, Variant};

use crate::support::{client, hasty, server, until, words};

const SOON: Duration = Duration::from_secs(5);
const BRIEF: Duration = Duration::from_millis(50);

/// The id of the connection that the pool hands out next.
fn next_id(client: &Client) -> String {
    client
        .dedicated()
        .unwrap()
        .send(words("CLIENT ID"))
        .unwrap()
}

#[test]
fn a_clean_connection_is_kept_and_a_changed_one_is_not() {
    let client = Client::from_config(hasty(server()).pool_max(1));
    let fresh = client.dedicated().unwrap();
    fresh.send(words("PING")).unwrap();
    fresh
        .pipeline([words("SET dedicated:k v"), words("GET dedicated:k")])
        .send()
        .unwrap();
    fresh
        .transaction([words("GET dedicated:k")])
        .send()
        .unwrap();
    let _ = fresh.send(words("INCR dedicated:k")).unwrap_err();
    drop(fresh);

    // Asking for the id marks the connection, so that each answer is that of another one.
    for change in [
        "SELECT 1",
        "WATCH k",
        "MULTI",
        "SUBSCRIBE c",
        "CLIENT SETNAME x",
        "CLIENT TRACKING ON",
        "FUTURE.CMD",
    ] {
        let dedicated = client.dedicated().unwrap();
        let id = dedicated.send(words("CLIENT ID")).unwrap();
        let _ = dedicated.send(words(change));
        drop(dedicated);
        assert_ne!(next_id(&client), id, "{change}");
        assert!(
            client
                .dedicated()
                .unwrap()
                .send(words("CLIENT INFO"))
                .unwrap()
                .contains(" db=0 ")
        );
    }
}

#[test]
fn a_connection_that_was_only_read_from_goes_back() {
    let client = Client::from_config(hasty(server()).pool_max(1).client_name("kept"));
    let count = || {
        let reply = server().command(&[b"CLIENT", b"LIST"]).unwrap();
        let text = String::from_utf8(reply).unwrap();
        let line = text
            .lines()
            .find(|line| line.contains(" name=kept "))
            .map(str::to_owned);
        line.and_then(|line| line.split(' ').next().map(str::to_owned))
    };
    let dedicated = client.dedicated().unwrap();
    dedicated.send(words("GET dedicated:none")).unwrap();
    let id = count().unwrap();
    drop(dedicated);
    client.send(words("PING")).unwrap();
    assert_eq!(count().as_deref(), Some(&*id));
    drop(client.dedicated().unwrap());
    client.send(words("PING")).unwrap();
    assert_eq!(count(), Some(id));
}

#[test]
fn select_lasts_as_long_as_the_connection() {
    let client = client();
    let dedicated = client.dedicated().unwrap();
    dedicated.send(words("SELECT 5")).unwrap();
    dedicated.send(words("SET dedicated:db 5")).unwrap();
    assert_eq!(dedicated.send(words("GET dedicated:db")).unwrap(), "5");
    assert_eq!(client.send(words("GET dedicated:db")).unwrap(), "nil");
    drop(dedicated);
    for _ in 0..10 {
        assert_eq!(client.send(words("GET dedicated:db")).unwrap(), "nil");
    }
}

#[test]
fn messages_arrive_between_replies_in_order() {
    for protocol in [Protocol::Resp3, Protocol::Resp2] {
        let client = Client::from_config(hasty(server()).protocol(protocol));
        let channel = format!("dedicated:{protocol:?}");
        let dedicated = client.dedicated().unwrap();
        assert_eq!(dedicated.next_push(BRIEF).unwrap().map(|_| ()), None);
        let confirmed = dedicated
            .send(words(&format!("SUBSCRIBE {channel} {channel}:2")))
            .unwrap();
        assert!(
            confirmed.starts_with(&format!("[subscribe, {channel}:2, 2")),
            "{confirmed}"
        );
        for number in 0..3 {
            let publish = format!("PUBLISH {channel} message-{number}");
            assert_eq!(client.send(words(&publish)).unwrap(), "1");
        }
        let pong = dedicated.send(words("PING")).unwrap();
        assert!(pong.to_ascii_uppercase().contains("PONG"), "{pong}");
        for number in 0..3 {
            let message = dedicated.next_push(SOON).unwrap().expect("a message");
            let text = crate::support::text(&message.value().unwrap());
            assert!(text.contains(&format!("message-{number}")), "{text}");
        }
        let start = Instant::now();
        assert!(dedicated.next_push(BRIEF).unwrap().is_none());
        assert!(start.elapsed() >= BRIEF);
        let last = dedicated.send(words("UNSUBSCRIBE")).unwrap();
        assert!(last.starts_with("[unsubscribe, "), "{last}");
    }
}

#[test]
fn monitor_streams_what_the_server_runs() {
    let client = client();
    let dedicated = client.dedicated().unwrap();
    assert_eq!(dedicated.send(words("MONITOR")).unwrap(), "OK");
    client.send(words("ECHO dedicated:monitored")).unwrap();
    let deadline = Instant::now() + SOON;
    loop {
        assert!(Instant::now() < deadline, "the command was not shown");
        let Some(line) = dedicated.next_push(SOON).unwrap() else {
            continue;
        };
        if crate::support::text(&line.value().unwrap()).contains("dedicated:monitored") {
            break;
        }
    }
}

#[test]
fn replies_cannot_be_switched_off() {
    let dedicated = client().dedicated().unwrap();
    for reply in ["OFF", "SKIP", "ON"] {
        let error = dedicated
            .send(words(&format!("CLIENT REPLY {reply}")))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
    assert_eq!(dedicated.send(words("PING")).unwrap(), "PONG");
}

#[test]
fn a_late_reply_is_swallowed() {
    let dedicated = Client::from_config(hasty(server())).dedicated().unwrap();
    let error = dedicated.send(words("DEBUG SLEEP 0.4")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Reply));
    assert!(error.may_have_executed());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(dedicated.send(words("ECHO next")).unwrap(), "next");
    assert_eq!(dedicated.send(words("ECHO after")).unwrap(), "after");
}

#[test]
fn a_blocking_command_that_is_given_up_ends_the_connection() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::connect(&server.url()).unwrap();
    // The patience of this one is a second less than the server's.
    let config = Config::from_url(&server.url()).unwrap();
    let hasty = Client::from_config(config.response_timeout(Duration::from_millis(100)));
    let dedicated = hasty.dedicated().unwrap();
    let shorter = crate::support::words("BLPOP dedicated:pop 1").with_patience(Duration::ZERO);
    let error = dedicated.send(shorter).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Reply));
    let lost = dedicated.send(words("PING")).unwrap_err();
    assert_eq!(
        (lost.kind(), lost.may_have_executed()),
        (ErrorKind::Connection, false)
    );
    drop(dedicated);
    until("nobody waits any more", || {
        crate::support::info(&server, "blocked_clients") == "0"
    });
    client.send(words("RPUSH dedicated:pop v")).unwrap();
    assert_eq!(client.send(words("LLEN dedicated:pop")).unwrap(), "1");
}

#[test]
fn a_lost_connection_stays_lost() {
    let client = client();
    let dedicated = client.dedicated().unwrap();
    let id = dedicated.send(words("CLIENT ID")).unwrap();
    client.send(words(&format!("CLIENT KILL ID {id}"))).unwrap();
    let first = dedicated.send(words("PING")).unwrap_err();
    assert_eq!(first.kind(), ErrorKind::Connection);
    let second = dedicated.send(words("PING")).unwrap_err();
    assert_eq!(
        (second.kind(), second.may_have_executed()),
        (ErrorKind::Connection, false)
    );
    assert!(dedicated.next_push(BRIEF).is_err());
    assert_eq!(client.send(words("PING")).unwrap(), "PONG");
}
