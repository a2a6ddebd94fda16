//! Replies that have names for their parts: `structs.json`.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use crate::{
    error::Error,
    json::{self, Fields, Read, Word},
    replies::{self, Type},
};

/// The file in the folder of a spec.
pub const FILE: &str = "structs.json";

/// All structs by name.
pub type Structs = BTreeMap<String, Struct>;

/// A reply, or a part of one, with names for its parts.
#[derive(Clone, Debug)]
pub struct Struct {
    /// One sentence.
    pub doc: String,
    /// How it arrives.
    pub shape: Shape,
    /// What stands between the fields of a text; a space, or the end of a line, where nothing else is
    /// said.
    pub between: Option<char>,
    /// Its parts.
    pub fields: Vec<Field>,
    /// No server was available that sends it.
    pub unverified: bool,
    /// Texts of the reply that are no values of their own: which alternative of an enum or which
    /// field it is tells them.
    pub tells: Vec<String>,
    /// Two values of the reply become one.
    pub joins: bool,
}

/// How a struct arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// By names: a map, or names and values in turn. Names that are not known are kept.
    Map,
    /// By position: an array that newer servers may lengthen.
    Tuple,
    /// By names in a line of text, `name=value`. Names that are not known are kept.
    Line,
    /// By names on lines of their own, `name:value`. Names that are not known are kept.
    Lines,
    /// In a way that a hand-written decoder knows.
    Custom,
}

/// A part of a struct.
#[derive(Clone, Debug)]
pub struct Field {
    /// The name as the server spells it.
    pub name: String,
    /// The name in Rust, where it does not follow from the server's.
    pub rust: Option<String>,
    /// What it holds, in the words of the file of replies.
    pub ty: String,
    /// Some servers leave it out.
    pub optional: bool,
    /// A few words.
    pub doc: String,
    /// First version that sends it.
    pub since: Option<String>,
    /// No server was available that sends it.
    pub unverified: bool,
    /// A map of all fields whose names begin with this one's, by what follows it.
    pub each: bool,
    /// A list of all elements that are left of a tuple.
    pub rest: bool,
    /// The variant of a hand-written enum that the field describes.
    pub variant: Option<String>,
    /// The form on the wire where it is unusual for the type.
    pub wire: Option<String>,
}

impl Field {
    /// What the field holds.
    ///
    /// # Errors
    ///
    /// Where the type is not in the words of the file of replies.
    pub fn parsed(&self) -> Result<Type, String> {
        Ok(replies::parse_reply(&self.ty)?.default)
    }
}

/// Reads the text of a file of structs.
///
/// # Errors
///
/// Where it is malformed or a type is not understood; the error names the struct and the reason.
pub fn parse(file: &Path, text: &str) -> Result<Structs, Error> {
    let structs: Structs = json::parse(file, text)?;
    for (name, item) in &structs {
        for field in &item.fields {
            let ty = field
                .parsed()
                .map_err(|reason| Error::new(file, reason).in_command(name))?;
            for used in ty.named() {
                if !structs.contains_key(used) {
                    let reason = format!("`{}` is a @{used}, which is not described", field.name);
                    return Err(Error::new(file, reason).in_command(name));
                }
            }
        }
    }
    Ok(structs)
}

impl Read for Struct {
    fn read(value: &Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let item = Self {
            doc: fields.required("doc")?,
            shape: fields.required("shape")?,
            between: fields.optional("between")?,
            fields: fields.or_default("fields")?,
            unverified: fields.or_default("unverified")?,
            tells: fields.or_default("tells")?,
            joins: fields.or_default("joins")?,
        };
        fields.end()?;
        Ok(item)
    }
}

impl Read for Field {
    fn read(value: &Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let field = Self {
            name: fields.required("name")?,
            rust: fields.optional("rust")?,
            ty: fields.required("type")?,
            optional: fields.or_default("optional")?,
            doc: fields.required("doc")?,
            since: fields.optional("since")?,
            unverified: fields.or_default("unverified")?,
            each: fields.or_default("each")?,
            rest: fields.or_default("rest")?,
            variant: fields.optional("variant")?,
            wire: fields.optional("wire")?,
        };
        fields.end()?;
        Ok(field)
    }
}

impl Word for Shape {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("map", Self::Map),
        ("tuple", Self::Tuple),
        ("line", Self::Line),
        ("lines", Self::Lines),
        ("custom", Self::Custom),
    ];
}
