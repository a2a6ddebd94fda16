//! The span of a call.

pub(in super::super) use tracing::span::EnteredSpan as Entered;
use tracing::{Level, Span, field::Empty, level_filters};

use super::{
    super::about::{About, SYSTEM, peer},
    TARGET,
};
use crate::{address::Address, config::Config, events::CallOutcome};

/// The span of a call, as a child of the span in which the caller is.
pub(in super::super) struct CallSpan(Span);

impl CallSpan {
    /// Whether calls may want spans: a subscriber listens at the level `trace`.
    #[inline]
    pub(in super::super) fn is_wanted() -> bool {
        Level::TRACE <= level_filters::STATIC_MAX_LEVEL
            && Level::TRACE <= level_filters::LevelFilter::current()
    }

    /// Begins the span of a call with that name, a batch of so many commands.
    pub(in super::super) fn new(
        config: &Config,
        operation: &str,
        batch_size: Option<usize>,
    ) -> Self {
        if !Self::is_wanted() {
            return Self(Span::none());
        }
        let about = About::new(config);
        Self(tracing::trace_span!(
            target: TARGET,
            "call",
            otel.kind = "client",
            otel.name = operation,
            otel.status_code = Empty,
            db.system.name = SYSTEM,
            db.operation.name = operation,
            db.operation.batch.size = batch_size,
            db.namespace = about.namespace,
            db.response.status_code = Empty,
            server.address = about.address,
            server.port = about.port,
            network.peer.address = Empty,
            network.peer.port = Empty,
            error.type = Empty,
        ))
    }

    /// Whether no subscriber wants it.
    pub(in super::super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Has what happens now belong to the call.
    pub(in super::super) fn enter(&self) -> Entered {
        self.0.clone().entered()
    }

    /// Says how the call has ended, and which node it was sent to last.
    pub(in super::super) fn end(&self, outcome: &CallOutcome, server: Option<&Address>) {
        if let Some((address, port)) = server.and_then(peer) {
            self.0.record("network.peer.address", address);
            self.0.record("network.peer.port", port);
        }
        let Some(error) = outcome.error_type() else {
            return;
        };
        self.0.record("error.type", error);
        self.0.record("otel.status_code", "ERROR");
        if let CallOutcome::Failed {
            code: Some(code), ..
        } = outcome
        {
            self.0.record("db.response.status_code", &**code);
        }
    }
}
