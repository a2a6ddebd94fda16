//! Redis 7.0 from Debian's archive, or that of a distribution made from it.
//!
//! The packages are downloaded and unpacked rather than installed. That needs no root, starts no
//! service, changes nothing outside `target/`, and still takes apt's mirrors, proxies and signature
//! checks. apt gets package lists of its own, because the system's may be absent (container images
//! come without) or too old to download from, and only root may refresh those.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{at, describe_failure, list, move_executable, run};
use crate::Result;
use crate::error::Error;

pub(super) fn install_redis(staging: &Path) -> Result<()> {
    let apt = staging.join("apt");
    for part in ["lists/partial", "cache/archives/partial"] {
        let part = apt.join(part);
        fs::create_dir_all(&part).map_err(at(&part))?;
    }

    // A source that does not answer makes this fail even when Debian's own do: whether the lists
    // are good enough shows in the next step.
    let mut update = apt_get(&apt);
    update.arg("update");
    let updated = run(&mut update, APT_REMEDY)?;

    // The server program is in redis-tools; the package redis-server has a link and the service.
    // apt adds the libraries that the system does not have, and only those: mixing in a second C
    // library would break the program. `--reinstall` covers a package that is there without its
    // program being on PATH.
    let mut download = apt_get(&apt);
    download.args([
        "--yes",
        "--no-install-recommends",
        "--reinstall",
        "--download-only",
    ]);
    download.args(["install", "redis-tools"]);
    let output = run(&mut download, APT_REMEDY)?;
    if !output.status.success() {
        let mut message = describe_failure(&download, &output);
        if !updated.status.success() {
            message.push_str("\n  before that, ");
            message.push_str(&describe_failure(&update, &updated));
        }
        message.push_str("\n  to get it: apt-get update && apt-get install -y redis-server");
        return Err(Error::unavailable(message));
    }

    let unpacked = staging.join("unpacked");
    for archive in list(&apt.join("cache/archives"))? {
        if archive
            .extension()
            .is_some_and(|extension| extension == "deb")
        {
            let mut dpkg = Command::new("dpkg-deb");
            dpkg.arg("--extract").arg(&archive).arg(&unpacked);
            let output = run(&mut dpkg, "apt-get install -y dpkg")?;
            if !output.status.success() {
                return Err(Error::failed(describe_failure(&dpkg, &output)));
            }
        }
    }

    // One program that goes by its name: called redis-check-rdb it checks a dump, called
    // redis-server it serves.
    let program = unpacked.join("usr/bin/redis-check-rdb");
    move_executable(&program, &staging.join("bin/redis-server"))?;
    for directory in ["lib", "usr/lib"] {
        collect_libraries(&unpacked.join(directory), &staging.join("lib"))?;
    }
    fs::remove_dir_all(&unpacked).map_err(at(&unpacked))?;
    fs::remove_dir_all(&apt).map_err(at(&apt))
}

fn apt_get(apt: &Path) -> Command {
    let mut command = Command::new("apt-get");
    command.env("LC_ALL", "C");
    for (option, value) in [("Dir::State::Lists", "lists"), ("Dir::Cache", "cache")] {
        command
            .arg("-o")
            .arg(format!("{option}={}", apt.join(value).display()));
    }
    // Its lock guards the system's package database, which stays untouched. The sandbox user may
    // not be able to enter the target directory.
    command.args(["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User="]);
    command
}

/// Moves what is in the per-architecture directories such as `usr/lib/x86_64-linux-gnu`. Links there
/// are relative, so they keep working in a new place.
fn collect_libraries(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    for directory in list(from)? {
        if !directory.to_string_lossy().ends_with("-linux-gnu") {
            continue;
        }
        for library in list(&directory)? {
            if let Some(name) = library.file_name().filter(|_| !library.is_dir()) {
                let place = to.join(name);
                fs::rename(&library, &place).map_err(at(&place))?;
            }
        }
    }
    Ok(())
}

const APT_REMEDY: &str =
    "apt-get belongs to Debian and its relatives; elsewhere install Redis 7.0 by other means";
