//! The proxy does what it is told, to the byte, and knows what it has handed over.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use respec_testkit::oracle::{Deliveries, Told};
use respec_testkit::proxy::{Action, At, End, Link, Proxy, Record, Rule, Way};
use respec_testkit::{Server, Variant, shared};

#[test]
fn what_nobody_touches_passes_in_all_sizes() {
    for variant in Variant::ALL {
        let (proxy, mut client, _) = connected(variant);
        for size in [0, 1, 100, 5_000, 3_000_000] {
            let value = vec![b'v'; size];
            client.send(&[b"SET", b"proxy:large", &value]);
            assert_eq!(client.reply(), b"+OK\r\n");
            client.send(&[b"GET", b"proxy:large"]);
            let reply = [format!("${size}\r\n").as_bytes(), &value, b"\r\n"].concat();
            assert!(client.read(reply.len()) == reply, "{size}");
        }
        let traffic = proxy.traffic();
        assert_eq!((traffic.malformed(), traffic.unasked()), (0, 0));
        assert!(traffic.records().all(|record| record.request.is_whole()
            && record.reply.is_whole()
            && record.answered.is_some()));
    }
}

#[test]
fn the_ledger_knows_every_byte_of_every_command() {
    let (proxy, mut client, link) = connected(Variant::Redis82);
    client.send_all(&[
        &[b"SET", b"proxy:a", b"1"],
        &[b"ECHO", b"tag"],
        &[b"GET", b"proxy:a"],
    ]);
    client.read(5 + 9 + 7);
    let records = records(&proxy, 3);
    let names: Vec<_> = records.iter().map(Record::name).collect();
    assert_eq!(names, ["SET", "ECHO", "GET"]);
    let request = |at: usize| records[at].request;
    let lengths = [request(0).length, request(1).length, request(2).length];
    assert_eq!(lengths, [Some(33), Some(23), Some(26)]);
    let replies: Vec<_> = records
        .iter()
        .map(|record| record.reply.delivered)
        .collect();
    assert_eq!(replies, [5, 9, 7]);
    assert!(records[1].has(b"tag") && !records[1].has(b"ta") && !records[0].has(b"SET"));
    assert_eq!(records[0].words(), [&b"SET"[..], b"proxy:a", b"1"]);
    assert_eq!(link.in_flight(), 0);
}

#[test]
fn replies_are_cut_at_every_byte_in_three_ways() {
    let train = [&b"$5\r\nhello\r\n"[..], b":1\r\n", b"$-1\r\n"].concat();
    for action in [Action::Reset, Action::Close, Action::HalfClose] {
        for passing in 0..train.len() {
            let (proxy, mut client, link) = connected(Variant::Redis70);
            client.send(&[b"DEL", b"proxy:cut"]);
            client.reply();
            let at = At::reply(0).plus(passing as u64);
            link.arm(Rule::new(at, action.clone()));
            client.send_all(&[
                &[b"ECHO", b"hello"],
                &[b"INCR", b"proxy:cut"],
                &[b"GET", b"proxy:none"],
            ]);
            let (read, end) = client.read_to_end();
            assert_eq!(read, &train[..passing], "{action:?}");
            let is_reset = matches!(action, Action::Reset);
            assert_eq!(
                end.is_some(),
                is_reset,
                "{action:?} after {passing}: {end:?}"
            );
            // The ledger agrees, and the server has run all that it was given.
            let records = records(&proxy, 4).split_off(1);
            let delivered: u64 = records.iter().map(|record| record.reply.delivered).sum();
            assert_eq!(delivered, passing as u64, "{action:?}");
            assert!(records.iter().all(|record| record.request.is_whole()));
            let traffic = proxy.traffic();
            let fault = traffic.faults().last().unwrap();
            let whole = [11, 15].iter().filter(|end| **end <= passing).count();
            assert_eq!(fault.in_flight, 3 - whole, "{action:?} after {passing}");
            assert_eq!(fault.connection, link.number());
        }
    }
}

#[test]
fn requests_are_cut_at_every_byte() {
    let server = shared(Variant::Valkey91);
    let train = [
        request(&[b"RPUSH", b"proxy:list", b"one"]),
        request(&[b"RPUSH", b"proxy:list", b"two"]),
    ];
    let first = train[0].len() as u64;
    let train = train.concat();
    for passing in 0..=train.len() as u64 {
        server.command(&[b"DEL", b"proxy:list"]).unwrap();
        let (proxy, mut client, link) = connected(Variant::Valkey91);
        link.arm(Rule::new(
            At::now(Way::Requests).plus(passing),
            Action::Reset,
        ));
        let sent = client.socket.write_all(&train);
        let (_, end) = client.read_to_end();
        assert!(sent.is_err() || end.is_some(), "after {passing}");
        let delivered = |traffic: &respec_testkit::proxy::Traffic| {
            let records = traffic.records();
            records
                .map(|record| record.request.delivered)
                .filter(|bytes| *bytes > 0)
                .collect::<Vec<_>>()
        };
        let delivered = delivered(&proxy.traffic());
        let expected = match passing {
            0 => vec![],
            part if part <= first => vec![part],
            more => vec![first, more - first],
        };
        assert_eq!(delivered, expected);
        let whole = expected.iter().filter(|bytes| **bytes == first).count();
        until("the server has done what was whole", || {
            let length = server.command(&[b"LLEN", b"proxy:list"]).unwrap();
            length == format!(":{whole}\r\n").into_bytes()
        });
    }
}

#[test]
fn every_place_is_found() {
    let (_proxy, mut client, link) = connected(Variant::Redis82);
    let mut expect = |at: At, expected: &str| {
        link.arm(Rule::new(at, Action::Inject(b"+!\r\n".to_vec())));
        client.send_all(&[
            &[b"ECHO", b"a"],
            &[b"MGET", b"proxy:x", b"proxy:y"],
            &[b"echo", b"b"],
        ]);
        let replies = "$1\\r\\na\\r\\n*2\\r\\n$-1\\r\\n$-1\\r\\n$1\\r\\nb\\r\\n";
        let length = replies.replace("\\r\\n", "__").len() + 4;
        let read = client.read(length);
        assert_eq!(read.escape_ascii().to_string(), expected);
    };
    expect(
        At::now(Way::Replies),
        r"+!\r\n$1\r\na\r\n*2\r\n$-1\r\n$-1\r\n$1\r\nb\r\n",
    );
    expect(
        At::reply(0).plus(1),
        r"$+!\r\n1\r\na\r\n*2\r\n$-1\r\n$-1\r\n$1\r\nb\r\n",
    );
    expect(
        At::reply(2),
        r"$1\r\na\r\n*2\r\n$-1\r\n$-1\r\n+!\r\n$1\r\nb\r\n",
    );
    expect(
        At::after_reply(0),
        r"$1\r\na\r\n+!\r\n*2\r\n$-1\r\n$-1\r\n$1\r\nb\r\n",
    );
    expect(
        At::inside_reply(0),
        r"$1\r\na\r\n*2\r\n+!\r\n$-1\r\n$-1\r\n$1\r\nb\r\n",
    );
    expect(
        At::inside_reply(1),
        r"$1\r\na\r\n*2\r\n$-1\r\n+!\r\n$-1\r\n$1\r\nb\r\n",
    );
    expect(
        At::reply_to("mget"),
        r"$1\r\na\r\n+!\r\n*2\r\n$-1\r\n$-1\r\n$1\r\nb\r\n",
    );
    expect(
        At::reply_to("ECHO").after(1),
        r"$1\r\na\r\n*2\r\n$-1\r\n$-1\r\n+!\r\n$1\r\nb\r\n",
    );
}

#[test]
fn places_among_requests_are_found_before_they_pass() {
    // A request is put in front of another, and what is injected has a reply of its own.
    for (at, expected) in [
        (At::request(1), "a!bc"),
        (At::after_request(1), "ab!c"),
        (At::command("ECHO").after(2), "ab!c"),
        (At::command("echo"), "!abc"),
    ] {
        for piece in [1, 7, 1000] {
            let (_proxy, mut client, link) = connected(Variant::Redis70);
            link.arm(Rule::new(
                at.clone(),
                Action::Inject(request(&[b"ECHO", b"!"])),
            ));
            let train = [b"a", b"b", b"c"]
                .map(|word| request(&[b"ECHO", word]))
                .concat();
            for piece in train.chunks(piece) {
                client.socket.write_all(piece).unwrap();
            }
            let expected = expected.chars().map(|word| format!("$1\r\n{word}\r\n"));
            let expected: String = expected.collect();
            assert_eq!(
                client.read(expected.len()),
                expected.as_bytes(),
                "{at:?} by {piece}"
            );
        }
    }
    // Ends the connection inside a command that is only known later.
    let (proxy, mut client, link) = connected(Variant::Redis70);
    link.arm(Rule::new(At::command("INCR").plus(2), Action::Reset));
    client.send_all(&[&[b"ECHO", b"a"], &[b"INCR", b"proxy:never"]]);
    client.read_to_end();
    let records = records(&proxy, 2);
    assert!(records[0].request.is_whole());
    assert_eq!(records[1].request.delivered, 2);
}

#[test]
fn a_rule_applies_once_or_again_and_again() {
    let (_proxy, mut client, link) = connected(Variant::Redis70);
    let at = || At::reply_to("ECHO").after(1);
    link.arm(Rule::new(at(), Action::Inject(b"+once\r\n".to_vec())));
    for expected in [
        b"$1\r\na\r\n".as_slice(),
        b"+once\r\n$1\r\na\r\n",
        b"$1\r\na\r\n",
    ] {
        client.send(&[b"ECHO", b"a"]);
        assert_eq!(client.read(expected.len()), expected);
    }
    link.arm(Rule::new(at(), Action::Inject(b"+each\r\n".to_vec())).each());
    for expected in [
        b"$1\r\na\r\n".as_slice(),
        b"+each\r\n$1\r\na\r\n",
        b"$1\r\na\r\n",
        b"+each\r\n$1\r\na\r\n",
    ] {
        client.send(&[b"ECHO", b"a"]);
        assert_eq!(client.read(expected.len()), expected);
    }
}

#[test]
fn frames_are_duplicated_dropped_and_swapped() {
    let words = ["one", "two", "three"];
    for (action, expected) in [
        (Action::Duplicate, vec!["one", "two", "two", "three"]),
        (Action::Drop, vec!["one", "three"]),
        (Action::Swap, vec!["one", "three", "two"]),
    ] {
        let (proxy, mut client, link) = connected(Variant::Redis82);
        link.arm(Rule::new(At::reply(1), action.clone()));
        for word in words {
            client.send(&[b"ECHO", word.as_bytes()]);
        }
        let bulk = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
        let expected: String = expected.iter().map(bulk).collect();
        assert_eq!(
            client.read(expected.len()),
            expected.as_bytes(),
            "{action:?}"
        );
        client.send(&[b"PING"]);
        assert_eq!(client.reply(), b"+PONG\r\n", "{action:?} is over");
        let traffic = proxy.traffic();
        assert_eq!(
            traffic.faults().len(),
            1,
            "{action:?}: {:?}",
            traffic.faults()
        );
        let answered = traffic.records().filter(|record| record.answered.is_some());
        let lost = usize::from(matches!(action, Action::Drop));
        assert_eq!(answered.count(), 4 - lost, "{action:?}");
    }
    // Without a place, the next reply is meant.
    let (_proxy, mut client, link) = connected(Variant::Redis82);
    link.act(Way::Replies, Action::Drop);
    client.send(&[b"ECHO", b"lost"]);
    client.send(&[b"PING"]);
    assert_eq!(client.reply(), b"+PONG\r\n");
}

#[test]
fn pushes_and_attributes_are_no_replies_of_their_own() {
    let (proxy, mut client, link) = connected(Variant::Redis82);
    client.send(&[b"HELLO", b"3"]);
    client.until(b"modules");
    client.send(&[b"CLIENT", b"TRACKING", b"ON"]);
    client.until(b"+OK\r\n");
    client.send(&[b"GET", b"proxy:tracked"]);
    client.until(b"_\r\n");
    link.arm(Rule::new(
        At::reply(1),
        Action::Inject(b"+second\r\n".to_vec()),
    ));
    shared(Variant::Redis82)
        .command(&[b"SET", b"proxy:tracked", b"1"])
        .unwrap();
    client.until(b"proxy:tracked\r\n");
    client.send_all(&[&[b"ECHO", b"a"], &[b"ECHO", b"b"]]);
    assert_eq!(client.read(23), b"$1\r\na\r\n+second\r\n$1\r\nb\r\n");
    assert_eq!(proxy.traffic().unasked(), 0);
}

#[test]
fn pieces_pass_one_after_the_other() {
    let (_proxy, mut client, link) = connected(Variant::Redis70);
    for sizes in [vec![1], vec![3, 1, 2], vec![1000]] {
        link.act(Way::Replies, Action::Split(sizes.clone()));
        link.act(Way::Requests, Action::Split(sizes));
        client.send(&[b"ECHO", b"in pieces"]);
        assert_eq!(client.reply(), b"$9\r\nin pieces\r\n");
    }
    // With pauses between them the reader can tell them apart.
    let pause = Duration::from_millis(20);
    link.act(Way::Replies, Action::Throttle { piece: 4, pause });
    let begun = Instant::now();
    client.send(&[b"ECHO", b"in pieces"]);
    let mut pieces = Vec::new();
    while pieces.iter().sum::<usize>() < 15 {
        pieces.push(client.socket.read(&mut [0; 100]).unwrap());
    }
    assert!(begun.elapsed() >= 3 * pause, "{:?}", begun.elapsed());
    assert!(
        pieces.iter().all(|piece| piece % 4 == 0 || *piece % 4 == 3),
        "{pieces:?}"
    );
    link.act(Way::Replies, Action::Heal);
    client.send(&[b"ECHO", &[b'x'; 2000]]);
    assert_eq!(client.read(2009).len(), 2009);
}

#[test]
fn replies_are_late_by_a_latency_and_held_once() {
    let (proxy, mut client, link) = connected(Variant::Redis70);
    let late = Duration::from_millis(60);
    link.act(Way::Replies, Action::Latency(late));
    // Three at once are late by as much as one.
    client.send_all(&[&[b"PING"], &[b"PING"], &[b"PING"]]);
    assert_eq!(client.read(21).len(), 21);
    for record in records(&proxy, 3) {
        assert!(record.answered.unwrap() - record.arrived >= late);
    }
    link.act(Way::Replies, Action::Heal);
    link.arm(Rule::new(At::reply(1), Action::Hold(late)));
    client.send_all(&[&[b"ECHO", b"a"], &[b"ECHO", b"b"]]);
    client.read(14);
    let records = records(&proxy, 5);
    let answered = |at: usize| records[at].answered.unwrap();
    assert!(answered(4) - answered(3) >= late);
}

#[test]
fn a_black_hole_acknowledges_nothing_until_it_is_healed() {
    let (proxy, mut client, link) = connected(Variant::Redis82);
    link.act(Way::Requests, Action::BlackHole);
    client.send(&[b"ECHO", b"healed"]);
    client
        .socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let error = client.socket.read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    if cfg!(target_os = "linux") {
        until("the kernel knows what was not acknowledged", || {
            unacknowledged(&client.socket)
        });
    }
    assert_eq!(proxy.traffic().records().count(), 0);
    // Nobody notices that the server's side has ended, either.
    link.act(Way::Requests, Action::Heal);
    client.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(client.read(12), b"$6\r\nhealed\r\n");
    until("all was acknowledged", || !unacknowledged(&client.socket));
}

#[test]
fn a_client_can_fall_into_a_black_hole_from_the_first_byte() {
    let server = shared(Variant::Redis82);
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.script([Rule::new(At::now(Way::Requests), Action::BlackHole)]);
    let mut client = Client::connect(&proxy);
    client.send(&[b"PING"]);
    client
        .socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    assert!(client.socket.read(&mut [0; 10]).is_err());
    proxy.script([Rule::new(At::now(Way::Replies), Action::Reset)]);
    let mut client = Client::connect(&proxy);
    assert!(client.read_to_end().1.is_some());
    proxy.script([]);
    let mut client = Client::connect(&proxy);
    client.send(&[b"PING"]);
    assert_eq!(client.reply(), b"+PONG\r\n");
    assert_eq!(proxy.accepted(), 3);
}

#[test]
fn a_proxy_that_stops_reading_fills_the_senders_window() {
    let server = shared(Variant::Redis82);
    let proxy = Proxy::builder(server.addr()).buffers(4096).start().unwrap();
    let mut client = Client::connect(&proxy);
    let link = newest(&proxy);
    link.act(Way::Requests, Action::StopReading);
    let value = vec![b'v'; 8 << 20];
    let sending = request(&[b"SET", b"proxy:full", &value]);
    client
        .socket
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut written = 0;
    let error = loop {
        match client.socket.write(&sending[written..]) {
            Ok(length) => written += length,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!(proxy.traffic().records().count(), 0);
    link.act(Way::Requests, Action::Heal);
    client.socket.set_write_timeout(Some(PATIENCE)).unwrap();
    client.socket.write_all(&sending[written..]).unwrap();
    assert_eq!(client.reply(), b"+OK\r\n");
}

#[test]
fn a_proxy_in_lockstep_reads_nothing_while_it_cannot_write() {
    let server = shared(Variant::Redis82);
    let value = vec![b'v'; 32 << 20];
    server
        .command(&[b"SET", b"proxy:lockstep", &value])
        .unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let mut client = Client::connect(&proxy);
    newest(&proxy).act(Way::Replies, Action::Lockstep);
    client.send(&[b"GET", b"proxy:lockstep"]);
    until("the reply fills all buffers", || {
        let passed = || {
            let traffic = proxy.traffic();
            traffic
                .records()
                .next()
                .map_or(0, |record| record.reply.delivered)
        };
        let before = passed();
        thread::sleep(Duration::from_millis(50));
        before > 0 && before == passed()
    });
    client.send(&[b"ECHO", b"behind"]);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(proxy.traffic().records().count(), 1);
    client.read((32 << 20) + 13);
    assert_eq!(client.reply(), b"$6\r\nbehind\r\n");
}

#[test]
fn half_a_connection_goes_on() {
    let server = shared(Variant::Redis82);
    // The server hears that the client has ended, and answers what it was asked before.
    let (proxy, mut client, link) = connected(Variant::Redis82);
    link.arm(Rule::new(At::after_request(0), Action::HalfClose));
    client.send_all(&[&[b"ECHO", b"in"], &[b"ECHO", b"out"]]);
    assert_eq!(client.read_to_end(), (b"$2\r\nin\r\n".to_vec(), None));
    assert_eq!(records(&proxy, 2)[1].request.delivered, 0);
    // The client hears that the server has ended, and the server still runs what it is asked.
    let (_proxy, mut client, link) = connected(Variant::Redis82);
    server.command(&[b"DEL", b"proxy:half"]).unwrap();
    link.act(Way::Replies, Action::HalfClose);
    assert_eq!(client.read_to_end(), (Vec::new(), None));
    client.send(&[b"SET", b"proxy:half", b"closed"]);
    until("the server has run it", || {
        server.command(&[b"GET", b"proxy:half"]).unwrap() == b"$6\r\nclosed\r\n"
    });
}

#[test]
fn everybody_hears_of_an_end() {
    let server = Server::start(Variant::Redis70).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let clients = || {
        let reply = server.command(&[b"CLIENT", b"LIST"]).unwrap();
        String::from_utf8_lossy(&reply)
            .lines()
            .filter(|line| line.contains("addr="))
            .count()
    };
    let alone = clients();
    // The client's.
    let mut client = Client::connect(&proxy);
    client.send(&[b"PING"]);
    client.reply();
    assert_eq!(clients(), alone + 1);
    client.socket.shutdown(Shutdown::Both).unwrap();
    until("the server has closed", || clients() == alone);
    assert_eq!(end_of(&proxy, 0), End::Client);
    // The server's.
    let mut client = Client::connect(&proxy);
    client.send(&[b"QUIT"]);
    assert_eq!(client.read_to_end().0, b"+OK\r\n");
    assert_eq!(end_of(&proxy, 1), End::Server);
    // One that is killed, and then is not there.
    let mut client = Client::connect(&proxy);
    client.send(&[b"PING"]);
    client.reply();
    server.kill().unwrap();
    assert!(client.read_to_end().0.is_empty());
    assert_eq!(end_of(&proxy, 2), End::Server);
    let mut client = Client::connect(&proxy);
    assert!(client.read_to_end().1.is_some());
    assert_eq!(end_of(&proxy, 3), End::Server);
    // Another at the same place, or another place.
    server.restart().unwrap();
    let mut client = Client::connect(&proxy);
    client.send(&[b"PING"]);
    assert_eq!(client.reply(), b"+PONG\r\n");
    let other = shared(Variant::Valkey91);
    proxy.set_server(other.addr());
    let mut client = Client::connect(&proxy);
    client.send(&[b"INFO", b"server"]);
    client.until(b"valkey_version");
    // The proxy's.
    assert_eq!(proxy.open().len(), 2);
    let addr = proxy.addr();
    drop(proxy);
    client.read_to_end();
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn what_is_not_resp_passes_as_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).unwrap();
    let mut client = Client::connect(&proxy);
    let (mut server, _) = listener.accept().unwrap();
    client.socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut asked = [0; 18];
    server.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"GET / HTTP/1.1\r\n\r\n");
    let link = newest(&proxy);
    link.arm(Rule::new(At::now(Way::Replies).plus(4), Action::Close));
    server
        .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .unwrap();
    assert_eq!(client.read_to_end(), (b"HTTP".to_vec(), None));
    assert_eq!(proxy.traffic().malformed(), 1);
}

#[test]
fn many_connections_have_rules_of_their_own() {
    let server = shared(Variant::Redis82);
    let proxy = Proxy::start(server.addr()).unwrap();
    let mut clients: Vec<_> = (0..200).map(|_| Client::connect(&proxy)).collect();
    proxy
        .wait(PATIENCE, |traffic| {
            (traffic.open().count() == 200).then_some(())
        })
        .unwrap();
    let links = proxy.open();
    for (number, link) in links.iter().enumerate() {
        let text = format!("+{number}\r\n").into_bytes();
        link.arm(Rule::new(At::reply(0), Action::Inject(text)));
    }
    for client in &mut clients {
        client.send(&[b"PING"]);
    }
    let mut found: Vec<_> = clients.iter_mut().map(|client| client.reply()).collect();
    found.sort();
    let mut expected: Vec<_> = (0..200).map(|n| format!("+{n}\r\n").into_bytes()).collect();
    expected.sort();
    assert_eq!(found, expected);
    proxy.act(Way::Replies, Action::Reset);
    assert!(proxy.open().is_empty());
    assert!(
        clients
            .iter_mut()
            .all(|client| client.read_to_end().1.is_some())
    );
}

#[test]
fn records_can_be_taken_as_they_are_complete() {
    let (proxy, mut client, _) = connected(Variant::Redis82);
    for number in 0..10_u8 {
        client.send(&[b"ECHO", &[b'a' + number]]);
        client.reply();
    }
    client.send(&[b"BLPOP", b"proxy:empty", b"0"]);
    proxy
        .wait(PATIENCE, |traffic| traffic.records().nth(10).map(drop))
        .unwrap();
    let taken = proxy.wait(PATIENCE, |traffic| {
        traffic.records().nth(9)?.answered.map(drop)
    });
    taken.unwrap();
    assert_eq!(proxy.traffic().take_records().len(), 10);
    assert_eq!(proxy.traffic().records().count(), 1);
    shared(Variant::Redis82)
        .command(&[b"RPUSH", b"proxy:empty", b"x"])
        .unwrap();
    client.until(b"x\r\n");
    proxy
        .wait(PATIENCE, |traffic| traffic.records().next()?.answered)
        .unwrap();
    let taken = proxy.traffic().take_records();
    assert_eq!(
        (taken.len(), taken[0].name(), taken[0].number),
        (1, "BLPOP".to_owned(), 10)
    );
}

#[test]
fn what_callers_are_told_is_compared_with_what_has_passed() {
    let (proxy, mut client, link) = connected(Variant::Redis82);
    client.send(&[b"ECHO", b"answered"]);
    client.reply();
    client.send_all(&[&[b"ECHO", b"twice"], &[b"ECHO", b"twice"]]);
    client.reply();
    client.reply();
    link.arm(Rule::new(At::reply_to("ECHO").plus(3), Action::Reset));
    client.send(&[b"ECHO", b"cut"]);
    client.read_to_end();
    let deliveries = Deliveries::new();
    deliveries.told("answered", Told::Answered, true);
    deliveries.told("cut", Told::Indeterminate, true);
    deliveries.told("never", Told::NotSent, true);
    deliveries.told("unseen", Told::Indeterminate, true);
    deliveries.told("dropped", Told::Nothing, true);
    deliveries.told("twice", Told::Answered, false);
    deliveries.settle(&[&proxy]);
    let report = deliveries.report();
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        (
            report.not_sent,
            report.indeterminate,
            report.indeterminate_unseen
        ),
        (1, 2, 1)
    );

    // What is wrong is found.
    let (proxy, mut client, link) = connected(Variant::Redis82);
    client.send_all(&[&[b"ECHO", b"twice"], &[b"ECHO", b"twice"]]);
    client.reply();
    client.reply();
    link.arm(Rule::new(At::now(Way::Requests).plus(20), Action::Reset));
    client.send(&[b"ECHO", b"partly"]);
    client.read_to_end();
    let deliveries = Deliveries::new();
    deliveries.told("twice", Told::Answered, true);
    deliveries.told("partly", Told::NotSent, true);
    deliveries.told("never", Told::Answered, true);
    deliveries.settle(&[&proxy]);
    let report = deliveries.report();
    let counts = [&report.denied, &report.invented, &report.doubled].map(Vec::len);
    assert_eq!(counts, [1, 1, 1], "{report}");
    // Of a tag that has not come whole, nobody knows whose it is, and somebody's it has to be.
    let (proxy, mut client, link) = connected(Variant::Redis82);
    link.arm(Rule::new(At::request(0).plus(20), Action::Reset));
    client.send(&[b"ECHO", b"partly"]);
    client.read_to_end();
    let deliveries = Deliveries::new();
    deliveries.told("partly", Told::Indeterminate, true);
    deliveries.told("other", Told::NotSent, true);
    deliveries.settle(&[&proxy]);
    let report = deliveries.report();
    assert!(report.is_clean(), "{report}");
}

/// A client that knows of requests and bytes.
struct Client {
    socket: TcpStream,
}

impl Client {
    fn connect(proxy: &Proxy) -> Self {
        let socket = TcpStream::connect(proxy.addr()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket }
    }

    fn send(&mut self, words: &[&[u8]]) {
        self.socket.write_all(&request(words)).unwrap();
    }

    /// Several in one write.
    fn send_all(&mut self, requests: &[&[&[u8]]]) {
        let requests = requests.iter().flat_map(|words| request(words));
        self.socket
            .write_all(&requests.collect::<Vec<_>>())
            .unwrap();
    }

    fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.socket.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// One reply that is a line, or a string.
    fn reply(&mut self) -> Vec<u8> {
        let line = self.until(b"\r\n");
        match line.strip_prefix(b"$") {
            Some(digits) => {
                let digits = std::str::from_utf8(digits).unwrap().trim();
                let text = self.read(digits.parse::<usize>().unwrap() + 2);
                [line, text].concat()
            }
            None => line,
        }
    }

    /// Up to some text.
    fn until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end) {
            bytes.extend(self.read(1));
        }
        bytes
    }

    /// All that still comes, and the error that it ends with.
    fn read_to_end(&mut self) -> (Vec<u8>, Option<ErrorKind>) {
        let mut bytes = Vec::new();
        let end = self.socket.read_to_end(&mut bytes);
        let end = end.err().map(|error| error.kind());
        assert_ne!(end, Some(ErrorKind::WouldBlock), "the end did not come");
        (bytes, end)
    }
}

fn connected(variant: Variant) -> (Proxy, Client, Link) {
    let proxy = Proxy::start(shared(variant).addr()).unwrap();
    let client = Client::connect(&proxy);
    let link = newest(&proxy);
    (proxy, client, link)
}

fn newest(proxy: &Proxy) -> Link {
    proxy
        .wait(PATIENCE, |traffic| traffic.open().last())
        .unwrap();
    proxy.newest().unwrap()
}

/// Waits until there are so many records, and returns them.
fn records(proxy: &Proxy, count: usize) -> Vec<Record> {
    let all = |traffic: &respec_testkit::proxy::Traffic| {
        let records: Vec<_> = traffic.records().cloned().collect();
        (records.len() == count).then_some(records)
    };
    proxy.wait(PATIENCE, all).unwrap()
}

fn end_of(proxy: &Proxy, connection: usize) -> End {
    let ended = proxy.wait(PATIENCE, |traffic| traffic.ended(connection));
    ended.unwrap().1
}

/// Whether the kernel still holds bytes of a socket that the peer has not acknowledged.
fn unacknowledged(socket: &TcpStream) -> bool {
    let port = format!(":{:04X}", socket.local_addr().unwrap().port());
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let mine = sockets.lines().find(|line| {
        let local = line.split_whitespace().nth(1);
        local.is_some_and(|local| local.ends_with(&port))
    });
    let queues = mine.and_then(|line| line.split_whitespace().nth(4));
    queues.is_some_and(|queues| !queues.starts_with("00000000"))
}

fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend(format!("${}\r\n", word.len()).into_bytes());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
    request
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "still waiting until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
