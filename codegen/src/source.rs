//! Descriptions of commands as others publish them, brought into one form.
//!
//! | form | where it comes from | what is special |
//! |---|---|---|
//! | published | the `commands.json` of the documentation, old and new | key spec flags are fields, `"RW": true` |
//! | server | a folder with one file per command, or those files merged into one | upper case flags and tips, `container`, flags and positions of key specs in lists, the empty token written as two quote characters, categories that follow from flags left out |
//! | live | `COMMAND` and `COMMAND DOCS` over RESP3 | `xgroup\|create`, flags of arguments in lists |
//! | ours | the folder of a spec | |
//!
//! Only facts are read. Summaries, notes and explanations stay behind: of a complexity the leading
//! `O(…)` is taken, of a change its version, of a replacement the names in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::Error;
use crate::json::{self, Read};
use crate::spec::{
    Argument, ArgumentType, BeginSearch, Command, Commands, FindKeys, KeySpec, Provider,
};
use crate::store;

/// One description of commands.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it was read.
    pub origin: PathBuf,
    /// How it was written.
    pub form: Form,
    /// The server family that it describes.
    pub provider: Provider,
    /// The version of the server, where the source tells.
    pub version: Option<String>,
    /// The commands.
    pub commands: Commands,
    /// The summaries, by command. They are the words of the source, and merging leaves them out.
    pub summaries: BTreeMap<String, String>,
}

/// How a source is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The aggregate that is published with the documentation.
    Published,
    /// The files that the server is built from.
    Server,
    /// The answers of a running server.
    Live,
    /// The folder of a spec.
    Ours,
}

impl Source {
    /// Reads a published file, a server's folder, or such files merged into one.
    ///
    /// # Errors
    /// Names the file, the command and the reason when something is missing or not understood, or
    /// when the file describes replies and not commands.
    pub fn read(path: &Path, provider: Provider) -> Result<Self, Error> {
        let files = if path.is_dir() {
            store::json_files(path)?
        } else {
            vec![path.to_path_buf()]
        };
        let mut entries = Vec::new();
        for file in files {
            let object = store::read_object(&file)?;
            refuse_replies(&file, &object)?;
            for (name, value) in object {
                let Value::Object(fields) = value else {
                    let reason = format!("expected an object, found {}", json::kind(&value));
                    return Err(Error::new(&file, reason).in_command(name));
                };
                entries.push((file.clone(), name, fields));
            }
        }
        let form = match entries.iter().any(|(_, _, fields)| is_server_form(fields)) {
            true => Form::Server,
            false => Form::Published,
        };
        Self::from_entries(path, form, provider, entries)
    }

    /// Makes a source of the objects that describe commands, each with its file and its name.
    ///
    /// # Errors
    /// Names the file, the command and the reason when something is missing or not understood, or a
    /// command is described twice.
    pub fn from_entries(
        origin: &Path,
        form: Form,
        provider: Provider,
        entries: Vec<(PathBuf, String, Map<String, Value>)>,
    ) -> Result<Self, Error> {
        let mut source = Self {
            origin: origin.to_path_buf(),
            form,
            provider,
            version: None,
            commands: Commands::new(),
            summaries: BTreeMap::new(),
        };
        for (file, name, fields) in entries {
            let name = full_name(&name, &fields);
            let command = command(&fields, form)
                .map_err(|reason| Error::new(&file, reason).in_command(name.clone()))?;
            if let Ok(Some(summary)) = text(&fields, "summary") {
                source.summaries.insert(name.clone(), summary);
            }
            if source.commands.insert(name.clone(), command).is_some() {
                return Err(Error::new(&file, "is described twice").in_command(name));
            }
        }
        Ok(source)
    }

    /// Whether the source has the commands of a group.
    #[must_use]
    pub fn has_group(&self, group: &str) -> bool {
        self.commands.values().any(|command| command.group == group)
    }

    /// Whether the source has a command and does not tell what its subcommands are, of which the name
    /// may be one. `DEBUG` is such.
    #[must_use]
    pub fn hides(&self, name: &str) -> bool {
        let Some((container, _)) = name.split_once(' ') else {
            return false;
        };
        let prefix = format!("{container} ");
        self.commands.contains_key(container)
            && !self.commands.keys().any(|other| other.starts_with(&prefix))
    }

    /// Whether a name only holds subcommands and cannot be called.
    pub fn is_container(&self, name: &str) -> bool {
        let prefix = format!("{name} ");
        let holds = self.commands.keys().any(|other| other.starts_with(&prefix));
        // `COMMAND` alone is a call as well, and its arity says so.
        holds
            && self
                .commands
                .get(name)
                .is_some_and(|command| command.arity != -1)
    }
}

fn refuse_replies(file: &Path, object: &Map<String, Value>) -> Result<(), Error> {
    let described = |value: &Value| value.get("group").is_some() || value.get("arity").is_some();
    if object.is_empty() {
        return Err(Error::new(file, "expected commands, found an empty object"));
    }
    if object.values().any(described) {
        return Ok(());
    }
    if object.values().all(Value::is_array) {
        let reason = "describes replies in prose, not commands; what a command answers stands in \
                      replies.tsv";
        return Err(Error::new(file, reason));
    }
    let schema = [
        "type",
        "const",
        "oneOf",
        "anyOf",
        "properties",
        "items",
        "description",
    ];
    let is_schema = |value: &Value| {
        value.as_object().is_some_and(|fields| {
            fields.is_empty() || schema.iter().any(|name| fields.contains_key(*name))
        })
    };
    if object.values().all(is_schema) {
        let reason = "holds reply schemas, not commands; what a command answers stands in \
                      replies.tsv";
        return Err(Error::new(file, reason));
    }
    Ok(())
}

fn is_server_form(fields: &Map<String, Value>) -> bool {
    fields.contains_key("function") || fields.contains_key("container")
}

fn full_name(name: &str, fields: &Map<String, Value>) -> String {
    let name = name.to_uppercase().replace('|', " ");
    match fields.get("container").and_then(Value::as_str) {
        Some(container) if !name.starts_with(&format!("{container} ")) => {
            format!("{container} {name}")
        }
        _ => name,
    }
}

fn command(fields: &Map<String, Value>, form: Form) -> Result<Command, String> {
    let mut flags = lower_case(&strings(fields, "command_flags")?);
    flags.retain(|flag| !SERVER_ONLY.contains(&flag.as_str()));
    let mut hints = lower_case(&strings(fields, "hints")?);
    hints.extend(lower_case(&strings(fields, "command_tips")?));
    let mut categories = lower_case(&strings(fields, "acl_categories")?);
    for category in &mut categories {
        if !category.starts_with('@') {
            category.insert(0, '@');
        }
    }
    let group = text(fields, "group")?;
    let module = text(fields, "module")?;
    if form == Form::Server {
        implied_categories(&flags, group.as_deref(), &mut categories);
    }
    flags.sort();
    categories.sort();
    categories.dedup();
    let group = match (group, &module, form) {
        (Some(group), _, _) => group,
        (None, _, Form::Live) => "module".to_owned(),
        (None, Some(_), _) => "module".to_owned(),
        (None, None, _) => return Err("expected a group, found none".to_owned()),
    };
    Ok(Command {
        summary: String::new(),
        since: text(fields, "since")?,
        group: group.replace('_', "-"),
        module,
        provider: None,
        complexity: text(fields, "complexity")?.and_then(|text| formula(&text)),
        deprecated_since: text(fields, "deprecated_since")?,
        replaced_by: text(fields, "replaced_by")?
            .map(|text| names_in(&text).join(", "))
            .filter(|names| !names.is_empty()),
        doc_flags: lower_case(&strings(fields, "doc_flags")?),
        history: history(fields)?,
        acl_categories: categories,
        arity: match fields.get("arity") {
            None => 0,
            Some(value) => value.as_i64().ok_or_else(|| {
                format!("expected a number as arity, found {}", json::kind(value))
            })?,
        },
        command_flags: flags,
        hints,
        key_specs: objects(fields, "key_specs")?
            .map(key_spec)
            .collect::<Result<_, _>>()?,
        arguments: objects(fields, "arguments")?
            .map(argument)
            .collect::<Result<_, _>>()?,
        ..Command::default()
    })
}

fn argument(fields: &Map<String, Value>) -> Result<Argument, String> {
    let name = text(fields, "name")?.ok_or("expected a name in each argument, found none")?;
    let within = |reason: String| format!("argument {name}: {reason}");
    let kind = fields
        .get("type")
        .ok_or_else(|| within("expected a type, found none".to_owned()))
        .and_then(|kind| {
            ArgumentType::read(kind).map_err(|reason| within(format!("type: {reason}")))
        })?;
    let listed = strings(fields, "flags").map_err(within)?;
    let flag = |flag: &str| {
        let field = fields.get(flag);
        listed.iter().any(|listed| listed == flag)
            || field.is_some_and(|value| value == &Value::Bool(true) || value == "true")
    };
    // The server's own files write the empty token as two quote characters.
    let token = text(fields, "token").map_err(within)?;
    let token = token.map(|token| {
        if token == "\"\"" {
            String::new()
        } else {
            token
        }
    });
    let index = fields.get("key_spec_index").and_then(Value::as_u64);
    Ok(Argument {
        kind,
        token: match kind {
            ArgumentType::PureToken => Some(token.unwrap_or_default()),
            _ => token,
        },
        // Some sources also give an index to patterns and counts, which are no keys.
        key_spec_index: index
            .filter(|_| kind == ArgumentType::Key)
            .and_then(|index| usize::try_from(index).ok()),
        optional: flag("optional"),
        multiple: flag("multiple"),
        multiple_token: flag("multiple_token"),
        since: text(fields, "since").map_err(within)?,
        deprecated_since: text(fields, "deprecated_since").map_err(within)?,
        arguments: objects(fields, "arguments")
            .and_then(|children| children.map(argument).collect())
            .map_err(within)?,
        name,
        ..Argument::default()
    })
}

fn key_spec(fields: &Map<String, Value>) -> Result<KeySpec, String> {
    let mut flags = BTreeMap::new();
    for (name, value) in fields {
        match value {
            Value::Bool(true) => {
                flags.insert(key_flag(name), true);
            }
            _ if name == "flags" => {
                for flag in strings(fields, "flags")? {
                    flags.insert(key_flag(&flag), true);
                }
            }
            _ => {}
        }
    }
    let (kind, spec) = step(fields, "begin_search")?;
    let number = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| spec.get(*name))
            .and_then(Value::as_i64)
            .ok_or_else(|| {
                format!(
                    "key spec: expected a number {} in begin_search, found none",
                    names[0]
                )
            })
    };
    let begin_search = match kind.as_str() {
        "index" => BeginSearch::Index {
            index: number(&["index", "pos"])?,
        },
        "keyword" => BeginSearch::Keyword {
            keyword: spec
                .get("keyword")
                .and_then(Value::as_str)
                .ok_or("key spec: expected a keyword in begin_search, found none")?
                .to_owned(),
            startfrom: number(&["startfrom"])?,
        },
        "unknown" => BeginSearch::Unknown,
        other => return Err(format!("key spec: unknown begin_search {other}")),
    };
    let (kind, spec) = step(fields, "find_keys")?;
    let number = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| spec.get(*name))
            .and_then(Value::as_i64)
            .ok_or_else(|| {
                format!(
                    "key spec: expected a number {} in find_keys, found none",
                    names[0]
                )
            })
    };
    let find_keys = match kind.as_str() {
        "range" => FindKeys::Range {
            lastkey: number(&["lastkey"])?,
            keystep: number(&["keystep", "step"])?,
            limit: number(&["limit"])?,
        },
        "keynum" => FindKeys::Keynum {
            keynumidx: number(&["keynumidx"])?,
            firstkey: number(&["firstkey"])?,
            keystep: number(&["keystep", "step"])?,
        },
        "unknown" => FindKeys::Unknown,
        other => return Err(format!("key spec: unknown find_keys {other}")),
    };
    Ok(KeySpec {
        begin_search,
        find_keys,
        flags,
        ..KeySpec::default()
    })
}

/// The kind and the numbers of one half of a key spec, `{"type": …, "spec": …}` or `{"index": …}`.
fn step(fields: &Map<String, Value>, half: &str) -> Result<(String, Value), String> {
    let object = fields
        .get(half)
        .and_then(Value::as_object)
        .ok_or_else(|| format!("key spec: expected an object {half}, found none"))?;
    if let Some(kind) = object.get("type").and_then(Value::as_str) {
        return Ok((
            kind.to_owned(),
            object.get("spec").cloned().unwrap_or_default(),
        ));
    }
    match object.iter().next() {
        Some((kind, spec)) => Ok((kind.clone(), spec.clone())),
        None => Err(format!("key spec: {half} is empty")),
    }
}

fn key_flag(flag: &str) -> String {
    match flag {
        "RO" | "RW" | "OW" | "RM" => flag.to_owned(),
        _ => flag.to_lowercase(),
    }
}

/// The categories that a server adds to a command because of its flags.
fn implied_categories(flags: &[String], group: Option<&str>, categories: &mut Vec<String>) {
    let has = |flag: &str| flags.iter().any(|other| other == flag);
    let mut add = |condition: bool, category: &str| {
        if condition {
            categories.push(category.to_owned());
        }
    };
    add(has("write"), "@write");
    // Exclude commands of the scripting group: what they run decides.
    add(has("readonly") && group != Some("scripting"), "@read");
    add(has("admin"), "@admin");
    add(has("admin"), "@dangerous");
    add(has("pubsub"), "@pubsub");
    add(has("blocking"), "@blocking");
    add(has("fast"), "@fast");
    add(!has("fast"), "@slow");
}

/// The leading `O(…)` of an explanation, with its brackets balanced.
fn formula(text: &str) -> Option<String> {
    if !text.starts_with("O(") {
        return None;
    }
    let mut depth = 0_u32;
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth <= 1 => return Some(text[..=index].to_owned()),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The words between backquotes: of "`SET` with the `NX` argument" that is `SET` and `NX`.
#[must_use]
pub fn names_in(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(|name| format!("`{name}`"))
        .collect()
}

fn history(fields: &Map<String, Value>) -> Result<Vec<(String, String)>, String> {
    let Some(value) = fields.get("history") else {
        return Ok(Vec::new());
    };
    let entries = array(value).map_err(|reason| format!("history: {reason}"))?;
    let version = |entry: &Value| {
        let version = entry.get(0).and_then(Value::as_str);
        version.map(|version| (version.to_owned(), String::new()))
    };
    let versions: Option<Vec<_>> = entries.iter().map(version).collect();
    versions.ok_or_else(|| "history: expected pairs of version and text".to_owned())
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!(
            "expected a text as {name}, found {}",
            json::kind(other)
        )),
    }
}

fn strings(fields: &Map<String, Value>, name: &str) -> Result<Vec<String>, String> {
    let Some(value) = fields.get(name) else {
        return Ok(Vec::new());
    };
    let list = array(value).map_err(|reason| format!("{name}: {reason}"))?;
    let texts: Option<Vec<String>> = list
        .iter()
        .map(|value| value.as_str().map(str::to_owned))
        .collect();
    texts.ok_or_else(|| format!("{name}: expected a list of texts"))
}

fn objects<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
) -> Result<impl Iterator<Item = &'a Map<String, Value>>, String> {
    let list = match fields.get(name) {
        None => &[][..],
        Some(value) => array(value).map_err(|reason| format!("{name}: {reason}"))?,
    };
    let objects: Option<Vec<_>> = list.iter().map(Value::as_object).collect();
    let objects = objects.ok_or_else(|| format!("{name}: expected a list of objects"))?;
    Ok(objects.into_iter())
}

fn array(value: &Value) -> Result<&[Value], String> {
    let list = value.as_array().map(Vec::as_slice);
    list.ok_or_else(|| format!("expected a list, found {}", json::kind(value)))
}

fn lower_case(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| text.to_lowercase()).collect()
}

/// The group of the commands that only a Sentinel has; data servers have all others.
pub const SENTINEL: &str = "sentinel";

/// Flags of the server's files that no other form has.
const SERVER_ONLY: [&str; 6] = [
    "may_replicate",
    "sentinel",
    "only_sentinel",
    "protected",
    "experimental",
    "touches_arbitrary_keys",
];
