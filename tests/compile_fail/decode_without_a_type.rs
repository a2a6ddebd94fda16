//! What is decoded needs a type.

use respec::{Client, prelude::*};

async fn call(client: Client) -> respec::Result<()> {
    let value = client.get("k").decode().await?;
    Ok(())
}

fn main() {}
