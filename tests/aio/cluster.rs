//! The async client on real clusters.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use respec::{
    Client, Config, ErrorKind, Value,
    cluster::{AddressMap, NodeAddress, key_slot},
    cmd,
    prelude::*,
};
use respec_testkit::{Cluster, Variant, key_in_slot};
use serde::Deserialize;

/// The servers whose clusters all tests share.
const VARIANTS: [Variant; 3] = Variant::ALL;

/// Those of which a test has a cluster of its own.
const OWN: [Variant; 2] = [Variant::Redis70, Variant::Valkey91];

/// Clients of the shared clusters, in both versions of the protocol, with a prefix of their own.
async fn clients(test: &str) -> Vec<(Client, String)> {
    let mut clients = Vec::new();
    for variant in VARIANTS {
        for protocol in ["resp2", "resp3"] {
            let url = format!("{}?protocol={protocol}", Cluster::shared(variant).url());
            let client = Client::connect(&url).await.unwrap();
            clients.push((client, format!("{test}:{variant:?}:{protocol}")));
        }
    }
    clients
}

/// A client of a cluster of the caller's own.
async fn own(variant: Variant, options: &str) -> (Arc<Cluster>, Client) {
    let cluster = Cluster::builder(variant)
        // One shard's trouble is not that of the others.
        .require_full_coverage(false)
        .start()
        .unwrap();
    let cluster = Arc::new(cluster);
    let client = Client::connect(&format!("{}{options}", cluster.url()))
        .await
        .unwrap();
    (cluster, client)
}

/// Runs what blocks beside the tests of this thread.
async fn beside<T: Send + 'static>(
    cluster: &Arc<Cluster>,
    run: impl FnOnce(&Cluster) -> respec_testkit::Result<T> + Send + 'static,
) -> T {
    let cluster = Arc::clone(cluster);
    tokio::task::spawn_blocking(move || run(&cluster))
        .await
        .unwrap()
        .unwrap()
}

/// Keys that lie in many slots of all nodes.
fn keys(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{prefix}:{at}")).collect()
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// How often nodes have run a command, by address.
async fn calls(client: &Client, command: &str) -> HashMap<NodeAddress, u64> {
    let info = cmd::raw("INFO").arg("commandstats");
    let nodes = client.each_node().send(info).await.unwrap();
    let count = |text: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("cmdstat_{command}:calls=")))?;
        line.split(['=', ',']).nth(1)?.parse().ok()
    };
    nodes
        .into_iter()
        .map(|(node, info)| {
            let info = info.unwrap();
            let text = info.as_str().unwrap();
            (node, count(text).unwrap_or(0))
        })
        .collect()
}

#[derive(Debug, PartialEq, Deserialize)]
struct User {
    name: String,
    age: u8,
}

#[tokio::test]
async fn calls_are_those_of_any_topology() {
    for (client, prefix) in clients("calls").await {
        let key = |key: &str| format!("{prefix}:{key}");
        client.set(key("greeting"), "hello").await.unwrap();
        let fresh: bool = client.set(key("lock"), "me").nx().ex(30).await.unwrap();
        assert!(fresh);
        let old: Option<Bytes> = client.set(key("lock"), "you").get().await.unwrap();
        assert_eq!(old.as_deref(), Some(&b"me"[..]));
        let v: Option<Bytes> = client.get(key("greeting")).await.unwrap();
        assert_eq!(v.as_deref(), Some(&b"hello"[..]));
        let text: Option<String> = client.get(key("greeting")).decode().await.unwrap();
        assert_eq!(text.as_deref(), Some("hello"));
        assert_eq!(client.get(key("absent")).await.unwrap(), None);

        let board = [(1, "ann"), (3, "bob"), (2, "eve")];
        client.zadd(key("board"), board).await.unwrap();
        let top: Vec<(Bytes, f64)> = client
            .zrange(key("board"), 0, 9)
            .rev()
            .withscores()
            .await
            .unwrap();
        assert_eq!(top[0], (bytes("bob"), 3.0));
        client
            .hset(key("user"), [("name", "Ann"), ("age", "41")])
            .await
            .unwrap();
        let user: User = client.hgetall(key("user")).decode().await.unwrap();
        let name = "Ann".to_owned();
        assert_eq!(user, User { name, age: 41 });

        let pair = [(key("a"), "1"), (key("b"), "2")];
        client.mset(pair).await.unwrap();
        let n: u64 = client.del([key("a"), key("b"), key("c")]).await.unwrap();
        assert_eq!(n, 2);

        let raw = cmd::raw("GETRANGE").arg(key("greeting")).arg(1).arg(2);
        let part = client.send(raw).await.unwrap();
        assert_eq!(part, Value::BulkString(bytes("el")));
        let echo: Value = client.send(cmd::raw("ECHO").arg("x")).await.unwrap();
        assert_eq!(echo, Value::BulkString(bytes("x")));

        let error = client.incr(key("greeting")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!((error.code(), error.command()), (Some("ERR"), Some("INCR")));
    }
}

#[tokio::test]
async fn a_large_value_comes_back() {
    for (client, prefix) in clients("large").await {
        let large = Bytes::from(vec![b'x'; 3 << 20]);
        let small = client.set(format!("{prefix}:small"), "x");
        client.set(&prefix, large.clone()).await.unwrap();
        small.await.unwrap();
        assert_eq!(client.get(&prefix).await.unwrap(), Some(large.clone()));
        let commands = [0, 1, 2].map(|at| cmd::set(format!("{prefix}:{at}"), large.clone()));
        client.pipeline(commands).await.unwrap();
        assert_eq!(
            client.get(format!("{prefix}:2")).await.unwrap(),
            Some(large)
        );
        client.flush_of(&prefix).await;
    }
}

trait FlushOf {
    /// Deletes what a test has left that takes much memory.
    async fn flush_of(&self, prefix: &str);
}

impl FlushOf for Client {
    async fn flush_of(&self, prefix: &str) {
        let pattern = format!("{prefix}*");
        let keys: Vec<Bytes> = self.keys(pattern).await.unwrap();
        self.unlink(keys).await.unwrap();
    }
}

#[tokio::test]
async fn a_pipeline_over_all_slots_answers_in_order() {
    for (client, prefix) in clients("pipeline").await {
        let keys = keys(&prefix, 3000);
        client
            .pipeline(keys.iter().map(|key| cmd::set(key, key)))
            .await
            .unwrap();
        let values: Vec<Option<Bytes>> = client.pipeline(keys.iter().map(cmd::get)).await.unwrap();
        for (key, value) in keys.iter().zip(values) {
            assert_eq!(value.as_deref(), Some(key.as_bytes()));
        }
        // On one key the commands run in the order in which they stand.
        let counts: Vec<i64> = client
            .pipeline((0..2000).map(|at| cmd::incr(format!("{prefix}:n:{}", at % 7))))
            .await
            .unwrap();
        for (at, count) in counts.iter().enumerate() {
            assert_eq!(*count, 1 + at as i64 / 7);
        }
        let (n, value) = client
            .pipeline((
                cmd::incr(format!("{prefix}:m")),
                cmd::get(format!("{prefix}:0")),
            ))
            .await
            .unwrap();
        assert_eq!((n, value), (1, Some(bytes(&keys[0]))));
        let none: Vec<Option<Bytes>> = client
            .pipeline(std::iter::empty::<&str>().map(cmd::get))
            .await
            .unwrap();
        assert!(none.is_empty());
    }
}

#[tokio::test]
async fn a_pipeline_may_hold_what_is_split_and_what_all_nodes_run() {
    for (client, prefix) in clients("mixed").await {
        let keys = keys(&prefix, 40);
        let pairs = keys.iter().map(|key| (key, "1"));
        let ((), values, removed, exists) = client
            .pipeline((
                cmd::mset(pairs),
                cmd::mget(&keys),
                cmd::del(&keys[..30]),
                cmd::exists(&keys),
            ))
            .await
            .unwrap();
        assert!(values.iter().all(|value| value.as_deref() == Some(b"1")));
        assert_eq!((removed, exists), (30, 10));
        let size = client.pipeline([cmd::dbsize()]).await.unwrap();
        assert!(size[0] >= 10);
    }
}

#[tokio::test]
async fn each_command_of_a_pipeline_keeps_its_error() {
    for (client, prefix) in clients("errors").await {
        let keys = keys(&prefix, 50);
        let text = client.pipeline(keys.iter().step_by(2).map(|key| cmd::set(key, "text")));
        text.await.unwrap();
        let results = client.pipeline(keys.iter().map(cmd::incr)).results();
        for (at, result) in results.await.unwrap().into_iter().enumerate() {
            match result {
                Ok(count) => assert_eq!((at % 2, count), (1, 1)),
                Err(error) => {
                    assert_eq!(at % 2, 0);
                    assert_eq!((error.code(), error.command()), (Some("ERR"), Some("INCR")));
                }
            }
        }
        let error = client
            .pipeline(keys.iter().map(cmd::incr))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some("ERR"));
    }
}

#[tokio::test]
async fn a_transaction_runs_in_one_slot() {
    for (client, prefix) in clients("transaction").await {
        let key = |key: &str| format!("{{{prefix}}}:{key}");
        let (x, y) = client
            .transaction((cmd::incr(key("x")), cmd::decr(key("y"))))
            .await
            .unwrap();
        assert_eq!((x, y), (1, -1));
        let list = client
            .transaction((0..100).map(|_| cmd::incr(key("n"))))
            .await
            .unwrap();
        assert_eq!(list, (1..=100).collect::<Vec<i64>>());
        let values = client.transaction([cmd::mget([key("x"), key("y")])]);
        let values = values.await.unwrap();
        assert_eq!(values[0], [Some(bytes("1")), Some(bytes("-1"))]);
        client.set(key("s"), "text").await.unwrap();
        let (error, two) = client
            .transaction((cmd::incr(key("s")), cmd::incr(key("x"))))
            .results()
            .await
            .unwrap();
        assert_eq!(error.unwrap_err().code(), Some("ERR"));
        assert_eq!(two.unwrap(), 2);
    }
}

#[tokio::test]
async fn what_needs_one_slot_is_refused_before_anything_is_sent() {
    for (client, prefix) in clients("refused").await {
        let (a, b) = (format!("{prefix}:secret:a"), format!("{prefix}:secret:b"));
        assert_ne!(key_slot(a.as_bytes()), key_slot(b.as_bytes()));
        let errors = [
            client
                .transaction((cmd::incr(&a), cmd::incr(&b)))
                .await
                .unwrap_err(),
            client
                .pipeline((cmd::incr(&a), cmd::sinter([&a, &b])))
                .await
                .unwrap_err(),
            client.sinter([&a, &b]).await.unwrap_err(),
            client.rename(&a, &b).await.unwrap_err(),
            client.msetnx([(&a, "1"), (&b, "2")]).await.unwrap_err(),
            client
                .transaction((cmd::incr(&a), cmd::dbsize()))
                .await
                .unwrap_err(),
            client.send(cmd::scan(0)).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
            assert!(!error.may_have_executed());
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert_eq!(client.exists([&a, &b]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn keys_of_several_slots_are_split_and_joined() {
    for (client, prefix) in clients("split").await {
        let keys = keys(&prefix, 200);
        client
            .mset(keys.iter().map(|key| (key, key)))
            .await
            .unwrap();
        let mut asked = keys.clone();
        asked.insert(7, format!("{prefix}:absent"));
        asked.push(keys[3].clone());
        let values = client.mget(&asked).await.unwrap();
        for (key, value) in asked.iter().zip(values) {
            let expected = Some(key.as_bytes()).filter(|key| !key.ends_with(b"absent"));
            assert_eq!(value.as_deref(), expected);
        }
        assert_eq!(client.exists(&asked).await.unwrap(), 201);
        assert_eq!(client.touch(&asked[..10]).await.unwrap(), 9);
        assert_eq!(client.unlink(&keys[..50]).await.unwrap(), 50);
        assert_eq!(client.del(&keys).await.unwrap(), 150);
    }
    for variant in VARIANTS {
        let url = format!("{}?split=false", Cluster::shared(variant).url());
        let client = Client::connect(&url).await.unwrap();
        let error = client.del(["split:secret:1", "split:secret:2"]).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Refused);
        let one = client.del(["{split}:1", "{split}:2"]).await.unwrap();
        assert_eq!(one, 0);
    }
}

#[tokio::test]
async fn what_all_nodes_run_is_what_each_of_them_says() {
    for variant in OWN {
        let (_cluster, client) = own(variant, "").await;
        let keys = keys("all", 300);
        client
            .mset(keys.iter().map(|key| (key, "1")))
            .await
            .unwrap();

        let sizes = client.each_primary().send(cmd::dbsize()).await.unwrap();
        assert_eq!(sizes.len(), 3);
        let sum: u64 = sizes.into_iter().map(|(_, size)| size.unwrap()).sum();
        assert_eq!(sum, 300);
        assert_eq!(client.dbsize().await.unwrap(), 300);

        let found: BTreeSet<Bytes> = client.keys("all:*").await.unwrap().into_iter().collect();
        let by_hand = client
            .each_primary()
            .send(cmd::keys("all:*"))
            .await
            .unwrap();
        let by_hand: BTreeSet<Bytes> = by_hand
            .into_iter()
            .flat_map(|(_, keys)| keys.unwrap())
            .collect();
        assert_eq!(found, by_hand);
        assert_eq!(found, keys.iter().map(|key| bytes(key)).collect());

        let sha = client.script_load("return 7").await.unwrap();
        let loaded = client
            .each_primary()
            .send(cmd::script_exists([sha.clone()]))
            .await
            .unwrap();
        assert!(
            loaded
                .into_iter()
                .all(|(_, loaded)| loaded.unwrap() == [true])
        );
        for key in &keys[..20] {
            let seven: i64 = client.evalsha(sha.clone()).key(key).decode().await.unwrap();
            assert_eq!(seven, 7);
        }
        client
            .config_set([("maxmemory-samples", "7")])
            .await
            .unwrap();
        let samples = cmd::config_get(["maxmemory-samples"]);
        let samples = client
            .each_node()
            .send(samples.decode::<HashMap<String, u8>>());
        let samples = samples.await.unwrap();
        assert_eq!(samples.len(), 6);
        for (_, samples) in samples {
            assert_eq!(samples.unwrap()["maxmemory-samples"], 7);
        }

        client.flushall().await.unwrap();
        assert_eq!(client.dbsize().await.unwrap(), 0);
        let info = client.info().await.unwrap_err();
        assert_eq!(info.kind(), ErrorKind::Refused);
    }
}

#[tokio::test]
async fn a_node_is_named_and_answers_for_itself() {
    for (client, prefix) in clients("node").await {
        client.set(&prefix, "1").await.unwrap();
        let nodes = client.nodes().await.unwrap();
        assert_eq!(nodes.len(), 6);
        let mut found = 0;
        let mut moved = 0;
        for address in &nodes {
            let node = client.node(address).await.unwrap();
            match node.get(&prefix).await {
                Ok(value) => {
                    assert_eq!(value, Some(bytes("1")));
                    found += 1;
                }
                Err(error) => {
                    assert_eq!(error.code(), Some("MOVED"));
                    moved += 1;
                }
            }
            let page = node.scan(0).await.unwrap();
            let _ = page.items;
        }
        assert_eq!((found, moved), (1, 5));
        let nobody = client.node(&NodeAddress::new("127.0.0.1", 1)).await;
        assert_eq!(nobody.unwrap_err().kind(), ErrorKind::Refused);
    }
}

#[tokio::test]
async fn blocking_commands_and_watches_have_connections_of_their_own() {
    for (client, prefix) in clients("blocking").await {
        let list = format!("{prefix}:list");
        let popping = tokio::spawn({
            let (client, list) = (client.clone(), list.clone());
            async move { client.blpop([list], 10).await }
        });
        // Nobody on the same node waits for it.
        for n in 1..=20 {
            let count = client.incr(format!("{{{list}}}:n")).await.unwrap();
            assert_eq!(count, n);
        }
        client.rpush(&list, "x").await.unwrap();
        let popped = popping.await.unwrap().unwrap();
        assert_eq!(popped, Some((bytes(&list), bytes("x"))));
        assert_eq!(client.blpop([&list], 0.01).await.unwrap(), None);

        let watched = format!("{prefix}:watched");
        let dedicated = client.dedicated_for(&watched).await.unwrap();
        dedicated.watch([&watched]).await.unwrap();
        client.set(&watched, "other").await.unwrap();
        let error = dedicated
            .transaction([cmd::incr(&watched)])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Aborted);
        let any = client.dedicated().await.unwrap();
        any.ping().await.unwrap();
        let error = client.send(cmd::raw("SELECT").arg(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
}

#[tokio::test]
async fn many_tasks_get_their_own_replies() {
    for (client, prefix) in clients("tasks").await {
        let tasks: Vec<_> = (0..32)
            .map(|task| {
                let (client, prefix) = (client.clone(), prefix.clone());
                tokio::spawn(async move {
                    for round in 0..100 {
                        let key = format!("{prefix}:{task}:{}", round % 10);
                        let value = format!("{task}:{round}");
                        client.set(&key, &value).await.unwrap();
                        let got = client.get(&key).await.unwrap();
                        assert_eq!(got.as_deref(), Some(value.as_bytes()));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test]
async fn dropped_calls_harm_nobody() {
    for (client, prefix) in clients("dropped").await {
        let keys = keys(&prefix, 64);
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
async fn replicas_read_where_they_may() {
    for variant in VARIANTS {
        for read_from in ["prefer_replica", "any", "nearest"] {
            let (cluster, options) = (
                Cluster::shared(variant),
                format!("read_from={read_from}&client_name=reads"),
            );
            let client = Client::connect(&format!("{}?{options}", cluster.url()))
                .await
                .unwrap();
            let keys = keys(&format!("replica:{read_from}"), 60);
            for key in &keys {
                client.set(key, key).await.unwrap();
            }
            let primaries: Vec<_> = client.nodes().await.unwrap()[..3].to_vec();
            let before = calls(&client, "strlen").await;
            // What was written may not have arrived yet.
            let deadline = Instant::now() + Duration::from_secs(10);
            for key in &keys {
                while client.strlen(key).await.unwrap() == 0 {
                    assert!(Instant::now() < deadline);
                }
            }
            let lengths: Vec<u64> = client.pipeline(keys.iter().map(cmd::strlen)).await.unwrap();
            assert!(lengths.iter().all(|length| *length > 0));
            let after = calls(&client, "strlen").await;
            let made = |node: &NodeAddress| after[node] - before[node];
            let (mut at_primaries, mut at_replicas) = (0, 0);
            for node in after.keys() {
                if primaries.contains(node) {
                    at_primaries += made(node);
                } else {
                    at_replicas += made(node);
                }
            }
            assert!(at_primaries + at_replicas >= 120);
            match read_from {
                "prefer_replica" => assert_eq!(at_primaries, 0),
                "any" => assert!(at_primaries > 20 && at_replicas > 20),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_cluster_has_databases_where_the_server_does() {
    let cluster = Cluster::builder(Variant::Valkey91)
        .replicas(0)
        .config("cluster-databases", "4")
        .start()
        .unwrap();
    let other = cluster.url() + "/2";
    let client = Client::connect(&cluster.url()).await.unwrap();
    let other = Client::connect(&other).await.unwrap();
    client.set("db", "zero").await.unwrap();
    assert_eq!(other.get("db").await.unwrap(), None);
    other.set("db", "two").await.unwrap();
    assert_eq!(client.get("db").await.unwrap(), Some(bytes("zero")));

    let none = Cluster::shared(Variant::Redis70).url() + "/1";
    let error = Client::connect(&none).await.unwrap_err();
    assert_eq!(error.command(), Some("SELECT"));
}

#[tokio::test]
async fn addresses_are_mapped() {
    let cluster = Cluster::shared(Variant::Redis70);
    let seeds = cluster.nodes();
    let known: Vec<_> = seeds.iter().map(|node| node.addr().port()).collect();
    let config = Config::cluster([NodeAddress::new("127.0.0.1", known[0])]).address_map(
        AddressMap::function(move |announced| {
            known
                .contains(&announced.port())
                .then(|| NodeAddress::new("localhost", announced.port()))
        }),
    );
    let client = Client::from_config(config);
    client.set("mapped", "1").await.unwrap();
    let nodes = client.nodes().await.unwrap();
    assert!(
        nodes.iter().all(|node| node.host() == "localhost"),
        "{nodes:?}"
    );
}

#[tokio::test]
async fn who_cannot_connect_says_why() {
    let error = Client::connect("redis-cluster://127.0.0.1:1,127.0.0.1:2")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    let standalone = respec_testkit::shared(Variant::Redis70);
    let url = standalone.url().replace("redis:", "redis-cluster:");
    let error = Client::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    let config = Config::cluster([]);
    let error = Client::from_config(config).get("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let mut wrong = Config::from_url(&Cluster::shared(Variant::Redis70).url()).unwrap();
    wrong = wrong.username("nobody").password("canary");
    let error = Client::connect(&wrong.to_url_with_secrets())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("WRONGPASS"), "{error}");
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test]
async fn a_scan_returns_all_keys() {
    for (client, prefix) in clients("scan").await {
        let keys = keys(&prefix, 500);
        client
            .mset(keys.iter().map(|key| (key, "1")))
            .await
            .unwrap();
        let pattern = format!("{prefix}:*");
        let mut scan = client.iterate(|cursor| cmd::scan(cursor).r#match(&pattern).count(20));
        let mut found = Vec::new();
        while let Some(key) = scan.next().await {
            found.push(key.unwrap());
        }
        assert_eq!(found.len(), keys.len(), "nothing moved, and so comes once");
        let found: BTreeSet<Bytes> = found.into_iter().collect();
        assert_eq!(found, keys.iter().map(|key| bytes(key)).collect());

        let hash = format!("{prefix}#hash");
        let fields = (0..700).map(|at| (format!("f{at}"), at));
        client.hset(&hash, fields).await.unwrap();
        let mut scan = client.iterate(|cursor| cmd::hscan(&hash, cursor).count(50));
        let mut sum = 0;
        while let Some(pair) = scan.next().await {
            let (_, value) = pair.unwrap();
            sum += str::from_utf8(&value).unwrap().parse::<u64>().unwrap();
        }
        assert_eq!(sum, 699 * 350);
        let set = format!("{prefix}#set");
        client
            .zadd(&set, (0..10).map(|at| (at, format!("m{at}"))))
            .await
            .unwrap();
        let mut scan = client.iterate(|cursor| cmd::zscan(&set, cursor));
        let mut count = 0;
        while let Some(pair) = scan.next().await {
            let (_, score): (Bytes, f64) = pair.unwrap();
            assert!(score < 10.0);
            count += 1;
        }
        assert_eq!(count, 10);
    }
}

#[tokio::test]
async fn a_scan_finds_keys_that_move_behind_its_back() {
    for variant in OWN {
        let (cluster, client) = own(variant, "").await;
        let keys = keys("scan", 3000);
        client
            .mset(keys.iter().map(|key| (key, "1")))
            .await
            .unwrap();
        let mut scan = client.iterate(|cursor| cmd::scan(cursor).count(100));
        let mut found = BTreeSet::new();
        let mut rounds = 0;
        while let Some(key) = scan.next().await {
            found.insert(key.unwrap());
            rounds += 1;
            if rounds == 1500 {
                // The first node has been scanned by now, and the last has not.
                let primaries = cluster.primaries().unwrap();
                let slots: Vec<u16> = keys
                    .iter()
                    .map(|key| key_slot(key.as_bytes()))
                    .filter(|slot| *slot > 11_000)
                    .take(20)
                    .collect();
                for slot in slots {
                    if cluster.primary_of(slot).unwrap().id() != primaries[0].id() {
                        cluster.move_slot(slot, &primaries[0]).unwrap();
                    }
                }
            }
            if rounds == 2500 {
                let primary = &cluster.primaries().unwrap()[2];
                let replica = &cluster.replicas_of(primary).unwrap()[0];
                cluster.fail_over(replica).unwrap();
            }
        }
        let missing: Vec<_> = keys
            .iter()
            .filter(|key| !found.contains(key.as_bytes()))
            .collect();
        assert!(missing.is_empty(), "{variant}: {missing:?} after {rounds}");
        assert!(rounds > 2500, "something is returned again");
    }
}

#[tokio::test]
async fn a_slot_on_the_move_is_followed() {
    for variant in OWN {
        let (cluster, client) = own(variant, "?response_timeout=5s").await;
        let slot = 100;
        let tag = key_in_slot(slot);
        let key = |at: usize| format!("{tag}:{at}");
        for at in 0..10 {
            client.set(key(at), at).await.unwrap();
        }
        let target = Arc::clone(&cluster.primaries().unwrap()[1]);
        let step = cluster.slot_move(slot, &target).unwrap();
        step.open().unwrap();
        assert_eq!(step.move_keys(5).unwrap(), 5);

        // ASK, for what has moved and for what is not there.
        for at in 0..10 {
            let value: usize = client.get(key(at)).decode().await.unwrap();
            assert_eq!(value, at);
        }
        assert_eq!(client.incr(key(100)).await.unwrap(), 1);
        let values: Vec<Option<u64>> = client
            .pipeline((0..10).map(|at| cmd::get(key(at)).decode::<Option<u64>>()))
            .await
            .unwrap();
        assert_eq!(values, (0..10).map(Some).collect::<Vec<_>>());
        let asked = target.command(&[b"INFO", b"commandstats"]).unwrap();
        let asked = String::from_utf8_lossy(&asked).into_owned();
        assert!(asked.contains("cmdstat_asking"), "{asked}");
        // Servers let a transaction of several new keys wait until the end of the move.
        let one = client.transaction([cmd::incr(key(200))]).await.unwrap();
        assert_eq!(one, [1]);

        // TRYAGAIN, until all keys are on one side.
        let all: Vec<_> = (0..10).map(key).collect();
        let asking = tokio::spawn({
            let (client, all) = (client.clone(), all.clone());
            async move { client.mget(all).await }
        });
        tokio::task::yield_now().await;
        let short = Client::connect(&format!("{}?response_timeout=1s", cluster.url()))
            .await
            .unwrap();
        let error = short.mget(all.clone()).await.unwrap_err();
        assert_eq!(error.code(), Some("TRYAGAIN"), "{error}");
        assert!(!error.may_have_executed());
        assert!(!asking.is_finished());
        step.move_all_keys().unwrap();
        let values = asking.await.unwrap().unwrap();
        assert!(values.iter().all(Option::is_some));

        // MOVED.
        step.assign().unwrap();
        for at in 0..10 {
            let value: usize = client.get(key(at)).decode().await.unwrap();
            assert_eq!(value, at);
        }
        assert_eq!(client.del(&all).await.unwrap(), 10);
        let again = client.transaction([cmd::incr(key(200))]).await.unwrap();
        assert_eq!(again, [2]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_move_under_load_and_nobody_notices() {
    for variant in OWN {
        let (cluster, client) = own(variant, "").await;
        let stop = Arc::new(AtomicBool::new(false));
        let slots: Vec<u16> = (0..20).collect();
        let tasks: Vec<_> = (0..4)
            .map(|task| {
                let (client, stop, slots) = (client.clone(), Arc::clone(&stop), slots.clone());
                tokio::spawn(async move {
                    let mut rounds = 0;
                    while !stop.load(Ordering::Relaxed) {
                        rounds += 1;
                        for slot in &slots {
                            let key = format!("{}:{task}", key_in_slot(*slot));
                            let count = client.incr(&key).await.unwrap();
                            assert_eq!(count, rounds);
                        }
                        let keys = slots
                            .iter()
                            .map(|slot| format!("{}:p{task}", key_in_slot(*slot)));
                        let counts = client.pipeline(keys.map(cmd::incr)).await.unwrap();
                        assert!(counts.iter().all(|count| *count == rounds), "{counts:?}");
                    }
                    rounds
                })
            })
            .collect();
        beside(&cluster, move |cluster| {
            let primaries = cluster.primaries()?;
            for slot in slots {
                cluster.move_slot(slot, &primaries[1 + usize::from(slot) % 2])?;
            }
            if cluster.variant() == Variant::Valkey91 {
                // The servers' own way, which moves slots as a whole.
                cluster.migrate_slots(20..=40, &primaries[1])?;
                cluster.move_slot(1, &primaries[0])?;
                cluster.move_slot(3, &primaries[0])?;
                cluster.migrate_slots(1..=1, &primaries[2])?;
                cluster.migrate_slots(3..=3, &primaries[2])?;
            }
            Ok(())
        })
        .await;
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            assert!(task.await.unwrap() > 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_the_primary_takes_part_in_fails_no_call() {
    for variant in OWN {
        let (cluster, client) = own(variant, "?response_timeout=5s").await;
        let stop = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = (0..4)
            .map(|task| {
                let (client, stop) = (client.clone(), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut rounds = 0;
                    while !stop.load(Ordering::Relaxed) {
                        rounds += 1;
                        for slot in [0, 6000, 12_000] {
                            let key = format!("{}:{task}", key_in_slot(slot));
                            assert_eq!(client.incr(&key).await.unwrap(), rounds);
                        }
                    }
                })
            })
            .collect();
        beside(&cluster, |cluster| {
            for _ in 0..2 {
                let primary = cluster.primary_of(0)?;
                let replica = Arc::clone(&cluster.replicas_of(&primary)?[0]);
                cluster.fail_over(&replica)?;
            }
            Ok(())
        })
        .await;
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_dies_or_freezes_delays_nobody_else() {
    for variant in OWN {
        for freezes in [false, true] {
            let (cluster, client) = own(variant, "?response_timeout=1s").await;
            let done = Arc::new(AtomicU64::new(0));
            let stop = Arc::new(AtomicBool::new(false));
            let others = tokio::spawn({
                let (client, stop, done) = (client.clone(), Arc::clone(&stop), Arc::clone(&done));
                async move {
                    let keys = [6000, 12_000].map(key_in_slot);
                    while !stop.load(Ordering::Relaxed) {
                        for key in &keys {
                            client.incr(key).await.unwrap();
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
            let primary = cluster.primary_of(0).unwrap();
            let outage = if freezes {
                cluster.pause(&primary).unwrap()
            } else {
                cluster.kill(&primary).unwrap()
            };
            let key = key_in_slot(0);
            let (mut failed, start) = (0, Instant::now());
            loop {
                let before = done.load(Ordering::Relaxed);
                let begin = Instant::now();
                let written = client.incr(&key).await;
                let took = begin.elapsed();
                assert!(took < Duration::from_millis(1500), "{took:?}");
                match written {
                    Ok(_) => break,
                    Err(_) if took > Duration::from_millis(500) => {
                        let meanwhile = done.load(Ordering::Relaxed) - before;
                        assert!(meanwhile > 20, "{meanwhile} calls to others in {took:?}");
                        failed += 1;
                    }
                    Err(_) => failed += 1,
                }
                assert!(start.elapsed() < Duration::from_secs(20), "{failed} failed");
            }
            stop.store(true, Ordering::Relaxed);
            others.await.unwrap();
            let dedicated = client.dedicated_for(&key).await.unwrap();
            dedicated.incr(&key).await.unwrap();
            if freezes {
                cluster.resume(&primary).unwrap();
            }
            drop(outage);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_do_not_wait_for_a_silent_node_that_was_replaced() {
    for variant in VARIANTS {
        let (cluster, client) = own(variant, "?response_timeout=60s&topology_refresh=300ms").await;
        let key = key_in_slot(0);
        client.set(&key, "1").await.unwrap();
        let primary = cluster.primary_of(0).unwrap();
        cluster.pause(&primary).unwrap();
        // The one may be done again, the other not; both would have a minute.
        let (read, written) = tokio::join!(client.get(&key), client.incr(&key));
        assert!(cluster.primary_of(0).unwrap().id() != primary.id());
        assert_eq!(read.unwrap(), Some(bytes("1")), "{variant}");
        let error = written.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        assert!(error.may_have_executed());
        cluster.resume(&primary).unwrap();
    }
}

#[tokio::test]
async fn a_slot_that_nobody_serves_is_waited_for() {
    for variant in OWN {
        let cluster = Cluster::builder(variant)
            .replicas(0)
            .require_full_coverage(false)
            .start()
            .unwrap();
        let cluster = Arc::new(cluster);
        let url = cluster.url();
        let client = Client::connect(&format!("{url}?response_timeout=10s"))
            .await
            .unwrap();
        let short = Client::connect(&format!("{url}?response_timeout=300ms"))
            .await
            .unwrap();
        let owner = cluster.primary_of(0).unwrap();
        beside(&cluster, |cluster| cluster.delete_slots(0..=0)).await;
        let key = key_in_slot(0);
        let error = short.incr(&key).await.unwrap_err();
        assert_eq!(error.code(), Some("CLUSTERDOWN"), "{error}");
        assert!(!error.may_have_executed());
        let waiting = tokio::spawn({
            let (client, key) = (client.clone(), key.clone());
            async move { client.incr(key).await }
        });
        beside(&cluster, move |cluster| cluster.add_slots(0..=0, &owner)).await;
        assert_eq!(waiting.await.unwrap().unwrap(), 1);
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
