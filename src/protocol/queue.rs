//! What is sent and what is owed: the output buffer and the slots of those who wait.

use std::{
    collections::VecDeque,
    mem,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use super::{Chunk, Nonce};
use crate::{
    command::Awaited,
    error::{Error, ErrorKind, Outcome, Result},
    mutant::{self, Mutant},
    resp::{Frame, Kind, Output, Reply, Run},
};

/// The output buffer of a connection and its slots, in the order of sending.
///
/// `W` stands for whoever waits: an index, or nothing where there is only one.
///
/// Pushes are told from replies by their type. Where that is not enough, the queue knows more:
///
/// - The subscribe family is answered by one push for each channel. These confirm the command that
///   is at the front; an error, or `QUEUED`, answers it as well.
/// - Under RESP2 confirmations and messages are plain arrays. Once a confirmation has come as an
///   array, arrays that begin with the word of a message are pushes, as long as the count of
///   subscriptions in the last confirmation is not 0. A server refuses in that mode whatever could
///   answer with such an array.
/// - After `MONITOR`, simple strings that begin with a digit are pushes; no reply looks like that.
///
/// An unsolicited `sunsubscribe`, which tells that a slot moved away, cannot be told from the
/// confirmation of a `SUNSUBSCRIBE` that is at the front; the server's `-MOVED` then finds nobody
/// who waits, and the connection ends.
#[derive(Clone, Debug)]
pub(crate) struct Queue<W> {
    /// Boxed, since it is exchanged for others.
    output: Box<Output>,
    /// How many bytes were taken from the output so far; where it begins in the stream.
    taken: u64,
    slots: VecDeque<Slot<W>>,
    next_ticket: u64,
    /// Slots without a waiter whose bytes are still in the output.
    given_up: usize,
    /// No deadline is earlier; may be one of a slot that is gone.
    earliest: Option<Instant>,
    subscriptions: Subscriptions,
    monitoring: bool,
    /// What the probes among the slots have to be answered with.
    probes: VecDeque<Nonce>,
}

/// Names a slot to those who may want to abandon it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(u64);

impl Ticket {
    /// The same where another one is the first.
    #[cfg(test)]
    pub(crate) fn since(self, first: Self) -> Self {
        Self(self.0 - first.0)
    }
}

#[derive(Clone, Debug)]
struct Slot<W> {
    ticket: Ticket,
    owner: SlotOwner<W>,
    awaited: Awaited,
    /// Frames that are still to come.
    missing: usize,
    since: Instant,
    deadline: Option<Instant>,
    /// Where its bytes begin in the stream.
    start: u64,
}

/// Whose the replies of a slot are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotOwner<W> {
    Waiter(W),
    /// The caller has left or its time is over.
    Nobody,
    /// The connection asks for itself, and the reply must be this.
    Probe(Nonce),
}

impl<W: Copy> Slot<W> {
    #[inline]
    fn waiter(&self) -> Option<W> {
        match self.owner {
            SlotOwner::Waiter(waiter) => Some(waiter),
            SlotOwner::Nobody | SlotOwner::Probe(_) => None,
        }
    }
}

/// The counts of the last confirmations that were arrays.
#[derive(Clone, Copy, Debug, Default)]
struct Subscriptions {
    channels: i64,
    shard_channels: i64,
}

/// Whose a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameOwner<W> {
    /// A reply to whoever waits for it; after the last one the waiter is forgotten.
    Reply { waiter: W, last: bool },
    /// Nobody has asked for it.
    Push,
    /// A reply that nobody waits for any more, or one of several confirmations.
    Swallowed,
    /// It answers a probe, so that all replies in front of it are whose they seemed to be.
    Probed,
}

/// A caller whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expired<W> {
    pub(crate) waiter: W,
    /// Whether nothing of its request was taken for writing.
    pub(crate) unsent: bool,
    /// How long it has had.
    pub(crate) allowed: Duration,
}

impl<W: Copy + PartialEq> Queue<W> {
    /// Nothing sent and nothing owed.
    pub(crate) fn new() -> Self {
        Self {
            output: Box::default(),
            taken: 0,
            slots: VecDeque::new(),
            next_ticket: 0,
            given_up: 0,
            earliest: None,
            subscriptions: Subscriptions::default(),
            monitoring: false,
            probes: VecDeque::new(),
        }
    }

    /// Whether a chunk may be appended now.
    ///
    /// # Errors
    ///
    /// Replies are owed and it must be alone.
    #[inline]
    pub(crate) fn check(&self, chunk: &Chunk) -> Result<()> {
        if chunk.is_alone() && !self.slots.is_empty() {
            return Err(Error::new(
                ErrorKind::Refused,
                "some servers swallow its error when other replies are pending: wait for those first",
            ));
        }
        Ok(())
    }

    /// Appends the bytes of a chunk and its slot in one step.
    // There is one place that appends.
    #[inline(always)]
    pub(crate) fn append(
        &mut self,
        chunk: &mut Chunk,
        waiter: W,
        since: Instant,
        deadline: Option<Instant>,
    ) -> Ticket {
        let start = self.accepted();
        let awaited = chunk.append_to(&mut self.output);
        self.expect_by(deadline);
        self.push_slot(Slot {
            ticket: Ticket(self.next_ticket),
            owner: SlotOwner::Waiter(waiter),
            awaited,
            missing: match awaited {
                Awaited::Frames(count) | Awaited::Confirmations(count, _) => count,
                Awaited::Stream | Awaited::End => 1,
            },
            since,
            deadline,
            start,
        })
    }

    /// Appends a request that the connection makes for itself, whose reply must be `nonce`.
    pub(crate) fn probe(&mut self, nonce: Nonce, now: Instant) {
        let start = self.accepted();
        if nonce.write(&mut self.output).is_err() {
            return;
        }
        self.probes.push_back(nonce);
        self.push_slot(Slot {
            ticket: Ticket(self.next_ticket),
            owner: SlotOwner::Probe(nonce),
            awaited: Awaited::Frames(1),
            missing: 1,
            since: now,
            deadline: None,
            start,
        });
    }

    #[inline]
    fn push_slot(&mut self, slot: Slot<W>) -> Ticket {
        self.next_ticket += 1;
        let ticket = slot.ticket;
        self.slots.push_back(slot);
        ticket
    }

    /// Takes a waiter away from its slots, which are among those of these tickets.
    ///
    /// What was not taken for writing yet will not be written; the replies of everything else are
    /// swallowed when they come.
    pub(crate) fn abandon(&mut self, tickets: RangeInclusive<Ticket>, waiter: W) {
        let taken = self.taken;
        let first = self
            .slots
            .partition_point(|slot| slot.ticket < *tickets.start());
        if mutant::is(Mutant::PlaceSkipped) {
            self.slots.retain(|slot| slot.waiter() != Some(waiter));
            return;
        }
        for slot in self.slots.range_mut(first..) {
            if slot.ticket > *tickets.end() {
                break;
            }
            if slot.owner == SlotOwner::Waiter(waiter) {
                slot.owner = SlotOwner::Nobody;
                self.given_up += usize::from(slot.start >= taken);
            }
        }
    }

    /// Forgets the requests of those who have left before they were taken for writing.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if self.given_up > 0 && !mutant::is(Mutant::GivenUpWritten) {
            self.drop_given_up();
        }
    }

    /// Moves what is to be written into `into`, which must be empty and whose memory is used next.
    #[inline]
    pub(crate) fn take_output(&mut self, into: &mut Box<Output>) {
        debug_assert!(into.is_empty(), "bytes must be written in order");
        self.settle();
        self.taken = self.accepted();
        mem::swap(&mut self.output, into);
    }

    /// When the call that comes next was made, and until when it must be answered.
    #[inline]
    pub(crate) fn front_time(&self) -> Option<(Instant, Option<Instant>)> {
        self.slots.front().map(|slot| (slot.since, slot.deadline))
    }

    /// When the call was made that was appended last.
    pub(crate) fn last_since(&self) -> Option<Instant> {
        self.slots.back().map(|slot| slot.since)
    }

    /// Whether something waits to be taken for writing.
    #[inline]
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// How many exchanges, or chunks of them, wait for replies or swallow them.
    pub(crate) fn owed(&self) -> usize {
        self.slots.len()
    }

    /// Whether no reply is owed but that of a probe.
    #[inline]
    pub(crate) fn is_answered(&self) -> bool {
        self.slots.len() == self.probes.len()
    }

    /// Whether the answer that comes next is the end of the connection, which a server may prepare
    /// for long and answers nothing meanwhile.
    pub(crate) fn awaits_end(&self) -> bool {
        let front = self.slots.front();
        front.is_some_and(|slot| slot.awaited == Awaited::End)
    }

    /// How many probes were not answered yet.
    pub(crate) fn probes(&self) -> usize {
        self.probes.len()
    }

    /// The size of all requests that were not answered yet.
    #[inline]
    pub(crate) fn unanswered(&self) -> u64 {
        self.slots
            .front()
            .map_or(0, |slot| self.accepted().saturating_sub(slot.start))
    }

    /// Finds out whose a frame is.
    ///
    /// # Errors
    ///
    /// Nobody waits for a reply, or a probe is answered too early or with something else: the
    /// connection must be closed.
    #[inline(always)]
    pub(crate) fn accept(&mut self, frame: &Frame) -> Result<FrameOwner<W>> {
        let confirms = match self.slots.front().map(|slot| &slot.awaited) {
            Some(Awaited::Confirmations(_, name)) => Some(*name),
            _ => None,
        };
        // On the ordinary way the first byte is enough, and looking further is left to the caller.
        match (frame.as_bytes().first(), confirms) {
            (Some(b'>'), None) => return Ok(FrameOwner::Push),
            (Some(b'|'), _) | (Some(b'>' | b'*'), Some(_)) => {}
            (Some(b'*'), None) if self.subscriptions.any() => {}
            (Some(b'+'), _) if self.monitoring || frame.as_bytes() == b"+RESET\r\n" => {}
            _ => return self.answer(frame),
        }
        let reply = frame.reply();
        let kind = reply.kind();
        if let Some(name) = confirms
            && matches!(kind, Kind::Push | Kind::Array)
        {
            if !is_confirmation(reply, name) {
                return Ok(self.push(frame));
            }
            self.subscriptions.update(reply);
        } else if kind == Kind::Push {
            return Ok(FrameOwner::Push);
        } else if kind == Kind::Array && self.subscriptions.any() && is_message(reply) {
            return Ok(self.push(frame));
        } else if kind == Kind::SimpleString {
            if self.monitoring && starts_with_digit(reply) {
                return Ok(FrameOwner::Push);
            }
            if reply.bytes() == Some(b"RESET") {
                self.subscriptions = Subscriptions::default();
                self.monitoring = false;
            }
        }
        self.answer(frame)
    }

    /// How many frames may be taken together for [`Queue::accept_run`], if their types tell them from
    /// pushes; 0 or 1 where there is no use in that.
    #[inline]
    pub(crate) fn run(&self) -> usize {
        match self.slots.front() {
            Some(slot)
                if matches!(slot.awaited, Awaited::Frames(_))
                    && !self.monitoring
                    && !self.subscriptions.any() =>
            {
                slot.missing
            }
            _ => 0,
        }
    }

    /// Gives frames to the slot at the front, at most as many as [`Queue::run`] allows.
    ///
    /// # Errors
    ///
    /// There are more, or one of them answers a probe: the connection must be closed.
    pub(crate) fn accept_run(&mut self, run: &Run) -> Result<FrameOwner<W>> {
        let (allowed, count) = (self.run(), run.len());
        if let Some(nonce) = self.probes.front()
            && !mutant::is(Mutant::NonceOverlooked)
            && nonce.is_in(run.as_bytes())
        {
            return Err(lacking_reply());
        }
        if self.slots.is_empty() || count > allowed {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("expected {allowed} replies at most, got {count}"),
            ));
        }
        Ok(self.fill_front(count))
    }

    /// Takes so many frames off what the slot at the front awaits, which goes with the last one.
    #[inline(always)]
    fn fill_front(&mut self, count: usize) -> FrameOwner<W> {
        let Some(slot) = self.slots.front_mut() else {
            return FrameOwner::Swallowed;
        };
        slot.missing = slot.missing.saturating_sub(count);
        let last = slot.missing == 0;
        let waiter = slot.waiter();
        if last {
            self.slots.pop_front();
        }
        match waiter {
            Some(waiter) => FrameOwner::Reply { waiter, last },
            None => FrameOwner::Swallowed,
        }
    }

    /// Gives a frame to the slot at the front.
    #[inline(always)]
    fn answer(&mut self, frame: &Frame) -> Result<FrameOwner<W>> {
        let Some(slot) = self.slots.front_mut() else {
            return Err(unexpected_reply(frame));
        };
        if let SlotOwner::Probe(nonce) = slot.owner {
            return self.answer_probe(nonce, frame);
        }
        if let Some(nonce) = self.probes.front()
            && !mutant::is(Mutant::NonceOverlooked)
            && nonce.is_reply(frame)
        {
            return Err(lacking_reply());
        }
        Ok(match slot.awaited {
            Awaited::Frames(_) => self.fill_front(1),
            _ => self.confirm(frame),
        })
    }

    /// Gives a frame to a probe at the front.
    fn answer_probe(&mut self, nonce: Nonce, frame: &Frame) -> Result<FrameOwner<W>> {
        self.slots.pop_front();
        self.probes.pop_front();
        nonce.check(frame).map(|()| FrameOwner::Probed)
    }

    /// Gives a frame to a slot at the front that awaits something else than frames.
    fn confirm(&mut self, frame: &Frame) -> FrameOwner<W> {
        let Some(slot) = self.slots.front() else {
            return FrameOwner::Swallowed;
        };
        let confirms = matches!(frame.reply().kind(), Kind::Push | Kind::Array);
        match slot.awaited {
            Awaited::Confirmations(..) => {
                let count = if confirms { 1 } else { slot.missing };
                match self.fill_front(count) {
                    // The last confirmation is the answer.
                    FrameOwner::Reply { last: false, .. } => FrameOwner::Swallowed,
                    owner => owner,
                }
            }
            Awaited::Stream => {
                self.monitoring |= !frame.is_error();
                self.fill_front(1)
            }
            Awaited::Frames(_) | Awaited::End => self.fill_front(1),
        }
    }

    fn push(&mut self, frame: &Frame) -> FrameOwner<W> {
        if frame.reply().kind() == Kind::Array {
            self.subscriptions.update(frame.reply());
        }
        FrameOwner::Push
    }

    /// When [`Queue::handle_timeout`] should be called, if nothing else happens before.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        // Where nobody waits it is the deadline of somebody who was answered.
        self.earliest.filter(|_| !self.slots.is_empty())
    }

    /// Answers those whose deadline has come with an error.
    ///
    /// Their slots stay and swallow the late replies, but for those that were never written.
    pub(crate) fn handle_timeout(&mut self, now: Instant, mut expired: impl FnMut(Expired<W>)) {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        self.earliest = None;
        let taken = self.taken;
        let mut earliest = None;
        for slot in &mut self.slots {
            let (Some(waiter), Some(deadline)) = (slot.waiter(), slot.deadline) else {
                continue;
            };
            if deadline > now {
                earliest =
                    Some(earliest.map_or(deadline, |earlier: Instant| earlier.min(deadline)));
                continue;
            }
            slot.owner = SlotOwner::Nobody;
            let unsent = slot.start >= taken;
            self.given_up += usize::from(unsent);
            expired(Expired {
                waiter,
                unsent,
                allowed: deadline.saturating_duration_since(slot.since),
            });
        }
        self.earliest = earliest;
        if mutant::is(Mutant::LatePlaceSkipped) {
            self.slots.retain(|slot| slot.owner != SlotOwner::Nobody);
        }
    }

    /// Empties the queue of a connection that ended, and names all who wait.
    ///
    /// `written` is how many bytes reached the socket in all; what began behind was not sent. Where
    /// that is not known, all that was taken may have. Who has waited for the server to end the
    /// connection is answered by it, if `by_server` says that it has.
    pub(crate) fn fail(
        &mut self,
        written: impl Into<Option<u64>>,
        by_server: bool,
        mut failed: impl FnMut(W, Outcome),
    ) {
        let written = written.into().unwrap_or(self.taken);
        let accepted = self.accepted();
        let mut slots = self.slots.drain(..).peekable();
        while let Some(slot) = slots.next() {
            let end = slots.peek().map_or(accepted, |next| next.start);
            let Some(waiter) = slot.waiter() else {
                continue;
            };
            let outcome = if by_server && slot.awaited == Awaited::End && end <= written {
                // This is what it has asked for.
                Outcome::Answered
            } else if slot.start < written && !(mutant::is(Mutant::CutNotSent) && end > written) {
                Outcome::Indeterminate
            } else {
                Outcome::NotSent
            };
            failed(waiter, outcome);
        }
        drop(slots);
        self.output.clear();
        self.probes.clear();
        self.given_up = 0;
        self.earliest = None;
    }

    /// Whether every reply has come and nothing waits to be written.
    pub(crate) fn is_idle(&self) -> bool {
        self.slots.is_empty() && self.output.is_empty()
    }

    /// How many bytes wait to be taken.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.output.len()
    }

    /// How many bytes were accepted so far; where the next slot begins in the stream.
    fn accepted(&self) -> u64 {
        self.taken + self.output.len() as u64
    }

    fn expect_by(&mut self, deadline: Option<Instant>) {
        match (self.earliest, deadline) {
            (_, None) => {}
            (Some(earliest), Some(deadline)) if earliest <= deadline => {}
            (_, deadline) => self.earliest = deadline,
        }
    }

    /// Removes the bytes and slots of those who left before anything was taken.
    fn drop_given_up(&mut self) {
        let end = self.accepted();
        let first = self.slots.partition_point(|slot| slot.start < self.taken);
        let unsent = self.slots.split_off(first);
        let mut kept = Output::new();
        let ends: Vec<u64> = unsent
            .iter()
            .skip(1)
            .map(|slot| slot.start)
            .chain([end])
            .collect();
        for (mut slot, end) in unsent.into_iter().zip(ends) {
            let range = offset(self.taken, slot.start)..offset(self.taken, end);
            if slot.owner != SlotOwner::Nobody {
                slot.start = self.taken + kept.len() as u64;
                kept.append(&self.output, range);
                self.slots.push_back(slot);
            }
        }
        *self.output = kept;
        self.given_up = 0;
    }
}

impl Subscriptions {
    fn any(self) -> bool {
        self.channels > 0 || self.shard_channels > 0
    }

    /// Takes over the count of a confirmation, if it came as an array.
    fn update(&mut self, confirmation: Reply<'_>) {
        if confirmation.kind() != Kind::Array {
            return;
        }
        let Some(mut elements) = confirmation.elements() else {
            return;
        };
        let word = elements.next().and_then(|word| word.bytes());
        let Some(count) = elements.nth(1).and_then(|count| count.integer()) else {
            return;
        };
        match word {
            Some(b"subscribe" | b"unsubscribe" | b"psubscribe" | b"punsubscribe") => {
                self.channels = count;
            }
            Some(b"ssubscribe" | b"sunsubscribe") => self.shard_channels = count,
            _ => {}
        }
    }
}

/// The error of a connection on which a reply has come that no caller waits for.
#[cold]
fn unexpected_reply(frame: &Frame) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!("expected no reply, got {}", frame.reply().kind().noun()),
    )
}

/// The error of a connection on which the answer to a probe has come in the place of another reply.
#[cold]
fn lacking_reply() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "expected the reply to a command, got the nonce of a heartbeat behind it: replies are not in order",
    )
}

fn first_word(reply: Reply<'_>) -> Option<&[u8]> {
    reply.elements()?.next()?.bytes()
}

fn is_confirmation(reply: Reply<'_>, name: &str) -> bool {
    first_word(reply).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
}

fn is_message(reply: Reply<'_>) -> bool {
    matches!(
        first_word(reply),
        Some(
            b"message"
                | b"pmessage"
                | b"smessage"
                | b"subscribe"
                | b"unsubscribe"
                | b"psubscribe"
                | b"punsubscribe"
                | b"ssubscribe"
                | b"sunsubscribe"
        )
    )
}

fn starts_with_digit(reply: Reply<'_>) -> bool {
    reply
        .bytes()
        .and_then(|bytes| bytes.first())
        .is_some_and(u8::is_ascii_digit)
}

/// The distance of two places that lie in the same buffer.
fn offset(start: u64, end: u64) -> usize {
    usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX)
}
