//! Writes the Rust of a typed client from a command spec.

pub mod corrections;
pub mod coverage;
pub mod diff;
pub mod error;
pub mod layout;
pub mod load;
pub mod merge;
pub mod model;
pub mod names;
pub mod pull;
pub mod render;
pub mod replies;
pub mod samples;
pub mod source;
pub mod spec;
pub mod store;
pub mod structs;
pub mod syntax;

use std::{collections::BTreeMap, fs, path::Path};

use error::Error;
use load::Spec;

/// Reads the spec in a folder and returns the generated files by name.
///
/// # Errors
///
/// Where the spec is broken: the error names the file, the command and the reason.
pub fn generate(dir: &Path, root: render::Root) -> Result<Generated, Error> {
    let spec = Spec::load(dir)?;
    let names = names::Names::load(dir)?;
    let model = model::Model::build(&spec, &names)?;
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
