//! The calls of one command.

use std::collections::BTreeSet;

use heck::ToSnakeCase;

use respec_codegen::{
    model::{Alternative, CommandModel, Model, Opt, OptKind, Parameter, Ty, Types},
    render::ident,
    spec::Provider,
};

use super::{Lot, Values, lot::Random};

/// One call.
pub(super) struct Call {
    pub(super) label: String,
    pub(super) needs: Vec<Need>,
    /// The expression.
    pub(super) text: String,
}

/// What a server must have for a call, beside the command itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    since: Option<String>,
    provider: Option<Provider>,
}

impl Need {
    fn of(since: Option<&String>, provider: Option<Provider>) -> Vec<Self> {
        if since.is_none() && provider.is_none() {
            return Vec::new();
        }
        vec![Self {
            since: since.cloned(),
            provider,
        }]
    }

    /// `Need::new(Some("6.2.0"), None)`
    pub(super) fn text(&self) -> String {
        let provider = match self.provider {
            None => "None",
            Some(Provider::Redis) => "Some(Provider::Redis)",
            Some(Provider::Valkey) => "Some(Provider::Valkey)",
        };
        format!("Need::new({:?}, {provider})", self.since)
    }
}

/// An expression for one value.
#[derive(Clone, Debug)]
struct Sample {
    /// What is special about it; empty for the plainest one.
    label: String,
    text: String,
    needs: Vec<Need>,
    /// Whether it is a list of two.
    two: bool,
}

impl Sample {
    fn plain(text: impl Into<String>) -> Self {
        Self {
            label: String::new(),
            text: text.into(),
            needs: Vec::new(),
            two: false,
        }
    }
}

/// All calls of a command.
pub(super) fn of(
    command: &CommandModel,
    group: &str,
    model: &Model,
    values: &Values,
    lot: &Lot,
) -> Of {
    let calls = Calls {
        command,
        group,
        model,
        values,
    };
    // Who knows no value of a type that is written by hand cannot call what takes it.
    if !calls.are_possible() {
        return Of {
            ordered: Vec::new(),
            drawn: Vec::new(),
        };
    }
    let ordered = calls.all();
    let drawn = calls.drawn(lot, &ordered);
    Of { ordered, drawn }
}

/// The calls of one command.
pub(super) struct Of {
    /// Every way once, by itself.
    pub(super) ordered: Vec<Call>,
    /// Several ways at once, drawn by lot.
    pub(super) drawn: Vec<Call>,
}

struct Calls<'a> {
    command: &'a CommandModel,
    group: &'a str,
    model: &'a Model,
    values: &'a Values,
}

impl Calls<'_> {
    /// Whether there is a value for each parameter.
    fn are_possible(&self) -> bool {
        let parameters = &self.command.parameters;
        let mut ways = parameters.iter().map(|item| self.parameter(item, ""));
        ways.all(|ways| !ways.is_empty())
    }

    fn all(&self) -> Vec<Call> {
        let required: Vec<_> = self
            .command
            .parameters
            .iter()
            .map(|parameter| self.parameter(parameter, ""))
            .collect();
        let mut calls = Vec::new();
        for way in varied(&required) {
            let label = if way.label.is_empty() {
                "minimal"
            } else {
                &way.label
            };
            calls.push(self.call(label, &way.arguments, way.needs, &[]));
        }
        let Combination {
            arguments, needs, ..
        } = varied(&required).remove(0);
        // Lists that belong together have the same length.
        let two: Vec<_> = required
            .iter()
            .filter_map(|ways| ways.iter().find(|way| way.two).or(ways.first()))
            .map(|way| way.text.clone())
            .collect();
        let mut every = Vec::new();
        for option in &self.command.options {
            let before = self.before(option);
            let setters = self.setters(option);
            for setter in &setters {
                let mut chain = before.clone();
                chain.push(setter.clone());
                let arguments = if setter.two { &two } else { &arguments };
                calls.push(self.call(&setter.label, arguments, needs.clone(), &chain));
            }
            every.extend(setters.into_iter().next());
        }
        calls.extend(self.pairs(&arguments, &needs));
        if every.len() > 1 {
            calls.push(self.call("all", &arguments, needs, &every));
        }
        calls
    }

    /// Every two options together, the later one called first: the order of words is the spec's.
    fn pairs(&self, arguments: &[String], needs: &[Need]) -> Vec<Call> {
        let options = &self.command.options;
        let mut calls = Vec::new();
        // With two options, all of them are a pair.
        if options.len() < 3 {
            return calls;
        }
        for (at, early) in options.iter().enumerate() {
            for late in &options[at + 1..] {
                if early.after.is_some() || late.after.is_some() {
                    continue;
                }
                let mut chain = Vec::new();
                chain.extend(self.setters(late).into_iter().next());
                chain.extend(self.setters(early).into_iter().next());
                let labels: Vec<_> = chain.iter().rev().map(|way| way.label.as_str()).collect();
                let label = labels.join(" + ");
                calls.push(self.call(&label, arguments, needs.to_vec(), &chain));
            }
        }
        calls
    }

    /// Calls with arguments, options, and an order of setters that are drawn by lot.
    fn drawn(&self, lot: &Lot, known: &[Call]) -> Vec<Call> {
        let mut random = Random::of(lot.seed, &self.command.method);
        let mut texts: BTreeSet<String> = known.iter().map(|call| call.text.clone()).collect();
        let mut calls = Vec::new();
        // What can be drawn may be less than what is asked for.
        for number in 0..4 * lot.calls {
            let call = self.draw(number, &mut random);
            if calls.len() < lot.calls && texts.insert(call.text.clone()) {
                calls.push(call);
            }
        }
        calls
    }

    fn draw(&self, number: usize, random: &mut Random) -> Call {
        // Lists that belong together have the same length.
        let two = random.below(2) == 1;
        let required: Vec<_> = self
            .command
            .parameters
            .iter()
            .filter_map(|parameter| pick(self.parameter(parameter, ""), two, random))
            .collect();
        let mut given: Vec<(&Opt, Sample)> = Vec::new();
        for option in &self.command.options {
            let possible = option
                .after
                .is_none_or(|slot| given.iter().any(|(parent, _)| parent.slot == Some(slot)));
            // One option in two, but with many of them fewer: they exclude each other more often.
            let odds = self.command.options.len().div_ceil(4).max(2);
            if possible && random.below(odds) == 0 {
                let setter = pick(self.setters(option), two, random);
                given.extend(setter.map(|setter| (option, setter)));
            }
        }
        let labels: Vec<_> = required
            .iter()
            .chain(given.iter().map(|(_, setter)| setter))
            .map(|way| way.label.as_str())
            .filter(|label| !label.is_empty())
            .collect();
        let label = format!("drawn {number}: {}", labels.join(" + "));
        let mut chain: Vec<(&Opt, Sample)> = Vec::new();
        while !given.is_empty() {
            let ready: Vec<usize> = (0..given.len())
                .filter(|&at| {
                    let waits = given[at].0.after;
                    waits.is_none_or(|slot| chain.iter().any(|(done, _)| done.slot == Some(slot)))
                })
                .collect();
            let Some(&at) = random.one(&ready) else {
                break;
            };
            chain.push(given.remove(at));
        }
        let arguments: Vec<_> = required.iter().map(|way| way.text.clone()).collect();
        let needs = required.iter().flat_map(|way| way.needs.clone()).collect();
        let setters: Vec<_> = chain.into_iter().map(|(_, setter)| setter).collect();
        self.call(&label, &arguments, needs, &setters)
    }

    fn call(
        &self,
        label: &str,
        arguments: &[String],
        needs: Vec<Need>,
        setters: &[Sample],
    ) -> Call {
        let mut needs = needs;
        if let Some(note) = &self.command.note {
            needs.extend(Need::of(note.since.as_ref(), note.provider));
        }
        let mut text = format!(
            "cmd::{}({})",
            ident(&self.command.method),
            arguments.join(", ")
        );
        for setter in setters {
            text.push_str(&setter.text);
            needs.extend(setter.needs.iter().cloned());
        }
        needs.dedup();
        Call {
            label: self.label(label),
            needs,
            text,
        }
    }

    /// The label, with the method in front where a command has several.
    fn label(&self, label: &str) -> String {
        let siblings = self
            .model
            .groups
            .values()
            .flat_map(|group| &group.commands)
            .filter(|other| other.name == self.command.name)
            .count();
        match (siblings, label) {
            (1, label) => label.to_owned(),
            (_, "minimal") => self.command.method.clone(),
            (_, label) => join(&self.command.method, label),
        }
    }

    /// The setters that must have run before an option can be given.
    fn before(&self, option: &Opt) -> Vec<Sample> {
        let Some(slot) = option.after else {
            return Vec::new();
        };
        let Some(parent) = self
            .command
            .options
            .iter()
            .find(|other| other.slot == Some(slot))
        else {
            return Vec::new();
        };
        let mut chain = self.before(parent);
        chain.extend(self.setters(parent).into_iter().next());
        chain
    }

    /// Every way to give an option, as a method call: `.ex(100_i64)`.
    fn setters(&self, option: &Opt) -> Vec<Sample> {
        let needs = Need::of(option.note.since.as_ref(), option.note.provider);
        match &option.kind {
            OptKind::Flag { setter } => vec![Sample {
                label: setter.clone(),
                text: format!(".{}()", ident(setter)),
                needs,
                two: false,
            }],
            OptKind::Values {
                setter,
                parameters,
                by_token,
                sends_empty: _,
            } => {
                let mut all = self.setter(setter, parameters, &needs);
                for token in by_token {
                    let rest = parameters.get(1..).unwrap_or_default();
                    all.extend(self.setter(&token.setter, rest, &needs));
                }
                all
            }
            OptKind::Steps { alternatives, .. } => self.alternatives(alternatives, &needs),
            OptKind::Choice {
                name,
                borrows,
                setter,
                alternatives,
                ..
            } => {
                let mut all = self.alternatives(alternatives, &needs);
                if let (true, Some(setter)) = (alternatives.is_empty(), setter) {
                    let ty = Ty::Enum {
                        name: name.clone(),
                        borrows: *borrows,
                        open: false,
                    };
                    let parameter = Parameter {
                        name: setter.clone(),
                        ty,
                    };
                    all.extend(self.setter(setter, &[parameter], &needs));
                }
                all
            }
        }
    }

    /// Every way to call the setters of alternatives.
    fn alternatives(&self, alternatives: &[Alternative], needs: &[Need]) -> Vec<Sample> {
        let each = alternatives.iter().flat_map(|alternative| {
            let mut needs = needs.to_vec();
            needs.extend(Need::of(
                alternative.note.since.as_ref(),
                alternative.note.provider,
            ));
            self.setter(&alternative.setter, &alternative.parameters, &needs)
        });
        each.collect()
    }

    fn setter(&self, name: &str, parameters: &[Parameter], needs: &[Need]) -> Vec<Sample> {
        let word = name.to_owned();
        let parts: Vec<_> = parameters
            .iter()
            .map(|parameter| self.parameter(parameter, &word))
            .collect();
        varied(&parts)
            .into_iter()
            .map(|way| Sample {
                label: join(&word, &way.label),
                text: format!(".{}({})", ident(name), way.arguments.join(", ")),
                needs: needs.iter().cloned().chain(way.needs).collect(),
                two: way.two,
            })
            .collect()
    }

    fn parameter(&self, parameter: &Parameter, within: &str) -> Vec<Sample> {
        self.samples(&parameter.ty, &join(within, &parameter.name), 0)
    }

    /// Expressions for a value, the plainest first; `nth` tells values of one list apart.
    fn samples(&self, ty: &Ty, path: &str, nth: usize) -> Vec<Sample> {
        match ty {
            Ty::Enum { name, .. } => self.enumeration(name, path, nth),
            Ty::Block { name, .. } => self.block(name, path, nth),
            Ty::List(item) => {
                let singles = self.samples(item, path, nth);
                let second = self.samples(item, path, nth + 1);
                let mut all: Vec<_> = singles
                    .iter()
                    .map(|one| Sample {
                        text: format!("[{}]", one.text),
                        ..one.clone()
                    })
                    .collect();
                if let (Some(one), Some(two)) = (singles.first(), second.first()) {
                    all.push(Sample {
                        label: format!(
                            "two {}{}",
                            if item.is_scalar() { "" } else { "rows of " },
                            path.rsplit('/').next().unwrap_or(path)
                        ),
                        text: format!("[{}, {}]", one.text, two.text),
                        needs: one.needs.clone(),
                        two: true,
                    });
                }
                all
            }
            scalar => vec![Sample::plain(self.scalar(scalar, path, nth))],
        }
    }

    fn scalar(&self, ty: &Ty, path: &str, nth: usize) -> String {
        let leaf = path.rsplit('/').next().unwrap_or(path);
        let known = self
            .values
            .find(&self.command.name, path)
            .and_then(|values| values.get(nth).or(values.last()));
        // A rule may be meant for other arguments of the same name that are texts.
        let number = |default: String| {
            known
                .filter(|text| text.parse::<f64>().is_ok_and(f64::is_finite))
                .cloned()
                .unwrap_or(default)
        };
        match ty {
            Ty::Key => text(
                path,
                known
                    .cloned()
                    .unwrap_or_else(|| format!("{}:{}", self.group, nth + 1)),
            ),
            Ty::Integer => format!("{}_i64", number((nth + 1).to_string())),
            Ty::Double => format!("{}_f64", number(format!("{}.5", nth + 1))),
            Ty::Seconds => format!("{}_i64", number("100".to_owned())),
            Ty::Milliseconds => format!("{}_i64", number("100000".to_owned())),
            Ty::UnixSeconds => format!("{}_i64", number("4102444800".to_owned())),
            Ty::UnixMilliseconds => format!("{}_i64", number("4102444800000".to_owned())),
            _ => text(
                path,
                known.cloned().unwrap_or_else(|| match nth {
                    0 => format!("{leaf}1"),
                    // What would upset a protocol that does not count bytes.
                    _ => format!("{leaf}\r\n\0 {{}}\""),
                }),
            ),
        }
    }

    fn enumeration(&self, name: &str, path: &str, nth: usize) -> Vec<Sample> {
        let Some((home, item)) = self.home(|types| types.enums.get(name)) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for variant in &item.variants {
            let needs = Need::of(variant.note.since.as_ref(), variant.note.provider);
            let word = variant.constructor.clone();
            if variant.fields.is_empty() {
                all.push(Sample {
                    label: join(path, &word),
                    text: format!("{home}::{name}::{}", variant.name),
                    needs,
                    two: false,
                });
                continue;
            }
            let within = join(path, &word);
            let parts: Vec<_> = variant
                .fields
                .iter()
                .map(|(field, ty)| self.samples(ty, &join(&within, field), nth))
                .collect();
            for way in varied(&parts) {
                let label = if way.label.is_empty() {
                    &within
                } else {
                    &way.label
                };
                all.push(Sample {
                    label: label.clone(),
                    text: format!(
                        "{home}::{name}::{}({})",
                        ident(&variant.constructor),
                        way.arguments.join(", ")
                    ),
                    needs: needs.iter().cloned().chain(way.needs).collect(),
                    two: way.two,
                });
            }
        }
        all
    }

    fn block(&self, name: &str, path: &str, nth: usize) -> Vec<Sample> {
        let Some((home, item)) = self.home(|types| types.blocks.get(name)) else {
            return Vec::new();
        };
        let parts: Vec<_> = item
            .required
            .iter()
            .map(|(field, ty)| self.samples(ty, &join(path, field), nth))
            .collect();
        let mut all: Vec<_> = varied(&parts)
            .into_iter()
            .map(|way| Sample {
                label: way.label,
                text: format!("{home}::{name}::new({})", way.arguments.join(", ")),
                needs: way.needs,
                two: way.two,
            })
            .collect();
        let Some(base) = all.first().cloned() else {
            return all;
        };
        let mut every = base.clone();
        for option in &item.optional {
            let within = join(path, &option.name);
            let needs = Need::of(option.note.since.as_ref(), option.note.provider);
            let parts: Vec<_> = option
                .parameters
                .iter()
                .map(|parameter| {
                    // The only value of an option is called like the option.
                    let path = match &*option.parameters {
                        [_] => within.clone(),
                        _ => join(&within, &parameter.name),
                    };
                    self.samples(&parameter.ty, &path, nth)
                })
                .collect();
            for (at, way) in varied(&parts).into_iter().enumerate() {
                let arguments = way.arguments.join(", ");
                let setter = format!(".{}({arguments})", ident(&option.name));
                let needs: Vec<_> = needs.iter().cloned().chain(way.needs).collect();
                if at == 0 {
                    every.text.push_str(&setter);
                    every.needs.extend(needs.iter().cloned());
                }
                all.push(Sample {
                    label: if way.label.is_empty() {
                        within.clone()
                    } else {
                        way.label.clone()
                    },
                    text: format!("{}{setter}", base.text),
                    needs: base.needs.iter().cloned().chain(needs).collect(),
                    two: way.two,
                });
            }
        }
        if item.optional.len() > 1 {
            every.label = join(path, "all");
            all.push(every);
        }
        all
    }

    /// A type of arguments with the path of its module.
    fn home<T>(&self, get: impl Fn(&Types) -> Option<&T>) -> Option<(String, &T)> {
        if let Some(item) = get(&self.model.shared) {
            return Some(("commands::shared".to_owned(), item));
        }
        self.model.groups.iter().find_map(|(group, content)| {
            let item = get(&content.types)?;
            Some((format!("commands::{}", group.to_snake_case()), item))
        })
    }
}

/// Values that stand side by side.
struct Combination {
    label: String,
    arguments: Vec<String>,
    needs: Vec<Need>,
    two: bool,
}

/// One of several ways, with lists of two where that is asked for and possible.
fn pick(ways: Vec<Sample>, two: bool, random: &mut Random) -> Option<Sample> {
    let fit: Vec<_> = ways.iter().filter(|way| way.two == two).collect();
    match random.one(&fit) {
        Some(way) => Some((*way).clone()),
        None => random.one(&ways).cloned(),
    }
}

/// Every combination in which at most one part is not the plainest.
fn varied(parts: &[Vec<Sample>]) -> Vec<Combination> {
    let base: Vec<&Sample> = parts.iter().filter_map(|part| part.first()).collect();
    let combine = |chosen: &[&Sample], label: String| Combination {
        label,
        arguments: chosen.iter().map(|one| one.text.clone()).collect(),
        needs: chosen.iter().flat_map(|one| one.needs.clone()).collect(),
        two: chosen.iter().any(|one| one.two),
    };
    let labels: Vec<_> = base
        .iter()
        .map(|one| one.label.as_str())
        .filter(|label| !label.is_empty())
        .collect();
    let mut all = vec![combine(&base, labels.join(" "))];
    for (at, part) in parts.iter().enumerate() {
        for other in part.iter().skip(1) {
            let mut chosen = base.clone();
            chosen[at] = other;
            all.push(combine(&chosen, other.label.clone()));
        }
    }
    all
}

/// `to.text("key", "string:1")`
fn text(path: &str, value: String) -> String {
    format!("to.text({path:?}, {value:?})")
}

fn join(one: &str, other: &str) -> String {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => other.to_owned(),
        (_, true) => one.to_owned(),
        _ if other.starts_with(one) => other.to_owned(),
        _ => format!("{one}/{other}"),
    }
}
