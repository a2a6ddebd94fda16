//! What is drawn by lot, always the same for the same seed.

/// How many calls of each command are drawn by lot, and from what number.
#[derive(Clone, Copy, Debug)]
pub struct Lot {
    /// The number that decides about all of them.
    pub seed: u64,
    /// The most for one command; those with few options have fewer, since none comes twice.
    pub calls: usize,
}

/// A sequence of numbers that looks like chance: splitmix64.
pub(super) struct Random(u64);

impl Random {
    /// The sequence for a command, so that a change of one command leaves the others as they were.
    pub(super) fn of(seed: u64, name: &str) -> Self {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, mix))
    }

    /// A number below another, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        usize::try_from(z % end.max(1) as u64).unwrap_or_default()
    }

    /// One of several.
    pub(super) fn one<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        of.get(self.below(of.len()))
    }
}
