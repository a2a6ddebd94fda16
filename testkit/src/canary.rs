//! Secrets that can be found again wherever they should not be.
//!
//! What a test uses as a password, or as a value that is nobody's business, has a canary in it. Then
//! no output of the tests, no error and no `Debug` may hold it; [`find`] looks for it in all the forms
//! in which it could be printed, and `respec-testkit canary FILE…` looks into files.

use std::fmt::Write as _;

/// What every canary begins with, and nothing else that a test prints.
pub const MARK: &str = "c4n4ry";

/// A secret for a test, such as `secret("password")`. Its text is the same for the same name.
pub fn secret(name: &str) -> String {
    format!("{MARK}-{name}")
}

/// Where a canary is in a text, in bytes: as text, as hexadecimal digits, or as the list of numbers
/// as which bytes are printed by a derived `Debug`.
pub fn find(text: &str) -> Option<usize> {
    let hexadecimal = MARK.bytes().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    });
    [
        text.find(MARK),
        text.to_ascii_lowercase().find(&hexadecimal),
        find_numbers(text),
    ]
    .into_iter()
    .flatten()
    .min()
}

/// Panics where a text holds a canary, and shows what stands in front of it; `what` says where the text
/// comes from.
///
/// # Panics
///
/// When there is one.
#[track_caller]
pub fn assert_absent(what: &str, text: &str) {
    if let Some(at) = find(text) {
        panic!("{what} holds a secret: {}", in_front(text, at));
    }
}

/// Where it is for a reader, without what was found: a line and what the line begins with.
pub fn in_front(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let begins = before.rsplit('\n').next().unwrap_or_default();
    format!("line {line}, behind `{begins}`")
}

/// Where the bytes of the mark are listed as numbers, on one line or on many.
fn find_numbers(text: &str) -> Option<usize> {
    let first = MARK.bytes().next()?.to_string();
    text.match_indices(&first)
        .map(|(at, _)| at)
        .find(|&at| lists_mark(&text[at..]))
}

fn lists_mark(text: &str) -> bool {
    let mut numbers = text.split(',').map(|number| {
        let number = number.trim();
        let end = number.find(|c: char| !c.is_ascii_digit());
        number[..end.unwrap_or(number.len())].parse().ok()
    });
    MARK.bytes().all(|byte| numbers.next() == Some(Some(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_each_form_in_which_it_may_be_printed() {
        let secret = secret("password");
        let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02X}")).collect();
        for text in [
            secret.clone(),
            format!("{secret:?}"),
            format!("{:?}", secret.as_bytes()),
            format!("{:#?}", Some(secret.as_bytes())),
            hexadecimal,
        ] {
            assert!(find(&format!("an error: {text}")).is_some(), "{text}");
        }
        assert_eq!(find(&format!("abc{secret}")), Some(3));
        for text in [
            "",
            "canary",
            "c4n4",
            "[99, 52, 110]",
            "[99, 52, 110, 52, 114, 120]",
            "[99, 52, 110, 52, 114, 1210]",
            "99 52 110 52 114 121",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    #[should_panic(expected = "the log holds a secret: line 2, behind `é`")]
    fn a_text_with_a_secret_is_refused() {
        assert_absent("the log", &format!("a\né{}é", secret("x")));
    }

    #[test]
    fn a_text_without_a_secret_is_accepted() {
        assert_absent("the log", "WRONGPASS é");
    }
}
