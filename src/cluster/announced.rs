//! Answers about the topology as servers write them, for tests.

use bytes::Bytes;

use crate::resp::Frame;

/// A shard as a node announces it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shard {
    pub(crate) slots: Vec<(u64, u64)>,
    pub(crate) nodes: Vec<Node>,
}

/// A node as another one announces it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) primary: bool,
    pub(crate) endpoint: Option<String>,
    pub(crate) ip: String,
    pub(crate) hostname: Option<String>,
    pub(crate) port: u64,
    pub(crate) tls_port: Option<u64>,
    pub(crate) health: &'static str,
    pub(crate) offset: i64,
    pub(crate) zone: Option<String>,
}

impl Node {
    pub(crate) fn primary(host: &str, port: u64) -> Self {
        Self {
            primary: true,
            endpoint: Some(host.to_owned()),
            ip: host.to_owned(),
            hostname: None,
            port,
            tls_port: None,
            health: "online",
            offset: 0,
            zone: None,
        }
    }

    pub(crate) fn replica(host: &str, port: u64) -> Self {
        Self {
            primary: false,
            ..Self::primary(host, port)
        }
    }
}

/// The version of RESP that an answer is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    Two,
    Three,
}

/// The answer to `CLUSTER SHARDS`.
pub(crate) fn shards(shards: &[Shard], version: Version) -> Frame {
    let mut out = Text(Vec::with_capacity(1024), version);
    out.array(shards.len());
    for shard in shards {
        out.map(2);
        out.bulk("slots");
        out.array(shard.slots.len() * 2);
        for (start, end) in &shard.slots {
            out.integer(*start);
            out.integer(*end);
        }
        out.bulk("nodes");
        out.array(shard.nodes.len());
        for node in &shard.nodes {
            out.node(node);
        }
    }
    out.frame()
}

/// The answer to `CLUSTER SLOTS`.
pub(crate) fn slots(shards: &[Shard], version: Version) -> Frame {
    let mut out = Text(Vec::with_capacity(1024), version);
    out.array(shards.iter().map(|shard| shard.slots.len()).sum());
    for shard in shards {
        for (start, end) in &shard.slots {
            out.array(2 + shard.nodes.len());
            out.integer(*start);
            out.integer(*end);
            for node in &shard.nodes {
                out.array(4);
                out.nullable(node.endpoint.as_deref());
                out.integer(node.tls_port.unwrap_or(node.port));
                out.bulk("0123456789012345678901234567890123456789");
                let hostname = node.hostname.as_deref().map(|name| ("hostname", name));
                let zone = node.zone.as_deref().map(|zone| ("availability-zone", zone));
                let pairs = [Some(("ip", &*node.ip)), hostname, zone];
                let pairs: Vec<_> = pairs.into_iter().flatten().collect();
                out.map(pairs.len());
                for (name, value) in pairs {
                    out.bulk(name);
                    out.bulk(value);
                }
            }
        }
    }
    out.frame()
}

struct Text(Vec<u8>, Version);

impl Text {
    fn node(&mut self, node: &Node) {
        let fields = 6 + [
            node.tls_port.is_some(),
            node.hostname.is_some(),
            node.zone.is_some(),
        ]
        .into_iter()
        .filter(|there| *there)
        .count();
        self.map(fields + 1);
        self.bulk("id");
        self.bulk("0123456789012345678901234567890123456789");
        self.bulk("port");
        self.integer(node.port);
        if let Some(port) = node.tls_port {
            self.bulk("tls-port");
            self.integer(port);
        }
        self.bulk("ip");
        self.bulk(&node.ip);
        self.bulk("endpoint");
        self.nullable(node.endpoint.as_deref());
        for (name, value) in [
            ("hostname", &node.hostname),
            ("availability-zone", &node.zone),
        ] {
            if let Some(value) = value {
                self.bulk(name);
                self.bulk(value);
            }
        }
        self.bulk("role");
        self.bulk(if node.primary { "master" } else { "replica" });
        self.bulk("replication-offset");
        self.line(b':', &node.offset.to_string());
        self.bulk("health");
        self.bulk(node.health);
    }

    fn array(&mut self, length: usize) {
        self.line(b'*', &length.to_string());
    }

    fn map(&mut self, length: usize) {
        match self.1 {
            Version::Two => self.array(length * 2),
            Version::Three => self.line(b'%', &length.to_string()),
        }
    }

    fn integer(&mut self, integer: u64) {
        self.line(b':', itoa::Buffer::new().format(integer));
    }

    fn bulk(&mut self, text: &str) {
        self.line(b'$', itoa::Buffer::new().format(text.len()));
        self.0.extend_from_slice(text.as_bytes());
        self.0.extend_from_slice(b"\r\n");
    }

    fn nullable(&mut self, text: Option<&str>) {
        match (text, self.1) {
            (Some(text), _) => self.bulk(text),
            (None, Version::Two) => self.0.extend_from_slice(b"$-1\r\n"),
            (None, Version::Three) => self.0.extend_from_slice(b"_\r\n"),
        }
    }

    fn line(&mut self, mark: u8, text: &str) {
        self.0.push(mark);
        self.0.extend_from_slice(text.as_bytes());
        self.0.extend_from_slice(b"\r\n");
    }

    fn frame(self) -> Frame {
        Frame::new(Bytes::from(self.0), false)
    }
}
