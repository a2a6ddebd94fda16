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
    mem,
    panic::resume_unwind,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use super::{refresher::Refresher, server::Server};
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
    /// How often calls that wait had to look again.
    changes: AtomicU64,
    /// Shows, to those who have the directory, that it has changed or a question was answered.
    news: Condvar,
    refresher: Refresher,
}

/// Something that can be done beside other things.
pub(super) type Task<'t, T> = Box<dyn FnOnce() -> T + Send + 't>;

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
        let servers = ServerMap::new(&config, events, &calls, Instant::now(), make)
            .at_home(fastrand::u64(..));
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            calls,
            directory: Mutex::new(servers),
            config,
            table: RwLock::new(SlotTable::empty()),
            changes: AtomicU64::new(0),
            news: Condvar::new(),
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

    /// The node that a call goes to whose keys tell it.
    pub(super) fn server(&self, direct: &DirectCall) -> Option<(NodeId, Arc<Server>)> {
        if direct.info.replicas && !self.config.cluster.read_from.is_primary() {
            let mut directory = self.lock();
            let (options, now, random) =
                (CallSettings::until(None), Instant::now(), fastrand::u64(..));
            let state = &directory.state;
            let call = state.attempt_at(direct.info, direct.target, &options, now, random);
            let id = call.ok()?.node();
            return Some((id, directory.server(id)?));
        }
        let table = self.table();
        table.find(direct.target, || fastrand::u64(..)).cloned()
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
            false => gives_up(state).then(|| Err(state.unknown(None))),
        })
        .unwrap_or_else(|| Err(self.lock().state.unknown(None)))
    }

    /// Waits until the topology is known or need not be waited for, or until then.
    pub(super) fn wait_for_topology(&self, end: Option<Instant>) {
        self.watch(end, |state| state.is_settled().then_some(()));
    }

    /// Waits until a node was asked for the topology once more.
    pub(super) fn refresh(&self, deadline: Option<Instant>) -> Result<()> {
        self.ready(deadline)?;
        let before = self.decide(|state, _, _| {
            state.want_topology();
            state.answers()
        });
        self.watch(deadline, |state| (state.answers() > before).then_some(()))
            .ok_or_else(|| self.lock().state.unknown(None))
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

    /// What its nodes are doing, and what is known of them.
    pub(super) fn stats(&self) -> Stats {
        let servers = self.servers().into_iter().map(|(_, stats)| stats);
        let age = self.lock().state.topology_age(Instant::now());
        Stats::of(&self.calls, servers).with_topology(age)
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

    /// Asks the state, and does at once what it wants done.
    pub(super) fn decide<T>(&self, ask: impl FnOnce(&mut ClusterState, Instant, u64) -> T) -> T {
        let mut directory = self.lock();
        let now = Instant::now();
        let answer = ask(&mut directory.state, now, fastrand::u64(..));
        if self.settle(directory, now) {
            self.refresher.wake();
        }
        answer
    }

    /// Shows that a question about the topology has come to its end.
    pub(super) fn was_asked(&self) {
        self.news.notify_all();
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
        let now = Instant::now();
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
        let mut servers = Vec::new();
        if effects.changed {
            // Behind the table, so that whoever sees the change finds the new one.
            self.changes.fetch_add(1, Ordering::Release);
            servers.extend(directory.servers().cloned());
        }
        // Closing is not done under the lock, and neither is waking.
        drop(directory);
        drop(old);
        for server in &effects.reconnect {
            server.disconnect();
        }
        for server in &effects.failed {
            server.fail(&replaced(server.address()));
        }
        for server in servers.iter().chain(&effects.forgotten) {
            server.wake_all();
        }
        if effects.changed {
            self.news.notify_all();
        }
        effects.asks
    }

    /// Waits until then, or until the topology has changed more often than that.
    pub(super) fn wait(&self, until: Instant, changes: u64) {
        self.watch(Some(until), |_| (self.changes() != changes).then_some(()));
    }

    /// How often calls that wait had to look again.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Sees to it that somebody asks for the topology.
    pub(super) fn keep(&self) -> Result<()> {
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

impl Source for Cluster {
    fn servers(&self) -> Vec<(Arc<Address>, ServerStats)> {
        let servers: Vec<_> = self.lock().servers().cloned().collect();
        let stats = |server: &Arc<Server>| (Arc::clone(server.address()), server.stats());
        servers.iter().map(stats).collect()
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
