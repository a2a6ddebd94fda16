//! O2: counters that only go up by one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Result;
use crate::cluster::Outage;
use crate::error::Error;
use crate::resp::Reply;

use super::history::{History, Numbered, Operation, Outcome, disordered, repeated};
use super::{Finding, FindingKind, Keyspace, print};

/// Checks counters (`INCR`), which begin without a value and which nobody else changes.
///
/// Values that were acknowledged by one primary are all different, and later ones higher. In the end
/// the counter is as high as there are acknowledgements, and at most by the operations of unknown
/// outcome higher. What servers lose in an outage shows as a counter that is too low, or values that
/// come twice; only what was counted after the last outage must be there for certain, so that
/// [`AppendLog`](super::AppendLog) is the sharper oracle then.
#[derive(Debug)]
pub struct Counters {
    counters: Vec<Arc<History>>,
    outages: Mutex<Vec<Outage>>,
}

/// What [`Counters`] found.
#[derive(Clone, Debug, Default)]
pub struct CounterReport {
    /// How many operations were acknowledged.
    pub acknowledged: u64,
    /// How many may have been done or not.
    pub indeterminate: u64,
    /// By how much counters are lower than their acknowledgements because of outages.
    pub lost_by_servers: u64,
    /// What cannot have been right.
    pub findings: Vec<Finding>,
}

impl Counters {
    /// Begins with no counters at these keys.
    pub fn new<K: Into<Vec<u8>>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self {
            counters: keys
                .into_iter()
                .map(|key| History::new(key.into()))
                .collect(),
            outages: Mutex::default(),
        }
    }

    /// How many counters there are.
    pub fn counters(&self) -> usize {
        self.counters.len()
    }

    /// The key of a counter.
    pub fn key(&self, counter: usize) -> &[u8] {
        &self.counters[counter].key
    }

    /// Begins to count. What one writer begins is to be done in that order.
    pub fn begin(&self, counter: usize, writer: u32) -> Operation {
        self.counters[counter].begin(writer)
    }

    /// From now on, knows of an outage. The order in which it is told does not matter.
    pub fn outage(&self, outage: &Outage) {
        let mut outages = self.outages.lock().unwrap_or_else(PoisonError::into_inner);
        outages.push(outage.clone());
    }

    /// Reads all counters and judges. Nothing is being counted meanwhile.
    pub fn check(&self, servers: &impl Keyspace) -> Result<CounterReport> {
        let mut report = CounterReport::default();
        for history in &self.counters {
            let value = read(servers, &history.key)?;
            self.judge(history, value, &mut report);
        }
        Ok(report)
    }

    fn judge(&self, history: &History, value: i64, report: &mut CounterReport) {
        let events = history.lock();
        let outages = history.outages(&self.outages);
        let mut find = |kind, detail| {
            report.findings.push(Finding {
                kind,
                key: history.name(),
                detail,
            });
        };

        let count = |outcome: fn(&Outcome) -> bool| {
            let events = events.iter().filter(|event| outcome(&event.outcome));
            i64::try_from(events.count()).unwrap_or(i64::MAX)
        };
        let acknowledged = count(|outcome| matches!(outcome, Outcome::Acknowledged(_)));
        let unknown = count(|outcome| *outcome == Outcome::Unknown);
        report.acknowledged += acknowledged.unsigned_abs();
        report.indeterminate += unknown.unsigned_abs();
        let counted = format!("{acknowledged} acknowledged, {unknown} indeterminate, is {value}");
        if value > acknowledged.saturating_add(unknown) {
            find(FindingKind::Duplicated, counted);
        } else if value < acknowledged {
            if outages.is_empty() {
                find(FindingKind::Lost, counted);
            } else {
                report.lost_by_servers += value.abs_diff(acknowledged);
            }
        }

        // By the primary that did it, where that is certain.
        let mut eras: Vec<Vec<Numbered<'_>>> = (0..=outages.len()).map(|_| Vec::new()).collect();
        for (index, event) in events.iter().enumerate() {
            if let (Some(number), Some(era)) = (event.number(), event.era(&outages)) {
                eras[era].push(Numbered {
                    index,
                    event,
                    number,
                });
            }
        }
        for era in &eras {
            for (one, other) in repeated(era) {
                find(FindingKind::WrongReply, describe(one, other));
            }
            for (earlier, later) in disordered(era) {
                find(FindingKind::Disordered, describe(earlier, later));
            }
        }
        let last = eras.last().into_iter().flatten();
        for late in last.filter(|operation| operation.number > value) {
            let detail = format!("{} was acknowledged, is {value}", late.number);
            find(FindingKind::Lost, detail);
        }
    }
}

impl CounterReport {
    /// Whether all was right.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many findings there are of a kind.
    pub fn count(&self, kind: FindingKind) -> usize {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.kind == kind).count()
    }
}

impl fmt::Display for CounterReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "counters: {} acknowledged ({} lost by servers), {} indeterminate, {} findings",
            self.acknowledged,
            self.lost_by_servers,
            self.indeterminate,
            self.findings.len()
        )?;
        print(&self.findings, f)
    }
}

fn read(servers: &impl Keyspace, key: &[u8]) -> Result<i64> {
    match servers.ask(key, &[b"GET", key])? {
        Reply::Null => Ok(0),
        Reply::Error(error) => Err(Error::failed(format!("GET: {error}"))),
        reply => {
            let number = reply.text().and_then(|text| text.parse().ok());
            number.ok_or_else(|| Error::failed("GET: expected a number"))
        }
    }
}

fn describe(one: &Numbered<'_>, other: &Numbered<'_>) -> String {
    let name = |operation: &Numbered<'_>| {
        let (index, number) = (operation.index, operation.number);
        format!(
            "operation {index} of writer {} got {number}",
            operation.event.writer
        )
    };
    format!("{}, {}", name(one), name(other))
}
