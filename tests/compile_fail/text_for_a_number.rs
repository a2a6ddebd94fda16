//! A number is a number.

use respec::{Client, prelude::*};

async fn call(client: Client) {
    let _ = client.expire("key", "soon").await;
    let _ = client.setbit("key", 1.5, 1).await;
}

fn main() {}
