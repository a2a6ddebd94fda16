//! Connections for blocking commands and for dedicated use.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::{
    sync::Notify,
    time::{self, timeout},
};

use super::{
    connection::Connection,
    dial::dial,
    server::{runtime, stopped},
};
use crate::{
    config::{Address, Config},
    error::{Error, ErrorKind, Phase, Result},
    pool::{Asked, Lease, Pool, Released, Ticket, Turn},
};

/// The connections of a client that are lent to one caller at a time.
pub(super) struct Lender {
    config: Arc<Config>,
    address: Address,
    pool: Mutex<Books>,
}

type Books = Pool<Arc<Connection>, Arc<Notify>>;

/// A connection that is lent to one caller, and goes back when this is dropped.
///
/// It goes back only if it is as it was: open, with nothing owed and nothing left over.
pub(super) struct Lent {
    lender: Arc<Lender>,
    /// `None` only while this is dropped.
    lease: Option<Lease>,
    /// `None` while it is not made yet, and when it shall not go back.
    connection: Option<Arc<Connection>>,
}

/// A place among those who wait, which is left when this is dropped.
struct Line<'a> {
    lender: &'a Lender,
    ticket: Ticket,
}

impl Lender {
    pub(super) fn new(config: Arc<Config>, address: Address) -> Self {
        Self {
            pool: Mutex::new(Pool::new(config.pool)),
            config,
            address,
        }
    }

    /// A connection that is alive as far as is known, when it is the caller's turn.
    pub(super) async fn lend(self: Arc<Self>) -> Result<Lent> {
        let runtime = runtime()?;
        let (lease, connection) = match self.turn().await? {
            Turn::Reuse(lease, connection) => (lease, Some(connection)),
            Turn::Connect(lease) => (lease, None),
        };
        let mut lent = Lent {
            lender: Arc::clone(&self),
            lease: Some(lease),
            connection: connection.filter(|connection| connection.is_clean()),
        };
        if lent.connection.is_none() {
            let config = Arc::clone(&self.config);
            let address = self.address.clone();
            // In a task of its own, which is on the runtime's threads whoever polls the caller.
            let dialling = runtime.spawn(async move {
                let dialled = dial(&config, &address).await?;
                Ok(Arc::new(Connection::start(dialled, &config, true)))
            });
            lent.connection = Some(dialling.await.unwrap_or_else(|_| Err(stopped()))?);
            if let Some(lease) = &mut lent.lease {
                self.books().connected(lease, now());
            }
        }
        Ok(lent)
    }

    /// Waits until the pool has something for the caller.
    async fn turn(&self) -> Result<Turn<Arc<Connection>>> {
        let (closed, asked) = {
            let mut pool = self.books();
            (pool.sweep(now()), pool.ask(|| Arc::new(Notify::new())))
        };
        drop(closed);
        let (ticket, woken) = match asked {
            Asked::Turn(turn) => return Ok(turn),
            Asked::Wait(ticket, woken) => (ticket, woken),
        };
        let line = Line {
            lender: self,
            ticket,
        };
        let granted = async {
            loop {
                woken.notified().await;
                if let Some(turn) = self.books().collect(ticket) {
                    return turn;
                }
            }
        };
        match timeout(self.config.pool.wait, granted).await {
            Ok(turn) => Ok(turn),
            Err(_) => line.leave().ok_or_else(|| self.all_in_use()),
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

    /// Takes back a lease, with its connection if that can be used again.
    fn take_back(&self, lease: Lease, connection: Option<Arc<Connection>>) {
        let released = match connection {
            Some(connection) => self.books().give_back(lease, connection, now()),
            None => Released {
                wake: self.books().discard(lease),
                close: None,
            },
        };
        if let Some(woken) = released.wake {
            woken.notify_one();
        }
        // Closing is not done under the lock.
        drop(released.close);
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    /// The connection.
    ///
    /// # Errors
    ///
    /// It was closed by [`Lent::close`].
    pub(super) fn connection(&self) -> Result<&Arc<Connection>> {
        self.connection
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Connection, "the connection is gone"))
    }

    /// Closes the connection, so that it will not go back.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            let connection = self.connection.take();
            let clean = connection.filter(|connection| connection.is_clean());
            self.lender.take_back(lease, clean);
        }
    }
}

impl Line<'_> {
    /// Stops waiting, unless it is the caller's turn by now.
    fn leave(&self) -> Option<Turn<Arc<Connection>>> {
        self.lender.books().leave(self.ticket)
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        // What was granted to somebody who is gone goes to the next.
        match self.leave() {
            Some(Turn::Reuse(lease, connection)) => self.lender.take_back(lease, Some(connection)),
            Some(Turn::Connect(lease)) => self.lender.take_back(lease, None),
            None => {}
        }
    }
}

fn now() -> Instant {
    time::Instant::now().into_std()
}
