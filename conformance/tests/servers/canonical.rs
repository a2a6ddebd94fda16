//! One text for values that are equal, whatever order their sets and maps have.

/// Sorts the parts of every `{…}` in the text that `Debug` writes of a value.
pub(crate) fn canonical(debug: &str) -> String {
    let mut rest = debug;
    parts(&mut rest, false).join(",")
}

/// The parts up to the end or to a closing bracket, which is left in place.
fn parts(rest: &mut &str, sorted: bool) -> Vec<String> {
    let mut all = Vec::new();
    let mut part = String::new();
    while let Some(c) = rest.chars().next() {
        match c {
            ']' | '}' | ')' => break,
            '[' | '{' | '(' => {
                *rest = &rest[1..];
                part.push(c);
                part.push_str(&parts(rest, c == '{').join(","));
                if let Some(close) = rest.chars().next() {
                    part.push(close);
                    *rest = &rest[close.len_utf8()..];
                }
            }
            ',' => {
                *rest = &rest[1..];
                all.push(std::mem::take(&mut part));
            }
            '"' => {
                let end = quoted(rest);
                part.push_str(&rest[..end]);
                *rest = &rest[end..];
            }
            _ => {
                if c != ' ' {
                    part.push(c);
                }
                *rest = &rest[c.len_utf8()..];
            }
        }
    }
    if !part.is_empty() {
        all.push(part);
    }
    if sorted {
        all.sort_unstable();
    }
    all
}

/// Where the quoted text ends with which a text begins.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn sets_and_maps_have_no_order_and_lists_do() {
        assert_eq!(canonical(r#"{b"b", b"a"}"#), canonical(r#"{b"a", b"b"}"#));
        assert_eq!(
            canonical(r#"{"x,}": [1, 2], "a": {3, 2}}"#),
            canonical(r#"{"a": {2, 3}, "x,}": [1, 2]}"#)
        );
        assert_ne!(canonical("[1, 2]"), canonical("[2, 1]"));
        assert_ne!(canonical(r#"{"a b"}"#), canonical(r#"{"ab"}"#));
    }
}
