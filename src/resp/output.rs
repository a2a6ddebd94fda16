//! Requests on their way out: what waits to be written to one socket.

use std::{io::IoSlice, mem, ops::Range};

use bytes::{Bytes, BytesMut};

use super::Writer;
use crate::error::Result;

/// Commands that wait to be written.
///
/// Everything is encoded into one buffer, except for large values that come as [`Bytes`]: these are
/// kept as they are and written from where they lie.
///
/// ```
/// use bytes::Bytes;
/// use respec::resp::Output;
///
/// let mut output = Output::new();
/// output.command(|command| {
///     command.word(b"SET");
///     command.key(b"picture");
///     command.shared(&Bytes::from(vec![0; 1 << 20]));
/// })?;
/// let mut slices = [std::io::IoSlice::new(&[]); 8];
/// assert_eq!(output.slices(&mut slices), 3);
/// assert_eq!(slices[1].len(), 1 << 20);
/// # Ok::<(), respec::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Output {
    buffer: BytesMut,
    inserts: Inserts,
    /// How many bytes were written already.
    written: usize,
}

/// Values that were not copied, in the order of their places.
#[derive(Clone, Debug, Default)]
pub(super) struct Inserts {
    list: Vec<Insert>,
    /// The sizes of all values together.
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Insert {
    /// Where in the buffer it belongs.
    at: usize,
    value: Bytes,
}

impl Output {
    /// Nothing to write, without memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the command that `write` spells.
    ///
    /// # Errors
    ///
    /// As [`Writer::command`]; the output is then as it was before.
    pub fn command(&mut self, write: impl FnOnce(&mut Writer<'_>)) -> Result<()> {
        Writer::command_with_inserts(&mut self.buffer, &mut self.inserts, write)
    }

    /// Appends commands that are encoded already; large ones are not copied.
    pub(crate) fn encoded(&mut self, commands: &Bytes) {
        if commands.len() >= LARGE {
            self.inserts.push(self.buffer.len(), commands.clone());
        } else {
            self.buffer.extend_from_slice(commands);
        }
    }

    /// Everything in one piece.
    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.len());
        for piece in self.pieces() {
            whole.extend_from_slice(piece.bytes());
        }
        whole.freeze()
    }

    /// How many bytes there are in all, those that were written included.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.buffer.len() + self.inserts.bytes
    }

    /// Whether there is nothing, not even something that was written.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.inserts.list.is_empty()
    }

    /// All that is to be written, if it lies in one piece, as it ordinarily does.
    #[inline]
    pub(crate) fn piece(&self) -> Option<&[u8]> {
        match self.inserts.list.is_empty() {
            true => self.buffer.get(self.written..),
            false => None,
        }
    }

    /// Fills `slices` with what is to be written next, and returns how many it has used.
    #[must_use]
    pub fn slices<'o>(&'o self, slices: &mut [IoSlice<'o>]) -> usize {
        let mut skip = self.written;
        let mut used = 0;
        for piece in self.pieces() {
            let Some(rest) = piece.bytes().get(skip..) else {
                skip -= piece.bytes().len();
                continue;
            };
            skip = 0;
            if rest.is_empty() {
                continue;
            }
            let Some(slice) = slices.get_mut(used) else {
                break;
            };
            *slice = IoSlice::new(rest);
            used += 1;
        }
        used
    }

    /// Takes note that `length` more bytes were written; returns whether that was all.
    ///
    /// When it was all, the output is empty again.
    #[inline]
    pub fn advance(&mut self, length: usize) -> bool {
        self.written += length;
        let done = self.written >= self.len();
        if done {
            self.clear();
        }
        done
    }

    /// Forgets everything, and gives unusually much memory back.
    #[inline]
    pub fn clear(&mut self) {
        self.buffer.clear();
        if self.buffer.capacity() > LARGEST_KEPT {
            self.buffer = BytesMut::new();
        }
        if !self.inserts.list.is_empty() {
            self.inserts = Inserts::default();
        }
        self.written = 0;
    }

    /// How much memory it keeps.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Moves everything behind what there is; large pieces are not copied.
    #[inline]
    pub(crate) fn append_all(&mut self, other: &mut Self) {
        if !other.inserts.list.is_empty() {
            self.append(other, 0..other.len());
        } else if other.buffer.len() >= LARGE {
            let piece = other.buffer.split().freeze();
            self.inserts.push(self.buffer.len(), piece);
        } else {
            self.buffer.extend_from_slice(&other.buffer);
        }
    }

    /// Appends a part of another output.
    pub(crate) fn append(&mut self, other: &Self, range: Range<usize>) {
        let mut start = 0;
        for piece in other.pieces() {
            let bytes = piece.bytes();
            let from = range.start.clamp(start, start + bytes.len()) - start;
            let to = range.end.clamp(start, start + bytes.len()) - start;
            start += bytes.len();
            match piece {
                Piece::Shared(value) if from < to => {
                    self.inserts.push(self.buffer.len(), value.slice(from..to));
                }
                _ => self
                    .buffer
                    .extend_from_slice(bytes.get(from..to).unwrap_or_default()),
            }
        }
    }

    /// Everything in order, from the beginning.
    fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut from = 0;
        let last = self.buffer.len();
        let inserts = self.inserts.list.iter().map(Some).chain([None]);
        inserts.flat_map(move |insert| {
            let to = insert.map_or(last, |insert| insert.at);
            let copied = self.buffer.get(mem::replace(&mut from, to)..to);
            let copied = Piece::Copied(copied.unwrap_or_default());
            [
                Some(copied),
                insert.map(|insert| Piece::Shared(&insert.value)),
            ]
            .into_iter()
            .flatten()
        })
    }
}

/// A part of an output.
enum Piece<'o> {
    Copied(&'o [u8]),
    Shared(&'o Bytes),
}

impl<'o> Piece<'o> {
    fn bytes(&self) -> &'o [u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Shared(value) => value,
        }
    }
}

impl Inserts {
    /// How many values there are.
    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// Adds a value that belongs at a place of the buffer.
    pub(super) fn push(&mut self, at: usize, value: Bytes) {
        self.bytes += value.len();
        self.list.push(Insert { at, value });
    }

    /// Moves the values from the `first` on, since the buffer has grown in front of them.
    pub(super) fn shift(&mut self, first: usize, by: usize) {
        for insert in self.list.iter_mut().skip(first) {
            insert.at += by;
        }
    }

    /// Takes back all values but so many.
    pub(super) fn truncate(&mut self, count: usize) {
        for insert in self.list.drain(count..) {
            self.bytes -= insert.value.len();
        }
    }
}

/// From this size on, writing a value by itself is cheaper than copying it.
pub(super) const LARGE: usize = 16 << 10;

/// Memory beyond this is not kept for the next commands.
const LARGEST_KEPT: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn value(byte: u8) -> Bytes {
        vec![byte; LARGE].into()
    }

    /// What a socket gets that takes `step` bytes at a time, and as many `slices`.
    fn written(mut output: Output, step: usize, slices: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let mut space = vec![IoSlice::new(&[]); slices];
            let used = output.slices(&mut space);
            let taken: Vec<u8> = space[..used]
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .take(step)
                .collect();
            bytes.extend_from_slice(&taken);
            if output.advance(taken.len()) {
                assert!(output.is_empty());
                return bytes;
            }
        }
    }

    fn commands(output: &mut Output) -> Vec<u8> {
        output.command(|to| to.word(b"PING")).unwrap();
        output
            .command(|to| {
                // More than nine words move what was written, the values with it.
                for at in 0..10 {
                    to.integer(at);
                }
                to.shared(&value(b'a'));
                to.shared(&Bytes::from_static(b"small"));
                to.shared(&value(b'b'));
            })
            .unwrap();
        let mut expected = b"*1\r\n$4\r\nPING\r\n*13\r\n".to_vec();
        for at in 0..10 {
            expected.extend_from_slice(format!("$1\r\n{at}\r\n").as_bytes());
        }
        for value in [&value(b'a')[..], b"small", &value(b'b')] {
            expected.extend_from_slice(format!("${}\r\n", value.len()).as_bytes());
            expected.extend_from_slice(value);
            expected.extend_from_slice(b"\r\n");
        }
        expected
    }

    #[test]
    fn large_values_are_written_at_their_places() {
        for step in [1, 7, 1000, 20_000, 100_000] {
            for slices in [1, 2, 8] {
                let mut output = Output::new();
                let expected = commands(&mut output);
                assert_eq!(output.len(), expected.len());
                assert_eq!(output.inserts.count(), 2);
                assert_eq!(written(output, step, slices), expected);
            }
        }
    }

    #[test]
    fn a_command_that_fails_takes_its_values_along() {
        let mut output = Output::new();
        let expected = commands(&mut output);
        let failed = output.command(|to| {
            to.shared(&value(b'c'));
            to.fail(crate::Error::argument("no such value"));
        });
        assert!(failed.is_err());
        assert_eq!(output.len(), expected.len());
        assert_eq!(written(output, usize::MAX, 8), expected);
    }

    #[test]
    fn one_output_can_go_behind_another() {
        for (front, behind) in [(false, 1), (true, 1), (true, 0), (true, 2)] {
            let mut output = Output::new();
            let mut expected = Vec::new();
            if front {
                expected.extend(commands(&mut output));
            }
            let mut other = Output::new();
            expected.extend(match behind {
                0 => {
                    other.command(|to| to.word(b"PING")).unwrap();
                    b"*1\r\n$4\r\nPING\r\n".to_vec()
                }
                1 => commands(&mut other),
                _ => {
                    let large = vec![b'l'; LARGE];
                    other.command(|to| to.word(&large)).unwrap();
                    assert_eq!(other.inserts.count(), 0);
                    written(other.clone(), usize::MAX, 8)
                }
            });
            output.append_all(&mut other);
            assert_eq!(output.len(), expected.len());
            assert_eq!(written(output, usize::MAX, 8), expected);
        }
    }

    #[test]
    fn any_part_can_be_copied() {
        let mut output = Output::new();
        let expected = commands(&mut output);
        for (from, to) in [
            (0, 14),
            (14, expected.len()),
            (20, 80),
            (50, 20_000),
            (5, 5),
        ] {
            let mut part = Output::new();
            part.append(&output, from..to);
            assert_eq!(part.len(), to - from);
            if from < to {
                assert_eq!(written(part, 999, 4), expected[from..to]);
            }
        }
    }

    #[test]
    fn memory_beyond_the_usual_is_given_back() {
        let mut output = Output::new();
        output
            .command(|to| to.word(&vec![b'x'; LARGEST_KEPT]))
            .unwrap();
        assert!(output.advance(output.len()));
        assert_eq!(output.capacity(), 0);
        output.command(|to| to.word(b"PING")).unwrap();
        assert!(output.advance(output.len()));
        assert!(output.capacity() > 0);
    }
}
