//! Generates the commands of the groups whose features are on, from `commands-spec/` into
//! `OUT_DIR/commands/`.

use std::{env, path::Path, process::ExitCode};

use respec_codegen::{generate, render::Root};

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=commands-spec");
    println!("cargo::rerun-if-changed=build.rs");
    let Some(out) = env::var_os("OUT_DIR") else {
        println!("cargo::error=OUT_DIR is not set: this program is run by cargo");
        return ExitCode::FAILURE;
    };
    let written = generate(Path::new("commands-spec"), Root::Client, is_on)
        .and_then(|generated| generated.write(&Path::new(&out).join("commands")));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the feature of a group is on.
fn is_on(group: &str) -> bool {
    let feature = group.to_uppercase().replace('-', "_");
    env::var_os(format!("CARGO_FEATURE_{feature}")).is_some()
}
