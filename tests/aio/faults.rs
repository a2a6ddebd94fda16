//! What goes wrong around a client: lost connections, silence, futures that are dropped.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    pin::pin,
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use respec::{
    Client, Config, ErrorKind, Integrity, Phase,
    command::{Command, Detached, Info},
    reply::DecodeError,
    resp::{Reply, Writer},
};
use respec_testkit::{Server, Variant};
use tokio::{runtime, task};

use crate::support::{args, client, hasty, until, words};

/// Polls a future so many times, letting the other tasks run in between, and drops it.
async fn drop_after<T>(future: impl Future<Output = T>, polls: usize, turns: usize) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        // Not kept over the turns, so that a task with it can move to another thread.
        let result = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(result) = result {
            return Some(result);
        }
        for _ in 0..turns {
            task::yield_now().await;
        }
    }
    None
}

#[tokio::test]
async fn dropped_futures_shift_nobodys_reply() {
    let client = client().await;
    client.send(words("SET dropped:s text")).await.unwrap();
    client.send(words("RPUSH dropped:l a b c")).await.unwrap();
    for polls in 0..6 {
        for turns in 0..4 {
            for kind in 0..7 {
                let tag = format!("{polls}-{turns}-{kind}");
                let neighbour = client.clone();
                let echo = args(&["ECHO", &tag]);
                let other = tokio::spawn(async move { neighbour.send(echo).await });
                match kind {
                    0 => drop(drop_after(client.send(words("GET dropped:s")), polls, turns).await),
                    1 => drop(drop_after(client.send(words("INCR dropped:n")), polls, turns).await),
                    2 => {
                        let range = client.send(words("LRANGE dropped:l 0 -1"));
                        drop(drop_after(range, polls, turns).await);
                    }
                    3 => drop(drop_after(client.send(words("INCR dropped:s")), polls, turns).await),
                    4 => {
                        let pipeline = client.pipeline((words("GET dropped:s"), words("PING")));
                        drop(drop_after(pipeline.into_future(), polls, turns).await);
                    }
                    5 => {
                        let transaction =
                            client.transaction([words("INCR dropped:n"), words("GET dropped:s")]);
                        drop(drop_after(transaction.into_future(), polls, turns).await);
                    }
                    _ => {
                        let pop = client.send(words("BLPOP dropped:none 0"));
                        drop(drop_after(pop, polls, turns).await);
                    }
                }
                let mine = args(&["ECHO", &format!("after {tag}")]);
                assert_eq!(client.send(mine).await.unwrap(), format!("after {tag}"));
                assert_eq!(other.await.unwrap().unwrap(), tag);
            }
        }
    }
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn futures_dropped_under_load_shift_nobodys_reply() {
    let client = client().await;
    let mut tasks = Vec::new();
    for task in 0..16 {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            let mut numbers = Numbers(task);
            for round in 0..1_000 {
                let tag = format!("{task}-{round}");
                let echo = || args(&["ECHO", &tag]);
                let (polls, turns) = (numbers.below(4), numbers.below(3));
                match numbers.below(4) {
                    0 => {
                        let reply = drop_after(client.send(echo()), polls, turns).await;
                        assert!(reply.is_none_or(|reply| reply.unwrap() == tag));
                    }
                    1 => {
                        let pair = client.pipeline((echo(), words("PING")));
                        let reply = drop_after(pair.into_future(), polls, turns).await;
                        assert!(reply.is_none_or(|reply| reply.unwrap().0 == tag));
                    }
                    2 => {
                        let pair = client.transaction((words("PING"), echo())).await.unwrap();
                        assert_eq!(pair, ("PONG".to_owned(), tag));
                    }
                    _ => assert_eq!(client.send(echo()).await.unwrap(), tag),
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// A command of a user who made a mistake.
struct Panics;

impl Command for Panics {
    type Via = Detached;
    type Reply = ();

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        Info::UNKNOWN
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.word(b"ECHO");
        panic!("a mistake");
    }

    fn read(&self, _: Reply<'_>) -> std::result::Result<(), DecodeError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_panic_while_encoding_hurts_nobody_else() {
    let client = client().await;
    for round in 0..10 {
        let tag = format!("panic {round}");
        let (one, other) = (client.clone(), client.clone());
        let echo = args(&["ECHO", &tag]);
        let echo = tokio::spawn(async move { one.send(echo).await });
        let panics = tokio::spawn(async move { other.send(Panics).await });
        assert!(panics.await.unwrap_err().is_panic());
        assert_eq!(echo.await.unwrap().unwrap(), tag);
        assert_eq!(client.send(words("PING")).await.unwrap(), "PONG");
    }
}

#[tokio::test]
async fn what_is_dropped_before_it_is_written_is_not_sent() {
    let client = client().await;
    client.send(words("SET unsent 0")).await.unwrap();
    for _ in 0..10 {
        // Behind a call that was written at once, one poll puts it into the output; the driver has
        // had no turn yet.
        let mut before = pin!(client.send(words("PING")));
        assert!(
            before
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        drop_after(client.send(words("INCR unsent")), 1, 0).await;
        assert_eq!(before.await.unwrap(), "PONG");
    }
    assert_eq!(client.send(words("GET unsent")).await.unwrap(), "0");
}

#[tokio::test]
async fn late_replies_are_swallowed_and_the_connection_is_kept() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(hasty(&server));
    let id = client.send(words("CLIENT ID")).await.unwrap();
    for round in 0..3 {
        server.pause().unwrap();
        let start = Instant::now();
        let mut calls = Vec::new();
        for call in 0..21 {
            let client = client.clone();
            calls.push(tokio::spawn(async move {
                if call == 20 {
                    let batch = client.pipeline((words("PING"), words("ECHO late")));
                    return Ok(batch.await?.1);
                }
                client.send(words("ECHO late")).await
            }));
        }
        for call in calls {
            let error = call.await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Reply));
            assert!(error.may_have_executed());
        }
        assert!(start.elapsed() >= Duration::from_millis(200));
        server.resume().unwrap();
        for call in 0..50 {
            let tag = format!("{round}-{call}");
            until_answered(&client, &tag).await;
        }
        assert_eq!(client.send(words("CLIENT ID")).await.unwrap(), id);
    }
}

/// Echoes `tag`; time-outs are possible while the server catches up, wrong answers are not.
async fn until_answered(client: &Client, tag: &str) {
    until("the server answers again", async || {
        match client.send(args(&["ECHO", tag])).await {
            Ok(reply) => {
                assert_eq!(reply, tag);
                true
            }
            Err(error) => {
                assert!(error.is_timeout(), "{error}");
                false
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_killed_server_fails_what_is_in_flight_and_is_found_again() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::connect(&server.url()).await.unwrap();
    server.pause().unwrap();
    let mut calls = Vec::new();
    for _ in 0..10 {
        let client = client.clone();
        calls.push(tokio::spawn(
            async move { client.send(words("INCR n")).await },
        ));
    }
    // Their turns come before ours: they have sent, and the driver has written.
    for _ in 0..10 {
        task::yield_now().await;
    }
    server.kill().unwrap();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        assert!(error.may_have_executed());
        assert_eq!(error.command(), Some("INCR"));
    }
    let error = client.send(words("PING")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(!error.may_have_executed());

    server.restart().unwrap();
    assert_eq!(client.send(words("PING")).await.unwrap(), "PONG");
}

#[tokio::test]
async fn a_connection_that_is_closed_while_idle_is_replaced() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::connect(&server.url()).await.unwrap();
    for _ in 0..50 {
        let id = client.send(words("CLIENT ID")).await.unwrap();
        server
            .command(&[b"CLIENT", b"KILL", b"ID", id.as_bytes()])
            .unwrap();
        // The driver may not have seen the end yet; what is lost then is told truly.
        until("there is a new connection", async || {
            match client.send(words("CLIENT ID")).await {
                Ok(other) => other != id,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Connection);
                    assert!(error.may_have_executed());
                    false
                }
            }
        })
        .await;
    }
}

/// Accepts one connection, greets, and lets `talk` do the rest.
fn hostile(talk: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || talk(greet(&listener)));
    format!("redis://127.0.0.1:{port}")
}

/// Accepts a connection and answers its handshake.
fn greet(listener: &TcpListener) -> TcpStream {
    let (mut socket, _) = listener.accept().unwrap();
    let mut buffer = [0; 1024];
    let mut read = 0;
    while read < 15 {
        read += socket.read(&mut buffer).unwrap();
    }
    socket.write_all(b"%1\r\n+proto\r\n:3\r\n").unwrap();
    let _ = socket.read(&mut buffer).unwrap();
    socket.write_all(b"+OK\r\n+OK\r\n").unwrap();
    socket
}

fn read_some(socket: &mut TcpStream) {
    let mut buffer = [0; 1024];
    assert!(socket.read(&mut buffer).unwrap() > 0);
}

/// The same server for a client that does not go on for long once it is gone.
fn brief(url: &str) -> String {
    format!("{url}?response_timeout=200ms")
}

#[tokio::test]
async fn replies_that_were_complete_count_and_the_others_do_not() {
    let url = hostile(|mut socket| {
        read_some(&mut socket);
        socket.write_all(b"+one\r\n$5\r\ntw").unwrap();
        socket.shutdown(Shutdown::Both).unwrap();
    });
    let client = Client::connect(&brief(&url)).await.unwrap();
    let (one, two) = tokio::join!(client.send(words("GET 1")), client.send(words("GET 2")));
    assert_eq!(one.unwrap(), "one");
    let error = two.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.may_have_executed());
}

#[tokio::test]
async fn a_connection_that_ends_at_any_byte_keeps_what_was_complete() {
    let train: &[u8] = b"+one\r\n$3\r\ntwo\r\n*2\r\n:3\r\n_\r\n-ERR four\r\n%1\r\n+f\r\n+v\r\n";
    // Where the replies end.
    let ends = [6, 15, 26, 37, train.len()];
    for length in 0..=train.len() {
        let url = hostile(move |mut socket| {
            let mut read = 0;
            while read < 5 * 24 {
                read += socket.read(&mut [0; 1024]).unwrap();
            }
            socket.write_all(&train[..length]).unwrap();
            socket.shutdown(Shutdown::Both).unwrap();
        });
        let client = Client::connect(&brief(&url)).await.unwrap();
        // Each is 24 bytes on the wire.
        let get = |n: usize| client.send(words(&format!("GET key:{n}")));
        let (one, two, three, four, five) = tokio::join!(get(1), get(2), get(3), get(4), get(5));
        let results = [one, two, three, four, five];
        for (result, end) in results.into_iter().zip(ends) {
            let lost = result.as_ref().is_err_and(|error| error.code().is_none());
            assert_eq!(lost, length < end, "{length} of {end}: {result:?}");
            if lost {
                let error = result.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Connection);
                assert!(error.may_have_executed());
            }
        }
    }
}

/// A server that greets and then never reads again, until it is told to close.
fn deaf() -> (String, mpsc::Sender<()>) {
    let (close, closed) = mpsc::channel();
    let url = hostile(move |socket| {
        let _ = closed.recv();
        drop(socket);
    });
    (url, close)
}

#[tokio::test]
async fn a_command_behind_a_full_socket_was_not_sent() {
    let (url, close) = deaf();
    let config = Config::from_url(&url).unwrap().response_timeout(None);
    let dedicated = Client::from_config(config).dedicated().await.unwrap();
    let large = "x".repeat(32 << 20);
    let mut first = pin!(dedicated.send(args(&["SET", "k", &large])));
    let mut second = pin!(dedicated.send(words("GET k")));
    // The first is taken for writing before the second is appended.
    let mut cx = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut cx).is_pending());
    task::yield_now().await;
    assert!(second.as_mut().poll(&mut cx).is_pending());
    close.send(()).unwrap();
    let error = first.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.may_have_executed());
    let error = second.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(!error.may_have_executed());
}

#[tokio::test]
async fn what_was_not_sent_is_sent_once_more_on_another_connection() {
    let (close, closed) = mpsc::channel::<()>();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "redis://127.0.0.1:{}",
        listener.local_addr().unwrap().port()
    );
    thread::spawn(move || {
        let deaf = greet(&listener);
        let _ = closed.recv();
        drop(deaf);
        let mut second = greet(&listener);
        read_some(&mut second);
        second.write_all(b"+two\r\n").unwrap();
        let _ = second.read(&mut [0; 16]);
    });
    let client = Client::connect(&url).await.unwrap();
    let large = "x".repeat(32 << 20);
    let mut first = pin!(client.send(args(&["SET", "k", &large])));
    let mut second = pin!(client.send(words("INCR k")));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut cx).is_pending());
    task::yield_now().await;
    assert!(second.as_mut().poll(&mut cx).is_pending());
    close.send(()).unwrap();
    let error = first.await.unwrap_err();
    assert!(error.may_have_executed());
    assert_eq!(second.await.unwrap(), "two");
}

#[tokio::test]
async fn waiting_for_a_full_socket_has_a_limit() {
    let (url, _close) = deaf();
    let config = Config::from_url(&url).unwrap();
    let client = Client::from_config(config.response_timeout(Duration::from_millis(100)));
    let large = "x".repeat(32 << 20);
    let mut first = pin!(client.send(args(&["SET", "k", &large])));
    let mut cx = Context::from_waker(Waker::noop());
    while first.as_mut().poll(&mut cx).is_pending() && !format!("{first:?}").contains("reply") {
        task::yield_now().await;
    }
    task::yield_now().await;
    let error = client.send(words("GET k")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Write));
    assert!(!error.may_have_executed());
    let error = first.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Reply));
    assert!(error.may_have_executed());
}

#[tokio::test]
async fn a_reply_that_nobody_asked_for_ends_the_connection() {
    let url = hostile(|mut socket| {
        read_some(&mut socket);
        socket.write_all(b"+one\r\n+extra\r\n").unwrap();
        let _ = socket.read(&mut [0; 16]);
    });
    let client = Client::connect(&url).await.unwrap();
    assert_eq!(client.send(words("GET 1")).await.unwrap(), "one");
    // Nobody accepts a second connection.
    until("the connection is gone", async || {
        client.send(words("GET 2")).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_no_resp_end_the_connection() {
    let url = hostile(|mut socket| {
        read_some(&mut socket);
        socket.write_all(b"+one\r\n?what\r\n").unwrap();
        let _ = socket.read(&mut [0; 16]);
    });
    let client = Client::connect(&brief(&url)).await.unwrap();
    let (one, two) = tokio::join!(client.send(words("GET 1")), client.send(words("GET 2")));
    assert_eq!(one.unwrap(), "one");
    let error = two.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.may_have_executed());
}

#[tokio::test]
async fn a_server_that_does_not_greet_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Config::tcp("127.0.0.1", port).connect_timeout(Duration::from_millis(100));
    let client = Client::from_config(config);
    let error = client.send(words("PING")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Connect));
    assert!(!error.may_have_executed());
    let error = client.dedicated().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Connect));
}

#[test]
fn a_client_outlives_its_runtime() {
    let server = Server::start(Variant::Redis70).unwrap();
    let start = || {
        runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let first = start();
    let client = first.block_on(Client::connect(&server.url())).unwrap();
    let second = start();
    assert_eq!(second.block_on(client.send(words("PING"))).unwrap(), "PONG");

    server.pause().unwrap();
    let caller = client.clone();
    let call = second.spawn(async move { caller.send(words("PING")).await });
    thread::sleep(Duration::from_millis(50));
    first.shutdown_background();
    let error = second.block_on(call).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    assert!(error.may_have_executed());

    server.resume().unwrap();
    assert_eq!(second.block_on(client.send(words("PING"))).unwrap(), "PONG");
}

#[tokio::test]
async fn dropping_the_client_closes_its_connections() {
    let server = Server::start(Variant::Redis70).unwrap();
    let connected = || crate::support::info(&server, "connected_clients");
    let before = connected();
    let client = Client::connect(&server.url()).await.unwrap();
    let dedicated = client.dedicated().await.unwrap();
    dedicated.send(words("PING")).await.unwrap();
    drop(client);
    assert_eq!(dedicated.send(words("PING")).await.unwrap(), "PONG");
    drop(dedicated);
    until("all connections are closed", async || connected() == before).await;
}

/// A command that no server answers, as a module's may be.
struct Unanswered;

impl Command for Unanswered {
    type Via = Detached;
    type Reply = ();

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        Info::UNKNOWN
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.word(b"REPLCONF");
        to.word(b"ACK");
        to.word(b"0");
    }

    fn read(&self, _: Reply<'_>) -> std::result::Result<(), DecodeError> {
        Ok(())
    }
}

/// Has one reply too few for a while: how many calls got another's, and whether that was found out.
async fn with_a_missing_reply(config: Config) -> (usize, bool) {
    let client = Client::from_config(config);
    client.send(words("PING")).await.unwrap();
    let other = client.clone();
    let missing = tokio::spawn(async move { other.send(Unanswered).await });
    let (mut wrong, mut found) = (0, false);
    for number in 0..2_000 {
        let tag = format!("{number}");
        // A script is not sent again, so that the error is seen.
        let echo = args(&["EVAL", "return ARGV[1]", "0", &tag]);
        match client.send(echo).await {
            Ok(reply) => {
                wrong += usize::from(reply != tag);
                assert!(!found || reply == tag, "nothing wrong comes behind that");
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
                found = true;
            }
        }
        if !found {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    }
    // It got the reply to another call, or learned that there is none.
    let _ = missing.await.unwrap();
    (wrong, found)
}

#[tokio::test]
async fn c02_a_missing_reply_is_found_out_within_a_heartbeat() {
    let server = Server::start(Variant::Redis70).unwrap();
    let config = Config::from_url(&server.url()).unwrap();
    let (wrong, found) = with_a_missing_reply(config.heartbeat(Duration::from_millis(20))).await;
    assert!(found);
    assert!(wrong < 2_000, "{wrong} of 2000");
}

#[tokio::test]
async fn c02_with_integrity_of_batches_no_reply_is_anothers() {
    let server = Server::start(Variant::Redis70).unwrap();
    let config = Config::from_url(&server.url()).unwrap();
    let (wrong, found) = with_a_missing_reply(config.integrity(Integrity::Batch)).await;
    assert_eq!((wrong, found), (0, true));
}

#[tokio::test]
async fn c06_a_server_that_never_answers_is_left_for_another_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mute = greet(&listener);
        let mut second = greet(&listener);
        read_some(&mut second);
        second.write_all(b"+here\r\n").unwrap();
        let _ = second.read(&mut [0; 16]);
        drop(mute);
    });
    let config = Config::tcp("127.0.0.1", port)
        .response_timeout(Duration::from_secs(20))
        .heartbeat(Duration::from_millis(20))
        .silence_timeout(Duration::from_millis(100));
    let client = Client::from_config(config);
    let error = client.send(words("INCR n")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.may_have_executed());
    assert!(
        error.to_string().contains("has sent nothing for"),
        "{error}"
    );
    assert_eq!(client.send(words("PING")).await.unwrap(), "here");
}

#[tokio::test]
async fn c06_a_server_that_answers_in_time_keeps_its_connection() {
    let server = Server::start(Variant::Redis70).unwrap();
    let config = Config::from_url(&server.url())
        .unwrap()
        .heartbeat(Duration::from_millis(10))
        .silence_timeout(Duration::from_secs(5));
    let client = Client::from_config(config);
    let id = client.send(words("CLIENT ID")).await.unwrap();
    server.pause().unwrap();
    let caller = client.clone();
    let call = tokio::spawn(async move { caller.send(words("PING")).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.resume().unwrap();
    assert_eq!(call.await.unwrap().unwrap(), "PONG");
    assert_eq!(client.send(words("CLIENT ID")).await.unwrap(), id);
}

#[test]
fn c01_a_deadline_holds_where_nobody_drives_the_connection_and_another_is_made() {
    let server = Server::start(Variant::Redis70).unwrap();
    let config = Config::from_url(&server.url())
        .unwrap()
        .response_timeout(Duration::from_millis(300));
    let build = || {
        runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    // Its tasks run only while somebody is in `block_on`.
    let forgotten = build();
    let client = Client::from_config(config);
    forgotten.block_on(client.send(words("PING"))).unwrap();
    let other = build();
    let start = Instant::now();
    let error = other.block_on(client.send(words("PING"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Reply));
    assert!(start.elapsed() < Duration::from_secs(5), "{error}");
    other.block_on(until("there is a connection that is driven", async || {
        client.send(words("PING")).await.is_ok()
    }));
}
