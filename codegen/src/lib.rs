//! Writes the Rust of a typed client from a command spec.
//!
//! A module of one's own becomes an extension trait that works on every respec client with a build
//! script of one line, which reads the published schema of `commands.json`:
//!
//! ```no_run
//! respec_codegen::build("acme.json");
//! ```
//!
//! and a module that takes in what was written:
//!
//! ```text
//! mod commands {
//!     include!(concat!(env!("OUT_DIR"), "/acme/mod.rs"));
//! }
//! use commands::acme::AcmeCommands;
//! ```

pub mod corrections;
pub mod error;
pub mod errors;
pub mod json;
pub mod layout;
pub mod load;
pub mod model;
pub mod names;
pub mod render;
pub mod replies;
pub mod source;
pub mod spec;
pub mod store;
pub mod structs;
pub mod syntax;

use std::{collections::BTreeMap, env, ffi::OsStr, fs, path::Path, process};

use error::Error;
use load::Spec;

/// Writes the code of a user's module into a folder of `OUT_DIR` that is called like the spec, such as
/// `OUT_DIR/acme` for `acme.json`. This is a whole build script: where the spec is broken, the process
/// ends, and cargo shows the file, the command and the reason.
///
/// The spec is a file in the schema of `commands.json`, or a folder such as the `commands-spec` of the
/// client, which also has replies.
pub fn build(spec: impl AsRef<Path>) {
    let spec = spec.as_ref();
    println!("cargo::rerun-if-changed={}", spec.display());
    let name = spec.file_stem().unwrap_or(OsStr::new("commands"));
    let written = match env::var_os("OUT_DIR") {
        Some(out) => generate(spec, render::Root::User, |_| true)
            .and_then(|generated| generated.write(&Path::new(&out).join(name))),
        None => Err(Error::new(
            spec,
            "OUT_DIR is not set: a build script is run by cargo",
        )),
    };
    if let Err(error) = written {
        println!("cargo::error={error}");
        process::exit(1);
    }
}

/// Reads the spec in a folder, or of a file, and returns the generated files by name; of the groups of
/// commands those that are `wanted`, such as `sorted-set`.
///
/// # Errors
///
/// Where the spec is broken: the error names the file, the command and the reason.
pub fn generate(
    spec: &Path,
    root: render::Root,
    wanted: impl Fn(&str) -> bool,
) -> Result<Generated, Error> {
    let names = names::Names::load(spec)?;
    let spec = Spec::load(spec)?;
    let mut model = model::Model::build(&spec, &names)?;
    model.groups.retain(|name, _| wanted(name));
    Ok(Generated {
        files: render::render(&model, &spec, root)?,
    })
}

/// What [`generate`] made.
#[derive(Debug)]
pub struct Generated {
    /// Rust text by file name, such as `string.rs`.
    pub files: BTreeMap<String, String>,
}

impl Generated {
    /// Writes the files into a folder, leaving alone those that would not change.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be written; the error names the file.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        let failed = |file: &Path| {
            let file = file.to_owned();
            move |error: std::io::Error| Error::new(&file, error.to_string())
        };
        fs::create_dir_all(dir).map_err(failed(dir))?;
        for (name, text) in &self.files {
            let file = dir.join(name);
            if fs::read_to_string(&file).ok().as_deref() != Some(text) {
                fs::write(&file, text).map_err(failed(&file))?;
            }
        }
        Ok(())
    }
}
