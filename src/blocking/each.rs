//! One command at several nodes, each of which answers for itself.

use std::{sync::Arc, time::Instant};

use super::{
    client::{Client, Target},
    cluster::{Task, all},
    connection::Answer,
    server::{Lent, Server},
};
use crate::{
    cluster::NodeAddress,
    command::{Command, Exchange, Place, Single},
    config::Address,
    error::Result,
    protocol::Limit,
};

/// Several nodes; made by [`Client::each_primary`] and [`Client::each_node`].
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is sent before a command is given"]
pub struct Each<'c> {
    client: &'c Client,
    replicas: bool,
}

impl<'c> Each<'c> {
    pub(super) fn new(client: &'c Client, replicas: bool) -> Self {
        Self { client, replicas }
    }

    /// Sends a command to all of them side by side, and waits for what each of them answers.
    ///
    /// The command runs there whatever its keys, and an error of one node is nobody else's. Nothing
    /// is tried again.
    ///
    /// # Errors
    ///
    /// It is not known which nodes there are.
    pub fn send<C: Command>(self, command: C) -> Result<Vec<(NodeAddress, Result<C::Reply>)>> {
        let nodes = match self.client.target() {
            Target::Cluster(cluster) => {
                cluster.connect()?;
                let nodes = cluster.nodes(self.replicas).into_iter();
                nodes
                    .map(|(_, address, server)| (address, server))
                    .collect()
            }
            Target::Server(server) => vec![(Self::address(server), Arc::clone(server))],
        };
        let exchange = Single(command);
        let name = exchange.name();
        let limit = Limit::Each(self.client.config().response_timeout);
        // Written to all of them before any is waited for.
        let begun: Vec<_> = lend(&nodes)
            .into_iter()
            .map(|lent| begin(lent, &exchange, limit))
            .collect();
        let replies = begun.into_iter().map(|begun| {
            let (mut lent, mut answer) = begun?;
            let completed = lent.connection()?.complete(&exchange, &mut answer);
            drop(lent);
            completed?;
            exchange.finish(&answer.into_frames())
        });
        let replies =
            replies.map(|reply| reply.map_err(|error: crate::Error| error.with_command(name)));
        let addresses = nodes.iter().map(|(address, _)| address.clone());
        Ok(addresses.zip(replies).collect())
    }

    /// The address of a server that is no node of a cluster, or nobody knows.
    pub(super) fn address(server: &Server) -> NodeAddress {
        match server.address() {
            Address::Tcp { host, port } => NodeAddress::new(host.as_str(), *port),
            other => NodeAddress::new(other.to_string(), 0),
        }
    }
}

/// A connection to each node; those that have to be made, or waited for, are so side by side.
fn lend(nodes: &[(NodeAddress, Arc<Server>)]) -> Vec<Result<Lent>> {
    let now = Instant::now();
    let mut lent: Vec<_> = nodes
        .iter()
        .map(|(_, server)| server.lend_idle(now))
        .collect();
    let lacking = nodes.iter().zip(&lent).filter(|(_, lent)| lent.is_none());
    let tasks = lacking.map(|((_, server), _)| Box::new(|| server.lend()) as Task<'_, _>);
    let mut made = all(tasks.collect()).into_iter();
    let each = lent
        .drain(..)
        .map(|lent| lent.map(Ok).or_else(|| made.next()));
    each.flatten().collect()
}

/// Writes a command to one of them.
fn begin<E: Exchange>(
    lent: Result<Lent>,
    exchange: &E,
    limit: Limit,
) -> Result<(Lent, Answer<'static>)> {
    exchange.check(Place::Shared)?;
    let (mut lent, mut answer) = (lent?, Answer::new(limit, None));
    lent.connection()?
        .begin(exchange, Instant::now(), &mut answer)?;
    Ok((lent, answer))
}
