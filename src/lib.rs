//! The Redis client that is generated from the command spec.

pub mod cmd;
pub mod command;
pub mod commands;
mod error;
pub mod prelude;
mod protocol;
pub mod reply;
pub mod resp;

pub use error::{Error, ErrorKind, Phase, Result};
