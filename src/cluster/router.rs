//! The state machine of a cluster client: where a call goes, and where it goes next.
//!
//! ```text
//!                      ┌──────────────── resume ────────────────┐
//!                      ▼                                        │
//!  plan ──▶ Call ──▶ Send ──▶ the node answers ──┬─ a reply ────┼──────────────▶ done
//!                      ▲                         │              │
//!                      │                    refused, lost       │
//!                      │                         ▼              │
//!                      └── MOVED, ASK ──── Router::refused ── Wait, until a time or a new topology
//!                                          Router::lost         │
//!                                                │              │
//!                                                └──────────────┴──▶ GiveUp
//!
//!  poll_event ──▶ Ask ──▶ the node answers ──▶ Router::topology ──▶ Changed
//! ```
//!
//! A driver makes a [`Plan`] of a command, sends each [`Call`] to its node, and gives the outcome
//! back: a reply is the end; an error reply goes to [`Router::refused`], a lost connection to
//! [`Router::lost`]. It does as the [`Next`] says, and after every call of a method drains
//! [`Router::poll_event`].

use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    node::{AddressMap, Node, NodeAddress, NodeId, Nodes},
    read_from::pick,
    redirect::{Meaning, Trouble},
    refresh::{Ask, Poll, Refresh},
    route::{Route, Wish},
    topology::{Answer, Asked, Topology},
};
use crate::{
    back_off,
    command::{Bare, Info, Join, Retry},
    commands::info,
    config::{ClusterOptions, ReadFrom},
    error::{Error, ErrorKind, Outcome, Phase, Result},
    resp::Reply,
};

/// Knows the cluster, and decides about every call.
#[derive(Debug)]
pub(crate) struct Router {
    options: Options,
    seeds: Vec<NodeAddress>,
    nodes: Nodes,
    topology: Topology,
    refresh: Refresh,
    query: Query,
    /// The answer that the topology was made of, if nothing was corrected since.
    adopted: Option<Answer>,
    /// Slots that redirects have corrected since the question that is under way was asked.
    corrected: Vec<(u16, NodeId)>,
    /// An answer that knows less than what was known, until another node confirms it.
    doubted: Option<Answer>,
    /// Why the last question was not answered.
    failure: Option<Error>,
    /// Counts the changes of what node serves what.
    version: u64,
    events: VecDeque<Event>,
}

/// The settings of a router.
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
}

impl Options {
    /// What a router has to know of the settings of a client.
    pub(crate) fn of(config: &ClusterOptions) -> Self {
        Self {
            read_from: config.read_from.clone(),
            tls: false,
            map: config.address_map.clone(),
            refresh: config.topology_refresh,
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
        }
    }
}

/// What becomes of one command.
#[derive(Debug)]
pub(crate) enum Plan {
    /// One node runs it.
    One(Call),
    /// Several nodes run it; [`join`](super::fan_out::join) makes one answer of theirs.
    Several(Vec<Branch>, Join),
}

/// What one of several nodes runs.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) call: Call,
    /// The part of the command that it runs, where it is not all of it.
    pub(crate) command: Option<Bytes>,
    /// Which keys of the whole command that part has.
    pub(crate) items: Vec<usize>,
}

/// One command on its way to one node.
#[derive(Debug)]
pub(crate) struct Call {
    target: Target,
    /// Which node of its shard may run it.
    read_from: ReadFrom,
    /// Whether a second run does no harm.
    repeatable: bool,
    name: &'static str,
    deadline: Option<Instant>,
    node: NodeId,
    asking: bool,
    redirects: u32,
    tries: u32,
    /// Who has redirected it since it waited last.
    seen: Vec<NodeId>,
    /// Who has failed it last.
    avoid: Option<NodeId>,
    /// Whether it has to go on where it is.
    stays: bool,
    /// What it waits for to pass.
    trouble: Option<Error>,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Slot(u16),
    AnyNode,
    Node(NodeId),
}

/// What a driver does next with a call.
#[derive(Debug)]
pub(crate) enum Next {
    /// Send it to [`Call::node`]; behind `ASKING`, if [`Call::is_asking`].
    Send,
    /// Wait until then, or until [`Event::Changed`], and call [`Router::resume`].
    Wait(Instant),
    /// Hand the reply out.
    Answer,
    /// The call has failed.
    GiveUp(Error),
}

/// What a driver does beside its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Ask a node for the topology, and call [`Router::topology`] or [`Router::topology_failed`].
    Ask(Ask, NodeId, Query),
    /// Connect to a node anew: what answers there redirects to itself.
    Reconnect(NodeId),
    /// End the calls that are under way at a node: it has failed, and others have what it served.
    Failed(NodeId),
    /// Close the connections to a node, once their calls have ended.
    Forget(NodeId),
    /// Resume the calls that wait.
    Changed,
}

/// How a node is asked for the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// With health and all ports, since 7.0.
    Shards,
    /// What all versions know.
    Slots,
}

impl Query {
    /// The facts of the command, which has no arguments.
    pub(crate) fn info(self) -> &'static Info {
        match self {
            Self::Shards => &info::CLUSTER_SHARDS,
            Self::Slots => &info::CLUSTER_SLOTS,
        }
    }

    /// The command itself.
    pub(crate) fn command(self) -> Bare {
        Bare(self.info())
    }
}

impl Call {
    fn new(
        info: &'static Info,
        target: Target,
        read_from: &ReadFrom,
        wish: &Wish,
        node: NodeId,
    ) -> Self {
        Self {
            target,
            read_from: read_from.clone(),
            repeatable: wish.idempotent || info.retry == Retry::Safe,
            name: info.name,
            deadline: wish.deadline,
            node,
            asking: false,
            redirects: 0,
            tries: 0,
            seen: Vec::new(),
            avoid: None,
            stays: false,
            trouble: None,
        }
    }

    /// Moves the deadline, as for a call that a server may hold back before it says where to go.
    pub(crate) fn extend(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Where it is to be sent.
    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    /// Whether `ASKING` has to stand in front of it.
    ///
    /// If that is answered with an error, [`Router::asking_failed`] ends the call.
    pub(crate) fn is_asking(&self) -> bool {
        self.asking
    }

    /// Whether it is for one node and no other, which may say so if it is the wrong one.
    fn is_bound(&self) -> bool {
        matches!(self.target, Target::Node(_))
    }

    /// Lets it be redirected for ever, to see whether that is noticed.
    #[cfg(test)]
    pub(super) fn forget_redirects(&mut self) {
        self.redirects = 0;
    }

    /// How long it may still take.
    fn left(&self, now: Instant) -> Duration {
        self.deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(now)
        })
    }

    /// When it ends, come what may; then [`Call::expired`] says why.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The error of a call whose deadline came while it waited.
    #[cfg(test)]
    pub(crate) fn expired(self) -> Error {
        self.trouble.unwrap_or_else(|| {
            Error::new(
                ErrorKind::Timeout(Phase::Queue),
                "no node could take the command within the time allowed",
            )
            .with_command(self.name)
        })
    }
}

impl Router {
    /// A router that knows nothing but where to begin.
    pub(crate) fn new(seeds: Vec<NodeAddress>, options: Options, now: Instant) -> Self {
        let mut nodes = Nodes::default();
        for seed in &seeds {
            nodes.at(seed);
        }
        Self {
            refresh: Refresh::new(options.refresh, now),
            options,
            seeds,
            nodes,
            topology: Topology::empty(),
            query: Query::Shards,
            adopted: None,
            corrected: Vec::new(),
            doubted: None,
            failure: None,
            version: 0,
            events: VecDeque::new(),
        }
    }

    /// A call for the node of a slot, or for any node, of whose command nothing else must be known.
    ///
    /// # Errors
    ///
    /// No node is known; nothing was sent.
    pub(crate) fn call_to(
        &self,
        info: &'static Info,
        slot: Option<u16>,
        wish: &Wish,
        now: Instant,
        random: u64,
    ) -> Result<Call> {
        self.call(info, target(slot), wish, now, random)
    }

    /// The call of what a driver has already sent, as to a slot or to any node, to `node`.
    ///
    /// This is for one that knows [`Router::primary_of`] every slot and does not ask each time.
    pub(crate) fn call_sent(
        &self,
        info: &'static Info,
        slot: Option<u16>,
        wish: &Wish,
        node: NodeId,
    ) -> Call {
        Call::new(info, target(slot), self.read_from(info, wish), wish, node)
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
        wish: &Wish,
        now: Instant,
        random: u64,
    ) -> Result<Plan> {
        let one = |target| self.call(info, target, wish, now, random);
        let whole = |target| -> Result<Branch> {
            Ok(Branch {
                call: one(target)?,
                command: None,
                items: Vec::new(),
            })
        };
        Ok(match Route::of(info, command, keys, wish)? {
            Route::Slot(slot) => Plan::One(one(Target::Slot(slot))?),
            Route::AnyNode => Plan::One(one(Target::AnyNode)?),
            Route::Node(node) => Plan::One(one(Target::Node(node))?),
            Route::Parts(parts, join) => {
                let branches = parts.into_iter().map(|part| {
                    Ok(Branch {
                        call: one(Target::Slot(part.slot))?,
                        command: Some(part.command),
                        items: part.items,
                    })
                });
                Plan::Several(branches.collect::<Result<_>>()?, join)
            }
            Route::AllPrimaries(join) => {
                let slots = self.topology.slot_of_each();
                let shards = self.topology.shards().iter().zip(slots);
                let branches = shards.map(|(shard, slot)| {
                    // By its slot it is found again after a failover.
                    whole(slot.map_or(Target::Node(shard.primary), Target::Slot))
                });
                self.several(branches.collect::<Result<_>>()?, join, info)?
            }
            Route::AllNodes(join) => {
                let branches = self.topology.nodes().map(|id| whole(Target::Node(id)));
                self.several(branches.collect::<Result<_>>()?, join, info)?
            }
        })
    }

    /// Decides about an error reply.
    pub(crate) fn refused(
        &mut self,
        call: &mut Call,
        error: &[u8],
        now: Instant,
        random: u64,
    ) -> Next {
        let Some(from) = self.nodes.get(call.node).map(|node| node.address.clone()) else {
            // It is about to be closed, and does not know the cluster any more.
            return self.refused_by_unknown(call, error, now, random);
        };
        let not_executed = || {
            Error::server(error)
                .with_command(call.name)
                .with_outcome(Outcome::NotSent)
        };
        match Meaning::of(error, &from, &self.options.map) {
            Meaning::Answer => Next::Answer,
            meaning if call.is_bound() && !meaning.is_passing() => Next::Answer,
            Meaning::Moved(redirect) => {
                let trouble = not_executed();
                let to = self.nodes.at(&redirect.to);
                self.correct(redirect.slot, to);
                self.unsettle(call.node, now);
                self.refresh.want(Some(to));
                self.redirect(call, to, false, trouble, now, random)
            }
            Meaning::Ask(redirect) => {
                let trouble = not_executed();
                let to = self.nodes.at(&redirect.to);
                self.redirect(call, to, true, trouble, now, random)
            }
            Meaning::Astray => {
                let trouble = not_executed();
                self.refresh.want(None);
                call.avoid = Some(call.node);
                self.wait(call, trouble, now, random)
            }
            Meaning::NotExecuted(reason) => {
                let trouble = not_executed();
                if reason.is_about_topology() {
                    let teller = Some(call.node).filter(|_| reason != Trouble::ReadOnly);
                    self.refresh.want(teller);
                }
                match reason {
                    Trouble::ReadOnly => self.unsettle(call.node, now),
                    // The keys are on their way from the one node to the other, which both say so.
                    Trouble::TryAgain => call.stays = true,
                    Trouble::Loading | Trouble::MasterDown => {
                        self.doubt(call.node, now);
                        call.avoid = Some(call.node);
                    }
                    _ => {}
                }
                self.wait(call, trouble, now, random)
            }
        }
    }

    /// Decides about a call whose connection could not be made, or was lost before the reply came.
    ///
    /// What `error` says about its execution must be true of everything that was sent.
    pub(crate) fn lost(
        &mut self,
        call: &mut Call,
        error: Error,
        now: Instant,
        random: u64,
    ) -> Next {
        let retried = match error.kind() {
            ErrorKind::Connect | ErrorKind::Connection | ErrorKind::Protocol => true,
            ErrorKind::Timeout(phase) => phase == Phase::Connect,
            _ => false,
        };
        // A node that does not answer may have been replaced, although its connections are open.
        let silent = matches!(
            error.kind(),
            ErrorKind::Timeout(Phase::Write | Phase::Reply)
        );
        if retried || silent {
            self.doubt(call.node, now);
            self.refresh.want(None);
        }
        if silent {
            self.refresh.watch_until(now + WATCH);
        }
        let error = error.with_command(call.name);
        if !retried || (error.may_have_executed() && !call.repeatable) {
            return Next::GiveUp(error);
        }
        call.avoid = Some(call.node);
        self.wait(call, error, now, random)
    }

    /// The end of a call to which `ASKING` was answered with an error.
    pub(crate) fn asking_failed(call: &Call, error: &[u8]) -> Error {
        // Whatever the reply of the command itself is, it was given without what it needed.
        Error::server(error).with_command(call.name)
    }

    /// Where a call goes that has waited.
    pub(crate) fn resume(&mut self, call: &mut Call, now: Instant, random: u64) -> Next {
        if call.left(now) < SHORTEST_WAIT {
            // A try that nobody can wait for would only hide what the others have met.
            return Next::GiveUp(self.expired(call));
        }
        if std::mem::take(&mut call.stays) {
            return Next::Send;
        }
        call.asking = false;
        match self.node_for(call.target, &call.read_from, call.avoid, now, random) {
            Some(node) => {
                call.node = node;
                Next::Send
            }
            None => Next::GiveUp(self.expired(call)),
        }
    }

    /// Takes over the answer of a node to the question about the topology.
    pub(crate) fn topology(&mut self, ask: Ask, reply: Reply<'_>, now: Instant, random: u64) {
        let Some(id) = self.refresh.close(ask) else {
            return;
        };
        let Some(at) = self.nodes.get(id).map(|node| node.address.clone()) else {
            return self.refresh.failed();
        };
        if let Some(text) = reply.as_error() {
            let asked = std::mem::replace(&mut self.query, Query::Shards);
            if asked == Query::Shards && !is_about_state(text) {
                // Servers before 7.0 do not know it; whoever refuses it may allow the other.
                self.query = Query::Slots;
                self.refresh.again(id);
                return;
            }
            let error = Error::server(text).with_command(asked.info().name);
            return self.useless(id, error, now, random);
        }
        let asked = Asked {
            at: &at,
            tls: self.options.tls,
            map: &self.options.map,
        };
        let answer = match self.query {
            Query::Shards => Answer::from_shards(reply, asked),
            Query::Slots => Answer::from_slots(reply, asked),
        };
        self.told(id, answer, now, random);
    }

    /// Takes an answer over that was read before, which is most of the work.
    #[cfg(test)]
    pub(super) fn topology_as_read(
        &mut self,
        ask: Ask,
        answer: Result<Answer, String>,
        now: Instant,
        random: u64,
    ) {
        if let Some(id) = self.refresh.close(ask) {
            self.told(id, answer, now, random);
        }
    }

    /// Notes that a question about the topology found no answer.
    pub(crate) fn topology_failed(&mut self, ask: Ask, error: Error, now: Instant) {
        if let Some(id) = self.refresh.close(ask) {
            self.doubt(id, now);
            self.failure = Some(error);
            self.refresh.failed();
        }
    }

    /// What is to be done beside the calls.
    pub(crate) fn poll_event(&mut self, now: Instant, random: u64) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        if let Some(id) = self.refresh.overdue(now) {
            self.doubt(id, now);
            self.refresh.failed();
        }
        let (nodes, topology, seeds) = (&mut self.nodes, &self.topology, &self.seeds);
        let polled = self.refresh.poll(now, random, |first, tried| {
            let known: Vec<_> = topology.nodes().filter(|id| !tried.contains(id)).collect();
            let is_good =
                |id: &NodeId| !nodes.is_doubtful(*id, now) && !nodes.is_unsettled(*id, now);
            let good: Vec<_> = known.iter().copied().filter(is_good).collect();
            first
                .filter(|id| nodes.get(*id).is_some() && !tried.contains(id))
                .filter(|id| !nodes.is_unsettled(*id, now))
                .or_else(|| pick(&good, random))
                .or_else(|| pick(&known, random))
                .or_else(|| {
                    let mut ids = seeds.iter().map(|seed| nodes.at(seed));
                    ids.find(|id| !tried.contains(id))
                })
        });
        match polled {
            Poll::Nothing => None,
            Poll::Ask(ask, id) => {
                self.corrected.clear();
                Some(Event::Ask(ask, id, self.query))
            }
            Poll::NobodyLeft => {
                // Nobody contradicts the answer that was doubted.
                let answer = self.doubted.take()?;
                self.adopt(answer, now, random);
                self.events.pop_front()
            }
        }
    }

    /// When [`Router::poll_event`] should be called, if nothing else happens before.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.refresh.poll_timeout(now)
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

    /// How many questions about the topology were answered and taken over.
    pub(crate) fn answers(&self) -> u64 {
        self.refresh.answers()
    }

    /// Whether all nodes were asked for the topology in vain.
    pub(crate) fn is_at_a_loss(&self) -> bool {
        self.refresh.is_at_a_loss()
    }

    /// What is known of a node.
    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id)
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
        self.topology.covered() > 0
    }

    /// Why the topology is not known: the last question about it was not answered, or not in time.
    pub(crate) fn unknown(&self) -> Error {
        self.failure.clone().unwrap_or_else(|| {
            Error::new(
                ErrorKind::Timeout(Phase::Connect),
                "no node has told the topology of the cluster within the time allowed",
            )
        })
    }

    /// Asks the next question in this way.
    #[cfg(test)]
    pub(super) fn ask_by(&mut self, query: Query) {
        self.query = query;
    }

    fn call(
        &self,
        info: &'static Info,
        target: Target,
        wish: &Wish,
        now: Instant,
        random: u64,
    ) -> Result<Call> {
        let read_from = self.read_from(info, wish);
        let node = self
            .node_for(target, read_from, None, now, random)
            .ok_or_else(|| self.nobody(info.name))?;
        Ok(Call::new(info, target, read_from, wish, node))
    }

    fn read_from<'r>(&'r self, info: &Info, wish: &'r Wish) -> &'r ReadFrom {
        match &wish.read_from {
            _ if !info.replicas => &ReadFrom::Primary,
            Some(wanted) => wanted,
            None => &self.options.read_from,
        }
    }

    fn several(&self, branches: Vec<Branch>, join: Join, info: &Info) -> Result<Plan> {
        if branches.is_empty() {
            return Err(self.nobody(info.name));
        }
        Ok(Plan::Several(branches, join))
    }

    fn nobody(&self, name: &'static str) -> Error {
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

    fn node_for(
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
        }
    }

    /// A primary by chance; before any is known, any node.
    fn any_node(&self, avoid: Option<NodeId>, now: Instant, random: u64) -> Option<NodeId> {
        let primaries: Vec<_> = self.topology.shards().iter().map(|it| it.primary).collect();
        let known: Vec<_> = if primaries.is_empty() {
            self.nodes.ids().collect()
        } else {
            primaries
        };
        let is_good = |id: &NodeId| Some(*id) != avoid && !self.nodes.is_doubtful(*id, now);
        let good: Vec<_> = known.iter().copied().filter(is_good).collect();
        pick(&good, random).or_else(|| pick(&known, random))
    }

    /// Takes over what a redirect tells about a slot.
    fn correct(&mut self, slot: u16, primary: NodeId) {
        if self.refresh.is_asking() {
            self.corrected.push((slot, primary));
        }
        self.adopted = None;
        self.version += 1;
        self.topology.patch(slot, primary);
    }

    fn redirect(
        &mut self,
        call: &mut Call,
        to: NodeId,
        asking: bool,
        trouble: Error,
        now: Instant,
        random: u64,
    ) -> Next {
        call.redirects += 1;
        if call.redirects > MOST_REDIRECTS {
            return Next::GiveUp(trouble);
        }
        if to == call.node {
            // Another server than the one meant has taken over the address, or stands behind it.
            self.events.push_back(Event::Reconnect(to));
        }
        if to == call.node || call.seen.contains(&to) {
            self.refresh.want(None);
            return self.wait(call, trouble, now, random);
        }
        call.seen.push(call.node);
        call.node = to;
        call.asking = asking;
        Next::Send
    }

    /// Lets a call wait for the cluster to change, if there is time.
    fn wait(&mut self, call: &mut Call, mut trouble: Error, now: Instant, random: u64) -> Next {
        let earlier = call.trouble.take();
        if earlier.as_ref().is_some_and(Error::may_have_executed) && !trouble.may_have_executed() {
            trouble = trouble.with_outcome(Outcome::Indeterminate);
        }
        let left = call.left(now);
        if left < SHORTEST_WAIT {
            // That its time is up says less than what it was spent on.
            let timed_out = trouble.is_timeout();
            return Next::GiveUp(earlier.filter(|_| timed_out).unwrap_or(trouble));
        }
        call.seen.clear();
        call.trouble = Some(trouble);
        let until = now + back_off::wait(call.tries, left, random);
        call.tries = call.tries.saturating_add(1);
        if !call.stays {
            self.refresh.await_until(until);
        }
        Next::Wait(until)
    }

    fn expired(&self, call: &mut Call) -> Error {
        call.trouble
            .take()
            .unwrap_or_else(|| self.nobody(call.name))
    }

    /// Decides about an error reply of a node that is not known any more.
    fn refused_by_unknown(
        &mut self,
        call: &mut Call,
        error: &[u8],
        now: Instant,
        random: u64,
    ) -> Next {
        let nowhere = NodeAddress::new("", 0);
        if Meaning::of(error, &nowhere, &self.options.map) == Meaning::Answer {
            return Next::Answer;
        }
        let trouble = Error::server(error)
            .with_command(call.name)
            .with_outcome(Outcome::NotSent);
        self.wait(call, trouble, now, random)
    }

    fn doubt(&mut self, id: NodeId, now: Instant) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.failed = Some(now);
        }
    }

    /// Notes that a node has given something away, and does not yet know its own place.
    fn unsettle(&mut self, id: NodeId, now: Instant) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.unsettled = Some(now);
        }
    }

    fn told(&mut self, id: NodeId, answer: Result<Answer, String>, now: Instant, random: u64) {
        match answer {
            Ok(answer) => {
                self.recovered(id);
                self.consider(answer, now, random);
            }
            Err(reason) => {
                let error = Error::new(ErrorKind::Decode, reason);
                let command = self.query.info().name;
                self.useless(id, error.with_command(command), now, random);
            }
        }
    }

    fn useless(&mut self, id: NodeId, error: Error, now: Instant, random: u64) {
        self.doubt(id, now);
        self.failure = Some(error);
        self.refresh.unconvinced(now, random);
    }

    /// Takes an answer over, unless it knows less than what was known and nobody has confirmed it.
    ///
    /// A node that has just started, or was cut off, knows only a part of the cluster. But slots can
    /// also be really without a node.
    fn consider(&mut self, answer: Answer, now: Instant, random: u64) {
        if answer.covered() >= self.topology.covered() {
            return self.adopt(answer, now, random);
        }
        match self.doubted.take() {
            None => {
                self.doubted = Some(answer);
                self.refresh.unconvinced(now, random);
            }
            Some(other) => {
                let rank = |answer: &Answer| (answer.covered(), answer.online());
                let better = if rank(&other) > rank(&answer) {
                    other
                } else {
                    answer
                };
                self.adopt(better, now, random);
            }
        }
    }

    fn adopt(&mut self, answer: Answer, now: Instant, random: u64) {
        self.doubted = None;
        self.failure = None;
        self.refresh.done(now, random);
        if self.adopted.as_ref() == Some(&answer) {
            return;
        }
        let mut topology = Topology::new(&answer, &mut self.nodes);
        let failed = answer.failed().filter_map(|at| self.nodes.find(at));
        let failed: Vec<_> = failed.collect();
        self.adopted = self.corrected.is_empty().then_some(answer);
        for (slot, primary) in std::mem::take(&mut self.corrected) {
            // A redirect that came after the question knows better than the answer.
            if self.nodes.get(primary).is_some() {
                topology.patch(slot, primary);
            }
        }
        let changed = !topology.agrees_with(&self.topology);
        self.topology = topology;
        let replaced = failed.into_iter().filter(|id| !self.topology.serves(*id));
        self.events.extend(replaced.map(Event::Failed));
        let known: Vec<_> = self.topology.nodes().collect();
        let gone = self.nodes.retain(|id| known.contains(&id));
        self.events.extend(gone.into_iter().map(Event::Forget));
        if changed {
            self.version += 1;
            self.events.push_back(Event::Changed);
        }
    }
}

fn target(slot: Option<u16>) -> Target {
    slot.map_or(Target::AnyNode, Target::Slot)
}

/// Whether an error is about the state that a node is in, and not about the command.
fn is_about_state(error: &[u8]) -> bool {
    let code = error.split(|byte| *byte == b' ').next();
    !matches!(code, Some(b"ERR" | b"NOPERM"))
}

/// For how long after a node has not answered in time the cluster is watched for its replacement.
const WATCH: Duration = Duration::from_secs(5);

/// How often a call is redirected.
const MOST_REDIRECTS: u32 = 5;

/// With less time left a call does not wait any more, and is not sent again.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::{
        cluster::announced::{self, Node as NodeText, Shard as ShardText, Version},
        resp::{Frame, Writer},
    };

    /// A router with a clock, of a cluster whose slots are halved between `a:1` and `b:1`.
    struct Script {
        router: Router,
        now: Instant,
    }

    /// Slot 5061, of `a:1`.
    const BAR: &str = "bar";
    /// Slot 12182, of `b:1`.
    const FOO: &str = "foo";

    fn halves() -> Vec<ShardText> {
        [("a", (0, 8191)), ("b", (8192, 16_383))]
            .into_iter()
            .map(|(host, range)| ShardText {
                slots: vec![range],
                nodes: vec![NodeText::primary(host, 1), NodeText::replica(host, 2)],
            })
            .collect()
    }

    impl Script {
        fn unconnected(options: Options) -> Self {
            let now = Instant::now();
            let seeds = vec![NodeAddress::new("seed", 1), NodeAddress::new("seed", 2)];
            Self {
                router: Router::new(seeds, options, now),
                now,
            }
        }

        fn new() -> Self {
            Self::with(Options::default())
        }

        fn with(options: Options) -> Self {
            let mut script = Self::unconnected(options);
            let (ask, from, query) = script.ask();
            assert_eq!((&*from, query), ("seed:1", Query::Shards));
            script.answer(ask, &halves());
            assert_eq!(script.events(), ["forget one", "forget one", "changed"]);
            script
        }

        fn after(&mut self, ms: u64) -> &mut Self {
            self.now += Duration::from_millis(ms);
            self
        }

        fn name(&self, id: NodeId) -> String {
            let node = self.router.node(id);
            node.map_or("nobody".to_owned(), |node| node.address.to_string())
        }

        /// The question that is due.
        #[track_caller]
        fn ask(&mut self) -> (Ask, String, Query) {
            match self.router.poll_event(self.now, 0) {
                Some(Event::Ask(ask, id, query)) => (ask, self.name(id), query),
                other => panic!("expected a question, got {other:?}"),
            }
        }

        fn answer(&mut self, ask: Ask, shards: &[ShardText]) {
            let frame = announced::shards(shards, Version::Three);
            self.router.topology(ask, frame.reply(), self.now, 0);
        }

        fn answer_error(&mut self, ask: Ask, text: &str) {
            let frame = Frame::parse(Bytes::from(format!("-{text}\r\n"))).unwrap();
            self.router.topology(ask, frame.reply(), self.now, 0);
        }

        /// All events as text.
        fn events(&mut self) -> Vec<String> {
            let mut events = Vec::new();
            while let Some(event) = self.router.poll_event(self.now, 0) {
                events.push(match event {
                    Event::Ask(_, id, _) => format!("ask {}", self.name(id)),
                    Event::Reconnect(id) => format!("reconnect {}", self.name(id)),
                    Event::Failed(_) => "failed one".to_owned(),
                    Event::Forget(_) => "forget one".to_owned(),
                    Event::Changed => "changed".to_owned(),
                });
            }
            events
        }

        fn wish(&self, ms: u64) -> Wish {
            Wish::until(Some(self.now + Duration::from_millis(ms)))
        }

        fn plan(&self, words: &str, wish: &Wish) -> Result<Plan> {
            let words: Vec<_> = words.split(' ').collect();
            let info = Info::of(words[0])
                .or_else(|| Info::of(&words[..2].join(" ")))
                .unwrap();
            let mut command = BytesMut::new();
            let mut keys = Vec::new();
            Writer::command_with_keys(&mut command, &mut keys, |to| {
                for word in words {
                    match word {
                        BAR | FOO => to.key(word.as_bytes()),
                        _ => to.word(word.as_bytes()),
                    }
                }
            })?;
            self.router.plan(info, &command, &keys, wish, self.now, 0)
        }

        /// The call of a command for one node, with 2 s to live.
        #[track_caller]
        fn call(&self, words: &str) -> Call {
            match self.plan(words, &self.wish(2000)).unwrap() {
                Plan::One(call) => call,
                Plan::Several(..) => panic!("expected one node"),
            }
        }

        fn at(&self, call: &Call) -> String {
            let asking = if call.is_asking() { " asking" } else { "" };
            format!("{}{asking}", self.name(call.node()))
        }

        /// What follows on an error reply, as text.
        fn refuse(&mut self, call: &mut Call, error: &str) -> String {
            let next = self
                .router
                .refused(call, error.as_bytes(), self.now, 1 << 63);
            self.shown(call, next)
        }

        fn lose(&mut self, call: &mut Call, outcome: Outcome) -> String {
            let error = Error::new(ErrorKind::Connection, "reset").with_outcome(outcome);
            let next = self.router.lost(call, error, self.now, 1 << 63);
            self.shown(call, next)
        }

        fn resume(&mut self, call: &mut Call) -> String {
            let next = self.router.resume(call, self.now, 0);
            self.shown(call, next)
        }

        fn shown(&self, call: &Call, next: Next) -> String {
            match next {
                Next::Send => format!("send to {}", self.at(call)),
                Next::Wait(until) => format!("wait {} ms", (until - self.now).as_millis()),
                Next::Answer => "answer".to_owned(),
                Next::GiveUp(error) => {
                    format!("{error} (may have executed: {})", error.may_have_executed())
                }
            }
        }
    }

    #[test]
    fn a_command_goes_to_the_primary_of_its_slot() {
        let script = Script::new();
        assert_eq!(script.at(&script.call("GET foo")), "b:1");
        assert_eq!(script.at(&script.call("SET bar 1")), "a:1");
    }

    #[test]
    fn moved_corrects_the_slot_at_once_and_asks_where_it_leads() {
        let mut script = Script::new();
        let mut call = script.call("GET foo");
        assert_eq!(script.refuse(&mut call, "MOVED 12182 a:1"), "send to a:1");
        assert_eq!(script.at(&script.call("GET foo")), "a:1");
        assert_eq!(
            script.at(&script.call("GET foo{}")),
            "a:1",
            "any primary, as it has no key"
        );
        assert_eq!(script.events(), [""; 0]);
        assert_eq!(script.after(100).events(), ["ask a:1"]);
    }

    #[test]
    fn who_gave_a_slot_away_is_asked_last() {
        let mut script = Script::new();
        let mut call = script.call("GET foo");
        script.refuse(&mut call, "MOVED 12182 a:1");
        for expected in ["a:1", "a:2", "b:2", "b:1"] {
            let (ask, node, _) = script.after(100).ask();
            assert_eq!(node, expected);
            let error = Error::new(ErrorKind::Connection, "reset");
            script.router.topology_failed(ask, error, script.now);
        }
    }

    #[test]
    fn moved_to_a_node_that_nobody_knew() {
        let mut script = Script::new();
        let mut call = script.call("GET foo");
        assert_eq!(script.refuse(&mut call, "MOVED 12182 c:1"), "send to c:1");
        assert_eq!(script.at(&script.call("GET foo")), "c:1");
    }

    #[test]
    fn ask_leads_elsewhere_this_once() {
        let mut script = Script::new();
        let mut call = script.call("GET foo");
        assert_eq!(
            script.refuse(&mut call, "ASK 12182 a:1"),
            "send to a:1 asking"
        );
        assert_eq!(script.at(&script.call("GET foo")), "b:1");
        assert_eq!(script.after(100).events(), [""; 0]);
        let error = Router::asking_failed(&call, b"ERR no");
        assert_eq!(error.to_string(), "GET: the server answered: ERR no");
    }

    #[test]
    fn five_redirects_are_enough() {
        let mut script = Script::new();
        let mut call = script.call("INCR foo");
        for port in 10..15 {
            let expected = format!("send to c:{port}");
            assert_eq!(
                script.refuse(&mut call, &format!("MOVED 12182 c:{port}")),
                expected
            );
        }
        assert_eq!(
            script.refuse(&mut call, "MOVED 12182 c:16"),
            "INCR: the server answered: MOVED 12182 c:16 (may have executed: false)"
        );
    }

    #[test]
    fn a_node_that_redirects_to_itself_is_connected_anew() {
        let mut script = Script::new();
        let mut call = script.call("GET foo");
        assert_eq!(script.refuse(&mut call, "MOVED 12182 b:1"), "wait 0 ms");
        assert_eq!(script.events(), ["reconnect b:1"]);
        assert_eq!(script.resume(&mut call), "send to b:1");
        assert_eq!(script.after(100).events(), ["ask a:1"]);
    }

    #[test]
    fn nodes_that_redirect_to_each_other_are_given_time() {
        let mut script = Script::new();
        let mut call = script.call("GET foo");
        assert_eq!(script.refuse(&mut call, "MOVED 12182 a:1"), "send to a:1");
        assert_eq!(script.refuse(&mut call, "MOVED 12182 b:1"), "wait 0 ms");
        assert_eq!(script.resume(&mut call), "send to b:1");
        assert_eq!(script.refuse(&mut call, "MOVED 12182 a:1"), "send to a:1");
        assert_eq!(script.refuse(&mut call, "MOVED 12182 b:1"), "wait 25 ms");
        assert_eq!(script.after(25).resume(&mut call), "send to b:1");
        assert_eq!(script.refuse(&mut call, "MOVED 12182 a:1"), "send to a:1");
        assert!(
            script
                .refuse(&mut call, "MOVED 12182 b:1")
                .contains("MOVED 12182 b:1")
        );
    }

    #[test]
    fn a_redirect_that_leads_nowhere_is_not_followed() {
        let mut script = Script::new();
        let mut call = script.call("GET foo");
        assert_eq!(script.refuse(&mut call, "MOVED 12182 ?:0"), "wait 0 ms");
        assert_eq!(script.resume(&mut call), "send to b:1");
    }

    #[test]
    fn try_again_means_the_same_node_in_the_same_way() {
        let mut script = Script::new();
        let mut call = script.call("GET foo");
        script.refuse(&mut call, "ASK 12182 a:1");
        for wait in [0, 25, 50, 100] {
            assert_eq!(
                script.refuse(&mut call, "TRYAGAIN x"),
                format!("wait {wait} ms")
            );
            assert_eq!(script.after(wait).resume(&mut call), "send to a:1 asking");
        }
        assert_eq!(script.after(500).events(), [""; 0]);
        assert_eq!(script.refuse(&mut call, "MOVED 12182 b:1"), "send to b:1");
    }

    #[test]
    fn what_was_not_executed_is_retried_while_there_is_time() {
        for error in [
            "CLUSTERDOWN x",
            "READONLY x",
            "MASTERDOWN x",
            "LOADING x",
            "NOREPLICAS x",
        ] {
            let mut script = Script::new();
            let mut call = script.call("INCR foo");
            let mut waited = Vec::new();
            let end = loop {
                let next = script.refuse(&mut call, error);
                let Some(ms) = next.strip_prefix("wait ") else {
                    break next;
                };
                let ms: u64 = ms.trim_end_matches(" ms").parse().unwrap();
                waited.push(ms);
                let resumed = script.after(ms).resume(&mut call);
                if resumed != "send to b:1" {
                    break resumed;
                }
            };
            assert_eq!(waited[..7], [0, 25, 50, 100, 200, 400, 500], "{error}");
            assert!(waited.iter().sum::<u64>() <= 2000, "{waited:?}");
            assert_eq!(
                end,
                format!("INCR: the server answered: {error} (may have executed: false)")
            );
        }
    }

    #[test]
    fn a_call_whose_time_is_up_says_what_it_waited_for() {
        let mut script = Script::new();
        let mut call = script.call("INCR foo");
        script.refuse(&mut call, "CLUSTERDOWN x");
        assert_eq!(
            script.after(2000).resume(&mut call),
            "INCR: the server answered: CLUSTERDOWN x (may have executed: false)"
        );
        let mut call = script.call("INCR foo");
        script.refuse(&mut call, "CLUSTERDOWN x");
        assert_eq!(call.expired().code(), Some("CLUSTERDOWN"));
    }

    #[test]
    fn the_end_of_a_call_says_what_its_time_was_spent_on() {
        let mut script = Script::new();
        let mut call = script.call("INCR foo");
        script.refuse(&mut call, "CLUSTERDOWN x");
        script.after(1999);
        let late = Error::new(ErrorKind::Timeout(Phase::Connect), "x");
        let Next::GiveUp(error) = script.router.lost(&mut call, late, script.now, 0) else {
            panic!("expected the end");
        };
        assert_eq!(error.code(), Some("CLUSTERDOWN"));
        assert!(!error.may_have_executed());
    }

    #[test]
    fn what_may_have_executed_once_may_have_executed_in_the_end() {
        let mut script = Script::new();
        let mut call = script.call("GET foo");
        assert_eq!(script.lose(&mut call, Outcome::Indeterminate), "wait 0 ms");
        script.refuse(&mut call, "CLUSTERDOWN x");
        let Next::GiveUp(error) =
            script
                .router
                .resume(&mut call, script.now + Duration::from_secs(2), 0)
        else {
            panic!("expected the end");
        };
        assert_eq!(error.code(), Some("CLUSTERDOWN"));
        assert!(error.may_have_executed());
    }

    #[test]
    fn errors_about_the_command_are_answers() {
        let mut script = Script::new();
        let mut call = script.call("INCR foo");
        for error in [
            "WRONGTYPE x",
            "ERR x",
            "CROSSSLOT x",
            "NOAUTH x",
            "BUSY x",
            "OOM x",
        ] {
            assert_eq!(script.refuse(&mut call, error), "answer");
        }
    }

    #[test]
    fn somebody_who_waits_keeps_the_topology_being_asked_for() {
        let mut script = Script::new();
        let mut call = script.call("INCR foo");
        script.refuse(&mut call, "CLUSTERDOWN x");
        for wait in [25, 50, 100, 200, 400] {
            script.resume(&mut call);
            assert_eq!(
                script.refuse(&mut call, "CLUSTERDOWN x"),
                format!("wait {wait} ms")
            );
        }
        let mut asked = 0;
        for _ in 0..20 {
            script.after(10);
            if let Some(Event::Ask(ask, ..)) = script.router.poll_event(script.now, 0) {
                asked += 1;
                script.answer(ask, &halves());
            }
        }
        assert_eq!(asked, 2);
    }

    #[test]
    fn what_was_sent_is_sent_again_only_if_that_does_no_harm() {
        let mut script = Script::new();
        for (words, outcome, idempotent, expected) in [
            ("INCR foo", Outcome::NotSent, false, "wait 0 ms"),
            ("GET foo", Outcome::NotSent, false, "wait 0 ms"),
            ("GET foo", Outcome::Indeterminate, false, "wait 0 ms"),
            ("INCR foo", Outcome::Indeterminate, true, "wait 0 ms"),
            (
                "INCR foo",
                Outcome::Indeterminate,
                false,
                "INCR: connection lost: reset (may have executed: true)",
            ),
            (
                "SET foo 1",
                Outcome::Indeterminate,
                false,
                "SET: connection lost: reset (may have executed: true)",
            ),
        ] {
            let wish = Wish {
                idempotent,
                ..script.wish(2000)
            };
            let Plan::One(mut call) = script.plan(words, &wish).unwrap() else {
                panic!("expected one node");
            };
            assert_eq!(
                script.lose(&mut call, outcome),
                expected,
                "{words} {outcome:?}"
            );
        }
    }

    #[test]
    fn only_lost_connections_are_tried_again() {
        let mut script = Script::new();
        for kind in [
            ErrorKind::Timeout(Phase::Reply),
            ErrorKind::Timeout(Phase::Queue),
            ErrorKind::Closed,
            ErrorKind::Argument,
        ] {
            let mut call = script.call("GET foo");
            let next = script
                .router
                .lost(&mut call, Error::new(kind, "x"), script.now, 0);
            assert!(matches!(next, Next::GiveUp(_)), "{kind:?}");
        }
    }

    #[test]
    fn a_node_that_does_not_answer_may_have_been_replaced() {
        let mut script = Script::new();
        let mut call = script.call("INCR foo");
        let error = Error::new(ErrorKind::Timeout(Phase::Reply), "x");
        let next = script.router.lost(&mut call, error, script.now, 0);
        assert!(matches!(next, Next::GiveUp(_)));
        assert_eq!(script.after(200).events(), ["ask a:1"]);
    }

    #[test]
    fn calls_at_a_node_that_was_replaced_come_to_their_end() {
        let mut script = Script::new();
        let mut call = script.call("INCR foo");
        let error = Error::new(ErrorKind::Timeout(Phase::Reply), "x");
        script.router.lost(&mut call, error, script.now, 0);
        let fail = |node| NodeText {
            health: "fail",
            ..node
        };
        // As long as nobody has taken over, it may still answer.
        let mut shards = halves();
        shards[1].nodes = vec![fail(NodeText::primary("b", 1)), NodeText::replica("b", 2)];
        let (ask, ..) = script.after(200).ask();
        script.answer(ask, &shards);
        assert_eq!(script.events(), [""; 0]);
        // Nobody waits, and yet it is asked again.
        shards[1].nodes = vec![NodeText::primary("b", 2), fail(NodeText::replica("b", 1))];
        let (ask, ..) = script.after(250).ask();
        script.answer(ask, &shards);
        assert_eq!(script.events(), ["failed one", "forget one", "changed"]);
    }

    #[test]
    fn after_a_lost_connection_another_node_is_asked_for_the_topology() {
        let mut script = Script::new();
        let mut call = script.call("GET foo");
        script.lose(&mut call, Outcome::NotSent);
        assert_eq!(script.resume(&mut call), "send to b:1");
        assert_eq!(script.after(100).events(), ["ask a:1"]);
    }

    #[test]
    fn reads_go_to_replicas_and_elsewhere_if_these_fail() {
        let mut script = Script::with(Options {
            read_from: ReadFrom::PreferReplica,
            ..Options::default()
        });
        for (words, node) in [
            ("GET foo", "b:2"),
            ("SET foo 1", "b:1"),
            ("TOUCH foo", "b:1"),
            ("PFCOUNT foo", "b:2"),
            ("GETDEL foo", "b:1"),
        ] {
            assert_eq!(script.at(&script.call(words)), node, "{words}");
        }
        let mut call = script.call("GET foo");
        assert_eq!(script.refuse(&mut call, "LOADING x"), "wait 0 ms");
        assert_eq!(script.resume(&mut call), "send to b:1");
        assert_eq!(script.at(&script.call("GET foo")), "b:1");
        script.after(1000);
        assert_eq!(script.at(&script.call("GET foo")), "b:2");
        let primary = Wish {
            read_from: Some(ReadFrom::Primary),
            ..script.wish(2000)
        };
        let Plan::One(call) = script.plan("GET foo", &primary).unwrap() else {
            panic!("expected one node");
        };
        assert_eq!(script.at(&call), "b:1");
    }

    #[test]
    fn the_fastest_node_is_nearest() {
        let mut script = Script::with(Options {
            read_from: ReadFrom::Nearest,
            ..Options::default()
        });
        for (port, ms) in [(1, 3), (2, 4)] {
            let id = script.router.find(&NodeAddress::new("b", port)).unwrap();
            script.router.measured(id, Duration::from_millis(ms));
        }
        assert_eq!(script.at(&script.call("GET foo")), "b:1");
        let id = script.router.find(&NodeAddress::new("b", 1)).unwrap();
        for _ in 0..10 {
            script.router.measured(id, Duration::from_millis(9));
        }
        assert_eq!(script.at(&script.call("GET foo")), "b:2");
    }

    #[test]
    fn all_primaries_and_all_nodes() {
        let mut script = Script::new();
        let mut shards = halves();
        shards.push(ShardText {
            slots: vec![],
            nodes: vec![NodeText::primary("c", 1)],
        });
        script.router.refresh.want(None);
        let (ask, ..) = script.after(100).ask();
        script.answer(ask, &shards);
        let nodes = |words: &str| {
            let Plan::Several(branches, _) = script.plan(words, &script.wish(2000)).unwrap() else {
                panic!("expected several nodes");
            };
            let nodes: Vec<_> = branches.iter().map(|it| script.at(&it.call)).collect();
            nodes.join(" ")
        };
        assert_eq!(nodes("DBSIZE"), "a:1 b:1 c:1");
        assert_eq!(nodes("CONFIG RESETSTAT"), "a:1 b:1 c:1 a:2 b:2");
        assert_eq!(nodes("DEL foo bar"), "b:1 a:1");
    }

    #[test]
    fn a_part_for_all_primaries_follows_a_failover() {
        let mut script = Script::new();
        let plan = script.plan("DBSIZE", &script.wish(2000)).unwrap();
        let Plan::Several(mut branches, _) = plan else {
            panic!("expected several nodes");
        };
        let call = &mut branches[1].call;
        assert_eq!(script.lose(call, Outcome::NotSent), "wait 0 ms");
        let mut shards = halves();
        shards[1].nodes[0].health = "failed";
        shards[1].nodes[1].primary = true;
        let (ask, ..) = script.after(100).ask();
        script.answer(ask, &shards);
        assert_eq!(script.events(), ["failed one", "forget one", "changed"]);
        assert_eq!(script.resume(call), "send to b:2");
    }

    #[test]
    fn a_command_for_one_node_stays_there() {
        let mut script = Script::new();
        let wish = Wish {
            node: script.router.find(&NodeAddress::new("a", 2)),
            ..script.wish(2000)
        };
        let Plan::One(mut call) = script.plan("GET foo", &wish).unwrap() else {
            panic!("expected one node");
        };
        assert_eq!(script.at(&call), "a:2");
        for error in [
            "MOVED 12182 b:1",
            "ASK 1 b:1",
            "READONLY x",
            "CLUSTERDOWN x",
        ] {
            assert_eq!(script.refuse(&mut call, error), "answer");
        }
        assert_eq!(script.refuse(&mut call, "LOADING x"), "wait 0 ms");
        assert_eq!(script.resume(&mut call), "send to a:2");
        assert_eq!(script.at(&script.call("GET foo")), "b:1");
    }

    #[test]
    fn an_index_that_an_older_module_takes_for_a_key_is_followed() {
        let mut script = Script::new();
        let mut call = script.call("FT.SEARCH index *");
        assert_eq!(script.at(&call), "a:1");
        assert_eq!(script.refuse(&mut call, "MOVED 12182 b:1"), "send to b:1");
    }

    #[test]
    fn a_slot_without_a_node_is_asked_about_at_any() {
        let mut script = Script::new();
        let shards = &halves()[..1];
        script.router.refresh.want(None);
        for _ in 0..2 {
            let (ask, ..) = script.after(200).ask();
            script.answer(ask, shards);
        }
        assert!(script.events().contains(&"changed".to_owned()));
        let mut call = script.call("GET foo");
        assert_eq!(script.at(&call), "a:1");
        assert_eq!(script.refuse(&mut call, "MOVED 12182 b:1"), "send to b:1");
    }

    #[test]
    fn an_answer_that_knows_less_must_be_confirmed() {
        let mut script = Script::new();
        script.router.refresh.want(None);
        let (ask, first, _) = script.after(200).ask();
        script.answer(ask, &halves()[..1]);
        assert_eq!(script.events(), [""; 0]);
        assert_eq!(script.at(&script.call("GET foo")), "b:1");
        let (ask, second, _) = script.after(100).ask();
        assert_ne!(first, second);
        script.answer(ask, &halves());
        assert_eq!(script.at(&script.call("GET foo")), "b:1");

        script.router.refresh.want(None);
        let (ask, ..) = script.after(200).ask();
        script.answer(ask, &halves()[..1]);
        let (ask, ..) = script.after(200).ask();
        script.answer(ask, &halves()[..1]);
        assert_eq!(script.events().last().map(String::as_str), Some("changed"));
        assert_eq!(script.at(&script.call("GET foo")), "a:1");
    }

    #[test]
    fn an_answer_that_nobody_can_confirm_is_taken_in_the_end() {
        let mut script = Script::new();
        script.router.refresh.want(None);
        let (ask, ..) = script.after(200).ask();
        script.answer(ask, &halves()[..1]);
        script.after(100);
        for _ in 0..5 {
            let (ask, ..) = script.ask();
            let error = Error::new(ErrorKind::Connect, "refused");
            script.router.topology_failed(ask, error, script.now);
        }
        assert_eq!(script.events().last().map(String::as_str), Some("changed"));
        assert_eq!(script.at(&script.call("GET foo")), "a:1");
    }

    #[test]
    fn a_correction_outlives_an_answer_to_an_earlier_question() {
        let mut script = Script::new();
        script.router.refresh.want(None);
        let (ask, ..) = script.after(200).ask();
        let mut call = script.call("GET foo");
        script.refuse(&mut call, "MOVED 12182 a:1");
        script.answer(ask, &halves());
        assert_eq!(script.at(&script.call("GET foo")), "a:1");
        let (ask, ..) = script.after(200).ask();
        script.answer(ask, &halves());
        assert_eq!(script.at(&script.call("GET foo")), "b:1");
    }

    #[test]
    fn a_late_answer_to_an_earlier_question_is_ignored() {
        let mut script = Script::new();
        script.router.refresh.want(None);
        let (late, ..) = script.after(200).ask();
        let (ask, ..) = script.after(2000).ask();
        script.answer(late, &halves()[..1]);
        script.answer(ask, &halves());
        assert_eq!(script.events(), [""; 0]);
        assert_eq!(script.at(&script.call("GET foo")), "b:1");
    }

    #[test]
    fn servers_without_shards_are_asked_for_slots() {
        let mut script = Script::unconnected(Options::default());
        let (ask, from, _) = script.ask();
        script.answer_error(ask, "ERR Unknown subcommand");
        let (ask, again, query) = script.ask();
        assert_eq!((again, query), (from, Query::Slots));
        let frame = announced::slots(&halves(), Version::Two);
        script.router.topology(ask, frame.reply(), script.now, 0);
        assert!(script.router.is_ready());
        assert_eq!(script.at(&script.call("GET foo")), "b:1");
    }

    #[test]
    fn why_nobody_tells_the_topology_is_known() {
        let mut script = Script::unconnected(Options::default());
        for _ in 0..2 {
            let (ask, ..) = script.after(200).ask();
            script.answer_error(ask, "ERR cluster support disabled");
            let (ask, _, query) = script.ask();
            assert_eq!(query, Query::Slots);
            script.answer_error(ask, "ERR cluster support disabled");
        }
        assert!(!script.router.is_ready());
        let failure = script.router.unknown().to_string();
        assert_eq!(
            failure,
            "CLUSTER SLOTS: the server answered: ERR cluster support disabled"
        );
        let (ask, _, query) = {
            script.after(200).events();
            script.after(2000).ask()
        };
        assert_eq!(query, Query::Shards);
        script.answer_error(ask, "LOADING x");
        let (_, _, query) = script.after(200).ask();
        assert_eq!(query, Query::Shards);
    }

    #[test]
    fn seeds_are_tried_again_when_all_nodes_fail() {
        let mut script = Script::new();
        script.router.refresh.want(None);
        script.after(200);
        let mut asked = Vec::new();
        for _ in 0..6 {
            let (ask, from, _) = script.ask();
            let error = Error::new(ErrorKind::Connect, "refused");
            script.router.topology_failed(ask, error, script.now);
            asked.push(from);
        }
        asked[..4].sort();
        assert_eq!(asked, ["a:1", "a:2", "b:1", "b:2", "seed:1", "seed:2"]);
        assert_eq!(script.events(), [""; 0]);
        let (ask, ..) = script.after(1100).ask();
        script.answer(ask, &halves());
        assert!(script.router.is_ready());
    }

    #[test]
    fn nobody_to_send_to_is_an_error_that_says_why() {
        let now = Instant::now();
        let script = Script {
            router: Router::new(Vec::new(), Options::default(), now),
            now,
        };
        let error = script.plan("GET foo", &script.wish(100)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(!error.may_have_executed());
        assert!(script.plan("DBSIZE", &script.wish(100)).is_err());
    }
}
