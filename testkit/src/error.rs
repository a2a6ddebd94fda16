//! What went wrong, in words a person can act on.

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A server could not be found, installed, started or talked to.
///
/// The message says what was missing and how to get it; it can have several lines. `Debug` prints
/// the same text, so that `unwrap` in a test shows it readably.
pub struct Error {
    message: String,
    unavailable: bool,
    source: Option<io::Error>,
}

impl Error {
    /// The server is not on this machine and could not be installed.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            unavailable: true,
            source: None,
        }
    }

    /// The server is there, but did not do what was asked.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            unavailable: false,
            source: None,
        }
    }

    pub(crate) fn io(message: impl Into<String>, source: io::Error) -> Self {
        Self {
            message: message.into(),
            unavailable: false,
            source: Some(source),
        }
    }

    /// Whether the server program is missing here, as opposed to misbehaving.
    pub fn is_unavailable(&self) -> bool {
        self.unavailable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
