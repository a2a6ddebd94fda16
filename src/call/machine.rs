//! The machine of a call: what its driver does next, for one server and for many.
//!
//! ```text
//!  begin ──▶ WaitForChange ──▶ changed            a node batch, again and again until all are done:
//!    │  nobody knows the topology │
//!    └────────────┬───────────────┘                    ┌─────── resumed ◀── the topology has changed
//!                 ▼                                    ▼                              │
//!          requests, by node ──▶ Fork ──▶ parts ──▶ Connect ──▶ connected ──▶ Send    │
//!                                                      │  ▲                    │      │
//!                                                 lost │  │ MOVED, ASK         │ answered
//!                                                      ▼  └────────────────────┤
//!                                                     WaitUntil ◀──────────────┤ not executed, lost
//!                                                      └──▶ resumed            ▼
//!                                                                            Done ──▶ finish
//! ```
//!
//! A driver asks for the [`Action`], does it, and says what came of it. It decides nothing, and does
//! the parts of a [`Action::Fork`] side by side. An ordinary call begins as a
//! [`DirectCall`](super::DirectCall), which costs nothing, and becomes a [`Call`] when something
//! else than its answer comes.

use std::{mem, time::Instant};

use super::{
    answers::Answers,
    direct::DirectCall,
    encoded::Encoded,
    node_batch::NodeBatch,
    outcomes::{Outcomes, by_node, deadline, no_connection},
    request::{Done, Request},
    settings::{CallSettings, CallTime},
    time_out::timed_out,
};
use crate::{
    cluster::{ClusterState, NodeId, OfflineBytes, unknown_node},
    command::Patience,
    error::{Error, ErrorKind, Phase, Result},
    mutant::{self, Mutant},
    protocol::TimeLimit,
    resp::{Frame, Frames},
};

/// A call on its way, or a part of one.
#[derive(Debug)]
pub(crate) struct Call {
    /// The name of the command, or of the batch.
    name: &'static str,
    patience: Patience,
    /// Whether it is about a connection of the caller's own, and nothing is sent.
    lends: bool,
    /// Whether it must overtake what others wait for.
    urgent: bool,
    time: CallTime,
    /// Chooses among the shared connections to a server.
    slot: Option<u16>,
    /// Its bytes, while it waits for a connection.
    offline: Option<OfflineBytes>,
    step: Step,
    done: Vec<Done>,
    /// Where the answers of the whole call belong; a part has none.
    answers: Answers,
}

#[derive(Debug)]
enum Step {
    /// Nobody knows yet where it goes.
    Unplanned(Box<Encoded>, CallSettings),
    /// It goes on at once.
    Moved(Vec<Request>),
    /// All of it is for one node, to which there is a connection.
    Connected(Vec<Request>),
    Waiting(Vec<Request>, Instant),
    /// Some go on at once, and the others wait.
    Parted(Vec<Request>, Vec<Request>, Instant),
    /// It cannot be sent.
    Failed(Error),
}

/// What a driver does next for a call.
#[derive(Debug)]
pub(crate) enum Action {
    /// Wait until a node has told the topology, or until then, and call [`Call::changed`].
    WaitForChange(Option<Instant>),
    /// Get a connection to a node, and call [`Call::connected`] or [`Call::lost`].
    Connect(Connect),
    /// Send [`Call::batch`] over that connection, and call [`Call::answered`].
    Send,
    /// Wait until then, or until the topology has changed, and call [`Call::resumed`].
    WaitUntil(Instant),
    /// Do the parts side by side, and call [`Call::joined`].
    Fork(Vec<Call>),
    /// Nothing; [`Call::finish`] has the answers.
    Done,
}

/// A connection that a call wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connect {
    /// The node that it shall lead to.
    pub(crate) node: NodeId,
    /// When the wait for it ends, if there is none by then.
    pub(crate) deadline: Option<Instant>,
    /// Whether a change of the topology ends the wait as well; [`Call::resumed`] is next then.
    pub(crate) follows: bool,
    /// Whether nobody else may use it meanwhile.
    pub(crate) exclusive: bool,
    /// Whether it must be another than all others use, which what they wait for could hold up.
    pub(crate) urgent: bool,
    /// Chooses among those that all share.
    pub(crate) slot: Option<u16>,
}

impl Call {
    /// Begins a call: finds the nodes of its commands.
    pub(crate) fn begin(
        encoded: Encoded,
        options: CallSettings,
        patience: Patience,
        state: &ClusterState,
        now: Instant,
        random: u64,
    ) -> Self {
        let mut call = Self {
            name: encoded.name(),
            patience,
            lends: false,
            urgent: encoded.is_urgent(),
            time: options.time,
            slot: options.slot,
            offline: None,
            step: Step::Unplanned(Box::new(encoded), options),
            done: Vec::new(),
            answers: Answers::default(),
        };
        call.changed(state, now, random);
        call
    }

    /// Begins the search for a connection of the caller's own to the node of a slot, or to any; it is
    /// there when the next action is [`Action::Send`].
    pub(crate) fn lend(
        slot: Option<u16>,
        options: CallSettings,
        state: &ClusterState,
        now: Instant,
        random: u64,
    ) -> Self {
        let nothing = Encoded::nothing(slot);
        let mut call = Self {
            name: nothing.name(),
            patience: Patience::None,
            lends: true,
            urgent: false,
            time: options.time,
            slot: None,
            offline: None,
            step: Step::Unplanned(Box::new(nothing), options),
            done: Vec::new(),
            answers: Answers::default(),
        };
        call.changed(state, now, random);
        call
    }

    /// Goes on with a call that was sent directly, and to which something else than its answer came.
    pub(crate) fn sent(
        direct: DirectCall,
        node: NodeId,
        encoded: &Encoded,
        options: &CallSettings,
        patience: Patience,
        state: &ClusterState,
    ) -> Self {
        let (requests, answers) = encoded.sent(direct, node, options, state);
        Self {
            name: encoded.name(),
            patience,
            lends: false,
            urgent: encoded.is_urgent(),
            time: options.time,
            slot: options.slot,
            offline: None,
            step: Step::Connected(requests),
            done: Vec::new(),
            answers,
        }
    }

    /// Looks again at where it goes, as somebody may know by now.
    pub(crate) fn changed(&mut self, state: &ClusterState, now: Instant, random: u64) {
        let Step::Unplanned(encoded, options) = &self.step else {
            return;
        };
        let is_over = options.time.deadline.is_some_and(|end| end <= now);
        if !state.is_ready() {
            if is_over || state.is_settled() {
                self.step = Step::Failed(state.unknown(self.time.allowed));
            }
            if is_over {
                self.tell_time_out(Phase::Connect, state, now);
            }
            return self.unconnected(state.is_at_a_loss(), state);
        }
        let mut random = fastrand::Rng::with_seed(random);
        let node = match &options.address {
            None => state.only().or(options.node),
            Some(address) => match state.find(address) {
                Some(node) => Some(node),
                None => {
                    self.step = Step::Failed(unknown_node());
                    return;
                }
            },
        };
        let options = CallSettings {
            node,
            ..options.clone()
        };
        self.step = match encoded.plan(state, &options, now, || random.u64(..)) {
            Ok((requests, answers)) => {
                self.answers = answers;
                Step::Moved(requests)
            }
            Err(error) => Step::Failed(error),
        };
    }

    /// What to do next.
    pub(crate) fn action(&mut self) -> Action {
        match &mut self.step {
            Step::Unplanned(_, options) => Action::WaitForChange(options.time.deadline),
            Step::Moved(requests) => {
                let Some(first) = requests.first() else {
                    return Action::Done;
                };
                let node = first.call.node();
                if requests.iter().any(|it| it.call.node() != node) {
                    let groups = by_node(mem::take(requests)).into_iter().map(Step::Moved);
                    return self.fork(groups.collect());
                }
                Action::Connect(Connect {
                    node,
                    deadline: deadline(requests),
                    // Who was told to ask there this once has nowhere else to go.
                    follows: !requests.iter().any(|it| it.call.is_asking()),
                    exclusive: self.lends || self.patience != Patience::None,
                    urgent: self.urgent,
                    slot: first.call.slot().or(self.slot),
                })
            }
            Step::Connected(_) => Action::Send,
            Step::Waiting(_, until) => Action::WaitUntil(*until),
            Step::Parted(moved, waiting, until) => {
                // Those that know where to go do not wait for the others.
                let later = Step::Waiting(mem::take(waiting), *until);
                let steps = vec![later, Step::Moved(mem::take(moved))];
                self.fork(steps)
            }
            Step::Failed(_) => Action::Done,
        }
    }

    /// What to send, all of it to one node.
    pub(crate) fn batch(&self) -> NodeBatch<'_> {
        let requests = match &self.step {
            Step::Connected(requests) => &**requests,
            _ => &[],
        };
        NodeBatch {
            requests,
            patience: self.patience,
        }
    }

    /// How long the answer to it may take.
    pub(crate) fn limit(&self) -> TimeLimit {
        let deadline = deadline(self.batch().requests);
        self.time.limit(deadline, self.patience)
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_done(&self) -> bool {
        match &self.step {
            Step::Moved(requests) => requests.is_empty(),
            Step::Failed(_) => true,
            _ => false,
        }
    }

    /// There is no connection yet, and the driver waits for one. While attempts to make one fail, only so
    /// many bytes of all such calls are kept.
    pub(crate) fn unconnected(&mut self, is_failing: bool, state: &ClusterState) {
        let bytes = match &self.step {
            Step::Unplanned(encoded, _) => encoded.bytes.len(),
            Step::Moved(requests) => length(requests),
            Step::Connected(_) | Step::Waiting(..) | Step::Parted(..) | Step::Failed(_) => return,
        };
        if self.offline.is_some() {
            return;
        }
        match state.wait_for_connection(bytes, is_failing) {
            Ok(waiting) => self.offline = Some(waiting),
            Err(error) => self.step = Step::Failed(error.with_command(self.name)),
        }
    }

    /// There is the connection that was wanted.
    pub(crate) fn connected(&mut self) {
        self.offline = None;
        if let Step::Moved(requests) = &self.step
            && let Some(first) = requests.first()
        {
            first.call.sent();
        }
        self.settles();
    }

    /// It is about to be decided about what is for one node.
    fn settles(&mut self) {
        self.step = match self.take() {
            Step::Moved(requests) => Step::Connected(requests),
            other => other,
        };
    }

    /// There is no such connection.
    pub(crate) fn lost(
        &mut self,
        error: Error,
        state: &mut ClusterState,
        now: Instant,
        random: u64,
    ) {
        self.settles();
        self.settle(Err(error), None, state, now, random);
    }

    /// This is what came of sending.
    pub(crate) fn answered(
        &mut self,
        came: Result<Frames>,
        state: &mut ClusterState,
        now: Instant,
        random: u64,
    ) {
        // The server may have held a blocking command back for long.
        let extended = self.time.extended(self.patience, now);
        self.settle(came.map(Frames::into_vec), extended, state, now, random);
    }

    /// The time to wait for is there, or the topology has changed.
    pub(crate) fn resumed(&mut self, state: &mut ClusterState, now: Instant, random: u64) {
        let requests = match self.take() {
            Step::Moved(requests) | Step::Connected(requests) | Step::Waiting(requests, _) => {
                requests
            }
            other => {
                self.step = other;
                return;
            }
        };
        let outcomes = Outcomes::resumed(requests, state, now, random);
        self.done.extend(outcomes.done);
        self.step = Step::Moved(outcomes.moved);
    }

    /// The parts of a fork have come to their ends.
    pub(crate) fn joined(&mut self, parts: Vec<Self>) {
        for part in parts {
            self.done.extend(part.done);
        }
    }

    /// One answer for each frame that the call waits for.
    ///
    /// Each phase in which the time of a part of it has run out is told.
    ///
    /// # Errors
    ///
    /// The call cannot be sent.
    pub(crate) fn finish(
        mut self,
        state: &ClusterState,
        now: Instant,
        random: u64,
    ) -> Result<Vec<Result<Frame>>> {
        if let Step::Failed(error) = self.step {
            return Err(error);
        }
        self.tell_time_outs(state, now);
        if state.only().is_some()
            && let Some(error) = self.common_failure()
        {
            return Err(error);
        }
        self.answers.put_all(state, self.done);
        Ok(self.answers.finish(random))
    }

    /// Tells of each phase in which the time of a part has run out, however many parts that were.
    fn tell_time_outs(&self, state: &ClusterState, now: Instant) {
        let mut told = Vec::new();
        let phases = self.done.iter().filter_map(|(it, _)| it.call.timed_out());
        for phase in phases {
            if !told.contains(&phase) || mutant::is(Mutant::TimeOutToldAgain) {
                told.push(phase);
                self.tell_time_out(phase, state, now);
            }
        }
    }

    fn tell_time_out(&self, phase: Phase, state: &ClusterState, now: Instant) {
        state.tell(now, || timed_out(self.name, phase, self.time.begun, now));
    }

    /// Why nothing at all was answered by the only server.
    fn common_failure(&self) -> Option<Error> {
        let mut errors = self.done.iter().map(|(_, frames)| frames.as_ref().err());
        let first = errors.next()??;
        let fails = |error: Option<&Error>| error.is_some_and(|it| it.kind() == first.kind());
        (first.kind() != ErrorKind::Server && errors.all(fails)).then(|| first.clone())
    }

    /// Why there is no connection of the caller's own.
    pub(crate) fn into_error(self, state: &ClusterState, now: Instant, random: u64) -> Error {
        let answers = self.finish(state, now, random);
        let error = answers.map(|answers| answers.into_iter().find_map(Result::err));
        match error {
            Ok(error) => error.unwrap_or_else(no_connection),
            Err(error) => error,
        }
    }

    /// Decides about what came to a batch.
    fn settle(
        &mut self,
        came: Result<Vec<Frame>>,
        extended: Option<Option<Instant>>,
        state: &mut ClusterState,
        now: Instant,
        random: u64,
    ) {
        let requests = match self.take() {
            Step::Connected(requests) => requests,
            other => {
                self.step = other;
                return;
            }
        };
        let outcomes = Outcomes::answered(requests, came, state, extended, now, random);
        self.done.extend(outcomes.done);
        self.step = match outcomes.until {
            None => Step::Moved(outcomes.moved),
            Some(until) if outcomes.moved.is_empty() => Step::Waiting(outcomes.waiting, until),
            Some(until) => Step::Parted(outcomes.moved, outcomes.waiting, until),
        };
        if let Step::Waiting(requests, _) = &self.step {
            self.offline = Some(state.calls().wait(length(requests)));
        }
    }

    /// Lets it be redirected for ever, to see whether that is noticed.
    #[cfg(test)]
    pub(crate) fn forget_redirects(&mut self) {
        let (Step::Moved(requests) | Step::Connected(requests) | Step::Waiting(requests, _)) =
            &mut self.step
        else {
            return;
        };
        for request in requests {
            request.call.forget_redirects();
        }
    }

    /// Puts the values of parts in the order of the parts, to see whether that is noticed.
    #[cfg(test)]
    pub(crate) fn misorder(&mut self) {
        self.answers.misorder();
    }

    fn fork(&mut self, steps: Vec<Step>) -> Action {
        self.step = Step::Moved(Vec::new());
        let parts = steps.into_iter().map(|step| Self {
            name: self.name,
            patience: self.patience,
            lends: self.lends,
            urgent: self.urgent,
            time: self.time,
            slot: self.slot,
            offline: None,
            step,
            done: Vec::new(),
            answers: Answers::default(),
        });
        Action::Fork(parts.collect())
    }

    fn take(&mut self) -> Step {
        mem::replace(&mut self.step, Step::Moved(Vec::new()))
    }
}

/// How many bytes the requests have.
fn length(requests: &[Request]) -> usize {
    requests.iter().map(|request| request.bytes.len()).sum()
}
