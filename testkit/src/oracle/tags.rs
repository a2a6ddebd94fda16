//! O1: values that say whose they are.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// One operation of one client in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// Which run, so that what an earlier one left is not taken for this one's.
    pub run: u32,
    /// Which client, or whatever else must not be mixed up.
    pub client: u32,
    /// Which operation of it.
    pub sequence: u64,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It does not begin with a tag, its length and its checksum.
    Foreign,
    /// It begins as one of this many bytes does, and has another number of them.
    Length {
        /// How many it should have.
        expected: usize,
        /// How many it has.
        actual: usize,
    },
    /// The byte at this place is not what it was.
    Byte(usize),
    /// It is whole, and another operation's.
    Other(Tag),
}

/// Counts values that were checked, and keeps what was wrong.
#[derive(Debug)]
pub struct Tags {
    run: u32,
    checked: AtomicU64,
    mismatches: Mutex<Vec<(Tag, Damage)>>,
}

/// What [`Tags`] found.
#[derive(Clone, Debug)]
pub struct TagReport {
    /// How many values were checked.
    pub checked: u64,
    /// The operations that got another value than theirs, and what that was.
    pub mismatches: Vec<(Tag, Damage)>,
}

impl Tags {
    /// Begins a run.
    pub fn new(run: u32) -> Self {
        Self {
            run,
            checked: AtomicU64::new(0),
            mismatches: Mutex::default(),
        }
    }

    /// The tag of an operation.
    pub fn tag(&self, client: u32, sequence: u64) -> Tag {
        Tag {
            run: self.run,
            client,
            sequence,
        }
    }

    /// Checks a reply, which must be this operation's value. Returns whether it is.
    pub fn check(&self, tag: Tag, value: &[u8]) -> bool {
        self.check_with(tag, value, |other| other == tag)
    }

    /// Checks a reply to this operation, which may be another's value, such as the last that was
    /// written to the same key. Returns whether it is.
    pub fn check_with(&self, tag: Tag, value: &[u8], accept: impl Fn(Tag) -> bool) -> bool {
        self.checked.fetch_add(1, Ordering::Relaxed);
        let damage = match Tag::read(value) {
            Ok(other) if accept(other) => return true,
            Ok(other) => Damage::Other(other),
            Err(damage) => damage,
        };
        let mut mismatches = self
            .mismatches
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        mismatches.push((tag, damage));
        false
    }

    /// What was found so far.
    pub fn report(&self) -> TagReport {
        let mismatches = self
            .mismatches
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        TagReport {
            checked: self.checked.load(Ordering::Relaxed),
            mismatches: mismatches.clone(),
        }
    }
}

impl Tag {
    /// The shortest value.
    pub const SHORTEST: usize = HEADER;

    /// The value of this operation with so many bytes, or of [`SHORTEST`](Self::SHORTEST) if these
    /// are fewer: the tag, the length and a checksum of both in readable form, and then bytes of
    /// all kinds that follow from the checksum.
    pub fn value(&self, length: usize) -> Vec<u8> {
        let length = length.max(HEADER);
        let mut value = format!(
            "{:08x}:{:08x}:{:016x}:{length:08x}",
            self.run, self.client, self.sequence
        )
        .into_bytes();
        let checksum = checksum(&value);
        value.extend_from_slice(format!(":{checksum:016x}").as_bytes());
        value.extend(filler(checksum).take(length - HEADER));
        value
    }

    /// The tag of a value that is whole.
    pub fn read(value: &[u8]) -> Result<Self, Damage> {
        let (tag, length) = Self::read_header(value).ok_or(Damage::Foreign)?;
        if length != value.len() {
            return Err(Damage::Length {
                expected: length,
                actual: value.len(),
            });
        }
        let whole = tag.value(length);
        let differs = value.iter().zip(&whole).position(|(is, was)| is != was);
        differs.map_or(Ok(tag), |place| Err(Damage::Byte(place)))
    }

    fn read_header(value: &[u8]) -> Option<(Self, usize)> {
        let header = std::str::from_utf8(value.get(..HEADER)?).ok()?;
        let mut words = header.split(':');
        let mut number = || u64::from_str_radix(words.next()?, 16).ok();
        let tag = Self {
            run: number()?.try_into().ok()?,
            client: number()?.try_into().ok()?,
            sequence: number()?,
        };
        let length = number()?.try_into().ok()?;
        let tagged = value.get(..TAGGED)?;
        (number()? == checksum(tagged)).then_some((tag, length))
    }
}

impl TagReport {
    /// Whether all values were right.
    pub fn is_clean(&self) -> bool {
        self.mismatches.is_empty()
    }
}

impl fmt::Display for TagReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (checked, wrong) = (self.checked, self.mismatches.len());
        write!(f, "replies: {checked} checked, {wrong} mismatched")?;
        for (tag, damage) in self.mismatches.iter().take(super::SHOWN) {
            write!(f, "\n    {tag:?} got {damage:?}")?;
        }
        Ok(())
    }
}

/// FNV-1a, and a last step that makes every bit depend on every other.
fn checksum(bytes: &[u8]) -> u64 {
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    }))
}

fn filler(seed: u64) -> impl Iterator<Item = u8> {
    let words =
        (1_u64..).map(move |n| mix(seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
    words.flat_map(u64::to_le_bytes)
}

/// The finaliser of SplitMix64.
fn mix(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// The tag and the length.
const TAGGED: usize = 43;
/// And the checksum.
const HEADER: usize = TAGGED + 17;

#[cfg(test)]
mod tests {
    use super::{Damage, Tag, Tags};

    const TAG: Tag = Tag {
        run: 1,
        client: u32::MAX,
        sequence: u64::MAX,
    };

    #[test]
    fn a_value_says_whose_it_is() {
        for length in [0, 60, 61, 100, 4096, 100_000] {
            let value = TAG.value(length);
            assert_eq!(value.len(), length.max(Tag::SHORTEST));
            assert_eq!(Tag::read(&value), Ok(TAG));
        }
        let value = TAG.value(10_000);
        assert!(value.windows(2).any(|pair| pair == b"\r\n") || value.contains(&0));
    }

    #[test]
    fn every_change_of_a_byte_and_of_the_length_is_found() {
        let value = TAG.value(100);
        for place in 0..value.len() {
            for change in [1, 0x20, 0x80] {
                let mut changed = value.clone();
                changed[place] ^= change;
                assert!(Tag::read(&changed).is_err(), "{place} {change}");
            }
            let length = (value.len(), place);
            let expected = if place < Tag::SHORTEST {
                Damage::Foreign
            } else {
                Damage::Length {
                    expected: length.0,
                    actual: length.1,
                }
            };
            assert_eq!(Tag::read(&value[..place]), Err(expected));
        }
        assert!(Tag::read(&[value, vec![0]].concat()).is_err());
    }

    #[test]
    fn another_operations_value_is_a_mismatch() {
        let tags = Tags::new(7);
        let (mine, other) = (tags.tag(1, 1), tags.tag(1, 2));
        assert!(tags.check(mine, &mine.value(64)));
        assert!(!tags.check(mine, &other.value(64)));
        assert!(tags.check_with(mine, &other.value(64), |tag| tag.client == 1));
        assert!(!tags.check(mine, &Tags::new(6).tag(1, 1).value(64)));
        assert!(!tags.check(mine, b"OK"));
        let report = tags.report();
        assert_eq!((report.checked, report.is_clean()), (5, false));
        let damages: Vec<_> = report.mismatches.into_iter().map(|(_, why)| why).collect();
        let old = Tag { run: 6, ..mine };
        assert_eq!(
            damages,
            [Damage::Other(other), Damage::Other(old), Damage::Foreign]
        );
    }
}
