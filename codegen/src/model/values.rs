//! The types of values: scalars, enums, blocks and lists of them.

use std::collections::BTreeSet;

use heck::{ToSnakeCase, ToUpperCamelCase};

use crate::{
    spec::{Argument, ArgumentType, Count, Unit},
    syntax::syntax,
};

use super::{
    BlockModel, EnumModel, ListStep, Place, Step, Ty, VariantModel,
    lower::{Lowered, Lowering, columns, is_count, join_words, note, uncounted},
    naming::{identifier, noun, option_name, parameter_name, row_name, words},
};

impl Lowering<'_> {
    /// A repeated argument: how it is written and the type of the whole.
    pub(super) fn list(
        &mut self,
        argument: &Argument,
        count: Option<(Count, &Argument)>,
    ) -> Lowered<(ListStep, Ty)> {
        let mut single = argument.clone();
        single.multiple = false;
        single.token = None;
        let item = self.ty(&single)?;
        let mut before = count.map(|(_, source)| words(source)).unwrap_or_default();
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
            count: count.map(|(count, _)| count),
            may_be_empty: false,
            noun: noun(argument),
            columns: Vec::new(),
        };
        Ok((step, Ty::List(Box::new(item))))
    }

    /// The type of one value.
    pub(super) fn ty(&mut self, argument: &Argument) -> Lowered<Ty> {
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
        let name = match (named, self.types.choices.get(&tokens)) {
            (Some(named), _) => named.name.clone(),
            (None, Some(known)) if pure => known.clone(),
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
            doc: named.map(|named| named.doc.clone()),
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
                                    list: Place::Bound(name.clone()),
                                    ..list
                                }));
                            } else {
                                steps.push(Step::Words(words(part)));
                                steps.push(Step::Value(Place::Bound(name.clone()), ty.clone()));
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

    /// A block that is a value of its own: an element of a list, or an alternative with options.
    pub(super) fn block(&mut self, argument: &Argument) -> Lowered<Ty> {
        let mut required = Vec::new();
        let mut optional = Vec::new();
        let mut steps = vec![Step::Words(words(argument))];
        let mut count = None;
        for (at, part) in argument.arguments.iter().enumerate() {
            if let Some(counts) = is_count(part, argument.arguments.get(at + 1)) {
                count = Some((counts, part));
                continue;
            }
            let counted = count.take();
            if let Some((_, count)) = counted.filter(|_| !part.multiple) {
                return Err(uncounted(count));
            }
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
                    Place::Bound(name.clone())
                } else {
                    Place::Field(name.clone())
                };
                let written = match written {
                    Step::List(list) => vec![Step::List(ListStep {
                        list: place,
                        ..list
                    })],
                    _ => vec![Step::Words(words(part)), Step::Value(place, ty.clone())],
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

    pub(super) fn block_type(
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
