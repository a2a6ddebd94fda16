//! A command is no future, and becomes one.

use respec::{Client, prelude::*};

async fn call(client: Client) {
    let _ = tokio::join!(client.get("a"), client.get("b"));
}

fn main() {}
