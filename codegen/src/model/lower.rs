//! The grammar of a command as fields, parameters, options, slots and steps.

use std::collections::{BTreeMap, BTreeSet};

use heck::{ToSnakeCase, ToUpperCamelCase};

use crate::{
    error::Error,
    names::Names,
    replies,
    spec::{Argument, ArgumentType, Command, Count},
    syntax::syntax,
};

use super::{
    Alternative, CommandModel, Condition, Field, FieldKind, LayoutKind, LayoutOption, ListStep,
    NamesModel, Note, Opt, OptKind, Parameter, PatienceModel, Place, ReplyModel, Slot, State, Step,
    TokenSetter, Ty, Types, VariantModel, fail,
    naming::{
        block_name, fresh, identifier, noun, option_name, parameter_name, row_name, type_name,
        words,
    },
    state::{guard_names, guard_names_of, narrowed},
    values::choices,
};

/// One method of a command: the command itself, or an alternative that it was split into.
pub(super) struct Variant {
    pub(super) method: String,
    pub(super) type_name: String,
    pub(super) alternative: Option<String>,
}

pub(super) fn split(name: &str, command: &Command) -> Result<Vec<Variant>, Error> {
    let words = name.to_lowercase().replace(['.', ' ', '-'], "_");
    let method = words.replace("__", "_");
    let type_name = type_name(&method.to_upper_camel_case());
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
            // An alternative that is called like the choice is the command as it is known.
            if alternative.name == *choice {
                return Variant {
                    method: identifier(&method),
                    type_name: type_name.clone(),
                    alternative: Some(alternative.name.clone()),
                };
            }
            let word = option_name(alternative);
            Variant {
                method: format!("{method}_{word}"),
                type_name: format!("{type_name}{}", word.to_upper_camel_case()),
                alternative: Some(alternative.name.clone()),
            }
        })
        .collect())
}

/// Lowers the grammar of one command.
pub(super) struct Lowering<'a> {
    pub(super) name: &'a str,
    pub(super) command: &'a Command,
    pub(super) variant: &'a Variant,
    pub(super) names: &'a Names,
    pub(super) types: &'a mut Types,
    pub(super) fields: Vec<Field>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) options: Vec<Opt>,
    pub(super) slots: Vec<Slot>,
    pub(super) taken: BTreeSet<String>,
    /// Tokens and names of options, with the slot and state that say they were given.
    pub(super) marks: BTreeMap<String, Mark>,
}

/// How a reply guard recognises an option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) option: usize,
    pub(super) alternative: Option<usize>,
}

pub(super) type Lowered<T> = Result<T, String>;

impl<'a> Lowering<'a> {
    pub(super) fn new(
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

    pub(super) fn lower(mut self, reply: &replies::Reply) -> Lowered<CommandModel> {
        let mut arguments = self.command.arguments.clone();
        let mut reply = reply.clone();
        let mut chosen_note = None;
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
                chosen_note = Some(note(&alternative));
                *argument = alternative;
            }
        }
        let syntax = format!("{} {}", self.name, syntax(&arguments))
            .trim_end()
            .to_owned();
        let steps = self.sequence(&arguments, None)?;
        let reply = self.reply(&reply)?;
        if let ReplyModel::ByState(patterns) = &reply {
            for option in &mut self.options {
                let state = |(pattern, _): &(Vec<State>, _)| {
                    option.slot.and_then(|slot| pattern.get(slot).copied())
                };
                option.decides = patterns
                    .iter()
                    .filter_map(state)
                    .any(|state| state != State::Any);
            }
        }
        let patience = self.patience()?;
        let names = self.reply_names()?;
        let layout = self.layout(&reply)?;
        Ok(CommandModel {
            name: self.name.to_owned(),
            method: self.variant.method.clone(),
            type_name: self.variant.type_name.clone(),
            syntax,
            fields: self.fields,
            parameters: self.parameters,
            options: self.options,
            slots: self.slots,
            steps: join_words(steps),
            reply,
            layout,
            patience,
            names,
            note: chosen_note,
            needs: Vec::new(),
        })
    }

    /// The options that who reads the reply has to know.
    fn layout(&self, reply: &ReplyModel) -> Lowered<Vec<LayoutOption>> {
        let ReplyModel::Fixed(replies::Type::Laid(_, tokens)) = reply else {
            return Ok(Vec::new());
        };
        let option = |token: &String| {
            let mark = self.marks.get(token);
            let field = mark.map(|mark| &self.options[mark.option].field);
            let field = self.fields.iter().find(|it| Some(&it.name) == field);
            let kind = match field.map(|field| &field.kind) {
                Some(FieldKind::Flag) => LayoutKind::Flag,
                Some(FieldKind::Optional(types)) => match &**types {
                    [Ty::List(_)] => LayoutKind::Length,
                    _ => LayoutKind::Given,
                },
                _ => {
                    return Err(format!(
                        "its reply is laid out by `{token}`, which is no option of it"
                    ));
                }
            };
            let field = field.map(|field| field.name.clone()).unwrap_or_default();
            Ok(LayoutOption { field, kind })
        };
        tokens.iter().map(option).collect()
    }

    /// Where the names are kept by which the elements of the reply were asked for.
    fn reply_names(&self) -> Lowered<Option<NamesModel>> {
        let Some(argument) = &self.command.names else {
            return Ok(None);
        };
        let name = identifier(&argument.to_snake_case());
        let field = self.fields.iter().find(|field| field.name == name);
        let (list, optional) = match field.map(|field| &field.kind) {
            Some(FieldKind::Required(ty)) => (Some(ty), false),
            Some(FieldKind::Optional(types)) if types.len() == 1 => (types.first(), true),
            _ => (None, false),
        };
        match list {
            Some(Ty::List(item)) if matches!(**item, Ty::Key | Ty::Text) => Ok(Some(NamesModel {
                field: name,
                optional,
            })),
            _ => Err(format!(
                "expected a repeated argument `{argument}` of names"
            )),
        }
    }

    /// Lowers siblings in order; an integer before a repeated sibling is its count.
    pub(super) fn sequence(
        &mut self,
        arguments: &[Argument],
        after: Option<usize>,
    ) -> Lowered<Vec<Step>> {
        let mut steps = Vec::new();
        if let Some(columns) = columns(arguments) {
            return self.parallel(&columns, &arguments[0], arguments);
        }
        for part in parts(arguments) {
            let (argument, counted) = match part {
                Part::CountOfWords(at, count) => {
                    let rest = arguments.get(at + 1..).unwrap_or_default();
                    steps.push(Step::Words(words(count)));
                    steps.push(Step::Counted(self.sequence(rest, after)?));
                    return Ok(steps);
                }
                Part::Counted(_, argument, counted) => (argument, counted),
            };
            if argument.optional {
                steps.extend(self.optional(argument, counted, after)?);
            } else {
                steps.extend(self.required(argument, counted)?);
            }
        }
        Ok(steps)
    }

    pub(super) fn required(
        &mut self,
        argument: &Argument,
        count: Option<&Argument>,
    ) -> Lowered<Vec<Step>> {
        if let Some(count) = count.filter(|_| !argument.multiple) {
            return Err(uncounted(count));
        }
        if argument.multiple && argument.handwritten.is_none() {
            let (step, ty) = self.list(argument, count)?;
            return self.parameter(argument, ty, |field| {
                vec![Step::List(ListStep {
                    list: Place::Field(field),
                    ..step
                })]
            });
        }
        match argument.kind {
            ArgumentType::PureToken => Ok(vec![Step::Words(words(argument))]),
            ArgumentType::Block if !is_value(argument) => {
                let mut steps = vec![Step::Words(words(argument))];
                steps.extend(self.sequence(&argument.arguments, None)?);
                Ok(steps)
            }
            ArgumentType::Oneof if argument.arguments.len() == 1 => {
                let mut only = argument.arguments[0].clone();
                only.optional = false;
                self.required(&only, None)
            }
            _ => {
                let ty = self.ty(&without_token(argument))?;
                let words = words(argument);
                self.parameter(argument, ty.clone(), |field| {
                    vec![Step::Words(words), Step::Value(Place::Field(field), ty)]
                })
            }
        }
    }

    pub(super) fn parameter(
        &mut self,
        argument: &Argument,
        ty: Ty,
        steps: impl FnOnce(String) -> Vec<Step>,
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
        Ok(steps(name))
    }

    /// `key [key ...] id [id ...]`: rows that are written column by column.
    pub(super) fn parallel(
        &mut self,
        columns: &[(String, Ty)],
        first: &Argument,
        arguments: &[Argument],
    ) -> Lowered<Vec<Step>> {
        let item = self.rows(columns, arguments);
        let ty = Ty::List(Box::new(item.clone()));
        self.parameter(first, ty, |field| {
            vec![Step::List(ListStep {
                list: Place::Field(field),
                item,
                before: Vec::new(),
                before_each: Vec::new(),
                counted: false,
                may_be_empty: false,
                noun: noun(first),
                columns: columns.to_vec(),
            })]
        })
    }

    pub(super) fn rows(&mut self, columns: &[(String, Ty)], arguments: &[Argument]) -> Ty {
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

    pub(super) fn optional(
        &mut self,
        argument: &Argument,
        count: Option<&Argument>,
        after: Option<usize>,
    ) -> Lowered<Vec<Step>> {
        if argument.steps {
            return self.steps(argument);
        }
        if argument.multiple {
            return self.optional_list(argument, count, after);
        }
        if let Some(count) = count {
            return Err(uncounted(count));
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
            ArgumentType::Block if !is_value(argument) => self.optional_block(argument, after),
            ArgumentType::Oneof if argument.arguments.len() == 1 => {
                let mut only = argument.arguments[0].clone();
                only.optional = true;
                self.optional(&only, None, after)
            }
            ArgumentType::Oneof => self.choice(argument, after),
            _ => {
                let ty = self.ty(&without_token(argument))?;
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
                    sends_empty: false,
                };
                self.option(argument, &setter, after, kind);
                let steps = vec![
                    Step::Words(words(argument)),
                    Step::Value(Place::Bound(setter.clone()), ty),
                ];
                Ok(vec![Step::Optional(setter.clone(), vec![setter], steps)])
            }
        }
    }

    pub(super) fn optional_list(
        &mut self,
        argument: &Argument,
        count: Option<&Argument>,
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
            sends_empty: false,
        };
        self.option(argument, &setter, after, kind);
        let list = ListStep {
            list: Place::Bound(setter.clone()),
            ..step
        };
        let counted = list.counted;
        let written = Step::Optional(setter.clone(), vec![setter.clone()], vec![Step::List(list)]);
        if !counted {
            return Ok(vec![written]);
        }
        // A count that stands before an optional list is written as 0 where the list is absent.
        Ok(vec![
            written,
            Step::When(
                Condition::Absent(setter),
                vec![Step::Words(vec!["0".to_owned()])],
            ),
        ])
    }

    /// Steps in any order: each alternative is a setter, which may be called again and again.
    fn steps(&mut self, argument: &Argument) -> Lowered<Vec<Step>> {
        if !argument.multiple || !argument.optional || argument.kind != ArgumentType::Oneof {
            return Err(format!(
                "`{}` is said to be of steps, expected an optional `oneof` that may be repeated",
                argument.name
            ));
        }
        let (mut step, ty) = self.list(argument, None)?;
        step.may_be_empty = true;
        let Some(name) = ty.named().map(str::to_owned) else {
            return Err(format!("the steps of `{}` became no enum", argument.name));
        };
        let field = self.unique(&parameter_name(argument), argument);
        self.fields.push(Field {
            name: field.clone(),
            kind: FieldKind::Optional(vec![ty]),
        });
        let variants = self.types.enums[&name].variants.clone();
        let alternatives = variants
            .iter()
            .map(|variant| self.alternative(variant, argument))
            .collect();
        let kind = OptKind::Steps { name, alternatives };
        self.option(argument, &field, None, kind);
        let list = ListStep {
            list: Place::Bound(field.clone()),
            ..step
        };
        Ok(vec![Step::Optional(
            field.clone(),
            vec![field],
            vec![Step::List(list)],
        )])
    }

    /// An alternative of an enum as a setter of the command.
    fn alternative(&mut self, variant: &VariantModel, argument: &Argument) -> Alternative {
        Alternative {
            setter: self.unique(&variant.constructor, argument),
            ..alternative(variant)
        }
    }

    /// An optional block is one setter for its required parts; its optional parts are setters
    /// that exist once the block was given.
    pub(super) fn optional_block(
        &mut self,
        argument: &Argument,
        after: Option<usize>,
    ) -> Lowered<Vec<Step>> {
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
            decides: false,
            kind: OptKind::Flag {
                setter: setter.clone(),
            },
            note: note(argument),
        });
        self.mark(argument, option, None);
        let has_options = argument
            .arguments
            .iter()
            .enumerate()
            .any(|(at, part)| part.optional && !is_counted_list(&argument.arguments, at));
        let slot = has_options.then(|| self.fill(option));

        let mut parameters = Vec::new();
        let mut binds = Vec::new();
        let mut steps = vec![Step::Words(words(argument))];
        let mut counted_from = None;
        let mut sends_empty = false;
        let mut by_token = Vec::new();
        let row = columns(&argument.arguments);
        let each: &[Argument] = if row.is_some() {
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
                list: Place::Bound(name),
                item,
                before: Vec::new(),
                before_each: Vec::new(),
                counted: false,
                may_be_empty: false,
                noun: noun(argument),
                columns,
            }));
        }
        for part in parts(each) {
            let (at, part, counted) = match part {
                Part::CountOfWords(_, count) => {
                    steps.push(Step::Words(words(count)));
                    counted_from = Some(steps.len());
                    continue;
                }
                Part::Counted(at, part, counted) => (at, part, counted),
            };
            let may_be_empty = is_counted_list(&argument.arguments, at);
            sends_empty |= may_be_empty;
            if part.optional && !may_be_empty {
                steps.extend(self.optional(part, counted, slot)?);
                continue;
            }
            if part.kind == ArgumentType::PureToken && !part.multiple {
                if let Some(count) = counted {
                    return Err(uncounted(count));
                }
                steps.push(Step::Words(words(part)));
                continue;
            }
            for (name, ty, written) in self.part(part, counted)? {
                let name = fresh(&name, &binds);
                let written = match written {
                    Step::List(list) => Step::List(ListStep {
                        list: Place::Bound(name.clone()),
                        ..list
                    }),
                    Step::Value(_, ty) => Step::Value(Place::Bound(name.clone()), ty),
                    other => other,
                };
                let words = words(part);
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
        let steps = join_words(counted_behind(steps, counted_from));
        if parameters.is_empty() {
            if let Some(slot) = slot {
                self.slots[slot].name.clone_from(&field);
            }
            return Ok(vec![Step::When(Condition::Set(field), steps)]);
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
            sends_empty,
        };
        Ok(vec![Step::Optional(field, binds, steps)])
    }

    /// One setter for each token of a leading enum, such as `maxlen` and `minid` of XTRIM.
    pub(super) fn tokens_of(&mut self, enum_name: &str, part: &Argument) -> Vec<TokenSetter> {
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
            .map(|variant| TokenSetter {
                setter: self.unique(&variant.constructor, part),
                name: enum_name.to_owned(),
                variant: variant.name.clone(),
                syntax: variant.note.syntax.clone(),
            })
            .collect()
    }

    /// A required part of an optional block or of an alternative: name, type, and how it is written.
    pub(super) fn part(
        &mut self,
        part: &Argument,
        count: Option<&Argument>,
    ) -> Lowered<Vec<(String, Ty, Step)>> {
        let name = parameter_name(part);
        if part.multiple {
            let (mut step, ty) = self.list(part, count)?;
            // An empty list is as good as none.
            step.may_be_empty = part.optional;
            return Ok(vec![(name, ty, Step::List(step))]);
        }
        if let Some(count) = count {
            return Err(uncounted(count));
        }
        let ty = self.ty(&without_token(part))?;
        let value = Step::Value(Place::Bound(name.clone()), ty.clone());
        Ok(vec![(name, ty, value)])
    }

    pub(super) fn choice(
        &mut self,
        argument: &Argument,
        after: Option<usize>,
    ) -> Lowered<Vec<Step>> {
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
                    note: note(source),
                    ..self.alternative(variant, argument)
                })
                .collect()
        } else {
            Vec::new()
        };
        self.options.push(Opt {
            field: setter.clone(),
            slot: None,
            after,
            decides: false,
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
            Step::Words(words(argument)),
            Step::Value(Place::Bound(setter.clone()), ty),
        ];
        Ok(vec![Step::Optional(
            setter.clone(),
            vec![setter],
            join_words(steps),
        )])
    }

    pub(super) fn option(
        &mut self,
        argument: &Argument,
        field: &str,
        after: Option<usize>,
        kind: OptKind,
    ) {
        let option = self.options.len();
        self.options.push(Opt {
            field: field.to_owned(),
            slot: None,
            after,
            decides: false,
            kind,
            note: note(argument),
        });
        self.mark(argument, option, None);
    }

    pub(super) fn mark(&mut self, argument: &Argument, option: usize, alternative: Option<usize>) {
        for name in guard_names(argument) {
            self.marks.entry(name).or_insert(Mark {
                option,
                alternative,
            });
        }
    }

    /// Gives an option a slot of the type-state.
    pub(super) fn fill(&mut self, option: usize) -> usize {
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

    /// A name that no other field, setter or parameter of the command has.
    pub(super) fn unique(&mut self, wanted: &str, argument: &Argument) -> String {
        let candidates = [
            wanted.to_owned(),
            argument.name.to_snake_case(),
            format!("{}_{wanted}", argument.name.to_snake_case()),
        ];
        let chosen = candidates
            .into_iter()
            .chain((2..).map(|n| format!("{wanted}_{n}")))
            .find(|name| !name.is_empty() && !self.taken.contains(name))
            .unwrap_or_default();
        self.taken.insert(chosen.clone());
        identifier(&chosen)
    }

    pub(super) fn patience(&self) -> Lowered<Option<PatienceModel>> {
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
pub(super) fn columns(arguments: &[Argument]) -> Option<Vec<(String, Ty)>> {
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

/// A part of a block, with its place there.
pub(super) enum Part<'a> {
    /// The count of the words of all that stands behind it.
    CountOfWords(usize, &'a Argument),
    /// Any other, and the count that stands in front of it.
    Counted(usize, &'a Argument, Option<&'a Argument>),
}

/// The parts of a block, each with the count in front of it, which is no part of its own.
pub(super) fn parts(arguments: &[Argument]) -> impl Iterator<Item = Part<'_>> {
    let mut count = None;
    let each = arguments.iter().enumerate();
    each.filter_map(
        move |(at, part)| match is_count(part, arguments.get(at + 1)) {
            Some(Count::Words) => Some(Part::CountOfWords(at, part)),
            Some(_) => {
                count = Some(part);
                None
            }
            None => Some(Part::Counted(at, part, count.take())),
        },
    )
}

/// What is wrong with a count that would not be written.
pub(super) fn uncounted(count: &Argument) -> String {
    format!("`{}` counts what follows, expected a list", count.name)
}

/// Whether a part is a list that may be empty, behind a count that is sent then, too.
pub(super) fn is_counted_list(parts: &[Argument], at: usize) -> bool {
    let Some((part, before)) = parts.get(at).zip(at.checked_sub(1)) else {
        return false;
    };
    part.optional && part.multiple && is_count(&parts[before], Some(part)).is_some()
}

/// Whether a block is a value of its own, and its parts are not those of the command.
pub(super) fn is_value(argument: &Argument) -> bool {
    argument.rust_type.is_some() || argument.handwritten.is_some()
}

/// The argument as it stands behind its token.
pub(super) fn without_token(argument: &Argument) -> Argument {
    Argument {
        token: None,
        ..argument.clone()
    }
}

/// The steps with those from a place on behind a count of their words.
pub(super) fn counted_behind(mut steps: Vec<Step>, from: Option<usize>) -> Vec<Step> {
    if let Some(from) = from {
        let counted = steps.split_off(from.min(steps.len()));
        steps.push(match counted.is_empty() {
            true => Step::Words(vec!["0".to_owned()]),
            false => Step::Counted(counted),
        });
    }
    steps
}

/// An alternative of an enum as a function of its own.
pub(super) fn alternative(variant: &VariantModel) -> Alternative {
    let parameters = variant.fields.iter().map(|(name, ty)| Parameter {
        name: name.clone(),
        ty: ty.clone(),
    });
    Alternative {
        setter: variant.constructor.clone(),
        variant: variant.name.clone(),
        named: variant.fields.len() > 1,
        parameters: parameters.collect(),
        state: 0,
        note: variant.note.clone(),
    }
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

/// Joins constants that follow each other, and drops empty ones.
pub(super) fn join_words(steps: Vec<Step>) -> Vec<Step> {
    let mut joined: Vec<Step> = Vec::new();
    for step in steps {
        match (joined.last_mut(), step) {
            (_, Step::Words(words)) if words.is_empty() => {}
            (Some(Step::Words(known)), Step::Words(words)) => known.extend(words),
            (_, Step::Optional(field, binds, steps)) => {
                joined.push(Step::Optional(field, binds, join_words(steps)));
            }
            (_, Step::Counted(steps)) => joined.push(Step::Counted(join_words(steps))),
            (_, step) => joined.push(step),
        }
    }
    joined
}

pub(super) fn note(argument: &Argument) -> Note {
    Note {
        syntax: Argument {
            optional: false,
            ..argument.clone()
        }
        .to_string(),
        since: argument.since.clone(),
        provider: argument.provider,
        deprecated: argument.deprecated_since.clone(),
    }
}
