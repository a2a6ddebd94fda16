//! Commands that the spec does not know, or that a caller prefers to write word by word.

use std::{array, fmt};

use super::{Arg, Command, Detached, Info, Patience, keys::Run};
use crate::{
    error::Error,
    reply::{Decode, DecodeError, Value},
    resp::{Reply, Writer},
};

/// A command of words that the caller chooses; made by [`raw`].
///
/// Where the spec knows the name, its facts hold as for a typed command: what would disturb other
/// callers is refused on a shared connection, what may block runs on a connection of its own, and
/// in a cluster its keys decide about the node.
#[derive(Clone)]
#[must_use = "a command does nothing until it is sent or put into a pipeline"]
pub struct Raw<'a> {
    words: Vec<Arg<'a>>,
    /// Which words the caller says are keys, in ascending order.
    keys: Vec<usize>,
    info: &'static Info,
}

/// A command of words that the caller chooses, its name first.
///
/// A subcommand is a word of its own: `raw("CONFIG").arg("GET").arg("maxmemory")`.
pub fn raw<'a>(name: impl Into<Arg<'a>>) -> Raw<'a> {
    let command = Raw {
        words: Vec::new(),
        keys: Vec::new(),
        info: Info::UNKNOWN,
    };
    command.arg(name)
}

impl<'a> Raw<'a> {
    /// Adds an argument.
    ///
    /// Where the spec knows the command, it also knows whether this is a key.
    pub fn arg(mut self, arg: impl Into<Arg<'a>>) -> Self {
        self.words.push(arg.into());
        // The first word is a name, and the second may be a subcommand's.
        if self.words.len() <= 2 {
            self.info = self.known().unwrap_or(Info::UNKNOWN);
        }
        self
    }

    /// Adds a key, which decides the node in a cluster.
    ///
    /// Needed for commands that the spec does not know; of others it finds the keys itself.
    pub fn key(mut self, key: impl Into<Arg<'a>>) -> Self {
        self.keys.push(self.words.len());
        self.arg(key)
    }

    /// Adds several arguments.
    pub fn args<T: Into<Arg<'a>>>(self, args: impl IntoIterator<Item = T>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// The facts that the spec has of the words so far.
    fn known(&self) -> Option<&'static Info> {
        let name = self.text(0)?;
        self.text(1)
            .and_then(|subcommand| Info::of(&format!("{name} {subcommand}")))
            .or_else(|| Info::of(name))
    }

    fn text(&self, at: usize) -> Option<&str> {
        std::str::from_utf8(self.words.get(at)?.as_bytes()?).ok()
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
        let mut found = self.info.key_runs(&self.words);
        // No command of the spec has more specs, and an empty vector takes no memory.
        let few: [Option<Run>; 3] = array::from_fn(|_| found.next());
        let more: Vec<Run> = found.collect();
        for (at, word) in self.words.iter().enumerate() {
            let mut runs = few.iter().flatten().chain(&more);
            if self.keys.binary_search(&at).is_ok() || runs.any(|run| run.contains(at)) {
                word.write_key(to);
            } else {
                word.write(to);
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
        let given = self.words.iter().any(|word| word.is_keyword("BLOCK"));
        if blocking.only_if_given && !given {
            return Patience::None;
        }
        Patience::Forever
    }
}

/// A command without arguments, of which the facts are at hand.
///
/// With [`Raw`], the facts of all commands would be in every program that has a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bare(pub(crate) &'static Info);

impl Command for Bare {
    type Via = Detached;
    type Reply = Value;

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        self.0
    }

    fn write(&self, to: &mut Writer<'_>) {
        self.0.write_name(to);
    }

    fn read(&self, reply: Reply<'_>) -> Result<Value, DecodeError> {
        Value::decode(reply)
    }
}

impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::debug(self, f)
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn keys(command: &Raw<'_>) -> Vec<String> {
        let mut out = BytesMut::new();
        let mut ranges = Vec::new();
        Writer::command_with_keys(&mut out, &mut ranges, |to| command.write(to)).unwrap();
        ranges
            .into_iter()
            .map(|range| String::from_utf8_lossy(&out[range]).into_owned())
            .collect()
    }

    #[test]
    fn keys_are_those_of_the_spec_and_those_that_the_caller_names() {
        assert_eq!(keys(&raw("get").arg("k")), ["k"]);
        assert_eq!(keys(&raw("GET").key("k")), ["k"]);
        assert_eq!(keys(&raw("object").arg("encoding").arg("k")), ["k"]);
        assert_eq!(keys(&raw("PING").arg("k")), [""; 0]);
        assert_eq!(keys(&raw("FUTURE.CMD").arg("a").key("k")), ["k"]);
        assert_eq!(keys(&raw("FT.SEARCH").key("idx").arg("*")), ["idx"]);
        assert_eq!(keys(&raw("SPUBLISH").arg("channel").arg("m")), ["channel"]);
    }

    #[test]
    fn a_count_may_be_a_number() {
        let union = || raw("ZUNIONSTORE").arg("to").arg(2).arg("a").arg("b");
        assert_eq!(keys(&union()), ["to", "a", "b"]);
        assert_eq!(
            keys(&union().arg("WEIGHTS").arg(1).arg(2)),
            ["to", "a", "b"]
        );
    }
}
