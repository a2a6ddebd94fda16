//! A frame is the same in whatever pieces it arrives.

use proptest::{collection::vec, prelude::*};
use respec::resp::{Limits, Scanner};

use crate::support::{Version, frames, scan_pieces, trees};

/// Bytes that are no frame at some point, and what came before it.
const MALFORMED: &[&[u8]] = &[
    b"$-2\r\n",
    b"*-2\r\n",
    b"$-1x\n",
    b"$3\r\nfooxx",
    b"$3\r\nfoo\rx",
    b":12x\r\n",
    b":1\rx",
    b":99999999999999999999\r\n",
    b",1.2.3\r\n",
    b"#x\r\n",
    b"#tx",
    b"_x",
    b"(12a\r\n",
    b"=3\r\ntxt\r\n",
    b"=5\r\nabcde\r\n",
    b"*1\r\n?",
    b"%-1\r\n",
    b"*1\r\n$?\r\n",
    b"+123456789012345678901234567890\r\n",
    b"(123456789012345678901234567890\r\n",
    b"$17\r\n",
    b"*2\r\n$16\r\n0123456789012345\r\n$17\r\n",
    b"*3\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
];

/// Small enough for malformed bytes to exceed them.
fn limits() -> Limits {
    Limits::default().with_bulk(16).with_depth(3)
}

#[test]
fn two_pieces_are_as_one() {
    let malformed = MALFORMED.iter().map(|bytes| (bytes.to_vec(), limits()));
    let frames = frames().into_iter().map(|bytes| (bytes, Limits::default()));
    for (bytes, limits) in frames.chain(malformed) {
        // With a frame behind, so that its end matters, too.
        let bytes = [&bytes[..], b"+next\r\n"].concat();
        let whole = scan_pieces(limits, [&bytes[..]]);
        assert!(!whole.0.is_empty() || whole.1.is_some());
        for at in 0..=bytes.len() {
            let (first, second) = bytes.split_at(at);
            assert_eq!(
                scan_pieces(limits, [first, second]),
                whole,
                "{} | {}",
                first.escape_ascii(),
                second.escape_ascii()
            );
        }
        assert_eq!(scan_pieces(limits, bytes.chunks(1)), whole);
    }
}

#[test]
fn three_pieces_are_as_one() {
    let malformed = MALFORMED.iter().map(|bytes| (bytes.to_vec(), limits()));
    let frames = frames().into_iter().map(|bytes| (bytes, Limits::default()));
    let mut short = 0;
    for (bytes, limits) in frames
        .chain(malformed)
        .filter(|(bytes, _)| bytes.len() <= 64)
    {
        short += 1;
        let whole = scan_pieces(limits, [&bytes[..]]);
        for second in 0..=bytes.len() {
            for third in second..=bytes.len() {
                let pieces = [&bytes[..second], &bytes[second..third], &bytes[third..]];
                assert_eq!(
                    scan_pieces(limits, pieces),
                    whole,
                    "{}",
                    bytes.escape_ascii()
                );
            }
        }
    }
    assert!(short >= 200);
}

#[test]
fn a_prefix_is_refused_as_soon_as_its_last_byte_is_there() {
    // Whether bytes are refused does not depend on how they arrived, also when they are incomplete.
    for bytes in MALFORMED {
        for end in 0..=bytes.len() {
            let bytes = &bytes[..end];
            assert_eq!(
                scan_pieces(limits(), bytes.chunks(1)),
                scan_pieces(limits(), [bytes]),
                "{}",
                bytes.escape_ascii()
            );
        }
    }
}

#[test]
fn scanning_without_new_bytes_changes_nothing() {
    for bytes in frames() {
        let mut scanner = Scanner::new(Limits::default());
        for end in 0..bytes.len() {
            for _ in 0..2 {
                assert_eq!(scanner.scan(&bytes[..end]).unwrap(), None);
            }
            assert!(
                scanner.at_least() <= bytes.len(),
                "{}",
                bytes.escape_ascii()
            );
            assert!(scanner.at_least() > end);
        }
        assert_eq!(scanner.scan(&bytes).unwrap(), Some(bytes.len()));
    }
}

#[test]
fn a_long_string_is_waited_for_at_once() {
    let mut scanner = Scanner::new(Limits::default());
    let head = b"*2\r\n$1048576\r\nabc";
    assert_eq!(scanner.scan(head).unwrap(), None);
    assert_eq!(scanner.at_least(), 14 + (1 << 20) + 2);
}

#[test]
fn a_scanner_goes_on_behind_a_frame() {
    let all = frames().concat();
    let lengths: Vec<usize> = frames().iter().map(Vec::len).collect();
    for size in [1, 2, 3, 7, 64, 1000, all.len()] {
        assert_eq!(
            scan_pieces(Limits::default(), all.chunks(size)),
            (lengths.clone(), None),
            "{size}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_trees_in_any_pieces(trees in vec(trees(), 1..4), sizes in vec(1usize..40, 1..8), two in any::<bool>()) {
        let version = if two { Version::Two } else { Version::Three };
        let frames: Vec<Vec<u8>> = trees.iter().map(|tree| tree.encode(version)).collect();
        let all = frames.concat();
        let mut rest = &all[..];
        let mut pieces = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        let lengths = frames.iter().map(Vec::len).collect::<Vec<_>>();
        prop_assert_eq!(scan_pieces(Limits::default(), pieces), (lengths, None));
    }

    #[test]
    fn any_bytes_in_any_pieces(
        bytes in vec(prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b'-'), b'0'..=b'9', Just(b'$'), Just(b'*'), Just(b'+'),
            Just(b':'), Just(b'|'), Just(b'>'), Just(b'%'), Just(b'('), Just(b'='), Just(b','), any::<u8>(),
        ], 0..60),
        size in 1usize..10,
    ) {
        prop_assert_eq!(scan_pieces(limits(), bytes.chunks(size)), scan_pieces(limits(), [&bytes[..]]));
    }
}
