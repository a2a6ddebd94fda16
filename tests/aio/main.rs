//! The async client on real servers and clusters.

#![cfg(all(feature = "async", feature = "core"))]

mod client;
mod cluster;
#[path = "../support/clusters.rs"]
mod clusters;
mod dedicated;
mod faults;
mod link;
mod memory;
mod pool;
#[path = "../support/pool.rs"]
mod pool_support;
mod pressure;
mod support;
#[path = "../support/until.rs"]
mod until;
#[path = "../support/words.rs"]
mod words;
