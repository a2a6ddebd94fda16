//! Programs that must not compile, each with what a user would read.
//!
//! They stand in `tests/compile_fail/`, and are the programs of one package, so that the compiler sees
//! the client once. With `UPDATE=1` what it says is written down instead of compared.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{cargo, folder, project, write};

#[test]
fn wrong_calls_do_not_compile() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs = programs(&root.join("tests/compile_fail"));
    let package = folder().join("compile-fail");
    let mut targets = "tokio = { version = \"1\", features = [\"rt\"] }\n".to_owned();
    for (name, path) in &programs {
        targets += &format!("\n[[bin]]\nname = {name:?}\npath = {path:?}\n");
    }
    project(&package, root, "features = [\"modules\"]", &targets);
    let args = ["check", "--bins", "--keep-going", "--message-format=json"];
    let output = cargo(&package, &args);
    let told = messages(&output.stdout);
    assert!(
        told.keys().all(|name| programs.contains_key(name)),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let mut wrong = Vec::new();
    for (name, path) in &programs {
        let Some(told) = told.get(name) else {
            wrong.push(format!("{name} compiles"));
            continue;
        };
        let told: Vec<_> = told.iter().map(|text| normal(text, root)).collect();
        let told = told.join("\n");
        let file = path.with_extension("stderr");
        if env::var_os("UPDATE").is_some() {
            write(&file, &told);
        } else if fs::read_to_string(&file).unwrap_or_default() != told {
            wrong.push(format!("of {name} the compiler says:\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The programs in a folder, by name.
fn programs(folder: &Path) -> BTreeMap<String, PathBuf> {
    let files = fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let programs = files.filter(|path| path.extension().is_some_and(|it| it == "rs"));
    let named = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        (name.to_owned(), path)
    };
    programs.map(named).collect()
}

/// What the compiler says of each program that it refuses, as cargo tells it.
fn messages(output: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut told = BTreeMap::<_, Vec<_>>::new();
    for line in output.split(|byte| *byte == b'\n') {
        let Ok(line) = serde_json::from_slice::<Value>(line) else {
            continue;
        };
        let message = &line["message"];
        let text = message["rendered"].as_str().unwrap_or_default();
        // The last one counts the others.
        let is_of_code = message["spans"].as_array().is_some_and(|it| !it.is_empty());
        if message["level"] == "error" && is_of_code {
            let name = line["target"]["name"].as_str().unwrap().to_owned();
            told.entry(name).or_default().push(text.to_owned());
        }
    }
    told
}

/// A message without what another machine, or another version of the client, would change: folders,
/// the lines of files that are none of the program, and how many others there are.
fn normal(text: &str, root: &Path) -> String {
    let text = text.replace(&format!("{}/", root.display()), "");
    let lines: Vec<_> = text.trim_end().lines().map(Line::read).collect();
    // As wide as the lines of the program need it, whatever those of other files do.
    let mut width = 1;
    let mut is_elsewhere = false;
    for line in &lines {
        match line {
            Line::Place { file, .. } => is_elsewhere = !file.starts_with("tests/"),
            Line::Code { number, .. } if !is_elsewhere => width = width.max(number.len()),
            Line::Text(text) if is_heading(text) => is_elsewhere = false,
            _ => {}
        }
    }
    let mut normal = String::new();
    let mut margin = 0;
    for line in lines {
        normal += &match line {
            Line::Place {
                indent,
                arrow,
                file,
            } => {
                is_elsewhere = !file.starts_with("tests/");
                margin = indent;
                let file = if is_elsewhere {
                    elsewhere(file)
                } else {
                    file.to_owned()
                };
                format!("{:width$}{arrow} {file}", "")
            }
            Line::Code { number, code } => {
                let number = if is_elsewhere { "" } else { number };
                format!("{number:>width$} {code}")
            }
            // The name of a file, and that there would be none otherwise.
            Line::Text(text) if text.contains("the full name for the type has been written") => {
                continue;
            }
            Line::Text(text) if text.contains("consider using `--verbose`") => continue,
            Line::Text(text) => {
                is_elsewhere &= !is_heading(text);
                let margin = text.len().min(margin);
                match text.split_at_checked(margin) {
                    Some((spaces, rest)) if !spaces.is_empty() && spaces.trim().is_empty() => {
                        format!("{:width$}{}", "", counted(rest))
                    }
                    _ => counted(text),
                }
            }
        };
        normal.push('\n');
    }
    normal
}

/// A line of a message.
enum Line<'t> {
    /// Where something stands.
    Place {
        indent: usize,
        arrow: &'t str,
        file: &'t str,
    },
    /// What stands there, or what is said of it.
    Code {
        number: &'t str,
        code: &'t str,
    },
    Text(&'t str),
}

impl<'t> Line<'t> {
    fn read(line: &'t str) -> Self {
        let begin = line.trim_start();
        let indent = line.len() - begin.len();
        if let Some((arrow @ ("-->" | ":::"), file)) = begin.split_once(' ') {
            return Self::Place {
                indent,
                arrow,
                file,
            };
        }
        let digits = begin.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = begin.split_at(digits);
        let code = rest.trim_start();
        let has_sign = ["+ ", "- ", "~ "].iter().any(|sign| code.starts_with(sign));
        let is_code = code.starts_with('|') && indent + digits > 0;
        if is_code || (digits > 0 && has_sign) {
            return Self::Code { number, code };
        }
        Self::Text(line)
    }
}

/// Whether a line begins something that is said of the program again.
fn is_heading(line: &str) -> bool {
    line.starts_with("help: ") || line.starts_with("note: ") || line.starts_with("error")
}

/// A place in a file that is none of a program: of the client, of what was generated, or of a dependency.
fn elsewhere(place: &str) -> String {
    let file = place.split(':').next().unwrap_or_default();
    if file.starts_with("src/") {
        return file.to_owned();
    }
    if let Some((_, file)) = file.split_once("/out/commands/") {
        return format!("$OUT_DIR[respec]/commands/{file}");
    }
    let file = file.split_once("/registry/src/").map_or(file, |(_, it)| it);
    let file = file.split_once('/').map_or(file, |(_, it)| it);
    let (package, file) = file.split_once('/').unwrap_or_default();
    let name = package.rsplit_once('-').map_or(package, |(name, _)| name);
    format!("$CARGO/{name}-$VERSION/{file}")
}

/// A line that says how many others there are, without the number.
fn counted(line: &str) -> String {
    let number = |line: &str| {
        let (head, tail) = line.strip_suffix(" others")?.rsplit_once(' ')?;
        let is_count = head.trim() == "and" && tail.parse::<u32>().is_ok();
        is_count.then(|| format!("{head} $N others"))
    };
    number(line).unwrap_or_else(|| line.to_owned())
}
