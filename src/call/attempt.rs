//! One command on its way to one node: where it goes, and where it goes next.
//!
//! ```text
//!                         ┌──────────────── resume ────────────────┐
//!                         ▼                                        │
//!  plan ──▶ Attempt ──▶ Send ──▶ the node answers ──┬─ a reply ────┼──────────────▶ done
//!                         ▲                         │              │
//!                         │                    refused, lost       │
//!                         │                         ▼              │
//!                         └── MOVED, ASK ──────── refused ────── Wait, until a time or a new topology
//!                                                  lost            │
//!                                                   │              │
//!                                                   └──────────────┴──▶ GiveUp
//! ```

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    options::RetryPolicy,
    record::CallRecord,
    redirect::{Meaning, Refusal},
    settings::CallSettings,
};
use crate::{
    address::Address,
    back_off,
    cluster::{ClusterState, NodeAddress, NodeId, ReadFrom, Scope, Target},
    command::{Info, Retry},
    config::Offline,
    error::{Error, ErrorKind, Outcome, Phase},
    events::Event,
    mutant::{self, Mutant},
    protocol::is_refusal,
};

/// One command on its way to one node.
#[derive(Debug)]
pub(crate) struct Attempt {
    target: Target,
    /// Which node of its shard may run it.
    read_from: ReadFrom,
    /// Whether a second run does no harm.
    repeatable: bool,
    name: &'static str,
    retry: RetryPolicy,
    /// How often it is sent again at most.
    retries: Option<u32>,
    retry_backoff: Duration,
    deadline: Option<Instant>,
    /// Since when it has been tried again, where nothing says when the call ends.
    troubled: Option<Instant>,
    node: NodeId,
    asking: bool,
    /// Its node is a replica, to which connections do not say that they read there.
    reads_replica: bool,
    redirects: u32,
    tries: u32,
    /// How often it is sent again, counted without the waits for a connection.
    resent: u32,
    /// Who has redirected it since it waited last.
    seen: Vec<NodeId>,
    /// Who has failed it last.
    avoid: Option<NodeId>,
    /// Whether it has to go on where it is.
    stays: bool,
    /// What it waits for to pass.
    trouble: Option<Error>,
    /// What it was waiting for when its time ran out, whatever error its caller gets.
    timed_out: Option<Phase>,
    /// What is kept of its call, if a listener watches that, and where its node is.
    record: Option<Arc<CallRecord>>,
    address: Option<Arc<Address>>,
}

/// What a driver does next with a call.
#[derive(Debug)]
pub(crate) enum Next {
    /// Send it to [`Attempt::node`]; behind `ASKING`, if [`Attempt::is_asking`].
    Send,
    /// Wait until then, or until [`Event::Changed`](crate::cluster::Event::Changed), and call [`Attempt::resume`].
    Wait(Instant),
    /// Hand the reply out.
    Answer,
    /// The call has failed.
    GiveUp(Error),
}

impl Attempt {
    pub(super) fn new(
        info: &'static Info,
        target: Target,
        read_from: &ReadFrom,
        options: &CallSettings,
        node: NodeId,
        state: &ClusterState,
    ) -> Self {
        let mut attempt = Self {
            target,
            read_from: read_from.clone(),
            repeatable: options.idempotent || info.retry == Retry::Safe,
            name: info.name,
            retry: options.retry,
            retries: options.retries,
            retry_backoff: options.retry_backoff,
            deadline: options.time.deadline,
            troubled: None,
            node,
            asking: false,
            reads_replica: false,
            redirects: 0,
            tries: 0,
            resent: 0,
            seen: Vec::new(),
            avoid: None,
            stays: false,
            trouble: None,
            timed_out: None,
            record: options.record.clone(),
            address: None,
        };
        attempt.go_to(node, state);
        attempt
    }

    fn go_to(&mut self, node: NodeId, state: &ClusterState) {
        self.node = node;
        self.reads_replica = !self.read_from.is_primary()
            && state.read_from().is_primary()
            && state.scope() != Scope::Server
            && !state.primaries().any(|primary| primary == node);
        if self.record.is_some() {
            self.address = state.address(node);
        }
    }

    /// Takes note that it is sent.
    pub(super) fn sent(&self) {
        if let (Some(record), Some(address)) = (&self.record, &self.address) {
            record.sent_to(Arc::clone(address));
        }
    }

    /// Moves the deadline, as for a call that a server may hold back before it says where to go.
    pub(crate) fn extend(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Where it is to be sent.
    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    /// Whether `ASKING` has to stand in front of it.
    ///
    /// If that is answered with an error, and the call is not answered for that, [`Attempt::asking_failed`]
    /// ends the call.
    pub(crate) fn is_asking(&self) -> bool {
        self.asking
    }

    /// Whether `READONLY` has to stand in front of it, and `READWRITE` behind: a replica runs what only
    /// reads for connections that say so, and a caller who reads from a primary must learn from that
    /// node when it has become a replica.
    ///
    /// If it is answered with an error, and the call is not answered for that, [`Attempt::asking_failed`] ends
    /// the call.
    pub(crate) fn reads_replica(&self) -> bool {
        self.reads_replica
    }

    /// The slot that it is for, if it is for one.
    pub(super) fn slot(&self) -> Option<u16> {
        self.target.slot()
    }

    /// Whether it is for one node and no other, which may say so if it is the wrong one.
    fn is_bound(&self) -> bool {
        matches!(self.target, Target::Node(_))
    }

    /// Lets it be redirected for ever, to see whether that is noticed.
    #[cfg(test)]
    pub(crate) fn forget_redirects(&mut self) {
        self.redirects = 0;
    }

    /// Why it fails, if it has to because a later command was executed before it.
    pub(super) fn overtaken(&self, by: &Self) -> Option<Error> {
        let is_harmed = !self.repeatable && self.target == by.target;
        self.trouble.clone().filter(|_| is_harmed)
    }

    /// How long it may still take.
    fn left(&self, now: Instant) -> Duration {
        self.deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(now)
        })
    }

    /// What it was waiting for when its time ran out, if it did.
    pub(super) fn timed_out(&self) -> Option<Phase> {
        self.timed_out
    }

    /// When it ends, come what may; whatever it was spent on.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The error of a call whose deadline came while it waited.
    #[cfg(test)]
    pub(crate) fn into_trouble(self) -> Error {
        self.trouble.unwrap_or_else(|| {
            Error::new(
                ErrorKind::Timeout(Phase::Queue),
                "no node could take the command within the time allowed",
            )
            .with_command(self.name)
        })
    }
}

impl Attempt {
    /// Decides about an error reply.
    pub(crate) fn refused(
        &mut self,
        state: &mut ClusterState,
        error: &[u8],
        now: Instant,
        random: u64,
    ) -> Next {
        let Some(from) = state.node(self.node).map(|node| node.address.clone()) else {
            // It is about to be closed, and does not know the cluster any more.
            return self.refused_by_unknown(state, error, now, random);
        };
        let not_executed = || {
            Error::server(error)
                .with_command(self.name)
                .with_outcome(Outcome::NotSent)
        };
        let scope = match state.scope() {
            Scope::Cluster if self.is_bound() => Scope::Node,
            scope => scope,
        };
        match Meaning::of(error, &from, state.map()) {
            Meaning::Answer => Next::Answer,
            meaning if meaning.is_answer_of(scope) => Next::Answer,
            Meaning::Moved(redirect) => {
                let trouble = not_executed();
                let to = state.introduce(&redirect.to);
                state.correct(redirect.slot, to);
                state.mark_stale(self.node, now);
                state.want_topology_of(Some(to));
                self.redirect(state, to, false, trouble, now, random)
            }
            Meaning::Ask(redirect) => {
                let trouble = not_executed();
                let to = state.introduce(&redirect.to);
                self.redirect(state, to, true, trouble, now, random)
            }
            Meaning::Astray => {
                let trouble = not_executed();
                state.want_topology();
                self.avoid = Some(self.node);
                self.wait(state, trouble, now, random)
            }
            Meaning::NotExecuted(reason) => {
                let trouble = not_executed();
                if reason.is_about_topology() {
                    let teller = Some(self.node).filter(|_| reason != Refusal::ReadOnly);
                    state.want_topology_of(teller);
                }
                if scope == Scope::Server {
                    return self.wait_for_server(state, reason, trouble, now, random);
                }
                match reason {
                    Refusal::ReadOnly => state.mark_stale(self.node, now),
                    // The keys are on their way from the one node to the other, which both say so.
                    Refusal::TryAgain => self.stays = true,
                    Refusal::Loading | Refusal::MasterDown => {
                        state.mark_suspect(self.node, now);
                        self.avoid = Some(self.node);
                    }
                    _ => {}
                }
                self.wait(state, trouble, now, random)
            }
        }
    }

    /// Decides about a call whose connection could not be made, or was lost before the reply came.
    ///
    /// What `error` says about its execution must be true of everything that was sent.
    pub(crate) fn lost(
        &mut self,
        state: &mut ClusterState,
        error: Error,
        now: Instant,
        random: u64,
    ) -> Next {
        let retried = match error.kind() {
            ErrorKind::Connect | ErrorKind::Connection | ErrorKind::Protocol => true,
            ErrorKind::Timeout(phase) => phase == Phase::Connect,
            _ => false,
        };
        // A node that does not answer may have been replaced, although its connections are open.
        let silent = matches!(
            error.kind(),
            ErrorKind::Timeout(Phase::Write | Phase::Reply)
        );
        if retried || silent {
            state.mark_suspect(self.node, now);
            state.want_topology();
        }
        if silent {
            state.watch_until(now + WATCH);
        }
        let error = error.with_command(self.name);
        let retried = retried && self.waits_after(&error, state, now, random);
        let is_harmed = error.may_have_executed() && !self.repeatable;
        if !retried || (is_harmed && !mutant::is(Mutant::UncertainSentAgain)) {
            self.timed_out = error.phase();
            return Next::GiveUp(self.most_telling(error));
        }
        self.avoid = Some(self.node);
        self.wait(state, error, now, random)
    }

    /// Whether something can still become of a call to which this came instead of an answer.
    fn waits_after(&self, error: &Error, state: &ClusterState, now: Instant, random: u64) -> bool {
        if !error.is_of_connecting() {
            return true;
        }
        match state.offline() {
            // What the only server refuses for good, no other server allows.
            Offline::Wait => state.scope() == Scope::Cluster || !is_refusal(error),
            Offline::Fail => state
                .other_node_for(self.target, &self.read_from, self.node, now, random)
                .is_some(),
        }
    }

    /// Lets a call wait for the only server, or for another one that takes its place.
    fn wait_for_server(
        &mut self,
        state: &mut ClusterState,
        reason: Refusal,
        trouble: Error,
        now: Instant,
        random: u64,
    ) -> Next {
        let is_first = self.tries == 0;
        let mut pause = SERVER_PAUSE;
        if matches!(reason, Refusal::ReadOnly | Refusal::MasterDown) {
            // Its name may lead to the new primary already.
            state.leave(self.node, now);
            if is_first {
                pause = Duration::ZERO;
            }
        }
        self.wait_at_least(pause, state, trouble, now, random)
    }

    /// The end of a call that was not executed because `ASKING` or `READONLY` in front of it was refused,
    /// which will not pass.
    pub(crate) fn asking_failed(&self, error: &[u8]) -> Error {
        Error::server(error).with_command(self.name)
    }

    /// Where a call goes that has waited.
    pub(crate) fn resume(&mut self, state: &mut ClusterState, now: Instant, random: u64) -> Next {
        if let Err(error) = state.calls().check() {
            return Next::GiveUp(self.most_telling(error.with_command(self.name)));
        }
        if self.left(now) < SHORTEST_WAIT {
            // A try that nobody can wait for would only hide what the others have met.
            self.timed_out = Some(self.trouble.as_ref().map_or(Phase::Queue, waits_for));
            return Next::GiveUp(self.expired(state));
        }
        if let Some(error) = &self.trouble {
            if let Some(record) = &self.record {
                record.retried();
            }
            state.tell(now, || Event::Retried {
                command: self.name.into(),
                attempts: self.tries,
                error: error.clone(),
            });
        }
        if mem::take(&mut self.stays) {
            return Next::Send;
        }
        self.asking = false;
        match state.node_for(self.target, &self.read_from, self.avoid, now, random) {
            Some(node) => {
                self.go_to(node, state);
                Next::Send
            }
            None => Next::GiveUp(self.expired(state)),
        }
    }

    fn redirect(
        &mut self,
        state: &mut ClusterState,
        to: NodeId,
        asking: bool,
        trouble: Error,
        now: Instant,
        random: u64,
    ) -> Next {
        self.redirects += 1;
        if self.redirects > MOST_REDIRECTS && !mutant::is(Mutant::RedirectedForEver) {
            return Next::GiveUp(trouble);
        }
        if to == self.node {
            // Another server than the one meant has taken over the address, or stands behind it.
            state.reconnect(to);
        }
        if to == self.node || self.seen.contains(&to) {
            state.want_topology();
            return self.wait(state, trouble, now, random);
        }
        if let Some(record) = &self.record {
            record.redirected();
        }
        if let (Some(from), Some(to)) = (state.address(self.node), state.address(to)) {
            state.tell(now, || Event::Redirected {
                command: self.name.into(),
                from,
                to,
                once: asking,
            });
        }
        self.seen.push(self.node);
        self.go_to(to, state);
        self.asking = asking && !mutant::is(Mutant::AskingOmitted);
        Next::Send
    }

    /// Lets a call wait for the cluster to change, if there is time.
    fn wait(
        &mut self,
        state: &mut ClusterState,
        trouble: Error,
        now: Instant,
        random: u64,
    ) -> Next {
        self.wait_at_least(Duration::ZERO, state, trouble, now, random)
    }

    /// The same, and not to come back too soon.
    fn wait_at_least(
        &mut self,
        pause: Duration,
        state: &mut ClusterState,
        mut trouble: Error,
        now: Instant,
        random: u64,
    ) -> Next {
        let earlier = self.trouble.take();
        let may_have = earlier.as_ref().is_some_and(Error::may_have_executed);
        if may_have && !trouble.may_have_executed() && !mutant::is(Mutant::DoubtForgotten) {
            trouble = trouble.with_outcome(Outcome::Indeterminate);
        }
        let mut left = self.left(now);
        if self.deadline.is_none() && state.scope() != Scope::Cluster {
            let since = *self.troubled.get_or_insert(now);
            left = LONGEST_TROUBLE.saturating_sub(now.saturating_duration_since(since));
        }
        if !self.may_retry(&trouble, state, now) {
            self.trouble = earlier;
            return Next::GiveUp(self.most_telling(trouble));
        }
        if left < SHORTEST_WAIT {
            self.trouble = earlier;
            self.timed_out = trouble.phase().or(Some(waits_for(&trouble)));
            return Next::GiveUp(self.most_telling(trouble));
        }
        self.seen.clear();
        self.trouble = earlier;
        self.trouble = Some(self.most_telling(trouble));
        let until =
            now + back_off::wait(self.retry_backoff, self.tries, left, random).max(pause.min(left));
        self.tries = self.tries.saturating_add(1);
        if !self.stays {
            state.await_until(until);
        }
        Next::Wait(until)
    }

    /// Whether it may be sent again after this, if that does no harm.
    fn may_retry(&mut self, trouble: &Error, state: &mut ClusterState, now: Instant) -> bool {
        // What could not even be sent waits for a connection, and is not sent again.
        let was_sent = !trouble.is_of_connecting();
        let wanted = match self.retry {
            RetryPolicy::Never => false,
            RetryPolicy::Safe => !was_sent || self.retries.is_none_or(|most| self.resent < most),
        };
        // What has reached no server puts no load on any.
        let was_load = trouble.kind() == ErrorKind::Server || trouble.may_have_executed();
        let may_retry = wanted && (!was_load || state.takes_retry(now));
        self.resent += u32::from(may_retry && was_sent);
        may_retry
    }

    /// The error that says most of a call that was in trouble before: that its time is up, or that
    /// there is no connection by now, says less than what has led to that.
    fn most_telling(&mut self, error: Error) -> Error {
        let earlier = self.trouble.take();
        let is_late = error.is_timeout() && !error.may_have_executed();
        match earlier {
            Some(earlier) if earlier.may_have_executed() && error.is_of_connecting() => earlier,
            Some(earlier) if is_late => earlier,
            Some(earlier) if earlier.may_have_executed() && error.is_timeout() => earlier,
            _ => error,
        }
    }

    fn expired(&mut self, state: &ClusterState) -> Error {
        self.trouble
            .take()
            .unwrap_or_else(|| state.nobody(self.name))
    }

    /// Decides about an error reply of a node that is not known any more.
    fn refused_by_unknown(
        &mut self,
        state: &mut ClusterState,
        error: &[u8],
        now: Instant,
        random: u64,
    ) -> Next {
        let nowhere = NodeAddress::new("", 0);
        if Meaning::of(error, &nowhere, state.map()) == Meaning::Answer {
            return Next::Answer;
        }
        let trouble = Error::server(error)
            .with_command(self.name)
            .with_outcome(Outcome::NotSent);
        self.wait(state, trouble, now, random)
    }
}

/// What a call waits for after this: a connection, or a server that could take it.
fn waits_for(error: &Error) -> Phase {
    match error.is_of_connecting() {
        true => Phase::Connect,
        false => Phase::Queue,
    }
}

/// For how long after a node has not answered in time the cluster is watched for its replacement.
const WATCH: Duration = Duration::from_secs(5);

/// How often a call is redirected.
const MOST_REDIRECTS: u32 = 5;

/// With less time left a call does not wait any more, and is not sent again.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

/// How long a call is tried again whose client sets no time for calls.
const LONGEST_TROUBLE: Duration = Duration::from_secs(5);

/// How long a call waits at least for the only server, which says why it cannot execute it.
const SERVER_PAUSE: Duration = Duration::from_millis(50);
