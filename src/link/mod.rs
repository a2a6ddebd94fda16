//! The connection to a server, whichever it is now: what every link decides.
//!
//! A link is all that a client has of one server: the connection that its callers share, and a pool
//! of others. The async client has both to each server, the blocking client the pool alone.
//!
//! ```text
//!    ask ──▶ pacing ──▶ dial: addresses, attempt ──▶ handshake ──▶ ready ──▶ look, use, look, use …
//!             ▲                 │ failed                             │
//!             └─────────────────┘                                    ├─ ended, mute, stalled ──▶ dial
//!               at once, then with pauses                            └─ old, demoted, moved  ──▶ dial,
//!                                                                        and used until that succeeds
//! ```
//!
//! - `pacing` says when the server may be dialled, by whomever.
//! - `dial` is one attempt, and `addresses` what it tries.
//! - `shared` is the connection of all callers, `pool` those that are lent to one at a time.
//! - `look` says when a connection is looked at before it is used, `replacing` how often one is
//!   replaced that still works.
//!
//! No IO happens here and no clock is read. `C` is a connection, and `W` is what the driver needs to
//! wake somebody who waits.

mod addresses;
mod dial;
mod look;
mod pacing;
mod pool;
mod replacing;
mod reporter;
mod shared;
#[cfg(test)]
mod simulation;

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use fastrand::Rng;

pub(crate) use addresses::Addresses;
pub(crate) use dial::{Attempt, Step};
pub(crate) use look::{LastUse, Seen};
pub use pool::PoolStats;
pub(crate) use pool::{Acquire, Acquired, Defect, Pool, PoolPermit, WaitId};
pub(crate) use shared::{Dial, SharedStep};

use self::{
    pacing::{DialPermit, Pacing},
    replacing::Replacing,
    reporter::Reporter,
    shared::SharedConnection,
};
use crate::{
    address::Address,
    config::Config,
    error::{Error, ErrorKind},
    events::{DisconnectReason, Events},
};

/// All connections to one server.
#[derive(Debug)]
pub(crate) struct Link<C, W> {
    pool: Pool<C, W>,
    /// Those that many callers share, at least one.
    shared: Vec<SharedConnection<C>>,
    replacing: Replacing,
    /// The addresses that the name of the server stood for when it was last resolved.
    addresses: Vec<SocketAddr>,
}

impl<C, W: Clone> Link<C, W> {
    /// A link to a server, without connections.
    ///
    /// What is left to chance follows from `seed`.
    pub(crate) fn new(config: &Config, server: Arc<Address>, events: Events, seed: u64) -> Self {
        let longest = config
            .connect_timeout
            .saturating_add(Duration::from_secs(1));
        let pacing = Pacing::new(config.connect_timeout).offline(config.offline);
        let reporter = Reporter::new(server, events);
        Self {
            pool: Pool::new(config.pool, pacing, reporter, Rng::with_seed(seed)),
            shared: (0..config.connections.get())
                .map(|index| SharedConnection::new(index, config.pool.lifetime, longest))
                .collect(),
            replacing: Replacing::default(),
            addresses: Vec::new(),
        }
    }

    /// The connections that are lent to one caller at a time.
    pub(crate) fn pool(&mut self) -> &mut Pool<C, W> {
        &mut self.pool
    }

    /// A shared connection, if it is there and open.
    #[inline]
    pub(crate) fn current(&self, index: usize, is_open: impl Fn(&C) -> bool) -> Option<C>
    where
        C: Clone,
    {
        let kept = self.shared.get(index)?.kept();
        kept.filter(|kept| is_open(kept)).cloned()
    }

    /// The shared connections that are there and open.
    pub(crate) fn all_current(&self, is_open: impl Fn(&C) -> bool) -> Vec<C>
    where
        C: Clone,
    {
        let kept = self.shared.iter().filter_map(SharedConnection::kept);
        kept.filter(|kept| is_open(kept)).cloned().collect()
    }

    /// How many attempts have failed; to be remembered by one who [asks](Link::ask) for the first time.
    pub(crate) fn failed_attempts(&mut self) -> u64 {
        self.pool.pacing().failed_attempts()
    }

    /// A shared connection, or leave to make it, or what to wait for.
    ///
    /// Where the caller has somewhere else to go it does not wait for a pause: it gets the error of
    /// the last attempt. So it does as long as attempts fail, where calls are not to wait for a
    /// connection.
    pub(crate) fn ask(
        &mut self,
        index: usize,
        seen: u64,
        may_wait: bool,
        is_open: impl Fn(&C) -> bool,
        now: Instant,
    ) -> SharedStep<C>
    where
        C: Clone,
    {
        let Some(shared) = self.shared.get_mut(index) else {
            return SharedStep::Failed(gone());
        };
        if shared.kept().is_some_and(|kept| !is_open(kept)) {
            // It is dropped by whoever uses it last; its driver has closed it.
            drop(shared.take());
        }
        let failures = self.pool.pacing().failures();
        let turn = shared.ask(seen, self.pool.pacing(), now);
        match &turn {
            SharedStep::Dial(_) => self.pool.reporter().dialling(now, failures),
            SharedStep::Wait(_) => {
                let pacing = self.pool.pacing();
                let pause = || pacing.pause(now).filter(|_| !may_wait);
                if let Some(error) = pacing.refuses().or_else(pause) {
                    return SharedStep::Failed(error.clone());
                }
            }
            _ => {}
        }
        turn
    }

    /// Leave to make another shared connection, if it is time to replace the one that there is.
    #[inline]
    pub(crate) fn renew(&mut self, index: usize, now: Instant) -> Option<Dial> {
        match self.shared.get(index)?.is_stale(now) {
            true => self.replace_shared(index, now),
            false => None,
        }
    }

    /// The same for all of them.
    pub(crate) fn renew_all(&mut self, now: Instant) -> Vec<Dial> {
        let all = 0..self.shared.len();
        all.filter_map(|index| self.renew(index, now)).collect()
    }

    fn replace_shared(&mut self, index: usize, now: Instant) -> Option<Dial> {
        let failures = self.pool.pacing().failures();
        let shared = self.shared.get_mut(index)?;
        let dial = shared.replace(self.pool.pacing(), now)?;
        self.pool.reporter().dialling(now, failures);
        Some(dial)
    }

    /// Takes a shared connection into use, and returns those that are to be closed.
    pub(crate) fn connected(&mut self, dial: Dial, connection: C, now: Instant) -> Option<C> {
        self.pool.reporter().ready(now, dial.since());
        let Some(shared) = self.shared.get_mut(dial.index()) else {
            return Some(connection);
        };
        let replaced = shared.connected(dial, connection, self.pool.pacing(), now);
        if replaced.is_some() {
            self.pool.reporter().lost(now, DisconnectReason::Old, None);
        }
        replaced
    }

    /// Takes note that no shared connection could be made.
    pub(crate) fn failed(&mut self, dial: Dial, error: &Error, now: Instant) {
        let random = self.pool.random();
        let Some(shared) = self.shared.get_mut(dial.index()) else {
            return;
        };
        let pause = shared.failed(dial, error, self.pool.pacing(), now, random);
        self.pool.reporter().not_ready(now, error, pause);
    }

    /// Takes note that nobody makes a shared connection any longer.
    pub(crate) fn given_up(&mut self, dial: Dial) {
        if let Some(shared) = self.shared.get_mut(dial.index()) {
            shared.given_up(dial, self.pool.pacing());
        }
    }

    /// Takes out the shared connections, so that the next one who asks makes another.
    pub(crate) fn disconnect(&mut self, reason: DisconnectReason, now: Instant) -> Vec<C> {
        let taken = self.shared.iter_mut().filter_map(SharedConnection::take);
        let taken: Vec<_> = taken.collect();
        for _ in &taken {
            self.pool.reporter().lost(now, reason, None);
        }
        taken
    }

    /// Takes out a shared connection if it is the one that a driver has found unusable, as `is_it`
    /// tells. The machine of the connection tells why it ended.
    pub(crate) fn give_up(&mut self, is_it: impl Fn(&C) -> bool) -> Option<C> {
        let mut shared = self.shared.iter_mut();
        shared.find(|it| it.kept().is_some_and(&is_it))?.take()
    }

    /// Leaves the server that connections lead to, since another one seems to be the one to use.
    ///
    /// Returns connections that are to be closed. A shared one is used until another one
    /// [is made](Link::renew). Nothing is done where that was tried a moment ago.
    pub(crate) fn leave(&mut self, reason: DisconnectReason, now: Instant) -> Vec<C> {
        let random = self.pool.random();
        if !self.replacing.is_due(now, random) {
            return Vec::new();
        }
        self.make_stale();
        self.pool.leave_server(None, reason, now)
    }

    /// Takes note of what the name of the server stands for, as was found for a new connection of the
    /// pool or for the shared one, and leaves the server if none of it is as it was.
    ///
    /// Returns connections that are to be closed.
    pub(crate) fn resolved(
        &mut self,
        addresses: &[SocketAddr],
        permit: Option<&PoolPermit>,
        now: Instant,
    ) -> Vec<C> {
        let known = std::mem::replace(&mut self.addresses, addresses.to_vec());
        let is_as_it_was = known.is_empty() || addresses.is_empty();
        if is_as_it_was || known.iter().any(|address| addresses.contains(address)) {
            return Vec::new();
        }
        self.make_stale();
        self.pool.leave_server(permit, DisconnectReason::Moved, now)
    }

    fn make_stale(&mut self) {
        self.shared
            .iter_mut()
            .for_each(SharedConnection::make_stale);
    }

    /// Leave to make a connection for a call that cannot wait, beside all others.
    ///
    /// # Errors
    ///
    /// That of the last attempt, if it is too early for another.
    pub(crate) fn begin_urgent(&mut self, now: Instant) -> Result<DialPermit, Error> {
        let failures = self.pool.pacing().failures();
        let pacing = self.pool.pacing();
        match pacing.begin(now) {
            Some(dial_permit) => {
                self.pool.reporter().dialling(now, failures);
                Ok(dial_permit)
            }
            None => {
                let error = pacing.error().cloned();
                Err(error.unwrap_or_else(|| Attempt::under_way(self.pool.reporter().server())))
            }
        }
    }

    /// Takes note of how such an attempt has ended.
    pub(crate) fn end_urgent(
        &mut self,
        dial_permit: DialPermit,
        result: Result<(), &Error>,
        now: Instant,
    ) {
        let random = self.pool.random();
        match result {
            Ok(()) => {
                self.pool.reporter().ready(now, dial_permit.since());
                self.pool.pacing().succeeded(dial_permit);
            }
            Err(error) => {
                let pause = self.pool.pacing().failed(dial_permit, error, now, random);
                self.pool.reporter().not_ready(now, error, pause);
            }
        }
    }
}

impl Dial {
    fn since(&self) -> Instant {
        self.dial_permit().since()
    }
}

/// Which of the shared connections to a server a call goes over: that of the slot of its keys, so that
/// calls for a key stay in order, and any if it is not for one slot.
#[inline]
pub(crate) fn shared_index(
    connections: NonZeroUsize,
    slot: Option<u16>,
    random: impl FnOnce() -> u64,
) -> usize {
    if connections == NonZeroUsize::MIN {
        return 0;
    }
    let number = slot.map_or_else(random, u64::from);
    let connections = u64::try_from(connections.get()).unwrap_or(u64::MAX);
    usize::try_from(number % connections).unwrap_or(0)
}

/// The error of one who uses a connection that it has closed.
pub(crate) fn gone() -> Error {
    Error::new(ErrorKind::Connection, "the connection is gone")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> (Link<u32, char>, Instant) {
        let config = Config::tcp("h", 1).pool_lifetime(Duration::from_secs(100));
        let link = Link::new(
            &config,
            Arc::new(config.address.clone()),
            Events::default(),
            7,
        );
        (link, Instant::now())
    }

    /// What one gets who asks for the first time.
    fn ask(link: &mut Link<u32, char>, now: Instant) -> SharedStep<u32> {
        let seen = link.failed_attempts();
        link.ask(0, seen, true, |_| true, now)
    }

    /// Makes the shared connection.
    fn connect(link: &mut Link<u32, char>, connection: u32, now: Instant) {
        match ask(link, now) {
            SharedStep::Dial(dial) => assert_eq!(link.connected(dial, connection, now), None),
            other => panic!("got {other:?}"),
        }
    }

    fn lend(link: &mut Link<u32, char>, connection: u32, now: Instant) -> PoolPermit {
        let Acquire::Now(Acquired::Connect(mut permit)) = link.pool().ask(now, || '!') else {
            panic!("nothing is there yet")
        };
        let _ = link.pool().connected(&mut permit, now);
        let _ = connection;
        permit
    }

    #[test]
    fn c09_a_demoted_server_is_left_and_used_until_another_connection_is_made() {
        let (mut link, now) = link();
        connect(&mut link, 1, now);
        let permit = lend(&mut link, 2, now);
        let _ = link.pool().give_back(permit, 2, now);
        assert!(link.renew(0, now).is_none(), "nothing is wrong with it");

        assert_eq!(link.leave(DisconnectReason::Demoted, now), [2]);
        let dial = link.renew(0, now).unwrap();
        assert!(link.renew(0, now).is_none(), "one attempt at a time");
        assert_eq!(link.current(0, |_| true), Some(1));
        assert_eq!(link.connected(dial, 3, now), Some(1));
        assert_eq!(link.current(0, |_| true), Some(3));
        // The server says so again at once, as it does to one who writes to a replica by mistake.
        let _ = link.leave(DisconnectReason::Demoted, now + Duration::from_millis(1));
        let _ = link.renew(0, now + Duration::from_millis(1));
        assert_eq!(
            link.current(0, |_| true),
            Some(3),
            "nobody is without a connection"
        );
    }

    #[test]
    fn f25_a_name_that_leads_elsewhere_is_followed_and_one_of_which_some_is_left_is_not() {
        let [a, b, c] = ["1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1"].map(|it| it.parse().unwrap());
        let (mut link, now) = link();
        assert!(link.resolved(&[a, b], None, now).is_empty());
        connect(&mut link, 1, now);
        let old = lend(&mut link, 2, now);
        let _ = link.pool().give_back(old, 2, now);
        assert!(
            link.resolved(&[b, c], None, now).is_empty(),
            "one of them is left"
        );
        assert!(link.renew(0, now).is_none());

        let new = lend_another(&mut link, now);
        assert_eq!(link.resolved(&[a], Some(&new), now), [2]);
        assert!(
            link.pool().give_back(new, 3, now).close.is_none(),
            "it leads there"
        );
        let dial = link.renew(0, now).unwrap();
        assert_eq!(link.connected(dial, 4, now), Some(1));
        assert!(
            link.resolved(&[], None, now).is_empty(),
            "a path has no addresses"
        );
    }

    /// A permit for another connection, although one is idle.
    fn lend_another(link: &mut Link<u32, char>, now: Instant) -> PoolPermit {
        let Acquire::Now(Acquired::Reuse(idle, connection)) = link.pool().ask(now, || '!') else {
            panic!("one is idle")
        };
        let permit = lend(link, 3, now);
        let _ = link.pool().give_back(idle, connection, now);
        permit
    }

    #[test]
    fn f25_the_shared_connection_is_replaced_when_it_has_reached_its_lifetime() {
        let (mut link, now) = link();
        connect(&mut link, 1, now);
        let at = |seconds| now + Duration::from_secs(seconds);
        assert!(link.renew(0, at(89)).is_none());
        let dial = link.renew(0, at(100)).unwrap();
        assert_eq!(link.current(0, |_| true), Some(1), "used meanwhile");
        link.failed(dial, &Error::new(ErrorKind::Connect, "full"), at(100));
        assert_eq!(
            link.current(0, |_| true),
            Some(1),
            "used as long as there is no other"
        );
        assert!(link.renew(0, at(100)).is_none(), "the server has refused");
        let dial = link.renew(0, at(102)).unwrap();
        assert_eq!(link.connected(dial, 2, at(102)), Some(1));
        assert!(link.renew(0, at(103)).is_none());
    }

    #[test]
    fn c01_a_connection_that_cannot_be_used_any_longer_is_given_up_by_who_finds_it() {
        let (mut link, now) = link();
        connect(&mut link, 1, now);
        assert_eq!(link.give_up(|it| *it == 7), None);
        assert_eq!(link.give_up(|it| *it == 1), Some(1));
        assert_eq!(link.current(0, |_| true), None);
        connect(&mut link, 2, now);
        // An attempt on a runtime that does not run is no longer waited for after its time.
        assert_eq!(link.disconnect(DisconnectReason::Closed, now), [2]);
        let SharedStep::Dial(lost) = ask(&mut link, now) else {
            panic!("there is none")
        };
        let SharedStep::Wait(Some(end)) = ask(&mut link, now) else {
            panic!("one attempt at a time")
        };
        assert_eq!(end, now + Duration::from_secs(6));
        let SharedStep::Dial(dial) = ask(&mut link, end) else {
            panic!("it takes too long")
        };
        assert_eq!(link.connected(dial, 3, end), None);
        assert_eq!(
            link.connected(lost, 4, end),
            Some(4),
            "there is another one by now"
        );
        assert_eq!(link.current(0, |_| true), Some(3));
    }

    #[test]
    fn who_waits_for_an_attempt_gets_its_error_and_who_comes_later_waits_for_the_next() {
        let (mut link, now) = link();
        let seen = link.failed_attempts();
        let SharedStep::Dial(dial) = link.ask(0, seen, true, |_| true, now) else {
            panic!("there is none")
        };
        link.failed(dial, &Error::new(ErrorKind::Connect, "full"), now);
        assert!(matches!(
            link.ask(0, seen, true, |_| true, now),
            SharedStep::Failed(_)
        ));
        let seen = link.failed_attempts();
        assert!(matches!(
            link.ask(0, seen, true, |_| true, now),
            SharedStep::Wait(Some(_))
        ));
        // Where there is another way nobody waits.
        assert!(matches!(
            link.ask(0, seen, false, |_| true, now),
            SharedStep::Failed(_)
        ));
        assert!(link.begin_urgent(now).is_err(), "all are paced together");
    }

    #[test]
    fn several_shared_connections_are_made_kept_and_left_each_by_itself() {
        let config = Config::tcp("h", 1).connections(3);
        let server = Arc::new(config.address.clone());
        let mut link: Link<u32, char> = Link::new(&config, server, Events::default(), 7);
        let now = Instant::now();
        for index in [0, 2, 1] {
            assert!(link.current(index, |_| true).is_none());
            let SharedStep::Dial(dial) = link.ask(index, 0, true, |_| true, now) else {
                panic!("there is none yet")
            };
            let number = u32::try_from(index).unwrap();
            assert_eq!(link.connected(dial, number, now), None);
            assert_eq!(link.current(index, |_| true), Some(number));
        }
        // One of them ends, which is nothing to the others.
        assert!(link.current(1, |it| *it != 1).is_none());
        assert_eq!(link.all_current(|it| *it != 1), [0, 2]);
        assert_eq!(link.give_up(|it| *it == 1), Some(1));
        assert_eq!(link.current(0, |_| true), Some(0));
        // The server is left by all that there are.
        let _ = link.leave(DisconnectReason::Demoted, now);
        let dials = link.renew_all(now);
        assert_eq!(dials.iter().map(Dial::index).collect::<Vec<_>>(), [0, 2]);
        for (dial, new) in dials.into_iter().zip([10, 12]) {
            assert_eq!(link.connected(dial, new, now), Some(new - 10));
        }
        assert_eq!(link.disconnect(DisconnectReason::Closed, now), [10, 12]);
    }

    #[test]
    fn calls_of_one_slot_go_over_one_connection_and_others_over_any() {
        let three = NonZeroUsize::new(3).unwrap();
        let of = |slot, random| shared_index(three, slot, || random);
        assert_eq!([of(Some(7), 0), of(Some(7), 5), of(Some(9), 5)], [1, 1, 0]);
        assert_eq!([of(None, 0), of(None, 4), of(None, 5)], [0, 1, 2]);
        let one = shared_index(NonZeroUsize::MIN, None, || {
            panic!("nothing is to be chosen")
        });
        assert_eq!(one, 0);
    }
}
