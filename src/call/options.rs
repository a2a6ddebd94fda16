//! What a caller wants of its calls, where that is not what holds for the whole client.

use std::{sync::Arc, time::Duration};

use crate::{address::NodeAddress, config::ReadFrom};

/// What a caller wants of its calls; given to a client with `with`.
///
/// ```no_run
/// # async fn example(client: respec::Client) -> respec::Result<()> {
/// use std::time::Duration;
///
/// use respec::{CallOptions, prelude::*};
///
/// let quick = client.with(CallOptions::new().timeout(Duration::from_millis(50)));
/// let name = quick.get("name").await?;
///
/// // Whoever knows that a second run does no harm may say so.
/// let sure = client.with(CallOptions::new().idempotent());
/// sure.hset("user:7", ("name", "Ada")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    pub(super) timeout: Option<Duration>,
    pub(super) retry: RetryPolicy,
    pub(super) idempotent: bool,
    pub(super) read_from: Option<ReadFrom>,
    pub(super) node: Option<NodeAddress>,
}

/// What is sent again when it has failed.
///
/// Redirects of a cluster are followed in any case: they are a part of finding the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryPolicy {
    /// Nothing: the first failure is the answer.
    Never,
    /// What was certainly not executed, and what does no harm when it runs twice: what only reads, and
    /// what is [`idempotent`](CallOptions::idempotent) by the caller's word.
    #[default]
    Safe,
}

impl CallOptions {
    /// What holds for the client, in every respect.
    const NONE: Self = Self {
        timeout: None,
        retry: RetryPolicy::Safe,
        idempotent: false,
        read_from: None,
        node: None,
    };

    /// Options that change nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::NONE
    }

    /// Ends each call after that time at the latest: waits for a connection, tries and pauses, and the
    /// time that a blocking command lets the server wait, all together.
    ///
    /// In place of [`response_timeout`](crate::Config::response_timeout), to which such waits add, and
    /// which begins anew with each chunk of a long pipeline.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            ..self
        }
    }

    /// Sets what is sent again when it has failed.
    #[must_use]
    pub fn retry(self, retry: RetryPolicy) -> Self {
        Self { retry, ..self }
    }

    /// Says that a second run of a command does no harm, so that it may be sent again although it may
    /// have been executed.
    ///
    /// Only the caller can know that: `HSET` that runs again overwrites what another caller has written
    /// in between, and `INCR` counts twice.
    #[must_use]
    pub fn idempotent(self) -> Self {
        Self {
            idempotent: true,
            ..self
        }
    }

    /// Sets which nodes of a cluster run what only reads, in place of
    /// [`read_from`](crate::Config::read_from).
    #[must_use]
    pub fn read_from(self, read_from: ReadFrom) -> Self {
        Self {
            read_from: Some(read_from),
            ..self
        }
    }

    /// Names the node that runs the commands, whatever their keys; what it answers is the answer.
    ///
    /// Calls fail with [`ErrorKind::Refused`](crate::ErrorKind::Refused) where no such node is known.
    #[must_use]
    pub fn node(self, node: NodeAddress) -> Self {
        Self {
            node: Some(node),
            ..self
        }
    }

    /// Those that a client was given, or none.
    #[inline]
    pub(crate) fn given(options: &Option<Arc<Self>>) -> &Self {
        options.as_deref().unwrap_or(&Self::NONE)
    }

    /// Whether calls are for one node, whatever they ask for.
    pub(crate) fn names_node(&self) -> bool {
        self.node.is_some()
    }

    /// Whether a call goes elsewhere than its keys and the settings of the client say.
    #[inline]
    pub(crate) fn names_nodes(&self) -> bool {
        self.node.is_some() || self.read_from.is_some()
    }
}
