//! Which node serves which slot, as nodes announce it and as redirects correct it.

use std::{fmt, ops::RangeInclusive};

use super::{
    announcement::{Announced, Announcement, Claim},
    node::{NodeId, Nodes},
    slot::SLOTS,
};

/// Which node serves which slot.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    shards: Vec<Shard>,
    slots: Slots,
}

/// Slots that have gone from one primary to another.
pub(crate) type Moved = (Option<NodeId>, Option<NodeId>, Vec<RangeInclusive<u16>>);

/// The nodes that serve the same slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// The one that takes writes.
    pub(crate) primary: NodeId,
    /// The replicas that are healthy.
    pub(crate) replicas: Vec<NodeId>,
}

impl Topology {
    /// Nothing known.
    pub(crate) fn empty() -> Self {
        Self {
            shards: Vec::new(),
            slots: Slots::empty(),
        }
    }

    /// Takes an announcement over, and lets the nodes in it become known.
    pub(crate) fn new(announcement: &Announcement, nodes: &mut Nodes) -> Self {
        let mut topology = Self::empty();
        // Where each shard of the announcement stands here; those without a primary, and so without slots,
        // stand nowhere.
        let mut places = Vec::with_capacity(announcement.shards.len());
        for shard in &announcement.shards {
            places.push(topology.shards.len());
            let replicas: Vec<_> = shard
                .replicas
                .iter()
                .map(|replica| (replica.is_online(), introduce(replica, nodes)))
                .filter_map(|(online, id)| online.then_some(id))
                .collect();
            let Some(primary) = &shard.primary else {
                continue;
            };
            topology.shards.push(Shard {
                primary: introduce(primary, nodes),
                replicas,
            });
        }
        for claim in &announcement.claims {
            if let Some(place) = places.get(claim.shard) {
                topology.slots.fill(claim, *place);
            }
        }
        topology
    }

    /// Lets a node be the primary of one slot.
    pub(crate) fn patch(&mut self, slot: u16, primary: NodeId) {
        let known = self.shards.iter().position(|it| it.primary == primary);
        let at = known.unwrap_or_else(|| {
            self.shards.push(Shard {
                primary,
                replicas: Vec::new(),
            });
            self.shards.len() - 1
        });
        self.slots.set(slot, at);
    }

    /// The shard that serves a slot.
    pub(crate) fn shard(&self, slot: u16) -> Option<&Shard> {
        self.shards.get(self.slots.get(slot)?)
    }

    /// All shards, those without slots included.
    pub(crate) fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Whether a node is the primary of any slot.
    pub(crate) fn serves(&self, id: NodeId) -> bool {
        let mut shards = self.shards.iter().zip(self.slot_of_each());
        shards.any(|(shard, slot)| shard.primary == id && slot.is_some())
    }

    /// One slot of each shard, in the order of the shards.
    pub(crate) fn slot_of_each(&self) -> Vec<Option<u16>> {
        let mut slots = vec![None; self.shards.len()];
        for slot in (0..SLOTS).rev() {
            let shard = self.slots.get(slot);
            if let Some(first) = shard.and_then(|at| slots.get_mut(at)) {
                *first = Some(slot);
            }
        }
        slots
    }

    /// All nodes, primaries first.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        let primaries = self.shards.iter().map(|shard| shard.primary);
        let replicas = self
            .shards
            .iter()
            .flat_map(|it| it.replicas.iter().copied());
        primaries.chain(replicas)
    }

    /// How many slots have a primary.
    pub(crate) fn covered(&self) -> usize {
        self.slots.covered
    }

    /// The slots that have another primary than there, in ranges: those that have gone from one node
    /// to another together, with the node that they had and the one that they have.
    pub(crate) fn moved_since(&self, other: &Self) -> Vec<Moved> {
        let mut moves: Vec<Moved> = Vec::new();
        for slot in 0..SLOTS {
            let primary = |topology: &Self| topology.shard(slot).map(|shard| shard.primary);
            let (from, to) = (primary(other), primary(self));
            if from == to {
                continue;
            }
            let known = moves.iter_mut().find(|it| (it.0, it.1) == (from, to));
            let Some((.., ranges)) = known else {
                moves.push((from, to, vec![slot..=slot]));
                continue;
            };
            match ranges.last_mut() {
                Some(last) if last.end() + 1 == slot => *last = *last.start()..=slot,
                _ => ranges.push(slot..=slot),
            }
        }
        moves
    }

    /// Whether every slot is served by the same nodes.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        self.shards == other.shards && self.slots == other.slots
    }
}

/// Makes an announced node known, with everything that was announced of it.
fn introduce(announced: &Announced, nodes: &mut Nodes) -> NodeId {
    let id = nodes.at(&announced.address);
    for alias in &announced.aliases {
        nodes.alias(alias, id);
    }
    if let Some(node) = nodes.get_mut(id) {
        if let Some(name) = &announced.server_name {
            node.server_name = name.clone();
        }
        node.zone.clone_from(&announced.zone);
    }
    id
}

/// The shard of each slot.
#[derive(Clone, PartialEq, Eq)]
struct Slots {
    /// Counted from 1; 0 for none.
    numbers: Box<[u16]>,
    /// How many are not 0.
    covered: usize,
}

impl Slots {
    fn empty() -> Self {
        Self {
            numbers: vec![0; usize::from(SLOTS)].into_boxed_slice(),
            covered: 0,
        }
    }

    fn get(&self, slot: u16) -> Option<usize> {
        let number = self.numbers.get(usize::from(slot))?;
        usize::from(*number).checked_sub(1)
    }

    /// Gives a range that nobody has to a shard.
    fn fill(&mut self, claim: &Claim, shard: usize) {
        let range = usize::from(claim.start)..=usize::from(claim.end);
        if let (Some(range), Ok(number)) = (self.numbers.get_mut(range), u16::try_from(shard + 1)) {
            range.fill(number);
            self.covered += range.len();
        }
    }

    fn set(&mut self, slot: u16, shard: usize) {
        let place = self.numbers.get_mut(usize::from(slot));
        if let (Some(place), Ok(number)) = (place, u16::try_from(shard + 1)) {
            self.covered += usize::from(*place == 0);
            *place = number;
        }
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} slots", self.covered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::NodeAddress;

    #[test]
    fn slots_that_have_gone_the_same_way_are_told_together_in_ranges() {
        let mut nodes = Nodes::default();
        let [a, b] = [1, 2].map(|port| nodes.at(&NodeAddress::new("h", port)));
        let mut before = Topology::empty();
        for slot in 0..10 {
            before.patch(slot, a);
        }
        let mut after = before.clone();
        assert!(after.moved_since(&before).is_empty());
        for slot in [2, 3, 4, 7] {
            after.patch(slot, b);
        }
        after.patch(SLOTS - 1, b);
        let expected = vec![
            (Some(a), Some(b), vec![2..=4, 7..=7]),
            (None, Some(b), vec![SLOTS - 1..=SLOTS - 1]),
        ];
        assert_eq!(after.moved_since(&before), expected);
        let back = (Some(b), None, vec![SLOTS - 1..=SLOTS - 1]);
        assert_eq!(before.moved_since(&after)[1], back);
    }
}
