//! What commands answer: the lines of `replies.tsv`.
//!
//! A line is `COMMAND<TAB>type` or `COMMAND<TAB>type ; guard => type ; …`, and may have a third
//! column that says what an absent value means or why the reply can be anything. The first guard that
//! holds decides, else the type before the first semicolon. The words for types and guards are
//! explained at the head of the file itself.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::error::Error;

/// The file in the folder of a spec.
pub const FILE: &str = "replies.tsv";

/// What one command answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The type where no guard holds.
    pub default: Type,
    /// Types that options lead to; the first guard that holds decides.
    pub guarded: Vec<(Guard, Type)>,
    /// What an absent value means, or why the reply can be anything.
    pub note: Option<String>,
}

impl Reply {
    /// Whether no variant can be anything.
    #[must_use]
    pub fn is_typed(&self) -> bool {
        std::iter::once(&self.default)
            .chain(self.guarded.iter().map(|(_, ty)| ty))
            .all(|ty| !ty.is_dynamic())
    }
}

/// A condition on what was given: all parts hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The parts, joined by `&` in the file.
    pub all: Vec<Condition>,
}

/// One part of a guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Holds when none of the names was given.
    pub negated: bool,
    /// Holds when any of them was given, joined by `|` in the file.
    pub any: Vec<Given>,
}

/// What a condition looks for among the arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// An option or alternative, by its token.
    Token(String),
    /// An argument without a token, by its name; `@name` in the file.
    Argument(String),
}

/// The type of a reply. Each type accepts what RESP2 and RESP3 have for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `OK` and nothing else.
    Ok,
    /// A short simple string.
    Status,
    /// A text to read, bulk or verbatim.
    Text,
    /// A whole number.
    Int,
    /// A whole number that is never negative.
    Count,
    /// A yes or no.
    Bool,
    /// A floating point number.
    Double,
    /// Bytes.
    Bulk,
    /// The type, or null.
    Optional(Box<Type>),
    /// An array.
    List(Box<Type>),
    /// A set, an array under RESP2.
    Set(Box<Type>),
    /// A map.
    Map(Box<Type>, Box<Type>),
    /// A map on the wire whose order and repetitions matter.
    Pairs(Box<Type>, Box<Type>),
    /// An array of exactly these elements; newer servers may append more.
    Tuple(Vec<Type>),
    /// A cursor and a page of the type.
    Scan(Box<Type>),
    /// Stream entries: ids with their fields and values.
    Entries,
    /// Stream entries by key.
    Streams,
    /// Members with their scores.
    Scored,
    /// One value or a list of them, as the path asks.
    OneOrList(Box<Type>),
    /// The type, or an error in its place.
    OrError(Box<Type>),
    /// Anything.
    Any,
    /// Pushes, and no reply.
    Push,
    /// No reply.
    None,
    /// A struct of that name.
    Named(String),
    /// A struct of that name which can be read only by who knows which of these options were given.
    Laid(String, Vec<String>),
}

/// Reads the text of a file of replies.
///
/// # Errors
/// Names the line and the reason when a line is not understood or a command has two.
pub fn parse(file: &Path, text: &str) -> Result<BTreeMap<String, Reply>, Error> {
    let mut replies = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let fail = |reason: String| Error::new(file, reason).at_line(index + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, reply)) = line.split_once('\t') else {
            return Err(fail("expected a command, a tab and a type".to_owned()));
        };
        let (reply, note) = match reply.split_once('\t') {
            Some((reply, note)) => (reply, Some(note.to_owned())),
            None => (reply, None),
        };
        let mut reply = parse_reply(reply).map_err(|reason| fail(reason).in_command(name))?;
        reply.note = note;
        if replies.insert(name.to_owned(), reply).is_some() {
            return Err(fail("has a reply already".to_owned()).in_command(name));
        }
    }
    Ok(replies)
}

/// Reads what stands behind the tab of a line.
///
/// # Errors
/// Says what was expected and what was found.
pub fn parse_reply(text: &str) -> Result<Reply, String> {
    let mut parts = text.split(';');
    let default = parse_type(parts.next().unwrap_or_default())?;
    let guarded = parts
        .map(|part| {
            let (guard, reply) = part
                .split_once("=>")
                .ok_or_else(|| format!("expected guard => type, found {:?}", part.trim()))?;
            Ok((parse_guard(guard)?, parse_type(reply)?))
        })
        .collect::<Result<_, String>>()?;
    Ok(Reply {
        default,
        guarded,
        note: None,
    })
}

fn parse_guard(text: &str) -> Result<Guard, String> {
    let text = text.trim();
    let all = text.split('&').map(|part| {
        let part = part.trim();
        let (negated, names) = match part.strip_prefix('!') {
            Some(names) => (true, names),
            None => (false, part),
        };
        let any = names.split('|').map(|name| match name.trim() {
            "" | "@" => Err(format!(
                "expected a token or @argument in the guard {text:?}"
            )),
            name => Ok(match name.strip_prefix('@') {
                Some(argument) => Given::Argument(argument.to_owned()),
                None => Given::Token(name.to_owned()),
            }),
        });
        Ok(Condition {
            negated,
            any: any.collect::<Result<_, String>>()?,
        })
    });
    Ok(Guard {
        all: all.collect::<Result<_, String>>()?,
    })
}

fn parse_type(text: &str) -> Result<Type, String> {
    let mut reader = Reader { rest: text.trim() };
    let found = reader.union()?;
    match reader.rest.is_empty() {
        true => Ok(found),
        false => Err(format!(
            "expected the end of the type, found {:?}",
            reader.rest
        )),
    }
}

/// What is left to read of a type.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// A type, or `type|error`.
    fn union(&mut self) -> Result<Type, String> {
        let found = self.one()?;
        if !self.eat("|") {
            return Ok(found);
        }
        match self.word() {
            "error" => Ok(Type::OrError(Box::new(found))),
            other => Err(format!("expected error after |, found {other:?}")),
        }
    }

    fn one(&mut self) -> Result<Type, String> {
        let mut found = if self.eat("(") {
            let mut parts = vec![self.union()?];
            while self.eat(",") {
                parts.push(self.union()?);
            }
            self.expect(")")?;
            Type::Tuple(parts)
        } else if self.eat("@") {
            match self.word() {
                "" => return Err(format!("expected a name after @, found {:?}", self.rest)),
                name => {
                    let name = name.to_owned();
                    match self.options()? {
                        options if options.is_empty() => Type::Named(name),
                        options => Type::Laid(name, options),
                    }
                }
            }
        } else {
            self.named()?
        };
        while self.eat("?") {
            found = Type::Optional(Box::new(found));
        }
        Ok(found)
    }

    /// `[TOKEN,TOKEN]`, if it is there.
    fn options(&mut self) -> Result<Vec<String>, String> {
        let mut options = Vec::new();
        if self.eat("[") {
            loop {
                match self.word() {
                    "" => return Err(format!("expected an option, found {:?}", self.rest)),
                    token => options.push(token.to_owned()),
                }
                if !self.eat(",") {
                    break;
                }
            }
            self.expect("]")?;
        }
        Ok(options)
    }

    fn named(&mut self) -> Result<Type, String> {
        let before = self.rest;
        Ok(match self.word() {
            "ok" => Type::Ok,
            "status" => Type::Status,
            "text" => Type::Text,
            "int" => Type::Int,
            "count" => Type::Count,
            "bool" => Type::Bool,
            "double" => Type::Double,
            "bulk" => Type::Bulk,
            "entries" => Type::Entries,
            "streams" => Type::Streams,
            "scored" => Type::Scored,
            "any" => Type::Any,
            "push" => Type::Push,
            "none" => Type::None,
            "list" => Type::List(self.element()?),
            "set" => Type::Set(self.element()?),
            "scan" => Type::Scan(self.element()?),
            "one_or_list" => Type::OneOrList(self.element()?),
            "map" => {
                let (key, value) = self.two_elements()?;
                Type::Map(key, value)
            }
            "pairs" => {
                let (key, value) = self.two_elements()?;
                Type::Pairs(key, value)
            }
            _ => return Err(format!("expected a type, found {before:?}")),
        })
    }

    fn element(&mut self) -> Result<Box<Type>, String> {
        self.expect("<")?;
        let element = self.union()?;
        self.expect(">")?;
        Ok(Box::new(element))
    }

    fn two_elements(&mut self) -> Result<(Box<Type>, Box<Type>), String> {
        self.expect("<")?;
        let key = self.union()?;
        self.expect(",")?;
        let value = self.union()?;
        self.expect(">")?;
        Ok((Box::new(key), Box::new(value)))
    }

    fn word(&mut self) -> &str {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn eat(&mut self, mark: &str) -> bool {
        match self.rest.trim_start().strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, mark: &str) -> Result<(), String> {
        match self.eat(mark) {
            true => Ok(()),
            false => Err(format!("expected {mark:?}, found {:?}", self.rest)),
        }
    }
}

impl Type {
    /// Whether the type, or a part of it, can be anything.
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        match self {
            Self::Any | Self::Push => true,
            Self::Optional(ty)
            | Self::List(ty)
            | Self::Set(ty)
            | Self::Scan(ty)
            | Self::OneOrList(ty)
            | Self::OrError(ty) => ty.is_dynamic(),
            Self::Map(key, value) | Self::Pairs(key, value) => {
                key.is_dynamic() || value.is_dynamic()
            }
            Self::Tuple(types) => types.iter().any(Self::is_dynamic),
            _ => false,
        }
    }

    /// The structs that the type is made of.
    #[must_use]
    pub fn named(&self) -> Vec<&str> {
        match self {
            Self::Named(name) | Self::Laid(name, _) => vec![name],
            Self::Optional(ty)
            | Self::List(ty)
            | Self::Set(ty)
            | Self::Scan(ty)
            | Self::OneOrList(ty)
            | Self::OrError(ty) => ty.named(),
            Self::Map(key, value) | Self::Pairs(key, value) => {
                key.named().into_iter().chain(value.named()).collect()
            }
            Self::Tuple(types) => types.iter().flat_map(Self::named).collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Status => f.write_str("status"),
            Self::Text => f.write_str("text"),
            Self::Int => f.write_str("int"),
            Self::Count => f.write_str("count"),
            Self::Bool => f.write_str("bool"),
            Self::Double => f.write_str("double"),
            Self::Bulk => f.write_str("bulk"),
            Self::Optional(of) => write!(f, "{of}?"),
            Self::List(of) => write!(f, "list<{of}>"),
            Self::Set(of) => write!(f, "set<{of}>"),
            Self::Map(key, value) => write!(f, "map<{key},{value}>"),
            Self::Pairs(key, value) => write!(f, "pairs<{key},{value}>"),
            Self::Tuple(parts) => {
                f.write_str("(")?;
                for (index, part) in parts.iter().enumerate() {
                    write!(f, "{}{part}", if index == 0 { "" } else { "," })?;
                }
                f.write_str(")")
            }
            Self::Scan(of) => write!(f, "scan<{of}>"),
            Self::Entries => f.write_str("entries"),
            Self::Streams => f.write_str("streams"),
            Self::Scored => f.write_str("scored"),
            Self::OneOrList(of) => write!(f, "one_or_list<{of}>"),
            Self::OrError(of) => write!(f, "{of}|error"),
            Self::Any => f.write_str("any"),
            Self::Push => f.write_str("push"),
            Self::None => f.write_str("none"),
            Self::Named(name) => write!(f, "@{name}"),
            Self::Laid(name, options) => write!(f, "@{name}[{}]", options.join(",")),
        }
    }
}
