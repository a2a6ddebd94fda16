//! The future of a call.

use std::{
    fmt,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use super::{
    cluster::{BoxFuture, Cluster, within},
    dedicated::Dedicated,
    in_flight::{CallConnection, InFlight},
    nodes::Nodes,
    runtime::{now, runtime},
    server::Server,
};
use crate::{
    call::{
        Call, CallOptions, CallSettings, CallTime, DirectCall, Encoded, Instead, SingleTry,
        explained, no_connection_to,
    },
    cluster::{CallGuard, Calls, NodeId, Scope},
    command::{Exchange, Patience, Place},
    config::Config,
    error::{Error, ErrorKind, Result},
    events::Events,
    observe::WatchedCall,
    resp::{Frame, Frames},
};

/// The future of a command's reply, or of what a pipeline or a transaction answers.
///
/// The command is sent when it is polled for the first time. It can be dropped at any time: what
/// was not written by then is not sent, and a reply that comes later is swallowed. Only a blocking
/// command that was written ends its connection, which is one of its own, so that the server cannot
/// give an element to somebody who is gone.
#[must_use = "futures do nothing unless they are polled"]
pub struct Pending<'a, E: Exchange> {
    via: Via<'a>,
    exchange: E,
    options: &'a CallOptions,
    /// It counts as long as it is under way.
    under_way: Option<CallGuard<'a>>,
    /// A listener watches it.
    watched: Option<Box<WatchedCall>>,
    state: State<'a>,
    /// Nothing is tried again.
    once: bool,
}

/// Whose connection carries the call.
#[derive(Clone, Copy)]
pub(super) enum Via<'a> {
    Server(&'a Arc<Server>),
    Dedicated(&'a Dedicated),
    Cluster(&'a Arc<Cluster>),
}

enum State<'a> {
    Start,
    /// Waits for a connection, which takes a box.
    Connecting(BoxFuture<'a, Result<CallConnection>>, Destination<'a>),
    /// On a connection of the caller's own, which nothing can replace; since when.
    Sent(InFlight, Instant),
    /// What goes out in its place on that connection; since when the call has begun.
    Replaced(InFlight, Box<Instead>, Instant),
    /// On its way to the only server, or to the node of a cluster that its keys have told.
    Directed(InFlight, Destination<'a>),
    /// Everything that takes more than that, in a box as well; how long it may take, unless something
    /// else was sent in its place already.
    Routed(BoxFuture<'a, Result<Vec<Result<Frame>>>>, Option<CallTime>),
    Done,
}

/// Where a call was sent directly.
#[derive(Clone, Copy)]
struct Destination<'a> {
    nodes: Nodes<'a>,
    direct: DirectCall,
    node: NodeId,
    time: CallTime,
}

impl<'a, E: Exchange> Pending<'a, E> {
    pub(super) fn new(via: Via<'a>, exchange: E, options: &'a CallOptions) -> Self {
        Self {
            via,
            exchange,
            options,
            under_way: None,
            watched: None,
            state: State::Start,
            once: false,
        }
    }

    /// The same, but nothing is tried again.
    pub(super) fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Finds a connection; the state is another one afterwards.
    fn start(&mut self, cx: &Context<'_>) -> Result<()> {
        self.under_way = Some(self.calls().begin()?);
        match self.via {
            Via::Dedicated(dedicated) => {
                self.exchange.check(Place::Dedicated)?;
                if !self.exchange.leaves_no_trace() {
                    dedicated.mark_used();
                }
                let link = CallConnection::Shared(Arc::clone(dedicated.connection()?));
                if let Some(watched) = &self.watched {
                    watched.record().sent_to(Arc::clone(dedicated.address()));
                }
                let begun = now();
                let limit = self.time(dedicated.config(), begun).chunk_limit();
                let limit = limit.with(self.exchange.patience());
                let in_flight = InFlight::begin(link, &self.exchange, limit, begun, cx.waker())?;
                self.state = State::Sent(in_flight, begun);
                Ok(())
            }
            Via::Server(server) => {
                self.exchange.check(Place::Shared)?;
                let now = now();
                if self.options.names_nodes() {
                    return self.route(Nodes::One(server), now);
                }
                let (direct, node) = server.direct();
                let destination = Destination {
                    nodes: Nodes::One(server),
                    direct,
                    node,
                    time: self.time(server.config(), now),
                };
                let is_shared = !self.is_blocking() && !self.exchange.is_urgent();
                if is_shared && let Some(connection) = server.current(self.slot(server), now) {
                    return self.send(CallConnection::Shared(connection), destination, now, cx);
                }
                runtime()?;
                // What waits for long is kept encoded, and a first attempt does not take long.
                if !self.once && server.is_failing() {
                    return self.route(Nodes::One(server), now);
                }
                self.connect(server, destination);
                Ok(())
            }
            Via::Cluster(cluster) => {
                self.exchange.check(Place::Shared)?;
                self.direct(cluster, cx)
            }
        }
    }

    /// Waits for a connection to the node that it is sent to.
    fn connect(&mut self, server: &'a Arc<Server>, destination: Destination<'a>) {
        let end = destination.time.deadline;
        let (is_blocking, is_urgent) = (self.is_blocking(), self.exchange.is_urgent());
        let slot = self.slot(server);
        let begun = now();
        let connected = async move {
            if is_blocking {
                return server.lend(end).await.map(CallConnection::Pooled);
            }
            let connected = async {
                match is_urgent {
                    true => server.urgent().await,
                    false => server.connected(slot).await,
                }
            };
            let connected = within(end, connected).await;
            let connected =
                connected.unwrap_or_else(|| Err(no_connection_to(server.address(), begun, now())));
            connected.map(CallConnection::Shared)
        };
        self.state = State::Connecting(Box::pin(connected), destination);
    }

    /// The slot of its keys, where it chooses among several shared connections to a server.
    #[inline]
    fn slot(&self, server: &Server) -> Option<u16> {
        match server.config().connections {
            NonZeroUsize::MIN => None,
            _ => DirectCall::slot_of(&self.exchange),
        }
    }

    /// Sends it now, over a connection to the node that it belongs to.
    fn send(
        &mut self,
        link: CallConnection,
        destination: Destination<'a>,
        now: Instant,
        cx: &Context<'_>,
    ) -> Result<()> {
        let time = destination.time;
        let limit = time.limit(time.deadline, self.exchange.patience());
        if let Some(watched) = &self.watched
            && let Some(server) = destination.nodes.server(destination.node)
        {
            watched.record().sent_to(Arc::clone(server.address()));
        }
        match InFlight::begin(link, &self.exchange, limit, now, cx.waker()) {
            Ok(in_flight) => {
                self.state = State::Directed(in_flight, destination);
                Ok(())
            }
            Err(error) => self.go_on(destination, Err(error)),
        }
    }

    /// Sends it to the node of a cluster that its keys tell, or lets the cluster find its way.
    fn direct(&mut self, cluster: &'a Arc<Cluster>, cx: &Context<'_>) -> Result<()> {
        let (nodes, begun) = (Nodes::Many(cluster), now());
        if !self.options.names_nodes()
            && !self.is_blocking()
            && !self.exchange.is_urgent()
            && let Some(direct) = DirectCall::of(&self.exchange)?
            && let Some((node, connection)) = cluster.connection(&direct, begun)
        {
            let destination = Destination {
                nodes,
                direct,
                node,
                time: self.time(cluster.config(), begun),
            };
            return self.send(CallConnection::Shared(connection), destination, begun, cx);
        }
        self.route(nodes, begun)
    }

    /// Lets the machine of the call find its way.
    fn route(&mut self, nodes: Nodes<'a>, now: Instant) -> Result<()> {
        let encoded = self.encode(nodes)?;
        let patience = self.exchange.patience();
        let time = self.time(nodes.config(), now);
        let settings = self.settings(nodes, time);
        let routed = Box::pin(nodes.route(encoded, patience, settings));
        self.state = State::Routed(routed, Some(time));
        Ok(())
    }

    fn encode(&self, nodes: Nodes<'a>) -> Result<Encoded> {
        match nodes {
            Nodes::One(_) => Encoded::for_only(&self.exchange),
            Nodes::Many(_) => Encoded::of(&self.exchange),
        }
    }

    /// What holds for it with that time.
    fn settings(&self, nodes: Nodes<'a>, time: CallTime) -> CallSettings {
        let slot = match nodes {
            Nodes::One(server) => self.slot(server),
            Nodes::Many(_) => None,
        };
        let record = self.watched.as_ref().map(|watched| watched.record());
        CallSettings::of(nodes.config(), self.options, time)
            .with_slot(slot)
            .recorded(record)
    }

    /// The settings of its client.
    fn config(&self) -> &'a Config {
        match self.via {
            Via::Dedicated(dedicated) => dedicated.config(),
            Via::Server(server) => server.config(),
            Via::Cluster(cluster) => cluster.config(),
        }
    }

    /// The calls of its client.
    fn calls(&self) -> &'a Calls {
        match self.via {
            Via::Dedicated(dedicated) => dedicated.calls(),
            Via::Server(server) => server.calls(),
            Via::Cluster(cluster) => cluster.calls(),
        }
    }

    /// How long it may take if it begins now.
    fn time(&self, config: &Config, now: Instant) -> CallTime {
        CallTime::of(config, self.options, now)
    }

    /// Goes on with a call to which something else than its answer came.
    fn go_on(&mut self, destination: Destination<'a>, came: Result<Frames>) -> Result<()> {
        let Destination {
            nodes,
            direct,
            node,
            time,
        } = destination;
        if let Ok(frames) = &came
            && let Some(instead) = direct.instead(frames, &self.exchange)?
        {
            self.replace(nodes, instead, time);
            return Ok(());
        }
        let encoded = self.encode(nodes)?;
        let settings = self.settings(nodes, time);
        let patience = self.exchange.patience();
        let call = nodes.decide(|state, now, random| {
            let mut call = Call::sent(direct, node, &encoded, &settings, patience, state);
            call.answered(came, state, now, random);
            call
        });
        self.state = State::Routed(Box::pin(nodes.follow(call)), Some(time));
        Ok(())
    }

    /// Sends something else, which began with the call.
    fn replace(&mut self, nodes: Nodes<'a>, instead: Instead, time: CallTime) {
        let settings = self.settings(nodes, time);
        let routed = Box::pin(nodes.route(instead.encoded, instead.patience, settings));
        self.state = State::Routed(routed, None);
    }

    /// The nodes that a client has, which a connection of the caller's own has not.
    fn nodes(&self) -> Option<Nodes<'a>> {
        match self.via {
            Via::Server(server) => Some(Nodes::One(server)),
            Via::Cluster(cluster) => Some(Nodes::Many(cluster)),
            Via::Dedicated(_) => None,
        }
    }

    /// What the server is that it goes to.
    fn scope(&self) -> Scope {
        match self.via {
            Via::Server(server) => server.scope(),
            Via::Cluster(_) => Scope::Cluster,
            Via::Dedicated(dedicated) => Scope::of(dedicated.config()),
        }
    }

    /// The try of a call that has no other, and where its end is told.
    fn single_try(&self) -> Option<(SingleTry, &'a Events)> {
        let begun = match &self.state {
            State::Sent(_, begun) | State::Replaced(_, _, begun) => *begun,
            State::Connecting(_, to) | State::Directed(_, to) if self.once => to.time.begun?,
            _ => return None,
        };
        let events = match self.via {
            Via::Server(server) => server.events(),
            Via::Dedicated(dedicated) => dedicated.events(),
            Via::Cluster(_) => return None,
        };
        Some((SingleTry::begin(self.exchange.name(), begun), events))
    }

    /// Sends something else over a connection of the caller's own.
    fn replace_on(
        &mut self,
        dedicated: &Dedicated,
        instead: Box<Instead>,
        begun: Instant,
        cx: &Context<'_>,
    ) -> Result<()> {
        if !instead.leaves_no_trace {
            dedicated.mark_used();
        }
        let link = CallConnection::Shared(Arc::clone(dedicated.connection()?));
        let now = now();
        let limit = self.time(dedicated.config(), now).chunk_limit();
        let limit = limit.with(instead.patience);
        let other = instead.encoded.chosen(instead.patience);
        let in_flight = InFlight::begin(link, &other, limit, now, cx.waker())?;
        self.state = State::Replaced(in_flight, instead, begun);
        Ok(())
    }

    /// Whether there is nothing to send.
    ///
    /// On a connection of the caller's own an empty transaction tells whether a watched key has
    /// changed, and ends the watch.
    fn is_nothing(&self) -> bool {
        let may_watch = matches!(self.via, Via::Dedicated(_)) && self.exchange.is_atomic();
        self.exchange.is_empty() && !may_watch
    }

    fn is_blocking(&self) -> bool {
        self.exchange.patience() != Patience::None
    }

    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Result<E::Output>> {
        loop {
            match &mut self.state {
                State::Start => {
                    if self.is_nothing() {
                        return Poll::Ready(self.exchange.finish(&Frames::new()));
                    }
                    self.start(cx)?;
                }
                State::Connecting(connecting, destination) => {
                    let destination = *destination;
                    match ready!(connecting.as_mut().poll(cx)) {
                        Ok(link) => self.send(link, destination, now(), cx)?,
                        Err(error) if self.once => return Poll::Ready(Err(error)),
                        Err(error) => self.go_on(destination, Err(error))?,
                    }
                }
                State::Sent(in_flight, begun) => {
                    let begun = *begun;
                    let frames = ready!(in_flight.poll(&self.exchange, cx))?;
                    if let Via::Dedicated(dedicated) = self.via
                        && let Some(instead) =
                            Instead::of(&self.exchange, &frames, Place::Dedicated)?
                    {
                        self.replace_on(dedicated, Box::new(instead), begun, cx)?;
                        continue;
                    }
                    return Poll::Ready(self.exchange.finish(&frames));
                }
                State::Replaced(in_flight, instead, _) => {
                    let other = instead.encoded.chosen(instead.patience);
                    let frames = ready!(in_flight.poll(&other, cx))?;
                    return Poll::Ready(self.exchange.finish(&frames));
                }
                State::Directed(in_flight, destination) => {
                    let destination = *destination;
                    let came = ready!(in_flight.poll(&self.exchange, cx));
                    let is_answer = match &came {
                        Ok(frames) => destination.direct.is_answer(frames, &self.exchange),
                        Err(_) => false,
                    };
                    if is_answer || self.once {
                        return Poll::Ready(self.exchange.finish(&came?));
                    }
                    self.go_on(destination, came)?;
                }
                State::Routed(routed, time) => {
                    let time = *time;
                    let answers = ready!(routed.as_mut().poll(cx))?;
                    if let Some(time) = time
                        && let Some(nodes) = self.nodes()
                        && let Some(instead) = Instead::of_answers(&self.exchange, &answers)?
                    {
                        self.replace(nodes, instead, time);
                        continue;
                    }
                    return Poll::Ready(self.exchange.finish_each(answers));
                }
                State::Done => {
                    return Poll::Ready(Err(Error::new(
                        ErrorKind::Refused,
                        "the result was taken already",
                    )));
                }
            }
            // It was sent just now, and the connection knows whom to wake.
            if let State::Sent(in_flight, _) | State::Directed(in_flight, _) = &self.state
                && !in_flight.has_more_to_send()
            {
                return Poll::Pending;
            }
        }
    }
}

/// Nothing in it is pinned in place.
impl<E: Exchange> Unpin for Pending<'_, E> {}

impl<E: Exchange> Future for Pending<'_, E> {
    type Output = Result<E::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let State::Start = this.state {
            let watched = WatchedCall::begin(&this.exchange, this.calls(), this.config());
            if watched.is_some() {
                this.watched = watched;
            }
        }
        let _entered = this.watched.as_ref().map(|watched| watched.enter());
        let result = ready!(this.poll_result(cx));
        if let Err(error) = &result
            && let Some((only, events)) = this.single_try()
        {
            only.failed(error, events, now());
        }
        this.state = State::Done;
        this.under_way = None;
        let scope = this.scope();
        let result = result.map_err(|error| explained(this.exchange.named(error), scope));
        match this.watched.take() {
            None => Poll::Ready(result),
            Some(watched) => Poll::Ready(watched.end(result)),
        }
    }
}

impl<E: Exchange> fmt::Debug for Pending<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Start => "not sent",
            State::Connecting(..) => "connecting",
            State::Sent(in_flight, _)
            | State::Directed(in_flight, _)
            | State::Replaced(in_flight, ..)
                if in_flight.is_in_front() =>
            {
                "waiting for its turn"
            }
            State::Sent(..) | State::Directed(..) | State::Replaced(..) => "waiting for the reply",
            State::Routed(..) => "finding its way",
            State::Done => "done",
        };
        write!(f, "{} ({state})", self.exchange.name())
    }
}
