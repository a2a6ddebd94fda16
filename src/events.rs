//! What happens to connections and calls, as the machines tell it.
//!
//! The machines of a connection, of a link and of a call each hold an [`Events`] and tell it what an
//! operator would want to know. A client counts these events, which are rare, and has a [`Sink`] where
//! it has a listener. The end of every call is told only where a listener wants that.
//!
//! A machine tells an event in the middle of a step, often under a lock. A sink therefore only keeps
//! what it is told; whoever hands events to code of users does so later, in a place of its own
//! ([`observe`](crate::observe)).
//!
//! An event holds no argument, value or secret of a call. Its errors print as all others do.

mod counts;
mod display;

use std::{
    any::Any,
    borrow::Cow,
    fmt,
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

pub(crate) use counts::Counted;

use self::counts::EventCounts;
use crate::{
    address::Address,
    error::{Error, ErrorKind, Phase},
};

/// Something that happened to a connection, a call or the topology of a cluster.
///
/// Its text is a sentence for people; what programs act on are its parts. More kinds, and more parts
/// of each, may come.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An attempt to connect begins.
    #[non_exhaustive]
    Connecting {
        /// The server that is dialled.
        server: Arc<Address>,
        /// How many attempts have failed since a connection was last made.
        failures: u32,
    },
    /// A connection was made and may be used.
    #[non_exhaustive]
    Connected {
        /// The server that it leads to.
        server: Arc<Address>,
        /// How long it took to resolve, dial and greet.
        took: Duration,
    },
    /// An attempt to connect has failed.
    #[non_exhaustive]
    ConnectFailed {
        /// The server that was dialled.
        server: Arc<Address>,
        /// Why.
        error: Error,
        /// How long it is until the next attempt may be made.
        pause: Duration,
    },
    /// A connection is used no longer.
    #[non_exhaustive]
    Disconnected {
        /// The server that it led to.
        server: Arc<Address>,
        /// Why.
        reason: DisconnectReason,
        /// What the socket, the peer or the server has said, where that is the reason.
        error: Option<Error>,
    },
    /// A call is sent again.
    #[non_exhaustive]
    Retried {
        /// The name of the command, or of the batch.
        command: Cow<'static, str>,
        /// How often it was sent before.
        attempts: u32,
        /// What came of the attempt before.
        error: Error,
    },
    /// A node of a cluster has sent a call to another one.
    #[non_exhaustive]
    Redirected {
        /// The name of the command, or of the batch.
        command: Cow<'static, str>,
        /// The node that has answered.
        from: Arc<Address>,
        /// The node that it names.
        to: Arc<Address>,
        /// Whether it holds for this call alone (`ASK`), and not for the slot (`MOVED`).
        once: bool,
    },
    /// The time of a call has run out, whatever error its caller gets.
    ///
    /// It is told once for each phase, at the end of the call.
    #[non_exhaustive]
    TimedOut {
        /// The name of the command, or of the batch.
        command: Cow<'static, str>,
        /// What it was waiting for; that is also `Queue` where it waited for a server that could take it.
        phase: Phase,
        /// How long the call has taken.
        after: Duration,
    },
    /// The nodes of a cluster, or the slots that they serve, are not what they were.
    #[non_exhaustive]
    TopologyChanged {
        /// How many nodes are known.
        nodes: usize,
        /// How many slots have a primary.
        slots: usize,
        /// Which slots have another primary than before, in no order; empty where only replicas
        /// have come or gone.
        moved: Vec<MovedSlots>,
    },
    /// A caller has waited for a connection of a pool.
    #[non_exhaustive]
    PoolWaited {
        /// The server that the connections of the pool lead to.
        server: Arc<Address>,
        /// How long.
        waited: Duration,
        /// Whether the caller has got a connection, or leave to make one.
        served: bool,
    },
    /// A call has ended: each is told once, however it ended.
    #[non_exhaustive]
    CallEnded {
        /// The name of the command, such as `XGROUP CREATE`; of a batch `PIPELINE` or `MULTI`, and
        /// behind that the name of its commands, where all have the same.
        operation: Cow<'static, str>,
        /// How many commands there were, of a batch of two or more, or of none.
        batch_size: Option<usize>,
        /// The server, or the node of a cluster, that it was last sent to, if it got so far.
        server: Option<Arc<Address>>,
        /// How long it has taken, from when it was first polled or called.
        took: Duration,
        /// How it ended.
        outcome: CallOutcome,
        /// How often it, or a part of it, was sent again.
        retries: u32,
        /// How often it, or a part of it, was sent on to another node.
        redirects: u32,
    },
    /// The listeners of a client were told later than events came, and so many are missing in front
    /// of this one.
    #[non_exhaustive]
    EventsDropped {
        /// How many.
        events: u64,
    },
}

/// How a call has ended.
///
/// It has no text of a server, in which values might be; the caller has the [`Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// Its caller has got what was answered.
    Answered,
    /// Its caller has got an error.
    #[non_exhaustive]
    Failed {
        /// What kind of error.
        kind: ErrorKind,
        /// The code of the server's error reply, if it has one.
        code: Option<Box<str>>,
        /// Whether the server may have run the command nevertheless.
        may_have_executed: bool,
    },
    /// Its caller has left: the future was dropped before it was done.
    Cancelled,
}

/// Slots that have another primary than before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MovedSlots {
    /// Their ranges, in order.
    pub ranges: Vec<RangeInclusive<u16>>,
    /// Their primary until then, if they had one.
    pub from: Option<Arc<Address>>,
    /// Their primary by now, if they have one.
    pub to: Option<Arc<Address>>,
}

/// Why a connection is used no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The server has closed it, or the network has broken it.
    Ended,
    /// The peer has sent what is no RESP, or what nobody has asked for.
    Protocol,
    /// Nothing has come from the peer for so long that it was given up.
    Mute,
    /// The task that drives it does not run.
    Stalled,
    /// More messages have come than may be unread.
    Unread,
    /// It has reached its lifetime.
    Old,
    /// Nobody has used it for too long.
    Idle,
    /// It may not be as it was when it was made: a reply is owed, or a command has changed it.
    Dirty,
    /// The server says that it is not the one that clients should use.
    Demoted,
    /// The name of the server leads elsewhere.
    Moved,
    /// It was made by another process, of which this one is a fork.
    Forked,
    /// The client has closed it.
    Closed,
}

impl DisconnectReason {
    /// Whether the client had no wish to end it.
    #[must_use]
    pub fn is_loss(self) -> bool {
        match self {
            Self::Ended | Self::Protocol | Self::Mute | Self::Stalled | Self::Unread => true,
            Self::Demoted | Self::Moved => true,
            Self::Old | Self::Idle | Self::Dirty | Self::Forked | Self::Closed => false,
        }
    }
}

impl CallOutcome {
    /// That of a call with this result.
    pub(crate) fn of<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Answered,
            Err(error) => Self::Failed {
                kind: error.kind(),
                code: error.code().map(Box::from),
                may_have_executed: error.may_have_executed(),
            },
        }
    }

    /// A word for the class of what went wrong, `None` if nothing did: the code of the server's error
    /// reply, the kind of the error in snake case, that of a time-out with its phase
    /// (`timeout_reply`), or `cancelled`.
    ///
    /// It is what OpenTelemetry calls `error.type`.
    #[must_use]
    pub fn error_type(&self) -> Option<&str> {
        match self {
            Self::Answered => None,
            Self::Cancelled => Some("cancelled"),
            Self::Failed { kind, code, .. } => Some(code.as_deref().unwrap_or(match kind {
                ErrorKind::Server => "server",
                ErrorKind::Connect => "connect",
                ErrorKind::Connection => "connection",
                ErrorKind::Timeout(Phase::Queue) => "timeout_queue",
                ErrorKind::Timeout(Phase::Connect) => "timeout_connect",
                ErrorKind::Timeout(Phase::Write) => "timeout_write",
                ErrorKind::Timeout(Phase::Reply) => "timeout_reply",
                ErrorKind::Protocol => "protocol",
                ErrorKind::Decode => "decode",
                ErrorKind::Argument => "argument",
                ErrorKind::Refused => "refused",
                ErrorKind::Unsupported => "unsupported",
                ErrorKind::Config => "config",
                ErrorKind::Aborted => "aborted",
                ErrorKind::Closed => "closed",
            })),
        }
    }
}

/// Sees what happens to a client; given to it by [`Config::observer`](crate::Config::observer).
///
/// It is told of every call, connection and change of the topology, in the order in which they
/// happened, by a thread that tells all observers of the process. So it may take its time: no call
/// waits for it. What it has not been told by the time 16,384 calls wait for that is left out, and
/// counted by [`Event::EventsDropped`]. A panic in it is caught, and it is told what comes next.
///
/// Every closure over `&Event` is one:
///
/// ```
/// use respec::{Config, observe::Event};
///
/// let config = Config::default().observer(|event: &Event| {
///     if let Event::CallEnded { operation, took, .. } = event {
///         println!("{operation} took {took:?}");
///     }
/// });
/// # let _ = config;
/// ```
pub trait Observer: Send + Sync {
    /// Takes note of an event.
    fn observe(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event) {
        self(event);
    }
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, event: &Event) {
        (**self).observe(event);
    }
}

/// What keeps the events that it is told.
pub(crate) trait Sink: Any + Send + Sync {
    /// Keeps an event, and the time at which it happened.
    ///
    /// A machine may call this under a lock: an implementation neither waits nor runs code of users.
    fn tell(&self, at: Instant, event: Event);

    /// How many events it could not keep.
    fn dropped(&self) -> u64 {
        0
    }
}

/// Where a machine tells its events; to nobody by default. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Events(Option<Arc<OfClient>>);

/// What becomes of the events of one client.
struct OfClient {
    counts: EventCounts,
    sink: Option<Arc<dyn Sink>>,
    /// Whether the end of every call is to be told.
    calls: bool,
}

impl Events {
    /// Those of a client, which are counted, and told to a sink if there is one; `calls` says whether
    /// that wants to know of every call.
    pub(crate) fn of_client(sink: Option<Arc<dyn Sink>>, calls: bool) -> Self {
        Self(Some(Arc::new(OfClient {
            counts: EventCounts::default(),
            sink,
            calls,
        })))
    }

    /// Tells an event, which is made only if a sink listens or counts.
    pub(crate) fn tell(&self, at: Instant, event: impl FnOnce() -> Event) {
        if let Some(client) = &self.0 {
            let event = event();
            client.counts.note(&event);
            if let Some(sink) = &client.sink {
                sink.tell(at, event);
            }
        }
    }

    /// What keeps them, if anything does.
    pub(crate) fn sink(&self) -> Option<&Arc<dyn Sink>> {
        self.0.as_ref()?.sink.as_ref()
    }

    /// Whether the end of every call is to be told.
    pub(crate) fn wants_calls(&self) -> bool {
        self.0.as_ref().is_some_and(|client| client.calls)
    }

    /// What was counted until now.
    pub(crate) fn counted(&self) -> Counted {
        match &self.0 {
            Some(client) => Counted {
                events_dropped: client.sink.as_ref().map_or(0, |sink| sink.dropped()),
                ..client.counts.counted()
            },
            None => Counted::default(),
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listener = match &self.0 {
            Some(client) if client.sink.is_some() => "a sink",
            Some(_) => "counted",
            None => "nobody",
        };
        write!(f, "Events({listener})")
    }
}

#[cfg(test)]
mod clients;

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        cell::RefCell,
        sync::{Mutex, PoisonError},
    };

    use super::*;

    thread_local! {
        static OF_CLIENT: RefCell<Option<Arc<Kept>>> = const { RefCell::new(None) };
    }

    /// Where a client tells its events that is made by this thread, if a test has asked for it.
    pub(crate) fn of_client() -> Option<Arc<dyn Sink>> {
        OF_CLIENT.with_borrow(|kept| Some(Arc::clone(kept.as_ref()?) as Arc<dyn Sink>))
    }

    /// Makes a client, and keeps what it tells.
    pub(crate) fn listening<C>(make: impl FnOnce() -> C) -> (C, Arc<Kept>) {
        let kept = Arc::new(Kept::default());
        OF_CLIENT.set(Some(Arc::clone(&kept)));
        let client = make();
        OF_CLIENT.set(None);
        (client, kept)
    }

    /// Keeps what a machine under test has told.
    #[derive(Default)]
    pub(crate) struct Kept(Mutex<Vec<(Instant, Event)>>);

    impl Kept {
        /// A sink, and the events that lead to it.
        pub(crate) fn new() -> (Arc<Self>, Events) {
            let kept = Arc::new(Self::default());
            let sink: Arc<dyn Sink> = Arc::<Self>::clone(&kept);
            (kept, Events::of_client(Some(sink), false))
        }

        /// What was told since this was last asked.
        pub(crate) fn take(&self) -> Vec<(Instant, Event)> {
            std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }

    impl Sink for Kept {
        fn tell(&self, at: Instant, event: Event) {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push((at, event));
        }
    }

    #[test]
    fn events_are_told_in_order_and_made_only_for_a_sink() {
        let event = |slots| Event::TopologyChanged {
            nodes: 3,
            slots,
            moved: Vec::new(),
        };
        Events::default().tell(Instant::now(), || panic!("nobody listens"));

        let (kept, events) = Kept::new();
        let now = Instant::now();
        let other = events.clone();
        events.tell(now, || event(1));
        other.tell(now + Duration::from_secs(1), || event(2));
        let told = kept.take();
        assert!(matches!(
            told[..],
            [
                (first, Event::TopologyChanged { slots: 1, .. }),
                (_, Event::TopologyChanged { slots: 2, .. }),
            ] if first == now
        ));
        assert!(kept.take().is_empty());
        assert_eq!(events.counted().topology_changes, 2);
        let counted = Events::of_client(None, false);
        assert_eq!(
            format!("{:?} {counted:?} {events:?}", Events::default()),
            "Events(nobody) Events(counted) Events(a sink)"
        );
    }
}
