//! A whole spec, read from its folder: commands with their corrections, replies, and what is left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::corrections;
use crate::error::Error;
use crate::errors::{self, Codes};
use crate::replies::{self, Reply, Type};
use crate::source::Source;
use crate::spec::{Commands, Provider, Skip};
use crate::store::{self, Store};
use crate::structs::{self, Structs};

/// Everything that the folder of a spec says, with the corrections applied.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// The commands after all corrections.
    pub commands: Commands,
    /// What each command answers. A command without a line here answers any value.
    pub replies: BTreeMap<String, Reply>,
    /// Replies that are structs, by name.
    pub structs: Structs,
    /// Names that servers have and for which nothing is generated.
    pub skipped: BTreeMap<String, Skip>,
    /// The codes that error replies begin with.
    pub codes: Codes,
    /// Every file that was read, for `cargo::rerun-if-changed`.
    pub files: Vec<PathBuf>,
}

impl Spec {
    /// Reads the folder of a spec: the commands, their corrections, their replies, and what is left out.
    ///
    /// Only `commands/` has to exist: a spec of one's own module may have nothing to correct. A single
    /// file, or a folder without `commands/`, is read as the `commands.json` of such a module, with its
    /// summaries and without replies.
    ///
    /// # Errors
    /// Names the file, the command and the reason when a file cannot be read, when something in it is
    /// not part of the format, or when a correction no longer applies.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        if !dir.join(store::COMMANDS).is_dir() {
            return load_published(dir);
        }
        let mut store = Store::read(dir)?;
        let mut files = store.files();
        for file in corrections::FILES {
            let file = dir.join(file);
            if let Some(text) = store::read_optional(&file)? {
                corrections::apply(&corrections::parse(&file, &text)?, &mut store, &file)?;
                files.push(file);
            }
        }
        let commands = store.commands()?;
        let file = dir.join(replies::FILE);
        let replies = match store::read_optional(&file)? {
            Some(text) => {
                let parsed = replies::parse(&file, &text)?;
                files.push(file);
                parsed
            }
            None => BTreeMap::new(),
        };
        let file = dir.join(structs::FILE);
        let structs = match store::read_optional(&file)? {
            Some(text) => {
                let parsed = structs::parse(&file, &text)?;
                files.push(file);
                parsed
            }
            None => Structs::new(),
        };
        let file = dir.join(errors::FILE);
        let codes = match store::read_optional(&file)? {
            Some(text) => {
                let parsed = errors::parse(&file, &text)?;
                files.push(file);
                parsed
            }
            None => Codes::new(),
        };
        for (name, reply) in &replies {
            if !commands.contains_key(name) {
                let reason = "has a reply, but the spec has no such command";
                return Err(Error::new(dir.join(replies::FILE), reason).in_command(name));
            }
            let types = reply.guarded.iter().map(|(_, ty)| ty);
            let mut used = types.chain([&reply.default]).flat_map(Type::named);
            if let Some(unknown) = used.find(|used| !structs.contains_key(*used)) {
                let reason = format!("answers a @{unknown}, which {} lacks", structs::FILE);
                return Err(Error::new(dir.join(replies::FILE), reason).in_command(name));
            }
        }
        Ok(Spec {
            commands,
            replies,
            structs,
            skipped: store.skipped,
            codes,
            files,
        })
    }
}

fn load_published(path: &Path) -> Result<Spec, Error> {
    let mut source = Source::read(path, Provider::Redis)?;
    let files = if path.is_dir() {
        store::json_files(path)?
    } else {
        vec![path.to_path_buf()]
    };
    let (containers, mut commands): (Commands, Commands) = source
        .commands
        .clone()
        .into_iter()
        .partition(|(name, _)| source.is_container(name));
    for (name, command) in &mut commands {
        command.summary = source.summaries.remove(name).unwrap_or_default();
    }
    let skipped = containers
        .into_keys()
        .map(|name| (name, Skip::Container))
        .collect();
    Ok(Spec {
        commands,
        replies: BTreeMap::new(),
        structs: Structs::new(),
        skipped,
        codes: Codes::new(),
        files,
    })
}
