//! Commands as they are written, replies of real servers as types, and what a server is too old for.

#![cfg(all(
    feature = "async",
    feature = "blocking",
    feature = "core",
    feature = "modules"
))]

mod calls;
mod encoding;
mod irregular;
mod replies;
mod reply_server;
mod reply_types;
mod search;
mod sentinel;
#[path = "../support/socket.rs"]
mod socket;
mod version;
