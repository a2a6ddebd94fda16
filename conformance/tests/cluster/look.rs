//! Answers that differ from call to call, and what is compared of them.

use std::fmt;

use respec::reply::Value;
use respec_conformance::Sample;
use respec_spec::samples::glob;

/// What is compared of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    /// Of each line of text, the fields with these names, as in `addr=127.0.0.1:1`.
    Fields(&'static [&'static str]),
    /// All but the values of the fields with these names, at any depth.
    Without(&'static [&'static str]),
    /// The names of fields, as in `used_memory:1`, and of what is no text all but its numbers.
    Names,
    /// What kind of value it is.
    Kind,
}

/// How answers are looked at that are not compared as they are, and why.
#[derive(Debug)]
pub(crate) struct Rule {
    command: &'static str,
    /// Labels of its samples.
    samples: &'static str,
    pub(crate) look: Look,
    reason: &'static str,
}

/// The rule for a sample.
pub(crate) fn at(sample: &Sample) -> Option<&'static Rule> {
    RULES
        .iter()
        .find(|rule| glob(rule.command, sample.info.name) && glob(rule.samples, &sample.label))
}

const fn rule(command: &'static str, look: Look, reason: &'static str) -> Rule {
    Rule {
        command,
        samples: "*",
        look,
        reason,
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.command, self.samples, self.reason)
    }
}

/// All of them; the first that fits decides.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        samples: "*skipme/yes*",
        ..rule(
            "CLIENT LIST",
            Look::Fields(&["laddr", "user", "db"]),
            "leaves out the connection that asks, which is another one",
        )
    },
    rule(
        "CLIENT LIST",
        Look::Fields(&["addr", "laddr", "user", "db"]),
        "ages and buffers of connections change with every call",
    ),
    rule(
        "ACL LOG",
        Look::Without(&[
            "age-seconds",
            "client-info",
            "entry-id",
            "timestamp-created",
            "timestamp-last-updated",
        ]),
        "what is logged anew has another time and number",
    ),
    rule(
        "INFO",
        Look::Names,
        "counts and measures that go on; the names of fields are compared",
    ),
    rule(
        "MEMORY STATS",
        Look::Names,
        "measures that go on; the names of fields are compared",
    ),
    rule(
        "MEMORY MALLOC-STATS",
        Look::Kind,
        "a report of any form, with measures in it",
    ),
    rule(
        "LATENCY HISTOGRAM",
        Look::Kind,
        "the call itself is among what is measured",
    ),
    rule(
        "LATENCY GRAPH",
        Look::Kind,
        "a picture with the age of each event in it",
    ),
];

impl Look {
    /// What is compared of a value.
    pub(crate) fn of(self, value: &Value) -> Value {
        match self {
            Self::Fields(names) => {
                let text = value.as_str().unwrap_or_default();
                let lines = text.lines().map(|line| fields(line, names));
                Value::BulkString(lines.collect::<Vec<_>>().join("\n").into())
            }
            Self::Without(hidden) => without(value, hidden),
            Self::Names => names(value),
            Self::Kind => match value {
                Value::BulkString(_) | Value::Verbatim { .. } => Value::BulkString("text".into()),
                Value::Map(_) => Value::Map(Vec::new()),
                Value::Array(_) => Value::Array(Vec::new()),
                other => other.clone(),
            },
        }
    }
}

fn fields(line: &str, names: &[&str]) -> String {
    let fields = line.split(' ').filter(|field| {
        let name = field.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| names.contains(&name))
    });
    fields.collect::<Vec<_>>().join(" ")
}

fn without(value: &Value, hidden: &[&str]) -> Value {
    let is_hidden = |it: &Value| it.as_str().is_some_and(|name| hidden.contains(&name));
    match value {
        Value::Map(pairs) => {
            let pairs = pairs.iter().filter(|(key, _)| !is_hidden(key));
            let pairs = pairs.map(|(key, value)| (key.clone(), without(value, hidden)));
            Value::Map(pairs.collect())
        }
        Value::Array(values) => {
            // Under RESP2 the value follows the name.
            let follows = |at: usize| at > 0 && is_hidden(&values[at - 1]);
            let kept = values.iter().enumerate().filter(|(at, _)| !follows(*at));
            Value::Array(kept.map(|(_, value)| without(value, hidden)).collect())
        }
        other => other.clone(),
    }
}

fn names(value: &Value) -> Value {
    match value {
        Value::Integer(_) | Value::Double(_) => Value::Integer(0),
        Value::Map(pairs) => {
            let pairs = pairs.iter();
            Value::Map(pairs.map(|(key, it)| (key.clone(), names(it))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(names).collect()),
        other => match other.as_str() {
            // Under RESP2 a number with a fraction is a text.
            Some(text) if text.parse::<f64>().is_ok() => Value::Integer(0),
            Some(text) => {
                let names = text.lines().filter_map(|line| line.split(':').next());
                Value::BulkString(names.collect::<Vec<_>>().join("\n").into())
            }
            None => other.clone(),
        },
    }
}
