//! The task that asks for the topology of a cluster.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::Notify,
    time::{timeout, timeout_at},
};

use super::{
    cluster::Cluster,
    in_flight::{CallConnection, exchange},
    runtime::{now, runtime},
    server::Server,
};
use crate::{
    cluster::{MEASURE_EVERY, NodeId, ReadFrom, TopologyQuery, late},
    command::{Bare, Command, Single},
    commands::info,
    error::Result,
    protocol::TimeLimit,
    resp::Frame,
};

/// Knows whether the task runs.
///
/// It ends with the cluster, or with its runtime; then the next one who needs it starts it anew.
#[derive(Default)]
pub(super) struct Refresher {
    runs: Arc<AtomicBool>,
}

/// Tells that the task has ended, however it did.
struct Running(Arc<AtomicBool>);

impl Refresher {
    /// Starts the task on the caller's runtime, unless it runs.
    ///
    /// # Errors
    ///
    /// There is no runtime.
    pub(super) fn keep(&self, cluster: &Weak<Cluster>, woken: &Arc<Notify>) -> Result<()> {
        if self.runs.load(Ordering::Acquire) {
            return Ok(());
        }
        let runtime = runtime()?;
        if !self.runs.swap(true, Ordering::AcqRel) {
            let running = Running(Arc::clone(&self.runs));
            runtime.spawn(run(Weak::clone(cluster), Arc::clone(woken), running));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Does what the state wants done, until the cluster is gone.
async fn run(cluster: Weak<Cluster>, woken: Arc<Notify>, _running: Running) {
    let mut measure = Instant::now();
    loop {
        let again = {
            let Some(cluster) = cluster.upgrade().filter(|it| !it.calls().is_closing()) else {
                return;
            };
            let (questions, mut again) = cluster.work();
            for question in questions {
                tokio::spawn(ask(Arc::downgrade(&cluster), question));
            }
            if cluster.config().cluster.read_from == ReadFrom::Nearest {
                if measure <= now() {
                    measure_all(&cluster);
                    measure = now() + MEASURE_EVERY;
                }
                again = Some(again.map_or(measure, |again| again.min(measure)));
            }
            again
        };
        match again {
            // Woken or not, there may be something to do.
            Some(again) => _ = timeout_at(again.into(), woken.notified()).await,
            None => woken.notified().await,
        }
    }
}

/// Asks a node for the topology.
async fn ask(cluster: Weak<Cluster>, question: TopologyQuery<Arc<Server>>) {
    let answer = send(&question.server, question.query.command()).await;
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

/// Measures how long each node takes to answer.
fn measure_all(cluster: &Arc<Cluster>) {
    for (id, _, server) in cluster.nodes(true) {
        tokio::spawn(measure(Arc::downgrade(cluster), id, server));
    }
}

async fn measure(cluster: Weak<Cluster>, id: NodeId, server: Arc<Server>) {
    // Connecting is no part of it.
    if server.connected(None).await.is_err() {
        return;
    }
    let start = now();
    let answer = send(&server, Bare(&info::PING)).await;
    let took = now().saturating_duration_since(start);
    if let (Ok(_), Some(cluster)) = (answer, cluster.upgrade()) {
        cluster.decide(|state, _, _| state.measured(id, took));
    }
}

/// Sends a command on the connection that all share, as soon as there is one.
async fn send(server: &Arc<Server>, command: impl Command) -> Result<Frame> {
    let answered = async {
        let connection = server.connected(None).await?;
        let limit = TimeLimit::Each(Some(PATIENCE));
        let frames = exchange(CallConnection::Shared(connection), &Single(command), limit).await?;
        frames
            .into_vec()
            .pop()
            .ok_or_else(|| late(server.address(), PATIENCE))
    };
    timeout(PATIENCE, answered)
        .await
        .unwrap_or_else(|_| Err(late(server.address(), PATIENCE)))
}

/// How long a node may take to answer; another one is asked then.
const PATIENCE: Duration = Duration::from_secs(2);
