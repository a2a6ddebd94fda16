//! The type of the reply is that of the options given.

use bytes::Bytes;
use respec::{Client, prelude::*};

async fn call(client: Client) -> respec::Result<()> {
    let _: Option<Bytes> = client.lpop("key").count(2).await?;
    Ok(())
}

fn main() {}
