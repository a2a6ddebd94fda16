//! What carries commands: clients by the traits that all of them have, and none at all.

use super::{Batch, Command, Pipeline, Sequence, Single, Transaction, exchange::Exchange};
use crate::error::Result;

/// Where a command will be sent: [`Detached`], or a reference to a client.
pub trait Via: Copy + Send {}

impl<T: Sync + ?Sized> Via for &T {}

/// Not bound to a client: what the functions of [`cmd`](crate::cmd) return.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detached;

impl Via for Detached {}

/// Says of a command's [`Via`](Command::Via) that it is [`Detached`]: any client can send the command.
#[diagnostic::on_unimplemented(
    message = "this command is bound to a client (`{Self}`), which alone can send it",
    label = "takes a command that is bound to no client, as the functions of `respec::cmd` make it",
    note = "write `cmd::get(\"k\")` in place of `client.get(\"k\")`: `client.pipeline((cmd::get(\"k\"), cmd::incr(\"n\")))`"
)]
pub trait IsDetached: Via {}

impl IsDetached for Detached {}

/// Carries the commands that are safe where a connection may be shared.
///
/// Every client implements it and so has the methods of all the group traits.
pub trait Commands {}

/// A connection that one caller owns, which may also carry what changes the connection's state.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is shared, and this command belongs to one connection",
    label = "take a connection of your own with `dedicated()`"
)]
pub trait DedicatedCommands: Commands {}

/// Any client whose calls are futures: the bound of code that takes one of
/// [`aio`](crate::aio), whichever it is.
///
/// It implies the methods of all commands, and that a command of such a client can be awaited. The
/// futures are [`Send`], so that generic code can be spawned:
///
/// ```
/// use respec::prelude::*;
///
/// async fn visit(client: &impl AsyncClient, page: &str) -> respec::Result<i64> {
///     client.set("last", page).ex(60).await?;
///     client.hincrby("visits", page, 1).await
/// }
///
/// fn spawn<T: AsyncClient + Clone + 'static>(client: &T) {
///     let client = client.clone();
///     tokio::spawn(async move { visit(&client, "/").await });
/// }
/// ```
///
/// It is sealed: only clients of this crate implement it.
pub trait AsyncClient: Commands + Send + Sync {
    /// The future of what is answered.
    type Pending<'a, E: Exchange>: Future<Output = Result<E::Output>> + Send
    where
        Self: 'a;

    /// Sends what answers a call, once the future is polled.
    #[doc(hidden)]
    fn exchange<'a, E: Exchange>(&'a self, exchange: E) -> Self::Pending<'a, E>;

    /// Sends a command that is not bound to a client.
    fn send<'a, C>(&'a self, command: C) -> Self::Pending<'a, Single<C>>
    where
        C: Command<Via: IsDetached>,
    {
        self.exchange(Single(command))
    }

    /// Sends several commands in one piece, whose replies come together.
    fn pipeline<M, B>(&self, batch: B) -> Pipeline<&Self, B::Sequence>
    where
        B: Batch<M, Sequence: Sequence>,
    {
        Pipeline::new(self, batch)
    }

    /// Runs several commands as one, between `MULTI` and `EXEC`.
    fn transaction<M, B>(&self, batch: B) -> Transaction<&Self, B::Sequence>
    where
        B: Batch<M, Sequence: Sequence>,
    {
        Transaction::new(self, batch)
    }
}

/// Any client that waits for replies: the bound of code that takes one of
/// [`blocking`](crate::blocking), whichever it is.
///
/// It implies the methods of all commands, and that a command of such a client can be sent:
///
/// ```
/// use respec::prelude::*;
///
/// fn visit(client: &impl BlockingClient, page: &str) -> respec::Result<i64> {
///     client.set("last", page).ex(60).send()?;
///     client.hincrby("visits", page, 1).send()
/// }
/// ```
///
/// It is sealed: only clients of this crate implement it.
pub trait BlockingClient: Commands + Send + Sync {
    /// Sends what answers a call, and waits for its result.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind) but those of configuration.
    #[doc(hidden)]
    fn exchange<E: Exchange>(&self, exchange: E) -> Result<E::Output>;

    /// Sends a command that is not bound to a client, and waits for its reply.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    fn send<C>(&self, command: C) -> Result<C::Reply>
    where
        C: Command<Via: IsDetached>,
    {
        self.exchange(Single(command))
    }

    /// Prepares several commands to be sent in one piece, whose replies come together.
    fn pipeline<M, B>(&self, batch: B) -> Pipeline<&Self, B::Sequence>
    where
        B: Batch<M, Sequence: Sequence>,
    {
        Pipeline::new(self, batch)
    }

    /// Prepares several commands to be run as one, between `MULTI` and `EXEC`.
    fn transaction<M, B>(&self, batch: B) -> Transaction<&Self, B::Sequence>
    where
        B: Batch<M, Sequence: Sequence>,
    {
        Transaction::new(self, batch)
    }
}

/// Answers the command `C` with a future; makes a command that is bound to it `.await`able.
///
/// Every reference to an [`AsyncClient`] does so for all commands.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer `{C}` with a future",
    label = "a blocking client has `send()` instead of `.await`",
    note = "a command that belongs to no client is awaited by `client.send(command).await`"
)]
pub trait Asynchronous<C: Command>: Via {
    /// The future of the reply.
    type Pending: Future<Output = Result<C::Reply>> + Send;

    /// Sends the command once the future is polled.
    fn execute(self, command: C) -> Self::Pending;
}

impl<'a, T: AsyncClient, C: Command> Asynchronous<C> for &'a T {
    type Pending = T::Pending<'a, Single<C>>;

    fn execute(self, command: C) -> Self::Pending {
        self.exchange(Single(command))
    }
}

/// Waits for the reply to the command `C`; gives a command that is bound to it its `send`.
///
/// Every reference to a [`BlockingClient`] does so for all commands.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not wait for replies",
    label = "an async client has `.await` instead of `send()`",
    note = "a command that belongs to no client is sent by `client.send(command)`"
)]
pub trait Synchronous<C: Command>: Via {
    /// Sends the command and waits for its reply.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind) but those of configuration.
    fn execute(self, command: C) -> Result<C::Reply>;
}

impl<T: BlockingClient, C: Command> Synchronous<C> for &T {
    fn execute(self, command: C) -> Result<C::Reply> {
        self.exchange(Single(command))
    }
}
