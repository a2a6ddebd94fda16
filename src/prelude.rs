//! What a program imports to have every method: `use respec::prelude::*`.

pub use crate::command::{AsyncClient, BlockingClient, Command};
#[cfg(feature = "array")]
pub use crate::commands::array::ArrayCommands;
#[cfg(feature = "bitmap")]
pub use crate::commands::bitmap::BitmapCommands;
#[cfg(feature = "bloom")]
pub use crate::commands::bloom::BloomCommands;
#[cfg(feature = "cluster")]
pub use crate::commands::cluster::{ClusterCommands, DedicatedClusterCommands};
#[cfg(feature = "connection")]
pub use crate::commands::connection::{ConnectionCommands, DedicatedConnectionCommands};
#[cfg(feature = "generic")]
pub use crate::commands::generic::{DedicatedGenericCommands, GenericCommands};
#[cfg(feature = "geo")]
pub use crate::commands::geo::GeoCommands;
#[cfg(feature = "hash")]
pub use crate::commands::hash::{DedicatedHashCommands, HashCommands};
#[cfg(feature = "hyperloglog")]
pub use crate::commands::hyperloglog::HyperloglogCommands;
#[cfg(feature = "json")]
pub use crate::commands::json::JsonCommands;
#[cfg(feature = "list")]
pub use crate::commands::list::ListCommands;
#[cfg(feature = "pubsub")]
pub use crate::commands::pubsub::{DedicatedPubsubCommands, PubsubCommands};
#[cfg(feature = "scripting")]
pub use crate::commands::scripting::{DedicatedScriptingCommands, ScriptingCommands};
#[cfg(feature = "search")]
pub use crate::commands::search::{SearchCommands, profile::SearchProfileCommands};
#[cfg(feature = "sentinel")]
pub use crate::commands::sentinel::SentinelCommands;
#[cfg(feature = "server")]
pub use crate::commands::server::{DedicatedServerCommands, ServerCommands};
#[cfg(feature = "set")]
pub use crate::commands::set::SetCommands;
#[cfg(feature = "sorted-set")]
pub use crate::commands::sorted_set::SortedSetCommands;
#[cfg(feature = "stream")]
pub use crate::commands::stream::StreamCommands;
#[cfg(feature = "string")]
pub use crate::commands::string::StringCommands;
#[cfg(feature = "timeseries")]
pub use crate::commands::timeseries::TimeseriesCommands;
#[cfg(feature = "transactions")]
pub use crate::commands::transactions::DedicatedTransactionsCommands;
#[cfg(feature = "vector-set")]
pub use crate::commands::vector_set::VectorSetCommands;
