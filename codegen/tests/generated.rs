//! What is generated from the spec of this repository: laid out as rustfmt would, with docs
//! everywhere, and with a digest in which a change of the spec or the generator can be reviewed.

use std::{
    env,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use respec_codegen::{
    coverage::Coverage,
    generate,
    load::Spec,
    model::{CommandModel, FieldKind, Model, ReplyModel, Ty, routing::Routing},
    names::Names,
    render::{self, Root},
};

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../commands-spec")
}

fn built() -> (Spec, Model) {
    let spec = Spec::load(&dir()).unwrap();
    let model = Model::build(&spec, &Names::load(&dir()).unwrap()).unwrap();
    (spec, model)
}

/// Compares `text` with a file of the repository, or writes the file where `UPDATE` is set.
fn compare(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(file);
    if env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    if known == text {
        return;
    }
    let mut changes = String::new();
    for line in text
        .lines()
        .filter(|line| !known.lines().any(|other| other == *line))
        .take(20)
    {
        let _ = writeln!(changes, "+ {line}");
    }
    for line in known
        .lines()
        .filter(|line| !text.lines().any(|other| other == *line))
        .take(20)
    {
        let _ = writeln!(changes, "- {line}");
    }
    panic!(
        "{file} differs from what is generated; if that is meant, run \
         `UPDATE=1 cargo test -p respec-codegen` and read the diff\n{changes}"
    );
}

#[test]
fn every_command_has_its_line_in_the_digest() {
    let (spec, model) = built();
    let mut lines = Vec::new();
    for group in model.groups.values() {
        for command in &group.commands {
            lines.push(digest(command, &spec));
        }
    }
    lines.sort();
    let head = "# method | access | keys | parameters | options | reply\n";
    compare("index.txt", &format!("{head}{}\n", lines.join("\n")));
}

#[test]
fn every_route_that_keys_do_not_tell_has_its_line() {
    let (spec, _) = built();
    let mut text = "# command | nodes of a cluster | join | not with\n".to_owned();
    for (name, command) in &spec.commands {
        let line = match Routing::of(command) {
            Routing::Keys => continue,
            Routing::Nodes(nodes, join, unless) => format!(
                "{nodes:?} | {} | {}",
                join.map(|join| format!("{join:?}")).unwrap_or_default(),
                unless.join(" ")
            ),
            other => format!("{other:?} | | "),
        };
        let _ = writeln!(
            text,
            "{}",
            format!("{name} | {line}").trim_end_matches([' ', '|'])
        );
    }
    compare("routes.txt", &text);
}

fn digest(command: &CommandModel, spec: &Spec) -> String {
    let entry = &spec.commands[&command.name];
    let has = |flag: &str| entry.command_flags.iter().any(|name| name == flag);
    let access = match (has("readonly"), has("write")) {
        (true, _) => "reads",
        (_, true) => "writes",
        _ => "neither",
    };
    let parameters: Vec<_> = command
        .parameters
        .iter()
        .map(|item| format!("{}:{}", item.name, short(&item.ty)))
        .collect();
    let options: Vec<_> = command
        .fields
        .iter()
        .filter_map(|field| match &field.kind {
            FieldKind::Required(_) => None,
            FieldKind::Flag => Some(field.name.clone()),
            FieldKind::Optional(types) => {
                let types: Vec<_> = types.iter().map(short).collect();
                Some(format!("{}:{}", field.name, types.join("+")))
            }
        })
        .collect();
    let reply = match &command.reply {
        ReplyModel::Fixed(ty) => ty.to_string(),
        ReplyModel::ByState(patterns) => {
            let mut types: Vec<_> = patterns.iter().map(|(_, ty)| ty.to_string()).collect();
            types.dedup();
            types.join(" or ")
        }
    };
    format!(
        "{} | {access} | {} | {} | {} | {reply}",
        command.method,
        entry.key_specs.len(),
        parameters.join(" "),
        options.join(" ")
    )
}

fn short(ty: &Ty) -> String {
    match ty {
        Ty::Enum { name, .. } | Ty::Block { name, .. } => name.clone(),
        Ty::List(item) => format!("[{}]", short(item)),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// Commands chosen for their oddity, in full.
#[test]
fn odd_commands_look_as_they_did() {
    let (spec, model) = built();
    for name in [
        "SET",
        "LPOP",
        "ZADD",
        "XADD",
        "XREAD",
        "GEOSEARCH",
        "BITFIELD",
        "MIGRATE",
        "EVAL",
        "CLIENT KILL",
        "TS.MRANGE",
    ] {
        let text = render::command(name, &model, &spec).unwrap();
        compare(
            &format!("shown/{}.rs", name.replace(['.', ' '], "_").to_lowercase()),
            &text,
        );
    }
}

#[test]
fn generated_code_is_laid_out_as_rustfmt_lays_it_out() {
    for (name, text) in &generate(&dir(), Root::Client).unwrap().files {
        let mut rustfmt = Command::new("rustfmt")
            .args([
                "--edition",
                "2024",
                "--config",
                "max_width=100,newline_style=Unix",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("rustfmt is part of every toolchain");
        rustfmt
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let output = rustfmt.wait_with_output().unwrap();
        assert!(output.status.success(), "{name} does not parse");
        let formatted = String::from_utf8(output.stdout).unwrap();
        for (line, (ours, theirs)) in text.lines().zip(formatted.lines()).enumerate() {
            assert_eq!(ours, theirs, "{name}:{}", line + 1);
        }
        assert_eq!(text.lines().count(), formatted.lines().count(), "{name}");
        let longest = text
            .lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or_default();
        assert!(longest <= 100, "{name} has a line of {longest} characters");
    }
}

#[test]
fn nothing_is_unaccounted_for() {
    let (spec, model) = built();
    let coverage = Coverage::of(&spec, &model);
    assert_eq!(coverage.missing(), <&[String]>::default());
    assert!(
        spec.commands
            .keys()
            .all(|name| spec.replies.contains_key(name))
    );
    assert!(
        spec.commands
            .values()
            .all(|command| !command.summary.is_empty())
    );
}

/// A new group of the spec needs a feature, a module with docs, and its exports, written by hand.
#[test]
fn every_group_has_its_place_in_the_client() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    let manifest = read("Cargo.toml");
    let modules = read("src/commands/mod.rs");
    let constructors = read("src/cmd.rs");
    let prelude = read("src/prelude.rs");
    let (_, model) = built();
    let files = generate(&dir(), Root::Client).unwrap().files;
    for group in model.groups.keys() {
        let module = group.replace('-', "_");
        assert!(
            manifest.contains(&format!("\n{group} = [")),
            "feature {group} in Cargo.toml"
        );
        assert!(
            modules.contains(&format!("pub mod {module};")),
            "{module} in src/commands/mod.rs"
        );
        let exported = format!("pub use crate::commands::{module}::");
        assert!(constructors.contains(&exported), "{exported} in src/cmd.rs");
        let traits = files[&format!("{module}.rs")]
            .lines()
            .filter_map(|line| line.strip_prefix("pub trait ")?.split_once(": "))
            .map(|(name, _)| name)
            .filter(|name| name.ends_with("Commands"));
        for name in traits {
            assert!(prelude.contains(name), "{name} in src/prelude.rs");
        }
    }
}

/// An enum that several commands share is called after what it says and not after one of them.
#[test]
fn shared_enums_have_names() {
    let (_, model) = built();
    let types = model
        .groups
        .values()
        .map(|group| &group.types)
        .chain([&model.shared]);
    let unnamed: Vec<_> = types
        .flat_map(|types| types.enums.values())
        .filter(|item| item.commands.len() > 1 && item.doc.is_none())
        .map(|item| {
            let mut tokens: Vec<_> = item
                .variants
                .iter()
                .map(|variant| variant.before.join(" "))
                .collect();
            tokens.sort();
            format!("{} ({:?}): {}", item.name, item.commands, tokens.join("|"))
        })
        .collect();
    assert!(
        unnamed.is_empty(),
        "add these to names.json:\n{}",
        unnamed.join("\n")
    );
}
