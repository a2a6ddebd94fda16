//! One command at several nodes, each of which answers for itself.

use std::{sync::Arc, time::Instant};

use super::{
    client::{Client, Target},
    cluster::{Task, all},
    connection::Answer,
    nodes::Nodes,
    server::{PooledConnection, Server},
};
use crate::{
    call::{CallTime, Encoded, PinnedRequest, SingleTry},
    cluster::NodeAddress,
    command::{Command, Exchange, IsDetached, Place, Single},
    error::{Error, Result},
    observe::WatchedCall,
    protocol::TimeLimit,
    resp::Frames,
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
    pub fn send<C: Command<Via: IsDetached>>(
        self,
        command: C,
    ) -> Result<Vec<(NodeAddress, Result<C::Reply>)>> {
        let exchange = Single(command);
        let named = |error: Error| exchange.named(error);
        let cluster = match self.client.target() {
            Target::Cluster(cluster) => cluster,
            Target::Server(server) => {
                let reply = Nodes::One(server).call(&exchange, self.client.options());
                return Ok(vec![(NodeAddress::of(server.address()), reply)]);
            }
        };
        let _under_way = cluster.calls().begin()?;
        cluster.connect()?;
        let (addresses, servers): (Vec<_>, Vec<_>) = cluster
            .nodes(self.replicas)
            .into_iter()
            .map(|(_, address, server)| (address, server))
            .unzip();
        let now = Instant::now();
        let limit = CallTime::of(cluster.config(), self.client.options(), now).chunk_limit();
        let only = SingleTry::begin(exchange.name(), now);
        let watch = |server: &Arc<Server>| {
            let watched = WatchedCall::begin(&exchange, cluster.calls(), cluster.config())?;
            watched.record().sent_to(Arc::clone(server.address()));
            Some(watched)
        };
        let watched: Vec<_> = servers.iter().map(watch).collect();
        let replies = call_each(&servers, &exchange, limit)
            .into_iter()
            .zip(&servers)
            .map(|(frames, server)| {
                let tell = |error: &Error| only.failed(error, server.events(), Instant::now());
                exchange.finish(&frames.inspect_err(tell)?)
            })
            .map(|reply| reply.map_err(named))
            .zip(watched)
            .map(|(reply, watched)| match watched {
                None => reply,
                Some(watched) => watched.end(reply),
            });
        Ok(addresses.into_iter().zip(replies).collect())
    }
}

/// What each server answers.
fn call_each<E: Exchange>(
    servers: &[Arc<Server>],
    exchange: &E,
    limit: TimeLimit,
) -> Vec<Result<Frames>> {
    let encoded = exchange
        .check(Place::Shared)
        .and_then(|()| Encoded::of(exchange));
    let encoded = match encoded {
        Ok(encoded) => encoded,
        Err(error) => return servers.iter().map(|_| Err(error.clone())).collect(),
    };
    let chosen = encoded.chosen(exchange.patience());
    if exchange.is_urgent() {
        let call = |server: &Arc<Server>| {
            server
                .urgent(limit.deadline(Instant::now))?
                .call(&chosen, limit)
        };
        return side_by_side(servers, call);
    }
    let now = Instant::now();
    let idle: Option<Vec<PooledConnection>> = servers.iter().map(|it| it.lend_idle(now)).collect();
    if let Some(lent) = idle {
        return write_and_read(lent, &chosen, limit);
    }
    // Nobody may keep a connection to one node while waiting for one to another.
    let call = |server: &Arc<Server>| server.lend()?.call(&chosen, limit);
    side_by_side(servers, call)
}

/// What a call of each server gives, each in a thread.
fn side_by_side(
    servers: &[Arc<Server>],
    call: impl Fn(&Arc<Server>) -> Result<Frames> + Copy + Send,
) -> Vec<Result<Frames>> {
    let tasks = servers
        .iter()
        .map(|server| Box::new(move || call(server)) as Task<'_, _>);
    all(tasks.collect())
}

/// Writes to all of them before any is waited for.
fn write_and_read(
    lent: Vec<PooledConnection>,
    exchange: &PinnedRequest<'_>,
    limit: TimeLimit,
) -> Vec<Result<Frames>> {
    let begin = |mut lent: PooledConnection| -> Result<(PooledConnection, Answer)> {
        let mut answer = Answer::new(limit);
        lent.connection()?
            .begin(exchange, Instant::now(), &mut answer)?;
        Ok((lent, answer))
    };
    let begun: Vec<_> = lent.into_iter().map(begin).collect();
    let complete = |begun: Result<(PooledConnection, Answer)>| {
        let (mut lent, mut answer) = begun?;
        lent.connection()?.complete(exchange, &mut answer)?;
        Ok(answer.into_frames())
    };
    begun.into_iter().map(complete).collect()
}
