//! Where servers and the spec are known to differ: `deviations.json`.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use respec_codegen::samples::glob;
use serde::Deserialize;

use crate::report::Finding;

/// The deviations that are named.
#[derive(Debug)]
pub(crate) struct Deviations(Vec<Deviation>);

/// One deviation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deviation {
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
    /// Whether it is not found in every run.
    #[serde(default)]
    chance: bool,
    /// Why that is so.
    reason: String,
    #[serde(skip)]
    used: AtomicUsize,
}

impl Deviations {
    /// Reads the file.
    pub(crate) fn load() -> Self {
        let text = include_str!("../../deviations.json");
        Self(serde_json::from_str(text).unwrap_or_else(|error| panic!("deviations.json: {error}")))
    }

    /// Whether a finding is named.
    pub(crate) fn name(&self, server: &str, finding: &Finding) -> bool {
        let any = |patterns: &[String], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, text))
        };
        self.0.iter().any(|deviation| {
            let fits = glob(&deviation.check, finding.check.name())
                && any(&deviation.commands, finding.command)
                && any(&deviation.samples, &finding.label)
                && any(&deviation.servers, server)
                && deviation
                    .found
                    .as_ref()
                    .is_none_or(|found| glob(found, &finding.found));
            if fits {
                deviation.used.fetch_add(1, Ordering::Relaxed);
            }
            fits
        })
    }

    /// Names under which something deviates, with how often it does.
    pub(crate) fn used(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|deviation| {
            let times = deviation.used.load(Ordering::Relaxed);
            (times > 0).then(|| format!("{times} times {deviation}"))
        })
    }

    /// Names under which nothing deviates.
    pub(crate) fn unused(&self) -> Vec<String> {
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
        write!(f, ": {}", self.reason)
    }
}
