//! When to look at a connection before something is written to it, and what a look can find.
//!
//! A server may close a connection at any time, and what is then written to it is lost without
//! telling: nobody could say whether it was executed. A look is one call to the system, which finds
//! a connection that has ended before anything is written.
//!
//! A connection that somebody reads all the time is looked at where nothing was sent for a while: its
//! driver may not have had time to run since. One that nobody reads between calls is looked at
//! before every use.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::mutant::{self, Mutant};

/// What a look at the socket of a connection finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing: the connection is open, as far as can be seen.
    Nothing,
    /// Bytes that were not read. They are for the machine of the connection, which knows whether they
    /// are welcome, and there may be an end behind them.
    Bytes,
    /// The end.
    End,
}

/// When a shared connection was last used.
#[derive(Debug)]
pub(crate) struct LastUse {
    base: Instant,
    /// In milliseconds since [`IDLE`] before `base`, which lie on the side of another look.
    at: AtomicU64,
}

impl LastUse {
    /// A connection that is not used yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            base: now,
            at: AtomicU64::new(IDLE),
        }
    }

    /// Takes note of a use, and says whether the connection is to be looked at before.
    pub(crate) fn is_look_due(&self, now: Instant) -> bool {
        let now = now.saturating_duration_since(self.base);
        let now = now.as_secs() * 1000 + u64::from(now.subsec_millis()) + IDLE;
        let last = self.at.load(Ordering::Relaxed);
        if now == last {
            return false;
        }
        self.at.store(now, Ordering::Relaxed);
        now.saturating_sub(last) >= IDLE && !mutant::is(Mutant::LookOmitted)
    }

    /// Takes note that a look has found something, so that the next use has to look as well.
    pub(crate) fn has_seen(&self) {
        self.at.store(0, Ordering::Relaxed);
    }
}

/// After how many milliseconds without a call a shared connection is looked at.
const IDLE: u64 = Duration::from_millis(500).as_millis() as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c10_a_look_is_due_after_half_a_second_without_a_call() {
        let start = Instant::now();
        let used = LastUse::new(start);
        let at = |ms| used.is_look_due(start + Duration::from_millis(ms));
        assert!(!at(0) && !at(499) && !at(998));
        assert!(at(1498), "500 ms after the last");
        assert!(!at(1498) && !at(1997));
        assert!(at(10_000));
        used.has_seen();
        assert!(at(10_000) && !at(10_000));
    }
}
