//! Where servers and the spec are known to differ: `deviations.json` and `clusters.json`.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use respec_spec::samples::glob;
use serde::Deserialize;

/// The deviations that are named.
#[derive(Debug)]
pub struct Deviations(Vec<Deviation>);

/// Something that is not as the spec says.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'s> {
    /// The server.
    pub server: &'s str,
    /// Its version.
    pub version: &'s str,
    /// The check that found it, and others under whose names it may be known.
    pub checks: &'s [&'s str],
    /// The command.
    pub command: &'s str,
    /// The label of the sample.
    pub label: &'s str,
    /// What is found.
    pub found: &'s str,
}

/// One deviation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    /// The name of a check, or a pattern of several.
    check: String,
    /// The commands.
    commands: Vec<String>,
    /// Labels of samples; all of them if there is none.
    #[serde(default)]
    samples: Vec<String>,
    /// Names of servers; all of them if there is none.
    #[serde(default)]
    servers: Vec<String>,
    /// What is found.
    #[serde(default)]
    found: Option<String>,
    /// Versions of the server; all of them if there is none.
    #[serde(default)]
    versions: Vec<String>,
    /// Whether it is not found in every run.
    #[serde(default)]
    chance: bool,
    /// Why that is so.
    reason: String,
    #[serde(skip)]
    used: AtomicUsize,
}

impl Deviations {
    /// What is known of single servers, Sentinels among them.
    #[must_use]
    pub fn of_servers() -> Self {
        let Self(data) = Self::read("deviations.json", include_str!("../deviations.json"));
        let Self(sentinels) = Self::read("sentinels.json", include_str!("../sentinels.json"));
        Self(data.into_iter().chain(sentinels).collect())
    }

    /// The same, with what is known of another server beside the three.
    #[must_use]
    pub fn with_other(self) -> Self {
        let Self(other) = Self::read("other.json", include_str!("../other.json"));
        Self(self.0.into_iter().chain(other).collect())
    }

    /// What is known of clusters.
    #[must_use]
    pub fn of_clusters() -> Self {
        Self::read("clusters.json", include_str!("../clusters.json"))
    }

    fn read(file: &str, text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}")))
    }

    /// Whether what was seen is named.
    #[must_use]
    pub fn name(&self, seen: &Seen<'_>) -> bool {
        let any = |patterns: &[String], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, text))
        };
        self.0.iter().any(|deviation| {
            let fits = seen.checks.iter().any(|it| glob(&deviation.check, it))
                && any(&deviation.commands, seen.command)
                && any(&deviation.samples, seen.label)
                && any(&deviation.servers, seen.server)
                && any(&deviation.versions, seen.version)
                && deviation
                    .found
                    .as_ref()
                    .is_none_or(|found| glob(found, seen.found));
            if fits {
                deviation.used.fetch_add(1, Ordering::Relaxed);
            }
            fits
        })
    }

    /// Names under which something deviates, with how often it does.
    pub fn used(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|deviation| {
            let times = deviation.used.load(Ordering::Relaxed);
            (times > 0).then(|| format!("{times} times {deviation}"))
        })
    }

    /// Names under which nothing deviates.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        self.0
            .iter()
            .filter(|deviation| !deviation.chance && deviation.used.load(Ordering::Relaxed) == 0)
            .map(Deviation::to_string)
            .collect()
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.check, self.commands.join(", "))?;
        if !self.samples.is_empty() {
            write!(f, " ({})", self.samples.join(", "))?;
        }
        if !self.servers.is_empty() {
            write!(f, " on {}", self.servers.join(", "))?;
        }
        if !self.versions.is_empty() {
            write!(f, " {}", self.versions.join(", "))?;
        }
        write!(f, ": {}", self.reason)
    }
}
