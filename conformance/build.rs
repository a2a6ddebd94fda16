//! Writes a sample call of every way to use every generated command into `OUT_DIR/samples.rs`.
//!
//! `CONFORMANCE_LONG` asks for many more calls that are drawn by lot, and `CONFORMANCE_SEED` for
//! others.

use std::{env, fs, path::Path, process::ExitCode};

use respec_codegen::{error::Error, load::Spec, model::Model, names::Names};
use respec_spec::samples::{self, Lot, Values};

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=../commands-spec");
    println!("cargo::rerun-if-changed=values.json");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CONFORMANCE_LONG");
    println!("cargo::rerun-if-env-changed=CONFORMANCE_SEED");
    let Some(out) = env::var_os("OUT_DIR") else {
        println!("cargo::error=OUT_DIR is not set: this program is run by cargo");
        return ExitCode::FAILURE;
    };
    let file = Path::new(&out).join("samples.rs");
    let written = samples().and_then(|text| {
        fs::write(&file, text).map_err(|error| Error::new(&file, error.to_string()))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn samples() -> Result<String, Error> {
    let dir = Path::new("../commands-spec");
    let spec = Spec::load(dir)?;
    let model = Model::build(&spec, &Names::load(dir)?)?;
    let values = Values::load(Path::new("values.json"))?;
    let seed = match env::var("CONFORMANCE_SEED") {
        Err(_) => SEED,
        Ok(seed) => seed.parse().map_err(|_| {
            Error::new(
                Path::new("CONFORMANCE_SEED"),
                format!("expected a whole number, got {seed}"),
            )
        })?,
    };
    let long = env::var_os("CONFORMANCE_LONG").is_some_and(|long| long != "0");
    let lot = Lot {
        seed,
        calls: if long { LONG } else { SHORT },
    };
    let text = samples::render(&model, &values, &lot);
    Ok(format!(
        "{text}\n/// Decides about what is drawn by lot.\npub const SEED: u64 = {seed};\n\n\
         /// Whether this is the long run.\npub const LONG: bool = {long};\n"
    ))
}

/// Any number will do.
const SEED: u64 = 1;

/// The most calls of one command that are drawn by lot.
const SHORT: usize = 2;
const LONG: usize = 200;
