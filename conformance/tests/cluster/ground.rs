//! A cluster, and two ways to ask it: by the client under test, and node by node by hand.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use respec::{Client, command::Info, reply::Value};
use respec_conformance::{Connection, Facts, value};
use respec_testkit::{Cluster, Node, SLOTS, Variant};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

/// A cluster that is stable.
pub(crate) struct Ground {
    pub(crate) variant: Variant,
    /// What each of its servers has.
    pub(crate) facts: Facts,
    /// The primaries in the order of their slots, and then the replicas.
    pub(crate) nodes: Vec<Arc<Node>>,
    /// Which of the nodes has each slot.
    owners: Vec<usize>,
    runtime: Runtime,
    cluster: Cluster,
}

impl Ground {
    /// Starts a cluster.
    pub(crate) fn start(variant: Variant) -> Self {
        let cluster = Cluster::builder(variant)
            .modules(true)
            .node_timeout(Duration::from_secs(10))
            .start()
            .unwrap_or_else(|error| panic!("cannot start a cluster of {variant}: {error:?}"));
        let primaries = cluster.primaries().expect("the nodes agree");
        let replicas = primaries
            .iter()
            .flat_map(|primary| cluster.replicas_of(primary).expect("the nodes agree"));
        let nodes: Vec<_> = primaries.iter().cloned().chain(replicas).collect();
        let topology = cluster.topology().expect("the nodes agree");
        let owner = |slot| {
            let owner = topology.owner(slot)?;
            nodes.iter().position(|node| node.id() == owner.id)
        };
        Self {
            variant,
            facts: Facts::of(nodes[0].server()),
            owners: (0..SLOTS).filter_map(owner).collect(),
            nodes,
            // The client goes on with what it does by itself while nodes are asked by hand.
            runtime: Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime"),
            cluster,
        }
    }

    /// A client of the cluster that speaks this version of the protocol.
    pub(crate) fn client(&self, protocol: u8) -> Client {
        // A heartbeat is a `PING` as well, and would be counted as one.
        let options = format!("protocol=resp{protocol}&heartbeat=0");
        let url = format!("{}?{options}", self.cluster.url());
        self.wait(Client::connect(&url)).expect("the cluster is up")
    }

    /// Waits for what the client does, but not for ever: a raw command that blocks could.
    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        let patient = async { timeout(PATIENCE, future).await };
        self.runtime.block_on(patient).expect("an answer in time")
    }

    /// The number of the primary that has a slot.
    pub(crate) fn owner(&self, slot: u16) -> usize {
        self.owners[usize::from(slot)]
    }

    /// The name under which servers count a command: modules do not tell what subcommands they have.
    pub(crate) fn counted_as(&self, info: &'static Info) -> &'static str {
        if self.facts.commands.contains_key(info.name) {
            info.name
        } else {
            info.name.split(' ').next().unwrap_or_default()
        }
    }

    /// Connections to all nodes, in their order.
    pub(crate) fn hands(&self, protocol: u8) -> Vec<Connection> {
        let nodes = 0..self.nodes.len();
        nodes.map(|node| self.hand(node, protocol)).collect()
    }

    /// A connection of its own to a node.
    pub(crate) fn hand(&self, node: usize, protocol: u8) -> Connection {
        Connection::open(self.nodes[node].addr(), protocol)
    }
}

/// What the node behind a connection answers.
pub(crate) fn ask<W: AsRef<[u8]>>(hand: &mut Connection, words: &[W]) -> Value {
    value(&hand.ask(words))
}

/// The text of an answer.
pub(crate) fn text(value: &Value) -> String {
    let bytes = value.as_bytes().map(Bytes::as_ref).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// So many are the first of the nodes.
pub(crate) const PRIMARIES: usize = 3;

const PATIENCE: Duration = Duration::from_secs(20);
