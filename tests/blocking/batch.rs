//! Pipelines and transactions over the blocking client.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use respec::{Config, ErrorKind, blocking::Client};

use crate::support::{args, client, hasty, server, words};

#[test]
fn a_pipeline_answers_as_its_batch_is_made() {
    let client = client();
    client.send(words("DEL batch:n")).unwrap();
    let pair = client
        .pipeline((words("INCR batch:n"), words("ECHO x")))
        .send()
        .unwrap();
    assert_eq!(pair, ("1".to_owned(), "x".to_owned()));
    let list = client
        .pipeline((0..100).map(|n| args(&["ECHO", &n.to_string()])))
        .send()
        .unwrap();
    assert_eq!(list, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    let none: [crate::support::Words; 0] = [];
    assert!(client.pipeline(none).send().unwrap().is_empty());
}

#[test]
fn the_errors_of_single_commands_are_kept_apart_on_request() {
    let client = client();
    let batch = || {
        [
            words("SET batch:s v"),
            words("INCR batch:s"),
            words("GET batch:s"),
        ]
    };
    let first = client.pipeline(batch()).send().unwrap_err();
    assert_eq!((first.code(), first.command()), (Some("ERR"), Some("INCR")));
    let each = client.pipeline(batch()).results().send().unwrap();
    assert_eq!(each[0].as_deref().unwrap(), "OK");
    assert_eq!(each[1].as_ref().unwrap_err().command(), Some("INCR"));
    assert_eq!(each[2].as_deref().unwrap(), "v");
}

#[test]
fn a_transaction_is_all_or_nothing_until_it_runs() {
    let client = client();
    client.send(words("DEL batch:t")).unwrap();
    let both = client
        .transaction((words("INCR batch:t"), words("GET batch:t")))
        .send()
        .unwrap();
    assert_eq!(both, ("1".to_owned(), "1".to_owned()));
    let refused = client
        .transaction((words("INCR batch:t"), words("GET")))
        .send()
        .unwrap_err();
    assert_eq!(
        (refused.kind(), refused.command()),
        (ErrorKind::Server, Some("GET"))
    );
    assert_eq!(client.send(words("GET batch:t")).unwrap(), "1");
    let select = client.transaction([words("SELECT 1")]).send().unwrap_err();
    assert_eq!(select.kind(), ErrorKind::Refused);
}

#[test]
fn a_hundred_thousand_commands_with_large_replies() {
    let client = client();
    let value = "v".repeat(1000);
    client.send(args(&["SET", "batch:large", &value])).unwrap();
    let get = args(&["GET", "batch:large"]);
    let replies = client.pipeline((0..100_000).map(|_| &get)).send().unwrap();
    assert_eq!(replies.len(), 100_000);
    assert!(replies.iter().all(|reply| *reply == value));

    // And requests that are large as well.
    let echo = args(&["ECHO", &"e".repeat(1 << 20)]);
    let replies = client.pipeline((0..50).map(|_| &echo)).send().unwrap();
    assert!(replies.iter().all(|reply| reply.len() == 1 << 20));
    assert_eq!(client.send(words("PING")).unwrap(), "PONG");
}

/// Passes bytes on in one thread, and so reads nothing while the other side does not take what was
/// read before.
fn narrow_proxy(listener: TcpListener, server: std::net::SocketAddr) {
    let (client, _) = listener.accept().unwrap();
    let server = TcpStream::connect(server).unwrap();
    for side in [&client, &server] {
        let socket = socket2::SockRef::from(side);
        socket.set_recv_buffer_size(64 << 10).unwrap();
        socket.set_send_buffer_size(64 << 10).unwrap();
    }
    let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
    let (mut from_server, mut to_server) = (server.try_clone().unwrap(), server);
    // One thread for both directions: it blocks in either.
    from_client
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    from_server
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    let mut buffer = [0; 32 << 10];
    loop {
        for (from, to) in [
            (&mut from_client, &mut to_server),
            (&mut from_server, &mut to_client),
        ] {
            match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => {
                    if to.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
                Err(_) => {}
            }
        }
    }
}

#[test]
fn a_peer_that_must_be_read_from_before_it_reads_does_not_hang_a_pipeline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = server().addr();
    let proxy = thread::spawn(move || narrow_proxy(listener, target));
    let client = Client::from_config(
        Config::tcp("127.0.0.1", port).response_timeout(Duration::from_secs(20)),
    );
    // More than all buffers between the two ends can hold.
    let echo = args(&["ECHO", &"e".repeat(64 << 10)]);
    let replies = client.pipeline((0..400).map(|_| &echo)).send().unwrap();
    assert_eq!(replies.len(), 400);
    assert!(replies.iter().all(|reply| reply.len() == 64 << 10));
    drop(client);
    proxy.join().unwrap();
}

#[test]
fn a_watched_key_that_changes_aborts_the_transaction() {
    let client = client();
    let dedicated = client.dedicated().unwrap();
    dedicated.send(words("SET batch:w 1")).unwrap();
    dedicated.send(words("WATCH batch:w")).unwrap();
    client.send(words("SET batch:w 2")).unwrap();
    let error = dedicated
        .transaction([words("SET batch:w 3")])
        .send()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Aborted);
    assert_eq!(client.send(words("GET batch:w")).unwrap(), "2");

    dedicated.send(words("WATCH batch:w")).unwrap();
    let done = dedicated
        .transaction((words("INCR batch:w"),))
        .send()
        .unwrap();
    assert_eq!(done, ("3".to_owned(),));
}

#[test]
fn a_pipeline_that_takes_too_long_fails_as_one() {
    let client = Client::from_config(hasty(server()).pool_max(1));
    let slow = [words("ECHO a"), words("DEBUG SLEEP 0.5"), words("ECHO b")];
    let error = client.pipeline(slow).results().send().unwrap_err();
    assert!(error.is_timeout() && error.may_have_executed(), "{error}");
    let patient = crate::support::client();
    assert_eq!(patient.send(words("PING")).unwrap(), "PONG");
    assert_eq!(client.send(words("ECHO c")).unwrap(), "c");
}
