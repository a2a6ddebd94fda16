//! F4, F31, F40: connections that are silent or out of step, where only the client itself can notice.

use std::{
    cell::Cell,
    env,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use respec::{Config, Integrity, Protocol, cmd};
use respec_testkit::{Action, At, Proxy, Rule, Server, Variant, Way, proxy::Link, shared};

use crate::{
    beside,
    caller::Caller,
    count,
    run::{Load, PATIENCE, Run, SHAPES, busy, until},
    shape::Shape,
    side::Side,
};

/// In which time a client is to notice that nothing comes any more.
#[derive(Clone, Copy)]
struct Times {
    /// Of a probe and of the silence, where they are not the defaults.
    set: Option<(Duration, Duration)>,
    /// How long a call may take.
    limit: Duration,
}

impl Times {
    /// When a connection with a call under way is given up at the latest.
    fn dead_after(self, side: &Side) -> Duration {
        // Whoever has a connection to himself gives it up with his call, and nobody else notices.
        if side.is_blocking() {
            return self.limit;
        }
        let (heartbeat, silence) = self.set.unwrap_or(DEFAULTS);
        heartbeat + silence
    }
}

#[test]
fn f04_a_connection_in_a_black_hole_is_given_up_in_its_time() {
    let defaults = Config::default();
    let defaults = defaults.settings();
    assert_eq!(
        (defaults.heartbeat(), defaults.silence_timeout()),
        (Some(DEFAULTS.0), DEFAULTS.1)
    );
    let ms = Duration::from_millis;
    let settings = [
        (Some((ms(100), ms(500))), 2 * ms(1_000), count(6, 200)),
        (Some((ms(300), ms(200))), 2 * ms(1_000), count(6, 200)),
        // The defaults are what is said of them.
        (None, 15 * ms(1_000), 1),
    ];
    let servers = Variant::ALL.map(shared);
    let all = settings
        .into_iter()
        .flat_map(|setting| servers.map(|server| (setting, server)));
    beside(all, |((set, limit, rounds), server)| {
        for side in Side::all() {
            let limit = if side.is_blocking() { limit / 4 } else { limit };
            black_holes(server, &side, Times { set, limit }, rounds);
        }
    });
}

fn black_holes(server: &Server, side: &Side, times: Times, rounds: u64) {
    // The first attempt to send again what only reads may fall into the same hole.
    let run = Run::new("F4", server, side, Protocol::Resp3, 2 * times.limit);
    let proxy = Proxy::start(server.addr()).unwrap();
    let mut config = run.config(&proxy, Protocol::Resp3);
    config = config.response_timeout(times.limit);
    if let Some((heartbeat, silence)) = times.set {
        config = config.heartbeat(heartbeat).silence_timeout(silence);
    }
    let caller = side.client(config.pool_max(1));
    let load = Load::start(&run, side, &caller, 4);
    // The greeting has another time.
    until("all are at work", || run.tally().ok > 20);
    for _ in 0..rounds {
        let dials = proxy.accepted();
        let link = holed(&run, &proxy);
        let begun = Instant::now();
        until("another connection is made", || proxy.accepted() > dials);
        run.recovered(begun.elapsed().saturating_sub(times.dead_after(side)));
        let done = run.tally().ok;
        until("callers are served again", || run.tally().ok > done + 20);
        // It is not told of the end that the client has made.
        link.act(Way::Replies, Action::Reset);
    }
    load.finish();
    let row = run.finish(&[&proxy], server);
    let stalled = row.verdict.deadlines.longest_stall;
    for beyond in &row.verdict.tally.recoveries {
        assert!(*beyond <= BEYOND + stalled, "{}", row.details());
    }
}

/// Cuts a connection with requests in flight off, so that nothing passes and nobody is told.
fn holed(run: &Run, proxy: &Proxy) -> Link {
    loop {
        let link = busy(proxy);
        link.act(Way::Replies, Action::BlackHole);
        // What was answered between the one and the other is not in flight any more.
        let in_flight = link.in_flight();
        if in_flight > 0 {
            run.fault(in_flight);
            return link;
        }
        link.act(Way::Replies, Action::Heal);
    }
}

#[test]
fn f31_replies_out_of_step_are_found_before_anybody_gets_one() {
    let both = [Protocol::Resp2, Protocol::Resp3];
    let all = Variant::ALL.map(|variant| (variant, both));
    beside(all, |(variant, protocols)| {
        let server = shared(variant);
        for side in Side::all() {
            for protocol in protocols {
                // A nonce that is lost itself costs one who has a connection to himself the time of his
                // call, as he has no heartbeat.
                let limit = if side.is_blocking() { 400 } else { 10_000 };
                let limit = Duration::from_millis(limit);
                let run = Run::new("F31", server, &side, protocol, limit);
                let proxy = Proxy::start(server.addr()).unwrap();
                let config = run.config(&proxy, protocol).integrity(Integrity::Batch);
                let client = |heartbeat: Option<Duration>| {
                    side.client(config.clone().pool_max(1).heartbeat(heartbeat))
                };
                let shapes: Vec<_> = (0..20).map(|at| SHAPES[at % SHAPES.len()]).collect();
                let faults = Cell::new(0);
                let ends = |link: &Link| {
                    let ended = proxy.wait(PATIENCE, |traffic| traffic.ended(link.number()));
                    ended.unwrap();
                    faults.set(run.faults_of(&proxy, faults.get()));
                };
                let strike = |caller: &Caller, shapes: &[Shape], action: Action, place: u64| {
                    let link = connected(&side, caller, &proxy);
                    link.arm(Rule::new(At::reply(place), action));
                    side.wait(run.pipeline(caller, shapes, 0));
                    ends(&link);
                };
                let caller = client(None);
                for round in 0..count(85, 5_000) {
                    strike(&caller, &shapes, Action::Duplicate, round % 21);
                    strike(&caller, &shapes, Action::Drop, round % 20);
                    // The last one and the nonce.
                    strike(&caller, &shapes, Action::Swap, 19);
                }
                // With a nonce behind each command there is no other place.
                for round in 0..count(25, 500) {
                    let one = &[SHAPES[round as usize % SHAPES.len()]];
                    strike(&caller, one, Action::Duplicate, round % 2);
                    strike(&caller, one, Action::Drop, 0);
                    strike(&caller, one, Action::Swap, 0);
                }
                // A nonce and what is behind it, on a connection that may carry that meanwhile.
                let turns = if side.is_blocking() {
                    0
                } else {
                    count(25, 500)
                };
                for _ in 0..turns {
                    let link = connected(&side, &caller, &proxy);
                    link.arm(Rule::new(At::reply(20), Action::Swap));
                    let before = proxy.traffic().requests();
                    let first = {
                        let (run, caller, shapes) =
                            (Arc::clone(&run), caller.clone(), shapes.clone());
                        side.spawn(async move { run.pipeline(&caller, &shapes, 0).await })
                    };
                    until("the nonce is held back", || {
                        proxy.traffic().requests() == before + 21 && proxy.in_flight() == 1
                    });
                    side.wait(run.pipeline(&caller, &shapes, 1));
                    first();
                    ends(&link);
                }
                drop(caller);
                let caller = client(Some(Duration::from_millis(50)));
                for _ in 0..count(5, 250) {
                    strike(&caller, &shapes, Action::Drop, 20);
                }
                run.finish(&[&proxy], server);
            }
        }
    });
}

/// Two that change places within a batch are of the right number, so that the nonce behind them does
/// not tell: type and tag do, and nobody else gets another's.
#[test]
fn f31_neighbours_that_change_places_are_seen_by_type_and_tag() {
    let all = Variant::ALL
        .into_iter()
        .flat_map(|variant| Side::all().map(|side| (variant, side)));
    beside(all, |(variant, side)| {
        let server = shared(variant);
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let run = Run::new("F31", server, &side, protocol, Duration::from_secs(10));
            let proxy = Proxy::start(server.addr()).unwrap();
            let config = run.config(&proxy, protocol).integrity(Integrity::Batch);
            // A probe would be a reply among the others.
            let caller = side.client(config.pool_max(1).heartbeat(None));
            let link = connected(&side, &caller, &proxy);
            for round in 0..count(5 * 19, 500 * 19) {
                // Each shape is at each place.
                let at = |at: usize| SHAPES[(at + round as usize / 19) % SHAPES.len()];
                let ops: Vec<_> = (0..20).map(|place| run.begin(at(place), 0)).collect();
                let commands = ops.iter().map(|op| run.command(op)).collect();
                let place = round % 19;
                link.arm(Rule::new(At::reply(place), Action::Swap));
                let mut results = side.wait(caller.pipeline(commands)).unwrap();
                let (one, other) = (place as usize, place as usize + 1);
                for at in [one, other] {
                    assert!(!run.is_own(&ops[at], &results[at]), "{:?}", results[at]);
                }
                results.swap(one, other);
                for (op, result) in ops.into_iter().zip(&results) {
                    run.end(op, result);
                }
            }
            run.faults_of(&proxy, 0);
            assert!(link.is_open(), "nothing was out of step");
            run.finish(&[&proxy], server);
        }
    });
}

/// Without a nonce behind each batch somebody may get what is another's, and only until the heartbeat.
#[test]
fn f31_replies_out_of_step_are_found_by_the_next_heartbeat() {
    let heartbeat = Duration::from_millis(50);
    let both = [Protocol::Resp2, Protocol::Resp3];
    let all = both
        .into_iter()
        .flat_map(|protocol| Variant::ALL.map(|variant| (protocol, variant)));
    beside(all, |(protocol, variant)| {
        let server = shared(variant);
        let side = Side::threads();
        let run = Run::new("F31", server, &side, protocol, Duration::from_secs(10));
        let proxy = Proxy::start(server.addr()).unwrap();
        let config = run.config(&proxy, protocol).heartbeat(heartbeat);
        let caller = side.client(config.silence_timeout(PATIENCE));
        let mut faults = 0;
        for round in 0..count(30, 5_000) {
            for action in [Action::Duplicate, Action::Drop] {
                let link = connected(&side, &caller, &proxy);
                link.arm(Rule::new(At::reply(round % 3), action));
                let batch = ["one", "two", "three"].map(|text| cmd::raw("ECHO").arg(text));
                let begun = Instant::now();
                let _ = side.wait(caller.pipeline(batch.to_vec()));
                let ended = proxy.wait(PATIENCE, |traffic| traffic.ended(link.number()));
                let (ended, _) = ended.unwrap();
                let took = ended.saturating_duration_since(begun);
                run.recovered(took.saturating_sub(heartbeat));
                faults = run.faults_of(&proxy, faults);
                // Everybody gets what is his own from then on.
                side.wait(run.pipeline(&caller, &SHAPES, 0));
            }
        }
        let row = run.finish(&[&proxy], server);
        let stalled = row.verdict.deadlines.longest_stall;
        for beyond in &row.verdict.tally.recoveries {
            assert!(*beyond <= BEYOND + stalled, "{}", row.details());
        }
    });
}

/// A connection that is ready, with nothing in flight.
fn connected(side: &Side, caller: &Caller, proxy: &Proxy) -> Link {
    until("there is a connection", || {
        side.wait(caller.call(cmd::ping())).is_ok()
    });
    proxy.newest().unwrap()
}

#[test]
fn f40_a_runtime_whose_threads_are_blocked_gives_no_connection_up() {
    beside(Variant::ALL, |variant| {
        let side = Side::threads();
        held_up(shared(variant), &side, |link, run| {
            // Both threads of the runtime, for longer than any peer may be silent.
            let sleepers = [(); 2].map(|()| side.spawn(async { thread::sleep(HELD_UP) }));
            run.fault(link.in_flight());
            sleepers.into_iter().for_each(|sleeper| sleeper());
        });
    });
}

/// The program of the tests is stopped as a whole, which has to be another one than this.
#[test]
fn f40_a_process_that_was_stopped_gives_no_connection_up() {
    if env::var_os(STOPPED).is_some() {
        for variant in Variant::ALL {
            for side in Side::all() {
                held_up(shared(variant), &side, |link, run| {
                    run.fault(link.in_flight());
                    let mut last = Instant::now();
                    println!("{STOP_ME}");
                    until("this process was stopped", || {
                        let passed = last.elapsed();
                        last = Instant::now();
                        passed > HELD_UP / 2
                    });
                });
            }
        }
        return;
    }
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "dead::f40_a_process_that_was_stopped_gives_no_connection_up",
            "--exact",
            "--nocapture",
        ])
        .env(STOPPED, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let child_id = child.id().to_string();
    let signal = |name: &str| {
        let kill = Command::new("kill").args([name, &child_id]).status();
        assert!(kill.unwrap().success());
    };
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains(STOP_ME) {
            signal("-STOP");
            thread::sleep(HELD_UP);
            signal("-CONT");
        } else if let Some(row) = line.find("| F40") {
            println!("{}", &line[row..]);
        }
    }
    assert!(child.wait().unwrap().success());
}

/// A load whose client is held up again and again, by which no connection may be lost.
fn held_up(server: &Server, side: &Side, hold_up: impl Fn(&Link, &Run)) {
    let limit = Duration::from_secs(20);
    let run = Run::new("F40", server, side, Protocol::Resp3, limit);
    let proxy = Proxy::start(server.addr()).unwrap();
    let config = run.config(&proxy, Protocol::Resp3).pool_max(4);
    let config = config.heartbeat(Duration::from_millis(100));
    let caller = side.client(config.silence_timeout(Duration::from_millis(500)));
    let load = Load::start(&run, side, &caller, 4);
    until("all are at work", || run.operations() > 100);
    let dials = proxy.accepted();
    while run.faults() < count(3, 50) {
        let link = busy(&proxy);
        hold_up(&link, &run);
        let done = run.operations();
        until("callers are served again", || run.operations() > done + 20);
        assert!(link.is_open(), "a peer that is well was taken for dead");
    }
    load.finish();
    assert_eq!(proxy.accepted(), dials, "nobody has dialled again");
    let row = run.finish(&[&proxy], server);
    assert!(row.verdict.tally.errors.is_empty(), "{}", row.details());
}

/// The settings for who sets nothing.
const DEFAULTS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// What a client may take beyond its settings, on a machine that lets it run.
const BEYOND: Duration = Duration::from_millis(500);
/// Four times the silence that is allowed to a peer.
const HELD_UP: Duration = Duration::from_secs(2);
const STOPPED: &str = "FAULTS_STOPPED";
const STOP_ME: &str = "stop this process";
