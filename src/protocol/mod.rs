//! The state of one connection: no IO, no clock, no runtime.
//!
//! A driver of [`blocking`](crate::blocking) or [`aio`](crate::aio) owns the socket and obeys one
//! rule: after every call, drain what has come, then write the output, then wait.
//!
//! ```text
//!             ┌───────────┐ Done(Greeting)
//!  dialled ──▶│ Handshake │───┐
//!             └───────────┘   ▼
//!            ┌──────────────────────────────────────────────────────────────────────────────┐
//!  callers ─▶│ Outbound<W>, under the lock of the callers                                   │
//!            │   Chunk ─▶ Gate ─▶ Queue: output, slots ─▶ take_output                       │──▶ socket
//!            │   Flush: who writes, and when         Liveness: heartbeat, silence           │
//!  told   ◀──│   Waiters: places, frames ◀─ deliver      Pushes: unread, bounded            │
//!            └─────────────────────────────────▲────────────────────────────────────────────┘
//!                               frames, a wave │
//!            ┌─────────────────────────────────┴────────────────────────────────────────────┐
//!            │ Inbound, of whoever reads, under no lock: Receiver, frames that were gathered │◀── socket
//!            └──────────────────────────────────────────────────────────────────────────────┘
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

mod chunk;
mod flush;
mod gate;
mod handshake;
mod inbound;
mod limit;
mod liveness;
mod outbound;
mod pushes;
mod queue;
mod receiver;
mod settings;
mod waiters;

pub(crate) use chunk::Chunk;
pub(crate) use flush::{Flush, Turn};
pub(crate) use gate::Gate;
pub(crate) use handshake::{Greeting, Handshake, Identity, Progress, is_not_ready};
pub(crate) use inbound::Inbound;
pub(crate) use limit::Limit;
pub(crate) use liveness::{Beat, Heartbeat, Liveness, Nonce};
#[cfg(feature = "blocking")]
pub(crate) use outbound::Delivered;
pub(crate) use outbound::{Admission, Delivery, Handed, Loss, Outbound, Step, Time, View, Work};
pub(crate) use pushes::Pushes;
pub(crate) use queue::{Queue, Ticket, Whose};
pub(crate) use receiver::Receiver;
pub(crate) use settings::ConnectionSettings;
pub(crate) use waiters::{Key, Place, Polled, Waiters};
