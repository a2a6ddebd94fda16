//! What a driver reads: bytes, frames, and what is wrong with them.

use std::io;

use bytes::BytesMut;

use super::Receiver;
use crate::{
    error::Error,
    resp::{Frame, Run},
};

/// The half of a connection that belongs to whoever reads, under no lock.
///
/// Frames are gathered here and handed to the [`Outbound`](super::Outbound) together.
#[derive(Debug)]
pub(crate) struct Inbound {
    receiver: Receiver,
    frames: Vec<Frame>,
    run: Option<Run>,
    /// What is wrong behind the frames that were gathered.
    broken: Option<Error>,
    /// Something has come that the other half does not know of.
    heard: bool,
}

impl Inbound {
    /// Goes on with the receiver that the handshake has read with.
    pub(crate) fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            frames: Vec::new(),
            run: None,
            broken: None,
            heard: false,
        }
    }

    /// The buffer to append to, for a driver that can read into memory that is not initialised.
    pub(crate) fn space(&mut self) -> &mut BytesMut {
        self.receiver.space()
    }

    /// Takes note that the driver has read something.
    pub(crate) fn received(&mut self) {
        self.heard = true;
    }

    /// Lets `read` fill initialised memory, and returns how much it has read.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    #[inline]
    pub(crate) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.receiver.fill(read)
    }

    /// Whether something was read since this was asked last.
    #[inline]
    pub(crate) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    /// Gathers frames that are complete, at most so many, and says whether there are any.
    ///
    /// As many as `run` of the next ones are for one waiter if they are no pushes.
    ///
    /// # Errors
    ///
    /// The bytes are no RESP, and all frames in front of that were handed out.
    #[inline]
    pub(crate) fn gather(&mut self, most: usize, run: usize) -> Result<bool, Error> {
        if run > 1 {
            self.run = self.receiver.run(run);
            if self.run.is_some() {
                return Ok(true);
            }
        }
        while self.frames.len() < most && self.broken.is_none() {
            match self.receiver.frame() {
                Ok(Some(frame)) => self.frames.push(frame),
                Ok(None) => break,
                Err(error) => self.broken = Some(error.into()),
            }
        }
        if self.frames.is_empty()
            && let Some(error) = self.broken.take()
        {
            return Err(error);
        }
        Ok(!self.frames.is_empty())
    }

    /// The next frame, for a driver that gathers none.
    ///
    /// # Errors
    ///
    /// The bytes are no RESP.
    #[cfg(feature = "blocking")]
    #[inline]
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        Ok(self.receiver.frame()?)
    }

    /// What was gathered.
    #[inline]
    pub(super) fn parts(&mut self) -> (Option<Run>, &mut Vec<Frame>) {
        (self.run.take(), &mut self.frames)
    }

    /// Whether no byte waits for the rest of its frame.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty() && self.frames.is_empty()
    }

    /// Appends bytes from elsewhere.
    #[cfg(test)]
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.receiver.extend(bytes);
        self.heard = true;
    }
}
