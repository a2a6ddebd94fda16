//! What a client knows of a cluster: its nodes, and who serves which slot.
//!
//! `state` has all of it, `query` and `refresh` keep it up to date by what nodes say, which
//! `announcement` reads and `topology` holds. `server_map` is the state together with what a driver
//! has of each node, and `slot_table` what an ordinary call needs to know of that. `slot_coverage`
//! is what a scan of all nodes has seen, `calls` how many calls there are, and `retry_budget` how much
//! may be sent again. What becomes of calls and scans is decided by `call`. Nothing here does IO, reads
//! a clock or draws a random number: time and chance are arguments, so that everything can be replayed.

#[cfg(test)]
pub(crate) mod announced;
mod announcement;
mod calls;
mod node;
mod query;
mod read_from;
mod refresh;
mod retry_budget;
mod server_map;
#[cfg(test)]
mod simulation;
mod slot;
mod slot_coverage;
mod slot_table;
mod state;
mod topology;

pub(crate) use calls::{CallGuard, Calls, OfflineBytes, closed, not_in_time};
pub(crate) use node::NodeId;
#[cfg(test)]
pub(crate) use node::Nodes;
#[cfg(test)]
pub(crate) use query::Query;
pub(crate) use read_from::MEASURE_EVERY;
#[cfg(test)]
pub(crate) use refresh::QueryId;
pub(crate) use refresh::{PATIENCE, late};
pub(crate) use server_map::{ServerMap, TopologyQuery, gone, replaced, unknown_node};
pub(crate) use slot_coverage::SlotCoverage;
pub(crate) use slot_table::SlotTable;
#[cfg(test)]
pub(crate) use state::Event;
#[cfg(test)]
pub(crate) use state::Options;
pub(crate) use state::{ClusterState, Scope, Target};

pub use crate::{
    address::{AddressMap, NodeAddress},
    config::ReadFrom,
};
pub use slot::{SLOTS, key_slot};
