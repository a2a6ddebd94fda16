//! What holds for one call, of the settings of its client and of the options of its caller.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    options::{CallOptions, RetryPolicy},
    record::CallRecord,
};
use crate::{
    address::NodeAddress,
    back_off,
    cluster::{NodeId, ReadFrom},
    command::Patience,
    config::Config,
    protocol::TimeLimit,
};

/// What holds for one call.
#[derive(Clone, Debug)]
pub(crate) struct CallSettings {
    /// The node that its caller names by its address.
    pub(super) address: Option<NodeAddress>,
    /// The node that is to run it, whatever the command asks for.
    pub(crate) node: Option<NodeId>,
    /// Which node of a shard runs what only reads, if it is not as for all calls.
    pub(crate) read_from: Option<ReadFrom>,
    /// Whether a command may be sent in parts, which is not atomic.
    pub(crate) parts: bool,
    /// Whether a map with the answer of each node is an answer.
    pub(crate) per_node: bool,
    /// The slot of its keys, if it chooses among the shared connections to a server.
    pub(crate) slot: Option<u16>,
    /// Whether a second run does no harm, although the facts of the command do not promise that.
    pub(crate) idempotent: bool,
    /// What is sent again, how often at most, and after what pause.
    pub(super) retry: RetryPolicy,
    pub(super) retries: Option<u32>,
    pub(super) retry_backoff: Duration,
    pub(crate) time: CallTime,
    /// What is kept of it, if a listener watches it.
    pub(super) record: Option<Arc<CallRecord>>,
}

/// When a call began, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallTime {
    /// When it began.
    pub(crate) begun: Option<Instant>,
    /// When it ends, come what may but for what the server may hold back.
    pub(crate) deadline: Option<Instant>,
    /// How long it may take, which begins anew when a server has held an answer back.
    pub(super) allowed: Option<Duration>,
    /// The server may hold nothing back beyond that, and nothing begins anew.
    absolute: bool,
}

impl CallTime {
    /// That of a call that ends then.
    pub(crate) fn until(deadline: Option<Instant>) -> Self {
        Self {
            begun: None,
            deadline,
            allowed: None,
            absolute: false,
        }
    }

    /// That of a call that begins now.
    #[inline]
    pub(crate) fn of(config: &Config, options: &CallOptions, now: Instant) -> Self {
        let allowed = options.timeout.or(config.response_timeout);
        Self {
            begun: Some(now),
            deadline: allowed.and_then(|allowed| now.checked_add(allowed)),
            allowed,
            absolute: options.timeout.is_some(),
        }
    }

    /// How long the answer may take, wherever it has got to.
    pub(crate) fn limit(&self, deadline: Option<Instant>, patience: Patience) -> TimeLimit {
        match self.absolute {
            true => TimeLimit::Whole(deadline),
            false => TimeLimit::First(deadline, self.allowed).with(patience),
        }
    }

    /// How long each chunk of a long exchange may take, beyond what the server may hold back.
    #[inline]
    pub(crate) fn chunk_limit(&self) -> TimeLimit {
        match self.absolute {
            true => TimeLimit::Whole(self.deadline),
            false => TimeLimit::Each(self.allowed),
        }
    }

    /// The same for a call that has a connection by that time.
    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn limit_from(&self, now: Instant) -> TimeLimit {
        if self.absolute || self.begun == Some(now) {
            return self.chunk_limit();
        }
        TimeLimit::First(self.deadline, self.allowed)
    }

    /// When it ends after a server may have held an answer back until now; `None` if that moves nothing.
    pub(super) fn extended(&self, patience: Patience, now: Instant) -> Option<Option<Instant>> {
        let moves = patience != Patience::None && !self.absolute;
        moves.then(|| self.allowed.and_then(|allowed| now.checked_add(allowed)))
    }
}

impl CallSettings {
    /// What is promised without being asked for.
    pub(crate) fn until(deadline: Option<Instant>) -> Self {
        Self {
            address: None,
            node: None,
            read_from: None,
            parts: true,
            per_node: false,
            slot: None,
            idempotent: false,
            retry: RetryPolicy::Safe,
            retries: None,
            retry_backoff: back_off::FIRST,
            time: CallTime::until(deadline),
            record: None,
        }
    }

    /// The same for a call with keys of that slot, if it chooses among shared connections.
    #[cfg(feature = "async")]
    pub(crate) fn with_slot(self, slot: Option<u16>) -> Self {
        Self { slot, ..self }
    }

    /// What holds for a call with that time.
    pub(crate) fn of(config: &Config, options: &CallOptions, time: CallTime) -> Self {
        Self {
            address: options.node.clone(),
            node: None,
            read_from: options.read_from.clone(),
            parts: config.cluster.split,
            per_node: false,
            slot: None,
            idempotent: options.idempotent,
            retry: options.retry,
            retries: config.retries,
            retry_backoff: config.retry_backoff,
            time,
            record: None,
        }
    }

    /// The same for a call of which something is kept.
    pub(crate) fn recorded(self, record: Option<&Arc<CallRecord>>) -> Self {
        Self {
            record: record.cloned(),
            ..self
        }
    }
}
