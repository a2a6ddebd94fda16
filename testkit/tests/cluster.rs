//! Clusters of all servers: they start, lose and regain nodes, and move slots.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use respec_testkit::{
    Cluster, Connection, Node, Outage, Prober, SLOTS, Variant, key_in_slot, slot_of,
};

#[test]
fn three_primaries_with_a_replica_each_share_the_slots() {
    for variant in Variant::ALL {
        let begin = Instant::now();
        let cluster = Cluster::shared(variant);
        println!("{variant}: six nodes ready after {:?}", begin.elapsed());
        let nodes = cluster.nodes();
        assert_eq!(nodes.len(), 6);
        let primaries = cluster.primaries().unwrap();
        let topology = cluster.topology().unwrap();
        let ranges = [0..=5460, 5461..=10921, 10922..=SLOTS - 1];
        for (index, primary) in primaries.iter().enumerate() {
            assert_eq!(primary.id(), nodes[index].id());
            assert_eq!(
                topology.member(primary.id()).unwrap().slots,
                [ranges[index].clone()]
            );
            let replicas = cluster.replicas_of(primary).unwrap();
            let [replica] = replicas.as_slice() else {
                panic!("one replica, not {replicas:?}");
            };
            assert_eq!(replica.id(), nodes[3 + index].id());

            let key = cluster.key_at(primary).unwrap();
            assert_eq!(slot_of(key.as_bytes()), *ranges[index].start());
            let set = primary.command(&[b"SET", key.as_bytes(), b"v"]).unwrap();
            assert_eq!(set, b"+OK\r\n");
            let asked = cluster.primary_of(slot_of(key.as_bytes())).unwrap();
            assert_eq!(asked.id(), primary.id());
        }
        let addrs: Vec<_> = nodes.iter().map(|node| node.addr().to_string()).collect();
        assert_eq!(
            cluster.url(),
            format!("redis-cluster://{}", addrs.join(","))
        );
        cluster.wait_until_stable().unwrap();
    }
}

#[test]
fn a_cluster_has_the_shape_and_the_settings_it_is_given() {
    let cluster = Cluster::builder(Variant::Redis82)
        .primaries(1)
        .replicas(2)
        .node_timeout(Duration::from_millis(1500))
        .modules(true)
        .config("maxclients", "77")
        .start()
        .unwrap();
    let primaries = cluster.primaries().unwrap();
    assert_eq!(primaries.len(), 1);
    assert_eq!(cluster.replicas_of(&primaries[0]).unwrap().len(), 2);
    for node in cluster.nodes() {
        for (setting, value) in [("cluster-node-timeout", "1500"), ("maxclients", "77")] {
            let reply = node
                .command(&[b"CONFIG", b"GET", setting.as_bytes()])
                .unwrap();
            let expected = format!("\r\n{value}\r\n");
            assert!(
                String::from_utf8_lossy(&reply).ends_with(&expected),
                "{setting}"
            );
        }
    }
    let key = key_in_slot(0);
    let json = [&b"JSON.SET"[..], key.as_bytes(), b"$", b"[1]"];
    assert_eq!(primaries[0].command(&json).unwrap(), b"+OK\r\n");

    let (pids, directories): (Vec<_>, Vec<_>) = cluster
        .nodes()
        .iter()
        .map(|node| (node.server().pid(), node.server().directory().to_owned()))
        .unzip();
    drop((cluster, primaries));
    for (pid, directory) in pids.iter().zip(directories) {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
        assert!(!directory.exists());
    }
}

#[test]
fn what_keeps_a_cluster_from_starting_is_said() {
    let error = Cluster::builder(Variant::Valkey91)
        .patience(Duration::from_millis(50))
        .start()
        .unwrap_err();
    let message = error.to_string();
    assert!(message.contains("waited 50ms in vain until"), "{message}");
    assert!(message.contains("127.0.0.1:"), "{message}");
}

#[test]
fn a_slot_moves_step_by_step() {
    for variant in Variant::ALL {
        let cluster = Cluster::start(variant).unwrap();
        let primaries = cluster.primaries().unwrap();
        let slot = 42;
        let tag = key_in_slot(slot);
        let keys: Vec<_> = (0..250).map(|n| format!("{tag}:{n}")).collect();
        let step = cluster.slot_move(slot, &primaries[1]).unwrap();
        let mut source = connect(step.source());
        let mut target = connect(step.target());
        for key in &keys {
            source.command(&[b"SET", key.as_bytes(), b"v"]).unwrap();
        }
        let moved = |node: &Node| format!("-MOVED {slot} {}\r\n", node.addr());
        let ask = format!("-ASK {slot} {}\r\n", step.target().addr());
        let absent = format!("{tag}:absent");
        let get = |connection: &mut Connection, key: &str| text(connection, &["GET", key]);

        assert_eq!(get(&mut target, &keys[0]), moved(step.source()));
        step.open().unwrap();
        let member = step.source().topology().unwrap();
        let member = member.member(step.source().id()).unwrap();
        assert_eq!(member.migrating, [(slot, step.target().id().to_owned())]);
        assert_eq!(get(&mut source, &keys[0]), "$1\r\nv\r\n");
        assert_eq!(get(&mut source, &absent), ask);
        assert_eq!(get(&mut target, &absent), moved(step.source()));
        assert_eq!(text(&mut target, &["ASKING"]), "+OK\r\n");
        assert_eq!(get(&mut target, &absent), "$-1\r\n");

        assert_eq!(step.move_keys(1).unwrap(), 1);
        let gone: Vec<_> = keys
            .iter()
            .filter(|key| get(&mut source, key) == ask)
            .collect();
        assert_eq!(gone.len(), 1);
        let stayed = keys.iter().find(|key| *key != gone[0]).unwrap();
        let both = ["MGET", gone[0].as_str(), stayed.as_str()];
        let try_again = "-TRYAGAIN Multiple keys request during rehashing of slot\r\n";
        assert_eq!(text(&mut source, &both), try_again);
        text(&mut target, &["ASKING"]);
        assert_eq!(text(&mut target, &both), try_again);
        cluster.wait_until_stable().unwrap();

        step.move_all_keys().unwrap();
        step.assign().unwrap();
        assert_eq!(step.source().keys_in_slot(slot).unwrap(), 0);
        assert_eq!(step.target().keys_in_slot(slot).unwrap(), keys.len());
        for node in cluster.nodes() {
            let topology = node.topology().unwrap();
            assert_eq!(topology.owner(slot).unwrap().id, step.target().id());
        }
        assert_eq!(get(&mut source, &keys[0]), moved(step.target()));
        assert_eq!(get(&mut target, &keys[0]), "$1\r\nv\r\n");

        cluster.move_slot(slot, step.source()).unwrap();
        assert_eq!(step.source().keys_in_slot(slot).unwrap(), keys.len());
        assert!(cluster.slot_move(slot, step.source()).is_err());

        let several = cluster.migrate_slots(slot - 2..=slot + 2, step.target());
        if variant == Variant::Valkey91 {
            several.unwrap();
            assert_eq!(step.target().keys_in_slot(slot).unwrap(), keys.len());
            assert_eq!(get(&mut source, &keys[0]), moved(step.target()));
        } else {
            let message = several.unwrap_err().to_string();
            assert!(message.contains("unknown subcommand"), "{message}");
        }
    }
}

#[test]
fn slots_lose_their_owner_and_nodes_come_and_go() {
    for variant in Variant::ALL {
        let cluster = Cluster::builder(variant)
            .require_full_coverage(false)
            .start()
            .unwrap();
        let primaries = cluster.primaries().unwrap();
        let mut first = connect(&primaries[0]);
        let (lost, kept) = (key_in_slot(7), key_in_slot(9));
        cluster.delete_slots(7..=8).unwrap();
        assert_eq!(cluster.topology().unwrap().uncovered(), Some(7));
        let down = "-CLUSTERDOWN Hash slot not served\r\n";
        assert_eq!(text(&mut first, &["GET", &lost]), down);
        assert_eq!(text(&mut first, &["GET", &kept]), "$-1\r\n");
        assert!(cluster.primary_of(7).is_err());
        cluster.add_slots(7..=8, &primaries[1]).unwrap();
        cluster.wait_until_stable().unwrap();
        assert_eq!(cluster.primary_of(8).unwrap().id(), primaries[1].id());

        let added = cluster.add_node().unwrap();
        cluster.wait_until_stable().unwrap();
        assert_eq!(cluster.primaries().unwrap().len(), 4);
        cluster.move_slot(7, &added).unwrap();
        assert!(cluster.forget(&added).is_err(), "it has a slot");
        cluster.move_slot(7, &primaries[0]).unwrap();
        let ids = |nodes: Vec<Arc<Node>>| -> BTreeSet<String> {
            nodes.iter().map(|node| node.id().to_owned()).collect()
        };
        cluster.replicate(&added, &primaries[2]).unwrap();
        cluster.wait_until_stable().unwrap();
        let replicas = ids(cluster.replicas_of(&primaries[2]).unwrap());
        assert!(replicas.len() == 2 && replicas.contains(added.id()));
        cluster.forget(&added).unwrap();
        cluster.wait_until_stable().unwrap();
        assert!(!ids(cluster.nodes()).contains(added.id()));
        assert_eq!(text(&mut connect(&added), &["PING"]), "+PONG\r\n");
    }
}

#[test]
fn primaries_are_replaced_and_come_back() {
    for variant in Variant::ALL {
        let cluster = Cluster::start(variant).unwrap();
        let prober = cluster.prober(0);
        let key = key_in_slot(0);
        let (primary, replica) = shard(&cluster);
        primary.command(&[b"SET", key.as_bytes(), b"1"]).unwrap();

        let begin = Instant::now();
        cluster.fail_over(&replica).unwrap();
        let gap = prober.longest_gap_since(begin);
        println!("{variant}: CLUSTER FAILOVER: no write is accepted for {gap:?}");
        assert_eq!(shard(&cluster).0.id(), replica.id());
        assert_eq!(shard(&cluster).1.id(), primary.id());

        let (primary, replica) = shard(&cluster);
        let pid = primary.server().pid();
        let outage = cluster.kill(&primary).unwrap();
        assert!(!primary.is_up());
        assert_eq!(outage.slots, [0..=5460]);
        assert!(outage.end.unwrap() >= outage.begin);
        cluster.wait_until_stable().unwrap();
        report(&prober, variant, "kill -9", &outage);
        assert_eq!(cluster.primary_of(0).unwrap().id(), replica.id());
        replica.command(&[b"SET", key.as_bytes(), b"2"]).unwrap();
        cluster.restart(&primary).unwrap();
        assert_ne!(primary.server().pid(), pid);
        assert_eq!(
            shard(&cluster).1.id(),
            primary.id(),
            "the same node as before"
        );
        let mut returned = connect(&primary);
        text(&mut returned, &["READONLY"]);
        assert_eq!(text(&mut returned, &["GET", &key]), "$1\r\n2\r\n");

        let (primary, replica) = shard(&cluster);
        let outage = cluster.pause(&primary).unwrap();
        assert!(outage.end.is_none());
        cluster.wait_for_takeover(&primary).unwrap();
        report(&prober, variant, "SIGSTOP", &outage);
        cluster.resume(&primary).unwrap();
        cluster.wait_until_stable().unwrap();
        assert!(outage.ends().end.is_some());
        assert_eq!(shard(&cluster).0.id(), replica.id());

        let (primary, replica) = shard(&cluster);
        let outage = cluster.kill(&replica).unwrap();
        assert!(outage.slots.is_empty());
        cluster.wait_until_stable().unwrap();
        cluster.restart(&replica).unwrap();
        assert_eq!(shard(&cluster).0.id(), primary.id());
    }
}

#[test]
fn the_prober_follows_a_slot_to_a_node_it_was_not_told_of() {
    let cluster = Cluster::start(Variant::Valkey91).unwrap();
    let prober = cluster.prober(0);
    let first = prober.first_after(Instant::now(), PATIENCE).unwrap();
    assert_eq!(first.node, cluster.primary_of(0).unwrap().addr());

    let added = cluster.add_node().unwrap();
    let step = cluster.slot_move(0, &added).unwrap();
    step.open().unwrap();
    step.move_all_keys().unwrap();
    let asked = prober.first_after(Instant::now(), PATIENCE).unwrap();
    assert_eq!(asked.node, added.addr(), "by way of ASK");
    step.assign().unwrap();
    let assigned = Instant::now();
    let moved = prober.first_after(assigned, PATIENCE).unwrap();
    assert_eq!(moved.node, added.addr());
    assert!(prober.last_before(assigned).unwrap().received < assigned);

    let outages: Vec<_> = cluster
        .nodes()
        .iter()
        .map(|node| cluster.kill(node).unwrap())
        .collect();
    let none = prober.first_after(outages.last().unwrap().begin, Duration::from_millis(100));
    assert!(none.is_err());
}

/// The primary and the replica that have slot 0.
fn shard(cluster: &Cluster) -> (Arc<Node>, Arc<Node>) {
    let primary = cluster.primary_of(0).unwrap();
    let replica = cluster.replicas_of(&primary).unwrap().remove(0);
    (primary, replica)
}

/// The prober's figure, which depends on the machine.
fn report(prober: &Prober, variant: Variant, what: &str, outage: &Outage) {
    let accepted = prober.first_after(outage.down, PATIENCE).unwrap();
    let after = accepted.received - outage.down;
    println!("{variant}: {what}: a write is accepted after {after:?}");
}

fn connect(node: &Node) -> Connection {
    node.server().connection(PATIENCE).unwrap()
}

fn text(connection: &mut Connection, words: &[&str]) -> String {
    let parts: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
    String::from_utf8(connection.command(&parts).unwrap()).unwrap()
}

const PATIENCE: Duration = Duration::from_secs(30);
