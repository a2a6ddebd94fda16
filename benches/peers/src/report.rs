//! The table of what was measured.

use std::fmt::Write as _;

use crate::{
    harness::{Sample, Series},
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
}

/// A target, and how far respec is.
pub(crate) struct Verdict {
    pub(crate) text: String,
    pub(crate) met: bool,
}

/// The results by row, in the order of the table.
pub(crate) fn by_row(all: &[Series]) -> Vec<RowResults<'_>> {
    let mut rows: Vec<RowResults<'_>> = Vec::new();
    for series in all {
        match rows.last_mut() {
            Some(last) if std::ptr::eq(last.row, series.row) => last.series.push(series),
            _ => rows.push(RowResults {
                row: series.row,
                series: vec![series],
            }),
        }
    }
    rows
}

/// The table in Markdown: operations per second, CPU time, and the targets.
pub(crate) fn table(rows: &[RowResults<'_>], who: &[Contestant]) -> String {
    let mut text = String::from("| workload |");
    for who in who {
        let _ = write!(text, " {} |", who.name());
    }
    text.push_str(" best peer | leanest peer | floor | targets |\n|---|");
    for _ in 0..who.len() + 4 {
        text.push_str("---|");
    }
    text.push('\n');
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
        for ratio in [results.to_best(), results.to_leanest(), results.to_floor()] {
            match ratio {
                Some(ratio) => {
                    let _ = write!(text, " {ratio:.2} |");
                }
                None => text.push_str(" |"),
            }
        }
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

/// How many batches the server read for each operation, for the rows with many tasks.
pub(crate) fn reads_table(rows: &[RowResults<'_>], who: &[Contestant]) -> String {
    let mut text = String::from("| batches read by the server, per operation |");
    for who in who {
        let _ = write!(text, " {} |", who.name());
    }
    text.push_str("\n|---|");
    for _ in who {
        text.push_str("---|");
    }
    text.push('\n');
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

    /// Throughput of respec over that of the best peer of the same round.
    fn to_best(&self) -> Option<f64> {
        self.ratio(THROUGHPUT, Contestant::is_peer, f64::max)
    }

    /// CPU time of respec over that of the leanest peer of the same round.
    fn to_leanest(&self) -> Option<f64> {
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
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
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
            Target::NoMemoryCalls => None,
        };
        self.row.targets.iter().filter_map(verdict).collect()
    }

    fn samples(&self, who: Contestant) -> Option<&[Sample]> {
        let series = self.series.iter().find(|series| series.who == who)?;
        Some(&series.samples)
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    if figures.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*figures.get(middle.checked_sub(1)?)?, upper))
}

/// A number of operations per second, in three digits.
fn rate(rate: f64) -> String {
    match rate {
        10_000.0.. => format!("{:.0}k", rate / 1e3),
        1_000.0.. => format!("{:.1}k", rate / 1e3),
        _ => format!("{rate:.0}"),
    }
}

/// A number of microseconds, in three digits.
fn micros(micros: f64) -> String {
    match micros {
        100.0.. => format!("{micros:.0}"),
        10.0.. => format!("{micros:.1}"),
        _ => format!("{micros:.2}"),
    }
}
