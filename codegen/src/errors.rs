//! The codes of error replies: `errors.tsv`.
//!
//! A line is `CODE<TAB>execution<TAB>passing<TAB>meaning`. The words are explained at the head of the file.

use std::{collections::BTreeMap, path::Path};

use crate::error::Error;

/// The file in the folder of a spec.
pub const FILE: &str = "errors.tsv";

/// The codes, each with what is known about it.
pub type Codes = BTreeMap<String, Code>;

/// What is known about a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Whether the command was executed.
    pub execution: Execution,
    /// Whether the server may answer the same command otherwise later.
    pub passes: bool,
    /// What it means, as a sentence without a full stop.
    pub meaning: String,
}

/// What a code says about the execution of the command that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// The server refused the command before it began.
    Refused,
    /// The same, but a script passes on what one of its commands was answered.
    RefusedOutsideScripts,
    /// The command may have been executed, in whole or in part.
    Possible,
}

/// Reads the text of a file of codes.
///
/// # Errors
/// Names the line and the reason when a line is not understood or a code has two.
pub fn parse(file: &Path, text: &str) -> Result<Codes, Error> {
    let mut codes = Codes::new();
    for (at, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fail = |reason: &str| Error::new(file, format!("line {}: {reason}", at + 1));
        let mut columns = line.split('\t');
        let (Some(code), Some(execution), Some(passes), Some(meaning), None) = (
            columns.next(),
            columns.next(),
            columns.next(),
            columns.next(),
            columns.next(),
        ) else {
            return Err(fail(
                "expected a code, whether it ran, whether that passes, and a meaning",
            ));
        };
        if code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(fail("expected a code of upper-case letters"));
        }
        let execution = match execution {
            "refused" => Execution::Refused,
            "refused_outside_scripts" => Execution::RefusedOutsideScripts,
            "possible" => Execution::Possible,
            _ => {
                return Err(fail(
                    "expected refused, refused_outside_scripts or possible",
                ));
            }
        };
        let passes = match passes {
            "passes" => true,
            "stays" => false,
            _ => return Err(fail("expected passes or stays")),
        };
        let code_facts = Code {
            execution,
            passes,
            meaning: meaning.to_owned(),
        };
        if codes.insert(code.to_owned(), code_facts).is_some() {
            return Err(fail("this code has a line already"));
        }
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        parse(Path::new("errors.tsv"), text)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_line_is_a_code_what_it_says_and_what_it_means() {
        let text = "# head\n\nOOM\trefused_outside_scripts\tpasses\tthe memory is full\n";
        let codes = parse(Path::new("errors.tsv"), text).unwrap();
        assert_eq!(
            codes.get("OOM"),
            Some(&Code {
                execution: Execution::RefusedOutsideScripts,
                passes: true,
                meaning: "the memory is full".to_owned(),
            })
        );
    }

    #[test]
    fn other_lines_are_refused_by_number() {
        assert!(reason("OOM\trefused\tx\n").contains("line 1: expected a code, whether"));
        assert!(reason("\nOOM\tno\tstays\tx\n").contains("line 2: expected refused"));
        assert!(reason("oom\trefused\tstays\tx\n").contains("upper-case letters"));
        assert!(reason("OOM\trefused\tno\tx\n").contains("expected passes or stays"));
        assert!(
            reason("OOM\trefused\tstays\tx\nOOM\trefused\tstays\ty\n")
                .contains("line 2: this code")
        );
    }
}
