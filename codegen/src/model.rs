//! Commands in Rust terms: every decision about names, types and grouping is taken here.
//!
//! [`Model::build`] lowers the grammar of each command into *fields* (what the struct keeps),
//! *parameters* (what its constructor takes), *options* (what its setters take), *slots* (its
//! type-state) and *steps* (how it is written). There is no Rust in it: names are plain words, and
//! places, conditions and types are values. `render` turns that into code and decides nothing.

mod lower;
mod naming;
mod needs;
pub mod routing;
mod state;
mod values;
pub mod waits;

use std::collections::{BTreeMap, BTreeSet};

use heck::ToSnakeCase;

use crate::{
    error::Error,
    load::Spec,
    names::{self, Names},
    replies,
    spec::{Command, Provider, Unit},
};

use lower::{Lowering, split};

pub use needs::{Arm, Need, NeedStep};

/// All commands that are generated, grouped as cargo features are.
#[derive(Debug)]
pub struct Model {
    /// The groups, by feature name.
    pub groups: BTreeMap<String, Group>,
    /// The constructors of every group, whether or not it is wanted.
    pub constructors: BTreeMap<String, Vec<String>>,
    /// Enums and blocks that more than one group uses.
    pub shared: Types,
    /// The enums and blocks that are asked what they need of a server.
    pub needy: BTreeSet<String>,
}

/// One group of commands, which is one module, one trait and one cargo feature.
#[derive(Debug, Default)]
pub struct Group {
    /// The commands by name.
    pub commands: Vec<CommandModel>,
    /// The enums and blocks that only this group uses.
    pub types: Types,
}

/// Enums and blocks.
#[derive(Debug, Default)]
pub struct Types {
    /// By Rust name.
    pub enums: BTreeMap<String, EnumModel>,
    /// By Rust name.
    pub blocks: BTreeMap<String, BlockModel>,
    /// The enum of each choice of words, by its tokens.
    choices: BTreeMap<String, String>,
}

/// One generated command.
#[derive(Clone, Debug)]
pub struct CommandModel {
    /// The spec's name.
    pub name: String,
    /// The method, and the constructor in `cmd`.
    pub method: String,
    /// The struct.
    pub type_name: String,
    /// Its syntax, for the docs.
    pub syntax: String,
    /// What the struct keeps, in the order of the grammar.
    pub fields: Vec<Field>,
    /// The fields that the constructor takes.
    pub parameters: Vec<Parameter>,
    /// The setters.
    pub options: Vec<Opt>,
    /// The slots of the type-state.
    pub slots: Vec<Slot>,
    /// How it is written after its name.
    pub steps: Vec<Step>,
    /// The reply.
    pub reply: ReplyModel,
    /// The options that who reads the reply has to know.
    pub layout: Vec<LayoutOption>,
    /// How long it may block.
    pub patience: Option<PatienceModel>,
    /// Where the names of the elements of the reply are kept.
    pub names: Option<NamesModel>,
    /// Facts about the alternative that it is, where the command is split.
    pub note: Option<Note>,
    /// What options need of a server besides what the command needs.
    pub needs: Vec<NeedStep>,
}

/// An option that decides how the reply is laid out.
#[derive(Clone, Debug)]
pub struct LayoutOption {
    /// The field that tells.
    pub field: String,
    /// What it tells.
    pub kind: LayoutKind,
}

/// What is told of an option that decides how the reply is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutKind {
    /// Whether its token is sent.
    Flag,
    /// Whether it was given.
    Given,
    /// How many values it has, if it was given.
    Length,
}

/// Where the longest wait of a blocking command is kept.
#[derive(Clone, Debug)]
pub struct PatienceModel {
    /// The field.
    pub field: String,
    /// Which part of the field, where it keeps several values.
    pub part: Option<usize>,
    /// Whether the field is an `Option`.
    pub optional: bool,
    /// Its unit.
    pub unit: Unit,
}

/// Where the names are kept by which the elements of a reply were asked for.
#[derive(Clone, Debug)]
pub struct NamesModel {
    /// The field, a list.
    pub field: String,
    /// Whether the field is an `Option`.
    pub optional: bool,
}

/// A field of a command's struct.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it keeps.
    pub kind: FieldKind,
}

/// What a field keeps.
#[derive(Clone, Debug)]
pub enum FieldKind {
    /// A required value.
    Required(Ty),
    /// Whether a token is sent.
    Flag,
    /// An optional value, or several that come together.
    Optional(Vec<Ty>),
}

/// A positional parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, which is also the field's.
    pub name: String,
    /// Its type.
    pub ty: Ty,
}

/// The type of a value, from which the parameter's, the field's and the conversion follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ty {
    /// The name of a key.
    Key,
    /// Any bytes.
    Text,
    /// A whole number.
    Integer,
    /// A floating point number.
    Double,
    /// A span in whole seconds.
    Seconds,
    /// A span in whole milliseconds.
    Milliseconds,
    /// A point in time in seconds.
    UnixSeconds,
    /// A point in time in milliseconds.
    UnixMilliseconds,
    /// One of an enum.
    Enum {
        /// Its name.
        name: String,
        /// Whether it borrows.
        borrows: bool,
        /// Whether other values may convert into it.
        open: bool,
    },
    /// A block.
    Block {
        /// Its name.
        name: String,
        /// Whether it borrows.
        borrows: bool,
    },
    /// Repeated values.
    List(Box<Ty>),
}

/// A setter, or several that fill the same place.
#[derive(Clone, Debug)]
pub struct Opt {
    /// The field that it fills.
    pub field: String,
    /// The slot that it fills.
    pub slot: Option<usize>,
    /// The slot that must have been filled before.
    pub after: Option<usize>,
    /// Whether the reply depends on it.
    pub decides: bool,
    /// What it does.
    pub kind: OptKind,
    /// Facts for the docs.
    pub note: Note,
}

/// What is said of an argument in the docs besides its syntax.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The syntax.
    pub syntax: String,
    /// First version that has it.
    pub since: Option<String>,
    /// Who alone has it.
    pub provider: Option<Provider>,
    /// Version from which it is deprecated.
    pub deprecated: Option<String>,
}

/// What a setter does.
#[derive(Clone, Debug)]
pub enum OptKind {
    /// Sends a token.
    Flag {
        /// The setter's name.
        setter: String,
    },
    /// Takes the values that come together.
    Values {
        /// The setter's name.
        setter: String,
        /// What it takes.
        parameters: Vec<Parameter>,
        /// One more setter for each token of a leading enum.
        by_token: Vec<TokenSetter>,
        /// Whether an empty list is sent, with a count of 0, and is not as good as none.
        sends_empty: bool,
    },
    /// Takes one step after the other, in the order of the calls.
    Steps {
        /// The enum's name.
        name: String,
        /// The steps.
        alternatives: Vec<Alternative>,
    },
    /// Takes one of several alternatives.
    Choice {
        /// The enum's name.
        name: String,
        /// Whether the enum borrows.
        borrows: bool,
        /// Name of the setter that takes the enum; absent where the reply depends on which.
        setter: Option<String>,
        /// Whether the setter takes an `Option` of the enum.
        nullable: bool,
        /// The alternatives.
        alternatives: Vec<Alternative>,
    },
}

/// A setter that stands for one token of a leading enum, and takes the values behind it.
#[derive(Clone, Debug)]
pub struct TokenSetter {
    /// The setter's name.
    pub setter: String,
    /// The enum.
    pub name: String,
    /// Its variant.
    pub variant: String,
    /// The token's syntax.
    pub syntax: String,
}

/// One alternative of a choice as a setter of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// The setter's name.
    pub setter: String,
    /// The variant's name.
    pub variant: String,
    /// The names of the variant's fields; none for a tuple variant.
    pub named: bool,
    /// What the setter takes.
    pub parameters: Vec<Parameter>,
    /// The number that the slot carries, not 0 where the reply depends on it.
    pub state: u8,
    /// Facts for the docs.
    pub note: Note,
}

/// A slot of the type-state.
#[derive(Clone, Debug)]
pub struct Slot {
    /// What fills it.
    pub name: String,
    /// The highest number that [`Alternative::state`] has.
    pub states: u8,
    /// Whether 0 is among the numbers.
    pub has_zero: bool,
}

/// One thing that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Constant words.
    Words(Vec<String>),
    /// A value.
    Value(Place, Ty),
    /// A constant if a flag is set.
    Flag(String, Vec<String>),
    /// How many words the steps write, and these words.
    Counted(Vec<Step>),
    /// What follows if a field is there; binds its parts.
    Optional(String, Vec<String>, Vec<Step>),
    /// Steps that are written only where a condition holds.
    When(Condition, Vec<Step>),
    /// A list.
    List(ListStep),
}

/// Where a value is kept while it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a field of what is written.
    Field(String),
    /// In a variable that a pattern has bound.
    Bound(String),
}

/// What decides at run time whether something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The flag of this name is set.
    Set(String),
    /// The option of this name was not given.
    Absent(String),
}

/// How a list is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListStep {
    /// The list.
    pub list: Place,
    /// Type of its elements.
    pub item: Ty,
    /// Words before the first.
    pub before: Vec<String>,
    /// Words before each.
    pub before_each: Vec<String>,
    /// Whether the number of elements is written before them.
    pub counted: bool,
    /// Whether there may be none.
    pub may_be_empty: bool,
    /// Name of what is repeated, for the error where there is none.
    pub noun: String,
    /// Columns of a block that are written one after the other instead of row by row.
    pub columns: Vec<(String, Ty)>,
}

/// An enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumModel {
    /// Its name.
    pub name: String,
    /// Who uses it.
    pub commands: BTreeSet<String>,
    /// First sentence of its docs, if the spec's names have one.
    pub doc: Option<String>,
    /// The alternatives.
    pub variants: Vec<VariantModel>,
}

impl EnumModel {
    /// Whether any alternative holds what may be borrowed.
    #[must_use]
    pub fn borrows(&self) -> bool {
        self.variants
            .iter()
            .any(|variant| variant.fields.iter().any(|(_, ty)| ty.borrows()))
    }

    /// Whether one alternative is a bare value, so that a value converts into the enum.
    #[must_use]
    pub fn open(&self) -> Option<&VariantModel> {
        self.variants.iter().find(|variant| {
            variant.before.is_empty() && matches!(&*variant.fields, [(_, ty)] if ty.is_scalar())
        })
    }
}

/// One alternative of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantModel {
    /// Its name.
    pub name: String,
    /// Name of the function that makes it.
    pub constructor: String,
    /// Words before its values.
    pub before: Vec<String>,
    /// Its values.
    pub fields: Vec<(String, Ty)>,
    /// How the values are written.
    pub steps: Vec<Step>,
    /// Facts for the docs.
    pub note: Note,
}

/// A block: values that stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockModel {
    /// Its name.
    pub name: String,
    /// Who uses it.
    pub commands: BTreeSet<String>,
    /// First sentence of its docs, if the spec's names have one.
    pub doc: Option<String>,
    /// Its syntax.
    pub syntax: String,
    /// Required values, in order.
    pub required: Vec<(String, Ty)>,
    /// The alternatives of its only required value, each of which makes the block as well.
    pub alternatives: Vec<Alternative>,
    /// Optional values.
    pub optional: Vec<BlockOption>,
    /// How it is written.
    pub steps: Vec<Step>,
}

/// What may be left out of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockOption {
    /// The field and the setter.
    pub name: String,
    /// The values that come together; none for a flag.
    pub parameters: Vec<Parameter>,
    /// The alternatives, each a setter of its own, where it is a choice without a word in front.
    pub alternatives: Vec<Alternative>,
    /// Its syntax, in square brackets.
    pub syntax: String,
    /// Facts about it.
    pub note: Note,
}

impl BlockModel {
    /// Whether it holds what may be borrowed.
    #[must_use]
    pub fn borrows(&self) -> bool {
        self.required.iter().any(|(_, ty)| ty.borrows()) || self.optional_types().any(Ty::borrows)
    }

    /// The types of all optional values.
    pub fn optional_types(&self) -> impl Iterator<Item = &Ty> {
        let parameters = self.optional.iter().flat_map(|option| &option.parameters);
        parameters.map(|parameter| &parameter.ty)
    }
}

/// The reply of a command.
#[derive(Clone, Debug)]
pub enum ReplyModel {
    /// Always the same type.
    Fixed(replies::Type),
    /// The type depends on slots: for each pattern of states, a type.
    ByState(Vec<(Vec<State>, replies::Type)>),
}

/// The state of a slot in a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Any.
    Any,
    /// Not filled.
    Open,
    /// Filled by an alternative with this number.
    Given(u8),
}

impl Ty {
    /// Whether a value of the type may be borrowed from the caller.
    #[must_use]
    pub fn borrows(&self) -> bool {
        match self {
            Self::Key | Self::Text => true,
            Self::Enum { borrows, .. } | Self::Block { borrows, .. } => *borrows,
            Self::List(item) => item.borrows(),
            _ => false,
        }
    }

    /// Whether it is a single word on the wire.
    #[must_use]
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Self::Enum { .. } | Self::Block { .. } | Self::List(_))
    }
}

impl Model {
    /// Lowers every command that is not written by hand.
    ///
    /// # Errors
    ///
    /// Where the grammar of a command cannot be expressed; the error names it and the reason.
    pub fn build(spec: &Spec, names: &Names) -> Result<Self, Error> {
        let mut types = Types::default();
        let mut commands = Vec::new();
        for (name, command) in &spec.commands {
            if command.handwritten.is_some() {
                continue;
            }
            let reply = spec.replies.get(name).unwrap_or(&UNTYPED);
            for variant in split(name, command)? {
                let lowered = Lowering::new(name, command, &variant, names, &mut types)
                    .lower(reply)
                    .map_err(|reason| fail(name, reason))?;
                commands.push((feature(command), lowered));
            }
        }
        let known = |name: &String| types.enums.contains_key(name);
        if let Some((tokens, _)) = names.enums.iter().find(|(_, it)| !known(&it.name)) {
            let reason = format!("names a choice of `{tokens}`, which no command has");
            return Err(Error::new(names::FILE, reason));
        }
        let known = |name: &String| known(name) || types.blocks.contains_key(name);
        if let Some(name) = names.docs.keys().find(|name| !known(name)) {
            let reason = format!("describes `{name}`, which is no type of an argument");
            return Err(Error::new(names::FILE, reason));
        }
        for (_, model) in &mut commands {
            model.needs = needs::steps(model, &spec.commands[&model.name], &types);
        }
        Ok(Self::group(commands, types))
    }

    fn group(commands: Vec<(String, CommandModel)>, types: Types) -> Self {
        let feature_of: BTreeMap<String, String> = commands
            .iter()
            .map(|(group, command)| (command.name.clone(), group.clone()))
            .collect();
        let home = |users: &BTreeSet<String>| {
            let groups: BTreeSet<_> = users.iter().map(|name| &feature_of[name]).collect();
            (groups.len() == 1).then(|| groups.into_iter().next().cloned().unwrap_or_default())
        };
        let mut model = Self {
            groups: BTreeMap::new(),
            constructors: BTreeMap::new(),
            shared: Types::default(),
            needy: needs::asked(commands.iter().map(|(_, command)| command), &types),
        };
        for (group, command) in commands {
            model
                .constructors
                .entry(group.clone())
                .or_default()
                .push(command.method.clone());
            model
                .groups
                .entry(group)
                .or_default()
                .commands
                .push(command);
        }
        for (name, item) in types.enums {
            let types = match home(&item.commands) {
                Some(group) => &mut model.groups.entry(group).or_default().types,
                None => &mut model.shared,
            };
            types.enums.insert(name, item);
        }
        for (name, item) in types.blocks {
            let types = match home(&item.commands) {
                Some(group) => &mut model.groups.entry(group).or_default().types,
                None => &mut model.shared,
            };
            types.blocks.insert(name, item);
        }
        model
    }
}

/// The cargo feature, module and trait that a command belongs to.
#[must_use]
pub fn feature(command: &Command) -> String {
    match command.module.as_deref() {
        Some("bf") => "bloom",
        Some("ReJSON") => "json",
        Some("vectorset") => "vector-set",
        Some(module) => return module.to_snake_case().replace('_', "-"),
        None => &command.group,
    }
    .to_owned()
}

/// The reply of a command that has no line in the file of replies.
static UNTYPED: replies::Reply = replies::Reply {
    default: replies::Type::Any,
    guarded: Vec::new(),
    note: None,
};

pub(super) fn fail(command: &str, reason: impl Into<String>) -> Error {
    Error::new("commands", reason).in_command(command)
}
