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
    hash::{BuildHasher, RandomState},
    mem,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak},
    task::Poll,
    time::Instant,
};

use tokio::{
    sync::{Notify, watch},
    time::{self, timeout_at},
};

use super::{
    connection::Connection,
    pool::Lent,
    refresher::Refresher,
    server::Server,
    transit::{Link, exchange},
};
use crate::{
    call::{
        self, Attempt, CallOptions, DEDICATED, DirectCall, Done, Encoded, Next, NodeBatch,
        Outcomes, Request, by_node, no_connection,
    },
    cluster::{
        Chance, ClusterState, NodeAddress, NodeId, ServerMap, SlotTable, TopologyQuery, gone,
        replaced,
    },
    command::Patience,
    config::{Address, Config},
    error::Result,
    link::PoolStats,
    protocol::Limit,
    resp::{Frame, Frames},
};

/// A cluster as all clones of a client see it.
pub(super) struct Cluster {
    /// Itself, for the refresher.
    me: Weak<Self>,
    config: Arc<Config>,
    directory: Mutex<ServerMap<Arc<Server>>>,
    table: RwLock<SlotTable<Arc<Server>>>,
    chance: Arc<Chance>,
    /// Shows that calls which wait should look again.
    changed: watch::Sender<()>,
    /// Shows that a node has answered about the topology, or has not.
    asked: watch::Sender<()>,
    /// Wakes the refresher.
    woken: Arc<Notify>,
    refresher: Refresher,
}

/// What becomes of a call that was sent.
pub(super) struct Verdict {
    call: Attempt,
    /// Not before that time, or a change.
    wait: Option<(Instant, watch::Receiver<()>)>,
}

/// What came of sending a group.
enum Came {
    Frames(Result<Vec<Frame>>),
    /// The topology has changed before there was a connection.
    Changed,
}

pub(super) type BoxFuture<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

impl Cluster {
    pub(super) fn new(config: Arc<Config>) -> Arc<Self> {
        let chance = Arc::new(Chance::new(RandomState::new().hash_one(())));
        let make = {
            let config = Arc::clone(&config);
            move |address: &NodeAddress| {
                Arc::new(Server::node(Arc::clone(&config), Address::from(address)))
            }
        };
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            directory: Mutex::new(ServerMap::new(&config, now(), make)),
            config,
            table: RwLock::new(SlotTable::empty()),
            chance,
            changed: watch::Sender::new(()),
            asked: watch::Sender::new(()),
            woken: Arc::new(Notify::new()),
            refresher: Refresher::default(),
        })
    }

    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The node that a call goes to whose keys tell it, and its connection if there is one.
    pub(super) fn connection(&self, direct: &DirectCall) -> Option<(NodeId, Arc<Connection>)> {
        if direct.info.replicas && !self.config.cluster.read_from.is_primary() {
            let mut directory = self.lock();
            let options = CallOptions::until(None);
            let random = self.chance.next();
            let call =
                directory
                    .state
                    .attempt_at(direct.info, direct.slot, &options, now(), random);
            let id = call.ok()?.node();
            return Some((id, directory.server(id)?.current()?));
        }
        let table = self.table();
        let (id, server) = table.find(direct.slot, || self.chance.next())?;
        Some((*id, server.current()?))
    }

    /// Decides about a call that was sent to the node of [`Cluster::connection`].
    ///
    /// # Errors
    ///
    /// The call has failed.
    pub(super) fn judge(
        &self,
        direct: &DirectCall,
        node: NodeId,
        deadline: Option<Instant>,
        came: &Result<Frames>,
    ) -> Result<Verdict> {
        let options = self.options(deadline);
        let changed = self.changed.subscribe();
        let judged = self.route_with(|state, now, random| {
            direct.judge(came, state, &options, node, now, random)
        });
        let (call, until) = judged?;
        let wait = until.map(|until| (until, changed));
        Ok(Verdict { call, wait })
    }

    /// Goes on with a call that was sent before; the answers are one for each frame.
    pub(super) async fn go_on(
        &self,
        encoded: Encoded,
        verdict: Verdict,
        patience: Patience,
    ) -> Result<Vec<Result<Frame>>> {
        self.keep()?;
        let (request, mut answers) = encoded.sent(verdict.call);
        if let Some(request) = request {
            let requests = vec![request];
            let done = match verdict.wait {
                None => self.deliver(requests, patience).await,
                Some((until, changed)) => {
                    self.deliver_later(requests, until, changed, patience).await
                }
            };
            answers.put_all(&self.lock().state, done);
        }
        Ok(answers.finish(self.chance.next()))
    }

    /// Finds the nodes of an exchange, and waits for all their answers.
    ///
    /// # Errors
    ///
    /// It cannot run in a cluster as it is, or no node is known.
    pub(super) async fn route(
        &self,
        encoded: Encoded,
        patience: Patience,
        deadline: Option<Instant>,
    ) -> Result<Vec<Result<Frame>>> {
        self.ready(deadline).await?;
        let options = self.options(deadline);
        let (requests, mut answers) = {
            let directory = self.lock();
            encoded.plan(&directory.state, &options, now(), || self.chance.next())?
        };
        let done = self.deliver(requests, patience).await;
        answers.put_all(&self.lock().state, done);
        Ok(answers.finish(self.chance.next()))
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
                    return Err(directory.state.unknown());
                }
            }
            if within(deadline, asked.changed()).await.is_none() {
                return Err(self.lock().state.unknown());
            }
        }
    }

    /// Waits until a node was asked for the topology once more.
    pub(super) async fn refresh(&self, deadline: Option<Instant>) -> Result<()> {
        self.ready(deadline).await?;
        let before = self.route_with(|state, _, _| {
            state.want_topology();
            state.answers()
        });
        loop {
            let mut asked = self.asked.subscribe();
            if self.lock().state.answers() > before {
                return Ok(());
            }
            if within(deadline, asked.changed()).await.is_none() {
                return Err(self.lock().state.unknown());
            }
        }
    }

    /// What the pools of all nodes are doing, added up.
    pub(super) fn pool_stats(&self) -> PoolStats {
        let directory = self.lock();
        let stats = directory.servers().map(|server| server.pool_stats());
        stats.fold(PoolStats::default(), PoolStats::and)
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

    /// A connection of the caller's own to the node of a slot, or to any.
    pub(super) async fn lend(&self, slot: Option<u16>) -> Result<Lent> {
        let allowed = self.config.response_timeout;
        let deadline = allowed.and_then(|allowed| now().checked_add(allowed));
        self.ready(deadline).await?;
        let options = self.options(deadline);
        let mut call = self.route_with(|state, now, random| {
            state.attempt_at(&DEDICATED, slot, &options, now, random)
        })?;
        loop {
            let server = self.lock().server(call.node());
            let error = match server {
                Some(server) => match within(deadline, server.lend()).await {
                    Some(Ok(lent)) => return Ok(lent),
                    Some(Err(error)) => error,
                    None => no_connection(),
                },
                None => gone(),
            };
            let mut changed = self.changed.subscribe();
            let mut next =
                self.route_with(|state, now, random| call.lost(state, error, now, random));
            if let Next::Wait(until) = next {
                let _ = timeout_at(until.into(), changed.changed()).await;
                next = self.route_with(|state, now, random| call.resume(state, now, random));
            }
            if let Next::GiveUp(error) = next {
                return Err(error);
            }
        }
    }

    /// Asks the state, and does at once what it wants done.
    pub(super) fn route_with<T>(
        &self,
        ask: impl FnOnce(&mut ClusterState, Instant, u64) -> T,
    ) -> T {
        let mut directory = self.lock();
        let now = now();
        let answer = ask(&mut directory.state, now, self.chance.next());
        if self.settle(directory, now) {
            self.woken.notify_one();
        }
        answer
    }

    /// Shows that a question about the topology has come to its end.
    pub(super) fn was_asked(&self) {
        self.asked.send_replace(());
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
        let drained = directory.drain(now, &self.chance);
        let known = self.table().version();
        let old = directory.table(known).map(|table| {
            let mut known = self.table.write().unwrap_or_else(PoisonError::into_inner);
            mem::replace(&mut *known, table)
        });
        // Closing is not done under the lock.
        drop(directory);
        drop(old);
        for server in &drained.reconnect {
            drop(server.disconnect());
        }
        for server in &drained.failed {
            if let Some(connection) = server.disconnect() {
                connection.close(replaced());
            }
        }
        if drained.changed {
            self.changed.send_replace(());
        }
        drained.asks
    }

    /// Sends requests to their nodes, wherever that leads, and waits for all answers.
    fn deliver(&self, requests: Vec<Request>, patience: Patience) -> BoxFuture<'_, Vec<Done>> {
        let groups = by_node(requests);
        Box::pin(async move {
            let groups: Vec<_> = groups
                .into_iter()
                .map(|group| Box::pin(self.carry(group, patience)))
                .collect();
            all(groups).await.into_iter().flatten().collect()
        })
    }

    /// Sends requests when it is time.
    async fn deliver_later(
        &self,
        requests: Vec<Request>,
        until: Instant,
        mut changed: watch::Receiver<()>,
        patience: Patience,
    ) -> Vec<Done> {
        let _ = timeout_at(until.into(), changed.changed()).await;
        let Outcomes {
            mut done, moved, ..
        } = self.resume(requests);
        if !moved.is_empty() {
            done.extend(self.deliver(moved, patience).await);
        }
        done
    }

    /// Finds out where requests go that have waited.
    fn resume(&self, requests: Vec<Request>) -> Outcomes {
        self.route_with(|state, now, random| Outcomes::resumed(requests, state, now, random))
    }

    /// Sends requests that are for one node, together and in order, and follows them.
    async fn carry(&self, mut requests: Vec<Request>, patience: Patience) -> Vec<Done> {
        let mut done = Vec::new();
        while let Some(first) = requests.first() {
            let node = first.call.node();
            if requests.iter().any(|it| it.call.node() != node) {
                done.extend(self.deliver(requests, patience).await);
                break;
            }
            let frames = match self.send(node, &requests, patience).await {
                Came::Frames(frames) => frames,
                Came::Changed => {
                    let resumed = self.resume(requests);
                    done.extend(resumed.done);
                    requests = resumed.moved;
                    continue;
                }
            };
            let limit = self.config.response_timeout;
            let changed = self.changed.subscribe();
            let sorted = self.route_with(|state, now, random| {
                let extended = (patience != Patience::None)
                    .then(|| limit.and_then(|limit| now.checked_add(limit)));
                Outcomes::answered(requests, frames, state, extended, now, random)
            });
            done.extend(sorted.done);
            let Some(until) = sorted.until else {
                requests = sorted.moved;
                continue;
            };
            // Those that know where to go do not wait for the others.
            let later: BoxFuture<'_, _> =
                Box::pin(self.deliver_later(sorted.waiting, until, changed, patience));
            let both = vec![self.deliver(sorted.moved, patience), later];
            done.extend(all(both).await.into_iter().flatten());
            break;
        }
        done
    }

    /// Sends requests to a node and waits for their frames.
    async fn send(&self, node: NodeId, requests: &[Request], patience: Patience) -> Came {
        let deadline = call::deadline(requests);
        let Some(server) = self.lock().server(node) else {
            return Came::Frames(Err(gone()));
        };
        let (link, limit) = if patience == Patience::None {
            let connection = match server.current() {
                Some(connection) => connection,
                None => {
                    // Who was told to ask there this once has nowhere else to go.
                    let follows = !requests.iter().any(|it| it.call.is_asking());
                    match self.connected(&server, follows, deadline).await {
                        Some(Ok(connection)) => connection,
                        Some(Err(error)) => return Came::Frames(Err(error)),
                        None => return Came::Changed,
                    }
                }
            };
            (Link::Shared(connection), Limit::Whole(deadline))
        } else {
            let lent = match within(deadline, server.lend()).await {
                Some(Ok(lent)) => lent,
                Some(Err(error)) => return Came::Frames(Err(error)),
                None => return Came::Frames(Err(no_connection())),
            };
            let allowed = patience.within(self.config.response_timeout);
            (Link::Lent(lent), Limit::Each(allowed))
        };
        let batch = NodeBatch { requests, patience };
        Came::Frames(exchange(link, &batch, limit).await.map(Frames::into_vec))
    }

    /// The shared connection to a node; `None` says that the topology has changed before.
    async fn connected(
        &self,
        server: &Arc<Server>,
        follows: bool,
        deadline: Option<Instant>,
    ) -> Option<Result<Arc<Connection>>> {
        let mut changed = self.changed.subscribe();
        let mut changed = pin!(changed.changed());
        let mut connected = pin!(server.connected());
        let either = poll_fn(|cx| {
            if let Poll::Ready(connected) = connected.as_mut().poll(cx) {
                return Poll::Ready(Some(connected));
            }
            if follows && changed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            Poll::Pending
        });
        within(deadline, either)
            .await
            .unwrap_or_else(|| Some(Err(no_connection())))
    }

    fn options(&self, deadline: Option<Instant>) -> CallOptions {
        CallOptions {
            parts: self.config.cluster.split,
            ..CallOptions::until(deadline)
        }
    }

    /// Sees to it that somebody asks for the topology.
    fn keep(&self) -> Result<()> {
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
async fn within<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline.into(), future).await.ok(),
        None => Some(future.await),
    }
}

fn now() -> Instant {
    time::Instant::now().into_std()
}
