//! Commands without the type of their reply.

use std::{borrow::Cow, fmt, sync::Arc};

use super::{Arg, Command, Detached, Info, IsDetached, Needs, Patience};
use crate::{
    error::{Error, Result},
    reply::{Decode, DecodeError, Value},
    resp::{Reply, Writer},
};

/// What a command tells without the type of its reply; every command does.
pub trait Untyped {
    /// As [`Command::info`].
    fn info(&self) -> &'static Info;

    /// As [`Command::name`].
    fn name(&self) -> Cow<'_, str>;

    /// As [`Command::write`].
    fn write(&self, to: &mut Writer<'_>);

    /// As [`Command::patience`].
    fn patience(&self) -> Patience;

    /// As [`Command::needs`].
    fn needs(&self) -> Needs;

    /// As [`Command::instead`].
    fn instead(&self, error: &Error) -> Option<Erased<'_>>;

    /// As [`Command::names`].
    fn names(&self) -> &[Arg<'_>];
}

impl<C: Command> Untyped for C {
    fn info(&self) -> &'static Info {
        Command::info(self)
    }

    fn name(&self) -> Cow<'_, str> {
        Command::name(self)
    }

    #[inline]
    fn write(&self, to: &mut Writer<'_>) {
        Command::write(self, to);
    }

    fn patience(&self) -> Patience {
        Command::patience(self)
    }

    fn needs(&self) -> Needs {
        Command::needs(self)
    }

    fn instead(&self, error: &Error) -> Option<Erased<'_>> {
        Command::instead(self, error)
    }

    fn names(&self) -> &[Arg<'_>] {
        Command::names(self)
    }
}

/// A command of one type whatever it was; made by [`Command::erase`].
///
/// Its reply is a [`Value`], and [`decode`](Command::decode) reads it into another type. All that
/// is known of the command still holds: where its keys are, what it may do to a connection, how
/// long the server may take. It costs one allocation, and is cheap to clone.
///
/// ```
/// # fn example(client: respec::blocking::Client, fields: &[&str]) -> respec::Result<()> {
/// use respec::{Value, cmd, command::Erased, prelude::*};
///
/// let mut commands = vec![cmd::incr("hits").erase()];
/// commands.extend(fields.iter().map(|field| cmd::hget("user", field).erase()));
/// let replies: Vec<Value> = client.pipeline(commands).send()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a command does nothing until it is sent or put into a pipeline"]
pub struct Erased<'a>(Arc<dyn Untyped + Send + Sync + 'a>);

impl<'a> Erased<'a> {
    pub(super) fn new<C>(command: C) -> Self
    where
        C: Command<Via: IsDetached> + Sync + 'a,
    {
        Self(Arc::new(command))
    }
}

impl Command for Erased<'_> {
    type Via = Detached;
    type Reply = Value;

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        self.0.info()
    }

    fn name(&self) -> Cow<'_, str> {
        self.0.name()
    }

    fn write(&self, to: &mut Writer<'_>) {
        self.0.write(to);
    }

    fn read(&self, reply: Reply<'_>) -> Result<Value, DecodeError> {
        Value::decode(reply)
    }

    fn patience(&self) -> Patience {
        self.0.patience()
    }

    fn needs(&self) -> Needs {
        self.0.needs()
    }

    fn instead(&self, error: &Error) -> Option<Erased<'_>> {
        self.0.instead(error)
    }

    fn names(&self) -> &[Arg<'_>] {
        self.0.names()
    }
}

impl fmt::Debug for Erased<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::debug(self, f)
    }
}
