//! The nodes of a cluster: how they are named, how they are reached, and what is known of each.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

pub(crate) use crate::address::{AddressMap, NodeAddress};

/// Names a node for as long as the cluster, or the caller, knows its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

/// What is known of one node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it is reached.
    pub(crate) address: NodeAddress,
    /// The name that its certificate should have.
    pub(crate) server_name: Arc<str>,
    /// The availability zone that it announces.
    pub(crate) zone: Option<Arc<str>>,
    /// How long it takes to answer, smoothed.
    pub(crate) latency: Option<Duration>,
    /// When it last failed, unless it has answered since.
    pub(crate) failed: Option<Instant>,
    /// When it last said that it does not serve what it was asked for.
    pub(crate) stale: Option<Instant>,
}

/// All nodes that may be sent to, by id and by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes {
    nodes: BTreeMap<NodeId, Node>,
    /// Several addresses may lead to one node.
    addresses: HashMap<NodeAddress, NodeId>,
    next: u32,
}

impl Nodes {
    /// The node at an address, which becomes known if it is not.
    pub(crate) fn at(&mut self, address: &NodeAddress) -> NodeId {
        if let Some(id) = self.find(address) {
            return id;
        }
        let id = NodeId(self.next);
        self.next = self.next.wrapping_add(1);
        self.addresses.insert(address.clone(), id);
        self.nodes.insert(
            id,
            Node {
                address: address.clone(),
                server_name: address.host().into(),
                zone: None,
                latency: None,
                failed: None,
                stale: None,
            },
        );
        id
    }

    /// Lets a further address lead to a node, unless it leads to one already.
    pub(crate) fn alias(&mut self, address: &NodeAddress, id: NodeId) {
        self.addresses.entry(address.clone()).or_insert(id);
    }

    /// Forgets all nodes but those that the caller wants to keep; the ids of the others.
    pub(crate) fn retain(&mut self, keep: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let gone: Vec<_> = self.nodes.keys().copied().filter(|id| !keep(*id)).collect();
        self.nodes.retain(|id, _| keep(*id));
        if !gone.is_empty() {
            self.addresses.retain(|_, id| keep(*id));
        }
        gone
    }

    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(&id)
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// The known node at an address.
    pub(crate) fn find(&self, address: &NodeAddress) -> Option<NodeId> {
        self.addresses.get(address).copied()
    }

    /// Whether a node failed so lately that another one should be tried before.
    pub(crate) fn is_suspect(&self, id: NodeId, now: Instant) -> bool {
        self.get(id)
            .and_then(|node| node.failed)
            .is_some_and(|failed| now.saturating_duration_since(failed) < DOUBT)
    }

    /// Whether a node gave something away so lately that others should be asked about the topology.
    ///
    /// One that was a primary a moment ago may hear an old message from its successor, and take it
    /// for its own replica while it is one of it. Redis 8 then never comes back from
    /// `CLUSTER SHARDS`: it follows that circle for ever.
    pub(crate) fn is_stale(&self, id: NodeId, now: Instant) -> bool {
        self.get(id)
            .and_then(|node| node.stale)
            .is_some_and(|since| now.saturating_duration_since(since) < UNSETTLED)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.keys().copied()
    }
}

/// For how long a node that failed is the last one to be tried.
const DOUBT: Duration = Duration::from_secs(1);

/// How long a node may need to find out its own place.
const UNSETTLED: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> NodeAddress {
        NodeAddress::new("h", port)
    }

    #[test]
    fn a_node_keeps_its_id_while_it_is_known() {
        let mut nodes = Nodes::default();
        let one = nodes.at(&address(1));
        let other = nodes.at(&address(2));
        nodes.alias(&address(3), other);
        nodes.alias(&address(1), other);
        assert_eq!(nodes.at(&address(1)), one);
        assert_eq!(nodes.at(&address(3)), other);
        assert_eq!(nodes.retain(|id| id == one), [other]);
        assert_eq!(nodes.find(&address(3)), None);
        assert_ne!(nodes.at(&address(2)), other);
    }

    #[test]
    fn a_map_may_lead_elsewhere_or_nowhere() {
        let table = AddressMap::table([(address(1), address(11))]);
        assert_eq!(table.apply(address(1)), Some(address(11)));
        assert_eq!(table.apply(address(2)), Some(address(2)));
        let function = AddressMap::function(|it| (it.port() == 1).then(|| address(21)));
        assert_eq!(function.apply(address(1)), Some(address(21)));
        assert_eq!(function.apply(address(2)), None);
        assert_eq!(AddressMap::default().apply(address(5)), Some(address(5)));
    }

    #[test]
    fn maps_compare_by_what_they_are() {
        let table = || AddressMap::table([(address(1), address(11))]);
        let function = AddressMap::function(|it| Some(it.clone()));
        assert_eq!(table(), table());
        assert_eq!(function.clone(), function);
        assert_ne!(function, AddressMap::function(|it| Some(it.clone())));
        assert_ne!(table(), AddressMap::default());
    }
}
