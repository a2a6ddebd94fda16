//! What can be wrong with a spec: where, in which command, and why.

use std::fmt;
use std::path::{Path, PathBuf};

/// A spec could not be read, corrected or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    file: PathBuf,
    line: Option<usize>,
    command: Option<String>,
    reason: String,
}

impl Error {
    /// An error in a file, or at a server address, with its reason.
    pub fn new(file: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self {
            file: file.as_ref().to_path_buf(),
            line: None,
            command: None,
            reason: reason.into(),
        }
    }

    /// The same error with the line it was found on, counted from one.
    #[must_use]
    pub fn at_line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// The same error with the command it concerns.
    #[must_use]
    pub fn in_command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    /// The file, directory or server address.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, where one is known.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// The command, where the error concerns one.
    pub fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }

    /// What was expected and what was found.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(command) = &self.command {
            write!(f, ": {command}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for Error {}
