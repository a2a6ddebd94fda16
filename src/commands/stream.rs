//! Streams of entries and their consumer groups.

include!(concat!(env!("OUT_DIR"), "/commands/stream.rs"));
