//! The pool with numbers for connections and letters for those who wait.

use std::{error::Error as _, io, sync::Arc};

use super::*;
use crate::{
    address::Address,
    config::{Config, Offline},
    events::{Event, Events, tests::Kept},
};

/// A pool whose connections are numbers in the order of being made.
struct Script {
    pool: Pool<u32, char>,
    start: Instant,
    made: u32,
}

impl Script {
    fn new(min: usize, max: usize, idle: u64, lifetime: u64) -> Self {
        let seconds = |seconds| (seconds > 0).then(|| Duration::from_secs(seconds));
        let config = Config::tcp("h", 1)
            .pool_min(min)
            .pool_max(max)
            .pool_idle_timeout(seconds(idle))
            .pool_lifetime(seconds(lifetime))
            .pool_wait(Duration::ZERO);
        Self::of(&config)
    }

    fn of(config: &Config) -> Self {
        Self {
            pool: Pool::new(
                config.pool,
                Pacing::new(Duration::from_secs(5)).offline(config.offline),
                reporter(Events::default()),
                fastrand::Rng::with_seed(7),
            ),
            start: Instant::now(),
            made: 0,
        }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    /// Gets a connection that is free or may be made.
    fn get(&mut self, now: u64) -> (PoolPermit, u32) {
        let at = self.at(now);
        match self.pool.ask(at, || '!') {
            Acquire::Now(turn) => self.take(turn, now),
            Acquire::Wait(..) => panic!("nothing is free"),
        }
    }

    fn take(&mut self, turn: Acquired<u32>, now: u64) -> (PoolPermit, u32) {
        match turn {
            Acquired::Reuse(permit, connection) => (permit, connection),
            Acquired::Connect(mut permit) => {
                let woken = self.pool.connected(&mut permit, self.at(now));
                assert_eq!(woken, []);
                self.made += 1;
                (permit, self.made)
            }
            Acquired::Failed(error) => panic!("{error}"),
        }
    }

    fn wait(&mut self, name: char) -> WaitId {
        match self.pool.ask(self.start, || name) {
            Acquire::Wait(wait_id, _) => wait_id,
            Acquire::Now(turn) => panic!("got {turn:?}"),
        }
    }

    fn give_back(
        &mut self,
        (permit, connection): (PoolPermit, u32),
        now: u64,
    ) -> (Option<char>, Option<u32>) {
        let now = self.at(now);
        let Released { woken, close } = self.pool.give_back(permit, connection, now);
        (woken, close)
    }

    fn sweep(&mut self, now: u64) -> Vec<u32> {
        let now = self.at(now);
        self.pool.sweep(now)
    }

    fn look(&mut self, wait_id: WaitId, now: u64) -> Option<Acquired<u32>> {
        let now = self.at(now);
        self.pool.poll_wait(wait_id, now).turn
    }

    fn leave(&mut self, wait_id: WaitId, now: u64) -> Option<Acquired<u32>> {
        let now = self.at(now);
        self.pool.leave(wait_id, now)
    }

    fn leave_to_connect(&mut self, now: u64) -> PoolPermit {
        let now = self.at(now);
        match self.pool.ask(now, || '!') {
            Acquire::Now(Acquired::Connect(permit)) => permit,
            other => panic!("got {other:?}"),
        }
    }

    fn ask_again(&mut self, dead: PoolPermit, now: u64) -> Acquire<u32, char> {
        let now = self.at(now);
        self.pool.ask_again(dead, now, || '!')
    }

    fn discard(&mut self, permit: PoolPermit, defect: Defect, now: u64) -> Option<char> {
        let now = self.at(now);
        self.pool.discard(permit, defect, now)
    }

    fn fail(&mut self, permit: PoolPermit, error: Error, now: u64) -> Vec<char> {
        let now = self.at(now);
        self.pool.failed(permit, &error, now)
    }
}

fn unreachable() -> Error {
    let refused = io::ErrorKind::ConnectionRefused.into();
    Error::io(ErrorKind::Connect, "cannot reach the server", refused)
}

#[test]
fn the_one_used_last_is_used_next() {
    let mut script = Script::new(0, 3, 0, 0);
    let (one, two) = (script.get(0), script.get(0));
    assert_eq!((one.1, two.1), (1, 2));
    assert_eq!(script.give_back(two, 0), (None, None));
    assert_eq!(script.give_back(one, 0), (None, None));
    let (again, other, fresh) = (script.get(0), script.get(0), script.get(0));
    assert_eq!((again.1, other.1, fresh.1), (1, 2, 3));
}

#[test]
fn a_connection_that_is_made_for_the_line_goes_to_who_waits_longest() {
    let mut script = Script::new(0, 3, 0, 0);
    let start = script.start;
    let used = script.get(0);
    let mut first = script.leave_to_connect(0);
    let (a, _) = script.pool.wait_for(&mut first, false, start, || 'a');
    assert!(script.look(a, 0).is_none(), "no leave to make another one");
    // Somebody else may make one meanwhile, and waits behind.
    let mut second = script.leave_to_connect(0);
    let (b, _) = script.pool.wait_for(&mut second, false, start, || 'b');
    assert!(script.pool.is_connecting() && script.pool.is_used_up());
    assert_eq!(script.pool.waiters(), ['a', 'b']);
    // Whatever comes first will do.
    assert_eq!(script.give_back(used, 0), (Some('a'), None));
    assert!(matches!(script.look(a, 0), Some(Acquired::Reuse(_, 1))));
    assert_eq!(script.pool.connected(&mut second, start), []);
    assert_eq!(script.give_back((second, 2), 0), (Some('b'), None));
    assert!(matches!(script.look(b, 0), Some(Acquired::Reuse(_, 2))));
    assert_eq!(script.pool.connected(&mut first, start), []);
    assert_eq!(script.give_back((first, 3), 0), (None, None));
    assert!(!script.pool.is_connecting() && !script.pool.is_used_up());
    let stats = script.pool.stats();
    assert_eq!((stats.lent, stats.idle, stats.in_use), (3, 1, 2));
    assert_eq!(script.pool.clear(script.start), [3]);
    let stats = script.pool.stats();
    assert_eq!((stats.open(), stats.closed_broken), (2, 1));
}

#[test]
fn who_waits_for_an_attempt_that_fails_is_told_or_tries_again() {
    let mut script = Script::new(0, 3, 0, 0);
    let start = script.start;
    let mut first = script.leave_to_connect(0);
    let (a, _) = script.pool.wait_for(&mut first, false, start, || 'a');
    let mut second = script.leave_to_connect(0);
    let (b, _) = script.pool.wait_for(&mut second, false, start, || 'b');
    assert_eq!(script.fail(second, unreachable(), 0), ['a', 'b']);
    // The first of them gets leave for another attempt, and stays the first.
    let Some(Acquired::Connect(mut third)) = script.look(a, 2) else {
        panic!("expected leave to connect");
    };
    let (a, _) = script.pool.wait_for(&mut third, true, start, || 'a');
    assert_eq!(script.pool.waiters(), ['a', 'b']);
    assert_eq!(script.discard(first, Defect::Broken, 2), None);
    assert_eq!(script.fail(third, unreachable(), 2), ['a', 'b']);
    assert!(matches!(script.look(a, 2), Some(Acquired::Failed(_))));
    assert!(matches!(script.look(b, 2), Some(Acquired::Failed(_))));
    assert_eq!(script.pool.stats().open(), 0);
}

#[test]
fn what_is_released_goes_to_who_waits_longest() {
    let mut script = Script::new(0, 2, 0, 0);
    let (one, two) = (script.get(0), script.get(0));
    let (a, b, c, d) = (
        script.wait('a'),
        script.wait('b'),
        script.wait('c'),
        script.wait('d'),
    );
    assert!(script.look(a, 0).is_none());
    assert!(script.leave(b, 0).is_none());

    assert_eq!(script.give_back(one, 0), (Some('a'), None));
    let e = script.wait('e');
    assert_eq!(script.discard(two.0, Defect::Dirty, 0), Some('c'));
    let a = script.look(a, 0).unwrap();
    assert!(matches!(a, Acquired::Reuse(_, 1)), "{a:?}");
    let c = script.look(c, 0).unwrap();
    assert!(matches!(c, Acquired::Connect(_)), "{c:?}");
    assert!(script.look(d, 0).is_none());

    // One whose turn it became while it left gets it nevertheless.
    let a = script.take(a, 0);
    assert_eq!(script.give_back(a, 0), (Some('d'), None));
    assert!(matches!(script.leave(d, 0), Some(Acquired::Reuse(_, 1))));
    assert!(script.leave(d, 0).is_none());
    let c = script.take(c, 0);
    assert_eq!(script.give_back(c, 0), (Some('e'), None));
    assert!(script.look(e, 0).is_some());
}

#[test]
fn failed_connections_do_not_use_up_the_pool() {
    let mut script = Script::new(0, 1, 0, 0);
    for second in 0..10 {
        let permit = script.leave_to_connect(2 * second);
        assert_eq!(script.fail(permit, unreachable(), 2 * second), []);
    }
    assert_eq!(script.pool.stats().failed, 10);
    for second in 20..30 {
        let permit = script.leave_to_connect(second);
        assert_eq!(script.discard(permit, Defect::Broken, second), None);
    }
    assert_eq!(script.get(30).1, 1);
}

#[test]
fn who_finds_a_dead_connection_gets_another_and_waits_for_it_in_front() {
    let mut script = Script::new(0, 2, 0, 0);
    let (one, two) = (script.get(0), script.get(0));
    script.give_back(one, 0);
    script.give_back(two, 0);
    let (dead, _) = script.get(0);
    let (dead, connection) = match script.ask_again(dead, 0) {
        Acquire::Now(turn) => script.take(turn, 0),
        Acquire::Wait(..) => panic!("one is idle"),
    };
    assert_eq!(connection, 1);
    let Acquire::Now(Acquired::Connect(third)) = script.ask_again(dead, 0) else {
        panic!("nothing is open")
    };
    let stats = script.pool.stats();
    assert_eq!((stats.lent, stats.closed_broken), (2, 2));

    let fourth = script.get(0);
    let behind = script.wait('b');
    assert_eq!(script.fail(third, unreachable(), 0), ['b']);
    assert!(matches!(script.look(behind, 0), Some(Acquired::Connect(_))));
    let behind = script.wait('c');
    let Acquire::Wait(front, _) = script.ask_again(fourth.0, 0) else {
        panic!("somebody else tries to connect")
    };
    assert!(script.pool.wait_queue.has_no_grants(), "it was collected");
    assert!(script.look(behind, 5).is_none());
    assert!(script.look(front, 5).is_none());
    assert_eq!(script.pool.wait_queue.first(), Some(front));
}

#[test]
fn while_connecting_fails_one_tries_at_a_time_and_ever_later() {
    let mut script = Script::new(0, 4, 0, 0);
    let permits: Vec<_> = (0..4).map(|_| script.leave_to_connect(0)).collect();
    let a = script.wait('a');
    let mut permits = permits.into_iter();
    // Those that were begun together count as one failure.
    assert_eq!(
        script.fail(permits.next().unwrap(), unreachable(), 0),
        ['a']
    );
    let Some(Acquired::Connect(probe)) = script.look(a, 0) else {
        panic!("the first time it is tried again at once")
    };
    let (b, c) = (script.wait('b'), script.wait('c'));
    assert!(script.look(b, 100).is_none(), "one is trying");
    for permit in permits {
        assert_eq!(script.fail(permit, unreachable(), 0), ['b', 'c']);
    }
    assert_eq!(script.pool.pacing.failures(), 1);
    // Nobody else can come back: both get the error.
    assert_eq!(script.fail(probe, unreachable(), 0), ['b', 'c']);
    for waiting in [b, c] {
        let failed = script.look(waiting, 0);
        assert!(matches!(failed, Some(Acquired::Failed(_))), "{failed:?}");
    }
    let retry_at = script
        .pool
        .pacing
        .retry_at(script.start)
        .unwrap_or(script.start);
    let pause = retry_at - script.start;
    assert!(pause <= Duration::from_millis(50), "{pause:?}");
    assert!(script.pool.failure(script.start).is_some());
    assert!(script.pool.failure(retry_at).is_none(), "somebody may try");

    let (d, e) = (script.wait('d'), script.wait('e'));
    let Some(Acquired::Connect(mut probe)) = script.look(d, 1) else {
        panic!("the pause is over")
    };
    assert!(script.look(e, 1).is_none());
    // A success lets everybody try.
    assert_eq!(script.pool.connected(&mut probe, script.at(1)), ['e']);
    assert!(matches!(script.look(e, 1), Some(Acquired::Connect(_))));
    assert_eq!(script.get(1).1, 1);
}

#[test]
fn an_attempt_that_is_given_up_goes_to_the_next_who_waits() {
    let mut script = Script::new(0, 1, 0, 0);
    let permit = script.leave_to_connect(0);
    assert_eq!(script.fail(permit, unreachable(), 0), []);
    let probe = script.leave_to_connect(0);
    let a = script.wait('a');
    assert_eq!(script.discard(probe, Defect::Dirty, 0), Some('a'));
    assert!(matches!(script.look(a, 0), Some(Acquired::Connect(_))));
}

#[test]
fn a_server_that_refuses_is_left_alone_for_a_second() {
    let refused = || Error::new(ErrorKind::Connect, "the server is full");
    let mut script = Script::new(0, 2, 0, 0);
    let kept = script.get(0);
    let permit = script.leave_to_connect(0);
    assert_eq!(script.fail(permit, refused(), 0), []);
    let a = script.wait('a');
    let b = script.wait('b');
    assert!(script.look(a, 0).is_none());
    let again = script.pool.pacing.retry_at(script.start).unwrap() - script.start;
    assert!((1000..=1500).contains(&again.as_millis()), "{again:?}");
    // What is in use goes on.
    assert_eq!(script.give_back(kept, 0), (Some('a'), None));
    let a = script.look(a, 0).unwrap();
    assert!(script.look(b, 0).is_none());
    assert!(
        script
            .pool
            .time_out(b, Duration::ZERO, script.start)
            .is_err_and(|error| {
                error.source().is_some() && error.phase() == Some(Phase::Connect)
            })
    );
    let (permit, _) = script.take(a, 0);
    assert_eq!(script.discard(permit, Defect::Broken, 0), None);
    assert!(matches!(
        script.pool.ask(script.at(2), || '!'),
        Acquire::Now(Acquired::Connect(_))
    ));
}

#[test]
fn the_minimum_is_made_anew_one_by_one() {
    let mut script = Script::new(3, 4, 0, 10);
    let one = script.get(0);
    for number in 2..=3 {
        let permit = script.pool.fill(script.start).unwrap();
        assert!(script.pool.fill(script.start).is_none(), "one at a time");
        let filled = script.take(Acquired::Connect(permit), 0);
        assert_eq!(filled.1, number);
        script.give_back(filled, 0);
    }
    assert!(script.pool.fill(script.start).is_none());
    assert_eq!(script.pool.stats().lent, 1);
    assert_eq!(script.sweep(10).len(), 2);
    let permit = script.pool.fill(script.at(10)).unwrap();
    assert_eq!(script.fail(permit, unreachable(), 10), []);
    let permit = script.pool.fill(script.at(10)).unwrap();
    assert_eq!(script.fail(permit, unreachable(), 10), []);
    let permit = script.pool.fill(script.at(11)).unwrap();
    assert_eq!(script.discard(permit, Defect::Dirty, 11), None);
    assert!(script.pool.fill(script.at(11)).is_some());
    script.give_back(one, 5);
}

#[test]
fn everything_is_counted_once() {
    let mut script = Script::new(0, 2, 10, 100);
    let (one, two) = (script.get(0), script.get(0));
    let (a, b) = (script.wait('a'), script.wait('b'));
    script.give_back(one, 3);
    let one = script.look(a, 3).unwrap();
    assert!(
        script
            .pool
            .time_out(b, Duration::ZERO, script.at(5))
            .is_err()
    );
    let one = script.take(one, 3);
    let stats = script.pool.stats();
    assert_eq!((stats.in_use, stats.idle, stats.waiting), (2, 0, 0));
    assert_eq!((stats.lent, stats.made), (3, 2));
    assert_eq!((stats.waited, stats.timed_out), (2, 1));
    assert_eq!(stats.wait_time, Duration::from_secs(8));
    assert_eq!(stats.longest_wait, Duration::from_secs(5));

    script.give_back(one, 5);
    assert_eq!(script.sweep(15), [1]);
    let _ = script.discard(two.0, Defect::Dirty, 15);
    let (three, four) = (script.get(20), script.get(20));
    let _ = script.discard(three.0, Defect::Broken, 20);
    script.give_back(four, 200);
    let permit = script.leave_to_connect(200);
    let stats = script.pool.stats();
    assert_eq!((stats.connecting, stats.open(), stats.made), (1, 0, 4));
    assert_eq!(stats.closed(), 4);
    assert_eq!((stats.closed_old, stats.closed_idle), (1, 1));
    assert_eq!((stats.closed_dirty, stats.closed_broken), (1, 1));
    let _ = script.fail(permit, unreachable(), 200);
    let stats = script.pool.stats();
    assert_eq!((stats.connecting, stats.failed, stats.made), (0, 1, 4));
}

#[test]
fn idle_connections_are_closed_but_for_the_least_number() {
    let mut script = Script::new(1, 4, 10, 0);
    let (one, two, three) = (script.get(0), script.get(0), script.get(0));
    script.give_back(one, 0);
    script.give_back(two, 4);
    script.give_back(three, 8);
    assert!(script.sweep(9).is_empty());
    assert_eq!(script.sweep(10), [1]);
    assert!(script.sweep(13).is_empty());
    assert_eq!(script.sweep(100), [2]);
    assert!(script.sweep(1000).is_empty());
    assert_eq!(
        script.pool.idle.next_expiry(),
        None,
        "nothing is left to look for"
    );
    let three = script.get(1000);
    assert_eq!(three.1, 3);
    script.give_back(three, 1000);
    let (three, four) = (script.get(1000), script.get(1000));
    script.give_back(three, 1000);
    script.give_back(four, 1001);
    assert_eq!(script.sweep(1010), [3]);
}

#[test]
fn old_connections_are_closed_idle_or_not_and_not_all_at_once() {
    let mut script = Script::new(8, 8, 0, 1000);
    let permits: Vec<_> = (0..8).map(|_| script.get(0)).collect();
    let mut ends: Vec<_> = permits
        .iter()
        .map(|(permit, _)| permit.expires.unwrap())
        .collect();
    ends.sort();
    ends.dedup();
    assert_eq!(ends.len(), 8);
    assert!(
        ends.iter()
            .all(|end| (script.at(900)..=script.at(1000)).contains(end))
    );

    let mut permits = permits.into_iter();
    let busy = permits.next().unwrap();
    for idle in permits {
        script.give_back(idle, 1);
    }
    assert!(script.sweep(899).is_empty());
    assert_eq!(script.sweep(1000).len(), 7);
    assert_eq!(script.give_back(busy, 1000), (None, Some(1)));
    assert_eq!(script.pool.open, 0);
}

#[test]
fn an_old_connection_makes_room_for_who_waits() {
    let mut script = Script::new(0, 1, 0, 10);
    let one = script.get(0);
    let wait_id = script.wait('a');
    assert_eq!(script.give_back(one, 10), (Some('a'), Some(1)));
    assert!(matches!(
        script.look(wait_id, 10),
        Some(Acquired::Connect(_))
    ));
}

#[test]
fn a_pool_of_nothing_still_lets_somebody_try() {
    assert_eq!(Script::new(0, 0, 0, 0).get(0).1, 1);
}

fn reporter(events: Events) -> Reporter {
    let server = Address::Tcp {
        host: "h".to_owned(),
        port: 1,
    };
    Reporter::new(Arc::new(server), events)
}

#[test]
fn c15_a_forked_process_begins_anew_and_leaves_the_sockets_to_its_parent() {
    let mut script = Script::new(0, 2, 0, 0);
    assert!(script.pool.enter(7, script.start).is_none());
    let (one, two) = (script.get(0), script.get(0));
    let waiting = script.wait('a');
    script.give_back(one, 0);
    assert!(
        script.pool.enter(7, script.start).is_none(),
        "the same process"
    );
    // One is put aside for `a`, the other lent: in the child neither is there.
    assert_eq!(script.pool.enter(8, script.start), Some(vec![1]));
    assert_eq!(script.pool.stats().open(), 0);
    assert!(script.look(waiting, 0).is_none());
    assert_eq!(
        script.give_back(two, 0),
        (None, Some(2)),
        "closed, and not counted"
    );
    let (three, four) = (script.get(0), script.get(0));
    assert_eq!((three.1, four.1), (3, 4));
    script.give_back(three, 0);
    assert_eq!(script.get(0).1, 3);
    assert_eq!(script.pool.stats().open(), 2);
}

#[test]
fn c09_a_pool_that_leaves_its_server_makes_all_connections_anew() {
    let mut script = Script::new(0, 3, 0, 0);
    let (one, two) = (script.get(0), script.get(0));
    script.give_back(one, 0);
    let (kept, events) = Kept::new();
    script.pool.reporter = reporter(events);
    let now = script.start;
    assert_eq!(
        script
            .pool
            .leave_server(None, DisconnectReason::Demoted, now),
        [1]
    );
    assert_eq!(script.give_back(two, 0), (None, Some(2)));
    let three = script.get(0);
    assert_eq!(script.give_back(three, 0), (None, None), "made since then");
    assert_eq!(script.get(0).1, 3);
    let stats = script.pool.stats();
    assert_eq!((stats.closed_left, stats.closed()), (2, 2));
    let lost = |(_, event)| {
        matches!(
            event,
            Event::Disconnected {
                reason: DisconnectReason::Demoted,
                ..
            }
        )
    };
    assert_eq!(
        kept.take()
            .into_iter()
            .filter(|told| lost(told.clone()))
            .count(),
        2
    );
}

#[test]
fn c22_a_turn_that_nobody_comes_for_passes_on() {
    let ms = Duration::from_millis;
    let mut script = Script::new(0, 1, 0, 0);
    let one = script.get(0);
    let (gone, next) = (script.wait('a'), script.wait('b'));
    assert_eq!(script.give_back(one, 0), (Some('a'), None));
    // `b` knows when to look, since nobody may wake it.
    let look = script.pool.poll_wait(next, script.start);
    let again = look.again.unwrap() - script.start;
    assert!(look.turn.is_none() && again <= ms(100), "{again:?}");
    assert!(
        script
            .pool
            .poll_wait(next, script.start + ms(99))
            .turn
            .is_none()
    );
    let then = script.start + ms(100);
    let look = script.pool.poll_wait(next, then);
    let Some(Acquired::Reuse(permit, 1)) = look.turn else {
        panic!("got {look:?}")
    };
    // The one that did not come is the first again.
    let last = script.wait('c');
    assert!(script.pool.poll_wait(gone, then).turn.is_none());
    assert_eq!(script.pool.give_back(permit, 1, then).woken, Some('a'));
    assert!(script.pool.poll_wait(last, then).turn.is_none());
    assert!(matches!(
        script.pool.poll_wait(gone, then).turn,
        Some(Acquired::Reuse(_, 1))
    ));
}

#[test]
fn c22_leave_to_connect_passes_on_as_well_and_an_error_waits() {
    let mut script = Script::new(0, 1, 0, 0);
    let one = script.get(0);
    let (gone, next) = (script.wait('a'), script.wait('b'));
    assert_eq!(script.discard(one.0, Defect::Broken, 0), Some('a'));
    let Some(Acquired::Connect(permit)) = script.look(next, 1) else {
        panic!("it was left")
    };
    assert_eq!(script.fail(permit, unreachable(), 1), ['a']);
    let other = script.wait('d');
    assert!(
        !matches!(script.look(other, 60), Some(Acquired::Failed(_))),
        "that is for `a`"
    );
    assert!(matches!(script.look(gone, 60), Some(Acquired::Failed(_))));
}

#[test]
fn c24_the_error_of_a_used_up_pool_names_its_limit() {
    let mut script = Script::new(0, 1, 0, 0);
    let _one = script.get(0);
    let a = script.wait('a');
    let error = script
        .pool
        .time_out(a, Duration::from_secs(5), script.at(5))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "timed out in the queue: all connections of the pool to h:1 were in use for 5s (pool_wait); there are 1 at most (pool_max)"
    );
}

#[test]
fn where_callers_do_not_wait_a_filler_finds_out_whether_the_server_is_there() {
    let config = Config::tcp("h", 1).pool_max(2).offline(Offline::Fail);
    let mut script = Script::of(&config);
    assert!(
        script.pool.fill(script.start).is_none(),
        "nothing has failed yet"
    );
    let (permit, _) = script.get(0);
    assert_eq!(script.discard(permit, Defect::Broken, 0), None);
    let Acquire::Now(Acquired::Connect(permit)) = script.pool.ask(script.start, || '!') else {
        panic!("the first attempt is the caller's")
    };
    assert_eq!(script.fail(permit, unreachable(), 0), []);
    for _ in 0..2 {
        let asked = script.pool.ask(script.at(5), || '!');
        assert!(
            matches!(asked, Acquire::Now(Acquired::Failed(_))),
            "{asked:?}"
        );
    }
    let mut probe = script.pool.fill(script.at(5)).unwrap();
    assert!(script.pool.fill(script.at(5)).is_none(), "one at a time");
    let asked = script.pool.ask(script.at(5), || '!');
    assert!(
        matches!(asked, Acquire::Now(Acquired::Failed(_))),
        "{asked:?}"
    );
    assert_eq!(script.pool.connected(&mut probe, script.at(6)), []);
    assert!(
        script
            .pool
            .give_back(probe, 7, script.at(6))
            .close
            .is_none()
    );
    let (permit, connection) = script.get(6);
    assert_eq!(connection, 7);
    // With a connection that is used the client is not offline, and callers wait for their turn.
    let (other, _) = script.get(6);
    assert!(matches!(
        script.pool.ask(script.at(6), || '!'),
        Acquire::Wait(..)
    ));
    let _ = (permit, other);
}
