//! Finding a server: the override, then `PATH`, then the copy that [`install`] made or makes.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::Result;
use crate::error::Error;
use crate::install;
use crate::variant::Variant;

/// A server program that was found, and what it needs to run.
#[derive(Clone, Debug)]
pub struct Installation {
    pub(crate) variant: Variant,
    pub(crate) binary: PathBuf,
    pub(crate) version: String,
    pub(crate) origin: Origin,
    pub(crate) modules: Vec<PathBuf>,
    pub(crate) library_path: Vec<PathBuf>,
}

/// Where a server program came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The variant's environment variable named it.
    Environment,
    /// It was on `PATH`.
    Path,
    /// This crate installed it below `target/`.
    Installed,
}

impl Installation {
    /// The variant this was found for.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// The server program.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The version that the program reports, such as `8.2.3`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where the program came from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The modules that are loaded into the server, in load order.
    pub fn modules(&self) -> &[PathBuf] {
        &self.modules
    }

    /// The value of `LD_LIBRARY_PATH` that the server needs, if any.
    pub(crate) fn ld_library_path(&self) -> Option<OsString> {
        if self.library_path.is_empty() {
            return None;
        }
        let inherited = env::var_os("LD_LIBRARY_PATH").filter(|value| !value.is_empty());
        let inherited = inherited.iter().flat_map(env::split_paths);
        // A directory with a colon in its name cannot be put on the path: run without it, and let
        // the loader's complaint end up in the error.
        env::join_paths(self.library_path.iter().cloned().chain(inherited)).ok()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Environment => "environment",
            Self::Path => "PATH",
            Self::Installed => "installed",
        })
    }
}

pub(crate) fn locate(variant: Variant) -> Result<Installation> {
    // Failures are not remembered: a download may succeed the next time.
    static FOUND: Mutex<Vec<Installation>> = Mutex::new(Vec::new());
    let found = || FOUND.lock().unwrap_or_else(PoisonError::into_inner);

    if let Some(known) = found().iter().find(|known| known.variant == variant) {
        return Ok(known.clone());
    }
    // The lock is not held here: one variant's download must not hold up the others. Threads that
    // want the same one queue up at the installer's file lock.
    let installation = search(variant)?;
    found().push(installation.clone());
    Ok(installation)
}

fn search(variant: Variant) -> Result<Installation> {
    let (binary, version, origin, mut library_path) = find_program(variant)?;
    let mut modules = Vec::new();
    if variant == Variant::Redis82 {
        let package = install::redis_modules()?;
        modules = package.modules()?;
        library_path.push(package.lib());
    }
    Ok(Installation {
        variant,
        binary,
        version,
        origin,
        modules,
        library_path,
    })
}

fn find_program(variant: Variant) -> Result<(PathBuf, String, Origin, Vec<PathBuf>)> {
    if let Some(value) = env::var_os(variant.env_var()).filter(|value| !value.is_empty()) {
        let binary = absolute(Path::new(&value));
        // Whoever sets the variable decides: any version of the product is taken.
        let version = probe(variant, &binary, &[]).map_err(|problem| {
            Error::unavailable(format!(
                "{} is set to `{}`, which cannot be used: {problem}\n  set it to the path of a \
                 {} program, or unset it to have one found or installed",
                variant.env_var(),
                binary.display(),
                variant.program(),
            ))
        })?;
        return Ok((binary, version, Origin::Environment, Vec::new()));
    }

    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).filter(|_| variant != Variant::Other);
    for directory in on_path {
        let binary = absolute(&directory.join(variant.program()));
        if let Ok(version) = probe(variant, &binary, &[])
            && version.starts_with(variant.version_prefix())
        {
            return Ok((binary, version, Origin::Path, Vec::new()));
        }
    }

    let package = install::server(variant)?;
    let binary = package.bin().join(variant.program());
    let library_path = vec![package.lib()];
    let version = probe(variant, &binary, &library_path).map_err(|problem| {
        Error::unavailable(format!(
            "`{}` was installed but cannot be used: {problem}\n  delete `{}` to have it installed \
             again, or set {} to the path of a {} program",
            binary.display(),
            package.root().display(),
            variant.env_var(),
            variant.program(),
        ))
    })?;
    if !version.starts_with(variant.version_prefix()) {
        return Err(Error::unavailable(format!(
            "expected {variant}, but this system's packages have version {version}\n  set {} to \
             the path of a {} program of the expected version; after a change of package sources, \
             delete `{}`",
            variant.env_var(),
            variant.program(),
            package.root().display(),
        )));
    }
    Ok((binary, version, Origin::Installed, library_path))
}

/// A server runs in a directory of its own, where a relative path leads elsewhere.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Asks a program for its version, or says why it is not this product's server.
pub(crate) fn probe(
    variant: Variant,
    binary: &Path,
    library_path: &[PathBuf],
) -> std::result::Result<String, String> {
    let metadata = fs::metadata(binary).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut command = Command::new(binary);
    command.arg("--version").stdin(Stdio::null());
    if !library_path.is_empty() {
        command.env(
            "LD_LIBRARY_PATH",
            env::join_paths(library_path).map_err(|e| e.to_string())?,
        );
    }
    let output = command.output().map_err(|error| error.to_string())?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "`--version` ended with {}: {}",
            output.status,
            stderr.trim()
        ));
    }
    parse_version(variant.product(), &stdout).ok_or_else(|| {
        format!(
            "`--version` should begin with `{} server v=` but printed `{}`",
            variant.product(),
            stdout.lines().next().unwrap_or_default(),
        )
    })
}

/// Reads `Redis server v=7.0.15 sha=… malloc=…`.
fn parse_version(product: &str, output: &str) -> Option<String> {
    let rest = output.strip_prefix(product)?.strip_prefix(" server v=")?;
    rest.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn version_is_read_from_the_products_own_line_only() {
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1\n";
        assert_eq!(parse_version("Redis", redis).as_deref(), Some("7.0.15"));
        assert_eq!(parse_version("Valkey", redis), None);
        assert_eq!(parse_version("Redis", "GNU bash, version 5.2"), None);
        assert_eq!(parse_version("Redis", ""), None);
    }
}
