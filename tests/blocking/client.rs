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
    ErrorKind, Phase,
    blocking::{Client, Dedicated},
    command::Command,
};
use respec_testkit::Server;

use crate::support::{hasty, server, until, words};

#[test]
fn clients_go_where_threads_go() {
    fn shared<T: Send + Sync + Clone>() {}
    fn sent<T: Send>() {}
    shared::<Client>();
    sent::<Dedicated>();
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
