//! The spec of this repository: it loads, and its parts agree with each other.

use std::path::{Path, PathBuf};

use respec_codegen::load::Spec;
use respec_codegen::model::routing::Routing;
use respec_codegen::replies::{Given, Reply, Type};
use respec_codegen::spec::{
    Argument, ArgumentType, Caching, Command, Count, Nodes, ReplyCount, Retry, Unit,
};

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../commands-spec")
}

fn load() -> Spec {
    Spec::load(&dir()).expect("the spec of this repository is sound")
}

/// All arguments of a command at every depth.
fn all(arguments: &[Argument]) -> Vec<&Argument> {
    arguments
        .iter()
        .flat_map(|one| [vec![one], all(&one.arguments)].concat())
        .collect()
}

#[test]
fn every_command_has_a_reply_and_every_reply_a_command() {
    let spec = load();
    let commands: Vec<_> = spec.commands.keys().collect();
    let replies: Vec<_> = spec.replies.keys().collect();
    assert_eq!(commands, replies);
}

#[test]
fn every_command_has_a_summary_of_one_line() {
    for (name, command) in load().commands {
        assert!(!command.summary.is_empty(), "{name} has no summary");
        assert!(
            !command.summary.contains('\n'),
            "{name} has a summary of several lines"
        );
    }
}

#[test]
fn no_name_is_both_described_and_left_out() {
    let spec = load();
    assert!(spec.skipped.len() > 100, "{}", spec.skipped.len());
    for name in spec.skipped.keys() {
        assert!(!spec.commands.contains_key(name), "{name}");
    }
}

#[test]
fn all_files_are_listed() {
    let spec = load();
    let names: Vec<String> = spec
        .files
        .iter()
        .map(|file| file.file_name().unwrap().to_string_lossy().into())
        .collect();
    for expected in [
        "string.json",
        "skipped.json",
        "corrections.json",
        "routes.json",
        "replies.tsv",
    ] {
        assert!(
            names.iter().any(|name| name == expected),
            "{expected} is not in {names:?}"
        );
    }
}

#[test]
fn a_cluster_knows_where_every_command_runs() {
    for (name, command) in load().commands {
        assert_ne!(
            Routing::of(&command),
            Routing::Undecided,
            "{name} needs a decision in routes.json: its keys and tips do not tell which nodes run \
             it, or how their answers become one"
        );
        if let Routing::Nodes(nodes, join, unless) = Routing::of(&command) {
            let several = matches!(nodes, Nodes::AllNodes | Nodes::AllPrimaries | Nodes::Parts);
            assert_eq!(several, join.is_some(), "{name}: one answer or several");
            let keyed = !command.key_specs.is_empty();
            assert_eq!(keyed, nodes == Nodes::Parts, "{name}: keys decide");
            let words = all(&command.arguments);
            for word in unless {
                let known = words.iter().any(|it| it.token.as_ref() == Some(&word));
                assert!(known, "{name} has no {word}");
            }
        }
    }
}

#[test]
fn guards_name_what_the_grammar_has() {
    let spec = load();
    for (name, reply) in &spec.replies {
        let arguments = all(&spec.commands[name].arguments);
        for (guard, _) in &reply.guarded {
            for given in guard.all.iter().flat_map(|condition| &condition.any) {
                let found = arguments.iter().any(|argument| match given {
                    Given::Token(token) => argument.token.as_ref() == Some(token),
                    Given::Argument(given) => argument.token.is_none() && argument.name == *given,
                });
                assert!(found, "{name} has no {given:?}");
            }
        }
    }
}

#[test]
fn replies_print_as_they_are_written() {
    let text = std::fs::read_to_string(dir().join("replies.tsv")).unwrap();
    let spec = load();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let name = columns.next().unwrap();
        let default = columns.next().unwrap().split(';').next().unwrap().trim();
        assert_eq!(spec.replies[name].default.to_string(), default);
    }
}

#[test]
fn replies_come_as_the_corrections_say() {
    let spec = load();
    for (name, command) in &spec.commands {
        let Reply { default, .. } = &spec.replies[name];
        let none = *default == Type::None;
        let silent = matches!(command.replies, Some(ReplyCount::None | ReplyCount::End));
        assert_eq!(silent, none, "{name}");
        let confirmed = default.named() == ["Confirmation"];
        let each = command.replies == Some(ReplyCount::PerArgument);
        assert_eq!(each, confirmed, "{name}");
        let stream = command.replies == Some(ReplyCount::Stream);
        assert!(stream || *default != Type::Push, "{name}");
    }
}

#[test]
fn a_dynamic_reply_has_its_reason() {
    for (name, reply) in &load().replies {
        assert!(reply.is_typed() || reply.note.is_some(), "{name}");
    }
}

/// The fewest words that the grammar allows.
fn fewest(argument: &Argument) -> i64 {
    if argument.optional {
        0
    } else {
        required(argument)
    }
}

fn required(argument: &Argument) -> i64 {
    // A token with a space in it is two words.
    let token = argument
        .token
        .as_ref()
        .map_or(0, |token| token.split(' ').count() as i64);
    match argument.kind {
        ArgumentType::PureToken => token,
        ArgumentType::Oneof => {
            token
                + argument
                    .arguments
                    .iter()
                    .map(required)
                    .min()
                    .unwrap_or_default()
        }
        ArgumentType::Block => {
            let words: i64 = argument.arguments.iter().map(fewest).sum();
            // A block of options only is given for the sake of one of them.
            token + words.max(1)
        }
        _ => token + 1,
    }
}

fn can_grow(argument: &Argument) -> bool {
    argument.optional
        || argument.multiple
        || match argument.kind {
            ArgumentType::Oneof => {
                let words: Vec<i64> = argument.arguments.iter().map(required).collect();
                words.iter().min() != words.iter().max()
                    || argument
                        .arguments
                        .iter()
                        .any(|one| one.arguments.iter().any(can_grow))
            }
            _ => argument.arguments.iter().any(can_grow),
        }
}

#[test]
fn what_the_grammar_allows_the_arity_allows() {
    // A polygon has three vertices, which no grammar says; the arity is that of the other shapes.
    let known = [
        "GEOSEARCH: arity -7, grammar 6",
        "GEOSEARCHSTORE: arity -8, grammar 7",
    ];
    let mut wrong = Vec::new();
    for (name, command) in load().commands {
        let words =
            name.split(' ').count() as i64 + command.arguments.iter().map(fewest).sum::<i64>();
        let grows = command.arguments.iter().any(can_grow);
        // Servers check some commands themselves and ask for fewer words here.
        let allowed = match command.arity {
            exactly if exactly > 0 => words == exactly && !grows,
            at_least => words >= -at_least,
        };
        if !allowed {
            wrong.push(format!("{name}: arity {}, grammar {words}", command.arity));
        }
    }
    assert_eq!(wrong, known);
}

#[test]
fn every_key_has_a_key_spec() {
    for (name, command) in load().commands {
        for argument in all(&command.arguments) {
            if argument.kind == ArgumentType::Key {
                let index = argument.key_spec_index.unwrap_or(usize::MAX);
                assert!(index < command.key_specs.len(), "{name}: {}", argument.name);
            }
        }
    }
}

/// The arguments whose number is the count of what follows, by the rule and the corrections.
fn counts(arguments: &[Argument], found: &mut Vec<String>) {
    for pair in arguments.windows(2) {
        let is_integer = pair[0].kind == ArgumentType::Integer;
        if is_integer && pair[1].multiple && pair[0].count != Some(Count::None) {
            found.push(pair[0].name.clone());
        }
    }
    for argument in arguments {
        counts(&argument.arguments, found);
    }
}

#[test]
fn only_counts_are_taken_for_counts() {
    let known = [
        "count",
        "numkeys",
        "numKeys",
        "numfields",
        "numids",
        "numranges",
        "nargs",
        "nproperties",
        "num_fields",
        "num",
        "num-vertices",
    ];
    for (name, command) in load().commands {
        let mut found = Vec::new();
        counts(&command.arguments, &mut found);
        for argument in found {
            assert!(known.contains(&argument.as_str()), "{name}: {argument}");
        }
    }
}

#[test]
fn what_waits_says_for_how_long() {
    let spec = load();
    for (name, command) in &spec.commands {
        let flagged = command.command_flags.iter().any(|flag| flag == "blocking");
        assert!(
            !flagged || command.blocking.is_some(),
            "{name} is flagged as blocking"
        );
        let Some(blocking) = &command.blocking else {
            continue;
        };
        let arguments = all(&command.arguments);
        let timeout = arguments
            .iter()
            .find(|argument| argument.name == blocking.timeout);
        let timeout = timeout.unwrap_or_else(|| panic!("{name} has no {}", blocking.timeout));
        let kind = match blocking.unit {
            Unit::Seconds => ArgumentType::Double,
            _ => ArgumentType::Integer,
        };
        assert_eq!(timeout.kind, kind, "{name}");
    }
}

#[test]
fn a_split_names_a_required_oneof() {
    for (name, command) in load().commands {
        let Some(split) = &command.split else {
            continue;
        };
        let argument = command
            .arguments
            .iter()
            .find(|argument| argument.name == *split);
        let argument = argument.unwrap_or_else(|| panic!("{name} has no {split}"));
        assert!(
            argument.kind == ArgumentType::Oneof && !argument.optional,
            "{name}: {split}"
        );
    }
}

#[test]
fn retry_says_nothing_that_is_the_default() {
    for (name, command) in load().commands {
        let readonly = command.command_flags.iter().any(|flag| flag == "readonly");
        let default = if readonly { Retry::Safe } else { Retry::No };
        assert_ne!(command.retry, Some(default), "{name}");
    }
}

#[test]
fn no_counter_is_retried() {
    let commands = load().commands;
    let is_safe = |command: &Command| {
        matches!(
            command.retry,
            Some(Retry::Safe | Retry::State | Retry::Options)
        )
    };
    for name in [
        "APPEND",
        "BLMOVE",
        "BLMPOP",
        "BLPOP",
        "BRPOP",
        "BRPOPLPUSH",
        "BZMPOP",
        "BZPOPMAX",
        "BZPOPMIN",
        "CF.ADD",
        "CF.INSERT",
        "CMS.INCRBY",
        "DECR",
        "DECRBY",
        "HINCRBY",
        "HINCRBYFLOAT",
        "INCR",
        "INCRBY",
        "INCRBYFLOAT",
        "JSON.ARRAPPEND",
        "JSON.ARRINSERT",
        "JSON.ARRPOP",
        "JSON.ARRTRIM",
        "JSON.NUMINCRBY",
        "JSON.NUMMULTBY",
        "JSON.STRAPPEND",
        "JSON.TOGGLE",
        "LMOVE",
        "LMPOP",
        "LPOP",
        "LPUSH",
        "LPUSHX",
        "LTRIM",
        "RPOP",
        "RPOPLPUSH",
        "RPUSH",
        "RPUSHX",
        "SPOP",
        "TDIGEST.ADD",
        "TOPK.ADD",
        "TOPK.INCRBY",
        "TS.DECRBY",
        "TS.INCRBY",
        "VADD",
        "ZINCRBY",
        "ZMPOP",
        "ZPOPMAX",
        "ZPOPMIN",
        "PUBLISH",
        "EVAL",
        "EXEC",
        "GETDEL",
        "GETSET",
        "HGETDEL",
        "LINSERT",
        "LREM",
        "CF.DEL",
        "ZREMRANGEBYRANK",
    ] {
        assert!(!is_safe(&commands[name]), "{name}");
    }
}

/// What is safe to run twice may not undo what others wrote in between.
#[test]
fn what_is_safe_to_repeat_does_not_write() {
    let mut state = 0;
    for (name, command) in &load().commands {
        let writes = command.command_flags.iter().any(|flag| flag == "write");
        assert!(!writes || command.retry != Some(Retry::Safe), "{name}");
        state += usize::from(command.retry == Some(Retry::State));
    }
    assert!(state > 100, "{state}");
}

#[test]
fn what_a_busy_server_answers_is_urgent_or_about_its_connection() {
    let mut found = 0;
    for (name, command) in &load().commands {
        if command
            .command_flags
            .iter()
            .any(|flag| flag == "allow_busy")
        {
            found += 1;
            assert!(command.urgent || command.connection.is_some(), "{name}");
        }
        assert!(!command.urgent || command.key_specs.is_empty(), "{name}");
    }
    assert!(found > 10, "{found}");
}

#[test]
fn the_wait_of_every_blocking_command_stands_where_its_words_tell() {
    use respec_codegen::model::waits::{Place, place};

    let spec = load();
    let place = |name: &str| {
        let command = &spec.commands[name];
        place(name, command, &command.blocking.as_ref().unwrap().timeout)
    };
    for (name, _) in spec.commands.iter().filter(|(_, it)| it.blocking.is_some()) {
        assert!(place(name).is_some(), "{name}");
    }
    assert_eq!(place("BLPOP"), Some(Place::At(-1)));
    assert_eq!(place("BLMPOP"), Some(Place::At(1)));
    assert_eq!(place("BLMOVEM"), Some(Place::At(5)));
    let Some(Place::After {
        keyword,
        from,
        skip,
    }) = place("XREADGROUP")
    else {
        panic!("XREADGROUP waits where BLOCK is given");
    };
    assert_eq!((keyword.as_str(), from), ("BLOCK", 4));
    assert!(skip.contains(&("GROUP".to_owned(), 2)), "{skip:?}");
    assert!(skip.contains(&("STREAMS".to_owned(), u8::MAX)), "{skip:?}");
}

#[test]
fn whether_an_answer_may_be_kept_is_decided_for_all_that_read_keys() {
    let (mut kept, mut not) = (0, 0);
    for (name, command) in &load().commands {
        let reads = command.command_flags.iter().any(|flag| flag == "readonly");
        let keyed = reads && !command.key_specs.is_empty();
        assert_eq!(command.cacheable.is_some(), keyed, "{name}");
        match &command.cacheable {
            Some(Caching::Unless(words)) => {
                kept += 1;
                let known = all(&command.arguments);
                for word in words {
                    let token = |it: &&Argument| it.token.as_ref() == Some(word);
                    assert!(known.iter().any(token), "{name} has no {word}");
                }
                assert_eq!(command.blocking, None, "{name}");
            }
            Some(Caching::Not(reason)) => {
                not += 1;
                assert!(!reason.is_empty(), "{name}");
            }
            None => {}
        }
    }
    assert!(kept > 100 && not > 30, "{kept} and {not}");
}

#[test]
fn options_that_make_a_second_run_safe_are_known() {
    let mut found = 0;
    for (name, command) in &load().commands {
        for word in &command.safe_with {
            found += 1;
            assert_eq!(command.retry, Some(Retry::Options), "{name}");
            let known = all(&command.arguments);
            assert!(
                known.iter().any(|it| it.token.as_ref() == Some(word)),
                "{name}: {word}"
            );
        }
    }
    assert_eq!(found, 2);
}
