//! What can be seen of a client from outside: its events, what it is doing, lines, spans and metrics.
//!
//! - [`Config::observer`](crate::Config::observer) takes an [`Observer`], which is told every [`Event`]:
//!   calls, connections, changes of the topology.
//! - `client.stats()` gives [`Stats`]: what a client is doing, and what it has done. They print.
//! - The feature `tracing` writes lines about connections and the topology at the levels `info` and `debug`,
//!   and makes a span for each call at `trace`.
//! - The feature `metrics` measures calls, connections and pools.
//! - [`flush`] waits until all listeners were told what has happened, as at the end of a program.
//!
//! Listeners are told by a thread of their own, which no call waits for. Nothing of this holds an argument,
//! a value or a secret of a call.
//!
//! # Lines
//!
//! Lines have the target `respec`, and go to the subscriber that is current where the client is made. What an
//! operator has to know is at `info`: a connection that was lost and why, attempts to connect that fail (the
//! first, the second, the fourth and so on), a server that is back, slots that have another primary, calls that
//! time out (one line a second). The rest is at `debug`: each attempt, connections that were closed for
//! their age, calls that are sent again or on to another node.
//!
//! A server is killed and, a while later, started again:
//!
//! ```text
//!   0.003 s INFO respec: connected to 127.0.0.1:6379 in 2.1ms
//!   0.014 s INFO respec: lost a connection to 127.0.0.1:6379: 127.0.0.1:6379 has closed it
//!   0.022 s INFO respec: could not connect to 127.0.0.1:6379: cannot reach 127.0.0.1:6379 (127.0.0.1:6379: connection refused); the next attempt may be made at once
//!   0.027 s INFO respec: could not connect to 127.0.0.1:6379: cannot reach 127.0.0.1:6379 (127.0.0.1:6379: connection refused); the next attempt may be made in 48.0ms (attempt 2)
//!   1.435 s INFO respec: connected to 127.0.0.1:6379 in 1.9ms, 1.4s after it was lost
//! ```
//!
//! A server freezes and thaws, with `response_timeout=300ms`, `connect_timeout=300ms` and
//! `silence_timeout=1s`:
//!
//! ```text
//!   0.047 s INFO respec: connected to 127.0.0.1:6379 in 38.7ms
//!   0.371 s INFO respec: SET timed out after 308.7ms, waiting for the reply
//!   1.391 s INFO respec: SET timed out after 376.5ms, waiting for the reply
//!   1.495 s INFO respec: lost a connection to 127.0.0.1:6379: 127.0.0.1:6379 has sent nothing for 1.0s
//!   1.794 s INFO respec: could not connect to 127.0.0.1:6379: no connection to 127.0.0.1:6379 after 300ms; the next attempt may be made at once
//!   2.433 s INFO respec: connected to 127.0.0.1:6379 in 4.9ms, 948.5ms after it was lost
//! ```
//!
//! A primary of a cluster is killed, whose replica takes over:
//!
//! ```text
//!   0.575 s INFO respec: connected to 127.0.0.1:7000 in 203.9ms
//!   0.593 s INFO respec: the cluster has 6 nodes, with a primary for 16384 slots; 127.0.0.1:7000 is the primary of slots 0-5460; 127.0.0.1:7001 is the primary of slots 5461-10921; 127.0.0.1:7002 is the primary of slots 10922-16383
//!   1.113 s INFO respec: lost a connection to 127.0.0.1:7000: 127.0.0.1:7000 has closed it
//!   1.413 s INFO respec: could not connect to 127.0.0.1:7000: cannot reach 127.0.0.1:7000 (127.0.0.1:7000: connection refused); the next attempt may be made at once
//!   2.428 s INFO respec: could not connect to 127.0.0.1:7000: cannot reach 127.0.0.1:7000 (127.0.0.1:7000: connection refused); the next attempt may be made in 149.7ms (attempt 4)
//!   3.140 s INFO respec: connected to 127.0.0.1:7003 in 181.6ms
//!   3.190 s INFO respec: SET timed out after 2.0s, waiting for its turn
//!   3.597 s INFO respec: the cluster has 5 nodes, with a primary for 16384 slots; 127.0.0.1:7003 is now the primary of slots 0-5460, in place of 127.0.0.1:7000
//! ```
//!
//! # Spans
//!
//! The span of a call is named `call`, has the target `respec`, and is a child of the span in which the call is
//! made. Its fields are those of OpenTelemetry's conventions for database clients:
//!
//! | field | value |
//! |---|---|
//! | `db.system.name` | `redis`, for Valkey as well: the conventions have no other word |
//! | `db.operation.name` | the command, such as `XGROUP CREATE`; `PIPELINE` or `MULTI`, and behind that the command, where all of a batch are the same |
//! | `db.operation.batch.size` | how many commands a batch has, unless it has one |
//! | `db.namespace` | the number of the database in the config |
//! | `server.address`, `server.port` | what the config names; of a cluster all of its nodes there, in the address |
//! | `network.peer.address`, `network.peer.port` | the server or node that was asked last, where it is known by its IP address or path |
//! | `error.type` | the code of the server's error, or what [`CallOutcome::error_type`] says; `cancelled` where the future was dropped |
//! | `db.response.status_code` | the code of the server's error |
//! | `otel.name`, `otel.kind`, `otel.status_code` | what `tracing-opentelemetry` makes of the span |
//!
//! # Metrics
//!
//! They are recorded if a recorder is installed when the client is made. Those with a name of OpenTelemetry's have
//! its labels, and are in seconds where they are times.
//!
//! | metric | kind |
//! |---|---|
//! | `db.client.operation.duration` | histogram, with the labels of spans |
//! | `db.client.connection.create_time` | histogram |
//! | `db.client.connection.wait_time` | histogram, of callers who had to wait |
//! | `db.client.connection.timeouts` | counter of callers who waited in vain |
//! | `db.client.connection.count` | gauge, by `db.client.connection.state`: `idle` or `used`; shared connections are used |
//! | `db.client.connection.pending_requests` | gauge of callers who wait |
//! | `respec.connection.failures` | counter of attempts to connect that failed |
//! | `respec.connection.disconnects` | counter, by `reason`, which is a [`DisconnectReason`] in lower case |
//! | `respec.retries`, `respec.redirects`, `respec.topology.changes`, `respec.events.dropped` | counters |
//!
//! `db.client.connection.pool.name` is `address:port/database` of the server or node.
//!
//! # What it costs
//!
//! Without a listener a call pays for a look at a flag, and for a second one with the feature `tracing`.
//! With an observer, or a recorder of metrics, each call makes an event and puts it into a queue, from which a
//! thread takes it to the listener: some 1,400 instructions in all, a fifth of a `GET` by a future and half of
//! one that blocks, system calls not counted. With a subscriber at `trace` it makes a span.

#[cfg(all(
    any(feature = "async", feature = "blocking"),
    any(feature = "metrics", feature = "tracing")
))]
mod about;
#[cfg(any(feature = "async", feature = "blocking"))]
mod call;
#[cfg(any(feature = "async", feature = "blocking"))]
mod feed;
#[cfg(any(feature = "async", feature = "blocking"))]
mod listeners;
#[cfg(any(feature = "async", feature = "blocking"))]
#[cfg_attr(not(feature = "metrics"), path = "unmetered.rs")]
mod metered;
#[cfg(any(feature = "async", feature = "blocking"))]
mod stats;
#[cfg(any(feature = "async", feature = "blocking"))]
#[cfg_attr(not(feature = "tracing"), path = "untraced.rs")]
mod traced;

#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) use call::WatchedCall;
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) use listeners::{events_of_client, sample};
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) use stats::{ServerStats, Source};

pub use crate::events::{CallOutcome, DisconnectReason, Event, MovedSlots, Observer};
#[cfg(any(feature = "async", feature = "blocking"))]
pub use feed::flush;
#[cfg(any(feature = "async", feature = "blocking"))]
pub use stats::Stats;
