//! One exchange on its way over one connection.

use std::{
    future::poll_fn,
    ops::RangeInclusive,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Instant,
};

use super::{
    connection::{self, Connection, Sent},
    pool::PooledConnection,
    runtime::now,
};
use crate::{
    command::Exchange,
    error::{Error, ErrorKind, Result},
    mutant::{self, Mutant},
    protocol::{Key, Polled, Ticket, Time, TimeLimit},
    resp::Frames,
};

/// An exchange that was handed to a connection, or waits in front of it.
///
/// It can be dropped at any time: what was not written by then is not sent, and what comes later
/// is swallowed.
pub(super) struct InFlight {
    state: State,
    /// How long the chunks that follow may take.
    limit: TimeLimit,
}

/// The connection that carries an exchange.
pub(super) enum CallConnection {
    /// One that outlives it.
    Shared(Arc<Connection>),
    /// One that goes back with the end of it.
    Pooled(PooledConnection),
}

enum State {
    /// Waits until less is unanswered.
    InFront(AdmissionWait),
    Waiting(Reservation),
    /// Was answered, or could not be sent.
    Done,
}

/// A place in front of a connection, which is left when this is dropped.
struct AdmissionWait {
    /// `None` once the call was sent.
    carrier: Option<CallConnection>,
    /// `None` once the call was let in.
    key: Option<Key>,
    /// Since and until when it may wait, in front of the connection and for the reply.
    time: Time,
}

/// A place in the queue of a connection, which is left when this is dropped.
struct Reservation {
    carrier: CallConnection,
    key: Key,
    /// Those of its chunks are among these.
    tickets: RangeInclusive<Ticket>,
    /// How many requests were sent, if that is not all.
    next: Option<usize>,
    answered: bool,
}

impl InFlight {
    /// Hands an exchange to a connection, now; `waker` is woken when it is worth polling.
    ///
    /// # Errors
    ///
    /// The connection has ended, or an argument cannot be sent; nothing was sent then.
    pub(super) fn begin<E: Exchange>(
        carrier: CallConnection,
        exchange: &E,
        limit: TimeLimit,
        now: Instant,
        waker: &Waker,
    ) -> Result<Self> {
        let time = limit.time(now);
        let connection = carrier.connection()?;
        let state = match connection.send(exchange, time, waker, false)? {
            connection::SendState::Sent(key, sent) => {
                State::Waiting(Reservation::new(carrier, key, sent))
            }
            connection::SendState::InFront(key) => State::InFront(AdmissionWait {
                carrier: Some(carrier),
                key: Some(key),
                time,
            }),
        };
        Ok(Self {
            state,
            limit: limit.behind_first(),
        })
    }

    /// Whether chunks of the exchange follow, which take polling.
    pub(super) fn has_more_to_send(&self) -> bool {
        matches!(&self.state, State::Waiting(call) if call.next.is_some())
    }

    /// Whether the exchange waits in front of the connection.
    pub(super) fn is_in_front(&self) -> bool {
        matches!(self.state, State::InFront(_))
    }

    /// The frames that answer it; `exchange` is the one that it began with.
    pub(super) fn poll<E: Exchange>(
        &mut self,
        exchange: &E,
        cx: &Context<'_>,
    ) -> Poll<Result<Frames>> {
        let result = ready!(self.poll_frames(exchange, cx));
        // The place is left, and a lent connection goes back.
        self.state = State::Done;
        Poll::Ready(result)
    }

    fn poll_frames<E: Exchange>(&mut self, exchange: &E, cx: &Context<'_>) -> Poll<Result<Frames>> {
        loop {
            match &mut self.state {
                State::InFront(turn) => {
                    ready!(turn.poll(cx))?;
                    if let Some(call) = turn.send(exchange, cx.waker())? {
                        self.state = State::Waiting(call);
                    }
                }
                State::Waiting(call) => match call.poll(cx)? {
                    Polled::Pending | Polled::Stale => return Poll::Pending,
                    Polled::Answered(frames) => return Poll::Ready(frames),
                    Polled::More => call.send_more(exchange, self.limit.time(now()))?,
                },
                State::Done => {
                    return Poll::Ready(Err(Error::new(
                        ErrorKind::Refused,
                        "the result was taken already",
                    )));
                }
            }
        }
    }
}

/// Waits for the frames that answer an exchange.
///
/// # Errors
///
/// As [`InFlight::begin`], and whatever the wait ends with.
pub(super) async fn exchange<E: Exchange>(
    carrier: CallConnection,
    exchange: &E,
    limit: TimeLimit,
) -> Result<Frames> {
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let mut in_flight = InFlight::begin(carrier, exchange, limit, now(), &waker)?;
    poll_fn(|cx| in_flight.poll(exchange, cx)).await
}

impl CallConnection {
    #[inline]
    fn connection(&self) -> Result<&Connection> {
        match self {
            Self::Shared(connection) => Ok(connection),
            Self::Pooled(lent) => Ok(lent.connection()?),
        }
    }
}

impl AdmissionWait {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Frames>> {
        let (Some(carrier), Some(key)) = (&self.carrier, self.key) else {
            return Poll::Pending;
        };
        let result = ready!(carrier.connection()?.poll_turn(key, cx.waker()));
        self.key = None;
        Poll::Ready(result)
    }

    /// Sends a call that was let in.
    fn send<E: Exchange>(&mut self, exchange: &E, waker: &Waker) -> Result<Option<Reservation>> {
        let Some(carrier) = &self.carrier else {
            return Ok(None);
        };
        let connection = carrier.connection()?;
        let place = connection.send(exchange, self.time, waker, true)?;
        Ok(match (place, self.carrier.take()) {
            (connection::SendState::Sent(key, sent), Some(carrier)) => {
                Some(Reservation::new(carrier, key, sent))
            }
            _ => None,
        })
    }
}

impl Drop for AdmissionWait {
    fn drop(&mut self) {
        if let Some(carrier) = &self.carrier
            && let Ok(connection) = carrier.connection()
        {
            connection.forget_turn(self.key);
        }
    }
}

impl Reservation {
    fn new(carrier: CallConnection, key: Key, sent: Sent) -> Self {
        Self {
            carrier,
            key,
            tickets: sent.ticket..=sent.ticket,
            next: sent.next,
            answered: false,
        }
    }

    #[inline]
    fn poll(&mut self, cx: &Context<'_>) -> Result<Polled> {
        let connection = self.carrier.connection()?;
        let polled = connection.poll(self.key, &self.tickets, cx.waker());
        self.answered |= matches!(polled, Polled::Answered(_));
        Ok(polled)
    }

    /// Sends the next chunk.
    fn send_more<E: Exchange>(&mut self, exchange: &E, time: Time) -> Result<()> {
        if let Some(first) = self.next {
            let connection = self.carrier.connection()?;
            let sent = connection.send_more(exchange, first, self.key, time)?;
            self.tickets = *self.tickets.start()..=sent.ticket;
            self.next = sent.next;
        }
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.answered || mutant::is(Mutant::DropUnnoticed) {
            return;
        }
        if let Ok(connection) = self.carrier.connection() {
            connection.forget(self.key, &self.tickets);
        }
    }
}
