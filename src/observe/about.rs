//! What OpenTelemetry's conventions call a client, its server and its nodes.

use std::net::IpAddr;

use crate::{address::Address, config::Config};

/// `db.system.name`, whichever family the server is of: the conventions know no other word for it.
pub(super) const SYSTEM: &str = "redis";

/// The server of a client, as its config names it.
#[derive(Clone, Debug)]
pub(super) struct About {
    /// `server.address`: the host or the path; of a cluster all nodes that the config names.
    pub(super) address: String,
    /// `server.port`, unless it is a part of the address.
    pub(super) port: Option<u16>,
    /// `db.namespace`: the number of the database that every connection selects.
    pub(super) namespace: String,
}

impl About {
    pub(super) fn new(config: &Config) -> Self {
        let (address, port) = place(&config.address);
        Self {
            address,
            port,
            namespace: config.database.to_string(),
        }
    }
}

/// `server.address` and `server.port` of an address.
pub(super) fn place(address: &Address) -> (String, Option<u16>) {
    match address {
        Address::Tcp { host, port } => (host.clone(), Some(*port)),
        other => (other.to_string(), None),
    }
}

/// `network.peer.address` and `network.peer.port`, where they are known without a look at the socket:
/// a name is none.
pub(super) fn peer(address: &Address) -> Option<(String, Option<u16>)> {
    match address {
        Address::Tcp { host, .. } if host.parse::<IpAddr>().is_err() => None,
        Address::Cluster(_) => None,
        _ => Some(place(address)),
    }
}
