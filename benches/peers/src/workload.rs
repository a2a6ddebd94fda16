//! What each row does, written once for all contestants.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use respec_testkit::{Cluster, Server, slot_of};
use tokio::runtime::{Builder, Runtime};

use crate::{
    clients::{
        Async, Blocking, Clustered, Failure, Pooled, Result, Shared, Subscriber,
        raw::{Exchange, Raw, request},
        rawtokio::RawTokio,
        redis1, redis2,
    },
    machine,
    rows::{Contestant, Driver, Row, Workload},
};

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    /// So long.
    Time(Duration),
    /// So many operations, rounded up to whole batches.
    Operations(u64),
}

/// Counts operations until the budget is spent.
struct Meter {
    end: End,
    done: u64,
}

enum End {
    At(Instant),
    After(u64),
}

/// Runs the row's workload once for each budget, on the same connections, and tells `report` how
/// many operations were done.
///
/// There is one server, or the primaries of a cluster.
pub(crate) fn run(
    row: &Row,
    who: Contestant,
    servers: &[SocketAddr],
    budgets: &[Budget],
    report: &mut (dyn FnMut(Edge) + Send),
) -> Result<()> {
    let mut run = Run {
        row,
        server: *servers.first().ok_or("there is no server")?,
        servers,
        budgets,
        report,
    };
    if let Workload::Pool(threads) = row.workload {
        return match who {
            Contestant::Raw => run.raw_pool(threads),
            Contestant::Respec => run.pool::<respec::blocking::Client>(threads),
            Contestant::Redis1 => run.pool::<r2d2::Pool<::redis1::Client>>(threads),
            Contestant::Redis2 => run.pool::<r2d2::Pool<::redis2::Client>>(threads),
            _ => Err(absent(row, who)),
        };
    }
    if row.driver == Driver::Sync {
        return match who {
            Contestant::Raw => run.raw(),
            Contestant::Respec => run.sync::<respec::blocking::Client>(),
            Contestant::Redis1 => run.sync::<::redis1::Connection>(),
            Contestant::Redis2 => run.sync::<::redis2::Connection>(),
            _ => Err(absent(row, who)),
        };
    }
    if let Workload::Messages = row.workload {
        return match who {
            Contestant::Raw => run.raw_messages(),
            Contestant::RawTokio => run.rawtokio_messages(),
            Contestant::Respec => run.messages::<respec::aio::Dedicated>(),
            Contestant::Redis1 => run.messages::<redis1::Messages>(),
            Contestant::Redis2 => run.messages::<redis2::Messages>(),
            Contestant::Fred => run.messages::<crate::clients::fred::Messages>(),
            Contestant::Rustis => run.messages::<crate::clients::rustis::Messages>(),
            Contestant::Before => Err(absent(row, who)),
        };
    }
    if let Workload::Cluster { tasks, .. } = row.workload {
        return match who {
            Contestant::Raw => run.raw_cluster(tasks),
            Contestant::RawTokio => run.rawtokio_cluster(tasks),
            Contestant::Respec => run.cluster::<respec::Client>(tasks),
            Contestant::Redis1 => run.cluster::<::redis1::cluster_async::ClusterConnection>(tasks),
            Contestant::Redis2 => run.cluster::<::redis2::cluster_async::ClusterConnection>(tasks),
            Contestant::Fred => run.cluster::<::fred::clients::Client>(tasks),
            Contestant::Rustis => run.cluster::<::rustis::client::Client>(tasks),
            Contestant::Before => Err(absent(row, who)),
        };
    }
    match who {
        Contestant::Raw => run.raw(),
        Contestant::RawTokio => run.rawtokio(),
        Contestant::Respec => run.asynchronous::<respec::Client>(),
        Contestant::Redis1 => run.asynchronous::<::redis1::aio::MultiplexedConnection>(),
        Contestant::Redis2 => run.asynchronous::<::redis2::aio::MultiplexedConnection>(),
        Contestant::Fred => run.asynchronous::<::fred::clients::Client>(),
        Contestant::Rustis => run.asynchronous::<::rustis::client::Client>(),
        Contestant::Before => Err(absent(row, who)),
    }
}

/// The beginning or the end of what is measured, or what was found out before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edge {
    /// So many bytes of memory are what each further connection takes while nothing is sent.
    Memory(u64),
    Begin,
    /// With the number of operations done.
    End(u64),
}

/// Puts what [`Workload::Cluster`] reads onto a cluster.
pub(crate) fn prepare_cluster(cluster: &Cluster) -> Result<()> {
    for key in keys(MOST_KEYS) {
        let node = cluster.primary_of(slot_of(key.as_bytes()))?;
        command(node.server(), &[b"SET", key.as_bytes(), &[b'x'; SMALL]])?;
    }
    Ok(())
}

/// Puts what the other workloads read onto the server.
pub(crate) fn prepare(server: &Server) -> Result<()> {
    let run = |words: &[&[u8]]| command(server, words);
    run(&[b"FLUSHALL"])?;
    for key in keys(MOST_KEYS) {
        run(&[b"SET", key.as_bytes(), &[b'x'; SMALL]])?;
    }
    run(&[b"SET", BIG_KEY.as_bytes(), &vec![b'x'; BIG]])?;
    let elements: Vec<String> = (0..ELEMENTS).map(|n| format!("element:{n:024}")).collect();
    let mut push: Vec<&[u8]> = vec![b"RPUSH", LIST_KEY.as_bytes()];
    push.extend(elements.iter().map(String::as_bytes));
    run(&push)?;
    let fields: Vec<String> = (0..ELEMENTS).map(|n| format!("field:{n}")).collect();
    let mut hset: Vec<&[u8]> = vec![b"HSET", HASH_KEY.as_bytes()];
    for (field, value) in fields.iter().zip(&elements) {
        hset.extend([field.as_bytes(), value.as_bytes()]);
    }
    run(&hset)
}

fn command(server: &Server, words: &[&[u8]]) -> Result<()> {
    let reply = server.command(words)?;
    if reply.first() == Some(&b'-') {
        return Err(String::from_utf8_lossy(&reply).into());
    }
    Ok(())
}

/// Publishes as fast as the server takes it and the subscriber keeps up, until the latter ends.
///
/// A byte on `taken` says that the subscriber has received [`MESSAGES_PER_BYTE`] more. Without such a
/// limit, what a client has read but not handed over would grow, and with some of them be dropped.
pub(crate) fn publish(server: SocketAddr, taken: &mut impl Read) -> Result<()> {
    let one = request(&[b"PUBLISH", CHANNEL.as_bytes(), &[b'x'; SMALL]]);
    let batch = usize::try_from(PUBLISHED_AT_ONCE)?;
    let batch = Exchange::prepare(server, one.repeat(batch), batch)?;
    let mut raw = Raw::connect(server)?;
    let mut ahead = PUBLISHED_AT_ONCE;
    loop {
        while ahead + PUBLISHED_AT_ONCE > MOST_AHEAD {
            let mut bytes = [0; 64];
            match taken.read(&mut bytes)? {
                0 => return Ok(()),
                read => ahead -= read as u64 * MESSAGES_PER_BYTE,
            }
        }
        raw.exchange(&batch)?;
        ahead += PUBLISHED_AT_ONCE;
    }
}

/// One row with one contestant.
struct Run<'r> {
    row: &'r Row,
    server: SocketAddr,
    servers: &'r [SocketAddr],
    budgets: &'r [Budget],
    report: &'r mut (dyn FnMut(Edge) + Send),
}

impl Run<'_> {
    fn sync<C: Blocking>(&mut self) -> Result<()> {
        let mut client = C::connect(self.server)?;
        let small = Bytes::from(vec![b'x'; SMALL]);
        let big = Bytes::from(vec![b'x'; BIG]);
        let keys = keys(match self.row.workload {
            Workload::Pipeline(commands) => commands,
            _ => 1,
        });
        let key = &keys[0];
        for &budget in self.budgets {
            let mut meter = Meter::new(budget);
            (self.report)(Edge::Begin);
            match self.row.workload {
                Workload::Get => {
                    while meter.next(1) {
                        expect(client.get(key)?, SMALL)?;
                    }
                }
                Workload::Set => {
                    while meter.next(1) {
                        client.set(key, &small)?;
                    }
                }
                Workload::Pipeline(commands) => {
                    while meter.next(commands as u64) {
                        client.set_all(&keys, &small)?;
                    }
                }
                Workload::BigGet => {
                    while meter.next(1) {
                        expect(client.get(BIG_KEY)?, BIG)?;
                    }
                }
                Workload::BigSet => {
                    while meter.next(1) {
                        client.set(BIG_WRITTEN_KEY, &big)?;
                    }
                }
                Workload::Lrange => {
                    while meter.next(1) {
                        expect(client.lrange(LIST_KEY)?, ELEMENTS)?;
                    }
                }
                Workload::Hgetall => {
                    while meter.next(1) {
                        expect(client.hgetall(HASH_KEY)?, ELEMENTS)?;
                    }
                }
                Workload::Tasks(_)
                | Workload::Cluster { .. }
                | Workload::Messages
                | Workload::Pool(_)
                | Workload::Connections(_)
                | Workload::Value(_) => return Err(self.unfit()),
            }
            (self.report)(Edge::End(meter.done));
        }
        Ok(())
    }

    fn asynchronous<C: Async>(&mut self) -> Result<()> {
        let runtime = runtime(self.row.driver)?;
        let client = runtime.block_on(C::connect(self.server))?;
        let workload = self.row.workload;
        match workload {
            Workload::Tasks(tasks) => return self.share(&runtime, &vec![client; tasks]),
            Workload::Connections(connections) => {
                let clients = self.connect(&runtime, client, connections)?;
                return self.share(&runtime, &clients);
            }
            _ => {}
        }
        for &budget in self.budgets {
            (self.report)(Edge::Begin);
            // In a task, so that on a multi-thread runtime it is on a worker.
            let task = runtime.spawn(repeat(client.clone(), workload, budget));
            let done = runtime.block_on(task)??;
            (self.report)(Edge::End(done));
        }
        Ok(())
    }

    fn cluster<C: Clustered>(&mut self, tasks: usize) -> Result<()> {
        let runtime = runtime(self.row.driver)?;
        let client = runtime.block_on(C::connect(self.server))?;
        self.share(&runtime, &vec![client; tasks])
    }

    /// As many clients as there shall be, each of which has connected.
    fn connect<C: Async>(&mut self, runtime: &Runtime, first: C, count: usize) -> Result<Vec<C>> {
        let mut clients = vec![first];
        let mut alone = 0;
        runtime.block_on(async {
            let key = &keys(1)[0];
            loop {
                // Some connect with the first call.
                if let Some(last) = clients.last_mut() {
                    expect(last.get(key).await?, SMALL)?;
                }
                if clients.len() == 1 {
                    alone = machine::resident()?;
                }
                if clients.len() == count {
                    return Ok::<_, Failure>(());
                }
                clients.push(C::connect(self.server).await?);
            }
        })?;
        if count > 1 {
            let taken = machine::resident()?.saturating_sub(alone);
            (self.report)(Edge::Memory(taken / (count as u64 - 1)));
        }
        Ok(clients)
    }

    /// A task for each of the clients.
    fn share<C: Shared>(&mut self, runtime: &Runtime, clients: &[C]) -> Result<()> {
        for &budget in self.budgets {
            let clients = clients.to_vec();
            (self.report)(Edge::Begin);
            let done = runtime.block_on(share(clients, budget))?;
            (self.report)(Edge::End(done));
        }
        Ok(())
    }

    fn messages<S: Subscriber>(&mut self) -> Result<()> {
        let runtime = runtime(self.row.driver)?;
        let mut subscriber = runtime.block_on(S::subscribe(self.server, CHANNEL))?;
        let mut publisher = Publisher::start(self.server)?;
        runtime.block_on(async {
            let mut before = 0;
            for &budget in self.budgets {
                let mut meter = Meter::new(budget);
                (self.report)(Edge::Begin);
                while meter.next(MESSAGES_PER_LOOK) {
                    for _ in 0..MESSAGES_PER_LOOK {
                        expect(subscriber.message().await?, SMALL)?;
                    }
                    publisher.received(before + meter.done)?;
                }
                (self.report)(Edge::End(meter.done));
                before += meter.done;
            }
            Ok(())
        })
    }

    fn pool<C: Pooled>(&mut self, threads: usize) -> Result<()> {
        let pool = C::connect(self.server, threads)?;
        self.threads(
            threads,
            || Ok(pool.clone()),
            |pool, key| expect(pool.get(key)?, SMALL),
        )
    }

    fn raw(&mut self) -> Result<()> {
        let (exchange, operations) = self.exchange()?;
        let mut raw = Raw::connect(self.server)?;
        for &budget in self.budgets {
            let mut meter = Meter::new(budget);
            (self.report)(Edge::Begin);
            while meter.next(operations) {
                raw.exchange(&exchange)?;
            }
            (self.report)(Edge::End(meter.done));
        }
        Ok(())
    }

    fn rawtokio(&mut self) -> Result<()> {
        let (exchange, operations) = self.exchange()?;
        let runtime = runtime(self.row.driver)?;
        let mut raw = runtime.block_on(RawTokio::connect(self.server))?;
        for &budget in self.budgets {
            let exchange = exchange.clone();
            (self.report)(Edge::Begin);
            let task = runtime.spawn(async move {
                let mut meter = Meter::new(budget);
                while meter.next(operations) {
                    raw.exchange(&exchange).await?;
                }
                Ok::<_, Failure>((raw, meter.done))
            });
            let done;
            (raw, done) = runtime.block_on(task)??;
            (self.report)(Edge::End(done));
        }
        Ok(())
    }

    /// Writes to all nodes before it reads from the first.
    fn raw_cluster(&mut self, tasks: usize) -> Result<()> {
        let mut nodes = self.exchanges(tasks)?;
        let mut sockets = nodes
            .iter()
            .map(|(node, _)| Raw::connect(*node))
            .collect::<Result<Vec<_>>>()?;
        for &budget in self.budgets {
            let mut meter = Meter::new(budget);
            (self.report)(Edge::Begin);
            while meter.next(tasks as u64) {
                for (raw, (_, exchange)) in sockets.iter_mut().zip(&nodes) {
                    raw.write(exchange.requests())?;
                }
                for (raw, (_, exchange)) in sockets.iter_mut().zip(&mut nodes) {
                    raw.read_replies(exchange)?;
                }
            }
            (self.report)(Edge::End(meter.done));
        }
        Ok(())
    }

    fn rawtokio_cluster(&mut self, tasks: usize) -> Result<()> {
        let runtime = runtime(self.row.driver)?;
        let mut sockets = Vec::new();
        for (node, exchange) in self.exchanges(tasks)? {
            sockets.push((runtime.block_on(RawTokio::connect(node))?, exchange));
        }
        for &budget in self.budgets {
            (self.report)(Edge::Begin);
            let task = runtime.spawn(async move {
                let mut meter = Meter::new(budget);
                while meter.next(tasks as u64) {
                    for (raw, exchange) in &mut sockets {
                        raw.write(exchange.requests()).await?;
                    }
                    for (raw, exchange) in &mut sockets {
                        raw.read_replies(exchange).await?;
                    }
                }
                Ok::<_, Failure>((sockets, meter.done))
            });
            let done;
            (sockets, done) = runtime.block_on(task)??;
            (self.report)(Edge::End(done));
        }
        Ok(())
    }

    fn raw_messages(&mut self) -> Result<()> {
        let mut raw = Raw::connect(self.server)?;
        raw.write(&request(&[b"SUBSCRIBE", CHANNEL.as_bytes()]))?;
        raw.read()?;
        let mut publisher = Publisher::start(self.server)?;
        let mut received = Received::new();
        for &budget in self.budgets {
            let mut meter = Meter::new(budget);
            (self.report)(Edge::Begin);
            while meter.next(0) {
                meter.done += received.add(raw.read()?);
                publisher.received(received.messages)?;
            }
            (self.report)(Edge::End(meter.done));
        }
        Ok(())
    }

    fn rawtokio_messages(&mut self) -> Result<()> {
        let runtime = runtime(self.row.driver)?;
        runtime.block_on(async {
            let mut raw = RawTokio::connect(self.server).await?;
            raw.write(&request(&[b"SUBSCRIBE", CHANNEL.as_bytes()]))
                .await?;
            raw.read().await?;
            let mut publisher = Publisher::start(self.server)?;
            let mut received = Received::new();
            for &budget in self.budgets {
                let mut meter = Meter::new(budget);
                (self.report)(Edge::Begin);
                while meter.next(0) {
                    meter.done += received.add(raw.read().await?);
                    publisher.received(received.messages)?;
                }
                (self.report)(Edge::End(meter.done));
            }
            Ok(())
        })
    }

    /// Each thread has a connection of its own.
    fn raw_pool(&mut self, threads: usize) -> Result<()> {
        let server = self.server;
        let get = request(&[b"GET", keys(1)[0].as_bytes()]);
        let exchange = Exchange::prepare(server, get, 1)?;
        self.threads(
            threads,
            || Raw::connect(server),
            |raw, _| raw.exchange(&exchange),
        )
    }

    /// Does one operation after the other in each of so many threads.
    fn threads<C: Send + 'static>(
        &mut self,
        threads: usize,
        client: impl Fn() -> Result<C>,
        operation: impl Fn(&mut C, &str) -> Result<()> + Send + Sync,
    ) -> Result<()> {
        let mut clients = (0..threads).map(|_| client()).collect::<Result<Vec<_>>>()?;
        let keys = keys(threads);
        for &budget in self.budgets {
            (self.report)(Edge::Begin);
            let done = thread::scope(|scope| {
                let threads: Vec<_> = clients
                    .iter_mut()
                    .zip(&keys)
                    .map(|(client, key)| {
                        let mut meter = Meter::new(budget.part(keys.len()));
                        let operation = &operation;
                        scope.spawn(move || {
                            while meter.next(1) {
                                operation(client, key)?;
                            }
                            Ok::<_, Failure>(meter.done)
                        })
                    })
                    .collect();
                let done = threads
                    .into_iter()
                    .map(|thread| thread.join().map_err(|_| "a thread has panicked")?);
                done.sum::<Result<u64>>()
            })?;
            (self.report)(Edge::End(done));
        }
        Ok(())
    }

    /// What a raw socket sends to each node of a cluster.
    fn exchanges(&self, tasks: usize) -> Result<Vec<(SocketAddr, Exchange)>> {
        let mut requests: Vec<Vec<Vec<u8>>> = vec![Vec::new(); self.servers.len()];
        for request in self::requests(tasks) {
            // The others answer that the key is elsewhere.
            let node = self
                .servers
                .iter()
                .position(|node| Exchange::prepare(*node, request.clone(), 1).is_ok())
                .ok_or("no node takes a request")?;
            requests[node].push(request);
        }
        let nodes = self.servers.iter().zip(requests);
        nodes
            .map(|(&node, requests)| {
                let count = requests.len();
                Ok((node, Exchange::prepare(node, requests.concat(), count)?))
            })
            .collect()
    }

    /// What the raw sockets send, and how many operations that is.
    fn exchange(&self) -> Result<(Exchange, u64)> {
        let small = [b'x'; SMALL];
        let (requests, count) = match self.row.workload {
            Workload::Get => (get(&keys(1)[0]), 1),
            Workload::Set => (set(&keys(1)[0], &small), 1),
            Workload::Tasks(tasks) => (requests(tasks).concat(), tasks),
            Workload::Pipeline(commands) => {
                let sets = keys(commands).into_iter().flat_map(|key| set(&key, &small));
                (sets.collect(), commands)
            }
            Workload::BigGet => (get(BIG_KEY), 1),
            Workload::BigSet => (set(BIG_WRITTEN_KEY, &vec![b'x'; BIG]), 1),
            Workload::Lrange => (request(&[b"LRANGE", LIST_KEY.as_bytes(), b"0", b"-1"]), 1),
            Workload::Hgetall => (request(&[b"HGETALL", HASH_KEY.as_bytes()]), 1),
            Workload::Cluster { .. }
            | Workload::Messages
            | Workload::Pool(_)
            | Workload::Connections(_)
            | Workload::Value(_) => return Err(self.unfit()),
        };
        Ok((
            Exchange::prepare(self.server, requests, count)?,
            count as u64,
        ))
    }

    fn unfit(&self) -> Failure {
        format!("{} is not run like this", self.row).into()
    }
}

/// What so many tasks send at the same time: GET and SET in turn.
fn requests(tasks: usize) -> Vec<Vec<u8>> {
    let each = keys(tasks).into_iter().enumerate();
    let request = |(n, key): (usize, String)| {
        if n % 2 == 0 {
            get(&key)
        } else {
            set(&key, &[b'x'; SMALL])
        }
    };
    each.map(request).collect()
}

fn get(key: &str) -> Vec<u8> {
    request(&[b"GET", key.as_bytes()])
}

fn set(key: &str, value: &[u8]) -> Vec<u8> {
    request(&[b"SET", key.as_bytes(), value])
}

/// One operation after the other.
async fn repeat<C: Async>(mut client: C, workload: Workload, budget: Budget) -> Result<u64> {
    let small = Bytes::from(vec![b'x'; SMALL]);
    let big = Bytes::from(vec![b'x'; BIG]);
    let keys = keys(match workload {
        Workload::Pipeline(commands) => commands,
        _ => 1,
    });
    let key = &keys[0];
    let value = match workload {
        Workload::Value(size) => Bytes::from(vec![b'x'; size]),
        _ => Bytes::new(),
    };
    let mut meter = Meter::new(budget);
    match workload {
        Workload::Get => {
            while meter.next(1) {
                expect(client.get(key).await?, SMALL)?;
            }
        }
        Workload::Set => {
            while meter.next(1) {
                client.set(key, &small).await?;
            }
        }
        Workload::Pipeline(commands) => {
            while meter.next(commands as u64) {
                client.set_all(&keys, &small).await?;
            }
        }
        Workload::BigGet => {
            while meter.next(1) {
                expect(client.get(BIG_KEY).await?, BIG)?;
            }
        }
        Workload::BigSet => {
            while meter.next(1) {
                client.set(BIG_WRITTEN_KEY, &big).await?;
            }
        }
        Workload::Lrange => {
            while meter.next(1) {
                expect(client.lrange(LIST_KEY).await?, ELEMENTS)?;
            }
        }
        Workload::Hgetall => {
            while meter.next(1) {
                expect(client.hgetall(HASH_KEY).await?, ELEMENTS)?;
            }
        }
        Workload::Value(size) => {
            while meter.next(2) {
                client.set(BIG_WRITTEN_KEY, &value).await?;
                expect(client.get(BIG_WRITTEN_KEY).await?, size)?;
            }
        }
        Workload::Tasks(_)
        | Workload::Cluster { .. }
        | Workload::Messages
        | Workload::Pool(_)
        | Workload::Connections(_) => {
            return Err("this workload is not one operation after the other".into());
        }
    }
    Ok(meter.done)
}

/// A task for each of the clients, which may share connections.
///
/// Only the first task looks at the clock, since the others would pay for it with every operation.
async fn share<C: Shared>(clients: Vec<C>, budget: Budget) -> Result<u64> {
    let over = Arc::new(AtomicBool::new(false));
    let small = Bytes::from(vec![b'x'; SMALL]);
    let tasks = clients.len();
    let keys = keys(tasks).into_iter().enumerate();
    let tasks: Vec<_> = keys
        .zip(clients)
        .map(|((task, key), mut client)| {
            let small = small.clone();
            let over = Arc::clone(&over);
            let mut meter = Meter::new(budget.part(tasks));
            let watches_clock = task == 0;
            if let (Budget::Time(_), false) = (budget, watches_clock) {
                meter.end = End::After(u64::MAX);
            }
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) && meter.next(1) {
                    if (task as u64 + meter.done).is_multiple_of(2) {
                        expect(client.get(&key).await?, SMALL)?;
                    } else {
                        client.set(&key, &small).await?;
                    }
                }
                if let Budget::Time(_) = budget {
                    over.store(true, Ordering::Relaxed);
                }
                Ok::<_, Failure>(meter.done)
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await??;
    }
    Ok(done)
}

impl Budget {
    /// What each of so many takes.
    fn part(self, of: usize) -> Self {
        match self {
            Self::Time(time) => Self::Time(time),
            Self::Operations(operations) => Self::Operations(operations.div_ceil(of as u64)),
        }
    }
}

impl Meter {
    fn new(budget: Budget) -> Self {
        let end = match budget {
            Budget::Time(time) => End::At(Instant::now() + time),
            Budget::Operations(operations) => End::After(operations),
        };
        Self { end, done: 0 }
    }

    /// Whether so many operations more are to be done, as the first ones always are.
    fn next(&mut self, operations: u64) -> bool {
        let more = match self.end {
            End::At(end) => Instant::now() < end,
            End::After(operations) => self.done < operations,
        };
        let more = more || self.done == 0;
        if more {
            self.done += operations;
        }
        more
    }
}

/// What a raw socket has received of messages that all have the same size.
struct Received {
    /// The size of one.
    size: usize,
    bytes: usize,
    messages: u64,
}

impl Received {
    fn new() -> Self {
        // As RESP2 has it, which a connection speaks that did not ask for another version.
        let message = request(&[b"message", CHANNEL.as_bytes(), &[b'x'; SMALL]]);
        Self {
            size: message.len(),
            bytes: 0,
            messages: 0,
        }
    }

    /// Adds so many bytes, and returns how many messages were completed by them.
    fn add(&mut self, bytes: usize) -> u64 {
        self.bytes += bytes;
        let completed = (self.bytes / self.size) as u64;
        self.bytes %= self.size;
        self.messages += completed;
        completed
    }
}

/// The process that publishes, which is not measured, and how far the subscriber has come.
struct Publisher {
    process: Child,
    taken: ChildStdin,
    told: u64,
}

impl Publisher {
    fn start(server: SocketAddr) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut process = Command::new(program)
            .args(["publish", &server.to_string()])
            .stdin(Stdio::piped())
            .spawn()?;
        let taken = process.stdin.take().ok_or("the publisher has no input")?;
        Ok(Self {
            process,
            taken,
            told: 0,
        })
    }

    /// Tells how many messages were received since the beginning.
    fn received(&mut self, messages: u64) -> Result<()> {
        while messages >= self.told + MESSAGES_PER_BYTE {
            self.taken.write_all(b".")?;
            self.told += MESSAGES_PER_BYTE;
        }
        Ok(())
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // It may have ended by itself, with a message of its own.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn runtime(driver: Driver) -> Result<Runtime> {
    let mut builder = match driver {
        Driver::MultiThread => Builder::new_multi_thread(),
        Driver::CurrentThread | Driver::Sync => Builder::new_current_thread(),
    };
    Ok(builder.worker_threads(WORKERS).enable_all().build()?)
}

/// A key for each of so many, as long as there are as many.
fn keys(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!("key:{:012}", n % MOST_KEYS))
        .collect()
}

fn expect(found: usize, expected: usize) -> Result<()> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("expected a reply of size {expected}, got {found}").into())
    }
}

fn absent(row: &Row, who: Contestant) -> Failure {
    format!("{} takes no part in {row}", who.name()).into()
}

const WORKERS: usize = 2;
const SMALL: usize = 64;
const BIG: usize = 1024 * 1024;
const ELEMENTS: usize = 1_000;
const MOST_KEYS: usize = 1_000;
const BIG_KEY: &str = "big";
const BIG_WRITTEN_KEY: &str = "big:written";
const LIST_KEY: &str = "list";
const HASH_KEY: &str = "hash";
const CHANNEL: &str = "channel";
const PUBLISHED_AT_ONCE: u64 = 1_000;
/// How many messages may be under way.
const MOST_AHEAD: u64 = 32_000;
/// Large, so that telling the publisher costs next to nothing.
const MESSAGES_PER_BYTE: u64 = 4_000;
/// A look at the clock costs about a tenth of what the leanest client takes for a message.
const MESSAGES_PER_LOOK: u64 = 64;
