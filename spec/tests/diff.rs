//! What a comparison says.

use respec_codegen::{
    json::Read as _,
    spec::{Command, Commands},
};
use respec_spec::diff;
use serde_json::{Value, json};

fn commands(text: Value) -> Commands {
    let Value::Object(fields) = text else {
        panic!("expected an object")
    };
    let command = |value: Value| Command::read(&value).unwrap();
    fields
        .into_iter()
        .map(|(name, value)| (name, command(value)))
        .collect()
}

fn diff(first: Value, second: Value) -> String {
    diff::commands(&commands(first), &commands(second)).to_string()
}

#[test]
fn the_same_has_no_difference() {
    let one = json!({ "GET": { "group": "string", "arity": 2 } });
    assert_eq!(diff(one.clone(), one), "0 added, 0 removed, 0 changed\n");
}

#[test]
fn commands_come_and_go() {
    let old = json!({ "OLD": { "group": "string" } });
    let new = json!({ "NEW": { "group": "module", "module": "bf", "since": "2.0.0", "arguments": [
        { "name": "key", "type": "key" },
        { "name": "n", "type": "integer", "token": "COUNT", "optional": true } ] } });
    let expected = "- OLD\n+ NEW key [COUNT n]  (bf, since 2.0.0)\n1 added, 1 removed, 0 changed\n";
    assert_eq!(diff(old, new), expected);
}

#[test]
fn options_types_flags_and_key_specs_are_told_one_by_one() {
    let key_spec = |flag: &str| {
        json!({ "begin_search": { "type": "index", "spec": { "index": 1 } },
            "find_keys": { "type": "range", "spec": { "lastkey": 0, "keystep": 1, "limit": 0 } },
            flag: true })
    };
    let old = json!({ "CMD": { "group": "string", "arity": 3, "command_flags": ["write", "fast"],
        "key_specs": [key_spec("RW")], "arguments": [
            { "name": "n", "type": "integer" },
            { "name": "old", "type": "pure-token", "token": "OLD", "optional": true },
            { "name": "when", "type": "oneof", "optional": true, "arguments": [
                { "name": "nx", "type": "pure-token", "token": "NX" } ] } ] } });
    let new = json!({ "CMD": { "group": "string", "arity": -3, "command_flags": ["write"],
        "key_specs": [key_spec("RO")], "hints": ["request_policy:all_nodes"], "arguments": [
            { "name": "n", "type": "double" },
            { "name": "new", "type": "string", "token": "NEW", "optional": true, "since": "8.0.0" },
            { "name": "when", "type": "oneof", "optional": true, "arguments": [
                { "name": "nx", "type": "pure-token", "token": "NX" },
                { "name": "xx", "type": "pure-token", "token": "XX", "provider": "valkey" } ] }
        ] } });
    let expected = "\
~ CMD
    arity: 3 -> -3
    flags: -fast
    tips: +request_policy:all_nodes
    key specs: at 1, range last 0 step 1 limit 0, RW -> at 1, range last 0 step 1 limit 0, RO
    - option [OLD]
    type of n: integer -> double
    + option [NEW new], since 8.0.0
    + alternative XX in when, only valkey
0 added, 0 removed, 1 changed
";
    assert_eq!(diff(old, new), expected);
}

#[test]
fn another_order_of_arguments_is_a_difference() {
    let command = |names: [&str; 2]| {
        let arguments = names.map(|name| json!({ "name": name, "type": "string" }));
        json!({ "CMD": { "group": "string", "arguments": arguments } })
    };
    let expected = "~ CMD\n    other order: b a\n0 added, 0 removed, 1 changed\n";
    assert_eq!(diff(command(["a", "b"]), command(["b", "a"])), expected);
}

#[test]
fn our_own_facts_are_compared_too() {
    let old = json!({ "CMD": { "group": "string", "arguments": [
        { "name": "t", "type": "integer" } ] } });
    let new = json!({ "CMD": { "group": "string", "retry": "state", "connection": "state",
        "arguments": [{ "name": "t", "type": "integer", "unit": "seconds", "count": "none" }] } });
    let expected = "\
~ CMD
    retry: none -> state
    connection: none -> state
    count of t: by rule -> none
    unit of t: by rule -> seconds
0 added, 0 removed, 1 changed
";
    assert_eq!(diff(old, new), expected);
}
