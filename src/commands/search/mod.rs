//! Full-text and vector search over hashes and JSON.
//!
//! The commands that define and query indexes are written by hand, because they have options that
//! depend on the type of a field, steps in any order, and replies that only who knows the request can
//! read: [`FtCreate`] and [`FtAlter`] with their [`Schema`], [`FtSearch`], [`FtAggregate`],
//! [`FtHybrid`] and [`FtProfile`]. They have the same form as the generated ones.

mod aggregate;
mod arguments;
mod hybrid;
mod index;
mod profile;
pub mod queries;
mod query;
mod schema;

pub use aggregate::{Collect, FtAggregate, FtAggregateReply, Reducer};
pub use arguments::{FieldAs, QueryParam, SortKey};
pub use hybrid::{
    FtHybrid, HybridCombine, HybridCursor, HybridFilter, HybridPolicy, HybridSearch, HybridSorting,
    HybridVsim, Knn, Linear, Rrf, VectorRange,
};
pub use index::{FtAlter, FtCreate, IndexAll, IndexDataType};
pub use profile::{FtProfile, ProfiledQuery, QueryType, QueryWords};
pub use query::{FtSearch, Highlight, RadiusType, Summarize};
pub use schema::{
    AnyKind, DistanceMetric, Field, FieldKind, Flat, Geo, Geoshape, Hnsw, Numeric, Schema,
    SortableKind, SvsVamana, Tag, Text, Vector, VectorAlgorithm, VectorCompression, VectorType,
};

include!(concat!(env!("OUT_DIR"), "/commands/search.rs"));
