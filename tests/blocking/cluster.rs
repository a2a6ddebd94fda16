//! The blocking client on real clusters: what only a client with threads and pools promises.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use respec::{ErrorKind, Phase, blocking::Client, cmd, prelude::*};
use respec_testkit::{Cluster, Variant, key_in_slot};

use crate::clusters::{self, keys};

/// A client of a cluster of the caller's own.
fn own(variant: Variant, options: &str) -> (Arc<Cluster>, Client) {
    let cluster = clusters::own(variant);
    let client = Client::connect(&format!("{}{options}", cluster.url())).unwrap();
    (cluster, client)
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
