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

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

pub(crate) use addresses::Addresses;
pub(crate) use dial::{Attempt, Step};
pub(crate) use look::{LastUse, Seen};
pub use pool::PoolStats;
pub(crate) use pool::{Asked, Defect, Lease, Pool, Ticket, Turn};
pub(crate) use shared::{Dial, SharedTurn};

use self::{
    pacing::{Pacing, Permit},
    replacing::Replacing,
    reporter::Reporter,
    shared::Shared,
};
use crate::{
    address::Address,
    config::Config,
    error::{Error, ErrorKind},
    events::{Events, LossReason},
};

/// All connections to one server.
#[derive(Debug)]
pub(crate) struct Link<C, W> {
    pool: Pool<C, W>,
    shared: Shared<C>,
    replacing: Replacing,
    /// The addresses that the name of the server stood for when it was last resolved.
    addresses: Vec<SocketAddr>,
}

impl<C, W: Clone> Link<C, W> {
    /// A link to a server, without connections.
    pub(crate) fn new(config: &Config, server: Arc<Address>, events: Events) -> Self {
        let longest = config
            .connect_timeout
            .saturating_add(Duration::from_secs(1));
        let pacing = Pacing::new(config.connect_timeout);
        let reporter = Reporter::new(server, events);
        Self {
            pool: Pool::new(config.pool, pacing, reporter),
            shared: Shared::new(config.pool.lifetime, longest),
            replacing: Replacing::default(),
            addresses: Vec::new(),
        }
    }

    /// The connections that are lent to one caller at a time.
    pub(crate) fn pool(&mut self) -> &mut Pool<C, W> {
        &mut self.pool
    }

    /// The shared connection, if there is one that is open.
    pub(crate) fn current(&self, is_open: impl Fn(&C) -> bool) -> Option<C>
    where
        C: Clone,
    {
        let kept = self.shared.kept();
        kept.filter(|kept| is_open(kept)).cloned()
    }

    /// How many attempts were begun; to be remembered by one who [asks](Link::ask) for the first time.
    pub(crate) fn begun(&self) -> u64 {
        self.shared.begun()
    }

    /// The shared connection, or leave to make it, or what to wait for.
    ///
    /// Where the caller has somewhere else to go it does not wait for a pause: it gets the error of
    /// the last attempt.
    pub(crate) fn ask(
        &mut self,
        seen: u64,
        may_wait: bool,
        is_open: impl Fn(&C) -> bool,
        now: Instant,
    ) -> SharedTurn<C>
    where
        C: Clone,
    {
        if self.shared.kept().is_some_and(|kept| !is_open(kept)) {
            // It is dropped by whoever uses it last; its driver has closed it.
            drop(self.shared.take());
            self.pool.reporter().lost(now, LossReason::Ended, None);
        }
        let failures = self.pool.pacing().failures();
        let turn = self.shared.ask(seen, self.pool.pacing(), now);
        match &turn {
            SharedTurn::Dial(_) => self.pool.reporter().dialling(now, failures),
            SharedTurn::Wait(_) if !may_wait => {
                if let Some(error) = self.pool.pacing().pause(now) {
                    return SharedTurn::Failed(error.clone());
                }
            }
            _ => {}
        }
        turn
    }

    /// Leave to make another shared connection, if it is time to replace the one that there is.
    pub(crate) fn renew(&mut self, now: Instant) -> Option<Dial> {
        if !self.shared.is_stale(now) {
            return None;
        }
        let failures = self.pool.pacing().failures();
        let dial = self.shared.replace(self.pool.pacing(), now)?;
        self.pool.reporter().dialling(now, failures);
        Some(dial)
    }

    /// Takes a shared connection into use, and returns those that are to be closed.
    pub(crate) fn connected(&mut self, dial: Dial, connection: C, now: Instant) -> Option<C> {
        self.pool.reporter().ready(now, dial.since());
        let replaced = self
            .shared
            .connected(dial, connection, self.pool.pacing(), now);
        if replaced.is_some() {
            self.pool.reporter().lost(now, LossReason::Old, None);
        }
        replaced
    }

    /// Takes note that no shared connection could be made.
    pub(crate) fn failed(&mut self, dial: Dial, error: &Error, now: Instant) {
        let random = self.pool.random();
        let pause = self
            .shared
            .failed(dial, error, self.pool.pacing(), now, random);
        self.pool.reporter().not_ready(now, error, pause);
    }

    /// Takes note that nobody makes a shared connection any longer.
    pub(crate) fn given_up(&mut self, dial: Dial) {
        self.shared.given_up(dial, self.pool.pacing());
    }

    /// Takes out the shared connection, so that the next one who asks makes another.
    pub(crate) fn disconnect(&mut self, reason: LossReason, now: Instant) -> Option<C> {
        let taken = self.shared.take();
        if taken.is_some() {
            self.pool.reporter().lost(now, reason, None);
        }
        taken
    }

    /// Takes out the shared connection if it is this one, since it cannot be used any longer.
    pub(crate) fn give_up(
        &mut self,
        is_it: impl Fn(&C) -> bool,
        reason: LossReason,
        now: Instant,
    ) -> Option<C> {
        self.shared.kept().filter(|kept| is_it(kept))?;
        self.disconnect(reason, now)
    }

    /// Leaves the server that connections lead to, since another one seems to be the one to use.
    ///
    /// Returns connections that are to be closed. The shared one is used until another one
    /// [is made](Link::renew). Nothing is done where that was tried a moment ago.
    pub(crate) fn leave(&mut self, reason: LossReason, now: Instant) -> Vec<C> {
        let random = self.pool.random();
        if !self.replacing.is_due(now, random) {
            return Vec::new();
        }
        self.shared.make_stale();
        self.pool.leave_server(None, reason, now)
    }

    /// Takes note of what the name of the server stands for, as was found for a new connection of the
    /// pool or for the shared one, and leaves the server if none of it is as it was.
    ///
    /// Returns connections that are to be closed.
    pub(crate) fn resolved(
        &mut self,
        addresses: &[SocketAddr],
        lease: Option<&Lease>,
        now: Instant,
    ) -> Vec<C> {
        let known = std::mem::replace(&mut self.addresses, addresses.to_vec());
        let is_as_it_was = known.is_empty() || addresses.is_empty();
        if is_as_it_was || known.iter().any(|address| addresses.contains(address)) {
            return Vec::new();
        }
        self.shared.make_stale();
        self.pool.leave_server(lease, LossReason::Moved, now)
    }

    /// Leave to make a connection for a call that cannot wait, beside all others.
    ///
    /// # Errors
    ///
    /// That of the last attempt, if it is too early for another.
    pub(crate) fn begin_urgent(&mut self, now: Instant) -> Result<Permit, Error> {
        let failures = self.pool.pacing().failures();
        let pacing = self.pool.pacing();
        match pacing.begin(now) {
            Some(permit) => {
                self.pool.reporter().dialling(now, failures);
                Ok(permit)
            }
            None => Err(pacing.error().cloned().unwrap_or_else(Attempt::under_way)),
        }
    }

    /// Takes note of how such an attempt has ended.
    pub(crate) fn end_urgent(&mut self, permit: Permit, result: Result<(), &Error>, now: Instant) {
        let random = self.pool.random();
        match result {
            Ok(()) => {
                self.pool.reporter().ready(now, permit.since());
                self.pool.pacing().succeeded(permit);
            }
            Err(error) => {
                let pause = self.pool.pacing().failed(permit, error, now, random);
                self.pool.reporter().not_ready(now, error, pause);
            }
        }
    }
}

impl Dial {
    fn since(&self) -> Instant {
        self.permit().since()
    }
}

/// Why to leave a server that has answered so; nothing if it may be the one to use.
pub(crate) fn reason_to_leave(error: &Error) -> Option<LossReason> {
    match error.code()? {
        // It was made a replica, or is one that has lost its primary.
        "READONLY" | "MASTERDOWN" => Some(LossReason::Demoted),
        _ => None,
    }
}

/// Whether another connection may carry a call that has failed so: not a byte of it was written.
pub(crate) fn is_sent_again(error: &Error) -> bool {
    error.kind() == ErrorKind::Connection && !error.may_have_executed()
}

/// The error of one who uses a connection that it has closed.
pub(crate) fn gone() -> Error {
    Error::new(ErrorKind::Connection, "the connection is gone")
}

#[cfg(test)]
mod simulation;
