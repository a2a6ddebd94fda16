//! The runtime that tasks run on, and what it may lack.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, time};

use crate::{
    error::{Error, Result},
    link::Attempt,
};

/// The time by the clock of the runtime.
pub(super) fn now() -> Instant {
    time::Instant::now().into_std()
}

/// The runtime that the caller runs on.
///
/// # Errors
///
/// There is none, or it has no timer.
pub(super) fn runtime() -> Result<Handle> {
    let runtime = Handle::try_current()
        .map_err(|_| Attempt::no_runtime("a tokio runtime, and none is running here"))?;
    // There is no other way to ask, than to try and to see it panic.
    match catch_unwind(|| drop(time::sleep(Duration::ZERO))) {
        Ok(()) => Ok(runtime),
        Err(panic) => Err(lacking(panic)),
    }
}

/// What an attempt to connect yields, or what the runtime lacks for it.
pub(super) async fn with_all_it_takes<T>(attempt: impl Future<Output = Result<T>>) -> Result<T> {
    let mut attempt = pin!(attempt);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(cx)));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(lacking(panic))))
    })
    .await
}

/// The error of a runtime without time or IO, by the panic that tokio tells it with.
fn lacking(panic: Box<dyn Any + Send>) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    match text {
        Some(text) if text.contains("timers are disabled") => Attempt::no_runtime(
            "a tokio runtime with timers, which this one lacks (enable_time or enable_all)",
        ),
        Some(text) if text.contains("IO is disabled") => Attempt::no_runtime(
            "a tokio runtime with IO, which this one lacks (enable_io or enable_all)",
        ),
        _ => resume_unwind(panic),
    }
}
