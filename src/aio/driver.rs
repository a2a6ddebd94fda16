//! The task of one connection: read, feed, drain, write, wait.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncReadExt,
    time::{self, Sleep},
};

use super::{
    connection::{Core, Outlook, Work, cannot_write},
    stream::{Source, Written},
};
use crate::{
    error::{Error, ErrorKind, Result},
    protocol::Receiver,
    resp::Frame,
};

/// Moves bytes between a socket and the [`Core`] of its connection until one of them ends.
///
/// It never waits for the socket to become writable without reading as well: a server that is not
/// read from may stop reading itself.
///
/// Replies are handed out in *waves*. After each, the driver steps back behind the tasks that it has
/// woken, and what they send next is written together. So a loaded connection takes few calls to the
/// system for many commands, and the server has the next commands while replies are still handed
/// out. A single reply makes no wave: its caller finds the connection idle and writes by itself.
pub(super) struct Driver {
    core: Arc<Core>,
    source: Source,
    receiver: Receiver,
    /// Frames and wakers on their way, kept for their memory.
    frames: Vec<Frame>,
    wakers: Vec<Waker>,
    /// The one timer, and for when it is set.
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Instant>,
    outlook: Outlook,
    /// The connection has ended and all who waited know.
    ended: bool,
}

/// What was handed out.
enum Handed {
    Nothing,
    Little,
    Wave,
}

impl Driver {
    pub(super) fn new(core: Arc<Core>, source: Source, receiver: Receiver) -> Self {
        Self {
            core,
            source,
            receiver,
            frames: Vec::new(),
            wakers: Vec::new(),
            timer: Box::pin(time::sleep(Duration::ZERO)),
            timer_at: None,
            outlook: Outlook::default(),
            ended: false,
        }
    }

    /// Works until there is nothing to do but wait; ready with the reason why it must end.
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        loop {
            let flushed = self.flush(cx);
            // The handshake may have read more than its own replies.
            loop {
                match self.hand_out() {
                    Ok(Handed::Nothing) => break,
                    Ok(Handed::Little) => {}
                    Ok(Handed::Wave) => {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Err(error) => return Poll::Ready(error),
                }
            }
            match self.receive(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Pending => {
                    // Only now: what the server has said before it closed was worth reading.
                    if let Poll::Ready(Err(error)) = flushed {
                        return Poll::Ready(error);
                    }
                    ready!(self.wait(cx));
                }
            }
        }
    }

    /// Writes what callers have appended; pending while the socket takes no more.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut returned = None;
        loop {
            let work = self.core.take_work(cx, returned.take(), &mut self.outlook);
            let mut sink = match work {
                Work::Close(error) => return Poll::Ready(Err(error)),
                Work::Nothing => return Poll::Ready(Ok(())),
                Work::Write(sink) => sink,
            };
            let written = sink.write();
            if matches!(written, Ok(Written::All)) {
                returned = Some(sink);
                continue;
            }
            self.core.put_back(sink);
            written.map_err(cannot_write)?;
            ready!(self.source.poll_write_ready(cx)).map_err(cannot_write)?;
        }
    }

    /// Reads once.
    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let length = {
            let read = pin!(self.source.read_buf(self.receiver.space()));
            ready!(read.poll(cx))
                .map_err(|error| Error::io(ErrorKind::Connection, "cannot read", error))?
        };
        if length == 0 {
            return Poll::Ready(Err(Error::new(
                ErrorKind::Connection,
                "the server has closed it",
            )));
        }
        Poll::Ready(Ok(()))
    }

    /// Hands out some of the frames that are complete, even those in front of a broken one.
    fn hand_out(&mut self) -> Result<Handed> {
        if self.outlook.run > 1
            && let Some(run) = self.receiver.run(self.outlook.run)
        {
            let delivered = self
                .core
                .deliver_run(run, &mut self.wakers, &mut self.outlook);
            self.wake();
            return delivered.map(|()| Handed::Little);
        }
        let mut broken = None;
        let wave = wave(self.outlook.owed);
        while self.frames.len() < wave {
            match self.receiver.frame() {
                Ok(Some(frame)) => self.frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    broken = Some(Error::from(error));
                    break;
                }
            }
        }
        if self.frames.is_empty() {
            return broken.map_or(Ok(Handed::Nothing), Err);
        }
        let full = self.frames.len() == wave;
        let delivered =
            self.core
                .deliver(self.frames.drain(..), &mut self.wakers, &mut self.outlook);
        let several = self.wakers.len() > 1;
        self.wake();
        // Nobody shall have to keep more messages than it can read.
        let pushed = delivered?;
        let handed = if several || (pushed && full) {
            Handed::Wave
        } else {
            Handed::Little
        };
        broken.map_or(Ok(handed), Err)
    }

    /// Waits for the next deadline; ready when those whose time has run out were answered.
    ///
    /// The timer is set again only when it has fired or would be too late, not for every request.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(wanted) = self.outlook.timer else {
            return Poll::Pending;
        };
        if self.timer_at != Some(wanted) {
            self.timer.as_mut().reset(wanted.into());
            self.timer_at = Some(wanted);
        }
        ready!(self.timer.as_mut().poll(cx));
        self.timer_at = None;
        self.core.expire(wanted.max(now()), &mut self.wakers);
        self.wake();
        Poll::Ready(())
    }

    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }

    fn end(&mut self, error: &Error) {
        self.ended = true;
        self.core.end(error, &mut self.wakers);
        self.wake();
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let error = ready!(this.drive(cx));
        this.end(&error);
        Poll::Ready(())
    }
}

impl Drop for Driver {
    /// Nobody must wait for a driver that is gone, be it by a panic or with its runtime.
    fn drop(&mut self) {
        if !self.ended {
            self.end(&Error::new(
                ErrorKind::Connection,
                "its task was stopped, as happens when the runtime is shut down",
            ));
        }
    }
}

fn now() -> Instant {
    time::Instant::now().into_std()
}

/// How many replies are handed out before the callers among them have a turn, when `owed` are owed.
///
/// Four waves share what is under way, so that the server has work while replies are handed out;
/// smaller ones than this would cost more calls to the system than they gain.
fn wave(owed: usize) -> usize {
    (owed / 4).clamp(16, 64)
}
