//! Looking after a cluster.

include!(concat!(env!("OUT_DIR"), "/commands/cluster.rs"));
