//! One connection as its users see it: they append, wait and leave.

use std::{
    collections::VecDeque,
    ops::RangeInclusive,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Instant,
};

use super::{
    dial::Dialled,
    driver::Driver,
    stream::{Sink, Written},
    waiting::{Key, Polled, Waiting},
};
use crate::{
    command::Exchange,
    config::Config,
    error::{Error, ErrorKind, Outcome, Phase, Result},
    link::Seen,
    protocol::{Flush, Gate, Greeting, Queue, Sent, Ticket, Turn, Whose},
    resp::{Frame, Frames, Run},
};

/// A connection and the task that drives it.
///
/// Its users share it by `Arc`; when the last of them is gone, the driver closes the socket.
pub(super) struct Connection(Arc<Core>);

/// What users and driver share.
pub(super) struct Core {
    state: Mutex<State>,
    /// Cleared at the end; may be read without the mutex.
    open: AtomicBool,
    /// Whether pushes are kept for [`Connection::poll_push`].
    keeps_pushes: bool,
    /// What the server told about itself.
    greeting: Greeting,
}

struct State {
    queue: Queue<Key>,
    waiting: Waiting,
    gate: Gate<Key>,
    pushes: Pushes,
    /// Where to write; absent while somebody writes, and after the end.
    sink: Option<Sink>,
    /// Writing has failed, which the driver has not seen yet.
    failed: Option<Error>,
    flush: Flush,
    /// Wakes the driver.
    driver: Option<Waker>,
    /// When the driver will look at the deadlines.
    timer: Option<Instant>,
    /// Somebody wants the connection to end.
    closing: Option<Error>,
    /// The connection has ended.
    ended: Option<Error>,
}

#[derive(Default)]
struct Pushes {
    frames: VecDeque<Frame>,
    /// The sizes of `frames` together.
    bytes: usize,
    wakers: Vec<Waker>,
}

/// Where a call stands after it was sent.
pub(super) enum Place {
    /// It waits for its replies.
    Sent(Key, Sent),
    /// It must wait for its turn to send.
    InFront(Key),
}

/// What the driver learns when it looks into the queue.
pub(super) enum Work {
    /// Write.
    Write(Sink),
    /// There is nothing to write, or somebody else writes.
    Nothing,
    /// Close the socket.
    Close(Error),
}

/// What the driver has to expect.
#[derive(Default)]
pub(super) struct Outlook {
    /// When it must call [`Core::expire`].
    pub(super) timer: Option<Instant>,
    /// How many calls wait for replies.
    pub(super) owed: usize,
    /// How many of the next frames may be delivered as a run.
    pub(super) run: usize,
}

impl Connection {
    /// Starts the driver of a connection.
    ///
    /// It runs on the runtime that the caller runs on.
    pub(super) fn start(dialled: Dialled, config: &Config, keeps_pushes: bool) -> Self {
        let (source, sink) = dialled.stream.split();
        let core = Arc::new(Core {
            state: Mutex::new(State {
                queue: Queue::new().checking(dialled.greeting.checked.clone()),
                waiting: Waiting::default(),
                gate: Gate::new(config.max_unanswered),
                pushes: Pushes::default(),
                sink: Some(sink),
                failed: None,
                flush: Flush::default(),
                driver: None,
                timer: None,
                closing: None,
                ended: None,
            }),
            open: AtomicBool::new(true),
            keeps_pushes,
            greeting: dialled.greeting,
        });
        tokio::spawn(Driver::new(Arc::clone(&core), source, dialled.receiver));
        Self(core)
    }

    /// Encodes an exchange into the output and takes a place for its replies.
    ///
    /// A call that comes when too much is unanswered gets a place in front of the connection, and
    /// calls again with `admitted` when it was answered there.
    ///
    /// # Errors
    ///
    /// The connection has ended, or an argument cannot be sent; nothing was sent then.
    pub(super) fn send<E: Exchange>(
        &self,
        exchange: &E,
        deadline: Option<Instant>,
        waker: &Waker,
        admitted: bool,
    ) -> Result<Place> {
        let mut state = self.0.lock();
        state.check()?;
        if !admitted && state.gate.is_closed(state.queue.unanswered()) {
            let key = state.waiting.take_place(waker.clone(), false);
            state.gate.wait(key, deadline);
            let driver = state.driver_in_time(deadline);
            drop(state);
            wake(driver);
            return Ok(Place::InFront(key));
        }
        let was_idle = state.queue.is_answered();
        let key = state.waiting.next_key();
        let sent = state.queue.send(exchange, 0, key, deadline)?;
        state.waiting.take_place(waker.clone(), sent.next.is_some());
        self.sent(state, was_idle, deadline);
        Ok(Place::Sent(key, sent))
    }

    /// Appends the chunk of an exchange that follows the `first` requests.
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    pub(super) fn send_more<E: Exchange>(
        &self,
        exchange: &E,
        first: usize,
        key: Key,
        deadline: Option<Instant>,
    ) -> Result<Sent> {
        let mut state = self.0.lock();
        state.check()?;
        let was_idle = state.queue.is_answered();
        let sent = state.queue.send(exchange, first, key, deadline)?;
        state.waiting.add_chunk(key, sent.next.is_none());
        self.sent(state, was_idle, deadline);
        Ok(sent)
    }

    /// Sees to it that what was appended is written.
    fn sent(&self, mut state: MutexGuard<'_, State>, was_idle: bool, deadline: Option<Instant>) {
        let admitted = state.admit();
        let mut driver = state.driver_in_time(deadline);
        let mut sink = None;
        match state.flush.appended(was_idle) {
            Turn::Write => sink = state.output(),
            Turn::Wake => driver = state.driver.clone(),
            Turn::Nothing => {}
        }
        drop(state);
        if let Some(sink) = sink {
            driver = self.write(sink).or(driver);
        }
        wake(admitted);
        wake(driver);
    }

    /// Writes what there is room for, and returns the driver if it must go on.
    fn write(&self, mut sink: Sink) -> Option<Waker> {
        let result = sink.write();
        let mut state = self.0.lock();
        let is_left = match result {
            Ok(Written::All) => state.queue.has_output(),
            Ok(Written::Some) => true,
            Err(error) => {
                state.failed.get_or_insert(cannot_write(error));
                true
            }
        };
        // After the end it is dropped.
        if state.ended.is_none() {
            state.sink = Some(sink);
        }
        match state.flush.written(is_left) {
            Turn::Wake => state.driver.clone(),
            Turn::Write | Turn::Nothing => None,
        }
    }

    /// What has happened at a place.
    ///
    /// If it is an answer the place is free then, and nothing will come for it any more.
    pub(super) fn poll(&self, key: Key, tickets: &RangeInclusive<Ticket>, waker: &Waker) -> Polled {
        let mut state = self.0.lock();
        let polled = state.waiting.poll(key, waker);
        if let Polled::Answered(Err(_)) = polled {
            state.queue.abandon(tickets.clone(), key);
        }
        polled
    }

    /// Whether a call in front of the connection may be sent.
    ///
    /// Its place is free then.
    pub(super) fn poll_turn(&self, key: Key, waker: &Waker) -> Poll<Result<Frames>> {
        match self.0.lock().waiting.poll(key, waker) {
            Polled::Answered(result) => Poll::Ready(result),
            Polled::Pending | Polled::More => Poll::Pending,
        }
    }

    /// Forgets a call whose place is not free yet.
    pub(super) fn forget(&self, key: Key, tickets: &RangeInclusive<Ticket>) {
        let mut state = self.0.lock();
        state.queue.abandon(tickets.clone(), key);
        let freed = state.waiting.free(key);
        let admitted = state.admit();
        drop(state);
        wake(admitted);
        // Frames may be large, and what the end of a waker sets off is not known here.
        drop(freed);
    }

    /// Forgets a call in front of the connection, or one that was let in and has not sent.
    pub(super) fn forget_turn(&self, key: Option<Key>) {
        let mut state = self.0.lock();
        let freed = key.and_then(|key| {
            state.gate.leave(key);
            state.waiting.free(key)
        });
        let admitted = state.admit();
        drop(state);
        wake(admitted);
        drop(freed);
    }

    /// The next message that no command asked for.
    pub(super) fn poll_push(&self, cx: &mut Context<'_>) -> Poll<Result<Frame>> {
        let mut state = self.0.lock();
        if let Some(frame) = state.pushes.frames.pop_front() {
            state.pushes.bytes -= frame.as_bytes().len();
            return Poll::Ready(Ok(frame));
        }
        if let Some(end) = &state.ended {
            return Poll::Ready(Err(end.clone()));
        }
        let wakers = &mut state.pushes.wakers;
        if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Ends the connection at once; whoever still waits gets `error`.
    pub(super) fn close(&self, error: Error) {
        let mut state = self.0.lock();
        state.closing.get_or_insert(error);
        let driver = state.driver_to_wake();
        drop(state);
        self.0.open.store(false, Ordering::Release);
        wake(driver);
    }

    /// Whether the connection can be used, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Acquire)
    }

    /// What the server told about itself.
    pub(super) fn greeting(&self) -> &Greeting {
        &self.0.greeting
    }

    /// Whether the connection is open, with nothing owed and nothing left over.
    pub(super) fn is_clean(&self) -> bool {
        let state = self.0.lock();
        self.is_open() && state.queue.is_idle() && state.pushes.frames.is_empty()
    }

    /// What there is to be read, which the driver may not have had time to do.
    ///
    /// While somebody writes, that will tell.
    pub(super) fn look(&self) -> Seen {
        let state = self.0.lock();
        let sink = state.sink.as_ref();
        match sink.map(Sink::look) {
            _ if !self.is_open() => Seen::End,
            Some(seen) => seen,
            None => Seen::Nothing,
        }
    }

    /// Drops the messages that came while nobody used the connection.
    pub(super) fn drop_pushes(&self) {
        let pushes = std::mem::take(&mut self.0.lock().pushes);
        // They may be large.
        drop(pushes);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close(Error::new(ErrorKind::Closed, "the client was dropped"));
    }
}

impl Core {
    /// Looks at what is to be done; `sink` comes back from writing.
    pub(super) fn take_work(
        &self,
        cx: &Context<'_>,
        sink: Option<Sink>,
        outlook: &mut Outlook,
    ) -> Work {
        let mut state = self.lock();
        if sink.is_some() {
            state.put_back(sink);
        }
        let deadlines = [state.queue.poll_timeout(), state.gate.poll_timeout()];
        state.timer = deadlines.into_iter().chain([state.timer]).flatten().min();
        *outlook = Outlook {
            timer: state.timer,
            owed: state.queue.owed(),
            run: state.queue.run(),
        };
        match &mut state.driver {
            Some(driver) => driver.clone_from(cx.waker()),
            None => state.driver = Some(cx.waker().clone()),
        }
        if let Some(error) = state.closing.as_ref().or(state.failed.as_ref()) {
            return Work::Close(error.clone());
        }
        let has_output = state.has_output();
        match state.flush.look(has_output) {
            Turn::Write => state.output().map_or(Work::Nothing, Work::Write),
            Turn::Wake | Turn::Nothing => Work::Nothing,
        }
    }

    /// Puts back what was not wholly written, or could not be.
    pub(super) fn put_back(&self, sink: Sink) {
        self.lock().put_back(Some(sink));
    }

    /// Hands out frames, and collects whom to wake; says whether pushes were among them.
    ///
    /// # Errors
    ///
    /// A frame has nobody who waits for it, or nobody reads the pushes: the connection must end.
    pub(super) fn deliver(
        &self,
        frames: impl Iterator<Item = Frame>,
        wakers: &mut Vec<Waker>,
        outlook: &mut Outlook,
    ) -> Result<bool> {
        let mut pushed = false;
        let mut state = self.lock();
        let State {
            queue,
            waiting,
            pushes,
            ..
        } = &mut *state;
        for frame in frames {
            match queue.accept(&frame)? {
                Whose::Reply { waiter, last } => {
                    wakers.extend(waiting.reply(waiter, frame, last));
                }
                Whose::Push if self.keeps_pushes => {
                    pushed = true;
                    pushes.bytes = pushes.bytes.saturating_add(frame.as_bytes().len());
                    pushes.frames.push_back(frame);
                    wakers.append(&mut pushes.wakers);
                    if pushes.bytes > MOST_PUSHED {
                        return Err(Error::new(
                            ErrorKind::Connection,
                            format!("more than {MOST_PUSHED} bytes of messages were not read"),
                        ));
                    }
                }
                Whose::Push | Whose::Swallowed => {}
            }
        }
        wakers.extend(state.admit());
        if wakers.len() > 1 {
            // The driver lets them go first, and needs not be woken by them.
            state.flush.wave(wakers.len());
        }
        outlook.run = state.queue.run();
        Ok(pushed)
    }

    /// Hands out replies that have come side by side, and collects whom to wake.
    ///
    /// # Errors
    ///
    /// As [`Core::deliver`].
    pub(super) fn deliver_run(
        &self,
        run: Run,
        wakers: &mut Vec<Waker>,
        outlook: &mut Outlook,
    ) -> Result<()> {
        let mut state = self.lock();
        if run.len() > state.queue.run() {
            // What was looked at was given up before it was written.
            drop(state);
            return self.deliver(run.frames(), wakers, outlook).map(drop);
        }
        if let Whose::Reply { waiter, last } = state.queue.accept_run(run.len())? {
            wakers.extend(state.waiting.replies(waiter, run, last));
        }
        wakers.extend(state.admit());
        outlook.run = state.queue.run();
        Ok(())
    }

    /// Answers those whose time has run out.
    pub(super) fn expire(&self, now: Instant, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        let State {
            queue,
            waiting,
            gate,
            timer,
            ..
        } = &mut *state;
        queue.handle_timeout(now, |key, error| wakers.extend(waiting.fail(key, error)));
        gate.handle_timeout(now, |key| wakers.extend(waiting.fail(key, no_turn())));
        *timer = None;
    }

    /// Answers all who wait with `error`, for good.
    pub(super) fn end(&self, error: &Error, wakers: &mut Vec<Waker>) {
        self.open.store(false, Ordering::Release);
        let mut state = self.lock();
        if state.ended.is_some() {
            return;
        }
        let sink = state.sink.take();
        // A caller who is writing may have written everything by now.
        let written = sink.as_ref().map(Sink::written);
        let State {
            queue,
            waiting,
            gate,
            ..
        } = &mut *state;
        queue.fail(written, |key, outcome| {
            wakers.extend(waiting.fail(key, error.clone().with_outcome(outcome)));
        });
        gate.fail(|key| {
            let error = error.clone().with_outcome(Outcome::NotSent);
            wakers.extend(waiting.fail(key, error));
        });
        wakers.append(&mut state.pushes.wakers);
        state.ended = Some(error.clone());
        state.driver = None;
        drop(state);
        drop(sink);
    }

    /// A panic while the mutex was held has left nothing half-done: the queue takes back what was
    /// not completed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self) -> Result<()> {
        match self.ended.as_ref().or(self.closing.as_ref()) {
            Some(end) => Err(end.clone().with_outcome(Outcome::NotSent)),
            None => Ok(()),
        }
    }

    /// Whether something waits to be written.
    fn has_output(&mut self) -> bool {
        let sink = self.sink.as_mut();
        self.queue.has_output() || sink.is_some_and(|sink| !sink.output().is_empty())
    }

    /// Takes the sink, with what is to be written, for one whose turn it is to write.
    fn output(&mut self) -> Option<Sink> {
        let mut sink = self.sink.take()?;
        if sink.output().is_empty() {
            // It stays empty if everything was given up.
            self.queue.take_output(sink.output());
        }
        Some(sink)
    }

    /// Takes the sink back from the driver, which looks again whatever is left.
    fn put_back(&mut self, sink: Option<Sink>) {
        self.sink = sink;
        self.flush.written(false);
    }

    /// Lets the next one in who waits in front of the connection.
    fn admit(&mut self) -> Option<Waker> {
        let key = self.gate.admit(self.queue.unanswered())?;
        self.waiting.admit(key)
    }

    /// The driver, unless it was woken already and has not looked since.
    ///
    /// It is to be woken when the mutex is free again, since it will want it.
    fn driver_to_wake(&mut self) -> Option<Waker> {
        match self.flush.wake() {
            Turn::Wake => self.driver.clone(),
            Turn::Write | Turn::Nothing => None,
        }
    }

    /// The driver, if it must be told of a deadline.
    fn driver_in_time(&mut self, deadline: Option<Instant>) -> Option<Waker> {
        let deadline = deadline?;
        if self.timer.is_some_and(|timer| timer <= deadline) {
            return None;
        }
        self.driver_to_wake()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

pub(super) fn cannot_write(error: std::io::Error) -> Error {
    Error::io(ErrorKind::Connection, "cannot write", error)
}

fn no_turn() -> Error {
    Error::new(
        ErrorKind::Timeout(Phase::Queue),
        "too many bytes of other requests were unanswered",
    )
}

/// A connection whose user lets more messages pile up is closed.
const MOST_PUSHED: usize = 64 << 20;
