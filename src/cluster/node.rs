//! The nodes of a cluster: how they are named, how they are reached, and what is known of each.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    config::Address,
    error::{Error, ErrorKind, Result},
};

/// Where a node of a cluster listens: a name or an IP address, and a port.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeAddress {
    host: Arc<str>,
    port: u16,
}

impl NodeAddress {
    /// The address of a host, an IPv6 address without brackets, and a port.
    #[must_use]
    pub fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// The name or the IP address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl NodeAddress {
    /// The address of a server that is no node of a cluster; a path stands for a host without a port.
    pub(crate) fn of(address: &Address) -> Self {
        match address {
            Address::Tcp { host, port } => Self::new(host.as_str(), *port),
            other => Self::new(other.to_string(), 0),
        }
    }
}

impl FromStr for NodeAddress {
    type Err = Error;

    /// Reads `host:port`, an IPv6 address in brackets, as it is printed.
    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (host, port) = text.rsplit_once(':')?;
            let brackets = host.strip_prefix('[').map(|it| it.strip_suffix(']'));
            let host = brackets.unwrap_or(Some(host).filter(|it| !it.contains(':')))?;
            let port = port.parse().ok().filter(|port| *port != 0)?;
            (!host.is_empty()).then(|| Self::new(host, port))
        };
        read().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "address of a node: expected `host:port`, with an IPv6 address in brackets",
            )
        })
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// How the addresses that a cluster announces become those that this program can reach.
///
/// A cluster behind address translation, or in containers, announces addresses of a network that its
/// clients are not part of. It applies to everything that nodes announce, in the answers about the
/// topology and in redirects, and not to the addresses that the caller gave.
///
/// ```
/// use respec::cluster::{AddressMap, NodeAddress};
///
/// let table = AddressMap::table([
///     (NodeAddress::new("10.0.0.1", 6379), NodeAddress::new("example.com", 7001)),
///     (NodeAddress::new("10.0.0.2", 6379), NodeAddress::new("example.com", 7002)),
/// ]);
/// let function = AddressMap::function(|announced| {
///     (announced.port() != 16379).then(|| NodeAddress::new("127.0.0.1", announced.port()))
/// });
/// # let _ = (table, function);
/// ```
#[derive(Clone, Default)]
pub struct AddressMap(Mapping);

#[derive(Clone, Default)]
enum Mapping {
    #[default]
    Identity,
    SlotTable(Arc<HashMap<NodeAddress, NodeAddress>>),
    Function(Arc<Function>),
}

type Function = dyn Fn(&NodeAddress) -> Option<NodeAddress> + Send + Sync;

impl AddressMap {
    /// Reaches an address of the table at the one next to it, and any other as it is announced.
    #[must_use]
    pub fn table(pairs: impl IntoIterator<Item = (NodeAddress, NodeAddress)>) -> Self {
        Self(Mapping::SlotTable(Arc::new(pairs.into_iter().collect())))
    }

    /// Reaches an announced address where the function says; a node without an answer is not used.
    #[must_use]
    pub fn function(
        function: impl Fn(&NodeAddress) -> Option<NodeAddress> + Send + Sync + 'static,
    ) -> Self {
        Self(Mapping::Function(Arc::new(function)))
    }

    /// Where an announced address is reached, if it may be.
    pub(crate) fn apply(&self, announced: NodeAddress) -> Option<NodeAddress> {
        match &self.0 {
            Mapping::Identity => Some(announced),
            Mapping::SlotTable(table) => Some(table.get(&announced).cloned().unwrap_or(announced)),
            Mapping::Function(function) => function(&announced),
        }
    }
}

impl fmt::Debug for AddressMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Mapping::Identity => "as announced",
            Mapping::SlotTable(_) => "by a table",
            Mapping::Function(_) => "by a function",
        })
    }
}

impl Eq for AddressMap {}

impl PartialEq for AddressMap {
    /// Tables are equal by content, functions only where they are the same one.
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Mapping::Identity, Mapping::Identity) => true,
            (Mapping::SlotTable(one), Mapping::SlotTable(other)) => one == other,
            (Mapping::Function(one), Mapping::Function(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

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
                server_name: address.host.clone(),
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
    fn an_address_prints_as_it_is_dialled() {
        assert_eq!(NodeAddress::new("::1", 7000).to_string(), "[::1]:7000");
        assert_eq!(format!("{:?}", address(7000)), "h:7000");
    }

    #[test]
    fn what_is_printed_reads_back() {
        for node in [address(7000), NodeAddress::new("::1", 1)] {
            assert_eq!(node.to_string().parse::<NodeAddress>().unwrap(), node);
        }
        for text in [
            "",
            "h",
            "h:",
            ":1",
            "h:0",
            "h:x",
            "::1:7000",
            "[::1:7000",
            "[]:1",
        ] {
            let error = text.parse::<NodeAddress>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        }
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
