//! From bytes to frames: the receive buffer and its policy.

use std::{collections::VecDeque, io};

use bytes::{Buf, Bytes, BytesMut};

use crate::resp::{Frame, Limits, ProtocolError, Run, Scanner};

/// Finds frames in the bytes that a driver reads.
///
/// The buffer is a *block*. A frame of a few bytes is copied out of it, so that the block is used again
/// when all of it was handed out; others are split off without copying. Its size is twice that
/// of the frames that have come lately, within [`BLOCK`] and [`LARGEST_BLOCK`]. It grows for larger
/// frames, by no more than twice what has arrived so far, whatever a header announces, unless such
/// frames have come before; where a header tells the size, to exactly that. Behind a large frame it is
/// a small block again. A frame that takes less than a quarter of its block is marked as shared, so
/// that a value that is kept does not keep the block.
#[derive(Debug)]
pub(crate) struct Receiver {
    buffer: BytesMut,
    /// Where in the buffer the bytes begin that were not handed out.
    start: usize,
    /// How many bytes at the end of the buffer only wait to be read into, by [`Receiver::fill`].
    spare: usize,
    scanner: Scanner,
    /// The size of the block that `buffer` is the rest of.
    block: usize,
    /// How long frames are: the longest, shortened a little by each that is shorter.
    usual: usize,
    /// Frames that were found already: pushes that lay inside a frame, and that frame.
    found: VecDeque<Frame>,
    /// What is wrong with the bytes behind the frames that were found.
    broken: Option<ProtocolError>,
}

impl Receiver {
    /// An empty buffer, without memory yet.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            buffer: BytesMut::new(),
            start: 0,
            spare: 0,
            scanner: Scanner::new(limits),
            block: 0,
            usual: 0,
            found: VecDeque::new(),
            broken: None,
        }
    }

    /// The buffer to append to, with room for a useful read.
    ///
    /// For a driver that can read into memory that is not initialised.
    pub(crate) fn space(&mut self) -> &mut BytesMut {
        self.buffer.truncate(self.end());
        self.spare = 0;
        let room = self.buffer.capacity() - self.buffer.len();
        if room < self.missing().max(LEAST_ROOM) {
            let room = self.room();
            self.buffer.advance(self.start);
            self.start = 0;
            if self.buffer.len() > BLOCK {
                let mut block = Vec::from(std::mem::take(&mut self.buffer));
                block.reserve_exact(room);
                self.buffer = Bytes::from(block).into();
            } else {
                self.buffer.reserve(room);
            }
            self.block = self.buffer.capacity();
        }
        &mut self.buffer
    }

    /// Lets `read` fill initialised memory behind the buffer and returns how much it has read.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    #[inline]
    pub(crate) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.spare < self.missing().max(LEAST_ROOM) {
            self.make_spare();
        }
        let end = self.end();
        let spare = self.buffer.get_mut(end..).unwrap_or_default();
        let length = read(spare)?.min(self.spare);
        self.spare -= length;
        Ok(length)
    }

    /// Initialises memory behind what has arrived, or uses again what lies in front of it.
    #[cold]
    fn make_spare(&mut self) {
        let arrived = self.arrived().len();
        let room = self.room();
        let end = self.end();
        if self.buffer.len() >= arrived + room && arrived <= BLOCK {
            self.buffer.copy_within(self.start..end, 0);
        } else if arrived > BLOCK {
            self.buffer.truncate(end);
            self.buffer.advance(self.start);
            let mut block = Vec::from(std::mem::take(&mut self.buffer));
            block.reserve_exact(room);
            block.resize(arrived + room, 0);
            self.buffer = Bytes::from(block).into();
        } else {
            let mut block = BytesMut::zeroed(arrived + room);
            let (known, _) = block.split_at_mut(arrived);
            known.copy_from_slice(self.arrived());
            self.buffer = block;
        }
        self.block = self.buffer.len();
        self.start = 0;
        self.spare = self.buffer.len().saturating_sub(arrived);
    }

    /// Where in the buffer the bytes end that have arrived.
    #[inline]
    fn end(&self) -> usize {
        self.buffer.len().saturating_sub(self.spare)
    }

    /// What has arrived and was not handed out.
    #[inline]
    fn arrived(&self) -> &[u8] {
        self.buffer.get(self.start..self.end()).unwrap_or_default()
    }

    /// How much of the frame that has begun is known to be missing, as far as that is believed.
    #[inline]
    fn missing(&self) -> usize {
        let arrived = self.arrived().len();
        let missing = self.scanner.at_least().saturating_sub(arrived);
        missing.min((2 * arrived).max(self.usual).max(BLOCK))
    }

    /// How much room to make behind what has arrived.
    fn room(&self) -> usize {
        let arrived = self.arrived().len();
        let missing = self.missing();
        if missing > LEAST_ROOM || arrived > LARGEST_BLOCK && missing > 1 {
            return missing;
        }
        // The length of an array is known only at its end; a large one grows by less than itself.
        let more = if arrived < 1 << 20 {
            arrived
        } else {
            arrived / 4
        };
        let usual = (2 * self.usual).clamp(BLOCK, LARGEST_BLOCK);
        usual.saturating_sub(arrived).max(more).max(BLOCK)
    }

    /// Appends bytes from elsewhere.
    #[cfg(test)]
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let buffer = self.space();
            let (some, more) = rest.split_at(rest.len().min(buffer.capacity() - buffer.len()));
            buffer.extend_from_slice(some);
            rest = more;
        }
    }

    /// The next complete frame. Pushes that lie inside of a frame come before it, as frames.
    ///
    /// # Errors
    ///
    /// The bytes are no RESP or exceed a limit; the connection cannot be used any more.
    #[inline]
    pub(crate) fn frame(&mut self) -> Result<Option<Frame>, ProtocolError> {
        if let Some(frame) = self.found.pop_front() {
            return Ok(Some(frame));
        }
        if self.broken.is_some() {
            return self.broken.take().map_or(Ok(None), Err);
        }
        let end = self.end();
        let arrived = self.buffer.get(self.start..end).unwrap_or_default();
        let Some(length) = self.scanner.scan(arrived)? else {
            return Ok(None);
        };
        if self.scanner.nested_pushes() == 0
            && let Some(frame) = arrived.get(..length).and_then(Frame::short)
        {
            self.start += length;
            self.handed_out(length);
            return Ok(Some(frame));
        }
        Ok(self.long_frame(length))
    }

    /// A frame that is too long to be copied, or that pushes lie inside of; these come first.
    fn long_frame(&mut self, length: usize) -> Option<Frame> {
        let (bytes, shared) = self.split(length);
        let frame = Frame::scanned(bytes, shared, self.scanner.has_large_elements());
        if self.scanner.nested_pushes() == 0 {
            return Some(frame);
        }
        let pushes = frame.nested_pushes();
        self.found
            .extend(pushes.map(|push| Frame::new(Bytes::copy_from_slice(push.raw()), false)));
        self.found.push_back(frame);
        self.found.pop_front()
    }

    /// Frames without elements that are complete and lie side by side, at most so many; where
    /// there are none, [`Receiver::frame`] tells what comes next.
    pub(crate) fn run(&mut self, most: usize) -> Option<Run> {
        if !self.found.is_empty() || self.broken.is_some() {
            return None;
        }
        let end = self.end();
        let arrived = self.buffer.get(self.start..end).unwrap_or_default();
        let mut ends = Vec::with_capacity(most.min(arrived.len() / USUAL_REPLY));
        let mut length = 0;
        while ends.len() < most {
            let rest = arrived.get(length..).unwrap_or_default();
            // What begins with attributes may have elements as well.
            if matches!(rest.first(), None | Some(b'>' | b'|' | b'*' | b'%' | b'~')) {
                break;
            }
            match self.scanner.scan(rest) {
                Ok(Some(next)) => match u32::try_from(length + next) {
                    Ok(end) => {
                        ends.push(end);
                        length += next;
                    }
                    Err(_) => break,
                },
                Ok(None) => break,
                Err(error) => {
                    self.broken = Some(error);
                    break;
                }
            }
        }
        if ends.is_empty() {
            return None;
        }
        let (bytes, shared) = self.split(length);
        Some(Run::new(Frame::several(bytes, shared), ends))
    }

    /// Splits off what was found at the beginning; says whether it shares a much larger buffer.
    fn split(&mut self, length: usize) -> (Bytes, bool) {
        let shared = length < self.block / 4;
        let mut bytes = self.buffer.split_to(self.start + length);
        bytes.advance(self.start);
        self.start = 0;
        self.handed_out(length);
        (bytes.freeze(), shared)
    }

    /// Remembers how long frames are, and goes on at the beginning of the block when all of it was
    /// handed out.
    #[inline]
    fn handed_out(&mut self, length: usize) {
        self.usual = length.max(self.usual - self.usual / 16);
        let left = self.arrived().len();
        if left == 0 {
            self.start = 0;
            if self.spare > 0 {
                self.spare = self.buffer.len();
            } else {
                self.buffer.clear();
            }
        }
        if self.block > LARGEST_BLOCK && left < BLOCK {
            self.shrink();
        }
    }

    /// Whether no byte waits for the rest of its frame.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.arrived().is_empty() && self.found.is_empty()
    }

    /// Goes on in a small block, and leaves a large one to the frames that lie in it.
    #[cold]
    fn shrink(&mut self) {
        let mut block = BytesMut::new();
        let rest = self.arrived();
        if !rest.is_empty() {
            block.reserve(BLOCK);
            block.extend_from_slice(rest);
        }
        self.block = block.capacity();
        self.buffer = block;
        self.start = 0;
        self.spare = 0;
    }
}

/// The least size of the buffer: some hundred small replies, or a read of a loaded server's answers.
const BLOCK: usize = 32 << 10;

/// The size that is not exceeded for frames of the usual length.
const LARGEST_BLOCK: usize = 256 << 10;

/// How long replies are about of which several come at once.
const USUAL_REPLY: usize = 8;

/// With less room than this, reading would need more calls than it is worth.
const LEAST_ROOM: usize = BLOCK / 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(length: usize) -> Vec<u8> {
        let mut bytes = format!("${length}\r\n").into_bytes();
        bytes.resize(bytes.len() + length, b'x');
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    #[test]
    fn frames_are_found_whatever_the_pieces() {
        let bytes = b"+OK\r\n*2\r\n:1\r\n$3\r\nabc\r\n_\r\n";
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut receiver = Receiver::new(Limits::default());
                let mut frames = Vec::new();
                for piece in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                    receiver.extend(piece);
                    while let Some(frame) = receiver.frame().unwrap() {
                        frames.push(frame.as_bytes().to_vec());
                    }
                }
                assert_eq!(frames.concat(), bytes);
                assert_eq!(frames.len(), 3);
                assert!(receiver.is_empty());
            }
        }
    }

    #[test]
    fn a_large_frame_leaves_a_small_buffer_behind() {
        let mut receiver = Receiver::new(Limits::default());
        receiver.extend(&bulk(1 << 20));
        receiver.extend(b"+O");
        let frame = receiver.frame().unwrap().unwrap();
        assert_eq!(frame.as_bytes().len(), (1 << 20) + 12);
        assert!(receiver.buffer.capacity() <= 2 * BLOCK);
        receiver.extend(b"K\r\n");
        assert_eq!(receiver.frame().unwrap().unwrap().as_bytes(), b"+OK\r\n");
        assert!(receiver.frame().unwrap().is_none());
    }

    #[test]
    fn a_header_alone_allocates_little() {
        let mut receiver = Receiver::new(Limits::default());
        receiver.extend(b"$536870912\r\n");
        assert!(receiver.frame().unwrap().is_none());
        assert!(receiver.space().capacity() <= 2 * BLOCK);
    }

    #[test]
    fn pushes_inside_a_frame_come_before_it() {
        let mut receiver = Receiver::new(Limits::default());
        let bytes = b"*2\r\n>1\r\n+m\r\n:1\r\n_\r\n";
        receiver.extend(bytes);
        receiver.extend(b"+OK\r\n");
        let mut frames = Vec::new();
        while let Some(frame) = receiver.frame().unwrap() {
            frames.push(frame);
        }
        assert_eq!(frames[0].as_bytes(), b">1\r\n+m\r\n");
        assert!(frames[0].is_push());
        assert_eq!(frames[1].as_bytes(), bytes);
        assert_eq!(frames[2].as_bytes(), b"+OK\r\n");
        assert!(receiver.is_empty());
    }

    #[test]
    fn runs_end_in_front_of_what_has_elements() {
        let bytes = b"+OK\r\n:1\r\n>1\r\n+p\r\n$3\r\nabc\r\n*1\r\n>1\r\n+q\r\n:2\r\n|1\r\n+k\r\n+v\r\n:3\r\n_\r\n:4\r\n";
        let expected: Vec<&[u8]> = vec![
            b"+OK\r\n",
            b":1\r\n",
            b">1\r\n+p\r\n",
            b"$3\r\nabc\r\n",
            b">1\r\n+q\r\n",
            b"*1\r\n>1\r\n+q\r\n:2\r\n",
            b"|1\r\n+k\r\n+v\r\n:3\r\n",
            b"_\r\n",
            b":4\r\n",
        ];
        for split in 0..=bytes.len() {
            for most in 1..5 {
                let mut receiver = Receiver::new(Limits::default());
                let mut frames = Vec::new();
                for piece in [&bytes[..split], &bytes[split..]] {
                    receiver.extend(piece);
                    loop {
                        if let Some(run) = receiver.run(most) {
                            assert!(run.len() <= most);
                            assert!(run.frames().all(|frame| !frame.is_push()));
                            frames.extend(run.frames());
                        } else if let Some(frame) = receiver.frame().unwrap() {
                            frames.push(frame);
                        } else {
                            break;
                        }
                    }
                }
                let frames: Vec<_> = frames.iter().map(Frame::as_bytes).collect();
                assert_eq!(frames, expected, "{split}");
                assert!(receiver.is_empty());
            }
        }
    }

    #[test]
    fn a_run_in_front_of_what_is_broken_is_still_handed_out() {
        let mut receiver = Receiver::new(Limits::default());
        receiver.extend(b":1\r\n:2\r\n:x\r\n:3\r\n");
        assert_eq!(receiver.run(5).unwrap().len(), 2);
        assert!(receiver.run(5).is_none());
        assert!(receiver.frame().is_err());
    }

    #[test]
    fn filling_keeps_what_was_read_and_nothing_else() {
        let mut receiver = Receiver::new(Limits::default());
        let read = receiver.fill(|space| {
            space[..5].copy_from_slice(b"+OK\r\n");
            Ok(5)
        });
        assert_eq!(read.unwrap(), 5);
        let failed = receiver.fill(|space| {
            space[0] = b'!';
            Err(io::ErrorKind::WouldBlock.into())
        });
        assert!(failed.is_err());
        assert_eq!(receiver.frame().unwrap().unwrap().as_bytes(), b"+OK\r\n");
        assert!(receiver.is_empty());
    }
}
