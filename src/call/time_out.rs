//! What is told of a call whose time has run out.

use std::time::{Duration, Instant};

use crate::{
    error::{Error, Phase},
    events::{Event, Events},
};

/// A call that is tried once: on a connection of the caller's own, or on a node that the caller has
/// chosen.
///
/// Of all others a [`Call`](super::Call) tells what has become of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SingleTry {
    name: &'static str,
    begun: Instant,
}

impl SingleTry {
    /// A call of that name, which begins now.
    pub(crate) fn begin(name: &'static str, now: Instant) -> Self {
        Self { name, begun: now }
    }

    /// Takes note of why it has failed, and tells it if its time has run out.
    pub(crate) fn failed(&self, error: &Error, events: &Events, now: Instant) {
        if let Some(phase) = error.phase() {
            events.tell(now, || timed_out(self.name, phase, Some(self.begun), now));
        }
    }
}

/// What is told of a call of that name whose time has run out in a phase.
pub(super) fn timed_out(
    name: &'static str,
    phase: Phase,
    begun: Option<Instant>,
    now: Instant,
) -> Event {
    Event::TimedOut {
        command: name.into(),
        phase,
        after: begun.map_or(Duration::ZERO, |begun| now.saturating_duration_since(begun)),
    }
}
