//! The frames that answer one call.

use std::slice;

use super::{Frame, Reply};

/// Frames in the order in which they came, such as the replies to a pipeline.
///
/// Replies without elements that have come side by side stay together: they share one piece of
/// memory, and each of them takes no more than the number that says where it ends. A value that is
/// taken out of them is copied if it is less than a quarter of that, so as not to keep all of it.
#[derive(Clone, Debug, Default)]
pub struct Frames(List);

#[derive(Clone, Debug, Default)]
enum List {
    #[default]
    None,
    /// What answers most calls, in place.
    One(Frame),
    Runs(Vec<Run>),
}

/// Frames without elements that lie side by side in a receive buffer.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// All of them.
    frame: Frame,
    /// Where each of them ends; none if there is only one.
    ends: Vec<u32>,
}

impl Frames {
    /// No frames.
    #[must_use]
    pub const fn new() -> Self {
        Self(List::None)
    }

    /// How many frames there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            List::None => 0,
            List::One(_) => 1,
            List::Runs(runs) => runs.iter().map(Run::len).sum(),
        }
    }

    /// Whether there are no frames.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values of the frames.
    #[must_use]
    #[inline]
    pub fn iter(&self) -> Values<'_> {
        match &self.0 {
            List::None => Values::of(None, &[]),
            List::One(frame) => Values::of(Some(frame), &[]),
            List::Runs(runs) => Values::of(None, runs),
        }
    }

    /// Whether some of the frames may be errors; they begin like that.
    #[inline]
    pub(crate) fn may_hold_errors(&self) -> bool {
        match &self.0 {
            List::None => false,
            List::One(frame) => may_be_error(frame.as_bytes(), 0),
            List::Runs(runs) => runs.iter().any(|Run { frame, ends }| {
                let starts = ends.split_last().map_or(&[][..], |(_, starts)| starts);
                let bytes = frame.as_bytes();
                may_be_error(bytes, 0) || starts.iter().any(|at| may_be_error(bytes, *at as usize))
            }),
        }
    }

    /// The value of the last frame.
    #[must_use]
    #[inline]
    pub fn last(&self) -> Option<Reply<'_>> {
        match &self.0 {
            List::None => None,
            List::One(frame) => Some(frame.reply()),
            List::Runs(runs) => {
                let Run { frame, ends } = runs.last()?;
                match ends.as_slice() {
                    [.., last_but_one, _] => Some(frame.reply_at(*last_but_one as usize)),
                    _ => Some(frame.reply()),
                }
            }
        }
    }

    /// Appends a frame.
    #[inline]
    pub fn push(&mut self, frame: Frame) {
        if let List::None = self.0 {
            self.0 = List::One(frame);
        } else {
            self.push_run(Run::one(frame));
        }
    }

    pub(crate) fn push_run(&mut self, run: Run) {
        match &mut self.0 {
            List::Runs(runs) => runs.push(run),
            list => {
                let first = match std::mem::take(list) {
                    List::One(frame) => Some(Run::one(frame)),
                    List::None | List::Runs(_) => None,
                };
                *list = List::Runs(first.into_iter().chain([run]).collect());
            }
        }
    }

    /// Each frame by itself.
    #[must_use]
    pub fn into_vec(self) -> Vec<Frame> {
        match self.0 {
            List::None => Vec::new(),
            List::One(frame) => vec![frame],
            List::Runs(runs) => runs.iter().flat_map(Run::frames).collect(),
        }
    }
}

impl From<Frame> for Frames {
    fn from(frame: Frame) -> Self {
        Self(List::One(frame))
    }
}

impl FromIterator<Frame> for Frames {
    fn from_iter<I: IntoIterator<Item = Frame>>(frames: I) -> Self {
        let mut all = Self::new();
        frames.into_iter().for_each(|frame| all.push(frame));
        all
    }
}

impl<'f> IntoIterator for &'f Frames {
    type Item = Reply<'f>;
    type IntoIter = Values<'f>;

    fn into_iter(self) -> Values<'f> {
        self.iter()
    }
}

impl Run {
    /// Frames of which `frame` has the bytes.
    pub(crate) fn new(frame: Frame, ends: Vec<u32>) -> Self {
        Self { frame, ends }
    }

    fn one(frame: Frame) -> Self {
        Self::new(frame, Vec::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len().max(1)
    }

    /// The bytes of all frames.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.frame.as_bytes()
    }

    /// Each frame by itself.
    pub(crate) fn frames(&self) -> impl Iterator<Item = Frame> {
        let one = self.ends.is_empty().then(|| self.frame.clone());
        let mut start = 0;
        let several = self.ends.iter().map(move |end| {
            let part = start..*end as usize;
            start = part.end;
            self.frame.part(part)
        });
        one.into_iter().chain(several)
    }
}

/// The values of [`Frames`].
#[derive(Clone, Debug)]
pub struct Values<'f> {
    /// What the next value lies in, unless it is the first of the next run.
    frame: Option<&'f Frame>,
    /// Where it begins.
    start: usize,
    /// Where it and those behind it end; none if it is the only one.
    ends: slice::Iter<'f, u32>,
    runs: slice::Iter<'f, Run>,
}

impl<'f> Values<'f> {
    fn of(frame: Option<&'f Frame>, runs: &'f [Run]) -> Self {
        Self {
            frame,
            start: 0,
            ends: [].iter(),
            runs: runs.iter(),
        }
    }

    fn next_run(&mut self) -> Option<&'f Frame> {
        let Run { frame, ends } = self.runs.next()?;
        self.start = 0;
        self.ends = ends.iter();
        Some(frame)
    }
}

impl<'f> Iterator for Values<'f> {
    type Item = Reply<'f>;

    #[inline]
    fn next(&mut self) -> Option<Reply<'f>> {
        let frame = match self.frame {
            Some(frame) => frame,
            None => self.next_run()?,
        };
        let start = self.start;
        let end = self.ends.next();
        // The last end has nothing behind it.
        let has_more = !self.ends.as_slice().is_empty();
        self.frame = has_more.then_some(frame);
        self.start = end.map_or(0, |end| *end as usize);
        Some(frame.reply_at(start))
    }
}

/// Whether an error can begin there, be it behind attributes.
#[inline]
fn may_be_error(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b'-' | b'!' | b'|'))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn frame(text: &'static str) -> Frame {
        Frame::new(Bytes::from_static(text.as_bytes()), false)
    }

    fn run(texts: &[&'static str]) -> Run {
        let mut ends = Vec::new();
        let mut end = 0;
        for text in texts {
            end += u32::try_from(text.len()).unwrap();
            ends.push(end);
        }
        Run::new(Frame::several(Bytes::from(texts.concat()), false), ends)
    }

    fn texts(frames: &Frames) -> Vec<String> {
        let text = |reply: Reply<'_>| String::from_utf8(reply.raw().to_vec()).unwrap();
        let texts: Vec<String> = frames.iter().map(text).collect();
        assert_eq!(frames.len(), texts.len());
        assert_eq!(frames.last().map(text), texts.last().cloned());
        let each: Vec<String> = frames
            .clone()
            .into_vec()
            .iter()
            .map(|frame| String::from_utf8(frame.as_bytes().to_vec()).unwrap())
            .collect();
        assert_eq!(each, texts);
        texts
    }

    #[test]
    fn frames_and_runs_are_one_sequence() {
        let mut frames = Frames::new();
        assert!(texts(&frames).is_empty());
        frames.push(frame("+a\r\n"));
        assert_eq!(texts(&frames), ["+a\r\n"]);
        frames.push_run(run(&[":1\r\n", "$2\r\nbb\r\n", ",3\r\n"]));
        frames.push(frame("_\r\n"));
        frames.push_run(run(&["-e\r\n"]));
        assert_eq!(
            texts(&frames),
            [
                "+a\r\n",
                ":1\r\n",
                "$2\r\nbb\r\n",
                ",3\r\n",
                "_\r\n",
                "-e\r\n"
            ]
        );
        let mut only = Frames::new();
        only.push_run(run(&[":1\r\n", ":2\r\n"]));
        assert_eq!(texts(&only), [":1\r\n", ":2\r\n"]);
    }

    #[test]
    fn what_may_be_an_error_is_found_wherever_it_stands() {
        for (text, is_one) in [
            ("+OK\r\n", false),
            ("$1\r\n-\r\n", false),
            ("-ERR\r\n", true),
            ("!3\r\nERR\r\n", true),
            ("|1\r\n+a\r\n+b\r\n-ERR\r\n", true),
        ] {
            assert_eq!(Frames::from(frame(text)).may_hold_errors(), is_one);
            for texts in [["+a\r\n", text, ":1\r\n"], [text, ":1\r\n", ":2\r\n"]] {
                let mut frames = Frames::new();
                assert!(!frames.may_hold_errors());
                frames.push(frame(":0\r\n"));
                frames.push_run(run(&texts));
                assert_eq!(frames.may_hold_errors(), is_one, "{texts:?}");
            }
            let last = [":1\r\n", text];
            let mut frames = Frames::new();
            frames.push_run(run(&last));
            assert_eq!(frames.may_hold_errors(), is_one, "{last:?}");
        }
    }

    #[test]
    fn a_small_value_is_copied_and_a_large_one_is_not() {
        let mut frames = Frames::new();
        frames.push_run(run(&[
            "$2\r\nbb\r\n",
            "$40\r\n1234567890123456789012345678901234567890\r\n",
        ]));
        let start = frames.iter().next().unwrap().raw().as_ptr();
        let whole = start..start.wrapping_add(8 + 47);
        let taken: Vec<Bytes> = frames.iter().filter_map(|it| it.take_bytes()).collect();
        assert_eq!(taken, ["bb", "1234567890123456789012345678901234567890"]);
        assert!(!whole.contains(&taken[0].as_ptr()));
        assert!(whole.contains(&taken[1].as_ptr()));
        let each = frames.into_vec();
        let taken: Vec<Bytes> = each
            .iter()
            .filter_map(|it| it.reply().take_bytes())
            .collect();
        assert!(!whole.contains(&taken[0].as_ptr()));
        assert!(whole.contains(&taken[1].as_ptr()));
    }

    fn is_inside(value: &[u8], frame: &Bytes) -> bool {
        frame.as_ptr_range().contains(&value.as_ptr())
    }

    fn strings(lengths: &[usize]) -> Bytes {
        let mut bytes = format!("*{}\r\n", lengths.len()).into_bytes();
        for (at, length) in lengths.iter().enumerate() {
            bytes.extend(format!("${length}\r\n").into_bytes());
            bytes.resize(bytes.len() + length, b'a' + u8::try_from(at % 20).unwrap());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.into()
    }

    #[test]
    fn c16_a_small_element_does_not_keep_large_ones() {
        let lengths = [20 << 20, 4, 4095, 4096, 0, 7, 1 << 20];
        let bytes = strings(&lengths);
        let frame = Frame::parse(bytes.clone()).unwrap();
        let values: Vec<Bytes> = frame
            .reply()
            .elements()
            .unwrap()
            .map(|element| element.take_bytes().unwrap())
            .collect();
        for (at, (value, length)) in values.iter().zip(lengths).enumerate() {
            let letter = b'a' + u8::try_from(at).unwrap();
            assert_eq!(value.len(), length);
            assert!(value.iter().all(|byte| *byte == letter), "{at}");
            let expected = length >= 4096;
            assert_eq!(is_inside(value, &bytes), expected && length > 0, "{at}");
        }
        // All small ones lie side by side.
        let distance = values[5].as_ptr() as usize - values[1].as_ptr() as usize;
        assert!(distance < 5000, "{distance}");
    }

    #[test]
    fn c16_where_most_is_small_nothing_is_copied() {
        for lengths in [vec![100; 1000], vec![100; 3], {
            let mut lengths = vec![1000; 100];
            lengths.push(4096);
            lengths
        }] {
            let bytes = strings(&lengths);
            let frame = Frame::parse(bytes.clone()).unwrap();
            for element in frame.reply().elements().unwrap() {
                assert!(is_inside(&element.take_bytes().unwrap(), &bytes));
            }
        }
    }

    #[test]
    fn c16_nested_elements_are_told_apart_as_well() {
        let large = "l".repeat(8000);
        let text = format!(
            "|1\r\n+k\r\n$8000\r\n{large}\r\n%1\r\n$3\r\nkey\r\n*2\r\n$8000\r\n{large}\r\n=7\r\ntxt:abc\r\n"
        );
        let bytes = Bytes::from(text);
        let frame = Frame::parse(bytes.clone()).unwrap();
        let mut elements = frame.reply().elements().unwrap();
        let key = elements.next().unwrap().take_bytes().unwrap();
        let mut inner = elements.next().unwrap().elements().unwrap();
        let value = inner.next().unwrap().take_bytes().unwrap();
        let last = inner.next().unwrap().take_bytes().unwrap();
        assert_eq!(
            (&key[..], value.len(), &last[..]),
            (&b"key"[..], 8000, &b"abc"[..])
        );
        assert!(!is_inside(&key, &bytes) && !is_inside(&last, &bytes));
        assert!(is_inside(&value, &bytes));
    }
}
