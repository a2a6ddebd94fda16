/// `TS.MRANGE fromTimestamp toTimestamp [LATEST] [FILTER_BY_TS timestamp [timestamp ...]]
/// [FILTER_BY_VALUE min max] [WITHLABELS | SELECTED_LABELS label [label ...]] [COUNT count] [[ALIGN
/// alignment] AGGREGATION aggregators bucketDuration [BUCKETTIMESTAMP <mid | start | end | + | - |
/// ~>] [EMPTY]] FILTER filterExpr [filterExpr ...] [GROUPBY label REDUCE <avg | sum | min | max |
/// range | count | first | last | std.p | std.s | var.p | var.s | twa | countnan | countall>]
/// [EXCLUDEEMPTY]`
///
/// Returns samples in a time range, oldest first, from all series whose labels match the filters.
///
/// Since module timeseries 1.0.0 · O(n/m+k), n: samples, m: samples per chunk, k: samples in the
/// ranges · reads only · `@read` `@timeseries` · no keys.
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct TsMrange<'a, X = Detached, S = (Open, Open)> {
    via: X,
    from_timestamp: Arg<'a>,
    to_timestamp: Arg<'a>,
    latest: bool,
    filter_by_ts: Option<List<Arg<'a>>>,
    filter_by_value: Option<(Arg<'static>, Arg<'static>)>,
    labels: Option<TsMrangeLabels<'a>>,
    count: Option<Arg<'static>>,
    aggregation: Option<TsMrangeAggregation<'a>>,
    align: Option<Arg<'a>>,
    filter_expr: List<Arg<'a>>,
    groupby: Option<(Arg<'a>, Aggregator)>,
    excludeempty: bool,
    state: PhantomData<fn() -> S>,
}

impl<'a, X> TsMrange<'a, X> {
    fn new(
        via: X,
        from_timestamp: Arg<'a>,
        to_timestamp: Arg<'a>,
        filter_expr: List<Arg<'a>>,
    ) -> Self {
        Self {
            via,
            from_timestamp,
            to_timestamp,
            latest: false,
            filter_by_ts: None,
            filter_by_value: None,
            labels: None,
            count: None,
            aggregation: None,
            align: None,
            filter_expr,
            groupby: None,
            excludeempty: false,
            state: PhantomData,
        }
    }
}

impl<'a, X, S> TsMrange<'a, X, S> {
    fn enter<N>(self) -> TsMrange<'a, X, N> {
        TsMrange {
            via: self.via,
            from_timestamp: self.from_timestamp,
            to_timestamp: self.to_timestamp,
            latest: self.latest,
            filter_by_ts: self.filter_by_ts,
            filter_by_value: self.filter_by_value,
            labels: self.labels,
            count: self.count,
            aggregation: self.aggregation,
            align: self.align,
            filter_expr: self.filter_expr,
            groupby: self.groupby,
            excludeempty: self.excludeempty,
            state: PhantomData,
        }
    }
}

impl<'a, X, S> TsMrange<'a, X, S> {
    /// `LATEST`
    pub fn latest(mut self) -> Self {
        self.latest = true;
        self
    }

    /// `FILTER_BY_TS timestamp [timestamp ...]`
    pub fn filter_by_ts<M>(mut self, timestamp: impl IntoList<Arg<'a>, M>) -> Self {
        self.filter_by_ts = timestamp.into_list().after(self.filter_by_ts.take());
        self
    }

    /// `FILTER_BY_VALUE min max`
    pub fn filter_by_value(mut self, min: impl Double, max: impl Double) -> Self {
        self.filter_by_value = Some((min.into_arg(), max.into_arg()));
        self
    }

    /// `COUNT count`; `None` leaves it out.
    pub fn count(mut self, count: impl Maybe<dyn Integer>) -> Self {
        self.count = count.or_none();
        self
    }

    /// `GROUPBY label REDUCE <avg | sum | min | max | range | count | first | last | std.p | std.s
    /// | var.p | var.s | twa | countnan | countall>`
    pub fn groupby(mut self, label: impl Into<Arg<'a>>, reducer: Aggregator) -> Self {
        self.groupby = Some((label.into(), reducer));
        self
    }

    /// `EXCLUDEEMPTY`, since 8.10.0
    pub fn excludeempty(mut self) -> Self {
        self.excludeempty = true;
        self
    }
}

impl<'a, X, A, B> TsMrange<'a, X, (A, B)> {
    /// `WITHLABELS`
    pub fn withlabels(self) -> TsMrange<'a, X, (Given, B)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.labels = Some(TsMrangeLabels::Withlabels);
        next
    }

    /// `SELECTED_LABELS label [label ...]`
    pub fn selected_labels<M>(
        self,
        label: impl IntoList<Arg<'a>, M>,
    ) -> TsMrange<'a, X, (Given, B)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.labels = Some(TsMrangeLabels::SelectedLabels(label.into_list()));
        next
    }

    /// `<WITHLABELS | SELECTED_LABELS label [label ...]>`, chosen at run time; `None` leaves it
    /// out.
    pub fn labels(
        self,
        labels: impl Into<Option<TsMrangeLabels<'a>>>,
    ) -> TsMrange<'a, X, (Given, B)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.labels = labels.into();
        next
    }
}

impl<'a, X, A, B> TsMrange<'a, X, (A, B)> {
    /// `[ALIGN alignment] AGGREGATION aggregators bucketDuration [BUCKETTIMESTAMP <mid | start |
    /// end | + | - | ~>] [EMPTY]`
    pub fn aggregation(
        self,
        aggregation: impl Into<TsMrangeAggregation<'a>>,
    ) -> TsMrange<'a, X, (A, Given)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.aggregation = Some(aggregation.into());
        next
    }

    /// `[ALIGN alignment] AGGREGATION aggregators bucketDuration [BUCKETTIMESTAMP <mid | start |
    /// end | + | - | ~>] [EMPTY]`, or `None`, which leaves it out.
    pub fn maybe_aggregation(
        self,
        aggregation: Option<impl Into<TsMrangeAggregation<'a>>>,
    ) -> TsMrange<'a, X, (A, Given)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.aggregation = aggregation.map(|aggregation| aggregation.into());
        next
    }
}

impl<'a, X, A> TsMrange<'a, X, (A, Given)> {
    /// `ALIGN alignment`; `None` leaves it out.
    pub fn align(mut self, alignment: impl Maybe<Arg<'a>>) -> Self {
        self.align = alignment.or_none();
        self
    }
}

impl<X: Via, S> command::Command for TsMrange<'_, X, S> {
    type Via = X;
    type Reply = reply::TsSeriesList;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static command::Info {
        &info::TS_MRANGE
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::TS_MRANGE.write_name(to);
        self.from_timestamp.write(to);
        to.part("from_timestamp");
        self.to_timestamp.write(to);
        to.part("to_timestamp");
        if self.latest {
            to.word(b"LATEST");
        }
        to.part("latest");
        if let Some(timestamp) = &self.filter_by_ts {
            to.word(b"FILTER_BY_TS");
            timestamp.require("timestamp", to);
            for item in timestamp {
                item.write(to);
            }
        }
        to.part("filter_by_ts");
        if let Some((min, max)) = &self.filter_by_value {
            to.word(b"FILTER_BY_VALUE");
            min.write(to);
            max.write(to);
        }
        to.part("filter_by_value");
        if let Some(labels) = &self.labels {
            labels.write_words(to);
        }
        to.part("labels");
        if let Some(count) = &self.count {
            to.word(b"COUNT");
            count.write(to);
        }
        to.part("count");
        if let Some(aggregation) = &self.aggregation {
            if let Some(alignment) = &self.align {
                to.word(b"ALIGN");
                alignment.write(to);
            }
            aggregation.write_words(to);
        }
        to.part("aggregation");
        to.word(b"FILTER");
        self.filter_expr.require("filterExpr", to);
        for item in &self.filter_expr {
            item.write(to);
        }
        if let Some((label, reducer)) = &self.groupby {
            to.word(b"GROUPBY");
            label.write(to);
            to.word(b"REDUCE");
            reducer.write_words(to);
        }
        if self.excludeempty {
            to.word(b"EXCLUDEEMPTY");
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::of(self.info());
        if self.excludeempty {
            needs.add("EXCLUDEEMPTY", Some("8.10.0"), None);
        }
        needs
    }
}

impl<X: Asynchronous<Self>, S> IntoFuture for TsMrange<'_, X, S> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via, S> fmt::Debug for TsMrange<'_, X, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// How the samples of a bucket or a group become one.
///
/// An argument of `TS.CREATERULE`, `TS.MRANGE`, `TS.MREVRANGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Aggregator {
    /// `avg`
    Avg,
    /// `sum`
    Sum,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `range`
    Range,
    /// `count`
    Count,
    /// `first`
    First,
    /// `last`
    Last,
    /// `std.p`
    StdP,
    /// `std.s`
    StdS,
    /// `var.p`
    VarP,
    /// `var.s`
    VarS,
    /// `twa`
    Twa,
    /// `countnan`
    Countnan,
    /// `countall`
    Countall,
}

impl Aggregator {
    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Avg => to.word(b"avg"),
            Self::Sum => to.word(b"sum"),
            Self::Min => to.word(b"min"),
            Self::Max => to.word(b"max"),
            Self::Range => to.word(b"range"),
            Self::Count => to.word(b"count"),
            Self::First => to.word(b"first"),
            Self::Last => to.word(b"last"),
            Self::StdP => to.word(b"std.p"),
            Self::StdS => to.word(b"std.s"),
            Self::VarP => to.word(b"var.p"),
            Self::VarS => to.word(b"var.s"),
            Self::Twa => to.word(b"twa"),
            Self::Countnan => to.word(b"countnan"),
            Self::Countall => to.word(b"countall"),
        }
    }
}

impl Item for Aggregator {}

/// Which time a bucket of samples is reported at.
///
/// An argument of `TS.MRANGE`, `TS.MREVRANGE`, `TS.NRANGE` and 3 more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BucketTimestamp {
    /// `mid`
    Mid,
    /// `start`
    Start,
    /// `end`
    End,
}

impl BucketTimestamp {
    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Mid => to.word(b"mid"),
            Self::Start => to.word(b"start"),
            Self::End => to.word(b"end"),
        }
    }
}

impl Item for BucketTimestamp {}

/// One of the alternatives that `TS.MRANGE` takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TsMrangeLabels<'a> {
    /// `WITHLABELS`
    Withlabels,
    /// `SELECTED_LABELS label [label ...]`
    SelectedLabels(List<Arg<'a>>),
}

impl<'a> TsMrangeLabels<'a> {
    /// `SELECTED_LABELS label [label ...]`
    #[must_use]
    pub fn selected_labels<M>(label: impl IntoList<Arg<'a>, M>) -> Self {
        Self::SelectedLabels(label.into_list())
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Withlabels => to.word(b"WITHLABELS"),
            Self::SelectedLabels(label) => {
                to.word(b"SELECTED_LABELS");
                label.require("label", to);
                for item in label {
                    item.write(to);
                }
            }
        }
    }
}

impl Item for TsMrangeLabels<'_> {}

/// `AGGREGATION aggregators bucketDuration [BUCKETTIMESTAMP <mid | start | end | + | - | ~>]
/// [EMPTY]`, a part of `TS.MRANGE`.
///
/// A tuple `(aggregators, bucket_duration)` converts into it.
#[derive(Clone, Debug)]
pub struct TsMrangeAggregation<'a> {
    pub(crate) aggregators: Arg<'a>,
    pub(crate) bucket_duration: Arg<'static>,
    buckettimestamp: Option<BucketTimestamp>,
    empty: bool,
}

impl<'a> TsMrangeAggregation<'a> {
    /// `AGGREGATION aggregators bucketDuration [BUCKETTIMESTAMP <mid | start | end | + | - | ~>]
    /// [EMPTY]`
    #[must_use]
    pub fn new(
        aggregators: impl Into<Arg<'a>>,
        bucket_duration: impl Milliseconds,
    ) -> Self {
        Self {
            aggregators: aggregators.into(),
            bucket_duration: bucket_duration.into_arg(),
            buckettimestamp: None,
            empty: false,
        }
    }

    /// `[BUCKETTIMESTAMP <mid | start | end | + | - | ~>]`
    #[must_use]
    pub fn buckettimestamp(mut self, buckettimestamp: BucketTimestamp) -> Self {
        self.buckettimestamp = Some(buckettimestamp);
        self
    }

    /// `[EMPTY]`
    #[must_use]
    pub fn empty(mut self) -> Self {
        self.empty = true;
        self
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"AGGREGATION");
        self.aggregators.write(to);
        self.bucket_duration.write(to);
        if let Some(buckettimestamp) = &self.buckettimestamp {
            to.word(b"BUCKETTIMESTAMP");
            buckettimestamp.write_words(to);
        }
        if self.empty {
            to.word(b"EMPTY");
        }
    }
}

impl Item for TsMrangeAggregation<'_> {}

impl<'a, A, B> From<(A, B)> for TsMrangeAggregation<'a>
where
    A: Into<Arg<'a>>,
    B: Milliseconds,
{
    fn from((aggregators, bucket_duration): (A, B)) -> Self {
        Self::new(aggregators, bucket_duration)
    }
}

impl<'a, 'b, A, B> From<&'b (A, B)> for TsMrangeAggregation<'a>
where
    &'b A: Into<Arg<'a>>,
    &'b B: Milliseconds,
{
    fn from((aggregators, bucket_duration): &'b (A, B)) -> Self {
        Self::new(aggregators, bucket_duration)
    }
}

/// The timeseries commands as methods; every client has them.
pub trait TimeseriesCommands: Commands {
    /// `TS.MRANGE fromTimestamp toTimestamp [LATEST] [FILTER_BY_TS timestamp [timestamp ...]]
    /// [FILTER_BY_VALUE min max] [WITHLABELS | SELECTED_LABELS label [label ...]] [COUNT count]
    /// [[ALIGN alignment] AGGREGATION aggregators bucketDuration [BUCKETTIMESTAMP <mid | start |
    /// end | + | - | ~>] [EMPTY]] FILTER filterExpr [filterExpr ...] [GROUPBY label REDUCE <avg |
    /// sum | min | max | range | count | first | last | std.p | std.s | var.p | var.s | twa |
    /// countnan | countall>] [EXCLUDEEMPTY]`
    ///
    /// Returns samples in a time range, oldest first, from all series whose labels match the
    /// filters. See [`TsMrange`].
    fn ts_mrange<'a, M>(
        &self,
        from_timestamp: impl Into<Arg<'a>>,
        to_timestamp: impl Into<Arg<'a>>,
        filter_expr: impl IntoList<Arg<'a>, M>,
    ) -> TsMrange<'a, &Self> {
        TsMrange::new(
            self,
            from_timestamp.into(),
            to_timestamp.into(),
            filter_expr.into_list(),
        )
    }
}

impl<T: Commands + ?Sized> TimeseriesCommands for T {}

/// The timeseries commands as values that belong to no client yet.
pub(crate) mod cmd {
    use super::*;
    use crate::command::{Arg, Detached, IntoList};

    /// `TS.MRANGE fromTimestamp toTimestamp [LATEST] [FILTER_BY_TS timestamp [timestamp ...]]
    /// [FILTER_BY_VALUE min max] [WITHLABELS | SELECTED_LABELS label [label ...]] [COUNT count]
    /// [[ALIGN alignment] AGGREGATION aggregators bucketDuration [BUCKETTIMESTAMP <mid | start |
    /// end | + | - | ~>] [EMPTY]] FILTER filterExpr [filterExpr ...] [GROUPBY label REDUCE <avg |
    /// sum | min | max | range | count | first | last | std.p | std.s | var.p | var.s | twa |
    /// countnan | countall>] [EXCLUDEEMPTY]`
    ///
    /// Returns samples in a time range, oldest first, from all series whose labels match the
    /// filters. See [`TsMrange`].
    pub fn ts_mrange<'a, M>(
        from_timestamp: impl Into<Arg<'a>>,
        to_timestamp: impl Into<Arg<'a>>,
        filter_expr: impl IntoList<Arg<'a>, M>,
    ) -> TsMrange<'a> {
        TsMrange::new(
            Detached,
            from_timestamp.into(),
            to_timestamp.into(),
            filter_expr.into_list(),
        )
    }
}
