//! What one node says about the topology.
//!
//! A node answers `CLUSTER SHARDS`, or `CLUSTER SLOTS` before 7.0, with its own view, which may be
//! old, partial or unusable: a node that just started knows no other, one that is not sure of its
//! own address sends an empty one, and during a failover a port may be 0. So an [`Announcement`]
//! keeps what is usable and says of the rest why it is not; whether it replaces what was known is
//! decided [elsewhere](super::query).

use std::{cmp::Reverse, collections::BinaryHeap, fmt, sync::Arc};

use super::{
    node::{AddressMap, NodeAddress},
    slot::SLOTS,
};
use crate::{
    reply::{Decode, Shard as ShardReply, ShardNode, SlotNode, SlotRange},
    resp::Reply,
};

/// What one node said about the cluster, as far as it can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(super) shards: Vec<AnnouncedShard>,
    /// Who serves which slots, in the order of the slots and each of them once.
    pub(super) claims: Vec<Claim>,
    /// What could not be used.
    flaws: Vec<Flaw>,
}

/// A range of slots and its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    pub(super) start: u16,
    pub(super) end: u16,
    pub(super) shard: usize,
}

/// A part of an answer that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A node has no host that could be dialled.
    NoHost,
    /// A node has no port of the kind that is used.
    NoPort,
    /// The caller's map leads nowhere.
    Unmapped,
    /// A range ends before it begins, or behind the last slot.
    NoRange,
    /// Several shards claim a slot.
    Overlap,
    /// A shard has slots and no usable primary.
    NoPrimary,
}

/// What an answer about the topology is read with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// Where the node that answers was reached.
    pub(crate) at: &'a NodeAddress,
    /// Whether connections use TLS, which has ports of its own.
    pub(crate) tls: bool,
    /// How announced addresses are reached.
    pub(crate) map: &'a AddressMap,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AnnouncedShard {
    pub(super) primary: Option<Announced>,
    pub(super) replicas: Vec<Announced>,
}

/// A node as it was announced, with the addresses already mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) address: NodeAddress,
    /// Other addresses that name the same node.
    pub(super) aliases: Vec<NodeAddress>,
    pub(super) server_name: Option<Arc<str>>,
    pub(super) zone: Option<Arc<str>>,
    pub(super) health: Health,
    offset: i64,
}

/// What the cluster thinks of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    /// Most primaries cannot reach it.
    Failed,
    /// It is there, and cannot be used yet.
    Unready,
    Online,
}

impl Announcement {
    /// Reads an answer to `CLUSTER SHARDS`.
    ///
    /// # Errors
    ///
    /// A reason why nothing of it can be used.
    pub(crate) fn from_shards(reply: Reply<'_>, asked: Asked<'_>) -> Result<Self, String> {
        let shards = Vec::<ShardReply>::decode(reply)
            .map_err(|error| format!("expected the shards of a cluster: {error}"))?;
        let mut answer = Self::empty();
        for shard in &shards {
            let mut primaries = Vec::new();
            let mut replicas = Vec::new();
            for node in &shard.nodes {
                match of_shard(node, asked) {
                    Ok(known) if node.role == "master" => primaries.push(known),
                    Ok(known) => replicas.push(known),
                    Err(flaw) => answer.flaws.push(flaw),
                }
            }
            // In a failover there may be two: the one that died, and the one that took over.
            primaries.sort_by_key(|node| (!node.is_online(), -node.offset));
            let mut primaries = primaries.into_iter();
            let primary = primaries.next();
            replicas.extend(primaries.map(|old| Announced {
                health: old.health.min(Health::Unready),
                ..old
            }));
            answer.add(primary, replicas, &shard.slots);
        }
        answer.check()
    }

    /// Reads an answer to `CLUSTER SLOTS`.
    ///
    /// # Errors
    ///
    /// A reason why nothing of it can be used.
    pub(crate) fn from_slots(reply: Reply<'_>, asked: Asked<'_>) -> Result<Self, String> {
        let ranges = Vec::<SlotRange>::decode(reply)
            .map_err(|error| format!("expected the slots of a cluster: {error}"))?;
        let mut answer = Self::empty();
        for range in &ranges {
            let mut nodes = range.nodes.iter().map(|node| of_slots(node, asked));
            let primary = nodes.next().unwrap_or(Err(Flaw::NoHost));
            let mut replicas = Vec::new();
            for replica in nodes {
                match replica {
                    Ok(known) => replicas.push(known),
                    Err(flaw) => answer.flaws.push(flaw),
                }
            }
            answer.flaws.extend(primary.as_ref().err());
            answer.add(primary.ok(), replicas, &[(range.start, range.end)]);
        }
        answer.check()
    }

    /// How many slots have a primary.
    pub(crate) fn covered(&self) -> usize {
        self.claims.iter().map(Claim::length).sum()
    }

    /// How many primaries are said to be healthy.
    pub(crate) fn online(&self) -> usize {
        let online =
            |shard: &&AnnouncedShard| shard.primary.as_ref().is_some_and(Announced::is_online);
        self.shards.iter().filter(online).count()
    }

    /// The nodes that are said to have failed.
    pub(crate) fn failed(&self) -> impl Iterator<Item = &NodeAddress> {
        let nodes = self
            .shards
            .iter()
            .flat_map(|shard| shard.primary.iter().chain(&shard.replicas));
        let failed = nodes.filter(|node| node.health == Health::Failed);
        failed.map(|node| &node.address)
    }

    /// What could not be used.
    #[cfg(test)]
    pub(crate) fn flaws(&self) -> &[Flaw] {
        &self.flaws
    }

    fn empty() -> Self {
        Self {
            shards: Vec::new(),
            claims: Vec::new(),
            flaws: Vec::new(),
        }
    }

    /// Adds slots and who serves them.
    fn add(&mut self, primary: Option<Announced>, replicas: Vec<Announced>, ranges: &[(u64, u64)]) {
        // Some servers list a shard once for each of its ranges.
        let same = self.shards.iter().position(|known| {
            matches!((&known.primary, &primary), (Some(one), Some(other)) if one.address == other.address)
        });
        let at = same.unwrap_or_else(|| {
            self.shards.push(AnnouncedShard { primary, replicas });
            self.shards.len() - 1
        });
        if self.rank(at).is_none() {
            self.flaws
                .extend((!ranges.is_empty()).then_some(Flaw::NoPrimary));
            return;
        }
        for &(start, end) in ranges {
            match (u16::try_from(start), u16::try_from(end)) {
                (Ok(start), Ok(end)) if start <= end && end < SLOTS => {
                    self.claims.push(Claim {
                        start,
                        end,
                        shard: at,
                    });
                }
                _ => self.flaws.push(Flaw::NoRange),
            }
        }
    }

    /// Gives slots that several shards claim to the healthiest, or to the one that was named first.
    fn settle(&mut self) {
        let mut claims: Vec<_> = std::mem::take(&mut self.claims)
            .into_iter()
            .enumerate()
            .collect();
        claims.sort_by_key(|(_, claim)| claim.start);
        let are_apart = |pair: &[(usize, Claim)]| match pair {
            [(_, one), (_, other)] => one.end < other.start,
            _ => true,
        };
        if claims.windows(2).all(are_apart) {
            self.claims = claims.into_iter().map(|(_, claim)| claim).collect();
            return;
        }
        self.flaws.push(Flaw::Overlap);
        let ends = claims.iter().map(|(_, claim)| claim.end + 1);
        let mut edges: Vec<_> = claims.iter().map(|(_, it)| it.start).chain(ends).collect();
        edges.sort_unstable();
        edges.dedup();
        let mut claims = claims.into_iter().peekable();
        let mut open = BinaryHeap::new();
        for (start, next) in edges.iter().zip(edges.iter().skip(1)) {
            while let Some((order, claim)) = claims.next_if(|(_, claim)| claim.start == *start) {
                open.push((self.rank(claim.shard), Reverse(order), claim));
            }
            while open.peek().is_some_and(|(_, _, claim)| claim.end < *start) {
                open.pop();
            }
            if let Some((_, _, best)) = open.peek() {
                self.claims.push(Claim {
                    start: *start,
                    end: next - 1,
                    shard: best.shard,
                });
            }
        }
    }

    /// How plausible it is that a shard serves what it claims.
    fn rank(&self, shard: usize) -> Option<(bool, i64)> {
        let primary = self.shards.get(shard)?.primary.as_ref()?;
        Some((primary.is_online(), primary.offset))
    }

    fn check(mut self) -> Result<Self, String> {
        self.settle();
        // Health and offsets have decided by now, and change without anything else.
        let nodes = |shard: &mut AnnouncedShard| {
            let replicas = shard.replicas.iter_mut();
            replicas
                .chain(&mut shard.primary)
                .for_each(|it| it.offset = 0);
        };
        self.shards.iter_mut().for_each(nodes);
        if self.covered() > 0 {
            return Ok(self);
        }
        let mut reason = "expected slots with primaries that can be reached, found none".to_owned();
        if let Some(flaw) = self.flaws.first() {
            reason = format!("{reason}: {flaw}");
        }
        Err(reason)
    }
}

impl Announced {
    pub(super) fn is_online(&self) -> bool {
        self.health == Health::Online
    }
}

impl Health {
    /// Reads `online`, `loading` or `fail`, which is `failed` in the documentation.
    fn of(text: &str) -> Self {
        match text {
            "online" => Self::Online,
            "fail" | "failed" => Self::Failed,
            _ => Self::Unready,
        }
    }
}

impl Claim {
    fn length(&self) -> usize {
        usize::from(self.end - self.start) + 1
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHost => "a node has no host",
            Self::NoPort => "a node has no port of the kind that is used",
            Self::Unmapped => "the address map leaves a node out",
            Self::NoRange => "a range of slots is none",
            Self::Overlap => "several shards claim a slot",
            Self::NoPrimary => "a shard has no primary",
        })
    }
}

/// A node of an answer to `CLUSTER SHARDS`.
fn of_shard(node: &ShardNode, asked: Asked<'_>) -> Result<Announced, Flaw> {
    let port = port(if asked.tls { node.tls_port } else { node.port })?;
    let hostname = known(node.hostname.as_deref());
    let ip = known(Some(&node.ip));
    // The endpoint is what the node prefers, and what it names in redirects.
    let host = match node.endpoint.as_deref() {
        None => Some(asked.at.host()),
        Some("?") => hostname.or(ip),
        Some("") => ip.or(Some(asked.at.host())),
        Some(endpoint) => Some(endpoint),
    };
    announced(
        host.ok_or(Flaw::NoHost)?,
        port,
        [hostname, ip],
        node.availability_zone.as_deref(),
        Health::of(&node.health),
        node.replication_offset,
        asked,
    )
}

/// A node of an answer to `CLUSTER SLOTS`, whose health is not on_reply.
fn of_slots(node: &SlotNode, asked: Asked<'_>) -> Result<Announced, Flaw> {
    let port = port(Some(node.port))?;
    let metadata = |name: &str| {
        let pairs = node.metadata.as_deref().unwrap_or_default();
        let value = pairs.iter().find(|(key, _)| key == name);
        known(value.map(|(_, value)| value.as_str()))
    };
    let hostname = metadata("hostname");
    let ip = metadata("ip");
    let host = match node.endpoint.as_deref() {
        None | Some("") => Some(asked.at.host()),
        Some("?") => hostname.or(ip),
        Some(endpoint) => Some(endpoint),
    };
    announced(
        host.ok_or(Flaw::NoHost)?,
        port,
        [hostname, ip],
        metadata("availability-zone"),
        Health::Online,
        0,
        asked,
    )
}

fn announced(
    host: &str,
    port: u16,
    others: [Option<&str>; 2],
    zone: Option<&str>,
    health: Health,
    offset: i64,
    asked: Asked<'_>,
) -> Result<Announced, Flaw> {
    let mapped = |host: &str| asked.map.apply(NodeAddress::new(host, port));
    let address = mapped(host).ok_or(Flaw::Unmapped)?;
    let [hostname, _] = others;
    let mut aliases: Vec<_> = others.into_iter().flatten().filter_map(mapped).collect();
    aliases.retain(|alias| *alias != address);
    Ok(Announced {
        address,
        aliases,
        server_name: hostname.map(Arc::from),
        zone: zone.filter(|zone| !zone.is_empty()).map(Arc::from),
        health,
        offset,
    })
}

fn port(announced: Option<u64>) -> Result<u16, Flaw> {
    announced
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port != 0)
        .ok_or(Flaw::NoPort)
}

/// A host, unless it stands for one that is not known.
fn known(host: Option<&str>) -> Option<&str> {
    host.filter(|host| !host.is_empty() && *host != "?")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        cluster::{
            announced::{self, Node, Shard as Text, Version},
            node::{NodeId, Nodes},
            topology::Topology,
        },
        resp::Frame,
    };

    /// Reads an answer of a node at `asked:1`.
    fn read(
        frame: &Frame,
        shards: bool,
        tls: bool,
        map: &AddressMap,
    ) -> Result<Announcement, String> {
        let at = NodeAddress::new("asked", 1);
        let asked = Asked { at: &at, tls, map };
        if shards {
            Announcement::from_shards(frame.reply(), asked)
        } else {
            Announcement::from_slots(frame.reply(), asked)
        }
    }

    /// What a topology says, as text: ranges with their primary and replicas.
    fn shown(answer: Announcement) -> Vec<String> {
        let mut nodes = Nodes::default();
        let topology = Topology::new(&answer, &mut nodes);
        let address = |id: NodeId| nodes.get(id).unwrap().address.to_string();
        let mut ranges: Vec<(u16, u16, String)> = Vec::new();
        for slot in 0..SLOTS {
            let Some(shard) = topology.shard(slot) else {
                continue;
            };
            let replicas: Vec<_> = shard.replicas.iter().copied().map(address).collect();
            let text = format!("{} {}", address(shard.primary), replicas.join(" "));
            match ranges.last_mut() {
                Some((_, end, known)) if *known == text && *end + 1 == slot => *end = slot,
                _ => ranges.push((slot, slot, text)),
            }
        }
        ranges
            .into_iter()
            .map(|(start, end, text)| format!("{start}-{end} {text}").trim_end().to_owned())
            .collect()
    }

    fn healthy() -> Vec<Text> {
        vec![
            Text {
                slots: vec![(0, 99), (200, 16_383)],
                nodes: vec![Node::primary("a", 1), Node::replica("a", 2)],
            },
            Text {
                slots: vec![(100, 199)],
                nodes: vec![Node::replica("b", 2), Node::primary("b", 1)],
            },
        ]
    }

    fn shards_of(shards: &[Text]) -> Result<Announcement, String> {
        let frame = announced::shards(shards, Version::Three);
        read(&frame, true, false, &AddressMap::default())
    }

    #[test]
    fn all_four_forms_say_the_same() {
        let mut healthy = healthy();
        // `CLUSTER SLOTS` has the primary first.
        healthy[1].nodes.reverse();
        for version in [Version::Two, Version::Three] {
            for (frame, shards) in [
                (announced::shards(&healthy, version), true),
                (announced::slots(&healthy, version), false),
            ] {
                let frame = Frame::parse(Bytes::copy_from_slice(frame.as_bytes())).unwrap();
                let answer = read(&frame, shards, false, &AddressMap::default()).unwrap();
                assert_eq!(answer.covered(), 16_384);
                assert_eq!(answer.flaws(), []);
                assert_eq!(
                    shown(answer),
                    ["0-99 a:1 a:2", "100-199 b:1 b:2", "200-16383 a:1 a:2"]
                );
            }
        }
    }

    #[test]
    fn a_host_that_is_not_known_is_found_elsewhere() {
        for (endpoint, ip, hostname, expected) in [
            (None, "9.9.9.9", None, "asked:1"),
            (Some(""), "", None, "asked:1"),
            (Some(""), "9.9.9.9", None, "9.9.9.9:1"),
            (Some("?"), "9.9.9.9", None, "9.9.9.9:1"),
            (Some("?"), "9.9.9.9", Some("name"), "name:1"),
            (Some("name"), "9.9.9.9", Some("name"), "name:1"),
            (Some("9.9.9.9"), "9.9.9.9", Some("name"), "9.9.9.9:1"),
        ] {
            let node = Node {
                endpoint: endpoint.map(str::to_owned),
                ip: ip.to_owned(),
                hostname: hostname.map(str::to_owned),
                ..Node::primary("", 1)
            };
            let shard = Text {
                slots: vec![(5, 5)],
                nodes: vec![node],
            };
            let found = shown(shards_of(&[shard]).unwrap());
            assert_eq!(
                found,
                [format!("5-5 {expected}")],
                "{endpoint:?} {ip} {hostname:?}"
            );
        }
    }

    #[test]
    fn a_redirect_may_name_a_node_by_any_of_its_addresses() {
        let mut shards = healthy();
        shards[0].nodes[0].hostname = Some("name".to_owned());
        let mut nodes = Nodes::default();
        let topology = Topology::new(&shards_of(&shards).unwrap(), &mut nodes);
        let primary = topology.shard(0).unwrap().primary;
        assert_eq!(nodes.find(&NodeAddress::new("name", 1)), Some(primary));
        assert_eq!(&*nodes.get(primary).unwrap().server_name, "name");
    }

    #[test]
    fn with_tls_only_ports_with_tls_count() {
        let mut shards = healthy();
        for (at, shard) in shards.iter_mut().enumerate() {
            for node in &mut shard.nodes {
                node.tls_port = (at == 0).then_some(node.port + 1000);
            }
        }
        let frame = announced::shards(&shards, Version::Three);
        let answer = read(&frame, true, true, &AddressMap::default()).unwrap();
        assert_eq!(
            answer.flaws(),
            [Flaw::NoPort, Flaw::NoPort, Flaw::NoPrimary]
        );
        assert_eq!(
            shown(answer),
            ["0-99 a:1001 a:1002", "200-16383 a:1001 a:1002"]
        );
    }

    #[test]
    fn what_cannot_be_used_is_left_out_with_a_reason() {
        let broken = |change: fn(&mut Text)| {
            let mut shards = healthy();
            change(&mut shards[1]);
            let answer = shards_of(&shards).unwrap();
            (answer.flaws().to_vec(), answer.covered())
        };
        let without_range = 16_384 - 100;
        assert_eq!(
            broken(|shard| shard.nodes[1].port = 0),
            (vec![Flaw::NoPort, Flaw::NoPrimary], without_range)
        );
        assert_eq!(
            broken(|shard| shard.nodes[0].port = 0),
            (vec![Flaw::NoPort], 16_384)
        );
        assert_eq!(
            broken(|shard| shard.nodes[1].port = 65_536),
            (vec![Flaw::NoPort, Flaw::NoPrimary], without_range)
        );
        assert_eq!(
            broken(|shard| {
                shard.nodes[1].endpoint = Some("?".to_owned());
                shard.nodes[1].ip = String::new();
            }),
            (vec![Flaw::NoHost, Flaw::NoPrimary], without_range)
        );
        assert_eq!(
            broken(|shard| shard.slots = vec![(199, 100), (0, 16_384), (150, 150)]),
            (vec![Flaw::NoRange, Flaw::NoRange], without_range + 1)
        );
        assert_eq!(broken(|shard| shard.slots.clear()), (vec![], without_range));
    }

    #[test]
    fn of_two_claims_the_healthier_one_wins_whatever_the_order() {
        let old = Text {
            slots: vec![(0, 9)],
            nodes: vec![Node {
                health: "failed",
                ..Node::primary("old", 1)
            }],
        };
        let new = Text {
            slots: vec![(5, 14)],
            nodes: vec![Node::primary("new", 1)],
        };
        for shards in [[old.clone(), new.clone()], [new, old]] {
            let answer = shards_of(&shards).unwrap();
            assert_eq!(answer.flaws(), [Flaw::Overlap]);
            assert_eq!(answer.online(), 1);
            assert_eq!(shown(answer), ["0-4 old:1", "5-14 new:1"]);
        }
    }

    #[test]
    fn of_two_primaries_the_one_that_lives_has_the_shard() {
        let shard = Text {
            slots: vec![(0, 9)],
            nodes: vec![
                Node {
                    health: "failed",
                    offset: 100,
                    ..Node::primary("old", 1)
                },
                Node {
                    offset: 90,
                    ..Node::primary("new", 1)
                },
                Node {
                    health: "loading",
                    ..Node::replica("slow", 1)
                },
            ],
        };
        assert_eq!(shown(shards_of(&[shard]).unwrap()), ["0-9 new:1"]);
    }

    #[test]
    fn an_answer_of_no_use_is_refused_with_a_reason() {
        let reason = |frame: &Frame, shards: bool| {
            read(frame, shards, false, &AddressMap::default()).unwrap_err()
        };
        let alone = Text {
            slots: vec![],
            nodes: vec![Node::primary("", 1)],
        };
        let nothing = announced::shards(&[alone], Version::Three);
        assert_eq!(
            reason(&nothing, true),
            "expected slots with primaries that can be reached, found none"
        );
        let mut shards = healthy();
        shards
            .iter_mut()
            .flat_map(|it| &mut it.nodes)
            .for_each(|it| it.port = 0);
        assert_eq!(
            reason(&announced::slots(&shards, Version::Two), false),
            "expected slots with primaries that can be reached, found none: a node has no port of \
             the kind that is used"
        );
        let garbled = Frame::parse(Bytes::from_static(b"*1\r\n+x\r\n")).unwrap();
        assert!(reason(&garbled, true).starts_with("expected the shards of a cluster: "));
        assert!(reason(&garbled, false).starts_with("expected the slots of a cluster: "));
        let frame = announced::shards(&healthy(), Version::Three);
        let nowhere = AddressMap::function(|_| None);
        assert!(
            read(&frame, true, false, &nowhere)
                .unwrap_err()
                .contains("address map")
        );
    }

    #[test]
    fn announced_addresses_go_through_the_map() {
        let frame = announced::shards(&healthy()[1..], Version::Three);
        let map = AddressMap::table([(NodeAddress::new("b", 1), NodeAddress::new("c", 9))]);
        let answer = read(&frame, true, false, &map).unwrap();
        assert_eq!(shown(answer), ["100-199 c:9 b:2"]);
    }

    #[test]
    fn a_redirect_corrects_one_slot() {
        let mut nodes = Nodes::default();
        let mut topology = Topology::new(&shards_of(&healthy()).unwrap(), &mut nodes);
        let known = nodes.find(&NodeAddress::new("b", 1)).unwrap();
        let new = nodes.at(&NodeAddress::new("c", 1));
        topology.patch(7, known);
        topology.patch(8, new);
        topology.patch(9, new);
        let primary = |slot| topology.shard(slot).unwrap().primary;
        assert_eq!(primary(7), known);
        assert_eq!(primary(8), new);
        assert_eq!(primary(6), primary(10));
        assert_eq!(topology.shards().len(), 3);
        assert_eq!(topology.covered(), 16_384);
        assert_eq!(topology.slot_of_each(), [Some(0), Some(7), Some(8)]);
    }

    proptest! {
        #[test]
        fn no_answer_panics_or_covers_what_it_does_not_say(
            ranges in proptest::collection::vec((0u64..16_500, 0u64..16_500, 0u64..3, any::<bool>()), 0..6),
        ) {
            let shards: Vec<_> = ranges
                .iter()
                .map(|(start, end, port, online)| Text {
                    slots: vec![(*start, *end)],
                    nodes: vec![Node {
                        health: if *online { "online" } else { "failed" },
                        ..Node::primary("h", *port)
                    }],
                })
                .collect();
            let claimed = |slot: u64| {
                ranges.iter().any(|(start, end, port, _)| {
                    *port != 0 && start <= end && *end < 16_384 && (*start..=*end).contains(&slot)
                })
            };
            let covered = (0..16_384).filter(|slot| claimed(*slot)).count();
            match shards_of(&shards) {
                Ok(answer) => {
                    prop_assert_eq!(answer.covered(), covered);
                    let topology = Topology::new(&answer, &mut Nodes::default());
                    for slot in 0..SLOTS {
                        let is = topology.shard(slot).is_some();
                        prop_assert_eq!(is, claimed(u64::from(slot)));
                    }
                }
                Err(_) => prop_assert_eq!(covered, 0),
            }
        }

        #[test]
        fn no_frame_panics(bytes in "[*%:$_0-9a-z\r\n-]{0,60}") {
            if let Ok(frame) = Frame::parse(Bytes::from(bytes.into_bytes())) {
                let _ = read(&frame, true, false, &AddressMap::default());
                let _ = read(&frame, false, true, &AddressMap::default());
            }
        }
    }
}
