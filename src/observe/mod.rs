//! What can be seen of a client from outside: its events, and what it is doing.
//!
//! - [`Config::observer`](crate::Config::observer) takes an [`Observer`], which is told every [`Event`]:
//!   calls, connections, changes of the topology.
//! - `client.stats()` gives [`Stats`]: what a client is doing, and what it has done. They print.
//! - [`flush`] waits until all listeners were told what has happened, as at the end of a program.
//!
//! No event holds an argument, a value or a secret of a call.

#[cfg(any(feature = "async", feature = "blocking"))]
mod call;
#[cfg(any(feature = "async", feature = "blocking"))]
mod feed;
#[cfg(any(feature = "async", feature = "blocking"))]
mod listeners;
#[cfg(any(feature = "async", feature = "blocking"))]
mod stats;

#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) use call::WatchedCall;
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) use listeners::events_of_client;
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) use stats::ServerStats;

pub use crate::events::{CallOutcome, DisconnectReason, Event, MovedSlots, Observer};
#[cfg(any(feature = "async", feature = "blocking"))]
pub use feed::flush;
#[cfg(any(feature = "async", feature = "blocking"))]
pub use stats::Stats;
