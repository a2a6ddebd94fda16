//! A choice at run time fills the same place.

use respec::{Client, commands::string::SetCondition, prelude::*};

async fn call(client: Client) {
    let _ = client.set("key", "value").nx().condition(SetCondition::Xx).await;
}

fn main() {}
