//! A client that many threads share.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use super::{
    cluster::Cluster, dedicated::Dedicated, each::Each, iterate::Iterate, nodes::Nodes,
    server::Server,
};
use crate::{
    call::{CallOptions, Readiness},
    cluster::{Calls, NodeAddress, closed, key_slot, not_in_time, unknown_node},
    command::{
        Bare, Batch, BlockingClient, Command, Commands, Exchange, IsDetached, Pipeline, Sequence,
        Single, Transaction,
    },
    commands::info,
    config::{Address, Config},
    error::Result,
    link::PoolStats,
    observe::{Stats, sample},
    reply::{ScanPage, Scanned},
};

/// A client that many threads share; cheap to clone.
///
/// All clones share a pool of connections, of which each call has one to itself until it has its
/// reply. A call that finds all of them in use waits for its turn, and fails after
/// [`pool_wait`](Config::pool_wait).
///
/// A connection that has failed, has kept a caller waiting for too long, or holds anything that
/// nobody asked for is closed and never used again. A connection that was closed while it was idle
/// is replaced before anything is sent. A call whose connection turns out to be lost is sent
/// again on another one within [`response_timeout`](Config::response_timeout), if not a byte of it was
/// written or if it does no harm when it runs twice; so is one that the server says it could not
/// execute for now, as while it loads its data or after it was made a replica.
/// [`Error::may_have_executed`](crate::Error::may_have_executed) tells what is not known.
///
/// While the server cannot be reached, one call at a time tries to connect, with pauses of up to a
/// second by chance between two attempts, and of one to one and a half where the server refuses; the
/// others wait within their time, unless [`offline`](Config::offline) says otherwise.
///
/// Connections that are too old, or idle for too long, are closed when the pool is next used. If
/// fewer than [`pool_min`](Config::pool_min) are left then, a thread makes the others anew and ends.
///
/// A process that was forked from one with a client may use it, once no other thread of the parent was
/// using it at that moment: the child makes connections of its own.
///
/// # Clusters
///
/// `redis-cluster://host,host` is a cluster with some of its nodes. The same methods then find the
/// node of each call, and there is one such pool for every node.
///
/// - A command goes to the node that serves the slot of its keys. One whose keys lie in several
///   slots is sent in parts where its meaning allows that, such as `MGET`, `MSET` and `DEL`, and is
///   refused where it does not. Parts are not atomic; [`split`](Config::split) forbids them.
/// - A command about all data, such as `DBSIZE`, `FLUSHALL` or `KEYS`, goes to all primaries, or to
///   all nodes, and their answers become one. What is about one node has to name it:
///   [`node`](Self::node), [`each_primary`](Self::each_primary), [`each_node`](Self::each_node).
/// - The commands of a pipeline go to their nodes side by side, in order to each of them. Those of
///   a transaction must have all keys in one slot, which is checked before anything is sent.
/// - Redirects are followed. A node that cannot run a command for now, and says so, is asked again;
///   a connection that was lost is replaced, and what was not written, or does no harm when it runs
///   twice, is sent again. All of this, and the wait for a connection, takes place within
///   [`response_timeout`](Config::response_timeout), which is the time for the whole call.
/// - [`read_from`](Config::read_from) lets replicas run what only reads.
///
/// Of a cluster a thread keeps the topology up to date, which ends with the last clone. Connections
/// to nodes are made in threads of their own, which end with that, so that a node that does not
/// answer keeps nobody waiting who can go elsewhere.
#[derive(Clone)]
pub struct Client {
    target: Target,
    /// What its calls want, if that is not what holds for all.
    options: Option<Arc<CallOptions>>,
}

/// What the clones of a client share.
#[derive(Clone)]
pub(super) enum Target {
    Server(Arc<Server>),
    Cluster(Arc<Cluster>),
}

impl Client {
    /// Connects to the server of a URL, such as `redis://user:password@localhost:6379/0`, or to a
    /// cluster, such as `redis-cluster://host,host:7001`.
    ///
    /// It makes [`pool_min`](Config::pool_min) connections, at least one; of a cluster it learns the
    /// topology, and makes the others when they are wanted.
    ///
    /// # Errors
    ///
    /// The URL is malformed, or there is no connection.
    pub fn connect(url: &str) -> Result<Self> {
        let client = Self::from_config(Config::from_url(url)?);
        match &client.target {
            Target::Server(server) => server.fill()?,
            Target::Cluster(cluster) => cluster.connect()?,
        }
        Ok(client)
    }

    /// A client that connects when it is used for the first time.
    ///
    /// What is wrong with the config is an error then; [`Config::check`] tells before.
    #[must_use]
    pub fn from_config(config: Config) -> Self {
        let config = Arc::new(config);
        let target = match config.address {
            Address::Cluster(_) => {
                let cluster = Cluster::new(config);
                sample(cluster.calls().events(), Arc::downgrade(&cluster) as _);
                Target::Cluster(cluster)
            }
            Address::Tcp { .. } | Address::Unix(_) => {
                let server = Arc::new(Server::new(config));
                sample(server.calls().events(), Arc::downgrade(&server) as _);
                Target::Server(server)
            }
        };
        Self {
            target,
            options: None,
        }
    }

    /// The settings; they print as a URL, with the password masked.
    #[must_use]
    pub fn config(&self) -> &Config {
        match &self.target {
            Target::Server(server) => server.config(),
            Target::Cluster(cluster) => cluster.config(),
        }
    }

    /// What the pool is doing, and what it has done since the client was made; of a cluster, those of
    /// all nodes that it has now.
    #[must_use]
    pub fn pool_stats(&self) -> PoolStats {
        match &self.target {
            Target::Server(server) => server.pool_stats(),
            Target::Cluster(cluster) => cluster.pool_stats(),
        }
    }

    /// What the client is doing, and what it has done with all its clones; it prints.
    ///
    /// Of a client that was made for [one node](Self::node) connections and unanswered bytes are those
    /// of that node, and what is counted is that of the whole client.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.target {
            Target::Server(server) => Stats::of(server.calls(), [server.stats()]),
            Target::Cluster(cluster) => cluster.stats(),
        }
    }

    /// Sends a command that is not bound to a client, and waits for its reply.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind).
    pub fn send<C>(&self, command: C) -> Result<C::Reply>
    where
        C: Command<Via: IsDetached>,
    {
        self.exchange(Single(command))
    }

    /// Prepares several commands to be sent in one piece, whose replies come together.
    ///
    /// The commands of other callers may run between them. In a cluster there is one piece for each
    /// node.
    pub fn pipeline<M, B>(&self, batch: B) -> Pipeline<&Self, B::Sequence>
    where
        B: Batch<M, Sequence: Sequence>,
    {
        Pipeline::new(self, batch)
    }

    /// Prepares several commands to be run as one, between `MULTI` and `EXEC`.
    ///
    /// Nothing is sent if one of them cannot run in a transaction, or if in a cluster their keys lie
    /// in several slots. To make it depend on a watched key, use [`Dedicated::transaction`].
    pub fn transaction<M, B>(&self, batch: B) -> Transaction<&Self, B::Sequence>
    where
        B: Batch<M, Sequence: Sequence>,
    {
        Transaction::new(self, batch)
    }

    /// A connection of the caller's own, for what changes a connection; in a cluster to any primary.
    ///
    /// It is one of the pool's, and so one less for everybody else.
    ///
    /// # Errors
    ///
    /// There is no connection, or none is free in time.
    pub fn dedicated(&self) -> Result<Dedicated> {
        self.lend(None)
    }

    /// A connection of the caller's own, as [`dedicated`](Self::dedicated), in a cluster to the node
    /// that serves the slot of a key.
    ///
    /// The slot may move to another node later. The server then says so, and this connection cannot
    /// follow.
    ///
    /// # Errors
    ///
    /// As [`dedicated`](Self::dedicated).
    pub fn dedicated_for(&self, key: impl AsRef<[u8]>) -> Result<Dedicated> {
        self.lend(Some(key_slot(key.as_ref())))
    }

    /// The addresses of the nodes of a cluster that are known, primaries first; of a single server
    /// its own.
    ///
    /// # Errors
    ///
    /// It is not known which nodes there are.
    pub fn nodes(&self) -> Result<Vec<NodeAddress>> {
        match &self.target {
            Target::Server(server) => Ok(vec![NodeAddress::of(server.address())]),
            Target::Cluster(cluster) => {
                cluster.connect()?;
                let nodes = cluster.nodes(true).into_iter();
                Ok(nodes.map(|(_, address, _)| address).collect())
            }
        }
    }

    /// A client of one node of a cluster, which shares the connections that there are to it.
    ///
    /// Its commands run there whatever their keys, and what that node says is the answer: nothing is
    /// redirected. A replica says of keys that its primary has them, unless
    /// [`read_from`](Config::read_from) lets replicas read.
    ///
    /// # Errors
    ///
    /// No such node is known.
    pub fn node(&self, address: &NodeAddress) -> Result<Self> {
        let server = match &self.target {
            Target::Server(server) => {
                Some(Arc::clone(server)).filter(|it| NodeAddress::of(it.address()) == *address)
            }
            Target::Cluster(cluster) => {
                cluster.connect()?;
                cluster.node(address)
            }
        };
        let server = server.ok_or_else(unknown_node)?;
        Ok(Self {
            target: Target::Server(server),
            options: self.options.clone(),
        })
    }

    /// The primaries, each of which shall run a command and answer for itself.
    ///
    /// ```no_run
    /// # fn example(client: respec::blocking::Client) -> respec::Result<()> {
    /// use respec::cmd;
    ///
    /// for (node, version) in client.each_primary().send(cmd::raw("INFO").arg("server"))? {
    ///     println!("{node}: {version:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Outside of a cluster it is the one server.
    pub fn each_primary(&self) -> Each<'_> {
        Each::new(self, false)
    }

    /// All nodes, replicas included, each of which shall run a command and answer for itself.
    pub fn each_node(&self) -> Each<'_> {
        Each::new(self, true)
    }

    /// Everything that a scan returns: that of all keys, or of a hash, a set or a sorted set.
    ///
    /// `page` makes the command that continues from a cursor, with whatever options.
    ///
    /// ```no_run
    /// # fn example(client: respec::blocking::Client) -> respec::Result<()> {
    /// use respec::cmd;
    ///
    /// for key in client.iterate(|cursor| cmd::scan(cursor).r#match("user:*").count(100)) {
    ///     println!("{:?}", key?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// What is there from the beginning to the end is returned at least once. What comes or goes
    /// meanwhile may be returned or not, and anything may be returned more than once.
    ///
    /// In a cluster a scan of all keys is one of all primaries, and the same holds although slots move
    /// from node to node and replicas take over: a slot that has moved is scanned again where it is.
    /// What it cannot promise: of a slot that comes back to where it was, or whose move has begun and
    /// not ended by the end of the scan, keys may be missed. And what a failover loses is lost.
    pub fn iterate<F, C, T>(&self, page: F) -> Iterate<'_, F, T>
    where
        F: FnMut(u64) -> C,
        C: Command<Via: IsDetached, Reply = ScanPage<Vec<T>>>,
        T: Scanned,
    {
        Iterate::new(self, page)
    }

    /// A client whose calls have these options, in place of the options of this client.
    ///
    /// Both share all connections. It is cheap, and a function that takes a client takes it.
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        Self {
            target: self.target.clone(),
            options: Some(Arc::new(options)),
        }
    }

    /// Closes the client, and with it all its clones: lets no more calls begin, waits for those that are
    /// under way, at most so long, and then closes all connections.
    ///
    /// Calls that come later fail with [`ErrorKind::Closed`](crate::ErrorKind::Closed), and so do those on
    /// connections of one's own that the client has lent. Of a client that was made for
    /// [one node](Self::node) it is the whole client that is closed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed), with how many calls were still under way. They
    /// have failed, and may have been executed.
    pub fn close(&self, timeout: Duration) -> Result<()> {
        let calls = self.calls();
        calls.close();
        let end = Instant::now().checked_add(timeout);
        let is_idle = wait_until(end, |cx| calls.poll_idle(cx));
        let under_way = calls.under_way();
        calls.give_up();
        match &self.target {
            Target::Server(server) => {
                server.fail(&closed());
                server.wake_all();
            }
            Target::Cluster(cluster) => cluster.end(&closed()),
        }
        match is_idle {
            true => Ok(()),
            false => Err(not_in_time(under_way, timeout)),
        }
    }

    /// Waits until the server answers, or all nodes of a cluster, at most so long.
    ///
    /// # Errors
    ///
    /// The last error of a node that has not.
    pub fn ready(&self, timeout: Duration) -> Result<()> {
        let mut ready = Readiness::until(Instant::now().checked_add(timeout));
        loop {
            let hurried = self.with(CallOptions::new().timeout(ready.left(Instant::now())));
            let answers = hurried.each_node().send(Bare(&info::PING));
            let again = ready.heard(Some(answers), Instant::now(), fastrand::u64(..))?;
            match again {
                None => return Ok(()),
                Some(again) => thread::sleep(again.saturating_duration_since(Instant::now())),
            }
        }
    }

    /// Whether there is a connection that is open, as far as is known without asking anybody; in a
    /// cluster one to each primary that serves slots.
    ///
    /// A client connects when a call needs a connection, so that before its first call it has none.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        let is_connected = match &self.target {
            Target::Server(server) => server.is_connected(),
            Target::Cluster(cluster) => cluster.is_connected(),
        };
        is_connected && !self.calls().is_closing()
    }

    /// The calls of all its clones.
    fn calls(&self) -> &Calls {
        match &self.target {
            Target::Server(server) => server.calls(),
            Target::Cluster(cluster) => cluster.calls(),
        }
    }

    pub(super) fn options(&self) -> &CallOptions {
        CallOptions::given(&self.options)
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    fn lend(&self, slot: Option<u16>) -> Result<Dedicated> {
        let _under_way = self.calls().begin()?;
        let lent = self.target.nodes().lend(slot, self.options())?;
        Ok(Dedicated::new(lent, self.options.clone()))
    }
}

impl Target {
    /// Where calls go.
    fn nodes(&self) -> Nodes<'_> {
        match self {
            Self::Server(server) => Nodes::One(server),
            Self::Cluster(cluster) => Nodes::Many(cluster),
        }
    }
}

impl Commands for Client {}

impl BlockingClient for Client {
    fn exchange<E: Exchange>(&self, exchange: E) -> Result<E::Output> {
        self.target.nodes().call(&exchange, self.options())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match &self.target {
            Target::Server(server) => server.address(),
            Target::Cluster(cluster) => &cluster.config().address,
        };
        f.debug_struct("Client")
            .field("address", address)
            .finish_non_exhaustive()
    }
}

/// Waits in this thread for what a waker tells of; says whether it has come by then.
fn wait_until(end: Option<Instant>, mut poll: impl FnMut(&Context<'_>) -> Poll<()>) -> bool {
    struct Parked(Thread);

    impl Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Parked(thread::current())));
    let cx = Context::from_waker(&waker);
    while poll(&cx).is_pending() {
        match end.map(|end| end.saturating_duration_since(Instant::now())) {
            None => thread::park(),
            Some(Duration::ZERO) => return false,
            Some(left) => thread::park_timeout(left),
        }
    }
    true
}
