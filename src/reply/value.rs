//! Replies whose type is known only when they arrive.

use std::fmt;

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};

use super::{Decode, DecodeError};
use crate::{
    error::Error,
    resp::{Frame, Kind, Reply},
};

/// A reply of any type.
///
/// What differs between RESP2 and RESP3 on the wire differs here as well: it is the reply as it
/// arrived. Typed commands give the same value under both.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing.
    Nil,
    /// A short text, such as `OK`.
    SimpleString(Bytes),
    /// Bytes.
    BulkString(Bytes),
    /// A text with its format, such as `txt` or `mkd`.
    Verbatim {
        /// The three letters of the format.
        format: Bytes,
        /// The text.
        text: Bytes,
    },
    /// A whole number.
    Integer(i64),
    /// A floating point number.
    Double(f64),
    /// A truth value.
    Boolean(bool),
    /// A whole number of any size, as decimal digits.
    BigNumber(String),
    /// Values in order.
    Array(Vec<Value>),
    /// Values without an order.
    Set(Vec<Value>),
    /// Keys with their values, in the order of the wire.
    Map(Vec<(Value, Value)>),
    /// A message that no command asked for.
    Push(Vec<Value>),
    /// An error, its code first.
    Error(Bytes),
}

/// The name by which our deserializer recognises a [`Value`], to hand over its RESP bytes.
pub(super) const TOKEN: &str = "$respec::Value";

impl Value {
    /// The bytes of a string of any kind.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::SimpleString(text) | Self::BulkString(text) | Self::Verbatim { text, .. } => {
                Some(text)
            }
            _ => None,
        }
    }

    /// The text of a string of any kind, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::BigNumber(digits) => Some(digits),
            _ => std::str::from_utf8(self.as_bytes()?).ok(),
        }
    }

    /// The number of an integer.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The elements of an array, a set or a push.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[Value]> {
        match self {
            Self::Array(values) | Self::Set(values) | Self::Push(values) => Some(values),
            _ => None,
        }
    }

    /// The value of a field, in a map or in an array of names and values in turn.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        match self {
            Self::Map(pairs) => pairs
                .iter()
                .find(|(name, _)| name.as_str() == Some(field))
                .map(|(_, value)| value),
            Self::Array(values) => values
                .chunks_exact(2)
                .find(|pair| pair.first().and_then(Self::as_str) == Some(field))
                .and_then(|pair| pair.get(1)),
            _ => None,
        }
    }

    /// Whether this is nil.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    fn of(reply: Reply<'_>) -> Self {
        let text = || reply.take_bytes().unwrap_or_default();
        let list = || {
            reply
                .elements()
                .into_iter()
                .flatten()
                .map(Self::of)
                .collect()
        };
        match reply.kind() {
            Kind::SimpleString => Self::SimpleString(text()),
            Kind::BulkString => Self::BulkString(text()),
            Kind::Verbatim => Self::Verbatim {
                format: Bytes::copy_from_slice(reply.verbatim_format().unwrap_or_default()),
                text: text(),
            },
            Kind::Integer => Self::Integer(reply.integer().unwrap_or_default()),
            Kind::Double => Self::Double(reply.double().unwrap_or(f64::NAN)),
            Kind::Boolean => Self::Boolean(reply.boolean().unwrap_or_default()),
            Kind::BigNumber => Self::BigNumber(String::from_utf8_lossy(&text()).into_owned()),
            Kind::Array => Self::Array(list()),
            Kind::Set => Self::Set(list()),
            Kind::Push => Self::Push(list()),
            Kind::Map => {
                let mut elements = reply.elements().into_iter().flatten();
                let mut pairs = Vec::with_capacity(reply.len() / 2);
                while let (Some(key), Some(value)) = (elements.next(), elements.next()) {
                    pairs.push((Self::of(key), Self::of(value)));
                }
                Self::Map(pairs)
            }
            Kind::Error | Kind::BulkError => {
                Self::Error(Bytes::copy_from_slice(reply.as_error().unwrap_or_default()))
            }
            Kind::Null => Self::Nil,
        }
    }
}

impl Decode for Value {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        Ok(Self::of(reply))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("Nil"),
            Self::SimpleString(text) => write!(f, "SimpleString({text:?})"),
            Self::BulkString(text) => write!(f, "BulkString({text:?})"),
            Self::Verbatim { format, text } => write!(f, "Verbatim({format:?}, {text:?})"),
            Self::Integer(number) => write!(f, "Integer({number})"),
            Self::Double(number) => write!(f, "Double({number:?})"),
            Self::Boolean(truth) => write!(f, "Boolean({truth})"),
            Self::BigNumber(digits) => write!(f, "BigNumber({digits})"),
            Self::Array(values) => f.debug_tuple("Array").field(values).finish(),
            Self::Set(values) => f.debug_tuple("Set").field(values).finish(),
            Self::Push(values) => f.debug_tuple("Push").field(values).finish(),
            Self::Map(pairs) => f
                .debug_map()
                .entries(pairs.iter().map(|(k, v)| (k, v)))
                .finish(),
            Self::Error(text) => write!(f, "Error({:?})", Error::server(text).to_string()),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |serializer: S, bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.serialize_bytes(bytes),
        };
        match self {
            Self::Nil => serializer.serialize_none(),
            Self::SimpleString(bytes) | Self::BulkString(bytes) | Self::Error(bytes) => {
                text(serializer, bytes)
            }
            Self::Verbatim { text: bytes, .. } => text(serializer, bytes),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Double(number) => serializer.serialize_f64(*number),
            Self::Boolean(truth) => serializer.serialize_bool(*truth),
            Self::BigNumber(digits) => serializer.serialize_str(digits),
            Self::Array(values) | Self::Set(values) | Self::Push(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Self::Map(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for (key, value) in pairs {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TOKEN, Any { resp: true })
    }
}

/// Takes whatever there is.
struct Any {
    /// Whether borrowed bytes are RESP, handed over by our own deserializer.
    resp: bool,
}

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Boolean(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Value, E> {
        Ok(i64::try_from(number)
            .map_or_else(|_| Value::BigNumber(number.to_string()), Value::Integer))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number)
            .map_or_else(|_| Value::BigNumber(number.to_string()), Value::Integer))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Value, E> {
        Ok(i64::try_from(number)
            .map_or_else(|_| Value::BigNumber(number.to_string()), Value::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Double(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::BulkString(Bytes::copy_from_slice(text.as_bytes())))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::BulkString(Bytes::copy_from_slice(bytes)))
    }

    fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<Value, E> {
        if !self.resp {
            return self.visit_bytes(bytes);
        }
        Frame::parse(Bytes::copy_from_slice(bytes))
            .map(|frame| Value::of(frame.reply()))
            .map_err(E::custom)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(Self { resp: false })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(Self { resp: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Value::Map(pairs))
    }
}
