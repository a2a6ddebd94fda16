//! Whether all that is in a frame is in the value that it was decoded into.
//!
//! What a decoder drops leaves no trace in its value, so both are counted: the leaves of the frame,
//! and the words of the value as `Debug` shows it. Names of fields are no values on either side.

use std::{collections::BTreeMap, sync::OnceLock};

use bytes::Bytes;
use respec::resp::{Kind, Reply};

/// What is in the frame that answers a command and not in the value.
pub(crate) fn lost(command: &str, reply: Reply<'_>, debug: &str) -> Option<String> {
    let Told {
        texts: told,
        joined,
    } = Told::of(command);
    let mut leaves = Vec::new();
    collect(reply, &mut leaves);
    let Words { names, texts, rest } = words(debug);
    let mut counts: BTreeMap<&Bytes, usize> = BTreeMap::new();
    let mut values = 0;
    for leaf in &leaves {
        match leaf {
            // A report of no line is a list of none.
            Leaf::Text(text) if text.is_empty() => {}
            Leaf::Text(text) if is_field(text, &names) => {}
            Leaf::Text(text) if told.iter().any(|told| told.as_bytes() == text) => {}
            Leaf::Text(text) => {
                values += 1;
                *counts.entry(text).or_default() += 1;
            }
            Leaf::Other => values += 1,
        }
    }
    // A text that is a number, an enum or a flag in the value is not shown as it came.
    let fewer = counts.iter().find_map(|(text, count)| {
        let is_number = std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok());
        if is_number {
            return None;
        }
        let shown = texts.iter().filter(|shown| *shown == *text).count();
        (shown > 0 && shown < *count).then(|| {
            format!(
                "{shown} of {count} times {:?}",
                String::from_utf8_lossy(text)
            )
        })
    });
    let shown = texts.len() + rest;
    let values = values - joined.min(&values);
    // `()` is a value of no words.
    let ok = debug == "()" && values == 1;
    fewer.or_else(|| (shown < values && !ok).then(|| format!("{shown} of {values} values")))
}

/// Whether a text is the name of a field that the value shows, as such or as the spec renames it.
fn is_field(text: &Bytes, names: &[String]) -> bool {
    static RENAMED: OnceLock<BTreeMap<String, Vec<String>>> = OnceLock::new();
    let renamed = RENAMED.get_or_init(|| {
        let mut renamed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let fields = structs().values();
        for field in fields.filter_map(|one| one["fields"].as_array()).flatten() {
            if let (Some(wire), Some(rust)) = (field["name"].as_str(), field["rust"].as_str()) {
                let names = renamed.entry(name(wire.as_bytes())).or_default();
                names.push(name(rust.as_bytes()));
            }
        }
        renamed
    });
    let wire = name(text);
    let others = renamed.get(&wire).into_iter().flatten();
    others.chain([&wire]).any(|one| names.contains(one))
}

/// What the structs of a reply do not show, as the spec says.
#[derive(Default)]
struct Told {
    /// Texts that the form of the value tells.
    texts: Vec<String>,
    /// So many values become part of others.
    joined: usize,
}

impl Told {
    fn of(command: &str) -> &'static Self {
        static ALL: OnceLock<BTreeMap<String, Told>> = OnceLock::new();
        static NOTHING: Told = Told {
            texts: Vec::new(),
            joined: 0,
        };
        let all = ALL.get_or_init(|| {
            let replies = include_str!("../../../commands-spec/replies.tsv");
            let replies = replies.lines().filter_map(|line| line.split_once('\t'));
            replies
                .map(|(command, reply)| (command.to_owned(), Self::in_types(reply)))
                .collect()
        });
        all.get(command).unwrap_or(&NOTHING)
    }

    fn in_types(types: &str) -> Self {
        let mut told = Self::default();
        let names = types
            .split('@')
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next());
        for item in names.filter_map(|name| structs().get(name)) {
            let texts = item["tells"].as_array().into_iter().flatten();
            told.texts
                .extend(texts.filter_map(|text| text.as_str().map(str::to_owned)));
            told.joined += usize::from(item["joins"] == true);
        }
        told
    }
}

fn structs() -> &'static serde_json::Map<String, serde_json::Value> {
    static STRUCTS: OnceLock<serde_json::Map<String, serde_json::Value>> = OnceLock::new();
    STRUCTS.get_or_init(|| {
        let structs = include_str!("../../../commands-spec/structs.json");
        serde_json::from_str(structs).expect("JSON")
    })
}

enum Leaf {
    Text(Bytes),
    Other,
}

fn collect(reply: Reply<'_>, to: &mut Vec<Leaf>) {
    if let Some(elements) = reply.elements() {
        elements.for_each(|element| collect(element, to));
    } else {
        to.push(match (reply.kind(), reply.bytes()) {
            (Kind::BigNumber | Kind::Double, _) | (_, None) => Leaf::Other,
            (_, Some(text)) => Leaf::Text(Bytes::copy_from_slice(text)),
        });
    }
}

/// The name of a struct's field for what is called so on the wire.
fn name(text: &[u8]) -> String {
    let mut name = String::new();
    for c in String::from_utf8_lossy(text).chars() {
        if c.is_ascii_uppercase() {
            name.push(c.to_ascii_lowercase());
        } else if c.is_ascii_alphanumeric() {
            name.push(c);
        }
    }
    name
}

/// What `Debug` shows of a value.
#[derive(Default)]
struct Words {
    /// Names of fields, without anything between their parts.
    names: Vec<String>,
    /// Quoted texts, as the bytes that they stand for.
    texts: Vec<Bytes>,
    /// How many other words: numbers, truths, nothings, alternatives.
    rest: usize,
}

fn words(debug: &str) -> Words {
    let mut words = Words::default();
    let mut rest = debug;
    while let Some(c) = rest.chars().next() {
        if c == '"' || rest.starts_with("b\"") {
            let start = rest.find('"').unwrap_or_default() + 1;
            let (text, length) = unquoted(&rest[start..]);
            words.texts.push(text.into());
            rest = &rest[start + length..];
        } else if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '#') {
            let is_word =
                |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '#' | '+');
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            rest = behind;
            if behind.starts_with(": ") {
                words
                    .names
                    .push(name(word.trim_start_matches("r#").as_bytes()));
            } else if !behind.starts_with('(') && !behind.starts_with(" {") {
                words.rest += 1;
            }
        } else {
            rest = &rest[c.len_utf8()..];
        }
    }
    words
}

/// The bytes of a quoted text, and how long it is with the quotation mark behind it.
fn unquoted(text: &str) -> (Vec<u8>, usize) {
    let mut bytes = Vec::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (bytes, at + 1),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => bytes.push(b'\n'),
                Some('r') => bytes.push(b'\r'),
                Some('t') => bytes.push(b'\t'),
                Some('0') => bytes.push(0),
                Some('x') => {
                    let digits: String = chars.by_ref().take(2).map(|(_, c)| c).collect();
                    bytes.extend(u8::from_str_radix(&digits, 16).ok());
                }
                Some('u') => {
                    let digits: String = chars
                        .by_ref()
                        .map(|(_, c)| c)
                        .skip(1)
                        .take_while(|c| *c != '}')
                        .collect();
                    let c = u32::from_str_radix(&digits, 16)
                        .ok()
                        .and_then(char::from_u32);
                    bytes.extend(c.into_iter().collect::<String>().bytes());
                }
                Some(other) => bytes.extend(other.to_string().bytes()),
                None => {}
            },
            _ => bytes.extend(c.to_string().bytes()),
        }
    }
    (bytes, text.len())
}

#[cfg(test)]
mod tests {
    use respec::resp::Frame;

    use super::lost;

    fn found(form: &'static str, debug: &str) -> Option<String> {
        let frame = Frame::parse(form.into()).unwrap();
        lost("ANY", frame.reply(), debug)
    }

    #[test]
    fn what_is_all_there_is_not_found() {
        for (form, debug) in [
            ("+OK\r\n", "()"),
            ("_\r\n", "None"),
            ("*0\r\n", "[]"),
            ("$3\r\na\"\n\r\n", r#"Some(b"a\"\n")"#),
            ("*2\r\n:1\r\n$1\r\na\r\n", r#"(1, b"a")"#),
            ("%1\r\n+max-id\r\n:1\r\n", "Info { max_id: 1, rest: [] }"),
            (
                "*2\r\n$4\r\ntype\r\n$1\r\na\r\n",
                r#"Info { r#type: "a", other: None }"#,
            ),
            ("*2\r\n:-2\r\n$3\r\n1.5\r\n", "(Missing, 1.5)"),
        ] {
            assert_eq!(found(form, debug), None, "{debug}");
        }
    }

    #[test]
    fn what_is_lost_is_found() {
        for (form, debug) in [
            ("*2\r\n$1\r\na\r\n$1\r\na\r\n", r#"{b"a"}"#),
            ("*3\r\n:1\r\n$1\r\na\r\n:2\r\n", r#"(1, b"a")"#),
            (
                "*4\r\n$1\r\ni\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n:5\r\n:1\r\n",
                r#"StreamEntry { id: b"i", fields: [(b"f", b"v")] }"#,
            ),
        ] {
            assert!(found(form, debug).is_some(), "{debug}");
        }
    }
}
