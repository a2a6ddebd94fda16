//! Writes the Rust of a typed client from a command spec.

pub mod spec;
