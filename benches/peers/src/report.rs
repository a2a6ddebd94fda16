//! The tables of what was measured.

use std::fmt::Write as _;

use crate::{
    about,
    counts::{Calls, Counted},
    harness::{Sample, Series, Settings},
    machine,
    rows::{Contestant, Row, Target},
};

/// A figure of a sample.
type Figure = fn(&Sample) -> f64;

const THROUGHPUT: Figure = |sample| sample.throughput;
const CPU: Figure = |sample| sample.cpu;
const READS: Figure = |sample| sample.reads;

/// Everything about one row.
pub(crate) struct RowResults<'r> {
    pub(crate) row: &'static Row,
    series: Vec<&'r Series>,
    counted: Vec<&'r Counted>,
}

/// A target, and how far respec is.
struct Verdict {
    text: String,
    met: bool,
}

/// The results by row, in the order of the table.
pub(crate) fn by_row<'r>(all: &'r [Series], counted: &'r [Counted]) -> Vec<RowResults<'r>> {
    let mut rows: Vec<RowResults<'r>> = Vec::new();
    for series in all {
        match rows.last_mut() {
            Some(last) if std::ptr::eq(last.row, series.row) => last.series.push(series),
            _ => rows.push(RowResults {
                row: series.row,
                series: vec![series],
                counted: counted
                    .iter()
                    .filter(|counted| std::ptr::eq(counted.row, series.row))
                    .collect(),
            }),
        }
    }
    rows
}

/// All tables, as they are printed.
pub(crate) fn tables(rows: &[RowResults<'_>], who: &[Contestant]) -> String {
    let mut text = main_table(rows, who);
    if who.contains(&Contestant::Before) {
        let _ = write!(text, "\n{}", before_table(rows));
    }
    if rows.iter().any(|results| results.row.group == "W3") {
        let _ = write!(text, "\n{}", reads_table(rows, who));
    }
    if rows.iter().any(|results| !results.counted.is_empty()) {
        let _ = write!(text, "\n{}", calls_table(rows, who));
    }
    text
}

/// The file of the results.
pub(crate) fn document(rows: &[RowResults<'_>], settings: &Settings, server: &str) -> String {
    let mut text = String::from("# What was measured\n\n");
    text.push_str(
        "Written by `cargo run --release --manifest-path benches/peers/Cargo.toml`; the \
         [README](README.md) says what the rows and columns are.\n\n",
    );
    text.push_str(&facts(rows, settings, server));
    let verdicts: Vec<Verdict> = rows.iter().flat_map(RowResults::verdicts).collect();
    let met = verdicts.iter().filter(|verdict| verdict.met).count();
    let _ = write!(
        text,
        "\nEach cell has operations per second and microseconds of CPU time per operation. Of {} \
         targets, {met} are met.\n\n![results](results.svg)\n\n{}",
        verdicts.len(),
        tables(rows, &Contestant::ALL)
    );
    text
}

/// Where, with what and how long was measured.
pub(crate) fn facts(rows: &[RowResults<'_>], settings: &Settings, server: &str) -> String {
    let mut facts = machine::describe();
    facts.push(format!("Redis {server}"));
    facts.push(machine::versions().join(", "));
    facts.push(format!(
        "{}: {} rounds of {} s each after {} s of warm-up; {}",
        about::date(),
        settings.rounds,
        settings.seconds,
        settings.warm_up,
        disturbance(rows)
    ));
    facts.iter().map(|fact| format!("- {fact}\n")).collect()
}

/// Operations per second, CPU time, and the targets.
fn main_table(rows: &[RowResults<'_>], who: &[Contestant]) -> String {
    let more = ["× best", "× leanest", "× floor", "targets"];
    let mut text = header("workload", who, &more);
    for results in rows {
        let _ = write!(text, "| {} |", results.row);
        for &who in who {
            let (throughput, cpu) = (results.median(who, THROUGHPUT), results.median(who, CPU));
            match throughput.zip(cpu) {
                Some((throughput, cpu)) => {
                    let _ = write!(text, " {} / {} |", rate(throughput), micros(cpu));
                }
                None => text.push_str(" |"),
            }
        }
        ratios(
            &mut text,
            &[results.to_best(), results.to_leanest(), results.to_floor()],
        );
        let verdicts: Vec<String> = results
            .verdicts()
            .iter()
            .map(|verdict| {
                let sign = if verdict.met { "✓" } else { "✗" };
                format!("{sign} {}", verdict.text)
            })
            .collect();
        let _ = writeln!(text, " {} |", verdicts.join("<br>"));
    }
    text
}

/// What became of respec since the build that it is compared with.
fn before_table(rows: &[RowResults<'_>]) -> String {
    let mut text = header("respec over what it was", &[], &["throughput", "CPU time"]);
    for results in rows {
        let is_before = |who| who == Contestant::Before;
        let ratios = [THROUGHPUT, CPU].map(|figure| results.ratio(figure, is_before, f64::max));
        if let [Some(throughput), Some(cpu)] = ratios {
            let _ = writeln!(text, "| {} | {throughput:.2} | {cpu:.2} |", results.row);
        }
    }
    text
}

/// How many batches the server read for each operation, for the rows with many tasks.
fn reads_table(rows: &[RowResults<'_>], who: &[Contestant]) -> String {
    let mut text = header("batches that the server read, per operation", who, &[]);
    for results in rows.iter().filter(|results| results.row.group == "W3") {
        let _ = write!(text, "| {} |", results.row);
        for &who in who {
            match results.median(who, READS) {
                Some(reads) => {
                    let _ = write!(text, " {reads:.3} |");
                }
                None => text.push_str(" |"),
            }
        }
        text.push('\n');
    }
    text
}

/// System calls for each operation.
fn calls_table(rows: &[RowResults<'_>], who: &[Contestant]) -> String {
    let first = "system calls per operation: send / receive / wake / wait / memory";
    let mut text = header(first, who, &[]);
    for results in rows.iter().filter(|results| !results.counted.is_empty()) {
        let _ = write!(text, "| {} |", results.row);
        for &who in who {
            match results.calls(who) {
                Some(calls) => {
                    let kinds = [
                        calls.sends,
                        calls.receives,
                        calls.wakes,
                        calls.waits,
                        calls.memory,
                    ];
                    let _ = write!(text, " {} |", kinds.map(count).join(" / "));
                }
                None => text.push_str(" |"),
            }
        }
        text.push('\n');
    }
    text
}

/// Cells with ratios, empty where there are none.
pub(crate) fn ratios(text: &mut String, ratios: &[Option<f64>]) {
    for ratio in ratios {
        match ratio {
            Some(ratio) => {
                let _ = write!(text, " {ratio:.2} |");
            }
            None => text.push_str(" |"),
        }
    }
}

/// The first two lines of a table.
pub(crate) fn header(first: &str, who: &[Contestant], more: &[&str]) -> String {
    let mut text = format!("| {first} |");
    for name in who.iter().map(|who| who.name()).chain(more.iter().copied()) {
        let _ = write!(text, " {name} |");
    }
    let _ = writeln!(text, "\n|{}", "---|".repeat(1 + who.len() + more.len()));
    text
}

/// How much other processes got in the way.
fn disturbance(rows: &[RowResults<'_>]) -> String {
    let samples = rows.iter().flat_map(|results| &results.series);
    let samples: Vec<&Sample> = samples.flat_map(|series| &series.samples).collect();
    let disturbed = samples.iter().filter(|sample| sample.is_disturbed());
    format!(
        "{} of {} measurements were disturbed by other processes",
        disturbed.count(),
        samples.len()
    )
}

impl RowResults<'_> {
    /// The median over the rounds.
    pub(crate) fn median(&self, who: Contestant, figure: Figure) -> Option<f64> {
        median(self.samples(who)?.iter().map(figure).collect())
    }

    pub(crate) fn throughput(&self, who: Contestant) -> Option<f64> {
        self.median(who, THROUGHPUT)
    }

    pub(crate) fn cpu(&self, who: Contestant) -> Option<f64> {
        self.median(who, CPU)
    }

    /// Bytes of memory for each further connection.
    pub(crate) fn memory(&self, who: Contestant) -> Option<f64> {
        let samples = self.samples(who)?.iter();
        median(samples.filter_map(|sample| sample.memory).collect())
    }

    /// Who could not be measured as often as was wanted, and why.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (Contestant, &str)> {
        let series = self.series.iter();
        series.filter_map(|series| Some((series.who, series.failure.as_deref()?)))
    }

    /// Throughput of respec over that of the best peer of the same round.
    pub(crate) fn to_best(&self) -> Option<f64> {
        self.ratio(THROUGHPUT, Contestant::is_peer, f64::max)
    }

    /// CPU time of respec over that of the leanest peer of the same round.
    pub(crate) fn to_leanest(&self) -> Option<f64> {
        self.ratio(CPU, Contestant::is_peer, f64::min)
    }

    /// Throughput of respec over that of the floor in the same round.
    fn to_floor(&self) -> Option<f64> {
        self.ratio(THROUGHPUT, |who| who == self.row.floor(), f64::max)
    }

    /// The median over the rounds of a figure of respec over the best one among others.
    fn ratio(
        &self,
        figure: Figure,
        others: impl Fn(Contestant) -> bool,
        best: fn(f64, f64) -> f64,
    ) -> Option<f64> {
        let others: Vec<_> = self
            .series
            .iter()
            .filter(|series| others(series.who))
            .collect();
        let respec = self.samples(Contestant::Respec)?.iter().enumerate();
        let ratios = respec.filter_map(|(round, sample)| {
            let of_round = others.iter().filter_map(|series| series.samples.get(round));
            Some(figure(sample) / of_round.map(figure).reduce(best)?)
        });
        median(ratios.collect())
    }

    /// The targets that these samples can decide.
    fn verdicts(&self) -> Vec<Verdict> {
        let at_least = |name, target: f64, reached: Option<f64>| {
            reached.map(|reached| Verdict {
                text: format!("{name} {reached:.2} ≥ {target}"),
                met: reached >= target,
            })
        };
        let at_most = |name, target: f64, reached: Option<f64>| {
            reached.map(|reached| Verdict {
                text: format!("{name} {reached:.2} ≤ {target}"),
                met: reached <= target,
            })
        };
        let verdict = |target: &Target| match *target {
            Target::Floor(target) => at_least(self.row.floor().name(), target, self.to_floor()),
            Target::Best(target) => at_least("best", target, self.to_best()),
            Target::Cpu(target) => at_most("CPU", target, self.to_leanest()),
            Target::Writes(target) => {
                at_most("writes", target, self.median(Contestant::Respec, READS))
            }
            Target::NoMemoryCalls => at_most(
                "memory calls",
                MOST_MEMORY_CALLS,
                self.calls(Contestant::Respec).map(|calls| calls.memory),
            ),
        };
        self.row.targets.iter().filter_map(verdict).collect()
    }

    fn calls(&self, who: Contestant) -> Option<&Calls> {
        let counted = self.counted.iter().find(|counted| counted.who == who)?;
        Some(&counted.calls)
    }

    fn samples(&self, who: Contestant) -> Option<&[Sample]> {
        let series = self.series.iter().find(|series| series.who == who)?;
        Some(&series.samples)
    }
}

/// The middle of the figures, if there are any.
pub(crate) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    if figures.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*figures.get(middle.checked_sub(1)?)?, upper))
}

/// A number of operations per second, in three digits.
pub(crate) fn rate(rate: f64) -> String {
    match rate {
        10_000.0.. => format!("{:.0}k", rate / 1e3),
        1_000.0.. => format!("{:.1}k", rate / 1e3),
        _ => format!("{rate:.0}"),
    }
}

/// A number of microseconds, in three digits.
pub(crate) fn micros(micros: f64) -> String {
    match micros {
        100.0.. => format!("{micros:.0}"),
        10.0.. => format!("{micros:.1}"),
        _ => format!("{micros:.2}"),
    }
}

/// A number of calls; the difference of two runs may be just below zero.
fn count(count: f64) -> String {
    match count {
        10.0.. => format!("{count:.0}"),
        1.0.. => format!("{count:.1}"),
        0.0005.. => format!("{count:.3}"),
        _ => String::from("0"),
    }
}

/// What counts as none: a call in so many operations comes from buffers that grow once.
const MOST_MEMORY_CALLS: f64 = 0.05;
