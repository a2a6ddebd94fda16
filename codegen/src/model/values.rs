//! The types of values: scalars, enums, blocks and lists of them.

use std::collections::BTreeSet;

use heck::{ToSnakeCase, ToUpperCamelCase};

use crate::{
    spec::{Argument, ArgumentType, Unit},
    syntax::syntax,
};

use super::{
    BlockModel, BlockOption, EnumModel, ListStep, Parameter, Place, Step, Ty, VariantModel,
    lower::{
        Lowered, Lowering, Part, alternative, columns, counted_behind, is_value, join_words, note,
        parts, uncounted,
    },
    naming::{identifier, noun, option_name, parameter_name, row_name, words},
};

/// Parts none of which has a setter of its own.
struct Plain {
    /// Their names and types.
    fields: Vec<(String, Ty)>,
    /// How they are written.
    steps: Vec<Step>,
}

impl Lowering<'_> {
    /// A repeated argument: how it is written and the type of the whole.
    pub(super) fn list(
        &mut self,
        argument: &Argument,
        count: Option<&Argument>,
    ) -> Lowered<(ListStep, Ty)> {
        let mut single = argument.clone();
        single.multiple = false;
        single.token = None;
        let item = self.ty(&single)?;
        let mut before = count.map(words).unwrap_or_default();
        let mut before_each = Vec::new();
        if argument.multiple_token {
            before_each = words(argument);
        } else {
            before.extend(words(argument));
        }
        let step = ListStep {
            list: Place::Bound(parameter_name(argument)),
            item: item.clone(),
            before,
            before_each,
            counted: count.is_some(),
            may_be_empty: false,
            noun: noun(argument),
            columns: Vec::new(),
        };
        Ok((step, Ty::List(Box::new(item))))
    }

    /// The type of one value.
    pub(super) fn ty(&mut self, argument: &Argument) -> Lowered<Ty> {
        if argument.handwritten.is_some() {
            return by_hand(argument);
        }
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

    pub(super) fn enum_type(&mut self, argument: &Argument) -> Lowered<Ty> {
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
        let pure = variants.iter().all(|variant| variant.fields.is_empty());
        let tokens: BTreeSet<_> = variants
            .iter()
            .map(|variant| variant.before.join(" "))
            .collect();
        let tokens = tokens.into_iter().collect::<Vec<_>>().join("|");
        let named = self.names.enums.get(&tokens);
        let own = format!(
            "{}{}",
            self.variant.type_name,
            argument.name.to_upper_camel_case()
        );
        // Equal choices of words are one type, whether or not somebody gave it a name.
        let name = match (&argument.rust_type, named, self.types.choices.get(&tokens)) {
            (Some(name), ..) => name.clone(),
            (None, Some(named), _) => named.name.clone(),
            (None, None, Some(known)) if pure => known.clone(),
            _ => own,
        };
        if pure {
            self.types
                .choices
                .entry(tokens)
                .or_insert_with(|| name.clone());
        }
        let mut model = EnumModel {
            name: name.clone(),
            commands: BTreeSet::from([self.name.to_owned()]),
            doc: named
                .map(|named| &named.doc)
                .or_else(|| self.names.docs.get(&name))
                .cloned(),
            variants,
        };
        if let Some(known) = self.types.enums.get_mut(&name) {
            let same = known.variants.len() == model.variants.len()
                && known
                    .variants
                    .iter()
                    .zip(&model.variants)
                    .all(|(one, other)| (&one.fields, &one.steps) == (&other.fields, &other.steps));
            if !pure && !same {
                return Err(format!("two different enums would be called {name}"));
            }
            known.commands.insert(self.name.to_owned());
            // The order of equal choices may differ; versions are those of the first.
            model = known.clone();
        } else {
            self.types.enums.insert(name.clone(), model.clone());
        }
        Ok(Ty::Enum {
            name,
            borrows: model.borrows(),
            open: model
                .variants
                .iter()
                .any(|variant| !variant.fields.is_empty()),
        })
    }

    pub(super) fn enum_variant(&mut self, source: &Argument) -> Lowered<VariantModel> {
        let constructor = option_name(source);
        let mut variant = VariantModel {
            name: constructor.to_upper_camel_case(),
            constructor,
            before: Vec::new(),
            fields: Vec::new(),
            steps: Vec::new(),
            note: note(source),
        };
        match source.kind {
            ArgumentType::PureToken => variant.before = words(source),
            ArgumentType::Block if !source.multiple => {
                variant.before = words(source);
                let simple = columns(&source.arguments).is_none() && is_plain(&source.arguments);
                if simple && !is_value(source) {
                    let Plain { fields, steps } = self.plain(&source.arguments)?;
                    variant.fields = fields;
                    variant.steps = steps;
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
                    variant.steps = vec![Step::Value(Place::Bound(name.clone()), ty.clone())];
                    variant.fields.push((name, ty));
                }
            }
            _ => {
                let name = parameter_name(source);
                if source.multiple {
                    let (list, ty) = self.list(source, None)?;
                    variant.steps = vec![Step::List(ListStep {
                        list: Place::Bound(name.clone()),
                        ..list
                    })];
                    variant.fields.push((name, ty));
                } else {
                    let mut bare = source.clone();
                    bare.token = None;
                    let ty = self.ty(&bare)?;
                    variant.before = words(source);
                    variant.steps = vec![Step::Value(Place::Bound(name.clone()), ty.clone())];
                    variant.fields.push((name, ty));
                }
            }
        }
        Ok(variant)
    }

    /// Lowers parts none of which has a setter of its own.
    fn plain(&mut self, arguments: &[Argument]) -> Lowered<Plain> {
        let mut fields = Vec::new();
        let mut steps = Vec::new();
        let mut counted_from = None;
        for part in parts(arguments) {
            let (part, counted) = match part {
                Part::CountOfWords(_, count) => {
                    steps.push(Step::Words(words(count)));
                    counted_from = Some(steps.len());
                    continue;
                }
                Part::Counted(_, part, counted) => (part, counted),
            };
            if part.kind == ArgumentType::PureToken && !part.multiple {
                if let Some(count) = counted {
                    return Err(uncounted(count));
                }
                steps.push(Step::Words(words(part)));
                continue;
            }
            if part.kind == ArgumentType::Block
                && !part.multiple
                && !is_value(part)
                && columns(&part.arguments).is_none()
                && is_plain(&part.arguments)
            {
                let inner = self.plain(&part.arguments)?;
                fields.extend(inner.fields);
                steps.push(Step::Words(words(part)));
                steps.extend(inner.steps);
                continue;
            }
            for (name, ty, written) in self.part(part, counted)? {
                let place = Place::Bound(name.clone());
                if let Step::List(list) = written {
                    steps.push(Step::List(ListStep {
                        list: place,
                        ..list
                    }));
                } else {
                    steps.push(Step::Words(words(part)));
                    steps.push(Step::Value(place, ty.clone()));
                }
                fields.push((name, ty));
            }
        }
        Ok(Plain {
            fields,
            steps: join_words(counted_behind(steps, counted_from)),
        })
    }

    /// An option of a block, and how it is written where it is given.
    fn block_option(
        &mut self,
        part: &Argument,
        count: Option<&Argument>,
    ) -> Lowered<(BlockOption, Vec<Step>)> {
        let mut option = BlockOption {
            name: option_name(part),
            parameters: Vec::new(),
            alternatives: Vec::new(),
            syntax: part.to_string(),
            note: note(part),
        };
        let inner = part.kind == ArgumentType::Block && !part.multiple && !is_value(part);
        if inner && is_plain(&part.arguments) && columns(&part.arguments).is_none() {
            let Plain { fields, steps } = self.plain(&part.arguments)?;
            let parameters = fields.into_iter();
            option.parameters = parameters
                .map(|(name, ty)| Parameter { name, ty })
                .collect();
            let steps = [Step::Words(words(part))].into_iter().chain(steps);
            return Ok((option, steps.collect()));
        }
        let mut steps = Vec::new();
        for (_, ty, written) in self.part(part, count)? {
            let place = Place::Bound(option.name.clone());
            if let Step::List(list) = written {
                steps.push(Step::List(ListStep {
                    list: place,
                    ..list
                }));
            } else {
                steps.push(Step::Words(words(part)));
                steps.push(Step::Value(place, ty.clone()));
            }
            if let (ArgumentType::Oneof, false, None, Some(name)) =
                (part.kind, part.multiple, &part.token, ty.named())
            {
                let variants = &self.types.enums[name].variants;
                option.alternatives = variants.iter().map(alternative).collect();
            }
            option.parameters.push(Parameter {
                name: option.name.clone(),
                ty,
            });
        }
        Ok((option, steps))
    }

    /// A block that is a value of its own: an element of a list, an alternative with options, or what
    /// has a type of its own.
    pub(super) fn block(&mut self, argument: &Argument) -> Lowered<Ty> {
        let mut required = Vec::new();
        let mut optional = Vec::new();
        let mut steps = vec![Step::Words(words(argument))];
        let mut counted_from = None;
        for part in parts(&argument.arguments) {
            let (part, counted) = match part {
                Part::CountOfWords(_, count) => {
                    steps.push(Step::Words(words(count)));
                    counted_from = Some(steps.len());
                    continue;
                }
                Part::Counted(_, part, counted) => (part, counted),
            };
            if let Some(count) = counted.filter(|_| !part.multiple) {
                return Err(uncounted(count));
            }
            if part.kind == ArgumentType::PureToken && !part.multiple {
                if part.optional {
                    let name = option_name(part);
                    steps.push(Step::Flag(name.clone(), words(part)));
                    optional.push(BlockOption {
                        name,
                        parameters: Vec::new(),
                        alternatives: Vec::new(),
                        syntax: part.to_string(),
                        note: note(part),
                    });
                } else {
                    steps.push(Step::Words(words(part)));
                }
                continue;
            }
            if part.optional {
                let (option, written) = self.block_option(part, counted)?;
                let parameters = option.parameters.iter();
                let binds = parameters.map(|parameter| parameter.name.clone());
                steps.push(Step::Optional(
                    option.name.clone(),
                    binds.collect(),
                    join_words(written),
                ));
                optional.push(option);
                continue;
            }
            for (name, ty, written) in self.part(part, counted)? {
                let place = Place::Field(name.clone());
                match written {
                    Step::List(list) => steps.push(Step::List(ListStep {
                        list: place,
                        ..list
                    })),
                    _ => steps.extend([Step::Words(words(part)), Step::Value(place, ty.clone())]),
                }
                required.push((name, ty));
            }
        }
        let steps = counted_behind(steps, counted_from);
        let simple = optional.is_empty()
            && required.len() > 1
            && required.len() <= 3
            && required.iter().all(|(_, ty)| ty.is_scalar())
            && steps
                .iter()
                .all(|step| !matches!(step, Step::Words(words) if !words.is_empty()));
        let name = match &argument.rust_type {
            Some(name) => name.clone(),
            None if simple => row_name(&required),
            None => format!(
                "{}{}",
                self.variant.type_name,
                argument.name.to_upper_camel_case()
            ),
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
            if argument.rust_type.is_some() {
                return Err(format!("two different blocks would be called {name}"));
            }
            candidate = format!("{}{name}", self.variant.type_name);
        }
        if self.types.enums.contains_key(&candidate) {
            candidate.push_str("Block");
        }
        Ok(self.block_type(candidate, required, optional, steps, text))
    }

    pub(super) fn block_type(
        &mut self,
        name: String,
        required: Vec<(String, Ty)>,
        optional: Vec<BlockOption>,
        steps: Vec<Step>,
        syntax: String,
    ) -> Ty {
        let alternatives = match &*required {
            [(_, Ty::Enum { name, .. })] => {
                let variants = &self.types.enums[name].variants;
                variants.iter().map(alternative).collect()
            }
            _ => Vec::new(),
        };
        let model = BlockModel {
            name: name.clone(),
            commands: BTreeSet::from([self.name.to_owned()]),
            doc: self.names.docs.get(&name).cloned(),
            syntax,
            required,
            alternatives,
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
}

/// The alternatives of a oneof without those that only spell another one differently: a symbol
/// among words, such as `-` for `start`.
pub(super) fn choices(argument: &Argument) -> Vec<&Argument> {
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
pub(super) fn unit(argument: &Argument) -> Option<Unit> {
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

/// Whether no part may be left out, but for lists, which may be empty then.
fn is_plain(parts: &[Argument]) -> bool {
    parts.iter().all(|part| !part.optional || part.multiple)
}

/// The type of an argument that is written by hand, which has one lifetime.
fn by_hand(argument: &Argument) -> Lowered<Ty> {
    match &argument.rust_type {
        Some(name) => Ok(Ty::Block {
            name: name.clone(),
            borrows: true,
        }),
        None => Err(format!(
            "`{}` is written by hand, expected the name of its type",
            argument.name
        )),
    }
}
