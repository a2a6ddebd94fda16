//! O4: every operation ends by its deadline.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Watches operations that must end by a deadline, from a thread of its own that no runtime can
/// hold up.
#[derive(Debug)]
pub struct Ledger {
    book: Arc<Book>,
    sweeper: Option<JoinHandle<()>>,
}

/// An operation that has not ended. Hold it until the client's call has returned or was cancelled,
/// then drop it.
#[derive(Debug)]
#[must_use = "the operation ends when this is dropped"]
pub struct Deadline {
    book: Arc<Book>,
    number: u64,
}

/// An operation that did not end in time.
#[derive(Clone, Debug)]
pub struct Overdue {
    /// What the caller said it was.
    pub what: &'static str,
    /// The caller's number for it.
    pub id: u64,
    /// How long after its deadline it ended; absent if it has not.
    pub late: Option<Duration>,
}

/// What a [`Ledger`] found.
#[derive(Clone, Debug)]
pub struct LedgerReport {
    /// How many operations there were.
    pub registered: u64,
    /// How many have ended, in time or not.
    pub ended: u64,
    /// Those that did not end in time.
    pub overdue: Vec<Overdue>,
    /// The longest time for which the machine did not let the sweeper's thread run, beyond what it
    /// wanted to sleep. If that is much, so may some of the lateness be the machine's.
    pub longest_stall: Duration,
}

impl Ledger {
    /// How long after its deadline an operation may end.
    pub const GRACE: Duration = Duration::from_millis(250);

    /// Begins to watch.
    pub fn new() -> Self {
        let book = Arc::new(Book::default());
        let sweeper = thread::spawn({
            let book = Arc::clone(&book);
            move || book.sweep()
        });
        Self {
            book,
            sweeper: Some(sweeper),
        }
    }

    /// Registers an operation; `what` and `id` are for the report.
    pub fn register(&self, what: &'static str, id: u64, deadline: Instant) -> Deadline {
        let number = self.book.registered.fetch_add(1, Ordering::Relaxed);
        let entry = Entry {
            what,
            id,
            deadline,
            reported: false,
        };
        self.book.shard(number).insert(number, entry);
        Deadline {
            book: Arc::clone(&self.book),
            number,
        }
    }

    /// How many operations have not ended.
    pub fn open(&self) -> usize {
        self.book.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// The operations that were found to be overdue so far.
    pub fn overdue(&self) -> Vec<Overdue> {
        lock(&self.book.overdue).clone()
    }

    /// Waits until every operation has ended or is overdue, and reports.
    pub fn finish(self) -> LedgerReport {
        while self.book.last_due().is_some_and(|due| Instant::now() < due) {
            thread::sleep(SWEEP_INTERVAL);
        }
        self.book.look_at_all();
        let registered = self.book.registered.load(Ordering::Relaxed);
        LedgerReport {
            registered,
            ended: registered - self.open() as u64,
            overdue: self.overdue(),
            longest_stall: *lock(&self.book.longest_stall),
        }
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        *lock(&self.book.stop) = true;
        self.book.stopped.notify_all();
        if let Some(sweeper) = self.sweeper.take() {
            // It has no reason to panic, and here is nobody to tell.
            let _ = sweeper.join();
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let entry = self.book.shard(self.number).remove(&self.number);
        let Some(entry) = entry else { return };
        // The sweeper need not have noticed.
        let late = Instant::now().saturating_duration_since(entry.deadline);
        if late > Ledger::GRACE {
            let mut overdue = lock(&self.book.overdue);
            if entry.reported {
                overdue.retain(|other| !(other.what == entry.what && other.id == entry.id));
            }
            overdue.push(Overdue {
                what: entry.what,
                id: entry.id,
                late: Some(late),
            });
        }
    }
}

impl LedgerReport {
    /// Whether every operation ended in time.
    pub fn is_clean(&self) -> bool {
        self.overdue.is_empty()
    }
}

impl fmt::Display for LedgerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "deadlines: {} operations, {} ended, {} overdue, longest stall {:?}",
            self.registered,
            self.ended,
            self.overdue.len(),
            self.longest_stall
        )?;
        for Overdue { what, id, late } in self.overdue.iter().take(super::SHOWN) {
            match late {
                Some(late) => write!(f, "\n    {what} {id} ended {late:?} late")?,
                None => write!(f, "\n    {what} {id} has not ended")?,
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Book {
    registered: AtomicU64,
    /// Several, so that clients do not wait for each other.
    shards: [Mutex<HashMap<u64, Entry>>; SHARDS],
    overdue: Mutex<Vec<Overdue>>,
    longest_stall: Mutex<Duration>,
    stop: Mutex<bool>,
    stopped: Condvar,
}

#[derive(Debug)]
struct Entry {
    what: &'static str,
    id: u64,
    deadline: Instant,
    reported: bool,
}

impl Book {
    fn sweep(&self) {
        let mut stop = lock(&self.stop);
        while !*stop {
            let begin = Instant::now();
            let waited = self.stopped.wait_timeout(stop, SWEEP_INTERVAL);
            stop = waited.unwrap_or_else(PoisonError::into_inner).0;
            let stall = begin.elapsed().saturating_sub(SWEEP_INTERVAL);
            let mut longest = lock(&self.longest_stall);
            *longest = stall.max(*longest);
            drop(longest);
            self.look_at_all();
        }
    }

    /// Only those that are under way are here, so these are few.
    fn look_at_all(&self) {
        let now = Instant::now();
        for shard in &self.shards {
            for entry in lock(shard).values_mut() {
                let late = now.saturating_duration_since(entry.deadline);
                if late > Ledger::GRACE && !entry.reported {
                    entry.reported = true;
                    lock(&self.overdue).push(Overdue {
                        what: entry.what,
                        id: entry.id,
                        late: None,
                    });
                }
            }
        }
    }

    /// When the last operation that has not ended is overdue.
    fn last_due(&self) -> Option<Instant> {
        let shards = self.shards.iter();
        let last = shards.filter_map(|shard| lock(shard).values().map(|e| e.deadline).max());
        last.max().map(|deadline| deadline + Ledger::GRACE + SLACK)
    }

    fn shard(&self, number: u64) -> MutexGuard<'_, HashMap<u64, Entry>> {
        lock(&self.shards[number as usize % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHARDS: usize = 16;
const SWEEP_INTERVAL: Duration = Duration::from_millis(25);
const SLACK: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use super::Ledger;

    #[test]
    fn what_ends_in_time_is_not_reported() {
        let ledger = Ledger::new();
        let soon = Instant::now() + Duration::from_secs(60);
        let open: Vec<_> = (0..100)
            .map(|id| ledger.register("get", id, soon))
            .collect();
        assert_eq!(ledger.open(), 100);
        drop(open);
        let report = ledger.finish();
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.registered, report.ended), (100, 100));
    }

    #[test]
    fn what_does_not_end_is_reported_and_what_ends_late_with_how_late() {
        let ledger = Ledger::new();
        let now = Instant::now();
        let hung = ledger.register("hung", 1, now);
        let late = ledger.register("late", 2, now);
        let in_time = ledger.register("in time", 3, now + Duration::from_secs(60));
        while ledger.overdue().len() < 2 {
            assert!(now.elapsed() < Duration::from_secs(30));
            thread::yield_now();
        }
        assert!(
            ledger
                .overdue()
                .iter()
                .all(|overdue| overdue.late.is_none())
        );
        assert!(now.elapsed() > Ledger::GRACE);
        drop((late, in_time));
        let report = ledger.finish();
        assert_eq!((report.registered, report.ended), (3, 2));
        let found = |id| report.overdue.iter().find(|overdue| overdue.id == id);
        assert!(found(1).unwrap().late.is_none());
        assert!(found(2).unwrap().late.unwrap() > Ledger::GRACE);
        assert!(found(3).is_none());
        drop(hung);
    }

    #[test]
    fn the_end_of_the_run_waits_for_deadlines() {
        let ledger = Ledger::new();
        let deadline = Instant::now() + Duration::from_millis(20);
        let hung = ledger.register("hung", 1, deadline);
        let report = ledger.finish();
        assert!(Instant::now() > deadline + Ledger::GRACE);
        assert_eq!(report.overdue.len(), 1);
        drop(hung);
    }
}
