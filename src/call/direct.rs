//! The way of an ordinary call, which needs no more than its keys.

use super::{
    attempt::target,
    redirect::{deciding_error, is_answer_of},
};
use crate::{
    cluster::{NodeId, Scope, Target, key_slot},
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
    /// What the nodes are that it may go to.
    scope: Scope,
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
        Ok(Some(Self::to_slot(info, slot)))
    }

    /// What goes to the node of a slot in a cluster, or to any.
    pub(super) fn to_slot(info: &'static Info, slot: Option<u16>) -> Self {
        Self {
            info,
            slot,
            scope: Scope::Cluster,
        }
    }

    /// What goes to the only server, whatever its keys.
    pub(crate) fn to_only(scope: Scope) -> Self {
        Self {
            info: Info::UNKNOWN,
            slot: None,
            scope,
        }
    }

    /// Whether frames are the answer, and no error about the place where it was sent.
    ///
    /// `exchange` is what was sent.
    pub(crate) fn is_answer<E: Exchange>(&self, frames: &Frames, exchange: &E) -> bool {
        let is_answer = |error| is_answer_of(error, self.scope);
        if self.scope == Scope::Cluster || exchange.is_atomic() {
            return deciding_error(frames).is_none_or(is_answer);
        }
        frames.iter().all(|it| it.as_error().is_none_or(is_answer))
    }

    /// Where it goes.
    pub(super) fn target(&self, node: NodeId) -> Target {
        match self.scope {
            Scope::Cluster => target(self.slot),
            Scope::Server | Scope::Node => Target::Node(node),
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
