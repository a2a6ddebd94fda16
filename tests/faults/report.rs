//! What came of the rows, as a table.

use std::{
    fmt::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use respec_testkit::Variant;

use crate::run::Verdict;

/// What came of one row on one server with one client.
pub(crate) struct Row {
    pub(crate) row: &'static str,
    pub(crate) server: Variant,
    pub(crate) client: String,
    pub(crate) faults: u64,
    pub(crate) idle_faults: u64,
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
}

impl Row {
    /// Prints the row, and fails where a promise was broken.
    pub(crate) fn report(&self) {
        static PRINTED: Mutex<bool> = Mutex::new(false);
        let mut printed = PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        if !std::mem::replace(&mut *printed, true) {
            let _ = writeln!(
                text,
                "| {} |\n|{}",
                HEAD.join(" | "),
                "---|".repeat(HEAD.len())
            );
        }
        let _ = writeln!(text, "| {} |", self.cells().join(" | "));
        print!("{text}");
        drop(printed);

        let details = self.details();
        let tally = &self.verdict.tally;
        let told = tally.ok + tally.server + tally.not_sent + tally.indeterminate + tally.cancelled;
        assert_eq!(tally.issued, told, "{details}");
        let bad = [
            self.verdict.mismatched(),
            self.verdict.hung(),
            self.verdict.doubled(),
            self.verdict.denied(),
        ];
        assert_eq!(bad, [0; 4], "mismatched, hung, doubled, denied: {details}");
        assert!(self.verdict.appends.is_clean(), "{details}");
        assert!(self.verdict.deliveries.is_clean(), "{details}");
    }

    /// What part of the operations has succeeded, of those whose error was not asked for.
    pub(crate) fn succeeded(&self) -> f64 {
        let tally = &self.verdict.tally;
        let well = tally.ok + tally.server;
        well as f64 / (tally.issued - tally.cancelled).max(1) as f64
    }

    fn cells(&self) -> [String; HEAD.len()] {
        let (verdict, tally) = (&self.verdict, &self.verdict.tally);
        [
            self.row.to_owned(),
            self.server.name().to_owned(),
            self.client.clone(),
            format!("{} + {}", self.faults, self.idle_faults),
            tally.issued.to_string(),
            tally.ok.to_string(),
            tally.server.to_string(),
            tally.not_sent.to_string(),
            format!(
                "{} ({})",
                tally.indeterminate, verdict.deliveries.indeterminate_unseen
            ),
            tally.cancelled.to_string(),
            verdict.mismatched().to_string(),
            verdict.hung().to_string(),
            verdict.doubled().to_string(),
            verdict.denied().to_string(),
            self.recoveries(),
            format!("{:.1}", self.took.as_secs_f64()),
        ]
    }

    /// The middle and the longest.
    fn recoveries(&self) -> String {
        let mut times = self.verdict.tally.recoveries.clone();
        times.sort_unstable();
        match times.last() {
            Some(longest) => {
                let middle = times[times.len() / 2];
                format!("{} / {}", middle.as_millis(), longest.as_millis())
            }
            None => "-".to_owned(),
        }
    }

    pub(crate) fn details(&self) -> String {
        let (verdict, tally) = (&self.verdict, &self.verdict.tally);
        let mut text = format!("{} on {} with {}:", self.row, self.server, self.client);
        let _ = write!(text, "\n  {}\n  {}", verdict.appends, verdict.deliveries);
        let _ = write!(text, "\n  {}", verdict.deadlines);
        for ((name, executed), count) in &tally.errors {
            let certainty = if *executed { "may have run" } else { "not run" };
            let _ = write!(text, "\n  {count} × {name}, {certainty}");
        }
        for mismatch in tally.mismatched.iter().take(10) {
            let _ = write!(text, "\n  not its own reply: {mismatch}");
        }
        text
    }
}

const HEAD: [&str; 16] = [
    "row",
    "server",
    "client",
    "faults in flight + idle",
    "operations",
    "ok",
    "server",
    "not sent",
    "indeterminate (never seen)",
    "cancelled",
    "mismatched",
    "hung",
    "doubled",
    "denied",
    "recovery beyond prober ms",
    "took s",
];
