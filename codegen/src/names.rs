//! Names of types that the spec does not give: `names.json`.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use serde_json::Value;

use crate::{
    error::Error,
    json::{self, Fields, Read},
};

/// The file in the folder of a spec.
pub const FILE: &str = "names.json";

/// Names of enums that several commands share, and what types are.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By the tokens in alphabetic order, joined by `|`.
    pub enums: BTreeMap<String, EnumName>,
    /// The first sentence of the docs of other types, by name.
    pub docs: BTreeMap<String, String>,
}

/// The name of an enum.
#[derive(Clone, Debug)]
pub struct EnumName {
    /// The type.
    pub name: String,
    /// The first sentence of its docs.
    pub doc: String,
}

impl Names {
    /// Reads the file, if the spec has one.
    ///
    /// # Errors
    ///
    /// Where it is malformed; the error names the file and the place.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let file = dir.join(FILE);
        match fs::read_to_string(&file) {
            Ok(text) => json::parse(&file, &text),
            // A spec of one plain file has no folder to look in.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(Self::default())
            }
            Err(error) => Err(Error::new(&file, error.to_string())),
        }
    }
}

impl Read for Names {
    fn read(value: &Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let names = Self {
            enums: fields.required("enums")?,
            docs: fields.or_default("docs")?,
        };
        fields.end()?;
        Ok(names)
    }
}

impl Read for EnumName {
    fn read(value: &Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let name = Self {
            name: fields.required("name")?,
            doc: fields.required("doc")?,
        };
        fields.end()?;
        Ok(name)
    }
}
