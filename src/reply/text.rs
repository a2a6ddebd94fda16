//! Values that arrive inside a text: `name=value` in a line, or `name:value` on lines of their own.

use std::{collections::HashMap, hash::Hash};

use bytes::Bytes;

use super::{DecodeError, Fields};
use crate::resp::Reply;

/// A type that a part of a text can be read into.
///
/// An empty text is an empty string, and no number.
pub trait FromText: Sized {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// Where the text is no such value.
    fn from_text(text: &[u8]) -> Result<Self, DecodeError>;
}

impl<'f> Fields<'f, &'f [u8]> {
    /// The fields of a line, such as `id=3 name= flags=N`, with `between` between them.
    ///
    /// What has no `=` goes on with the value before it, because a path may have spaces in it.
    #[must_use]
    pub fn in_line(line: &'f [u8], between: u8) -> Self {
        let mut fields: Vec<(&[u8], Option<&[u8]>)> = Vec::new();
        let mut begin = 0;
        for (at, part) in parts(line, between) {
            let end = at + part.len();
            let last = fields.last_mut();
            match (part.iter().position(|byte| *byte == b'='), last) {
                (Some(sign), _) => {
                    let (name, value) = part.split_at(sign);
                    begin = at + sign + 1;
                    fields.push((name, value.get(1..)));
                }
                (None, Some((_, value))) => *value = line.get(begin..end),
                (None, None) => {}
            }
        }
        Self::new(fields)
    }

    /// The fields of a text of lines such as `name:value`, or of parts with `between` between them;
    /// lines that begin with `#` are titles.
    #[must_use]
    pub fn in_lines(text: &'f [u8], between: u8) -> Self {
        let fields = parts(text, between)
            .map(|(_, line)| line.trim_ascii_end())
            .filter(|line| !line.starts_with(b"#"));
        Self::new(fields.filter_map(name_and_value).collect())
    }

    /// The value of a field that every server sends.
    ///
    /// # Errors
    ///
    /// Where it is absent or no such value.
    pub fn required<T: FromText>(&mut self, name: &'static str) -> Result<T, DecodeError> {
        match self.optional(name)? {
            Some(value) => Ok(value),
            None => Err(DecodeError::missing(name)),
        }
    }

    /// The value of a field that some servers leave out.
    ///
    /// # Errors
    ///
    /// Where it is no such value.
    pub fn optional<T: FromText>(&mut self, name: &'static str) -> Result<Option<T>, DecodeError> {
        self.take(name)
            .map(|value| T::from_text(value).map_err(|error| error.in_field(name)))
            .transpose()
    }

    /// The fields whose names begin with `prefix` and are no known ones, by what follows it.
    ///
    /// # Errors
    ///
    /// Where a value is none of the type.
    pub fn each<K: FromText + Eq + Hash, V: FromText>(
        &mut self,
        prefix: &'static str,
    ) -> Result<HashMap<K, V>, DecodeError> {
        let mut found = HashMap::new();
        for (name, value) in self.beginning_with(prefix) {
            if let (Ok(key), Some(taken)) = (K::from_text(name), *value) {
                let decoded = V::from_text(taken).map_err(|error| error.in_field(prefix))?;
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
    /// None; it is a `Result` like that of the fields of a map.
    pub fn rest(self) -> Result<Vec<(String, Bytes)>, DecodeError> {
        let rest = self.left();
        Ok(rest
            .map(|(name, value)| {
                let name = String::from_utf8_lossy(name).into_owned();
                (name, Bytes::copy_from_slice(value))
            })
            .collect())
    }
}

/// The parts of a text between single bytes, with where they begin, but for empty ones.
fn parts(text: &[u8], between: u8) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    text.split(move |byte| *byte == between)
        .map(move |part| {
            let begin = at;
            at += part.len() + 1;
            (begin, part)
        })
        .filter(|(_, part)| !part.is_empty())
}

/// The lines of a text, but for empty ones.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end)
        .filter(|line| !line.is_empty())
}

/// The first line of a text that is not empty, which is taken off it.
pub(super) fn line<'t>(text: &mut &'t [u8]) -> Option<&'t [u8]> {
    while !text.is_empty() {
        let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
        let (line, rest) = text.split_at_checked(end)?;
        *text = rest.get(1..).unwrap_or_default();
        let line = line.trim_ascii_end();
        if !line.is_empty() {
            return Some(line);
        }
    }
    None
}

/// What stands before the first colon of a line, and what stands behind it.
fn name_and_value(line: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((line.get(..colon)?, line.get(colon + 1..)))
}

/// Reads a reply that is a text.
///
/// # Errors
///
/// Where it is none, or no such value.
pub fn read_text<T: FromText>(reply: Reply<'_>) -> Result<T, DecodeError> {
    match reply.bytes() {
        Some(text) => T::from_text(text),
        None => Err(DecodeError::expected("a text", reply)),
    }
}

/// Reads a reply that is a single line, which may end with a line break.
///
/// # Errors
///
/// Where it is no text or has more lines, or the line is no such value.
pub fn read_line<T: FromText>(reply: Reply<'_>) -> Result<T, DecodeError> {
    let text = reply
        .bytes()
        .ok_or_else(|| DecodeError::expected("a text", reply))?;
    let mut lines = lines(text);
    match (lines.next(), lines.next()) {
        (line, None) => T::from_text(line.unwrap_or_default()),
        (_, Some(_)) => Err(DecodeError::new("a text of one line", "one of several")),
    }
}

/// Reads a reply that is a text of lines, or a list of texts.
///
/// # Errors
///
/// Where it is neither, or a line is no such value.
pub fn read_lines<T: FromText>(reply: Reply<'_>) -> Result<Vec<T>, DecodeError> {
    let at = |index, result: Result<T, DecodeError>| {
        result.map_err(|error: DecodeError| error.in_element(index))
    };
    match (reply.bytes(), reply.elements()) {
        (Some(text), _) => lines(text)
            .enumerate()
            .map(|(index, line)| at(index, T::from_text(line)))
            .collect(),
        (_, Some(elements)) => elements
            .enumerate()
            .map(|(index, element)| at(index, read_line(element)))
            .collect(),
        _ => Err(DecodeError::expected("a text of lines or an array", reply)),
    }
}

macro_rules! numbers {
    ($($type:ty: $expected:literal;)+) => {$(
        impl FromText for $type {
            fn from_text(text: &[u8]) -> Result<Self, DecodeError> {
                std::str::from_utf8(text)
                    .ok()
                    // `parse` would take a `+`, which no server sends.
                    .filter(|text| !text.starts_with('+'))
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| DecodeError::new($expected, "another text"))
            }
        }
    )+};
}

numbers! {
    u64: "a whole number that is not negative";
    i64: "a whole number";
    f64: "a number";
}

impl FromText for bool {
    fn from_text(text: &[u8]) -> Result<Self, DecodeError> {
        match text {
            b"0" => Ok(false),
            b"1" => Ok(true),
            _ => Err(DecodeError::new("0 or 1", "another text")),
        }
    }
}

/// What is not UTF-8 is replaced by `U+FFFD`: one odd byte must not fail a whole report.
impl FromText for String {
    fn from_text(text: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self::from_utf8_lossy(text).into_owned())
    }
}

impl FromText for Bytes {
    fn from_text(text: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self::copy_from_slice(text))
    }
}
