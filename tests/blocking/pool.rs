//! The pool of the blocking client on real servers: what is lent, kept, closed, made anew and counted.

use std::{
    net::TcpListener,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use respec::{
    Config, ErrorKind, Phase, Protocol,
    blocking::{Client, Dedicated},
    command::{Command, Detached, Info},
    reply::DecodeError,
    resp::{Reply, Writer},
};
use respec_testkit::{Server, Variant};

use crate::pool_support::{CHANGES, CROWD, Numbers, add_up, kill_all};
use crate::support::{args, hasty, info, until, words};

const LONG: Duration = Duration::from_secs(60);

/// Settings that no load on the machine can make fail.
fn patient(server: &Server) -> Config {
    let config = Config::from_url(&server.url()).unwrap();
    config.response_timeout(LONG).pool_wait(LONG)
}

/// Unwinds when it is written, as a user's type may do.
struct Unwinds;

impl Command for Unwinds {
    type Via = Detached;
    type Reply = ();

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        Info::of("SET").unwrap()
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.word(b"SET");
        resume_unwind(Box::new("on purpose"));
    }

    fn read(&self, _: Reply<'_>) -> Result<(), DecodeError> {
        Ok(())
    }
}

/// One caller of a crowd: uses the pool in ways by chance, and looks for what others left behind.
fn one_of_the_crowd(client: &Client, caller: usize, rounds: usize) {
    let mut numbers = Numbers::new(caller);
    for round in 0..rounds {
        let text = format!("{caller}:{round}");
        match numbers.below(20) {
            0 | 1 => {
                let dedicated = client.dedicated().unwrap();
                clean(&dedicated);
                let _ = dedicated.send(words(CHANGES[numbers.below(CHANGES.len())]));
            }
            2 | 3 => clean(&client.dedicated().unwrap()),
            4 => {
                let unwound = catch_unwind(AssertUnwindSafe(|| client.send(Unwinds)));
                assert!(unwound.is_err());
            }
            5 => {
                client.send(words("INCR pool:watched")).unwrap();
            }
            // Aborted, if somebody's `WATCH` were still there.
            6 | 7 => {
                let ran = client.transaction([words("GET pool:database")]).send();
                assert_eq!(ran.unwrap(), ["0"]);
            }
            8 => assert_eq!(client.send(words("GET pool:database")).unwrap(), "0"),
            _ => assert_eq!(client.send(args(&["ECHO", &text])).unwrap(), text),
        }
    }
}

/// Asserts that nobody has left anything on a connection, without marking it.
fn clean(dedicated: &Dedicated) {
    assert_eq!(dedicated.send(words("PING")).unwrap(), "PONG");
    assert_eq!(dedicated.send(words("GET pool:database")).unwrap(), "0");
}

#[test]
fn a_crowd_leaves_nothing_behind_and_no_place_is_lost() {
    let server = Server::start(Variant::Redis70).unwrap();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let config = patient(&server).protocol(protocol).client_name("crowd");
        let client = Client::from_config(config.clone().pool_max(4));
        client.send(words("SET pool:database 0")).unwrap();
        let other = Client::from_config(config.database(1));
        other.send(words("SET pool:database 1")).unwrap();
        drop(other);
        thread::scope(|scope| {
            for caller in 0..4 * CROWD {
                let client = client.clone();
                scope.spawn(move || one_of_the_crowd(&client, caller, 200));
            }
        });
        let stats = client.pool_stats();
        add_up(stats);
        assert!(stats.lent > 32 * 200, "{stats:?}");
        assert!(stats.closed_dirty > 300 && stats.waited > 0, "{stats:?}");
        assert_eq!(stats.closed(), stats.closed_dirty, "{stats:?}");

        let all: Vec<_> = (0..4).map(|_| client.dedicated().unwrap()).collect();
        for one in &all {
            let about = one.send(words("CLIENT INFO")).unwrap();
            for state in [
                " db=0 ",
                " sub=0 ",
                " psub=0 ",
                " multi=-1 ",
                " name=crowd ",
            ] {
                assert!(about.contains(state), "{state} in {about}");
            }
        }
    }
}

#[test]
fn connections_that_the_server_closed_are_replaced_without_an_error() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(patient(&server).pool_max(4));
    for round in 1..=50 {
        let idle: Vec<_> = (0..4).map(|_| client.dedicated().unwrap()).collect();
        drop(idle);
        assert_eq!(client.pool_stats().idle, 4);
        kill_all(&server);
        let text = round.to_string();
        assert_eq!(client.send(args(&["ECHO", &text])).unwrap(), text);
        // The first caller has found all of them.
        let stats = client.pool_stats();
        assert_eq!((stats.closed_broken, stats.idle), (4 * round, 1));
        add_up(stats);
    }
}

#[test]
fn the_minimum_is_kept_up() {
    let server = Server::start(Variant::Redis70).unwrap();
    let config = patient(&server).pool_min(3).pool_max(4);
    let client = Client::from_config(config);
    let open = |connections| {
        until("the minimum is open", || {
            let stats = client.pool_stats();
            stats.idle == connections && stats.connecting == 0
        });
        add_up(client.pool_stats());
    };
    client.send(words("PING")).unwrap();
    open(3);
    // They have died.
    kill_all(&server);
    client.send(words("PING")).unwrap();
    open(3);
    assert_eq!(client.pool_stats().closed_broken, 3);
    // They were left in another state.
    let changed: Vec<_> = (0..3).map(|_| client.dedicated().unwrap()).collect();
    for one in &changed {
        one.send(words("SELECT 1")).unwrap();
    }
    drop(changed);
    client.send(words("PING")).unwrap();
    open(3);
    assert_eq!(client.pool_stats().closed_dirty, 3);
    let url = format!("{}?pool_min=2", server.url());
    let stats = Client::connect(&url).unwrap().pool_stats();
    assert_eq!((stats.idle, stats.made, stats.lent), (2, 2, 0));
}

#[test]
fn connections_are_closed_when_they_are_idle_for_too_long_or_too_old() {
    let server = Server::start(Variant::Redis70).unwrap();
    let instant = Duration::from_nanos(1);
    let both = |client: &Client| drop((client.dedicated().unwrap(), client.dedicated().unwrap()));

    let client = Client::from_config(patient(&server).pool_idle_timeout(instant));
    both(&client);
    client.send(words("PING")).unwrap();
    let stats = client.pool_stats();
    assert_eq!((stats.made, stats.closed_idle, stats.idle), (3, 2, 1));
    add_up(stats);

    let config = patient(&server).pool_idle_timeout(instant).pool_min(1);
    let client = Client::from_config(config.clone());
    client.send(words("PING")).unwrap();
    client.send(words("PING")).unwrap();
    let stats = client.pool_stats();
    assert_eq!((stats.made, stats.closed_idle), (1, 0));

    let client = Client::from_config(patient(&server).pool_lifetime(instant));
    both(&client);
    let stats = client.pool_stats();
    assert_eq!((stats.made, stats.closed_old, stats.idle), (2, 2, 0));
    add_up(stats);
}

#[test]
fn callers_are_served_in_the_order_of_their_arrival() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(patient(&server).pool_max(1));
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let held = client.dedicated().unwrap();
        for caller in 0..10 {
            let (client, order) = (&client, &order);
            scope.spawn(move || {
                let dedicated = client.dedicated().unwrap();
                order.lock().unwrap().push(caller);
                // A place that is passed on as leave to connect keeps the order as well.
                if caller % 3 == 0 {
                    dedicated.send(words("SELECT 1")).unwrap();
                }
            });
            until("the caller waits", || {
                client.pool_stats().waiting == caller + 1
            });
        }
        drop(held);
    });
    assert_eq!(order.into_inner().unwrap(), (0..10).collect::<Vec<_>>());
    let stats = client.pool_stats();
    add_up(stats);
    assert_eq!((stats.waited, stats.timed_out, stats.lent), (10, 0, 11));
    assert!(stats.longest_wait > Duration::ZERO);
}

#[test]
fn who_waits_in_vain_is_told_so_and_leaves_no_trace() {
    let server = Server::start(Variant::Redis70).unwrap();
    let config = patient(&server).pool_max(2);
    let client = Client::from_config(config.pool_wait(Duration::from_millis(20)));
    let held = (client.dedicated().unwrap(), client.dedicated().unwrap());
    thread::scope(|scope| {
        for _ in 0..2 * CROWD {
            scope.spawn(|| {
                let error = client.send(words("SET pool:never 1")).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Queue));
                assert!(!error.may_have_executed());
            });
        }
    });
    drop(held);
    assert_eq!(client.send(words("GET pool:never")).unwrap(), "nil");
    let stats = client.pool_stats();
    add_up(stats);
    assert_eq!((stats.waited, stats.timed_out), (16, 16));
    assert_eq!((stats.lent, stats.made), (3, 2));
}

#[test]
fn a_failed_attempt_is_the_failure_of_all_who_wait_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Config::tcp("127.0.0.1", port).connect_timeout(LONG);
    let client = Client::from_config(config.pool_max(1).pool_wait(LONG));
    thread::scope(|scope| {
        let call = || {
            let error = client.send(words("PING")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        };
        scope.spawn(call);
        let (attempt, _) = listener.accept().unwrap();
        for _ in 0..CROWD {
            scope.spawn(call);
        }
        until("all wait", || client.pool_stats().waiting == CROWD);
        drop(listener);
        drop(attempt);
    });
    let stats = client.pool_stats();
    assert_eq!((stats.failed, stats.timed_out), (1, 0));
    add_up(stats);
}

#[test]
fn a_server_that_comes_back_is_found_and_all_places_with_it() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(patient(&server).pool_max(4));
    for _ in 0..2 {
        drop((client.dedicated().unwrap(), client.dedicated().unwrap()));
        server.kill().unwrap();
        thread::scope(|scope| {
            for _ in 0..4 * CROWD {
                scope.spawn(|| {
                    let error = client.send(words("PING")).unwrap_err();
                    assert!(error.is_connection(), "{error}");
                });
            }
        });
        server.restart().unwrap();
        until("the server is back", || client.send(words("PING")).is_ok());
        let all: Vec<_> = (0..4).map(|_| client.dedicated().unwrap()).collect();
        drop(all);
        let stats = client.pool_stats();
        add_up(stats);
        assert_eq!(stats.open(), 4);
        assert!(stats.failed < 4 * CROWD as u64, "{stats:?}");
    }
}

#[test]
fn a_server_that_is_full_is_not_asked_again_and_again() {
    let server = Server::builder(Variant::Redis70)
        .config("maxclients", "3")
        .start()
        .unwrap();
    let config = hasty(&server).pool_wait(Duration::from_millis(100));
    let client = Client::from_config(config);
    let held = [(); 3].map(|()| client.dedicated().unwrap());
    let start = Instant::now();
    let error = client.send(words("PING")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    thread::scope(|scope| {
        for _ in 0..CROWD {
            scope.spawn(|| {
                for _ in 0..3 {
                    let error = client.send(words("PING")).unwrap_err();
                    assert!(error.is_connection() || error.is_timeout(), "{error}");
                }
            });
        }
    });
    let seconds = start.elapsed().as_secs();
    drop(held);
    // What comes back serves at once, pause or not.
    assert_eq!(client.send(words("PING")).unwrap(), "PONG");
    let stats = client.pool_stats();
    assert!(stats.failed <= 1 + seconds, "{stats:?}");
    // The test kit's own connection is one more.
    drop(client);
    until("there is room", || server.command(&[b"PING"]).is_ok());
    let rejected: u64 = info(&server, "rejected_connections").parse().unwrap();
    assert!(rejected >= stats.failed);
}
