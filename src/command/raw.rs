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
    info: &'static Info,
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
    let command = Raw {
        words: Vec::new(),
        info: Info::UNKNOWN,
    };
    command.with(Word::Other(name.into()))
}

impl<'a> Raw<'a> {
    /// Adds an argument.
    pub fn arg(self, arg: impl Into<Arg<'a>>) -> Self {
        self.with(Word::Other(arg.into()))
    }

    /// Adds a key, which decides the node in a cluster.
    pub fn key(self, key: impl Into<Arg<'a>>) -> Self {
        self.with(Word::Key(key.into()))
    }

    /// Adds several arguments.
    pub fn args<T: Into<Arg<'a>>>(self, args: impl IntoIterator<Item = T>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    fn with(mut self, word: Word<'a>) -> Self {
        self.words.push(word);
        // The first word is a name, and the second may be a subcommand's.
        if self.words.len() <= 2 {
            self.info = self.known().unwrap_or(Info::UNKNOWN);
        }
        self
    }

    /// The facts that the spec has of the words so far.
    fn known(&self) -> Option<&'static Info> {
        let name = self.text(0)?;
        self.text(1)
            .and_then(|subcommand| Info::of(&format!("{name} {subcommand}")))
            .or_else(|| Info::of(name))
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
        self.info
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
