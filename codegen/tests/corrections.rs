//! Corrections: where they reach, and when they refuse.

use std::fs;
use std::path::{Path, PathBuf};

use respec_codegen::error::Error;
use respec_codegen::load::Spec;
use respec_codegen::spec::{ArgumentType, Command, Count, FindKeys, Retry};
use respec_codegen::syntax::syntax;
use serde_json::{Value, json};

const COMMANDS: &str = r#"{
  "CMD": {
    "summary": "Does.", "group": "generic", "arity": -2, "command_flags": ["write"],
    "key_specs": [{
      "begin_search": { "type": "index", "spec": { "index": 1 } },
      "find_keys": { "type": "range", "spec": { "lastkey": 0, "keystep": 1, "limit": 0 } }
    }],
    "arguments": [
      { "name": "key", "type": "key", "key_spec_index": 0 },
      { "name": "block", "type": "block", "token": "BLOCK", "optional": true, "arguments": [
        { "name": "count", "type": "string" },
        { "name": "type", "type": "string", "multiple": true }
      ] },
      { "name": "twin", "type": "integer" },
      { "name": "twin", "type": "double" }
    ]
  },
  "OTHER": { "summary": "Does too.", "group": "generic", "arity": -2, "arguments": [] }
}"#;

/// A folder with the commands above and these corrections.
fn folder(test: &str, corrections: &Value) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("corrections-{test}"));
    fs::create_dir_all(folder.join("commands")).unwrap();
    fs::write(folder.join("commands").join("generic.json"), COMMANDS).unwrap();
    fs::write(folder.join("corrections.json"), corrections.to_string()).unwrap();
    folder
}

fn load(test: &str, corrections: &Value) -> Result<Command, Error> {
    Spec::load(&folder(test, corrections)).map(|mut spec| spec.commands.remove("CMD").unwrap())
}

fn one(path: &str, was: Value, is: Value) -> Value {
    json!([{ "commands": ["CMD"], "path": path, "was": was, "is": is, "why": "a test" }])
}

fn refused(test: &str, corrections: &Value) -> String {
    let error = load(test, corrections).expect_err("the correction does not apply");
    assert!(error.file().ends_with("corrections.json"), "{error}");
    error.reason().to_owned()
}

#[test]
fn a_field_of_a_command_is_added() {
    let command = load("field", &one("retry", json!(null), json!("state"))).unwrap();
    assert_eq!(command.retry, Some(Retry::State));
}

#[test]
fn a_field_of_an_argument_is_changed_added_and_removed() {
    let path = "arguments/block/count/type";
    let command = load("type", &one(path, json!("string"), json!("integer"))).unwrap();
    assert_eq!(
        command.arguments[1].arguments[0].kind,
        ArgumentType::Integer
    );

    let path = "arguments/block/count/count";
    let command = load("count", &one(path, json!(null), json!("words"))).unwrap();
    assert_eq!(command.arguments[1].arguments[0].count, Some(Count::Words));

    let path = "arguments/block/optional";
    let command = load("optional", &one(path, json!(true), json!(null))).unwrap();
    assert!(!command.arguments[1].optional);
}

#[test]
fn a_part_that_is_called_like_a_field_is_reached_through_the_list() {
    let part = json!({ "name": "count", "type": "integer" });
    let was = json!({ "type": "string" });
    let path = "arguments/block/arguments/count";
    let command = load("list", &one(path, was, part)).unwrap();
    assert_eq!(
        command.arguments[1].arguments[0].kind,
        ArgumentType::Integer
    );
}

#[test]
fn arguments_are_inserted_replaced_and_removed() {
    let new = json!({ "name": "new", "type": "string" });
    let command = load("append", &one("arguments/new", json!(null), new.clone())).unwrap();
    assert_eq!(
        syntax(&command.arguments),
        "key [BLOCK count type [type ...]] twin twin new"
    );

    let mut corrections = one("arguments/new", json!(null), new.clone());
    corrections[0]["before"] = json!("block");
    let command = load("insert", &corrections).unwrap();
    assert_eq!(
        syntax(&command.arguments),
        "key new [BLOCK count type [type ...]] twin twin"
    );

    let was = json!({ "type": "block", "token": "BLOCK" });
    let command = load("replace", &one("arguments/block", was, new)).unwrap();
    assert_eq!(syntax(&command.arguments), "key new twin twin");

    let was = json!({ "type": "double" });
    let command = load("remove", &one("arguments/#3", was, json!(null))).unwrap();
    assert_eq!(
        syntax(&command.arguments),
        "key [BLOCK count type [type ...]] twin"
    );
}

#[test]
fn a_key_spec_is_changed() {
    let path = "key_specs/#0/find_keys/spec/lastkey";
    let command = load("key-spec", &one(path, json!(0), json!(-2))).unwrap();
    let range = FindKeys::Range {
        lastkey: -2,
        keystep: 1,
        limit: 0,
    };
    assert_eq!(command.key_specs[0].find_keys, range);
}

#[test]
fn one_correction_serves_several_commands() {
    let corrections = json!([{ "commands": ["CMD", "OTHER"], "path": "retry", "was": null,
        "is": "safe", "why": "a test" }]);
    let spec = Spec::load(&folder("several", &corrections)).unwrap();
    assert!(
        spec.commands
            .values()
            .all(|command| command.retry == Some(Retry::Safe))
    );
}

#[test]
fn a_correction_refuses_what_upstream_has_changed() {
    let reason = refused("was", &one("arity", json!(3), json!(-3)));
    assert_eq!(reason, "arity: expected 3, found -2");
    let reason = refused("absent", &one("retry", json!("no"), json!("state")));
    assert_eq!(reason, "retry: expected \"no\", found nothing");
    let reason = refused("present", &one("arity", json!(null), json!(-2)));
    assert_eq!(reason, "arity: expected nothing, found -2");
    let was = json!({ "token": "OTHER" });
    let reason = refused("object", &one("arguments/block", was, json!(null)));
    assert!(
        reason.starts_with("arguments/block: expected {\"token\":\"OTHER\"}, found"),
        "{reason}"
    );
}

#[test]
fn a_correction_refuses_to_change_nothing() {
    let reason = refused("same", &one("arity", json!(-2), json!(-2)));
    assert_eq!(reason, "arity: the correction changes nothing");
    let reason = refused("none", &one("retry", json!(null), json!(null)));
    assert_eq!(reason, "retry: the correction changes nothing");
}

#[test]
fn a_correction_refuses_what_is_not_there() {
    let reason = refused(
        "no-argument",
        &one("arguments/none/type", json!("key"), json!("string")),
    );
    assert_eq!(reason, "arguments/none/type: there is no none");
    let reason = refused(
        "no-part",
        &one("arguments/key/part/type", json!("key"), json!("string")),
    );
    assert_eq!(reason, "arguments/key/part/type: there is no part");
    let reason = refused(
        "twins",
        &one("arguments/twin/type", json!("integer"), json!("double")),
    );
    assert_eq!(
        reason,
        "arguments/twin/type: there is more than one twin, expected an index"
    );
    let mut corrections = one(
        "arguments/new",
        json!(null),
        json!({ "name": "new", "type": "key" }),
    );
    corrections[0]["before"] = json!("none");
    let reason = refused("no-neighbour", &corrections);
    assert_eq!(
        reason,
        "arguments/new: there is no none to stand in front of"
    );
}

#[test]
fn the_error_names_the_command() {
    let mut corrections = one("arity", json!(-2), json!(2));
    corrections[0]["commands"] = json!(["CMD", "GONE"]);
    let error = load("gone", &corrections).expect_err("there is no GONE");
    assert_eq!(error.command(), Some("GONE"));
    assert_eq!(error.reason(), "arity: the spec has no such command");
}

#[test]
fn a_correction_needs_commands_and_a_reason() {
    let mut corrections = one("arity", json!(-2), json!(2));
    corrections[0]["why"] = json!(" ");
    assert!(refused("no-why", &corrections).contains("expected at least one command and a reason"));
    let error = load("no-list", &json!({ "commands": [] })).expect_err("not a list");
    assert_eq!(error.reason(), "expected a list, found an object");
}

#[test]
fn what_a_correction_brings_must_be_part_of_the_format() {
    let error = load("bad-value", &one("retry", json!(null), json!("sometimes")))
        .expect_err("sometimes is no answer");
    assert_eq!(error.command(), Some("CMD"));
    assert!(
        error.reason().starts_with("retry: expected one of `safe`")
            && error.reason().ends_with("found `sometimes`"),
        "{error}"
    );
}
