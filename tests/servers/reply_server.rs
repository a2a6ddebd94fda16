//! What servers tell about themselves, typed, on every server under RESP2 and RESP3.

use bytes::Bytes;
use respec::{
    Client, Config, Protocol, cmd,
    prelude::*,
    reply::{Confirmation, FromText, JsonNumber, MonitorLine, OneOrMany, ServerRole, Value},
};
use respec_testkit::{Server, Variant, shared};

use crate::socket::{Connection, same};

/// A server of each variant, with a connection for each version of the protocol.
fn all() -> impl Iterator<Item = (Variant, [Connection; 2])> {
    Variant::ALL
        .into_iter()
        .map(|variant| (variant, Connection::both(shared(variant))))
}

#[test]
fn info_has_sections_and_fields() {
    for (variant, connections) in all() {
        let server = shared(variant);
        for mut connection in connections {
            connection.send(cmd::set(format!("reply:info:{variant}"), "1"));
            let info = connection.send(cmd::info().section("everything"));
            assert_eq!(info.version(), Some(server.version()), "{variant}");
            let name = if variant == Variant::Valkey91 {
                "valkey"
            } else {
                "redis"
            };
            assert_eq!(
                (info.server_name(), info.mode()),
                (Some(name), Some("standalone"))
            );
            assert_eq!(info.role(), Some(ServerRole::Primary));
            assert_eq!(
                (info.is_loading(), info.is_cluster()),
                (Some(false), Some(false))
            );
            assert!(info.used_memory() > Some(100_000) && info.used_memory_rss() > Some(100_000));
            assert!(info.used_memory_peak() > Some(100_000) && info.maxmemory() == Some(0));
            assert!(info.connected_clients() >= Some(1) && info.blocked_clients().is_some());
            assert!(info.uptime_in_seconds().is_some() && info.connected_replicas() == Some(0));
            assert!(info.total_commands_processed() > Some(0));
            assert!(info.keyspace_hits().is_some() && info.keyspace_misses().is_some());
            assert!(info.instantaneous_ops_per_sec().is_some() && info.replicas().is_empty());
            let keyspace = info.keyspace();
            let (0, database) = &keyspace[0] else {
                panic!("{keyspace:?}")
            };
            assert!(
                database.keys >= 1 && database.rest.is_empty(),
                "{database:?}"
            );
            let stats = info.commandstats();
            let (_, set) = stats.iter().find(|(name, _)| name == "set").unwrap();
            assert!(set.calls >= 1 && set.rest.is_empty(), "{set:?}");
            assert!(
                info.section("commandstats")
                    .unwrap()
                    .field("cmdstat_set")
                    .is_some()
            );
            // What a section has stands in the whole text as well.
            let memory = connection.send(cmd::info().section("memory"));
            let names: Vec<_> = memory
                .sections()
                .map(|section| section.name().to_owned())
                .collect();
            assert_eq!(names, ["Memory"]);
            assert!(
                connection
                    .send(cmd::info().section("nothing"))
                    .as_str()
                    .is_empty()
            );
        }
    }
}

#[test]
fn connections_are_described_whole() {
    for (variant, connections) in all() {
        for (mut connection, protocol) in connections.into_iter().zip([2, 3]) {
            connection.send(cmd::client_setname("reply:client"));
            let id = connection.send(cmd::client_id());
            let own = connection.send(cmd::client_info());
            assert_eq!((own.id, &*own.name, own.db), (id, "reply:client", 0));
            assert_eq!((own.resp, &*own.cmd), (Some(protocol), "client|info"));
            assert_eq!(own.user.as_deref(), Some(&b"default"[..]));
            assert_eq!(own.laddr, Some(shared(variant).addr().to_string()));
            assert_eq!(own.flags.as_str(), "N");
            assert!(own.rest.is_empty(), "{variant}: {:?}", own.rest);
            assert_eq!(own.lib_name.is_some(), variant != Variant::Redis70);
            let listed = connection.send(cmd::client_list());
            let found = listed.iter().find(|client| client.id == id).unwrap();
            assert_eq!(found.cmd, "client|list");
            let chosen = connection.send(cmd::client_list().id([id]));
            assert!(chosen.len() == 1 && chosen[0].id == id);
            // The text is there for whoever wants it.
            let text = connection.send(cmd::client_info().decode::<String>());
            assert!(text.starts_with(&format!("id={id} addr=")), "{text}");
            connection.raw(&["AUTH", "reply:nobody", "x"]);
            let log = connection.send(cmd::acl_log());
            let entry = log
                .iter()
                .find(|entry| entry.username == "reply:nobody")
                .unwrap();
            assert!(entry.client_info.name.starts_with("reply:") && entry.rest.is_empty());
        }
    }
}

#[test]
fn memory_is_described_whole() {
    for (variant, connections) in all() {
        for mut connection in connections {
            connection.raw(&["SELECT", "5"]);
            connection.raw(&["SET", "reply:memory", "x", "EX", "100"]);
            let stats = connection.send(cmd::memory_stats());
            assert!(stats.rest.is_empty(), "{variant}: {:?}", stats.rest);
            assert!(stats.peak_allocated > 100_000 && stats.fragmentation > 0.0);
            let database = &stats.databases[&5];
            assert!(database.overhead_hashtable_main > 0, "{database:?}");
            assert!(database.rest.is_empty(), "{variant}: {:?}", database.rest);
        }
    }
}

#[test]
fn a_cluster_is_described_whole() {
    for variant in Variant::ALL {
        let server = Server::builder(variant)
            .modules(false)
            .config("cluster-enabled", "yes")
            .config("cluster-announce-hostname", "node.example")
            .start()
            .unwrap();
        for mut connection in Connection::both(&server) {
            connection.raw(&["CLUSTER", "ADDSLOTSRANGE", "5", "5", "7", "16000"]);
            let info = connection.send(cmd::cluster_info());
            assert_eq!((info.slots_assigned, info.known_nodes), (15_995, 1));
            assert!(info.rest.is_empty(), "{variant}: {:?}", info.rest);
            let id = connection.send(cmd::cluster_myid());
            let nodes = connection.send(cmd::cluster_nodes());
            let [node] = &nodes[..] else {
                panic!("{nodes:?}")
            };
            assert_eq!(node.id, id);
            assert_eq!(node.port, server.addr().port());
            assert_eq!(node.hostname.as_deref(), Some("node.example"));
            assert!(node.is_myself() && node.is_primary() && node.connected);
            assert_eq!(node.slots, [(5, 5), (7, 16_000)]);
            assert!(node.rest.is_empty(), "{variant}: {:?}", node.rest);
            assert!(
                connection
                    .send(cmd::cluster_replicas(id.clone()))
                    .is_empty()
            );
            assert!(connection.send(cmd::cluster_slaves(id)).is_empty());
            let text = connection.send(cmd::cluster_info().decode::<String>());
            assert!(text.starts_with("cluster_state:"), "{text}");
        }
    }
}

#[test]
fn json_answers_the_same_under_both_protocols() {
    use JsonNumber::{Double, Integer};
    let mut both = Connection::both(shared(Variant::Redis82));
    let key = "reply:json";
    let document = r#"{"a":1,"b":{"a":2.5,"c":true},"c":false,"d":"s"}"#;
    let fresh = |connections: &mut [Connection; 2]| {
        connections[0].send(cmd::json_set(key, "$", document));
    };
    macro_rules! each {
        ($command:expr, $read:expr, $expected:expr) => {
            for at in 0..2 {
                fresh(&mut both);
                assert_eq!($read(both[at].send($command)), $expected, "RESP{}", at + 2);
            }
        };
    }
    let numbers = |reply: respec::reply::JsonNumbers| reply.numbers;
    each!(
        cmd::json_numincrby(key, "$..a", 1),
        numbers,
        [Some(Integer(2)), Some(Double(3.5))]
    );
    each!(cmd::json_numincrby(key, "$.d", 1), numbers, [None]);
    each!(cmd::json_numincrby(key, "$.x", 1), numbers, []);
    each!(
        cmd::json_numincrby(key, ".a", 0.5),
        numbers,
        [Some(Double(1.5))]
    );
    each!(
        cmd::json_nummultby(key, "$..a", 2),
        numbers,
        [Some(Integer(2)), Some(Double(5.0))]
    );
    each!(cmd::json_numpowby(key, "a", 2), numbers, [Some(Integer(1))]);
    let as_is = |reply| reply;
    each!(
        cmd::json_toggle(key, ".c"),
        as_is,
        OneOrMany::One(Some(true))
    );
    each!(
        cmd::json_toggle(key, "$..*"),
        |reply: OneOrMany<Option<bool>>| {
            let mut truths: Vec<_> = reply.into_vec().into_iter().flatten().collect();
            truths.sort_unstable();
            truths
        },
        [false, true]
    );
    let types = |reply: Option<respec::reply::JsonTypes>| reply.map(|reply| reply.types.join(" "));
    each!(cmd::json_type(key), types, Some("object".to_owned()));
    each!(
        cmd::json_type(key).path("$..a"),
        types,
        Some("integer number".to_owned())
    );
    each!(
        cmd::json_type(key).path("$.d"),
        types,
        Some("string".to_owned())
    );
    each!(cmd::json_type(key).path("$.x"), types, Some(String::new()));
    each!(cmd::json_type(key).path(".x"), types, None);
    each!(cmd::json_type("reply:none").path("$"), types, None);
    each!(
        cmd::json_debug_memory(key),
        |reply| matches!(reply, OneOrMany::One(1..)),
        true
    );
    each!(
        cmd::json_debug_help(),
        |reply: Vec<String>| !reply.is_empty(),
        true
    );
}

#[test]
fn an_index_is_described_whole() {
    let mut both = Connection::both(shared(Variant::Redis82));
    both[0].raw(&[
        "FT.CREATE",
        "reply:index",
        "PREFIX",
        "1",
        "reply:index:",
        "STOPWORDS",
        "2",
        "a",
        "b",
        "SCHEMA",
        "t",
        "TEXT",
        "WEIGHT",
        "2",
        "SORTABLE",
        "n",
        "NUMERIC",
        "tag",
        "TAG",
        "SEPARATOR",
        ";",
        "CASESENSITIVE",
        "v",
        "VECTOR",
        "FLAT",
        "6",
        "TYPE",
        "FLOAT32",
        "DIM",
        "2",
        "DISTANCE_METRIC",
        "L2",
    ]);
    for connection in &mut both {
        // The server looks through the keys of all tests, which may take a while.
        let info = loop {
            let info = connection.send(cmd::ft_info("reply:index"));
            if !info.indexing {
                break info;
            }
        };
        assert_eq!(info.index_name, "reply:index");
        assert_eq!(info.index_definition.key_type, "HASH");
        assert_eq!(info.index_definition.prefixes, ["reply:index:"]);
        assert_eq!(
            info.stopwords_list.as_deref(),
            Some(&[Bytes::from("a"), Bytes::from("b")][..])
        );
        let [text, number, tag, vector] = &info.attributes[..] else {
            panic!("{:?}", info.attributes)
        };
        assert_eq!(
            (&*text.r#type, text.weight, &text.flags[..]),
            ("TEXT", Some(2.0), &["SORTABLE".to_owned()][..])
        );
        assert_eq!(
            (&*number.r#type, number.flags.len(), number.rest.len()),
            ("NUMERIC", 0, 0)
        );
        assert_eq!(tag.separator.as_deref(), Some(&b";"[..]));
        assert_eq!(tag.flags, ["CASESENSITIVE"]);
        let dimensions = vector
            .rest
            .iter()
            .find(|(name, _)| name == "dim")
            .map(|(_, value)| value);
        assert_eq!(dimensions.and_then(Value::as_i64), Some(2));
        assert!(info.num_docs == 0 && info.bytes_per_record_avg.is_nan());
        assert_eq!(info.errors.as_ref().map(|errors| errors.failures), Some(0));
        assert_eq!(info.field_statistics.as_ref().map(Vec::len), Some(4));
        assert!(
            info.cursor_stats
                .as_ref()
                .unwrap()
                .contains_key("index_capacity")
        );
        assert!(
            info.gc_stats
                .as_ref()
                .unwrap()
                .contains_key("bytes_collected")
        );
        assert!(info.rest.is_empty(), "{:?}", info.rest);
    }
    let help = same(&mut both, cmd::ft_config_help("*"));
    let timeout = help
        .iter()
        .find(|parameter| parameter.name == "TIMEOUT")
        .unwrap();
    assert!(timeout.value.is_some() && !timeout.description.is_empty());
    let unset = help
        .iter()
        .find(|parameter| parameter.name == "EXTLOAD")
        .unwrap();
    assert_eq!(unset.value, None);
    assert!(same(&mut both, cmd::ft_config_help("nothing")).is_empty());
}

#[test]
fn filters_describe_themselves() {
    let mut both = Connection::both(shared(Variant::Redis82));
    both[0].raw(&["BF.ADD", "reply:bf", "x"]);
    both[0].raw(&["CF.ADD", "reply:cf", "x"]);
    let lines = same(&mut both, cmd::bf_debug("reply:bf"));
    assert_eq!(lines.first().map(String::as_str), Some("size:1"));
    assert!(same(&mut both, cmd::cf_debug("reply:cf")).contains("items:1"));
}

#[tokio::test]
async fn subscriptions_are_confirmed_by_type() {
    for variant in Variant::ALL {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let config = Config::from_url(&shared(variant).url()).unwrap();
            let client = Client::from_config(config.protocol(protocol));
            let connection = client.dedicated().await.unwrap();
            let check = |confirmation: &Confirmation, kind, channel: Option<&str>, count| {
                assert_eq!(confirmation.kind, kind, "{variant} {protocol:?}");
                assert_eq!(confirmation.channel.as_deref(), channel.map(str::as_bytes));
                assert_eq!(confirmation.count, count);
            };
            let confirmed = connection.subscribe(["reply:a", "reply:b"]).await.unwrap();
            check(&confirmed, "subscribe", Some("reply:b"), 2);
            let confirmed = connection.psubscribe("reply:*").await.unwrap();
            check(&confirmed, "psubscribe", Some("reply:*"), 3);
            let confirmed = connection.ssubscribe("reply:s").await.unwrap();
            check(&confirmed, "ssubscribe", Some("reply:s"), 1);
            let confirmed = connection
                .sunsubscribe()
                .shardchannel("reply:s")
                .await
                .unwrap();
            check(&confirmed, "sunsubscribe", Some("reply:s"), 0);
            let confirmed = connection
                .unsubscribe()
                .channel(["reply:a", "reply:b"])
                .await
                .unwrap();
            check(&confirmed, "unsubscribe", Some("reply:b"), 1);
            let confirmed = connection.unsubscribe().await.unwrap();
            check(&confirmed, "unsubscribe", None, 1);
            let confirmed = connection.punsubscribe().pattern("reply:*").await.unwrap();
            check(&confirmed, "punsubscribe", Some("reply:*"), 0);
            connection.monitor().await.unwrap();
            let odd = "a b\"\\\r\n\t\u{7}\u{8}\0é";
            client.echo(odd).await.unwrap();
            let line = loop {
                let push = connection.next_push().await.unwrap();
                let line = MonitorLine::from_text(push.reply().bytes().unwrap()).unwrap();
                if line.words[0].eq_ignore_ascii_case(b"echo") {
                    break line;
                }
            };
            assert_eq!(line.words[1], odd);
            assert!(line.microseconds > 1_700_000_000_000_000 && line.database == 0);
            assert!(line.client.starts_with("127.0.0.1:"), "{line:?}");
        }
    }
}
