//! The link to a server: when it is dialled, left and looked at, as whom, and on what runtime.

use std::{
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use respec::{Client, Config, ErrorKind, Protocol, cluster::NodeAddress, cmd, prelude::*};
use respec_testkit::{Cluster, Server, Variant};
use tokio::{runtime, task::JoinSet};

use crate::{
    pool_support::kill_all,
    support::{args, until, words},
};

fn tcp(server: &Server) -> Config {
    Config::tcp("127.0.0.1", server.port())
}

#[tokio::test]
async fn c03_a_user_without_a_password_has_its_own_rights() {
    let server = Server::start(Variant::Redis82).unwrap();
    let add: [&[u8]; 7] = [
        b"ACL",
        b"SETUSER",
        b"alice",
        b"on",
        b"nopass",
        b"+@connection",
        b"+get",
    ];
    server.command(&add).unwrap();
    let url = format!("redis://alice@127.0.0.1:{}", server.port());
    let client = Client::connect(&url).await.unwrap();
    let who = client.send(words("SET k v")).await.unwrap_err();
    assert_eq!(who.code(), Some("NOPERM"), "it is alice and not default");
    let wrong: [&[u8]; 4] = [b"ACL", b"SETUSER", b"alice", b">secret"];
    server.command(&wrong).unwrap();
    let reset: [&[u8]; 5] = [b"ACL", b"SETUSER", b"alice", b"resetpass", b">secret"];
    server.command(&reset).unwrap();
    let refused = Client::connect(&url).await.unwrap_err();
    assert!(refused.to_string().contains("WRONGPASS"), "{refused}");
}

/// A script runs on every connection that there is, and a database would have to be chosen.
#[tokio::test]
async fn c07_c08_a_script_is_killed_while_it_runs() {
    for variant in Variant::ALL {
        let server = Server::builder(variant)
            .config("busy-reply-threshold", "20")
            .start()
            .unwrap();
        let client = Client::from_config(tcp(&server).database(3));
        client.send(words("PING")).await.unwrap();
        let running = client.clone();
        let script = args(&["EVAL", "while true do end", "0"]);
        let running = tokio::spawn(async move { running.send(script).await });
        until("the script is killed", async || {
            client.send(cmd::raw("SCRIPT").arg("KILL")).await.is_ok()
        })
        .await;
        let error = running.await.unwrap().unwrap_err();
        assert!(error.to_string().contains("killed"), "{error}");
        client.send(words("PING")).await.unwrap();
    }
}

#[tokio::test]
async fn c07_a_script_is_killed_while_it_runs_on_a_node_of_a_cluster() {
    for variant in Variant::ALL {
        let cluster = Cluster::builder(variant)
            .config("busy-reply-threshold", "20")
            .start()
            .unwrap();
        for protocol in ["resp2", "resp3"] {
            let url = format!("{}?protocol={protocol}", cluster.url());
            let client = Client::connect(&url).await.unwrap();
            let running = client.clone();
            let script = cmd::raw("EVAL").arg("while true do end").arg(1).arg("k");
            let running = tokio::spawn(async move { running.send(script).await });
            until("the script is killed", async || {
                client.script_kill().await.is_ok()
            })
            .await;
            let error = running.await.unwrap().unwrap_err();
            assert!(error.to_string().contains("killed"), "{error}");
            client.get("k").await.unwrap();
            // A pipeline overtakes where all of it must; nothing runs any more.
            let kills = client.pipeline([cmd::script_kill(), cmd::script_kill()]);
            let error = kills.await.unwrap_err();
            assert_eq!(error.code(), Some("NOTBUSY"), "{error}");
        }
    }
}

/// The server ends, and is asked in each of the ways that there are.
#[tokio::test]
async fn c13_the_end_of_the_connection_is_the_success_of_shutdown() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        for protocol in ["resp2", "resp3"] {
            let url = format!("{}?protocol={protocol}", server.url());
            let client = Client::connect(&url).await.unwrap();
            for way in 0..4 {
                let own = client.dedicated().await.unwrap();
                let raw = cmd::raw("SHUTDOWN").arg("NOSAVE");
                let ended = match way {
                    0 => client.shutdown().nosave().await,
                    1 => own.shutdown().nosave().await,
                    2 => client.send(raw).await.map(drop),
                    _ => own.send(raw).await.map(drop),
                };
                ended.unwrap_or_else(|error| panic!("{variant} {protocol} {way}: {error}"));
                until("it has ended", async || !server.is_running()).await;
                let error = client.get("k").await.unwrap_err();
                assert!(error.is_connection(), "{error}");
                server.restart().unwrap();
                // What was asked for is no failure that others would have to wait for.
                until("it is back", async || client.get("k").await.is_ok()).await;
            }
        }
    }
}

#[tokio::test]
async fn c13_an_error_is_the_answer_of_a_shutdown_that_is_refused() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let user: [&[u8]; 7] = [b"ACL", b"SETUSER", b"eve", b"on", b"nopass", b"~*", b"+get"];
        server.command(&user).unwrap();
        for protocol in ["resp2", "resp3"] {
            let url = format!("{}?protocol={protocol}", server.url());
            let client = Client::connect(&url).await.unwrap();
            let own = client.dedicated().await.unwrap();
            for abort in [
                client.shutdown().abort().await,
                own.shutdown().abort().await,
                client
                    .send(cmd::raw("SHUTDOWN").arg("ABORT"))
                    .await
                    .map(drop),
            ] {
                let error = abort.unwrap_err();
                assert_eq!(
                    (error.kind(), error.command()),
                    (ErrorKind::Server, Some("SHUTDOWN")),
                    "{error}"
                );
            }
            own.get("k").await.unwrap();
            let url = url.replace("redis://", "redis://eve@");
            let eve = Client::connect(&url).await.unwrap();
            let error = eve.shutdown().nosave().await.unwrap_err();
            assert_eq!(error.code(), Some("NOPERM"), "{error}");
            assert!(!error.may_have_executed());
        }
        assert!(server.is_running());
    }
}

#[tokio::test]
async fn c13_a_node_of_a_cluster_is_shut_down_and_no_other() {
    for variant in Variant::ALL {
        let cluster = Cluster::builder(variant)
            .require_full_coverage(false)
            .start()
            .unwrap();
        for (protocol, victim) in ["resp2", "resp3"]
            .into_iter()
            .zip(cluster.primaries().unwrap())
        {
            let url = format!("{}?protocol={protocol}", cluster.url());
            let client = Client::connect(&url).await.unwrap();
            let error = client.shutdown().nosave().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(error.to_string().contains("node"), "{error}");
            let address = NodeAddress::new("127.0.0.1", victim.addr().port());
            let node = client.node(&address).await.unwrap();
            node.shutdown().nosave().await.unwrap();
            until("it has ended", async || !victim.is_up()).await;
            let up = cluster.nodes().iter().filter(|node| node.is_up()).count();
            assert_eq!(up, cluster.nodes().len() - 1);
            cluster.restart(&victim).unwrap();
        }
    }
}

/// A database would have to be chosen, which a server does not do while a script runs.
#[tokio::test]
async fn c09_a_server_that_is_busy_is_waited_for_by_who_needs_a_connection() {
    for variant in Variant::ALL {
        let server = Server::builder(variant)
            .config("busy-reply-threshold", "20")
            .start()
            .unwrap();
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let script = Client::from_config(tcp(&server));
            let running = tokio::spawn(async move {
                let endless = args(&["EVAL", "while true do end", "0"]);
                script.send(endless).await
            });
            until("the script runs", async || {
                server.command(&[b"PING"]).unwrap().starts_with(b"-BUSY")
            })
            .await;
            let client = Client::from_config(tcp(&server).protocol(protocol).database(3));
            let refused = Client::from_config(
                tcp(&server)
                    .protocol(protocol)
                    .database(3)
                    .response_timeout(Duration::from_millis(100)),
            );
            let error = refused.get("k").await.unwrap_err();
            assert!(error.to_string().contains("BUSY"), "{error}");
            let waiting = tokio::spawn(async move { client.get("k").await });
            let admin = Client::from_config(tcp(&server));
            until("the script is killed", async || {
                admin.script_kill().await.is_ok()
            })
            .await;
            running.await.unwrap().unwrap_err();
            assert_eq!(waiting.await.unwrap().unwrap(), None);
        }
    }
}

#[tokio::test]
async fn c09_a_server_that_became_a_replica_is_left() {
    let server = Server::start(Variant::Redis82).unwrap();
    // A call is tried again within its time, which here is short.
    let config = tcp(&server).response_timeout(Duration::from_secs(1));
    let client = Client::from_config(config);
    let id = async || format!("{:?}", client.send(words("CLIENT ID")).await.unwrap());
    let before = id().await;
    assert_eq!(id().await, before, "one connection for all");
    let demote: [&[u8]; 3] = [b"REPLICAOF", b"127.0.0.1", b"1"];
    server.command(&demote).unwrap();
    let error = client.send(words("SET k v")).await.unwrap_err();
    assert_eq!(error.code(), Some("READONLY"));
    until("there is another connection", async || id().await != before).await;
    // One that is told so again and again dials with pauses, and is never without a connection.
    let dialled = || -> usize {
        let info = server.command(&[b"INFO", b"stats"]).unwrap();
        let info = String::from_utf8_lossy(&info).into_owned();
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("total_connections_received:"));
        line.unwrap().trim().parse().unwrap()
    };
    let first = dialled();
    let mut writers = JoinSet::new();
    for _ in 0..100 {
        let client = client.clone();
        writers.spawn(async move {
            for _ in 0..3 {
                let error = client.send(words("SET k v")).await.unwrap_err();
                assert!(
                    error.code() == Some("READONLY") || error.is_timeout(),
                    "{error}"
                );
            }
        });
    }
    writers.join_all().await;
    assert!(dialled() - first < 20, "{}", dialled() - first);
}

/// The driver of the connection has no turn between the end and the call.
#[test]
fn c10_the_first_call_after_the_server_has_closed_an_idle_connection_succeeds() {
    let server = Server::start(Variant::Redis82).unwrap();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = runtime.block_on(async {
        let client = Client::from_config(tcp(&server));
        client.send(words("PING")).await.unwrap();
        client
    });
    for _ in 0..3 {
        kill_all(&server);
        // It is idle for longer than a connection that is not looked at.
        thread::sleep(Duration::from_millis(510));
        runtime.block_on(async { client.send(words("INCR k")).await.unwrap() });
    }
}

/// Messages that have come to an idle connection are not taken for its end.
#[test]
fn c10_a_connection_with_messages_is_kept() {
    let server = Server::start(Variant::Redis82).unwrap();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = Client::from_config(tcp(&server));
    let id = async || format!("{:?}", client.send(words("CLIENT ID")).await.unwrap());
    let before = runtime.block_on(async {
        let before = id().await;
        // Invalidations of a dedicated connection go to the shared one.
        let number: String = before.chars().filter(char::is_ascii_digit).collect();
        let dedicated = client.dedicated().await.unwrap();
        let track = format!("CLIENT TRACKING ON BCAST REDIRECT {number}");
        dedicated.send(words(&track)).await.unwrap();
        (before, dedicated)
    });
    let (before, _dedicated) = before;
    server.command(&[b"SET", b"k", b"v"]).unwrap();
    thread::sleep(Duration::from_millis(510));
    assert_eq!(runtime.block_on(id()), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c11_a_server_that_rejects_the_password_is_dialled_once_a_second() {
    let server = Server::start(Variant::Redis82).unwrap();
    let rejected = || {
        let info = server.command(&[b"INFO", b"stats"]).unwrap();
        let info = String::from_utf8_lossy(&info).into_owned();
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("acl_access_denied_auth:"));
        line.unwrap().trim().parse::<usize>().unwrap()
    };
    let client = Client::from_config(tcp(&server).username("nobody").password("wrong"));
    let end = Instant::now() + Duration::from_secs(2);
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let client = client.clone();
        callers.spawn(async move {
            while Instant::now() < end {
                let error = client.send(words("PING")).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Connect);
            }
        });
    }
    callers.join_all().await;
    let elapsed = end.elapsed() + Duration::from_secs(2);
    let most = 1 + usize::try_from(elapsed.as_secs()).unwrap() + 1;
    assert!(
        (1..=most).contains(&rejected()),
        "{} in {elapsed:?}",
        rejected()
    );
}

#[tokio::test]
async fn c18_an_error_names_the_server_and_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Client::connect(&format!("redis://{address}"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no connection: cannot reach {address} ({address}: connection refused)")
    );
}

#[test]
fn c21_a_runtime_without_time_or_io_is_told_what_it_lacks() {
    let server = Server::start(Variant::Redis82).unwrap();
    let mut builder = runtime::Builder::new_current_thread();
    for (runtime, lacks) in [
        (builder.build(), "timers"),
        (
            runtime::Builder::new_current_thread().enable_io().build(),
            "timers",
        ),
        (
            runtime::Builder::new_current_thread().enable_time().build(),
            "IO",
        ),
    ] {
        let runtime = runtime.unwrap();
        let client = Client::from_config(tcp(&server));
        for _ in 0..2 {
            let error = runtime
                .block_on(async { client.send(words("PING")).await })
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect);
            assert!(error.to_string().contains(lacks), "{error}");
        }
        let error = runtime
            .block_on(async { client.dedicated().await })
            .unwrap_err();
        assert!(error.to_string().contains(lacks), "{error}");
    }
}
