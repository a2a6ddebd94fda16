//! The rules by which a source becomes part of the spec.

use std::collections::BTreeMap;
use std::path::PathBuf;

use respec_codegen::json::Read as _;
use respec_codegen::source::{Form, Source};
use respec_codegen::spec::{Argument, Command, Commands, Provider, Skip};
use respec_codegen::syntax::syntax;
use respec_spec::merge::{Report, merge};
use serde_json::{Value, json};

/// A source with one command `CMD`.
fn source(provider: Provider, since: &str, arguments: Value) -> Source {
    let command = Command {
        group: "string".to_owned(),
        since: Some(since.to_owned()),
        arity: -2,
        arguments: Vec::read(&arguments).unwrap(),
        ..Command::default()
    };
    of(provider, [("CMD", command)])
}

fn of<const N: usize>(provider: Provider, commands: [(&str, Command); N]) -> Source {
    let commands = Commands::from(commands.map(|(name, command)| (name.to_owned(), command)));
    Source {
        origin: PathBuf::from("sample"),
        form: Form::Published,
        provider,
        version: None,
        summaries: commands
            .keys()
            .map(|name| (name.clone(), "Does.".to_owned()))
            .collect(),
        commands,
    }
}

/// What was kept, without the reasons.
fn kept_of(report: &Report) -> Vec<(String, Vec<String>)> {
    let kept = report.kept.iter();
    kept.map(|(name, kept)| (name.clone(), kept.differences.clone()))
        .collect()
}

/// Merges one source after the other, and checks that the last one once more changes nothing.
fn merged(sources: &[Source]) -> (Command, Report) {
    let (commands, _, report) = all(sources);
    (commands["CMD"].clone(), report)
}

fn all(sources: &[Source]) -> (Commands, BTreeMap<String, Skip>, Report) {
    let (mut commands, mut skipped) = (Commands::new(), BTreeMap::new());
    let mut report = Report::default();
    for source in sources {
        report = merge(&mut commands, &mut skipped, source);
        let (mut again, mut skipped) = (commands.clone(), skipped.clone());
        let second = merge(&mut again, &mut skipped, source);
        assert!(second.is_unchanged(), "{:?}", second.changed);
        assert_eq!(again, commands);
    }
    (commands, skipped, report)
}

fn redis(arguments: Value) -> Source {
    source(Provider::Redis, "8.0.0", arguments)
}

fn valkey(arguments: Value) -> Source {
    source(Provider::Valkey, "8.0.0", arguments)
}

fn token(name: &str) -> Value {
    json!({ "name": name, "type": "pure-token", "token": name.to_uppercase() })
}

fn option(name: &str) -> Value {
    let mut option = token(name);
    option["optional"] = json!(true);
    option
}

fn oneof(name: &str, optional: bool, alternatives: &[Value]) -> Value {
    json!({ "name": name, "type": "oneof", "optional": optional, "arguments": alternatives })
}

fn key() -> Value {
    json!({ "name": "key", "type": "key", "key_spec_index": 0 })
}

fn provider_of(arguments: &[Argument], name: &str) -> Option<Provider> {
    fn find<'a>(arguments: &'a [Argument], name: &str) -> Option<&'a Argument> {
        arguments
            .iter()
            .find_map(|argument| match argument.name == name {
                true => Some(argument),
                false => find(&argument.arguments, name),
            })
    }
    find(arguments, name)
        .unwrap_or_else(|| panic!("there is no {name}"))
        .provider
}

#[test]
fn what_one_family_has_is_marked_until_the_other_has_it() {
    let (command, _) = merged(&[redis(json!([key()]))]);
    assert_eq!(command.provider, Some(Provider::Redis));
    let (command, _) = merged(&[redis(json!([key()])), valkey(json!([key()]))]);
    assert_eq!(command.provider, None);
    let (command, _) = merged(&[valkey(json!([key()]))]);
    assert_eq!(command.provider, Some(Provider::Valkey));
}

#[test]
fn an_option_of_the_other_family_goes_behind_the_neighbour_that_both_have() {
    let (command, report) = merged(&[
        redis(json!([key(), option("a"), option("b"), option("c")])),
        valkey(json!([
            key(),
            option("a"),
            option("x"),
            option("c"),
            option("y")
        ])),
    ]);
    assert_eq!(syntax(&command.arguments), "key [A] [X] [B] [C] [Y]");
    assert_eq!(provider_of(&command.arguments, "a"), None);
    assert_eq!(provider_of(&command.arguments, "b"), Some(Provider::Redis));
    assert_eq!(provider_of(&command.arguments, "x"), Some(Provider::Valkey));
    assert_eq!(provider_of(&command.arguments, "y"), Some(Provider::Valkey));
    assert!(report.kept.is_empty(), "{:?}", report.kept);
}

#[test]
fn alternatives_are_united() {
    let condition = |words: &[&str]| {
        let words: Vec<Value> = words.iter().map(|word| token(word)).collect();
        json!([key(), oneof("condition", true, &words)])
    };
    let (command, _) = merged(&[
        redis(condition(&["nx", "xx", "ne"])),
        valkey(condition(&["nx", "xx", "eq"])),
    ]);
    assert_eq!(syntax(&command.arguments), "key [NX | XX | EQ | NE]");
    assert_eq!(provider_of(&command.arguments, "ne"), Some(Provider::Redis));
    assert_eq!(
        provider_of(&command.arguments, "eq"),
        Some(Provider::Valkey)
    );
    assert_eq!(provider_of(&command.arguments, "nx"), None);
}

#[test]
fn alternatives_without_a_common_member_are_two_options() {
    let (command, _) = merged(&[
        redis(json!([
            key(),
            oneof("condition", true, &[token("fnx"), token("fxx")])
        ])),
        valkey(json!([
            key(),
            oneof("condition", true, &[token("nx"), token("xx")]),
            oneof("fields-condition", true, &[token("fnx"), token("fxx")]),
        ])),
    ]);
    assert_eq!(syntax(&command.arguments), "key [NX | XX] [FNX | FXX]");
}

#[test]
fn a_choice_that_only_the_other_family_has_widens_ours() {
    let one = redis(json!([option("schedule")]));
    let two = valkey(json!([oneof(
        "operation",
        true,
        &[token("schedule"), token("cancel")]
    )]));
    let (command, _) = merged(&[one.clone(), two.clone()]);
    assert_eq!(syntax(&command.arguments), "[SCHEDULE | CANCEL]");
    assert_eq!(
        provider_of(&command.arguments, "cancel"),
        Some(Provider::Valkey)
    );
    // The base, imported again, does not narrow it; nor does the order of the imports matter.
    let (again, _) = merged(&[one.clone(), two.clone(), one.clone()]);
    assert_eq!(again, command);
    let required = |arguments| redis(json!([key(), arguments]));
    let id = json!({ "name": "id", "type": "string" });
    let (command, _) = merged(&[
        required(id.clone()),
        valkey(json!([key(), oneof("who", false, &[id, token("nobody")])])),
    ]);
    assert_eq!(syntax(&command.arguments), "key <id | NOBODY>");
}

#[test]
fn a_newer_base_keeps_what_only_the_other_family_has() {
    let (command, report) = merged(&[
        redis(json!([key(), option("a"), option("b")])),
        valkey(json!([key(), option("a"), option("x"), option("b")])),
        source(
            Provider::Redis,
            "9.0.0",
            json!([key(), option("a"), option("new"), option("b")]),
        ),
    ]);
    assert_eq!(syntax(&command.arguments), "key [A] [X] [NEW] [B]");
    assert_eq!(provider_of(&command.arguments, "x"), Some(Provider::Valkey));
    assert_eq!(
        provider_of(&command.arguments, "new"),
        Some(Provider::Redis)
    );
    let expected = [
        "since: 8.0.0 -> 9.0.0".to_owned(),
        "+ option [NEW], only redis".to_owned(),
    ];
    assert_eq!(report.changed, [("CMD".to_owned(), expected.to_vec())]);
}

#[test]
fn an_older_source_changes_nothing() {
    let new = source(
        Provider::Redis,
        "8.0.0",
        json!([key(), option("a"), option("b")]),
    );
    let mut old = source(
        Provider::Redis,
        "7.0.0",
        json!([key(), option("a"), option("gone")]),
    );
    old.commands.get_mut("CMD").unwrap().arity = 2;
    let (before, _) = merged(std::slice::from_ref(&new));
    let (after, report) = merged(&[new, old]);
    assert_eq!(before, after);
    let kept = ["since: 8.0.0 -> 7.0.0", "arity: -2 -> 2", "+ option [GONE]"];
    assert_eq!(
        kept_of(&report),
        [("CMD".to_owned(), kept.map(str::to_owned).to_vec())]
    );
}

#[test]
fn an_older_version_of_the_other_family_changes_nothing_either() {
    let shared = Command {
        group: "string".to_owned(),
        since: Some("1.0.0".to_owned()),
        ..Command::default()
    };
    let old = |since: &str, arguments| {
        let own = source(Provider::Valkey, since, arguments).commands["CMD"].clone();
        of(Provider::Valkey, [("CMD", own), ("SHARED", shared.clone())])
    };
    let base = of(
        Provider::Redis,
        [(
            "SHARED",
            Command {
                since: Some("8.10.0".to_owned()),
                ..shared.clone()
            },
        )],
    );
    let sources = [
        base,
        old("9.0.0", json!([key(), option("a")])),
        old("8.0.0", json!([key(), option("b")])),
    ];
    let (commands, _, _) = all(&sources);
    assert_eq!(syntax(&commands["CMD"].arguments), "key [A]");
}

#[test]
fn versions_are_compared_as_numbers() {
    let (command, _) = merged(&[
        source(Provider::Redis, "8.9.0", json!([key()])),
        source(Provider::Redis, "8.10.0", json!([key(), option("a")])),
    ]);
    assert_eq!(syntax(&command.arguments), "key [A]");
}

#[test]
fn where_structures_differ_the_base_stands_and_the_report_says_so() {
    let number = |name: &str, optional: bool| json!({ "name": name, "type": "integer", "optional": optional });
    let block = |name: &str, parts: &[Value]| json!({ "name": name, "type": "block", "optional": true, "arguments": parts });
    let (command, report) = merged(&[
        redis(json!([block(
            "range",
            &[number("start", false), number("end", false)]
        )])),
        valkey(json!([block(
            "range",
            &[
                number("start", false),
                block("rest", &[number("end", false)])
            ]
        )])),
    ]);
    assert_eq!(syntax(&command.arguments), "[start end]");
    let kept = vec!["other structure in the source: [end]".to_owned()];
    assert_eq!(kept_of(&report), [("CMD".to_owned(), kept)]);

    let (command, report) = merged(&[
        redis(json!([key()])),
        valkey(json!([key(), { "name": "must", "type": "string" }])),
    ]);
    assert_eq!(
        syntax(&command.arguments),
        "key",
        "a required argument is not added"
    );
    assert_eq!(report.kept.len(), 1);
}

#[test]
fn where_facts_differ_the_base_stands_and_the_report_says_so() {
    let number = |kind: &str| json!([key(), { "name": "n", "type": kind }]);
    let mut other = valkey(number("double"));
    other.commands.get_mut("CMD").unwrap().command_flags = vec!["fast".to_owned()];
    let (command, report) = merged(&[redis(number("integer")), other]);
    assert!(command.command_flags.is_empty());
    let kept = [
        "flags: +fast",
        "differs in the source: type of n: integer -> double",
    ];
    assert_eq!(
        kept_of(&report),
        [("CMD".to_owned(), kept.map(str::to_owned).to_vec())]
    );
}

#[test]
fn names_and_tokens_match_whatever_their_case() {
    let (command, _) = merged(&[
        redis(json!([
            key(),
            oneof("unit", true, &[token("m"), token("km")])
        ])),
        valkey(json!([
            key(),
            oneof(
                "unit",
                true,
                &[
                    json!({ "name": "m", "type": "pure-token", "token": "m" }),
                    json!({ "name": "km", "type": "pure-token", "token": "km" }),
                ]
            )
        ])),
    ]);
    assert_eq!(syntax(&command.arguments), "key [M | KM]");
}

#[test]
fn our_texts_stay() {
    let mut ours = redis(json!([key()])).commands;
    let command = ours.get_mut("CMD").unwrap();
    command.summary = "Ours.".to_owned();
    command.complexity = Some("O(1), as we say it".to_owned());
    command.history = vec![("7.0.0".to_owned(), "as we say it".to_owned())];
    let mut newer = source(Provider::Redis, "9.0.0", json!([key()]));
    let theirs = newer.commands.get_mut("CMD").unwrap();
    theirs.complexity = Some("O(N)".to_owned());
    theirs.history = vec![
        ("7.0.0".to_owned(), String::new()),
        ("9.0.0".to_owned(), String::new()),
    ];
    merge(&mut ours, &mut BTreeMap::new(), &newer);
    let command = &ours["CMD"];
    assert_eq!(command.summary, "Ours.");
    assert_eq!(command.complexity.as_deref(), Some("O(1), as we say it"));
    let history = [("7.0.0", "as we say it"), ("9.0.0", "")];
    assert_eq!(
        command.history,
        history.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
}

#[test]
fn commands_that_are_gone_are_reported_and_kept() {
    let command = || redis(json!([key()])).commands["CMD"].clone();
    let both = of(Provider::Redis, [("CMD", command()), ("OTHER", command())]);
    let (commands, _, report) = all(&[both, redis(json!([key()]))]);
    assert_eq!(report.gone, ["OTHER"]);
    assert!(commands.contains_key("OTHER"));
}

#[test]
fn a_running_server_says_nothing_about_modules_that_we_know() {
    let of_module = |version: &str, arguments: Value| {
        let mut source = source(Provider::Redis, version, arguments);
        let command = source.commands.get_mut("CMD").unwrap();
        command.group = "module".to_owned();
        command.module = Some("bf".to_owned());
        source
    };
    let known = of_module("1.0.0", json!([key(), option("a")]));
    let mut live = of_module("1.0.0", json!([]));
    live.form = Form::Live;
    live.version = Some("9.9.9".to_owned());
    live.summaries.clear();
    live.commands.get_mut("CMD").unwrap().command_flags = vec!["write".to_owned()];
    let (before, _) = merged(std::slice::from_ref(&known));
    let (after, report) = merged(&[known, live]);
    assert_eq!(before, after);
    assert_eq!(
        kept_of(&report),
        [("CMD".to_owned(), vec!["flags: +write".to_owned()])]
    );
}

#[test]
fn what_has_no_method_is_listed_with_the_reason() {
    let plain = |since: &str| Command {
        since: Some(since.to_owned()),
        group: "server".to_owned(),
        arity: -2,
        ..Command::default()
    };
    let internal = Command {
        doc_flags: vec!["syscmd".to_owned()],
        ..plain("1.0.0")
    };
    let mut source = of(
        Provider::Redis,
        [
            ("ACL", plain("6.0.0")),
            ("ACL CAT", plain("6.0.0")),
            (
                "COMMAND",
                Command {
                    arity: -1,
                    ..plain("2.8.13")
                },
            ),
            ("COMMAND COUNT", plain("2.8.13")),
            ("PSYNC2", internal),
            ("QUIET", plain("8.0.0")),
            ("_HIDDEN", plain("8.0.0")),
        ],
    );
    source.summaries.remove("QUIET");
    let (commands, skipped, _) = all(std::slice::from_ref(&source));
    let names: Vec<_> = commands.keys().map(String::as_str).collect();
    assert_eq!(names, ["ACL CAT", "COMMAND", "COMMAND COUNT"]);
    let skipped: Vec<_> = skipped
        .iter()
        .map(|(name, reason)| (name.as_str(), *reason))
        .collect();
    let expected = [
        ("ACL", Skip::Container),
        ("PSYNC2", Skip::Internal),
        ("QUIET", Skip::Undocumented),
        ("_HIDDEN", Skip::Internal),
    ];
    assert_eq!(skipped, expected);
    // Once it is documented, it is a command like any other.
    let mut later = source.clone();
    later
        .summaries
        .insert("QUIET".to_owned(), "Is quiet.".to_owned());
    let (commands, skipped, report) = all(&[source, later]);
    assert_eq!(report.new, ["QUIET"]);
    assert!(commands.contains_key("QUIET") && !skipped.contains_key("QUIET"));
}
