//! The hand-written commands of the group as methods and as values.

use super::{
    Field, FtAggregate, FtAlter, FtCreate, FtHybrid, FtProfile, FtSearch, HybridSearch, HybridVsim,
    ProfiledQuery, Schema,
};
use crate::command::{Arg, Commands};
use crate::commands::info;

/// The commands that define and query search indexes, as methods; every client has them.
pub trait SearchQueryCommands: Commands {
    /// `FT.AGGREGATE index query [option ...] [step ...]`
    ///
    /// Runs a query and passes its results through steps such as grouping, reducing, sorting and
    /// filtering. See [`FtAggregate`].
    fn ft_aggregate<'a>(
        &self,
        index: impl Into<Arg<'a>>,
        query: impl Into<Arg<'a>>,
    ) -> FtAggregate<'a, &Self> {
        FtAggregate::new(self, index.into(), query.into())
    }

    /// `FT.ALTER index [SKIPINITIALSCAN] SCHEMA ADD field`
    ///
    /// Extends the schema of a search index by an attribute. See [`FtAlter`].
    fn ft_alter<'a>(
        &self,
        index: impl Into<Arg<'a>>,
        field: impl Into<Field<'a>>,
    ) -> FtAlter<'a, &Self> {
        FtAlter::new(self, &info::FT_ALTER, index.into(), field.into())
    }

    /// `FT._ALTERIFNX index [SKIPINITIALSCAN] SCHEMA ADD field`
    ///
    /// Extends the schema of a search index by an attribute, unless it has it. See [`FtAlter`].
    fn ft_alterifnx<'a>(
        &self,
        index: impl Into<Arg<'a>>,
        field: impl Into<Field<'a>>,
    ) -> FtAlter<'a, &Self> {
        FtAlter::new(self, &info::FT__ALTERIFNX, index.into(), field.into())
    }

    /// `FT.CREATE index [option ...] SCHEMA field [field ...]`
    ///
    /// Creates a search index over hashes or JSON documents with a given schema. See [`FtCreate`].
    fn ft_create<'a>(
        &self,
        index: impl Into<Arg<'a>>,
        schema: impl Into<Schema<'a>>,
    ) -> FtCreate<'a, &Self> {
        FtCreate::new(self, &info::FT_CREATE, index.into(), schema.into())
    }

    /// `FT._CREATEIFNX index [option ...] SCHEMA field [field ...]`
    ///
    /// Creates a search index with a given schema, unless the index exists. See [`FtCreate`].
    fn ft_createifnx<'a>(
        &self,
        index: impl Into<Arg<'a>>,
        schema: impl Into<Schema<'a>>,
    ) -> FtCreate<'a, &Self> {
        FtCreate::new(self, &info::FT__CREATEIFNX, index.into(), schema.into())
    }

    /// `FT.HYBRID index SEARCH query VSIM field vector [option ...] [step ...]`
    ///
    /// Runs a text query and a vector query on one index and fuses both into a single ranking. See
    /// [`FtHybrid`].
    fn ft_hybrid<'a>(
        &self,
        index: impl Into<Arg<'a>>,
        search: impl Into<HybridSearch<'a>>,
        vsim: impl Into<HybridVsim<'a>>,
    ) -> FtHybrid<'a, &Self> {
        FtHybrid::new(self, index.into(), search.into(), vsim.into())
    }

    /// `FT.PROFILE index <SEARCH | AGGREGATE | HYBRID> [LIMITED] QUERY query`
    ///
    /// Runs a search, aggregate or hybrid query and returns its results with timings of each step.
    /// See [`FtProfile`].
    fn ft_profile<Q: ProfiledQuery>(&self, query: Q) -> FtProfile<Q, &Self> {
        FtProfile::new(self, query)
    }

    /// `FT.SEARCH index query [option ...]`
    ///
    /// Returns the documents of an index that match a query, with their contents or only their
    /// keys. See [`FtSearch`].
    fn ft_search<'a>(
        &self,
        index: impl Into<Arg<'a>>,
        query: impl Into<Arg<'a>>,
    ) -> FtSearch<'a, &Self> {
        FtSearch::new(self, index.into(), query.into())
    }
}

impl<T: Commands + ?Sized> SearchQueryCommands for T {}

/// The same commands as values that belong to no client yet.
pub(crate) mod cmd {
    use super::{
        Arg, Field, FtAggregate, FtAlter, FtCreate, FtHybrid, FtProfile, FtSearch, HybridSearch,
        HybridVsim, ProfiledQuery, Schema, info,
    };
    use crate::command::Detached;

    /// `FT.AGGREGATE index query [option ...] [step ...]`
    ///
    /// Runs a query and passes its results through steps such as grouping, reducing, sorting and
    /// filtering. See [`FtAggregate`].
    pub fn ft_aggregate<'a>(
        index: impl Into<Arg<'a>>,
        query: impl Into<Arg<'a>>,
    ) -> FtAggregate<'a> {
        FtAggregate::new(Detached, index.into(), query.into())
    }

    /// `FT.ALTER index [SKIPINITIALSCAN] SCHEMA ADD field`
    ///
    /// Extends the schema of a search index by an attribute. See [`FtAlter`].
    pub fn ft_alter<'a>(index: impl Into<Arg<'a>>, field: impl Into<Field<'a>>) -> FtAlter<'a> {
        FtAlter::new(Detached, &info::FT_ALTER, index.into(), field.into())
    }

    /// `FT._ALTERIFNX index [SKIPINITIALSCAN] SCHEMA ADD field`
    ///
    /// Extends the schema of a search index by an attribute, unless it has it. See [`FtAlter`].
    pub fn ft_alterifnx<'a>(index: impl Into<Arg<'a>>, field: impl Into<Field<'a>>) -> FtAlter<'a> {
        FtAlter::new(Detached, &info::FT__ALTERIFNX, index.into(), field.into())
    }

    /// `FT.CREATE index [option ...] SCHEMA field [field ...]`
    ///
    /// Creates a search index over hashes or JSON documents with a given schema. See [`FtCreate`].
    pub fn ft_create<'a>(index: impl Into<Arg<'a>>, schema: impl Into<Schema<'a>>) -> FtCreate<'a> {
        FtCreate::new(Detached, &info::FT_CREATE, index.into(), schema.into())
    }

    /// `FT._CREATEIFNX index [option ...] SCHEMA field [field ...]`
    ///
    /// Creates a search index with a given schema, unless the index exists. See [`FtCreate`].
    pub fn ft_createifnx<'a>(
        index: impl Into<Arg<'a>>,
        schema: impl Into<Schema<'a>>,
    ) -> FtCreate<'a> {
        FtCreate::new(Detached, &info::FT__CREATEIFNX, index.into(), schema.into())
    }

    /// `FT.HYBRID index SEARCH query VSIM field vector [option ...] [step ...]`
    ///
    /// Runs a text query and a vector query on one index and fuses both into a single ranking. See
    /// [`FtHybrid`].
    pub fn ft_hybrid<'a>(
        index: impl Into<Arg<'a>>,
        search: impl Into<HybridSearch<'a>>,
        vsim: impl Into<HybridVsim<'a>>,
    ) -> FtHybrid<'a> {
        FtHybrid::new(Detached, index.into(), search.into(), vsim.into())
    }

    /// `FT.PROFILE index <SEARCH | AGGREGATE | HYBRID> [LIMITED] QUERY query`
    ///
    /// Runs a search, aggregate or hybrid query and returns its results with timings of each step.
    /// See [`FtProfile`].
    pub fn ft_profile<Q: ProfiledQuery>(query: Q) -> FtProfile<Q> {
        FtProfile::new(Detached, query)
    }

    /// `FT.SEARCH index query [option ...]`
    ///
    /// Returns the documents of an index that match a query, with their contents or only their
    /// keys. See [`FtSearch`].
    pub fn ft_search<'a>(index: impl Into<Arg<'a>>, query: impl Into<Arg<'a>>) -> FtSearch<'a> {
        FtSearch::new(Detached, index.into(), query.into())
    }
}
