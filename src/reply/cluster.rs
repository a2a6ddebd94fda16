//! The nodes of a cluster, as the lines of `CLUSTER NODES` describe them.

use super::{Decode, DecodeError, FromText};
use crate::resp::Reply;

/// A node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterNode {
    /// Id of the node, 40 hexadecimal digits.
    pub id: String,
    /// IP address or other host to connect to; empty where it is not known.
    pub host: String,
    /// Port for clients; 0 where it is not known.
    pub port: u16,
    /// Port for other nodes; older servers do not tell.
    pub bus_port: Option<u16>,
    /// Name of the host, where the node announces one, since 7.0.0.
    pub hostname: Option<String>,
    /// Flags, such as `myself`, `master`, `slave`, `fail?`, `fail`, `handshake` and `noaddr`.
    pub flags: Vec<String>,
    /// Id of the primary that the node replicates; `None` for a primary.
    pub primary: Option<String>,
    /// When the ping was sent that is still unanswered, Unix time in milliseconds; 0 for none.
    pub ping_sent: u64,
    /// When the last pong came, Unix time in milliseconds.
    pub pong_received: u64,
    /// Epoch of the node's configuration, or of that of its primary.
    pub config_epoch: u64,
    /// Whether the link to the node is up.
    pub connected: bool,
    /// First and last slot of each range that the node serves.
    pub slots: Vec<(u16, u16)>,
    /// Slots on their way to another node, with that node's id; only a node itself tells.
    pub migrating: Vec<(u16, String)>,
    /// Slots on their way from another node, with that node's id; only a node itself tells.
    pub importing: Vec<(u16, String)>,
    /// What a newer server sends besides, in order.
    pub rest: Vec<String>,
}

impl ClusterNode {
    /// Whether a flag is set.
    #[must_use]
    pub fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|known| known == flag)
    }

    /// Whether it is the node that answered.
    #[must_use]
    pub fn is_myself(&self) -> bool {
        self.has_flag("myself")
    }

    /// Whether it is a primary.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.has_flag("master")
    }

    /// Whether it is a replica.
    #[must_use]
    pub fn is_replica(&self) -> bool {
        self.has_flag("slave")
    }

    /// Whether the other nodes have agreed that it has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.has_flag("fail")
    }
}

impl FromText for ClusterNode {
    fn from_text(line: &[u8]) -> Result<Self, DecodeError> {
        let line = std::str::from_utf8(line).map_err(|_| DecodeError::new("UTF-8", "bytes"))?;
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let mut word = |name| words.next().ok_or_else(|| DecodeError::missing(name));
        let id = word("id")?.to_owned();
        let address = Address::of(word("address")?)?;
        let flags = word("flags")?.split(',').map(str::to_owned).collect();
        let primary = word("primary")?;
        let mut node = Self {
            id,
            host: address.host.to_owned(),
            port: address.port,
            bus_port: address.bus_port,
            hostname: address.hostname.map(str::to_owned),
            flags,
            primary: (primary != "-").then(|| primary.to_owned()),
            ping_sent: number("ping-sent", word("ping-sent")?)?,
            pong_received: number("pong-recv", word("pong-recv")?)?,
            config_epoch: number("config-epoch", word("config-epoch")?)?,
            connected: word("link-state")? == "connected",
            slots: Vec::new(),
            migrating: Vec::new(),
            importing: Vec::new(),
            rest: Vec::new(),
        };
        for word in words {
            node.add(word)?;
        }
        Ok(node)
    }
}

impl ClusterNode {
    /// Adds `5`, `5-9`, `[5->-id]` or `[5-<-id]`.
    fn add(&mut self, word: &str) -> Result<(), DecodeError> {
        if let Some(moving) = word
            .strip_prefix('[')
            .and_then(|word| word.strip_suffix(']'))
        {
            if let Some((slot, node)) = moving.split_once("->-") {
                self.migrating
                    .push((number("slot", slot)?, node.to_owned()));
            } else if let Some((slot, node)) = moving.split_once("-<-") {
                self.importing
                    .push((number("slot", slot)?, node.to_owned()));
            } else {
                self.rest.push(word.to_owned());
            }
        } else if word.starts_with(|c: char| c.is_ascii_digit()) {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            self.slots
                .push((number("slot", first)?, number("slot", last)?));
        } else {
            self.rest.push(word.to_owned());
        }
        Ok(())
    }
}

/// `host:port@bus-port,hostname,…`, in which the host may be IPv6, or empty.
struct Address<'a> {
    host: &'a str,
    port: u16,
    bus_port: Option<u16>,
    hostname: Option<&'a str>,
}

impl<'a> Address<'a> {
    fn of(word: &'a str) -> Result<Self, DecodeError> {
        let mut parts = word.split(',');
        let socket = parts.next().unwrap_or_default();
        let (socket, bus_port) = match socket.split_once('@') {
            Some((socket, bus_port)) => (socket, Some(number("bus port", bus_port)?)),
            None => (socket, None),
        };
        let (host, port) = socket
            .rsplit_once(':')
            .ok_or_else(|| DecodeError::new("a host and a port", "another text"))?;
        Ok(Self {
            host,
            port: number("port", port)?,
            bus_port,
            // What follows the name is `name=value`.
            hostname: parts
                .next()
                .filter(|name| !name.is_empty() && !name.contains('=')),
        })
    }
}

fn number<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, DecodeError> {
    text.parse()
        .map_err(|_| DecodeError::new("a number in range", "another text").in_field(field))
}

impl Decode for ClusterNode {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        super::read_line(reply)
    }

    /// Nodes from a text of lines, or from a list of texts.
    #[inline]
    fn decode_list(reply: Reply<'_>) -> Result<Vec<Self>, DecodeError> {
        super::read_lines(reply)
    }
}
