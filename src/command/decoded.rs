//! A command whose reply is read into a type of the caller's choice.

use std::{borrow::Cow, fmt, marker::PhantomData};

use bytes::BytesMut;

use super::{Arg, Asynchronous, Command, Erased, Info, Needs, Patience};
use crate::{
    error::{Error, Result},
    reply::{Asked, DecodeError, FromReply},
    resp::{Frame, Reply, Writer},
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

    fn name(&self) -> Cow<'_, str> {
        self.command.name()
    }

    fn write(&self, to: &mut Writer<'_>) {
        self.command.write(to);
    }

    fn read(&self, reply: Reply<'_>) -> Result<T, DecodeError> {
        let empty_is_missing = self.command.info().empty_is_missing;
        let names = array_of(self.command.names());
        if names.is_none() && !empty_is_missing {
            return T::from_reply(reply);
        }
        let asked = Asked {
            names: names.as_ref().map(Frame::reply),
            empty_is_missing,
        };
        T::from_asked(reply, &asked)
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

/// The names that were asked for, in the form in which they are read like a reply.
fn array_of(names: &[Arg<'_>]) -> Option<Frame> {
    if names.is_empty() {
        return None;
    }
    let mut out = BytesMut::new();
    let written = Writer::command(&mut out, |to| names.iter().for_each(|name| name.write(to)));
    written.ok().and_then(|()| Frame::parse(out.freeze()).ok())
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
