//! A task that does what programs do with a cluster.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use respec::{Error, Result, cmd};
use respec_testkit::{key_in_slot, oracle::Tag};

use crate::{
    books::{Books, settle},
    caller::{Caller, Mixed},
    load::Plan,
};

/// A task that does one thing after the other, mostly with keys of its own.
pub(crate) struct Worker {
    number: u32,
    caller: Caller,
    books: Arc<Books>,
    /// Two in each slot, which only this worker writes.
    keys: Vec<[OwnKey; 2]>,
    /// The index of the slot that is preferred.
    favourite: Arc<AtomicUsize>,
    numbers: Numbers,
}

/// A key whose values say which write they are of.
struct OwnKey {
    name: String,
    number: u32,
    /// The last write that was begun.
    sent: u64,
    /// The last write that was acknowledged.
    acknowledged: u64,
}

impl Worker {
    pub(crate) fn new(
        number: u32,
        caller: Caller,
        books: Arc<Books>,
        favourite: Arc<AtomicUsize>,
        plan: &Plan,
    ) -> Self {
        let slots = (0..).zip(&plan.slots);
        let keys = slots.map(|(at, slot)| {
            let first = (number << 16) + 2 * at;
            [0, 1].map(|index| OwnKey {
                name: format!("{}:{}:{number}:{index}", key_in_slot(*slot), plan.run),
                number: first + index,
                sent: 0,
                acknowledged: 0,
            })
        });
        Self {
            keys: keys.collect(),
            number,
            caller,
            books,
            favourite,
            numbers: Numbers(u64::from(plan.run) << 32 | u64::from(number)),
        }
    }

    /// Writes every key once.
    pub(crate) async fn fill(&mut self) {
        for at in 0..self.keys.len() {
            for index in [0, 1] {
                assert!(self.set(at, index).await, "nothing is wrong yet");
            }
        }
    }

    /// Does one thing, by chance.
    pub(crate) async fn work(&mut self) {
        let at = self.slot();
        let index = self.numbers.below(2);
        match self.numbers.below(16) {
            0..=1 => drop(self.set(at, index).await),
            2..=5 => self.get(at, index).await,
            6 => self.mset(vec![(at, 0), (at, 1)]).await,
            7..=8 => self.mget(&[(at, 0), (at, 1)]).await,
            9 => {
                let keys = self.several();
                self.mset(keys).await;
            }
            10 => {
                let keys = self.several();
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

    /// Both keys of some slots, those of one slot apart from each other.
    fn several(&mut self) -> Vec<(usize, usize)> {
        let (first, step) = (self.slot(), 1 + self.numbers.below(3));
        let slots = (0..self.keys.len()).step_by(step).take(3);
        let slots: Vec<_> = slots.map(|at| (first + at) % self.keys.len()).collect();
        let both = [0, 1].iter();
        both.flat_map(|index| slots.iter().map(|at| (*at, *index)))
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
        if result.is_ok() {
            key.acknowledged = key.sent;
        }
        result.is_ok()
    }

    /// What was read of a key is a value of this key, and none that was overwritten for certain.
    fn check(&self, (at, index): (usize, usize), value: Option<&Bytes>) {
        let key = &self.keys[at][index];
        let tag = self.books.tags.tag(key.number, key.sent);
        let is_of_this_key = |other: Tag| {
            let sequence = tag.sequence;
            Tag { sequence, ..other } == tag && other.sequence <= sequence
        };
        let value = value.map(Bytes::as_ref).unwrap_or_default();
        let checked = self.books.tags.check_with(tag, value, is_of_this_key);
        let is_old = |found: Tag| found.sequence < key.acknowledged;
        if checked && Tag::read(value).is_ok_and(is_old) {
            self.books.stale();
        }
    }
}

/// Counts once.
pub(crate) async fn count(caller: &Caller, books: &Books, at: usize, writer: u32) -> Result<i64> {
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

/// In bytes; other values have some hundred.
const LARGE: usize = 20_000;
