//! Just enough RESP2 to prepare a server for a test without the client under test.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A plain connection to a server, which does one command after the other and nothing by itself.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// A reply, for preparing and inspecting servers; the bytes of one are [`Connection::command`]'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A simple string or a bulk string.
    Text(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// An array.
    Array(Vec<Self>),
    /// A null of either kind.
    Null,
    /// An error, without the dash.
    Error(String),
}

impl Connection {
    /// Connects; `patience` also bounds every later wait.
    pub fn open(addr: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends one command and returns the bytes of its reply (RESP2).
    pub fn command(&mut self, parts: &[&[u8]]) -> io::Result<Vec<u8>> {
        self.stream.get_mut().write_all(&request(parts))?;
        read_reply(&mut self.stream)
    }

    /// Sends one command and returns its reply.
    pub fn ask(&mut self, parts: &[&[u8]]) -> io::Result<Reply> {
        Reply::parse(&self.command(parts)?)
    }
}

impl Reply {
    /// Reads the bytes of one whole reply.
    pub fn parse(mut bytes: &[u8]) -> io::Result<Self> {
        let reply = Self::parse_frame(&mut bytes, DEEPEST)?;
        if bytes.is_empty() {
            Ok(reply)
        } else {
            Err(malformed())
        }
    }

    /// The text of a simple or bulk string, with what is not UTF-8 replaced.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }

    /// Whether it is this text, or has it somewhere inside.
    pub(crate) fn contains(&self, text: &[u8]) -> bool {
        match self {
            Self::Text(other) => other == text,
            Self::Array(elements) => elements.iter().any(|element| element.contains(text)),
            _ => false,
        }
    }

    fn parse_frame(bytes: &mut &[u8], depth_left: usize) -> io::Result<Self> {
        let line = parse_line(bytes)?;
        match line.split_first() {
            Some((b'+', text)) => Ok(Self::Text(text.to_vec())),
            Some((b'-', text)) => Ok(Self::Error(String::from_utf8_lossy(text).into_owned())),
            Some((b':', digits)) => {
                let digits = std::str::from_utf8(digits).map_err(|_| malformed())?;
                digits.parse().map(Self::Integer).map_err(|_| malformed())
            }
            Some((b'$', digits)) => match length(digits)? {
                Some(length) => {
                    let length = usize::try_from(length).map_err(|_| malformed())?;
                    let (text, rest) = bytes.split_at_checked(length).ok_or_else(malformed)?;
                    *bytes = rest.strip_prefix(b"\r\n").ok_or_else(malformed)?;
                    Ok(Self::Text(text.to_vec()))
                }
                None => Ok(Self::Null),
            },
            Some((b'*', digits)) => match (length(digits)?, depth_left.checked_sub(1)) {
                (Some(length), Some(depth_left)) => (0..length)
                    .map(|_| Self::parse_frame(bytes, depth_left))
                    .collect::<io::Result<_>>()
                    .map(Self::Array),
                (Some(_), None) => Err(malformed()),
                (None, _) => Ok(Self::Null),
            },
            _ => Err(malformed()),
        }
    }
}

/// The bytes of a command.
pub(crate) fn request(parts: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        request.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        request.extend_from_slice(part);
        request.extend_from_slice(b"\r\n");
    }
    request
}

/// Takes a line without its end off the front.
fn parse_line<'b>(bytes: &mut &'b [u8]) -> io::Result<&'b [u8]> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, rest) = end
        .and_then(|end| bytes.split_at_checked(end + 1))
        .ok_or_else(malformed)?;
    *bytes = rest;
    line.strip_suffix(b"\r\n").ok_or_else(malformed)
}

/// Reads one whole reply, however nested, and returns it as it came.
fn read_reply(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut reply = Vec::new();
    let mut frames_left: u64 = 1;
    while frames_left > 0 {
        frames_left -= 1;
        let start = reply.len();
        stream.read_until(b'\n', &mut reply)?;
        let line = &reply[start..];
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        match line.split_first() {
            Some((b'+' | b'-' | b':', _)) => {}
            Some((b'$', digits)) => {
                if let Some(length) = length(digits)? {
                    let length = length.checked_add(2).ok_or_else(malformed)?;
                    let read = stream.by_ref().take(length).read_to_end(&mut reply)?;
                    if read as u64 != length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
            Some((b'*', digits)) => {
                let elements = length(digits)?.unwrap_or(0);
                frames_left = frames_left.checked_add(elements).ok_or_else(malformed)?;
            }
            _ => return Err(malformed()),
        }
    }
    Ok(reply)
}

/// A length, or `None` where -1 stands for null.
fn length(digits: &[u8]) -> io::Result<Option<u64>> {
    if digits == b"-1" {
        return Ok(None);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| malformed())?;
    digits.parse().map(Some).map_err(|_| malformed())
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the server's reply is not RESP2",
    )
}

/// Nothing that this crate asks for comes near it.
const DEEPEST: usize = 32;

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::{Reply, read_reply};

    #[test]
    fn one_reply_is_read_and_no_more() {
        for reply in [
            &b"+OK\r\n"[..],
            b"-ERR no\r\n",
            b":-3\r\n",
            b"$-1\r\n",
            b"$0\r\n\r\n",
            b"$6\r\na\r\nb\r\n\r\n",
            b"*-1\r\n",
            b"*0\r\n",
            b"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
        ] {
            let mut input = reply.to_vec();
            input.extend_from_slice(b"+NEXT\r\n");
            let mut input = &input[..];
            assert_eq!(read_reply(&mut input).unwrap(), reply);
            assert_eq!(input, b"+NEXT\r\n");
        }
    }

    #[test]
    fn truncated_and_malformed_replies_are_errors() {
        let reply = b"*2\r\n$3\r\nabc\r\n:1\r\n";
        for end in 0..reply.len() {
            let error = read_reply(&mut &reply[..end]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{end}");
        }
        for reply in [
            &b"\r\n"[..],
            b"?\r\n",
            b"$x\r\n",
            b"$-2\r\n",
            b"*\xff\r\n",
            b"$18446744073709551615\r\n",
            b"*2\r\n*18446744073709551615\r\n",
        ] {
            let error = read_reply(&mut &*reply).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{reply:?}");
        }
    }

    #[test]
    fn a_reply_is_parsed_whole_or_not_at_all() {
        let reply = b"*5\r\n*1\r\n:-3\r\n$4\r\na\r\nb\r\n$-1\r\n-ERR no\r\n+OK\r\n";
        let text = |text: &[u8]| Reply::Text(text.to_vec());
        let expected = Reply::Array(vec![
            Reply::Array(vec![Reply::Integer(-3)]),
            text(b"a\r\nb"),
            Reply::Null,
            Reply::Error("ERR no".to_owned()),
            text(b"OK"),
        ]);
        assert_eq!(Reply::parse(reply).unwrap(), expected);
        for end in 0..reply.len() {
            assert!(Reply::parse(&reply[..end]).is_err(), "{end}");
        }
        assert!(Reply::parse(b"+OK\r\n+OK\r\n").is_err());
        assert!(Reply::parse(&b"*1\r\n".repeat(100_000)).is_err());
    }
}
