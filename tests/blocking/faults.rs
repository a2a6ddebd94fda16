//! What goes wrong around the blocking client: dead connections, time-outs, servers that come and go.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use respec::{
    Config, Error, ErrorKind, Protocol,
    blocking::Client,
    command::{Command, Detached, Info},
    reply::DecodeError,
    resp::{Reply, Writer},
};
use respec_testkit::{
    Server, Variant,
    canary::{assert_absent, secret},
    proxy::{Action, Proxy},
};

use crate::{
    cut::cut_all,
    support::{Words, args, client, hasty, info, server, until, words},
};

/// Cuts the connection while it is written, after the pool has found it alive.
struct CutsWhenWritten<'a> {
    proxy: &'a Proxy,
    end: Action,
    times: &'a AtomicUsize,
    written: &'a AtomicUsize,
}

impl Command for CutsWhenWritten<'_> {
    type Via = Detached;
    type Reply = String;

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        // As far as anybody knows it writes.
        Info::of("APPEND").unwrap()
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.word(b"ECHO");
        to.word(b"here");
        self.written.fetch_add(1, Ordering::SeqCst);
        let cut = |left: usize| left.checked_sub(1);
        if self
            .times
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, cut)
            .is_ok()
        {
            cut_all(self.proxy, self.end.clone());
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<String, DecodeError> {
        Ok(String::from_utf8_lossy(reply.bytes().unwrap_or_default()).into_owned())
    }
}

#[test]
fn what_was_not_sent_is_sent_again_and_nothing_else_is() {
    let proxy = Proxy::start(server().addr()).unwrap();
    let client = Client::from_config(Config::tcp("127.0.0.1", proxy.port()));
    let run = |end, cuts| {
        let (times, written) = (AtomicUsize::new(cuts), AtomicUsize::new(0));
        let cutting = CutsWhenWritten {
            proxy: &proxy,
            end,
            times: &times,
            written: &written,
        };
        let result = client.send(cutting);
        (result, written.load(Ordering::SeqCst))
    };
    // Writing to a connection that was reset fails before a byte is sent.
    let (result, written) = run(Action::Reset, 1);
    assert_eq!((result.unwrap().as_str(), written), ("here", 2));
    let (result, _) = run(Action::Reset, 2);
    assert_eq!(result.unwrap(), "here");
    // Writing to one that was closed succeeds, and nobody knows who got it.
    let (result, _) = run(Action::Close, 1);
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.may_have_executed());
    assert_eq!(client.send(words("ECHO on")).unwrap(), "on");
}

#[test]
fn a_call_under_way_when_the_server_dies_is_indeterminate() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(Config::from_url(&server.url()).unwrap());
    thread::scope(|scope| {
        let popping = scope.spawn(|| client.send(words("BLPOP dies 0")));
        until("the server waits", || {
            info(&server, "blocked_clients") == "1"
        });
        server.kill().unwrap();
        let error = popping.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(error.may_have_executed());
    });
}

#[test]
fn credentials_are_used_and_never_shown() {
    for variant in Variant::ALL {
        let server = Server::builder(variant)
            .config("requirepass", secret("default"))
            .start()
            .unwrap();
        let password = format!(">{}", secret("me"));
        let acl = ["ACL", "SETUSER", "me", "on", &password, "+@all"].map(str::as_bytes);
        server.command(&acl).unwrap();
        let config = Config::from_url(&server.url()).unwrap();
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let config = config.clone().protocol(protocol);
            let ping = |config: Config| Client::from_config(config).send(words("PING"));
            assert_eq!(
                ping(config.clone().password(secret("default"))).unwrap(),
                "PONG"
            );
            let me = config.clone().username("me");
            assert_eq!(ping(me.clone().password(secret("me"))).unwrap(), "PONG");
            for refused in [
                config.clone(),
                config.clone().password(secret("wrong")),
                me.clone().password(secret("wrong")),
                config
                    .clone()
                    .username(secret("nobody"))
                    .password(secret("default")),
            ] {
                let error = ping(refused).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
                assert!(!error.may_have_executed());
                assert_absent("the error", &shown(&error));
            }
        }
    }
}

/// All that an error can tell.
fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(" {error} {error:?}");
        source = error.source();
    }
    text
}

#[test]
fn addresses_where_nobody_answers() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = Client::connect(&format!("redis://127.0.0.1:{closed}")).unwrap_err();
    assert_eq!(
        (error.kind(), error.may_have_executed()),
        (ErrorKind::Connect, false)
    );
    let error = Client::connect("unix:///nonexistent/redis.sock").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let error = Client::connect("redis://name.invalid").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let error = Client::connect("rediss://localhost").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let error = Client::from_config(Config::default().pool_max(0)).send(words("PING"));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);

    let by_name = Client::connect(&format!("redis://localhost:{}", server().port())).unwrap();
    assert_eq!(by_name.send(words("PING")).unwrap(), "PONG");
}

/// A peer that sends `greeting` once it was spoken to, and `reply` when it is again.
fn peer(greeting: &'static [u8], reply: &'static [u8]) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            for bytes in [greeting, b"+OK\r\n+OK\r\n", reply] {
                if !matches!(stream.read(&mut buffer), Ok(1..)) {
                    break;
                }
                let _ = stream.write_all(bytes);
            }
            let _ = stream.read(&mut buffer);
        }
    });
    Client::from_config(Config::tcp("127.0.0.1", port).response_timeout(Duration::from_secs(2)))
}

#[test]
fn peers_that_do_not_speak_resp() {
    let web = peer(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"");
    assert_eq!(
        web.send(words("PING")).unwrap_err().kind(),
        ErrorKind::Connect
    );

    for (reply, what) in [
        (&b"!garbage\r\n"[..], "no RESP"),
        (b"$99999999999999\r\n", "a string beyond the limit"),
        (b"*2\r\n+a\r\n?", "no RESP inside"),
    ] {
        let error = peer(b"%0\r\n", reply).send(words("PING")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{what}: {error}");
        assert!(error.may_have_executed(), "{what}");
    }

    // One reply too many: the caller's is right, and nobody gets the other.
    let client = peer(b"%0\r\n", b"+PONG\r\n+stray\r\n");
    for _ in 0..5 {
        assert_eq!(client.send(words("PING")).unwrap(), "PONG");
    }
}

#[test]
fn connections_of_calls_that_failed_do_not_use_up_the_pool() {
    let server = Server::start(Variant::Redis70).unwrap();
    let config = hasty(&server)
        .pool_max(2)
        .response_timeout(Duration::from_millis(30));
    let client = Client::from_config(config.connect_timeout(Duration::from_millis(30)));
    server.pause().unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let error = client.send(words("PING")).unwrap_err();
                assert!(error.is_timeout() || error.is_connection(), "{error}");
            });
        }
        thread::sleep(Duration::from_millis(300));
        server.resume().unwrap();
    });
    let config = Config::from_url(&server.url()).unwrap();
    until("the server answers", || {
        Client::from_config(config.clone())
            .send(words("PING"))
            .is_ok()
    });
    // Its times are short for a busy machine.
    until("both places are used", || {
        let both = [client.dedicated(), client.dedicated()];
        both.into_iter()
            .all(|one| one.and_then(|one| one.send(words("PING"))).is_ok())
    });
}

#[test]
fn values_are_bytes_whatever_they_look_like() {
    let client = client();
    for value in [
        "",
        "\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "a\0b",
        "+OK\r\n",
        "$-1\r\n",
    ] {
        let set: Words = args(&["SET", "bytes", value]);
        client.send(set).unwrap();
        assert_eq!(client.send(words("GET bytes")).unwrap(), value);
    }
}
