//! What JSON documents answer where RESP2 and RESP3 differ.

use super::{Decode, DecodeError, decode::text};
use crate::resp::{Kind, Reply};

/// A number of a JSON document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum JsonNumber {
    /// A whole number.
    Integer(i64),
    /// A floating point number.
    Double(f64),
}

impl JsonNumber {
    /// The number, as the nearest floating point number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Double(number) => number,
        }
    }

    /// The number, if it is a whole one.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(number),
            Self::Double(_) => None,
        }
    }
}

/// The numbers at a path of a JSON document, after they were changed.
///
/// A legacy path has one. An element is `None` where the value is no number.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct JsonNumbers {
    /// Numbers, one for each match of the path.
    pub numbers: Vec<Option<JsonNumber>>,
}

impl Decode for JsonNumbers {
    /// JSON text under RESP2, `[1,null,2.5]` or `1`; an array of numbers under RESP3.
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let numbers = if reply.kind().is_aggregate() {
            Decode::decode(reply)?
        } else {
            let json = text(reply)?.trim();
            match json
                .strip_prefix('[')
                .and_then(|json| json.strip_suffix(']'))
            {
                Some("") => Vec::new(),
                Some(list) => list
                    .split(',')
                    .enumerate()
                    .map(|(at, number)| parse(number).map_err(|error| error.in_element(at)))
                    .collect::<Result<_, _>>()?,
                None => vec![parse(json)?],
            }
        };
        Ok(Self { numbers })
    }
}

impl Decode for JsonNumber {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        match reply.kind() {
            Kind::Integer => i64::decode(reply).map(Self::Integer),
            Kind::Double => f64::decode(reply).map(Self::Double),
            _ => Err(DecodeError::expected("a number", reply)),
        }
    }
}

/// Reads `null` or a number as JSON writes it.
fn parse(json: &str) -> Result<Option<JsonNumber>, DecodeError> {
    let json = json.trim();
    if json == "null" {
        return Ok(None);
    }
    let begins = json.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    json.parse()
        .map(JsonNumber::Integer)
        .or_else(|_| json.parse().map(JsonNumber::Double))
        .ok()
        .filter(|_| begins)
        .map(Some)
        .ok_or_else(|| DecodeError::new("JSON of a number", "another text"))
}

/// The types of the values at a path of a JSON document.
///
/// A legacy path has one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonTypes {
    /// Types, such as `object` or `integer`, one for each match of the path.
    pub types: Vec<String>,
}

impl Decode for JsonTypes {
    /// RESP3 has one more array around what RESP2 has, nil included.
    fn is_nil(reply: Reply<'_>) -> bool {
        reply.is_nil() || only(reply).is_some_and(|only| only.is_nil())
    }

    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let reply = match only(reply) {
            Some(list) if list.kind().is_aggregate() => list,
            _ => reply,
        };
        let types = if reply.kind().is_aggregate() {
            Decode::decode(reply)?
        } else {
            vec![Decode::decode(reply)?]
        };
        Ok(Self { types })
    }
}

/// The element of an array that has just one.
fn only(reply: Reply<'_>) -> Option<Reply<'_>> {
    let mut elements = reply.elements()?;
    let first = elements.next()?;
    elements.next().is_none().then_some(first)
}
