//! Full-text and vector search over hashes and JSON.

include!(concat!(env!("OUT_DIR"), "/commands/search.rs"));
