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
fn read(frame: &Frame, shards: bool, tls: bool, map: &AddressMap) -> Result<Announcement, String> {
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
