//! A field and its value are one argument, so that there may be several.

use respec::{Client, prelude::*};

async fn call(client: Client) {
    let _ = client.hset("k", "f", "v").await;
    let _ = client.hset("k", "f").await;
}

fn main() {}
