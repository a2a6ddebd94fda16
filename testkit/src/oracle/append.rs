//! O3: lists that only grow, and whose every element is known.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Result;
use crate::cluster::Outage;
use crate::error::Error;
use crate::resp::Reply;

use super::history::{Event, History, Numbered, Operation, Outcome, disordered, repeated};
use super::{Finding, FindingKind, Keyspace, print};

/// Checks appends to lists (`RPUSH`), each of one element that occurs nowhere else.
///
/// ```no_run
/// # use respec_testkit::{Cluster, Variant, oracle::AppendLog};
/// # fn rpush(key: &[u8], element: &str) -> Result<i64, ()> { Ok(1) }
/// # let cluster = Cluster::start(Variant::Valkey91)?;
/// let log = AppendLog::new(["{1}:list", "{2}:list"]);
/// let operation = log.begin(0, 7);
/// match rpush(log.key(0), &log.element(0, &operation)) {
///     Ok(length) => operation.acknowledged(length),
///     Err(_) => operation.indeterminate(), // or `not_sent`, or `refused`, as the client says
/// }
/// let report = log.check(&cluster)?;
/// assert!(report.is_clean(), "{report}");
/// # Ok::<(), respec_testkit::Error>(())
/// ```
///
/// The lists are empty in the beginning, and nobody else writes to them.
#[derive(Debug)]
pub struct AppendLog {
    lists: Vec<Arc<History>>,
    outages: Mutex<Vec<Outage>>,
}

/// What an [`AppendLog`] found.
#[derive(Clone, Debug, Default)]
pub struct AppendReport {
    /// How many operations were acknowledged.
    pub acknowledged: u64,
    /// How many may have been done or not.
    pub indeterminate: u64,
    /// How many of these were done.
    pub indeterminate_present: u64,
    /// How many were not sent.
    pub not_sent: u64,
    /// How many were refused.
    pub refused: u64,
    /// How many were acknowledged and then lost by the servers, which replicate without waiting.
    pub lost_by_servers: u64,
    /// How many of these were under way when the outage began, or were begun in it, and for which
    /// only their place says that it was the servers.
    pub lost_under_way: u64,
    /// What cannot have been right.
    pub findings: Vec<Finding>,
}

impl AppendLog {
    /// Begins with empty lists at these keys.
    pub fn new<K: Into<Vec<u8>>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self {
            lists: keys
                .into_iter()
                .map(|key| History::new(key.into()))
                .collect(),
            outages: Mutex::default(),
        }
    }

    /// How many lists there are.
    pub fn lists(&self) -> usize {
        self.lists.len()
    }

    /// The key of a list.
    pub fn key(&self, list: usize) -> &[u8] {
        &self.lists[list].key
    }

    /// Begins to append to a list. What one writer begins is to be done in that order; one that may
    /// overtake another has another writer.
    pub fn begin(&self, list: usize, writer: u32) -> Operation {
        self.lists[list].begin(writer)
    }

    /// What to append.
    pub fn element(&self, list: usize, operation: &Operation) -> String {
        element(list, operation.index())
    }

    /// From now on, knows of an outage. The order in which it is told does not matter.
    pub fn outage(&self, outage: &Outage) {
        let mut outages = self.outages.lock().unwrap_or_else(PoisonError::into_inner);
        outages.push(outage.clone());
    }

    /// Reads all lists and judges. Nothing is being appended meanwhile.
    pub fn check(&self, servers: &impl Keyspace) -> Result<AppendReport> {
        let mut report = AppendReport::default();
        for (number, history) in self.lists.iter().enumerate() {
            let elements = read(servers, &history.key)?;
            self.judge(number, history, &elements, &mut report);
        }
        Ok(report)
    }

    fn judge(
        &self,
        list: usize,
        history: &History,
        elements: &[Vec<u8>],
        report: &mut AppendReport,
    ) {
        let events = history.lock();
        let outages = history.outages(&self.outages);
        let mut find = |kind, detail| {
            report.findings.push(Finding {
                kind,
                key: history.name(),
                detail,
            });
        };

        // Where each operation's element is, counted from one as the replies do.
        let mut places: Vec<Option<i64>> = vec![None; events.len()];
        for (place, element) in (1..).zip(elements) {
            let text = String::from_utf8_lossy(element);
            let found = index(list, element).and_then(|index| places.get_mut(index));
            match found {
                None => find(FindingKind::Stranger, format!("{text} at {place}")),
                Some(Some(first)) => {
                    let detail = format!("{text} at {first} and {place}");
                    find(FindingKind::Duplicated, detail);
                }
                Some(none) => *none = Some(place),
            }
        }

        let mut present = Vec::new();
        let mut absent = Vec::new();
        for (index, event) in events.iter().enumerate() {
            let name = element(list, index);
            match (event.outcome, places[index]) {
                (Outcome::Acknowledged(number), Some(place)) => {
                    report.acknowledged += 1;
                    present.push(Numbered {
                        index,
                        event,
                        number: place,
                    });
                    if number != place {
                        let detail = format!("{name} was said to be at {number}, is at {place}");
                        find(FindingKind::WrongReply, detail);
                    }
                }
                (Outcome::Acknowledged(number), None) => {
                    report.acknowledged += 1;
                    absent.push(Numbered {
                        index,
                        event,
                        number,
                    });
                }
                (Outcome::Unknown, place) => {
                    report.indeterminate += 1;
                    report.indeterminate_present += u64::from(place.is_some());
                }
                (Outcome::NotSent, place) => {
                    report.not_sent += 1;
                    if let Some(place) = place {
                        let detail = format!("{name} at {place}");
                        find(FindingKind::NotSentButPresent, detail);
                    }
                }
                (Outcome::Refused, place) => {
                    report.refused += 1;
                    if let Some(place) = place {
                        let detail = format!("{name} at {place}");
                        find(FindingKind::RefusedButPresent, detail);
                    }
                }
            }
        }
        for (earlier, later) in disordered(&present) {
            find(FindingKind::Disordered, describe(list, earlier, later));
        }

        // What came before a place that has survived an outage has survived it as well.
        let survived: Vec<_> = outages
            .iter()
            .map(|outage| {
                let before = present.iter().filter(|op| op.event.done < outage.begin);
                before.map(|op| op.number).max().unwrap_or(0)
            })
            .collect();
        let mut lost: Vec<Vec<Numbered<'_>>> = outages.iter().map(|_| Vec::new()).collect();
        for operation in absent {
            let first = operation.event.first_era(&outages);
            let name = element(list, operation.index);
            match survived.get(first) {
                None => {
                    let detail = format!("{name}, sent after every outage");
                    find(FindingKind::Lost, detail);
                }
                Some(survived) if operation.number <= *survived => {
                    let number = operation.number;
                    let detail = format!("{name} at {number}, while {survived} is there");
                    find(FindingKind::Lost, detail);
                }
                Some(_) => {
                    report.lost_by_servers += 1;
                    match operation.event.era(&outages) {
                        Some(era) => lost[era].push(operation),
                        None => report.lost_under_way += 1,
                    }
                }
            }
        }
        for (lost, outage) in lost.iter().zip(&outages) {
            for (one, other) in repeated(lost) {
                find(FindingKind::WrongReply, describe(list, one, other));
            }
            for (earlier, later) in disordered(lost) {
                find(FindingKind::Disordered, describe(list, earlier, later));
            }
            let unknown = |(index, event): &(usize, &Event)| {
                let before = outage.end.is_none_or(|end| event.sent < end);
                places[*index].is_none()
                    && before
                    && match event.outcome {
                        Outcome::Unknown => true,
                        Outcome::Acknowledged(_) => event.era(&outages).is_none(),
                        Outcome::NotSent | Outcome::Refused => false,
                    }
            };
            let unknown = events.iter().enumerate().filter(unknown).count();
            let vacant = vacant(lost);
            if vacant > unknown {
                let detail = format!("{vacant} places, of which {unknown} may have been taken");
                find(FindingKind::Unaccounted, detail);
            }
        }
    }
}

impl AppendReport {
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

impl fmt::Display for AppendReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "appends: {} acknowledged ({} lost by servers, {} of them under way), \
             {} indeterminate ({} done), {} not sent, {} refused, {} findings",
            self.acknowledged,
            self.lost_by_servers,
            self.lost_under_way,
            self.indeterminate,
            self.indeterminate_present,
            self.not_sent,
            self.refused,
            self.findings.len()
        )?;
        print(&self.findings, f)
    }
}

fn read(servers: &impl Keyspace, key: &[u8]) -> Result<Vec<Vec<u8>>> {
    let reply = servers.ask(key, &[b"LRANGE", key, b"0", b"-1"])?;
    let elements = match &reply {
        Reply::Array(elements) => elements.iter().map(|element| match element {
            Reply::Text(text) => Some(text.clone()),
            _ => None,
        }),
        Reply::Error(error) => return Err(Error::failed(format!("LRANGE: {error}"))),
        _ => return Err(Error::failed("LRANGE: expected an array")),
    };
    let elements = elements.collect::<Option<_>>();
    elements.ok_or_else(|| Error::failed("LRANGE: expected strings"))
}

/// Unlike that of any other list.
fn element(list: usize, index: usize) -> String {
    format!("{list}.{index}")
}

/// The other way round.
fn index(list: usize, bytes: &[u8]) -> Option<usize> {
    let (_, index) = std::str::from_utf8(bytes).ok()?.split_once('.')?;
    let index = index.parse().ok()?;
    (element(list, index).as_bytes() == bytes).then_some(index)
}

fn describe(list: usize, one: &Numbered<'_>, other: &Numbered<'_>) -> String {
    let name = |operation: &Numbered<'_>| {
        let (name, number) = (element(list, operation.index), operation.number);
        format!("{name} of writer {} at {number}", operation.event.writer)
    };
    format!("{}, {}", name(one), name(other))
}

/// How many places between the first and the last are nobody's.
fn vacant(lost: &[Numbered<'_>]) -> usize {
    let mut numbers: Vec<_> = lost.iter().map(|operation| operation.number).collect();
    numbers.sort_unstable();
    let gaps = numbers
        .windows(2)
        .map(|pair| (pair[1] - pair[0] - 1).max(0));
    usize::try_from(gaps.sum::<i64>()).unwrap_or(usize::MAX)
}
