//! The types of commands, whose values are the same under RESP2 and RESP3.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt::Debug,
    time::Duration,
};

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use respec::{
    Error, ErrorKind, Value,
    reply::{
        Decode, Expiration, FromReply, FromText, OneOrMany, PendingEntry, ScanPage, ServerInfo,
        ServerTime, StreamEntry, ok_or_nil,
    },
    resp::{Frame, Limits, Scanner},
};

use crate::support::frame;

/// All forms decode to the same value.
fn all<T: Decode + PartialEq + Debug>(expected: T, forms: &[&str]) {
    for form in forms {
        match T::decode(frame(form).reply()) {
            Ok(value) => assert_eq!(value, expected, "{form:?}"),
            Err(error) => panic!("{form:?}: {error}"),
        }
    }
}

fn error<T: Decode + Debug>(form: &str) -> String {
    match T::decode(frame(form).reply()) {
        Err(error) => error.to_string(),
        Ok(value) => panic!("{form:?}: {value:?}"),
    }
}

fn decoded<T: Decode>(form: &str) -> T {
    T::decode(frame(form).reply()).unwrap()
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn done_and_not_done() {
    all((), &["+OK\r\n", "$2\r\nOK\r\n", "=6\r\ntxt:OK\r\n"]);
    assert_eq!(
        error::<()>("+QUEUED\r\n"),
        "expected `OK`, found a simple string"
    );
    assert_eq!(error::<()>("_\r\n"), "expected `OK`, found nil");
    let done = |form: &str| ok_or_nil(frame(form).reply());
    assert!(done("+OK\r\n").unwrap());
    for nil in ["$-1\r\n", "*-1\r\n", "_\r\n"] {
        assert!(!done(nil).unwrap());
    }
    assert!(done(":1\r\n").is_err());
}

#[test]
fn truth() {
    all(true, &[":1\r\n", "#t\r\n"]);
    all(false, &[":0\r\n", "#f\r\n"]);
    assert_eq!(
        error::<bool>(":2\r\n"),
        "expected a boolean, found an integer"
    );
    assert!(error::<bool>("$1\r\n1\r\n").contains("a text that is no such number"));
    // What `CF.INSERT` answers for an item that did not fit.
    all(
        vec![1i64, 0, -1],
        &["*3\r\n:1\r\n:0\r\n:-1\r\n", "*3\r\n#t\r\n#f\r\n:-1\r\n"],
    );
}

#[test]
fn nil() {
    all(None::<Bytes>, &["$-1\r\n", "*-1\r\n", "_\r\n"]);
    all(None::<Vec<Bytes>>, &["$-1\r\n", "*-1\r\n", "_\r\n"]);
    all(Some(text("")), &["$0\r\n\r\n"]);
    all(Some(Vec::<Bytes>::new()), &["*0\r\n"]);
    // An empty array is nil where a tuple cannot be empty, as `TS.GET` has it.
    all(None::<(i64, f64)>, &["*0\r\n", "*-1\r\n", "_\r\n"]);
    all(None::<(i64, f64, Value)>, &["*0\r\n", "_\r\n"]);
    all(
        Some((1i64, 2.5)),
        &["*2\r\n:1\r\n$3\r\n2.5\r\n", "*2\r\n:1\r\n,2.5\r\n"],
    );
    all(
        vec![None, Some(text("a"))],
        &["*2\r\n$-1\r\n$1\r\na\r\n", "*2\r\n_\r\n$1\r\na\r\n"],
    );
    assert_eq!(error::<Bytes>("$-1\r\n"), "expected a string, found nil");
}

/// Values of one width within range in every form, and those just outside of it.
macro_rules! widths {
    ($($type:ty),+) => {$(
        for number in [<$type>::MIN, <$type>::MAX, 7] {
            let digits = number.to_string();
            let mut forms = vec![
                format!("${}\r\n{digits}\r\n", digits.len()),
                format!("+{digits}\r\n"),
                format!("({digits}\r\n"),
                format!(",{digits}\r\n"),
                format!("={}\r\ntxt:{digits}\r\n", digits.len() + 4),
            ];
            if i64::try_from(number).is_ok() {
                forms.push(format!(":{digits}\r\n"));
            }
            let forms: Vec<&str> = forms.iter().map(String::as_str).collect();
            all(number, &forms);
            // Through serde as well.
            for form in forms {
                assert_eq!(<$type>::from_reply(frame(form).reply()).unwrap(), number, "{form}");
            }
        }
        all(1 as $type, &["#t\r\n"]);
        let expected = concat!("expected an integer of type ", stringify!($type), ", found ");
        let outside = [
            beyond(&<$type>::MAX.to_string()),
            if <$type>::MIN == 0 { "-1".to_owned() } else { beyond(&<$type>::MIN.to_string()) },
        ];
        for digits in outside {
            let mut forms = vec![format!("+{digits}\r\n"), format!("({digits}\r\n"), format!(",{digits}\r\n")];
            if digits.parse::<i64>().is_ok() {
                forms.push(format!(":{digits}\r\n"));
            }
            for form in forms {
                assert_eq!(error::<$type>(&form), format!("{expected}one out of range"), "{form}");
                let error = <$type>::from_reply(frame(&form).reply()).unwrap_err();
                assert_eq!(error.to_string(), format!("{expected}one out of range").replace("size", "64"), "{form}");
            }
        }
        for (form, found) in [
            ("$3\r\n1.5\r\n", "a text that is no such number"),
            (",1.5\r\n", "a double"),
            (",1e3\r\n", "a double"),
            (",inf\r\n", "a double"),
            ("$0\r\n\r\n", "an empty text"),
            ("$2\r\n 1\r\n", "a text of 2 bytes that is none"),
            ("$2\r\n+1\r\n", "a text that is no such number"),
            ("$1\r\n-\r\n", "a text of 1 byte that is none"),
            ("$3\r\nabc\r\n", "a text of 3 bytes that is none"),
            ("*1\r\n:1\r\n", "an array"),
            ("_\r\n", "nil"),
        ] {
            assert_eq!(error::<$type>(form), format!("{expected}{found}"));
            let error = <$type>::from_reply(frame(form).reply()).unwrap_err();
            assert_eq!(error.to_string(), format!("{expected}{found}").replace("size", "64"));
        }
    )+};
}

/// The digits of the next number away from zero.
fn beyond(digits: &str) -> String {
    let mut bytes = digits.as_bytes().to_vec();
    // No limit of an integer ends in 9.
    *bytes.last_mut().unwrap() += 1;
    String::from_utf8(bytes).unwrap()
}

#[test]
fn integers_of_every_width() {
    widths!(
        i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize
    );
}

#[test]
fn floats() {
    all(
        2.5f64,
        &[
            ",2.5\r\n",
            "$3\r\n2.5\r\n",
            "+2.5\r\n",
            "$4\r\n25e-1\r\n".replace("$4", "$5").as_str(),
        ],
    );
    all(
        3.0f64,
        &[",3\r\n", ":3\r\n", "$1\r\n3\r\n", "(3\r\n", "$3\r\n3.0\r\n"],
    );
    all(
        f64::INFINITY,
        &[",inf\r\n", "$3\r\ninf\r\n", "$4\r\n+inf\r\n"],
    );
    all(f64::NEG_INFINITY, &[",-inf\r\n", "$4\r\n-inf\r\n"]);
    for nan in [",nan\r\n", "$3\r\nnan\r\n", "$4\r\n-nan\r\n", ",-nan\r\n"] {
        assert!(f64::decode(frame(nan).reply()).unwrap().is_nan());
        assert!(f32::decode(frame(nan).reply()).unwrap().is_nan());
    }
    // Doubles arrive with more or with fewer digits than they have.
    all(
        0.1f64,
        &[
            ",0.1\r\n",
            ",0.10000000000000001\r\n",
            "$19\r\n0.10000000000000000\r\n",
        ],
    );
    all(
        2f64.powi(60),
        &[
            ",1.152921504606847e+18\r\n",
            "$19\r\n1152921504606847000\r\n",
        ],
    );
    all(0.1f32, &[",0.1\r\n", "$3\r\n0.1\r\n"]);
    for wrong in [
        "$0\r\n\r\n",
        "$3\r\nabc\r\n",
        "#t\r\n",
        "_\r\n",
        "*0\r\n",
        "$2\r\n1 \r\n",
    ] {
        assert!(
            error::<f64>(wrong).starts_with("expected a floating point number of type f64, found")
        );
    }
}

#[test]
fn numbers_are_never_rounded_without_saying_so() {
    // The first integers that no double, or no single, has.
    all(9_007_199_254_740_992f64, &[":9007199254740992\r\n"]);
    all(-9_007_199_254_740_992f64, &[":-9007199254740992\r\n"]);
    all(16_777_216f32, &[":16777216\r\n", ":16777216\r\n"]);
    for wrong in [
        ":9007199254740993\r\n",
        ":-9007199254740993\r\n",
        ":9223372036854775807\r\n",
        ":-9223372036854775808\r\n",
        "(9007199254740993\r\n",
        "(123456789012345678901234567890\r\n",
        "$5\r\n1e400\r\n",
        ",1e400\r\n",
        ",-1e400\r\n",
    ] {
        assert_eq!(
            error::<f64>(wrong),
            "expected a floating point number of type f64, found one that it cannot hold"
        );
        assert!(f64::from_reply(frame(wrong).reply()).is_err());
        assert!(error::<f32>(wrong).ends_with("type f32, found one that it cannot hold"));
        assert!(f32::from_reply(frame(wrong).reply()).is_err());
    }
    for wrong in [
        ":16777217\r\n",
        "(16777217\r\n",
        ",1e39\r\n",
        "$4\r\n1e39\r\n",
    ] {
        assert!(error::<f32>(wrong).ends_with("found one that it cannot hold"));
        assert!(f32::from_reply(frame(wrong).reply()).is_err());
        assert!(f64::from_reply(frame(wrong).reply()).is_ok());
    }
}

#[test]
fn strings() {
    let forms = ["+abc\r\n", "$3\r\nabc\r\n", "=7\r\ntxt:abc\r\n"];
    all(text("abc"), &forms);
    all("abc".to_owned(), &forms);
    all(b"abc".to_vec(), &forms);
    all(*b"abc", &forms);
    all(
        vec![1u8, 2],
        &["*2\r\n:1\r\n:2\r\n", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"],
    );
    all(text("1.5"), &[",1.5\r\n", "$3\r\n1.5\r\n"]);
    assert_eq!(
        error::<Bytes>(":1\r\n"),
        "expected a string, found an integer"
    );
    assert_eq!(
        error::<[u8; 2]>("+abc\r\n"),
        "expected an array of 2, found an array of 3"
    );
    assert_eq!(
        error::<Vec<i8>>("+abc\r\n"),
        "expected an array, found a simple string"
    );
}

#[test]
fn lists_and_sets() {
    let forms = [
        "*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        "~2\r\n$1\r\na\r\n$1\r\nb\r\n",
        ">2\r\n+a\r\n+b\r\n",
    ];
    all(vec![text("a"), text("b")], &forms);
    all([text("a"), text("b")], &forms);
    all(HashSet::from([text("a"), text("b")]), &forms);
    all(BTreeSet::from([text("a"), text("b")]), &forms);
    all(
        vec![vec![1i64], vec![]],
        &["*2\r\n*1\r\n:1\r\n*0\r\n", "~2\r\n~1\r\n:1\r\n~0\r\n"],
    );
    assert_eq!(
        error::<Vec<Bytes>>("%1\r\n+a\r\n+b\r\n"),
        "expected an array, found a map"
    );
    assert_eq!(error::<Vec<i64>>("$-1\r\n"), "expected an array, found nil");
    assert_eq!(
        error::<Vec<Vec<i64>>>("*2\r\n*0\r\n*2\r\n:1\r\n+x\r\n"),
        "expected an integer of type i64, found a text of 1 byte that is none at element 1, element 1"
    );
}

#[test]
fn maps_in_three_forms() {
    let forms = [
        "%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n",
        "*2\r\n*2\r\n$1\r\na\r\n:1\r\n*2\r\n$1\r\nb\r\n:2\r\n",
        "*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n",
        "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n",
    ];
    let pairs = [(text("a"), 1i64), (text("b"), 2)];
    all(pairs.to_vec(), &forms);
    all(HashMap::from(pairs.clone()), &forms);
    all(BTreeMap::from(pairs), &forms);
    for empty in ["*0\r\n", "%0\r\n", "~0\r\n"] {
        all(Vec::<(Bytes, i64)>::new(), &[empty]);
        all(HashMap::<Bytes, i64>::new(), &[empty]);
    }
    assert_eq!(
        error::<HashMap<Bytes, i64>>("*3\r\n+a\r\n:1\r\n+b\r\n"),
        "expected a map, found an array of odd length"
    );
    assert_eq!(
        error::<Vec<(Bytes, i64)>>("*2\r\n*2\r\n+a\r\n:1\r\n:2\r\n"),
        "expected an array of two, found an integer at element 1"
    );
    assert_eq!(
        error::<HashMap<Bytes, i64>>(":1\r\n"),
        "expected a map, found an integer"
    );
    // The place is a number, since a key may be a secret.
    assert_eq!(
        error::<HashMap<Bytes, i64>>("%2\r\n+a\r\n:1\r\n+secret\r\n+x\r\n"),
        "expected an integer of type i64, found a text of 1 byte that is none at element 1"
    );
}

#[test]
fn members_with_scores() {
    all(
        vec![
            (text("a"), 1.0),
            (text("b"), 2.5),
            (text("c"), f64::INFINITY),
        ],
        &[
            "*6\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$3\r\n2.5\r\n$1\r\nc\r\n$3\r\ninf\r\n",
            "*3\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2.5\r\n*2\r\n$1\r\nc\r\n,inf\r\n",
        ],
    );
    // `ZPOPMIN` without a count is one flat pair under both.
    all(
        vec![(text("a"), 1.0)],
        &["*2\r\n$1\r\na\r\n$1\r\n1\r\n", "*2\r\n$1\r\na\r\n,1\r\n"],
    );
    // `BZPOPMIN`.
    all(
        Some((text("k"), text("a"), 1.0)),
        &[
            "*3\r\n$1\r\nk\r\n$1\r\na\r\n$1\r\n1\r\n",
            "*3\r\n$1\r\nk\r\n$1\r\na\r\n,1\r\n",
        ],
    );
}

#[test]
fn tuples_have_neither_more_nor_fewer() {
    all((1i64, text("a")), &["*2\r\n:1\r\n+a\r\n"]);
    // What a newer server adds is not lost without a word.
    assert_eq!(
        error::<(i64, Bytes)>("*3\r\n:1\r\n+a\r\n+new\r\n"),
        "expected an array of 2, found an array of 3"
    );
    assert!(error::<Vec<(Bytes, Bytes)>>("*1\r\n*3\r\n+a\r\n+b\r\n+c\r\n").contains("two"));
    all((1i64,), &["*1\r\n:1\r\n"]);
    all(
        (1, 2, 3, 4, 5, 6, 7),
        &["*7\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n"],
    );
    assert_eq!(
        error::<(i64, i64, i64)>("*2\r\n:1\r\n:2\r\n"),
        "expected an array of 3, found an array of 2"
    );
    assert_eq!(
        error::<(i64, (i64, bool))>("*2\r\n:1\r\n*2\r\n:2\r\n:3\r\n"),
        "expected a boolean, found an integer at element 1, element 1"
    );
}

#[test]
fn pages_of_a_scan() {
    all(
        ScanPage {
            cursor: 17,
            items: vec![text("a")],
        },
        &[
            "*2\r\n$2\r\n17\r\n*1\r\n$1\r\na\r\n",
            "*2\r\n:17\r\n~1\r\n$1\r\na\r\n",
        ],
    );
    all(
        ScanPage {
            cursor: u64::MAX,
            items: vec![(text("f"), text("v"))],
        },
        &[
            "*2\r\n$20\r\n18446744073709551615\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n",
            "*2\r\n$20\r\n18446744073709551615\r\n*1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n",
            "*2\r\n$20\r\n18446744073709551615\r\n%1\r\n$1\r\nf\r\n$1\r\nv\r\n",
        ],
    );
    assert!(error::<ScanPage<Vec<Bytes>>>("*1\r\n$1\r\n0\r\n").contains("an array of 2"));
}

#[test]
fn entries_of_streams() {
    let entry = |id, fields: &[(&'static str, &'static str)]| {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect();
        (text(id), fields)
    };
    let forms = [
        // The second was deleted, but is still pending.
        "*2\r\n*2\r\n$3\r\n1-0\r\n*4\r\n$1\r\nf\r\n$1\r\n1\r\n$1\r\nf\r\n$1\r\n2\r\n*2\r\n$3\r\n2-0\r\n*-1\r\n",
        "*2\r\n*2\r\n$3\r\n1-0\r\n*4\r\n$1\r\nf\r\n$1\r\n1\r\n$1\r\nf\r\n$1\r\n2\r\n*2\r\n$3\r\n2-0\r\n_\r\n",
        // Claiming on Redis before 7.0 answers nil in the place of one that is gone.
        "*3\r\n*2\r\n$3\r\n1-0\r\n*4\r\n$1\r\nf\r\n$1\r\n1\r\n$1\r\nf\r\n$1\r\n2\r\n$-1\r\n*2\r\n$3\r\n2-0\r\n*-1\r\n",
    ];
    for form in forms {
        let entries = <Vec<StreamEntry>>::decode(frame(form).reply()).unwrap();
        let found: Vec<_> = entries
            .iter()
            .map(|e| (e.id.clone(), e.fields.clone()))
            .collect();
        assert_eq!(
            found,
            [entry("1-0", &[("f", "1"), ("f", "2")]), entry("2-0", &[])]
        );
        assert_eq!(entries[0].get("f"), Some(&text("1")));
        assert_eq!(entries[0].get("g"), None);
        assert!(!entries[0].is_deleted());
        assert!(entries[1].is_deleted());
    }
    // `XREAD`: an array of pairs, or a map.
    type Streams = Option<Vec<(Bytes, Vec<StreamEntry>)>>;
    for form in [
        "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\n1\r\n",
        "%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\n1\r\n",
    ] {
        let streams = Streams::decode(frame(form).reply()).unwrap().unwrap();
        assert_eq!(streams[0].0, "s");
        assert_eq!(streams[0].1[0].get("f"), Some(&text("1")));
    }
    all(
        None::<Vec<(Bytes, Vec<StreamEntry>)>>,
        &["*-1\r\n", "_\r\n"],
    );
    assert!(error::<Vec<StreamEntry>>("*1\r\n*1\r\n$3\r\n1-0\r\n").ends_with(" at element 0"));
}

#[test]
fn one_or_many() {
    all(OneOrMany::One(Some(3i64)), &[":3\r\n"]);
    all(OneOrMany::One(None::<i64>), &["$-1\r\n", "_\r\n"]);
    all(
        OneOrMany::Many(vec![Some(3i64), None]),
        &["*2\r\n:3\r\n$-1\r\n", "*2\r\n:3\r\n_\r\n"],
    );
    all(OneOrMany::One(vec![text("a")]), &["*1\r\n$1\r\na\r\n"]);
    all(
        OneOrMany::Many(vec![vec![text("a")]]),
        &["*1\r\n*1\r\n$1\r\na\r\n"],
    );
    assert_eq!(OneOrMany::One(1).into_vec(), [1]);
    assert_eq!(OneOrMany::Many(vec![1, 2]).into_vec(), [1, 2]);
}

#[test]
fn errors_in_the_place_of_elements() {
    for form in [
        "*3\r\n:1\r\n-ERR full\r\n:0\r\n",
        "*3\r\n#t\r\n!8\r\nERR full\r\n#f\r\n",
    ] {
        let list = <Vec<Result<bool, Error>>>::decode(frame(form).reply()).unwrap();
        assert!(list[0].as_ref().unwrap());
        let error = list[1].as_ref().unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Server, Some("ERR"))
        );
        assert!(!list[2].as_ref().unwrap());
    }
    assert_eq!(
        error::<Vec<i64>>("*2\r\n:1\r\n-ERR full\r\n"),
        "expected an integer of type i64, found an error (ERR full) at element 1"
    );
    assert!(error::<Option<i64>>("-ERR no\r\n").contains("(ERR no)"));
}

#[test]
fn errors_tell_no_values() {
    for error in [
        error::<Vec<i64>>("*1\r\n$6\r\nsecret\r\n"),
        error::<HashMap<Bytes, bool>>("*2\r\n$6\r\nsecret\r\n$6\r\nsecret\r\n"),
        error::<(i64, i64)>("$6\r\nsecret\r\n"),
        error::<()>("$6\r\nsecret\r\n"),
        error::<String>("*1\r\n$6\r\nsecret\r\n"),
    ] {
        assert!(!error.contains("secret"), "{error}");
    }
}

/// A frame as a connection makes it: split off from a larger buffer.
fn received(bytes: &[u8], shared: bool) -> Frame {
    let mut buffer = BytesMut::with_capacity(bytes.len() * 8);
    buffer.extend_from_slice(bytes);
    buffer.extend_from_slice(b"+next\r\n");
    let length = Scanner::new(Limits::default())
        .scan(&buffer)
        .unwrap()
        .unwrap();
    Frame::new(buffer.split_to(length).freeze(), shared)
}

fn lies_in(value: &[u8], frame: &Frame) -> bool {
    frame.as_bytes().as_ptr_range().contains(&value.as_ptr())
}

#[test]
fn values_are_slices_of_a_frame_of_their_own() {
    let one = received(b"$5\r\nhello\r\n", false);
    assert!(lies_in(&Bytes::decode(one.reply()).unwrap(), &one));
    let list = received(b"*2\r\n$5\r\nhello\r\n+x\r\n", false);
    for value in <Vec<Bytes>>::decode(list.reply()).unwrap() {
        assert!(lies_in(&value, &list));
    }
    // What it holds on to is the frame.
    let kept = <Vec<Bytes>>::decode(list.reply()).unwrap().swap_remove(0);
    drop(list);
    assert_eq!(kept, "hello");
}

#[test]
fn values_of_a_shared_frame_do_not_keep_its_buffer() {
    for bytes in [
        &b"$5\r\nhello\r\n"[..],
        b"|1\r\n+a\r\n+b\r\n$5\r\nhello\r\n",
    ] {
        let one = received(bytes, true);
        let value = Bytes::decode(one.reply()).unwrap();
        assert_eq!(value, "hello");
        assert!(!lies_in(&value, &one));
    }
    let list = received(b"*2\r\n$5\r\nhello\r\n$5\r\nworld\r\n", true);
    let values = <Vec<Bytes>>::decode(list.reply()).unwrap();
    assert_eq!(values, ["hello", "world"]);
    assert!(values.iter().all(|value| !lies_in(value, &list)));
    // One copy of the frame for all: the second lies as far behind the first as on the wire.
    assert_eq!(
        values[0].as_ptr() as usize + 11,
        values[1].as_ptr() as usize
    );
    // What is taken later is of the same copy.
    let again = <Vec<Bytes>>::decode(list.reply()).unwrap();
    assert_eq!(again[0].as_ptr(), values[0].as_ptr());
}

#[test]
fn a_list_of_byte_strings_takes_one_allocation() {
    let bytes = format!("*1000\r\n{}", "$10\r\n0123456789\r\n".repeat(1000));
    let frame = received(bytes.as_bytes(), false);
    let mut lists = Vec::with_capacity(2);
    let native = measure(|| lists.push(<Vec<Bytes>>::decode(frame.reply()).unwrap()));
    assert_eq!(native.count_total, 1, "{native:?}");
    let asked = measure(|| lists.push(FromReply::from_reply(frame.reply()).unwrap()));
    assert_eq!(asked.count_total, 1, "{asked:?}");
    assert_eq!(lists[0].len(), 1000);
    assert_eq!(lists[0], lists[1]);
    // Lists of pairs and of what may be nil are no different.
    let memory = measure(|| {
        assert!(<Vec<(Bytes, Bytes)>>::decode(frame.reply()).is_ok());
    });
    assert_eq!(memory.count_total, 1, "{memory:?}");
    let memory = measure(|| {
        assert!(<Vec<Option<Bytes>>>::from_reply(frame.reply()).is_ok());
    });
    assert_eq!(memory.count_total, 1, "{memory:?}");
    // In a receive buffer that others use, the frame is copied once, to let go of the rest.
    let frame = received(bytes.as_bytes(), true);
    let memory = measure(|| {
        assert!(<Vec<Bytes>>::decode(frame.reply()).is_ok());
        assert!(<Vec<Bytes>>::decode(frame.reply()).is_ok());
    });
    assert!(memory.count_total <= 5, "{memory:?}");
}

#[test]
fn looking_at_a_frame_takes_no_allocation() {
    let frame = received(b"%1\r\n$1\r\nk\r\n*2\r\n:1\r\n,2.5\r\n", false);
    let memory = measure(|| {
        for element in frame.reply().elements().unwrap() {
            assert!(element.bytes().is_some() || element.len() == 2);
        }
        assert_eq!(frame.nested_pushes().count(), 0);
        let number = frame.reply().elements().unwrap().last().unwrap();
        assert_eq!(<(i64, f64)>::decode(number).unwrap(), (1, 2.5));
    });
    assert_eq!(memory.count_total, 0);
}

#[test]
fn numbers_beyond_the_signed_ones_are_read_from_both_protocols() {
    // An index of an array, as `ARLEN` answers it.
    all(
        u64::MAX,
        &[
            "$20\r\n18446744073709551615\r\n",
            "(18446744073709551615\r\n",
        ],
    );
    all(
        vec![u64::MAX, 1],
        &[
            "*2\r\n$20\r\n18446744073709551615\r\n:1\r\n",
            "*2\r\n(18446744073709551615\r\n:1\r\n",
        ],
    );
    all(
        vec![(u64::MAX, text("v"))],
        &[
            "*1\r\n*2\r\n$20\r\n18446744073709551615\r\n$1\r\nv\r\n",
            "*1\r\n*2\r\n(18446744073709551615\r\n$1\r\nv\r\n",
        ],
    );
}

#[test]
fn an_entry_that_a_consumer_has_given_back_is_pending() {
    let entries: Vec<PendingEntry> = decoded(
        "*2\r\n*4\r\n$3\r\n1-1\r\n$0\r\n\r\n:-1\r\n:1\r\n*4\r\n$3\r\n1-2\r\n$1\r\nc\r\n:7\r\n:2\r\n",
    );
    assert_eq!((entries[0].idle, entries[0].deliveries), (-1, 1));
    assert_eq!(entries[0].consumer, Bytes::new());
    assert_eq!(entries[1].idle, 7);
}

#[test]
fn entries_that_are_claimed_tell_how_often_they_were_delivered() {
    let entries: Vec<StreamEntry> = decoded(
        "*2\r\n*4\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n:5\r\n:2\r\n*2\r\n$3\r\n1-2\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n",
    );
    assert_eq!((entries[0].idle, entries[0].deliveries), (Some(5), Some(2)));
    assert_eq!((entries[1].idle, entries[1].deliveries), (None, None));
    let more: StreamEntry =
        decoded("*5\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n:5\r\n:2\r\n+new\r\n");
    assert_eq!(more.rest, [Value::SimpleString("new".into())]);
}

#[test]
fn times_have_their_words() {
    all(Expiration::Missing, &[":-2\r\n"]);
    all(Expiration::Never, &[":-1\r\n"]);
    all(Expiration::Some(0), &[":0\r\n"]);
    assert!(error::<Expiration>(":-3\r\n").contains("-2, -1 or a time"));
    all(
        ServerTime(Duration::new(1_700_000_000, 5_000)),
        &["*2\r\n$10\r\n1700000000\r\n$1\r\n5\r\n"],
    );
    assert!(error::<ServerTime>("*2\r\n$1\r\n1\r\n$7\r\n1000000\r\n").contains("in a second"));
}

#[test]
fn one_odd_byte_does_not_fail_a_report() {
    let odd = frame(b"$2\r\na\xff\r\n");
    assert_eq!(String::decode(odd.reply()).unwrap(), "a\u{fffd}");
    let odd = frame(b"$24\r\n# Errorstats\r\nodd \xff line\r\n");
    let info = ServerInfo::decode(odd.reply()).unwrap();
    assert_eq!(info.sections().count(), 1);
    assert!(ServerInfo::from_text(b"no such thing").is_err());
    assert!(ServerInfo::from_text(b"").is_ok());
}
