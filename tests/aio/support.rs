//! A client, and waiting with a bound, for the tests of the async client.

use std::time::{Duration, Instant};

use respec::Client;

pub(crate) use crate::words::{args, hasty, info, server, words};

/// A client of the server that all tests of a binary share.
pub(crate) async fn client() -> Client {
    Client::connect(&server().url()).await.unwrap()
}

/// Waits until `condition` holds, for ten seconds at most.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition().await {
        assert!(Instant::now() < deadline, "still waiting until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
