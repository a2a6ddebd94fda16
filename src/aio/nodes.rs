//! The nodes that calls go to: one server, or those of a cluster.
//!
//! A call that is more than its direct way is driven here: what the machine of the call wants is
//! done, and what came of it is said. Nothing is decided.

use std::{future::pending, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Instant};

use tokio::{sync::watch, time::timeout_at};

use super::{
    cluster::{BoxFuture, Cluster, all, within},
    connection::Connection,
    in_flight::{CallConnection, exchange},
    pool::PooledConnection,
    runtime::now,
    server::Server,
};
use crate::{
    call::{Action, Call, CallOptions, CallSettings, CallTime, Connect, Encoded, no_connection_to},
    cluster::{ClusterState, NodeId, gone},
    command::Patience,
    config::Config,
    error::Result,
    resp::Frame,
};

/// Where a call may go.
#[derive(Clone, Copy)]
pub(super) enum Nodes<'a> {
    One(&'a Arc<Server>),
    Many(&'a Arc<Cluster>),
}

/// Shows that the topology has changed; of one server it never does.
struct Changes(Option<watch::Receiver<()>>);

impl<'a> Nodes<'a> {
    pub(super) fn config(self) -> &'a Arc<Config> {
        match self {
            Self::One(server) => server.config(),
            Self::Many(cluster) => cluster.config(),
        }
    }

    /// Finds the nodes of an exchange, and waits for all their answers, one for each frame.
    ///
    /// # Errors
    ///
    /// It cannot run there as it is, or no node is known.
    pub(super) async fn route(
        self,
        encoded: Encoded,
        patience: Patience,
        settings: CallSettings,
    ) -> Result<Vec<Result<Frame>>> {
        self.keep()?;
        let call = self.decide(|state, now, random| {
            Call::begin(encoded, settings, patience, state, now, random)
        });
        self.follow(call).await
    }

    /// Goes on with a call wherever it has got to, and waits for its answers.
    ///
    /// # Errors
    ///
    /// As [`Nodes::route`].
    pub(super) async fn follow(self, call: Call) -> Result<Vec<Result<Frame>>> {
        self.keep()?;
        let (call, _) = self.drive(call, false).await;
        self.decide(|state, now, random| call.finish(state, now, random))
    }

    /// A connection of the caller's own to the node of a slot, or to any.
    ///
    /// # Errors
    ///
    /// There is none in time.
    pub(super) async fn lend(
        self,
        slot: Option<u16>,
        options: &CallOptions,
    ) -> Result<PooledConnection> {
        self.keep()?;
        let time = CallTime::of(self.config(), options, now());
        let settings = CallSettings::of(self.config(), options, time);
        let call = self.decide(|state, now, random| Call::lend(slot, settings, state, now, random));
        match self.drive(call, true).await {
            (_, Some(CallConnection::Pooled(lent))) => Ok(lent),
            (call, _) => Err(self.decide(|state, now, random| call.into_error(state, now, random))),
        }
    }

    /// Lets the state of the nodes decide, and does at once what it wants done.
    pub(super) fn decide<T>(self, ask: impl FnOnce(&mut ClusterState, Instant, u64) -> T) -> T {
        match self {
            Self::One(server) => server.decide(ask),
            Self::Many(cluster) => cluster.decide(ask),
        }
    }

    /// Does what a call wants until nothing is left to do, or until it has the connection that it is
    /// all about.
    fn drive(self, mut call: Call, lends: bool) -> BoxFuture<'a, (Call, Option<CallConnection>)> {
        Box::pin(async move {
            let mut changes = self.changes();
            let mut told = None;
            let mut link = None;
            loop {
                match call.action() {
                    Action::WaitForChange(until) => {
                        match &mut told {
                            // Somebody may have told before this was looked at: look once more.
                            None => told = Some(self.told()),
                            Some(told) => _ = within(until, told.wait()).await,
                        }
                        self.decide(|state, now, random| call.changed(state, now, random));
                    }
                    Action::Connect(to) => match self.connect(to, &mut call, &mut changes).await {
                        Some(Ok(found)) => {
                            link = Some(found);
                            call.connected();
                        }
                        Some(Err(error)) => {
                            changes.forget();
                            self.decide(|state, now, random| call.lost(error, state, now, random));
                        }
                        None => {
                            changes.forget();
                            self.decide(|state, now, random| call.resumed(state, now, random));
                        }
                    },
                    Action::Send if lends => return (call, link),
                    Action::Send => {
                        let came = match link.take() {
                            Some(link) => exchange(link, &call.batch(), call.limit()).await,
                            None => Err(gone()),
                        };
                        changes.forget();
                        self.decide(|state, now, random| call.answered(came, state, now, random));
                    }
                    Action::WaitUntil(until) => {
                        let _ = timeout_at(until.into(), changes.wait()).await;
                        changes.forget();
                        self.decide(|state, now, random| call.resumed(state, now, random));
                    }
                    Action::Fork(parts) => {
                        let parts = parts.into_iter().map(|part| self.drive(part, lends));
                        let parts = all(parts.collect()).await.into_iter();
                        call.joined(parts.map(|(part, _)| part).collect());
                    }
                    Action::Done => return (call, None),
                }
            }
        })
    }

    /// A connection to a node for a call; `None` says that the topology has changed before there was
    /// one, or that the call does not wait for one.
    async fn connect(
        self,
        to: Connect,
        call: &mut Call,
        changes: &mut Changes,
    ) -> Option<Result<CallConnection>> {
        let Some(server) = self.server(to.node) else {
            return Some(Err(gone()));
        };
        let since = now();
        let late = || no_connection_to(server.address(), since, now());
        if to.urgent {
            let connected = within(to.deadline, server.urgent()).await;
            let connected = connected.unwrap_or_else(|| Err(late()));
            return Some(connected.map(CallConnection::Shared));
        }
        if to.exclusive {
            let lent = server.lend(to.deadline).await;
            return Some(lent.map(CallConnection::Pooled));
        }
        if let Some(connection) = server.current(to.slot, now()) {
            return Some(Ok(CallConnection::Shared(connection)));
        }
        let is_failing = server.is_failing();
        self.decide(|state, _, _| call.unconnected(is_failing, state));
        if call.is_done() {
            return None;
        }
        let connected = {
            let mut connected = pin!(server.connected(to.slot));
            let mut changed = pin!(changes.wait());
            let either = poll_fn(|cx| {
                if let Poll::Ready(connected) = connected.as_mut().poll(cx) {
                    return Poll::Ready(Some(connected));
                }
                if to.follows && changed.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                Poll::Pending
            });
            within(to.deadline, either).await
        };
        let connected: Option<Result<Arc<Connection>>> =
            connected.unwrap_or_else(|| Some(Err(late())));
        connected.map(|connected| connected.map(CallConnection::Shared))
    }

    pub(super) fn server(self, id: NodeId) -> Option<Arc<Server>> {
        match self {
            Self::One(server) => Some(Arc::clone(server)),
            Self::Many(cluster) => cluster.server_of(id),
        }
    }

    /// Sees to it that what calls wait for can come.
    fn keep(self) -> Result<()> {
        match self {
            Self::One(_) => Ok(()),
            Self::Many(cluster) => cluster.keep(),
        }
    }

    fn changes(self) -> Changes {
        Changes(match self {
            Self::One(_) => None,
            Self::Many(cluster) => Some(cluster.changes()),
        })
    }

    /// Shows that a node was asked for the topology.
    fn told(self) -> Changes {
        Changes(match self {
            Self::One(_) => None,
            Self::Many(cluster) => Some(cluster.told()),
        })
    }
}

impl Changes {
    /// Leaves what has changed until now to a decision that comes after this.
    fn forget(&mut self) {
        if let Some(changes) = &mut self.0 {
            changes.mark_unchanged();
        }
    }

    async fn wait(&mut self) {
        match &mut self.0 {
            Some(changes) => _ = changes.changed().await,
            None => pending().await,
        }
    }
}
