//! One row on one server with one client: what was done, what callers were told, and whether it is true.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use respec::{Config, Error, ErrorKind, Protocol, Result, Value, cmd, command::Raw};
use respec_testkit::{
    Prober, Proxy, Server, Variant,
    oracle::{
        AppendLog, AppendReport, Deadline, Deliveries, DeliveryReport, FindingKind, Keyspace,
        Ledger, LedgerReport, Operation, Told,
    },
    proxy::Link,
};

use crate::{
    caller::Caller,
    report::Row,
    shape::Shape,
    side::{Running, Side},
};

/// What is done and found out in one run.
pub(crate) struct Run {
    pub(crate) row: &'static str,
    pub(crate) variant: Variant,
    pub(crate) client: String,
    /// Tells its keys from those of others.
    number: u32,
    /// How long a call may take at most.
    limit: Duration,
    begun: Instant,
    sequence: AtomicU64,
    /// The numbers of the operations under way.
    open: Mutex<BTreeSet<u64>>,
    list: String,
    appends: AppendLog,
    deadlines: Ledger,
    deliveries: Deliveries,
    tally: Mutex<Tally>,
    /// Faults that struck a request in flight, and those that did not.
    faults: AtomicU64,
    idle_faults: AtomicU64,
    /// Errors that are a part of the row, by code.
    expected: Mutex<Vec<&'static str>>,
}

/// What callers were told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) issued: u64,
    pub(crate) ok: u64,
    pub(crate) server: u64,
    pub(crate) not_sent: u64,
    pub(crate) indeterminate: u64,
    pub(crate) cancelled: u64,
    /// Errors by kind or code, and whether the command may have run.
    pub(crate) errors: BTreeMap<(String, bool), u64>,
    pub(crate) mismatched: Vec<String>,
    pub(crate) recoveries: Vec<Duration>,
}

/// What the oracles say.
pub(crate) struct Verdict {
    pub(crate) tally: Tally,
    pub(crate) appends: AppendReport,
    pub(crate) deliveries: DeliveryReport,
    pub(crate) deadlines: LedgerReport,
}

/// An operation that has begun.
pub(crate) struct Op {
    sequence: u64,
    pub(crate) shape: Shape,
    pub(crate) tag: String,
    append: Option<Operation>,
    _deadline: Deadline,
}

impl Run {
    /// Of a row on a server with a client, whose calls end within `limit`.
    pub(crate) fn new(
        row: &'static str,
        server: &Server,
        side: &Side,
        protocol: Protocol,
        limit: Duration,
    ) -> Arc<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let list = format!("{row}:{number}:list");
        let version = match protocol {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        };
        let run = Self {
            row,
            variant: server.variant(),
            client: format!("{}, RESP{version}", side.name()),
            number,
            limit,
            begun: Instant::now(),
            sequence: AtomicU64::new(0),
            open: Mutex::default(),
            appends: AppendLog::new([list.clone()]),
            list,
            deadlines: Ledger::new(),
            deliveries: Deliveries::new(),
            tally: Mutex::default(),
            faults: AtomicU64::new(0),
            idle_faults: AtomicU64::new(0),
            expected: Mutex::default(),
        };
        let text = run.text_key();
        let set: [&[u8]; 3] = [b"SET", text.as_bytes(), b"text"];
        server.command(&set).unwrap();
        Arc::new(run)
    }

    /// The settings for a client that comes through a proxy.
    pub(crate) fn config(&self, proxy: &Proxy, protocol: Protocol) -> Config {
        let config = Config::tcp("127.0.0.1", proxy.port()).protocol(protocol);
        config
            .response_timeout(self.limit)
            .connect_timeout(self.limit)
            .pool_wait(self.limit)
    }

    /// How long a call may take.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// An error with this code is what a caller is to get in this row.
    pub(crate) fn expect(&self, code: &'static str) {
        lock(&self.expected).push(code);
    }

    /// Begins an operation.
    pub(crate) fn begin(&self, shape: Shape, writer: u32) -> Op {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        lock(&self.open).insert(sequence);
        self.tally().issued += 1;
        let append = (shape == Shape::Append).then(|| self.appends.begin(0, writer));
        // As the log of appends wants it; in other operations a word that occurs nowhere else.
        let tag = match &append {
            Some(append) => self.appends.element(0, append),
            None => format!("{}.{sequence}", self.number),
        };
        let tag = match shape {
            Shape::Append => tag,
            _ => format!("tag:{tag}"),
        };
        let deadline = Instant::now() + self.limit;
        Op {
            sequence,
            shape,
            tag,
            append,
            _deadline: self.deadlines.register(self.row, sequence, deadline),
        }
    }

    /// Its command, for a pipeline.
    pub(crate) fn command(&self, op: &Op) -> Raw<'static> {
        let tag = op.tag.clone();
        match op.shape {
            Shape::Echo => cmd::raw("ECHO").arg(tag),
            Shape::Append => cmd::raw("RPUSH").key(self.list.clone()).arg(tag),
            Shape::Mget => cmd::raw("MGET").key(self.text_key()).key(tag),
            Shape::Set => cmd::raw("SET").key(self.own_key(op)).arg(tag),
            Shape::Wrong => {
                let wrong = cmd::raw("HINCRBY").key(self.text_key());
                wrong.arg(tag).arg(1)
            }
        }
    }

    /// Does one operation from its begin to its end.
    pub(crate) async fn call(&self, caller: &Caller, shape: Shape, writer: u32) -> Result<Value> {
        let op = self.begin(shape, writer);
        let result = self.send(caller, &op).await;
        self.end(op, &result);
        result
    }

    /// Sends what was begun, by the command's own type.
    pub(crate) async fn send(&self, caller: &Caller, op: &Op) -> Result<Value> {
        let tag = &op.tag;
        let bulk = |text: Bytes| Value::BulkString(text);
        match op.shape {
            Shape::Echo => caller.call(cmd::echo(tag)).await.map(bulk),
            Shape::Append => {
                let length = caller.call(cmd::rpush(&self.list, tag)).await?;
                Ok(Value::Integer(i64::try_from(length).unwrap()))
            }
            Shape::Mget => {
                let values = caller
                    .call(cmd::mget([self.text_key(), tag.clone()]))
                    .await?;
                let value = |value: Option<Bytes>| value.map_or(Value::Nil, bulk);
                Ok(Value::Array(values.into_iter().map(value).collect()))
            }
            Shape::Set => {
                caller.call(cmd::set(self.own_key(op), tag)).await?;
                Ok(Value::SimpleString(Bytes::from_static(b"OK")))
            }
            Shape::Wrong => {
                let wrong = cmd::hincrby(self.text_key(), tag, 1);
                caller.call(wrong).await.map(Value::Integer)
            }
        }
    }

    /// Several operations in one pipeline.
    pub(crate) async fn pipeline(&self, caller: &Caller, shapes: &[Shape], writer: u32) {
        let ops: Vec<_> = shapes
            .iter()
            .map(|shape| self.begin(*shape, writer))
            .collect();
        let commands = ops.iter().map(|op| self.command(op)).collect();
        match caller.pipeline(commands).await {
            Ok(results) => {
                assert_eq!(results.len(), ops.len());
                for (op, result) in ops.into_iter().zip(&results) {
                    self.end(op, result);
                }
            }
            Err(error) => {
                for op in ops {
                    self.end(op, &Err(error.clone()));
                }
            }
        }
    }

    /// Notes how an operation has ended.
    pub(crate) fn end(&self, op: Op, result: &Result<Value>) {
        lock(&self.open).remove(&op.sequence);
        let told = match result {
            Ok(value) => {
                let is_right = self.is_right(&op, value);
                let mut tally = self.tally();
                tally.ok += 1;
                if !is_right {
                    let what = format!("{:?} {}: {value:?}", op.shape, op.tag);
                    tally.mismatched.push(what);
                }
                Told::Answered
            }
            Err(error) => self.failed(&op, error),
        };
        let once = matches!(op.shape, Shape::Append);
        self.deliveries.told(op.tag, told, once);
        match (op.append, result) {
            (None, _) => {}
            (Some(append), Ok(Value::Integer(length))) => append.acknowledged(*length),
            (Some(append), Ok(_)) => append.acknowledged(i64::MAX),
            (Some(append), Err(_)) => match told {
                Told::Answered => append.refused(),
                Told::NotSent => append.not_sent(),
                Told::Indeterminate | Told::Nothing => append.indeterminate(),
            },
        }
    }

    /// Notes that nobody waits for an operation any more.
    pub(crate) fn cancelled(&self, op: Op) {
        lock(&self.open).remove(&op.sequence);
        self.tally().cancelled += 1;
        let once = matches!(op.shape, Shape::Append);
        self.deliveries.told(op.tag, Told::Nothing, once);
        if let Some(append) = op.append {
            append.indeterminate();
        }
    }

    fn failed(&self, op: &Op, error: &Error) -> Told {
        let code = error.code().map(str::to_owned);
        let is_expected = match (&code, op.shape) {
            (Some(code), Shape::Wrong) if code == "WRONGTYPE" => true,
            (Some(code), _) => lock(&self.expected).contains(&code.as_str()),
            (None, _) => !matches!(error.kind(), ErrorKind::Decode | ErrorKind::Argument),
        };
        let mut tally = self.tally();
        if !is_expected {
            let what = format!("{:?} {}: {error}", op.shape, op.tag);
            tally.mismatched.push(what);
        }
        let name = code.unwrap_or_else(|| format!("{:?}", error.kind()));
        if name != "WRONGTYPE" {
            let executed = error.may_have_executed();
            *tally.errors.entry((name, executed)).or_default() += 1;
        }
        if error.kind() == ErrorKind::Server {
            tally.server += 1;
            Told::Answered
        } else if error.may_have_executed() {
            tally.indeterminate += 1;
            Told::Indeterminate
        } else {
            tally.not_sent += 1;
            Told::NotSent
        }
    }

    /// Whether a result has the type and the tag of an operation's own.
    pub(crate) fn is_own(&self, op: &Op, result: &Result<Value>) -> bool {
        match result {
            Ok(value) => self.is_right(op, value),
            Err(error) => op.shape == Shape::Wrong && error.code() == Some("WRONGTYPE"),
        }
    }

    fn is_right(&self, op: &Op, value: &Value) -> bool {
        let text = |value: &Value, text: &str| match value {
            Value::BulkString(bytes) => bytes == text.as_bytes(),
            _ => false,
        };
        match (op.shape, value) {
            (Shape::Echo, value) => text(value, &op.tag),
            (Shape::Append, Value::Integer(length)) => *length > 0,
            (Shape::Mget, Value::Array(values)) => {
                values.len() == 2 && text(&values[0], "text") && values[1] == Value::Nil
            }
            (Shape::Set, Value::SimpleString(text)) => text == "OK",
            _ => false,
        }
    }

    /// Counts a fault, by what was in flight when it struck.
    pub(crate) fn fault(&self, in_flight: usize) {
        let count = if in_flight > 0 {
            &self.faults
        } else {
            &self.idle_faults
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts something that is done to requests as a fault, in flight if any of them has come.
    pub(crate) fn struck<T>(&self, proxy: &Proxy, what: impl FnOnce() -> T) -> T {
        let before = proxy.traffic().requests();
        let outcome = what();
        let came = proxy.traffic().requests() - before;
        self.fault(usize::try_from(came).unwrap());
        outcome
    }

    /// How many faults have struck a request in flight so far.
    pub(crate) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    /// Counts the faults of a proxy that were not counted yet, from a number on; returns the next one.
    pub(crate) fn faults_of(&self, proxy: &Proxy, from: usize) -> usize {
        let traffic = proxy.traffic();
        for fault in &traffic.faults()[from..] {
            self.fault(fault.in_flight);
        }
        traffic.faults().len()
    }

    /// Notes how long a client needed beyond what the server did.
    pub(crate) fn recovered(&self, beyond: Duration) {
        self.tally().recoveries.push(beyond);
    }

    /// Compares what was told so far with what has passed; nothing may be under way.
    pub(crate) fn settle(&self, proxies: &[&Proxy]) {
        self.deliveries.settle(proxies);
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }

    /// Waits until all operations have ended that are under way now.
    pub(crate) fn drain(&self) {
        let next = self.sequence.load(Ordering::Relaxed);
        until("what is under way has ended", || {
            lock(&self.open).first().is_none_or(|first| *first >= next)
        });
    }

    pub(crate) fn operations(&self) -> u64 {
        let tally = self.tally();
        tally.ok + tally.server + tally.not_sent + tally.indeterminate + tally.cancelled
    }

    /// Judges in the end, prints what came of it, and fails the test where a promise was broken.
    pub(crate) fn finish(self: Arc<Self>, proxies: &[&Proxy], servers: &impl Keyspace) -> Row {
        self.settle(proxies);
        let run = Arc::into_inner(self).expect("no task goes on");
        let appends = run.appends.check(servers).unwrap();
        // A call that nobody waits for any more is a fault as well.
        let deliveries = run.deliveries.report();
        let (left, unsent) = (deliveries.left_in_flight, deliveries.left_unsent);
        let row = Row {
            row: run.row,
            server: run.variant,
            client: run.client,
            faults: run.faults.into_inner() + left,
            idle_faults: run.idle_faults.into_inner() + unsent,
            verdict: Verdict {
                tally: run
                    .tally
                    .into_inner()
                    .unwrap_or_else(PoisonError::into_inner),
                appends,
                deliveries,
                deadlines: run.deadlines.finish(),
            },
            took: run.begun.elapsed(),
        };
        row.report();
        row
    }

    /// A key with a text that nobody changes.
    fn text_key(&self) -> String {
        format!("{}:{}:text", self.row, self.number)
    }

    fn own_key(&self, op: &Op) -> String {
        // A few, so that they can be read by a person.
        format!("{}:{}:own:{}", self.row, self.number, op.tag.len() % 7)
    }
}

impl Verdict {
    /// Calls that did not end in time, as far as the machine let them.
    pub(crate) fn hung(&self) -> usize {
        let allowed = Ledger::GRACE + self.deadlines.longest_stall;
        let overdue = self.deadlines.overdue.iter();
        overdue
            .filter(|call| call.late.is_none_or(|late| late > allowed))
            .count()
    }

    /// Replies that were not the call's own.
    pub(crate) fn mismatched(&self) -> usize {
        self.tally.mismatched.len()
            + self.deliveries.invented.len()
            + self.appends.count(FindingKind::WrongReply)
            + self.appends.count(FindingKind::Stranger)
    }

    /// Done or handed over more often than asked for.
    pub(crate) fn doubled(&self) -> usize {
        self.deliveries.doubled.len() + self.appends.count(FindingKind::Duplicated)
    }

    /// Done or handed over although callers were told that it was not.
    pub(crate) fn denied(&self) -> usize {
        self.deliveries.denied.len()
            + self.appends.count(FindingKind::NotSentButPresent)
            + self.appends.count(FindingKind::RefusedButPresent)
    }
}

/// What the tasks of a load do.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// Calls, and now and then a pipeline, of all shapes.
    Mixed,
    /// Calls of these shapes.
    Calls(&'static [Shape]),
    /// Pipelines of these operations.
    Pipelines(&'static [Shape]),
}

/// Tasks that do one operation after the other until they are told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    workers: Vec<Running<()>>,
}

impl Load {
    /// So many tasks, each with its own mixture of operations.
    pub(crate) fn start(run: &Arc<Run>, side: &Side, caller: &Caller, tasks: u32) -> Self {
        Self::start_from(run, side, caller, 0..tasks)
    }

    /// The same, with these numbers of writers.
    pub(crate) fn start_from(
        run: &Arc<Run>,
        side: &Side,
        caller: &Caller,
        writers: Range<u32>,
    ) -> Self {
        Self::of(run, side, caller, writers, Work::Mixed)
    }

    /// The same, with operations of a kind.
    pub(crate) fn of(
        run: &Arc<Run>,
        side: &Side,
        caller: &Caller,
        writers: Range<u32>,
        work: Work,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let workers = writers.map(|writer| {
            let (run, caller, stop) = (Arc::clone(run), caller.clone(), Arc::clone(&stop));
            side.spawn(async move {
                let mut numbers = Numbers::new(u64::from(writer));
                while !stop.load(Ordering::Relaxed) {
                    match work {
                        Work::Pipelines(shapes) => run.pipeline(&caller, shapes, writer).await,
                        Work::Calls(shapes) => {
                            let shape = shapes[numbers.below(shapes.len())];
                            let _ = run.call(&caller, shape, writer).await;
                        }
                        Work::Mixed if numbers.below(8) == 0 => {
                            run.pipeline(&caller, &SHAPES, writer).await;
                        }
                        Work::Mixed => {
                            let shape = SHAPES[numbers.below(SHAPES.len())];
                            let _ = run.call(&caller, shape, writer).await;
                        }
                    }
                }
            })
        });
        Self {
            workers: workers.collect(),
            stop,
        }
    }

    /// Ends all tasks.
    pub(crate) fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker();
        }
    }
}

/// Watches from outside when a server accepts writes, and a client with it.
pub(crate) struct Witness {
    prober: Prober,
    stop: Arc<AtomicBool>,
    /// When each write of the client began and was acknowledged.
    accepted: Arc<Mutex<Vec<(Instant, Instant)>>>,
    task: Running<()>,
}

impl Witness {
    pub(crate) fn start(run: &Arc<Run>, side: &Side, caller: &Caller, server: &Server) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let task = side.spawn({
            let (run, caller, stop) = (Arc::clone(run), caller.clone(), Arc::clone(&stop));
            let accepted = Arc::clone(&accepted);
            async move {
                while !stop.load(Ordering::Relaxed) {
                    let sent = Instant::now();
                    if run.call(&caller, Shape::Append, WITNESS).await.is_ok() {
                        lock(&accepted).push((sent, Instant::now()));
                    }
                }
            }
        });
        Self {
            prober: server.prober(format!("{}:{}:prober", run.row, run.number)),
            stop,
            accepted,
            task,
        }
    }

    /// How much longer than the prober the client needed after a moment.
    pub(crate) fn beyond(&self, moment: Instant) -> Duration {
        let first = self.prober.first_after(moment, PATIENCE).unwrap();
        until("the client is served again", || {
            let accepted = lock(&self.accepted);
            accepted
                .last()
                .is_some_and(|(_, done)| *done > first.received)
        });
        let accepted = lock(&self.accepted);
        let after = accepted.iter().find(|(_, done)| *done >= moment);
        let (_, done) = after.unwrap();
        done.saturating_duration_since(first.received)
    }

    pub(crate) fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        (self.task)();
    }
}

/// Waits until a connection has a request in flight, and says which.
pub(crate) fn busy(proxy: &Proxy) -> Link {
    let found = proxy.wait(PATIENCE, |traffic| {
        let mut open = traffic.open();
        open.find(|link| traffic.in_flight(*link) > 0)
    });
    proxy.link(found.unwrap()).unwrap()
}

/// Numbers that look like chance and are the same in every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1))
    }

    /// One of the numbers below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "still waiting until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All shapes.
pub(crate) static SHAPES: [Shape; 5] = [
    Shape::Echo,
    Shape::Append,
    Shape::Mget,
    Shape::Set,
    Shape::Wrong,
];

/// Far from the numbers of other writers.
const WITNESS: u32 = 1 << 20;

/// Nothing that is waited for takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
