//! The routes of commands are those that the servers themselves give as tips.
//!
//! That tells whether the facts that the other checks go by are right. Where `routes.json` of the
//! spec says something else, with its reason, that counts as named.

use std::collections::{BTreeMap, BTreeSet};

use respec::{
    command::{Info, Join, Routing},
    reply::Value,
};
use respec_conformance::{Deviations, Seen, list};
use serde::Deserialize;

use crate::{
    ground::{Ground, ask, text},
    table::Line,
};

/// Compares all commands that a server has.
pub(crate) fn run(ground: &Ground, known: &Deviations) -> Line {
    let corrected = corrected();
    let mut line = Line::new(ground.variant.name(), "tips");
    for (command, tips) in tips(ground) {
        let Some(info) = Info::of(&command) else {
            continue;
        };
        line.commands.insert(info.name);
        line.samples += 1;
        if is_as_tipped(info, &tips) {
            line.answered += 1;
            continue;
        }
        let found = format!("{:?} instead of {tips:?}", info.routing);
        let seen = Seen {
            server: ground.variant.name(),
            version: "",
            checks: &["tips"],
            command: info.name,
            label: "",
            found: &found,
        };
        if corrected.contains(info.name) || known.name(&seen) {
            line.named += 1;
        } else {
            line.failures.push(format!("{command}: {found}"));
        }
    }
    line
}

/// Whether a command goes where its tips say, and what they say about the answers holds.
fn is_as_tipped(info: &Info, tips: &[String]) -> bool {
    let tip = |name: &str| {
        let mut tips = tips.iter().filter_map(|tip| tip.split_once(':'));
        tips.find(|(it, _)| *it == name).map(|(_, value)| value)
    };
    let join = match (tip("request_policy"), info.routing) {
        (Some("all_nodes"), Routing::AllNodes(join))
        | (Some("all_shards"), Routing::AllPrimaries(join))
        | (Some("multi_shard"), Routing::Parts { join, .. }) => join,
        (None, Routing::Keys) => return true,
        (
            None,
            Routing::AnyNode
            | Routing::SameNode
            | Routing::NodeOfArgument
            | Routing::OneNode
            | Routing::NodeByNode
            | Routing::Connection
            | Routing::Slot,
        ) => {
            return info.keys.is_empty();
        }
        // The words of the documentation say where; none of these goes to all nodes.
        (
            Some("special"),
            Routing::AnyNode
            | Routing::SameNode
            | Routing::NodeOfArgument
            | Routing::OneNode
            | Routing::NodeByNode
            | Routing::Slot,
        ) => return true,
        _ => return false,
    };
    match tip("response_policy") {
        Some("all_succeeded") => join == Join::First,
        Some("one_succeeded") => join == Join::OneSucceeded,
        Some("agg_sum") => join == Join::Sum,
        Some("agg_min") => join == Join::Min,
        Some("agg_max") => join == Join::Max,
        Some("agg_logical_and") => join == Join::And,
        Some("agg_logical_or") => join == Join::Or,
        Some("special") => join == Join::PerNode,
        // By default lists are put together, in the order of the keys where there are keys.
        _ => {
            join == if info.keys.is_empty() {
                Join::Concatenate
            } else {
                Join::InOrder
            }
        }
    }
}

/// The tips of every command of the servers, and of their subcommands.
fn tips(ground: &Ground) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    let mut open = list(&ask(&mut ground.hand(0, 2), &["COMMAND"]));
    while let Some(command) = open.pop() {
        let parts = list(&command);
        let part = |at: usize| parts.get(at).map(list).unwrap_or_default();
        let name = parts.first().map(text).unwrap_or_default();
        let name = name.replace('|', " ").to_uppercase();
        all.insert(name, part(TIPS).iter().map(text).collect());
        open.extend::<Vec<Value>>(part(SUBCOMMANDS));
    }
    all
}

/// The commands of which the spec says itself where they go.
fn corrected() -> BTreeSet<String> {
    #[derive(Deserialize)]
    struct Correction {
        commands: Vec<String>,
        path: String,
    }
    let text = include_str!("../../../commands-spec/routes.json");
    let all: Vec<Correction> = serde_json::from_str(text).expect("corrections");
    let routes = all.into_iter().filter(|it| it.path == "route");
    routes.flat_map(|it| it.commands).collect()
}

/// Where they are in what `COMMAND` says of each command.
const TIPS: usize = 7;
const SUBCOMMANDS: usize = 9;
