//! The program: what it prints, what it writes, and how it fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("program-{test}"));
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_respec-spec"))
        .args(words)
        .output()
        .unwrap()
}

fn printed(words: &[&str]) -> String {
    let output = run(words);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn failed(words: &[&str], status: i32) -> String {
    let output = run(words);
    assert_eq!(output.status.code(), Some(status), "{words:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

const COMMANDS: &str = r#"{
  "GET": { "summary": "Gets.", "since": "1.0.0", "group": "string", "arity": 2,
    "complexity": "O(1) always", "command_flags": ["readonly"],
    "arguments": [{ "name": "key", "type": "key", "key_spec_index": 0 }] },
  "ACL": { "summary": "Lists.", "since": "6.0.0", "group": "server", "arity": -2 },
  "ACL CAT": { "summary": "Cats.", "since": "6.0.0", "group": "server", "arity": -2 }
}"#;

#[test]
fn import_writes_and_reports() {
    let folder = folder("import");
    let (file, spec) = (folder.join("source.json"), folder.join("spec"));
    fs::write(&file, COMMANDS).unwrap();
    let (file, spec) = (file.to_str().unwrap(), spec.to_str().unwrap());

    let dry = printed(&["import", file, "--spec", spec, "--dry-run"]);
    assert!(dry.contains("new: GET\n"), "{dry}");
    assert!(dry.ends_with("dry run, nothing was written\n"), "{dry}");
    assert!(!Path::new(spec).exists());

    let first = printed(&["import", file, "--spec", spec]);
    for line in [
        "new: ACL CAT\n",
        "left out: ACL (container)\n",
        "2 new, 0 changed, 0 gone\n",
        "2 without a reply type: ACL CAT, GET\n",
        "2 without a summary: ACL CAT, GET\n",
        "1 without a complexity: ACL CAT\n",
    ] {
        assert!(first.contains(line), "{line:?} is not in {first}");
    }
    let written = fs::read_to_string(Path::new(spec).join("commands/string.json")).unwrap();
    assert!(written.contains("\"complexity\": \"O(1)\""), "{written}");
    assert!(
        !written.contains("Gets."),
        "the words of others stay behind: {written}"
    );

    fs::write(Path::new(spec).join("replies.tsv"), "GET\tbulk?\n").unwrap();
    let second = printed(&["import", "--spec", spec, file]);
    assert!(second.contains("0 new, 0 changed, 0 gone\n"), "{second}");
    assert!(
        second.contains("1 without a reply type: ACL CAT\n"),
        "{second}"
    );
    assert!(!second.contains("wrote"), "{second}");

    let shared = printed(&["import", file, "--spec", spec, "--provider", "valkey"]);
    assert!(
        shared.contains("changed: GET\n    provider: redis -> none\n"),
        "{shared}"
    );
}

#[test]
fn words_are_taken_over_of_commands_that_the_spec_has() {
    let folder = folder("words");
    let (file, spec) = (folder.join("source.json"), folder.join("spec"));
    fs::write(&file, COMMANDS).unwrap();
    let (file, spec) = (file.to_str().unwrap(), spec.to_str().unwrap());
    printed(&["import", file, "--spec", spec]);
    let pages = folder.join("pages");
    fs::create_dir(&pages).unwrap();
    for (name, head) in [
        (
            "get.md",
            "title: GET\nsyntax_fmt: GET key [NEW | OLD] [more ...]",
        ),
        ("acl-cat.md", "title: ACL CAT\nsyntax_fmt: ACL CAT"),
        ("acl.md", "title: ACL\nsyntax_fmt: ACL"),
        ("put.md", "title: PUT\nsyntax_fmt: PUT key"),
        ("overview.md", "title: Overview"),
        ("get.svg", "title: GET\nsyntax_fmt: GET A"),
    ] {
        fs::write(pages.join(name), format!("---\n{head}\n---\n\nText.\n")).unwrap();
    }
    let text = printed(&["words", pages.to_str().unwrap(), "--spec", spec]);
    assert!(text.contains(": 4 commands with a syntax line\n"), "{text}");
    assert!(text.contains("not in the spec: PUT\n"), "{text}");
    assert_eq!(text.matches("not in the spec").count(), 1, "{text}");
    let table = fs::read_to_string(Path::new(spec).join("words.tsv")).unwrap();
    let lines: Vec<_> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(lines, ["GET\t1\tNEW OLD"]);

    let message = failed(&["words", spec, "--spec", spec], 1);
    assert!(message.contains("expected pages with a title"), "{message}");
}

#[test]
fn diff_takes_files_and_specs() {
    let folder = folder("diff");
    let (old, spec) = (folder.join("old.json"), folder.join("spec"));
    fs::write(&old, COMMANDS).unwrap();
    let (old, spec) = (old.to_str().unwrap(), spec.to_str().unwrap());
    printed(&["import", old, "--spec", spec]);
    let corrections = r#"[{ "commands": ["GET"], "path": "arguments/key/type", "was": "key",
        "is": "string", "why": "a test" }]"#;
    fs::write(Path::new(spec).join("corrections.json"), corrections).unwrap();
    let text = printed(&["diff", old, spec]);
    assert!(text.contains("- ACL\n"), "{text}");
    assert!(
        text.contains("~ GET\n") && text.contains("type of key: key -> string\n"),
        "{text}"
    );
}

#[test]
fn a_broken_spec_ends_with_its_place() {
    let folder = folder("broken");
    fs::create_dir(folder.join("commands")).unwrap();
    let file = folder.join("commands/string.json");
    fs::write(&file, r#"{ "GET": { "arity": 2 } }"#).unwrap();
    let spec = folder.to_str().unwrap();
    let message = failed(&["diff", spec, spec], 1);
    let expected = format!("{}: GET: missing field `group`\n", file.display());
    assert_eq!(message, expected);
    let missing = failed(&["diff", "there-is-no-such-file", spec], 1);
    assert!(missing.starts_with("there-is-no-such-file: "), "{missing}");
}

/// What a newer source changes is told first; what it merely says otherwise is told when asked for.
#[test]
fn the_summary_stands_first_and_what_was_kept_is_told_with_its_reason_when_asked() {
    let folder = folder("kept");
    let (file, spec) = (folder.join("source.json"), folder.join("spec"));
    fs::write(&file, COMMANDS).unwrap();
    let (file, spec) = (file.to_str().unwrap(), spec.to_str().unwrap());
    let new = printed(&["import", file, "--spec", spec]);
    let mut lines = new.lines();
    assert!(
        lines.next().unwrap().ends_with(": 3 commands of redis"),
        "{new}"
    );
    assert_eq!(lines.next(), Some("2 new, 0 changed, 0 gone"));

    let older = COMMANDS
        .replace("6.0.0", "0.9.0")
        .replace("\"arity\": 2", "\"arity\": 3");
    fs::write(file, older).unwrap();
    let short = printed(&["import", file, "--spec", spec]);
    let kept = "2 differ and were kept as they are: --verbose shows them, and why\n";
    assert!(short.contains(kept), "{short}");
    assert!(!short.contains("arity"), "{short}");
    let long = printed(&["import", file, "--spec", spec, "--verbose"]);
    for line in [
        "kept as it is: GET, since the source is older than the spec\n    arity: 2 -> 3\n",
        "kept as it is: ACL CAT, since the source is older than the spec\n    since: 6.0.0 -> 0.9.0\n",
    ] {
        assert!(long.contains(line), "{line:?} is not in {long}");
    }
    assert!(!long.contains("--verbose"), "{long}");

    let same = printed(&["diff", spec, spec]);
    assert_eq!(same, "0 added, 0 removed, 0 changed\n");
}

#[test]
fn a_wrong_command_line_ends_with_the_usage() {
    for (words, reason) in [
        (&[][..], "Usage: respec-spec"),
        (&["fetch"], "unrecognized subcommand 'fetch'"),
        (&["import"], "<PATH>"),
        (&["import", "a", "b"], "unexpected argument 'b'"),
        (&["import", "a", "--force"], "unexpected argument '--force'"),
        (
            &["import", "a", "--spec"],
            "a value is required for '--spec <DIR>'",
        ),
        (
            &["import", "a", "--provider", "kvrocks"],
            "invalid value 'kvrocks' for '--provider <NAME>'",
        ),
        (
            &["pull", "localhost"],
            "expected redis://host:port or valkey://host:port",
        ),
        (&["diff", "a"], "<SECOND>"),
        (&["show"], "<COMMAND>"),
        (&["words"], "<FOLDER>"),
    ] {
        let message = failed(words, 2);
        assert!(message.contains(reason), "{words:?}: {message}");
    }
    let help = printed(&["--help"]);
    for task in ["import", "pull", "diff", "show", "words", "coverage"] {
        assert!(help.contains(task), "{help}");
    }
}

#[test]
fn what_is_not_generated_is_not_shown() {
    let message = failed(&["show", "no", "such", "command"], 1);
    assert_eq!(message, "the spec has no command \"NO SUCH COMMAND\"\n");
    let message = failed(&["show", "ft.profile"], 1);
    assert!(
        message.starts_with("FT.PROFILE is written by hand: "),
        "{message}"
    );
}
