//! A client of one server: calls, many callers, blocking commands, what is refused.

use std::time::{Duration, Instant};

use respec::{Config, ErrorKind, Phase, Protocol, command::Command};
use respec_testkit::{
    Server, Variant,
    canary::{assert_absent, secret},
};

use super::{Client, PROTOCOLS, clients, config, spawn};
use crate::{
    until,
    words::{args, hasty, info, words},
};

#[tokio::test(flavor = "multi_thread")]
async fn replies_come_back_in_every_type() {
    for (client, prefix) in clients("types") {
        let call = |text: &str| words(&text.replace("KEY", &prefix));
        done!(client.send(call("DEL KEY KEY:l KEY:h"))).unwrap();
        for (command, reply) in [
            ("SET KEY v", "OK"),
            ("GET KEY", "v"),
            ("GET KEY:none", "nil"),
            ("RPUSH KEY:l a b", "2"),
            ("LRANGE KEY:l 0 -1", "[a, b]"),
            ("HSET KEY:h f v", "1"),
            ("HGET KEY:h f", "v"),
            ("HGET KEY:h g", "nil"),
        ] {
            assert_eq!(done!(client.send(call(command))).unwrap(), reply);
        }
        let error = done!(client.send(call("INCR KEY"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!((error.code(), error.command()), (Some("ERR"), Some("INCR")));
        assert!(error.may_have_executed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_commands_and_commands_by_reference() {
    for (client, prefix) in clients("raw") {
        let raw = respec::command::raw("SET").key(&prefix).arg(7);
        done!(client.send(raw)).unwrap();
        let get = words(&format!("GET {prefix}"));
        assert_eq!(done!(client.send(&get)).unwrap(), "7");
        assert_eq!(done!(client.send(&get)).unwrap(), "7");
        assert_eq!(get.info().name, "GET");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_of_a_connection_are_kept() {
    for variant in Variant::ALL {
        let server = respec_testkit::shared(variant);
        for protocol in PROTOCOLS {
            for url in [server.url(), server.unix_url()] {
                let config = Config::from_url(&url).unwrap().protocol(protocol);
                let client = Client::from_config(config.database(3).client_name("kept"));
                done!(client.send(words("SET where here"))).unwrap();
                assert_eq!(done!(client.send(words("GET where"))).unwrap(), "here");
                let dedicated = done!(client.dedicated()).unwrap();
                let about = done!(dedicated.send(words("CLIENT INFO"))).unwrap();
                let version = match protocol {
                    Protocol::Resp2 => " resp=2",
                    Protocol::Resp3 => " resp=3",
                };
                for setting in [" db=3 ", " name=kept ", version] {
                    // Redis 7.0 does not tell the protocol.
                    let told = variant != Variant::Redis70 || setting != version;
                    assert!(!told || about.contains(setting), "{setting} in {about}");
                }
            }
        }
        assert_eq!(server.command(&[b"GET", b"where"]).unwrap(), b"$-1\r\n");
        let none = Client::from_config(config(server).database(99));
        let error = done!(none.send(words("PING"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_without_the_password() {
    for variant in Variant::ALL {
        let server = Server::builder(variant).config("requirepass", secret("right"));
        let server = server.start().unwrap();
        for protocol in PROTOCOLS {
            let base = || config(&server).protocol(protocol);
            let right = Client::from_config(base().password(secret("right")));
            assert_eq!(done!(right.send(words("PING"))).unwrap(), "PONG");

            let wrong = Client::from_config(base().password(secret("wrong")));
            let error = done!(wrong.send(words("PING"))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect);
            assert!(error.to_string().contains("WRONGPASS"), "{error}");
            assert_absent("the error", &format!("{error} {error:?} {wrong:?}"));

            let none = Client::from_config(base());
            let error = done!(none.send(words("PING"))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect);
            assert!(error.to_string().contains("NOAUTH"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_says_so() {
    for variant in Variant::ALL {
        let server = Server::builder(variant).config("maxclients", "1");
        let server = server.start().unwrap();
        let first = Client::from_config(hasty(&server));
        done!(first.send(words("PING"))).unwrap();
        let error = done!(Client::connect(&server.url())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.to_string().contains("full"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_get_their_own_replies() {
    for (client, prefix) in clients("many") {
        let tasks: Vec<_> = (0..32)
            .map(|task| {
                let (client, key) = (client.clone(), format!("{prefix}:{task}"));
                spawn(async move {
                    for round in 0..100 {
                        let value = format!("{key}:{round}:{}", "x".repeat(round % 50));
                        done!(client.send(args(&["SET", &key, &value]))).unwrap();
                        let got = done!(client.send(args(&["GET", &key])));
                        assert_eq!(got.unwrap(), value);
                        let echo = done!(client.send(args(&["ECHO", &value])));
                        assert_eq!(echo.unwrap(), value);
                        let length = done!(client.send(args(&["STRLEN", &key])));
                        assert_eq!(length.unwrap(), value.len().to_string());
                        let wrong = done!(client.send(args(&["LLEN", &key]))).unwrap_err();
                        assert_eq!(wrong.code(), Some("WRONGTYPE"));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_as_large_as_they_like_both_ways() {
    for (client, prefix) in clients("large") {
        let value = "0123456789abcdef".repeat(1 << 20);
        let get = words(&format!("GET {prefix}"));
        for _ in 0..2 {
            done!(client.send(args(&["SET", &prefix, &value]))).unwrap();
            assert!(done!(client.send(&get)).unwrap() == value);
        }
        done!(client.send(words(&format!("DEL {prefix}")))).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocking_command_delays_nobody() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        // It may take longer than a response may.
        let client = Client::from_config(hasty(&server).pool_max(2));
        let popping = spawn({
            let client = client.clone();
            async move { done!(client.send(words("BLPOP delays 5"))) }
        });
        let blocks = async || info(&server, "blocked_clients") == "1";
        until("the pop blocks", blocks).await;
        for _ in 0..100 {
            done!(client.send(words("PING"))).unwrap();
        }
        assert!(!popping.is_finished());
        done!(client.send(words("RPUSH delays v"))).unwrap();
        assert_eq!(popping.join().await.unwrap(), "[delays, v]");

        let start = Instant::now();
        let none = done!(client.send(words("BLPOP delays 0.5")));
        assert_eq!(none.unwrap(), "nil");
        assert!(start.elapsed() >= Duration::from_millis(450));
        assert_eq!(done!(client.send(words("PING"))).unwrap(), "PONG");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_for_blocking_commands_are_limited() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let config = config(&server).pool_max(1);
        let client = Client::from_config(config.pool_wait(Duration::from_millis(50)));
        let popping = spawn({
            let client = client.clone();
            async move { done!(client.send(words("BLPOP limited 0"))) }
        });
        let blocks = async || info(&server, "blocked_clients") == "1";
        until("the pop blocks", blocks).await;
        let error = done!(client.send(words("BLPOP limited 0"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Queue));
        assert!(!error.may_have_executed());
        assert_eq!(error.command(), Some("BLPOP"));
        let error = done!(client.dedicated()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Queue));
        server.command(&[b"RPUSH", b"limited", b"v"]).unwrap();
        assert_eq!(popping.join().await.unwrap(), "[limited, v]");

        let dedicated = done!(client.dedicated()).unwrap();
        assert_eq!(done!(dedicated.send(words("PING"))).unwrap(), "PONG");
        done!(dedicated.send(words("SELECT 1"))).unwrap();
        drop(dedicated);
        done!(client.dedicated()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_change_the_connection_of_others_is_refused() {
    for (client, _) in clients("refused") {
        for command in ["WATCH k", "SELECT 1", "SUBSCRIBE c", "MONITOR", "MULTI"] {
            let error = done!(client.send(words(command))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{command}");
            assert!(!error.may_have_executed());
            let text = error.to_string();
            assert!(text.contains("dedicated()"), "{text}");
            assert!(text.starts_with(command.split(' ').next().unwrap()));
        }
        let error = done!(client.send(words("CLIENT REPLY OFF"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(done!(client.send(words("PING"))).unwrap(), "PONG");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_argument_that_cannot_be_sent_is_an_error_and_costs_no_connection() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let client = Client::from_config(config(&server));
        done!(client.send(words("PING"))).unwrap();
        let received = || -> u64 { info(&server, "total_connections_received").parse().unwrap() };
        let before = received();
        let invalid = respec::command::Arg::invalid("expected something else");
        let bad = respec::command::raw("SET").key("k").arg(invalid);
        let error = done!(client.send(bad)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(!error.may_have_executed());
        done!(client.send(words("PING"))).unwrap();
        assert_eq!(received(), before + 1, "who asks is the only new one");
    }
}
