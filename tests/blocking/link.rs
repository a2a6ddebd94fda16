//! The link to a server: when it is left and looked at, and what its errors say.

use std::{net::TcpListener, thread, time::Duration};

use respec::{
    Config, ErrorKind, Protocol, blocking::Client, cluster::NodeAddress, cmd, prelude::*,
};
use respec_testkit::{Cluster, Server, Variant};

use crate::support::{args, until, words};

fn tcp(server: &Server) -> Config {
    Config::tcp("127.0.0.1", server.port())
}

fn id(client: &Client) -> String {
    format!("{:?}", client.send(words("CLIENT ID")).unwrap())
}

/// The one connection of the pool runs the script, and a database would have to be chosen.
#[test]
fn c07_c08_a_script_is_killed_while_it_runs() {
    for variant in Variant::ALL {
        let server = Server::builder(variant)
            .config("busy-reply-threshold", "20")
            .start()
            .unwrap();
        let client = Client::from_config(tcp(&server).database(3).pool_max(1));
        let running = client.clone();
        let script = args(&["EVAL", "while true do end", "0"]);
        let running = thread::spawn(move || running.send(script));
        until("the script is killed", || {
            client.send(cmd::raw("SCRIPT").arg("KILL")).is_ok()
        });
        let error = running.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("killed"), "{error}");
        client.send(words("PING")).unwrap();
    }
}

#[test]
fn c07_a_script_is_killed_while_it_runs_on_a_node_of_a_cluster() {
    for variant in Variant::ALL {
        let cluster = Cluster::builder(variant)
            .config("busy-reply-threshold", "20")
            .start()
            .unwrap();
        for protocol in ["resp2", "resp3"] {
            let url = format!("{}?protocol={protocol}", cluster.url());
            let client = Client::connect(&url).unwrap();
            let running = client.clone();
            let script = cmd::raw("EVAL").arg("while true do end").arg(1).arg("k");
            let running = thread::spawn(move || running.send(script));
            until("the script is killed", || {
                client.script_kill().send().is_ok()
            });
            let error = running.join().unwrap().unwrap_err();
            assert!(error.to_string().contains("killed"), "{error}");
            client.get("k").send().unwrap();
            // A pipeline overtakes where all of it must; nothing runs any more.
            let kills = client.pipeline([cmd::script_kill(), cmd::script_kill()]);
            let error = kills.send().unwrap_err();
            assert_eq!(error.code(), Some("NOTBUSY"), "{error}");
        }
    }
}

/// The server ends, and is asked in each of the ways that there are.
#[test]
fn c13_the_end_of_the_connection_is_the_success_of_shutdown() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        for protocol in ["resp2", "resp3"] {
            let url = format!("{}?protocol={protocol}", server.url());
            let client = Client::connect(&url).unwrap();
            for way in 0..4 {
                let own = client.dedicated().unwrap();
                let raw = cmd::raw("SHUTDOWN").arg("NOSAVE");
                let ended = match way {
                    0 => client.shutdown().nosave().send(),
                    1 => own.shutdown().nosave().send(),
                    2 => client.send(raw).map(drop),
                    _ => own.send(raw).map(drop),
                };
                ended.unwrap_or_else(|error| panic!("{variant} {protocol} {way}: {error}"));
                until("it has ended", || !server.is_running());
                let error = client.get("k").send().unwrap_err();
                assert!(error.is_connection(), "{error}");
                server.restart().unwrap();
                // What was asked for is no failure that others would have to wait for.
                until("it is back", || client.get("k").send().is_ok());
            }
        }
    }
}

#[test]
fn c13_an_error_is_the_answer_of_a_shutdown_that_is_refused() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let user: [&[u8]; 7] = [b"ACL", b"SETUSER", b"eve", b"on", b"nopass", b"~*", b"+get"];
        server.command(&user).unwrap();
        for protocol in ["resp2", "resp3"] {
            let url = format!("{}?protocol={protocol}", server.url());
            let client = Client::connect(&url).unwrap();
            let own = client.dedicated().unwrap();
            for abort in [
                client.shutdown().abort().send(),
                own.shutdown().abort().send(),
                client.send(cmd::raw("SHUTDOWN").arg("ABORT")).map(drop),
            ] {
                let error = abort.unwrap_err();
                assert_eq!(
                    (error.kind(), error.command()),
                    (ErrorKind::Server, Some("SHUTDOWN")),
                    "{error}"
                );
            }
            own.get("k").send().unwrap();
            let url = url.replace("redis://", "redis://eve@");
            let eve = Client::connect(&url).unwrap();
            let error = eve.shutdown().nosave().send().unwrap_err();
            assert_eq!(error.code(), Some("NOPERM"), "{error}");
            assert!(!error.may_have_executed());
        }
        assert!(server.is_running());
    }
}

#[test]
fn c13_a_node_of_a_cluster_is_shut_down_and_no_other() {
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
            let client = Client::connect(&url).unwrap();
            let error = client.shutdown().nosave().send().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(error.to_string().contains("node"), "{error}");
            let address = NodeAddress::new("127.0.0.1", victim.addr().port());
            let node = client.node(&address).unwrap();
            node.shutdown().nosave().send().unwrap();
            until("it has ended", || !victim.is_up());
            let up = cluster.nodes().iter().filter(|node| node.is_up()).count();
            assert_eq!(up, cluster.nodes().len() - 1);
            cluster.restart(&victim).unwrap();
        }
    }
}

/// A database would have to be chosen, which a server does not do while a script runs.
#[test]
fn c09_a_server_that_is_busy_is_waited_for_by_who_needs_a_connection() {
    for variant in Variant::ALL {
        let server = Server::builder(variant)
            .config("busy-reply-threshold", "20")
            .start()
            .unwrap();
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let script = Client::from_config(tcp(&server));
            let running = thread::spawn(move || {
                let endless = args(&["EVAL", "while true do end", "0"]);
                script.send(endless)
            });
            until("the script runs", || {
                server.command(&[b"PING"]).unwrap().starts_with(b"-BUSY")
            });
            let client = Client::from_config(tcp(&server).protocol(protocol).database(3));
            let refused = Client::from_config(
                tcp(&server)
                    .protocol(protocol)
                    .database(3)
                    .response_timeout(Duration::from_millis(100)),
            );
            let error = refused.get("k").send().unwrap_err();
            assert!(error.to_string().contains("BUSY"), "{error}");
            let waiting = thread::spawn(move || client.get("k").send());
            let admin = Client::from_config(tcp(&server));
            until("the script is killed", || {
                admin.script_kill().send().is_ok()
            });
            running.join().unwrap().unwrap_err();
            assert_eq!(waiting.join().unwrap().unwrap(), None);
        }
    }
}

#[test]
fn c09_a_server_that_became_a_replica_is_left() {
    let server = Server::start(Variant::Redis82).unwrap();
    // A call is tried again within its time, which here is short.
    let config = tcp(&server).response_timeout(Duration::from_secs(1));
    let client = Client::from_config(config);
    let before = id(&client);
    assert_eq!(id(&client), before, "the one that was used last");
    server.command(&[b"REPLICAOF", b"127.0.0.1", b"1"]).unwrap();
    let error = client.send(words("SET k v")).unwrap_err();
    assert_eq!(error.code(), Some("READONLY"));
    assert_ne!(id(&client), before);
    for _ in 0..4 {
        client.send(words("SET k v")).unwrap_err();
    }
    let stats = client.pool_stats();
    assert!((1..20).contains(&stats.closed_left), "{stats:?}");
    assert_eq!(
        stats.made,
        stats.open() as u64 + stats.closed(),
        "{stats:?}"
    );
}

#[test]
fn c10_a_connection_that_has_ended_is_replaced_before_it_is_used() {
    let server = Server::start(Variant::Redis82).unwrap();
    let client = Client::from_config(tcp(&server));
    let before = id(&client);
    crate::pool_support::kill_all(&server);
    assert_ne!(id(&client), before);
    assert_eq!(client.pool_stats().closed_broken, 1);
}

#[test]
fn c10_a_connection_with_messages_is_kept() {
    let server = Server::start(Variant::Redis82).unwrap();
    let client = Client::from_config(tcp(&server));
    let before = id(&client);
    let number: String = before.chars().filter(char::is_ascii_digit).collect();
    let other = Client::from_config(tcp(&server));
    let dedicated = other.dedicated().unwrap();
    // Invalidations of this connection go to the idle one of the pool.
    let track = format!("CLIENT TRACKING ON BCAST REDIRECT {number}");
    dedicated.send(words(&track)).unwrap();
    for _ in 0..3 {
        server.command(&[b"SET", b"k", b"v"]).unwrap();
        assert_eq!(id(&client), before);
    }
    assert_eq!(client.pool_stats().made, 1);
}

#[test]
fn c18_an_error_names_the_server_the_reason_and_how_long_it_took() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let allowed = Duration::from_millis(50);
    let config = Config::tcp("127.0.0.1", address.port()).connect_timeout(allowed);
    let mute = Client::from_config(config.clone())
        .send(words("PING"))
        .unwrap_err();
    assert_eq!(
        mute.to_string(),
        format!("PING: timed out connecting: no connection to {address} after 50ms")
    );
    drop(listener);
    let refused = Client::from_config(config).send(words("PING")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Connect);
    assert!(
        refused.to_string().ends_with("connection refused)"),
        "{refused}"
    );
}

#[test]
fn c24_the_error_of_a_used_up_pool_names_the_option() {
    let server = Server::start(Variant::Redis82).unwrap();
    let config = tcp(&server)
        .pool_max(1)
        .pool_wait(Duration::from_millis(20));
    let client = Client::from_config(config);
    let _dedicated = client.dedicated().unwrap();
    let error = client.send(words("PING")).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("there are 1 at most (pool_max)"),
        "{error}"
    );
    assert_eq!(Config::default().settings().pool_max(), 64);
}
