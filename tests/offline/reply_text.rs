//! Replies that are lines of text: their forms, and those that no test server sends.

use respec::{
    reply::{
        ClientInfo, ClusterInfo, ClusterNode, Decode, FromText, JsonNumber, JsonNumbers, JsonTypes,
        Keyspace, MemoryStats, MonitorLine, OneOrMany, ServerInfo, ServerRole,
    },
    resp::Frame,
};

use crate::support::frame;

fn bulk(text: &str) -> Frame {
    frame(format!("${}\r\n{text}\r\n", text.len()))
}

fn verbatim(text: &str) -> Frame {
    frame(format!("={}\r\ntxt:{text}\r\n", text.len() + 4))
}

/// The value of a text, which both protocols give.
fn both<T: Decode + PartialEq + std::fmt::Debug>(text: &str) -> T {
    let two = T::decode(bulk(text).reply()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(T::decode(verbatim(text).reply()).unwrap(), two);
    two
}

fn error<T: Decode + std::fmt::Debug>(form: &Frame) -> String {
    T::decode(form.reply()).unwrap_err().to_string()
}

const CLIENT: &str = "id=3 addr=127.0.0.1:6 laddr=[::1]:7 fd=8 name= age=2 idle=1 flags=xb db=5 \
    sub=0 psub=1 ssub=2 multi=-1 watch=4 qbuf=26 qbuf-free=20448 obl=0 oll=0 omem=0 tot-mem=9 \
    events=r cmd=client|list user=default redir=-1 resp=3 lib-name=a=b lib-ver= future=1\n";

#[test]
fn a_connection_from_a_line() {
    let client: ClientInfo = both(CLIENT);
    assert_eq!((client.id, client.fd, client.db), (3, 8, 5));
    assert_eq!(client.addr, "127.0.0.1:6");
    assert_eq!(client.laddr.as_deref(), Some("[::1]:7"));
    assert_eq!(client.name, "");
    assert!(client.flags.is_in_transaction() && client.flags.is_blocked());
    assert!(!client.flags.is_replica());
    assert_eq!((client.multi, client.watch), (-1, Some(4)));
    assert_eq!(client.lib_name.as_deref(), Some("a=b"));
    assert_eq!(client.lib_ver.as_deref(), Some(""));
    assert_eq!(client.io_thread, None);
    assert_eq!(client.rest, [("future".to_owned(), "1".into())]);
}

#[test]
fn a_path_with_spaces_belongs_to_the_address() {
    let line = CLIENT.replace("127.0.0.1:6", "/tmp/a b/c  d:0");
    let client: ClientInfo = both(&line);
    assert_eq!(client.addr, "/tmp/a b/c  d:0");
    assert_eq!(client.laddr.as_deref(), Some("[::1]:7"));
}

#[test]
fn connections_from_lines() {
    let clients: Vec<ClientInfo> = both(&format!("{CLIENT}{}", CLIENT.replace("id=3", "id=4")));
    assert_eq!(
        clients.iter().map(|client| client.id).collect::<Vec<_>>(),
        [3, 4]
    );
    assert!(both::<Vec<ClientInfo>>("").is_empty());
    assert_eq!(
        error::<ClientInfo>(&bulk(&format!("{CLIENT}{CLIENT}"))),
        "expected a text of one line, found one of several"
    );
    let wrong = bulk(&format!("{CLIENT}{}", CLIENT.replace("db=5", "db=-5")));
    assert_eq!(
        error::<Vec<ClientInfo>>(&wrong),
        "expected a whole number that is not negative, found another text at element 1, field `db`"
    );
    let wrong = bulk(&CLIENT.replace("db=5", "dc=5"));
    assert_eq!(
        error::<ClientInfo>(&wrong),
        "expected a field `db`, found none"
    );
    assert_eq!(
        error::<ClientInfo>(&frame(":1\r\n")),
        "expected a text, found an integer"
    );
}

#[test]
fn nodes_of_a_cluster() {
    let id = |digit: &str| digit.repeat(40);
    let text = [
        format!(
            "{} 127.0.0.1:30004@31004,host.example {} 0 1426238317239 4 connected",
            id("a"),
            format_args!("slave {}", id("b"))
        ),
        format!(
            "{} ::1:30002@31002 master - 0 1426238316232 2 connected 5461-10922 12",
            id("b")
        ),
        format!(
            "{} :0@0 myself,master - 5 0 1 disconnected 0-5460 [93->-{}] [77-<-{}] [what]",
            id("c"),
            id("a"),
            id("b")
        ),
        format!("{} 10.0.0.1:7000 master,fail? - 0 0 3 connected", id("d")),
        format!(
            "{} host:7000@17000,,shard-id=x,tls-port=0 handshake,noaddr - 0 0 0 connected",
            id("e")
        ),
    ]
    .join("\n");
    let nodes: Vec<ClusterNode> = both(&text);
    let [replica, primary, own, old, auxiliary] = &nodes[..] else {
        panic!("{nodes:?}")
    };
    assert_eq!(
        (&*replica.host, replica.port, replica.bus_port),
        ("127.0.0.1", 30004, Some(31004))
    );
    assert_eq!(replica.hostname.as_deref(), Some("host.example"));
    assert_eq!(replica.primary.as_deref(), Some(&*id("b")));
    assert!(replica.is_replica() && !replica.is_primary());
    assert_eq!(replica.pong_received, 1_426_238_317_239);
    assert_eq!((&*primary.host, primary.port), ("::1", 30002));
    assert_eq!(primary.primary, None);
    assert_eq!(primary.slots, [(5461, 10922), (12, 12)]);
    assert_eq!((&*own.host, own.port, own.bus_port), ("", 0, Some(0)));
    assert!(own.is_myself() && own.is_primary() && !own.connected);
    assert_eq!(own.migrating, [(93, id("a"))]);
    assert_eq!(own.importing, [(77, id("b"))]);
    assert_eq!(own.rest, ["[what]"]);
    assert_eq!(old.bus_port, None);
    assert!(old.has_flag("fail?") && !old.has_failed());
    assert_eq!(auxiliary.hostname, None);
    // `CLUSTER REPLICAS` has the lines in an array.
    let line = text.lines().next().unwrap();
    let list = frame(format!("*1\r\n${}\r\n{line}\r\n", line.len()));
    assert_eq!(
        Vec::<ClusterNode>::decode(list.reply()).unwrap(),
        nodes[..1]
    );
    for (from, to, message) in [
        (
            "30004@",
            "x@",
            "expected a number in range, found another text at element 0, field `port`",
        ),
        (
            "10922",
            "70000",
            "expected a number in range, found another text at element 1, field `slot`",
        ),
        (
            "slave ",
            "",
            "expected a number in range, found another text at element 0, field `config-epoch`",
        ),
        (
            " 3 connected",
            "",
            "expected a field `config-epoch`, found none at element 3",
        ),
    ] {
        assert_eq!(
            error::<Vec<ClusterNode>>(&bulk(&text.replace(from, to))),
            message
        );
    }
}

#[test]
fn lines_of_monitor() {
    let line: MonitorLine = both(r#"5.000001 [15 unix:/a b.sock] "set" "" "\x0a\"""#);
    assert_eq!((line.microseconds, line.database), (5_000_001, 15));
    assert_eq!(line.client, "unix:/a b.sock");
    assert_eq!(line.words, ["set".as_bytes(), b"", b"\n\""]);
    for wrong in [
        "OK",
        "",
        r#"5.1 [0 lua] "x""#,
        r#"5.000001 [0 lua] "x"#,
        r#"5.000001 [0 lua] "x" "#,
        r#"5.000001 [0 lua] "x"y"#,
        r#"5.000001 [0 lua] "\x0""#,
        r#"5.000001 [0 lua] "\q""#,
        r#"5.000001 [x lua] "x""#,
        r#"18446744073709551615.000001 [0 lua] "x""#,
    ] {
        assert!(MonitorLine::from_text(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn the_state_of_a_cluster() {
    let text = "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r\n\
        cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\ncluster_known_nodes:6\r\ncluster_size:3\r\n\
        cluster_current_epoch:6\r\ncluster_my_epoch:2\r\ncluster_stats_messages_ping_sent:1483972\r\n\
        cluster_stats_messages_sent:1483973\r\ncluster_stats_messages_received:1483968\r\nnew_thing:a:b\r\n";
    let info: ClusterInfo = both(text);
    assert_eq!(
        (&*info.state, info.slots_assigned, info.size),
        ("ok", 16384, 3)
    );
    assert_eq!(
        (info.messages_sent, info.messages_received),
        (1_483_973, 1_483_968)
    );
    assert_eq!(info.messages, [("ping_sent".to_owned(), 1_483_972)].into());
    assert_eq!(info.links_buffer_limit_exceeded, None);
    assert_eq!(info.rest, [("new_thing".to_owned(), "a:b".into())]);
}

#[test]
fn sections_and_fields_of_a_server() {
    let text = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n\
        config_file:\r\nexecutable:/a:b # c\r\n\r\n# Replication\r\nrole:master\r\nconnected_slaves:1\r\n\
        slave0:ip=::1,port=7001,state=online,offset=14,lag=-1,new=1\r\nslave_expires_tracked_keys:0\r\n\
        \r\n# Commandstats\r\ncmdstat_client|list:calls=2,usec=5,usec_per_call=2.50\r\n\
        # Errorstats\r\nerrorstat_ERR:count=3\r\n# Keyspace\r\ndb0:keys=4,expires=1,avg_ttl=0\r\n\
        db12:keys=1,expires=0,avg_ttl=7,subexpiry=2\r\ndb_x:1\r\n# Empty\r\n";
    let info: ServerInfo = both(text);
    assert_eq!(info.as_str(), text);
    let names: Vec<_> = info.sections().map(|section| section.name()).collect();
    assert_eq!(
        names,
        [
            "Server",
            "Replication",
            "Commandstats",
            "Errorstats",
            "Keyspace",
            "Empty"
        ]
    );
    assert_eq!(
        info.section("replication").unwrap().field("role"),
        Some("master")
    );
    assert_eq!(
        info.section("replication").unwrap().field("redis_version"),
        None
    );
    assert_eq!(info.section("Empty").unwrap().fields().count(), 0);
    assert_eq!(info.section("nothing"), None);
    assert_eq!(
        (info.version(), info.server_name()),
        (Some("9.1.2"), Some("valkey"))
    );
    assert_eq!(info.field("config_file"), Some(""));
    assert_eq!(info.field("executable"), Some("/a:b # c"));
    assert_eq!(info.role(), Some(ServerRole::Primary));
    assert_eq!(
        (info.connected_replicas(), info.used_memory()),
        (Some(1), None)
    );
    assert_eq!(info.number::<u64>("redis_version"), None);
    let [replica] = &info.replicas()[..] else {
        panic!("{:?}", info.replicas())
    };
    assert_eq!((&*replica.ip, replica.port, replica.lag), ("::1", 7001, -1));
    let keyspace = info.keyspace();
    assert_eq!(
        keyspace.iter().map(|(db, _)| *db).collect::<Vec<_>>(),
        [0, 12]
    );
    assert_eq!((keyspace[1].1.keys, keyspace[1].1.subexpiry), (1, Some(2)));
    let [(name, stats)] = &info.commandstats()[..] else {
        panic!("{:?}", info.commandstats())
    };
    assert_eq!(
        (&**name, stats.calls, stats.usec_per_call),
        ("client|list", 2, 2.5)
    );
    assert_eq!(info.errorstats(), [("ERR".to_owned(), 3)]);
    assert!(both::<ServerInfo>("").sections().next().is_none());
    assert_eq!(
        error::<ServerInfo>(&bulk("QUEUED")),
        "expected lines of a name, `:` and a value, found another line"
    );
    assert!(Keyspace::from_text(b"keys=x,expires=0").is_err());
}

#[test]
fn memory_by_database_in_both_forms() {
    let head = [
        "peak.allocated",
        "total.allocated",
        "startup.allocated",
        "replication.backlog",
        "clients.slaves",
        "clients.normal",
        "aof.buffer",
        "overhead.total",
        "keys.count",
        "keys.bytes-per-key",
        "dataset.bytes",
        "fragmentation.bytes",
    ];
    let percentages = ["dataset.percentage", "peak.percentage", "fragmentation"];
    let head: String = head
        .iter()
        .map(|name| format!("+{name}\r\n:7\r\n"))
        .collect();
    let fields = |double: &str, map: &str| {
        let doubles: String = percentages
            .iter()
            .map(|name| format!("+{name}\r\n{double}"))
            .collect();
        let database = |db: &str| {
            format!(
                "+{db}\r\n{map}+overhead.hashtable.main\r\n:1\r\n+overhead.hashtable.expires\r\n:2\r\n"
            )
        };
        format!(
            "{head}{doubles}{}{}+db.x\r\n:5\r\n",
            database("db.0"),
            database("db.3")
        )
    };
    let two = frame(format!("*36\r\n{}", fields("$3\r\n1.5\r\n", "*4\r\n")));
    let three = frame(format!("%18\r\n{}", fields(",1.5\r\n", "%2\r\n")));
    let stats = MemoryStats::decode(two.reply()).unwrap();
    assert_eq!(MemoryStats::decode(three.reply()).unwrap(), stats);
    assert_eq!((stats.peak_allocated, stats.fragmentation), (7, 1.5));
    let little = fields(",1.5\r\n", "%2\r\n").replace("dataset.bytes\r\n:", "dataset.bytes\r\n:-");
    let little = frame(format!("%18\r\n{little}"));
    let little = MemoryStats::decode(little.reply()).unwrap();
    assert_eq!(little.dataset_bytes, -7);
    assert_eq!(stats.databases.len(), 2);
    assert_eq!(stats.databases[&3].overhead_hashtable_expires, 2);
    assert_eq!(
        stats
            .rest
            .iter()
            .map(|(name, _)| &**name)
            .collect::<Vec<_>>(),
        ["db.x"]
    );
}

#[test]
fn numbers_of_json_in_both_forms() {
    use JsonNumber::{Double, Integer};
    let decode = |form: &str| JsonNumbers::decode(frame(form).reply()).unwrap().numbers;
    for (two, three, expected) in [
        (
            "$14\r\n[1,null,-2.5e3]\r\n".replace("14", "15"),
            "*3\r\n:1\r\n_\r\n,-2500\r\n",
            vec![Some(Integer(1)), None, Some(Double(-2500.0))],
        ),
        (
            "$3\r\n5.0\r\n".to_owned(),
            "*1\r\n,5\r\n",
            vec![Some(Double(5.0))],
        ),
        ("$2\r\n[]\r\n".to_owned(), "*0\r\n", vec![]),
        (
            "$22\r\n[-9223372036854775808]\r\n".to_owned(),
            "*1\r\n:-9223372036854775808\r\n",
            vec![Some(Integer(i64::MIN))],
        ),
    ] {
        assert_eq!(decode(&two), expected, "{two:?}");
        assert_eq!(decode(three), expected, "{three:?}");
    }
    for wrong in [
        "$3\r\n[x]\r\n",
        "$3\r\ninf\r\n",
        "$0\r\n\r\n",
        "$3\r\nNaN\r\n",
        ":1\r\n",
        "*1\r\n+x\r\n",
    ] {
        assert!(
            JsonNumbers::decode(frame(wrong).reply()).is_err(),
            "{wrong:?}"
        );
    }
}

#[test]
fn types_and_truth_of_json_in_both_forms() {
    let types = |form: &str| {
        let types = Option::<JsonTypes>::decode(frame(form).reply()).unwrap();
        types.map(|types| types.types)
    };
    for (two, three, expected) in [
        ("$-1\r\n", "*1\r\n_\r\n", None),
        ("*0\r\n", "*1\r\n*0\r\n", Some(vec![])),
        (
            "$3\r\nxyz\r\n",
            "*1\r\n$3\r\nxyz\r\n",
            Some(vec!["xyz".to_owned()]),
        ),
        (
            "*1\r\n$3\r\nxyz\r\n",
            "*1\r\n*1\r\n$3\r\nxyz\r\n",
            Some(vec!["xyz".to_owned()]),
        ),
        (
            "*2\r\n+a\r\n+b\r\n",
            "*1\r\n*2\r\n+a\r\n+b\r\n",
            Some(vec!["a".to_owned(), "b".to_owned()]),
        ),
    ] {
        assert_eq!(types(two), expected);
        assert_eq!(types(three), expected);
    }
    let truth = |form: &str| OneOrMany::<Option<bool>>::decode(frame(form).reply()).unwrap();
    assert_eq!(truth("$4\r\ntrue\r\n"), OneOrMany::One(Some(true)));
    assert_eq!(
        truth("*3\r\n:0\r\n_\r\n:1\r\n"),
        OneOrMany::Many(vec![Some(false), None, Some(true)])
    );
}

#[cfg(feature = "search")]
#[test]
fn clean_ups_of_indexes_are_counted() {
    use respec::reply::{DecodeError, IndexInfo};

    let strings = ["index_name"].map(|name| format!("+{name}\r\n+idx\r\n"));
    let lists = ["index_options", "attributes"].map(|name| format!("+{name}\r\n*0\r\n"));
    let definition = "+index_definition\r\n%3\r\n+key_type\r\n+HASH\r\n+prefixes\r\n*0\r\n+default_score\r\n,1\r\n";
    let numbers = [
        "num_docs",
        "max_doc_id",
        "num_terms",
        "num_records",
        "inverted_sz_mb",
        "total_inverted_index_blocks",
        "offset_vectors_sz_mb",
        "doc_table_size_mb",
        "sortable_values_size_mb",
        "key_table_size_mb",
        "records_per_doc_avg",
        "bytes_per_record_avg",
        "offsets_per_term_avg",
        "offset_bits_per_record_avg",
        "hash_indexing_failures",
        "indexing",
        "percent_indexed",
    ]
    .map(|name| format!("+{name}\r\n:1\r\n"));
    let fields = [
        strings.concat(),
        lists.concat(),
        definition.to_owned(),
        numbers.concat(),
    ]
    .concat();
    let index = |cleaning: &str| -> Result<IndexInfo, DecodeError> {
        let text = format!("%22\r\n{fields}+cleaning\r\n:{cleaning}\r\n");
        IndexInfo::decode(frame(text).reply())
    };
    assert_eq!(index("0").unwrap().cleaning, Some(0));
    // An `FT.DROPINDEX` after another one is waited for, too.
    assert_eq!(index("2").unwrap().cleaning, Some(2));
}
