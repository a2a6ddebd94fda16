//! The documentation of a command, made from its facts.

use crate::{
    load::Spec,
    model::{CommandModel, Note, routing::Routing},
    spec::{BeginSearch, Command, ConnectionUse, FindKeys, Join, Nodes, Provider},
};

/// The docs of a command's struct: syntax and sentence, then facts, then changes.
pub(super) fn command(model: &CommandModel, spec: &Spec) -> String {
    let command = &spec.commands[&model.name];
    let mut paragraphs = vec![format!("`{}`", model.syntax), escaped(&command.summary)];
    if let Some(reply) = spec.replies.get(&model.name)
        && let Some(note) = &reply.note
    {
        let what = if reply.is_typed() { "None" } else { "Value" };
        paragraphs.push(format!("`{what}`: {}.", escaped(note)));
    }
    paragraphs.extend(connection(command).map(str::to_owned));
    paragraphs.extend(waiting(command).map(str::to_owned));
    paragraphs.extend(cluster(command));
    paragraphs.push(facts(command, model.note.as_ref()));
    if let Some(since) = &command.deprecated_since {
        let instead = match command.replaced_by.as_deref() {
            Some(text) if !text.is_empty() => format!("; use {}", escaped(text)),
            _ => String::new(),
        };
        paragraphs.push(format!("Deprecated by Redis since {since}{instead}."));
    }
    if !command.history.is_empty() {
        let changes = command.history.iter().map(|(version, text)| match &**text {
            "" => format!("\n* {version}"),
            text => format!("\n* {version}: {}", escaped(text)),
        });
        paragraphs.push(format!(
            "Changes by version:{}",
            changes.collect::<String>()
        ));
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n\n")
}

/// The docs of a method or constructor: syntax, sentence, and where the rest stands.
pub(super) fn short(model: &CommandModel, spec: &Spec) -> String {
    let summary = escaped(&spec.commands[&model.name].summary);
    let sentence = format!("{summary} See {}.", link(&model.type_name));
    format!("`{}`\n\n{}", model.syntax, sentence.trim_start())
}

/// A link to a struct; `Copy` is also the name of a derive macro.
fn link(name: &str) -> String {
    match name {
        "Copy" | "Debug" | "Hash" => format!("[`{name}`](struct@{name})"),
        _ => format!("[`{name}`]"),
    }
}

/// Since, complexity, access, categories and keys on one line. What is noted of an alternative goes
/// before what holds for the command.
fn facts(command: &Command, note: Option<&Note>) -> String {
    let mut facts = Vec::new();
    let provider = note.and_then(|note| note.provider).or(command.provider);
    let since = note
        .and_then(|note| note.since.as_ref())
        .or(command.since.as_ref());
    let family = match (command.module.as_deref(), provider) {
        (Some(module), _) => format!("module {module}"),
        (None, Some(Provider::Valkey)) => "Valkey".to_owned(),
        (None, Some(Provider::Redis)) => "Redis".to_owned(),
        (None, None) => String::new(),
    };
    match (&*family, since) {
        ("", Some(since)) => facts.push(format!("Since {since}")),
        (family, Some(since)) => facts.push(format!("Since {family} {since}")),
        (family, None) if !family.is_empty() => facts.push(format!("Of {family}")),
        _ => {}
    }
    if let Some(complexity) = &command.complexity {
        facts.push(escaped(complexity));
    }
    let has = |flag: &str| command.command_flags.iter().any(|name| name == flag);
    if has("readonly") {
        facts.push("reads only".to_owned());
    } else if has("write") {
        facts.push("writes".to_owned());
    }
    if !command.acl_categories.is_empty() {
        let names: Vec<_> = command
            .acl_categories
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        facts.push(names.join(" "));
    }
    facts.push(keys(command));
    format!("{}.", facts.join(" · "))
}

/// Where the keys stand, in words.
fn keys(command: &Command) -> String {
    if command.key_specs.is_empty() {
        return "no keys".to_owned();
    }
    let places: Vec<_> = command
        .key_specs
        .iter()
        .map(|spec| {
            let begin = match &spec.begin_search {
                BeginSearch::Index { index } => format!("word {index}"),
                BeginSearch::Keyword { keyword, .. } => format!("after `{keyword}`"),
                _ => return "where its options tell".to_owned(),
            };
            match &spec.find_keys {
                FindKeys::Range { lastkey: 0, .. } => begin,
                FindKeys::Range {
                    lastkey: -1,
                    keystep: 1,
                    limit: 0,
                } => {
                    format!("{begin} to the last")
                }
                FindKeys::Range {
                    lastkey: -2,
                    keystep: 1,
                    ..
                } => {
                    format!("{begin} to the last but one")
                }
                FindKeys::Range {
                    lastkey: -1,
                    keystep,
                    limit: 0,
                } => {
                    format!("{begin}, every {keystep}. word to the last")
                }
                FindKeys::Range { lastkey, .. } if *lastkey > 0 => {
                    format!("{begin} and the {lastkey} after it")
                }
                FindKeys::Range { limit, .. } => {
                    format!("{begin}, one part in {limit} of the rest")
                }
                FindKeys::Keynum { .. } => format!("counted at {begin}"),
                _ => format!("from {begin}"),
            }
        })
        .collect();
    format!("keys: {}", places.join("; "))
}

/// What a command does to its connection.
fn connection(command: &Command) -> Option<&'static str> {
    Some(match command.connection? {
        ConnectionUse::State => {
            "It belongs to one connection, so it is a method of a connection of one's own and is \
             refused by a client that others share."
        }
        ConnectionUse::Transaction => {
            "It opens or ends a transaction or a watch of one connection, so it is a method of a \
             connection of one's own; a client has `transaction`."
        }
        ConnectionUse::Subscription => {
            "It turns its connection into a receiver of pushes, so it is a method of a connection \
             of one's own."
        }
        ConnectionUse::Takeover => {
            "It ends or takes over its connection, so it is a method of a connection of one's own."
        }
    })
}

/// What a command takes while it waits.
fn waiting(command: &Command) -> Option<&'static str> {
    let blocking = command.blocking.as_ref()?;
    Some(match blocking.only_if_given {
        false => {
            "While it waits it has one of the pool's connections to itself, of which there are \
             `pool_max` at most."
        }
        true => {
            "Where it waits it has one of the pool's connections to itself, of which there are \
             `pool_max` at most."
        }
    })
}

/// What is special about a command in a cluster.
fn cluster(command: &Command) -> Option<String> {
    let Routing::Nodes(nodes, join, unless) = Routing::of(command) else {
        return None;
    };
    let who = match nodes {
        Nodes::AnyNode => return None,
        Nodes::SameNode => {
            let text = "In a cluster one primary runs it, the same one while the topology lasts.";
            return Some(text.to_owned());
        }
        Nodes::NodeOfArgument => {
            let text = "In a cluster its first argument decides which primary runs it, the same one \
                        while the topology lasts.";
            return Some(text.to_owned());
        }
        Nodes::NodeByNode => {
            let text = "In a cluster a cursor belongs to one node: `iterate` of a client scans all of \
                        them.";
            return Some(text.to_owned());
        }
        Nodes::OneNode => {
            return Some("In a cluster it is sent to the node that the caller names.".to_owned());
        }
        Nodes::Slot => {
            let text = "In a cluster the primary of the slot that it names runs it.";
            return Some(text.to_owned());
        }
        Nodes::Parts => {
            let words: Vec<_> = unless.iter().map(|word| format!("`{word}`")).collect();
            let unless = match &*words {
                [] => String::new(),
                words => format!(" With {} they must not.", words.join(" or ")),
            };
            return Some(format!(
                "In a cluster the keys may lie in several slots. Each slot then gets a part of the \
                 command, so that it is not atomic: parts may fail while others have run.{unless}"
            ));
        }
        Nodes::AllNodes => "every node, replicas included,",
        Nodes::AllPrimaries => "every primary",
    };
    let how = match join.unwrap_or(Join::First) {
        Join::First => "and the first answer stands for all unless one is an error",
        Join::OneSucceeded => "and the first answer that is no error stands for all",
        Join::And => "and the reply is the logical and of the answers",
        Join::Or => "and the reply is the logical or of the answers",
        Join::Min => "and the reply is the smallest answer",
        Join::Max => "and the reply is the largest answer",
        Join::Sum => "and the reply is the sum of the answers",
        Join::Concatenate | Join::InOrder => "and the answers stand one behind the other",
        Join::Union => "and the answers stand one behind the other, without repetitions",
        Join::Any => {
            "and the reply is an answer that is not nil, if there is one, by chance: the more a node \
             has, the more likely it is its answer"
        }
        Join::PerNode => "and answers for itself: the reply is a map from addresses to answers",
    };
    let unless: Vec<_> = unless.iter().map(|word| format!("`{word}`")).collect();
    let unless = match &*unless {
        [] => String::new(),
        words => format!(
            " With {} it is about one node, which the caller names.",
            words.join(" or ")
        ),
    };
    Some(format!("In a cluster {who} runs it, {how}.{unless}"))
}

/// Text of the spec as Markdown of rustdoc: brackets and angles outside code are escaped.
fn escaped(text: &str) -> String {
    let mut code = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '`' => {
                code = !code;
                out.push(c);
            }
            '[' | ']' | '<' | '>' | '*' if !code => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}
