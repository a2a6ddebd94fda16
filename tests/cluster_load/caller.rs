//! The clients under test, as the load sees them.
//!
//! The load is written once, as tasks that wait for one call after the other. A client that blocks
//! takes part with a thread for each task and calls that are done when they are polled first.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
};

use bytes::Bytes;
use respec::{
    Client, Result, blocking, cmd,
    command::{Command, Detached},
    commands::{
        list::Rpush,
        string::{Get, Incr, Set},
    },
};
use tokio::runtime::{Builder, Runtime};

/// A kind of client, and where its tasks run.
pub(crate) enum Side {
    /// The async client, with its tasks on a runtime of its own.
    Async(Runtime),
    /// The blocking client, with a thread for each task.
    Blocking,
}

/// A client that is shared by all tasks.
#[derive(Clone)]
pub(crate) enum Caller {
    Async(Client),
    Blocking(blocking::Client),
}

/// A task that runs; called, it waits for the end and what comes of it.
pub(crate) type Running<T> = Box<dyn FnOnce() -> T + Send>;

impl Side {
    /// One of each kind.
    pub(crate) fn all() -> [Self; 2] {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
        [Self::Async(runtime), Self::Blocking]
    }

    /// What the reports call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Async(_) => "async",
            Self::Blocking => "blocking",
        }
    }

    pub(crate) fn connect(&self, url: &str) -> Caller {
        match self {
            Self::Async(runtime) => Caller::Async(runtime.block_on(Client::connect(url)).unwrap()),
            Self::Blocking => Caller::Blocking(blocking::Client::connect(url).unwrap()),
        }
    }

    /// Runs a task beside all others.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Running<T> {
        match self {
            Self::Async(runtime) => {
                let (task, runtime) = (runtime.spawn(task), runtime.handle().clone());
                Box::new(move || runtime.block_on(task).unwrap())
            }
            Self::Blocking => {
                let thread = thread::spawn(move || done(task));
                Box::new(move || thread.join().unwrap())
            }
        }
    }
}

impl Caller {
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

/// What comes of a task whose calls block.
fn done<T>(task: impl Future<Output = T>) -> T {
    match pin!(task).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("expected calls that are done when they return"),
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
