//! The task of one connection: read, feed, drain, write, wait.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use tokio::io::AsyncReadExt;

use super::{
    connection::{Core, Task},
    stream::{Source, Written},
};
use crate::{
    error::{Error, Result},
    protocol::{Delivered, Dispatch, DriverView, Inbound, Loss},
};

/// Moves bytes between a socket and the [`Core`] of its connection until one of them ends.
///
/// It never waits for the socket to become writable without reading as well: a server that is not
/// read from may stop reading itself.
///
/// Replies are handed out in *wake batches*. After each, the driver steps back behind the tasks that it has
/// woken, and what they send next is written together. So a loaded connection takes few calls to the
/// system for many commands, and the server has the next commands while replies are still handed
/// out. A single reply makes no wake batch: its caller finds the connection idle and writes by itself.
pub(super) struct Driver {
    core: Arc<Core>,
    source: Source,
    inbound: Inbound,
    /// Frames and wakers on their way, kept for their memory.
    dispatch: Dispatch<Waker>,
    view: DriverView,
    /// The connection has ended and all who waited know.
    ended: bool,
}

impl Driver {
    pub(super) fn new(core: Arc<Core>, source: Source, inbound: Inbound) -> Self {
        Self {
            core,
            source,
            inbound,
            dispatch: Dispatch::new(),
            view: DriverView::default(),
            ended: false,
        }
    }

    /// Works until there is nothing to do but wait; ready with the reason why it must end.
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Infallible>> {
        loop {
            let flushed = self.flush(cx);
            // The handshake may have read more than its own replies.
            while self.inbound.gather(self.view.wake_batch, self.view.run)? {
                if self.hand_out()? == Delivered::Batch {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            if self.receive(cx)?.is_pending() {
                let Poll::Ready(Err(error)) = flushed else {
                    return Poll::Pending;
                };
                // What the server has said before the end is worth reading, and the runtime may not
                // have heard of it yet.
                if !self.receive_now() {
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// Writes what callers have appended; pending while the socket takes no more.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut returned = None;
        loop {
            let heard = self.inbound.take_heard();
            let task = self.core.look(cx, returned.take(), heard, &mut self.view);
            let mut sink = match task {
                Task::Close(error) => return Poll::Ready(Err(error)),
                Task::Nothing => return Poll::Ready(Ok(())),
                Task::Write(sink) => sink,
            };
            let written = sink.write();
            if matches!(written, Ok(Written::All)) {
                returned = Some(sink);
                continue;
            }
            self.core.put_back(sink);
            written.map_err(|error| self.core.lost(Loss::Write(error)))?;
            ready!(self.source.poll_write_ready(cx))
                .map_err(|error| self.core.lost(Loss::Write(error)))?;
        }
    }

    /// Reads once.
    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let length = {
            let read = pin!(self.source.read_buf(self.inbound.space()));
            ready!(read.poll(cx)).map_err(|error| self.core.lost(Loss::Read(error)))?
        };
        if length == 0 {
            return Poll::Ready(Err(self.core.lost(Loss::Closed)));
        }
        self.inbound.received();
        Poll::Ready(Ok(()))
    }

    /// Reads what is there, whether the runtime knows of it or not; says whether there was anything.
    fn receive_now(&mut self) -> bool {
        let source = &self.source;
        let read = self.inbound.fill(|bytes| source.read_now(bytes));
        let has_read = read.is_ok_and(|length| length > 0);
        if has_read {
            self.inbound.received();
        }
        has_read
    }

    /// Hands out what was gathered, and wakes those who are told.
    fn hand_out(&mut self) -> Result<Delivered> {
        let handed = self
            .core
            .deliver(&mut self.inbound, &mut self.view, &mut self.dispatch);
        self.wake();
        handed
    }

    fn wake(&mut self) {
        for waker in self.dispatch.waiters.drain(..) {
            waker.wake();
        }
        self.dispatch.clear();
    }

    fn end(&mut self, error: &Error) {
        self.ended = true;
        self.core.end(error, &mut self.dispatch);
        self.wake();
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Err(error) = ready!(this.drive(cx));
        this.end(&error);
        Poll::Ready(())
    }
}

impl Drop for Driver {
    /// Nobody must wait for a driver that is gone, be it by a panic or with its runtime.
    fn drop(&mut self) {
        if !self.ended {
            let stopped = self.core.lost(Loss::Stopped);
            self.end(&stopped);
        }
    }
}
