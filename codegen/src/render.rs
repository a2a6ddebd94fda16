//! The model as Rust text. Nothing is decided here: a change of names, types or grouping belongs
//! into `model`.
//!
//! Every function shows in its docs the Rust that it writes. The text is laid out as rustfmt would
//! lay it out, which a test checks, because people read it in editors and on the docs pages; it is
//! written directly, so that a build needs neither a parser nor a formatter of Rust.

mod commands;
mod docs;
mod info;
mod needs;
mod structs;
mod text;
mod types;

use std::collections::BTreeMap;

use heck::{ToSnakeCase, ToUpperCamelCase};

use crate::{
    load::Spec,
    model::{Group, Model},
};

use text::Text;

/// Where generated code finds the client that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// It is part of the client: `crate`.
    Client,
    /// It is part of a user's crate: `respec`.
    User,
}

impl Root {
    fn path(self) -> &'static str {
        match self {
            Self::Client => "crate",
            Self::User => "respec",
        }
    }
}

/// The files of generated code by name: one for each group, `shared.rs`, `structs.rs` and `info.rs`;
/// for a user's crate also `mod.rs`, which includes them all.
#[must_use]
pub fn render(model: &Model, spec: &Spec, root: Root) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    files.insert("info.rs".to_owned(), info::file(spec, root));
    files.insert("shared.rs".to_owned(), types::shared(model, root));
    files.insert("structs.rs".to_owned(), structs::file(spec, root));
    for (name, group) in &model.groups {
        files.insert(
            format!("{}.rs", name.to_snake_case()),
            group_file(name, group, model, spec, root),
        );
    }
    if root == Root::User {
        files.insert("mod.rs".to_owned(), user_modules(model));
    }
    files
}

/// ```text
/// /// The acme commands.
/// pub mod acme {
///     include!("acme.rs");
/// }
/// ```
fn user_modules(model: &Model) -> String {
    let mut out = Text::default();
    let mut module = |name: &str, doc: &str, first: Option<&str>| {
        out.doc(doc);
        out.braces(&format!("pub mod {name}"), |out| {
            if let Some(first) = first {
                out.line(first);
            }
            let file = if name == "reply" { "structs" } else { name };
            out.line(&format!("include!(\"{file}.rs\");"));
        });
    };
    module("info", "The facts of every command as constants.", None);
    module(
        "shared",
        "Enums and blocks of arguments that several groups use.",
        None,
    );
    module(
        "reply",
        "Replies, with the structs of these commands.",
        Some("pub use respec::reply::*;"),
    );
    for name in model.groups.keys() {
        let words = name.replace('-', " ");
        module(
            &name.to_snake_case(),
            &format!("The {words} commands."),
            None,
        );
    }
    out.finish()
}

/// The Rust of one command with the types that only it uses, as [`render`] writes it.
#[must_use]
pub fn command(name: &str, model: &Model, spec: &Spec) -> Option<String> {
    let group = model
        .groups
        .values()
        .find(|group| group.commands.iter().any(|c| c.name == name))?;
    let mut out = Text::default();
    for command in group.commands.iter().filter(|command| command.name == name) {
        commands::command(&mut out, command, spec);
    }
    for types in [&group.types, &model.shared] {
        for item in types
            .enums
            .values()
            .filter(|item| item.commands.contains(name))
        {
            types::enumeration(&mut out, item, &model.needy);
        }
        for item in types
            .blocks
            .values()
            .filter(|item| item.commands.contains(name))
        {
            types::block(&mut out, item, &model.needy);
        }
    }
    for command in group.commands.iter().filter(|command| command.name == name) {
        commands::method(&mut out, command, spec);
        commands::constructor(&mut out, command, spec);
    }
    Some(out.finish())
}

fn group_file(name: &str, group: &Group, model: &Model, spec: &Spec, root: Root) -> String {
    let mut out = Text::default();
    for command in &group.commands {
        commands::command(&mut out, command, spec);
    }
    for item in group.types.enums.values() {
        types::enumeration(&mut out, item, &model.needy);
    }
    for item in group.types.blocks.values() {
        types::block(&mut out, item, &model.needy);
    }
    let (dedicated, shared): (Vec<_>, Vec<_>) = group
        .commands
        .iter()
        .partition(|command| spec.commands[&command.name].connection.is_some());
    let title = name.to_upper_camel_case();
    let words = name.replace('-', " ");
    if !shared.is_empty() {
        out.doc(&format!(
            "The {words} commands as methods; every client has them."
        ));
        commands::methods(
            &mut out,
            &format!("{title}Commands"),
            "Commands",
            &shared,
            spec,
        );
    }
    if !dedicated.is_empty() {
        out.doc(&format!(
            "The {words} commands that belong to one connection, as methods of a connection that \
             one caller owns."
        ));
        let name = format!("Dedicated{title}Commands");
        commands::methods(&mut out, &name, "DedicatedCommands", &dedicated, spec);
    }
    out.doc(&format!(
        "The {words} commands as values that belong to no client yet."
    ));
    out.line("pub mod cmd {");
    let mut inner = Text::indented(1);
    for command in &group.commands {
        commands::constructor(&mut inner, command, spec);
    }
    let inner = inner.finish();
    let inner = inner.trim_end_matches('\n');
    let mut head = text::Imports::new(root, inner).render(1, &["super::*"]);
    head.push('\n');
    out.raw(&head);
    out.raw(inner);
    out.raw("\n}\n");
    let body = out.finish();
    let locals: Vec<_> = model
        .shared
        .enums
        .keys()
        .chain(model.shared.blocks.keys())
        .map(String::as_str)
        .collect();
    let mut file = text::Imports::new(root, &body)
        .with_shared(&locals)
        .render(0, &[]);
    file.push('\n');
    file.push_str(&body);
    file
}
