//! `FT.AGGREGATE`, a query followed by steps in the order in which they are given.

use std::{fmt, marker::PhantomData};

use super::arguments::{write_limit, write_option};
use super::{FieldAs, QueryParam, SortKey, arguments::Counting};
use crate::Result;
use crate::command::{
    self, Arg, Asynchronous, Detached, Given, Info, Integer, IntoList, Item, List, Milliseconds,
    Open, Via,
};
use crate::commands::info;
use crate::reply::{AggregateResult, Decode, DecodeError};
use crate::resp::{Reply, Writer};

/// `FT.AGGREGATE index query [VERBATIM] [SCORER scorer] [ADDSCORES] [WITHCOUNT | WITHOUTCOUNT]
/// [LOAD count field [AS name] ...] [TIMEOUT timeout] [LOAD *] [step ...] [WITHCURSOR [COUNT
/// read_size] [MAXIDLE idle_time]] [PARAMS nargs name value [name value ...]] [DIALECT dialect]`
///
/// where a step is one of
///
/// - `GROUPBY nargs property [property ...] [REDUCE function nargs arg ... [AS name] ...]`
/// - `SORTBY nargs property [ASC | DESC] ... [MAX num]`
/// - `APPLY expression AS name`
/// - `FILTER filter`
/// - `LIMIT offset num`
///
/// Runs a query and passes its results through steps such as grouping, reducing, sorting and
/// filtering.
///
/// Steps run, and are sent, in the order of the calls, and may be repeated. All else may be called
/// in any order.
///
/// Since module search 1.1.0 · O(1) · reads only · `@read` `@search` · no keys.
///
/// ```
/// use respec::commands::search::{Reducer, SortKey};
///
/// let per_author = respec::cmd::ft_aggregate("books", "@year:[1950 +inf]")
///     .groupby("@author", [Reducer::count().alias("books"), Reducer::avg("@price").alias("mean")])
///     .filter("@books > 1")
///     .sortby(SortKey::new("@mean").desc())
///     .limit(0, 10);
/// ```
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct FtAggregate<'a, X = Detached, S = (Open,)> {
    via: X,
    index: Arg<'a>,
    query: Arg<'a>,
    verbatim: bool,
    scorer: Option<Arg<'a>>,
    addscores: bool,
    counting: Option<Counting>,
    load: Option<List<FieldAs<'a>>>,
    loadall: bool,
    timeout: Option<Arg<'static>>,
    steps: Vec<Step<'a>>,
    withcursor: bool,
    count: Option<Arg<'static>>,
    maxidle: Option<Arg<'static>>,
    params: Option<List<QueryParam<'a>>>,
    dialect: Option<Arg<'static>>,
    state: PhantomData<fn() -> S>,
}

impl<'a, X> FtAggregate<'a, X> {
    pub(super) fn new(via: X, index: Arg<'a>, query: Arg<'a>) -> Self {
        Self {
            via,
            index,
            query,
            verbatim: false,
            scorer: None,
            addscores: false,
            counting: None,
            load: None,
            loadall: false,
            timeout: None,
            steps: Vec::new(),
            withcursor: false,
            count: None,
            maxidle: None,
            params: None,
            dialect: None,
            state: PhantomData,
        }
    }

    /// `WITHCURSOR`: the first results, and a cursor to read the others with `FT.CURSOR READ`.
    pub fn withcursor(self) -> FtAggregate<'a, X, (Given,)> {
        FtAggregate {
            via: self.via,
            index: self.index,
            query: self.query,
            verbatim: self.verbatim,
            scorer: self.scorer,
            addscores: self.addscores,
            counting: self.counting,
            load: self.load,
            loadall: self.loadall,
            timeout: self.timeout,
            steps: self.steps,
            withcursor: true,
            count: self.count,
            maxidle: self.maxidle,
            params: self.params,
            dialect: self.dialect,
            state: PhantomData,
        }
    }
}

impl<X> FtAggregate<'_, X, (Given,)> {
    /// `COUNT read_size`: how many rows are read at a time.
    pub fn count(mut self, read_size: impl Integer) -> Self {
        self.count = Some(read_size.into_arg());
        self
    }

    /// `MAXIDLE idle_time`: how long the cursor lives without use, in milliseconds.
    pub fn maxidle(mut self, idle_time: impl Milliseconds) -> Self {
        self.maxidle = Some(idle_time.into_arg());
        self
    }
}

impl<'a, X, S> FtAggregate<'a, X, S> {
    /// `VERBATIM`: words of the query are not reduced to their stems.
    pub fn verbatim(mut self) -> Self {
        self.verbatim = true;
        self
    }

    /// `SCORER scorer`: the function that rates documents, such as `BM25STD`, since 2.10.5
    pub fn scorer(mut self, scorer: impl Into<Arg<'a>>) -> Self {
        self.scorer = Some(scorer.into());
        self
    }

    /// `ADDSCORES`: each row has its score as `__score`, since 2.10.5
    pub fn addscores(mut self) -> Self {
        self.addscores = true;
        self
    }

    /// `WITHCOUNT`: the total is exact, which takes longer.
    pub fn withcount(mut self) -> Self {
        self.counting = Some(Counting::Exact);
        self
    }

    /// `WITHOUTCOUNT`, instead of `WITHCOUNT`: nothing is read in order to be counted, so that the total
    /// says little.
    pub fn withoutcount(mut self) -> Self {
        self.counting = Some(Counting::Left);
        self
    }

    /// `LOAD count field [AS name] ...`
    pub fn load<M>(mut self, field: impl IntoList<FieldAs<'a>, M>) -> Self {
        self.load = field.into_list().after(self.load.take());
        self
    }

    /// `LOAD *`
    pub fn loadall(mut self) -> Self {
        self.loadall = true;
        self
    }

    /// `TIMEOUT timeout`, in milliseconds.
    pub fn timeout(mut self, timeout: impl Milliseconds) -> Self {
        self.timeout = Some(timeout.into_arg());
        self
    }

    /// The step `GROUPBY nargs property [property ...] [REDUCE function nargs arg ... [AS name]
    /// ...]`
    ///
    /// An empty list of properties makes one group of all rows.
    pub fn groupby<M, N>(
        mut self,
        property: impl IntoList<Arg<'a>, M>,
        reduce: impl IntoList<Reducer<'a>, N>,
    ) -> Self {
        self.steps
            .push(Step::GroupBy(property.into_list(), reduce.into_list()));
        self
    }

    /// The step `SORTBY nargs property [ASC | DESC] ...`
    pub fn sortby<M>(mut self, fields: impl IntoList<SortKey<'a>, M>) -> Self {
        self.steps.push(Step::SortBy(fields.into_list(), None));
        self
    }

    /// The step `SORTBY nargs property [ASC | DESC] ... MAX num`, which keeps the first `num` rows.
    pub fn sortby_max<M>(
        mut self,
        fields: impl IntoList<SortKey<'a>, M>,
        num: impl Integer,
    ) -> Self {
        self.steps
            .push(Step::SortBy(fields.into_list(), Some(num.into_arg())));
        self
    }

    /// The step `APPLY expression AS name`
    pub fn apply(mut self, expression: impl Into<Arg<'a>>, name: impl Into<Arg<'a>>) -> Self {
        self.steps.push(Step::Apply(expression.into(), name.into()));
        self
    }

    /// The step `FILTER filter`
    pub fn filter(mut self, filter: impl Into<Arg<'a>>) -> Self {
        self.steps.push(Step::Filter(filter.into()));
        self
    }

    /// The step `LIMIT offset num`
    pub fn limit(mut self, offset: impl Integer, num: impl Integer) -> Self {
        self.steps
            .push(Step::Limit((offset.into_arg(), num.into_arg())));
        self
    }

    /// `PARAMS nargs name value [name value ...]`
    pub fn params<M>(mut self, values: impl IntoList<QueryParam<'a>, M>) -> Self {
        self.params = values.into_list().after(self.params.take());
        self
    }

    /// `DIALECT dialect`, since 2.4.3
    pub fn dialect(mut self, dialect: impl Integer) -> Self {
        self.dialect = Some(dialect.into_arg());
        self
    }

    pub(super) fn write_index(&self, to: &mut Writer<'_>) {
        self.index.write(to);
        to.part("index");
    }

    /// Writes everything after the index.
    pub(super) fn write_query(&self, to: &mut Writer<'_>) {
        self.query.write(to);
        to.part("query");
        if self.verbatim {
            to.word(b"VERBATIM");
        }
        write_option(b"SCORER", self.scorer.as_ref(), to);
        if self.addscores {
            to.word(b"ADDSCORES");
        }
        if let Some(counting) = self.counting {
            counting.write_words(to);
        }
        if let Some(fields) = &self.load {
            to.word(b"LOAD");
            FieldAs::write_counted(fields, to);
        }
        write_option(b"TIMEOUT", self.timeout.as_ref(), to);
        if self.loadall {
            to.word(b"LOAD");
            to.word(b"*");
        }
        for step in &self.steps {
            step.write_words(to);
        }
        if self.withcursor {
            to.word(b"WITHCURSOR");
            write_option(b"COUNT", self.count.as_ref(), to);
            write_option(b"MAXIDLE", self.maxidle.as_ref(), to);
        }
        if let Some(params) = &self.params {
            QueryParam::write_all(params, to);
        }
        write_option(b"DIALECT", self.dialect.as_ref(), to);
    }
}

/// The reply of [`FtAggregate`], which follows from the option given: withcursor.
pub trait FtAggregateReply {
    /// The type of the reply.
    type Reply;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// Where the reply has another form.
    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError>;
}

impl FtAggregateReply for (Open,) {
    type Reply = AggregateResult;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl FtAggregateReply for (Given,) {
    /// The rows, and the cursor, which is 0 when there are no more.
    type Reply = (AggregateResult, u64);

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<X: Via, S: FtAggregateReply> command::Command for FtAggregate<'_, X, S> {
    type Via = X;
    type Reply = S::Reply;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static Info {
        &info::FT_AGGREGATE
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::FT_AGGREGATE.write_name(to);
        self.write_index(to);
        self.write_query(to);
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        S::read(reply)
    }
}

impl<X: Asynchronous<Self>, S: FtAggregateReply> IntoFuture for FtAggregate<'_, X, S> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via, S: FtAggregateReply> fmt::Debug for FtAggregate<'_, X, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// One step that rows go through.
#[derive(Clone, Debug)]
pub(super) enum Step<'a> {
    GroupBy(List<Arg<'a>>, List<Reducer<'a>>),
    SortBy(List<SortKey<'a>>, Option<Arg<'static>>),
    Apply(Arg<'a>, Arg<'a>),
    Filter(Arg<'a>),
    Limit((Arg<'static>, Arg<'static>)),
}

impl Step<'_> {
    pub(super) fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::GroupBy(properties, reducers) => {
                to.word(b"GROUPBY");
                to.unsigned(properties.len() as u64);
                for property in properties {
                    property.write(to);
                }
                for reducer in reducers {
                    reducer.write_words(to);
                }
            }
            Self::SortBy(keys, max) => {
                to.word(b"SORTBY");
                SortKey::write_counted(keys, to);
                write_option(b"MAX", max.as_ref(), to);
            }
            Self::Apply(expression, name) => {
                to.word(b"APPLY");
                expression.write(to);
                to.word(b"AS");
                name.write(to);
            }
            Self::Filter(filter) => {
                to.word(b"FILTER");
                filter.write(to);
            }
            Self::Limit(limit) => write_limit(limit, to),
        }
    }
}

/// `REDUCE function nargs arg ... [AS name]`: what becomes of the rows of a group.
#[derive(Clone, Debug)]
#[must_use = "a reducer does nothing until a step has it"]
pub struct Reducer<'a> {
    function: Function<'a>,
    name: Option<Arg<'a>>,
}

#[derive(Clone, Debug)]
enum Function<'a> {
    Generic(&'static [u8], Vec<Arg<'a>>),
    Collect(Collect<'a>),
}

impl<'a> Reducer<'a> {
    /// `COUNT 0`: how many rows there are.
    pub fn count() -> Self {
        Self::generic(b"COUNT", Vec::new())
    }

    /// `COUNT_DISTINCT 1 property`: how many different values there are.
    pub fn count_distinct(property: impl Into<Arg<'a>>) -> Self {
        Self::generic(b"COUNT_DISTINCT", vec![property.into()])
    }

    /// `COUNT_DISTINCTISH 1 property`: about how many different values there are.
    pub fn count_distinctish(property: impl Into<Arg<'a>>) -> Self {
        Self::generic(b"COUNT_DISTINCTISH", vec![property.into()])
    }

    /// `SUM 1 property`
    pub fn sum(property: impl Into<Arg<'a>>) -> Self {
        Self::generic(b"SUM", vec![property.into()])
    }

    /// `MIN 1 property`
    pub fn min(property: impl Into<Arg<'a>>) -> Self {
        Self::generic(b"MIN", vec![property.into()])
    }

    /// `MAX 1 property`
    pub fn max(property: impl Into<Arg<'a>>) -> Self {
        Self::generic(b"MAX", vec![property.into()])
    }

    /// `AVG 1 property`
    pub fn avg(property: impl Into<Arg<'a>>) -> Self {
        Self::generic(b"AVG", vec![property.into()])
    }

    /// `STDDEV 1 property`: the standard deviation.
    pub fn stddev(property: impl Into<Arg<'a>>) -> Self {
        Self::generic(b"STDDEV", vec![property.into()])
    }

    /// `QUANTILE 2 property quantile`: the value below which this part of the values lies.
    pub fn quantile(property: impl Into<Arg<'a>>, quantile: impl command::Double) -> Self {
        Self::generic(b"QUANTILE", vec![property.into(), quantile.into_arg()])
    }

    /// `TOLIST 1 property`: the different values.
    pub fn tolist(property: impl Into<Arg<'a>>) -> Self {
        Self::generic(b"TOLIST", vec![property.into()])
    }

    /// `FIRST_VALUE 1 property`: the value of the first row.
    pub fn first_value(property: impl Into<Arg<'a>>) -> Self {
        Self::generic(b"FIRST_VALUE", vec![property.into()])
    }

    /// `FIRST_VALUE nargs property BY property [ASC | DESC]`: the value of the row that sorting
    /// puts first.
    pub fn first_value_by(property: impl Into<Arg<'a>>, by: impl Into<SortKey<'a>>) -> Self {
        let mut args = vec![property.into(), "BY".into()];
        args.extend(by.into().into_args());
        Self::generic(b"FIRST_VALUE", args)
    }

    /// `RANDOM_SAMPLE 2 property size`: values of rows taken by chance.
    pub fn random_sample(property: impl Into<Arg<'a>>, size: impl Integer) -> Self {
        Self::generic(b"RANDOM_SAMPLE", vec![property.into(), size.into_arg()])
    }

    /// `COLLECT nargs ...`: the rows themselves, since 8.8.0
    pub fn collect(collect: Collect<'a>) -> Self {
        Self {
            function: Function::Collect(collect),
            name: None,
        }
    }

    /// `AS name`
    pub fn alias(mut self, name: impl Into<Arg<'a>>) -> Self {
        self.name = Some(name.into());
        self
    }

    fn generic(function: &'static [u8], args: Vec<Arg<'a>>) -> Self {
        Self {
            function: Function::Generic(function, args),
            name: None,
        }
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"REDUCE");
        match &self.function {
            Function::Generic(function, args) => {
                to.word(function);
                to.unsigned(args.len() as u64);
                for arg in args {
                    arg.write(to);
                }
            }
            Function::Collect(collect) => collect.write_words(to),
        }
        write_option(b"AS", self.name.as_ref(), to);
    }
}

impl Item for Reducer<'_> {}

/// `<FIELDS num_fields field [field ...] | FIELDS *> [SORTBY nargs field [ASC | DESC] ...] [LIMIT
/// offset count] [DISTINCT]`, what [`Reducer::collect`] collects.
#[derive(Clone, Debug)]
#[must_use = "it does nothing until a reducer has it"]
pub struct Collect<'a> {
    fields: Option<List<Arg<'a>>>,
    sortby: Option<List<SortKey<'a>>>,
    limit: Option<(Arg<'static>, Arg<'static>)>,
    distinct: bool,
}

impl<'a> Collect<'a> {
    /// `FIELDS num_fields field [field ...]`
    pub fn fields<M>(field: impl IntoList<Arg<'a>, M>) -> Self {
        Self {
            fields: Some(field.into_list()),
            sortby: None,
            limit: None,
            distinct: false,
        }
    }

    /// `FIELDS *`
    pub fn fieldsall() -> Self {
        Self {
            fields: None,
            sortby: None,
            limit: None,
            distinct: false,
        }
    }

    /// `SORTBY nargs field [ASC | DESC] ...`
    pub fn sortby<M>(mut self, key: impl IntoList<SortKey<'a>, M>) -> Self {
        self.sortby = Some(key.into_list());
        self
    }

    /// `LIMIT offset count`
    pub fn limit(mut self, offset: impl Integer, count: impl Integer) -> Self {
        self.limit = Some((offset.into_arg(), count.into_arg()));
        self
    }

    /// `DISTINCT`
    pub fn distinct(mut self) -> Self {
        self.distinct = true;
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"COLLECT");
        let fields = match &self.fields {
            Some(fields) => 2 + fields.len(),
            None => 2,
        };
        let sortby = match &self.sortby {
            Some(keys) => 2 + SortKey::words(keys),
            None => 0,
        };
        let limit = if self.limit.is_some() { 3 } else { 0 };
        to.unsigned((fields + sortby + limit + usize::from(self.distinct)) as u64);
        to.word(b"FIELDS");
        match &self.fields {
            Some(fields) => {
                fields.require("field", to);
                to.unsigned(fields.len() as u64);
                for field in fields {
                    field.write(to);
                }
            }
            None => to.word(b"*"),
        }
        if let Some(keys) = &self.sortby {
            to.word(b"SORTBY");
            SortKey::write_counted(keys, to);
        }
        if let Some(limit) = &self.limit {
            write_limit(limit, to);
        }
        if self.distinct {
            to.word(b"DISTINCT");
        }
    }
}
