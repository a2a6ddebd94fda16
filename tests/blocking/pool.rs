//! The pool of the blocking client on real servers: what is lent, kept, closed, made anew and counted.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    thread,
    time::Duration,
};

use respec::{
    Config, Protocol,
    blocking::{Client, Dedicated},
    command::{Command, Detached, Info},
    reply::DecodeError,
    resp::{Reply, Writer},
};
use respec_testkit::{Server, Variant};

use crate::pool_support::{CHANGES, CROWD, Numbers, add_up};
use crate::support::{args, words};

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
