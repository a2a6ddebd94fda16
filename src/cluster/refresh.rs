//! When the topology is asked for, and whom.
//!
//! ```text
//!            want, or periodic                 poll, when due
//!   quiet ────────────────────▶ wanted ───────────────────────▶ asking
//!     ▲                           ▲                               │
//!     │                           │ nobody left to ask, later     │ failed: the next node, at once
//!     │                           └───────────────────────────────┤
//!     └───────────────────────────────────────────────────────────┘ answered
//! ```
//!
//! One question is under way at a time, and answers are at least [`PAUSE`] apart, whatever happens.
//! As long as somebody waits for the cluster to change, it goes on asking.

use std::time::{Duration, Instant};

use super::node::NodeId;
use crate::{
    address::Address,
    back_off::scaled,
    error::{Error, ErrorKind, Phase},
};

/// When the topology is asked for.
#[derive(Debug)]
pub(super) struct Refresh {
    /// How often it is asked for without a reason.
    every: Option<Duration>,
    wanted: bool,
    /// The node that has told the news and should be asked first.
    first: Option<NodeId>,
    /// Somebody waits until then for the cluster to change.
    awaited: Option<Instant>,
    /// A node is silent, and until then may be replaced, of which nobody would tell.
    watched: Option<Instant>,
    asking: Option<OpenQuery>,
    /// Who was asked since the last answer that was of use.
    tried: Vec<NodeId>,
    /// Rounds in which nobody answered.
    failures: u32,
    /// Answers that were taken over.
    answers: u64,
    not_before: Instant,
    periodic: Option<Instant>,
    next_ask: u64,
}

/// Names one question, so that a late answer is not taken for that of a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueryId(u64);

/// What is to be done about the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poll {
    /// Nothing now.
    Nothing,
    /// QueryId this node.
    Ask(QueryId, NodeId),
    /// Nothing; everybody was asked, and it begins again later.
    NobodyLeft,
}

#[derive(Clone, Copy, Debug)]
struct OpenQuery {
    ask: QueryId,
    node: NodeId,
    since: Instant,
}

impl Refresh {
    /// Asks at once.
    pub(super) fn new(every: Option<Duration>, now: Instant) -> Self {
        Self {
            every,
            wanted: true,
            first: None,
            awaited: None,
            watched: None,
            asking: None,
            tried: Vec::new(),
            failures: 0,
            answers: 0,
            not_before: now,
            periodic: None,
            next_ask: 0,
        }
    }

    /// Something has changed, of which a node may know.
    pub(super) fn want(&mut self, first: Option<NodeId>) {
        self.wanted = true;
        self.first = first.or(self.first);
    }

    /// Somebody waits until then for the cluster to change.
    pub(super) fn await_until(&mut self, until: Instant) {
        self.awaited = Some(self.awaited.map_or(until, |known| known.max(until)));
    }

    /// A node is silent: until then, asks more often without a reason.
    pub(super) fn watch_until(&mut self, until: Instant) {
        self.watched = Some(self.watched.map_or(until, |known| known.max(until)));
    }

    /// The question to ask now, if there is one, of the node that `next` names.
    ///
    /// It is told who brought the news, and who was asked already.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        random: u64,
        next: impl FnOnce(Option<NodeId>, &[NodeId]) -> Option<NodeId>,
    ) -> Poll {
        if self.asking.is_some() || !self.is_due(now) {
            return Poll::Nothing;
        }
        self.wanted = true;
        let Some(node) = next(self.first.take(), &self.tried) else {
            // Begin again, later and later.
            self.tried.clear();
            let most = PAUSE.saturating_mul(1 << self.failures.min(4)).min(SLOWEST);
            self.not_before = now + PAUSE + scaled(most, random);
            self.failures = self.failures.saturating_add(1);
            return Poll::NobodyLeft;
        };
        self.wanted = false;
        self.tried.push(node);
        let ask = QueryId(self.next_ask);
        self.next_ask += 1;
        self.asking = Some(OpenQuery {
            ask,
            node,
            since: now,
        });
        Poll::Ask(ask, node)
    }

    /// Whom the question was put to, if it is the one under way; then it is no longer.
    pub(super) fn close(&mut self, ask: QueryId) -> Option<NodeId> {
        self.asking
            .take_if(|asking| asking.ask == ask)
            .map(|it| it.node)
    }

    /// Whom the question is put to that should have been answered by now.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<NodeId> {
        let late = |it: &mut OpenQuery| now.saturating_duration_since(it.since) >= PATIENCE;
        self.asking.take_if(late).map(|asking| asking.node)
    }

    /// A node did not answer: the next one is asked at once.
    pub(super) fn failed(&mut self) {
        self.wanted = true;
    }

    /// A node is asked once more, in another way.
    pub(super) fn again(&mut self, node: NodeId) {
        self.tried.retain(|tried| *tried != node);
        self.first = Some(node);
        self.wanted = true;
    }

    /// A node gave an answer that does not suffice: another one is asked after a pause.
    pub(super) fn unconvinced(&mut self, now: Instant, random: u64) {
        self.wanted = true;
        self.not_before = now + PAUSE + scaled(PAUSE, random);
    }

    /// An answer was taken over.
    pub(super) fn done(&mut self, now: Instant, random: u64) {
        self.tried.clear();
        self.failures = 0;
        self.answers += 1;
        self.not_before = now + PAUSE + scaled(PAUSE, random);
        let watched = self.watched.is_some_and(|until| until > now);
        let every = if watched {
            Some(WATCH_EVERY)
        } else {
            self.every
        };
        self.periodic = every.map(|every| {
            // Clients that were started together shall not ask together.
            now + every.saturating_sub(scaled(every / 5, random))
        });
    }

    /// How many answers were taken over.
    pub(super) fn answers(&self) -> u64 {
        self.answers
    }

    /// Whether nobody answered, in a whole round and until now.
    pub(super) fn is_at_a_loss(&self) -> bool {
        self.failures > 0
    }

    /// Whether a question is under way.
    pub(super) fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// When [`Refresh::poll`] or [`Refresh::overdue`] will have something to say.
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if let Some(asking) = self.asking {
            return Some(asking.since + PATIENCE);
        }
        if self.wanted || self.awaited.is_some_and(|until| until > now) {
            return Some(self.not_before);
        }
        self.periodic
    }

    fn is_due(&self, now: Instant) -> bool {
        let reason = self.wanted
            || self.awaited.is_some_and(|until| until > now)
            || self.periodic.is_some_and(|at| at <= now);
        reason && self.not_before <= now
    }
}

/// The shortest time between two answers.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// How often it is asked for while a node is silent.
const WATCH_EVERY: Duration = Duration::from_millis(250);

/// The longest time between two rounds in which nobody answers.
const SLOWEST: Duration = Duration::from_secs(1);

/// The error of a node that has not answered a question of the client's own in time.
pub(crate) fn late(node: &Address, patience: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout(Phase::Reply),
        format!("{node} has not answered within {patience:?}"),
    )
}

/// How long a node may take to answer before another one is asked.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{NodeAddress, node::Nodes};

    /// A refresh with three nodes and a clock in milliseconds.
    struct Script {
        refresh: Refresh,
        start: Instant,
        ids: Vec<NodeId>,
    }

    impl Script {
        fn new(every: Option<Duration>) -> Self {
            let mut nodes = Nodes::default();
            let start = Instant::now();
            Self {
                refresh: Refresh::new(every, start),
                start,
                ids: (1..=3)
                    .map(|port| nodes.at(&NodeAddress::new("h", port)))
                    .collect(),
            }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        /// The index of the node that is asked.
        fn poll(&mut self, ms: u64) -> Option<(QueryId, usize)> {
            let now = self.at(ms);
            let ids = self.ids.clone();
            let polled = self.refresh.poll(now, 0, |first, tried| {
                let mut all = first.into_iter().chain(ids);
                all.find(|id| !tried.contains(id))
            });
            let Poll::Ask(ask, node) = polled else {
                return None;
            };
            Some((ask, self.ids.iter().position(|id| *id == node)?))
        }

        fn answer(&mut self, ask: QueryId, ms: u64) {
            assert!(self.refresh.close(ask).is_some());
            let now = self.at(ms);
            self.refresh.done(now, 0);
        }

        fn fail(&mut self, ask: QueryId) {
            assert!(self.refresh.close(ask).is_some());
            self.refresh.failed();
        }
    }

    #[test]
    fn one_question_is_under_way_and_answers_are_apart() {
        let mut script = Script::new(None);
        let (ask, first) = script.poll(0).unwrap();
        assert_eq!(first, 0);
        script.refresh.want(None);
        assert!(script.poll(1).is_none());
        script.answer(ask, 5);
        assert!(script.poll(104).is_none());
        assert!(script.poll(105).is_some());
    }

    #[test]
    fn the_node_that_told_the_news_is_asked_first() {
        let mut script = Script::new(None);
        let (ask, _) = script.poll(0).unwrap();
        script.answer(ask, 0);
        script.refresh.want(Some(script.ids[2]));
        script.refresh.want(None);
        assert_eq!(script.poll(200).map(|it| it.1), Some(2));
    }

    #[test]
    fn nodes_that_fail_are_passed_over_until_all_have() {
        let mut script = Script::new(None);
        for expected in [0, 1, 2] {
            let (ask, node) = script.poll(0).unwrap();
            assert_eq!(node, expected);
            script.fail(ask);
        }
        assert!(script.poll(0).is_none());
        assert_eq!(
            script.refresh.poll_timeout(script.at(0)),
            Some(script.at(100))
        );
        assert!(script.poll(99).is_none());
        assert_eq!(script.poll(100).map(|it| it.1), Some(0));
    }

    #[test]
    fn a_question_that_is_never_answered_ends() {
        let mut script = Script::new(None);
        let (ask, _) = script.poll(0).unwrap();
        assert_eq!(
            script.refresh.poll_timeout(script.at(1)),
            Some(script.at(500))
        );
        assert_eq!(script.refresh.overdue(script.at(499)), None);
        assert_eq!(script.refresh.overdue(script.at(500)), Some(script.ids[0]));
        script.refresh.failed();
        assert_eq!(script.poll(500).map(|it| it.1), Some(1));
        assert_eq!(script.refresh.close(ask), None);
    }

    #[test]
    fn it_goes_on_while_somebody_waits() {
        let mut script = Script::new(None);
        let (ask, _) = script.poll(0).unwrap();
        script.answer(ask, 0);
        assert_eq!(script.refresh.poll_timeout(script.at(0)), None);
        script.refresh.await_until(script.at(250));
        let (ask, _) = script.poll(100).unwrap();
        script.answer(ask, 100);
        let (ask, _) = script.poll(200).unwrap();
        script.answer(ask, 200);
        assert!(script.poll(300).is_none());
    }

    #[test]
    fn it_asks_more_often_while_a_node_is_silent() {
        let mut script = Script::new(None);
        let (ask, _) = script.poll(0).unwrap();
        script.refresh.watch_until(script.at(600));
        script.answer(ask, 0);
        for asked in [250, 500, 750] {
            assert!(script.poll(asked - 1).is_none());
            let (ask, _) = script.poll(asked).unwrap();
            script.answer(ask, asked);
        }
        assert_eq!(script.refresh.poll_timeout(script.at(750)), None);
    }

    #[test]
    fn it_asks_now_and_then_without_a_reason() {
        let mut script = Script::new(Some(Duration::from_secs(60)));
        let (ask, _) = script.poll(0).unwrap();
        script.answer(ask, 0);
        assert_eq!(
            script.refresh.poll_timeout(script.at(0)),
            Some(script.at(60_000))
        );
        assert!(script.poll(59_999).is_none());
        assert!(script.poll(60_000).is_some());
    }
}
