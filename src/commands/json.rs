//! JSON documents.

include!(concat!(env!("OUT_DIR"), "/commands/json.rs"));
