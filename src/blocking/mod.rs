//! Clients that wait: no runtime, and no thread of their own but one for a cluster.
//!
//! A [`Client`] has a pool of connections. Every call takes one, writes its command, reads the reply
//! and gives the connection back, so that callers in many threads never wait for each other's
//! replies, and a blocking command is nothing special. What changes a connection, such as `WATCH`
//! or `SUBSCRIBE`, needs a [`Dedicated`] one. Of a cluster, each node has such a pool, and each call
//! finds its node.
//!
//! ```no_run
//! use respec::{blocking::Client, cmd, prelude::*};
//!
//! let client = Client::connect("redis://127.0.0.1:6379")?;
//! client.set("greeting", "hello").send()?;
//! let hits = client.incr("hits").send()?;
//! let (hits, greeting) = client.pipeline((cmd::incr("hits"), cmd::get("greeting"))).send()?;
//! # Ok::<(), respec::Error>(())
//! ```
//!
//! ```text
//!  caller: send ──▶ Pool ──▶ Connection ── encode, write, read ──▶ socket
//!                    ▲           │
//!                    └── clean ──┴── anything else ──▶ closed
//! ```
//!
//! What a connection owes and what a frame is, `protocol` decides; when a connection is too old and
//! whose turn it is, `pool` does; which node runs a command, and what an error means for that,
//! `cluster`. Here are the sockets, the clock and the locks.

mod client;
mod cluster;
mod connection;
mod dedicated;
mod dial;
mod each;
mod iterate;
mod nodes;
mod refresher;
mod server;
mod stream;
#[cfg(not(unix))]
#[path = "no_unix.rs"]
mod unix;
#[cfg(unix)]
mod unix;

pub use client::Client;
pub use dedicated::Dedicated;
pub use each::Each;
pub use iterate::Iterate;
