//! Writing the files of a spec: what was read by `respec_codegen`, back into JSON.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use respec_codegen::{
    error::Error,
    json::Word,
    spec::{
        Argument, BeginSearch, Blocking, Caching, Command, Commands, FindKeys, KeySpec, Route, Skip,
    },
    store::{COMMANDS, SKIPPED, Store},
};
use serde::Serialize as _;
use serde_json::{
    Map, Value, json,
    ser::{PrettyFormatter, Serializer},
};

/// Reads a store, or makes an empty one where the folder has no commands yet.
///
/// # Errors
///
/// As [`Store::read`].
pub fn read_or_new(dir: &Path) -> Result<Store, Error> {
    if dir.join(COMMANDS).exists() {
        return Store::read(dir);
    }
    let mut store = Store::default();
    store.dir = dir.to_path_buf();
    Ok(store)
}

/// Writes commands and skipped names, each command to the file that it was read from, new ones to the
/// file of their group. Only files whose content differs are touched.
///
/// # Errors
///
/// When a file cannot be written.
pub fn write(
    store: &Store,
    commands: &Commands,
    skipped: &BTreeMap<String, Skip>,
) -> Result<Vec<PathBuf>, Error> {
    let folder = store.dir.join(COMMANDS);
    fs::create_dir_all(&folder).map_err(|error| Error::new(&folder, error.to_string()))?;
    let mut files: BTreeMap<PathBuf, Map<String, Value>> = BTreeMap::new();
    for (name, entry) in commands {
        let file = match store.entries.get(name) {
            Some(entry) => entry.file.clone(),
            None => folder.join(format!("{}.json", file_stem(entry))),
        };
        files
            .entry(file)
            .or_default()
            .insert(name.clone(), command(entry));
    }
    let mut written = Vec::new();
    for (file, content) in files {
        write_changed(&file, &pretty(&Value::Object(content)), &mut written)?;
    }
    if !skipped.is_empty() {
        let names = skipped
            .iter()
            .map(|(name, reason)| (name.clone(), Value::from(reason.word())));
        let names = Value::Object(names.collect());
        write_changed(&store.dir.join(SKIPPED), &pretty(&names), &mut written)?;
    }
    Ok(written)
}

/// A command as JSON, with its fields in the order of the schema.
#[must_use]
pub fn command(command: &Command) -> Value {
    let mut object = Object::default();
    object.text("summary", Some(&command.summary));
    object.present("since", command.since.as_ref());
    object.always("group", command.group.as_str());
    object.present("module", command.module.as_ref());
    object.word("provider", command.provider);
    object.present("complexity", command.complexity.as_ref());
    object.present("deprecated_since", command.deprecated_since.as_ref());
    object.present("replaced_by", command.replaced_by.as_ref());
    object.texts("doc_flags", &command.doc_flags);
    let history = command
        .history
        .iter()
        .map(|(version, text)| json!([version, text]));
    object.list("history", history);
    object.texts("acl_categories", &command.acl_categories);
    object.always("arity", command.arity);
    object.texts("command_flags", &command.command_flags);
    object.texts("hints", &command.hints);
    object.list("key_specs", command.key_specs.iter().map(key_spec));
    object.list("arguments", command.arguments.iter().map(argument));
    object.word("retry", command.retry);
    object.texts("safe_with", &command.safe_with);
    object.word("connection", command.connection);
    object.some("blocking", command.blocking.as_ref().map(blocking));
    object.flag("urgent", command.urgent);
    object.flag("runs_script", command.runs_script);
    object.word("replies", command.replies);
    object.present("handwritten", command.handwritten.as_ref());
    object.present("split", command.split.as_ref());
    object.some("route", command.route.as_ref().map(route));
    object.some("cacheable", command.cacheable.as_ref().map(caching));
    object.some("replicas", command.replicas);
    object.done()
}

/// An argument as JSON.
#[must_use]
pub fn argument(argument: &Argument) -> Value {
    let mut object = Object::default();
    object.always("name", argument.name.as_str());
    object.always("type", argument.kind.word());
    object.present("token", argument.token.as_ref());
    object.some("key_spec_index", argument.key_spec_index);
    object.flag("optional", argument.optional);
    object.flag("multiple", argument.multiple);
    object.flag("multiple_token", argument.multiple_token);
    object.present("since", argument.since.as_ref());
    object.present("deprecated_since", argument.deprecated_since.as_ref());
    object.word("provider", argument.provider);
    object.list("arguments", argument.arguments.iter().map(self::argument));
    object.word("count", argument.count);
    object.word("unit", argument.unit);
    object.present("rust", argument.rust.as_ref());
    object.present("rust_type", argument.rust_type.as_ref());
    object.present("handwritten", argument.handwritten.as_ref());
    object.flag("steps", argument.steps);
    object.done()
}

/// A key spec as JSON, its flags behind its two halves.
#[must_use]
pub fn key_spec(spec: &KeySpec) -> Value {
    let mut object = Object::default();
    object.present("notes", spec.notes.as_ref());
    object.always(
        "begin_search",
        match &spec.begin_search {
            BeginSearch::Index { index } => json!({ "type": "index", "spec": { "index": index } }),
            BeginSearch::Keyword { keyword, startfrom } => json!({
                "type": "keyword",
                "spec": { "keyword": keyword, "startfrom": startfrom }
            }),
            BeginSearch::Unknown => json!({ "type": "unknown" }),
        },
    );
    object.always(
        "find_keys",
        match &spec.find_keys {
            FindKeys::Range {
                lastkey,
                keystep,
                limit,
            } => json!({
                "type": "range",
                "spec": { "lastkey": lastkey, "keystep": keystep, "limit": limit }
            }),
            FindKeys::Keynum {
                keynumidx,
                firstkey,
                keystep,
            } => json!({
                "type": "keynum",
                "spec": { "keynumidx": keynumidx, "firstkey": firstkey, "keystep": keystep }
            }),
            FindKeys::Unknown => json!({ "type": "unknown" }),
        },
    );
    object.some("skip", (!spec.skip.is_empty()).then(|| json!(spec.skip)));
    for (flag, set) in &spec.flags {
        object.always(flag, *set);
    }
    object.done()
}

fn blocking(blocking: &Blocking) -> Value {
    let mut object = Object::default();
    object.always("timeout", blocking.timeout.as_str());
    object.always("unit", blocking.unit.word());
    object.flag("only_if_given", blocking.only_if_given);
    object.done()
}

fn caching(caching: &Caching) -> Value {
    match caching {
        Caching::Unless(words) => json!({ "unless": words }),
        Caching::Not(reason) => json!({ "not": reason }),
    }
}

fn route(route: &Route) -> Value {
    let mut object = Object::default();
    object.always("to", route.to.word());
    object.word("join", route.join);
    object.texts("unless", &route.unless);
    if let Some(weight) = &route.weight {
        object.always("weight", weight.as_str());
    }
    object.done()
}

/// An object in the making; what says nothing is left out.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn always(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.always(name, value);
        }
    }

    /// A text that may be absent; an empty one is there.
    fn present(&mut self, name: &str, text: Option<&String>) {
        self.some(name, text.map(String::as_str));
    }

    /// A text of which an empty one says nothing.
    fn text(&mut self, name: &str, text: Option<&String>) {
        self.present(name, text.filter(|text| !text.is_empty()));
    }

    fn flag(&mut self, name: &str, set: bool) {
        self.some(name, set.then_some(true));
    }

    fn word(&mut self, name: &str, word: Option<impl Word>) {
        self.some(name, word.map(Word::word));
    }

    fn texts(&mut self, name: &str, texts: &[String]) {
        self.list(name, texts.iter().map(|text| Value::from(text.as_str())));
    }

    fn list(&mut self, name: &str, values: impl Iterator<Item = Value>) {
        let values: Vec<Value> = values.collect();
        self.some(name, (!values.is_empty()).then_some(values));
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
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

fn pretty(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(b" "));
    value
        .serialize(&mut serializer)
        .expect("a value has only string keys and finite numbers");
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
