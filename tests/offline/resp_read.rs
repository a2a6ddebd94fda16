//! Known bytes as values, of every type of RESP2 and RESP3.

use bytes::Bytes;
use proptest::prelude::*;
use respec::{
    Value,
    reply::FromReply,
    resp::{Frame, Kind, Limits, Reply, Scanner},
};

use crate::support::{Tree, Version, frame, frames, trees};

fn value(bytes: &[u8]) -> Value {
    Value::from_reply(frame(bytes).reply()).unwrap()
}

fn bulk(text: &'static str) -> Value {
    Value::BulkString(Bytes::from_static(text.as_bytes()))
}

fn simple(text: &'static str) -> Value {
    Value::SimpleString(Bytes::from_static(text.as_bytes()))
}

#[test]
fn simple_strings() {
    assert_eq!(value(b"+OK\r\n"), simple("OK"));
    assert_eq!(value(b"+\r\n"), simple(""));
    assert_eq!(value(b"+a\rb\nc\r\n"), simple("a\rb\nc"));
    assert_eq!(frame(b"+OK\r\n").reply().kind(), Kind::SimpleString);
}

#[test]
fn errors() {
    let frame = frame(b"-WRONGTYPE Operation against a key\r\n");
    assert!(frame.is_error());
    assert_eq!(frame.reply().kind(), Kind::Error);
    assert_eq!(frame.reply().bytes(), None);
    assert_eq!(
        frame.reply().as_error(),
        Some(&b"WRONGTYPE Operation against a key"[..])
    );
    let frame = crate::support::frame(b"!9\r\nERR a\r\nbc\r\n");
    assert!(frame.is_error());
    assert_eq!(frame.reply().kind(), Kind::BulkError);
    assert_eq!(frame.reply().as_error(), Some(&b"ERR a\r\nbc"[..]));
}

#[test]
fn integers() {
    for (bytes, number) in [
        (&b":0\r\n"[..], 0),
        (b":-0\r\n", 0),
        (b":+7\r\n", 7),
        (b":007\r\n", 7),
        (b":9223372036854775807\r\n", i64::MAX),
        (b":-9223372036854775808\r\n", i64::MIN),
    ] {
        assert_eq!(frame(bytes).reply().integer(), Some(number));
    }
}

#[test]
fn bulk_strings() {
    assert_eq!(value(b"$0\r\n\r\n"), bulk(""));
    assert_eq!(value(b"$5\r\na\r\n\x00b\r\n"), bulk("a\r\n\0b"));
    assert_eq!(value(b"$0003\r\nfoo\r\n"), bulk("foo"));
    assert_eq!(frame(b"$0\r\n\r\n").reply().kind(), Kind::BulkString);
}

#[test]
fn nulls_of_both_versions() {
    for bytes in [&b"$-1\r\n"[..], b"*-1\r\n", b"_\r\n"] {
        let frame = frame(bytes);
        assert!(frame.reply().is_nil());
        assert_eq!(frame.reply().kind(), Kind::Null);
        assert_eq!(frame.reply().bytes(), None);
        assert!(frame.reply().elements().is_none());
        assert_eq!(frame.reply().raw(), bytes);
    }
    let nested = [Value::Nil, Value::Nil, Value::Nil].to_vec();
    assert_eq!(value(b"*3\r\n$-1\r\n*-1\r\n_\r\n"), Value::Array(nested));
}

#[test]
fn arrays() {
    assert_eq!(value(b"*0\r\n"), Value::Array(vec![]));
    assert_eq!(
        value(b"*2\r\n*1\r\n$1\r\na\r\n:2\r\n"),
        Value::Array(vec![Value::Array(vec![bulk("a")]), Value::Integer(2)])
    );
    assert_eq!(frame(b"*2\r\n:1\r\n:2\r\n").reply().len(), 2);
    assert!(frame(b"*0\r\n").reply().is_empty());
}

#[test]
fn booleans_doubles_and_big_numbers() {
    assert_eq!(value(b"#t\r\n"), Value::Boolean(true));
    assert_eq!(value(b"#f\r\n"), Value::Boolean(false));
    for (bytes, number) in [
        (&b",0\r\n"[..], 0.0),
        (b",10\r\n", 10.0),
        (b",-1.25\r\n", -1.25),
        (b",.5\r\n", 0.5),
        (b",5.\r\n", 5.0),
        (b",1e3\r\n", 1000.0),
        (b",1E-3\r\n", 0.001),
        (b",inf\r\n", f64::INFINITY),
        (b",+inf\r\n", f64::INFINITY),
        (b",-inf\r\n", f64::NEG_INFINITY),
    ] {
        assert_eq!(frame(bytes).reply().double(), Some(number));
    }
    for bytes in [&b",nan\r\n"[..], b",-nan\r\n", b",NaN\r\n"] {
        assert!(frame(bytes).reply().double().unwrap().is_nan());
    }
    assert_eq!(
        value(b"(-3492890328409238509324850943850943825024385\r\n"),
        Value::BigNumber("-3492890328409238509324850943850943825024385".into())
    );
}

#[test]
fn verbatim_strings() {
    let frame = frame(b"=9\r\nmkd:\r\n# a\r\n");
    assert_eq!(frame.reply().kind(), Kind::Verbatim);
    assert_eq!(frame.reply().verbatim_format(), Some(&b"mkd"[..]));
    assert_eq!(frame.reply().bytes(), Some(&b"\r\n# a"[..]));
    assert_eq!(
        value(b"=4\r\ntxt:\r\n"),
        Value::Verbatim {
            format: "txt".into(),
            text: Bytes::new()
        }
    );
}

#[test]
fn maps_sets_and_pushes() {
    assert_eq!(
        value(b"%2\r\n+b\r\n:1\r\n$1\r\na\r\n_\r\n"),
        Value::Map(vec![
            (simple("b"), Value::Integer(1)),
            (bulk("a"), Value::Nil)
        ])
    );
    assert_eq!(frame(b"%2\r\n+b\r\n:1\r\n+a\r\n_\r\n").reply().len(), 4);
    assert_eq!(
        value(b"~2\r\n+a\r\n+a\r\n"),
        Value::Set(vec![simple("a"), simple("a")])
    );
    let push = frame(b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n");
    assert!(push.is_push());
    assert_eq!(
        Value::from_reply(push.reply()).unwrap(),
        Value::Push(vec![simple("invalidate"), Value::Array(vec![bulk("k")])])
    );
    assert_eq!(push.nested_pushes().count(), 0);
}

#[test]
fn kinds_are_named_as_the_specification_does() {
    let names = [
        (&b"+\r\n"[..], "simple string"),
        (b"-\r\n", "simple error"),
        (b":1\r\n", "integer"),
        (b"$0\r\n\r\n", "bulk string"),
        (b"*0\r\n", "array"),
        (b"_\r\n", "null"),
        (b"#t\r\n", "boolean"),
        (b",1\r\n", "double"),
        (b"(1\r\n", "big number"),
        (b"!0\r\n\r\n", "bulk error"),
        (b"=4\r\ntxt:\r\n", "verbatim string"),
        (b"%0\r\n", "map"),
        (b"~0\r\n", "set"),
        (b">0\r\n", "push"),
    ];
    for (bytes, name) in names {
        assert_eq!(frame(bytes).reply().kind().to_string(), name);
    }
}

#[test]
fn attributes_are_no_elements_and_stay_in_reach() {
    let frames = crate::support::SCALARS
        .iter()
        .chain(crate::support::AGGREGATES);
    // Of several sets in front of one value, only the last is in reach.
    for scalar in frames.filter(|frame| !frame.starts_with(b"|")) {
        let plain = frame(scalar);
        let with = frame([b"|2\r\n+ttl\r\n:3600\r\n*1\r\n:1\r\n~0\r\n", *scalar].concat());
        assert_eq!(with.reply().kind(), plain.reply().kind());
        let values = [&with, &plain].map(|frame| Value::from_reply(frame.reply()).unwrap());
        let nan = plain.reply().double().is_some_and(f64::is_nan);
        assert!(values[0] == values[1] || nan, "{plain:?}");
        assert_eq!(with.is_push(), plain.is_push());
        assert_eq!(with.is_error(), plain.is_error());
        let attributes: Vec<_> = with.reply().attributes().unwrap().collect();
        assert_eq!(attributes[0].bytes(), Some(&b"ttl"[..]));
        assert_eq!(attributes[1].integer(), Some(3600));
        assert_eq!(attributes[2].kind(), Kind::Array);
        assert_eq!(attributes[3].kind(), Kind::Set);
        assert_eq!(attributes.len(), 4);
    }
    assert!(frame(b":1\r\n").reply().attributes().is_none());
}

#[test]
fn attributes_inside_aggregates_belong_to_the_element_behind() {
    let frame = frame(b"*3\r\n:1\r\n|1\r\n+a\r\n:10\r\n|1\r\n+b\r\n:20\r\n:2\r\n:3\r\n");
    let elements: Vec<Reply<'_>> = frame.reply().elements().unwrap().collect();
    let numbers: Vec<_> = elements.iter().map(Reply::integer).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
    assert!(elements[0].attributes().is_none());
    assert!(elements[2].attributes().is_none());
    // Of two sets, the last.
    let attributes: Vec<_> = elements[1].attributes().unwrap().collect();
    assert_eq!(attributes[0].bytes(), Some(&b"b"[..]));
    assert_eq!(attributes[1].integer(), Some(20));
}

#[test]
fn a_push_inside_an_array_is_no_element() {
    // What Redis 7.0 answers to `EXEC` of `PUBLISH ch m` and `GET a` when subscribed to `ch`.
    let bytes = b"*2\r\n>3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nm\r\n:1\r\n_\r\n";
    let mut scanner = Scanner::new(Limits::default());
    assert_eq!(scanner.scan(bytes).unwrap(), Some(bytes.len()));
    assert_eq!(scanner.nested_pushes(), 1);
    let exec = frame(bytes);
    assert_eq!(
        Value::from_reply(exec.reply()).unwrap(),
        Value::Array(vec![Value::Integer(1), Value::Nil])
    );
    let pushes: Vec<_> = exec.nested_pushes().map(|push| push.raw()).collect();
    assert_eq!(pushes, [&bytes[4..bytes.len() - 7]]);
    assert!(!exec.is_push());
    // The next frame counts from nothing.
    assert_eq!(scanner.scan(b":1\r\n").unwrap(), Some(4));
    assert_eq!(scanner.nested_pushes(), 0);
}

#[test]
fn nested_pushes_are_found_wherever_they_are() {
    let inner = b">2\r\n+a\r\n>1\r\n+b\r\n+c\r\n";
    for (before, after) in [
        (&b"*1\r\n"[..], &b":1\r\n"[..]),
        (b"*2\r\n:1\r\n", b":1\r\n"),
        (b"%1\r\n", b":1\r\n:2\r\n"),
        (b"%1\r\n:1\r\n", b":2\r\n"),
        (b"~1\r\n*1\r\n", b":2\r\n"),
        (b">1\r\n", b":2\r\n"),
        (b"|1\r\n:1\r\n", b":2\r\n:3\r\n"),
        (b"*1\r\n|1\r\n:1\r\n", b":2\r\n:3\r\n"),
    ] {
        let bytes = [before, inner, after].concat();
        let mut scanner = Scanner::new(Limits::default());
        assert_eq!(scanner.scan(&bytes).unwrap(), Some(bytes.len()));
        let frame = frame(&bytes);
        let pushes: Vec<_> = frame.nested_pushes().map(|push| push.raw()).collect();
        assert_eq!(
            pushes,
            [&inner[..], b">1\r\n+b\r\n"],
            "{}",
            bytes.escape_ascii()
        );
        assert_eq!(scanner.nested_pushes(), pushes.len());
        // Without them, it is the same value.
        let without = crate::support::frame([before, after].concat());
        assert_eq!(
            Value::from_reply(frame.reply()).unwrap(),
            Value::from_reply(without.reply()).unwrap()
        );
    }
}

#[test]
fn a_payload_that_looks_like_a_push_is_none() {
    for bytes in [
        &b"$8\r\n>1\r\n+x\r\n\r\n"[..],
        b"=12\r\ntxt:>1\r\n+x\r\n\r\n",
        b"!8\r\n>1\r\n+x\r\n\r\n",
        b"*1\r\n$8\r\n>1\r\n+x\r\n\r\n",
        b"+>1\r\n",
        b"|1\r\n+k\r\n$4\r\n>0\r\n\r\n$8\r\n>1\r\n+x\r\n\r\n",
    ] {
        assert_eq!(frame(bytes).nested_pushes().count(), 0);
    }
}

#[test]
fn a_push_may_stand_at_every_boundary() {
    let push = b">2\r\n+message\r\n*1\r\n:1\r\n";
    for bytes in frames() {
        let plain = frame(&bytes);
        // Before and behind a frame, it is a frame.
        for (first, second) in [(&push[..], &bytes[..]), (&bytes[..], &push[..])] {
            let all = [first, second].concat();
            let (lengths, error) = crate::support::scan_pieces(Limits::default(), [&all[..]]);
            assert_eq!((lengths, error), (vec![first.len(), second.len()], None));
        }
        // In front of every element, it changes nothing.
        let Some(elements) = plain.reply().elements() else {
            continue;
        };
        let expected = crate::support::texts(plain.reply());
        for element in elements {
            let at = element.raw().as_ptr() as usize - plain.as_bytes().as_ptr() as usize;
            let mut with = bytes.clone();
            with.splice(at..at, push.iter().copied());
            let with = frame(&with);
            assert_eq!(crate::support::texts(with.reply()), expected);
            assert_eq!(
                with.nested_pushes().count(),
                plain.nested_pushes().count() + 1
            );
        }
    }
}

#[test]
fn a_frame_is_all_there_is() {
    assert_eq!(
        Frame::parse(Bytes::from_static(b":1\r\n:2\r\n"))
            .unwrap_err()
            .to_string(),
        "expected the end of the bytes, found more at byte 4 of the frame"
    );
    for bytes in frames() {
        for end in 0..bytes.len() {
            let error = Frame::parse(Bytes::copy_from_slice(&bytes[..end])).unwrap_err();
            assert_eq!(error.offset(), end);
        }
    }
}

#[test]
fn what_is_printed_for_debugging_is_not_the_content() {
    let frame = frame(b"*2\r\n$6\r\nsecret\r\n+secret\r\n");
    let element = frame.reply().elements().unwrap().next().unwrap();
    for text in [
        format!("{frame:?}"),
        format!("{:?}", frame.reply()),
        format!("{element:?}"),
        format!("{:?}", frame.reply().elements()),
        format!("{:?}", frame.nested_pushes()),
    ] {
        assert!(!text.contains("secret"), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_tree_is_read_as_it_was_written(tree in trees()) {
        let bytes = tree.encode(Version::Three);
        let mut scanner = Scanner::new(Limits::default());
        prop_assert_eq!(scanner.scan(&bytes), Ok(Some(bytes.len())));
        prop_assert_eq!(scanner.nested_pushes(), tree.pushes());
        let frame = frame(&bytes);
        prop_assert_eq!(frame.nested_pushes().count(), tree.pushes());
        prop_assert_eq!(Value::from_reply(frame.reply()).unwrap(), tree.value());
        // Through serde, each value comes from the bytes of its own.
        if let Tree::Array(trees) = &tree {
            let values: Vec<Value> = FromReply::from_reply(frame.reply()).unwrap();
            let expected: Vec<Value> = trees.iter().map(Tree::value).collect();
            prop_assert_eq!(values, expected);
        }
    }

    #[test]
    fn any_tree_has_the_same_texts_under_resp2(tree in trees()) {
        let frame = frame(tree.encode(Version::Two));
        prop_assert_eq!(frame.nested_pushes().count(), 0);
        prop_assert!(frame.reply().attributes().is_none());
        let three = crate::support::frame(tree.encode(Version::Three));
        // Booleans are the one type whose RESP2 form is another text.
        let booleans = |texts: Vec<Vec<u8>>| {
            texts.into_iter().filter(|text| !matches!(&text[..], b"" | b"0" | b"1")).collect::<Vec<_>>()
        };
        prop_assert_eq!(booleans(crate::support::texts(frame.reply())), booleans(crate::support::texts(three.reply())));
    }
}
