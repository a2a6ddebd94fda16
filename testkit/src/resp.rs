//! Just enough RESP2 to prepare a server for a test without the client under test.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection to a server.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects; `patience` also bounds every later wait.
    pub(crate) fn open(addr: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends one command and returns the bytes of its reply.
    pub(crate) fn command(&mut self, parts: &[&[u8]]) -> io::Result<Vec<u8>> {
        let mut request = format!("*{}\r\n", parts.len()).into_bytes();
        for part in parts {
            request.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            request.extend_from_slice(part);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&request)?;
        read_reply(&mut self.stream)
    }
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

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::read_reply;

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
}
