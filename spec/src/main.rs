//! Looks after `commands-spec/`: reads other descriptions of commands, compares them, and shows
//! what is generated.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use respec_codegen::{
    error::Error,
    json::Word as _,
    load::Spec,
    model::Model,
    names::Names,
    render, replies,
    source::Source,
    spec::{Commands, Provider},
    store,
};
use respec_spec::{
    coverage::Coverage,
    diff,
    merge::{Report, merge},
    pull::{Address, pull},
    source, words, write,
};

/// Looks after a command spec: merges other descriptions into it, compares, and shows what is generated.
#[derive(Parser)]
#[command(name = "respec-spec")]
struct Program {
    #[command(subcommand)]
    task: Task,
    /// The folder of the spec, instead of the workspace's commands-spec.
    #[arg(long, global = true, value_name = "DIR")]
    spec: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Task {
    /// Merges a commands.json, or a server's folder of command files.
    Import {
        /// The file or folder.
        path: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// Merges the commands of a running server.
    Pull {
        /// redis://[[user:]password@]host[:port]
        #[arg(value_parser = Address::parse)]
        url: Address,
        #[command(flatten)]
        how: How,
    },
    /// Shows what changed between two files, folders or specs.
    Diff {
        /// What it was.
        first: PathBuf,
        /// What it is.
        second: PathBuf,
    },
    /// Shows the Rust that one command becomes.
    Show {
        /// The words of its name.
        #[arg(required = true)]
        command: Vec<String>,
    },
    /// Takes the words of the syntax lines over from the pages of a reference.
    Words {
        /// A folder of pages, each with a title and a syntax line in its head.
        folder: PathBuf,
    },
    /// Counts what is generated, written by hand and left out, and what has types.
    Coverage,
}

/// How a source is merged, and what is told of it.
#[derive(Args)]
struct How {
    /// Whose commands these are; pull asks the server itself, import takes redis unless told otherwise.
    #[arg(long, value_name = "NAME")]
    provider: Option<Family>,
    /// Reports and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Tells also what differs and was kept, and why.
    #[arg(long)]
    verbose: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Family {
    Redis,
    Valkey,
}

impl From<Family> for Provider {
    fn from(family: Family) -> Self {
        match family {
            Family::Redis => Self::Redis,
            Family::Valkey => Self::Valkey,
        }
    }
}

/// Why the program ends without a result.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Spec(#[from] Error),
    #[error("{name} is written by hand: {reason}")]
    ByHand { name: String, reason: String },
    #[error("the spec has no command {0:?}")]
    Unknown(String),
}

fn main() -> ExitCode {
    let program = Program::parse();
    match run(&program) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(program: &Program) -> Result<String, Failure> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../commands-spec");
    let dir = program.spec.as_deref().unwrap_or(&own);
    match &program.task {
        Task::Import { path, how } => {
            let provider = how.provider.map_or(Provider::Redis, Provider::from);
            merge_into(dir, how, &source::read(path, provider)?)
        }
        Task::Pull { url, how } => {
            merge_into(dir, how, &pull(url, how.provider.map(Provider::from))?)
        }
        Task::Diff { first, second } => {
            let (first, second) = (commands_of(first)?, commands_of(second)?);
            Ok(diff::commands(&first, &second).to_string())
        }
        Task::Show { command } => show(dir, &command.join(" ").to_uppercase()),
        Task::Words { folder } => take_words(dir, folder),
        Task::Coverage => {
            let (spec, model) = build(dir)?;
            Ok(Coverage::of(&spec, &model).to_string())
        }
    }
}

fn show(dir: &Path, name: &str) -> Result<String, Failure> {
    let (spec, model) = build(dir)?;
    if let Some(text) = render::command(name, &model, &spec)? {
        return Ok(text);
    }
    let command = spec.commands.get(name);
    Err(
        match command.and_then(|command| command.handwritten.clone()) {
            Some(reason) => Failure::ByHand {
                name: name.to_owned(),
                reason,
            },
            None => Failure::Unknown(name.to_owned()),
        },
    )
}

/// Writes the words that the pages of a reference show of the commands that the spec has.
fn take_words(dir: &Path, folder: &Path) -> Result<String, Failure> {
    let spec = Spec::load(dir)?;
    let mut shown = words::read_pages(folder)?;
    let mut text = format!(
        "{}: {} commands with a syntax line\n",
        folder.display(),
        shown.len()
    );
    shown.retain(|name, _| {
        let known = spec.commands.contains_key(name);
        if !known && !spec.skipped.contains_key(name) {
            let _ = writeln!(text, "not in the spec: {name}");
        }
        known
    });
    let file = dir.join(words::FILE);
    fs::write(&file, words::table(&shown)).map_err(|error| Error::new(&file, error.to_string()))?;
    let _ = writeln!(text, "wrote {}", file.display());
    Ok(text)
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

fn merge_into(dir: &Path, how: &How, source: &Source) -> Result<String, Failure> {
    let store = write::read_or_new(dir)?;
    let mut commands = store.commands()?;
    let mut skipped = store.skipped.clone();
    let report = merge(&mut commands, &mut skipped, source);
    let file = dir.join(replies::FILE);
    let replies = match store::read_optional(&file)? {
        Some(text) => replies::parse(&file, &text)?,
        None => BTreeMap::new(),
    };
    let mut text = describe(&report, source, how.verbose);
    let _ = write!(text, "{}", Lacks::of(&commands, &replies));
    if how.dry_run {
        text.push_str("dry run, nothing was written\n");
        return Ok(text);
    }
    for file in write::write(&store, &commands, &skipped)? {
        let _ = writeln!(text, "wrote {}", file.display());
    }
    Ok(text)
}

/// What people have to write for commands: the names of those that lack it.
struct Lacks<'c>([(&'static str, Vec<&'c str>); 4]);

impl<'c> Lacks<'c> {
    fn of(commands: &'c Commands, replies: &BTreeMap<String, replies::Reply>) -> Self {
        let mut lists = [
            "without a reply type",
            "without a summary",
            "without a complexity",
            "without words in their history",
        ]
        .map(|what| (what, Vec::new()));
        for (name, command) in commands {
            let lacks = [
                !replies.contains_key(name),
                command.summary.is_empty(),
                command.complexity.is_none(),
                command.history.iter().any(|(_, words)| words.is_empty()),
            ];
            for ((_, names), lacks) in lists.iter_mut().zip(lacks) {
                if lacks {
                    names.push(name.as_str());
                }
            }
        }
        Self(lists)
    }
}

impl std::fmt::Display for Lacks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (what, names) in self.0.iter().filter(|(_, names)| !names.is_empty()) {
            writeln!(f, "{} {what}: {}", names.len(), names.join(", "))?;
        }
        Ok(())
    }
}

/// The summary, then what became different; with `verbose` also what differs and was kept.
fn describe(report: &Report, source: &Source, verbose: bool) -> String {
    let mut text = format!(
        "{}: {} commands of {}{}\n{} new, {} changed, {} gone\n",
        source.origin.display(),
        source.commands.len(),
        source.provider.word(),
        source
            .version
            .as_deref()
            .map_or(String::new(), |version| format!(" {version}")),
        report.new.len(),
        report.changed.len(),
        report.gone.len(),
    );
    for name in &report.new {
        let _ = writeln!(text, "new: {name}");
    }
    for name in &report.gone {
        let _ = writeln!(text, "gone from the source, kept: {name}");
    }
    for (name, reason) in &report.skipped {
        let _ = writeln!(text, "left out: {name} ({})", reason.word());
    }
    for (name, lines) in &report.changed {
        let _ = writeln!(text, "changed: {name}");
        for line in lines {
            let _ = writeln!(text, "    {line}");
        }
    }
    if report.kept.is_empty() {
        return text;
    }
    if !verbose {
        let _ = writeln!(
            text,
            "{} differ and were kept as they are: --verbose shows them, and why",
            report.kept.len()
        );
        return text;
    }
    for (name, kept) in &report.kept {
        let _ = writeln!(text, "kept as it is: {name}, since {}", kept.why);
        for line in &kept.differences {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}
