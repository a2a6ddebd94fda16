//! Sorted sets: members with scores.

include!(concat!(env!("OUT_DIR"), "/commands/sorted_set.rs"));
