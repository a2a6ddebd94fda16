//! A second, independent idea of RESP that the tests compare ours with: values, their bytes, and a
//! list of frames of every kind.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use respec::{
    Value,
    resp::{Frame, Kind, Limits, ProtocolError, Reply, Scanner},
};

/// The versions of RESP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Two,
    Three,
}

/// A value, and what stands around it on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Nil,
    NilArray,
    Simple(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    Array(Vec<Tree>),
    Boolean(bool),
    Double(f64),
    BigNumber(String),
    BulkError(Vec<u8>),
    Verbatim(Vec<u8>),
    Set(Vec<Tree>),
    Map(Vec<(Tree, Tree)>),
    /// Attributes in front of a value.
    Attributes(Vec<(Tree, Tree)>, Box<Tree>),
    /// A push in front of a value inside an aggregate, which is no element.
    Pushed(Vec<Tree>, Box<Tree>),
}

impl Tree {
    /// Its bytes; under RESP2 as a server writes it for a client of that version.
    pub(crate) fn encode(&self, version: Version) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(version, &mut out);
        out
    }

    /// What a client should make of it.
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Nil | Self::NilArray => Value::Nil,
            Self::Simple(text) => Value::SimpleString(Bytes::copy_from_slice(text)),
            Self::Error(text) | Self::BulkError(text) => Value::Error(Bytes::copy_from_slice(text)),
            Self::Integer(number) => Value::Integer(*number),
            Self::Bulk(text) => Value::BulkString(Bytes::copy_from_slice(text)),
            Self::Array(values) => Value::Array(values.iter().map(Self::value).collect()),
            Self::Boolean(truth) => Value::Boolean(*truth),
            Self::Double(number) => Value::Double(*number),
            Self::BigNumber(digits) => Value::BigNumber(digits.clone()),
            Self::Verbatim(text) => Value::Verbatim {
                format: Bytes::from_static(b"txt"),
                text: Bytes::copy_from_slice(text),
            },
            Self::Set(values) => Value::Set(values.iter().map(Self::value).collect()),
            Self::Map(pairs) => {
                Value::Map(pairs.iter().map(|(k, v)| (k.value(), v.value())).collect())
            }
            Self::Attributes(_, value) | Self::Pushed(_, value) => value.value(),
        }
    }

    /// How many pushes lie inside.
    pub(crate) fn pushes(&self) -> usize {
        let sum = |values: &[Self]| values.iter().map(Self::pushes).sum::<usize>();
        let pairs = |pairs: &[(Self, Self)]| -> usize {
            pairs.iter().map(|(k, v)| k.pushes() + v.pushes()).sum()
        };
        match self {
            Self::Array(values) | Self::Set(values) => sum(values),
            Self::Map(entries) => pairs(entries),
            Self::Attributes(entries, value) => pairs(entries) + value.pushes(),
            Self::Pushed(message, value) => 1 + sum(message) + value.pushes(),
            _ => 0,
        }
    }

    fn write(&self, version: Version, out: &mut Vec<u8>) {
        let three = version == Version::Three;
        match self {
            Self::Nil if three => out.extend_from_slice(b"_\r\n"),
            Self::Nil => out.extend_from_slice(b"$-1\r\n"),
            Self::NilArray => out.extend_from_slice(b"*-1\r\n"),
            Self::Simple(text) => line(out, b'+', text),
            Self::Error(text) => line(out, b'-', text),
            Self::Integer(number) => line(out, b':', number.to_string().as_bytes()),
            Self::Bulk(text) => string(out, b'$', text),
            Self::Array(values) => list(out, b'*', values, version),
            Self::Boolean(truth) if three => line(out, b'#', if *truth { b"t" } else { b"f" }),
            Self::Boolean(truth) => line(out, b':', if *truth { b"1" } else { b"0" }),
            Self::Double(number) if three => line(out, b',', number.to_string().as_bytes()),
            Self::Double(number) => string(out, b'$', number.to_string().as_bytes()),
            Self::BigNumber(digits) if three => line(out, b'(', digits.as_bytes()),
            Self::BigNumber(digits) => string(out, b'$', digits.as_bytes()),
            Self::BulkError(text) if three => string(out, b'!', text),
            Self::BulkError(text) => line(out, b'-', text),
            Self::Verbatim(text) if three => string(out, b'=', &[b"txt:", &text[..]].concat()),
            Self::Verbatim(text) => string(out, b'$', text),
            Self::Set(values) => list(out, if three { b'~' } else { b'*' }, values, version),
            Self::Map(pairs) if three => entries(out, b'%', pairs),
            Self::Map(pairs) => {
                header(out, b'*', pairs.len() * 2);
                for (key, value) in pairs {
                    key.write(version, out);
                    value.write(version, out);
                }
            }
            Self::Attributes(pairs, value) => {
                if three {
                    entries(out, b'|', pairs);
                }
                value.write(version, out);
            }
            Self::Pushed(message, value) => {
                if three {
                    list(out, b'>', message, version);
                }
                value.write(version, out);
            }
        }
    }
}

fn header(out: &mut Vec<u8>, kind: u8, count: usize) {
    line(out, kind, count.to_string().as_bytes());
}

fn line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn string(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    header(out, kind, text.len());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn list(out: &mut Vec<u8>, kind: u8, values: &[Tree], version: Version) {
    header(out, kind, values.len());
    for value in values {
        value.write(version, out);
    }
}

fn entries(out: &mut Vec<u8>, kind: u8, pairs: &[(Tree, Tree)]) {
    header(out, kind, pairs.len());
    for (key, value) in pairs {
        key.write(Version::Three, out);
        value.write(Version::Three, out);
    }
}

/// Values of every kind, nested up to four levels.
pub(crate) fn trees() -> impl Strategy<Value = Tree> {
    let text = || vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..12);
    let line = || {
        vec(any::<u8>(), 0..12).prop_map(|mut text| {
            text.retain(|byte| !matches!(byte, b'\r' | b'\n'));
            text
        })
    };
    let leaf = prop_oneof![
        Just(Tree::Nil),
        Just(Tree::NilArray),
        line().prop_map(Tree::Simple),
        line().prop_map(Tree::Error),
        any::<i64>().prop_map(Tree::Integer),
        text().prop_map(Tree::Bulk),
        any::<bool>().prop_map(Tree::Boolean),
        prop_oneof![
            (-1e300..1e300).boxed(),
            (-100i16..100).prop_map(f64::from).boxed(),
            Just(f64::INFINITY).boxed(),
            Just(f64::NEG_INFINITY).boxed(),
            Just(f64::MIN_POSITIVE).boxed(),
        ]
        .prop_map(Tree::Double),
        "-?[0-9]{1,40}".prop_map(Tree::BigNumber),
        line().prop_map(Tree::BulkError),
        text().prop_map(Tree::Verbatim),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let pairs = || vec((inner.clone(), inner.clone()), 0..4);
        // Inside an aggregate only, where a push is out of band.
        let element = prop_oneof![
            6 => inner.clone(),
            1 => (vec(inner.clone(), 1..3), inner.clone())
                .prop_map(|(message, value)| Tree::Pushed(message, Box::new(value))),
        ];
        prop_oneof![
            vec(element.clone(), 0..6).prop_map(Tree::Array),
            vec(element.clone(), 0..6).prop_map(Tree::Set),
            vec((element.clone(), element), 0..4).prop_map(Tree::Map),
            (pairs(), inner.clone())
                .prop_map(|(pairs, value)| Tree::Attributes(pairs, Box::new(value))),
        ]
    })
}

/// The frame of bytes that are one.
pub(crate) fn frame(bytes: impl AsRef<[u8]>) -> Frame {
    let bytes = bytes.as_ref();
    match Frame::parse(Bytes::copy_from_slice(bytes)) {
        Ok(frame) => frame,
        Err(error) => panic!("{}: {error}", bytes.escape_ascii()),
    }
}

/// What a scanner makes of bytes that arrive in pieces: the lengths of all frames in them, and the
/// error that ends them.
pub(crate) fn scan_pieces<'b>(
    limits: Limits,
    pieces: impl IntoIterator<Item = &'b [u8]>,
) -> (Vec<usize>, Option<ProtocolError>) {
    let mut scanner = Scanner::new(limits);
    let mut buffer = Vec::new();
    let mut start = 0;
    let mut lengths = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match scanner.scan(&buffer[start..]) {
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

/// At least 200 frames of every kind, some of them with something peculiar in it.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = SCALARS.iter().map(|frame| frame.to_vec()).collect();
    frames.extend(AGGREGATES.iter().map(|frame| frame.to_vec()));
    for scalar in SCALARS {
        frames.push([b"*1\r\n", *scalar].concat());
        frames.push([b"*2\r\n:1\r\n", *scalar].concat());
        frames.push([b"%1\r\n+k\r\n", *scalar].concat());
        frames.push([b"|1\r\n+a\r\n:1\r\n", *scalar].concat());
        frames.push([b"~2\r\n>2\r\n+p\r\n$0\r\n\r\n", *scalar, b"*0\r\n"].concat());
    }
    assert!(frames.len() >= 200, "{}", frames.len());
    frames
}

/// Frames without elements.
pub(crate) const SCALARS: &[&[u8]] = &[
    b"+\r\n",
    b"+OK\r\n",
    b"+a\rb\nc\r\n",
    b"+\xff\xfe\r\n",
    b"-ERR\r\n",
    b"-WRONGTYPE Operation against a key\r\n",
    b"-\r\n",
    b":0\r\n",
    b":-1\r\n",
    b":+7\r\n",
    b":9223372036854775807\r\n",
    b":-9223372036854775808\r\n",
    b"$-1\r\n",
    b"*-1\r\n",
    b"_\r\n",
    b"$0\r\n\r\n",
    b"$1\r\n\r\r\n",
    b"$2\r\n\r\n\r\n",
    b"$10\r\n0123456789\r\n",
    b"$13\r\n*1\r\n$3\r\nfoo\r\n\r\n",
    b"$4\r\n\x00\xff\x00\xff\r\n",
    b"#t\r\n",
    b"#f\r\n",
    b",0\r\n",
    b",-0\r\n",
    b",3.25\r\n",
    b",1e-7\r\n",
    b",1.5E+300\r\n",
    b",inf\r\n",
    b",-inf\r\n",
    b",nan\r\n",
    b"(0\r\n",
    b"(-3492890328409238509324850943850943825024385\r\n",
    b"(+18446744073709551616\r\n",
    b"!5\r\nERR x\r\n",
    b"!9\r\nERR a\r\nbc\r\n",
    b"=4\r\ntxt:\r\n",
    b"=9\r\nmkd:\r\n# a\r\n",
];

/// Frames with elements.
pub(crate) const AGGREGATES: &[&[u8]] = &[
    b"*0\r\n",
    b"~0\r\n",
    b"%0\r\n",
    b">0\r\n",
    b"|0\r\n:1\r\n",
    b"*1\r\n*0\r\n",
    b"*1\r\n*1\r\n*1\r\n*1\r\n$1\r\na\r\n",
    b"*3\r\n$3\r\nfoo\r\n$-1\r\n$3\r\nbar\r\n",
    b"%2\r\n+first\r\n:1\r\n+second\r\n*2\r\n_\r\n#t\r\n",
    b"~3\r\n+a\r\n+b\r\n+a\r\n",
    b">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nm\r\n",
    b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n",
    // What Redis 7.0 answers to an `EXEC` whose `PUBLISH` reaches the connection itself.
    b"*2\r\n>3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nm\r\n:1\r\n_\r\n",
    b"*2\r\n:1\r\n>1\r\n+x\r\n>1\r\n+y\r\n_\r\n",
    b">1\r\n>1\r\n+inner\r\n+element\r\n",
    b"|1\r\n+a\r\n>1\r\n+p\r\n:1\r\n>1\r\n+top\r\n",
    b"*2\r\n|1\r\n+ttl\r\n:3600\r\n:1\r\n|1\r\n+k\r\n|1\r\n+x\r\n+y\r\n+v\r\n:2\r\n",
    b"*1\r\n|1\r\n+a\r\n+b\r\n>1\r\n+p\r\n|1\r\n+c\r\n+d\r\n:5\r\n",
    b"|1\r\n+a\r\n*1\r\n:1\r\n|1\r\n+b\r\n:2\r\n%1\r\n|0\r\n+k\r\n|0\r\n*1\r\n+v\r\n",
    b"%1\r\n*2\r\n:1\r\n:2\r\n%1\r\n+x\r\n~1\r\n,1.5\r\n",
];

/// A view as a value by another way than [`Value`] has: through bytes and elements alone.
pub(crate) fn texts(reply: Reply<'_>) -> Vec<Vec<u8>> {
    match reply.elements() {
        Some(elements) => elements.flat_map(texts).collect(),
        None if reply.kind() == Kind::Integer => {
            vec![reply.integer().unwrap().to_string().into_bytes()]
        }
        None => vec![
            reply
                .bytes()
                .or(reply.as_error())
                .unwrap_or_default()
                .to_vec(),
        ],
    }
}
