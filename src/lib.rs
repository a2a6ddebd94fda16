//! The Redis client that is generated from the command spec.

#[cfg(feature = "async")]
pub mod aio;
#[cfg(feature = "blocking")]
pub mod blocking;
pub mod cmd;
pub mod command;
pub mod commands;
mod config;
mod error;
#[cfg(any(feature = "async", feature = "blocking"))]
mod pool;
pub mod prelude;
#[cfg_attr(
    not(all(feature = "async", feature = "blocking")),
    allow(dead_code, unused_imports, reason = "each driver uses a part of it")
)]
mod protocol;
pub mod reply;
pub mod resp;
mod secret;
#[cfg(any(feature = "async", feature = "blocking"))]
mod socket;

#[cfg(feature = "async")]
pub use aio::Client;
pub use config::{Address, Config, PoolOptions, Protocol, TcpOptions};
pub use error::{Error, ErrorKind, Phase, Result};
pub use reply::Value;
pub use secret::Secret;
