//! The Redis client that is generated from the command spec.

#[cfg(feature = "async")]
pub mod aio;
pub mod command;
pub mod commands;
pub mod config;
mod error;
mod protocol;
pub mod reply;
pub mod resp;

#[cfg(feature = "async")]
pub use aio::Client;
pub use error::{Error, ErrorKind, Phase, Result};
