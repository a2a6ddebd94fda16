//! The async client on real servers and clusters.

#![cfg(all(feature = "async", feature = "core"))]

mod client;
mod cluster;
mod dedicated;
mod faults;
mod link;
mod memory;
mod pool;
#[path = "../support/pool.rs"]
mod pool_support;
mod pressure;
mod support;
#[path = "../support/words.rs"]
mod words;
