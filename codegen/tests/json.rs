//! The JSON that the generator reads, and what it says of what is none.

use std::{fs, path::Path};

use respec_codegen::json::{Value, parse};

fn read(text: &str) -> Result<Value, String> {
    parse(Path::new("some.json"), text).map_err(|error| error.to_string())
}

/// All that stands in the spec, and texts, numbers and blanks of every kind, as another reader has them.
#[test]
fn values_are_those_that_another_reader_finds() {
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../commands-spec");
    let folders = [spec.clone(), spec.join("commands")];
    let files = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    let mut texts: Vec<String> = files
        .filter(|file| file.extension().is_some_and(|it| it == "json"))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    assert!(texts.len() > 25, "{}", texts.len());
    for text in [
        r#""a\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00é€😀""#,
        "[0, 7, -12, 0.5, -1.25e3, 1E-2, 9223372036854775807, -9223372036854775808]",
        " \t\r\n{ \"a\" : [ ] , \"b\" : { } , \"\" : [ true , false , null ] } \n",
    ] {
        texts.push(text.to_owned());
    }
    for text in texts {
        let ours = read(&text).unwrap();
        let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
        let again: serde_json::Value = serde_json::from_str(&ours.to_string()).unwrap();
        assert_eq!(again, theirs, "{text}");
        assert_eq!(read(&theirs.to_string()).unwrap(), ours, "{text}");
    }
}

#[test]
fn what_is_no_json_is_refused_with_its_line() {
    for (text, reason) in [
        ("", ":1: expected a value, found the end of the text"),
        ("[1,\n2\n3]", ":3: expected `,` or `]`, found '3'"),
        ("{\"a\" 1}", ":1: expected `:`, found '1'"),
        ("{\"a\": 1 \"b\": 2}", ":1: expected `,` or `}`, found '\"'"),
        ("{a: 1}", ":1: expected the name of a field, found 'a'"),
        ("{\"a\": 1,\n \"a\": 2}", ":2: expected one `a`, found two"),
        ("[1] x", ":1: expected the end of the text, found 'x'"),
        ("[1,]", ":1: expected a value, found ']'"),
        ("nul", ":1: expected a value, found 'n'"),
        ("\"a", ":1: expected `\"`, found the end of the text"),
        (
            "\"a\nb\"",
            "expected no control character in a text, found one",
        ),
        (r#""\x""#, "expected an escape behind `\\`, found none"),
        (
            r#""\u12g4""#,
            "expected four digits behind `\\u`, found others",
        ),
        (
            r#""\u+123""#,
            "expected four digits behind `\\u`, found others",
        ),
        (
            r#""\ud83d""#,
            "expected a character behind `\\u`, found half of one",
        ),
        (
            r#""\ude00""#,
            "expected a character behind `\\u`, found half of one",
        ),
        ("01", "expected a number, found \"01\""),
        ("-", "expected a number, found \"-\""),
        ("1.", "expected a number, found \"1.\""),
        ("-infinity", "expected a number, found \"-infinity\""),
        ("1e999", "expected a number, found \"1e999\""),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
        assert!(
            serde_json::from_str::<serde_json::Value>(text).is_err() || text.contains("\"a\": 2")
        );
    }
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(&deep(128)).is_ok());
    assert!(read(&deep(100_000)).unwrap_err().contains("128 levels"));
}
