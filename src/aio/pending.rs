//! The future of a call.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::time;

use super::{
    cluster::Cluster,
    dedicated::Dedicated,
    server::Server,
    transit::{Link, Transit},
};
use crate::{
    call::{DirectCall, Encoded},
    cluster::NodeId,
    command::{Exchange, Patience, Place},
    config::Config,
    error::{Error, ErrorKind, Result},
    link::is_sent_again,
    protocol::Limit,
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
    carrier: Carrier<'a>,
    exchange: E,
    state: State<'a>,
    /// A first attempt has failed before anything was written.
    retried: bool,
}

/// Whose connection carries the call.
#[derive(Clone, Copy)]
pub(super) enum Carrier<'a> {
    Server(&'a Arc<Server>),
    Dedicated(&'a Dedicated),
    Cluster(&'a Arc<Cluster>),
}

enum State<'a> {
    Start,
    /// Waits for a connection, which takes a box.
    Connecting(Pin<Box<dyn Future<Output = Result<Link>> + Send + 'a>>),
    Sent(Transit),
    /// On its way to the node of a cluster that its keys have told.
    Directed(Transit, Course<'a>),
    /// Everything in a cluster that takes more than that, in a box as well.
    Routed(Routed<'a>),
    Done,
}

type Routed<'a> = Pin<Box<dyn Future<Output = Result<Vec<Result<Frame>>>> + Send + 'a>>;

/// Where a call of a cluster was sent.
#[derive(Clone, Copy)]
struct Course<'a> {
    cluster: &'a Arc<Cluster>,
    direct: DirectCall,
    node: NodeId,
    deadline: Option<Instant>,
}

impl<'a, E: Exchange> Pending<'a, E> {
    pub(super) fn new(carrier: Carrier<'a>, exchange: E) -> Self {
        Self {
            carrier,
            exchange,
            state: State::Start,
            retried: false,
        }
    }

    /// Finds a connection; the state is another one afterwards.
    fn start(&mut self, cx: &Context<'_>) -> Result<()> {
        match self.carrier {
            Carrier::Dedicated(dedicated) => {
                self.exchange.check(Place::Dedicated)?;
                if !self.exchange.leaves_no_trace() {
                    dedicated.mark_used();
                }
                let connection = Arc::clone(dedicated.connection()?);
                self.send(Link::Shared(connection), cx)
            }
            Carrier::Server(server) => {
                self.exchange.check(Place::Shared)?;
                if self.is_blocking() {
                    let lent = async { server.lend().await.map(Link::Lent) };
                    self.state = State::Connecting(Box::pin(lent));
                    return Ok(());
                }
                match server.current() {
                    Some(connection) => self.send(Link::Shared(connection), cx),
                    None => {
                        let connected = async { server.connected().await.map(Link::Shared) };
                        self.state = State::Connecting(Box::pin(connected));
                        Ok(())
                    }
                }
            }
            Carrier::Cluster(cluster) => {
                self.exchange.check(Place::Shared)?;
                self.direct(cluster, cx)
            }
        }
    }

    fn send(&mut self, link: Link, cx: &Context<'_>) -> Result<()> {
        let allowed = self
            .exchange
            .patience()
            .within(self.config().response_timeout);
        let limit = Limit::Each(allowed);
        self.state = State::Sent(Transit::begin(link, &self.exchange, limit, cx.waker())?);
        Ok(())
    }

    /// Sends it to the node of a cluster that its keys tell, or lets the cluster find its way.
    fn direct(&mut self, cluster: &'a Arc<Cluster>, cx: &Context<'_>) -> Result<()> {
        let allowed = cluster.config().response_timeout;
        let deadline = allowed.and_then(|allowed| now().checked_add(allowed));
        if !self.is_blocking()
            && let Some(direct) = DirectCall::of(&self.exchange)?
            && let Some((node, connection)) = cluster.connection(&direct)
        {
            let course = Course {
                cluster,
                direct,
                node,
                deadline,
            };
            let (link, limit) = (Link::Shared(connection), Limit::Whole(deadline));
            match Transit::begin(link, &self.exchange, limit, cx.waker()) {
                Ok(transit) => self.state = State::Directed(transit, course),
                Err(error) => self.redirect(course, Err(error))?,
            }
            return Ok(());
        }
        let encoded = Encoded::of(&self.exchange)?;
        let patience = self.exchange.patience();
        self.state = State::Routed(Box::pin(cluster.route(encoded, patience, deadline)));
        Ok(())
    }

    /// Finds out what to do with what came from the node of a cluster; `Some` if it is the answer.
    fn arrive(&mut self, course: Course<'a>, came: Result<Frames>) -> Result<Option<Frames>> {
        if let Ok(frames) = &came
            && DirectCall::is_answer(frames)
        {
            return came.map(Some);
        }
        self.redirect(course, came)?;
        Ok(None)
    }

    fn redirect(&mut self, course: Course<'a>, came: Result<Frames>) -> Result<()> {
        let verdict = course
            .cluster
            .judge(&course.direct, course.node, course.deadline, &came)?;
        let encoded = Encoded::of(&self.exchange)?;
        let patience = self.exchange.patience();
        self.state = State::Routed(Box::pin(course.cluster.go_on(encoded, verdict, patience)));
        Ok(())
    }

    fn config(&self) -> &Config {
        match self.carrier {
            Carrier::Server(server) => server.config(),
            Carrier::Dedicated(dedicated) => dedicated.config(),
            Carrier::Cluster(cluster) => cluster.config(),
        }
    }

    fn is_blocking(&self) -> bool {
        self.exchange.patience() != Patience::None
    }

    /// Whether to begin again after `error`: on another connection, once, and only if not a byte
    /// of the request was written.
    fn begins_again(&mut self, error: &Error) -> bool {
        matches!(self.carrier, Carrier::Server(_))
            && is_sent_again(error)
            && !std::mem::replace(&mut self.retried, true)
    }

    /// The result of what came from a server.
    fn finish(&self, frames: &Frames) -> Result<E::Output> {
        let finished = self.exchange.finish(frames);
        if let (Carrier::Server(server), Err(error)) = (self.carrier, &finished) {
            server.leave_after(error);
        }
        finished
    }

    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Result<E::Output>> {
        loop {
            let step = match &mut self.state {
                State::Start if self.exchange.is_empty() => {
                    return Poll::Ready(self.exchange.finish(&Frames::new()));
                }
                State::Start => self.start(cx),
                State::Connecting(connecting) => match ready!(connecting.as_mut().poll(cx)) {
                    Ok(link) => self.send(link, cx),
                    Err(error) => return Poll::Ready(Err(error)),
                },
                State::Sent(transit) => match ready!(transit.poll(&self.exchange, cx)) {
                    Ok(frames) => return Poll::Ready(self.finish(&frames)),
                    Err(error) => Err(error),
                },
                State::Directed(transit, course) => {
                    let course = *course;
                    let came = ready!(transit.poll(&self.exchange, cx));
                    match self.arrive(course, came)? {
                        Some(frames) => {
                            return Poll::Ready(self.exchange.finish(&frames));
                        }
                        None => Ok(()),
                    }
                }
                State::Routed(routed) => {
                    let answers = ready!(routed.as_mut().poll(cx))?;
                    return Poll::Ready(self.exchange.finish_each(answers));
                }
                State::Done => {
                    return Poll::Ready(Err(Error::new(
                        ErrorKind::Refused,
                        "the result was taken already",
                    )));
                }
            };
            match (step, &self.state) {
                // It was sent just now, and the connection knows whom to wake.
                (Ok(()), State::Sent(transit) | State::Directed(transit, _))
                    if !transit.has_more_to_send() =>
                {
                    return Poll::Pending;
                }
                (Ok(()), _) => {}
                (Err(error), _) => {
                    if !self.begins_again(&error) {
                        return Poll::Ready(Err(error));
                    }
                    self.state = State::Start;
                }
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
        let result = ready!(this.poll_result(cx));
        this.state = State::Done;
        Poll::Ready(result.map_err(|error| error.with_command(this.exchange.name())))
    }
}

impl<E: Exchange> fmt::Debug for Pending<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Start => "not sent",
            State::Connecting(_) => "connecting",
            State::Sent(transit) | State::Directed(transit, _) if transit.is_in_front() => {
                "waiting for its turn"
            }
            State::Sent(_) | State::Directed(..) => "waiting for the reply",
            State::Routed(_) => "finding its way",
            State::Done => "done",
        };
        write!(f, "{} ({state})", self.exchange.name())
    }
}

fn now() -> Instant {
    time::Instant::now().into_std()
}
