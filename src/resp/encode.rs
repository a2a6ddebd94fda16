//! Commands on their way out: RESP arrays of bulk strings, written into one growing buffer.

use std::{
    fmt::{self, Write as _},
    mem,
    ops::Range,
};

use bytes::{Bytes, BytesMut};

use super::output::{Inserts, LARGE};
use crate::error::{Error, Result};

/// Writes one command as an array of bulk strings, straight into an output buffer.
///
/// The number of words need not be known beforehand: the header is filled in at the end. A command
/// appears in the buffer as a whole or not at all, also when writing it fails or panics.
///
/// ```
/// use bytes::BytesMut;
/// use respec::resp::Writer;
///
/// let mut out = BytesMut::new();
/// Writer::command(&mut out, |command| {
///     command.word(b"EXPIRE");
///     command.key(b"session");
///     command.integer(30);
/// })?;
/// assert_eq!(out, "*3\r\n$6\r\nEXPIRE\r\n$7\r\nsession\r\n$2\r\n30\r\n");
/// # Ok::<(), respec::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut BytesMut,
    keys: Keys<'b>,
    /// Where large values go that are not copied, if they may be left out.
    inserts: Option<&'b mut Inserts>,
    /// Where this command begins in `out`.
    start: usize,
    /// How many ranges `keys` held before this command.
    first_key: usize,
    /// How many values `inserts` held before this command.
    first_insert: usize,
    words: usize,
    /// Words that stand behind the parts of these names.
    added: Vec<(&'static str, Bytes)>,
    error: Option<Error>,
    complete: bool,
}

/// What becomes of the keys of a command.
enum Keys<'b> {
    /// They are words like others.
    Written,
    /// Where they lie in the output is kept as well.
    Located(&'b mut Vec<Range<usize>>),
    /// They are shown, and nothing at all is written.
    Shown(&'b mut dyn FnMut(&[u8])),
    /// Every word is shown with its place instead, and nothing at all is written.
    Words(&'b mut dyn FnMut(usize, &[u8])),
}

impl<'b> Writer<'b> {
    /// Appends the command that `write` spells to `out`.
    ///
    /// # Errors
    ///
    /// The first error given to [`Writer::fail`], or one that says that no word was written; `out`
    /// is then as it was before.
    pub fn command(out: &'b mut BytesMut, write: impl FnOnce(&mut Writer<'_>)) -> Result<()> {
        Self::start(out, Keys::Written, None).run(write)
    }

    /// Appends a command as [`Writer::command`] does, and to `keys` where in `out` its keys lie.
    ///
    /// # Errors
    ///
    /// As [`Writer::command`]; `keys` is then as it was before, too.
    pub fn command_with_keys(
        out: &'b mut BytesMut,
        keys: &'b mut Vec<Range<usize>>,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<()> {
        Self::start(out, Keys::Located(keys), None).run(write)
    }

    /// Shows the keys of a command to `view` and writes nothing, so that large values cost nothing.
    ///
    /// # Errors
    ///
    /// As [`Writer::command`].
    pub(crate) fn view_keys(
        view: &mut dyn FnMut(&[u8]),
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<()> {
        let mut nothing = BytesMut::new();
        let mut writer = Writer::unwritten(&mut nothing, Keys::Shown(view));
        write(&mut writer);
        writer.check()
    }

    /// Shows one word of a command, its name's first being 0, which nothing is written of.
    ///
    /// # Errors
    ///
    /// As [`Writer::command`].
    pub(crate) fn view_word(
        at: usize,
        view: &mut dyn FnMut(&[u8]),
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<()> {
        let mut view = |place: usize, word: &[u8]| {
            if place == at {
                view(word);
            }
        };
        Self::view_words(&mut view, write)
    }

    /// Shows every word of a command but those of its name with its place, the name's first being 0;
    /// nothing is written.
    ///
    /// # Errors
    ///
    /// As [`Writer::command`].
    pub(crate) fn view_words(
        view: &mut dyn FnMut(usize, &[u8]),
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<()> {
        let mut nothing = BytesMut::new();
        let mut writer = Writer::unwritten(&mut nothing, Keys::Words(view));
        write(&mut writer);
        writer.check()
    }

    /// Appends a command as [`Writer::command`] does, but leaves large shared values out of `out`.
    pub(super) fn command_with_inserts(
        out: &'b mut BytesMut,
        inserts: &'b mut Inserts,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<()> {
        Self::start(out, Keys::Written, Some(inserts)).run(write)
    }

    /// Appends words that are bulk strings already, such as `$5\r\nXINFO\r\n$6\r\nSTREAM\r\n`.
    pub fn encoded(&mut self, bytes: &'static [u8], words: usize) {
        self.words += words;
        if self.writes() {
            self.out.extend_from_slice(bytes);
        }
    }

    /// Appends one word.
    pub fn word(&mut self, word: &[u8]) {
        self.words += 1;
        if !self.writes() {
            if let Keys::Words(view) = &mut self.keys {
                view(self.words - 1, word);
            }
            return;
        }
        self.out.reserve(word.len() + MAX_WORD_OVERHEAD);
        self.header(word.len());
        self.out.extend_from_slice(word);
        self.out.extend_from_slice(CRLF);
    }

    /// Appends one word, which an [`Output`](super::Output) does not copy if it is large.
    pub fn shared(&mut self, word: &Bytes) {
        if word.len() < LARGE || self.inserts.is_none() {
            return self.word(word);
        }
        self.words += 1;
        self.header(word.len());
        if let Some(inserts) = &mut self.inserts {
            inserts.push(self.out.len(), word.clone());
        }
        self.out.extend_from_slice(CRLF);
    }

    /// Appends one word that is the name of a key.
    pub fn key(&mut self, key: &[u8]) {
        self.word(key);
        match &mut self.keys {
            Keys::Written | Keys::Words(_) => {}
            Keys::Located(keys) => {
                let end = self.out.len() - CRLF.len();
                keys.push(end - key.len()..end);
            }
            Keys::Shown(view) => view(key),
        }
    }

    /// Appends an integer in decimal digits.
    pub fn integer(&mut self, integer: i64) {
        self.word(itoa::Buffer::new().format(integer).as_bytes());
    }

    /// Appends an integer in decimal digits.
    pub fn unsigned(&mut self, integer: u64) {
        self.word(itoa::Buffer::new().format(integer).as_bytes());
    }

    /// Appends the shortest text that a server reads back as the same number.
    ///
    /// Whole numbers are written in digits as far as they are exact, since a server that stores
    /// the text can then still increment it; others with an exponent where that is shorter. What
    /// is no number is written `inf`, `-inf` and `nan`.
    pub fn double(&mut self, double: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole numbers below 2^53 are exact"
        )]
        if double.trunc() == double && double.abs() < EXACT_INTEGERS {
            if double == 0.0 && double.is_sign_negative() {
                return self.word(b"-0");
            }
            return self.integer(double as i64);
        }
        if !double.is_finite() {
            return self.word(match double {
                f64::INFINITY => b"inf",
                f64::NEG_INFINITY => b"-inf",
                _ => b"nan",
            });
        }
        let mut text = ShortText::default();
        // Writing to a `ShortText` cannot fail: `{:e}` takes at most 24 bytes, and the plain form
        // is asked for only where it is no longer than that.
        let _ = write!(text, "{double:e}");
        if plain_length(text.as_bytes()).is_some_and(|length| length <= text.length) {
            text.length = 0;
            let _ = write!(text, "{double}");
        }
        self.word(text.as_bytes());
    }

    /// Appends how many words `write` spells, and these words.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use respec::resp::Writer;
    ///
    /// let mut out = BytesMut::new();
    /// Writer::command(&mut out, |command| {
    ///     command.word(b"RETURN");
    ///     command.counted(|command| {
    ///         command.word(b"title");
    ///         command.word(b"AS");
    ///         command.word(b"t");
    ///     });
    /// })?;
    /// assert!(out.starts_with(b"*5\r\n$6\r\nRETURN\r\n$1\r\n3\r\n$5\r\ntitle\r\n"));
    /// # Ok::<(), respec::Error>(())
    /// ```
    pub fn counted(&mut self, write: impl Fn(&mut Writer<'_>)) {
        let mut nothing = BytesMut::new();
        let mut view = |_: &[u8]| {};
        let mut counter = Writer::unwritten(&mut nothing, Keys::Shown(&mut view));
        write(&mut counter);
        let words = counter.words;
        self.unsigned(words as u64);
        write(self);
    }

    /// Says that the part of this name ends here, or would if it had been given: words that stand
    /// behind it follow.
    #[inline]
    pub fn part(&mut self, name: &str) {
        if !self.added.is_empty() {
            self.write_added(name);
        }
    }

    /// Has a word written where the part of this name ends.
    pub(crate) fn add_behind(&mut self, part: &'static str, word: Bytes) {
        self.added.push((part, word));
    }

    /// The name of a part that has not come, although words stand behind it.
    pub(crate) fn lacks_part(&self) -> Option<&'static str> {
        self.added.first().map(|(part, _)| *part)
    }

    #[cold]
    fn write_added(&mut self, name: &str) {
        let (here, later) = mem::take(&mut self.added)
            .into_iter()
            .partition(|(part, _)| *part == name);
        self.added = later;
        for (_, word) in here {
            self.word(&word);
        }
    }

    /// Records that this command cannot be sent; only the first error is kept.
    pub fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// The number of words so far.
    #[must_use]
    pub fn words(&self) -> usize {
        self.words
    }

    fn start(out: &'b mut BytesMut, keys: Keys<'b>, inserts: Option<&'b mut Inserts>) -> Self {
        let start = out.len();
        let first_key = match &keys {
            Keys::Located(keys) => keys.len(),
            Keys::Written | Keys::Shown(_) | Keys::Words(_) => 0,
        };
        let first_insert = inserts.as_ref().map_or(0, |inserts| inserts.count());
        out.extend_from_slice(SHORT_HEADER);
        Self {
            out,
            keys,
            inserts,
            start,
            first_key,
            first_insert,
            words: 0,
            added: Vec::new(),
            error: None,
            complete: false,
        }
    }

    /// One that counts words and writes none.
    fn unwritten(nothing: &'b mut BytesMut, keys: Keys<'b>) -> Self {
        Self {
            out: nothing,
            keys,
            inserts: None,
            start: 0,
            first_key: 0,
            first_insert: 0,
            words: 0,
            added: Vec::new(),
            error: None,
            // There is nothing to fill in and nothing to take back.
            complete: true,
        }
    }

    fn run(mut self, write: impl FnOnce(&mut Writer<'_>)) -> Result<()> {
        write(&mut self);
        self.check()?;
        self.finish();
        Ok(())
    }

    #[cold]
    fn take_back(&mut self) {
        self.out.truncate(self.start);
        if let Keys::Located(keys) = &mut self.keys {
            keys.truncate(self.first_key);
        }
        if let Some(inserts) = &mut self.inserts {
            inserts.truncate(self.first_insert);
        }
    }

    /// Whether words are written, and not only counted.
    fn writes(&self) -> bool {
        !matches!(self.keys, Keys::Shown(_) | Keys::Words(_))
    }

    /// The error of a command that is complete.
    fn check(&mut self) -> Result<()> {
        if self.words == 0 {
            // A server answers nothing to `*0`, so that every later reply would go astray.
            self.fail(Error::argument(
                "expected a command of at least one word, found none",
            ));
        }
        self.error.take().map_or(Ok(()), Err)
    }

    /// Fills in the number of words, moving the body when that takes more than one digit.
    #[expect(
        clippy::indexing_slicing,
        reason = "the header that `start` wrote is there, made wider by `shift`"
    )]
    fn finish(&mut self) {
        self.complete = true;
        if let Ok(words @ 0..10) = u8::try_from(self.words) {
            self.out[self.start + 1] = b'0' + words;
            return;
        }
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(self.words).as_bytes();
        let shift = digits.len() - 1;
        if shift > 0 {
            let body = self.start + SHORT_HEADER.len();
            let end = self.out.len();
            self.out.resize(end + shift, 0);
            self.out.copy_within(body..end, body + shift);
            if let Keys::Located(keys) = &mut self.keys {
                for key in keys.iter_mut().skip(self.first_key) {
                    *key = key.start + shift..key.end + shift;
                }
            }
            if let Some(inserts) = &mut self.inserts {
                inserts.shift(self.first_insert, shift);
            }
        }
        let header = &mut self.out[self.start + 1..][..digits.len() + CRLF.len()];
        header[..digits.len()].copy_from_slice(digits);
        header[digits.len()..].copy_from_slice(CRLF);
    }

    /// Appends the line in front of a word.
    #[inline]
    fn header(&mut self, length: usize) {
        match u8::try_from(length) {
            Ok(length @ 0..10) => self
                .out
                .extend_from_slice(&[b'$', b'0' + length, b'\r', b'\n']),
            Ok(length @ 10..100) => {
                let (tens, ones) = (b'0' + length / 10, b'0' + length % 10);
                self.out
                    .extend_from_slice(&[b'$', tens, ones, b'\r', b'\n']);
            }
            _ => {
                let mut digits = itoa::Buffer::new();
                self.out.extend_from_slice(b"$");
                self.out.extend_from_slice(digits.format(length).as_bytes());
                self.out.extend_from_slice(CRLF);
            }
        }
    }
}

impl fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Written => "written",
            Self::Located(_) => "located",
            Self::Shown(_) | Self::Words(_) => "shown",
        })
    }
}

impl Drop for Writer<'_> {
    /// Takes back what was written of a command that failed or panicked half-way.
    #[inline]
    fn drop(&mut self) {
        if !self.complete {
            self.take_back();
        }
    }
}

/// The length that a number written as `{:e}` has without exponent, unless there is no exponent.
fn plain_length(scientific: &[u8]) -> Option<usize> {
    let e = scientific.iter().position(|&byte| byte == b'e')?;
    let (mantissa, exponent) = scientific.split_at(e);
    let exponent: i32 = str::from_utf8(exponent.get(1..)?).ok()?.parse().ok()?;
    let sign = usize::from(mantissa.first() == Some(&b'-'));
    let digits = mantissa.iter().filter(|byte| byte.is_ascii_digit()).count();
    let magnitude = usize::try_from(exponent.unsigned_abs()).ok()?;
    Some(
        sign + if exponent < 0 {
            1 + magnitude + digits
        } else {
            digits.max(magnitude + 1) + 1
        },
    )
}

/// Room for the text of one number.
#[derive(Default)]
struct ShortText {
    bytes: [u8; 32],
    length: usize,
}

impl ShortText {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl std::fmt::Write for ShortText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.bytes.get_mut(self.length..self.length + text.len());
        room.ok_or(std::fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

const CRLF: &[u8] = b"\r\n";

/// What a command of fewer than ten words begins with, apart from the digit.
const SHORT_HEADER: &[u8] = b"*0\r\n";

/// The most that a bulk string takes beside its payload.
const MAX_WORD_OVERHEAD: usize = 1 + 20 + 2 + 2;

/// 2^53: below it every whole number has an exact double.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;
