//! Lists of elements.

include!(concat!(env!("OUT_DIR"), "/commands/list.rs"));
