//! Replies as Rust types.
