//! The state together with what a driver has of each node.

use std::{
    collections::{HashMap, VecDeque},
    fmt, mem,
    time::Instant,
};

use super::{
    calls::Calls,
    node::{NodeAddress, NodeId},
    query::Query,
    refresh::QueryId,
    slot::SLOTS,
    slot_table::SlotTable,
    state::{ClusterState, Event, Options},
};
use crate::{
    config::{Address, Config},
    error::{Error, ErrorKind},
    events::Events,
};

/// The state, and a driver's server for each node that was wanted.
///
/// A driver keeps it behind a mutex, and after everything that it lets the state do calls
/// [`ServerMap::drain`].
pub(crate) struct ServerMap<S> {
    pub(crate) state: ClusterState,
    servers: HashMap<NodeId, S>,
    questions: VecDeque<TopologyQuery<S>>,
    /// When the questions are looked at next.
    looks: Option<Instant>,
    make: Box<Make<S>>,
}

type Make<S> = dyn Fn(&NodeAddress) -> S + Send;

/// The question of the state about the topology, and whom to ask.
#[derive(Debug)]
pub(crate) struct TopologyQuery<S> {
    pub(crate) ask: QueryId,
    pub(crate) query: Query,
    pub(crate) server: S,
}

/// What a driver has to do after the state has decided something; none of it under a lock.
#[derive(Debug)]
#[must_use = "connections are to be closed, and callers to be woken"]
pub(crate) struct Effects<S> {
    /// Nobody will use them any more; calls that are under way there come to their end.
    pub(crate) forgotten: Vec<S>,
    /// To be connected to anew.
    pub(crate) reconnect: Vec<S>,
    /// The same, and calls that are under way there come to nothing.
    pub(crate) failed: Vec<S>,
    /// Calls that wait should look again.
    pub(crate) changed: bool,
    /// Whoever asks the questions should look at them.
    pub(crate) asks: bool,
}

impl<S: Clone> ServerMap<S> {
    /// A directory of the cluster of a config; `make` makes the server of an address, without IO.
    pub(crate) fn new(
        config: &Config,
        events: Events,
        calls: &Calls,
        now: Instant,
        make: impl Fn(&NodeAddress) -> S + Send + 'static,
    ) -> Self {
        let seeds = match &config.address {
            Address::Cluster(seeds) => seeds.clone(),
            // A state without seeds says that it has no node.
            Address::Tcp { .. } | Address::Unix(_) => Vec::new(),
        };
        let options = Options::of(config);
        Self {
            state: ClusterState::new(seeds, options, now)
                .telling(events)
                .counting(calls, now),
            servers: HashMap::new(),
            questions: VecDeque::new(),
            looks: Some(now),
            make: Box::new(make),
        }
    }

    /// The same with a node of its own choice for what has to run at one node, whichever it is; by
    /// chance, so that not all clients have the same one.
    pub(crate) fn at_home(mut self, random: u64) -> Self {
        self.state.home = u16::try_from(random % u64::from(SLOTS)).unwrap_or(0);
        self
    }

    /// The server of the node with this id, if it is known.
    pub(crate) fn server(&mut self, id: NodeId) -> Option<S> {
        if let Some(server) = self.servers.get(&id) {
            return Some(server.clone());
        }
        let node = self.state.node(id)?;
        let server = (self.make)(&node.address);
        self.servers.insert(id, server.clone());
        Some(server)
    }

    /// The servers that were wanted until now.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &S> {
        self.servers.values()
    }

    /// The primaries, or all nodes, with their addresses.
    pub(crate) fn nodes(&mut self, replicas: bool) -> Vec<(NodeId, NodeAddress, S)> {
        let ids: Vec<_> = if replicas {
            self.state.known_nodes().collect()
        } else {
            self.state.primaries().collect()
        };
        let known = ids.into_iter().filter_map(|id| {
            let server = self.server(id)?;
            let address = self.state.node(id)?.address.clone();
            Some((id, address, server))
        });
        known.collect()
    }

    /// Whether something is true of the server of each primary, of which there is at least one.
    pub(crate) fn every_primary(&mut self, test: impl Fn(&S) -> bool) -> bool {
        let primaries = self.nodes(false);
        !primaries.is_empty() && primaries.iter().all(|(_, _, server)| test(server))
    }

    /// The server at an address, if it is known.
    pub(crate) fn find(&mut self, address: &NodeAddress) -> Option<S> {
        let id = self.state.find(address)?;
        self.server(id)
    }

    /// The node that serves each slot, as far as that is known.
    pub(crate) fn owners(&self) -> Vec<Option<NodeId>> {
        (0..SLOTS).map(|slot| self.state.primary_of(slot)).collect()
    }

    /// A new table, if the state knows better than the one of this version.
    pub(crate) fn table(&mut self, known: u64) -> Option<SlotTable<S>> {
        let version = self.state.version();
        if version == known {
            return None;
        }
        let owners = self.owners();
        let home = self.state.home;
        Some(SlotTable::new(version, home, &owners, |id| self.server(id)))
    }

    /// What the state wants done.
    pub(crate) fn drain(&mut self, now: Instant, random: impl Fn() -> u64) -> Effects<S> {
        let mut effects = Effects {
            forgotten: Vec::new(),
            reconnect: Vec::new(),
            failed: Vec::new(),
            changed: false,
            asks: false,
        };
        while let Some(event) = self.state.poll_event(now, random()) {
            match event {
                Event::Ask(ask, id, query) => match self.server(id) {
                    Some(server) => self
                        .questions
                        .push_back(TopologyQuery { ask, query, server }),
                    None => self.state.topology_failed(ask, gone(), now),
                },
                Event::Reconnect(id) => effects.reconnect.extend(self.servers.get(&id).cloned()),
                Event::Failed(id) => effects.failed.extend(self.servers.get(&id).cloned()),
                Event::Forget(id) => effects.forgotten.extend(self.servers.remove(&id)),
                Event::Changed => effects.changed = true,
            }
        }
        let again = self.state.poll_timeout(now);
        let sooner = again.is_some_and(|again| self.looks.is_none_or(|looks| again < looks));
        effects.asks = sooner || !self.questions.is_empty();
        effects
    }

    /// The questions that are to be asked, each of them once, and when to look again if nothing
    /// happens before.
    pub(crate) fn questions(
        &mut self,
        now: Instant,
    ) -> (VecDeque<TopologyQuery<S>>, Option<Instant>) {
        self.looks = self.state.poll_timeout(now);
        (mem::take(&mut self.questions), self.looks)
    }
}

impl<S> fmt::Debug for ServerMap<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerMap")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// The error of who names a node that is not known.
pub(crate) fn unknown_node() -> Error {
    Error::new(
        ErrorKind::Refused,
        "expected the address of a node that is known: nodes() has them",
    )
}

/// The error of a call to a node whose slots others have taken over.
pub(crate) fn replaced(node: &Address) -> Error {
    Error::new(
        ErrorKind::Connection,
        format!("{node} has failed, and the cluster has replaced it"),
    )
}

/// The error of a call to a node that has left the cluster.
pub(crate) fn gone() -> Error {
    Error::new(ErrorKind::Connect, "the node is no longer in the cluster")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cluster::refresh::PATIENCE;

    #[test]
    fn whoever_asks_is_told_to_look_only_when_that_is_of_use() {
        let (start, random) = (Instant::now(), || 1);
        let config = Config::cluster([NodeAddress::new("a", 1)]);
        let mut directory = ServerMap::new(
            &config,
            Events::default(),
            &Calls::default(),
            start,
            NodeAddress::port,
        );
        assert!(directory.drain(start, random).asks, "a question");
        let (mut questions, again) = directory.questions(start);
        let question = questions.pop_front().unwrap();
        assert_eq!((question.server, questions.len()), (1, 0));
        assert_eq!(again, Some(start + PATIENCE));
        assert!(!directory.drain(start, random).asks);

        let error = Error::new(ErrorKind::Connect, "refused");
        let now = start + Duration::from_millis(1);
        directory.state.topology_failed(question.ask, error, now);
        assert!(directory.drain(now, random).asks, "the next round is near");
        let (questions, again) = directory.questions(now);
        assert!(questions.is_empty() && again.is_some_and(|again| again < start + PATIENCE));
        assert!(!directory.drain(now, random).asks);
        assert_eq!(directory.servers().collect::<Vec<_>>(), [&1]);
    }
}
