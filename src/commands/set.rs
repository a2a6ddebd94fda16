//! Sets of members.

include!(concat!(env!("OUT_DIR"), "/commands/set.rs"));
