//! How long an exchange may take.

use std::time::{Duration, Instant};

use super::Time;
use crate::command::Patience;

/// Until when the answer to an exchange must have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeLimit {
    /// Each chunk has so long.
    Each(Option<Duration>),
    /// The first chunk must be answered by then, and each behind it has so long.
    First(Option<Instant>, Option<Duration>),
    /// All of it must be done by then.
    Whole(Option<Instant>),
}

impl TimeLimit {
    /// The same, where the server may hold the answer to each chunk back.
    #[inline]
    pub(crate) fn with(self, patience: Patience) -> Self {
        match self {
            Self::Each(allowed) => Self::Each(patience.within(allowed)),
            Self::First(end, allowed) => {
                Self::First(patience.extend(end), patience.within(allowed))
            }
            Self::Whole(_) => self,
        }
    }

    /// The same for what follows the first chunk.
    #[inline]
    pub(crate) fn behind_first(self) -> Self {
        match self {
            Self::First(_, allowed) => Self::Each(allowed),
            Self::Each(_) | Self::Whole(_) => self,
        }
    }

    /// How long a chunk that is sent now may take.
    #[inline]
    pub(crate) fn rest(self, now: Instant) -> Option<Duration> {
        match self {
            Self::Each(allowed) => allowed,
            Self::First(deadline, _) | Self::Whole(deadline) => {
                deadline.map(|end| end.saturating_duration_since(now))
            }
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
            Self::First(deadline, _) | Self::Whole(deadline) => deadline,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_begins_anew_behind_the_first_chunk_unless_it_is_for_all_of_them() {
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let second = Duration::from_secs(1);
        let first = TimeLimit::First(Some(now + second), Some(3 * second));
        assert_eq!(first.time(now).deadline, Some(now + second));
        assert_eq!(first.rest(now), Some(second));
        assert_eq!(
            first.behind_first().time(later).deadline,
            Some(later + 3 * second)
        );
        let waits = first.with(Patience::Up(second));
        assert_eq!(waits.time(now).deadline, Some(now + 2 * second));
        assert_eq!(waits.behind_first().rest(later), Some(4 * second));
        assert_eq!(first.with(Patience::Forever).time(now).deadline, None);
        let whole = TimeLimit::Whole(Some(now + second)).behind_first();
        assert_eq!(whole.time(later).deadline, Some(now + second));
    }
}
