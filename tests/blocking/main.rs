//! The blocking client on real servers and clusters.

#![cfg(all(feature = "blocking", feature = "core"))]

mod client;
mod cluster;
mod cluster_slot;
#[path = "../support/clusters.rs"]
mod clusters;
mod cut;
mod dedicated;
mod faults;
mod link;
mod pool;
#[path = "../support/pool.rs"]
mod pool_support;
mod support;
mod typed;
#[path = "../support/words.rs"]
mod words;
