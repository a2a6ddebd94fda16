//! When a server may be dialled: again at once after the first failure, then ever later.
//!
//! As long as attempts succeed, any number may be under way. After a failure there is one at a time,
//! and each waits for its pause: none at first, then by chance up to a limit that doubles up to a
//! second, and a second or more where the server itself refuses. The first success ends that.
//!
//! All connections to a server are paced together: the shared ones, those of its pool, and those for
//! urgent calls.

use std::time::{Duration, Instant};

use crate::{
    back_off,
    config::Offline,
    error::Error,
    mutant::{self, Mutant},
    protocol::is_refusal,
};

/// When the next attempt to connect may be made.
#[derive(Debug)]
pub(crate) struct Pacing {
    /// How long an attempt may take; one that takes longer is no longer waited for, since its task
    /// may be one of a runtime that does not run.
    longest: Duration,
    /// What becomes of callers while attempts fail.
    offline: Offline,
    /// How many attempts have failed at all.
    failed: u64,
    failing: Option<Failing>,
}

/// Attempts to connect fail.
#[derive(Debug)]
struct Failing {
    failures: u32,
    /// The next attempt is not made before.
    retry_at: Instant,
    /// When the one attempt that is made meanwhile has begun.
    probing: Option<Instant>,
    error: Error,
}

/// Leave to make one attempt to connect.
#[derive(Debug)]
#[must_use = "an attempt whose end is not told keeps others from being made"]
pub(crate) struct DialPermit {
    /// It is the one attempt that is made while others fail.
    probes: bool,
    since: Instant,
}

impl Pacing {
    /// A server of which nothing is known, and attempts that may take so long.
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            longest,
            offline: Offline::Wait,
            failed: 0,
            failing: None,
        }
    }

    /// The same, where that becomes of callers while attempts fail.
    pub(crate) fn offline(self, offline: Offline) -> Self {
        Self { offline, ..self }
    }

    /// The same without anything that was learnt.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.longest).offline(self.offline)
    }

    /// Leave to make an attempt, if one may be made now.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<DialPermit> {
        if let Some(failing) = &mut self.failing {
            let probing = failing.probing.is_some_and(|since| {
                now.saturating_duration_since(since) < self.longest.saturating_add(SLACK)
            });
            if (probing || failing.retry_at > now) && !mutant::is(Mutant::AllDial) {
                return None;
            }
            failing.probing = Some(now);
        }
        Some(DialPermit {
            probes: self.failing.is_some(),
            since: now,
        })
    }

    /// Takes note of an attempt that has succeeded.
    pub(crate) fn succeeded(&mut self, dial_permit: DialPermit) {
        let DialPermit { .. } = dial_permit;
        self.failing = None;
    }

    /// Takes note of an attempt that has failed, and says how long the next one has to wait.
    ///
    /// An error that no dialling can lead to says nothing about the server.
    pub(crate) fn failed(
        &mut self,
        dial_permit: DialPermit,
        error: &Error,
        now: Instant,
        random: u64,
    ) -> Duration {
        self.failed += 1;
        // What was begun before the first failure tells nothing new about those behind it.
        let is_news = self
            .failing
            .as_ref()
            .is_none_or(|failing| failing.is_probed_by(&dial_permit));
        if !error.is_of_connecting() || !is_news {
            self.given_up(dial_permit);
            return Duration::ZERO;
        }
        let failures = self.failures();
        let pause = if is_refusal(error) && !mutant::is(Mutant::RefusalHastened) {
            back_off::wait_when_refused(random)
        } else {
            back_off::wait(back_off::FIRST, failures, Duration::MAX, random)
        };
        self.failing = Some(Failing {
            failures: failures.saturating_add(1),
            retry_at: now + pause,
            probing: None,
            error: error.clone(),
        });
        pause
    }

    /// Takes note of an attempt of which nothing came.
    pub(crate) fn given_up(&mut self, dial_permit: DialPermit) {
        if let Some(failing) = &mut self.failing
            && failing.is_probed_by(&dial_permit)
        {
            failing.probing = None;
        }
    }

    /// How many attempts have failed at all.
    pub(crate) fn failed_attempts(&self) -> u64 {
        self.failed
    }

    /// How many attempts have failed since one last succeeded.
    pub(crate) fn failures(&self) -> u32 {
        self.failing.as_ref().map_or(0, |failing| failing.failures)
    }

    /// Whether the last attempt has failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// Why the last attempt has failed.
    pub(crate) fn error(&self) -> Option<&Error> {
        self.failing.as_ref().map(|failing| &failing.error)
    }

    /// Why there is no connection, where callers are not to wait for one.
    pub(crate) fn refuses(&self) -> Option<&Error> {
        match self.offline {
            Offline::Fail => self.error(),
            Offline::Wait => None,
        }
    }

    /// When to ask again, where no attempt is under way and none may be made yet.
    pub(crate) fn retry_at(&self, now: Instant) -> Option<Instant> {
        let failing = self.failing.as_ref()?;
        let at = match failing.probing {
            None => Some(failing.retry_at),
            Some(since) => since.checked_add(self.longest.saturating_add(SLACK)),
        };
        at.filter(|at| *at > now)
    }

    /// Why no attempt may be made now, where that is for the last one's failure.
    pub(crate) fn pause(&self, now: Instant) -> Option<&Error> {
        let failing = self.failing.as_ref()?;
        (failing.retry_at > now).then_some(&failing.error)
    }
}

impl Failing {
    /// Whether an attempt is the one that is made meanwhile, and not one of an earlier time.
    fn is_probed_by(&self, dial_permit: &DialPermit) -> bool {
        dial_permit.probes && self.probing == Some(dial_permit.since)
    }
}

impl DialPermit {
    /// When the attempt began.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    #[cfg(test)]
    pub(super) fn probes(&self) -> bool {
        self.probes
    }
}

/// How much longer than its time an attempt may take before it is no longer waited for.
const SLACK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::error::ErrorKind;

    const LONGEST: Duration = Duration::from_secs(5);

    fn unreachable() -> Error {
        Error::io(
            ErrorKind::Connect,
            "cannot reach",
            io::ErrorKind::ConnectionRefused.into(),
        )
    }

    fn refused() -> Error {
        Error::new(
            ErrorKind::Connect,
            "the server rejects the password (WRONGPASS)",
        )
    }

    #[test]
    fn c11_the_first_retry_comes_at_once_and_later_ones_alone_and_after_a_pause() {
        let mut pacing = Pacing::new(LONGEST);
        let start = Instant::now();
        let first = pacing.begin(start).unwrap();
        let beside = pacing.begin(start).unwrap();
        assert_eq!(
            pacing.failed(first, &unreachable(), start, u64::MAX),
            Duration::ZERO
        );
        assert_eq!(
            pacing.failed(beside, &unreachable(), start, u64::MAX),
            Duration::ZERO
        );
        assert_eq!(pacing.failures(), 1, "the one beside tells nothing new");

        let mut now = start;
        for limit in [49, 99, 199, 399, 799, 999, 999] {
            let probe = pacing.begin(now).unwrap();
            assert!(pacing.begin(now).is_none(), "one at a time");
            let pause = pacing.failed(probe, &unreachable(), now, u64::MAX);
            assert_eq!(pause.as_millis(), limit);
            assert!(
                pacing
                    .begin(now + pause - Duration::from_nanos(1))
                    .is_none()
            );
            assert_eq!(pacing.retry_at(now), Some(now + pause));
            assert!(pacing.pause(now).is_some() && pacing.pause(now + pause).is_none());
            now += pause;
        }
        let probe = pacing.begin(now).unwrap();
        pacing.succeeded(probe);
        assert!(!pacing.is_failing());
        let several = [pacing.begin(now), pacing.begin(now)];
        assert!(
            several.iter().all(Option::is_some),
            "any number may be under way"
        );
    }

    #[test]
    fn c11_a_server_that_refuses_is_left_alone_for_a_second_or_more() {
        for random in [0, u64::MAX] {
            let mut pacing = Pacing::new(LONGEST);
            let now = Instant::now();
            let attempt = pacing.begin(now).unwrap();
            let pause = pacing.failed(attempt, &refused(), now, random);
            assert!((1000..=1500).contains(&pause.as_millis()), "{pause:?}");
        }
    }

    #[test]
    fn c09_a_server_that_is_not_ready_is_tried_like_one_that_cannot_be_reached() {
        for (code, pause) in [
            ("LOADING", 0),
            ("BUSY", 0),
            ("MASTERDOWN", 0),
            ("READONLY", 0),
            ("WRONGPASS", 1500),
            ("NOAUTH", 1500),
            ("NOPERM", 1500),
        ] {
            let mut pacing = Pacing::new(LONGEST);
            let now = Instant::now();
            let attempt = pacing.begin(now).unwrap();
            let error = Error::new(ErrorKind::Connect, "the server says so")
                .with_source(Error::server(code.as_bytes()));
            let paused = pacing.failed(attempt, &error, now, u64::MAX);
            assert_eq!(paused.as_millis().div_ceil(100) * 100, pause, "{code}");
        }
    }

    #[test]
    fn an_attempt_that_never_ends_does_not_keep_others_from_being_made() {
        let mut pacing = Pacing::new(LONGEST);
        let start = Instant::now();
        let attempt = pacing.begin(start).unwrap();
        let _ = pacing.failed(attempt, &unreachable(), start, 0);
        let lost = pacing.begin(start).unwrap();
        let end = start + LONGEST + SLACK;
        assert_eq!(pacing.retry_at(start), Some(end));
        assert!(pacing.begin(end - Duration::from_nanos(1)).is_none());
        let late = end;
        assert_eq!(
            pacing.retry_at(late),
            None,
            "nobody waits for a time that is over"
        );
        let other = pacing.begin(late).unwrap();
        // What comes of the first one later leaves the second alone.
        pacing.given_up(lost);
        assert!(pacing.begin(late).is_none());
        pacing.given_up(other);
        assert!(pacing.begin(late).is_some());
    }

    #[test]
    fn an_error_that_comes_from_no_dialling_says_nothing_about_the_server() {
        let mut pacing = Pacing::new(LONGEST);
        let now = Instant::now();
        let attempt = pacing.begin(now).unwrap();
        let config = Error::new(ErrorKind::Config, "pool_max: expected 1 or more");
        let _ = pacing.failed(attempt, &config, now, 0);
        assert!(!pacing.is_failing());
    }
}
