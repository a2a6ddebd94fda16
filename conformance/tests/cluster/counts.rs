//! What the servers themselves count: which errors they have answered, and what they have run.
//!
//! A command that is redirected counts as an error and as rejected on the node that redirects it,
//! so that neither can go unnoticed, whatever the client makes of it.

use std::{collections::BTreeMap, thread, time::Duration};

use respec::{cluster::NodeAddress, cmd, reply::Value};
use respec_conformance::Connection;
use respec_testkit::key_in_slot;

use crate::{
    ground::{Ground, PRIMARIES, ask, text},
    table::Line,
};

/// The errors that say that a command was sent to the wrong node.
pub(crate) const REDIRECTS: [&str; 3] = ["MOVED", "ASK", "CROSSSLOT"];

/// What the nodes have counted since they were told to begin, in their order.
pub(crate) struct Counts(Vec<Count>);

#[derive(Default)]
struct Count {
    errors: BTreeMap<String, u64>,
    calls: BTreeMap<String, u64>,
}

impl Counts {
    /// Lets all nodes begin with nothing.
    pub(crate) fn begin(hands: &mut [Connection]) {
        for hand in hands {
            patiently(hand, &["CONFIG", "RESETSTAT"]);
        }
    }

    /// Asks all nodes.
    pub(crate) fn of(hands: &mut [Connection]) -> Self {
        let info = ["INFO", "errorstats", "commandstats"];
        let counts = hands.iter_mut().map(|hand| patiently(hand, &info));
        Self(counts.map(|info| Count::read(&text(&info))).collect())
    }

    /// How often any node has answered with each of [`REDIRECTS`].
    pub(crate) fn redirects(&self) -> [u64; REDIRECTS.len()] {
        REDIRECTS.map(|code| self.0.iter().filter_map(|it| it.errors.get(code)).sum())
    }

    /// How often each node has been asked to run a command.
    pub(crate) fn calls(&self, command: &str) -> Vec<u64> {
        let calls = |count: &Count| count.calls.get(command).copied().unwrap_or_default();
        self.0.iter().map(calls).collect()
    }
}

/// Asks a node until it answers: a script that was killed takes a moment to end.
fn patiently(hand: &mut Connection, words: &[&str]) -> Value {
    let mut answers = (0..PATIENCE).map(|_| ask(hand, words));
    let answer = answers.find(|answer| {
        let is_busy = matches!(answer, Value::Error(_));
        if is_busy {
            thread::sleep(Duration::from_millis(1));
        }
        !is_busy
    });
    answer.unwrap_or_else(|| panic!("{words:?} is answered by errors alone"))
}

impl Count {
    /// Reads lines such as `errorstat_MOVED:count=1` and
    /// `cmdstat_xgroup|create:calls=1,usec=9,usec_per_call=9.00,rejected_calls=0,failed_calls=0`.
    fn read(info: &str) -> Self {
        let mut count = Self::default();
        for (name, fields) in info.lines().filter_map(|line| line.split_once(':')) {
            let field = |name: &str| -> u64 {
                let mut fields = fields.split(',').filter_map(|field| field.split_once('='));
                let field = fields.find(|(field, _)| *field == name);
                field.map_or(0, |(_, number)| number.parse().expect("a number"))
            };
            if let Some(code) = name.strip_prefix("errorstat_") {
                count.errors.insert(code.to_owned(), field("count"));
            }
            if let Some(command) = name.strip_prefix("cmdstat_") {
                let command = command.replace('|', " ").to_uppercase();
                let calls = field("calls") + field("rejected_calls");
                count.calls.insert(command, calls);
            }
        }
        count
    }
}

/// Whether the counts tell when something is wrong: a node is asked for a key that another one has,
/// and for two keys of different slots.
pub(crate) fn check(ground: &Ground) -> Line {
    let mut line = Line::new(ground.variant.name(), "the counts");
    let client = ground.client(3);
    let wrong = (ground.owner(0) + 1) % PRIMARIES;
    let address = ground.nodes[wrong].addr();
    let address = NodeAddress::new(address.ip().to_string(), address.port());
    let mut hands = ground.hands(2);
    Counts::begin(&mut hands);
    let codes: Vec<Option<String>> = ground.wait(async {
        let node = client.node(&address).await.expect("a node of the cluster");
        let mut codes = Vec::new();
        for command in [
            cmd::raw("GET").arg(key_in_slot(0)),
            cmd::raw("MGET").arg(key_in_slot(0)).arg(key_in_slot(1)),
        ] {
            let reply: respec::Result<Value> = node.send(command).await;
            codes.push(reply.err().and_then(|it| it.code().map(str::to_owned)));
        }
        codes
    });
    let counts = Counts::of(&mut hands);
    line.redirects = counts.redirects();
    let counted = line.redirects == [1, 0, 1]
        && counts.calls("GET")[wrong] == 1
        && codes == [Some("MOVED".to_owned()), Some("CROSSSLOT".to_owned())];
    if !counted {
        let found = format!("{:?} was counted, {codes:?} answered", line.redirects);
        line.failures.push(found);
    }
    line
}

/// How often a node that is busy is asked again.
const PATIENCE: usize = 5000;
