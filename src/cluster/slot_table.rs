//! The node of each slot, for calls that need to know no more.

use std::collections::HashMap;

use super::{node::NodeId, slot::SLOTS, state::Target};

/// The node of each slot, with what a driver has of it.
///
/// It is made anew when the state has learnt something, so that an ordinary call finds its node
/// without asking the state.
#[derive(Debug)]
pub(crate) struct SlotTable<S> {
    /// The version of what it was made from.
    version: u64,
    /// Counted from 1; 0 for none.
    slots: Box<[u16]>,
    /// The slot whose primary runs what one node has to run, whichever it is.
    home: u16,
    primaries: Vec<(NodeId, S)>,
}

impl<S> SlotTable<S> {
    /// A table without nodes.
    pub(crate) fn empty() -> Self {
        Self {
            version: 0,
            slots: Box::default(),
            home: 0,
            primaries: Vec::new(),
        }
    }

    /// The table of the nodes that serve each slot.
    pub(super) fn new(
        version: u64,
        home: u16,
        owners: &[Option<NodeId>],
        mut server: impl FnMut(NodeId) -> Option<S>,
    ) -> Self {
        let mut primaries: Vec<(NodeId, S)> = Vec::new();
        let mut numbers: HashMap<NodeId, u16> = HashMap::new();
        // Neighbours mostly have the same node.
        let mut last = None;
        let mut slots = Vec::with_capacity(usize::from(SLOTS));
        for id in owners {
            slots.push(match (*id, last) {
                (None, _) => 0,
                (Some(id), Some((known, number))) if known == id => number,
                (Some(id), _) => {
                    let number = *numbers.entry(id).or_insert_with(|| {
                        primaries.extend(server(id).map(|server| (id, server)));
                        u16::try_from(primaries.len()).unwrap_or(0)
                    });
                    last = Some((id, number));
                    number
                }
            });
        }
        Self {
            version,
            home,
            slots: slots.into_boxed_slice(),
            primaries,
        }
    }

    /// The version of what it was made from.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The node that something goes to.
    pub(crate) fn find(
        &self,
        target: Target,
        random: impl FnOnce() -> u64,
    ) -> Option<&(NodeId, S)> {
        match target {
            Target::Slot(slot) => self.primary(slot),
            Target::SameNode => self.primary(self.home).or_else(|| self.any(random())),
            Target::AnyNode => self.any(random()),
            Target::Node(id) => self.primaries.iter().find(|(known, _)| *known == id),
        }
    }

    fn primary(&self, slot: u16) -> Option<&(NodeId, S)> {
        let number = usize::from(*self.slots.get(usize::from(slot))?);
        self.primaries.get(number.checked_sub(1)?)
    }

    fn any(&self, random: u64) -> Option<&(NodeId, S)> {
        let count = u64::try_from(self.primaries.len()).ok()?;
        let at = usize::try_from(random.checked_rem(count)?).ok()?;
        self.primaries.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{NodeAddress, node::Nodes};

    #[test]
    fn every_slot_has_its_node_and_no_slot_has_any() {
        let mut nodes = Nodes::default();
        let [a, b] = [1, 2].map(|port| nodes.at(&NodeAddress::new("h", port)));
        let owners = [Some(a), Some(a), None, Some(b), Some(a)];
        let table = SlotTable::new(7, 0, &owners, |id| Some(if id == a { "a" } else { "b" }));
        let at = |slot| table.find(Target::Slot(slot), || 0).map(|found| found.1);
        let found: Vec<_> = (0..6).map(at).collect();
        assert_eq!(
            found,
            [Some("a"), Some("a"), None, Some("b"), Some("a"), None]
        );
        let any: Vec<_> = (0..4)
            .map(|random| table.find(Target::AnyNode, || random))
            .collect();
        assert_eq!(
            any,
            [
                Some(&(a, "a")),
                Some(&(b, "b")),
                Some(&(a, "a")),
                Some(&(b, "b"))
            ]
        );
        assert_eq!(table.version(), 7);
        assert_eq!(SlotTable::<()>::empty().find(Target::AnyNode, || 1), None);
        assert_eq!(SlotTable::<()>::empty().find(Target::Slot(1), || 1), None);
    }

    #[test]
    fn a_node_that_nobody_knows_has_no_slot() {
        let mut nodes = Nodes::default();
        let [a, b] = [1, 2].map(|port| nodes.at(&NodeAddress::new("h", port)));
        let table = SlotTable::new(1, 0, &[Some(a), Some(b)], |id| (id == b).then_some(()));
        assert_eq!(table.find(Target::Slot(0), || 0), None);
        assert_eq!(table.find(Target::Slot(1), || 0), Some(&(b, ())));
    }
}
