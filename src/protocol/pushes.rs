//! What came that no command asked for, until it is read.

use std::collections::VecDeque;

use crate::{
    error::{Error, ErrorKind, Result},
    resp::Frame,
};

/// Messages that were not read yet, and who waits for one.
#[derive(Clone, Debug)]
pub(crate) struct Pushes<W> {
    frames: VecDeque<Frame>,
    /// The sizes of `frames` together.
    bytes: usize,
    /// How much is kept; `None` where nobody reads them.
    most: Option<usize>,
    waiters: Vec<W>,
}

impl<W> Pushes<W> {
    pub(crate) fn new(most: Option<usize>) -> Self {
        Self {
            frames: VecDeque::new(),
            bytes: 0,
            most,
            waiters: Vec::new(),
        }
    }

    /// Keeps a message, or returns it where nobody reads them.
    pub(crate) fn keep(&mut self, frame: Frame) -> Option<Frame> {
        if self.most.is_none() {
            return Some(frame);
        }
        self.bytes = self.bytes.saturating_add(frame.as_bytes().len());
        self.frames.push_back(frame);
        None
    }

    /// # Errors
    ///
    /// More is kept than may be: the connection must end.
    pub(crate) fn check(&self) -> Result<()> {
        match self.most {
            Some(most) if self.bytes > most => Err(Error::new(
                ErrorKind::Connection,
                format!(
                    "more than {most} bytes of messages were not read (max_unread of the config)"
                ),
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.bytes = self.bytes.saturating_sub(frame.as_bytes().len());
        Some(frame)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Lets somebody wait, unless it is one who waits already.
    pub(crate) fn wait(&mut self, waiter: W, is_same: impl Fn(&W, &W) -> bool) -> Option<W> {
        if self.waiters.iter().any(|known| is_same(known, &waiter)) {
            return Some(waiter);
        }
        self.waiters.push(waiter);
        None
    }

    /// Those who wait, who wait no more.
    pub(crate) fn take_waiters(&mut self, into: &mut Vec<W>) {
        into.append(&mut self.waiters);
    }
}
