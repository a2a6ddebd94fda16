//! The task of one connection: read, feed, drain, write, wait.

use std::{
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Instant,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    time::{self, Sleep},
};

use super::{
    connection::{Core, Work},
    stream::Stream,
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
pub(super) struct Driver {
    core: Arc<Core>,
    stream: Stream,
    receiver: Receiver,
    /// What is being written; its memory goes back and forth between here and the queue.
    chunk: BytesMut,
    /// How much of `chunk` is written.
    position: usize,
    /// How many bytes the socket has taken in all.
    written: u64,
    /// Frames and wakers on their way, kept for their memory.
    frames: Vec<Frame>,
    wakers: Vec<Waker>,
    /// When somebody's time runs out, as of the last look.
    deadline: Option<Instant>,
    /// The one timer, and for when it is set.
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Instant>,
    /// The connection has ended and all who waited know.
    ended: bool,
}

impl Driver {
    pub(super) fn new(core: Arc<Core>, stream: Stream, receiver: Receiver) -> Self {
        Self {
            core,
            stream,
            receiver,
            chunk: BytesMut::new(),
            position: 0,
            written: 0,
            frames: Vec::new(),
            wakers: Vec::new(),
            deadline: None,
            timer: Box::pin(time::sleep(time::Duration::ZERO)),
            timer_at: None,
            ended: false,
        }
    }

    /// Works until there is nothing to do but wait; ready with the reason why it must end.
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        // The handshake may have read more than its own replies.
        if let Err(error) = self.feed() {
            return Poll::Ready(error);
        }
        loop {
            self.expire();
            let flushed = self.flush(cx);
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
    ///
    /// When to flush at once and when to let more callers append is decided here.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            match self.core.take_work(cx, &mut self.chunk) {
                Work::Close(error) => return Poll::Ready(Err(error)),
                Work::Continue { deadline } => self.deadline = deadline,
            }
            if self.chunk.is_empty() {
                return Poll::Ready(Ok(()));
            }
            while self.position < self.chunk.len() {
                let rest = self.chunk.get(self.position..).unwrap_or_default();
                let length = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))
                    .and_then(|length| match length {
                        0 => Err(io::ErrorKind::WriteZero.into()),
                        length => Ok(length),
                    })
                    .map_err(|error| Error::io(ErrorKind::Connection, "cannot write", error))?;
                self.position += length;
                self.written += length as u64;
            }
            self.chunk.clear();
            self.position = 0;
        }
    }

    /// Reads once, and hands out what has come.
    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let length = {
            let read = pin!(self.stream.read_buf(self.receiver.space()));
            ready!(read.poll(cx))
                .map_err(|error| Error::io(ErrorKind::Connection, "cannot read", error))?
        };
        if length == 0 {
            return Poll::Ready(Err(Error::new(
                ErrorKind::Connection,
                "the server has closed it",
            )));
        }
        Poll::Ready(self.feed())
    }

    /// Hands out the frames that are complete, even those in front of a broken one.
    fn feed(&mut self) -> Result<()> {
        let broken = loop {
            match self.receiver.frame() {
                Ok(Some(frame)) => self.frames.push(frame),
                Ok(None) => break None,
                Err(error) => break Some(Error::from(error)),
            }
        };
        if !self.frames.is_empty() {
            let delivered = self.core.deliver(&mut self.frames, &mut self.wakers);
            self.wake();
            delivered?;
        }
        broken.map_or(Ok(()), Err)
    }

    /// Answers those whose time has run out, however busy the socket is.
    fn expire(&mut self) {
        if let Some(deadline) = self.deadline {
            let now = time::Instant::now().into_std();
            if deadline <= now {
                self.deadline = self.core.expire(now, &mut self.wakers);
                self.wake();
            }
        }
    }

    /// Waits for the next deadline.
    ///
    /// The timer is set again only when it has fired or would be too late, not for every request.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        if self.timer_at.is_none_or(|at| deadline < at) {
            self.timer.as_mut().reset(deadline.into());
            self.timer_at = Some(deadline);
        }
        ready!(self.timer.as_mut().poll(cx));
        self.timer_at = None;
        Poll::Ready(())
    }

    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }

    fn end(&mut self, error: &Error) {
        self.ended = true;
        self.core.end(error, self.written, &mut self.wakers);
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
