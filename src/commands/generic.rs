//! What works on keys of any type.

include!(concat!(env!("OUT_DIR"), "/commands/generic.rs"));
