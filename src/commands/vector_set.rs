//! Vector sets: members with vectors, and what is similar to them.

include!(concat!(env!("OUT_DIR"), "/commands/vector_set.rs"));
