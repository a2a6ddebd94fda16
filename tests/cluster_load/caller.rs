//! The clients under test, as the load sees them.
//!
//! The load is written once, as tasks that wait for one call after the other. A client that blocks
//! takes part with a thread for each task and calls that are done when they are polled first.

use bytes::Bytes;
use respec::{
    Client, Result, cmd,
    command::{Command, Detached},
    commands::{
        list::Rpush,
        string::{Get, Incr, Set},
    },
};
use tokio::runtime::{Builder, Runtime};

/// A kind of client, and where its tasks run.
pub(crate) trait Side {
    /// What the reports call it.
    const NAME: &'static str;

    type Caller: Caller;

    fn connect(&self, url: &str) -> Self::Caller;

    /// Runs a task beside all others.
    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Running<T>;
}

/// A task that runs; called, it waits for the end and what comes of it.
pub(crate) type Running<T> = Box<dyn FnOnce() -> T + Send>;

/// A client that is shared by all tasks.
pub(crate) trait Caller: Clone + Send + Sync + 'static {
    /// One command.
    fn call<C>(&self, command: C) -> impl Future<Output = Result<C::Reply>> + Send
    where
        C: Command<Via = Detached> + Send + Sync,
        C::Reply: Send;

    /// Several commands, each with its own reply or error.
    fn pipeline(&self, commands: Mixed<'_>) -> impl Future<Output = Result<MixedResults>> + Send;

    /// `INCR` and `RPUSH` in one transaction.
    fn transaction(
        &self,
        counter: &[u8],
        list: &[u8],
        element: &str,
    ) -> impl Future<Output = Result<(i64, u64)>> + Send;
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

/// The async client, with its tasks on a runtime of its own.
pub(crate) struct Async(Runtime);

impl Async {
    pub(crate) fn new() -> Self {
        let mut builder = Builder::new_multi_thread();
        Self(builder.worker_threads(2).enable_all().build().unwrap())
    }
}

impl Side for Async {
    const NAME: &'static str = "async";

    type Caller = Client;

    fn connect(&self, url: &str) -> Client {
        self.0.block_on(Client::connect(url)).unwrap()
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Running<T> {
        let (task, runtime) = (self.0.spawn(task), self.0.handle().clone());
        Box::new(move || runtime.block_on(task).unwrap())
    }
}

impl Caller for Client {
    async fn call<C>(&self, command: C) -> Result<C::Reply>
    where
        C: Command<Via = Detached> + Send + Sync,
        C::Reply: Send,
    {
        self.send(command).await
    }

    async fn pipeline(&self, commands: Mixed<'_>) -> Result<MixedResults> {
        self.pipeline(commands.commands()).results().await
    }

    async fn transaction(&self, counter: &[u8], list: &[u8], element: &str) -> Result<(i64, u64)> {
        let both = (cmd::incr(counter), cmd::rpush(list, element));
        self.transaction(both).await
    }
}
