//! A client that many callers share.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::{runtime::Handle, sync::watch};

use super::{
    connection::Connection,
    dedicated::Dedicated,
    dial::dial,
    pending::{Carrier, Pending},
    pool::{Lender, Lent},
};
use crate::{
    command::{
        Asynchronous, AsynchronousExchange, Batch, Command, Commands, Exchange, Pipeline, Single,
        Transaction,
    },
    config::Config,
    error::{Error, ErrorKind, Result},
};

/// A client that many callers share; cheap to clone.
///
/// All clones use one connection, on which the commands of all callers travel together, and
/// connect again when it was lost. A call that finds no connection waits until there is one, and
/// all who wait share one attempt.
///
/// ```no_run
/// # async fn example() -> respec::Result<()> {
/// use respec::{Client, cmd};
///
/// let client = Client::connect("redis://localhost").await?;
/// let other = client.clone();
/// tokio::spawn(async move { other.send(cmd::raw("PING")).await });
///
/// let replies = client
///     .pipeline([cmd::raw("INCR").key("hits"), cmd::raw("GET").key("greeting")])
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// Blocking commands run on connections of their own, of which there are
/// [`pool_max`](Config::pool_max) at most, and wait for their turn for
/// [`pool_wait`](Config::pool_wait).
///
/// A call whose connection is lost fails, unless not a byte of it was written: then it is sent once
/// more. [`Error::may_have_executed`] tells what is not known.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// What the clones of a client share.
pub(super) struct Shared {
    config: Arc<Config>,
    link: Mutex<Link>,
    /// The connections for blocking commands and for dedicated use.
    lender: Arc<Lender>,
}

/// The shared connection.
enum Link {
    None,
    /// An attempt is under way, and its outcome will be shown.
    Connecting(watch::Receiver<Option<Attempt>>),
    Connected(Arc<Connection>),
}

type Attempt = Result<Arc<Connection>>;

impl Client {
    /// Connects to the server of a URL, such as `redis://user:password@localhost:6379/0`.
    ///
    /// # Errors
    ///
    /// The URL is malformed, or there is no connection.
    pub async fn connect(url: &str) -> Result<Self> {
        let client = Self::from_config(Config::from_url(url)?);
        client.shared.connected().await?;
        Ok(client)
    }

    /// A client that connects when it is used for the first time.
    #[must_use]
    pub fn from_config(config: Config) -> Self {
        let config = Arc::new(config);
        Self {
            shared: Arc::new(Shared {
                lender: Arc::new(Lender::new(Arc::clone(&config))),
                config,
                link: Mutex::new(Link::None),
            }),
        }
    }

    /// The settings; they print as a URL, with the password masked.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.shared.config()
    }

    /// Sends a command that is not bound to a client.
    pub fn send<C: Command>(&self, command: C) -> Pending<'_, Single<C>> {
        self.pending(Single(command))
    }

    /// Sends several commands in one piece, whose replies come together.
    ///
    /// The commands of other callers may run between them. Nothing is sent if one of them blocks
    /// or changes the connection.
    pub fn pipeline<M, B: Batch<M>>(&self, batch: B) -> Pipeline<&Self, B::Sequence> {
        Pipeline::new(self, batch)
    }

    /// Runs several commands as one, between `MULTI` and `EXEC`.
    ///
    /// Nothing is sent if one of them cannot run in a transaction. To make it depend on a watched
    /// key, use [`Dedicated::transaction`].
    pub fn transaction<M, B: Batch<M>>(&self, batch: B) -> Transaction<&Self, B::Sequence> {
        Transaction::new(self, batch)
    }

    /// A connection of the caller's own, a free one or a new one.
    ///
    /// Of these, and of the connections for blocking commands, there are
    /// [`pool_max`](Config::pool_max) at most.
    ///
    /// # Errors
    ///
    /// There is no connection, or none is free in time.
    pub async fn dedicated(&self) -> Result<Dedicated> {
        let lent = self.shared.lend().await?;
        Ok(Dedicated::new(Arc::clone(&self.shared.config), lent))
    }

    fn pending<E: Exchange>(&self, exchange: E) -> Pending<'_, E> {
        Pending::new(Carrier::Client(&self.shared), exchange)
    }
}

impl Commands for Client {}

impl<'a> Asynchronous for &'a Client {
    type Pending<C: Command> = Pending<'a, Single<C>>;

    fn execute<C: Command>(self, command: C) -> Self::Pending<C> {
        self.pending(Single(command))
    }
}

impl<'a> AsynchronousExchange for &'a Client {
    type PendingExchange<E: Exchange> = Pending<'a, E>;

    fn exchange<E: Exchange>(self, exchange: E) -> Self::PendingExchange<E> {
        self.pending(exchange)
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

    /// The shared connection, if there is one.
    pub(super) fn current(&self) -> Option<Arc<Connection>> {
        match &*lock(&self.link) {
            Link::Connected(connection) if connection.is_open() => Some(Arc::clone(connection)),
            _ => None,
        }
    }

    /// The shared connection, when there is one.
    pub(super) async fn connected(self: &Arc<Self>) -> Result<Arc<Connection>> {
        let mut attempt = match self.join()? {
            Ok(connection) => return Ok(connection),
            Err(attempt) => attempt,
        };
        let outcome = attempt.wait_for(Option::is_some).await;
        match outcome.ok().and_then(|outcome| outcome.clone()) {
            Some(outcome) => outcome,
            None => Err(stopped()),
        }
    }

    /// The shared connection, or the one attempt to make it, which is begun if nobody has.
    fn join(self: &Arc<Self>) -> Result<Result<Arc<Connection>, watch::Receiver<Option<Attempt>>>> {
        let mut link = lock(&self.link);
        match &*link {
            Link::Connected(connection) if connection.is_open() => {
                return Ok(Ok(Arc::clone(connection)));
            }
            // An attempt ends without an outcome only with its runtime.
            Link::Connecting(attempt) if attempt.has_changed().is_ok() => {
                return Ok(Err(attempt.clone()));
            }
            _ => {}
        }
        let (outcome, attempt) = watch::channel(None);
        let config = Arc::clone(&self.config);
        let client = Arc::downgrade(self);
        runtime()?.spawn(async move {
            let dialled = dial(&config, &config.address).await;
            let connected =
                dialled.map(|dialled| Arc::new(Connection::start(dialled, &config, false)));
            Self::settle(&client, &connected);
            // Nobody may be left who wants to know.
            let _ = outcome.send(Some(connected));
        });
        *link = Link::Connecting(attempt.clone());
        Ok(Err(attempt))
    }

    /// Remembers the connection that an attempt has made; after a failure the next call tries anew.
    fn settle(client: &Weak<Self>, connected: &Attempt) {
        let Some(client) = client.upgrade() else {
            return;
        };
        *lock(&client.link) = match connected {
            Ok(connection) => Link::Connected(Arc::clone(connection)),
            Err(_) => Link::None,
        };
    }

    /// A connection that nobody else uses, when there is one.
    pub(super) async fn lend(&self) -> Result<Lent> {
        Arc::clone(&self.lender).lend().await
    }
}

pub(super) fn runtime() -> Result<Handle> {
    Handle::try_current().map_err(|_| {
        Error::new(
            ErrorKind::Connect,
            "connecting takes a tokio runtime, and none is running here",
        )
    })
}

pub(super) fn stopped() -> Error {
    Error::new(
        ErrorKind::Connect,
        "the attempt was stopped, as happens when the runtime is shut down",
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
