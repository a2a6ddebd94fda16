//! What an error reply means for the place where a command has to run.
//!
//! Only the first word counts, since the texts behind it differ from server to server; of a redirect
//! also the slot and the address.

use crate::{
    cluster::{AddressMap, NodeAddress, SLOTS, Scope},
    code,
    error::Error,
    resp::Reply,
};

/// What an error reply asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The slot belongs to another node, from now on.
    Moved(Redirect),
    /// This once, ask another node, which is about to get the slot.
    Ask(Redirect),
    /// A redirect that leads nowhere.
    Astray,
    /// The command was not executed, and will be once the cluster is in order.
    NotExecuted(Refusal),
    /// The error is about the command; it is the answer.
    Answer,
}

/// Where a redirect leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) slot: u16,
    pub(crate) to: NodeAddress,
}

/// Why a node did not execute a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `TRYAGAIN`: the keys of a slot that moves are on two nodes.
    TryAgain,
    /// `CLUSTERDOWN`: nobody serves the slot, or too few nodes are up.
    ClusterDown,
    /// `LOADING`: the node reads its data.
    Loading,
    /// `READONLY`: the node is a replica now.
    ReadOnly,
    /// `MASTERDOWN`: the node is a replica that has lost its primary.
    MasterDown,
    /// `NOREPLICAS`: the primary has too few replicas to accept writes.
    NoReplicas,
}

/// Whether an error is about the command, and not about the place where it has to run.
pub(super) fn is_answer(error: &[u8]) -> bool {
    is_answer_of(error, Scope::Cluster)
}

/// The same, where that place is all there is or was chosen by the caller.
pub(super) fn is_answer_of(error: &[u8], scope: Scope) -> bool {
    let nowhere = NodeAddress::new("", 0);
    Meaning::of(error, &nowhere, &AddressMap::default()).is_answer_of(scope)
}

/// An error of a call, with what to do where the server is not what the client takes it for.
pub(crate) fn explained(error: Error, scope: Scope) -> Error {
    match (scope, error.code()) {
        (Scope::Server, Some(code::MOVED | code::ASK | code::CROSSSLOT)) => error.with_hint(
            "the server is a node of a cluster: connect to it by the scheme redis-cluster or Config::cluster",
        ),
        _ => error,
    }
}

impl Meaning {
    /// Reads an error reply of the node at `from`.
    pub(crate) fn of(error: &[u8], from: &NodeAddress, map: &AddressMap) -> Self {
        let words = || error.split(|byte| *byte == b' ').skip(1);
        let redirect = || Redirect::read(words(), from, map);
        match code::of(error) {
            Some(code::MOVED) => redirect().map_or(Self::Astray, Self::Moved),
            Some(code::ASK) => redirect().map_or(Self::Astray, Self::Ask),
            Some(code::TRYAGAIN) => Self::NotExecuted(Refusal::TryAgain),
            Some(code::CLUSTERDOWN) => Self::NotExecuted(Refusal::ClusterDown),
            Some(code::LOADING) => Self::NotExecuted(Refusal::Loading),
            Some(code::READONLY) => Self::NotExecuted(Refusal::ReadOnly),
            Some(code::MASTERDOWN) => Self::NotExecuted(Refusal::MasterDown),
            Some(code::NOREPLICAS) => Self::NotExecuted(Refusal::NoReplicas),
            _ => Self::Answer,
        }
    }
}

impl Meaning {
    /// Whether it is the answer, since nobody else can be asked, and it will not pass.
    pub(super) fn is_answer_of(&self, scope: Scope) -> bool {
        match scope {
            Scope::Cluster => *self == Self::Answer,
            Scope::Server => !matches!(self, Self::NotExecuted(_)),
            Scope::Node => !self.is_passing(),
        }
    }

    /// Whether the same node will execute the command after a while.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::NotExecuted(Refusal::Loading | Refusal::NoReplicas | Refusal::TryAgain)
        )
    }
}

impl Redirect {
    /// Reads `3999 127.0.0.1:6381`, where an empty host is that of the node that answers.
    fn read<'e>(
        mut words: impl Iterator<Item = &'e [u8]>,
        from: &NodeAddress,
        map: &AddressMap,
    ) -> Option<Self> {
        let slot = str::from_utf8(words.next()?).ok()?;
        let slot = slot.parse().ok().filter(|slot| *slot < SLOTS)?;
        let address = str::from_utf8(words.next()?).ok()?;
        // An IPv6 address has no brackets here.
        let (host, port) = address.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        let host = match host {
            "" => from.host(),
            "?" => return None,
            host if host.chars().any(|c| c.is_control() || c.is_whitespace()) => return None,
            host => host,
        };
        let to = map.apply(NodeAddress::new(host, port))?;
        Some(Self { slot, to })
    }
}

impl Refusal {
    /// Whether the topology has changed, or is about to.
    pub(crate) fn is_about_topology(self) -> bool {
        matches!(self, Self::ClusterDown | Self::ReadOnly | Self::MasterDown)
    }
}

/// The error that decides about the answer to a command, or to `MULTI`, commands and `EXEC`.
///
/// When a command was not queued, `EXEC` only says that nothing was executed, and the reason stands
/// in front of it.
pub(crate) fn deciding_error<'f>(replies: impl IntoIterator<Item = Reply<'f>>) -> Option<&'f [u8]> {
    let (mut first, mut last) = (None, None);
    for reply in replies {
        last = reply.as_error();
        first = first.or(last);
    }
    last.and(first)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::resp::{Frame, Frames};

    fn meaning(error: &str) -> Meaning {
        let from = NodeAddress::new("here", 7000);
        Meaning::of(error.as_bytes(), &from, &AddressMap::default())
    }

    fn redirect(slot: u16, host: &str, port: u16) -> Redirect {
        Redirect {
            slot,
            to: NodeAddress::new(host, port),
        }
    }

    #[test]
    fn redirects_have_a_slot_and_an_address() {
        for (error, expected) in [
            (
                "MOVED 3999 127.0.0.1:6381",
                Meaning::Moved(redirect(3999, "127.0.0.1", 6381)),
            ),
            (
                "MOVED 3999 ::1:6381",
                Meaning::Moved(redirect(3999, "::1", 6381)),
            ),
            (
                "MOVED 3999 host.example:6381",
                Meaning::Moved(redirect(3999, "host.example", 6381)),
            ),
            ("MOVED 0 :6381", Meaning::Moved(redirect(0, "here", 6381))),
            (
                "ASK 16383 127.0.0.1:6381",
                Meaning::Ask(redirect(16_383, "127.0.0.1", 6381)),
            ),
        ] {
            assert_eq!(meaning(error), expected, "{error}");
        }
    }

    #[test]
    fn a_redirect_that_leads_nowhere_is_refused() {
        for error in [
            "MOVED",
            "MOVED 3999",
            "MOVED 16384 127.0.0.1:6381",
            "MOVED -1 127.0.0.1:6381",
            "MOVED x 127.0.0.1:6381",
            "MOVED 3999 127.0.0.1",
            "MOVED 3999 127.0.0.1:0",
            "MOVED 3999 127.0.0.1:65536",
            "MOVED 3999 127.0.0.1:x",
            "MOVED 3999 ?:6381",
            "MOVED 3999 a\nb:6381",
            "ASK 3999 ?:0",
        ] {
            assert_eq!(meaning(error), Meaning::Astray, "{error}");
        }
        let nowhere = AddressMap::function(|_| None);
        let from = NodeAddress::new("here", 7000);
        let refused = Meaning::of(b"MOVED 1 10.0.0.1:6379", &from, &nowhere);
        assert_eq!(refused, Meaning::Astray);
    }

    #[test]
    fn a_redirect_goes_through_the_map() {
        let from = NodeAddress::new("here", 7000);
        let map = AddressMap::table([(
            NodeAddress::new("10.0.0.1", 6379),
            NodeAddress::new("example.com", 7001),
        )]);
        assert_eq!(
            Meaning::of(b"ASK 1 10.0.0.1:6379", &from, &map),
            Meaning::Ask(redirect(1, "example.com", 7001))
        );
    }

    #[test]
    fn the_first_word_decides_whatever_follows() {
        for (word, trouble) in [
            ("TRYAGAIN", Refusal::TryAgain),
            ("CLUSTERDOWN", Refusal::ClusterDown),
            ("LOADING", Refusal::Loading),
            ("READONLY", Refusal::ReadOnly),
            ("MASTERDOWN", Refusal::MasterDown),
            ("NOREPLICAS", Refusal::NoReplicas),
        ] {
            assert_eq!(meaning(word), Meaning::NotExecuted(trouble));
            assert_eq!(
                meaning(&format!("{word} Valkey is …")),
                Meaning::NotExecuted(trouble)
            );
            assert_eq!(meaning(&format!("{word}X")), Meaning::Answer);
            assert_eq!(meaning(&format!("ERR {word}")), Meaning::Answer);
        }
        assert_eq!(
            meaning("WRONGTYPE Operation against a key"),
            Meaning::Answer
        );
        assert_eq!(meaning(""), Meaning::Answer);
    }

    #[test]
    fn the_first_command_that_was_not_queued_decides_about_a_transaction() {
        let frames = |texts: &[&'static str]| -> Frames {
            let parse = |text: &&'static str| Frame::parse(Bytes::from_static(text.as_bytes()));
            texts.iter().map(|text| parse(text).unwrap()).collect()
        };
        let moved = frames(&[
            "+OK\r\n",
            "+QUEUED\r\n",
            "-MOVED 1 a:1\r\n",
            "-EXECABORT x\r\n",
        ]);
        assert_eq!(deciding_error(&moved), Some(&b"MOVED 1 a:1"[..]));
        let exec = frames(&["+OK\r\n", "+QUEUED\r\n", "-CLUSTERDOWN x\r\n"]);
        assert_eq!(deciding_error(&exec), Some(&b"CLUSTERDOWN x"[..]));
        let done = frames(&["+OK\r\n", "+QUEUED\r\n", "*1\r\n-ASK 1 a:1\r\n"]);
        assert_eq!(deciding_error(&done), None);
        assert_eq!(deciding_error(&Frames::new()), None);
    }

    proptest! {
        #[test]
        fn nothing_that_a_node_answers_panics(error: Vec<u8>, redirects: bool) {
            let from = NodeAddress::new("here", 7000);
            let head: &[u8] = if redirects { b"MOVED " } else { b"" };
            let _ = Meaning::of(&[head, &error].concat(), &from, &AddressMap::default());
        }
    }
}
