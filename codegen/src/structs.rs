//! Replies that have names for their parts: `structs.json`.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::{
    error::Error,
    replies::{self, Type},
};

/// The file in the folder of a spec.
pub const FILE: &str = "structs.json";

/// All structs by name.
pub type Structs = BTreeMap<String, Struct>;

/// A reply, or a part of one, with names for its parts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Struct {
    /// One sentence.
    pub doc: String,
    /// How it arrives.
    pub shape: Shape,
    /// What stands between the fields of a line; a space where nothing else is said.
    #[serde(default)]
    pub between: Option<char>,
    /// Its parts.
    #[serde(default)]
    pub fields: Vec<Field>,
    /// No server was available that sends it.
    #[serde(default)]
    pub unverified: bool,
}

/// How a struct arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
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
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The name as the server spells it.
    pub name: String,
    /// The name in Rust, where it does not follow from the server's.
    #[serde(default)]
    pub rust: Option<String>,
    /// What it holds, in the words of the file of replies.
    #[serde(rename = "type")]
    pub ty: String,
    /// Some servers leave it out.
    #[serde(default)]
    pub optional: bool,
    /// A few words.
    pub doc: String,
    /// First version that sends it.
    #[serde(default)]
    pub since: Option<String>,
    /// No server was available that sends it.
    #[serde(default)]
    pub unverified: bool,
    /// A map of all fields whose names begin with this one's, by what follows it.
    #[serde(default)]
    pub each: bool,
    /// A list of all elements that are left of a tuple.
    #[serde(default)]
    pub rest: bool,
    /// The variant of a hand-written enum that the field describes.
    #[serde(default)]
    pub variant: Option<String>,
    /// The form on the wire where it is unusual for the type.
    #[serde(default)]
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
    let structs: Structs =
        serde_json::from_str(text).map_err(|error| Error::new(file, error.to_string()))?;
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
