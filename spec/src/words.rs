//! The words of the syntax lines that the reference of the commands shows, as a second source beside the
//! grammar: the two are written by different people, and either may know an option that the other
//! lacks.
//!
//! Of a line only facts are kept: the words that are sent as they are, and in how many places something
//! may be repeated.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use respec_codegen::error::Error;

/// Where a spec keeps them.
pub const FILE: &str = "words.tsv";

/// What the syntax line of one command shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// In how many places something may be repeated.
    pub repeats: usize,
    /// The words that are sent as they are, without those of the name. Those in lower case cannot be
    /// told from names of arguments and are not among them.
    pub words: BTreeSet<String>,
}

/// What the syntax lines show, by command.
pub type Words = BTreeMap<String, Shown>;

/// Reads the pages of a reference: files `*.md` whose head has a `title` and a `syntax_fmt` or a
/// `syntax`, which goes before it.
///
/// # Errors
///
/// Names the file that cannot be read, or the folder if no page in it has a syntax line.
pub fn read_pages(folder: &Path) -> Result<Words, Error> {
    let failed = |path: &Path, error: std::io::Error| Error::new(path, error.to_string());
    let mut words = Words::new();
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let page = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
        words.extend(of_page(&page));
    }
    match words.is_empty() {
        true => Err(Error::new(
            folder,
            "expected pages with a title and a syntax line, got none",
        )),
        false => Ok(words),
    }
}

/// The command of a page, and what its syntax lines show; a page may have none.
fn of_page(page: &str) -> Option<(String, Shown)> {
    let (head, _) = page.strip_prefix("---\n")?.split_once("\n---")?;
    let name = field(head, "title")?.trim().to_uppercase();
    let lines: Vec<_> = ["syntax", "syntax_fmt"]
        .into_iter()
        .filter_map(|key| field(head, key))
        .collect();
    let mut shown = Shown {
        repeats: lines.first()?.matches("...").count(),
        words: BTreeSet::new(),
    };
    for line in &lines {
        let rest = line.trim().strip_prefix(name.as_str()).unwrap_or(line);
        let between = |c: char| c.is_whitespace() || "[]<>|{}/\"".contains(c);
        shown.words.extend(
            rest.split(between)
                .map(|word| word.trim_end_matches("..."))
                .filter(|word| is_sent(word))
                .map(str::to_owned),
        );
    }
    Some((name, shown))
}

/// Whether a word is sent as it is: names of arguments are in lower case.
fn is_sent(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase()) && !word.contains(|c: char| c.is_lowercase())
}

/// The text of a field at the beginning of a line, which may go on in indented lines. Of YAML this is
/// no more than pages use: text as it is, be it a block, or in double quotes with escapes.
fn field(head: &str, key: &str) -> Option<String> {
    let mut lines = head.lines().skip_while(|line| {
        line.strip_prefix(key)
            .is_none_or(|rest| !rest.starts_with(':'))
    });
    let text = lines.next()?[key.len() + 1..].trim();
    let mut text = text.strip_prefix('|').unwrap_or(text).to_owned();
    for line in lines.take_while(|line| line.starts_with(' ')) {
        // A line break behind a backslash stands for nothing, any other for a space.
        if text.ends_with('\\') {
            text.pop();
        } else {
            text.push(' ');
        }
        text.push_str(line.trim());
    }
    let text = match text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        Some(quoted) => quoted
            .replace("\\n", " ")
            .replace("\\_", " ")
            .replace("\\\"", "\"")
            .replace('\\', ""),
        None => text,
    };
    Some(text)
}

/// The table, a line for each command that shows a word or a repetition.
#[must_use]
pub fn table(words: &Words) -> String {
    let mut text = HEAD.to_owned();
    for (name, shown) in words {
        if shown.repeats == 0 && shown.words.is_empty() {
            continue;
        }
        let words: Vec<_> = shown.words.iter().map(String::as_str).collect();
        let _ = writeln!(text, "{name}\t{}\t{}", shown.repeats, words.join(" "));
    }
    text
}

/// Reads the table.
///
/// # Errors
///
/// Names the line that is none of a command, a number and words.
pub fn parse(file: &Path, text: &str) -> Result<Words, Error> {
    let mut all = Words::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let (Some(name), Some(repeats), Some(words), None) = (
            columns.next(),
            columns.next().and_then(|repeats| repeats.parse().ok()),
            columns.next(),
            columns.next(),
        ) else {
            return Err(Error::new(
                file,
                format!(
                    "expected a command, a number and words with tabs between them, got {line:?}"
                ),
            ));
        };
        let words = words.split(' ').filter(|word| !word.is_empty());
        all.insert(
            name.to_owned(),
            Shown {
                repeats,
                words: words.map(str::to_owned).collect(),
            },
        );
    }
    Ok(all)
}

const HEAD: &str = "\
# What the syntax lines of the published reference show of each command: in how many places something
# may be repeated, and the words that are sent as they are. A second source beside the grammar.
# Written by `respec-spec words FOLDER`, from the pages of Redis 8.10; Valkey publishes no such lines.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(page: &str) -> (String, usize, Vec<String>) {
        let (name, shown) = of_page(page).unwrap();
        (name, shown.repeats, shown.words.into_iter().collect())
    }

    #[test]
    fn words_are_told_from_names_of_arguments() {
        let page = "---\nfoo: 1\nsyntax_fmt: \"BITOP\\_<AND | STD.P/X-Y> key [key ...] [LOAD *] ip:port\"\n\
                    title: BITOP\n---\ntext [NOT THIS]\n";
        let words = ["AND", "LOAD", "STD.P", "X-Y"].map(str::to_owned).to_vec();
        assert_eq!(shown(page), ("BITOP".to_owned(), 1, words));
    }

    #[test]
    fn a_line_goes_on_in_indented_lines() {
        let page = "---\nsyntax_fmt: \"XGROUP CREATE key\\n  [MK\\\n  STREAM]\\\n  \\ [A value]\n  [B \\\"c\\\"]\"\n\
                    title: XGROUP CREATE\n---\n";
        let words = ["A", "B", "MKSTREAM"].map(str::to_owned).to_vec();
        assert_eq!(shown(page), ("XGROUP CREATE".to_owned(), 0, words));
    }

    #[test]
    fn both_lines_of_a_page_have_words_and_the_first_has_repetitions() {
        let page = "---\nsyntax: |\n  TS.MGET [ONE] label...\ntitle: TS.MGET\n\
                    syntax_fmt: TS.MGET [TWO] a [a ...] b [b ...]\n---\n";
        let words = ["ONE", "TWO"].map(str::to_owned).to_vec();
        assert_eq!(shown(page), ("TS.MGET".to_owned(), 1, words));
    }

    #[test]
    fn what_is_no_page_of_a_command_is_none() {
        for page in [
            "",
            "text",
            "---\ntitle: Overview\n---\n",
            "---\nsyntax_fmt: GET key\n---\n",
        ] {
            assert_eq!(of_page(page), None, "{page}");
        }
    }

    #[test]
    fn a_table_is_read_as_it_is_written() {
        let words = Words::from([
            ("GET".to_owned(), Shown::default()),
            (
                "MGET".to_owned(),
                Shown {
                    repeats: 1,
                    words: BTreeSet::new(),
                },
            ),
            (
                "SET".to_owned(),
                Shown {
                    repeats: 0,
                    words: ["EX", "NX"].map(str::to_owned).into(),
                },
            ),
        ]);
        let mut read = parse(Path::new(FILE), &table(&words)).unwrap();
        read.insert("GET".to_owned(), Shown::default());
        assert_eq!(read, words);
        for line in ["GET", "GET\t1", "GET\tone\tA", "GET\t1\tA\tB"] {
            assert!(parse(Path::new(FILE), line).is_err(), "{line}");
        }
    }
}
