//! What came of all runs, as a table.

use std::{fmt, time::Duration};

use respec_testkit::Variant;

use crate::{books::Verdict, meter::Measured};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Kill,
    Failover,
    Storm,
    Hole,
    LongHole,
    Moves,
    Silence,
    Cut,
}

/// What came of all runs of one client with one fault on one kind of server.
pub(crate) struct Row {
    pub(crate) server: Variant,
    pub(crate) client: &'static str,
    pub(crate) fault: Fault,
    pub(crate) runs: usize,
    pub(crate) verdict: Verdict,
    /// How often servers have replaced a primary by themselves.
    pub(crate) takeovers: usize,
    /// How often they have elected nobody in place of one that was gone, and had to be helped.
    pub(crate) unelected: usize,
    pub(crate) recoveries: Vec<Recovery>,
    /// Where it was measured, how it went for the shards that nothing was wrong with.
    pub(crate) others: Vec<Others>,
    /// Error replies of the nodes that all clients together had to follow, by code.
    pub(crate) redirected: Vec<(&'static str, u64)>,
    /// How often all clients together asked who has which slot, and in what time.
    pub(crate) asked: Vec<(u64, Duration)>,
    pub(crate) took: Duration,
}

/// How long an outage was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    /// Until the prober's write was accepted, or between two that were.
    pub(crate) servers: Duration,
    /// How much longer until the first caller's was.
    pub(crate) first: Duration,
    /// How much longer until every caller's was.
    pub(crate) all: Duration,
}

/// How calls to the other shards went: of the client under load, and of one that has nothing to do
/// with the shard in trouble.
#[derive(Clone, Debug)]
pub(crate) struct Others {
    pub(crate) calm: [Measured; 2],
    pub(crate) silent: [Measured; 2],
}

impl Recovery {
    /// Of servers, and of callers that needed so much longer.
    pub(crate) fn new(servers: Duration, beyond: impl Iterator<Item = Duration> + Clone) -> Self {
        Self {
            servers,
            first: beyond.clone().min().unwrap_or_default(),
            all: beyond.max().unwrap_or_default(),
        }
    }

    /// Of servers, and of callers that had to wait so long.
    pub(crate) fn of_waits(servers: Duration, waits: &[Duration]) -> Self {
        let beyond = waits.iter().map(|wait| wait.saturating_sub(servers));
        Self::new(servers, beyond)
    }
}

impl Others {
    /// What part of the rate is left that it had in calm.
    ///
    /// Whatever the machine takes meanwhile, it takes from both.
    pub(crate) fn rate_kept(&self) -> f64 {
        let both = self.silent.iter().zip(&self.calm);
        let kept: Vec<_> = both.map(|(silent, calm)| silent.rate / calm.rate).collect();
        kept[0] / kept[1].min(1.0)
    }
}

impl Row {
    /// Where it was, with which client, and what was wrong.
    pub(crate) fn title(&self) -> String {
        format!("{}, {}, {}", self.server.name(), self.client, self.fault)
    }

    /// The middle and the longest of some times.
    fn times(&self, time: impl Fn(&Recovery) -> Duration) -> String {
        let mut times: Vec<_> = self.recoveries.iter().map(time).collect();
        times.sort_unstable();
        match times.last() {
            Some(longest) => {
                let middle = times[times.len() / 2];
                format!("{} / {}", middle.as_millis(), longest.as_millis())
            }
            None => "-".into(),
        }
    }

    fn cells(&self) -> [String; HEAD.len()] {
        let verdict = &self.verdict;
        let (errors, unsure) = verdict.errors();
        [
            self.server.name().to_owned(),
            self.client.to_owned(),
            self.fault.to_string(),
            self.runs.to_string(),
            verdict.operations.to_string(),
            errors.to_string(),
            unsure.to_string(),
            verdict.mismatched().to_string(),
            verdict.stale.to_string(),
            verdict.hung().to_string(),
            verdict.lost().to_string(),
            verdict.doubled().to_string(),
            verdict.denied().to_string(),
            verdict.disordered().to_string(),
            verdict.log.lost_by_servers.to_string(),
            self.takeovers.to_string(),
            self.unelected.to_string(),
            self.times(|it| it.servers),
            self.times(|it| it.first),
            self.times(|it| it.all),
            verdict.tally.slowest.as_millis().to_string(),
            self.took.as_secs().to_string(),
        ]
    }

    /// What the table has no place for.
    fn details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = self.title();
        for ((name, executed), count) in &self.verdict.tally.errors {
            let certainty = if *executed { "may have run" } else { "not run" };
            writeln!(f, "{title}: {count} × {name}, {certainty}")?;
        }
        for (name, count) in &self.redirected {
            writeln!(f, "{title}: {count} × {name} followed by all clients")?;
        }
        for (count, took) in &self.asked {
            writeln!(
                f,
                "{title}: {count} × asked who has which slot in {took:.1?}"
            )?;
        }
        for others in &self.others {
            let [client, control] = &others.silent;
            writeln!(
                f,
                "{title}: other shards kept {:.0} % of their rate; p99 {:.1?}, and {:.1?} of the control",
                others.rate_kept() * 100.0,
                client.p99,
                control.p99
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "F13 kill -9",
            Self::Failover => "F14 failover",
            Self::Storm => "F16 all owners change",
            Self::Hole => "F17 slot without owner",
            Self::LongHole => "F17 the same, for longer than calls wait",
            Self::Moves => "F15 slot moves",
            Self::Silence => "F18 silent node",
            Self::Cut => "F1 cut connections",
        })
    }
}

/// Rows that print as a table, times in milliseconds as median / longest.
pub(crate) struct Table<'r>(pub(crate) &'r [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", HEAD.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(HEAD.len()))?;
        for row in self.0 {
            writeln!(f, "| {} |", row.cells().join(" | "))?;
        }
        writeln!(f)?;
        self.0.iter().try_for_each(|row| row.details(f))
    }
}

const HEAD: [&str; 22] = [
    "server",
    "client",
    "fault",
    "runs",
    "operations",
    "errors",
    "may have run",
    "mismatched",
    "stale",
    "hung",
    "lost",
    "doubled",
    "denied",
    "disordered",
    "lost by servers",
    "takeovers unasked",
    "nobody elected",
    "servers ms",
    "client beyond: first ms",
    "every caller ms",
    "slowest ok ms",
    "took s",
];
