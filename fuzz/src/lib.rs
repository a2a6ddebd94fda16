//! The bodies of the fuzz targets, which the tests run on the corpus as well.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use respec::{
    Value,
    reply::{Decode, FromReply, OneOrMany, ScanPage, StreamEntry},
    resp::{Frame, Limits, ProtocolError, Reply, Scanner},
};
use serde::Deserialize;

/// A frame is the same in whatever pieces it arrives; the first byte says how large they are.
pub fn scan_chunked(input: &[u8]) {
    let Some((&size, bytes)) = input.split_first() else {
        return;
    };
    // Low enough that a fuzzer finds its way beyond them.
    let limits = Limits::default()
        .with_depth(8)
        .with_bulk(256)
        .with_frame(1024);
    let whole = scan_all(limits, bytes, bytes.len().max(1));
    assert_eq!(scan_all(limits, bytes, usize::from(size).max(1)), whole);
    assert_eq!(scan_all(limits, bytes, 1), whole);
}

/// What is a frame, and its value, as a tiny recursive parser has it.
pub fn scan_vs_reference(input: &[u8]) {
    // A double may be longer for the reference.
    let input = input.get(..4096).unwrap_or(input);
    let mut scanner = Scanner::new(Limits::default());
    let scanned = scanner.scan(input);
    let mut rest = input;
    match (scanned, reference::frame(&mut rest)) {
        (Ok(Some(length)), Ok(value)) => {
            assert_eq!(length, input.len() - rest.len());
            let frame = Frame::new(Bytes::copy_from_slice(&input[..length]), false);
            let ours = Value::from_reply(frame.reply()).expect("every frame is a value");
            // As text, since not-a-number is not equal to itself.
            assert_eq!(format!("{ours:?}"), format!("{value:?}"));
        }
        (Ok(None), Err(reference::Stop::Incomplete)) => {}
        // The scanner refuses a line before its end, and what announces too much.
        (Err(_), Err(_)) => {}
        (ours, theirs) => panic!("scanned {ours:?}, but the reference has {theirs:?}"),
    }
}

/// Every frame is a value, and looking at it never panics.
pub fn decode_value(input: &[u8]) {
    let mut scanner = Scanner::new(Limits::default());
    let Ok(Some(length)) = scanner.scan(input) else {
        return;
    };
    let bytes = Bytes::copy_from_slice(&input[..length]);
    let frame = Frame::new(bytes.clone(), false);
    let value = Value::from_reply(frame.reply()).expect("every frame is a value");
    let text = format!("{value:?}");
    assert_eq!(format!("{:?}", value.clone()), text);
    // What is copied is the same as what is sliced.
    let shared = Value::from_reply(Frame::new(bytes, true).reply());
    assert_eq!(format!("{:?}", shared.expect("a value")), text);
    assert_eq!(frame.nested_pushes().count(), scanner.nested_pushes());
    for push in frame.nested_pushes() {
        look_at(push);
    }
    look_at(frame.reply());
    if let Ok(values) = <Vec<Value>>::from_reply(frame.reply()) {
        let expected = frame
            .reply()
            .elements()
            .map_or(0, |elements| elements.len());
        assert!(values.len() == expected || values.len() * 2 == expected);
    }
    let _ = serde_json::to_string(&value);
    let _ = value.get("k");
}

/// No frame makes a type panic, and numbers agree with each other.
pub fn decode_serde(input: &[u8]) {
    let Ok(frame) = Frame::parse(Bytes::copy_from_slice(input)) else {
        return;
    };
    let reply = frame.reply();
    let integer = i64::from_reply(reply).ok();
    if let Ok(small) = u8::from_reply(reply) {
        assert_eq!(integer, Some(i64::from(small)));
    }
    if let Ok(large) = i128::from_reply(reply) {
        assert_eq!(integer, i64::try_from(large).ok());
    }
    if let (Some(exact), Ok(double)) = (reply.integer(), f64::from_reply(reply)) {
        assert_eq!(double as i64, exact);
    }
    if let Ok(text) = String::from_reply(reply) {
        assert_eq!(<Vec<u8>>::from_reply(reply).as_deref(), Ok(text.as_bytes()));
    }
    let native = <Vec<(Bytes, i64)>>::decode(reply).ok();
    let pairs = <Vec<(Bytes, i64)>>::from_reply(reply).ok();
    if let (Some(native), Some(pairs)) = (native, pairs) {
        assert_eq!(native, pairs);
    }
    let _ = f32::from_reply(reply);
    let _ = bool::from_reply(reply);
    let _ = char::from_reply(reply);
    let _ = <Option<Record>>::from_reply(reply);
    let _ = <Vec<Record>>::from_reply(reply);
    let _ = <Vec<Result<Option<u16>, String>>>::from_reply(reply);
    let _ = <HashMap<u64, Vec<Option<String>>>>::from_reply(reply);
    let _ = <BTreeMap<String, Value>>::from_reply(reply);
    let _ = <BTreeSet<Vec<u8>>>::from_reply(reply);
    let _ = <(Value, Value)>::from_reply(reply);
    let _ = serde_json::Value::from_reply(reply);
    let _ = <Vec<StreamEntry>>::decode(reply);
    let _ = <ScanPage<Vec<Bytes>>>::decode(reply);
    let _ = <OneOrMany<Option<f64>>>::decode(reply);
    let _ = <Option<(Bytes, f64)>>::decode(reply);
}

/// A struct with a field of every kind.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what it is decoded to is of no interest")]
struct Record {
    id: Option<u32>,
    name: Option<String>,
    kind: Option<Kind>,
    tags: Option<Vec<(String, f32)>>,
    parent: Option<Box<Record>>,
    value: Option<Value>,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

/// The name of a variant.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    One,
    Two,
}

/// The lengths of all frames in bytes that arrive in pieces, and the error that ends them.
fn scan_all(limits: Limits, bytes: &[u8], size: usize) -> (Vec<usize>, Option<ProtocolError>) {
    let mut scanner = Scanner::new(limits);
    let (mut start, mut end) = (0, 0);
    let mut lengths = Vec::new();
    while end < bytes.len() {
        end = (end + size).min(bytes.len());
        loop {
            match scanner.scan(&bytes[start..end]) {
                Ok(Some(length)) => {
                    lengths.push(length);
                    start += length;
                }
                Ok(None) => break,
                Err(error) => return (lengths, Some(error)),
            }
        }
    }
    (lengths, None)
}

/// Asks a view for all it has.
fn look_at(reply: Reply<'_>) {
    let _ = (reply.bytes(), reply.as_error(), reply.integer());
    let _ = (reply.double(), reply.boolean(), reply.verbatim_format());
    assert!(!reply.raw().is_empty());
    if let Some(elements) = reply.elements() {
        assert_eq!(elements.clone().count(), reply.len());
        elements.for_each(look_at);
    }
    if let Some(attributes) = reply.attributes() {
        attributes.for_each(look_at);
    }
}

/// RESP as its specification reads, without regard to speed or stack.
mod reference {
    use bytes::Bytes;
    use respec::Value;

    /// Why there is no value.
    #[derive(Debug)]
    pub(super) enum Stop {
        Incomplete,
        Invalid,
    }

    type Parsed<T> = Result<T, Stop>;

    /// The next frame, of which `rest` is what lies behind it then.
    pub(super) fn frame(rest: &mut &[u8]) -> Parsed<Value> {
        attributes(rest, 0)?;
        value(rest, 0)
    }

    /// An element: what comes behind attributes and pushes.
    fn element(rest: &mut &[u8], depth: usize) -> Parsed<Value> {
        loop {
            attributes(rest, depth)?;
            match value(rest, depth)? {
                Value::Push(_) => {}
                value => return Ok(value),
            }
        }
    }

    fn attributes(rest: &mut &[u8], depth: usize) -> Parsed<()> {
        while rest.first() == Some(&b'|') {
            *rest = &rest[1..];
            let count = count(rest)?;
            elements(rest, count.checked_mul(2).ok_or(Stop::Invalid)?, depth)?;
        }
        Ok(())
    }

    fn value(rest: &mut &[u8], depth: usize) -> Parsed<Value> {
        let (&kind, behind) = rest.split_first().ok_or(Stop::Incomplete)?;
        *rest = behind;
        Ok(match kind {
            b'+' => Value::SimpleString(Bytes::copy_from_slice(line(rest)?)),
            b'-' => Value::Error(Bytes::copy_from_slice(line(rest)?)),
            b':' => {
                let text = line(rest)?;
                if text.len() > 20 {
                    return Err(Stop::Invalid);
                }
                Value::Integer(number(text)?)
            }
            b'$' | b'*' if rest.starts_with(b"-1\r\n") => {
                *rest = &rest[4..];
                Value::Nil
            }
            b'$' => Value::BulkString(Bytes::copy_from_slice(string(rest)?)),
            b'!' => Value::Error(Bytes::copy_from_slice(string(rest)?)),
            b'=' => match string(rest)? {
                [a, b, c, b':', text @ ..] => Value::Verbatim {
                    format: Bytes::copy_from_slice(&[*a, *b, *c]),
                    text: Bytes::copy_from_slice(text),
                },
                _ => return Err(Stop::Invalid),
            },
            b'_' if line(rest)?.is_empty() => Value::Nil,
            b'#' => match line(rest)? {
                b"t" => Value::Boolean(true),
                b"f" => Value::Boolean(false),
                _ => return Err(Stop::Invalid),
            },
            b',' => {
                let text = line(rest)?;
                if text.to_ascii_lowercase().ends_with(b"infinity") {
                    return Err(Stop::Invalid);
                }
                Value::Double(number(text)?)
            }
            b'(' => {
                let text = str::from_utf8(line(rest)?).map_err(|_| Stop::Invalid)?;
                let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(Stop::Invalid);
                }
                Value::BigNumber(text.to_owned())
            }
            b'*' => Value::Array(list(rest, depth)?),
            b'~' => Value::Set(list(rest, depth)?),
            b'>' => Value::Push(list(rest, depth)?),
            b'%' => {
                let count = count(rest)?.checked_mul(2).ok_or(Stop::Invalid)?;
                let mut values = elements(rest, count, depth)?.into_iter();
                let mut pairs = Vec::new();
                while let (Some(key), Some(value)) = (values.next(), values.next()) {
                    pairs.push((key, value));
                }
                Value::Map(pairs)
            }
            _ => return Err(Stop::Invalid),
        })
    }

    fn list(rest: &mut &[u8], depth: usize) -> Parsed<Vec<Value>> {
        let count = count(rest)?;
        elements(rest, count, depth)
    }

    fn elements(rest: &mut &[u8], count: u64, depth: usize) -> Parsed<Vec<Value>> {
        if depth == 128 {
            return Err(Stop::Invalid);
        }
        (0..count).map(|_| element(rest, depth + 1)).collect()
    }

    fn string<'b>(rest: &mut &'b [u8]) -> Parsed<&'b [u8]> {
        let length = usize::try_from(count(rest)?).map_err(|_| Stop::Incomplete)?;
        let end = length.checked_add(2).ok_or(Stop::Incomplete)?;
        let (text, behind) = rest.split_at_checked(end).ok_or(Stop::Incomplete)?;
        *rest = behind;
        text.strip_suffix(b"\r\n").ok_or(Stop::Invalid)
    }

    fn count(rest: &mut &[u8]) -> Parsed<u64> {
        let text = line(rest)?;
        if text.len() > 20 || !text.iter().all(u8::is_ascii_digit) {
            return Err(Stop::Invalid);
        }
        number(text)
    }

    fn number<T: std::str::FromStr>(text: &[u8]) -> Parsed<T> {
        let text = str::from_utf8(text).map_err(|_| Stop::Invalid)?;
        text.parse().map_err(|_| Stop::Invalid)
    }

    /// Everything up to the first CRLF.
    fn line<'b>(rest: &mut &'b [u8]) -> Parsed<&'b [u8]> {
        let end = rest.windows(2).position(|two| two == b"\r\n");
        let end = end.ok_or(Stop::Incomplete)?;
        let text = &rest[..end];
        *rest = &rest[end + 2..];
        Ok(text)
    }
}
