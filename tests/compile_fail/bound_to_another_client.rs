//! A command of one client is not sent by another one.

use respec::{Client, blocking, cmd, prelude::*};

async fn call(plain: Client, other: Client, waiting: blocking::Client) {
    let _ = plain.pipeline((other.get("k"), cmd::incr("n"))).await;
    let _ = plain.transaction(vec![other.get("k")]).await;
    let _ = plain.send(other.get("k")).await;
    let _ = waiting.send(other.get("k"));
    let _ = other.get("k").erase();
}

fn main() {}
