//! Commands in Rust terms: every decision about names, types and grouping is taken here.
//!
//! [`Model::build`] lowers the grammar of each command into *fields* (what the struct keeps),
//! *parameters* (what its constructor takes), *options* (what its setters take), *slots* (its
//! type-state) and *steps* (how it is written). `render` turns that into text and decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use heck::{ToSnakeCase, ToUpperCamelCase};

use crate::{
    error::Error,
    names::Names,
    replies::{self, Condition, Given, Guard},
    spec::{Argument, ArgumentType, Command, Count, Provider, Spec, Unit},
    syntax::syntax,
};

/// All commands that are generated, grouped as cargo features are.
#[derive(Debug)]
pub struct Model {
    /// The groups, by feature name.
    pub groups: BTreeMap<String, Group>,
    /// Enums and blocks that more than one group uses.
    pub shared: Types,
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
    /// The words after the name that this method always sends, where a command was split.
    pub prefix: Vec<String>,
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
    /// How long it may block.
    pub patience: Option<PatienceModel>,
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
#[derive(Clone, Debug)]
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
        /// Whether a bare value converts into it.
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
    /// What it does.
    pub kind: OptKind,
    /// Facts for the docs.
    pub note: Note,
}

/// What is said of an argument in the docs besides its syntax.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// The syntax.
    pub syntax: String,
    /// First version that has it.
    pub since: Option<String>,
    /// Who alone has it.
    pub provider: Option<Provider>,
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
        /// One more setter for each token of a leading enum: name, variant path, syntax.
        by_token: Vec<(String, String, String)>,
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

/// One alternative of a choice as a setter of its own.
#[derive(Clone, Debug)]
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
    /// A value, by the expression that yields a reference or a place.
    Value(String, Ty),
    /// A constant if a flag is set.
    Flag(String, Vec<String>),
    /// What follows if a field is there; binds its parts.
    Optional(String, Vec<String>, Vec<Step>),
    /// Steps that are written only where a boolean field is set.
    When(String, Vec<Step>),
    /// A list.
    List(ListStep),
}

/// How a list is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListStep {
    /// The expression of the list.
    pub list: String,
    /// Type of its elements.
    pub item: Ty,
    /// Words before the first.
    pub before: Vec<String>,
    /// Words before each.
    pub before_each: Vec<String>,
    /// The count written before the elements.
    pub count: Option<Count>,
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
    /// The syntax.
    pub syntax: String,
    /// First version that has it.
    pub since: Option<String>,
    /// Who alone has it.
    pub provider: Option<Provider>,
}

/// A block: values that stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockModel {
    /// Its name.
    pub name: String,
    /// Who uses it.
    pub commands: BTreeSet<String>,
    /// Its syntax.
    pub syntax: String,
    /// Required values, in order.
    pub required: Vec<(String, Ty)>,
    /// Optional values: name and type, `None` for a flag.
    pub optional: Vec<(String, Option<Ty>, String)>,
    /// How it is written.
    pub steps: Vec<Step>,
}

impl BlockModel {
    /// Whether it holds what may be borrowed.
    #[must_use]
    pub fn borrows(&self) -> bool {
        self.required.iter().any(|(_, ty)| ty.borrows())
            || self
                .optional
                .iter()
                .any(|(_, ty, _)| ty.as_ref().is_some_and(Ty::borrows))
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
            shared: Types::default(),
        };
        for (group, command) in commands {
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

/// One method of a command: the command itself, or an alternative that it was split into.
struct Variant {
    method: String,
    type_name: String,
    alternative: Option<String>,
}

fn fail(command: &str, reason: impl Into<String>) -> Error {
    Error::new("commands", reason).in_command(command)
}

fn split(name: &str, command: &Command) -> Result<Vec<Variant>, Error> {
    let words = name.to_lowercase().replace(['.', ' ', '-'], "_");
    let method = words.replace("__", "_");
    let type_name = method.to_upper_camel_case();
    let Some(choice) = &command.split else {
        return Ok(vec![Variant {
            method: identifier(&method),
            type_name,
            alternative: None,
        }]);
    };
    let oneof = command
        .arguments
        .iter()
        .find(|argument| argument.name == *choice && argument.kind == ArgumentType::Oneof)
        .ok_or_else(|| {
            fail(
                name,
                format!("is split by `{choice}`, which is no oneof of it"),
            )
        })?;
    Ok(oneof
        .arguments
        .iter()
        .map(|alternative| {
            let word = option_name(alternative);
            Variant {
                method: format!("{method}_{}", word.trim_start_matches("r#")),
                type_name: format!(
                    "{type_name}{}",
                    word.trim_start_matches("r#").to_upper_camel_case()
                ),
                alternative: Some(alternative.name.clone()),
            }
        })
        .collect())
}

/// Lowers the grammar of one command.
struct Lowering<'a> {
    name: &'a str,
    command: &'a Command,
    variant: &'a Variant,
    names: &'a Names,
    types: &'a mut Types,
    fields: Vec<Field>,
    parameters: Vec<Parameter>,
    options: Vec<Opt>,
    slots: Vec<Slot>,
    taken: BTreeSet<String>,
    /// Tokens and names of options, with the slot and state that say they were given.
    marks: BTreeMap<String, Mark>,
}

/// How a reply guard recognises an option.
#[derive(Clone, Copy, Debug)]
struct Mark {
    option: usize,
    alternative: Option<usize>,
}

type Lowered<T> = Result<T, String>;

impl<'a> Lowering<'a> {
    fn new(
        name: &'a str,
        command: &'a Command,
        variant: &'a Variant,
        names: &'a Names,
        types: &'a mut Types,
    ) -> Self {
        Self {
            name,
            command,
            variant,
            names,
            types,
            fields: Vec::new(),
            parameters: Vec::new(),
            options: Vec::new(),
            slots: Vec::new(),
            taken: BTreeSet::from(["via".to_owned(), "state".to_owned()]),
            marks: BTreeMap::new(),
        }
    }

    fn lower(mut self, reply: &replies::Reply) -> Lowered<CommandModel> {
        let mut arguments = self.command.arguments.clone();
        let mut reply = reply.clone();
        if let (Some(choice), Some(chosen)) = (&self.command.split, &self.variant.alternative) {
            for argument in arguments
                .iter_mut()
                .filter(|argument| argument.name == *choice)
            {
                let mut alternative = argument
                    .arguments
                    .iter()
                    .find(|alternative| alternative.name == *chosen)
                    .cloned()
                    .unwrap_or_default();
                alternative.optional = false;
                reply = narrowed(
                    &reply,
                    &guard_names(&alternative),
                    &guard_names_of(argument),
                );
                *argument = alternative;
            }
        }
        let syntax = format!("{} {}", self.name, syntax(&arguments))
            .trim_end()
            .to_owned();
        let steps = self.sequence(&arguments, None)?;
        let reply = self.reply(&reply)?;
        let patience = self.patience()?;
        Ok(CommandModel {
            name: self.name.to_owned(),
            method: self.variant.method.clone(),
            type_name: self.variant.type_name.clone(),
            prefix: Vec::new(),
            syntax,
            fields: self.fields,
            parameters: self.parameters,
            options: self.options,
            slots: self.slots,
            steps: join_words(steps),
            reply,
            patience,
        })
    }

    /// Lowers siblings in order; an integer before a repeated sibling is its count.
    fn sequence(&mut self, arguments: &[Argument], after: Option<usize>) -> Lowered<Vec<Step>> {
        let mut steps = Vec::new();
        let mut count = None;
        if let Some(columns) = columns(arguments) {
            let step = self.parallel(&columns, &arguments[0], arguments)?;
            return Ok(vec![step]);
        }
        for (at, argument) in arguments.iter().enumerate() {
            if let Some(counts) = is_count(argument, arguments.get(at + 1)) {
                count = Some((counts, argument));
                continue;
            }
            let counted = count.take();
            if argument.optional {
                steps.extend(self.optional(argument, counted, after)?);
            } else {
                steps.extend(self.required(argument, counted)?);
            }
        }
        Ok(steps)
    }

    fn required(
        &mut self,
        argument: &Argument,
        count: Option<(Count, &Argument)>,
    ) -> Lowered<Vec<Step>> {
        if argument.multiple {
            let (step, ty) = self.list(argument, count)?;
            return self.parameter(argument, ty, |field| {
                vec![Step::List(ListStep {
                    list: format!("&self.{field}"),
                    ..step
                })]
            });
        }
        match argument.kind {
            ArgumentType::PureToken => Ok(vec![Step::Words(words(argument))]),
            ArgumentType::Block => {
                let mut steps = vec![Step::Words(token_words(argument))];
                steps.extend(self.sequence(&argument.arguments, None)?);
                Ok(steps)
            }
            ArgumentType::Oneof if argument.arguments.len() == 1 => {
                let mut only = argument.arguments[0].clone();
                only.optional = false;
                self.required(&only, None)
            }
            _ => {
                let ty = self.ty(argument)?;
                let words = token_words(argument);
                self.parameter(argument, ty.clone(), |field| {
                    vec![Step::Words(words), Step::Value(format!("self.{field}"), ty)]
                })
            }
        }
    }

    fn parameter(
        &mut self,
        argument: &Argument,
        ty: Ty,
        steps: impl FnOnce(&str) -> Vec<Step>,
    ) -> Lowered<Vec<Step>> {
        let name = self.unique(&parameter_name(argument), argument);
        self.fields.push(Field {
            name: name.clone(),
            kind: FieldKind::Required(ty.clone()),
        });
        self.parameters.push(Parameter {
            name: name.clone(),
            ty,
        });
        Ok(steps(&name))
    }

    /// `key [key ...] id [id ...]`: rows that are written column by column.
    fn parallel(
        &mut self,
        columns: &[(String, Ty)],
        first: &Argument,
        arguments: &[Argument],
    ) -> Lowered<Step> {
        let item = self.rows(columns, arguments);
        let name = self.unique(&parameter_name(first), first);
        let ty = Ty::List(Box::new(item.clone()));
        self.fields.push(Field {
            name: name.clone(),
            kind: FieldKind::Required(ty.clone()),
        });
        self.parameters.push(Parameter {
            name: name.clone(),
            ty,
        });
        Ok(Step::List(ListStep {
            list: format!("&self.{name}"),
            item,
            before: Vec::new(),
            before_each: Vec::new(),
            count: None,
            may_be_empty: false,
            noun: first.name.clone(),
            columns: columns.to_vec(),
        }))
    }

    fn rows(&mut self, columns: &[(String, Ty)], arguments: &[Argument]) -> Ty {
        let syntax = arguments
            .iter()
            .map(|a| a.name.clone())
            .collect::<Vec<_>>()
            .join(" ");
        self.block_type(
            row_name(columns),
            columns.to_vec(),
            Vec::new(),
            Vec::new(),
            syntax,
        )
    }

    fn optional(
        &mut self,
        argument: &Argument,
        count: Option<(Count, &Argument)>,
        after: Option<usize>,
    ) -> Lowered<Vec<Step>> {
        if argument.multiple {
            return self.optional_list(argument, count, after);
        }
        match argument.kind {
            ArgumentType::PureToken => {
                let setter = self.unique(&option_name(argument), argument);
                self.fields.push(Field {
                    name: setter.clone(),
                    kind: FieldKind::Flag,
                });
                let kind = OptKind::Flag {
                    setter: setter.clone(),
                };
                self.option(argument, &setter, after, kind);
                Ok(vec![Step::Flag(setter, words(argument))])
            }
            ArgumentType::Block => self.optional_block(argument, after),
            ArgumentType::Oneof if argument.arguments.len() == 1 => {
                let mut only = argument.arguments[0].clone();
                only.optional = true;
                self.optional(&only, None, after)
            }
            ArgumentType::Oneof => self.choice(argument, after),
            _ => {
                let ty = self.ty(argument)?;
                let setter = self.unique(&option_name(argument), argument);
                self.fields.push(Field {
                    name: setter.clone(),
                    kind: FieldKind::Optional(vec![ty.clone()]),
                });
                let parameter = Parameter {
                    name: parameter_name(argument),
                    ty: ty.clone(),
                };
                let kind = OptKind::Values {
                    setter: setter.clone(),
                    parameters: vec![parameter],
                    by_token: Vec::new(),
                };
                self.option(argument, &setter, after, kind);
                let steps = vec![
                    Step::Words(token_words(argument)),
                    Step::Value(setter.clone(), ty),
                ];
                Ok(vec![Step::Optional(setter.clone(), vec![setter], steps)])
            }
        }
    }

    fn optional_list(
        &mut self,
        argument: &Argument,
        count: Option<(Count, &Argument)>,
        after: Option<usize>,
    ) -> Lowered<Vec<Step>> {
        let (mut step, ty) = self.list(argument, count)?;
        step.may_be_empty = true;
        let setter = self.unique(&option_name(argument), argument);
        self.fields.push(Field {
            name: setter.clone(),
            kind: FieldKind::Optional(vec![ty.clone()]),
        });
        let parameter = Parameter {
            name: parameter_name(argument),
            ty,
        };
        let kind = OptKind::Values {
            setter: setter.clone(),
            parameters: vec![parameter],
            by_token: Vec::new(),
        };
        self.option(argument, &setter, after, kind);
        let list = ListStep {
            list: setter.clone(),
            ..step
        };
        let counted = list.count.is_some();
        let written = Step::Optional(setter.clone(), vec![setter.clone()], vec![Step::List(list)]);
        if !counted {
            return Ok(vec![written]);
        }
        // A count that stands before an optional list is written as 0 where the list is absent.
        Ok(vec![
            written,
            Step::When(
                format!("self.{setter}.is_none()"),
                vec![Step::Words(vec!["0".to_owned()])],
            ),
        ])
    }

    /// An optional block is one setter for its required parts; its optional parts are setters
    /// that exist once the block was given.
    fn optional_block(&mut self, argument: &Argument, after: Option<usize>) -> Lowered<Vec<Step>> {
        let setter = self.unique(&block_name(argument), argument);
        let field = setter.clone();
        let option = self.options.len();
        self.fields.push(Field {
            name: field.clone(),
            kind: FieldKind::Flag,
        });
        let place = self.fields.len() - 1;
        self.options.push(Opt {
            field: field.clone(),
            slot: None,
            after,
            kind: OptKind::Flag {
                setter: setter.clone(),
            },
            note: note(argument),
        });
        self.mark(argument, option, None);
        let has_options = argument.arguments.iter().any(|part| part.optional);
        let slot = has_options.then(|| self.fill(option));

        let mut parameters = Vec::new();
        let mut binds = Vec::new();
        let mut steps = vec![Step::Words(token_words(argument))];
        let mut count = None;
        let mut by_token = Vec::new();
        let row = columns(&argument.arguments);
        let parts: &[Argument] = if row.is_some() {
            &[]
        } else {
            &argument.arguments
        };
        if let Some(columns) = row {
            let item = self.rows(&columns, &argument.arguments);
            let name = identifier(&argument.name.to_snake_case());
            binds.push(name.clone());
            parameters.push(Parameter {
                name: name.clone(),
                ty: Ty::List(Box::new(item.clone())),
            });
            steps.push(Step::List(ListStep {
                list: name,
                item,
                before: Vec::new(),
                before_each: Vec::new(),
                count: None,
                may_be_empty: false,
                noun: argument.name.clone(),
                columns,
            }));
        }
        for (at, part) in parts.iter().enumerate() {
            if let Some(counts) = is_count(part, argument.arguments.get(at + 1)) {
                count = Some((counts, part));
                continue;
            }
            let counted = count.take();
            if part.optional {
                steps.extend(self.optional(part, counted, slot)?);
                continue;
            }
            if part.kind == ArgumentType::PureToken && !part.multiple {
                steps.push(Step::Words(words(part)));
                continue;
            }
            for (name, ty, written) in self.part(part, counted)? {
                let name = fresh(&name, &binds);
                let written = match written {
                    Step::List(list) => Step::List(ListStep {
                        list: name.clone(),
                        ..list
                    }),
                    Step::Value(_, ty) => Step::Value(name.clone(), ty),
                    other => other,
                };
                let words = token_words(part);
                if !matches!(written, Step::List(_)) {
                    steps.push(Step::Words(words));
                }
                steps.push(written);
                if at == 0
                    && argument.token.is_none()
                    && part.token.is_none()
                    && argument.arguments.len() > 1
                    && let Ty::Enum {
                        name: enum_name,
                        borrows: false,
                        ..
                    } = &ty
                {
                    by_token = self.tokens_of(enum_name, part);
                }
                binds.push(name.clone());
                parameters.push(Parameter { name, ty });
            }
        }
        let steps = join_words(steps);
        if parameters.is_empty() {
            if let Some(slot) = slot {
                self.slots[slot].name.clone_from(&field);
            }
            return Ok(vec![Step::When(format!("self.{field}"), steps)]);
        }
        self.fields[place].kind = FieldKind::Optional(
            parameters
                .iter()
                .map(|parameter| parameter.ty.clone())
                .collect(),
        );
        self.options[option].kind = OptKind::Values {
            setter,
            parameters,
            by_token,
        };
        Ok(vec![Step::Optional(field, binds, steps)])
    }

    /// One setter for each token of a leading enum, such as `maxlen` and `minid` of XTRIM.
    fn tokens_of(&mut self, enum_name: &str, part: &Argument) -> Vec<(String, String, String)> {
        let Some(variants) = self
            .types
            .enums
            .get(enum_name)
            .map(|item| item.variants.clone())
        else {
            return Vec::new();
        };
        if variants.iter().any(|variant| !variant.fields.is_empty()) {
            return Vec::new();
        }
        variants
            .iter()
            .map(|variant| {
                let setter = self.unique(&variant.constructor, part);
                (
                    setter,
                    format!("{enum_name}::{}", variant.name),
                    variant.syntax.clone(),
                )
            })
            .collect()
    }

    /// A required part of an optional block or of an alternative: name, type, and how it is written.
    fn part(
        &mut self,
        part: &Argument,
        count: Option<(Count, &Argument)>,
    ) -> Lowered<Vec<(String, Ty, Step)>> {
        let name = parameter_name(part);
        if part.multiple {
            let (step, ty) = self.list(part, count)?;
            return Ok(vec![(name, ty, Step::List(step))]);
        }
        if part.kind == ArgumentType::Block {
            let ty = self.ty(part)?;
            return Ok(vec![(name.clone(), ty.clone(), Step::Value(name, ty))]);
        }
        let ty = self.ty(part)?;
        Ok(vec![(name.clone(), ty.clone(), Step::Value(name, ty))])
    }

    fn choice(&mut self, argument: &Argument, after: Option<usize>) -> Lowered<Vec<Step>> {
        let ty = self.ty(argument)?;
        let Ty::Enum {
            name: enum_name,
            borrows,
            ..
        } = ty.clone()
        else {
            return Err(format!(
                "`{}` is a oneof that became no enum",
                argument.name
            ));
        };
        let variants = self.types.enums[&enum_name].variants.clone();
        let option = self.options.len();
        let field_name = argument
            .token
            .as_ref()
            .map_or_else(|| argument.name.to_snake_case(), |_| option_name(argument));
        let setter = self.unique(&identifier(&field_name), argument);
        self.fields.push(Field {
            name: setter.clone(),
            kind: FieldKind::Optional(vec![ty.clone()]),
        });
        let by_token = argument.token.is_none();
        let alternatives = if by_token {
            variants
                .iter()
                .zip(choices(argument))
                .map(|(variant, source)| Alternative {
                    setter: self.unique(&variant.constructor, argument),
                    variant: variant.name.clone(),
                    named: variant.fields.len() > 1,
                    parameters: variant
                        .fields
                        .iter()
                        .map(|(name, ty)| Parameter {
                            name: name.clone(),
                            ty: ty.clone(),
                        })
                        .collect(),
                    state: 0,
                    note: note(source),
                })
                .collect()
        } else {
            Vec::new()
        };
        self.options.push(Opt {
            field: setter.clone(),
            slot: None,
            after,
            kind: OptKind::Choice {
                name: enum_name,
                borrows,
                setter: Some(setter.clone()),
                nullable: true,
                alternatives,
            },
            note: note(argument),
        });
        self.fill(option);
        self.mark(argument, option, None);
        for (at, source) in choices(argument).into_iter().enumerate() {
            self.mark(source, option, by_token.then_some(at));
        }
        let steps = vec![
            Step::Words(token_words(argument)),
            Step::Value(setter.clone(), ty),
        ];
        Ok(vec![Step::Optional(
            setter.clone(),
            vec![setter],
            join_words(steps),
        )])
    }

    fn option(&mut self, argument: &Argument, field: &str, after: Option<usize>, kind: OptKind) {
        let option = self.options.len();
        self.options.push(Opt {
            field: field.to_owned(),
            slot: None,
            after,
            kind,
            note: note(argument),
        });
        self.mark(argument, option, None);
    }

    fn mark(&mut self, argument: &Argument, option: usize, alternative: Option<usize>) {
        for name in guard_names(argument) {
            self.marks.entry(name).or_insert(Mark {
                option,
                alternative,
            });
        }
    }

    /// Gives an option a slot of the type-state.
    fn fill(&mut self, option: usize) -> usize {
        if let Some(slot) = self.options[option].slot {
            return slot;
        }
        let slot = self.slots.len();
        self.slots.push(Slot {
            name: self.options[option].field.clone(),
            states: 0,
            has_zero: true,
        });
        self.options[option].slot = Some(slot);
        slot
    }

    /// A repeated argument: how it is written and the type of the whole.
    fn list(
        &mut self,
        argument: &Argument,
        count: Option<(Count, &Argument)>,
    ) -> Lowered<(ListStep, Ty)> {
        let mut single = argument.clone();
        single.multiple = false;
        single.token = None;
        let item = self.ty(&single)?;
        let mut before = count
            .map(|(_, source)| token_words(source))
            .unwrap_or_default();
        let mut before_each = Vec::new();
        if argument.multiple_token {
            before_each = token_words(argument);
        } else {
            before.extend(token_words(argument));
        }
        let step = ListStep {
            list: String::new(),
            item: item.clone(),
            before,
            before_each,
            count: count.map(|(count, _)| count),
            may_be_empty: false,
            noun: argument.name.clone(),
            columns: Vec::new(),
        };
        Ok((step, Ty::List(Box::new(item))))
    }

    /// The type of one value.
    fn ty(&mut self, argument: &Argument) -> Lowered<Ty> {
        Ok(match argument.kind {
            ArgumentType::Key | ArgumentType::Channel => Ty::Key,
            ArgumentType::String | ArgumentType::Pattern => Ty::Text,
            ArgumentType::Integer => match unit(argument) {
                Some(Unit::Seconds) => Ty::Seconds,
                Some(Unit::Milliseconds) => Ty::Milliseconds,
                _ => Ty::Integer,
            },
            ArgumentType::Double => Ty::Double,
            ArgumentType::UnixTime => match unit(argument) {
                Some(Unit::Milliseconds) => Ty::UnixMilliseconds,
                _ => Ty::UnixSeconds,
            },
            ArgumentType::PureToken => {
                return Err(format!("the token `{}` cannot be a value", argument.name));
            }
            ArgumentType::Oneof => self.enum_type(argument)?,
            ArgumentType::Block => self.block(argument)?,
        })
    }

    fn enum_type(&mut self, argument: &Argument) -> Lowered<Ty> {
        let mut variants = Vec::new();
        let mut seen = BTreeSet::new();
        for source in choices(argument) {
            let mut variant = self.enum_variant(source)?;
            if !seen.insert(variant.name.clone()) {
                variant.name = source.name.to_upper_camel_case();
                variant.constructor = identifier(&source.name.to_snake_case());
                if !seen.insert(variant.name.clone()) {
                    return Err(format!(
                        "two alternatives of `{}` have one name",
                        argument.name
                    ));
                }
            }
            variants.push(variant);
        }
        let pure = argument
            .arguments
            .iter()
            .all(|a| a.kind == ArgumentType::PureToken);
        let tokens: BTreeSet<_> = variants
            .iter()
            .map(|variant| variant.before.join(" "))
            .collect();
        let key = tokens.into_iter().collect::<Vec<_>>().join("|");
        let named = pure.then(|| self.names.enums.get(&key)).flatten();
        let name = named.map_or_else(
            || {
                format!(
                    "{}{}",
                    self.variant.type_name,
                    argument.name.to_upper_camel_case()
                )
            },
            |named| named.name.clone(),
        );
        let mut model = EnumModel {
            name: name.clone(),
            commands: BTreeSet::from([self.name.to_owned()]),
            doc: named.map(|named| named.doc.clone()),
            variants,
        };
        if let Some(known) = self.types.enums.get_mut(&name) {
            known.commands.insert(self.name.to_owned());
            if pure && named.is_some() {
                // The order of equal token sets may differ; versions are those of the first.
                model = known.clone();
            } else if known.variants != model.variants {
                return Err(format!("two different enums would be called {name}"));
            }
        } else {
            self.types.enums.insert(name.clone(), model.clone());
        }
        Ok(Ty::Enum {
            name,
            borrows: model.borrows(),
            open: model.open().is_some(),
        })
    }

    fn enum_variant(&mut self, source: &Argument) -> Lowered<VariantModel> {
        let constructor = option_name(source);
        let mut variant = VariantModel {
            name: constructor.trim_start_matches("r#").to_upper_camel_case(),
            constructor,
            before: Vec::new(),
            fields: Vec::new(),
            steps: Vec::new(),
            syntax: Argument {
                optional: false,
                ..source.clone()
            }
            .to_string(),
            since: source.since.clone(),
            provider: source.provider,
        };
        match source.kind {
            ArgumentType::PureToken => variant.before = words(source),
            ArgumentType::Block if !source.multiple => {
                variant.before = token_words(source);
                let simple = columns(&source.arguments).is_none()
                    && source.arguments.iter().all(|part| !part.optional);
                if simple {
                    let mut steps = Vec::new();
                    let mut count = None;
                    for (at, part) in source.arguments.iter().enumerate() {
                        if let Some(counts) = is_count(part, source.arguments.get(at + 1)) {
                            count = Some((counts, part));
                            continue;
                        }
                        if part.kind == ArgumentType::PureToken && !part.multiple {
                            steps.push(Step::Words(words(part)));
                            continue;
                        }
                        for (name, ty, written) in self.part(part, count.take())? {
                            if let Step::List(list) = written {
                                steps.push(Step::List(ListStep {
                                    list: name.clone(),
                                    ..list
                                }));
                            } else {
                                steps.push(Step::Words(token_words(part)));
                                steps.push(Step::Value(name.clone(), ty.clone()));
                            }
                            variant.fields.push((name, ty));
                        }
                    }
                    variant.steps = join_words(steps);
                    if variant.before.is_empty()
                        && let Some(Step::Words(first)) = variant.steps.first()
                    {
                        variant.before.clone_from(first);
                        variant.steps.remove(0);
                    }
                } else {
                    let mut block = source.clone();
                    block.token = None;
                    let ty = self.block(&block)?;
                    let name = parameter_name(source);
                    variant.steps = vec![Step::Value(name.clone(), ty.clone())];
                    variant.fields.push((name, ty));
                }
            }
            _ => {
                let name = parameter_name(source);
                if source.multiple {
                    let (list, ty) = self.list(source, None)?;
                    variant.steps = vec![Step::List(ListStep {
                        list: name.clone(),
                        ..list
                    })];
                    variant.fields.push((name, ty));
                } else {
                    let mut bare = source.clone();
                    bare.token = None;
                    let ty = self.ty(&bare)?;
                    variant.before = token_words(source);
                    variant.steps = vec![Step::Value(name.clone(), ty.clone())];
                    variant.fields.push((name, ty));
                }
            }
        }
        Ok(variant)
    }

    /// A block that is a value of its own: an element of a list, or an alternative with options.
    fn block(&mut self, argument: &Argument) -> Lowered<Ty> {
        let mut required = Vec::new();
        let mut optional = Vec::new();
        let mut steps = vec![Step::Words(token_words(argument))];
        let mut count = None;
        for (at, part) in argument.arguments.iter().enumerate() {
            if let Some(counts) = is_count(part, argument.arguments.get(at + 1)) {
                count = Some((counts, part));
                continue;
            }
            let counted = count.take();
            if part.kind == ArgumentType::PureToken && !part.multiple {
                if part.optional {
                    let name = option_name(part);
                    steps.push(Step::Flag(name.clone(), words(part)));
                    optional.push((name, None, part.to_string()));
                } else {
                    steps.push(Step::Words(words(part)));
                }
                continue;
            }
            for (name, ty, written) in self.part(part, counted)? {
                let name = if part.optional {
                    option_name(part)
                } else {
                    name
                };
                let place = if part.optional {
                    name.clone()
                } else {
                    format!("self.{name}")
                };
                let written = match written {
                    Step::List(list) => {
                        let list_place = if part.optional {
                            name.clone()
                        } else {
                            format!("&self.{name}")
                        };
                        vec![Step::List(ListStep {
                            list: list_place,
                            ..list
                        })]
                    }
                    _ => vec![
                        Step::Words(token_words(part)),
                        Step::Value(place, ty.clone()),
                    ],
                };
                if part.optional {
                    steps.push(Step::Optional(name.clone(), vec![name.clone()], written));
                    optional.push((name, Some(ty), part.to_string()));
                } else {
                    steps.extend(written);
                    required.push((name, ty));
                }
            }
        }
        let simple = optional.is_empty()
            && required.len() > 1
            && required.len() <= 3
            && required.iter().all(|(_, ty)| ty.is_scalar())
            && steps
                .iter()
                .all(|step| !matches!(step, Step::Words(words) if !words.is_empty()));
        let name = if simple {
            row_name(&required)
        } else {
            format!(
                "{}{}",
                self.variant.type_name,
                argument.name.to_upper_camel_case()
            )
        };
        let text = syntax(&argument.arguments);
        let mut candidate = name.clone();
        let steps = join_words(steps);
        // Another command may have taken the name for other parts.
        let same = |known: &BlockModel| known.required == required && known.steps == steps;
        if self
            .types
            .blocks
            .get(&candidate)
            .is_some_and(|known| !same(known))
        {
            candidate = format!("{}{name}", self.variant.type_name);
        }
        if self.types.enums.contains_key(&candidate) {
            candidate.push_str("Block");
        }
        Ok(self.block_type(candidate, required, optional, steps, text))
    }

    fn block_type(
        &mut self,
        name: String,
        required: Vec<(String, Ty)>,
        optional: Vec<(String, Option<Ty>, String)>,
        steps: Vec<Step>,
        syntax: String,
    ) -> Ty {
        let model = BlockModel {
            name: name.clone(),
            commands: BTreeSet::from([self.name.to_owned()]),
            syntax,
            required,
            optional,
            steps,
        };
        let borrows = model.borrows();
        self.types
            .blocks
            .entry(name.clone())
            .and_modify(|known| {
                known.commands.insert(self.name.to_owned());
            })
            .or_insert(model);
        Ty::Block { name, borrows }
    }

    /// A name that no other field, setter or parameter of the command has.
    fn unique(&mut self, wanted: &str, argument: &Argument) -> String {
        let plain = wanted.trim_start_matches("r#");
        let candidates = [
            plain.to_owned(),
            argument.name.to_snake_case(),
            format!("{}_{plain}", argument.name.to_snake_case()),
        ];
        let chosen = candidates
            .into_iter()
            .chain((2..).map(|n| format!("{plain}_{n}")))
            .find(|name| !name.is_empty() && !self.taken.contains(name))
            .unwrap_or_default();
        self.taken.insert(chosen.clone());
        identifier(&chosen)
    }

    /// Which type the reply has in which state.
    fn reply(&mut self, reply: &replies::Reply) -> Lowered<ReplyModel> {
        if reply.guarded.is_empty() {
            return Ok(ReplyModel::Fixed(reply.default.clone()));
        }
        // Which guards speak of which alternative decides the number that a slot carries.
        let mut mentions: BTreeMap<usize, BTreeMap<usize, BTreeSet<usize>>> = BTreeMap::new();
        for (at, (guard, _)) in reply.guarded.iter().enumerate() {
            for name in names_in(guard) {
                let mark = *self.marks.get(&name).ok_or_else(|| {
                    format!("its reply depends on `{name}`, which is no option of it")
                })?;
                self.fill(mark.option);
                if let Some(alternative) = mark.alternative {
                    mentions
                        .entry(mark.option)
                        .or_default()
                        .entry(alternative)
                        .or_default()
                        .insert(at);
                }
            }
        }
        for (option, mentioned) in &mentions {
            let slot = self.fill(*option);
            let OptKind::Choice {
                setter,
                alternatives,
                nullable,
                ..
            } = &mut self.options[*option].kind
            else {
                continue;
            };
            let kinds: BTreeSet<_> = (0..alternatives.len())
                .map(|at| mentioned.get(&at).cloned().unwrap_or_default())
                .collect();
            if kinds.len() == 1 {
                let accepts_absence = reply.guarded.iter().all(|(guard, ty)| {
                    !names_in(guard).iter().any(|name| {
                        self.marks
                            .get(name)
                            .is_some_and(|mark| mark.option == *option)
                    }) || *ty == replies::Type::Optional(Box::new(reply.default.clone()))
                });
                *nullable = accepts_absence;
                continue;
            }
            let mut numbers: Vec<BTreeSet<usize>> = vec![BTreeSet::new()];
            for (at, alternative) in alternatives.iter_mut().enumerate() {
                let key = mentioned.get(&at).cloned().unwrap_or_default();
                let number = numbers
                    .iter()
                    .position(|known| *known == key)
                    .unwrap_or_else(|| {
                        numbers.push(key);
                        numbers.len() - 1
                    });
                alternative.state = u8::try_from(number).unwrap_or(u8::MAX);
            }
            *setter = None;
            self.slots[slot].states = u8::try_from(numbers.len() - 1).unwrap_or(u8::MAX);
            self.slots[slot].has_zero = alternatives
                .iter()
                .any(|alternative| alternative.state == 0);
        }
        let relevant: BTreeSet<usize> = reply
            .guarded
            .iter()
            .flat_map(|(guard, _)| names_in(guard))
            .filter_map(|name| self.options[self.marks[&name].option].slot)
            .collect();
        let mut patterns = Vec::new();
        let mut pattern = vec![State::Any; self.slots.len()];
        self.patterns(
            reply,
            &relevant.into_iter().collect::<Vec<_>>(),
            &mut pattern,
            &mut patterns,
        );
        Ok(ReplyModel::ByState(patterns))
    }

    /// Splits the states until each pattern has one type.
    fn patterns(
        &self,
        reply: &replies::Reply,
        open: &[usize],
        pattern: &mut Vec<State>,
        found: &mut Vec<(Vec<State>, replies::Type)>,
    ) {
        if let Some(ty) = self.decided(reply, pattern) {
            found.push((pattern.clone(), ty));
            return;
        }
        let Some((slot, rest)) = open.split_first() else {
            return;
        };
        let model = &self.slots[*slot];
        let first = u8::from(!model.has_zero);
        let states = std::iter::once(State::Open).chain((first..=model.states).map(State::Given));
        for state in states {
            pattern[*slot] = state;
            self.patterns(reply, rest, pattern, found);
        }
        pattern[*slot] = State::Any;
    }

    /// The type in a pattern, if the states that are left open there do not matter.
    fn decided(&self, reply: &replies::Reply, pattern: &[State]) -> Option<replies::Type> {
        for (guard, ty) in &reply.guarded {
            match self.holds(guard, pattern) {
                Some(true) => return Some(ty.clone()),
                Some(false) => {}
                None => return None,
            }
        }
        Some(reply.default.clone())
    }

    fn holds(&self, guard: &Guard, pattern: &[State]) -> Option<bool> {
        evaluate(guard, &|name| {
            let mark = self.marks.get(name)?;
            let option = &self.options[mark.option];
            let state = pattern[option.slot?];
            match (state, mark.alternative, &option.kind) {
                (State::Any, ..) => None,
                (State::Open, ..) => Some(false),
                (State::Given(number), Some(at), OptKind::Choice { alternatives, .. }) => {
                    Some(alternatives[at].state == number)
                }
                (State::Given(_), ..) => Some(true),
            }
        })
    }

    fn patience(&self) -> Lowered<Option<PatienceModel>> {
        let Some(blocking) = &self.command.blocking else {
            return Ok(None);
        };
        let wanted = identifier(&blocking.timeout.to_snake_case());
        let unit = blocking.unit;
        if self
            .parameters
            .iter()
            .any(|parameter| parameter.name == wanted)
        {
            return Ok(Some(PatienceModel {
                field: wanted,
                part: None,
                optional: false,
                unit,
            }));
        }
        for option in &self.options {
            let OptKind::Values { parameters, .. } = &option.kind else {
                continue;
            };
            if let Some(at) = parameters
                .iter()
                .position(|parameter| parameter.name == wanted)
            {
                let part = (parameters.len() > 1).then_some(at);
                let field = option.field.clone();
                return Ok(Some(PatienceModel {
                    field,
                    part,
                    optional: true,
                    unit,
                }));
            }
        }
        Err(format!(
            "it blocks for `{}`, which is no argument of it",
            blocking.timeout
        ))
    }
}

/// The types of two or more uncounted repeated values that stand side by side, such as the keys
/// and the ids of XREAD: rows that are written column by column.
fn columns(arguments: &[Argument]) -> Option<Vec<(String, Ty)>> {
    let parallel = arguments.len() > 1
        && arguments.iter().all(|argument| {
            argument.multiple
                && !argument.optional
                && argument.token.is_none()
                && !matches!(
                    argument.kind,
                    ArgumentType::Block | ArgumentType::Oneof | ArgumentType::PureToken
                )
        });
    parallel.then(|| {
        arguments
            .iter()
            .map(|argument| {
                let ty = match argument.kind {
                    ArgumentType::Key => Ty::Key,
                    ArgumentType::Integer => Ty::Integer,
                    ArgumentType::Double => Ty::Double,
                    _ => Ty::Text,
                };
                (parameter_name(argument), ty)
            })
            .collect()
    })
}

/// Whether `argument` counts the repetitions of the one after it.
fn is_count(argument: &Argument, next: Option<&Argument>) -> Option<Count> {
    let counts = argument.kind == ArgumentType::Integer
        && !argument.optional
        && !argument.multiple
        && next.is_some_and(|next| next.multiple);
    match argument.count {
        Some(Count::None) => None,
        Some(count) => Some(count),
        None => counts.then_some(Count::Items),
    }
}

/// The alternatives of a oneof without those that only spell another one differently: a symbol
/// among words, such as `-` for `start`.
fn choices(argument: &Argument) -> Vec<&Argument> {
    let word = |part: &&Argument| {
        part.token
            .as_deref()
            .is_some_and(|token| token.chars().any(char::is_alphabetic))
    };
    let pure = argument
        .arguments
        .iter()
        .all(|part| part.kind == ArgumentType::PureToken);
    let words: Vec<_> = argument.arguments.iter().filter(word).collect();
    if pure && !words.is_empty() {
        words
    } else {
        argument.arguments.iter().collect()
    }
}

/// The unit of a time, from the correction or from the name.
fn unit(argument: &Argument) -> Option<Unit> {
    if let Some(unit) = argument.unit {
        return Some(unit);
    }
    let name = argument.name.to_snake_case();
    if name.ends_with("milliseconds") || name == "ms" {
        Some(Unit::Milliseconds)
    } else if name.ends_with("seconds") {
        Some(Unit::Seconds)
    } else {
        None
    }
}

/// What a reply guard may call an argument: its token, and its name after an `@`.
fn guard_names(argument: &Argument) -> Vec<String> {
    let mut names = vec![format!("@{}", argument.name)];
    names.extend(argument.token.clone());
    if argument.kind == ArgumentType::Block
        && let Some(first) = argument.arguments.first()
        && let (Some(token), false) = (&first.token, first.optional)
    {
        names.push(token.clone());
    }
    names
}

fn guard_names_of(argument: &Argument) -> Vec<String> {
    argument.arguments.iter().flat_map(guard_names).collect()
}

/// The names that a guard looks for, as [`guard_names`] spells them.
fn names_in(guard: &Guard) -> Vec<String> {
    guard
        .all
        .iter()
        .flat_map(|condition| condition.any.iter().map(given_name))
        .collect()
}

fn given_name(given: &Given) -> String {
    match given {
        Given::Token(token) => token.clone(),
        Given::Argument(name) => format!("@{name}"),
    }
}

/// Whether a guard holds, if what is known of the options decides it.
fn evaluate(guard: &Guard, given: &dyn Fn(&str) -> Option<bool>) -> Option<bool> {
    let one = |condition: &Condition| {
        let found: Vec<_> = condition
            .any
            .iter()
            .map(|name| given(&given_name(name)))
            .collect();
        let any = if found.contains(&Some(true)) {
            Some(true)
        } else if found.contains(&None) {
            None
        } else {
            Some(false)
        };
        any.map(|any| any != condition.negated)
    };
    let parts: Vec<_> = guard.all.iter().map(one).collect();
    if parts.contains(&Some(false)) {
        Some(false)
    } else if parts.contains(&None) {
        None
    } else {
        Some(true)
    }
}

/// The reply of a method that always sends the alternative called `chosen` out of `all`.
fn narrowed(reply: &replies::Reply, chosen: &[String], all: &[String]) -> replies::Reply {
    let mut rest = Vec::new();
    for (guard, ty) in &reply.guarded {
        let held = evaluate(guard, &|name| {
            let name = name.to_owned();
            if chosen.contains(&name) {
                Some(true)
            } else {
                all.contains(&name).then_some(false)
            }
        });
        match held {
            Some(true) => {
                return replies::Reply {
                    default: ty.clone(),
                    guarded: rest,
                    note: None,
                };
            }
            Some(false) => {}
            None => rest.push((guard.clone(), ty.clone())),
        }
    }
    replies::Reply {
        default: reply.default.clone(),
        guarded: rest,
        note: None,
    }
}

/// The name of a setter or an alternative: the token where it is a word, else the spec's name.
fn option_name(argument: &Argument) -> String {
    let constant = || {
        let first = argument.arguments.first()?;
        (argument.kind == ArgumentType::Block
            && first.kind == ArgumentType::PureToken
            && !first.optional)
            .then(|| first.token.as_deref())
            .flatten()
    };
    let token = argument
        .token
        .as_deref()
        .or_else(constant)
        .unwrap_or_default();
    let word = token.chars().any(char::is_alphabetic);
    let name = if word { token } else { &argument.name };
    identifier(&name.to_snake_case())
}

/// The name of the setter of an optional block.
fn block_name(argument: &Argument) -> String {
    let required: Vec<_> = argument
        .arguments
        .iter()
        .filter(|part| !part.optional && part.kind != ArgumentType::PureToken)
        .collect();
    let constant = argument.arguments.first().is_some_and(|part| {
        part.kind == ArgumentType::PureToken && !part.optional && part.token.is_some()
    });
    match (&argument.token, &*required) {
        (None, [only]) if !constant && only.kind != ArgumentType::Oneof => option_name(only),
        _ => option_name(argument),
    }
}

/// The name of a parameter: the spec's.
fn parameter_name(argument: &Argument) -> String {
    identifier(&argument.name.to_snake_case())
}

/// The name of a row of scalars: the names of its columns.
fn row_name(columns: &[(String, Ty)]) -> String {
    columns
        .iter()
        .map(|(name, _)| name.trim_start_matches("r#").to_upper_camel_case())
        .collect()
}

fn fresh(wanted: &str, taken: &[String]) -> String {
    if !taken.iter().any(|name| name == wanted) {
        return wanted.to_owned();
    }
    (2..)
        .map(|n| format!("{wanted}_{n}"))
        .find(|name| !taken.contains(name))
        .unwrap_or_default()
}

/// A Rust identifier for a name of the spec.
fn identifier(name: &str) -> String {
    let mut text: String = name
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect();
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        text.insert(0, '_');
    }
    const KEYWORDS: [&str; 37] = [
        "as", "async", "await", "break", "const", "continue", "dyn", "else", "enum", "extern",
        "false", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "match", "mod", "move",
        "mut", "pub", "ref", "return", "static", "struct", "trait", "true", "type", "unsafe",
        "use", "where", "while", "box", "override",
    ];
    if KEYWORDS.contains(&text.as_str()) {
        format!("r#{text}")
    } else {
        text
    }
}

/// The words of a token: a space separates two.
fn words(argument: &Argument) -> Vec<String> {
    match argument.token.as_deref() {
        Some("") => vec![String::new()],
        Some(token) => token.split(' ').map(str::to_owned).collect(),
        None => Vec::new(),
    }
}

/// The words before a value.
fn token_words(argument: &Argument) -> Vec<String> {
    words(argument)
}

/// Joins constants that follow each other, and drops empty ones.
fn join_words(steps: Vec<Step>) -> Vec<Step> {
    let mut joined: Vec<Step> = Vec::new();
    for step in steps {
        match (joined.last_mut(), step) {
            (_, Step::Words(words)) if words.is_empty() => {}
            (Some(Step::Words(known)), Step::Words(words)) => known.extend(words),
            (_, Step::Optional(field, binds, steps)) => {
                joined.push(Step::Optional(field, binds, join_words(steps)));
            }
            (_, step) => joined.push(step),
        }
    }
    joined
}

fn note(argument: &Argument) -> Note {
    Note {
        syntax: Argument {
            optional: false,
            ..argument.clone()
        }
        .to_string(),
        since: argument.since.clone(),
        provider: argument.provider,
    }
}
