//! One direction of a connection: what has come, what is to be passed, and what happens where.
//!
//! Nothing here reads or writes; the same bytes in any pieces have the same result.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::rule::{Action, Anchor, Rule, Way};
use super::scan::{Mark, Scanner};
use super::traffic::{Book, Passed};

pub(crate) struct Flow {
    way: Way,
    connection: usize,
    /// Absent once something was not RESP.
    scanner: Option<Scanner>,
    rules: Vec<Armed>,
    /// The request, or the request whose reply, is passing.
    current: Option<u64>,
    frame: Frame,
    next_frame: Frame,
    copy: Vec<u8>,
    /// A whole frame that the next one overtakes, and whose reply it is.
    overtaken: Option<(Vec<u8>, Option<u64>)>,

    /// What is to be passed on, and its place in all that is passed on.
    out: Vec<u8>,
    written: usize,
    start: u64,
    /// Which frames these bytes belong to.
    spans: VecDeque<Span>,
    /// What happens in front of which byte.
    stops: VecDeque<(u64, Stop)>,
    /// From here on it is not known yet what happens.
    undecided: Option<u64>,

    pace: Pace,
    latency: Duration,
    not_before: Option<Instant>,
    /// Whether anything is read.
    reads: bool,
    /// Whether the other direction waits for this one.
    pub(crate) lockstep: bool,
    /// Whether the reader has not taken all that was offered.
    pub(crate) blocked: bool,
    /// Whether the sender has ended.
    ended: bool,
    /// Whether nothing is passed on any more.
    closed: bool,
}

/// What the connection is to do next.
pub(crate) enum Next<'f> {
    /// Nothing, until more has come.
    Idle,
    /// Nothing, until then.
    Wait(Instant),
    /// Write these bytes, then say how many it were.
    Write(&'f [u8]),
    /// Do this.
    Act(Action),
    /// Tell the receiver that nothing more comes.
    End,
}

#[derive(Debug)]
struct Armed {
    rule: Rule,
    /// Places that are passed over.
    skip: u64,
    /// Bytes that are still to pass, once the place was found.
    left: Option<u64>,
}

#[derive(Debug)]
struct Span {
    length: u64,
    record: Option<u64>,
    /// Whether the frame ends here.
    ends: bool,
}

#[derive(Debug)]
enum Stop {
    Act(Action),
    Until(Instant),
    End,
}

/// What is done with a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Frame {
    #[default]
    Pass,
    Duplicate,
    Drop,
    Swap,
}

#[derive(Debug, Default)]
struct Pace {
    sizes: Vec<usize>,
    turn: usize,
    /// What is left of the piece that is being written.
    left: usize,
    pause: Duration,
}

impl Flow {
    pub(crate) fn new(way: Way, connection: usize) -> Self {
        Self {
            way,
            connection,
            scanner: Some(Scanner::default()),
            rules: Vec::new(),
            current: None,
            frame: Frame::Pass,
            next_frame: Frame::Pass,
            copy: Vec::new(),
            overtaken: None,
            out: Vec::new(),
            written: 0,
            start: 0,
            spans: VecDeque::new(),
            stops: VecDeque::new(),
            undecided: None,
            pace: Pace::default(),
            latency: Duration::ZERO,
            not_before: None,
            reads: true,
            lockstep: false,
            blocked: false,
            ended: false,
            closed: false,
        }
    }

    /// Has a rule from now on.
    pub(crate) fn arm(&mut self, rule: Rule) {
        let skip = rule.at.anchor.skip();
        let left = matches!(rule.at.anchor, Anchor::Now).then_some(rule.at.bytes);
        self.rules.push(Armed { rule, skip, left });
        self.fire();
        self.decide_if_needed();
    }

    /// Takes what the sender has sent.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], book: &mut Book, now: Instant) {
        if self.latency > Duration::ZERO {
            let due = now + self.latency;
            self.stop(self.end(), Stop::Until(due));
        }
        loop {
            let limit = self.nearest().min(bytes.len() as u64) as usize;
            let advanced = match &mut self.scanner {
                Some(scanner) => scanner.advance(&bytes[..limit]),
                None => Ok((limit, None)),
            };
            let Ok((read, mark)) = advanced else {
                self.scanner = None;
                self.undecided = None;
                book.malformed();
                continue;
            };
            let (passing, rest) = bytes.split_at(read);
            bytes = rest;
            self.pass(passing, book);
            match mark {
                Some(mark) => self.mark(mark, book, now),
                None if bytes.is_empty() => break,
                None => {}
            }
        }
        self.decide_if_needed();
    }

    /// The sender has ended.
    pub(crate) fn end_of_stream(&mut self) {
        self.ended = true;
        self.undecided = None;
        self.stop(self.end(), Stop::End);
    }

    /// Passes nothing on any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.out.clear();
        self.written = 0;
        self.spans.clear();
        self.stops.clear();
        self.blocked = false;
    }

    /// Does what concerns this direction alone. Bytes that are injected stand in front of all others.
    pub(crate) fn act(&mut self, action: Action, now: Instant) {
        match action {
            Action::StopReading => self.reads = false,
            Action::Hold(time) => self.not_before = Some(now + time),
            Action::Latency(time) => self.latency = time,
            Action::Split(sizes) => self.pace = Pace::new(sizes, Duration::ZERO),
            Action::Throttle { piece, pause } => self.pace = Pace::new(vec![piece], pause),
            Action::Lockstep => self.lockstep = true,
            Action::Inject(bytes) => self.insert(&bytes),
            Action::Heal => {
                self.reads = true;
                self.lockstep = false;
                self.latency = Duration::ZERO;
                self.not_before = None;
                self.pace = Pace::default();
                self.stops
                    .retain(|(_, stop)| !matches!(stop, Stop::Until(_)));
            }
            // The frame was told from the others when it came.
            Action::Duplicate | Action::Drop | Action::Swap => {}
            Action::Reset | Action::Close | Action::HalfClose | Action::BlackHole => {}
        }
    }

    /// What is next.
    pub(crate) fn next(&mut self, now: Instant) -> Next<'_> {
        if let Some(until) = self.not_before {
            if until > now {
                return Next::Wait(until);
            }
            self.not_before = None;
        }
        let at = self.start + self.written as u64;
        if let Some((place, _)) = self.stops.front()
            && *place <= at
            && let Some((_, stop)) = self.stops.pop_front()
        {
            return match stop {
                Stop::Act(action) => Next::Act(action),
                Stop::End => Next::End,
                Stop::Until(due) if due > now => {
                    self.stops.push_front((at, Stop::Until(due)));
                    Next::Wait(due)
                }
                Stop::Until(_) => Next::Write(&[]),
            };
        }
        let stop = self.stops.front().map_or(u64::MAX, |(place, _)| *place);
        let decided = self.undecided.unwrap_or(u64::MAX);
        let length = self.end().min(stop).min(decided) - at;
        if length == 0 {
            return Next::Idle;
        }
        let piece = self.pace.piece();
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(piece);
        Next::Write(&self.out[self.written..self.written + length])
    }

    /// So many bytes were written.
    pub(crate) fn wrote(&mut self, length: usize, book: &mut Book, now: Instant) {
        self.written += length;
        if self.written == self.out.len() || self.written > COMPACT {
            self.out.drain(..self.written);
            self.start += self.written as u64;
            self.written = 0;
        }
        if self.pace.wrote(length) && self.pace.pause > Duration::ZERO {
            self.not_before = Some(now + self.pace.pause);
        }
        let mut left = length as u64;
        while left > 0
            && let Some(span) = self.spans.front_mut()
        {
            let part = left.min(span.length);
            left -= part;
            span.length -= part;
            let whole = span.length == 0;
            let answered = whole && span.ends && self.way == Way::Replies;
            if let Some(record) = span.record.and_then(|number| book.record(number)) {
                let passed = match self.way {
                    Way::Requests => &mut record.request,
                    Way::Replies => &mut record.reply,
                };
                passed.delivered += part;
            }
            if answered && let Some(number) = span.record {
                book.answered(number, now);
            }
            if whole {
                self.spans.pop_front();
            }
        }
    }

    /// Whether there is room for more.
    pub(crate) fn wants_input(&self) -> bool {
        self.reads && !self.ended && self.out.len() - self.written < ROOM
    }

    /// Whether all of it is over.
    pub(crate) fn is_done(&self) -> bool {
        self.ended && self.closed
    }

    pub(crate) fn has_output(&self) -> bool {
        self.written < self.out.len()
    }

    /// Bytes of this direction have come.
    fn pass(&mut self, bytes: &[u8], book: &mut Book) {
        if bytes.is_empty() {
            return;
        }
        if let Some(number) = self.current {
            if self.way == Way::Requests {
                book.keep(number, bytes);
            }
            if let Some(passed) = self.passed(book) {
                passed.received += bytes.len() as u64;
            }
        }
        match self.frame {
            Frame::Pass => self.append(bytes, self.current),
            Frame::Duplicate => {
                self.append(bytes, self.current);
                self.copy.extend_from_slice(bytes);
            }
            Frame::Drop => {}
            Frame::Swap => self.copy.extend_from_slice(bytes),
        }
        for armed in &mut self.rules {
            if let Some(left) = &mut armed.left {
                *left = left.saturating_sub(bytes.len() as u64);
            }
        }
        self.fire();
    }

    fn mark(&mut self, mark: Mark, book: &mut Book, now: Instant) {
        match (mark, self.way) {
            (Mark::Start(_), Way::Requests) => {
                self.current = Some(book.begin(self.connection, now));
                let by_name =
                    |armed: &Armed| matches!(armed.rule.at.anchor, Anchor::Command { .. });
                if self.rules.iter().any(by_name) {
                    self.undecided = Some(self.end());
                }
                self.meet(|anchor| matches!(anchor, Anchor::Start(_)), 0);
                self.frame = std::mem::take(&mut self.next_frame);
            }
            (Mark::Start(b'>'), Way::Replies) => {}
            (Mark::Start(_), Way::Replies) => {
                self.current = book.reply();
                let command = self.current.map(|number| book.name(number));
                self.meet(
                    |anchor| match anchor {
                        Anchor::Start(_) => true,
                        Anchor::Command { name, .. } => Some(name) == command.as_ref(),
                        _ => false,
                    },
                    0,
                );
                self.frame = std::mem::take(&mut self.next_frame);
            }
            (Mark::Element(1), Way::Requests) => {
                if let (Some(from), Some(number)) = (self.undecided.take(), self.current) {
                    let command = book.name(number);
                    let found = |anchor: &Anchor| match anchor {
                        Anchor::Command { name, .. } => *name == command,
                        _ => false,
                    };
                    self.meet(found, self.end() - from);
                }
            }
            (Mark::Element(number), Way::Replies) => {
                self.meet(
                    |anchor| matches!(anchor, Anchor::Inside(n) if *n == number),
                    0,
                );
            }
            (Mark::Element(_), Way::Requests) => {}
            (Mark::End, way) => self.end_of_frame(way, book),
        }
    }

    fn end_of_frame(&mut self, way: Way, book: &mut Book) {
        let was_reply = way == Way::Requests || self.current.is_some();
        self.undecided = None;
        if let Some(passed) = self.passed(book) {
            passed.length = Some(passed.received);
        }
        let record = self.current.take();
        let copy = std::mem::take(&mut self.copy);
        match std::mem::take(&mut self.frame) {
            Frame::Swap => self.overtaken = Some((copy, record)),
            frame => {
                if frame != Frame::Drop
                    && let Some(span) = self.spans.back_mut()
                {
                    span.ends = true;
                }
                if frame == Frame::Duplicate {
                    self.append(&copy, None);
                }
                if let Some((bytes, record)) = self.overtaken.take() {
                    self.append(&bytes, record);
                    if let Some(span) = self.spans.back_mut() {
                        span.ends = true;
                    }
                }
            }
        }
        if was_reply {
            self.meet(|anchor| matches!(anchor, Anchor::End(_)), 0);
        }
    }

    fn passed<'b>(&self, book: &'b mut Book) -> Option<&'b mut Passed> {
        let record = book.record(self.current?)?;
        Some(match self.way {
            Way::Requests => &mut record.request,
            Way::Replies => &mut record.reply,
        })
    }

    /// A place was found, so many bytes after it was there.
    fn meet(&mut self, is_here: impl Fn(&Anchor) -> bool, late: u64) {
        let from = self.end() - late;
        let mut met = Vec::new();
        for armed in &mut self.rules {
            if armed.left.is_some() || !is_here(&armed.rule.at.anchor) {
                continue;
            }
            if armed.skip > 0 {
                armed.skip -= 1;
                continue;
            }
            met.push(armed.rule.clone());
            if armed.rule.each {
                armed.skip = armed.rule.at.anchor.skip();
            } else {
                // Taken out below.
                armed.left = Some(u64::MAX);
            }
        }
        self.rules.retain(|armed| armed.left != Some(u64::MAX));
        for mut rule in met {
            rule.each = false;
            let bytes = rule.at.bytes;
            if bytes < late {
                self.stop(from + bytes, Stop::Act(rule.action));
            } else {
                let left = Some(bytes - late);
                self.rules.push(Armed {
                    rule,
                    skip: 0,
                    left,
                });
            }
        }
        self.fire();
    }

    /// Has happen what is to happen here.
    fn fire(&mut self) {
        let due = |armed: &mut Armed| armed.left == Some(0);
        let here = self.end();
        for armed in self.rules.extract_if(.., due).collect::<Vec<_>>() {
            self.stop(here, Stop::Act(armed.rule.action.clone()));
            match armed.rule.action {
                Action::Duplicate => self.next_frame = Frame::Duplicate,
                Action::Drop => self.next_frame = Frame::Drop,
                Action::Swap => self.next_frame = Frame::Swap,
                _ => {}
            }
        }
    }

    /// How many bytes pass at least until something happens.
    fn nearest(&self) -> u64 {
        let rules = self.rules.iter();
        let nearest = rules.filter_map(|armed| armed.left).min();
        nearest.unwrap_or(u64::MAX).max(1)
    }

    fn stop(&mut self, place: u64, stop: Stop) {
        if self.closed {
            return;
        }
        let behind = self.stops.partition_point(|(other, _)| *other <= place);
        self.stops.insert(behind, (place, stop));
    }

    /// What stands inside an undecided part has to happen, whatever it is a part of.
    fn decide_if_needed(&mut self) {
        if let (Some(from), Some((last, _))) = (self.undecided, self.stops.back())
            && *last >= from
        {
            self.undecided = None;
        }
    }

    fn append(&mut self, bytes: &[u8], record: Option<u64>) {
        if self.closed || bytes.is_empty() {
            return;
        }
        self.out.extend_from_slice(bytes);
        let length = bytes.len() as u64;
        match self.spans.back_mut() {
            Some(span) if span.record == record && !span.ends => span.length += length,
            _ => self.spans.push_back(Span {
                length,
                record,
                ends: false,
            }),
        }
    }

    /// Puts bytes in front of what is not written yet.
    fn insert(&mut self, bytes: &[u8]) {
        if self.closed || bytes.is_empty() {
            return;
        }
        let at = self.written;
        self.out.splice(at..at, bytes.iter().copied());
        let length = bytes.len() as u64;
        self.spans.push_front(Span {
            length,
            record: None,
            ends: false,
        });
        for (place, _) in &mut self.stops {
            *place += length;
        }
        if let Some(from) = &mut self.undecided {
            *from += length;
        }
    }

    /// The place behind all that has come.
    fn end(&self) -> u64 {
        self.start + self.out.len() as u64
    }
}

impl Pace {
    fn new(mut sizes: Vec<usize>, pause: Duration) -> Self {
        sizes.retain(|size| *size > 0);
        Self {
            left: sizes.first().copied().unwrap_or_default(),
            sizes,
            turn: 0,
            pause,
        }
    }

    /// How much may be written at once.
    fn piece(&self) -> usize {
        if self.sizes.is_empty() {
            usize::MAX
        } else {
            self.left
        }
    }

    /// Whether a piece ends here.
    fn wrote(&mut self, length: usize) -> bool {
        if self.sizes.is_empty() || length == 0 {
            return false;
        }
        self.left -= length;
        if self.left > 0 {
            return false;
        }
        self.turn = (self.turn + 1) % self.sizes.len();
        self.left = self.sizes[self.turn];
        true
    }
}

/// More is not read ahead.
const ROOM: usize = 256 << 10;
/// More that was written is not kept.
const COMPACT: usize = 64 << 10;
