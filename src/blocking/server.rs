//! One server as all clones of a client see it, and its connections, which are lent to one caller at
//! a time.

use std::{
    mem, process,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::{
    connection::Connection,
    dial::{Dialled, dial, dial_urgent, dial_within},
    stream::SocketHandle,
};
use crate::{
    call::{DirectCall, no_connection_to},
    cluster::{Calls, ClusterState, NodeId, Scope},
    command::{Exchange, Place},
    config::{Address, Config},
    error::{Error, Result},
    events::{DisconnectReason, Events},
    link::{Acquire, Acquired, Defect, Link, Pool, PoolPermit, PoolStats, WaitId, gone},
    observe::{ServerStats, Source, events_of_client},
    protocol::{ConnectionSettings, TimeLimit},
    resp::Frames,
};

/// A server with its pool of connections.
pub(super) struct Server {
    config: Arc<Config>,
    /// Where it is reached, which of a node the config does not say.
    address: Arc<Address>,
    link: Mutex<LinkState>,
    /// What the connections run on, and perhaps those that are closed.
    sockets: Mutex<Vec<Weak<SocketHandle>>>,
    /// What is known of it, a topology of one.
    state: Mutex<ClusterState>,
    /// Its name there.
    id: NodeId,
    calls: Calls,
    scope: Scope,
    events: Events,
}

/// A connection is large, and is moved a few times for each call.
type LinkState = Link<Box<Connection>, Arc<Condvar>>;

/// A connection that is lent to one caller, and goes back when this is dropped.
pub(super) struct PooledConnection {
    server: Arc<Server>,
    /// `None` only while this is dropped.
    permit: Option<PoolPermit>,
    /// `None` while it is not made yet.
    connection: Option<Box<Connection>>,
    /// When it was lent.
    since: Instant,
}

/// A connection that is made for one call, and ends with it.
pub(super) struct OwnConnection(Box<Connection>);

/// How long a call waits for a connection to a node of a cluster.
#[derive(Clone, Copy)]
pub(super) struct Wait<'w> {
    /// Since when.
    pub(super) since: Instant,
    /// The end of the call, come what may.
    pub(super) deadline: Option<Instant>,
    /// Whether there is something else to do by now; who waits looks when it is
    /// [woken](Server::wake_all).
    pub(super) is_over: &'w dyn Fn() -> bool,
}

impl Server {
    /// The one server of a client.
    pub(super) fn new(config: Arc<Config>) -> Self {
        let address = config.address.clone();
        let events = events_of_client(&config);
        let calls = Calls::of_client(events.clone());
        Self::at(config, address, Scope::Server, events, calls)
    }

    /// A node of a cluster at that address, whatever the config says.
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
        let (state, id) = ClusterState::one(&config, &address, scope, Instant::now());
        let address = Arc::new(address);
        let link = Link::new(
            &config,
            Arc::clone(&address),
            events.clone(),
            fastrand::u64(..),
        );
        Self {
            id,
            state: Mutex::new(
                state
                    .telling(events.clone())
                    .counting(&calls, Instant::now()),
            ),
            calls,
            scope,
            link: Mutex::new(link),
            sockets: Mutex::default(),
            config,
            address,
            events,
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
        &self.address
    }

    /// Where what happens to it is told.
    pub(super) fn events(&self) -> &Events {
        &self.events
    }

    /// What the pool is doing, and what it has done.
    pub(super) fn pool_stats(&self) -> PoolStats {
        self.link().pool().stats()
    }

    /// What it is doing.
    pub(super) fn stats(&self) -> ServerStats {
        let sockets: Vec<_> = {
            let sockets = lock(&self.sockets);
            sockets.iter().filter_map(Weak::upgrade).collect()
        };
        ServerStats {
            shared: 0,
            pool: self.pool_stats(),
            unanswered: sockets.iter().map(|handle| handle.unanswered()).sum(),
            round_trip: None,
        }
    }

    /// Whether there is a connection that was not found to have ended.
    pub(super) fn is_connected(&self) -> bool {
        self.link().pool().is_connected()
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
    pub(super) fn decide<T>(&self, ask: impl FnOnce(&mut ClusterState, Instant, u64) -> T) -> T {
        let mut state = lock(&self.state);
        let answer = ask(&mut state, Instant::now(), fastrand::u64(..));
        let leaves = state.takes_leave();
        drop(state);
        if leaves {
            self.leave(DisconnectReason::Demoted);
        }
        answer
    }

    /// Has connections made anew, since another server seems to be the one to use.
    fn leave(&self, reason: DisconnectReason) {
        let closed = self.link().leave(reason, Instant::now());
        // Closing is not done under the lock.
        drop(closed);
    }

    /// A connection for a call that must overtake all others: one of its own, which chooses no
    /// database, since that would have to wait as well.
    ///
    /// It is made within the time that connecting may take, and until then.
    pub(super) fn urgent(&self, end: Option<Instant>) -> Result<OwnConnection> {
        let now = Instant::now();
        let dial_permit = self.link().begin_urgent(now)?;
        let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(now));
        let allowed = left.min(self.config.connect_timeout);
        let dialled = dial_urgent(&self.config, &self.address, allowed);
        let result = dialled.as_ref().map(drop);
        self.link().end_urgent(dial_permit, result, Instant::now());
        self.wake_all();
        Ok(OwnConnection(Box::new(self.adopt(dialled?))))
    }

    /// Makes the connections that are kept however long they are idle, at least one.
    pub(super) fn fill(self: &Arc<Self>) -> Result<()> {
        let now = Instant::now();
        let lacking = self.link().pool().fill(now);
        match lacking {
            Some(permit) => PooledConnection::new(self, permit, None, now).fill(),
            None => self.lend().map(drop),
        }
    }

    /// A connection that is alive as far as can be seen, when it is the caller's turn.
    pub(super) fn lend(self: &Arc<Self>) -> Result<PooledConnection> {
        self.lend_by(Instant::now(), None)
    }

    /// The same for a call that ends at that time, if it does; it begins now.
    pub(super) fn lend_by(
        self: &Arc<Self>,
        begun: Instant,
        end: Option<Instant>,
    ) -> Result<PooledConnection> {
        let mut dead = None;
        let mut now = begun;
        loop {
            let (turn, then) = match self.ask(dead.take(), now) {
                Acquire::Now(turn) => (turn, now),
                Acquire::Wait(wait_id, woken) => {
                    let wait = Wait {
                        since: now,
                        deadline: end,
                        is_over: &|| false,
                    };
                    match self.wait(wait_id, &woken, wait)? {
                        Some(turn) => turn,
                        None => continue,
                    }
                }
            };
            now = then;
            match turn {
                Acquired::Reuse(permit, connection) => {
                    let mut lent = PooledConnection::new(self, permit, Some(connection), now);
                    if lent.is_usable() {
                        return Ok(lent);
                    }
                    // Others that were idle as long are likely to have died as well.
                    dead = lent.permit.take();
                }
                Acquired::Connect(permit) => {
                    return PooledConnection::new(self, permit, None, now).connect_by(end);
                }
                Acquired::Failed(error) => return Err(error),
            }
        }
    }

    /// A connection to a node, which is made in a thread if it has to be made.
    ///
    /// `None` says that the wait was over before.
    ///
    /// # Errors
    ///
    /// There is none in time, or an attempt to make one has failed, be it a moment ago.
    pub(super) fn lend_within(
        self: &Arc<Self>,
        wait: Wait<'_>,
    ) -> Result<Option<PooledConnection>> {
        let mut now = wait.since;
        let mut asked = self.ask_or_fail(None, now);
        let mut waited = false;
        loop {
            let turn = match asked {
                Acquire::Now(turn) => turn,
                Acquire::Wait(wait_id, woken) => {
                    waited = true;
                    let turn = self.wait(wait_id, &woken, wait);
                    match turn.map_err(|error| self.blamed(error, wait.since))? {
                        Some((turn, then)) => {
                            now = then;
                            turn
                        }
                        None => return Ok(None),
                    }
                }
            };
            asked = match turn {
                Acquired::Reuse(permit, connection) => {
                    let mut lent = PooledConnection::new(self, permit, Some(connection), now);
                    if lent.is_usable() {
                        return Ok(Some(lent));
                    }
                    waited = true;
                    self.ask_or_fail(lent.permit.take(), now)
                }
                Acquired::Connect(mut permit) => {
                    let mut link = self.link();
                    let (wait_id, woken) =
                        link.pool().wait_for(&mut permit, waited, now, Arc::default);
                    drop(link);
                    PooledConnection::new(self, permit, None, now).connect_beside();
                    Acquire::Wait(wait_id, woken)
                }
                Acquired::Failed(error) => return Err(error),
            };
        }
    }

    /// A connection that is free at once and alive as far as can be seen.
    pub(super) fn lend_idle(self: &Arc<Self>, now: Instant) -> Option<PooledConnection> {
        let (permit, connection) = self.with_pool(now, Pool::reuse)?;
        let mut lent = PooledConnection::new(self, permit, Some(connection), now);
        if lent.is_usable() {
            return Some(lent);
        }
        if let Some(dead) = lent.permit.take() {
            wake(self.link().pool().discard(dead, Defect::Broken, now));
        }
        None
    }

    /// A connection beyond those of the pool, if the pool has none left; made within that time.
    pub(super) fn spare(&self, allowed: Duration) -> Option<Result<Connection>> {
        if !self.link().pool().is_used_up() {
            return None;
        }
        let dialled = dial_within(&self.config, &self.address, allowed);
        Some(dialled.map(|dialled| self.adopt(dialled)))
    }

    /// Lets all who wait for a connection see whether their wait is over.
    pub(super) fn wake_all(&self) {
        let waiters = self.link().pool().waiters();
        wake(waiters);
    }

    /// Closes the connections that nobody uses, so that the next call makes another.
    pub(super) fn disconnect(&self) {
        let closed = self.link().pool().clear(Instant::now());
        // Closing is not done under the lock.
        drop(closed);
    }

    /// Ends all connections, those that are used included; calls that are under way get the error.
    pub(super) fn fail(&self, why: &Error) {
        self.disconnect();
        let sockets = mem::take(&mut *lock(&self.sockets));
        for handle in sockets.iter().filter_map(Weak::upgrade) {
            handle.end(why.clone());
        }
    }

    /// Takes a connection into use, and remembers how to end it.
    fn adopt(&self, dialled: Dialled) -> Connection {
        let mut sockets = lock(&self.sockets);
        sockets.retain(|handle| handle.strong_count() > 0);
        sockets.push(dialled.stream.handle());
        drop(sockets);
        if let Err(closed) = self.calls.check() {
            self.fail(&closed);
        }
        let settings = ConnectionSettings::pooled(&self.config, &self.address, &self.events);
        Connection::new(dialled, settings)
    }

    /// Asks the pool for a connection, perhaps instead of a dead one.
    #[inline(always)]
    fn ask(
        self: &Arc<Self>,
        dead: Option<PoolPermit>,
        now: Instant,
    ) -> Acquire<Box<Connection>, Arc<Condvar>> {
        self.with_pool(now, |pool| match dead {
            None => pool.ask(now, Arc::default),
            Some(permit) => pool.ask_again(permit, now, Arc::default),
        })
    }

    /// The same, but nobody waits until another attempt to connect is allowed: there may be other
    /// ways, and whoever decides about them has to know.
    fn ask_or_fail(
        self: &Arc<Self>,
        dead: Option<PoolPermit>,
        now: Instant,
    ) -> Acquire<Box<Connection>, Arc<Condvar>> {
        let asked = self.ask(dead, now);
        if let Acquire::Wait(wait_id, _) = &asked {
            let mut link = self.link();
            let pool = link.pool();
            if let Some(failure) = pool.failure(now).cloned() {
                let turn = pool.leave(*wait_id, now);
                return Acquire::Now(turn.unwrap_or(Acquired::Failed(failure)));
            }
        }
        asked
    }

    /// Asks the pool for something, and does what it wants done.
    #[inline(always)]
    fn with_pool<T>(
        self: &Arc<Self>,
        now: Instant,
        ask: impl FnOnce(&mut Pool<Box<Connection>, Arc<Condvar>>) -> T,
    ) -> T {
        let mut link = self.link();
        let pool = link.pool();
        let closed = pool.enter(process::id(), now);
        let asked = ask(pool);
        let lacking = pool.fill(now);
        drop(link);
        // Closing is not done under the lock.
        drop(closed);
        if let Some(permit) = lacking {
            let lent = PooledConnection::new(self, permit, None, now);
            // Where there can be no thread, the permit goes back with the closure.
            let _ = thread::Builder::new()
                .name("respec-pool".to_owned())
                .spawn(move || lent.fill());
        }
        asked
    }

    /// Waits for the caller's turn, and says when it was; `None` says that the wait was over before.
    fn wait(
        &self,
        wait_id: WaitId,
        woken: &Condvar,
        wait: Wait<'_>,
    ) -> Result<Option<(Acquired<Box<Connection>>, Instant)>> {
        let allowed = wait.since.checked_add(self.config.pool.wait);
        let end = allowed.into_iter().chain(wait.deadline).min();
        let mut link = self.link();
        loop {
            let pool = link.pool();
            let now = Instant::now();
            let look = pool.poll_wait(wait_id, now);
            wake(look.woken);
            if let Some(turn) = look.turn {
                return Ok(Some((turn, now)));
            }
            if (wait.is_over)() {
                return Ok(pool.leave(wait_id, now).map(|turn| (turn, now)));
            }
            if let Some(end) = end.filter(|end| *end <= now) {
                let allowed = end.saturating_duration_since(wait.since);
                let turn = pool.time_out(wait_id, allowed, now)?;
                return Ok(Some((turn, now)));
            }
            link = match [end, look.again].into_iter().flatten().min() {
                None => woken.wait(link).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let waited = woken.wait_timeout(link, until.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// The error of a wait in vain, which may be the fault of the node and not of other callers.
    fn blamed(&self, error: Error, since: Instant) -> Error {
        if self.link().pool().is_connecting() {
            let late = no_connection_to(&self.address, since, Instant::now());
            return late.with_source(error);
        }
        error
    }

    /// All that is known of the server and of the connections to it.
    fn link(&self) -> MutexGuard<'_, LinkState> {
        lock(&self.link)
    }
}

impl Source for Server {
    fn servers(&self) -> Vec<(Arc<Address>, ServerStats)> {
        vec![(Arc::clone(self.address()), self.stats())]
    }
}

impl OwnConnection {
    /// Sends an exchange, and waits for all frames that answer it.
    pub(super) fn call<E: Exchange>(mut self, exchange: &E, limit: TimeLimit) -> Result<Frames> {
        self.0.call(exchange, Instant::now(), limit, Place::Shared)
    }
}

impl PooledConnection {
    #[inline(always)]
    fn new(
        server: &Arc<Server>,
        permit: PoolPermit,
        connection: Option<Box<Connection>>,
        since: Instant,
    ) -> Self {
        Self {
            server: Arc::clone(server),
            permit: Some(permit),
            connection,
            since,
        }
    }

    /// When it was lent.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    pub(super) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    pub(super) fn connection(&mut self) -> Result<&mut Connection> {
        self.connection.as_deref_mut().ok_or_else(gone)
    }

    /// Sends an exchange that asks for no pushes as soon as the connection is lent, and waits for all
    /// frames that answer it.
    pub(super) fn call<E: Exchange>(mut self, exchange: &E, limit: TimeLimit) -> Result<Frames> {
        let since = self.since;
        self.connection()?
            .call(exchange, since, limit, Place::Shared)
    }

    /// Closes the connection, so that it will not go back.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }

    /// Whether the connection is alive as far as can be seen.
    fn is_usable(&mut self) -> bool {
        self.connection.as_mut().is_some_and(|one| one.is_usable())
    }

    /// Makes the connection, of which there is only leave yet.
    fn connect(self) -> Result<Self> {
        self.connect_by(None)
    }

    /// The same for a call that ends at that time, if it does.
    fn connect_by(mut self, end: Option<Instant>) -> Result<Self> {
        let (config, address) = (&self.server.config, &self.server.address);
        let dialled = match end.map(|end| end.saturating_duration_since(self.since)) {
            Some(left) => dial_within(config, address, left.min(config.connect_timeout)),
            None => dial(config, address),
        };
        self.since = Instant::now();
        let server = Arc::clone(&self.server);
        match dialled {
            Ok(mut dialled) => {
                let addresses = mem::take(&mut dialled.addresses);
                self.connection = Some(Box::new(server.adopt(dialled)));
                if let Some(permit) = &mut self.permit {
                    let mut link = server.link();
                    let closed = link.resolved(&addresses, Some(&*permit), self.since);
                    let woken = link.pool().connected(permit, self.since);
                    drop(link);
                    // Closing is not done under the lock.
                    drop(closed);
                    wake(woken);
                }
                Ok(self)
            }
            Err(error) => {
                if let Some(permit) = self.permit.take() {
                    wake(server.link().pool().failed(permit, &error, self.since));
                }
                Err(error)
            }
        }
    }

    /// Makes the connection in a thread, and gives it back.
    fn connect_beside(self) {
        let (hand_over, receive) = mpsc::channel::<Self>();
        let started = thread::Builder::new()
            .name("respec-dial".to_owned())
            .spawn(move || drop(receive.recv().map(Self::connect)));
        match started {
            Ok(_) => drop(hand_over.send(self)),
            // There can be no thread, and so the caller makes it.
            Err(_) => drop(self.connect()),
        }
    }

    /// Makes a connection and gives it back, again and again until the minimum is reached.
    fn fill(self) -> Result<()> {
        let server = Arc::clone(&self.server);
        let mut leave = Some(self);
        while let Some(lent) = leave.take() {
            drop(lent.connect()?);
            let now = Instant::now();
            let permit = server.link().pool().fill(now);
            leave = permit.map(|permit| Self::new(&server, permit, None, now));
        }
        Ok(())
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let (woken, close) = match self.connection.take() {
            Some(connection) if connection.is_clean() => {
                let now = Instant::now();
                let released = self.server.link().pool().give_back(permit, connection, now);
                (released.woken, released.close)
            }
            connection => {
                let lost = connection.as_ref().is_some_and(|one| !one.is_open());
                let defect = if lost { Defect::Broken } else { Defect::Dirty };
                // Before another one is made in its place.
                drop(connection);
                (
                    self.server
                        .link()
                        .pool()
                        .discard(permit, defect, Instant::now()),
                    None,
                )
            }
        };
        // Closing is not done under the lock.
        drop(close);
        wake(woken);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(woken: impl IntoIterator<Item = Arc<Condvar>>) {
    for woken in woken {
        woken.notify_one();
    }
}
