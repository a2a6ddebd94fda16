//! Counts come from the list.

use respec::{Client, prelude::*};

async fn call(client: Client) {
    let _ = client.zunion(2, ["a", "b"]).await;
}

fn main() {}
