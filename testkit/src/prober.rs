//! When a shard accepts writes, found out without the client under test.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::Result;
use crate::error::Error;
use crate::resp::request;

/// Writes one key again and again, in a thread of its own, until dropped.
///
/// While all is well it asks the node that answered last, every five milliseconds. When that has not
/// answered until then, or refuses, it asks all nodes, every two milliseconds and without waiting
/// for one before asking the next; and nodes that it is sent to by `MOVED` and `ASK`. So it knows
/// when the shard was first able to accept a write again, give or take these milliseconds. What a
/// client needs beyond that is the client's.
pub struct Prober {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A write that was accepted.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// When it was sent.
    pub sent: Instant,
    /// When the reply was here.
    pub received: Instant,
    /// Who accepted it.
    pub node: SocketAddr,
}

impl Prober {
    /// Begins to write `key` through these nodes.
    pub(crate) fn start(nodes: Vec<SocketAddr>, key: Vec<u8>) -> Self {
        let shared = Arc::new(Shared::default());
        let mut rounds = Rounds {
            shared: Arc::clone(&shared),
            targets: nodes.into_iter().map(Target::new).collect(),
            favourite: None,
            write: request(&[b"SET", &key, b"probed"]),
        };
        let thread = thread::spawn(move || rounds.run());
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// The first accepted write that was sent after `moment`, waiting for it if need be.
    pub fn first_after(&self, moment: Instant, patience: Duration) -> Result<Accepted> {
        let deadline = Instant::now() + patience;
        let mut accepted = self.shared.lock();
        loop {
            if let Some(first) = accepted.iter().find(|write| write.sent >= moment) {
                return Ok(*first);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::failed(format!(
                    "no node accepted a write within {patience:?}"
                )));
            }
            let waited = self.shared.arrived.wait_timeout(accepted, left);
            accepted = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The last write that was accepted before `moment`, if any is remembered.
    pub fn last_before(&self, moment: Instant) -> Option<Accepted> {
        let accepted = self.shared.lock();
        let before = accepted.iter().rev();
        before.copied().find(|write| write.received < moment)
    }

    /// The longest time since `moment` in which no write was accepted.
    pub fn longest_gap_since(&self, moment: Instant) -> Duration {
        let accepted = self.shared.lock();
        let received = accepted.iter().map(|write| write.received);
        let received = received.filter(|received| *received > moment);
        let mut last = moment;
        let gaps = received
            .chain([Instant::now()])
            .map(|received| received - std::mem::replace(&mut last, received));
        gaps.max().unwrap_or_default()
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has no reason to panic, and here is nobody to tell.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Shared {
    /// In the order in which the replies arrived; the oldest are forgotten.
    accepted: Mutex<VecDeque<Accepted>>,
    arrived: Condvar,
    stop: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Accepted>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread does.
struct Rounds {
    shared: Arc<Shared>,
    targets: Vec<Target>,
    /// The node that accepted the last write, while it does not refuse one and is quick.
    favourite: Option<SocketAddr>,
    write: Vec<u8>,
}

impl Rounds {
    fn run(&mut self) {
        while !self.shared.stop.load(Ordering::Relaxed) {
            self.collect();
            for target in &mut self.targets {
                let wanted = self.favourite.is_none_or(|node| node == target.node);
                if wanted && target.sent.is_none() {
                    target.send(&self.write);
                }
            }
            thread::sleep(match self.favourite {
                Some(_) => CALM_INTERVAL,
                None => INTERVAL,
            });
        }
    }

    /// Looks at what has arrived.
    fn collect(&mut self) {
        let mut redirects = Vec::new();
        for target in &mut self.targets {
            let outcome = target.receive();
            match &outcome {
                Outcome::Accepted(accepted) => {
                    self.favourite = Some(target.node);
                    let mut all = self.shared.lock();
                    if all.len() == REMEMBERED {
                        all.pop_front();
                    }
                    all.push_back(*accepted);
                    self.shared.arrived.notify_all();
                    continue;
                }
                Outcome::Nothing if !target.is_late() => continue,
                Outcome::Redirect { node, ask } => redirects.push((*node, *ask)),
                Outcome::Nothing | Outcome::Refused => {}
            }
            if self.favourite == Some(target.node) {
                self.favourite = None;
            }
        }
        for (node, ask) in redirects {
            let known = self.targets.iter_mut().find(|target| target.node == node);
            match known {
                Some(target) => target.ask |= ask,
                None => self.targets.push(Target {
                    ask,
                    ..Target::new(node)
                }),
            }
        }
    }
}

/// A node and what it owes.
struct Target {
    node: SocketAddr,
    stream: Option<TcpStream>,
    /// When the write was sent that has no reply yet.
    sent: Option<Instant>,
    /// Whether the next write begins with `ASKING`.
    ask: bool,
    /// How many replies are to come.
    owed: usize,
    received: Vec<u8>,
}

enum Outcome {
    Nothing,
    Accepted(Accepted),
    Redirect { node: SocketAddr, ask: bool },
    Refused,
}

impl Target {
    fn new(node: SocketAddr) -> Self {
        Self {
            node,
            stream: None,
            sent: None,
            ask: false,
            owed: 0,
            received: Vec::new(),
        }
    }

    fn send(&mut self, write: &[u8]) {
        let ask = std::mem::take(&mut self.ask);
        let mut bytes = if ask {
            request(&[b"ASKING"])
        } else {
            Vec::new()
        };
        bytes.extend_from_slice(write);
        let sent = Instant::now();
        // So few bytes fit, or nothing else has for long.
        if self
            .connected()
            .is_some_and(|stream| stream.write_all(&bytes).is_ok())
        {
            self.sent = Some(sent);
            self.owed = 1 + usize::from(ask);
        } else {
            self.disconnect();
        }
    }

    fn connected(&mut self) -> Option<&mut TcpStream> {
        if self.stream.is_none() {
            // On one machine this is decided at once.
            let stream = TcpStream::connect_timeout(&self.node, CONNECT_TIMEOUT).ok()?;
            stream.set_nonblocking(true).ok()?;
            stream.set_nodelay(true).ok()?;
            self.stream = Some(stream);
        }
        self.stream.as_mut()
    }

    fn receive(&mut self) -> Outcome {
        let (Some(stream), Some(sent)) = (&mut self.stream, self.sent) else {
            // It could not even be sent to.
            return Outcome::Refused;
        };
        let mut chunk = [0; 512];
        match stream.read(&mut chunk) {
            Ok(0) => {
                self.disconnect();
                return Outcome::Refused;
            }
            Ok(length) => self.received.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Outcome::Nothing,
            Err(_) => {
                self.disconnect();
                return Outcome::Refused;
            }
        }
        // All replies here are one line.
        let lines = String::from_utf8_lossy(&self.received).into_owned();
        if !lines.ends_with("\r\n") || lines.lines().count() < self.owed {
            return Outcome::Nothing;
        }
        let received = Instant::now();
        self.sent = None;
        self.received.clear();
        let line = lines.lines().last().unwrap_or_default();
        if line == "+OK" {
            let node = self.node;
            return Outcome::Accepted(Accepted {
                sent,
                received,
                node,
            });
        }
        let mut words = line.split(' ');
        let ask = match words.next() {
            Some("-ASK") => true,
            Some("-MOVED") => false,
            _ => return Outcome::Refused,
        };
        match words.nth(1).map(str::parse) {
            Some(Ok(node)) => Outcome::Redirect { node, ask },
            _ => Outcome::Refused,
        }
    }

    /// Whether its reply should have been here long ago.
    fn is_late(&self) -> bool {
        self.sent.is_some_and(|sent| sent.elapsed() > LATE)
    }

    fn disconnect(&mut self) {
        self.stream = None;
        self.sent = None;
        self.received.clear();
    }
}

const INTERVAL: Duration = Duration::from_millis(2);
const CALM_INTERVAL: Duration = Duration::from_millis(5);
/// Then others are asked as well: a node that is quick has answered when it is looked at next.
const LATE: Duration = Duration::from_millis(4);
const CONNECT_TIMEOUT: Duration = Duration::from_millis(20);
/// Five minutes of calm.
const REMEMBERED: usize = 60_000;
