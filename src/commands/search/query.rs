//! `FT.SEARCH`, whose reply under RESP2 can be read only by who knows the request.

use std::fmt;

use super::arguments::{write_limit, write_option};
use super::{FieldAs, QueryParam, SortKey, arguments::Counting};
use crate::Result;
use crate::command::{
    self, Arg, Asynchronous, Detached, Double, Info, Integer, IntoList, List, Milliseconds, Via,
};
use crate::commands::info;
use crate::reply::{DecodeError, SearchLayout, SearchResult};
use crate::resp::{Reply, Writer};

/// `FT.SEARCH index query [NOCONTENT] [VERBATIM] [NOSTOPWORDS] [WITHSCORES] [WITHPAYLOADS]
/// [WITHSORTKEYS] [FILTER numeric_field min max ...] [GEOFILTER geo_field lon lat radius <m | km |
/// mi | ft> ...] [INKEYS count key [key ...]] [INFIELDS count field [field ...]] [RETURN count
/// identifier [AS property] ...] [SUMMARIZE [FIELDS count field [field ...]] [FRAGS num] [LEN
/// fragsize] [SEPARATOR separator]] [HIGHLIGHT [FIELDS count field [field ...]] [TAGS open close]]
/// [SLOP slop] [TIMEOUT timeout] [INORDER] [LANGUAGE language] [EXPANDER expander] [SCORER scorer]
/// [EXPLAINSCORE] [PAYLOAD payload] [SORTBY sortby [ASC | DESC]] [WITHCOUNT | WITHOUTCOUNT] [LIMIT
/// offset num] [PARAMS nargs name value [name value ...]] [DIALECT dialect]`
///
/// Returns the documents of an index that match a query, with their contents or only their keys.
///
/// Since module search 1.0.0 · O(N) · reads only · `@read` `@search` · no keys.
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct FtSearch<'a, X = Detached> {
    via: X,
    index: Arg<'a>,
    query: Arg<'a>,
    nocontent: bool,
    verbatim: bool,
    nostopwords: bool,
    withscores: bool,
    withpayloads: bool,
    withsortkeys: bool,
    filter: Vec<[Arg<'a>; 3]>,
    geofilter: Vec<GeoFilter<'a>>,
    inkeys: Option<List<Arg<'a>>>,
    infields: Option<List<Arg<'a>>>,
    r#return: Option<List<FieldAs<'a>>>,
    summarize: Option<Summarize<'a>>,
    highlight: Option<Highlight<'a>>,
    slop: Option<Arg<'static>>,
    timeout: Option<Arg<'static>>,
    inorder: bool,
    language: Option<Arg<'a>>,
    expander: Option<Arg<'a>>,
    scorer: Option<Arg<'a>>,
    explainscore: bool,
    payload: Option<Arg<'a>>,
    sortby: Option<SortKey<'a>>,
    counting: Option<Counting>,
    limit: Option<(Arg<'static>, Arg<'static>)>,
    params: Option<List<QueryParam<'a>>>,
    dialect: Option<Arg<'static>>,
}

impl<'a, X> FtSearch<'a, X> {
    pub(super) fn new(via: X, index: Arg<'a>, query: Arg<'a>) -> Self {
        Self {
            via,
            index,
            query,
            nocontent: false,
            verbatim: false,
            nostopwords: false,
            withscores: false,
            withpayloads: false,
            withsortkeys: false,
            filter: Vec::new(),
            geofilter: Vec::new(),
            inkeys: None,
            infields: None,
            r#return: None,
            summarize: None,
            highlight: None,
            slop: None,
            timeout: None,
            inorder: false,
            language: None,
            expander: None,
            scorer: None,
            explainscore: false,
            payload: None,
            sortby: None,
            counting: None,
            limit: None,
            params: None,
            dialect: None,
        }
    }

    /// `NOCONTENT`: only keys are returned.
    pub fn nocontent(mut self) -> Self {
        self.nocontent = true;
        self
    }

    /// `VERBATIM`: words of the query are not reduced to their stems.
    pub fn verbatim(mut self) -> Self {
        self.verbatim = true;
        self
    }

    /// `NOSTOPWORDS`: stop words in the query are not left out.
    pub fn nostopwords(mut self) -> Self {
        self.nostopwords = true;
        self
    }

    /// `WITHSCORES`
    pub fn withscores(mut self) -> Self {
        self.withscores = true;
        self
    }

    /// `WITHPAYLOADS`, deprecated since 2.0.0
    pub fn withpayloads(mut self) -> Self {
        self.withpayloads = true;
        self
    }

    /// `WITHSORTKEYS`
    pub fn withsortkeys(mut self) -> Self {
        self.withsortkeys = true;
        self
    }

    /// `FILTER numeric_field min max`, once for each call.
    ///
    /// A bound is a number, `-inf`, `+inf`, or a number after `(` that is not part of the range.
    pub fn filter(
        mut self,
        numeric_field: impl Into<Arg<'a>>,
        min: impl Into<Arg<'a>>,
        max: impl Into<Arg<'a>>,
    ) -> Self {
        self.filter
            .push([numeric_field.into(), min.into(), max.into()]);
        self
    }

    /// `GEOFILTER geo_field lon lat radius <m | km | mi | ft>`, once for each call.
    pub fn geofilter(
        mut self,
        geo_field: impl Into<Arg<'a>>,
        lon: impl Double,
        lat: impl Double,
        radius: impl Double,
        radius_type: RadiusType,
    ) -> Self {
        self.geofilter.push(GeoFilter {
            field: geo_field.into(),
            lon: lon.into_arg(),
            lat: lat.into_arg(),
            radius: radius.into_arg(),
            radius_type,
        });
        self
    }

    /// `INKEYS count key [key ...]`
    pub fn inkeys<M>(mut self, key: impl IntoList<Arg<'a>, M>) -> Self {
        self.inkeys = Some(key.into_list());
        self
    }

    /// `INFIELDS count field [field ...]`
    pub fn infields<M>(mut self, field: impl IntoList<Arg<'a>, M>) -> Self {
        self.infields = Some(field.into_list());
        self
    }

    /// `RETURN count identifier [AS property] ...`
    ///
    /// An empty list returns keys only, as [`nocontent`](Self::nocontent) does.
    pub fn r#return<M>(mut self, identifiers: impl IntoList<FieldAs<'a>, M>) -> Self {
        self.r#return = Some(identifiers.into_list());
        self
    }

    /// `SUMMARIZE [FIELDS count field [field ...]] [FRAGS num] [LEN fragsize] [SEPARATOR
    /// separator]`
    pub fn summarize(mut self, summarize: Summarize<'a>) -> Self {
        self.summarize = Some(summarize);
        self
    }

    /// `HIGHLIGHT [FIELDS count field [field ...]] [TAGS open close]`
    pub fn highlight(mut self, highlight: Highlight<'a>) -> Self {
        self.highlight = Some(highlight);
        self
    }

    /// `SLOP slop`
    pub fn slop(mut self, slop: impl Integer) -> Self {
        self.slop = Some(slop.into_arg());
        self
    }

    /// `TIMEOUT timeout`, in milliseconds.
    pub fn timeout(mut self, timeout: impl Milliseconds) -> Self {
        self.timeout = Some(timeout.into_arg());
        self
    }

    /// `INORDER`
    pub fn inorder(mut self) -> Self {
        self.inorder = true;
        self
    }

    /// `LANGUAGE language`
    pub fn language(mut self, language: impl Into<Arg<'a>>) -> Self {
        self.language = Some(language.into());
        self
    }

    /// `EXPANDER expander`
    pub fn expander(mut self, expander: impl Into<Arg<'a>>) -> Self {
        self.expander = Some(expander.into());
        self
    }

    /// `SCORER scorer`
    pub fn scorer(mut self, scorer: impl Into<Arg<'a>>) -> Self {
        self.scorer = Some(scorer.into());
        self
    }

    /// `EXPLAINSCORE`, and `WITHSCORES`, without which servers refuse it.
    pub fn explainscore(mut self) -> Self {
        self.withscores = true;
        self.explainscore = true;
        self
    }

    /// `PAYLOAD payload`, deprecated since 2.0.0
    pub fn payload(mut self, payload: impl Into<Arg<'a>>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// `SORTBY sortby [ASC | DESC]`
    pub fn sortby(mut self, sortby: impl Into<SortKey<'a>>) -> Self {
        self.sortby = Some(sortby.into());
        self
    }

    /// `WITHCOUNT`: the total is exact, although no more results are needed, which takes longer.
    pub fn withcount(mut self) -> Self {
        self.counting = Some(Counting::Exact);
        self
    }

    /// `WITHOUTCOUNT`, instead of `WITHCOUNT`: nothing is read in order to be counted, so that the total
    /// says no more than how many results came.
    pub fn withoutcount(mut self) -> Self {
        self.counting = Some(Counting::Left);
        self
    }

    /// `LIMIT offset num`
    pub fn limit(mut self, offset: impl Integer, num: impl Integer) -> Self {
        self.limit = Some((offset.into_arg(), num.into_arg()));
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
        if self.nocontent {
            to.word(b"NOCONTENT");
        }
        if self.verbatim {
            to.word(b"VERBATIM");
        }
        if self.nostopwords {
            to.word(b"NOSTOPWORDS");
        }
        if self.withscores {
            to.word(b"WITHSCORES");
        }
        if self.withpayloads {
            to.word(b"WITHPAYLOADS");
        }
        if self.withsortkeys {
            to.word(b"WITHSORTKEYS");
        }
        for filter in &self.filter {
            to.word(b"FILTER");
            for arg in filter {
                arg.write(to);
            }
        }
        for filter in &self.geofilter {
            filter.write_words(to);
        }
        if let Some(keys) = &self.inkeys {
            to.word(b"INKEYS");
            write_counted(keys, to);
        }
        if let Some(fields) = &self.infields {
            to.word(b"INFIELDS");
            write_counted(fields, to);
        }
        if let Some(identifiers) = &self.r#return {
            to.word(b"RETURN");
            FieldAs::write_counted(identifiers, to);
        }
        if let Some(summarize) = &self.summarize {
            summarize.write_words(to);
        }
        if let Some(highlight) = &self.highlight {
            highlight.write_words(to);
        }
        write_option(b"SLOP", self.slop.as_ref(), to);
        write_option(b"TIMEOUT", self.timeout.as_ref(), to);
        if self.inorder {
            to.word(b"INORDER");
        }
        write_option(b"LANGUAGE", self.language.as_ref(), to);
        write_option(b"EXPANDER", self.expander.as_ref(), to);
        write_option(b"SCORER", self.scorer.as_ref(), to);
        if self.explainscore {
            to.word(b"EXPLAINSCORE");
        }
        write_option(b"PAYLOAD", self.payload.as_ref(), to);
        if let Some(sortby) = &self.sortby {
            to.word(b"SORTBY");
            sortby.write_words(to);
        }
        if let Some(counting) = self.counting {
            counting.write_words(to);
        }
        if let Some(limit) = &self.limit {
            write_limit(limit, to);
        }
        if let Some(params) = &self.params {
            QueryParam::write_all(params, to);
        }
        write_option(b"DIALECT", self.dialect.as_ref(), to);
    }

    /// What stands in the reply for each document, which a RESP2 reply does not say itself.
    fn layout(&self) -> SearchLayout {
        SearchLayout {
            score: self.withscores,
            payload: self.withpayloads,
            sortkey: self.withsortkeys,
            attributes: !self.nocontent && !self.r#return.as_ref().is_some_and(List::is_empty),
        }
    }
}

impl<X: Via> command::Command for FtSearch<'_, X> {
    type Via = X;
    type Reply = SearchResult;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static Info {
        &info::FT_SEARCH
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::FT_SEARCH.write_name(to);
        self.write_index(to);
        self.write_query(to);
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        SearchResult::read(reply, self.layout())
    }
}

impl<X: Asynchronous<Self>> IntoFuture for FtSearch<'_, X> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via> fmt::Debug for FtSearch<'_, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// `GEOFILTER geo_field lon lat radius <m | km | mi | ft>`
#[derive(Clone)]
struct GeoFilter<'a> {
    field: Arg<'a>,
    lon: Arg<'static>,
    lat: Arg<'static>,
    radius: Arg<'static>,
    radius_type: RadiusType,
}

impl GeoFilter<'_> {
    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"GEOFILTER");
        self.field.write(to);
        self.lon.write(to);
        self.lat.write(to);
        self.radius.write(to);
        self.radius_type.write_words(to);
    }
}

/// A unit of distance: metres, kilometres, miles, feet.
///
/// An argument of `FT.SEARCH`, which takes it in lower case only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RadiusType {
    /// `m`
    M,
    /// `km`
    Km,
    /// `mi`
    Mi,
    /// `ft`
    Ft,
}

impl RadiusType {
    fn write_words(self, to: &mut Writer<'_>) {
        match self {
            Self::M => to.word(b"m"),
            Self::Km => to.word(b"km"),
            Self::Mi => to.word(b"mi"),
            Self::Ft => to.word(b"ft"),
        }
    }
}

/// `[FIELDS count field [field ...]] [FRAGS num] [LEN fragsize] [SEPARATOR separator]`, how
/// `FT.SEARCH` summarizes fields.
#[derive(Clone, Debug, Default)]
pub struct Summarize<'a> {
    fields: Option<List<Arg<'a>>>,
    frags: Option<Arg<'static>>,
    len: Option<Arg<'static>>,
    separator: Option<Arg<'a>>,
}

impl<'a> Summarize<'a> {
    /// All fields, three fragments of twenty words each.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `FIELDS count field [field ...]`
    #[must_use]
    pub fn fields<M>(mut self, field: impl IntoList<Arg<'a>, M>) -> Self {
        self.fields = field.into_list().after(self.fields.take());
        self
    }

    /// `FRAGS num`
    #[must_use]
    pub fn frags(mut self, num: impl Integer) -> Self {
        self.frags = Some(num.into_arg());
        self
    }

    /// `LEN fragsize`, in words.
    #[must_use]
    pub fn len(mut self, fragsize: impl Integer) -> Self {
        self.len = Some(fragsize.into_arg());
        self
    }

    /// `SEPARATOR separator`
    #[must_use]
    pub fn separator(mut self, separator: impl Into<Arg<'a>>) -> Self {
        self.separator = Some(separator.into());
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"SUMMARIZE");
        if let Some(fields) = &self.fields {
            to.word(b"FIELDS");
            write_counted(fields, to);
        }
        write_option(b"FRAGS", self.frags.as_ref(), to);
        write_option(b"LEN", self.len.as_ref(), to);
        write_option(b"SEPARATOR", self.separator.as_ref(), to);
    }
}

/// `[FIELDS count field [field ...]] [TAGS open close]`, how `FT.SEARCH` marks words that were
/// found.
#[derive(Clone, Debug, Default)]
pub struct Highlight<'a> {
    fields: Option<List<Arg<'a>>>,
    tags: Option<(Arg<'a>, Arg<'a>)>,
}

impl<'a> Highlight<'a> {
    /// All fields, between `<b>` and `</b>`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `FIELDS count field [field ...]`
    #[must_use]
    pub fn fields<M>(mut self, field: impl IntoList<Arg<'a>, M>) -> Self {
        self.fields = field.into_list().after(self.fields.take());
        self
    }

    /// `TAGS open close`
    #[must_use]
    pub fn tags(mut self, open: impl Into<Arg<'a>>, close: impl Into<Arg<'a>>) -> Self {
        self.tags = Some((open.into(), close.into()));
        self
    }

    fn write_words(&self, to: &mut Writer<'_>) {
        to.word(b"HIGHLIGHT");
        if let Some(fields) = &self.fields {
            to.word(b"FIELDS");
            write_counted(fields, to);
        }
        if let Some((open, close)) = &self.tags {
            to.word(b"TAGS");
            open.write(to);
            close.write(to);
        }
    }
}

fn write_counted(list: &List<Arg<'_>>, to: &mut Writer<'_>) {
    to.unsigned(list.len() as u64);
    for item in list {
        item.write(to);
    }
}
