//! What is sent to one node in one piece.

use super::{encoded::Encoded, request::Request};
use crate::{
    command::{self, Awaited, Exchange, Patience, ServerVersion, Written},
    commands::info,
    error::Result,
    resp::{Frames, Output},
};

/// An encoded exchange for a node that somebody has chosen, wherever its keys lie.
#[derive(Clone, Copy)]
pub(crate) struct PinnedRequest<'e> {
    pub(super) encoded: &'e Encoded,
    /// How long the server may hold the answer back.
    pub(super) patience: Patience,
}

impl Exchange for PinnedRequest<'_> {
    type Output = ();

    fn name(&self) -> &'static str {
        match &*self.encoded.commands {
            [one] => one.info.name,
            _ => "pipeline",
        }
    }

    fn check(&self, _: command::Place) -> Result<()> {
        Ok(())
    }

    /// A config that checks versions is none of a cluster.
    fn check_server(&self, _: &ServerVersion) -> Result<()> {
        Ok(())
    }

    fn patience(&self) -> Patience {
        self.patience
    }

    fn leaves_no_trace(&self) -> bool {
        true
    }

    fn write(&self, _: usize, out: &mut Output) -> Result<Written> {
        out.encoded(&self.encoded.bytes);
        Ok(Written::all(match &*self.encoded.commands {
            [one] if one.ends() => Awaited::End,
            commands => Awaited::Frames(commands.iter().map(|it| it.frames).sum()),
        }))
    }

    fn finish(&self, _: &Frames) -> Result<()> {
        Ok(())
    }

    fn each_command(&self, _: &mut command::View<'_>) -> Result<()> {
        Ok(())
    }
}

/// Requests for one node, as one exchange with it.
///
/// It waits for the frames of all requests, one behind the other; what to make of them is said by
/// [`Request::received`].
pub(crate) struct NodeBatch<'r> {
    pub(crate) requests: &'r [Request],
    /// How long the server may hold the answer back, which only a single request may ask for.
    pub(crate) patience: Patience,
}

impl Exchange for NodeBatch<'_> {
    type Output = ();

    fn name(&self) -> &'static str {
        match self.requests {
            [request] => request.name,
            _ => "pipeline",
        }
    }

    fn check(&self, _: command::Place) -> Result<()> {
        Ok(())
    }

    /// A config that checks versions is none of a cluster.
    fn check_server(&self, _: &ServerVersion) -> Result<()> {
        Ok(())
    }

    fn patience(&self) -> Patience {
        self.patience
    }

    fn leaves_no_trace(&self) -> bool {
        true
    }

    fn write(&self, first: usize, out: &mut Output) -> Result<Written> {
        let room = out.len().saturating_add(command::CHUNK);
        let (mut next, mut frames) = (first, 0);
        for request in self.requests.iter().skip(first) {
            if next > first && out.len() >= room {
                break;
            }
            if request.call.is_asking() {
                out.command(|to| info::ASKING.write_name(to))?;
            }
            if request.call.reads_replica() {
                out.command(|to| info::READONLY.write_name(to))?;
            }
            out.encoded(&request.bytes);
            if request.call.reads_replica() {
                out.command(|to| info::READWRITE.write_name(to))?;
            }
            frames += request.awaited();
            next += 1;
        }
        Ok(Written {
            awaited: match self.requests {
                [request] if request.ends => Awaited::End,
                _ => Awaited::Frames(frames),
            },
            next: Some(next).filter(|next| *next < self.requests.len()),
        })
    }

    fn finish(&self, _: &Frames) -> Result<()> {
        Ok(())
    }

    fn each_command(&self, _: &mut command::View<'_>) -> Result<()> {
        Ok(())
    }
}
