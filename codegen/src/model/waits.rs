//! Where what a client looks for stands among the words of a command: the longest wait of a blocking
//! one, and options that make a second run harmless.

use crate::spec::{Argument, ArgumentType, Command};

/// A place among the words of a command, its name included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// This word, the name's first being 0; counted from the end where it is negative.
    At(i64),
    /// The word after a keyword, which is looked for from a word on.
    After {
        /// The keyword.
        keyword: String,
        /// Where the first option can stand.
        from: usize,
        /// Other options with the number of their values; one of a changing number ends the search.
        skip: Vec<(String, u8)>,
    },
}

/// How many words an option may take before nothing behind it is looked at.
const ALL: u8 = u8::MAX;

/// Where the argument called `wanted` stands, if the grammar fixes that.
#[must_use]
pub fn place(name: &str, command: &Command, wanted: &str) -> Option<Place> {
    let words = name.split(' ').count();
    let mut at = Some(words);
    let mut from = words;
    for argument in &command.arguments {
        if let Some(keyword) = keyword(argument, wanted) {
            let skip = command.arguments.iter().filter(|other| *other != argument);
            return Some(Place::After {
                keyword: keyword.to_owned(),
                from,
                skip: skip.filter_map(option).collect(),
            });
        }
        if argument.name == wanted
            && let Some(at) = at
        {
            return Some(Place::At(i64::try_from(at).ok()?));
        }
        at = at.zip(width(argument)).map(|(at, width)| at + width);
        // What stands in front of the first option is no option.
        from = at.unwrap_or(from);
    }
    let mut behind = 0;
    for argument in command.arguments.iter().rev() {
        behind += width(argument)?;
        if argument.name == wanted {
            return Some(Place::At(-i64::try_from(behind).ok()?));
        }
    }
    None
}

/// Where options may stand among the words of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionPlace {
    /// The first word that may be one, the name's first being 0.
    pub from: usize,
    /// Other options that may stand in front of them, with the number of their values.
    pub skip: Vec<(String, u8)>,
}

/// Where options with these words may stand, if they have a place of their own in the grammar.
#[must_use]
pub fn option_place(name: &str, command: &Command, wanted: &[String]) -> Option<OptionPlace> {
    let is_wanted = |option: &(String, u8)| wanted.contains(&option.0);
    let mut from = Some(name.split(' ').count());
    let mut skip = Vec::new();
    for argument in &command.arguments {
        let options = options(argument);
        if options.iter().any(is_wanted) {
            skip.extend(options.into_iter().filter(|option| !is_wanted(option)));
            return from.map(|from| OptionPlace { from, skip });
        }
        if argument.optional {
            skip.extend(options);
        } else {
            // What is required behind an option has no place that could be counted.
            from = from
                .filter(|_| skip.is_empty())
                .zip(width(argument))
                .map(|(at, width)| at + width);
        }
    }
    None
}

/// The keywords of an option, or of its alternatives, with the number of words behind each.
fn options(argument: &Argument) -> Vec<(String, u8)> {
    match argument.kind {
        ArgumentType::Oneof if argument.token.is_none() => {
            argument.arguments.iter().filter_map(option).collect()
        }
        _ => option(argument).into_iter().collect(),
    }
}

/// The keyword directly in front of the argument, if it is an option or the first part of one.
fn keyword<'a>(argument: &'a Argument, wanted: &str) -> Option<&'a str> {
    let first = argument.arguments.first();
    let value = match argument.kind {
        ArgumentType::Block if argument.token.is_none() => first?,
        _ => argument,
    };
    value.token.as_deref().filter(|_| value.name == wanted)
}

/// The number of words, where it is fixed.
fn width(argument: &Argument) -> Option<usize> {
    (!argument.optional).then(|| full_width(argument)).flatten()
}

/// The number of words that an argument has if it is given, where that is fixed.
fn full_width(argument: &Argument) -> Option<usize> {
    if argument.multiple {
        return None;
    }
    let token = usize::from(argument.token.is_some());
    match argument.kind {
        ArgumentType::PureToken => Some(1),
        ArgumentType::Block => argument
            .arguments
            .iter()
            .try_fold(token, |sum, part| Some(sum + width(part)?)),
        ArgumentType::Oneof => {
            let mut widths = argument.arguments.iter().map(full_width);
            let first = widths.next()??;
            widths
                .all(|other| other == Some(first))
                .then_some(token + first)
        }
        _ => Some(token + 1),
    }
}

/// The keyword of an option with the number of words behind it.
fn option(argument: &Argument) -> Option<(String, u8)> {
    let first = argument.arguments.first();
    let token = match argument.kind {
        ArgumentType::Block if argument.token.is_none() => first?.token.clone()?,
        _ => argument.token.clone()?,
    };
    let values = full_width(argument).and_then(|words| u8::try_from(words - 1).ok());
    Some((token, values.unwrap_or(ALL)))
}
