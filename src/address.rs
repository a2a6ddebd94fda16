//! Where servers and the nodes of clusters listen.

use std::{collections::HashMap, fmt, path::PathBuf, str::FromStr, sync::Arc};

use crate::error::{Error, ErrorKind, Result};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A TCP port.
    Tcp {
        /// A name or an IP address, an IPv6 address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
    /// Some nodes of a cluster; the others become known from any of them that answers.
    Cluster(Vec<NodeAddress>),
}

/// Where a node of a cluster listens: a name or an IP address, and a port.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeAddress {
    host: Arc<str>,
    port: u16,
}

impl NodeAddress {
    /// The address of a host, an IPv6 address without brackets, and a port.
    #[must_use]
    pub fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// The name or the IP address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl NodeAddress {
    /// The address of a server that is no node of a cluster; a path stands for a host without a port.
    pub(crate) fn of(address: &Address) -> Self {
        match address {
            Address::Tcp { host, port } => Self::new(host.as_str(), *port),
            other => Self::new(other.to_string(), 0),
        }
    }
}

impl FromStr for NodeAddress {
    type Err = Error;

    /// Reads `host:port`, an IPv6 address in brackets, as it is printed.
    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (host, port) = text.rsplit_once(':')?;
            let brackets = host.strip_prefix('[').map(|it| it.strip_suffix(']'));
            let host = brackets.unwrap_or(Some(host).filter(|it| !it.contains(':')))?;
            let port = port.parse().ok().filter(|port| *port != 0)?;
            (!host.is_empty()).then(|| Self::new(host, port))
        };
        read().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "address of a node: expected `host:port`, with an IPv6 address in brackets",
            )
        })
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// How the addresses that a cluster announces become those that this program can reach.
///
/// A cluster behind address translation, or in containers, announces addresses of a network that its
/// clients are not part of. It applies to everything that nodes announce, in the answers about the
/// topology and in redirects, and not to the addresses that the caller gave.
///
/// ```
/// use respec::cluster::{AddressMap, NodeAddress};
///
/// let table = AddressMap::table([
///     (NodeAddress::new("10.0.0.1", 6379), NodeAddress::new("example.com", 7001)),
///     (NodeAddress::new("10.0.0.2", 6379), NodeAddress::new("example.com", 7002)),
/// ]);
/// let function = AddressMap::function(|announced| {
///     (announced.port() != 16379).then(|| NodeAddress::new("127.0.0.1", announced.port()))
/// });
/// # let _ = (table, function);
/// ```
#[derive(Clone, Default)]
pub struct AddressMap(Mapping);

#[derive(Clone, Default)]
enum Mapping {
    #[default]
    Identity,
    Table(Arc<HashMap<NodeAddress, NodeAddress>>),
    Function(Arc<Function>),
}

type Function = dyn Fn(&NodeAddress) -> Option<NodeAddress> + Send + Sync;

impl AddressMap {
    /// Reaches an address of the table at the one next to it, and any other as it is announced.
    #[must_use]
    pub fn table(pairs: impl IntoIterator<Item = (NodeAddress, NodeAddress)>) -> Self {
        Self(Mapping::Table(Arc::new(pairs.into_iter().collect())))
    }

    /// Reaches an announced address where the function says; a node without an answer is not used.
    #[must_use]
    pub fn function(
        function: impl Fn(&NodeAddress) -> Option<NodeAddress> + Send + Sync + 'static,
    ) -> Self {
        Self(Mapping::Function(Arc::new(function)))
    }

    /// Where an announced address is reached, if it may be.
    pub(crate) fn apply(&self, announced: NodeAddress) -> Option<NodeAddress> {
        match &self.0 {
            Mapping::Identity => Some(announced),
            Mapping::Table(table) => Some(table.get(&announced).cloned().unwrap_or(announced)),
            Mapping::Function(function) => function(&announced),
        }
    }
}

impl fmt::Debug for AddressMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Mapping::Identity => "as announced",
            Mapping::Table(_) => "by a table",
            Mapping::Function(_) => "by a function",
        })
    }
}

impl Eq for AddressMap {}

impl PartialEq for AddressMap {
    /// Tables are equal by content, functions only where they are the same one.
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Mapping::Identity, Mapping::Identity) => true,
            (Mapping::Table(one), Mapping::Table(other)) => one == other,
            (Mapping::Function(one), Mapping::Function(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Cluster(nodes) => {
                for (at, node) in nodes.iter().enumerate() {
                    let separator = if at > 0 { "," } else { "" };
                    write!(f, "{separator}{node}")?;
                }
                Ok(())
            }
        }
    }
}

impl From<&NodeAddress> for Address {
    fn from(node: &NodeAddress) -> Self {
        Self::Tcp {
            host: node.host().to_owned(),
            port: node.port(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> NodeAddress {
        NodeAddress::new("h", port)
    }

    #[test]
    fn an_address_prints_as_it_is_dialled() {
        assert_eq!(NodeAddress::new("::1", 7000).to_string(), "[::1]:7000");
        assert_eq!(format!("{:?}", address(7000)), "h:7000");
    }

    #[test]
    fn what_is_printed_reads_back() {
        for node in [address(7000), NodeAddress::new("::1", 1)] {
            assert_eq!(node.to_string().parse::<NodeAddress>().unwrap(), node);
        }
        for text in [
            "",
            "h",
            "h:",
            ":1",
            "h:0",
            "h:x",
            "::1:7000",
            "[::1:7000",
            "[]:1",
        ] {
            let error = text.parse::<NodeAddress>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        }
    }
}
