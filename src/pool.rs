//! Who has a connection, who waits for one, and which is too old: the books of a pool.
//!
//! ```text
//!            ask ──▶ Reuse ─┐                      ┌─▶ idle ──sweep──▶ closed
//!   caller ──┤              ├─▶ lease ──give_back──┤
//!            ├─▶ Connect ───┘        │             └─▶ straight to the first who waits
//!            │                       └──discard──────▶ leave to connect for the first who waits
//!            └─▶ Wait ──collect──▶ Reuse or Connect, when somebody has released one
//! ```
//!
//! Whatever is released goes to whoever waits longest, before anybody can ask for it: while
//! somebody waits nothing is free, so that nobody is overtaken. No IO happens here and no clock is
//! read; `C` is a connection, and `W` is what the driver needs to wake somebody.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::config::PoolOptions;

/// The books of a pool.
#[derive(Debug)]
pub(crate) struct Pool<C, W> {
    options: PoolOptions,
    /// Those that are free, the one that was used last at the end.
    idle: Vec<Idle<C>>,
    /// Connections that are idle or lent, and leaves to connect.
    open: usize,
    waiting: VecDeque<(Ticket, W)>,
    /// For those who waited and have not come for it yet.
    granted: Vec<(Ticket, Turn<C>)>,
    next_ticket: u64,
    next_lease: u64,
    /// No connection is to be closed before; may be that of one that is gone.
    next_expiry: Option<Instant>,
}

/// What a caller gets.
#[derive(Debug)]
pub(crate) enum Turn<C> {
    /// A connection that was used before and may have died since.
    Reuse(Lease, C),
    /// Leave to make a connection.
    Connect(Lease),
}

/// What asking leads to.
#[derive(Debug)]
pub(crate) enum Asked<C, W> {
    /// It is the caller's turn.
    Turn(Turn<C>),
    /// Everything is in use. The caller will be woken, and must then collect its turn, or leave.
    Wait(Ticket, W),
}

/// A place among those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// One of the connections that may be open; has to be given back or discarded.
#[derive(Debug)]
#[must_use = "a lease that is forgotten is one connection less for ever"]
pub(crate) struct Lease {
    number: u64,
    expires: Option<Instant>,
}

/// What is to be done after a connection was given back.
#[derive(Debug)]
pub(crate) struct Released<C, W> {
    /// It is the turn of this one.
    pub(crate) wake: Option<W>,
    /// The connection is too old.
    pub(crate) close: Option<C>,
}

#[derive(Debug)]
struct Idle<C> {
    lease: Lease,
    since: Instant,
    connection: C,
}

impl<C, W> Pool<C, W> {
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
            waiting: VecDeque::new(),
            granted: Vec::new(),
            next_ticket: 0,
            next_lease: 0,
            next_expiry: None,
        }
    }

    /// Asks for a connection: the one that was used last, or leave to make one, or to wait.
    pub(crate) fn ask(&mut self, waiter: impl FnOnce() -> W) -> Asked<C, W>
    where
        W: Clone,
    {
        if let Some(Idle {
            lease, connection, ..
        }) = self.idle.pop()
        {
            return Asked::Turn(Turn::Reuse(lease, connection));
        }
        if self.open < self.options.max {
            self.open += 1;
            return Asked::Turn(Turn::Connect(self.lease()));
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let waiter = waiter();
        self.waiting.push_back((ticket, waiter.clone()));
        Asked::Wait(ticket, waiter)
    }

    /// Takes what was granted to one who waits, if it is its turn.
    pub(crate) fn collect(&mut self, ticket: Ticket) -> Option<Turn<C>> {
        let at = self
            .granted
            .iter()
            .position(|(granted, _)| *granted == ticket)?;
        Some(self.granted.swap_remove(at).1)
    }

    /// Stops waiting, unless it is the caller's turn by now.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<Turn<C>> {
        self.waiting.retain(|(waiting, _)| *waiting != ticket);
        self.collect(ticket)
    }

    /// Starts the life of a connection that was just made.
    pub(crate) fn connected(&self, lease: &mut Lease, now: Instant) {
        lease.expires = self.options.lifetime.and_then(|lifetime| {
            // Those that were made together shall not end together.
            let share = u32::try_from(lease.number.wrapping_mul(SPREAD) >> 54).unwrap_or(0);
            now.checked_add(lifetime.saturating_sub(lifetime / 10 * share / 1024))
        });
    }

    /// Takes back a connection that is as it was when it was made.
    pub(crate) fn give_back(
        &mut self,
        lease: Lease,
        connection: C,
        now: Instant,
    ) -> Released<C, W> {
        if lease.expires.is_some_and(|expires| expires <= now) {
            return Released {
                wake: self.discard(lease),
                close: Some(connection),
            };
        }
        if let Some((ticket, waiter)) = self.waiting.pop_front() {
            self.granted.push((ticket, Turn::Reuse(lease, connection)));
            return Released {
                wake: Some(waiter),
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
            wake: None,
            close: None,
        }
    }

    /// Takes note that a connection was closed, or was not made.
    ///
    /// Returns who may connect now.
    pub(crate) fn discard(&mut self, lease: Lease) -> Option<W> {
        drop(lease);
        let Some((ticket, waiter)) = self.waiting.pop_front() else {
            self.open = self.open.saturating_sub(1);
            return None;
        };
        let lease = self.lease();
        self.granted.push((ticket, Turn::Connect(lease)));
        Some(waiter)
    }

    /// Takes out the idle connections that are to be closed.
    pub(crate) fn sweep(&mut self, now: Instant) -> Vec<C> {
        if self.next_expiry.is_none_or(|expiry| expiry > now) {
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

    fn lease(&mut self) -> Lease {
        self.next_lease += 1;
        Lease {
            number: self.next_lease,
            expires: None,
        }
    }
}

impl<C> Idle<C> {
    fn expiry(&self, timeout: Option<Duration>) -> Option<Instant> {
        let idle_until = timeout.and_then(|timeout| self.since.checked_add(timeout));
        earlier(idle_until, self.lease.expires)
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Spreads consecutive numbers evenly over the upper bits: 2^64 divided by the golden ratio.
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
            match self.pool.ask(|| '!') {
                Asked::Turn(turn) => self.take(turn, now),
                Asked::Wait(..) => panic!("nothing is free"),
            }
        }

        fn take(&mut self, turn: Turn<u32>, now: u64) -> (Lease, u32) {
            match turn {
                Turn::Reuse(lease, connection) => (lease, connection),
                Turn::Connect(mut lease) => {
                    self.pool.connected(&mut lease, self.at(now));
                    self.made += 1;
                    (lease, self.made)
                }
            }
        }

        fn wait(&mut self, name: char) -> Ticket {
            match self.pool.ask(|| name) {
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
            let Released { wake, close } = self.pool.give_back(lease, connection, now);
            (wake, close)
        }

        fn sweep(&mut self, now: u64) -> Vec<u32> {
            let now = self.at(now);
            self.pool.sweep(now)
        }
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
    fn what_is_released_goes_to_who_waits_longest() {
        let mut script = Script::new(0, 2, 0, 0);
        let (one, two) = (script.get(0), script.get(0));
        let (a, b, c, d) = (
            script.wait('a'),
            script.wait('b'),
            script.wait('c'),
            script.wait('d'),
        );
        assert!(script.pool.collect(a).is_none());
        assert!(script.pool.leave(b).is_none());

        assert_eq!(script.give_back(one, 0), (Some('a'), None));
        let e = script.wait('e');
        assert_eq!(script.pool.discard(two.0), Some('c'));
        let a = script.pool.collect(a).unwrap();
        assert!(matches!(a, Turn::Reuse(_, 1)), "{a:?}");
        let c = script.pool.collect(c).unwrap();
        assert!(matches!(c, Turn::Connect(_)), "{c:?}");
        assert!(script.pool.collect(d).is_none());

        // One whose turn it became while it left gets it nevertheless.
        let a = script.take(a, 0);
        assert_eq!(script.give_back(a, 0), (Some('d'), None));
        assert!(matches!(script.pool.leave(d), Some(Turn::Reuse(_, 1))));
        assert!(script.pool.leave(d).is_none());
        let c = script.take(c, 0);
        assert_eq!(script.give_back(c, 0), (Some('e'), None));
        assert!(script.pool.collect(e).is_some());
    }

    #[test]
    fn failed_connections_do_not_use_up_the_pool() {
        let mut script = Script::new(0, 1, 0, 0);
        for _ in 0..10 {
            let Asked::Turn(Turn::Connect(lease)) = script.pool.ask(|| '!') else {
                panic!("the place was lost")
            };
            assert_eq!(script.pool.discard(lease), None);
        }
    }

    #[test]
    fn idle_connections_are_closed_but_for_the_least_number() {
        let mut script = Script::new(1, 4, 10, 0);
        let (one, two, three) = (script.get(0), script.get(0), script.get(0));
        script.give_back(one, 0);
        script.give_back(two, 4);
        script.give_back(three, 8);
        assert_eq!(script.sweep(9), []);
        assert_eq!(script.sweep(10), [1]);
        assert_eq!(script.sweep(13), []);
        assert_eq!(script.sweep(100), [2]);
        assert_eq!(script.sweep(1000), []);
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
        assert_eq!(script.sweep(899), []);
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
        assert!(matches!(
            script.pool.collect(ticket),
            Some(Turn::Connect(_))
        ));
    }

    #[test]
    fn a_pool_of_nothing_still_lets_somebody_try() {
        assert_eq!(Script::new(0, 0, 0, 0).get(0).1, 1);
    }
}
