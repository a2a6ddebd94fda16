//! The types that commands declare as their replies.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::{BuildHasher, Hash},
};

use bytes::Bytes;

use super::DecodeError;
use crate::{
    error::Error,
    resp::{Elements, Kind, Reply},
};

/// A type that a reply can be read into without copies that can be avoided.
///
/// A type accepts every form that RESP2 and RESP3 have for it:
///
/// | type | accepted |
/// |---|---|
/// | `()` | the text `OK` |
/// | `bool` | a boolean, the integers 0 and 1, or the texts `true` and `false` |
/// | integers | an integer, a big number, a boolean, or decimal digits as a text or double, within range |
/// | `f64`, `f32` | a double, a text such as `1.5`, `inf`, `nan`, or an integer that it holds exactly |
/// | [`Bytes`], `Vec<u8>` | a string of any kind |
/// | `String` | a string of any kind; what is not UTF-8 in it is replaced by `U+FFFD` |
/// | `Option<T>` | nil, or `T`; an empty array is nil for a tuple |
/// | `Vec<T>`, sets, arrays | an array, set or push |
/// | `Vec<(K, V)>`, maps | a map, an array of pairs, or keys and values in turn |
/// | tuples | an array of as many elements |
/// | `Result<T, Error>` | an error, or `T` |
///
/// These are the types that the spec gives to replies. A `String` among them is a text that people
/// read, into which servers copy what users sent; one odd byte must not fail a whole report. What
/// callers ask for by [`decode`](crate::command::Command::decode) is never changed: there a `String`
/// is UTF-8 or an error.
pub trait Decode: Sized {
    /// Reads a reply.
    ///
    /// # Errors
    ///
    /// Where the reply has no form that the type accepts.
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError>;

    /// Whether a reply is the absence of such a value.
    ///
    /// RESP2 servers have an empty array in the place of a tuple.
    #[must_use]
    fn is_nil(reply: Reply<'_>) -> bool {
        reply.is_nil()
    }

    /// Reads a reply that is a list of the type.
    ///
    /// # Errors
    ///
    /// Where it is no list, or an element has no form that the type accepts.
    fn decode_list(reply: Reply<'_>) -> Result<Vec<Self>, DecodeError> {
        list(reply)
    }
}

/// Reads a reply that is `OK` where something was done, and nil where a condition forbade it.
///
/// # Errors
///
/// Where it is neither.
pub fn ok_or_nil(reply: Reply<'_>) -> Result<bool, DecodeError> {
    if reply.is_nil() {
        return Ok(false);
    }
    match reply.bytes() {
        Some(b"OK") => Ok(true),
        _ => Err(DecodeError::expected("`OK` or nil", reply)),
    }
}

/// Each element of an array, set or push as a type.
fn list<T: Decode>(reply: Reply<'_>) -> Result<Vec<T>, DecodeError> {
    let elements = elements(reply)?;
    let mut list = Vec::with_capacity(elements.len());
    for (at, element) in elements.enumerate() {
        list.push(T::decode(element).map_err(|error| error.in_element(at))?);
    }
    Ok(list)
}

/// The elements of an array, set or push.
fn elements(reply: Reply<'_>) -> Result<Elements<'_>, DecodeError> {
    match reply.kind() {
        Kind::Map => None,
        _ => reply.elements(),
    }
    .ok_or_else(|| DecodeError::expected("an array", reply))
}

/// The keys and values of a map, whichever of its three forms arrived.
pub(super) fn pairs<'f>(
    reply: Reply<'f>,
    expected: &'static str,
) -> Result<Pairs<'f>, DecodeError> {
    let wrong = || DecodeError::expected(expected, reply);
    let elements = reply.elements().ok_or_else(wrong)?;
    let nested =
        reply.kind() != Kind::Map && elements.clone().next().is_some_and(|first| is_pair(&first));
    if !nested && !elements.len().is_multiple_of(2) {
        return Err(DecodeError::new(expected, "an array of odd length"));
    }
    Ok(Pairs {
        elements,
        nested,
        exact: false,
        at: 0,
    })
}

/// The same where nothing may stand behind a value, which would be lost.
fn exact_pairs<'f>(reply: Reply<'f>, expected: &'static str) -> Result<Pairs<'f>, DecodeError> {
    let pairs = pairs(reply, expected)?;
    Ok(Pairs {
        exact: true,
        ..pairs
    })
}

/// A key in front of its value is never an array, so that an array of two is a pair.
///
/// There may be more in it: newer servers add to the end.
fn is_pair(reply: &Reply<'_>) -> bool {
    reply.kind() == Kind::Array && reply.len() >= 2
}

/// Keys with their values.
pub(super) struct Pairs<'f> {
    elements: Elements<'f>,
    nested: bool,
    /// Whether an array of more than two is no pair.
    exact: bool,
    at: usize,
}

impl Pairs<'_> {
    pub(super) fn len(&self) -> usize {
        self.elements.len() / if self.nested { 1 } else { 2 }
    }
}

impl<'f> Iterator for Pairs<'f> {
    type Item = Result<(Reply<'f>, Reply<'f>), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.elements.next()?;
        if !self.nested {
            return Some(Ok((first, self.elements.next()?)));
        }
        self.at += 1;
        let mut parts = match first.elements() {
            Some(parts) if parts.len() == 2 || parts.len() > 2 && !self.exact => parts,
            _ => {
                let error = DecodeError::expected("an array of two", first);
                return Some(Err(error.in_element(self.at - 1)));
            }
        };
        Some(Ok((parts.next()?, parts.next()?)))
    }
}

impl Decode for () {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        match reply.bytes() {
            Some(b"OK") => Ok(()),
            _ => Err(DecodeError::expected("`OK`", reply)),
        }
    }
}

impl Decode for bool {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        match (reply.boolean(), reply.integer(), reply.bytes()) {
            (Some(truth), ..) => Ok(truth),
            (_, Some(0), _) | (.., Some(b"false")) => Ok(false),
            (_, Some(1), _) | (.., Some(b"true")) => Ok(true),
            _ => Err(misread("a boolean", reply)),
        }
    }
}

macro_rules! integers {
    ($($type:ty $({ $($list:item)+ })?),+) => {$(
        impl Decode for $type {
            #[inline]
            fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
                let expected = concat!("an integer of type ", stringify!($type));
                let number = match (reply.integer(), reply.boolean()) {
                    (Some(number), _) => Self::try_from(number).ok(),
                    (_, Some(truth)) => Some(Self::from(truth)),
                    _ => digits(reply).and_then(|text| text.parse().ok()),
                };
                number.ok_or_else(|| {
                    if reply.integer().is_some() || is_whole_number(reply) {
                        DecodeError::new(expected, "one out of range")
                    } else {
                        misread(expected, reply)
                    }
                })
            }

            $($($list)+)?
        }
    )+};
}

integers!(
    i8, i16, i32, i64, i128, isize, u16, u32, u64, u128, usize,
    u8 {
        /// Bytes, from a string as well.
        #[inline]
        fn decode_list(reply: Reply<'_>) -> Result<Vec<Self>, DecodeError> {
            match reply.bytes() {
                Some(bytes) => Ok(bytes.to_vec()),
                None => list(reply),
            }
        }
    }
);

/// An error about a text that does not say what it should, which tells as much as is no part of it.
fn misread(expected: &'static str, reply: Reply<'_>) -> DecodeError {
    let text = match reply.kind() {
        Kind::SimpleString | Kind::BulkString | Kind::Verbatim => reply.bytes(),
        _ => None,
    };
    let Some(text) = text else {
        return DecodeError::expected(expected, reply);
    };
    let number: Option<f64> = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    let found = match (text.len(), number) {
        (0, _) => "an empty text".into(),
        (_, Some(number)) if number.is_finite() => "a text that is no such number".into(),
        (1, _) => "a text of 1 byte that is none".into(),
        (length, _) => format!("a text of {length} bytes that is none"),
    };
    DecodeError::new(expected, found)
}

/// A text that begins as a number does; `parse` would take a `+` as well.
pub(super) fn digits<'f>(reply: Reply<'f>) -> Option<&'f str> {
    let text = std::str::from_utf8(reply.bytes()?).ok()?;
    text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        .then_some(text)
}

/// Whether this is the text of a whole number, of any size.
fn is_whole_number(reply: Reply<'_>) -> bool {
    digits(reply).is_some_and(|text| {
        let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
        !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
    })
}

/// Floating point numbers are read from every form of theirs.
///
/// A text is read as the nearest one, since servers print doubles with more or fewer digits than
/// they have. Integers and big numbers are exact and must stay so.
macro_rules! floats {
    ($($type:ident $whole:literal),+) => {$(
        impl Decode for $type {
            #[inline]
            fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
                const EXPECTED: &str =
                    concat!("a floating point number of type ", stringify!($type));
                const LIMIT: u64 = $whole;
                let out_of_range = || DecodeError::new(EXPECTED, "one that it cannot hold");
                if let Some(number) = reply.integer() {
                    let exact = number.unsigned_abs() <= LIMIT;
                    return exact.then_some(number as Self).ok_or_else(out_of_range);
                }
                let number: Self = reply
                    .bytes()
                    .and_then(|text| std::str::from_utf8(text).ok()?.parse().ok())
                    .ok_or_else(|| misread(EXPECTED, reply))?;
                let exact = match reply.kind() {
                    Kind::BigNumber => number.abs() < LIMIT as Self,
                    // Only a text that says so is infinite.
                    _ => number.is_finite() || !reply.bytes().is_some_and(has_digits),
                };
                exact.then_some(number).ok_or_else(out_of_range)
            }
        }
    )+};
}

// Up to 2^53 and 2^24, every whole number is exact; a big number just above is rounded to the limit.
floats!(f64 9_007_199_254_740_992, f32 16_777_216);

fn has_digits(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit)
}

impl Decode for Bytes {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        reply
            .take_bytes()
            .ok_or_else(|| DecodeError::expected("a string", reply))
    }

    /// Without a view of each element, which would cost more than all the rest.
    #[inline]
    fn decode_list(reply: Reply<'_>) -> Result<Vec<Self>, DecodeError> {
        let mut elements = elements(reply)?;
        let mut list = Vec::with_capacity(elements.len());
        loop {
            if let Some(bytes) = elements.take_short_string() {
                list.push(bytes);
            } else if let Some(element) = elements.next() {
                let bytes = Self::decode(element);
                list.push(bytes.map_err(|error| error.in_element(list.len()))?);
            } else {
                return Ok(list);
            }
        }
    }
}

impl Decode for String {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        match reply.bytes() {
            Some(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
            None => Err(DecodeError::expected("a string", reply)),
        }
    }
}

/// A string that is UTF-8.
pub(super) fn text<'f>(reply: Reply<'f>) -> Result<&'f str, DecodeError> {
    let bytes = reply
        .bytes()
        .ok_or_else(|| DecodeError::expected("a string", reply))?;
    std::str::from_utf8(bytes).map_err(|error| {
        let found = format!("bytes that are none from byte {} on", error.valid_up_to());
        DecodeError::new("UTF-8", found)
    })
}

impl<T: Decode> Decode for Option<T> {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        if T::is_nil(reply) {
            Ok(None)
        } else {
            T::decode(reply).map(Some)
        }
    }
}

impl<T: Decode> Decode for Result<T, Error> {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        match reply.as_error() {
            Some(text) => Ok(Err(Error::server(text))),
            None => T::decode(reply).map(Ok),
        }
    }
}

impl<T: Decode> Decode for Vec<T> {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        T::decode_list(reply)
    }
}

impl<T: Decode, const N: usize> Decode for [T; N] {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let list = T::decode_list(reply)?;
        let length = list.len();
        Self::try_from(list).map_err(|_| {
            DecodeError::new(format!("an array of {N}"), format!("an array of {length}"))
        })
    }
}

impl<T: Decode + Eq + Hash, S: BuildHasher + Default> Decode for HashSet<T, S> {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let elements = elements(reply)?;
        let mut set = Self::with_capacity_and_hasher(elements.len(), S::default());
        for (at, element) in elements.enumerate() {
            set.insert(T::decode(element).map_err(|error| error.in_element(at))?);
        }
        Ok(set)
    }
}

impl<T: Decode + Ord> Decode for BTreeSet<T> {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        Ok(T::decode_list(reply)?.into_iter().collect())
    }
}

impl<K: Decode + Eq + Hash, V: Decode, S: BuildHasher + Default> Decode for HashMap<K, V, S> {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let pairs = exact_pairs(reply, "a map")?;
        let mut map = Self::with_capacity_and_hasher(pairs.len(), S::default());
        for (at, pair) in pairs.enumerate() {
            let (key, value) = entry(at, pair)?;
            map.insert(key, value);
        }
        Ok(map)
    }
}

impl<K: Decode + Ord, V: Decode> Decode for BTreeMap<K, V> {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        exact_pairs(reply, "a map")?
            .enumerate()
            .map(|(at, pair)| entry(at, pair))
            .collect()
    }
}

/// A key and a value as types; errors count pairs, since a key may be a secret.
fn entry<K: Decode, V: Decode>(
    at: usize,
    pair: Result<(Reply<'_>, Reply<'_>), DecodeError>,
) -> Result<(K, V), DecodeError> {
    let (key, value) = pair?;
    let decoded = K::decode(key).map_err(|error| error.in_element(at))?;
    let value = V::decode(value).map_err(|error| error.in_element(at))?;
    Ok((decoded, value))
}

macro_rules! tuples {
    ($($count:literal: $($name:ident)+;)+) => {$(
        impl<$($name: Decode),+> Decode for ($($name,)+) {
            fn is_nil(reply: Reply<'_>) -> bool {
                is_nil_tuple(reply)
            }

            #[inline]
            fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
                let mut parts = tuple(reply, $count)?;
                let mut at = 0;
                Ok(($(part::<$name>(&mut parts, &mut at)?,)+))
            }
        }
    )+};
}

tuples! {
    1: A;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
    7: A B C D E F G;
    8: A B C D E F G H;
    9: A B C D E F G H I;
    10: A B C D E F G H I J;
    11: A B C D E F G H I J K;
    12: A B C D E F G H I J K L;
}

impl<A: Decode, B: Decode> Decode for (A, B) {
    fn is_nil(reply: Reply<'_>) -> bool {
        is_nil_tuple(reply)
    }

    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let mut parts = tuple(reply, 2)?;
        let mut at = 0;
        Ok((part(&mut parts, &mut at)?, part(&mut parts, &mut at)?))
    }

    /// Pairs from a map, from an array of pairs, or from keys and values in turn.
    #[inline]
    fn decode_list(reply: Reply<'_>) -> Result<Vec<Self>, DecodeError> {
        let pairs = exact_pairs(reply, "pairs")?;
        let mut list = Vec::with_capacity(pairs.len());
        for (at, pair) in pairs.enumerate() {
            list.push(entry(at, pair)?);
        }
        Ok(list)
    }
}

fn is_nil_tuple(reply: Reply<'_>) -> bool {
    reply.is_nil() || reply.kind() == Kind::Array && reply.is_empty()
}

/// The elements of an array that has `count`: what stands behind them would be lost.
fn tuple(reply: Reply<'_>, count: usize) -> Result<Elements<'_>, DecodeError> {
    let elements = elements(reply)?;
    if elements.len() != count {
        let found = format!("an array of {}", elements.len());
        return Err(DecodeError::new(format!("an array of {count}"), found));
    }
    Ok(elements)
}

/// The next element of a tuple.
fn part<T: Decode>(parts: &mut Elements<'_>, at: &mut usize) -> Result<T, DecodeError> {
    let index = *at;
    *at += 1;
    match parts.next() {
        Some(reply) => T::decode(reply).map_err(|error| error.in_element(index)),
        None => Err(DecodeError::new("an element", "none").in_element(index)),
    }
}

/// One page of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanPage<T> {
    /// What to pass to the next call; 0 when the scan is complete.
    pub cursor: u64,
    /// What this page holds, which may be nothing although the scan goes on.
    pub items: T,
}

/// What a page of a scan holds.
pub trait Scanned {
    /// The key, if it is one.
    fn key(&self) -> Option<&[u8]>;
}

impl Scanned for Bytes {
    fn key(&self) -> Option<&[u8]> {
        Some(self)
    }
}

/// A field and its value, a member and its score.
impl<A, B> Scanned for (A, B) {
    fn key(&self) -> Option<&[u8]> {
        None
    }
}

impl<T: Decode> Decode for ScanPage<T> {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let (cursor, items) = Decode::decode(reply)?;
        Ok(Self { cursor, items })
    }
}

/// One value for a legacy JSON path, or one for each match of a path that begins with `$`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OneOrMany<T> {
    /// The value at a legacy path.
    One(T),
    /// The values at all matches of a path that begins with `$`.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values, one or several.
    pub fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(value) => vec![value],
            Self::Many(values) => values,
        }
    }
}

impl<T: Decode> OneOrMany<T> {
    /// Reads what was answered to a path; none is the legacy path of the whole document.
    ///
    /// # Errors
    ///
    /// Where the reply has another form.
    pub fn at(path: Option<&[u8]>, reply: Reply<'_>) -> Result<Self, DecodeError> {
        // A reply that is no list, such as null, says that there is nothing to look at a path in.
        if path.is_some_and(is_json_path) && reply.kind().is_aggregate() {
            T::decode_list(reply).map(Self::Many)
        } else {
            T::decode(reply).map(Self::One)
        }
    }
}

/// Whether a path is none of the legacy ones: `$`, or what begins with `$.` or `$[`.
fn is_json_path(path: &[u8]) -> bool {
    matches!(path, [b'$'] | [b'$', b'.' | b'[', ..])
}

/// By the form of the reply, where nobody knows the path that was asked for.
impl<T: Decode> Decode for OneOrMany<T> {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        if !reply.kind().is_aggregate() {
            return T::decode(reply).map(Self::One);
        }
        // A list that is itself a value does not decode as a list of such values.
        T::decode_list(reply)
            .map(Self::Many)
            .or_else(|_| T::decode(reply).map(Self::One))
    }
}
