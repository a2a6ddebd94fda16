//! Which nodes of a cluster run a command: what its keys and tips say, unless the spec corrects it.

use crate::spec::{Command, Join, Nodes, Route};

/// Which nodes of a cluster run a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routing {
    /// The node of the slot that its keys share.
    Keys,
    /// The node of the connection that it is about.
    Connection,
    /// The nodes that a tip or a correction names.
    Nodes(Nodes, Option<Join>, Vec<String>),
    /// The spec does not say.
    Undecided,
}

impl Routing {
    /// What is known about a command.
    #[must_use]
    pub fn of(command: &Command) -> Self {
        if let Some(Route {
            to, join, unless, ..
        }) = &command.route
        {
            return Self::Nodes(*to, *join, unless.clone());
        }
        if command.connection.is_some() && command.key_specs.is_empty() {
            return Self::Connection;
        }
        let nodes = match tip(command, "request_policy") {
            Some("all_nodes") => Nodes::AllNodes,
            Some("all_shards") => Nodes::AllPrimaries,
            Some("multi_shard") => Nodes::Parts,
            _ if command.key_specs.is_empty() => return Self::Undecided,
            _ => return Self::Keys,
        };
        let join = match tip(command, "response_policy") {
            Some("one_succeeded") => Join::OneSucceeded,
            Some("all_succeeded") => Join::First,
            Some("agg_logical_and") => Join::And,
            Some("agg_logical_or") => Join::Or,
            Some("agg_min") => Join::Min,
            Some("agg_max") => Join::Max,
            Some("agg_sum") => Join::Sum,
            Some("special") => Join::PerNode,
            // Without a tip the answers are lists, or nothing that could be joined.
            _ => return Self::Undecided,
        };
        Self::Nodes(nodes, Some(join), Vec::new())
    }
}

/// Whether a replica may run a command, if the caller asks for it.
#[must_use]
pub fn on_replicas(command: &Command) -> bool {
    let readonly = command.command_flags.iter().any(|flag| flag == "readonly");
    let keyed = !command.key_specs.is_empty();
    readonly && keyed && command.replicas.unwrap_or(true)
}

fn tip<'c>(command: &'c Command, name: &str) -> Option<&'c str> {
    command
        .hints
        .iter()
        .find_map(|hint| hint.strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(hints: &[&str]) -> Command {
        Command {
            hints: hints.iter().map(|hint| (*hint).to_owned()).collect(),
            ..Command::default()
        }
    }

    #[test]
    fn tips_decide_if_they_say_how_to_join() {
        let both = command(&["request_policy:all_shards", "response_policy:agg_sum"]);
        let sum = Routing::Nodes(Nodes::AllPrimaries, Some(Join::Sum), Vec::new());
        assert_eq!(Routing::of(&both), sum);
        let one = command(&["request_policy:all_shards"]);
        assert_eq!(Routing::of(&one), Routing::Undecided);
        assert_eq!(Routing::of(&command(&[])), Routing::Undecided);
    }

    #[test]
    fn a_correction_stands_before_tips() {
        let mut command = command(&["request_policy:all_shards", "response_policy:agg_sum"]);
        command.route = Some(Route {
            to: Nodes::OneNode,
            join: None,
            unless: Vec::new(),
            weight: None,
        });
        let one = Routing::Nodes(Nodes::OneNode, None, Vec::new());
        assert_eq!(Routing::of(&command), one);
    }
}
