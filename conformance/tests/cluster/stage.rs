//! What is brought about by hand so that nodes answer differently.

use std::{
    thread,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use respec::reply::Value;
use respec_conformance::{Connection, encode};
use respec_spec::samples::glob;
use respec_testkit::{SLOTS, key_in_slot, slot_of};

use crate::{
    ground::{Ground, PRIMARIES, ask, text},
    merge::code,
};

/// One thing that is done before a command is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Some nodes run a command. Those from 0 to 2 are primaries, the others replicas.
    Ask(&'static [usize], &'static [&'static str]),
    /// The primaries have so many keys, the first of them in slot 1.
    Keys([u16; PRIMARIES]),
    /// One primary runs a command that does not end.
    Busy(&'static [&'static str]),
    /// No primary saves.
    Idle,
    /// One primary has saved later than the others.
    Later,
}

impl Step {
    /// Whether a node cannot be asked for its counts after this.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Busy(_))
    }
}

/// The stages on which a command is asked for, one after the other.
pub(crate) fn stages(command: &str) -> Vec<&'static [Step]> {
    let fitting = STAGES
        .iter()
        .filter(|(names, _)| names.iter().any(|name| glob(name, command)));
    let stages: Vec<_> = fitting.map(|(_, steps)| *steps).collect();
    if stages.is_empty() { vec![&[]] } else { stages }
}

const ALL: &[usize] = &[0, 1, 2, 3, 4, 5];
const PRIMARY: &[usize] = &[0, 1, 2];

const LIBRARY: &str = "#!lua name=lib\nredis.register_function{function_name='f', \
     callback=function() while true do end end, flags={'no-writes'}}";
const LIBRARY2: &str = "#!lua name=lib2\nredis.register_function('g', function() return 1 end)";

const STAGES: &[(&[&str], &[Step])] = &[
    (
        &["DBSIZE", "KEYS", "FLUSH*", "CLUSTER *"],
        &[Step::Keys([2, 0, 1])],
    ),
    (&["RANDOMKEY"], &[Step::Keys([1, 0, 1])]),
    (&["RANDOMKEY"], &[Step::Keys([0, 0, 0])]),
    (
        &["SLOWLOG *"],
        &[
            Step::Ask(ALL, &["SLOWLOG", "RESET"]),
            Step::Ask(ALL, &["CONFIG", "SET", "slowlog-log-slower-than", "0"]),
            Step::Ask(&[1, 5, 5], &["PING", "a slow command"]),
            Step::Ask(ALL, &["CONFIG", "SET", "slowlog-log-slower-than", "-1"]),
        ],
    ),
    (
        &["COMMANDLOG *"],
        &[
            Step::Ask(ALL, &["COMMANDLOG", "RESET", "SLOW"]),
            Step::Ask(ALL, &["COMMANDLOG", "RESET", "LARGE-REQUEST"]),
            Step::Ask(ALL, &["COMMANDLOG", "RESET", "LARGE-REPLY"]),
            Step::Ask(
                ALL,
                &[
                    "CONFIG",
                    "SET",
                    "commandlog-execution-slower-than",
                    "0",
                    "commandlog-request-larger-than",
                    "0",
                    "commandlog-reply-larger-than",
                    "0",
                ],
            ),
            Step::Ask(&[1, 5, 5], &["PING", "a slow and large command"]),
            Step::Ask(
                ALL,
                &[
                    "CONFIG",
                    "SET",
                    "commandlog-execution-slower-than",
                    "-1",
                    "commandlog-request-larger-than",
                    "-1",
                    "commandlog-reply-larger-than",
                    "-1",
                ],
            ),
        ],
    ),
    (
        &["LATENCY *"],
        &[
            Step::Ask(ALL, &["LATENCY", "RESET"]),
            Step::Ask(
                &[0, 4],
                &["CONFIG", "SET", "latency-monitor-threshold", "1"],
            ),
            Step::Ask(&[0, 4], &["DEBUG", "SLEEP", "0.002"]),
            Step::Ask(
                &[0, 4],
                &["CONFIG", "SET", "latency-monitor-threshold", "0"],
            ),
        ],
    ),
    (
        &["ACL LOG"],
        &[
            Step::Ask(ALL, &["ACL", "LOG", "RESET"]),
            Step::Ask(&[1, 1, 5], &["AUTH", "eve", "wrong"]),
            Step::Ask(&[1], &["AUTH", "mallory", "wrong"]),
        ],
    ),
    (
        &["ACL DELUSER"],
        &[Step::Ask(ALL, &["ACL", "SETUSER", "username1"])],
    ),
    (
        &["CONFIG GET"],
        &[Step::Ask(&[1, 4], &["CONFIG", "SET", "timeout", "1000"])],
    ),
    (
        &["SCRIPT EXISTS"],
        &[
            Step::Ask(ALL, &["SCRIPT", "FLUSH"]),
            Step::Ask(&[0, 1], &["SCRIPT", "LOAD", "return 1"]),
            Step::Ask(PRIMARY, &["SCRIPT", "LOAD", "return 2"]),
        ],
    ),
    (
        &["FUNCTION DELETE", "FUNCTION FLUSH"],
        &[Step::Ask(
            PRIMARY,
            &["FUNCTION", "LOAD", "REPLACE", LIBRARY],
        )],
    ),
    (
        &["FUNCTION DELETE", "FUNCTION STATS"],
        &[
            Step::Ask(PRIMARY, &["FUNCTION", "FLUSH"]),
            Step::Ask(&[0, 2], &["FUNCTION", "LOAD", LIBRARY]),
        ],
    ),
    (
        &["FUNCTION LOAD", "FUNCTION RESTORE"],
        &[Step::Ask(PRIMARY, &["FUNCTION", "FLUSH"])],
    ),
    (
        &["FUNCTION LOAD"],
        &[
            Step::Ask(PRIMARY, &["FUNCTION", "FLUSH"]),
            Step::Ask(&[1], &["FUNCTION", "LOAD", LIBRARY2]),
        ],
    ),
    (
        &["SCRIPT KILL"],
        &[Step::Busy(&["EVAL", "while true do end", "0"])],
    ),
    (
        &["FUNCTION KILL"],
        &[
            Step::Ask(PRIMARY, &["FUNCTION", "LOAD", "REPLACE", LIBRARY]),
            Step::Busy(&["FCALL", "f", "0"]),
        ],
    ),
    (&["* KILL"], &[]),
    (&["BGSAVE", "BGREWRITEAOF", "SAVE"], &[Step::Idle]),
    (&["LASTSAVE"], &[Step::Later]),
];

/// Does by hand what a stage takes.
pub(crate) struct Stagehand<'g> {
    ground: &'g Ground,
    hands: Vec<Connection>,
    /// The connection that runs what does not end.
    busy: Option<Connection>,
    /// Connections that have subscriptions.
    _subscribers: Vec<Connection>,
}

impl<'g> Stagehand<'g> {
    pub(crate) fn new(ground: &'g Ground) -> Self {
        Self {
            ground,
            hands: ground.hands(2),
            busy: None,
            _subscribers: subscribers(ground),
        }
    }

    pub(crate) fn set(&mut self, steps: &[Step]) {
        if let Some(mut busy) = self.busy.take() {
            busy.receive().expect("it was killed");
        }
        for step in steps {
            match *step {
                Step::Ask(nodes, words) => {
                    for &node in nodes {
                        ask(&mut self.hands[node], words);
                    }
                }
                Step::Keys(counts) => self.keys(counts),
                Step::Busy(words) => self.make_busy(words),
                Step::Idle => self.wait_for_saves(),
                Step::Later => self.save_later(),
            }
        }
    }

    /// Sees to it that every other of these keys exists.
    pub(crate) fn every_other<'k>(&mut self, keys: impl Iterator<Item = &'k Bytes>) {
        for (nth, key) in keys.enumerate() {
            let hand = &mut self.hands[self.ground.owner(slot_of(key))];
            ask(hand, &[b"DEL", &key[..]]);
            if nth % 2 == 0 {
                ask(hand, &[b"SET", &key[..], nth.to_string().as_bytes()]);
            }
        }
    }

    fn keys(&mut self, counts: [u16; PRIMARIES]) {
        for (node, count) in counts.into_iter().enumerate() {
            let hand = &mut self.hands[node];
            ask(hand, &["FLUSHALL"]);
            let mine = (1..SLOTS).filter(|&slot| self.ground.owner(slot) == node);
            for slot in mine.take(usize::from(count)) {
                ask(hand, &["SET", &key_in_slot(slot), "1"]);
            }
        }
    }

    fn make_busy(&mut self, words: &[&str]) {
        let hand = &mut self.hands[1];
        ask(hand, &["CONFIG", "SET", "busy-reply-threshold", "1"]);
        let mut busy = self.ground.hand(1, 2);
        let mut out = BytesMut::new();
        encode(&mut out, words);
        busy.send(&out);
        until("a script is running", || {
            code(&ask(hand, &["PING"])).as_deref() == Some("BUSY")
        });
        self.busy = Some(busy);
    }

    fn wait_for_saves(&mut self) {
        for hand in &mut self.hands[..PRIMARIES] {
            until("nothing is saved", || {
                let info = text(&ask(hand, &["INFO", "persistence"]));
                let goes_on = ["rdb_bgsave", "aof_rewrite"].into_iter().any(|name| {
                    let line = format!("{name}_in_progress:1");
                    info.lines().any(|it| it == line)
                });
                !goes_on && !info.contains("aof_rewrite_scheduled:1")
            });
        }
    }

    fn save_later(&mut self) {
        until("the last save was seconds ago", || {
            let ages = self.hands[..PRIMARIES].iter_mut().map(|hand| {
                let saved = ask(hand, &["LASTSAVE"]).as_i64();
                let now = ask(hand, &["TIME"]).as_slice().map(|time| text(&time[0]));
                now.and_then(|now| Some(now.parse::<i64>().ok()? - saved?))
            });
            ages.flatten().all(|age| age > 0)
        });
        self.wait_for_saves();
        ask(&mut self.hands[1], &["SAVE"]);
    }
}

/// Subscriptions of which every node has some, and several nodes have the same.
fn subscribers(ground: &Ground) -> Vec<Connection> {
    let mut all = Vec::new();
    for (node, words) in [
        (0, &["SUBSCRIBE", "channel1"][..]),
        (0, &["SUBSCRIBE", "channel1"]),
        (1, &["SUBSCRIBE", "pattern1"]),
        (2, &["SUBSCRIBE", "channel1"]),
        (4, &["SUBSCRIBE", "channel1"]),
        (4, &["SUBSCRIBE", "pattern1"]),
        (1, &["PSUBSCRIBE", "p*"]),
        (5, &["PSUBSCRIBE", "q*"]),
    ] {
        all.push(subscriber(ground, node, words));
    }
    for channel in ["shardchannel1", "pattern1"] {
        let owner = ground.owner(slot_of(channel.as_bytes()));
        // The replica of a primary may have subscriptions of its own.
        for node in [owner, owner, owner + PRIMARIES] {
            all.push(subscriber(ground, node, &["SSUBSCRIBE", channel]));
        }
    }
    all
}

fn subscriber(ground: &Ground, node: usize, words: &[&str]) -> Connection {
    let mut hand = ground.hand(node, 2);
    let answer = ask(&mut hand, words);
    assert!(!matches!(answer, Value::Error(_)), "{words:?}: {answer:?}");
    hand
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
