//! What a pool counts.

use std::time::Duration;

/// What a pool of connections is doing, and what it has done since it was made.
///
/// Made connections are open or were closed: [`made`](Self::made) is [`open`](Self::open) and
/// [`closed`](Self::closed) together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Connections that are free.
    pub idle: usize,
    /// Connections that a caller has, or is about to fetch.
    pub in_use: usize,
    /// Attempts to connect that are under way.
    pub connecting: usize,
    /// Callers who wait for their turn.
    pub waiting: usize,
    /// How often a caller got a connection.
    pub lent: u64,
    /// Connections that were made.
    pub made: u64,
    /// Attempts to connect that failed.
    pub failed: u64,
    /// Connections that were closed since they had reached their lifetime.
    pub closed_old: u64,
    /// Connections that were closed since they had been idle for too long.
    pub closed_idle: u64,
    /// Connections that were closed since they may not have been as they were when they were made:
    /// a reply was owed, or a command had changed them.
    pub closed_dirty: u64,
    /// Connections that were lost, in use or idle.
    pub closed_broken: u64,
    /// Connections that were closed since the server is no longer the one to use: it was demoted, or
    /// its name leads elsewhere.
    pub closed_left: u64,
    /// How often a caller had to wait.
    pub waited: u64,
    /// How often a caller waited in vain.
    pub timed_out: u64,
    /// How long callers have waited, all together.
    pub wait_time: Duration,
    /// How long the one who waited longest has.
    pub longest_wait: Duration,
}

impl PoolStats {
    /// Those of two pools together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            idle: self.idle + other.idle,
            in_use: self.in_use + other.in_use,
            connecting: self.connecting + other.connecting,
            waiting: self.waiting + other.waiting,
            lent: self.lent + other.lent,
            made: self.made + other.made,
            failed: self.failed + other.failed,
            closed_old: self.closed_old + other.closed_old,
            closed_idle: self.closed_idle + other.closed_idle,
            closed_dirty: self.closed_dirty + other.closed_dirty,
            closed_broken: self.closed_broken + other.closed_broken,
            closed_left: self.closed_left + other.closed_left,
            waited: self.waited + other.waited,
            timed_out: self.timed_out + other.timed_out,
            wait_time: self.wait_time + other.wait_time,
            longest_wait: self.longest_wait.max(other.longest_wait),
        }
    }
}

impl PoolStats {
    /// Connections that are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.idle + self.in_use
    }

    /// Connections that were closed, whatever the reason.
    #[must_use]
    pub fn closed(&self) -> u64 {
        self.closed_old
            + self.closed_idle
            + self.closed_dirty
            + self.closed_broken
            + self.closed_left
    }
}
