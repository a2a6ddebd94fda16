//! How often connections are replaced that still work.

use std::time::{Duration, Instant};

use crate::back_off;

/// When connections may be replaced next, since the server seems not to be the one to use.
///
/// Nobody is without a connection meanwhile. But a server may say for long that it is a replica, as
/// it does to one who writes to a replica by mistake, and shall not be dialled for every such call.
#[derive(Debug, Default)]
pub(super) struct Replacing {
    times: u32,
    last: Option<Instant>,
    next: Option<Instant>,
}

impl Replacing {
    /// Whether connections are to be replaced now: at once at first, then with pauses that grow, as
    /// long as there is a reason again and again.
    pub(super) fn is_due(&mut self, now: Instant, random: u64) -> bool {
        let since = self.last.map(|last| now.saturating_duration_since(last));
        if since.is_none_or(|since| since >= QUIET) {
            *self = Self::default();
        }
        self.last = Some(now);
        if self.next.is_some_and(|next| next > now) {
            return false;
        }
        self.times = self.times.saturating_add(1);
        self.next = now.checked_add(back_off::wait(
            back_off::FIRST,
            self.times,
            Duration::MAX,
            random,
        ));
        true
    }
}

/// After how long without a reason the next one counts as the first.
const QUIET: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c09_connections_are_replaced_at_once_and_then_with_pauses_that_grow() {
        let mut replacing = Replacing::default();
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        // A caller who asks all the time, and chance that makes the longest pauses.
        let times: Vec<_> = (0..9_000)
            .filter(|at| replacing.is_due(ms(*at), u64::MAX))
            .collect();
        assert_eq!(times[..6], [0, 50, 150, 350, 750, 1550]);
        assert!(
            times.windows(2).skip(5).all(|two| two[1] - two[0] == 1000),
            "{times:?}"
        );
        assert!(!replacing.is_due(ms(9_000), 0), "not yet");
        assert!(replacing.is_due(ms(19_000), 0), "that was long ago");
    }
}
