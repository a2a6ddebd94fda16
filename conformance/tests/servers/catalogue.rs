//! Whether the samples are complete and can be told apart.

use std::collections::BTreeSet;

use respec::command::Info;
use respec_conformance::Catalogue;

#[test]
fn every_command_has_a_sample() {
    let sampled: BTreeSet<_> = Catalogue::all()
        .samples()
        .iter()
        .map(|sample| sample.info.name)
        .collect();
    let missing: Vec<_> = Info::all()
        .iter()
        .map(|info| info.name)
        .filter(|name| !sampled.contains(name))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn labels_tell_the_samples_of_a_command_apart() {
    let mut seen = BTreeSet::new();
    let mut twice = Vec::new();
    for sample in Catalogue::all().samples() {
        if !seen.insert((sample.info.name, sample.label.as_str())) {
            twice.push(sample.name());
        }
    }
    assert_eq!(twice, [""; 0]);
}
