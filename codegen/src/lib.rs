//! Writes the Rust of a typed client from a command spec.

pub mod corrections;
pub mod diff;
pub mod error;
pub mod merge;
pub mod pull;
pub mod replies;
pub mod source;
pub mod spec;
pub mod store;
pub mod syntax;
