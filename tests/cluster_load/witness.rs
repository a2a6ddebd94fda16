//! Tasks that show when a client is served.

use std::{
    mem,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    books::Books,
    caller::Caller,
    side::{Running, Side},
    worker::count,
};

/// Tasks that count in one slot, one call after the other, and remember when.
pub(crate) struct Witnesses {
    stop: Arc<AtomicBool>,
    witnesses: Vec<(Writes, Running<()>)>,
}

/// The writes of one witness so far.
type Writes = Arc<Mutex<Vec<Write>>>;

/// A write that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub(crate) begun: Instant,
    pub(crate) done: Instant,
}

impl Witnesses {
    /// Begins to count in the slot with an index, and waits until each of the writers has.
    pub(crate) fn start(
        side: &Side,
        caller: &Caller,
        books: &Arc<Books>,
        at: usize,
        writers: Range<u32>,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let witnesses = writers.map(|writer| {
            let seen = Writes::default();
            let (caller, books) = (caller.clone(), Arc::clone(books));
            let (stop, writes) = (Arc::clone(&stop), Arc::clone(&seen));
            let task = async move {
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    if count(&caller, &books, at, writer).await.is_ok() {
                        let done = Instant::now();
                        lock(&writes).push(Write { begun, done });
                    }
                }
            };
            (seen, side.spawn(task))
        });
        let witnesses = witnesses.collect();
        let witnesses = Self { stop, witnesses };
        witnesses.wait_for_all(|_| true);
        witnesses
    }

    /// Waits until each has made a write for which this holds, and ends; the first one of each.
    pub(crate) fn finish(self, condition: impl Fn(&Write) -> bool) -> Vec<Write> {
        self.wait_for_all(&condition);
        let first = |writes: Vec<Write>| writes.into_iter().find(&condition).unwrap();
        self.end().map(first).collect()
    }

    /// Waits until each has made a write for which this holds, and ends; the longest time of each
    /// from one write to the next, since a moment.
    pub(crate) fn longest_waits(
        self,
        since: Instant,
        condition: impl Fn(&Write) -> bool,
    ) -> Vec<Duration> {
        self.wait_for_all(condition);
        let longest = |writes: Vec<Write>| {
            let done = writes.iter().map(|write| write.done);
            let done: Vec<_> = done.filter(|done| *done >= since).collect();
            done.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
        };
        self.end().map(longest).collect()
    }

    fn end(self) -> impl Iterator<Item = Vec<Write>> {
        self.stop.store(true, Ordering::Relaxed);
        self.witnesses.into_iter().map(|(seen, task)| {
            task();
            mem::take(&mut *lock(&seen))
        })
    }

    fn wait_for_all(&self, condition: impl Fn(&Write) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        for (seen, _) in &self.witnesses {
            while !lock(seen).iter().rev().any(&condition) {
                assert!(Instant::now() < deadline, "no write is acknowledged");
                thread::sleep(POLL_INTERVAL);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So long something may take that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(1);
