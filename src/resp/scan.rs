//! Frames on their way in: where one ends, and whether it is RESP.

use std::{error, fmt};

use memchr::memchr;

use super::frame::{LARGE_ELEMENT, short_string};
use crate::{
    error::{Error, ErrorKind},
    mutant::{self, Mutant},
};

/// How much a peer may send before a frame is refused.
///
/// All of these are checked on the length or count that a header announces, before anything is
/// stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How many aggregates may be nested in each other.
    ///
    /// Decoding into nested types takes stack in proportion.
    pub depth: usize,
    /// The length of one string, in bytes.
    pub bulk: usize,
    /// The length of one frame, in bytes.
    pub frame: usize,
}

impl Default for Limits {
    /// 128 levels, strings of 512 MiB and frames of 1 GiB.
    fn default() -> Self {
        Self {
            depth: 128,
            bulk: 512 << 20,
            frame: 1 << 30,
        }
    }
}

impl Limits {
    /// These limits with another depth.
    #[must_use]
    pub fn with_depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }

    /// These limits with another length of strings.
    #[must_use]
    pub fn with_bulk(mut self, bulk: usize) -> Self {
        self.bulk = bulk;
        self
    }

    /// These limits with another length of frames.
    #[must_use]
    pub fn with_frame(mut self, frame: usize) -> Self {
        self.frame = frame;
        self
    }
}

/// Finds the end of one frame in a buffer that grows, and validates it on the way.
///
/// ```
/// use respec::resp::{Limits, Scanner};
///
/// let mut scanner = Scanner::new(Limits::default());
/// assert_eq!(scanner.scan(b"*2\r\n$3\r\nfo")?, None);
/// assert_eq!(scanner.scan(b"*2\r\n$3\r\nfoo\r\n:1\r\n+the next one")?, Some(17));
/// # Ok::<(), respec::resp::ProtocolError>(())
/// ```
///
/// It remembers what it has seen, so that the price of a frame does not depend on the pieces it
/// arrives in. Its memory is one number for each level of nesting.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    /// Where the value begins that was not seen as a whole yet.
    position: usize,
    /// How much of the line at `position` is known not to hold its end.
    searched: usize,
    /// No shorter buffer can hold more than was seen already.
    at_least: usize,
    /// Values that are missing in the innermost aggregate.
    remaining: u64,
    /// The same for the aggregates around it, outermost first.
    outer: Vec<u64>,
    /// The sum of the two.
    pending: u64,
    /// Pushes seen inside the current frame, and inside the one before.
    pushes: usize,
    last_pushes: usize,
    /// Whether there is a large string inside the current frame, and inside the one before.
    large: bool,
    last_large: bool,
}

impl Scanner {
    /// A scanner at the start of a frame.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            position: 0,
            searched: 0,
            at_least: 1,
            remaining: 1,
            outer: Vec::new(),
            pending: 1,
            pushes: 0,
            last_pushes: 0,
            large: false,
            last_large: false,
        }
    }

    /// Returns the length of the frame at the start of `buffer`, or `None` while it is incomplete.
    ///
    /// Until a length is returned, the next call must pass the same bytes with more behind them;
    /// afterwards, the bytes behind that frame.
    ///
    /// # Errors
    ///
    /// Fails when the bytes are no RESP or exceed a limit. There is no way to find the next frame
    /// then, and the connection must be closed.
    pub fn scan(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        if buffer.len() < self.at_least {
            return Ok(None);
        }
        // What answers most commands needs none of the following.
        if self.position == 0
            && let Some(length) = self.short_frame(buffer)
        {
            self.restart();
            return Ok(Some(length));
        }
        loop {
            let header = match self.short_string(buffer) {
                Some(end) => Header::Scalar { end },
                None => self.header(buffer)?,
            };
            match header {
                Header::Incomplete => return Ok(None),
                Header::Scalar { end } => {
                    self.position = end;
                    self.count(1);
                }
                Header::Aggregate {
                    end,
                    children,
                    counted,
                } => {
                    self.open(end, children, counted)?;
                }
            }
            self.searched = 0;
            if self.position > self.limits.frame {
                return Err(self.endless());
            }
            while self.remaining == 0 {
                match self.outer.pop() {
                    Some(remaining) => self.remaining = remaining,
                    None => {
                        let length = self.position;
                        self.restart();
                        return Ok(Some(length));
                    }
                }
            }
        }
    }

    /// How long the current frame is at least, as far as its headers tell.
    ///
    /// A driver that reads a large string can make room for all of it at once.
    #[must_use]
    pub fn at_least(&self) -> usize {
        self.at_least
    }

    /// How many out-of-band pushes lie inside the frame whose length was returned last.
    ///
    /// They can be had from [`Frame::nested_pushes`](super::Frame::nested_pushes).
    #[must_use]
    pub fn nested_pushes(&self) -> usize {
        self.last_pushes
    }

    /// Whether a large string is an element of the frame whose length was returned last.
    pub(crate) fn has_large_elements(&self) -> bool {
        self.last_large
    }

    fn restart(&mut self) {
        self.position = 0;
        self.searched = 0;
        self.at_least = 1;
        self.remaining = 1;
        self.pending = 1;
        self.last_pushes = std::mem::take(&mut self.pushes);
        self.last_large = std::mem::take(&mut self.large);
    }

    fn count(&mut self, values: u64) {
        self.remaining -= values;
        self.pending -= values;
    }

    /// Enters an aggregate whose header ends at `end`.
    fn open(&mut self, end: usize, children: u64, counted: bool) -> Result<(), ProtocolError> {
        if self.outer.len() >= self.limits.depth {
            return Err(self.fault(self.position, Fault::Depth(self.limits.depth)));
        }
        if counted {
            self.count(1);
        }
        self.pending = self.pending.saturating_add(children);
        let shortest = self
            .pending
            .saturating_mul(SHORTEST_VALUE)
            .saturating_add(end as u64);
        if shortest > self.limits.frame as u64 {
            return Err(self.too_long(shortest));
        }
        self.outer.push(self.remaining);
        self.remaining = children;
        self.position = end;
        Ok(())
    }

    /// The length of the frame at the start, if it is what answers most writes, or a string whose
    /// length has few digits, and all of it is there.
    #[inline]
    fn short_frame(&self, buffer: &[u8]) -> Option<usize> {
        let length = match buffer.starts_with(OK) {
            true => OK.len(),
            false => self.short_string(buffer)?,
        };
        (length <= self.limits.frame).then_some(length)
    }

    /// Where the string at `position` ends, if its length has few digits and all of it is there.
    #[inline]
    fn short_string(&self, buffer: &[u8]) -> Option<usize> {
        let (length, body) = short_string(buffer, self.position)?;
        let payload_end = body + length;
        let ends = buffer.get(payload_end..payload_end + 2)? == b"\r\n";
        (ends && length <= self.limits.bulk).then_some(payload_end + 2)
    }

    /// Reads the value at `position`, or the header of it if it has elements.
    fn header(&mut self, buffer: &[u8]) -> Result<Header, ProtocolError> {
        let at = self.position;
        let Some(&kind) = buffer.get(at) else {
            self.at_least = at + 1;
            return Ok(Header::Incomplete);
        };
        match kind {
            b'$' => self.string(buffer, true),
            b':' => self.line(buffer, Line::Integer),
            b'+' | b'-' => self.text(buffer),
            b'*' => self.aggregate(buffer, 1, true, true),
            b'%' => self.aggregate(buffer, 2, true, false),
            b'~' => self.aggregate(buffer, 1, true, false),
            b'|' => self.aggregate(buffer, 2, false, false),
            b'>' => {
                let nested = !self.outer.is_empty();
                let counted = !nested || mutant::is(Mutant::NestedPushCounted);
                let header = self.aggregate(buffer, 1, counted, false)?;
                if nested && matches!(header, Header::Aggregate { .. }) {
                    self.pushes += 1;
                }
                Ok(header)
            }
            b'_' => self.literal(buffer, b"", b"", "the end of a null"),
            b'#' => self.literal(buffer, b"t", b"f", "t or f"),
            b',' => self.line(buffer, Line::Double),
            b'(' => self.big_number(buffer),
            b'!' => self.string(buffer, false),
            b'=' => self.verbatim(buffer),
            b';' | b'.' => Err(self.fault(at, Fault::Streamed(kind))),
            _ => Err(self.unexpected(buffer, at, "a RESP type")),
        }
    }

    /// A string with a length in front, which is −1 for the null of RESP2.
    fn string(&mut self, buffer: &[u8], nullable: bool) -> Result<Header, ProtocolError> {
        let Some((length, start)) = self.length(buffer, nullable)? else {
            return Ok(Header::Incomplete);
        };
        let Some(length) = length else {
            return Ok(Header::Scalar { end: start });
        };
        if length > self.limits.bulk as u64 {
            return Err(self.fault(self.position, Fault::Bulk(length, self.limits.bulk)));
        }
        // `length` fits a `usize`, as the limit does.
        let payload_end = start.saturating_add(length as usize);
        let end = payload_end.saturating_add(2);
        if end > self.limits.frame {
            return Err(self.too_long(end as u64));
        }
        self.large |= length >= LARGE_ELEMENT as u64 && !self.outer.is_empty();
        match buffer.get(payload_end..end) {
            Some(b"\r\n") => Ok(Header::Scalar { end }),
            Some([b'\r', _]) => {
                Err(self.unexpected(buffer, payload_end + 1, "a line feed after a string"))
            }
            Some(_) => {
                Err(self.unexpected(buffer, payload_end, "a carriage return after a string"))
            }
            None => {
                self.at_least = end;
                Ok(Header::Incomplete)
            }
        }
    }

    /// A string whose first four bytes name its format, such as `txt:`.
    fn verbatim(&mut self, buffer: &[u8]) -> Result<Header, ProtocolError> {
        let header = self.string(buffer, false)?;
        if let Header::Scalar { end } = header {
            let Some((Some(length), start)) = self.length(buffer, false)? else {
                return Ok(Header::Incomplete);
            };
            if length < 4 {
                return Err(self.fault(self.position, Fault::Verbatim(length)));
            }
            if buffer.get(start + 3) != Some(&b':') {
                return Err(self.unexpected(buffer, start + 3, "the colon of a verbatim string"));
            }
            debug_assert!(start + 6 <= end);
        }
        Ok(header)
    }

    /// The header of an aggregate with `per_count` values for each one that it counts.
    fn aggregate(
        &mut self,
        buffer: &[u8],
        per_count: u64,
        counted: bool,
        nullable: bool,
    ) -> Result<Header, ProtocolError> {
        Ok(match self.length(buffer, nullable)? {
            None => Header::Incomplete,
            Some((None, end)) => Header::Scalar { end },
            Some((Some(count), end)) => {
                let Some(children) = count.checked_mul(per_count) else {
                    return Err(self.too_long(u64::MAX));
                };
                Header::Aggregate {
                    end,
                    children,
                    counted,
                }
            }
        })
    }

    /// The length or count behind a type, and where its line ends; no length stands for −1.
    #[inline]
    fn length(
        &mut self,
        buffer: &[u8],
        nullable: bool,
    ) -> Result<Option<(Option<u64>, usize)>, ProtocolError> {
        let first = self.position + 1;
        let mut length = 0u64;
        let mut at = first;
        loop {
            match buffer.get(at) {
                Some(digit @ b'0'..=b'9') => {
                    let digit = u64::from(digit - b'0');
                    length = match length
                        .checked_mul(10)
                        .and_then(|tens| tens.checked_add(digit))
                    {
                        Some(length) => length,
                        None => return Err(self.fault(self.position, Fault::Range("a length"))),
                    };
                    if at - first >= MAX_DIGITS {
                        return Err(self.fault(self.position, Fault::Range("a length")));
                    }
                }
                Some(b'\r') if at > first => break,
                Some(b'-') if at == first && nullable => {
                    return self.minus_one(buffer, at);
                }
                Some(b'?') if at == first => {
                    let kind = buffer.get(self.position).copied().unwrap_or_default();
                    return Err(self.fault(self.position, Fault::Streamed(kind)));
                }
                Some(_) => return Err(self.unexpected(buffer, at, "a digit of a length")),
                None => {
                    self.at_least = at + 1;
                    return Ok(None);
                }
            }
            at += 1;
        }
        match buffer.get(at + 1) {
            Some(b'\n') => Ok(Some((Some(length), at + 2))),
            Some(_) => Err(self.unexpected(buffer, at + 1, "a line feed")),
            None => {
                self.at_least = at + 2;
                Ok(None)
            }
        }
    }

    /// The rest of the length −1, whose sign is at `sign`.
    fn minus_one(
        &mut self,
        buffer: &[u8],
        sign: usize,
    ) -> Result<Option<(Option<u64>, usize)>, ProtocolError> {
        for (offset, expected) in (sign + 1..).zip(b"1\r\n") {
            match buffer.get(offset) {
                Some(byte) if byte == expected => {}
                Some(_) => {
                    return Err(self.unexpected(buffer, offset, "no negative length but -1"));
                }
                None => {
                    self.at_least = offset + 1;
                    return Ok(None);
                }
            }
        }
        Ok(Some((None, sign + 4)))
    }

    /// A type that allows one of two texts.
    fn literal(
        &mut self,
        buffer: &[u8],
        one: &[u8],
        other: &[u8],
        expected: &'static str,
    ) -> Result<Header, ProtocolError> {
        let start = self.position + 1;
        let text_end = start + one.len();
        let Some(text) = buffer.get(start..text_end) else {
            self.at_least = text_end;
            return Ok(Header::Incomplete);
        };
        if text != one && text != other {
            return Err(self.unexpected(buffer, start, expected));
        }
        self.line_end(buffer, text_end)
    }

    fn line_end(&mut self, buffer: &[u8], at: usize) -> Result<Header, ProtocolError> {
        match (buffer.get(at), buffer.get(at + 1)) {
            (Some(b'\r'), Some(b'\n')) => Ok(Header::Scalar { end: at + 2 }),
            (Some(b'\r'), Some(_)) => Err(self.unexpected(buffer, at + 1, "a line feed")),
            (Some(b'\r'), None) => {
                self.at_least = at + 2;
                Ok(Header::Incomplete)
            }
            (Some(_), _) => Err(self.unexpected(buffer, at, "a carriage return")),
            (None, _) => {
                self.at_least = at + 1;
                Ok(Header::Incomplete)
            }
        }
    }

    /// A simple string or error: everything up to the first CRLF.
    ///
    /// A carriage return or line feed alone does not end it, although RESP forbids them there:
    /// modules quote parts of a command in their error texts.
    fn text(&mut self, buffer: &[u8]) -> Result<Header, ProtocolError> {
        let start = self.position + 1;
        let mut from = start + self.searched;
        loop {
            let Some(cr) = memchr(b'\r', buffer.get(from..).unwrap_or_default()) else {
                return self.wait_for_text(buffer, buffer.len(), start);
            };
            let cr = from + cr;
            match buffer.get(cr + 1) {
                Some(b'\n') if cr - start <= self.limits.bulk => {
                    return Ok(Header::Scalar { end: cr + 2 });
                }
                Some(b'\n') => return self.wait_for_text(buffer, cr, start),
                Some(_) => from = cr + 1,
                None => return self.wait_for_text(buffer, cr, start),
            }
        }
    }

    /// Remembers that a line has no end before `end`, unless it is too long already.
    fn wait_for_text(
        &mut self,
        buffer: &[u8],
        end: usize,
        start: usize,
    ) -> Result<Header, ProtocolError> {
        self.searched = end.saturating_sub(start);
        // The limit that is passed first decides, however much has arrived at once.
        let longest = start.saturating_add(self.limits.bulk);
        if end > longest.min(self.limits.frame) {
            return Err(if longest <= self.limits.frame {
                self.fault(self.position, Fault::Text(self.limits.bulk))
            } else {
                self.endless()
            });
        }
        self.at_least = buffer.len() + 1;
        Ok(Header::Incomplete)
    }

    /// A number on a line of limited length.
    fn line(&mut self, buffer: &[u8], line: Line) -> Result<Header, ProtocolError> {
        let start = self.position + 1;
        let rest = buffer.get(start..).unwrap_or_default();
        let longest = match line {
            Line::Integer => MAX_DIGITS,
            Line::Double => MAX_NUMBER,
        };
        let window = rest.get(..longest + 1).unwrap_or(rest);
        let end = match line {
            Line::Integer => self.integer(buffer, window)?,
            Line::Double => self.double(buffer, window)?,
        };
        match end {
            Some(end) => self.line_end(buffer, start + end),
            None if window.len() > longest => {
                Err(self.fault(self.position, Fault::Range("a number")))
            }
            None => {
                self.searched = window.len();
                self.at_least = buffer.len() + 1;
                Ok(Header::Incomplete)
            }
        }
    }

    /// Where the digits of an integer end in `text`, if they do.
    fn integer(&self, buffer: &[u8], text: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let start = self.position + 1;
        let negative = text.first() == Some(&b'-');
        let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
        let mut value = 0i64;
        for (index, &byte) in text.iter().enumerate().skip(sign) {
            if !byte.is_ascii_digit() {
                return if index > sign {
                    Ok(Some(index))
                } else {
                    Err(self.unexpected(buffer, start + index, "a digit of an integer"))
                };
            }
            let digit = i64::from(byte - b'0');
            let tens = value.checked_mul(10);
            let next = tens.and_then(|tens| {
                if negative {
                    tens.checked_sub(digit)
                } else {
                    tens.checked_add(digit)
                }
            });
            let Some(next) = next else {
                return Err(self.fault(self.position, Fault::Range("an integer")));
            };
            value = next;
        }
        Ok(None)
    }

    /// Where the text of a double ends, if it does.
    fn double(&self, buffer: &[u8], text: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let fresh = text.get(self.searched..).unwrap_or_default();
        let Some(end) = memchr(b'\r', fresh).map(|end| self.searched + end) else {
            return Ok(None);
        };
        let number = text.get(..end).unwrap_or_default();
        if is_double(number) {
            return Ok(Some(end));
        }
        Err(self.unexpected(buffer, self.position + 1, "the text of a double"))
    }

    /// Any number of digits.
    fn big_number(&mut self, buffer: &[u8]) -> Result<Header, ProtocolError> {
        let start = self.position + 1;
        let sign = usize::from(matches!(buffer.get(start), Some(b'-' | b'+')));
        let digits = start + sign;
        let mut at = digits.max(start + self.searched);
        while buffer.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at == buffer.len() {
            return self.wait_for_text(buffer, at, start);
        }
        if at == digits {
            return Err(self.unexpected(buffer, at, "a digit of a big number"));
        }
        if at - start > self.limits.bulk {
            return self.wait_for_text(buffer, at, start);
        }
        let header = self.line_end(buffer, at)?;
        if let Header::Incomplete = header {
            self.searched = at - start;
        }
        Ok(header)
    }

    /// The frame went on beyond the limit without saying so beforehand.
    fn endless(&self) -> ProtocolError {
        self.too_long((self.limits.frame as u64).saturating_add(1))
    }

    fn too_long(&self, length: u64) -> ProtocolError {
        self.fault(self.position, Fault::Frame(length, self.limits.frame))
    }

    /// The byte at `offset` is not what was `expected`.
    fn unexpected(&self, buffer: &[u8], offset: usize, expected: &'static str) -> ProtocolError {
        let found = buffer.get(offset).copied().unwrap_or_default();
        self.fault(offset, Fault::Unexpected { expected, found })
    }

    #[cold]
    fn fault(&self, offset: usize, fault: Fault) -> ProtocolError {
        ProtocolError { offset, fault }
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

/// What stands at one position of a frame.
enum Header {
    Incomplete,
    Scalar {
        end: usize,
    },
    Aggregate {
        end: usize,
        children: u64,
        counted: bool,
    },
}

#[derive(Clone, Copy)]
enum Line {
    Integer,
    Double,
}

/// Whether this is the text of a double as servers print it, which Rust reads too.
fn is_double(text: &[u8]) -> bool {
    let unsigned = match text {
        [b'-' | b'+', rest @ ..] => rest,
        _ => text,
    };
    if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"nan") {
        return true;
    }
    let (whole, rest) = split_digits(unsigned);
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => split_digits(rest),
        _ => (&[][..], rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return false;
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'-' | b'+', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            let (digits, rest) = split_digits(exponent);
            !digits.is_empty() && rest.is_empty()
        }
        _ => false,
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// What a peer sent that is no RESP, or exceeds [`Limits`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolError {
    offset: usize,
    fault: Fault,
}

impl ProtocolError {
    /// Where the fault lies, in bytes from the start of the frame.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Something follows a frame that should stand alone.
    pub(super) fn trailing(offset: usize) -> Self {
        Self {
            offset,
            fault: Fault::Trailing,
        }
    }

    /// The bytes end within a frame.
    pub(super) fn incomplete(offset: usize) -> Self {
        Self {
            offset,
            fault: Fault::Incomplete,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Unexpected { expected: &'static str, found: u8 },
    Range(&'static str),
    Streamed(u8),
    Depth(usize),
    Bulk(u64, usize),
    Text(usize),
    Frame(u64, usize),
    Verbatim(u64),
    Trailing,
    Incomplete,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Fault::Unexpected { expected, found } => {
                write!(f, "expected {expected}, found '{}'", found.escape_ascii())
            }
            Fault::Range(what) => write!(f, "expected {what} of 64 bits, found a longer one"),
            Fault::Streamed(kind @ (b';' | b'.')) => {
                write!(
                    f,
                    "expected a RESP type, found '{}', a part of a streamed type, which is unsupported",
                    *kind as char
                )
            }
            Fault::Streamed(kind) => {
                write!(
                    f,
                    "expected a length, found the streamed type '{}?', which is unsupported",
                    *kind as char
                )
            }
            Fault::Depth(limit) => {
                write!(f, "expected at most {limit} levels of nesting, found more")
            }
            Fault::Bulk(length, limit) => {
                write!(
                    f,
                    "expected a string of at most {limit} bytes, found one of {length}"
                )
            }
            Fault::Text(limit) => {
                write!(
                    f,
                    "expected a string of at most {limit} bytes, found a longer one"
                )
            }
            Fault::Frame(length, limit) => write!(
                f,
                "expected a frame of at most {limit} bytes, found one of at least {length}"
            ),
            Fault::Verbatim(length) => {
                write!(
                    f,
                    "expected a verbatim string of at least 4 bytes, found one of {length}"
                )
            }
            Fault::Trailing => f.write_str("expected the end of the bytes, found more"),
            Fault::Incomplete => {
                f.write_str("expected more of a frame, found the end of the bytes")
            }
        }?;
        write!(f, " at byte {} of the frame", self.offset)
    }
}

impl error::Error for ProtocolError {}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Error::new(ErrorKind::Protocol, error.to_string())
    }
}

/// The length of `_\r\n`.
const SHORTEST_VALUE: u64 = 3;

/// The longest text of an integer with its sign, or of a length; some room for leading zeros included.
const MAX_DIGITS: usize = 20;

/// The longest text of a double; servers print long doubles in up to 5 KiB.
const MAX_NUMBER: usize = 5 * 1024;

/// The commonest reply.
pub(crate) const OK: &[u8] = b"+OK\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes a scanner looks at in total for a frame that arrives in pieces of `size`.
    ///
    /// A call either returns at once, for want of bytes, or looks at those from the value or the part
    /// of a line on that it has not seen the end of.
    fn work(bytes: &[u8], size: usize) -> usize {
        let mut scanner = Scanner::new(Limits::default());
        let mut work = 0;
        for end in (size..bytes.len()).step_by(size) {
            if end >= scanner.at_least {
                work += end - (scanner.position + scanner.searched);
            }
            assert_eq!(scanner.scan(&bytes[..end]), Ok(None));
        }
        assert_eq!(scanner.scan(bytes), Ok(Some(bytes.len())));
        work
    }

    #[test]
    fn no_byte_is_looked_at_again_and_again() {
        let x = "x".repeat(1 << 20);
        let digits = "7".repeat(1 << 20);
        let cases = [
            ("a long bulk string", format!("${}\r\n{x}\r\n", x.len())),
            ("a long simple string", format!("+{x}\r\n")),
            ("a long error", format!("-{x}\r\n")),
            (
                "one of carriage returns",
                format!("+{}\r\n", "\r".repeat(1 << 16)),
            ),
            ("a long big number", format!("({digits}\r\n")),
            (
                "long doubles",
                format!("*10\r\n{}", format!(",{}\r\n", &digits[..5000]).repeat(10)),
            ),
            (
                "many integers",
                format!("*100000\r\n{}", ":1\r\n".repeat(100_000)),
            ),
            (
                "many strings",
                format!("*50000\r\n{}", "$3\r\nfoo\r\n".repeat(50_000)),
            ),
            (
                "many pairs",
                format!("%9999\r\n{}", "+k\r\n*1\r\n_\r\n".repeat(9999)),
            ),
            ("deep nesting", format!("{}:1\r\n", "*1\r\n".repeat(128))),
            (
                "many pushes",
                format!("*1\r\n{}:1\r\n", ">1\r\n:1\r\n".repeat(9999)),
            ),
            (
                "many attributes",
                format!("{}:1\r\n", "|1\r\n+a\r\n:1\r\n".repeat(9999)),
            ),
        ];
        for (what, bytes) in cases {
            for size in [1, 64, 4096] {
                // Of a header, a few bytes may be seen several times when it comes byte by byte.
                let (work, length) = (work(bytes.as_bytes(), size), bytes.len());
                assert!(
                    work <= 4 * length,
                    "{what} in pieces of {size}: {work} for {length}"
                );
            }
        }
    }

    #[test]
    fn its_memory_is_a_number_for_each_level() {
        let mut scanner = Scanner::new(Limits::default());
        assert_eq!(scanner.scan("*2\r\n".repeat(100).as_bytes()), Ok(None));
        assert_eq!(scanner.outer.len(), 100);
        let wide = format!("*100000\r\n{}", "*0\r\n".repeat(100_000));
        let mut scanner = Scanner::new(Limits::default());
        assert_eq!(scanner.scan(wide.as_bytes()), Ok(Some(wide.len())));
        assert!(scanner.outer.capacity() <= 8);
    }

    #[test]
    fn values_that_are_missing_are_counted_against_the_frame() {
        // 20 values of at least 3 bytes, and a header of 5.
        let limits = Limits::default().with_frame(65);
        assert_eq!(Scanner::new(limits).scan(b"*20\r\n"), Ok(None));
        let error = Scanner::new(limits).scan(b"*21\r\n").unwrap_err();
        assert_eq!(error.fault, Fault::Frame(68, 65));
        let error = Scanner::new(limits).scan(b"*10\r\n*11\r\n").unwrap_err();
        assert_eq!(error.fault, Fault::Frame(70, 65));
        let most = Limits::default().with_frame(usize::MAX);
        assert_eq!(
            Scanner::new(most).scan(b"*18446744073709551615\r\n*18446744073709551615\r\n:1\r\n"),
            Ok(None)
        );
    }
}
