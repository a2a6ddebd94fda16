//! The shared client on a real server: calls, many tasks, blocking commands, what is refused.

use std::time::{Duration, Instant};

use respec::{Client, Config, ErrorKind, Phase, Protocol};
use respec_testkit::{Server, Variant};

use crate::support::{args, client, hasty, info, server, until, words};

#[tokio::test]
async fn replies_come_back_in_every_type() {
    let client = client().await;
    assert_eq!(client.send(words("SET types v")).await.unwrap(), "OK");
    assert_eq!(client.send(words("GET types")).await.unwrap(), "v");
    assert_eq!(client.send(words("GET types:none")).await.unwrap(), "nil");
    assert_eq!(client.send(words("RPUSH types:l a b")).await.unwrap(), "2");
    assert_eq!(
        client.send(words("LRANGE types:l 0 -1")).await.unwrap(),
        "[a, b]"
    );
    let error = client.send(words("INCR types")).await.unwrap_err();
    assert_eq!(error.code(), Some("ERR"));
    assert!(error.may_have_executed());
}

#[tokio::test]
async fn large_values_go_both_ways() {
    let client = client().await;
    let value = "0123456789abcdef".repeat(1 << 16);
    client.send(args(&["SET", "large", &value])).await.unwrap();
    for _ in 0..3 {
        assert!(client.send(words("GET large")).await.unwrap() == value);
        assert_eq!(client.send(words("STRLEN large")).await.unwrap(), "1048576");
    }
    client.send(words("DEL large")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_read_from_does_not_block_writing() {
    let client = client().await;
    let value = "x".repeat(4 << 20);
    let echo = args(&["ECHO", &value]);
    let many = (0..16).map(|_| &echo);
    let replies = client.pipeline(many).await.unwrap();
    assert_eq!(replies.len(), 16);
    assert!(replies.iter().all(|reply| *reply == value));
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_a_connection_on_two_threads() {
    many_tasks(&server().url(), "two").await;
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
async fn a_unix_socket_works_as_well() {
    let server = Server::builder(Variant::Redis70)
        .unix_socket(true)
        .start()
        .unwrap();
    let client = Client::from_config(Config::unix(server.socket_path()));
    assert_eq!(client.send(words("ECHO unix")).await.unwrap(), "unix");
}

#[tokio::test]
async fn resp2_answers_the_same() {
    let config = Config::from_url(&server().url()).unwrap();
    let client = Client::from_config(config.protocol(Protocol::Resp2));
    client.send(words("HSET resp2 f v")).await.unwrap();
    assert_eq!(client.send(words("HGET resp2 f")).await.unwrap(), "v");
    assert_eq!(client.send(words("HGET resp2 g")).await.unwrap(), "nil");
    let (one, none) = client
        .transaction((words("HGET resp2 f"), words("GET resp2:none")))
        .await
        .unwrap();
    assert_eq!((one.as_str(), none.as_str()), ("v", "nil"));
}

#[tokio::test]
async fn the_settings_of_a_connection_are_kept() {
    let server = Server::start(Variant::Redis70).unwrap();
    let config = Config::from_url(&server.url()).unwrap();
    let client = Client::from_config(config.database(3).client_name("tester"));
    client.send(words("SET here 1")).await.unwrap();
    assert_eq!(
        client.send(words("CLIENT GETNAME")).await.unwrap(),
        "tester"
    );
    let listed = client.send(words("CLIENT LIST")).await.unwrap();
    assert!(listed.contains("db=3"), "{listed}");
    let out_of_range = Client::from_config(Config::from_url(&server.url()).unwrap().database(99));
    let error = out_of_range.send(words("PING")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
}

#[tokio::test]
async fn a_wrong_password_is_told_without_the_password() {
    let server = Server::builder(Variant::Redis70)
        .config("requirepass", "right")
        .start()
        .unwrap();
    let base = || Config::from_url(&server.url()).unwrap();
    for protocol in [Protocol::Resp3, Protocol::Resp2] {
        let right = Client::from_config(base().protocol(protocol).password("right"));
        assert_eq!(right.send(words("PING")).await.unwrap(), "PONG");

        let wrong = Client::from_config(base().protocol(protocol).password("hunter2"));
        let error = wrong.send(words("PING")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.to_string().contains("WRONGPASS"), "{error}");
        assert!(!format!("{error} {error:?} {wrong:?}").contains("hunter2"));

        let none = Client::from_config(base().protocol(protocol));
        let error = none.send(words("PING")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.to_string().contains("NOAUTH"), "{error}");
    }
}

#[tokio::test]
async fn a_full_server_says_so() {
    let server = Server::builder(Variant::Redis70)
        .config("maxclients", "1")
        .start()
        .unwrap();
    let first = Client::from_config(hasty(&server));
    first.send(words("PING")).await.unwrap();
    let error = Client::connect(&server.url()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("full"), "{error}");
}

#[tokio::test]
async fn a_blocking_command_delays_nobody() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::connect(&server.url()).await.unwrap();
    let popper = client.clone();
    let pop = tokio::spawn(async move { popper.send(words("BLPOP delays:nobody 0")).await });
    until("the pop blocks", async || {
        info(&server, "blocked_clients") == "1"
    })
    .await;
    for _ in 0..100 {
        client.send(words("PING")).await.unwrap();
    }
    assert!(!pop.is_finished());
    client.send(words("RPUSH delays:nobody v")).await.unwrap();
    assert_eq!(pop.await.unwrap().unwrap(), "[delays:nobody, v]");
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
async fn connections_for_blocking_commands_are_limited() {
    let server = Server::start(Variant::Redis70).unwrap();
    let config = Config::from_url(&server.url()).unwrap();
    let config = config.pool_max(1).pool_wait(Duration::from_millis(50));
    let client = Client::from_config(config);
    let popper = client.clone();
    let pop = tokio::spawn(async move { popper.send(words("BLPOP limited 0")).await });
    until("the pop blocks", async || {
        info(&server, "blocked_clients") == "1"
    })
    .await;

    let error = client.send(words("BLPOP limited 0")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Queue));
    assert!(!error.may_have_executed());
    let error = client.dedicated().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Queue));

    // One who waits and leaves takes nothing along.
    let mut waiting = std::pin::pin!(client.dedicated());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    client.send(words("RPUSH limited v")).await.unwrap();
    assert_eq!(pop.await.unwrap().unwrap(), "[limited, v]");
    waiting.set(client.dedicated());

    let dedicated = client.dedicated().await.unwrap();
    assert_eq!(dedicated.send(words("PING")).await.unwrap(), "PONG");
    dedicated.send(words("SELECT 1")).await.unwrap();
    drop(dedicated);
    client.dedicated().await.unwrap();
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

#[tokio::test]
async fn the_patience_of_a_blocking_command_comes_on_top() {
    let client = Client::from_config(hasty(server()));
    let start = Instant::now();
    let none = client.send(words("BLPOP patience:none 0.5")).await.unwrap();
    assert_eq!(none, "nil");
    assert!(start.elapsed() >= Duration::from_millis(450));
}

#[tokio::test]
async fn what_changes_a_connection_is_refused() {
    let client = client().await;
    for command in ["WATCH k", "SELECT 1", "SUBSCRIBE c", "MONITOR", "MULTI"] {
        let error = client.send(words(command)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{command}");
        assert!(!error.may_have_executed());
        assert!(error.to_string().contains("dedicated()"), "{error}");
        assert!(
            error
                .to_string()
                .starts_with(command.split(' ').next().unwrap())
        );
    }
    let error = client.send(words("CLIENT REPLY OFF")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(client.send(words("PING")).await.unwrap(), "PONG");
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
