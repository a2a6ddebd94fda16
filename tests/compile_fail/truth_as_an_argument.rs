//! A truth value is no argument.

use respec::{Client, prelude::*};

async fn call(client: Client) {
    let _ = client.set("k", true).await;
}

fn main() {}
