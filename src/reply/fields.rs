//! The parts of a reply that has names for them: by name or by position.

use std::{collections::HashMap, fmt, hash::Hash};

use crate::resp::{Elements, Reply};

use super::{Decode, DecodeError, FromText, Value, decode::pairs};

/// Fields that are taken out by name.
///
/// Those of a map, whichever of its three forms arrived, or those of a text, whose values are bytes.
pub struct Fields<'f, V = Reply<'f>> {
    fields: Vec<(&'f [u8], Option<V>)>,
    /// Where the next name is expected: servers keep to one order.
    next: usize,
}

impl<'f> Fields<'f> {
    /// The fields of a reply that is a map.
    ///
    /// # Errors
    ///
    /// Where it is none, or a name is no text.
    pub fn of(reply: Reply<'f>) -> Result<Self, DecodeError> {
        let fields = pairs(reply, "a map")?
            .map(|pair| {
                let (name, value) = pair?;
                match name.bytes() {
                    Some(text) => Ok((text, Some(value))),
                    None => Err(DecodeError::expected("a field name", name)),
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self::new(fields))
    }

    /// The value of a field that every server sends.
    ///
    /// # Errors
    ///
    /// Where it is absent or does not decode.
    pub fn required<T: Decode>(&mut self, name: &'static str) -> Result<T, DecodeError> {
        match self.take(name) {
            Some(value) => T::decode(value).map_err(|error| error.in_field(name)),
            None => Err(DecodeError::missing(name)),
        }
    }

    /// The value of a field that some servers leave out or send as nil.
    ///
    /// # Errors
    ///
    /// Where it does not decode.
    pub fn optional<T: Decode>(&mut self, name: &'static str) -> Result<Option<T>, DecodeError> {
        match self.take(name) {
            Some(value) => Option::decode(value).map_err(|error| error.in_field(name)),
            None => Ok(None),
        }
    }

    /// The fields whose names begin with `prefix` and go on with a `K`, such as `db.0`.
    ///
    /// # Errors
    ///
    /// Where a value does not decode.
    pub fn each<K: FromText + Eq + Hash, V: Decode>(
        &mut self,
        prefix: &'static str,
    ) -> Result<HashMap<K, V>, DecodeError> {
        let mut found = HashMap::new();
        for (name, value) in self.beginning_with(prefix) {
            if let (Ok(key), Some(taken)) = (K::from_text(name), *value) {
                let decoded = V::decode(taken).map_err(|error| error.in_field(prefix))?;
                found.insert(key, decoded);
                *value = None;
            }
        }
        Ok(found)
    }

    /// The fields that nobody took, by name.
    ///
    /// # Errors
    ///
    /// Where one does not decode.
    pub fn rest(self) -> Result<Vec<(String, Value)>, DecodeError> {
        self.left()
            .map(|(name, value)| {
                let name = String::from_utf8_lossy(name).into_owned();
                Ok((name, Value::decode(value)?))
            })
            .collect()
    }
}

impl<'f, V> Fields<'f, V> {
    pub(super) fn new(fields: Vec<(&'f [u8], Option<V>)>) -> Self {
        Self { fields, next: 0 }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<V> {
        let count = self.fields.len();
        for step in 0..count {
            let at = (self.next + step) % count;
            let (known, value) = self.fields.get_mut(at)?;
            if value.is_some() && *known == name.as_bytes() {
                self.next = at + 1;
                return value.take();
            }
        }
        None
    }

    /// What follows `prefix` in the names that begin with it, and the values.
    pub(super) fn beginning_with(
        &mut self,
        prefix: &'static str,
    ) -> impl Iterator<Item = (&'f [u8], &mut Option<V>)> {
        self.fields
            .iter_mut()
            .filter_map(|(name, value)| Some((name.strip_prefix(prefix.as_bytes())?, value)))
    }

    /// What nobody took.
    pub(super) fn left(self) -> impl Iterator<Item = (&'f [u8], V)> {
        self.fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
    }
}

impl<V> fmt::Debug for Fields<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields")
            .field("count", &self.fields.len())
            .finish()
    }
}

/// The elements of an array, taken out in order.
#[derive(Debug)]
pub struct Parts<'f> {
    elements: Elements<'f>,
}

impl<'f> Parts<'f> {
    /// The elements of a reply that is an array.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub fn of(reply: Reply<'f>) -> Result<Self, DecodeError> {
        let elements = reply
            .elements()
            .ok_or_else(|| DecodeError::expected("an array", reply))?;
        Ok(Self { elements })
    }

    /// The next element, which every server sends.
    ///
    /// # Errors
    ///
    /// Where there is none or it does not decode.
    pub fn required<T: Decode>(&mut self, name: &'static str) -> Result<T, DecodeError> {
        match self.elements.next() {
            Some(value) => T::decode(value).map_err(|error| error.in_field(name)),
            None => Err(DecodeError::missing(name)),
        }
    }

    /// The next element, which some servers leave out or send as nil.
    ///
    /// # Errors
    ///
    /// Where it does not decode.
    pub fn optional<T: Decode>(&mut self, name: &'static str) -> Result<Option<T>, DecodeError> {
        match self.elements.next() {
            Some(value) => Option::decode(value).map_err(|error| error.in_field(name)),
            None => Ok(None),
        }
    }

    /// All elements that are left.
    ///
    /// # Errors
    ///
    /// Where one does not decode.
    pub fn rest<T: Decode>(self) -> Result<Vec<T>, DecodeError> {
        self.elements.map(T::decode).collect()
    }
}
