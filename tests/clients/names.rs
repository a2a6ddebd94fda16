//! Replies that list values by the names that were asked for, and keys that do not exist.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use respec::{cmd, command::Erased, prelude::*};
use serde::Deserialize;

use crate::caller::{all, clients};

#[derive(Debug, PartialEq, Deserialize)]
struct User {
    name: String,
    age: Option<u8>,
    admin: Option<bool>,
    #[serde(default)]
    visits: u64,
}

fn ann() -> User {
    User {
        name: "Ann".into(),
        age: Some(41),
        admin: None,
        visits: 0,
    }
}

#[test]
fn a_struct_is_filled_by_the_names_that_were_asked_for() {
    for case in all("names:user") {
        let (name, caller) = (case.name, &case.caller);
        caller
            .call(cmd::hset("names:user", [("name", "Ann"), ("age", "41")]))
            .unwrap();
        let asked = cmd::hmget("names:user", ["age", "admin", "name"]);
        let user: User = caller.call(asked.clone().decode()).unwrap();
        assert_eq!(user, ann(), "{name}");
        // Maps and pairs likewise, while a list is still one of values.
        let map: BTreeMap<String, Option<String>> = caller.call(asked.clone().decode()).unwrap();
        let expected = [("admin", None), ("age", Some("41")), ("name", Some("Ann"))];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(map, BTreeMap::from(expected), "{name}");
        let native: HashMap<Bytes, Bytes> = caller
            .call(cmd::hmget("names:user", ["name", "age"]).decode())
            .unwrap();
        assert_eq!(native[&Bytes::from("age")], "41", "{name}");
        let pairs: Vec<(String, Option<Bytes>)> = caller.call(asked.clone().decode()).unwrap();
        assert_eq!(pairs[0], ("age".to_owned(), Some("41".into())), "{name}");
        let list: Vec<Option<String>> = caller.call(asked.clone().decode()).unwrap();
        assert_eq!(
            list,
            [Some("41".into()), None, Some("Ann".into())],
            "{name}"
        );
        let tuple: (u8, Option<bool>, String) = caller.call(asked.clone().decode()).unwrap();
        assert_eq!(tuple, (41, None, "Ann".into()), "{name}");
        // The names stay with the command whatever becomes of it.
        let erased: Erased<'_> = asked.clone().erase();
        assert_eq!(
            caller.call(erased.decode::<User>()).unwrap(),
            ann(),
            "{name}"
        );
        let error = caller
            .call(cmd::hmget("names:user", ["age"]).decode::<User>())
            .unwrap_err();
        assert!(error.to_string().contains("`name`"), "{name}: {error}");
        let error = caller
            .call(
                cmd::hmget("names:user", ["name", "age", "admin"]).decode::<HashMap<String, u8>>(),
            )
            .unwrap_err();
        assert!(!error.to_string().contains("Ann"), "{name}: {error}");
    }
}

#[test]
fn names_are_those_of_the_command_whatever_it_names() {
    for case in clients() {
        let (name, caller) = (case.name, &case.caller);
        caller
            .call(cmd::mset([("{names}name", "Ann"), ("{names}age", "41")]))
            .unwrap();
        let keys: HashMap<String, Option<String>> = caller
            .call(cmd::mget(["{names}name", "{names}none"]).decode())
            .unwrap();
        assert_eq!(keys["{names}name"].as_deref(), Some("Ann"), "{name}");
        assert_eq!(keys["{names}none"], None, "{name}");
        caller
            .call(cmd::zadd("{names}z", [(1.5, "a"), (2.0, "7")]))
            .unwrap();
        let scores: BTreeMap<String, Option<f64>> = caller
            .call(cmd::zmscore("{names}z", ["a", "b"]).decode())
            .unwrap();
        assert_eq!((scores["a"], scores["b"]), (Some(1.5), None), "{name}");
        // A name may be a number.
        let scores: HashMap<u8, f64> = caller.call(cmd::zmscore("{names}z", 7).decode()).unwrap();
        assert_eq!(scores[&7], 2.0, "{name}");
        caller.call(cmd::sadd("{names}s", "in")).unwrap();
        let are: HashMap<String, bool> = caller
            .call(cmd::smismember("{names}s", ["in", "out"]).decode())
            .unwrap();
        assert_eq!((are["in"], are["out"]), (true, false), "{name}");
        caller
            .call(cmd::geoadd("{names}g", (13.361389, 38.115556, "Palermo")))
            .unwrap();
        let places: HashMap<String, Option<(f64, f64)>> = caller
            .call(
                cmd::geopos("{names}g")
                    .member(["Palermo", "Nowhere"])
                    .decode(),
            )
            .unwrap();
        assert!(
            places["Palermo"].is_some() && places["Nowhere"].is_none(),
            "{name}"
        );
    }
}

#[test]
fn keys_in_several_slots_are_named_as_well() {
    for case in clients() {
        let (name, caller) = (case.name, &case.caller);
        caller
            .call(cmd::mset([
                ("names:1", "a"),
                ("names:2", "b"),
                ("names:3", "c"),
            ]))
            .unwrap();
        let values: BTreeMap<String, String> = caller
            .call(cmd::mget(["names:3", "names:1", "names:2"]).decode())
            .unwrap();
        let expected = [("names:1", "a"), ("names:2", "b"), ("names:3", "c")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(values, BTreeMap::from(expected), "{name}");
    }
}

#[test]
fn a_key_that_does_not_exist_is_none() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Optional {
        name: Option<String>,
    }
    for case in all("names:missing") {
        let (name, caller) = (case.name, &case.caller);
        let missing = cmd::hgetall("names:missing");
        let user: Option<User> = caller.call((&missing).decode()).unwrap();
        assert_eq!(user, None, "{name}");
        let optional: Option<Optional> = caller.call((&missing).decode()).unwrap();
        assert_eq!(optional, None, "{name}");
        let empty: HashMap<String, String> = caller.call((&missing).decode()).unwrap();
        assert!(empty.is_empty(), "{name}");
        assert!(caller.call(&missing).unwrap().is_empty(), "{name}");
        let none: Option<Vec<String>> = caller
            .call(cmd::smembers("names:missing").decode())
            .unwrap();
        assert_eq!(none, None, "{name}");
        // What may be empty although the key exists is no fact about the key.
        let empty: Option<Vec<String>> = caller
            .call(cmd::lrange("names:missing", 0, -1).decode())
            .unwrap();
        assert_eq!(empty, Some(Vec::new()), "{name}");
    }
    for case in all("names:there") {
        let (name, caller) = (case.name, &case.caller);
        caller
            .call(cmd::hset("names:there", [("name", "Ann"), ("age", "41")]))
            .unwrap();
        let user: Option<User> = caller.call(cmd::hgetall("names:there").decode()).unwrap();
        assert_eq!(user, Some(ann()), "{name}");
    }
}
