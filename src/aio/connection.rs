//! One connection as its users see it: they append, wait and leave.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::{
    deadlines,
    dial::Dialled,
    driver::Driver,
    runtime::now,
    stream::{Sink, Written},
};
use crate::{
    command::Exchange,
    error::{Error, Result},
    link::Seen,
    protocol::{
        Admission, Chunk, ConnectionSettings, Delivered, Dispatch, DriverView, DriverWork,
        Greeting, Inbound, Key, Loss, Outbound, Polled, Step, Ticket, Time, WriteStep,
    },
    resp::{Frame, Frames},
};

/// A connection and the task that drives it.
///
/// Its users share it by `Arc`; when the last of them is gone, the driver closes the socket.
pub(super) struct Connection(Arc<Core>);

/// What users and driver share.
pub(super) struct Core {
    state: Mutex<State>,
    /// Cleared at the end, and while nobody drives it; may be read without the mutex.
    open: AtomicBool,
    /// What the server told about itself.
    greeting: Greeting,
}

struct State {
    machine: Outbound<Waker>,
    /// Where to write; absent while somebody writes, and after the end.
    sink: Option<Sink>,
    /// Wakes the driver.
    driver: Option<Waker>,
}

/// What was sent of a call.
pub(super) struct Sent {
    pub(super) ticket: Ticket,
    /// How many of its requests were appended by now, if there are more.
    pub(super) next: Option<usize>,
}

/// Where a call stands after it was sent.
pub(super) enum SendState {
    /// It waits for its replies.
    Sent(Key, Sent),
    /// It must wait for its turn to send.
    InFront(Key),
}

/// What the driver learns when it looks.
pub(super) enum Task {
    /// Write.
    Write(Sink),
    /// There is nothing to write, or somebody else writes.
    Nothing,
    /// Close the socket.
    Close(Error),
}

impl Connection {
    /// Starts the driver of a connection.
    ///
    /// It runs on the runtime that the caller runs on.
    pub(super) fn start(dialled: Dialled, settings: ConnectionSettings) -> Self {
        let (source, sink) = dialled.stream.split();
        let core = Arc::new(Core {
            state: Mutex::new(State {
                machine: Outbound::new(settings),
                sink: Some(sink),
                driver: None,
            }),
            open: AtomicBool::new(true),
            greeting: dialled.greeting,
        });
        let inbound = Inbound::new(dialled.receiver);
        tokio::spawn(Driver::new(Arc::clone(&core), source, inbound));
        Self(core)
    }

    /// Encodes an exchange, appends it to the output and takes a place for its replies.
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
        time: Time,
        waker: &Waker,
        admitted: bool,
    ) -> Result<SendState> {
        let mut chunk = Chunk::encode(exchange, 0, self.0.greeting.checked.as_ref())?;
        let waker = waker.clone();
        let mut state = self.0.lock();
        let machine = &mut state.machine;
        let (place, step) = match machine.admission(&chunk, admitted) {
            Ok(Admission::Send) => {
                let (key, ticket, step) = machine.send(&mut chunk, waker, time);
                let next = chunk.next();
                (SendState::Sent(key, Sent { ticket, next }), step)
            }
            Ok(Admission::Wait) => {
                let (key, step) = machine.wait(waker, time);
                (SendState::InFront(key), step)
            }
            Err(error) => {
                drop(state);
                return Err(error);
            }
        };
        self.follow(state, step);
        Ok(place)
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
        time: Time,
    ) -> Result<Sent> {
        let mut chunk = Chunk::encode_more(exchange, first, self.0.greeting.checked.as_ref())?;
        let mut state = self.0.lock();
        let (ticket, step) = state.machine.send_more(&mut chunk, key, time)?;
        self.follow(state, step);
        let next = chunk.next();
        Ok(Sent { ticket, next })
    }

    /// Does what the machine wants done, without the lock.
    #[inline]
    fn follow(&self, mut state: MutexGuard<'_, State>, step: Step<Waker>) {
        let sink = match step.turn {
            WriteStep::Write => state.output(),
            WriteStep::Wake | WriteStep::Nothing => None,
        };
        let mut driver = state.driver(step.turn);
        drop(state);
        if let Some(at) = step.timer {
            deadlines::watch(&self.0, at);
        }
        if let Some(sink) = sink {
            driver = self.write(sink).or(driver);
        }
        wake(step.admitted);
        wake(driver);
    }

    /// Writes what there is room for, and returns the driver if it must go on.
    fn write(&self, mut sink: Sink) -> Option<Waker> {
        let result = sink.write();
        let mut state = self.0.lock();
        let turn = match result {
            Ok(written) => {
                let is_left = written == Written::Some;
                state.machine.wrote(sink.written(), is_left)
            }
            Err(error) => state.machine.write_failed(error),
        };
        let driver = state.driver(turn);
        // After the end it is dropped.
        let sink = state.put_back(sink);
        drop(state);
        drop(sink);
        driver
    }

    /// What has happened at a place.
    ///
    /// If it is an answer the place is free then, and nothing will come for it any more.
    #[inline]
    pub(super) fn poll(&self, key: Key, tickets: &RangeInclusive<Ticket>, waker: &Waker) -> Polled {
        match self.poll_if(key, tickets, |known| known.will_wake(waker)) {
            Polled::Stale => {
                self.renew(key, waker);
                // That two wakers are the same is not always known.
                self.poll_if(key, tickets, |_| true)
            }
            polled => polled,
        }
    }

    #[inline]
    fn poll_if(
        &self,
        key: Key,
        tickets: &RangeInclusive<Ticket>,
        is_same: impl FnOnce(&Waker) -> bool,
    ) -> Polled {
        let mut state = self.0.lock();
        let (polled, turn) = state.machine.poll(key, tickets, is_same);
        let driver = state.driver(turn);
        drop(state);
        wake(driver);
        polled
    }

    /// Whether a call in front of the connection may be sent.
    ///
    /// Its place is free then.
    pub(super) fn poll_turn(&self, key: Key, waker: &Waker) -> Poll<Result<Frames>> {
        let mut polled = self
            .0
            .lock()
            .machine
            .poll_turn(key, |known| known.will_wake(waker));
        if let Polled::Stale = polled {
            self.renew(key, waker);
            polled = self.0.lock().machine.poll_turn(key, |_| true);
        }
        match polled {
            Polled::Answered(result) => Poll::Ready(result),
            Polled::Pending | Polled::Stale | Polled::More => Poll::Pending,
        }
    }

    fn renew(&self, key: Key, waker: &Waker) {
        let waker = waker.clone();
        let before = self.0.lock().machine.renew(key, waker);
        drop(before);
    }

    /// Forgets a call whose place is not free yet.
    pub(super) fn forget(&self, key: Key, tickets: &RangeInclusive<Ticket>) {
        let mut state = self.0.lock();
        let (freed, step) = state.machine.forget(key, tickets);
        self.follow(state, step);
        drop(freed);
    }

    /// Forgets a call in front of the connection, or one that was let in and has not sent.
    pub(super) fn forget_turn(&self, key: Option<Key>) {
        let mut state = self.0.lock();
        let (freed, step) = state.machine.forget_turn(key);
        self.follow(state, step);
        drop(freed);
    }

    /// The next message that no command asked for.
    pub(super) fn poll_push(&self, cx: &mut Context<'_>) -> Poll<Result<Frame>> {
        let waker = cx.waker().clone();
        let mut state = self.0.lock();
        let known = match state.machine.next_push() {
            Some(next) => {
                drop(state);
                return Poll::Ready(next);
            }
            None => state.machine.wait_for_push(waker, Waker::will_wake),
        };
        drop(state);
        drop(known);
        Poll::Pending
    }

    /// Ends the connection at once; whoever still waits gets `error`.
    pub(super) fn close(&self, error: Error) {
        let mut state = self.0.lock();
        let turn = state.machine.close(error);
        let driver = state.driver(turn);
        drop(state);
        self.0.open.store(false, Ordering::Release);
        wake(driver);
    }

    /// Whether the connection can be used, as far as is known.
    ///
    /// One that nobody drives, since its runtime is blocked or forgotten, cannot.
    pub(super) fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Acquire)
    }

    /// What the server told about itself.
    pub(super) fn greeting(&self) -> &Greeting {
        &self.0.greeting
    }

    /// Whether the connection is open, with nothing owed and nothing left over.
    pub(super) fn is_clean(&self) -> bool {
        self.is_open() && self.0.lock().machine.is_idle()
    }

    /// What there is to be read, which the driver may not have had time to do.
    ///
    /// While somebody writes, that will tell.
    pub(super) fn look(&self) -> Seen {
        let mut state = self.0.lock();
        let seen = state.sink.as_ref().map(Sink::look);
        match seen {
            _ if !self.is_open() => Seen::End,
            Some(Seen::End) => {
                // The driver may not come to see it before the connection is dropped.
                state.machine.lost(Loss::Closed);
                Seen::End
            }
            Some(seen) => seen,
            None => Seen::Nothing,
        }
    }

    /// How many bytes of requests are not answered, and how long the last heartbeat took.
    pub(super) fn stats(&self) -> (u64, Option<Duration>) {
        let state = self.0.lock();
        (state.machine.unanswered(), state.machine.round_trip())
    }

    /// Drops the messages that came while nobody used the connection.
    pub(super) fn drop_pushes(&self) {
        let mut state = self.0.lock();
        while let Some(Ok(frame)) = state.machine.next_push() {
            drop(frame);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let error = self.0.lost(Loss::Dropped);
        self.close(error);
    }
}

impl Core {
    /// Looks at what is to be done; `sink` comes back from writing, and `heard` says whether anything
    /// was read since the last look.
    pub(super) fn look(
        &self,
        cx: &Context<'_>,
        sink: Option<Sink>,
        heard: bool,
        view: &mut DriverView,
    ) -> Task {
        let mut state = self.lock();
        if let Some(sink) = sink {
            state.machine.driver_wrote(sink.written(), false);
            // Only the driver can end the connection, and does not write then.
            let _ = state.put_back(sink);
        }
        match &mut state.driver {
            Some(driver) => driver.clone_from(cx.waker()),
            None => state.driver = Some(cx.waker().clone()),
        }
        let has_more = state
            .sink
            .as_mut()
            .is_some_and(|sink| !sink.output().is_empty());
        let work = state.machine.look(heard, has_more, view);
        if !self.open.load(Ordering::Relaxed) && state.machine.check().is_ok() {
            // It was taken for one that nobody drives.
            self.open.store(true, Ordering::Release);
        }
        match work {
            DriverWork::Write => state.output().map_or(Task::Nothing, Task::Write),
            DriverWork::Nothing => Task::Nothing,
            DriverWork::Close(error) => Task::Close(error),
        }
    }

    /// Puts back what was not wholly written, or could not be.
    pub(super) fn put_back(&self, sink: Sink) {
        let mut state = self.lock();
        state.machine.driver_wrote(sink.written(), true);
        let _ = state.put_back(sink);
    }

    /// Hands out what was gathered, and collects whom to wake.
    ///
    /// # Errors
    ///
    /// The connection must end.
    pub(super) fn deliver(
        &self,
        inbound: &mut Inbound,
        view: &mut DriverView,
        dispatch: &mut Dispatch<Waker>,
    ) -> Result<Delivered> {
        let machine = &mut self.lock().machine;
        let delivered = machine.deliver(inbound, view, dispatch);
        if machine.wants_time() {
            machine.measured(now());
        }
        delivered
    }

    /// Answers those whose time has run out, has the driver look when that is due, and returns when to
    /// do so again.
    pub(super) fn sweep(&self, now: Instant, dispatch: &mut Dispatch<Waker>) -> Option<Instant> {
        let mut state = self.lock();
        if state.machine.poll_timeout().is_none_or(|timer| timer > now) {
            // It was set for an earlier time meanwhile, or there is nothing to wait for.
            return None;
        }
        let turn = state.machine.handle_timeout(now, dispatch);
        dispatch.waiters.extend(state.driver(turn));
        if state.machine.is_stalled() {
            self.open.store(false, Ordering::Release);
        }
        state.machine.poll_timeout()
    }

    /// The timer could not be set.
    pub(super) fn no_sweep(&self) {
        self.lock().machine.no_timer();
    }

    /// The error of a connection that has ended like this.
    pub(super) fn lost(&self, loss: Loss) -> Error {
        self.lock().machine.lost(loss)
    }

    /// Answers all who wait with `error`, for good.
    pub(super) fn end(&self, error: &Error, dispatch: &mut Dispatch<Waker>) {
        self.open.store(false, Ordering::Release);
        let mut state = self.lock();
        let sink = state.sink.take();
        // A caller who is writing may have written everything by now.
        let written = sink.as_ref().map(Sink::written);
        state.machine.end(error, written, now(), dispatch);
        let driver = state.driver.take();
        drop(state);
        drop(sink);
        drop(driver);
    }

    /// A panic while the mutex was held has left nothing half-done: no code of users runs under it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the sink, with what is to be written, for one whose turn it is to write.
    fn output(&mut self) -> Option<Sink> {
        let mut sink = self.sink.take()?;
        if sink.output().is_empty() {
            self.machine.take_output(sink.output());
        }
        Some(sink)
    }

    /// Takes a sink back, or returns it when the connection has ended.
    fn put_back(&mut self, sink: Sink) -> Option<Sink> {
        if self.machine.is_closed() {
            return Some(sink);
        }
        self.sink = Some(sink);
        None
    }

    /// The driver, if it is to be woken; that is for when the mutex is free again, since it will want
    /// it.
    #[inline]
    fn driver(&self, turn: WriteStep) -> Option<Waker> {
        match turn {
            WriteStep::Wake => self.driver.clone(),
            WriteStep::Write | WriteStep::Nothing => None,
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
