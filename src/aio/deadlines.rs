//! The time of all connections: one thread, which is begun when it is first needed.
//!
//! A deadline must hold wherever the task of its connection lives, and whether that task still runs.
//! So it is not that task which watches it, and no runtime: a connection with something owed tells
//! this thread when to look at it next, which is once a second or a little more often.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    panic::{self, AssertUnwindSafe},
    process,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    task::Waker,
    thread,
    time::Instant,
};

use super::connection::Core;
use crate::protocol::Dispatch;

/// Has a connection swept then.
pub(super) fn watch(core: &Arc<Core>, at: Instant) {
    let mut schedule = lock();
    let core_of = Arc::downgrade(core);
    let is_first = schedule
        .entries
        .peek()
        .is_none_or(|Reverse(first)| at < first.at);
    schedule.entries.push(Reverse(Entry { at, core: core_of }));
    // A fork has the schedule, and not the thread.
    let process = process::id();
    let is_running = schedule.process == Some(process);
    if !is_running {
        let started = thread::Builder::new()
            .name("respec-time".to_owned())
            .spawn(run);
        schedule.process = started.is_ok().then_some(process);
        if started.is_err() {
            schedule.entries.clear();
            drop(schedule);
            // The next call tries again.
            core.no_sweep();
        }
        return;
    }
    drop(schedule);
    if is_first {
        CHANGED.notify_one();
    }
}

/// What to look at, and when.
struct Schedule {
    entries: BinaryHeap<Reverse<Entry>>,
    /// The process in which the thread runs.
    process: Option<u32>,
}

struct Entry {
    at: Instant,
    core: Weak<Core>,
}

static SCHEDULE: Mutex<Schedule> = Mutex::new(Schedule {
    entries: BinaryHeap::new(),
    process: None,
});

static CHANGED: Condvar = Condvar::new();

fn lock() -> MutexGuard<'static, Schedule> {
    SCHEDULE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run() {
    let mut dispatch = Dispatch::new();
    let mut schedule = lock();
    loop {
        let now = Instant::now();
        let next = schedule.entries.peek().map(|Reverse(entry)| entry.at);
        match next {
            Some(at) if at <= now => {}
            Some(at) => {
                let waited = CHANGED.wait_timeout(schedule, at.saturating_duration_since(now));
                schedule = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            None => {
                schedule = CHANGED
                    .wait(schedule)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
        }
        let Some(Reverse(due)) = schedule.entries.pop() else {
            continue;
        };
        drop(schedule);
        let again = sweep(&due.core, now, &mut dispatch);
        schedule = lock();
        if let Some(at) = again {
            schedule.entries.push(Reverse(Entry { at, ..due }));
        }
    }
}

/// Looks at a connection, and wakes those who are to be told.
fn sweep(core: &Weak<Core>, now: Instant, dispatch: &mut Dispatch<Waker>) -> Option<Instant> {
    let again = core.upgrade()?.sweep(now, dispatch);
    for waker in dispatch.waiters.drain(..) {
        // One that panics must not end the time of all others.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
    dispatch.clear();
    again
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}
