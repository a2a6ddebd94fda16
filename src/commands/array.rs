//! Arrays: sparse lists that are addressed by index.

include!(concat!(env!("OUT_DIR"), "/commands/array.rs"));
