//! The files of a spec: which command stands in which, and how they are read.
//!
//! A [`Store`] holds the commands as JSON, as the files have them, before any correction.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::Error;
use crate::json::{self, Read};
use crate::spec::{Command, Commands, Skip};

/// The commands of a folder and the names that it leaves out.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// The folder.
    pub dir: PathBuf,
    /// Every command with the file that it stands in.
    pub entries: BTreeMap<String, Entry>,
    /// What is left out, and why.
    pub skipped: BTreeMap<String, Skip>,
    files: Vec<PathBuf>,
}

/// One command as its file has it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The file.
    pub file: PathBuf,
    /// The JSON object.
    pub value: Value,
}

impl Store {
    /// Reads `commands/*.json` and `skipped.json` of a folder.
    ///
    /// # Errors
    /// When a file cannot be read, is not a JSON object of objects, or repeats a command.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let mut store = Self {
            dir: dir.to_path_buf(),
            ..Self::default()
        };
        for file in json_files(&dir.join(COMMANDS))? {
            for (name, value) in read_object(&file)? {
                let entry = Entry {
                    file: file.clone(),
                    value,
                };
                if let Some(first) = store.entries.insert(name.clone(), entry) {
                    let reason = format!("is already described in {}", first.file.display());
                    return Err(Error::new(file, reason).in_command(name));
                }
            }
            store.files.push(file);
        }
        let file = dir.join(SKIPPED);
        if let Some(text) = read_optional(&file)? {
            store.skipped = json::parse(&file, &text)?;
            store.files.push(file);
        }
        Ok(store)
    }

    /// The files that were read.
    pub fn files(&self) -> Vec<PathBuf> {
        self.files.clone()
    }

    /// The commands, typed.
    ///
    /// # Errors
    /// When an entry has a field that is not part of the format, or lacks one.
    pub fn commands(&self) -> Result<Commands, Error> {
        let mut commands = Commands::new();
        for (name, entry) in &self.entries {
            let command = Command::read(&entry.value)
                .map_err(|reason| Error::new(&entry.file, reason).in_command(name.clone()))?;
            commands.insert(name.clone(), command);
        }
        Ok(commands)
    }
}

/// The text of a file, or nothing where there is no such file.
///
/// # Errors
/// When the file exists and cannot be read.
pub fn read_optional(file: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::new(file, error.to_string())),
    }
}

/// Reads a file that holds one JSON object.
///
/// # Errors
/// When the file cannot be read or holds something else.
pub fn read_object(file: &Path) -> Result<Map<String, Value>, Error> {
    let text = fs::read_to_string(file).map_err(|error| Error::new(file, error.to_string()))?;
    match json::parse(file, &text)? {
        Value::Object(fields) => Ok(fields),
        other => {
            let reason = format!("expected an object, found {}", json::kind(&other));
            Err(Error::new(file, reason))
        }
    }
}

/// The `*.json` files of a folder in the order of their names.
///
/// # Errors
/// When the folder cannot be read or holds no such file.
pub fn json_files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error: std::io::Error| Error::new(dir, error.to_string());
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::new(
            dir,
            "expected a folder with .json files, found none",
        ));
    }
    files.sort();
    Ok(files)
}

/// The folder of the command files.
pub const COMMANDS: &str = "commands";
/// The file of the names that are left out.
pub const SKIPPED: &str = "skipped.json";
