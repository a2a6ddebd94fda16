//! The world around routers: a network, a clock, and clients that drive a state each.
//!
//! Everything happens in the order of time and, at the same time, of its making, so that a seed
//! always leads to the same end. A client here is what a driver is: it sends where the state says,
//! pairs replies with calls by their order on a connection, and hands outcomes back.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};

use super::{
    super::{
        ClusterState, ReadFrom,
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
    call::{self, Attempt, CallOptions, Next, NodeAnswer, Plan, words},
    command::Info,
    error::{Error, ErrorKind, Outcome, Phase, Result},
    resp::{Frame, Writer},
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
    calls: Vec<Flight>,
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
    /// A call has waited.
    Resume(usize, u32),
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
    connections: BTreeMap<NodeId, usize>,
    /// When the state is polled next.
    poll: Option<u64>,
    /// The question that is under way.
    asking: Option<QueryId>,
    /// When the topology was told last.
    told: Option<u64>,
    waiting: Vec<usize>,
}

struct Connection {
    client: usize,
    id: NodeId,
    node: Option<usize>,
    state: Link,
    /// What waits for the connection to be made.
    queue: Vec<Cargo>,
    /// What waits for answers, in order.
    places: VecDeque<Place>,
    /// When the last message arrives, and the last answer.
    arrival: u64,
    answer: u64,
    /// What a silent node has taken.
    held: Vec<Message>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Opening,
    Open,
    /// The node's end is gone; the client does not know yet.
    Broken,
    Closed,
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
enum Cargo {
    Call(usize, u32),
    /// The question of a client.
    Topology(usize, QueryId, Query),
}

#[derive(Debug)]
struct Place {
    cargo: Cargo,
    /// Whether somebody waits.
    awaited: bool,
}

#[derive(Debug)]
enum Message {
    Command(Request, bool),
    Topology(Query),
}

#[derive(Debug)]
enum Answered {
    Reply(Reply),
    /// `ASKING` was refused.
    NotAsking(&'static str),
    Topology(Announcement),
}

/// A call on its way.
struct Flight {
    client: usize,
    operation: usize,
    branch: usize,
    call: Option<Attempt>,
    request: Request,
    /// Counts the tries, so that what belongs to an earlier one is known.
    attempt: u32,
    in_flight: bool,
    redirects: u32,
    sends: u32,
}

impl World {
    pub(super) fn new(seed: u64, clients: usize, mutant: Option<Mutant>, verbose: bool) -> Self {
        let mut chance = Chance::new(seed);
        let start = origin();
        let cluster = Cluster::new(&mut chance);
        let clients = (0..clients)
            .map(|_| {
                let seeds = [0, 1].map(|_| chance.below(super::model::NODES));
                let seeds = seeds.map(|node| NodeAddress::new(Cluster::host(node), 7000));
                let options = Options {
                    read_from: chance.one_of(&[0, 1, 2]).into_read_from(),
                    ..Options::default()
                };
                Client {
                    state: ClusterState::new(seeds.to_vec(), options, start),
                    connections: BTreeMap::new(),
                    poll: None,
                    asking: None,
                    told: None,
                    waiting: Vec::new(),
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
            calls: Vec::new(),
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
            Event::Resume(flight, attempt) => {
                if self.calls[flight].attempt == attempt {
                    self.resume(flight);
                }
            }
            Event::Expire(flight, attempt) => self.expire(flight, attempt),
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
        let operation = &self.ledger.operations[at];
        let client = operation.client;
        let deadline = self.instant(self.now + DEADLINE);
        let info = Info::of(&operation.command[0]).unwrap();
        let mut command = BytesMut::new();
        let mut keys = Vec::new();
        Writer::command_with_keys(&mut command, &mut keys, |to| {
            for word in &operation.command {
                match word.starts_with('{') && !word.contains('|') {
                    true => to.key(word.as_bytes()),
                    false => to.word(word.as_bytes()),
                }
            }
        })
        .unwrap();
        let options = CallOptions::until(Some(deadline));
        let random = self.chance.number();
        let now = self.instant(self.now);
        let plan = self.clients[client]
            .state
            .plan(info, &command, &keys, &options, now, random);
        let mut flights = Vec::new();
        match plan {
            Err(error) => return self.end(at, Err(error)),
            Ok(Plan::One(call)) => {
                self.ledger.operations[at].expect(1, None);
                flights.push(self.flight(client, at, 0, call, &command));
            }
            Ok(Plan::Several(branches, join)) => {
                let items = branches.iter().map(|branch| branch.items.clone()).collect();
                self.ledger.operations[at].expect(branches.len(), Some((join, items)));
                for (branch, part) in branches.into_iter().enumerate() {
                    let own = part.command.as_deref().unwrap_or(&command);
                    flights.push(self.flight(client, at, branch, part.call, own));
                }
            }
        }
        for flight in flights {
            self.send(flight);
        }
    }

    fn flight(
        &mut self,
        client: usize,
        operation: usize,
        branch: usize,
        call: Attempt,
        command: &[u8],
    ) -> usize {
        let words: Vec<_> = words(command)
            .unwrap()
            .into_iter()
            .map(|word| std::str::from_utf8(&command[word]).unwrap())
            .collect();
        self.calls.push(Flight {
            client,
            operation,
            branch,
            call: Some(call),
            request: Request::of(&words),
            attempt: 0,
            in_flight: false,
            redirects: 0,
            sends: 0,
        });
        self.calls.len() - 1
    }

    fn send(&mut self, flight: usize) {
        let this = &mut self.calls[flight];
        let Some(call) = &this.call else { return };
        let (client, id) = (this.client, call.node());
        this.attempt += 1;
        this.sends += 1;
        this.in_flight = true;
        let attempt = this.attempt;
        if this.sends > MOST_SENDS {
            return self.break_promise(format!("a call was sent more than {MOST_SENDS} times"));
        }
        if let Some(deadline) = call.deadline() {
            let deadline = self.micros(deadline);
            self.at(deadline, Event::Expire(flight, attempt));
        }
        let connection = self.connection(client, id);
        self.put(connection, Cargo::Call(flight, attempt));
    }

    /// The connection to a node, which is made if there is none.
    fn connection(&mut self, client: usize, id: NodeId) -> usize {
        let known = self.clients[client].connections.get(&id).copied();
        if let Some(known) = known
            && self.connections[known].state != Link::Closed
        {
            return known;
        }
        let state = &self.clients[client].state;
        let address = state.node(id).map(|node| node.address.clone());
        let node = address.and_then(|it| Cluster::node_at(it.host()).filter(|_| it.port() == 7000));
        self.connections.push(Connection {
            client,
            id,
            node,
            state: Link::Opening,
            queue: Vec::new(),
            places: VecDeque::new(),
            arrival: 0,
            answer: 0,
            held: Vec::new(),
        });
        let connection = self.connections.len() - 1;
        self.clients[client].connections.insert(id, connection);
        let took = match node.map(|node| self.cluster.nodes[node].state) {
            Some(State::Silent) => CONNECT_TIMEOUT,
            _ => self.chance.time(100, 1000),
        };
        self.at(self.now + took, Event::Opened(connection));
        connection
    }

    /// Sends something, or lets it wait for the connection.
    fn put(&mut self, at: usize, cargo: Cargo) {
        let delay = self.chance.time(50, 1500);
        let connection = &mut self.connections[at];
        if connection.state == Link::Opening {
            return connection.queue.push(cargo);
        }
        let message = match cargo {
            Cargo::Topology(.., query) => Message::Topology(query),
            Cargo::Call(flight, _) => {
                let flight = &self.calls[flight];
                let asking = flight.call.as_ref().is_some_and(Attempt::is_asking);
                let asking = asking && self.mutant != Some(Mutant::AskingOmitted);
                Message::Command(flight.request.clone(), asking)
            }
        };
        connection.places.push_back(Place {
            cargo,
            awaited: true,
        });
        connection.arrival = (self.now + delay).max(connection.arrival);
        let arrival = connection.arrival;
        self.at(arrival, Event::Arrive(at, message));
    }

    fn opened(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        let state = connection.node.map(|node| self.cluster.nodes[node].state);
        let queue = std::mem::take(&mut connection.queue);
        let client = connection.client;
        if matches!(state, Some(State::Up | State::Loading)) {
            connection.state = Link::Open;
            let id = connection.id;
            self.clients[client].state.recovered(id);
            for cargo in queue {
                if self.is_awaited(cargo) {
                    self.put(at, cargo);
                }
            }
            return;
        }
        connection.state = Link::Closed;
        let kind = match state {
            Some(State::Silent) => ErrorKind::Timeout(Phase::Connect),
            _ => ErrorKind::Connect,
        };
        for cargo in queue {
            self.fail(cargo, Error::new(kind, "no connection"));
        }
        self.drain(client);
    }

    fn is_awaited(&self, cargo: Cargo) -> bool {
        match cargo {
            Cargo::Call(flight, attempt) => {
                let flight = &self.calls[flight];
                flight.call.is_some() && flight.attempt == attempt
            }
            Cargo::Topology(..) => true,
        }
    }

    /// Tells whoever has sent something that there will be no answer.
    fn fail(&mut self, cargo: Cargo, error: Error) {
        if !self.is_awaited(cargo) {
            return;
        }
        let random = self.chance.number();
        let now = self.instant(self.now);
        match cargo {
            Cargo::Topology(client, ask, _) => {
                self.clients[client].state.topology_failed(ask, error, now);
                self.drain(client);
            }
            Cargo::Call(flight, _) => {
                let this = &mut self.calls[flight];
                this.in_flight = false;
                let error = match self.mutant {
                    Some(Mutant::UncertainRetried) if !error.is_timeout() => {
                        error.with_outcome(Outcome::NotSent)
                    }
                    _ => error,
                };
                let Some(call) = &mut this.call else { return };
                let client = this.client;
                let next = call.lost(&mut self.clients[client].state, error, now, random);
                self.follow(flight, next);
            }
        }
    }

    fn lost(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        if connection.state == Link::Closed {
            return;
        }
        connection.state = Link::Closed;
        let places = std::mem::take(&mut connection.places);
        for place in places {
            if place.awaited {
                let error = Error::new(ErrorKind::Connection, "reset by peer")
                    .with_outcome(Outcome::Indeterminate);
                self.fail(place.cargo, error);
            }
        }
    }

    fn answered(&mut self, at: usize, answer: Answered) {
        let connection = &mut self.connections[at];
        if connection.state == Link::Closed {
            return;
        }
        let client = connection.client;
        let Some(place) = connection.places.pop_front() else {
            return self.break_promise("an answer that nobody waits for".to_owned());
        };
        if !place.awaited || !self.is_awaited(place.cargo) {
            return;
        }
        let random = self.chance.number();
        let now = self.instant(self.now);
        match (place.cargo, answer) {
            (Cargo::Topology(_, ask, _), Answered::Topology(said)) => {
                // An answer that comes too late is none.
                if self.clients[client].asking == Some(ask) {
                    self.clients[client].told = Some(self.now);
                }
                let state = &mut self.clients[client].state;
                match said.read {
                    // Now and then it is read anew.
                    Some(answer) if !random.is_multiple_of(16) => {
                        state.topology_as_read(ask, answer, now, random);
                    }
                    _ => state.topology(ask, said.frame.reply(), now, random),
                }
                self.drain(client);
            }
            (Cargo::Call(flight, _), Answered::NotAsking(error)) => {
                let call = self.calls[flight].call.take().unwrap();
                let error = call.asking_failed(error.as_bytes());
                self.finish(flight, Err(error));
            }
            (Cargo::Call(flight, _), Answered::Reply(Reply::Error(text))) => {
                let text = match self.mutant {
                    Some(Mutant::AskCached) => text.replace("ASK ", "MOVED "),
                    _ => text,
                };
                let this = &mut self.calls[flight];
                this.in_flight = false;
                let Some(call) = &mut this.call else { return };
                if self.mutant == Some(Mutant::RedirectsUnbounded) {
                    call.forget_redirects();
                }
                let next = call.refused(
                    &mut self.clients[client].state,
                    text.as_bytes(),
                    now,
                    random,
                );
                if matches!(next, Next::Send) {
                    this.redirects += 1;
                    if this.redirects > 5 {
                        return self.break_promise("a call was redirected six times".to_owned());
                    }
                }
                match next {
                    Next::Answer => self.finish(flight, Ok(Reply::Error(text))),
                    next => self.follow(flight, next),
                }
            }
            (Cargo::Call(flight, _), Answered::Reply(reply)) => self.finish(flight, Ok(reply)),
            // A reply has gone astray.
            (cargo @ Cargo::Topology(..), _) => {
                self.fail(cargo, Error::new(ErrorKind::Decode, "no topology"));
            }
            (Cargo::Call(flight, _), Answered::Topology(_)) => self.finish(flight, Ok(Reply::Ok)),
        }
    }

    /// Does with a call as the state says.
    fn follow(&mut self, flight: usize, next: Next) {
        let client = self.calls[flight].client;
        match next {
            Next::Send => self.send(flight),
            Next::Wait(until) => {
                let this = &mut self.calls[flight];
                this.attempt += 1;
                let attempt = this.attempt;
                let deadline = this.call.as_ref().and_then(Attempt::deadline);
                let mut until = self.micros(until);
                match self.mutant {
                    Some(Mutant::WaitSkipped) => until = self.now,
                    Some(Mutant::DeadlineIgnored) => until += DEADLINE,
                    _ => {}
                }
                if let Some(deadline) = deadline
                    && until > self.micros(deadline)
                    && self.mutant != Some(Mutant::DeadlineIgnored)
                {
                    self.break_promise("a call waits longer than it may".to_owned());
                }
                self.clients[client].waiting.push(flight);
                self.at(until, Event::Resume(flight, attempt));
            }
            Next::Answer => self.break_promise("an answer without a reply".to_owned()),
            Next::GiveUp(error) => {
                self.calls[flight].call = None;
                self.finish(flight, Err(error));
            }
        }
        self.drain(client);
    }

    fn resume(&mut self, flight: usize) {
        let random = self.chance.number();
        let now = self.instant(self.now);
        let this = &mut self.calls[flight];
        let client = this.client;
        self.clients[client].waiting.retain(|it| *it != flight);
        let Some(call) = &mut this.call else { return };
        let next = call.resume(&mut self.clients[client].state, now, random);
        self.follow(flight, next);
    }

    /// The end of the time for a reply: the place stays, and swallows it when it comes.
    fn expire(&mut self, flight: usize, attempt: u32) {
        let this = &mut self.calls[flight];
        if this.attempt != attempt || !this.in_flight || this.call.is_none() {
            return;
        }
        let is_this =
            |cargo: &Cargo| matches!(cargo, Cargo::Call(it, of) if *it == flight && *of == attempt);
        let mut outcome = Outcome::NotSent;
        for connection in &mut self.connections {
            let Some(at) = connection.places.iter().position(|it| is_this(&it.cargo)) else {
                continue;
            };
            outcome = Outcome::Indeterminate;
            connection.places[at].awaited = false;
            if self.mutant == Some(Mutant::PlaceForgotten) {
                connection.places.remove(at);
            }
        }
        let error = Error::new(ErrorKind::Timeout(Phase::Reply), "no reply").with_outcome(outcome);
        self.fail(Cargo::Call(flight, attempt), error);
    }

    /// Ends a call.
    fn finish(&mut self, flight: usize, outcome: Result<Reply>) {
        let this = &mut self.calls[flight];
        this.call = None;
        this.in_flight = false;
        let (operation, branch) = (this.operation, this.branch);
        let Some(answers) = self.ledger.operations[operation].answer(branch, outcome) else {
            return;
        };
        let Some((join, items)) = self.ledger.operations[operation].join.take() else {
            let only = answers.into_iter().next().unwrap();
            return self.end(operation, only);
        };
        let misordered = self.mutant == Some(Mutant::PartsMisordered);
        let mut next = 0..;
        let answers: Vec<_> = answers
            .into_iter()
            .zip(items)
            .map(|(reply, items)| NodeAnswer {
                weight: None,
                from: NodeAddress::new("node", 1),
                items: match misordered {
                    true => items.iter().map(|_| next.next().unwrap()).collect(),
                    false => items,
                },
                reply: reply.map(|reply| frame(&reply)),
            })
            .collect();
        let joined = call::join(join, &answers, 0).map(|frame| reply(&frame));
        self.end(operation, joined);
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
        loop {
            let random = self.chance.number();
            let Some(event) = self.clients[client].state.poll_event(now, random) else {
                break;
            };
            if self.verbose {
                println!("{:>9} client {client}: {event:?}", self.now);
            }
            match event {
                ClusterEvent::Ask(ask, id, query) => self.ask(client, ask, id, query),
                ClusterEvent::Reconnect(id) => {
                    // What is under way ends where it is.
                    self.clients[client].connections.remove(&id);
                }
                ClusterEvent::Failed(id) => {
                    if let Some(at) = self.clients[client].connections.remove(&id) {
                        self.at(self.now, Event::Lost(at));
                    }
                }
                ClusterEvent::Forget(id) => {
                    self.clients[client].connections.remove(&id);
                }
                ClusterEvent::Changed => {
                    for flight in std::mem::take(&mut self.clients[client].waiting) {
                        self.at(self.now, Event::Resume(flight, self.calls[flight].attempt));
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

    fn ask(&mut self, client: usize, ask: QueryId, id: NodeId, query: Query) {
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
        let connection = self.connection(client, id);
        self.put(connection, Cargo::Topology(client, ask, query));
    }

    // ---- what the network and the nodes do

    fn arrive(&mut self, at: usize, message: Message) {
        let connection = &mut self.connections[at];
        let Some(node) = connection.node else { return };
        if matches!(connection.state, Link::Broken | Link::Closed) {
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
            Message::Command(request, asking) => {
                let reply = self.cluster.handle(node, &request, asking);
                if !matches!(reply, Reply::Error(_)) {
                    self.ledger.executed(&request);
                }
                match self.cluster.nodes[node].mood {
                    Some(mood) if asking => Answered::NotAsking(mood),
                    _ => Answered::Reply(reply),
                }
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
            if which(connection) && connection.state == Link::Open {
                connection.state = Link::Broken;
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

/// A joined frame as a reply.
fn reply(frame: &Frame) -> Reply {
    let reply = frame.reply();
    if let Some(error) = reply.as_error() {
        return Reply::Error(String::from_utf8_lossy(error).into_owned());
    }
    let text = |it: crate::resp::Reply<'_>| {
        it.bytes()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    Reply::Texts(reply.elements().into_iter().flatten().map(text).collect())
}

/// Far more than a call with back-off needs in its time.
const MOST_SENDS: u32 = 60;
