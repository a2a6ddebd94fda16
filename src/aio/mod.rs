//! Clients for tokio.
//!
//! A [`Client`] is one connection that all its clones share. Every call appends its command to the
//! connection's output and waits for its own reply, so that the commands of many tasks travel
//! together. What would disturb other callers goes elsewhere: blocking commands run on connections
//! of their own, which the client keeps for the next ones, and what changes a connection, such as
//! `WATCH` or `SUBSCRIBE`, needs a [`Dedicated`] one.
//!
//! Of a cluster, each node has such a connection, and each call finds its node.
//!
//! Every future can be dropped at any time. Nobody else's reply is affected: a command that was not
//! written yet is not sent, and the reply of any other is swallowed when it comes.
//!
//! ```text
//!  caller: Pending ── encode ──▶ ┌────────────────────────┐ ◀── take ── Driver ──▶ socket
//!             ▲                  │ Core (a mutex):        │               │
//!             └── wake, frames ──│ Queue, Waiting, pushes │ ◀── frames ───┘ ◀────── socket
//!                                └────────────────────────┘
//! ```
//!
//! There is one task for each connection, the driver. It reads and writes at the same time, finds
//! the frames, and wakes those who wait; they read their replies themselves. The mutex is held to
//! encode one command or to hand out what one read has brought, never across a wait.

mod client;
mod cluster;
mod connection;
mod deadlines;
mod dedicated;
mod dial;
mod driver;
mod each;
mod in_flight;
mod iterate;
mod nodes;
mod pending;
mod pool;
mod refresher;
mod runtime;
mod server;
mod stream;
#[cfg(unix)]
mod unix;
#[cfg(not(unix))]
#[path = "no_unix.rs"]
mod unix;

pub use client::Client;
pub use dedicated::Dedicated;
pub use each::Each;
pub use iterate::Iterate;
pub use pending::Pending;
