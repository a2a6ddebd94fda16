//! What a server holds before a sample runs: `data.json`.

use bytes::BytesMut;
use respec::command::Info;
use respec_spec::samples::glob;
use serde::Deserialize;

use crate::{catalogue::Sample, connection::encode};

/// The rules of `data.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Commands that are never sent, with the reason.
    left_out: Vec<LeftOut>,
    /// Commands that run before and after samples.
    around: Vec<Around>,
    /// Parts of errors that say that a command was understood.
    understood: Vec<String>,
    /// More of them, where a sample does not find what it looks for.
    understood_elsewhere: Vec<String>,
    /// More of them, where a text of a sample is not what it is for.
    understood_hostile: Vec<String>,
    /// Calls that are only asked for their keys, which stand where they are easily missed.
    pub keys: Vec<Line>,
}

/// What a server holds when a sample runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// What the sample looks for.
    Filled,
    /// Its keys, with other content.
    Other,
    /// Nothing.
    Empty,
    /// What it looks for, and beside it bytes that are no text, wherever a server echoes them.
    Hostile,
}

impl Round {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Filled, Self::Other, Self::Empty, Self::Hostile];
}

/// Commands that are never sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeftOut {
    commands: Vec<String>,
    #[serde(default)]
    samples: Option<String>,
    reason: String,
}

/// Commands that run before and after some samples.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Around {
    /// Groups whose samples are meant.
    #[serde(default)]
    groups: Vec<String>,
    /// Commands whose samples are meant.
    #[serde(default)]
    commands: Vec<String>,
    /// Labels of their samples; all of them if there is none.
    #[serde(default)]
    samples: Option<String>,
    #[serde(default)]
    before: Vec<Line>,
    /// What runs instead of `before` so that keys exist, but not what samples look for in them.
    #[serde(default)]
    other: Vec<Line>,
    /// What runs behind `before` so that there are bytes that are no text; a word may have them as
    /// `{bytes}`. Some servers refuse some of that.
    #[serde(default)]
    hostile: Vec<Line>,
    /// What runs on another connection, which stays open meanwhile, where a sample finds what it looks
    /// for. What has `{bytes}` runs only where there are bytes that are no text.
    #[serde(default)]
    beside: Vec<Line>,
    /// As `before`, but between the first of the two pings and the sample.
    #[serde(default)]
    inside: Vec<Line>,
    #[serde(default)]
    after: Vec<Line>,
    /// Whether nothing answers to `after`, since the sample switches replies off.
    #[serde(default)]
    unanswered: bool,
}

/// One command: words with spaces between them, or a list of words.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// Words with spaces between them.
    Text(String),
    /// A list of words.
    Words(Vec<String>),
}

impl Line {
    /// Its words.
    #[must_use]
    pub fn words(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => text.split(' ').collect(),
            Self::Words(words) => words.iter().map(String::as_str).collect(),
        }
    }

    /// The same as they are sent: `{bytes}` is what is no text.
    #[must_use]
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        let with_bytes = |word: &str| {
            let parts: Vec<_> = word.split("{bytes}").map(str::as_bytes).collect();
            parts.join(NO_TEXT)
        };
        self.words().into_iter().map(with_bytes).collect()
    }

    /// Whether it has bytes that are no text.
    fn is_hostile(&self) -> bool {
        self.words().iter().any(|word| word.contains("{bytes}"))
    }

    /// The command that it calls.
    pub fn info(&self) -> &'static Info {
        let words = self.words();
        let name = words.get(..2).unwrap_or_default().join(" ");
        Info::of(&name)
            .or_else(|| Info::of(words.first()?))
            .unwrap_or_else(|| panic!("{}: the spec has no such command", self.text()))
    }

    /// The words with spaces between them.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Words(words) => words.join(" "),
        }
    }
}

impl Data {
    /// Reads the file.
    pub fn load() -> Self {
        let text = include_str!("../data.json");
        serde_json::from_str(text).unwrap_or_else(|error| panic!("data.json: {error}"))
    }

    /// Why a sample is left out, if it is.
    pub fn left_out(&self, sample: &Sample) -> Option<&str> {
        let rule = self.left_out.iter().find(|rule| {
            rule.commands
                .iter()
                .any(|name| glob(name, sample.info.name))
                && rule
                    .samples
                    .as_ref()
                    .is_none_or(|label| glob(label, &sample.label))
        });
        rule.map(|rule| rule.reason.as_str())
    }

    /// Whether an error says that the command was understood.
    pub fn understood(&self, error: &str, round: Round) -> bool {
        let any = |parts: &[String]| parts.iter().any(|part| error.contains(part));
        any(&self.understood) || round != Round::Filled && any(&self.understood_elsewhere)
    }

    /// Whether an error says that a command with a hostile text was understood.
    pub fn understood_hostile(&self, error: &str) -> bool {
        self.understood(error, Round::Other)
            || self
                .understood_hostile
                .iter()
                .any(|part| error.contains(part))
    }

    fn around(&self, sample: &Sample) -> impl Iterator<Item = &Around> {
        self.around.iter().filter(move |rule| {
            let named = rule
                .groups
                .iter()
                .any(|group| glob(group, sample.info.group))
                || rule
                    .commands
                    .iter()
                    .any(|name| glob(name, sample.info.name));
            let label = rule.samples.as_ref();
            named && label.is_none_or(|label| glob(label, &sample.label))
        })
    }

    /// What runs before a sample in a round; nothing if the sample has no such round.
    pub fn before<'d>(&'d self, sample: &'d Sample, round: Round) -> Option<Vec<&'d Line>> {
        let is_hostile = round == Round::Hostile;
        let hostile = self
            .around(sample)
            .filter(|_| is_hostile)
            .flat_map(|rule| &rule.hostile);
        let lines: Vec<_> = self
            .around(sample)
            .flat_map(|rule| match round {
                Round::Filled | Round::Hostile => &*rule.before,
                Round::Other => &rule.other,
                Round::Empty => &[],
            })
            .chain(hostile)
            .collect();
        match round {
            Round::Filled => Some(lines),
            Round::Other => (!lines.is_empty()).then_some(lines),
            Round::Hostile => self
                .around(sample)
                .any(|rule| !rule.hostile.is_empty() || rule.beside.iter().any(Line::is_hostile))
                .then_some(lines),
            Round::Empty => self
                .around(sample)
                .any(|rule| !rule.before.is_empty() || !rule.beside.is_empty())
                .then_some(lines),
        }
    }

    /// What runs on another connection while a sample runs.
    pub fn beside<'d>(&'d self, sample: &'d Sample, round: Round) -> Vec<&'d Line> {
        self.around(sample)
            .flat_map(|rule| &rule.beside)
            .filter(|line| match round {
                Round::Filled => !line.is_hostile(),
                Round::Hostile => true,
                Round::Other | Round::Empty => false,
            })
            .collect()
    }

    /// What runs right before a sample.
    pub fn inside<'d>(&'d self, sample: &'d Sample) -> Vec<&'d Line> {
        self.around(sample).flat_map(|rule| &rule.inside).collect()
    }

    /// What runs after a sample.
    pub fn after<'d>(&'d self, sample: &'d Sample) -> Vec<&'d Line> {
        self.around(sample).flat_map(|rule| &rule.after).collect()
    }

    /// How many frames answer to what runs after a sample.
    pub fn answers_after(&self, sample: &Sample) -> usize {
        self.around(sample)
            .filter(|rule| !rule.unanswered)
            .map(|rule| rule.after.len())
            .sum()
    }
}

/// Appends commands to a batch.
pub fn append(out: &mut BytesMut, lines: &[&Line]) {
    for line in lines {
        encode(out, &line.bytes());
    }
}

/// Bytes that are no UTF-8, of which no server thinks that they end something.
pub(crate) const NO_TEXT: &[u8] = b"\xff\xc3(\x80";
