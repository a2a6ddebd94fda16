//! Lists of time series and of their compaction rules.
//!
//! Under RESP2 they are arrays whose elements begin with a key, under RESP3 maps.

use bytes::Bytes;

use super::{Decode, DecodeError, Fields, Parts, TsLast, TsRule, TsSeries, Value, decode::pairs};
use crate::resp::{Kind, Reply};

/// The compaction rules of a time series.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TsRules {
    /// Rules, each with the key of the series that takes its result.
    pub rules: Vec<TsRule>,
}

impl Decode for TsRules {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let rules = by_key(reply, |key, parts| {
            let [bucket, aggregator, rest @ ..] = parts else {
                return Err(too_short("a bucket and an aggregator", parts));
            };
            let (alignment, rest) = match rest {
                [alignment, rest @ ..] => (Decode::decode(*alignment)?, rest),
                [] => (None, rest),
            };
            Ok(TsRule {
                key,
                bucket: Decode::decode(*bucket)?,
                aggregator: Decode::decode(*aggregator)?,
                alignment,
                rest: values(rest)?,
            })
        })?;
        Ok(Self { rules })
    }
}

/// The latest sample of each of several series.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TsLastList {
    /// Series.
    pub series: Vec<TsLast>,
}

impl Decode for TsLastList {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let series = by_key(reply, |key, parts| {
            let [labels, sample, rest @ ..] = parts else {
                return Err(too_short("labels and a sample", parts));
            };
            Ok(TsLast {
                key,
                labels: Decode::decode(*labels)?,
                sample: Decode::decode(*sample)?,
                rest: values(rest)?,
            })
        })?;
        Ok(Self { series })
    }
}

/// The samples of each of several series or groups.
///
/// The reducers and sources of a group are never among its labels, where RESP2 has them; there they
/// are told only if labels were asked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TsSeriesList {
    /// Series or groups.
    pub series: Vec<TsSeries>,
}

impl Decode for TsSeriesList {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let series = by_key(reply, |key, parts| {
            let [labels, facts @ .., samples] = parts else {
                return Err(too_short("labels and samples", parts));
            };
            let mut series = TsSeries {
                key,
                labels: Decode::decode(*labels)?,
                samples: Vec::with_capacity(samples.len()),
                aggregators: None,
                reducers: None,
                sources: None,
                rest: Vec::new(),
            };
            for fact in facts {
                series.add(*fact)?;
            }
            series.take_labels_of_group();
            series.add_samples(*samples)?;
            Ok(series)
        })?;
        Ok(Self { series })
    }
}

impl TsSeries {
    /// Adds what RESP3 has between labels and samples, a map of one entry.
    fn add(&mut self, fact: Reply<'_>) -> Result<(), DecodeError> {
        if fact.kind() != Kind::Map {
            self.rest.push(Value::decode(fact)?);
            return Ok(());
        }
        let mut fields = Fields::of(fact)?;
        let some = |list: Option<Vec<String>>| list.filter(|list| !list.is_empty());
        if let Some(aggregators) = some(fields.optional("aggregators")?) {
            self.aggregators = Some(aggregators);
        }
        if let Some(reducers) = some(fields.optional("reducers")?) {
            self.reducers = Some(reducers);
        }
        if let Some(sources) = fields.optional("sources")? {
            self.sources = Some(sources);
        }
        let rest = fields.rest()?;
        if !rest.is_empty() {
            let text = |name: String| Value::BulkString(name.into());
            let rest = rest.into_iter().map(|(name, value)| (text(name), value));
            self.rest.push(Value::Map(rest.collect()));
        }
        Ok(())
    }

    /// Moves what RESP2 has among the labels of a group to where it belongs.
    fn take_labels_of_group(&mut self) {
        let (reducers, sources) = (&mut self.reducers, &mut self.sources);
        self.labels.retain(|(name, value)| match (&**name, value) {
            (b"__reducer__", Some(value)) => {
                let value = String::from_utf8_lossy(value).into_owned();
                reducers.get_or_insert_default().push(value);
                false
            }
            (b"__source__", Some(value)) => {
                let keys = value
                    .split(|byte| *byte == b',')
                    .map(|key| value.slice_ref(key));
                sources.get_or_insert_default().extend(keys);
                false
            }
            _ => true,
        });
    }

    /// Adds samples; where one has several values, as newer servers send for several aggregators,
    /// all samples are kept in `rest` as well.
    fn add_samples(&mut self, samples: Reply<'_>) -> Result<(), DecodeError> {
        let elements = samples
            .elements()
            .ok_or_else(|| DecodeError::expected("an array", samples))?;
        let mut several = false;
        for (at, sample) in elements.enumerate() {
            several |= sample.len() > 2;
            let first = || {
                let mut parts = Parts::of(sample)?;
                Ok((parts.required("timestamp")?, parts.required("value")?))
            };
            self.samples
                .push(first().map_err(|error: DecodeError| error.in_element(at))?);
        }
        if several {
            self.rest.push(Value::decode(samples)?);
        }
        Ok(())
    }
}

/// Reads a list of things that have a key, whose other parts follow it or are its value.
fn by_key<T>(
    reply: Reply<'_>,
    mut read: impl FnMut(Bytes, &[Reply<'_>]) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut list = Vec::new();
    if reply.kind() == Kind::Map {
        for (at, pair) in pairs(reply, "a map")?.enumerate() {
            let (key, parts) = pair?;
            let mut one = || read(Decode::decode(key)?, &elements(parts)?);
            list.push(one().map_err(|error| error.in_element(at))?);
        }
        return Ok(list);
    }
    for (at, parts) in elements(reply)?.into_iter().enumerate() {
        let mut one = || {
            let parts = elements(parts)?;
            let [key, parts @ ..] = &*parts else {
                return Err(too_short("a key", &parts));
            };
            read(Decode::decode(*key)?, parts)
        };
        list.push(one().map_err(|error| error.in_element(at))?);
    }
    Ok(list)
}

fn elements(reply: Reply<'_>) -> Result<Vec<Reply<'_>>, DecodeError> {
    let elements = reply.elements().filter(|_| reply.kind() != Kind::Map);
    Ok(elements
        .ok_or_else(|| DecodeError::expected("an array", reply))?
        .collect())
}

fn values(replies: &[Reply<'_>]) -> Result<Vec<Value>, DecodeError> {
    replies.iter().map(|reply| Value::decode(*reply)).collect()
}

fn too_short(expected: &'static str, parts: &[Reply<'_>]) -> DecodeError {
    DecodeError::new(expected, format!("an array of {}", parts.len()))
}
