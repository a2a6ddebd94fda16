//! What a server runs, as `MONITOR` tells it.

use bytes::Bytes;

use super::{Decode, DecodeError, FromText};
use crate::resp::Reply;

/// A command that a server runs, a line of `MONITOR`.
///
/// ```
/// use respec::reply::{FromText, MonitorLine};
///
/// let line = MonitorLine::from_text(br#"1339518083.107412 [0 127.0.0.1:60866] "get" "a\"b\x00""#)?;
/// assert_eq!((line.microseconds, line.database), (1_339_518_083_107_412, 0));
/// assert_eq!(line.client, "127.0.0.1:60866");
/// assert_eq!(line.words, ["get".as_bytes(), b"a\"b\0"]);
/// # Ok::<(), respec::reply::DecodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MonitorLine {
    /// When it was run, Unix time in microseconds.
    pub microseconds: u64,
    /// Database.
    pub database: u64,
    /// Address of the client, `unix:` and a path, or `lua` for a script.
    pub client: String,
    /// Name and arguments.
    pub words: Vec<Bytes>,
}

impl FromText for MonitorLine {
    fn from_text(line: &[u8]) -> Result<Self, DecodeError> {
        let wrong = || DecodeError::new("a line of MONITOR", "another text");
        let quote = line
            .iter()
            .position(|byte| *byte == b'"')
            .ok_or_else(wrong)?;
        let (head, words) = line.split_at(quote);
        let head = std::str::from_utf8(head).map_err(|_| wrong())?;
        let (time, client) = head.split_once(" [").ok_or_else(wrong)?;
        let (database, client) = client
            .strip_suffix("] ")
            .and_then(|client| client.split_once(' '))
            .ok_or_else(wrong)?;
        let (seconds, fraction) = time.split_once('.').ok_or_else(wrong)?;
        let seconds = u64::from_text(seconds.as_bytes())?.checked_mul(1_000_000);
        let fraction = Some(fraction).filter(|fraction| fraction.len() == 6);
        let fraction = u64::from_text(fraction.ok_or_else(wrong)?.as_bytes())?;
        let seconds = seconds.and_then(|seconds| seconds.checked_add(fraction));
        Ok(Self {
            microseconds: seconds.ok_or_else(wrong)?,
            database: u64::from_text(database.as_bytes())?,
            client: client.to_owned(),
            words: quoted(words).ok_or_else(wrong)?,
        })
    }
}

/// Words in quotes, with spaces between them.
fn quoted(text: &[u8]) -> Option<Vec<Bytes>> {
    let mut words = Vec::new();
    let mut bytes = text.iter().copied().peekable();
    while bytes.next()? == b'"' {
        let mut word = Vec::new();
        loop {
            match bytes.next()? {
                b'"' => break,
                b'\\' => word.push(match bytes.next()? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'a' => 0x07,
                    b'b' => 0x08,
                    b'x' => {
                        let digit = |byte: u8| char::from(byte).to_digit(16);
                        let value = digit(bytes.next()?)? * 16 + digit(bytes.next()?)?;
                        u8::try_from(value).ok()?
                    }
                    byte @ (b'"' | b'\\') => byte,
                    _ => return None,
                }),
                byte => word.push(byte),
            }
        }
        words.push(Bytes::from(word));
        match bytes.next() {
            None => return Some(words),
            Some(b' ') => {}
            Some(_) => return None,
        }
    }
    None
}

impl Decode for MonitorLine {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        super::read_text(reply)
    }
}
