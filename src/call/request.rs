//! What is sent to one node, and answered by it.

use std::time::Instant;

use bytes::Bytes;

use super::{
    attempt::{Attempt, Next},
    redirect::deciding_error,
};
use crate::{cluster::ClusterState, code, error::Result, resp::Frame};

/// A request and what came of it.
pub(crate) type Done = (Request, Result<Vec<Frame>>);

/// What is sent to one node, and answered by it.
#[derive(Debug)]
pub(crate) struct Request {
    /// Where its answer belongs.
    pub(super) place: usize,
    pub(super) name: &'static str,
    pub(crate) bytes: Bytes,
    /// How many frames answer it, beside those of `ASKING` and of `READONLY` and `READWRITE`.
    pub(crate) frames: usize,
    /// Whether its answer is an error, or else the end of the connection.
    pub(super) ends: bool,
    pub(crate) call: Attempt,
}

impl Request {
    /// The same, followed by a command whose number says how likely its answer is to be the one of
    /// several.
    pub(super) fn weighed(self, by: &[u8]) -> Self {
        Self {
            bytes: [&self.bytes, by].concat().into(),
            frames: self.frames + 1,
            ..self
        }
    }

    /// Decides about the frames that answered; of them only the answer of the command is left.
    pub(crate) fn received(
        &mut self,
        state: &mut ClusterState,
        frames: &mut Vec<Frame>,
        now: Instant,
        random: u64,
    ) -> Next {
        let in_front = usize::from(self.call.is_asking()) + usize::from(self.call.reads_replica());
        let in_front: Vec<_> = frames.drain(..in_front.min(frames.len())).collect();
        if self.call.reads_replica() {
            frames.pop();
        }
        let next = match deciding_error(frames.iter().map(Frame::reply)) {
            Some(error) => self.call.refused(state, error, now, random),
            None => Next::Answer,
        };
        // Where that is refused, the node may still be one that executes the command without it.
        let refused = in_front.iter().find_map(|it| it.reply().as_error());
        match (next, refused) {
            (Next::Send | Next::Wait(_), Some(error)) if !code::passes(error) => {
                Next::GiveUp(self.call.asking_failed(error))
            }
            (next, _) => next,
        }
    }

    /// How many frames answer it and what stands in front of it and behind.
    pub(crate) fn awaited(&self) -> usize {
        self.frames
            + usize::from(self.call.is_asking())
            + 2 * usize::from(self.call.reads_replica())
    }
}
