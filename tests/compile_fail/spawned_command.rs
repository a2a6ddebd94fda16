//! A command is no future, and a task has to own its client.

use respec::{Client, prelude::*};

async fn call(client: Client) {
    let _ = tokio::spawn(client.get("k"));
}

fn main() {}
