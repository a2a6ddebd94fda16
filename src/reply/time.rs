//! Times: when a key ends, and what time it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Decode, DecodeError};
use crate::resp::Reply;

/// When a key or a field of a hash ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expiration {
    /// There is no such key or field.
    Missing,
    /// It does not end by itself.
    Never,
    /// In so many seconds or milliseconds, or at such a point in time since the Unix epoch, as the
    /// command tells.
    Some(u64),
}

impl Expiration {
    /// The number, of what ends by itself.
    #[must_use]
    pub fn some(self) -> Option<u64> {
        match self {
            Self::Some(number) => Some(number),
            Self::Missing | Self::Never => None,
        }
    }
}

impl Decode for Expiration {
    /// A number, of which -2 and -1 have meanings of their own.
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        match i64::decode(reply)? {
            -2 => Ok(Self::Missing),
            -1 => Ok(Self::Never),
            number => u64::try_from(number).map(Self::Some).map_err(|_| {
                DecodeError::new("-2, -1 or a time", "a number that is less than these")
            }),
        }
    }
}

/// The time of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerTime(
    /// Since the Unix epoch, in whole microseconds.
    pub Duration,
);

impl Decode for ServerTime {
    /// Two texts: seconds, and microseconds in the second.
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let (seconds, micros): (u64, u32) = Decode::decode(reply)?;
        match micros {
            ..1_000_000 => Ok(Self(Duration::new(seconds, micros * 1_000))),
            _ => Err(DecodeError::new("microseconds in a second", "more of them").in_element(1)),
        }
    }
}

/// Which fails for no time that a server could have.
impl TryFrom<ServerTime> for SystemTime {
    type Error = DecodeError;

    fn try_from(ServerTime(since): ServerTime) -> Result<Self, DecodeError> {
        let time = UNIX_EPOCH.checked_add(since);
        time.ok_or_else(|| DecodeError::new("a time that the system can hold", "a later one"))
    }
}
