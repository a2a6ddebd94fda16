//! Where frames begin and end in a stream of RESP, whatever pieces it comes in.

/// Follows one direction of a connection, RESP2 or RESP3, without keeping what it has seen.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// Whether a frame has begun that has not ended.
    inside: bool,
    /// What is next to be told without reading on.
    next: Option<Mark>,
    /// The beginning of the line that is being read.
    line: Vec<u8>,
    /// The byte before the one that is next.
    last: u8,
    /// Bytes of a string, and of its end, that are still to come.
    text_left: u64,
    /// The aggregates around what is next, the outermost first.
    open: Vec<Aggregate>,
    /// Elements of the outermost aggregate that have ended.
    elements: u64,
}

/// A place in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// In front of a frame that begins with this byte.
    Start(u8),
    /// Behind the header of the outermost aggregate, or behind an element of it: how many have ended.
    Element(u64),
    /// Behind a frame.
    End,
}

/// These bytes are not RESP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

#[derive(Debug)]
struct Aggregate {
    left: u64,
    role: Role,
}

/// What an aggregate is to the one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Element,
    /// Attributes, which stand in front of an element.
    Attributes,
    /// A push, which stands between elements.
    Push,
}

impl Scanner {
    /// Reads up to the next mark: how many bytes lie before it, all of them where there is none.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<(usize, Option<Mark>), Malformed> {
        if let Some(mark) = self.next.take() {
            return Ok((0, Some(mark)));
        }
        let Some(first) = bytes.first() else {
            return Ok((0, None));
        };
        if !self.inside {
            self.inside = true;
            self.elements = 0;
            return Ok((0, Some(Mark::Start(*first))));
        }
        let mut read = 0;
        while let Some(rest) = bytes.get(read..).filter(|rest| !rest.is_empty()) {
            let mark = if self.text_left > 0 {
                let length = rest
                    .len()
                    .min(usize::try_from(self.text_left).unwrap_or(usize::MAX));
                read += length;
                self.text_left -= length as u64;
                (self.text_left == 0).then(|| self.complete()).flatten()
            } else {
                let byte = rest[0];
                read += 1;
                let ends = byte == b'\n' && self.last == b'\r';
                self.last = byte;
                if ends {
                    self.last = 0;
                    self.header()?
                } else {
                    if self.line.len() < LONGEST_HEADER {
                        self.line.push(byte);
                    }
                    None
                }
            };
            if mark.is_some() {
                return Ok((read, mark));
            }
        }
        Ok((read, None))
    }

    /// A line has ended.
    fn header(&mut self) -> Result<Option<Mark>, Malformed> {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let (kind, digits) = line.split_first().ok_or(Malformed)?;
        match kind {
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => Ok(self.complete()),
            b'$' | b'=' | b'!' => match length(digits)? {
                Some(length) => {
                    self.text_left = length.checked_add(2).ok_or(Malformed)?;
                    Ok(None)
                }
                None => Ok(self.complete()),
            },
            b'*' | b'~' => self.aggregate(length(digits)?, 1, Role::Element),
            b'%' => self.aggregate(length(digits)?, 2, Role::Element),
            b'|' => self.aggregate(length(digits)?, 2, Role::Attributes),
            b'>' if self.open.is_empty() => self.aggregate(length(digits)?, 1, Role::Element),
            b'>' => self.aggregate(length(digits)?, 1, Role::Push),
            // A request in one line of text, as some clients send their first.
            b'A'..=b'Z' | b'a'..=b'z' if self.open.is_empty() => Ok(self.complete()),
            _ => Err(Malformed),
        }
    }

    fn aggregate(
        &mut self,
        count: Option<u64>,
        each: u64,
        role: Role,
    ) -> Result<Option<Mark>, Malformed> {
        let left = count.unwrap_or(0).checked_mul(each).ok_or(Malformed)?;
        if left == 0 {
            return Ok(match role {
                Role::Element => self.complete(),
                Role::Attributes | Role::Push => None,
            });
        }
        let outermost = self.open.is_empty() && role == Role::Element;
        self.open.push(Aggregate { left, role });
        Ok(outermost.then_some(Mark::Element(0)))
    }

    /// A value has ended, and with it perhaps aggregates around it.
    fn complete(&mut self) -> Option<Mark> {
        loop {
            let Some(around) = self.open.last_mut() else {
                self.inside = false;
                return Some(Mark::End);
            };
            around.left -= 1;
            let (left, role) = (around.left, around.role);
            let outermost = self.open.len() == 1 && role == Role::Element;
            if outermost {
                self.elements += 1;
            }
            if left > 0 {
                return outermost.then_some(Mark::Element(self.elements));
            }
            self.open.pop();
            if role != Role::Element {
                return None;
            }
            if outermost {
                self.inside = false;
                self.next = Some(Mark::End);
                return Some(Mark::Element(self.elements));
            }
        }
    }
}

/// A length, or `None` where -1 stands for null.
fn length(digits: &[u8]) -> Result<Option<u64>, Malformed> {
    if digits == b"-1" {
        return Ok(None);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| Malformed)?;
    digits.parse().map(Some).map_err(|_| Malformed)
}

/// Longer than any length; of longer lines only the kind matters.
const LONGEST_HEADER: usize = 32;

#[cfg(test)]
mod tests {
    use super::{Malformed, Mark, Scanner};

    /// All marks with the number of bytes before them, read in pieces of a size.
    fn marks(bytes: &[u8], piece: usize) -> Result<Vec<(usize, Mark)>, Malformed> {
        let mut scanner = Scanner::default();
        let mut marks = Vec::new();
        let mut at = 0;
        for mut piece in bytes.chunks(piece) {
            loop {
                let (read, mark) = scanner.advance(piece)?;
                at += read;
                piece = &piece[read..];
                match mark {
                    Some(mark) => marks.push((at, mark)),
                    None if piece.is_empty() => break,
                    None => {}
                }
            }
        }
        Ok(marks)
    }

    #[test]
    fn marks_are_the_same_in_pieces_of_any_size() {
        use Mark::{Element, End, Start};
        for (bytes, expected) in [
            (&b"+OK\r\n"[..], vec![(0, Start(b'+')), (5, End)]),
            (
                b"$-1\r\n_\r\n",
                vec![(0, Start(b'$')), (5, End), (5, Start(b'_')), (8, End)],
            ),
            (b"$4\r\n\r\n\r\n\r\n", vec![(0, Start(b'$')), (10, End)]),
            (b"HELLO 3\r\n", vec![(0, Start(b'H')), (9, End)]),
            (
                b"*0\r\n:1\r\n",
                vec![(0, Start(b'*')), (4, End), (4, Start(b':')), (8, End)],
            ),
            (
                b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
                vec![
                    (0, Start(b'*')),
                    (4, Element(0)),
                    (11, Element(1)),
                    (19, Element(2)),
                    (19, End),
                ],
            ),
            (
                b"%1\r\n+k\r\n~2\r\n#t\r\n,1.5\r\n",
                vec![
                    (0, Start(b'%')),
                    (4, Element(0)),
                    (8, Element(1)),
                    (22, Element(2)),
                    (22, End),
                ],
            ),
            // Attributes belong to what they stand in front of, here the whole reply.
            (
                b"|1\r\n+a\r\n:1\r\n:7\r\n",
                vec![(0, Start(b'|')), (16, End)],
            ),
            // A push inside an array is not one of its elements.
            (
                b"*2\r\n>1\r\n+p\r\n:1\r\n:2\r\n",
                vec![
                    (0, Start(b'*')),
                    (4, Element(0)),
                    (16, Element(1)),
                    (20, Element(2)),
                    (20, End),
                ],
            ),
            (
                b">2\r\n+a\r\n+b\r\n",
                vec![
                    (0, Start(b'>')),
                    (4, Element(0)),
                    (8, Element(1)),
                    (12, Element(2)),
                    (12, End),
                ],
            ),
        ] {
            for piece in 1..=bytes.len() {
                let text = bytes.escape_ascii();
                assert_eq!(marks(bytes, piece).unwrap(), expected, "{text} by {piece}");
            }
        }
    }

    #[test]
    fn long_lines_are_skipped() {
        let line = [b"+".as_slice(), &[b'x'; 100], b"\r\n"].concat();
        let expected = [(0, Mark::Start(b'+')), (103, Mark::End)];
        assert_eq!(marks(&line, 7).unwrap(), expected);
    }

    #[test]
    fn what_is_not_resp_is_an_error() {
        for bytes in [
            &b"\r\n"[..],
            b"?1\r\n",
            b"*1\r\nPING\r\n",
            b"$x\r\n",
            b"*-2\r\n",
            b"$18446744073709551615\r\n",
            b"%18446744073709551615\r\n",
        ] {
            assert_eq!(marks(bytes, 3), Err(Malformed), "{}", bytes.escape_ascii());
        }
    }
}
