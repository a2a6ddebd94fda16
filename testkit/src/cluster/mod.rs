//! Running a cluster.
//!
//! Here it is started, asked and waited for. In `faults`, nodes and slots go and come back; in
//! `moves`, slots go from one node to another.

mod faults;
mod moves;
mod node;
mod slot;
mod topology;

use std::fmt;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::error::Error;
use crate::prober::Prober;
use crate::server::ServerOptions;
use crate::variant::Variant;

pub use faults::Outage;
pub use moves::SlotMove;
pub use node::Node;
pub use slot::{SLOTS, key_in_slot, slot_of};
pub use topology::{Member, Topology};

/// A running cluster, stopped when dropped.
///
/// Its first nodes are the primaries, each with a range of slots of the same size in order; then
/// come their replicas. Nodes save nothing but what they know of the cluster: one that is killed
/// comes back with its id and without its data. A primary whose last slot goes away stays one, and
/// a replica stays with its primary, unless a test says otherwise.
pub struct Cluster {
    options: ClusterOptions,
    nodes: Mutex<Vec<Arc<Node>>>,
    shards_asked: AtomicU64,
}

/// What kind of cluster to start.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    server: ServerOptions,
    settings: Vec<String>,
    variant: Variant,
    primaries: usize,
    replicas: usize,
    node_timeout: Duration,
    patience: Duration,
}

impl ClusterOptions {
    /// The defaults: three primaries with a replica each, a node time-out of a second, no modules.
    pub fn new(variant: Variant) -> Self {
        Self {
            server: ServerOptions::new(variant).modules(false).bus(true),
            settings: Vec::new(),
            variant,
            primaries: 3,
            replicas: 1,
            node_timeout: Duration::from_secs(1),
            patience: Duration::from_secs(30),
        }
    }

    /// How many primaries there are. The servers want three to agree on a failover by themselves.
    pub fn primaries(mut self, count: usize) -> Self {
        self.primaries = count;
        self
    }

    /// How many replicas each primary has.
    pub fn replicas(mut self, count: usize) -> Self {
        self.replicas = count;
        self
    }

    /// After what time without an answer the others think that a node has failed.
    pub fn node_timeout(mut self, timeout: Duration) -> Self {
        self.node_timeout = timeout;
        self
    }

    /// Whether every node refuses all work while any slot is uncovered; servers do by default.
    pub fn require_full_coverage(self, on: bool) -> Self {
        self.config(
            "cluster-require-full-coverage",
            if on { "yes" } else { "no" },
        )
    }

    /// Whether the variant's modules are loaded. Those that are built in always are.
    pub fn modules(mut self, on: bool) -> Self {
        self.server = self.server.modules(on);
        self
    }

    /// Adds a setting to every node as `redis.conf` has it.
    pub fn config(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        let name = format!("--{}", name.as_ref());
        self.settings.extend([name, value.into()]);
        self
    }

    /// How long a change may take, the start included, before it is an error.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts a cluster like this and waits until it is stable.
    pub fn start(self) -> Result<Cluster> {
        if self.primaries == 0 {
            return Err(Error::failed("a cluster has at least one primary"));
        }
        // Once, before all nodes want it.
        self.variant.locate()?;
        let count = self.primaries * (1 + self.replicas);
        let nodes = thread::scope(|scope| {
            let starting: Vec<_> = (0..count)
                .map(|_| scope.spawn(|| self.start_node()))
                .collect();
            starting
                .into_iter()
                .map(|node| {
                    node.join()
                        .unwrap_or_else(|panic| panic::resume_unwind(panic))
                })
                .collect::<Result<Vec<_>>>()
        })?;
        let cluster = Cluster {
            options: self,
            nodes: Mutex::new(nodes),
            shards_asked: AtomicU64::new(0),
        };
        cluster.form()?;
        Ok(cluster)
    }

    fn start_node(&self) -> Result<Arc<Node>> {
        let timeout = self.node_timeout.as_millis().to_string();
        let settings = [
            ["--cluster-enabled", "yes"],
            ["--cluster-announce-ip", "127.0.0.1"],
            ["--cluster-node-timeout", &timeout],
            ["--cluster-allow-replica-migration", "no"],
            // However busy the machine is, a replica never counts itself out of date: somebody is
            // elected.
            ["--cluster-replica-validity-factor", "0"],
            ["--repl-diskless-sync-delay", "0"],
            // Redis calls a replica loading until it has got its first byte after the data.
            ["--repl-ping-replica-period", "1"],
            ["--shutdown-timeout", "0"],
        ];
        let server = self.server.clone().args(settings.into_iter().flatten());
        // Last, because the later of two values counts.
        let server = server.args(self.settings.iter().cloned()).start()?;
        Node::new(server).map(Arc::new)
    }
}

impl Cluster {
    /// Starts a cluster with the default options and waits until it is stable.
    pub fn start(variant: Variant) -> Result<Self> {
        ClusterOptions::new(variant).start()
    }

    /// The options of a cluster to be started.
    pub fn builder(variant: Variant) -> ClusterOptions {
        ClusterOptions::new(variant)
    }

    /// The cluster that the tests of one binary share, started by the first who asks.
    ///
    /// Tests run at the same time and in no order: use keys of your own, and leave nodes and slots
    /// where they are. A test that does not starts a cluster of its own.
    ///
    /// # Panics
    ///
    /// When the cluster cannot be had; the message says why.
    pub fn shared(variant: Variant) -> &'static Self {
        static CLUSTERS: [OnceLock<Cluster>; Variant::ALL.len()] =
            [const { OnceLock::new() }; Variant::ALL.len()];
        static HOOK: OnceLock<()> = OnceLock::new();

        // As for shared servers: statics are not dropped.
        HOOK.get_or_init(|| {
            let previous = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                previous(info);
                let clusters = CLUSTERS.iter().filter_map(OnceLock::get);
                clusters.for_each(Self::keep_logs_of_shared);
            }));
        });
        CLUSTERS[variant as usize].get_or_init(|| {
            Self::start(variant)
                .unwrap_or_else(|error| panic!("cannot start a cluster of {variant}: {error:?}"))
        })
    }

    /// What kind of servers these are.
    pub fn variant(&self) -> Variant {
        self.options.variant
    }

    /// All nodes' addresses as a URL: `redis-cluster://127.0.0.1:PORT,127.0.0.1:PORT,…`.
    pub fn url(&self) -> String {
        let addrs: Vec<_> = self.nodes().iter().map(|n| n.addr().to_string()).collect();
        format!("redis-cluster://{}", addrs.join(","))
    }

    /// All nodes in the order of their start, whether they run or not.
    pub fn nodes(&self) -> Vec<Arc<Node>> {
        self.lock_nodes().clone()
    }

    /// The node with this id.
    pub fn node(&self, id: &str) -> Option<Arc<Node>> {
        self.lock_nodes()
            .iter()
            .find(|node| node.id() == id)
            .cloned()
    }

    /// What all nodes that are up say about roles and slots, once they say the same.
    pub fn topology(&self) -> Result<Topology> {
        self.wait_until("the nodes agree", || self.agreement())
    }

    /// The primaries in the order of their slots; those that have none come last.
    pub fn primaries(&self) -> Result<Vec<Arc<Node>>> {
        let topology = self.topology()?;
        let members = topology.members().iter();
        let mut primaries: Vec<_> = members.filter(|member| member.is_primary()).collect();
        primaries.sort_by_key(|member| {
            let first = member.slots.first().map(|range| *range.start());
            (first.is_none(), first)
        });
        Ok(self.known(primaries))
    }

    /// The replicas of a primary, up or not.
    pub fn replicas_of(&self, primary: &Node) -> Result<Vec<Arc<Node>>> {
        let topology = self.topology()?;
        let members = topology.members().iter();
        let replicas = members.filter(|member| member.primary.as_deref() == Some(primary.id()));
        Ok(self.known(replicas))
    }

    /// The primary that owns a slot.
    pub fn primary_of(&self, slot: u16) -> Result<Arc<Node>> {
        let topology = self.topology()?;
        let owner = topology.owner(slot);
        owner
            .and_then(|owner| self.node(&owner.id))
            .ok_or_else(|| Error::failed(format!("no node owns slot {slot}")))
    }

    /// A key in a slot of this primary: a hash tag, as [`key_in_slot`] returns.
    pub fn key_at(&self, primary: &Node) -> Result<String> {
        let topology = self.topology()?;
        let member = topology.member(primary.id());
        let range = member.and_then(|member| member.slots.first());
        range
            .map(|range| key_in_slot(*range.start()))
            .ok_or_else(|| Error::failed(format!("{} owns no slot", primary.addr())))
    }

    /// Watches from outside when the shard of a slot accepts writes.
    pub fn prober(&self, slot: u16) -> Prober {
        let addrs = self.nodes().iter().map(|node| node.addr()).collect();
        let key = format!("{}:prober", key_in_slot(slot));
        Prober::start(addrs, key.into_bytes())
    }

    /// Waits until nothing more is going to change by itself:
    ///
    /// - The nodes that are up know each other, are connected, and agree on roles and slots; those
    ///   that are not up have been found to have failed.
    /// - Every slot is owned by a node that is up, and `cluster_state` is `ok` everywhere.
    /// - The replicas that are up have their primaries' data, and all nodes know that.
    ///
    /// Slots may be on the move.
    pub fn wait_until_stable(&self) -> Result<()> {
        self.wait_until("the cluster is stable", || self.check_stable())
    }

    /// How often this has asked nodes for `CLUSTER SHARDS`, which those who count the questions of clients
    /// have to leave out.
    pub fn shards_asked(&self) -> u64 {
        self.shards_asked.load(Ordering::Relaxed)
    }

    /// Makes a cluster of servers that do not know each other.
    fn form(&self) -> Result<()> {
        let nodes = self.nodes();
        let (primaries, replicas) = nodes.split_at(self.options.primaries);
        for (index, primary) in primaries.iter().enumerate() {
            let bound = |index: usize| (index * usize::from(SLOTS) / primaries.len()).to_string();
            let (first, next) = (bound(index), bound(index + 1));
            let last = next
                .parse::<u32>()
                .unwrap_or(0)
                .saturating_sub(1)
                .to_string();
            // Different from the start, so that nobody has to settle who is right.
            let epoch = (index + 1).to_string();
            primary.run(&[b"CLUSTER", b"SET-CONFIG-EPOCH", epoch.as_bytes()])?;
            let range = [first.as_bytes(), last.as_bytes()];
            primary.run(&[b"CLUSTER", b"ADDSLOTSRANGE", range[0], range[1]])?;
        }
        // Nodes hear of each other by gossip, too, but that takes longer.
        for (index, node) in nodes.iter().enumerate() {
            for other in &nodes[index + 1..] {
                node.meet(other)?;
            }
        }
        for (index, replica) in replicas.iter().enumerate() {
            let primary = &primaries[index / self.options.replicas];
            self.make_replica(replica, primary)?;
        }
        self.wait_until_stable()
    }

    /// Makes an empty node a replica, as soon as it knows its primary.
    fn make_replica(&self, replica: &Node, primary: &Node) -> Result<()> {
        self.wait_until("a node becomes a replica", || {
            replica.run(&[b"CLUSTER", b"REPLICATE", primary.id().as_bytes()])
        })
    }

    /// Asks again and again until the condition holds; while it does not, it says why.
    fn wait_until<T>(&self, what: &str, mut condition: impl FnMut() -> Result<T>) -> Result<T> {
        let patience = self.options.patience;
        let deadline = Instant::now() + patience;
        loop {
            match condition() {
                Ok(value) => return Ok(value),
                Err(reason) if Instant::now() >= deadline => {
                    return Err(Error::failed(format!(
                        "waited {patience:?} in vain until {what}: {reason}"
                    )));
                }
                Err(_) => thread::sleep(POLL_INTERVAL),
            }
        }
    }

    /// What all nodes that are up say, or why that is not one thing.
    fn agreement(&self) -> Result<Topology> {
        let mut agreed: Option<(Arc<Node>, Topology)> = None;
        for node in self.nodes_up() {
            let topology = node.topology()?;
            match &agreed {
                None => agreed = Some((node, topology)),
                Some((_, first)) if topology.agrees_with(first) => {}
                Some((other, _)) => {
                    let (one, other) = (other.addr(), node.addr());
                    return Err(Error::failed(format!(
                        "{one} and {other} see different roles or slots"
                    )));
                }
            }
        }
        let (_, topology) = agreed.ok_or_else(|| Error::failed("no node is up"))?;
        Ok(topology)
    }

    fn check_stable(&self) -> Result<()> {
        self.check_acquaintance()?;
        let topology = self.agreement()?;
        let up = self.nodes_up();
        let is_up = |id: &str| up.iter().any(|node| node.id() == id);
        if let Some(slot) = topology.uncovered() {
            return Err(Error::failed(format!("no node owns slot {slot}")));
        }
        for member in topology.members() {
            let addr = || member.addr.map(|addr| addr.to_string()).unwrap_or_default();
            if !member.slots.is_empty() && !is_up(&member.id) {
                return Err(Error::failed(format!(
                    "{}, which is down, still owns slots",
                    addr()
                )));
            }
        }
        for node in &up {
            self.check_replication(node, &topology)?;
            let info = node.text(&[b"CLUSTER", b"INFO"])?;
            if !info.lines().any(|line| line == "cluster_state:ok") {
                return Err(Error::failed(format!(
                    "{} says that the cluster is down",
                    node.addr()
                )));
            }
            self.shards_asked.fetch_add(1, Ordering::Relaxed);
            let shards = node.ask(&[b"CLUSTER", b"SHARDS"])?;
            if shards.contains(b"loading") {
                return Err(Error::failed(format!(
                    "{} says that a replica is loading",
                    node.addr()
                )));
            }
        }
        Ok(())
    }

    /// Whether the nodes that are up know all others, and which of them are up.
    fn check_acquaintance(&self) -> Result<()> {
        let nodes = self.nodes();
        let up = self.nodes_up();
        let is_up = |id: &str| up.iter().any(|node| node.id() == id);
        for node in &up {
            let addr = node.addr();
            let topology = node.topology()?;
            for other in &nodes {
                let member = topology.member(other.id());
                let other = other.addr();
                let Some(member) = member.filter(|member| !member.has("handshake")) else {
                    return Err(Error::failed(format!("{addr} does not know {other}")));
                };
                if !is_up(&member.id) {
                    if !member.has("fail") {
                        return Err(Error::failed(format!(
                            "{addr} has not noticed that {other} has failed"
                        )));
                    }
                } else if member.has("fail") || member.has("fail?") {
                    return Err(Error::failed(format!(
                        "{addr} thinks that {other} has failed"
                    )));
                } else if !member.connected {
                    return Err(Error::failed(format!("{addr} is not connected to {other}")));
                }
            }
            let strangers = topology.members().len().saturating_sub(nodes.len());
            if strangers > 0 {
                return Err(Error::failed(format!(
                    "{addr} knows {strangers} nodes too many"
                )));
            }
        }
        Ok(())
    }

    /// Whether a replica has its data, or a primary all of its replicas.
    fn check_replication(&self, node: &Node, topology: &Topology) -> Result<()> {
        let addr = node.addr();
        let info = node.text(&[b"INFO", b"replication"])?;
        let says = |line: &str| info.lines().any(|other| other == line);
        let member = topology.member(node.id());
        match member.and_then(|member| member.primary.as_deref()) {
            Some(primary) if !self.node(primary).is_some_and(|primary| primary.is_up()) => {
                return Err(Error::failed(format!(
                    "{addr} has a primary that is down, {primary}"
                )));
            }
            Some(_) if !says("master_link_status:up") => {
                return Err(Error::failed(format!(
                    "{addr} is not in touch with its primary"
                )));
            }
            Some(_) => {}
            None => {
                let replicas = self.nodes_up().into_iter().filter(|other| {
                    let member = topology.member(other.id());
                    member.and_then(|member| member.primary.as_deref()) == Some(node.id())
                });
                let expected = replicas.count();
                let online = info
                    .lines()
                    .filter(|line| line.starts_with("slave") && line.contains("state=online"))
                    .count();
                if online < expected {
                    return Err(Error::failed(format!(
                        "{addr} has {online} of {expected} replicas online"
                    )));
                }
            }
        }
        Ok(())
    }

    fn nodes_up(&self) -> Vec<Arc<Node>> {
        let mut nodes = self.nodes();
        nodes.retain(|node| node.is_up());
        nodes
    }

    fn known<'m>(&self, members: impl IntoIterator<Item = &'m Member>) -> Vec<Arc<Node>> {
        let members = members.into_iter();
        members.filter_map(|member| self.node(&member.id)).collect()
    }

    fn lock_nodes(&self) -> MutexGuard<'_, Vec<Arc<Node>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_logs_of_shared(&self) {
        // The panic may have happened under this lock.
        if let Ok(nodes) = self.nodes.try_lock() {
            nodes
                .iter()
                .for_each(|node| node.server().keep_log_of_shared());
        }
    }
}

impl Node {
    /// Introduces the node to another.
    fn meet(&self, other: &Self) -> Result<()> {
        let port = other.server().port().to_string();
        let bus_port = other.server().bus_port().unwrap_or_default().to_string();
        let [port, bus_port] = [port.as_bytes(), bus_port.as_bytes()];
        self.run(&[b"CLUSTER", b"MEET", b"127.0.0.1", port, bus_port])
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // An orderly end would take each a tenth of a second, and none has anything to save. One
        // that died by itself is left alone, to be reported.
        for node in self.nodes_up() {
            // Dropping the server tries again.
            let _ = node.server().kill();
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("variant", &self.variant())
            .field("nodes", &self.nodes())
            .finish_non_exhaustive()
    }
}

/// How often the cluster is looked at: a look is some twenty questions.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
