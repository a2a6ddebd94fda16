//! How long an exchange may take.

use std::time::{Duration, Instant};

use super::Time;
use crate::command::Patience;

/// Until when the answer to an exchange must have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeLimit {
    /// Each chunk has so long.
    Each(Option<Duration>),
    /// All of it must be done by then.
    Whole(Option<Instant>),
}

impl TimeLimit {
    /// The same, where the server may hold the answer to each chunk back.
    #[inline]
    pub(crate) fn with(self, patience: Patience) -> Self {
        match self {
            Self::Each(allowed) => Self::Each(patience.within(allowed)),
            Self::Whole(_) => self,
        }
    }

    /// How long a chunk that is sent now may take.
    #[inline]
    pub(crate) fn rest(self, now: Instant) -> Option<Duration> {
        match self {
            Self::Each(allowed) => allowed,
            Self::Whole(deadline) => deadline.map(|end| end.saturating_duration_since(now)),
        }
    }

    /// When a chunk that is sent now is sent, and must be answered.
    #[inline]
    pub(crate) fn time(self, now: Instant) -> Time {
        Time {
            now,
            deadline: self.deadline(|| now),
        }
    }

    /// When a chunk that is sent now must be answered.
    #[inline]
    pub(crate) fn deadline(self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        match self {
            Self::Each(allowed) => now().checked_add(allowed?),
            Self::Whole(deadline) => deadline,
        }
    }
}
