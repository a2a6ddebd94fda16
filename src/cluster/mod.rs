//! What a cluster client decides: which node runs a command, and what an answer means for that.
//!
//! ```text
//!   command, keys ──▶ route ──▶ slot ──▶ topology ──▶ read_from ──▶ a node
//!                       │
//!                       └─ several slots or nodes ──▶ fan_out: split … join
//!
//!   error reply ──▶ redirect ──▶ another node, or wait (back_off) and refresh the topology
//! ```
//!
//! `request` makes requests of an exchange and one answer of theirs.
//!
//! `router` ties these together and has a diagram of its own. Nothing here does IO, reads a clock
//! or draws a random number: time and chance are arguments, so that everything can be replayed. The
//! facts about commands, which nodes run them and how their answers are joined, come from the spec
//! by [`Info`](crate::command::Info).

#[cfg(test)]
mod announced;
mod chance;
mod coverage;
mod fan_out;
#[cfg(test)]
mod live;
mod node;
mod read_from;
mod redirect;
mod refresh;
mod request;
mod route;
mod router;
#[cfg(test)]
mod simulation;
mod slot;
mod topology;

pub(crate) use chance::Chance;
pub(crate) use coverage::Coverage;
pub(crate) use node::NodeId;
pub(crate) use redirect::{deciding_error, is_answer};
pub(crate) use refresh::Ask;
pub(crate) use request::{Answers, Direct, Encoded, Parcel, Request};
pub(crate) use route::Wish;
pub(crate) use router::{Call, Event, Next, Options, Query, Router};

pub use node::{AddressMap, NodeAddress};
pub use read_from::ReadFrom;
pub use slot::{SLOTS, key_slot};
