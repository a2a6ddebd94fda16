//! Commands that the spec does not know, or that a caller prefers to write word by word.

use std::fmt;

use super::{Arg, Command, Detached, Info, Patience};
use crate::{
    error::Error,
    reply::{Decode, DecodeError, Value},
    resp::{Reply, Writer},
};

/// A command of words that the caller chooses; made by [`raw`].
///
/// Where the spec knows the name, its facts hold as for a typed command: what would disturb other
/// callers is refused on a shared connection, and what may block runs on a connection of its own.
#[derive(Clone)]
#[must_use = "a command does nothing until it is sent or put into a pipeline"]
pub struct Raw<'a> {
    words: Vec<Word<'a>>,
}

#[derive(Clone)]
enum Word<'a> {
    Key(Arg<'a>),
    Other(Arg<'a>),
}

/// A command of words that the caller chooses, its name first.
///
/// A subcommand is a word of its own: `raw("CONFIG").arg("GET").arg("maxmemory")`.
pub fn raw<'a>(name: impl Into<Arg<'a>>) -> Raw<'a> {
    Raw {
        words: vec![Word::Other(name.into())],
    }
}

impl<'a> Raw<'a> {
    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<Arg<'a>>) -> Self {
        self.words.push(Word::Other(arg.into()));
        self
    }

    /// Adds a key, which decides the node in a cluster.
    pub fn key(mut self, key: impl Into<Arg<'a>>) -> Self {
        self.words.push(Word::Key(key.into()));
        self
    }

    /// Adds several arguments.
    pub fn args<T: Into<Arg<'a>>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.words
            .extend(args.into_iter().map(|arg| Word::Other(arg.into())));
        self
    }

    fn text(&self, at: usize) -> Option<&str> {
        let (Word::Key(arg) | Word::Other(arg)) = self.words.get(at)?;
        std::str::from_utf8(arg.as_bytes()?).ok()
    }
}

impl Command for Raw<'_> {
    type Via = Detached;
    type Reply = Value;

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        let Some(name) = self.text(0) else {
            return Info::UNKNOWN;
        };
        self.text(1)
            .and_then(|subcommand| Info::of(&format!("{name} {subcommand}")))
            .or_else(|| Info::of(name))
            .unwrap_or(Info::UNKNOWN)
    }

    fn write(&self, to: &mut Writer<'_>) {
        if self.text(0).is_some_and(|name| name.contains(' ')) {
            to.fail(Error::argument(
                "expected a name of one word, got one with a space: a subcommand is an argument",
            ));
        }
        for word in &self.words {
            match word {
                Word::Key(key) => key.write_key(to),
                Word::Other(arg) => arg.write(to),
            }
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<Value, DecodeError> {
        Value::decode(reply)
    }

    /// For ever where the command may block, since its time-out is not known by type.
    fn patience(&self) -> Patience {
        let Some(blocking) = self.info().blocking else {
            return Patience::None;
        };
        let given = |word: &Word<'_>| {
            let (Word::Key(arg) | Word::Other(arg)) = word;
            arg.as_bytes()
                .is_some_and(|bytes| bytes.eq_ignore_ascii_case(b"BLOCK"))
        };
        if blocking.only_if_given && !self.words.iter().any(given) {
            return Patience::None;
        }
        Patience::Forever
    }
}

impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::debug(self, f)
    }
}
