//! Metrics, by the crate `metrics`, with the names of OpenTelemetry's conventions where these have one.

use std::{
    sync::{Arc, Once},
    time::Instant,
};

use metrics::{Label, NoopRecorder, Unit};

use super::{
    about::{About, SYSTEM, peer, place},
    feed::Listener,
    stats::ServerStats,
};
use crate::{
    address::Address,
    config::Config,
    events::{CallOutcome, Event},
};

/// Who records what happens to a client, and what it is doing, if a recorder is installed by now.
pub(super) fn meters(config: &Config) -> Option<Box<dyn Listener>> {
    // The facade does not tell, but for the size of the recorder that stands for none.
    if metrics::with_recorder(|recorder| size_of_val(recorder)) == size_of::<NoopRecorder>() {
        return None;
    }
    DESCRIBED.call_once(describe);
    let about = About::new(config);
    let namespace = about.namespace.clone();
    let mut labels = vec![
        Label::from_static_parts("db.system.name", SYSTEM),
        Label::new("db.namespace", about.namespace),
        Label::new("server.address", about.address),
    ];
    labels.extend(about.port.map(|port| port_label("server.port", port)));
    Some(Box::new(Meters { labels, namespace }))
}

struct Meters {
    /// What all metrics of calls have.
    labels: Vec<Label>,
    namespace: String,
}

impl Listener for Meters {
    fn wants_calls(&self) -> bool {
        true
    }

    fn told(&mut self, _: Instant, event: &Event) {
        match event {
            Event::CallEnded {
                operation,
                server,
                took,
                outcome,
                ..
            } => {
                let labels = self.of_call(operation.to_string(), outcome, server.as_deref());
                metrics::histogram!(DURATION, labels).record(took.as_secs_f64());
            }
            Event::Connected { server, took, .. } => {
                let pool = self.pool(server);
                metrics::histogram!(CREATE_TIME, vec![pool]).record(took.as_secs_f64());
            }
            Event::PoolWaited {
                server,
                waited,
                served,
            } => {
                let pool = self.pool(server);
                if *served {
                    metrics::histogram!(WAIT_TIME, vec![pool]).record(waited.as_secs_f64());
                } else {
                    metrics::counter!(TIMEOUTS, vec![pool]).increment(1);
                }
            }
            Event::ConnectFailed { server, .. } => {
                metrics::counter!(CONNECT_FAILURES, vec![self.pool(server)]).increment(1);
            }
            Event::Disconnected { server, reason, .. } => {
                let labels = vec![
                    self.pool(server),
                    Label::new("reason", format!("{reason:?}").to_lowercase()),
                ];
                metrics::counter!(DISCONNECTS, labels).increment(1);
            }
            Event::Retried { .. } => {
                metrics::counter!(RETRIES, self.labels.clone()).increment(1);
            }
            Event::Redirected { .. } => {
                metrics::counter!(REDIRECTS, self.labels.clone()).increment(1);
            }
            Event::TopologyChanged { .. } => {
                metrics::counter!(TOPOLOGY_CHANGES, self.labels.clone()).increment(1);
            }
            Event::EventsDropped { events } => {
                metrics::counter!(EVENTS_DROPPED, self.labels.clone()).increment(*events);
            }
            Event::Connecting { .. } | Event::TimedOut { .. } => {}
        }
    }

    fn wants_samples(&self) -> bool {
        true
    }

    fn sampled(&mut self, servers: &[(Arc<Address>, ServerStats)]) {
        for (server, stats) in servers {
            let pool = self.pool(server);
            let state = |state: &'static str| {
                vec![
                    pool.clone(),
                    Label::from_static_parts("db.client.connection.state", state),
                ]
            };
            #[expect(clippy::cast_precision_loss, reason = "nobody has so many connections")]
            let number = |count: usize| count as f64;
            metrics::gauge!(COUNT, state("idle")).set(number(stats.pool.idle));
            let used = stats.pool.in_use + stats.shared;
            metrics::gauge!(COUNT, state("used")).set(number(used));
            let waiting = number(stats.pool.waiting);
            metrics::gauge!(PENDING_REQUESTS, vec![pool]).set(waiting);
        }
    }
}

impl Meters {
    fn of_call(
        &self,
        operation: String,
        outcome: &CallOutcome,
        server: Option<&Address>,
    ) -> Vec<Label> {
        let mut labels = self.labels.clone();
        labels.push(Label::new("db.operation.name", operation));
        if let Some(error) = outcome.error_type() {
            labels.push(Label::new("error.type", error.to_owned()));
        }
        if let CallOutcome::Failed {
            code: Some(code), ..
        } = outcome
        {
            labels.push(Label::new("db.response.status_code", code.to_string()));
        }
        if let Some((address, port)) = server.and_then(peer) {
            labels.push(Label::new("network.peer.address", address));
            labels.extend(port.map(|port| port_label("network.peer.port", port)));
        }
        labels
    }

    /// The name of the pool of connections to a server.
    fn pool(&self, server: &Address) -> Label {
        let namespace = &self.namespace;
        let name = match place(server) {
            (address, Some(port)) => format!("{address}:{port}/{namespace}"),
            (address, None) => format!("{address}/{namespace}"),
        };
        Label::new("db.client.connection.pool.name", name)
    }
}

fn port_label(name: &'static str, port: u16) -> Label {
    Label::new(name, port.to_string())
}

/// Says what each metric is, to the recorder that is there when the first client is made.
fn describe() {
    metrics::describe_histogram!(
        DURATION,
        Unit::Seconds,
        "Duration of calls, from when they are made to what their callers get"
    );
    metrics::describe_histogram!(
        CREATE_TIME,
        Unit::Seconds,
        "Time to resolve, dial and greet"
    );
    metrics::describe_histogram!(
        WAIT_TIME,
        Unit::Seconds,
        "Time that callers had to wait for a connection of a pool"
    );
    metrics::describe_counter!(
        TIMEOUTS,
        Unit::Count,
        "Callers who waited for a connection of a pool in vain"
    );
    metrics::describe_gauge!(COUNT, Unit::Count, "Connections, by state");
    metrics::describe_gauge!(
        PENDING_REQUESTS,
        Unit::Count,
        "Callers who wait for a connection of a pool"
    );
    metrics::describe_counter!(
        CONNECT_FAILURES,
        Unit::Count,
        "Attempts to connect that failed"
    );
    metrics::describe_counter!(
        DISCONNECTS,
        Unit::Count,
        "Connections that are used no longer, by reason"
    );
    metrics::describe_counter!(RETRIES, Unit::Count, "How often calls were sent again");
    metrics::describe_counter!(
        REDIRECTS,
        Unit::Count,
        "How often nodes of a cluster have sent calls on"
    );
    metrics::describe_counter!(TOPOLOGY_CHANGES, Unit::Count, "Changes of a cluster");
    metrics::describe_counter!(
        EVENTS_DROPPED,
        Unit::Count,
        "Events that were not told, and so are in no metric"
    );
}

static DESCRIBED: Once = Once::new();

const DURATION: &str = "db.client.operation.duration";
const CREATE_TIME: &str = "db.client.connection.create_time";
const WAIT_TIME: &str = "db.client.connection.wait_time";
const TIMEOUTS: &str = "db.client.connection.timeouts";
const COUNT: &str = "db.client.connection.count";
const PENDING_REQUESTS: &str = "db.client.connection.pending_requests";
const CONNECT_FAILURES: &str = "respec.connection.failures";
const DISCONNECTS: &str = "respec.connection.disconnects";
const RETRIES: &str = "respec.retries";
const REDIRECTS: &str = "respec.redirects";
const TOPOLOGY_CHANGES: &str = "respec.topology.changes";
const EVENTS_DROPPED: &str = "respec.events.dropped";
