//! Commands in parts.
//!
//! A command whose keys lie in several slots is cut into one command for each slot, not for each
//! node: a server refuses keys of two slots even if it serves both.

use std::{collections::HashMap, ops::Range};

use bytes::{Bytes, BytesMut};

use crate::{
    cluster::key_slot,
    command::{BeginSearch, FindKeys, Info},
    error::{Error, ErrorKind, Result},
    resp::Writer,
};

/// The part of a command that is about one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) slot: u16,
    /// The whole command that is sent.
    pub(crate) command: Bytes,
    /// Which of the keys of the original command it has, counted from 0.
    pub(crate) items: Vec<usize>,
}

/// Cuts an encoded command into parts, in the order in which their slots are named first.
///
/// # Errors
///
/// A word stands in the command with which it cannot be cut, or its words do not fit its key specs.
pub(crate) fn split(info: &Info, command: &[u8], unless: &[&str]) -> Result<Vec<Part>> {
    let words = words(command).ok_or_else(|| misshapen(info))?;
    let words: Vec<&[u8]> = words
        .into_iter()
        .map(|range| command.get(range).unwrap_or_default())
        .collect();
    let shape = Shape::of(info, &words).ok_or_else(|| misshapen(info))?;
    let forbids = |word: &&&[u8]| {
        let is = |forbidden: &&str| word.eq_ignore_ascii_case(forbidden.as_bytes());
        unless.iter().any(is)
    };
    if let Some(word) = shape.tail.iter().find(forbids) {
        let word = String::from_utf8_lossy(word).to_uppercase();
        return Err(Error::new(
            ErrorKind::Refused,
            format!(
                "with {word} its keys must lie in one slot, as they do with the same {{hash tag}}"
            ),
        )
        .with_command(info.name));
    }
    let mut slots: Vec<(u16, Vec<usize>)> = Vec::new();
    let mut places = HashMap::new();
    for (at, item) in shape.items().enumerate() {
        let slot = key_slot(item.first().copied().unwrap_or_default());
        let place = *places.entry(slot).or_insert(slots.len());
        match slots.get_mut(place) {
            Some((_, items)) => items.push(at),
            None => slots.push((slot, vec![at])),
        }
    }
    slots
        .into_iter()
        .map(|(slot, items)| {
            let mut out = BytesMut::new();
            Writer::command(&mut out, |to| shape.write(&items, to))?;
            Ok(Part {
                slot,
                command: out.freeze(),
                items,
            })
        })
        .collect()
}

/// What a command is made of: words, keys with what belongs to each, and words again.
struct Shape<'w> {
    /// The name, and what stands between it and the first key or the count of keys.
    head: &'w [&'w [u8]],
    /// Whether the count of keys follows.
    counted: bool,
    /// The keys, each followed by what belongs to it.
    keys: &'w [&'w [u8]],
    /// How many words a key has with what belongs to it.
    step: usize,
    /// Options.
    tail: &'w [&'w [u8]],
}

impl<'w> Shape<'w> {
    /// The shape that the first key spec of a command tells.
    fn of(info: &Info, words: &'w [&'w [u8]]) -> Option<Self> {
        let spec = info.keys.first()?;
        let BeginSearch::Index(begin) = spec.begin else {
            return None;
        };
        let begin = usize::try_from(begin).ok()?;
        let (head, counted, keys, step, tail) = match spec.find {
            FindKeys::Range {
                last: -1,
                step,
                limit: 0,
            } => {
                let (head, keys) = words.split_at_checked(begin)?;
                (head, false, keys, usize::try_from(step).ok()?, &[][..])
            }
            FindKeys::Count {
                at: 0,
                first: 1,
                step,
            } => {
                let (head, rest) = words.split_at_checked(begin)?;
                let (count, rest) = rest.split_first()?;
                let count: usize = str::from_utf8(count).ok()?.parse().ok()?;
                let step = usize::try_from(step).ok()?;
                let (keys, tail) = rest.split_at_checked(count.checked_mul(step)?)?;
                (head, true, keys, step, tail)
            }
            _ => return None,
        };
        (step > 0 && !keys.is_empty() && keys.len().is_multiple_of(step)).then_some(Self {
            head,
            counted,
            keys,
            step,
            tail,
        })
    }

    fn items(&self) -> impl Iterator<Item = &'w [&'w [u8]]> {
        self.keys.chunks(self.step)
    }

    /// Writes the command with only some of its keys.
    fn write(&self, items: &[usize], to: &mut Writer<'_>) {
        self.head.iter().for_each(|word| to.word(word));
        if self.counted {
            to.unsigned(items.len() as u64);
        }
        for item in items {
            let words = self.keys.chunks(self.step).nth(*item);
            words
                .unwrap_or_default()
                .iter()
                .for_each(|word| to.word(word));
        }
        self.tail.iter().for_each(|word| to.word(word));
    }
}

/// Where the words of an encoded command lie.
pub(crate) fn words(command: &[u8]) -> Option<Vec<Range<usize>>> {
    let (count, mut at) = header(command, 0, b'*')?;
    let mut words = Vec::with_capacity(count.min(command.len() / 4));
    for _ in 0..count {
        let (length, start) = header(command, at, b'$')?;
        let end = start.checked_add(length)?;
        (end + 2 <= command.len()).then_some(())?;
        words.push(start..end);
        at = end + 2;
    }
    (at == command.len()).then_some(words)
}

/// A length behind its mark, and where the next line begins.
fn header(command: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    let (first, rest) = command.get(at..)?.split_first()?;
    let digits = rest.iter().position(|byte| *byte == b'\r')?;
    let number = str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
    (*first == mark).then_some((number, at + 1 + digits + 2))
}

fn misshapen(info: &Info) -> Error {
    Error::argument("expected its keys where the key specs say").with_command(info.name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(words: &[&str]) -> Bytes {
        let mut out = BytesMut::new();
        Writer::command(&mut out, |to| {
            words.iter().for_each(|word| to.word(word.as_bytes()));
        })
        .unwrap();
        out.freeze()
    }

    fn parts(name: &str, command: &[&str]) -> Vec<(u16, Vec<usize>, String)> {
        let info = Info::of(name).unwrap();
        split(info, &encoded(command), &["NX", "XX"])
            .unwrap()
            .into_iter()
            .map(|part| {
                let words = words(&part.command).unwrap();
                let words: Vec<_> = words
                    .into_iter()
                    .map(|word| String::from_utf8_lossy(&part.command[word]).into_owned())
                    .collect();
                (part.slot, part.items, words.join(" "))
            })
            .collect()
    }

    #[test]
    fn keys_of_one_slot_stay_together_in_their_order() {
        assert_eq!(
            parts("DEL", &["DEL", "{a}1", "{b}1", "{a}2", "{b}1"]),
            [
                (15_495, vec![0, 2], "DEL {a}1 {a}2".to_owned()),
                (3300, vec![1, 3], "DEL {b}1 {b}1".to_owned()),
            ]
        );
    }

    #[test]
    fn what_belongs_to_a_key_goes_with_it() {
        assert_eq!(
            parts("MSET", &["MSET", "a", "1", "b", "a", "{a}", ""]),
            [
                (15_495, vec![0, 2], "MSET a 1 {a} ".to_owned()),
                (3300, vec![1], "MSET b a".to_owned()),
            ]
        );
    }

    #[test]
    fn counts_are_made_anew_and_options_are_copied() {
        assert_eq!(
            parts(
                "MSETEX",
                &["MSETEX", "3", "a", "1", "b", "2", "{a}", "NX", "EX", "10"]
            ),
            [
                (15_495, vec![0, 2], "MSETEX 2 a 1 {a} NX EX 10".to_owned()),
                (3300, vec![1], "MSETEX 1 b 2 EX 10".to_owned()),
            ]
        );
    }

    #[test]
    fn a_condition_forbids_parts_and_the_message_names_no_key() {
        let info = Info::of("MSETEX").unwrap();
        let command = encoded(&["MSETEX", "2", "secret", "1", "b", "2", "px", "5", "nx"]);
        let error = split(info, &command, &["NX", "XX"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(
            error.to_string(),
            "MSETEX: refused: with NX its keys must lie in one slot, as they do with the same \
             {hash tag}"
        );
    }

    #[test]
    fn words_that_do_not_fit_are_refused() {
        for (name, command) in [
            ("MSET", &["MSET", "a", "1", "b"][..]),
            ("MSET", &["MSET"]),
            ("MSETEX", &["MSETEX", "2", "a", "1"]),
            ("MSETEX", &["MSETEX", "x", "a", "1"]),
            ("MSETEX", &["MSETEX", "99999999999999999999", "a", "1"]),
            ("MSETEX", &["MSETEX", "18446744073709551615", "a", "1"]),
            ("MSETEX", &["MSETEX", "0", "EX", "1"]),
            ("GET", &["GET", "a"]),
        ] {
            let info = Info::of(name).unwrap();
            assert!(split(info, &encoded(command), &[]).is_err(), "{command:?}");
        }
        let info = Info::of("DEL").unwrap();
        for bytes in [
            "",
            "*1\r\n",
            "*1\r\n$3\r\nDE",
            "+OK\r\n",
            "*1\r\n$1\r\nx\r\nrest",
        ] {
            assert!(split(info, bytes.as_bytes(), &[]).is_err(), "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn every_key_is_in_exactly_one_part_of_its_slot(
            keys in proptest::collection::vec("[a-e{}]{0,4}", 1..20),
        ) {
            let info = Info::of("MSETEX").unwrap();
            let mut command = vec!["MSETEX".to_owned(), keys.len().to_string()];
            for (at, key) in keys.iter().enumerate() {
                command.extend([key.clone(), at.to_string()]);
            }
            let command: Vec<_> = command.iter().map(String::as_str).collect();
            let parts = split(info, &encoded(&command), &[]).unwrap();
            let mut seen: Vec<usize> = Vec::new();
            for part in &parts {
                let words = words(&part.command).unwrap();
                let text = |at: usize| String::from_utf8_lossy(&part.command[words[at].clone()]);
                assert_eq!(text(1), part.items.len().to_string());
                for (at, item) in part.items.iter().enumerate() {
                    assert_eq!(text(2 + 2 * at), keys[*item].as_str());
                    assert_eq!(text(3 + 2 * at), item.to_string());
                    assert_eq!(key_slot(keys[*item].as_bytes()), part.slot);
                }
                seen.extend(&part.items);
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..keys.len()).collect::<Vec<_>>());
        }
    }
}
