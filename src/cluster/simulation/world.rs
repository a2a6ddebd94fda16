//! The world around clients: a network, a clock, and drivers of all machines of a client.
//!
//! Everything happens in the order of time and, at the same time, of its making, so that a seed
//! always leads to the same end. A client here is what a driver is: it does what the machine of a call
//! wants, asks the links for connections and dials where they give leave, pairs replies with requests
//! by their order on a connection, and says what came of it. Some worlds are a cluster, the others one
//! server behind a name, with a replica that may take over.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    super::{
        ClusterState, PATIENCE, ReadFrom, Scope, Target, late,
        node::{NodeAddress, NodeId},
        query::Query,
        refresh::QueryId,
        state::{Event as ClusterEvent, Options},
    },
    chance::Chance,
    ledger::{Ledger, Operation},
    model::{Announcement, Cluster, Reply, Request, State},
};
use crate::{
    call::{Action, Call, CallOptions, DirectCall, Encoded, no_connection, words},
    command::{Patience, Raw, Single, raw},
    config::{Address, Config},
    error::{Error, ErrorKind, Outcome, Phase, Result},
    events::{Events, LossReason},
    link::{Dial, Link, SharedTurn},
    resp::{Frame, Frames, Kind},
};

/// How long an operation may take, in microseconds.
pub(super) const DEADLINE: u64 = 2_000_000;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: u64 = 300_000;

/// What is wrong with a client, so that it can be seen whether anybody notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// `ASK` is taken for `MOVED`.
    AskCached,
    /// `ASKING` is not sent.
    AskingOmitted,
    /// What may have been executed is sent again.
    UncertainRetried,
    /// Redirects are not counted.
    RedirectsUnbounded,
    /// A reply that nobody waits for any more goes to the next one who waits.
    PlaceForgotten,
    /// The values of parts stand in the order of the parts.
    PartsMisordered,
    /// Nobody asks for the topology.
    TopologyIgnored,
    /// Nobody waits before another try.
    WaitSkipped,
    /// Calls wait however long they like.
    DeadlineIgnored,
    /// A server that has become a replica is not left.
    DemotionIgnored,
    /// A connection that has ended is used on.
    EndIgnored,
}

/// All there is.
pub(super) struct World {
    pub(super) now: u64,
    start: Instant,
    pub(super) chance: Chance,
    pub(super) cluster: Cluster,
    events: BTreeMap<(u64, u64), Event>,
    made: u64,
    clients: Vec<Client>,
    connections: Vec<Connection>,
    tasks: Vec<Task>,
    pub(super) ledger: Ledger,
    mutant: Option<Mutant>,
    verbose: bool,
    /// The first promise that was broken.
    pub(super) broken: Option<String>,
}

#[derive(Debug)]
enum Event {
    /// An operation begins.
    Begin(usize),
    /// A connection is there, or is not.
    Opened(usize),
    /// A message reaches its node.
    Arrive(usize, Message),
    /// An answer reaches its client.
    Return(usize, Answered),
    /// A connection is gone, and the client notices.
    Lost(usize),
    /// A task has waited.
    Resume(usize, u32),
    /// The topology has changed while a task waits for a connection.
    Follow(usize, u32),
    /// The time for a reply is over.
    Expire(usize, u32),
    /// A state wants to be asked.
    Poll(usize),
    /// Something happens to the cluster.
    Happen(Happening),
}

/// What happens to the cluster or the network.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    BeginMove(usize, usize),
    MoveKey(usize, usize),
    EndMove(usize),
    FailOver(usize),
    Gossip(usize),
    Die(usize),
    Become(usize, State),
    Mood(usize, Option<&'static str>),
    Lie(usize, super::model::Lie),
    Reset(usize),
    Heal,
}

struct Client {
    state: ClusterState,
    /// Its only server, if it has only one.
    only: Option<NodeId>,
    /// The links to the nodes, with the connections that all its tasks share.
    links: BTreeMap<NodeId, Link<usize, usize>>,
    /// When the state is polled next.
    poll: Option<u64>,
    /// The question that is under way.
    asking: Option<QueryId>,
    /// When the topology was told last.
    told: Option<u64>,
}

struct Connection {
    client: usize,
    id: NodeId,
    node: Option<usize>,
    socket: Socket,
    /// The leave to make it, until it is made.
    dial: Option<Dial>,
    /// What waits for answers, in order.
    places: VecDeque<Place>,
    /// When the last message arrives, and the last answer.
    arrival: u64,
    answer: u64,
    /// What a silent node has taken.
    held: Vec<Message>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    Opening,
    Open,
    /// The node's end is gone; the client does not know yet.
    Broken,
    Closed,
}

#[derive(Debug)]
struct Place {
    task: usize,
    turn: u32,
    /// Whether somebody waits.
    awaited: bool,
}

#[derive(Debug)]
enum Message {
    Commands(Vec<Sent>),
    Topology(Query),
}

/// One command of a message.
#[derive(Clone, Debug)]
struct Sent {
    request: Request,
    /// Whether `ASKING` stands in front of it, and whether it says so.
    asking: Option<bool>,
}

#[derive(Debug)]
enum Answered {
    Frames(Vec<Frame>),
    Topology(Announcement),
}

/// What a driver does for one call, a part of one, or a question about the topology.
struct Task {
    client: usize,
    purpose: Purpose,
    call: Option<Call>,
    /// Where it is sent before it is a call.
    direct: Option<(DirectCall, NodeId)>,
    phase: TaskPhase,
    /// Counts what it has waited for, so that what belongs to an earlier wait is known.
    turn: u32,
    /// The node that it wants a connection to, until when, and whether it looks elsewhere when the
    /// topology has changed.
    wants: Option<(NodeId, Option<Instant>, bool)>,
    /// How many attempts to connect had failed when it came.
    seen: Option<u64>,
    /// The parts of a fork that are under way, and those that have ended.
    missing: usize,
    parts: Vec<Call>,
    sends: u32,
    redirects: u32,
    waits: u32,
    /// Whether it has waited since it was sent last.
    has_waited: bool,
}

#[derive(Clone, Copy, Debug)]
enum Purpose {
    Operation(usize),
    PartOf(usize),
    Question(QueryId, Query),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TaskPhase {
    Going,
    Planning,
    Waiting,
    Connecting,
    Sent,
    Done,
}

impl World {
    pub(super) fn new(
        seed: u64,
        clients: usize,
        is_cluster: bool,
        mutant: Option<Mutant>,
        verbose: bool,
    ) -> Self {
        let mut chance = Chance::new(seed);
        let start = origin();
        let cluster = Cluster::new(is_cluster, &mut chance);
        let clients = (0..clients)
            .map(|_| {
                let (state, only) = if is_cluster {
                    let seeds = [0, 1].map(|_| chance.below(super::model::NODES));
                    let seeds = seeds.map(|node| NodeAddress::new(Cluster::host(node), 7000));
                    let options = Options {
                        read_from: chance.one_of(&[0, 1, 2]).into_read_from(),
                        ..Options::default()
                    };
                    (ClusterState::new(seeds.to_vec(), options, start), None)
                } else {
                    let (state, id) = ClusterState::one(&address(), Scope::Server, start);
                    (state, Some(id))
                };
                Client {
                    state,
                    only,
                    links: BTreeMap::new(),
                    poll: None,
                    asking: None,
                    told: None,
                }
            })
            .collect();
        Self {
            now: 0,
            start,
            chance,
            cluster,
            events: BTreeMap::new(),
            made: 0,
            clients,
            connections: Vec::new(),
            tasks: Vec::new(),
            ledger: Ledger::default(),
            mutant,
            verbose,
            broken: None,
        }
    }

    /// Lets an operation begin at a time.
    pub(super) fn begin_at(&mut self, time: u64, client: usize, command: Vec<String>) {
        let operation = self.ledger.add(Operation::new(client, time, command));
        self.at(time, Event::Begin(operation));
    }

    /// Lets something happen at a time.
    pub(super) fn happen_at(&mut self, time: u64, what: Happening) {
        self.at(time, Event::Happen(what));
    }

    /// Runs until nothing is left to happen, or a promise is broken.
    pub(super) fn run(&mut self, until: u64) {
        for client in 0..self.clients.len() {
            self.drain(client);
        }
        while let Some(((time, _), event)) = self.events.pop_first() {
            if time > until || self.broken.is_some() {
                return;
            }
            self.now = time;
            self.handle(event);
        }
    }

    fn at(&mut self, time: u64, event: Event) {
        self.made += 1;
        self.events.insert((time.max(self.now), self.made), event);
    }

    fn handle(&mut self, event: Event) {
        if self.verbose && !matches!(event, Event::Poll(_) | Event::Expire(..)) {
            println!("{:>9} {event:?}", self.now);
        }
        match event {
            Event::Begin(operation) => self.begin(operation),
            Event::Opened(connection) => self.opened(connection),
            Event::Arrive(connection, message) => self.arrive(connection, message),
            Event::Return(connection, answer) => self.answered(connection, answer),
            Event::Lost(connection) => self.lost(connection),
            Event::Resume(task, turn) if self.tasks[task].turn == turn => self.resume(task),
            Event::Follow(task, turn) if self.tasks[task].turn == turn => {
                self.decide(task, Call::resumed);
            }
            Event::Resume(..) | Event::Follow(..) => {}
            Event::Expire(task, turn) => self.expire(task, turn),
            Event::Poll(client) => {
                if self.clients[client].poll.is_some_and(|at| at <= self.now) {
                    self.clients[client].poll = None;
                }
                self.drain(client);
            }
            Event::Happen(what) => self.happen(what),
        }
    }

    // ---- what a driver does

    fn begin(&mut self, at: usize) {
        let client = self.ledger.operations[at].client;
        let task = self.task(client, Purpose::Operation(at));
        if let Some((direct, id)) = self.direct(at) {
            self.tasks[task].direct = Some((direct, id));
            let options = self.options(at);
            return self.connect(task, (id, options.deadline, false));
        }
        let command = self.ledger.operations[at].command.clone();
        let options = self.options(at);
        let (now, random) = (self.instant(self.now), self.chance.number());
        let encoded = Encoded::of(&Single(command_of(&command))).unwrap();
        let state = &self.clients[client].state;
        let mut call = Call::begin(encoded, options, Patience::None, state, now, random);
        if self.mutant == Some(Mutant::PartsMisordered) {
            call.misorder();
        }
        self.tasks[task].call = Some(call);
        self.drain(client);
        self.go(task);
    }

    /// Where an operation goes directly: to the only server, or to the node that its keys tell and to
    /// which there is a connection.
    fn direct(&mut self, at: usize) -> Option<(DirectCall, NodeId)> {
        let operation = &self.ledger.operations[at];
        let client = &self.clients[operation.client];
        if let Some(only) = client.only {
            return Some((DirectCall::to_only(Scope::Server), only));
        }
        let direct = DirectCall::of(&Single(command_of(&operation.command))).unwrap()?;
        let Target::Slot(slot) = direct.target else {
            return None;
        };
        let id = client.state.primary_of(slot)?;
        let connections = &self.connections;
        let is_open = |it: &usize| connections[*it].is_open();
        client.links.get(&id)?.current(is_open)?;
        Some((direct, id))
    }

    fn options(&self, at: usize) -> CallOptions {
        let begun = self.instant(self.ledger.operations[at].begin);
        let allowed = Duration::from_micros(DEADLINE);
        CallOptions {
            begun: Some(begun),
            allowed: Some(allowed),
            ..CallOptions::until(Some(begun + allowed))
        }
    }

    fn task(&mut self, client: usize, purpose: Purpose) -> usize {
        self.tasks.push(Task {
            client,
            purpose,
            call: None,
            direct: None,
            phase: TaskPhase::Going,
            turn: 0,
            wants: None,
            seen: None,
            missing: 0,
            parts: Vec::new(),
            sends: 0,
            redirects: 0,
            waits: 0,
            has_waited: true,
        });
        self.tasks.len() - 1
    }

    /// Lets a task wait, and names the wait.
    fn enter(&mut self, task: usize, phase: TaskPhase) -> u32 {
        let this = &mut self.tasks[task];
        this.phase = phase;
        this.turn += 1;
        this.turn
    }

    /// Does what a call wants, until it has to wait for something.
    fn go(&mut self, task: usize) {
        let Some(call) = &mut self.tasks[task].call else {
            return;
        };
        match call.action() {
            Action::WaitForChange(until) => {
                let turn = self.enter(task, TaskPhase::Planning);
                if let Some(until) = until {
                    self.at(self.micros(until), Event::Resume(task, turn));
                }
            }
            Action::Connect(to) => self.connect(task, (to.node, to.deadline, to.follows)),
            // Sent as soon as there is the connection.
            Action::Send => self.break_promise("a call is sent over no connection".to_owned()),
            Action::WaitUntil(until) => self.wait(task, until),
            Action::Fork(parts) => {
                let this = &mut self.tasks[task];
                this.missing = parts.len();
                let (client, sends, redirects) = (this.client, this.sends, this.redirects);
                let has_waited = this.has_waited;
                self.enter(task, TaskPhase::Going);
                let mut children = Vec::new();
                for part in parts {
                    let child = self.task(client, Purpose::PartOf(task));
                    let this = &mut self.tasks[child];
                    (this.sends, this.redirects) = (sends, redirects);
                    this.has_waited = has_waited;
                    this.call = Some(part);
                    children.push(child);
                }
                for child in children {
                    self.go(child);
                }
            }
            Action::Done => self.done(task),
        }
    }

    fn wait(&mut self, task: usize, until: Instant) {
        let mut until = self.micros(until);
        if until > self.deadline(task) {
            self.break_promise("a call waits longer than it may".to_owned());
        }
        match self.mutant {
            Some(Mutant::WaitSkipped) => until = self.now,
            Some(Mutant::DeadlineIgnored) => until += DEADLINE,
            _ => {}
        }
        let this = &mut self.tasks[task];
        this.has_waited = true;
        this.waits += 1;
        if this.waits > MOST_WAITS {
            return self.break_promise(format!("a call has waited more than {MOST_WAITS} times"));
        }
        let turn = self.enter(task, TaskPhase::Waiting);
        self.at(until, Event::Resume(task, turn));
    }

    /// When the operation of a task has to end.
    fn deadline(&self, task: usize) -> u64 {
        match self.tasks[task].purpose {
            Purpose::Operation(at) => self.ledger.operations[at].begin + DEADLINE,
            Purpose::PartOf(whole) => self.deadline(whole),
            Purpose::Question(..) => u64::MAX,
        }
    }

    /// Asks the link to a node for its connection.
    fn connect(&mut self, task: usize, wants: (NodeId, Option<Instant>, bool)) {
        let client = self.tasks[task].client;
        self.tasks[task].wants = Some(wants);
        self.tasks[task].seen = None;
        let (id, deadline, _) = wants;
        if self.clients[client].state.node(id).is_none() {
            return self.unconnected(task, super::super::gone());
        }
        let turn = self.enter(task, TaskPhase::Connecting);
        if let Some(deadline) = deadline {
            self.at(self.micros(deadline), Event::Resume(task, turn));
        }
        self.ask(task);
    }

    fn ask(&mut self, task: usize) {
        let Some((id, deadline, _)) = self.tasks[task].wants else {
            return;
        };
        let client = self.tasks[task].client;
        let now = self.instant(self.now);
        if deadline.is_some_and(|deadline| deadline <= now) {
            return self.unconnected(task, no_connection());
        }
        let seed = self.chance.number();
        let Self {
            clients,
            connections,
            mutant,
            ..
        } = self;
        let ignores = *mutant == Some(Mutant::EndIgnored);
        let is_open = |it: &usize| connections[*it].is_open() || ignores;
        let may_wait = clients[client].only.is_some();
        let link = clients[client].links.entry(id).or_insert_with(|| {
            let config = Config::default()
                .connect_timeout(Duration::from_micros(CONNECT_TIMEOUT))
                .response_timeout(Duration::from_micros(DEADLINE));
            Link::new(&config, Arc::new(address()), Events::default(), seed)
        });
        if let Some(connection) = link.current(is_open) {
            let renewed = link.renew(now);
            self.dial(client, id, renewed);
            return self.send(task, connection);
        }
        let failed = link.failed_attempts();
        let seen = *self.tasks[task].seen.get_or_insert(failed);
        match link.ask(seen, may_wait, is_open, now) {
            SharedTurn::Ready(connection) => self.send(task, connection),
            SharedTurn::Failed(error) => self.unconnected(task, error),
            SharedTurn::Dial(dial) => self.dial(client, id, Some(dial)),
            SharedTurn::Wait(until) => {
                if let Some(until) = until {
                    let turn = self.tasks[task].turn;
                    self.at(self.micros(until), Event::Resume(task, turn));
                }
            }
        }
    }

    /// Makes a connection, if there is leave to.
    fn dial(&mut self, client: usize, id: NodeId, dial: Option<Dial>) {
        let Some(dial) = dial else { return };
        let this = &self.clients[client];
        let node = match this.only {
            // The name that the client was given leads to the primary.
            Some(_) => Some(self.cluster.truth.primaries[0]),
            None => {
                let address = this.state.node(id).map(|node| node.address.clone());
                let is_there = |it: &NodeAddress| it.port() == 7000;
                let address = address.filter(is_there);
                address.and_then(|it| Cluster::node_at(it.host()))
            }
        };
        let took = match node.map(|node| self.cluster.nodes[node].state) {
            Some(State::Silent) => CONNECT_TIMEOUT,
            _ => self.chance.time(100, 1000),
        };
        self.connections.push(Connection {
            client,
            id,
            node,
            socket: Socket::Opening,
            dial: Some(dial),
            places: VecDeque::new(),
            arrival: 0,
            answer: 0,
            held: Vec::new(),
        });
        let connection = self.connections.len() - 1;
        self.at(self.now + took, Event::Opened(connection));
    }

    fn opened(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        let state = connection.node.map(|node| self.cluster.nodes[node].state);
        let (client, id) = (connection.client, connection.id);
        let Some(dial) = connection.dial.take() else {
            return;
        };
        let is_made = matches!(state, Some(State::Up | State::Loading));
        connection.socket = match is_made {
            true => Socket::Open,
            false => Socket::Closed,
        };
        let now = self.instant(self.now);
        let node = self.connections[at].node;
        if let Some(link) = self.clients[client].links.get_mut(&id) {
            if is_made {
                let resolved = node.map(|node| {
                    let last = u8::try_from(node).unwrap();
                    ([10, 0, 0, last], 7000).into()
                });
                // What is replaced is used by those who have it, and closed behind them.
                let _ = link.resolved(&Vec::from_iter(resolved), None, now);
                let _ = link.connected(dial, at, now);
            } else {
                let error = match state {
                    Some(State::Silent) => {
                        Error::new(ErrorKind::Timeout(Phase::Connect), "no connection")
                    }
                    _ => {
                        let refused = io::ErrorKind::ConnectionRefused.into();
                        Error::io(ErrorKind::Connect, "no connection", refused)
                    }
                };
                link.failed(dial, &error, now);
            }
        }
        for task in 0..self.tasks.len() {
            let this = &self.tasks[task];
            let waits = this.phase == TaskPhase::Connecting && this.client == client;
            if waits && this.wants.is_some_and(|(wanted, ..)| wanted == id) {
                let turn = this.turn;
                self.at(self.now, Event::Resume(task, turn));
            }
        }
    }

    /// Sends what a task has over a connection.
    fn send(&mut self, task: usize, at: usize) {
        let this = &mut self.tasks[task];
        let purpose = this.purpose;
        if let (Some(call), None) = (&mut this.call, &this.direct) {
            call.connected();
        }
        let now = self.instant(self.now);
        let message = match purpose {
            Purpose::Question(_, query) => Message::Topology(query),
            _ => Message::Commands(self.commands(task)),
        };
        let this = &mut self.tasks[task];
        this.sends += 1;
        this.redirects += u32::from(!this.has_waited);
        this.has_waited = false;
        if this.redirects > 5 {
            return self.break_promise("a call was redirected six times".to_owned());
        }
        if this.sends > MOST_SENDS {
            return self.break_promise(format!("a call was sent more than {MOST_SENDS} times"));
        }
        let limit = match (&this.call, &this.direct) {
            (Some(call), None) => call.limit().deadline(|| now),
            _ => this.wants.and_then(|(_, deadline, _)| deadline),
        };
        let turn = self.enter(task, TaskPhase::Sent);
        if let Some(limit) = limit {
            self.at(self.micros(limit), Event::Expire(task, turn));
        }
        let delay = self.chance.time(50, 1500);
        let connection = &mut self.connections[at];
        if connection.socket == Socket::Closed {
            let lost = Error::new(ErrorKind::Connection, "it has ended");
            return self.came(task, Err(lost));
        }
        connection.places.push_back(Place {
            task,
            turn,
            awaited: true,
        });
        connection.arrival = (self.now + delay).max(connection.arrival);
        let arrival = connection.arrival;
        self.at(arrival, Event::Arrive(at, message));
    }

    /// The commands that a task sends.
    fn commands(&self, task: usize) -> Vec<Sent> {
        let this = &self.tasks[task];
        if let (Some(_), Purpose::Operation(at)) = (&this.direct, this.purpose) {
            let command = self.ledger.operations[at].command.iter();
            let command: Vec<_> = command.map(String::as_str).collect();
            return vec![Sent {
                request: Request::of(&command),
                asking: None,
            }];
        }
        let Some(call) = &this.call else {
            return Vec::new();
        };
        let says = self.mutant != Some(Mutant::AskingOmitted);
        let requests = call.batch().requests.iter();
        let sent = requests.map(|request| {
            let bytes = &request.bytes;
            let words: Vec<_> = words(bytes)
                .unwrap()
                .into_iter()
                .map(|word| std::str::from_utf8(&bytes[word]).unwrap())
                .collect();
            Sent {
                request: Request::of(&words),
                asking: request.call.is_asking().then_some(says),
            }
        });
        sent.collect()
    }

    fn resume(&mut self, task: usize) {
        match self.tasks[task].phase {
            TaskPhase::Planning => {
                let client = self.tasks[task].client;
                let (now, random) = (self.instant(self.now), self.chance.number());
                let state = &self.clients[client].state;
                if let Some(call) = &mut self.tasks[task].call {
                    call.changed(state, now, random);
                }
                self.enter(task, TaskPhase::Going);
                self.drain(client);
                self.go(task);
            }
            TaskPhase::Waiting => self.decide(task, Call::resumed),
            TaskPhase::Connecting => self.ask(task),
            TaskPhase::Going | TaskPhase::Sent | TaskPhase::Done => {}
        }
    }

    /// Lets a call decide, and does what it and the state want.
    fn decide(
        &mut self,
        task: usize,
        decide: impl FnOnce(&mut Call, &mut ClusterState, Instant, u64),
    ) {
        self.enter(task, TaskPhase::Going);
        let (now, random) = (self.instant(self.now), self.chance.number());
        let this = &mut self.tasks[task];
        let client = this.client;
        if let Some(call) = &mut this.call {
            if self.mutant == Some(Mutant::RedirectsUnbounded) {
                call.forget_redirects();
            }
            decide(call, &mut self.clients[client].state, now, random);
        }
        self.drain(client);
        self.go(task);
    }

    /// There is no connection for a task.
    fn unconnected(&mut self, task: usize, error: Error) {
        match self.tasks[task].purpose {
            Purpose::Question(ask, _) => self.unanswered(task, ask, error),
            _ if self.tasks[task].direct.is_some() => self.came(task, Err(error)),
            _ => self.decide(task, |call, state, now, random| {
                call.lost(error, state, now, random);
            }),
        }
    }

    /// This is what came of sending.
    fn came(&mut self, task: usize, came: Result<Frames>) {
        let came = match (came, self.mutant) {
            (Err(error), Some(Mutant::UncertainRetried)) if !error.is_timeout() => {
                Err(error.with_outcome(Outcome::NotSent))
            }
            (came, _) => came,
        };
        match (self.tasks[task].purpose, self.tasks[task].direct.take()) {
            (Purpose::Question(ask, _), _) => {
                let error = came.err();
                let error = error.unwrap_or_else(|| Error::new(ErrorKind::Decode, "no topology"));
                self.unanswered(task, ask, error);
            }
            (Purpose::Operation(at), Some((direct, id))) => {
                let client = self.tasks[task].client;
                let command = self.ledger.operations[at].command.clone();
                let exchange = Single(command_of(&command));
                if let Ok(frames) = &came
                    && direct.is_answer(frames, &exchange)
                {
                    self.enter(task, TaskPhase::Done);
                    let frame = frames.iter().next().map(reply);
                    return self.end(at, frame.ok_or_else(no_connection));
                }
                let encoded = match self.clients[client].only {
                    Some(_) => Encoded::for_only(&exchange),
                    None => Encoded::of(&exchange),
                };
                let (encoded, options) = (encoded.unwrap(), self.options(at));
                let state = &self.clients[client].state;
                let call = Call::sent(direct, id, &encoded, &options, Patience::None, state);
                self.tasks[task].call = Some(call);
                self.decide(task, |call, state, now, random| {
                    call.answered(came, state, now, random);
                });
            }
            _ => self.decide(task, |call, state, now, random| {
                call.answered(came, state, now, random);
            }),
        }
    }

    /// A node has not told the topology.
    fn unanswered(&mut self, task: usize, ask: QueryId, error: Error) {
        self.enter(task, TaskPhase::Done);
        let client = self.tasks[task].client;
        let now = self.instant(self.now);
        self.clients[client].state.topology_failed(ask, error, now);
        self.asked(client);
    }

    /// A question about the topology has come to its end: those who know no node look again.
    fn asked(&mut self, client: usize) {
        self.drain(client);
        self.resume_all(client, |phase| phase == TaskPhase::Planning);
    }

    fn resume_all(&mut self, client: usize, which: impl Fn(TaskPhase) -> bool) {
        for task in 0..self.tasks.len() {
            let this = &self.tasks[task];
            if this.client == client && which(this.phase) {
                self.at(self.now, Event::Resume(task, this.turn));
            }
        }
    }

    /// The end of the time for a reply: the place stays, and swallows it when it comes.
    fn expire(&mut self, task: usize, turn: u32) {
        if self.tasks[task].turn != turn || self.tasks[task].phase != TaskPhase::Sent {
            return;
        }
        for connection in &mut self.connections {
            let is_this = |place: &Place| place.task == task && place.turn == turn;
            let Some(at) = connection.places.iter().position(is_this) else {
                continue;
            };
            connection.places[at].awaited = false;
            if self.mutant == Some(Mutant::PlaceForgotten) {
                connection.places.remove(at);
            }
        }
        let error = match self.tasks[task].purpose {
            Purpose::Question(..) => late(PATIENCE),
            _ => Error::new(ErrorKind::Timeout(Phase::Reply), "no reply"),
        };
        self.came(task, Err(error.with_outcome(Outcome::Indeterminate)));
    }

    fn lost(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        if connection.socket == Socket::Closed {
            return;
        }
        connection.socket = Socket::Closed;
        let places = std::mem::take(&mut connection.places);
        for place in places {
            if self.is_awaited(&place) {
                let error = Error::new(ErrorKind::Connection, "reset by peer")
                    .with_outcome(Outcome::Indeterminate);
                self.came(place.task, Err(error));
            }
        }
    }

    fn is_awaited(&self, place: &Place) -> bool {
        let task = &self.tasks[place.task];
        place.awaited && task.turn == place.turn && task.phase == TaskPhase::Sent
    }

    fn answered(&mut self, at: usize, answer: Answered) {
        let connection = &mut self.connections[at];
        if connection.socket == Socket::Closed {
            return;
        }
        let client = connection.client;
        let Some(place) = connection.places.pop_front() else {
            return self.break_promise("an answer that nobody waits for".to_owned());
        };
        if !self.is_awaited(&place) {
            return;
        }
        match (self.tasks[place.task].purpose, answer) {
            (Purpose::Question(ask, _), Answered::Topology(said)) => {
                self.enter(place.task, TaskPhase::Done);
                // An answer that comes too late is none.
                if self.clients[client].asking == Some(ask) {
                    self.clients[client].told = Some(self.now);
                }
                let (now, random) = (self.instant(self.now), self.chance.number());
                let state = &mut self.clients[client].state;
                match said.read {
                    // Now and then it is read anew.
                    Some(answer) if !random.is_multiple_of(16) => {
                        state.topology_as_read(ask, answer, now, random);
                    }
                    _ => state.topology(ask, said.frame.reply(), now, random),
                }
                self.asked(client);
            }
            // A reply has gone astray.
            (_, Answered::Topology(said)) => self.came(place.task, Ok(said.frame.into())),
            (_, Answered::Frames(frames)) => {
                let cached = |frame: Frame| match frame.reply().as_error() {
                    Some(text) if text.starts_with(b"ASK ") => {
                        let text = String::from_utf8_lossy(text).replace("ASK ", "MOVED ");
                        self::frame(&Reply::Error(text))
                    }
                    _ => frame,
                };
                let frames: Vec<_> = match self.mutant {
                    Some(Mutant::AskCached) => frames.into_iter().map(cached).collect(),
                    _ => frames,
                };
                self.came(place.task, Ok(frames.into_iter().collect()));
            }
        }
    }

    /// Nothing is left to do for a task.
    fn done(&mut self, task: usize) {
        self.enter(task, TaskPhase::Done);
        let this = &mut self.tasks[task];
        let Some(call) = this.call.take() else { return };
        match this.purpose {
            Purpose::PartOf(whole) => {
                let whole_task = &mut self.tasks[whole];
                whole_task.parts.push(call);
                whole_task.missing -= 1;
                if whole_task.missing == 0 {
                    let parts = std::mem::take(&mut whole_task.parts);
                    if let Some(call) = &mut whole_task.call {
                        call.joined(parts);
                    }
                    self.go(whole);
                }
            }
            Purpose::Operation(at) => {
                let random = self.chance.number();
                let answers = call.finish(&self.clients[this.client].state, random);
                let answer = answers.and_then(|answers| {
                    let first = answers.into_iter().next();
                    first.unwrap_or_else(|| Err(no_connection()))
                });
                self.end(at, answer.map(|frame| reply(frame.reply())));
            }
            Purpose::Question(..) => {}
        }
    }

    fn end(&mut self, operation: usize, outcome: Result<Reply>) {
        if self.verbose {
            println!("{:>9} operation {operation} ends: {outcome:?}", self.now);
        }
        if let Err(broken) = self.ledger.end(operation, self.now, outcome) {
            self.break_promise(broken);
        }
    }

    /// Does what the state wants beside the calls.
    fn drain(&mut self, client: usize) {
        let now = self.instant(self.now);
        if let Some(only) = self.clients[client].only {
            if self.clients[client].state.takes_leave()
                && self.mutant != Some(Mutant::DemotionIgnored)
                && let Some(link) = self.clients[client].links.get_mut(&only)
            {
                let _ = link.leave(LossReason::Demoted, now);
                let renewed = link.renew(now);
                self.dial(client, only, renewed);
            }
            return;
        }
        loop {
            let random = self.chance.number();
            let Some(event) = self.clients[client].state.poll_event(now, random) else {
                break;
            };
            if self.verbose {
                println!("{:>9} client {client}: {event:?}", self.now);
            }
            match event {
                ClusterEvent::Ask(ask, id, query) => self.question(client, ask, id, query),
                // What is under way ends where it is.
                ClusterEvent::Reconnect(id) | ClusterEvent::Forget(id) => {
                    self.disconnect(client, id);
                }
                ClusterEvent::Failed(id) => {
                    if let Some(at) = self.disconnect(client, id) {
                        self.at(self.now, Event::Lost(at));
                    }
                }
                ClusterEvent::Changed => {
                    self.resume_all(client, |phase| {
                        matches!(phase, TaskPhase::Planning | TaskPhase::Waiting)
                    });
                    for task in 0..self.tasks.len() {
                        let this = &self.tasks[task];
                        let follows = this.wants.is_some_and(|(.., follows)| follows);
                        let waits = this.phase == TaskPhase::Connecting && this.client == client;
                        if waits && follows && this.call.is_some() {
                            self.at(self.now, Event::Follow(task, this.turn));
                        }
                    }
                }
            }
        }
        if let Some(at) = self.clients[client].state.poll_timeout(now) {
            let at = self.micros(at).max(self.now + 1);
            if self.clients[client].poll.is_none_or(|known| at < known) {
                self.clients[client].poll = Some(at);
                self.at(at, Event::Poll(client));
            }
        }
    }

    fn disconnect(&mut self, client: usize, id: NodeId) -> Option<usize> {
        let now = self.instant(self.now);
        let link = self.clients[client].links.get_mut(&id)?;
        link.disconnect(LossReason::Closed, now)
    }

    fn question(&mut self, client: usize, ask: QueryId, id: NodeId, query: Query) {
        if self.mutant == Some(Mutant::TopologyIgnored) && self.clients[client].state.is_ready() {
            return;
        }
        if let Some(told) = self.clients[client].told.take()
            && query == Query::Shards
            && self.now < told + 100_000
        {
            self.break_promise("the topology was asked for too soon".to_owned());
        }
        self.clients[client].asking = Some(ask);
        let task = self.task(client, Purpose::Question(ask, query));
        let end = self.instant(self.now) + PATIENCE;
        self.connect(task, (id, Some(end), false));
    }

    // ---- what the network and the nodes do

    fn arrive(&mut self, at: usize, message: Message) {
        let connection = &mut self.connections[at];
        let Some(node) = connection.node else { return };
        if matches!(connection.socket, Socket::Broken | Socket::Closed) {
            return;
        }
        match self.cluster.nodes[node].state {
            State::Dead => {}
            State::Silent => connection.held.push(message),
            State::Up | State::Loading => self.process(at, node, message),
        }
    }

    fn process(&mut self, at: usize, node: usize, message: Message) {
        let answer = match message {
            Message::Topology(query) => {
                Answered::Topology(self.cluster.announce(node, query == Query::Shards))
            }
            Message::Commands(commands) => {
                let mut frames = Vec::new();
                for Sent { request, asking } in commands {
                    if asking.is_some() {
                        let mood = self.cluster.nodes[node].mood;
                        let refused = mood.map(|mood| Reply::Error(mood.to_owned()));
                        frames.push(frame(&refused.unwrap_or(Reply::Ok)));
                    }
                    let reply = self.cluster.handle(node, &request, asking == Some(true));
                    if !matches!(reply, Reply::Error(_)) {
                        self.ledger.executed(&request);
                    }
                    frames.push(frame(&reply));
                }
                Answered::Frames(frames)
            }
        };
        let delay = self.chance.time(50, 1500);
        let connection = &mut self.connections[at];
        connection.answer = (self.now + delay).max(connection.answer);
        let time = connection.answer;
        self.at(time, Event::Return(at, answer));
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::BeginMove(slot, to) => self.cluster.begin_move(slot, to),
            Happening::MoveKey(slot, kind) => self.cluster.move_key(slot, kind),
            Happening::EndMove(slot) => self.cluster.end_move(slot),
            Happening::FailOver(shard) => self.cluster.fail_over(shard),
            Happening::Gossip(node) => self.cluster.gossip(node),
            Happening::Die(node) => {
                self.cluster.nodes[node].state = State::Dead;
                self.cut(|connection| connection.node == Some(node));
            }
            Happening::Become(node, state) => {
                self.cluster.nodes[node].state = state;
                self.wake(node);
            }
            Happening::Mood(node, mood) => self.cluster.nodes[node].mood = mood,
            Happening::Lie(node, lie) => self.cluster.nodes[node].lie = lie,
            Happening::Reset(node) => self.cut(|connection| connection.node == Some(node)),
            Happening::Heal => {
                self.cluster.heal();
                (0..self.cluster.nodes.len()).for_each(|node| self.wake(node));
            }
        }
    }

    /// Lets a node do what it was asked while it was silent.
    fn wake(&mut self, node: usize) {
        if self.cluster.nodes[node].state != State::Up {
            return;
        }
        for at in 0..self.connections.len() {
            if self.connections[at].node == Some(node) {
                for message in std::mem::take(&mut self.connections[at].held) {
                    self.process(at, node, message);
                }
            }
        }
    }

    /// Ends connections; what has not arrived never will, nor do answers on their way.
    fn cut(&mut self, which: impl Fn(&Connection) -> bool) {
        for at in 0..self.connections.len() {
            let connection = &mut self.connections[at];
            if which(connection) && connection.socket == Socket::Open {
                connection.socket = Socket::Broken;
                connection.held.clear();
                let delay = self.chance.time(50, 1500);
                // Not behind the answers: these are lost, too.
                self.at(self.now + delay, Event::Lost(at));
            }
        }
    }

    fn break_promise(&mut self, what: String) {
        if self.verbose {
            println!("{:>9} BROKEN: {what}", self.now);
        }
        self.broken.get_or_insert(what);
    }

    fn instant(&self, micros: u64) -> Instant {
        self.start + Duration::from_micros(micros)
    }

    /// The time in microseconds, rounded up: whoever comes early finds nothing to do.
    fn micros(&self, instant: Instant) -> u64 {
        let nanos = instant.saturating_duration_since(self.start).as_nanos();
        u64::try_from(nanos.div_ceil(1000)).unwrap()
    }
}

impl Connection {
    /// Whether it is open as far as the client knows.
    fn is_open(&self) -> bool {
        matches!(self.socket, Socket::Open | Socket::Broken)
    }
}

trait IntoReadFrom {
    fn into_read_from(self) -> ReadFrom;
}

impl IntoReadFrom for usize {
    fn into_read_from(self) -> ReadFrom {
        match self {
            0 => ReadFrom::Primary,
            1 => ReadFrom::PreferReplica,
            _ => ReadFrom::Any,
        }
    }
}

/// The address of the only server; those of a cluster are told by it.
fn address() -> Address {
    Address::Tcp {
        host: "server".to_owned(),
        port: 7000,
    }
}

fn command_of(words: &[String]) -> Raw<'_> {
    let (name, rest) = words.split_first().unwrap();
    raw(name.as_str()).args(rest.iter().map(String::as_str))
}

/// Where time begins; the same for all worlds, whose times are relative to it.
fn origin() -> Instant {
    static ORIGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// A reply as its frame.
fn frame(reply: &Reply) -> Frame {
    let mut out = String::new();
    let text = |out: &mut String, text: &Option<String>| match text {
        Some(text) => out.push_str(&format!("${}\r\n{text}\r\n", text.len())),
        None => out.push_str("$-1\r\n"),
    };
    match reply {
        Reply::Ok => out.push_str("+OK\r\n"),
        Reply::Integer(number) => out.push_str(&format!(":{number}\r\n")),
        Reply::Text(one) => text(&mut out, one),
        Reply::Texts(all) => {
            out.push_str(&format!("*{}\r\n", all.len()));
            all.iter().for_each(|one| text(&mut out, one));
        }
        Reply::Error(error) => out.push_str(&format!("-{error}\r\n")),
    }
    Frame::new(Bytes::from(out), false)
}

/// A frame as a reply.
fn reply(reply: crate::resp::Reply<'_>) -> Reply {
    let text = |it: crate::resp::Reply<'_>| {
        it.bytes()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    if let Some(error) = reply.as_error() {
        return Reply::Error(String::from_utf8_lossy(error).into_owned());
    }
    if let Some(number) = reply.integer() {
        return Reply::Integer(number);
    }
    match reply.kind() {
        Kind::SimpleString => Reply::Ok,
        Kind::Array => Reply::Texts(reply.elements().into_iter().flatten().map(text).collect()),
        _ => Reply::Text(text(reply)),
    }
}

/// Far more than a call with back-off needs in its time.
const MOST_SENDS: u32 = 60;

/// The same for waits, since a call waits as well where there is no connection to send it over.
const MOST_WAITS: u32 = 120;
