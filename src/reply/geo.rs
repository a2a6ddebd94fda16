//! What geo searches find.

use bytes::Bytes;

use super::{Decode, DecodeError, GeoPos, Parts, Value};
use crate::resp::{Kind, Reply};

/// A member that a geo search found, with what was asked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GeoHit {
    /// Member.
    pub member: Bytes,
    /// Distance from the centre in the unit of the query, with `WITHDIST`.
    pub distance: Option<f64>,
    /// Raw geohash, with `WITHHASH`.
    pub hash: Option<u64>,
    /// Position, with `WITHCOORD`.
    pub position: Option<GeoPos>,
    /// What a newer server sends besides, in order.
    pub rest: Vec<Value>,
}

impl Decode for GeoHit {
    /// Goes by the kinds of the elements, which differ for the three options.
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let mut parts = Parts::of(reply)?;
        let mut hit = Self {
            member: parts.required("member")?,
            distance: None,
            hash: None,
            position: None,
            rest: Vec::new(),
        };
        for element in reply.elements().into_iter().flatten().skip(1) {
            match element.kind() {
                Kind::BulkString | Kind::Double if hit.distance.is_none() => {
                    hit.distance = Some(part("distance", element)?);
                }
                Kind::Integer if hit.hash.is_none() => hit.hash = Some(part("hash", element)?),
                Kind::Array if hit.position.is_none() => {
                    hit.position = Some(part("position", element)?);
                }
                _ => hit.rest.push(Value::decode(element)?),
            }
        }
        Ok(hit)
    }
}

fn part<T: Decode>(name: &str, reply: Reply<'_>) -> Result<T, DecodeError> {
    T::decode(reply).map_err(|error| error.in_field(name))
}
