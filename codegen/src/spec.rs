//! Mirror of the JSON that describes commands: what is written in a spec, and no decision about it.
//!
//! The fields are those of the published `commands.json`. Below the line stand the facts that no
//! published spec has; they reach a command through the file of corrections.

mod read;

use std::collections::BTreeMap;

/// Why nothing is generated for a name that a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// It only holds subcommands and cannot be called.
    Container,
    /// It is meant for servers, replicas or their tests.
    Internal,
    /// It is internal, and there are words with which it is not answered.
    Silent,
    /// It has no documentation, and often no grammar.
    Undocumented,
}

/// A whole spec: every command under its full upper-case name, such as `XGROUP CREATE`.
pub type Commands = BTreeMap<String, Command>;

/// One command, subcommand or container of subcommands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Command {
    /// One line, in the words of this project.
    pub summary: String,
    /// First version of the server, or of the module, that has the command.
    pub since: Option<String>,
    /// The group, such as `string` or `sorted-set`; `module` for what a module brings.
    pub group: String,
    /// The module that brings the command, as the module calls itself.
    pub module: Option<String>,
    /// The only server family that has the command; absent where both have it.
    pub provider: Option<Provider>,
    /// Time complexity.
    pub complexity: Option<String>,
    /// Version from which the command is deprecated.
    pub deprecated_since: Option<String>,
    /// What to use instead of a deprecated command.
    pub replaced_by: Option<String>,
    /// `deprecated` and `syscmd`.
    pub doc_flags: Vec<String>,
    /// Changes as pairs of version and text.
    pub history: Vec<(String, String)>,
    /// Categories with their `@`.
    pub acl_categories: Vec<String>,
    /// Count of words including the name; negative for "at least".
    pub arity: i64,
    /// Flags in lower case, such as `readonly`.
    pub command_flags: Vec<String>,
    /// Tips in lower case, such as `request_policy:all_shards`.
    pub hints: Vec<String>,
    /// Where the keys stand.
    pub key_specs: Vec<KeySpec>,
    /// The grammar.
    pub arguments: Vec<Argument>,

    // ---- only from corrections ----
    /// Whether a lost reply may be answered by sending the command again.
    pub retry: Option<Retry>,
    /// Options with which a second run harms nobody, although it may without them.
    pub safe_with: Vec<String>,
    /// What the command does to the connection that carries it.
    pub connection: Option<ConnectionUse>,
    /// How long the server may hold the reply back.
    pub blocking: Option<Blocking>,
    /// It has to overtake what others wait for, since it may be what ends their wait.
    pub urgent: bool,
    /// It runs code of users, which may answer with any error after any part of its work.
    pub runs_script: bool,
    /// How many frames answer the command; absent for exactly one.
    pub replies: Option<ReplyCount>,
    /// The command is written by hand; the text says why it cannot be generated well.
    pub handwritten: Option<String>,
    /// The name of a required `oneof` whose alternatives each become a method of their own.
    pub split: Option<String>,
    /// Which nodes of a cluster run the command, where its keys and tips do not tell or are wrong.
    pub route: Option<Route>,
    /// Whether a client may keep what the command answers until a key of it is invalidated.
    pub cacheable: Option<Caching>,
    /// The argument whose values are the names of the elements of the reply, in this order.
    pub names: Option<String>,
    /// Whether an empty reply says that there is no such key.
    pub empty_is_missing: bool,
    /// Whether a replica may run the command, where the flag `readonly` is not the answer.
    pub replicas: Option<bool>,
}

/// Whether a client may keep what a command answers until a key of it is invalidated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caching {
    /// It may, unless one of these words was given.
    Unless(Vec<String>),
    /// It may not, for this reason.
    Not(String),
}

/// Which nodes of a cluster run a command, and how their answers become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The nodes.
    pub to: Nodes,
    /// How the answers of several nodes become one.
    pub join: Option<Join>,
    /// Words that forbid to send the command in parts, or to more than one node.
    pub unless: Vec<String>,
    /// The command whose number says how likely the answer of a node is, where it is one of several.
    pub weight: Option<String>,
}

/// Nodes of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// Whichever primary.
    AnyNode,
    /// A primary, and the same one for all that a client says there.
    SameNode,
    /// A primary that the first argument decides about, as if it were a key.
    NodeOfArgument,
    /// The one that the caller names; no other could be right.
    OneNode,
    /// One after the other, since a cursor belongs to one of them.
    NodeByNode,
    /// Every node, replicas included.
    AllNodes,
    /// Every primary.
    AllPrimaries,
    /// The primary of the slot that the first argument names.
    Slot,
    /// The nodes of all keys, each with its part of the command.
    Parts,
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
    /// One that is not nil, by chance.
    Any,
    /// None: a map with the answer of each node.
    PerNode,
}

/// A server family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// Redis and the modules that are delivered with it.
    Redis,
    /// Valkey.
    Valkey,
}

/// One argument of a command, or a part of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Argument {
    /// The spec's name, which is not always an identifier.
    pub name: String,
    /// What stands on the wire.
    pub kind: ArgumentType,
    /// The word before the value, or the word itself of a `pure-token`.
    pub token: Option<String>,
    /// Which entry of `key_specs` finds this key.
    pub key_spec_index: Option<usize>,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// The token stands before every repetition, not only before the first.
    pub multiple_token: bool,
    /// First version that has the argument.
    pub since: Option<String>,
    /// Version from which the argument is deprecated.
    pub deprecated_since: Option<String>,
    /// The only server family that has the argument; absent where both have it.
    pub provider: Option<Provider>,
    /// The parts of a `block`, the alternatives of a `oneof`.
    pub arguments: Vec<Argument>,

    // ---- only from corrections ----
    /// What the number counts, where the place before a repeated argument does not tell.
    pub count: Option<Count>,
    /// The unit of a time, where the name does not tell.
    pub unit: Option<Unit>,
    /// The name in Rust of what gives the argument, where neither its token nor its name is a good one.
    pub rust: Option<String>,
    /// The type in Rust of a block or a `oneof`. A block that has one is a value of its own, whose
    /// options are not those of the command.
    pub rust_type: Option<String>,
    /// The type is written by hand; the text says why it cannot be generated well.
    pub handwritten: Option<String>,
    /// The alternatives of a repeated `oneof` are steps in any order, each with a method of its own.
    pub steps: bool,
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ArgumentType {
    /// The name of a key.
    Key,
    /// Any bytes.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// A floating point number.
    Double,
    /// A point in time since the Unix epoch.
    UnixTime,
    /// A glob-style pattern.
    Pattern,
    /// A word without a value.
    PureToken,
    /// Exactly one of the alternatives.
    Oneof,
    /// All of the parts in order.
    Block,
    /// The name of a shard channel, which decides the slot as a key does.
    Channel,
}

/// What the number of a count is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Nothing: the number is an argument of its own.
    None,
    /// The repetitions that follow.
    Items,
    /// The words that follow.
    Words,
}

/// The unit of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// A number that is not a time, whatever its name says.
    None,
}

/// Whether a command whose reply was lost may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// A second run harms nobody, whatever others did in between: it changes nothing.
    Safe,
    /// A second run leaves what the first one left, so that it undoes what others wrote in between;
    /// and it may answer differently.
    State,
    /// A second run may change the state again.
    No,
    /// It depends on the options; treated as `no` unless the caller says otherwise.
    Options,
}

/// What a command does to the connection that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionUse {
    /// It sets or reads what belongs to the connection; other callers would be disturbed.
    State,
    /// It opens, closes or cancels a transaction or a watch.
    Transaction,
    /// It turns the connection into a receiver of pushes, or leaves that mode.
    Subscription,
    /// It ends the connection or takes it over for good.
    Takeover,
}

/// How long the server may hold the reply back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocking {
    /// Name of the argument that holds the longest wait; zero means for ever.
    pub timeout: String,
    /// Its unit.
    pub unit: Unit,
    /// The command waits only where this argument was given.
    pub only_if_given: bool,
}

/// How many frames answer a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyCount {
    /// None at all.
    None,
    /// One if it fails; if it succeeds, the connection ends instead.
    End,
    /// One push for each channel or pattern named, or one if none is.
    PerArgument,
    /// One reply, then pushes without an end.
    Stream,
}

/// One way to find keys among the words of a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeySpec {
    /// Why the spec is as it is.
    pub notes: Option<String>,
    /// Where to start looking.
    pub begin_search: BeginSearch,
    /// How to go on from there.
    pub find_keys: FindKeys,
    /// Options with the number of their values, passed over while a keyword is looked for. The
    /// keyword itself is among them where it may be repeated; then the last one counts.
    pub skip: BTreeMap<String, u8>,
    /// What is done with the keys: `RW`, `RO`, `OW`, `RM`, `access`, `insert` and so on.
    pub flags: BTreeMap<String, bool>,
}

/// Where the search for keys begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this word, counted from the first of the name.
    Index {
        /// The position.
        index: i64,
    },
    /// After this keyword.
    Keyword {
        /// The keyword in upper case.
        keyword: String,
        /// Where to start looking for it; negative from the end, backwards.
        startfrom: i64,
    },
    /// The spec does not say.
    #[default]
    Unknown,
}

/// How keys follow from where the search began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FindKeys {
    /// A range of words.
    Range {
        /// Last key, relative to the first; negative from the end.
        lastkey: i64,
        /// Distance between keys.
        keystep: i64,
        /// With a negative last key: the part of the rest that is keys, as in a half (2).
        limit: i64,
    },
    /// A count of keys, then the keys.
    Keynum {
        /// Where the count stands, relative to the beginning.
        keynumidx: i64,
        /// Where the first key stands, relative to the beginning.
        firstkey: i64,
        /// Distance between keys.
        keystep: i64,
    },
    /// The spec does not say.
    #[default]
    Unknown,
}
