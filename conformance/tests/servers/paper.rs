//! What can be asked of samples without a server, and so of every command.

use respec_conformance::{Catalogue, Deviations};

use crate::{
    grammar::Grammar,
    report::{Check, Report},
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
