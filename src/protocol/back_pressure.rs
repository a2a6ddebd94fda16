//! Who waits because too much is sent and not answered yet.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::Time;

/// Callers in front of a connection whose unanswered requests have reached their limit.
///
/// They come in one by one and in the order of their arrival; none overtakes those who wait. A
/// request that is larger than the limit comes in when there is room for any.
#[derive(Clone, Debug)]
pub(crate) struct BackPressure<W> {
    /// The bytes of unanswered requests beyond which callers wait.
    limit: u64,
    waiting: VecDeque<(W, Time)>,
}

impl<W: Copy + PartialEq> BackPressure<W> {
    /// The back-pressure of a connection that no caller waits in front of.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit as u64,
            waiting: VecDeque::new(),
        }
    }

    /// Whether a caller who comes now must wait.
    #[inline]
    pub(crate) fn is_closed(&self, unanswered: u64) -> bool {
        unanswered >= self.limit || !self.waiting.is_empty()
    }

    /// Whether anybody waits.
    #[inline]
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Lets a caller wait.
    pub(crate) fn wait(&mut self, waiter: W, time: Time) {
        self.waiting.push_back((waiter, time));
    }

    /// Lets the next one in, if there is room.
    ///
    /// To be called whenever something was answered, when one who was let in has sent or left, and now
    /// and then, since one who was let in may do neither.
    #[inline]
    pub(crate) fn admit(&mut self, unanswered: u64) -> Option<W> {
        if unanswered >= self.limit {
            return None;
        }
        self.waiting.pop_front().map(|(waiter, _)| waiter)
    }

    /// Forgets a caller who may be waiting.
    pub(crate) fn leave(&mut self, waiter: W) {
        self.waiting.retain(|(waiting, _)| *waiting != waiter);
    }

    /// When [`BackPressure::handle_timeout`] should be called, if nothing else happens before.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting
            .iter()
            .filter_map(|(_, time)| time.deadline)
            .min()
    }

    /// Sends those away whose deadline has come, and says how long each has waited.
    pub(crate) fn handle_timeout(&mut self, now: Instant, mut expired: impl FnMut(W, Duration)) {
        self.waiting.retain(|(waiter, time)| {
            let deadline = time.deadline.filter(|deadline| *deadline <= now);
            if let Some(deadline) = deadline {
                expired(*waiter, deadline.saturating_duration_since(time.now));
            }
            deadline.is_none()
        });
    }

    /// Sends everybody away.
    pub(crate) fn fail(&mut self, failed: impl FnMut(W)) {
        self.waiting
            .drain(..)
            .map(|(waiter, _)| waiter)
            .for_each(failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(deadline: Option<Instant>) -> Time {
        Time {
            now: Instant::now(),
            deadline,
        }
    }

    #[test]
    fn callers_wait_in_order_until_there_is_room() {
        let mut back_pressure = BackPressure::new(10);
        assert!(!back_pressure.is_closed(9));
        assert!(back_pressure.is_closed(10));
        back_pressure.wait('a', until(None));
        back_pressure.wait('b', until(None));
        back_pressure.wait('c', until(None));
        assert!(back_pressure.is_closed(0), "nobody overtakes");
        assert_eq!(back_pressure.admit(10), None);
        assert_eq!(back_pressure.admit(9), Some('a'));
        back_pressure.leave('b');
        assert_eq!(back_pressure.admit(0), Some('c'));
        assert_eq!(back_pressure.admit(0), None);
        assert!(!back_pressure.is_closed(0));
    }

    #[test]
    fn those_whose_time_is_over_are_sent_away() {
        let mut back_pressure = BackPressure::new(0);
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        back_pressure.wait('a', until(Some(at(3))));
        back_pressure.wait('b', until(None));
        back_pressure.wait('c', until(Some(at(1))));
        assert_eq!(back_pressure.poll_timeout(), Some(at(1)));
        let mut expired = Vec::new();
        back_pressure.handle_timeout(at(1), |waiter, _| expired.push(waiter));
        assert_eq!(expired, ['c']);
        assert_eq!(back_pressure.poll_timeout(), Some(at(3)));
        let mut failed = Vec::new();
        back_pressure.fail(|waiter| failed.push(waiter));
        assert_eq!(failed, ['a', 'b']);
    }
}
