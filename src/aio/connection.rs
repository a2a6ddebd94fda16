//! One connection as its users see it: they append, wait and leave.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::BytesMut;

use super::{
    dial::Dialled,
    driver::Driver,
    waiting::{Frames, Key, Waiting},
};
use crate::{
    command::Exchange,
    error::{Error, ErrorKind, Outcome, Result},
    protocol::{Event, Greeting, Queue, Ticket},
    resp::Frame,
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
    pushes: Pushes,
    /// Wakes the driver.
    driver: Option<Waker>,
    /// The driver was woken and has not looked since.
    notified: bool,
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

/// What the driver learns when it looks into the queue.
pub(super) enum Work {
    /// Write what was taken, if anything, and look again at the deadline.
    Continue {
        /// When somebody's time runs out.
        deadline: Option<Instant>,
    },
    /// Close the socket.
    Close(Error),
}

impl Connection {
    /// Starts the driver of a connection.
    ///
    /// It runs on the runtime that the caller runs on.
    pub(super) fn start(dialled: Dialled, keeps_pushes: bool) -> Self {
        let core = Arc::new(Core {
            state: Mutex::new(State {
                queue: Queue::new().checking(dialled.greeting.checked.clone()),
                waiting: Waiting::default(),
                pushes: Pushes::default(),
                driver: None,
                notified: false,
                closing: None,
                ended: None,
            }),
            open: AtomicBool::new(true),
            keeps_pushes,
            greeting: dialled.greeting,
        });
        tokio::spawn(Driver::new(
            Arc::clone(&core),
            dialled.stream,
            dialled.receiver,
        ));
        Self(core)
    }

    /// Encodes an exchange into the output and takes a place for its replies.
    ///
    /// # Errors
    ///
    /// The connection has ended, or an argument cannot be sent; nothing was sent then.
    pub(super) fn send<E: Exchange>(
        &self,
        exchange: &E,
        deadline: Option<Instant>,
        waker: &Waker,
    ) -> Result<(Key, Ticket)> {
        let mut state = self.0.lock();
        if let Some(end) = state.ended.as_ref().or(state.closing.as_ref()) {
            return Err(end.clone().with_outcome(Outcome::NotSent));
        }
        // The bound on the bytes of the output belongs here.
        let key = state.waiting.next_key();
        let ticket = state.queue.send(exchange, key, deadline)?;
        state.waiting.take_place(waker.clone());
        let driver = state.driver_to_wake();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        Ok((key, ticket))
    }

    /// The frames that answer the call at `key`, whose place is then free.
    pub(super) fn poll(&self, key: Key, waker: &Waker) -> Poll<Result<Frames>> {
        match self.0.lock().waiting.poll(key, waker) {
            Some(result) => Poll::Ready(result),
            None => Poll::Pending,
        }
    }

    /// Forgets a call whose place is not free yet.
    pub(super) fn forget(&self, key: Key, ticket: Ticket) {
        let mut state = self.0.lock();
        state.queue.abandon(ticket);
        let freed = state.waiting.free(key);
        drop(state);
        // Frames may be large, and what the end of a waker sets off is not known here.
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
        if let Some(driver) = driver {
            driver.wake();
        }
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
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close(Error::new(ErrorKind::Closed, "the client was dropped"));
    }
}

impl Core {
    /// Looks at what is to be done, and takes the output if `chunk` is empty.
    pub(super) fn take_work(&self, cx: &Context<'_>, chunk: &mut BytesMut) -> Work {
        let mut state = self.lock();
        state.notified = false;
        match &mut state.driver {
            Some(driver) => driver.clone_from(cx.waker()),
            None => state.driver = Some(cx.waker().clone()),
        }
        if let Some(error) = &state.closing {
            return Work::Close(error.clone());
        }
        if chunk.is_empty() {
            state.queue.take_output(chunk);
        }
        Work::Continue {
            deadline: state.queue.poll_timeout(),
        }
    }

    /// Hands out what was read, and collects whom to wake.
    ///
    /// # Errors
    ///
    /// Nobody waits for a reply, or too many pushes: the connection must end.
    pub(super) fn deliver(&self, frames: &mut Vec<Frame>, wakers: &mut Vec<Waker>) -> Result<()> {
        let mut state = self.lock();
        for frame in frames.drain(..) {
            match state.queue.accept(frame)? {
                Event::Reply {
                    waiter,
                    frame,
                    last,
                } => wakers.extend(state.waiting.reply(waiter, frame, last)),
                Event::Push(frame) if self.keeps_pushes => {
                    state.pushes.bytes += frame.as_bytes().len();
                    state.pushes.frames.push_back(frame);
                    wakers.append(&mut state.pushes.wakers);
                    if state.pushes.bytes > MOST_PUSHED {
                        return Err(Error::new(
                            ErrorKind::Connection,
                            format!("more than {MOST_PUSHED} bytes of messages were not read"),
                        ));
                    }
                }
                Event::Push(_) | Event::Swallowed => {}
            }
        }
        Ok(())
    }

    /// Answers those whose time has run out, and returns the next deadline.
    pub(super) fn expire(&self, now: Instant, wakers: &mut Vec<Waker>) -> Option<Instant> {
        let mut state = self.lock();
        let State { queue, waiting, .. } = &mut *state;
        queue.handle_timeout(now, |key, error| wakers.extend(waiting.fail(key, error)));
        queue.poll_timeout()
    }

    /// Answers all who wait with `error`, for good.
    pub(super) fn end(&self, error: &Error, written: u64, wakers: &mut Vec<Waker>) {
        self.open.store(false, Ordering::Release);
        let mut state = self.lock();
        if state.ended.is_some() {
            return;
        }
        let State { queue, waiting, .. } = &mut *state;
        queue.fail(written, |key, outcome| {
            wakers.extend(waiting.fail(key, error.clone().with_outcome(outcome)));
        });
        wakers.append(&mut state.pushes.wakers);
        state.ended = Some(error.clone());
        state.driver = None;
    }

    /// A panic while the mutex was held has left nothing half-done: the queue takes back what was
    /// not completed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The driver, unless it was woken already and has not looked since.
    ///
    /// It is to be woken when the mutex is free again, since it will want it.
    fn driver_to_wake(&mut self) -> Option<Waker> {
        if std::mem::replace(&mut self.notified, true) {
            None
        } else {
            self.driver.clone()
        }
    }
}

/// A connection whose user lets more messages pile up is closed.
const MOST_PUSHED: usize = 64 << 20;
