//! The types that callers ask for: whatever serde can deserialize.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    fmt::Debug,
};

use bytes::Bytes;
use indexmap::{IndexMap, IndexSet};
use respec::{Value, reply::FromReply};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::support::frame;

/// All forms decode to the same value.
fn all<T: FromReply + PartialEq + Debug>(expected: T, forms: &[&str]) {
    for form in forms {
        match T::from_reply(frame(form).reply()) {
            Ok(value) => assert_eq!(value, expected, "{form:?}"),
            Err(error) => panic!("{form:?}: {error}"),
        }
    }
}

fn error<T: FromReply + Debug>(form: &str) -> String {
    match T::from_reply(frame(form).reply()) {
        Err(error) => error.to_string(),
        Ok(value) => panic!("{form:?}: {value:?}"),
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct User {
    name: String,
    age: u8,
    email: Option<String>,
    #[serde(default)]
    admin: bool,
    #[serde(rename = "kind-of", default)]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Person,
    TradeUnion,
}

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
struct Id(u64);

#[derive(Debug, PartialEq, Deserialize)]
struct Point(f64, f64);

#[derive(Debug, PartialEq, Deserialize)]
struct Done;

/// Bytes as `serde_bytes` and types like it have them.
#[derive(Debug, PartialEq)]
struct Blob(Vec<u8>);

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Blob;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

#[test]
fn a_struct_from_a_hash_in_three_forms() {
    let user = User {
        name: "ann".into(),
        age: 33,
        email: None,
        admin: true,
        kind: Kind::TradeUnion,
    };
    all(
        user.clone(),
        &[
            "*8\r\n$4\r\nname\r\n$3\r\nann\r\n$3\r\nage\r\n$2\r\n33\r\n$5\r\nadmin\r\n$1\r\n1\r\n$7\r\nkind-of\r\n$11\r\ntrade_union\r\n",
            "%4\r\n$4\r\nname\r\n$3\r\nann\r\n$3\r\nage\r\n$2\r\n33\r\n$5\r\nadmin\r\n$4\r\ntrue\r\n+kind-of\r\n+trade_union\r\n",
            "*5\r\n*2\r\n+name\r\n+ann\r\n*2\r\n+age\r\n:33\r\n*2\r\n+admin\r\n#t\r\n*2\r\n+kind-of\r\n+trade_union\r\n*2\r\n+unknown\r\n-ERR x\r\n",
            "%5\r\n+name\r\n+ann\r\n+age\r\n:33\r\n+email\r\n_\r\n+admin\r\n:1\r\n+kind-of\r\n+trade_union\r\n",
        ],
    );
    all(
        User {
            email: Some(String::new()),
            admin: false,
            kind: Kind::Person,
            ..user
        },
        &["*6\r\n+name\r\n+ann\r\n+age\r\n+33\r\n+email\r\n$0\r\n\r\n"],
    );
    assert_eq!(
        error::<User>("*2\r\n+name\r\n+ann\r\n"),
        "expected a field `age`, found none"
    );
    // `HGETALL` of a key that does not exist.
    assert_eq!(
        error::<User>("*0\r\n"),
        "expected a field `name`, found none"
    );
    assert_eq!(
        error::<Vec<User>>("*1\r\n%2\r\n+name\r\n+ann\r\n+age\r\n$3\r\n300\r\n"),
        "expected an integer of type u8, found one out of range at element 0, field `age`"
    );
    assert_eq!(
        error::<User>("+x\r\n"),
        "expected a map, found a simple string"
    );
    assert_eq!(error::<User>("_\r\n"), "expected a map, found nil");
    all(None::<User>, &["_\r\n", "$-1\r\n"]);
}

#[test]
fn nested_structs_and_options() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Group {
        id: Id,
        members: Vec<Kind>,
        at: Option<Point>,
        tags: BTreeSet<String>,
        limits: HashMap<String, Option<u32>>,
        inner: Option<Box<Group>>,
    }
    let two = "*12\r\n+id\r\n$1\r\n7\r\n+members\r\n*2\r\n+person\r\n+trade_union\r\n\
        +at\r\n*2\r\n$3\r\n1.5\r\n$2\r\n-1\r\n+tags\r\n*2\r\n+b\r\n+a\r\n\
        +limits\r\n*4\r\n+x\r\n:5\r\n+y\r\n$-1\r\n+inner\r\n$-1\r\n";
    let three = "%6\r\n+id\r\n:7\r\n+members\r\n~2\r\n+person\r\n+trade_union\r\n\
        +at\r\n*2\r\n,1.5\r\n,-1\r\n+tags\r\n~2\r\n+b\r\n+a\r\n\
        +limits\r\n%2\r\n+x\r\n:5\r\n+y\r\n_\r\n+inner\r\n_\r\n";
    all(
        Group {
            id: Id(7),
            members: vec![Kind::Person, Kind::TradeUnion],
            at: Some(Point(1.5, -1.0)),
            tags: ["a".to_owned(), "b".to_owned()].into(),
            limits: [("x".to_owned(), Some(5)), ("y".to_owned(), None)].into(),
            inner: None,
        },
        &[two, three],
    );
    let wrong = three.replace(":5\r\n", ":-5\r\n");
    assert_eq!(
        error::<Group>(&wrong),
        "expected an integer of type u32, found one out of range at field `limits`, element 0"
    );
}

#[test]
fn scalars() {
    all('é', &["$2\r\né\r\n", "+é\r\n"]);
    assert!(error::<char>("+ab\r\n").starts_with("expected a character, found a text"));
    all(true, &[":1\r\n", "#t\r\n", "$1\r\n1\r\n", "$4\r\ntrue\r\n"]);
    all(
        false,
        &[":0\r\n", "#f\r\n", "$1\r\n0\r\n", "$5\r\nfalse\r\n"],
    );
    assert!(error::<bool>("$3\r\nyes\r\n").starts_with("expected a boolean"));
    all(Id(5), &[":5\r\n", "$1\r\n5\r\n"]);
    all(Done, &["+OK\r\n", "_\r\n"]);
    all((), &["+OK\r\n", "$-1\r\n"]);
    assert_eq!(
        error::<()>(":1\r\n"),
        "expected `OK` or nil, found an integer"
    );
    all(2.5f32, &[",2.5\r\n", "$3\r\n2.5\r\n"]);
    all("x".to_owned().into_boxed_str(), &["$1\r\nx\r\n"]);
    all(std::num::NonZeroU8::new(5).unwrap(), &[":5\r\n"]);
    assert!(error::<std::num::NonZeroU8>(":0\r\n").contains("found an integer out of range"));
    all(
        "127.0.0.1".parse::<std::net::IpAddr>().unwrap(),
        &["$9\r\n127.0.0.1\r\n"],
    );
}

#[test]
fn bytes() {
    let forms = ["+abc\r\n", "$3\r\nabc\r\n", "=7\r\ntxt:abc\r\n"];
    all(Bytes::from_static(b"abc"), &forms);
    all(b"abc".to_vec(), &forms);
    all(Blob(b"abc".to_vec()), &forms);
    all(Some(b"abc".to_vec()), &forms);
    all(Vec::<u8>::new(), &["$0\r\n\r\n", "*0\r\n"]);
    all(
        vec![b"a".to_vec(), b"".to_vec()],
        &["*2\r\n+a\r\n$0\r\n\r\n"],
    );
    all(vec![b"\xff".to_vec().into_boxed_slice()], &[]);
    all(
        HashMap::from([("k".to_owned(), b"a\r\n".to_vec())]),
        &["*2\r\n+k\r\n$3\r\na\r\n\r\n"],
    );
    all(
        vec![Some(Bytes::from_static(b"a")), None],
        &["*2\r\n+a\r\n_\r\n"],
    );
    all(
        BTreeMap::from([(1u8, Bytes::from_static(b"a"))]),
        &["*2\r\n+1\r\n+a\r\n"],
    );
    // A string is a list of bytes, and of nothing else; an empty one too.
    for string in ["$3\r\nabc\r\n", "$0\r\n\r\n", "+\r\n"] {
        assert!(
            error::<Vec<i64>>(string).starts_with("expected an array, found a"),
            "{string}"
        );
        assert!(error::<Vec<String>>(string).starts_with("expected an array, found a"));
        assert!(error::<HashSet<char>>(string).starts_with("expected an array, found a"));
        assert!(error::<Vec<Value>>(string).starts_with("expected an array, found a"));
        assert!(error::<Vec<Option<u8>>>(string).starts_with("expected an array, found a"));
        assert!(error::<Vec<(u8, u8)>>(string).starts_with("expected an array, found a"));
    }
    assert_eq!(error::<Blob>(":1\r\n"), "expected bytes, found an integer");
}

#[test]
fn lists_sets_maps_and_pairs() {
    all(
        vec![1u8, 2],
        &["*2\r\n:1\r\n:2\r\n", "~2\r\n$1\r\n1\r\n$1\r\n2\r\n"],
    );
    all(
        HashSet::from([1u8, 2]),
        &["*2\r\n:1\r\n:2\r\n", "~2\r\n:2\r\n:1\r\n"],
    );
    all(BTreeSet::from([Kind::Person]), &["*1\r\n+person\r\n"]);
    let maps = [
        "%2\r\n$1\r\n1\r\n+a\r\n$2\r\n-2\r\n+b\r\n",
        "*4\r\n$1\r\n1\r\n+a\r\n$2\r\n-2\r\n+b\r\n",
        "*2\r\n*2\r\n$1\r\n1\r\n+a\r\n*2\r\n$2\r\n-2\r\n+b\r\n",
        "%2\r\n:1\r\n+a\r\n:-2\r\n+b\r\n",
    ];
    let pairs = [(1i16, "a".to_owned()), (-2, "b".to_owned())];
    all(HashMap::from(pairs.clone()), &maps);
    all(BTreeMap::from(pairs.clone()), &maps);
    all(pairs.to_vec(), &maps);
    all(
        vec![Some(Point(1.0, 2.0))],
        &["*2\r\n+1\r\n+2\r\n", "*1\r\n*2\r\n,1\r\n,2\r\n"],
    );
    all(
        vec![("a".to_owned(), vec![1u8])],
        &["*2\r\n+a\r\n*1\r\n:1\r\n", "%1\r\n+a\r\n*1\r\n:1\r\n"],
    );
    all(vec![(1u8, 2u8, 3u8)], &["*1\r\n*3\r\n:1\r\n:2\r\n:3\r\n"]);
    all(vec![[1u8, 2]], &["*1\r\n*2\r\n:1\r\n:2\r\n"]);
    assert_eq!(
        error::<Vec<(String, i16)>>("*3\r\n+a\r\n:1\r\n+b\r\n"),
        "expected pairs, found an array of odd length at element 2"
    );
    assert_eq!(
        error::<HashMap<u8, u8>>("*4\r\n:1\r\n:1\r\n:300\r\n:1\r\n"),
        "expected an integer of type u8, found one out of range at element 1"
    );
    assert_eq!(
        error::<(u8, u8, u8)>("*2\r\n:1\r\n:1\r\n"),
        "expected an array of 3, found an array of 2"
    );
    assert_eq!(
        error::<(u8, u8)>("*2\r\n:1\r\n:256\r\n"),
        "expected an integer of type u8, found one out of range at element 1"
    );
    assert_eq!(error::<Vec<u16>>("_\r\n"), "expected an array, found nil");
}

#[test]
fn enums() {
    all(
        Kind::TradeUnion,
        &["+trade_union\r\n", "$11\r\ntrade_union\r\n"],
    );
    assert_eq!(
        error::<Kind>("$6\r\nsecret\r\n"),
        "expected one of person, trade_union, found another text"
    );
    assert_eq!(
        error::<Kind>(":1\r\n"),
        "expected a string, found an integer"
    );
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum NumberOrText {
        Number(i64),
        Text(String),
        List(Vec<NumberOrText>),
    }
    use NumberOrText::{List, Number, Text};
    all(
        List(vec![Number(1), Text("1".into()), List(vec![])]),
        &["*3\r\n:1\r\n$1\r\n1\r\n*0\r\n"],
    );
}

#[test]
fn results_of_elements() {
    all(
        vec![
            Ok("a".to_owned()),
            Err("ERR full".to_owned()),
            Ok("b".to_owned()),
        ],
        &[
            "*3\r\n+a\r\n-ERR full\r\n+b\r\n",
            "*3\r\n+a\r\n!8\r\nERR full\r\n+b\r\n",
        ],
    );
    all(
        vec![Ok::<_, String>(None::<u8>), Ok(Some(1))],
        &["*2\r\n_\r\n:1\r\n"],
    );
    assert_eq!(
        error::<Vec<String>>("*2\r\n+a\r\n-ERR full\r\n"),
        "expected a string, found an error (ERR full) at element 1"
    );
    assert!(error::<serde_json::Value>("*1\r\n-ERR full\r\n").contains("(ERR full)"));
}

#[test]
fn errors_of_serde_tell_no_values() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[expect(dead_code, reason = "decoding fails")]
        known: Option<u8>,
    }
    for error in [
        error::<Strict>("%1\r\n+secret\r\n:1\r\n"),
        error::<HashMap<String, u8>>("%1\r\n+secret\r\n+secret\r\n"),
        error::<HashMap<u8, u8>>("%1\r\n+secret\r\n+secret\r\n"),
        error::<char>("+secret\r\n"),
        error::<Kind>("+secret\r\n"),
        error::<Option<Id>>("+secret\r\n"),
        error::<std::net::IpAddr>("+secret\r\n"),
    ] {
        assert!(!error.contains("secret"), "{error}");
    }
    assert_eq!(
        error::<Strict>("%1\r\n+secret\r\n:1\r\n"),
        "expected one of the fields known, found another at element 0"
    );
    assert_eq!(
        error::<std::net::IpAddr>("+x\r\n"),
        "expected a value that its type accepts, found one that it refuses"
    );
}

/// A type whose own reader tells what it has read.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Picky;

impl TryFrom<String> for Picky {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Err(format!("what is {text}?"))
    }
}

#[test]
fn the_words_of_a_type_do_not_reach_an_error() {
    let error = error::<Vec<Picky>>("*1\r\n+secret\r\n");
    assert_eq!(
        error,
        "expected a value that its type accepts, found one that it refuses at element 0"
    );
}

#[test]
fn a_field_that_no_struct_could_have_is_left_out() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Known {
        name: String,
    }

    for form in [
        &b"%2\r\n$2\r\n\xff\xfe\r\n$1\r\nx\r\n+name\r\n+ann\r\n"[..],
        b"*4\r\n$2\r\n\xff\xfe\r\n$1\r\nx\r\n+name\r\n+ann\r\n",
    ] {
        let known = Known::from_reply(frame(form).reply()).unwrap();
        assert_eq!(known.name, "ann");
    }
}

#[test]
fn values_keep_their_kinds_wherever_they_stand() {
    let bytes = "%3\r\n+a\r\n*3\r\n+x\r\n$1\r\nx\r\n=5\r\ntxt:x\r\n$1\r\nb\r\n~2\r\n(12\r\n,1.5\r\n\
        +c\r\n*3\r\n#t\r\n_\r\n-ERR x\r\n";
    let whole = Value::from_reply(frame(bytes).reply()).unwrap();
    let Value::Map(pairs) = &whole else {
        panic!("{whole:?}")
    };
    let [a, b, c] = [0, 1, 2].map(|at| pairs[at].1.clone());
    #[derive(Debug, PartialEq, Deserialize)]
    struct Parts {
        a: Value,
        b: Vec<Value>,
        c: (Value, Option<Value>, Value),
    }
    let parts = Parts {
        a: a.clone(),
        b: b.as_slice().unwrap().to_vec(),
        c: (Value::Boolean(true), None, c.as_slice().unwrap()[2].clone()),
    };
    all(parts, &[bytes]);
    all(
        HashMap::from([
            ("a".to_owned(), a),
            ("b".to_owned(), b),
            ("c".to_owned(), c),
        ]),
        &[bytes],
    );
    all(pairs.clone(), &[bytes]);
    all(Some(whole.clone()), &[bytes]);
    // A map as a list is one of pairs.
    let list = pairs
        .iter()
        .map(|(key, value)| Value::Array(vec![key.clone(), value.clone()]));
    all(list.collect::<Vec<_>>(), &[bytes]);
    // What stands around a value is no part of it.
    all(
        vec![Value::Integer(1), Value::Nil],
        &["*2\r\n|1\r\n+a\r\n:1\r\n:1\r\n>1\r\n+p\r\n_\r\n"],
    );
    all(
        vec![vec![Value::Integer(1)]],
        &["*1\r\n*1\r\n|1\r\n+a\r\n:1\r\n>1\r\n+p\r\n:1\r\n"],
    );
}

#[test]
fn values_through_another_format() {
    let whole = "*6\r\n:-5\r\n$1\r\na\r\n_\r\n,1.5\r\n#t\r\n%1\r\n$1\r\nk\r\n*1\r\n:9223372036854775807\r\n";
    let value = Value::from_reply(frame(whole).reply()).unwrap();
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(
        json,
        r#"[-5,"a",null,1.5,true,{"k":[9223372036854775807]}]"#
    );
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
    // A reply can be JSON itself.
    let decoded: serde_json::Value = FromReply::from_reply(frame(whole).reply()).unwrap();
    assert_eq!(decoded[5]["k"][0], i64::MAX);
    assert_eq!(
        serde_json::from_str::<Value>("18446744073709551615").unwrap(),
        Value::BigNumber("18446744073709551615".into())
    );
    // Bytes that look like RESP, of a deserializer that is not ours, are bytes.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapped {
        value: Value,
    }
    let wrapped = Wrapped {
        value: Value::BulkString("+OK\r\n".into()),
    };
    let text = serde_json::to_string(&wrapped).unwrap();
    assert_eq!(serde_json::from_str::<Wrapped>(&text).unwrap(), wrapped);
    // A string as a key, where deserializers of single values forward everything.
    let key = de::value::StrDeserializer::<de::value::Error>::new("k");
    assert_eq!(
        Value::deserialize(key).unwrap(),
        Value::BulkString("k".into())
    );
    let number = de::value::U64Deserializer::<de::value::Error>::new(5);
    assert_eq!(Value::deserialize(number).unwrap(), Value::Integer(5));
    let number = de::value::U128Deserializer::<de::value::Error>::new(u128::MAX);
    assert_eq!(
        Value::deserialize(number).unwrap(),
        Value::BigNumber(u128::MAX.to_string())
    );
}

#[test]
fn a_struct_takes_the_fields_it_does_not_know_as_values() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Open {
        name: String,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }
    for form in [
        "*4\r\n+name\r\n+n\r\n+x\r\n$1\r\n5\r\n",
        "%2\r\n+name\r\n+n\r\n+x\r\n$1\r\n5\r\n",
    ] {
        all(
            Open {
                name: "n".into(),
                rest: [("x".to_owned(), Value::BulkString("5".into()))].into(),
            },
            &[form],
        );
    }
}

#[test]
fn a_type_can_decode_itself() {
    #[derive(Debug, PartialEq)]
    struct Length(usize);
    impl FromReply for Length {
        fn from_reply(reply: respec::resp::Reply<'_>) -> Result<Self, respec::reply::DecodeError> {
            reply
                .bytes()
                .map(|bytes| Self(bytes.len()))
                .ok_or_else(|| respec::reply::DecodeError::expected("a text", reply))
        }
    }
    all(Length(3), &["+abc\r\n"]);
    assert_eq!(
        error::<Length>(":1\r\n"),
        "expected a text, found an integer"
    );
}

#[test]
fn values_can_be_asked() {
    let map = Value::from_reply(frame("%1\r\n$1\r\nk\r\n=5\r\ntxt:v\r\n").reply()).unwrap();
    assert_eq!(map.get("k").and_then(Value::as_str), Some("v"));
    assert_eq!(map.get("x"), None);
    let list = Value::from_reply(frame("*2\r\n$1\r\nk\r\n:5\r\n").reply()).unwrap();
    assert_eq!(list.get("k").and_then(Value::as_i64), Some(5));
    assert_eq!(list.as_slice().map(<[Value]>::len), Some(2));
    assert_eq!(
        list.as_slice().unwrap()[0].as_bytes(),
        Some(&Bytes::from_static(b"k"))
    );
    assert!(Value::Nil.is_nil());
    assert_eq!(Value::BigNumber("12".into()).as_str(), Some("12"));
}

/// The limits of integers, as a number and as the text that a hash holds, and what lies beyond.
#[test]
fn integers_of_every_width_in_and_out_of_range() {
    macro_rules! widths {
        ($($type:ty),+) => {$({
            for limit in [<$type>::MIN, <$type>::MAX] {
                let text = limit.to_string();
                let mut forms = vec![format!("${}\r\n{text}\r\n", text.len()), format!("({text}\r\n")];
                if i64::try_from(limit).is_ok() {
                    forms.push(format!(":{text}\r\n"));
                }
                for form in &forms {
                    all(limit, &[form]);
                    all(Some(limit), &[form]);
                    all([limit], &[&format!("*1\r\n{form}")]);
                    all(HashMap::from([("k".to_owned(), limit)]), &[&format!("*2\r\n+k\r\n{form}"), &format!("%1\r\n+k\r\n{form}")]);
                }
                if limit != 0 {
                    let mut beyond = text.into_bytes();
                    *beyond.last_mut().unwrap() += 1;
                    let beyond = String::from_utf8(beyond).unwrap();
                    let form = format!("${}\r\n{beyond}\r\n", beyond.len());
                    let expected = concat!("expected an integer of type ", stringify!($type), ", found one out of range");
                    assert_eq!(error::<$type>(&form), expected);
                    assert_eq!(error::<Vec<$type>>(&format!("*1\r\n{form}")), format!("{expected} at element 0"));
                }
            }
            for wrong in ["$0\r\n\r\n", "$1\r\nx\r\n", "$3\r\n1.5\r\n", ",1.5\r\n", "_\r\n", "*0\r\n", "-ERR\r\n", "$2\r\n 1\r\n", "$2\r\n+1\r\n"] {
                assert!(error::<$type>(wrong).starts_with(concat!("expected an integer of type ", stringify!($type))));
            }
        })+};
    }
    widths!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128);
    assert!(error::<usize>(":-1\r\n").contains("out of range"));
    all(-1isize, &[":-1\r\n", "$2\r\n-1\r\n"]);
}

#[test]
fn floats_of_both_widths() {
    all(1.5f64, &[",1.5\r\n", "$3\r\n1.5\r\n", "+1.5\r\n"]);
    all(-3.0f32, &[",-3\r\n", ":-3\r\n", "$2\r\n-3\r\n"]);
    all(f64::INFINITY, &[",inf\r\n", "$3\r\ninf\r\n"]);
    all(f32::NEG_INFINITY, &[",-inf\r\n", "$4\r\n-inf\r\n"]);
    all(
        vec![Some(1.0f64), None],
        &["*2\r\n$1\r\n1\r\n$-1\r\n", "*2\r\n,1\r\n_\r\n"],
    );
    for nan in [",nan\r\n", "$3\r\nnan\r\n"] {
        assert!(f64::from_reply(frame(nan).reply()).unwrap().is_nan());
        let map: HashMap<String, f32> =
            FromReply::from_reply(frame(format!("*2\r\n+k\r\n{nan}")).reply()).unwrap();
        assert!(map["k"].is_nan());
    }
}

#[test]
fn strings_and_bytes_in_every_container() {
    let forms = ["+abc\r\n", "$3\r\nabc\r\n", "=7\r\ntxt:abc\r\n"];
    all("abc".to_owned(), &forms);
    all(Cow::<'static, str>::Owned("abc".to_owned()), &forms);
    all(Cow::<'static, [u8]>::Owned(b"abc".to_vec()), &forms);
    all(b"abc".to_vec().into_boxed_slice(), &forms);
    all(*b"abc", &forms);
    all(Some(*b"abc"), &forms);
    all(
        HashMap::from([("k".to_owned(), *b"abc")]),
        &["*2\r\n+k\r\n$3\r\nabc\r\n"],
    );
    all(
        *b"\r\nx",
        &["$3\r\n\r\nx\r\n", "*3\r\n:13\r\n:10\r\n:120\r\n"],
    );
    for wrong in [error::<[u8; 2]>(forms[1]), error::<[u8; 4]>(forms[1])] {
        assert_eq!(wrong, "expected an array, found a bulk string");
    }
    // Only bytes are elements of a string.
    assert_eq!(
        error::<[i8; 3]>(forms[1]),
        "expected an array, found a bulk string"
    );
    assert_eq!(
        error::<(u16, u16, u16)>(forms[1]),
        "expected an array, found a bulk string"
    );
    let invalid = frame(b"$2\r\na\xff\r\n");
    let wrong = String::from_reply(invalid.reply()).unwrap_err().to_string();
    assert_eq!(
        wrong,
        "expected UTF-8, found bytes that are none from byte 1 on"
    );
    assert_eq!(Vec::<u8>::from_reply(invalid.reply()).unwrap(), b"a\xff");
}

#[test]
fn sequences_of_every_kind() {
    let forms = [
        "*3\r\n:1\r\n$1\r\n2\r\n:3\r\n",
        "~3\r\n:1\r\n:2\r\n:3\r\n",
        ">3\r\n:1\r\n:2\r\n:3\r\n",
    ];
    all(vec![1u16, 2, 3], &forms);
    all(VecDeque::from([1u16, 2, 3]), &forms);
    all([1u16, 2, 3], &forms);
    all(vec![1u16, 2, 3].into_boxed_slice(), &forms);
    all((1u16, "2".to_owned(), 3u8), &forms[..1]);
    all(HashSet::from([1u16, 2, 3]), &forms);
    all(BTreeSet::from([1u16, 2, 3]), &forms);
    all(IndexSet::from([1u16, 2, 3]), &forms);
    all(Box::new(5u8), &[":5\r\n"]);
    all(
        vec![vec![Some([1u8, 2])], vec![None]],
        &["*2\r\n*1\r\n*2\r\n:1\r\n:2\r\n*1\r\n_\r\n"],
    );
    assert_eq!(
        error::<[u16; 4]>(forms[0]),
        "expected an array of 4, found an array of 3"
    );
    // Newer servers add to the end.
    all([1u16, 2], &forms[..1]);
}

#[test]
fn maps_keep_the_order_where_they_can() {
    let forms = [
        "%3\r\n+z\r\n:1\r\n+a\r\n:2\r\n+m\r\n:3\r\n",
        "*6\r\n$1\r\nz\r\n$1\r\n1\r\n$1\r\na\r\n$1\r\n2\r\n$1\r\nm\r\n$1\r\n3\r\n",
        "*3\r\n*2\r\n+z\r\n:1\r\n*2\r\n+a\r\n:2\r\n*2\r\n+m\r\n:3\r\n",
    ];
    let pairs = [
        ("z".to_owned(), 1u8),
        ("a".to_owned(), 2),
        ("m".to_owned(), 3),
    ];
    for form in forms {
        let map = IndexMap::<String, u8>::from_reply(frame(form).reply()).unwrap();
        assert_eq!(map.into_iter().collect::<Vec<_>>(), pairs);
    }
    all(HashMap::from(pairs.clone()), &forms);
    all(BTreeMap::from(pairs.clone()), &forms);
    all(VecDeque::from(pairs.clone()), &forms);
    all(pairs.clone(), &[forms[2]]);
    all(HashSet::from(pairs), &forms);
    all(IndexMap::<String, u8>::new(), &["*0\r\n", "%0\r\n"]);
    assert_eq!(
        error::<IndexMap<String, u8>>("*3\r\n+z\r\n:1\r\n+a\r\n"),
        "expected a map, found an array of odd length"
    );
}

#[test]
fn enums_that_hold_something() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Shape {
        Nothing,
        Circle(f64),
        Box(u8, u8),
        Text { content: String, size: u8 },
    }
    let hash = |field: &str, value: &str| {
        [
            format!("*2\r\n+{field}\r\n{value}"),
            format!("%1\r\n+{field}\r\n{value}"),
        ]
    };
    for (shape, forms) in [
        (Shape::Circle(1.5), hash("circle", "$3\r\n1.5\r\n")),
        (Shape::Box(1, 2), hash("box", "*2\r\n:1\r\n:2\r\n")),
        (
            Shape::Text {
                content: "x".into(),
                size: 9,
            },
            hash("text", "%2\r\n+content\r\n+x\r\n+size\r\n$1\r\n9\r\n"),
        ),
    ] {
        all(shape, &[&forms[0], &forms[1]]);
    }
    all(Shape::Nothing, &["+nothing\r\n"]);
    assert_eq!(
        error::<Shape>("%2\r\n+circle\r\n:1\r\n+box\r\n:1\r\n"),
        "expected a map of one variant, found one of another length"
    );
    assert_eq!(
        error::<Shape>("%1\r\n+circle\r\n+secret\r\n"),
        "expected a floating point number of type f64, found a text of 6 bytes that is none at field `circle`"
    );
    assert_eq!(
        error::<Shape>("%1\r\n+secret\r\n:1\r\n"),
        "expected one of nothing, circle, box, text, found another text at element 0"
    );
    // An enum with a tag is asked for as if it were of any kind, and only a map is then one.
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type")]
    enum Event {
        Login { user: String },
        Logout,
    }
    let login = Event::Login { user: "ann".into() };
    all(login, &["%2\r\n+type\r\n+Login\r\n+user\r\n+ann\r\n"]);
    all(Event::Logout, &["%1\r\n+type\r\n+Logout\r\n"]);
    let flat = "*4\r\n+user\r\n+ann\r\n+type\r\n+Login\r\n";
    assert!(error::<Event>(flat).starts_with("expected one of Login, Logout"));
}
