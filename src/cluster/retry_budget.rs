//! How much may be sent again: retries must not multiply the load of servers that are in trouble.

use std::time::Instant;

use super::calls::Calls;

/// Allows one retry for each call of the last seconds, and a few besides.
///
/// So retries at most double the load, whatever the back-off of each call would allow.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    calls: Calls,
    /// How many calls there were when it was asked last, and when that was.
    known: u64,
    asked: Instant,
    /// About how many there were in the last [`WINDOW`].
    recent: f64,
    /// How many retries are allowed now.
    allowed: f64,
}

impl RetryBudget {
    /// A budget for a client with these calls, from now on.
    pub(crate) fn new(calls: Calls, now: Instant) -> Self {
        Self {
            calls,
            known: 0,
            asked: now,
            recent: 0.0,
            allowed: LEAST_RATE * WINDOW,
        }
    }

    /// The calls of the client.
    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Takes one retry, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let calls = self.calls.begun();
        // The difference is far below what an `f64` holds exactly.
        let new = calls.wrapping_sub(self.known) as f64;
        let passed = now.saturating_duration_since(self.asked).as_secs_f64();
        self.known = calls;
        self.asked = self.asked.max(now);
        self.recent = self.recent * (-passed / WINDOW).exp() + new;
        let most = self.recent + LEAST_RATE * WINDOW;
        self.allowed = (self.allowed + new + LEAST_RATE * passed).min(most);
        let is_allowed = self.allowed >= 1.0;
        if is_allowed {
            self.allowed -= 1.0;
        }
        is_allowed
    }
}

/// For how many seconds a call allows a retry.
const WINDOW: f64 = 10.0;

/// How many retries are allowed each second, however few calls there are.
const LEAST_RATE: f64 = 100.0;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn taken(budget: &mut RetryBudget, now: Instant) -> u32 {
        let mut taken = 0;
        while taken < 100_000 && budget.take(now) {
            taken += 1;
        }
        taken
    }

    #[test]
    fn a_client_with_few_calls_has_a_hundred_retries_a_second() {
        let start = Instant::now();
        let mut budget = RetryBudget::new(Calls::default(), start);
        assert_eq!(taken(&mut budget, start), 1000);
        assert_eq!(taken(&mut budget, start + Duration::from_millis(500)), 50);
        assert_eq!(taken(&mut budget, start + Duration::from_secs(60)), 1000);
    }

    #[test]
    fn each_call_allows_one_retry_for_a_while() {
        let start = Instant::now();
        let mut budget = RetryBudget::new(Calls::default(), start);
        taken(&mut budget, start);
        (0..5000).for_each(|_| drop(budget.calls().begin().unwrap()));
        assert_eq!(taken(&mut budget, start), 5000);
        assert_eq!(taken(&mut budget, start), 0);
        // What was allowed and not used is forgotten with the calls that allowed it.
        (0..50_000).for_each(|_| drop(budget.calls().begin().unwrap()));
        assert!(budget.take(start));
        let later = start + Duration::from_secs(100);
        let taken = taken(&mut budget, later);
        assert!((1000..1100).contains(&taken), "{taken}");
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let start = Instant::now() + Duration::from_secs(9);
        let mut budget = RetryBudget::new(Calls::default(), start);
        taken(&mut budget, start);
        assert_eq!(taken(&mut budget, start - Duration::from_secs(5)), 0);
        assert_eq!(taken(&mut budget, start), 0);
    }
}
