//! The nodes that calls go to: one server, or those of a cluster.
//!
//! A call that is more than its direct way is driven here: what the machine of the call wants is
//! done, and what came of it is said. Nothing is decided.
//!
//! Parts for several nodes are written one after the other and then read one after the other, all by
//! the caller. Only a part whose node lets it wait, or sends it elsewhere, gets a thread to follow
//! it, so that it delays no other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    cluster::{Cluster, Task, all},
    connection::Answer,
    server::{OwnConnection, PooledConnection, Server, Wait},
};
use crate::{
    call::{
        Action, Call, CallOptions, CallRecord, CallSettings, CallTime, Connect, DirectCall,
        Encoded, Instead, explained,
    },
    cluster::{Calls, ClusterState, NodeId, Scope, gone},
    command::{Exchange, Patience, Place},
    config::Config,
    error::Result,
    observe::WatchedCall,
    protocol::TimeLimit,
    resp::{Frame, Frames},
};

/// Where a call may go.
#[derive(Clone, Copy)]
pub(super) enum Nodes<'a> {
    One(&'a Arc<Server>),
    Many(&'a Arc<Cluster>),
}

/// A part on its way over a connection to its node.
struct InFlight {
    part: Call,
    lent: PooledConnection,
    answer: Result<Answer>,
}

/// The connection that carries what is sent of a call.
enum CallConnection {
    /// One that goes back.
    Pooled(PooledConnection),
    /// One that ends with it.
    Own(OwnConnection),
}

impl<'a> Nodes<'a> {
    fn config(self) -> &'a Arc<Config> {
        match self {
            Self::One(server) => server.config(),
            Self::Many(cluster) => cluster.config(),
        }
    }

    /// The calls of the client.
    fn calls(self) -> &'a Calls {
        match self {
            Self::One(server) => server.calls(),
            Self::Many(cluster) => cluster.calls(),
        }
    }

    /// What the nodes are that calls go to.
    pub(super) fn scope(self) -> Scope {
        match self {
            Self::One(server) => server.scope(),
            Self::Many(_) => Scope::Cluster,
        }
    }

    /// Sends an exchange wherever it belongs, and waits for its result, as its caller sees it.
    pub(super) fn call<E: Exchange>(
        self,
        exchange: &E,
        options: &CallOptions,
    ) -> Result<E::Output> {
        let watched = WatchedCall::begin(exchange, self.calls(), self.config());
        let record = watched.as_ref().map(|watched| watched.record());
        let result = {
            let _entered = watched.as_ref().map(|watched| watched.enter());
            self.call_recorded(exchange, options, record)
        }
        .map_err(|error| explained(exchange.named(error), self.scope()));
        match watched {
            None => result,
            Some(watched) => watched.end(result),
        }
    }

    #[inline]
    fn call_recorded<E: Exchange>(
        self,
        exchange: &E,
        options: &CallOptions,
        record: Option<&Arc<CallRecord>>,
    ) -> Result<E::Output> {
        exchange.check(Place::Shared)?;
        if exchange.is_empty() {
            return exchange.finish(&Frames::new());
        }
        let _under_way = self.calls().begin()?;
        let begun = Instant::now();
        let time = CallTime::of(self.config(), options, begun);
        let settings = || CallSettings::of(self.config(), options, time).recorded(record);
        // Before the node is looked up, so that no change is missed.
        let changes = self.changes();
        let Some((direct, node, server)) = self.direct(exchange, options)? else {
            return self.find(exchange, settings());
        };
        if let Some(record) = record {
            record.sent_to(Arc::clone(server.address()));
        }
        let Some(came) = self.send(exchange, &server, changes, time) else {
            // There may be another node for it by now.
            return self.find(exchange, settings());
        };
        match came {
            Ok(frames) if direct.is_answer(&frames, exchange) => exchange.finish(&frames),
            came => {
                if let Ok(frames) = &came
                    && let Some(instead) = direct.instead(frames, exchange)?
                {
                    return self.replace(exchange, instead, settings());
                }
                let settings = settings();
                let call = self.go_on(exchange, direct, node, &settings, came)?;
                let answers = self.follow(call, changes)?;
                self.finish(exchange, answers, settings)
            }
        }
    }

    /// Finds the nodes of an exchange, and waits for its result.
    fn find<E: Exchange>(self, exchange: &E, settings: CallSettings) -> Result<E::Output> {
        let encoded = Encoded::of(exchange)?;
        let answers = self.route(encoded, exchange.patience(), settings.clone())?;
        self.finish(exchange, answers, settings)
    }

    /// The result of an exchange, unless its answer has something else sent.
    fn finish<E: Exchange>(
        self,
        exchange: &E,
        answers: Vec<Result<Frame>>,
        settings: CallSettings,
    ) -> Result<E::Output> {
        match Instead::of_answers(exchange, &answers)? {
            Some(instead) => self.replace(exchange, instead, settings),
            None => exchange.finish_each(answers),
        }
    }

    /// Sends something else, and waits for what is the result of the exchange.
    fn replace<E: Exchange>(
        self,
        exchange: &E,
        instead: Instead,
        settings: CallSettings,
    ) -> Result<E::Output> {
        exchange.finish_each(self.route(instead.encoded, instead.patience, settings)?)
    }

    /// A connection of the caller's own to the node of a slot, or to any.
    ///
    /// # Errors
    ///
    /// There is none in time.
    pub(super) fn lend(self, slot: Option<u16>, options: &CallOptions) -> Result<PooledConnection> {
        self.keep()?;
        let time = CallTime::of(self.config(), options, Instant::now());
        let settings = CallSettings::of(self.config(), options, time);
        let changes = self.changes();
        let mut call =
            self.decide(|state, now, random| Call::lend(slot, settings, state, now, random));
        match self.drive(&mut call, changes, true) {
            Some(CallConnection::Pooled(lent)) => Ok(lent),
            Some(CallConnection::Own(_)) | None => {
                Err(self.decide(|state, now, random| call.into_error(state, now, random)))
            }
        }
    }

    /// Where a call goes in one piece, as far as its keys alone can tell.
    fn direct<E: Exchange>(
        self,
        exchange: &E,
        options: &CallOptions,
    ) -> Result<Option<(DirectCall, NodeId, Arc<Server>)>> {
        if options.names_nodes() {
            return Ok(None);
        }
        match self {
            Self::One(server) => {
                let (direct, node) = server.direct();
                Ok(Some((direct, node, Arc::clone(server))))
            }
            Self::Many(cluster) => {
                if exchange.patience() != Patience::None || exchange.is_urgent() {
                    return Ok(None);
                }
                let direct = DirectCall::of(exchange)?;
                Ok(direct.and_then(|direct| {
                    let (node, server) = cluster.server(&direct)?;
                    Some((direct, node, server))
                }))
            }
        }
    }

    /// Sends a call directly, and waits for the frames that answer it; `None` says that the topology
    /// has changed before there was a connection.
    fn send<E: Exchange>(
        self,
        exchange: &E,
        server: &Arc<Server>,
        changes: u64,
        time: CallTime,
    ) -> Option<Result<Frames>> {
        let begun = time.begun.unwrap_or_else(Instant::now);
        match self {
            Self::One(_) if exchange.is_urgent() => {
                let own = server.urgent(time.deadline);
                Some(own.and_then(|own| own.call(exchange, TimeLimit::Whole(time.deadline))))
            }
            Self::One(_) => Some(server.lend_by(begun, time.deadline).and_then(|lent| {
                let limit = time.limit_from(lent.since());
                lent.call(exchange, limit)
            })),
            Self::Many(_) => {
                let wait = Wait {
                    since: begun,
                    deadline: time.deadline,
                    is_over: &|| self.changes() != changes,
                };
                let lent = server.lend_within(wait).transpose()?;
                Some(lent.and_then(|lent| lent.call(exchange, TimeLimit::Whole(time.deadline))))
            }
        }
    }

    /// Makes a call of one that was sent directly, and to which something else than its answer came.
    fn go_on<E: Exchange>(
        self,
        exchange: &E,
        direct: DirectCall,
        node: NodeId,
        settings: &CallSettings,
        came: Result<Frames>,
    ) -> Result<Call> {
        let encoded = match self {
            Self::One(_) => Encoded::for_only(exchange)?,
            Self::Many(_) => Encoded::of(exchange)?,
        };
        let patience = exchange.patience();
        self.keep()?;
        Ok(self.decide(|state, now, random| {
            let mut call = Call::sent(direct, node, &encoded, settings, patience, state);
            call.answered(came, state, now, random);
            call
        }))
    }

    /// Finds the nodes of an exchange, and waits for all their answers, one for each frame.
    ///
    /// # Errors
    ///
    /// It cannot run there as it is, or no node is known.
    fn route(
        self,
        encoded: Encoded,
        patience: Patience,
        settings: CallSettings,
    ) -> Result<Vec<Result<Frame>>> {
        self.keep()?;
        let changes = self.changes();
        let call = self.decide(|state, now, random| {
            Call::begin(encoded, settings, patience, state, now, random)
        });
        self.follow(call, changes)
    }

    /// Goes on with a call wherever it has got to, and waits for its answers.
    fn follow(self, mut call: Call, changes: u64) -> Result<Vec<Result<Frame>>> {
        self.drive(&mut call, changes, false);
        self.decide(|state, now, random| call.finish(state, now, random))
    }

    /// Does what a call wants until nothing is left to do, or until it has the connection that it is
    /// all about; the topology had changed so often before the call decided what it wants.
    fn drive(self, call: &mut Call, mut changes: u64, lends: bool) -> Option<CallConnection> {
        let mut carrier = None;
        loop {
            match call.action() {
                Action::WaitForChange(until) => {
                    if let Self::Many(cluster) = self {
                        cluster.wait_for_topology(until);
                    }
                    self.decide(|state, now, random| call.changed(state, now, random));
                }
                Action::Connect(to) => match self.connect(to, changes) {
                    Some(Ok(found)) => {
                        carrier = Some(found);
                        call.connected();
                    }
                    Some(Err(error)) => {
                        changes = self.changes();
                        self.decide(|state, now, random| call.lost(error, state, now, random));
                    }
                    None => {
                        changes = self.changes();
                        self.decide(|state, now, random| call.resumed(state, now, random));
                    }
                },
                Action::Send if lends => return carrier,
                Action::Send => {
                    let came = match carrier.take() {
                        Some(CallConnection::Pooled(lent)) => {
                            lent.call(&call.batch(), call.limit())
                        }
                        Some(CallConnection::Own(own)) => own.call(&call.batch(), call.limit()),
                        None => Err(gone()),
                    };
                    changes = self.changes();
                    self.decide(|state, now, random| call.answered(came, state, now, random));
                }
                Action::WaitUntil(until) => {
                    self.wait(until, changes);
                    changes = self.changes();
                    self.decide(|state, now, random| call.resumed(state, now, random));
                }
                Action::Fork(parts) => call.joined(self.spread(parts, changes)),
                Action::Done => return None,
            }
        }
    }

    /// Does the parts of a call, none of which delays the others.
    fn spread(self, parts: Vec<Call>, changes: u64) -> Vec<Call> {
        let now = Instant::now();
        let mut done = Vec::with_capacity(parts.len());
        let mut tasks: Vec<Task<'_, Call>> = Vec::new();
        let mut in_flight = Vec::with_capacity(parts.len());
        for part in parts {
            match self.begin(part, now) {
                Ok(begun) => in_flight.push(begun),
                Err(part) => tasks.push(self.task(part, changes)),
            }
        }
        let end = now + GRACE;
        for mut one in in_flight {
            if !one.is_over_by(end) {
                tasks.push(Box::new(move || {
                    let (part, changes) = one.complete(self);
                    self.finished(part, changes)
                }));
                continue;
            }
            let (part, changes) = one.complete(self);
            match part.is_done() {
                true => done.push(part),
                false => tasks.push(self.task(part, changes)),
            }
        }
        done.extend(all(tasks));
        done
    }

    fn task(self, part: Call, changes: u64) -> Task<'a, Call> {
        Box::new(move || self.finished(part, changes))
    }

    fn finished(self, mut part: Call, changes: u64) -> Call {
        self.drive(&mut part, changes, false);
        part
    }

    /// Writes a part to its node, if a connection is free at once.
    #[expect(
        clippy::result_large_err,
        reason = "the call that could not begin goes on in the caller's hands"
    )]
    fn begin(self, mut part: Call, now: Instant) -> std::result::Result<InFlight, Call> {
        let Action::Connect(to) = part.action() else {
            return Err(part);
        };
        let is_any = !to.exclusive && !to.urgent;
        let idle = self.server(to.node).filter(|_| is_any);
        let Some(mut lent) = idle.and_then(|server| server.lend_idle(now)) else {
            return Err(part);
        };
        part.connected();
        let mut answer = Answer::new(part.limit());
        let begun = lent
            .connection()
            .and_then(|it| it.begin(&part.batch(), now, &mut answer));
        Ok(InFlight {
            part,
            lent,
            answer: begun.map(|()| answer),
        })
    }

    /// A connection to a node; `None` says that the topology has changed before there was one.
    fn connect(self, to: Connect, changes: u64) -> Option<Result<CallConnection>> {
        let now = Instant::now();
        let Some(server) = self.server(to.node) else {
            return Some(Err(gone()));
        };
        if to.urgent {
            return Some(server.urgent(to.deadline).map(CallConnection::Own));
        }
        let lent = match self {
            Self::One(_) => Some(server.lend_by(now, to.deadline)),
            Self::Many(_) => {
                let wait = Wait {
                    since: now,
                    deadline: to.deadline,
                    is_over: &|| to.follows && self.changes() != changes,
                };
                server.lend_within(wait).transpose()
            }
        };
        lent.map(|lent| lent.map(CallConnection::Pooled))
    }

    /// Waits until then, or until the topology has changed more often than that.
    fn wait(self, until: Instant, changes: u64) {
        match self {
            Self::One(_) => {
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
            }
            Self::Many(cluster) => cluster.wait(until, changes),
        }
    }

    /// Lets the state of the nodes decide, and does at once what it wants done.
    fn decide<T>(self, ask: impl FnOnce(&mut ClusterState, Instant, u64) -> T) -> T {
        match self {
            Self::One(server) => server.decide(ask),
            Self::Many(cluster) => cluster.decide(ask),
        }
    }

    fn server(self, id: NodeId) -> Option<Arc<Server>> {
        match self {
            Self::One(server) => Some(Arc::clone(server)),
            Self::Many(cluster) => cluster.server_of(id),
        }
    }

    /// How often calls that wait had to look again; of one server they never have to.
    fn changes(self) -> u64 {
        match self {
            Self::One(_) => 0,
            Self::Many(cluster) => cluster.changes(),
        }
    }

    /// Sees to it that what calls wait for can come.
    fn keep(self) -> Result<()> {
        match self {
            Self::One(_) => Ok(()),
            Self::Many(cluster) => cluster.keep(),
        }
    }
}

impl InFlight {
    /// Whether the whole answer has come by then, or something has failed.
    fn is_over_by(&mut self, end: Instant) -> bool {
        let Ok(answer) = &mut self.answer else {
            return true;
        };
        let answered = self
            .lent
            .connection()
            .and_then(|it| it.is_answered_by(end, answer));
        match answered {
            Ok(answered) => answered,
            Err(error) => {
                self.answer = Err(error);
                true
            }
        }
    }

    /// Waits for the rest of the answer, gives the connection back, and lets the part decide; also
    /// how often the topology had changed before that.
    fn complete(self, nodes: Nodes<'_>) -> (Call, u64) {
        let Self {
            mut part,
            mut lent,
            answer,
        } = self;
        let came = answer.and_then(|mut answer| {
            lent.connection()?.complete(&part.batch(), &mut answer)?;
            Ok(answer.into_frames())
        });
        drop(lent);
        let changes = nodes.changes();
        nodes.decide(|state, now, random| part.answered(came, state, now, random));
        (part, changes)
    }
}

/// How long the answers of several nodes are read one after the other, before each gets a thread.
const GRACE: Duration = Duration::from_millis(10);
