//! A client, and what else the tests of the async client share with those of the other one.

use respec::Client;

pub(crate) use crate::{
    until::until,
    words::{args, hasty, info, server, words},
};

/// A client of the server that all tests of a binary share.
pub(crate) async fn client() -> Client {
    Client::connect(&server().url()).await.unwrap()
}
