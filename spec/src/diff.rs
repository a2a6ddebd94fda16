//! What changed between two specs, as a person would read it.

use std::collections::BTreeSet;
use std::fmt;

use respec_codegen::json::Word;
use respec_codegen::source::names_in;
use respec_codegen::spec::{
    Argument, ArgumentType, BeginSearch, Command, Commands, FindKeys, KeySpec, Provider,
};
use respec_codegen::syntax::syntax;

/// The difference of two specs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Commands that only the second has, with their syntax.
    pub added: Vec<(String, String)>,
    /// Commands that only the first has.
    pub removed: Vec<String>,
    /// Commands that both have and that differ, with the differences.
    pub changed: Vec<(String, Vec<String>)>,
}

/// Compares two specs.
pub fn commands(first: &Commands, second: &Commands) -> Diff {
    let mut diff = Diff::default();
    for (name, new) in second {
        match first.get(name) {
            None => diff.added.push((name.clone(), describe(name, new))),
            Some(old) => {
                let changes = command(old, new);
                if !changes.is_empty() {
                    diff.changed.push((name.clone(), changes));
                }
            }
        }
    }
    diff.removed = first
        .keys()
        .filter(|name| !second.contains_key(*name))
        .cloned()
        .collect();
    diff
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.removed {
            writeln!(f, "- {name}")?;
        }
        for (_, description) in &self.added {
            writeln!(f, "+ {description}")?;
        }
        for (name, changes) in &self.changed {
            writeln!(f, "~ {name}")?;
            for change in changes {
                writeln!(f, "    {change}")?;
            }
        }
        let (added, removed) = (self.added.len(), self.removed.len());
        writeln!(
            f,
            "{added} added, {removed} removed, {} changed",
            self.changed.len()
        )
    }
}

/// The differences of one command, facts first.
pub fn command(old: &Command, new: &Command) -> Vec<String> {
    let mut changes = facts(old, new);
    texts(&mut changes, old, new);
    optional(
        &mut changes,
        "provider",
        &provider(old.provider),
        &provider(new.provider),
    );
    change(&mut changes, "history", &versions(old), &versions(new));
    own_facts(&mut changes, old, new);
    arguments(&mut changes, &old.arguments, &new.arguments, &[], false);
    changes
}

/// The differences of what servers tell about a command, its arguments and texts aside.
pub fn facts(old: &Command, new: &Command) -> Vec<String> {
    let mut changes = Vec::new();
    optional(&mut changes, "since", &old.since, &new.since);
    change(&mut changes, "group", &old.group, &new.group);
    optional(&mut changes, "module", &old.module, &new.module);
    optional(
        &mut changes,
        "deprecated since",
        &old.deprecated_since,
        &new.deprecated_since,
    );
    if old.arity != new.arity {
        changes.push(format!("arity: {} -> {}", old.arity, new.arity));
    }
    set(
        &mut changes,
        "flags",
        &old.command_flags,
        &new.command_flags,
    );
    set(
        &mut changes,
        "categories",
        &old.acl_categories,
        &new.acl_categories,
    );
    set(&mut changes, "tips", &old.hints, &new.hints);
    set(
        &mut changes,
        "documentation flags",
        &old.doc_flags,
        &new.doc_flags,
    );
    let specs =
        |command: &Command| -> Vec<String> { command.key_specs.iter().map(key_spec).collect() };
    let (old, new) = (specs(old), specs(new));
    if old != new {
        let listed = |specs: &[String]| match specs {
            [] => "none".to_owned(),
            specs => specs.join("; "),
        };
        changes.push(format!("key specs: {} -> {}", listed(&old), listed(&new)));
    }
    changes
}

/// The arguments that only the second has.
pub fn additions(first: &Command, second: &Command) -> Vec<String> {
    let mut changes = Vec::new();
    arguments(
        &mut changes,
        &first.arguments,
        &second.arguments,
        &[],
        false,
    );
    changes.retain(|change| change.starts_with("+ "));
    changes
}

/// The differences of one argument, its parts aside.
pub fn argument(old: &Argument, new: &Argument) -> Vec<String> {
    let mut changes = Vec::new();
    let name = &new.name;
    let mut note = |what: &str, old: String, new: String| {
        if old != new {
            changes.push(format!("{what} of {name}: {old} -> {new}"));
        }
    };
    let word = |token: &Option<String>| token.clone().unwrap_or_else(|| "none".to_owned());
    note("name", old.name.clone(), new.name.clone());
    note("type", kind(old.kind), kind(new.kind));
    let upper = |token: &Option<String>| word(&token.as_ref().map(|token| token.to_uppercase()));
    note("token", upper(&old.token), upper(&new.token));
    note("optional", yes_or_no(old.optional), yes_or_no(new.optional));
    note("multiple", yes_or_no(old.multiple), yes_or_no(new.multiple));
    note(
        "token before each",
        yes_or_no(old.multiple_token),
        yes_or_no(new.multiple_token),
    );
    let index = |argument: &Argument| {
        argument
            .key_spec_index
            .map_or_else(|| "none".to_owned(), |index| index.to_string())
    };
    note("key spec", index(old), index(new));
    note("since", word(&old.since), word(&new.since));
    note(
        "deprecated since",
        word(&old.deprecated_since),
        word(&new.deprecated_since),
    );
    let family = |argument: &Argument| word(&provider(argument.provider));
    note("provider", family(old), family(new));
    let by_rule = "by rule".to_owned();
    let count = |argument: &Argument| {
        argument
            .count
            .map_or(by_rule.clone(), |it| it.word().to_owned())
    };
    let unit = |argument: &Argument| {
        argument
            .unit
            .map_or(by_rule.clone(), |it| it.word().to_owned())
    };
    note("count", count(old), count(new));
    note("unit", unit(old), unit(new));
    changes
}

fn arguments(
    changes: &mut Vec<String>,
    old: &[Argument],
    new: &[Argument],
    path: &[&str],
    alternatives: bool,
) {
    let pairs = crate::merge::pair(old, new);
    let place = match path {
        [] => String::new(),
        path => format!(" in {}", path.join(" ")),
    };
    let what = |argument: &Argument| match (alternatives, argument.optional) {
        (true, _) => "alternative",
        (_, true) => "option",
        (_, false) => "argument",
    };
    let paired: BTreeSet<usize> = pairs.iter().flatten().copied().collect();
    for (index, gone) in old.iter().enumerate() {
        if !paired.contains(&index) {
            changes.push(format!("- {} {gone}{place}", what(gone)));
        }
    }
    for (new, pair) in new.iter().zip(&pairs) {
        let Some(old) = pair.map(|index| &old[index]) else {
            let mut line = format!("+ {} {new}{place}", what(new));
            if let Some(since) = &new.since {
                line.push_str(&format!(", since {since}"));
            }
            if let Some(provider) = provider(new.provider) {
                line.push_str(&format!(", only {provider}"));
            }
            changes.push(line);
            continue;
        };
        changes.extend(
            argument(old, new)
                .into_iter()
                .map(|line| format!("{line}{place}")),
        );
        let mut path = path.to_vec();
        path.push(&new.name);
        let alternatives = new.kind == ArgumentType::Oneof;
        arguments(changes, &old.arguments, &new.arguments, &path, alternatives);
    }
    let order: Vec<usize> = pairs.iter().flatten().copied().collect();
    if !alternatives && !order.is_sorted() {
        changes.push(format!("other order{place}: {}", syntax(new)));
    }
}

/// The words, where both have some: most sources come without the words of this project.
fn texts(changes: &mut Vec<String>, old: &Command, new: &Command) {
    if !old.summary.is_empty() && !new.summary.is_empty() {
        change(changes, "summary", &old.summary, &new.summary);
    }
    let is_told = |command: &Command| command.history.iter().all(|(_, text)| !text.is_empty());
    if old.history != new.history && versions(old) == versions(new) && is_told(old) && is_told(new)
    {
        changes.push("history: other words".to_owned());
    }
    let names = |command: &Command| {
        let names = command
            .replaced_by
            .as_deref()
            .map(names_in)
            .unwrap_or_default();
        (!names.is_empty()).then(|| names.join(", "))
    };
    optional(changes, "replaced by", &names(old), &names(new));
}

fn versions(command: &Command) -> String {
    let versions: Vec<_> = command
        .history
        .iter()
        .map(|(version, _)| version.as_str())
        .collect();
    versions.join(", ")
}

/// The facts that no server tells.
fn own_facts(changes: &mut Vec<String>, old: &Command, new: &Command) {
    let texts = |command: &Command| {
        [
            (
                "retry",
                command.retry.map(|it| format!("{it:?}").to_lowercase()),
            ),
            (
                "connection",
                command
                    .connection
                    .map(|it| format!("{it:?}").to_lowercase()),
            ),
            (
                "blocking",
                command.blocking.as_ref().map(|it| it.timeout.clone()),
            ),
            (
                "replies",
                command.replies.map(|it| format!("{it:?}").to_lowercase()),
            ),
            ("written by hand", command.handwritten.clone()),
            ("split", command.split.clone()),
            ("route", command.route.as_ref().map(|it| format!("{it:?}"))),
            ("replicas", command.replicas.map(|it| it.to_string())),
            (
                "safe with",
                (!command.safe_with.is_empty()).then(|| command.safe_with.join(", ")),
            ),
            (
                "cacheable",
                command.cacheable.as_ref().map(|it| format!("{it:?}")),
            ),
            ("urgent", command.urgent.then(|| "yes".to_owned())),
            (
                "runs a script",
                command.runs_script.then(|| "yes".to_owned()),
            ),
        ]
    };
    for ((what, old), (_, new)) in texts(old).into_iter().zip(texts(new)) {
        optional(changes, what, &old, &new);
    }
}

fn describe(name: &str, command: &Command) -> String {
    let mut line = name.to_owned();
    let grammar = syntax(&command.arguments);
    if !grammar.is_empty() {
        line.push_str(&format!(" {grammar}"));
    }
    let since = command
        .since
        .as_deref()
        .map(|since| format!(", since {since}"));
    let group = command.module.as_deref().unwrap_or(&command.group);
    format!("{line}  ({group}{})", since.unwrap_or_default())
}

fn key_spec(spec: &KeySpec) -> String {
    let begin = match &spec.begin_search {
        BeginSearch::Index { index } => format!("at {index}"),
        BeginSearch::Keyword { keyword, startfrom } => format!("after {keyword} from {startfrom}"),
        BeginSearch::Unknown => "unknown place".to_owned(),
    };
    let find = match spec.find_keys {
        FindKeys::Range {
            lastkey,
            keystep,
            limit,
        } => {
            format!("range last {lastkey} step {keystep} limit {limit}")
        }
        FindKeys::Keynum {
            keynumidx,
            firstkey,
            keystep,
        } => {
            format!("count at {keynumidx} first {firstkey} step {keystep}")
        }
        FindKeys::Unknown => "unknown range".to_owned(),
    };
    let flags: Vec<&str> = spec.flags.keys().map(String::as_str).collect();
    format!("{begin}, {find}, {}", flags.join(" "))
}

fn set(changes: &mut Vec<String>, what: &str, old: &[String], new: &[String]) {
    let mut words = Vec::new();
    words.extend(
        new.iter()
            .filter(|word| !old.contains(word))
            .map(|word| format!("+{word}")),
    );
    words.extend(
        old.iter()
            .filter(|word| !new.contains(word))
            .map(|word| format!("-{word}")),
    );
    if !words.is_empty() {
        changes.push(format!("{what}: {}", words.join(" ")));
    }
}

fn change(changes: &mut Vec<String>, what: &str, old: &str, new: &str) {
    if old != new {
        changes.push(format!("{what}: {old} -> {new}"));
    }
}

fn optional(changes: &mut Vec<String>, what: &str, old: &Option<String>, new: &Option<String>) {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    change(changes, what, &text(old), &text(new));
}

fn provider(provider: Option<Provider>) -> Option<String> {
    provider.map(|provider| format!("{provider:?}").to_lowercase())
}

fn kind(kind: ArgumentType) -> String {
    match kind {
        ArgumentType::UnixTime => "unix-time".to_owned(),
        ArgumentType::PureToken => "pure-token".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn yes_or_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}
