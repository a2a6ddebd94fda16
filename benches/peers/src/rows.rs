//! What is measured: the rows of the table, who takes part in each, and what respec is to reach.

use std::fmt;

use crate::about::thousands;

/// One line of the results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// The workload's number, by which `--only` finds it.
    pub(crate) group: &'static str,
    pub(crate) workload: Workload,
    pub(crate) driver: Driver,
    pub(crate) placement: Placement,
    pub(crate) targets: &'static [Target],
}

/// What is done over and over again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// One GET after the other.
    Get,
    /// One SET after the other.
    Set,
    /// So many tasks on one connection, each of which sends GET and SET in turn.
    Tasks(usize),
    /// Pipelines of so many SETs.
    Pipeline(usize),
    /// GET of 1 MiB.
    BigGet,
    /// SET of 1 MiB.
    BigSet,
    /// LRANGE of 1,000 elements of 32 bytes.
    Lrange,
    /// HGETALL of 1,000 fields.
    Hgetall,
    /// What [`Workload::Tasks`] does, on a cluster of so many primaries.
    Cluster { nodes: usize, tasks: usize },
    /// Messages of a channel to which another process publishes.
    Messages,
    /// So many threads that share one pooled client, each of which sends one GET after the other.
    Pool(usize),
    /// What [`Workload::Tasks`] does, with a connection for each task.
    Connections(usize),
    /// SET and GET of so many bytes in turn, one after the other.
    Value(usize),
}

/// What runs the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// The calling thread.
    Sync,
    /// A current-thread runtime.
    CurrentThread,
    /// A multi-thread runtime with two workers.
    MultiThread,
}

/// Which cores the server and the client have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Both have core 0.
    Same,
    /// The server has core 0, the client core 1.
    Cross,
    /// The server has core 0, the client cores 0 and 1.
    Free,
}

/// What respec is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contestant {
    Raw,
    RawTokio,
    Respec,
    Redis1,
    Redis2,
    Fred,
    Rustis,
    /// respec as it was: what [`harness::BEFORE`](crate::harness::BEFORE) names.
    Before,
}

/// A bound on a figure of respec.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// Throughput is at least so many times that of the raw socket, on tokio for an async client.
    Floor(f64),
    /// Throughput is at least so many times that of the best peer.
    Best(f64),
    /// CPU time per operation is at most so many times that of the leanest peer.
    Cpu(f64),
    /// The server reads at most so many batches per operation.
    Writes(f64),
    /// No calls per operation that map or unmap memory.
    NoMemoryCalls,
}

/// The rows in the order of the table.
pub(crate) const ROWS: &[Row] = &[
    row("W1", Workload::Get, Driver::Sync, Placement::Same, W1),
    row("W1", Workload::Set, Driver::Sync, Placement::Same, W1),
    row(
        "W2",
        Workload::Get,
        Driver::CurrentThread,
        Placement::Same,
        W2,
    ),
    row(
        "W2",
        Workload::Get,
        Driver::MultiThread,
        Placement::Same,
        W2,
    ),
    row(
        "W2",
        Workload::Get,
        Driver::CurrentThread,
        Placement::Cross,
        W2,
    ),
    row(
        "W2",
        Workload::Get,
        Driver::MultiThread,
        Placement::Free,
        W2,
    ),
    row(
        "W3",
        Workload::Tasks(64),
        Driver::CurrentThread,
        Placement::Cross,
        &[Target::Best(1.25), Target::Cpu(0.6)],
    ),
    row(
        "W3",
        Workload::Tasks(256),
        Driver::CurrentThread,
        Placement::Cross,
        &[Target::Best(1.6), Target::Cpu(0.45)],
    ),
    row(
        "W3",
        Workload::Tasks(64),
        Driver::MultiThread,
        Placement::Free,
        &[Target::Best(1.4), Target::Cpu(0.5), Target::Writes(0.05)],
    ),
    row(
        "W3",
        Workload::Tasks(256),
        Driver::MultiThread,
        Placement::Free,
        &[Target::Best(2.0), Target::Cpu(0.4), Target::Writes(0.05)],
    ),
    row(
        "W4",
        Workload::Pipeline(100),
        Driver::Sync,
        Placement::Cross,
        W4,
    ),
    row(
        "W4",
        Workload::Pipeline(1_000),
        Driver::Sync,
        Placement::Cross,
        W4,
    ),
    row(
        "W4",
        Workload::Pipeline(100),
        Driver::CurrentThread,
        Placement::Cross,
        W4,
    ),
    row(
        "W4",
        Workload::Pipeline(1_000),
        Driver::CurrentThread,
        Placement::Cross,
        W4,
    ),
    row("W5", Workload::BigGet, Driver::Sync, Placement::Cross, W5),
    row("W5", Workload::BigSet, Driver::Sync, Placement::Cross, W5),
    row(
        "W5",
        Workload::BigGet,
        Driver::CurrentThread,
        Placement::Cross,
        W5,
    ),
    row(
        "W5",
        Workload::BigSet,
        Driver::CurrentThread,
        Placement::Cross,
        W5,
    ),
    row(
        "W6",
        Workload::Lrange,
        Driver::Sync,
        Placement::Cross,
        W6_LRANGE,
    ),
    row(
        "W6",
        Workload::Hgetall,
        Driver::Sync,
        Placement::Cross,
        W6_HGETALL,
    ),
    row(
        "W6",
        Workload::Lrange,
        Driver::CurrentThread,
        Placement::Cross,
        W6_LRANGE,
    ),
    row(
        "W6",
        Workload::Hgetall,
        Driver::CurrentThread,
        Placement::Cross,
        W6_HGETALL,
    ),
    row(
        "W7",
        Workload::Cluster {
            nodes: 3,
            tasks: 64,
        },
        Driver::CurrentThread,
        Placement::Cross,
        &[Target::Best(1.4), Target::Cpu(0.5)],
    ),
    row(
        "W7",
        Workload::Cluster {
            nodes: 3,
            tasks: 64,
        },
        Driver::MultiThread,
        Placement::Free,
        &[Target::Best(2.0), Target::Cpu(0.5)],
    ),
    row(
        "W8",
        Workload::Messages,
        Driver::CurrentThread,
        Placement::Cross,
        &[Target::Best(1.0), Target::Cpu(0.4)],
    ),
    row(
        "W9",
        Workload::Pool(8),
        Driver::Sync,
        Placement::Same,
        &[Target::Floor(0.97)],
    ),
];

const W1: &[Target] = &[Target::Floor(0.97)];
const W2: &[Target] = &[Target::Best(1.05), Target::Floor(0.95)];
const W4: &[Target] = &[Target::Best(1.05), Target::Cpu(0.65)];
const W5: &[Target] = &[Target::Floor(0.9), Target::NoMemoryCalls];
const W6_LRANGE: &[Target] = &[Target::Best(1.25), Target::Cpu(0.6)];
const W6_HGETALL: &[Target] = &[Target::Best(1.15), Target::Cpu(0.8)];

const fn row(
    group: &'static str,
    workload: Workload,
    driver: Driver,
    placement: Placement,
    targets: &'static [Target],
) -> Row {
    Row {
        group,
        workload,
        driver,
        placement,
        targets,
    }
}

impl Row {
    /// Whether the contestant has what the row measures.
    pub(crate) fn has(&self, who: Contestant) -> bool {
        match (self.driver, self.workload) {
            (Driver::Sync, _) => who.is_sync(),
            (_, Workload::Connections(_) | Workload::Value(_)) => {
                who == Contestant::Respec || who.is_peer()
            }
            (Driver::CurrentThread | Driver::MultiThread, _) => true,
        }
    }

    /// The raw socket that is the floor of this row.
    pub(crate) fn floor(&self) -> Contestant {
        match self.driver {
            Driver::Sync => Contestant::Raw,
            Driver::CurrentThread | Driver::MultiThread => Contestant::RawTokio,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            group, workload, ..
        } = self;
        write!(f, "{group} {workload}, {} {}", self.driver, self.placement)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Get => f.write_str("GET, sequential"),
            Self::Set => f.write_str("SET, sequential"),
            Self::Tasks(tasks) => write!(f, "{} tasks, one connection", thousands(tasks)),
            Self::Pipeline(commands) => write!(f, "pipeline of {} SETs", thousands(commands)),
            Self::BigGet => f.write_str("GET of 1 MiB"),
            Self::BigSet => f.write_str("SET of 1 MiB"),
            Self::Lrange => f.write_str("LRANGE of 1,000 × 32 B"),
            Self::Hgetall => f.write_str("HGETALL of 1,000 fields"),
            Self::Cluster { nodes, tasks } => {
                write!(f, "{} tasks, cluster of {nodes}", thousands(tasks))
            }
            Self::Messages => f.write_str("messages received"),
            Self::Pool(threads) => write!(f, "GET, pool of {threads} threads"),
            Self::Connections(connections) => {
                write!(f, "{} tasks, a connection each", thousands(connections))
            }
            Self::Value(size) => write!(f, "SET and GET of {}", bytes(size)),
        }
    }
}

/// A size in the largest unit of which it is a whole number.
pub(crate) fn bytes(size: usize) -> String {
    match size {
        MIB.. if size.is_multiple_of(MIB) => format!("{} MiB", size / MIB),
        KIB.. if size.is_multiple_of(KIB) => format!("{} KiB", size / KIB),
        _ => format!("{size} B"),
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sync => "sync",
            Self::CurrentThread => "ct",
            Self::MultiThread => "mt",
        })
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Cross => "cross",
            Self::Free => "free",
        })
    }
}

impl Contestant {
    /// All that this program is built with, the floors first.
    pub(crate) const ALL: [Self; 7] = [
        Self::Raw,
        Self::RawTokio,
        Self::Respec,
        Self::Redis1,
        Self::Redis2,
        Self::Fred,
        Self::Rustis,
    ];

    /// What it is called on the command line and in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::RawTokio => "rawtokio",
            Self::Respec => "respec",
            Self::Redis1 => "redis1",
            Self::Redis2 => "redis2",
            Self::Fred => "fred",
            Self::Rustis => "rustis",
            Self::Before => "before",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter().chain([Self::Before]);
        all.find(|who| who.name() == name)
    }

    /// Whether it is another client, as opposed to respec and the raw sockets.
    pub(crate) fn is_peer(self) -> bool {
        match self {
            Self::Raw | Self::RawTokio | Self::Respec | Self::Before => false,
            Self::Redis1 | Self::Redis2 | Self::Fred | Self::Rustis => true,
        }
    }

    /// Whether it works without a runtime.
    pub(crate) fn is_sync(self) -> bool {
        match self {
            Self::Raw | Self::Respec | Self::Before | Self::Redis1 | Self::Redis2 => true,
            Self::RawTokio | Self::Fred | Self::Rustis => false,
        }
    }
}
