//! A client that many threads share.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use super::{connection::Connection, dedicated::Dedicated, dial::dial};
use crate::{
    command::{
        Batch, Command, Commands, Exchange, Pipeline, Place, Single, Synchronous,
        SynchronousExchange, Transaction,
    },
    config::Config,
    error::{Error, ErrorKind, Result},
    pool::{Asked, Defect, Lease, Pool, PoolStats, Ticket, Turn},
    resp::Frames,
};

/// A client that many threads share; cheap to clone.
///
/// All clones share a pool of connections, of which each call has one to itself until it has its
/// reply. A call that finds all of them in use waits for its turn, and fails after
/// [`pool_wait`](Config::pool_wait).
///
/// A connection that has failed, has kept a caller waiting for too long, or holds anything that
/// nobody asked for is closed and never used again. A connection that was closed while it was idle
/// is replaced before anything is sent. A call whose connection turns out to be lost is sent once
/// more on another one, but only if not a byte of it was written; [`Error::may_have_executed`] tells
/// what is not known.
///
/// While the server cannot be reached, one call at a time tries to connect, with pauses of up to a
/// second by chance between two attempts, and of one to one and a half where the server refuses;
/// all who wait for it get the error of a failed attempt.
///
/// Connections that are too old, or idle for too long, are closed when the pool is next used. If
/// fewer than [`pool_min`](Config::pool_min) are left then, a thread makes the others anew and ends.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// What the clones of a client share.
pub(super) struct Shared {
    config: Config,
    pool: Mutex<Books>,
}

/// A connection is large, and is moved a few times for each call.
type Books = Pool<Box<Connection>, Arc<Condvar>>;

/// A connection that is lent to one caller, and goes back when this is dropped.
pub(super) struct Lent {
    shared: Arc<Shared>,
    /// `None` only while this is dropped.
    lease: Option<Lease>,
    /// `None` while it is not made yet.
    connection: Option<Box<Connection>>,
    /// When it was lent.
    since: Instant,
}

impl Client {
    /// Connects to the server of a URL, such as `redis://user:password@localhost:6379/0`.
    ///
    /// It makes [`pool_min`](Config::pool_min) connections, at least one.
    ///
    /// # Errors
    ///
    /// The URL is malformed, or there is no connection.
    pub fn connect(url: &str) -> Result<Self> {
        let client = Self::from_config(Config::from_url(url)?);
        let shared = &client.shared;
        let now = Instant::now();
        let lacking = shared.pool().fill(now);
        match lacking {
            Some(lease) => Lent::new(shared, lease, None, now).fill()?,
            None => drop(shared.lend()?),
        }
        Ok(client)
    }

    /// A client that connects when it is used for the first time.
    ///
    /// What is wrong with the config is an error then; [`Config::check`] tells before.
    #[must_use]
    pub fn from_config(config: Config) -> Self {
        let pool = Mutex::new(Pool::new(config.pool));
        Self {
            shared: Arc::new(Shared { config, pool }),
        }
    }

    /// Sends a command that is not bound to a client, and waits for its reply.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`].
    pub fn send<C: Command>(&self, command: C) -> Result<C::Reply> {
        self.execute(command)
    }

    /// Prepares several commands to be sent in one piece, whose replies come together.
    ///
    /// The commands of other callers may run between them.
    pub fn pipeline<M, B: Batch<M>>(&self, batch: B) -> Pipeline<&Self, B::Sequence> {
        Pipeline::new(self, batch)
    }

    /// Prepares several commands to be run as one, between `MULTI` and `EXEC`.
    ///
    /// Nothing is sent if one of them cannot run in a transaction. To make it depend on a watched
    /// key, use [`Dedicated::transaction`].
    pub fn transaction<M, B: Batch<M>>(&self, batch: B) -> Transaction<&Self, B::Sequence> {
        Transaction::new(self, batch)
    }

    /// A connection of the caller's own, for what changes a connection.
    ///
    /// It is one of the pool's, and so one less for everybody else.
    ///
    /// # Errors
    ///
    /// There is no connection, or none is free in time.
    pub fn dedicated(&self) -> Result<Dedicated> {
        Ok(Dedicated::new(self.shared.lend()?))
    }

    /// What the pool is doing, and what it has done since the client was made.
    #[must_use]
    pub fn pool_stats(&self) -> PoolStats {
        self.shared.pool().stats()
    }

    fn call<E: Exchange>(&self, exchange: &E) -> Result<E::Output> {
        exchange.check(Place::Shared)?;
        if exchange.is_empty() {
            return exchange.finish(&Frames::new());
        }
        let timeout = self.shared.config.response_timeout;
        let mut retried = false;
        loop {
            let mut lent = self.shared.lend()?;
            let now = lent.since;
            // Nobody has subscribed to anything here.
            let result = lent.connection()?.call(exchange, now, timeout, &mut drop);
            drop(lent);
            match result {
                Ok(frames) => return exchange.finish(&frames),
                Err(error) if !retried && is_retried(&error) => retried = true,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Commands for Client {}

impl Synchronous for &Client {
    fn execute<C: Command>(self, command: C) -> Result<C::Reply> {
        self.exchange(Single(command))
    }
}

impl SynchronousExchange for &Client {
    fn exchange<E: Exchange>(self, exchange: E) -> Result<E::Output> {
        self.call(&exchange)
            .map_err(|error| error.with_command(exchange.name()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.shared.config.address)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// A connection that is alive as far as can be seen, when it is the caller's turn.
    fn lend(self: &Arc<Self>) -> Result<Lent> {
        let mut dead = None;
        loop {
            let (turn, now) = self.turn(dead)?;
            match turn {
                Turn::Reuse(lease, connection) => {
                    let mut lent = Lent::new(self, lease, Some(connection), now);
                    if lent.is_quiet() {
                        return Ok(lent);
                    }
                    // Others that were idle as long are likely to have died as well.
                    dead = lent.lease.take();
                }
                Turn::Connect(lease) => return Lent::new(self, lease, None, now).connect(),
                Turn::Failed(error) => return Err(error),
            }
        }
    }

    /// Waits until the pool has something for the caller, perhaps instead of a dead connection, and
    /// says when that was.
    fn turn(self: &Arc<Self>, dead: Option<Lease>) -> Result<(Turn<Box<Connection>>, Instant)> {
        let now = Instant::now();
        let mut pool = self.pool();
        let closed = pool.sweep(now);
        let asked = match dead {
            None => pool.ask(now, Arc::default),
            Some(lease) => pool.ask_again(lease, now, Arc::default),
        };
        let lacking = pool.fill(now);
        drop(pool);
        drop(closed);
        if let Some(lease) = lacking {
            let lent = Lent::new(self, lease, None, now);
            // Where there can be no thread, the lease goes back with the closure.
            let _ = thread::Builder::new()
                .name("respec-pool".to_owned())
                .spawn(move || lent.fill());
        }
        match asked {
            Asked::Turn(turn) => Ok((turn, now)),
            Asked::Wait(ticket, woken) => self.wait(ticket, &woken, now),
        }
    }

    fn wait(
        &self,
        ticket: Ticket,
        woken: &Condvar,
        since: Instant,
    ) -> Result<(Turn<Box<Connection>>, Instant)> {
        let end = since.checked_add(self.config.pool.wait);
        let mut pool = self.pool();
        loop {
            let now = Instant::now();
            let look = pool.look(ticket, now);
            wake(look.woken);
            if let Some(turn) = look.turn {
                return Ok((turn, now));
            }
            if end.is_some_and(|end| end <= now) {
                return pool.time_out(ticket, now).map(|turn| (turn, now));
            }
            pool = match [end, look.again].into_iter().flatten().min() {
                None => woken.wait(pool).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let waited = woken.wait_timeout(pool, until.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn pool(&self) -> MutexGuard<'_, Books> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    fn new(
        shared: &Arc<Shared>,
        lease: Lease,
        connection: Option<Box<Connection>>,
        since: Instant,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            lease: Some(lease),
            connection,
            since,
        }
    }

    pub(super) fn config(&self) -> &Config {
        self.shared.config()
    }

    pub(super) fn connection(&mut self) -> Result<&mut Connection> {
        self.connection
            .as_deref_mut()
            .ok_or_else(|| Error::new(ErrorKind::Connection, "the connection is gone"))
    }

    /// Closes the connection, so that it will not go back.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }

    fn is_quiet(&self) -> bool {
        self.connection.as_ref().is_some_and(|one| one.is_quiet())
    }

    /// Makes the connection, of which there is only leave yet.
    fn connect(mut self) -> Result<Self> {
        let dialled = dial(self.config());
        self.since = Instant::now();
        let shared = Arc::clone(&self.shared);
        match dialled {
            Ok(dialled) => {
                self.connection = Some(Box::new(Connection::new(dialled)));
                if let Some(lease) = &mut self.lease {
                    wake(shared.pool().connected(lease, self.since));
                }
                Ok(self)
            }
            Err(error) => {
                if let Some(lease) = self.lease.take() {
                    wake(shared.pool().failed(lease, &error, self.since));
                }
                Err(error)
            }
        }
    }

    /// Makes a connection and gives it back, again and again until the minimum is reached.
    fn fill(self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let mut leave = Some(self);
        while let Some(lent) = leave.take() {
            drop(lent.connect()?);
            let now = Instant::now();
            let lease = shared.pool().fill(now);
            leave = lease.map(|lease| Self::new(&shared, lease, None, now));
        }
        Ok(())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        let (woken, close) = match self.connection.take() {
            Some(connection) if connection.is_clean() => {
                let now = Instant::now();
                let released = self.shared.pool().give_back(lease, connection, now);
                (released.woken, released.close)
            }
            connection => {
                let lost = connection.as_ref().is_some_and(|one| !one.is_open());
                let defect = if lost { Defect::Broken } else { Defect::Dirty };
                // Before another one is made in its place.
                drop(connection);
                (
                    self.shared.pool().discard(lease, defect, Instant::now()),
                    None,
                )
            }
        };
        // Closing is not done under the lock.
        drop(close);
        wake(woken);
    }
}

fn wake(woken: impl IntoIterator<Item = Arc<Condvar>>) {
    for woken in woken {
        woken.notify_one();
    }
}

/// Whether another connection may carry what this one has lost.
fn is_retried(error: &Error) -> bool {
    error.kind() == ErrorKind::Connection && !error.may_have_executed()
}
