//! The URL form of a [`Config`], read strictly and printed so that it reads back.
//!
//! Written by hand: the crate `url` brings the tables of internationalised domain names, which no
//! resolver here needs, and the usual percent-decoders let malformed sequences pass.
//!
//! A URL is where passwords are, and one that is not encoded moves its pieces into other parts. So no
//! message repeats text that could be such a piece: see [`Source::got`].

use std::{net::Ipv6Addr, num::NonZeroUsize, path::PathBuf, str::FromStr, time::Duration};

use super::{
    Address, Config, Integrity, Offline, Protocol, ReadFrom, UserTimeout, invalid, is_client_name,
};
use crate::{
    address::NodeAddress,
    error::{Error, Result},
    secret::Secret,
};

/// Whether a printed URL holds the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrets {
    Masked,
    Exposed,
}

/// An option of the query: each is read and printed by the same entry.
struct UrlOption {
    name: &'static str,
    expected: &'static str,
    read: fn(&mut Config, &str) -> Option<()>,
    /// What would be read back; it is left out where it is that of the default.
    print: fn(&Config) -> String,
}

const OPTIONS: &[UrlOption] = &[
    UrlOption {
        name: "db",
        expected: "the number of a database",
        read: |config, text| {
            config.database = whole(text)?;
            Some(())
        },
        // A TCP address has it in the path.
        print: |config| match config.address {
            Address::Tcp { .. } | Address::Cluster(_) => "0".to_owned(),
            Address::Unix(_) => config.database.to_string(),
        },
    },
    UrlOption {
        name: "protocol",
        expected: "resp2 or resp3",
        read: |config, text| {
            config.protocol = match text {
                "resp2" => Protocol::Resp2,
                "resp3" => Protocol::Resp3,
                _ => return None,
            };
            Some(())
        },
        print: |config| match config.protocol {
            Protocol::Resp2 => "resp2".to_owned(),
            Protocol::Resp3 => "resp3".to_owned(),
        },
    },
    UrlOption {
        name: "client_name",
        expected: "printable ASCII without spaces",
        read: |config, text| {
            config.client_name = Some(text.to_owned()).filter(|name| is_client_name(name));
            config.client_name.is_some().then_some(())
        },
        print: |config| config.client_name.clone().unwrap_or_default(),
    },
    UrlOption {
        name: "identify",
        expected: TRUE_OR_FALSE,
        read: |config, text| {
            config.identify = truth(text)?;
            Some(())
        },
        print: |config| config.identify.to_string(),
    },
    UrlOption {
        name: "version_check",
        expected: TRUE_OR_FALSE,
        read: |config, text| {
            config.version_check = truth(text)?;
            Some(())
        },
        print: |config| config.version_check.to_string(),
    },
    UrlOption {
        name: "connect_timeout",
        expected: "a time above zero, such as 500ms or 2s",
        read: |config, text| {
            config.connect_timeout = time(text).filter(|time| !time.is_zero())?;
            Some(())
        },
        print: |config| print_time(config.connect_timeout),
    },
    UrlOption {
        name: "response_timeout",
        expected: TIME_OR_NONE,
        read: |config, text| {
            config.response_timeout = time_or_none(text)?;
            Some(())
        },
        print: |config| print_time_or_none(config.response_timeout),
    },
    UrlOption {
        name: "retries",
        expected: "none or a number of retries",
        read: |config, text| {
            config.retries = match text {
                "none" => None,
                _ => Some(whole(text)?),
            };
            Some(())
        },
        print: |config| match config.retries {
            None => "none".to_owned(),
            Some(retries) => retries.to_string(),
        },
    },
    UrlOption {
        name: "retry_backoff",
        expected: "a time above zero, such as 50ms",
        read: |config, text| {
            config.retry_backoff = time(text).filter(|time| !time.is_zero())?;
            Some(())
        },
        print: |config| print_time(config.retry_backoff),
    },
    UrlOption {
        name: "offline",
        expected: "wait or fail",
        read: |config, text| {
            config.offline = match text {
                "wait" => Offline::Wait,
                "fail" => Offline::Fail,
                _ => return None,
            };
            Some(())
        },
        print: |config| match config.offline {
            Offline::Wait => "wait".to_owned(),
            Offline::Fail => "fail".to_owned(),
        },
    },
    UrlOption {
        name: "tcp_nodelay",
        expected: TRUE_OR_FALSE,
        read: |config, text| {
            config.tcp.nodelay = truth(text)?;
            Some(())
        },
        print: |config| config.tcp.nodelay.to_string(),
    },
    UrlOption {
        name: "tcp_keepalive",
        expected: TIME_OR_NONE,
        read: |config, text| {
            config.tcp.keepalive = time_or_none(text)?;
            Some(())
        },
        print: |config| print_time_or_none(config.tcp.keepalive),
    },
    UrlOption {
        name: "tcp_user_timeout",
        expected: "auto, none or a time such as 500ms or 2s",
        read: |config, text| {
            config.tcp.user_timeout = match text {
                "auto" => UserTimeout::Auto,
                _ => UserTimeout::of(time_or_none(text)?),
            };
            Some(())
        },
        print: |config| match config.tcp.user_timeout {
            UserTimeout::Auto => "auto".to_owned(),
            UserTimeout::Off => print_time_or_none(None),
            UserTimeout::After(timeout) => print_time(timeout),
        },
    },
    UrlOption {
        name: "connections",
        expected: "a number of connections, 1 or more",
        read: |config, text| {
            config.connections = NonZeroUsize::new(whole(text)?)?;
            Some(())
        },
        print: |config| config.connections.to_string(),
    },
    UrlOption {
        name: "pool_min",
        expected: "a number of connections",
        read: |config, text| {
            config.pool.min = whole(text)?;
            Some(())
        },
        print: |config| config.pool.min.to_string(),
    },
    UrlOption {
        name: "pool_max",
        expected: "a number of connections, 1 or more",
        read: |config, text| {
            config.pool.max = whole(text).filter(|max| *max > 0)?;
            Some(())
        },
        print: |config| config.pool.max.to_string(),
    },
    UrlOption {
        name: "pool_idle_timeout",
        expected: TIME_OR_NONE,
        read: |config, text| {
            config.pool.idle_timeout = time_or_none(text)?;
            Some(())
        },
        print: |config| print_time_or_none(config.pool.idle_timeout),
    },
    UrlOption {
        name: "pool_lifetime",
        expected: TIME_OR_NONE,
        read: |config, text| {
            config.pool.lifetime = time_or_none(text)?;
            Some(())
        },
        print: |config| print_time_or_none(config.pool.lifetime),
    },
    UrlOption {
        name: "pool_wait",
        expected: TIME_OR_NONE,
        read: |config, text| {
            config.pool.wait = time(text)?;
            Some(())
        },
        print: |config| print_time(config.pool.wait),
    },
    UrlOption {
        name: "max_unanswered",
        expected: "a size of 1 or more, such as 1048576 or 64mb",
        read: |config, text| {
            config.max_unanswered = size(text).filter(|size| *size > 0)?;
            Some(())
        },
        print: |config| print_size(config.max_unanswered),
    },
    UrlOption {
        name: "max_unread",
        expected: "a size of 1 or more, such as 1048576 or 64mb",
        read: |config, text| {
            config.max_unread = size(text).filter(|size| *size > 0)?;
            Some(())
        },
        print: |config| print_size(config.max_unread),
    },
    UrlOption {
        name: "heartbeat",
        expected: TIME_OR_NONE,
        read: |config, text| {
            config.heartbeat = time_or_none(text)?;
            Some(())
        },
        print: |config| print_time_or_none(config.heartbeat),
    },
    UrlOption {
        name: "silence_timeout",
        expected: "a time above zero such as 500ms or 2s",
        read: |config, text| {
            config.silence_timeout = time(text).filter(|time| !time.is_zero())?;
            Some(())
        },
        print: |config| print_time(config.silence_timeout),
    },
    UrlOption {
        name: "integrity",
        expected: "heartbeat or batch",
        read: |config, text| {
            config.integrity = match text {
                "heartbeat" => Integrity::Heartbeat,
                "batch" => Integrity::Batch,
                _ => return None,
            };
            Some(())
        },
        print: |config| match config.integrity {
            Integrity::Heartbeat => "heartbeat".to_owned(),
            Integrity::Batch => "batch".to_owned(),
        },
    },
    UrlOption {
        name: "max_frame",
        expected: SIZE,
        read: |config, text| {
            config.limits.frame = size(text)?;
            Some(())
        },
        print: |config| print_size(config.limits.frame),
    },
    UrlOption {
        name: "max_bulk",
        expected: SIZE,
        read: |config, text| {
            config.limits.bulk = size(text)?;
            Some(())
        },
        print: |config| print_size(config.limits.bulk),
    },
    UrlOption {
        name: "max_depth",
        expected: "a number of levels",
        read: |config, text| {
            config.limits.depth = whole(text)?;
            Some(())
        },
        print: |config| config.limits.depth.to_string(),
    },
];

/// The options that are only for a cluster.
const CLUSTER_OPTIONS: &[UrlOption] = &[
    UrlOption {
        name: "read_from",
        expected: "primary, prefer_replica, any, nearest, or zone: and an availability zone",
        read: |config, text| {
            config.cluster.read_from = match text {
                "primary" => ReadFrom::Primary,
                "prefer_replica" => ReadFrom::PreferReplica,
                "any" => ReadFrom::Any,
                "nearest" => ReadFrom::Nearest,
                _ => {
                    let zone = text.strip_prefix("zone:")?;
                    ReadFrom::Zone(Some(zone).filter(|zone| !zone.is_empty())?.into())
                }
            };
            Some(())
        },
        print: |config| match &config.cluster.read_from {
            ReadFrom::Primary => "primary".to_owned(),
            ReadFrom::PreferReplica => "prefer_replica".to_owned(),
            ReadFrom::Any => "any".to_owned(),
            ReadFrom::Nearest => "nearest".to_owned(),
            ReadFrom::Zone(zone) => format!("zone:{zone}"),
        },
    },
    UrlOption {
        name: "topology_refresh",
        expected: TIME_OR_NONE,
        read: |config, text| {
            config.cluster.topology_refresh = time_or_none(text)?;
            Some(())
        },
        print: |config| print_time_or_none(config.cluster.topology_refresh),
    },
    UrlOption {
        name: "split",
        expected: TRUE_OR_FALSE,
        read: |config, text| {
            config.cluster.split = truth(text)?;
            Some(())
        },
        print: |config| config.cluster.split.to_string(),
    },
];

const TIME_OR_NONE: &str = "none or a time such as 500ms or 2s";
const TRUE_OR_FALSE: &str = "true or false";
const SIZE: &str = "a number of bytes such as 1048576 or 512mb";

/// What is printed for a password that is not shown, and refused when read.
const MASK: &str = "***";

/// The kinds of URL that are told apart before anything else is read.
enum Scheme {
    Tcp,
    Unix,
    Cluster,
    /// Known by its name, and not spoken by this version.
    Unsupported(&'static str),
}

impl Scheme {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "redis" | "valkey" => Self::Tcp,
            "redis+unix" | "valkey+unix" | "unix" => Self::Unix,
            "rediss" | "valkeys" => Self::Unsupported("TLS"),
            "redis-cluster" | "valkey-cluster" => Self::Cluster,
            "redis-sentinel" | "valkey-sentinel" => Self::Unsupported("Sentinel"),
            "rediss-cluster" | "valkeys-cluster" => Self::Unsupported("TLS in a cluster"),
            "rediss-sentinel" | "valkeys-sentinel" => Self::Unsupported("TLS with Sentinel"),
            _ => return None,
        })
    }
}

pub(super) fn parse(url: &str) -> Result<Config> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(invalid(
            "URL: expected `redis://` or another scheme at its start",
        ));
    };
    let scheme = match Scheme::of(&scheme.to_ascii_lowercase()) {
        None => {
            return Err(invalid(
                "scheme: expected `redis`, `redis+unix`, `redis-cluster`, the same with `valkey`, or `unix`",
            ));
        }
        Some(Scheme::Unsupported(what)) => {
            return Err(invalid(format!(
                "scheme: this version does not support {what} yet"
            )));
        }
        Some(scheme) => scheme,
    };
    if rest.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(invalid(
            "URL: expected spaces and control characters to be percent-encoded",
        ));
    }
    if rest.contains('#') {
        return Err(invalid("fragment: expected none; a `#` is written as %23"));
    }
    let (before_query, query) = match rest.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (rest, None),
    };
    let slash = before_query.find('/').unwrap_or(before_query.len());
    let (authority, path) = before_query.split_at(slash);
    let (credentials, host) = match authority.rsplit_once('@') {
        Some((credentials, host)) => (Some(credentials), host),
        None => (None, authority),
    };
    let source = Source {
        // An `@` to the right of the host: perhaps all on its left is a user and a password.
        may_hold_secrets: path.contains('@') || query.is_some_and(|query| query.contains('@')),
    };

    let mut config = match scheme {
        Scheme::Unix => source.unix(host, path)?,
        Scheme::Cluster => source.cluster(host, path)?,
        _ => source.tcp(host, path)?,
    };
    if let Some(credentials) = credentials {
        source.credentials(credentials, &mut config)?;
    }
    if let Some(query) = query {
        source.options(query, path_has_database(&config.address, path), &mut config)?;
    }
    config.check()?;
    Ok(config)
}

/// What the messages of one URL may repeat of it.
struct Source {
    may_hold_secrets: bool,
}

impl Source {
    fn tcp(&self, authority: &str, path: &str) -> Result<Config> {
        let (host, port) = self.host(authority)?;
        let mut config = Config::tcp(host, port);
        self.database(path, &mut config)?;
        Ok(config)
    }

    fn cluster(&self, authority: &str, path: &str) -> Result<Config> {
        let nodes: Result<Vec<_>> = authority
            .split(',')
            .map(|node| self.host(node))
            .map(|node| node.map(|(host, port)| NodeAddress::new(host, port)))
            .collect();
        let mut config = Config::cluster(nodes?);
        self.database(path, &mut config)?;
        Ok(config)
    }

    /// A host and its port.
    fn host(&self, authority: &str) -> Result<(String, u16)> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest
                    .split_once(']')
                    .ok_or_else(|| invalid("host: expected `]` at the end of an IPv6 address"))?;
                let host = text("host", host)?;
                if !is_ipv6(&host) {
                    return Err(self.got("host: expected an IPv6 address in brackets", &host));
                }
                (host, port)
            }
            None => {
                let (host, port) =
                    authority.split_at(authority.find(':').unwrap_or(authority.len()));
                if host.is_empty() {
                    return Err(invalid("host: expected a name or an address, got none"));
                }
                if !is_host(host) {
                    return Err(self.got("host: expected a name of ASCII letters, digits, `-`, `.` and `_`, or an IP address", host));
                }
                (host.to_owned(), port)
            }
        };
        let port = match port {
            "" => Config::DEFAULT_PORT,
            port => port
                .strip_prefix(':')
                .and_then(whole::<u16>)
                .filter(|port| *port > 0)
                .ok_or_else(|| self.got("port: expected `:` and 1 to 65535", port))?,
        };
        Ok((host, port))
    }

    fn database(&self, path: &str, config: &mut Config) -> Result<()> {
        let database = path.strip_prefix('/').filter(|it| !it.is_empty());
        if let Some(database) = database {
            config.database = whole(database)
                .ok_or_else(|| self.got("path: expected the number of a database", database))?;
        }
        Ok(())
    }

    fn unix(&self, host: &str, path: &str) -> Result<Config> {
        if !host.is_empty() {
            return Err(self.got("host: expected none before the path of a socket", host));
        }
        if path.len() < 2 {
            return Err(invalid("path: expected the absolute path of a socket"));
        }
        Ok(Config::unix(PathBuf::from(text("path", path)?)))
    }

    fn credentials(&self, credentials: &str, config: &mut Config) -> Result<()> {
        if credentials.is_empty() {
            return Err(invalid(
                "user: expected a user or a password before `@`, got neither",
            ));
        }
        if credentials.contains('@') {
            return Err(invalid(
                "user: expected one `@` before the host; in a user or a password it is written as %40",
            ));
        }
        let (username, password) = match credentials.split_once(':') {
            Some((username, password)) => (username, Some(password)),
            None => (credentials, None),
        };
        config.username = Some(text("user", username)?).filter(|username| !username.is_empty());
        if password == Some(MASK) {
            return Err(invalid(
                "password: expected a password, got the mask of one that was printed; three stars are written as %2A%2A%2A",
            ));
        }
        config.password = password
            .map(|text| decode("password", text))
            .transpose()?
            .map(Secret::new);
        Ok(())
    }

    fn options(&self, query: &str, database_given: bool, config: &mut Config) -> Result<()> {
        let mut given = Vec::new();
        if database_given {
            given.push("db");
        }
        for pair in query.split('&') {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(self.got(
                    "options: expected `name=value`",
                    pair.get(..40).unwrap_or(pair),
                ));
            };
            let named = |option: &&UrlOption| option.name == name;
            let of_cluster = CLUSTER_OPTIONS.iter().find(named);
            if of_cluster.is_some() && !matches!(config.address, Address::Cluster(_)) {
                return Err(invalid(format!(
                    "{name}: expected only in the URL of a cluster"
                )));
            }
            let Some(option) = OPTIONS.iter().find(named).or(of_cluster) else {
                // Its value is not repeated: it could be a `password`.
                let name = if is_host(name) {
                    name
                } else {
                    "a malformed one"
                };
                return Err(self.got("options: expected a known option", name));
            };
            if given.contains(&option.name) {
                return Err(invalid(format!(
                    "{}: expected once, got twice",
                    option.name
                )));
            }
            given.push(option.name);
            let value = text(option.name, value)?;
            if (option.read)(config, &value).is_none() {
                return Err(self.got(
                    &format!("{}: expected {}", option.name, option.expected),
                    &value,
                ));
            }
        }
        Ok(())
    }

    /// Says what was expected and, unless it could be a piece of a secret, what arrived.
    fn got(&self, expected: &str, got: &str) -> Error {
        if self.may_hold_secrets {
            return invalid(format!(
                "{expected}; in a user or a password, `/` is written as %2F, `?` as %3F and `@` as %40"
            ));
        }
        invalid(format!("{expected}, got `{got}`"))
    }
}

/// Whether the path of a URL said which database.
fn path_has_database(address: &Address, path: &str) -> bool {
    !matches!(address, Address::Unix(_)) && path.len() > 1
}

pub(super) fn print(config: &Config, secrets: Secrets) -> String {
    let mut credentials = String::new();
    if let Some(username) = &config.username {
        encode(username.as_bytes(), &mut credentials);
    }
    if let Some(password) = &config.password {
        credentials.push(':');
        match secrets {
            Secrets::Masked => credentials.push_str(MASK),
            Secrets::Exposed => encode(password.expose(), &mut credentials),
        }
    }
    if !credentials.is_empty() {
        credentials.push('@');
    }
    let mut url = match &config.address {
        Address::Tcp { host, port } => {
            let host = print_host(host, *port);
            format!(
                "redis://{credentials}{host}{}",
                print_database(config.database)
            )
        }
        Address::Cluster(nodes) => {
            let nodes: Vec<_> = nodes
                .iter()
                .map(|node| print_host(node.host(), node.port()))
                .collect();
            let nodes = nodes.join(",");
            format!(
                "redis-cluster://{credentials}{nodes}{}",
                print_database(config.database)
            )
        }
        Address::Unix(path) => {
            let mut url = format!("redis+unix://{credentials}");
            for (at, part) in path.to_string_lossy().split('/').enumerate() {
                if at > 0 {
                    url.push('/');
                }
                encode(part.as_bytes(), &mut url);
            }
            url
        }
    };
    let default = Config::default();
    let mut separator = '?';
    let of_cluster = match config.address {
        Address::Cluster(_) => CLUSTER_OPTIONS,
        _ => &[],
    };
    for option in OPTIONS.iter().chain(of_cluster) {
        let value = (option.print)(config);
        if value != (option.print)(&default) {
            url.push(separator);
            url.push_str(option.name);
            url.push('=');
            encode(value.as_bytes(), &mut url);
            separator = '&';
        }
    }
    url
}

fn print_host(host: &str, port: u16) -> String {
    let mut text = if host.contains(':') {
        // Only the `%` before a zone is not allowed as it is.
        format!("[{}]", host.replace('%', "%25"))
    } else {
        host.to_owned()
    };
    if port != Config::DEFAULT_PORT {
        text.push_str(&format!(":{port}"));
    }
    text
}

fn print_database(database: u32) -> String {
    match database {
        0 => String::new(),
        database => format!("/{database}"),
    }
}

/// Whether a resolver can be asked for it: a name, or an address of either version.
pub(super) fn is_host(host: &str) -> bool {
    let is_name = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    is_name(host) || is_ipv6(host)
}

/// An IPv6 address, with the zone that a link-local one needs.
fn is_ipv6(host: &str) -> bool {
    let (address, zone) = match host.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (host, None),
    };
    let is_zone = |zone: &str| {
        !zone.is_empty()
            && zone
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    Ipv6Addr::from_str(address).is_ok() && zone.is_none_or(is_zone)
}

/// Percent-decodes a part once.
fn decode(part: &str, encoded: &str) -> Result<Vec<u8>> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            return Err(invalid(format!(
                "{part}: expected two hexadecimal digits after `%`, which itself is written as %25"
            )));
        };
        decoded.push((high * 16 + low) as u8);
    }
    Ok(decoded)
}

/// Percent-decodes a part that is text.
fn text(part: &str, encoded: &str) -> Result<String> {
    String::from_utf8(decode(part, encoded)?)
        .map_err(|_| invalid(format!("{part}: expected percent-encoded UTF-8")))
}

/// Percent-encodes everything but the characters that mean nothing in any part of a URL.
fn encode(bytes: &[u8], url: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A number of nothing but digits; `FromStr` takes a sign as well.
fn whole<T: FromStr>(text: &str) -> Option<T> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// A time with its unit; zero where it is off.
fn time(text: &str) -> Option<Duration> {
    if matches!(text, "0" | "none") {
        return Some(Duration::ZERO);
    }
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let nanos: u128 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS_PER_SEC,
        "m" => 60 * NANOS_PER_SEC,
        "h" => 3600 * NANOS_PER_SEC,
        _ => return None,
    };
    let nanos = whole::<u128>(number)?.checked_mul(nanos)?;
    let seconds = u64::try_from(nanos / NANOS_PER_SEC).ok()?;
    Some(Duration::new(seconds, (nanos % NANOS_PER_SEC) as u32))
}

fn time_or_none(text: &str) -> Option<Option<Duration>> {
    let time = time(text)?;
    Some(Some(time).filter(|time| !time.is_zero()))
}

fn print_time(time: Duration) -> String {
    let nanos = time.as_nanos();
    let units = [
        (NANOS_PER_SEC, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    if nanos == 0 {
        return "none".to_owned();
    }
    units
        .iter()
        .find(|(unit, _)| nanos.is_multiple_of(*unit))
        .map(|(unit, name)| format!("{}{name}", nanos / unit))
        .unwrap_or_default()
}

fn print_time_or_none(time: Option<Duration>) -> String {
    print_time(time.unwrap_or_default())
}

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// A number of bytes, with a unit of `redis.conf` if it has one.
fn size(text: &str) -> Option<usize> {
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let unit = match unit {
        "" => 1,
        "kb" => 1 << 10,
        "mb" => 1 << 20,
        "gb" => 1 << 30,
        _ => return None,
    };
    whole::<usize>(number)?.checked_mul(unit)
}

fn print_size(bytes: usize) -> String {
    [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")]
        .iter()
        .find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit))
        .map_or_else(
            || bytes.to_string(),
            |(unit, name)| format!("{}{name}", bytes / unit),
        )
}
