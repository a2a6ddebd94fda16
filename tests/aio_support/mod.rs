//! A client, and waiting with a bound, for the tests of the async client.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test binary uses a part of it"
)]

#[path = "../words/mod.rs"]
mod words;

use std::time::{Duration, Instant};

use respec::Client;

pub use words::{Words, args, hasty, info, server, words};

/// A client of the server that all tests of a binary share.
pub async fn client() -> Client {
    Client::connect(&server().url()).await.unwrap()
}

/// Waits until `condition` holds, for ten seconds at most.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition().await {
        assert!(Instant::now() < deadline, "still waiting until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
