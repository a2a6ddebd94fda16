//! The way of an ordinary call, which needs no more than its keys.

use std::time::Instant;

use super::{
    attempt::{Attempt, Next},
    options::CallOptions,
    redirect::{self, deciding_error},
};
use crate::{
    cluster::{ClusterState, NodeId, key_slot},
    command::{Exchange, Info, Routing},
    error::{Error, ErrorKind, Result},
    resp::{Frames, Writer},
};

/// Where an exchange goes in one piece, as far as its keys alone can tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirectCall {
    /// The facts of the command.
    pub(crate) info: &'static Info,
    /// The slot of all its keys; any primary will do where it has none.
    pub(crate) slot: Option<u16>,
}

impl DirectCall {
    /// Looks at the keys of an exchange; `None` says that it takes more, which is a [`Plan`].
    ///
    /// # Errors
    ///
    /// An argument cannot be sent, or a transaction cannot run in a cluster as it is.
    pub(crate) fn of<E: Exchange>(exchange: &E) -> Result<Option<Self>> {
        let atomic = exchange.is_atomic();
        let mut slot = Common::None;
        let mut single = None;
        let mut commands = 0;
        exchange.each_command(&mut |info, write| {
            commands += 1;
            if commands > 1 && !atomic {
                return Ok(());
            }
            single = Some(info);
            if !matches!(
                info.routing,
                Routing::Keys | Routing::Parts { .. } | Routing::AnyNode
            ) {
                slot = Common::Several;
                return if atomic {
                    Err(not_atomic(info))
                } else {
                    Ok(())
                };
            }
            Writer::view_keys(&mut |key| slot.add(key_slot(key)), write)
                .map_err(|error| error.with_command(info.name))?;
            match slot {
                Common::Several if atomic => Err(apart(info)),
                _ => Ok(()),
            }
        })?;
        let info = match single {
            Some(_) if atomic => &TRANSACTION,
            Some(info) if commands == 1 => info,
            _ => return Ok(None),
        };
        let slot = match slot {
            Common::None => None,
            Common::One(slot) => Some(slot),
            Common::Several => return Ok(None),
        };
        Ok(Some(Self { info, slot }))
    }

    /// Whether frames are the answer, and no error about the place where it was sent.
    pub(crate) fn is_answer(frames: &Frames) -> bool {
        deciding_error(frames).is_none_or(redirect::is_answer)
    }

    /// Decides about what came from the node that it was sent to, and was no answer.
    ///
    /// Returns the call to go on with, and until when it waits before that.
    ///
    /// # Errors
    ///
    /// The call has failed.
    pub(crate) fn judge(
        &self,
        came: &Result<Frames>,
        state: &mut ClusterState,
        options: &CallOptions,
        node: NodeId,
        now: Instant,
        random: u64,
    ) -> Result<(Attempt, Option<Instant>)> {
        let mut call = state.attempt_sent(self.info, self.slot, options, node);
        let refusal = came.as_ref().ok().and_then(deciding_error);
        let refusal = refusal.unwrap_or_default();
        let next = match came {
            Ok(_) => call.refused(state, refusal, now, random),
            Err(error) => call.lost(state, error.clone(), now, random),
        };
        match next {
            Next::Send => Ok((call, None)),
            Next::Wait(until) => Ok((call, Some(until))),
            Next::GiveUp(error) => Err(error),
            Next::Answer => Err(Error::server(refusal)),
        }
    }
}

/// The slot that keys have in common.
#[derive(Clone, Copy, Debug)]
enum Common {
    None,
    One(u16),
    Several,
}

impl Common {
    fn add(&mut self, slot: u16) {
        *self = match *self {
            Self::None => Self::One(slot),
            Self::One(known) if known == slot => return,
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

fn apart(info: &Info) -> Error {
    Error::new(
        ErrorKind::Refused,
        "in a cluster all keys of a transaction must lie in one slot, as they do with the same {hash tag}",
    )
    .with_command(info.name)
}

fn not_atomic(info: &Info) -> Error {
    Error::new(
        ErrorKind::Refused,
        "in a cluster it is no matter of one slot, and so cannot be part of a transaction",
    )
    .with_command(info.name)
}

/// What is known of transactions as such: nothing that would be a promise.
pub(super) static TRANSACTION: Info = Info {
    name: "transaction",
    ..*Info::UNKNOWN
};
