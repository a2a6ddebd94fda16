//! Replies of real servers as types of the caller's choice, the same under RESP2 and RESP3.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use indexmap::IndexMap;
use respec::{Value, cmd, command::Command, reply::StreamEntry};
use respec_testkit::{Variant, shared};
use serde::Deserialize;

use crate::socket::{Connection, same};

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct User {
    name: String,
    age: u8,
    height: Option<f64>,
    #[serde(default)]
    admin: bool,
}

fn ann() -> User {
    User {
        name: "ann".into(),
        age: 33,
        height: Some(1.75),
        admin: true,
    }
}

const FIELDS: [(&str, &str); 4] = [
    ("name", "ann"),
    ("age", "33"),
    ("height", "1.75"),
    ("admin", "1"),
];

fn servers() -> impl Iterator<Item = [Connection; 2]> {
    Variant::ALL
        .into_iter()
        .map(|variant| Connection::both(shared(variant)))
}

#[test]
fn a_hash_is_a_struct_or_a_map() {
    for mut server in servers() {
        let key = "types:hash";
        server[0].send(cmd::hset(key, FIELDS));
        let all = || cmd::hgetall(key);
        assert_eq!(same(&mut server, all().decode::<User>()), ann());
        let map = same(&mut server, all().decode::<IndexMap<String, String>>());
        assert_eq!(map.get("age").map(String::as_str), Some("33"));
        assert_eq!(
            same(&mut server, all().decode::<BTreeMap<String, Bytes>>()).len(),
            4
        );
        assert_eq!(
            same(&mut server, all().decode::<Vec<(String, Value)>>()).len(),
            4
        );
        let some = cmd::hmget(key, ["age", "height", "none"]);
        let found = same(&mut server, some.decode::<(u8, f32, Option<u64>)>());
        assert_eq!(found, (33, 1.75, None));
        let number = same(&mut server, cmd::hincrby(key, "age", 0).decode::<u128>());
        assert_eq!(number, 33);
    }
}

#[test]
fn entries_of_a_stream_are_structs() {
    for mut server in servers() {
        let key = "types:stream";
        server[0].raw(&["DEL", key]);
        let id = server[0].send(cmd::xadd(key, "5-1", FIELDS));
        server[0].send(cmd::xadd(key, "6-0", [("name", "bob"), ("age", "4")]));
        let range = || cmd::xrange(key, "-", "+");
        let typed = same(&mut server, range());
        assert_eq!(
            typed
                .iter()
                .map(|entry: &StreamEntry| entry.id.clone())
                .collect::<Vec<_>>(),
            [id, "6-0".into()]
        );
        let users = same(&mut server, range().decode::<Vec<(String, User)>>());
        assert_eq!(users[0], ("5-1".to_owned(), ann()));
        assert_eq!(users[1].1.name, "bob");
        let streams = same(
            &mut server,
            cmd::xread([(key, "5-1")]).decode::<HashMap<String, Vec<(String, User)>>>(),
        );
        assert_eq!(streams[key].len(), 1);
        let none = cmd::xread([(key, "9-9")]).decode::<Option<HashMap<String, Value>>>();
        assert_eq!(same(&mut server, none), None);
    }
}

#[test]
fn scores_are_numbers_of_any_kind() {
    for mut server in servers() {
        let key = "types:scores";
        server[0].send(cmd::zadd(
            key,
            [(1.0, "a"), (f64::INFINITY, "b"), (2.5, "c")],
        ));
        let range = || cmd::zrange(key, 0, -1).withscores();
        let scores = same(&mut server, range().decode::<Vec<(String, f32)>>());
        assert_eq!(
            scores,
            [
                ("a".into(), 1.0),
                ("c".into(), 2.5),
                ("b".into(), f32::INFINITY)
            ]
        );
        let map = same(&mut server, range().decode::<HashMap<char, f64>>());
        assert_eq!(map[&'c'], 2.5);
        let score = same(&mut server, cmd::zscore(key, "b").decode::<Option<f64>>());
        assert_eq!(score, Some(f64::INFINITY));
        let [two, three] = server.each_mut().map(|connection| {
            let frame = connection.raw(&["ZRANGE", key, "0", "-1", "WITHSCORES"]);
            let command = range().decode::<Vec<(String, i64)>>();
            command.read(frame.reply()).unwrap_err().to_string()
        });
        assert!(
            two.starts_with("expected an integer of type i64, found a text "),
            "{two}"
        );
        assert!(
            three.starts_with("expected an integer of type i64, found a double at element"),
            "{three}"
        );
    }
}

#[test]
fn errors_stand_in_the_place_of_elements() {
    let mut server = Connection::both(shared(Variant::Redis82));
    for (at, connection) in server.iter_mut().enumerate() {
        let key = format!("types:full:{at}");
        connection.raw(&["BF.RESERVE", &key, "0.01", "1", "NONSCALING"]);
        let items: Vec<_> = (0..200).map(|item| item.to_string()).collect();
        let added = connection.send(cmd::bf_madd(&key, items.clone()));
        assert!(matches!(added[0], Ok(true)));
        let full = added
            .iter()
            .find_map(|item| item.as_ref().err())
            .expect("a full filter");
        assert!(
            full.server_message()
                .is_some_and(|text| text.contains("full")),
            "{full}"
        );
        // A filter stops at the first error.
        let again = cmd::bf_madd(&key, items.clone()).decode::<Vec<Result<bool, String>>>();
        let again = connection.send(again);
        assert!(
            again
                .iter()
                .any(|item| item.as_ref().is_err_and(|text| text.contains("full")))
        );
        let series = format!("types:series:{at}");
        connection.raw(&["TS.CREATE", &series]);
        let samples = [
            (&*series, 5, 1.0),
            ("types:series:none", 5, 1.0),
            (&*series, 6, 2.0),
        ];
        let added = connection.send(cmd::ts_madd(samples));
        assert!(matches!(&added[..], [Ok(5), Err(_), Ok(6)]), "{added:?}");
        let samples = [(&*series, 7, 1.0), ("types:series:none", 5, 1.0)];
        let added = connection
            .send(cmd::ts_madd(samples).decode::<(Result<i64, String>, Result<i64, String>)>());
        assert!(matches!(added, (Ok(7), Err(_))), "{added:?}");
        connection.raw(&["SET", "types:text", "x"]);
        connection.raw(&["MULTI"]);
        connection.raw(&["INCR", "types:text"]);
        connection.raw(&["GET", "types:text"]);
        let done =
            connection.send(cmd::exec().decode::<(Result<u64, String>, Result<String, String>)>());
        assert!(done.0.unwrap_err().contains("not an integer"));
        assert_eq!(done.1.as_deref(), Ok("x"));
    }
}

#[test]
fn json_is_read_from_its_text() {
    let mut server = Connection::both(shared(Variant::Redis82));
    let key = "types:json";
    let document = r#"{"name":"ann","age":33,"height":1.75,"admin":true}"#;
    server[0].send(cmd::json_set(key, "$", document));
    let json = same(&mut server, cmd::json_get(key)).unwrap();
    assert_eq!(serde_json::from_slice::<User>(&json).unwrap(), ann());
    let several = same(&mut server, cmd::json_mget([key, "types:none"], "$"));
    let users: Vec<Option<Vec<User>>> = several
        .into_iter()
        .map(|json| json.map(|json| serde_json::from_slice(&json)).transpose())
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(users, [Some(vec![ann()]), None]);
}

#[test]
fn scripts_answer_what_the_caller_knows() {
    for mut server in servers() {
        let script = "return {1, 'a', false, {'k', 'v'}, redis.error_reply('ERR x')}";
        type Answer = (
            u8,
            String,
            Option<u8>,
            HashMap<String, char>,
            Result<u8, String>,
        );
        let answer = same(&mut server, cmd::eval(script).decode::<Answer>());
        let expected = (
            1,
            "a".into(),
            None,
            [("k".into(), 'v')].into(),
            Err("ERR x".into()),
        );
        assert_eq!(answer, expected);
    }
}

#[test]
fn completions_are_read_by_the_options_of_their_request() {
    let mut server = Connection::both(shared(Variant::Redis82));
    let key = "types:completions";
    server[0].raw(&["FT.SUGADD", key, "hello world", "2", "PAYLOAD", "more"]);
    server[0].raw(&["FT.SUGADD", key, "hello there", "1"]);
    let all = || cmd::ft_sugget(key, "hel");
    assert_eq!(
        same(&mut server, all()).unwrap(),
        ["hello world", "hello there"]
    );
    let scored = same(&mut server, all().withscores()).unwrap();
    assert!(
        scored[0].0 == "hello world" && scored[0].1 > scored[1].1,
        "{scored:?}"
    );
    let with_payloads = same(&mut server, all().withpayloads()).unwrap();
    let more = Some(Bytes::from_static(b"more"));
    assert_eq!(
        with_payloads,
        [
            ("hello world".into(), more.clone()),
            ("hello there".into(), None)
        ]
    );
    let whole = same(&mut server, all().withpayloads().withscores())
        .unwrap()
        .suggestions;
    assert_eq!(
        (&whole[0].text[..], &whole[0].payload),
        (&b"hello world"[..], &more)
    );
    assert_eq!(whole[0].score, scored[0].1);
}

#[cfg(feature = "blocking")]
#[test]
fn an_error_says_what_where_and_of_which_command() {
    use respec::{ErrorKind, prelude::*};

    let server = shared(Variant::Redis82);
    let client = respec::blocking::Client::connect(&server.url()).unwrap();
    client
        .hset("types:wrong", [("name", "x"), ("age", "300")])
        .send()
        .unwrap();
    let error = client
        .hgetall("types:wrong")
        .decode::<User>()
        .send()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(
        error.to_string(),
        "HGETALL: unexpected reply: expected an integer of type u8, found one out of range at field `age`"
    );
    let error = client
        .hkeys("types:wrong")
        .decode::<Vec<u8>>()
        .send()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "HKEYS: unexpected reply: expected an integer of type u8, found a text of 4 bytes that is none at element 0"
    );
}
