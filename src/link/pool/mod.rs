//! Who has a connection, who waits for one, and which is too old: the books of a pool.
//!
//! ```text
//!            ask ──▶ Reuse ─┐                      ┌─▶ idle ──sweep──▶ closed
//!   caller ──┤              ├─▶ permit ──give_back──┤
//!            ├─▶ Connect ───┘        │             └─▶ straight to the first who waits
//!            │                       └──discard──────▶ leave to connect for the first who waits
//!            └─▶ Wait ──look──▶ Reuse or Connect, when somebody has released one
//! ```
//!
//! Whatever is released goes to whoever waits longest, before anybody can ask for it: while
//! somebody waits nothing is free, so that nobody is overtaken.
//!
//! After an attempt to connect has failed, only one is made at a time, and not before a pause that
//! grows; callers wait meanwhile as they do for a connection in use. When an attempt fails and there
//! is no other connection that could come back, all who wait get its error: they would only dial one
//! after the other. The first success ends that.
//!
//! Who has leave to connect may let somebody else use it and [wait in line](Pool::wait_for) for what
//! comes of it, or for any other connection that is released before.
//!
//! A connection of the [minimum](PoolOptions::min) that was closed is made again by a *filler*, for
//! which [`Pool::fill`] gives leave whenever the pool is used. Where callers do not wait while the server
//! cannot be reached, a filler finds out whether it can be again.
//!
//! A turn that was put aside for a caller who does not come for it, since its future is not polled,
//! passes on to the next; that caller is the first again behind it.
//!
//! When the server is [left](Pool::leave), what is idle is closed, and what is used when it comes
//! back. A pool that finds itself in another process than the one that it was made in, after a
//! fork, [begins anew](Pool::enter): sockets of the parent are the parent's.
//!
//! No IO happens here and no clock is read; `C` is a connection, and `W` is what the driver needs to
//! wake somebody.

mod idle;
mod stats;
#[cfg(test)]
mod tests;
mod wait_queue;

use std::time::{Duration, Instant};

use fastrand::Rng;

use self::{idle::IdleSet, wait_queue::WaitQueue};
use super::{
    pacing::{DialPermit, Pacing},
    reporter::Reporter,
};
use crate::{
    back_off,
    config::PoolOptions,
    error::{Error, ErrorKind, Phase, Result},
    events::DisconnectReason,
};

pub use stats::PoolStats;
pub(crate) use wait_queue::WaitId;

/// The books of a pool.
#[derive(Debug)]
pub(crate) struct Pool<C, W> {
    options: PoolOptions,
    reporter: Reporter,
    /// When attempts to connect may be made.
    pacing: Pacing,
    idle: IdleSet<C>,
    wait_queue: WaitQueue<C, W>,
    /// Connections that are idle or lent, and leaves to connect.
    open: usize,
    /// Leaves to connect.
    connecting: usize,
    /// Of these, the ones whose connection is for whoever waits longest.
    for_waiter: usize,
    /// A filler is at work.
    filling: bool,
    last_permit: u64,
    /// Connections up to this one lead to a server that was left.
    left: u64,
    /// Those up to this one belong to another process.
    foreign: u64,
    /// The process whose connections these are, once that is known.
    process: Option<u32>,
    /// Draws the numbers that decide about pauses.
    rng: Rng,
    /// What is counted; the rest is filled in when somebody asks.
    counts: PoolStats,
}

/// What a caller gets.
#[derive(Debug)]
pub(crate) enum Acquired<C> {
    /// A connection that was used before and may have died since.
    Reuse(PoolPermit, C),
    /// Leave to make a connection.
    Connect(PoolPermit),
    /// The error of somebody else's attempt.
    Failed(Error),
}

/// What asking leads to.
#[derive(Debug)]
pub(crate) enum Acquire<C, W> {
    /// It is the caller's turn.
    Now(Acquired<C>),
    /// The caller will be woken, and must then look whether it is its turn, or leave.
    Wait(WaitId, W),
}

/// What one who waits sees.
#[derive(Debug)]
pub(crate) struct WaitStatus<C, W> {
    /// It is the caller's turn.
    pub(crate) turn: Option<Acquired<C>>,
    /// It is the turn of this one.
    pub(crate) woken: Option<W>,
    /// When to look again, if nobody wakes the caller before.
    pub(crate) again: Option<Instant>,
}

/// One of the connections that may be open; has to be given back or discarded.
#[derive(Debug)]
#[must_use = "a permit that is forgotten is one connection less for ever"]
pub(crate) struct PoolPermit {
    number: u64,
    expires: Option<Instant>,
    /// What is known until the connection has been given back once; boxed, since permits of
    /// connections that are reused are moved about.
    making: Option<Box<Making>>,
}

/// A connection that is made, or has just been.
#[derive(Debug)]
struct Making {
    /// Leave to make it, as long as it is not there.
    dial_permit: Option<DialPermit>,
    /// It is the filler's.
    fills: bool,
    /// It is for whoever waits longest.
    for_waiter: bool,
}

/// What is to be done after a connection was given back.
#[derive(Debug)]
pub(crate) struct Released<C, W> {
    /// It is the turn of this one.
    pub(crate) woken: Option<W>,
    /// The connection is too old.
    pub(crate) close: Option<C>,
}

/// Why a connection is not given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// It may not be as it was when it was made.
    Dirty,
    /// It was lost.
    Broken,
}

#[cfg(test)]
impl PoolPermit {
    /// When the attempt began that is made alone while others fail, if it is that.
    pub(super) fn probes(&self) -> Option<Instant> {
        let dial_permit = self.making.as_ref()?.dial_permit.as_ref()?;
        dial_permit.probes().then(|| dial_permit.since())
    }
}

impl<C, W: Clone> Pool<C, W> {
    /// A pool without connections.
    pub(crate) fn new(options: PoolOptions, pacing: Pacing, reporter: Reporter, rng: Rng) -> Self {
        Self {
            // A pool that may hold nothing could never say why.
            options: PoolOptions {
                max: options.max.max(1),
                ..options
            },
            reporter,
            pacing,
            idle: IdleSet::new(options.idle_timeout),
            wait_queue: WaitQueue::new(),
            open: 0,
            connecting: 0,
            for_waiter: 0,
            filling: false,
            last_permit: 0,
            left: 0,
            foreign: 0,
            process: None,
            rng,
            counts: PoolStats::default(),
        }
    }

    /// Says which process this is, and returns the connections that are to be dropped, if there are
    /// any: those whose time is over, and those of another process if it was forked from that, to
    /// which nothing is to be written.
    #[inline]
    pub(crate) fn enter(&mut self, process: u32, now: Instant) -> Option<Vec<C>> {
        let before = self.process.replace(process);
        let mut closed = match before {
            Some(before) if before != process => self.leave_parent(now),
            _ if self.idle.is_due(now) => Vec::new(),
            _ => return None,
        };
        closed.append(&mut self.sweep(now));
        Some(closed)
    }

    fn leave_parent(&mut self, now: Instant) -> Vec<C> {
        let mut closed = self.idle.clear();
        // Those who waited are threads of the parent.
        for turn in self.wait_queue.clear() {
            if let Acquired::Reuse(_, connection) = turn {
                closed.push(connection);
            }
        }
        for _ in &closed {
            self.reporter.lost(now, DisconnectReason::Forked, None);
        }
        (self.open, self.connecting, self.for_waiter) = (0, 0, 0);
        self.filling = false;
        self.foreign = self.last_permit;
        self.pacing = self.pacing.anew();
        closed
    }

    /// Asks for a connection: the one that was used last, or leave to make one, or to wait.
    #[inline]
    pub(crate) fn ask(&mut self, now: Instant, waiter: impl FnOnce() -> W) -> Acquire<C, W> {
        if !self.lacks()
            && let Some(turn) = self.turn(now)
        {
            return Acquire::Now(turn);
        }
        let (wait_id, wake) = self.join(waiter(), false, now);
        Acquire::Wait(wait_id, wake)
    }

    /// Asks for another connection instead of one that has turned out to be dead.
    ///
    /// The caller has had its turn, and so waits in front of all others if it must.
    pub(crate) fn ask_again(
        &mut self,
        dead: PoolPermit,
        now: Instant,
        waiter: impl FnOnce() -> W,
    ) -> Acquire<C, W> {
        self.counts.lent -= 1;
        self.forget(dead, Defect::Broken, now);
        if let Some(turn) = self.turn(now) {
            return Acquire::Now(turn);
        }
        let (wait_id, wake) = self.join(waiter(), true, now);
        Acquire::Wait(wait_id, wake)
    }

    /// Makes the caller wait for the connection that somebody else makes with its leave, or for any
    /// other; in front of all others, if it has waited before.
    ///
    /// The connection has to be given back as soon as it is made.
    pub(crate) fn wait_for(
        &mut self,
        permit: &mut PoolPermit,
        waited: bool,
        now: Instant,
        waiter: impl FnOnce() -> W,
    ) -> (WaitId, W) {
        if let Some(making) = &mut permit.making {
            making.for_waiter = true;
            self.for_waiter += 1;
        }
        self.join(waiter(), waited, now)
    }

    /// All who wait, to be told to look at something else.
    pub(crate) fn waiters(&self) -> Vec<W> {
        self.wait_queue.wakes()
    }

    /// Whether those who wait do so for a connection to be made.
    pub(crate) fn is_connecting(&self) -> bool {
        self.pacing.is_failing() || self.for_waiter > 0
    }

    /// Why there is no connection, while no attempt to make one is allowed.
    pub(crate) fn failure(&self, now: Instant) -> Option<&Error> {
        self.pacing.pause(now).filter(|_| self.open == 0)
    }

    /// When attempts to connect may be made.
    pub(crate) fn pacing(&mut self) -> &mut Pacing {
        &mut self.pacing
    }

    /// What tells the events of this server.
    pub(crate) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// A random number.
    pub(crate) fn random(&mut self) -> u64 {
        self.rng.u64(..)
    }

    /// Whether no connection is free and none may be made.
    pub(crate) fn is_used_up(&self) -> bool {
        self.idle.len() == 0 && self.open >= self.options.max
    }

    /// Whether there is a connection, be it lent.
    pub(crate) fn is_connected(&self) -> bool {
        self.open > self.connecting
    }

    /// A connection that is free, and otherwise nothing.
    #[inline]
    pub(crate) fn reuse(&mut self) -> Option<(PoolPermit, C)> {
        let reused = self.idle.pop()?;
        self.counts.lent += 1;
        Some(reused)
    }

    /// Takes out all idle connections, to be closed.
    pub(crate) fn clear(&mut self, now: Instant) -> Vec<C> {
        let closed = self.idle.clear();
        self.counts.closed_broken += closed.len() as u64;
        self.closed(&closed, DisconnectReason::Closed, now);
        closed
    }

    /// Leaves the server that all connections lead to so far: takes out the idle ones, to be closed,
    /// and has the others closed when they come back.
    ///
    /// One that is being made for `permit`, and those that were begun behind it, stay.
    pub(crate) fn leave_server(
        &mut self,
        permit: Option<&PoolPermit>,
        reason: DisconnectReason,
        now: Instant,
    ) -> Vec<C> {
        self.left = permit.map_or(self.last_permit, |permit| permit.number.saturating_sub(1));
        let closed = self.idle.clear();
        self.counts.closed_left += closed.len() as u64;
        self.closed(&closed, reason, now);
        closed
    }

    /// Takes what was granted to one who waits, if it is its turn.
    pub(crate) fn poll_wait(&mut self, wait_id: WaitId, now: Instant) -> WaitStatus<C, W> {
        let woken = match self.pass_on(now) {
            None => self.admit(now),
            passed => passed,
        };
        let turn = self.wait_queue.collect(wait_id);
        let again = [
            self.pacing.retry_at(now),
            self.wait_queue.look_at(wait_id, now),
        ];
        let again = again.into_iter().flatten().min();
        WaitStatus { turn, woken, again }
    }

    /// Stops waiting, unless it is the caller's turn by now.
    pub(crate) fn leave(&mut self, wait_id: WaitId, now: Instant) -> Option<Acquired<C>> {
        match self.wait_queue.leave(wait_id) {
            Some(waiter) => {
                self.waited(waiter.since, false, now);
                None
            }
            None => self.wait_queue.collect(wait_id),
        }
    }

    /// Stops waiting at the end of the time that was allowed for it, unless it is the caller's turn by now.
    ///
    /// # Errors
    ///
    /// It is not.
    pub(crate) fn time_out(
        &mut self,
        wait_id: WaitId,
        allowed: Duration,
        now: Instant,
    ) -> Result<Acquired<C>> {
        if let Some(turn) = self.leave(wait_id, now) {
            return Ok(turn);
        }
        self.counts.timed_out += 1;
        let max = self.options.max;
        let server = self.reporter.server();
        Err(match self.pacing.error() {
            Some(error) => Error::new(
                ErrorKind::Timeout(Phase::Connect),
                format!("no connection to {server} could be made for {allowed:?}"),
            )
            .with_source(error.clone()),
            None => Error::new(
                ErrorKind::Timeout(Phase::Queue),
                format!(
                    "all connections of the pool to {server} were in use for {allowed:?} (pool_wait); there are {max} at most (pool_max)"
                ),
            ),
        })
    }

    /// Starts the life of a connection that was just made, and returns who may connect as well.
    pub(crate) fn connected(&mut self, permit: &mut PoolPermit, now: Instant) -> Vec<W> {
        permit.expires = expiry(self.options.lifetime, permit.number, now);
        let Some(making) = &mut permit.making else {
            return Vec::new();
        };
        let Some(dial_permit) = making.dial_permit.take() else {
            return Vec::new();
        };
        if permit.number <= self.foreign {
            return Vec::new();
        }
        self.reporter.ready(now, dial_permit.since());
        self.pacing.succeeded(dial_permit);
        self.connecting -= 1;
        self.counts.made += 1;
        self.counts.lent += u64::from(!making.fills && !making.for_waiter);
        self.filling &= !std::mem::take(&mut making.fills);
        std::iter::from_fn(|| self.admit(now)).collect()
    }

    /// Takes note that a connection could not be made, and returns who must look or be told.
    pub(crate) fn failed(&mut self, permit: PoolPermit, error: &Error, now: Instant) -> Vec<W> {
        if permit.number <= self.foreign {
            return Vec::new();
        }
        let random = self.random();
        let mut making = permit.making;
        if let Some(dial_permit) = making.as_mut().and_then(|it| it.dial_permit.take()) {
            let pause = self.pacing.failed(dial_permit, error, now, random);
            self.reporter.not_ready(now, error, pause);
        }
        self.counts.failed += u64::from(error.is_connection() || error.is_timeout());
        self.unmade(making.as_deref());
        if !self.pacing.is_failing() {
            // It was not even tried.
            return self.admit(now).into_iter().collect();
        }
        if self.open > 0 {
            // One of those that are open may come back. Whoever waits for it learns of the pause.
            return self.wait_queue.wakes();
        }
        let told = |pool: &mut Self| pool.grant(Acquired::Failed(error.clone()), now);
        std::iter::from_fn(|| told(self)).collect()
    }

    /// Takes back a connection that is as it was when it was made.
    #[inline]
    pub(crate) fn give_back(
        &mut self,
        mut permit: PoolPermit,
        connection: C,
        now: Instant,
    ) -> Released<C, W> {
        let old = permit.expires.is_some_and(|expires| expires <= now);
        let left = permit.number <= self.left;
        if permit.number <= self.foreign {
            return Released {
                woken: None,
                close: Some(connection),
            };
        }
        if let Some(making) = permit.making.take() {
            self.for_waiter -= usize::from(making.for_waiter);
        }
        if old || left {
            self.open -= 1;
            self.counts.closed_left += u64::from(left);
            self.counts.closed_old += u64::from(!left);
            let reason = if left {
                DisconnectReason::Demoted
            } else {
                DisconnectReason::Old
            };
            self.reporter.lost(now, reason, None);
            return Released {
                woken: self.admit(now),
                close: Some(connection),
            };
        }
        if !self.wait_queue.is_empty() {
            return Released {
                woken: self.grant(Acquired::Reuse(permit, connection), now),
                close: None,
            };
        }
        self.idle.push(permit, connection, now);
        Released {
            woken: None,
            close: None,
        }
    }

    /// Takes note that a connection was closed, or that none will be made.
    ///
    /// Returns who may connect now.
    pub(crate) fn discard(
        &mut self,
        permit: PoolPermit,
        defect: Defect,
        now: Instant,
    ) -> Option<W> {
        self.forget(permit, defect, now);
        self.admit(now)
    }

    /// Gives leave to make a connection that the minimum lacks, or that is to find out whether the
    /// server can be reached again while callers do not wait for that; to be given back as soon as it is
    /// made.
    pub(crate) fn fill(&mut self, now: Instant) -> Option<PoolPermit> {
        let lacks = self.open < self.options.min || (self.open == 0 && self.offline().is_some());
        if !lacks || self.filling {
            return None;
        }
        let mut permit = self.leave_to_connect(now)?;
        if let Some(making) = &mut permit.making {
            making.fills = true;
        }
        self.filling = true;
        Some(permit)
    }

    /// Takes out the idle connections that are to be closed.
    pub(crate) fn sweep(&mut self, now: Instant) -> Vec<C> {
        let spare = self.open.saturating_sub(self.options.min);
        let mut expired = self.idle.expire(spare, now);
        self.counts.closed_old += expired.old.len() as u64;
        self.counts.closed_idle += expired.idle.len() as u64;
        self.closed(&expired.old, DisconnectReason::Old, now);
        self.closed(&expired.idle, DisconnectReason::Idle, now);
        expired.old.append(&mut expired.idle);
        expired.old
    }

    /// What the pool is doing and has done.
    pub(crate) fn stats(&self) -> PoolStats {
        PoolStats {
            idle: self.idle.len(),
            in_use: self.open - self.connecting - self.idle.len(),
            connecting: self.connecting,
            waiting: self.wait_queue.len(),
            ..self.counts
        }
    }

    /// A connection that is free, or leave to make one, or the reason why callers do not wait for one.
    #[inline]
    fn turn(&mut self, now: Instant) -> Option<Acquired<C>> {
        if let Some((permit, connection)) = self.reuse() {
            return Some(Acquired::Reuse(permit, connection));
        }
        match self.offline() {
            Some(error) => Some(Acquired::Failed(error.clone())),
            None => self.leave_to_connect(now).map(Acquired::Connect),
        }
    }

    /// Why there is no connection, where callers are not to wait for one.
    fn offline(&self) -> Option<&Error> {
        self.pacing.refuses().filter(|_| !self.is_connected())
    }

    fn leave_to_connect(&mut self, now: Instant) -> Option<PoolPermit> {
        if self.open >= self.options.max {
            return None;
        }
        let failures = self.pacing.failures();
        let dial_permit = self.pacing.begin(now)?;
        self.reporter.dialling(now, failures);
        self.open += 1;
        self.connecting += 1;
        self.last_permit += 1;
        Some(PoolPermit {
            number: self.last_permit,
            expires: None,
            making: Some(Box::new(Making {
                dial_permit: Some(dial_permit),
                fills: false,
                for_waiter: false,
            })),
        })
    }

    /// Whether more wait than connections are being made for.
    fn lacks(&self) -> bool {
        self.wait_queue.len() > self.for_waiter
    }

    /// Lets the one connect who waits longest, if that may be.
    fn admit(&mut self, now: Instant) -> Option<W> {
        if !self.lacks() {
            return None;
        }
        let permit = self.leave_to_connect(now)?;
        self.grant(Acquired::Connect(permit), now)
    }

    /// Puts a turn aside for the one who waits longest.
    fn grant(&mut self, turn: Acquired<C>, now: Instant) -> Option<W> {
        let reused = matches!(turn, Acquired::Reuse(..));
        let served = !matches!(turn, Acquired::Failed(_));
        match self.wait_queue.grant(turn, now) {
            Ok((wake, since)) => {
                self.waited(since, served, now);
                self.counts.lent += u64::from(reused);
                Some(wake)
            }
            // Nobody waits, which whoever calls this has made sure of.
            Err(_) => None,
        }
    }

    /// Passes a turn on that nobody has come for.
    fn pass_on(&mut self, now: Instant) -> Option<W> {
        let (wake, since) = self.wait_queue.pass_on(now)?;
        self.waited(since, true, now);
        Some(wake)
    }

    fn join(&mut self, wake: W, in_front: bool, now: Instant) -> (WaitId, W) {
        self.counts.waited += 1;
        self.wait_queue.join(wake, in_front, now)
    }

    /// Takes a permit out of the books.
    fn forget(&mut self, permit: PoolPermit, defect: Defect, now: Instant) {
        if permit.number <= self.foreign {
            return;
        }
        let mut making = permit.making;
        if let Some(dial_permit) = making.as_mut().and_then(|it| it.dial_permit.take()) {
            self.pacing.given_up(dial_permit);
            self.unmade(making.as_deref());
            return;
        }
        self.open -= 1;
        self.for_waiter -= usize::from(making.is_some_and(|it| it.for_waiter));
        match defect {
            Defect::Dirty => {
                self.counts.closed_dirty += 1;
                self.reporter.lost(now, DisconnectReason::Dirty, None);
            }
            // Its own machine tells why.
            Defect::Broken => self.counts.closed_broken += 1,
        }
    }

    /// Takes leave to make a connection out of the books.
    fn unmade(&mut self, making: Option<&Making>) {
        self.open -= 1;
        self.for_waiter -= usize::from(making.is_some_and(|it| it.for_waiter));
        self.connecting -= 1;
        self.filling &= !making.is_some_and(|it| it.fills);
    }

    /// Takes connections out of the books that were idle.
    fn closed(&mut self, closed: &[C], reason: DisconnectReason, now: Instant) {
        self.open -= closed.len();
        for _ in closed {
            self.reporter.lost(now, reason, None);
        }
    }

    fn waited(&mut self, since: Instant, served: bool, now: Instant) {
        let time = now.saturating_duration_since(since);
        self.counts.wait_time += time;
        self.counts.longest_wait = self.counts.longest_wait.max(time);
        self.reporter.pool_wait(now, time, served);
    }
}

/// When a connection that is made now has reached its lifetime, or a tenth less by its number: those
/// that were made together shall not end together.
pub(super) fn expiry(lifetime: Option<Duration>, number: u64, now: Instant) -> Option<Instant> {
    let lifetime = lifetime?;
    let share = number.wrapping_mul(SPREAD);
    now.checked_add(lifetime.saturating_sub(back_off::scaled(lifetime / 10, share)))
}

/// Spreads consecutive numbers evenly over 64 bits: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
