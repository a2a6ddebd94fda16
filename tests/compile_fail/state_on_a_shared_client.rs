//! What changes the state of a connection is no method of a client that others share.

use respec::{Client, prelude::*};

async fn call(client: Client) {
    let _ = client.watch("key").await;
    let _ = client.subscribe("channel").await;
    let _ = client.monitor().await;
}

fn main() {}
