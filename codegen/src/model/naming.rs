//! Names for what the spec names; what Rust wants besides, such as `r#type`, is the renderer's.

use heck::{ToSnakeCase, ToUpperCamelCase};

use crate::spec::{Argument, ArgumentType};

use super::Ty;

/// The type of a command of that name, which a program may import with all others of its group: what
/// the prelude of Rust or of the client has keeps its name there.
pub(super) fn type_name(name: &str) -> String {
    const TAKEN: [&str; 3] = ["Command", "Copy", "Sync"];
    match TAKEN.contains(&name) {
        true => format!("{name}Call"),
        false => name.to_owned(),
    }
}

/// The name of a setter or an alternative: the token where it is a word, else the spec's name.
pub(super) fn option_name(argument: &Argument) -> String {
    if let Some(name) = &argument.rust {
        return name.clone();
    }
    // A block may begin with the token of its first part.
    let first = || {
        let first = argument.arguments.first()?;
        (argument.kind == ArgumentType::Block && !first.optional)
            .then_some(first.token.as_deref())
            .flatten()
    };
    let token = argument.token.as_deref().or_else(first).unwrap_or_default();
    let word = token.chars().any(char::is_alphabetic);
    let name = if word { token } else { &argument.name };
    identifier(&name.to_snake_case())
}

/// What a repeated argument is called in a sentence about one of it.
pub(super) fn noun(argument: &Argument) -> String {
    match argument.name.strip_suffix('s') {
        Some(one) if !one.ends_with('s') => one.to_owned(),
        _ => argument.name.clone(),
    }
}

/// The name of the setter of an optional block.
pub(super) fn block_name(argument: &Argument) -> String {
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
pub(super) fn parameter_name(argument: &Argument) -> String {
    let name = argument.rust.as_ref().unwrap_or(&argument.name);
    identifier(&name.to_snake_case())
}

/// The name of a row of scalars: the names of its columns.
pub(super) fn row_name(columns: &[(String, Ty)]) -> String {
    columns
        .iter()
        .map(|(name, _)| name.to_upper_camel_case())
        .collect()
}

pub(super) fn fresh(wanted: &str, taken: &[String]) -> String {
    if !taken.iter().any(|name| name == wanted) {
        return wanted.to_owned();
    }
    (2..)
        .map(|n| format!("{wanted}_{n}"))
        .find(|name| !taken.contains(name))
        .unwrap_or_default()
}

/// A name of the spec as a word of letters, digits and underscores that does not begin with a digit.
pub(super) fn identifier(name: &str) -> String {
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
    text
}

/// The words of a token: a space separates two.
pub(super) fn words(argument: &Argument) -> Vec<String> {
    match argument.token.as_deref() {
        Some("") => vec![String::new()],
        Some(token) => token.split(' ').map(str::to_owned).collect(),
        None => Vec::new(),
    }
}
