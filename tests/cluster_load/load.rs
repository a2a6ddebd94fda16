//! A client under load: tasks that use it all the time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use respec_testkit::Cluster;

use crate::{
    books::{Books, Verdict},
    caller::Caller,
    side::{Running, Side},
    witness::Witnesses,
    worker::Worker,
};

/// A client under load.
pub(crate) struct Load<'s> {
    side: &'s Side,
    caller: Caller,
    books: Arc<Books>,
    slots: Vec<u16>,
    stop: Arc<AtomicBool>,
    /// The index of the slot that workers prefer.
    favourite: Arc<AtomicUsize>,
    workers: Vec<Running<()>>,
    /// How many of them have ended.
    ended: Arc<AtomicUsize>,
    /// Who writes has a number, and this is the first that is free.
    next_writer: u32,
}

/// What a load does.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Tells this run's keys from those of others.
    pub(crate) run: u32,
    /// Where the keys are.
    pub(crate) slots: Vec<u16>,
    /// How long a call may take.
    pub(crate) limit: Duration,
}

impl<'s> Load<'s> {
    /// Writes all keys once, and begins.
    pub(crate) fn start(side: &'s Side, cluster: &Cluster, plan: &Plan) -> Self {
        let caller = Caller::connect(side, &url(cluster, plan.limit));
        let books = Arc::new(Books::new(plan.run, &plan.slots, plan.limit));
        let stop = Arc::new(AtomicBool::new(false));
        let favourite = Arc::new(AtomicUsize::new(0));
        let filling: Vec<_> = (0..WORKERS)
            .map(|number| {
                let (books, favourite) = (Arc::clone(&books), Arc::clone(&favourite));
                let mut worker = Worker::new(number, caller.clone(), books, favourite, plan);
                side.spawn(async move {
                    worker.fill().await;
                    worker
                })
            })
            .collect();
        let filled: Vec<_> = filling.into_iter().map(|filling| filling()).collect();
        let ended = Arc::new(AtomicUsize::new(0));
        let workers = filled.into_iter().map(|mut worker| {
            let (stop, ended) = (Arc::clone(&stop), Arc::clone(&ended));
            side.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    worker.work().await;
                }
                ended.fetch_add(1, Ordering::Relaxed);
            })
        });
        Self {
            workers: workers.collect(),
            ended,
            side,
            caller,
            books,
            slots: plan.slots.clone(),
            stop,
            favourite,
            next_writer: WORKERS,
        }
    }

    pub(crate) fn side(&self) -> &Side {
        self.side
    }

    pub(crate) fn books(&self) -> &Books {
        &self.books
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Begins to watch when writes in a slot are acknowledged, and waits until the first ones are.
    pub(crate) fn witnesses(&mut self, slot: u16) -> Witnesses {
        let first = self.next_writer;
        self.next_writer += WITNESSES;
        let at = self.index_of(slot);
        let writers = first..self.next_writer;
        Witnesses::start(self.side, &self.caller, &self.books, at, writers)
    }

    /// Lets workers prefer a slot from now on.
    pub(crate) fn prefer(&self, slot: u16) {
        self.favourite.store(self.index_of(slot), Ordering::Relaxed);
    }

    /// Waits until so many commands have been done in all, or until then.
    ///
    /// It may be that nobody gets anything done before something else happens.
    pub(crate) fn wait_for(&self, commands: u64, end: Instant) {
        while self.books.operations() < commands && Instant::now() < end {
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Ends all tasks and has the oracles judge.
    pub(crate) fn finish(self, cluster: &Cluster) -> Verdict {
        self.stop.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        while self.ended.load(Ordering::Relaxed) < self.workers.len() {
            let overdue = || self.books.overdue();
            assert!(begun.elapsed() < PATIENCE, "hanging: {:?}", overdue());
            thread::sleep(POLL_INTERVAL);
        }
        for worker in self.workers {
            worker();
        }
        let books = Arc::into_inner(self.books).expect("no task holds the books any more");
        books.close(cluster)
    }

    fn index_of(&self, slot: u16) -> usize {
        let mut slots = self.slots.iter();
        slots.position(|other| *other == slot).unwrap()
    }
}

/// A cluster's URL for a client whose calls may take so long.
pub(crate) fn url(cluster: &Cluster, limit: Duration) -> String {
    format!("{}?response_timeout={}ms", cluster.url(), limit.as_millis())
}

const WORKERS: u32 = 8;
const WITNESSES: u32 = 4;
/// How long the last calls may take, at the very most.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(1);
