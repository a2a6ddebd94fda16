//! Reading what JSON describes, by hand: which fields an object may have, what they hold, and what is
//! wrong with one that is there. A derive would make every build wait for the crates behind it.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value};

use crate::error::Error;

/// What can be read from a JSON value.
pub trait Read: Sized {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// Says where in the value something was expected, and what was found.
    fn read(value: &Value) -> Result<Self, String>;
}

/// An enum of words.
pub trait Word: Copy + PartialEq + 'static {
    /// Each variant as it is written.
    const WORDS: &'static [(&'static str, Self)];

    /// How a variant is written.
    fn word(self) -> &'static str {
        let mut words = Self::WORDS.iter();
        words
            .find(|(_, variant)| *variant == self)
            .map_or("", |(word, _)| word)
    }
}

impl<T: Word> Read for T {
    fn read(value: &Value) -> Result<Self, String> {
        let text = text(value)?;
        match T::WORDS.iter().find(|(word, _)| *word == text) {
            Some((_, variant)) => Ok(*variant),
            None => {
                let words: Vec<_> = T::WORDS.iter().map(|(word, _)| *word).collect();
                Err(format!(
                    "expected one of `{}`, found `{text}`",
                    words.join("`, `")
                ))
            }
        }
    }
}

/// An object, whose fields are read one after the other.
#[derive(Debug)]
pub struct Fields<'v> {
    map: &'v Map<String, Value>,
    read: Vec<&'static str>,
}

impl<'v> Fields<'v> {
    /// The fields of an object.
    ///
    /// # Errors
    ///
    /// Where the value is none.
    pub fn of(value: &'v Value) -> Result<Self, String> {
        match value {
            Value::Object(map) => Ok(Self {
                map,
                read: Vec::new(),
            }),
            other => Err(format!("expected an object, found {}", kind(other))),
        }
    }

    /// A field that may be absent, or null.
    ///
    /// # Errors
    ///
    /// Where it is there and cannot be read; the error names it.
    pub fn optional<T: Read>(&mut self, name: &'static str) -> Result<Option<T>, String> {
        self.read.push(name);
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::read(value)
                .map(Some)
                .map_err(|reason| format!("{name}: {reason}")),
        }
    }

    /// A field whose absence means the same as its default.
    ///
    /// # Errors
    ///
    /// Where it is there and cannot be read; the error names it.
    pub fn or_default<T: Read + Default>(&mut self, name: &'static str) -> Result<T, String> {
        Ok(self.optional(name)?.unwrap_or_default())
    }

    /// A field that must be there.
    ///
    /// # Errors
    ///
    /// Where it is absent or cannot be read; the error names it.
    pub fn required<T: Read>(&mut self, name: &'static str) -> Result<T, String> {
        self.optional(name)?
            .ok_or_else(|| format!("missing field `{name}`"))
    }

    /// The fields that have not been read.
    pub fn rest(&self) -> impl Iterator<Item = (&'v str, &'v Value)> {
        let (map, read) = (self.map, &self.read);
        map.iter()
            .map(|(name, value)| (name.as_str(), value))
            .filter(|(name, _)| !read.contains(name))
    }

    /// Refuses what has not been read: no field is passed over in silence.
    ///
    /// # Errors
    ///
    /// Where there is such a field; the error has those that are known.
    pub fn end(self) -> Result<(), String> {
        match self.rest().next() {
            None => Ok(()),
            Some((name, _)) => Err(format!(
                "unknown field `{name}`, expected one of `{}`",
                self.read.join("`, `")
            )),
        }
    }
}

impl Read for String {
    fn read(value: &Value) -> Result<Self, String> {
        text(value).map(str::to_owned)
    }
}

impl Read for bool {
    fn read(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| expected("a boolean", value))
    }
}

impl Read for i64 {
    fn read(value: &Value) -> Result<Self, String> {
        value
            .as_i64()
            .ok_or_else(|| expected("a whole number", value))
    }
}

impl Read for u8 {
    fn read(value: &Value) -> Result<Self, String> {
        let number = i64::read(value)?;
        number
            .try_into()
            .map_err(|_| format!("expected a number from 0 to 255, found {number}"))
    }
}

impl Read for usize {
    fn read(value: &Value) -> Result<Self, String> {
        let number = i64::read(value)?;
        number
            .try_into()
            .map_err(|_| format!("expected a number that is not negative, found {number}"))
    }
}

impl Read for char {
    fn read(value: &Value) -> Result<Self, String> {
        let text = text(value)?;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(format!("expected one character, found {text:?}")),
        }
    }
}

impl Read for Value {
    fn read(value: &Value) -> Result<Self, String> {
        Ok(value.clone())
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Value) -> Result<Self, String> {
        let list = value.as_array().ok_or_else(|| expected("a list", value))?;
        let element =
            |(index, value)| T::read(value).map_err(|reason| format!("element {index}: {reason}"));
        list.iter().enumerate().map(element).collect()
    }
}

impl<T: Read> Read for BTreeMap<String, T> {
    fn read(value: &Value) -> Result<Self, String> {
        let fields = Fields::of(value)?;
        let field = |(name, value): (&str, &Value)| match T::read(value) {
            Ok(value) => Ok((name.to_owned(), value)),
            Err(reason) => Err(format!("{name}: {reason}")),
        };
        fields.rest().map(field).collect()
    }
}

impl Read for (String, String) {
    fn read(value: &Value) -> Result<Self, String> {
        match value.as_array().map(Vec::as_slice) {
            Some([one, other]) => Ok((String::read(one)?, String::read(other)?)),
            _ => Err(expected("a pair of texts", value)),
        }
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| expected("a text", value))
}

fn expected(what: &str, found: &Value) -> String {
    format!("expected {what}, found {}", kind(found))
}

/// What a value is, for errors.
#[must_use]
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Reads a whole file.
///
/// # Errors
///
/// Where it is no JSON, or not what is described; the error names the file, and the line or the place.
pub fn parse<T: Read>(file: &Path, text: &str) -> Result<T, Error> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Error::new(file, error.to_string()).at_line(error.line().max(1)))?;
    T::read(&value).map_err(|reason| Error::new(file, reason))
}
