//! Commands that are not in the spec of this crate: one that is added to it, and those of a user's
//! own module. Each is built as a user would build it and sent to a real server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use respec_testkit::{Variant, shared};

use crate::write;

/// A command with a choice, an option and a counted list, in the published schema.
const ACME: &str = r#"{
  "ACME.PUSH": {
    "summary": "Pushes items.",
    "since": "1.0.0",
    "group": "acme",
    "arity": -4,
    "command_flags": ["write"],
    "arguments": [
      { "name": "key", "type": "key" },
      { "name": "mode", "type": "oneof", "optional": true, "arguments": [
        { "name": "first", "type": "pure-token", "token": "FIRST" },
        { "name": "last", "type": "pure-token", "token": "LAST" }
      ] },
      { "name": "ttl", "type": "integer", "token": "TTL", "optional": true },
      { "name": "numitems", "type": "integer", "token": "ITEMS" },
      { "name": "item", "type": "string", "multiple": true }
    ]
  }
}"#;

/// What the command is sent as; servers repeat the words of a command that they do not know.
const MAIN: &str = r#"
fn main() {
    let url = std::env::args().nth(1).unwrap();
    let client = respec::blocking::Client::connect(&url).unwrap();
    let error = client.acme_push("k", ["a", "b"]).last().ttl(5).send().unwrap_err();
    assert_eq!(error.command(), Some("ACME.PUSH"));
    println!("{}", error.server_message().unwrap());
}
"#;

/// The build script of a user, in one line.
const BUILD: &str = r#"
fn main() {
    respec_codegen::build("acme.json");
}
"#;

const SENT: &str = "unknown command 'ACME.PUSH', with args beginning with: \
                    'k' 'LAST' 'TTL' '5' 'ITEMS' '2' 'a' 'b' ";

#[test]
fn the_commands_of_a_users_module_are_methods_of_every_client() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = project("own-module", root);
    append(
        &project.join("Cargo.toml"),
        &format!(
            "\n[build-dependencies]\nrespec-codegen = {{ path = {:?} }}\n",
            root.join("codegen")
        ),
    );
    write(&project.join("acme.json"), ACME);
    write(&project.join("build.rs"), BUILD);
    // Whatever a user denies, generated code is not the user's to mend.
    let modules = r#"
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, dead_code)]
#![deny(missing_debug_implementations, single_use_lifetimes, elided_lifetimes_in_paths)]
//! A program.
mod commands {
    include!(concat!(env!("OUT_DIR"), "/acme/mod.rs"));
}
use commands::acme::AcmeCommands;
use respec::prelude::*;
"#;
    write(&project.join("src/main.rs"), &format!("{modules}{MAIN}"));
    assert_eq!(run(&project), format!("ERR {SENT}"));

    // A broken spec ends the build with its place, and with nothing that looks like a bug of ours.
    write(
        &project.join("acme.json"),
        &ACME.replace("\"type\": \"key\"", "\"type\": \"kye\""),
    );
    let output = cargo(&project);
    assert!(!output.status.success());
    let errors = String::from_utf8(output.stderr).unwrap();
    for part in ["acme.json: ACME.PUSH: argument key: ", "`kye`"] {
        assert!(errors.contains(part), "{part} is not in {errors}");
    }
    for part in ["panicked", "backtrace"] {
        assert!(!errors.contains(part), "{part} is in {errors}");
    }
}

#[test]
fn a_command_added_to_the_spec_is_a_typed_method_after_a_rebuild() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = scratch("added-command").join("respec");
    for part in ["src", "codegen/src", "commands-spec"] {
        copy_folder(&root.join(part), &copy.join(part));
    }
    for file in ["build.rs", "Cargo.toml", "codegen/Cargo.toml", "README.md"] {
        fs::copy(root.join(file), copy.join(file)).unwrap();
    }
    // The copy is used as a dependency, without the other members of the workspace.
    let manifest = fs::read_to_string(copy.join("Cargo.toml")).unwrap();
    let (manifest, _) = manifest.split_once("[dev-dependencies]").unwrap();
    let manifest: String = manifest
        .lines()
        .map(|line| match line.split_once("members = [") {
            Some((head, _)) => format!("{head}members = [\".\", \"codegen\"]\n"),
            None => format!("{line}\n"),
        })
        .collect();
    write(&copy.join("Cargo.toml"), &manifest);

    let file = copy.join("commands-spec/commands/string.json");
    let commands = fs::read_to_string(&file).unwrap();
    let added = ACME.replace("\"group\": \"acme\"", "\"group\": \"string\"");
    let added = added.trim_start_matches('{').trim_end_matches('}');
    let (first, rest) = commands.split_once('{').unwrap();
    write(&file, &format!("{first}{{{added},{rest}"));
    append(
        &copy.join("commands-spec/replies.tsv"),
        "ACME.PUSH\tcount\n",
    );

    let project = project("added-command", &copy);
    let main = format!(
        "use respec::prelude::*;\n{}",
        MAIN.replace("let error = client", "let error: respec::Error = client",)
    );
    write(&project.join("src/main.rs"), &main);
    assert_eq!(run(&project), format!("ERR {SENT}"));
}

/// A reply of a command that does not exist is a slip of the pen, or left over.
#[test]
fn a_reply_of_no_command_is_refused() {
    let folder = scratch("no-such-command");
    write(&folder.join("commands/acme.json"), ACME);
    let replies = |text: &str| {
        write(&folder.join("replies.tsv"), text);
        respec_codegen::generate(&folder, respec_codegen::render::Root::User, |_| true)
    };
    assert!(replies("ACME.PUSH\tcount\n").is_ok());
    let error = replies("ACME.PUSH\tcount\nACME.POP\tcount\n").unwrap_err();
    let text = error.to_string();
    for part in ["replies.tsv", "ACME.POP", "no such command"] {
        assert!(text.contains(part), "{text}");
    }
}

/// What the compiler says of a group or a client that is switched off, or of a command of such a group.
#[test]
fn a_feature_that_is_off_is_named() {
    let project = project("feature-off", Path::new(env!("CARGO_MANIFEST_DIR")));
    for (line, parts) in [
        (
            "use respec::prelude::JsonCommands;",
            &[
                "no `JsonCommands` in `prelude`",
                "is gated behind the `json` feature",
            ][..],
        ),
        (
            "use respec::{Client, prelude::*};",
            &[
                "no `Client` in the root",
                "is gated behind the `r#async` feature",
            ],
        ),
        (
            "fn call(_: respec::commands::json::JsonGet) {}",
            &["is gated behind the `json` feature"],
        ),
        (
            "fn call() { let _ = respec::cmd::json_get(\"k\"); }",
            &[
                "cannot find function `json_get` in module `respec::cmd`",
                "is gated behind the `json` feature",
            ],
        ),
        // Of a method nobody can say more.
        (
            "fn call(client: respec::blocking::Client) { client.json_get(\"k\"); }",
            &["no method named `json_get` found for struct `Client`"],
        ),
    ] {
        write(
            &project.join("src/main.rs"),
            &format!("{line}\nfn main() {{}}\n"),
        );
        let output = cargo(&project);
        assert!(!output.status.success(), "{line}");
        let errors = String::from_utf8(output.stderr).unwrap();
        for part in parts {
            assert!(errors.contains(part), "{part} is not in {errors}");
        }
    }
}

/// Builds and runs a program with the address of a server, and returns what it prints.
fn run(project: &Path) -> String {
    let output = cargo(project);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end_matches('\n')
        .to_owned()
}

fn cargo(project: &Path) -> Output {
    let url = shared(Variant::Redis70).url();
    crate::cargo(project, &["run", "--quiet", "--", &url])
}

/// A program with nothing but the blocking client.
fn project(name: &str, respec: &Path) -> PathBuf {
    let project = scratch(name).join("program");
    let features = r#"default-features = false, features = ["blocking", "string"]"#;
    crate::project(&project, respec, features, "");
    project
}

/// An empty folder of this test.
fn scratch(name: &str) -> PathBuf {
    let folder = crate::folder().join(name);
    if folder.join("program").exists() {
        fs::remove_dir_all(folder.join("program")).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn append(file: &Path, text: &str) {
    let known = fs::read_to_string(file).unwrap();
    write(file, &format!("{}\n{text}", known.trim_end()));
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
