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

use crate::support::{args, client, until, words};

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
    let url = format!("{url}?response_timeout=100ms");
    let client = Client::connect(&url).await.unwrap();
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
    if let Err(error) = missing.await.unwrap() {
        found |= error.kind() == ErrorKind::Protocol;
    }
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
