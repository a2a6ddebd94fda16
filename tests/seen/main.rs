//! What operators see of both clients: lines, spans and metrics.

#![cfg(all(feature = "async", feature = "blocking", feature = "core"))]

#[path = "../support/clusters.rs"]
mod clusters;
mod errors;
mod meters;
mod spans;
mod story;
mod subscriber;

use std::sync::LazyLock;

use respec::{Client, Config, Result, blocking, command::Raw, reply::Value};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap()
});

/// A client of either kind.
enum Caller {
    Async(Client),
    Blocking(blocking::Client),
}

impl Caller {
    /// One of each kind, with its name.
    fn both(config: &Config) -> [(&'static str, Self); 2] {
        [
            ("async", Self::Async(Client::from_config(config.clone()))),
            (
                "blocking",
                Self::Blocking(blocking::Client::from_config(config.clone())),
            ),
        ]
    }

    fn call(&self, command: Raw<'_>) -> Result<Value> {
        match self {
            Self::Async(client) => RUNTIME.block_on(client.send(command)),
            Self::Blocking(client) => client.send(command),
        }
    }

    fn pipeline(&self, commands: &[Raw<'_>]) -> Result<Vec<Value>> {
        match self {
            Self::Async(client) => RUNTIME.block_on(client.pipeline(commands).into_future()),
            Self::Blocking(client) => client.pipeline(commands).send(),
        }
    }
}
