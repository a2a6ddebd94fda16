//! The state of one connection: no IO, no clock, no runtime.
//!
//! A driver of [`blocking`](crate::blocking) or [`aio`](crate::aio) owns the socket and obeys one
//! rule: after every call, drain the events, then write the output, then wait.
//!
//! ```text
//!             ┌───────────┐ Done(Greeting)  ┌────────────────────────────────────────────────┐
//!  dialled ──▶│ Handshake │────────────────▶│ Connection<W>                                  │
//!             └───────────┘                 │                                                │
//!                                           │  send ─▶ Queue: output, slots ─▶ take_output   │──▶ socket
//!                                           │            ▲                                   │
//!                                           │  events ◀──┴─ accept ◀─ frame ◀─ Receiver      │◀── socket
//!                                           └────────────────────────────────────────────────┘
//!
//!  a slot of the queue:
//!
//!     send ──▶ unsent ──take_output──▶ owed ──last frame──▶ gone, its waiter is answered
//!                │                      │
//!     abandon or time-out        abandon or time-out
//!                ▼                      ▼
//!       gone, never written        owed, nobody waits ──last frame──▶ gone, the frames are swallowed
//! ```
//!
//! Slots belong to the connection. A caller that leaves takes its waiter away, and the slot still
//! swallows the replies that it is owed, so that nobody else can get them. What cannot be paired, a
//! frame that is broken or that nobody asked for, is fatal: there is no telling whose the next one
//! would be.

mod connection;
mod flush;
mod gate;
mod handshake;
mod limit;
mod queue;
mod receiver;

pub(crate) use connection::{Connection, Event};
pub(crate) use flush::{Flush, Turn};
pub(crate) use gate::Gate;
pub(crate) use handshake::{Greeting, Handshake, Identity, Progress};
pub(crate) use limit::Limit;
pub(crate) use queue::{Queue, Sent, Ticket, Whose};
pub(crate) use receiver::Receiver;
