//! What both clients promise alike, written once: each test runs with the async client and with the
//! blocking one, on one server and on a cluster.

#![cfg(all(feature = "async", feature = "blocking", feature = "core"))]

mod caller;
mod errors;
mod instead;
mod names;
mod requested;
mod words;
