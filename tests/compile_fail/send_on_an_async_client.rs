//! `send` waits, so it belongs to the blocking client; `.await` belongs to the other one.

use respec::{Client, blocking, prelude::*};

async fn call(client: Client, waiting: blocking::Client) {
    let _ = client.get("key").send();
    let _ = waiting.get("key").await;
}

fn main() {}
