//! The blocking client on real clusters.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use respec::{
    Config, ErrorKind, Phase, Value,
    blocking::Client,
    cluster::{AddressMap, NodeAddress, key_slot},
    cmd,
    prelude::*,
};
use respec_testkit::{Cluster, Variant, key_in_slot};
use serde::Deserialize;

const VARIANTS: [Variant; 3] = Variant::ALL;

/// Clients of the shared clusters, in both versions of the protocol, with a prefix of their own.
fn clients(test: &str) -> Vec<(Client, String)> {
    let mut clients = Vec::new();
    for variant in VARIANTS {
        for protocol in ["resp2", "resp3"] {
            let url = format!("{}?protocol={protocol}", Cluster::shared(variant).url());
            let client = Client::connect(&url).unwrap();
            clients.push((client, format!("{test}:{variant:?}:{protocol}")));
        }
    }
    clients
}

/// A client of a cluster of the caller's own.
fn own(variant: Variant, options: &str) -> (Arc<Cluster>, Client) {
    let cluster = Cluster::builder(variant)
        // One shard's trouble is not that of the others.
        .require_full_coverage(false)
        .start()
        .unwrap();
    let cluster = Arc::new(cluster);
    let client = Client::connect(&format!("{}{options}", cluster.url())).unwrap();
    (cluster, client)
}

/// Keys that lie in many slots of all nodes.
fn keys(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{prefix}:{at}")).collect()
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// How often nodes have run a command, by address.
fn calls(client: &Client, command: &str) -> HashMap<NodeAddress, u64> {
    let info = cmd::raw("INFO").arg("commandstats");
    let nodes = client.each_node().send(info).unwrap();
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

#[test]
fn calls_are_those_of_any_topology() {
    for (client, prefix) in clients("calls") {
        let key = |key: &str| format!("{prefix}:{key}");
        client.set(key("greeting"), "hello").send().unwrap();
        let fresh: bool = client.set(key("lock"), "me").nx().ex(30).send().unwrap();
        assert!(fresh);
        let old: Option<Bytes> = client.set(key("lock"), "you").get().send().unwrap();
        assert_eq!(old.as_deref(), Some(&b"me"[..]));
        let v: Option<Bytes> = client.get(key("greeting")).send().unwrap();
        assert_eq!(v.as_deref(), Some(&b"hello"[..]));
        let text: Option<String> = client.get(key("greeting")).decode().send().unwrap();
        assert_eq!(text.as_deref(), Some("hello"));
        assert_eq!(client.get(key("absent")).send().unwrap(), None);

        let board = [(1, "ann"), (3, "bob"), (2, "eve")];
        client.zadd(key("board"), board).send().unwrap();
        let top: Vec<(Bytes, f64)> = client
            .zrange(key("board"), 0, 9)
            .rev()
            .withscores()
            .send()
            .unwrap();
        assert_eq!(top[0], (bytes("bob"), 3.0));
        client
            .hset(key("user"), [("name", "Ann"), ("age", "41")])
            .send()
            .unwrap();
        let user: User = client.hgetall(key("user")).decode().send().unwrap();
        let name = "Ann".to_owned();
        assert_eq!(user, User { name, age: 41 });

        let pair = [(key("a"), "1"), (key("b"), "2")];
        client.mset(pair).send().unwrap();
        let n: u64 = client.del([key("a"), key("b"), key("c")]).send().unwrap();
        assert_eq!(n, 2);

        let raw = cmd::raw("GETRANGE").arg(key("greeting")).arg(1).arg(2);
        let part = client.send(raw).unwrap();
        assert_eq!(part, Value::BulkString(bytes("el")));
        let echo: Value = client.send(cmd::raw("ECHO").arg("x")).unwrap();
        assert_eq!(echo, Value::BulkString(bytes("x")));

        let error = client.incr(key("greeting")).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!((error.code(), error.command()), (Some("ERR"), Some("INCR")));
    }
}

#[test]
fn a_large_value_comes_back() {
    for (client, prefix) in clients("large") {
        let large = Bytes::from(vec![b'x'; 3 << 20]);
        let small = client.set(format!("{prefix}:small"), "x");
        client.set(&prefix, large.clone()).send().unwrap();
        small.send().unwrap();
        assert_eq!(client.get(&prefix).send().unwrap(), Some(large.clone()));
        let commands = [0, 1, 2].map(|at| cmd::set(format!("{prefix}:{at}"), large.clone()));
        client.pipeline(commands).send().unwrap();
        assert_eq!(
            client.get(format!("{prefix}:2")).send().unwrap(),
            Some(large)
        );
        client.flush_of(&prefix);
    }
}

trait FlushOf {
    /// Deletes what a test has left that takes much memory.
    fn flush_of(&self, prefix: &str);
}

impl FlushOf for Client {
    fn flush_of(&self, prefix: &str) {
        let pattern = format!("{prefix}*");
        let keys: Vec<Bytes> = self.keys(pattern).send().unwrap();
        self.unlink(keys).send().unwrap();
    }
}

#[test]
fn a_pipeline_over_all_slots_answers_in_order() {
    for (client, prefix) in clients("pipeline") {
        let keys = keys(&prefix, 3000);
        client
            .pipeline(keys.iter().map(|key| cmd::set(key, key)))
            .send()
            .unwrap();
        let values: Vec<Option<Bytes>> = client.pipeline(keys.iter().map(cmd::get)).send().unwrap();
        for (key, value) in keys.iter().zip(values) {
            assert_eq!(value.as_deref(), Some(key.as_bytes()));
        }
        // On one key the commands run in the order in which they stand.
        let counts: Vec<i64> = client
            .pipeline((0..2000).map(|at| cmd::incr(format!("{prefix}:n:{}", at % 7))))
            .send()
            .unwrap();
        for (at, count) in counts.iter().enumerate() {
            assert_eq!(*count, 1 + at as i64 / 7);
        }
        let (n, value) = client
            .pipeline((
                cmd::incr(format!("{prefix}:m")),
                cmd::get(format!("{prefix}:0")),
            ))
            .send()
            .unwrap();
        assert_eq!((n, value), (1, Some(bytes(&keys[0]))));
        let none: Vec<Option<Bytes>> = client
            .pipeline(std::iter::empty::<&str>().map(cmd::get))
            .send()
            .unwrap();
        assert!(none.is_empty());
    }
}

#[test]
fn a_pipeline_may_hold_what_is_split_and_what_all_nodes_run() {
    for (client, prefix) in clients("mixed") {
        let keys = keys(&prefix, 40);
        let pairs = keys.iter().map(|key| (key, "1"));
        let ((), values, removed, exists) = client
            .pipeline((
                cmd::mset(pairs),
                cmd::mget(&keys),
                cmd::del(&keys[..30]),
                cmd::exists(&keys),
            ))
            .send()
            .unwrap();
        assert!(values.iter().all(|value| value.as_deref() == Some(b"1")));
        assert_eq!((removed, exists), (30, 10));
        let size = client.pipeline([cmd::dbsize()]).send().unwrap();
        assert!(size[0] >= 10);
    }
}

#[test]
fn each_command_of_a_pipeline_keeps_its_error() {
    for (client, prefix) in clients("errors") {
        let keys = keys(&prefix, 50);
        let text = client.pipeline(keys.iter().step_by(2).map(|key| cmd::set(key, "text")));
        text.send().unwrap();
        let results = client.pipeline(keys.iter().map(cmd::incr)).results();
        for (at, result) in results.send().unwrap().into_iter().enumerate() {
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
            .send()
            .unwrap_err();
        assert_eq!(error.code(), Some("ERR"));
    }
}

#[test]
fn a_transaction_runs_in_one_slot() {
    for (client, prefix) in clients("transaction") {
        let key = |key: &str| format!("{{{prefix}}}:{key}");
        let (x, y) = client
            .transaction((cmd::incr(key("x")), cmd::decr(key("y"))))
            .send()
            .unwrap();
        assert_eq!((x, y), (1, -1));
        let list = client
            .transaction((0..100).map(|_| cmd::incr(key("n"))))
            .send()
            .unwrap();
        assert_eq!(list, (1..=100).collect::<Vec<i64>>());
        let values = client.transaction([cmd::mget([key("x"), key("y")])]);
        let values = values.send().unwrap();
        assert_eq!(values[0], [Some(bytes("1")), Some(bytes("-1"))]);
        client.set(key("s"), "text").send().unwrap();
        let (error, two) = client
            .transaction((cmd::incr(key("s")), cmd::incr(key("x"))))
            .results()
            .send()
            .unwrap();
        assert_eq!(error.unwrap_err().code(), Some("ERR"));
        assert_eq!(two.unwrap(), 2);
    }
}

#[test]
fn what_needs_one_slot_is_refused_before_anything_is_sent() {
    for (client, prefix) in clients("refused") {
        let (a, b) = (format!("{prefix}:secret:a"), format!("{prefix}:secret:b"));
        assert_ne!(key_slot(a.as_bytes()), key_slot(b.as_bytes()));
        let errors = [
            client
                .transaction((cmd::incr(&a), cmd::incr(&b)))
                .send()
                .unwrap_err(),
            client
                .pipeline((cmd::incr(&a), cmd::sinter([&a, &b])))
                .send()
                .unwrap_err(),
            client.sinter([&a, &b]).send().unwrap_err(),
            client.rename(&a, &b).send().unwrap_err(),
            client.msetnx([(&a, "1"), (&b, "2")]).send().unwrap_err(),
            client
                .transaction((cmd::incr(&a), cmd::dbsize()))
                .send()
                .unwrap_err(),
            client.send(cmd::scan(0)).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
            assert!(!error.may_have_executed());
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert_eq!(client.exists([&a, &b]).send().unwrap(), 0);
    }
}

#[test]
fn keys_of_several_slots_are_split_and_joined() {
    for (client, prefix) in clients("split") {
        let keys = keys(&prefix, 200);
        client
            .mset(keys.iter().map(|key| (key, key)))
            .send()
            .unwrap();
        let mut asked = keys.clone();
        asked.insert(7, format!("{prefix}:absent"));
        asked.push(keys[3].clone());
        let values = client.mget(&asked).send().unwrap();
        for (key, value) in asked.iter().zip(values) {
            let expected = Some(key.as_bytes()).filter(|key| !key.ends_with(b"absent"));
            assert_eq!(value.as_deref(), expected);
        }
        assert_eq!(client.exists(&asked).send().unwrap(), 201);
        assert_eq!(client.touch(&asked[..10]).send().unwrap(), 9);
        assert_eq!(client.unlink(&keys[..50]).send().unwrap(), 50);
        assert_eq!(client.del(&keys).send().unwrap(), 150);
    }
    for variant in VARIANTS {
        let url = format!("{}?split=false", Cluster::shared(variant).url());
        let client = Client::connect(&url).unwrap();
        let error = client.del(["split:secret:1", "split:secret:2"]).send();
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Refused);
        let one = client.del(["{split}:1", "{split}:2"]).send().unwrap();
        assert_eq!(one, 0);
    }
}

#[test]
fn what_all_nodes_run_is_what_each_of_them_says() {
    for variant in VARIANTS {
        let (_cluster, client) = own(variant, "");
        let keys = keys("all", 300);
        client
            .mset(keys.iter().map(|key| (key, "1")))
            .send()
            .unwrap();

        let sizes = client.each_primary().send(cmd::dbsize()).unwrap();
        assert_eq!(sizes.len(), 3);
        let sum: u64 = sizes.into_iter().map(|(_, size)| size.unwrap()).sum();
        assert_eq!(sum, 300);
        assert_eq!(client.dbsize().send().unwrap(), 300);

        let found: BTreeSet<Bytes> = client.keys("all:*").send().unwrap().into_iter().collect();
        let by_hand = client.each_primary().send(cmd::keys("all:*")).unwrap();
        let by_hand: BTreeSet<Bytes> = by_hand
            .into_iter()
            .flat_map(|(_, keys)| keys.unwrap())
            .collect();
        assert_eq!(found, by_hand);
        assert_eq!(found, keys.iter().map(|key| bytes(key)).collect());

        let sha = client.script_load("return 7").send().unwrap();
        let loaded = client
            .each_primary()
            .send(cmd::script_exists([sha.clone()]))
            .unwrap();
        assert!(
            loaded
                .into_iter()
                .all(|(_, loaded)| loaded.unwrap() == [true])
        );
        for key in &keys[..20] {
            let seven: i64 = client
                .evalsha(sha.clone())
                .key(key)
                .decode()
                .send()
                .unwrap();
            assert_eq!(seven, 7);
        }
        client
            .config_set([("maxmemory-samples", "7")])
            .send()
            .unwrap();
        let samples = cmd::config_get(["maxmemory-samples"]);
        let samples = client
            .each_node()
            .send(samples.decode::<HashMap<String, u8>>());
        let samples = samples.unwrap();
        assert_eq!(samples.len(), 6);
        for (_, samples) in samples {
            assert_eq!(samples.unwrap()["maxmemory-samples"], 7);
        }

        client.flushall().send().unwrap();
        assert_eq!(client.dbsize().send().unwrap(), 0);
        let info = client.info().send().unwrap_err();
        assert_eq!(info.kind(), ErrorKind::Refused);
    }
}

#[test]
fn a_node_is_named_and_answers_for_itself() {
    for (client, prefix) in clients("node") {
        client.set(&prefix, "1").send().unwrap();
        let nodes = client.nodes().unwrap();
        assert_eq!(nodes.len(), 6);
        let mut found = 0;
        let mut moved = 0;
        for address in &nodes {
            let node = client.node(address).unwrap();
            match node.get(&prefix).send() {
                Ok(value) => {
                    assert_eq!(value, Some(bytes("1")));
                    found += 1;
                }
                Err(error) => {
                    assert_eq!(error.code(), Some("MOVED"));
                    moved += 1;
                }
            }
            let page = node.scan(0).send().unwrap();
            let _ = page.items;
        }
        assert_eq!((found, moved), (1, 5));
        let nobody = client.node(&NodeAddress::new("127.0.0.1", 1));
        assert_eq!(nobody.unwrap_err().kind(), ErrorKind::Refused);
    }
}

#[test]
fn blocking_commands_and_watches_have_connections_of_their_own() {
    for (client, prefix) in clients("blocking") {
        let list = format!("{prefix}:list");
        let popping = thread::spawn({
            let (client, list) = (client.clone(), list.clone());
            move || client.blpop([list], 10).send()
        });
        // Nobody on the same node waits for it.
        for n in 1..=20 {
            let count = client.incr(format!("{{{list}}}:n")).send().unwrap();
            assert_eq!(count, n);
        }
        client.rpush(&list, "x").send().unwrap();
        let popped = popping.join().unwrap().unwrap();
        assert_eq!(popped, Some((bytes(&list), bytes("x"))));
        assert_eq!(client.blpop([&list], 0.01).send().unwrap(), None);

        let watched = format!("{prefix}:watched");
        let dedicated = client.dedicated_for(&watched).unwrap();
        dedicated.watch([&watched]).send().unwrap();
        client.set(&watched, "other").send().unwrap();
        let error = dedicated
            .transaction([cmd::incr(&watched)])
            .send()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Aborted);
        let any = client.dedicated().unwrap();
        any.ping().send().unwrap();
        let error = client.send(cmd::raw("SELECT").arg(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
}

#[test]
fn many_tasks_get_their_own_replies() {
    for (client, prefix) in clients("tasks") {
        let tasks: Vec<_> = (0..32)
            .map(|task| {
                let (client, prefix) = (client.clone(), prefix.clone());
                thread::spawn(move || {
                    for round in 0..100 {
                        let key = format!("{prefix}:{task}:{}", round % 10);
                        let value = format!("{task}:{round}");
                        client.set(&key, &value).send().unwrap();
                        let got = client.get(&key).send().unwrap();
                        assert_eq!(got.as_deref(), Some(value.as_bytes()));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
    }
}

#[test]
fn replicas_read_where_they_may() {
    for variant in VARIANTS {
        for read_from in ["prefer_replica", "any", "nearest"] {
            let (cluster, options) = (
                Cluster::shared(variant),
                format!("read_from={read_from}&client_name=reads"),
            );
            let client = Client::connect(&format!("{}?{options}", cluster.url())).unwrap();
            let keys = keys(&format!("replica:{read_from}"), 60);
            for key in &keys {
                client.set(key, key).send().unwrap();
            }
            let primaries: Vec<_> = client.nodes().unwrap()[..3].to_vec();
            let before = calls(&client, "strlen");
            // What was written may not have arrived yet.
            let deadline = Instant::now() + Duration::from_secs(10);
            for key in &keys {
                while client.strlen(key).send().unwrap() == 0 {
                    assert!(Instant::now() < deadline);
                }
            }
            let lengths: Vec<u64> = client
                .pipeline(keys.iter().map(cmd::strlen))
                .send()
                .unwrap();
            assert!(lengths.iter().all(|length| *length > 0));
            let after = calls(&client, "strlen");
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

#[test]
fn a_cluster_has_databases_where_the_server_does() {
    let cluster = Cluster::builder(Variant::Valkey91)
        .replicas(0)
        .config("cluster-databases", "4")
        .start()
        .unwrap();
    let other = cluster.url() + "/2";
    let client = Client::connect(&cluster.url()).unwrap();
    let other = Client::connect(&other).unwrap();
    client.set("db", "zero").send().unwrap();
    assert_eq!(other.get("db").send().unwrap(), None);
    other.set("db", "two").send().unwrap();
    assert_eq!(client.get("db").send().unwrap(), Some(bytes("zero")));

    let none = Cluster::shared(Variant::Redis70).url() + "/1";
    let error = Client::connect(&none).unwrap_err();
    assert_eq!(error.command(), Some("SELECT"));
}

#[test]
fn addresses_are_mapped() {
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
    client.set("mapped", "1").send().unwrap();
    let nodes = client.nodes().unwrap();
    assert!(
        nodes.iter().all(|node| node.host() == "localhost"),
        "{nodes:?}"
    );
}

#[test]
fn who_cannot_connect_says_why() {
    let error = Client::connect("redis-cluster://127.0.0.1:1,127.0.0.1:2").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    let standalone = respec_testkit::shared(Variant::Redis70);
    let url = standalone.url().replace("redis:", "redis-cluster:");
    let error = Client::connect(&url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    let config = Config::cluster([]);
    let error = Client::from_config(config).get("x").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let mut wrong = Config::from_url(&Cluster::shared(Variant::Redis70).url()).unwrap();
    wrong = wrong.username("nobody").password("canary");
    let error = Client::connect(&wrong.to_url_with_secrets()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("WRONGPASS"), "{error}");
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[test]
fn a_scan_returns_all_keys() {
    for (client, prefix) in clients("scan") {
        let keys = keys(&prefix, 500);
        client
            .mset(keys.iter().map(|key| (key, "1")))
            .send()
            .unwrap();
        let pattern = format!("{prefix}:*");
        let mut scan = client.iterate(|cursor| cmd::scan(cursor).r#match(&pattern).count(20));
        let mut found = Vec::new();
        for key in scan.by_ref() {
            found.push(key.unwrap());
        }
        assert_eq!(found.len(), keys.len(), "nothing moved, and so comes once");
        let found: BTreeSet<Bytes> = found.into_iter().collect();
        assert_eq!(found, keys.iter().map(|key| bytes(key)).collect());

        let hash = format!("{prefix}#hash");
        let fields = (0..700).map(|at| (format!("f{at}"), at));
        client.hset(&hash, fields).send().unwrap();
        let mut scan = client.iterate(|cursor| cmd::hscan(&hash, cursor).count(50));
        let mut sum = 0;
        for pair in scan.by_ref() {
            let (_, value) = pair.unwrap();
            sum += str::from_utf8(&value).unwrap().parse::<u64>().unwrap();
        }
        assert_eq!(sum, 699 * 350);
        let set = format!("{prefix}#set");
        client
            .zadd(&set, (0..10).map(|at| (at, format!("m{at}"))))
            .send()
            .unwrap();
        let mut scan = client.iterate(|cursor| cmd::zscan(&set, cursor));
        let mut count = 0;
        for pair in scan.by_ref() {
            let (_, score): (Bytes, f64) = pair.unwrap();
            assert!(score < 10.0);
            count += 1;
        }
        assert_eq!(count, 10);
    }
}

#[test]
fn a_scan_finds_keys_that_move_behind_its_back() {
    for variant in VARIANTS {
        let (cluster, client) = own(variant, "");
        let keys = keys("scan", 3000);
        client
            .mset(keys.iter().map(|key| (key, "1")))
            .send()
            .unwrap();
        let mut scan = client.iterate(|cursor| cmd::scan(cursor).count(100));
        let mut found = BTreeSet::new();
        let mut rounds = 0;
        for key in scan.by_ref() {
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

#[test]
fn a_slot_on_the_move_is_followed() {
    for variant in VARIANTS {
        let (cluster, client) = own(variant, "?response_timeout=5s");
        let slot = 100;
        let tag = key_in_slot(slot);
        let key = |at: usize| format!("{tag}:{at}");
        for at in 0..10 {
            client.set(key(at), at).send().unwrap();
        }
        let target = Arc::clone(&cluster.primaries().unwrap()[1]);
        let step = cluster.slot_move(slot, &target).unwrap();
        step.open().unwrap();
        assert_eq!(step.move_keys(5).unwrap(), 5);

        // ASK, for what has moved and for what is not there.
        for at in 0..10 {
            let value: usize = client.get(key(at)).decode().send().unwrap();
            assert_eq!(value, at);
        }
        assert_eq!(client.incr(key(100)).send().unwrap(), 1);
        let values: Vec<Option<u64>> = client
            .pipeline((0..10).map(|at| cmd::get(key(at)).decode::<Option<u64>>()))
            .send()
            .unwrap();
        assert_eq!(values, (0..10).map(Some).collect::<Vec<_>>());
        let asked = target.command(&[b"INFO", b"commandstats"]).unwrap();
        let asked = String::from_utf8_lossy(&asked).into_owned();
        assert!(asked.contains("cmdstat_asking"), "{asked}");
        // Servers let a transaction of several new keys wait until the end of the move.
        let one = client.transaction([cmd::incr(key(200))]).send().unwrap();
        assert_eq!(one, [1]);

        // TRYAGAIN, until all keys are on one side.
        let all: Vec<_> = (0..10).map(key).collect();
        let asking = thread::spawn({
            let (client, all) = (client.clone(), all.clone());
            move || client.mget(all).send()
        });
        let short = Client::connect(&format!("{}?response_timeout=1s", cluster.url())).unwrap();
        let error = short.mget(all.clone()).send().unwrap_err();
        assert_eq!(error.code(), Some("TRYAGAIN"), "{error}");
        assert!(!error.may_have_executed());
        assert!(!asking.is_finished());
        step.move_all_keys().unwrap();
        let values = asking.join().unwrap().unwrap();
        assert!(values.iter().all(Option::is_some));

        // MOVED.
        step.assign().unwrap();
        for at in 0..10 {
            let value: usize = client.get(key(at)).decode().send().unwrap();
            assert_eq!(value, at);
        }
        assert_eq!(client.del(&all).send().unwrap(), 10);
        let again = client.transaction([cmd::incr(key(200))]).send().unwrap();
        assert_eq!(again, [2]);
    }
}

#[test]
fn slots_move_under_load_and_nobody_notices() {
    for variant in VARIANTS {
        let (cluster, client) = own(variant, "");
        let stop = Arc::new(AtomicBool::new(false));
        let slots: Vec<u16> = (0..20).collect();
        let tasks: Vec<_> = (0..4)
            .map(|task| {
                let (client, stop, slots) = (client.clone(), Arc::clone(&stop), slots.clone());
                thread::spawn(move || {
                    let mut rounds = 0;
                    while !stop.load(Ordering::Relaxed) {
                        rounds += 1;
                        for slot in &slots {
                            let key = format!("{}:{task}", key_in_slot(*slot));
                            let count = client.incr(&key).send().unwrap();
                            assert_eq!(count, rounds);
                        }
                        let keys = slots
                            .iter()
                            .map(|slot| format!("{}:p{task}", key_in_slot(*slot)));
                        let counts = client.pipeline(keys.map(cmd::incr)).send().unwrap();
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
            assert!(task.join().unwrap() > 0);
        }
    }
}

#[test]
fn a_failover_that_the_primary_takes_part_in_fails_no_call() {
    for variant in VARIANTS {
        let (cluster, client) = own(variant, "?response_timeout=5s");
        let stop = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = (0..4)
            .map(|task| {
                let (client, stop) = (client.clone(), Arc::clone(&stop));
                thread::spawn(move || {
                    let mut rounds = 0;
                    while !stop.load(Ordering::Relaxed) {
                        rounds += 1;
                        for slot in [0, 6000, 12_000] {
                            let key = format!("{}:{task}", key_in_slot(slot));
                            assert_eq!(client.incr(&key).send().unwrap(), rounds);
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
            task.join().unwrap();
        }
    }
}

#[test]
fn a_primary_that_dies_or_freezes_delays_nobody_else() {
    for variant in VARIANTS {
        for freezes in [false, true] {
            let (cluster, client) = own(variant, "?response_timeout=1s");
            let done = Arc::new(AtomicU64::new(0));
            let stop = Arc::new(AtomicBool::new(false));
            let others = thread::spawn({
                let (client, stop, done) = (client.clone(), Arc::clone(&stop), Arc::clone(&done));
                move || {
                    let keys = [6000, 12_000].map(key_in_slot);
                    while !stop.load(Ordering::Relaxed) {
                        for key in &keys {
                            client.incr(key).send().unwrap();
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
                let written = client.incr(&key).send();
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
            others.join().unwrap();
            let dedicated = client.dedicated_for(&key).unwrap();
            dedicated.incr(&key).send().unwrap();
            if freezes {
                cluster.resume(&primary).unwrap();
            }
            drop(outage);
        }
    }
}

#[test]
fn who_waits_for_a_connection_to_a_frozen_node_goes_to_its_successor() {
    let times = "response_timeout=60s&connect_timeout=60s&pool_wait=60s";
    let (cluster, client) = own(
        Variant::Valkey91,
        &format!("?{times}&topology_refresh=300ms"),
    );
    let primary = cluster.primary_of(6000).unwrap();
    let key = key_in_slot(6000);
    // Whoever has a connection waits for the reply, which is not what is tested here.
    let busy = client.dedicated_for(&key).unwrap();
    let outage = cluster.pause(&primary).unwrap();
    let start = Instant::now();
    let threads: Vec<_> = (0..24)
        .map(|_| {
            let (client, key) = (client.clone(), key.clone());
            thread::spawn(move || client.incr(key).send())
        })
        .collect();
    let mut counts: Vec<i64> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap().unwrap())
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=24).collect::<Vec<_>>());
    assert!(start.elapsed() < Duration::from_secs(30));
    cluster.resume(&primary).unwrap();
    drop((outage, busy));
}

#[test]
fn who_calls_a_dead_node_learns_that_it_cannot_be_reached() {
    let (cluster, client) = own(Variant::Valkey91, "?response_timeout=100ms");
    let key = key_in_slot(0);
    client.set(&key, "1").send().unwrap();
    let primary = cluster.primary_of(0).unwrap();
    let replica = cluster.replicas_of(&primary).unwrap().remove(0);
    let outages = [&replica, &primary].map(|node| cluster.kill(node).unwrap());
    for _ in 0..30 {
        let error = client.incr(&key).send().unwrap_err();
        // And not that no connection was free.
        assert!(
            matches!(error.kind(), ErrorKind::Connect | ErrorKind::Connection),
            "{error}"
        );
    }
    drop(outages);
}

#[test]
fn calls_do_not_wait_for_a_silent_node_that_was_replaced() {
    for variant in VARIANTS {
        let (cluster, client) = own(variant, "?response_timeout=60s&topology_refresh=300ms");
        let key = key_in_slot(0);
        client.set(&key, "1").send().unwrap();
        // A connection for each of them, since a silent node makes none.
        drop([(); 3].map(|()| client.dedicated_for(&key).unwrap()));
        let primary = cluster.primary_of(0).unwrap();
        let dedicated = client.dedicated_for(&key).unwrap();
        let outage = cluster.pause(&primary).unwrap();
        // The one may be done again, the others not; all would have a minute, and the last for ever.
        let read = thread::spawn({
            let (client, key) = (client.clone(), key.clone());
            move || client.get(key).send()
        });
        let written = thread::spawn({
            let (client, key) = (client.clone(), key.clone());
            move || client.incr(key).send()
        });
        let message = dedicated.next_push(None);
        assert!(cluster.primary_of(0).unwrap().id() != primary.id());
        let read = read.join().unwrap().unwrap();
        assert_eq!(read, Some(bytes("1")), "{variant}");
        let error = written.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        assert!(error.may_have_executed());
        assert!(error.to_string().contains("has replaced it"), "{error}");
        assert_eq!(message.unwrap_err().kind(), ErrorKind::Connection);
        cluster.resume(&primary).unwrap();
        drop(outage);
    }
}

#[test]
fn each_node_answers_for_itself_though_one_is_dead_and_one_is_frozen() {
    let (cluster, client) = own(Variant::Valkey91, "?response_timeout=1s&connect_timeout=1s");
    let answers = client.each_node().send(cmd::ping()).unwrap();
    assert_eq!(answers.len(), 6);
    assert!(answers.iter().all(|(_, answer)| answer.is_ok()));
    let primaries = cluster.primaries().unwrap();
    let frozen = &cluster.replicas_of(&primaries[1]).unwrap()[0];
    let dead = &cluster.replicas_of(&primaries[2]).unwrap()[0];
    let outages = (cluster.pause(frozen).unwrap(), cluster.kill(dead).unwrap());
    let start = Instant::now();
    let answers = client.each_node().send(cmd::ping()).unwrap();
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

#[test]
fn many_may_ask_each_node_at_once_where_connections_are_few() {
    let url = Cluster::shared(Variant::Valkey91).url();
    let client = Client::connect(&format!("{url}?pool_max=1&pool_wait=30s")).unwrap();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..20 {
                    for (node, answer) in client.each_node().send(cmd::ping()).unwrap() {
                        assert!(answer.is_ok(), "{node}: {answer:?}");
                    }
                    let keys = keys("few", 20);
                    let values = client.mget(&keys).send().unwrap();
                    assert_eq!(values.len(), keys.len());
                }
            });
        }
    });
    let stats = client.pool_stats();
    assert!(stats.open() <= 6 && stats.timed_out == 0, "{stats:?}");
}

#[test]
fn the_topology_is_asked_for_while_all_connections_are_in_use() {
    let cluster = Cluster::builder(Variant::Valkey91)
        .replicas(0)
        .start()
        .unwrap();
    let options = "pool_max=1&pool_wait=50ms&topology_refresh=100ms";
    let client = Client::connect(&format!("{}?{options}", cluster.url())).unwrap();
    let primaries = cluster.primaries().unwrap();
    let keys: Vec<_> = primaries
        .iter()
        .map(|primary| cluster.key_at(primary).unwrap())
        .collect();
    let held: Vec<_> = keys
        .iter()
        .map(|key| client.dedicated_for(key).unwrap())
        .collect();
    let asked = || {
        let stats = primaries.iter().map(|primary| {
            let stats = primary.command(&[b"INFO", b"commandstats"]).unwrap();
            let stats = String::from_utf8_lossy(&stats).into_owned();
            let calls = stats.split("cmdstat_cluster|shards:calls=").nth(1)?;
            calls.split(',').next()?.parse::<u64>().ok()
        });
        stats.flatten().sum::<u64>()
    };
    let (before, deadline) = (asked(), Instant::now() + Duration::from_secs(10));
    while asked() < before + 3 {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(10));
    }
    let error = client.get(&keys[0]).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Queue), "{error}");
    drop(held);
    assert_eq!(client.get(&keys[0]).send().unwrap(), None);
}

#[test]
fn a_slot_that_nobody_serves_is_waited_for() {
    for variant in VARIANTS {
        let cluster = Cluster::builder(variant)
            .replicas(0)
            .require_full_coverage(false)
            .start()
            .unwrap();
        let cluster = Arc::new(cluster);
        let url = cluster.url();
        let client = Client::connect(&format!("{url}?response_timeout=10s")).unwrap();
        let short = Client::connect(&format!("{url}?response_timeout=300ms")).unwrap();
        let owner = cluster.primary_of(0).unwrap();
        cluster.delete_slots(0..=0).unwrap();
        let key = key_in_slot(0);
        let error = short.incr(&key).send().unwrap_err();
        assert_eq!(error.code(), Some("CLUSTERDOWN"), "{error}");
        assert!(!error.may_have_executed());
        let waiting = thread::spawn({
            let (client, key) = (client.clone(), key.clone());
            move || client.incr(key).send()
        });
        cluster.add_slots(0..=0, &owner).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), 1);
    }
}

/// How many threads of a name this process has.
#[cfg(target_os = "linux")]
fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
    // Some may have ended meanwhile.
    let names = names.filter_map(Result::ok);
    names.filter(|found| found.trim_end() == name).count()
}

/// In a process of its own, so that the threads of other tests are not among those counted.
#[cfg(target_os = "linux")]
#[test]
fn a_client_that_is_dropped_leaves_no_connection_and_no_thread() {
    const ALONE: &str = "RESPEC_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = "a_client_that_is_dropped_leaves_no_connection_and_no_thread";
        let program = std::env::current_exe().unwrap();
        let mut command = std::process::Command::new(program);
        let status = command.args(["--exact", name]).env(ALONE, "1").status();
        assert!(status.unwrap().success());
        return;
    }
    let cluster = Cluster::builder(Variant::Valkey91)
        .replicas(0)
        .start()
        .unwrap();
    let nodes = cluster.nodes();
    let connections = || {
        let lists = nodes.iter().map(|node| {
            let list = node.command(&[b"CLIENT", b"LIST"]).unwrap();
            String::from_utf8_lossy(&list)
                .matches("name=leaver")
                .count()
        });
        lists.sum::<usize>()
    };
    let url = format!("{}?client_name=leaver", cluster.url());
    assert_eq!(threads("respec-topology"), 0);
    let client = Client::connect(&url).unwrap();
    let values = client.mget(keys("leaver", 50)).send().unwrap();
    assert_eq!(values.len(), 50);
    assert!(connections() >= 3);
    assert_eq!(threads("respec-topology"), 1);
    let clone = client.clone();
    drop(client);
    assert_eq!(clone.get("x").send().unwrap(), None);
    assert_eq!(threads("respec-topology"), 1);
    drop(clone);
    let deadline = Instant::now() + Duration::from_secs(10);
    let left = || {
        connections()
            + ["respec-topology", "respec-dial", "respec-part"]
                .map(threads)
                .iter()
                .sum::<usize>()
    };
    while left() > 0 {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn outside_of_a_cluster_the_one_server_is_every_node() {
    let server = respec_testkit::shared(Variant::Redis70);
    let client = Client::connect(&server.url()).unwrap();
    client.ping().send().unwrap();
    let nodes = client.nodes().unwrap();
    assert_eq!(nodes, [NodeAddress::new("127.0.0.1", server.port())]);
    assert!(client.node(&nodes[0]).is_ok());
    let pongs = client.each_node().send(cmd::ping()).unwrap();
    assert_eq!(pongs.len(), 1);
    assert_eq!(pongs[0].0, nodes[0]);
}
