//! The language of `replies.tsv`.

use std::path::Path;

use respec_codegen::replies::{Condition, Given, Guard, Type, parse, parse_reply};

fn token(name: &str) -> Given {
    Given::Token(name.to_owned())
}

fn condition(any: &[Given]) -> Condition {
    Condition {
        negated: false,
        any: any.to_vec(),
    }
}

#[test]
fn types_print_as_they_are_read() {
    for text in [
        "ok",
        "status",
        "text",
        "int",
        "bool",
        "double",
        "bulk",
        "any",
        "push",
        "none",
        "entries",
        "streams?",
        "scored",
        "bulk?",
        "list<bulk?>",
        "set<bulk>",
        "map<bulk,list<int>>",
        "pairs<bulk,bulk?>?",
        "(bulk,entries,list<bulk>)",
        "scan<pairs<bulk,bulk>>",
        "one_or_list<one_or_list<bulk?>>",
        "list<bool|error>",
        "list<@AclLogEntry>",
        "(@AggregateResult,int)",
        "@SearchResult[WITHSCORES,NOCONTENT]",
    ] {
        let reply = parse_reply(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        assert_eq!(reply.default.to_string(), text);
        assert!(reply.guarded.is_empty());
    }
}

#[test]
fn spaces_do_not_matter() {
    let reply = parse_reply(" map< bulk , int > ").unwrap();
    assert_eq!(reply.default.to_string(), "map<bulk,int>");
}

#[test]
fn guards_are_read_in_their_order() {
    let reply = parse_reply("ok? ; A&NX|XX => int ; !A&@count => bulk").unwrap();
    assert_eq!(reply.default, Type::Optional(Box::new(Type::Ok)));
    let both = Guard {
        all: vec![
            condition(&[token("A")]),
            condition(&[token("NX"), token("XX")]),
        ],
    };
    let neither = Guard {
        all: vec![
            Condition {
                negated: true,
                any: vec![token("A")],
            },
            condition(&[Given::Argument("count".to_owned())]),
        ],
    };
    assert_eq!(reply.guarded, [(both, Type::Int), (neither, Type::Bulk)]);
}

#[test]
fn what_is_not_understood_is_named() {
    for (text, reason) in [
        ("", "expected a type, found \"\""),
        ("string", "expected a type, found \"string\""),
        ("list", "expected \"<\", found \"\""),
        ("list<int", "expected \">\", found \"\""),
        ("map<int>", "expected \",\", found \">\""),
        ("int int", "expected the end of the type, found \" int\""),
        ("int|null", "expected error after |, found \"null\""),
        ("list<@>", "expected a name after @, found \">\""),
        ("int ; NX", "expected guard => type, found \"NX\""),
        (
            "int ; => ok",
            "expected a token or @argument in the guard \"\"",
        ),
        (
            "int ; A| => ok",
            "expected a token or @argument in the guard \"A|\"",
        ),
    ] {
        let found = parse_reply(text).expect_err(text);
        assert_eq!(found, reason, "{text}");
    }
}

#[test]
fn an_error_names_file_line_and_command() {
    let file = Path::new("replies.tsv");
    let error = parse(file, "# head\n\nGET\tbulk?\nSET\tokay\n").expect_err("okay is no type");
    let expected = "replies.tsv:4: SET: expected a type, found \"okay\"";
    assert_eq!(error.to_string(), expected);
    let error = parse(file, "GET bulk?\n").expect_err("there is no tab");
    assert_eq!(
        error.to_string(),
        "replies.tsv:1: expected a command, a tab and a type"
    );
    let error = parse(file, "GET\tbulk?\nGET\tint\n").expect_err("there are two lines");
    assert_eq!(error.to_string(), "replies.tsv:2: GET: has a reply already");
}
