//! What of a configuration one connection needs.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use super::Heartbeat;
use crate::{
    address::Address,
    config::{Config, Integrity},
    events::Events,
};

/// How an [`Outbound`](super::Outbound) behaves.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionSettings {
    /// Where the server is, for messages and events.
    pub(crate) server: Arc<Address>,
    /// Where its end is told.
    pub(crate) events: Events,
    /// The bytes of unanswered requests beyond which callers wait.
    pub(crate) max_unanswered: usize,
    /// The bytes of unread messages beyond which it ends; `None` where nobody reads any.
    pub(crate) max_unread: Option<usize>,
    pub(crate) heartbeat: Option<Heartbeat>,
    /// Whether replies are held back until the nonce behind their batch has come.
    pub(crate) proves: bool,
    /// Where nonces begin, which nobody else may know.
    pub(crate) seed: u64,
}

impl ConnectionSettings {
    /// Those of a connection that all callers share.
    pub(crate) fn shared(config: &Config, server: &Arc<Address>, events: &Events) -> Self {
        Self {
            max_unread: None,
            heartbeat: config.heartbeat.map(|interval| Heartbeat {
                interval,
                give_up: config.silence_timeout.max(interval),
            }),
            proves: config.integrity == Integrity::Batch,
            ..Self::lent(config, server, events)
        }
    }

    /// Those of a connection that one caller has for one call, or for as long as it wants.
    #[cfg(feature = "blocking")]
    pub(crate) fn pooled(config: &Config, server: &Arc<Address>, events: &Events) -> Self {
        Self {
            proves: config.integrity == Integrity::Batch,
            ..Self::lent(config, server, events)
        }
    }

    /// Those of a connection that one caller has.
    ///
    /// What that caller does to it is not known: it may block or queue what is sent, so that the server
    /// could not answer a probe.
    pub(crate) fn lent(config: &Config, server: &Arc<Address>, events: &Events) -> Self {
        Self {
            server: Arc::clone(server),
            events: events.clone(),
            max_unanswered: config.max_unanswered,
            max_unread: Some(config.max_unread),
            heartbeat: None,
            proves: false,
            seed: RandomState::new().hash_one(0),
        }
    }
}
