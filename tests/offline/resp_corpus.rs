//! The fuzz targets on their corpus, which keeps whatever they have found.

use std::{fs, panic, path::Path};

#[allow(unreachable_pub, reason = "a crate of its own elsewhere")]
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

/// Runs a target on all files of its corpus.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut count = 0;
    for file in fs::read_dir(&folder).expect("a folder for every target") {
        let path = file.unwrap().path();
        let input = fs::read(&path).unwrap();
        if panic::catch_unwind(|| run(&input)).is_err() {
            panic!("{target} fails on {}", path.display());
        }
        count += 1;
    }
    assert!(count >= 10, "{count} files for {target}");
}

#[test]
fn scan_chunked() {
    replay("scan_chunked", fuzz::scan_chunked);
}

#[test]
fn scan_vs_reference() {
    replay("scan_vs_reference", fuzz::scan_vs_reference);
}

#[test]
fn decode_value() {
    replay("decode_value", fuzz::decode_value);
}

#[test]
fn decode_serde() {
    replay("decode_serde", fuzz::decode_serde);
}

#[test]
fn every_target_agrees_about_all_of_them() {
    for folder in [
        "scan_chunked",
        "scan_vs_reference",
        "decode_value",
        "decode_serde",
    ] {
        replay(folder, |input| {
            fuzz::scan_chunked(input);
            fuzz::scan_vs_reference(input);
            fuzz::decode_value(input);
            fuzz::decode_serde(input);
        });
    }
}
