//! Who writes what was appended to an output, and when.

use crate::mutant::{self, Mutant};

/// Decides between callers who append and the driver that reads, so that few writes carry much.
///
/// ```text
///  a caller appends ──┬─ nothing is owed ──────────────────▶ it writes
///                     ├─ the last one of a wake batch ─────▶ it writes for all
///                     ├─ another one of it ────────────────▶ nothing: the last one writes, or
///                     │                                      the driver, which runs behind them
///                     └─ replies are owed ─────────────────▶ it wakes the driver, which writes
///                                                            when others have appended as well
/// ```
///
/// A *wake batch* are callers who were woken together by replies that came together. The driver has
/// itself scheduled behind them. Only one writes at a time, and whoever has written looks whether
/// there is more by then.
///
/// All of it happens under the lock of the connection, so that the only thing that can go wrong is
/// the order of steps, of which the tests try all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct WriteScheduler {
    /// Somebody writes.
    busy: bool,
    /// How many of the last wake batch have not appended anything since.
    expected: usize,
    /// The driver was woken and has not looked since.
    notified: bool,
}

/// What is to be done by whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteStep {
    /// Write what there is, and tell [`WriteScheduler::written`].
    Write,
    /// Wake the driver.
    Wake,
    /// Nothing.
    Nothing,
}

impl WriteScheduler {
    /// A caller has appended; `was_idle` says that no reply was owed before.
    #[inline]
    pub(crate) fn appended(&mut self, was_idle: bool) -> WriteStep {
        let writes = if self.expected > 0 {
            self.expected -= 1;
            self.expected == 0
        } else if was_idle {
            true
        } else {
            return self.wake();
        };
        if writes && !self.busy {
            self.busy = true;
            WriteStep::Write
        } else {
            WriteStep::Nothing
        }
    }

    /// The driver looks; `has_output` says whether there is something to write.
    pub(crate) fn look(&mut self, has_output: bool) -> WriteStep {
        self.notified = false;
        self.expected = 0;
        if has_output && !self.busy {
            self.busy = true;
            WriteStep::Write
        } else {
            WriteStep::Nothing
        }
    }

    /// Somebody has written; `is_left` says whether there is something to write, be it new.
    ///
    /// The driver itself does not need to be woken.
    #[inline]
    pub(crate) fn written(&mut self, is_left: bool) -> WriteStep {
        self.busy = false;
        let is_left = is_left && !mutant::is(Mutant::WakeLost);
        if is_left {
            self.wake()
        } else {
            WriteStep::Nothing
        }
    }

    /// The driver has woken `callers` together, and will look again behind them.
    pub(crate) fn wake_batch(&mut self, callers: usize) {
        self.expected = callers;
        self.notified = true;
    }

    /// Whether the driver was woken and has not looked since.
    pub(crate) fn is_called(&self) -> bool {
        self.notified
    }

    /// Has the driver woken, unless it was and has not looked since.
    #[inline]
    pub(crate) fn wake(&mut self) -> WriteStep {
        if std::mem::replace(&mut self.notified, true) {
            WriteStep::Nothing
        } else {
            WriteStep::Wake
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        sync::Arc,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::{
        address::Address,
        command::{Single, raw},
        events::Events,
        protocol::{
            Admission, Chunk, ConnectionSettings, Delivered, Dispatch, DriverWork, Inbound, Key,
            Outbound, Polled, Receiver, Step, Ticket, Time,
        },
        resp::{Limits, Output},
    };

    /// A connection with callers, of which every order of steps is tried: the machine that runs, with
    /// a driver and callers that do what it says.
    #[derive(Clone)]
    struct Model {
        machine: Outbound<usize>,
        /// Requests in the socket's hands that were not taken, unless somebody writes.
        sink: Option<usize>,
        /// Requests that somebody writes.
        writing: usize,
        written: u64,
        /// Requests that the server has, and replies that it has sent.
        asked: usize,
        answered: usize,
        callers: Vec<Caller>,
        places: Vec<Option<(Key, Ticket)>>,
        driver: Driver,
        /// Somebody has woken the driver while it ran.
        woken: bool,
        /// The time at which everything happens.
        now: Instant,
    }

    /// What a caller does next; each sends one request after the other.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Caller {
        /// It can send, and will as often as this.
        Ready(u8),
        /// It writes what was appended, its own request among it.
        Writes(u8),
        /// It waits for its reply.
        Waits(u8),
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Driver {
        Scheduled,
        Writes,
        /// It has flushed, and reads next.
        Reads,
        /// Until it is woken, or a reply comes.
        Waits,
        /// Until it is woken, a reply comes, or the socket takes more.
        WaitsToWrite,
    }

    /// All that decides what can happen next.
    type State = (
        (WriteScheduler, usize, bool),
        (Option<usize>, usize, usize, usize),
        Vec<(Caller, Option<Ticket>)>,
        (Driver, bool),
    );

    fn request() -> Chunk {
        Chunk::encode(&Single(raw("X")), 0, None).unwrap()
    }

    /// How long a request is.
    fn length() -> usize {
        let mut output = Box::<Output>::default();
        request().append_to(&mut output);
        output.len()
    }

    impl Model {
        fn new() -> Self {
            let settings = ConnectionSettings {
                server: Arc::new(Address::Unix("s".into())),
                events: Events::default(),
                max_unanswered: usize::MAX,
                max_unread: None,
                heartbeat: None,
                proves: false,
                seed: 0,
            };
            Self {
                machine: Outbound::new(settings),
                sink: Some(0),
                writing: 0,
                written: 0,
                asked: 0,
                answered: 0,
                callers: vec![Caller::Ready(2), Caller::Ready(2), Caller::Ready(2)],
                places: vec![None; 3],
                driver: Driver::Scheduled,
                woken: false,
                now: Instant::now(),
            }
        }

        fn state(&self) -> State {
            // Tickets count on, and only their order matters.
            let first = self
                .places
                .iter()
                .flatten()
                .map(|(_, ticket)| *ticket)
                .min();
            let rank = |ticket: Ticket| first.map(|first| ticket.since(first));
            let callers = self
                .callers
                .iter()
                .zip(&self.places)
                .map(|(caller, place)| (*caller, place.and_then(|(_, ticket)| rank(ticket))));
            (
                self.machine.writing_state(),
                (self.sink, self.writing, self.asked, self.answered),
                callers.collect(),
                (self.driver, self.woken),
            )
        }

        fn wake(&mut self) {
            if matches!(self.driver, Driver::Waits | Driver::WaitsToWrite) {
                self.driver = Driver::Scheduled;
            } else {
                self.woken = true;
            }
        }

        /// Takes what is to be written; says whether there is somebody who may.
        fn take(&mut self) -> bool {
            let Some(left) = self.sink.take() else {
                return false;
            };
            self.writing = left;
            if left == 0 {
                let mut output = Box::<Output>::default();
                self.machine.take_output(&mut output);
                self.writing = output.len() / length();
            }
            true
        }

        fn follow(&mut self, step: &Step<usize>) -> bool {
            match step.turn {
                WriteStep::Write => return self.take(),
                WriteStep::Wake => self.wake(),
                WriteStep::Nothing => {}
            }
            false
        }

        /// Ends a write of which `rest` requests were not taken by the socket.
        fn end_write(&mut self, rest: usize) {
            let taken = self.writing - rest;
            self.asked += taken;
            self.written += (taken * length()) as u64;
            self.writing = 0;
            self.sink = Some(rest);
        }

        /// All that can happen next.
        fn next(&self) -> Vec<Self> {
            let mut all = Vec::new();
            for (at, caller) in self.callers.iter().enumerate() {
                match *caller {
                    Caller::Ready(left) if left > 0 => {
                        let mut next = self.clone();
                        let mut chunk = request();
                        let admission = next.machine.admission(&chunk, false).unwrap();
                        assert_eq!(admission, Admission::Send);
                        let time = Time {
                            now: next.now,
                            deadline: None,
                        };
                        let (key, ticket, step) = next.machine.send(&mut chunk, at, time);
                        next.places[at] = Some((key, ticket));
                        next.callers[at] = if next.follow(&step) {
                            Caller::Writes(left - 1)
                        } else {
                            Caller::Waits(left - 1)
                        };
                        all.push(next);
                    }
                    Caller::Writes(left) => {
                        for rest in [0, self.writing] {
                            let mut next = self.clone();
                            next.end_write(rest);
                            if next.machine.wrote(next.written, rest > 0) == WriteStep::Wake {
                                next.wake();
                            }
                            next.callers[at] = Caller::Waits(left);
                            all.push(next);
                        }
                    }
                    Caller::Ready(_) | Caller::Waits(_) => {}
                }
            }
            if self.asked > 0 {
                for replies in [1, self.asked] {
                    let mut next = self.clone();
                    next.asked -= replies;
                    next.answered += replies;
                    if matches!(next.driver, Driver::Waits | Driver::WaitsToWrite) {
                        next.driver = Driver::Scheduled;
                    }
                    all.push(next);
                }
            }
            self.drive(&mut all);
            all
        }

        fn drive(&self, all: &mut Vec<Self>) {
            let mut next = self.clone();
            match self.driver {
                Driver::Scheduled => {
                    next.woken = false;
                    let has_more = next.sink.is_some_and(|left| left > 0);
                    let work = next.machine.look(false, has_more, &mut Default::default());
                    let writes = matches!(work, DriverWork::Write) && next.take();
                    next.driver = if writes {
                        Driver::Writes
                    } else {
                        Driver::Reads
                    };
                    all.push(next);
                }
                Driver::Writes => {
                    for rest in [0, self.writing] {
                        let mut next = self.clone();
                        next.end_write(rest);
                        next.machine.driver_wrote(next.written, rest > 0);
                        next.driver = if rest == 0 {
                            // It looks again before it reads.
                            Driver::Scheduled
                        } else {
                            Driver::WaitsToWrite
                        };
                        all.push(next);
                    }
                }
                Driver::Reads if self.answered > 0 => {
                    for most in [1, 2, usize::MAX] {
                        let mut next = self.clone();
                        if next.read(most) == Delivered::Batch {
                            next.driver = Driver::Scheduled;
                        }
                        all.push(next);
                    }
                }
                Driver::Reads => {
                    // Whoever woke it while it ran has it run again.
                    next.driver = if std::mem::take(&mut next.woken) {
                        Driver::Scheduled
                    } else {
                        Driver::Waits
                    };
                    all.push(next);
                }
                Driver::WaitsToWrite => {
                    next.driver = Driver::Scheduled;
                    all.push(next);
                }
                Driver::Waits => {}
            }
        }

        /// Hands out at most so many replies, whose callers can go on.
        fn read(&mut self, most: usize) -> Delivered {
            let count = self.answered.min(most);
            self.answered -= count;
            let mut inbound = Inbound::new(Receiver::new(Limits::default()));
            inbound.extend(&b"+OK\r\n".repeat(count));
            let mut view = self.machine.view();
            assert!(inbound.gather(count, view.run).unwrap());
            let mut dispatch = Dispatch::new();
            let handed = self
                .machine
                .deliver(&mut inbound, &mut view, &mut dispatch)
                .unwrap();
            for at in dispatch.waiters {
                let (key, ticket) = self.places[at].take().unwrap();
                let (polled, _) = self.machine.poll(key, &(ticket..=ticket), |_| true);
                assert!(matches!(polled, Polled::Answered(Ok(_))));
                self.callers[at] = match self.callers[at] {
                    Caller::Waits(left) => Caller::Ready(left),
                    other => panic!("{other:?} was answered"),
                };
            }
            handed
        }
    }

    #[test]
    fn nothing_is_ever_left_unwritten_whatever_the_order_of_steps() {
        let first = Model::new();
        let mut seen = HashSet::from([first.state()]);
        let mut open = vec![first];
        let mut ends = 0;
        while let Some(model) = open.pop() {
            let next = model.next();
            if next.is_empty() {
                let done = |caller: &Caller| *caller == Caller::Ready(0);
                assert!(model.callers.iter().all(done), "somebody waits for ever");
                assert!(model.machine.is_idle());
                ends += 1;
            }
            for next in next {
                if seen.insert(next.state()) {
                    open.push(next);
                }
            }
        }
        assert!(ends > 0);
        assert!(seen.len() > 1000, "only {} states", seen.len());
    }

    #[test]
    fn a_deadline_is_watched_before_anything_else_happens() {
        let mut model = Model::new();
        let mut send = |at: usize, deadline: u64| {
            let time = Time {
                now: model.now,
                deadline: Some(model.now + Duration::from_millis(deadline)),
            };
            let (_, _, step) = model.machine.send(&mut request(), at, time);
            step.timer.map(|timer| timer - model.now)
        };
        assert_eq!(send(0, 5000), Some(Duration::from_secs(1)));
        assert_eq!(send(1, 5000), None, "it is looked at before");
        assert_eq!(send(2, 10), Some(Duration::from_millis(10)));
        assert_eq!(send(2, 20), None);
    }

    #[test]
    fn a_caller_writes_where_nothing_is_owed() {
        let mut scheduler = WriteScheduler::default();
        assert_eq!(scheduler.appended(true), WriteStep::Write);
        assert_eq!(scheduler.appended(false), WriteStep::Wake);
        assert_eq!(scheduler.appended(false), WriteStep::Nothing);
        assert_eq!(
            scheduler.written(true),
            WriteStep::Nothing,
            "the driver was woken"
        );
        assert_eq!(scheduler.look(true), WriteStep::Write);
        assert_eq!(scheduler.written(false), WriteStep::Nothing);
    }

    #[test]
    fn the_last_of_a_wave_writes_for_all() {
        let mut scheduler = WriteScheduler::default();
        scheduler.wake_batch(3);
        assert_eq!(scheduler.appended(false), WriteStep::Nothing);
        assert_eq!(scheduler.appended(false), WriteStep::Nothing);
        assert_eq!(scheduler.appended(false), WriteStep::Write);
        // Somebody else has nothing to do with the wake batch.
        assert_eq!(
            scheduler.appended(false),
            WriteStep::Nothing,
            "the driver comes behind it"
        );
        scheduler.wake_batch(3);
        assert_eq!(scheduler.appended(false), WriteStep::Nothing);
        assert_eq!(
            scheduler.look(true),
            WriteStep::Nothing,
            "the wake batch's write goes on"
        );
        assert_eq!(scheduler.written(true), WriteStep::Wake);
    }
}
