//! The connections of a pool that nobody uses.

use std::time::{Duration, Instant};

use super::PoolPermit;

/// Idle connections, the one that was used last at the end.
#[derive(Debug)]
pub(super) struct IdleSet<C> {
    idle: Vec<Idle<C>>,
    timeout: Option<Duration>,
    /// No connection is to be closed before; may be that of one that is gone.
    next_expiry: Option<Instant>,
}

#[derive(Debug)]
struct Idle<C> {
    permit: PoolPermit,
    since: Instant,
    connection: C,
}

/// What was taken out since its time is over.
#[derive(Debug)]
pub(super) struct Expired<C> {
    /// Connections that have reached their lifetime.
    pub(super) old: Vec<C>,
    /// Connections that were idle for too long.
    pub(super) idle: Vec<C>,
}

impl<C> IdleSet<C> {
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        Self {
            idle: Vec::new(),
            timeout,
            next_expiry: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.idle.len()
    }

    /// The connection that was used last.
    pub(super) fn pop(&mut self) -> Option<(PoolPermit, C)> {
        self.idle.pop().map(|idle| (idle.permit, idle.connection))
    }

    pub(super) fn push(&mut self, permit: PoolPermit, connection: C, now: Instant) {
        let idle = Idle {
            permit,
            since: now,
            connection,
        };
        self.next_expiry = earlier(self.next_expiry, idle.expiry(self.timeout));
        self.idle.push(idle);
    }

    /// Takes all of them out.
    pub(super) fn clear(&mut self) -> Vec<C> {
        let idle = self.idle.drain(..);
        idle.map(|idle| idle.connection).collect()
    }

    /// Whether there may be some that are to be closed.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next_expiry.is_some_and(|expiry| expiry <= now)
    }

    /// Takes out those that are to be closed; of the ones that were idle for too long `spare` at most.
    pub(super) fn expire(&mut self, mut spare: usize, now: Instant) -> Expired<C> {
        let mut expired = Expired {
            old: Vec::new(),
            idle: Vec::new(),
        };
        if !self.is_due(now) {
            return expired;
        }
        let mut kept = Vec::with_capacity(self.idle.len());
        self.next_expiry = None;
        // The one that has been idle for longest comes first.
        for idle in self.idle.drain(..) {
            let too_old = idle.permit.expires.is_some_and(|expires| expires <= now);
            let too_long = idle
                .expiry(self.timeout)
                .is_some_and(|expiry| expiry <= now);
            if too_old {
                spare = spare.saturating_sub(1);
                expired.old.push(idle.connection);
                continue;
            }
            if too_long && spare > 0 {
                spare -= 1;
                expired.idle.push(idle.connection);
                continue;
            }
            // One that is kept as one of the least has only its age left to end it.
            let expiry = if too_long {
                idle.permit.expires
            } else {
                idle.expiry(self.timeout)
            };
            self.next_expiry = earlier(self.next_expiry, expiry);
            kept.push(idle);
        }
        self.idle = kept;
        expired
    }

    #[cfg(test)]
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.next_expiry
    }
}

impl<C> Idle<C> {
    fn expiry(&self, timeout: Option<Duration>) -> Option<Instant> {
        let idle_until = timeout.and_then(|timeout| self.since.checked_add(timeout));
        earlier(idle_until, self.permit.expires)
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
