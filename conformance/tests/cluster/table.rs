//! What was found, as a table.

use std::collections::BTreeSet;

use respec::command::Info;
use respec_conformance::Deviations;

use crate::{counts::REDIRECTS, fan_out, look};

/// What one check has found on one cluster.
#[derive(Debug, Default)]
pub(crate) struct Line {
    server: &'static str,
    pub(crate) check: String,
    pub(crate) commands: BTreeSet<&'static str>,
    pub(crate) samples: usize,
    /// Samples that were answered by something else than an error.
    pub(crate) answered: usize,
    /// Samples that a server has refused, on the node that they were meant for.
    pub(crate) refused: usize,
    /// Samples that the client has refused, as it should.
    pub(crate) refused_locally: usize,
    /// Commands that arrived on the node that they were meant for; parts count by themselves.
    pub(crate) landed: u64,
    /// How often servers answered with each of [`REDIRECTS`].
    pub(crate) redirects: [u64; REDIRECTS.len()],
    /// Samples that are known to be otherwise, or of which not all is compared.
    pub(crate) named: usize,
    pub(crate) failures: Vec<String>,
}

impl Line {
    pub(crate) fn new(server: &'static str, check: &str) -> Self {
        Self {
            server,
            check: check.to_owned(),
            ..Self::default()
        }
    }

    /// Sees to it that nothing was redirected.
    pub(crate) fn judge_redirects(&mut self) {
        for (code, count) in REDIRECTS.into_iter().zip(self.redirects) {
            if count > 0 {
                self.failures.push(format!("{count} times {code}"));
            }
        }
    }
}

/// Prints the failures, the table, and what is known to be otherwise.
pub(crate) fn print(lines: &[Line], known: &Deviations) {
    for line in lines {
        for failure in &line.failures {
            println!("{} {}: {failure}", line.server, line.check);
        }
    }
    let head = [
        "commands",
        "samples",
        "answered",
        "refused",
        "locally",
        "landed",
        "MOVED",
        "ASK",
        "CROSSSLOT",
        "named",
        "failures",
    ];
    print!("{:<9} {:<16}", "server", "check");
    head.iter().for_each(|name| print!(" {name:>9}"));
    println!();
    for line in lines {
        let [moved, ask, crossslot] = line.redirects;
        print!("{:<9} {:<16}", line.server, line.check);
        for number in [
            line.commands.len() as u64,
            line.samples as u64,
            line.answered as u64,
            line.refused as u64,
            line.refused_locally as u64,
            line.landed,
            moved,
            ask,
            crossslot,
            line.named as u64,
            line.failures.len() as u64,
        ] {
            print!(" {number:>9}");
        }
        println!();
    }
    println!("what is otherwise and is named:");
    for line in known.used() {
        println!("    {line}");
    }
    println!("answers of several nodes that are not compared as they are:");
    for rule in look::RULES {
        println!("    {rule}");
    }
}

/// The commands that go to several nodes and were asked of none, since no server has them.
pub(crate) fn never_asked(lines: &[Line]) -> Vec<&'static str> {
    let mut names: Vec<_> = Info::all()
        .iter()
        .filter(|info| fan_out::goes_to_several(info))
        .map(|info| info.name)
        .collect();
    let fan_out = lines
        .iter()
        .filter(|line| line.check.starts_with("fan-out"));
    for line in fan_out {
        names.retain(|name| !line.commands.contains(name));
    }
    names
}
