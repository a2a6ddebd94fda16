//! The thread that asks for the topology of a cluster.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread::{self, JoinHandle},
    time::Instant,
};

use super::{
    cluster::Cluster,
    server::{Server, Wait},
};
use crate::{
    cluster::{MEASURE_EVERY, PATIENCE, ReadFrom, TopologyQuery, late},
    command::{Bare, Command, Place, Single},
    commands::info,
    error::{Error, ErrorKind, Result},
    protocol::TimeLimit,
    resp::Frame,
};

/// Knows the thread, which ends with the cluster.
#[derive(Default)]
pub(super) struct Refresher {
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Refresher {
    /// Starts the thread, unless it runs.
    ///
    /// # Errors
    ///
    /// There can be no thread.
    pub(super) fn keep(&self, cluster: &Weak<Cluster>) -> Result<()> {
        let mut thread = self.thread();
        if thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        let cluster = Weak::clone(cluster);
        let started = thread::Builder::new()
            .name("respec-topology".to_owned())
            .spawn(move || run(&cluster))
            .map_err(|error| {
                let what = "cannot start the thread that asks for the topology";
                Error::io(ErrorKind::Connect, what, error)
            })?;
        *thread = Some(started);
        Ok(())
    }

    /// Makes the thread look what there is to do.
    pub(super) fn wake(&self) {
        if let Some(thread) = &*self.thread() {
            thread.thread().unpark();
        }
    }

    fn thread(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Does what the state wants done, until the cluster is gone.
fn run(weak: &Weak<Cluster>) {
    let mut measure = Measure {
        next: Instant::now(),
        node: 0,
    };
    loop {
        let Some(cluster) = weak.upgrade().filter(|it| !it.calls().is_closing()) else {
            return;
        };
        let (questions, mut again) = cluster.work();
        if cluster.config().cluster.read_from == ReadFrom::Nearest {
            let next = measure.step(cluster);
            again = Some(again.map_or(next, |again| again.min(next)));
        } else {
            // Nothing may hold the cluster while a node is asked.
            drop(cluster);
        }
        for question in questions {
            ask(weak, question);
        }
        match again {
            // Woken or not, there may be something to do.
            Some(again) => {
                thread::park_timeout(again.saturating_duration_since(Instant::now()));
            }
            None => thread::park(),
        }
    }
}

/// Asks a node for the topology.
fn ask(cluster: &Weak<Cluster>, question: TopologyQuery<Arc<Server>>) {
    let answer = send(&question.server, question.query.command());
    let Some(cluster) = cluster.upgrade() else {
        return;
    };
    let ask = question.ask;
    cluster.decide(|state, now, random| match answer {
        Ok(frame) => state.topology(ask, frame.reply(), now, random),
        Err(error) => state.topology_failed(ask, error, now),
    });
    cluster.was_asked();
}

/// Measures how long the nodes take to answer, one after the other.
struct Measure {
    next: Instant,
    /// Whose turn it is.
    node: usize,
}

impl Measure {
    /// Measures a node if it is time, and says when to do it next.
    fn step(&mut self, cluster: Arc<Cluster>) -> Instant {
        if self.next > Instant::now() {
            return self.next;
        }
        let nodes = cluster.nodes(true);
        let count = nodes.len().max(1);
        self.node = (self.node + 1) % count;
        self.next = Instant::now() + MEASURE_EVERY / u32::try_from(count).unwrap_or(u32::MAX);
        let weak = Arc::downgrade(&cluster);
        drop(cluster);
        if let Some((id, _, server)) = nodes.into_iter().nth(self.node)
            // The first answer makes sure that connecting is no part of it.
            && send(&server, Bare(&info::PING)).is_ok()
        {
            let start = Instant::now();
            let answer = send(&server, Bare(&info::PING));
            let took = start.elapsed();
            if let (Ok(_), Some(cluster)) = (answer, weak.upgrade()) {
                cluster.decide(|state, _, _| state.measured(id, took));
            }
        }
        self.next
    }
}

/// Sends a command on a connection of the pool, or on another one if all of them are in use.
fn send(server: &Arc<Server>, command: impl Command) -> Result<Frame> {
    let now = Instant::now();
    let deadline = now.checked_add(PATIENCE);
    let (exchange, limit) = (Single(command), TimeLimit::Whole(deadline));
    let frames = match server.spare(PATIENCE) {
        Some(spare) => spare?.call(&exchange, Instant::now(), limit, Place::Shared)?,
        None => {
            let wait = Wait {
                since: now,
                deadline,
                is_over: &|| false,
            };
            let lent = server
                .lend_within(wait)?
                .ok_or_else(|| late(server.address(), PATIENCE))?;
            lent.call(&exchange, limit)?
        }
    };
    frames
        .into_vec()
        .pop()
        .ok_or_else(|| late(server.address(), PATIENCE))
}
