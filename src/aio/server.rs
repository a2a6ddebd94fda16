//! One server as all clones of a client see it.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::watch, time};

use super::{
    connection::Connection,
    dial::dial,
    pool::{Lender, Lent},
};
use crate::{
    back_off,
    call::DirectCall,
    cluster::{Chance, ClusterState, NodeId, Scope},
    config::{Address, Config},
    error::{Error, ErrorKind, Result},
    pool::PoolStats,
    protocol::Settings,
};

/// A server with the connection that all share, and those that are lent.
pub(super) struct Server {
    config: Arc<Config>,
    /// Where it is reached, which of a node the config does not say.
    address: Address,
    link: Mutex<Link>,
    /// The connections for blocking commands and for dedicated use.
    lender: Arc<Lender>,
    /// Where attempts keep their distance, since callers try again by themselves.
    pace: Arc<Chance>,
    /// What is known of it, a topology of one.
    state: Mutex<ClusterState>,
    /// Its name there.
    id: NodeId,
    scope: Scope,
}

/// The shared connection.
enum Link {
    None,
    /// An attempt is under way, and its outcome will be shown.
    Connecting(watch::Receiver<Option<Attempt>>),
    Connected(Arc<Connection>),
    /// So many attempts have failed in a row, and nobody begins another before that time.
    Failed {
        attempts: u32,
        error: Error,
        until: Instant,
    },
}

type Attempt = Result<Arc<Connection>>;

impl Server {
    /// The one server of a client.
    pub(super) fn new(config: Arc<Config>) -> Self {
        let address = config.address.clone();
        let chance = Arc::new(Chance::new(RandomState::new().hash_one(())));
        Self::at(config, address, chance, Scope::Server)
    }

    /// A node of a cluster.
    pub(super) fn node(config: Arc<Config>, address: Address, pace: Arc<Chance>) -> Self {
        Self::at(config, address, pace, Scope::Node)
    }

    fn at(config: Arc<Config>, address: Address, pace: Arc<Chance>, scope: Scope) -> Self {
        let (state, id) = ClusterState::one(&address, scope, now());
        Self {
            state: Mutex::new(state),
            id,
            scope,
            lender: Arc::new(Lender::new(Arc::clone(&config), address.clone())),
            config,
            address,
            link: Mutex::new(Link::None),
            pace,
        }
    }

    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
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
        let mut failed = 0;
        match &*link {
            Link::Connected(connection) if connection.is_open() => {
                return Ok(Ok(Arc::clone(connection)));
            }
            // An attempt ends without an outcome only with its runtime.
            Link::Connecting(attempt) if attempt.has_changed().is_ok() => {
                return Ok(Err(attempt.clone()));
            }
            Link::Failed {
                attempts,
                error,
                until,
            } => {
                if now() < *until {
                    return Err(error.clone());
                }
                failed = *attempts;
            }
            _ => {}
        }
        let (outcome, attempt) = watch::channel(None);
        let config = Arc::clone(&self.config);
        let address = self.address.clone();
        let server = Arc::downgrade(self);
        runtime()?.spawn(async move {
            let dialled = dial(&config, &address).await;
            let settings = Settings::shared(&config, &address);
            let connected = dialled.map(|dialled| Arc::new(Connection::start(dialled, settings)));
            Self::settle(&server, &connected, failed);
            // Nobody may be left who wants to know.
            let _ = outcome.send(Some(connected));
        });
        *link = Link::Connecting(attempt.clone());
        Ok(Err(attempt))
    }

    /// Remembers what an attempt has made, or when the next one may be.
    fn settle(server: &Weak<Self>, connected: &Attempt, failed: u32) {
        let Some(server) = server.upgrade() else {
            return;
        };
        let link = match connected {
            Ok(connection) => Link::Connected(Arc::clone(connection)),
            Err(error) => Link::Failed {
                attempts: failed.saturating_add(1),
                error: error.clone(),
                until: now() + back_off::wait(failed, Duration::MAX, server.pace.next()),
            },
        };
        *lock(&server.link) = link;
    }

    /// Lets the next one who wants a connection make another, and returns the one that there was.
    pub(super) fn disconnect(&self) -> Option<Arc<Connection>> {
        let mut link = lock(&self.link);
        match std::mem::replace(&mut *link, Link::None) {
            Link::Connected(connection) => Some(connection),
            other => {
                *link = other;
                None
            }
        }
    }

    /// The way of a call to it.
    pub(super) fn direct(&self) -> (DirectCall, NodeId) {
        (DirectCall::to_only(self.scope), self.id)
    }

    /// Lets what is known of it decide, and does at once what that wants done.
    pub(super) fn decide<T>(&self, ask: impl FnOnce(&mut ClusterState, Instant, u64) -> T) -> T {
        let mut state = lock(&self.state);
        let answer = ask(&mut state, now(), self.pace.next());
        let leaves = state.takes_leave();
        drop(state);
        if leaves {
            drop(self.disconnect());
        }
        answer
    }

    /// Makes the connections to be lent that are kept however long they are idle.
    pub(super) async fn fill(&self) -> Result<()> {
        self.lender.fill().await
    }

    /// What the pool of connections to be lent is doing.
    pub(super) fn pool_stats(&self) -> PoolStats {
        self.lender.stats()
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

fn now() -> Instant {
    time::Instant::now().into_std()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
