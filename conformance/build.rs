//! Writes a sample call of every way to use every generated command into `OUT_DIR/samples.rs`.

use std::{env, fs, path::Path, process::ExitCode};

use respec_codegen::{
    error::Error,
    load::Spec,
    model::Model,
    names::Names,
    samples::{self, Values},
};

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=../commands-spec");
    println!("cargo::rerun-if-changed=values.json");
    println!("cargo::rerun-if-changed=build.rs");
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
    Ok(samples::render(&model, &values))
}
