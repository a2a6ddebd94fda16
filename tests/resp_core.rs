//! The RESP core on generated frames: pieces, nesting, limits, ownership, and both ways of the bytes.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use respec::resp::{Frame, Kind, Limits, Reply, Scanner, Writer};

/// A value to be written as RESP.
#[derive(Clone, Debug)]
enum Node {
    Raw(&'static [u8]),
    Bulk(Vec<u8>),
    Integer(i64),
    Aggregate(u8, Vec<Node>),
    /// An attribute or a push in front of a value.
    Before(u8, Vec<Node>, Box<Node>),
}

impl Node {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Raw(bytes) => out.extend_from_slice(bytes),
            Self::Bulk(bytes) => {
                out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Self::Integer(integer) => out.extend_from_slice(format!(":{integer}\r\n").as_bytes()),
            Self::Aggregate(tag, nodes) => write_all(*tag, nodes, out),
            Self::Before(tag, nodes, node) => {
                write_all(*tag, nodes, out);
                node.write(out);
            }
        }
    }

    /// Compares a view with what it was made of, without looking at what comes before it.
    fn check(&self, reply: Reply<'_>) {
        match self {
            Self::Raw(bytes) => assert_eq!(reply.raw(), *bytes),
            Self::Bulk(bytes) => assert_eq!(reply.bytes(), Some(&bytes[..])),
            Self::Integer(integer) => assert_eq!(reply.integer(), Some(*integer)),
            Self::Aggregate(_, nodes) => {
                let elements = reply.elements().expect("an aggregate");
                assert_eq!(elements.len(), nodes.len());
                assert_eq!(elements.count(), nodes.len());
                for (node, element) in nodes.iter().zip(reply.elements().expect("an aggregate")) {
                    node.check(element);
                }
            }
            Self::Before(_, _, node) => node.check(reply),
        }
    }
}

fn write_all(tag: u8, nodes: &[Node], out: &mut Vec<u8>) {
    let count = if matches!(tag, b'%' | b'|') {
        nodes.len() / 2
    } else {
        nodes.len()
    };
    out.extend_from_slice(format!("{}{count}\r\n", tag as char).as_bytes());
    nodes.iter().for_each(|node| node.write(out));
}

const SCALARS: &[&[u8]] = &[
    b"+OK\r\n",
    b"+\r\n",
    b"+a\rb\nc\r\n",
    b"-ERR no\r\n",
    b"$-1\r\n",
    b"*-1\r\n",
    b"_\r\n",
    b"#t\r\n",
    b"#f\r\n",
    b",1.5\r\n",
    b",inf\r\n",
    b",-inf\r\n",
    b",nan\r\n",
    b",-1.e-7\r\n",
    b",.5E+3\r\n",
    b"(-3492890328409238509324850943850943825024385\r\n",
    b"!9\r\nERR a\r\nbc\r\n",
    b"=7\r\ntxt:a\r\n\r\n",
];

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        prop::sample::select(SCALARS).prop_map(Node::Raw),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Node::Bulk),
        any::<i64>().prop_map(Node::Integer),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let nodes = prop::collection::vec(inner.clone(), 0..6);
        let even = nodes.clone().prop_map(|mut nodes| {
            nodes.truncate(nodes.len() / 2 * 2);
            nodes
        });
        let list = (prop::sample::select(b"*~".as_slice()), nodes.clone());
        let before = (even.clone(), inner.clone());
        let push = (nodes, inner);
        prop_oneof![
            3 => list.prop_map(|(tag, nodes)| Node::Aggregate(tag, nodes)),
            1 => even.prop_map(|nodes| Node::Aggregate(b'%', nodes)),
            1 => before.prop_map(|(nodes, node)| Node::Before(b'|', nodes, Box::new(node))),
            // Inside another value a push is no element; an array around it makes sure of that.
            1 => push.prop_map(|(nodes, node)| {
                let after = Node::Before(b'>', nodes, Box::new(node));
                Node::Aggregate(b'*', vec![after])
            }),
        ]
    })
}

fn bytes_of(node: &Node) -> Vec<u8> {
    let mut out = Vec::new();
    node.write(&mut out);
    out
}

/// Scans `frame` as it grows to each of `ends` in turn and then as a whole.
fn scan_in_pieces(frame: &[u8], ends: &[usize]) -> Option<usize> {
    let mut scanner = Scanner::new(Limits::default());
    for &end in ends {
        assert_eq!(
            scanner.scan(&frame[..end]).expect("valid so far"),
            None,
            "at {end}"
        );
        assert!(scanner.at_least() > end && scanner.at_least() <= frame.len());
    }
    scanner.scan(frame).expect("valid")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_frame_is_the_same_in_two_pieces_and_byte_by_byte(node in node()) {
        let bytes = bytes_of(&node);
        for split in 0..bytes.len() {
            prop_assert_eq!(scan_in_pieces(&bytes, &[split]), Some(bytes.len()));
        }
        let all: Vec<usize> = (0..bytes.len()).collect();
        prop_assert_eq!(scan_in_pieces(&bytes, &all), Some(bytes.len()));
        // What follows is not looked at.
        let mut more = bytes.clone();
        more.extend_from_slice(b"\xffgarbage");
        prop_assert_eq!(scan_in_pieces(&more, &[]), Some(bytes.len()));
        let frame = Frame::parse(bytes.into()).expect("valid");
        node.check(frame.reply());
    }

    #[test]
    fn short_frames_are_the_same_in_three_pieces(node in node()) {
        let bytes = bytes_of(&node);
        if bytes.len() <= 64 {
            for first in 0..bytes.len() {
                for second in first..bytes.len() {
                    prop_assert_eq!(scan_in_pieces(&bytes, &[first, second]), Some(bytes.len()));
                }
            }
        }
    }

    #[test]
    fn damaged_frames_fail_or_wait_alike_in_pieces(
        node in node(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = bytes_of(&node);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let whole = Scanner::default().scan(&bytes);
        let mut scanner = Scanner::default();
        let mut pieces = Ok(None);
        for end in 0..=bytes.len() {
            pieces = scanner.scan(&bytes[..end]);
            if pieces != Ok(None) {
                break;
            }
        }
        prop_assert_eq!(&pieces, &whole);
        if let Ok(Some(length)) = whole {
            let frame = Frame::parse(Bytes::copy_from_slice(&bytes[..length])).expect("scanned");
            visit(frame.reply());
            frame.nested_pushes().for_each(visit);
        }
    }

    #[test]
    fn views_of_unscanned_bytes_do_not_panic(bytes in prop::collection::vec(
        prop_oneof![any::<u8>(), prop::sample::select(b"*$:+-%|>~_#,(!=0129\r\n".as_slice())], 0..60,
    )) {
        let frame = Frame::new(bytes.into(), true);
        visit(frame.reply());
        frame.nested_pushes().take(100).for_each(visit);
    }

    #[test]
    fn a_command_is_the_words_it_was_given(words in prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..300), 1..130,
    )) {
        let mut out = BytesMut::from(&b"before"[..]);
        let earlier = 1..2;
            let mut keys = Vec::from([earlier]);
        Writer::command_with_keys(&mut out, &mut keys, |writer| {
            words.iter().for_each(|word| writer.key(word));
        }).expect("a command");
        prop_assert_eq!(keys.remove(0), 1..2);
        prop_assert_eq!(keys.len(), words.len());
        for (key, word) in keys.into_iter().zip(&words) {
            prop_assert_eq!(&out[key], &word[..]);
        }
        let frame = Frame::parse(out.split_off(6).freeze()).expect("valid");
        let read: Vec<&[u8]> =
            frame.reply().elements().expect("an array").filter_map(|word| word.bytes()).collect();
        prop_assert_eq!(read, words);
        prop_assert_eq!(&out[..], b"before");
    }

    #[test]
    fn a_double_reads_back_equal(bits in any::<u64>()) {
        let double = f64::from_bits(bits);
        let text = word(|writer| writer.double(double));
        let back: f64 = text.parse().expect("a double");
        prop_assert!(back.to_bits() == bits || (back.is_nan() && double.is_nan()), "{text}");
        prop_assert!(text.len() <= 24);
    }
}

/// Looks at everything there is, which must not panic.
fn visit(reply: Reply<'_>) {
    let _ = (
        reply.bytes(),
        reply.take_bytes(),
        reply.double(),
        reply.integer(),
        reply.boolean(),
    );
    let _ = (reply.verbatim_format(), reply.as_error(), reply.is_empty());
    for element in reply.elements().into_iter().flatten().take(100) {
        let _ = (
            element.kind(),
            element.take_bytes(),
            element.raw().len(),
            element.len(),
        );
    }
    for attribute in reply.attributes().into_iter().flatten().take(100) {
        let _ = attribute.take_bytes();
    }
}

fn word(write: impl FnOnce(&mut Writer<'_>)) -> String {
    let mut out = BytesMut::new();
    Writer::command(&mut out, write).expect("a command");
    let frame = Frame::parse(out.freeze()).expect("valid");
    let word = frame
        .reply()
        .elements()
        .and_then(|mut words| words.next())
        .expect("a word");
    String::from_utf8(word.bytes().expect("text").to_vec()).expect("text")
}

#[test]
fn numbers_are_written_as_short_as_they_stay_legible() {
    let cases = [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (1e6, "1000000"),
        (1e300, "1e300"),
        (1e-7, "1e-7"),
        (0.001, "1e-3"),
        (0.25, "0.25"),
        (1.5e-9, "1.5e-9"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
        (9_007_199_254_740_991.0, "9007199254740991"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e308"),
        (0.1, "0.1"),
        (123.456, "123.456"),
    ];
    for (double, text) in cases {
        assert_eq!(word(|writer| writer.double(double)), text);
    }
    assert_eq!(
        word(|writer| writer.integer(i64::MIN)),
        "-9223372036854775808"
    );
    assert_eq!(
        word(|writer| writer.unsigned(u64::MAX)),
        "18446744073709551615"
    );
}

#[test]
fn a_command_that_is_not_finished_leaves_nothing_behind() {
    let mut out = BytesMut::from(&b"before"[..]);
    let mut keys = Vec::new();
    let empty = Writer::command_with_keys(&mut out, &mut keys, |_| {});
    assert_eq!(
        empty.expect_err("no word").kind(),
        respec::ErrorKind::Argument
    );
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = Writer::command_with_keys(&mut out, &mut keys, |writer| {
            writer.key(b"half");
            panic!("an argument that cannot be written");
        });
    }));
    assert!(panic.is_err());
    assert_eq!(&out[..], b"before");
    assert!(keys.is_empty());
    Writer::command(&mut out, |writer| {
        writer.encoded(b"$5\r\nXINFO\r\n$6\r\nSTREAM\r\n", 2);
        writer.word(b"s");
        assert_eq!(writer.words(), 3);
    })
    .expect("a command");
    assert_eq!(
        &out[..],
        b"before*3\r\n$5\r\nXINFO\r\n$6\r\nSTREAM\r\n$1\r\ns\r\n"
    );
}

#[test]
fn bytes_that_are_no_resp_say_why() {
    let cases: &[(&[u8], &str)] = &[
        (
            b"\x00",
            "expected a RESP type, found '\\x00' at byte 0 of the frame",
        ),
        (
            b"*1\r\nGET",
            "expected a RESP type, found 'G' at byte 4 of the frame",
        ),
        (
            b"$-2\r\n",
            "expected no negative length but -1, found '2' at byte 2 of the frame",
        ),
        (
            b"$3\r\nabcdef",
            "expected a carriage return after a string, found 'd' at byte 7 of the frame",
        ),
        (
            b"$?\r\n",
            "expected a length, found the streamed type '$?', which is unsupported at byte 0 of the frame",
        ),
        (
            b"*?\r\n",
            "expected a length, found the streamed type '*?', which is unsupported at byte 0 of the frame",
        ),
        (
            b"%?\r\n",
            "expected a length, found the streamed type '%?', which is unsupported at byte 0 of the frame",
        ),
        (
            b"~?\r\n",
            "expected a length, found the streamed type '~?', which is unsupported at byte 0 of the frame",
        ),
        (
            b";4\r\n",
            "expected a RESP type, found ';', a part of a streamed type, which is unsupported at byte 0 of the frame",
        ),
        (
            b".\r\n",
            "expected a RESP type, found '.', a part of a streamed type, which is unsupported at byte 0 of the frame",
        ),
        (
            b"$9223372036854775807\r\n",
            "expected a string of at most 536870912 bytes, found one of 9223372036854775807 at byte 0 of the frame",
        ),
        (
            b"#x\r\n",
            "expected t or f, found 'x' at byte 1 of the frame",
        ),
        (
            b":\r\n",
            "expected a digit of an integer, found '\\r' at byte 1 of the frame",
        ),
        (
            b"=3\r\nabc\r\n",
            "expected a verbatim string of at least 4 bytes, found one of 3 at byte 0 of the frame",
        ),
        (
            b"=5\r\nabcde\r\n",
            "expected the colon of a verbatim string, found 'd' at byte 7 of the frame",
        ),
    ];
    for (bytes, message) in cases {
        let error = Scanner::default().scan(bytes).expect_err("no RESP");
        assert_eq!(error.to_string(), *message);
        let error = respec::Error::from(error);
        assert_eq!(error.kind(), respec::ErrorKind::Protocol);
    }
    for bytes in [
        &b"%-1\r\n"[..],
        b"~-1\r\n",
        b">-1\r\n",
        b"|-1\r\n",
        b"=-1\r\n",
        b"!-1\r\n",
        b"*01x",
        b"$\r\n",
        b"*+1\r\n",
        b":9223372036854775808\r\n",
        b":-9223372036854775809\r\n",
        b":1.5\r\n",
        b":--1\r\n",
        b",\r\n",
        b",.\r\n",
        b",1e\r\n",
        b",0x1\r\n",
        b",1 \r\n",
        b"(\r\n",
        b"(-\r\n",
        b"(1a\r\n",
        b"_x",
        b"#t\rx",
        b"*4294967295\r\n",
        b"*9223372036854775807\r\n",
        b"%4611686018427387904\r\n",
        b"$536870913\r\n",
        b"%18446744073709551615\r\n",
        b"*18446744073709551616\r\n",
        b"|9223372036854775808\r\n",
        b">400000000\r\n",
        b"~400000000\r\n",
        b"*1000\r\n*357913900\r\n*1000\r\n",
        b"$00000000000000000000001\r\n",
    ] {
        assert!(
            Scanner::default().scan(bytes).is_err(),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn lines_without_end_are_refused_at_the_limit() {
    for tag in [b'+', b'-', b'('] {
        let limits = Limits::default().with_bulk(1000);
        let mut line = vec![b'1'; 1001];
        line[0] = tag;
        let mut scanner = Scanner::new(limits);
        assert_eq!(scanner.scan(&line), Ok(None));
        line.extend_from_slice(b"11");
        assert!(scanner.scan(&line).is_err());
    }
    let limits = Limits::default().with_frame(100);
    let mut scanner = Scanner::new(limits);
    assert!(scanner.scan(b"*2\r\n$80\r\n").is_ok());
    assert!(Scanner::new(limits).scan(b"*34\r\n").is_err());
    assert!(Scanner::new(limits).scan(b"$98\r\n").is_err());
}

#[test]
fn nesting_is_bounded_for_each_type_of_aggregate() {
    let bomb = |tags: &[&[u8]], levels: usize| -> Vec<u8> {
        tags.iter()
            .copied()
            .cycle()
            .take(levels)
            .flatten()
            .copied()
            .collect()
    };
    let on_a_small_stack = move || {
        let each: [&[&[u8]]; 6] = [
            &[b"*1\r\n"],
            &[b"%1\r\n"],
            &[b"~1\r\n"],
            &[b">1\r\n"],
            &[b"|1\r\n"],
            &[b"*1\r\n", b"%1\r\n", b"|1\r\n", b"~1\r\n", b">1\r\n"],
        ];
        for tags in each {
            let error = Scanner::default()
                .scan(&bomb(tags, 10_000_000))
                .expect_err("too deep");
            assert!(
                error
                    .to_string()
                    .starts_with("expected at most 128 levels of nesting")
            );
            assert_eq!(Scanner::default().scan(&bomb(tags, 128)), Ok(None));
        }
        let mut deepest = bomb(&[b"*1\r\n"], 128);
        deepest.extend_from_slice(b"_\r\n");
        let frame = Frame::parse(deepest.into()).expect("valid");
        let mut reply = frame.reply();
        while let Some(element) = reply.elements().and_then(|mut elements| elements.next()) {
            reply = element;
        }
        assert_eq!(reply.kind(), Kind::Null);
    };
    let thread = std::thread::Builder::new()
        .stack_size(128 << 10)
        .spawn(on_a_small_stack);
    thread.expect("a thread").join().expect("no overflow");
}

#[test]
fn pushes_inside_a_frame_are_no_elements_of_it() {
    let bytes = b"*2\r\n>3\r\n+message\r\n+ch\r\n+m\r\n:1\r\n>1\r\n+x\r\n_\r\n";
    let mut scanner = Scanner::default();
    assert_eq!(scanner.scan(bytes), Ok(Some(bytes.len())));
    assert_eq!(scanner.nested_pushes(), 2);
    let frame = Frame::parse(Bytes::from_static(bytes)).expect("valid");
    assert!(!frame.is_push());
    let kinds: Vec<Kind> = frame
        .reply()
        .elements()
        .expect("an array")
        .map(|e| e.kind())
        .collect();
    assert_eq!(kinds, [Kind::Integer, Kind::Null]);
    let pushes: Vec<&[u8]> = frame.nested_pushes().map(|push| push.raw()).collect();
    assert_eq!(
        pushes,
        [&b">3\r\n+message\r\n+ch\r\n+m\r\n"[..], b">1\r\n+x\r\n"]
    );
    assert_eq!(scanner.scan(b">1\r\n+x\r\n"), Ok(Some(8)));
    assert_eq!(scanner.nested_pushes(), 0);
    let push = Frame::parse(Bytes::from_static(b"|1\r\n+a\r\n+b\r\n>1\r\n+x\r\n")).expect("valid");
    assert!(push.is_push());
    assert_eq!(push.reply().attributes().map(|a| a.len()), Some(2));
    assert_eq!(push.nested_pushes().count(), 0);
}

#[test]
fn attributes_belong_to_the_value_behind_them() {
    let bytes = b"|1\r\n+ttl\r\n:9\r\n*2\r\n|1\r\n+x\r\n|1\r\n+y\r\n+z\r\n:3\r\n:1\r\n:2\r\n";
    let frame = Frame::parse(Bytes::from_static(bytes)).expect("valid");
    let reply = frame.reply();
    assert_eq!(reply.kind(), Kind::Array);
    assert_eq!(reply.raw().first(), Some(&b'*'));
    let attributes: Vec<&[u8]> = reply.attributes().expect("some").map(|a| a.raw()).collect();
    assert_eq!(attributes, [&b"+ttl\r\n"[..], b":9\r\n"]);
    let elements: Vec<Reply<'_>> = reply.elements().expect("an array").collect();
    let integers: Vec<_> = elements.iter().map(Reply::integer).collect();
    assert_eq!(integers, [Some(1), Some(2)]);
    assert_eq!(
        elements[0]
            .attributes()
            .and_then(|mut a| a.nth(1))
            .and_then(|a| a.integer()),
        Some(3)
    );
    assert!(elements[1].attributes().is_none());
    assert_eq!(
        Scanner::default().scan(b"|0\r\n|1\r\n+a\r\n+b\r\n"),
        Ok(None)
    );
}

#[test]
fn a_value_that_is_kept_does_not_keep_a_large_buffer() {
    let within = |buffer: &Bytes, value: &Bytes| buffer.as_ptr_range().contains(&value.as_ptr());
    let mut buffer = BytesMut::zeroed(1 << 20);
    buffer[..9].copy_from_slice(b"$3\r\nabc\r\n");
    buffer[9..27].copy_from_slice(b"*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    let buffer = buffer.freeze();
    let single = Frame::new(buffer.slice(..9), true);
    let value = single.reply().take_bytes().expect("text");
    assert_eq!((&value[..], within(&buffer, &value)), (&b"abc"[..], false));
    let list = Frame::new(buffer.slice(9..27), true);
    let values: Vec<Bytes> = list
        .reply()
        .elements()
        .expect("an array")
        .filter_map(|e| e.take_bytes())
        .collect();
    assert_eq!(values, ["a", "b"]);
    assert!(values.iter().all(|value| !within(&buffer, value)));
    // Both come from one copy of the frame.
    assert_eq!(values[1].as_ptr() as usize - values[0].as_ptr() as usize, 7);
    let unshared = Frame::new(buffer.slice(..9), false);
    assert!(within(
        &buffer,
        &unshared.reply().take_bytes().expect("text")
    ));
}

#[test]
fn the_price_does_not_depend_on_the_pieces() {
    // Were anything scanned again for each piece, these would take hours.
    let mut bulk = b"$67108864\r\n".to_vec();
    let mut array = b"*1000000\r\n".to_vec();
    let mut line = b"+".to_vec();
    bulk.resize(bulk.len() + (64 << 20), b'x');
    bulk.extend_from_slice(b"\r\n");
    for _ in 0..1_000_000 {
        array.extend_from_slice(b":1\r\n");
    }
    line.resize(4 << 20, b'x');
    line.extend_from_slice(b"\r\n");
    for (bytes, step) in [(bulk, 16), (array, 1), (line, 1)] {
        let mut scanner = Scanner::default();
        let mut end = 0;
        while end < bytes.len() {
            assert_eq!(scanner.scan(&bytes[..end]), Ok(None));
            end += step;
        }
        assert_eq!(scanner.scan(&bytes), Ok(Some(bytes.len())));
    }
}
