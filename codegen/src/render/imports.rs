//! What a file of generated code imports: of all that it may use, what it mentions.

use std::collections::BTreeSet;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;

use super::Root;

/// Where the names that generated code uses come from; `{}` is the client.
const KNOWN: &[(&str, &[&str])] = &[
    ("std::collections", &["HashMap", "HashSet"]),
    ("std::fmt", &["self"]),
    ("std::marker", &["PhantomData"]),
    ("bytes", &["Bytes"]),
    ("{}", &["Error", "Result"]),
    (
        "{}::command",
        &[
            "self",
            "Arg",
            "Asynchronous",
            "Commands",
            "DedicatedCommands",
            "Detached",
            "Double",
            "DoubleArg",
            "Given",
            "Integer",
            "IntegerArg",
            "IntoList",
            "Item",
            "List",
            "Maybe",
            "Milliseconds",
            "Needs",
            "NotGiven",
            "Open",
            "Patience",
            "Provider",
            "Seconds",
            "UnixMilliseconds",
            "UnixSeconds",
            "Via",
        ],
    ),
    ("{}::commands::info", &["self"]),
    ("{}::reply", &["self"]),
    (
        "{}::reply",
        &[
            "Decode",
            "DecodeError",
            "Fields",
            "FromText",
            "OneOrMany",
            "Parts",
            "ScanPage",
            "StreamEntry",
            "Value",
            "read_line",
            "read_lines",
            "read_text",
        ],
    ),
    ("{}::resp", &["Reply", "Writer"]),
];

/// The names that code mentions.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// Those that begin a path or stand alone.
    names: BTreeSet<String>,
    /// Those that begin a path and are followed by another.
    modules: BTreeSet<String>,
}

impl Used {
    pub(super) fn in_code(code: &TokenStream) -> Self {
        let mut used = Self::default();
        used.read(code.clone());
        used
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    fn read(&mut self, code: TokenStream) {
        let tokens: Vec<_> = code.into_iter().collect();
        let mark = |at: Option<usize>| match tokens.get(at?)? {
            TokenTree::Punct(mark) => Some(mark.as_char()),
            _ => None,
        };
        let path = [Some(':'); 2];
        for (at, token) in tokens.iter().enumerate() {
            let last = [mark(at.checked_sub(2)), mark(at.checked_sub(1))];
            match token {
                TokenTree::Group(group) => self.read(group.stream()),
                // What stands behind `::` is found by what stands in front of it.
                TokenTree::Ident(_) if last == path => {}
                TokenTree::Ident(name) => {
                    let name = name.to_string();
                    let next = [mark(Some(at + 1)), mark(Some(at + 2))];
                    if next == path {
                        self.modules.insert(name.clone());
                    }
                    // There are alternatives of these names, too.
                    let is_type = match &*name {
                        "Error" => next[0] == Some('>'),
                        "Fields" => next == path || next[0] == Some('<'),
                        _ => true,
                    };
                    if is_type {
                        self.names.insert(name);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

/// The imports of a file or a module.
pub(super) struct Imports<'a> {
    root: Root,
    used: &'a Used,
    more: Vec<(&'static str, Vec<&'a str>)>,
}

impl<'a> Imports<'a> {
    pub(super) fn new(root: Root, used: &'a Used) -> Self {
        Self {
            root,
            used,
            more: Vec::new(),
        }
    }

    /// The same with those of these names that the code mentions, or all of them for `*`.
    pub(super) fn and(mut self, path: &'static str, names: &[&'a str]) -> Self {
        let used = names
            .iter()
            .filter(|name| **name == "*" || self.used.has(name));
        self.more.push((path, used.copied().collect()));
        self
    }

    /// The `use` items: std, then other crates, then ours, each in the order of the alphabet.
    pub(super) fn render(&self) -> TokenStream {
        let mut blocks: [Vec<(String, Vec<&str>)>; 3] = Default::default();
        for (path, names) in KNOWN {
            let block = match path.split("::").next() {
                Some("std") => 0,
                Some("{}") => 2,
                _ => 1,
            };
            let module = path.rsplit("::").next().unwrap_or_default();
            let names: Vec<_> = names
                .iter()
                .copied()
                .filter(|name| match *name {
                    "self" => self.used.modules.contains(module),
                    name => self.used.has(name),
                })
                .collect();
            blocks[block].push((self.path(path, &names), names));
        }
        let more = self.more.iter().map(|(path, names)| {
            let mut names = names.clone();
            names.sort_unstable();
            ((*path).to_owned(), names)
        });
        blocks[2].extend(more);
        let mut imports = TokenStream::new();
        for mut block in blocks {
            block.sort_by_key(|(path, names)| order(path, names));
            imports.extend(block.iter().map(|(path, names)| import(path, names)));
        }
        imports
    }

    fn path(&self, path: &str, names: &[&str]) -> String {
        match (self.root, path) {
            // A user's own facts and replies stand beside the commands.
            (Root::User, "{}::commands::info") => "super::info".to_owned(),
            (Root::User, "{}::reply") if names == ["self"] => "super::reply".to_owned(),
            (Root::User, path) => path.replace("{}", "respec"),
            (Root::Client, path) => path.replace("{}", "crate"),
        }
    }
}

/// What the parent has stands first, and a path with one name in front of those with several.
fn order(path: &str, names: &[&str]) -> (bool, String) {
    let text = match names {
        ["self"] => path.to_owned(),
        [name] => format!("{path}::{name}"),
        _ => format!("{path}::~"),
    };
    (path != "super", text)
}

/// `use crate::command::{self, Arg};`, `use bytes::Bytes;`
fn import(path: &str, names: &[&str]) -> TokenStream {
    let ident = |name: &str| Ident::new(name, Span::call_site());
    let segments: Vec<_> = path.split("::").map(ident).collect();
    let path = quote!(#(#segments)::*);
    match names {
        [] => TokenStream::new(),
        ["self"] => quote!(use #path;),
        ["*"] => quote!(use #path::*;),
        [name] => {
            let name = ident(name);
            quote!(use #path::#name;)
        }
        names => {
            let names = names.iter().map(|name| ident(name));
            quote!(use #path::{#(#names),*};)
        }
    }
}
