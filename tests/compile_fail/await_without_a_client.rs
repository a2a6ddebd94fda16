//! A command that belongs to no client is sent by one.

use respec::cmd;

async fn call() {
    let _ = cmd::get("k").await;
}

fn main() {}
