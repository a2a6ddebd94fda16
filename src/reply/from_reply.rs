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
    decode::{Pairs, digits, double, pairs, text},
    value::TOKEN,
};
use crate::resp::{Elements, Kind, Reply};

/// A type that a caller may ask for with [`decode`](crate::command::Command::decode).
///
/// It is implemented for everything that serde can deserialize: integers of every width, floats,
/// `bool`, `char`, strings, [`Bytes`], `Option`, lists, sets, maps, tuples, structs and enums, and
/// [`Value`]. Numbers are read from text as well, since that is what hash fields hold, and always
/// within range; a struct is read from a map, from pairs, or from names and values in turn. Nothing
/// is rounded or cut off.
///
/// A type that serde does not know can implement it by itself.
#[diagnostic::on_unimplemented(
    message = "a reply cannot be decoded into `{Self}`",
    label = "derive or implement `serde::Deserialize`, or implement `FromReply`, for this type"
)]
pub trait FromReply: Sized {
    /// Reads a reply.
    ///
    /// # Errors
    ///
    /// Where the reply does not fit the type; the error says what was expected, found, and where.
    fn from_reply(reply: Reply<'_>) -> Result<Self, DecodeError>;
}

impl<T: DeserializeOwned + 'static> FromReply for T {
    fn from_reply(reply: Reply<'_>) -> Result<Self, DecodeError> {
        native(reply).unwrap_or_else(|| T::deserialize(Source(reply)))
    }
}

/// Types of which [`Decode`] makes fewer copies than serde could.
fn native<T: 'static>(reply: Reply<'_>) -> Option<Result<T, DecodeError>> {
    as_type::<T, Bytes>(reply)
        .or_else(|| as_type::<T, Option<Bytes>>(reply))
        .or_else(|| as_type::<T, Vec<Bytes>>(reply))
        .or_else(|| as_type::<T, Vec<Option<Bytes>>>(reply))
        .or_else(|| as_type::<T, Vec<(Bytes, Bytes)>>(reply))
        .or_else(|| as_type::<T, Vec<(Bytes, f64)>>(reply))
        .or_else(|| as_type::<T, HashMap<Bytes, Bytes>>(reply))
        .or_else(|| as_type::<T, HashMap<String, String>>(reply))
        .or_else(|| as_type::<T, Value>(reply))
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
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string(), "another value")
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

    fn missing_field(field: &'static str) -> Self {
        Self::missing(field)
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
struct Source<'f>(Reply<'f>);

impl Source<'_> {
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
        // The nearest `f32` of a decimal text is not always that of its nearest `f64`.
        let number = match digits(self.0).and_then(|text| text.parse().ok()) {
            Some(number) => number,
            None => double(self.0)
                .map(|number| number as f32)
                .ok_or_else(|| DecodeError::expected("a floating point number", self.0))?,
        };
        visitor.visit_f32(number)
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
        if self.0.is_nil() {
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
        if name == TOKEN {
            return visitor.visit_borrowed_bytes(self.0.raw());
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let elements = || DecodeError::expected("an array", self.0);
        match self.0.kind() {
            // A list of pairs, since a list of keys and values in turn would mix types.
            Kind::Map => visitor.visit_seq(PairList {
                pairs: pairs(self.0, "a map")?,
                at: 0,
            }),
            _ => visitor.visit_seq(List {
                elements: self.0.elements().ok_or_else(elements)?,
                at: 0,
            }),
        }
    }

    fn deserialize_tuple<V: Visitor<'f>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let elements = self
            .0
            .elements()
            .ok_or_else(|| DecodeError::expected("an array", self.0))?;
        if elements.len() < length {
            let found = format!("an array of {}", elements.len());
            return Err(DecodeError::new(format!("an array of {length}"), found));
        }
        visitor.visit_seq(List { elements, at: 0 })
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
        visitor.visit_map(Map {
            pairs: pairs(self.0, "a map")?,
            value: None,
            name: None,
        })
    }

    fn deserialize_struct<V: Visitor<'f>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_map(visitor)
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
        visitor.visit_enum(text(self.0)?.into_deserializer())
    }

    fn deserialize_identifier<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }
}

/// The elements of an array.
struct List<'f> {
    elements: Elements<'f>,
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
        seed.deserialize(Source(element))
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
        let both = de::value::SeqDeserializer::new([Source(key), Source(value)].into_iter());
        seed.deserialize(both)
            .map(Some)
            .map_err(|error| error.in_element(at))
    }
}

impl<'f> IntoDeserializer<'f, DecodeError> for Source<'f> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The fields of a struct, or the entries of a map.
struct Map<'f> {
    pairs: Pairs<'f>,
    value: Option<Reply<'f>>,
    name: Option<&'f [u8]>,
}

impl<'f> MapAccess<'f> for Map<'f> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'f>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        let Some(pair) = self.pairs.next() else {
            return Ok(None);
        };
        let (key, value) = pair?;
        self.value = Some(value);
        self.name = key.bytes();
        seed.deserialize(Source(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'f>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        let Some(value) = self.value.take() else {
            return Err(DecodeError::new("a value", "none"));
        };
        seed.deserialize(Source(value))
            .map_err(|error| match self.name {
                Some(name) => error.in_field(String::from_utf8_lossy(name)),
                None => error,
            })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.pairs.len())
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
            None => seed.deserialize(Source(self.0)),
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
