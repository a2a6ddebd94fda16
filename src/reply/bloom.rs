//! What Bloom filters say of themselves.

use super::{Decode, DecodeError};
use crate::resp::Reply;

/// One fact of a Bloom filter, as `BF.INFO` answers it when asked for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BloomInfoValue(
    /// The number; `None` for the expansion of a filter that does not grow.
    pub Option<u64>,
);

impl Decode for BloomInfoValue {
    /// An array of the number under RESP2, a map from the fact's name to the number under RESP3.
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let number = reply.elements().and_then(Iterator::last);
        let number = number
            .ok_or_else(|| DecodeError::expected("an array or a map of one number", reply))?;
        Decode::decode(number).map(Self)
    }
}
