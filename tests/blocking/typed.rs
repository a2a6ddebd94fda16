//! The generated methods on the blocking client and on connections of one caller.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use respec::{ErrorKind, Protocol, Value, blocking::Client, cmd, prelude::*};

use crate::support::{client, hasty, server};

#[test]
fn methods_answer_in_the_types_of_the_spec() {
    let client = client();
    client
        .del(["typed:s", "typed:h", "typed:l"])
        .send()
        .unwrap();
    client.set("typed:s", "v").send().unwrap();
    let fresh: bool = client.set("typed:s", "w").nx().send().unwrap();
    assert!(!fresh);
    let value: Option<Bytes> = client.get("typed:s").send().unwrap();
    assert_eq!(value.as_deref(), Some(&b"v"[..]));
    let text: Option<String> = client.get("typed:s").decode().send().unwrap();
    assert_eq!(text.as_deref(), Some("v"));
    client
        .hset("typed:h", [("a", "1"), ("b", "2")])
        .send()
        .unwrap();
    let map: HashMap<String, u8> = client.hgetall("typed:h").decode().send().unwrap();
    assert_eq!(
        map,
        HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)])
    );
    let error = client.get("typed:s").decode::<u32>().send().unwrap_err();
    assert_eq!(
        (error.kind(), error.command()),
        (ErrorKind::Decode, Some("GET"))
    );
    // The connection is none the worse for it.
    assert_eq!(client.strlen("typed:s").send().unwrap(), 1);

    let raw: Value = client.send(cmd::raw("GET").key("typed:s")).unwrap();
    assert_eq!(raw, Value::BulkString(Bytes::from_static(b"v")));
}

#[test]
fn a_blocking_command_is_a_call_like_any_other() {
    let client = Client::from_config(hasty(server()));
    client.del("typed:pop").send().unwrap();
    let none = client
        .blpop("typed:pop", Duration::from_millis(300))
        .send()
        .unwrap();
    assert!(none.is_none());
    client.rpush("typed:pop", "v").send().unwrap();
    let (key, value) = client.blpop("typed:pop", 1).send().unwrap().unwrap();
    assert_eq!((&*key, &*value), (&b"typed:pop"[..], &b"v"[..]));
}

#[test]
fn batches_mix_types() {
    let client = client();
    client.del("typed:n").send().unwrap();
    let (n, value) = client
        .pipeline((cmd::incr("typed:n"), cmd::get("typed:n")))
        .send()
        .unwrap();
    assert_eq!((n, value.as_deref()), (1, Some(&b"1"[..])));
    let (a, b) = client
        .transaction((cmd::incr("typed:n"), cmd::decr("typed:n")))
        .send()
        .unwrap();
    assert_eq!((a, b), (2, 1));
    let many: Vec<Option<Bytes>> = client
        .pipeline(["typed:n", "typed:none"].map(cmd::get))
        .send()
        .unwrap();
    assert_eq!(many, [Some(Bytes::from_static(b"1")), None]);
}

#[test]
fn watch_belongs_to_a_dedicated_connection() {
    let client = client();
    client.set("typed:w", 1).send().unwrap();
    let dedicated = client.dedicated().unwrap();
    dedicated.watch("typed:w").send().unwrap();
    client.set("typed:w", 2).send().unwrap();
    let error = dedicated
        .transaction([cmd::incr("typed:w")])
        .send()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Aborted);
    dedicated.watch("typed:w").send().unwrap();
    assert_eq!(
        dedicated
            .transaction([cmd::incr("typed:w")])
            .send()
            .unwrap(),
        [3]
    );
}

#[test]
fn a_message_is_the_same_value_under_both_protocols_but_for_its_kind() {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let client = Client::from_config(hasty(server()).protocol(protocol));
        let channel = format!("typed:{protocol:?}");
        let dedicated = client.dedicated().unwrap();
        dedicated
            .send(cmd::raw("SUBSCRIBE").arg(&*channel))
            .unwrap();
        assert_eq!(client.publish(&*channel, "m").send().unwrap(), 1);
        let push = dedicated
            .next_push(Duration::from_secs(5))
            .unwrap()
            .unwrap()
            .value()
            .unwrap();
        let (Value::Push(parts) | Value::Array(parts)) = push else {
            panic!("got {push:?}")
        };
        let bulk = |text: &str| Value::BulkString(Bytes::copy_from_slice(text.as_bytes()));
        assert_eq!(parts, [bulk("message"), bulk(&channel), bulk("m")]);
    }
}
