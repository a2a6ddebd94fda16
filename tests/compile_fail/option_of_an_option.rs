//! A part of an option exists once the option was given.

use respec::{Client, prelude::*};

async fn call(client: Client) {
    let _ = client.hrandfield("key").withvalues().await;
}

fn main() {}
