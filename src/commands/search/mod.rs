//! Full-text and vector search over hashes and JSON.
//!
//! Two things are written by hand: the [`Schema`] of an index, whose fields have options that depend on
//! their type, and [`FtProfile`], which takes a query as a whole.

pub mod profile;
mod schema;

pub use profile::{FtProfile, ProfiledQuery, QueryType, QueryWords};
pub use schema::{
    AnyKind, DistanceMetric, Field, FieldKind, Flat, Geo, Geoshape, Hnsw, Numeric, Schema,
    SortableKind, SvsVamana, Tag, Text, Vector, VectorAlgorithm, VectorCompression, VectorType,
};

include!(concat!(env!("OUT_DIR"), "/commands/search.rs"));
