//! The shared client on a real server: calls, many threads, the pool, what is refused.

use std::{
    collections::HashSet,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use respec::{
    Config, ErrorKind, Phase, Protocol,
    blocking::{Client, Dedicated},
    command::Command,
};
use respec_testkit::{Server, Variant};

use crate::support::{args, client, hasty, info, server, until, words};

#[test]
fn clients_go_where_threads_go() {
    fn shared<T: Send + Sync + Clone>() {}
    fn sent<T: Send>() {}
    shared::<Client>();
    sent::<Dedicated>();
}

#[test]
fn replies_come_back_in_every_type() {
    let client = client();
    assert_eq!(client.send(words("SET types v")).unwrap(), "OK");
    assert_eq!(client.send(words("GET types")).unwrap(), "v");
    assert_eq!(client.send(words("GET types:none")).unwrap(), "nil");
    client.send(words("DEL types:l")).unwrap();
    assert_eq!(client.send(words("RPUSH types:l a b")).unwrap(), "2");
    assert_eq!(client.send(words("LRANGE types:l 0 -1")).unwrap(), "[a, b]");
    let error = client.send(words("INCR types")).unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Server, Some("ERR"))
    );
    assert_eq!(error.command(), Some("INCR"));
    assert!(error.may_have_executed());
}

#[test]
fn every_server_and_both_protocols() {
    for variant in Variant::ALL {
        let server = respec_testkit::shared(variant);
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            for url in [server.url(), server.unix_url()] {
                let config = Config::from_url(&url)
                    .unwrap()
                    .protocol(protocol)
                    .database(3);
                let client = Client::from_config(config.client_name("blocking-test"));
                client.send(words("SET where here")).unwrap();
                assert_eq!(client.send(words("GET where")).unwrap(), "here");
                let about = client
                    .dedicated()
                    .unwrap()
                    .send(words("CLIENT INFO"))
                    .unwrap();
                assert!(about.contains(" db=3 "), "{about}");
                assert!(about.contains(" name=blocking-test "), "{about}");
                let version = if protocol == Protocol::Resp3 {
                    " resp=3"
                } else {
                    " resp=2"
                };
                assert!(about.contains(version), "{about}");
            }
        }
        assert_eq!(server.command(&[b"GET", b"where"]).unwrap(), b"$-1\r\n");
    }
}

#[test]
fn eight_threads_get_their_own_replies() {
    let client = client();
    thread::scope(|scope| {
        for thread in 0..8 {
            let client = client.clone();
            scope.spawn(move || {
                let key = format!("threads:{thread}");
                for round in 0..500 {
                    let value = format!("{key}:{round}:{}", "x".repeat(round % 50));
                    client.send(args(&["SET", &key, &value])).unwrap();
                    assert_eq!(client.send(args(&["GET", &key])).unwrap(), value);
                    assert_eq!(client.send(args(&["ECHO", &value])).unwrap(), value);
                    let length = client.send(args(&["STRLEN", &key])).unwrap();
                    assert_eq!(length, value.len().to_string());
                    let wrong = client.send(args(&["LLEN", &key])).unwrap_err();
                    assert_eq!(wrong.code(), Some("WRONGTYPE"));
                }
            });
        }
    });
}

/// The ids of the connections with this name, as the server sees them.
fn connections(server: &Server, name: &str) -> HashSet<String> {
    let reply = server.command(&[b"CLIENT", b"LIST"]).unwrap();
    let text = String::from_utf8(reply).unwrap();
    let named = text
        .lines()
        .filter(|line| line.contains(&format!(" name={name} ")));
    named
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_pool_keeps_its_bound_and_callers_take_turns() {
    let config = hasty(server())
        .client_name("bounded")
        .pool_max(3)
        .response_timeout(None);
    let client = Client::from_config(config);
    let most = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                for _ in 0..200 {
                    client.send(words("PING")).unwrap();
                }
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        while done.load(Ordering::Relaxed) < 24 {
            most.fetch_max(connections(server(), "bounded").len(), Ordering::Relaxed);
        }
    });
    assert!((1..=3).contains(&most.into_inner()));
    assert!((1..=3).contains(&connections(server(), "bounded").len()));
    drop(client);
    until("the connections are closed", || {
        connections(server(), "bounded").is_empty()
    });
}

#[test]
fn who_finds_no_free_connection_in_time_is_told_so() {
    let wait = Duration::from_millis(100);
    let client = Client::from_config(hasty(server()).pool_max(1).pool_wait(wait));
    let held = client.dedicated().unwrap();
    let start = Instant::now();
    let error = client.send(words("SET queued 1")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Queue));
    assert!(!error.may_have_executed());
    assert!(
        start.elapsed() >= wait && start.elapsed() < wait * 20,
        "{:?}",
        start.elapsed()
    );
    assert_eq!(error.command(), Some("SET"));

    // Given back while somebody waits.
    let client = Client::from_config(hasty(server()).pool_max(1));
    drop(held);
    let held = client.dedicated().unwrap();
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            barrier.wait();
            client.send(words("PING"))
        });
        barrier.wait();
        thread::sleep(Duration::from_millis(20));
        drop(held);
        assert_eq!(waiting.join().unwrap().unwrap(), "PONG");
    });

    let impatient = Client::from_config(hasty(server()).pool_max(1).pool_wait(Duration::ZERO));
    let held = impatient.dedicated().unwrap();
    assert!(impatient.send(words("PING")).unwrap_err().is_timeout());
    drop(held);
    assert_eq!(impatient.send(words("PING")).unwrap(), "PONG");
}

#[test]
fn a_blocking_command_waits_on_a_connection_of_its_own() {
    // Longer than a response may take.
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(hasty(&server).pool_max(2));
    thread::scope(|scope| {
        let popping = scope.spawn(|| client.send(words("BLPOP blocked 5")));
        until("the server waits", || {
            info(&server, "blocked_clients") == "1"
        });
        thread::sleep(Duration::from_millis(300));
        client.send(words("RPUSH blocked v")).unwrap();
        assert_eq!(popping.join().unwrap().unwrap(), "[blocked, v]");
    });
    assert_eq!(client.send(words("BLPOP blocked 0.05")).unwrap(), "nil");
    assert_eq!(client.send(words("PING")).unwrap(), "PONG");
}

#[test]
fn what_would_change_the_connection_of_others_is_refused() {
    let client = client();
    for refused in [
        "SELECT 1",
        "WATCH k",
        "MULTI",
        "SUBSCRIBE c",
        "MONITOR",
        "CLIENT REPLY OFF",
    ] {
        let error = client.send(words(refused)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{refused}");
        assert!(!error.may_have_executed());
    }
    let text = client.send(words("WATCH k")).unwrap_err().to_string();
    assert!(text.contains("dedicated()"), "{text}");
    let pipeline = client.pipeline([words("PING"), words("SELECT 1")]).send();
    assert_eq!(pipeline.unwrap_err().kind(), ErrorKind::Refused);
}

#[test]
fn an_argument_that_cannot_be_sent_costs_no_connection() {
    let client = Client::from_config(hasty(server()).client_name("arguments").pool_max(1));
    client.send(words("PING")).unwrap();
    let before = connections(server(), "arguments");
    let invalid = respec::command::Arg::invalid("expected something else");
    let bad = respec::command::raw("SET").key("k").arg(invalid);
    let error = client.send(bad).unwrap_err();
    assert_eq!(
        (error.kind(), error.may_have_executed()),
        (ErrorKind::Argument, false)
    );
    client.send(words("PING")).unwrap();
    assert_eq!(connections(server(), "arguments"), before);
}

#[test]
fn raw_commands_and_commands_by_reference() {
    let client = client();
    client
        .send(respec::command::raw("SET").key("raw").arg(7))
        .unwrap();
    let get = words("GET raw");
    assert_eq!(client.send(&get).unwrap(), "7");
    assert_eq!(client.send(&get).unwrap(), "7");
    assert_eq!(get.info().name, "GET");
}

#[test]
fn idle_and_old_connections_are_closed() {
    let config = hasty(server())
        .client_name("aged")
        .pool_idle_timeout(Duration::from_millis(50));
    let client = Client::from_config(config.clone());
    let two = (client.dedicated().unwrap(), client.dedicated().unwrap());
    drop(two);
    let before = connections(server(), "aged");
    assert_eq!(before.len(), 2);
    thread::sleep(Duration::from_millis(60));
    client.send(words("PING")).unwrap();
    until("both are replaced by one", || {
        connections(server(), "aged").len() == 1
    });
    assert!(connections(server(), "aged").is_disjoint(&before));

    let young = config.client_name("young").pool_idle_timeout(None);
    let client = Client::from_config(young.pool_lifetime(Duration::from_millis(50)));
    client.send(words("PING")).unwrap();
    let before = connections(server(), "young");
    thread::sleep(Duration::from_millis(60));
    client.send(words("PING")).unwrap();
    until("the old one is gone", || {
        connections(server(), "young").is_disjoint(&before)
    });
}

#[test]
fn connect_makes_the_least_number_of_connections_at_once() {
    let url = format!("{}?client_name=least&pool_min=3", server().url());
    let client = Client::connect(&url).unwrap();
    assert_eq!(connections(server(), "least").len(), 3);
    drop(client);
}

#[test]
fn values_are_as_large_as_they_like_both_ways() {
    let client = client();
    let value = "0123456789abcdef".repeat(1 << 20);
    for _ in 0..2 {
        client.send(args(&["SET", "large", &value])).unwrap();
        assert!(client.send(words("GET large")).unwrap() == value);
    }
    client.send(words("DEL large")).unwrap();
}

#[test]
fn a_client_survives_a_thread_that_panics_with_it() {
    /// Panics when it is written, as a user's type may do.
    struct Panics;
    impl Command for Panics {
        type Via = respec::command::Detached;
        type Reply = ();
        fn via(&self) -> Self::Via {
            respec::command::Detached
        }
        fn info(&self) -> &'static respec::command::Info {
            respec::command::Info::UNKNOWN
        }
        fn write(&self, to: &mut respec::resp::Writer<'_>) {
            to.word(b"SET");
            panic!("on purpose");
        }
        fn read(&self, _: respec::resp::Reply<'_>) -> Result<(), respec::reply::DecodeError> {
            Ok(())
        }
    }
    let client = Arc::new(Mutex::new(Client::from_config(hasty(server()).pool_max(1))));
    for _ in 0..5 {
        let client = client.lock().unwrap().clone();
        let result = thread::spawn(move || client.send(Panics)).join();
        assert!(result.is_err());
    }
    assert_eq!(client.lock().unwrap().send(words("PING")).unwrap(), "PONG");
}
