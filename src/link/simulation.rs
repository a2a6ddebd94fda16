//! A link, its callers and a server in virtual time, with seeds.
//!
//! The server is up, unreachable, mute or refuses, by turns. Callers want the shared connection or one
//! of the pool, and some of them stop polling, leave, or never give back in time. What must hold:
//! while attempts fail there is one at a time and none comes too early, no more connections of the
//! pool are open than allowed, everybody who polls gets an answer in time, and in the end nothing is
//! left in the books.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::*;
use crate::{
    error::Phase,
    events::{Event, tests::Kept},
};

/// How many seeds are run; more by the environment variable `RESPEC_SEEDS`.
const SEEDS: u64 = 2_000;

const MAX: usize = 3;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Up,
    /// Attempts fail at once.
    Unreachable,
    /// Attempts time out.
    Mute,
    /// Attempts are refused by the server.
    Refuses,
}

/// What happens next.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Arrive(usize),
    /// A caller polls, since it was woken or its time has come.
    Poll(usize),
    DialEnds(u64),
    GiveBack(usize),
    Leave,
}

enum Dialled {
    Pool(usize, PoolPermit),
    Shared(Dial),
}

#[derive(Default)]
struct Caller {
    shared: bool,
    /// It does not poll any more after it has begun to wait.
    sleeps: bool,
    seen: Option<u64>,
    wait_id: Option<WaitId>,
    since: Option<Instant>,
    holds: Option<(PoolPermit, u64)>,
    /// It makes a connection.
    dials: bool,
    done: bool,
    /// When it polls next.
    polls_at: Option<Instant>,
}

struct World {
    link: Link<u64, usize>,
    now: Instant,
    random: u64,
    server: Server,
    callers: Vec<Caller>,
    agenda: BinaryHeap<Reverse<(Instant, u64, Step)>>,
    order: u64,
    /// Attempts under way, and since when, if each is the one that is made while others fail.
    dials: HashMap<u64, (Dialled, Option<Instant>)>,
    next_dial: u64,
    next_connection: u64,
    dead: HashSet<u64>,
    /// When attempts have failed, and whether by a refusal, since one last succeeded.
    last_failure: Option<(Instant, bool)>,
    waits_shared: Vec<usize>,
}

impl World {
    fn new(seed: u64, events: Events) -> Self {
        let config = Config::default()
            .pool_max(MAX)
            .pool_wait(WAIT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_lifetime(Duration::from_secs(20));
        Self {
            link: Link::new(&config, Arc::new(config.address.clone()), events, seed),
            now: Instant::now(),
            random: seed,
            server: Server::Up,
            callers: Vec::new(),
            agenda: BinaryHeap::new(),
            order: 0,
            dials: HashMap::new(),
            next_dial: 0,
            next_connection: 0,
            dead: HashSet::new(),
            last_failure: None,
            waits_shared: Vec::new(),
        }
    }

    fn chance(&mut self, of: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % of
    }

    fn at(&mut self, delay: Duration, step: Step) {
        self.order += 1;
        self.agenda
            .push(Reverse((self.now + delay, self.order, step)));
    }

    fn wake(&mut self, woken: impl IntoIterator<Item = usize>) {
        for caller in woken {
            if !(self.callers[caller].sleeps && self.callers[caller].wait_id.is_some()) {
                self.poll_after(Duration::from_millis(1), caller);
            }
        }
    }

    /// Has a caller poll after some time, unless it does so before.
    fn poll_after(&mut self, delay: Duration, id: usize) {
        let at = self.now + delay;
        let caller = &mut self.callers[id];
        if caller.polls_at.is_none_or(|before| before > at) {
            caller.polls_at = Some(at);
            self.at(delay, Step::Poll(id));
        }
    }

    fn wake_shared(&mut self) {
        let waiting = std::mem::take(&mut self.waits_shared);
        self.wake(waiting);
    }

    fn begin(&mut self, dialled: Dialled) {
        let probes = match &dialled {
            Dialled::Pool(_, permit) => permit.probes(),
            Dialled::Shared(dial) => {
                let dial_permit = dial.dial_permit();
                dial_permit.probes().then(|| dial_permit.since())
            }
        };
        // One that takes too long, as where a caller does not come for it, is not waited for.
        let now = self.now;
        let counts = |since: &Instant| now - *since < CONNECT_TIMEOUT + Duration::from_secs(1);
        let alone = probes.filter(counts).and(self.last_failure);
        if let Some((failed, refused)) = alone {
            let others = self.dials.values().filter_map(|(_, probes)| *probes);
            assert_eq!(
                others.filter(counts).count(),
                0,
                "attempts come one at a time"
            );
            // Leave that was given before says nothing about the pause behind this failure.
            if refused && probes.is_some_and(|since| since >= failed) {
                let pause = self.now - failed;
                assert!(
                    pause >= Duration::from_secs(1),
                    "too early after a refusal: {pause:?}"
                );
            }
        }
        // What comes of one that is not waited for says nothing.
        let probes = probes.filter(counts);
        if probes.is_some() {
            for (_, others) in self.dials.values_mut() {
                *others = others.filter(counts);
            }
        }
        let number = self.next_dial;
        self.next_dial += 1;
        self.dials.insert(number, (dialled, probes));
        let takes = match self.server {
            Server::Mute => CONNECT_TIMEOUT,
            _ => Duration::from_millis(self.chance(20)),
        };
        self.at(takes, Step::DialEnds(number));
    }

    fn poll(&mut self, id: usize) {
        let now = self.now;
        if self.callers[id].done || self.callers[id].dials || self.callers[id].holds.is_some() {
            return;
        }
        if self.callers[id].shared {
            self.poll_shared(id);
            return;
        }
        let asked = match self.callers[id].wait_id {
            None => {
                let closed = self.link.pool().sweep(now);
                self.dead.extend(closed);
                let asked = self.link.pool().ask(now, || id);
                self.callers[id].since = Some(now);
                asked
            }
            Some(wait_id) => {
                let look = self.link.pool().poll_wait(wait_id, now);
                self.wake(look.woken);
                match look.turn {
                    Some(turn) => Acquire::Now(turn),
                    None if now - self.callers[id].since.unwrap() >= WAIT => {
                        match self.link.pool().time_out(wait_id, WAIT, now) {
                            Ok(turn) => Acquire::Now(turn),
                            Err(error) => {
                                let waits_for = [Some(Phase::Queue), Some(Phase::Connect)];
                                assert!(waits_for.contains(&error.phase()));
                                self.callers[id].done = true;
                                return;
                            }
                        }
                    }
                    None => {
                        let end = self.callers[id].since.unwrap() + WAIT;
                        let until = look.again.map_or(end, |again| again.min(end));
                        self.poll_after(until.saturating_duration_since(now), id);
                        return;
                    }
                }
            }
        };
        match asked {
            Acquire::Wait(wait_id, _) => {
                self.callers[id].wait_id = Some(wait_id);
                if !self.callers[id].sleeps {
                    self.poll_after(Duration::ZERO, id);
                }
            }
            Acquire::Now(turn) => self.take(id, turn),
        }
    }

    fn take(&mut self, id: usize, turn: Acquired<u64>) {
        self.callers[id].wait_id = None;
        match turn {
            Acquired::Failed(_) => self.callers[id].done = true,
            Acquired::Connect(permit) => {
                self.callers[id].dials = true;
                self.begin(Dialled::Pool(id, permit));
            }
            Acquired::Reuse(permit, connection) => {
                if self.dead.contains(&connection) {
                    let asked = self.link.pool().ask_again(permit, self.now, || id);
                    match asked {
                        Acquire::Now(turn) => self.take(id, turn),
                        Acquire::Wait(wait_id, _) => {
                            self.callers[id].wait_id = Some(wait_id);
                            self.poll_after(Duration::ZERO, id);
                        }
                    }
                    return;
                }
                self.hold(id, permit, connection);
            }
        }
    }

    fn hold(&mut self, id: usize, permit: PoolPermit, connection: u64) {
        self.callers[id].holds = Some((permit, connection));
        let long = Duration::from_millis(self.chance(1500));
        self.at(long, Step::GiveBack(id));
    }

    fn poll_shared(&mut self, id: usize) {
        let failed = self.link.failed_attempts();
        let seen = *self.callers[id].seen.get_or_insert(failed);
        let since = *self.callers[id].since.get_or_insert(self.now);
        let dead = &self.dead;
        match self
            .link
            .ask(0, seen, true, |it| !dead.contains(it), self.now)
        {
            SharedStep::Ready(connection) => {
                assert!(!self.dead.contains(&connection));
                self.callers[id].done = true;
                if let Some(dial) = self.link.renew(0, self.now) {
                    self.begin(Dialled::Shared(dial));
                }
            }
            SharedStep::Failed(_) => self.callers[id].done = true,
            SharedStep::Dial(dial) => {
                self.begin(Dialled::Shared(dial));
                self.waits_shared.push(id);
            }
            SharedStep::Wait(until) => {
                assert!(self.now - since < WAIT, "a caller waits too long");
                self.waits_shared.push(id);
                if let Some(until) = until {
                    self.poll_after(until.saturating_duration_since(self.now), id);
                }
            }
        }
    }

    fn dial_ends(&mut self, number: u64) {
        let Some((dialled, probes)) = self.dials.remove(&number) else {
            return;
        };
        let now = self.now;
        let error = match self.server {
            Server::Up => None,
            Server::Unreachable => Some(Error::io(
                ErrorKind::Connect,
                "cannot reach",
                io::ErrorKind::ConnectionRefused.into(),
            )),
            Server::Mute => Some(Error::new(ErrorKind::Timeout(Phase::Connect), "no answer")),
            Server::Refuses => Some(Error::new(ErrorKind::Connect, "the server is full")),
        };
        match &error {
            None => {
                self.last_failure = None;
                for (_, probes) in self.dials.values_mut() {
                    *probes = None;
                }
            }
            // What was begun before the first failure tells nothing new.
            Some(_) if probes.is_some() || self.last_failure.is_none() => {
                self.last_failure = Some((now, self.server == Server::Refuses));
            }
            Some(_) => {}
        }
        match (dialled, error) {
            (Dialled::Pool(id, mut permit), None) => {
                let woken = self.link.pool().connected(&mut permit, now);
                self.wake(woken);
                let connection = self.next_connection;
                self.next_connection += 1;
                self.hold(id, permit, connection);
            }
            (Dialled::Pool(id, permit), Some(error)) => {
                let woken = self.link.pool().failed(permit, &error, now);
                self.wake(woken);
                self.callers[id].done = true;
            }
            (Dialled::Shared(dial), None) => {
                let connection = self.next_connection;
                self.next_connection += 1;
                let closed = self.link.connected(dial, connection, now);
                self.dead.extend(closed);
                self.wake_shared();
            }
            (Dialled::Shared(dial), Some(error)) => {
                self.link.failed(dial, &error, now);
                self.wake_shared();
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Arrive(id) => {
                if self.chance(6) == 0 {
                    // The server changes, and with it dies what leads to it, or some of that.
                    let states = [
                        Server::Up,
                        Server::Up,
                        Server::Unreachable,
                        Server::Mute,
                        Server::Refuses,
                    ];
                    let at = self.chance(5) as usize;
                    // A refusal and its pause are told apart by the state in which an attempt ends.
                    self.server = states[at];
                    if self.server != Server::Up {
                        self.dead
                            .extend((0..self.next_connection).filter(|it| it % 2 == 0));
                    }
                }
                self.poll_after(Duration::ZERO, id);
            }
            Step::Poll(id) => {
                // Another time may have been set since.
                if self.callers[id].polls_at == Some(self.now) {
                    self.callers[id].polls_at = None;
                    self.poll(id);
                }
            }
            Step::DialEnds(number) => self.dial_ends(number),
            Step::GiveBack(id) => {
                let Some((permit, connection)) = self.callers[id].holds.take() else {
                    return;
                };
                self.callers[id].done = true;
                let woken = if self.dead.contains(&connection) {
                    self.link.pool().discard(permit, Defect::Broken, self.now)
                } else {
                    let released = self.link.pool().give_back(permit, connection, self.now);
                    self.dead.extend(released.close);
                    released.woken
                };
                self.wake(woken);
            }
            Step::Leave => {
                let closed = self.link.leave(DisconnectReason::Demoted, self.now);
                self.dead.extend(closed);
                if let Some(dial) = self.link.renew(0, self.now) {
                    self.begin(Dialled::Shared(dial));
                }
            }
        }
        let stats = self.link.pool().stats();
        assert!(stats.open() + stats.connecting <= MAX, "{stats:?}");
    }

    fn run(&mut self) {
        for id in 0..30 {
            let sleeps = self.chance(8) == 0;
            let shared = self.chance(3) == 0;
            self.callers.push(Caller {
                shared,
                sleeps: sleeps && !shared,
                ..Caller::default()
            });
            let after = Duration::from_millis(self.chance(12_000));
            self.at(after, Step::Arrive(id));
        }
        for _ in 0..3 {
            let after = Duration::from_millis(self.chance(12_000));
            self.at(after, Step::Leave);
        }
        self.drain();
        for id in 0..self.callers.len() {
            let caller = &self.callers[id];
            assert!(caller.done || caller.sleeps, "caller {id} has no answer");
        }
        // Whoever has stopped polling leaves, and what was put aside for it goes back.
        for id in 0..self.callers.len() {
            if let Some(wait_id) = self.callers[id].wait_id.take() {
                self.callers[id].done = true;
                match self.link.pool().leave(wait_id, self.now) {
                    Some(Acquired::Reuse(permit, connection)) => {
                        let released = self.link.pool().give_back(permit, connection, self.now);
                        self.wake(released.woken);
                    }
                    Some(Acquired::Connect(permit)) => {
                        let woken = self.link.pool().discard(permit, Defect::Dirty, self.now);
                        self.wake(woken);
                    }
                    Some(Acquired::Failed(_)) | None => {}
                }
            }
        }
        self.drain();
        let stats = self.link.pool().stats();
        assert_eq!(
            (stats.in_use, stats.connecting, stats.waiting),
            (0, 0, 0),
            "{stats:?}"
        );
        assert_eq!(
            stats.made,
            stats.open() as u64 + stats.closed(),
            "{stats:?}"
        );
    }

    fn drain(&mut self) {
        while let Some(Reverse((at, _, step))) = self.agenda.pop() {
            self.now = self.now.max(at);
            self.step(step);
        }
    }
}

#[test]
fn a_link_holds_its_promises_whatever_the_server_does() {
    let seeds = std::env::var("RESPEC_SEEDS").ok();
    let seeds = seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let mut ready = 0;
    let mut not_ready = 0;
    let mut passed = 0;
    for seed in 0..seeds {
        let (kept, events) = Kept::new();
        let mut world = World::new(seed, events);
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run()));
        assert!(run.is_ok(), "seed {seed}");
        let mut dialling = 0_i64;
        for (_, event) in kept.take() {
            match event {
                Event::Connecting { .. } => dialling += 1,
                Event::Connected { .. } => {
                    ready += 1;
                    dialling -= 1;
                }
                Event::ConnectFailed { .. } => {
                    not_ready += 1;
                    dialling -= 1;
                }
                Event::PoolWaited { served: true, .. } => passed += 1,
                _ => {}
            }
            assert!(dialling >= 0, "seed {seed}: an end without a beginning");
        }
    }
    // All of it has happened, or nothing was tested.
    assert!(
        ready > 0 && not_ready > 0 && passed > 0,
        "{ready} {not_ready} {passed}"
    );
}
