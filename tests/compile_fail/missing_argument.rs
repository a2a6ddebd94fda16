//! A required argument cannot be left out.

use respec::{Client, prelude::*};

async fn call(client: Client) {
    let _ = client.set("key").await;
}

fn main() {}
