//! `FT.CREATE` and `FT.ALTER`, which define what an index holds.

use std::fmt;

use super::{Field, Schema};
use crate::Result;
use crate::command::{
    self, Arg, Asynchronous, Detached, Double, Info, IntoList, List, Seconds, Via,
};
use crate::error::Error;
use crate::reply::{Decode, DecodeError};
use crate::resp::{Reply, Writer};

/// `FT.CREATE index [ON <HASH | JSON>] [INDEXALL <ENABLE | DISABLE>] [PREFIX count prefix [prefix
/// ...]] [FILTER filter] [LANGUAGE language] [LANGUAGE_FIELD attribute] [SCORE score] [SCORE_FIELD
/// attribute] [PAYLOAD_FIELD attribute] [MAXTEXTFIELDS] [TEMPORARY seconds] [NOOFFSETS] [NOHL]
/// [NOFIELDS] [NOFREQS] [STOPWORDS count [word ...]] [SKIPINITIALSCAN] SCHEMA field [field ...]`
///
/// Creates a search index over hashes or JSON documents with a given schema.
///
/// `FT._CREATEIFNX`, which does nothing if the index exists, is the same but for its name.
///
/// Since module search 1.0.0 · O(K); O(N) more when existing keys are indexed · writes · `@search`
/// · no keys.
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct FtCreate<'a, X = Detached> {
    via: X,
    info: &'static Info,
    index: Arg<'a>,
    data_type: Option<IndexDataType>,
    indexall: Option<IndexAll>,
    prefix: Option<List<Arg<'a>>>,
    filter: Option<Arg<'a>>,
    language: Option<Arg<'a>>,
    language_field: Option<Arg<'a>>,
    score: Option<Arg<'static>>,
    score_field: Option<Arg<'a>>,
    payload_field: Option<Arg<'a>>,
    maxtextfields: bool,
    temporary: Option<Arg<'static>>,
    nooffsets: bool,
    nohl: bool,
    nofields: bool,
    nofreqs: bool,
    stopwords: Option<List<Arg<'a>>>,
    skipinitialscan: bool,
    schema: Schema<'a>,
}

impl<'a, X> FtCreate<'a, X> {
    pub(super) fn new(via: X, info: &'static Info, index: Arg<'a>, schema: Schema<'a>) -> Self {
        Self {
            via,
            info,
            index,
            data_type: None,
            indexall: None,
            prefix: None,
            filter: None,
            language: None,
            language_field: None,
            score: None,
            score_field: None,
            payload_field: None,
            maxtextfields: false,
            temporary: None,
            nooffsets: false,
            nohl: false,
            nofields: false,
            nofreqs: false,
            stopwords: None,
            skipinitialscan: false,
            schema,
        }
    }

    /// `ON <HASH | JSON>`; hashes if not given.
    pub fn on(mut self, data_type: impl Into<Option<IndexDataType>>) -> Self {
        self.data_type = data_type.into();
        self
    }

    /// `INDEXALL <ENABLE | DISABLE>`, since 8.0.0
    pub fn indexall(mut self, indexall: impl Into<Option<IndexAll>>) -> Self {
        self.indexall = indexall.into();
        self
    }

    /// `PREFIX count prefix [prefix ...]`; every key if not given.
    pub fn prefix<M>(mut self, prefix: impl IntoList<Arg<'a>, M>) -> Self {
        self.prefix = prefix.into_list().after(self.prefix.take());
        self
    }

    /// `FILTER filter`: an expression that says which documents are indexed.
    pub fn filter(mut self, filter: impl Into<Arg<'a>>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    /// `LANGUAGE language`
    pub fn language(mut self, language: impl Into<Arg<'a>>) -> Self {
        self.language = Some(language.into());
        self
    }

    /// `LANGUAGE_FIELD attribute`
    pub fn language_field(mut self, attribute: impl Into<Arg<'a>>) -> Self {
        self.language_field = Some(attribute.into());
        self
    }

    /// `SCORE score`
    pub fn score(mut self, score: impl Double) -> Self {
        self.score = Some(score.into_arg());
        self
    }

    /// `SCORE_FIELD attribute`
    pub fn score_field(mut self, attribute: impl Into<Arg<'a>>) -> Self {
        self.score_field = Some(attribute.into());
        self
    }

    /// `PAYLOAD_FIELD attribute`, deprecated since 2.0.0 with the payloads of [`FtSearch`].
    ///
    /// [`FtSearch`]: super::FtSearch
    pub fn payload_field(mut self, attribute: impl Into<Arg<'a>>) -> Self {
        self.payload_field = Some(attribute.into());
        self
    }

    /// `MAXTEXTFIELDS`
    pub fn maxtextfields(mut self) -> Self {
        self.maxtextfields = true;
        self
    }

    /// `TEMPORARY seconds`: the index goes after so long without use, and its documents with it.
    pub fn temporary(mut self, seconds: impl Seconds) -> Self {
        self.temporary = Some(seconds.into_arg());
        self
    }

    /// `NOOFFSETS`
    pub fn nooffsets(mut self) -> Self {
        self.nooffsets = true;
        self
    }

    /// `NOHL`
    pub fn nohl(mut self) -> Self {
        self.nohl = true;
        self
    }

    /// `NOFIELDS`
    pub fn nofields(mut self) -> Self {
        self.nofields = true;
        self
    }

    /// `NOFREQS`
    pub fn nofreqs(mut self) -> Self {
        self.nofreqs = true;
        self
    }

    /// `STOPWORDS count [word ...]`: words that are not indexed, instead of the server's own.
    ///
    /// An empty list means that every word is indexed.
    pub fn stopwords<M>(mut self, stopwords: impl IntoList<Arg<'a>, M>) -> Self {
        self.stopwords = Some(stopwords.into_list());
        self
    }

    /// `SKIPINITIALSCAN`: keys that are there already are not indexed.
    pub fn skipinitialscan(mut self) -> Self {
        self.skipinitialscan = true;
        self
    }
}

impl<X: Via> command::Command for FtCreate<'_, X> {
    type Via = X;
    type Reply = ();

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static Info {
        self.info
    }

    fn write(&self, to: &mut Writer<'_>) {
        self.info.write_name(to);
        self.index.write(to);
        to.part("index");
        if let Some(data_type) = self.data_type {
            to.word(b"ON");
            data_type.write_words(to);
        }
        if let Some(indexall) = self.indexall {
            to.word(b"INDEXALL");
            indexall.write_words(to);
        }
        if let Some(prefix) = &self.prefix {
            to.word(b"PREFIX");
            to.unsigned(prefix.len() as u64);
            for item in prefix {
                item.write(to);
            }
        }
        if let Some(filter) = &self.filter {
            to.word(b"FILTER");
            filter.write(to);
        }
        if let Some(language) = &self.language {
            to.word(b"LANGUAGE");
            language.write(to);
        }
        if let Some(attribute) = &self.language_field {
            to.word(b"LANGUAGE_FIELD");
            attribute.write(to);
        }
        if let Some(score) = &self.score {
            to.word(b"SCORE");
            score.write(to);
        }
        if let Some(attribute) = &self.score_field {
            to.word(b"SCORE_FIELD");
            attribute.write(to);
        }
        if let Some(attribute) = &self.payload_field {
            to.word(b"PAYLOAD_FIELD");
            attribute.write(to);
        }
        if self.maxtextfields {
            to.word(b"MAXTEXTFIELDS");
        }
        if let Some(seconds) = &self.temporary {
            to.word(b"TEMPORARY");
            seconds.write(to);
        }
        if self.nooffsets {
            to.word(b"NOOFFSETS");
        }
        if self.nohl {
            to.word(b"NOHL");
        }
        if self.nofields {
            to.word(b"NOFIELDS");
        }
        if self.nofreqs {
            to.word(b"NOFREQS");
        }
        if let Some(stopwords) = &self.stopwords {
            to.word(b"STOPWORDS");
            to.unsigned(stopwords.len() as u64);
            for item in stopwords {
                item.write(to);
            }
        }
        if self.skipinitialscan {
            to.word(b"SKIPINITIALSCAN");
        }
        to.word(b"SCHEMA");
        if self.schema.as_slice().is_empty() {
            to.fail(Error::argument(
                "expected at least one field, got an empty schema",
            ));
        }
        for field in self.schema.as_slice() {
            field.write_words(to);
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<X: Asynchronous<Self>> IntoFuture for FtCreate<'_, X> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via> fmt::Debug for FtCreate<'_, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// `FT.ALTER index [SKIPINITIALSCAN] SCHEMA ADD field`
///
/// Extends the schema of a search index by an attribute.
///
/// `FT._ALTERIFNX`, which does nothing if the index has the attribute, is the same but for its
/// name.
///
/// Since module search 1.0.0 · O(N), N: keys of the database · writes · `@search` · no keys.
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct FtAlter<'a, X = Detached> {
    via: X,
    info: &'static Info,
    index: Arg<'a>,
    skipinitialscan: bool,
    field: Field<'a>,
}

impl<'a, X> FtAlter<'a, X> {
    pub(super) fn new(via: X, info: &'static Info, index: Arg<'a>, field: Field<'a>) -> Self {
        Self {
            via,
            info,
            index,
            skipinitialscan: false,
            field,
        }
    }

    /// `SKIPINITIALSCAN`: keys that are there already are not indexed again.
    pub fn skipinitialscan(mut self) -> Self {
        self.skipinitialscan = true;
        self
    }
}

impl<X: Via> command::Command for FtAlter<'_, X> {
    type Via = X;
    type Reply = ();

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static Info {
        self.info
    }

    fn write(&self, to: &mut Writer<'_>) {
        self.info.write_name(to);
        self.index.write(to);
        to.part("index");
        if self.skipinitialscan {
            to.word(b"SKIPINITIALSCAN");
        }
        to.word(b"SCHEMA");
        to.word(b"ADD");
        self.field.write_words(to);
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<X: Asynchronous<Self>> IntoFuture for FtAlter<'_, X> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via> fmt::Debug for FtAlter<'_, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// What kind of documents an index is over.
///
/// An argument of `FT.CREATE` and `FT._CREATEIFNX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IndexDataType {
    /// `HASH`
    Hash,
    /// `JSON`
    Json,
}

impl IndexDataType {
    fn write_words(self, to: &mut Writer<'_>) {
        match self {
            Self::Hash => to.word(b"HASH"),
            Self::Json => to.word(b"JSON"),
        }
    }
}

/// Whether all documents are listed in an inverted index of their own.
///
/// An argument of `FT.CREATE` and `FT._CREATEIFNX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IndexAll {
    /// `ENABLE`
    Enable,
    /// `DISABLE`
    Disable,
}

impl IndexAll {
    fn write_words(self, to: &mut Writer<'_>) {
        match self {
            Self::Enable => to.word(b"ENABLE"),
            Self::Disable => to.word(b"DISABLE"),
        }
    }
}
