//! One command at several nodes, each of which answers for itself.

use std::sync::Arc;

use super::{
    client::{Client, Target},
    cluster::all,
    pending::{Pending, Via},
};
use crate::{
    cluster::NodeAddress,
    command::{Command, IsDetached, Single},
    error::Result,
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
    pub async fn send<C: Command<Via: IsDetached> + Sync>(
        self,
        command: C,
    ) -> Result<Vec<(NodeAddress, Result<C::Reply>)>> {
        let nodes = match self.client.target() {
            Target::Cluster(cluster) => {
                cluster.connect().await?;
                let nodes = cluster.nodes(self.replicas).into_iter();
                nodes
                    .map(|(_, address, server)| (address, server))
                    .collect()
            }
            Target::Server(server) => vec![(NodeAddress::of(server.address()), Arc::clone(server))],
        };
        let calls = nodes.iter().map(|(_, server)| {
            Pending::new(Via::Server(server), Single(&command), self.client.options()).once()
        });
        let replies = all(calls.collect()).await;
        let addresses = nodes.into_iter().map(|(address, _)| address);
        Ok(addresses.zip(replies).collect())
    }
}
