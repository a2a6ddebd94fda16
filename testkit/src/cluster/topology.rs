//! What a node says about its cluster, as `CLUSTER NODES` prints it.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use super::slot::SLOTS;

/// The cluster as one node sees it, or as all of them do.
#[derive(Clone, Debug)]
pub struct Topology {
    members: Vec<Member>,
}

/// What a [`Topology`] says about one node.
#[derive(Clone, Debug)]
pub struct Member {
    /// The node's id.
    pub id: String,
    /// Its address, if that is known.
    pub addr: Option<SocketAddr>,
    /// The flags as the server prints them, such as `master` and `fail?`.
    pub flags: Vec<String>,
    /// The id of the primary that this node is a replica of.
    pub primary: Option<String>,
    /// The epoch of its configuration.
    pub epoch: u64,
    /// Whether the node that was asked is connected to it.
    pub connected: bool,
    /// The slots that it owns.
    pub slots: Vec<RangeInclusive<u16>>,
    /// The slots that it is giving away, each with the id of the node that shall get it. Only the
    /// node itself says this.
    pub migrating: Vec<(u16, String)>,
    /// The slots that it is receiving, each with the id of the node that has it.
    pub importing: Vec<(u16, String)>,
}

impl Topology {
    /// Reads the reply; `None` when it is something else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut members: Vec<_> = text.lines().map(Member::parse).collect::<Option<_>>()?;
        members.sort_by(|one, other| one.id.cmp(&other.id));
        Some(Self { members })
    }

    /// Every node, by id.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The node with this id.
    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    /// The node that owns a slot.
    pub fn owner(&self, slot: u16) -> Option<&Member> {
        self.members.iter().find(|member| member.owns(slot))
    }

    /// The first slot that no node owns.
    pub fn uncovered(&self) -> Option<u16> {
        (0..SLOTS).find(|slot| self.owner(*slot).is_none())
    }

    /// Whether both have the same nodes in the same roles with the same slots.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        let roles = |topology: &Self| {
            let role = |member: &Member| {
                let (id, primary) = (member.id.clone(), member.primary.clone());
                (id, member.has("master"), primary, member.slots.clone())
            };
            topology.members.iter().map(role).collect::<Vec<_>>()
        };
        roles(self) == roles(other)
    }
}

impl Member {
    /// Whether it owns a slot.
    pub fn owns(&self, slot: u16) -> bool {
        self.slots.iter().any(|range| range.contains(&slot))
    }

    /// Whether it is a primary, with slots or without.
    pub fn is_primary(&self) -> bool {
        self.has("master")
    }

    /// Whether a flag is set.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|set| set == flag)
    }

    /// `id ip:port@bus-port[,more] flags primary ping pong epoch link slot...`
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let id = words.next()?.to_owned();
        let (addr, _) = words.next()?.split_once('@')?;
        let flags = words.next()?.split(',').map(str::to_owned).collect();
        let primary = words.next().filter(|id| *id != "-").map(str::to_owned);
        let epoch = words.nth(2)?.parse().ok()?;
        let connected = words.next()? == "connected";

        let mut member = Self {
            id,
            addr: addr.parse().ok(),
            flags,
            primary,
            epoch,
            connected,
            slots: Vec::new(),
            migrating: Vec::new(),
            importing: Vec::new(),
        };
        for word in words {
            member.parse_slots(word)?;
        }
        Some(member)
    }

    /// `7`, `0-5460`, `[7->-id]` or `[7-<-id]`.
    fn parse_slots(&mut self, word: &str) -> Option<()> {
        let open = word.strip_prefix('[').and_then(|w| w.strip_suffix(']'));
        if let Some(open) = open {
            if let Some((slot, id)) = open.split_once("->-") {
                self.migrating.push((slot.parse().ok()?, id.to_owned()));
            } else {
                let (slot, id) = open.split_once("-<-")?;
                self.importing.push((slot.parse().ok()?, id.to_owned()));
            }
            return Some(());
        }
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        self.slots.push(first.parse().ok()?..=last.parse().ok()?);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::Topology;

    #[test]
    fn lines_of_all_servers_are_read() {
        let text = "\
            b1 127.0.0.1:7001@17001,, fail?,slave a1 0 1426238317239 4 disconnected\n\
            a1 127.0.0.1:7000@17000,host,shard-id=x myself,master - 0 0 1 connected 0-2 9 \
            [9->-c1] [12-<-b1]\n\
            c1 :0@0 master,noaddr - 0 0 0 disconnected\n";
        let topology = Topology::parse(text).unwrap();
        let a1 = topology.member("a1").unwrap();
        assert_eq!(a1.addr.unwrap().port(), 7000);
        assert!(a1.is_primary() && a1.connected && a1.epoch == 1);
        assert_eq!(a1.slots, [0..=2, 9..=9]);
        assert_eq!(a1.migrating, [(9, "c1".to_owned())]);
        assert_eq!(a1.importing, [(12, "b1".to_owned())]);
        let b1 = topology.member("b1").unwrap();
        assert!(b1.has("fail?") && !b1.is_primary() && !b1.connected);
        assert_eq!(b1.primary.as_deref(), Some("a1"));
        assert_eq!(topology.member("c1").unwrap().addr, None);
        assert_eq!(topology.owner(2).unwrap().id, "a1");
        assert_eq!(topology.uncovered(), Some(3));

        for text in ["x", "a1 127.0.0.1:7000 master - 0 0 1 connected", "\n"] {
            assert!(Topology::parse(text).is_none(), "{text}");
        }
    }
}
