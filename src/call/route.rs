//! Which nodes a command asks for: its facts, its keys, and what the caller wants.

use std::ops::Range;

use super::{
    settings::CallSettings,
    split::{Part, split, words},
};
use crate::{
    cluster::{NodeId, SLOTS, key_slot},
    command::{Info, Join, Routing},
    error::{Error, ErrorKind, Result},
};

/// The nodes that a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// One that serves a slot.
    Slot(u16),
    /// Any primary.
    AnyNode,
    /// A primary, and the same one for all that a client says there.
    SameNode,
    /// This one and no other.
    Node(NodeId),
    /// Those of several slots, each with a part of the command.
    Parts(Vec<Part>, Join),
    /// Every primary.
    AllPrimaries(Join),
    /// Every node, replicas included.
    AllNodes(Join),
}

impl Route {
    /// The route of an encoded command whose keys lie at these places of it.
    ///
    /// # Errors
    ///
    /// The command cannot run in a cluster as it is; nothing was sent.
    pub(crate) fn of(
        info: &Info,
        command: &[u8],
        keys: &[Range<usize>],
        options: &CallSettings,
    ) -> Result<Self> {
        if let Some(node) = options.node {
            return Ok(Self::Node(node));
        }
        let refused = |message| Error::new(ErrorKind::Refused, message).with_command(info.name);
        let joined = |join: Join| {
            if join == Join::PerNode && !options.per_node {
                return Err(refused(
                    "in a cluster each node answers for itself: node() names one, and each_primary() and each_node() ask for the answers of several",
                ));
            }
            Ok(join)
        };
        let one_node =
            || refused("in a cluster it is about one node: node() names the one that is to run it");
        if let Some(option) = option_of_one_node(info, command) {
            return Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "with {option} it is about one node of a cluster: node() names the one that is to run it"
                ),
            )
            .with_command(info.name));
        }
        match info.routing {
            Routing::Keys => match common_slot(command, keys) {
                Slots::None => Ok(Self::SameNode),
                Slots::One(slot) => Ok(Self::Slot(slot)),
                Slots::Several => Err(refused(
                    "in a cluster all its keys must lie in one slot, as they do with the same {hash tag}",
                )),
            },
            Routing::Parts { join, unless } => match common_slot(command, keys) {
                Slots::None => Ok(Self::SameNode),
                Slots::One(slot) => Ok(Self::Slot(slot)),
                Slots::Several if options.parts => {
                    let parts = split(info, command, unless)?;
                    // A word that the caller has added stands where only keys may stand.
                    if parts.iter().map(|part| part.items.len()).sum::<usize>() != keys.len() {
                        return Err(refused(
                            "its keys lie in several slots, and with words among them it cannot be sent in parts",
                        ));
                    }
                    Ok(Self::Parts(parts, joined(join)?))
                }
                Slots::Several => Err(refused(
                    "its keys lie in several slots, and it must not be sent in parts",
                )),
            },
            // What is no slot gets its error from a server.
            Routing::Slot => Ok(named_slot(info, command).map_or(Self::AnyNode, Self::Slot)),
            Routing::AnyNode => Ok(Self::AnyNode),
            Routing::SameNode => Ok(Self::SameNode),
            Routing::NodeOfArgument => {
                Ok(argument(info, command)
                    .map_or(Self::SameNode, |word| Self::Slot(key_slot(word))))
            }
            Routing::AllPrimaries(join) => Ok(Self::AllPrimaries(joined(join)?)),
            Routing::AllNodes(join) => Ok(Self::AllNodes(joined(join)?)),
            Routing::NodeByNode => Err(refused(
                "in a cluster a cursor belongs to one node: iterate() scans all of them, and node() names one",
            )),
            Routing::OneNode => Err(one_node()),
            Routing::Connection => Err(refused(
                "it is about one connection, and a cluster has one to each node: take one of your own with dedicated()",
            )),
        }
    }
}

/// The option of a command that makes it one for one node.
fn option_of_one_node<'i>(info: &'i Info, command: &[u8]) -> Option<&'i str> {
    if info.one_node_with.is_empty() {
        return None;
    }
    let given = words(command)?.into_iter().skip(info.words);
    let given: Vec<_> = given.filter_map(|word| command.get(word)).collect();
    let is_given = |option: &&&str| {
        let mut given = given.iter();
        given.any(|word| word.eq_ignore_ascii_case(option.as_bytes()))
    };
    info.one_node_with.iter().find(is_given).copied()
}

/// The slots of keys.
enum Slots {
    None,
    One(u16),
    Several,
}

fn common_slot(command: &[u8], keys: &[Range<usize>]) -> Slots {
    let mut slots = keys
        .iter()
        .map(|key| key_slot(command.get(key.clone()).unwrap_or_default()));
    let Some(first) = slots.next() else {
        return Slots::None;
    };
    if slots.all(|slot| slot == first) {
        Slots::One(first)
    } else {
        Slots::Several
    }
}

/// The slot that the word behind the name says.
fn named_slot(info: &Info, command: &[u8]) -> Option<u16> {
    let slot = str::from_utf8(argument(info, command)?)
        .ok()?
        .parse()
        .ok()?;
    (slot < SLOTS).then_some(slot)
}

/// The word behind the name.
fn argument<'c>(info: &Info, command: &'c [u8]) -> Option<&'c [u8]> {
    let word = words(command)?.get(info.words)?.clone();
    command.get(word)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::resp::Writer;

    /// The route of a command in which a word behind `@` is a key.
    fn route(words: &str, options: &CallSettings) -> Result<Route> {
        let words: Vec<_> = words.split(' ').collect();
        let info = (1..=2)
            .rev()
            .find_map(|count| Info::of(&words.get(..count)?.join(" ")))
            .unwrap();
        let mut command = BytesMut::new();
        let mut keys = Vec::new();
        Writer::command_with_keys(&mut command, &mut keys, |to| {
            for word in words {
                match word.strip_prefix('@') {
                    Some(key) => to.key(key.as_bytes()),
                    None => to.word(word.as_bytes()),
                }
            }
        })
        .unwrap();
        Route::of(info, &command, &keys, options)
    }

    fn options() -> CallSettings {
        CallSettings::until(None)
    }

    #[track_caller]
    fn refused(words: &str, options: &CallSettings, message: &str) {
        let error = route(words, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(!error.may_have_executed());
        let text = error.to_string();
        assert!(text.contains(message), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn keys_decide() {
        let foo = key_slot(b"foo");
        assert_eq!(route("GET @foo", &options()).unwrap(), Route::Slot(foo));
        assert_eq!(
            route("SPUBLISH @foo x", &options()).unwrap(),
            Route::Slot(foo)
        );
        assert_eq!(
            route("SINTER @foo @{foo}1", &options()).unwrap(),
            Route::Slot(foo)
        );
        assert_eq!(route("EVAL return 0", &options()).unwrap(), Route::SameNode);
        refused(
            "SINTER @secret1 @secret2",
            &options(),
            "SINTER: refused: in a cluster all its keys",
        );
    }

    #[test]
    fn what_may_be_split_is_split_if_it_must_be() {
        let foo = key_slot(b"foo");
        assert_eq!(
            route("DEL @foo @{foo}1", &options()).unwrap(),
            Route::Slot(foo)
        );
        let Route::Parts(parts, join) = route("DEL @foo @bar @foo", &options()).unwrap() else {
            panic!("expected parts");
        };
        assert_eq!(join, Join::Sum);
        let items: Vec<_> = parts.iter().map(|part| part.items.clone()).collect();
        assert_eq!(items, [vec![0, 2], vec![1]]);
    }

    #[test]
    fn an_option_or_a_condition_forbids_parts() {
        let whole = CallSettings {
            parts: false,
            ..options()
        };
        refused(
            "DEL @secret1 @secret2",
            &whole,
            "DEL: refused: its keys lie in several slots",
        );
        refused(
            "MSETEX 2 @secret1 a @secret2 b NX",
            &options(),
            "MSETEX: refused: with NX",
        );
        let foo = key_slot(b"foo");
        let one = route("MSETEX 2 @foo a @{foo}1 b NX", &whole);
        assert_eq!(one.unwrap(), Route::Slot(foo));
    }

    #[test]
    fn commands_without_keys_go_where_the_spec_says() {
        for (words, expected) in [
            ("FT.SEARCH index *", Route::Slot(key_slot(b"index"))),
            ("PUBLISH channel x", Route::Slot(key_slot(b"channel"))),
            ("FT.CURSOR READ index 7", Route::Slot(key_slot(b"index"))),
            ("TIME", Route::SameNode),
            ("ECHO x", Route::AnyNode),
            ("DBSIZE", Route::AllPrimaries(Join::Sum)),
            ("KEYS *", Route::AllPrimaries(Join::Concatenate)),
            ("CONFIG SET maxmemory 0", Route::AllNodes(Join::First)),
            ("CLUSTER COUNTKEYSINSLOT 77", Route::Slot(77)),
            ("CLUSTER COUNTKEYSINSLOT 16384", Route::AnyNode),
            ("CLUSTER GETKEYSINSLOT x 1", Route::AnyNode),
        ] {
            assert_eq!(route(words, &options()).unwrap(), expected, "{words}");
        }
    }

    #[test]
    fn what_is_about_one_node_wants_it_named() {
        let id = crate::cluster::Nodes::default().at(&crate::cluster::NodeAddress::new("h", 1));
        let named = CallSettings {
            node: Some(id),
            ..options()
        };
        for words in [
            "SCAN 0",
            "CLUSTER FAILOVER",
            "WAIT 1 0",
            "SINTER @a @b",
            "INFO",
        ] {
            assert_eq!(route(words, &named).unwrap(), Route::Node(id), "{words}");
        }
        refused(
            "SCAN 0",
            &options(),
            "SCAN: refused: in a cluster a cursor belongs to one node: iterate()",
        );
        refused(
            "WAIT 1 0",
            &options(),
            "WAIT: refused: it is about one connection",
        );
    }

    #[test]
    fn k05_an_option_that_is_about_one_node_wants_it_named() {
        let all = Route::AllNodes(Join::Concatenate);
        assert_eq!(route("CLIENT LIST", &options()).unwrap(), all);
        assert_eq!(route("CLIENT LIST TYPE normal", &options()).unwrap(), all);
        for words in ["CLIENT LIST ID 7", "client list type normal id 7 8"] {
            refused(
                words,
                &options(),
                "CLIENT LIST: refused: with ID it is about one node of a cluster: node() names",
            );
        }
        refused("CLIENT LIST NOT-ID 7", &options(), "with NOT-ID");
        let id = crate::cluster::Nodes::default().at(&crate::cluster::NodeAddress::new("h", 1));
        let named = CallSettings {
            node: Some(id),
            ..options()
        };
        let one = route("CLIENT LIST ID 7", &named).unwrap();
        assert_eq!(one, Route::Node(id));
    }

    #[test]
    fn an_answer_of_each_node_wants_to_be_asked_for() {
        refused(
            "INFO",
            &options(),
            "INFO: refused: in a cluster each node answers for itself",
        );
        let each = CallSettings {
            per_node: true,
            ..options()
        };
        let all = Route::AllPrimaries(Join::PerNode);
        assert_eq!(route("INFO", &each).unwrap(), all);
    }

    #[test]
    fn every_command_of_the_spec_has_a_route_or_a_reason() {
        for info in Info::all() {
            match Route::of(info, b"", &[], &options()) {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
                    assert_eq!(error.command(), Some(info.name));
                }
            }
        }
    }
}
