//! What searches, aggregations, spelling checks and completions find.

use bytes::Bytes;

use super::{
    AggregateRow, Decode, DecodeError, Fields, SearchHit, Suggestion, Value, decode::pairs,
    vector_set::triples,
};
use crate::resp::{Elements, Kind, Reply};

/// The documents that a search found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SearchResult {
    /// How many documents match, whatever `LIMIT` says.
    pub total_results: u64,
    /// Documents returned.
    pub results: Vec<SearchHit>,
    /// Warnings, such as that time ran out; RESP2 has none.
    pub warning: Vec<String>,
    /// What else the server sends, by name, but for `format` if it is `STRING`, and what is empty.
    pub rest: Vec<(String, Value)>,
}

/// The options of a search that decide what its reply says of each document.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SearchResultOptions {
    pub(crate) nocontent: bool,
    pub(crate) withscores: bool,
    pub(crate) withpayloads: bool,
    pub(crate) withsortkeys: bool,
    /// How many fields were asked for; none where all are returned.
    pub(crate) r#return: Option<usize>,
}

impl SearchResultOptions {
    fn layout(self) -> SearchLayout {
        SearchLayout {
            score: self.withscores,
            payload: self.withpayloads,
            sortkey: self.withsortkeys,
            attributes: !self.nocontent && self.r#return != Some(0),
        }
    }
}

/// What stands in a RESP2 reply for each document besides its key, which follows from the request.
#[derive(Clone, Copy, Debug)]
struct SearchLayout {
    score: bool,
    payload: bool,
    sortkey: bool,
    attributes: bool,
}

impl SearchResult {
    /// Reads the reply to a request with these options.
    pub(crate) fn read(
        reply: Reply<'_>,
        options: SearchResultOptions,
    ) -> Result<Self, DecodeError> {
        let layout = options.layout();
        let Envelope {
            total_results,
            rows,
            warning,
            rest,
        } = Envelope::<SearchHit>::open(reply)?;
        let results = match rows {
            Rows::Named(mut results) => {
                for hit in &mut results {
                    hit.normalize(layout);
                }
                results
            }
            Rows::Flat(elements) => layout.read(elements)?,
        };
        Ok(Self {
            total_results,
            results,
            warning,
            rest,
        })
    }
}

impl Decode for SearchResult {
    /// Under RESP2 this is right for a request without `WITHSCORES`, `WITHPAYLOADS`,
    /// `WITHSORTKEYS`, `NOCONTENT` and `RETURN 0`; [`FtSearch`] itself knows its options.
    ///
    /// [`FtSearch`]: crate::commands::search::FtSearch
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        Self::read(reply, SearchResultOptions::default())
    }
}

impl SearchLayout {
    /// Reads the documents of a RESP2 reply.
    fn read(self, mut elements: Elements<'_>) -> Result<Vec<SearchHit>, DecodeError> {
        let others = [self.score, self.payload, self.sortkey, self.attributes];
        let size = 1 + others.iter().filter(|present| **present).count();
        if !elements.len().is_multiple_of(size) {
            let found = format!("{}", elements.len());
            return Err(DecodeError::new(
                format!("{size} elements for each document"),
                found,
            ));
        }
        let mut hits = Vec::with_capacity(elements.len() / size);
        while let Some(id) = elements.next() {
            let mut next = |present: bool| if present { elements.next() } else { None };
            let mut hit = || {
                Ok(SearchHit {
                    id: Bytes::decode(id)?,
                    score: part("score", next(self.score))?,
                    payload: part("payload", next(self.payload))?,
                    sortkey: part("sortkey", next(self.sortkey))?,
                    extra_attributes: part("extra_attributes", next(self.attributes))?,
                    values: None,
                    rest: Vec::new(),
                })
            };
            hits.push(hit().map_err(|error: DecodeError| error.in_element(hits.len()))?);
        }
        Ok(hits)
    }
}

impl SearchHit {
    /// Leaves out what RESP3 sends where there is nothing to say.
    fn normalize(&mut self, layout: SearchLayout) {
        self.values = self.values.take().filter(|values| !values.is_empty());
        if !layout.attributes {
            let attributes = self.extra_attributes.take();
            self.extra_attributes = attributes.filter(|attributes| !attributes.is_empty());
        }
    }
}

/// The score of a document.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SearchScore {
    /// Score.
    pub value: f64,
    /// How it came about, with `EXPLAINSCORE`: texts, in arrays with what they follow from.
    pub explanation: Option<Value>,
}

impl Decode for SearchScore {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        if reply.kind() == Kind::Array {
            let (value, explanation) = Decode::decode(reply)?;
            return Ok(Self {
                value,
                explanation: Some(explanation),
            });
        }
        Ok(Self {
            value: Decode::decode(reply)?,
            explanation: None,
        })
    }
}

/// The rows of an aggregation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AggregateResult {
    /// How many rows the server counted, which means little without sorting or grouping.
    pub total_results: u64,
    /// Rows.
    pub results: Vec<AggregateRow>,
    /// Warnings, such as that time ran out; RESP2 has none.
    pub warning: Vec<String>,
    /// What else the server sends, by name, but for `format` if it is `STRING`, and what is empty.
    pub rest: Vec<(String, Value)>,
}

impl Decode for AggregateResult {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let Envelope {
            total_results,
            rows,
            warning,
            rest,
        } = Envelope::<AggregateRow>::open(reply)?;
        let results = match rows {
            Rows::Named(mut rows) => {
                for row in &mut rows {
                    row.values = row.values.take().filter(|values| !values.is_empty());
                }
                rows
            }
            Rows::Flat(elements) => elements
                .enumerate()
                .map(|(at, row)| {
                    let fields = Decode::decode(row).map_err(|e: DecodeError| e.in_element(at))?;
                    Ok(AggregateRow {
                        fields,
                        values: None,
                        rest: Vec::new(),
                    })
                })
                .collect::<Result<_, DecodeError>>()?,
        };
        Ok(Self {
            total_results,
            results,
            warning,
            rest,
        })
    }
}

/// What searches and aggregations have in common around their rows.
struct Envelope<'f, T> {
    total_results: u64,
    rows: Rows<'f, T>,
    warning: Vec<String>,
    rest: Vec<(String, Value)>,
}

enum Rows<'f, T> {
    /// Each a map, as RESP3 has them.
    Named(Vec<T>),
    /// What follows the total in RESP2.
    Flat(Elements<'f>),
}

impl<'f, T: Decode> Envelope<'f, T> {
    fn open(reply: Reply<'f>) -> Result<Self, DecodeError> {
        if reply.kind() != Kind::Map {
            let wrong = || DecodeError::expected("a map or an array", reply);
            let mut elements = reply.elements().ok_or_else(wrong)?;
            let Some(total) = elements.next() else {
                return Err(DecodeError::missing("total_results"));
            };
            return Ok(Self {
                total_results: part("total_results", Some(total))?
                    .ok_or_else(|| DecodeError::missing("total_results"))?,
                rows: Rows::Flat(elements),
                warning: Vec::new(),
                rest: Vec::new(),
            });
        }
        let mut fields = Fields::of(reply)?;
        let total_results = fields.required("total_results")?;
        let rows = Rows::Named(fields.required("results")?);
        let warning = fields.optional("warning")?.unwrap_or_default();
        let mut rest = fields.rest()?;
        rest.retain(|(name, value)| match value {
            Value::Array(values) => !values.is_empty(),
            _ => name != "format" || value.as_str() != Some("STRING"),
        });
        Ok(Self {
            total_results,
            rows,
            warning,
            rest,
        })
    }
}

/// Misspelt terms and what may have been meant.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SpellCheck {
    /// How many documents the index has, with `FULLSCOREINFO`.
    pub total_docs: Option<u64>,
    /// Terms.
    pub terms: Vec<SpellCheckTerm>,
    /// What a newer server sends besides, by name.
    pub rest: Vec<(String, Value)>,
}

/// A term of a spelling check.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SpellCheckTerm {
    /// Term of the query.
    pub term: Bytes,
    /// Whether the index has the term, which is told only with `FULLSCOREINFO`.
    pub known: bool,
    /// Suggestions and their scores, the best first.
    pub suggestions: Vec<(Bytes, f64)>,
}

impl Decode for SpellCheck {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        if reply.kind() == Kind::Map {
            let mut fields = Fields::of(reply)?;
            let Terms(terms) = fields.required("results")?;
            let total_docs = fields.optional("total_docs")?;
            return Ok(Self {
                total_docs,
                terms,
                rest: fields.rest()?,
            });
        }
        let wrong = || DecodeError::expected("a map or an array", reply);
        let elements = reply.elements().ok_or_else(wrong)?;
        let mut total_docs = None;
        let mut terms = Vec::with_capacity(elements.len());
        for (at, element) in elements.enumerate() {
            if at == 0 && element.kind() == Kind::Integer {
                total_docs = Some(Decode::decode(element)?);
                continue;
            }
            let term = SpellCheckTerm::decode(element).map_err(|error| error.in_element(at))?;
            terms.push(term);
        }
        Ok(Self {
            total_docs,
            terms,
            rest: Vec::new(),
        })
    }
}

impl Decode for SpellCheckTerm {
    /// Reads the word `TERM`, the term and its suggestions, the form that RESP2 has.
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let wrong = || DecodeError::expected("an array of three", reply);
        let mut elements = reply.elements().ok_or_else(wrong)?.skip(1);
        match (elements.next(), elements.next(), elements.next()) {
            (Some(term), Some(suggestions), None) => Self::read(term, suggestions),
            _ => Err(wrong()),
        }
    }
}

impl SpellCheckTerm {
    fn read(term: Reply<'_>, suggestions: Reply<'_>) -> Result<Self, DecodeError> {
        let term = Bytes::decode(term)?;
        let text = suggestions.bytes().or_else(|| suggestions.as_error());
        if text == Some(KNOWN) {
            return Ok(Self {
                term,
                known: true,
                suggestions: Vec::new(),
            });
        }
        let wrong = || DecodeError::expected("an array of suggestions", suggestions);
        let suggestions = suggestions
            .elements()
            .ok_or_else(wrong)?
            .enumerate()
            .map(|(at, suggestion)| {
                // A score and a suggestion, or a map of one suggestion to its score.
                match suggestion.kind() {
                    Kind::Map => <[_; 1]>::decode(suggestion).map(|[only]| only),
                    _ => Decode::decode(suggestion).map(|(score, text)| (text, score)),
                }
                .map_err(|error| error.in_element(at))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            term,
            known: false,
            suggestions,
        })
    }
}

/// What stands in place of the suggestions for a term that the index has.
const KNOWN: &[u8] = b"term exists in index";

/// Terms as a map, the form that RESP3 has.
struct Terms(Vec<SpellCheckTerm>);

impl Decode for Terms {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let terms = pairs(reply, "a map")?.enumerate().map(|(at, pair)| {
            let (term, suggestions) = pair?;
            SpellCheckTerm::read(term, suggestions).map_err(|error| error.in_element(at))
        });
        terms.collect::<Result<_, _>>().map(Self)
    }
}

/// Completions with scores and payloads.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Suggestions {
    /// Completions, the best first.
    pub suggestions: Vec<Suggestion>,
}

impl Decode for Suggestions {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let suggestions = triples(reply, |text, score, payload| Suggestion {
            text,
            score,
            payload,
            rest: Vec::new(),
        })?;
        Ok(Self { suggestions })
    }
}

/// A part that may be absent or nil.
fn part<T: Decode>(name: &str, reply: Option<Reply<'_>>) -> Result<Option<T>, DecodeError> {
    match reply {
        Some(reply) => Option::decode(reply).map_err(|error| error.in_field(name)),
        None => Ok(None),
    }
}

/// A field of an index, as `FT.INFO` describes it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IndexAttribute {
    /// Name of the hash field, or JSON path.
    pub identifier: Bytes,
    /// Name in queries.
    pub attribute: Bytes,
    /// `TEXT`, `TAG`, `NUMERIC`, `GEO`, `GEOSHAPE` or `VECTOR`.
    pub r#type: String,
    /// What the score of a match is multiplied by, of a text.
    pub weight: Option<f64>,
    /// What separates tags.
    pub separator: Option<Bytes>,
    /// `SORTABLE`, `NOSTEM`, `NOINDEX`, `CASESENSITIVE` and the like.
    pub flags: Vec<String>,
    /// What else the server sends, such as the parameters of a vector, by name.
    pub rest: Vec<(String, Value)>,
}

impl Decode for IndexAttribute {
    /// A map with a list of flags under RESP3; names and values in turn under RESP2, then flags.
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let wrong = || DecodeError::expected("a map or an array", reply);
        let mut elements = reply.elements().ok_or_else(wrong)?;
        let (mut pairs, mut flags) = (Vec::new(), Vec::new());
        while let Some(name) = elements.next() {
            let text = name.bytes().unwrap_or_default();
            let is_flag = reply.kind() != Kind::Map && INDEX_FLAGS.contains(&text);
            match if is_flag { None } else { elements.next() } {
                Some(value) => pairs.push((text, Some(value))),
                None => flags.push(String::decode(name)?),
            }
        }
        let mut fields = Fields::new(pairs);
        Ok(Self {
            identifier: fields.required("identifier")?,
            attribute: fields.required("attribute")?,
            r#type: fields.required("type")?,
            weight: fields.optional("WEIGHT")?,
            separator: fields.optional("SEPARATOR")?,
            flags: fields.optional("flags")?.unwrap_or(flags),
            rest: fields.rest()?,
        })
    }
}

/// What may follow the names and values of a field under RESP2.
const INDEX_FLAGS: [&[u8]; 8] = [
    b"CASESENSITIVE",
    b"SORTABLE",
    b"UNF",
    b"NOSTEM",
    b"NOINDEX",
    b"WITHSUFFIXTRIE",
    b"INDEXEMPTY",
    b"INDEXMISSING",
];

/// A setting of the search module.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SearchParameter {
    /// Name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Value; `None` where it is not set.
    pub value: Option<Bytes>,
    /// What a newer server sends besides, by name.
    pub rest: Vec<(String, Value)>,
}

impl Decode for SearchParameter {
    /// Reads a name with facts behind it, the form that RESP2 has, or with a map of facts.
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let wrong = || DecodeError::expected("an array of a name and facts", reply);
        let mut elements = reply.elements().ok_or_else(wrong)?;
        let name = elements.next().ok_or_else(wrong)?;
        if let Some(facts) = elements.clone().next()
            && facts.kind() == Kind::Map
        {
            return Self::read(name, Fields::of(facts)?);
        }
        let mut fields = Vec::new();
        while let Some(fact) = elements.next() {
            // A fact without a value would be lost.
            let value = elements.next().ok_or_else(wrong)?;
            fields.push((fact.bytes().ok_or_else(wrong)?, Some(value)));
        }
        Self::read(name, Fields::new(fields))
    }

    /// Reads a list of those, or the map of maps that RESP3 has.
    #[inline]
    fn decode_list(reply: Reply<'_>) -> Result<Vec<Self>, DecodeError> {
        let wrong = || DecodeError::expected("a map or an array", reply);
        if reply.kind() != Kind::Map {
            let elements = reply.elements().ok_or_else(wrong)?;
            return elements
                .enumerate()
                .map(|(at, element)| Self::decode(element).map_err(|error| error.in_element(at)))
                .collect();
        }
        pairs(reply, "a map")?
            .enumerate()
            .map(|(at, pair)| {
                let (name, facts) = pair?;
                Fields::of(facts)
                    .and_then(|facts| Self::read(name, facts))
                    .map_err(|error| error.in_element(at))
            })
            .collect()
    }
}

impl SearchParameter {
    fn read(name: Reply<'_>, mut facts: Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            name: Decode::decode(name)?,
            description: facts.required("Description")?,
            value: facts.optional("Value")?,
            rest: facts.rest()?,
        })
    }
}
