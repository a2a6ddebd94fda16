//! What Bloom filters say of themselves, and Cuckoo filters of what they are given.

use super::{Decode, DecodeError};
use crate::resp::{Kind, Reply};

/// One fact of a Bloom filter, as `BF.INFO` answers it when asked for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BloomInfoValue(
    /// The number; `None` for the expansion of a filter that does not grow.
    pub Option<u64>,
);

impl Decode for BloomInfoValue {
    /// An array of the number under RESP2, a map from the fact's name to the number under RESP3.
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let wrong = || DecodeError::expected("an array or a map of one number", reply);
        let length = if reply.kind() == Kind::Map { 2 } else { 1 };
        let elements = reply.elements().filter(|it| it.len() == length);
        let number = elements.and_then(Iterator::last).ok_or_else(wrong)?;
        Decode::decode(number).map(Self)
    }
}

/// What became of an item that was to be inserted into a Cuckoo filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CuckooInsert {
    /// It was added.
    Added,
    /// It was there before, which only `CF.INSERTNX` looks for, and was not added.
    Existed,
    /// The filter has no room for it.
    Full,
}

impl Decode for CuckooInsert {
    /// A number; or a boolean, as `CF.INSERT` answers under RESP3, which never finds that an item
    /// existed.
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        match (reply.boolean(), reply.integer()) {
            (Some(true), _) | (_, Some(1)) => Ok(Self::Added),
            (_, Some(0)) => Ok(Self::Existed),
            (Some(false), _) | (_, Some(-1)) => Ok(Self::Full),
            _ => Err(DecodeError::expected("1, 0, -1 or a boolean", reply)),
        }
    }
}
