//! The spec of this repository in the hands of the program.

use std::{
    fs,
    path::{Path, PathBuf},
};

use respec_codegen::{load::Spec, model::Model, names::Names, spec::Provider, store::Store};
use respec_spec::{coverage::Coverage, merge::merge, source, write::write};

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../commands-spec")
}

#[test]
fn what_is_read_is_written_as_it_was() {
    let mut store = Store::read(&dir()).unwrap();
    let commands = store.commands().unwrap();
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("written");
    if copy.exists() {
        fs::remove_dir_all(&copy).unwrap();
    }
    for entry in store.entries.values_mut() {
        let name = entry.file.file_name().unwrap().to_owned();
        entry.file = copy.join("commands").join(name);
    }
    store.dir.clone_from(&copy);
    let written = write(&store, &commands, &store.skipped).unwrap();
    assert!(written.len() > 20, "{written:?}");
    for file in written {
        let own = dir().join(file.strip_prefix(&copy).unwrap());
        let [ours, theirs] = [&own, &file].map(|file| fs::read_to_string(file).unwrap());
        let pairs = ours.lines().zip(theirs.lines()).enumerate();
        for (line, (ours, theirs)) in pairs {
            assert_eq!(ours, theirs, "{}:{}", own.display(), line + 1);
        }
        assert_eq!(ours.len(), theirs.len(), "{}", own.display());
    }
}

#[test]
fn nothing_is_unaccounted_for() {
    let spec = Spec::load(&dir()).unwrap();
    let model = Model::build(&spec, &Names::load(&dir()).unwrap()).unwrap();
    let coverage = Coverage::of(&spec, &model);
    assert_eq!(coverage.missing(), <&[String]>::default());
}

#[test]
fn importing_the_spec_into_itself_changes_nothing() {
    for provider in [Provider::Redis, Provider::Valkey] {
        let store = Store::read(&dir()).unwrap();
        let (mut commands, mut skipped) = (store.commands().unwrap(), store.skipped.clone());
        let before = commands.clone();
        let report = merge(
            &mut commands,
            &mut skipped,
            &source::read(&dir(), provider).unwrap(),
        );
        assert!(report.is_unchanged(), "{provider:?}: {:?}", report.changed);
        assert!(report.gone.is_empty(), "{provider:?}: {:?}", report.gone);
        assert_eq!(commands, before);
        assert_eq!(skipped, store.skipped);
    }
}
