//! Commands as bytes.

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*};
use respec::{
    ErrorKind, Value,
    command::Arg,
    reply::FromReply,
    resp::{Frame, Writer},
};

fn written(write: impl FnOnce(&mut Writer<'_>)) -> BytesMut {
    let mut out = BytesMut::new();
    Writer::command(&mut out, write).unwrap();
    out
}

fn word(write: impl FnOnce(&mut Writer<'_>)) -> String {
    let frame = Frame::parse(written(write).freeze()).unwrap();
    let words: Vec<String> = FromReply::from_reply(frame.reply()).unwrap();
    let [word] = <[String; 1]>::try_from(words).unwrap();
    word
}

#[test]
fn words_are_bulk_strings() {
    assert_eq!(
        written(|command| {
            command.word(b"SET");
            command.key(b"key");
            command.word(b"");
            command.word(b"a\r\n$1\r\n\x00\xff");
        }),
        &b"*4\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n$9\r\na\r\n$1\r\n\x00\xff\r\n"[..]
    );
}

#[test]
fn words_that_are_encoded_already_are_counted() {
    let out = written(|command| {
        command.encoded(b"$5\r\nXINFO\r\n$6\r\nSTREAM\r\n", 2);
        assert_eq!(command.words(), 2);
        command.key(b"s");
        assert_eq!(command.words(), 3);
    });
    assert_eq!(out, "*3\r\n$5\r\nXINFO\r\n$6\r\nSTREAM\r\n$1\r\ns\r\n");
}

#[test]
fn the_header_fits_any_number_of_words() {
    for count in [1, 9, 10, 99, 100, 1000, 12_345] {
        let out = written(|command| {
            for at in 0..count {
                command.unsigned(at);
            }
        });
        let header = format!("*{count}\r\n$1\r\n0\r\n");
        assert!(out.starts_with(header.as_bytes()), "{count}");
        let frame = Frame::parse(out.freeze()).unwrap();
        let numbers: Vec<u64> = FromReply::from_reply(frame.reply()).unwrap();
        assert!(numbers.into_iter().eq(0..count), "{count}");
    }
}

#[test]
fn lengths_of_words_at_the_change_of_digits() {
    for length in [0, 1, 9, 10, 11, 99, 100, 1 << 20] {
        let text = vec![b'x'; length];
        let out = written(|command| command.word(&text));
        let expected = [format!("*1\r\n${length}\r\n").as_bytes(), &text, b"\r\n"].concat();
        assert_eq!(out, expected, "{length}");
    }
}

#[test]
fn integers_at_their_limits() {
    assert_eq!(word(|c| c.integer(i64::MIN)), "-9223372036854775808");
    assert_eq!(word(|c| c.integer(i64::MAX)), "9223372036854775807");
    assert_eq!(word(|c| c.integer(0)), "0");
    assert_eq!(word(|c| c.unsigned(u64::MAX)), "18446744073709551615");
}

#[test]
fn doubles_are_short_and_exact() {
    for (double, text) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        (-0.1, "-0.1"),
        (1.5, "1.5"),
        (100.0, "100"),
        (1e15, "1000000000000000"),
        (9_007_199_254_740_991.0, "9007199254740991"),
        (1e16, "1e16"),
        (1e300, "1e300"),
        (-2.5e-300, "-2.5e-300"),
        (0.000_01, "1e-5"),
        (0.001, "1e-3"),
        (0.015, "0.015"),
        (f64::MAX, "1.7976931348623157e308"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (-5e-324, "-5e-324"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
    ] {
        assert_eq!(word(|c| c.double(double)), text);
    }
}

#[test]
fn a_command_without_words_is_refused() {
    let mut out = BytesMut::from("before");
    let error = Writer::command(&mut out, |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    assert!(!error.may_have_executed());
    assert_eq!(out, "before");
}

#[test]
fn a_failure_leaves_the_buffer_as_it_was() {
    let mut out = BytesMut::new();
    Writer::command(&mut out, |command| command.word(b"PING")).unwrap();
    let before = out.clone();
    let mut keys = vec![1..2, 3..4];
    let failed = Writer::command_with_keys(&mut out, &mut keys, |command| {
        for at in 0..20 {
            command.key(b"k");
            if at > 10 {
                command.fail(Writer::command(&mut BytesMut::new(), |_| {}).unwrap_err());
            }
        }
    });
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(out, before);
    assert_eq!(keys, [1..2, 3..4]);
}

#[test]
fn a_panic_leaves_the_buffer_as_it_was() {
    let mut out = BytesMut::from("before");
    let mut keys = Vec::new();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Writer::command_with_keys(&mut out, &mut keys, |command| {
            command.key(b"k");
            std::panic::resume_unwind(Box::new("a user's type gave up"));
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(out, "before");
    assert!(keys.is_empty());
}

#[test]
fn ranges_of_keys_are_those_of_the_finished_command() {
    for extra in [0, 1, 7, 8, 97, 98, 1000] {
        let mut out = BytesMut::from("before");
        let mut keys = Vec::new();
        for _ in 0..2 {
            Writer::command_with_keys(&mut out, &mut keys, |command| {
                command.word(b"MSET");
                command.key(b"one");
                command.key(b"");
                for _ in 0..extra {
                    command.word(b"x");
                }
                command.key(b"a longer key");
            })
            .unwrap();
        }
        let found: Vec<&[u8]> = keys.iter().map(|range| &out[range.clone()]).collect();
        let expected: [&[u8]; 3] = [b"one", b"", b"a longer key"];
        assert_eq!(found, [expected, expected].concat(), "{extra}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_words_are_read_back_as_they_were(words in vec(vec(any::<u8>(), 0..40), 1..130)) {
        let out = written(|command| words.iter().for_each(|word| command.word(word)));
        let frame = Frame::parse(out.freeze()).unwrap();
        let expected = words.into_iter().map(|word| Value::BulkString(word.into())).collect();
        prop_assert_eq!(Value::from_reply(frame.reply()).unwrap(), Value::Array(expected));
    }

    #[test]
    fn any_double_is_read_back_as_it_was(bits in any::<u64>()) {
        let double = f64::from_bits(bits);
        let text = word(|command| command.double(double));
        let read: f64 = text.parse().unwrap();
        prop_assert!(read.to_bits() == bits || (read.is_nan() && double.is_nan()));
        prop_assert!(text.len() <= 24);
    }
}

#[test]
fn a_count_of_words_is_that_of_what_is_written() {
    let mut out = BytesMut::new();
    let mut keys = Vec::new();
    Writer::command_with_keys(&mut out, &mut keys, |to| {
        to.word(b"A");
        to.counted(|to| {
            to.key(b"k");
            to.counted(|_| {});
            to.shared(&Bytes::from_static(b"value"));
        });
    })
    .unwrap();
    assert_eq!(
        out,
        "*5\r\n$1\r\nA\r\n$1\r\n3\r\n$1\r\nk\r\n$1\r\n0\r\n$5\r\nvalue\r\n"
    );
    assert_eq!(keys.len(), 1, "a key is counted and written, and is one");
    assert_eq!(&out[keys[0].clone()], b"k");
    let error = Writer::command(&mut out, |to| {
        to.word(b"A");
        to.counted(|to| Arg::invalid("refused").write(to));
    });
    assert_eq!(error.unwrap_err().to_string(), "invalid argument: refused");
}
