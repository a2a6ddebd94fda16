//! Those who wait for a connection, in order, and what was put aside for them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::Acquired;
use crate::mutant::{self, Mutant};

/// Those who wait, and those whose turn it is and who have not come for it yet.
#[derive(Debug)]
pub(super) struct WaitQueue<C, W> {
    waiting: VecDeque<Waiter<W>>,
    granted: Vec<Grant<C, W>>,
    next_wait_id: u64,
}

/// A place among those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitId(u64);

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiter<W> {
    wait_id: WaitId,
    /// Since when.
    pub(super) since: Instant,
    wake: W,
}

/// What was put aside for one who has waited.
#[derive(Debug)]
struct Grant<C, W> {
    waiter: Waiter<W>,
    turn: Acquired<C>,
    since: Instant,
}

impl<C, W: Clone> WaitQueue<C, W> {
    pub(super) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            granted: Vec::new(),
            next_wait_id: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds one who waits, in front of all others or behind them.
    pub(super) fn join(&mut self, wake: W, in_front: bool, now: Instant) -> (WaitId, W) {
        let wait_id = WaitId(self.next_wait_id);
        self.next_wait_id += 1;
        let waiter = Waiter {
            wait_id,
            since: now,
            wake: wake.clone(),
        };
        if in_front {
            self.waiting.push_front(waiter);
        } else {
            self.waiting.push_back(waiter);
        }
        (wait_id, wake)
    }

    /// Takes one out who waits; `None` if it does not, or no longer.
    pub(super) fn leave(&mut self, wait_id: WaitId) -> Option<Waiter<W>> {
        let waits = |waiter: &Waiter<W>| waiter.wait_id == wait_id;
        let at = self.waiting.iter().position(waits)?;
        self.waiting.remove(at)
    }

    /// Puts a turn aside for the one who waits longest, and says who that is and since when it has
    /// waited.
    ///
    /// # Errors
    ///
    /// Nobody waits.
    pub(super) fn grant(
        &mut self,
        turn: Acquired<C>,
        now: Instant,
    ) -> Result<(W, Instant), Acquired<C>> {
        let Some(waiter) = self.waiting.pop_front() else {
            return Err(turn);
        };
        let served = (waiter.wake.clone(), waiter.since);
        self.granted.push(Grant {
            waiter,
            turn,
            since: now,
        });
        Ok(served)
    }

    /// Takes what was put aside for one who has waited.
    pub(super) fn collect(&mut self, wait_id: WaitId) -> Option<Acquired<C>> {
        let mut granted = self.granted.iter();
        let at = granted.position(|grant| grant.waiter.wait_id == wait_id)?;
        Some(self.granted.swap_remove(at).turn)
    }

    /// Passes a turn on that nobody has come for in time, and says who has it now.
    ///
    /// The one that has not come is the next again behind that.
    pub(super) fn pass_on(&mut self, now: Instant) -> Option<(W, Instant)> {
        if self.waiting.is_empty() || mutant::is(Mutant::TurnLost) {
            return None;
        }
        let is_left = |grant: &Grant<C, W>| {
            !matches!(grant.turn, Acquired::Failed(_))
                && now.saturating_duration_since(grant.since) >= KEPT_FOR
        };
        let at = self.granted.iter().position(is_left)?;
        let Grant { waiter, turn, .. } = self.granted.swap_remove(at);
        let passed = self.grant(turn, now).ok();
        self.waiting.push_front(waiter);
        passed
    }

    /// When one who waits is to look whether a turn that nobody comes for can be passed on.
    ///
    /// Those behind look later, so that many who wait do not look all the time.
    pub(super) fn look_at(&self, wait_id: WaitId, now: Instant) -> Option<Instant> {
        let mut waiting = self.waiting.iter();
        let at = waiting.position(|waiter| waiter.wait_id == wait_id)?;
        let share = u32::try_from(at).ok()?.saturating_add(1);
        now.checked_add(KEPT_FOR.saturating_mul(share))
    }

    /// Whoever waits, to be told to look at something else.
    pub(super) fn wakes(&self) -> Vec<W> {
        let wakes = self.waiting.iter().map(|waiter| waiter.wake.clone());
        wakes.collect()
    }

    #[cfg(test)]
    pub(super) fn first(&self) -> Option<WaitId> {
        self.waiting.front().map(|waiter| waiter.wait_id)
    }

    #[cfg(test)]
    pub(super) fn has_no_grants(&self) -> bool {
        self.granted.is_empty()
    }

    /// Forgets everybody, and returns the turns that were put aside.
    pub(super) fn clear(&mut self) -> Vec<Acquired<C>> {
        self.waiting.clear();
        self.granted.drain(..).map(|grant| grant.turn).collect()
    }
}

/// For how long a turn is kept for one who does not come for it, since its future is not polled.
pub(super) const KEPT_FOR: Duration = Duration::from_millis(100);
