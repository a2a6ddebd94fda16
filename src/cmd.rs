//! Commands as values that belong to no client: `cmd::get("key")`.
//!
//! They are of the same types that the methods of clients return. Pipelines, transactions and
//! `send` take them.

pub use crate::command::{Raw, raw};
#[cfg(feature = "search")]
pub use crate::commands::search::profile::cmd::ft_profile;

include!(concat!(env!("OUT_DIR"), "/commands/cmd.rs"));
