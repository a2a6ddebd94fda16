//! What a command is: a value that knows its facts, writes itself and reads its reply.
//!
//! The generated structs of [`commands`](crate::commands), the few hand-written ones and [`Raw`]
//! implement [`Command`]. Clients, pipelines and transactions consume that one trait, so nothing is
//! written twice for them. No IO happens here.

mod argument;
mod batch;
mod client;
mod decoded;
mod erased;
mod exchange;
mod info;
mod keys;
mod list;
mod needs;
mod raw;
mod worded;

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, Instant},
};

use bytes::BytesMut;

pub use argument::{
    Arg, ArgKind, Double, Integer, Maybe, Milliseconds, Seconds, UnixMilliseconds, UnixSeconds,
};
pub use batch::{Batch, Iterated, Pipeline, Transaction, Tuple};
pub use client::{
    AsyncClient, Asynchronous, BlockingClient, Commands, DedicatedCommands, Detached, IsDetached,
    Synchronous, Via,
};
pub use decoded::Decoded;
pub use erased::Erased;
pub use info::{
    BeginSearch, Blocking, Caching, ConnectionUse, Deprecated, FindKeys, Flags, Info, Join,
    KeyAccess, KeySpec, Provider, Replies, RequestPolicy, ResponsePolicy, Retry, Routing, SafeWith,
    Unit, WordPlace,
};
pub use keys::Key;
pub use list::{DoubleArg, IntegerArg, IntoList, Item, List, Many, One};
pub use needs::{Need, Needs, ServerVersion};
pub use raw::{Raw, raw};
pub use worded::Worded;

#[cfg(test)]
pub(crate) use batch::{Atomic, EachError, Pipelined};
pub(crate) use batch::{CHUNK, Sequence};
pub(crate) use erased::Untyped;
pub(crate) use exchange::{Awaited, Exchange, Place, Single, View, Written};
pub(crate) use raw::Bare;

use crate::{
    error::{Error, Result},
    reply::{DecodeError, FromReply},
    resp::{Reply, Writer},
};

/// One command with its arguments, ready to be sent any number of times.
///
/// Generated commands implement it; so can a user's own type.
///
/// # Futures
///
/// A command that is bound to an async client can be awaited, but is no future by itself: it becomes
/// one by `into_future()`, which is what a list of futures takes. `join!` and `timeout` of tokio do
/// that themselves. What a task shall run has to own its client:
///
/// ```
/// # async fn example(client: respec::Client) -> respec::Result<()> {
/// use respec::prelude::*;
///
/// let both = [client.incr("hits").into_future(), client.incr("visits").into_future()];
/// for hits in both {
///     println!("{}", hits.await?);
/// }
///
/// let own = client.clone();
/// let task = tokio::spawn(async move { own.incr("hits").await });
/// # let _ = task;
/// # Ok(())
/// # }
/// ```
#[must_use = "a command does nothing until it is awaited, sent, or put into a pipeline"]
pub trait Command: Sized + Send {
    /// Where the command will be sent: [`Detached`] or a reference to a client.
    type Via: Via;
    /// The type of the reply, which follows from the options given.
    type Reply;

    /// The client that will carry the command, if any.
    fn via(&self) -> Self::Via;

    /// What is known about the command.
    fn info(&self) -> &'static Info;

    /// The name that errors carry: the one of the facts, or of what the spec does not know the word
    /// that stands in its place.
    fn name(&self) -> Cow<'_, str> {
        self.info().name.into()
    }

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

    /// What to send instead once the server has answered with `error`; nothing for most commands.
    ///
    /// A call of a script by its digest answers so where the server does not know the script. The
    /// reply is then read as that of this command, whatever it is.
    ///
    /// It is asked once, and only where the error says that nothing was executed. It is not asked
    /// for commands in pipelines and transactions, since those behind it may have run by then; nor
    /// for those that a cluster sends to several nodes.
    fn instead(&self, error: &Error) -> Option<Erased<'_>> {
        let _ = error;
        None
    }

    /// The names that the command asks for, in the order in which their values are answered;
    /// empty where the reply is no list of values by name.
    fn names(&self) -> &[Arg<'_>] {
        &[]
    }

    /// The same command, its reply read into a type of the caller's choice.
    fn decode<T: FromReply>(self) -> Decoded<Self, T> {
        Decoded::new(self)
    }

    /// The same command with another word at its end, for what a server knows and the spec does not.
    ///
    /// The command stays what it is for everything else: its reply type, and where it goes. See
    /// [`Worded`].
    fn word<'a>(self, word: impl Into<Arg<'a>>) -> Worded<'a, Self> {
        Worded::new(self).word(word)
    }

    /// The same command with another word behind one of its parts, such as an option in front of
    /// data.
    ///
    /// A part has the name of its parameter or setter. See [`Worded`].
    fn word_behind<'a>(self, part: &'static str, word: impl Into<Arg<'a>>) -> Worded<'a, Self> {
        Worded::new(self).word_behind(part, word)
    }

    /// The same command as one of the type that all commands can have.
    ///
    /// A list of such commands is a pipeline of whatever was chosen at run time.
    fn erase<'a>(self) -> Erased<'a>
    where
        Self: Command<Via: IsDetached> + Sync + 'a,
    {
        Erased::new(self)
    }

    /// Sends the command and waits for its reply, on a client of [`blocking`](crate::blocking).
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind) but those of configuration.
    fn send(self) -> Result<Self::Reply>
    where
        Self::Via: Synchronous<Self>,
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

    /// How long this and another reply may be held back, one after the other.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Forever, _) | (_, Self::Forever) => Self::Forever,
            (Self::Up(one), Self::Up(other)) => Self::Up(one.saturating_add(other)),
            (Self::None, other) | (other, Self::None) => other,
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

    /// Until when an answer may take that would otherwise have to come by then.
    pub(crate) fn extend(self, deadline: Option<Instant>) -> Option<Instant> {
        match self {
            Self::None => deadline,
            Self::Up(wait) => deadline.and_then(|end| end.checked_add(wait)),
            Self::Forever => None,
        }
    }
}

/// A slot of a command's type-state that is still open.
#[derive(Clone, Copy, Debug)]
pub struct Open;

/// A slot of a command's type-state that an option has filled.
///
/// `ALTERNATIVE` is not 0 where the alternative chosen decides the type of the reply.
#[derive(Clone, Copy, Debug)]
pub struct Given<const ALTERNATIVE: u8 = 0>;

/// Says of a slot that its option, or one of its alternatives, was not given yet: it is [`Open`].
#[diagnostic::on_unimplemented(
    message = "this option, or an alternative to it, was given already",
    label = "can be given once, and only one of its alternatives",
    note = "where the choice is made at run time, the setter that is named after all alternatives takes an enum or `None`, such as `.condition(SetCondition::Nx)` in place of `.nx()`"
)]
pub trait NotGiven {}

impl NotGiven for Open {}

/// A command by reference is a command, so that one value can be sent many times.
impl<C: Command + Sync> Command for &C {
    type Via = C::Via;
    type Reply = C::Reply;

    fn via(&self) -> C::Via {
        (*self).via()
    }

    fn info(&self) -> &'static Info {
        (*self).info()
    }

    fn name(&self) -> Cow<'_, str> {
        (*self).name()
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

    fn instead(&self, error: &Error) -> Option<Erased<'_>> {
        (*self).instead(error)
    }

    fn names(&self) -> &[Arg<'_>] {
        (*self).names()
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
        Ok(()) => write!(f, "{} ({words} words)", command.name()),
        Err(error) => write!(f, "{} ({error})", command.name()),
    }
}

/// Turns one frame into the reply of `command`.
pub(crate) fn finish<C: Command>(command: &C, reply: Reply<'_>) -> Result<C::Reply> {
    if let Some(text) = reply.as_error() {
        return Err(named(command, Error::server(text)));
    }
    command
        .read(reply)
        .map_err(|error| named(command, error.into()))
}

/// An error with the name of its command.
fn named(command: &(impl Untyped + ?Sized), error: Error) -> Error {
    error.with_command(command.name().into_owned())
}
