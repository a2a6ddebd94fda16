//! A client that many threads share.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{connection::Connection, dedicated::Dedicated, dial::dial};
use crate::{
    command::{
        Batch, Command, Commands, Exchange, Pipeline, Place, Single, Synchronous,
        SynchronousExchange, Transaction,
    },
    config::Config,
    error::{Error, ErrorKind, Phase, Result},
    pool::{Asked, Lease, Pool, Turn},
};

/// A client that many threads share; cheap to clone.
///
/// All clones share a pool of connections, of which each call has one to itself until it has its
/// reply. A call that finds all of them in use waits for its turn, and fails after
/// [`pool_wait`](Config::pool_wait).
///
/// A connection that has failed, has kept a caller waiting for too long, or holds anything that
/// nobody asked for is closed and never used again. A call whose connection turns out to be lost
/// is sent once more on another one, but only if not a byte of it was written;
/// [`Error::may_have_executed`] tells what is not known.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// What the clones of a client share.
pub(super) struct Shared {
    config: Config,
    pool: Mutex<Pool<Connection, Arc<Condvar>>>,
}

/// A connection that is lent to one caller, and goes back when this is dropped.
pub(super) struct Lent {
    shared: Arc<Shared>,
    /// `None` only while this is dropped.
    lease: Option<Lease>,
    /// `None` while it is not made yet.
    connection: Option<Connection>,
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
        let connections = client.shared.config.pool.min.max(1);
        // All are lent at once, so that none of them is lent twice.
        let lent: Result<Vec<_>> = (0..connections).map(|_| client.shared.lend()).collect();
        lent.map(|_| client)
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

    fn call<E: Exchange>(&self, exchange: &E) -> Result<E::Output> {
        exchange.check(Place::Shared)?;
        if exchange.is_empty() {
            return exchange.finish(&[]);
        }
        let timeout = self.shared.config.response_timeout;
        let mut retried = false;
        loop {
            let mut lent = self.shared.lend()?;
            // Nobody has subscribed to anything here.
            let result = lent
                .connection()?
                .call(exchange, Instant::now(), timeout, &mut drop);
            drop(lent);
            match result {
                Ok(frames) => return exchange.finish(frames.as_slice()),
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
        let (lease, connection) = match self.turn()? {
            Turn::Reuse(lease, connection) => (lease, Some(connection)),
            Turn::Connect(lease) => (lease, None),
        };
        let mut lent = Lent {
            shared: Arc::clone(self),
            lease: Some(lease),
            connection,
        };
        if lent
            .connection
            .as_ref()
            .is_some_and(|connection| !connection.is_quiet())
        {
            lent.connection = None;
        }
        if lent.connection.is_none() {
            lent.connection = Some(Connection::new(dial(&self.config)?));
            if let Some(lease) = &mut lent.lease {
                self.pool().connected(lease, Instant::now());
            }
        }
        Ok(lent)
    }

    /// Waits until the pool has something for the caller.
    fn turn(&self) -> Result<Turn<Connection>> {
        let now = Instant::now();
        let (closed, asked) = {
            let mut pool = self.pool();
            (pool.sweep(now), pool.ask(|| Arc::new(Condvar::new())))
        };
        drop(closed);
        let (ticket, woken) = match asked {
            Asked::Turn(turn) => return Ok(turn),
            Asked::Wait(ticket, woken) => (ticket, woken),
        };
        let end = now.checked_add(self.config.pool.wait);
        let mut pool = self.pool();
        loop {
            if let Some(turn) = pool.collect(ticket) {
                return Ok(turn);
            }
            let rest = end.map(|end| end.saturating_duration_since(Instant::now()));
            pool = match rest {
                None => woken.wait(pool).unwrap_or_else(PoisonError::into_inner),
                Some(rest) if rest.is_zero() => {
                    return pool.leave(ticket).ok_or_else(|| self.all_in_use());
                }
                Some(rest) => {
                    let waited = woken.wait_timeout(pool, rest);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn all_in_use(&self) -> Error {
        let options = &self.config.pool;
        Error::new(
            ErrorKind::Timeout(Phase::Queue),
            format!(
                "all connections of the pool, {} at most, were in use for {:?}",
                options.max, options.wait
            ),
        )
    }

    fn pool(&self) -> MutexGuard<'_, Pool<Connection, Arc<Condvar>>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    pub(super) fn config(&self) -> &Config {
        self.shared.config()
    }

    pub(super) fn connection(&mut self) -> Result<&mut Connection> {
        self.connection
            .as_mut()
            .ok_or_else(|| Error::new(ErrorKind::Connection, "the connection is gone"))
    }

    /// Closes the connection, so that it will not go back.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        let clean = self.connection.take().filter(Connection::is_clean);
        let (wake, close) = match clean {
            Some(connection) => {
                let released = self
                    .shared
                    .pool()
                    .give_back(lease, connection, Instant::now());
                (released.wake, released.close)
            }
            None => (self.shared.pool().discard(lease), None),
        };
        if let Some(woken) = wake {
            woken.notify_one();
        }
        // Closing is not done under the lock.
        drop(close);
    }
}

/// Whether another connection may carry what this one has lost.
fn is_retried(error: &Error) -> bool {
    error.kind() == ErrorKind::Connection && !error.may_have_executed()
}
