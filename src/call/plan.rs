//! Which nodes run a command, as calls to each of them.

use std::{ops::Range, time::Instant};

use bytes::Bytes;

use super::{attempt::Attempt, route::Route, settings::CallSettings};
use crate::{
    cluster::{ClusterState, ReadFrom, Target},
    command::{Info, Join},
    error::Result,
};

/// What becomes of one command.
#[derive(Debug)]
pub(crate) enum Plan {
    /// One node runs it.
    One(Attempt),
    /// Several nodes run it; [`join`](super::fan_out::join) makes one answer of theirs.
    Several(Vec<NodePart>, Join),
}

/// What one of several nodes runs.
#[derive(Debug)]
pub(crate) struct NodePart {
    pub(crate) call: Attempt,
    /// The part of the command that it runs, where it is not all of it.
    pub(crate) command: Option<Bytes>,
    /// Which keys of the whole command that part has.
    pub(crate) items: Vec<usize>,
}

impl ClusterState {
    /// A call for the node of a slot, or for any node, of whose command nothing else must be known.
    ///
    /// # Errors
    ///
    /// No node is known; nothing was sent.
    pub(crate) fn attempt_at(
        &self,
        info: &'static Info,
        target: Target,
        options: &CallSettings,
        now: Instant,
        random: u64,
    ) -> Result<Attempt> {
        self.call(info, target, options, now, random)
    }

    /// Decides where an encoded command goes whose keys lie at these places of it.
    ///
    /// # Errors
    ///
    /// It cannot run in a cluster as it is, or no node is known; nothing was sent.
    pub(crate) fn plan(
        &self,
        info: &'static Info,
        command: &[u8],
        keys: &[Range<usize>],
        options: &CallSettings,
        now: Instant,
        random: u64,
    ) -> Result<Plan> {
        let one = |target| self.call(info, target, options, now, random);
        let whole = |target| -> Result<NodePart> {
            Ok(NodePart {
                call: one(target)?,
                command: None,
                items: Vec::new(),
            })
        };
        Ok(match Route::of(info, command, keys, options)? {
            Route::Slot(slot) => Plan::One(one(Target::Slot(slot))?),
            Route::AnyNode => Plan::One(one(Target::AnyNode)?),
            Route::SameNode => Plan::One(one(Target::SameNode)?),
            Route::Node(node) => Plan::One(one(Target::Node(node))?),
            Route::Parts(parts, join) => {
                let branches = parts.into_iter().map(|part| {
                    Ok(NodePart {
                        call: one(Target::Slot(part.slot))?,
                        command: Some(part.command),
                        items: part.items,
                    })
                });
                Plan::Several(branches.collect::<Result<_>>()?, join)
            }
            Route::AllPrimaries(join) => {
                let branches = self.each_primary().map(whole);
                self.several(branches.collect::<Result<_>>()?, join, info)?
            }
            Route::AllNodes(join) => {
                let branches = self.known_nodes().map(|id| whole(Target::Node(id)));
                self.several(branches.collect::<Result<_>>()?, join, info)?
            }
        })
    }

    fn call(
        &self,
        info: &'static Info,
        target: Target,
        options: &CallSettings,
        now: Instant,
        random: u64,
    ) -> Result<Attempt> {
        let read_from = self.read_from_of(info, options);
        let node = self
            .node_for(target, read_from, None, now, random)
            .ok_or_else(|| self.nobody(info.name))?;
        Ok(Attempt::new(info, target, read_from, options, node, self))
    }

    pub(super) fn read_from_of<'r>(
        &'r self,
        info: &Info,
        options: &'r CallSettings,
    ) -> &'r ReadFrom {
        match &options.read_from {
            _ if !info.replicas => &ReadFrom::Primary,
            Some(wanted) => wanted,
            None => self.read_from(),
        }
    }

    fn several(&self, branches: Vec<NodePart>, join: Join, info: &Info) -> Result<Plan> {
        if branches.is_empty() {
            return Err(self.nobody(info.name));
        }
        Ok(Plan::Several(branches, join))
    }
}
