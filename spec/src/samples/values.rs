//! The values that samples are made of.

use std::{fs, path::Path};

use respec_codegen::{
    error::Error,
    json::{self, Fields, Read},
};
use serde_json::Value;

/// Which values stand for which arguments, as a file of rules says.
#[derive(Clone, Debug, Default)]
pub struct Values {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    /// Names of commands, with `*` for any text; every command if there is none.
    commands: Vec<String>,
    /// Names of arguments, or what leads to them joined by `/`, with `*` for any text.
    arguments: Vec<String>,
    /// The first value is for a single one; a list of two takes the second as well.
    values: Vec<String>,
}

impl Values {
    /// Reads a file of rules, of which the first that fits decides.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or is no list of rules.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(file).map_err(|error| Error::new(file, error.to_string()))?;
        let rules = json::parse(file, &text)?;
        Ok(Self { rules })
    }

    /// The values of an argument of a command, if a rule names them.
    pub(super) fn find(&self, command: &str, path: &str) -> Option<&[String]> {
        let leaf = path.rsplit('/').next().unwrap_or(path);
        let fits = |rule: &&Rule| {
            (rule.commands.is_empty() || rule.commands.iter().any(|name| glob(name, command)))
                && rule
                    .arguments
                    .iter()
                    .any(|name| glob(name, leaf) || glob(name, path))
        };
        self.rules
            .iter()
            .find(fits)
            .map(|rule| rule.values.as_slice())
    }
}

impl Read for Rule {
    fn read(value: &Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let rule = Self {
            commands: fields.or_default("commands")?,
            arguments: fields.required("arguments")?,
            values: fields.required("values")?,
        };
        fields.end()?;
        Ok(rule)
    }
}

/// Whether a text fits a pattern in which `*` stands for any text.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|&at| rest.is_char_boundary(at))
                .any(|at| glob(tail, &rest[at..]))
        }),
    }
}
