//! How often what has happened to a client, whether a sink listens or not.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Event;

/// Counts the events of one client, which may be told by several threads.
#[derive(Debug, Default)]
pub(super) struct EventCounts {
    connected: AtomicU64,
    connect_failures: AtomicU64,
    disconnected: AtomicU64,
    lost: AtomicU64,
    reconnects: AtomicU64,
    retries: AtomicU64,
    redirects: AtomicU64,
    timeouts: AtomicU64,
    pool_waits: AtomicU64,
    topology_changes: AtomicU64,
}

/// How often what has happened until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) connected: u64,
    pub(crate) connect_failures: u64,
    /// Connections that are used no longer, for whatever reason.
    pub(crate) disconnected: u64,
    /// Of these, the ones that the client had no wish to end.
    pub(crate) lost: u64,
    /// Connections that were made after one was lost, at most one for each that was.
    pub(crate) reconnects: u64,
    pub(crate) retries: u64,
    pub(crate) redirects: u64,
    pub(crate) timeouts: u64,
    pub(crate) pool_waits: u64,
    pub(crate) topology_changes: u64,
    /// Events that no listener was told.
    pub(crate) events_dropped: u64,
}

impl EventCounts {
    /// Takes note of an event.
    pub(super) fn note(&self, event: &Event) {
        let counter = match event {
            Event::Connected { .. } => {
                if self.reconnects.load(Ordering::Relaxed) < self.lost.load(Ordering::Relaxed) {
                    add_one(&self.reconnects);
                }
                &self.connected
            }
            Event::ConnectFailed { .. } => &self.connect_failures,
            Event::Disconnected { reason, .. } => {
                if reason.is_loss() {
                    add_one(&self.lost);
                }
                &self.disconnected
            }
            Event::Retried { .. } => &self.retries,
            Event::Redirected { .. } => &self.redirects,
            Event::TimedOut { .. } => &self.timeouts,
            Event::PoolWaited { .. } => &self.pool_waits,
            Event::TopologyChanged { .. } => &self.topology_changes,
            Event::Connecting { .. } | Event::CallEnded { .. } | Event::EventsDropped { .. } => {
                return;
            }
        };
        add_one(counter);
    }

    /// How often what has happened until now.
    pub(super) fn counted(&self) -> Counted {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted {
            connected: count(&self.connected),
            connect_failures: count(&self.connect_failures),
            disconnected: count(&self.disconnected),
            lost: count(&self.lost),
            reconnects: count(&self.reconnects),
            retries: count(&self.retries),
            redirects: count(&self.redirects),
            timeouts: count(&self.timeouts),
            pool_waits: count(&self.pool_waits),
            topology_changes: count(&self.topology_changes),
            events_dropped: 0,
        }
    }
}

fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{address::Address, events::DisconnectReason};

    #[test]
    fn a_connection_that_is_made_after_one_was_lost_is_a_reconnect() {
        let counts = EventCounts::default();
        let server = || {
            Arc::new(Address::Tcp {
                host: "h".to_owned(),
                port: 1,
            })
        };
        let made = || Event::Connected {
            server: server(),
            took: Duration::ZERO,
        };
        let ended = |reason| Event::Disconnected {
            server: server(),
            reason,
            error: None,
        };
        for event in [
            made(),
            made(),
            ended(DisconnectReason::Idle),
            made(),
            ended(DisconnectReason::Ended),
            ended(DisconnectReason::Mute),
            made(),
            made(),
            made(),
        ] {
            counts.note(&event);
        }
        let counted = counts.counted();
        assert_eq!(counted.connected, 6);
        assert_eq!((counted.disconnected, counted.lost), (3, 2));
        assert_eq!(counted.reconnects, 2);
    }
}
