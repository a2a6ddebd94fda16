//! The nodes of a cluster, and how calls reach them.
//!
//! ```text
//!  an ordinary call:   keys ──▶ slot ──▶ Table ──▶ the node's connection ──▶ the reply
//!                                                                              │ MOVED, lost …
//!  everything else:    Encoded ──▶ Requests ──▶ one group for each node ◀──────┘
//!                                                  ▲        │
//!                                                  │        ▼ send, wait for the frames
//!                                                  └── the router: there, or later ──▶ Answers
//! ```
//!
//! The router decides and is asked under a mutex, which is never held across a wait. An ordinary
//! call does not need it: it finds its node in the [`Table`], which is made anew when the router
//! has learnt something. Every node has one connection that all share, made when it is wanted, and
//! one attempt to make it at a time; groups for different nodes never wait for each other.

use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    hash::{BuildHasher, RandomState},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak},
    task::Poll,
    time::Instant,
};

use tokio::{
    sync::{Notify, watch},
    time::{self, timeout_at},
};

use super::{
    connection::Connection,
    keeper::Keeper,
    pool::Lent,
    server::Server,
    transit::{Limit, Link, exchange},
    waiting::Frames,
};
use crate::{
    cluster::{
        self, Answers, Ask, Call, Chance, Direct, Encoded, Event, Next, NodeAddress, NodeId,
        Parcel, Query, Request, Router, SLOTS, Wish, deciding_error,
    },
    command::{Info, Patience},
    config::{Address, Config},
    error::{Error, ErrorKind, Phase, Result},
    pool::PoolStats,
    resp::Frame,
};

/// A cluster as all clones of a client see it.
pub(super) struct Cluster {
    /// Itself, for the keeper.
    me: Weak<Self>,
    config: Arc<Config>,
    state: Mutex<State>,
    table: RwLock<Table>,
    chance: Arc<Chance>,
    /// Shows that calls which wait should look again.
    changed: watch::Sender<()>,
    /// Shows that a node has answered about the topology, or has not.
    asked: watch::Sender<()>,
    /// Wakes the keeper.
    woken: Arc<Notify>,
    keeper: Keeper,
}

struct State {
    router: Router,
    servers: HashMap<NodeId, Arc<Server>>,
    /// Questions that the keeper has to ask.
    questions: VecDeque<Question>,
}

/// The question of the router about the topology, and whom to ask.
pub(super) struct Question {
    pub(super) ask: Ask,
    pub(super) query: Query,
    pub(super) server: Arc<Server>,
}

/// The node of each slot.
struct Table {
    /// The version of what it was made from.
    version: u64,
    /// Counted from 1; 0 for none.
    slots: Box<[u16]>,
    primaries: Vec<(NodeId, Arc<Server>)>,
}

/// What becomes of a call that was sent.
pub(super) struct Verdict {
    call: Call,
    /// Not before that time, or a change.
    wait: Option<(Instant, watch::Receiver<()>)>,
}

/// A request and what came of it.
type Done = (Request, Result<Vec<Frame>>);

/// What came of sending a group.
enum Came {
    Frames(Result<Vec<Frame>>),
    /// The topology has changed before there was a connection.
    Changed,
}

pub(super) type BoxFuture<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

impl Cluster {
    pub(super) fn new(config: Arc<Config>) -> Arc<Self> {
        let seeds = match &config.address {
            Address::Cluster(seeds) => seeds.clone(),
            // A router without seeds says that it has no node.
            Address::Tcp { .. } | Address::Unix(_) => Vec::new(),
        };
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            state: Mutex::new(State {
                router: Router::new(seeds, config.cluster.for_router(), now()),
                servers: HashMap::new(),
                questions: VecDeque::new(),
            }),
            config,
            table: RwLock::new(Table::empty()),
            chance: Arc::new(Chance::new(RandomState::new().hash_one(()))),
            changed: watch::Sender::new(()),
            asked: watch::Sender::new(()),
            woken: Arc::new(Notify::new()),
            keeper: Keeper::default(),
        })
    }

    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The node that a call goes to whose keys tell it, and its connection if there is one.
    pub(super) fn connection(&self, direct: &Direct) -> Option<(NodeId, Arc<Connection>)> {
        if direct.info.replicas && !self.config.cluster.read_from.is_primary() {
            let state = self.lock();
            let wish = Wish::until(None);
            let random = self.chance.next();
            let call = state
                .router
                .call_to(direct.info, direct.slot, &wish, now(), random);
            let id = call.ok()?.node();
            return Some((id, state.servers.get(&id)?.current()?));
        }
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let (id, server) = match direct.slot {
            Some(slot) => table.primary(slot)?,
            None => table.any(self.chance.next())?,
        };
        Some((*id, server.current()?))
    }

    /// Whether frames are the answer of a command, and no errors about its place.
    pub(super) fn is_answer(&self, frames: &[Frame]) -> bool {
        deciding_error(frames).is_none_or(cluster::is_answer)
    }

    /// Decides about a call that was sent to the node of [`Cluster::connection`].
    ///
    /// # Errors
    ///
    /// The call has failed.
    pub(super) fn judge(
        &self,
        direct: &Direct,
        node: NodeId,
        deadline: Option<Instant>,
        came: &Result<Vec<Frame>>,
    ) -> Result<Verdict> {
        let wish = self.wish(deadline);
        let changed = self.changed.subscribe();
        let (call, next) = self.route_with(|router, now, random| {
            let mut call = router.call_sent(direct.info, direct.slot, &wish, node);
            let next = match came {
                Ok(frames) => {
                    let error = deciding_error(frames).unwrap_or_default();
                    router.refused(&mut call, error, now, random)
                }
                Err(error) => router.lost(&mut call, error.clone(), now, random),
            };
            (call, next)
        });
        let wait = match next {
            Next::Send => None,
            Next::Wait(until) => Some((until, changed)),
            Next::GiveUp(error) => return Err(error),
            Next::Answer => {
                let frames = came.as_deref().unwrap_or_default();
                return Err(Error::server(deciding_error(frames).unwrap_or_default()));
            }
        };
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
            self.put(&mut answers, done);
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
        let wish = self.wish(deadline);
        let (requests, mut answers) = {
            let state = self.lock();
            encoded.plan(&state.router, &wish, now(), || self.chance.next())?
        };
        let done = self.deliver(requests, patience).await;
        self.put(&mut answers, done);
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
        self.known(deadline, Router::is_at_a_loss).await
    }

    async fn known(
        &self,
        deadline: Option<Instant>,
        gives_up: impl Fn(&Router) -> bool,
    ) -> Result<()> {
        self.keep()?;
        loop {
            let mut asked = self.asked.subscribe();
            {
                let state = self.lock();
                if state.router.is_ready() {
                    return Ok(());
                }
                if gives_up(&state.router) {
                    return Err(unknown(&state.router));
                }
            }
            if within(deadline, asked.changed()).await.is_none() {
                return Err(unknown(&self.lock().router));
            }
        }
    }

    /// Waits until a node was asked for the topology once more.
    pub(super) async fn refresh(&self, deadline: Option<Instant>) -> Result<()> {
        self.ready(deadline).await?;
        let before = self.route_with(|router, _, _| {
            router.want_topology();
            router.answers()
        });
        loop {
            let mut asked = self.asked.subscribe();
            if self.lock().router.answers() > before {
                return Ok(());
            }
            if within(deadline, asked.changed()).await.is_none() {
                return Err(unknown(&self.lock().router));
            }
        }
    }

    /// What the pools of all nodes are doing, added up.
    pub(super) fn pool_stats(&self) -> PoolStats {
        let state = self.lock();
        let stats = state.servers.values().map(|server| server.pool_stats());
        stats.fold(PoolStats::default(), PoolStats::and)
    }

    /// The primaries, or all nodes, with their addresses.
    pub(super) fn nodes(&self, replicas: bool) -> Vec<(NodeId, NodeAddress, Arc<Server>)> {
        let mut state = self.lock();
        let ids: Vec<_> = if replicas {
            state.router.known_nodes().collect()
        } else {
            state.router.primaries().collect()
        };
        let known = ids.into_iter().filter_map(|id| {
            let server = state.server(id, self)?;
            let address = state.router.node(id)?.address.clone();
            Some((id, address, server))
        });
        known.collect()
    }

    /// The node at an address, if it is known.
    pub(super) fn node(&self, address: &NodeAddress) -> Option<Arc<Server>> {
        let mut state = self.lock();
        let id = state.router.find(address)?;
        state.server(id, self)
    }

    /// The node that serves each slot, as far as that is known.
    pub(super) fn owners(&self) -> Vec<Option<NodeId>> {
        let state = self.lock();
        (0..SLOTS)
            .map(|slot| state.router.primary_of(slot))
            .collect()
    }

    /// The node with this id, if it is still known.
    pub(super) fn server_of(&self, id: NodeId) -> Option<Arc<Server>> {
        self.lock().server(id, self)
    }

    /// A connection of the caller's own to the node of a slot, or to any.
    pub(super) async fn lend(&self, slot: Option<u16>) -> Result<Lent> {
        let allowed = self.config.response_timeout;
        let deadline = allowed.and_then(|allowed| now().checked_add(allowed));
        self.ready(deadline).await?;
        let wish = self.wish(deadline);
        let mut call = self.route_with(|router, now, random| {
            router.call_to(&DEDICATED, slot, &wish, now, random)
        })?;
        loop {
            let server = self.lock().server(call.node(), self);
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
                self.route_with(|router, now, random| router.lost(&mut call, error, now, random));
            if let Next::Wait(until) = next {
                let _ = timeout_at(until.into(), changed.changed()).await;
                next = self.route_with(|router, now, random| router.resume(&mut call, now, random));
            }
            if let Next::GiveUp(error) = next {
                return Err(error);
            }
        }
    }

    /// Asks the router, and does at once what it wants done.
    pub(super) fn route_with<T>(&self, ask: impl FnOnce(&mut Router, Instant, u64) -> T) -> T {
        let mut state = self.lock();
        let now = now();
        let answer = ask(&mut state.router, now, self.chance.next());
        let (forgotten, changed) = state.drain(self, now);
        self.update_table(&mut state);
        drop(state);
        forgotten.close();
        if changed {
            self.changed.send_replace(());
        }
        self.woken.notify_one();
        answer
    }

    /// Shows that a question about the topology has come to its end.
    pub(super) fn was_asked(&self) {
        self.asked.send_replace(());
    }

    /// What the keeper has to do, and when to look again if nothing happens before.
    pub(super) fn work(&self) -> (VecDeque<Question>, Option<Instant>) {
        let mut state = self.lock();
        let now = now();
        let (forgotten, changed) = state.drain(self, now);
        self.update_table(&mut state);
        let questions = std::mem::take(&mut state.questions);
        let again = state.router.poll_timeout(now);
        drop(state);
        forgotten.close();
        if changed {
            self.changed.send_replace(());
        }
        (questions, again)
    }

    /// Sends requests to their nodes, wherever that leads, and waits for all answers.
    fn deliver(&self, requests: Vec<Request>, patience: Patience) -> BoxFuture<'_, Vec<Done>> {
        let mut groups: Vec<Vec<Request>> = Vec::new();
        let mut places = HashMap::new();
        for request in requests {
            let place = *places
                .entry(request.call.node())
                .or_insert_with(|| groups.len());
            match groups.get_mut(place) {
                Some(group) => group.push(request),
                None => groups.push(vec![request]),
            }
        }
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
        let (requests, mut done) = self.resume(requests);
        if !requests.is_empty() {
            done.extend(self.deliver(requests, patience).await);
        }
        done
    }

    /// Finds out where requests go that have waited.
    fn resume(&self, requests: Vec<Request>) -> (Vec<Request>, Vec<Done>) {
        let mut again = Vec::with_capacity(requests.len());
        let mut done = Vec::new();
        self.route_with(|router, now, random| {
            for mut request in requests {
                match router.resume(&mut request.call, now, random) {
                    Next::GiveUp(error) => done.push((request, Err(error))),
                    Next::Send | Next::Wait(_) | Next::Answer => again.push(request),
                }
            }
        });
        (again, done)
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
                    let (again, given_up) = self.resume(requests);
                    done.extend(given_up);
                    requests = again;
                    continue;
                }
            };
            let mut moved = Vec::new();
            let mut waiting: Vec<Request> = Vec::new();
            let mut until = None;
            let mut came = Received::new(frames);
            let limit = self.config.response_timeout;
            let changed = self.changed.subscribe();
            self.route_with(|router, now, random| {
                let random = Chance::new(random);
                for mut request in requests.drain(..) {
                    if patience != Patience::None {
                        // The server may have held it back for long.
                        request
                            .call
                            .extend(limit.and_then(|limit| now.checked_add(limit)));
                    }
                    let mut frames = came.next(request.awaited());
                    let next = match &mut frames {
                        Ok(frames) => request.received(router, frames, now, random.next()),
                        Err(error) => {
                            router.lost(&mut request.call, error.clone(), now, random.next())
                        }
                    };
                    match next {
                        Next::Answer => done.push((request, frames)),
                        Next::GiveUp(error) => done.push((request, Err(error))),
                        Next::Send => moved.push(request),
                        Next::Wait(at) => {
                            until = until.max(Some(at));
                            waiting.push(request);
                        }
                    }
                }
            });
            match until {
                None => requests = moved,
                Some(until) => {
                    // Those that know where to go do not wait for the others.
                    let later: BoxFuture<'_, _> =
                        Box::pin(self.deliver_later(waiting, until, changed, patience));
                    let both = vec![self.deliver(moved, patience), later];
                    done.extend(all(both).await.into_iter().flatten());
                }
            }
        }
        done
    }

    /// Sends requests to a node and waits for their frames.
    async fn send(&self, node: NodeId, requests: &[Request], patience: Patience) -> Came {
        let deadline = requests.iter().filter_map(|it| it.call.deadline()).min();
        let Some(server) = self.lock().server(node, self) else {
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
        let parcel = Parcel { requests, patience };
        Came::Frames(exchange(link, &parcel, limit).await.map(Frames::into_vec))
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

    fn put(&self, answers: &mut Answers, done: Vec<Done>) {
        let state = self.lock();
        for (request, frames) in done {
            let node = state.router.node(request.call.node());
            let from = node.map(|node| node.address.clone());
            answers.put(&request, from, frames);
        }
    }

    fn wish(&self, deadline: Option<Instant>) -> Wish {
        Wish {
            parts: self.config.cluster.split,
            ..Wish::until(deadline)
        }
    }

    /// Sees to it that somebody asks for the topology.
    fn keep(&self) -> Result<()> {
        self.config.check()?;
        self.keeper.keep(&self.me, &self.woken)
    }

    /// Makes the table anew if the router knows better.
    fn update_table(&self, state: &mut State) {
        let version = state.router.version();
        {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            if table.version == version {
                return;
            }
        }
        let table = Table::new(state, version, self);
        let mut known = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *known, table);
        drop(known);
        drop(old);
    }

    /// A panic while the mutex was held would be one in the router, which is whole after each step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.woken.notify_one();
    }
}

impl State {
    /// The node with this id, if it is known.
    fn server(&mut self, id: NodeId, cluster: &Cluster) -> Option<Arc<Server>> {
        if let Some(server) = self.servers.get(&id) {
            return Some(Arc::clone(server));
        }
        let node = self.router.node(id)?;
        let server = Arc::new(Server::node(
            Arc::clone(&cluster.config),
            Address::from(&node.address),
            Arc::clone(&cluster.chance),
        ));
        self.servers.insert(id, Arc::clone(&server));
        Some(server)
    }

    /// Does what the router wants done; returns what is not needed any more, and whether calls that
    /// wait should look again.
    fn drain(&mut self, cluster: &Cluster, now: Instant) -> (Forgotten, bool) {
        let mut forgotten = Forgotten::default();
        let mut changed = false;
        while let Some(event) = self.router.poll_event(now, cluster.chance.next()) {
            match event {
                Event::Ask(ask, id, query) => match self.server(id, cluster) {
                    Some(server) => self.questions.push_back(Question { ask, query, server }),
                    None => self.router.topology_failed(ask, gone(), now),
                },
                Event::Reconnect(id) => forgotten.connections.extend(self.disconnect(id)),
                Event::Failed(id) => forgotten.failed.extend(self.disconnect(id)),
                Event::Forget(id) => forgotten.servers.extend(self.servers.remove(&id)),
                Event::Changed => changed = true,
            }
        }
        (forgotten, changed)
    }

    /// The shared connection to a node, which nobody else will take any more.
    fn disconnect(&self, id: NodeId) -> Option<Arc<Connection>> {
        self.servers.get(&id)?.disconnect()
    }
}

/// What nobody will use any more; calls that are under way on it come to their end.
#[derive(Default)]
struct Forgotten {
    servers: Vec<Arc<Server>>,
    connections: Vec<Arc<Connection>>,
    /// Those whose calls come to nothing.
    failed: Vec<Arc<Connection>>,
}

impl Forgotten {
    /// Closes everything, which is not done under the lock.
    fn close(self) {
        for connection in self.failed {
            connection.close(replaced());
        }
    }
}

impl Table {
    fn empty() -> Self {
        Self {
            version: 0,
            slots: Box::default(),
            primaries: Vec::new(),
        }
    }

    fn new(state: &mut State, version: u64, cluster: &Cluster) -> Self {
        let mut primaries: Vec<(NodeId, Arc<Server>)> = Vec::new();
        let mut numbers: HashMap<NodeId, u16> = HashMap::new();
        // Neighbours mostly have the same node.
        let mut last = None;
        let mut slots = Vec::with_capacity(usize::from(SLOTS));
        for slot in 0..SLOTS {
            let id = state.router.primary_of(slot);
            slots.push(match (id, last) {
                (None, _) => 0,
                (Some(id), Some((known, number))) if known == id => number,
                (Some(id), _) => {
                    let number = *numbers.entry(id).or_insert_with(|| {
                        primaries.extend(state.server(id, cluster).map(|server| (id, server)));
                        u16::try_from(primaries.len()).unwrap_or(0)
                    });
                    last = Some((id, number));
                    number
                }
            });
        }
        Self {
            version,
            slots: slots.into_boxed_slice(),
            primaries,
        }
    }

    fn primary(&self, slot: u16) -> Option<&(NodeId, Arc<Server>)> {
        let number = usize::from(*self.slots.get(usize::from(slot))?);
        self.primaries.get(number.checked_sub(1)?)
    }

    fn any(&self, random: u64) -> Option<&(NodeId, Arc<Server>)> {
        let count = u64::try_from(self.primaries.len()).ok()?;
        let at = usize::try_from(random.checked_rem(count)?).ok()?;
        self.primaries.get(at)
    }
}

/// The frames of several requests, one behind the other, or the error of all of them.
struct Received(Result<std::vec::IntoIter<Frame>>);

impl Received {
    fn new(frames: Result<Vec<Frame>>) -> Self {
        Self(frames.map(Vec::into_iter))
    }

    /// The frames of the next request, of which there are so many.
    fn next(&mut self, count: usize) -> Result<Vec<Frame>> {
        match &mut self.0 {
            Ok(frames) => Ok(frames.take(count).collect()),
            Err(error) => Err(error.clone()),
        }
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

fn unknown(router: &Router) -> Error {
    router.failure().cloned().unwrap_or_else(|| {
        Error::new(
            ErrorKind::Timeout(Phase::Connect),
            "no node has told the topology of the cluster within the time allowed",
        )
    })
}

fn no_connection() -> Error {
    Error::new(
        ErrorKind::Timeout(Phase::Connect),
        "no connection to the node within the time allowed",
    )
}

fn replaced() -> Error {
    Error::new(
        ErrorKind::Connection,
        "the node has failed, and the cluster has replaced it",
    )
}

fn gone() -> Error {
    Error::new(ErrorKind::Connect, "the node is no longer in the cluster")
}

fn now() -> Instant {
    time::Instant::now().into_std()
}

/// What is known of a connection that a caller wants: it will do anything.
static DEDICATED: Info = Info {
    name: "dedicated connection",
    ..*Info::UNKNOWN
};
