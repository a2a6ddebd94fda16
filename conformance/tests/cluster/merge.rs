//! What several nodes say together, written apart from the client: it joins frames, and here the
//! values in them are compared.

use std::collections::{BTreeMap, BTreeSet};

use respec::{command::Join, reply::Value};

/// What is wrong with an answer, if the nodes by themselves have answered so.
///
/// Errors are values here, and their text does not matter beyond the code. The order in which nodes
/// are asked is nobody's business, so that of lists that are put together is not either.
pub(crate) fn wrong(join: Join, nodes: &[(String, Value)], answer: &Value) -> Option<String> {
    let said: Vec<&Value> = nodes.iter().map(|(_, value)| value).collect();
    let (errors, values): (Vec<&Value>, Vec<&Value>) =
        said.iter().copied().partition(|it| code(it).is_some());
    let fits = match join {
        Join::PerNode => {
            let wanted = nodes
                .iter()
                .map(|(node, value)| (node.clone(), written(value)));
            per_node(answer) == Some(wanted.collect())
        }
        Join::OneSucceeded if !values.is_empty() => is_one_of(answer, &values),
        _ if !errors.is_empty() => errors.iter().any(|error| code(error) == code(answer)),
        Join::OneSucceeded | Join::First => is_one_of(answer, &values),
        Join::Any(_) => {
            let present: Vec<_> = values.iter().copied().filter(|it| !it.is_nil()).collect();
            is_one_of(
                answer,
                if present.is_empty() {
                    &values
                } else {
                    &present
                },
            )
        }
        Join::Sum => leaf_by_leaf(&values, answer, |column| column.iter().sum()),
        Join::Min => leaf_by_leaf(&values, answer, least),
        Join::Max => leaf_by_leaf(&values, answer, |column| -least(&negated(column))),
        Join::And => leaf_by_leaf(&values, answer, |column| i64::from(!column.contains(&0))),
        Join::Or => leaf_by_leaf(&values, answer, |column| {
            i64::from(column.iter().any(|it| *it != 0))
        }),
        Join::Concatenate => {
            kind(answer) == kind(values[0]) && sorted(pieces(answer)) == sorted(all(&values))
        }
        Join::Union => {
            let wanted: BTreeSet<_> = all(&values).into_iter().collect();
            kind(answer) == kind(values[0])
                && sorted(pieces(answer)) == wanted.into_iter().collect::<Vec<_>>()
        }
        Join::InOrder => kind(answer) == kind(values[0]) && pieces(answer) == all(&values),
    };
    (!fits).then(|| format!("{answer:?} of {nodes:?}"))
}

/// The code of an error.
pub(crate) fn code(value: &Value) -> Option<String> {
    let Value::Error(text) = value else {
        return None;
    };
    let text = String::from_utf8_lossy(text);
    text.split(' ').next().map(str::to_owned)
}

/// Bytes that are the same for values that are.
pub(crate) fn written(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// Some answers have tens of thousands of parts, for which `Debug` takes seconds.
fn write(value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(kind(value).as_bytes());
    match value {
        Value::Array(_) | Value::Set(_) | Value::Map(_) => {
            let parts = parts(value);
            out.extend_from_slice(&parts.len().to_le_bytes());
            parts.into_iter().for_each(|part| write(part, out));
        }
        Value::Integer(number) => out.extend_from_slice(&number.to_le_bytes()),
        other => match other.as_bytes() {
            Some(text) => {
                out.extend_from_slice(&text.len().to_le_bytes());
                out.extend_from_slice(text);
            }
            None => out.extend(code(other).unwrap_or_else(|| format!("{other:?}")).bytes()),
        },
    }
}

fn per_node(answer: &Value) -> Option<BTreeMap<String, Vec<u8>>> {
    let Value::Map(pairs) = answer else {
        return None;
    };
    let pairs = pairs.iter();
    Some(
        pairs
            .filter_map(|(node, value)| Some((node.as_str()?.to_owned(), written(value))))
            .collect(),
    )
}

fn is_one_of(answer: &Value, values: &[&Value]) -> bool {
    values.iter().any(|value| written(value) == written(answer))
}

/// Whether the numbers of an answer are those that `of` makes of the numbers in the same place, and
/// everything else is the same everywhere.
fn leaf_by_leaf(values: &[&Value], answer: &Value, of: fn(&[i64]) -> i64) -> bool {
    let rows: Vec<_> = values.iter().map(|value| leaves(value)).collect();
    let answer = leaves(answer);
    rows.iter().all(|row| row.len() == answer.len())
        && answer.iter().enumerate().all(|(at, leaf)| match leaf {
            Leaf::Number(number) => {
                let column: Option<Vec<i64>> = rows.iter().map(|row| row[at].number()).collect();
                column.is_some_and(|column| of(&column) == *number)
            }
            Leaf::Other(_) => rows.iter().all(|row| row[at] == *leaf),
        })
}

/// A part of a value that has no parts.
#[derive(Debug, PartialEq)]
enum Leaf {
    Number(i64),
    Other(Vec<u8>),
}

impl Leaf {
    fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Other(_) => None,
        }
    }
}

/// All leaves of a value, each list in front of its own.
fn leaves(value: &Value) -> Vec<Leaf> {
    match value {
        Value::Integer(number) => vec![Leaf::Number(*number)],
        Value::Array(_) | Value::Set(_) | Value::Map(_) => {
            let parts = parts(value);
            let head = format!("{} of {}", kind(value), parts.len());
            let inner = parts.into_iter().flat_map(leaves);
            [Leaf::Other(head.into_bytes())]
                .into_iter()
                .chain(inner)
                .collect()
        }
        other => vec![Leaf::Other(written(other))],
    }
}

fn parts(value: &Value) -> Vec<&Value> {
    match value {
        Value::Map(pairs) => pairs.iter().flat_map(|(key, value)| [key, value]).collect(),
        other => other.as_slice().unwrap_or_default().iter().collect(),
    }
}

/// The elements of a list, the pairs of a map, the lines of a text.
fn pieces(value: &Value) -> Vec<Vec<u8>> {
    match value {
        Value::Map(pairs) => {
            let pairs = pairs.iter();
            pairs
                .map(|(key, it)| [written(key), written(it)].concat())
                .collect()
        }
        Value::SimpleString(_) | Value::BulkString(_) | Value::Verbatim { .. } => {
            let text = value.as_str().unwrap_or_default();
            text.lines().map(|line| line.as_bytes().to_vec()).collect()
        }
        other => parts(other).into_iter().map(written).collect(),
    }
}

fn all(values: &[&Value]) -> Vec<Vec<u8>> {
    // Each node says that something was done instead, such as a reset; once is enough.
    if let Value::SimpleString(_) = values[0] {
        return pieces(values[0]);
    }
    values.iter().flat_map(|value| pieces(value)).collect()
}

fn sorted(mut pieces: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    pieces.sort_unstable();
    pieces
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "array",
        Value::Set(_) => "set",
        Value::Map(_) => "map",
        Value::SimpleString(_) => "status",
        Value::BulkString(_) => "text",
        Value::Verbatim { .. } => "verbatim text",
        Value::Nil => "nil",
        Value::Integer(_) => "integer",
        Value::Error(_) => "error",
        _ => "number",
    }
}

fn least(column: &[i64]) -> i64 {
    column.iter().copied().fold(i64::MAX, i64::min)
}

fn negated(column: &[i64]) -> Vec<i64> {
    column.iter().map(|number| -number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(numbers: &[i64]) -> Value {
        Value::Array(numbers.iter().copied().map(Value::Integer).collect())
    }

    fn text(text: &'static str) -> Value {
        Value::BulkString(text.into())
    }

    fn fits(join: Join, nodes: &[Value], answer: &Value) -> bool {
        let nodes: Vec<_> = nodes
            .iter()
            .enumerate()
            .map(|(at, value)| (at.to_string(), value.clone()))
            .collect();
        wrong(join, &nodes, answer).is_none()
    }

    #[test]
    fn numbers_are_computed_in_their_places() {
        let nodes = [numbers(&[1, 0, 4]), numbers(&[2, 3, 0])];
        for (join, answer) in [
            (Join::Sum, [3, 3, 4]),
            (Join::Min, [1, 0, 0]),
            (Join::Max, [2, 3, 4]),
            (Join::And, [1, 0, 0]),
            (Join::Or, [1, 1, 1]),
        ] {
            assert!(fits(join, &nodes, &numbers(&answer)), "{join:?}");
            assert!(!fits(join, &nodes, &numbers(&[9, 3, 4])), "{join:?}");
            assert!(!fits(join, &nodes, &numbers(&answer[..2])), "{join:?}");
        }
    }

    #[test]
    fn lists_are_put_together() {
        let nodes = [numbers(&[1, 2]), numbers(&[2])];
        assert!(fits(Join::Concatenate, &nodes, &numbers(&[2, 2, 1])));
        assert!(!fits(Join::Concatenate, &nodes, &numbers(&[2, 1])));
        assert!(fits(Join::Union, &nodes, &numbers(&[2, 1])));
        assert!(!fits(Join::Union, &nodes, &numbers(&[2, 2, 1])));
        assert!(fits(Join::InOrder, &nodes, &numbers(&[1, 2, 2])));
        assert!(!fits(Join::InOrder, &nodes, &numbers(&[2, 1, 2])));
        let lines = [text("a\nb\n"), text("c\n")];
        assert!(fits(Join::Concatenate, &lines, &text("c\na\nb\n")));
        assert!(!fits(Join::Concatenate, &lines, &text("a\nb\n")));
    }

    #[test]
    fn one_error_is_enough_unless_one_success_is() {
        let nodes = [text("a"), Value::Error("ERR no".into())];
        let error = Value::Error("ERR other text".into());
        assert!(fits(Join::First, &nodes, &error));
        assert!(!fits(Join::First, &nodes, &text("a")));
        assert!(!fits(Join::First, &nodes, &Value::Error("BUSY".into())));
        assert!(fits(Join::OneSucceeded, &nodes, &text("a")));
        assert!(!fits(Join::OneSucceeded, &nodes, &error));
    }

    #[test]
    fn what_is_there_is_preferred_to_nothing() {
        let nodes = [Value::Nil, text("a"), text("b")];
        assert!(fits(Join::Any(b""), &nodes, &text("b")));
        assert!(!fits(Join::Any(b""), &nodes, &Value::Nil));
        assert!(fits(Join::Any(b""), &[Value::Nil], &Value::Nil));
    }
}
