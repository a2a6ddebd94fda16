//! Connections for blocking commands and for dedicated use.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use tokio::{runtime::Handle, sync::Notify, task::yield_now, time::timeout_at};

use super::{
    cluster::within,
    connection::Connection,
    dial::{Dialled, dial},
    runtime::{now, runtime, with_all_it_takes},
};
use crate::{
    call::no_connection_to,
    config::{Address, Config},
    error::{Error, Result},
    events::Events,
    link::{Acquire, Acquired, Attempt, Defect, Link, PoolPermit, PoolStats, Seen, WaitId, gone},
    protocol::ConnectionSettings,
};

/// The connections of a client that are lent to one caller at a time.
pub(super) struct ConnectionPool {
    config: Arc<Config>,
    address: Arc<Address>,
    events: Events,
    link: Mutex<LinkState>,
    /// Those that were lent, so that they can be ended when the server has failed.
    lent: Mutex<Vec<Weak<Connection>>>,
    /// Tells those who wait for the shared connection that an attempt has ended, whose ever it was.
    changed: Notify,
}

type LinkState = Link<Arc<Connection>, Arc<Notify>>;

/// A connection that is lent to one caller, and goes back when this is dropped.
///
/// It goes back only if it is as it was: open, with nothing owed and nothing left over.
pub(super) struct PooledConnection {
    pool: Arc<ConnectionPool>,
    /// `None` only while this is dropped.
    permit: Option<PoolPermit>,
    /// `None` while it is not made yet, and when it shall not go back.
    connection: Option<Arc<Connection>>,
}

/// A place among those who wait, which is left when this is dropped.
struct WaitingCaller<'a> {
    pool: &'a Arc<ConnectionPool>,
    wait_id: WaitId,
}

impl ConnectionPool {
    pub(super) fn new(config: Arc<Config>, address: Address, events: Events) -> Self {
        let address = Arc::new(address);
        let link = Link::new(
            &config,
            Arc::clone(&address),
            events.clone(),
            fastrand::u64(..),
        );
        Self {
            events,
            link: Mutex::new(link),
            lent: Mutex::default(),
            changed: Notify::new(),
            config,
            address,
        }
    }

    pub(super) fn address(&self) -> &Arc<Address> {
        &self.address
    }

    /// Where what happens to its connections is told.
    pub(super) fn events(&self) -> &Events {
        &self.events
    }

    /// Tells that an attempt to connect has ended.
    pub(super) fn changed(&self) -> &Notify {
        &self.changed
    }

    /// Has all who wait look again, since an attempt to connect has ended.
    pub(super) fn tell_of_attempt(&self) {
        let waiting = self.link().pool().waiters();
        wake(waiting);
        self.changed.notify_waiters();
    }

    /// All that is known of the server and of the connections to it.
    pub(super) fn link(&self) -> MutexGuard<'_, LinkState> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all connections, those that are lent included; calls that are under way get the error.
    pub(super) fn fail(&self, why: &Error) {
        let closed = self.link().pool().clear(now());
        // Closing is not done under the lock.
        drop(closed);
        let lent = mem::take(&mut *self.lent());
        for connection in lent.iter().filter_map(Weak::upgrade) {
            connection.close(why.clone());
        }
    }

    fn lent(&self) -> MutexGuard<'_, Vec<Weak<Connection>>> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection into use, and remembers how to end it.
    fn adopt(&self, dialled: Dialled) -> Arc<Connection> {
        let settings = ConnectionSettings::lent(&self.config, &self.address, &self.events);
        let connection = Arc::new(Connection::start(dialled, settings));
        let mut lent = self.lent();
        lent.retain(|one| one.strong_count() > 0);
        lent.push(Arc::downgrade(&connection));
        connection
    }

    /// A connection that is alive as far as is known, when it is the caller's turn; for a call that
    /// ends at that time, if it does.
    pub(super) async fn lend(
        self: Arc<Self>,
        deadline: Option<Instant>,
    ) -> Result<PooledConnection> {
        let runtime = runtime()?;
        let since = now();
        let mut dead = None;
        loop {
            match self.turn(dead, deadline, &runtime).await? {
                Acquired::Reuse(permit, connection) => {
                    let mut lent = PooledConnection::new(&self, permit, Some(connection));
                    if lent.is_usable().await {
                        return Ok(lent);
                    }
                    dead = lent.permit.take();
                }
                Acquired::Connect(permit) => {
                    let lent = PooledConnection::new(&self, permit, None);
                    // In a task of its own, which is on the runtime's threads whoever polls the
                    // caller. If the caller leaves, what was made goes to the next.
                    let connecting = runtime.spawn(lent.connect());
                    return match within(deadline, connecting).await {
                        Some(connected) => {
                            connected.unwrap_or_else(|_| Err(Attempt::stopped(&self.address)))
                        }
                        None => Err(no_connection_to(&self.address, since, now())),
                    };
                }
                Acquired::Failed(error) => return Err(error),
            }
        }
    }

    /// Makes the connections that are kept however long they are idle.
    pub(super) async fn fill(self: &Arc<Self>) -> Result<()> {
        let lacking = self.link().pool().fill(now());
        match lacking {
            Some(permit) => PooledConnection::new(self, permit, None).fill().await,
            None => Ok(()),
        }
    }

    /// What the pool is doing, and what it has done.
    pub(super) fn stats(&self) -> PoolStats {
        self.link().pool().stats()
    }

    /// How many bytes of requests are not answered on the connections that are lent.
    pub(super) fn unanswered(&self) -> u64 {
        // What is dropped last is not dropped under the lock.
        let lent: Vec<_> = self.lent().iter().filter_map(Weak::upgrade).collect();
        lent.iter().map(|connection| connection.stats().0).sum()
    }

    /// Waits until the pool has something for the caller, perhaps instead of a dead connection.
    async fn turn(
        self: &Arc<Self>,
        dead: Option<PoolPermit>,
        deadline: Option<Instant>,
        runtime: &Handle,
    ) -> Result<Acquired<Arc<Connection>>> {
        let now = now();
        let (closed, asked, lacking) = {
            let mut link = self.link();
            let pool = link.pool();
            let closed = pool.sweep(now);
            let asked = match dead {
                None => pool.ask(now, Arc::default),
                Some(permit) => pool.ask_again(permit, now, Arc::default),
            };
            (closed, asked, pool.fill(now))
        };
        drop(closed);
        if let Some(permit) = lacking {
            runtime.spawn(PooledConnection::new(self, permit, None).fill());
        }
        match asked {
            Acquire::Now(turn) => Ok(turn),
            Acquire::Wait(wait_id, woken) => self.wait(wait_id, &woken, now, deadline).await,
        }
    }

    async fn wait(
        self: &Arc<Self>,
        wait_id: WaitId,
        woken: &Notify,
        since: Instant,
        deadline: Option<Instant>,
    ) -> Result<Acquired<Arc<Connection>>> {
        let waiting = WaitingCaller {
            pool: self,
            wait_id,
        };
        let allowed = since.checked_add(self.config.pool.wait);
        let end = allowed.into_iter().chain(deadline).min();
        loop {
            let now = now();
            let look = self.link().pool().poll_wait(waiting.wait_id, now);
            wake(look.woken);
            if let Some(turn) = look.turn {
                return Ok(turn);
            }
            if let Some(end) = end.filter(|end| *end <= now) {
                let allowed = end.saturating_duration_since(since);
                return self.link().pool().time_out(waiting.wait_id, allowed, now);
            }
            match [end, look.again].into_iter().flatten().min() {
                None => woken.notified().await,
                // What has become of it, the next look tells.
                Some(until) => drop(timeout_at(until.into(), woken.notified()).await),
            }
        }
    }

    /// Takes back a permit, with its connection if there is one.
    fn take_back(&self, permit: PoolPermit, connection: Option<Arc<Connection>>) {
        let (woken, close) = match connection {
            Some(connection) if connection.is_clean() => {
                let released = self.link().pool().give_back(permit, connection, now());
                (released.woken, released.close)
            }
            connection => {
                let lost = connection.as_ref().is_some_and(|one| !one.is_open());
                let defect = if lost { Defect::Broken } else { Defect::Dirty };
                // Before another one is made in its place.
                drop(connection);
                let woken = self.link().pool().discard(permit, defect, now());
                // It may have been leave to make one.
                self.changed.notify_waiters();
                (woken, None)
            }
        };
        // Closing is not done under the lock.
        drop(close);
        wake(woken);
    }
}

impl PooledConnection {
    fn new(
        pool: &Arc<ConnectionPool>,
        permit: PoolPermit,
        connection: Option<Arc<Connection>>,
    ) -> Self {
        Self {
            pool: Arc::clone(pool),
            permit: Some(permit),
            connection,
        }
    }

    /// The connection.
    ///
    /// # Errors
    ///
    /// It was closed by [`PooledConnection::close`].
    pub(super) fn connection(&self) -> Result<&Arc<Connection>> {
        self.connection.as_ref().ok_or_else(gone)
    }

    /// Where what happens to it is told.
    pub(super) fn events(&self) -> &Events {
        self.pool.events()
    }

    /// Where it leads to.
    pub(super) fn address(&self) -> &Arc<Address> {
        self.pool.address()
    }

    /// Closes the connection, so that it will not go back.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }

    /// Whether a connection that nobody has used for a while can be used, as far as can be seen.
    ///
    /// Messages that have come meanwhile are nobody's, and are dropped.
    async fn is_usable(&self) -> bool {
        let Some(connection) = &self.connection else {
            return false;
        };
        for _ in 0..MOST_LOOKS {
            match connection.look() {
                Seen::End => return false,
                Seen::Nothing => break,
                // The driver reads them when it has its turn.
                Seen::Bytes => yield_now().await,
            }
        }
        connection.drop_pushes();
        connection.is_clean()
    }

    /// Makes the connection, of which there is only leave yet.
    async fn connect(mut self) -> Result<Self> {
        let config = Arc::clone(&self.pool.config);
        let pool = Arc::clone(&self.pool);
        match with_all_it_takes(dial(&config, &pool.address)).await {
            Ok(mut dialled) => {
                let addresses = mem::take(&mut dialled.addresses);
                self.connection = Some(pool.adopt(dialled));
                if let Some(permit) = &mut self.permit {
                    let mut link = pool.link();
                    let now = now();
                    let closed = link.resolved(&addresses, Some(&*permit), now);
                    let woken = link.pool().connected(permit, now);
                    drop(link);
                    // Closing is not done under the lock.
                    drop(closed);
                    wake(woken);
                    pool.changed.notify_waiters();
                }
                Ok(self)
            }
            Err(error) => {
                if let Some(permit) = self.permit.take() {
                    let woken = pool.link().pool().failed(permit, &error, now());
                    wake(woken);
                    pool.changed.notify_waiters();
                }
                Err(error)
            }
        }
    }

    /// Makes a connection and gives it back, again and again until the minimum is reached.
    async fn fill(self) -> Result<()> {
        let pool = Arc::clone(&self.pool);
        let mut leave = Some(self);
        while let Some(lent) = leave.take() {
            drop(lent.connect().await?);
            let permit = pool.link().pool().fill(now());
            leave = permit.map(|permit| Self::new(&pool, permit, None));
        }
        Ok(())
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.pool.take_back(permit, self.connection.take());
        }
    }
}

impl Drop for WaitingCaller<'_> {
    fn drop(&mut self) {
        // What was granted to somebody who is gone goes to the next.
        let granted = self.pool.link().pool().leave(self.wait_id, now());
        match granted {
            Some(Acquired::Reuse(permit, connection)) => {
                self.pool.take_back(permit, Some(connection))
            }
            Some(Acquired::Connect(permit)) => self.pool.take_back(permit, None),
            Some(Acquired::Failed(_)) | None => {}
        }
    }
}

fn wake(woken: impl IntoIterator<Item = Arc<Notify>>) {
    for woken in woken {
        woken.notify_one();
    }
}

/// How often the driver of a connection gets a turn to read what was seen, before it is used.
const MOST_LOOKS: usize = 16;
