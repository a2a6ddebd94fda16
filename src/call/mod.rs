//! One call from its beginning to its end: where its commands go, what an answer or a loss means for
//! that, and how the answers become one.
//!
//! ```text
//!   exchange ──▶ DirectCall::of ──▶ the node of a slot, or any: sent as it is
//!       │
//!       └──▶ Encoded::of ──▶ plan ──▶ Requests, each for one node ──▶ Answers ──▶ finish_each
//! ```
//!
//! `options` are the wishes of a caller, and `settings` what holds for one call. `route` says which
//! nodes a command asks for, `plan` makes an `attempt` at each of them, `split` and `join` are for
//! commands of several nodes. `instead` is what goes out in the place of a command that a server has
//! refused. `redirect` reads error replies, and `time_out` is what is told of a call whose time has run
//! out, and `record` what is kept of one that a listener watches. `readiness` waits for all nodes. Nothing
//! here does IO, reads a clock or draws a random number. The facts about commands come from the spec by
//! [`Info`](crate::command::Info).

mod answers;
mod attempt;
mod cluster_scan;
mod direct;
mod encoded;
mod instead;
mod join;
#[cfg(test)]
mod live;
mod machine;
mod node_batch;
mod options;
mod outcomes;
mod plan;
mod readiness;
mod record;
mod redirect;
mod request;
mod route;
#[cfg(test)]
mod scripts;
mod settings;
mod split;
mod time_out;

#[cfg(test)]
pub(crate) use attempt::Next;
pub(crate) use cluster_scan::{ClusterScan, ScanStep};
pub(crate) use direct::DirectCall;
pub(crate) use encoded::Encoded;
pub(crate) use instead::Instead;
pub(crate) use machine::{Action, Call, Connect};
#[cfg(test)]
pub(crate) use node_batch::NodeBatch;
pub(crate) use node_batch::PinnedRequest;
pub use options::{CallOptions, RetryPolicy};
#[cfg(test)]
pub(crate) use outcomes::no_connection;
pub(crate) use outcomes::no_connection_to;
pub(crate) use readiness::Readiness;
pub(crate) use record::CallRecord;
pub(crate) use redirect::explained;
pub(crate) use settings::{CallSettings, CallTime};
pub(crate) use time_out::SingleTry;
