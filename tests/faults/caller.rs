//! The clients under test, as the rows see them.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use respec::{
    Client, Config, PoolStats, Result, Value, blocking,
    command::{Command, Detached, Raw},
};
use tokio::task::yield_now;

use crate::{run::Numbers, side::Side};

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

impl Side {
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
