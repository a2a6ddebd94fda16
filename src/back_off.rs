//! How long to wait before another try.

use std::time::Duration;

use crate::mutant::{self, Mutant};

/// The wait before a try, of which `tries` came before it: none at first, then by chance up to a
/// limit that begins with `first` and doubles; `most` is what there is time for.
///
/// The limit is clamped before chance has its say. The other way round all clients would wait for
/// exactly the longest time in the end, and come back together.
pub(crate) fn wait(first: Duration, tries: u32, most: Duration, random: u64) -> Duration {
    let Some(doublings) = tries.checked_sub(1) else {
        return Duration::ZERO;
    };
    let limit = first.saturating_mul(1 << doublings.min(16));
    let most = most.min(LONGEST.max(first));
    if mutant::is(Mutant::JitterBeforeClamp) {
        return scaled(limit, random).min(most);
    }
    scaled(limit.min(most), random)
}

/// The wait after a server has refused a client, which it will not change its mind about soon.
pub(crate) fn wait_when_refused(random: u64) -> Duration {
    LONGEST + scaled(LONGEST / 2, random)
}

/// A part of a duration by chance, from nothing to all of it.
pub(crate) fn scaled(whole: Duration, random: u64) -> Duration {
    let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    let part = (u128::from(nanos) * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(part).unwrap_or(nanos))
}

/// The limit of the first wait, if nothing else is wished.
pub(crate) const FIRST: Duration = Duration::from_millis(50);

/// The limit of all waits.
const LONGEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_try_comes_at_once_and_later_ones_ever_later() {
        let most = Duration::MAX;
        let longest: Vec<_> = (0..8)
            .map(|tries| wait(FIRST, tries, most, u64::MAX).as_millis())
            .collect();
        assert_eq!(longest, [0, 49, 99, 199, 399, 799, 999, 999]);
        assert_eq!(wait(FIRST, 5, most, 0), Duration::ZERO);
        // Chance has its say about the longest wait as well.
        assert_eq!(wait(FIRST, 20, most, 1 << 63), LONGEST / 2);
    }

    proptest! {
        #[test]
        fn chance_decides_also_about_the_longest_wait(tries: u32, random: u64, ms in 0u64..5000) {
            let most = Duration::from_millis(ms);
            let wait = wait(FIRST, tries, most, random);
            prop_assert!(wait <= most && wait <= LONGEST);
            prop_assert!(wait_when_refused(random) >= LONGEST);
            if tries > 10 && ms >= 1000 {
                prop_assert!((wait < LONGEST / 2) == (random < 1 << 63));
            }
        }
    }
}
