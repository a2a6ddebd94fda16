//! What can be asked of samples without a server, and so of every command.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use respec::command::Info;
use respec_conformance::{Catalogue, Deviations, Sample};
use respec_spec::words::{self, Shown, Words};

use crate::{
    grammar::Grammar,
    report::{Asked, Check, Report},
};

/// The name that stands in the place of a server's.
pub(crate) const NAME: &str = "spec";

/// Asks of each sample whether it is a sentence of the grammar, and whether its keys are those that
/// the key specs find.
pub(crate) fn run(catalogue: &Catalogue, deviations: &Deviations) -> Report {
    let grammar = Grammar::load();
    let mut report = Report::new(NAME, "");
    for sample in catalogue.samples() {
        report.present.insert(sample.info.name);
        let found = grammar.wrong(sample);
        report.judge_sample(deviations, 0, Check::Grammar, sample, found);
        let mut specified: Vec<_> = sample
            .info
            .keys_of(&sample.words)
            .map(|key| key.word)
            .collect();
        specified.sort_unstable();
        let found = (specified != sample.key_words)
            .then(|| format!("words {specified:?} instead of {:?}", sample.key_words));
        report.judge_sample(deviations, 0, Check::KeySpecs, sample, found);
    }
    report
}

/// Asks of each command whether its samples leave out anything that is published about it.
pub(crate) fn published(catalogue: &Catalogue, deviations: &Deviations) -> Report {
    let grammar = Grammar::load();
    let shown = words_of_reference();
    let mut report = Report::new(NAME, "");
    let mut of_commands: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for sample in catalogue.samples() {
        of_commands
            .entry(sample.info.name)
            .or_default()
            .push(sample);
    }
    for (command, samples) in &of_commands {
        report.present.insert(command);
        builders(
            command,
            samples,
            shown.get(*command),
            &grammar,
            (&mut report, deviations),
        );
    }
    report
}

/// Asks whether the builders of a command can say all that is published about it: each word, whether
/// the grammar has it or the syntax line, and each statement of the corrected grammar. What the
/// correction of a grammar takes away is published all the same, and wants to be named.
fn builders(
    command: &'static str,
    samples: &[&Sample],
    shown: Option<&Shown>,
    grammar: &Grammar,
    (report, deviations): (&mut Report, &Deviations),
) {
    let mut judge = |check, label: &str, found| {
        let asked = Asked {
            protocol: 0,
            check,
            command,
            label,
            words: &[],
        };
        report.judge(deviations, asked, found);
    };
    let written: BTreeSet<_> = samples
        .iter()
        .flat_map(|sample| &sample.words)
        .filter_map(|word| std::str::from_utf8(word).ok())
        .map(str::to_lowercase)
        .collect();
    let mut published = grammar.words(command);
    published.extend(shown.iter().flat_map(|shown| shown.words.iter().cloned()));
    for word in &published {
        let found = (!written.contains(&word.to_lowercase()))
            .then(|| "no sample has this word, which is published".to_owned());
        judge(Check::Words, word, found);
    }
    if let Some(shown) = shown {
        let repeats = grammar.repeats(command);
        let found = (repeats != shown.repeats).then(|| {
            format!(
                "the syntax line repeats {} places, the grammar {repeats}",
                shown.repeats
            )
        });
        judge(Check::Repeats, "", found);
    }
    for (statement, needed) in grammar.needed(command, samples) {
        let found = (!needed).then(|| "no sample needs this".to_owned());
        judge(Check::Needed, &statement, found);
    }
}

/// What the syntax lines of the reference show.
fn words_of_reference() -> Words {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../commands-spec")
        .join(words::FILE);
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let shown = words::parse(&file, &text).unwrap_or_else(|error| panic!("{error}"));
    for name in shown.keys() {
        assert!(
            Info::of(name).is_some(),
            "{}: the spec has no command {name}",
            file.display()
        );
    }
    shown
}
