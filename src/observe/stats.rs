//! What a client is doing, and what it has done, in numbers.

use std::{fmt, sync::Arc, time::Duration};

use crate::{address::Address, cluster::Calls, link::PoolStats};

/// What a client is doing, and what it has done since it was made, with all its clones.
///
/// ```no_run
/// # fn example(client: respec::blocking::Client) {
/// println!("{}", client.stats());
/// // connections: 3 open (0 shared, 1 in use, 2 idle) to 1 server; 4 made, 1 lost, 1 made anew, 0 failed
/// // calls: 1204 begun, 1 in flight, 27 bytes unanswered; 0 sent again, 0 redirected, 1 timed out
/// // pool: 0 waiting; 12 have waited, for 1.3ms at most, 0 in vain
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Servers, or nodes of a cluster, to which there are or were connections.
    pub servers: usize,
    /// Connections that are open: shared ones, and those of the pools.
    pub connections: usize,
    /// Of these, the ones that all callers share; the blocking client has none.
    pub shared: usize,
    /// What the pools of all servers are doing, and how callers have waited for them.
    pub pool: PoolStats,
    /// Calls that have begun.
    pub calls: u64,
    /// Calls that are under way.
    pub in_flight: u64,
    /// Bytes of requests to which no reply has come yet.
    pub unanswered_bytes: u64,
    /// Connections that were made.
    pub connected: u64,
    /// Attempts to connect that have failed.
    pub connect_failures: u64,
    /// Connections that were lost, without a wish of the client to end them.
    pub lost: u64,
    /// Connections that were made after one was lost, in its place.
    pub reconnects: u64,
    /// How often a call, or a part of one, was sent again.
    pub retries: u64,
    /// How often a node of a cluster has sent a call on to another one.
    pub redirects: u64,
    /// How often the time of a call has run out.
    pub timeouts: u64,
    /// How often the nodes of a cluster, or the slots that they serve, have changed.
    pub topology_changes: u64,
    /// How long ago a node of a cluster has last told the topology; `None` for a single server, and
    /// before any has.
    pub topology_age: Option<Duration>,
    /// How long a heartbeat took, of the server where it took longest; `None` before any connection was
    /// probed. What is probed are shared connections on which something is owed for a while.
    pub heartbeat: Option<Duration>,
    /// Events that listeners were not told, since they were too slow.
    pub events_dropped: u64,
}

/// Whoever can say what the servers of a client are doing.
pub(crate) trait Source: Send + Sync {
    /// What each of them is doing.
    fn servers(&self) -> Vec<(Arc<Address>, ServerStats)>;
}

/// What one server is doing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerStats {
    /// Connections that all callers share.
    pub(crate) shared: usize,
    pub(crate) pool: PoolStats,
    /// Bytes of requests to which no reply has come yet.
    pub(crate) unanswered: u64,
    /// How long the last heartbeat took.
    pub(crate) round_trip: Option<Duration>,
}

impl Stats {
    /// Those of a client with these calls and servers.
    pub(crate) fn of(calls: &Calls, servers: impl IntoIterator<Item = ServerStats>) -> Self {
        let counted = calls.events().counted();
        let client = Self {
            calls: calls.begun(),
            in_flight: calls.under_way(),
            connected: counted.connected,
            connect_failures: counted.connect_failures,
            lost: counted.lost,
            reconnects: counted.reconnects,
            retries: counted.retries,
            redirects: counted.redirects,
            timeouts: counted.timeouts,
            topology_changes: counted.topology_changes,
            events_dropped: counted.events_dropped,
            ..Self::default()
        };
        servers.into_iter().fold(client, |sum, server| Self {
            servers: sum.servers + 1,
            connections: sum.connections + server.shared + server.pool.open(),
            shared: sum.shared + server.shared,
            pool: sum.pool.and(server.pool),
            unanswered_bytes: sum.unanswered_bytes + server.unanswered,
            heartbeat: sum.heartbeat.max(server.round_trip),
            ..sum
        })
    }

    /// The same of a cluster whose topology was told so long ago.
    pub(crate) fn with_topology(self, age: Option<Duration>) -> Self {
        Self {
            topology_age: age,
            ..self
        }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pool = &self.pool;
        let plural = if self.servers == 1 { "" } else { "s" };
        writeln!(
            f,
            "connections: {} open ({} shared, {} in use, {} idle) to {} server{plural}; {} made, {} lost, {} made anew, {} failed",
            self.connections,
            self.shared,
            pool.in_use,
            pool.idle,
            self.servers,
            self.connected,
            self.lost,
            self.reconnects,
            self.connect_failures,
        )?;
        writeln!(
            f,
            "calls: {} begun, {} in flight, {} bytes unanswered; {} sent again, {} redirected, {} timed out",
            self.calls,
            self.in_flight,
            self.unanswered_bytes,
            self.retries,
            self.redirects,
            self.timeouts,
        )?;
        write!(
            f,
            "pool: {} waiting; {} have waited, for {:.1?} at most, {} in vain",
            pool.waiting, pool.waited, pool.longest_wait, pool.timed_out,
        )?;
        if let Some(age) = self.topology_age {
            let changes = self.topology_changes;
            write!(f, "\ntopology: told {age:.1?} ago, changed {changes} times")?;
        }
        if let Some(heartbeat) = self.heartbeat {
            write!(f, "\nheartbeat: {heartbeat:.1?}")?;
        }
        match self.events_dropped {
            0 => Ok(()),
            dropped => write!(f, "\nevents: {dropped} not told"),
        }
    }
}
