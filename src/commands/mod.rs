//! The commands, one module for each group of the spec.
//!
//! A module holds the commands of its group as structs, the enums and blocks that they take, one
//! trait with a method for each command (two where some belong to a connection of one's own), and
//! the constructors that [`cmd`](crate::cmd) collects. The code is generated when the crate is
//! built; see it with `cargo run -p respec-spec -- show ZADD`.

#[cfg(feature = "array")]
pub mod array;
#[cfg(feature = "bitmap")]
pub mod bitmap;
#[cfg(feature = "bloom")]
pub mod bloom;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(feature = "connection")]
pub mod connection;
#[cfg(feature = "generic")]
pub mod generic;
#[cfg(feature = "geo")]
pub mod geo;
#[cfg(feature = "hash")]
pub mod hash;
#[cfg(feature = "hyperloglog")]
pub mod hyperloglog;
#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "list")]
pub mod list;
#[cfg(feature = "pubsub")]
pub mod pubsub;
#[cfg(feature = "scripting")]
pub mod scripting;
#[cfg(feature = "search")]
pub mod search;
#[cfg(feature = "sentinel")]
pub mod sentinel;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "set")]
pub mod set;
#[cfg(feature = "sorted-set")]
pub mod sorted_set;
#[cfg(feature = "stream")]
pub mod stream;
#[cfg(feature = "string")]
pub mod string;
#[cfg(feature = "timeseries")]
pub mod timeseries;
#[cfg(feature = "transactions")]
pub mod transactions;
#[cfg(feature = "vector-set")]
pub mod vector_set;

/// The facts of every command as constants, whatever cargo features are on.
pub mod info {
    include!(concat!(env!("OUT_DIR"), "/commands/info.rs"));
}

/// Enums and blocks of arguments that several groups use.
pub mod shared {
    include!(concat!(env!("OUT_DIR"), "/commands/shared.rs"));
}
