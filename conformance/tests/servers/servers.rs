//! The servers of one run.

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

use respec::reply::Value;
use respec_conformance::{Connection, list, value};
use respec_testkit::{Server, Variant};

/// What a run is made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// Data servers of a variant: a plain one, and a cluster of one.
    Data(Variant),
    /// A Sentinel of a variant.
    Sentinel(Variant),
}

impl Ground {
    /// Those of all variants at hand.
    pub(crate) fn at_hand() -> Vec<Self> {
        let variants = Variant::at_hand().into_iter().map(Self::Data);
        variants.chain(SENTINELS.map(Self::Sentinel)).collect()
    }

    fn variant(self) -> Variant {
        match self {
            Self::Data(variant) | Self::Sentinel(variant) => variant,
        }
    }

    /// Whether it is a Sentinel, which has few of the commands of data servers.
    pub(crate) fn is_sentinel(self) -> bool {
        matches!(self, Self::Sentinel(_))
    }
}

/// Its name in the table and in what deviates.
impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(variant) => f.write_str(variant.name()),
            Self::Sentinel(Variant::Redis70) => f.write_str("sentinel70"),
            Self::Sentinel(Variant::Redis82) => f.write_str("sentinel82"),
            Self::Sentinel(Variant::Valkey91) => f.write_str("sentinel91"),
            Self::Sentinel(Variant::Other) => f.write_str("sentinel-other"),
        }
    }
}

/// A server, and what it needs beside it.
pub(crate) struct Servers {
    ground: Ground,
    pub(crate) plain: Server,
    /// A data server that is a whole cluster, once it is asked for.
    cluster: Option<Server>,
    /// What a Sentinel watches: a primary with its replica, and another Sentinel.
    watched: Vec<Server>,
}

impl Servers {
    pub(crate) fn start(ground: Ground) -> Self {
        let variant = ground.variant();
        let failed = |error| -> ! { panic!("cannot start {variant}: {error:?}") };
        let mut servers = match ground {
            Ground::Data(_) => Self {
                ground,
                plain: Server::builder(variant)
                    .config("enable-module-command", "yes")
                    .start()
                    .unwrap_or_else(|error| failed(error)),
                cluster: None,
                watched: Vec::new(),
            },
            Ground::Sentinel(_) => {
                let data = || Server::builder(variant).modules(false).start();
                let sentinel = || Server::builder(variant).sentinel(SETTINGS).start();
                Self {
                    ground,
                    plain: sentinel().unwrap_or_else(|error| failed(error)),
                    cluster: None,
                    watched: [data(), data(), sentinel()]
                        .map(|server| server.unwrap_or_else(|error| failed(error)))
                        .into(),
                }
            }
        };
        servers.watch();
        servers
    }

    /// Lets both Sentinels watch the primary, whose replica they find by themselves.
    fn watch(&mut self) {
        let [primary, replica, other] = &self.watched[..] else {
            return;
        };
        let port = primary.port().to_string();
        let mut connection = Connection::open(replica.addr(), 3);
        let answer = connection.ask(&["REPLICAOF", "127.0.0.1", &port]);
        assert!(!answer.is_error(), "expected a replica, got an error");
        for sentinel in [&self.plain, other] {
            let mut connection = Connection::open(sentinel.addr(), 3);
            for words in [
                &PERIODS[..],
                &["SENTINEL", "MONITOR", PRIMARY, "127.0.0.1", &port, "1"],
            ] {
                let answer = connection.ask(words);
                assert!(!answer.is_error(), "{words:?} is refused");
            }
        }
        let mut connection = Connection::open(self.plain.addr(), 3);
        self.settle("sentinel", &mut connection);
    }

    fn start_cluster(variant: Variant) -> Server {
        let cluster = Server::builder(variant)
            .modules(false)
            .config("cluster-enabled", "yes")
            .start()
            .unwrap_or_else(|error| panic!("cannot start {variant}: {error:?}"));
        let mut connection = Connection::open(cluster.addr(), 2);
        connection.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        wait(|| !connection.ask(&["GET", "key"]).is_error());
        cluster
    }

    /// Waits until a server has done what the samples of a group before have asked for.
    pub(crate) fn settle(&self, group: &str, connection: &mut Connection) {
        match group {
            // A cluster of one node notices only after a while that it is complete.
            "cluster" => wait(|| !connection.ask(&["GET", "key"]).is_error()),
            // A failover goes on after its command was answered.
            "sentinel" => wait(|| {
                let primary = value(&connection.ask(&["SENTINEL", "MASTER", PRIMARY]));
                let replicas = value(&connection.ask(&["SENTINEL", "REPLICAS", PRIMARY]));
                let primary = |name| field(&primary, name);
                let replica = |name| match &list(&replicas)[..] {
                    [replica] => field(replica, name),
                    _ => None,
                };
                primary("flags").as_deref() == Some("master")
                    && primary("num-other-sentinels").as_deref() == Some("1")
                    && replica("flags").as_deref() == Some("slave")
                    && replica("master-link-status").as_deref() == Some("ok")
            }),
            _ => {}
        }
    }

    /// The server that runs samples of the group of cluster commands, or all others.
    pub(crate) fn of(&mut self, cluster: bool) -> &Server {
        if !cluster || self.ground.is_sentinel() {
            return &self.plain;
        }
        let variant = self.ground.variant();
        self.cluster
            .get_or_insert_with(|| Self::start_cluster(variant))
    }
}

/// A field of a map, which RESP2 writes as names and values in turn.
fn field(map: &Value, name: &str) -> Option<String> {
    let value = match map.as_slice() {
        Some(words) => words
            .chunks(2)
            .find(|pair| pair[0].as_str() == Some(name))?
            .get(1)?,
        None => map.get(name)?,
    };
    value.as_str().map(str::to_owned)
}

fn wait(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "the server does not come up");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The variants whose Sentinels are asked: the oldest, and one whose commands have newer names.
const SENTINELS: [Variant; 2] = [Variant::Redis70, Variant::Valkey91];

/// What a Sentinel watches, as `values.json` calls it.
const PRIMARY: &str = "mymaster";

/// Without this, scripts cannot be set by a command.
const SETTINGS: &str = "sentinel deny-scripts-reconfig no\n";

/// A Sentinel that asks and tells often, and does not take a busy machine for a broken clock.
const PERIODS: [&str; 14] = [
    "SENTINEL",
    "DEBUG",
    "INFO-PERIOD",
    "100",
    "PING-PERIOD",
    "100",
    "PUBLISH-PERIOD",
    "100",
    "ASK-PERIOD",
    "100",
    "TILT-TRIGGER",
    "60000",
    "DEFAULT-FAILOVER-TIMEOUT",
    "1000",
];
