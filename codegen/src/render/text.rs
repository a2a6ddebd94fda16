//! Text with indentation, signatures that break where a line is full, and the imports of a file.

use std::fmt::Write as _;

use super::Root;

/// The longest line.
const WIDTH: usize = 100;

/// Rust text in the making.
#[derive(Debug, Default)]
pub(super) struct Text {
    text: String,
    depth: usize,
}

impl Text {
    pub(super) fn indented(depth: usize) -> Self {
        Self {
            text: String::new(),
            depth,
        }
    }

    /// A line, or an empty one.
    pub(super) fn line(&mut self, line: &str) {
        if line.is_empty() {
            self.text.push('\n');
            return;
        }
        for _ in 0..self.depth {
            self.text.push_str("    ");
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Text that is laid out already.
    pub(super) fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// `head {`, what `body` writes one step deeper, and `}`.
    pub(super) fn braces(&mut self, head: &str, body: impl FnOnce(&mut Self)) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
        let before = self.text.len();
        body(self);
        while self.text.ends_with("\n\n") {
            self.text.pop();
        }
        self.depth -= 1;
        if self.text.len() == before {
            let open = " {\n";
            let cut = self.text.len() - open.len();
            self.text.truncate(cut);
            self.text.push_str(" {}\n");
            return;
        }
        self.line("}");
    }

    /// `head for name {`, broken in front of `for` where it is too long.
    pub(super) fn implementation(&mut self, head: &str, name: &str, body: impl FnOnce(&mut Self)) {
        let flat = format!("{head} for {name}");
        if self.fits(&format!("{flat} {{")) {
            self.braces(&flat, body);
            return;
        }
        self.line(head);
        self.line(&format!("    for {name}"));
        self.line("{");
        self.deeper(body);
        self.line("}");
    }

    /// What `body` writes, one step deeper.
    pub(super) fn deeper(&mut self, body: impl FnOnce(&mut Self)) {
        self.depth += 1;
        body(self);
        self.depth -= 1;
    }

    /// `///` lines, wrapped at the width; a line of `text` is a paragraph and an empty one stays.
    pub(super) fn doc(&mut self, text: &str) {
        let room = WIDTH - 4 * self.depth - 4;
        for paragraph in text.lines() {
            if paragraph.is_empty() {
                self.line("///");
                continue;
            }
            let hang = if paragraph.starts_with("* ") {
                "  "
            } else {
                ""
            };
            let mut line = String::new();
            for word in paragraph.split(' ') {
                let length = line.chars().count() + 1 + word.chars().count();
                if !line.trim().is_empty() && length > room {
                    self.line(&format!("/// {line}"));
                    line = hang.to_owned();
                }
                if !line.trim().is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            self.line(&format!("/// {line}"));
        }
    }

    /// `head<generics>(parameters) -> result where bounds {`, broken where it is too long.
    pub(super) fn function(
        &mut self,
        head: &str,
        generics: &[String],
        parameters: &[String],
        result: &str,
        body: impl FnOnce(&mut Self),
    ) {
        let generics = if generics.is_empty() {
            String::new()
        } else {
            format!("<{}>", generics.join(", "))
        };
        let result = if result.is_empty() {
            String::new()
        } else {
            format!(" -> {result}")
        };
        let flat = format!("{head}{generics}({}){result}", parameters.join(", "));
        if 4 * self.depth + flat.chars().count() + 2 <= WIDTH {
            self.braces(&flat, body);
            return;
        }
        self.line(&format!("{head}{generics}("));
        self.depth += 1;
        for parameter in parameters {
            self.line(&format!("{parameter},"));
        }
        self.depth -= 1;
        self.braces(&format!("){result}"), body);
    }

    /// `callee(arguments)` as the last expression, broken where it is too long.
    pub(super) fn call(&mut self, callee: &str, arguments: &[String]) {
        let flat = format!("{callee}({})", arguments.join(", "));
        if self.fits(&flat) && arguments.join(", ").chars().count() <= 60 {
            self.line(&flat);
            return;
        }
        self.line(&format!("{callee}("));
        self.depth += 1;
        for argument in arguments {
            self.line(&format!("{argument},"));
        }
        self.depth -= 1;
        self.line(")");
    }

    /// `name { fields }` as the last expression, broken where it is too long; `{}` in `around`
    /// stands for it.
    pub(super) fn literal(&mut self, name: &str, fields: &[String]) {
        let flat = format!("{name} {{ {} }}", fields.join(", "));
        if self.fits(&flat) && short(fields) {
            self.line(&flat);
            return;
        }
        self.wrapped(&format!("{name} {{"), fields, "}");
    }

    /// `head`, an item on each line, `tail`.
    pub(super) fn wrapped(&mut self, head: &str, items: &[String], tail: &str) {
        self.line(head);
        self.depth += 1;
        for item in items {
            self.line(&format!("{item},"));
        }
        self.depth -= 1;
        self.line(tail);
    }

    pub(super) fn fits(&self, line: &str) -> bool {
        4 * self.depth + line.chars().count() <= WIDTH
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// Whether rustfmt leaves the fields of a struct literal or pattern on one line.
pub(super) fn short(fields: &[String]) -> bool {
    fields.join(", ").chars().count() <= 18
}

/// What a file imports: of all that generated code may use, what its text mentions.
pub(super) struct Imports<'a> {
    root: Root,
    body: &'a str,
    shared: Vec<&'a str>,
}

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
            "Milliseconds",
            "Needs",
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

impl<'a> Imports<'a> {
    pub(super) fn new(root: Root, body: &'a str) -> Self {
        Self {
            root,
            body,
            shared: Vec::new(),
        }
    }

    /// Types of `shared.rs` that the file may use.
    pub(super) fn with_shared(mut self, names: &[&'a str]) -> Self {
        self.shared = names.to_vec();
        self
    }

    /// The `use` lines at a depth, sorted as rustfmt sorts them; `more` are further paths.
    pub(super) fn render(&self, depth: usize, more: &[&str]) -> String {
        let mut blocks: [Vec<String>; 3] = Default::default();
        for (path, names) in KNOWN {
            let at = match path.split("::").next() {
                Some("std") => 0,
                Some("{}") => 2,
                _ => 1,
            };
            let own = path.rsplit("::").next().unwrap_or_default();
            let used: Vec<_> = names
                .iter()
                .filter(|name| match **name {
                    "self" => mentions(self.body, &format!("{own}::")),
                    // There are alternatives of that name, too.
                    "Error" => self.body.contains(", Error>"),
                    name => mentions(self.body, name),
                })
                .copied()
                .collect();
            let path = match (self.root, *path) {
                // A user's own facts and replies stand beside the commands.
                (Root::User, "{}::commands::info") => "super::info".to_owned(),
                (Root::User, "{}::reply") if used == ["self"] => "super::reply".to_owned(),
                _ => path.replace("{}", self.root.path()),
            };
            blocks[at].extend(import(&path, &used, depth));
        }
        let mut shared: Vec<_> = self
            .shared
            .iter()
            .copied()
            .filter(|name| mentions(self.body, name))
            .collect();
        shared.sort_unstable();
        let path = match self.root {
            Root::Client => "crate::commands::shared",
            Root::User => "super::shared",
        };
        blocks[2].extend(import(path, &shared, depth));
        let mut text = String::new();
        let own = blocks.len() - 1;
        for (at, block) in blocks.iter_mut().enumerate() {
            block.sort_by_key(|line| line.replace('{', "~").replace(';', ""));
            if at == own {
                block.splice(0..0, more.iter().map(|path| format!("use {path};")));
            }
            if block.is_empty() {
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            for line in block {
                for part in line.lines() {
                    let _ = writeln!(text, "{}{part}", "    ".repeat(depth));
                }
            }
        }
        text
    }
}

/// `use path::Name;`, `use path::{A, B};`, broken where it is too long.
fn import(path: &str, names: &[&str], depth: usize) -> Option<String> {
    let width = WIDTH - 4 * depth;
    let flat = match names {
        [] => return None,
        ["self"] => format!("use {path};"),
        [name] => format!("use {path}::{name};"),
        names => format!("use {path}::{{{}}};", names.join(", ")),
    };
    if flat.chars().count() <= width {
        return Some(flat);
    }
    let mut text = format!("use {path}::{{\n");
    let mut line = String::new();
    for name in names {
        if line.chars().count() + name.len() + 1 >= width - 4 {
            let _ = writeln!(text, "    {}", line.trim_end());
            line.clear();
        }
        let _ = write!(line, "{name}, ");
    }
    let _ = write!(text, "    {}\n}};", line.trim_end());
    Some(text)
}

/// Whether `text` has `name` as a word of its own in its code.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .any(|line| {
            line.match_indices(name).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + name.len()..].chars().next();
                !word(before) && before != Some(':') && (name.ends_with(':') || !word(after))
            })
        })
}
