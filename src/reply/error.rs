//! Why a reply does not fit a type.

use std::{borrow::Cow, error, fmt};

use crate::{
    error::{Error, ErrorKind, Printable, without_secrets},
    resp::{Kind, Reply},
};

/// A reply, or a part of it, is not of a form that a type accepts.
///
/// It tells what was expected, what was found and where, and never the value itself.
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    expected: Cow<'static, str>,
    found: Cow<'static, str>,
    /// From the inside out.
    path: Vec<Step>,
    /// The text of an error reply that stood where a value was expected.
    server: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
enum Step {
    Element(usize),
    Field(String),
}

impl DecodeError {
    /// An error that says what a type takes and what kind of reply arrived.
    #[must_use]
    pub fn expected(expected: impl Into<Cow<'static, str>>, found: Reply<'_>) -> Self {
        let mut error = Self::new(expected, noun(found.kind()));
        if let Some(text) = found.as_error() {
            error.0.server = Some(String::from_utf8_lossy(text).into_owned());
        }
        error
    }

    /// An error that says in words what was expected and what was found.
    #[must_use]
    pub fn new(
        expected: impl Into<Cow<'static, str>>,
        found: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            expected: expected.into(),
            found: found.into(),
            path: Vec::new(),
            server: None,
        }))
    }

    /// A field that every server sends is absent.
    #[must_use]
    pub fn missing(field: &str) -> Self {
        Self::new(format!("a field `{field}`"), "none")
    }

    /// The same error inside an element, counted from 0.
    #[must_use]
    pub fn in_element(mut self, index: usize) -> Self {
        self.0.path.push(Step::Element(index));
        self
    }

    /// The same error inside a field.
    #[must_use]
    pub fn in_field(mut self, name: impl Into<String>) -> Self {
        self.0.path.push(Step::Field(name.into()));
        self
    }
}

/// A kind of reply with its article.
fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::SimpleString => "a simple string",
        Kind::Error | Kind::BulkError => "an error",
        Kind::Integer => "an integer",
        Kind::BulkString => "a bulk string",
        Kind::Array => "an array",
        Kind::Null => "nil",
        Kind::Boolean => "a boolean",
        Kind::Double => "a double",
        Kind::BigNumber => "a big number",
        Kind::Verbatim => "a verbatim string",
        Kind::Map => "a map",
        Kind::Set => "a set",
        Kind::Push => "a push",
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.0.expected, self.0.found)?;
        if let Some(text) = &self.0.server {
            write!(f, " ({})", Printable(without_secrets(text), LONGEST_TEXT))?;
        }
        for (at, step) in self.0.path.iter().rev().enumerate() {
            f.write_str(if at == 0 { " at " } else { ", " })?;
            match step {
                Step::Element(index) => write!(f, "element {index}")?,
                Step::Field(name) => write!(f, "field `{name}`")?,
            }
        }
        Ok(())
    }
}

/// The most characters of an error reply that are printed.
const LONGEST_TEXT: usize = 200;

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeError({self})")
    }
}

impl error::Error for DecodeError {}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::new(ErrorKind::Decode, error.to_string())
    }
}
