//! What a server tells about itself: `INFO`.

use std::fmt;

use super::{CommandStats, Decode, DecodeError, FromText, Keyspace, ReplicaState, text::lines};
use crate::resp::Reply;

/// What a server tells about itself, a text of sections with a field on each line.
///
/// ```
/// use respec::reply::{FromText, ServerInfo};
///
/// let info = ServerInfo::from_text(
///     b"# Server\r\nredis_version:8.2.3\r\n\r\n# Clients\r\nconnected_clients:2\r\n",
/// )?;
/// assert_eq!(info.version(), Some("8.2.3"));
/// assert_eq!(info.field("connected_clients"), Some("2"));
/// assert_eq!(info.number::<u64>("connected_clients"), Some(2));
/// let names: Vec<_> = info.sections().map(|section| section.name()).collect();
/// assert_eq!(names, ["Server", "Clients"]);
/// # Ok::<(), respec::reply::DecodeError>(())
/// ```
///
/// Servers differ in their fields, and send only the sections asked for, so that the methods for
/// single fields give `None` where a field is absent or no such value; [`field`](Self::field) then
/// tells what it is.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerInfo {
    text: String,
}

/// One section of [`ServerInfo`], such as `Memory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InfoSection<'i> {
    name: &'i str,
    text: &'i str,
}

/// What a server is in replication, as [`ServerInfo`] tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerRole {
    /// It takes writes.
    Primary,
    /// It follows a primary.
    Replica,
}

impl ServerInfo {
    /// The whole text, as the server sent it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value of a field, whatever section it is in.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        fields(&self.text)
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The value of a field as a number: `u64`, `i64` or `f64`, or `bool` for 0 and 1.
    #[must_use]
    pub fn number<T: FromText>(&self, name: &str) -> Option<T> {
        T::from_text(self.field(name)?.as_bytes()).ok()
    }

    /// The sections, in the order of the text.
    pub fn sections(&self) -> impl Iterator<Item = InfoSection<'_>> {
        let mut starts: Vec<_> = self
            .text
            .match_indices('#')
            .map(|(at, _)| at)
            .filter(|at| self.text.get(..*at).is_some_and(is_line_start))
            .collect();
        starts.push(self.text.len());
        (1..starts.len()).filter_map(move |next| {
            let section = self.text.get(*starts.get(next - 1)?..*starts.get(next)?)?;
            let (title, text) = section.split_once('\n').unwrap_or((section, ""));
            Some(InfoSection {
                name: title.trim_start_matches('#').trim(),
                text,
            })
        })
    }

    /// A section by its name, whose case does not matter.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<InfoSection<'_>> {
        self.sections()
            .find(|section| section.name.eq_ignore_ascii_case(name))
    }

    /// The version of the server, that of Valkey where it is one.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.field("valkey_version")
            .or_else(|| self.field("redis_version"))
    }

    /// What the server calls itself: `redis`, which Redis itself does not say, or `valkey`.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.field("server_name")
            .or_else(|| self.field("redis_version").map(|_| "redis"))
    }

    /// `standalone`, `cluster` or `sentinel`.
    #[must_use]
    pub fn mode(&self) -> Option<&str> {
        self.field("redis_mode")
            .or_else(|| self.field("server_mode"))
    }

    /// Seconds since the server started.
    #[must_use]
    pub fn uptime_in_seconds(&self) -> Option<u64> {
        self.number("uptime_in_seconds")
    }

    /// Whether it is a primary or a replica.
    #[must_use]
    pub fn role(&self) -> Option<ServerRole> {
        match self.field("role")? {
            "master" => Some(ServerRole::Primary),
            "slave" => Some(ServerRole::Replica),
            _ => None,
        }
    }

    /// How many replicas are connected to it.
    #[must_use]
    pub fn connected_replicas(&self) -> Option<u64> {
        self.number("connected_slaves")
    }

    /// The replicas that are connected to it, in the server's order.
    #[must_use]
    pub fn replicas(&self) -> Vec<ReplicaState> {
        self.each("slave", u64::from_text)
            .map(|(_, replica)| replica)
            .collect()
    }

    /// How many clients are connected, without replicas.
    #[must_use]
    pub fn connected_clients(&self) -> Option<u64> {
        self.number("connected_clients")
    }

    /// How many clients wait in a blocking command.
    #[must_use]
    pub fn blocked_clients(&self) -> Option<u64> {
        self.number("blocked_clients")
    }

    /// Bytes that the server has allocated.
    #[must_use]
    pub fn used_memory(&self) -> Option<u64> {
        self.number("used_memory")
    }

    /// Bytes that the system has given to the server.
    #[must_use]
    pub fn used_memory_rss(&self) -> Option<u64> {
        self.number("used_memory_rss")
    }

    /// The most bytes that the server has had allocated.
    #[must_use]
    pub fn used_memory_peak(&self) -> Option<u64> {
        self.number("used_memory_peak")
    }

    /// The bytes beyond which keys are evicted; 0 for no limit.
    #[must_use]
    pub fn maxmemory(&self) -> Option<u64> {
        self.number("maxmemory")
    }

    /// Whether a data set is being loaded.
    #[must_use]
    pub fn is_loading(&self) -> Option<bool> {
        self.number("loading")
    }

    /// How many commands the server has run.
    #[must_use]
    pub fn total_commands_processed(&self) -> Option<u64> {
        self.number("total_commands_processed")
    }

    /// How many commands it runs in a second now.
    #[must_use]
    pub fn instantaneous_ops_per_sec(&self) -> Option<u64> {
        self.number("instantaneous_ops_per_sec")
    }

    /// How many keys that were looked for were there.
    #[must_use]
    pub fn keyspace_hits(&self) -> Option<u64> {
        self.number("keyspace_hits")
    }

    /// How many keys that were looked for were not there.
    #[must_use]
    pub fn keyspace_misses(&self) -> Option<u64> {
        self.number("keyspace_misses")
    }

    /// Whether the server is a node of a cluster.
    #[must_use]
    pub fn is_cluster(&self) -> Option<bool> {
        self.number("cluster_enabled")
    }

    /// The databases that hold keys, by number.
    #[must_use]
    pub fn keyspace(&self) -> Vec<(u64, Keyspace)> {
        self.each("db", u64::from_text).collect()
    }

    /// How often each command was called, by its name in lower case, such as `get` or `client|list`;
    /// with the section `commandstats`.
    #[must_use]
    pub fn commandstats(&self) -> Vec<(String, CommandStats)> {
        self.each("cmdstat_", String::from_text).collect()
    }

    /// How often each error was answered, by its code; with the section `errorstats`.
    #[must_use]
    pub fn errorstats(&self) -> Vec<(String, u64)> {
        fields(&self.text)
            .filter_map(|(name, value)| {
                let count = value.strip_prefix("count=")?.parse().ok()?;
                Some((name.strip_prefix("errorstat_")?.to_owned(), count))
            })
            .collect()
    }

    /// The fields that are `prefix` and a key, and hold a `T`.
    fn each<'i, K: 'i, T: FromText + 'i>(
        &'i self,
        prefix: &'static str,
        key: fn(&[u8]) -> Result<K, DecodeError>,
    ) -> impl Iterator<Item = (K, T)> {
        fields(&self.text).filter_map(move |(name, value)| {
            let key = key(name.strip_prefix(prefix)?.as_bytes()).ok()?;
            Some((key, T::from_text(value.as_bytes()).ok()?))
        })
    }
}

impl<'i> InfoSection<'i> {
    /// The title, such as `Memory`.
    #[must_use]
    pub fn name(&self) -> &'i str {
        self.name
    }

    /// The value of a field of this section.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'i str> {
        self.fields()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// Names and values, in the order of the text.
    pub fn fields(&self) -> impl Iterator<Item = (&'i str, &'i str)> + use<'i> {
        fields(self.text)
    }
}

/// Names and values of all lines that are no titles.
fn fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(':'))
}

/// Whether a new line begins behind a text.
fn is_line_start(before: &str) -> bool {
    before.is_empty() || before.ends_with('\n')
}

impl FromText for ServerInfo {
    fn from_text(text: &[u8]) -> Result<Self, DecodeError> {
        // A text that is something else altogether has no line of this form; one odd line among
        // others is what a user made a server write.
        let known = |line: &[u8]| line.starts_with(b"#") || line.contains(&b':');
        if lines(text).next().is_some() && !lines(text).any(known) {
            return Err(DecodeError::new(
                "lines of a name, `:` and a value",
                "another line",
            ));
        }
        String::from_text(text).map(|text| Self { text })
    }
}

impl Decode for ServerInfo {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        super::read_text(reply)
    }
}

impl fmt::Debug for ServerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(fields(&self.text)).finish()
    }
}

impl fmt::Display for ServerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
