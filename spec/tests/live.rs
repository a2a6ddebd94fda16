//! The importer against running servers.

use std::{path::Path, process::Command};

use respec_testkit::{Server, Variant, shared};

/// Runs the program and returns what it prints.
fn program(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_respec-spec"))
        .args(words)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What is here was made from newer sources, so that no server that tests can have adds to it.
#[test]
fn pulling_from_servers_that_are_known_finds_nothing_new() {
    for variant in [Variant::Redis82, Variant::Valkey91] {
        let report = program(&["pull", &shared(variant).url(), "--dry-run"]);
        println!("{variant}\n{report}");
        assert!(
            report.contains("\n0 new, 0 changed, 0 gone\n"),
            "{variant}\n{report}"
        );
    }
}

/// A Sentinel describes its own commands, and of those of data servers only what it has of them.
#[test]
fn pulling_from_a_sentinel_that_is_known_finds_nothing_new() {
    for variant in [Variant::Redis70, Variant::Valkey91] {
        let sentinel = Server::builder(variant).sentinel("").start().unwrap();
        let report = program(&["pull", &sentinel.url(), "--dry-run"]);
        println!("{variant}\n{report}");
        assert!(
            report.contains("\n0 new, 0 changed, 0 gone\n"),
            "{variant}\n{report}"
        );
    }
}

/// Without what is here, a server's commands are all new, and can be generated at once.
#[test]
fn a_pull_into_an_empty_folder_can_be_generated() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pulled");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("commands")).unwrap();
    std::fs::write(folder.join("commands/string.json"), "{}").unwrap();
    let folder_name = folder.to_str().unwrap();
    let report = program(&[
        "pull",
        &shared(Variant::Valkey91).url(),
        "--spec",
        folder_name,
    ]);
    assert!(report.contains("COMMANDLOG GET"), "{report}");
    let shown = program(&["show", "COMMANDLOG", "GET", "--spec", folder_name]);
    assert!(shown.contains("pub struct CommandlogGet"), "{shown}");
    let generated =
        respec_codegen::generate(&folder, respec_codegen::render::Root::Client, |_| true).unwrap();
    assert!(generated.files["string.rs"].contains("pub struct Delifeq"));
}
