//! What a link tells of its server.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    address::Address,
    error::Error,
    events::{DisconnectReason, Event, Events},
};

/// Tells what happens to the connections to one server.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    server: Arc<Address>,
    events: Events,
}

impl Reporter {
    pub(crate) fn new(server: Arc<Address>, events: Events) -> Self {
        Self { server, events }
    }

    /// The server that it tells of.
    pub(crate) fn server(&self) -> &Arc<Address> {
        &self.server
    }

    pub(super) fn dialling(&self, now: Instant, failures: u32) {
        self.events.tell(now, || Event::Connecting {
            server: Arc::clone(&self.server),
            failures,
        });
    }

    pub(super) fn ready(&self, now: Instant, since: Instant) {
        self.events.tell(now, || Event::Connected {
            server: Arc::clone(&self.server),
            took: now.saturating_duration_since(since),
        });
    }

    pub(super) fn not_ready(&self, now: Instant, error: &Error, pause: Duration) {
        self.events.tell(now, || Event::ConnectFailed {
            server: Arc::clone(&self.server),
            error: error.clone(),
            pause,
        });
    }

    pub(super) fn lost(&self, now: Instant, reason: DisconnectReason, error: Option<&Error>) {
        self.events.tell(now, || Event::Disconnected {
            server: Arc::clone(&self.server),
            reason,
            error: error.cloned(),
        });
    }

    pub(super) fn pool_wait(&self, now: Instant, waited: Duration, served: bool) {
        self.events.tell(now, || Event::PoolWaited {
            server: Arc::clone(&self.server),
            waited,
            served,
        });
    }
}
