//! What a client needs to know before it connects: address, credentials, time-outs and limits.
//!
//! A [`Config`] is built by its methods, read from a URL or deserialised from one, and prints back
//! as a URL whose password is masked. Everything that a URL can say stands in [`url`]; nothing here
//! resolves a name or opens a socket.

mod dialling;
mod object;
mod read_from;
mod settings;
mod url;

use std::{fmt, num::NonZeroUsize, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    address::{AddressMap, NodeAddress},
    back_off,
    error::{Error, ErrorKind, Result},
    events::Observer,
    resp::Limits,
    secret::Secret,
};

pub(crate) use crate::address::Address;
pub(crate) use dialling::SocketKind;
pub use dialling::{Dialler, Dialling, Resolver, Socket};
pub(crate) use object::Object;
pub use read_from::ReadFrom;
pub use settings::Settings;

/// The settings of a client.
///
/// ```
/// use std::time::Duration;
///
/// use respec::Config;
///
/// let config = Config::tcp("localhost", 6379)
///     .password("secret")
///     .response_timeout(Duration::from_millis(500));
/// assert_eq!(config.to_string(), "redis://:***@localhost?response_timeout=500ms");
///
/// let same: Config = "valkey://:secret@localhost?response_timeout=500ms".parse()?;
/// assert_eq!(config, same);
/// # Ok::<(), respec::Error>(())
/// ```
///
/// # URLs
///
/// `redis://[[user][:password]@]host[:port][/database][?option=value[&…]]`, where `valkey` may
/// stand for `redis` and an IPv6 address stands in brackets; and for a Unix socket
/// `redis+unix://[[user][:password]@]/path/to.sock[?option=value[&…]]`, where `valkey+unix` and
/// `unix` mean the same. Parts are percent-decoded once, and a `+` is a plus. A user without a
/// password authenticates with an empty one, which is right for a user without any (`nopass`).
///
/// `redis-cluster://[[user][:password]@]host[:port][,host[:port]…][/database][?option=value[&…]]` is a
/// cluster with some of its nodes, of which one that answers is enough. Only Valkey has databases
/// there, since 9.0.
///
/// | option | value | default |
/// |---|---|---|
/// | `db` | number of the database, if the path does not hold it | 0 |
/// | `identify` | `true` or `false`; see [`identify`](Self::identify) | `true` |
/// | `protocol` | `resp3` (RESP2 where the server has no RESP3) or `resp2` | `resp3` |
/// | `client_name` | name of each connection | none |
/// | `version_check` | `true` or `false`; see [`version_check`](Self::version_check) | `false` |
/// | `connect_timeout` | time to resolve, dial and greet | `5s` |
/// | `response_timeout` | time to answer a command, or `none` | `5s` |
/// | `retries` | how often a call is sent again at most, or `none` for as often as its time allows; see [`retries`](Self::retries) | `none` |
/// | `offline` | `wait` or `fail`; see [`Offline`] | `wait` |
/// | `retry_backoff` | longest pause before a call is sent again for the second time; see [`retry_backoff`](Self::retry_backoff) | `50ms` |
/// | `tcp_nodelay` | `true` or `false` | `true` |
/// | `tcp_keepalive` | idle time before the first probe, or `none` | `5s` |
/// | `tcp_user_timeout` | time for sent bytes to be acknowledged, `auto` or `none`; see [`tcp_user_timeout`](Self::tcp_user_timeout) | `auto` |
/// | `connections` | shared connections of the async client to each server | 1 |
/// | `pool_min` | connections kept however long they are idle, and made anew when one was closed | 0 |
/// | `pool_max` | connections open at most, of which each blocking command that waits holds one | 64 |
/// | `pool_idle_timeout` | idle time before a connection is closed, or `none` | `300s` |
/// | `pool_lifetime` | age at which a connection is closed, up to a tenth less, or `none` | `1800s` |
/// | `pool_wait` | time to wait for a connection, or `none` for not at all | `5s` |
/// | `max_unanswered` | requests on a shared connection beyond which callers wait | `64mb` |
/// | `max_unread` | messages that nobody reads beyond which a connection is closed | `64mb` |
/// | `heartbeat` | how often a shared connection with something unanswered is probed, or `none` | `1s` |
/// | `silence_timeout` | how long such a connection may receive nothing before it is given up | `10s` |
/// | `integrity` | `heartbeat` or `batch`; see [`Integrity`] | `heartbeat` |
/// | `max_frame` | longest reply | `1gb` |
/// | `max_bulk` | longest string in a reply | `512mb` |
/// | `max_depth` | deepest nesting of a reply | 128 |
///
/// And of a cluster:
///
/// | option | value | default |
/// |---|---|---|
/// | `read_from` | `primary`, `prefer_replica`, `any`, `nearest`, or `zone:` and an availability zone | `primary` |
/// | `topology_refresh` | how often the topology is asked for without a reason, or `none` | `60s` |
/// | `split` | `true` or `false`: whether a command may be sent in parts, which is not atomic | `true` |
///
/// A time is a whole number with its unit, one of `ns`, `us`, `ms`, `s`, `m`, `h`; `0` and `none` are
/// the same. A size is a whole number of bytes, or with `kb`, `mb` or `gb` of 1024 times the one
/// before. An option that is unknown, given twice or malformed is an error.
///
/// # Secrets
///
/// `Debug`, `Display` and `Serialize` show `***` for the password. A URL with that mask is refused,
/// so that a config that went through one of them fails at once instead of at the server;
/// [`to_url_with_secrets`](Self::to_url_with_secrets) is the form that can be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Where the server listens.
    pub(crate) address: Address,
    /// The user of the access control list, `default` if none is given.
    pub(crate) username: Option<String>,
    /// The password of the user.
    pub(crate) password: Option<Secret>,
    /// The database that every connection selects.
    pub(crate) database: u32,
    /// The name that every connection gives itself.
    pub(crate) client_name: Option<String>,
    /// Whether connections say their name, and that they are of this library.
    pub(crate) identify: bool,
    /// The version of RESP to ask for.
    pub(crate) protocol: Protocol,
    /// Whether a call that the server is too old for fails before it is sent.
    pub(crate) version_check: bool,
    /// The time to resolve, dial and greet, all together.
    pub(crate) connect_timeout: Duration,
    /// The time that the server may take to answer, beyond what the command itself lets it wait.
    pub(crate) response_timeout: Option<Duration>,
    /// How often a call is sent again at most.
    pub(crate) retries: Option<u32>,
    /// The limit of the first pause before a call is sent again, of which chance takes a part.
    pub(crate) retry_backoff: Duration,
    /// What becomes of calls while there is no connection.
    pub(crate) offline: Offline,
    /// How many shared connections the async client has to each server.
    pub(crate) connections: NonZeroUsize,
    /// How many bytes of requests may be sent on one shared connection without having been answered,
    /// and how many bytes of calls may wait for a connection.
    ///
    /// Callers beyond wait for their turn, which is a part of the time for their response. A request
    /// that is larger by itself is sent when there is room for any.
    pub(crate) max_unanswered: usize,
    /// How many bytes of messages that no command asked for are kept until they are read; a connection
    /// that has received more is closed.
    pub(crate) max_unread: usize,
    /// How often a shared connection of the async client is probed while something is unanswered.
    ///
    /// The probe is `PING` with eight bytes that the server has to send back: what it answers shows
    /// that it lives, and that replies are still in order.
    pub(crate) heartbeat: Option<Duration>,
    /// How long a shared connection of the async client may receive nothing, although it is probed,
    /// before it is given up for another; of no use without `heartbeat`.
    pub(crate) silence_timeout: Duration,
    /// When replies are known to be in order.
    pub(crate) integrity: Integrity,
    /// How much a server may send in one reply.
    pub(crate) limits: Limits,
    /// What finds the addresses of names, if not the system.
    pub(crate) resolver: Option<Object<dyn Resolver>>,
    /// What makes sockets, if not the system.
    pub(crate) dialler: Option<Object<dyn Dialler>>,
    /// How sockets are set up.
    pub(crate) tcp: TcpOptions,
    /// How many connections are kept, and how long; of a cluster to each node.
    pub(crate) pool: PoolOptions,
    /// What holds for a cluster.
    pub(crate) cluster: ClusterOptions,
    /// Who is told what happens; it has no place in a URL.
    pub(crate) observer: Option<Object<dyn Observer>>,
}

/// A version of RESP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RESP3, or RESP2 where the server does not know `HELLO 3`.
    #[default]
    Resp3,
    /// RESP2.
    Resp2,
}

/// What becomes of calls while there is no connection: from an attempt to connect that has failed to
/// one that succeeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Offline {
    /// They wait for a connection within their time, and fail with the reason of the last attempt. Of
    /// those that come while attempts fail the async client keeps at most
    /// [`max_unanswered`](Config::max_unanswered) bytes; those beyond fail at once. Callers of the blocking
    /// client wait where they are.
    ///
    /// An attempt that a server refuses for good, as for a wrong password, fails them at once as well.
    #[default]
    Wait,
    /// They fail at once with the reason of the last attempt, while attempts go on beside them. In a
    /// cluster what another node can run goes there.
    Fail,
}

/// When replies are known to be in order, so that nobody gets the reply of another call.
///
/// A server whose module sends one reply too many, or none, has every later reply taken for another's.
/// That shows when a probe is answered by something else than what it asked for; the connection is
/// closed then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Integrity {
    /// Within one `heartbeat`; until then calls may have got wrong replies. It costs nothing.
    #[default]
    Heartbeat,
    /// Before any reply is handed out: behind what is written together goes a probe, whose answer all
    /// replies in front of it wait for. That is one more short command for each write.
    Batch,
}

/// How TCP sockets are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TcpOptions {
    /// Sends small requests at once.
    pub(crate) nodelay: bool,
    /// How long a connection is idle before the system probes it, then every 2 s and 3 times; in
    /// whole seconds, rounded up.
    pub(crate) keepalive: Option<Duration>,
    /// How long sent bytes may stay without acknowledgement before the connection is dead, where
    /// the system can tell (`TCP_USER_TIMEOUT`).
    pub(crate) user_timeout: UserTimeout,
}

/// How long sent bytes may stay without acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum UserTimeout {
    /// As long as the other times of a config want it.
    #[default]
    Auto,
    /// As long as the system likes.
    Off,
    /// That long.
    After(Duration),
}

/// How many connections a pool keeps, and how long.
///
/// A pool does nothing by itself: what is due is closed, and what the minimum lacks is made, when
/// somebody next asks for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolOptions {
    /// So many connections stay open, however long they are idle. One that was closed for another
    /// reason is made anew in the background.
    pub(crate) min: usize,
    /// So many connections are open at most.
    pub(crate) max: usize,
    /// How long a connection may be idle before it is closed.
    pub(crate) idle_timeout: Option<Duration>,
    /// How old a connection may become before it is closed, up to a tenth less for some of them.
    pub(crate) lifetime: Option<Duration>,
    /// How long a caller waits for a free connection, or for its turn to connect; zero is not at all.
    pub(crate) wait: Duration,
}

/// How a cluster is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClusterOptions {
    /// Which nodes run what only reads.
    pub(crate) read_from: ReadFrom,
    /// How often the topology is asked for without a reason.
    pub(crate) topology_refresh: Option<Duration>,
    /// Whether a command whose keys lie in several slots may be sent in parts, where its meaning
    /// allows that. Parts are not atomic: others may see, or meet, some of them without the rest.
    pub(crate) split: bool,
    /// How the addresses that nodes announce are reached; it has no place in a URL.
    pub(crate) address_map: AddressMap,
}

impl Config {
    /// The port of Redis and Valkey.
    pub const DEFAULT_PORT: u16 = 6379;

    /// The settings for a server at an address, everything else being the default.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            username: None,
            password: None,
            database: 0,
            client_name: None,
            identify: true,
            protocol: Protocol::default(),
            version_check: false,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Some(Duration::from_secs(5)),
            retries: None,
            retry_backoff: back_off::FIRST,
            offline: Offline::default(),
            connections: NonZeroUsize::MIN,
            max_unanswered: 64 << 20,
            max_unread: 64 << 20,
            heartbeat: Some(Duration::from_secs(1)),
            silence_timeout: Duration::from_secs(10),
            integrity: Integrity::default(),
            limits: Limits::default(),
            resolver: None,
            dialler: None,
            tcp: TcpOptions::default(),
            pool: PoolOptions::default(),
            cluster: ClusterOptions::default(),
            observer: None,
        }
    }

    /// The settings for a server at a TCP port.
    #[must_use]
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::new(Address::Tcp {
            host: host.into(),
            port,
        })
    }

    /// The settings for a server at a Unix socket.
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::new(Address::Unix(path.into()))
    }

    /// The settings for a cluster of which some nodes listen at these addresses.
    #[must_use]
    pub fn cluster(nodes: impl IntoIterator<Item = NodeAddress>) -> Self {
        Self::new(Address::Cluster(nodes.into_iter().collect()))
    }

    /// Reads the settings from a URL; see [the forms](Self#urls).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], naming the part or option, what was expected and, where that cannot be
    /// a secret, what arrived.
    pub fn from_url(url: &str) -> Result<Self> {
        url::parse(url)
    }

    /// The URL that [`from_url`](Self::from_url) reads these settings from, password included.
    ///
    /// It is for a place that may know the password; what a person may see is `to_string()`.
    #[must_use]
    pub fn to_url_with_secrets(&self) -> String {
        url::print(self, url::Secrets::Exposed)
    }

    /// Sets the user of the access control list.
    #[must_use]
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into()).filter(|name| !name.is_empty());
        self
    }

    /// Sets the password.
    #[must_use]
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Sets the database that every connection selects.
    #[must_use]
    pub fn database(mut self, database: u32) -> Self {
        self.database = database;
        self
    }

    /// Sets the name that every connection gives itself.
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into()).filter(|name| !name.is_empty());
        self
    }

    /// Sets whether connections tell the server their name, and the name and the version of this
    /// library, with `CLIENT SETNAME` and `CLIENT SETINFO`.
    ///
    /// Servers that do not know these commands answer with an error, which is ignored. Some proxies
    /// close the connection instead, and are spoken to without.
    #[must_use]
    pub fn identify(mut self, identify: bool) -> Self {
        self.identify = identify;
        self
    }

    /// Sets the version of RESP to ask for.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Sets whether a call that the server is too old for, or of the wrong family, fails before it is
    /// sent, with [`ErrorKind::Unsupported`].
    ///
    /// The server is taken at its word, and some claim to be what they are not: hence the default,
    /// which is to let the server answer. [`Needs::check`](crate::command::Needs::check) says what
    /// can be told. Without `HELLO`, each connection asks for `INFO` once.
    #[must_use]
    pub fn version_check(mut self, check: bool) -> Self {
        self.version_check = check;
        self
    }

    /// Sets the time to resolve, dial and greet, all together.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the time that the server may take to answer, none or zero being for ever.
    ///
    /// A blocking command may take that time in addition to its own time-out.
    #[must_use]
    pub fn response_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.response_timeout = some_time(timeout);
        self
    }

    /// Sets how often a call is sent again at most, beyond following redirects; none, the default, is
    /// as often as its time allows.
    ///
    /// What is sent again is what was certainly not executed, and what only reads; see
    /// [`CallOptions`](crate::CallOptions) for what a caller may ask for. In addition a budget of the
    /// client keeps retries from multiplying the load of an outage: each call of the last ten seconds
    /// allows one, and a hundred a second are allowed besides.
    #[must_use]
    pub fn retries(mut self, most: impl Into<Option<u32>>) -> Self {
        self.retries = most.into();
        self
    }

    /// Sets the longest pause before a call is sent again for the second time.
    ///
    /// The first time it is sent again at once. The limit of pauses then doubles up to a second, and
    /// each pause is a part of it by chance.
    #[must_use]
    pub fn retry_backoff(mut self, longest: Duration) -> Self {
        self.retry_backoff = longest;
        self
    }

    /// Sets what becomes of calls while there is no connection.
    #[must_use]
    pub fn offline(mut self, offline: Offline) -> Self {
        self.offline = offline;
        self
    }

    /// Sets how many shared connections the async client has to each server, at least 1.
    ///
    /// One carries what one core can send. With several, those who send large values delay fewer
    /// others, and several cores can read and write. Calls whose keys lie in one slot go over the same
    /// connection, so that those that a caller begins without waiting for the one before stay in order
    /// for each key; pipelines of several slots and calls without keys go over any of them.
    ///
    /// The blocking client has a connection for each call under way in any case, up to
    /// [`pool_max`](Self::pool_max).
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = NonZeroUsize::new(connections).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// Sets how many bytes of requests may be unanswered on one shared connection, at least 1, and how
    /// many bytes of calls may wait for a connection.
    #[must_use]
    pub fn max_unanswered(mut self, bytes: usize) -> Self {
        self.max_unanswered = bytes.max(1);
        self
    }

    /// Sets how many bytes of messages are kept until they are read, at least one.
    #[must_use]
    pub fn max_unread(mut self, bytes: usize) -> Self {
        self.max_unread = bytes.max(1);
        self
    }

    /// Sets how often shared connections are probed while something is unanswered, none or zero being
    /// never.
    #[must_use]
    pub fn heartbeat(mut self, every: impl Into<Option<Duration>>) -> Self {
        self.heartbeat = some_time(every);
        self
    }

    /// Sets how long a shared connection may receive nothing, although it is probed, before it is given
    /// up.
    #[must_use]
    pub fn silence_timeout(mut self, timeout: Duration) -> Self {
        self.silence_timeout = timeout;
        self
    }

    /// Sets when replies are known to be in order.
    #[must_use]
    pub fn integrity(mut self, integrity: Integrity) -> Self {
        self.integrity = integrity;
        self
    }

    /// Sets how much a server may send in one reply.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets what finds the addresses of names, in place of the system.
    ///
    /// An object has no place in a URL: it is lost where a config is printed or serialised, but for `Debug`,
    /// which shows the name of its type.
    #[must_use]
    pub fn resolver<R: Resolver + 'static>(mut self, resolver: R) -> Self {
        self.resolver = Some(Object::new::<R>(Arc::new(resolver)));
        self
    }

    /// Sets what makes the sockets to servers, in place of the system. It has no place in a URL either.
    #[must_use]
    pub fn dialler<D: Dialler + 'static>(mut self, dialler: D) -> Self {
        self.dialler = Some(Object::new::<D>(Arc::new(dialler)));
        self
    }

    /// Sets whether small requests are sent at once.
    #[must_use]
    pub fn tcp_nodelay(mut self, nodelay: bool) -> Self {
        self.tcp.nodelay = nodelay;
        self
    }

    /// Sets how long a connection is idle before the system probes it, none or zero being for ever.
    #[must_use]
    pub fn tcp_keepalive(mut self, idle: impl Into<Option<Duration>>) -> Self {
        self.tcp.keepalive = some_time(idle);
        self
    }

    /// Sets how long sent bytes may stay without acknowledgement, none or zero being as long as the
    /// system likes.
    ///
    /// Linux counts that time also while a server that has stalled takes no more bytes, although it
    /// acknowledges that it is there, and lets it decide about keepalive in place of the number of
    /// probes. So it may not be shorter than [`response_timeout`](Self::response_timeout), than
    /// keepalive with its probes takes, or than [`silence_timeout`](Self::silence_timeout), after which
    /// a mute server is given up. By default it is as long as the longest of these.
    #[must_use]
    pub fn tcp_user_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.tcp.user_timeout = UserTimeout::of(some_time(timeout));
        self
    }

    /// Sets how many connections stay open, however long they are idle.
    #[must_use]
    pub fn pool_min(mut self, connections: usize) -> Self {
        self.pool.min = connections;
        self
    }

    /// Sets how many connections are open at most; of a cluster to each node.
    ///
    /// Every blocking command that waits holds one of them, and so does every dedicated connection
    /// and, of the blocking client, every call: whoever has more consumers that wait sets it higher.
    #[must_use]
    pub fn pool_max(mut self, connections: usize) -> Self {
        self.pool.max = connections;
        self
    }

    /// Sets how long a connection may be idle before it is closed, none or zero being for ever.
    #[must_use]
    pub fn pool_idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.pool.idle_timeout = some_time(timeout);
        self
    }

    /// Sets how old a connection may become before it is closed, none or zero being for ever.
    #[must_use]
    pub fn pool_lifetime(mut self, lifetime: impl Into<Option<Duration>>) -> Self {
        self.pool.lifetime = some_time(lifetime);
        self
    }

    /// Sets how long a caller waits for a free connection; zero is not at all.
    #[must_use]
    pub fn pool_wait(mut self, wait: Duration) -> Self {
        self.pool.wait = wait;
        self
    }

    /// Sets which nodes of a cluster run what only reads.
    #[must_use]
    pub fn read_from(mut self, read_from: ReadFrom) -> Self {
        self.cluster.read_from = read_from;
        self
    }

    /// Sets how often a cluster's topology is asked for without a reason, none or zero being never.
    #[must_use]
    pub fn topology_refresh(mut self, every: impl Into<Option<Duration>>) -> Self {
        self.cluster.topology_refresh = some_time(every);
        self
    }

    /// Sets whether a command whose keys lie in several slots may be sent in parts.
    #[must_use]
    pub fn split(mut self, split: bool) -> Self {
        self.cluster.split = split;
        self
    }

    /// Sets how the addresses that the nodes of a cluster announce are reached.
    #[must_use]
    pub fn address_map(mut self, map: AddressMap) -> Self {
        self.cluster.address_map = map;
        self
    }

    /// Sets who is told what happens to the client: every call, connection and change of the topology;
    /// see [`observe`](crate::observe).
    ///
    /// It is an object, and so no part of the URL or of what is serialised.
    #[must_use]
    pub fn observer<O: Observer + 'static>(mut self, observer: O) -> Self {
        self.observer = Some(Object::new::<O>(Arc::new(observer)));
        self
    }

    /// The settings, to be read one by one.
    #[must_use]
    pub fn settings(&self) -> Settings<'_> {
        Settings(self)
    }

    /// Finds what no client could work with; a client asks before it does anything else.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], naming the option.
    pub fn check(&self) -> Result<()> {
        match &self.address {
            Address::Tcp { host, port } => check_tcp(host, *port)?,
            Address::Cluster(nodes) => {
                if nodes.is_empty() {
                    return Err(invalid("host: expected a node of the cluster, got none"));
                }
                for node in nodes {
                    check_tcp(node.host(), node.port())?;
                }
                if self.version_check {
                    return Err(invalid(
                        "version_check: expected a single server, got a cluster, whose nodes may differ",
                    ));
                }
            }
            Address::Unix(path) => {
                let Some(text) = path.to_str() else {
                    return Err(invalid("path of the socket: expected UTF-8"));
                };
                if !text.starts_with('/') || text.len() < 2 || text.contains('\0') {
                    return Err(invalid("path of the socket: expected an absolute path"));
                }
            }
        }
        if self.username.as_deref() == Some("") {
            return Err(invalid("user: expected none or a name, got an empty one"));
        }
        if self
            .client_name
            .as_deref()
            .is_some_and(|name| !is_client_name(name))
        {
            return Err(invalid(
                "client_name: expected printable ASCII without spaces",
            ));
        }
        if self.client_name.is_some() && !self.identify {
            return Err(invalid(
                "client_name: expected none where identify is false",
            ));
        }
        if self.retry_backoff.is_zero() {
            return Err(invalid("retry_backoff: expected a time above zero"));
        }
        if self.connect_timeout.is_zero() {
            return Err(invalid("connect_timeout: expected a time above zero"));
        }
        let optional = [
            ("response_timeout", self.response_timeout),
            ("heartbeat", self.heartbeat),
            ("tcp_keepalive", self.tcp.keepalive),
            ("pool_idle_timeout", self.pool.idle_timeout),
            ("pool_lifetime", self.pool.lifetime),
            ("topology_refresh", self.cluster.topology_refresh),
        ];
        for (name, time) in optional {
            if time.is_some_and(|time| time.is_zero()) {
                return Err(invalid(format!(
                    "{name}: expected none or a time above zero"
                )));
            }
        }
        self.check_user_timeout()?;
        let limits = [
            ("max_unanswered", self.max_unanswered),
            ("max_unread", self.max_unread),
            ("max_frame", self.limits.frame),
            ("max_bulk", self.limits.bulk),
            ("max_depth", self.limits.depth),
            ("pool_max", self.pool.max),
        ];
        for (name, limit) in limits {
            if limit == 0 {
                return Err(invalid(format!("{name}: expected 1 or more, got 0")));
            }
        }
        if self.cluster.read_from == ReadFrom::Zone("".into()) {
            return Err(invalid(
                "read_from: expected an availability zone, got none",
            ));
        }
        if self.silence_timeout.is_zero() {
            return Err(invalid("silence_timeout: expected a time above zero"));
        }
        if self.pool.min > self.pool.max {
            return Err(invalid(format!(
                "pool_min: expected at most pool_max, which is {}, got {}",
                self.pool.max, self.pool.min
            )));
        }
        Ok(())
    }

    /// Sees to it that the kernel does not end connections that the rest of the settings lets live.
    fn check_user_timeout(&self) -> Result<()> {
        let UserTimeout::After(timeout) = self.tcp.user_timeout else {
            return Ok(());
        };
        if timeout.is_zero() {
            return Err(invalid(
                "tcp_user_timeout: expected none or a time above zero",
            ));
        }
        let bounds = [
            ("response_timeout", self.response_timeout),
            ("tcp_keepalive with its probes", self.tcp.keepalive_total()),
            ("silence_timeout", self.given_up_after()),
        ];
        for (name, least) in bounds {
            if let Some(least) = least.filter(|least| *least > timeout) {
                return Err(invalid(format!(
                    "tcp_user_timeout: expected at least the time of {name}, which is {least:?}, got {timeout:?}"
                )));
            }
        }
        Ok(())
    }

    /// How long sent bytes may stay without acknowledgement, after all other settings.
    pub(crate) fn user_timeout(&self) -> Option<Duration> {
        match self.tcp.user_timeout {
            UserTimeout::Off => None,
            UserTimeout::After(timeout) => Some(timeout),
            UserTimeout::Auto => {
                let times = [
                    self.response_timeout,
                    self.tcp.keepalive_total(),
                    self.given_up_after(),
                ];
                times.into_iter().flatten().max()
            }
        }
    }

    /// After what time without a byte a server that owes replies is given up, if it is.
    fn given_up_after(&self) -> Option<Duration> {
        self.heartbeat.map(|_| self.silence_timeout)
    }
}

impl TcpOptions {
    /// How long an idle connection lives whose peer is gone: until the last probe was in vain.
    fn keepalive_total(&self) -> Option<Duration> {
        let probes = KEEPALIVE_INTERVAL * KEEPALIVE_PROBES;
        self.keepalive.map(|idle| idle.saturating_add(probes))
    }
}

impl UserTimeout {
    fn of(timeout: Option<Duration>) -> Self {
        timeout.map_or(Self::Off, Self::After)
    }
}

impl Default for Config {
    /// The settings for a server on this machine at the usual port.
    fn default() -> Self {
        Self::tcp("127.0.0.1", Self::DEFAULT_PORT)
    }
}

impl FromStr for Config {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        Self::from_url(url)
    }
}

impl TryFrom<&str> for Config {
    type Error = Error;

    fn try_from(url: &str) -> Result<Self> {
        Self::from_url(url)
    }
}

/// Prints the URL with `***` for the password.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&url::print(self, url::Secrets::Masked))
    }
}

/// Writes the URL with `***` for the password, since what is serialised ends up in logs and files.
impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads the URL.
impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Url;

        impl de::Visitor<'_> for Url {
            type Value = Config;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the URL of a server")
            }

            fn visit_str<E: de::Error>(self, url: &str) -> Result<Config, E> {
                Config::from_url(url).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Url)
    }
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            nodelay: true,
            keepalive: Some(Duration::from_secs(5)),
            user_timeout: UserTimeout::Auto,
        }
    }
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            min: 0,
            max: 64,
            idle_timeout: Some(Duration::from_secs(300)),
            lifetime: Some(Duration::from_secs(1800)),
            wait: Duration::from_secs(5),
        }
    }
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            read_from: ReadFrom::Primary,
            topology_refresh: Some(Duration::from_secs(60)),
            split: true,
            address_map: AddressMap::default(),
        }
    }
}

fn check_tcp(host: &str, port: u16) -> Result<()> {
    if !url::is_host(host) {
        return Err(invalid(
            "host: expected a name of ASCII letters, digits, `-`, `.` and `_`, or an IP address",
        ));
    }
    if port == 0 {
        return Err(invalid("port: expected 1 to 65535, got 0"));
    }
    Ok(())
}

fn some_time(time: impl Into<Option<Duration>>) -> Option<Duration> {
    time.into().filter(|time| !time.is_zero())
}

/// What `CLIENT SETNAME` takes.
fn is_client_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// How often an idle connection is probed, and how often in vain.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
pub(crate) const KEEPALIVE_PROBES: u32 = 3;

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, message)
}
