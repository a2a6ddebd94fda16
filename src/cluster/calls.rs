//! The calls of a client: how many there are, and whether there may be more.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    error::{Error, ErrorKind, Result},
    events::Events,
    mutant::{self, Mutant},
};

/// Counts the calls of a client, all its clones and the clients of its nodes included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    ended: AtomicU64,
    /// No more may begin.
    closing: AtomicBool,
    /// Those that are under way have been given up as well.
    closed: AtomicBool,
    /// Whether a listener wants to know of each.
    watched: bool,
    events: Events,
    /// Who waits until none is under way.
    waiting: Mutex<Vec<Waker>>,
    /// The bytes of those that wait for a connection.
    offline: AtomicUsize,
}

/// A call that is under way, as long as this lives.
#[derive(Debug)]
pub(crate) struct CallGuard<'c>(&'c Counts);

/// The bytes of a call that waits for a connection, as long as this lives.
#[derive(Debug)]
pub(crate) struct OfflineBytes {
    counts: Arc<Counts>,
    bytes: usize,
}

impl Calls {
    /// Counts the bytes of a call that begins to wait for a connection while attempts to make one fail.
    ///
    /// # Errors
    ///
    /// With those of others that wait they are more than `most`.
    pub(crate) fn wait_offline(&self, bytes: usize, most: usize) -> Result<OfflineBytes> {
        let waiting = self.wait(bytes);
        let all = self.0.offline.load(Ordering::Relaxed);
        // One that is larger by itself waits where no other call does.
        if all > bytes && all > most && !mutant::is(Mutant::OfflineUnbounded) {
            return Err(Error::new(
                ErrorKind::Connect,
                format!(
                    "calls of {} bytes wait for one already, and with this one they would be more than {most} (max_unanswered)",
                    all - bytes
                ),
            ));
        }
        Ok(waiting)
    }

    /// The same while an attempt is under way of which nothing is known, or of a call that was there
    /// before.
    pub(crate) fn wait(&self, bytes: usize) -> OfflineBytes {
        self.0.offline.fetch_add(bytes, Ordering::Relaxed);
        OfflineBytes {
            counts: Arc::clone(&self.0),
            bytes,
        }
    }

    /// Those of a client that tells its events there.
    pub(crate) fn of_client(events: Events) -> Self {
        Self(Arc::new(Counts {
            watched: events.wants_calls(),
            events,
            ..Counts::default()
        }))
    }

    /// Whether a listener wants to know of each.
    #[inline]
    pub(crate) fn are_watched(&self) -> bool {
        self.0.watched
    }

    /// Where what happens to them is told.
    pub(crate) fn events(&self) -> &Events {
        &self.0.events
    }

    /// Begins a call.
    ///
    /// # Errors
    ///
    /// The client was closed.
    #[inline]
    pub(crate) fn begin(&self) -> Result<CallGuard<'_>> {
        // Counted before it looks, so that whoever closes sees it unless it sees that.
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        let guard = CallGuard(&self.0);
        match self.0.closing.load(Ordering::SeqCst) {
            false => Ok(guard),
            true => Err(closed()),
        }
    }

    /// How many have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// How many are under way.
    pub(crate) fn under_way(&self) -> u64 {
        // In this order none is counted that has ended before it was looked for.
        let ended = self.0.ended.load(Ordering::SeqCst);
        self.0.begun.load(Ordering::SeqCst).saturating_sub(ended)
    }

    /// Lets no more calls begin.
    pub(crate) fn close(&self) {
        self.0.closing.store(true, Ordering::SeqCst);
    }

    /// Gives up those that are under way.
    pub(crate) fn give_up(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
    }

    /// Whether no more calls may begin.
    pub(crate) fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Relaxed)
    }

    /// The error of a call that is still under way in a client that has given up all of them.
    pub(crate) fn check(&self) -> Result<()> {
        match self.0.closed.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(closed()),
        }
    }

    /// Waits, in a client that is closing, until no call is under way.
    pub(crate) fn poll_idle(&self, cx: &Context<'_>) -> Poll<()> {
        self.0.waiting().push(cx.waker().clone());
        match self.under_way() {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Counts {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn wake(&self) {
        let waiting = std::mem::take(&mut *self.waiting());
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Drop for OfflineBytes {
    fn drop(&mut self) {
        self.counts.offline.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Drop for CallGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
        if self.0.closing.load(Ordering::SeqCst) {
            self.0.wake();
        }
    }
}

/// The error of a call of a client that was closed.
pub(crate) fn closed() -> Error {
    Error::new(
        ErrorKind::Closed,
        "expected a client that is open, and this one was closed",
    )
}

/// The error of who closes a client while calls are under way that do not end in time.
pub(crate) fn not_in_time(under_way: u64, timeout: Duration) -> Error {
    Error::new(
        ErrorKind::Closed,
        format!("{under_way} calls were still under way after {timeout:?}, and have failed"),
    )
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicUsize, task::Wake};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn only_so_many_bytes_wait_for_a_connection_unless_one_call_has_more_by_itself() {
        let calls = Calls::default();
        let large = calls.wait_offline(500, 100).unwrap();
        let refused = calls.wait_offline(1, 100).unwrap_err();
        assert!(refused.is_retryable() && refused.is_connection());
        assert!(
            refused.to_string().contains("calls of 500 bytes wait"),
            "{refused}"
        );
        drop(large);
        let first = calls.wait_offline(60, 100).unwrap();
        let second = calls.wait_offline(40, 100).unwrap();
        assert!(calls.wait_offline(1, 100).is_err());
        // What was there before is kept in any case, and counts.
        let again = calls.wait(50);
        drop((first, second));
        assert!(calls.wait_offline(51, 100).is_err());
        assert!(calls.wait_offline(50, 100).is_ok());
        drop(again);
        assert_eq!(calls.0.offline.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_client_that_closes_waits_for_its_calls_and_lets_none_begin() {
        let calls = Calls::default();
        let one = calls.begin().unwrap();
        let other = calls.clone();
        let two = other.begin().unwrap();
        assert_eq!((calls.begun(), calls.under_way()), (2, 2));
        calls.close();
        let refused = other.begin().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Closed);
        assert!(!refused.may_have_executed());
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        assert!(calls.poll_idle(&cx).is_pending());
        drop(one);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(calls.poll_idle(&cx).is_pending());
        assert!(calls.check().is_ok());
        drop(two);
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
        assert!(calls.poll_idle(&cx).is_ready());
        calls.give_up();
        assert!(other.check().is_err());
        assert_eq!(calls.under_way(), 0);
    }
}
