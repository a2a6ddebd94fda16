//! The cluster clients under load while nodes are killed, replaced and silent, connections break, and
//! slots move.
//!
//! For each server a cluster of three primaries with a replica each, and for each fault both clients
//! side by side, each with tasks that read, write, count and append, alone, in pipelines, in
//! transactions and with keys of several slots. Oracles that know nothing of the client judge in the end: whether every reply was the
//! call's own, whether every call ended in time, and whether what was done is what callers were told.
//! What the servers themselves lose when a primary dies is counted apart.
//!
//! The table of what came of it is printed with `--nocapture`. With `CLUSTER_LOAD_LONG=1` much more
//! goes wrong, which takes minutes for each server; with `CLUSTER_LOAD_LONG=0.1` a tenth of that.

#![cfg(all(feature = "async", feature = "blocking", feature = "core"))]

mod books;
mod caller;
mod faults;
mod load;
mod meter;
mod report;
#[path = "../support/side.rs"]
mod side;
mod witness;
mod worker;

use std::{
    env,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use faults::Counts;
use report::{Fault, Row, Table};
use respec_testkit::Variant;
use side::Side;

#[test]
fn clients_on_redis70() {
    check(Variant::Redis70);
}

#[test]
fn clients_on_redis82() {
    check(Variant::Redis82);
}

#[test]
fn clients_on_valkey91() {
    check(Variant::Valkey91);
}

/// An operator helps servers that elect nobody, which is told apart: clients come back as soon as
/// they do where somebody is elected.
#[test]
fn k07_an_election_that_fails_is_told_apart() {
    let _turn = turn();
    let [failed, held] = faults::elections(&Side::all(), Variant::Valkey91);
    println!("{}\n{}", Table(&failed), Table(&held));
    for row in failed.iter().chain(&held) {
        judge(row);
        assert_eq!(row.recoveries.len(), 1, "{}", row.title());
    }
    for row in &failed {
        assert_eq!(row.unelected, 1, "{}", row.title());
    }
    for row in &held {
        assert_eq!(row.unelected, 0, "{}", row.title());
    }
}

/// One test at a time has the machine.
fn turn() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check(variant: Variant) {
    let _turn = turn();
    let scale = env::var("CLUSTER_LOAD_LONG").map_or(Ok(0.0), |scale| scale.parse());
    let counts = LONG.part(scale.expect("CLUSTER_LOAD_LONG is a number, such as 1 or 0.1"));
    let rows = faults::run(&Side::all(), variant, &counts);
    println!("{}", Table(&rows));
    rows.iter().for_each(judge);
}

/// Whether a client has kept its promises.
fn judge(row: &Row) {
    let (verdict, what) = (&row.verdict, row.title());
    let details = format!(
        "{what}:\n{}\n{}\n{}\n{}",
        verdict.tags, verdict.log, verdict.counters, verdict.ledger
    );
    assert!(verdict.is_clean(), "{details}");
    assert!(
        verdict.log.acknowledged > 0 && verdict.counters.acknowledged > 0,
        "{details}"
    );
    let is_orderly = row.takeovers == 0;
    if is_orderly && !matches!(row.fault, Fault::Kill | Fault::Silence) {
        assert_eq!(verdict.stale, 0, "{details}");
    }
    let nobody_told = [Fault::Failover, Fault::Storm, Fault::Hole, Fault::Moves];
    if is_orderly && nobody_told.contains(&row.fault) {
        assert!(
            verdict.tally.errors.is_empty(),
            "{what}: {:?}",
            verdict.tally.errors
        );
    }
    if row.fault == Fault::Cut {
        let unsure = |((_, executed), _): (&(String, bool), &u64)| *executed;
        assert!(verdict.tally.errors.iter().all(unsure), "{details}");
    }
    if row.fault == Fault::LongHole {
        let codes = verdict.tally.errors.keys().map(|(code, _)| code);
        let known = |code: &String| code == "CLUSTERDOWN" || code.starts_with("Timeout");
        assert!(codes.clone().any(|code| code == "CLUSTERDOWN"), "{details}");
        assert!(codes.clone().all(known), "{details}");
    }
    for (asked, took) in &row.asked {
        // Each client at most ten times a second, and once more at each end of that time.
        let allowed = 2 * (2 + 10 * took.as_millis() as u64 / 1_000);
        assert!(*asked <= allowed, "{what}: asked {asked} times in {took:?}");
    }
    for (name, count) in &row.redirected {
        assert!(*count > 0, "{what}: expected {name} to be met");
    }
    for recovery in &row.recoveries {
        assert!(recovery.all < RECOVERED, "{what}: {recovery:?}");
    }
    for others in &row.others {
        assert!(others.rate_kept() > RATE_KEPT, "{what}: {others:?}");
        let [client, control] = &others.silent;
        assert!(client.p99 < 4 * control.p99 + DELAYED, "{what}: {others:?}");
    }
}

impl Counts {
    /// A part of these, and at least what is done in every run of the tests.
    fn part(self, scale: f64) -> Self {
        let part = |short: usize, long: usize| short.max((long as f64 * scale) as usize);
        Self {
            kills: part(SHORT.kills, self.kills),
            failovers: part(SHORT.failovers, self.failovers),
            storms: part(SHORT.storms, self.storms),
            holes: part(SHORT.holes, self.holes),
            silences: part(SHORT.silences, self.silences),
            moves: part(SHORT.moves, self.moves),
            cuts: part(SHORT.cuts, self.cuts),
            operations: (self.operations as f64 * scale) as u64,
        }
    }
}

const SHORT: Counts = Counts {
    kills: 3,
    failovers: 5,
    storms: 1,
    holes: 1,
    silences: 1,
    moves: 50,
    cuts: 100,
    operations: 0,
};

const LONG: Counts = Counts {
    kills: 40,
    failovers: 200,
    storms: 50,
    holes: 100,
    silences: 10,
    moves: 2000,
    cuts: 2000,
    operations: 4_000_000,
};

/// After this time beyond the servers' own every caller is served again, however busy the machine.
const RECOVERED: Duration = Duration::from_secs(5);
/// What part of their rate other shards keep at least while one node is silent.
const RATE_KEPT: f64 = 0.5;
/// A delay that a busy machine can cause; one that waits for the silent node is longer.
const DELAYED: Duration = Duration::from_millis(250);
