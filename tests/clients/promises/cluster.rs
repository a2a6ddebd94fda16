//! Clients of real clusters.

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
    Config, ErrorKind, Value,
    cluster::{AddressMap, NodeAddress, key_slot},
    cmd,
    prelude::*,
};
use respec_testkit::{
    Cluster, Variant,
    canary::{assert_absent, secret},
    key_in_slot,
};
use serde::Deserialize;

use super::{Client, NAME, next_push, spawn};
use crate::clusters::{self, VARIANTS, keys, urls};

/// Clients of the shared clusters, in both versions of the protocol, with a prefix of their own.
async fn clients(test: &str) -> Vec<(Client, String)> {
    let mut clients = Vec::new();
    for (url, name) in urls() {
        let client = done!(Client::connect(&url)).unwrap();
        clients.push((client, format!("{NAME}:{test}:{name}")));
    }
    clients
}

/// A client of a cluster of the caller's own.
async fn own(variant: Variant, options: &str) -> (Arc<Cluster>, Client) {
    let cluster = clusters::own(variant);
    let client = done!(Client::connect(&format!("{}{options}", cluster.url()))).unwrap();
    (cluster, client)
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// How often nodes have run a command, by address.
async fn calls(client: &Client, command: &str) -> HashMap<NodeAddress, u64> {
    let info = cmd::raw("INFO").arg("commandstats");
    let nodes = done!(client.each_node().send(info)).unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_those_of_any_topology() {
    for (client, prefix) in clients("calls").await {
        let key = |key: &str| format!("{prefix}:{key}");
        reply!(client.set(key("greeting"), "hello")).unwrap();
        let fresh: bool = reply!(client.set(key("lock"), "me").nx().ex(30)).unwrap();
        assert!(fresh);
        let old: Option<Bytes> = reply!(client.set(key("lock"), "you").get()).unwrap();
        assert_eq!(old.as_deref(), Some(&b"me"[..]));
        let v: Option<Bytes> = reply!(client.get(key("greeting"))).unwrap();
        assert_eq!(v.as_deref(), Some(&b"hello"[..]));
        let text: Option<String> = reply!(client.get(key("greeting")).decode()).unwrap();
        assert_eq!(text.as_deref(), Some("hello"));
        assert_eq!(reply!(client.get(key("absent"))).unwrap(), None);

        let board = [(1, "ann"), (3, "bob"), (2, "eve")];
        reply!(client.zadd(key("board"), board)).unwrap();
        let top: Vec<(Bytes, f64)> =
            reply!(client.zrange(key("board"), 0, 9).rev().withscores()).unwrap();
        assert_eq!(top[0], (bytes("bob"), 3.0));
        reply!(client.hset(key("user"), [("name", "Ann"), ("age", "41")])).unwrap();
        let user: User = reply!(client.hgetall(key("user")).decode()).unwrap();
        let name = "Ann".to_owned();
        assert_eq!(user, User { name, age: 41 });

        let pair = [(key("a"), "1"), (key("b"), "2")];
        reply!(client.mset(pair)).unwrap();
        let n: u64 = reply!(client.del([key("a"), key("b"), key("c")])).unwrap();
        assert_eq!(n, 2);

        let raw = cmd::raw("GETRANGE").arg(key("greeting")).arg(1).arg(2);
        let part = done!(client.send(raw)).unwrap();
        assert_eq!(part, Value::BulkString(bytes("el")));
        let echo: Value = done!(client.send(cmd::raw("ECHO").arg("x"))).unwrap();
        assert_eq!(echo, Value::BulkString(bytes("x")));

        let error = reply!(client.incr(key("greeting"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!((error.code(), error.command()), (Some("ERR"), Some("INCR")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_value_comes_back() {
    for (client, prefix) in clients("large").await {
        let large = Bytes::from(vec![b'x'; 3 << 20]);
        let small = client.set(format!("{prefix}:small"), "x");
        reply!(client.set(&prefix, large.clone())).unwrap();
        reply!(small).unwrap();
        assert_eq!(reply!(client.get(&prefix)).unwrap(), Some(large.clone()));
        let commands = [0, 1, 2].map(|at| cmd::set(format!("{prefix}:{at}"), large.clone()));
        reply!(client.pipeline(commands)).unwrap();
        assert_eq!(
            reply!(client.get(format!("{prefix}:2"))).unwrap(),
            Some(large)
        );
        flush(&client, &prefix).await;
    }
}

/// Deletes what a test has left that takes much memory.
async fn flush(client: &Client, prefix: &str) {
    let keys: Vec<Bytes> = reply!(client.keys(format!("{prefix}*"))).unwrap();
    reply!(client.unlink(keys)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_over_all_slots_answers_in_order() {
    for (client, prefix) in clients("pipeline").await {
        let keys = keys(&prefix, 3000);
        reply!(client.pipeline(keys.iter().map(|key| cmd::set(key, key)))).unwrap();
        let values: Vec<Option<Bytes>> =
            reply!(client.pipeline(keys.iter().map(cmd::get))).unwrap();
        for (key, value) in keys.iter().zip(values) {
            assert_eq!(value.as_deref(), Some(key.as_bytes()));
        }
        // On one key the commands run in the order in which they stand.
        let counts: Vec<i64> = reply!(
            client.pipeline((0..2000).map(|at| cmd::incr(format!("{prefix}:n:{}", at % 7))))
        )
        .unwrap();
        for (at, count) in counts.iter().enumerate() {
            assert_eq!(*count, 1 + at as i64 / 7);
        }
        let (n, value) = reply!(client.pipeline((
            cmd::incr(format!("{prefix}:m")),
            cmd::get(format!("{prefix}:0")),
        )))
        .unwrap();
        assert_eq!((n, value), (1, Some(bytes(&keys[0]))));
        let none: Vec<Option<Bytes>> =
            reply!(client.pipeline(std::iter::empty::<&str>().map(cmd::get))).unwrap();
        assert!(none.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_may_hold_what_is_split_and_what_all_nodes_run() {
    for (client, prefix) in clients("mixed").await {
        let keys = keys(&prefix, 40);
        let pairs = keys.iter().map(|key| (key, "1"));
        let ((), values, removed, exists) = reply!(client.pipeline((
            cmd::mset(pairs),
            cmd::mget(&keys),
            cmd::del(&keys[..30]),
            cmd::exists(&keys),
        )))
        .unwrap();
        assert!(values.iter().all(|value| value.as_deref() == Some(b"1")));
        assert_eq!((removed, exists), (30, 10));
        let size = reply!(client.pipeline([cmd::dbsize()])).unwrap();
        assert!(size[0] >= 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_of_a_pipeline_keeps_its_error() {
    for (client, prefix) in clients("errors").await {
        let keys = keys(&prefix, 50);
        let text = client.pipeline(keys.iter().step_by(2).map(|key| cmd::set(key, "text")));
        reply!(text).unwrap();
        let results = client.pipeline(keys.iter().map(cmd::incr)).results();
        for (at, result) in reply!(results).unwrap().into_iter().enumerate() {
            match result {
                Ok(count) => assert_eq!((at % 2, count), (1, 1)),
                Err(error) => {
                    assert_eq!(at % 2, 0);
                    assert_eq!((error.code(), error.command()), (Some("ERR"), Some("INCR")));
                }
            }
        }
        let error = reply!(client.pipeline(keys.iter().map(cmd::incr))).unwrap_err();
        assert_eq!(error.code(), Some("ERR"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_runs_in_one_slot() {
    for (client, prefix) in clients("transaction").await {
        let key = |key: &str| format!("{{{prefix}}}:{key}");
        let (x, y) =
            reply!(client.transaction((cmd::incr(key("x")), cmd::decr(key("y"))))).unwrap();
        assert_eq!((x, y), (1, -1));
        let list = reply!(client.transaction((0..100).map(|_| cmd::incr(key("n"))))).unwrap();
        assert_eq!(list, (1..=100).collect::<Vec<i64>>());
        let values = client.transaction([cmd::mget([key("x"), key("y")])]);
        let values = reply!(values).unwrap();
        assert_eq!(values[0], [Some(bytes("1")), Some(bytes("-1"))]);
        reply!(client.set(key("s"), "text")).unwrap();
        let (error, two) = reply!(
            client
                .transaction((cmd::incr(key("s")), cmd::incr(key("x"))))
                .results()
        )
        .unwrap();
        assert_eq!(error.unwrap_err().code(), Some("ERR"));
        assert_eq!(two.unwrap(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_one_slot_is_refused_before_anything_is_sent() {
    for (client, prefix) in clients("refused").await {
        let (a, b) = (format!("{prefix}:secret:a"), format!("{prefix}:secret:b"));
        assert_ne!(key_slot(a.as_bytes()), key_slot(b.as_bytes()));
        let errors = [
            reply!(client.transaction((cmd::incr(&a), cmd::incr(&b)))).unwrap_err(),
            reply!(client.pipeline((cmd::incr(&a), cmd::sinter([&a, &b])))).unwrap_err(),
            reply!(client.sinter([&a, &b])).unwrap_err(),
            reply!(client.rename(&a, &b)).unwrap_err(),
            reply!(client.msetnx([(&a, "1"), (&b, "2")])).unwrap_err(),
            reply!(client.transaction((cmd::incr(&a), cmd::dbsize()))).unwrap_err(),
            done!(client.send(cmd::scan(0))).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
            assert!(!error.may_have_executed());
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert_eq!(reply!(client.exists([&a, &b])).unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_several_slots_are_split_and_joined() {
    for (client, prefix) in clients("split").await {
        let keys = keys(&prefix, 200);
        reply!(client.mset(keys.iter().map(|key| (key, key)))).unwrap();
        let mut asked = keys.clone();
        asked.insert(7, format!("{prefix}:absent"));
        asked.push(keys[3].clone());
        let values = reply!(client.mget(&asked)).unwrap();
        for (key, value) in asked.iter().zip(values) {
            let expected = Some(key.as_bytes()).filter(|key| !key.ends_with(b"absent"));
            assert_eq!(value.as_deref(), expected);
        }
        assert_eq!(reply!(client.exists(&asked)).unwrap(), 201);
        assert_eq!(reply!(client.touch(&asked[..10])).unwrap(), 9);
        assert_eq!(reply!(client.unlink(&keys[..50])).unwrap(), 50);
        assert_eq!(reply!(client.del(&keys)).unwrap(), 150);
    }
    for variant in VARIANTS {
        let url = format!("{}?split=false", Cluster::shared(variant).url());
        let client = done!(Client::connect(&url)).unwrap();
        let error = reply!(client.del(["split:secret:1", "split:secret:2"]));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Refused);
        let one = reply!(client.del(["{split}:1", "{split}:2"])).unwrap();
        assert_eq!(one, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_nodes_run_is_what_each_of_them_says() {
    for variant in VARIANTS {
        let (_cluster, client) = own(variant, "").await;
        let keys = keys("all", 300);
        reply!(client.mset(keys.iter().map(|key| (key, "1")))).unwrap();

        let sizes = done!(client.each_primary().send(cmd::dbsize())).unwrap();
        assert_eq!(sizes.len(), 3);
        let sum: u64 = sizes.into_iter().map(|(_, size)| size.unwrap()).sum();
        assert_eq!(sum, 300);
        assert_eq!(reply!(client.dbsize()).unwrap(), 300);

        let found: BTreeSet<Bytes> = reply!(client.keys("all:*")).unwrap().into_iter().collect();
        let by_hand = done!(client.each_primary().send(cmd::keys("all:*"))).unwrap();
        let by_hand: BTreeSet<Bytes> = by_hand
            .into_iter()
            .flat_map(|(_, keys)| keys.unwrap())
            .collect();
        assert_eq!(found, by_hand);
        assert_eq!(found, keys.iter().map(|key| bytes(key)).collect());

        let sha = reply!(client.script_load("return 7")).unwrap();
        let loaded = done!(
            client
                .each_primary()
                .send(cmd::script_exists([sha.clone()]))
        )
        .unwrap();
        assert!(
            loaded
                .into_iter()
                .all(|(_, loaded)| loaded.unwrap() == [true])
        );
        for key in &keys[..20] {
            let seven: i64 = reply!(client.evalsha(sha.clone()).key(key).decode()).unwrap();
            assert_eq!(seven, 7);
        }
        reply!(client.config_set([("maxmemory-samples", "7")])).unwrap();
        let samples = cmd::config_get(["maxmemory-samples"]);
        let samples = client
            .each_node()
            .send(samples.decode::<HashMap<String, u8>>());
        let samples = done!(samples).unwrap();
        assert_eq!(samples.len(), 6);
        for (_, samples) in samples {
            assert_eq!(samples.unwrap()["maxmemory-samples"], 7);
        }

        reply!(client.flushall()).unwrap();
        assert_eq!(reply!(client.dbsize()).unwrap(), 0);
        let info = reply!(client.info()).unwrap_err();
        assert_eq!(info.kind(), ErrorKind::Refused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_named_and_answers_for_itself() {
    for (client, prefix) in clients("node").await {
        reply!(client.set(&prefix, "1")).unwrap();
        let nodes = done!(client.nodes()).unwrap();
        assert_eq!(nodes.len(), 6);
        let mut found = 0;
        let mut moved = 0;
        for address in &nodes {
            let node = done!(client.node(address)).unwrap();
            match reply!(node.get(&prefix)) {
                Ok(value) => {
                    assert_eq!(value, Some(bytes("1")));
                    found += 1;
                }
                Err(error) => {
                    assert_eq!(error.code(), Some("MOVED"));
                    moved += 1;
                }
            }
            let page = reply!(node.scan(0)).unwrap();
            let _ = page.items;
        }
        assert_eq!((found, moved), (1, 5));
        let nobody = done!(client.node(&NodeAddress::new("127.0.0.1", 1)));
        assert_eq!(nobody.unwrap_err().kind(), ErrorKind::Refused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocking_commands_and_watches_have_connections_of_their_own() {
    for (client, prefix) in clients("blocking").await {
        let list = format!("{prefix}:list");
        let popping = spawn({
            let (client, list) = (client.clone(), list.clone());
            async move { reply!(client.blpop([list], 10)) }
        });
        // Nobody on the same node waits for it.
        for n in 1..=20 {
            let count = reply!(client.incr(format!("{{{list}}}:n"))).unwrap();
            assert_eq!(count, n);
        }
        reply!(client.rpush(&list, "x")).unwrap();
        let popped = popping.join().await.unwrap();
        assert_eq!(popped, Some((bytes(&list), bytes("x"))));
        assert_eq!(reply!(client.blpop([&list], 0.01)).unwrap(), None);

        let watched = format!("{prefix}:watched");
        let dedicated = done!(client.dedicated_for(&watched)).unwrap();
        reply!(dedicated.watch([&watched])).unwrap();
        reply!(client.set(&watched, "other")).unwrap();
        let error = reply!(dedicated.transaction([cmd::incr(&watched)])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Aborted);
        let any = done!(client.dedicated()).unwrap();
        reply!(any.ping()).unwrap();
        let error = done!(client.send(cmd::raw("SELECT").arg(0))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_get_their_own_replies() {
    for (client, prefix) in clients("tasks").await {
        let tasks: Vec<_> = (0..32)
            .map(|task| {
                let (client, prefix) = (client.clone(), prefix.clone());
                spawn(async move {
                    for round in 0..100 {
                        let key = format!("{prefix}:{task}:{}", round % 10);
                        let value = format!("{task}:{round}");
                        reply!(client.set(&key, &value)).unwrap();
                        let got = reply!(client.get(&key)).unwrap();
                        assert_eq!(got.as_deref(), Some(value.as_bytes()));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_read_where_they_may() {
    for variant in VARIANTS {
        // Nobody else may be counted.
        let (cluster, _) = own(variant, "").await;
        for read_from in ["prefer_replica", "any", "nearest"] {
            let options = format!("read_from={read_from}&client_name=reads");
            let client = done!(Client::connect(&format!("{}?{options}", cluster.url()))).unwrap();
            let keys = keys(&format!("replica:{read_from}"), 60);
            for key in &keys {
                reply!(client.set(key, key)).unwrap();
            }
            let primaries: Vec<_> = done!(client.nodes()).unwrap()[..3].to_vec();
            let before = calls(&client, "strlen").await;
            // What was written may not have arrived yet.
            let deadline = Instant::now() + Duration::from_secs(10);
            for key in &keys {
                while reply!(client.strlen(key)).unwrap() == 0 {
                    assert!(Instant::now() < deadline);
                }
            }
            let lengths: Vec<u64> = reply!(client.pipeline(keys.iter().map(cmd::strlen))).unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_has_databases_where_the_server_does() {
    let cluster = Cluster::builder(Variant::Valkey91)
        .replicas(0)
        .config("cluster-databases", "4")
        .start()
        .unwrap();
    let other = cluster.url() + "/2";
    let client = done!(Client::connect(&cluster.url())).unwrap();
    let other = done!(Client::connect(&other)).unwrap();
    reply!(client.set("db", "zero")).unwrap();
    assert_eq!(reply!(other.get("db")).unwrap(), None);
    reply!(other.set("db", "two")).unwrap();
    assert_eq!(reply!(client.get("db")).unwrap(), Some(bytes("zero")));

    let none = Cluster::shared(Variant::Redis70).url() + "/1";
    let error = done!(Client::connect(&none)).unwrap_err();
    assert_eq!(error.command(), Some("SELECT"));
}

#[tokio::test(flavor = "multi_thread")]
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
    reply!(client.set("mapped", "1")).unwrap();
    let nodes = done!(client.nodes()).unwrap();
    assert!(
        nodes.iter().all(|node| node.host() == "localhost"),
        "{nodes:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_connect_says_why() {
    let error = done!(Client::connect("redis-cluster://127.0.0.1:1,127.0.0.1:2")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    let standalone = respec_testkit::shared(Variant::Redis70);
    let url = standalone.url().replace("redis:", "redis-cluster:");
    let error = done!(Client::connect(&url)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    let config = Config::cluster([]);
    let error = reply!(Client::from_config(config).get("x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let mut wrong = Config::from_url(&Cluster::shared(Variant::Redis70).url()).unwrap();
    wrong = wrong.username("nobody").password(secret("wrong"));
    let error = done!(Client::connect(&wrong.to_url_with_secrets())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("WRONGPASS"), "{error}");
    assert_absent("the error", &format!("{error} {error:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_returns_all_keys() {
    for (client, prefix) in clients("scan").await {
        let keys = keys(&prefix, 500);
        reply!(client.mset(keys.iter().map(|key| (key, "1")))).unwrap();
        let pattern = format!("{prefix}:*");
        let mut scan = client.iterate(|cursor| cmd::scan(cursor).r#match(&pattern).count(20));
        let mut found = Vec::new();
        while let Some(key) = done!(scan.next()) {
            found.push(key.unwrap());
        }
        assert_eq!(found.len(), keys.len(), "nothing moved, and so comes once");
        let found: BTreeSet<Bytes> = found.into_iter().collect();
        assert_eq!(found, keys.iter().map(|key| bytes(key)).collect());

        let hash = format!("{prefix}#hash");
        let fields = (0..700).map(|at| (format!("f{at}"), at));
        reply!(client.hset(&hash, fields)).unwrap();
        let mut scan = client.iterate(|cursor| cmd::hscan(&hash, cursor).count(50));
        let mut sum = 0;
        while let Some(pair) = done!(scan.next()) {
            let (_, value) = pair.unwrap();
            sum += str::from_utf8(&value).unwrap().parse::<u64>().unwrap();
        }
        assert_eq!(sum, 699 * 350);
        let set = format!("{prefix}#set");
        reply!(client.zadd(&set, (0..10).map(|at| (at, format!("m{at}"))))).unwrap();
        let mut scan = client.iterate(|cursor| cmd::zscan(&set, cursor));
        let mut count = 0;
        while let Some(pair) = done!(scan.next()) {
            let (_, score): (Bytes, f64) = pair.unwrap();
            assert!(score < 10.0);
            count += 1;
        }
        assert_eq!(count, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_finds_keys_that_move_behind_its_back() {
    for variant in VARIANTS {
        let (cluster, client) = own(variant, "").await;
        let keys = keys("scan", 3000);
        reply!(client.mset(keys.iter().map(|key| (key, "1")))).unwrap();
        let mut scan = client.iterate(|cursor| cmd::scan(cursor).count(100));
        let mut found = BTreeSet::new();
        let mut rounds = 0;
        while let Some(key) = done!(scan.next()) {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_on_the_move_is_followed() {
    for variant in VARIANTS {
        let (cluster, client) = own(variant, "?response_timeout=5s").await;
        let slot = 100;
        let tag = key_in_slot(slot);
        let key = |at: usize| format!("{tag}:{at}");
        for at in 0..10 {
            reply!(client.set(key(at), at)).unwrap();
        }
        let target = Arc::clone(&cluster.primaries().unwrap()[1]);
        let step = cluster.slot_move(slot, &target).unwrap();
        step.open().unwrap();
        assert_eq!(step.move_keys(5).unwrap(), 5);

        // ASK, for what has moved and for what is not there.
        for at in 0..10 {
            let value: usize = reply!(client.get(key(at)).decode()).unwrap();
            assert_eq!(value, at);
        }
        assert_eq!(reply!(client.incr(key(100))).unwrap(), 1);
        let values: Vec<Option<u64>> =
            reply!(client.pipeline((0..10).map(|at| cmd::get(key(at)).decode::<Option<u64>>())))
                .unwrap();
        assert_eq!(values, (0..10).map(Some).collect::<Vec<_>>());
        let asked = target.command(&[b"INFO", b"commandstats"]).unwrap();
        let asked = String::from_utf8_lossy(&asked).into_owned();
        assert!(asked.contains("cmdstat_asking"), "{asked}");
        // Servers let a transaction of several new keys wait until the end of the move.
        let one = reply!(client.transaction([cmd::incr(key(200))])).unwrap();
        assert_eq!(one, [1]);

        // TRYAGAIN, until all keys are on one side.
        let all: Vec<_> = (0..10).map(key).collect();
        let asking = spawn({
            let (client, all) = (client.clone(), all.clone());
            async move { reply!(client.mget(all)) }
        });
        let short = done!(Client::connect(&format!(
            "{}?response_timeout=1s",
            cluster.url()
        )))
        .unwrap();
        let error = reply!(short.mget(all.clone())).unwrap_err();
        assert_eq!(error.code(), Some("TRYAGAIN"), "{error}");
        assert!(!error.may_have_executed());
        assert!(!asking.is_finished());
        step.move_all_keys().unwrap();
        let values = asking.join().await.unwrap();
        assert!(values.iter().all(Option::is_some));

        // MOVED.
        step.assign().unwrap();
        for at in 0..10 {
            let value: usize = reply!(client.get(key(at)).decode()).unwrap();
            assert_eq!(value, at);
        }
        assert_eq!(reply!(client.del(&all)).unwrap(), 10);
        let again = reply!(client.transaction([cmd::incr(key(200))])).unwrap();
        assert_eq!(again, [2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_move_under_load_and_nobody_notices() {
    for variant in VARIANTS {
        let (cluster, client) = own(variant, "").await;
        let stop = Arc::new(AtomicBool::new(false));
        let slots: Vec<u16> = (0..20).collect();
        let tasks: Vec<_> = (0..4)
            .map(|task| {
                let (client, stop, slots) = (client.clone(), Arc::clone(&stop), slots.clone());
                spawn(async move {
                    let mut rounds = 0;
                    while !stop.load(Ordering::Relaxed) {
                        rounds += 1;
                        for slot in &slots {
                            let key = format!("{}:{task}", key_in_slot(*slot));
                            let count = reply!(client.incr(&key)).unwrap();
                            assert_eq!(count, rounds);
                        }
                        let keys = slots
                            .iter()
                            .map(|slot| format!("{}:p{task}", key_in_slot(*slot)));
                        let counts = reply!(client.pipeline(keys.map(cmd::incr))).unwrap();
                        assert!(counts.iter().all(|count| *count == rounds), "{counts:?}");
                    }
                    rounds
                })
            })
            .collect();
        let primaries = cluster.primaries().unwrap();
        for slot in slots {
            let target = &primaries[1 + usize::from(slot) % 2];
            cluster.move_slot(slot, target).unwrap();
        }
        if variant == Variant::Valkey91 {
            // The servers' own way, which moves slots as a whole.
            cluster.migrate_slots(20..=40, &primaries[1]).unwrap();
            cluster.move_slot(1, &primaries[0]).unwrap();
            cluster.move_slot(3, &primaries[0]).unwrap();
            cluster.migrate_slots(1..=1, &primaries[2]).unwrap();
            cluster.migrate_slots(3..=3, &primaries[2]).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            assert!(task.join().await > 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_that_the_primary_takes_part_in_fails_no_call() {
    for variant in VARIANTS {
        let (cluster, client) = own(variant, "?response_timeout=5s").await;
        let stop = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = (0..4)
            .map(|task| {
                let (client, stop) = (client.clone(), Arc::clone(&stop));
                spawn(async move {
                    let mut rounds = 0;
                    while !stop.load(Ordering::Relaxed) {
                        rounds += 1;
                        for slot in [0, 6000, 12_000] {
                            let key = format!("{}:{task}", key_in_slot(slot));
                            assert_eq!(reply!(client.incr(&key)).unwrap(), rounds);
                        }
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            let primary = cluster.primary_of(0).unwrap();
            let replica = Arc::clone(&cluster.replicas_of(&primary).unwrap()[0]);
            cluster.fail_over(&replica).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            task.join().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_dies_or_freezes_delays_nobody_else() {
    for variant in VARIANTS {
        for freezes in [false, true] {
            let (cluster, client) = own(variant, "?response_timeout=1s").await;
            let done = Arc::new(AtomicU64::new(0));
            let stop = Arc::new(AtomicBool::new(false));
            let others = spawn({
                let (client, stop, done) = (client.clone(), Arc::clone(&stop), Arc::clone(&done));
                async move {
                    let keys = [6000, 12_000].map(key_in_slot);
                    while !stop.load(Ordering::Relaxed) {
                        for key in &keys {
                            reply!(client.incr(key)).unwrap();
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
                let written = reply!(client.incr(&key));
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
            others.join().await;
            let dedicated = done!(client.dedicated_for(&key)).unwrap();
            reply!(dedicated.incr(&key)).unwrap();
            if freezes {
                cluster.resume(&primary).unwrap();
            }
            drop(outage);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_do_not_wait_for_a_silent_node_that_was_replaced() {
    for variant in VARIANTS {
        let (cluster, client) = own(variant, "?response_timeout=60s&topology_refresh=300ms").await;
        let key = key_in_slot(0);
        reply!(client.set(&key, "1")).unwrap();
        // A connection for each of those who wait below, since a silent node makes none.
        let mut lent = Vec::new();
        for _ in 0..3 {
            lent.push(done!(client.dedicated_for(&key)).unwrap());
        }
        drop(lent);
        let dedicated = done!(client.dedicated_for(&key)).unwrap();
        let primary = cluster.primary_of(0).unwrap();
        let outage = cluster.pause(&primary).unwrap();
        // The one may be done again, the others not; all would have a minute, and the last for ever.
        let read = spawn({
            let (client, key) = (client.clone(), key.clone());
            async move { reply!(client.get(key)) }
        });
        let written = spawn({
            let (client, key) = (client.clone(), key.clone());
            async move { reply!(client.incr(key)) }
        });
        let message = next_push(&dedicated).await;
        assert!(cluster.primary_of(0).unwrap().id() != primary.id());
        let read = read.join().await.unwrap();
        assert_eq!(read, Some(bytes("1")), "{variant}");
        let error = written.join().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        assert!(error.may_have_executed());
        assert!(error.to_string().contains("has replaced it"), "{error}");
        assert_eq!(message.unwrap_err().kind(), ErrorKind::Connection);
        cluster.resume(&primary).unwrap();
        drop(outage);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_nobody_serves_is_waited_for() {
    for variant in VARIANTS {
        let cluster = Cluster::builder(variant)
            .replicas(0)
            .require_full_coverage(false)
            .start()
            .unwrap();
        let cluster = Arc::new(cluster);
        let url = cluster.url();
        let client = done!(Client::connect(&format!("{url}?response_timeout=10s"))).unwrap();
        let short = done!(Client::connect(&format!("{url}?response_timeout=1s"))).unwrap();
        let owner = cluster.primary_of(0).unwrap();
        cluster.delete_slots(0..=0).unwrap();
        let key = key_in_slot(0);
        let error = reply!(short.incr(&key)).unwrap_err();
        assert_eq!(error.code(), Some("CLUSTERDOWN"), "{error}");
        assert!(!error.may_have_executed());
        let waiting = spawn({
            let (client, key) = (client.clone(), key.clone());
            async move { reply!(client.incr(key)) }
        });
        cluster.add_slots(0..=0, &owner).unwrap();
        assert_eq!(waiting.join().await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_answers_for_itself_though_one_is_dead_and_one_is_frozen() {
    for variant in VARIANTS {
        let (cluster, client) = own(variant, "?response_timeout=1s&connect_timeout=1s").await;
        let answers = done!(client.each_node().send(cmd::ping())).unwrap();
        assert_eq!(answers.len(), 6);
        assert!(answers.iter().all(|(_, answer)| answer.is_ok()));
        let primaries = cluster.primaries().unwrap();
        let frozen = &cluster.replicas_of(&primaries[1]).unwrap()[0];
        let dead = &cluster.replicas_of(&primaries[2]).unwrap()[0];
        let outages = (cluster.pause(frozen).unwrap(), cluster.kill(dead).unwrap());
        let start = Instant::now();
        let answers = done!(client.each_node().send(cmd::ping())).unwrap();
        assert!(start.elapsed() < Duration::from_secs(4));
        let failed = |port: u16| {
            let answer = answers.iter().find(|(node, _)| node.port() == port);
            answer.is_some_and(|(_, answer)| answer.is_err())
        };
        assert!(failed(frozen.addr().port()) && failed(dead.addr().port()));
        let fine = answers.iter().filter(|(_, answer)| answer.is_ok());
        assert_eq!(fine.count(), answers.len() - 2);
        cluster.resume(frozen).unwrap();
        drop(outages);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_of_a_cluster_the_one_server_is_every_node() {
    for variant in VARIANTS {
        let server = respec_testkit::shared(variant);
        let client = done!(Client::connect(&server.url())).unwrap();
        reply!(client.ping()).unwrap();
        let nodes = done!(client.nodes()).unwrap();
        assert_eq!(nodes, [NodeAddress::new("127.0.0.1", server.port())]);
        assert!(done!(client.node(&nodes[0])).is_ok());
        let pongs = done!(client.each_node().send(cmd::ping())).unwrap();
        assert_eq!(pongs.len(), 1);
        assert_eq!(pongs[0].0, nodes[0]);
    }
}
