//! What a command is: a value that knows its facts, writes itself and reads its reply.
//!
//! The generated structs of [`commands`](crate::commands), the few hand-written ones and [`Raw`]
//! implement [`Command`]. Clients, pipelines and transactions consume that one trait, so nothing is
//! written twice for them. No IO happens here.

mod argument;
mod batch;
mod exchange;
mod info;
mod keys;
mod list;
mod needs;
mod raw;

use std::{fmt, marker::PhantomData, time::Duration};

use bytes::BytesMut;

pub(crate) use batch::CHUNK;

pub use argument::{Arg, Double, Integer, Milliseconds, Seconds, UnixMilliseconds, UnixSeconds};
pub use batch::{
    Atomic, Batch, EachError, FirstError, Form, Iterated, Pipeline, Pipelined, Sequence,
    Transaction, Tuple, Visitor,
};
pub use exchange::{
    AsynchronousExchange, Awaited, Exchange, Place, Single, SynchronousExchange, View, Written,
};
pub use info::{
    BeginSearch, Blocking, ConnectionUse, Deprecated, FindKeys, Flags, Info, Join, KeyAccess,
    KeySpec, Provider, Replies, RequestPolicy, ResponsePolicy, Retry, Routing, Unit,
};
pub use keys::Key;
pub use list::{DoubleArg, IntegerArg, IntoList, Item, List, Many, One};
pub use needs::{Need, Needs, ServerVersion};
pub(crate) use raw::Bare;
pub use raw::{Raw, raw};

use crate::{
    error::{Error, Result},
    reply::{DecodeError, FromReply},
    resp::{Reply, Writer},
};

/// One command with its arguments, ready to be sent any number of times.
///
/// Generated commands implement it; so can a user's own type.
#[must_use = "a command does nothing until it is awaited, sent, or put into a pipeline"]
pub trait Command: Sized {
    /// Where the command will be sent: [`Detached`] or a reference to a client.
    type Via: Via;
    /// The type of the reply, which follows from the options given.
    type Reply;

    /// The client that will carry the command, if any.
    fn via(&self) -> Self::Via;

    /// What is known about the command.
    fn info(&self) -> &'static Info;

    /// Writes the name and the arguments in the spec's order.
    fn write(&self, to: &mut Writer<'_>);

    /// Reads the reply, which is not an error.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] where the reply is not of a form that the spec knows.
    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError>;

    /// How long the server may hold the reply back.
    fn patience(&self) -> Patience {
        Patience::None
    }

    /// What the call, with the options given, needs of a server.
    fn needs(&self) -> Needs {
        Needs::of(self.info())
    }

    /// The same command, its reply read into a type of the caller's choice.
    fn decode<T: FromReply>(self) -> Decoded<Self, T> {
        Decoded {
            command: self,
            reply: PhantomData,
        }
    }

    /// Sends the command and waits for its reply, on a client of [`blocking`](crate::blocking).
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind) but those of configuration.
    fn send(self) -> Result<Self::Reply>
    where
        Self::Via: Synchronous,
    {
        self.via().execute(self)
    }
}

/// How long the server may hold a reply back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It answers as soon as it can.
    None,
    /// It may wait this long for something to happen.
    Up(Duration),
    /// It may wait for ever.
    Forever,
}

impl Patience {
    /// What a time-out argument asks for: nothing, zero or no number at all mean for ever.
    #[must_use]
    pub fn until(timeout: Option<Duration>) -> Self {
        match timeout {
            Some(timeout) if !timeout.is_zero() => Self::Up(timeout),
            _ => Self::Forever,
        }
    }

    /// How long to wait for the reply, if an ordinary one may take `response_timeout`.
    pub(crate) fn within(self, response_timeout: Option<Duration>) -> Option<Duration> {
        match self {
            Self::None => response_timeout,
            Self::Up(wait) => response_timeout.map(|timeout| timeout.saturating_add(wait)),
            Self::Forever => None,
        }
    }
}

/// Where a command will be sent: [`Detached`], or a reference to a client.
pub trait Via: Copy {}

impl<T: ?Sized> Via for &T {}

/// Not bound to a client: what the functions of [`cmd`](crate::cmd) return.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detached;

impl Via for Detached {}

#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer with a future",
    label = "a blocking client has `send()` instead of `.await`",
    note = "a command that belongs to no client is awaited by `client.send(command).await`"
)]
/// A client that answers with a future; makes commands bound to it `.await`able.
pub trait Asynchronous: Via {
    /// The future of a reply.
    type Pending<C: Command>: Future<Output = Result<C::Reply>>;

    /// Sends the command once the future is polled.
    fn execute<C: Command>(self, command: C) -> Self::Pending<C>;
}

#[diagnostic::on_unimplemented(
    message = "`{Self}` does not wait for replies",
    label = "an async client has `.await` instead of `send()`",
    note = "a command that belongs to no client is sent by `client.send(command)`"
)]
/// A client that waits for the reply; gives commands bound to it their `send`.
pub trait Synchronous: Via {
    /// Sends the command and waits for its reply.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind) but those of configuration.
    fn execute<C: Command>(self, command: C) -> Result<C::Reply>;
}

/// Carries the commands that are safe where a connection may be shared.
///
/// Every client implements it and so has the methods of all the group traits.
pub trait Commands {}

#[diagnostic::on_unimplemented(
    message = "`{Self}` is shared, and this command belongs to one connection",
    label = "take a connection of your own with `dedicated()`"
)]
/// A connection that one caller owns, which may also carry what changes the connection's state.
pub trait DedicatedCommands: Commands {}

/// A slot of a command's type-state that is still open.
#[derive(Clone, Copy, Debug)]
pub struct Open;

/// A slot of a command's type-state that an option has filled.
///
/// `ALTERNATIVE` is not 0 where the alternative chosen decides the type of the reply.
#[derive(Clone, Copy, Debug)]
pub struct Given<const ALTERNATIVE: u8 = 0>;

/// A command whose reply is read into `T`; made by [`Command::decode`].
#[must_use = "a command does nothing until it is awaited, sent, or put into a pipeline"]
pub struct Decoded<C, T> {
    command: C,
    reply: PhantomData<fn() -> T>,
}

impl<C: Command, T: FromReply> Command for Decoded<C, T> {
    type Via = C::Via;
    type Reply = T;

    fn via(&self) -> C::Via {
        self.command.via()
    }

    fn info(&self) -> &'static Info {
        self.command.info()
    }

    fn write(&self, to: &mut Writer<'_>) {
        self.command.write(to);
    }

    fn read(&self, reply: Reply<'_>) -> Result<T, DecodeError> {
        T::from_reply(reply)
    }

    fn patience(&self) -> Patience {
        self.command.patience()
    }

    fn needs(&self) -> Needs {
        self.command.needs()
    }
}

impl<C: Command, T: FromReply> IntoFuture for Decoded<C, T>
where
    C::Via: Asynchronous,
{
    type Output = Result<T>;
    type IntoFuture = <C::Via as Asynchronous>::Pending<Self>;

    fn into_future(self) -> Self::IntoFuture {
        self.via().execute(self)
    }
}

/// A command by reference is a command, so that one value can be sent many times.
impl<C: Command> Command for &C {
    type Via = C::Via;
    type Reply = C::Reply;

    fn via(&self) -> C::Via {
        (*self).via()
    }

    fn info(&self) -> &'static Info {
        (*self).info()
    }

    fn write(&self, to: &mut Writer<'_>) {
        (*self).write(to);
    }

    fn read(&self, reply: Reply<'_>) -> Result<C::Reply, DecodeError> {
        (*self).read(reply)
    }

    fn patience(&self) -> Patience {
        (*self).patience()
    }

    fn needs(&self) -> Needs {
        (*self).needs()
    }
}

/// Writes a command's name and its count of words, and none of its arguments.
///
/// The `Debug` of every command, since arguments may be secrets.
///
/// # Errors
///
/// Those of the formatter.
pub fn debug(command: &impl Command, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut words = 0;
    let mut scratch = BytesMut::new();
    let written = Writer::command(&mut scratch, |to| {
        command.write(to);
        words = to.words();
    });
    match written {
        Ok(()) => write!(f, "{} ({words} words)", command.info().name),
        Err(error) => write!(f, "{} ({error})", command.info().name),
    }
}

/// Turns one frame into the reply of `command`.
pub(crate) fn finish<C: Command>(command: &C, reply: Reply<'_>) -> Result<C::Reply> {
    if let Some(text) = reply.as_error() {
        return Err(Error::server(text).with_command(command.info().name));
    }
    command
        .read(reply)
        .map_err(|error| Error::from(error).with_command(command.info().name))
}
