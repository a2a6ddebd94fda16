//! The promises of the async client, whose calls are futures.

/// What a command or a batch answers.
macro_rules! reply {
    ($command:expr) => {
        $command.await
    };
}

/// What any other call comes to.
macro_rules! done {
    ($call:expr) => {
        $call.await
    };
}

#[path = "promises/mod.rs"]
mod promises;

use respec::{Result, reply::Push};
use tokio::task::JoinHandle;

pub(crate) use respec::{Client, aio::Dedicated};

/// Tells what this client leaves on a server from what the other one does.
pub(crate) const NAME: &str = "async";

/// What runs beside its test.
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T> Task<T> {
    /// What comes of it.
    pub(crate) async fn join(self) -> T {
        self.0.await.unwrap()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

/// Runs a task beside all others.
pub(crate) fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> Task<T> {
    Task(tokio::spawn(task))
}

/// The next message, however long it takes.
pub(crate) async fn next_push(dedicated: &Dedicated) -> Result<Push> {
    dedicated.next_push().await
}
