//! Replies whose form follows no schema, on real servers under RESP2 and RESP3.

use std::thread::sleep;
use std::time::{Duration, Instant};

use respec::Value;
use respec::cmd;
use respec::commands::geo::{DistanceUnit, GeoOrigin, GeoShape};
use respec::commands::timeseries::{Aggregator, TsMrangeAggregation};
use respec::commands::vector_set::{VaddVector, VsimQuery};
use respec::reply::{
    AggregateResult, Decode, GeoHit, GeoPos, Role, SearchResult, SearchScore, SpellCheck,
    SpellCheckTerm, Suggestions, TsLastList, TsRules, TsSeriesList, VsimHits,
};
use respec_testkit::{Server, Variant, shared};

use crate::socket::{Connection, same};

#[test]
fn geo_hits_have_what_was_asked_for() {
    let mut server = Connection::both(shared(Variant::Redis82));
    let places = [
        (13.361389, 38.115556, "Palermo"),
        (15.087269, 37.502669, "Catania"),
    ];
    server[0].send(cmd::geoadd("sicily", places));
    let search = || {
        let by = GeoShape::byradius(200, DistanceUnit::Km);
        cmd::geosearch("sicily", GeoOrigin::fromlonlat(15, 37), by).asc()
    };
    let hits = same(&mut server, search().withdist().withhash().withcoord());
    assert_eq!(hits.len(), 2);
    assert_eq!(hits[0].member, "Catania");
    assert_eq!(hits[0].distance, Some(56.4413));
    assert_eq!(hits[0].hash, Some(3_479_447_370_796_909));
    let near = |position: &Option<GeoPos>| {
        let position = position.as_ref().expect("a position");
        (position.longitude - 15.087_269).abs() < 1e-5
            && (position.latitude - 37.502_669).abs() < 1e-5
    };
    assert!(near(&hits[0].position), "{hits:?}");

    let hits = same(&mut server, search().withdist());
    assert!(hits[1].distance.is_some() && hits[1].hash.is_none() && hits[1].position.is_none());
    let hits = same(&mut server, search().withhash());
    assert!(hits[1].distance.is_none() && hits[1].hash.is_some() && hits[1].position.is_none());
    let hits = same(&mut server, search().withcoord());
    assert!(hits[0].distance.is_none() && hits[0].hash.is_none() && near(&hits[0].position));
    let hits = same(&mut server, search().withcoord().withdist());
    assert!(hits[0].distance.is_some() && hits[0].hash.is_none() && near(&hits[0].position));
    let members = same(&mut server, search());
    assert_eq!(members, ["Catania", "Palermo"]);
}

#[test]
fn similar_elements_have_scores_and_attributes() {
    let mut server = Connection::both(shared(Variant::Redis82));
    for (element, vector) in [
        ("east", [1.0, 0.0]),
        ("north", [0.0, 1.0]),
        ("west", [-1.0, 0.0]),
    ] {
        let add = cmd::vadd("wind", VaddVector::values(vector), element);
        server[0].send(if element == "north" {
            add.setattr(r#"{"cold":true}"#)
        } else {
            add
        });
    }
    let like = || cmd::vsim("wind", VsimQuery::ele("east"));
    let hits = same(&mut server, like().withscores().withattribs()).hits;
    let elements: Vec<_> = hits.iter().map(|hit| &hit.element[..]).collect();
    assert_eq!(elements, [&b"east"[..], b"north", b"west"]);
    assert!((hits[0].score - 1.0).abs() < 1e-3 && (hits[1].score - 0.5).abs() < 1e-3);
    assert_eq!(hits[0].attributes, None);
    assert_eq!(
        hits[1].attributes.as_deref(),
        Some(&br#"{"cold":true}"#[..])
    );
    let scored = same(&mut server, like().withscores());
    assert_eq!(scored[0].0, "east");
    let described = same(&mut server, like().withattribs());
    assert_eq!(described[1].0, "north");
    assert_eq!(same(&mut server, like()), ["east", "north", "west"]);
    assert!(same(&mut server, cmd::vsim("calm", VsimQuery::values([1, 0]))).is_empty());
}

/// Four series of the test's own, one of them empty.
fn temperatures(test: &str) -> [Connection; 2] {
    let mut server = Connection::both(shared(Variant::Redis82));
    for (city, country) in [
        ("rome", "it"),
        ("oslo", "no"),
        ("bari", "it"),
        ("none", "no"),
    ] {
        let labels = [("test", test), ("city", city), ("country", country)];
        server[0].send(cmd::ts_create(format!("{test}:{city}")).labels(labels));
    }
    for (city, time, value) in [
        ("rome", 1000, 20.5),
        ("rome", 2000, 21.0),
        ("oslo", 1000, -3.25),
        ("bari", 1000, 22.0),
    ] {
        let added = server[0].send(cmd::ts_add(format!("{test}:{city}"), time, value));
        assert_eq!(added, time);
    }
    server
}

/// What only RESP3 tells, taken out.
fn without_what_resp2_lacks(mut list: TsSeriesList) -> TsSeriesList {
    for series in &mut list.series {
        series.aggregators = None;
    }
    list
}

#[test]
fn the_latest_samples_of_series() {
    let mut server = temperatures("latest");
    let mut list = same(&mut server, cmd::ts_mget("test=latest").withlabels());
    list.series.sort_by(|one, other| one.key.cmp(&other.key));
    let keys: Vec<_> = list.series.iter().map(|series| &series.key[..]).collect();
    assert_eq!(
        keys,
        [
            &b"latest:bari"[..],
            b"latest:none",
            b"latest:oslo",
            b"latest:rome"
        ]
    );
    assert_eq!(list.series[1].sample, None);
    assert_eq!(list.series[2].sample, Some((1000, -3.25)));
    assert_eq!(list.series[3].sample, Some((2000, 21.0)));
    let labels = &list.series[0].labels;
    assert_eq!(labels[1], ("city".into(), Some("bari".into())));

    let list = same(
        &mut server,
        cmd::ts_mget(["test=latest", "city=rome"]).selected_labels(["city", "x"]),
    );
    assert_eq!(
        list.series[0].labels,
        [("city".into(), Some("rome".into())), ("x".into(), None)]
    );
    let list = same(&mut server, cmd::ts_mget("test=latest"));
    assert!(list.series.iter().all(|series| series.labels.is_empty()));
    assert!(
        same(&mut server, cmd::ts_mget("test=nothing"))
            .series
            .is_empty()
    );
}

#[test]
fn the_samples_of_series_and_groups() {
    let mut server = temperatures("ranges");
    let range = || cmd::ts_mrange("-", "+", "test=ranges");
    let plain = same(&mut server, range());
    assert_eq!(plain.series.len(), 4);
    let rome = plain
        .series
        .iter()
        .find(|series| series.key == "ranges:rome")
        .unwrap();
    assert_eq!(rome.samples, [(1000, 20.5), (2000, 21.0)]);
    let none = plain
        .series
        .iter()
        .find(|series| series.key == "ranges:none")
        .unwrap();
    assert!(none.samples.is_empty() && none.labels.is_empty());

    let [two, three] = &mut server;
    let averages = range()
        .withlabels()
        .aggregation(TsMrangeAggregation::new("avg", 10_000));
    let (old, new) = (two.send(&averages), three.send(&averages));
    let told = new.series[0].aggregators.clone();
    assert_eq!(told.as_deref(), Some(&["avg".to_owned()][..]));
    assert_eq!(old, without_what_resp2_lacks(new));
    let rome = old
        .series
        .iter()
        .find(|series| series.key == "ranges:rome")
        .unwrap();
    assert_eq!(rome.samples, [(0, 20.75)]);

    let grouped = range().withlabels().groupby("country", Aggregator::Max);
    let groups = same(&mut server, &grouped);
    let italy = groups
        .series
        .iter()
        .find(|series| series.key == "country=it")
        .unwrap();
    assert_eq!(italy.labels, [("country".into(), Some("it".into()))]);
    assert_eq!(italy.reducers.as_deref(), Some(&["max".to_owned()][..]));
    let mut sources = italy.sources.clone().unwrap();
    sources.sort();
    assert_eq!(sources, ["ranges:bari", "ranges:rome"]);
    assert_eq!(italy.samples, [(1000, 22.0), (2000, 21.0)]);

    let unlabelled = range().groupby("country", Aggregator::Sum);
    let [two, three] = &mut server;
    let (old, new) = (two.send(&unlabelled), three.send(&unlabelled));
    assert_eq!(old.series[0].reducers, None);
    assert_eq!(
        new.series[0].reducers.as_deref(),
        Some(&["sum".to_owned()][..])
    );
    assert_eq!(old.series[0].samples, new.series[0].samples);
}

#[test]
fn the_rules_of_a_series() {
    let mut server = Connection::both(shared(Variant::Redis82));
    for key in ["rules:raw", "rules:hour", "rules:day"] {
        server[0].send(cmd::ts_create(key));
    }
    let rule = |to, aggregator, bucket| cmd::ts_createrule("rules:raw", to, aggregator, bucket);
    server[0].send(rule("rules:hour", Aggregator::Avg, 3_600_000));
    let day = rule("rules:day", Aggregator::Max, 86_400_000);
    server[0].send(day.align_timestamp(5000));
    let info = same(&mut server, cmd::ts_info("rules:raw"));
    let mut rules = info.rules.rules;
    rules.sort_by_key(|rule| rule.bucket);
    assert_eq!(rules.len(), 2);
    assert_eq!(
        (&*rules[0].key, &*rules[0].aggregator),
        (&b"rules:hour"[..], "AVG")
    );
    assert_eq!(
        (rules[1].bucket, rules[1].alignment),
        (86_400_000, Some(5000))
    );
    assert!(
        same(&mut server, cmd::ts_info("rules:day"))
            .rules
            .rules
            .is_empty()
    );
}

#[test]
fn the_roles_of_a_primary_and_its_replica() {
    // Without it a primary waits five seconds for more replicas.
    let primary = Server::builder(Variant::Redis82).config("repl-diskless-sync-delay", "0");
    let (primary, replica) = (
        primary.start().unwrap(),
        Server::start(Variant::Redis82).unwrap(),
    );
    let mut both = (Connection::both(&primary), Connection::both(&replica));
    let Role::Primary { replicas, .. } = same(&mut both.0, cmd::role()) else {
        panic!("a server is a primary at first");
    };
    assert!(replicas.is_empty());
    let port = primary.port().to_string();
    let following = both.1[0].raw(&["REPLICAOF", "127.0.0.1", &port]);
    assert!(!following.is_error());
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let replica_role = both.1[1].send(cmd::role());
        let Role::Replica {
            host,
            port,
            state,
            offset,
            ..
        } = replica_role
        else {
            panic!("it follows another server: {replica_role:?}");
        };
        assert_eq!((&*host, port), ("127.0.0.1", u64::from(primary.port())));
        if state == "connected" && offset >= 0 {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "not connected, but {state} at {offset}"
        );
        sleep(Duration::from_millis(20));
    }
    for connection in &mut both.0 {
        let role = connection.send(cmd::role());
        let Role::Primary { replicas, .. } = role else {
            panic!("it is followed: {role:?}");
        };
        assert_eq!(replicas.len(), 1);
        assert_eq!(
            (&*replicas[0].host, replicas[0].port),
            ("127.0.0.1", u64::from(replica.port()))
        );
    }
    let Role::Replica { state, .. } = both.1[0].send(cmd::role()) else {
        panic!("it is a replica under RESP2 as well");
    };
    assert_eq!(state, "connected");
}

/// Replies that no server sends are refused in words, or read as far as they make sense.
#[test]
fn a_malformed_reply_is_an_error() {
    fn read<T: Decode + std::fmt::Debug>(bytes: &'static [u8]) -> String {
        let frame = respec::resp::Frame::parse(bytes::Bytes::from_static(bytes)).unwrap();
        T::decode(frame.reply()).map_or_else(|error| error.to_string(), |_| "read".to_owned())
    }
    let frames: [&'static [u8]; 14] = [
        b"_\r\n",
        b":-1\r\n",
        b"$1\r\na\r\n",
        b"*0\r\n",
        b"%0\r\n",
        b"*1\r\n*0\r\n",
        b"*1\r\n%0\r\n",
        b"*2\r\n:1\r\n*0\r\n",
        b"*2\r\n:1\r\n*1\r\n$1\r\na\r\n",
        b"*3\r\n$1\r\na\r\n$1\r\nb\r\n_\r\n",
        b"%1\r\n$1\r\na\r\n*0\r\n",
        b"%1\r\n$1\r\na\r\n*1\r\n*1\r\n:1\r\n",
        b"%1\r\n$7\r\nresults\r\n*1\r\n:1\r\n",
        b"*1\r\n*3\r\n$1\r\na\r\n*0\r\n*1\r\n:1\r\n",
    ];
    for frame in frames {
        for text in [
            read::<Role>(frame),
            read::<GeoHit>(frame),
            read::<SearchResult>(frame),
            read::<SearchScore>(frame),
            read::<AggregateResult>(frame),
            read::<SpellCheck>(frame),
            read::<SpellCheckTerm>(frame),
            read::<Suggestions>(frame),
            read::<TsRules>(frame),
            read::<TsLastList>(frame),
            read::<TsSeriesList>(frame),
            read::<VsimHits>(frame),
        ] {
            assert!(text == "read" || text.starts_with("expected "), "{text}");
        }
    }
    assert_eq!(
        read::<SearchResult>(b"*2\r\n:1\r\n$1\r\na\r\n"),
        "expected 2 elements for each document, found 1"
    );
    assert_eq!(
        read::<Suggestions>(b"*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
        "expected an array of three elements for each, found an array of 2"
    );
    assert_eq!(
        read::<TsLastList>(b"*1\r\n*2\r\n$1\r\na\r\n*0\r\n"),
        "expected labels and a sample, found an array of 1 at element 0"
    );
}

/// What newer servers add is kept.
#[test]
fn what_is_new_is_kept() {
    fn read<T: Decode>(bytes: &'static [u8]) -> T {
        let frame = respec::resp::Frame::parse(bytes::Bytes::from_static(bytes)).unwrap();
        T::decode(frame.reply()).unwrap()
    }
    let list: TsSeriesList = read(
        b"%1\r\n$1\r\nk\r\n*4\r\n%0\r\n%1\r\n+aggregators\r\n*2\r\n+avg\r\n+max\r\n\
          %1\r\n+future\r\n:1\r\n*1\r\n*3\r\n:1000\r\n,1.5\r\n,2\r\n",
    );
    let [series] = &list.series[..] else {
        panic!("{list:?}");
    };
    assert_eq!(
        series.aggregators.as_deref(),
        Some(&["avg".to_owned(), "max".to_owned()][..])
    );
    assert_eq!(series.samples, [(1000, 1.5)]);
    assert_eq!(series.rest.len(), 2);
    assert_eq!(
        series.rest[0].get("future").and_then(Value::as_i64),
        Some(1)
    );
    let whole = Value::Array(vec![
        Value::Integer(1000),
        Value::Double(1.5),
        Value::Double(2.0),
    ]);
    assert_eq!(series.rest[1], Value::Array(vec![whole]));

    let found: SearchResult = read(
        b"%5\r\n+total_results\r\n:0\r\n+results\r\n*0\r\n+warning\r\n*1\r\n+slow\r\n\
          +format\r\n+EXPAND\r\n+attributes\r\n*0\r\n",
    );
    assert_eq!(found.warning, ["slow"]);
    assert_eq!(
        found.rest,
        [("format".to_owned(), Value::SimpleString("EXPAND".into()))]
    );
}

#[test]
fn the_role_of_a_sentinel_and_one_from_the_future() {
    let role = |bytes: &'static [u8]| {
        let frame = respec::resp::Frame::parse(bytes::Bytes::from_static(bytes)).unwrap();
        Role::decode(frame.reply())
    };
    let sentinel = role(b"*2\r\n$8\r\nsentinel\r\n*1\r\n$4\r\nmain\r\n").unwrap();
    let Role::Sentinel { primaries, .. } = sentinel else {
        panic!("{sentinel:?}");
    };
    assert_eq!(primaries, ["main"]);
    let other = role(b"*2\r\n$7\r\nwitness\r\n:1\r\n").unwrap();
    assert!(matches!(other, Role::Other(_)), "{other:?}");
    let error = role(b"*1\r\n$6\r\nmaster\r\n").unwrap_err();
    assert_eq!(error.to_string(), "expected a field `offset`, found none");
}
