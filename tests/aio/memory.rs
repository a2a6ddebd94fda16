//! What calls on the shared connection allocate, and what values that are kept keep.

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use respec::{Client, cmd, prelude::*};
use respec_testkit::{Cluster, Variant};
use tokio::runtime::{Builder, Runtime};

use crate::support::server;

/// A client on this thread, driver and all, so that everything is counted.
fn connected() -> (Runtime, Client) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(Client::connect(&server().url())).unwrap();
    (runtime, client)
}

const CALLS: u64 = 2000;

/// What `CALLS` calls allocate on a warm connection.
fn allocations(runtime: &Runtime, mut call: impl AsyncFnMut()) -> AllocationInfo {
    runtime.block_on(async {
        for _ in 0..CALLS {
            call().await;
        }
    });
    measure(|| {
        runtime.block_on(async {
            for _ in 0..CALLS {
                call().await;
            }
        });
    })
}

#[test]
fn a_warm_connection_allocates_nothing_but_the_value_of_a_get() {
    let (runtime, client) = connected();
    let value = Bytes::from(vec![b'v'; 64]);
    let set = allocations(&runtime, async || {
        client.set("memory:set", &value).await.unwrap();
    });
    let incr = allocations(&runtime, async || {
        client.incr("memory:incr").await.unwrap();
    });
    let get = allocations(&runtime, async || {
        assert_eq!(client.get("memory:set").await.unwrap().unwrap(), value);
    });
    let absent = allocations(&runtime, async || {
        assert_eq!(client.get("memory:absent").await.unwrap(), None);
    });
    let number = allocations(&runtime, async || {
        let number: Option<i64> = client.get("memory:incr").decode().await.unwrap();
        assert!(number.is_some());
    });
    // A block of the receive buffer serves the replies of hundreds of calls.
    let blocks = CALLS / 100;
    for (name, seen, allowed) in [
        ("SET", &set, 0),
        ("INCR", &incr, 0),
        ("GET", &get, CALLS),
        ("GET of nothing", &absent, 0),
        ("GET of a number", &number, 0),
    ] {
        assert!(
            seen.count_total <= allowed + blocks,
            "{CALLS} calls of {name} allocated {} times",
            seen.count_total
        );
        // The buffers may be others than before, and a heartbeat may have been due meanwhile.
        assert!(
            seen.count_current.unsigned_abs() <= blocks,
            "{CALLS} calls of {name} leave {} objects behind",
            seen.count_current
        );
    }
}

#[test]
fn an_ordinary_call_in_a_cluster_allocates_no_more() {
    let cluster = Cluster::builder(Variant::Valkey91).replicas(0).start();
    let cluster = cluster.unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let url = format!("{}?topology_refresh=none", cluster.url());
    let client = runtime.block_on(Client::connect(&url)).unwrap();
    let keys: Vec<_> = (0..10).map(|at| format!("memory:{at}")).collect();
    let value = Bytes::from(vec![b'v'; 64]);
    let mut next = keys.iter().cycle();
    let set = allocations(&runtime, async || {
        client.set(next.next().unwrap(), &value).await.unwrap();
    });
    let get = allocations(&runtime, async || {
        let key = next.next().unwrap();
        assert_eq!(client.get(key).await.unwrap().unwrap(), value);
    });
    let touch = allocations(&runtime, async || {
        let both = ["{memory}1", "{memory}2"];
        assert_eq!(client.exists(both).await.unwrap(), 0);
    });
    // As above, on three connections.
    let blocks = 3 * CALLS / 100;
    for (name, seen, allowed) in [("SET", &set, 0), ("GET", &get, CALLS)] {
        assert!(
            seen.count_total <= allowed + blocks,
            "{CALLS} calls of {name} allocated {} times",
            seen.count_total
        );
    }
    // The list of keys is one allocation, whoever it is sent to.
    assert!(touch.count_total <= CALLS + blocks, "{touch:?}");
}

#[test]
fn many_tasks_allocate_no_more_than_one() {
    let (runtime, client) = connected();
    let round = async |client: &Client| {
        let calls: Vec<_> = (0..64)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move {
                    for _ in 0..100 {
                        client.set("memory:many", "value").await.unwrap();
                    }
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
    };
    runtime.block_on(round(&client));
    let seen = measure(|| runtime.block_on(round(&client)));
    // Two for each task that is spawned.
    assert!(
        seen.count_total < 6400 / 20,
        "6400 calls allocated {} times",
        seen.count_total
    );
}

#[test]
fn a_small_value_that_is_kept_keeps_no_buffer() {
    let (runtime, client) = connected();
    let small = 100;
    runtime.block_on(async {
        client.set("memory:kept", vec![b'k'; small]).await.unwrap();
        client.del("memory:list").await.unwrap();
        client
            .rpush("memory:list", vec![vec![b'e'; small]; 20])
            .await
            .unwrap();
        client
            .set("memory:large", vec![b'l'; 20_000])
            .await
            .unwrap();
    });
    let mut kept = Vec::with_capacity(400);
    let memory = measure(|| {
        runtime.block_on(async {
            for _ in 0..200 {
                // The large value fills the buffer that the small ones lie in.
                let (value, _, list) = client
                    .pipeline((
                        cmd::get("memory:kept"),
                        cmd::get("memory:large"),
                        cmd::lrange("memory:list", 7, 7),
                    ))
                    .await
                    .unwrap();
                kept.push(value.unwrap());
                kept.extend(list);
            }
        });
    });
    let bytes = usize::try_from(memory.bytes_current).unwrap();
    // The value, or the frame that it is a part of, and the little that shares it. The buffer of the
    // connection, which may be a new one, is not kept by them.
    let allowed = kept.len() * (small + 150) + (512 << 10);
    assert!(bytes < allowed, "{} values keep {bytes} bytes", kept.len());
    assert_eq!(kept.len(), 400);
    assert!(kept.iter().all(|value| value.len() == small));
}
