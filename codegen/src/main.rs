//! Looks after `commands-spec/`: reads other descriptions of commands, compares them, and shows
//! what is generated.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use respec_codegen::coverage::Coverage;
use respec_codegen::diff;
use respec_codegen::error::Error;
use respec_codegen::load::Spec;
use respec_codegen::merge::{Report, merge};
use respec_codegen::model::Model;
use respec_codegen::names::Names;
use respec_codegen::pull::{Address, pull};
use respec_codegen::render;
use respec_codegen::replies;
use respec_codegen::source::Source;
use respec_codegen::spec::{Commands, Provider};
use respec_codegen::store::{self, Store};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(Failure::Usage(reason)) => {
            eprintln!("{reason}\n\n{USAGE}");
            ExitCode::from(2)
        }
        Err(Failure::Spec(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Why the program ends without a result.
enum Failure {
    Usage(String),
    Spec(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Spec(error)
    }
}

fn run(words: &[String]) -> Result<String, Failure> {
    let mut options = Options::parse(words)?;
    let command = options.operand("a command")?;
    match command.as_str() {
        "import" => {
            let path = PathBuf::from(options.operand("a file or folder")?);
            options.end()?;
            let provider = options.provider.unwrap_or(Provider::Redis);
            merge_into(&options, &Source::read(&path, provider)?)
        }
        "pull" => {
            let address = Address::parse(&options.operand("redis://host:port")?)
                .map_err(|reason| Failure::Usage(format!("pull: {reason}")))?;
            options.end()?;
            merge_into(&options, &pull(&address, options.provider)?)
        }
        "diff" => {
            let first = PathBuf::from(options.operand("a first file or folder")?);
            let second = PathBuf::from(options.operand("a second file or folder")?);
            options.end()?;
            Ok(diff::commands(&commands_of(&first)?, &commands_of(&second)?).to_string())
        }
        "show" => {
            let name = options.rest().join(" ").to_uppercase();
            let (spec, model) = build(&options.spec)?;
            if let Some(text) = render::command(&name, &model, &spec)? {
                return Ok(text);
            }
            Err(
                match spec
                    .commands
                    .get(&name)
                    .and_then(|command| command.handwritten.as_ref())
                {
                    Some(reason) => Failure::Usage(format!("{name} is written by hand: {reason}")),
                    None => Failure::Usage(format!("show: the spec has no command {name:?}")),
                },
            )
        }
        "coverage" => {
            options.end()?;
            let (spec, model) = build(&options.spec)?;
            Ok(Coverage::of(&spec, &model).to_string())
        }
        "help" | "--help" | "-h" => Ok(format!("{USAGE}\n")),
        other => Err(Failure::Usage(format!("unknown command {other}"))),
    }
}

/// What stands on the command line.
struct Options {
    operands: std::vec::IntoIter<String>,
    spec: PathBuf,
    provider: Option<Provider>,
    dry_run: bool,
}

impl Options {
    fn parse(words: &[String]) -> Result<Self, Failure> {
        let mut operands = Vec::new();
        let mut spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../commands-spec");
        let mut provider = None;
        let mut dry_run = false;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = |what: &str| {
                let value = words.next().cloned();
                value.ok_or_else(|| Failure::Usage(format!("expected {what} after {word}")))
            };
            match word.as_str() {
                "--spec" => spec = PathBuf::from(value("a folder")?),
                "--provider" => {
                    provider = Some(match value("redis or valkey")?.as_str() {
                        "redis" => Provider::Redis,
                        "valkey" => Provider::Valkey,
                        other => {
                            let reason = format!("expected redis or valkey, found {other}");
                            return Err(Failure::Usage(reason));
                        }
                    });
                }
                "--dry-run" => dry_run = true,
                "--help" | "-h" => operands.push("help".to_owned()),
                option if option.starts_with("--") => {
                    return Err(Failure::Usage(format!("unknown option {option}")));
                }
                operand => operands.push(operand.to_owned()),
            }
        }
        Ok(Self {
            operands: operands.into_iter(),
            spec,
            provider,
            dry_run,
        })
    }

    fn operand(&mut self, what: &str) -> Result<String, Failure> {
        self.operands
            .next()
            .ok_or_else(|| Failure::Usage(format!("expected {what}, found none")))
    }

    fn rest(&mut self) -> Vec<String> {
        self.operands.by_ref().collect()
    }

    fn end(&mut self) -> Result<(), Failure> {
        match self.operands.next() {
            None => Ok(()),
            Some(word) => Err(Failure::Usage(format!("unexpected {word}"))),
        }
    }
}

/// The spec in a folder, and what is generated from it.
fn build(dir: &Path) -> Result<(Spec, Model), Error> {
    let spec = Spec::load(dir)?;
    let model = Model::build(&spec, &Names::load(dir)?)?;
    Ok((spec, model))
}

/// The commands of a file or folder; those of a spec with its corrections.
fn commands_of(path: &Path) -> Result<Commands, Error> {
    if path.join(store::COMMANDS).is_dir() {
        return Ok(Spec::load(path)?.commands);
    }
    Ok(Source::read(path, Provider::Redis)?.commands)
}

fn merge_into(options: &Options, source: &Source) -> Result<String, Failure> {
    let store = Store::read_or_new(&options.spec)?;
    let mut commands = store.commands()?;
    let mut skipped = store.skipped.clone();
    let report = merge(&mut commands, &mut skipped, source);
    let file = options.spec.join(replies::FILE);
    let replies = match store::read_optional(&file)? {
        Some(text) => replies::parse(&file, &text)?,
        None => BTreeMap::new(),
    };
    let mut text = describe(&report, source);
    let lacking = |lacks: &dyn Fn(&String) -> bool| -> Vec<String> {
        commands
            .keys()
            .filter(|name| lacks(name))
            .cloned()
            .collect()
    };
    let lists = [
        (
            "without a reply type",
            lacking(&|name| !replies.contains_key(name)),
        ),
        (
            "without a summary",
            lacking(&|name| commands[name].summary.is_empty()),
        ),
        (
            "without a complexity",
            lacking(&|name| commands[name].complexity.is_none()),
        ),
        (
            "without words in their history",
            lacking(&|name| {
                commands[name]
                    .history
                    .iter()
                    .any(|(_, words)| words.is_empty())
            }),
        ),
    ];
    for (what, names) in lists {
        if !names.is_empty() {
            text.push_str(&format!("{} {what}: {}\n", names.len(), names.join(", ")));
        }
    }
    if options.dry_run {
        text.push_str("dry run, nothing was written\n");
        return Ok(text);
    }
    for file in store.write(&commands, &skipped)? {
        text.push_str(&format!("wrote {}\n", file.display()));
    }
    Ok(text)
}

fn describe(report: &Report, source: &Source) -> String {
    let provider = match source.provider {
        Provider::Redis => "redis",
        Provider::Valkey => "valkey",
    };
    let version = source
        .version
        .as_deref()
        .map(|version| format!(" {version}"));
    let version = version.unwrap_or_default();
    let count = source.commands.len();
    let mut text = format!(
        "{}: {count} commands of {provider}{version}\n",
        source.origin.display()
    );
    // What matters most stands last, next to the prompt.
    for (title, list) in [
        ("kept as it is", &report.kept),
        ("changed", &report.changed),
    ] {
        for (name, lines) in list {
            text.push_str(&format!("{title}: {name}\n"));
            for line in lines {
                text.push_str(&format!("    {line}\n"));
            }
        }
    }
    for name in &report.new {
        text.push_str(&format!("new: {name}\n"));
    }
    for name in &report.gone {
        text.push_str(&format!("gone from the source, kept: {name}\n"));
    }
    for (name, reason) in &report.skipped {
        text.push_str(&format!(
            "left out: {name} ({})\n",
            format!("{reason:?}").to_lowercase()
        ));
    }
    let (new, changed) = (report.new.len(), report.changed.len());
    text.push_str(&format!(
        "{new} new, {changed} changed, {} gone\n",
        report.gone.len()
    ));
    text
}

const USAGE: &str = "\
usage: respec-codegen COMMAND

  import FILE|DIR   merge a commands.json, or a server's folder of command files
  pull URL          merge the commands of a running server, redis://[user:password@]host:port
  diff A B          show what changed between two files, folders or specs
  show COMMAND      show the Rust that one command becomes
  coverage          count what is generated, written by hand and left out, and what has types

  --spec DIR        the spec to merge into, instead of the workspace's commands-spec
  --provider NAME   redis or valkey: whose commands these are; pull asks the server itself,
                    import takes redis unless told otherwise
  --dry-run         report and write nothing";
