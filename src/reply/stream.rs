//! Entries of streams.

use bytes::Bytes;

use super::{Decode, DecodeError, Parts, Value};
use crate::resp::Reply;

/// An entry of a stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StreamEntry {
    /// Its ID, such as `1700000000000-0`.
    pub id: Bytes,
    /// Its fields with their values, in order; a name may stand there twice.
    pub fields: Vec<(Bytes, Bytes)>,
    /// Milliseconds since it was last delivered, of an entry that `XREADGROUP` claims: 0 for a new
    /// one, and the time of the server for one that a consumer has given back.
    pub idle: Option<i64>,
    /// How often it was delivered before, of an entry that `XREADGROUP` claims.
    pub deliveries: Option<u64>,
    /// What newer servers send besides.
    pub rest: Vec<Value>,
}

impl StreamEntry {
    /// The value of the first field of a name.
    #[must_use]
    pub fn get(&self, field: impl AsRef<[u8]>) -> Option<&Bytes> {
        let field = field.as_ref();
        self.fields
            .iter()
            .find(|(name, _)| name == field)
            .map(|(_, value)| value)
    }

    /// Whether the entry was deleted while a consumer group still refers to it.
    ///
    /// Entries of a stream have at least one field, so that no field means no entry.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.fields.is_empty()
    }
}

impl Decode for StreamEntry {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let mut parts = Parts::of(reply)?;
        Ok(Self {
            id: parts.required("id")?,
            fields: parts
                .required::<Option<Vec<(Bytes, Bytes)>>>("fields")?
                .unwrap_or_default(),
            idle: parts.optional("idle")?,
            deliveries: parts.optional("deliveries")?,
            rest: parts.rest()?,
        })
    }

    /// Entries without the places that Redis before 7.0 fills with nil for deleted ones.
    #[inline]
    fn decode_list(reply: Reply<'_>) -> Result<Vec<Self>, DecodeError> {
        let elements = reply
            .elements()
            .ok_or_else(|| DecodeError::expected("an array", reply))?;
        elements
            .enumerate()
            .filter(|(_, entry)| !entry.is_nil())
            .map(|(at, entry)| Self::decode(entry).map_err(|error| error.in_element(at)))
            .collect()
    }
}
