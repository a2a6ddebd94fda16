//! F20, F22, F23: servers that refuse.

use std::{fs, sync::Arc, thread, time::Duration};

use respec::{Error, ErrorKind, Protocol, cmd};
use respec_testkit::{
    Proxy, Server, Variant,
    canary::{assert_absent, secret},
    shared,
};

use crate::{
    beside,
    caller::Caller,
    count,
    run::{Load, PATIENCE, Run, SHAPES, until},
    shape::Shape,
    side::Side,
};

#[test]
fn f20_a_busy_server_says_so_and_is_not_stormed() {
    beside(Variant::ALL, |variant| {
        let server = Server::builder(variant).config("busy-reply-threshold", "20");
        let server = server.start().unwrap();
        for side in Side::all() {
            // A server that runs a script answers little, and on a busy machine late.
            let limit = Duration::from_secs(2);
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
                    let call = || side.wait(run.call(&other, Shape::Append, 9));
                    let error = run.struck(&proxy, call).unwrap_err();
                    assert_eq!(error.code(), Some("BUSY"), "{error}");
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
    });
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
                    run.struck(&proxy, || side.wait(run.pipeline(&caller, &shapes, 0)));
                    assert_eq!(run.tally().ok, before + 3);
                    set(&server, "maxmemory", "0");
                    side.wait(run.call(&caller, Shape::Append, 0)).unwrap();
                }
                is_kept(&proxy);
                run.finish(&[&proxy], &server);
            }
        }
    }
}

#[test]
fn f23_what_a_user_may_no_longer_do_is_told_without_a_secret() {
    let all = Variant::ALL
        .into_iter()
        .flat_map(|variant| Side::all().map(|side| (variant, side)));
    beside(all, |(variant, side)| {
        let server = Server::start(variant).unwrap();
        let run = Run::new("F23", &server, &side, Protocol::Resp3, LIMIT);
        run.expect("NOPERM");
        let proxy = Proxy::start(server.addr()).unwrap();
        let password = secret("someone");
        let rights = format!(">{password}");
        for _ in 0..count(20, 2_000) {
            acl(
                &server,
                &["SETUSER", "someone", "on", &rights, "allkeys", "+@all"],
            );
            let config = run.config(&proxy, Protocol::Resp3);
            let config = config.username("someone").password(password.as_str());
            let caller = side.client(config.clone());
            side.wait(run.call(&caller, Shape::Append, 0)).unwrap();
            // One command is taken away, and all others go on.
            acl(&server, &["SETUSER", "someone", "-rpush"]);
            let call = || side.wait(run.call(&caller, Shape::Append, 0));
            let error = run.struck(&proxy, call).unwrap_err();
            assert_eq!(error.code(), Some("NOPERM"), "{error}");
            is_discreet(&error);
            side.wait(run.call(&caller, Shape::Echo, 0)).unwrap();
            // The user is gone, and its connections with it.
            acl(&server, &["DELUSER", "someone"]);
            let error = until_refused(&run, &side, &caller);
            assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
            assert!(!error.may_have_executed());
            is_discreet(&error);
        }
        run.finish(&[&proxy], &server);
    });
}

/// A transaction of which a command is refused is discarded as a whole, and a server that cannot write
/// its file refuses to write at all.
#[test]
fn f22_what_is_refused_in_a_transaction_or_for_want_of_a_disk_hurts_nothing_else() {
    beside(Variant::ALL, |variant| {
        let server = Server::builder(variant).config("save", "3600 1");
        let server = server.start().unwrap();
        for side in Side::all() {
            for protocol in [Protocol::Resp2, Protocol::Resp3] {
                let run = Run::new("F22", &server, &side, protocol, LIMIT);
                for code in ["OOM", "EXECABORT", "MISCONF"] {
                    run.expect(code);
                }
                let proxy = Proxy::start(server.addr()).unwrap();
                // A server that cannot write refuses the heartbeat as well.
                let config = run.config(&proxy, protocol).pool_max(1);
                let caller = side.client(config.heartbeat(Duration::from_millis(1)));
                for _ in 0..count(3, 100) {
                    set(&server, "maxmemory", "1");
                    let discarded = discarded(&run, &side, &caller);
                    let codes = [Some("OOM"), Some("EXECABORT")];
                    assert!(codes.contains(&discarded.code()), "{discarded}");
                    assert!(!discarded.may_have_executed(), "{discarded}");
                    side.wait(run.call(&caller, Shape::Mget, 0)).unwrap();
                    set(&server, "maxmemory", "0");

                    // Nothing can take the place of a directory that is not empty.
                    let file = server.directory().join("dump.rdb");
                    let _ = fs::remove_file(&file);
                    fs::create_dir_all(file.join("in the way")).unwrap();
                    save(&server, "err");
                    for shape in [Shape::Append, Shape::Set] {
                        let error = side.wait(run.call(&caller, shape, 0)).unwrap_err();
                        assert_eq!(error.code(), Some("MISCONF"), "{error}");
                        assert!(!error.may_have_executed(), "{error}");
                    }
                    let before = run.tally().ok;
                    run.struck(&proxy, || side.wait(run.pipeline(&caller, &SHAPES, 0)));
                    assert_eq!(run.tally().ok, before + 2, "an echo and a read");
                    let discarded = self::discarded(&run, &side, &caller);
                    assert!(!discarded.may_have_executed(), "{discarded}");
                    fs::remove_dir_all(&file).unwrap();
                    save(&server, "ok");
                    side.wait(run.call(&caller, Shape::Append, 0)).unwrap();
                }
                is_kept(&proxy);
                run.finish(&[&proxy], &server);
            }
        }
    });
}

/// The error of a transaction that a server discards.
fn discarded(run: &Run, side: &Side, caller: &Caller) -> Error {
    let ops = [(); 2].map(|()| run.begin(Shape::Append, 0));
    let commands = ops.iter().map(|op| run.command(op)).collect();
    let error = side.wait(caller.transaction(commands)).unwrap_err();
    for op in ops {
        run.end(op, &Err(error.clone()));
    }
    error
}

/// Has a server write its file, until that has come to this.
fn save(server: &Server, status: &str) {
    let wanted = format!("rdb_last_bgsave_status:{status}");
    until("the file is written or not", || {
        // It may still be at it.
        let _ = server.command(&[b"BGSAVE"]).unwrap();
        let is = |wanted: &str| {
            let info = server.command(&[b"INFO", b"persistence"]).unwrap();
            String::from_utf8_lossy(&info).contains(wanted)
        };
        until("that has ended", || is("rdb_bgsave_in_progress:0"));
        is(&wanted)
    });
}

/// Some servers lose the reply to an authentication that fails while others are under way, or inside of
/// a transaction.
#[test]
fn f23_an_authentication_that_fails_shifts_nobodys_reply() {
    for variant in Variant::ALL {
        let server = shared(variant);
        for side in Side::all() {
            for protocol in [Protocol::Resp2, Protocol::Resp3] {
                let run = Run::new("F23", server, &side, protocol, LIMIT);
                let proxy = Proxy::start(server.addr()).unwrap();
                let caller = side.client(run.config(&proxy, protocol));
                let own = side.wait(caller.dedicated()).unwrap();
                let auth = || cmd::raw("AUTH").arg("nobody").arg(secret("wrong"));
                for _ in 0..count(20, 2_000) {
                    let ping = || cmd::raw("PING");
                    let refused = [
                        side.wait(own.pipeline(vec![ping(), auth(), ping()])).err(),
                        side.wait(own.transaction(vec![ping(), auth(), ping()]))
                            .err(),
                        side.wait(caller.call(auth())).err(),
                    ];
                    for error in refused {
                        let error = error.expect("an error before anything is sent");
                        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
                        assert!(!error.may_have_executed(), "{error}");
                        is_discreet(&error);
                    }
                    let wrong = || side.wait(own.call(auth()));
                    let error = run.struck(&proxy, wrong).unwrap_err();
                    assert_eq!(error.code(), Some("WRONGPASS"), "{error}");
                    is_discreet(&error);
                    for shape in SHAPES {
                        let op = run.begin(shape, 0);
                        let result = side.wait(own.call(run.command(&op)));
                        run.end(op, &result);
                    }
                }
                drop(own);
                run.finish(&[&proxy], server);
            }
        }
    }
}

/// The first connection is the only one.
fn is_kept(proxy: &Proxy) {
    let (dials, ended) = (proxy.accepted(), proxy.traffic().ended(0));
    assert_eq!((dials, ended), (1, None), "dials, and the end of the first");
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
    assert_absent("the error", &text);
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
