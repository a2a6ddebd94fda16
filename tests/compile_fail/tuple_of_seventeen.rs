//! A tuple has up to 16 commands.

use respec::{Client, cmd::get};

async fn call(client: Client) {
    let batch = (
        get("1"), get("2"), get("3"), get("4"), get("5"), get("6"), get("7"), get("8"), get("9"),
        get("10"), get("11"), get("12"), get("13"), get("14"), get("15"), get("16"), get("17"),
    );
    let _ = client.pipeline(batch).await;
}

fn main() {}
