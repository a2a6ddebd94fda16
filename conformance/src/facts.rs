//! What a server is and has.

use std::collections::{BTreeMap, BTreeSet};

use respec::{
    command::{Command as _, Info, Provider, raw},
    reply::Value,
    resp::Frame,
};
use respec_testkit::Server;

use crate::{
    catalogue::Sample,
    connection::Connection,
    version::{at_least, of_module},
};

/// What a server is and has.
pub struct Facts {
    family: Provider,
    version: String,
    /// Versions by the names of modules.
    modules: BTreeMap<String, String>,
    /// The flags of each command, by its name.
    pub commands: BTreeMap<String, BTreeSet<String>>,
}

impl Facts {
    /// Asks a server.
    #[must_use]
    pub fn of(server: &Server) -> Self {
        let mut connection = Connection::open(server.addr(), 3);
        let mut modules = BTreeMap::new();
        let loaded = connection.ask(&["MODULE", "LIST"]);
        // A Sentinel has no modules, nor the command.
        let loaded = (!loaded.is_error()).then(|| list(&value(&loaded)));
        for module in loaded.into_iter().flatten() {
            let name = module
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let version = module
                .get("ver")
                .and_then(Value::as_i64)
                .unwrap_or_default();
            modules.insert(name.to_owned(), of_module(version.unsigned_abs()));
        }
        let family = value(&connection.ask(&["INFO", "server"]));
        let valkey = family
            .as_str()
            .is_some_and(|info| info.contains("server_name:valkey"));
        let mut commands = BTreeMap::new();
        for command in list(&value(&connection.ask(&["COMMAND"]))) {
            Self::command(&command, &mut commands);
        }
        Self {
            family: if valkey {
                Provider::Valkey
            } else {
                Provider::Redis
            },
            version: server.version().to_owned(),
            modules,
            commands,
        }
    }

    fn command(command: &Value, to: &mut BTreeMap<String, BTreeSet<String>>) {
        let parts = list(command);
        let Some(name) = parts.first().and_then(Value::as_str) else {
            return;
        };
        let flags = parts.get(2).map(list).unwrap_or_default();
        to.insert(
            name.replace('|', " ").to_uppercase(),
            flags
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        );
        for subcommand in parts.get(9).map(list).unwrap_or_default() {
            Self::command(&subcommand, to);
        }
    }

    /// Whether the server has a command. Modules do not tell what subcommands they have, and neither
    /// do servers of `DEBUG`.
    #[must_use]
    pub fn has(&self, info: &Info) -> bool {
        let first = info.name.split(' ').next().unwrap_or_default();
        let prefix = format!("{first} ");
        self.commands.contains_key(info.name)
            || self.commands.contains_key(first)
                && !self.commands.keys().any(|name| name.starts_with(&prefix))
    }

    /// Whether the server finds the keys of a command, which it does not of what it does not describe.
    #[must_use]
    pub fn describes(&self, info: &Info) -> bool {
        info.module.is_some() || self.commands.contains_key(info.name)
    }

    /// Whether a sample has something that the server does not have yet, or never will.
    #[must_use]
    pub fn too_old_for(&self, sample: &Sample) -> bool {
        let info = sample.info;
        self.lacks(info, info.since, info.provider)
            || sample
                .needs
                .iter()
                .any(|need| self.lacks(info, need.since, need.provider))
    }

    /// Whether the server is too old for something, or of another family.
    fn lacks(&self, info: &Info, since: Option<&str>, provider: Option<Provider>) -> bool {
        if provider.is_some_and(|provider| provider != self.family) {
            return true;
        }
        let version = match info.module {
            None => &self.version,
            Some(module) => match self.modules.get(module) {
                Some(version) => version,
                None => return true,
            },
        };
        since.is_some_and(|since| !at_least(version, since))
    }
}

/// A frame as a value.
///
/// # Panics
///
/// Never: every frame is a value.
#[must_use]
pub fn value(frame: &Frame) -> Value {
    raw("ANY")
        .read(frame.reply())
        .expect("every reply is a value")
}

/// The elements of a list, none of anything else.
#[must_use]
pub fn list(value: &Value) -> Vec<Value> {
    value.as_slice().map(<[Value]>::to_vec).unwrap_or_default()
}
