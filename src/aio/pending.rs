//! The future of a call.

use std::{
    fmt,
    ops::RangeInclusive,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::time;

use super::{
    client::Shared,
    connection::{self, Connection},
    dedicated::Dedicated,
    pool::Lent,
    waiting::{Frames, Key, Polled},
};
use crate::{
    command::{Exchange, Patience, Place},
    error::{Error, ErrorKind, Outcome, Result},
    protocol::{Sent, Ticket},
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
    Client(&'a Arc<Shared>),
    Dedicated(&'a Dedicated),
}

enum State<'a> {
    Start,
    /// Waits for a connection. This is the one place that allocates.
    Connecting(Pin<Box<dyn Future<Output = Result<Link>> + Send + 'a>>),
    /// Waits until less is unanswered.
    InFront(Turn),
    Waiting(Call),
    Done,
}

/// A place in front of a connection, which is left when this is dropped.
struct Turn {
    /// `None` once the call was sent.
    link: Option<Link>,
    /// `None` once the call was let in.
    key: Option<Key>,
    /// Until when it may wait, in front of the connection and for the reply.
    deadline: Option<Instant>,
}

/// A place in the queue of a connection, which is left when this is dropped.
struct Call {
    link: Link,
    key: Key,
    /// Those of its chunks are among these.
    tickets: RangeInclusive<Ticket>,
    /// How many requests were sent, if that is not all.
    next: Option<usize>,
    /// The connection ends with the call, unless the call was answered.
    blocking: bool,
    answered: bool,
}

/// The connection that carries a call.
enum Link {
    /// One that outlives the call.
    Shared(Arc<Connection>),
    /// One that goes back with the end of the call.
    Lent(Lent),
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

    /// Finds a connection; in state `Waiting` or `Connecting` afterwards.
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
            Carrier::Client(client) => {
                self.exchange.check(Place::Shared)?;
                if self.is_blocking() {
                    let lent = async { client.lend().await.map(Link::Lent) };
                    self.state = State::Connecting(Box::pin(lent));
                    return Ok(());
                }
                match client.current() {
                    Some(connection) => self.send(Link::Shared(connection), cx),
                    None => {
                        let connected = async { client.connected().await.map(Link::Shared) };
                        self.state = State::Connecting(Box::pin(connected));
                        Ok(())
                    }
                }
            }
        }
    }

    fn send(&mut self, link: Link, cx: &Context<'_>) -> Result<()> {
        let deadline = self.deadline();
        let connection = link.connection()?;
        self.state = match connection.send(&self.exchange, deadline, cx.waker(), false)? {
            connection::Place::Sent(key, sent) => {
                State::Waiting(Call::new(link, key, sent, self.is_blocking()))
            }
            connection::Place::InFront(key) => State::InFront(Turn {
                link: Some(link),
                key: Some(key),
                deadline,
            }),
        };
        Ok(())
    }

    /// Sends a call that was let in.
    fn send_admitted(&mut self, cx: &Context<'_>) -> Result<()> {
        let State::InFront(turn) = &mut self.state else {
            return Ok(());
        };
        turn.key = None;
        let Some(link) = &turn.link else {
            return Ok(());
        };
        let connection = link.connection()?;
        let place = connection.send(&self.exchange, turn.deadline, cx.waker(), true)?;
        if let (connection::Place::Sent(key, sent), Some(link)) = (place, turn.link.take()) {
            self.state = State::Waiting(Call::new(link, key, sent, self.is_blocking()));
        }
        Ok(())
    }

    /// Sends the next chunk.
    fn send_more(&mut self, deadline: Option<Instant>) -> Result<()> {
        if let State::Waiting(call) = &mut self.state
            && let Some(first) = call.next
        {
            let connection = call.link.connection()?;
            let sent = connection
                .send_more(&self.exchange, first, call.key, deadline)
                // What was sent before may have been executed.
                .map_err(|error| error.with_outcome(Outcome::Indeterminate))?;
            call.tickets = *call.tickets.start()..=sent.ticket;
            call.next = sent.next;
        }
        Ok(())
    }

    /// When the reply must have come: the patience of the command and the time for a response.
    fn deadline(&self) -> Option<Instant> {
        let client = match self.carrier {
            Carrier::Client(client) => client.config(),
            Carrier::Dedicated(dedicated) => dedicated.config(),
        };
        let allowed = self.exchange.patience().within(client.response_timeout)?;
        time::Instant::now().into_std().checked_add(allowed)
    }

    fn is_blocking(&self) -> bool {
        self.exchange.patience() != Patience::None
    }

    /// Whether to begin again after `error`: on another connection, once, and only if not a byte
    /// of the request was written.
    fn begins_again(&mut self, error: &Error) -> bool {
        matches!(self.carrier, Carrier::Client(_))
            && error.kind() == ErrorKind::Connection
            && !error.may_have_executed()
            && !std::mem::replace(&mut self.retried, true)
    }

    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Result<E::Output>> {
        loop {
            let step = match &mut self.state {
                State::Start if self.exchange.is_empty() => {
                    return Poll::Ready(self.exchange.finish(&[]));
                }
                State::Start => self.start(cx),
                State::Connecting(connecting) => match ready!(connecting.as_mut().poll(cx)) {
                    Ok(link) => self.send(link, cx),
                    Err(error) => return Poll::Ready(Err(error)),
                },
                State::InFront(turn) => match ready!(turn.poll(cx)) {
                    Ok(_) => self.send_admitted(cx),
                    Err(error) => return Poll::Ready(Err(error)),
                },
                State::Waiting(call) => {
                    let polled = match call.poll(cx)? {
                        Polled::Pending => return Poll::Pending,
                        Polled::Answered(polled) => polled,
                        Polled::More => {
                            let deadline = self.deadline();
                            self.send_more(deadline)?;
                            continue;
                        }
                    };
                    match polled {
                        Ok(frames) => return Poll::Ready(self.exchange.finish(frames.as_slice())),
                        Err(error) => Err(error),
                    }
                }
                State::Done => {
                    return Poll::Ready(Err(Error::new(
                        ErrorKind::Refused,
                        "the result was taken already",
                    )));
                }
            };
            if let Err(error) = step {
                if !self.begins_again(&error) {
                    return Poll::Ready(Err(error));
                }
                self.state = State::Start;
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
            State::InFront(_) => "waiting for its turn",
            State::Waiting(_) => "waiting for the reply",
            State::Done => "done",
        };
        write!(f, "{} ({state})", self.exchange.name())
    }
}

impl Link {
    fn connection(&self) -> Result<&Connection> {
        match self {
            Self::Shared(connection) => Ok(connection),
            Self::Lent(lent) => Ok(lent.connection()?),
        }
    }
}

impl Turn {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Frames>> {
        let (Some(link), Some(key)) = (&self.link, self.key) else {
            return Poll::Pending;
        };
        let result = ready!(link.connection()?.poll_turn(key, cx.waker()));
        self.key = None;
        Poll::Ready(result)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(link) = &self.link
            && let Ok(connection) = link.connection()
        {
            connection.forget_turn(self.key);
        }
    }
}

impl Call {
    fn new(link: Link, key: Key, sent: Sent, blocking: bool) -> Self {
        Self {
            link,
            key,
            tickets: sent.ticket..=sent.ticket,
            next: sent.next,
            blocking,
            answered: false,
        }
    }

    fn poll(&mut self, cx: &Context<'_>) -> Result<Polled> {
        let connection = self.link.connection()?;
        let polled = connection.poll(self.key, &self.tickets, cx.waker());
        if let Polled::Answered(result) = &polled {
            self.answered = true;
            if self.blocking && result.is_err() {
                connection.close(given_up());
            }
        }
        Ok(polled)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        if let Ok(connection) = self.link.connection() {
            connection.forget(self.key, &self.tickets);
            if self.blocking {
                connection.close(given_up());
            }
        }
    }
}

fn given_up() -> Error {
    Error::new(
        ErrorKind::Connection,
        "a blocking command was given up, which ends the connection that it waits on",
    )
}
