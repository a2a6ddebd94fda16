//! What is sent and owed on one connection, and everything that is decided about it.

use std::{
    io,
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    BackPressure, Beat, Chunk, ConnectionSettings, FrameOwner, Inbound, Key, Liveness, Loss,
    Polled, Pushes, Queue, Ticket, WaiterSlot, Waiters, WriteScheduler, WriteStep, queue::Expired,
};
use crate::{
    address::Address,
    error::{Error, ErrorKind, Outcome, Phase, Result},
    events::{DisconnectReason, Event, Events},
    mutant::{self, Mutant},
    resp::{Frame, Frames, Output},
};

/// The half of a connection that its callers append to, and that hands out what the driver has read.
///
/// Whoever drives it holds a lock while it is asked something. It makes no call to the system, wakes
/// nobody, drops no frames and runs no code of users; what of that is to be done is its answer.
///
/// `W` is how to let a caller know.
#[derive(Clone, Debug)]
pub(crate) struct Outbound<W> {
    queue: Queue<Key>,
    waiters: Waiters<W>,
    back_pressure: BackPressure<Key>,
    scheduler: WriteScheduler,
    pushes: Pushes<W>,
    liveness: Liveness,
    stage: Stage,
    /// When [`Outbound::handle_timeout`] will be called, for all that was asked for.
    timer: Option<Instant>,
    /// How many bytes were written in all.
    written: u64,
    /// The socket takes no more for now.
    is_full: bool,
    /// Replies are held back until the nonce behind their batch has come.
    proves: bool,
    /// Whether that is wanted of the calls that are for everybody.
    may_prove: bool,
    /// Calls that were answered, as far as is known before the next nonce has come.
    held: Vec<Held>,
    /// The peer was not heard for too long.
    mute: Option<Error>,
    /// Why it ends, unless whoever has no use for it any more tells that.
    why: Option<(DisconnectReason, Error)>,
    /// It was told that it is used no longer, since its driver does not come.
    set_aside: bool,
    /// Where the server is, for messages and events.
    server: Arc<Address>,
    events: Events,
}

#[derive(Clone, Debug)]
enum Stage {
    Open,
    /// It shall end for this reason, which the driver has not seen yet.
    Closing(Error),
    Closed(Error),
}

#[derive(Clone, Copy, Debug)]
struct Held {
    key: Key,
    since: Instant,
    deadline: Option<Instant>,
}

/// When a call is made, and until when it must be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    pub(crate) now: Instant,
    pub(crate) deadline: Option<Instant>,
}

/// Whether a call may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Send,
    /// Too much is unanswered: it must wait for its turn.
    Wait,
}

/// What is to be done when the lock is free again.
#[derive(Debug)]
pub(crate) struct Step<W> {
    /// Whether to write, or to wake the driver.
    pub(crate) turn: WriteStep,
    /// Somebody whose turn it is to send.
    pub(crate) admitted: Option<W>,
    /// [`Outbound::handle_timeout`] must be called by then.
    pub(crate) timer: Option<Instant>,
}

/// What has come of one wake batch: the waiters to tell, and frames that no caller wants, which the
/// driver drops behind that.
#[derive(Debug)]
pub(crate) struct Dispatch<W> {
    pub(crate) waiters: Vec<W>,
    /// Replies to callers who have left.
    pub(crate) unwanted: Vec<Frame>,
    /// What has come of requests that have failed later.
    pub(crate) parts: Vec<Frames>,
}

/// How much was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// The driver can go on.
    Few,
    /// Several callers were told: the driver steps back behind them.
    Batch,
}

/// What came next.
#[cfg(feature = "blocking")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextFrame {
    /// Nothing yet.
    Nothing,
    /// The whole answer to the caller, whose place is free now.
    Answer,
    /// Something was handed out.
    Other,
}

/// What the driver has to do when it looks.
#[derive(Debug)]
pub(crate) enum DriverWork {
    /// Take the output and write.
    Write,
    /// There is nothing to write, or somebody else writes.
    Nothing,
    /// End the connection, when all that has come was read.
    Close(Error),
}

/// What the driver has to expect.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DriverView {
    /// How many frames to gather at most before they are handed out.
    pub(crate) wake_batch: usize,
    /// How many of the next frames are for one waiter, if they are no pushes.
    pub(crate) run: usize,
}

impl<W: Clone> Outbound<W> {
    /// A connection after its handshake.
    pub(crate) fn new(settings: ConnectionSettings) -> Self {
        Self {
            queue: Queue::new(),
            waiters: Waiters::new(),
            back_pressure: BackPressure::new(settings.max_unanswered),
            scheduler: WriteScheduler::default(),
            pushes: Pushes::new(settings.max_unread),
            liveness: Liveness::new(settings.heartbeat, settings.seed),
            stage: Stage::Open,
            timer: None,
            written: 0,
            is_full: false,
            proves: settings.proves,
            may_prove: settings.proves,
            held: Vec::new(),
            mute: None,
            why: None,
            set_aside: false,
            server: settings.server,
            events: settings.events,
        }
    }

    /// Whether a chunk may be sent now; `admitted` says that its turn has come.
    ///
    /// # Errors
    ///
    /// The connection has ended, or replies are owed and the chunk must be alone.
    #[inline]
    pub(crate) fn admission(&self, chunk: &Chunk, admitted: bool) -> Result<Admission> {
        self.check()?;
        self.queue.check(chunk)?;
        if !admitted && self.back_pressure.is_closed(self.queue.unanswered()) {
            return Ok(Admission::Wait);
        }
        Ok(Admission::Send)
    }

    /// Says, of a connection that one caller has at a time, whether the next call may be followed by a
    /// probe, which one that has changed the connection may not be.
    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn prove(&mut self, may: bool) {
        self.proves = may && self.may_prove;
    }

    /// Whether the answer has come for somebody who waits there.
    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn is_answered(&self, key: Key) -> bool {
        self.waiters.is_answered(key)
    }

    /// Lets a caller wait for its turn.
    pub(crate) fn wait(&mut self, waiter: W, time: Time) -> (Key, Step<W>) {
        let key = self.waiters.take_place(waiter, false, false);
        self.back_pressure.wait(key, time);
        let step = Step {
            turn: WriteStep::Nothing,
            admitted: None,
            timer: self.set_timer(time),
        };
        (key, step)
    }

    /// Appends a chunk that may be sent, and takes a place for its replies.
    #[inline]
    pub(crate) fn send(
        &mut self,
        chunk: &mut Chunk,
        waiter: W,
        time: Time,
    ) -> (Key, Ticket, Step<W>) {
        let (more, blocking) = (chunk.next().is_some(), chunk.is_blocking());
        let key = self.waiters.take_place(waiter, more, blocking);
        let (ticket, step) = self.append(chunk, key, time);
        (key, ticket, step)
    }

    /// Appends the next chunk of a call.
    ///
    /// # Errors
    ///
    /// The connection has ended.
    pub(crate) fn send_more(
        &mut self,
        chunk: &mut Chunk,
        key: Key,
        time: Time,
    ) -> Result<(Ticket, Step<W>)> {
        // What was sent before may have been executed.
        self.check()
            .map_err(|error| error.with_outcome(Outcome::Indeterminate))?;
        self.waiters.add_chunk(key, chunk.next().is_none());
        Ok(self.append(chunk, key, time))
    }

    #[inline(always)]
    fn append(&mut self, chunk: &mut Chunk, key: Key, time: Time) -> (Ticket, Step<W>) {
        let was_idle = self.queue.is_answered();
        let ticket = self.queue.append(chunk, key, time.now, time.deadline);
        let step = Step {
            turn: self.scheduler.appended(was_idle),
            admitted: self.admit(),
            timer: self.set_timer(time),
        };
        (ticket, step)
    }

    /// What has happened at a place; `is_same` says whether its waiter is the one to tell.
    ///
    /// If it is an answer the place is free then, and nothing will come for it any more. The driver may
    /// have to be woken behind that.
    #[inline]
    pub(crate) fn poll(
        &mut self,
        key: Key,
        tickets: &RangeInclusive<Ticket>,
        is_same: impl FnOnce(&W) -> bool,
    ) -> (Polled, WriteStep) {
        let (polled, ends) = self.waiters.poll(key, is_same);
        if let Polled::Answered(Err(_)) = polled {
            self.queue.abandon(tickets.clone(), key);
        }
        let turn = if ends {
            self.give_up()
        } else {
            WriteStep::Nothing
        };
        (polled, turn)
    }

    /// What has happened at a place in front of the connection.
    pub(crate) fn poll_turn(&mut self, key: Key, is_same: impl FnOnce(&W) -> bool) -> Polled {
        self.waiters.poll(key, is_same).0
    }

    /// Has another waiter told, and returns what is to be dropped.
    pub(crate) fn renew(&mut self, key: Key, waiter: W) -> W {
        self.waiters.renew(key, waiter)
    }

    /// Forgets a call whose place is not free yet; what was in it is to be dropped.
    pub(crate) fn forget(
        &mut self,
        key: Key,
        tickets: &RangeInclusive<Ticket>,
    ) -> (Option<WaiterSlot<W>>, Step<W>) {
        self.queue.abandon(tickets.clone(), key);
        if !mutant::is(Mutant::HeldKept) {
            self.held.retain(|held| held.key != key);
        }
        let freed = self.waiters.free(key);
        let ends = freed.as_ref().is_some_and(WaiterSlot::ends_connection);
        let turn = if ends {
            self.give_up()
        } else {
            WriteStep::Nothing
        };
        (freed, self.made_room(turn))
    }

    /// Forgets a call in front of the connection, or one that was let in and has not sent.
    pub(crate) fn forget_turn(&mut self, key: Option<Key>) -> (Option<WaiterSlot<W>>, Step<W>) {
        let freed = key.and_then(|key| {
            self.back_pressure.leave(key);
            self.waiters.free(key)
        });
        (freed, self.made_room(WriteStep::Nothing))
    }

    /// Ends the connection of a blocking command that was given up.
    fn give_up(&mut self) -> WriteStep {
        let error = given_up(&self.server);
        self.ends(DisconnectReason::Dirty, &error);
        self.close(error)
    }

    fn made_room(&mut self, turn: WriteStep) -> Step<W> {
        Step {
            turn,
            admitted: self.admit(),
            timer: None,
        }
    }

    /// Whether something waits to be taken for writing.
    #[cfg(test)]
    fn has_output(&self) -> bool {
        self.queue.has_output()
    }

    /// Moves what is to be written into `into`, which must be empty.
    ///
    /// It stays empty if everything was given up.
    #[inline]
    pub(crate) fn take_output(&mut self, into: &mut Box<Output>) {
        if self.proves && !mutant::is(Mutant::NonceOmitted) {
            self.queue.settle();
            if self.queue.has_output() {
                let now = self.queue.last_since();
                let nonce = self.liveness.nonce();
                if let Some(now) = now {
                    self.queue.probe(nonce, now);
                }
            }
        }
        self.queue.take_output(into);
    }

    /// A caller has written; `written` is how many bytes were in all, and `is_left` says whether
    /// something of what was taken is left.
    ///
    /// With TLS these are the bytes of requests, not of records, and only those of whole records.
    #[inline]
    pub(crate) fn wrote(&mut self, written: u64, is_left: bool) -> WriteStep {
        self.wrote_some(written, is_left);
        let is_left = is_left || self.queue.has_output();
        self.scheduler.written(is_left)
    }

    /// The driver has written, and looks again whatever is left.
    #[inline]
    pub(crate) fn driver_wrote(&mut self, written: u64, is_left: bool) {
        self.wrote_some(written, is_left);
        self.scheduler.written(false);
    }

    #[inline]
    fn wrote_some(&mut self, written: u64, is_left: bool) {
        if self.is_full && written > self.written {
            // A peer that takes little at a time is alive.
            self.liveness.heard();
        }
        self.is_full = is_left;
        self.written = written;
    }

    /// A caller could not write: the driver has to end the connection, when it has read what came.
    pub(crate) fn write_failed(&mut self, error: io::Error) -> WriteStep {
        let error = self.lost(Loss::Write(error));
        if let Stage::Open = self.stage {
            self.stage = Stage::Closing(error);
        }
        self.scheduler.written(true)
    }

    /// The driver looks; `heard` says whether it has read anything since it looked last, and
    /// `has_more` whether something that was taken is not written yet.
    pub(crate) fn look(
        &mut self,
        heard: bool,
        has_more: bool,
        view: &mut DriverView,
    ) -> DriverWork {
        if heard {
            self.liveness.heard();
        }
        self.liveness.driver_came();
        self.set_aside = false;
        *view = self.view();
        match &self.stage {
            Stage::Open => {}
            Stage::Closing(error) | Stage::Closed(error) => {
                return DriverWork::Close(error.clone());
            }
        }
        if self.liveness.has_heard() {
            self.mute = None;
        }
        if let Some(mute) = &self.mute {
            return DriverWork::Close(mute.clone());
        }
        let has_output = has_more || self.queue.has_output();
        match self.scheduler.look(has_output) {
            WriteStep::Write => DriverWork::Write,
            WriteStep::Wake | WriteStep::Nothing => DriverWork::Nothing,
        }
    }

    /// Hands out what was gathered.
    ///
    /// # Errors
    ///
    /// Nobody waits for a frame, one shows that replies are out of order, or more messages are unread
    /// than may be: the connection must end. What came before was handed out.
    #[inline]
    pub(crate) fn deliver(
        &mut self,
        inbound: &mut Inbound,
        view: &mut DriverView,
        dispatch: &mut Dispatch<W>,
    ) -> Result<Delivered> {
        let full = view.wake_batch;
        let (run, frames) = inbound.parts();
        let mut pushed = false;
        if let Some(run) = run {
            if run.len() <= self.queue.run() {
                let since = self.queue.front_time();
                if let FrameOwner::Reply { waiter, last } = self.queue.accept_run(&run)? {
                    let answered = self.waiters.replies(waiter, run, last, dispatch);
                    self.answered(answered, waiter, since, dispatch);
                } else {
                    dispatch.unwanted.extend(run.frames());
                }
            } else {
                // What was looked at was given up before it was written.
                for frame in run.frames() {
                    self.deliver_one(frame, dispatch)?;
                }
            }
            self.delivered(view, dispatch);
            return Ok(Delivered::Few);
        }
        let count = frames.len();
        let mut result = Ok(());
        let mut frames = frames.drain(..);
        while let Some(frame) = frames.next() {
            match self.deliver_one(frame, dispatch) {
                Ok(is_push) => pushed |= is_push,
                Err(error) => {
                    result = Err(error);
                    dispatch.unwanted.extend(frames);
                    break;
                }
            }
        }
        self.delivered(view, dispatch);
        result?;
        let several = dispatch.waiters.len() > 1;
        if several {
            // The driver lets them go first, and needs not be woken by them.
            self.scheduler.wake_batch(dispatch.waiters.len());
        }
        // Nobody shall have to keep more messages than it can read.
        Ok(if several || (pushed && count == full) {
            Delivered::Batch
        } else {
            Delivered::Few
        })
    }

    #[inline]
    fn delivered(&mut self, view: &mut DriverView, dispatch: &mut Dispatch<W>) {
        self.liveness.heard();
        if let Some(admitted) = self.admit() {
            dispatch.waiters.push(admitted);
        }
        view.run = self.queue.run();
    }

    /// Hands out what comes next, for a driver that reads only while its one caller waits there; the
    /// answer to that goes into `answer`.
    ///
    /// # Errors
    ///
    /// As [`Outbound::deliver`], or the bytes are no RESP.
    #[cfg(feature = "blocking")]
    pub(crate) fn deliver_next(
        &mut self,
        key: Key,
        inbound: &mut Inbound,
        answer: &mut Frames,
        dispatch: &mut Dispatch<W>,
    ) -> Result<NextFrame> {
        let mut view = self.view();
        if view.run > 1 {
            if !inbound.gather(1, view.run)? {
                return Ok(NextFrame::Nothing);
            }
            self.deliver(inbound, &mut view, dispatch)?;
            return Ok(NextFrame::Other);
        }
        let Some(frame) = inbound.next_frame()? else {
            return Ok(NextFrame::Nothing);
        };
        self.liveness.heard();
        let time = self.front_time();
        match self.queue.accept(&frame) {
            // Of most calls it is all that answers them, and need not be kept in between.
            Ok(FrameOwner::Reply { waiter, last: true })
                if waiter == key && !self.proves && self.waiters.free_unanswered(key) =>
            {
                *answer = frame.into();
                Ok(NextFrame::Answer)
            }
            Ok(whose) => {
                self.hand_out(whose, frame, time, dispatch)?;
                Ok(NextFrame::Other)
            }
            Err(error) => {
                dispatch.unwanted.push(frame);
                Err(error)
            }
        }
    }

    /// Hands out one frame, and says whether it is a push that is kept.
    #[inline]
    fn deliver_one(&mut self, frame: Frame, dispatch: &mut Dispatch<W>) -> Result<bool> {
        let time = self.front_time();
        match self.queue.accept(&frame) {
            Ok(whose) => self.hand_out(whose, frame, time, dispatch),
            Err(error) => {
                dispatch.unwanted.push(frame);
                Err(error)
            }
        }
    }

    /// When the call that comes next was made and must be answered, where that is needed to hold its
    /// answer back.
    #[inline]
    fn front_time(&self) -> Option<(Instant, Option<Instant>)> {
        match self.proves {
            true => self.queue.front_time(),
            false => None,
        }
    }

    /// Hands a frame to whose it is, and says whether it is a push that is kept.
    #[inline(always)]
    fn hand_out(
        &mut self,
        whose: FrameOwner<Key>,
        frame: Frame,
        time: Option<(Instant, Option<Instant>)>,
        dispatch: &mut Dispatch<W>,
    ) -> Result<bool> {
        match whose {
            FrameOwner::Reply { waiter, last } => {
                let answered = self.waiters.reply(waiter, frame, last, dispatch);
                self.answered(answered, waiter, time, dispatch);
            }
            FrameOwner::Push => match self.pushes.keep(frame) {
                None => {
                    self.pushes.take_waiters(&mut dispatch.waiters);
                    if let Err(error) = self.pushes.check() {
                        let error = error.of_server(&self.server);
                        self.ends(DisconnectReason::Unread, &error);
                        return Err(error);
                    }
                    return Ok(true);
                }
                Some(frame) => dispatch.unwanted.push(frame),
            },
            FrameOwner::Swallowed => dispatch.unwanted.push(frame),
            FrameOwner::Probed => {
                dispatch.unwanted.push(frame);
                self.liveness.probe_answered();
                for held in std::mem::take(&mut self.held) {
                    self.waiters.complete(held.key, dispatch);
                }
            }
        }
        Ok(false)
    }

    /// Everything has come for a call, which may have to be held back.
    #[inline]
    fn answered(
        &mut self,
        answered: bool,
        key: Key,
        time: Option<(Instant, Option<Instant>)>,
        dispatch: &mut Dispatch<W>,
    ) {
        if !answered {
            return;
        }
        match time {
            Some((since, deadline)) if self.proves => self.held.push(Held {
                key,
                since,
                deadline,
            }),
            _ => self.waiters.complete(key, dispatch),
        }
    }

    /// When [`Outbound::handle_timeout`] should be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timer
    }

    /// Answers those whose time has run out, looks whether the peer lives, and says whether the
    /// driver must be woken.
    pub(crate) fn handle_timeout(&mut self, now: Instant, dispatch: &mut Dispatch<W>) -> WriteStep {
        if self.timer.is_some_and(|timer| timer > now) {
            return WriteStep::Nothing;
        }
        if let Stage::Closed(_) = self.stage {
            self.timer = None;
            return WriteStep::Nothing;
        }
        self.expire(now, dispatch);
        let owes = (!self.queue.is_idle() || self.is_full) && !self.queue.awaits_end();
        let mut turn = WriteStep::Nothing;
        if owes {
            let (asked, is_called) = (self.queue.probes(), self.scheduler.is_called());
            match self.liveness.look(now, asked, is_called) {
                Beat::Probe(nonce) => {
                    self.liveness.probed(now, asked);
                    self.queue.probe(nonce, now);
                }
                Beat::Mute(silence) => {
                    let mute = Error::new(
                        ErrorKind::Connection,
                        format!("{} has sent nothing for {silence:.1?}", self.server),
                    );
                    self.mute = Some(mute);
                }
                Beat::Nothing => {}
            }
            turn = self.scheduler.wake();
            self.tell_if_stalled(now);
        } else {
            self.liveness.rest();
        }
        // Somebody whose turn has come may never take it up.
        dispatch.waiters.extend(self.admit());
        let again = (owes || self.back_pressure.has_waiting())
            .then(|| now.checked_add(self.liveness.period()))
            .flatten();
        let held = self.held.iter().filter_map(|held| held.deadline);
        self.timer = [
            again,
            self.queue.poll_timeout(),
            self.back_pressure.poll_timeout(),
            held.min(),
        ]
        .into_iter()
        .flatten()
        .min();
        turn
    }

    /// Answers those whose time has run out.
    pub(crate) fn expire(&mut self, now: Instant, dispatch: &mut Dispatch<W>) {
        let Self {
            queue,
            waiters,
            back_pressure,
            held,
            server,
            ..
        } = self;
        queue.handle_timeout(now, |expired| {
            let Expired { waiter, .. } = expired;
            waiters.fail(waiter, timed_out(expired, server), dispatch);
        });
        back_pressure.handle_timeout(now, |key, allowed| {
            let error = Error::new(
                ErrorKind::Timeout(Phase::Queue),
                format!(
                    "too many bytes of other requests to {server} were unanswered for {allowed:?} (max_unanswered of the config)"
                ),
            );
            waiters.fail(key, error, dispatch);
        });
        held.retain(|held| {
            let waits = held.deadline.is_none_or(|deadline| deadline > now);
            if !waits {
                let allowed = held.deadline.map_or(held.since, |deadline| deadline);
                let expired = Expired {
                    waiter: held.key,
                    unsent: false,
                    allowed: allowed.saturating_duration_since(held.since),
                };
                waiters.fail(held.key, timed_out(expired, server), dispatch);
            }
            waits
        });
    }

    /// Has the connection end; the driver must be woken behind that.
    ///
    /// Whoever asks for it tells why the connection is used no longer.
    pub(crate) fn close(&mut self, error: Error) -> WriteStep {
        if let Stage::Open = self.stage {
            self.stage = Stage::Closing(error);
        }
        self.scheduler.wake()
    }

    /// The connection has ended: answers all who wait, for good.
    ///
    /// `written` is how many bytes of requests reached the socket; where that is not known, all that
    /// was taken may have.
    pub(crate) fn end(
        &mut self,
        error: &Error,
        written: Option<u64>,
        now: Instant,
        dispatch: &mut Dispatch<W>,
    ) {
        if let Stage::Closed(_) = self.stage {
            return;
        }
        let named;
        let error = match error.kind() {
            // Whoever reads the bytes does not know whose they are.
            ErrorKind::Protocol => {
                named = error.clone().of_server(&self.server);
                &named
            }
            _ => error,
        };
        if error.kind() == ErrorKind::Protocol {
            self.ends(DisconnectReason::Protocol, error);
        } else if self.mute.is_some() {
            self.ends(DisconnectReason::Mute, error);
        }
        let why = self.why.take();
        let by_server = matches!(why, Some((DisconnectReason::Ended, _)));
        self.tell_of_end(why, now);
        let Self {
            queue,
            waiters,
            back_pressure,
            ..
        } = self;
        queue.fail(written, by_server, |key, outcome| {
            if outcome == Outcome::Answered {
                waiters.reply(key, Frame::ok(), true, dispatch);
                waiters.complete(key, dispatch);
            } else {
                waiters.fail(key, error.clone().with_outcome(outcome), dispatch);
            }
        });
        back_pressure.fail(|key| {
            let error = error.clone().with_outcome(Outcome::NotSent);
            waiters.fail(key, error, dispatch);
        });
        for held in self.held.drain(..) {
            let error = error.clone().with_outcome(Outcome::Indeterminate);
            waiters.fail(held.key, error, dispatch);
        }
        self.pushes.take_waiters(&mut dispatch.waiters);
        self.stage = Stage::Closed(error.clone());
        self.timer = None;
    }

    /// The timer that was asked for was not set; the next call asks again.
    pub(crate) fn no_timer(&mut self) {
        self.timer = None;
    }

    /// Whether the connection has ended and all who waited know.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed(_))
    }

    /// The next message that no command asked for, or the reason why there will be none.
    pub(crate) fn next_push(&mut self) -> Option<Result<Frame>> {
        if let Some(frame) = self.pushes.pop() {
            return Some(Ok(frame));
        }
        match &self.stage {
            Stage::Closed(error) => Some(Err(error.clone().with_outcome(Outcome::NotSent))),
            Stage::Open | Stage::Closing(_) => None,
        }
    }

    /// Lets a caller wait for a message, and returns what is to be dropped.
    pub(crate) fn wait_for_push(
        &mut self,
        waiter: W,
        is_same: impl Fn(&W, &W) -> bool,
    ) -> Option<W> {
        self.pushes.wait(waiter, is_same)
    }

    /// What the driver has to expect.
    #[inline]
    pub(crate) fn view(&self) -> DriverView {
        DriverView {
            wake_batch: wake_batch(self.queue.owed()),
            run: self.queue.run(),
        }
    }

    /// All that decides who writes next.
    #[cfg(test)]
    pub(crate) fn writing_state(&self) -> (WriteScheduler, usize, bool) {
        (
            self.scheduler,
            self.queue.waiting(),
            self.queue.is_answered(),
        )
    }

    /// Whether every reply has come, nothing waits to be written, and no message is unread.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_idle() && self.pushes.is_empty()
    }

    /// Whether [`Outbound::measured`] shall be called, since the answer to a heartbeat has come.
    #[inline]
    pub(crate) fn wants_time(&self) -> bool {
        self.liveness.wants_time()
    }

    /// The answer to a heartbeat has come now.
    #[cold]
    pub(crate) fn measured(&mut self, now: Instant) {
        self.liveness.measured(now);
    }

    /// How long the last heartbeat took to be answered, if one was.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.liveness.round_trip()
    }

    /// How many bytes of requests are not answered.
    pub(crate) fn unanswered(&self) -> u64 {
        self.queue.unanswered()
    }

    /// Whether the driver does not come although it was called: another connection is needed.
    pub(crate) fn is_stalled(&self) -> bool {
        self.liveness.is_stalled()
    }

    /// The error of a connection that has ended like this.
    pub(crate) fn lost(&mut self, loss: Loss) -> Error {
        let reason = loss.reason();
        let error = loss.into_error(&self.server);
        if let Some(reason) = reason {
            self.ends(reason, &error);
        }
        error
    }

    /// Takes note of why it ends; what is known first is the reason.
    fn ends(&mut self, reason: DisconnectReason, error: &Error) {
        self.why.get_or_insert_with(|| (reason, error.clone()));
    }

    /// Tells why it has ended, unless it was used no longer before.
    fn tell_of_end(&self, why: Option<(DisconnectReason, Error)>, now: Instant) {
        let Some((reason, error)) = why.filter(|_| !self.set_aside) else {
            return;
        };
        self.events.tell(now, || Event::Disconnected {
            server: Arc::clone(&self.server),
            reason,
            error: Some(error),
        });
    }

    /// Tells that nobody uses it any longer whose driver does not come.
    fn tell_if_stalled(&mut self, now: Instant) {
        if self.set_aside || !self.is_stalled() {
            return;
        }
        self.set_aside = true;
        self.events.tell(now, || Event::Disconnected {
            server: Arc::clone(&self.server),
            reason: DisconnectReason::Stalled,
            error: None,
        });
    }

    /// # Errors
    ///
    /// The connection has ended or will, and nothing more is sent.
    #[inline]
    pub(crate) fn check(&self) -> Result<()> {
        match &self.stage {
            Stage::Open => Ok(()),
            Stage::Closing(end) | Stage::Closed(end) => {
                Err(end.clone().with_outcome(Outcome::NotSent))
            }
        }
    }

    /// Lets the next one in who waits in front of the connection.
    #[inline]
    fn admit(&mut self) -> Option<W> {
        if !self.back_pressure.has_waiting() {
            return None;
        }
        let key = self.back_pressure.admit(self.queue.unanswered())?;
        self.waiters.admit(key)
    }

    /// Has the timer set, unless it is set for an earlier time.
    #[inline]
    fn set_timer(&mut self, time: Time) -> Option<Instant> {
        // Most calls find it set: one look a period is enough for all of them.
        if let Some(timer) = self.timer {
            match time.deadline {
                Some(deadline) if deadline < timer => {}
                _ => return None,
            }
        }
        let look = time.now.checked_add(self.liveness.period());
        let timer = [look, time.deadline].into_iter().flatten().min()?;
        self.timer = Some(timer);
        self.timer
    }
}

impl<W> Dispatch<W> {
    pub(crate) const fn new() -> Self {
        Self {
            waiters: Vec::new(),
            unwanted: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Drops what nobody wants, when no lock is held.
    pub(crate) fn clear(&mut self) {
        self.waiters.clear();
        self.unwanted.clear();
        self.parts.clear();
    }
}

fn timed_out(expired: Expired<Key>, server: &Address) -> Error {
    let allowed = expired.allowed;
    if expired.unsent {
        Error::new(
            ErrorKind::Timeout(Phase::Write),
            format!("{server} has not taken the request within {allowed:?}"),
        )
    } else {
        Error::new(
            ErrorKind::Timeout(Phase::Reply),
            format!("no reply from {server} within {allowed:?}"),
        )
        .with_outcome(Outcome::Indeterminate)
    }
}

fn given_up(server: &Address) -> Error {
    Error::new(
        ErrorKind::Connection,
        format!(
            "a blocking command was given up, which ends the connection to {server} that it waits on"
        ),
    )
}

/// How many replies are handed out before the callers among them have a turn, when `owed` are owed.
///
/// Four wake batches share what is under way, so that the server has work while replies are handed out;
/// smaller ones than this would cost more calls to the system than they gain.
fn wake_batch(owed: usize) -> usize {
    (owed / 4).clamp(16, 64)
}

#[cfg(test)]
mod tests;
