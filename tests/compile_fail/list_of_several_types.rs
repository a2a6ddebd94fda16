//! The commands of a list are of one type, which `erase` gives them.

use respec::{Client, cmd};

async fn call(client: Client) {
    let _ = client.pipeline(vec![cmd::get("k"), cmd::incr("n")]).await;
}

fn main() {}
