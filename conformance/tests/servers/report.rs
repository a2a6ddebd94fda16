//! What was found, as a table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use bytes::Bytes;
use respec_conformance::{Deviations, Sample, Seen, text};

/// One question that is asked of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Check {
    /// Whether the server understands the call.
    Accepted,
    /// Whether our keys are the server's.
    Keys,
    /// Whether the keys that the key specs find are the server's.
    KeySpecs,
    /// Whether the words are a sentence of the command's grammar.
    Grammar,
    /// Whether some sample has each word that is published for the command.
    Words,
    /// Whether some sample needs each statement of the grammar.
    Needed,
    /// Whether as much may be repeated as the published syntax line says.
    Repeats,
    /// Whether our flags are the server's.
    Flags,
    /// Whether the reply has the declared type.
    Replies,
    /// Whether all that is in the frame is in the value.
    Whole,
    /// Whether what a newer server might send behind the last element of an array is not dropped.
    Kept,
    /// Whether RESP2 and RESP3 lead to the same value.
    Equal,
    /// Whether the structs of the reply have a field for all that is in it.
    Fields,
    /// Whether as many frames answer as the spec says.
    Count,
    /// Whether a hostile text arrives as it is.
    Hostile,
    /// Whether a write to a key tells that what was answered about it is no longer true.
    Cached,
}

impl Check {
    /// Its name in the table and in `deviations.json`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Keys => "keys",
            Self::KeySpecs => "key specs",
            Self::Grammar => "grammar",
            Self::Words => "words",
            Self::Needed => "needed",
            Self::Repeats => "repeats",
            Self::Flags => "flags",
            Self::Replies => "replies",
            Self::Whole => "whole",
            Self::Kept => "kept",
            Self::Equal => "equal",
            Self::Fields => "fields",
            Self::Count => "count",
            Self::Hostile => "hostile",
            Self::Cached => "cached",
        }
    }
}

/// Something that is not as the spec says.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) check: Check,
    pub(crate) command: &'static str,
    pub(crate) label: String,
    /// The request, where there is one.
    pub(crate) request: String,
    pub(crate) found: String,
}

/// What is asked of which words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The version of the protocol, 0 for both.
    pub(crate) protocol: u8,
    pub(crate) check: Check,
    pub(crate) command: &'static str,
    pub(crate) label: &'a str,
    pub(crate) words: &'a [Bytes],
}

/// What one line of the table counts.
#[derive(Debug, Default)]
struct Line {
    commands: BTreeSet<&'static str>,
    samples: usize,
    agree: usize,
    newer: usize,
    named: usize,
    failures: usize,
}

/// What was found on one server.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The server.
    pub(crate) server: String,
    /// Its version.
    pub(crate) version: String,
    /// By the version of the protocol, 0 for both.
    lines: BTreeMap<(u8, Check), Line>,
    /// Commands that the server has.
    pub(crate) present: BTreeSet<&'static str>,
    /// Commands that were not sent, and why.
    pub(crate) left_out: BTreeMap<&'static str, String>,
    /// Commands that succeeded at least once.
    pub(crate) succeeded: BTreeSet<&'static str>,
    /// What is wrong and not named.
    pub(crate) failures: Vec<(u8, Finding)>,
    /// Errors that say that a call was understood: text, and one call that has it.
    pub(crate) errors: BTreeMap<String, String>,
}

/// How a sample fared.
pub(crate) enum Outcome {
    /// As the spec says.
    Agrees,
    /// The server is too old for it.
    Newer,
    /// Otherwise, but a deviation is named.
    Named,
    /// Otherwise.
    Fails(Finding),
}

impl Report {
    /// A report on a server, with nothing in it yet.
    pub(crate) fn new(server: &str, version: &str) -> Self {
        Self {
            server: server.to_owned(),
            version: version.to_owned(),
            ..Self::default()
        }
    }

    /// Judges what was found, if anything, when a check was made on a sample.
    pub(crate) fn judge_sample(
        &mut self,
        deviations: &Deviations,
        protocol: u8,
        check: Check,
        sample: &Sample,
        found: Option<String>,
    ) {
        let asked = Asked {
            protocol,
            check,
            command: sample.info.name,
            label: &sample.label,
            words: &sample.words,
        };
        self.judge(deviations, asked, found);
    }

    /// Judges what was found, if anything.
    pub(crate) fn judge(
        &mut self,
        deviations: &Deviations,
        asked: Asked<'_>,
        found: Option<String>,
    ) {
        let Some(found) = found else {
            return self.count(asked.protocol, asked.check, asked.command, Outcome::Agrees);
        };
        let finding = Finding {
            check: asked.check,
            command: asked.command,
            label: asked.label.to_owned(),
            request: text(asked.words),
            found,
        };
        let outcome = match self.is_named(deviations, &finding) {
            true => Outcome::Named,
            false => Outcome::Fails(finding),
        };
        self.count(asked.protocol, asked.check, asked.command, outcome);
    }

    fn is_named(&self, deviations: &Deviations, finding: &Finding) -> bool {
        // A call that is not accepted is none the better for a hostile text in it.
        let (checks, label) = match finding.label.split_once(": ") {
            Some((label, _)) if finding.check == Check::Hostile => {
                (&[Check::Hostile, Check::Accepted][..], label)
            }
            _ => (&[finding.check][..], &*finding.label),
        };
        let checks: Vec<_> = checks.iter().map(|check| check.name()).collect();
        deviations.name(&Seen {
            server: &self.server,
            version: &self.version,
            checks: &checks,
            command: finding.command,
            label,
            found: &finding.found,
        })
    }

    /// Counts the outcome of one check of one sample.
    pub(crate) fn count(
        &mut self,
        protocol: u8,
        check: Check,
        command: &'static str,
        outcome: Outcome,
    ) {
        let line = self.lines.entry((protocol, check)).or_default();
        line.commands.insert(command);
        line.samples += 1;
        match outcome {
            Outcome::Agrees => line.agree += 1,
            Outcome::Newer => line.newer += 1,
            Outcome::Named => line.named += 1,
            Outcome::Fails(finding) => {
                line.failures += 1;
                self.failures.push((protocol, finding));
            }
        }
    }

    /// The lines of the table.
    pub(crate) fn table(&self) -> String {
        let mut out = String::new();
        for ((protocol, check), line) in &self.lines {
            let protocol = match protocol {
                0 => "-".to_owned(),
                version => format!("RESP{version}"),
            };
            let _ = writeln!(
                out,
                "{:<14} {protocol:<6} {:<9} {:>8} {:>5} {:>8} {:>8} {:>8} {:>8} {:>8}",
                self.server,
                check.name(),
                line.commands.len(),
                self.present.len(),
                line.samples,
                line.agree,
                line.newer,
                line.named,
                line.failures
            );
        }
        out
    }

    /// The names of the table's columns.
    pub(crate) fn header() -> String {
        format!(
            "{:<14} {:<6} {:<9} {:>8} {:>5} {:>8} {:>8} {:>8} {:>8} {:>8}\n",
            "server",
            "",
            "check",
            "commands",
            "of",
            "samples",
            "agree",
            "newer",
            "named",
            "failures"
        )
    }
}
