//! `FT.HYBRID`, a text query and a vector query whose rankings become one.
//!
//! The published grammar differs from what servers parse in four places, and servers are followed:
//! the filter of the vector query has a count and a policy, `YIELD_SCORE_AS` of the vector query
//! stands behind it and is not counted, `SORTBY` has a count, and there is `WITHCURSOR`.

use std::fmt;

use super::aggregate::Step;
use super::arguments::{write_limit, write_option};
use super::{FieldAs, QueryParam, Reducer, SortKey};
use crate::Result;
use crate::command::{
    self, Arg, Asynchronous, Detached, Double, Info, Integer, IntoList, List, Milliseconds, Via,
};
use crate::commands::info;
use crate::reply::{Decode, DecodeError, HybridResult};
use crate::resp::{Reply, Writer};

/// `FT.HYBRID index SEARCH query [SCORER scorer] [YIELD_SCORE_AS name] VSIM field vector [<KNN
/// count K k [EF_RUNTIME ef_runtime] [SHARD_K_RATIO ratio] | RANGE count RADIUS radius [EPSILON
/// epsilon]>] [FILTER count filter [POLICY <ADHOC | BATCHES>] [BATCH_SIZE size]] [YIELD_SCORE_AS
/// name] [COMBINE <RRF count [CONSTANT constant] [WINDOW window] [YIELD_SCORE_AS name] | LINEAR
/// count [ALPHA alpha BETA beta] [WINDOW window] [YIELD_SCORE_AS name]>] [LIMIT offset num] [SORTBY
/// nargs field [ASC | DESC] ... | NOSORT] [EXPLAINSCORE] [WITHCURSOR [COUNT read_size] [MAXIDLE
/// idle_time]] [PARAMS nargs name value [name value ...]] [TIMEOUT timeout] [FORMAT format] [LOAD
/// count field [AS name] ...] [LOAD *] [step ...]`
///
/// where a step is one of
///
/// - `GROUPBY nargs property [property ...] [REDUCE function nargs arg ... [AS name] ...]`
/// - `APPLY expression AS name`
/// - `FILTER filter`
///
/// Runs a text query and a vector query on one index and fuses both into a single ranking.
///
/// Steps run, and are sent, in the order of the calls. All else may be called in any order.
///
/// Since module search 8.4.4 · O(N+M), N: cost of the text search, M: cost of the vector search ·
/// reads only · `@read` `@search` · no keys.
///
/// ```
/// use respec::commands::search::{HybridCombine, HybridVsim, Knn};
///
/// let vector: Vec<u8> = [0.1_f32, 0.2].iter().flat_map(|x| x.to_le_bytes()).collect();
/// let found = respec::cmd::ft_hybrid(
///     "books",
///     "@title:sea",
///     HybridVsim::new("@embedding", "$vector").knn(Knn::new(20).ef_runtime(100)),
/// )
/// .combine(HybridCombine::rrf().constant(60))
/// .params([("vector", vector)])
/// .limit(0, 10);
/// ```
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct FtHybrid<'a, X = Detached> {
    via: X,
    index: Arg<'a>,
    search: HybridSearch<'a>,
    vsim: HybridVsim<'a>,
    combine: Option<HybridCombine<'a>>,
    limit: Option<(Arg<'static>, Arg<'static>)>,
    sorting: Option<HybridSorting<'a>>,
    explainscore: bool,
    withcursor: Option<HybridCursor>,
    params: Option<List<QueryParam<'a>>>,
    timeout: Option<Arg<'static>>,
    format: Option<Arg<'a>>,
    load: Option<List<FieldAs<'a>>>,
    loadall: bool,
    steps: Vec<Step<'a>>,
}

impl<'a, X> FtHybrid<'a, X> {
    pub(super) fn new(
        via: X,
        index: Arg<'a>,
        search: HybridSearch<'a>,
        vsim: HybridVsim<'a>,
    ) -> Self {
        Self {
            via,
            index,
            search,
            vsim,
            combine: None,
            limit: None,
            sorting: None,
            explainscore: false,
            withcursor: None,
            params: None,
            timeout: None,
            format: None,
            load: None,
            loadall: false,
            steps: Vec::new(),
        }
    }

    /// `COMBINE <RRF count ... | LINEAR count ...>`
    pub fn combine(mut self, method: impl Into<HybridCombine<'a>>) -> Self {
        self.combine = Some(method.into());
        self
    }

    /// `LIMIT offset num`
    pub fn limit(mut self, offset: impl Integer, num: impl Integer) -> Self {
        self.limit = Some((offset.into_arg(), num.into_arg()));
        self
    }

    /// `SORTBY nargs field [ASC | DESC] ... | NOSORT`
    pub fn sorting(mut self, sorting: impl Into<Option<HybridSorting<'a>>>) -> Self {
        self.sorting = sorting.into();
        self
    }

    /// `EXPLAINSCORE`, which servers up to 8.4 know and refuse.
    pub fn explainscore(mut self) -> Self {
        self.explainscore = true;
        self
    }

    /// `WITHCURSOR [COUNT read_size] [MAXIDLE idle_time]`: two cursors instead of rows.
    pub fn withcursor(mut self, cursor: HybridCursor) -> Self {
        self.withcursor = Some(cursor);
        self
    }

    /// `PARAMS nargs name value [name value ...]`
    pub fn params<M>(mut self, values: impl IntoList<QueryParam<'a>, M>) -> Self {
        self.params = values.into_list().after(self.params.take());
        self
    }

    /// `TIMEOUT timeout`, in milliseconds.
    pub fn timeout(mut self, timeout: impl Milliseconds) -> Self {
        self.timeout = Some(timeout.into_arg());
        self
    }

    /// `FORMAT format`
    pub fn format(mut self, format: impl Into<Arg<'a>>) -> Self {
        self.format = Some(format.into());
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

    /// The step `GROUPBY nargs property [property ...] [REDUCE function nargs arg ... [AS name]
    /// ...]`
    pub fn groupby<M, N>(
        mut self,
        property: impl IntoList<Arg<'a>, M>,
        reduce: impl IntoList<Reducer<'a>, N>,
    ) -> Self {
        self.steps
            .push(Step::GroupBy(property.into_list(), reduce.into_list()));
        self
    }

    /// The step `APPLY expression AS name`
    pub fn apply(mut self, expression: impl Into<Arg<'a>>, name: impl Into<Arg<'a>>) -> Self {
        self.steps.push(Step::Apply(expression.into(), name.into()));
        self
    }

    /// The step `FILTER filter`, over the fused rows.
    pub fn filter(mut self, filter: impl Into<Arg<'a>>) -> Self {
        self.steps.push(Step::Filter(filter.into()));
        self
    }

    pub(super) fn write_index(&self, to: &mut Writer<'_>) {
        self.index.write(to);
        to.part("index");
    }

    /// Writes everything after the index.
    pub(super) fn write_query(&self, to: &mut Writer<'_>) {
        self.search.write_words(to);
        self.vsim.write_words(to);
        if let Some(combine) = &self.combine {
            combine.write_words(to);
        }
        if let Some(limit) = &self.limit {
            write_limit(limit, to);
        }
        if let Some(sorting) = &self.sorting {
            sorting.write_words(to);
        }
        if self.explainscore {
            to.word(b"EXPLAINSCORE");
        }
        if let Some(cursor) = &self.withcursor {
            cursor.write_words(to);
        }
        if let Some(params) = &self.params {
            QueryParam::write_all(params, to);
        }
        write_option(b"TIMEOUT", self.timeout.as_ref(), to);
        write_option(b"FORMAT", self.format.as_ref(), to);
        if let Some(fields) = &self.load {
            to.word(b"LOAD");
            FieldAs::write_counted(fields, to);
        }
        if self.loadall {
            to.word(b"LOAD");
            to.word(b"*");
        }
        for step in &self.steps {
            step.write_words(to);
        }
    }
}

impl<X: Via> command::Command for FtHybrid<'_, X> {
    type Via = X;
    type Reply = HybridResult;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static Info {
        &info::FT_HYBRID
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::FT_HYBRID.write_name(to);
        self.write_index(to);
        self.write_query(to);
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<X: Asynchronous<Self>> IntoFuture for FtHybrid<'_, X> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via> fmt::Debug for FtHybrid<'_, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// `SEARCH query [SCORER scorer] [YIELD_SCORE_AS name]`, the text query of `FT.HYBRID`.
///
/// The query alone converts into it.
#[derive(Clone, Debug)]
pub struct HybridSearch<'a> {
    query: Arg<'a>,
    scorer: Option<Arg<'a>>,
    yield_score_as: Option<Arg<'a>>,
}

impl<'a> HybridSearch<'a> {
    /// `SEARCH query`
    #[must_use]
    pub fn new(query: impl Into<Arg<'a>>) -> Self {
        Self {
            query: query.into(),
            scorer: None,
            yield_score_as: None,
        }
    }

    /// `SCORER scorer`
    #[must_use]
    pub fn scorer(mut self, scorer: impl Into<Arg<'a>>) -> Self {
        self.scorer = Some(scorer.into());
        self
    }

    /// `YIELD_SCORE_AS name`
    #[must_use]
    pub fn yield_score_as(mut self, name: impl Into<Arg<'a>>) -> Self {
        self.yield_score_as = Some(name.into());
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"SEARCH");
        self.query.write(to);
        write_option(b"SCORER", self.scorer.as_ref(), to);
        write_option(b"YIELD_SCORE_AS", self.yield_score_as.as_ref(), to);
    }
}

impl<'a, T: Into<Arg<'a>>> From<T> for HybridSearch<'a> {
    fn from(query: T) -> Self {
        Self::new(query)
    }
}

/// `VSIM field vector [<KNN ... | RANGE ...>] [FILTER ...] [YIELD_SCORE_AS name]`, the vector query
/// of `FT.HYBRID`.
///
/// A tuple `(field, vector)` converts into it.
#[derive(Clone, Debug)]
pub struct HybridVsim<'a> {
    field: Arg<'a>,
    vector: Arg<'a>,
    reach: Option<Reach>,
    filter: Option<HybridFilter<'a>>,
    yield_score_as: Option<Arg<'a>>,
}

#[derive(Clone, Debug)]
enum Reach {
    Knn(Knn),
    Range(VectorRange),
}

impl<'a> HybridVsim<'a> {
    /// `VSIM field vector`
    ///
    /// The field is written with `@`, the vector as `$` and the name of a parameter that holds it.
    #[must_use]
    pub fn new(field: impl Into<Arg<'a>>, vector: impl Into<Arg<'a>>) -> Self {
        Self {
            field: field.into(),
            vector: vector.into(),
            reach: None,
            filter: None,
            yield_score_as: None,
        }
    }

    /// `KNN count K k ...`: so many of the nearest, instead of a `RANGE`.
    #[must_use]
    pub fn knn(mut self, knn: Knn) -> Self {
        self.reach = Some(Reach::Knn(knn));
        self
    }

    /// `RANGE count RADIUS radius ...`: all within a distance, instead of a `KNN`.
    #[must_use]
    pub fn range(mut self, range: VectorRange) -> Self {
        self.reach = Some(Reach::Range(range));
        self
    }

    /// `FILTER count filter [POLICY <ADHOC | BATCHES>] [BATCH_SIZE size]`
    #[must_use]
    pub fn filter(mut self, filter: impl Into<HybridFilter<'a>>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    /// `YIELD_SCORE_AS name`
    #[must_use]
    pub fn yield_score_as(mut self, name: impl Into<Arg<'a>>) -> Self {
        self.yield_score_as = Some(name.into());
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"VSIM");
        self.field.write(to);
        self.vector.write(to);
        match &self.reach {
            Some(Reach::Knn(knn)) => knn.write_words(to),
            Some(Reach::Range(range)) => range.write_words(to),
            None => {}
        }
        if let Some(filter) = &self.filter {
            filter.write_words(to);
        }
        write_option(b"YIELD_SCORE_AS", self.yield_score_as.as_ref(), to);
    }
}

impl<'a, A, B> From<(A, B)> for HybridVsim<'a>
where
    A: Into<Arg<'a>>,
    B: Into<Arg<'a>>,
{
    fn from((field, vector): (A, B)) -> Self {
        Self::new(field, vector)
    }
}

/// `KNN count K k [EF_RUNTIME ef_runtime] [SHARD_K_RATIO ratio]`
#[derive(Clone, Debug)]
pub struct Knn {
    k: Arg<'static>,
    ef_runtime: Option<Arg<'static>>,
    shard_k_ratio: Option<Arg<'static>>,
}

impl Knn {
    /// `K k`
    #[must_use]
    pub fn new(k: impl Integer) -> Self {
        Self {
            k: k.into_arg(),
            ef_runtime: None,
            shard_k_ratio: None,
        }
    }

    /// `EF_RUNTIME ef_runtime`
    #[must_use]
    pub fn ef_runtime(mut self, ef_runtime: impl Integer) -> Self {
        self.ef_runtime = Some(ef_runtime.into_arg());
        self
    }

    /// `SHARD_K_RATIO ratio`, since 8.6.1
    #[must_use]
    pub fn shard_k_ratio(mut self, ratio: impl Double) -> Self {
        self.shard_k_ratio = Some(ratio.into_arg());
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"KNN");
        write_attributes(
            &[
                (b"K", Some(&self.k)),
                (b"EF_RUNTIME", self.ef_runtime.as_ref()),
                (b"SHARD_K_RATIO", self.shard_k_ratio.as_ref()),
            ],
            to,
        );
    }
}

/// `RANGE count RADIUS radius [EPSILON epsilon]`
#[derive(Clone, Debug)]
pub struct VectorRange {
    radius: Arg<'static>,
    epsilon: Option<Arg<'static>>,
}

impl VectorRange {
    /// `RADIUS radius`
    #[must_use]
    pub fn new(radius: impl Double) -> Self {
        Self {
            radius: radius.into_arg(),
            epsilon: None,
        }
    }

    /// `EPSILON epsilon`
    #[must_use]
    pub fn epsilon(mut self, epsilon: impl Double) -> Self {
        self.epsilon = Some(epsilon.into_arg());
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"RANGE");
        write_attributes(
            &[
                (b"RADIUS", Some(&self.radius)),
                (b"EPSILON", self.epsilon.as_ref()),
            ],
            to,
        );
    }
}

/// `FILTER count filter [POLICY <ADHOC | BATCHES>] [BATCH_SIZE size]`, which documents a vector
/// query is about.
///
/// The filter alone converts into it.
#[derive(Clone, Debug)]
pub struct HybridFilter<'a> {
    filter: Arg<'a>,
    policy: Option<HybridPolicy>,
    batch_size: Option<Arg<'static>>,
}

impl<'a> HybridFilter<'a> {
    /// `FILTER count filter`
    #[must_use]
    pub fn new(filter: impl Into<Arg<'a>>) -> Self {
        Self {
            filter: filter.into(),
            policy: None,
            batch_size: None,
        }
    }

    /// `POLICY <ADHOC | BATCHES>`
    #[must_use]
    pub fn policy(mut self, policy: impl Into<Option<HybridPolicy>>) -> Self {
        self.policy = policy.into();
        self
    }

    /// `BATCH_SIZE size`
    #[must_use]
    pub fn batch_size(mut self, size: impl Integer) -> Self {
        self.batch_size = Some(size.into_arg());
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"FILTER");
        let policy = usize::from(self.policy.is_some());
        let batch_size = usize::from(self.batch_size.is_some());
        to.unsigned((1 + 2 * policy + 2 * batch_size) as u64);
        self.filter.write(to);
        if let Some(policy) = self.policy {
            to.word(b"POLICY");
            policy.write_words(to);
        }
        write_option(b"BATCH_SIZE", self.batch_size.as_ref(), to);
    }
}

impl<'a, T: Into<Arg<'a>>> From<T> for HybridFilter<'a> {
    fn from(filter: T) -> Self {
        Self::new(filter)
    }
}

/// How a vector query and its filter work together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HybridPolicy {
    /// `ADHOC`: all documents that pass the filter are compared.
    Adhoc,
    /// `BATCHES`: near documents are looked for in batches, and filtered.
    Batches,
}

impl HybridPolicy {
    fn write_words(self, to: &mut Writer<'_>) {
        match self {
            Self::Adhoc => to.word(b"ADHOC"),
            Self::Batches => to.word(b"BATCHES"),
        }
    }
}

/// `COMBINE <RRF count ... | LINEAR count ...>`, how two rankings become one.
#[derive(Clone, Debug)]
pub struct HybridCombine<'a>(Combine<'a>);

#[derive(Clone, Debug)]
enum Combine<'a> {
    Rrf(Rrf<'a>),
    Linear(Linear<'a>),
}

impl<'a> HybridCombine<'a> {
    /// `RRF`: by the ranks alone.
    pub fn rrf() -> Rrf<'a> {
        Rrf::default()
    }

    /// `LINEAR`: by the weighted sum of the scores.
    pub fn linear() -> Linear<'a> {
        Linear::default()
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"COMBINE");
        match &self.0 {
            Combine::Rrf(rrf) => rrf.write_words(to),
            Combine::Linear(linear) => linear.write_words(to),
        }
    }
}

/// `RRF count [CONSTANT constant] [WINDOW window] [YIELD_SCORE_AS name]`
#[derive(Clone, Debug, Default)]
#[must_use = "it does nothing until a command has it"]
pub struct Rrf<'a> {
    constant: Option<Arg<'a>>,
    window: Option<Arg<'a>>,
    yield_score_as: Option<Arg<'a>>,
}

impl<'a> Rrf<'a> {
    /// `CONSTANT constant`
    pub fn constant(mut self, constant: impl Double) -> Self {
        self.constant = Some(constant.into_arg());
        self
    }

    /// `WINDOW window`
    pub fn window(mut self, window: impl Integer) -> Self {
        self.window = Some(window.into_arg());
        self
    }

    /// `YIELD_SCORE_AS name`
    pub fn yield_score_as(mut self, name: impl Into<Arg<'a>>) -> Self {
        self.yield_score_as = Some(name.into());
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"RRF");
        write_attributes(
            &[
                (b"CONSTANT", self.constant.as_ref()),
                (b"WINDOW", self.window.as_ref()),
                (b"YIELD_SCORE_AS", self.yield_score_as.as_ref()),
            ],
            to,
        );
    }
}

impl<'a> From<Rrf<'a>> for HybridCombine<'a> {
    fn from(rrf: Rrf<'a>) -> Self {
        Self(Combine::Rrf(rrf))
    }
}

/// `LINEAR count [ALPHA alpha BETA beta] [WINDOW window] [YIELD_SCORE_AS name]`
#[derive(Clone, Debug, Default)]
#[must_use = "it does nothing until a command has it"]
pub struct Linear<'a> {
    weights: Option<(Arg<'a>, Arg<'a>)>,
    window: Option<Arg<'a>>,
    yield_score_as: Option<Arg<'a>>,
}

impl<'a> Linear<'a> {
    /// `ALPHA alpha BETA beta`, the weights of the text query and of the vector query.
    pub fn weights(mut self, alpha: impl Double, beta: impl Double) -> Self {
        self.weights = Some((alpha.into_arg(), beta.into_arg()));
        self
    }

    /// `WINDOW window`
    pub fn window(mut self, window: impl Integer) -> Self {
        self.window = Some(window.into_arg());
        self
    }

    /// `YIELD_SCORE_AS name`
    pub fn yield_score_as(mut self, name: impl Into<Arg<'a>>) -> Self {
        self.yield_score_as = Some(name.into());
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"LINEAR");
        write_attributes(
            &[
                (b"ALPHA", self.weights.as_ref().map(|(alpha, _)| alpha)),
                (b"BETA", self.weights.as_ref().map(|(_, beta)| beta)),
                (b"WINDOW", self.window.as_ref()),
                (b"YIELD_SCORE_AS", self.yield_score_as.as_ref()),
            ],
            to,
        );
    }
}

impl<'a> From<Linear<'a>> for HybridCombine<'a> {
    fn from(linear: Linear<'a>) -> Self {
        Self(Combine::Linear(linear))
    }
}

/// `SORTBY nargs field [ASC | DESC] ... | NOSORT`, the order of the rows of `FT.HYBRID`.
#[derive(Clone, Debug)]
pub struct HybridSorting<'a>(Sorting<'a>);

#[derive(Clone, Debug)]
enum Sorting<'a> {
    SortBy(List<SortKey<'a>>),
    NoSort,
}

impl<'a> HybridSorting<'a> {
    /// `SORTBY nargs field [ASC | DESC] ...`
    #[must_use]
    pub fn sortby<M>(fields: impl IntoList<SortKey<'a>, M>) -> Self {
        Self(Sorting::SortBy(fields.into_list()))
    }

    /// `NOSORT`
    #[must_use]
    pub fn nosort() -> Self {
        Self(Sorting::NoSort)
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        match &self.0 {
            Sorting::SortBy(keys) => {
                to.word(b"SORTBY");
                SortKey::write_counted(keys, to);
            }
            Sorting::NoSort => to.word(b"NOSORT"),
        }
    }
}

/// `WITHCURSOR [COUNT read_size] [MAXIDLE idle_time]`
#[derive(Clone, Debug, Default)]
pub struct HybridCursor {
    count: Option<Arg<'static>>,
    maxidle: Option<Arg<'static>>,
}

impl HybridCursor {
    /// `WITHCURSOR`
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `COUNT read_size`
    #[must_use]
    pub fn count(mut self, read_size: impl Integer) -> Self {
        self.count = Some(read_size.into_arg());
        self
    }

    /// `MAXIDLE idle_time`, in milliseconds.
    #[must_use]
    pub fn maxidle(mut self, idle_time: impl Milliseconds) -> Self {
        self.maxidle = Some(idle_time.into_arg());
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"WITHCURSOR");
        write_option(b"COUNT", self.count.as_ref(), to);
        write_option(b"MAXIDLE", self.maxidle.as_ref(), to);
    }
}

/// Writes how many words follow, and names with their values.
fn write_attributes(attributes: &[(&[u8], Option<&Arg<'_>>)], to: &mut Writer<'_>) {
    let given = attributes
        .iter()
        .filter(|(_, value)| value.is_some())
        .count();
    to.unsigned(2 * given as u64);
    for (name, value) in attributes {
        write_option(name, *value, to);
    }
}
