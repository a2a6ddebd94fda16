//! What a search by likeness finds.

use super::{Decode, DecodeError, Value, VsimHit, decode::pairs};
use crate::resp::{Kind, Reply};

/// Elements that are like a vector, with scores and attributes, the most alike first.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct VsimHits {
    /// Elements found.
    pub hits: Vec<VsimHit>,
}

impl Decode for VsimHits {
    /// Reads elements, scores and attributes in turn, or a map of elements to the other two.
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        if reply.kind() != Kind::Map {
            let hits = triples(reply, |element, score, attributes| VsimHit {
                element,
                score,
                attributes,
                rest: Vec::new(),
            })?;
            return Ok(Self { hits });
        }
        let mut hits = Vec::with_capacity(reply.len() / 2);
        for (at, pair) in pairs(reply, "a map")?.enumerate() {
            let (element, value) = pair?;
            let hit = || {
                let mut parts = super::Parts::of(value)?;
                Ok(VsimHit {
                    element: Decode::decode(element)?,
                    score: parts.required("score")?,
                    attributes: parts.optional("attributes")?,
                    rest: parts.rest::<Value>()?,
                })
            };
            hits.push(hit().map_err(|error: DecodeError| error.in_element(at))?);
        }
        Ok(Self { hits })
    }
}

/// Reads an array that has three elements for each thing.
pub(super) fn triples<A: Decode, B: Decode, C: Decode, T>(
    reply: Reply<'_>,
    make: impl Fn(A, B, C) -> T,
) -> Result<Vec<T>, DecodeError> {
    let wrong = || DecodeError::expected("an array", reply);
    let mut elements = reply.elements().ok_or_else(wrong)?;
    if !elements.len().is_multiple_of(3) {
        let found = format!("an array of {}", elements.len());
        return Err(DecodeError::new(
            "an array of three elements for each",
            found,
        ));
    }
    let mut list = Vec::with_capacity(elements.len() / 3);
    while let (Some(a), Some(b), Some(c)) = (elements.next(), elements.next(), elements.next()) {
        let one = || Ok(make(A::decode(a)?, B::decode(b)?, C::decode(c)?));
        list.push(one().map_err(|error: DecodeError| error.in_element(3 * list.len()))?);
    }
    Ok(list)
}
