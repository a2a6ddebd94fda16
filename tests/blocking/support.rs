//! A client, and waiting with a bound, for the tests of the blocking client.

use std::time::{Duration, Instant};

use respec::blocking::Client;

pub(crate) use crate::words::{Words, args, hasty, info, server, words};

/// A push as text.
pub(crate) fn text(value: &respec::reply::Value) -> String {
    format!("{value:?}")
}

/// A client of the server that all tests of a binary share.
pub(crate) fn client() -> Client {
    Client::connect(&server().url()).unwrap()
}

/// Waits until `condition` holds, for ten seconds at most.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "still waiting until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
