//! What a hostile peer may send: it is refused in time, with little memory and no stack, or it is
//! read as what it is.

use std::thread;

use allocation_counter::measure;
use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use respec::{
    Error, ErrorKind, Value,
    reply::{Decode, FromReply},
    resp::{Frame, Limits, ProtocolError, Scanner},
};

use crate::support::{frame, scan_pieces};

fn refused(limits: Limits, bytes: &[u8]) -> ProtocolError {
    match Scanner::new(limits).scan(bytes) {
        Err(error) => error,
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

/// Bytes that no server sends, and what the error begins with.
const REFUSED: &[(&[u8], &str)] = &[
    // Lengths beyond the limit, or beyond 64 bits.
    (
        b"$9223372036854775807\r\n",
        "expected a string of at most 536870912 bytes",
    ),
    (
        b"$18446744073709551615\r\n",
        "expected a string of at most 536870912 bytes",
    ),
    (b"$18446744073709551616\r\n", "expected a length of 64 bits"),
    (b"$99999999999999999999\r\n", "expected a length of 64 bits"),
    (b"$000000000000000000001", "expected a length of 64 bits"),
    (
        b"$536870913\r\n",
        "expected a string of at most 536870912 bytes",
    ),
    (
        b"!536870913\r\n",
        "expected a string of at most 536870912 bytes",
    ),
    (
        b"=536870913\r\n",
        "expected a string of at most 536870912 bytes",
    ),
    (
        b"=9223372036854775807\r\ntxt:",
        "expected a string of at most 536870912 bytes",
    ),
    (
        b"*4294967295\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"*9223372036854775807\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"*18446744073709551615\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (b"*18446744073709551616\r\n", "expected a length of 64 bits"),
    (
        b"*357913941\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"~4294967295\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"~9223372036854775807\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b">4294967295\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b">9223372036854775807\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"%2147483648\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"%4611686018427387904\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"%9223372036854775808\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"%18446744073709551615\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"|4611686018427387904\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"|18446744073709551615\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"*2\r\n:1\r\n*4294967295\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"*300000000\r\n*300000000\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"*1\r\n|300000000\r\n*300000000\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    (
        b"*1\r\n>300000000\r\n*300000000\r\n",
        "expected a frame of at most 1073741824 bytes",
    ),
    // Negative lengths.
    (b"$-2\r\n", "expected no negative length but -1, found '2'"),
    (b"*-2\r\n", "expected no negative length but -1, found '2'"),
    (b"$-0\r\n", "expected no negative length but -1, found '0'"),
    (b"$-10\r\n", "expected no negative length but -1, found '0'"),
    (b"$-1\n", "expected no negative length but -1, found '\\n'"),
    (
        b"$-9223372036854775808\r\n",
        "expected no negative length but -1, found '9'",
    ),
    (b"$--1\r\n", "expected no negative length but -1, found '-'"),
    (b"%-1\r\n", "expected a digit of a length, found '-'"),
    (b"~-1\r\n", "expected a digit of a length, found '-'"),
    (b">-1\r\n", "expected a digit of a length, found '-'"),
    (b"|-1\r\n", "expected a digit of a length, found '-'"),
    (b"!-1\r\n", "expected a digit of a length, found '-'"),
    (b"=-1\r\n", "expected a digit of a length, found '-'"),
    // What is no length.
    (
        b"$+5\r\nhello\r\n",
        "expected a digit of a length, found '+'",
    ),
    (b"*+1\r\n", "expected a digit of a length, found '+'"),
    (b"$\r\n", "expected a digit of a length, found '\\r'"),
    (b"*\r\n", "expected a digit of a length, found '\\r'"),
    (b"$ 5\r\n", "expected a digit of a length, found ' '"),
    (b"$5 \r\n", "expected a digit of a length, found ' '"),
    (b"$0x5\r\n", "expected a digit of a length, found 'x'"),
    (b"$5.0\r\n", "expected a digit of a length, found '.'"),
    (
        b"$\xd9\xa3\r\n",
        "expected a digit of a length, found '\\xd9'",
    ),
    (b"*1e9\r\n", "expected a digit of a length, found 'e'"),
    // Wrong ends of lines.
    (b"$5\nhello\n", "expected a digit of a length, found '\\n'"),
    (b"$5\rhello", "expected a line feed, found 'h'"),
    (b"$5\r\r\nhello\r\n", "expected a line feed, found '\\r'"),
    (
        b"$3\r\nfoobar",
        "expected a carriage return after a string, found 'b'",
    ),
    (
        b"$3\r\nfoo\n\n",
        "expected a carriage return after a string, found '\\n'",
    ),
    (
        b"$3\r\nfoo\rx",
        "expected a line feed after a string, found 'x'",
    ),
    (
        b"$0\r\nx\r",
        "expected a carriage return after a string, found 'x'",
    ),
    (b"$-1\rx", "expected no negative length but -1, found 'x'"),
    (b":1\n", "expected a carriage return, found '\\n'"),
    (b":1\rx", "expected a line feed, found 'x'"),
    (b"#t\n", "expected a carriage return, found '\\n'"),
    (b"#true\r\n", "expected a carriage return, found 'r'"),
    (b"_\n", "expected a carriage return, found '\\n'"),
    (b"_x\r\n", "expected a carriage return, found 'x'"),
    (b"(12\n", "expected a carriage return, found '\\n'"),
    // Malformed scalars.
    (b":\r\n", "expected a digit of an integer, found '\\r'"),
    (b":-\r\n", "expected a digit of an integer, found '\\r'"),
    (b":+-1\r\n", "expected a digit of an integer, found '-'"),
    (b":1.5\r\n", "expected a carriage return, found '.'"),
    (
        b":9223372036854775808\r\n",
        "expected an integer of 64 bits",
    ),
    (
        b":-9223372036854775809\r\n",
        "expected an integer of 64 bits",
    ),
    (
        b":000000000000000000000000000001\r\n",
        "expected a number of 64 bits",
    ),
    (b"#\r\n", "expected t or f, found '\\r'"),
    (b"#1\r\n", "expected t or f, found '1'"),
    (b",\r\n", "expected the text of a double"),
    (b",.\r\n", "expected the text of a double"),
    (b",1e\r\n", "expected the text of a double"),
    (b",1e+\r\n", "expected the text of a double"),
    (b",infinity\r\n", "expected the text of a double"),
    (b",1,5\r\n", "expected the text of a double"),
    (b",0x1p3\r\n", "expected the text of a double"),
    (b",--1\r\n", "expected the text of a double"),
    (b"(\r\n", "expected a digit of a big number, found '\\r'"),
    (b"(-\r\n", "expected a digit of a big number, found '\\r'"),
    (b"(1.0\r\n", "expected a carriage return, found '.'"),
    (
        b"=3\r\ntxt\r\n",
        "expected a verbatim string of at least 4 bytes, found one of 3",
    ),
    (
        b"=0\r\n\r\n",
        "expected a verbatim string of at least 4 bytes, found one of 0",
    ),
    (
        b"=5\r\ntxtab\r\n",
        "expected the colon of a verbatim string, found 'a'",
    ),
    // Streamed types, and what is no type.
    (
        b"$?\r\n;4\r\nabcd\r\n;0\r\n",
        "expected a length, found the streamed type '$?'",
    ),
    (
        b"*?\r\n:1\r\n.\r\n",
        "expected a length, found the streamed type '*?'",
    ),
    (b"%?\r\n", "expected a length, found the streamed type '%?'"),
    (b"~?\r\n", "expected a length, found the streamed type '~?'"),
    (b";4\r\nabcd\r\n", "expected a RESP type, found ';'"),
    (b".\r\n", "expected a RESP type, found '.'"),
    (
        b"HTTP/1.1 400 Bad Request\r\n",
        "expected a RESP type, found 'H'",
    ),
    (
        b"\x15\x03\x01\x00\x02\x02\x46",
        "expected a RESP type, found '\\x15'",
    ),
    (b"\r\n", "expected a RESP type, found '\\r'"),
    (b"\0", "expected a RESP type, found '\\x00'"),
    (b"\xff", "expected a RESP type, found '\\xff'"),
];

#[test]
fn malformed_bytes_are_refused_with_a_reason_and_little_memory() {
    assert!(REFUSED.len() >= 60);
    for (bytes, expected) in REFUSED {
        assert!(bytes.len() <= 64);
        for prefix in [
            &b""[..],
            b"*2\r\n",
            b"%1\r\n+k\r\n",
            b"|1\r\n",
            b"*1\r\n>1\r\n",
        ] {
            let bytes = [prefix, *bytes].concat();
            let mut text = String::new();
            let memory = measure(|| {
                let error = refused(Limits::default(), &bytes);
                assert!(error.offset() >= prefix.len() && error.offset() < bytes.len() + 1);
                text = error.to_string();
            });
            assert!(
                memory.bytes_max <= 4096,
                "{}: {memory:?}",
                bytes.escape_ascii()
            );
            // A frame that is too large may be so because of the prefix.
            let expected = match expected.strip_prefix("expected a string") {
                Some(_) | None if text.starts_with(expected) => expected,
                _ => panic!("{}: {text}", bytes.escape_ascii()),
            };
            assert!(text.contains(" at byte "), "{expected}");
        }
    }
}

#[test]
fn no_header_makes_anything_reserve_memory() {
    // All that is well-formed and announces much stays incomplete without memory for what is announced.
    for kind in ["$", "!", "=", "*", "~", ">", "%", "|"] {
        for length in [
            1_000_000u64,
            100_000_000,
            178_000_000,
            357_000_000,
            536_870_912,
        ] {
            let bytes = format!("{kind}{length}\r\n");
            let memory = measure(|| {
                let mut scanner = Scanner::new(Limits::default());
                let scanned = scanner.scan(bytes.as_bytes());
                assert!(!matches!(scanned, Ok(Some(_))), "{bytes}");
            });
            assert!(memory.bytes_max <= 4096, "{bytes}: {memory:?}");
        }
    }
}

#[test]
fn a_line_without_an_end_is_refused_at_the_limit() {
    let limits = Limits::default().with_bulk(1 << 16).with_frame(1 << 20);
    for kind in *b"+-(" {
        let mut line = vec![b'7'; 1 << 20];
        line[0] = kind;
        let mut scanner = Scanner::new(limits);
        let end = (0..line.len()).find(|&end| scanner.scan(&line[..end]).is_err());
        assert_eq!(end, Some((1 << 16) + 2));
        let error = refused(limits, &line);
        assert!(
            error
                .to_string()
                .starts_with("expected a string of at most 65536 bytes")
        );
        // The limit of the frame counts where it is lower.
        let error = refused(Limits::default().with_frame(1 << 10), &line);
        assert!(
            error
                .to_string()
                .starts_with("expected a frame of at most 1024 bytes"),
            "{error}"
        );
        // Exactly the limit is fine.
        line.truncate((1 << 16) + 1);
        line.extend_from_slice(b"\r\n");
        assert_eq!(Scanner::new(limits).scan(&line), Ok(Some(line.len())));
    }
    let double = [&b","[..], &[b'1'; 6000]].concat();
    assert!(
        refused(limits, &double)
            .to_string()
            .starts_with("expected a number")
    );
}

#[test]
fn limits_are_configurable() {
    let limits = Limits::default().with_bulk(3).with_frame(29).with_depth(2);
    let scan = |bytes: &[u8]| Scanner::new(limits).scan(bytes);
    assert_eq!(scan(b"$3\r\nfoo\r\n"), Ok(Some(9)));
    assert!(scan(b"$4\r\n").is_err());
    assert_eq!(scan(b"*1\r\n*1\r\n:1\r\n"), Ok(Some(12)));
    assert_eq!(scan(b"*1\r\n*0\r\n"), Ok(Some(8)));
    assert!(scan(b"*1\r\n*1\r\n*0\r\n").is_err());
    assert_eq!(
        scan(b"*3\r\n$3\r\nfoo\r\n:1\r\n$3\r\nbar\r\n:1\r\n"),
        Ok(Some(26))
    );
    assert!(scan(b"*4\r\n$3\r\nfoo\r\n:1\r\n$3\r\nbar\r\n:1\r\n").is_err());
    assert!(scan(b"*9\r\n").is_err());
    let none = Limits::default().with_depth(0);
    assert_eq!(Scanner::new(none).scan(b":1\r\n"), Ok(Some(4)));
    assert!(Scanner::new(none).scan(b"*0\r\n").is_err());
    // The whole frame counts, not just its values: attributes could go on for ever.
    let attributes = b"|0\r\n".repeat(10);
    let error = refused(limits, &attributes).to_string();
    assert!(
        error.starts_with("expected a frame of at most 29 bytes"),
        "{error}"
    );
}

/// Openings of every aggregate type, each with one place for a value inside.
const OPENINGS: &[&str] = &[
    "*1\r\n",
    "*2\r\n",
    "*2\r\n:1\r\n",
    "~1\r\n",
    ">1\r\n",
    "%1\r\n",
    "%1\r\n+k\r\n",
    "|1\r\n",
    "|1\r\n+k\r\n",
    "*1\r\n>1\r\n",
    "*1\r\n|1\r\n",
    "*1\r\n~1\r\n%1\r\n>1\r\n|1\r\n",
    "|1\r\n:1\r\n:2\r\n*1\r\n",
    "*3\r\n$-1\r\n*0\r\n",
];

/// Runs on a thread with little stack; a test fails when that overflows.
fn with_small_stack(size: usize, run: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(size);
    thread.spawn(run).unwrap().join().unwrap();
}

#[test]
fn depth_bombs_are_refused_at_the_limit() {
    with_small_stack(128 << 10, || {
        for opening in OPENINGS {
            let bomb = opening.repeat(200);
            let memory = measure(|| {
                let error = refused(Limits::default(), bomb.as_bytes()).to_string();
                assert!(
                    error.starts_with("expected at most 128 levels of nesting, found more"),
                    "{error}"
                );
            });
            assert!(memory.bytes_max < 1 << 16, "{memory:?}");
        }
        // However much there is of it, and in whatever pieces it comes.
        let bomb = "*1\r\n".repeat(10_000_000);
        assert_eq!(
            refused(Limits::default(), bomb.as_bytes()).offset(),
            128 * 4
        );
        let (lengths, error) = scan_pieces(Limits::default(), bomb.as_bytes()[..4096].chunks(3));
        assert!(lengths.is_empty() && error.is_some());
    });
}

#[test]
fn many_levels_need_no_stack_where_they_are_allowed() {
    with_small_stack(128 << 10, || {
        let levels = 300_000;
        let limits = Limits::default().with_depth(levels);
        for opening in ["*1\r\n", "%1\r\n+k\r\n"] {
            let bomb = [opening.repeat(levels), ":1\r\n".into()].concat();
            let length = bomb.len();
            assert_eq!(Scanner::new(limits).scan(bomb.as_bytes()), Ok(Some(length)));
            assert!(
                Scanner::new(limits.with_depth(levels - 1))
                    .scan(bomb.as_bytes())
                    .is_err()
            );
            let frame = Frame::new(Bytes::from(bomb), false);
            let first = frame.reply().elements().unwrap().last().unwrap();
            assert_eq!(first.raw().len(), length - opening.len());
            assert_eq!(frame.nested_pushes().count(), 0);
            drop(frame.clone());
        }
        // Pushes and attributes inside of each other.
        for opening in ["*1\r\n>1\r\n", "*1\r\n|1\r\n:1\r\n"] {
            let levels = 50_000;
            let bomb = [opening.repeat(levels), ":1\r\n".repeat(levels + 1)].concat();
            let length = bomb.len();
            let mut scanner = Scanner::new(limits);
            assert_eq!(scanner.scan(bomb.as_bytes()), Ok(Some(length)));
            let frame = Frame::new(Bytes::from(bomb), false);
            assert_eq!(frame.reply().elements().unwrap().count(), 1);
            assert_eq!(frame.nested_pushes().count(), scanner.nested_pushes());
        }
    });
}

#[test]
fn values_as_deep_as_the_limit_are_decoded_and_dropped_on_a_worker_thread() {
    // Half of what threads have by default.
    with_small_stack(1 << 20, || {
        for opening in ["*1\r\n", "~1\r\n", "%1\r\n+k\r\n"] {
            let frame = frame([opening.repeat(128), ":1\r\n".into()].concat());
            let value = Value::from_reply(frame.reply()).unwrap();
            assert_eq!(value.clone(), value);
            assert!(format!("{value:?}").contains("Integer(1)"));
            let json: serde_json::Value = FromReply::from_reply(frame.reply()).unwrap();
            drop(json);
            let values: Result<Vec<Value>, _> = FromReply::from_reply(frame.reply());
            assert!(values.is_ok());
        }
    });
}

#[test]
fn many_sets_of_attributes_cost_one_pass() {
    let mut bytes = "|1\r\n+a\r\n:1\r\n".repeat(20_000);
    bytes.push_str("*20000\r\n");
    bytes.push_str(&"$1\r\nx\r\n".repeat(20_000));
    // Marked as shared, where every value that is taken asks for the kind of the frame.
    let frame = Frame::new(Bytes::from(bytes), true);
    let list: Vec<Bytes> = FromReply::from_reply(frame.reply()).unwrap();
    assert_eq!(list.len(), 20_000);
}

#[test]
fn text_that_is_no_utf_8_is_bytes_and_no_string_of_a_caller() {
    for bytes in [
        &b"+\xff\xfe\r\n"[..],
        b"$2\r\n\xc3\x28\r\n",
        b"=6\r\ntxt:\xed\xa0\r\n",
    ] {
        let frame = frame(bytes);
        assert!(Bytes::decode(frame.reply()).is_ok());
        assert!(<Vec<u8>>::from_reply(frame.reply()).is_ok());
        assert!(Value::from_reply(frame.reply()).unwrap().as_str().is_none());
        let error = String::from_reply(frame.reply()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected UTF-8, found bytes that are none from byte 0 on"
        );
        // A report that servers write stays readable.
        assert!(String::decode(frame.reply()).unwrap().contains('\u{fffd}'));
        assert!(char::from_reply(frame.reply()).is_err());
        assert!(i64::from_reply(frame.reply()).is_err());
        assert!(f64::from_reply(frame.reply()).is_err());
        // Other formats get the bytes.
        assert!(serde_json::to_string(&Value::from_reply(frame.reply()).unwrap()).is_ok());
    }
    let error = frame(b"-ERR \xff\r\n");
    assert!(
        String::decode(error.reply())
            .unwrap_err()
            .to_string()
            .contains("ERR \u{fffd}")
    );
}

#[test]
fn duplicate_keys_are_kept_where_a_type_can_and_the_last_counts_elsewhere() {
    let frame = frame(b"%2\r\n+k\r\n:1\r\n+k\r\n:2\r\n");
    let pairs: Vec<(String, i64)> = FromReply::from_reply(frame.reply()).unwrap();
    assert_eq!(pairs, [("k".to_owned(), 1), ("k".to_owned(), 2)]);
    let map: std::collections::HashMap<String, i64> = FromReply::from_reply(frame.reply()).unwrap();
    assert_eq!(map.into_iter().collect::<Vec<_>>(), [("k".to_owned(), 2)]);
    #[derive(Debug, serde::Deserialize)]
    struct One {
        #[expect(dead_code, reason = "decoding fails")]
        k: i64,
    }
    let error = One::from_reply(frame.reply()).unwrap_err();
    assert_eq!(error.to_string(), "expected one field `k`, found two");
}

#[test]
fn a_fault_is_an_error_of_the_protocol() {
    let error = Error::from(refused(Limits::default(), b"*1\r\n$x"));
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.is_connection());
    assert_eq!(
        error.to_string(),
        "protocol error: expected a digit of a length, found 'x' at byte 5 of the frame"
    );
}

#[test]
fn text_of_a_server_is_printed_in_bounds() {
    let text = format!("*1\r\n!2007\r\nERR a\r\n{}\r\n", "x".repeat(2000));
    let frame = frame(text);
    let error = <Vec<i64>>::decode(frame.reply()).unwrap_err().to_string();
    assert!(error.starts_with("expected an integer of type i64, found an error (ERR a\\r\\nxxx"));
    assert!(error.ends_with("xxx …) at element 0"));
    assert!(error.len() < 300);
}

#[test]
fn what_a_server_repeats_of_a_password_is_not_printed_where_a_value_was_expected() {
    let frame = frame("*1\r\n-ERR Error in ACL SETUSER modifier '<s3cret': it does not exist\r\n");
    let error = <Vec<i64>>::decode(frame.reply()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("modifier '***': it does not exist")
    );
    assert!(!format!("{error:?}").contains("s3cret"));
}

/// Every way in which a reply is looked at, none of which may panic.
fn look_at_all_of_it(frame: &Frame) {
    let reply = frame.reply();
    let _ = Value::from_reply(reply).map(|value| serde_json::to_string(&value).is_ok());
    let _ = serde_json::Value::from_reply(reply);
    let _ = <Vec<Value>>::from_reply(reply);
    let _ = <Vec<(Bytes, f64)>>::decode(reply);
    let _ = <std::collections::BTreeMap<String, Value>>::from_reply(reply);
    let _ = <Vec<respec::reply::StreamEntry>>::decode(reply);
    for push in frame.nested_pushes() {
        let _ = Value::from_reply(push);
    }
    let _ = reply.attributes().map(Iterator::count);
    let _ = crate::support::texts(reply);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_frames_never_panic(
        tree in crate::support::trees(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
    ) {
        let mut bytes = tree.encode(crate::support::Version::Three);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let mut scanner = Scanner::new(Limits::default());
        if let Ok(Some(length)) = scanner.scan(&bytes) {
            bytes.truncate(length);
            let frame = Frame::new(Bytes::from(bytes), false);
            look_at_all_of_it(&frame);
            prop_assert_eq!(frame.nested_pushes().count(), scanner.nested_pushes());
        }
    }

    #[test]
    fn other_bytes_never_panic(bytes in vec(any::<u8>(), 0..64)) {
        for kind in *b"$*%~>|=!:,(#_+-" {
            let bytes = [&[kind], &bytes[..]].concat();
            if let Ok(frame) = Frame::parse(Bytes::from(bytes)) {
                look_at_all_of_it(&frame);
            }
        }
    }

    /// Views of bytes that no scanner has approved show something or nothing.
    #[test]
    fn views_of_any_bytes_never_panic(bytes in vec(
        prop_oneof![any::<u8>(), prop::sample::select(b"*$:+-%|>~_#,(!=0129\r\n".as_slice())],
        0..60,
    )) {
        let frame = Frame::new(bytes.into(), true);
        view(frame.reply());
        frame.nested_pushes().take(100).for_each(view);
    }
}

/// Asks a view everything, and its elements as well.
fn view(reply: respec::resp::Reply<'_>) {
    let _ = (
        reply.kind(),
        reply.is_nil(),
        reply.as_error(),
        reply.bytes(),
        reply.take_bytes(),
    );
    let _ = (
        reply.integer(),
        reply.double(),
        reply.boolean(),
        reply.len(),
        reply.raw(),
    );
    let _ = reply
        .attributes()
        .map(|attributes| attributes.take(100).count());
    for element in reply.elements().into_iter().flatten().take(100) {
        let _ = (element.kind(), element.bytes(), element.raw());
    }
}
