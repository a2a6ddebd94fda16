//! `FT.PROFILE`, which carries a query of another command.

use std::fmt;

use super::{FtAggregate, FtAggregateReply, FtHybrid, FtSearch};
use crate::Result;
use crate::command::{
    self, Arg, Asynchronous, Command, Commands, Detached, Info, IntoList, List, Via,
};
use crate::commands::info;
use crate::reply::{Decode, DecodeError, Value};
use crate::resp::{Reply, Writer};

/// `FT.PROFILE index <SEARCH | AGGREGATE | HYBRID> [LIMITED] QUERY query`
///
/// Runs a search, aggregate or hybrid query and returns its results with timings of each step.
///
/// Since module search 2.2.0 · O(N) · reads only · `@read` `@search` · no keys.
///
/// ```
/// use respec::cmd;
///
/// let search = cmd::ft_search("books", "sea").nocontent().limit(0, 10);
/// let profile = cmd::ft_profile(&search).limited();
/// ```
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct FtProfile<Q, X = Detached> {
    via: X,
    query: Q,
    limited: bool,
}

impl<Q: ProfiledQuery, X> FtProfile<Q, X> {
    fn new(via: X, query: Q) -> Self {
        Self {
            via,
            query,
            limited: false,
        }
    }

    /// `LIMITED`: without details of the reader iterator.
    pub fn limited(mut self) -> Self {
        self.limited = true;
        self
    }
}

impl<Q: ProfiledQuery, X: Via> command::Command for FtProfile<Q, X> {
    type Via = X;
    type Reply = Value;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static Info {
        &info::FT_PROFILE
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::FT_PROFILE.write_name(to);
        self.query.write_index(to);
        self.query.query_type().write_words(to);
        if self.limited {
            to.word(b"LIMITED");
        }
        to.word(b"QUERY");
        self.query.write_query(to);
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<Q: ProfiledQuery, X: Asynchronous<Self>> IntoFuture for FtProfile<Q, X> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<Q: ProfiledQuery, X: Via> fmt::Debug for FtProfile<Q, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// What `FT.PROFILE` can run: an [`FtSearch`], an [`FtAggregate`], an [`FtHybrid`], or the
/// [`QueryWords`] of a query that is not at hand as one of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query that can be profiled",
    label = "expected `FtSearch`, `FtAggregate`, `FtHybrid`, `QueryWords` or a reference to one"
)]
pub trait ProfiledQuery: Send {
    /// The command whose query it is.
    fn query_type(&self) -> QueryType;

    /// Writes the name of the index.
    fn write_index(&self, to: &mut Writer<'_>);

    /// Writes everything after the index.
    fn write_query(&self, to: &mut Writer<'_>);
}

impl<X: Via, S> ProfiledQuery for FtSearch<'_, X, S> {
    fn query_type(&self) -> QueryType {
        QueryType::Search
    }

    fn write_index(&self, to: &mut Writer<'_>) {
        self.index.write(to);
        to.part("index");
    }

    fn write_query(&self, to: &mut Writer<'_>) {
        write_behind_index(self, to);
    }
}

impl<X: Via, S: FtAggregateReply> ProfiledQuery for FtAggregate<'_, X, S> {
    fn query_type(&self) -> QueryType {
        QueryType::Aggregate
    }

    fn write_index(&self, to: &mut Writer<'_>) {
        self.index.write(to);
        to.part("index");
    }

    fn write_query(&self, to: &mut Writer<'_>) {
        write_behind_index(self, to);
    }
}

impl<X: Via, S> ProfiledQuery for FtHybrid<'_, X, S> {
    fn query_type(&self) -> QueryType {
        QueryType::Hybrid
    }

    fn write_index(&self, to: &mut Writer<'_>) {
        self.index.write(to);
        to.part("index");
    }

    fn write_query(&self, to: &mut Writer<'_>) {
        write_behind_index(self, to);
    }
}

/// Writes the words of a query behind its name and its index.
fn write_behind_index(query: &impl Command, to: &mut Writer<'_>) {
    let mut view = |place: usize, word: &[u8]| {
        if place > 1 {
            to.word(word);
        }
    };
    if let Err(error) = Writer::view_words(&mut view, |words| query.write(words)) {
        to.fail(error);
    }
}

impl<Q: ProfiledQuery + Sync> ProfiledQuery for &Q {
    fn query_type(&self) -> QueryType {
        (*self).query_type()
    }

    fn write_index(&self, to: &mut Writer<'_>) {
        (*self).write_index(to);
    }

    fn write_query(&self, to: &mut Writer<'_>) {
        (*self).write_query(to);
    }
}

/// A query as words, passed to the server as they are.
#[derive(Clone, Debug)]
pub struct QueryWords<'a> {
    query_type: QueryType,
    index: Arg<'a>,
    words: List<Arg<'a>>,
}

impl<'a> QueryWords<'a> {
    /// The words that would follow the index in a command of this type.
    #[must_use]
    pub fn new<M>(
        query_type: QueryType,
        index: impl Into<Arg<'a>>,
        words: impl IntoList<Arg<'a>, M>,
    ) -> Self {
        Self {
            query_type,
            index: index.into(),
            words: words.into_list(),
        }
    }
}

impl ProfiledQuery for QueryWords<'_> {
    fn query_type(&self) -> QueryType {
        self.query_type
    }

    fn write_index(&self, to: &mut Writer<'_>) {
        self.index.write(to);
        to.part("index");
    }

    fn write_query(&self, to: &mut Writer<'_>) {
        self.words.require("word of a query", to);
        for word in &self.words {
            word.write(to);
        }
    }
}

/// The command whose query `FT.PROFILE` runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueryType {
    /// `SEARCH`
    Search,
    /// `AGGREGATE`
    Aggregate,
    /// `HYBRID`
    Hybrid,
}

impl QueryType {
    fn write_words(self, to: &mut Writer<'_>) {
        match self {
            Self::Search => to.word(b"SEARCH"),
            Self::Aggregate => to.word(b"AGGREGATE"),
            Self::Hybrid => to.word(b"HYBRID"),
        }
    }
}

/// The command that profiles queries, as a method; every client has it.
pub trait SearchProfileCommands: Commands {
    /// `FT.PROFILE index <SEARCH | AGGREGATE | HYBRID> [LIMITED] QUERY query`
    ///
    /// Runs a search, aggregate or hybrid query and returns its results with timings of each step.
    /// See [`FtProfile`].
    fn ft_profile<Q: ProfiledQuery>(&self, query: Q) -> FtProfile<Q, &Self> {
        FtProfile::new(self, query)
    }
}

impl<T: Commands + ?Sized> SearchProfileCommands for T {}

/// The same command as a value that belongs to no client yet.
pub(crate) mod cmd {
    use super::{FtProfile, ProfiledQuery};
    use crate::command::Detached;

    /// `FT.PROFILE index <SEARCH | AGGREGATE | HYBRID> [LIMITED] QUERY query`
    ///
    /// Runs a search, aggregate or hybrid query and returns its results with timings of each step.
    /// See [`FtProfile`].
    pub fn ft_profile<Q: ProfiledQuery>(query: Q) -> FtProfile<Q> {
        FtProfile::new(Detached, query)
    }
}
