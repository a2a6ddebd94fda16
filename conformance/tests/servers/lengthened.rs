//! Frames as a newer server might send them: with one more element behind the last one of an array.
//!
//! A decoder may refuse such an array, or show what is added. What it must not do is drop it.

use bytes::Bytes;
use respec::resp::Frame;

/// Whether the decoder of a reply drops what stands behind the last element that it knows of an
/// array: the frame with which it does.
pub(crate) fn dropped<E>(
    frame: &Frame,
    read: impl Fn(&Frame) -> Result<String, E>,
) -> Option<String> {
    let mut at = 0;
    let node = Node::parse(frame.as_bytes(), &mut at)?;
    let arrays = node.arrays().min(MOST);
    (0..arrays).find_map(|chosen| {
        let mut bytes = Vec::new();
        node.write(&mut bytes, &mut chosen.checked_add(1));
        let frame = Frame::parse(Bytes::from(bytes)).ok()?;
        let text = read(&frame).ok()?;
        (!text.contains(ADDED)).then(|| {
            let shown = String::from_utf8_lossy(frame.as_bytes()).into_owned();
            format!("{text} of {}", shown.escape_debug())
        })
    })
}

/// A part of a frame.
enum Node<'f> {
    /// As it is.
    Leaf(&'f [u8]),
    /// Elements behind the first line, of which there are so many for each that the line counts.
    Aggregate {
        mark: u8,
        per_item: usize,
        elements: Vec<Node<'f>>,
    },
}

impl<'f> Node<'f> {
    fn parse(bytes: &'f [u8], at: &mut usize) -> Option<Self> {
        let begin = *at;
        let line = bytes.get(begin..)?;
        let end = line.windows(2).position(|two| two == b"\r\n")? + 2;
        *at = begin + end;
        let mark = *line.first()?;
        let number = || {
            std::str::from_utf8(line.get(1..end - 2)?)
                .ok()?
                .parse()
                .ok()
        };
        let per_item = match mark {
            b'$' | b'=' | b'!' => {
                let length: i64 = number()?;
                *at += usize::try_from(length + 2)
                    .ok()
                    .filter(|_| length >= 0)
                    .unwrap_or(0);
                return bytes.get(begin..*at).map(Self::Leaf);
            }
            b'*' | b'~' | b'>' => 1,
            b'%' => 2,
            _ => return bytes.get(begin..*at).map(Self::Leaf),
        };
        let Ok(count) = usize::try_from(number()?) else {
            return bytes.get(begin..*at).map(Self::Leaf);
        };
        let elements = (0..count * per_item).map(|_| Self::parse(bytes, at));
        Some(Self::Aggregate {
            mark,
            per_item,
            elements: elements.collect::<Option<_>>()?,
        })
    }

    /// How many arrays are in it, with itself.
    fn arrays(&self) -> usize {
        match self {
            Self::Leaf(_) => 0,
            Self::Aggregate { mark, elements, .. } => {
                usize::from(*mark == b'*') + elements.iter().map(Self::arrays).sum::<usize>()
            }
        }
    }

    /// Writes it, with one more element in the array to which `left` counts down.
    fn write(&self, to: &mut Vec<u8>, left: &mut Option<usize>) {
        match self {
            Self::Leaf(bytes) => to.extend_from_slice(bytes),
            Self::Aggregate {
                mark,
                per_item,
                elements,
            } => {
                if *mark == b'*' {
                    *left = left.and_then(|left| left.checked_sub(1));
                }
                let chosen = *mark == b'*' && *left == Some(0);
                if chosen {
                    *left = None;
                }
                let count = elements.len() / per_item + usize::from(chosen);
                to.push(*mark);
                to.extend_from_slice(format!("{count}\r\n").as_bytes());
                elements.iter().for_each(|element| element.write(to, left));
                if chosen {
                    to.extend_from_slice(format!(":{ADDED}\r\n").as_bytes());
                }
            }
        }
    }
}

/// A number that no server answers.
const ADDED: &str = "987654321";

/// So many arrays of a frame will do.
const MOST: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a frame as a list of lists, of which only the first two elements are looked at.
    fn careless(frame: &Frame) -> Result<String, ()> {
        let first = frame.reply().elements().ok_or(())?.next().ok_or(())?;
        let elements: Vec<_> = first.elements().ok_or(())?.take(2).collect();
        Ok(format!("{elements:?}"))
    }

    #[test]
    fn what_is_dropped_is_found() {
        let frame = Frame::parse("*1\r\n*2\r\n:1\r\n$1\r\na\r\n".into()).unwrap();
        assert!(dropped(&frame, careless).is_some());
    }

    #[test]
    fn what_is_shown_or_refused_is_not() {
        let frame = Frame::parse("*1\r\n*2\r\n:1\r\n%1\r\n+a\r\n*0\r\n".into()).unwrap();
        assert_eq!(
            dropped(&frame, |frame| Ok::<_, ()>(format!(
                "{frame:?}{}",
                String::from_utf8_lossy(frame.as_bytes())
            ))),
            None
        );
        assert_eq!(dropped(&frame, |_| Err(())), None);
        let mut at = 0;
        let node = Node::parse(frame.as_bytes(), &mut at).unwrap();
        assert_eq!((node.arrays(), at), (3, frame.as_bytes().len()));
        let mut bytes = Vec::new();
        node.write(&mut bytes, &mut Some(3));
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "*1\r\n*2\r\n:1\r\n%1\r\n+a\r\n*1\r\n:987654321\r\n"
        );
    }
}
