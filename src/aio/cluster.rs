//! The nodes of a cluster, and how calls reach them.
//!
//! ```text
//!  an ordinary call:   keys ──▶ slot ──▶ SlotTable ──▶ the node's connection ──▶ the reply
//!                                                                              │ MOVED, lost …
//!  everything else:    Encoded ──▶ Requests ──▶ one group for each node ◀──────┘
//!                                                  ▲        │
//!                                                  │        ▼ send, wait for the frames
//!                                                  └── the state: there, or later ──▶ Answers
//! ```
//!
//! The state decides and is asked under a mutex, which is never held across a wait. An ordinary
//! call does not need it: it finds its node in the [`SlotTable`], which is made anew when the state
//! has learnt something. Every node has one connection that all share, made when it is wanted, and
//! one attempt to make it at a time; groups for different nodes never wait for each other.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak},
    task::Poll,
    time::Instant,
};

use tokio::{
    sync::{Notify, watch},
    time::timeout_at,
};

use super::{connection::Connection, refresher::Refresher, runtime::now, server::Server};
use crate::{
    call::{CallSettings, DirectCall},
    cluster::{
        Calls, ClusterState, NodeAddress, NodeId, ServerMap, SlotTable, TopologyQuery, replaced,
    },
    config::{Address, Config},
    error::{Error, Result},
    link::PoolStats,
    observe::{ServerStats, Source, Stats, events_of_client},
};

/// A cluster as all clones of a client see it.
pub(super) struct Cluster {
    /// Itself, for the refresher.
    me: Weak<Self>,
    config: Arc<Config>,
    calls: Calls,
    directory: Mutex<ServerMap<Arc<Server>>>,
    table: RwLock<SlotTable<Arc<Server>>>,
    /// Shows that calls which wait should look again.
    changed: watch::Sender<()>,
    /// Shows that a node has answered about the topology, or has not.
    asked: watch::Sender<()>,
    /// Wakes the refresher.
    woken: Arc<Notify>,
    refresher: Refresher,
}

pub(super) type BoxFuture<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

impl Cluster {
    pub(super) fn new(config: Arc<Config>) -> Arc<Self> {
        let events = events_of_client(&config);
        let calls = Calls::of_client(events.clone());
        let make = {
            let (config, events, calls) = (Arc::clone(&config), events.clone(), calls.clone());
            move |address: &NodeAddress| {
                let address = Address::from(address);
                Arc::new(Server::node(
                    Arc::clone(&config),
                    address,
                    events.clone(),
                    calls.clone(),
                ))
            }
        };
        let directory =
            ServerMap::new(&config, events, &calls, now(), make).at_home(fastrand::u64(..));
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            calls,
            directory: Mutex::new(directory),
            config,
            table: RwLock::new(SlotTable::empty()),
            changed: watch::Sender::new(()),
            asked: watch::Sender::new(()),
            woken: Arc::new(Notify::new()),
            refresher: Refresher::default(),
        })
    }

    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The calls of its client.
    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The node that a call goes to whose keys tell it, and its connection if there is one.
    pub(super) fn connection(
        &self,
        direct: &DirectCall,
        now: Instant,
    ) -> Option<(NodeId, Arc<Connection>)> {
        if direct.info.replicas && !self.config.cluster.read_from.is_primary() {
            let mut directory = self.lock();
            let options = CallSettings::until(None);
            let random = fastrand::u64(..);
            let call =
                directory
                    .state
                    .attempt_at(direct.info, direct.target, &options, now, random);
            let id = call.ok()?.node();
            return Some((id, directory.server(id)?.current(direct.slot(), now)?));
        }
        let table = self.table();
        let (id, server) = table.find(direct.target, || fastrand::u64(..))?;
        Some((*id, server.current(direct.slot(), now)?))
    }

    /// Waits until the topology is known.
    ///
    /// # Errors
    ///
    /// It is not in time; the error is that of the node that was asked last.
    pub(super) async fn ready(&self, deadline: Option<Instant>) -> Result<()> {
        self.known(deadline, |_| false).await
    }

    /// Waits until the topology is known, and not longer than it takes to ask every node once.
    ///
    /// # Errors
    ///
    /// As [`Cluster::ready`].
    pub(super) async fn connect(&self) -> Result<()> {
        let deadline = now().checked_add(self.config.connect_timeout);
        self.known(deadline, ClusterState::is_at_a_loss).await
    }

    async fn known(
        &self,
        deadline: Option<Instant>,
        gives_up: impl Fn(&ClusterState) -> bool,
    ) -> Result<()> {
        self.keep()?;
        loop {
            let mut asked = self.asked.subscribe();
            {
                let directory = self.lock();
                if directory.state.is_ready() {
                    return Ok(());
                }
                if gives_up(&directory.state) {
                    return Err(directory.state.unknown(None));
                }
            }
            if within(deadline, asked.changed()).await.is_none() {
                return Err(self.lock().state.unknown(None));
            }
        }
    }

    /// Waits until a node was asked for the topology once more.
    pub(super) async fn refresh(&self, deadline: Option<Instant>) -> Result<()> {
        self.ready(deadline).await?;
        let before = self.decide(|state, _, _| {
            state.want_topology();
            state.answers()
        });
        loop {
            let mut asked = self.asked.subscribe();
            if self.lock().state.answers() > before {
                return Ok(());
            }
            if within(deadline, asked.changed()).await.is_none() {
                return Err(self.lock().state.unknown(None));
            }
        }
    }

    /// What the pools of all nodes are doing, added up.
    pub(super) fn pool_stats(&self) -> PoolStats {
        let directory = self.lock();
        let stats = directory.servers().map(|server| server.pool_stats());
        stats.fold(PoolStats::default(), PoolStats::and)
    }

    /// What its nodes are doing, and what is known of them.
    pub(super) fn stats(&self) -> Stats {
        let servers = self.servers().into_iter().map(|(_, stats)| stats);
        let age = self.lock().state.topology_age(now());
        Stats::of(&self.calls, servers).with_topology(age)
    }

    /// The primaries, or all nodes, with their addresses.
    pub(super) fn nodes(&self, replicas: bool) -> Vec<(NodeId, NodeAddress, Arc<Server>)> {
        self.lock().nodes(replicas)
    }

    /// The node at an address, if it is known.
    pub(super) fn node(&self, address: &NodeAddress) -> Option<Arc<Server>> {
        self.lock().find(address)
    }

    /// The node that serves each slot, as far as that is known.
    pub(super) fn owners(&self) -> Vec<Option<NodeId>> {
        self.lock().owners()
    }

    /// The node with this id, if it is still known.
    pub(super) fn server_of(&self, id: NodeId) -> Option<Arc<Server>> {
        self.lock().server(id)
    }

    /// Asks the state, and does at once what it wants done.
    pub(super) fn decide<T>(&self, ask: impl FnOnce(&mut ClusterState, Instant, u64) -> T) -> T {
        let mut directory = self.lock();
        let now = now();
        let answer = ask(&mut directory.state, now, fastrand::u64(..));
        if self.settle(directory, now) {
            self.woken.notify_one();
        }
        answer
    }

    /// Shows that a question about the topology has come to its end.
    pub(super) fn was_asked(&self) {
        self.asked.send_replace(());
    }

    /// Whether there is a connection to each primary.
    pub(super) fn is_connected(&self) -> bool {
        self.lock().every_primary(|server| server.is_connected())
    }

    /// Ends the connections to all nodes, those that callers use included, and wakes callers who wait
    /// for a node.
    pub(super) fn end(&self, why: &Error) {
        let servers: Vec<_> = self.lock().servers().cloned().collect();
        for server in &servers {
            server.fail(why);
        }
        self.decide(|state, _, _| state.change());
    }

    /// What the refresher has to do, and when to look again if nothing happens before.
    pub(super) fn work(&self) -> (VecDeque<TopologyQuery<Arc<Server>>>, Option<Instant>) {
        let now = now();
        self.settle(self.lock(), now);
        self.lock().questions(now)
    }

    /// Does what the state wants done, but for its questions; says whether the refresher should look
    /// at these.
    fn settle(&self, mut directory: MutexGuard<'_, ServerMap<Arc<Server>>>, now: Instant) -> bool {
        let effects = directory.drain(now, || fastrand::u64(..));
        let known = self.table().version();
        let old = directory.table(known).map(|table| {
            let mut known = self.table.write().unwrap_or_else(PoisonError::into_inner);
            mem::replace(&mut *known, table)
        });
        // Closing is not done under the lock.
        drop(directory);
        drop(old);
        for server in &effects.reconnect {
            drop(server.disconnect());
        }
        for server in &effects.failed {
            server.fail(&replaced(server.address()));
        }
        if effects.changed {
            self.changed.send_replace(());
        }
        effects.asks
    }

    /// Shows that calls which wait should look again.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Shows that a node has answered about the topology, or has not.
    pub(super) fn told(&self) -> watch::Receiver<()> {
        self.asked.subscribe()
    }

    /// Sees to it that somebody asks for the topology.
    pub(super) fn keep(&self) -> Result<()> {
        self.config.check()?;
        self.refresher.keep(&self.me, &self.woken)
    }

    fn table(&self) -> RwLockReadGuard<'_, SlotTable<Arc<Server>>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic while the mutex was held would be one in the state, which is whole after each step.
    fn lock(&self) -> MutexGuard<'_, ServerMap<Arc<Server>>> {
        self.directory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Cluster {
    fn servers(&self) -> Vec<(Arc<Address>, ServerStats)> {
        let servers: Vec<_> = self.lock().servers().cloned().collect();
        let stats = |server: &Arc<Server>| (Arc::clone(server.address()), server.stats());
        servers.iter().map(stats).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.woken.notify_one();
    }
}

/// Waits for all futures, side by side, and keeps their order.
pub(super) async fn all<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match Pin::new(future).poll(cx) {
                    Poll::Ready(ready) => *output = Some(ready),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// What a future gives until then.
pub(super) async fn within<T>(
    deadline: Option<Instant>,
    future: impl Future<Output = T>,
) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline.into(), future).await.ok(),
        None => Some(future.await),
    }
}
