//! The settings of a config, one by one.

use std::{fmt, time::Duration};

use super::{Config, Dialler, Integrity, Offline, Protocol, ReadFrom, Resolver};
use crate::{
    address::{Address, AddressMap},
    resp::Limits,
    secret::Secret,
};

/// A view of a [`Config`], whose methods of the same names set what is read here.
///
/// ```
/// use respec::Config;
///
/// let config = Config::from_url("redis://localhost?pool_max=3")?;
/// assert_eq!(config.settings().pool_max(), 3);
/// assert_eq!(config.settings().username(), None);
/// # Ok::<(), respec::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Settings<'c>(pub(super) &'c Config);

impl<'c> Settings<'c> {
    /// Where the server listens.
    #[must_use]
    pub fn address(self) -> &'c Address {
        &self.0.address
    }

    /// The user of the access control list; `default` if none is given.
    #[must_use]
    pub fn username(self) -> Option<&'c str> {
        self.0.username.as_deref()
    }

    /// The password of the user.
    #[must_use]
    pub fn password(self) -> Option<&'c Secret> {
        self.0.password.as_ref()
    }

    /// The database that every connection selects.
    #[must_use]
    pub fn database(self) -> u32 {
        self.0.database
    }

    /// The name that every connection gives itself.
    #[must_use]
    pub fn client_name(self) -> Option<&'c str> {
        self.0.client_name.as_deref()
    }

    /// Whether connections say their name, and that they are of this library.
    #[must_use]
    pub fn identify(self) -> bool {
        self.0.identify
    }

    /// The version of RESP to ask for.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        self.0.protocol
    }

    /// Whether a call that the server is too old for fails before it is sent.
    #[must_use]
    pub fn version_check(self) -> bool {
        self.0.version_check
    }

    /// The time to resolve, dial and greet, all together.
    #[must_use]
    pub fn connect_timeout(self) -> Duration {
        self.0.connect_timeout
    }

    /// The time that the server may take to answer, beyond what a blocking command lets it wait.
    #[must_use]
    pub fn response_timeout(self) -> Option<Duration> {
        self.0.response_timeout
    }

    /// How often a call is sent again at most; `None` is as often as its time allows.
    #[must_use]
    pub fn retries(self) -> Option<u32> {
        self.0.retries
    }

    /// The longest pause before a call is sent again for the second time.
    #[must_use]
    pub fn retry_backoff(self) -> Duration {
        self.0.retry_backoff
    }

    /// What becomes of calls while there is no connection.
    #[must_use]
    pub fn offline(self) -> Offline {
        self.0.offline
    }

    /// How many shared connections the async client has to each server.
    #[must_use]
    pub fn connections(self) -> usize {
        self.0.connections.get()
    }

    /// How many bytes of requests may be unanswered on one shared connection, and how many bytes of calls
    /// may wait for a connection.
    #[must_use]
    pub fn max_unanswered(self) -> usize {
        self.0.max_unanswered
    }

    /// How many bytes of messages that no command asked for are kept until they are read.
    #[must_use]
    pub fn max_unread(self) -> usize {
        self.0.max_unread
    }

    /// How often a shared connection with something unanswered is probed.
    #[must_use]
    pub fn heartbeat(self) -> Option<Duration> {
        self.0.heartbeat
    }

    /// How long such a connection may receive nothing before it is given up.
    #[must_use]
    pub fn silence_timeout(self) -> Duration {
        self.0.silence_timeout
    }

    /// When replies are known to be in order.
    #[must_use]
    pub fn integrity(self) -> Integrity {
        self.0.integrity
    }

    /// How much a server may send in one reply.
    #[must_use]
    pub fn limits(self) -> Limits {
        self.0.limits
    }

    /// What finds the addresses of names, if not the system.
    #[must_use]
    pub fn resolver(self) -> Option<&'c dyn Resolver> {
        self.0.resolver.as_deref()
    }

    /// What makes the sockets to servers, if not the system.
    #[must_use]
    pub fn dialler(self) -> Option<&'c dyn Dialler> {
        self.0.dialler.as_deref()
    }

    /// Whether small requests are sent at once.
    #[must_use]
    pub fn tcp_nodelay(self) -> bool {
        self.0.tcp.nodelay
    }

    /// How long a connection is idle before the system probes it, then every 2 s and 3 times; in
    /// whole seconds, rounded up.
    #[must_use]
    pub fn tcp_keepalive(self) -> Option<Duration> {
        self.0.tcp.keepalive
    }

    /// How long sent bytes may stay without acknowledgement before the connection is dead, where the
    /// system can tell; what was set, or what follows from the other settings.
    #[must_use]
    pub fn tcp_user_timeout(self) -> Option<Duration> {
        self.0.user_timeout()
    }

    /// How many connections of a pool stay open, however long they are idle.
    #[must_use]
    pub fn pool_min(self) -> usize {
        self.0.pool.min
    }

    /// How many connections of a pool are open at most.
    #[must_use]
    pub fn pool_max(self) -> usize {
        self.0.pool.max
    }

    /// How long a connection of a pool may be idle before it is closed.
    #[must_use]
    pub fn pool_idle_timeout(self) -> Option<Duration> {
        self.0.pool.idle_timeout
    }

    /// How old a connection may become, up to a tenth less for some of them.
    #[must_use]
    pub fn pool_lifetime(self) -> Option<Duration> {
        self.0.pool.lifetime
    }

    /// How long a caller waits for a free connection, or for its turn to connect; zero is not at all.
    #[must_use]
    pub fn pool_wait(self) -> Duration {
        self.0.pool.wait
    }

    /// Which nodes of a cluster run what only reads.
    #[must_use]
    pub fn read_from(self) -> &'c ReadFrom {
        &self.0.cluster.read_from
    }

    /// How often a cluster's topology is asked for without a reason.
    #[must_use]
    pub fn topology_refresh(self) -> Option<Duration> {
        self.0.cluster.topology_refresh
    }

    /// Whether a command whose keys lie in several slots may be sent in parts.
    #[must_use]
    pub fn split(self) -> bool {
        self.0.cluster.split
    }

    /// How the addresses that the nodes of a cluster announce are reached.
    #[must_use]
    pub fn address_map(self) -> &'c AddressMap {
        &self.0.cluster.address_map
    }
}

impl fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
