//! The state of one connection: no IO, no clock, no runtime.
//!
//! A driver of [`blocking`](crate::blocking) or [`aio`](crate::aio) owns the socket and obeys one
//! rule: after every call, drain what has come, then write the output, then wait.
//!
//! ```text
//!             ┌───────────┐ Done(Greeting)
//!  dialled ──▶│ Handshake │───┐
//!             └───────────┘   ▼
//!            ┌───────────────────────────────────────────────────────────────────────────────┐
//!  callers ─▶│ Outbound<W>, under the lock of the callers                                    │
//!            │   Chunk ─▶ BackPressure ─▶ Queue: output, slots ─▶ take_output                │──▶ socket
//!            │   WriteScheduler: who writes, and when      Liveness: heartbeat, silence      │
//!  told   ◀──│   Waiters: places, frames ◀─ deliver        Pushes: unread, bounded           │
//!            └─────────────────────────────────▲─────────────────────────────────────────────┘
//!                         frames, a wake batch │
//!            ┌─────────────────────────────────┴─────────────────────────────────────────────┐
//!            │ Inbound, of whoever reads, under no lock: Receiver, frames that were gathered │◀── socket
//!            └───────────────────────────────────────────────────────────────────────────────┘
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

mod back_pressure;
mod chunk;
mod handshake;
mod inbound;
mod liveness;
mod loss;
mod outbound;
mod pushes;
mod queue;
mod receiver;
mod settings;
mod time_limit;
mod waiters;
mod write_scheduler;

pub(crate) use back_pressure::BackPressure;
pub(crate) use chunk::Chunk;
pub(crate) use handshake::{Greeting, Handshake, Identity, Progress, is_refusal};
pub(crate) use inbound::Inbound;
pub(crate) use liveness::{Beat, Heartbeat, Liveness, Nonce};
pub(crate) use loss::Loss;
#[cfg(feature = "blocking")]
pub(crate) use outbound::NextFrame;
pub(crate) use outbound::{
    Admission, Delivered, Dispatch, DriverView, DriverWork, Outbound, Step, Time,
};
pub(crate) use pushes::Pushes;
pub(crate) use queue::{FrameOwner, Queue, Ticket};
pub(crate) use receiver::Receiver;
pub(crate) use settings::ConnectionSettings;
pub(crate) use time_limit::TimeLimit;
pub(crate) use waiters::{Key, Polled, WaiterSlot, Waiters};
pub(crate) use write_scheduler::{WriteScheduler, WriteStep};
