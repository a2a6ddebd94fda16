//! How fast calls are in slots that nothing is wrong with.

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use respec::cmd;
use respec_testkit::key_in_slot;

use crate::{
    caller::Caller,
    side::{Running, Side},
};

/// Measures calls of a client in slots that nothing is wrong with.
pub(crate) struct Meter {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Duration>>>,
    since: Mutex<Instant>,
    tasks: Vec<Running<()>>,
}

/// How calls went for a while.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Calls in a second.
    pub(crate) rate: f64,
    /// How long all but a hundredth of them took at most.
    pub(crate) p99: Duration,
}

impl Meter {
    pub(crate) fn start(side: &Side, caller: &Caller, slots: [u16; 2]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let tasks = slots.map(|slot| {
            let (caller, stop, seen) = (caller.clone(), Arc::clone(&stop), Arc::clone(&seen));
            side.spawn(async move {
                let key = format!("{}:metered", key_in_slot(slot));
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    caller.call(cmd::get(&key)).await.unwrap();
                    seen.lock().unwrap().push(begun.elapsed());
                }
            })
        });
        Self {
            stop,
            seen,
            since: Mutex::new(Instant::now()),
            tasks: tasks.into(),
        }
    }

    /// What was measured since this was asked last.
    pub(crate) fn take(&self) -> Measured {
        let mut seen = mem::take(&mut *self.seen.lock().unwrap());
        let since = mem::replace(&mut *self.since.lock().unwrap(), Instant::now());
        seen.sort_unstable();
        Measured {
            rate: seen.len() as f64 / since.elapsed().as_secs_f64(),
            p99: seen
                .get(seen.len() * 99 / 100)
                .copied()
                .unwrap_or(Duration::MAX),
        }
    }

    pub(crate) fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task();
        }
    }
}
