//! The facts of every command as constants.

use std::fmt::Write as _;

use crate::{
    load::Spec,
    model::{
        feature,
        routing::{Routing, on_replicas},
    },
    spec::{
        BeginSearch, Command, ConnectionUse, FindKeys, Join, KeySpec, Nodes, Provider, ReplyCount,
        Retry, Unit,
    },
};

use super::{Root, text::Text};

/// The constant of a command: `XGROUP_CREATE`.
pub(super) fn constant(name: &str) -> String {
    name.replace(['.', ' ', '-'], "_")
        .to_uppercase()
        .trim_start_matches('_')
        .to_owned()
}

/// `info.rs`: a constant for each command, and the list of all, sorted by name.
pub(super) fn file(spec: &Spec, root: Root) -> String {
    let mut out = Text::default();
    out.line(&format!("use {}::command::*;", root.path()));
    out.line("");
    out.doc("The facts of every command, sorted by name.");
    out.line("pub static ALL: &[&Info] = &[");
    for name in spec.commands.keys() {
        out.line(&format!("    &{},", constant(name)));
    }
    out.line("];");
    out.line("");
    for (name, command) in &spec.commands {
        item(&mut out, name, command);
    }
    let mut text = out.finish();
    while text.ends_with("\n\n") {
        text.pop();
    }
    text
}

/// ```text
/// /// `GET`
/// pub static GET: Info = Info {
///     name: "GET",
///     encoded: b"$3\r\nGET\r\n",
///     …
/// };
/// ```
fn item(out: &mut Text, name: &str, command: &Command) {
    let mut encoded = String::new();
    for word in name.split(' ') {
        let _ = write!(encoded, "${}\\r\\n{word}\\r\\n", word.len());
    }
    out.doc(&format!("`{name}`"));
    out.line(&format!("pub static {}: Info = Info {{", constant(name)));
    let mut line = |text: String| out.line(&format!("    {text},"));
    line(format!("name: {name:?}"));
    line(format!("encoded: b\"{encoded}\""));
    line(format!("words: {}", name.split(' ').count()));
    line(format!("group: {:?}", feature(command)));
    line(format!("module: {:?}", command.module));
    line(format!(
        "provider: {}",
        match command.provider {
            Some(Provider::Redis) => "Some(Provider::Redis)",
            Some(Provider::Valkey) => "Some(Provider::Valkey)",
            None => "None",
        }
    ));
    line(format!("since: {:?}", command.since));
    line(match (&command.deprecated_since, &command.replaced_by) {
        (Some(since), by) => format!(
            "deprecated: Some(Deprecated {{\n        since: {since:?},\n        replaced_by: {:?},\n    }})",
            by.clone().unwrap_or_default()
        ),
        _ => "deprecated: None".to_owned(),
    });
    line(format!("arity: {}", command.arity));
    let names: Vec<_> = command
        .command_flags
        .iter()
        .map(|name| format!("{name:?}"))
        .collect();
    line(array("flags: Flags::named(&", &names, ")"));
    let names: Vec<_> = command
        .acl_categories
        .iter()
        .map(|name| format!("{name:?}"))
        .collect();
    line(array("acl_categories: &", &names, ""));
    let keys: Vec<_> = command.key_specs.iter().map(key_spec).collect();
    line(array("keys: &", &keys, ""));
    line(format!(
        "request_policy: {}",
        policy(command, "request_policy", "RequestPolicy")
    ));
    line(format!(
        "response_policy: {}",
        policy(command, "response_policy", "ResponsePolicy")
    ));
    line(format!("routing: {}", routing(command)));
    line(format!("replicas: {}", on_replicas(command)));
    line(match &command.blocking {
        Some(blocking) => format!(
            "blocking: Some(Blocking {{\n        timeout: {:?},\n        unit: Unit::{},\n        \
             only_if_given: {},\n    }})",
            blocking.timeout,
            if blocking.unit == Unit::Milliseconds {
                "Milliseconds"
            } else {
                "Seconds"
            },
            blocking.only_if_given
        ),
        None => "blocking: None".to_owned(),
    });
    line(format!(
        "connection: {}",
        match command.connection {
            Some(ConnectionUse::State) => "Some(ConnectionUse::State)",
            Some(ConnectionUse::Transaction) => "Some(ConnectionUse::Transaction)",
            Some(ConnectionUse::Subscription) => "Some(ConnectionUse::Subscription)",
            Some(ConnectionUse::Takeover) => "Some(ConnectionUse::Takeover)",
            None => "None",
        }
    ));
    let readonly = command.command_flags.iter().any(|flag| flag == "readonly");
    line(format!(
        "retry: Retry::{}",
        match command.retry {
            Some(Retry::Safe) => "Safe",
            Some(Retry::State) => "State",
            Some(Retry::No) => "No",
            Some(Retry::Options) => "Options",
            None if readonly => "Safe",
            None => "No",
        }
    ));
    line(format!(
        "replies: Replies::{}",
        match command.replies {
            Some(ReplyCount::None) => "None",
            Some(ReplyCount::PerArgument) => "PerArgument",
            Some(ReplyCount::Stream) => "Stream",
            None => "One",
        }
    ));
    out.line("};");
    out.line("");
}

/// `head[items]tail`, one item on a line where they are long.
fn array(head: &str, items: &[String], tail: &str) -> String {
    let flat = items.join(", ");
    if flat.len() <= 60 {
        return format!("{head}[{flat}]{tail}");
    }
    if let [only] = items {
        return format!("{head}[{}]{tail}", chain(only, 8));
    }
    let mut text = format!("{head}[\n");
    for item in items {
        let _ = writeln!(text, "        {},", chain(item, 12));
    }
    let _ = write!(text, "    ]{tail}");
    text
}

/// A chain of calls, one on a line where it is long.
fn chain(calls: &str, indent: usize) -> String {
    if calls.len() <= 60 {
        return calls.to_owned();
    }
    calls.replace(").", &format!(")\n{}.", " ".repeat(indent)))
}

/// `KeySpec::at(1).range(0, 1, 0).read_write()`
fn key_spec(spec: &KeySpec) -> String {
    let begin = match &spec.begin_search {
        BeginSearch::Index { index } => format!("at({index})"),
        BeginSearch::Keyword { keyword, startfrom } => format!("after({keyword:?}, {startfrom})"),
        _ => "unknown()".to_owned(),
    };
    let find = match &spec.find_keys {
        FindKeys::Range {
            lastkey,
            keystep,
            limit,
        } => {
            format!(".range({lastkey}, {keystep}, {limit})")
        }
        FindKeys::Keynum {
            keynumidx,
            firstkey,
            keystep,
        } => {
            format!(".counted({keynumidx}, {firstkey}, {keystep})")
        }
        _ => String::new(),
    };
    let notes: String = [
        ("RW", ".read_write()"),
        ("RO", ".read_only()"),
        ("OW", ".overwrite()"),
        ("RM", ".remove()"),
        ("incomplete", ".incomplete()"),
        ("not_key", ".not_key()"),
        ("unless_empty", ".unless_empty()"),
    ]
    .into_iter()
    .filter(|(flag, _)| spec.flags.get(*flag).copied().unwrap_or_default())
    .map(|(_, call)| call)
    .collect();
    let skip = match spec.skip.is_empty() {
        true => String::new(),
        false => {
            let options: Vec<_> = spec
                .skip
                .iter()
                .map(|(option, values)| format!("({option:?}, {values})"))
                .collect();
            format!(".skip(&[{}])", options.join(", "))
        }
    };
    format!("KeySpec::{begin}{skip}{find}{notes}")
}

/// `Routing::AllPrimaries(Join::Sum)`
fn routing(command: &Command) -> String {
    let (nodes, join, unless) = match Routing::of(command) {
        Routing::Keys => return "Routing::Keys".to_owned(),
        Routing::Connection => return "Routing::Connection".to_owned(),
        // What is wrong on the node that was asked is redirected, or answered with an error.
        Routing::Undecided => return "Routing::AnyNode".to_owned(),
        Routing::Nodes(nodes, join, unless) => (nodes, join.unwrap_or(Join::First), unless),
    };
    match nodes {
        Nodes::AnyNode => "Routing::AnyNode".to_owned(),
        Nodes::OneNode => "Routing::OneNode".to_owned(),
        Nodes::Slot => "Routing::Slot".to_owned(),
        Nodes::AllNodes => format!("Routing::AllNodes(Join::{join:?})"),
        Nodes::AllPrimaries => format!("Routing::AllPrimaries(Join::{join:?})"),
        Nodes::Parts => {
            format!(
                "Routing::Parts {{\n        join: Join::{join:?},\n        unless: &{unless:?},\n    }}"
            )
        }
    }
}

fn policy(command: &Command, tip: &str, ty: &str) -> String {
    command
        .hints
        .iter()
        .find_map(|hint| hint.strip_prefix(tip)?.strip_prefix(':'))
        .map_or("None".to_owned(), |value| {
            format!("Some({ty}::{})", heck::AsUpperCamelCase(value))
        })
}
