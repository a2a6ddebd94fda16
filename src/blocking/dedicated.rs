//! A connection of one caller.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::{Duration, Instant},
};

use super::server::{PooledConnection, Server};
use crate::{
    call::{CallOptions, CallRecord, CallTime, Instead, SingleTry, explained},
    cluster::Scope,
    command::{
        Batch, BlockingClient, Command, Commands, DedicatedCommands, Exchange, IsDetached,
        Pipeline, Place, Sequence, Single, Transaction,
    },
    error::{Error, ErrorKind, Result},
    mutant::{self, Mutant},
    observe::WatchedCall,
    reply::Push,
    resp::Frames,
};

/// A connection that nobody else uses; made by [`Client::dedicated`](super::Client::dedicated).
///
/// It carries what a [`Client`](super::Client) refuses: `WATCH`, `SELECT`, `SUBSCRIBE`, `MONITOR` and
/// whatever else changes the state of a connection. It does not connect again, since that state
/// would be gone.
///
/// When it is dropped, the connection goes back to the pool if it is certain that it is as it was
/// before: every reply has come, and every command that was sent is known not to change it.
/// Otherwise it is closed.
///
/// `CLIENT REPLY` is refused, since every call waits for its reply.
///
/// A command of the subscribe family answers when all its channels are confirmed, with the last
/// confirmation. Messages come from [`next_push`](Self::next_push).
///
/// It may be lent to other threads, but carries one call at a time: another one meanwhile is
/// refused, and does not wait.
pub struct Dedicated {
    /// Where it leads to.
    server: Arc<Server>,
    /// Locked for the length of one call.
    state: Mutex<State>,
}

struct State {
    lent: PooledConnection,
    options: Option<Arc<CallOptions>>,
    /// A command was sent that may have changed the connection.
    used: bool,
}

impl Dedicated {
    pub(super) fn new(lent: PooledConnection, options: Option<Arc<CallOptions>>) -> Self {
        Self {
            server: Arc::clone(lent.server()),
            state: Mutex::new(State {
                lent,
                options,
                used: false,
            }),
        }
    }

    /// Sends a command that is not bound to a client, and waits for its reply.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`] but those of making a connection.
    pub fn send<C>(&self, command: C) -> Result<C::Reply>
    where
        C: Command<Via: IsDetached>,
    {
        self.exchange(Single(command))
    }

    /// Prepares several commands to be sent in one piece, whose replies come together.
    pub fn pipeline<M, B>(&self, batch: B) -> Pipeline<&Self, B::Sequence>
    where
        B: Batch<M, Sequence: Sequence>,
    {
        Pipeline::new(self, batch)
    }

    /// Prepares several commands to be run as one, between `MULTI` and `EXEC`.
    ///
    /// If a key that was watched on this connection has changed, nothing runs and the error is
    /// [`ErrorKind::Aborted`].
    pub fn transaction<M, B>(&self, batch: B) -> Transaction<&Self, B::Sequence>
    where
        B: Batch<M, Sequence: Sequence>,
    {
        Transaction::new(self, batch)
    }

    /// Waits for the next message that no command asked for: of a channel, about a tracked key, or
    /// a line of `MONITOR`.
    ///
    /// Without a time-out it waits for ever; `None` says that the time-out has come. Messages that
    /// come while a command waits for its reply are kept, up to
    /// [`max_unread`](crate::Config::max_unread) bytes; beyond that the connection is closed.
    ///
    /// # Errors
    ///
    /// The connection has ended and all messages were read.
    pub fn next_push(&self, timeout: impl Into<Option<Duration>>) -> Result<Option<Push>> {
        let end = timeout
            .into()
            .and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.state()?;
        let frame = state.lent.connection()?.next_push(end)?;
        Ok(frame.map(Push::new))
    }

    fn call<E: Exchange>(&self, exchange: &E) -> Result<E::Output> {
        let watched = WatchedCall::begin(exchange, self.server.calls(), self.server.config());
        let record = watched.as_ref().map(|watched| &**watched.record());
        let result = {
            let _entered = watched.as_ref().map(|watched| watched.enter());
            self.call_recorded(exchange, record)
        };
        match watched {
            None => result,
            Some(watched) => watched.end(result),
        }
    }

    fn call_recorded<E: Exchange>(
        &self,
        exchange: &E,
        record: Option<&CallRecord>,
    ) -> Result<E::Output> {
        exchange.check(Place::Dedicated)?;
        // An empty transaction tells whether a watched key has changed, and ends the watch.
        if exchange.is_empty() && !exchange.is_atomic() {
            return exchange.finish(&Frames::new());
        }
        let mut state = self.state()?;
        if let Some(record) = record {
            record.sent_to(Arc::clone(self.server.address()));
        }
        let mut frames = state.call(exchange, !exchange.leaves_no_trace())?;
        if let Some(instead) = Instead::of(exchange, &frames, Place::Dedicated)? {
            let other = instead.encoded.chosen(instead.patience);
            frames = state.call(&other, !instead.leaves_no_trace)?;
        }
        drop(state);
        exchange.finish(&frames)
    }

    /// What the server is that it leads to.
    fn scope(&self) -> Scope {
        // While it is busy there is no answer of a server.
        self.state().map_or(Scope::Cluster, |state| {
            Scope::of(state.lent.server().config())
        })
    }

    /// The connection for one call; nobody waits for it, since a call that begins another one while
    /// its command is written would wait for itself.
    fn state(&self) -> Result<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Ok(state),
            // A panic while it was locked came from a command, and the connection knows what is owed.
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Error::new(
                ErrorKind::Refused,
                "expected one call at a time on this connection, got another one meanwhile",
            )),
        }
    }
}

impl State {
    /// Sends an exchange, which may leave a trace or does not.
    fn call<E: Exchange>(&mut self, exchange: &E, leaves_trace: bool) -> Result<Frames> {
        let Self {
            lent,
            options,
            used,
        } = self;
        let server = Arc::clone(lent.server());
        let _under_way = server.calls().begin()?;
        *used |= leaves_trace;
        let now = Instant::now();
        let options = CallOptions::given(options);
        let limit = CallTime::of(lent.server().config(), options, now).chunk_limit();
        let only = SingleTry::begin(exchange.name(), now);
        let connection = lent.connection()?;
        let result = connection.call(exchange, now, limit, Place::Dedicated);
        result.inspect_err(|error| only.failed(error, lent.server().events(), Instant::now()))
    }
}

impl Drop for Dedicated {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let State { lent, used, .. } = state;
        if *used && !mutant::is(Mutant::DirtyReturned) {
            lent.close();
        }
    }
}

impl Commands for Dedicated {}

impl DedicatedCommands for Dedicated {}

impl BlockingClient for Dedicated {
    fn exchange<E: Exchange>(&self, exchange: E) -> Result<E::Output> {
        self.call(&exchange)
            .map_err(|error| explained(exchange.named(error), self.scope()))
    }
}

impl fmt::Debug for Dedicated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Dedicated");
        if let Ok(state) = self.state() {
            debug.field("address", state.lent.server().address());
        }
        debug.finish_non_exhaustive()
    }
}
