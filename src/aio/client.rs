//! A client that many callers share.

use std::{fmt, future::poll_fn, sync::Arc, time::Duration};

use super::{
    cluster::{Cluster, within},
    dedicated::Dedicated,
    each::Each,
    iterate::Iterate,
    nodes::Nodes,
    pending::{Pending, Via},
    runtime::now,
    server::Server,
};
use crate::{
    call::{CallOptions, Readiness},
    cluster::{Calls, NodeAddress, closed, key_slot, not_in_time, unknown_node},
    command::{
        AsyncClient, Bare, Batch, Command, Commands, Exchange, IsDetached, Pipeline, Sequence,
        Single, Transaction,
    },
    commands::info,
    config::{Address, Config},
    error::Result,
    link::PoolStats,
    observe::{Stats, sample},
    reply::{ScanPage, Scanned},
};

/// A client that many callers share; cheap to clone.
///
/// All clones use one connection, on which the commands of all callers travel together, or as many as
/// [`connections`](Config::connections) says, and connect again when it was lost. A call that finds no
/// connection waits until there is one, and all who wait share one attempt.
///
/// ```no_run
/// # async fn example() -> respec::Result<()> {
/// use respec::{Client, cmd};
///
/// let client = Client::connect("redis://localhost").await?;
/// let other = client.clone();
/// tokio::spawn(async move { other.send(cmd::raw("PING")).await });
///
/// let replies = client
///     .pipeline([cmd::raw("INCR").key("hits"), cmd::raw("GET").key("greeting")])
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// Blocking commands run on connections of their own, of which there are
/// [`pool_max`](Config::pool_max) at most, and wait for their turn for
/// [`pool_wait`](Config::pool_wait). A connection that has failed, or on which a reply is owed, is
/// closed and never used again; those that are too old, or idle for too long, are closed when the
/// pool is next used, and the [`pool_min`](Config::pool_min) that it lacks then are made anew.
///
/// After an attempt to connect has failed, one is made at a time, at once and then with pauses of up
/// to a second by chance, and of one to one and a half where the server refuses; callers wait
/// meanwhile. A client does not survive a
/// fork of its process, since the threads of its runtime do not.
///
/// A call whose connection is lost is sent again within [`response_timeout`](Config::response_timeout)
/// if not a byte of it was written, or if it does no harm when it runs twice; so is one that the server
/// says it could not execute for now, as while it loads its data or after it was made a replica. A call
/// that finds no connection waits for one within the same time, unless [`offline`](Config::offline) says
/// otherwise.
/// [`Error::may_have_executed`](crate::Error::may_have_executed) tells what is not known.
///
/// # Clusters
///
/// `redis-cluster://host,host` is a cluster with some of its nodes. The same methods then find the
/// node of each call, and there is one such connection to every node.
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
///   twice, is sent again. All of this takes place within
///   [`response_timeout`](Config::response_timeout), which is the time for the whole call.
/// - [`read_from`](Config::read_from) lets replicas run what only reads.
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
    /// Besides the connection that all clones use it makes [`pool_min`](Config::pool_min) others.
    ///
    /// # Errors
    ///
    /// The URL is malformed, or there is no connection.
    pub async fn connect(url: &str) -> Result<Self> {
        let client = Self::from_config(Config::from_url(url)?);
        match &client.target {
            Target::Server(server) => {
                server.connect().await?;
                server.fill().await?;
            }
            Target::Cluster(cluster) => cluster.connect().await?,
        }
        Ok(client)
    }

    /// A client that connects when it is used for the first time.
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

    /// What the pool is doing, and what it has done since the client was made.
    ///
    /// Its connections are those for blocking commands and for dedicated use; the shared one is not
    /// among them.
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

    /// Sends a command that is not bound to a client.
    pub fn send<C>(&self, command: C) -> Pending<'_, Single<C>>
    where
        C: Command<Via: IsDetached>,
    {
        self.pending(Single(command))
    }

    /// Sends several commands in one piece, whose replies come together.
    ///
    /// The commands of other callers may run between them. Nothing is sent if one of them blocks
    /// or changes the connection. In a cluster there is one piece for each node.
    pub fn pipeline<M, B>(&self, batch: B) -> Pipeline<&Self, B::Sequence>
    where
        B: Batch<M, Sequence: Sequence>,
    {
        Pipeline::new(self, batch)
    }

    /// Runs several commands as one, between `MULTI` and `EXEC`.
    ///
    /// Nothing is sent if one of them cannot run in a transaction, or if in a cluster their keys lie
    /// in several slots. To make it depend on a watched key, use [`Dedicated::transaction`].
    pub fn transaction<M, B>(&self, batch: B) -> Transaction<&Self, B::Sequence>
    where
        B: Batch<M, Sequence: Sequence>,
    {
        Transaction::new(self, batch)
    }

    /// A connection of the caller's own, a free one or a new one; in a cluster to any primary.
    ///
    /// Of these, and of the connections for blocking commands, there are
    /// [`pool_max`](Config::pool_max) at most.
    ///
    /// # Errors
    ///
    /// There is no connection, or none is free in time.
    pub async fn dedicated(&self) -> Result<Dedicated> {
        self.lend(None).await
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
    pub async fn dedicated_for(&self, key: impl AsRef<[u8]>) -> Result<Dedicated> {
        self.lend(Some(key_slot(key.as_ref()))).await
    }

    /// The addresses of the nodes of a cluster that are known, primaries first; of a single server
    /// its own.
    ///
    /// # Errors
    ///
    /// It is not known which nodes there are.
    pub async fn nodes(&self) -> Result<Vec<NodeAddress>> {
        match &self.target {
            Target::Server(server) => Ok(vec![NodeAddress::of(server.address())]),
            Target::Cluster(cluster) => {
                cluster.connect().await?;
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
    pub async fn node(&self, address: &NodeAddress) -> Result<Self> {
        let server = match &self.target {
            Target::Server(server) => {
                Some(Arc::clone(server)).filter(|it| NodeAddress::of(it.address()) == *address)
            }
            Target::Cluster(cluster) => {
                cluster.connect().await?;
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
    /// # async fn example(client: respec::Client) -> respec::Result<()> {
    /// use respec::cmd;
    ///
    /// for (node, version) in client.each_primary().send(cmd::raw("INFO").arg("server")).await? {
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
    /// # async fn example(client: respec::Client) -> respec::Result<()> {
    /// use respec::cmd;
    ///
    /// let mut keys = client.iterate(|cursor| cmd::scan(cursor).r#match("user:*").count(100));
    /// while let Some(key) = keys.next().await {
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
    pub async fn close(&self, timeout: Duration) -> Result<()> {
        let calls = self.calls();
        calls.close();
        let end = now().checked_add(timeout);
        let idle = within(end, poll_fn(|cx| calls.poll_idle(cx))).await;
        let under_way = calls.under_way();
        calls.give_up();
        match &self.target {
            Target::Server(server) => server.fail(&closed()),
            Target::Cluster(cluster) => cluster.end(&closed()),
        }
        match idle {
            Some(()) => Ok(()),
            None => Err(not_in_time(under_way, timeout)),
        }
    }

    /// Waits until the server answers, or all nodes of a cluster, at most so long.
    ///
    /// # Errors
    ///
    /// The last error of a node that has not.
    pub async fn ready(&self, timeout: Duration) -> Result<()> {
        let mut ready = Readiness::until(now().checked_add(timeout));
        loop {
            let asked = self.each_node().send(Bare(&info::PING));
            let answers = within(ready.end(), asked).await;
            let again = ready.heard(answers, now(), fastrand::u64(..))?;
            match again {
                None => return Ok(()),
                Some(again) => tokio::time::sleep_until(again.into()).await,
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

    pub(super) fn options(&self) -> &CallOptions {
        CallOptions::given(&self.options)
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    async fn lend(&self, slot: Option<u16>) -> Result<Dedicated> {
        let calls = self.calls().clone();
        let _under_way = calls.begin()?;
        let nodes = self.target.nodes();
        let lent = nodes.lend(slot, self.options()).await?;
        let options = self.options.clone();
        Ok(Dedicated::new(
            Arc::clone(nodes.config()),
            lent,
            options,
            calls.clone(),
        ))
    }

    /// The calls of all its clones.
    fn calls(&self) -> &Calls {
        match &self.target {
            Target::Server(server) => server.calls(),
            Target::Cluster(cluster) => cluster.calls(),
        }
    }

    fn pending<E: Exchange>(&self, exchange: E) -> Pending<'_, E> {
        let via = match &self.target {
            Target::Server(server) => Via::Server(server),
            Target::Cluster(cluster) => Via::Cluster(cluster),
        };
        Pending::new(via, exchange, self.options())
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

impl AsyncClient for Client {
    type Pending<'a, E: Exchange> = Pending<'a, E>;

    fn exchange<'a, E: Exchange>(&'a self, exchange: E) -> Pending<'a, E> {
        self.pending(exchange)
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
