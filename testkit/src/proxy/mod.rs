//! A proxy between a client and a real server that does harm, to the byte.
//!
//! ```no_run
//! use respec_testkit::{Action, At, Proxy, Rule, Server, Variant};
//!
//! let server = Server::start(Variant::Redis82)?;
//! let proxy = Proxy::start(server.addr())?;
//! // … a client connects to `proxy.url()` …
//! let connection = proxy.newest().expect("a client has connected");
//! // Ends the connection three bytes into the reply to the next INCR.
//! connection.arm(Rule::new(At::reply_to("INCR").plus(3), Action::Reset));
//! // … and in the end the proxy knows what was handed over of each command.
//! for record in proxy.traffic().records() {
//!     println!("{}: {} bytes delivered", record.name(), record.request.delivered);
//! }
//! # Ok::<(), respec_testkit::Error>(())
//! ```
//!
//! A [`Rule`] is an [`Action`] at a place in the traffic ([`At`]). Places are known by what stands
//! there (the third request, the reply to an `INCR`, inside an array) and are exact to the byte. The
//! proxy reads RESP2 and RESP3 in both directions, and requests in one line of text. Something else passes
//! as well, but from there on only [`At::now`] finds a place.
//!
//! [`Traffic`] is the ledger: for every request how many of its bytes have come from the client and
//! how many were handed to the server, and the same of its reply. It is the ground truth for what a
//! client says of its commands: `not sent` has to mean that not one byte came.
//!
//! Replies belong to requests in order, as servers send them. Commands that have no reply, or more
//! than one, such as `SUBSCRIBE` under RESP2 or `CLIENT REPLY OFF`, shift what belongs to what.
//!
//! One thread serves all connections of a proxy.

mod engine;
mod flow;
mod link;
mod rule;
mod scan;
mod traffic;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::Result;
use crate::error::Error;

use engine::{Engine, Order, PATIENCE, Shared};

pub use rule::{Action, At, Rule, Way};
pub use traffic::{End, Fault, Passed, Record, Traffic};

/// A proxy on a port of its own, until dropped; then its connections end.
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    orders: Option<Orders>,
    thread: Option<JoinHandle<()>>,
}

/// How a [`Proxy`] is to be.
#[derive(Clone, Debug)]
pub struct ProxyOptions {
    server: SocketAddr,
    ip: IpAddr,
    port: u16,
    buffers: Option<usize>,
}

/// A connection of a [`Proxy`], ended or not.
#[derive(Clone)]
pub struct Link {
    number: usize,
    shared: Arc<Shared>,
    orders: Orders,
}

#[derive(Clone)]
struct Orders {
    sender: Sender<(Order, Sender<()>)>,
    bell: Arc<UnixStream>,
}

impl Proxy {
    /// Listens, and passes on what comes to the server with this address.
    pub fn start(server: SocketAddr) -> Result<Self> {
        Self::builder(server).start()
    }

    /// A proxy with settings.
    pub fn builder(server: SocketAddr) -> ProxyOptions {
        ProxyOptions {
            server,
            ip: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            buffers: None,
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Where it listens, as `redis://…`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    /// Gives these rules to every connection that is accepted from now on, instead of earlier ones.
    /// They count from the first byte of the handshake.
    pub fn script(&self, rules: impl IntoIterator<Item = Rule>) {
        self.order(Order::Script(rules.into_iter().collect()));
    }

    /// Does something to all open connections at once.
    pub fn act(&self, way: Way, action: Action) {
        self.order(Order::Act(None, way, action));
    }

    /// Passes connections that are accepted from now on to this server.
    pub fn set_server(&self, server: SocketAddr) {
        self.order(Order::Server(server));
    }

    /// How many connections were accepted so far.
    pub fn accepted(&self) -> usize {
        self.traffic().dials().len()
    }

    /// A connection by its number, in order of acceptance.
    pub fn link(&self, number: usize) -> Option<Link> {
        (number < self.accepted()).then(|| self.handle(number))
    }

    /// The open connection that was accepted last.
    pub fn newest(&self) -> Option<Link> {
        let number = self.traffic().open().last()?;
        Some(self.handle(number))
    }

    /// All open connections.
    pub fn open(&self) -> Vec<Link> {
        let open: Vec<_> = self.traffic().open().collect();
        open.into_iter().map(|number| self.handle(number)).collect()
    }

    /// How many requests of all connections have begun to arrive and are not wholly answered.
    pub fn in_flight(&self) -> usize {
        self.traffic().all_in_flight()
    }

    /// What has passed. Nothing passes while this is held.
    pub fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.shared.lock()
    }

    /// Waits until `condition` says something of the traffic; an error after `patience`.
    pub fn wait<T>(
        &self,
        patience: Duration,
        mut condition: impl FnMut(&Traffic) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + patience;
        let mut traffic = self.shared.lock();
        loop {
            if let Some(found) = condition(&traffic) {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                let what = "what a test waits for did not pass through the proxy in time";
                return Err(Error::failed(what));
            }
            traffic = self.shared.wait(traffic, deadline);
        }
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            orders.send(order);
        }
    }

    fn handle(&self, number: usize) -> Link {
        Link {
            number,
            shared: Arc::clone(&self.shared),
            orders: self.orders.clone().expect("only dropping takes it"),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(orders) = self.orders.take() {
            orders.send(Order::Stop);
        }
        if let Some(thread) = self.thread.take() {
            // It has no reason to panic, and here is nobody to tell.
            let _ = thread.join();
        }
    }
}

impl ProxyOptions {
    /// Listens on this address of this machine.
    pub fn ip(mut self, ip: IpAddr) -> Self {
        self.ip = ip;
        self
    }

    /// Listens on this port instead of one that is free.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Asks the kernel for buffers of so many bytes for each of the proxy's sockets.
    pub fn buffers(mut self, bytes: usize) -> Self {
        self.buffers = Some(bytes);
        self
    }

    /// Begins to listen.
    pub fn start(self) -> Result<Proxy> {
        self.listen()
            .map_err(|error| Error::io("a proxy cannot listen", error))
    }

    fn listen(self) -> std::io::Result<Proxy> {
        let addr = SocketAddr::new(self.ip, self.port);
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        if let Some(size) = self.buffers {
            // What is accepted has the listener's.
            link::shrink(&socket, size)?;
        }
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        let listener = std::net::TcpListener::from(socket);
        let addr = listener.local_addr()?;
        let (sender, receiver) = mpsc::channel();
        let (bell, heard) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        let shared = Arc::<Shared>::default();
        let engine = Engine::new(
            listener,
            self.server,
            self.buffers,
            receiver,
            heard,
            Arc::clone(&shared),
        )?;
        let thread = thread::Builder::new().name("proxy".into());
        Ok(Proxy {
            addr,
            shared,
            orders: Some(Orders {
                sender,
                bell: Arc::new(bell),
            }),
            thread: Some(thread.spawn(move || engine.run())?),
        })
    }
}

impl Link {
    /// Its number, in order of acceptance.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Has a rule from now on.
    pub fn arm(&self, rule: Rule) {
        self.orders.send(Order::Arm(self.number, rule));
    }

    /// Does something at once, whatever is still to be passed before.
    pub fn act(&self, way: Way, action: Action) {
        self.orders.send(Order::Act(Some(self.number), way, action));
    }

    /// Whether nobody has ended it.
    pub fn is_open(&self) -> bool {
        self.shared.lock().ended(self.number).is_none()
    }

    /// How many requests have begun to arrive and are not wholly answered.
    pub fn in_flight(&self) -> usize {
        self.shared.lock().in_flight(self.number)
    }
}

impl Orders {
    /// Sends an order and waits until it is done.
    fn send(&self, order: Order) {
        let (done, wait) = mpsc::channel();
        if self.sender.send((order, done)).is_err() {
            return;
        }
        // When it is full the thread has not listened to what was rung before.
        let _ = (&*self.bell).write(&[0]);
        let _ = wait.recv_timeout(PATIENCE);
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("addr", &self.addr).finish()
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("number", &self.number)
            .finish()
    }
}

/// Enough for many clients that dial at once.
const BACKLOG: i32 = 1024;
