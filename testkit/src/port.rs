//! Ports that stay ours while a server is down.
//!
//! A server that is killed and started again must come back on its port. Two things could take it
//! meanwhile: another test's server, and an outgoing connection that the kernel gives this very
//! port. The second is less far-fetched than it sounds: whoever dials a dead loopback port again
//! and again is one day given the same number as its own end, and is then connected to itself.
//!
//! So ports come from outside the range of the kernel's own choices, and a locked file says that
//! one is in use, also to other processes. The lock ends with the process that holds it.

use std::fs::{self, DirBuilder, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::getuid;

use crate::Result;
use crate::error::Error;

/// A port of 127.0.0.1 that no other server of this kit gets while this value lives.
pub(crate) struct Port {
    number: u16,
    path: PathBuf,
    _lock: File,
}

impl Port {
    /// Reserves a port that nothing listens on.
    pub(crate) fn reserve() -> Result<Self> {
        let directory = directory()?;
        let candidates = candidates();
        // Beginning anywhere keeps processes that start at once out of each other's way.
        let start = RandomState::new().build_hasher().finish() as usize % candidates.len();
        let (before, after) = candidates.split_at(start);
        for &number in after.iter().chain(before) {
            if let Some(port) = Self::try_reserve(&directory, number)? {
                return Ok(port);
            }
        }
        let count = candidates.len();
        Err(Error::failed(format!(
            "none of {count} ports of 127.0.0.1 is free"
        )))
    }

    fn try_reserve(directory: &Path, number: u16) -> Result<Option<Self>> {
        let path = directory.join(number.to_string());
        let failed = |error| Error::io(path.display().to_string(), error);
        let lock = File::create(&path).map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(errno) if errno == rustix::io::Errno::WOULDBLOCK => return Ok(None),
            Err(errno) => return Err(failed(errno.into())),
        }
        let port = Self {
            number,
            path,
            _lock: lock,
        };
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
        Ok(free.then_some(port))
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // Who opens the file just before this and locks it just after shares the port with whoever
        // creates it anew; the second of the two to bind it then looks for another.
        let _ = fs::remove_file(&self.path);
    }
}

/// Where the locks are. The temporary directory is every user's, so each has its own in there.
fn directory() -> Result<PathBuf> {
    let name = format!("respec-ports-{}", getuid().as_raw());
    let directory = std::env::temp_dir().join(name);
    match DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::io(directory.display().to_string(), error))
        }
        _ => Ok(directory),
    }
}

fn candidates() -> Vec<u16> {
    let ephemeral = ephemeral_range();
    let candidates: Vec<u16> = USABLE.filter(|port| !ephemeral.contains(port)).collect();
    if candidates.len() >= ENOUGH {
        candidates
    } else {
        // A kernel that may use nearly every port for itself.
        USABLE.collect()
    }
}

/// The ports that the kernel chooses from for outgoing connections.
fn ephemeral_range() -> RangeInclusive<u16> {
    let read = || {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
        let mut bounds = text.split_ascii_whitespace().map(str::parse);
        Some(bounds.next()?.ok()?..=bounds.next()?.ok()?)
    };
    // What Linux has by default, for the systems without that file.
    read().unwrap_or(32768..=60999)
}

/// Below are services that people run. Above, a server could not be made a node of a cluster by its
/// settings alone, because those have another port ten thousand further on.
const USABLE: RangeInclusive<u16> = 12_000..=55_535;
const ENOUGH: usize = 1_000;
