//! Who writes what was appended to an output, and when.

/// Decides between callers who append and the driver that reads, so that few writes carry much.
///
/// ```text
///  a caller appends ──┬─ nothing is owed ─────────────────────▶ it writes
///                     ├─ one of a wave, and the last of them ─▶ it writes for all
///                     ├─ one of a wave ───────────────────────▶ nothing: the last one writes, or
///                     │                                         the driver, which runs behind them
///                     └─ replies are owed ────────────────────▶ it wakes the driver, which writes
///                                                               when others have appended as well
/// ```
///
/// A *wave* are callers who were woken together by replies that came together. The driver has
/// itself scheduled behind them. Only one writes at a time, and whoever has written looks whether
/// there is more by then.
///
/// All of it happens under the lock of the connection, so that the only thing that can go wrong is
/// the order of steps, of which the tests try all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Flush {
    /// Somebody writes.
    busy: bool,
    /// How many of the last wave have not appended anything since.
    expected: usize,
    /// The driver was woken and has not looked since.
    notified: bool,
}

/// What is to be done by whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Write what there is, and tell [`Flush::written`].
    Write,
    /// Wake the driver.
    Wake,
    /// Nothing.
    Nothing,
}

impl Flush {
    /// A caller has appended; `was_idle` says that no reply was owed before.
    pub(crate) fn appended(&mut self, was_idle: bool) -> Turn {
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
            Turn::Write
        } else {
            Turn::Nothing
        }
    }

    /// The driver looks; `has_output` says whether there is something to write.
    pub(crate) fn look(&mut self, has_output: bool) -> Turn {
        self.notified = false;
        self.expected = 0;
        if has_output && !self.busy {
            self.busy = true;
            Turn::Write
        } else {
            Turn::Nothing
        }
    }

    /// Somebody has written; `is_left` says whether there is something to write, be it new.
    ///
    /// The driver itself does not need to be woken.
    pub(crate) fn written(&mut self, is_left: bool) -> Turn {
        self.busy = false;
        if is_left { self.wake() } else { Turn::Nothing }
    }

    /// The driver has woken `callers` together, and will look again behind them.
    pub(crate) fn wave(&mut self, callers: usize) {
        self.expected = callers;
        self.notified = true;
    }

    /// Has the driver woken, unless it was and has not looked since.
    pub(crate) fn wake(&mut self) -> Turn {
        if std::mem::replace(&mut self.notified, true) {
            Turn::Nothing
        } else {
            Turn::Wake
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// A connection with callers, of which every order of steps is tried.
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Model {
        flush: Flush,
        /// Requests that are appended, and that are with whoever writes.
        output: usize,
        writing: usize,
        /// Requests that the server has, and replies that it has sent.
        asked: usize,
        answered: usize,
        callers: Vec<Caller>,
        driver: Driver,
    }

    /// What a caller does next; each sends one request after the other.
    #[derive(Clone, Copy, PartialEq, Eq, Hash)]
    enum Caller {
        /// It can send, and will as often as this.
        Ready(u8),
        /// It writes what was appended, its own request among it.
        Writes(u8),
        /// It waits for its reply.
        Waits(u8),
    }

    #[derive(Clone, Copy, PartialEq, Eq, Hash)]
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

    impl Model {
        fn do_turn(&mut self, turn: Turn) -> bool {
            match turn {
                Turn::Write => {
                    self.writing += std::mem::take(&mut self.output);
                    return true;
                }
                Turn::Wake => {
                    if matches!(self.driver, Driver::Waits | Driver::WaitsToWrite) {
                        self.driver = Driver::Scheduled;
                    }
                    // It is running, and its waker makes it run again.
                }
                Turn::Nothing => {}
            }
            false
        }

        fn owed(&self) -> usize {
            self.output + self.writing + self.asked + self.answered
        }

        /// Ends a write of which `rest` requests were not taken by the socket.
        fn end_write(&mut self, rest: usize) -> Turn {
            self.asked += self.writing - rest;
            self.writing = 0;
            self.output += rest;
            self.flush.written(self.output > 0)
        }

        /// All that can happen next.
        fn next(&self) -> Vec<Self> {
            let mut all = Vec::new();
            for (at, caller) in self.callers.iter().enumerate() {
                match *caller {
                    Caller::Ready(left) if left > 0 => {
                        let mut next = self.clone();
                        let was_idle = next.owed() == 0;
                        next.output += 1;
                        let turn = next.flush.appended(was_idle);
                        let writes = next.do_turn(turn);
                        next.callers[at] = if writes {
                            Caller::Writes(left - 1)
                        } else {
                            Caller::Waits(left - 1)
                        };
                        all.push(next);
                    }
                    Caller::Writes(left) => {
                        for rest in [0, self.writing] {
                            let mut next = self.clone();
                            let turn = next.end_write(rest);
                            next.do_turn(turn);
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
            let mut next = self.clone();
            match self.driver {
                Driver::Scheduled => {
                    let turn = next.flush.look(next.output > 0);
                    next.driver = if next.do_turn(turn) {
                        Driver::Writes
                    } else {
                        Driver::Reads
                    };
                    all.push(next);
                }
                Driver::Writes => {
                    for rest in [0, self.writing] {
                        let mut next = self.clone();
                        let _ = next.end_write(rest);
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
                        let mut woken = 0;
                        for caller in &mut next.callers {
                            if let Caller::Waits(left) = *caller
                                && woken < most
                                && next.answered > 0
                            {
                                next.answered -= 1;
                                woken += 1;
                                *caller = Caller::Ready(left);
                            }
                        }
                        if woken > 1 {
                            next.flush.wave(woken);
                            next.driver = Driver::Scheduled;
                        }
                        all.push(next);
                    }
                }
                Driver::Reads => {
                    // Whoever woke it while it ran has it run again.
                    next.driver = if next.flush.notified {
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
            all
        }
    }

    #[test]
    fn nothing_is_ever_left_unwritten_whatever_the_order_of_steps() {
        let first = Model {
            flush: Flush::default(),
            output: 0,
            writing: 0,
            asked: 0,
            answered: 0,
            callers: vec![Caller::Ready(2), Caller::Ready(2), Caller::Ready(2)],
            driver: Driver::Scheduled,
        };
        let mut seen = HashSet::from([first.clone()]);
        let mut open = vec![first];
        let mut ends = 0;
        while let Some(model) = open.pop() {
            let next = model.next();
            if next.is_empty() {
                let done = |caller: &Caller| *caller == Caller::Ready(0);
                assert!(model.callers.iter().all(done), "somebody waits for ever");
                assert_eq!(model.owed(), 0);
                ends += 1;
            }
            for next in next {
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        assert!(ends > 0);
        assert!(seen.len() > 1000, "only {} states", seen.len());
    }

    #[test]
    fn a_caller_writes_where_nothing_is_owed() {
        let mut flush = Flush::default();
        assert_eq!(flush.appended(true), Turn::Write);
        assert_eq!(flush.appended(false), Turn::Wake);
        assert_eq!(flush.appended(false), Turn::Nothing);
        assert_eq!(flush.written(true), Turn::Nothing, "the driver was woken");
        assert_eq!(flush.look(true), Turn::Write);
        assert_eq!(flush.written(false), Turn::Nothing);
    }

    #[test]
    fn the_last_of_a_wave_writes_for_all() {
        let mut flush = Flush::default();
        flush.wave(3);
        assert_eq!(flush.appended(false), Turn::Nothing);
        assert_eq!(flush.appended(false), Turn::Nothing);
        assert_eq!(flush.appended(false), Turn::Write);
        // Somebody else has nothing to do with the wave.
        assert_eq!(
            flush.appended(false),
            Turn::Nothing,
            "the driver comes behind it"
        );
        flush.wave(3);
        assert_eq!(flush.appended(false), Turn::Nothing);
        assert_eq!(flush.look(true), Turn::Nothing, "the wave's write goes on");
        assert_eq!(flush.written(true), Turn::Wake);
    }
}
