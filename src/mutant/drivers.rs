//! Both clients on a real server, for the faults that only a driver can have.

#![cfg(all(feature = "async", feature = "blocking", feature = "core"))]

use std::{
    pin::pin,
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use respec_testkit::{Server, Variant, shared};
use tokio::runtime::{Builder, Runtime};

use crate::{Client, Config, blocking, cmd, prelude::*};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn config(server: &Server) -> Config {
    Config::tcp("127.0.0.1", server.port())
}

/// Ends all other connections of a server in an orderly way.
fn cut(server: &Server) {
    let kill: [&[u8]; 6] = [b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"];
    assert!(server.command(&kill).unwrap().starts_with(b":"));
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut list = Vec::new();
    while Instant::now() < deadline {
        list = server.command(&[b"CLIENT", b"LIST"]).unwrap();
        if list.windows(3).filter(|bytes| bytes == b"id=").count() == 1 {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("connections stay: {}", list.escape_ascii());
}

/// The driver of the connection has no turn between the end and the call.
#[test]
fn the_async_client_looks_before_it_writes() {
    let server = Server::start(Variant::Redis70).unwrap();
    let runtime = runtime();
    let client = Client::from_config(config(&server));
    runtime.block_on(async { client.incr("looked").await.unwrap() });
    cut(&server);
    // What is not looked at is what was used a moment ago.
    thread::sleep(Duration::from_millis(510));
    let again = runtime.block_on(async { client.incr("looked").await });
    assert_eq!(again.unwrap(), 2);
}

#[test]
fn the_blocking_client_looks_before_it_writes() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = blocking::Client::from_config(config(&server));
    client.incr("looked").send().unwrap();
    cut(&server);
    assert_eq!(client.incr("looked").send().unwrap(), 2);
}

#[test]
fn a_connection_that_was_changed_does_not_come_back() {
    let server = shared(Variant::Redis70);
    let select = || cmd::raw("SELECT").arg(3);
    let info = || cmd::raw("CLIENT").arg("INFO");
    let client = blocking::Client::from_config(config(server).pool_max(1));
    client.dedicated().unwrap().send(select()).unwrap();
    let state = client.dedicated().unwrap().send(info()).unwrap();
    assert!(format!("{state:?}").contains(" db=0 "), "{state:?}");

    runtime().block_on(async {
        let client = Client::from_config(config(server).pool_max(1));
        let own = client.dedicated().await.unwrap();
        own.send(select()).await.unwrap();
        drop(own);
        let own = client.dedicated().await.unwrap();
        let state = own.send(info()).await.unwrap();
        assert!(format!("{state:?}").contains(" db=0 "), "{state:?}");
    });
}

#[test]
fn what_is_dropped_before_it_is_written_is_not_sent() {
    let server = shared(Variant::Redis70);
    runtime().block_on(async {
        let client = Client::from_config(config(server));
        client.set("unsent", 0).await.unwrap();
        // Behind a call that was written at once, one poll puts it into the output; the driver has
        // had no turn yet.
        let mut context = Context::from_waker(Waker::noop());
        let mut before = pin!(client.ping().into_future());
        assert!(before.as_mut().poll(&mut context).is_pending());
        {
            let mut dropped = pin!(client.incr("unsent").into_future());
            assert!(dropped.as_mut().poll(&mut context).is_pending());
        }
        before.await.unwrap();
        let unsent = client.get("unsent").await.unwrap();
        assert_eq!(unsent.as_deref(), Some(&b"0"[..]));
    });
}
