//! One server as all clones of a client see it.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Instant,
};

use tokio::{task::yield_now, time::timeout_at};

use super::{
    connection::Connection,
    dial::{dial, dial_urgent},
    pool::{ConnectionPool, PooledConnection},
    runtime::{now, runtime, with_all_it_takes},
};
use crate::{
    call::DirectCall,
    cluster::{Calls, ClusterState, NodeId, Scope},
    config::{Address, Config},
    error::{Error, Result},
    events::{DisconnectReason, Events},
    link::{Dial, LastUse, PoolStats, Seen, SharedStep, shared_index},
    observe::{ServerStats, Source, events_of_client},
    protocol::ConnectionSettings,
};

/// A server with the connections that all share, and those that are lent.
pub(super) struct Server {
    config: Arc<Config>,
    /// The link to the server, and its connections for blocking commands and for dedicated use.
    pool: Arc<ConnectionPool>,
    /// When each shared connection was last used.
    last_uses: Vec<LastUse>,
    /// Whether callers wait until the next attempt may be made; those of a cluster go elsewhere.
    may_wait: bool,
    /// What is known of it, a topology of one.
    state: Mutex<ClusterState>,
    /// Its name there.
    id: NodeId,
    calls: Calls,
    scope: Scope,
}

/// An attempt to make the shared connection, whose end is told whatever becomes of its task.
struct Dialling {
    server: Weak<Server>,
    /// `None` once the end was told.
    dial: Option<Dial>,
}

impl Server {
    /// The one server of a client.
    pub(super) fn new(config: Arc<Config>) -> Self {
        let address = config.address.clone();
        let events = events_of_client(&config);
        let calls = Calls::of_client(events.clone());
        Self::at(config, address, Scope::Server, events, calls)
    }

    /// A node of a cluster.
    pub(super) fn node(
        config: Arc<Config>,
        address: Address,
        events: Events,
        calls: Calls,
    ) -> Self {
        Self::at(config, address, Scope::Node, events, calls)
    }

    fn at(
        config: Arc<Config>,
        address: Address,
        scope: Scope,
        events: Events,
        calls: Calls,
    ) -> Self {
        let (state, id) = ClusterState::one(&config, &address, scope, now());
        Self {
            id,
            state: Mutex::new(state.telling(events.clone()).counting(&calls, now())),
            calls,
            scope,
            may_wait: matches!(scope, Scope::Server),
            pool: Arc::new(ConnectionPool::new(Arc::clone(&config), address, events)),
            last_uses: (0..config.connections.get())
                .map(|_| LastUse::new(now()))
                .collect(),
            config,
        }
    }

    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Whether it is all there is, or a node.
    pub(super) fn scope(&self) -> Scope {
        self.scope
    }

    pub(super) fn address(&self) -> &Arc<Address> {
        self.pool.address()
    }

    /// Where what happens to it is told.
    pub(super) fn events(&self) -> &Events {
        self.pool.events()
    }

    /// The shared connection for a call with keys of that slot, if there is one that is alive as far as
    /// can be seen at once, which is `now`.
    pub(super) fn current(
        self: &Arc<Self>,
        slot: Option<u16>,
        now: Instant,
    ) -> Option<Arc<Connection>> {
        let index = self.index(slot);
        let mut link = self.pool.link();
        let connection = link.current(index, |it| it.is_open())?;
        let renewed = link.renew(index, now);
        drop(link);
        if let Some(dial) = renewed {
            // Where it cannot be made, the next one who comes tries again.
            let _ = self.begin(dial);
        }
        let last_use = self.last_uses.get(index)?;
        if last_use.is_look_due(now) && connection.look() != Seen::Nothing {
            last_use.has_seen();
            return None;
        }
        Some(connection)
    }

    /// Which of the shared connections it is for a call with keys of that slot.
    #[inline]
    fn index(&self, slot: Option<u16>) -> usize {
        shared_index(self.config.connections, slot, || fastrand::u64(..))
    }

    /// Makes all shared connections.
    pub(super) async fn connect(self: &Arc<Self>) -> Result<()> {
        for index in 0..self.config.connections.get() {
            self.connection(index).await?;
        }
        Ok(())
    }

    /// The shared connection for a call with keys of that slot, when there is one.
    pub(super) async fn connected(self: &Arc<Self>, slot: Option<u16>) -> Result<Arc<Connection>> {
        self.connection(self.index(slot)).await
    }

    async fn connection(self: &Arc<Self>, index: usize) -> Result<Arc<Connection>> {
        runtime()?;
        let seen = self.pool.link().failed_attempts();
        let mut looks = 0;
        loop {
            let mut changed = pin!(self.pool.changed().notified());
            changed.as_mut().enable();
            let is_open = |connection: &Arc<Connection>| connection.is_open();
            let turn = self
                .pool
                .link()
                .ask(index, seen, self.may_wait, is_open, now());
            match turn {
                SharedStep::Ready(connection) => match connection.look() {
                    Seen::Bytes if looks < MOST_LOOKS => {
                        // The driver reads them when it has its turn.
                        looks += 1;
                        yield_now().await;
                    }
                    Seen::Nothing | Seen::Bytes => return Ok(connection),
                    Seen::End => self.give_up(&connection),
                },
                SharedStep::Failed(error) => return Err(error),
                SharedStep::Dial(dial) => {
                    // And looks again, as calls need not wait for it.
                    self.begin(dial)?;
                }
                SharedStep::Wait(None) => changed.await,
                SharedStep::Wait(Some(until)) => drop(timeout_at(until.into(), changed).await),
            }
        }
    }

    /// A connection for a call that must overtake all others: one of its own, which chooses no
    /// database, since that would have to wait as well.
    pub(super) async fn urgent(self: &Arc<Self>) -> Result<Arc<Connection>> {
        runtime()?;
        let dial_permit = self.pool.link().begin_urgent(now())?;
        let dialled = with_all_it_takes(dial_urgent(&self.config, self.address())).await;
        let result = dialled.as_ref().map(drop);
        self.pool.link().end_urgent(dial_permit, result, now());
        self.pool.tell_of_attempt();
        let settings = self.settings();
        Ok(Arc::new(Connection::start(dialled?, settings)))
    }

    /// What a shared connection needs to know.
    fn settings(&self) -> ConnectionSettings {
        ConnectionSettings::shared(&self.config, self.pool.address(), self.pool.events())
    }

    /// Has connections made anew, since another server seems to be the one to use.
    fn leave(self: &Arc<Self>, reason: DisconnectReason) {
        let now = now();
        let mut link = self.pool.link();
        let closed = link.leave(reason, now);
        let renewed = link.renew_all(now);
        drop(link);
        // Closing is not done under the lock.
        drop(closed);
        for dial in renewed {
            let _ = self.begin(dial);
        }
    }

    /// Lets the next one who wants a connection make another, if this is the one that there is.
    fn give_up(&self, connection: &Arc<Connection>) {
        let is_it = |it: &Arc<Connection>| Arc::ptr_eq(it, connection);
        let taken = self.pool.link().give_up(is_it);
        drop(taken);
    }

    /// Lets the next one who wants a connection make another, and returns those that there were.
    pub(super) fn disconnect(&self) -> Vec<Arc<Connection>> {
        self.pool.link().disconnect(DisconnectReason::Closed, now())
    }

    /// Ends all connections, those that are used included; calls that are under way get the error.
    pub(super) fn fail(&self, why: &Error) {
        for connection in self.disconnect() {
            connection.close(why.clone());
        }
        self.pool.fail(why);
    }

    /// Whether the last attempt to connect has failed.
    pub(super) fn is_failing(&self) -> bool {
        self.pool.link().pool().pacing().is_failing()
    }

    /// Whether there is a shared connection that is open.
    pub(super) fn is_connected(&self) -> bool {
        !self.pool.link().all_current(|it| it.is_open()).is_empty()
    }

    /// The calls of its client.
    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The way of a call to it.
    pub(super) fn direct(&self) -> (DirectCall, NodeId) {
        (DirectCall::to_only(self.scope), self.id)
    }

    /// Lets what is known of it decide, and does at once what that wants done.
    pub(super) fn decide<T>(
        self: &Arc<Self>,
        ask: impl FnOnce(&mut ClusterState, Instant, u64) -> T,
    ) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = ask(&mut state, now(), fastrand::u64(..));
        let leaves = state.takes_leave();
        drop(state);
        if leaves {
            self.leave(DisconnectReason::Demoted);
        }
        answer
    }

    /// Makes the connections to be lent that are kept however long they are idle.
    pub(super) async fn fill(&self) -> Result<()> {
        self.pool.fill().await
    }

    /// What the pool of connections to be lent is doing.
    pub(super) fn pool_stats(&self) -> PoolStats {
        self.pool.stats()
    }

    /// What it is doing.
    pub(super) fn stats(&self) -> ServerStats {
        let shared = self.pool.link().all_current(|it| it.is_open());
        let stats: Vec<_> = shared.iter().map(|connection| connection.stats()).collect();
        let unanswered: u64 = stats.iter().map(|(unanswered, _)| unanswered).sum();
        ServerStats {
            shared: shared.len(),
            pool: self.pool.stats(),
            unanswered: unanswered + self.pool.unanswered(),
            round_trip: stats
                .into_iter()
                .filter_map(|(_, round_trip)| round_trip)
                .max(),
        }
    }

    /// Waits for a connection that no other caller uses, until the end of the call, if it has one.
    pub(super) async fn lend(&self, deadline: Option<Instant>) -> Result<PooledConnection> {
        let mut lent = Arc::clone(&self.pool).lend(deadline).await?;
        self.calls.check().inspect_err(|_| lent.close())?;
        Ok(lent)
    }

    /// Makes the shared connection in a task of its own, whatever becomes of the caller.
    fn begin(self: &Arc<Self>, dial: Dial) -> Result<()> {
        let dialling = Dialling {
            server: Arc::downgrade(self),
            dial: Some(dial),
        };
        let config = Arc::clone(&self.config);
        let address = self.address().clone();
        let settings = self.settings();
        runtime()?.spawn(async move {
            let dialled = with_all_it_takes(self::dial(&config, &address)).await;
            dialling.settle(dialled.map(|mut dialled| {
                let addresses = std::mem::take(&mut dialled.addresses);
                let connection = Connection::start(dialled, settings);
                (Arc::new(connection), addresses)
            }));
        });
        Ok(())
    }
}

impl Source for Server {
    fn servers(&self) -> Vec<(Arc<Address>, ServerStats)> {
        vec![(Arc::clone(self.address()), self.stats())]
    }
}

impl Dialling {
    /// Tells what the attempt has made, or why it has made nothing.
    fn settle(mut self, made: Result<(Arc<Connection>, Vec<std::net::SocketAddr>)>) {
        let (Some(server), Some(dial)) = (self.server.upgrade(), self.dial.take()) else {
            return;
        };
        let mut link = server.pool.link();
        let now = now();
        let (closed, replaced) = match made {
            Ok((connection, addresses)) => {
                let closed = link.resolved(&addresses, None, now);
                (closed, link.connected(dial, connection, now))
            }
            Err(error) => {
                link.failed(dial, &error, now);
                (Vec::new(), None)
            }
        };
        drop(link);
        // Closing is not done under the lock.
        drop((closed, replaced));
        if let Err(closed) = server.calls.check() {
            server.fail(&closed);
        }
        server.pool.tell_of_attempt();
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        // The runtime of the task was shut down, or there was none.
        if let (Some(server), Some(dial)) = (self.server.upgrade(), self.dial.take()) {
            server.pool.link().given_up(dial);
            server.pool.tell_of_attempt();
        }
    }
}

/// How often the driver of a connection gets a turn to read what was seen, before it is used.
const MOST_LOOKS: usize = 16;
