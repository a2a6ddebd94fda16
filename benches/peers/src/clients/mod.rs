//! The contestants, and what each of them must be able to do.

pub(crate) mod fred;
pub(crate) mod raw;
pub(crate) mod rawtokio;
pub(crate) mod respec;
pub(crate) mod rustis;

/// redis 1: `Connection`, `MultiplexedConnection` and `ClusterConnection`.
pub(crate) mod redis1 {
    use ::redis1 as redis;

    include!("redis.rs");
}

/// redis 2, in which these have the same names.
pub(crate) mod redis2 {
    use ::redis2 as redis;

    include!("redis.rs");
}

use std::{error::Error, net::SocketAddr};

use bytes::Bytes;

/// The result of whatever a contestant does.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Whatever went wrong, which ends the benchmark.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// A client without a runtime, on one connection.
///
/// Where a reply has a size, it is returned, so that the caller can see that it is the right one.
pub(crate) trait Blocking: Sized {
    fn connect(server: SocketAddr) -> Result<Self>;

    fn get(&mut self, key: &str) -> Result<usize>;

    fn set(&mut self, key: &str, value: &Bytes) -> Result<()>;

    /// A pipeline that sets all keys to the value.
    fn set_all(&mut self, keys: &[String], value: &Bytes) -> Result<()>;

    /// The whole list, as a list of bytes.
    fn lrange(&mut self, key: &str) -> Result<usize>;

    /// The whole hash, as a map of strings.
    fn hgetall(&mut self, key: &str) -> Result<usize>;
}

/// A client without a runtime that threads share, with a pool of connections.
pub(crate) trait Pooled: Clone + Send + 'static {
    fn connect(server: SocketAddr, connections: usize) -> Result<Self>;

    fn get(&self, key: &str) -> Result<usize>;
}

/// A client on tokio, whose clones share its connections.
pub(crate) trait Shared: Clone + Send + 'static {
    fn get(&mut self, key: &str) -> impl Future<Output = Result<usize>> + Send;

    fn set(&mut self, key: &str, value: &Bytes) -> impl Future<Output = Result<()>> + Send;
}

/// A client that finds the node of each key itself.
pub(crate) trait Clustered: Shared {
    /// Connects to the cluster that a node belongs to.
    fn connect(node: SocketAddr) -> impl Future<Output = Result<Self>> + Send;
}

/// A client of one server, with one connection.
pub(crate) trait Async: Shared {
    fn connect(server: SocketAddr) -> impl Future<Output = Result<Self>> + Send;

    fn set_all(
        &mut self,
        keys: &[String],
        value: &Bytes,
    ) -> impl Future<Output = Result<()>> + Send;

    fn lrange(&mut self, key: &str) -> impl Future<Output = Result<usize>> + Send;

    fn hgetall(&mut self, key: &str) -> impl Future<Output = Result<usize>> + Send;
}

/// A client on tokio that has subscribed to a channel.
pub(crate) trait Subscriber: Sized + Send + 'static {
    fn subscribe(server: SocketAddr, channel: &str) -> impl Future<Output = Result<Self>> + Send;

    /// Waits for a message, and returns the size of what it carries.
    fn message(&mut self) -> impl Future<Output = Result<usize>> + Send;
}
