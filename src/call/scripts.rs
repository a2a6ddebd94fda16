//! Scripts: a topology and replies in, decisions out. No sockets; time is an argument.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::{
    attempt::{Attempt, Next},
    encoded::Encoded,
    machine::{Action, Call},
    options::RetryPolicy,
    plan::Plan,
    settings::CallSettings,
};
use crate::{
    cluster::{
        ClusterState, Event, NodeAddress, NodeId, Options, Query, QueryId, ReadFrom,
        announced::{self, Node as NodeText, Shard as ShardText, Version},
    },
    command::{Batch, EachError, Info, Patience, Pipelined, raw},
    error::{Error, ErrorKind, Outcome, Phase, Result},
    events::{Event as Told, tests::Kept},
    resp::{Frame, Writer},
};

/// What is known of a cluster whose slots are halved between `a:1` and `b:1`, and a clock.
struct Script {
    state: ClusterState,
    now: Instant,
}

/// Slot 5061, of `a:1`.
const BAR: &str = "bar";
/// Slot 12182, of `b:1`.
const FOO: &str = "foo";

fn halves() -> Vec<ShardText> {
    [("a", (0, 8191)), ("b", (8192, 16_383))]
        .into_iter()
        .map(|(host, range)| ShardText {
            slots: vec![range],
            nodes: vec![NodeText::primary(host, 1), NodeText::replica(host, 2)],
        })
        .collect()
}

impl Script {
    fn unconnected(options: Options) -> Self {
        let now = Instant::now();
        let seeds = vec![NodeAddress::new("seed", 1), NodeAddress::new("seed", 2)];
        Self {
            state: ClusterState::new(seeds, options, now),
            now,
        }
    }

    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let mut script = Self::unconnected(options);
        let (ask, from, query) = script.ask();
        assert_eq!((&*from, query), ("seed:1", Query::Shards));
        script.answer(ask, &halves());
        assert_eq!(script.events(), ["forget one", "forget one", "changed"]);
        script
    }

    fn after(&mut self, ms: u64) -> &mut Self {
        self.now += Duration::from_millis(ms);
        self
    }

    fn name(&self, id: NodeId) -> String {
        let node = self.state.node(id);
        node.map_or("nobody".to_owned(), |node| node.address.to_string())
    }

    /// The question that is due.
    #[track_caller]
    fn ask(&mut self) -> (QueryId, String, Query) {
        match self.state.poll_event(self.now, 0) {
            Some(Event::Ask(ask, id, query)) => (ask, self.name(id), query),
            other => panic!("expected a question, got {other:?}"),
        }
    }

    fn answer(&mut self, ask: QueryId, shards: &[ShardText]) {
        let frame = announced::shards(shards, Version::Three);
        self.state.topology(ask, frame.reply(), self.now, 0);
    }

    fn answer_error(&mut self, ask: QueryId, text: &str) {
        let frame = Frame::parse(Bytes::from(format!("-{text}\r\n"))).unwrap();
        self.state.topology(ask, frame.reply(), self.now, 0);
    }

    /// All events as text.
    fn events(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.state.poll_event(self.now, 0) {
            events.push(match event {
                Event::Ask(_, id, _) => format!("ask {}", self.name(id)),
                Event::Reconnect(id) => format!("reconnect {}", self.name(id)),
                Event::Failed(_) => "failed one".to_owned(),
                Event::Forget(_) => "forget one".to_owned(),
                Event::Changed => "changed".to_owned(),
            });
        }
        events
    }

    fn options(&self, ms: u64) -> CallSettings {
        CallSettings::until(Some(self.now + Duration::from_millis(ms)))
    }

    fn plan(&self, words: &str, options: &CallSettings) -> Result<Plan> {
        let words: Vec<_> = words.split(' ').collect();
        let info = Info::of(words[0])
            .or_else(|| Info::of(&words[..2].join(" ")))
            .unwrap();
        let mut command = BytesMut::new();
        let mut keys = Vec::new();
        Writer::command_with_keys(&mut command, &mut keys, |to| {
            for word in words {
                match word {
                    BAR | FOO => to.key(word.as_bytes()),
                    _ => to.word(word.as_bytes()),
                }
            }
        })?;
        self.state.plan(info, &command, &keys, options, self.now, 0)
    }

    /// The call of a command for one node, with 2 s to live.
    #[track_caller]
    fn call(&self, words: &str) -> Attempt {
        match self.plan(words, &self.options(2000)).unwrap() {
            Plan::One(call) => call,
            Plan::Several(..) => panic!("expected one node"),
        }
    }

    fn at(&self, call: &Attempt) -> String {
        let asking = if call.is_asking() { " asking" } else { "" };
        format!("{}{asking}", self.name(call.node()))
    }

    /// What follows on an error reply, as text.
    fn refuse(&mut self, call: &mut Attempt, error: &str) -> String {
        let next = call.refused(&mut self.state, error.as_bytes(), self.now, 1 << 63);
        self.shown(call, next)
    }

    fn lose(&mut self, call: &mut Attempt, outcome: Outcome) -> String {
        let error = Error::new(ErrorKind::Connection, "reset").with_outcome(outcome);
        let next = call.lost(&mut self.state, error, self.now, 1 << 63);
        self.shown(call, next)
    }

    fn resume(&mut self, call: &mut Attempt) -> String {
        let next = call.resume(&mut self.state, self.now, 0);
        self.shown(call, next)
    }

    fn shown(&self, call: &Attempt, next: Next) -> String {
        match next {
            Next::Send => format!("send to {}", self.at(call)),
            Next::Wait(until) => format!("wait {} ms", (until - self.now).as_millis()),
            Next::Answer => "answer".to_owned(),
            Next::GiveUp(error) => {
                format!("{error} (may have executed: {})", error.may_have_executed())
            }
        }
    }
}

#[test]
fn a_command_goes_to_the_primary_of_its_slot() {
    let script = Script::new();
    assert_eq!(script.at(&script.call("GET foo")), "b:1");
    assert_eq!(script.at(&script.call("SET bar 1")), "a:1");
}

#[test]
fn moved_corrects_the_slot_at_once_and_asks_where_it_leads() {
    let mut script = Script::new();
    let mut call = script.call("GET foo");
    assert_eq!(script.refuse(&mut call, "MOVED 12182 a:1"), "send to a:1");
    assert_eq!(script.at(&script.call("GET foo")), "a:1");
    assert_eq!(
        script.at(&script.call("GET foo{}")),
        "a:1",
        "any primary, as it has no key"
    );
    assert_eq!(script.events(), [""; 0]);
    assert_eq!(script.after(100).events(), ["ask a:1"]);
}

#[test]
fn who_gave_a_slot_away_is_asked_last() {
    let mut script = Script::new();
    let mut call = script.call("GET foo");
    script.refuse(&mut call, "MOVED 12182 a:1");
    for expected in ["a:1", "a:2", "b:2", "b:1"] {
        let (ask, node, _) = script.after(100).ask();
        assert_eq!(node, expected);
        let error = Error::new(ErrorKind::Connection, "reset");
        script.state.topology_failed(ask, error, script.now);
    }
}

#[test]
fn moved_to_a_node_that_nobody_knew() {
    let mut script = Script::new();
    let mut call = script.call("GET foo");
    assert_eq!(script.refuse(&mut call, "MOVED 12182 c:1"), "send to c:1");
    assert_eq!(script.at(&script.call("GET foo")), "c:1");
}

#[test]
fn ask_leads_elsewhere_this_once() {
    let mut script = Script::new();
    let mut call = script.call("GET foo");
    assert_eq!(
        script.refuse(&mut call, "ASK 12182 a:1"),
        "send to a:1 asking"
    );
    assert_eq!(script.at(&script.call("GET foo")), "b:1");
    assert_eq!(script.after(100).events(), [""; 0]);
    let error = call.asking_failed(b"ERR no");
    assert_eq!(error.to_string(), "GET: the server answered: ERR no");
}

#[test]
fn five_redirects_are_enough() {
    let mut script = Script::new();
    let mut call = script.call("INCR foo");
    for port in 10..15 {
        let expected = format!("send to c:{port}");
        assert_eq!(
            script.refuse(&mut call, &format!("MOVED 12182 c:{port}")),
            expected
        );
    }
    assert_eq!(
        script.refuse(&mut call, "MOVED 12182 c:16"),
        "INCR: the server answered: MOVED 12182 c:16 (may have executed: false)"
    );
}

#[test]
fn a_node_that_redirects_to_itself_is_connected_anew() {
    let mut script = Script::new();
    let mut call = script.call("GET foo");
    assert_eq!(script.refuse(&mut call, "MOVED 12182 b:1"), "wait 0 ms");
    assert_eq!(script.events(), ["reconnect b:1"]);
    assert_eq!(script.resume(&mut call), "send to b:1");
    assert_eq!(script.after(100).events(), ["ask a:1"]);
}

#[test]
fn nodes_that_redirect_to_each_other_are_given_time() {
    let mut script = Script::new();
    let mut call = script.call("GET foo");
    assert_eq!(script.refuse(&mut call, "MOVED 12182 a:1"), "send to a:1");
    assert_eq!(script.refuse(&mut call, "MOVED 12182 b:1"), "wait 0 ms");
    assert_eq!(script.resume(&mut call), "send to b:1");
    assert_eq!(script.refuse(&mut call, "MOVED 12182 a:1"), "send to a:1");
    assert_eq!(script.refuse(&mut call, "MOVED 12182 b:1"), "wait 25 ms");
    assert_eq!(script.after(25).resume(&mut call), "send to b:1");
    assert_eq!(script.refuse(&mut call, "MOVED 12182 a:1"), "send to a:1");
    assert!(
        script
            .refuse(&mut call, "MOVED 12182 b:1")
            .contains("MOVED 12182 b:1")
    );
}

#[test]
fn a_redirect_that_leads_nowhere_is_not_followed() {
    let mut script = Script::new();
    let mut call = script.call("GET foo");
    assert_eq!(script.refuse(&mut call, "MOVED 12182 ?:0"), "wait 0 ms");
    assert_eq!(script.resume(&mut call), "send to b:1");
}

#[test]
fn try_again_means_the_same_node_in_the_same_way() {
    let mut script = Script::new();
    let mut call = script.call("GET foo");
    script.refuse(&mut call, "ASK 12182 a:1");
    for wait in [0, 25, 50, 100] {
        assert_eq!(
            script.refuse(&mut call, "TRYAGAIN x"),
            format!("wait {wait} ms")
        );
        assert_eq!(script.after(wait).resume(&mut call), "send to a:1 asking");
    }
    assert_eq!(script.after(500).events(), [""; 0]);
    assert_eq!(script.refuse(&mut call, "MOVED 12182 b:1"), "send to b:1");
}

#[test]
fn what_was_not_executed_is_retried_while_there_is_time() {
    for error in [
        "CLUSTERDOWN x",
        "READONLY x",
        "MASTERDOWN x",
        "LOADING x",
        "NOREPLICAS x",
    ] {
        let mut script = Script::new();
        let mut call = script.call("INCR foo");
        let mut waited = Vec::new();
        let end = loop {
            let next = script.refuse(&mut call, error);
            let Some(ms) = next.strip_prefix("wait ") else {
                break next;
            };
            let ms: u64 = ms.trim_end_matches(" ms").parse().unwrap();
            waited.push(ms);
            let resumed = script.after(ms).resume(&mut call);
            if resumed != "send to b:1" {
                break resumed;
            }
        };
        assert_eq!(waited[..7], [0, 25, 50, 100, 200, 400, 500], "{error}");
        assert!(waited.iter().sum::<u64>() <= 2000, "{waited:?}");
        assert_eq!(
            end,
            format!("INCR: the server answered: {error} (may have executed: false)")
        );
    }
}

#[test]
fn a_call_whose_time_is_up_says_what_it_waited_for() {
    let mut script = Script::new();
    let mut call = script.call("INCR foo");
    script.refuse(&mut call, "CLUSTERDOWN x");
    assert_eq!(
        script.after(2000).resume(&mut call),
        "INCR: the server answered: CLUSTERDOWN x (may have executed: false)"
    );
    let mut call = script.call("INCR foo");
    script.refuse(&mut call, "CLUSTERDOWN x");
    assert_eq!(call.into_trouble().code(), Some("CLUSTERDOWN"));
}

#[test]
fn the_end_of_a_call_says_what_its_time_was_spent_on() {
    let mut script = Script::new();
    let mut call = script.call("INCR foo");
    script.refuse(&mut call, "CLUSTERDOWN x");
    script.after(1999);
    let late = Error::new(ErrorKind::Timeout(Phase::Connect), "x");
    let Next::GiveUp(error) = call.lost(&mut script.state, late, script.now, 0) else {
        panic!("expected the end");
    };
    assert_eq!(error.code(), Some("CLUSTERDOWN"));
    assert!(!error.may_have_executed());
}

#[test]
fn what_may_have_executed_once_may_have_executed_in_the_end() {
    let mut script = Script::new();
    let mut call = script.call("GET foo");
    assert_eq!(script.lose(&mut call, Outcome::Indeterminate), "wait 0 ms");
    script.refuse(&mut call, "CLUSTERDOWN x");
    let Next::GiveUp(error) =
        call.resume(&mut script.state, script.now + Duration::from_secs(2), 0)
    else {
        panic!("expected the end");
    };
    assert_eq!(error.code(), Some("CLUSTERDOWN"));
    assert!(error.may_have_executed());
}

#[test]
fn errors_about_the_command_are_answers() {
    let mut script = Script::new();
    let mut call = script.call("INCR foo");
    for error in [
        "WRONGTYPE x",
        "ERR x",
        "CROSSSLOT x",
        "NOAUTH x",
        "BUSY x",
        "OOM x",
    ] {
        assert_eq!(script.refuse(&mut call, error), "answer");
    }
}

#[test]
fn somebody_who_waits_keeps_the_topology_being_asked_for() {
    let mut script = Script::new();
    let mut call = script.call("INCR foo");
    script.refuse(&mut call, "CLUSTERDOWN x");
    for wait in [25, 50, 100, 200, 400] {
        script.resume(&mut call);
        assert_eq!(
            script.refuse(&mut call, "CLUSTERDOWN x"),
            format!("wait {wait} ms")
        );
    }
    let mut asked = 0;
    for _ in 0..20 {
        script.after(10);
        if let Some(Event::Ask(ask, ..)) = script.state.poll_event(script.now, 0) {
            asked += 1;
            script.answer(ask, &halves());
        }
    }
    assert_eq!(asked, 2);
}

#[test]
fn what_was_sent_is_sent_again_only_if_that_does_no_harm() {
    let mut script = Script::new();
    for (words, outcome, idempotent, expected) in [
        ("INCR foo", Outcome::NotSent, false, "wait 0 ms"),
        ("GET foo", Outcome::NotSent, false, "wait 0 ms"),
        ("GET foo", Outcome::Indeterminate, false, "wait 0 ms"),
        ("INCR foo", Outcome::Indeterminate, true, "wait 0 ms"),
        (
            "INCR foo",
            Outcome::Indeterminate,
            false,
            "INCR: connection lost: reset (may have executed: true)",
        ),
        (
            "SET foo 1",
            Outcome::Indeterminate,
            false,
            "SET: connection lost: reset (may have executed: true)",
        ),
    ] {
        let options = CallSettings {
            idempotent,
            ..script.options(2000)
        };
        let Plan::One(mut call) = script.plan(words, &options).unwrap() else {
            panic!("expected one node");
        };
        assert_eq!(
            script.lose(&mut call, outcome),
            expected,
            "{words} {outcome:?}"
        );
    }
}

#[test]
fn only_lost_connections_are_tried_again() {
    let mut script = Script::new();
    for kind in [
        ErrorKind::Timeout(Phase::Reply),
        ErrorKind::Timeout(Phase::Queue),
        ErrorKind::Closed,
        ErrorKind::Argument,
    ] {
        let mut call = script.call("GET foo");
        let next = call.lost(&mut script.state, Error::new(kind, "x"), script.now, 0);
        assert!(matches!(next, Next::GiveUp(_)), "{kind:?}");
    }
}

#[test]
fn a_node_that_does_not_answer_may_have_been_replaced() {
    let mut script = Script::new();
    let mut call = script.call("INCR foo");
    let error = Error::new(ErrorKind::Timeout(Phase::Reply), "x");
    let next = call.lost(&mut script.state, error, script.now, 0);
    assert!(matches!(next, Next::GiveUp(_)));
    assert_eq!(script.after(200).events(), ["ask a:1"]);
}

#[test]
fn calls_at_a_node_that_was_replaced_come_to_their_end() {
    let mut script = Script::new();
    let mut call = script.call("INCR foo");
    let error = Error::new(ErrorKind::Timeout(Phase::Reply), "x");
    call.lost(&mut script.state, error, script.now, 0);
    let fail = |node| NodeText {
        health: "fail",
        ..node
    };
    // As long as nobody has taken over, it may still answer.
    let mut shards = halves();
    shards[1].nodes = vec![fail(NodeText::primary("b", 1)), NodeText::replica("b", 2)];
    let (ask, ..) = script.after(200).ask();
    script.answer(ask, &shards);
    assert_eq!(script.events(), [""; 0]);
    // Nobody waits, and yet it is asked again.
    shards[1].nodes = vec![NodeText::primary("b", 2), fail(NodeText::replica("b", 1))];
    let (ask, ..) = script.after(250).ask();
    script.answer(ask, &shards);
    assert_eq!(script.events(), ["failed one", "forget one", "changed"]);
}

#[test]
fn after_a_lost_connection_another_node_is_asked_for_the_topology() {
    let mut script = Script::new();
    let mut call = script.call("GET foo");
    script.lose(&mut call, Outcome::NotSent);
    assert_eq!(script.resume(&mut call), "send to b:1");
    assert_eq!(script.after(100).events(), ["ask a:1"]);
}

#[test]
fn reads_go_to_replicas_and_elsewhere_if_these_fail() {
    let mut script = Script::with(Options {
        read_from: ReadFrom::PreferReplica,
        ..Options::default()
    });
    for (words, node) in [
        ("GET foo", "b:2"),
        ("SET foo 1", "b:1"),
        ("TOUCH foo", "b:1"),
        ("PFCOUNT foo", "b:2"),
        ("GETDEL foo", "b:1"),
    ] {
        assert_eq!(script.at(&script.call(words)), node, "{words}");
    }
    let mut call = script.call("GET foo");
    assert_eq!(script.refuse(&mut call, "LOADING x"), "wait 0 ms");
    assert_eq!(script.resume(&mut call), "send to b:1");
    assert_eq!(script.at(&script.call("GET foo")), "b:1");
    script.after(1000);
    assert_eq!(script.at(&script.call("GET foo")), "b:2");
    let primary = CallSettings {
        read_from: Some(ReadFrom::Primary),
        ..script.options(2000)
    };
    let Plan::One(call) = script.plan("GET foo", &primary).unwrap() else {
        panic!("expected one node");
    };
    assert_eq!(script.at(&call), "b:1");
}

#[test]
fn the_fastest_node_is_nearest() {
    let mut script = Script::with(Options {
        read_from: ReadFrom::Nearest,
        ..Options::default()
    });
    for (port, ms) in [(1, 3), (2, 4)] {
        let id = script.state.find(&NodeAddress::new("b", port)).unwrap();
        script.state.measured(id, Duration::from_millis(ms));
    }
    assert_eq!(script.at(&script.call("GET foo")), "b:1");
    let id = script.state.find(&NodeAddress::new("b", 1)).unwrap();
    for _ in 0..10 {
        script.state.measured(id, Duration::from_millis(9));
    }
    assert_eq!(script.at(&script.call("GET foo")), "b:2");
}

#[test]
fn all_primaries_and_all_nodes() {
    let mut script = Script::new();
    let mut shards = halves();
    shards.push(ShardText {
        slots: vec![],
        nodes: vec![NodeText::primary("c", 1)],
    });
    script.state.want_topology();
    let (ask, ..) = script.after(100).ask();
    script.answer(ask, &shards);
    let nodes = |words: &str| {
        let Plan::Several(branches, _) = script.plan(words, &script.options(2000)).unwrap() else {
            panic!("expected several nodes");
        };
        let nodes: Vec<_> = branches.iter().map(|it| script.at(&it.call)).collect();
        nodes.join(" ")
    };
    assert_eq!(nodes("DBSIZE"), "a:1 b:1 c:1");
    assert_eq!(nodes("CONFIG RESETSTAT"), "a:1 b:1 c:1 a:2 b:2");
    assert_eq!(nodes("DEL foo bar"), "b:1 a:1");
}

#[test]
fn a_part_for_all_primaries_follows_a_failover() {
    let mut script = Script::new();
    let plan = script.plan("DBSIZE", &script.options(2000)).unwrap();
    let Plan::Several(mut branches, _) = plan else {
        panic!("expected several nodes");
    };
    let call = &mut branches[1].call;
    assert_eq!(script.lose(call, Outcome::NotSent), "wait 0 ms");
    let mut shards = halves();
    shards[1].nodes[0].health = "failed";
    shards[1].nodes[1].primary = true;
    let (ask, ..) = script.after(100).ask();
    script.answer(ask, &shards);
    assert_eq!(script.events(), ["failed one", "forget one", "changed"]);
    assert_eq!(script.resume(call), "send to b:2");
}

#[test]
fn a_command_for_one_node_stays_there() {
    let mut script = Script::new();
    let options = CallSettings {
        node: script.state.find(&NodeAddress::new("a", 2)),
        ..script.options(2000)
    };
    let Plan::One(mut call) = script.plan("GET foo", &options).unwrap() else {
        panic!("expected one node");
    };
    assert_eq!(script.at(&call), "a:2");
    for error in [
        "MOVED 12182 b:1",
        "ASK 1 b:1",
        "READONLY x",
        "CLUSTERDOWN x",
    ] {
        assert_eq!(script.refuse(&mut call, error), "answer");
    }
    assert_eq!(script.refuse(&mut call, "LOADING x"), "wait 0 ms");
    assert_eq!(script.resume(&mut call), "send to a:2");
    assert_eq!(script.at(&script.call("GET foo")), "b:1");
}

#[test]
fn an_index_that_an_older_module_takes_for_a_key_is_followed() {
    let mut script = Script::new();
    let mut call = script.call("FT.SEARCH index *");
    assert_eq!(script.at(&call), "a:1");
    assert_eq!(script.refuse(&mut call, "MOVED 12182 b:1"), "send to b:1");
}

#[test]
fn a_slot_without_a_node_is_asked_about_at_any() {
    let mut script = Script::new();
    let shards = &halves()[..1];
    script.state.want_topology();
    for _ in 0..2 {
        let (ask, ..) = script.after(200).ask();
        script.answer(ask, shards);
    }
    assert!(script.events().contains(&"changed".to_owned()));
    let mut call = script.call("GET foo");
    assert_eq!(script.at(&call), "a:1");
    assert_eq!(script.refuse(&mut call, "MOVED 12182 b:1"), "send to b:1");
}

#[test]
fn an_answer_that_knows_less_must_be_confirmed() {
    let mut script = Script::new();
    script.state.want_topology();
    let (ask, first, _) = script.after(200).ask();
    script.answer(ask, &halves()[..1]);
    assert_eq!(script.events(), [""; 0]);
    assert_eq!(script.at(&script.call("GET foo")), "b:1");
    let (ask, second, _) = script.after(100).ask();
    assert_ne!(first, second);
    script.answer(ask, &halves());
    assert_eq!(script.at(&script.call("GET foo")), "b:1");

    script.state.want_topology();
    let (ask, ..) = script.after(200).ask();
    script.answer(ask, &halves()[..1]);
    let (ask, ..) = script.after(200).ask();
    script.answer(ask, &halves()[..1]);
    assert_eq!(script.events().last().map(String::as_str), Some("changed"));
    assert_eq!(script.at(&script.call("GET foo")), "a:1");
}

#[test]
fn an_answer_that_nobody_can_confirm_is_taken_in_the_end() {
    let mut script = Script::new();
    script.state.want_topology();
    let (ask, ..) = script.after(200).ask();
    script.answer(ask, &halves()[..1]);
    script.after(100);
    for _ in 0..5 {
        let (ask, ..) = script.ask();
        let error = Error::new(ErrorKind::Connect, "refused");
        script.state.topology_failed(ask, error, script.now);
    }
    assert_eq!(script.events().last().map(String::as_str), Some("changed"));
    assert_eq!(script.at(&script.call("GET foo")), "a:1");
}

#[test]
fn a_correction_outlives_an_answer_to_an_earlier_question() {
    let mut script = Script::new();
    script.state.want_topology();
    let (ask, ..) = script.after(200).ask();
    let mut call = script.call("GET foo");
    script.refuse(&mut call, "MOVED 12182 a:1");
    script.answer(ask, &halves());
    assert_eq!(script.at(&script.call("GET foo")), "a:1");
    let (ask, ..) = script.after(200).ask();
    script.answer(ask, &halves());
    assert_eq!(script.at(&script.call("GET foo")), "b:1");
}

#[test]
fn a_late_answer_to_an_earlier_question_is_ignored() {
    let mut script = Script::new();
    script.state.want_topology();
    let (late, ..) = script.after(200).ask();
    let (ask, ..) = script.after(2000).ask();
    script.answer(late, &halves()[..1]);
    script.answer(ask, &halves());
    assert_eq!(script.events(), [""; 0]);
    assert_eq!(script.at(&script.call("GET foo")), "b:1");
}

#[test]
fn servers_without_shards_are_asked_for_slots() {
    let mut script = Script::unconnected(Options::default());
    let (ask, from, _) = script.ask();
    script.answer_error(ask, "ERR Unknown subcommand");
    let (ask, again, query) = script.ask();
    assert_eq!((again, query), (from, Query::Slots));
    let frame = announced::slots(&halves(), Version::Two);
    script.state.topology(ask, frame.reply(), script.now, 0);
    assert!(script.state.is_ready());
    assert_eq!(script.at(&script.call("GET foo")), "b:1");
}

#[test]
fn why_nobody_tells_the_topology_is_known() {
    let mut script = Script::unconnected(Options::default());
    for _ in 0..2 {
        let (ask, ..) = script.after(200).ask();
        script.answer_error(ask, "ERR cluster support disabled");
        let (ask, _, query) = script.ask();
        assert_eq!(query, Query::Slots);
        script.answer_error(ask, "ERR cluster support disabled");
    }
    assert!(!script.state.is_ready());
    let failure = script.state.unknown(None);
    assert!(!failure.may_have_executed(), "it was not even sent");
    assert_eq!(
        failure.to_string(),
        "CLUSTER SLOTS: the server answered: ERR cluster support disabled; \
         the scheme redis connects to a server that is no cluster"
    );
    let (ask, _, query) = {
        script.after(200).events();
        script.after(2000).ask()
    };
    assert_eq!(query, Query::Shards);
    script.answer_error(ask, "LOADING x");
    let (_, _, query) = script.after(200).ask();
    assert_eq!(query, Query::Shards);
}

#[test]
fn seeds_are_tried_again_when_all_nodes_fail() {
    let mut script = Script::new();
    script.state.want_topology();
    script.after(200);
    let mut asked = Vec::new();
    for _ in 0..6 {
        let (ask, from, _) = script.ask();
        let error = Error::new(ErrorKind::Connect, "refused");
        script.state.topology_failed(ask, error, script.now);
        asked.push(from);
    }
    asked[..4].sort();
    assert_eq!(asked, ["a:1", "a:2", "b:1", "b:2", "seed:1", "seed:2"]);
    assert_eq!(script.events(), [""; 0]);
    let (ask, ..) = script.after(1100).ask();
    script.answer(ask, &halves());
    assert!(script.state.is_ready());
}

#[test]
fn nobody_to_send_to_is_an_error_that_says_why() {
    let now = Instant::now();
    let script = Script {
        state: ClusterState::new(Vec::new(), Options::default(), now),
        now,
    };
    let error = script.plan("GET foo", &script.options(100)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(!error.may_have_executed());
    assert!(script.plan("DBSIZE", &script.options(100)).is_err());
}

#[test]
fn nothing_is_tried_again_for_who_wants_that() {
    let mut script = Script::new();
    let options = CallSettings {
        retry: RetryPolicy::Never,
        ..script.options(2000)
    };
    for (words, error) in [
        ("GET foo", "LOADING it reads its data"),
        ("GET foo", "TRYAGAIN the slot moves"),
        ("INCR foo", "CLUSTERDOWN nobody serves it"),
    ] {
        let Plan::One(mut call) = script.plan(words, &options).unwrap() else {
            panic!("expected one node");
        };
        let name = words.split(' ').next().unwrap();
        assert_eq!(
            script.refuse(&mut call, error),
            format!("{name}: the server answered: {error} (may have executed: false)")
        );
    }
    let Plan::One(mut call) = script.plan("GET foo", &options).unwrap() else {
        panic!("expected one node");
    };
    assert_eq!(
        script.lose(&mut call, Outcome::NotSent),
        "GET: connection lost: reset (may have executed: false)"
    );
    // A redirect is how the node is found, and no second try.
    let Plan::One(mut call) = script.plan("GET foo", &options).unwrap() else {
        panic!("expected one node");
    };
    assert_eq!(script.refuse(&mut call, "MOVED 12182 a:1"), "send to a:1");
}

#[test]
fn a_call_is_sent_again_as_often_as_wanted() {
    for most in [0, 1, 3] {
        let mut script = Script::new();
        let options = CallSettings {
            retries: Some(most),
            ..script.options(10_000)
        };
        let Plan::One(mut call) = script.plan("GET foo", &options).unwrap() else {
            panic!("expected one node");
        };
        let mut sent_again = 0;
        while let Next::Wait(at) =
            call.refused(&mut script.state, b"LOADING x", script.now, 1 << 63)
        {
            sent_again += 1;
            script.now = at;
            let next = call.resume(&mut script.state, script.now, 0);
            assert!(matches!(next, Next::Send), "{next:?}");
        }
        assert_eq!(sent_again, most);
    }
}

#[test]
fn retries_do_not_multiply_the_load() {
    let mut script = Script::new();
    let mut retried = 0;
    for _ in 0..5000 {
        drop(script.state.calls().begin().unwrap());
        let mut call = script.call("GET foo");
        // Each of them would be sent again until its time is up.
        for _ in 0..8 {
            match call.refused(&mut script.state, b"LOADING x", script.now, 0) {
                Next::Wait(_) => retried += 1,
                next => {
                    assert!(matches!(next, Next::GiveUp(_)), "{next:?}");
                    break;
                }
            }
        }
    }
    // One for each call, and those of the first ten seconds of a client that has few.
    assert_eq!(retried, 6000);
    // What has reached no server puts no load on any.
    let mut call = script.call("GET foo");
    let error = Error::new(ErrorKind::Connect, "refused");
    let next = call.lost(&mut script.state, error, script.now, 0);
    assert!(matches!(next, Next::Wait(_)), "{next:?}");
}

#[test]
fn pauses_begin_with_what_the_settings_say() {
    let mut script = Script::new();
    let options = CallSettings {
        retry_backoff: Duration::from_millis(4),
        ..script.options(10_000)
    };
    let Plan::One(mut call) = script.plan("GET foo", &options).unwrap() else {
        panic!("expected one node");
    };
    let mut pauses = Vec::new();
    for _ in 0..4 {
        let Next::Wait(at) = call.refused(&mut script.state, b"TRYAGAIN x", script.now, 1 << 63)
        else {
            panic!("expected it to be tried again");
        };
        pauses.push((at - script.now).as_millis());
    }
    assert_eq!(pauses, [0, 2, 4, 8]);
}

#[test]
fn the_end_of_its_time_is_told_once_for_each_phase_of_a_call() {
    let told = |answers: [Error; 2]| {
        let mut script = Script::new();
        let (kept, events) = Kept::new();
        script.state = script.state.telling(events);
        let mut options = script.options(2000);
        options.time.begun = Some(script.now);
        let batch = Pipelined::<_, EachError>::new(
            [FOO, BAR, FOO]
                .map(|key| raw("GET").key(key))
                .into_sequence(),
        );
        let encoded = Encoded::of(&batch).unwrap();
        let mut call = Call::begin(
            encoded,
            options,
            Patience::None,
            &script.state,
            script.now,
            0,
        );
        let Action::Fork(mut parts) = call.action() else {
            panic!("expected parts for two nodes");
        };
        script.after(1500);
        for (part, error) in parts.iter_mut().zip(answers) {
            assert!(matches!(part.action(), Action::Connect(_)));
            part.connected();
            part.answered(Err(error), &mut script.state, script.now, 0);
            assert!(part.is_done());
        }
        call.joined(parts);
        let answers = call.finish(&script.state, script.now, 0).unwrap();
        assert!(answers.iter().all(Result::is_err));
        let told = kept
            .take()
            .into_iter()
            .filter_map(|(_, event)| match event {
                Told::TimedOut {
                    command,
                    phase,
                    after,
                } => Some(format!("{command} {phase:?} {after:?}")),
                _ => None,
            });
        told.collect::<Vec<_>>()
    };
    let late = |phase| Error::new(ErrorKind::Timeout(phase), "x");
    assert_eq!(
        told([late(Phase::Reply), late(Phase::Reply)]),
        ["pipeline Reply 1.5s"]
    );
    assert_eq!(
        told([late(Phase::Write), late(Phase::Reply)]),
        ["pipeline Write 1.5s", "pipeline Reply 1.5s"]
    );
    let refused = Error::new(ErrorKind::Refused, "x");
    assert_eq!(told([refused.clone(), refused]), [""; 0]);
}

#[test]
fn a_call_that_waits_until_its_time_is_over_has_timed_out_in_the_queue() {
    let mut script = Script::new();
    let mut call = script.call("SET bar 1");
    assert!(
        script
            .refuse(&mut call, "CLUSTERDOWN x")
            .starts_with("wait")
    );
    assert_eq!(call.timed_out(), None);
    script.after(2000);
    assert!(script.resume(&mut call).contains("CLUSTERDOWN"));
    assert_eq!(call.timed_out(), Some(Phase::Queue));

    // One that cannot wait any more is told as well, by what it was waiting for last.
    let mut call = script.call("SET bar 1");
    script.after(1999);
    assert!(script.refuse(&mut call, "TRYAGAIN x").contains("TRYAGAIN"));
    assert_eq!(call.timed_out(), Some(Phase::Queue));
    let mut call = script.call("SET bar 1");
    script.after(1999);
    let error = Error::new(ErrorKind::Timeout(Phase::Connect), "x");
    let next = call.lost(&mut script.state, error, script.now, 0);
    assert!(matches!(next, Next::GiveUp(_)));
    assert_eq!(call.timed_out(), Some(Phase::Connect));

    // An attempt that failed in time is none of the call's.
    let mut call = script.call("SET bar 1");
    let error = Error::new(ErrorKind::Timeout(Phase::Connect), "x");
    let next = call.lost(&mut script.state, error, script.now, 0);
    assert!(matches!(next, Next::Wait(_)));
    assert_eq!(call.timed_out(), None);
}
