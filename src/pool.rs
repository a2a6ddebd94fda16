//! Who has a connection, who waits for one, and which is too old: the books of a pool.
//!
//! ```text
//!            ask ──▶ Reuse ─┐                      ┌─▶ idle ──sweep──▶ closed
//!   caller ──┤              ├─▶ lease ──give_back──┤
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
//! which [`Pool::fill`] gives leave whenever the pool is used.
//!
//! No IO happens here and no clock is read; `C` is a connection, and `W` is what the driver needs to
//! wake somebody.

use std::{
    collections::VecDeque,
    error::Error as _,
    hash::{BuildHasher, RandomState},
    io,
    time::{Duration, Instant},
};

use crate::{
    back_off,
    config::PoolOptions,
    error::{Error, ErrorKind, Phase, Result},
};

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
            waited: self.waited + other.waited,
            timed_out: self.timed_out + other.timed_out,
            wait_time: self.wait_time + other.wait_time,
            longest_wait: self.longest_wait.max(other.longest_wait),
        }
    }
}

/// The books of a pool.
#[derive(Debug)]
pub(crate) struct Pool<C, W> {
    options: PoolOptions,
    /// Those that are free, the one that was used last at the end.
    idle: Vec<Idle<C>>,
    /// Connections that are idle or lent, and leaves to connect.
    open: usize,
    /// Leaves to connect.
    connecting: usize,
    /// Of these, the ones whose connection is for whoever waits longest.
    for_line: usize,
    waiting: VecDeque<Waiter<W>>,
    /// For those who waited and have not come for it yet.
    granted: Vec<(Ticket, Turn<C>)>,
    /// The last attempt to connect has failed.
    failing: Option<Failing>,
    /// A filler is at work.
    filling: bool,
    next_ticket: u64,
    next_lease: u64,
    /// No connection is to be closed before; may be that of one that is gone.
    next_expiry: Option<Instant>,
    chance: RandomState,
    /// What is counted; the rest is filled in when somebody asks.
    counts: PoolStats,
}

/// What a caller gets.
#[derive(Debug)]
pub(crate) enum Turn<C> {
    /// A connection that was used before and may have died since.
    Reuse(Lease, C),
    /// Leave to make a connection.
    Connect(Lease),
    /// The error of somebody else's attempt.
    Failed(Error),
}

/// What asking leads to.
#[derive(Debug)]
pub(crate) enum Asked<C, W> {
    /// It is the caller's turn.
    Turn(Turn<C>),
    /// The caller will be woken, and must then look whether it is its turn, or leave.
    Wait(Ticket, W),
}

/// What one who waits sees.
#[derive(Debug)]
pub(crate) struct Look<C, W> {
    /// It is the caller's turn.
    pub(crate) turn: Option<Turn<C>>,
    /// It is the turn of this one.
    pub(crate) woken: Option<W>,
    /// When to look again, if nobody wakes the caller before.
    pub(crate) again: Option<Instant>,
}

/// A place among those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// One of the connections that may be open; has to be given back or discarded.
#[derive(Debug)]
#[must_use = "a lease that is forgotten is one connection less for ever"]
pub(crate) struct Lease {
    number: u64,
    /// There is a connection, and not only leave to make one.
    made: bool,
    /// It is the one attempt that is made while others fail.
    probes: bool,
    /// It is the filler's.
    fills: bool,
    /// The connection is for whoever waits longest.
    for_line: bool,
    expires: Option<Instant>,
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

#[derive(Debug)]
struct Idle<C> {
    lease: Lease,
    since: Instant,
    connection: C,
}

#[derive(Debug)]
struct Waiter<W> {
    ticket: Ticket,
    since: Instant,
    wake: W,
}

/// Attempts to connect fail.
#[derive(Debug)]
struct Failing {
    failures: u32,
    /// The next attempt is not made before.
    retry_at: Instant,
    /// It is under way.
    probing: bool,
    error: Error,
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
        self.closed_old + self.closed_idle + self.closed_dirty + self.closed_broken
    }
}

impl<C, W: Clone> Pool<C, W> {
    /// A pool without connections.
    pub(crate) fn new(options: PoolOptions) -> Self {
        Self {
            // A pool that may hold nothing could never say why.
            options: PoolOptions {
                max: options.max.max(1),
                ..options
            },
            idle: Vec::new(),
            open: 0,
            connecting: 0,
            for_line: 0,
            waiting: VecDeque::new(),
            granted: Vec::new(),
            failing: None,
            filling: false,
            next_ticket: 0,
            next_lease: 0,
            next_expiry: None,
            chance: RandomState::new(),
            counts: PoolStats::default(),
        }
    }

    /// Asks for a connection: the one that was used last, or leave to make one, or to wait.
    pub(crate) fn ask(&mut self, now: Instant, waiter: impl FnOnce() -> W) -> Asked<C, W> {
        if !self.lacks()
            && let Some(turn) = self.turn(now)
        {
            return Asked::Turn(turn);
        }
        let waiter = self.waiter(now, waiter());
        let (ticket, wake) = (waiter.ticket, waiter.wake.clone());
        self.waiting.push_back(waiter);
        Asked::Wait(ticket, wake)
    }

    /// Asks for another connection instead of one that has turned out to be dead.
    ///
    /// The caller has had its turn, and so waits in front of all others if it must.
    pub(crate) fn ask_again(
        &mut self,
        dead: Lease,
        now: Instant,
        waiter: impl FnOnce() -> W,
    ) -> Asked<C, W> {
        self.counts.lent -= 1;
        self.forget(&dead, Defect::Broken);
        if let Some(turn) = self.turn(now) {
            return Asked::Turn(turn);
        }
        let waiter = self.waiter(now, waiter());
        let (ticket, wake) = (waiter.ticket, waiter.wake.clone());
        self.waiting.push_front(waiter);
        Asked::Wait(ticket, wake)
    }

    /// Makes the caller wait for the connection that somebody else makes with its leave, or for any
    /// other; in front of all others, if it has waited before.
    ///
    /// The connection has to be given back as soon as it is made.
    pub(crate) fn wait_for(
        &mut self,
        lease: &mut Lease,
        waited: bool,
        now: Instant,
        waiter: impl FnOnce() -> W,
    ) -> (Ticket, W) {
        lease.for_line = true;
        self.for_line += 1;
        let waiter = self.waiter(now, waiter());
        let place = (waiter.ticket, waiter.wake.clone());
        if waited {
            self.waiting.push_front(waiter);
        } else {
            self.waiting.push_back(waiter);
        }
        place
    }

    /// All who wait, to be told to look at something else.
    pub(crate) fn waiters(&self) -> Vec<W> {
        let wakes = self.waiting.iter().map(|waiter| waiter.wake.clone());
        wakes.collect()
    }

    /// Whether those who wait do so for a connection to be made.
    pub(crate) fn is_connecting(&self) -> bool {
        self.failing.is_some() || self.for_line > 0
    }

    /// Why there is no connection, while no attempt to make one is allowed.
    pub(crate) fn failure(&self, now: Instant) -> Option<&Error> {
        let failing = self.failing.as_ref()?;
        (self.open == 0 && failing.retry_at > now).then_some(&failing.error)
    }

    /// Whether no connection is free and none may be made.
    pub(crate) fn is_used_up(&self) -> bool {
        self.idle.is_empty() && self.open >= self.options.max
    }

    /// A connection that is free, and otherwise nothing.
    pub(crate) fn reuse(&mut self) -> Option<(Lease, C)> {
        let idle = self.idle.pop()?;
        self.counts.lent += 1;
        Some((idle.lease, idle.connection))
    }

    /// Takes out all idle connections, to be closed.
    pub(crate) fn clear(&mut self) -> Vec<C> {
        self.open -= self.idle.len();
        self.counts.closed_broken += self.idle.len() as u64;
        let idle = self.idle.drain(..);
        idle.map(|idle| idle.connection).collect()
    }

    /// Takes what was granted to one who waits, if it is its turn.
    pub(crate) fn look(&mut self, ticket: Ticket, now: Instant) -> Look<C, W> {
        let woken = self.admit(now);
        let turn = self.collect(ticket);
        let pause = self.failing.as_ref().filter(|failing| !failing.probing);
        let again = pause.map(|pause| pause.retry_at).filter(|at| *at > now);
        Look { turn, woken, again }
    }

    /// Stops waiting, unless it is the caller's turn by now.
    pub(crate) fn leave(&mut self, ticket: Ticket, now: Instant) -> Option<Turn<C>> {
        let at = self
            .waiting
            .iter()
            .position(|waiter| waiter.ticket == ticket);
        match at.and_then(|at| self.waiting.remove(at)) {
            Some(waiter) => {
                self.count_wait(waiter.since, now);
                None
            }
            None => self.collect(ticket),
        }
    }

    /// Stops waiting at the end of the time that was allowed for it, unless it is the caller's turn by now.
    ///
    /// # Errors
    ///
    /// It is not.
    pub(crate) fn time_out(
        &mut self,
        ticket: Ticket,
        allowed: Duration,
        now: Instant,
    ) -> Result<Turn<C>> {
        if let Some(turn) = self.leave(ticket, now) {
            return Ok(turn);
        }
        self.counts.timed_out += 1;
        let max = self.options.max;
        let (phase, failing) = (ErrorKind::Timeout(Phase::Queue), &self.failing);
        Err(match failing {
            Some(Failing { error, .. }) => Error::new(
                phase,
                format!("no connection could be made for {allowed:?}"),
            )
            .with_source(error.clone()),
            None => Error::new(
                phase,
                format!("all connections of the pool, {max} at most, were in use for {allowed:?}"),
            ),
        })
    }

    /// Starts the life of a connection that was just made, and returns who may connect as well.
    pub(crate) fn connected(&mut self, lease: &mut Lease, now: Instant) -> Vec<W> {
        lease.expires = self.options.lifetime.and_then(|lifetime| {
            // Those that were made together shall not end together.
            let share = lease.number.wrapping_mul(SPREAD);
            now.checked_add(lifetime.saturating_sub(back_off::scaled(lifetime / 10, share)))
        });
        self.connecting -= 1;
        self.counts.made += 1;
        self.counts.lent += u64::from(!lease.fills && !lease.for_line);
        self.filling &= !lease.fills;
        self.failing = None;
        (lease.made, lease.fills, lease.probes) = (true, false, false);
        std::iter::from_fn(|| self.admit(now)).collect()
    }

    /// Takes note that a connection could not be made, and returns who must look or be told.
    pub(crate) fn failed(&mut self, lease: Lease, error: &Error, now: Instant) -> Vec<W> {
        if !matches!(
            error.kind(),
            ErrorKind::Connect | ErrorKind::Timeout(Phase::Connect)
        ) {
            // It was not even tried.
            return self
                .discard(lease, Defect::Broken, now)
                .into_iter()
                .collect();
        }
        self.counts.failed += 1;
        // What was begun before the first failure tells nothing new about those behind it.
        if self.failing.is_none() || lease.probes {
            let failures = self.failing.as_ref().map_or(0, |failing| failing.failures);
            let random = self.chance.hash_one(lease.number);
            let pause = if is_refusal(error) {
                back_off::wait_when_refused(random)
            } else {
                back_off::wait(failures, Duration::MAX, random)
            };
            self.failing = Some(Failing {
                failures: failures.saturating_add(1),
                retry_at: now + pause,
                probing: false,
                error: error.clone(),
            });
        }
        self.forget(&lease, Defect::Broken);
        if self.open > 0 {
            // One of those that are open may come back. Whoever waits for it learns of the pause.
            return self
                .waiting
                .iter()
                .map(|waiter| waiter.wake.clone())
                .collect();
        }
        let told = |pool: &mut Self| pool.grant(Turn::Failed(error.clone()), now);
        std::iter::from_fn(|| told(self)).collect()
    }

    /// Takes back a connection that is as it was when it was made.
    pub(crate) fn give_back(
        &mut self,
        mut lease: Lease,
        connection: C,
        now: Instant,
    ) -> Released<C, W> {
        if std::mem::take(&mut lease.for_line) {
            self.for_line -= 1;
        }
        if lease.expires.is_some_and(|expires| expires <= now) {
            self.open -= 1;
            self.counts.closed_old += 1;
            return Released {
                woken: self.admit(now),
                close: Some(connection),
            };
        }
        if !self.waiting.is_empty() {
            return Released {
                woken: self.grant(Turn::Reuse(lease, connection), now),
                close: None,
            };
        }
        let idle = Idle {
            lease,
            since: now,
            connection,
        };
        self.next_expiry = earlier(self.next_expiry, idle.expiry(self.options.idle_timeout));
        self.idle.push(idle);
        Released {
            woken: None,
            close: None,
        }
    }

    /// Takes note that a connection was closed, or that none will be made.
    ///
    /// Returns who may connect now.
    pub(crate) fn discard(&mut self, lease: Lease, defect: Defect, now: Instant) -> Option<W> {
        self.forget(&lease, defect);
        self.admit(now)
    }

    /// Gives leave to make a connection that the minimum lacks, to be given back as soon as it is
    /// made.
    pub(crate) fn fill(&mut self, now: Instant) -> Option<Lease> {
        if self.open >= self.options.min || self.filling {
            return None;
        }
        let mut lease = self.leave_to_connect(now)?;
        lease.fills = true;
        self.filling = true;
        Some(lease)
    }

    /// Whether there may be idle connections that are to be closed.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next_expiry.is_some_and(|expiry| expiry <= now)
    }

    /// Takes out the idle connections that are to be closed.
    pub(crate) fn sweep(&mut self, now: Instant) -> Vec<C> {
        if !self.is_due(now) {
            return Vec::new();
        }
        let timeout = self.options.idle_timeout;
        let mut closed = Vec::new();
        let mut kept = Vec::with_capacity(self.idle.len());
        self.next_expiry = None;
        // The one that has been idle for longest comes first.
        for idle in self.idle.drain(..) {
            let too_old = idle.lease.expires.is_some_and(|expires| expires <= now);
            let too_long = idle.expiry(timeout).is_some_and(|expiry| expiry <= now);
            let spare = self.open > self.options.min;
            if too_old || (too_long && spare) {
                self.open -= 1;
                self.counts.closed_old += u64::from(too_old);
                self.counts.closed_idle += u64::from(!too_old);
                closed.push(idle.connection);
                continue;
            }
            // One that is kept as one of the least has only its age left to end it.
            let expiry = if too_long {
                idle.lease.expires
            } else {
                idle.expiry(timeout)
            };
            self.next_expiry = earlier(self.next_expiry, expiry);
            kept.push(idle);
        }
        self.idle = kept;
        closed
    }

    /// What the pool is doing and has done.
    pub(crate) fn stats(&self) -> PoolStats {
        PoolStats {
            idle: self.idle.len(),
            in_use: self.open - self.connecting - self.idle.len(),
            connecting: self.connecting,
            waiting: self.waiting.len(),
            ..self.counts
        }
    }

    /// A connection that is free, or leave to make one.
    fn turn(&mut self, now: Instant) -> Option<Turn<C>> {
        match self.reuse() {
            Some((lease, connection)) => Some(Turn::Reuse(lease, connection)),
            None => self.leave_to_connect(now).map(Turn::Connect),
        }
    }

    fn leave_to_connect(&mut self, now: Instant) -> Option<Lease> {
        if self.open >= self.options.max {
            return None;
        }
        if let Some(failing) = &mut self.failing {
            if failing.probing || failing.retry_at > now {
                return None;
            }
            failing.probing = true;
        }
        self.open += 1;
        self.connecting += 1;
        self.next_lease += 1;
        Some(Lease {
            number: self.next_lease,
            made: false,
            probes: self.failing.is_some(),
            fills: false,
            for_line: false,
            expires: None,
        })
    }

    /// Whether more wait than connections are being made for.
    fn lacks(&self) -> bool {
        self.waiting.len() > self.for_line
    }

    /// Lets the one connect who waits longest, if that may be.
    fn admit(&mut self, now: Instant) -> Option<W> {
        if !self.lacks() {
            return None;
        }
        let lease = self.leave_to_connect(now)?;
        self.grant(Turn::Connect(lease), now)
    }

    /// Puts a turn aside for the one who waits longest.
    fn grant(&mut self, turn: Turn<C>, now: Instant) -> Option<W> {
        let waiter = self.waiting.pop_front()?;
        self.count_wait(waiter.since, now);
        self.counts.lent += u64::from(matches!(turn, Turn::Reuse(..)));
        self.granted.push((waiter.ticket, turn));
        Some(waiter.wake)
    }

    fn collect(&mut self, ticket: Ticket) -> Option<Turn<C>> {
        let at = self
            .granted
            .iter()
            .position(|(granted, _)| *granted == ticket)?;
        Some(self.granted.swap_remove(at).1)
    }

    /// Takes a lease out of the books.
    fn forget(&mut self, lease: &Lease, defect: Defect) {
        self.open -= 1;
        self.for_line -= usize::from(lease.for_line);
        if lease.made {
            match defect {
                Defect::Dirty => self.counts.closed_dirty += 1,
                Defect::Broken => self.counts.closed_broken += 1,
            }
            return;
        }
        self.connecting -= 1;
        self.filling &= !lease.fills;
        if let Some(failing) = &mut self.failing {
            failing.probing &= !lease.probes;
        }
    }

    fn waiter(&mut self, now: Instant, wake: W) -> Waiter<W> {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.counts.waited += 1;
        Waiter {
            ticket,
            since: now,
            wake,
        }
    }

    fn count_wait(&mut self, since: Instant, now: Instant) {
        let time = now.saturating_duration_since(since);
        self.counts.wait_time += time;
        self.counts.longest_wait = self.counts.longest_wait.max(time);
    }
}

impl<C> Idle<C> {
    fn expiry(&self, timeout: Option<Duration>) -> Option<Instant> {
        let idle_until = timeout.and_then(|timeout| self.since.checked_add(timeout));
        earlier(idle_until, self.lease.expires)
    }
}

/// Whether it was the server that wanted no connection, and not that it could not be reached.
fn is_refusal(error: &Error) -> bool {
    error.kind() == ErrorKind::Connect
        && !error
            .source()
            .is_some_and(|source| source.is::<io::Error>())
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Spreads consecutive numbers evenly over 64 bits: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool whose connections are numbers in the order of being made.
    struct Script {
        pool: Pool<u32, char>,
        start: Instant,
        made: u32,
    }

    impl Script {
        fn new(min: usize, max: usize, idle: u64, lifetime: u64) -> Self {
            let seconds = |seconds| (seconds > 0).then(|| Duration::from_secs(seconds));
            let options = PoolOptions {
                min,
                max,
                idle_timeout: seconds(idle),
                lifetime: seconds(lifetime),
                wait: Duration::ZERO,
            };
            Self {
                pool: Pool::new(options),
                start: Instant::now(),
                made: 0,
            }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        /// Gets a connection that is free or may be made.
        fn get(&mut self, now: u64) -> (Lease, u32) {
            let at = self.at(now);
            match self.pool.ask(at, || '!') {
                Asked::Turn(turn) => self.take(turn, now),
                Asked::Wait(..) => panic!("nothing is free"),
            }
        }

        fn take(&mut self, turn: Turn<u32>, now: u64) -> (Lease, u32) {
            match turn {
                Turn::Reuse(lease, connection) => (lease, connection),
                Turn::Connect(mut lease) => {
                    let woken = self.pool.connected(&mut lease, self.at(now));
                    assert_eq!(woken, []);
                    self.made += 1;
                    (lease, self.made)
                }
                Turn::Failed(error) => panic!("{error}"),
            }
        }

        fn wait(&mut self, name: char) -> Ticket {
            match self.pool.ask(self.start, || name) {
                Asked::Wait(ticket, _) => ticket,
                Asked::Turn(turn) => panic!("got {turn:?}"),
            }
        }

        fn give_back(
            &mut self,
            (lease, connection): (Lease, u32),
            now: u64,
        ) -> (Option<char>, Option<u32>) {
            let now = self.at(now);
            let Released { woken, close } = self.pool.give_back(lease, connection, now);
            (woken, close)
        }

        fn sweep(&mut self, now: u64) -> Vec<u32> {
            let now = self.at(now);
            self.pool.sweep(now)
        }

        fn look(&mut self, ticket: Ticket, now: u64) -> Option<Turn<u32>> {
            let now = self.at(now);
            self.pool.look(ticket, now).turn
        }

        fn leave(&mut self, ticket: Ticket, now: u64) -> Option<Turn<u32>> {
            let now = self.at(now);
            self.pool.leave(ticket, now)
        }

        fn leave_to_connect(&mut self, now: u64) -> Lease {
            let now = self.at(now);
            match self.pool.ask(now, || '!') {
                Asked::Turn(Turn::Connect(lease)) => lease,
                other => panic!("got {other:?}"),
            }
        }

        fn ask_again(&mut self, dead: Lease, now: u64) -> Asked<u32, char> {
            let now = self.at(now);
            self.pool.ask_again(dead, now, || '!')
        }

        fn discard(&mut self, lease: Lease, defect: Defect, now: u64) -> Option<char> {
            let now = self.at(now);
            self.pool.discard(lease, defect, now)
        }

        fn fail(&mut self, lease: Lease, error: Error, now: u64) -> Vec<char> {
            let now = self.at(now);
            self.pool.failed(lease, &error, now)
        }
    }

    fn unreachable() -> Error {
        let refused = io::ErrorKind::ConnectionRefused.into();
        Error::io(ErrorKind::Connect, "cannot reach the server", refused)
    }

    #[test]
    fn the_one_used_last_is_used_next() {
        let mut script = Script::new(0, 3, 0, 0);
        let (one, two) = (script.get(0), script.get(0));
        assert_eq!((one.1, two.1), (1, 2));
        assert_eq!(script.give_back(two, 0), (None, None));
        assert_eq!(script.give_back(one, 0), (None, None));
        let (again, other, fresh) = (script.get(0), script.get(0), script.get(0));
        assert_eq!((again.1, other.1, fresh.1), (1, 2, 3));
    }

    #[test]
    fn a_connection_that_is_made_for_the_line_goes_to_who_waits_longest() {
        let mut script = Script::new(0, 3, 0, 0);
        let start = script.start;
        let used = script.get(0);
        let mut first = script.leave_to_connect(0);
        let (a, _) = script.pool.wait_for(&mut first, false, start, || 'a');
        assert!(script.look(a, 0).is_none(), "no leave to make another one");
        // Somebody else may make one meanwhile, and waits behind.
        let mut second = script.leave_to_connect(0);
        let (b, _) = script.pool.wait_for(&mut second, false, start, || 'b');
        assert!(script.pool.is_connecting() && script.pool.is_used_up());
        assert_eq!(script.pool.waiters(), ['a', 'b']);
        // Whatever comes first will do.
        assert_eq!(script.give_back(used, 0), (Some('a'), None));
        assert!(matches!(script.look(a, 0), Some(Turn::Reuse(_, 1))));
        assert_eq!(script.pool.connected(&mut second, start), []);
        assert_eq!(script.give_back((second, 2), 0), (Some('b'), None));
        assert!(matches!(script.look(b, 0), Some(Turn::Reuse(_, 2))));
        assert_eq!(script.pool.connected(&mut first, start), []);
        assert_eq!(script.give_back((first, 3), 0), (None, None));
        assert!(!script.pool.is_connecting() && !script.pool.is_used_up());
        let stats = script.pool.stats();
        assert_eq!((stats.lent, stats.idle, stats.in_use), (3, 1, 2));
        assert_eq!(script.pool.clear(), [3]);
        let stats = script.pool.stats();
        assert_eq!((stats.open(), stats.closed_broken), (2, 1));
    }

    #[test]
    fn who_waits_for_an_attempt_that_fails_is_told_or_tries_again() {
        let mut script = Script::new(0, 3, 0, 0);
        let start = script.start;
        let mut first = script.leave_to_connect(0);
        let (a, _) = script.pool.wait_for(&mut first, false, start, || 'a');
        let mut second = script.leave_to_connect(0);
        let (b, _) = script.pool.wait_for(&mut second, false, start, || 'b');
        assert_eq!(script.fail(second, unreachable(), 0), ['a', 'b']);
        // The first of them gets leave for another attempt, and stays the first.
        let Some(Turn::Connect(mut third)) = script.look(a, 2) else {
            panic!("expected leave to connect");
        };
        let (a, _) = script.pool.wait_for(&mut third, true, start, || 'a');
        assert_eq!(script.pool.waiters(), ['a', 'b']);
        assert_eq!(script.discard(first, Defect::Broken, 2), None);
        assert_eq!(script.fail(third, unreachable(), 2), ['a', 'b']);
        assert!(matches!(script.look(a, 2), Some(Turn::Failed(_))));
        assert!(matches!(script.look(b, 2), Some(Turn::Failed(_))));
        assert_eq!(script.pool.stats().open(), 0);
    }

    #[test]
    fn what_is_released_goes_to_who_waits_longest() {
        let mut script = Script::new(0, 2, 0, 0);
        let (one, two) = (script.get(0), script.get(0));
        let (a, b, c, d) = (
            script.wait('a'),
            script.wait('b'),
            script.wait('c'),
            script.wait('d'),
        );
        assert!(script.look(a, 0).is_none());
        assert!(script.leave(b, 0).is_none());

        assert_eq!(script.give_back(one, 0), (Some('a'), None));
        let e = script.wait('e');
        assert_eq!(script.discard(two.0, Defect::Dirty, 0), Some('c'));
        let a = script.look(a, 0).unwrap();
        assert!(matches!(a, Turn::Reuse(_, 1)), "{a:?}");
        let c = script.look(c, 0).unwrap();
        assert!(matches!(c, Turn::Connect(_)), "{c:?}");
        assert!(script.look(d, 0).is_none());

        // One whose turn it became while it left gets it nevertheless.
        let a = script.take(a, 0);
        assert_eq!(script.give_back(a, 0), (Some('d'), None));
        assert!(matches!(script.leave(d, 0), Some(Turn::Reuse(_, 1))));
        assert!(script.leave(d, 0).is_none());
        let c = script.take(c, 0);
        assert_eq!(script.give_back(c, 0), (Some('e'), None));
        assert!(script.look(e, 0).is_some());
    }

    #[test]
    fn failed_connections_do_not_use_up_the_pool() {
        let mut script = Script::new(0, 1, 0, 0);
        for second in 0..10 {
            let lease = script.leave_to_connect(2 * second);
            assert_eq!(script.fail(lease, unreachable(), 2 * second), []);
        }
        assert_eq!(script.pool.stats().failed, 10);
        for second in 20..30 {
            let lease = script.leave_to_connect(second);
            assert_eq!(script.discard(lease, Defect::Broken, second), None);
        }
        assert_eq!(script.get(30).1, 1);
    }

    #[test]
    fn who_finds_a_dead_connection_gets_another_and_waits_for_it_in_front() {
        let mut script = Script::new(0, 2, 0, 0);
        let (one, two) = (script.get(0), script.get(0));
        script.give_back(one, 0);
        script.give_back(two, 0);
        let (dead, _) = script.get(0);
        let (dead, connection) = match script.ask_again(dead, 0) {
            Asked::Turn(turn) => script.take(turn, 0),
            Asked::Wait(..) => panic!("one is idle"),
        };
        assert_eq!(connection, 1);
        let Asked::Turn(Turn::Connect(third)) = script.ask_again(dead, 0) else {
            panic!("nothing is open")
        };
        let stats = script.pool.stats();
        assert_eq!((stats.lent, stats.closed_broken), (2, 2));

        let fourth = script.get(0);
        let behind = script.wait('b');
        assert_eq!(script.fail(third, unreachable(), 0), ['b']);
        assert!(matches!(script.look(behind, 0), Some(Turn::Connect(_))));
        let behind = script.wait('c');
        let Asked::Wait(front, _) = script.ask_again(fourth.0, 0) else {
            panic!("somebody else tries to connect")
        };
        let probe = script.pool.granted.pop();
        assert!(probe.is_none(), "it was collected");
        assert!(script.look(behind, 5).is_none());
        assert!(script.look(front, 5).is_none());
        assert_eq!(script.pool.waiting.front().unwrap().ticket, front);
    }

    #[test]
    fn while_connecting_fails_one_tries_at_a_time_and_ever_later() {
        let mut script = Script::new(0, 4, 0, 0);
        let leases: Vec<_> = (0..4).map(|_| script.leave_to_connect(0)).collect();
        let a = script.wait('a');
        let mut leases = leases.into_iter();
        // Those that were begun together count as one failure.
        assert_eq!(script.fail(leases.next().unwrap(), unreachable(), 0), ['a']);
        let Some(Turn::Connect(probe)) = script.look(a, 0) else {
            panic!("the first time it is tried again at once")
        };
        let (b, c) = (script.wait('b'), script.wait('c'));
        assert!(script.look(b, 100).is_none(), "one is trying");
        for lease in leases {
            assert_eq!(script.fail(lease, unreachable(), 0), ['b', 'c']);
        }
        assert_eq!(script.pool.failing.as_ref().unwrap().failures, 1);
        // Nobody else can come back: both get the error.
        assert_eq!(script.fail(probe, unreachable(), 0), ['b', 'c']);
        for waiting in [b, c] {
            let failed = script.look(waiting, 0);
            assert!(matches!(failed, Some(Turn::Failed(_))), "{failed:?}");
        }
        let retry_at = script.pool.failing.as_ref().unwrap().retry_at;
        let pause = retry_at - script.start;
        assert!(pause <= Duration::from_millis(50), "{pause:?}");
        assert!(script.pool.failure(script.start).is_some());
        assert!(script.pool.failure(retry_at).is_none(), "somebody may try");

        let (d, e) = (script.wait('d'), script.wait('e'));
        let Some(Turn::Connect(mut probe)) = script.look(d, 1) else {
            panic!("the pause is over")
        };
        assert!(script.look(e, 1).is_none());
        // A success lets everybody try.
        assert_eq!(script.pool.connected(&mut probe, script.at(1)), ['e']);
        assert!(matches!(script.look(e, 1), Some(Turn::Connect(_))));
        assert_eq!(script.get(1).1, 1);
    }

    #[test]
    fn an_attempt_that_is_given_up_goes_to_the_next_who_waits() {
        let mut script = Script::new(0, 1, 0, 0);
        let lease = script.leave_to_connect(0);
        assert_eq!(script.fail(lease, unreachable(), 0), []);
        let probe = script.leave_to_connect(0);
        let a = script.wait('a');
        assert_eq!(script.discard(probe, Defect::Dirty, 0), Some('a'));
        assert!(matches!(script.look(a, 0), Some(Turn::Connect(_))));
    }

    #[test]
    fn a_server_that_refuses_is_left_alone_for_a_second() {
        let refused = || Error::new(ErrorKind::Connect, "the server is full");
        let mut script = Script::new(0, 2, 0, 0);
        let kept = script.get(0);
        let lease = script.leave_to_connect(0);
        assert_eq!(script.fail(lease, refused(), 0), []);
        let a = script.wait('a');
        let b = script.wait('b');
        let again = script.pool.look(a, script.start).again.unwrap() - script.start;
        assert!((1000..=1500).contains(&again.as_millis()), "{again:?}");
        // What is in use goes on.
        assert_eq!(script.give_back(kept, 0), (Some('a'), None));
        let a = script.look(a, 0).unwrap();
        assert!(script.look(b, 0).is_none());
        assert!(
            script
                .pool
                .time_out(b, Duration::ZERO, script.start)
                .is_err_and(|error| {
                    error.source().is_some() && error.phase() == Some(Phase::Queue)
                })
        );
        let (lease, _) = script.take(a, 0);
        assert_eq!(script.discard(lease, Defect::Broken, 0), None);
        assert!(matches!(
            script.pool.ask(script.at(2), || '!'),
            Asked::Turn(Turn::Connect(_))
        ));
    }

    #[test]
    fn the_minimum_is_made_anew_one_by_one() {
        let mut script = Script::new(3, 4, 0, 10);
        let one = script.get(0);
        for number in 2..=3 {
            let lease = script.pool.fill(script.start).unwrap();
            assert!(script.pool.fill(script.start).is_none(), "one at a time");
            let filled = script.take(Turn::Connect(lease), 0);
            assert_eq!(filled.1, number);
            script.give_back(filled, 0);
        }
        assert!(script.pool.fill(script.start).is_none());
        assert_eq!(script.pool.stats().lent, 1);
        assert_eq!(script.sweep(10).len(), 2);
        let lease = script.pool.fill(script.at(10)).unwrap();
        assert_eq!(script.fail(lease, unreachable(), 10), []);
        let lease = script.pool.fill(script.at(10)).unwrap();
        assert_eq!(script.fail(lease, unreachable(), 10), []);
        let lease = script.pool.fill(script.at(11)).unwrap();
        assert_eq!(script.discard(lease, Defect::Dirty, 11), None);
        assert!(script.pool.fill(script.at(11)).is_some());
        script.give_back(one, 5);
    }

    #[test]
    fn everything_is_counted_once() {
        let mut script = Script::new(0, 2, 10, 100);
        let (one, two) = (script.get(0), script.get(0));
        let (a, b) = (script.wait('a'), script.wait('b'));
        script.give_back(one, 3);
        let one = script.look(a, 3).unwrap();
        assert!(
            script
                .pool
                .time_out(b, Duration::ZERO, script.at(5))
                .is_err()
        );
        let one = script.take(one, 3);
        let stats = script.pool.stats();
        assert_eq!((stats.in_use, stats.idle, stats.waiting), (2, 0, 0));
        assert_eq!((stats.lent, stats.made), (3, 2));
        assert_eq!((stats.waited, stats.timed_out), (2, 1));
        assert_eq!(stats.wait_time, Duration::from_secs(8));
        assert_eq!(stats.longest_wait, Duration::from_secs(5));

        script.give_back(one, 5);
        assert_eq!(script.sweep(15), [1]);
        let _ = script.discard(two.0, Defect::Dirty, 15);
        let (three, four) = (script.get(20), script.get(20));
        let _ = script.discard(three.0, Defect::Broken, 20);
        script.give_back(four, 200);
        let lease = script.leave_to_connect(200);
        let stats = script.pool.stats();
        assert_eq!((stats.connecting, stats.open(), stats.made), (1, 0, 4));
        assert_eq!(stats.closed(), 4);
        assert_eq!((stats.closed_old, stats.closed_idle), (1, 1));
        assert_eq!((stats.closed_dirty, stats.closed_broken), (1, 1));
        let _ = script.fail(lease, unreachable(), 200);
        let stats = script.pool.stats();
        assert_eq!((stats.connecting, stats.failed, stats.made), (0, 1, 4));
    }

    #[test]
    fn idle_connections_are_closed_but_for_the_least_number() {
        let mut script = Script::new(1, 4, 10, 0);
        let (one, two, three) = (script.get(0), script.get(0), script.get(0));
        script.give_back(one, 0);
        script.give_back(two, 4);
        script.give_back(three, 8);
        assert!(script.sweep(9).is_empty());
        assert_eq!(script.sweep(10), [1]);
        assert!(script.sweep(13).is_empty());
        assert_eq!(script.sweep(100), [2]);
        assert!(script.sweep(1000).is_empty());
        assert_eq!(script.pool.next_expiry, None, "nothing is left to look for");
        let three = script.get(1000);
        assert_eq!(three.1, 3);
        script.give_back(three, 1000);
        let (three, four) = (script.get(1000), script.get(1000));
        script.give_back(three, 1000);
        script.give_back(four, 1001);
        assert_eq!(script.sweep(1010), [3]);
    }

    #[test]
    fn old_connections_are_closed_idle_or_not_and_not_all_at_once() {
        let mut script = Script::new(8, 8, 0, 1000);
        let leases: Vec<_> = (0..8).map(|_| script.get(0)).collect();
        let mut ends: Vec<_> = leases
            .iter()
            .map(|(lease, _)| lease.expires.unwrap())
            .collect();
        ends.sort();
        ends.dedup();
        assert_eq!(ends.len(), 8);
        assert!(
            ends.iter()
                .all(|end| (script.at(900)..=script.at(1000)).contains(end))
        );

        let mut leases = leases.into_iter();
        let busy = leases.next().unwrap();
        for idle in leases {
            script.give_back(idle, 1);
        }
        assert!(script.sweep(899).is_empty());
        assert_eq!(script.sweep(1000).len(), 7);
        assert_eq!(script.give_back(busy, 1000), (None, Some(1)));
        assert_eq!(script.pool.open, 0);
    }

    #[test]
    fn an_old_connection_makes_room_for_who_waits() {
        let mut script = Script::new(0, 1, 0, 10);
        let one = script.get(0);
        let ticket = script.wait('a');
        assert_eq!(script.give_back(one, 10), (Some('a'), Some(1)));
        assert!(matches!(script.look(ticket, 10), Some(Turn::Connect(_))));
    }

    #[test]
    fn a_pool_of_nothing_still_lets_somebody_try() {
        assert_eq!(Script::new(0, 0, 0, 0).get(0).1, 1);
    }
}
