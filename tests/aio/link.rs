//! The link to a server: when it is dialled, left and looked at, as whom, and on what runtime.

use std::{thread, time::Duration};

use respec::{Client, Config, ErrorKind};
use respec_testkit::{Server, Variant};
use tokio::runtime;

use crate::{pool_support::kill_all, support::words};

fn tcp(server: &Server) -> Config {
    Config::tcp("127.0.0.1", server.port())
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
