//! The clients under test, as the rows see them.
//!
//! What is done is written once, as tasks that wait for one call after the other. A client that
//! blocks takes part with a thread for each task and calls that are done when they are polled first.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
};

use respec::{
    Client, Config, PoolStats, Result, Value, blocking,
    command::{Command, Detached, Raw},
};
use tokio::{
    runtime::{Builder, Runtime},
    task::yield_now,
};

use crate::run::Numbers;

/// A kind of client, and where its tasks run.
pub(crate) enum Side {
    /// The async client, with its tasks on a runtime of two threads.
    Async(Runtime),
    /// The blocking client, with a thread for each task.
    Blocking,
}

/// A client that all tasks share.
#[derive(Clone)]
pub(crate) enum Caller {
    Async(Client),
    Blocking(blocking::Client),
}

/// A connection of one caller's own.
pub(crate) enum Own {
    Async(respec::aio::Dedicated),
    Blocking(blocking::Dedicated),
}

/// A task that runs; called, it waits for the end and what comes of it.
pub(crate) type Running<T> = Box<dyn FnOnce() -> T + Send>;

impl Side {
    /// One of each kind whose tasks run by themselves.
    pub(crate) fn all() -> [Self; 2] {
        [Self::threads(), Self::Blocking]
    }

    /// The async client on a runtime that runs only while somebody waits for a task.
    pub(crate) fn one_thread() -> Self {
        let mut runtime = Builder::new_current_thread();
        Self::Async(runtime.enable_all().build().unwrap())
    }

    pub(crate) fn threads() -> Self {
        let mut runtime = Builder::new_multi_thread();
        Self::Async(runtime.worker_threads(2).enable_all().build().unwrap())
    }

    /// What the reports call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Async(_) => "async",
            Self::Blocking => "blocking",
        }
    }

    pub(crate) fn is_blocking(&self) -> bool {
        matches!(self, Self::Blocking)
    }

    /// A client that has not connected yet.
    pub(crate) fn client(&self, config: Config) -> Caller {
        match self {
            Self::Async(runtime) => {
                let _inside = runtime.enter();
                Caller::Async(Client::from_config(config))
            }
            Self::Blocking => Caller::Blocking(blocking::Client::from_config(config)),
        }
    }

    /// Waits for what a task makes.
    pub(crate) fn wait<T>(&self, task: impl Future<Output = T>) -> T {
        match self {
            Self::Async(runtime) => runtime.block_on(task),
            Self::Blocking => done(task),
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

    /// A connection of the pool.
    pub(crate) async fn dedicated(&self) -> Result<Own> {
        Ok(match self {
            Self::Async(client) => Own::Async(client.dedicated().await?),
            Self::Blocking(client) => Own::Blocking(client.dedicated()?),
        })
    }

    pub(crate) fn pool_stats(&self) -> PoolStats {
        match self {
            Self::Async(client) => client.pool_stats(),
            Self::Blocking(client) => client.pool_stats(),
        }
    }

    /// Several commands in one write, each with its own reply or error.
    pub(crate) async fn pipeline(&self, commands: Vec<Raw<'_>>) -> Result<Vec<Result<Value>>> {
        match self {
            Self::Async(client) => client.pipeline(commands).results().await,
            Self::Blocking(client) => client.pipeline(commands).results().send(),
        }
    }

    /// Several commands that are executed together, or not at all.
    pub(crate) async fn transaction(&self, commands: Vec<Raw<'_>>) -> Result<Vec<Value>> {
        match self {
            Self::Async(client) => client.transaction(commands).await,
            Self::Blocking(client) => client.transaction(commands).send(),
        }
    }
}

impl Own {
    /// One command.
    pub(crate) async fn call<C>(&self, command: C) -> Result<C::Reply>
    where
        C: Command<Via = Detached> + Send + Sync,
        C::Reply: Send,
    {
        match self {
            Self::Async(own) => own.send(command).await,
            Self::Blocking(own) => own.send(command),
        }
    }

    /// Several commands in one write, each with its own reply or error.
    pub(crate) async fn pipeline(&self, commands: Vec<Raw<'_>>) -> Result<Vec<Result<Value>>> {
        match self {
            Self::Async(own) => own.pipeline(commands).results().await,
            Self::Blocking(own) => own.pipeline(commands).results().send(),
        }
    }

    /// Several commands that are executed together, or not at all.
    pub(crate) async fn transaction(&self, commands: Vec<Raw<'_>>) -> Result<Vec<Value>> {
        match self {
            Self::Async(own) => own.transaction(commands).await,
            Self::Blocking(own) => own.transaction(commands).send(),
        }
    }
}

/// Polls a task a few times, as chance has it, and drops it; what came of it if it was done by then.
pub(crate) async fn polled<T>(task: impl Future<Output = T>, numbers: &mut Numbers) -> Option<T> {
    let (polls, turns) = (numbers.below(4), numbers.below(3));
    let mut task = pin!(task);
    for _ in 0..polls {
        let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        for _ in 0..turns {
            yield_now().await;
        }
    }
    None
}

/// What comes of a task whose calls block.
fn done<T>(task: impl Future<Output = T>) -> T {
    match pin!(task).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("expected calls that are done when they return"),
    }
}
