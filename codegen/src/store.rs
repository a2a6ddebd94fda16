//! The files of a spec: which command stands in which, how they are read, and how they are written.
//!
//! A [`Store`] holds the commands as JSON, as the files have them, before any correction.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value};

use crate::error::Error;
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
            store.skipped =
                serde_json::from_str(&text).map_err(|error| json_error(&file, &error))?;
            store.files.push(file);
        }
        Ok(store)
    }

    /// The same, or an empty store where the folder has no commands yet.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn read_or_new(dir: &Path) -> Result<Self, Error> {
        match dir.join(COMMANDS).exists() {
            true => Self::read(dir),
            false => Ok(Self {
                dir: dir.to_path_buf(),
                ..Self::default()
            }),
        }
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
            let command = Command::deserialize(&entry.value).map_err(|error| {
                Error::new(&entry.file, error.to_string()).in_command(name.clone())
            })?;
            commands.insert(name.clone(), command);
        }
        Ok(commands)
    }

    /// Writes commands and skipped names, each command to the file that it was read from, new ones
    /// to the file of their group. Only files whose content differs are touched.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(
        &self,
        commands: &Commands,
        skipped: &BTreeMap<String, Skip>,
    ) -> Result<Vec<PathBuf>, Error> {
        let folder = self.dir.join(COMMANDS);
        fs::create_dir_all(&folder).map_err(|error| Error::new(&folder, error.to_string()))?;
        let mut texts: BTreeMap<PathBuf, BTreeMap<&str, &Command>> = BTreeMap::new();
        for (name, command) in commands {
            let file = match self.entries.get(name) {
                Some(entry) => entry.file.clone(),
                None => folder.join(format!("{}.json", file_stem(command))),
            };
            texts.entry(file).or_default().insert(name, command);
        }
        let mut written = Vec::new();
        for (file, content) in texts {
            write_changed(&file, &pretty(&content), &mut written)?;
        }
        if !skipped.is_empty() {
            write_changed(&self.dir.join(SKIPPED), &pretty(skipped), &mut written)?;
        }
        Ok(written)
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
    serde_json::from_str(&text).map_err(|error| json_error(file, &error))
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

/// An error of the JSON reader with its line.
pub fn json_error(file: &Path, error: &serde_json::Error) -> Error {
    Error::new(file, error.to_string()).at_line(error.line().max(1))
}

/// The name of the file that a command belongs to, without its ending.
fn file_stem(command: &Command) -> String {
    match command.module.as_deref() {
        Some("bf") => "bloom".to_owned(),
        Some("ReJSON") => "json".to_owned(),
        Some("vectorset") => "vector-set".to_owned(),
        Some(module) => module.to_lowercase(),
        None => command.group.clone(),
    }
}

fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(b" "));
    value
        .serialize(&mut serializer)
        .expect("a spec has only string keys and finite numbers");
    out.push(b'\n');
    out
}

fn write_changed(file: &Path, text: &[u8], written: &mut Vec<PathBuf>) -> Result<(), Error> {
    if fs::read(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(file, text).map_err(|error| Error::new(file, error.to_string()))?;
    written.push(file.to_path_buf());
    Ok(())
}

/// The folder of the command files.
pub const COMMANDS: &str = "commands";
/// The file of the names that are left out.
pub const SKIPPED: &str = "skipped.json";
