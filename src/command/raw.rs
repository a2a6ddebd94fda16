//! Commands that the spec does not know, or that a caller prefers to write word by word.

use std::{array, borrow::Cow, fmt};

use super::{Arg, Command, Detached, Info, Patience, WordPlace, keys::Run};
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
        let named = |name: &str| Info::of(name).or_else(|| Info::internal(name));
        self.text(1)
            .and_then(|subcommand| named(&format!("{name} {subcommand}")))
            .or_else(|| named(name))
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

    /// The first word, unless it cannot be the name of a command: then it may be anything.
    fn name(&self) -> Cow<'_, str> {
        let goes_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_name = |name: &&str| name.len() <= LONGEST_NAME && name.chars().all(goes_on);
        match self.text(0).filter(is_name) {
            Some(name) if self.info.encoded.is_empty() => name.into(),
            _ => self.info.name.into(),
        }
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

    /// What the words say, as far as the spec knows where the longest wait stands among them.
    fn patience(&self) -> Patience {
        let Some(blocking) = self.info.blocking else {
            return Patience::None;
        };
        match blocking.place.find(&self.words) {
            Some(wait) => Patience::until(wait.time(blocking.unit)),
            None if blocking.only_if_given && blocking.place != WordPlace::Unknown => {
                Patience::None
            }
            None => Patience::Forever,
        }
    }
}

/// The most bytes that the name of a command has, by far.
const LONGEST_NAME: usize = 40;

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

    #[test]
    fn the_words_say_how_long_a_command_waits() {
        use std::time::Duration;

        let up = |millis| Patience::Up(Duration::from_millis(millis));
        let patience = |words: &[&str]| {
            let (name, rest) = words.split_first().unwrap();
            raw(*name).args(rest.iter().copied()).patience()
        };
        assert_eq!(patience(&["GET", "k"]), Patience::None);
        assert_eq!(patience(&["blpop", "k", "1"]), up(1_000));
        assert_eq!(patience(&["BLPOP", "9", "7", "0.25"]), up(250));
        assert_eq!(patience(&["BLPOP", "k", "0"]), Patience::Forever);
        // A server refuses these, and what it would wait for is not known.
        assert_eq!(patience(&["BLPOP", "k", "x"]), Patience::Forever);
        assert_eq!(patience(&["BLPOP", "k", "-1"]), Patience::Forever);
        assert_eq!(patience(&["BLPOP"]), Patience::Forever);
        assert_eq!(patience(&["BLMPOP", "2", "1", "9", "LEFT"]), up(2_000));
        let how = ["BLMOVE", "3", "4", "LEFT", "RIGHT", "5"];
        assert_eq!(patience(&how), up(5_000));
        let many = [
            "BLMOVEM", "3", "4", "LEFT", "RIGHT", "5", "COUNT", "9", "OBO",
        ];
        assert_eq!(patience(&many), up(5_000));
        assert_eq!(patience(&["WAIT", "2", "70"]), up(70));
        assert_eq!(patience(&["WAITAOF", "1", "2", "70"]), up(70));
        assert_eq!(
            patience(&[
                "XREAD", "COUNT", "2", "block", "70", "STREAMS", "BLOCK", "1"
            ]),
            up(70)
        );
        assert_eq!(
            patience(&["XREAD", "BLOCK", "0", "STREAMS", "s", "1"]),
            Patience::Forever
        );
        let key = ["XREAD", "STREAMS", "BLOCK", "1"];
        assert_eq!(patience(&key), Patience::None);
        let group = ["XREADGROUP", "GROUP", "BLOCK", "9", "STREAMS", "s", ">"];
        assert_eq!(patience(&group), Patience::None);
        let claim = [
            "XREADGROUP",
            "GROUP",
            "g",
            "c",
            "CLAIM",
            "8",
            "NOACK",
            "BLOCK",
            "9",
            "STREAMS",
            "s",
            ">",
        ];
        assert_eq!(patience(&claim), up(9));
        assert_eq!(patience(&["TS.READ", "k", "-", "BLOCK", "30", "2"]), up(30));
        assert_eq!(
            patience(&["TS.READ", "k", "-", "MAX_COUNT", "2"]),
            Patience::None
        );
        assert_eq!(
            raw("BLPOP").arg("k").arg(1.5).patience(),
            Patience::Up(Duration::from_millis(1_500))
        );
    }

    #[test]
    fn what_is_for_servers_among_themselves_is_no_unknown_command() {
        use crate::command::Replies;

        assert_eq!(
            raw("replconf").arg("ACK").arg(0).info().replies,
            Replies::None
        );
        let debug = raw("_ft.debug").arg("dump_invidx");
        assert!(debug.info().needs_dedicated_connection());
        assert_eq!(debug.info().replies, Replies::One);
        assert!(raw("PFDEBUG").info().needs_dedicated_connection());
        assert!(!raw("FUTURE.CMD").info().needs_dedicated_connection());
    }
}
