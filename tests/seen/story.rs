//! A kill, a freeze and a failover, as they read at the level `info`.
//!
//! `cargo test --test seen story -- --nocapture` prints them.

use std::{
    thread,
    time::{Duration, Instant},
};

use respec::{Config, command::raw, observe};
use respec_testkit::{Server, Variant};
use tracing::{Level, dispatcher};

use crate::{Caller, clusters, subscriber::Told};

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// A client, and what it tells at the level `info`.
struct Teller {
    title: String,
    caller: Caller,
    told: Told,
}

impl Teller {
    fn both(title: &str, config: &Config) -> Vec<Self> {
        // Each with a subscriber of its own, which is current when it is made.
        ["async", "blocking"]
            .map(|kind| {
                let (told, dispatch) = Told::at(Level::INFO);
                let both = dispatcher::with_default(&dispatch, || Caller::both(config));
                let of_kind = both.into_iter().find(|(name, _)| *name == kind);
                Self {
                    title: format!("{title}, {kind} client"),
                    caller: of_kind.unwrap().1,
                    told,
                }
            })
            .into()
    }

    /// Calls until this holds of what comes.
    fn call_until(&self, key: &str, holds: impl Fn(&respec::Result<respec::Value>) -> bool) {
        let end = Instant::now() + LONG;
        while !holds(&self.caller.call(raw("SET").key(key).arg("x"))) {
            assert!(Instant::now() < end, "{}: still waiting", self.title);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Calls until a line has all of these parts.
    fn call_until_told(&self, key: &str, parts: &[&str]) {
        let end = Instant::now() + LONG;
        let is_told = || {
            let lines = self.told.lines();
            let mut lines = lines.iter();
            lines.any(|line| parts.iter().all(|part| line.text.contains(part)))
        };
        while !is_told() {
            assert!(Instant::now() < end, "{}: not told: {parts:?}", self.title);
            let _ = self.caller.call(raw("SET").key(key).arg("x"));
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Prints the lines, and asserts that these parts come in them, in this order.
    fn assert_story(&self, parts: &[&str]) {
        assert!(observe::flush(LONG));
        let lines = self.told.lines();
        println!("\n{}\n", self.title);
        for line in &lines {
            println!(
                "{:7.3} s {:5} {}: {}",
                line.at, line.level, line.target, line.text
            );
            assert_eq!(line.level, Level::INFO);
            assert_eq!(line.target, "respec");
            assert_eq!(line.fields["db.system.name"], "redis");
        }
        let mut rest = lines.iter();
        for part in parts {
            let found = rest.any(|line| line.text.contains(part));
            assert!(found, "{}: expected {part:?} in {lines:#?}", self.title);
        }
        // Whoever reads it is not buried under it.
        assert!(lines.len() < 40, "{}: {} lines", self.title, lines.len());
    }
}

#[test]
fn a_server_that_is_killed_and_started_again() {
    let server = Server::start(Variant::Valkey91).unwrap();
    let address = server.addr().to_string();
    let config = Config::tcp("127.0.0.1", server.port()).response_timeout(Duration::from_secs(1));
    let tellers = Teller::both("A server is killed and started again", &config);
    for teller in &tellers {
        teller.call_until("story", |it| it.is_ok());
    }
    server.kill().unwrap();
    for teller in &tellers {
        teller.call_until_told("story", &["could not connect", "(attempt 2)"]);
    }
    server.restart().unwrap();
    for teller in &tellers {
        teller.call_until("story", |it| it.is_ok());
        teller.assert_story(&[
            &format!("connected to {address} in "),
            &format!("lost a connection to {address}: {address} has closed it"),
            &format!("could not connect to {address}: "),
            "(attempt 2)",
            &format!("connected to {address} in "),
        ]);
        let lines = teller.told.lines();
        assert!(lines.last().unwrap().text.ends_with(" after it was lost"));
        let refused = lines
            .iter()
            .find(|line| line.text.contains("could not connect"));
        assert!(refused.unwrap().text.contains("refused"), "{refused:?}");
        assert_eq!(refused.unwrap().fields["error.type"], "connect");
    }
}

#[test]
fn a_server_that_freezes() {
    let server = Server::start(Variant::Redis70).unwrap();
    let address = server.addr().to_string();
    let config = Config::tcp("127.0.0.1", server.port())
        .response_timeout(Duration::from_millis(300))
        .connect_timeout(Duration::from_millis(300))
        .heartbeat(Duration::from_millis(100))
        .silence_timeout(Duration::from_secs(1));
    let tellers = Teller::both("A server freezes and thaws", &config);
    for teller in &tellers {
        teller.call_until("story", |it| it.is_ok());
    }
    server.pause().unwrap();
    for teller in &tellers {
        let parts = [&*format!("could not connect to {address}")];
        teller.call_until_told("story", &parts);
    }
    server.resume().unwrap();
    for teller in &tellers {
        teller.call_until("story", |it| it.is_ok());
        let connected = format!("connected to {address} in ");
        let lost = format!("lost a connection to {address}: {address} has sent nothing for ");
        let failed = format!("could not connect to {address}: ");
        let late = "SET timed out after ";
        match &teller.caller {
            Caller::Async(_) => {
                teller.assert_story(&[&connected, late, &lost, &failed, &connected]);
            }
            // It does not read between calls, and so it gives up calls and not the server.
            Caller::Blocking(_) => teller.assert_story(&[&connected, late, &failed, &connected]),
        }
    }
}

#[test]
fn a_primary_of_a_cluster_that_is_killed() {
    let cluster = clusters::own(Variant::Redis82);
    let config = Config::from_url(&cluster.url()).unwrap();
    let config = config.response_timeout(Duration::from_secs(2));
    let tellers = Teller::both("A primary of a cluster is killed", &config);
    let primary = cluster.primaries().unwrap()[0].clone();
    let replica = cluster.replicas_of(&primary).unwrap()[0].clone();
    let key = cluster.key_at(&primary).unwrap();
    for teller in &tellers {
        teller.call_until(&key, |it| it.is_ok());
    }
    let _outage = cluster.kill(&primary).unwrap();
    let (old, new) = (primary.addr().to_string(), replica.addr().to_string());
    let parts = [
        format!("{new} is now the primary of slots"),
        format!("in place of {old}"),
    ];
    for teller in &tellers {
        teller.call_until_told(&key, &parts.each_ref().map(String::as_str));
        teller.call_until(&key, |it| it.is_ok());
        teller.assert_story(&[
            "the cluster has 6 nodes, with a primary for 16384 slots; ",
            &format!("lost a connection to {old}: "),
            &format!("{new} is now the primary of slots "),
        ]);
    }
}
