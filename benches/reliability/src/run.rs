//! What is done in one cell, what callers were told, and whether it is true.

use std::{
    collections::BTreeMap,
    mem,
    ops::Range,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use respec_testkit::{
    Outage, Proxy,
    oracle::{
        AppendLog, AppendReport, Deadline, Deliveries, Finding, FindingKind, Keyspace, Ledger,
        Operation, Told,
    },
    proxy::Link,
};

use crate::{
    cells::Cell,
    clients::{Client, Contestant, Failure, Outcome, Reply, Request, Target},
    shape::Shape,
    side::Side,
};

/// One client in one row. It lives as long as the process, since a call may never end.
pub(crate) struct Run {
    pub(crate) who: Contestant,
    pub(crate) side: Side,
    /// How long a reply may be waited for.
    pub(crate) limit: Duration,
    /// What the keys begin with: one for each slot that takes part.
    places: Vec<String>,
    begun: Instant,
    sequence: AtomicU64,
    appends: AppendLog,
    deadlines: Mutex<Ledger>,
    deliveries: Deliveries,
    tally: Mutex<Tally>,
    asked: Mutex<Option<Asked>>,
}

#[derive(Default)]
struct Tally {
    operations: u64,
    ok: u64,
    cancelled: u64,
    errors: BTreeMap<String, u64>,
    mismatched: Vec<String>,
    faults: u64,
    idle_faults: u64,
    recoveries: Vec<Duration>,
    unserved: u64,
    notes: Vec<String>,
}

/// The row waits for a call that begins after a moment, with keys of a place, and succeeds.
#[derive(Clone, Copy)]
struct Asked {
    since: Instant,
    place: usize,
    served: Option<Instant>,
}

/// An operation that has begun.
pub(crate) struct Op {
    shape: Shape,
    tag: String,
    place: usize,
    request: Request,
    append: Option<Operation>,
    begun: Instant,
    _deadline: Deadline,
}

/// A client that all tasks share.
pub(crate) type Shared = Arc<dyn Client>;

impl Run {
    /// With keys that begin like this, on servers that answer to `keyspace`.
    pub(crate) fn new(who: Contestant, limit: Duration, places: Vec<String>) -> &'static Self {
        let side = if who.is_blocking() {
            Side::Blocking
        } else {
            Side::threads()
        };
        Box::leak(Box::new(Self {
            who,
            side,
            limit,
            begun: Instant::now(),
            sequence: AtomicU64::new(0),
            appends: AppendLog::new(places.iter().map(|place| format!("{place}list"))),
            places,
            deadlines: Mutex::default(),
            deliveries: Deliveries::new(),
            tally: Mutex::default(),
            asked: Mutex::default(),
        }))
    }

    /// This thread makes and drops clients, and some want a runtime for that.
    pub(crate) fn enter(&'static self) {
        if let Side::Async(runtime) = &self.side {
            mem::forget(runtime.enter());
        }
    }

    /// Writes the texts that no operation changes.
    pub(crate) fn fill(&self, servers: &impl Keyspace) {
        for place in &self.places {
            let key = format!("{place}text");
            let set: [&[u8]; 3] = [b"SET", key.as_bytes(), b"text"];
            servers.ask(key.as_bytes(), &set).unwrap();
        }
    }

    /// Where a client connects to, with one connection in its pool.
    pub(crate) fn target(&self, proxy: &Proxy) -> Target {
        Target {
            addr: proxy.addr(),
            cluster: false,
            limit: self.limit,
            connect: LIMIT,
            silence: LIMIT,
            connections: 1,
        }
    }

    /// Connects. Nothing is wrong yet, so that a failure ends the cell.
    pub(crate) fn connect(&self, to: &Target) -> Shared {
        let connected = self.side.wait(self.who.connect(to));
        connected.unwrap_or_else(|failure| panic!("cannot connect: {failure:?}"))
    }

    /// How long a call may take before it is taken for one that does not end: as long as a place in a
    /// pool, a connection and a reply may take one after the other, or thrice as long as a reply.
    pub(crate) fn patience(&self) -> Duration {
        (3 * self.limit).max(self.limit + LIMIT)
    }

    fn begin(&self, shape: Shape, place: usize, writer: u32) -> Op {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        self.tally().operations += 1;
        let append = (shape == Shape::Append).then(|| self.appends.begin(place, writer));
        let at = &self.places[place];
        let tag = match &append {
            Some(append) => self.appends.element(place, append),
            None if shape == Shape::Mget => format!("{at}tag:{sequence}"),
            None => format!("tag:{sequence}"),
        };
        let (text, own) = (format!("{at}text"), format!("{at}own:{}", sequence % 7));
        let one = || "1".to_owned();
        let (name, keys, arguments) = match shape {
            Shape::Echo => ("ECHO", vec![], vec![tag.clone()]),
            Shape::Append => ("RPUSH", vec![format!("{at}list")], vec![tag.clone()]),
            Shape::Mget => ("MGET", vec![text, tag.clone()], vec![]),
            Shape::Set => ("SET", vec![own], vec![tag.clone()]),
            Shape::Wrong => ("HINCRBY", vec![text], vec![tag.clone(), one()]),
        };
        let begun = Instant::now();
        let deadline = begun + self.patience();
        Op {
            shape,
            tag,
            place,
            request: Request {
                name,
                keys,
                arguments,
            },
            append,
            begun,
            _deadline: lock(&self.deadlines).register(name, sequence, deadline),
        }
    }

    /// Does one operation from its begin to its end; whether it has succeeded.
    pub(crate) async fn call(
        &self,
        client: &Shared,
        shape: Shape,
        place: usize,
        writer: u32,
    ) -> bool {
        let op = self.begin(shape, place, writer);
        let outcome = self.in_time(client.call(&op.request)).await;
        self.end(op, outcome)
    }

    /// Several operations in one pipeline.
    pub(crate) async fn pipeline(
        &self,
        client: &Shared,
        shapes: &[Shape],
        place: usize,
        writer: u32,
    ) {
        let ops: Vec<_> = shapes
            .iter()
            .map(|shape| self.begin(*shape, place, writer))
            .collect();
        let requests: Vec<_> = ops.iter().map(|op| op.request.clone()).collect();
        match self.in_time(client.pipeline(&requests)).await {
            Some(Ok(outcomes)) if outcomes.len() == ops.len() => {
                for (op, outcome) in ops.into_iter().zip(outcomes) {
                    self.end(op, Some(outcome));
                }
            }
            Some(Ok(outcomes)) => {
                let what = format!("{} replies to {} requests", outcomes.len(), ops.len());
                self.tally().mismatched.push(what);
                for op in ops {
                    self.end(op, None);
                }
            }
            Some(Err(mut failure)) => {
                // A part of them may have been executed where the server refused another.
                if failure.code.take().is_some() {
                    failure.not_executed = false;
                }
                for op in ops {
                    self.end(op, Some(Err(failure.clone())));
                }
            }
            None => {
                for op in ops {
                    self.end(op, None);
                }
            }
        }
    }

    /// What comes of a call, unless it does not end. One that blocks holds its thread until it does.
    async fn in_time<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        if self.who.is_blocking() {
            return Some(call.await);
        }
        // The ledger has noted by then that it is late.
        let late = self.patience() + 2 * Ledger::GRACE;
        tokio::time::timeout(late, call).await.ok()
    }

    /// Begins an operation, polls it a few times as chance has it, and drops it unless it was done by
    /// then; whether it was dropped.
    pub(crate) async fn cancel(&self, client: &Shared, numbers: &mut Numbers, writer: u32) -> bool {
        let shapes = [Shape::Echo, Shape::Mget, Shape::Set, Shape::Wrong];
        let op = self.begin(shapes[numbers.below(shapes.len())], 0, writer);
        let (polls, turns) = (numbers.below(4), numbers.below(3));
        let outcome = {
            let mut call = pin!(client.call(&op.request));
            let mut outcome = None;
            for _ in 0..polls {
                let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                if let Poll::Ready(done) = polled {
                    outcome = Some(done);
                    break;
                }
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            }
            outcome
        };
        if outcome.is_some() {
            self.end(op, outcome);
            return false;
        }
        self.tally().cancelled += 1;
        self.deliveries.told(op.tag, Told::Nothing, false);
        true
    }

    /// Notes how an operation has ended, if it has; whether it has succeeded.
    fn end(&self, op: Op, outcome: Option<Outcome>) -> bool {
        let (told, is_right) = match &outcome {
            None => (Told::Nothing, false),
            Some(Ok(reply)) if self.is_right(&op, reply) => (Told::Answered, true),
            Some(Ok(reply)) => {
                self.mismatched(&op, &format!("{reply:?}"));
                (Told::Indeterminate, false)
            }
            Some(Err(failure)) => self.failed(&op, failure),
        };
        let once = op.shape == Shape::Append;
        self.deliveries.told(op.tag, told, once);
        if let Some(append) = op.append {
            match (told, &outcome) {
                (Told::Answered, Some(Ok(Reply::Integer(length)))) => append.acknowledged(*length),
                (Told::Answered, _) => append.refused(),
                (Told::NotSent, _) => append.not_sent(),
                _ => append.indeterminate(),
            }
        }
        if is_right {
            self.tally().ok += 1;
            if let Some(asked) = &mut *lock(&self.asked)
                && op.begun >= asked.since
                && op.place == asked.place
            {
                asked.served.get_or_insert_with(Instant::now);
            }
        }
        is_right
    }

    fn failed(&self, op: &Op, failure: &Failure) -> (Told, bool) {
        let is_wrong_type = failure.code.as_deref() == Some("WRONGTYPE");
        match (op.shape, is_wrong_type) {
            (Shape::Wrong, true) => return (Told::Answered, true),
            (_, true) => {
                self.mismatched(op, &failure.kind);
                return (Told::Indeterminate, false);
            }
            _ => {}
        }
        *self.tally().errors.entry(failure.kind.clone()).or_default() += 1;
        let told = match (&failure.code, failure.not_executed) {
            (Some(_), _) => Told::Answered,
            (None, true) => Told::NotSent,
            (None, false) => Told::Indeterminate,
        };
        (told, false)
    }

    fn mismatched(&self, op: &Op, reply: &str) {
        let end = reply
            .char_indices()
            .nth(60)
            .map_or(reply.len(), |(at, _)| at);
        let what = format!("{} {}: {}", op.request.name, op.tag, &reply[..end]);
        self.tally().mismatched.push(what);
    }

    fn is_right(&self, op: &Op, reply: &Reply) -> bool {
        match (op.shape, reply) {
            (Shape::Echo, Reply::Text(text)) => text == op.tag.as_bytes(),
            (Shape::Append, Reply::Integer(length)) => *length > 0,
            (Shape::Mget, Reply::List(values)) => {
                matches!(&values[..], [Reply::Text(text), Reply::Nil] if text == b"text")
            }
            (Shape::Set, Reply::Text(text)) => text == b"OK",
            _ => false,
        }
    }

    /// Counts a fault, by what was in flight when it struck.
    pub(crate) fn fault(&self, in_flight: usize) {
        let mut tally = self.tally();
        if in_flight > 0 {
            tally.faults += 1;
        } else {
            tally.idle_faults += 1;
        }
    }

    /// Counts the faults of a proxy that were not counted yet, from a number on; returns the next one.
    pub(crate) fn faults_of(&self, proxy: &Proxy, from: usize) -> usize {
        let traffic = proxy.traffic();
        for fault in &traffic.faults()[from..] {
            self.fault(fault.in_flight);
        }
        traffic.faults().len()
    }

    /// Waits until a call has succeeded that began after a moment, with keys of a place; notes how long
    /// after the moment that was, or that there was none.
    pub(crate) fn served_after(&self, since: Instant, place: usize, patience: Duration) {
        *lock(&self.asked) = Some(Asked {
            since,
            place,
            served: None,
        });
        let served = || lock(&self.asked).and_then(|asked| asked.served);
        until(patience, || served().is_some());
        self.recovered(served().map(|at| at.saturating_duration_since(since)));
    }

    /// The same for a client that no other task uses: calls it until it answers.
    pub(crate) fn serves_after(
        &self,
        client: &Shared,
        moment: Instant,
        patience: Duration,
    ) -> bool {
        let served = until(patience, || {
            let served = self.side.wait(self.call(client, Shape::Echo, 0, 0));
            if !served {
                thread::sleep(Duration::from_millis(1));
            }
            served
        });
        self.recovered(served.then(|| moment.elapsed()));
        served
    }

    /// Notes how long it took until callers were served again, or that they were not.
    pub(crate) fn recovered(&self, after: Option<Duration>) {
        let mut tally = self.tally();
        match after {
            Some(after) => tally.recoveries.push(after),
            None => tally.unserved += 1,
        }
    }

    /// A sentence for the report.
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.tally().notes.push(text.into());
    }

    pub(crate) fn outage(&self, outage: &Outage) {
        self.appends.outage(outage);
    }

    pub(crate) fn succeeded(&self) -> u64 {
        self.tally().ok
    }

    pub(crate) fn cancelled(&self) -> u64 {
        self.tally().cancelled
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }

    /// Has the oracles judge, when nothing is under way that will end.
    pub(crate) fn finish(&self, proxies: &[&Proxy], servers: &impl Keyspace) -> Cell {
        let deadlines = mem::take(&mut *lock(&self.deadlines)).finish();
        self.deliveries.settle(proxies);
        let (mut deliveries, judged) = (self.deliveries.report(), self.appends.check(servers));
        if proxies.is_empty() {
            // Without a proxy nothing has recorded what was delivered.
            deliveries = Default::default();
        }
        let appends = judged.unwrap_or_else(|error| {
            self.note(format!("the list cannot be read: {error}"));
            AppendReport::default()
        });
        let allowed = Ledger::GRACE + deadlines.longest_stall;
        let overdue = deadlines.overdue.iter();
        let hung = overdue.filter(|call| call.late.is_none_or(|late| late > allowed));
        let tally = mem::take(&mut *self.tally());
        let mut recoveries = tally.recoveries;
        recoveries.sort_unstable();
        let ms = |time: Option<&Duration>| time.map(Duration::as_millis);
        let count = |kinds: &[FindingKind]| -> u64 {
            kinds.iter().map(|kind| appends.count(*kind) as u64).sum()
        };
        // One that was done twice has two places, of which its reply has one.
        let findings = |kind| appends.findings.iter().filter(move |it| it.kind == kind);
        let element = |it: &Finding| it.detail.split(' ').next().map(str::to_owned);
        let twice: Vec<_> = findings(FindingKind::Duplicated).map(element).collect();
        let misplaced =
            findings(FindingKind::WrongReply).filter(|it| !twice.contains(&element(it)));
        let mut notes = tally.notes;
        notes.extend(
            tally
                .mismatched
                .first()
                .map(|what| format!("such as {what}")),
        );
        if deadlines.longest_stall > STALL {
            let stall = deadlines.longest_stall.as_millis();
            notes.push(format!("the machine let this wait for {stall} ms"));
        }
        let findings = appends.findings.iter().take(2);
        notes.extend(findings.map(|it| format!("{:?}: {}", it.kind, it.detail)));
        Cell {
            operations: tally.operations,
            ok: tally.ok,
            cancelled: tally.cancelled,
            faults: tally.faults,
            idle_faults: tally.idle_faults,
            errors: tally.errors.values().sum(),
            mismatched: tally.mismatched.len() as u64
                + deliveries.invented.len() as u64
                + misplaced.count() as u64
                + count(&[FindingKind::Stranger]),
            hung: hung.count() as u64,
            doubled: deliveries.doubled.len() as u64
                + count(&[FindingKind::Duplicated, FindingKind::Unaccounted]),
            denied: deliveries.denied.len() as u64
                + count(&[
                    FindingKind::NotSentButPresent,
                    FindingKind::RefusedButPresent,
                ]),
            lost: count(&[FindingKind::Lost]),
            unserved: tally.unserved,
            recovery: ms(recoveries.get(recoveries.len() / 2)).zip(ms(recoveries.last())),
            kinds: kinds(&tally.errors),
            notes: notes.join("; "),
            took: self.begun.elapsed().as_secs_f64(),
            ..Cell::default()
        }
    }
}

/// The errors that occurred most.
fn kinds(errors: &BTreeMap<String, u64>) -> String {
    let mut kinds: Vec<_> = errors.iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let kinds = kinds.into_iter().take(4);
    let kinds: Vec<_> = kinds
        .map(|(kind, count)| format!("{count} × {kind}"))
        .collect();
    kinds.join(", ")
}

/// Tasks that do one operation after the other until they are told to stop.
pub(crate) struct Load {
    run: &'static Run,
    stop: Arc<AtomicBool>,
    tasks: usize,
    ended: Arc<AtomicUsize>,
}

impl Load {
    /// So many tasks, each with its own mixture of operations.
    pub(crate) fn start(run: &'static Run, client: &Shared, writers: Range<u32>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::new(AtomicUsize::new(0));
        let tasks = writers.len();
        for writer in writers {
            let (client, stop, ended) = (Arc::clone(client), Arc::clone(&stop), Arc::clone(&ended));
            // No task is waited for, as it may never end.
            drop(run.side.spawn(async move {
                let mut numbers = Numbers::new(u64::from(writer));
                while !stop.load(Ordering::Relaxed) {
                    let place = numbers.below(run.places.len());
                    if numbers.below(8) == 0 {
                        run.pipeline(&client, run.piped(), place, writer).await;
                    } else {
                        let shapes = run.shapes();
                        let shape = shapes[numbers.below(shapes.len())];
                        if !run.call(&client, shape, place, writer).await {
                            pause(run).await;
                        }
                    }
                }
                ended.fetch_add(1, Ordering::Relaxed);
            }));
        }
        Self {
            run,
            stop,
            tasks,
            ended,
        }
    }

    /// Ends all tasks that end.
    pub(crate) fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        let patience = self.run.patience() + 4 * Ledger::GRACE;
        until(patience, || {
            self.ended.load(Ordering::Relaxed) == self.tasks
        });
    }
}

/// So that who is told of an error at once does not ask a million times while a server is away.
pub(crate) async fn pause(run: &Run) {
    let pause = Duration::from_millis(1);
    if run.who.is_blocking() {
        thread::sleep(pause);
    } else {
        tokio::time::sleep(pause).await;
    }
}

impl Run {
    /// What single calls are: in a cluster every command has a key.
    pub(crate) fn shapes(&self) -> &'static [Shape] {
        if self.places.len() > 1 {
            &[Shape::Append, Shape::Mget, Shape::Set, Shape::Wrong]
        } else {
            &SHAPES
        }
    }

    /// What pipelines are: without errors, which some clients make an error of the whole pipeline.
    fn piped(&self) -> &'static [Shape] {
        if self.places.len() > 1 {
            &[Shape::Append, Shape::Mget, Shape::Set]
        } else {
            &[Shape::Echo, Shape::Append, Shape::Mget, Shape::Set]
        }
    }
}

/// Waits until a connection has a request in flight, and says which.
pub(crate) fn busy(proxy: &Proxy) -> Option<Link> {
    let found = proxy.wait(PATIENCE, |traffic| {
        let mut open = traffic.open();
        open.find(|link| traffic.in_flight(*link) > 0)
    });
    proxy.link(found.ok()?)
}

/// Waits until `condition` holds; whether it does.
pub(crate) fn until(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
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
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is worth telling of a busy machine.
const STALL: Duration = Duration::from_millis(100);
/// All shapes.
pub(crate) static SHAPES: [Shape; 5] = [
    Shape::Echo,
    Shape::Append,
    Shape::Mget,
    Shape::Set,
    Shape::Wrong,
];

/// How long a reply may be waited for unless a row says otherwise, a connection, and a silent peer.
pub(crate) const LIMIT: Duration = Duration::from_secs(2);
/// How long callers may wait until they are served again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
