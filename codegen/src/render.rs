//! The model as Rust. Nothing is decided here: a change of names, types or grouping belongs into
//! `model`.
//!
//! Every function is a template: its body is the Rust that it emits, and its docs show an example.
//! [`layout`] makes text of it, which people read in editors and on the docs pages.

mod arguments;
mod codes;
mod commands;
mod docs;
mod imports;
mod info;
mod needs;
mod steps;
mod structs;
mod tokens;
mod types;

use std::{collections::BTreeMap, thread};

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::TokenStream;
use quote::quote;

use crate::{
    error::Error,
    layout,
    load::Spec,
    model::{CommandModel, Group, Model},
};

use imports::{Imports, Used};
use tokens::doc;

pub use tokens::ident;

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
/// for the client also `code.rs` and `cmd.rs`, for a user's crate also `mod.rs`, which includes them all.
///
/// # Errors
///
/// Where a name of the spec leads to code that is no Rust; the error names the file.
pub fn render(model: &Model, spec: &Spec, root: Root) -> Result<BTreeMap<String, String>, Error> {
    let mut files = vec![File::Info, File::Structs, File::Shared];
    files.extend(
        model
            .groups
            .iter()
            .map(|(name, group)| File::Group(name, group)),
    );
    match root {
        Root::User => files.push(File::Modules),
        Root::Client => files.extend([File::Codes, File::Constructors]),
    }
    // The largest first, so that no thread is left with one in the end.
    files.sort_by_key(|file| std::cmp::Reverse(file.weight(spec)));
    let threads = thread::available_parallelism().map_or(1, |count| count.get());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let mine = files.iter().skip(first).step_by(threads);
                let render = move |file: &File<'_>| {
                    let name = file.name();
                    let text = layout::text(file.code(model, spec, root))
                        .map_err(|reason| Error::new(&name, reason))?;
                    Ok((name, text))
                };
                scope.spawn(move || mine.map(render).collect::<Result<Vec<_>, Error>>())
            })
            .collect();
        let mut all = BTreeMap::new();
        for worker in workers {
            match worker.join() {
                Ok(files) => all.extend(files?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}

/// A file of generated code.
enum File<'m> {
    /// The facts of every command.
    Info,
    /// The replies that are structs.
    Structs,
    /// The arguments that several groups use.
    Shared,
    /// A group of commands.
    Group(&'m str, &'m Group),
    /// The codes of error replies.
    Codes,
    /// The constructors of all groups.
    Constructors,
    /// The modules of a user's crate.
    Modules,
}

impl File<'_> {
    fn name(&self) -> String {
        match self {
            Self::Info => "info.rs".to_owned(),
            Self::Structs => "structs.rs".to_owned(),
            Self::Shared => "shared.rs".to_owned(),
            Self::Group(name, _) => format!("{}.rs", name.to_snake_case()),
            Self::Codes => "code.rs".to_owned(),
            Self::Constructors => "cmd.rs".to_owned(),
            Self::Modules => "mod.rs".to_owned(),
        }
    }

    /// How long it takes to write, roughly, in commands of a group.
    fn weight(&self, spec: &Spec) -> usize {
        match self {
            Self::Info => spec.commands.len() / 5,
            Self::Structs => spec.structs.len() / 5,
            Self::Group(_, group) => group.commands.len(),
            Self::Shared | Self::Codes | Self::Constructors | Self::Modules => 1,
        }
    }

    fn code(&self, model: &Model, spec: &Spec, root: Root) -> TokenStream {
        match self {
            Self::Info => info::file(spec, root),
            Self::Structs => structs::file(spec, root),
            Self::Shared => {
                let body = arguments::all(&model.shared, &model.needy, root, |_| true);
                let used = Used::in_code(&body);
                let imports = Imports::new(root, &used).render();
                quote!(#imports #body)
            }
            Self::Group(name, group) => group_file(name, group, model, spec, root),
            Self::Codes => codes::file(&spec.codes),
            Self::Constructors => constructors(&model.constructors),
            Self::Modules => user_modules(model),
        }
    }
}

/// ```text
/// #[cfg(feature = "json")]
/// pub use crate::commands::json::cmd::{json_arrappend, json_arrindex, …};
/// ```
///
/// Each by its name, so that the compiler can tell of one whose feature is off.
fn constructors(of_groups: &BTreeMap<String, Vec<String>>) -> TokenStream {
    let groups = of_groups.iter().map(|(group, names)| {
        let module = ident(&group.to_snake_case());
        let mut names: Vec<_> = names.iter().map(|name| ident(name)).collect();
        names.sort_unstable();
        quote! {
            #[cfg(feature = #group)]
            pub use crate::commands::#module::cmd::{#(#names),*};
        }
    });
    groups.collect()
}

/// ```text
/// /// The facts of every command as constants.
/// #[allow(…, reason = "…")]
/// pub mod info {
///     include!("info.rs");
/// }
///
/// /// The acme commands.
/// #[allow(…, reason = "…")]
/// pub mod acme {
///     include!("acme.rs");
/// }
/// ```
fn user_modules(model: &Model) -> TokenStream {
    // A lint that a user denies by name would be an error in code that is not the user's to mend.
    let lints = quote! {
        #[allow(
            warnings, dead_code, single_use_lifetimes, unreachable_pub, unused_imports, unused_qualifications,
            clippy::all, clippy::pedantic,
            reason = "generated for whoever may call it"
        )]
    };
    let groups = model.groups.keys().map(|name| {
        let docs = doc(&format!("The {} commands.", name.replace('-', " ")));
        let module = name.to_snake_case();
        let file = format!("{module}.rs");
        let module = ident(&module);
        quote! {
            #docs
            #lints
            pub mod #module {
                include!(#file);
            }
        }
    });
    quote! {
        /// The facts of every command as constants.
        #lints
        pub mod info {
            include!("info.rs");
        }

        /// Enums and blocks of arguments that several groups use.
        #lints
        pub mod shared {
            include!("shared.rs");
        }

        /// Replies, with the structs of these commands.
        #lints
        pub mod reply {
            pub use respec::reply::*;
            include!("structs.rs");
        }

        #(#groups)*
    }
}

/// The Rust of one command with the types that it uses, as it stands in the file of its group; none
/// where the command is not generated.
///
/// # Errors
///
/// Where a name of the spec leads to code that is no Rust.
pub fn command(name: &str, model: &Model, spec: &Spec) -> Result<Option<String>, Error> {
    for (group_name, group) in &model.groups {
        let commands: Vec<_> = group
            .commands
            .iter()
            .filter(|command| command.name == name)
            .collect();
        if commands.is_empty() {
            continue;
        }
        let types = [&group.types, &model.shared].map(|types| {
            arguments::all(types, &model.needy, Root::Client, |users| {
                users.contains(name)
            })
        });
        let code = group_code(group_name, &commands, &types, spec, Root::Client);
        let text =
            layout::text(code).map_err(|reason| Error::new("commands", reason).in_command(name))?;
        return Ok(Some(text));
    }
    Ok(None)
}

fn group_file(name: &str, group: &Group, model: &Model, spec: &Spec, root: Root) -> TokenStream {
    let commands: Vec<_> = group.commands.iter().collect();
    let types = arguments::all(&group.types, &model.needy, root, |_| true);
    let body = group_code(name, &commands, &[types], spec, root);
    let shared = model.shared.enums.keys().chain(model.shared.blocks.keys());
    let shared: Vec<_> = shared.map(String::as_str).collect();
    let home = match root {
        Root::Client => "crate::commands::shared",
        Root::User => "super::shared",
    };
    let used = Used::in_code(&body);
    let imports = Imports::new(root, &used).and(home, &shared).render();
    quote!(#imports #body)
}

/// ```text
/// pub struct Get<'a, X = Detached> { … }
///
/// /// The string commands as methods; every client has them.
/// pub trait StringCommands: Commands { … }
///
/// /// The string commands as values that belong to no client yet.
/// pub(crate) mod cmd { … }
/// ```
fn group_code(
    name: &str,
    commands: &[&CommandModel],
    types: &[TokenStream],
    spec: &Spec,
    root: Root,
) -> TokenStream {
    let structs = commands
        .iter()
        .map(|command| commands::command(command, spec));
    let (dedicated, shared): (Vec<_>, Vec<_>) = commands
        .iter()
        .partition(|command| spec.commands[&command.name].connection.is_some());
    let title = name.to_upper_camel_case();
    let words = name.replace('-', " ");
    let shared = commands::methods(
        &format!("The {words} commands as methods; every client has them."),
        &format!("{title}Commands"),
        "Commands",
        &shared,
        spec,
    );
    let dedicated = commands::methods(
        &format!(
            "The {words} commands that belong to one connection, as methods of a connection that \
             one caller owns."
        ),
        &format!("Dedicated{title}Commands"),
        "DedicatedCommands",
        &dedicated,
        spec,
    );
    let docs = doc(&format!(
        "The {words} commands as values that belong to no client yet."
    ));
    let constructors: TokenStream = commands
        .iter()
        .map(|command| commands::constructor(command, spec))
        .collect();
    let used = Used::in_code(&constructors);
    let imports = Imports::new(root, &used).and("super", &["*"]).render();
    // Those of the client are all in its `cmd`: a program may import everything of two groups.
    let visibility = match root {
        Root::Client => quote!(pub(crate)),
        Root::User => quote!(pub),
    };
    quote! {
        #(#structs)*
        #(#types)*
        #shared
        #dedicated

        #docs
        #visibility mod cmd {
            #imports
            #constructors
        }
    }
}
