//! A connection of one caller.

use std::{
    fmt,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    connection::Connection,
    pending::{Pending, Via},
    pool::PooledConnection,
};
use crate::{
    address::Address,
    call::CallOptions,
    cluster::Calls,
    command::{
        AsyncClient, Batch, Command, Commands, DedicatedCommands, Exchange, IsDetached, Pipeline,
        Sequence, Single, Transaction,
    },
    config::Config,
    error::Result,
    events::Events,
    mutant::{self, Mutant},
    reply::Push,
};

/// A connection that nobody else uses; made by [`Client::dedicated`](super::Client::dedicated).
///
/// ```no_run
/// # async fn example(client: respec::Client) -> respec::Result<()> {
/// use respec::cmd;
///
/// let dedicated = client.dedicated().await?;
/// dedicated.send(cmd::raw("WATCH").key("balance")).await?;
/// let balance = dedicated.send(cmd::raw("GET").key("balance")).await?;
/// // Fails with `ErrorKind::Aborted` if somebody else has changed the balance meanwhile.
/// let replies = dedicated
///     .transaction([cmd::raw("DECRBY").key("balance").arg(5)])
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// It carries what a shared connection refuses: `WATCH`, `SELECT`, `SUBSCRIBE`, `MONITOR` and
/// whatever else changes the state of a connection. It does not connect again, since that state
/// would be gone.
///
/// When it is dropped, the connection goes back to the client if it is certain that it is as it was
/// before: every reply has come, and every command that was sent is known not to change it.
/// Otherwise it is closed.
///
/// `CLIENT REPLY` is refused, since every call waits for its reply.
///
/// A command of the subscribe family answers when all its channels are confirmed, with the last
/// confirmation. Messages come from [`next_push`](Self::next_push).
pub struct Dedicated {
    config: Arc<Config>,
    options: Option<Arc<CallOptions>>,
    lent: PooledConnection,
    /// The calls of its client.
    calls: Calls,
    /// A command was sent that may have changed the connection.
    used: AtomicBool,
}

impl Dedicated {
    pub(super) fn new(
        config: Arc<Config>,
        lent: PooledConnection,
        options: Option<Arc<CallOptions>>,
        calls: Calls,
    ) -> Self {
        Self {
            config,
            options,
            lent,
            calls,
            used: AtomicBool::new(false),
        }
    }

    /// Sends a command that is not bound to a client.
    pub fn send<C>(&self, command: C) -> Pending<'_, Single<C>>
    where
        C: Command<Via: IsDetached>,
    {
        self.pending(Single(command))
    }

    /// Sends several commands in one piece, whose replies come together.
    pub fn pipeline<M, B>(&self, batch: B) -> Pipeline<&Self, B::Sequence>
    where
        B: Batch<M, Sequence: Sequence>,
    {
        Pipeline::new(self, batch)
    }

    /// Runs several commands as one, between `MULTI` and `EXEC`.
    ///
    /// If a key that was watched on this connection has changed, nothing runs and the error is
    /// [`ErrorKind::Aborted`](crate::ErrorKind::Aborted).
    pub fn transaction<M, B>(&self, batch: B) -> Transaction<&Self, B::Sequence>
    where
        B: Batch<M, Sequence: Sequence>,
    {
        Transaction::new(self, batch)
    }

    /// Waits for the next message that no command asked for: of a channel, about a tracked key, or
    /// a line of `MONITOR`.
    ///
    /// Messages that are not read are kept, up to [`max_unread`](crate::Config::max_unread) bytes; beyond
    /// that the connection is closed.
    ///
    /// # Errors
    ///
    /// The connection has ended and all messages were read.
    pub async fn next_push(&self) -> Result<Push> {
        let connection = self.connection()?;
        let frame = poll_fn(|cx| connection.poll_push(cx)).await?;
        Ok(Push::new(frame))
    }

    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Where it leads to.
    pub(super) fn address(&self) -> &Arc<Address> {
        self.lent.address()
    }

    /// Where what happens to it is told.
    pub(super) fn events(&self) -> &Events {
        self.lent.events()
    }

    pub(super) fn connection(&self) -> Result<&Arc<Connection>> {
        self.lent.connection()
    }

    /// Remembers that the connection may not be as it was before.
    pub(super) fn mark_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    fn pending<E: Exchange>(&self, exchange: E) -> Pending<'_, E> {
        let options = CallOptions::given(&self.options);
        Pending::new(Via::Dedicated(self), exchange, options)
    }
}

impl Drop for Dedicated {
    fn drop(&mut self) {
        if *self.used.get_mut() && !mutant::is(Mutant::DirtyReturned) {
            self.lent.close();
        }
    }
}

impl Commands for Dedicated {}

impl DedicatedCommands for Dedicated {}

impl AsyncClient for Dedicated {
    type Pending<'a, E: Exchange> = Pending<'a, E>;

    fn exchange<'a, E: Exchange>(&'a self, exchange: E) -> Pending<'a, E> {
        self.pending(exchange)
    }
}

impl fmt::Debug for Dedicated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Dedicated");
        debug.field("address", &self.config.address);
        if let Ok(connection) = self.connection() {
            let greeting = connection.greeting();
            debug
                .field("server", &greeting.server)
                .field("server_version", &greeting.server_version)
                .field("protocol", &greeting.version)
                .field("id", &greeting.id);
        }
        debug.finish_non_exhaustive()
    }
}
