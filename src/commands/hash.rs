//! Hashes: fields with values.

include!(concat!(env!("OUT_DIR"), "/commands/hash.rs"));
