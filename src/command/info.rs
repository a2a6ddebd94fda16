//! What is known about a command apart from its arguments: facts of the spec, as constants.

use std::{fmt, ops::BitOr};

use crate::{commands, error::UNKNOWN, resp::Writer};

/// The facts of one command, compiled in from the spec.
#[derive(Debug)]
pub struct Info {
    /// The full name in upper case, such as `XGROUP CREATE`.
    pub name: &'static str,
    /// The words of the name as bulk strings, ready to be copied to the wire.
    pub encoded: &'static [u8],
    /// How many words the name has.
    pub words: usize,
    /// The group, which is also the cargo feature: `string`, `sorted-set`, `json` …
    pub group: &'static str,
    /// The module that brings the command, as it calls itself.
    pub module: Option<&'static str>,
    /// The only server family that has the command.
    pub provider: Option<Provider>,
    /// First version of the server, or of the module, that has the command.
    pub since: Option<&'static str>,
    /// Since when it is deprecated, and what to use instead.
    pub deprecated: Option<Deprecated>,
    /// Count of words including the name; negative for "at least".
    pub arity: i64,
    /// The spec's flags.
    pub flags: Flags,
    /// Access control categories with their `@`.
    pub acl_categories: &'static [&'static str],
    /// Where the keys stand, for commands whose arguments are not known by type.
    pub keys: &'static [KeySpec],
    /// Which nodes of a cluster should run it, where the keys do not tell.
    pub request_policy: Option<RequestPolicy>,
    /// How the answers of several nodes become one.
    pub response_policy: Option<ResponsePolicy>,
    /// Which nodes of a cluster run it: what keys and policies say, and corrections of these.
    pub routing: Routing,
    /// Options with which a command of several nodes is about one, which the caller names.
    pub one_node_with: &'static [&'static str],
    /// Whether a replica may run it where the caller wants that.
    pub replicas: bool,
    /// How long the server may hold the reply back.
    pub blocking: Option<Blocking>,
    /// What it does to the connection that carries it.
    pub connection: Option<ConnectionUse>,
    /// Whether it may be sent again after its reply was lost.
    pub retry: Retry,
    /// Options with which a second run harms nobody, although it may without them.
    pub safe_with: Option<SafeWith>,
    /// How many frames answer it.
    pub replies: Replies,
    /// Whether what it answers may be kept until a key of it is invalidated.
    pub caching: Caching,
    /// Whether an empty reply says that there is no such key.
    pub empty_is_missing: bool,
    /// It has to overtake what others wait for, since it may be what ends their wait.
    pub urgent: bool,
    /// It runs code of users, which may answer with any error after any part of its work.
    pub runs_script: bool,
}

impl Info {
    /// What is assumed of a command that the spec does not know: nothing that would be a promise.
    pub const UNKNOWN: &'static Self = &Self {
        name: UNKNOWN,
        encoded: b"",
        words: 0,
        group: "",
        module: None,
        provider: None,
        since: None,
        deprecated: None,
        arity: -1,
        flags: Flags::NONE,
        acl_categories: &[],
        keys: &[],
        request_policy: None,
        response_policy: None,
        routing: Routing::Keys,
        one_node_with: &[],
        replicas: false,
        blocking: None,
        connection: None,
        retry: Retry::No,
        safe_with: None,
        replies: Replies::One,
        caching: Caching::Not("nothing is known about it"),
        empty_is_missing: false,
        urgent: false,
        runs_script: false,
    };

    /// What is assumed of a command that is for servers among themselves, or for their tests.
    const INTERNAL: &'static Self = &Self {
        name: "an internal command",
        connection: Some(ConnectionUse::Takeover),
        ..*Self::UNKNOWN
    };

    /// The same of one that is not always answered.
    const SILENT: &'static Self = &Self {
        replies: Replies::None,
        ..*Self::INTERNAL
    };

    /// The facts of the command with this name, such as `XGROUP CREATE`, whatever its case.
    ///
    /// Commands are found whether or not the cargo feature of their group is on.
    #[must_use]
    pub fn of(name: &str) -> Option<&'static Self> {
        Self::all()
            .binary_search_by(|info| {
                info.name
                    .bytes()
                    .cmp(name.bytes().map(|byte| byte.to_ascii_uppercase()))
            })
            .ok()
            .and_then(|at| Self::all().get(at).copied())
    }

    /// What is assumed of a command that servers have and the spec leaves out as internal.
    pub(super) fn internal(name: &str) -> Option<&'static Self> {
        let known = commands::info::INTERNAL;
        let at = known
            .binary_search_by(|(internal, _)| {
                let name = name.bytes().map(|byte| byte.to_ascii_uppercase());
                internal.bytes().cmp(name)
            })
            .ok()?;
        let (_, answered) = known.get(at)?;
        Some(if *answered {
            Self::INTERNAL
        } else {
            Self::SILENT
        })
    }

    /// The facts of every command of the spec, sorted by name.
    #[must_use]
    pub fn all() -> &'static [&'static Self] {
        commands::info::ALL
    }

    /// Writes the words of the name.
    pub fn write_name(&self, to: &mut Writer<'_>) {
        to.encoded(self.encoded, self.words);
    }

    /// Whether another caller's commands on the same connection would suffer.
    #[must_use]
    pub fn needs_dedicated_connection(&self) -> bool {
        self.connection.is_some()
    }
}

/// A server family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Redis and its modules.
    Redis,
    /// Valkey.
    Valkey,
}

/// Since when a command is deprecated, and what to use instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deprecated {
    /// The version.
    pub since: &'static str,
    /// The replacement, as text with command names in backticks.
    pub replaced_by: &'static str,
}

/// The flags of a command, a set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

macro_rules! flags {
    ($($bit:literal $constant:ident $name:literal $doc:literal;)+) => {
        impl Flags {
            /// No flag.
            pub const NONE: Self = Self(0);
            $(#[doc = $doc] pub const $constant: Self = Self(1 << $bit);)+

            /// The constants with the spec's names.
            const NAMES: &'static [(Self, &'static str)] = &[$((Self::$constant, $name)),+];
        }
    };
}

flags! {
    0 WRITE "write" "May change data.";
    1 READONLY "readonly" "Only reads data.";
    2 DENYOOM "denyoom" "Refused when the server is out of memory.";
    3 ADMIN "admin" "Administrative.";
    4 PUBSUB "pubsub" "About publish and subscribe.";
    5 NOSCRIPT "noscript" "Not allowed in scripts.";
    6 BLOCKING "blocking" "May hold its reply back.";
    7 LOADING "loading" "Allowed while the server loads its data.";
    8 STALE "stale" "Allowed on a replica with stale data.";
    9 SKIP_MONITOR "skip_monitor" "Not shown by MONITOR.";
    10 SKIP_SLOWLOG "skip_slowlog" "Not logged as slow.";
    11 ASKING "asking" "Allowed on a slot that is being imported.";
    12 FAST "fast" "Takes constant or logarithmic time.";
    13 NO_AUTH "no_auth" "Allowed before authentication.";
    14 NO_MANDATORY_KEYS "no_mandatory_keys" "Its keys are optional.";
    15 MOVABLEKEYS "movablekeys" "Its keys do not stand at fixed places.";
    16 ALLOW_BUSY "allow_busy" "Allowed while a script blocks the server.";
    17 NO_ASYNC_LOADING "no_async_loading" "Refused during asynchronous loading.";
    18 NO_MULTI "no_multi" "Not allowed in a transaction.";
    19 MODULE "module" "Brought by a module.";
    20 SCRIPT_RUNNER "script_runner" "Runs scripts.";
    21 SKIP_COMMANDLOG "skip_commandlog" "Not logged by COMMANDLOG.";
}

impl Flags {
    /// The set of flags with these names of the spec; unknown ones are left out.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "the loops end where the lists do; a constant function has no iterators"
    )]
    pub const fn named(names: &[&str]) -> Self {
        let mut set = Self::NONE;
        let mut at = 0;
        while at < names.len() {
            let mut known = 0;
            while known < Self::NAMES.len() {
                if same(Self::NAMES[known].1.as_bytes(), names[at].as_bytes()) {
                    set = set.and(Self::NAMES[known].0);
                }
                known += 1;
            }
            at += 1;
        }
        set
    }

    /// This set and another together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every flag of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The spec's names of the flags in this set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .iter()
            .filter(move |(flag, _)| self.contains(*flag))
            .map(|(_, name)| *name)
    }
}

/// Whether two byte strings are equal, at compile time.
#[expect(
    clippy::indexing_slicing,
    reason = "both are of one length, where the loop ends"
)]
const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// One way to find keys among the words of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// Where to begin.
    pub begin: BeginSearch,
    /// How to go on.
    pub find: FindKeys,
    /// What the command does with the keys.
    pub access: KeyAccess,
    /// The spec does not find all keys.
    pub incomplete: bool,
    /// What is found is no key, but decides the slot as a key does: a shard channel.
    pub not_key: bool,
    /// An empty word in the place of the first key says that there is none.
    pub unless_empty: bool,
    /// Options with the number of their values, which are passed over while a keyword is looked
    /// for. The keyword itself is among them where it may be repeated; then the last one counts.
    pub skip: &'static [(&'static str, u8)],
}

impl KeySpec {
    const fn begin(begin: BeginSearch) -> Self {
        Self {
            begin,
            find: FindKeys::Unknown,
            access: KeyAccess::Unknown,
            incomplete: false,
            not_key: false,
            unless_empty: false,
            skip: &[],
        }
    }

    /// A search that begins at a word, the name's first being 0.
    #[must_use]
    pub const fn at(index: i64) -> Self {
        Self::begin(BeginSearch::Index(index))
    }

    /// A search that begins after a keyword, which is looked for from a word on.
    #[must_use]
    pub const fn after(keyword: &'static str, from: i64) -> Self {
        Self::begin(BeginSearch::Keyword(keyword, from))
    }

    /// A search of which nothing is known.
    #[must_use]
    pub const fn unknown() -> Self {
        Self::begin(BeginSearch::Unknown)
    }

    /// The same search for a range of words.
    #[must_use]
    pub const fn range(self, last: i64, step: i64, limit: i64) -> Self {
        Self {
            find: FindKeys::Range { last, step, limit },
            ..self
        }
    }

    /// The same search for keys after their count.
    #[must_use]
    pub const fn counted(self, at: i64, first: i64, step: i64) -> Self {
        Self {
            find: FindKeys::Count { at, first, step },
            ..self
        }
    }

    /// Keys whose values are read and written.
    #[must_use]
    pub const fn read_write(self) -> Self {
        Self {
            access: KeyAccess::ReadWrite,
            ..self
        }
    }

    /// Keys whose values are read.
    #[must_use]
    pub const fn read_only(self) -> Self {
        Self {
            access: KeyAccess::ReadOnly,
            ..self
        }
    }

    /// Keys whose values are overwritten.
    #[must_use]
    pub const fn overwrite(self) -> Self {
        Self {
            access: KeyAccess::Overwrite,
            ..self
        }
    }

    /// Keys that are deleted.
    #[must_use]
    pub const fn remove(self) -> Self {
        Self {
            access: KeyAccess::Remove,
            ..self
        }
    }

    /// A search that does not find all keys.
    #[must_use]
    pub const fn incomplete(self) -> Self {
        Self {
            incomplete: true,
            ..self
        }
    }

    /// What is found is no key, but decides the slot as a key does.
    #[must_use]
    pub const fn not_key(self) -> Self {
        Self {
            not_key: true,
            ..self
        }
    }

    /// A search that finds nothing where an empty word stands in the place of the first key.
    #[must_use]
    pub const fn unless_empty(self) -> Self {
        Self {
            unless_empty: true,
            ..self
        }
    }

    /// A search for a keyword that passes over options with this number of values.
    #[must_use]
    pub const fn skip(self, options: &'static [(&'static str, u8)]) -> Self {
        Self {
            skip: options,
            ..self
        }
    }
}

/// Where the search for keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this word, the name's first being 0.
    Index(i64),
    /// After a keyword that is looked for from a word on; from the end where that is negative.
    Keyword(&'static str, i64),
    /// Not known.
    Unknown,
}

/// How keys follow from where the search began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// A range of words.
    Range {
        /// The last key, relative to the first; from the end where negative.
        last: i64,
        /// Distance between keys.
        step: i64,
        /// With a negative last key: which part of the rest is keys, as in one half for 2.
        limit: i64,
    },
    /// A count, then the keys.
    Count {
        /// Where the count stands, relative to the beginning.
        at: i64,
        /// Where the first key stands, relative to the beginning.
        first: i64,
        /// Distance between keys.
        step: i64,
    },
    /// Not known.
    Unknown,
}

/// What a command does with keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAccess {
    /// Reads and writes the value.
    ReadWrite,
    /// Reads the value.
    ReadOnly,
    /// Overwrites the value, whatever it was.
    Overwrite,
    /// Deletes the key.
    Remove,
    /// Not known.
    Unknown,
}

/// Which nodes of a cluster should run a command, where the keys do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestPolicy {
    /// Every node, replicas included.
    AllNodes,
    /// Every primary.
    AllShards,
    /// The primaries of all keys, each with its own part of the command.
    MultiShard,
    /// As the documentation of the command says.
    Special,
}

/// How the answers of several nodes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponsePolicy {
    /// The first that is no error.
    OneSucceeded,
    /// The first, if none is an error.
    AllSucceeded,
    /// The logical and.
    AggLogicalAnd,
    /// The logical or.
    AggLogicalOr,
    /// The smallest.
    AggMin,
    /// The largest.
    AggMax,
    /// The sum.
    AggSum,
    /// As the documentation of the command says.
    Special,
}

/// Which nodes of a cluster run a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// The node of the slot that all its keys share; where it names none, as [`Self::SameNode`].
    Keys,
    /// The nodes of the slots of its keys, each with its own part of the command.
    Parts {
        /// How the answers become one.
        join: Join,
        /// Words of the command that forbid it.
        unless: &'static [&'static str],
    },
    /// The primary of the slot that its first argument names.
    Slot,
    /// Any primary.
    AnyNode,
    /// A primary, and the same one for all that a client says there while the topology lasts, so that
    /// it arrives in order.
    SameNode,
    /// A primary that its first argument decides about as if it were a key, so that what is said
    /// about the same arrives in order.
    NodeOfArgument,
    /// Every primary.
    AllPrimaries(Join),
    /// Every node, replicas included.
    AllNodes(Join),
    /// The one that the caller names; no other could be right.
    OneNode,
    /// One after the other, since a cursor belongs to one of them.
    NodeByNode,
    /// The node of the connection that it is about.
    Connection,
}

impl Routing {
    /// Whether several nodes of a cluster may have a part in one call.
    pub(crate) fn is_of_several_nodes(self) -> bool {
        matches!(
            self,
            Self::Parts { .. } | Self::AllPrimaries(_) | Self::AllNodes(_)
        )
    }
}

/// How the answers of several nodes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// The first, if none is an error.
    First,
    /// The first that is no error.
    OneSucceeded,
    /// The logical and, element by element.
    And,
    /// The logical or, element by element.
    Or,
    /// The smallest, element by element.
    Min,
    /// The largest, element by element.
    Max,
    /// The sum, element by element.
    Sum,
    /// One behind the other.
    Concatenate,
    /// One behind the other, without what is there already.
    Union,
    /// The elements in the order of the keys.
    InOrder,
    /// One that is not nil, by chance: as likely as a number says that its node answers to this command,
    /// which is encoded.
    Any(&'static [u8]),
    /// None: a map from the addresses of the nodes to their answers.
    PerNode,
}

/// Options with which a second run of a command changes nothing on the server, although it may
/// without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafeWith {
    /// The options; each of them is enough.
    pub options: &'static [&'static str],
    /// The first word that may be one of them, the name's first being 0.
    pub from: usize,
    /// Other options that may stand in front of them, with the number of their values.
    pub skip: &'static [(&'static str, u8)],
}

impl SafeWith {
    /// Whether one of the options was given.
    ///
    /// The search ends at the first word that is no option: behind it stands data, which may be
    /// called as options are.
    pub(crate) fn is_given<W: AsRef<[u8]>>(&self, words: impl IntoIterator<Item = W>) -> bool {
        let mut words = words.into_iter().skip(self.from);
        while let Some(word) = words.next() {
            let is = |option: &str| word.as_ref().eq_ignore_ascii_case(option.as_bytes());
            if self.options.iter().any(|option| is(option)) {
                return true;
            }
            let skipped = self.skip.iter().find(|(option, _)| is(option));
            match skipped {
                // An option of a changing number of values has as many as there are words.
                None | Some((_, u8::MAX)) => return false,
                Some((_, values)) => {
                    for _ in 0..*values {
                        words.next();
                    }
                }
            }
        }
        false
    }
}

/// How long the server may hold a reply back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocking {
    /// The argument that holds the longest wait.
    pub timeout: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// The command waits only where the argument was given.
    pub only_if_given: bool,
    /// Where the argument stands among the words.
    pub place: WordPlace,
}

/// Where a word of a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordPlace {
    /// This word, the name's first being 0; counted from the end where it is negative.
    At(i64),
    /// The word after a keyword, whatever its case, which is looked for from a word on.
    After {
        /// The keyword.
        keyword: &'static str,
        /// The first word that may be the keyword.
        from: usize,
        /// Other options with the number of their values, which are passed over.
        skip: &'static [(&'static str, u8)],
    },
    /// Not known.
    Unknown,
}

/// The unit of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// What a command does to the connection that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionUse {
    /// It sets or reads what belongs to the connection.
    State,
    /// It opens, ends or cancels a transaction or a watch.
    Transaction,
    /// It turns the connection into a receiver of pushes, or leaves that mode.
    Subscription,
    /// It ends the connection, or takes it over for good.
    Takeover,
}

/// Whether a command may be sent again after its reply was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// A second run harms nobody, whatever others did in between: it changes nothing.
    Safe,
    /// A second run leaves what the first one left, so that it undoes what others wrote in between;
    /// and it may answer differently.
    State,
    /// A second run may change data again.
    No,
    /// It depends on the options given.
    Options,
}

/// Whether a client may keep what a command answers until a key of it is invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// It may, unless one of these words was given.
    Unless(&'static [&'static str]),
    /// It may not, for this reason.
    Not(&'static str),
}

/// How many frames answer a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    /// Exactly one.
    One,
    /// None.
    None,
    /// One if it fails; if it succeeds, the connection ends instead.
    End,
    /// One push for each channel or pattern named; one if none is.
    PerArgument,
    /// One, then pushes without an end.
    Stream,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_by_name_whatever_its_case() {
        assert_eq!(
            Info::of("xgroup create").map(|info| info.name),
            Some("XGROUP CREATE")
        );
        assert_eq!(Info::of("GET").map(|info| info.words), Some(1));
        assert!(Info::of("FUTURE.CMD").is_none());
    }

    #[test]
    fn c13_what_ends_its_connection_has_one_of_its_own() {
        let ends = |info: &&&Info| info.replies == Replies::End;
        let ends: Vec<_> = Info::all().iter().filter(ends).collect();
        assert!(!ends.is_empty());
        for info in ends {
            assert!(info.urgent, "{}", info.name);
            assert_eq!(info.retry, Retry::No, "{}", info.name);
            assert!(!info.needs_dedicated_connection(), "{}", info.name);
        }
    }

    #[test]
    fn every_name_is_found_and_encodes_itself() {
        for info in Info::all() {
            assert!(
                std::ptr::eq(Info::of(info.name).unwrap(), *info),
                "{}",
                info.name
            );
            let expected: String = info
                .name
                .split(' ')
                .map(|word| format!("${}\r\n{word}\r\n", word.len()))
                .collect();
            assert_eq!(info.encoded, expected.as_bytes(), "{}", info.name);
            assert_eq!(info.words, info.name.split(' ').count(), "{}", info.name);
        }
    }
}
