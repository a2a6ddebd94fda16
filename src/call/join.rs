//! The answers of several nodes as one.
//!
//! Whatever was asked of several nodes, [`join`] makes one frame of their answers that the command's
//! own type is read from.

use std::collections::HashSet;

use bytes::BytesMut;

use crate::{
    cluster::NodeAddress,
    command::Join,
    error::{Error, ErrorKind, Outcome, Result},
    resp::{Frame, Kind, Reply},
};

/// What one node answered.
#[derive(Clone, Debug)]
pub(crate) struct NodeAnswer {
    /// Where it is reached.
    pub(crate) from: NodeAddress,
    /// Which of the keys it was asked about.
    pub(crate) items: Vec<usize>,
    /// Its reply, which may be an error reply, or why there is none.
    pub(crate) reply: Result<Frame>,
    /// How likely its answer is to be the one of several, where that is asked for.
    pub(crate) weight: Option<i64>,
}

/// Makes one frame of the answers of several nodes.
///
/// # Errors
///
/// A node gave no answer, or the answers cannot be joined. Then the command may have been executed
/// if any node may have executed its part.
pub(crate) fn join(how: Join, answers: &[NodeAnswer], random: u64) -> Result<Frame> {
    if how == Join::OneSucceeded
        && let Some(frame) = answers
            .iter()
            .filter_map(|answer| answer.reply.as_ref().ok())
            .find(|frame| !frame.is_error())
    {
        return Ok(frame.clone());
    }
    let mut frames = Vec::with_capacity(answers.len());
    for answer in answers {
        match &answer.reply {
            Ok(frame) => frames.push(frame),
            Err(error) => return Err(touched(error.clone(), answers)),
        }
    }
    let first = *frames
        .first()
        .ok_or_else(|| mismatch("an answer", "none"))?;
    if how != Join::PerNode
        && let Some((frame, text)) = frames
            .iter()
            .find_map(|frame| Some((frame, frame.reply().as_error()?)))
    {
        let error = touched(Error::server(text), answers);
        return match error.may_have_executed() {
            // The error itself says as much as it does of one server.
            may if may == Error::server(text).may_have_executed() => Ok((*frame).clone()),
            _ => Err(error),
        };
    }
    let replies: Vec<Reply<'_>> = frames.iter().map(|frame| frame.reply()).collect();
    let mut out = FrameWriter::default();
    match how {
        Join::First | Join::OneSucceeded => return Ok(first.clone()),
        Join::Any(_) => {
            let weight = |answer: &NodeAnswer| {
                let weight = answer.weight.unwrap_or_default();
                // What has an answer has a weight, whatever it was when it was asked for.
                u64::try_from(weight).unwrap_or_default().max(1)
            };
            let weights = answers.iter().map(weight);
            let found = frames.iter().copied().zip(weights);
            let found: Vec<_> = found.filter(|(it, _)| !it.reply().is_nil()).collect();
            return Ok(pick_by_weight(&found, random).unwrap_or(first).clone());
        }
        Join::Sum => out.fold(&replies, i64::checked_add)?,
        Join::Min => out.fold(&replies, |one, other| Some(one.min(other)))?,
        Join::Max => out.fold(&replies, |one, other| Some(one.max(other)))?,
        Join::And => out.fold(&replies, |one, other| {
            Some(i64::from(one != 0 && other != 0))
        })?,
        Join::Or => out.fold(&replies, |one, other| {
            Some(i64::from(one != 0 || other != 0))
        })?,
        Join::Concatenate => out.concatenate(&replies)?,
        Join::Union => out.union(&replies)?,
        Join::InOrder => out.in_order(answers, &replies)?,
        Join::PerNode => {
            out.header(b'%', answers.len());
            for (answer, reply) in answers.iter().zip(&replies) {
                out.bulk(answer.from.to_string().as_bytes());
                out.0.extend_from_slice(reply.raw());
            }
        }
    }
    Ok(Frame::new(out.0.freeze(), false))
}

/// One of several by chance, as likely as its weight.
fn pick_by_weight<T: Copy>(from: &[(T, u64)], random: u64) -> Option<T> {
    let sum = |sum: u64, (_, weight): &(T, u64)| sum.saturating_add(*weight);
    let mut left = random.checked_rem(from.iter().fold(0, sum))?;
    for (one, weight) in from {
        match left.checked_sub(*weight) {
            Some(rest) => left = rest,
            None => return Some(*one),
        }
    }
    None
}

/// An error of one part, which tells whether any part may have been executed.
fn touched(error: Error, answers: &[NodeAnswer]) -> Error {
    let may_have_executed = answers.iter().any(|answer| match &answer.reply {
        Ok(frame) => frame
            .reply()
            .as_error()
            .is_none_or(|text| Error::server(text).may_have_executed()),
        Err(error) => error.may_have_executed(),
    });
    if may_have_executed && !error.may_have_executed() {
        return error.with_outcome(Outcome::Indeterminate);
    }
    error
}

/// A frame that is being written.
#[derive(Default)]
struct FrameWriter(BytesMut);

impl FrameWriter {
    fn header(&mut self, mark: u8, number: usize) {
        self.line(mark, itoa::Buffer::new().format(number).as_bytes());
    }

    fn integer(&mut self, integer: i64) {
        self.line(b':', itoa::Buffer::new().format(integer).as_bytes());
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.header(b'$', bytes.len());
        self.0.extend_from_slice(bytes);
        self.0.extend_from_slice(b"\r\n");
    }

    fn line(&mut self, mark: u8, text: &[u8]) {
        self.0.extend_from_slice(&[mark]);
        self.0.extend_from_slice(text);
        self.0.extend_from_slice(b"\r\n");
    }

    /// Computes numbers of numbers, element by element; what is no number must be the same.
    fn fold(&mut self, replies: &[Reply<'_>], with: fn(i64, i64) -> Option<i64>) -> Result<()> {
        let first = replies
            .first()
            .ok_or_else(|| mismatch("a number", "none"))?;
        if let Some(numbers) = all(replies, |reply| reply.integer()) {
            self.integer(combine(numbers, with)?);
            return Ok(());
        }
        if let Some(truths) = all(replies, |reply| reply.boolean().map(i64::from)) {
            let truth = combine(truths, with)? != 0;
            self.line(b'#', if truth { b"t" } else { b"f" });
            return Ok(());
        }
        let length = first.len();
        let kind = first.kind();
        if kind.is_aggregate()
            && replies
                .iter()
                .all(|it| it.kind() == kind && it.len() == length)
        {
            self.aggregate(*first, length)?;
            let mut columns: Vec<_> = replies.iter().filter_map(Reply::elements).collect();
            for _ in 0..length_of(*first) {
                let row: Vec<_> = columns.iter_mut().filter_map(Iterator::next).collect();
                self.fold(&row, with)?;
            }
            return Ok(());
        }
        if replies.iter().all(|reply| reply.raw() == first.raw()) {
            self.0.extend_from_slice(first.raw());
            return Ok(());
        }
        Err(mismatch("numbers of the same form", kind.noun()))
    }

    /// Puts lists, maps and texts one behind the other.
    fn concatenate(&mut self, replies: &[Reply<'_>]) -> Result<()> {
        let present: Vec<_> = replies.iter().filter(|reply| !reply.is_nil()).collect();
        let Some(first) = present.first() else {
            let nil = replies.first().ok_or_else(|| mismatch("a list", "none"))?;
            self.0.extend_from_slice(nil.raw());
            return Ok(());
        };
        let kind = first.kind();
        if let Some(other) = present.iter().find(|reply| reply.kind() != kind) {
            return Err(mismatch(kind.noun(), other.kind().noun()));
        }
        if kind.is_aggregate() {
            self.aggregate(**first, present.iter().map(|reply| reply.len()).sum())?;
            for element in present
                .iter()
                .filter_map(|reply| reply.elements())
                .flatten()
            {
                self.0.extend_from_slice(element.raw());
            }
            return Ok(());
        }
        match kind {
            // Something was done instead, such as a reset.
            Kind::SimpleString => self.0.extend_from_slice(first.raw()),
            Kind::BulkString | Kind::Verbatim => {
                let texts = present.iter().filter_map(|reply| reply.bytes());
                let text: Vec<u8> = texts.flatten().copied().collect();
                match first.verbatim_format() {
                    Some(format) => {
                        self.header(b'=', text.len() + format.len() + 1);
                        for part in [format, b":", &text, b"\r\n"] {
                            self.0.extend_from_slice(part);
                        }
                    }
                    None => self.bulk(&text),
                }
            }
            _ => return Err(mismatch("lists or texts", kind.noun())),
        }
        Ok(())
    }

    /// Puts lists one behind the other, without what is there already.
    fn union(&mut self, replies: &[Reply<'_>]) -> Result<()> {
        let first = replies.first().ok_or_else(|| mismatch("a list", "none"))?;
        let mut seen = HashSet::new();
        let mut elements = Vec::new();
        for reply in replies {
            let list = reply
                .elements()
                .filter(|_| reply.kind() == first.kind() && reply.kind() != Kind::Map)
                .ok_or_else(|| mismatch("a list", reply.kind().noun()))?;
            elements.extend(list.map(|it| it.raw()).filter(|raw| seen.insert(*raw)));
        }
        self.aggregate(*first, elements.len())?;
        elements
            .iter()
            .for_each(|raw| self.0.extend_from_slice(raw));
        Ok(())
    }

    /// Puts the elements where the keys stood that they are about.
    fn in_order(&mut self, answers: &[NodeAnswer], replies: &[Reply<'_>]) -> Result<()> {
        let count = answers.iter().map(|answer| answer.items.len()).sum();
        let mut elements: Vec<Option<Reply<'_>>> = vec![None; count];
        for (answer, reply) in answers.iter().zip(replies) {
            if reply.kind() != Kind::Array || reply.len() != answer.items.len() {
                let noun = reply.kind().noun();
                return Err(mismatch("an array with an element for each key", noun));
            }
            let items = answer
                .items
                .iter()
                .zip(reply.elements().into_iter().flatten());
            for (at, element) in items {
                if let Some(place) = elements.get_mut(*at) {
                    *place = Some(element);
                }
            }
        }
        self.header(b'*', count);
        for element in elements {
            let element = element.ok_or_else(|| mismatch("an element for each key", "fewer"))?;
            self.0.extend_from_slice(element.raw());
        }
        Ok(())
    }

    /// The header of an aggregate like another one, of a map with keys and values counted apart.
    fn aggregate(&mut self, like: Reply<'_>, elements: usize) -> Result<()> {
        let mark = like.raw().first().copied();
        match (like.kind(), mark) {
            (Kind::Map, _) => self.header(b'%', elements / 2),
            (_, Some(mark)) => self.header(mark, elements),
            (kind, None) => return Err(mismatch("a list", kind.noun())),
        }
        Ok(())
    }
}

/// What every reply has, if all have it.
fn all<T>(replies: &[Reply<'_>], of: impl Fn(&Reply<'_>) -> Option<T>) -> Option<Vec<T>> {
    replies.iter().map(of).collect()
}

fn combine(numbers: Vec<i64>, with: fn(i64, i64) -> Option<i64>) -> Result<i64> {
    let mut numbers = numbers.into_iter();
    let first = numbers.next().ok_or_else(|| mismatch("a number", "none"))?;
    numbers
        .try_fold(first, with)
        .ok_or_else(|| mismatch("a sum of 64 bits", "a larger one"))
}

fn length_of(reply: Reply<'_>) -> usize {
    reply.elements().map_or(0, |elements| elements.len())
}

fn mismatch(expected: &str, found: &str) -> Error {
    Error::new(
        ErrorKind::Decode,
        format!("expected of each node {expected}, found {found}"),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::reply::{Decode, Value};

    fn frame(text: &str) -> Frame {
        Frame::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn answers(texts: &[&str]) -> Vec<NodeAnswer> {
        let mut port = 0;
        texts
            .iter()
            .map(|text| {
                port += 1;
                NodeAnswer {
                    weight: None,
                    from: NodeAddress::new("h", port),
                    items: Vec::new(),
                    reply: Ok(frame(text)),
                }
            })
            .collect()
    }

    #[track_caller]
    fn joined(how: Join, texts: &[&str], expected: &str) {
        let joined = join(how, &answers(texts), 1).unwrap();
        assert_eq!(String::from_utf8_lossy(joined.as_bytes()), expected);
        assert!(Frame::parse(Bytes::copy_from_slice(joined.as_bytes())).is_ok());
    }

    #[test]
    fn numbers_are_joined_element_by_element() {
        joined(Join::Sum, &[":1\r\n", ":2\r\n", ":-5\r\n"], ":-2\r\n");
        joined(Join::Min, &[":4\r\n", ":2\r\n"], ":2\r\n");
        joined(Join::Max, &[":4\r\n", ":2\r\n"], ":4\r\n");
        joined(
            Join::Min,
            &["*2\r\n:1\r\n:5\r\n", "*2\r\n:3\r\n:2\r\n"],
            "*2\r\n:1\r\n:2\r\n",
        );
        joined(
            Join::And,
            &["*2\r\n:1\r\n:1\r\n", "*2\r\n:1\r\n:0\r\n"],
            "*2\r\n:1\r\n:0\r\n",
        );
        joined(Join::Or, &[":0\r\n", ":1\r\n"], ":1\r\n");
        joined(Join::And, &["*1\r\n#t\r\n", "*1\r\n#f\r\n"], "*1\r\n#f\r\n");
        joined(
            Join::Sum,
            &[
                "*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:0\r\n",
                "*4\r\n$1\r\na\r\n:2\r\n$1\r\nb\r\n:3\r\n",
            ],
            "*4\r\n$1\r\na\r\n:3\r\n$1\r\nb\r\n:3\r\n",
        );
        joined(
            Join::Sum,
            &["%1\r\n$1\r\na\r\n:1\r\n", "%1\r\n$1\r\na\r\n:2\r\n"],
            "%1\r\n$1\r\na\r\n:3\r\n",
        );
    }

    #[test]
    fn lists_maps_and_texts_are_put_one_behind_the_other() {
        joined(
            Join::Concatenate,
            &["*1\r\n:1\r\n", "*0\r\n", "*2\r\n:2\r\n*-1\r\n"],
            "*3\r\n:1\r\n:2\r\n*-1\r\n",
        );
        joined(
            Join::Concatenate,
            &["%1\r\n:1\r\n:2\r\n", "%1\r\n:3\r\n:4\r\n"],
            "%2\r\n:1\r\n:2\r\n:3\r\n:4\r\n",
        );
        joined(
            Join::Concatenate,
            &["~1\r\n:1\r\n", "~1\r\n:3\r\n"],
            "~2\r\n:1\r\n:3\r\n",
        );
        joined(
            Join::Concatenate,
            &["$2\r\na\n\r\n", "$2\r\nb\n\r\n"],
            "$4\r\na\nb\n\r\n",
        );
        joined(
            Join::Concatenate,
            &["=6\r\ntxt:a\n\r\n", "=6\r\ntxt:b\n\r\n"],
            "=8\r\ntxt:a\nb\n\r\n",
        );
        joined(Join::Concatenate, &["+OK\r\n", "+OK\r\n"], "+OK\r\n");
        joined(
            Join::Concatenate,
            &["_\r\n", "*1\r\n:1\r\n"],
            "*1\r\n:1\r\n",
        );
        joined(Join::Concatenate, &["$-1\r\n", "$-1\r\n"], "$-1\r\n");
        joined(
            Join::Union,
            &["*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*1\r\n$1\r\na\r\n"],
            "*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        );
    }

    #[test]
    fn one_answer_stands_for_all() {
        joined(Join::First, &["+OK\r\n", "+OK\r\n"], "+OK\r\n");
        joined(Join::First, &["+OK\r\n", "-ERR no\r\n"], "-ERR no\r\n");
        joined(
            Join::OneSucceeded,
            &["-NOTBUSY x\r\n", "+OK\r\n"],
            "+OK\r\n",
        );
        joined(
            Join::OneSucceeded,
            &["-NOTBUSY x\r\n", "-NOTBUSY y\r\n"],
            "-NOTBUSY x\r\n",
        );
        joined(
            Join::Any(b""),
            &["_\r\n", "$1\r\na\r\n", "$1\r\nb\r\n"],
            "$1\r\nb\r\n",
        );
        joined(Join::Any(b""), &["$-1\r\n", "$-1\r\n"], "$-1\r\n");
        joined(Join::Sum, &[":1\r\n", "-ERR no\r\n"], "-ERR no\r\n");
    }

    #[test]
    fn each_node_keeps_its_answer_where_there_is_no_other_way() {
        let joined = join(Join::PerNode, &answers(&["$1\r\na\r\n", "-ERR no\r\n"]), 0).unwrap();
        let value = Value::decode(joined.reply()).unwrap();
        let Value::Map(pairs) = value else {
            panic!("{value:?}");
        };
        assert_eq!(pairs.len(), 2);
        assert_eq!(pairs[0].0, Value::BulkString(Bytes::from_static(b"h:1")));
        assert_eq!(pairs[0].1, Value::BulkString(Bytes::from_static(b"a")));
        assert!(matches!(pairs[1].1, Value::Error(_)));
    }

    #[test]
    fn values_come_in_the_order_of_their_keys() {
        let mut answers = answers(&["*2\r\n$1\r\na\r\n_\r\n", "*1\r\n$1\r\nb\r\n"]);
        answers[0].items = vec![0, 2];
        answers[1].items = vec![1];
        let joined = join(Join::InOrder, &answers, 0).unwrap();
        assert_eq!(joined.as_bytes(), b"*3\r\n$1\r\na\r\n$1\r\nb\r\n_\r\n");
        let values = Vec::<Option<String>>::decode(joined.reply()).unwrap();
        assert_eq!(values, [Some("a".to_owned()), Some("b".to_owned()), None]);
        answers[1].items = vec![1, 3];
        assert!(join(Join::InOrder, &answers, 0).is_err());
    }

    #[test]
    fn answers_of_different_forms_are_refused() {
        for (how, texts) in [
            (Join::Sum, [":1\r\n", "+OK\r\n"]),
            (Join::Sum, ["*1\r\n:1\r\n", "*2\r\n:1\r\n:1\r\n"]),
            (Join::Sum, [":9223372036854775807\r\n", ":1\r\n"]),
            (Join::Sum, ["*1\r\n$1\r\na\r\n", "*1\r\n$1\r\nb\r\n"]),
            (Join::Concatenate, ["*0\r\n", "+OK\r\n"]),
            (Join::Concatenate, [":1\r\n", ":1\r\n"]),
            (Join::Union, ["*0\r\n", ":1\r\n"]),
        ] {
            let error = join(how, &answers(&texts), 0).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{how:?} {texts:?}");
        }
        assert!(join(Join::Sum, &[], 0).is_err());
    }

    #[test]
    fn a_part_that_was_refused_makes_the_whole_uncertain_if_another_was_not() {
        let joined = |texts: &[&str]| join(Join::Sum, &answers(texts), 0);
        let error = joined(&[":1\r\n", "-READONLY x\r\n"]).unwrap_err();
        assert_eq!(error.code(), Some("READONLY"));
        assert!(error.may_have_executed());
        let error = joined(&["-READONLY x\r\n", "-ERR x\r\n"]).unwrap_err();
        assert_eq!(error.code(), Some("READONLY"));
        assert!(error.may_have_executed());
        let frame = joined(&["-READONLY x\r\n", "-OOM x\r\n"]).unwrap();
        assert_eq!(frame.as_bytes(), b"-READONLY x\r\n");
        let frame = joined(&[":1\r\n", "-ERR x\r\n"]).unwrap();
        assert_eq!(frame.as_bytes(), b"-ERR x\r\n");
    }

    #[test]
    fn a_part_that_was_not_sent_makes_the_whole_uncertain_if_another_was() {
        let lost = Error::new(ErrorKind::Connect, "refused");
        let mut answers = answers(&[":1\r\n", ":1\r\n"]);
        answers[1].reply = Err(lost.clone());
        let error = join(Join::Sum, &answers, 0).unwrap_err();
        assert!(error.may_have_executed());
        answers[0].reply = Err(lost);
        assert!(
            !join(Join::Sum, &answers, 0)
                .unwrap_err()
                .may_have_executed()
        );
        answers[0].reply = Ok(frame("+OK\r\n"));
        assert!(join(Join::OneSucceeded, &answers, 0).is_ok());
    }

    #[test]
    fn k05_an_answer_is_as_likely_as_its_weight() {
        let answer = |text: &'static str, weight| NodeAnswer {
            from: NodeAddress::new("h", 1),
            items: Vec::new(),
            reply: Ok(Frame::parse(Bytes::from_static(text.as_bytes())).unwrap()),
            weight,
        };
        let answers = [
            answer("$1\r\na\r\n", Some(1)),
            answer("$-1\r\n", Some(90)),
            answer("$1\r\nb\r\n", Some(8)),
            // It had none when it was counted.
            answer("$1\r\nc\r\n", Some(0)),
        ];
        let mut found = std::collections::BTreeMap::new();
        for random in 0..1000 {
            let joined = join(Join::Any(b""), &answers, random).unwrap();
            let text = joined.reply().bytes().unwrap().to_vec();
            *found.entry(text).or_insert(0) += 1;
        }
        let found: Vec<_> = found.into_values().collect();
        assert_eq!(found, [100, 800, 100]);
    }
}
