//! The link to a server: when it is dialled, left and looked at, as whom, and what its errors say.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use respec::{
    CallOptions, Config, ErrorKind, Integrity, RetryPolicy, cluster::NodeAddress, cmd, prelude::*,
};
use respec_testkit::{Cluster, Server, Variant, canary::secret};

use super::{Client, NAME, PROTOCOLS, clients, config, spawn};
use crate::{
    pool_support::CROWD,
    until,
    words::{args, info, words},
};

fn of_cluster(cluster: &Cluster) -> Config {
    Config::from_url(&cluster.url()).unwrap()
}

/// The id of the connection that carries the call.
async fn id(client: &Client) -> String {
    done!(client.send(words("CLIENT ID"))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn c03_a_user_without_a_password_has_its_own_rights() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let set = |words: &str| {
            let words: Vec<_> = words.split(' ').map(str::as_bytes).collect();
            server.command(&words).unwrap();
        };
        set("ACL SETUSER alice on nopass +@connection +get");
        let url = format!("redis://alice@127.0.0.1:{}", server.port());
        let client = done!(Client::connect(&url)).unwrap();
        let error = done!(client.send(words("SET k v"))).unwrap_err();
        assert_eq!(error.code(), Some("NOPERM"), "it is alice and not default");
        set(&format!("ACL SETUSER alice resetpass >{}", secret("alice")));
        let error = done!(Client::connect(&url)).unwrap_err();
        assert!(error.to_string().contains("WRONGPASS"), "{error}");
    }
}

/// The script runs on the only connection that the client may have, and a database would have to be
/// chosen for another.
#[tokio::test(flavor = "multi_thread")]
async fn c07_c08_a_script_is_killed_while_it_runs() {
    for variant in Variant::ALL {
        let server = Server::builder(variant).config("busy-reply-threshold", "20");
        let server = server.start().unwrap();
        let client = Client::from_config(config(&server).database(3).pool_max(1));
        done!(client.send(words("PING"))).unwrap();
        let running = spawn({
            let client = client.clone();
            async move { done!(client.send(args(&["EVAL", "while true do end", "0"]))) }
        });
        let killed = async || done!(client.send(cmd::raw("SCRIPT").arg("KILL"))).is_ok();
        until("the script is killed", killed).await;
        let error = running.join().await.unwrap_err();
        assert!(error.to_string().contains("killed"), "{error}");
        done!(client.send(words("PING"))).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c07_a_script_is_killed_while_it_runs_on_a_node_of_a_cluster() {
    for variant in Variant::ALL {
        let cluster = Cluster::builder(variant).config("busy-reply-threshold", "20");
        let cluster = cluster.start().unwrap();
        for protocol in PROTOCOLS {
            let client = Client::from_config(of_cluster(&cluster).protocol(protocol));
            let running = spawn({
                let client = client.clone();
                async move {
                    let script = cmd::raw("EVAL").arg("while true do end");
                    done!(client.send(script.arg(1).arg("k")))
                }
            });
            let killed = async || reply!(client.script_kill()).is_ok();
            until("the script is killed", killed).await;
            let error = running.join().await.unwrap_err();
            assert!(error.to_string().contains("killed"), "{error}");
            reply!(client.get("k")).unwrap();
            // A pipeline overtakes where all of it must; nothing runs any more.
            let kills = client.pipeline([cmd::script_kill(), cmd::script_kill()]);
            let error = reply!(kills).unwrap_err();
            assert_eq!(error.code(), Some("NOTBUSY"), "{error}");
        }
    }
}

/// A database would have to be chosen, which a server does not do while a script runs.
#[tokio::test(flavor = "multi_thread")]
async fn c09_a_server_that_is_busy_is_waited_for_by_who_needs_a_connection() {
    for variant in Variant::ALL {
        let server = Server::builder(variant).config("busy-reply-threshold", "20");
        let server = server.start().unwrap();
        for protocol in PROTOCOLS {
            let config = config(&server).protocol(protocol);
            let admin = Client::from_config(config.clone());
            let running = spawn({
                let admin = admin.clone();
                async move { done!(admin.send(args(&["EVAL", "while true do end", "0"]))) }
            });
            let is_busy = || server.command(&[b"PING"]).unwrap().starts_with(b"-BUSY");
            until("the script runs", async || is_busy()).await;
            let config = config.database(3);
            let hasty = config.clone().response_timeout(Duration::from_millis(100));
            let hasty = Client::from_config(hasty);
            let error = reply!(hasty.get("k")).unwrap_err();
            assert!(error.to_string().contains("BUSY"), "{error}");
            let waiting = spawn({
                let client = Client::from_config(config);
                async move { reply!(client.get("k")) }
            });
            let killed = async || reply!(admin.script_kill()).is_ok();
            until("the script is killed", killed).await;
            running.join().await.unwrap_err();
            match waiting.join().await {
                Ok(value) => assert_eq!(value, None),
                // Valkey chooses a database meanwhile, and this is its answer to the command itself.
                Err(error) => assert_eq!(
                    (variant, error.code()),
                    (Variant::Valkey91, Some("BUSY")),
                    "{error}"
                ),
            }
        }
    }
}

/// The server ends, and is asked to in each of the ways that there are.
#[tokio::test(flavor = "multi_thread")]
async fn c13_the_end_of_the_connection_is_the_success_of_shutdown() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        for protocol in PROTOCOLS {
            let client = Client::from_config(config(&server).protocol(protocol));
            for way in 0..4 {
                let own = done!(client.dedicated()).unwrap();
                let raw = cmd::raw("SHUTDOWN").arg("NOSAVE");
                let ended = match way {
                    0 => reply!(client.shutdown().nosave()),
                    1 => reply!(own.shutdown().nosave()),
                    2 => done!(client.send(raw)).map(drop),
                    _ => done!(own.send(raw)).map(drop),
                };
                ended.unwrap_or_else(|error| panic!("{variant} {protocol:?} {way}: {error}"));
                until("it has ended", async || !server.is_running()).await;
                let hasty = client.with(CallOptions::new().retry(RetryPolicy::Never));
                let error = reply!(hasty.get("k")).unwrap_err();
                assert!(error.is_connection(), "{error}");
                server.restart().unwrap();
                // What was asked for is no failure that others would have to wait for.
                until("it is back", async || reply!(client.get("k")).is_ok()).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c13_an_error_is_the_answer_of_a_shutdown_that_is_refused() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let user = "ACL SETUSER eve on nopass ~* +get";
        let user: Vec<_> = user.split(' ').map(str::as_bytes).collect();
        server.command(&user).unwrap();
        for protocol in PROTOCOLS {
            let config = config(&server).protocol(protocol);
            let client = Client::from_config(config.clone());
            let own = done!(client.dedicated()).unwrap();
            let raw = cmd::raw("SHUTDOWN").arg("ABORT");
            for refused in [
                reply!(client.shutdown().abort()),
                reply!(own.shutdown().abort()),
                done!(client.send(raw)).map(drop),
            ] {
                let error = refused.unwrap_err();
                let of = (error.kind(), error.command());
                assert_eq!(of, (ErrorKind::Server, Some("SHUTDOWN")), "{error}");
            }
            reply!(own.get("k")).unwrap();
            let eve = Client::from_config(config.username("eve"));
            let error = reply!(eve.shutdown().nosave()).unwrap_err();
            assert_eq!(error.code(), Some("NOPERM"), "{error}");
            assert!(!error.may_have_executed());
        }
        assert!(server.is_running());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c13_a_node_of_a_cluster_is_shut_down_and_no_other() {
    for variant in Variant::ALL {
        let cluster = Cluster::builder(variant).require_full_coverage(false);
        let cluster = cluster.start().unwrap();
        let victims = cluster.primaries().unwrap();
        for (protocol, victim) in PROTOCOLS.into_iter().zip(victims) {
            let client = Client::from_config(of_cluster(&cluster).protocol(protocol));
            let error = reply!(client.shutdown().nosave()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(error.to_string().contains("node()"), "{error}");
            let address = NodeAddress::new("127.0.0.1", victim.addr().port());
            let node = done!(client.node(&address)).unwrap();
            reply!(node.shutdown().nosave()).unwrap();
            until("it has ended", async || !victim.is_up()).await;
            let up = cluster.nodes().iter().filter(|node| node.is_up()).count();
            assert_eq!(up, cluster.nodes().len() - 1);
            cluster.restart(&victim).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c09_a_server_that_became_a_replica_is_left() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        // A call is tried again within its time, which here is short.
        let config = config(&server).response_timeout(Duration::from_secs(1));
        let client = Client::from_config(config);
        let before = id(&client).await;
        assert_eq!(id(&client).await, before, "the one that was used last");
        server.command(&[b"REPLICAOF", b"127.0.0.1", b"1"]).unwrap();
        let error = done!(client.send(words("SET k v"))).unwrap_err();
        assert_eq!(error.code(), Some("READONLY"));
        let another = async || id(&client).await != before;
        until("there is another connection", another).await;
        // One that is told so again and again dials with pauses, and is never without a connection.
        let dialled = || -> u64 { info(&server, "total_connections_received").parse().unwrap() };
        let (first, begun) = (dialled(), Instant::now());
        let writers: Vec<_> = (0..4 * CROWD)
            .map(|_| {
                let client = client.clone();
                spawn(async move {
                    for _ in 0..2 {
                        let error = done!(client.send(words("SET k v"))).unwrap_err();
                        let replica = error.code() == Some("READONLY");
                        assert!(replica || error.is_timeout(), "{error}");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().await;
        }
        // A client that blocks has a connection for each of them, and replaces them a few times a second
        // at most. They write for two seconds, or longer on a busy machine, and each of their calls is
        // answered with READONLY some seven times.
        let times = 3 + 2 * begun.elapsed().as_secs().max(2);
        let most = 4 * CROWD as u64 * times;
        assert!(dialled() - first < most, "{}", dialled() - first);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c10_a_connection_with_messages_is_kept() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let client = Client::from_config(config(&server));
        let before = id(&client).await;
        // Invalidations of another connection go to this one, which is idle.
        let other = Client::from_config(config(&server));
        let dedicated = done!(other.dedicated()).unwrap();
        let track = format!("CLIENT TRACKING ON BCAST REDIRECT {before}");
        done!(dedicated.send(words(&track))).unwrap();
        for _ in 0..2 {
            server.command(&[b"SET", b"k", b"v"]).unwrap();
            // Longer than a connection is idle that is not looked at.
            tokio::time::sleep(Duration::from_millis(510)).await;
            assert_eq!(id(&client).await, before);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_a_server_that_rejects_the_password_is_dialled_once_a_second() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let config = config(&server).username("nobody").password(secret("wrong"));
        let client = Client::from_config(config);
        let begin = Instant::now();
        let end = begin + Duration::from_secs(2);
        let callers: Vec<_> = (0..CROWD)
            .map(|_| {
                let client = client.clone();
                spawn(async move {
                    while Instant::now() < end {
                        let error = done!(client.send(words("PING"))).unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::Connect);
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().await;
        }
        // At first each of them may try; after the first failure one at a time does.
        let most = CROWD as u64 + 1 + begin.elapsed().as_secs();
        let errors = info(&server, "errorstat_WRONGPASS");
        let rejected: u64 = errors.strip_prefix("count=").unwrap().parse().unwrap();
        assert!((1..=most).contains(&rejected), "{rejected} of {most}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_an_error_that_is_sent_before_the_end_is_told() {
    for variant in Variant::ALL {
        let server = Server::builder(variant).config("proto-max-bulk-len", "1mb");
        let server = server.start().unwrap();
        let client = Client::from_config(config(&server));
        for _ in 0..5 {
            let large = args(&["SET", "k", &"x".repeat(16 << 20)]);
            let error = done!(client.send(large)).unwrap_err();
            assert_eq!(error.code(), Some("ERR"), "{error}");
            let another = async || done!(client.send(words("PING"))).is_ok();
            until("there is another connection", another).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c18_an_error_names_the_server_the_reason_and_how_long_it_took() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let allowed = Duration::from_millis(50);
    let config = Config::tcp("127.0.0.1", address.port()).connect_timeout(allowed);
    let mute = Client::from_config(config);
    let error = done!(mute.send(words("PING"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("PING: timed out connecting: no connection to {address} after 50ms")
    );
    drop(listener);
    let error = done!(Client::connect(&format!("redis://{address}"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no connection: cannot reach {address} ({address}: connection refused)")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_messages_are_bounded_while_a_blocking_command_waits() {
    for variant in Variant::ALL {
        let config = config(respec_testkit::shared(variant)).max_unread(1 << 20);
        let client = Client::from_config(config);
        let own = done!(client.dedicated()).unwrap();
        let channel = format!("{NAME}:c19");
        done!(own.send(args(&["SUBSCRIBE", &channel]))).unwrap();
        let waiting = spawn(async move {
            let waits = done!(own.send(words("BLPOP c19:none 20")));
            (waits, done!(own.send(words("PING"))))
        });
        let message = "m".repeat(64 << 10);
        let deaf = async || {
            let sent = done!(client.send(args(&["PUBLISH", &channel, &message])));
            sent.unwrap() == "0"
        };
        until("somebody listens no more", deaf).await;
        let (waits, later) = waiting.join().await;
        for error in [waits.unwrap_err(), later.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Connection);
            assert!(error.to_string().contains("max_unread"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c24_the_error_of_a_used_up_pool_names_the_option() {
    for variant in Variant::ALL {
        let config = config(respec_testkit::shared(variant)).pool_max(1);
        let client = Client::from_config(config.pool_wait(Duration::from_millis(20)));
        let _held = done!(client.dedicated()).unwrap();
        let error = done!(client.send(words("BLPOP c24 1"))).unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with("there are 1 at most (pool_max)"), "{text}");
    }
    assert_eq!(Config::default().settings().pool_max(), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn integrity_of_batches_changes_no_reply() {
    for (client, prefix) in clients("integrity") {
        let config = client.config().clone().integrity(Integrity::Batch);
        let client = Client::from_config(config);
        let calls: Vec<_> = (0..50)
            .map(|at| {
                let (client, tag) = (client.clone(), format!("{prefix}:{at}"));
                spawn(async move {
                    let pair = (args(&["ECHO", &tag]), words("PING"));
                    assert_eq!(reply!(client.pipeline(pair)).unwrap().0, tag);
                    let echo = done!(client.send(args(&["ECHO", &tag])));
                    assert_eq!(echo.unwrap(), tag);
                })
            })
            .collect();
        for call in calls {
            call.join().await;
        }
        let own = done!(client.dedicated()).unwrap();
        done!(own.send(words("MULTI"))).unwrap();
        assert_eq!(done!(own.send(words("PING"))).unwrap(), "QUEUED");
        done!(own.send(words("EXEC"))).unwrap();
        let none = done!(client.send(words("BLPOP integrity:none 0.01")));
        assert_eq!(none.unwrap(), "nil");
    }
}
