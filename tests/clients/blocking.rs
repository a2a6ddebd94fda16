//! The promises of the blocking client, whose calls are done when they return.

/// What a command or a batch answers.
macro_rules! reply {
    ($command:expr) => {
        $command.send()
    };
}

/// What any other call comes to.
macro_rules! done {
    ($call:expr) => {
        $call
    };
}

#[path = "promises/mod.rs"]
mod promises;

use std::thread::{self, JoinHandle};

use respec::{Result, reply::Push};

pub(crate) use respec::blocking::{Client, Dedicated};

use crate::side::done;

/// Tells what this client leaves on a server from what the other one does.
pub(crate) const NAME: &str = "blocking";

/// What runs beside its test.
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T> Task<T> {
    /// What comes of it.
    pub(crate) async fn join(self) -> T {
        self.0.join().unwrap()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

/// Runs a task in a thread of its own: nothing in it has to be waited for.
pub(crate) fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> Task<T> {
    Task(thread::spawn(move || done(task)))
}

/// The next message, however long it takes.
pub(crate) async fn next_push(dedicated: &Dedicated) -> Result<Push> {
    let push = dedicated.next_push(None)?;
    Ok(push.expect("a message, since there is no limit to the time"))
}
