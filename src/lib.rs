//! The Redis client that is generated from the command spec.
