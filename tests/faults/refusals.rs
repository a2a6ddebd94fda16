//! F20, F22, F23: servers that refuse.

use std::{sync::Arc, thread, time::Duration};

use respec::{Error, ErrorKind, Protocol};
use respec_testkit::{Proxy, Server, Variant};

use crate::{
    caller::{Caller, Side},
    count,
    run::{Load, PATIENCE, Run, Shape, until},
};

#[test]
fn f20_a_busy_server_says_so_and_is_not_stormed() {
    for variant in Variant::ALL {
        let server = Server::builder(variant).config("busy-reply-threshold", "20");
        let server = server.start().unwrap();
        for side in Side::all() {
            let limit = Duration::from_millis(500);
            let run = Run::new("F20", &server, &side, Protocol::Resp3, limit);
            run.expect("BUSY");
            let proxy = Proxy::start(server.addr()).unwrap();
            let caller = side.client(run.config(&proxy, Protocol::Resp3));
            for _ in 0..count(2, 50) {
                side.wait(run.call(&caller, Shape::Append, 0)).unwrap();
                thread::scope(|scope| {
                    let endless = scope.spawn(|| {
                        let mut own = server.connection(PATIENCE).unwrap();
                        own.command(&[b"EVAL", b"while true do end", b"0"]).unwrap()
                    });
                    until("the script has run for its time", || {
                        let ping = server.command(&[b"PING"]).unwrap();
                        ping.starts_with(b"-BUSY")
                    });
                    let dials = proxy.accepted();
                    let load = Load::start(&run, &side, &caller, 4);
                    let done = run.operations();
                    until("callers were told", || run.operations() >= done + 8);
                    // Whoever comes anew is let in, and told the same.
                    let other = side.client(run.config(&proxy, Protocol::Resp3));
                    let error = side.wait(run.call(&other, Shape::Append, 9)).unwrap_err();
                    assert_eq!(error.code(), Some("BUSY"), "{error}");
                    run.fault(1);
                    server.command(&[b"SCRIPT", b"KILL"]).unwrap();
                    assert!(endless.join().unwrap().starts_with(b"-"));
                    let done = run.operations();
                    until("callers are served again", || run.operations() >= done + 8);
                    load.finish();
                    // A connection for each caller that has none, and one for the other client.
                    assert!(
                        proxy.accepted() <= dials + 6,
                        "{dials} and {}",
                        proxy.accepted()
                    );
                });
            }
            run.finish(&[&proxy], &server);
        }
    }
}

#[test]
fn f22_what_a_server_refuses_for_want_of_memory_hurts_nothing_else() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        for side in Side::all() {
            for protocol in [Protocol::Resp2, Protocol::Resp3] {
                let run = Run::new("F22", &server, &side, protocol, LIMIT);
                run.expect("OOM");
                let proxy = Proxy::start(server.addr()).unwrap();
                let caller = side.client(run.config(&proxy, protocol).pool_max(1));
                for _ in 0..count(3, 100) {
                    set(&server, "maxmemory", "1");
                    for shape in [Shape::Append, Shape::Set] {
                        let error = side.wait(run.call(&caller, shape, 0)).unwrap_err();
                        assert_eq!(error.code(), Some("OOM"), "{error}");
                    }
                    // Those beside it in a pipeline are answered.
                    let shapes = [
                        Shape::Echo,
                        Shape::Append,
                        Shape::Mget,
                        Shape::Set,
                        Shape::Echo,
                    ];
                    let before = run.tally().ok;
                    side.wait(run.pipeline(&caller, &shapes, 0));
                    assert_eq!(run.tally().ok, before + 3);
                    run.fault(1);
                    set(&server, "maxmemory", "0");
                    side.wait(run.call(&caller, Shape::Append, 0)).unwrap();
                }
                assert_eq!(proxy.accepted(), 1, "the connection is kept");
                run.finish(&[&proxy], &server);
            }
        }
    }
}

#[test]
fn f23_what_a_user_may_no_longer_do_is_told_without_a_secret() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        for side in Side::all() {
            let run = Run::new("F23", &server, &side, Protocol::Resp3, LIMIT);
            run.expect("NOPERM");
            let proxy = Proxy::start(server.addr()).unwrap();
            for _ in 0..count(20, 2_000) {
                acl(
                    &server,
                    &["SETUSER", "someone", "on", ">c4n4ry", "allkeys", "+@all"],
                );
                let config = run.config(&proxy, Protocol::Resp3);
                let config = config.username("someone").password("c4n4ry");
                let caller = side.client(config.clone());
                side.wait(run.call(&caller, Shape::Append, 0)).unwrap();
                // One command is taken away, and all others go on.
                acl(&server, &["SETUSER", "someone", "-rpush"]);
                let error = side.wait(run.call(&caller, Shape::Append, 0)).unwrap_err();
                assert_eq!(error.code(), Some("NOPERM"), "{error}");
                is_discreet(&error);
                side.wait(run.call(&caller, Shape::Echo, 0)).unwrap();
                run.fault(1);
                // The user is gone, and its connections with it.
                acl(&server, &["DELUSER", "someone"]);
                let error = until_refused(&run, &side, &caller);
                assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
                assert!(!error.may_have_executed());
                is_discreet(&error);
            }
            run.finish(&[&proxy], &server);
        }
    }
}

/// The error of a client that is let in no more; before that it may learn that its connection ended.
fn until_refused(run: &Arc<Run>, side: &Side, caller: &Caller) -> Error {
    for _ in 0..100 {
        match side.wait(run.call(caller, Shape::Echo, 0)) {
            Err(error) if error.kind() == ErrorKind::Connect => return error,
            _ => {}
        }
    }
    panic!("a user that is gone was served a hundred times");
}

/// Nothing that an error can tell has the password in it.
fn is_discreet(error: &Error) {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(" {error} {error:?}");
        source = error.source();
    }
    assert!(!text.contains("c4n4ry"), "{text}");
}

fn set(server: &Server, name: &str, value: &str) {
    let set: [&[u8]; 4] = [b"CONFIG", b"SET", name.as_bytes(), value.as_bytes()];
    assert_eq!(server.command(&set).unwrap(), b"+OK\r\n");
}

fn acl(server: &Server, words: &[&str]) {
    let words: Vec<&[u8]> = std::iter::once("ACL")
        .chain(words.iter().copied())
        .map(str::as_bytes)
        .collect();
    let reply = server.command(&words).unwrap();
    assert!(!reply.starts_with(b"-"), "{}", reply.escape_ascii());
}

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(5);
