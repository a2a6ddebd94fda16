//! Of alternatives, only one can be given.

use respec::{Client, prelude::*};

async fn call(client: Client) {
    let _ = client.set("key", "value").nx().xx().await;
    let _ = client.set("key", "value").ex(1).px(1).await;
}

fn main() {}
