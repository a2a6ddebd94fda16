//! Kinds of clients, and where their tasks run.
//!
//! What is done is written once, as tasks that wait for one call after the other. A client that
//! blocks takes part with a thread for each task and calls that are done when they are polled first.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
};

use tokio::runtime::{Builder, Runtime};

/// A kind of client, and where its tasks run.
pub enum Side {
    /// The async client, with its tasks on a runtime of its own.
    Async(Runtime),
    /// The blocking client, with a thread for each task.
    Blocking,
}

/// A task that runs; called, it waits for the end and what comes of it.
pub type Running<T> = Box<dyn FnOnce() -> T + Send>;

impl Side {
    /// One of each kind whose tasks run by themselves.
    pub fn all() -> [Self; 2] {
        [Self::threads(), Self::Blocking]
    }

    /// The async client on a runtime that runs only while somebody waits for a task.
    pub fn one_thread() -> Self {
        let mut runtime = Builder::new_current_thread();
        Self::Async(runtime.enable_all().build().unwrap())
    }

    /// The async client on a runtime of two threads.
    pub fn threads() -> Self {
        let mut runtime = Builder::new_multi_thread();
        Self::Async(runtime.worker_threads(2).enable_all().build().unwrap())
    }

    /// What the reports call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Async(_) => "async",
            Self::Blocking => "blocking",
        }
    }

    pub fn is_blocking(&self) -> bool {
        matches!(self, Self::Blocking)
    }

    /// Waits for what a task makes.
    pub fn wait<T>(&self, task: impl Future<Output = T>) -> T {
        match self {
            Self::Async(runtime) => runtime.block_on(task),
            Self::Blocking => done(task),
        }
    }

    /// Runs a task beside all others.
    pub fn spawn<T: Send + 'static>(
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

/// What comes of a task whose calls block.
pub fn done<T>(task: impl Future<Output = T>) -> T {
    match pin!(task).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("expected calls that are done when they return"),
    }
}
