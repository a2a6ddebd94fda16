//! A command is no future, but becomes one: `into_future` is what `join_all` wants of each.

use respec::{Client, prelude::*};

/// As that of the crate `futures`.
async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut outputs = Vec::new();
    for future in futures {
        outputs.push(future.await);
    }
    outputs
}

async fn call(client: Client) {
    let _ = join_all(["a", "b"].map(|key| client.get(key).into_future())).await;
    let _ = join_all(["a", "b"].map(|key| client.get(key))).await;
}

fn main() {}
