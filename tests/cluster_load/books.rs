//! What was done in a run and what came of it, as the oracles want to know it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use respec::{Error, ErrorKind, Result};
use respec_testkit::{
    Cluster, Outage, key_in_slot,
    oracle::{
        AppendLog, AppendReport, CounterReport, Counters, Deadline, FindingKind, Ledger,
        LedgerReport, Operation, Overdue, TagReport, Tags,
    },
};

/// The books of one run. In each slot that takes part there are a list and a counter.
pub(crate) struct Books {
    pub(crate) tags: Tags,
    log: AppendLog,
    counters: Counters,
    ledger: Ledger,
    limit: Duration,
    tally: Mutex<Tally>,
    /// Calls that have begun.
    calls: AtomicU64,
    /// Commands that have ended, in whatever way.
    operations: AtomicU64,
    /// Replies that were older than what was acknowledged before.
    stale: AtomicU64,
}

/// What callers have got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// How many commands failed of which error, and whether they may have been executed.
    pub(crate) errors: BTreeMap<(String, bool), u64>,
    /// The longest call that has not failed.
    pub(crate) slowest: Duration,
}

/// A call under way.
pub(crate) struct Watched {
    begun: Instant,
    _deadline: Deadline,
}

/// What the oracles say in the end.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) operations: u64,
    pub(crate) stale: u64,
    pub(crate) tally: Tally,
    pub(crate) tags: TagReport,
    pub(crate) log: AppendReport,
    pub(crate) counters: CounterReport,
    pub(crate) ledger: LedgerReport,
}

impl Books {
    /// Of a run with a number of its own, in which every call ends within `limit`.
    pub(crate) fn new(run: u32, slots: &[u16], limit: Duration) -> Self {
        let keys = |what: &'static str| {
            let slots = slots.iter();
            slots.map(move |slot| format!("{}:{run}:{what}", key_in_slot(*slot)))
        };
        Self {
            tags: Tags::new(run),
            log: AppendLog::new(keys("log")),
            counters: Counters::new(keys("counter")),
            ledger: Ledger::new(),
            limit,
            tally: Mutex::default(),
            calls: AtomicU64::new(0),
            operations: AtomicU64::new(0),
            stale: AtomicU64::new(0),
        }
    }

    pub(crate) fn outage(&self, outage: &Outage) {
        self.log.outage(outage);
        self.counters.outage(outage);
    }

    /// The list of the slot with this index.
    pub(crate) fn list(&self, at: usize) -> &[u8] {
        self.log.key(at)
    }

    /// The counter of the slot with this index.
    pub(crate) fn counter(&self, at: usize) -> &[u8] {
        self.counters.key(at)
    }

    /// Begins to append to a list: the element, and what will become of it.
    pub(crate) fn append(&self, at: usize, writer: u32) -> (String, Operation) {
        let operation = self.log.begin(at, writer);
        (self.log.element(at, &operation), operation)
    }

    /// Begins to count.
    pub(crate) fn count(&self, at: usize, writer: u32) -> Operation {
        self.counters.begin(at, writer)
    }

    /// Begins a call, which has to end in time.
    pub(crate) fn begin(&self, what: &'static str) -> Watched {
        let begun = Instant::now();
        let id = self.calls.fetch_add(1, Ordering::Relaxed);
        let deadline = self.ledger.register(what, id, begun + self.limit);
        Watched {
            begun,
            _deadline: deadline,
        }
    }

    /// Ends a call, of which so many commands have done well and these have failed.
    pub(crate) fn end<'e>(
        &self,
        call: Watched,
        well: u64,
        failed: impl IntoIterator<Item = &'e Error>,
    ) {
        let took = call.begun.elapsed();
        drop(call);
        let mut failures = 0;
        let mut failed = failed.into_iter().peekable();
        if well > 0 || failed.peek().is_some() {
            let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
            if well > 0 && failed.peek().is_none() {
                tally.slowest = tally.slowest.max(took);
            }
            for error in failed {
                failures += 1;
                let entry = (name(error), error.may_have_executed());
                *tally.errors.entry(entry).or_default() += 1;
            }
        }
        self.operations
            .fetch_add(well + failures, Ordering::Relaxed);
    }

    /// How many commands have ended.
    pub(crate) fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// A reply was older than what was acknowledged before.
    pub(crate) fn stale(&self) {
        self.stale.fetch_add(1, Ordering::Relaxed);
    }

    /// The calls that did not end in time, so far.
    pub(crate) fn overdue(&self) -> Vec<Overdue> {
        self.ledger.overdue()
    }

    /// Judges, when nobody does anything any more.
    pub(crate) fn close(self, cluster: &Cluster) -> Verdict {
        Verdict {
            operations: self.operations(),
            stale: self.stale.load(Ordering::Relaxed),
            tally: self
                .tally
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
            tags: self.tags.report(),
            log: self.log.check(cluster).unwrap(),
            counters: self.counters.check(cluster).unwrap(),
            ledger: self.ledger.finish(),
        }
    }
}

impl Verdict {
    /// Commands that failed, and of these the ones that may have been executed.
    pub(crate) fn errors(&self) -> (u64, u64) {
        let errors = self.tally.errors.iter();
        errors.fold((0, 0), |(all, unsure), ((_, executed), count)| {
            (all + count, unsure + if *executed { *count } else { 0 })
        })
    }

    /// Replies that were not those of the call.
    pub(crate) fn mismatched(&self) -> usize {
        self.tags.mismatches.len() + self.count(&[FindingKind::WrongReply, FindingKind::Stranger])
    }

    /// Calls that did not end in time, as far as the machine let them.
    pub(crate) fn hung(&self) -> usize {
        let allowed = Ledger::GRACE + self.ledger.longest_stall;
        let overdue = self.ledger.overdue.iter();
        overdue
            .filter(|call| call.late.is_none_or(|late| late > allowed))
            .count()
    }

    /// Acknowledged, and not there.
    pub(crate) fn lost(&self) -> usize {
        self.count(&[FindingKind::Lost])
    }

    /// Done more often than anybody asked for.
    pub(crate) fn doubled(&self) -> usize {
        self.count(&[FindingKind::Duplicated, FindingKind::Unaccounted])
    }

    /// Done although the caller was told that it was not.
    pub(crate) fn denied(&self) -> usize {
        self.count(&[
            FindingKind::NotSentButPresent,
            FindingKind::RefusedButPresent,
        ])
    }

    /// Done in another order than asked for.
    pub(crate) fn disordered(&self) -> usize {
        self.count(&[FindingKind::Disordered])
    }

    /// Whether the client has done right.
    pub(crate) fn is_clean(&self) -> bool {
        let logs = self.log.is_clean() && self.counters.is_clean();
        logs && self.tags.is_clean() && self.hung() == 0
    }

    fn count(&self, kinds: &[FindingKind]) -> usize {
        let kinds = kinds.iter();
        kinds
            .map(|kind| self.log.count(*kind) + self.counters.count(*kind))
            .sum()
    }
}

/// Tells the log or the counters what came of an operation.
pub(crate) fn settle<N: TryInto<i64> + Copy>(operation: Operation, result: &Result<N>) {
    match result {
        Ok(number) => operation.acknowledged((*number).try_into().unwrap_or(i64::MAX)),
        Err(error) if error.may_have_executed() => operation.indeterminate(),
        Err(error) if error.kind() == ErrorKind::Server => operation.refused(),
        Err(_) => operation.not_sent(),
    }
}

/// The code of a server's error, or the kind of another.
fn name(error: &Error) -> String {
    match error.code() {
        Some(code) => code.to_owned(),
        None => format!("{:?}", error.kind()),
    }
}
