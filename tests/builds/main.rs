//! Programs that are built as a user would build them: some with commands that no spec here has, and
//! some that must not compile.

#![cfg(all(feature = "async", feature = "blocking", feature = "core"))]

mod compile_fail;
mod own_commands;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Makes a package in a folder that depends on the client in another one, with these features.
fn project(folder: &Path, respec: &Path, features: &str, more: &str) {
    let manifest = format!(
        "[package]\nname = \"program\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         respec = {{ path = {respec:?}, {features} }}\nbytes = \"1\"\n{more}"
    );
    write(&folder.join("Cargo.toml"), &manifest);
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    fs::copy(lock, folder.join("Cargo.lock")).unwrap();
}

/// Runs cargo in a package.
fn cargo(project: &Path, args: &[&str]) -> Output {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(args)
        .arg("--offline")
        .current_dir(project)
        // With it, cargo itself speaks of backtraces where a build script fails.
        .env_remove("RUST_BACKTRACE")
        // Nothing is built twice, and nobody looks into it with a debugger.
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        // All programs share what they depend on.
        .env("CARGO_TARGET_DIR", folder().join("target"));
    cargo.output().unwrap()
}

/// Where the programs are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("builds")
}

fn write(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    if fs::read_to_string(file).ok().as_deref() != Some(text) {
        fs::write(file, text).unwrap();
    }
}
