//! A repeated argument takes values, or lists of them, and nothing else.

use respec::{Client, prelude::*};

async fn call(client: Client) {
    let _ = client.del([(), ()]).await;
}

fn main() {}
