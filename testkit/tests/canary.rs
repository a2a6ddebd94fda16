//! The search for secrets in files, as it is used from the command line.

use std::{
    env, fs,
    path::PathBuf,
    process::{self, Command},
};

use respec_testkit::canary::secret;

/// What the program says about files with these texts, and whether it is content.
fn look(name: &str, texts: &[&str]) -> (bool, String) {
    let folder = env::temp_dir().join(format!("respec-canary-{}-{name}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let files: Vec<PathBuf> = (0..texts.len())
        .map(|at| folder.join(format!("{at}.log")))
        .collect();
    for (file, text) in files.iter().zip(texts) {
        fs::write(file, text).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_respec-testkit"))
        .arg("canary")
        .args(&files)
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(output.stdout.is_empty());
    (
        output.status.success(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn files_without_secrets_are_accepted() {
    let (content, told) = look(
        "clean",
        &["test a ... ok\n", "WRONGPASS the server rejects it"],
    );
    assert!(content, "{told}");
    assert_eq!(told, "");
}

#[test]
fn each_line_with_a_secret_is_told_without_it() {
    let secret = secret("fixture");
    let bytes = format!("{:#?}", secret.as_bytes());
    let leaking = format!("test a ... ok\nerror: {secret} {secret}\nfine\n{bytes}\n");
    let (content, told) = look("leaking", &["fine\n", &leaking]);
    assert!(!content);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("1.log holds a secret: line 2, behind `error: `"));
    assert!(lines[1].contains("1.log holds a secret: line 5, behind `    `"));
    assert!(!told.contains(&secret));
}

#[test]
fn what_cannot_be_looked_at_is_a_failure() {
    let (content, told) = look("empty", &["fine\n", ""]);
    assert!(!content);
    assert!(told.contains("1.log is empty"), "{told}");
    let output = Command::new(env!("CARGO_BIN_EXE_respec-testkit"))
        .args(["canary", "/no/such/file"])
        .output()
        .unwrap();
    assert!(!output.status.success());
}
