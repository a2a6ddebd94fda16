//! Rust as text that people read: prettyplease lays out the code, and this adds what it leaves:
//! blank lines between items, and docs that are wrapped.

use proc_macro2::TokenStream;

/// The longest line of docs.
const WIDTH: usize = 100;

/// One step of indentation.
const STEP: usize = 4;

/// The text of a file.
///
/// # Errors
///
/// Says where the code is no Rust.
pub fn text(code: TokenStream) -> Result<String, String> {
    let file = syn::parse2(code).map_err(|error| format!("generated no Rust: {error}"))?;
    let mut layout = Layout::default();
    for line in prettyplease::unparse(&file).lines() {
        layout.line(line);
    }
    Ok(layout.text)
}

/// Text in the making, line by line.
#[derive(Default)]
struct Layout {
    text: String,
    /// How far the items of the innermost `impl`, `trait` or `mod` are indented.
    depth: usize,
    /// Whether the item that has begun holds items.
    holds_items: bool,
    /// What stands above the next item.
    above: Above,
}

/// What stands above an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Above {
    /// The beginning of the file or block.
    #[default]
    Nothing,
    /// Docs or attributes of the same item.
    Attribute,
    /// An import, by where it is from.
    Import(Origin),
    /// Another item of one line, such as an associated type.
    Line,
    /// An item of several lines.
    Block,
}

/// Where an import is from; imports stand in three groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Std,
    Crates,
    Ours,
}

impl Layout {
    fn line(&mut self, line: &str) {
        let content = line.trim_start();
        if content.is_empty() {
            return;
        }
        let indent = line.len() - content.len();
        if indent + STEP == self.depth {
            // The end of the block.
            self.depth = indent;
            self.above = Above::Block;
        } else if indent == self.depth {
            self.item(content);
        }
        match content.strip_prefix("/// ") {
            Some(docs) => self.wrapped(indent, docs),
            None => {
                self.text.push_str(line);
                self.text.push('\n');
            }
        }
    }

    /// Takes a line that begins an item, goes on with it at its own depth, or ends it, and sees to
    /// the blank line above it.
    fn item(&mut self, line: &str) {
        let goes_on = line.starts_with(['{', '}', '(', ')', '[', ']']) || line == "where";
        if !goes_on {
            let now = Above::of(line);
            let close = match (self.above, now) {
                (Above::Nothing | Above::Attribute, _) | (Above::Line, Above::Line) => true,
                (above, now) => matches!(now, Above::Import(_)) && above == now,
            };
            if !close {
                self.text.push('\n');
            }
            let mut words = line
                .split([' ', '<'])
                .skip_while(|word| word.starts_with("pub"));
            self.holds_items = matches!(words.next(), Some("impl" | "trait" | "mod"));
            self.above = now;
        }
        if line.ends_with('{') && self.holds_items {
            self.depth += STEP;
            self.above = Above::Nothing;
        } else if goes_on && !matches!(self.above, Above::Import(_)) {
            self.above = Above::Block;
        }
    }

    /// A line of docs, as several where it is too long; those of a list hang below its text.
    fn wrapped(&mut self, indent: usize, docs: &str) {
        let room = WIDTH - indent - "/// ".len();
        let text = docs.trim_start();
        let mut line = docs[..docs.len() - text.len()].to_owned();
        let hang = match text.starts_with("* ") {
            true => format!("{line}  "),
            false => line.clone(),
        };
        for word in text.split(' ') {
            let blank = line.trim().is_empty();
            if !blank && line.chars().count() + 1 + word.chars().count() > room {
                self.docs(indent, &line);
                line.clone_from(&hang);
            } else if !blank {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.docs(indent, &line);
    }

    fn docs(&mut self, indent: usize, line: &str) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.text.push_str("/// ");
        self.text.push_str(line);
        self.text.push('\n');
    }
}

impl Above {
    /// What a line that begins an item is for the next one.
    fn of(line: &str) -> Self {
        if line.starts_with("///") || line.starts_with("#[") {
            return Self::Attribute;
        }
        if let Some(path) = line.strip_prefix("use ").or(line.strip_prefix("pub use ")) {
            let root = path.split("::").next().unwrap_or_default();
            return Self::Import(match root {
                "std" => Origin::Std,
                "crate" | "self" | "super" => Origin::Ours,
                _ => Origin::Crates,
            });
        }
        match line.ends_with([';', '}']) {
            true => Self::Line,
            false => Self::Block,
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::text;

    #[test]
    fn items_stand_apart_and_what_belongs_together_does_not() {
        let code = quote! {
            use std::fmt;
            use bytes::Bytes;
            use crate::command::{self, Arg, Asynchronous, Commands, Detached, IntoList, List, Via, Needs};
            use crate::Result;
            /// A name.
            #[derive(Clone)]
            pub struct Name {
                /// Its text.
                text: String,
                length: usize,
            }
            impl Item for Name {}
            impl<T> Command for Name<T> where T: Clone {
                type Via = T;
                type Reply = ();
                fn via(&self) -> T {
                    let via = 1;
                    via
                }
                fn read(&self) {}
                /// Docs.
                fn write(&self) {}
            }
            pub(crate) mod inner {
                use super::*;
                fn one() {
                    if a { b(); }
                }
                static TWO: u8 = 2;
            }
        };
        let expected = "\
use std::fmt;

use bytes::Bytes;

use crate::command::{
    self, Arg, Asynchronous, Commands, Detached, IntoList, List, Via, Needs,
};
use crate::Result;

/// A name.
#[derive(Clone)]
pub struct Name {
    /// Its text.
    text: String,
    length: usize,
}

impl Item for Name {}

impl<T> Command for Name<T>
where
    T: Clone,
{
    type Via = T;
    type Reply = ();

    fn via(&self) -> T {
        let via = 1;
        via
    }

    fn read(&self) {}

    /// Docs.
    fn write(&self) {}
}

pub(crate) mod inner {
    use super::*;

    fn one() {
        if a {
            b();
        }
    }

    static TWO: u8 = 2;
}
";
        assert_eq!(text(code).unwrap(), expected);
    }

    #[test]
    fn docs_are_wrapped_where_a_line_would_be_longer_than_a_hundred_characters() {
        let fits = "a".repeat(47) + " " + &"b".repeat(48);
        let breaks = fits.clone() + "b";
        let listed = format!("* {} {}", "a".repeat(47), "b".repeat(48));
        let docs = [fits.clone(), breaks, listed].map(|line| format!(" {line}"));
        let code = quote! {
            #(#[doc = #docs])*
            struct Wide;
        };
        let (a, b) = ("a".repeat(47), "b".repeat(48));
        let expected =
            format!("/// {fits}\n/// {a}\n/// {b}b\n/// * {a}\n///   {b}\nstruct Wide;\n");
        assert_eq!(text(code).unwrap(), expected);
        assert!(expected.lines().all(|line| line.len() <= 100));
    }

    #[test]
    fn what_is_no_rust_is_an_error_and_no_panic() {
        let reason = text(quote!(struct struct;)).unwrap_err();
        assert!(reason.starts_with("generated no Rust: "), "{reason}");
    }
}
