//! What a caller wants of one call.

use std::time::{Duration, Instant};

use crate::{
    cluster::{NodeId, ReadFrom},
    config::Config,
};

/// What a caller wants of one call.
#[derive(Clone, Debug)]
pub(crate) struct CallOptions {
    /// The node that it names, whatever the command asks for.
    pub(crate) node: Option<NodeId>,
    /// Which node of a shard runs what only reads, if it is not as for all calls.
    pub(crate) read_from: Option<ReadFrom>,
    /// Whether a command may be sent in parts, which is not atomic.
    pub(crate) parts: bool,
    /// Whether a map with the answer of each node is an answer.
    pub(crate) per_node: bool,
    /// Whether a second run does no harm, although the facts of the command do not promise that.
    pub(crate) idempotent: bool,
    /// When the call ends, come what may.
    pub(crate) deadline: Option<Instant>,
    /// When it began.
    pub(crate) begun: Option<Instant>,
    /// How long it may take, which begins anew when a server has held an answer back.
    pub(crate) allowed: Option<Duration>,
}

impl CallOptions {
    /// What is promised without being asked for.
    pub(crate) fn until(deadline: Option<Instant>) -> Self {
        Self {
            node: None,
            read_from: None,
            parts: true,
            per_node: false,
            idempotent: false,
            deadline,
            begun: None,
            allowed: None,
        }
    }

    /// How long it may still take when it has a connection, by that time.
    #[cfg(feature = "blocking")]
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        if self.begun == Some(now) {
            return self.allowed;
        }
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(now))
    }

    /// The same for a call that begins now, of which the settings of a client say how long it may
    /// take and whether it may be sent in parts.
    pub(crate) fn of(config: &Config, now: Instant) -> Self {
        let allowed = config.response_timeout;
        Self {
            parts: config.cluster.split,
            begun: Some(now),
            allowed,
            ..Self::until(allowed.and_then(|allowed| now.checked_add(allowed)))
        }
    }
}
