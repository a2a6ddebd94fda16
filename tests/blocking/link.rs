//! The link to a server: when it is left and looked at, and what its errors say.

use std::{net::TcpListener, thread, time::Duration};

use respec::{Config, ErrorKind, blocking::Client, cmd};
use respec_testkit::{Server, Variant};

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
