//! Replies as Rust types.
//!
//! [`Decode`] is what the reply types of commands implement. It goes by the set of forms that a
//! type accepts and not by the tag on the wire, so that RESP2 and RESP3 give the same value.
//! [`FromReply`] is what callers may ask for with `decode::<T>()`: every type that serde can
//! deserialize. Neither does any IO.

mod bloom;
mod client;
mod cluster;
mod decode;
mod deserialize;
mod error;
mod fields;
mod from_reply;
mod geo;
mod info;
mod json;
mod monitor;
mod push;
mod role;
mod search;
mod stream;
mod structs {
    include!(concat!(env!("OUT_DIR"), "/commands/structs.rs"));
}
mod text;
mod time;
mod timeseries;
mod value;
mod vector_set;

pub use bloom::{BloomInfoValue, CuckooInsert};
pub use client::ClientFlags;
pub use cluster::ClusterNode;
pub use decode::{Decode, OneOrMany, ScanPage, Scanned, ok_or_nil};
pub use error::DecodeError;
pub use fields::{Fields, Parts};
pub use from_reply::{Asked, FromReply};
pub use geo::GeoHit;
pub use info::{InfoSection, ServerInfo, ServerRole};
pub use json::{JsonNumber, JsonNumbers, JsonTypes};
pub use monitor::MonitorLine;
pub use push::Push;
pub use role::Role;
#[cfg(feature = "search")]
pub(crate) use search::SearchResultOptions;
pub use search::{
    AggregateResult, IndexAttribute, SearchParameter, SearchResult, SearchScore, SpellCheck,
    SpellCheckTerm, Suggestions,
};
pub use stream::StreamEntry;
pub use structs::*;
pub use text::{FromText, read_line, read_lines, read_text};
pub use time::{Expiration, ServerTime};
pub use timeseries::{TsLastList, TsRules, TsSeriesList};
pub use value::Value;
pub use vector_set::VsimHits;
