//! Which words of a command are keys, where its arguments are not known by type.
//!
//! A typed command writes its keys as such. For a [`Raw`](super::Raw) one, and for words from
//! elsewhere, there are the key specs of its [`Info`]. They are evaluated as a server does it
//! (`getKeysUsingKeySpecs` in `src/db.c` of Redis and of Valkey):
//!
//! 1. *Begin*: at a word counted from the first of the name, or after a keyword, whatever its case,
//!    that is looked for from a word on or, from the end, backwards. The last word is no keyword,
//!    since nothing could follow it.
//! 2. *Go on*: to a last key that is counted from the first one or from the end, or that lies where
//!    a part of the rest ends; or as many keys as a count among the words says.
//! 3. A spec that finds nothing, or runs beyond the words, is skipped, and the others stand. A
//!    server calls that partial evaluation; it is right for whoever wants to know the node, since
//!    the server says what is wrong with the words.
//!
//! Three things differ, because for some commands servers have code instead of a spec. Options may
//! be named whose values are no keywords ([`KeySpec::skip`]), an empty word may stand for no key
//! ([`KeySpec::unless_empty`]), and the last of counted keys is found by their distance as well,
//! which older servers forget.

use super::{Arg, BeginSearch, FindKeys, Info, KeySpec, WordPlace};

/// A word of a command that decides about the node that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which word, the name's first being 0.
    pub word: usize,
    /// How it was found: with `not_key`, it is no key but the name of a shard channel.
    pub spec: &'static KeySpec,
}

impl Info {
    /// The keys among the words of a command, its name included.
    ///
    /// They come in the order of the key specs. Words that no spec accounts for have none, so that
    /// the answer for what no server would accept is a part of the keys or nothing.
    ///
    /// ```
    /// use respec::command::Info;
    ///
    /// let words = ["zunionstore", "to", "2", "a", "b", "WEIGHTS", "1", "2"];
    /// let keys = Info::of(words[0]).unwrap().keys_of(&words);
    /// assert_eq!(keys.map(|key| words[key.word]).collect::<Vec<_>>(), ["to", "a", "b"]);
    /// ```
    pub fn keys_of<'w, T>(&self, words: &'w [T]) -> impl Iterator<Item = Key> + use<'w, T>
    where
        &'w T: Into<Arg<'w>>,
    {
        self.key_runs(words)
            .flat_map(|run| run.words().map(move |word| Key { word, ..run.key() }))
    }

    /// The keys among the words as one run for each spec that finds any.
    pub(super) fn key_runs<'w, T>(&self, words: &'w [T]) -> impl Iterator<Item = Run> + use<'w, T>
    where
        &'w T: Into<Arg<'w>>,
    {
        self.keys.iter().filter_map(|spec| spec.run(words))
    }
}

/// The keys that one spec finds: words at equal distances.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    spec: &'static KeySpec,
    first: usize,
    last: usize,
    step: usize,
}

impl Run {
    /// Whether a word is among them.
    pub(super) fn contains(&self, word: usize) -> bool {
        (self.first..=self.last).contains(&word) && (word - self.first).is_multiple_of(self.step)
    }

    fn words(&self) -> impl Iterator<Item = usize> + use<> {
        (self.first..=self.last).step_by(self.step)
    }

    fn key(&self) -> Key {
        Key {
            word: self.first,
            spec: self.spec,
        }
    }
}

impl KeySpec {
    /// The words that this spec finds. Numbers of specs and words are anybody's: none overflows.
    fn run<'w, T>(&'static self, words: &'w [T]) -> Option<Run>
    where
        &'w T: Into<Arg<'w>>,
    {
        let count = i64::try_from(words.len()).ok()?;
        let begin = self.beginning(words)?;
        let (first, last, step) = match self.find {
            FindKeys::Range { last, step, limit } => {
                let last = match (last, limit) {
                    (0.., _) => begin.saturating_add(last),
                    (_, ..=1) => count.saturating_add(last),
                    _ => {
                        let part = count.saturating_sub(begin) / limit;
                        begin.saturating_add(part).saturating_add(last)
                    }
                };
                (begin, last, step)
            }
            FindKeys::Count { at, first, step } => {
                let keys = word(words, begin.saturating_add(at))?.as_integer()?;
                let first = begin.saturating_add(first);
                let distance = keys.saturating_sub(1).saturating_mul(step);
                (first, first.saturating_add(distance), step)
            }
            FindKeys::Unknown => return None,
        };
        if last < first || last >= count {
            return None;
        }
        if self.unless_empty && word(words, first)?.as_bytes() == Some(b"") {
            return None;
        }
        Some(Run {
            spec: self,
            first: usize::try_from(first).ok()?,
            last: usize::try_from(last).ok()?,
            step: usize::try_from(step).ok().filter(|&step| step > 0)?,
        })
    }

    fn beginning<'w, T>(&self, words: &'w [T]) -> Option<i64>
    where
        &'w T: Into<Arg<'w>>,
    {
        let is =
            |at: i64, keyword: &str| word(words, at).is_some_and(|word| word.is_keyword(keyword));
        match self.begin {
            BeginSearch::Index(index) => Some(index),
            BeginSearch::Keyword(keyword, from @ 1..) => {
                let end = i64::try_from(words.len()).ok()?.saturating_sub(1);
                let mut found = None;
                let mut at = from;
                while at < end {
                    let skipped = self.skip.iter().find(|(option, _)| is(at, option));
                    if is(at, keyword) {
                        found = Some(at.saturating_add(1));
                        if skipped.is_none() {
                            break;
                        }
                    }
                    let values = skipped.map_or(0, |&(_, values)| i64::from(values));
                    at = at.saturating_add(1).saturating_add(values);
                }
                found
            }
            BeginSearch::Keyword(keyword, from) => {
                let from = i64::try_from(words.len()).ok()?.saturating_add(from);
                let found = (2..=from).rev().find(|&at| is(at, keyword))?;
                found.checked_add(1)
            }
            BeginSearch::Unknown => None,
        }
    }
}

fn word<'w, T>(words: &'w [T], at: i64) -> Option<Arg<'w>>
where
    &'w T: Into<Arg<'w>>,
{
    Some(words.get(usize::try_from(at).ok()?)?.into())
}

impl WordPlace {
    /// The word that stands there, if there is one.
    pub(super) fn find<'w, T>(self, words: &'w [T]) -> Option<Arg<'w>>
    where
        &'w T: Into<Arg<'w>>,
    {
        let count = i64::try_from(words.len()).ok()?;
        match self {
            Self::At(at @ 0..) => word(words, at),
            Self::At(at) => word(words, count.saturating_add(at)),
            Self::After {
                keyword,
                from,
                skip,
            } => {
                let mut at = i64::try_from(from).ok()?;
                loop {
                    let here = word(words, at)?;
                    at = at.saturating_add(1);
                    if here.is_keyword(keyword) {
                        return word(words, at);
                    }
                    let skipped = skip.iter().find(|(option, _)| here.is_keyword(option));
                    // An option of a changing number of values has as many as there are words.
                    match skipped {
                        Some((_, u8::MAX)) => return None,
                        Some((_, values)) => at = at.saturating_add(i64::from(*values)),
                        None => {}
                    }
                }
            }
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::KeyAccess;

    /// The keys of a command that is written with spaces between its words.
    #[track_caller]
    fn keys(text: &str) -> String {
        let words: Vec<&str> = text.split(' ').collect();
        let name = words.get(..2).map(|words| words.join(" "));
        let info = name
            .and_then(|name| Info::of(&name))
            .or_else(|| Info::of(words[0]))
            .expect("a command that the spec has");
        let keys: Vec<&str> = info.keys_of(&words).map(|key| words[key.word]).collect();
        keys.join(" ")
    }

    #[test]
    fn ranges_are_found() {
        assert_eq!(keys("GET k"), "k");
        assert_eq!(keys("object encoding k"), "k");
        assert_eq!(keys("DEL a b c"), "a b c");
        assert_eq!(keys("BLPOP a b 0"), "a b");
        assert_eq!(keys("LCS a b LEN"), "a b");
        assert_eq!(keys("MSET a 1 b 2"), "a b");
        assert_eq!(keys("JSON.MSET a $ 1 b $ 2"), "a b");
        assert_eq!(keys("BITOP AND to a b"), "to a b");
        assert_eq!(keys("JSON.MGET a b $"), "a b");
        assert_eq!(keys("FT.SUGADD k text 1"), "k");
        assert_eq!(keys("PING hello"), "");
    }

    #[test]
    fn counted_keys_are_found() {
        assert_eq!(keys("ZUNION 2 a b WEIGHTS 1 2"), "a b");
        assert_eq!(keys("EVAL script 1 a b"), "a");
        assert_eq!(keys("CMS.MERGE to 2 a b WEIGHTS 1 2"), "to a b");
        assert_eq!(keys("MSETEX 2 a 1 b 2 NX"), "a b");
    }

    #[test]
    fn a_count_that_is_none_finds_no_keys() {
        for count in [
            "0",
            "-1",
            "3",
            "two",
            "2.0",
            "+2",
            "02",
            "",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
        ] {
            assert_eq!(keys(&format!("ZUNION {count} a b")), "", "{count}");
            assert_eq!(keys(&format!("MSETEX {count} a 1")), "", "{count}");
            assert_eq!(
                keys(&format!("ZUNIONSTORE to {count} a b")),
                "to",
                "{count}"
            );
        }
    }

    #[test]
    fn too_few_words_find_what_there_is() {
        assert_eq!(keys("GET"), "");
        assert_eq!(keys("BLPOP a"), "");
        assert_eq!(keys("ZUNION"), "");
        assert_eq!(keys("ZUNION 1"), "");
        assert_eq!(keys("PFMERGE to"), "to");
        assert_eq!(keys("XREAD STREAMS"), "");
        assert_eq!(keys("XREAD STREAMS a"), "");
        assert_eq!(keys("MIGRATE host 1"), "");
        assert_eq!(keys("SORT a STORE"), "a");
    }

    #[test]
    fn keywords_are_found_whatever_their_case() {
        assert_eq!(keys("xread count 1 streams a b 0 0"), "a b");
        assert_eq!(keys("XREADGROUP GROUP g c STREAMS a b > >"), "a b");
        assert_eq!(keys("GEORADIUS k 1 2 3 m store to"), "k to");
        assert_eq!(keys("GEORADIUSBYMEMBER k m 3 m STOREDIST to"), "k to");
        assert_eq!(keys("JSON.DEBUG MEMORY k"), "k");
        assert_eq!(keys("JSON.DEBUG HELP"), "");
    }

    #[test]
    fn keys_and_groups_may_be_called_like_keywords() {
        assert_eq!(keys("XREAD STREAMS STREAMS b 0 0"), "STREAMS b");
        assert_eq!(keys("XREADGROUP GROUP STREAMS STREAMS STREAMS k >"), "k");
        assert_eq!(keys("GEORADIUS STORE 1 2 3 m STORE STORE"), "STORE STORE");
        assert_eq!(
            keys("GEORADIUS k 1 2 3 m STORE STOREDIST ASC"),
            "k STOREDIST"
        );
        assert_eq!(keys("SORT STORE"), "STORE");
        assert_eq!(keys("SORT BY BY STORE GET STORE STORE STORE"), "BY STORE");
        assert_eq!(keys("SORT k BY STORE ALPHA"), "k");
        assert_eq!(keys("MIGRATE h 1 KEYS 0 5"), "KEYS");
        assert_eq!(keys("MIGRATE h 1 k 0 5 AUTH KEYS COPY"), "k");
        assert_eq!(
            keys("MIGRATE h 1  0 5 AUTH2 KEYS KEYS KEYS KEYS a"),
            "KEYS a"
        );
    }

    #[test]
    fn of_repeated_options_the_last_counts() {
        assert_eq!(keys("SORT k STORE a LIMIT 0 1 STORE b"), "k b");
        assert_eq!(keys("GEORADIUS k 1 2 3 m STORE a ASC STORE b"), "k b");
    }

    #[test]
    fn an_empty_word_is_a_key_but_where_it_stands_for_none() {
        assert_eq!(Info::of("GET").unwrap().keys_of(&["GET", ""]).count(), 1);
        assert_eq!(keys("MIGRATE h 1  0 5"), "");
        assert_eq!(keys("MIGRATE h 1  0 5 KEYS a b"), "a b");
    }

    #[test]
    fn shard_channels_are_told_apart() {
        let words = ["SSUBSCRIBE", "a", "b"];
        let found: Vec<_> = Info::of("SSUBSCRIBE").unwrap().keys_of(&words).collect();
        assert_eq!(found.iter().map(|key| key.word).collect::<Vec<_>>(), [1, 2]);
        assert!(found.iter().all(|key| key.spec.not_key));
        let words = ["COPY", "a", "b"];
        let access: Vec<_> = Info::of("COPY")
            .unwrap()
            .keys_of(&words)
            .map(|key| (key.spec.access, key.spec.not_key))
            .collect();
        assert_eq!(
            access,
            [(KeyAccess::ReadOnly, false), (KeyAccess::Overwrite, false)]
        );
    }

    #[test]
    fn a_keyword_is_looked_for_backwards_from_a_negative_start() {
        static BACKWARDS: &[KeySpec] = &[KeySpec::after("KEYS", -2).range(-1, 1, 0)];
        let info = Info {
            keys: BACKWARDS,
            ..*Info::UNKNOWN
        };
        let found = |words: &[&str]| info.keys_of(words).map(|key| key.word).collect::<Vec<_>>();
        assert_eq!(found(&["C", "x", "KEYS", "KEYS", "a"]), [4]);
        assert_eq!(found(&["C", "x", "KEYS", "a", "KEYS"]), [3, 4]);
        // A server stops in front of the word that follows the name.
        assert_eq!(found(&["C", "KEYS", "a"]), [0; 0]);
        assert_eq!(found(&["C"]), [0; 0]);
        assert_eq!(found(&[]), [0; 0]);
    }

    #[test]
    fn no_spec_and_no_words_panic() {
        const EDGES: [i64; 8] = [i64::MIN, -3, -1, 0, 1, 2, 3, i64::MAX];
        let words = [
            &["C", "1", "K", "9223372036854775807", "x"][..],
            &["C", "-9223372036854775808", "K"],
            &["C"],
            &[],
        ];
        for one in EDGES {
            for two in EDGES {
                for three in EDGES {
                    let specs = [
                        KeySpec::at(one).range(two, three, 2),
                        KeySpec::at(one).range(two, 1, three),
                        KeySpec::at(1).counted(one, two, three),
                        KeySpec::after("K", one).range(two, three, one),
                        KeySpec::after("k", one).counted(two, three, one),
                    ];
                    let info = Info {
                        keys: Box::leak(Box::new(specs)),
                        ..*Info::UNKNOWN
                    };
                    for words in words {
                        for key in info.keys_of(words).take(100) {
                            assert!(key.word < words.len());
                        }
                    }
                }
            }
        }
    }
}
