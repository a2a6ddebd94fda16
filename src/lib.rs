//! The Redis client that is generated from the command spec.

mod error;
pub mod reply;
pub mod resp;

pub use error::{Error, ErrorKind, Phase, Result};
