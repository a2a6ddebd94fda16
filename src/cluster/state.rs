//! What a client knows of a cluster: its nodes, who serves which slot, and what to do about both.
//!
//! Calls are decided about in [`call`](crate::call), with what is known here. What is beside the
//! calls is told by [`ClusterState::poll_event`], which a driver drains after every call of a method.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    announcement::Announcement,
    calls::{Calls, OfflineBytes},
    node::{AddressMap, Node, NodeAddress, NodeId, Nodes},
    query::Query,
    read_from::pick,
    refresh::{QueryId, Refresh},
    retry_budget::RetryBudget,
    topology::Topology,
};
use crate::{
    address::Address,
    config::{Config, Offline, ReadFrom},
    error::{Error, ErrorKind, Outcome, Phase, Result},
    events::{Event as Told, Events},
    mutant::{self, Mutant},
};

/// What the nodes are that calls go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those of a cluster.
    Cluster,
    /// One server, which is all there is: whatever it could not execute, it may later, or another
    /// server may that has taken its place.
    Server,
    /// One node of a cluster, which a caller has chosen: what it says about itself is the answer.
    Node,
}

impl Scope {
    /// What a client with these settings is about.
    pub(crate) fn of(config: &Config) -> Self {
        match config.address {
            Address::Cluster(_) => Self::Cluster,
            _ => Self::Server,
        }
    }
}

/// Knows the cluster.
#[derive(Debug)]
pub(crate) struct ClusterState {
    pub(super) scope: Scope,
    /// The slot whose primary runs what one node of its own choice has to run.
    pub(super) home: u16,
    /// When the connections to the only server were last given up.
    pub(super) left: Option<Instant>,
    /// Where what becomes of calls and of the topology is told.
    pub(super) observer: Events,
    pub(super) options: Options,
    pub(super) seeds: Vec<NodeAddress>,
    pub(super) nodes: Nodes,
    pub(super) topology: Topology,
    pub(super) refresh: Refresh,
    pub(super) query: Query,
    /// The answer that the topology was made of, if nothing was corrected since.
    pub(super) installed: Option<Announcement>,
    /// The topology that was told of, if redirects have corrected it since.
    pub(super) uncorrected: Option<Topology>,
    /// When an answer about the topology was last taken over.
    pub(super) confirmed: Option<Instant>,
    /// Slots that redirects have corrected since the question that is under way was asked.
    pub(super) corrected: Vec<(u16, NodeId)>,
    /// An answer that knows less than what was known, until another node confirms it.
    pub(super) unconfirmed: Option<Announcement>,
    /// Why the last question was not answered.
    pub(super) failure: Option<Error>,
    /// Counts the changes of what node serves what.
    pub(super) version: u64,
    pub(super) events: VecDeque<Event>,
    /// How much may be sent again.
    pub(super) retries: RetryBudget,
}

/// The settings of a state.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Which nodes run what only reads.
    pub(crate) read_from: ReadFrom,
    /// Whether connections use TLS.
    pub(crate) tls: bool,
    /// How announced addresses are reached.
    pub(crate) map: AddressMap,
    /// How often the topology is asked for without a reason.
    pub(crate) refresh: Option<Duration>,
    /// What becomes of calls while there is no connection.
    pub(crate) offline: Offline,
    /// How many bytes of calls may wait for a connection.
    pub(crate) max_waiting: usize,
}

impl Options {
    /// What has to be known of the settings of a client.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            read_from: config.cluster.read_from.clone(),
            tls: false,
            map: config.cluster.address_map.clone(),
            refresh: config.cluster.topology_refresh,
            offline: config.offline,
            max_waiting: config.max_unanswered,
        }
    }

    /// The same for a topology of one, which has no other node to read from.
    fn of_one(config: &Config) -> Self {
        Self {
            offline: config.offline,
            max_waiting: config.max_unanswered,
            ..Self::default()
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            read_from: ReadFrom::Primary,
            tls: false,
            map: AddressMap::default(),
            refresh: Some(Duration::from_secs(60)),
            offline: Offline::Wait,
            max_waiting: usize::MAX,
        }
    }
}

/// Where something is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// At a node that serves a slot.
    Slot(u16),
    /// At any primary.
    AnyNode,
    /// At a primary, and the same one for all that a client says there.
    SameNode,
    /// At this one and no other.
    Node(NodeId),
}

impl Target {
    /// The slot, if it is for one.
    pub(crate) fn slot(self) -> Option<u16> {
        match self {
            Self::Slot(slot) => Some(slot),
            Self::AnyNode | Self::SameNode | Self::Node(_) => None,
        }
    }
}

/// What a driver does beside its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Ask a node for the topology, and call [`ClusterState::topology`] or [`ClusterState::topology_failed`].
    Ask(QueryId, NodeId, Query),
    /// Connect to a node anew: what answers there redirects to itself.
    Reconnect(NodeId),
    /// End the calls that are under way at a node: it has failed, and others have what it served.
    Failed(NodeId),
    /// Close the connections to a node, once their calls have ended.
    Forget(NodeId),
    /// Resume the calls that wait.
    Changed,
}

impl ClusterState {
    /// The state of one server, a topology of one, and its name there.
    pub(crate) fn one(
        config: &Config,
        address: &Address,
        scope: Scope,
        now: Instant,
    ) -> (Self, NodeId) {
        let seed = NodeAddress::of(address);
        let mut state = Self {
            scope,
            ..Self::new(vec![seed.clone()], Options::of_one(config), now)
        };
        let id = state.introduce(&seed);
        (state, id)
    }

    /// A state that knows nothing but where to begin.
    pub(crate) fn new(seeds: Vec<NodeAddress>, options: Options, now: Instant) -> Self {
        let mut nodes = Nodes::default();
        for seed in &seeds {
            nodes.at(seed);
        }
        Self {
            scope: Scope::Cluster,
            home: 0,
            left: None,
            observer: Events::default(),
            refresh: Refresh::new(options.refresh, now),
            options,
            seeds,
            nodes,
            topology: Topology::empty(),
            query: Query::Shards,
            installed: None,
            uncorrected: None,
            confirmed: None,
            corrected: Vec::new(),
            unconfirmed: None,
            failure: None,
            version: 0,
            events: VecDeque::new(),
            retries: RetryBudget::new(Calls::default(), now),
        }
    }

    /// The same, which tells what becomes of calls and of the topology.
    pub(crate) fn telling(self, events: Events) -> Self {
        Self {
            observer: events,
            ..self
        }
    }

    /// The same, whose calls are counted there.
    pub(crate) fn counting(self, calls: &Calls, now: Instant) -> Self {
        Self {
            retries: RetryBudget::new(calls.clone(), now),
            ..self
        }
    }

    /// The calls, each of which allows something to be sent again.
    pub(crate) fn calls(&self) -> &Calls {
        self.retries.calls()
    }

    /// Whether something may be sent again that a server has got before; it counts as that then.
    pub(crate) fn takes_retry(&mut self, now: Instant) -> bool {
        self.retries.take(now) || mutant::is(Mutant::BudgetIgnored)
    }

    /// Has calls that wait look again.
    pub(crate) fn change(&mut self) {
        self.events.push_back(Event::Changed);
    }

    /// Notes that a node answers.
    pub(crate) fn recovered(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.failed = None;
        }
    }

    /// Notes how long a node took to answer something that takes no time, such as a heartbeat.
    pub(crate) fn measured(&mut self, id: NodeId, took: Duration) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.latency = Some(match node.latency {
                Some(known) => known - known / 8 + took / 8,
                None => took,
            });
        }
    }

    /// The node that runs what is written to a slot.
    pub(crate) fn primary_of(&self, slot: u16) -> Option<NodeId> {
        self.topology.shard(slot).map(|shard| shard.primary)
    }

    /// A number that changes whenever the node of any slot does.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The nodes that take writes.
    pub(crate) fn primaries(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.topology.shards().iter().map(|shard| shard.primary)
    }

    /// Asks for the topology as soon as may be.
    pub(crate) fn want_topology(&mut self) {
        self.refresh.want(None);
    }

    /// The same, of this node first.
    pub(crate) fn want_topology_of(&mut self, first: Option<NodeId>) {
        self.refresh.want(first);
    }

    /// Goes on asking for the topology until then, since somebody waits for it to change.
    pub(crate) fn await_until(&mut self, until: Instant) {
        self.refresh.await_until(until);
    }

    /// Goes on asking for the topology until then, since a node is silent and may be replaced.
    pub(crate) fn watch_until(&mut self, until: Instant) {
        self.refresh.watch_until(until);
    }

    /// Tells what has become of a call or of the topology, if somebody listens.
    pub(crate) fn tell(&self, now: Instant, event: impl FnOnce() -> Told) {
        self.observer.tell(now, event);
    }

    /// What the nodes are that calls go to.
    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    /// The only server, if there is only one.
    pub(crate) fn only(&self) -> Option<NodeId> {
        let seed = self.seeds.first().filter(|_| self.scope != Scope::Cluster);
        seed.and_then(|seed| self.nodes.find(seed))
    }

    /// Whether new connections to the only server are wanted, since this was last asked.
    pub(crate) fn takes_leave(&mut self) -> bool {
        let leaves = !self.events.is_empty();
        self.events.clear();
        leaves
    }

    /// Wants other connections to the only server, since another one may stand behind its name by
    /// now; not more often than every [`LEAVE_EVERY`], however many calls say so.
    pub(crate) fn leave(&mut self, id: NodeId, now: Instant) {
        if self.left.is_none_or(|left| now >= left + LEAVE_EVERY) {
            self.left = Some(now);
            self.reconnect(id);
        }
    }

    /// Wants another connection to a node.
    pub(crate) fn reconnect(&mut self, id: NodeId) {
        self.events.push_back(Event::Reconnect(id));
    }

    /// How announced addresses are reached.
    pub(crate) fn map(&self) -> &AddressMap {
        &self.options.map
    }

    /// Which nodes run what only reads, if a call does not say.
    pub(crate) fn read_from(&self) -> &ReadFrom {
        &self.options.read_from
    }

    /// The node at an address, which becomes known if it was not.
    pub(crate) fn introduce(&mut self, address: &NodeAddress) -> NodeId {
        self.nodes.at(address)
    }

    /// Where what every primary is to run goes: by a slot, it is found again after a failover.
    pub(crate) fn each_primary(&self) -> impl Iterator<Item = Target> + '_ {
        let slots = self.topology.slot_of_each();
        let shards = self.topology.shards().iter().zip(slots);
        shards.map(|(shard, slot)| slot.map_or(Target::Node(shard.primary), Target::Slot))
    }

    /// How many questions about the topology were answered and taken over.
    pub(crate) fn answers(&self) -> u64 {
        self.refresh.answers()
    }

    /// Whether a caller who waits for the topology need wait no longer: it is known, or no node tells it and
    /// calls do not wait for a connection.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_ready() || (self.options.offline == Offline::Fail && self.is_at_a_loss())
    }

    /// What becomes of calls while there is no connection.
    pub(crate) fn offline(&self) -> Offline {
        self.options.offline
    }

    /// Counts the bytes of a call that begins to wait for a connection.
    ///
    /// # Errors
    ///
    /// Attempts to make one fail, and with those of others that wait they are too many.
    pub(crate) fn wait_for_connection(
        &self,
        bytes: usize,
        is_failing: bool,
    ) -> Result<OfflineBytes> {
        match is_failing {
            true => self.calls().wait_offline(bytes, self.options.max_waiting),
            false => Ok(self.calls().wait(bytes)),
        }
    }

    /// How long ago a node has last told the topology, or told that it is as it was.
    pub(crate) fn topology_age(&self, now: Instant) -> Option<Duration> {
        let confirmed = self.confirmed?;
        Some(now.saturating_duration_since(confirmed))
    }

    /// Whether all nodes were asked for the topology in vain.
    pub(crate) fn is_at_a_loss(&self) -> bool {
        self.refresh.is_at_a_loss()
    }

    /// What is known of a node.
    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// Where a node is, if it is known.
    pub(crate) fn address(&self, id: NodeId) -> Option<Arc<Address>> {
        let node = self.node(id)?;
        Some(Arc::new(Address::from(&node.address)))
    }

    /// The node at an address, for callers who name one.
    pub(crate) fn find(&self, address: &NodeAddress) -> Option<NodeId> {
        self.nodes.find(address)
    }

    /// The nodes of the topology, primaries first.
    pub(crate) fn known_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.topology.nodes()
    }

    /// Whether a topology was taken over; a client is connected once this is so.
    pub(crate) fn is_ready(&self) -> bool {
        self.scope != Scope::Cluster || self.topology.covered() > 0
    }

    /// Why the topology is not known: the last question about it was not answered, or not in time.
    pub(crate) fn unknown(&self, allowed: Option<Duration>) -> Error {
        // It is that of a question, and the call was not even sent.
        let failure = self.failure.clone();
        let failure = failure.map(|error| error.with_outcome(Outcome::NotSent));
        failure.unwrap_or_else(|| {
            let seeds = Address::Cluster(self.seeds.clone());
            let mut message = format!("none of {seeds} has told the topology of the cluster");
            if let Some(allowed) = allowed {
                message += &format!(" within {allowed:?}");
            }
            Error::new(ErrorKind::Timeout(Phase::Connect), message)
        })
    }

    /// Asks the next question in this way.
    #[cfg(test)]
    pub(crate) fn ask_by(&mut self, query: Query) {
        self.query = query;
    }

    pub(crate) fn nobody(&self, name: &'static str) -> Error {
        let error = Error::new(
            ErrorKind::Connect,
            "the cluster has no node with such an address",
        );
        match &self.failure {
            Some(failure) => error.with_source(failure.clone()),
            None => error,
        }
        .with_command(name)
    }

    pub(crate) fn node_for(
        &self,
        target: Target,
        read_from: &ReadFrom,
        avoid: Option<NodeId>,
        now: Instant,
        random: u64,
    ) -> Option<NodeId> {
        match target {
            Target::Node(id) => self.nodes.get(id).map(|_| id),
            Target::Slot(slot) => match self.topology.shard(slot) {
                Some(shard) => Some(read_from.choose(shard, &self.nodes, avoid, now, random)),
                // Whoever is asked knows better than we do, or says that nobody serves the slot.
                None => self.any_node(avoid, now, random),
            },
            Target::AnyNode => self.any_node(avoid, now, random),
            Target::SameNode => {
                let home = self.primary_of(self.home);
                home.or_else(|| self.any_node(avoid, now, random))
            }
        }
    }

    /// Another node for a call than the one that cannot be reached, if there is one that has not failed
    /// lately.
    pub(crate) fn other_node_for(
        &self,
        target: Target,
        read_from: &ReadFrom,
        failed: NodeId,
        now: Instant,
        random: u64,
    ) -> Option<NodeId> {
        self.node_for(target, read_from, Some(failed), now, random)
            .filter(|other| *other != failed && !self.nodes.is_suspect(*other, now))
    }

    /// A primary by chance; before any is known, any node.
    fn any_node(&self, avoid: Option<NodeId>, now: Instant, random: u64) -> Option<NodeId> {
        let primaries: Vec<_> = self.topology.shards().iter().map(|it| it.primary).collect();
        let known: Vec<_> = if primaries.is_empty() {
            self.nodes.ids().collect()
        } else {
            primaries
        };
        let is_good = |id: &NodeId| Some(*id) != avoid && !self.nodes.is_suspect(*id, now);
        let good: Vec<_> = known.iter().copied().filter(is_good).collect();
        pick(&good, random).or_else(|| pick(&known, random))
    }

    /// Takes over what a redirect tells about a slot.
    pub(crate) fn correct(&mut self, slot: u16, primary: NodeId) {
        if self.refresh.is_asking() {
            self.corrected.push((slot, primary));
        }
        self.installed = None;
        self.version += 1;
        self.uncorrected
            .get_or_insert_with(|| self.topology.clone());
        self.topology.patch(slot, primary);
    }

    pub(crate) fn mark_suspect(&mut self, id: NodeId, now: Instant) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.failed = Some(now);
        }
    }

    /// Notes that a node has given something away, and does not yet know its own place.
    pub(crate) fn mark_stale(&mut self, id: NodeId, now: Instant) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.stale = Some(now);
        }
    }
}

/// How often the connections to the only server are given up because of what it says.
const LEAVE_EVERY: Duration = Duration::from_millis(250);
