//! Lines about what happens to connections and to the topology.
//!
//! What an operator has to know is at the level `info`, and so written that the lines of a kill, a
//! freeze or a failover tell what has happened: what was lost and why, which attempts to connect have
//! failed, that the server is back and after how long, which slots have another primary. What belongs
//! to the ordinary life of a client, or only repeats what was said a moment ago, is at `debug`.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::{Dispatch, dispatcher, subscriber::NoSubscriber};

use super::{
    super::{
        about::{SYSTEM, place},
        feed::Listener,
    },
    TARGET,
};
use crate::{
    address::Address,
    error::Error,
    events::{CallOutcome, Event},
};

/// Who writes lines about what happens to a client that is made now: to the subscriber that is current
/// in this thread, or to the global one of later, if there is none.
pub(in super::super) fn log() -> Option<Box<dyn Listener>> {
    let dispatch = dispatcher::get_default(Clone::clone);
    Some(Box::new(Log {
        dispatch: (!dispatch.is::<NoSubscriber>()).then_some(dispatch),
        servers: HashMap::new(),
        nodes: None,
        late: None,
    }))
}

struct Log {
    dispatch: Option<Dispatch>,
    servers: HashMap<Arc<Address>, ServerLog>,
    /// How many nodes the cluster had when that was last told.
    nodes: Option<usize>,
    /// When it was last told at `info` that the time of a call has run out.
    late: Option<Instant>,
}

/// What was told of a server.
#[derive(Default)]
struct ServerLog {
    /// A connection to it was made before.
    is_known: bool,
    /// When a connection was lost, or an attempt failed, without one that was made since.
    down: Option<Instant>,
    /// When the loss of a connection was last told at `info`, and none was made since.
    lost: Option<Instant>,
    /// Attempts that have failed since.
    failures: u32,
}

impl Listener for Log {
    fn wants_calls(&self) -> bool {
        false
    }

    fn told(&mut self, at: Instant, event: &Event) {
        if let Event::CallEnded { .. } = event {
            return;
        }
        let (is_news, more) = self.weigh(at, event);
        match &self.dispatch {
            Some(dispatch) => dispatcher::with_default(dispatch, || write(is_news, event, &more)),
            None => write(is_news, event, &more),
        }
    }
}

impl Log {
    /// Whether an event is to be told at `info`, and what there is to say beyond it.
    fn weigh(&mut self, at: Instant, event: &Event) -> (bool, String) {
        let none = String::new();
        match event {
            Event::Connected { server, .. } => {
                let known = self.server(server);
                let is_news = !known.is_known || known.down.is_some();
                let down = known.down.map(|down| at.saturating_duration_since(down));
                let again = down.filter(|_| known.is_known);
                let since = match known.lost {
                    Some(_) => "it was lost",
                    None => "an attempt has failed",
                };
                let more = again.map_or(none, |after| format!(", {after:.1?} after {since}"));
                *known = ServerLog {
                    is_known: true,
                    ..ServerLog::default()
                };
                (is_news, more)
            }
            Event::ConnectFailed { server, .. } => {
                let known = self.server(server);
                known.down.get_or_insert(at);
                known.failures = known.failures.saturating_add(1);
                let count = known.failures;
                let more = match count {
                    1 => none,
                    _ => format!(" (attempt {count})"),
                };
                // The first, the second, the fourth …: a long outage shall not fill a disk.
                (count.is_power_of_two(), more)
            }
            Event::Disconnected { server, reason, .. } if reason.is_loss() => {
                let known = self.server(server);
                known.down.get_or_insert(at);
                let is_news = is_rare(&mut known.lost, at);
                (is_news, none)
            }
            Event::TimedOut { .. } => (is_rare(&mut self.late, at), none),
            Event::TopologyChanged { nodes, moved, .. } => {
                let is_news = self.nodes.replace(*nodes) != Some(*nodes);
                (is_news || !moved.is_empty(), none)
            }
            Event::EventsDropped { .. } => (true, none),
            _ => (false, none),
        }
    }

    fn server(&mut self, server: &Arc<Address>) -> &mut ServerLog {
        if self.servers.len() >= MOST_SERVERS && !self.servers.contains_key(server) {
            // Names come and go where servers do; what is forgotten is told once more.
            self.servers.clear();
        }
        self.servers.entry(Arc::clone(server)).or_default()
    }
}

/// Whether this was not told for a while, and takes note that it is told now.
fn is_rare(told: &mut Option<Instant>, at: Instant) -> bool {
    let is_rare = told.is_none_or(|told| at.saturating_duration_since(told) >= SECOND);
    if is_rare {
        *told = Some(at);
    }
    is_rare
}

/// Writes a line.
fn write(is_news: bool, event: &Event, more: &str) {
    let Fields {
        server,
        operation,
        error,
    } = Fields::of(event);
    let (address, port) = server.map(place).unzip();
    let port = port.flatten();
    let error = error.map(|error| CallOutcome::of::<()>(&Err(error.clone())));
    let error = error.as_ref().and_then(CallOutcome::error_type);
    // A level is a part of the place in the code that writes, and so each has one.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: TARGET,
                {
                    db.system.name = SYSTEM,
                    db.operation.name = operation,
                    server.address = address,
                    server.port = port,
                    error.type = error,
                },
                "{event}{more}"
            )
        };
    }
    match is_news {
        true => line!(info),
        false => line!(debug),
    }
}

/// What programs find in a line beside its text.
#[derive(Default)]
struct Fields<'e> {
    server: Option<&'e Address>,
    operation: Option<&'e str>,
    error: Option<&'e Error>,
}

impl<'e> Fields<'e> {
    fn of(event: &'e Event) -> Self {
        let none = Self::default();
        match event {
            Event::Connecting { server, .. }
            | Event::Connected { server, .. }
            | Event::PoolWaited { server, .. } => Self {
                server: Some(server),
                ..none
            },
            Event::ConnectFailed { server, error, .. } => Self {
                server: Some(server),
                error: Some(error),
                ..none
            },
            Event::Disconnected { server, error, .. } => Self {
                server: Some(server),
                error: error.as_ref(),
                ..none
            },
            Event::Retried { command, error, .. } => Self {
                operation: Some(command),
                error: Some(error),
                ..none
            },
            Event::Redirected { command, .. } | Event::TimedOut { command, .. } => Self {
                operation: Some(command),
                ..none
            },
            Event::TopologyChanged { .. }
            | Event::CallEnded { .. }
            | Event::EventsDropped { .. } => none,
        }
    }
}

/// How often something is told at `info` that many connections or calls may meet at once.
const SECOND: Duration = Duration::from_secs(1);

/// Of how many servers a client remembers what was told.
const MOST_SERVERS: usize = 1024;
