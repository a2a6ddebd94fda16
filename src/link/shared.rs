//! A connection that many callers share: made once for all, and replaced when it is time.
//!
//! ```text
//!             ask                      connected
//!    none ───────────▶ dialling ───────────────────▶ ready ◀──────────┐
//!     ▲ ▲                 │                           │ │             │ connected
//!     │ └─────────────────┘ failed: all who wait      │ └──replace──▶ ready, and dialling
//!     │                     get the error             │   (old, demoted, moved: the server may
//!     └───────────────────────────────────────────────┘    still be used meanwhile)
//!        ended, mute, stalled: nobody uses it any longer
//! ```

use std::time::{Duration, Instant};

use super::{
    pacing::{DialPermit, Pacing},
    pool::expiry,
};
use crate::error::Error;

/// A shared connection of a link.
#[derive(Debug)]
pub(crate) struct SharedConnection<C> {
    /// Which of the shared connections of its link it is.
    index: usize,
    lifetime: Option<Duration>,
    /// How long an attempt is waited for.
    longest: Duration,
    kept: Option<Kept<C>>,
    /// The attempt that is under way.
    dialling: Option<Dialling>,
    /// How many attempts were begun.
    begun: u64,
    /// Why the last attempt has failed, and how many had failed with it.
    failed: Option<(u64, Error)>,
}

#[derive(Debug)]
struct Kept<C> {
    connection: C,
    expires: Option<Instant>,
    /// Another server seems to be the one to use.
    stale: bool,
}

#[derive(Debug)]
struct Dialling {
    number: u64,
    since: Instant,
}

/// Leave to make the shared connection, or another in its place.
#[derive(Debug)]
#[must_use = "an attempt whose end is not told keeps others from being made"]
pub(crate) struct Dial {
    /// Which of the shared connections it is.
    index: usize,
    number: u64,
    dial_permit: DialPermit,
}

/// What one who wants the shared connection gets.
#[derive(Debug)]
pub(crate) enum SharedStep<C> {
    /// The connection.
    Ready(C),
    /// Leave to make it.
    Dial(Dial),
    /// An attempt is under way, or may not be made yet: to look again when one has ended, or then.
    Wait(Option<Instant>),
    /// The error of the attempt that was waited for, or of one a moment ago.
    Failed(Error),
}

impl Dial {
    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn dial_permit(&self) -> &DialPermit {
        &self.dial_permit
    }
}

impl<C> SharedConnection<C> {
    pub(super) fn new(index: usize, lifetime: Option<Duration>, longest: Duration) -> Self {
        Self {
            index,
            lifetime,
            longest,
            kept: None,
            dialling: None,
            begun: 0,
            failed: None,
        }
    }

    /// The connection, if there is one.
    #[inline]
    pub(super) fn kept(&self) -> Option<&C> {
        self.kept.as_ref().map(|kept| &kept.connection)
    }

    /// Takes the connection out.
    pub(super) fn take(&mut self) -> Option<C> {
        self.kept.take().map(|kept| kept.connection)
    }

    /// Has the connection replaced when it is next used.
    pub(super) fn make_stale(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.stale = true;
        }
    }

    /// Whether the connection is to be replaced: it has reached its lifetime, or another server seems to
    /// be the one to use.
    #[inline]
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        self.kept
            .as_ref()
            .is_some_and(|kept| kept.stale || kept.expires.is_some_and(|expires| expires <= now))
    }

    /// The connection, or leave to make it, or what to wait for.
    ///
    /// `seen` is how many attempts had failed when the caller came: the failure of another one is its
    /// failure, too, whoever has made that.
    pub(super) fn ask(&mut self, seen: u64, pacing: &mut Pacing, now: Instant) -> SharedStep<C>
    where
        C: Clone,
    {
        if let Some(kept) = &self.kept {
            return SharedStep::Ready(kept.connection.clone());
        }
        if let Some(end) = self.dialling_until(now) {
            return SharedStep::Wait(end);
        }
        if pacing.failed_attempts() > seen {
            let own = self.failed.as_ref().filter(|(number, _)| *number > seen);
            if let Some(error) = own.map(|(_, error)| error).or(pacing.error()) {
                return SharedStep::Failed(error.clone());
            }
        }
        match self.begin(pacing, now) {
            Some(dial) => SharedStep::Dial(dial),
            None => SharedStep::Wait(pacing.retry_at(now)),
        }
    }

    /// Leave to make another connection in place of the one that there is.
    pub(super) fn replace(&mut self, pacing: &mut Pacing, now: Instant) -> Option<Dial> {
        if self.kept.is_none() || self.dialling_until(now).is_some() {
            return None;
        }
        self.begin(pacing, now)
    }

    /// Takes a connection into use, and returns the one that is not used any longer.
    pub(super) fn connected(
        &mut self,
        dial: Dial,
        connection: C,
        pacing: &mut Pacing,
        now: Instant,
    ) -> Option<C> {
        pacing.succeeded(dial.dial_permit);
        let is_awaited = self.settle(dial.number);
        if !is_awaited && self.kept.is_some() {
            // Nobody has waited for it for so long that there is another one.
            return Some(connection);
        }
        let expires = expiry(self.lifetime, dial.number, now);
        let kept = Kept {
            connection,
            expires,
            stale: false,
        };
        self.kept.replace(kept).map(|kept| kept.connection)
    }

    /// Takes note of an attempt that has failed, and says how long the next one has to wait.
    pub(super) fn failed(
        &mut self,
        dial: Dial,
        error: &Error,
        pacing: &mut Pacing,
        now: Instant,
        random: u64,
    ) -> Duration {
        self.settle(dial.number);
        let pause = pacing.failed(dial.dial_permit, error, now, random);
        self.failed = Some((pacing.failed_attempts(), error.clone()));
        pause
    }

    /// Takes note of an attempt of which nothing came.
    pub(super) fn given_up(&mut self, dial: Dial, pacing: &mut Pacing) {
        self.settle(dial.number);
        pacing.given_up(dial.dial_permit);
    }

    fn begin(&mut self, pacing: &mut Pacing, now: Instant) -> Option<Dial> {
        let dial_permit = pacing.begin(now)?;
        self.begun += 1;
        self.dialling = Some(Dialling {
            number: self.begun,
            since: now,
        });
        Some(Dial {
            index: self.index,
            number: self.begun,
            dial_permit,
        })
    }

    /// Until when an attempt is waited for, if one is under way.
    fn dialling_until(&self, now: Instant) -> Option<Option<Instant>> {
        let dialling = self.dialling.as_ref()?;
        let end = dialling.since.checked_add(self.longest);
        // One that takes longer may be that of a runtime that does not run.
        end.is_none_or(|end| end > now).then_some(end)
    }

    /// Takes note of the end of an attempt, and says whether it was the one that is waited for.
    fn settle(&mut self, number: u64) -> bool {
        let is_awaited = |dialling: &mut Dialling| dialling.number == number;
        self.dialling.take_if(is_awaited).is_some()
    }
}
