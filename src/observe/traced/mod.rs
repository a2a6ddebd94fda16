//! Lines and spans, by the crate `tracing`.

mod log;
mod span;

pub(super) use log::log;
pub(super) use span::{CallSpan, Entered};

/// The target of all lines and spans.
const TARGET: &str = "respec";
