//! What Bloom filters say of themselves.

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
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let wrong = || DecodeError::expected("an array or a map of one number", reply);
        let length = if reply.kind() == Kind::Map { 2 } else { 1 };
        let elements = reply.elements().filter(|it| it.len() == length);
        let number = elements.and_then(Iterator::last).ok_or_else(wrong)?;
        Decode::decode(number).map(Self)
    }
}
