//! A cluster that exists in memory: what each node knows, what it answers, and how it lies. Without
//! slots it is one server and its replica: the nodes of the first shard.
//!
//! Three shards of two nodes serve six slots that the clients use, each with a few keys, and the
//! ranges around them. A node has a view of its own of who serves what; news reaches it later than
//! others. Replication is instantaneous, so that whatever is lost was lost by a client.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use bytes::Bytes;

use super::{
    super::{
        announced::{self, Version},
        announcement::{Announcement as Read, Asked},
        node::{AddressMap, NodeAddress},
        slot::key_slot,
    },
    chance::Chance,
};
use crate::resp::Frame;

pub(super) const SHARDS: usize = 3;
pub(super) const NODES: usize = 6;
/// How many slots are used.
pub(super) const SLOTS: usize = 6;

/// The ranges that the shards serve in the beginning.
const RANGES: [(u64, u64); SHARDS] = [(0, 5460), (5461, 10_922), (10_923, 16_383)];

/// The keys of a slot: two of strings, a counter and a list.
const KINDS: [&str; 4] = ["0", "1", "c", "l"];

/// The slots that are used, two of each range, with their hash tags.
pub(super) static TAGS: LazyLock<Vec<(u64, String)>> = LazyLock::new(|| {
    let mut tags: Vec<(u64, String)> = Vec::new();
    for (start, end) in RANGES {
        let found = (0..)
            .map(|number: u32| number.to_string())
            .filter_map(|tag| {
                let slot = u64::from(key_slot(tag.as_bytes()));
                (start..=end).contains(&slot).then_some((slot, tag))
            });
        tags.extend(found.take(SLOTS / SHARDS));
    }
    tags
});

/// All keys: the one of a slot and a kind stands at `slot * KINDS + kind`.
pub(super) static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let keys = |(_, tag): &(u64, String)| KINDS.map(|kind| format!("{{{tag}}}{kind}"));
    TAGS.iter().flat_map(keys).collect()
});

/// The number of a key.
pub(super) fn key(slot: usize, kind: usize) -> usize {
    slot * KINDS.len() + kind
}

/// Which of the slots that are used a key is in.
pub(super) fn slot_of(key: usize) -> usize {
    key / KINDS.len()
}

/// A command as a node reads it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) verb: Verb,
    pub(super) keys: Vec<usize>,
    /// What is written.
    pub(super) value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    MGet,
    Set,
    Incr,
    RPush,
}

impl Request {
    /// Reads the words of a command, if it is one that clients send.
    pub(super) fn of(words: &[&[u8]]) -> Option<Self> {
        let number = |word: &&[u8]| KEYS.iter().position(|key| key.as_bytes() == *word);
        let (verb, rest) = words.split_first()?;
        let (verb, keys) = match *verb {
            b"GET" => (Verb::Get, rest),
            b"MGET" => (Verb::MGet, rest),
            b"SET" => (Verb::Set, rest.get(..1)?),
            b"INCR" => (Verb::Incr, rest),
            b"RPUSH" => (Verb::RPush, rest.get(..1)?),
            _ => return None,
        };
        let value = rest.get(1).copied().unwrap_or_default();
        Some(Self {
            verb,
            keys: keys.iter().map(number).collect::<Option<_>>()?,
            value: String::from_utf8_lossy(value).into_owned(),
        })
    }

    fn reads(&self) -> bool {
        matches!(self.verb, Verb::Get | Verb::MGet)
    }
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    Ok,
    Integer(i64),
    Text(Option<String>),
    Texts(Vec<Option<String>>),
    Error(String),
}

/// The value of a key.
#[derive(Clone, Debug, Default)]
pub(super) struct Value {
    pub(super) text: Option<String>,
    pub(super) number: i64,
    pub(super) list: Vec<String>,
}

/// The cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    /// The keys that each shard has.
    data: Vec<BTreeMap<usize, Value>>,
    /// Where each of the slots is moving, if it is.
    moving: [Option<usize>; SLOTS],
    /// What is so.
    pub(super) truth: View,
    pub(super) quirks: Quirks,
    /// Whether it is one; otherwise it is one server and its replica, which know no slots.
    is_cluster: bool,
}

/// All that an announcement depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Announcing {
    node: usize,
    shards: bool,
    version: Version,
    lie: Lie,
    view: View,
    states: [State; NODES],
}

/// What a node says about the topology.
#[derive(Clone, Debug)]
pub(super) struct Announcement {
    pub(super) frame: Frame,
    /// What a state makes of it, unless it is an error.
    pub(super) read: Option<Result<Read, String>>,
}

thread_local! {
    /// Announcements that were made before; most seeds begin with the same.
    static ANNOUNCED: RefCell<HashMap<Announcing, Announcement>> = RefCell::default();
}

/// What servers and their settings have in different ways.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quirks {
    /// A replica says `READONLY` to a write instead of `MOVED`.
    pub(super) readonly: bool,
    /// Everybody says `CLUSTERDOWN` while a shard has no primary.
    pub(super) full_coverage: bool,
    /// `CLUSTER SHARDS` is not known.
    pub(super) old: bool,
    pub(super) version: Version,
}

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) shard: usize,
    pub(super) state: State,
    pub(super) view: View,
    pub(super) lie: Lie,
    /// Which error it answers to everything, for no reason that the others see.
    pub(super) mood: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    Up,
    Loading,
    /// It takes what it is sent, and answers later.
    Silent,
    Dead,
}

/// Who serves what, as a node knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct View {
    /// The shard of each slot.
    pub(super) owners: [usize; SLOTS],
    /// The primary of each shard.
    pub(super) primaries: [usize; SHARDS],
}

/// What is wrong with a node's answers about the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lie {
    None,
    /// A shard has ports that are 0.
    NoPort(usize),
    /// A shard has hosts that are not known: `?`.
    NoHost(usize),
    /// All hosts are empty, as if the node were alone.
    Alone,
    /// A shard is left out.
    Gap(usize),
    /// One shard claims the slots of another, too.
    Overlap(usize),
    /// An earlier state of the cluster.
    Stale,
    /// A shard has addresses where nobody listens.
    Nowhere(usize),
    /// No answer about a topology at all.
    Garbled,
    /// Two shards have changed their places, also in redirects.
    Swapped(usize),
    /// Redirects lead to nowhere.
    Bogus,
    /// Redirects lead to the node itself.
    ToItself,
}

/// All lies, of which those that are about a shard are about this one.
pub(super) fn lies(shard: usize) -> [Lie; 8] {
    [
        Lie::NoPort(shard),
        Lie::NoHost(shard),
        Lie::Alone,
        Lie::Gap(shard),
        Lie::Overlap(shard),
        Lie::Stale,
        Lie::Nowhere(shard),
        Lie::Garbled,
    ]
}

impl Cluster {
    pub(super) fn new(is_cluster: bool, chance: &mut Chance) -> Self {
        let truth = View {
            owners: match is_cluster {
                true => [0, 0, 1, 1, 2, 2],
                false => [0; SLOTS],
            },
            primaries: [0, 1, 2],
        };
        let node = |at| Node {
            shard: at % SHARDS,
            state: State::Up,
            view: truth.clone(),
            lie: Lie::None,
            mood: None,
        };
        Self {
            nodes: (0..NODES).map(node).collect(),
            data: vec![BTreeMap::new(); SHARDS],
            moving: [None; SLOTS],
            quirks: Quirks {
                readonly: chance.happens(50) || !is_cluster,
                full_coverage: chance.happens(50) && is_cluster,
                old: chance.happens(20),
                version: chance.one_of(&[Version::Two, Version::Three]),
            },
            truth,
            is_cluster,
        }
    }

    pub(super) fn host(node: usize) -> String {
        format!("node{node}")
    }

    /// The node of a host.
    pub(super) fn node_at(host: &str) -> Option<usize> {
        host.strip_prefix("node")?
            .parse()
            .ok()
            .filter(|node| *node < NODES)
    }

    /// The other node of a shard.
    pub(super) fn sibling(node: usize) -> usize {
        (node + SHARDS) % NODES
    }

    /// Begins to move a slot; its keys stay where they are for now.
    pub(super) fn begin_move(&mut self, slot: usize, to: usize) {
        if self.moving[slot].is_none() && self.truth.owners[slot] != to {
            self.moving[slot] = Some(to);
        }
    }

    /// Moves one key of a slot.
    pub(super) fn move_key(&mut self, slot: usize, kind: usize) {
        let Some(to) = self.moving[slot] else { return };
        let from = self.truth.owners[slot];
        if let Some(value) = self.data[from].remove(&key(slot, kind)) {
            self.data[to].insert(key(slot, kind), value);
        }
    }

    /// Moves what is left, and makes the new owner known to itself and to the old one.
    pub(super) fn end_move(&mut self, slot: usize) {
        let Some(to) = self.moving[slot] else { return };
        let from = self.truth.owners[slot];
        for kind in 0..KINDS.len() {
            self.move_key(slot, kind);
        }
        self.moving[slot] = None;
        self.truth.owners[slot] = to;
        for node in &mut self.nodes {
            if node.shard == to || node.shard == from {
                node.view.owners[slot] = to;
            }
        }
    }

    /// Makes the other node of a shard its primary, which both know.
    pub(super) fn fail_over(&mut self, shard: usize) {
        let old = self.truth.primaries[shard];
        let new = Self::sibling(old);
        if self.nodes[new].state != State::Up {
            return;
        }
        self.truth.primaries[shard] = new;
        for node in [old, new] {
            self.nodes[node].view.primaries[shard] = new;
        }
    }

    /// Tells a node what is so.
    pub(super) fn gossip(&mut self, node: usize) {
        self.nodes[node].view = self.truth.clone();
    }

    /// Ends all that was wrong.
    pub(super) fn heal(&mut self) {
        for slot in 0..SLOTS {
            self.end_move(slot);
        }
        for node in 0..NODES {
            let view = self.truth.clone();
            let shard = self.nodes[node].shard;
            self.nodes[node] = Node {
                shard,
                state: State::Up,
                view,
                lie: Lie::None,
                mood: None,
            };
        }
    }

    pub(super) fn value(&self, key: usize) -> Value {
        let shard = self.truth.owners[slot_of(key)];
        self.data[shard].get(&key).cloned().unwrap_or_default()
    }

    /// What a node that is up does with a command.
    pub(super) fn handle(&mut self, node: usize, request: &Request, asking: bool) -> Reply {
        let error = |text: &str| Reply::Error(text.to_owned());
        let this = &self.nodes[node];
        if this.state == State::Loading {
            return error("LOADING reading my data");
        }
        if let Some(mood) = this.mood {
            return error(mood);
        }
        let is_down = |shard: usize| self.nodes[self.truth.primaries[shard]].state == State::Dead;
        if self.quirks.full_coverage && (0..SHARDS).any(is_down) {
            return error("CLUSTERDOWN the cluster is down");
        }
        let slot = slot_of(request.keys[0]);
        if self.is_cluster && request.keys.iter().any(|key| slot_of(*key) != slot) {
            return error("CROSSSLOT keys do not hash to the same slot");
        }
        let shard = this.shard;
        let primary = self.truth.primaries[shard] == node;
        let has = |key: &usize| self.data[shard].contains_key(key);
        let all_here = request.keys.iter().all(has);
        let none_here = !request.keys.iter().any(has);
        if this.view.owners[slot] != shard {
            if !(asking && primary && self.moving[slot] == Some(shard)) {
                return Reply::Error(self.moved(node, slot));
            }
            if request.keys.len() > 1 && !all_here {
                return error("TRYAGAIN keys are on two nodes");
            }
        } else if !primary {
            if !request.reads() && self.quirks.readonly {
                return error("READONLY I am a replica");
            }
            if !request.reads() || self.moving[slot].is_some() {
                return Reply::Error(self.moved(node, slot));
            }
        } else if let Some(to) = self.moving[slot]
            && to != shard
            && !all_here
        {
            if request.keys.len() > 1 && !none_here {
                return error("TRYAGAIN keys are on two nodes");
            }
            return Reply::Error(format!("ASK {}", self.place(node, slot, to)));
        }
        self.execute(shard, request)
    }

    /// What a node says about the topology.
    pub(super) fn announce(&self, node: usize, shards: bool) -> Announcement {
        let this = &self.nodes[node];
        let error = |text: &'static str| Announcement {
            frame: Frame::parse(Bytes::from_static(text.as_bytes())).unwrap(),
            read: None,
        };
        if this.state == State::Loading {
            return error("-LOADING reading my data\r\n");
        }
        if shards && self.quirks.old {
            return error("-ERR unknown subcommand\r\n");
        }
        if this.lie == Lie::Garbled {
            return error("*2\r\n+no\r\n*-1\r\n");
        }
        let announcing = Announcing {
            shards,
            node,
            version: self.quirks.version,
            lie: this.lie,
            view: this.view.clone(),
            states: std::array::from_fn(|node| self.nodes[node].state),
        };
        ANNOUNCED.with_borrow_mut(|known| {
            if known.len() > MOST_ANNOUNCED {
                known.clear();
            }
            let announced = || {
                let announced = self.shards(node);
                let asked = Asked {
                    at: &NodeAddress::new(Self::host(node), 7000),
                    tls: false,
                    map: &AddressMap::default(),
                };
                let (frame, read) = match shards {
                    true => {
                        let frame = announced::shards(&announced, self.quirks.version);
                        (frame.clone(), Read::from_shards(frame.reply(), asked))
                    }
                    false => {
                        let frame = announced::slots(&announced, self.quirks.version);
                        (frame.clone(), Read::from_slots(frame.reply(), asked))
                    }
                };
                Announcement {
                    frame,
                    read: Some(read),
                }
            };
            known.entry(announcing).or_insert_with(announced).clone()
        })
    }

    fn shards(&self, node: usize) -> Vec<announced::Shard> {
        let this = &self.nodes[node];
        let first = View {
            owners: [0, 0, 1, 1, 2, 2],
            primaries: [0, 1, 2],
        };
        let view = if this.lie == Lie::Stale {
            &first
        } else {
            &this.view
        };
        let mut shards: Vec<_> = (0..SHARDS)
            .map(|shard| {
                let primary = view.primaries[shard];
                let mut text = announced::Shard {
                    slots: ranges(view, shard),
                    nodes: [primary, Self::sibling(primary)]
                        .map(|it| self.announced(it, it == primary))
                        .to_vec(),
                };
                for node in &mut text.nodes {
                    match this.lie {
                        Lie::NoPort(it) if it == shard => node.port = 0,
                        Lie::NoHost(it) if it == shard => {
                            node.endpoint = Some("?".to_owned());
                            node.ip = String::new();
                        }
                        Lie::Nowhere(it) if it == shard => {
                            node.endpoint = Some("nowhere".to_owned());
                            node.ip = String::new();
                        }
                        _ => {}
                    }
                }
                text
            })
            .collect();
        match this.lie {
            Lie::Alone => {
                shards.retain(|shard| shard.slots.contains(&RANGES[this.shard]) || this.shard == 0);
                shards.truncate(1);
                for node in shards.iter_mut().flat_map(|shard| &mut shard.nodes) {
                    node.endpoint = Some(String::new());
                    node.ip = String::new();
                }
            }
            Lie::Gap(shard) => {
                shards.remove(shard);
            }
            Lie::Overlap(shard) => {
                let other = shards[(shard + 1) % SHARDS].slots.clone();
                shards[shard].slots.extend(other);
            }
            Lie::Swapped(shard) => {
                let other = (shard + 1) % SHARDS;
                let slots = std::mem::take(&mut shards[shard].slots);
                shards[shard].slots = std::mem::replace(&mut shards[other].slots, slots);
            }
            _ => {}
        }
        shards
    }

    fn announced(&self, node: usize, primary: bool) -> announced::Node {
        let host = Self::host(node);
        announced::Node {
            health: match self.nodes[node].state {
                State::Dead => "failed",
                // The others have waited long enough for it.
                State::Silent if !primary => "fail",
                State::Loading => "loading",
                _ => "online",
            },
            ..if primary {
                announced::Node::primary(&host, 7000)
            } else {
                announced::Node::replica(&host, 7000)
            }
        }
    }

    fn moved(&self, node: usize, slot: usize) -> String {
        let this = &self.nodes[node];
        match this.lie {
            Lie::Bogus => format!("MOVED {} ?:0", TAGS[slot].0),
            Lie::ToItself => format!("MOVED {} {}:7000", TAGS[slot].0, Self::host(node)),
            _ => format!("MOVED {}", self.place(node, slot, this.view.owners[slot])),
        }
    }

    /// A slot and the address of a shard, as a node knows it.
    fn place(&self, node: usize, slot: usize, shard: usize) -> String {
        let this = &self.nodes[node];
        let shard = match this.lie {
            Lie::Swapped(it) if it == shard => (shard + 1) % SHARDS,
            Lie::Swapped(it) if (it + 1) % SHARDS == shard => it,
            _ => shard,
        };
        let host = Self::host(this.view.primaries[shard]);
        format!("{} {host}:7000", TAGS[slot].0)
    }

    fn execute(&mut self, shard: usize, request: &Request) -> Reply {
        let data = &mut self.data[shard];
        let text = |key: &usize| data.get(key).and_then(|value| value.text.clone());
        match request.verb {
            Verb::Get => Reply::Text(text(&request.keys[0])),
            Verb::MGet => Reply::Texts(request.keys.iter().map(text).collect()),
            Verb::Set => {
                data.entry(request.keys[0]).or_default().text = Some(request.value.clone());
                Reply::Ok
            }
            Verb::Incr => {
                let value = data.entry(request.keys[0]).or_default();
                value.number += 1;
                Reply::Integer(value.number)
            }
            Verb::RPush => {
                let value = data.entry(request.keys[0]).or_default();
                value.list.push(request.value.clone());
                Reply::Integer(i64::try_from(value.list.len()).unwrap())
            }
        }
    }
}

/// So many announcements are kept.
const MOST_ANNOUNCED: usize = 10_000;

/// The ranges of a shard: the one that it began with, without the slots that have left, and those
/// that have come.
fn ranges(view: &View, shard: usize) -> Vec<(u64, u64)> {
    let (mut start, end) = RANGES[shard];
    let mut ranges = Vec::new();
    let mut left: Vec<_> = (0..SLOTS)
        .filter(|slot| slot / (SLOTS / SHARDS) == shard && view.owners[*slot] != shard)
        .map(|slot| TAGS[slot].0)
        .collect();
    left.sort_unstable();
    for slot in left {
        if start < slot {
            ranges.push((start, slot - 1));
        }
        start = slot + 1;
    }
    if start <= end {
        ranges.push((start, end));
    }
    let come = |slot: &usize| slot / (SLOTS / SHARDS) != shard && view.owners[*slot] == shard;
    ranges.extend(
        (0..SLOTS)
            .filter(come)
            .map(|slot| (TAGS[slot].0, TAGS[slot].0)),
    );
    ranges
}
