//! Connections of one caller: what may change them, what they receive, and when they are kept.

use std::time::Duration;

use respec::{ErrorKind, Phase};
use respec_testkit::{Server, Variant};

use super::{Client, Dedicated, NAME, clients, config, next_push};
use crate::{
    pool_support::CHANGES,
    until,
    words::{args, hasty, info, words},
};

/// The next message, as text.
async fn message(dedicated: &Dedicated) -> String {
    let push = next_push(dedicated).await.unwrap();
    format!("{:?}", push.value().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn state_stays_on_the_connection_that_has_it() {
    for (client, key) in clients("state") {
        let call = |text: &str| words(&text.replace("KEY", &key));
        let dedicated = done!(client.dedicated()).unwrap();
        done!(client.send(call("SET KEY 0"))).unwrap();
        done!(dedicated.send(words("SELECT 1"))).unwrap();
        done!(dedicated.send(call("SET KEY 1"))).unwrap();
        assert_eq!(done!(dedicated.send(call("GET KEY"))).unwrap(), "1");
        assert_eq!(done!(client.send(call("GET KEY"))).unwrap(), "0");
        done!(dedicated.send(call("DEL KEY"))).unwrap();
        drop(dedicated);
        for _ in 0..5 {
            let other = done!(client.dedicated()).unwrap();
            assert_eq!(done!(other.send(call("GET KEY"))).unwrap(), "0");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_connection_is_used_again_and_a_changed_one_is_closed() {
    for (client, key) in clients("clean") {
        let call = |text: &str| words(&text.replace("KEY", &key));
        let dedicated = done!(client.dedicated()).unwrap();
        let first = done!(dedicated.send(words("CLIENT ID"))).unwrap();
        done!(dedicated.send(words("PING"))).unwrap();
        let batch = (call("SET KEY text"), call("GET KEY"));
        reply!(dedicated.pipeline(batch)).unwrap();
        reply!(dedicated.transaction([call("GET KEY")])).unwrap();
        done!(dedicated.send(call("INCR KEY"))).unwrap_err();
        drop(dedicated);

        let mut last = first;
        let mut is_first = true;
        for change in CHANGES {
            let dedicated = done!(client.dedicated()).unwrap();
            let id = done!(dedicated.send(words("CLIENT ID"))).unwrap();
            assert_eq!(id == last, is_first, "{change}");
            (last, is_first) = (id, false);
            let _ = done!(dedicated.send(words(change)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_can_be_written_by_hand() {
    for (client, key) in clients("hand") {
        let dedicated = done!(client.dedicated()).unwrap();
        done!(client.send(words(&format!("DEL {key}")))).unwrap();
        assert_eq!(done!(dedicated.send(words("MULTI"))).unwrap(), "OK");
        let queued = done!(dedicated.send(words(&format!("INCR {key}"))));
        assert_eq!(queued.unwrap(), "QUEUED");
        assert_eq!(done!(dedicated.send(words("EXEC"))).unwrap(), "[1]");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_cannot_be_switched_off() {
    for (client, _) in clients("switch") {
        let dedicated = done!(client.dedicated()).unwrap();
        for mode in ["ON", "OFF", "SKIP"] {
            let command = args(&["CLIENT", "REPLY", mode]);
            let error = done!(dedicated.send(command)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(!error.may_have_executed());
        }
        assert_eq!(done!(dedicated.send(words("PING"))).unwrap(), "PONG");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_arrive_between_replies_in_order() {
    for (client, channel) in clients("messages") {
        let other = format!("{channel}:other");
        let dedicated = done!(client.dedicated()).unwrap();
        let confirmed = done!(dedicated.send(args(&["SUBSCRIBE", &channel, &other])));
        assert_eq!(confirmed.unwrap(), format!("[subscribe, {other}, 2]"));
        for n in 0..100 {
            let publish = args(&["PUBLISH", &channel, &format!("message {n}")]);
            assert_eq!(done!(client.send(publish)).unwrap(), "1");
        }
        let pong = done!(dedicated.send(words("PING"))).unwrap();
        assert!(pong.to_ascii_uppercase().contains("PONG"), "{pong}");
        for n in 0..100 {
            let message = message(&dedicated).await;
            assert!(message.contains(&format!("message {n}")), "{message}");
        }
        for (left, rest) in [(&channel, 1), (&other, 0)] {
            let confirmed = done!(dedicated.send(args(&["UNSUBSCRIBE", left])));
            assert_eq!(confirmed.unwrap(), format!("[unsubscribe, {left}, {rest}]"));
        }
        let echo = done!(dedicated.send(args(&["ECHO", &channel])));
        assert_eq!(echo.unwrap(), channel);
        let publish = args(&["PUBLISH", &channel, "nobody"]);
        assert_eq!(done!(client.send(publish)).unwrap(), "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_inside_a_transaction_is_no_reply_of_it() {
    for variant in Variant::ALL {
        let client = Client::from_config(config(respec_testkit::shared(variant)));
        let dedicated = done!(client.dedicated()).unwrap();
        let subscribe = words(&format!("SUBSCRIBE {NAME}:inside"));
        done!(dedicated.send(subscribe)).unwrap();
        let publish = words(&format!("PUBLISH {NAME}:inside hello"));
        let batch = (publish, words("GET inside:none"));
        let (receivers, value) = reply!(dedicated.transaction(batch)).unwrap();
        assert_eq!((receivers.as_str(), value.as_str()), ("1", "nil"));
        let message = message(&dedicated).await;
        assert!(message.contains("hello"), "{message}");
        assert_eq!(done!(dedicated.send(words("ECHO x"))).unwrap(), "x");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_monitor_arrive() {
    for (client, key) in clients("monitored") {
        let dedicated = done!(client.dedicated()).unwrap();
        assert_eq!(done!(dedicated.send(words("MONITOR"))).unwrap(), "OK");
        done!(client.send(args(&["ECHO", &key]))).unwrap();
        // The server shows what other tests say as well.
        while !message(&dedicated).await.contains(&key) {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_reply_is_swallowed() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let client = Client::from_config(hasty(&server));
        let dedicated = done!(client.dedicated()).unwrap();
        done!(dedicated.send(words("PING"))).unwrap();
        server.pause().unwrap();
        let error = done!(dedicated.send(words("ECHO late"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Reply), "{error}");
        assert!(error.may_have_executed());
        server.resume().unwrap();
        assert_eq!(done!(dedicated.send(words("ECHO next"))).unwrap(), "next");
        assert_eq!(done!(dedicated.send(words("ECHO last"))).unwrap(), "last");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_stays_lost() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let client = Client::from_config(config(&server));
        let dedicated = done!(client.dedicated()).unwrap();
        done!(dedicated.send(words("SUBSCRIBE ends"))).unwrap();
        done!(client.send(words("PUBLISH ends last"))).unwrap();
        // The answer to the first may leave the server before the message; that to a second cannot.
        done!(client.send(words("PING"))).unwrap();
        server.kill().unwrap();
        let last = message(&dedicated).await;
        assert!(last.contains("last"), "{last}");
        let error = next_push(&dedicated).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        let error = done!(dedicated.send(words("PING"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(!error.may_have_executed());
        server.restart().unwrap();
        done!(dedicated.send(words("PING"))).unwrap_err();
        let found = async || done!(client.send(words("PING"))).is_ok();
        until("the server is found again", found).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocking_command_that_is_given_up_ends_its_connection() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let client = Client::from_config(config(&server));
        let hasty = Client::from_config(hasty(&server));
        let dedicated = done!(hasty.dedicated()).unwrap();
        // The patience of this one is less than the server's.
        let pop = words("BLPOP given:up 5").with_patience(Duration::ZERO);
        let error = done!(dedicated.send(pop)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Reply));
        let lost = done!(dedicated.send(words("PING"))).unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::Connection);
        assert!(!lost.may_have_executed());
        let ended = async || info(&server, "blocked_clients") == "0";
        until("nobody waits any more", ended).await;
        done!(client.send(words("RPUSH given:up v"))).unwrap();
        assert_eq!(done!(client.send(words("LLEN given:up"))).unwrap(), "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_may_change_and_block_its_own_connection() {
    for (client, key) in clients("own") {
        let dedicated = done!(client.dedicated()).unwrap();
        let batch = (
            words("SELECT 2"),
            words(&format!("RPUSH {key} v")),
            words(&format!("BLPOP {key} 1")),
        );
        let (selected, pushed, popped) = reply!(dedicated.pipeline(batch)).unwrap();
        assert_eq!((selected.as_str(), pushed.as_str()), ("OK", "1"));
        assert_eq!(popped, format!("[{key}, v]"));
    }
}
