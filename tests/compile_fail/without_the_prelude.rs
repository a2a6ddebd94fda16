//! The methods of clients are those of traits.

use respec::Client;

async fn call(client: Client) {
    let _ = client.get("k").await;
}

fn main() {}
