//! Metrics of both clients.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use respec::{Config, command::raw, observe};
use respec_testkit::{Server, Variant};

use crate::Caller;

/// What was recorded, by the name of the metric and its labels.
#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<BTreeMap<String, Vec<f64>>>>);

/// The metric of one name and one set of labels.
struct Metric(Recorded, String);

impl Recorded {
    fn metrics(&self) -> MutexGuard<'_, BTreeMap<String, Vec<f64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn metric(&self, key: &Key) -> Arc<Metric> {
        let labels = key
            .labels()
            .map(|it| format!(" {}={}", it.key(), it.value()));
        let name = key.name().to_owned() + &labels.collect::<String>();
        Arc::new(Metric(self.clone(), name))
    }

    /// All values of the metrics whose text has all of these parts.
    fn find(&self, parts: &[&str]) -> Vec<f64> {
        let metrics = self.metrics();
        let is_it = |name: &str| parts.iter().all(|part| name.contains(part));
        let found = metrics.iter().filter(|(name, _)| is_it(name));
        found.flat_map(|(_, values)| values.clone()).collect()
    }
}

impl Metric {
    fn push(&self, value: f64) {
        let mut metrics = self.0.metrics();
        metrics.entry(self.1.clone()).or_default().push(value);
    }
}

impl CounterFn for Metric {
    fn increment(&self, value: u64) {
        self.push(f64::from(u32::try_from(value).unwrap()));
    }

    fn absolute(&self, value: u64) {
        CounterFn::increment(self, value);
    }
}

impl GaugeFn for Metric {
    fn increment(&self, value: f64) {
        self.push(value);
    }

    fn decrement(&self, value: f64) {
        self.push(-value);
    }

    fn set(&self, value: f64) {
        self.push(value);
    }
}

impl HistogramFn for Metric {
    fn record(&self, value: f64) {
        self.push(value);
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.metric(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.metric(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.metric(key))
    }
}

static RECORDED: LazyLock<Recorded> = LazyLock::new(|| {
    let recorded = Recorded::default();
    metrics::set_global_recorder(recorded.clone())
        .map_err(|_| ())
        .unwrap();
    recorded
});

#[test]
fn calls_connections_and_pools_are_measured() {
    let recorded = &*RECORDED;
    let server = Server::start(Variant::Redis70).unwrap();
    let config = Config::tcp("127.0.0.1", server.port())
        .pool_max(1)
        .pool_wait(Duration::from_millis(20));
    let port = format!("server.port={}", server.port());
    let pool = format!(
        "db.client.connection.pool.name=127.0.0.1:{}/0",
        server.port()
    );
    for (name, caller) in Caller::both(&config) {
        recorded.metrics().clear();
        caller.call(raw("SET").key("meters:a").arg("x")).unwrap();
        caller.call(raw("INCR").key("meters:a")).unwrap_err();
        caller
            .pipeline(&[raw("GET").key("meters:a"), raw("PING")])
            .unwrap();
        assert!(observe::flush(Duration::from_secs(30)));

        let duration = |parts: &[&str]| {
            let name = "db.client.operation.duration";
            let of_all = [name, "db.system.name=redis", "db.namespace=0", &port];
            recorded.find(&[&of_all, parts].concat())
        };
        let sets = duration(&["db.operation.name=SET"]);
        assert!(
            sets.len() == 1 && sets[0] > 0.0 && sets[0] < 60.0,
            "{name}: {sets:?}"
        );
        let errors = duration(&[
            "db.operation.name=INCR",
            "error.type=ERR",
            "db.response.status_code=ERR",
            "network.peer.address=127.0.0.1",
        ]);
        assert_eq!(errors.len(), 1, "{name}");
        assert_eq!(duration(&["db.operation.name=PIPELINE"]).len(), 1, "{name}");
        assert_eq!(duration(&[]).len(), 3, "{name}");
        let made = recorded.find(&["db.client.connection.create_time", &pool]);
        assert_eq!(made.len(), 1, "{name}");
        let state = |state: &str| {
            let state = format!("db.client.connection.state={state}");
            let counts = recorded.find(&["db.client.connection.count", &pool, &state]);
            *counts.last().unwrap() as usize
        };
        assert_eq!(state("used") + state("idle"), 1, "{name}");

        // The only connection of the pool is in use, and another caller waits for it in vain.
        let (own, blocked) = match &caller {
            Caller::Async(client) => {
                let own = crate::RUNTIME.block_on(client.dedicated()).unwrap();
                let blocked = caller.call(raw("BLPOP").key("meters:none").arg(1));
                (Ok(own), blocked)
            }
            Caller::Blocking(client) => {
                let own = client.dedicated().unwrap();
                (
                    Err(own),
                    caller.call(raw("BLPOP").key("meters:none").arg(1)),
                )
            }
        };
        assert!(blocked.unwrap_err().is_timeout(), "{name}");
        assert!(observe::flush(Duration::from_secs(30)));
        let in_vain = recorded.find(&["db.client.connection.timeouts", &pool]);
        assert_eq!(in_vain, [1.0], "{name}");
        assert_eq!(duration(&["error.type=timeout_queue"]).len(), 1, "{name}");
        drop(own);
    }
}
