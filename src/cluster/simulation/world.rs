//! The world around clients: a network, a clock, and drivers of all machines of a client.
//!
//! Everything happens in the order of time and, at the same time, of its making, so that a seed
//! always leads to the same end. A client here is what a driver is: it does what the machine of a call
//! wants, asks the links for connections and dials where they give leave, and moves bytes between the
//! machines of connections and the network, which delivers them late and in pieces. Some worlds are a
//! cluster, the others one server behind a name, with a replica that may take over.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    super::{
        ClusterState, PATIENCE, ReadFrom, Scope, Target,
        node::{NodeAddress, NodeId},
        query::Query,
        refresh::QueryId,
        state::{Event as ClusterEvent, Options},
    },
    chance::Chance,
    is_tried_once,
    ledger::{Counts, Ledger, Operation},
    model::{Announcement, Cluster, Reply, Request, State},
    wire::{ClientEnd, Found, NodeEnd, Place, Waiter},
};
use crate::{
    call::{
        Action, Call, CallOptions, CallSettings, CallTime, DirectCall, Encoded, RetryPolicy,
        no_connection,
    },
    command::{Patience, Raw, Single, raw},
    config::{Address, Config, Integrity, Offline},
    error::{Error, ErrorKind, Outcome, Phase, Result},
    events::{DisconnectReason, Events},
    link::{Dial, Link, SharedStep},
    protocol::{ConnectionSettings, Time, TimeLimit},
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
    /// A driver does not tell the machine of a connection how much it has written when that ends.
    WrittenForgotten,
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
    network: Network,
    mutant: Option<Mutant>,
    verbose: bool,
    /// The first promise that was broken.
    pub(super) broken: Option<String>,
}

/// What sockets and configs are like.
#[derive(Clone, Copy, Debug)]
struct Network {
    /// How many of a hundred writes a socket takes in part, and how many answers arrive in two pieces.
    short: u64,
    pieces: u64,
    /// The bytes of unanswered requests beyond which calls wait.
    max_unanswered: usize,
    integrity: Integrity,
}

#[derive(Debug)]
enum Event {
    /// An operation begins.
    Begin(usize),
    /// Whoever wanted an operation wants it no longer.
    Cancel(usize),
    /// A connection is there, or is not.
    Opened(usize),
    /// Bytes reach a node.
    Arrive(usize, Bytes),
    /// Bytes reach a client.
    Return(usize, Bytes),
    /// The socket of a connection takes more.
    Room(usize),
    /// The driver of a connection runs.
    Drive(usize),
    /// The machine of a connection wants to know the time.
    Time(usize),
    /// A task looks at what has come for it.
    Told(usize, Waiter),
    /// A connection is gone, and the client notices.
    Lost(usize),
    /// A task has waited.
    Resume(usize, u32),
    /// The topology has changed while a task waits for a connection.
    Follow(usize, u32),
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
    config: Config,
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
    client_end: ClientEnd,
    node_end: NodeEnd,
    /// When the machine is told the time next.
    timer: Option<u64>,
    /// When the last bytes arrive at either end.
    arrival: u64,
    answer: u64,
    /// What a silent node has taken.
    held: Vec<Bytes>,
    /// What the node has told about the topology.
    announced: Vec<Announcement>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    Opening,
    Open,
    /// The node's end is gone; the client does not know yet.
    Broken,
    Closed,
}

/// What a driver does for one call, a part of one, or a question about the topology.
struct Task {
    client: usize,
    purpose: Purpose,
    call: Option<Call>,
    /// Where it is sent before it is a call.
    direct: Option<(DirectCall, NodeId)>,
    phase: TaskPhase,
    /// Where it waits for an answer, and which time it has.
    place: Option<(usize, Place)>,
    time: Option<Time>,
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
                let offline = [Offline::Wait, Offline::Wait, Offline::Fail];
                let config = config().offline(chance.one_of(&offline));
                let (state, only) = if is_cluster {
                    let seeds = [0, 1].map(|_| chance.below(super::model::NODES));
                    let seeds = seeds.map(|node| NodeAddress::new(Cluster::host(node), 7000));
                    let options = Options {
                        read_from: chance.one_of(&[0, 1, 2]).into_read_from(),
                        ..Options::of(&config)
                    };
                    (ClusterState::new(seeds.to_vec(), options, start), None)
                } else {
                    let (state, id) = ClusterState::one(&config, &address(), Scope::Server, start);
                    (state, Some(id))
                };
                Client {
                    config,
                    state,
                    only,
                    links: BTreeMap::new(),
                    poll: None,
                    asking: None,
                    told: None,
                }
            })
            .collect();
        let network = Network {
            short: chance.one_of(&[0, 0, 5, 80]),
            pieces: chance.one_of(&[0, 30]),
            max_unanswered: chance.one_of(&[usize::MAX, usize::MAX, 200]),
            integrity: chance.one_of(&[Integrity::Heartbeat, Integrity::Batch]),
        };
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
            network,
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

    /// Lets the caller of the last operation leave at a time.
    pub(super) fn cancel_at(&mut self, time: u64) {
        let operation = self.ledger.operations.len() - 1;
        self.at(time, Event::Cancel(operation));
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

    /// What has come of everything.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = self.ledger.counts();
        counts.dialled = self.connections.len() as u64;
        let ended = self.connections.iter();
        counts.ended = ended.filter(|it| it.socket == Socket::Closed).count() as u64;
        counts
    }

    fn at(&mut self, time: u64, event: Event) {
        self.made += 1;
        self.events.insert((time.max(self.now), self.made), event);
    }

    fn handle(&mut self, event: Event) {
        if self.verbose && !matches!(event, Event::Poll(_) | Event::Time(_) | Event::Drive(_)) {
            println!("{:>9} {event:?}", self.now);
        }
        match event {
            Event::Begin(operation) => self.begin(operation),
            Event::Opened(connection) => self.opened(connection),
            Event::Cancel(operation) => self.cancel(operation),
            Event::Arrive(connection, bytes) => self.arrive(connection, bytes),
            Event::Return(connection, bytes) => {
                self.with_end(connection, |end, chance, _| end.receive(&bytes, chance));
            }
            Event::Room(connection) => {
                self.with_end(connection, |end, chance, _| end.make_room(chance));
            }
            Event::Drive(connection) => {
                self.with_end(connection, |end, chance, _| end.drive(chance));
            }
            Event::Time(connection) => {
                let known = &mut self.connections[connection].timer;
                if known.is_some_and(|at| at <= self.now) {
                    *known = None;
                    self.with_end(connection, |end, chance, now| end.time(now, chance));
                }
            }
            Event::Told(connection, waiter) => self.told(connection, waiter),
            Event::Lost(connection) => self.lost(connection),
            Event::Resume(task, turn) if self.tasks[task].turn == turn => self.resume(task),
            Event::Follow(task, turn) if self.tasks[task].turn == turn => {
                self.decide(task, Call::resumed);
            }
            Event::Resume(..) | Event::Follow(..) => {}
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
            return self.connect(task, (id, options.time.deadline, false));
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
        client.links.get(&id)?.current(0, is_open)?;
        Some((direct, id))
    }

    /// Whether calls of a client fail at once while there is no connection.
    pub(super) fn fails_offline(&self, client: usize) -> bool {
        self.clients[client].config.settings().offline() == Offline::Fail
    }

    fn options(&self, at: usize) -> CallSettings {
        let begun = self.instant(self.ledger.operations[at].begin);
        let config = Config::default().response_timeout(Duration::from_micros(DEADLINE));
        let options = match is_tried_once(at) {
            true => CallOptions::new().retry(RetryPolicy::Never),
            false => CallOptions::new(),
        };
        let time = CallTime::of(&config, &options, begun);
        CallSettings::of(&config, &options, time)
    }

    fn task(&mut self, client: usize, purpose: Purpose) -> usize {
        self.tasks.push(Task {
            client,
            purpose,
            call: None,
            direct: None,
            phase: TaskPhase::Going,
            place: None,
            time: None,
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
        let Client { config, links, .. } = &mut clients[client];
        let link = links
            .entry(id)
            .or_insert_with(|| Link::new(config, Arc::new(address()), Events::default(), seed));
        if let Some(connection) = link.current(0, is_open) {
            let renewed = link.renew(0, now);
            self.dial(client, id, renewed);
            return self.send(task, connection);
        }
        let failed = link.failed_attempts();
        let seen = *self.tasks[task].seen.get_or_insert(failed);
        match link.ask(0, seen, may_wait, is_open, now) {
            SharedStep::Ready(connection) => self.send(task, connection),
            SharedStep::Failed(error) => self.unconnected(task, error),
            SharedStep::Dial(dial) => {
                self.dial(client, id, Some(dial));
                self.ask(task);
            }
            SharedStep::Wait(until) => {
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
        let settings = ConnectionSettings {
            max_unanswered: self.network.max_unanswered,
            seed: self.chance.number(),
            ..ConnectionSettings::shared(
                &config().integrity(self.network.integrity),
                &Arc::new(address()),
                &Events::default(),
            )
        };
        self.connections.push(Connection {
            client,
            id,
            node,
            socket: Socket::Opening,
            dial: Some(dial),
            client_end: ClientEnd::new(settings, self.network.short, self.mutant),
            node_end: NodeEnd::new(),
            timer: None,
            arrival: 0,
            answer: 0,
            held: Vec::new(),
            announced: Vec::new(),
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
        if let (Some(call), None) = (&mut this.call, &this.direct) {
            call.connected();
        }
        let now = self.instant(self.now);
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
            (Some(call), None) => call.limit(),
            _ => TimeLimit::Whole(this.wants.and_then(|(_, deadline, _)| deadline)),
        };
        this.time = Some(limit.time(now));
        self.enter(task, TaskPhase::Sent);
        self.hand_over(task, at, false);
    }

    /// Hands what a task has to the machine of a connection, which may have let it in.
    fn hand_over(&mut self, task: usize, at: usize, admitted: bool) {
        let Self {
            connections,
            tasks,
            ledger,
            chance,
            ..
        } = self;
        let this = &tasks[task];
        let Some(time) = this.time else { return };
        let waiter = (task, this.turn);
        let end = &mut connections[at].client_end;
        let placed = match (this.purpose, &this.direct, &this.call) {
            (Purpose::Question(_, query), ..) => {
                end.send(&Single(query.command()), waiter, time, admitted, chance)
            }
            (Purpose::Operation(at), Some(_), _) => {
                let command = command_of(&ledger.operations[at].command);
                end.send(&Single(command), waiter, time, admitted, chance)
            }
            (.., Some(call)) => end.send(&call.batch(), waiter, time, admitted, chance),
            _ => return,
        };
        match placed {
            Ok(place) => {
                self.tasks[task].place = Some((at, place));
                self.follow(at);
            }
            Err(error) => self.came(task, Err(error)),
        }
    }

    /// Has the client's end of a connection do something, and does what it wants done.
    fn with_end(&mut self, at: usize, act: impl FnOnce(&mut ClientEnd, &mut Chance, Instant)) {
        let now = self.instant(self.now);
        let connection = &mut self.connections[at];
        if connection.is_open() {
            act(&mut connection.client_end, &mut self.chance, now);
            self.follow(at);
        }
    }

    fn follow(&mut self, at: usize) {
        let todo = self.connections[at].client_end.take_todo();
        for bytes in todo.sent {
            let delay = self.chance.time(50, 1500);
            let connection = &mut self.connections[at];
            connection.arrival = (self.now + delay).max(connection.arrival);
            let arrival = connection.arrival;
            self.at(arrival, Event::Arrive(at, bytes));
        }
        for waiter in todo.told {
            self.at(self.now, Event::Told(at, waiter));
        }
        if todo.drive {
            self.at(self.now, Event::Drive(at));
        }
        if todo.is_full {
            let room = self.chance.time(50, 6000);
            self.at(self.now + room, Event::Room(at));
        }
        if let Some(timer) = todo.timer {
            let timer = self.micros(timer).max(self.now);
            let known = &mut self.connections[at].timer;
            if known.is_none_or(|known| timer < known) {
                *known = Some(timer);
                self.at(timer, Event::Time(at));
            }
        }
        if let Some(error) = todo.broken {
            self.break_promise(error.to_string());
        }
        if let Some(error) = todo.end {
            self.ended(at, Some(error));
        }
    }

    /// A task looks at what has come for it.
    fn told(&mut self, at: usize, (task, turn): Waiter) {
        let this = &self.tasks[task];
        let Some((over, place)) = this.place else {
            return;
        };
        if this.turn != turn || over != at {
            return;
        }
        let end = &mut self.connections[at].client_end;
        let found = end.poll(place, &mut self.chance);
        self.follow(at);
        match found {
            Found::Nothing => {}
            Found::Admitted => {
                self.tasks[task].place = None;
                self.hand_over(task, at, true);
            }
            Found::Answer(result) => {
                self.tasks[task].place = None;
                self.answered(task, at, result);
            }
        }
    }

    /// Whoever has wanted an operation has left.
    fn cancel(&mut self, operation: usize) {
        if !self.ledger.cancel(operation, self.now) {
            return;
        }
        for task in 0..self.tasks.len() {
            if self.operation(task) != Some(operation) {
                continue;
            }
            self.enter(task, TaskPhase::Done);
            let this = &mut self.tasks[task];
            (this.call, this.direct) = (None, None);
            if let Some((at, place)) = this.place.take() {
                let end = &mut self.connections[at].client_end;
                end.forget(place, &mut self.chance);
                self.follow(at);
            }
        }
    }

    /// Which operation a task is for.
    fn operation(&self, task: usize) -> Option<usize> {
        match self.tasks[task].purpose {
            Purpose::Operation(at) => Some(at),
            Purpose::PartOf(whole) => self.operation(whole),
            Purpose::Question(..) => None,
        }
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
        let cached = |frame: Frame| match frame.reply().as_error() {
            Some(text) if text.starts_with(b"ASK ") => {
                let text = String::from_utf8_lossy(text).replace("ASK ", "MOVED ");
                self::frame(&Reply::Error(text))
            }
            _ => frame,
        };
        let came = match (came, self.mutant) {
            (Err(error), Some(Mutant::UncertainRetried)) if !error.is_timeout() => {
                Err(error.with_outcome(Outcome::NotSent))
            }
            (Ok(frames), Some(Mutant::AskCached)) => {
                Ok(frames.into_vec().into_iter().map(cached).collect())
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

    fn lost(&mut self, at: usize) {
        self.ended(at, None);
    }

    /// A connection has ended, for this reason or because its node has closed it.
    fn ended(&mut self, at: usize, why: Option<Error>) {
        let now = self.instant(self.now);
        let connection = &mut self.connections[at];
        if connection.is_open() {
            connection.socket = Socket::Closed;
            connection.client_end.end(why, now);
            self.follow(at);
        }
    }

    /// This has come for a task.
    fn answered(&mut self, task: usize, at: usize, answer: Result<Frames>) {
        let Purpose::Question(ask, _) = self.tasks[task].purpose else {
            return self.came(task, answer);
        };
        let frame = match answer.map(|frames| frames.into_vec().pop()) {
            Ok(Some(frame)) => frame,
            Ok(None) => return self.came(task, Ok(Frames::new())),
            Err(error) => return self.came(task, Err(error)),
        };
        let client = self.tasks[task].client;
        self.enter(task, TaskPhase::Done);
        // An answer that comes too late is none.
        if self.clients[client].asking == Some(ask) {
            self.clients[client].told = Some(self.now);
        }
        let announced = &mut self.connections[at].announced;
        let is_this = |it: &Announcement| it.frame.as_bytes() == frame.as_bytes();
        let known = announced.iter().position(is_this);
        let read = known.and_then(|at| announced.swap_remove(at).read);
        let (now, random) = (self.instant(self.now), self.chance.number());
        let state = &mut self.clients[client].state;
        match read {
            // Now and then it is read anew.
            Some(answer) if !random.is_multiple_of(16) => {
                state.topology_as_read(ask, answer, now, random);
            }
            _ => state.topology(ask, frame.reply(), now, random),
        }
        self.asked(client);
    }

    /// Nothing is left to do for a task.
    fn done(&mut self, task: usize) {
        self.enter(task, TaskPhase::Done);
        let now = self.instant(self.now);
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
                let answers = call.finish(&self.clients[this.client].state, now, random);
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
                let _ = link.leave(DisconnectReason::Demoted, now);
                let renewed = link.renew(0, now);
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
        link.disconnect(DisconnectReason::Closed, now).pop()
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

    fn arrive(&mut self, at: usize, bytes: Bytes) {
        let connection = &mut self.connections[at];
        let Some(node) = connection.node else { return };
        if matches!(connection.socket, Socket::Broken | Socket::Closed) {
            return;
        }
        match self.cluster.nodes[node].state {
            State::Dead => {}
            State::Silent => connection.held.push(bytes),
            State::Up | State::Loading => self.process(at, node, &bytes),
        }
    }

    fn process(&mut self, at: usize, node: usize, bytes: &[u8]) {
        self.connections[at].node_end.receive(bytes);
        let mut answer = Vec::new();
        loop {
            match self.connections[at].node_end.command() {
                Ok(Some(command)) => self.execute(at, node, &command, &mut answer),
                Ok(None) => break,
                Err(broken) => return self.break_promise(format!("sent to a node: {broken}")),
            }
        }
        // A node may send a push that no command asked for.
        if !answer.is_empty() && self.chance.happens(5) {
            answer.splice(0..0, PUSH.iter().copied());
        }
        let mut pieces = vec![Bytes::from(answer)];
        if self.chance.happens(self.network.pieces) {
            let first = self.chance.below(pieces[0].len() + 1);
            let rest = pieces[0].split_off(first);
            pieces.push(rest);
        }
        for piece in pieces {
            if piece.is_empty() {
                continue;
            }
            let delay = self.chance.time(50, 1500);
            let connection = &mut self.connections[at];
            connection.answer = (self.now + delay).max(connection.answer);
            let time = connection.answer;
            self.at(time, Event::Return(at, piece));
        }
    }

    /// What a node does with one command.
    fn execute(&mut self, at: usize, node: usize, command: &Frame, answer: &mut Vec<u8>) {
        let words: Option<Vec<&[u8]>> = command
            .reply()
            .elements()
            .and_then(|words| words.map(|word| word.bytes()).collect());
        let mood = self.cluster.nodes[node].mood;
        let is_loading = self.cluster.nodes[node].state == State::Loading;
        let connection = &mut self.connections[at];
        match words.as_deref() {
            Some([b"ASKING"]) => {
                connection.node_end.is_asking = self.mutant != Some(Mutant::AskingOmitted);
                let refused = mood.map(|mood| Reply::Error(mood.to_owned()));
                answer.extend(frame(&refused.unwrap_or(Reply::Ok)).as_bytes());
            }
            Some([b"PING", nonce]) => {
                let refused = match mood {
                    _ if is_loading => Some("LOADING reading my data"),
                    // The others do not matter to it.
                    Some(mood) => Some(mood).filter(|mood| !mood.starts_with("NOREPLICAS")),
                    None => None,
                };
                match refused {
                    Some(text) => answer.extend(frame(&Reply::Error(text.to_owned())).as_bytes()),
                    None => {
                        answer.extend(format!("${}\r\n", nonce.len()).as_bytes());
                        answer.extend(*nonce);
                        answer.extend(b"\r\n");
                    }
                }
            }
            Some([b"CLUSTER", what]) => {
                let said = self.cluster.announce(node, *what == b"SHARDS");
                answer.extend(said.frame.as_bytes());
                connection.announced.push(said);
            }
            words => {
                let is_asking = std::mem::take(&mut connection.node_end.is_asking);
                let Some(request) = words.and_then(Request::of) else {
                    return self.break_promise(format!("sent to a node: {:?}", command.as_bytes()));
                };
                let reply = self.cluster.handle(node, &request, is_asking);
                if !matches!(reply, Reply::Error(_)) {
                    self.ledger.executed(&request);
                }
                answer.extend(frame(&reply).as_bytes());
            }
        }
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

    /// Lets a node answer what it was asked while it was silent, before anything that comes later.
    fn wake(&mut self, node: usize) {
        if self.cluster.nodes[node].state == State::Silent {
            return;
        }
        for at in 0..self.connections.len() {
            if self.connections[at].node == Some(node) {
                for bytes in std::mem::take(&mut self.connections[at].held) {
                    self.process(at, node, &bytes);
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

/// What clients are configured with.
fn config() -> Config {
    Config::default()
        .connect_timeout(Duration::from_micros(CONNECT_TIMEOUT))
        .response_timeout(Duration::from_micros(DEADLINE))
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

/// A push that no command asked for.
const PUSH: &[u8] = b">2\r\n$10\r\ninvalidate\r\n_\r\n";

/// Far more than a call with back-off needs in its time.
const MOST_SENDS: u32 = 60;

/// The same for waits, since a call waits as well where there is no connection to send it over.
const MOST_WAITS: u32 = 120;
