//! What both clients promise, written once.
//!
//! The files of `promises/` are a part of two modules: in `aio` their macros `reply!` and `done!`
//! await a call of the async client, in `blocking` they send it and wait. Everything else, methods
//! and types included, is the same text for both. Where commands are values that belong to no client,
//! a test sends them by a [`caller::Caller`], which is either client or a connection of one's own.

#![cfg(all(feature = "async", feature = "blocking", feature = "core"))]
#![allow(
    clippy::duplicate_mod,
    clippy::while_let_on_iterator,
    reason = "a promise is kept by two clients, and its test is compiled for each; a scan is an iterator of one"
)]

mod added_words;
mod aio;
mod blocking;
mod caller;
#[path = "../support/clusters.rs"]
mod clusters;
mod errors;
mod instead;
mod names;
#[path = "../support/pool.rs"]
mod pool_support;
mod requested;
#[path = "../support/side.rs"]
mod side;
#[path = "../support/until.rs"]
mod until;
#[path = "../support/words.rs"]
mod words;

use until::until;
