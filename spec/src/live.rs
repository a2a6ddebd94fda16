//! What a running server says of its commands, brought into the form of a source.

use std::path::{Path, PathBuf};

use respec_codegen::{
    error::Error,
    json,
    source::{Form, SENTINEL, Source},
    spec::Provider,
};
use serde_json::{Map, Value};

/// Reads the reply of `COMMAND` and that of `COMMAND DOCS`, as JSON.
///
/// # Errors
/// Names the command and the reason when something is missing or not understood.
pub fn source(
    origin: &Path,
    provider: Provider,
    version: String,
    info: &Value,
    docs: &Value,
) -> Result<Source, Error> {
    let mut entries = Vec::new();
    let info = info.as_array().ok_or_else(|| {
        let reason = format!("expected a list, found {}", json::kind(info));
        Error::new(origin, reason)
    })?;
    for entry in info {
        live_entry(origin, entry, docs, &mut entries)?;
    }
    let mut source = Source::from_entries(origin, Form::Live, provider, entries)?;
    source.version = Some(version);
    // A Sentinel describes the few commands that it shares with data servers for itself, with other
    // flags and fewer subcommands, so that only those of its own are facts.
    if source.has_group(SENTINEL) {
        source
            .commands
            .retain(|_, command| command.group == SENTINEL);
    }
    Ok(source)
}

/// Flattens one element of the reply of `COMMAND`, with its subcommands, and joins its documentation.
fn live_entry(
    origin: &Path,
    info: &Value,
    docs: &Value,
    entries: &mut Vec<(PathBuf, String, Map<String, Value>)>,
) -> Result<(), Error> {
    let fail = |reason: &str| Error::new(origin, reason);
    let info = info
        .as_array()
        .ok_or_else(|| fail("expected an array for each command"))?;
    let name = info
        .first()
        .and_then(Value::as_str)
        .ok_or_else(|| fail("expected a name as first element of each command"))?;
    let documentation = docs.get(name);
    let mut fields = documentation
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for (index, field) in [
        (1, "arity"),
        (2, "command_flags"),
        (6, "acl_categories"),
        (7, "hints"),
        (8, "key_specs"),
    ] {
        if let Some(value) = info.get(index) {
            fields.insert(field.to_owned(), value.clone());
        }
    }
    fields.remove("subcommands");
    entries.push((origin.to_path_buf(), name.to_owned(), fields));
    let none = Value::Null;
    let docs = documentation
        .and_then(|docs| docs.get("subcommands"))
        .unwrap_or(&none);
    for subcommand in info.get(9).and_then(Value::as_array).into_iter().flatten() {
        live_entry(origin, subcommand, docs, entries)?;
    }
    Ok(())
}
