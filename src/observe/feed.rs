//! What a client has told and its listeners do not know yet, and the thread that tells them.
//!
//! ```text
//!  a machine, under its lock ──▶ Feed::tell ──▶ the queue of its client ──▶ the one thread ──▶ listeners
//!                                    │                    ▲
//!                                    └─ full: counted     └─ at once, or with what comes within 10 ms
//! ```
//!
//! One thread tells the listeners of all clients of the process; it is begun when there is something to
//! tell. Connections and the topology are told at once. The ends of calls, which may be a million a
//! second, do not wake the thread: they are told with whatever comes next, within [`PAUSE`].

use std::{
    cell::Cell,
    collections::VecDeque,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::stats::{ServerStats, Source};
use crate::{
    address::Address,
    events::{Event, Sink},
};

/// Who is told what happens to a client; asked and told by one thread at a time.
pub(super) trait Listener: Send {
    /// Whether the end of every call is to be told.
    fn wants_calls(&self) -> bool;

    /// Takes note of an event, and of when it happened.
    fn told(&mut self, at: Instant, event: &Event);

    /// Whether it wants to know now and then what the client is doing.
    fn wants_samples(&self) -> bool {
        false
    }

    /// Takes note of what each server is doing.
    fn sampled(&mut self, servers: &[(Arc<Address>, ServerStats)]) {
        let _ = servers;
    }
}

/// The events of one client, and who listens to them.
pub(super) struct Feed {
    /// Itself, for the thread.
    me: Weak<Self>,
    queue: Mutex<Queue>,
    listeners: Mutex<Vec<Box<dyn Listener>>>,
    /// Who can say what the client is doing, if a listener wants to know.
    source: OnceLock<Weak<dyn Source>>,
    /// How many events were left out in all.
    dropped: AtomicU64,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<(Instant, Event)>,
    /// How many were left out since that was last told.
    dropped: u64,
    /// The thread knows that it has to look.
    is_scheduled: bool,
}

impl Feed {
    pub(super) fn new(listeners: Vec<Box<dyn Listener>>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            queue: Mutex::default(),
            listeners: Mutex::new(listeners),
            source: OnceLock::new(),
            dropped: AtomicU64::new(0),
        })
    }

    /// Lets the listeners look at a client that says what it is doing, if they want to.
    pub(super) fn sample(&self, source: Weak<dyn Source>) {
        if lock(&self.listeners).iter().any(|it| it.wants_samples()) {
            let _ = self.source.set(source);
        }
    }

    /// Tells the listeners what has come, and says whether there was anything.
    fn deliver(&self) -> bool {
        let mut queue = lock(&self.queue);
        let events = mem::take(&mut queue.events);
        let dropped = mem::take(&mut queue.dropped);
        if events.is_empty() && dropped == 0 {
            queue.is_scheduled = false;
            return false;
        }
        drop(queue);
        let dropped = (dropped > 0).then(|| {
            let event = Event::EventsDropped { events: dropped };
            (Instant::now(), event)
        });
        let mut listeners = lock(&self.listeners);
        for (at, event) in events.iter().chain(&dropped) {
            for listener in listeners.iter_mut() {
                protect(|| listener.told(*at, event));
            }
        }
        // Where nothing happens, nothing changes.
        if let Some(source) = self.source.get().and_then(Weak::upgrade) {
            let servers = source.servers();
            drop(source);
            for listener in listeners.iter_mut() {
                protect(|| listener.sampled(&servers));
            }
        }
        true
    }
}

impl Sink for Feed {
    fn tell(&self, at: Instant, event: Event) {
        let is_call = matches!(event, Event::CallEnded { .. });
        let mut queue = lock(&self.queue);
        let length = queue.events.len();
        let most = if is_call { MOST_CALLS } else { MOST };
        if length >= most {
            queue.dropped += 1;
            self.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            queue.events.push_back((at, event));
        }
        let is_new = !mem::replace(&mut queue.is_scheduled, true);
        drop(queue);
        if is_new || !is_call || length == MOST_CALLS / 2 {
            schedule(is_new.then(|| self.me.upgrade()).flatten());
        }
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Waits until the listeners of all clients of this process were told what has happened until now, at
/// most so long, and says whether they were.
///
/// The end of a program is the time for it: what is not told by then is lost.
pub fn flush(timeout: Duration) -> bool {
    if TELLS.get() {
        // It would wait for itself.
        return false;
    }
    let end = Instant::now().checked_add(timeout);
    let mut schedule = lock(&SCHEDULE);
    let is_all_told = schedule.feeds.is_empty() && !schedule.is_telling;
    if is_all_told || schedule.process != Some(process::id()) {
        return is_all_told;
    }
    schedule.asked += 1;
    let asked = schedule.asked;
    schedule.is_due = true;
    CHANGED.notify_one();
    while schedule.answered < asked {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        schedule = match left {
            Some(Duration::ZERO) => return false,
            Some(left) => {
                let waited = TOLD.wait_timeout(schedule, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => TOLD.wait(schedule).unwrap_or_else(PoisonError::into_inner),
        };
    }
    true
}

/// What the thread has to do.
struct Schedule {
    /// Those that may have something to tell.
    feeds: Vec<Arc<Feed>>,
    /// It shall look at once.
    is_due: bool,
    /// It is at it.
    is_telling: bool,
    /// How often a caller of [`flush`] has asked to be told when everything was told, and for how many of
    /// them it was.
    asked: u64,
    answered: u64,
    /// The process in which the thread runs.
    process: Option<u32>,
}

static SCHEDULE: Mutex<Schedule> = Mutex::new(Schedule {
    feeds: Vec::new(),
    is_due: false,
    is_telling: false,
    asked: 0,
    answered: 0,
    process: None,
});

/// Wakes the thread.
static CHANGED: Condvar = Condvar::new();

/// Wakes those who wait until everything was told.
static TOLD: Condvar = Condvar::new();

thread_local! {
    /// Whether this is the thread that tells.
    static TELLS: Cell<bool> = const { Cell::new(false) };
}

/// Has the thread look at once, at this one as well.
#[cold]
fn schedule(feed: Option<Arc<Feed>>) {
    let mut schedule = lock(&SCHEDULE);
    // A fork has the schedule, and not the thread.
    let process = process::id();
    if schedule.process != Some(process) {
        schedule.feeds.clear();
        schedule.is_telling = false;
        let started = thread::Builder::new()
            .name("respec-observe".to_owned())
            .spawn(run);
        // Where there can be no thread, the next event tries again.
        schedule.process = started.is_ok().then_some(process);
    }
    schedule.feeds.extend(feed);
    let is_new = !mem::replace(&mut schedule.is_due, true);
    drop(schedule);
    if is_new {
        CHANGED.notify_one();
    }
}

fn run() {
    TELLS.set(true);
    let mut schedule = lock(&SCHEDULE);
    loop {
        schedule = wait(schedule);
        schedule.is_due = false;
        schedule.is_telling = true;
        let asked = schedule.asked;
        let mut feeds = mem::take(&mut schedule.feeds);
        drop(schedule);
        feeds.retain(|feed| feed.deliver());
        schedule = lock(&SCHEDULE);
        schedule.feeds.append(&mut feeds);
        schedule.is_telling = false;
        if schedule.answered < asked {
            schedule.answered = asked;
            TOLD.notify_all();
        }
    }
}

/// Waits until it is time to look: at once if that is wanted, and otherwise after a pause if anything
/// has come a moment ago.
fn wait(mut schedule: MutexGuard<'static, Schedule>) -> MutexGuard<'static, Schedule> {
    let end = Instant::now() + PAUSE;
    while !schedule.is_due {
        schedule = if schedule.feeds.is_empty() {
            CHANGED
                .wait(schedule)
                .unwrap_or_else(PoisonError::into_inner)
        } else {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = CHANGED.wait_timeout(schedule, left);
            waited.unwrap_or_else(PoisonError::into_inner).0
        };
    }
    schedule
}

/// Runs code of users. Its panic was told by the hook of panics, and concerns no other listener.
fn protect(code: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(code));
}

/// A panic of a listener is caught, and nothing else panics while one of these is locked.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the end of a call may wait to be told.
const PAUSE: Duration = Duration::from_millis(10);

/// How many events wait to be told at most, ends of calls included.
const MOST: usize = MOST_CALLS + 4096;

/// With so many events that wait, no more ends of calls are taken.
const MOST_CALLS: usize = 16_384;
