//! The way of an ordinary call, which needs no more than its keys.

use super::redirect::{deciding_error, is_answer_of};
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
    /// Where its keys, or what stands for them, lead.
    pub(crate) target: Target,
    /// What the nodes are that it may go to.
    pub(super) scope: Scope,
}

impl DirectCall {
    /// Looks at the keys of an exchange; `None` says that it takes more, which is a [`Plan`].
    ///
    /// # Errors
    ///
    /// An argument cannot be sent, or a transaction cannot run in a cluster as it is.
    pub(crate) fn of<E: Exchange>(exchange: &E) -> Result<Option<Self>> {
        let atomic = exchange.is_atomic();
        let mut slot = CommonSlot::None;
        // Where it goes if it has no key.
        let mut keyless = Target::AnyNode;
        let mut single = None;
        let mut commands = 0;
        exchange.each_command(&mut |info, write| {
            commands += 1;
            if commands > 1 && !atomic {
                return Ok(());
            }
            single = Some(info);
            let placed = |error: Error| error.with_place_in(exchange.is_batch(), commands - 1);
            let named = |error: Error| placed(error.with_command(info.name));
            match info.routing {
                Routing::AnyNode => {}
                Routing::Keys | Routing::Parts { .. } | Routing::SameNode => {
                    if keyless == Target::AnyNode {
                        keyless = Target::SameNode;
                    }
                }
                Routing::NodeOfArgument => {
                    let mut word = |word: &[u8]| keyless = Target::Slot(key_slot(word));
                    return Writer::view_word(info.words, &mut word, write).map_err(named);
                }
                _ if atomic => return Err(placed(not_atomic(info))),
                _ => {
                    slot = CommonSlot::Several;
                    return Ok(());
                }
            }
            Writer::view_keys(&mut |key| slot.add(key_slot(key)), write).map_err(named)?;
            match slot {
                CommonSlot::Several if atomic => Err(placed(apart(info))),
                _ => Ok(()),
            }
        })?;
        let info = match single {
            Some(_) if atomic => &TRANSACTION,
            Some(info) if commands == 1 => info,
            _ => return Ok(None),
        };
        let target = match slot {
            CommonSlot::None => keyless,
            CommonSlot::One(slot) => Target::Slot(slot),
            CommonSlot::Several => return Ok(None),
        };
        Ok(Some(Self::to(info, target)))
    }

    /// The slot that an exchange is for wherever it is sent, if it is for one.
    #[cfg(feature = "async")]
    pub(crate) fn slot_of<E: Exchange>(exchange: &E) -> Option<u16> {
        // What cannot be sent is told when it is.
        Self::of(exchange).ok().flatten()?.slot()
    }

    /// The slot that it is for, if it is for one.
    #[cfg(feature = "async")]
    pub(crate) fn slot(&self) -> Option<u16> {
        self.target.slot()
    }

    /// What goes there in a cluster.
    pub(super) fn to(info: &'static Info, target: Target) -> Self {
        Self {
            info,
            target,
            scope: Scope::Cluster,
        }
    }

    /// What goes to the only server, whatever its keys.
    pub(crate) fn to_only(scope: Scope) -> Self {
        Self {
            info: Info::UNKNOWN,
            target: Target::AnyNode,
            scope,
        }
    }

    /// Whether frames are the answer, and no error about the place where it was sent, or one after
    /// which something else is sent.
    ///
    /// `exchange` is what was sent.
    pub(crate) fn is_answer<E: Exchange>(&self, frames: &Frames, exchange: &E) -> bool {
        if !frames.may_hold_errors() {
            return true;
        }
        let is_answer =
            |error| is_answer_of(error, self.scope) && exchange.instead(error).is_none();
        if self.scope == Scope::Cluster || exchange.is_atomic() {
            return deciding_error(frames).is_none_or(is_answer);
        }
        frames.iter().all(|it| it.as_error().is_none_or(is_answer))
    }

    /// Where it goes.
    pub(super) fn target_at(&self, node: NodeId) -> Target {
        match self.scope {
            Scope::Cluster => self.target,
            Scope::Server | Scope::Node => Target::Node(node),
        }
    }
}

/// The slot that keys have in common.
#[derive(Clone, Copy, Debug)]
enum CommonSlot {
    None,
    One(u16),
    Several,
}

impl CommonSlot {
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
