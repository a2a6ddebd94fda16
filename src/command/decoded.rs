//! A command whose reply is read into a type of the caller's choice.

use std::{fmt, marker::PhantomData};

use super::{Arg, Asynchronous, Command, Erased, Info, Needs, Patience};
use crate::{
    error::{Error, Result},
    reply::{DecodeError, FromReply},
    resp::{Reply, Writer},
};

/// A command whose reply is read into `T`; made by [`Command::decode`].
#[must_use = "a command does nothing until it is awaited, sent, or put into a pipeline"]
pub struct Decoded<C, T> {
    command: C,
    reply: PhantomData<fn() -> T>,
}

impl<C, T> Decoded<C, T> {
    pub(super) fn new(command: C) -> Self {
        Self {
            command,
            reply: PhantomData,
        }
    }
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

    fn instead(&self, error: &Error) -> Option<Erased<'_>> {
        self.command.instead(error)
    }

    fn names(&self) -> &[Arg<'_>] {
        self.command.names()
    }
}

impl<C: Command, T: FromReply> IntoFuture for Decoded<C, T>
where
    C::Via: Asynchronous<Self>,
{
    type Output = Result<T>;
    type IntoFuture = <C::Via as Asynchronous<Self>>::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via().execute(self)
    }
}

impl<C: Clone, T> Clone for Decoded<C, T> {
    fn clone(&self) -> Self {
        Self::new(self.command.clone())
    }
}

impl<C: Command, T: FromReply> fmt::Debug for Decoded<C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::debug(self, f)
    }
}
