//! How nodes are asked for the topology, and which of their answers is believed.

use std::time::Instant;

use super::{
    announcement::{Announcement, Asked},
    node::NodeId,
    read_from::pick,
    refresh::{Poll, QueryId},
    state::{ClusterState, Event},
    topology::Topology,
};
use crate::{
    code,
    command::{Bare, Info},
    commands::info,
    error::{Error, ErrorKind},
    events::{Event as Told, MovedSlots},
    resp::Reply,
};

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

impl ClusterState {
    /// Takes over the answer of a node to the question about the topology.
    pub(crate) fn topology(&mut self, ask: QueryId, reply: Reply<'_>, now: Instant, random: u64) {
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
            let mut error = Error::server(text).with_command(asked.info().name);
            if code::of(text) == Some(code::ERR) {
                // Both ways to ask were refused.
                error = error.with_hint("the scheme redis connects to a server that is no cluster");
            }
            return self.useless(id, error, now, random);
        }
        let asked = Asked {
            at: &at,
            tls: self.options.tls,
            map: &self.options.map,
        };
        let answer = match self.query {
            Query::Shards => Announcement::from_shards(reply, asked),
            Query::Slots => Announcement::from_slots(reply, asked),
        };
        self.on_reply(id, answer, now, random);
    }

    /// Takes an answer over that was read before, which is most of the work.
    #[cfg(test)]
    pub(super) fn topology_as_read(
        &mut self,
        ask: QueryId,
        answer: Result<Announcement, String>,
        now: Instant,
        random: u64,
    ) {
        if let Some(id) = self.refresh.close(ask) {
            self.on_reply(id, answer, now, random);
        }
    }

    /// Notes that a question about the topology found no answer.
    pub(crate) fn topology_failed(&mut self, ask: QueryId, error: Error, now: Instant) {
        if let Some(id) = self.refresh.close(ask) {
            self.mark_suspect(id, now);
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
            self.mark_suspect(id, now);
            self.refresh.failed();
        }
        let (nodes, topology, seeds) = (&mut self.nodes, &self.topology, &self.seeds);
        let polled = self.refresh.poll(now, random, |first, tried| {
            let known: Vec<_> = topology.nodes().filter(|id| !tried.contains(id)).collect();
            let is_good = |id: &NodeId| !nodes.is_suspect(*id, now) && !nodes.is_stale(*id, now);
            let good: Vec<_> = known.iter().copied().filter(is_good).collect();
            first
                .filter(|id| nodes.get(*id).is_some() && !tried.contains(id))
                .filter(|id| !nodes.is_stale(*id, now))
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
                // Nobody contradicts the answer that was unconfirmed.
                let answer = self.unconfirmed.take()?;
                self.install(answer, now, random);
                self.events.pop_front()
            }
        }
    }

    /// When [`ClusterState::poll_event`] should be called, if nothing else happens before.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.refresh.poll_timeout(now)
    }

    fn on_reply(
        &mut self,
        id: NodeId,
        answer: Result<Announcement, String>,
        now: Instant,
        random: u64,
    ) {
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
        self.mark_suspect(id, now);
        self.failure = Some(error);
        self.refresh.unconvinced(now, random);
    }

    /// Takes an answer over, unless it knows less than what was known and nobody has confirmed it.
    ///
    /// A node that has just started, or was cut off, knows only a part of the cluster. But slots can
    /// also be really without a node.
    fn consider(&mut self, announcement: Announcement, now: Instant, random: u64) {
        if announcement.covered() >= self.topology.covered() {
            return self.install(announcement, now, random);
        }
        match self.unconfirmed.take() {
            None => {
                self.unconfirmed = Some(announcement);
                self.refresh.unconvinced(now, random);
            }
            Some(other) => {
                let rank = |it: &Announcement| (it.covered(), it.online());
                let better = if rank(&other) > rank(&announcement) {
                    other
                } else {
                    announcement
                };
                self.install(better, now, random);
            }
        }
    }

    fn install(&mut self, announcement: Announcement, now: Instant, random: u64) {
        self.unconfirmed = None;
        self.failure = None;
        self.confirmed = Some(now);
        self.refresh.done(now, random);
        if self.installed.as_ref() == Some(&announcement) {
            return;
        }
        let mut topology = Topology::new(&announcement, &mut self.nodes);
        let failed = announcement.failed().filter_map(|at| self.nodes.find(at));
        let failed: Vec<_> = failed.collect();
        self.installed = self.corrected.is_empty().then_some(announcement);
        for (slot, primary) in std::mem::take(&mut self.corrected) {
            // A redirect that came after the question knows better than the announcement.
            if self.nodes.get(primary).is_some() {
                topology.patch(slot, primary);
            }
        }
        let changed = !topology.agrees_with(&self.topology);
        let known = std::mem::replace(&mut self.topology, topology);
        // What redirects have corrected is news as well.
        let told = self.uncorrected.take().unwrap_or(known);
        self.tell_of_change(&told, now);
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

    /// Tells how the topology differs from the one that was told of before, if it does; of nodes that
    /// are all still known.
    fn tell_of_change(&self, told: &Topology, now: Instant) {
        if self.topology.agrees_with(told) {
            return;
        }
        let (nodes, moved) = (self.topology.nodes().count(), self.moved_since(told));
        let is_known = |id| told.nodes().any(|known| known == id);
        let has_same_nodes = nodes == told.nodes().count() && self.topology.nodes().all(is_known);
        if moved.is_empty() && has_same_nodes {
            // Nodes tell of shards in whichever order.
            return;
        }
        self.tell(now, || Told::TopologyChanged {
            nodes,
            slots: self.topology.covered(),
            moved,
        });
    }

    /// Which slots have another primary than before.
    fn moved_since(&self, told: &Topology) -> Vec<MovedSlots> {
        let address = |id| self.address(id);
        let moves = self.topology.moved_since(told).into_iter();
        moves
            .map(|(from, to, ranges)| MovedSlots {
                ranges,
                from: from.and_then(address),
                to: to.and_then(address),
            })
            .collect()
    }
}

/// Whether an error is about the state that a node is in, and not about the command.
fn is_about_state(error: &[u8]) -> bool {
    let code = error.split(|byte| *byte == b' ').next();
    !matches!(code, Some(b"ERR" | b"NOPERM"))
}
