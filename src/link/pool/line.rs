//! Those who wait for a connection, in order, and what was put aside for them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::Turn;
use crate::mutant::{self, Mutant};

/// Those who wait, and those whose turn it is and who have not come for it yet.
#[derive(Debug)]
pub(super) struct Line<C, W> {
    waiting: VecDeque<Waiter<W>>,
    granted: Vec<Grant<C, W>>,
    next_ticket: u64,
}

/// A place among those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiter<W> {
    ticket: Ticket,
    /// Since when.
    pub(super) since: Instant,
    wake: W,
}

/// What was put aside for one who has waited.
#[derive(Debug)]
struct Grant<C, W> {
    waiter: Waiter<W>,
    turn: Turn<C>,
    since: Instant,
}

impl<C, W: Clone> Line<C, W> {
    pub(super) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            granted: Vec::new(),
            next_ticket: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds one who waits, in front of all others or behind them.
    pub(super) fn join(&mut self, wake: W, in_front: bool, now: Instant) -> (Ticket, W) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let waiter = Waiter {
            ticket,
            since: now,
            wake: wake.clone(),
        };
        if in_front {
            self.waiting.push_front(waiter);
        } else {
            self.waiting.push_back(waiter);
        }
        (ticket, wake)
    }

    /// Takes one out who waits; `None` if it does not, or no longer.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Waiter<W>> {
        let waits = |waiter: &Waiter<W>| waiter.ticket == ticket;
        let at = self.waiting.iter().position(waits)?;
        self.waiting.remove(at)
    }

    /// Puts a turn aside for the one who waits longest, and says who that is and since when it has
    /// waited.
    ///
    /// # Errors
    ///
    /// Nobody waits.
    pub(super) fn grant(&mut self, turn: Turn<C>, now: Instant) -> Result<(W, Instant), Turn<C>> {
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
    pub(super) fn collect(&mut self, ticket: Ticket) -> Option<Turn<C>> {
        let mut granted = self.granted.iter();
        let at = granted.position(|grant| grant.waiter.ticket == ticket)?;
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
            !matches!(grant.turn, Turn::Failed(_))
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
    pub(super) fn look_at(&self, ticket: Ticket, now: Instant) -> Option<Instant> {
        let mut waiting = self.waiting.iter();
        let at = waiting.position(|waiter| waiter.ticket == ticket)?;
        let share = u32::try_from(at).ok()?.saturating_add(1);
        now.checked_add(KEPT_FOR.saturating_mul(share))
    }

    /// Whoever waits, to be told to look at something else.
    pub(super) fn wakes(&self) -> Vec<W> {
        let wakes = self.waiting.iter().map(|waiter| waiter.wake.clone());
        wakes.collect()
    }

    #[cfg(test)]
    pub(super) fn first(&self) -> Option<Ticket> {
        self.waiting.front().map(|waiter| waiter.ticket)
    }

    #[cfg(test)]
    pub(super) fn has_no_grants(&self) -> bool {
        self.granted.is_empty()
    }

    /// Forgets everybody, and returns the turns that were put aside.
    pub(super) fn clear(&mut self) -> Vec<Turn<C>> {
        self.waiting.clear();
        self.granted.drain(..).map(|grant| grant.turn).collect()
    }
}

/// For how long a turn is kept for one who does not come for it, since its future is not polled.
pub(super) const KEPT_FOR: Duration = Duration::from_millis(100);
