//! Which slots a scan over all nodes has seen.
//!
//! A cursor belongs to one node, and a slot may move from a node that is still to be scanned to one
//! that was scanned already. So it is remembered for each slot at which node it was seen from the
//! beginning of that node's scan to its end. A slot that is elsewhere by then is scanned there, and
//! the scan is complete when every slot was seen at the node that has it in the end.

use super::{
    node::NodeId,
    slot::{SLOTS, key_slot},
};

/// The slots that were seen, and the scan that is under way.
#[derive(Debug)]
pub(crate) struct SlotCoverage {
    /// The node that a slot was seen at last.
    seen: Vec<Option<NodeId>>,
    scan: Option<NodeScan>,
}

/// The scan of one node.
#[derive(Debug)]
struct NodeScan {
    node: NodeId,
    /// Whether it has had a slot all the time.
    holds: Vec<bool>,
}

impl SlotCoverage {
    /// Nothing seen.
    pub(crate) fn new() -> Self {
        Self {
            seen: vec![None; usize::from(SLOTS)],
            scan: None,
        }
    }

    /// Begins the scan of a node that has slots which were not seen there; `None` says that there is
    /// none. `owners` are the nodes of all slots.
    pub(crate) fn begin(&mut self, owners: &[Option<NodeId>]) -> Option<NodeId> {
        let mut unseen = owners.iter().zip(&self.seen);
        let node = unseen.find_map(|(owner, seen)| owner.filter(|owner| Some(*owner) != *seen))?;
        self.scan = Some(NodeScan {
            node,
            holds: owners.iter().map(|owner| *owner == Some(node)).collect(),
        });
        Some(node)
    }

    /// Notes who has which slot by now.
    pub(crate) fn check(&mut self, owners: &[Option<NodeId>]) {
        if let Some(NodeScan { node, holds }) = &mut self.scan {
            for (holds, owner) in holds.iter_mut().zip(owners) {
                *holds &= *owner == Some(*node);
            }
        }
    }

    /// Ends the scan of a node that has returned its last page.
    pub(crate) fn end(&mut self, owners: &[Option<NodeId>]) {
        self.check(owners);
        if let Some(NodeScan { node, holds }) = self.scan.take() {
            for (seen, _) in self.seen.iter_mut().zip(holds).filter(|(_, holds)| *holds) {
                *seen = Some(node);
            }
        }
    }

    /// Forgets a scan that did not come to its end.
    pub(crate) fn abandon(&mut self) {
        self.scan = None;
    }

    /// Whether a key was not returned by an earlier scan of this node.
    pub(crate) fn is_new(&self, key: &[u8]) -> bool {
        let node = self.scan.as_ref().map(|scan| scan.node);
        let seen = self.seen.get(usize::from(key_slot(key)));
        node.is_none() || seen.is_none_or(|seen| *seen != node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{NodeAddress, node::Nodes};

    /// Two nodes, and who has the slots of `foo` and `bar`; the first has all others.
    struct Script {
        coverage: SlotCoverage,
        ids: [NodeId; 2],
        owners: Vec<Option<NodeId>>,
    }

    impl Script {
        fn new() -> Self {
            let mut nodes = Nodes::default();
            let ids = [1, 2].map(|port| nodes.at(&NodeAddress::new("h", port)));
            let mut script = Self {
                coverage: SlotCoverage::new(),
                ids,
                owners: vec![Some(ids[0]); usize::from(SLOTS)],
            };
            script.give("bar", 1);
            script
        }

        fn give(&mut self, key: &str, node: usize) {
            self.owners[usize::from(key_slot(key.as_bytes()))] = Some(self.ids[node]);
        }

        fn begin(&mut self) -> Option<usize> {
            let node = self.coverage.begin(&self.owners)?;
            self.ids.iter().position(|id| *id == node)
        }

        fn check(&mut self) {
            self.coverage.check(&self.owners);
        }

        fn end(&mut self) {
            self.coverage.end(&self.owners);
        }
    }

    #[test]
    fn every_node_has_one_pass_where_nothing_moves() {
        let mut script = Script::new();
        assert_eq!(script.begin(), Some(0));
        assert!(script.coverage.is_new(b"foo"));
        script.end();
        assert_eq!(script.begin(), Some(1));
        assert!(script.coverage.is_new(b"bar"));
        script.end();
        assert_eq!(script.begin(), None);
    }

    #[test]
    fn a_slot_that_has_moved_to_a_node_that_was_scanned_is_scanned_there() {
        let mut script = Script::new();
        script.begin();
        script.end();
        assert_eq!(script.begin(), Some(1));
        script.give("bar", 0);
        script.end();
        assert_eq!(script.begin(), Some(0));
        assert!(script.coverage.is_new(b"bar"));
        assert!(!script.coverage.is_new(b"foo"));
        script.end();
        assert_eq!(script.begin(), None);
    }

    #[test]
    fn a_slot_that_came_late_or_left_for_a_while_does_not_count() {
        let mut script = Script::new();
        script.begin();
        script.give("bar", 0);
        script.check();
        script.end();
        assert_eq!(script.begin(), Some(0), "it came late");
        script.give("foo", 1);
        script.check();
        script.give("foo", 0);
        script.end();
        // The earlier scan has seen it there.
        assert_eq!(script.begin(), None);

        let mut script = Script::new();
        script.begin();
        script.give("foo", 1);
        script.check();
        script.give("foo", 0);
        script.end();
        assert_eq!(script.begin(), Some(1));
        script.end();
        assert_eq!(script.begin(), Some(0), "it was away");
        script.end();
        assert_eq!(script.begin(), None);
    }

    #[test]
    fn a_pass_that_was_abandoned_begins_anew() {
        let mut script = Script::new();
        assert_eq!(script.begin(), Some(0));
        script.coverage.abandon();
        assert_eq!(script.begin(), Some(0));
        script.end();
        script.owners.fill(None);
        assert_eq!(script.begin(), None, "nobody has anything");
    }
}
