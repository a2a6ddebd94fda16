//! What was done to each key, with what outcome, and when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::cluster::{Outage, slot_of};

/// An operation under way. Say what came of it; one that is dropped may or may not have been done.
#[derive(Debug)]
#[must_use = "dropping it means that its outcome is unknown"]
pub struct Operation {
    history: Arc<History>,
    index: usize,
    settled: bool,
}

/// All operations on one key.
#[derive(Debug)]
pub(super) struct History {
    pub(super) key: Vec<u8>,
    events: Mutex<Vec<Event>>,
}

/// One operation.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) writer: u32,
    /// Before it was sent.
    pub(super) sent: Instant,
    /// After its outcome was known; until then, when it was sent.
    pub(super) done: Instant,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Acknowledged, with this number in the reply.
    Acknowledged(i64),
    Unknown,
    NotSent,
    Refused,
}

impl Operation {
    /// The server answered with this number.
    pub fn acknowledged(self, number: i64) {
        self.settle(Outcome::Acknowledged(number));
    }

    /// It may have been done, or not, or be done yet.
    pub fn indeterminate(self) {
        self.settle(Outcome::Unknown);
    }

    /// The client says that no server got it.
    pub fn not_sent(self) {
        self.settle(Outcome::NotSent);
    }

    /// The server answered with an error that means that nothing was done.
    pub fn refused(self) {
        self.settle(Outcome::Refused);
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    fn settle(mut self, outcome: Outcome) {
        self.record(outcome);
    }

    fn record(&mut self, outcome: Outcome) {
        self.settled = true;
        let mut events = self.history.lock();
        if let Some(event) = events.get_mut(self.index) {
            event.done = Instant::now();
            event.outcome = outcome;
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if !self.settled {
            self.record(Outcome::Unknown);
        }
    }
}

impl History {
    pub(super) fn new(key: Vec<u8>) -> Arc<Self> {
        let events = Mutex::default();
        Arc::new(Self { key, events })
    }

    pub(super) fn begin(self: &Arc<Self>, writer: u32) -> Operation {
        let mut events = self.lock();
        let index = events.len();
        let now = Instant::now();
        events.push(Event {
            writer,
            sent: now,
            done: now,
            outcome: Outcome::Unknown,
        });
        Operation {
            history: Arc::clone(self),
            index,
            settled: false,
        }
    }

    pub(super) fn name(&self) -> String {
        String::from_utf8_lossy(&self.key).into_owned()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outages of this key's slot, in order.
    pub(super) fn outages(&self, all: &Mutex<Vec<Outage>>) -> Vec<Outage> {
        let slot = slot_of(&self.key);
        let mut outages = all.lock().unwrap_or_else(PoisonError::into_inner).clone();
        outages.retain(|outage| outage.slots.iter().any(|slots| slots.contains(&slot)));
        outages.sort_by_key(|outage| outage.begin);
        outages
    }
}

impl Event {
    /// The number in the acknowledgement.
    pub(super) fn number(&self) -> Option<i64> {
        match self.outcome {
            Outcome::Acknowledged(number) => Some(number),
            _ => None,
        }
    }

    /// The first primary that can have done it, by the number of outages before.
    pub(super) fn first_era(&self, outages: &[Outage]) -> usize {
        let over = |outage: &&Outage| outage.end.is_some_and(|end| end <= self.sent);
        outages.iter().take_while(over).count()
    }

    /// The primary that has done it, if only one can have; it was acknowledged.
    pub(super) fn era(&self, outages: &[Outage]) -> Option<usize> {
        let first = self.first_era(outages);
        let last = outages.iter().take_while(|outage| outage.begin < self.done);
        (last.count() == first).then_some(first)
    }
}

/// An acknowledged operation with the number it got.
pub(super) struct Numbered<'e> {
    pub(super) index: usize,
    pub(super) event: &'e Event,
    pub(super) number: i64,
}

/// The first operation that got the same number as another.
pub(super) fn repeated<'n, 'e>(
    operations: &'n [Numbered<'e>],
) -> Vec<(&'n Numbered<'e>, &'n Numbered<'e>)> {
    let mut sorted: Vec<_> = operations.iter().collect();
    sorted.sort_by_key(|operation| operation.number);
    let pairs = sorted.windows(2).map(|pair| (pair[0], pair[1]));
    pairs
        .filter(|(one, other)| one.number == other.number)
        .collect()
}

/// Operations that one primary did, each with one that it did before although it was sent later:
/// by anybody, after the acknowledgement; or by the same writer.
pub(super) fn disordered<'n, 'e>(
    operations: &'n [Numbered<'e>],
) -> Vec<(&'n Numbered<'e>, &'n Numbered<'e>)> {
    let mut pairs = Vec::new();

    let mut by_sent: Vec<_> = operations.iter().collect();
    by_sent.sort_by_key(|operation| operation.event.sent);
    let mut by_done = by_sent.clone();
    by_done.sort_by_key(|operation| operation.event.done);
    let mut done = by_done.into_iter().peekable();
    let mut highest: Option<&Numbered<'e>> = None;
    for later in by_sent {
        while let Some(earlier) = done.next_if(|other| other.event.done < later.event.sent) {
            if highest.is_none_or(|highest| highest.number < earlier.number) {
                highest = Some(earlier);
            }
        }
        if let Some(earlier) = highest.filter(|highest| highest.number > later.number) {
            pairs.push((earlier, later));
        }
    }

    // Those are found with their whole time; of these only the beginning counts.
    let mut by_writer: Vec<_> = operations.iter().collect();
    by_writer.sort_by_key(|operation| (operation.event.writer, operation.index));
    for pair in by_writer.windows(2) {
        let (earlier, later) = (pair[0], pair[1]);
        let same = earlier.event.writer == later.event.writer;
        let overlap = earlier.event.done >= later.event.sent;
        if same && overlap && earlier.number > later.number {
            pairs.push((earlier, later));
        }
    }
    pairs
}
