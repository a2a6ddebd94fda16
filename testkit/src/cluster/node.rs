//! One node of a cluster.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::Result;
use crate::error::Error;
use crate::resp::{Connection, Reply};
use crate::server::Server;

use super::topology::Topology;

/// A server that is a node of a [`Cluster`](super::Cluster).
pub struct Node {
    server: Server,
    id: String,
    /// For the kit's own questions, which are many. Absent after one that was not answered.
    connection: Mutex<Option<Connection>>,
}

impl Node {
    pub(super) fn new(server: Server) -> Result<Self> {
        let mut node = Self {
            server,
            id: String::new(),
            connection: Mutex::new(None),
        };
        node.id = node.text(&[b"CLUSTER", b"MYID"])?;
        Ok(node)
    }

    /// The node's id, which stays the same over a restart.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The server that is this node.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The address for clients.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Sends one command over a connection of its own, and returns the bytes of the reply (RESP2).
    pub fn command(&self, parts: &[&[u8]]) -> Result<Vec<u8>> {
        self.server.command(parts)
    }

    /// Whether it can answer: it runs and is not paused.
    pub fn is_up(&self) -> bool {
        self.server.is_running() && !self.server.is_paused()
    }

    /// What this node says about its cluster.
    pub fn topology(&self) -> Result<Topology> {
        let text = self.text(&[b"CLUSTER", b"NODES"])?;
        let malformed = || self.failure("CLUSTER NODES", "its reply cannot be read");
        Topology::parse(&text).ok_or_else(malformed)
    }

    /// How many keys this node has in a slot.
    pub fn keys_in_slot(&self, slot: u16) -> Result<usize> {
        let slot = slot.to_string();
        let parts: &[&[u8]] = &[b"CLUSTER", b"COUNTKEYSINSLOT", slot.as_bytes()];
        match self.ask(parts)? {
            Reply::Integer(count) => Ok(count.try_into().unwrap_or(0)),
            other => Err(self.unexpected(parts, "an integer", &other)),
        }
    }

    /// Sends one command and returns its reply, which may be an error. A command that was not
    /// answered is sent again, so only one that may be executed twice belongs here.
    pub(crate) fn ask(&self, parts: &[&[u8]]) -> Result<Reply> {
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = connection.as_mut()
            && let Ok(reply) = kept.ask(parts)
        {
            return Ok(reply);
        }
        // There was none, or the server that had it is gone.
        let mut fresh = match self.server.connection(PATIENCE) {
            Ok(fresh) => fresh,
            Err(error) => {
                *connection = None;
                return Err(error);
            }
        };
        let reply = fresh.ask(parts);
        *connection = reply.is_ok().then_some(fresh);
        reply.map_err(|error| Error::io(self.message(&name(parts), "it got no reply"), error))
    }

    /// Sends a command that answers with text.
    pub(super) fn text(&self, parts: &[&[u8]]) -> Result<String> {
        let reply = self.ask(parts)?;
        let unexpected = || self.unexpected(parts, "text", &reply);
        reply.text().ok_or_else(unexpected)
    }

    /// Sends a command that answers `OK`.
    pub(super) fn run(&self, parts: &[&[u8]]) -> Result<()> {
        match self.ask(parts)? {
            Reply::Text(text) if text == b"OK" => Ok(()),
            other => Err(self.unexpected(parts, "OK", &other)),
        }
    }

    pub(super) fn unexpected(&self, parts: &[&[u8]], expected: &str, reply: &Reply) -> Error {
        let what = match reply {
            Reply::Error(error) => error.clone(),
            other => format!("expected {expected}, got {other:?}"),
        };
        self.failure(&name(parts), &what)
    }

    fn failure(&self, command: &str, what: &str) -> Error {
        Error::failed(self.message(command, what))
    }

    fn message(&self, command: &str, what: &str) -> String {
        format!("{command} at {}: {what}", self.addr())
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.id)
            .field("addr", &self.addr())
            .field("pid", &self.server.pid())
            .finish_non_exhaustive()
    }
}

/// The words of a command that say what it is.
fn name(parts: &[&[u8]]) -> String {
    let container = parts.first().is_some_and(|word| *word == b"CLUSTER");
    let words = parts.iter().take(if container { 2 } else { 1 });
    let words: Vec<_> = words.map(|word| String::from_utf8_lossy(word)).collect();
    words.join(" ")
}

/// A node that is up answers at once; one that cannot is asked again.
const PATIENCE: Duration = Duration::from_secs(2);
