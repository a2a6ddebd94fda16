//! The clients under test, as the load sees them.

use bytes::Bytes;
use respec::{
    Client, Result, blocking, cmd,
    command::{Command, Detached},
    commands::{
        list::Rpush,
        string::{Get, Incr, Set},
    },
};

use crate::side::Side;

/// A client that is shared by all tasks.
#[derive(Clone)]
pub(crate) enum Caller {
    Async(Client),
    Blocking(blocking::Client),
}

impl Caller {
    /// A client of a kind that has connected.
    pub(crate) fn connect(side: &Side, url: &str) -> Self {
        match side {
            Side::Async(runtime) => Self::Async(runtime.block_on(Client::connect(url)).unwrap()),
            Side::Blocking => Self::Blocking(blocking::Client::connect(url).unwrap()),
        }
    }

    /// One command.
    pub(crate) async fn call<C>(&self, command: C) -> Result<C::Reply>
    where
        C: Command<Via = Detached> + Send + Sync,
        C::Reply: Send,
    {
        match self {
            Self::Async(client) => client.send(command).await,
            Self::Blocking(client) => client.send(command),
        }
    }

    /// Several commands, each with its own reply or error.
    pub(crate) async fn pipeline(&self, commands: Mixed<'_>) -> Result<MixedResults> {
        let commands = commands.commands();
        match self {
            Self::Async(client) => client.pipeline(commands).results().await,
            Self::Blocking(client) => client.pipeline(commands).results().send(),
        }
    }

    /// `INCR` and `RPUSH` in one transaction.
    pub(crate) async fn transaction(
        &self,
        counter: &[u8],
        list: &[u8],
        element: &str,
    ) -> Result<(i64, u64)> {
        let both = (cmd::incr(counter), cmd::rpush(list, element));
        match self {
            Self::Async(client) => client.transaction(both).await,
            Self::Blocking(client) => client.transaction(both).send(),
        }
    }
}

/// The arguments of a pipeline of `GET`, `SET`, `INCR` and `RPUSH`.
#[derive(Clone, Copy)]
pub(crate) struct Mixed<'a> {
    pub(crate) get: &'a str,
    pub(crate) set: (&'a str, &'a [u8]),
    pub(crate) incr: &'a [u8],
    pub(crate) rpush: (&'a [u8], &'a str),
}

impl<'a> Mixed<'a> {
    fn commands(self) -> (Get<'a>, Set<'a>, Incr<'a>, Rpush<'a>) {
        let ((key, value), (list, element)) = (self.set, self.rpush);
        let get = cmd::get(self.get);
        let set = cmd::set(key, value);
        (get, set, cmd::incr(self.incr), cmd::rpush(list, element))
    }
}

/// What a [`Mixed`] pipeline answers.
pub(crate) type MixedResults = (Result<Option<Bytes>>, Result<()>, Result<i64>, Result<u64>);
