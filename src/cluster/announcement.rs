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

/// A node of an answer to `CLUSTER SLOTS`, whose health is not told.
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
mod tests;
