//! What happens to connections and calls, as the machines tell it.
//!
//! The machines of a connection, of a link and of a call each hold an [`Events`] and tell it what an
//! operator would want to know. Where nobody listens that is one branch: the event is not even made.
//!
//! A machine tells an event in the middle of a step, often under a lock. A [`Sink`] therefore only
//! keeps what it is told; whoever hands events to code of users does so later, in a place of its
//! own. So an observer, a log or a counter can be added without a change to any machine.
//!
//! An event holds no argument, value or secret of a call. Its errors print as all others do.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    address::Address,
    error::{Error, Phase},
};

/// Something that happened to a connection, a link or a call.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// An attempt to connect begins.
    Dialling {
        /// The server that is dialled.
        server: Arc<Address>,
        /// How many attempts have failed since a connection was last made.
        failures: u32,
    },
    /// A connection was made and may be used.
    Ready {
        /// The server that it leads to.
        server: Arc<Address>,
        /// How long it took to resolve, dial and greet.
        took: Duration,
    },
    /// An attempt to connect has failed.
    NotReady {
        /// The server that was dialled.
        server: Arc<Address>,
        /// Why.
        error: Error,
        /// How long it is until the next attempt may be made.
        pause: Duration,
    },
    /// A connection is used no longer.
    Lost {
        /// The server that it led to.
        server: Arc<Address>,
        /// Why.
        reason: LossReason,
        /// What the socket, the peer or the server has said, where that is the reason.
        error: Option<Error>,
    },
    /// A call is sent again.
    Retried {
        /// The name of the command, or of the batch.
        command: Arc<str>,
        /// How often it was sent before.
        attempts: u32,
        /// What came of the attempt before.
        error: Error,
    },
    /// A node of a cluster has sent a call to another one.
    Redirected {
        /// The name of the command, or of the batch.
        command: Arc<str>,
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
    TimedOut {
        /// The name of the command, or of the batch.
        command: Arc<str>,
        /// What it was waiting for; that is also `Queue` where it waited for a server that could take it.
        phase: Phase,
        /// How long the call has taken.
        after: Duration,
    },
    /// The nodes of a cluster, or the slots that they serve, are not what they were.
    TopologyChanged {
        /// How many nodes are known.
        nodes: usize,
        /// How many slots have a node.
        slots: usize,
    },
    /// A caller has waited for a connection of a pool.
    PoolWait {
        /// The server that the connections of the pool lead to.
        server: Arc<Address>,
        /// How long.
        waited: Duration,
        /// Whether the caller has got a connection, or leave to make one.
        served: bool,
    },
}

/// Why a connection is used no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LossReason {
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

/// What keeps the events that it is told.
pub(crate) trait Sink: Send + Sync {
    /// Keeps an event, and the time at which it happened.
    ///
    /// A machine may call this under a lock: an implementation neither waits nor runs code of users.
    fn tell(&self, at: Instant, event: Event);
}

/// Where a machine tells its events; to nobody by default. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Events(Option<Arc<dyn Sink>>);

impl Events {
    /// Events that are told to `sink`.
    pub(crate) fn to(sink: Arc<dyn Sink>) -> Self {
        Self(Some(sink))
    }

    /// Those of a client that is made now.
    pub(crate) fn of_client() -> Self {
        #[cfg(test)]
        if let Some(events) = tests::of_client() {
            return events;
        }
        Self::default()
    }

    /// Tells an event, which is made only if somebody listens.
    pub(crate) fn tell(&self, at: Instant, event: impl FnOnce() -> Event) {
        if let Some(sink) = &self.0 {
            sink.tell(at, event());
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listener = if self.0.is_some() { "a sink" } else { "nobody" };
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
        static OF_CLIENT: RefCell<Option<Events>> = const { RefCell::new(None) };
    }

    /// What a client tells its events that is made by this thread, if a test has asked for it.
    pub(crate) fn of_client() -> Option<Events> {
        OF_CLIENT.with_borrow(Clone::clone)
    }

    /// Makes a client, and keeps what it tells.
    pub(crate) fn listening<C>(make: impl FnOnce() -> C) -> (C, Arc<Kept>) {
        let (kept, events) = Kept::new();
        OF_CLIENT.set(Some(events));
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
            (Arc::clone(&kept), Events::to(kept))
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
        let event = |slots| Event::TopologyChanged { nodes: 3, slots };
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
        assert_eq!(
            format!("{:?} {events:?}", Events::default()),
            "Events(nobody) Events(a sink)"
        );
    }
}
