//! The types that callers may ask for: whatever serde can deserialize.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
};

use bytes::Bytes;
use serde::{
    Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess,
        SeqAccess, VariantAccess, Visitor,
    },
};

use super::{
    Decode, DecodeError, Value,
    decode::{Pairs, pairs, text},
    deserialize::{self, LINE, passed},
    text::line,
    value::TOKEN,
};
use crate::resp::{Elements, Kind, Reply};

/// A type that a caller may ask for with [`decode`](crate::command::Command::decode).
///
/// It is implemented for everything that serde can deserialize: integers of every width, floats,
/// `bool`, `char`, strings, [`Bytes`], `Option`, lists, sets, maps, tuples, structs and enums, and
/// [`Value`]. Numbers are read from text as well, since that is what hash fields hold, and always
/// within range; a map, a struct or a list of pairs is read from a map, from an array of pairs, or
/// from keys and values in turn. `Vec<u8>` takes a string, `[u8; N]` one of that length, and an enum
/// the name of a variant, or a map from that name to what the variant holds. `Result<T, String>` keeps
/// an error that stands in the place of a value. The types that replies have by themselves, such as
/// [`ClientInfo`](super::ClientInfo), can be asked for as well, alone or as parts of others:
/// `raw("CLIENT").arg("LIST").decode::<Vec<ClientInfo>>()`.
///
/// An integer is never rounded, and no number is cut off; a text with a fraction becomes the nearest
/// float. A tuple leaves out elements behind its last, since newer servers add some.
///
/// What serde has to look at before it knows its type, because of `flatten`, `untagged` or `tag`, is
/// taken as it arrives. A text, which all fields of hashes are, becomes no number there; and an enum
/// with a `tag` is read from a map of RESP3, but not from the array that RESP2 has in its place.
///
/// # Values that are JSON
///
/// They are texts, so that any reader of JSON takes them from there:
///
/// ```
/// # #[derive(Debug, PartialEq, serde::Deserialize)] struct User { name: String }
/// # let found = Some(bytes::Bytes::from_static(br#"{"name":"ann"}"#));
/// # /*
/// let found: Option<Bytes> = client.json_get("user:1").await?;
/// # */
/// let user: Option<User> = found.map(|json| serde_json::from_slice(&json)).transpose()?;
/// # assert_eq!(user, Some(User { name: "ann".into() }));
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// A type that is always kept as JSON may do so by itself, and can then be asked for wherever it
/// stands in a reply alone:
///
/// ```
/// use respec::{reply::{DecodeError, FromReply}, resp::Reply};
///
/// struct Json<T>(T);
///
/// impl<T: serde::de::DeserializeOwned> FromReply for Json<T> {
///     fn from_reply(reply: Reply<'_>) -> Result<Self, DecodeError> {
///         let json = reply.bytes().ok_or_else(|| DecodeError::expected("JSON", reply))?;
///         // The error of the reader would tell the value.
///         let value = serde_json::from_slice(json);
///         value.map(Self).map_err(|_| DecodeError::new("JSON of the type", "another text"))
///     }
/// }
/// ```
///
/// A type that serde does not know can implement it by itself.
#[diagnostic::on_unimplemented(
    message = "a reply cannot be decoded into `{Self}`",
    label = "derive or implement `serde::Deserialize`, or implement `FromReply`, for this type",
    note = "where the type was not said, say it: `decode::<Option<String>>()`"
)]
pub trait FromReply: Sized {
    /// Reads a reply.
    ///
    /// # Errors
    ///
    /// Where the reply does not fit the type; the error says what was expected, found, and where.
    fn from_reply(reply: Reply<'_>) -> Result<Self, DecodeError>;

    /// Reads the reply to a command of which more is known than the reply tells.
    ///
    /// # Errors
    ///
    /// As [`FromReply::from_reply`].
    fn from_asked(reply: Reply<'_>, asked: &Asked<'_>) -> Result<Self, DecodeError> {
        let _ = asked;
        Self::from_reply(reply)
    }
}

/// What a command knows of its reply that the reply itself does not tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// An array of the names whose values the reply lists in the same order, if it does.
    pub names: Option<Reply<'a>>,
    /// Whether an empty reply says that there is no such key.
    pub empty_is_missing: bool,
}

impl<T: DeserializeOwned + 'static> FromReply for T {
    fn from_reply(reply: Reply<'_>) -> Result<Self, DecodeError> {
        read(reply, None)
    }

    fn from_asked(reply: Reply<'_>, asked: &Asked<'_>) -> Result<Self, DecodeError> {
        read(reply, Some(asked))
    }
}

fn read<'f, T: DeserializeOwned + 'static>(
    reply: Reply<'f>,
    asked: Option<&'f Asked<'f>>,
) -> Result<T, DecodeError> {
    let has_names = asked.is_some_and(|asked| asked.names.is_some());
    native(reply)
        .or_else(|| native_rows(reply).filter(|_| !has_names))
        .unwrap_or_else(|| T::deserialize(Source(reply, asked)))
}

/// Types of which [`Decode`] makes fewer copies than serde could.
fn native<T: 'static>(reply: Reply<'_>) -> Option<Result<T, DecodeError>> {
    as_type::<T, Bytes>(reply)
        .or_else(|| as_type::<T, Option<Bytes>>(reply))
        .or_else(|| as_type::<T, Vec<u8>>(reply))
        .or_else(|| as_type::<T, Vec<Bytes>>(reply))
        .or_else(|| as_type::<T, Vec<Option<Bytes>>>(reply))
        .or_else(|| as_type::<T, Value>(reply))
}

/// The same for the names and values in a reply.
fn native_rows<T: 'static>(reply: Reply<'_>) -> Option<Result<T, DecodeError>> {
    rows::<T, Vec<(Bytes, Bytes)>>(reply)
        .or_else(|| rows::<T, Vec<(Bytes, f64)>>(reply))
        .or_else(|| rows::<T, HashMap<Bytes, Bytes>>(reply))
}

/// The same for rows, which serde may cut off where [`Decode`] refuses those that are too long.
fn rows<T: 'static, N: Decode + 'static>(reply: Reply<'_>) -> Option<Result<T, DecodeError>> {
    as_type::<T, N>(reply).filter(Result::is_ok)
}

/// Decodes as `N` where that is what `T` is; the comparison is made by the compiler.
fn as_type<T: 'static, N: Decode + 'static>(reply: Reply<'_>) -> Option<Result<T, DecodeError>> {
    if TypeId::of::<T>() != TypeId::of::<N>() {
        return None;
    }
    let mut decoded = Some(N::decode(reply));
    let any: &mut dyn Any = &mut decoded;
    any.downcast_mut::<Option<Result<T, DecodeError>>>()?.take()
}

impl de::Error for DecodeError {
    /// Without the message, which may tell the value.
    fn custom<T: fmt::Display>(_: T) -> Self {
        passed()
            .unwrap_or_else(|| Self::new("a value that its type accepts", "one that it refuses"))
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(expected.to_string(), kind_of(&unexpected))
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(
            expected.to_string(),
            format!("{} out of range", kind_of(&unexpected)),
        )
    }

    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Self {
        Self::new(expected.to_string(), format!("{length} elements"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("one of {}", expected.join(", ")), "another text")
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(
            format!("one of the fields {}", expected.join(", ")),
            "another",
        )
    }

    fn missing_field(field: &'static str) -> Self {
        Self::missing(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("one field `{field}`"), "two")
    }
}

/// What serde found, without the value.
fn kind_of(unexpected: &de::Unexpected<'_>) -> &'static str {
    match unexpected {
        de::Unexpected::Bool(_) => "a boolean",
        de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) => "an integer",
        de::Unexpected::Float(_) => "a floating point number",
        de::Unexpected::Char(_) => "a character",
        de::Unexpected::Str(_) => "a text",
        de::Unexpected::Bytes(_) => "bytes",
        de::Unexpected::Unit | de::Unexpected::Option => "nil",
        de::Unexpected::Seq => "an array",
        de::Unexpected::Map => "a map",
        _ => "another value",
    }
}

/// A reply as serde sees it.
#[derive(Clone, Copy)]
struct Source<'f>(Reply<'f>, Option<&'f Asked<'f>>);

impl<'f> Source<'f> {
    /// A part of a reply, of which nothing else is known.
    fn of(reply: Reply<'f>) -> Self {
        Self(reply, None)
    }

    /// Whether it says that there is no such key.
    fn is_missing(self) -> bool {
        let is_empty = |asked: &&Asked<'_>| {
            let is_aggregate = asked.empty_is_missing && self.0.kind().is_aggregate();
            is_aggregate
                && self
                    .0
                    .elements()
                    .is_some_and(|elements| elements.len() == 0)
        };
        self.0.is_nil() || self.1.as_ref().is_some_and(is_empty)
    }

    /// The names that the command has asked for with the values in their order, if it lists these.
    fn named(self) -> Option<Result<Named<'f>, DecodeError>> {
        let names = self.1?.names?.elements()?;
        if self.0.kind() == Kind::Map {
            return None;
        }
        let values = self.0.elements()?;
        Some(match names.len() == values.len() {
            true => Ok(Named { names, values }),
            false => {
                let found = format!("an array of {}", values.len());
                Err(DecodeError::new(
                    format!("an array of {}", names.len()),
                    found,
                ))
            }
        })
    }

    fn integer<T: Decode>(self) -> Result<T, DecodeError> {
        T::decode(self.0)
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty;)+) => {$(
        fn $method<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            visitor.$visit(self.integer::<$type>()?)
        }
    )+};
}

impl<'f> Deserializer<'f> for Source<'f> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let reply = self.0;
        match reply.kind() {
            Kind::Null => visitor.visit_unit(),
            Kind::Integer => visitor.visit_i64(self.integer()?),
            Kind::Boolean => visitor.visit_bool(bool::decode(reply)?),
            Kind::Double => visitor.visit_f64(f64::decode(reply)?),
            Kind::Map => self.deserialize_map(visitor),
            Kind::Array | Kind::Set | Kind::Push => self.deserialize_seq(visitor),
            Kind::Error | Kind::BulkError => Err(DecodeError::expected("a value", reply)),
            Kind::SimpleString | Kind::BulkString | Kind::Verbatim | Kind::BigNumber => {
                match text(reply) {
                    Ok(text) => visitor.visit_borrowed_str(text),
                    Err(_) => visitor.visit_borrowed_bytes(reply.bytes().unwrap_or_default()),
                }
            }
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
    }

    fn deserialize_bool<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0.bytes() {
            Some(b"1" | b"true") => visitor.visit_bool(true),
            Some(b"0" | b"false") => visitor.visit_bool(false),
            _ => visitor.visit_bool(bool::decode(self.0)?),
        }
    }

    fn deserialize_f64<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_f64(f64::decode(self.0)?)
    }

    fn deserialize_f32<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_f32(f32::decode(self.0)?)
    }

    fn deserialize_char<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_borrowed_str(text(self.0)?)
    }

    fn deserialize_str<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_borrowed_str(text(self.0)?)
    }

    fn deserialize_string<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0.bytes() {
            Some(bytes) => visitor.visit_borrowed_bytes(bytes),
            None => Err(DecodeError::expected("bytes", self.0)),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_missing() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.0.is_nil() || self.0.bytes() == Some(b"OK") {
            return visitor.visit_unit();
        }
        Err(DecodeError::expected("`OK` or nil", self.0))
    }

    fn deserialize_unit_struct<V: Visitor<'f>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'f>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if [TOKEN, deserialize::TOKEN, LINE].contains(&name) {
            return visitor.visit_borrowed_bytes(self.0.raw());
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let elements = || DecodeError::expected("an array", self.0);
        if let Some(bytes) = self.0.bytes() {
            return visitor.visit_seq(TextList::of(bytes, self.0));
        }
        if let Some(named) = self.named() {
            let Named { names, values } = named?;
            return visitor.visit_seq(List {
                elements: values,
                names: Some(names),
                at: 0,
            });
        }
        match self.0.kind() {
            // A list of pairs, since a list of keys and values in turn would mix types.
            Kind::Map => visitor.visit_seq(PairList {
                pairs: pairs(self.0, "a map")?,
                at: 0,
            }),
            _ => visitor.visit_seq(List {
                elements: self.0.elements().ok_or_else(elements)?,
                names: None,
                at: 0,
            }),
        }
    }

    fn deserialize_tuple<V: Visitor<'f>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if let Some(bytes) = self.0.bytes()
            && bytes.len() == length
        {
            return visitor.visit_seq(TextList::of(bytes, self.0));
        }
        let elements = self
            .0
            .elements()
            .ok_or_else(|| DecodeError::expected("an array", self.0))?;
        if elements.len() < length {
            let found = format!("an array of {}", elements.len());
            return Err(DecodeError::new(format!("an array of {length}"), found));
        }
        visitor.visit_seq(List {
            elements,
            names: None,
            at: 0,
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'f>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'f>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_map(Map::of(self, fields)?)
    }

    fn deserialize_enum<V: Visitor<'f>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        // A `Result` keeps an error that stands in the place of a value.
        if variants == ["Ok", "Err"] {
            return visitor.visit_enum(Outcome(self.0));
        }
        if self.0.kind().is_aggregate() {
            let map = Map::of(self, variants)?;
            return match map.size_hint() {
                Some(1) => visitor.visit_enum(de::value::MapAccessDeserializer::new(map)),
                _ => Err(DecodeError::new(
                    "a map of one variant",
                    "one of another length",
                )),
            };
        }
        visitor.visit_enum(text(self.0)?.into_deserializer())
    }

    /// The name of a field, which a hash may have that no type of Rust could have.
    fn deserialize_identifier<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match text(self.0) {
            Ok(text) => visitor.visit_borrowed_str(text),
            Err(_) => self.deserialize_bytes(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }
}

/// The elements of an array.
struct List<'f> {
    elements: Elements<'f>,
    /// The names of the elements, where a command has asked for them by name.
    names: Option<Elements<'f>>,
    at: usize,
}

impl<'f> SeqAccess<'f> for List<'f> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'f>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some(element) = self.elements.next() else {
            return Ok(None);
        };
        let at = self.at;
        self.at += 1;
        let element = Element {
            reply: element,
            name: self.names.as_mut().and_then(Iterator::next),
            list: self,
        };
        seed.deserialize(element)
            .map(Some)
            .map_err(|error| error.in_element(at))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.elements.len())
    }
}

/// The pairs of a map as a list.
struct PairList<'f> {
    pairs: Pairs<'f>,
    at: usize,
}

impl<'f> SeqAccess<'f> for PairList<'f> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'f>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some(pair) = self.pairs.next() else {
            return Ok(None);
        };
        let at = self.at;
        self.at += 1;
        let (key, value) = pair?;
        seed.deserialize(Pair(key, value))
            .map(Some)
            .map_err(|error| error.in_element(at))
    }
}

/// A key with its value, in the place of an array of the two.
struct Pair<'f>(Reply<'f>, Reply<'f>);

impl<'f> Deserializer<'f> for Pair<'f> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let both = [Source::of(self.0), Source::of(self.1)];
        de::value::SeqDeserializer::new(both.into_iter()).deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'f>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if [deserialize::TOKEN, LINE].contains(&name) {
            return visitor.visit_byte_buf([b"*2\r\n", self.0.raw(), self.1.raw()].concat());
        }
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'f>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'f> IntoDeserializer<'f, DecodeError> for Source<'f> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// An element of an array, which is a pair together with its name or with the next one where a pair
/// is asked for.
struct Element<'l, 'f> {
    reply: Reply<'f>,
    name: Option<Reply<'f>>,
    list: &'l mut List<'f>,
}

impl<'f> Element<'_, 'f> {
    /// Whether this is a key in front of its value and not an array of the two.
    fn is_key(&self, length: usize) -> bool {
        length == 2 && !self.reply.kind().is_aggregate() && !self.reply.kind().is_error()
    }

    fn deserialize_pair<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if let Some(name) = self.name {
            return Pair(name, self.reply).deserialize_any(visitor);
        }
        let Some(value) = self.list.elements.next() else {
            return Err(DecodeError::new("pairs", "an array of odd length"));
        };
        self.list.at += 1;
        Pair(self.reply, value).deserialize_any(visitor)
    }
}

macro_rules! as_the_element {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            Source::of(self.reply).$method(visitor)
        }
    )+};
}

impl<'f> Deserializer<'f> for Element<'_, 'f> {
    type Error = DecodeError;

    as_the_element! {
        deserialize_any deserialize_bool deserialize_char deserialize_str deserialize_string
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_seq deserialize_map deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_option<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.reply.is_nil() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit_struct<V: Visitor<'f>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        Source::of(self.reply).deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'f>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if [TOKEN, deserialize::TOKEN, LINE].contains(&name) {
            return Source::of(self.reply).deserialize_newtype_struct(name, visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'f>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if self.is_key(length) {
            return self.deserialize_pair(visitor);
        }
        Source::of(self.reply).deserialize_tuple(length, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'f>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_struct<V: Visitor<'f>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        Source::of(self.reply).deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'f>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        Source::of(self.reply).deserialize_enum(name, variants, visitor)
    }
}

/// A string as a list: of bytes, which only a list of `u8` may have, or of lines that are replies of
/// their own, as `CLIENT LIST` has them.
struct TextList<'f> {
    text: &'f [u8],
    reply: Reply<'f>,
    at: usize,
}

impl<'f> TextList<'f> {
    fn of(text: &'f [u8], reply: Reply<'f>) -> Self {
        Self { text, reply, at: 0 }
    }
}

impl<'f> SeqAccess<'f> for TextList<'f> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'f>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let mut is_over = false;
        let before = self.text.len();
        let element = seed.deserialize(PartOfText {
            text: &mut self.text,
            reply: self.reply,
            is_over: &mut is_over,
        });
        if is_over {
            // Without asking, any list could be read from an empty text.
            return Ok(None);
        }
        if self.text.len() == before {
            // It is not read in parts by such a type.
            return element.map(Some);
        }
        let at = self.at;
        self.at += 1;
        element.map(Some).map_err(|error| error.in_element(at))
    }
}

/// A byte if a `u8` is asked for, a line if a type of a reply is, or the end of them.
struct PartOfText<'b, 'f> {
    text: &'b mut &'f [u8],
    reply: Reply<'f>,
    is_over: &'b mut bool,
}

impl<'f> Deserializer<'f> for PartOfText<'_, 'f> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'f>>(self, _: V) -> Result<V::Value, DecodeError> {
        Err(DecodeError::expected("an array", self.reply))
    }

    fn deserialize_u8<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.text.split_first() {
            Some((&byte, rest)) => {
                *self.text = rest;
                visitor.visit_u8(byte)
            }
            None => {
                *self.is_over = true;
                Err(DecodeError::new("a byte", "none"))
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'f>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if name != LINE {
            return self.deserialize_any(visitor);
        }
        match line(self.text) {
            Some(line) => visitor.visit_bytes(line),
            None => {
                *self.is_over = true;
                Err(DecodeError::new("a line", "none"))
            }
        }
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'f>>
        bool i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Names and values, from wherever they are.
enum Entries<'f> {
    Pairs(Pairs<'f>),
    Named(Named<'f>),
}

impl<'f> Entries<'f> {
    fn next(&mut self) -> Option<Result<(Reply<'f>, Reply<'f>), DecodeError>> {
        match self {
            Self::Pairs(pairs) => pairs.next(),
            Self::Named(named) => named.next().map(Ok),
        }
    }
}

/// The names that a command has asked for, and their values, which alone are in the reply.
struct Named<'f> {
    names: Elements<'f>,
    values: Elements<'f>,
}

impl<'f> Iterator for Named<'f> {
    type Item = (Reply<'f>, Reply<'f>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.names.next()?, self.values.next()?))
    }
}

/// The fields of a struct, or the entries of a map.
struct Map<'f> {
    entries: Entries<'f>,
    /// The names that a struct has; those of a map may be secrets.
    fields: &'static [&'static str],
    /// How many pairs were taken.
    at: usize,
    /// The field that `value` belongs to.
    field: Option<&'static str>,
    value: Option<Reply<'f>>,
}

impl<'f> Map<'f> {
    fn of(source: Source<'f>, fields: &'static [&'static str]) -> Result<Self, DecodeError> {
        let entries = match source.named() {
            Some(named) => Entries::Named(named?),
            None => Entries::Pairs(pairs(source.0, "a map")?),
        };
        Ok(Self {
            entries,
            fields,
            at: 0,
            field: None,
            value: None,
        })
    }

    /// An error with the place of the current pair.
    fn place(&self, error: DecodeError) -> DecodeError {
        match self.field {
            Some(field) => error.in_field(field),
            None => error.in_element(self.at.saturating_sub(1)),
        }
    }
}

impl<'f> MapAccess<'f> for Map<'f> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'f>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        let Some(pair) = self.entries.next() else {
            return Ok(None);
        };
        let (key, value) = pair?;
        let name = key.bytes();
        let mut fields = self.fields.iter();
        self.field = fields.find(|field| Some(field.as_bytes()) == name).copied();
        self.value = Some(value);
        self.at += 1;
        seed.deserialize(Source::of(key))
            .map(Some)
            .map_err(|error| self.place(error))
    }

    fn next_value_seed<V: DeserializeSeed<'f>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        let Some(value) = self.value.take() else {
            return Err(DecodeError::new("a value", "none"));
        };
        seed.deserialize(Source::of(value))
            .map_err(|error| self.place(error))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(match &self.entries {
            Entries::Pairs(pairs) => pairs.len(),
            Entries::Named(named) => named.values.len(),
        })
    }
}

/// A value, or the error in its place, as serde's `Result`.
struct Outcome<'f>(Reply<'f>);

impl<'f> EnumAccess<'f> for Outcome<'f> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'f>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), DecodeError> {
        let name = if self.0.as_error().is_some() {
            "Err"
        } else {
            "Ok"
        };
        let variant = seed.deserialize(IntoDeserializer::<DecodeError>::into_deserializer(name))?;
        Ok((variant, self))
    }
}

impl<'f> VariantAccess<'f> for Outcome<'f> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Err(DecodeError::expected("a value", self.0))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'f>>(
        self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        match self.0.as_error() {
            Some(text) => {
                let text = String::from_utf8_lossy(text).into_owned();
                seed.deserialize(IntoDeserializer::<DecodeError>::into_deserializer(text))
            }
            None => seed.deserialize(Source::of(self.0)),
        }
    }

    fn tuple_variant<V: Visitor<'f>>(self, _: usize, _: V) -> Result<V::Value, DecodeError> {
        Err(DecodeError::expected("a value", self.0))
    }

    fn struct_variant<V: Visitor<'f>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, DecodeError> {
        Err(DecodeError::expected("a value", self.0))
    }
}
