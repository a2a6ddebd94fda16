//! Importing each of the published forms, and what is wrong with files that are none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use respec_codegen::error::Error;
use respec_codegen::load::Spec;
use respec_codegen::source::{Form, Source};
use respec_codegen::spec::{
    ArgumentType, BeginSearch, Command, Commands, FindKeys, Provider, Skip,
};
use respec_codegen::store::Store;
use respec_spec::{
    live,
    merge::merge,
    write::{read_or_new, write},
};
use serde_json::json;

/// A folder of its own for a test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn file(test: &str, text: &str) -> PathBuf {
    let file = folder(test).join("commands.json");
    fs::write(&file, text).unwrap();
    file
}

fn refused(test: &str, text: &str) -> Error {
    Source::read(&file(test, text), Provider::Redis).expect_err("the file is broken")
}

const PUBLISHED: &str = r#"{
  "XGROUP": { "summary": "Groups.", "since": "5.0.0", "group": "stream", "arity": -2 },
  "XGROUP CREATE": {
    "summary": "Creates a group.", "since": "5.0.0", "group": "stream",
    "complexity": "O(log(N)) where N is a number.", "arity": -5,
    "history": [["7.0.0", "Some words of others."]],
    "acl_categories": ["@write", "@stream"], "command_flags": ["write", "denyoom"],
    "hints": ["request_policy:special"], "unheard_of": { "by": "this version" },
    "key_specs": [{
      "notes": "Some words of others.",
      "begin_search": { "type": "index", "spec": { "index": 2 } },
      "find_keys": { "type": "range", "spec": { "lastkey": 0, "keystep": 1, "limit": 0 } },
      "RW": true, "insert": true, "access": false
    }],
    "arguments": [
      { "name": "key", "type": "key", "display_text": "key", "key_spec_index": 0 },
      { "name": "group", "type": "string", "summary": "Some words of others." },
      { "name": "id", "type": "oneof", "arguments": [
        { "name": "id", "type": "string" },
        { "name": "new", "type": "pure-token", "token": "$" }
      ] },
      { "name": "mkstream", "type": "pure-token", "token": "MKSTREAM", "optional": true }
    ]
  }
}"#;

/// The same command as the server's own file has it, in a folder with one file per command.
const SERVER: &str = r#"{
  "CREATE": {
    "summary": "Creates a group.", "since": "5.0.0", "group": "stream",
    "complexity": "O(log(N)) where N is a number.", "arity": -5, "container": "XGROUP",
    "function": "xgroupCommand",
    "history": [["7.0.0", "Some words of others."]],
    "acl_categories": ["STREAM"], "command_flags": ["WRITE", "DENYOOM", "MAY_REPLICATE"],
    "command_tips": ["REQUEST_POLICY:SPECIAL"],
    "key_specs": [{
      "flags": ["RW", "INSERT"],
      "begin_search": { "index": { "pos": 2 } },
      "find_keys": { "range": { "lastkey": 0, "step": 1, "limit": 0 } }
    }],
    "arguments": [
      { "name": "key", "type": "key", "key_spec_index": 0 },
      { "name": "group", "type": "string" },
      { "name": "id", "type": "oneof", "arguments": [
        { "name": "id", "type": "string" },
        { "name": "new", "type": "pure-token", "token": "$" }
      ] },
      { "name": "mkstream", "type": "pure-token", "token": "MKSTREAM", "optional": "true" }
    ],
    "reply_schema": { "const": "OK" }
  }
}"#;

fn check_create(command: &Command) {
    assert_eq!(command.arity, -5);
    assert_eq!(command.group, "stream");
    assert_eq!(command.summary, "");
    assert_eq!(command.complexity.as_deref(), Some("O(log(N))"));
    assert_eq!(command.history, [("7.0.0".to_owned(), String::new())]);
    assert_eq!(command.command_flags, ["denyoom", "write"]);
    assert_eq!(command.hints, ["request_policy:special"]);
    let spec = &command.key_specs[0];
    assert_eq!(spec.begin_search, BeginSearch::Index { index: 2 });
    assert_eq!(
        spec.find_keys,
        FindKeys::Range {
            lastkey: 0,
            keystep: 1,
            limit: 0
        }
    );
    assert_eq!(spec.flags.keys().collect::<Vec<_>>(), ["RW", "insert"]);
    assert_eq!(spec.notes, None);
    assert_eq!(command.arguments[0].key_spec_index, Some(0));
    assert_eq!(
        command.arguments[2].arguments[1].token.as_deref(),
        Some("$")
    );
    assert!(command.arguments[3].optional);
}

#[test]
fn the_published_form() {
    let source = Source::read(&file("published", PUBLISHED), Provider::Redis).unwrap();
    assert_eq!(source.form, Form::Published);
    check_create(&source.commands["XGROUP CREATE"]);
    assert_eq!(
        source.commands["XGROUP CREATE"].acl_categories,
        ["@stream", "@write"]
    );
    assert!(source.is_container("XGROUP"));
    assert!(!source.is_container("XGROUP CREATE"));
}

#[test]
fn a_folder_with_one_file_per_command() {
    let folder = folder("server");
    fs::write(folder.join("xgroup-create.json"), SERVER).unwrap();
    let sentinel = r#"{ "MYID": { "summary": "s", "group": "sentinel", "container": "SENTINEL",
        "arity": 2, "function": "f", "command_flags": ["ONLY_SENTINEL"] } }"#;
    fs::write(folder.join("sentinel-myid.json"), sentinel).unwrap();
    fs::write(folder.join("README.md"), "no command").unwrap();
    let source = Source::read(&folder, Provider::Redis).unwrap();
    assert_eq!(source.form, Form::Server);
    assert_eq!(
        source.commands.keys().collect::<Vec<_>>(),
        ["SENTINEL MYID", "XGROUP CREATE"]
    );
    assert!(source.commands["SENTINEL MYID"].command_flags.is_empty());
    check_create(&source.commands["XGROUP CREATE"]);
    // The files leave out the categories that follow from the flags.
    let categories = &source.commands["XGROUP CREATE"].acl_categories;
    assert_eq!(categories, &["@slow", "@stream", "@write"]);
}

#[test]
fn the_files_of_a_server_merged_into_one() {
    let merged = SERVER.replace("\"CREATE\":", "\"XGROUP CREATE\":");
    let source = Source::read(&file("merged", &merged), Provider::Valkey).unwrap();
    assert_eq!(source.form, Form::Server);
    check_create(&source.commands["XGROUP CREATE"]);
}

#[test]
fn the_empty_token_and_other_oddities_of_the_servers_files() {
    let text = r#"{ "MIGRATE": { "summary": "s", "group": "generic", "arity": -6, "function": "f",
        "key_specs": [
          { "flags": ["RO", "NOT_KEY"], "begin_search": { "keyword": { "keyword": "KEYS",
            "startfrom": -2 } }, "find_keys": { "keynum": { "keynumidx": 0, "firstkey": 1,
            "step": 1 } } },
          { "flags": ["OW"], "begin_search": { "unknown": null },
            "find_keys": { "unknown": null } } ],
        "arguments": [
          { "name": "empty", "type": "pure-token", "token": "\"\"" },
          { "name": "by", "type": "pattern", "token": "BY", "key_spec_index": 1 } ] } }"#;
    let source = Source::read(&file("oddities", text), Provider::Redis).unwrap();
    let command = &source.commands["MIGRATE"];
    assert_eq!(command.arguments[0].token.as_deref(), Some(""));
    assert_eq!(
        command.arguments[1].key_spec_index, None,
        "a pattern is no key"
    );
    let [keyword, unknown] = &command.key_specs[..] else {
        panic!("two key specs")
    };
    let begin = BeginSearch::Keyword {
        keyword: "KEYS".to_owned(),
        startfrom: -2,
    };
    assert_eq!(keyword.begin_search, begin);
    let find = FindKeys::Keynum {
        keynumidx: 0,
        firstkey: 1,
        keystep: 1,
    };
    assert_eq!(keyword.find_keys, find);
    assert!(keyword.flags.contains_key("not_key"));
    assert_eq!(unknown.begin_search, BeginSearch::Unknown);
    assert_eq!(unknown.find_keys, FindKeys::Unknown);
}

#[test]
fn the_answers_of_a_server() {
    // The last three elements of an entry are tips, key specs and subcommands. Version 7.0 sends
    // no display_text, and a command of a module has no arguments.
    let info = json!([
        ["xgroup", -2, [], 0, 0, 0, ["@slow"], [], [], [
            ["xgroup|create", -5, ["write", "denyoom"], 2, 2, 1, ["@write", "@stream"],
             ["request_policy:special"],
             [{ "flags": ["RW", "insert"],
                "begin_search": { "type": "index", "spec": { "index": 2 } },
                "find_keys": { "type": "range",
                               "spec": { "lastkey": 0, "keystep": 1, "limit": 0 } } }],
             []]
        ]],
        ["bf.add", 3, ["write", "module"], 1, 1, 1, [], [], [], []]
    ]);
    let docs = json!({
        "xgroup": {
            "summary": "Groups.", "since": "5.0.0", "group": "stream",
            "subcommands": { "xgroup|create": {
                "summary": "Creates a group.", "since": "5.0.0", "group": "stream",
                "complexity": "O(log(N)) where N is a number.",
                "history": [["7.0.0", "Some words of others."]],
                "arguments": [
                    { "name": "key", "type": "key", "key_spec_index": 0 },
                    { "name": "group", "type": "string" },
                    { "name": "id", "type": "oneof", "arguments": [
                        { "name": "id", "type": "string" },
                        { "name": "new", "type": "pure-token", "token": "$" } ] },
                    { "name": "mkstream", "type": "pure-token", "token": "MKSTREAM",
                      "flags": ["optional"] }
                ]
            } }
        },
        "bf.add": { "group": "module", "module": "bf" }
    });
    let origin = Path::new("localhost:6379");
    let source = live::source(origin, Provider::Redis, "7.0.15".to_owned(), &info, &docs).unwrap();
    assert_eq!(source.form, Form::Live);
    check_create(&source.commands["XGROUP CREATE"]);
    assert!(source.is_container("XGROUP"));
    assert_eq!(source.commands["BF.ADD"].module.as_deref(), Some("bf"));
    assert!(!source.summaries.contains_key("BF.ADD"));
}

#[test]
fn each_form_of_a_command_merges_to_the_same() {
    let published = Source::read(&file("same", PUBLISHED), Provider::Redis).unwrap();
    let mut commands = Commands::new();
    let mut skipped = BTreeMap::new();
    let report = merge(&mut commands, &mut skipped, &published);
    assert_eq!(report.new, ["XGROUP CREATE"]);
    assert_eq!(skipped["XGROUP"], Skip::Container);
    let server = Source::read(
        &file(
            "same-server",
            &SERVER.replace("\"STREAM\"", "\"STREAM\", \"WRITE\""),
        ),
        Provider::Redis,
    )
    .unwrap();
    let report = merge(&mut commands, &mut skipped, &server);
    let changes: Vec<_> = report.changed.iter().flat_map(|(_, lines)| lines).collect();
    assert_eq!(
        changes,
        ["categories: +@slow"],
        "which the first sample leaves out"
    );
}

#[test]
fn what_was_written_is_read_back_and_importing_it_again_changes_nothing() {
    let folder = folder("round-trip");
    let source = Source::read(&file("round-trip-source", PUBLISHED), Provider::Redis).unwrap();
    let store = read_or_new(&folder).unwrap();
    let (mut commands, mut skipped) = (Commands::new(), BTreeMap::new());
    merge(&mut commands, &mut skipped, &source);
    assert_eq!(write(&store, &commands, &skipped).unwrap().len(), 2);

    let store = read_or_new(&folder).unwrap();
    let (mut again, mut skipped) = (store.commands().unwrap(), store.skipped.clone());
    assert_eq!(again, commands);
    assert!(merge(&mut again, &mut skipped, &source).is_unchanged());
    assert!(
        write(&store, &again, &skipped).unwrap().is_empty(),
        "no file was touched"
    );
}

#[test]
fn a_command_stays_in_the_file_that_it_was_found_in() {
    let folder = folder("own-file");
    fs::create_dir(folder.join("commands")).unwrap();
    let mine = folder.join("commands").join("mine.json");
    fs::write(
        &mine,
        r#"{ "XGROUP CREATE": { "group": "stream", "summary": "Ours." } }"#,
    )
    .unwrap();
    let store = Store::read(&folder).unwrap();
    let (mut commands, mut skipped) = (store.commands().unwrap(), BTreeMap::new());
    let source = Source::read(&file("own-file-source", PUBLISHED), Provider::Redis).unwrap();
    merge(&mut commands, &mut skipped, &source);
    write(&store, &commands, &skipped).unwrap();
    assert!(!folder.join("commands").join("stream.json").exists());
    let written = fs::read_to_string(&mine).unwrap();
    assert!(
        written.contains("Ours.") && written.contains("MKSTREAM"),
        "{written}"
    );
}

#[test]
fn replies_are_not_commands() {
    let prose = refused(
        "replies",
        r#"{ "GET": ["A bulk string."], "SET": ["OK."] }"#,
    );
    assert!(
        prose
            .to_string()
            .contains("describes replies in prose, not commands"),
        "{prose}"
    );
    let text = r#"{ "GET": { "oneOf": [{ "type": "string" }] }, "SET": { "const": "OK" } }"#;
    let schema = refused("schemas", text);
    assert!(
        schema
            .to_string()
            .contains("holds reply schemas, not commands"),
        "{schema}"
    );
}

#[test]
fn a_broken_file_is_named_with_command_and_reason() {
    let broken = |test, arguments: &str| {
        let text = format!(
            r#"{{ "GET": {{ "group": "string", "arity": 2, "arguments": {arguments} }} }}"#
        );
        let error = refused(test, &text);
        assert!(error.file().ends_with("commands.json"), "{error}");
        assert_eq!(error.command(), Some("GET"));
        error.reason().to_owned()
    };
    let reason = broken("no-type", r#"[{ "name": "key" }]"#);
    assert_eq!(reason, "argument key: expected a type, found none");
    let reason = broken("no-name", r#"[{ "type": "key" }]"#);
    assert_eq!(reason, "expected a name in each argument, found none");
    let reason = broken("no-list", r#"{ "name": "key" }"#);
    assert_eq!(reason, "arguments: expected a list, found an object");
    let reason = broken("odd-type", r#"[{ "name": "key", "type": "kee" }]"#);
    assert!(
        reason.starts_with("argument key: type: expected one of `key`")
            && reason.ends_with("found `kee`"),
        "{reason}"
    );
    let nested = r#"[{ "name": "a", "type": "block", "arguments": [{ "name": "b" }] }]"#;
    let reason = broken("nested", nested);
    assert_eq!(
        reason,
        "argument a: argument b: expected a type, found none"
    );
}

#[test]
fn a_file_that_is_no_json_is_named_with_its_line() {
    let error = refused("no-json", "{\n  \"GET\": {\n");
    assert_eq!(error.line(), Some(3));
    assert!(
        refused("empty", "{}")
            .to_string()
            .ends_with("found an empty object")
    );
    assert!(
        refused("list", "[]")
            .to_string()
            .ends_with("expected an object, found a list")
    );
    let error = refused("number", r#"{ "GET": 1 }"#);
    assert_eq!(
        (error.command(), error.reason()),
        (Some("GET"), "expected an object, found a number")
    );
    let missing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("there-is-no-such-file");
    assert!(Source::read(&missing, Provider::Redis).is_err());
}

#[test]
fn our_own_files_may_not_have_fields_that_we_do_not_know() {
    let folder = folder("unknown-field");
    fs::create_dir(folder.join("commands")).unwrap();
    let text = r#"{ "GET": { "group": "string", "retries": "safe" } }"#;
    fs::write(folder.join("commands").join("string.json"), text).unwrap();
    let error = Store::read(&folder)
        .unwrap()
        .commands()
        .expect_err("retries is no field");
    assert_eq!(error.command(), Some("GET"));
    assert!(
        error.reason().starts_with("unknown field `retries`"),
        "{error}"
    );
    fs::write(folder.join("commands").join("more.json"), text).unwrap();
    let error = Store::read(&folder).expect_err("GET is described twice");
    assert!(
        error.reason().starts_with("is already described in"),
        "{error}"
    );
}

#[test]
fn types_are_those_of_the_schema() {
    let text = r#"{ "A": { "group": "g", "arity": 1, "arguments": [
        { "name": "a", "type": "unix-time" }, { "name": "b", "type": "pure-token", "token": "B" },
        { "name": "c", "type": "double", "multiple": true, "multiple_token": true, "token": "C" }
    ] } }"#;
    let source = Source::read(&file("types", text), Provider::Redis).unwrap();
    let arguments = &source.commands["A"].arguments;
    assert_eq!(arguments[0].kind, ArgumentType::UnixTime);
    assert_eq!(arguments[1].kind, ArgumentType::PureToken);
    assert!(arguments[2].multiple && arguments[2].multiple_token);
}

#[test]
fn a_module_of_ones_own_is_loaded_with_its_summaries() {
    let file = file("own-module", PUBLISHED);
    let spec = Spec::load(&file).unwrap();
    assert_eq!(spec.commands.keys().collect::<Vec<_>>(), ["XGROUP CREATE"]);
    assert_eq!(spec.commands["XGROUP CREATE"].summary, "Creates a group.");
    assert_eq!(spec.skipped["XGROUP"], Skip::Container);
    assert_eq!(spec.files, [file]);
    assert!(spec.replies.is_empty());
}
