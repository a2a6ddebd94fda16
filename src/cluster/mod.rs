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
//! `request` makes requests of an exchange and one answer of theirs; `delivery` has them in groups,
//! each for one node, and `sweep` is a scan of all nodes. `directory` is the router together with
//! what a driver has of each node, and `table` what an ordinary call needs to know of that.
//!
//! `router` ties these together and has a diagram of its own. Nothing here does IO, reads a clock
//! or draws a random number: time and chance are arguments, so that everything can be replayed. The
//! facts about commands, which nodes run them and how their answers are joined, come from the spec
//! by [`Info`](crate::command::Info).

#[cfg(test)]
mod announced;
mod chance;
mod coverage;
mod delivery;
mod directory;
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
mod sweep;
mod table;
mod topology;

pub(crate) use chance::Chance;
pub(crate) use delivery::{DEDICATED, Sorted, by_node, deadline, no_connection};
pub(crate) use directory::{Directory, Question, gone, replaced, unknown_node};
pub(crate) use node::NodeId;
pub(crate) use read_from::MEASURE_EVERY;
pub(crate) use refresh::{PATIENCE, late};
pub(crate) use request::{Chosen, Direct, Done, Encoded, Parcel, Request};
pub(crate) use route::Wish;
pub(crate) use router::{Call, Next, Router};
pub(crate) use sweep::{Step, Sweep};
pub(crate) use table::Table;

pub use crate::{
    address::{AddressMap, NodeAddress},
    config::ReadFrom,
};
pub use slot::{SLOTS, key_slot};
