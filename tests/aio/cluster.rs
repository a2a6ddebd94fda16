//! The async client on real clusters: what only a client of futures promises.

use std::time::{Duration, Instant};

use bytes::Bytes;
use respec::{Client, Value, cmd, prelude::*};
use respec_testkit::{Cluster, Variant};

use crate::clusters::{keys, urls};

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[tokio::test]
async fn dropped_calls_harm_nobody() {
    for (url, name) in urls() {
        let client = Client::connect(&url).await.unwrap();
        let keys = keys(&format!("dropped:{name}"), 64);
        client
            .mset(keys.iter().map(|key| (key, key)))
            .await
            .unwrap();
        for round in 0..200 {
            let mut calls: Vec<_> = keys
                .iter()
                .map(|key| Box::pin(client.get(key).into_future()))
                .collect();
            let mut pipeline = Box::pin(client.pipeline(keys.iter().map(cmd::get)).into_future());
            std::future::poll_fn(|cx| {
                for call in &mut calls {
                    let _ = call.as_mut().poll(cx);
                }
                let _ = pipeline.as_mut().poll(cx);
                std::task::Poll::Ready(())
            })
            .await;
            drop(calls);
            drop(pipeline);
            let key = &keys[round % keys.len()];
            let got = client.get(key).await.unwrap();
            assert_eq!(got.as_deref(), Some(key.as_bytes()));
        }
    }
}

#[tokio::test]
async fn a_client_that_is_dropped_leaves_no_connection() {
    let cluster = Cluster::builder(Variant::Valkey91)
        .replicas(0)
        .start()
        .unwrap();
    let watcher = Client::connect(&cluster.url()).await.unwrap();
    let connections = async |name: &str| {
        let lists = watcher
            .each_node()
            .send(cmd::raw("CLIENT").arg("LIST"))
            .await;
        let lists = lists.unwrap().into_iter();
        let count = |value: Value| value.as_str().unwrap().matches(name).count();
        lists.map(|(_, list)| count(list.unwrap())).sum::<usize>()
    };
    let url = format!("{}?client_name=leaver", cluster.url());
    let client = Client::connect(&url).await.unwrap();
    let values = client.mget(keys("leaver", 50)).await.unwrap();
    assert_eq!(values.len(), 50);
    assert_eq!(connections("name=leaver").await, 3);
    let clone = client.clone();
    drop(client);
    assert_eq!(clone.get("x").await.unwrap(), None);
    drop(clone);
    let deadline = Instant::now() + Duration::from_secs(10);
    while connections("name=leaver").await > 0 {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_client_outlives_the_runtime_that_it_began_in() {
    let cluster = Cluster::shared(Variant::Valkey91);
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let first = runtime();
    let client = first.block_on(Client::connect(&cluster.url())).unwrap();
    let keys = keys("runtime", 30);
    first
        .block_on(async { client.mset(keys.iter().map(|key| (key, "1"))).await })
        .unwrap();
    drop(first);
    let second = runtime();
    let values = second.block_on(async { client.mget(&keys).await }).unwrap();
    assert!(values.iter().all(Option::is_some));
    let one = second.block_on(async { client.get(&keys[0]).await });
    assert_eq!(one.unwrap(), Some(bytes("1")));
}
