//! The codes that error replies begin with, as constants.
//!
//! ```
//! use respec::{code, Error};
//!
//! fn is_full(error: &Error) -> bool {
//!     error.code() == Some(code::OOM)
//! }
//! ```
//!
//! Servers and modules have codes of which the spec does not know; [`Error::code`](crate::Error::code)
//! keeps them.

include!(concat!(env!("OUT_DIR"), "/commands/code.rs"));

/// The code of an error reply: its first word, if that is made of upper-case letters.
///
/// Modules add underscores and digits to the letters, and many of their errors have no code: in
/// `nope: no such index` there is none.
#[must_use]
pub fn of(text: &[u8]) -> Option<&str> {
    let word = text.split(|byte| *byte == b' ').next()?;
    let (first, rest) = word.split_first()?;
    let goes_on = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    if !first.is_ascii_uppercase() || !rest.iter().all(goes_on) {
        return None;
    }
    str::from_utf8(word).ok()
}

/// Whether an error reply says that the same command may be executed later.
pub(crate) fn passes(text: &[u8]) -> bool {
    of(text).is_some_and(|code| PASSING.contains(&code))
}

/// What a code says about the execution of the command that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Execution {
    /// The server refused the command before it began.
    Refused,
    /// The same, unless the command runs a script: that passes on what one of its own commands was
    /// answered, which says nothing about those before.
    RefusedOutsideScripts,
    /// The command may have been executed, in whole or in part.
    Possible,
}

impl Execution {
    /// What a code says; of one that the spec does not know, that everything is possible.
    #[must_use]
    pub fn of(code: &str) -> Self {
        ALL.binary_search_by_key(&code, |(known, _)| *known)
            .ok()
            .and_then(|at| ALL.get(at))
            .map_or(Self::Possible, |(_, execution)| *execution)
    }

    /// Whether nothing was executed of a command that runs a script or does not.
    #[must_use]
    pub fn is_refusal(self, runs_script: bool) -> bool {
        match self {
            Self::Refused => true,
            Self::RefusedOutsideScripts => !runs_script,
            Self::Possible => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_made_of_upper_case_letters() {
        for (text, code) in [
            ("WRONGTYPE Operation against a key", Some("WRONGTYPE")),
            ("MOVED 1 h:1", Some(MOVED)),
            ("OOM", Some(OOM)),
            ("SEARCH_2 x", Some("SEARCH_2")),
            ("nope: no such index", None),
            ("TSDB: the key does not exist", None),
            ("Unknown argument", None),
            ("2ND try", None),
            ("_X y", None),
            (" ERR x", None),
            ("", None),
        ] {
            assert_eq!(of(text.as_bytes()), code, "{text}");
        }
        assert_eq!(of(b"BAD\xff x"), None);
    }

    #[test]
    fn a_refusal_is_certain_only_where_no_script_ran() {
        assert!(Execution::of(READONLY).is_refusal(false));
        assert!(!Execution::of(READONLY).is_refusal(true));
        assert!(Execution::of(NOSCRIPT).is_refusal(true));
        assert!(!Execution::of(ERR).is_refusal(false));
        assert!(!Execution::of("FUTURE").is_refusal(false));
        assert_eq!(Execution::of(IOERR), Execution::Possible);
        assert!(ALL.is_sorted_by_key(|(code, _)| *code));
    }
}
