//! The nodes of a cluster, and how calls reach them.
//!
//! ```text
//!  an ordinary call:   keys ──▶ slot ──▶ SlotTable ──▶ the node's pool ──▶ a connection ──▶ the reply
//!                                                                          │ MOVED, lost …
//!  everything else:    Encoded ──▶ Requests ──▶ one group for each node ◀──┘
//!                                                  ▲        │
//!                                                  │        ▼ send, wait for the frames
//!                                                  └── the state: there, or later ──▶ Answers
//! ```
//!
//! The state decides and is asked under a mutex, which is never held across IO or a wait for
//! anything else. An ordinary call does not need it: it finds its node in the [`SlotTable`], which is made
//! anew when the state has learnt something.
//!
//! Groups for several nodes are written one after the other and then read one after the other, all
//! by the caller. Only a group whose node lets it wait, or sends it elsewhere, gets a thread to follow
//! it, so that it delays no other.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    mem,
    panic::resume_unwind,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    connection::Answer,
    refresher::Refresher,
    server::{Lent, Server, Wait},
};
use crate::{
    call::{
        self, CallOptions, DEDICATED, DirectCall, Done, Encoded, Next, NodeBatch, Outcomes,
        Request, by_node,
    },
    cluster::{
        Chance, ClusterState, NodeAddress, NodeId, ServerMap, SlotTable, TopologyQuery, gone,
        replaced,
    },
    command::{Exchange, Patience, Place},
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
    chance: Chance,
    /// How often calls that wait had to look again.
    changes: AtomicU64,
    /// Shows, to those who have the directory, that it has changed or a question was answered.
    news: Condvar,
    refresher: Refresher,
}

/// Where an ordinary call was sent.
struct Course {
    direct: DirectCall,
    node: NodeId,
    deadline: Option<Instant>,
    /// How often the topology had changed before.
    changes: u64,
}

/// A group on its way over a connection to its node.
struct Journey {
    requests: Vec<Request>,
    lent: Lent,
    answer: Result<Answer<'static>>,
}

/// Something that can be done beside other things.
pub(super) type Task<'t, T> = Box<dyn FnOnce() -> T + Send + 't>;

impl Cluster {
    pub(super) fn new(config: Arc<Config>) -> Arc<Self> {
        let make = {
            let config = Arc::clone(&config);
            move |address: &NodeAddress| {
                Arc::new(Server::at(Arc::clone(&config), Address::from(address)))
            }
        };
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            directory: Mutex::new(ServerMap::new(&config, Instant::now(), make)),
            config,
            table: RwLock::new(SlotTable::empty()),
            chance: Chance::new(RandomState::new().hash_one(())),
            changes: AtomicU64::new(0),
            news: Condvar::new(),
            refresher: Refresher::default(),
        })
    }

    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Sends an exchange wherever it belongs, and waits for its result.
    pub(super) fn call<E: Exchange>(&self, exchange: &E) -> Result<E::Output> {
        exchange.check(Place::Shared)?;
        if exchange.is_empty() {
            return exchange.finish(&Frames::new());
        }
        let now = Instant::now();
        let deadline = self.deadline(now);
        let patience = exchange.patience();
        if patience == Patience::None
            && let Some(direct) = DirectCall::of(exchange)?
            && let Some((course, came)) = self.direct(exchange, direct, now, deadline)
        {
            return match came {
                Ok(frames) if DirectCall::is_answer(&frames) => exchange.finish(&frames),
                came => self.redirect(exchange, &course, &came),
            };
        }
        let encoded = Encoded::of(exchange)?;
        exchange.finish_each(self.route(&encoded, patience, deadline)?)
    }

    /// Sends a call to the node that its keys tell, if that is known and stays so.
    fn direct<E: Exchange>(
        &self,
        exchange: &E,
        direct: DirectCall,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Option<(Course, Result<Frames>)> {
        // Before the node is looked up, so that no change is missed.
        let changes = self.changes();
        let (node, server) = self.server(&direct)?;
        let wait = Wait {
            since: now,
            deadline,
            is_over: &|| self.changes() != changes,
        };
        let came = match server.lend_within(wait) {
            Ok(lent) => lent?.call(exchange, Limit::Whole(deadline)),
            Err(error) => Err(error),
        };
        let course = Course {
            direct,
            node,
            deadline,
            changes,
        };
        Some((course, came))
    }

    /// Goes on with a call to which no answer came.
    fn redirect<E: Exchange>(
        &self,
        exchange: &E,
        course: &Course,
        came: &Result<Frames>,
    ) -> Result<E::Output> {
        self.keep()?;
        let options = self.options(course.deadline);
        let (call, until) = self.route_with(|state, now, random| {
            let Course { direct, node, .. } = course;
            direct.judge(came, state, &options, *node, now, random)
        })?;
        let (request, mut answers) = Encoded::of(exchange)?.sent(call);
        let requests = Vec::from_iter(request);
        let sorted = match until {
            None => Outcomes::moved(requests),
            Some(until) => Outcomes::waiting(requests, until),
        };
        let done = self.follow(sorted, course.changes, Patience::None);
        answers.put_all(&self.lock().state, done);
        exchange.finish_each(answers.finish(self.chance.next()))
    }

    /// The node that a call goes to whose keys tell it.
    fn server(&self, direct: &DirectCall) -> Option<(NodeId, Arc<Server>)> {
        if direct.info.replicas && !self.config.cluster.read_from.is_primary() {
            let mut directory = self.lock();
            let (options, now, random) =
                (CallOptions::until(None), Instant::now(), self.chance.next());
            let state = &directory.state;
            let call = state.attempt_at(direct.info, direct.slot, &options, now, random);
            let id = call.ok()?.node();
            return Some((id, directory.server(id)?));
        }
        let table = self.table();
        table.find(direct.slot, || self.chance.next()).cloned()
    }

    /// Finds the nodes of an exchange, and waits for all their answers, one for each frame.
    ///
    /// # Errors
    ///
    /// It cannot run in a cluster as it is, or no node is known.
    fn route(
        &self,
        encoded: &Encoded,
        patience: Patience,
        deadline: Option<Instant>,
    ) -> Result<Vec<Result<Frame>>> {
        self.ready(deadline)?;
        let options = self.options(deadline);
        let (requests, mut answers) = {
            let (directory, now) = (self.lock(), Instant::now());
            encoded.plan(&directory.state, &options, now, || self.chance.next())?
        };
        let done = self.deliver(requests, patience);
        answers.put_all(&self.lock().state, done);
        Ok(answers.finish(self.chance.next()))
    }

    /// Waits until the topology is known.
    ///
    /// # Errors
    ///
    /// It is not in time; the error is that of the node that was asked last.
    pub(super) fn ready(&self, deadline: Option<Instant>) -> Result<()> {
        self.known(deadline, |_| false)
    }

    /// Waits until the topology is known, and not longer than it takes to ask every node once.
    ///
    /// # Errors
    ///
    /// As [`Cluster::ready`].
    pub(super) fn connect(&self) -> Result<()> {
        let deadline = Instant::now().checked_add(self.config.connect_timeout);
        self.known(deadline, ClusterState::is_at_a_loss)
    }

    fn known(
        &self,
        deadline: Option<Instant>,
        gives_up: impl Fn(&ClusterState) -> bool,
    ) -> Result<()> {
        self.keep()?;
        self.watch(deadline, |state| match state.is_ready() {
            true => Some(Ok(())),
            false => gives_up(state).then(|| Err(state.unknown())),
        })
        .unwrap_or_else(|| Err(self.lock().state.unknown()))
    }

    /// Waits until a node was asked for the topology once more.
    pub(super) fn refresh(&self, deadline: Option<Instant>) -> Result<()> {
        self.ready(deadline)?;
        let before = self.route_with(|state, _, _| {
            state.want_topology();
            state.answers()
        });
        self.watch(deadline, |state| (state.answers() > before).then_some(()))
            .ok_or_else(|| self.lock().state.unknown())
    }

    /// Waits until the state shows what is looked for; `None` says that it does not by then.
    fn watch<T>(
        &self,
        end: Option<Instant>,
        mut look: impl FnMut(&ClusterState) -> Option<T>,
    ) -> Option<T> {
        let mut directory = self.lock();
        loop {
            if let Some(seen) = look(&directory.state) {
                return Some(seen);
            }
            let now = Instant::now();
            directory = match end {
                None => self
                    .news
                    .wait(directory)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(end) if end <= now => return None,
                Some(end) => {
                    let waited = self.news.wait_timeout(directory, end - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
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
    pub(super) fn lend(&self, slot: Option<u16>) -> Result<Lent> {
        let deadline = self.deadline(Instant::now());
        self.ready(deadline)?;
        let options = self.options(deadline);
        let mut call = self.route_with(|state, now, random| {
            state.attempt_at(&DEDICATED, slot, &options, now, random)
        })?;
        loop {
            let changes = self.changes();
            let lent = match self.server_of(call.node()) {
                Some(server) => server.lend_within(Wait {
                    since: Instant::now(),
                    deadline,
                    is_over: &|| self.changes() != changes,
                }),
                None => Err(gone()),
            };
            let mut next = match lent {
                Ok(Some(lent)) => return Ok(lent),
                Ok(None) => self.route_with(|state, now, random| call.resume(state, now, random)),
                Err(error) => {
                    self.route_with(|state, now, random| call.lost(state, error, now, random))
                }
            };
            if let Next::Wait(until) = next {
                self.wait(until, changes);
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
        let now = Instant::now();
        let answer = ask(&mut directory.state, now, self.chance.next());
        if self.settle(directory, now) {
            self.refresher.wake();
        }
        answer
    }

    /// Shows that a question about the topology has come to its end.
    pub(super) fn was_asked(&self) {
        self.news.notify_all();
    }

    /// What the refresher has to do, and when to look again if nothing happens before.
    pub(super) fn work(&self) -> (VecDeque<TopologyQuery<Arc<Server>>>, Option<Instant>) {
        let now = Instant::now();
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
        let mut servers = Vec::new();
        if drained.changed {
            // Behind the table, so that whoever sees the change finds the new one.
            self.changes.fetch_add(1, Ordering::Release);
            servers.extend(directory.servers().cloned());
        }
        // Closing is not done under the lock, and neither is waking.
        drop(directory);
        drop(old);
        for server in &drained.reconnect {
            server.disconnect();
        }
        for server in &drained.failed {
            server.fail(&replaced());
        }
        for server in servers.iter().chain(&drained.forgotten) {
            server.wake_all();
        }
        if drained.changed {
            self.news.notify_all();
        }
        drained.asks
    }

    /// Sends requests to their nodes, wherever that leads, and waits for all answers.
    fn deliver(&self, requests: Vec<Request>, patience: Patience) -> Vec<Done> {
        self.follow(Outcomes::moved(requests), self.changes(), patience)
    }

    /// Follows requests until all of them are done; the topology had changed so often when those
    /// that wait were told to.
    fn follow(&self, mut sorted: Outcomes, mut changes: u64, patience: Patience) -> Vec<Done> {
        let mut done = Vec::new();
        loop {
            done.append(&mut sorted.done);
            let Outcomes {
                moved,
                waiting,
                until,
                ..
            } = sorted;
            if let Some(until) = until {
                if !moved.is_empty() {
                    // Those that know where to go do not wait for the others.
                    let later = Outcomes::waiting(waiting, until);
                    done.extend(
                        all(vec![
                            Box::new(move || self.follow(later, changes, patience)) as Task<'_, _>,
                            Box::new(move || self.deliver(moved, patience)),
                        ])
                        .into_iter()
                        .flatten(),
                    );
                    return done;
                }
                self.wait(until, changes);
                sorted = self.resume(waiting);
                continue;
            }
            let mut groups = by_node(moved);
            if groups.len() > 1 {
                done.extend(self.spread(groups, patience));
                return done;
            }
            let Some(group) = groups.pop() else {
                return done;
            };
            changes = self.changes();
            sorted = match self.send(&group, patience, changes) {
                Some(came) => self.sort(group, came, patience),
                None => self.resume(group),
            };
        }
    }

    /// Follows groups that are for several nodes, none of which delays the others.
    fn spread(&self, groups: Vec<Vec<Request>>, patience: Patience) -> Vec<Done> {
        let (now, changes) = (Instant::now(), self.changes());
        let mut tasks: Vec<Task<'_, Vec<Done>>> = Vec::new();
        let mut journeys = Vec::with_capacity(groups.len());
        for group in groups {
            match self.begin(&group, now) {
                Some((lent, answer)) => journeys.push(Journey {
                    requests: group,
                    lent,
                    answer,
                }),
                None => tasks.push(Box::new(move || self.deliver(group, patience))),
            }
        }
        let end = now + GRACE;
        let mut done = Vec::new();
        for mut journey in journeys {
            if !journey.is_over_by(end) {
                tasks.push(Box::new(move || {
                    let (requests, came) = journey.complete();
                    self.follow(self.sort(requests, came, patience), changes, patience)
                }));
                continue;
            }
            let (requests, came) = journey.complete();
            let mut sorted = self.sort(requests, came, patience);
            done.append(&mut sorted.done);
            if !sorted.is_done() {
                tasks.push(Box::new(move || self.follow(sorted, changes, patience)));
            }
        }
        done.extend(all(tasks).into_iter().flatten());
        done
    }

    /// Writes requests to their node, if a connection is free at once.
    fn begin(&self, requests: &[Request], now: Instant) -> Option<(Lent, Result<Answer<'static>>)> {
        let server = self.server_of(requests.first()?.call.node())?;
        let mut lent = server.lend_idle(now)?;
        let mut answer = Answer::new(Limit::Whole(call::deadline(requests)), None);
        let begun = lent
            .connection()
            .and_then(|it| it.begin(&NodeBatch::of(requests), now, &mut answer));
        let begun = begun.map(|()| answer);
        Some((lent, begun))
    }

    /// Sends requests to their node and waits for their frames; `None` says that the topology has
    /// changed before there was a connection.
    fn send(
        &self,
        requests: &[Request],
        patience: Patience,
        changes: u64,
    ) -> Option<Result<Vec<Frame>>> {
        let node = requests.first()?.call.node();
        let Some(server) = self.server_of(node) else {
            return Some(Err(gone()));
        };
        let deadline = call::deadline(requests);
        // Who was told to ask there this once has nowhere else to go.
        let follows = !requests.iter().any(|it| it.call.is_asking());
        let wait = Wait {
            since: Instant::now(),
            deadline,
            is_over: &|| follows && self.changes() != changes,
        };
        let limit = match patience {
            Patience::None => Limit::Whole(deadline),
            _ => Limit::Each(self.config.response_timeout),
        };
        let batch = NodeBatch { requests, patience };
        match server.lend_within(wait) {
            Ok(lent) => Some(lent?.call(&batch, limit).map(Frames::into_vec)),
            Err(error) => Some(Err(error)),
        }
    }

    /// Decides about what came to requests.
    fn sort(
        &self,
        requests: Vec<Request>,
        came: Result<Vec<Frame>>,
        patience: Patience,
    ) -> Outcomes {
        self.route_with(|state, now, random| {
            // The server may have held a blocking command back for long.
            let extended = (patience != Patience::None).then(|| self.deadline(now));
            Outcomes::answered(requests, came, state, extended, now, random)
        })
    }

    /// Finds out where requests go that have waited.
    fn resume(&self, requests: Vec<Request>) -> Outcomes {
        self.route_with(|state, now, random| Outcomes::resumed(requests, state, now, random))
    }

    /// Waits until then, or until the topology has changed more often than that.
    fn wait(&self, until: Instant, changes: u64) {
        self.watch(Some(until), |_| (self.changes() != changes).then_some(()));
    }

    /// How often calls that wait had to look again.
    fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The end of a call that begins now.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        let allowed = self.config.response_timeout;
        allowed.and_then(|allowed| now.checked_add(allowed))
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
        self.refresher.keep(&self.me)
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

impl Journey {
    /// Whether the whole answer has come by then, or something has failed.
    fn is_over_by(&mut self, end: Instant) -> bool {
        let Ok(answer) = &mut self.answer else {
            return true;
        };
        let answered = self
            .lent
            .connection()
            .and_then(|it| it.is_answered_by(end, answer));
        match answered {
            Ok(answered) => answered,
            Err(error) => {
                self.answer = Err(error);
                true
            }
        }
    }

    /// Waits for the rest of the answer, and gives the connection back.
    fn complete(self) -> (Vec<Request>, Result<Vec<Frame>>) {
        let Self {
            requests,
            mut lent,
            answer,
        } = self;
        let came = answer.and_then(|mut answer| {
            let batch = NodeBatch::of(&requests);
            lent.connection()?.complete(&batch, &mut answer)?;
            Ok(answer.into_frames().into_vec())
        });
        (requests, came)
    }
}

/// Does several things side by side, one of them in the caller's thread, and keeps their order.
///
/// Where there can be no thread, they are done one after the other.
pub(super) fn all<T: Send>(tasks: Vec<Task<'_, T>>) -> Vec<T> {
    let threads = tasks.len().saturating_sub(1);
    let queue = Mutex::new(tasks.into_iter().enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || next().map(|(at, task)| (at, task()));
    let mut done = thread::scope(|scope| {
        let start = |_| {
            let thread = thread::Builder::new().name("respec-part".to_owned());
            thread.spawn_scoped(scope, run).ok()
        };
        let threads: Vec<_> = (0..threads).map_while(start).collect();
        let mut done: Vec<_> = std::iter::from_fn(run).collect();
        for thread in threads {
            match thread.join() {
                Ok(part) => done.extend(part),
                Err(panic) => resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, output)| output).collect()
}

/// How long the answers of several nodes are read one after the other, before each gets a thread.
const GRACE: Duration = Duration::from_millis(10);
