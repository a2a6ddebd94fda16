//! Tasks that do what programs do with a cluster, all the time, and keep book of it.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use respec::{Error, Result, cmd};
use respec_testkit::{Cluster, key_in_slot, oracle::Tag};

use crate::{
    books::{Books, Verdict, settle},
    caller::{Caller, Mixed, Running, Side},
};

/// A client under load.
pub(crate) struct Load<'s, S: Side> {
    side: &'s S,
    caller: S::Caller,
    books: Arc<Books>,
    slots: Vec<u16>,
    stop: Arc<AtomicBool>,
    /// The index of the slot that workers prefer.
    favourite: Arc<AtomicUsize>,
    workers: Vec<Running<()>>,
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
    /// Whether servers lose nothing in this run, so that a reply is never older than what was
    /// acknowledged before.
    pub(crate) durable: bool,
    /// How long a call may take.
    pub(crate) limit: Duration,
}

impl<'s, S: Side> Load<'s, S> {
    /// Writes all keys once, and begins.
    pub(crate) fn start(side: &'s S, cluster: &Cluster, plan: &Plan) -> Self {
        let caller = side.connect(&url(cluster, plan.limit));
        let books = Arc::new(Books::new(plan.run, &plan.slots, plan.limit));
        let stop = Arc::new(AtomicBool::new(false));
        let favourite = Arc::new(AtomicUsize::new(0));
        let filling: Vec<_> = (0..WORKERS)
            .map(|number| {
                let mut worker = Worker::new(number, caller.clone(), Arc::clone(&books), plan);
                worker.favourite = Arc::clone(&favourite);
                side.spawn(async move {
                    worker.fill().await;
                    worker
                })
            })
            .collect();
        let filled: Vec<_> = filling.into_iter().map(|filling| filling()).collect();
        let workers = filled.into_iter().map(|mut worker| {
            let stop = Arc::clone(&stop);
            side.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    worker.work().await;
                }
            })
        });
        Self {
            workers: workers.collect(),
            side,
            caller,
            books,
            slots: plan.slots.clone(),
            stop,
            favourite,
            next_writer: WORKERS,
        }
    }

    pub(crate) fn books(&self) -> &Books {
        &self.books
    }

    pub(crate) fn caller(&self) -> &S::Caller {
        &self.caller
    }

    /// Begins to watch when writes in a slot are acknowledged, and waits until the first ones are.
    pub(crate) fn witnesses(&mut self, slot: u16) -> Witnesses {
        let at = self.index_of(slot);
        let stop = Arc::new(AtomicBool::new(false));
        let first = self.next_writer;
        self.next_writer += WITNESSES;
        let witnesses: Vec<_> = (first..self.next_writer)
            .map(|writer| {
                let seen = Writes::default();
                let task = witness(
                    self.caller.clone(),
                    Arc::clone(&self.books),
                    (at, writer),
                    Arc::clone(&stop),
                    Arc::clone(&seen),
                );
                (seen, self.side.spawn(task))
            })
            .collect();
        let witnesses = Witnesses { stop, witnesses };
        let now = Instant::now();
        witnesses.wait_for_all(|write| write.done >= now);
        witnesses
    }

    /// Lets workers prefer a slot from now on.
    pub(crate) fn prefer(&self, slot: u16) {
        self.favourite.store(self.index_of(slot), Ordering::Relaxed);
    }

    /// Waits until so many more commands have been done, or for as long as may be.
    ///
    /// It may be that nobody gets anything done before something else happens.
    pub(crate) fn let_work(&self, commands: u64, at_most: Duration) {
        let (enough, end) = (self.books.operations() + commands, Instant::now() + at_most);
        while self.books.operations() < enough && Instant::now() < end {
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Ends all tasks and has the oracles judge.
    pub(crate) fn finish(self, cluster: &Cluster) -> Verdict {
        self.stop.store(true, Ordering::Relaxed);
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

/// A task that does one thing after the other, mostly with keys of its own.
struct Worker<C> {
    number: u32,
    caller: C,
    books: Arc<Books>,
    /// Two in each slot, which only this worker writes.
    keys: Vec<[OwnKey; 2]>,
    durable: bool,
    favourite: Arc<AtomicUsize>,
    numbers: Numbers,
}

/// A key whose values say which write they are of.
struct OwnKey {
    name: String,
    number: u32,
    /// The last write that was begun.
    sent: u64,
    /// The oldest write whose value may be found.
    oldest: u64,
}

impl<C: Caller> Worker<C> {
    fn new(number: u32, caller: C, books: Arc<Books>, plan: &Plan) -> Self {
        let slots = (0..).zip(&plan.slots);
        let keys = slots.map(|(at, slot)| {
            let first = (number << 16) + 2 * at;
            [0, 1].map(|index| OwnKey {
                name: format!("{}:{}:{number}:{index}", key_in_slot(*slot), plan.run),
                number: first + index,
                sent: 0,
                oldest: 1,
            })
        });
        Self {
            keys: keys.collect(),
            number,
            caller,
            books,
            durable: plan.durable,
            favourite: Arc::default(),
            numbers: Numbers(u64::from(plan.run) << 32 | u64::from(number)),
        }
    }

    /// Writes every key once.
    async fn fill(&mut self) {
        for at in 0..self.keys.len() {
            for index in [0, 1] {
                assert!(self.set(at, index).await, "nothing is wrong yet");
            }
        }
    }

    /// Does one thing, by chance.
    async fn work(&mut self) {
        let at = self.slot();
        let index = self.numbers.below(2);
        match self.numbers.below(16) {
            0..=1 => drop(self.set(at, index).await),
            2..=5 => self.get(at, index).await,
            6 => self.mset(vec![(at, 0), (at, 1)]).await,
            7..=8 => self.mget(&[(at, 0), (at, 1)]).await,
            9 => {
                let keys = self.several(index);
                self.mset(keys).await;
            }
            10 => {
                let keys = self.several(index);
                self.mget(&keys).await;
            }
            11 => self.rpush(at).await,
            12 => self.incr(at).await,
            13 => self.transaction(at).await,
            _ => {
                let [set, incr, rpush] = [(); 3].map(|()| self.slot());
                self.pipeline([at, set, incr, rpush]).await;
            }
        }
    }

    async fn set(&mut self, at: usize, index: usize) -> bool {
        let value = self.next_value(at, index);
        let call = self.books.begin("SET");
        let name = &self.keys[at][index].name;
        let result = self.caller.call(cmd::set(name, value)).await;
        self.books.end(call, well(&result), result.as_ref().err());
        self.written((at, index), &result)
    }

    async fn get(&mut self, at: usize, index: usize) {
        let call = self.books.begin("GET");
        let name = &self.keys[at][index].name;
        let result = self.caller.call(cmd::get(name)).await;
        self.books.end(call, well(&result), result.as_ref().err());
        if let Ok(value) = result {
            self.check((at, index), value.as_ref());
        }
    }

    async fn mset(&mut self, keys: Vec<(usize, usize)>) {
        let values: Vec<_> = keys
            .iter()
            .map(|(at, index)| self.next_value(*at, *index))
            .collect();
        let call = self.books.begin("MSET");
        let names = keys.iter().map(|(at, index)| &self.keys[*at][*index].name);
        let result = self.caller.call(cmd::mset(names.zip(values))).await;
        self.books.end(call, well(&result), result.as_ref().err());
        for key in keys {
            self.written(key, &result);
        }
    }

    async fn mget(&mut self, keys: &[(usize, usize)]) {
        let call = self.books.begin("MGET");
        let names = keys.iter().map(|(at, index)| &self.keys[*at][*index].name);
        let result = self.caller.call(cmd::mget(names)).await;
        self.books.end(call, well(&result), result.as_ref().err());
        if let Ok(values) = result {
            assert_eq!(values.len(), keys.len());
            for (key, value) in keys.iter().zip(values) {
                self.check(*key, value.as_ref());
            }
        }
    }

    async fn rpush(&self, at: usize) {
        let (element, operation) = self.books.append(at, self.number);
        let call = self.books.begin("RPUSH");
        let list = self.books.list(at);
        let result = self.caller.call(cmd::rpush(list, &element)).await;
        self.books.end(call, well(&result), result.as_ref().err());
        settle(operation, &result);
    }

    async fn incr(&self, at: usize) {
        let _ = count(&self.caller, &self.books, at, self.number).await;
    }

    async fn transaction(&self, at: usize) {
        let (element, append) = self.books.append(at, self.number);
        let count = self.books.count(at, self.number);
        let call = self.books.begin("EXEC");
        let (counter, list) = (self.books.counter(at), self.books.list(at));
        let result = self.caller.transaction(counter, list, &element).await;
        self.books
            .end(call, 2 * well(&result), result.as_ref().err());
        settle(
            count,
            &result.as_ref().map(|both| both.0).map_err(Error::clone),
        );
        settle(
            append,
            &result.as_ref().map(|both| both.1).map_err(Error::clone),
        );
    }

    /// A pipeline over four slots, or fewer.
    async fn pipeline(&mut self, [get, set, incr, rpush]: [usize; 4]) {
        let value = self.next_value(set, 0);
        let count = self.books.count(incr, self.number);
        let (element, append) = self.books.append(rpush, self.number);
        let commands = Mixed {
            get: &self.keys[get][1].name,
            set: (&self.keys[set][0].name, &value),
            incr: self.books.counter(incr),
            rpush: (self.books.list(rpush), &element),
        };
        let call = self.books.begin("pipeline");
        let results = self.caller.pipeline(commands).await;
        let all = |error: Error| {
            let (one, other) = (error.clone(), error.clone());
            (Err(one), Err(other), Err(error.clone()), Err(error))
        };
        let (got, written, counted, pushed) = results.unwrap_or_else(all);
        let errors = [
            got.as_ref().err(),
            written.as_ref().err(),
            counted.as_ref().err(),
        ];
        let errors: Vec<_> = errors
            .into_iter()
            .chain([pushed.as_ref().err()])
            .flatten()
            .collect();
        self.books.end(call, 4 - errors.len() as u64, errors);
        if let Ok(value) = got {
            self.check((get, 1), value.as_ref());
        }
        self.written((set, 0), &written);
        settle(count, &counted);
        settle(append, &pushed);
    }

    fn slot(&mut self) -> usize {
        match self.numbers.below(4) {
            0 => self.favourite.load(Ordering::Relaxed),
            _ => self.numbers.below(self.keys.len()),
        }
    }

    /// A key in each of some slots that differ.
    fn several(&mut self, index: usize) -> Vec<(usize, usize)> {
        let (first, step) = (self.slot(), 1 + self.numbers.below(3));
        let slots = (0..self.keys.len()).step_by(step).take(4);
        slots
            .map(|at| ((first + at) % self.keys.len(), index))
            .collect()
    }

    /// The value of the next write of a key.
    fn next_value(&mut self, at: usize, index: usize) -> Vec<u8> {
        let length = match self.numbers.below(64) {
            0 => LARGE,
            other => 8 * other,
        };
        let key = &mut self.keys[at][index];
        key.sent += 1;
        self.books.tags.tag(key.number, key.sent).value(length)
    }

    /// What came of the last write of a key; whether it was acknowledged.
    fn written(&mut self, (at, index): (usize, usize), result: &Result<()>) -> bool {
        let key = &mut self.keys[at][index];
        if result.is_ok() && self.durable {
            key.oldest = key.sent;
        }
        result.is_ok()
    }

    /// What was read of a key is a value of this key, and none that was overwritten for certain.
    fn check(&self, (at, index): (usize, usize), value: Option<&Bytes>) {
        let key = &self.keys[at][index];
        let tag = self.books.tags.tag(key.number, key.sent);
        let writes = key.oldest..=key.sent;
        let is_one = |other: Tag| {
            let sequence = tag.sequence;
            Tag { sequence, ..other } == tag && writes.contains(&other.sequence)
        };
        let value = value.map(Bytes::as_ref).unwrap_or_default();
        self.books.tags.check_with(tag, value, is_one);
    }
}

/// Tasks that count in one slot, one call after the other, and remember when.
pub(crate) struct Witnesses {
    stop: Arc<AtomicBool>,
    witnesses: Vec<(Writes, Running<()>)>,
}

/// The writes of one witness so far.
type Writes = Arc<Mutex<Vec<Write>>>;

/// A write that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub(crate) begun: Instant,
    pub(crate) done: Instant,
}

impl Witnesses {
    /// Waits until each has made a write for which this holds, and ends; the first one of each.
    pub(crate) fn finish(self, condition: impl Fn(&Write) -> bool) -> Vec<Write> {
        self.wait_for_all(&condition);
        let first = |writes: Vec<Write>| writes.into_iter().find(&condition).unwrap();
        self.end().map(first).collect()
    }

    /// Waits until each has made a write for which this holds, and ends; the longest time of each
    /// from one write to the next, since a moment.
    pub(crate) fn longest_waits(
        self,
        since: Instant,
        condition: impl Fn(&Write) -> bool,
    ) -> Vec<Duration> {
        self.wait_for_all(condition);
        let longest = |writes: Vec<Write>| {
            let done = writes.iter().map(|write| write.done);
            let done: Vec<_> = done.filter(|done| *done >= since).collect();
            done.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
        };
        self.end().map(longest).collect()
    }

    fn end(self) -> impl Iterator<Item = Vec<Write>> {
        self.stop.store(true, Ordering::Relaxed);
        self.witnesses.into_iter().map(|(seen, task)| {
            task();
            mem::take(&mut *lock(&seen))
        })
    }

    fn wait_for_all(&self, condition: impl Fn(&Write) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        for (seen, _) in &self.witnesses {
            while !lock(seen).iter().rev().any(&condition) {
                assert!(Instant::now() < deadline, "no write is acknowledged");
                thread::sleep(POLL_INTERVAL);
            }
        }
    }
}

async fn witness<C: Caller>(
    caller: C,
    books: Arc<Books>,
    (at, writer): (usize, u32),
    stop: Arc<AtomicBool>,
    seen: Writes,
) {
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        if count(&caller, &books, at, writer).await.is_ok() {
            let done = Instant::now();
            lock(&seen).push(Write { begun, done });
        }
    }
}

async fn count<C: Caller>(caller: &C, books: &Books, at: usize, writer: u32) -> Result<i64> {
    let operation = books.count(at, writer);
    let call = books.begin("INCR");
    let result = caller.call(cmd::incr(books.counter(at))).await;
    books.end(call, well(&result), result.as_ref().err());
    settle(operation, &result);
    result
}

/// How many commands a call has done well that answers as one.
fn well<T>(result: &Result<T>) -> u64 {
    u64::from(result.is_ok())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

const WORKERS: u32 = 8;
const WITNESSES: u32 = 4;
/// In bytes; other values have some hundred.
const LARGE: usize = 20_000;
/// So long something may take that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(1);
