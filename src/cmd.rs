//! Commands as values that belong to no client: `cmd::get("key")`.
//!
//! They are of the same types that the methods of clients return. Pipelines, transactions and
//! `send` take them.

pub use crate::command::{Raw, raw};
#[cfg(feature = "array")]
pub use crate::commands::array::cmd::*;
#[cfg(feature = "bitmap")]
pub use crate::commands::bitmap::cmd::*;
#[cfg(feature = "bloom")]
pub use crate::commands::bloom::cmd::*;
#[cfg(feature = "cluster")]
pub use crate::commands::cluster::cmd::*;
#[cfg(feature = "connection")]
pub use crate::commands::connection::cmd::*;
#[cfg(feature = "generic")]
pub use crate::commands::generic::cmd::*;
#[cfg(feature = "geo")]
pub use crate::commands::geo::cmd::*;
#[cfg(feature = "hash")]
pub use crate::commands::hash::cmd::*;
#[cfg(feature = "hyperloglog")]
pub use crate::commands::hyperloglog::cmd::*;
#[cfg(feature = "json")]
pub use crate::commands::json::cmd::*;
#[cfg(feature = "list")]
pub use crate::commands::list::cmd::*;
#[cfg(feature = "pubsub")]
pub use crate::commands::pubsub::cmd::*;
#[cfg(feature = "scripting")]
pub use crate::commands::scripting::cmd::*;
#[cfg(feature = "search")]
pub use crate::commands::search::{cmd::*, profile::cmd::*};
#[cfg(feature = "sentinel")]
pub use crate::commands::sentinel::cmd::*;
#[cfg(feature = "server")]
pub use crate::commands::server::cmd::*;
#[cfg(feature = "set")]
pub use crate::commands::set::cmd::*;
#[cfg(feature = "sorted-set")]
pub use crate::commands::sorted_set::cmd::*;
#[cfg(feature = "stream")]
pub use crate::commands::stream::cmd::*;
#[cfg(feature = "string")]
pub use crate::commands::string::cmd::*;
#[cfg(feature = "timeseries")]
pub use crate::commands::timeseries::cmd::*;
#[cfg(feature = "transactions")]
pub use crate::commands::transactions::cmd::*;
#[cfg(feature = "vector-set")]
pub use crate::commands::vector_set::cmd::*;
