//! The rows on a single server: what goes wrong in each.
//!
//! Every row does the same to each client: a number of times, or for as long as its time lasts.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use respec_testkit::{Action, At, Proxy, Rule, Server, Variant, Way, proxy::Link};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::{
    cells::{Cell, LAST},
    clients::{Contestant, Target},
    cluster,
    run::{LIMIT, Load, Numbers, PATIENCE, Run, SHAPES, Shared, busy, pause, until},
    shape::Shape,
};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    F1,
    F2,
    F3,
    F4,
    F6,
    F8,
    F9,
    F11,
    F12,
    F13,
    F15,
    F26,
    F27,
    F30,
    F31,
    F42,
}

impl Row {
    pub(crate) const ALL: [Self; 16] = [
        Self::F1,
        Self::F2,
        Self::F3,
        Self::F4,
        Self::F6,
        Self::F8,
        Self::F9,
        Self::F11,
        Self::F12,
        Self::F13,
        Self::F15,
        Self::F26,
        Self::F27,
        Self::F30,
        Self::F31,
        Self::F42,
    ];

    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|row| row.name() == name)
    }

    /// What happens, for the report.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::F1 => "an idle connection is reset or closed",
            Self::F2 => "a connection ends within a reply, at each byte",
            Self::F3 => "a connection is reset within a request, at each byte",
            Self::F4 => "nothing passes any more, and nobody is told",
            Self::F6 => "the server is frozen for 1 s or 3 s",
            Self::F8 => "every tenth reply is later than its caller waits",
            Self::F9 => "calls are dropped at any poll",
            Self::F11 => "the server is restarted",
            Self::F12 => "the server is killed and started again",
            Self::F13 => "a primary of a cluster is killed, its replica is promoted",
            Self::F15 => "slots of a cluster move under load",
            Self::F26 => "requests and replies come in pieces of any size",
            Self::F27 => "replies whose header promises more than there can be",
            Self::F30 => "pushes between all replies and inside of arrays",
            Self::F31 => "a reply is passed twice, or not at all",
            Self::F42 => "the server of 100 clients is killed and started again",
        }
    }

    /// How long the row may last for a client, with the scale 1.
    fn time(self) -> Duration {
        Duration::from_secs(match self {
            Self::F1 => 5,
            Self::F4 | Self::F6 | Self::F11 | Self::F12 | Self::F42 => 20,
            Self::F13 | Self::F15 => 30,
            _ => 8,
        })
    }

    /// Whether a client can be driven through it at all; otherwise why not.
    pub(crate) fn refuses(self, who: Contestant) -> Option<&'static str> {
        match self {
            Self::F9 if who.is_blocking() => Some("a call that blocks cannot be dropped"),
            _ => None,
        }
    }

    /// Runs it in this process.
    pub(crate) fn run(self, who: Contestant, variant: Variant, scale: f64) -> Cell {
        let time = self.time().mul_f64(scale);
        if matches!(self, Self::F13 | Self::F15) {
            return cluster::run(self, who, variant, Rounds::new(time));
        }
        // Otherwise a server may postpone a write for as long as it waits for the disk.
        let server = Server::builder(variant).config("appendfsync", "always");
        let server = server.config("appendonly", "yes").start().unwrap();
        let proxy = Proxy::start(server.addr()).unwrap();
        let limit = match self {
            Self::F8 => Duration::from_millis(100),
            Self::F27 | Self::F31 => Duration::from_millis(500),
            Self::F42 => Duration::from_secs(4),
            _ => LIMIT,
        };
        let run = Run::new(who, limit, vec![String::new()]);
        run.enter();
        run.fill(&server);
        let scene = Scene { run, server, proxy };
        let mut rounds = Rounds::new(time);
        match self {
            Self::F1 => scene.idle_ends(rounds),
            Self::F2 => scene.cuts(rounds, Way::Replies),
            Self::F3 => scene.cuts(rounds, Way::Requests),
            Self::F4 => scene.black_holes(rounds.at_most(4)),
            Self::F6 => scene.frozen(rounds.at_most(4)),
            Self::F8 => scene.late(rounds),
            Self::F9 => scene.cancelled(rounds.at_most(20_000)),
            Self::F11 => scene.restarts(rounds.at_most(4), |server| server.stop().unwrap()),
            Self::F12 => scene.restarts(rounds.at_most(4), |server| server.kill().unwrap()),
            Self::F26 => scene.pieces(rounds),
            Self::F27 => scene.headers(),
            Self::F30 => scene.pushes(rounds),
            Self::F31 => scene.out_of_step(rounds),
            Self::F42 => scene.crowd(rounds.at_most(2)),
            Self::F13 | Self::F15 => unreachable!("these have a cluster"),
        }
        scene.run.finish(&[&scene.proxy], &scene.server)
    }
}

/// How often something is done: a number of times, or until its time is over.
#[derive(Clone, Copy)]
pub(crate) struct Rounds {
    time: Duration,
    begun: Instant,
    left: u64,
    done: u64,
}

impl Rounds {
    fn new(time: Duration) -> Self {
        Self {
            time,
            begun: Instant::now(),
            left: u64::MAX,
            done: 0,
        }
    }

    pub(crate) fn at_most(&mut self, count: u64) -> Self {
        self.left = count;
        *self
    }

    /// The number of the next round, if there is one.
    pub(crate) fn next(&mut self) -> Option<u64> {
        if self.done == self.left || self.begun.elapsed() > self.time {
            return None;
        }
        self.done += 1;
        Some(self.done - 1)
    }
}

/// A server behind a proxy, and what is done with them.
struct Scene {
    run: &'static Run,
    server: Server,
    proxy: Proxy,
}

impl Scene {
    fn client(&self, connections: usize) -> Shared {
        self.run.connect(&Target {
            connections,
            ..self.run.target(&self.proxy)
        })
    }

    fn call(&self, client: &Shared, shape: Shape) -> bool {
        self.run.side.wait(self.run.call(client, shape, 0, 0))
    }

    /// Waits until callers have been served for a while, or for as long as may be.
    fn calm(&self) {
        let before = self.run.succeeded();
        until(CALM, || self.run.succeeded() > before + 500);
    }

    /// Twenty operations in one pipeline.
    fn train(&self, client: &Shared) {
        let shapes: Vec<_> = (0..20).map(|at| PIPED[at % PIPED.len()]).collect();
        self.run.side.wait(self.run.pipeline(client, &shapes, 0, 0));
    }

    /// A connection that is ready, with nothing in flight; absent where the client does not come back.
    fn connected(&self, client: &Shared) -> Option<Link> {
        let came = until(PATIENCE, || self.call(client, Shape::Echo));
        came.then(|| self.proxy.newest()).flatten()
    }

    fn idle_ends(&self, mut rounds: Rounds) {
        let client = self.client(1);
        while let Some(round) = rounds.next() {
            self.call(&client, SHAPES[round as usize % SHAPES.len()]);
            let end = if round % 2 == 0 {
                Action::Reset
            } else {
                Action::Close
            };
            self.proxy.act(Way::Replies, end);
            self.run.fault(0);
            let moment = Instant::now();
            // So that the client's kernel knows.
            thread::sleep(Duration::from_millis(20));
            if !self.run.serves_after(&client, moment, PATIENCE) {
                return;
            }
        }
    }

    fn cuts(&self, mut rounds: Rounds, way: Way) {
        let client = self.client(1);
        let ends = [Action::Reset, Action::Close, Action::HalfClose];
        // A train is longer than that, so that it is struck.
        let (ends, bytes) = match way {
            Way::Requests => (&ends[..1], 400),
            Way::Replies => (&ends[..], 200),
        };
        let mut faults = 0;
        while let Some(round) = rounds.next() {
            let Some(link) = self.connected(&client) else {
                return self.run.recovered(None);
            };
            // Every byte, in an order that comes to all parts soon.
            let passing = round * 37 % bytes;
            let end = ends[round as usize % ends.len()].clone();
            link.arm(Rule::new(At::now(way).plus(passing), end));
            self.train(&client);
            faults = self.run.faults_of(&self.proxy, faults);
            let moment = Instant::now();
            let ended = self
                .proxy
                .wait(self.run.patience(), |traffic| traffic.ended(link.number()));
            if ended.is_err() {
                link.act(Way::Replies, Action::Reset);
            }
            if !self.run.serves_after(&client, moment, PATIENCE) {
                return;
            }
        }
    }

    fn black_holes(&self, mut rounds: Rounds) {
        let client = self.client(1);
        let load = Load::start(self.run, &client, 0..4);
        while rounds.next().is_some() {
            self.calm();
            let Some(link) = self.holed() else { break };
            self.run.served_after(Instant::now(), 0, PATIENCE);
            // It is not told of the end that the client has made, if it has.
            link.act(Way::Replies, Action::Reset);
        }
        load.finish();
    }

    /// Cuts a connection with requests in flight off.
    fn holed(&self) -> Option<Link> {
        loop {
            let link = busy(&self.proxy)?;
            link.act(Way::Replies, Action::BlackHole);
            // What was answered between the one and the other is not in flight any more.
            let in_flight = link.in_flight();
            if in_flight > 0 {
                self.run.fault(in_flight);
                return Some(link);
            }
            link.act(Way::Replies, Action::Heal);
        }
    }

    fn frozen(&self, mut rounds: Rounds) {
        let client = self.client(4);
        let load = Load::start(self.run, &client, 0..4);
        while let Some(round) = rounds.next() {
            self.calm();
            if busy(&self.proxy).is_none() {
                break;
            }
            self.server.pause().unwrap();
            until(Duration::from_secs(1), || self.proxy.in_flight() > 0);
            self.run.fault(self.proxy.in_flight());
            thread::sleep(Duration::from_secs(1 + 2 * (round % 2)));
            let moment = Instant::now();
            self.server.resume().unwrap();
            self.run.served_after(moment, 0, PATIENCE);
        }
        load.finish();
    }

    fn late(&self, mut rounds: Rounds) {
        let late = Action::Hold(2 * self.run.limit);
        self.proxy.script([Rule::new(At::reply(9), late).each()]);
        // One connection for each caller, as what is late holds up all that is behind it.
        let clients: Vec<_> = (0..8).map(|_| self.client(1)).collect();
        let loads = clients.iter().zip(0..);
        let loads: Vec<_> = loads
            .map(|(client, writer)| Load::start(self.run, client, writer..writer + 1))
            .collect();
        while rounds.next().is_some() {
            thread::sleep(Duration::from_millis(5));
        }
        loads.into_iter().for_each(Load::finish);
        self.run.faults_of(&self.proxy, 0);
    }

    fn cancelled(&self, rounds: Rounds) {
        let client = self.client(1);
        let load = Load::start(self.run, &client, 0..4);
        let ended = Arc::new(AtomicUsize::new(0));
        for writer in 0..CANCELLING {
            let (run, client, ended) = (self.run, Arc::clone(&client), Arc::clone(&ended));
            let mut rounds = rounds;
            rounds.left /= u64::from(CANCELLING);
            drop(run.side.spawn(async move {
                let mut numbers = Numbers::new(u64::from(writer));
                while rounds.next().is_some() {
                    // One that comes back before it is dropped is not cancelled.
                    while !run.cancel(&client, &mut numbers, 100 + writer).await {}
                }
                ended.fetch_add(1, Ordering::Relaxed);
            }));
        }
        until(rounds.time + PATIENCE, || {
            ended.load(Ordering::Relaxed) == CANCELLING as usize
        });
        self.run.served_after(Instant::now(), 0, PATIENCE);
        load.finish();
        let dials = self.proxy.accepted();
        self.run.note(format!(
            "{} cancelled, {dials} connections",
            self.run.cancelled()
        ));
    }

    fn restarts(&self, mut rounds: Rounds, end: impl Fn(&Server)) {
        let client = self.client(4);
        let load = Load::start(self.run, &client, 0..4);
        while rounds.next().is_some() {
            self.calm();
            if busy(&self.proxy).is_none() {
                break;
            }
            self.run.fault(self.proxy.in_flight());
            end(&self.server);
            self.server.restart().unwrap();
            self.run.served_after(Instant::now(), 0, PATIENCE);
        }
        load.finish();
    }

    fn pieces(&self, mut rounds: Rounds) {
        while let Some(round) = rounds.next() {
            // A frame of each connection is cut at one of its bytes, and the second piece comes when
            // the first was read; or everything is in pieces of some size.
            let (way, frame) = match round % 2 {
                0 => (Way::Requests, At::request(0)),
                _ => (Way::Replies, At::reply(0)),
            };
            let pause = Action::Hold(Duration::from_micros(300));
            let place = 1 + round / 2 * 7 % 90;
            self.proxy
                .script([Rule::new(frame.plus(place), pause).each()]);
            let client = self.client(1);
            self.train(&client);
            let sizes: &[usize] = [&[1][..], &[2, 3], &[1, 60, 5], &[4096]][round as usize % 4];
            self.proxy.act(way, Action::Split(sizes.to_vec()));
            self.train(&client);
            for shape in SHAPES {
                self.call(&client, shape);
            }
        }
        self.run.faults_of(&self.proxy, 0);
    }

    fn headers(&self) {
        // Who believes what a header says gets no more than this.
        let limit = Some(4 << 30);
        let limit = Rlimit {
            current: limit,
            maximum: limit,
        };
        setrlimit(Resource::As, limit).unwrap();
        let mut most = 0;
        for header in HEADERS {
            // Whoever has ended the process was sent this.
            println!("{LAST}after {}", header.trim_end());
            let client = self.client(1);
            let Some(link) = self.connected(&client) else {
                return self.run.recovered(None);
            };
            let before = reset_peak();
            let bytes = header.as_bytes().to_vec();
            link.arm(Rule::new(At::reply(0), Action::Inject(bytes)));
            let moment = Instant::now();
            self.train(&client);
            self.run.serves_after(&client, moment, 4 * self.run.limit);
            most = most.max(memory("VmHWM:").saturating_sub(before));
        }
        self.run.faults_of(&self.proxy, 0);
        self.run.note(format!("{most} KiB more memory at most"));
    }

    fn pushes(&self, mut rounds: Rounds) {
        let mut faults = 0;
        while let Some(round) = rounds.next() {
            let client = self.client(1);
            let Some(link) = self.connected(&client) else {
                return self.run.recovered(None);
            };
            let push = PUSHES[round as usize % PUSHES.len()].as_bytes().to_vec();
            let at = match round / 2 % 2 {
                0 => At::reply(0),
                _ => At::inside_reply(1),
            };
            link.arm(Rule::new(at, Action::Inject(push)).each());
            self.train(&client);
            for shape in SHAPES {
                self.call(&client, shape);
            }
            faults = self.run.faults_of(&self.proxy, faults);
        }
    }

    fn out_of_step(&self, mut rounds: Rounds) {
        let mut faults = 0;
        while let Some(round) = rounds.next() {
            let client = self.client(1);
            let Some(link) = self.connected(&client) else {
                return self.run.recovered(None);
            };
            let action = if round % 2 == 0 {
                Action::Duplicate
            } else {
                Action::Drop
            };
            link.arm(Rule::new(At::reply(round / 2 % 20), action));
            self.train(&client);
            faults = self.run.faults_of(&self.proxy, faults);
            for at in 0..20 {
                self.call(&client, SHAPES[at % SHAPES.len()]);
            }
        }
    }

    fn crowd(&self, mut rounds: Rounds) {
        let connecting = (0..CROWD).map(|_| self.client(1));
        let clients: Vec<_> = connecting.collect();
        let mut most = 0;
        while rounds.next().is_some() {
            let up: Arc<Mutex<Option<Instant>>> = Arc::default();
            let served: Arc<Mutex<Vec<Instant>>> = Arc::default();
            for (client, writer) in clients.iter().zip(0..) {
                let (run, client) = (self.run, Arc::clone(client));
                let (up, served) = (Arc::clone(&up), Arc::clone(&served));
                drop(run.side.spawn(async move {
                    loop {
                        let is_up = up.lock().unwrap().is_some();
                        if run.call(&client, Shape::Append, 0, writer).await && is_up {
                            return served.lock().unwrap().push(Instant::now());
                        }
                        pause(run).await;
                    }
                }));
            }
            until(PATIENCE, || self.proxy.in_flight() > 0);
            self.run.fault(self.proxy.in_flight());
            self.server.kill().unwrap();
            let killed = Instant::now();
            thread::sleep(AWAY);
            self.server.restart().unwrap();
            let moment = Instant::now();
            *up.lock().unwrap() = Some(moment);
            until(2 * PATIENCE, || served.lock().unwrap().len() == CROWD);
            let served = served.lock().unwrap();
            for at in &*served {
                let after = at.saturating_duration_since(moment);
                self.run.recovered(Some(after));
            }
            (served.len()..CROWD).for_each(|_| self.run.recovered(None));
            let traffic = self.proxy.traffic();
            let dials = traffic.dials().filter(|dial| *dial > killed);
            let dials = dials.map(|dial| (dial - killed).as_secs());
            let dials: Vec<_> = dials.collect();
            let of_second = |second| dials.iter().filter(|dial| **dial == second).count();
            most = most.max((0..=AWAY.as_secs()).map(of_second).max().unwrap_or(0));
        }
        self.run.note(format!("at most {most} dials in a second"));
    }
}

/// The most memory that this process has had from now on, in KiB, begins with what it has now.
fn reset_peak() -> u64 {
    let _ = fs::write("/proc/self/clear_refs", "5");
    memory("VmRSS:")
}

/// A figure of this process, in KiB.
fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let word = line.and_then(|line| line.split_ascii_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// How long callers are given between two faults.
const CALM: Duration = Duration::from_secs(2);
/// What pipelines are.
const PIPED: [Shape; 4] = [Shape::Echo, Shape::Append, Shape::Mget, Shape::Set];
/// How many tasks drop calls.
const CANCELLING: u32 = 8;
/// How many clients are thrown out at once, and for how long.
const CROWD: usize = 100;
const AWAY: Duration = Duration::from_secs(3);
/// Headers of which no more comes.
const HEADERS: [&str; 9] = [
    "$-2\r\n",
    "*-2\r\n",
    "$9223372036854775807\r\n",
    "$536870913\r\n",
    "*4294967295\r\n",
    "~4294967295\r\n",
    ">4294967295\r\n",
    "%4611686018427387904\r\n",
    "*9223372036854775807\r\n",
];
/// One that clients know, and one that they do not.
const PUSHES: [&str; 2] = [
    ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
    ">2\r\n+some\r\n+thing\r\n",
];
