//! What is generated from the spec of this repository: laid out for readers, with docs everywhere,
//! and with a digest in which a change of the spec or the generator can be reviewed.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use respec_codegen::{
    generate, json, layout,
    load::Spec,
    model::{CommandModel, FieldKind, Model, Need, NeedStep, ReplyModel, Ty, routing::Routing},
    names::Names,
    render::{self, Root},
    spec::{Argument, Command, Count},
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
        let text = render::command(name, &model, &spec).unwrap().unwrap();
        compare(
            &format!("shown/{}.rs", name.replace(['.', ' '], "_").to_lowercase()),
            &text,
        );
    }
}

/// Whether it is wide or narrow, code that is laid out already stays as it is, and nothing but a word
/// without a blank makes a line longer than a hundred characters.
#[test]
fn generated_code_is_laid_out() {
    for (name, text) in &generate(&dir(), Root::Client, |_| true).unwrap().files {
        let again = layout::text(text.parse().unwrap()).unwrap();
        for (line, (ours, theirs)) in text.lines().zip(again.lines()).enumerate() {
            assert_eq!(ours, theirs, "{name}:{}", line + 1);
        }
        assert_eq!(text, &again, "{name}");
        for (line, text) in text.lines().enumerate() {
            let words = text.trim_start().trim_start_matches("///").trim_start();
            let fits = text.chars().count() <= 100 || !words.contains(' ');
            assert!(fits, "{name}:{}: {text}", line + 1);
        }
    }
}

#[test]
fn every_command_has_a_reply_and_a_summary() {
    let (spec, _) = built();
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
    let prelude = read("src/prelude.rs");
    let (_, model) = built();
    let files = generate(&dir(), Root::Client, |_| true).unwrap().files;
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
        let exported = format!("pub use crate::commands::{module}::cmd::{{");
        assert!(files["cmd.rs"].contains(&exported), "{exported}");
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

/// A name that fits no choice of words, such as one whose tokens are out of order, would do nothing.
#[test]
fn a_name_of_no_choice_is_refused() {
    let (spec, _) = built();
    let mut names = Names::load(&dir()).unwrap();
    let name = names.enums.remove("NX|XX").unwrap();
    names.enums.insert("XX|NX".to_owned(), name);
    let error = Model::build(&spec, &names).unwrap_err();
    let reason = "names a choice of `XX|NX`, which no command has";
    assert!(error.to_string().contains(reason), "{error}");
    let mut names = Names::load(&dir()).unwrap();
    names.docs.insert("Nothing".to_owned(), "None.".to_owned());
    let error = Model::build(&spec, &names).unwrap_err();
    let reason = "describes `Nothing`, which is no type of an argument";
    assert!(error.to_string().contains(reason), "{error}");
}

/// A count in front of options is written; one that nothing could write fails the build.
#[test]
fn no_count_is_lost() {
    let (mut spec, model) = built();
    let text = render::command("HOTKEYS START", &model, &spec)
        .unwrap()
        .unwrap();
    let written: String = text.split_whitespace().collect();
    let counted = r#"to.counted(|to|{ifself.cpu{to.word(b"CPU");}ifself.net{to.word(b"NET");}});"#;
    assert!(written.contains(counted), "{text}");
    let start = spec.commands.get_mut("HOTKEYS START").unwrap();
    start.arguments[0].arguments[0].count = Some(Count::Items);
    let error = Model::build(&spec, &Names::load(&dir()).unwrap()).unwrap_err();
    assert!(
        error.to_string().contains("`count` counts what follows"),
        "{error}"
    );
}

/// What the calls of a command may need, whatever is given.
fn needs(command: &CommandModel, model: &Model) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut open = Vec::new();
    for step in &command.needs {
        match step {
            NeedStep::Always(need) | NeedStep::Given { need, .. } => needs.push(need.clone()),
            NeedStep::Chosen { arms, .. } => needs.extend(arms.iter().map(|arm| arm.need.clone())),
            NeedStep::Within { name, .. } => open.push(name.clone()),
        }
    }
    let types: Vec<_> = model.groups.values().map(|group| &group.types).collect();
    while let Some(name) = open.pop() {
        assert!(model.needy.contains(&name), "{name}");
        for types in types.iter().copied().chain([&model.shared]) {
            if let Some(item) = types.enums.get(&name) {
                needs.extend(item.arms().into_iter().map(|arm| arm.need));
                let fields = item.variants.iter().flat_map(|variant| &variant.fields);
                let held = fields.filter_map(|(_, ty)| ty.named());
                open.extend(
                    held.filter(|held| model.needy.contains(*held))
                        .map(str::to_owned),
                );
            }
            if let Some(item) = types.blocks.get(&name) {
                needs.extend(item.optional.iter().filter_map(|option| option.need()));
                let required = item.required.iter().map(|(_, ty)| ty);
                let held = required.chain(item.optional_types()).filter_map(Ty::named);
                open.extend(
                    held.filter(|held| model.needy.contains(*held))
                        .map(str::to_owned),
                );
            }
        }
    }
    needs
}

#[test]
fn whatever_is_newer_than_its_command_is_known_to_be() {
    let (spec, model) = built();
    let mut missing = Vec::new();
    for (name, command) in &spec.commands {
        if command.handwritten.is_some() {
            continue;
        }
        let models = model.groups.values().flat_map(|group| &group.commands);
        let needs: Vec<_> = models
            .filter(|model| model.name == *name)
            .flat_map(|command| needs(command, &model))
            .collect();
        let mut arguments: Vec<&Argument> = command.arguments.iter().collect();
        while let Some(argument) = arguments.pop() {
            arguments.extend(&argument.arguments);
            let newer = argument.since.is_some() && argument.since != command.since;
            let found = needs
                .iter()
                .any(|need| (&need.since, need.provider) == (&argument.since, argument.provider));
            if (newer || argument.provider.is_some()) && !found {
                missing.push(format!("{name} {argument}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn what_is_deprecated_says_so() {
    let spec = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deprecated.json");
    let text = r#"{ "ACME.GET": {
        "summary": "Gets.", "since": "1.0.0", "group": "acme", "arity": -2,
        "deprecated_since": "3.0.0", "replaced_by": "`ACME.FETCH`",
        "arguments": [
            { "name": "key", "type": "key" },
            { "name": "raw", "type": "pure-token", "token": "RAW", "optional": true,
              "since": "1.5.0", "deprecated_since": "2.0.0" },
            { "name": "form", "type": "oneof", "optional": true, "arguments": [
                { "name": "old", "type": "pure-token", "token": "OLD", "deprecated_since": "2.5.0" },
                { "name": "new", "type": "pure-token", "token": "NEW" }
            ] }
        ]
    } }"#;
    fs::write(&spec, text).unwrap();
    let generated = generate(&spec, Root::User, |_| true).unwrap();
    let acme = &generated.files["acme.rs"];
    for line in [
        "/// Deprecated by Redis since 3.0.0; use `ACME.FETCH`.",
        "    /// `RAW`, since 1.5.0, deprecated by Redis since 2.0.0",
        "    /// `OLD`, deprecated by Redis since 2.5.0",
        "    /// `NEW`",
    ] {
        assert!(acme.lines().any(|found| found == line), "{line}");
    }
}

/// The code that a user has of a command with these arguments, or why there is none.
fn acme(arguments: &str) -> Result<String, String> {
    let text = format!(
        r#"{{ "summary": "Finds.", "group": "acme", "module": "acme", "arity": -2,
            "arguments": [ {{ "name": "key", "type": "key" }}, {arguments} ] }}"#
    );
    let command: Command = json::parse(Path::new("acme.json"), &text).unwrap();
    let mut spec = Spec::load(&dir()).unwrap();
    spec.structs.clear();
    spec.commands = [("ACME.FIND".to_owned(), command)].into();
    let model = Model::build(&spec, &Names::default()).map_err(|error| error.to_string())?;
    let files = render::render(&model, &spec, Root::User).map_err(|error| error.to_string())?;
    Ok(files["acme.rs"].clone())
}

#[track_caller]
fn assert_has(code: &str, parts: &[&str]) {
    let bare = |text: &str| {
        text.split_whitespace()
            .collect::<String>()
            .replace(",)", ")")
    };
    for part in parts {
        assert!(bare(code).contains(&bare(part)), "{part}\n{code}");
    }
}

#[test]
fn a_count_of_words_counts_what_is_written_behind_it() {
    let code = acme(
        r#"{ "name": "near", "type": "block", "token": "NEAR", "optional": true, "arguments": [
            { "name": "nargs", "type": "integer", "count": "words" },
            { "name": "k", "type": "integer", "token": "K", "count": "none" },
            { "name": "from", "type": "block", "multiple": true, "optional": true, "arguments": [
                { "name": "name", "type": "string" },
                { "name": "alias", "type": "string", "token": "AS", "optional": true,
                  "rust": "alias" }
            ] },
            { "name": "ratio", "type": "double", "token": "RATIO", "optional": true }
        ] }"#,
    )
    .unwrap();
    assert_has(
        &code,
        &[
            r#"to.word(b"NEAR"); to.counted(|to| { to.word(b"K"); k.write(to);"#,
            r#"if let Some(ratio) = &self.ratio { to.word(b"RATIO"); ratio.write(to); } });"#,
            "pub fn alias(mut self, alias: impl Into<Arg<'a>>) -> Self",
            // A tuple would be taken for a value that a newer client might know.
            "impl<'a, T: Into<Arg<'a>>> From<T> for AcmeFindFrom<'a>",
        ],
    );
    assert!(!code.contains("From<(A, B)>"), "{code}");
    // A list that may be empty is sent with a count of 0.
    let code = acme(
        r#"{ "name": "only", "type": "block", "token": "ONLY", "optional": true, "arguments": [
            { "name": "count", "type": "integer" },
            { "name": "field", "type": "string", "optional": true, "multiple": true }
        ] }"#,
    )
    .unwrap();
    assert_has(
        &code,
        &[
            "self.only = Some(field.into_list());",
            r#"to.word(b"ONLY"); to.unsigned(field.len() as u64);"#,
        ],
    );
}

#[test]
fn steps_are_setters_that_may_be_called_again() {
    let alternatives = r#""type": "oneof", "arguments": [
        { "name": "filter", "type": "string", "token": "FILTER" },
        { "name": "limit", "type": "block", "token": "LIMIT", "arguments": [
            { "name": "offset", "type": "integer" }, { "name": "num", "type": "integer" } ] }
    ]"#;
    let step = r#""name": "step", "optional": true, "multiple": true"#;
    let code = acme(&format!("{{ {step}, {alternatives}, \"steps\": true }}")).unwrap();
    assert_has(
        &code,
        &[
            "pub fn filter(mut self, filter: impl Into<Arg<'a>>) -> Self {
                self.step = Some(
                    List::with(self.step.take(), AcmeFindStep::Filter(filter.into())),
                );
                self
            }",
            "pub fn limit(mut self, offset: impl Integer, num: impl Integer) -> Self",
        ],
    );
    let once = r#""name": "step", "optional": true, "steps": true"#;
    let error = acme(&format!("{{ {once}, {alternatives} }}")).unwrap_err();
    assert!(error.contains("`step` is said to be of steps"), "{error}");
}

#[test]
fn a_block_with_a_type_of_its_own_is_a_value() {
    let mark = r#""type": "block", "rust_type": "Mark", "optional": true, "arguments": [
        { "name": "mark", "type": "pure-token", "token": "MARK" },
        { "name": "tags", "type": "block", "optional": true, "arguments": [
            { "name": "tags", "type": "pure-token", "token": "TAGS" },
            { "name": "open", "type": "string" }, { "name": "close", "type": "string" } ] },
        { "name": "end", "type": "oneof", "optional": true, "arguments": [
            { "name": "left", "type": "pure-token", "token": "LEFT" },
            { "name": "right", "type": "pure-token", "token": "RIGHT" } ] }
    ]"#;
    let code = acme(&format!(r#"{{ "name": "mark", {mark} }}"#)).unwrap();
    assert_has(
        &code,
        &[
            "pub fn mark(mut self, mark: impl Into<Mark<'a>>) -> Self",
            "#[derive(Clone, Debug, Default)] pub struct Mark<'a>",
            "pub fn tags(mut self, open: impl Into<Arg<'a>>, close: impl Into<Arg<'a>>) -> Self",
            "pub fn left(mut self) -> Self",
            "pub fn end(mut self, end:",
        ],
    );
    let other = mark.replace("TAGS", "BETWEEN");
    let both = format!(r#"{{ "name": "mark", {mark} }}, {{ "name": "more", {other} }}"#);
    let error = acme(&both).unwrap_err();
    assert!(
        error.contains("two different blocks would be called Mark"),
        "{error}"
    );
    let error = acme(
        r#"{ "name": "schema", "type": "block", "handwritten": "it is odd", "arguments": [] }"#,
    )
    .unwrap_err();
    assert!(
        error.contains("`schema` is written by hand, expected the name of its type"),
        "{error}"
    );
}

/// A reply that is laid out by an option of another name could not be read.
#[test]
fn a_reply_is_laid_out_by_options_of_its_command() {
    let (mut spec, _) = built();
    let reply = respec_codegen::replies::parse_reply("@SearchResult[WITHNOTHING]").unwrap();
    spec.replies.insert("FT.SEARCH".to_owned(), reply);
    let error = Model::build(&spec, &Names::load(&dir()).unwrap()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("laid out by `WITHNOTHING`, which is no option of it"),
        "{error}"
    );
}
