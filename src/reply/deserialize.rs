//! The types of replies, as types that callers may ask for wherever they stand in another.
//!
//! Serde carries them no further than our own deserializer, which hands over the frame as it arrived;
//! [`Decode`] reads it.

use std::{cell::Cell, fmt, marker::PhantomData};

use bytes::{Bytes, BytesMut};
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use super::{
    AggregateResult, BloomInfoValue, ClusterNode, CuckooInsert, Decode, DecodeError, Expiration,
    GeoHit, IndexAttribute, JsonNumber, JsonNumbers, JsonTypes, MonitorLine, OneOrMany, Role,
    ScanPage, SearchParameter, SearchResult, SearchScore, ServerInfo, ServerTime, SpellCheck,
    SpellCheckTerm, StreamEntry, Suggestions, TsLastList, TsRules, TsSeriesList, VsimHits,
};
use crate::resp::Frame;

/// The name by which our deserializer recognises a type that [`Decode`] reads.
pub(super) const TOKEN: &str = "$respec::Decode";

/// The same for a type of which a text has one in each line.
pub(super) const LINE: &str = "$respec::Line";

/// Makes types that [`Decode`] reads types that serde reads from replies, by one of the names above.
macro_rules! deserialize {
    ($token:ident: $($type:ident),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                use $crate::reply::deserialize as this;
                this::decoded(this::$token, deserializer)
            }
        }
    )+};
}

pub(super) use deserialize;

deserialize! { LINE: ClusterNode }

deserialize! {
    TOKEN: AggregateResult, BloomInfoValue, CuckooInsert, Expiration, GeoHit, IndexAttribute, JsonNumber,
    JsonNumbers, JsonTypes, MonitorLine, Role, SearchParameter, SearchResult, SearchScore,
    ServerInfo, ServerTime, SpellCheck, SpellCheckTerm, StreamEntry, Suggestions, TsLastList,
    TsRules, TsSeriesList, VsimHits,
}

impl<'de, T: Decode> Deserialize<'de> for ScanPage<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decoded(TOKEN, deserializer)
    }
}

impl<'de, T: Decode> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decoded(TOKEN, deserializer)
    }
}

/// Reads a type as [`Decode`] does.
pub(super) fn decoded<'de, T, D>(token: &'static str, deserializer: D) -> Result<T, D::Error>
where
    T: Decode,
    D: Deserializer<'de>,
{
    deserializer.deserialize_newtype_struct(token, Whole(PhantomData))
}

/// Takes a frame, or a line of a text.
struct Whole<T>(PhantomData<T>);

impl<'de, T: Decode> Visitor<'de> for Whole<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reply of a server")
    }

    /// A frame that lies in the reply.
    fn visit_borrowed_bytes<E: de::Error>(self, frame: &'de [u8]) -> Result<T, E> {
        decode(Bytes::copy_from_slice(frame))
    }

    /// A frame that was put together of several.
    fn visit_byte_buf<E: de::Error>(self, frame: Vec<u8>) -> Result<T, E> {
        decode(frame.into())
    }

    /// A line of a text.
    fn visit_bytes<E: de::Error>(self, line: &[u8]) -> Result<T, E> {
        let mut frame = BytesMut::from(format!("${}\r\n", line.len()).as_bytes());
        frame.extend_from_slice(line);
        frame.extend_from_slice(b"\r\n");
        decode(frame.freeze())
    }
}

fn decode<T: Decode, E: de::Error>(frame: Bytes) -> Result<T, E> {
    match Frame::parse(frame) {
        Ok(frame) => T::decode(frame.reply()).map_err(pass),
        Err(_) => Err(E::custom("no frame")),
    }
}

thread_local! {
    /// The error that is on its way through serde, which knows no way to hand one through.
    static PASSED: Cell<Option<DecodeError>> = const { Cell::new(None) };
}

/// Hands an error through serde as it is.
fn pass<E: de::Error>(error: DecodeError) -> E {
    PASSED.set(Some(error));
    let passed = E::custom("no such reply");
    PASSED.take();
    passed
}

/// The error that is being handed through, if one is.
pub(super) fn passed() -> Option<DecodeError> {
    PASSED.take()
}
