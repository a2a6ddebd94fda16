//! Frames and views of the values in them.

use std::{fmt, ops::Range, sync::OnceLock};

use bytes::Bytes;
use memchr::memchr;

use super::{Limits, OK, ProtocolError, Scanner};

/// One complete, validated frame.
///
/// A frame owns its bytes, and values can be taken out of it as [`Bytes`] without being copied.
/// When the frame is a part of a much larger receive buffer, that would keep the whole buffer in
/// memory for one small value. So a frame knows whether its bytes are *shared* with such a buffer:
///
/// | frame | value taken | what happens |
/// |---|---|---|
/// | of a few bytes, as a connection reads it | any | the frame is a copy already, and the value another |
/// | not shared | any | a slice of the frame |
/// | shared | the frame is a single string | the string alone is copied |
/// | shared | one in an aggregate | the frame is copied once, and this and all later values are slices of the copy |
/// | with large strings | a string of less than 4 KiB in an aggregate | all but the large strings is copied once, and this and all later ones of that length are slices of the copy |
///
/// So a small value that is kept keeps at most the other small values of its reply, or twice as much:
/// where most of a reply is small values, it is not copied.
///
/// What is read otherwise, such as numbers or a `String`, never refers to the frame.
#[derive(Clone)]
pub struct Frame(Body);

#[derive(Clone)]
enum Body {
    /// The few bytes that most replies are, in place, so that they share no buffer.
    Short { length: u8, bytes: [u8; SHORT] },
    Long {
        bytes: Bytes,
        shared: bool,
        /// Whether these are several frames, of which [`Frames`](super::Frames) know the ends.
        several: bool,
        /// Whether some of its elements are large strings.
        large: bool,
        /// Boxed, since it is rare and frames are moved about.
        copy: OnceLock<Box<Copied>>,
    },
}

/// What small values of a frame are slices of.
#[derive(Clone)]
struct Copied {
    bytes: Bytes,
    /// Where each string ends in the frame that was left out, and how many bytes were by then.
    gaps: Vec<(usize, usize)>,
}

impl Frame {
    /// A frame of bytes that a [`Scanner`] has measured.
    ///
    /// `shared` says that they lie in a buffer that is much larger. Other bytes than a scanner has
    /// approved make a frame of unspecified content and size; for these, use [`Frame::parse`].
    #[must_use]
    pub fn new(bytes: Bytes, shared: bool) -> Self {
        Self::scanned(bytes, shared, false)
    }

    /// The same, where the scanner has told whether some of its elements are large.
    pub(crate) fn scanned(bytes: Bytes, shared: bool, large: bool) -> Self {
        Self::long(bytes, shared, false, large)
    }

    /// A copy of bytes that a [`Scanner`] has measured; none if they are too many for that.
    #[inline]
    pub(crate) fn short(bytes: &[u8]) -> Option<Self> {
        let mut copy = [0; SHORT];
        copy.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self(Body::Short {
            length: u8::try_from(bytes.len()).ok()?,
            bytes: copy,
        }))
    }

    /// What answers most writes.
    pub(crate) fn ok() -> Self {
        Self::new(Bytes::from_static(OK), false)
    }

    /// The bytes of frames that lie side by side.
    pub(crate) fn several(bytes: Bytes, shared: bool) -> Self {
        Self::long(bytes, shared, true, false)
    }

    #[inline]
    fn long(bytes: Bytes, shared: bool, several: bool, large: bool) -> Self {
        Self(Body::Long {
            bytes,
            shared,
            several,
            large,
            copy: OnceLock::new(),
        })
    }

    /// One of several frames, by itself.
    pub(super) fn part(&self, part: Range<usize>) -> Self {
        match &self.0 {
            Body::Short { .. } => Self::short(self.as_bytes().get(part).unwrap_or_default())
                .unwrap_or_else(|| self.clone()),
            Body::Long { bytes, shared, .. } => {
                let shared = *shared || is_small(part.len(), bytes);
                Self::new(bytes.slice(part), shared)
            }
        }
    }

    /// A frame of bytes from elsewhere, with nothing behind it.
    ///
    /// # Errors
    ///
    /// Fails unless the bytes are exactly one frame within the default [`Limits`].
    pub fn parse(bytes: Bytes) -> Result<Self, ProtocolError> {
        let mut scanner = Scanner::new(Limits::default());
        match scanner.scan(&bytes)? {
            Some(length) if length == bytes.len() => {
                Ok(Self::scanned(bytes, false, scanner.has_large_elements()))
            }
            Some(length) => Err(ProtocolError::trailing(length)),
            None => Err(ProtocolError::incomplete(bytes.len())),
        }
    }

    /// The value of this frame.
    #[inline]
    #[must_use]
    pub fn reply(&self) -> Reply<'_> {
        self.reply_at(0)
    }

    /// The value of the frame that begins there.
    // Asked once for each reply of a pipeline, with little to do for each.
    #[inline(always)]
    pub(super) fn reply_at(&self, start: usize) -> Reply<'_> {
        let bytes = self.as_bytes();
        Reply::new(self, bytes, start, skip_attributes(bytes, start))
    }

    /// Whether this is a message that no command asked for.
    #[must_use]
    pub fn is_push(&self) -> bool {
        self.reply().kind() == Kind::Push
    }

    /// Whether this is an error reply.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.reply().as_error().is_some()
    }

    /// The pushes inside this frame, which are no elements of it.
    ///
    /// Going through them takes a pass over the frame; [`Scanner::nested_pushes`] tells whether
    /// there are any.
    #[must_use]
    pub fn nested_pushes(&self) -> NestedPushes<'_> {
        NestedPushes {
            frame: self,
            top: self.reply().at,
            position: 0,
        }
    }

    /// The bytes of this frame.
    #[must_use]
    #[inline(always)]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Body::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Body::Long { bytes, .. } => bytes,
        }
    }

    /// The part `from..to` of this frame as `Bytes`, under the rule above.
    #[inline]
    fn take(&self, from: usize, to: usize) -> Bytes {
        let Body::Long {
            bytes,
            shared,
            several,
            large,
            copy,
        } = &self.0
        else {
            return Bytes::copy_from_slice(self.as_bytes().get(from..to).unwrap_or_default());
        };
        if from >= to || to > bytes.len() {
            return Bytes::new();
        }
        let is_copied = *shared || (*several && is_small(to - from, bytes));
        let is_small_part = *large && to - from < LARGE_ELEMENT;
        if !is_copied && !is_small_part {
            return bytes.slice(from..to);
        }
        // The first byte tells enough, and looking behind attributes would take a pass over them for
        // every value.
        if matches!(bytes.first(), Some(b'*' | b'%' | b'~' | b'>' | b'|')) {
            let copy = copy.get_or_init(|| {
                Box::new(if is_copied {
                    Copied::whole(bytes)
                } else {
                    Copied::without_large(bytes)
                })
            });
            return copy.slice(from, to);
        }
        if !is_copied {
            return bytes.slice(from..to);
        }
        Bytes::copy_from_slice(bytes.get(from..to).unwrap_or_default())
    }
}

/// Whether that many bytes are too few to keep all of these.
#[inline]
fn is_small(length: usize, bytes: &[u8]) -> bool {
    length < bytes.len() / 4
}

impl Copied {
    /// A copy of everything.
    fn whole(bytes: &[u8]) -> Self {
        Self {
            bytes: Bytes::copy_from_slice(bytes),
            gaps: Vec::new(),
        }
    }

    /// A copy of what is no large string, unless that is most of it.
    fn without_large(frame: &Bytes) -> Self {
        let mut gaps = Vec::new();
        let mut left_out = 0;
        let mut small = Vec::new();
        let mut from = 0;
        let mut position = 0;
        while let Some(header) = Header::read(frame, position) {
            position = header.next;
            let length = header.payload_end.saturating_sub(header.body);
            if header.is_text() && length >= LARGE_ELEMENT {
                small.push(from..header.body);
                from = header.payload_end;
                left_out += length;
                gaps.push((from, left_out));
            }
        }
        small.push(from..frame.len());
        if left_out < frame.len() / 2 {
            return Self {
                bytes: frame.clone(),
                gaps: Vec::new(),
            };
        }
        let mut bytes = Vec::with_capacity(frame.len().saturating_sub(left_out));
        for part in small {
            bytes.extend_from_slice(frame.get(part).unwrap_or_default());
        }
        Self {
            bytes: bytes.into(),
            gaps,
        }
    }

    /// What lies there in the frame, of which nothing was left out.
    fn slice(&self, from: usize, to: usize) -> Bytes {
        let before = self.gaps.partition_point(|(end, _)| *end <= from);
        let left_out = before
            .checked_sub(1)
            .and_then(|last| self.gaps.get(last))
            .map_or(0, |(_, left_out)| *left_out);
        let part = from.saturating_sub(left_out)..to.saturating_sub(left_out);
        if part.end > self.bytes.len() {
            return Bytes::new();
        }
        self.bytes.slice(part)
    }
}

/// What a [`Frame`] keeps in place: a number, a status, a short string.
const SHORT: usize = 54;

const _: () = assert!(size_of::<Frame>() == 56);

/// From this length on a string is too large to be kept for the sake of another.
pub(super) const LARGE_ELEMENT: usize = 4 << 10;

impl fmt::Debug for Frame {
    /// Tells kind and size, not the content, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("kind", &self.reply().kind())
            .field("length", &self.as_bytes().len())
            .finish()
    }
}

/// The RESP type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `+`
    SimpleString,
    /// `-`
    Error,
    /// `:`
    Integer,
    /// `$`
    BulkString,
    /// `*`
    Array,
    /// `_`, or `$-1` and `*-1` of RESP2
    Null,
    /// `#`
    Boolean,
    /// `,`
    Double,
    /// `(`
    BigNumber,
    /// `!`
    BulkError,
    /// `=`
    Verbatim,
    /// `%`
    Map,
    /// `~`
    Set,
    /// `>`
    Push,
}

impl Kind {
    /// Whether values of this type have elements.
    #[must_use]
    pub fn is_aggregate(self) -> bool {
        matches!(self, Self::Array | Self::Map | Self::Set | Self::Push)
    }

    /// Whether this is one of the two types of errors.
    #[must_use]
    pub fn is_error(self) -> bool {
        matches!(self, Self::Error | Self::BulkError)
    }

    fn name(self) -> &'static str {
        match self {
            Self::SimpleString => "simple string",
            Self::Error => "simple error",
            Self::Integer => "integer",
            Self::BulkString => "bulk string",
            Self::Array => "array",
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Double => "double",
            Self::BigNumber => "big number",
            Self::BulkError => "bulk error",
            Self::Verbatim => "verbatim string",
            Self::Map => "map",
            Self::Set => "set",
            Self::Push => "push",
        }
    }

    /// The name with its article, for messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::SimpleString => "a simple string",
            Self::Error => "a simple error",
            Self::Integer => "an integer",
            Self::BulkString => "a bulk string",
            Self::Array => "an array",
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Double => "a double",
            Self::BigNumber => "a big number",
            Self::BulkError => "a bulk error",
            Self::Verbatim => "a verbatim string",
            Self::Map => "a map",
            Self::Set => "a set",
            Self::Push => "a push",
        }
    }
}

impl fmt::Display for Kind {
    /// Writes the name that the RESP specification gives to this type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A view of one value of a [`Frame`].
///
/// It is a position and what the header there says, and therefore cheap to copy; looking at a value
/// reads it from the frame's bytes.
#[derive(Clone, Copy)]
pub struct Reply<'f> {
    frame: &'f Frame,
    /// Those of the frame.
    bytes: &'f [u8],
    /// Where its attributes begin.
    start: usize,
    /// Where the value itself begins.
    at: usize,
    header: Header,
}

impl<'f> Reply<'f> {
    /// The value at `at`, whose attributes begin at `start`.
    #[inline]
    fn new(frame: &'f Frame, bytes: &'f [u8], start: usize, at: usize) -> Self {
        Self {
            frame,
            bytes,
            start,
            at,
            header: match Header::common(bytes, at) {
                Some(header) => header,
                None => Header::read(bytes, at).unwrap_or(Header::MISSING),
            },
        }
    }

    /// The RESP type of this value.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.header.kind
    }

    /// Whether this is a null of RESP2 or RESP3.
    #[inline]
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// The text of an error, whose first word is its code.
    #[must_use]
    pub fn as_error(&self) -> Option<&'f [u8]> {
        let header = &self.header;
        header.kind.is_error().then(|| self.payload())
    }

    /// The text of a string, double or big number; of a verbatim string, what follows its format.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> Option<&'f [u8]> {
        let header = &self.header;
        header.is_text().then(|| self.payload())
    }

    /// What [`Reply::bytes`] returns, to keep: see [`Frame`] about what is copied.
    #[inline]
    #[must_use]
    pub fn take_bytes(&self) -> Option<Bytes> {
        let header = &self.header;
        header
            .is_text()
            .then(|| self.frame.take(header.body, header.payload_end))
    }

    /// The three letters that tell the format of a verbatim string, such as `txt`.
    #[must_use]
    pub fn verbatim_format(&self) -> Option<&'f [u8]> {
        let header = &self.header;
        (header.kind == Kind::Verbatim)
            .then(|| {
                self.bytes
                    .get(header.body.saturating_sub(4)..header.body - 1)
            })
            .flatten()
    }

    /// The value of an integer.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        let header = &self.header;
        (header.kind == Kind::Integer).then_some(header.number)
    }

    /// The value of a double.
    #[must_use]
    pub fn double(&self) -> Option<f64> {
        let header = &self.header;
        if header.kind != Kind::Double {
            return None;
        }
        str::from_utf8(self.payload()).ok()?.parse().ok()
    }

    /// The value of a boolean.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        let header = &self.header;
        (header.kind == Kind::Boolean).then_some(header.number != 0)
    }

    /// The elements of an array, set or push; of a map, each key followed by its value.
    #[inline]
    #[must_use]
    pub fn elements(&self) -> Option<Elements<'f>> {
        let header = &self.header;
        header.kind.is_aggregate().then(|| Elements {
            frame: self.frame,
            bytes: self.bytes,
            position: header.body,
            remaining: header.children(),
            entered: false,
        })
    }

    /// The number of [`Reply::elements`]; 0 for other types.
    #[must_use]
    pub fn len(&self) -> usize {
        let header = &self.header;
        if header.kind.is_aggregate() {
            header.children()
        } else {
            0
        }
    }

    /// Whether there are no [`Reply::elements`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The attributes in front of this value, each key followed by its value.
    ///
    /// When there are several sets of attributes, these are the ones of the last set.
    #[must_use]
    pub fn attributes(&self) -> Option<Elements<'f>> {
        let bytes = self.bytes;
        let mut last = None;
        let mut position = self.start;
        while position < self.at {
            let header = Header::read(bytes, position)?;
            if header.attribute {
                last = Some(header);
            }
            position = skip_uncounted(bytes, position);
        }
        last.map(|header| Elements {
            frame: self.frame,
            bytes: self.bytes,
            position: header.body,
            remaining: header.children(),
            entered: false,
        })
    }

    /// The RESP bytes of just this value, without its attributes.
    #[must_use]
    pub fn raw(&self) -> &'f [u8] {
        let end = skip(self.bytes, self.at);
        self.bytes.get(self.at..end).unwrap_or_default()
    }

    #[inline]
    fn payload(&self) -> &'f [u8] {
        self.bytes
            .get(self.header.body..self.header.payload_end)
            .unwrap_or_default()
    }
}

impl fmt::Debug for Reply<'_> {
    /// Tells kind and size, not the content, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        let mut debug = f.debug_struct("Reply");
        debug.field("kind", &kind);
        if kind.is_aggregate() {
            debug.field("elements", &self.len());
        } else if let Some(bytes) = self.bytes() {
            debug.field("length", &bytes.len());
        }
        debug.finish()
    }
}

/// The elements of an aggregate, in the order of the wire; of a map, each key before its value.
#[derive(Clone)]
pub struct Elements<'f> {
    frame: &'f Frame,
    bytes: &'f [u8],
    /// Where the next element begins, or the previous one that has elements itself.
    position: usize,
    remaining: usize,
    /// Whether the value at `position` was handed out already.
    entered: bool,
}

impl<'f> Iterator for Elements<'f> {
    type Item = Reply<'f>;

    #[inline]
    fn next(&mut self) -> Option<Reply<'f>> {
        self.remaining = self.remaining.checked_sub(1)?;
        // Most elements are short strings behind others.
        if !self.entered
            && let Some(header) = Header::short_string(self.bytes, self.position)
        {
            let at = self.position;
            self.position = header.next;
            return Some(Reply {
                frame: self.frame,
                bytes: self.bytes,
                start: at,
                at,
                header,
            });
        }
        Some(self.advance())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for Elements<'_> {}

impl<'f> Elements<'f> {
    /// Takes the next element if it is a string whose length has few digits; otherwise it is still
    /// the next one.
    #[inline]
    pub(crate) fn take_short_string(&mut self) -> Option<Bytes> {
        if self.entered || self.remaining == 0 {
            return None;
        }
        let (length, body) = short_string(self.bytes, self.position)?;
        let end = body + length;
        self.remaining -= 1;
        self.position = end + 2;
        Some(self.frame.take(body, end))
    }

    /// The next element, whatever it is and whatever lies in front of it.
    fn advance(&mut self) -> Reply<'f> {
        let bytes = self.bytes;
        if self.entered {
            self.position = skip(bytes, self.position);
        }
        let (start, at) = match bytes.get(self.position) {
            Some(b'>' | b'|') => {
                let start = skip_pushes(bytes, self.position);
                (start, skip_attributes(bytes, start))
            }
            _ => (self.position, self.position),
        };
        let reply = Reply::new(self.frame, bytes, start, at);
        self.entered = reply.header.kind.is_aggregate();
        self.position = if self.entered { at } else { reply.header.next };
        reply
    }
}

impl fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elements")
            .field("remaining", &self.remaining)
            .finish()
    }
}

/// The pushes inside a frame; see [`Frame::nested_pushes`].
#[derive(Clone, Debug)]
pub struct NestedPushes<'f> {
    frame: &'f Frame,
    /// Where the value of the frame begins, which is no nested push if it is a push.
    top: usize,
    /// Where the next header is.
    position: usize,
}

impl<'f> Iterator for NestedPushes<'f> {
    type Item = Reply<'f>;

    fn next(&mut self) -> Option<Reply<'f>> {
        let bytes = self.frame.as_bytes();
        // Bodies of aggregates begin with a value, so that going from header to header visits all,
        // those in attributes and in other pushes included, and none that a payload only looks like.
        while let Some(header) = Header::read(bytes, self.position) {
            let at = self.position;
            self.position = header.next;
            if header.kind == Kind::Push && at != self.top {
                return Some(Reply::new(self.frame, bytes, at, at));
            }
        }
        None
    }
}

/// What the first bytes of a value tell.
#[derive(Clone, Copy)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// Whether this is no value, but attributes of the next one; its kind is then a map.
    pub(crate) attribute: bool,
    /// The value of an integer or boolean, or the number that an aggregate counts.
    pub(crate) number: i64,
    /// Where the payload or the first element begins.
    pub(crate) body: usize,
    /// Where the payload ends.
    pub(crate) payload_end: usize,
    /// Where the next header is: behind the value or, for an aggregate, in it.
    pub(crate) next: usize,
}

impl Header {
    /// Stands for a value outside of its frame, which the scanner rules out.
    const MISSING: Self = Self {
        kind: Kind::Null,
        attribute: false,
        number: 0,
        body: 0,
        payload_end: 0,
        next: 0,
    };

    /// The same as [`Header::read`] if it is that of what most commands are answered with.
    #[inline(always)]
    fn common(bytes: &[u8], at: usize) -> Option<Self> {
        if bytes.get(at..)?.starts_with(OK) {
            return Some(Self {
                kind: Kind::SimpleString,
                attribute: false,
                number: 0,
                body: at + 1,
                payload_end: at + 3,
                next: at + OK.len(),
            });
        }
        Self::short_string(bytes, at)
    }

    /// Reads the header at `at` of a frame that was validated.
    pub(crate) fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let body = at + 1;
        let kind = match bytes.get(at)? {
            b'$' => return Self::string(bytes, body, Kind::BulkString),
            b'*' => return Self::aggregate(bytes, body, Kind::Array, false),
            b':' => {
                let (number, next) = read_number(bytes, body)?;
                let payload_end = next - 2;
                let kind = Kind::Integer;
                return Some(Self {
                    kind,
                    attribute: false,
                    number,
                    body,
                    payload_end,
                    next,
                });
            }
            b'%' => return Self::aggregate(bytes, body, Kind::Map, false),
            b'|' => return Self::aggregate(bytes, body, Kind::Map, true),
            b'~' => return Self::aggregate(bytes, body, Kind::Set, false),
            b'>' => return Self::aggregate(bytes, body, Kind::Push, false),
            b'!' => return Self::string(bytes, body, Kind::BulkError),
            b'=' => {
                let header = Self::string(bytes, body, Kind::Verbatim)?;
                let body = (header.body + 4).min(header.payload_end);
                return Some(Self { body, ..header });
            }
            b'+' => Kind::SimpleString,
            b'-' => Kind::Error,
            b'_' => Kind::Null,
            b',' => Kind::Double,
            b'(' => Kind::BigNumber,
            b'#' => {
                let number = i64::from(bytes.get(body) == Some(&b't'));
                let (payload_end, next) = (body + 1, body + 3);
                let kind = Kind::Boolean;
                return Some(Self {
                    kind,
                    attribute: false,
                    number,
                    body,
                    payload_end,
                    next,
                });
            }
            _ => return None,
        };
        let payload_end = line_end(bytes, body)?;
        let next = payload_end + 2;
        Some(Self {
            kind,
            attribute: false,
            number: 0,
            body,
            payload_end,
            next,
        })
    }

    /// Reads the header at `at` if it is that of a string whose length has few digits.
    #[inline]
    fn short_string(bytes: &[u8], at: usize) -> Option<Self> {
        let (length, body) = short_string(bytes, at)?;
        Some(Self {
            kind: Kind::BulkString,
            attribute: false,
            number: 0,
            body,
            payload_end: body + length,
            next: body + length + 2,
        })
    }

    /// How many values follow that belong to this one.
    #[inline]
    pub(crate) fn children(&self) -> usize {
        let count = usize::try_from(self.number).unwrap_or_default();
        if self.kind == Kind::Map {
            count.saturating_mul(2)
        } else {
            count
        }
    }

    #[inline]
    pub(crate) fn is_text(&self) -> bool {
        matches!(
            self.kind,
            Kind::SimpleString | Kind::BulkString | Kind::Verbatim | Kind::Double | Kind::BigNumber
        )
    }

    #[inline]
    fn string(bytes: &[u8], at: usize, kind: Kind) -> Option<Self> {
        let (number, body) = read_number(bytes, at)?;
        let attribute = false;
        let Ok(length) = usize::try_from(number) else {
            let kind = Kind::Null;
            return Some(Self {
                kind,
                attribute,
                number,
                body,
                payload_end: body,
                next: body,
            });
        };
        let payload_end = body.checked_add(length)?;
        let next = payload_end.checked_add(2)?;
        Some(Self {
            kind,
            attribute,
            number,
            body,
            payload_end,
            next,
        })
    }

    #[inline]
    fn aggregate(bytes: &[u8], at: usize, kind: Kind, attribute: bool) -> Option<Self> {
        let (number, body) = read_number(bytes, at)?;
        let kind = if number < 0 { Kind::Null } else { kind };
        Some(Self {
            kind,
            attribute,
            number,
            body,
            payload_end: body,
            next: body,
        })
    }
}

/// Where the value at `at` ends, which has no attributes in front of it.
///
/// This needs no stack: every header says how many values it adds to those that are missing.
pub(crate) fn skip(bytes: &[u8], at: usize) -> usize {
    let mut position = at;
    let mut missing = 1usize;
    let mut nested = false;
    while missing > 0 {
        let Some(header) = Header::read(bytes, position) else {
            return bytes.len();
        };
        position = header.next;
        let counts = !header.attribute && (header.kind != Kind::Push || !nested);
        missing -= usize::from(counts);
        if header.kind.is_aggregate() {
            missing = missing.saturating_add(header.children());
        }
        nested = true;
    }
    position
}

/// Where the value at `at` begins behind its attributes.
#[inline]
fn skip_attributes(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at) == Some(&b'|') {
        at = skip_uncounted(bytes, at);
    }
    at
}

/// Where the next element begins behind pushes, with their attributes, at `at`.
#[inline]
fn skip_pushes(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match bytes.get(at) {
            Some(b'>') => at = skip_uncounted(bytes, at),
            Some(b'|') => {
                let value = skip_attributes(bytes, at);
                if bytes.get(value) != Some(&b'>') {
                    return at;
                }
                at = value;
            }
            _ => return at,
        }
    }
}

/// Where the attributes or the push at `at` end.
fn skip_uncounted(bytes: &[u8], at: usize) -> usize {
    let Some(header) = Header::read(bytes, at) else {
        return bytes.len();
    };
    let mut position = header.next;
    let mut missing = header.children();
    while missing > 0 {
        let Some(header) = Header::read(bytes, position) else {
            return bytes.len();
        };
        position = header.next;
        missing -= usize::from(!header.attribute && header.kind != Kind::Push);
        if header.kind.is_aggregate() {
            missing = missing.saturating_add(header.children());
        }
    }
    position
}

/// The length of the string whose header is at `at`, and where its payload begins, if the length has
/// one to three digits.
///
/// That is what most strings have, and reading it digit by digit costs more than all the rest.
#[inline]
pub(super) fn short_string(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if *bytes.get(at)? != b'$' {
        return None;
    }
    let at = at + 1;
    let line = bytes.get(at..)?.first_chunk::<5>()?;
    let digit = |byte: u8| Some(usize::from(byte.wrapping_sub(b'0'))).filter(|digit| *digit < 10);
    let [a, b, c, d, e] = *line;
    let one = digit(a)?;
    if (b, c) == (b'\r', b'\n') {
        return Some((one, at + 3));
    }
    let two = one * 10 + digit(b)?;
    if (c, d) == (b'\r', b'\n') {
        return Some((two, at + 4));
    }
    let three = two * 10 + digit(c)?;
    ((d, e) == (b'\r', b'\n')).then_some((three, at + 5))
}

/// The number on the line at `at`, and where the next line begins.
#[inline]
fn read_number(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut position = at;
    let negative = match bytes.get(position)? {
        b'-' => {
            position += 1;
            true
        }
        b'+' => {
            position += 1;
            false
        }
        _ => false,
    };
    // Gathered as a negative number, which has room for one more; the scanner has ruled out
    // overflow.
    let mut number = 0i64;
    while let digit @ b'0'..=b'9' = bytes.get(position)? {
        number = number
            .wrapping_mul(10)
            .wrapping_sub(i64::from(digit - b'0'));
        position += 1;
    }
    let number = if negative {
        number
    } else {
        number.wrapping_neg()
    };
    Some((number, position + 2))
}

/// Where the CRLF of the line at `at` begins.
fn line_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut from = at;
    loop {
        let cr = from + memchr(b'\r', bytes.get(from..)?)?;
        if bytes.get(cr + 1) == Some(&b'\n') {
            return Some(cr);
        }
        from = cr + 1;
    }
}
