//! A walk through a cluster, whose nodes fail in the end.
//!
//! `cargo run --example cluster` starts three primaries with a replica each. It shows where commands
//! go, what all nodes run and what is sent in parts. Then tasks write without a pause while a replica
//! takes over, first in agreement with its primary, then because that was killed; every write is
//! accounted for.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use respec::{Client, cluster::key_slot, cmd, prelude::*};
use respec_testkit::{Cluster, Variant, key_in_slot};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cluster = Arc::new(start()?);
    let client = Client::connect(&cluster.url()).await?;
    println!("one client for {} nodes", client.nodes().await?.len());

    routing(&client, &cluster).await?;
    several_nodes(&client).await?;
    parts(&client).await?;
    scan(&client).await?;

    let slot = 0;
    chapter("a replica takes over, in agreement with its primary, and tasks write meanwhile");
    let ((), report) = writes(&client, &cluster, move |cluster| {
        let primary = cluster.primary_of(slot)?;
        let replica = Arc::clone(&cluster.replicas_of(&primary)?[0]);
        cluster.fail_over(&replica)
    })
    .await?;
    println!("{report}");
    if report.may_have_executed + report.not_executed > 0 {
        return Err("expected a failover in agreement to fail no write".into());
    }

    chapter("a primary is killed, and tasks write meanwhile");
    let ((down, accepted), report) = writes(&client, &cluster, move |cluster| {
        let primary = cluster.primary_of(slot)?;
        let prober = cluster.prober(slot);
        let down = cluster.kill(&primary)?.down;
        let accepted = prober.first_after(down, Duration::from_secs(20))?;
        cluster.wait_for_takeover(&primary)?;
        Ok((down, accepted.received))
    })
    .await?;
    println!("{report}");
    if let Some(recovered) = report.recovered {
        println!(
            "  the servers accepted writes again after {:.2?}, and the first task had one done after {:.2?}",
            accepted - down,
            recovered.saturating_duration_since(down)
        );
    }

    chapter("and all is well again");
    client.set(key_in_slot(slot), "well").await?;
    let value: Option<String> = client.get(key_in_slot(slot)).decode().await?;
    println!("the slot of the primary that was killed holds {value:?}");
    Ok(())
}

/// A cluster of the newest servers that can be had here.
fn start() -> Result<Cluster, Box<dyn Error>> {
    let mut reasons = Vec::new();
    for variant in [Variant::Valkey91, Variant::Redis82, Variant::Redis70] {
        // A shard that is down shall not take the others with it.
        match Cluster::builder(variant)
            .require_full_coverage(false)
            .start()
        {
            Ok(cluster) => {
                println!("started a cluster of {variant}");
                return Ok(cluster);
            }
            Err(error) => reasons.push(error.to_string()),
        }
    }
    Err(reasons.join("\n").into())
}

async fn routing(client: &Client, cluster: &Cluster) -> Result<(), Box<dyn Error>> {
    chapter("a command goes to the node of its key");
    for key in [
        "apples",
        "pears",
        "plums",
        "{fruit}:apples",
        "{fruit}:pears",
    ] {
        client.set(key, "1").await?;
        let slot = key_slot(key.as_bytes());
        let node = cluster.primary_of(slot)?.addr();
        println!("{key:<15} slot {slot:>5} at {node}");
    }
    let sum: i64 = {
        let both = (cmd::incr("{fruit}:apples"), cmd::incr("{fruit}:pears"));
        let (apples, pears) = client.transaction(both).await?;
        apples + pears
    };
    println!("a transaction on keys with the same {{tag}} has counted to {sum}");
    let apart = client.transaction((cmd::incr("apples"), cmd::incr("pears")));
    if let Err(error) = apart.await {
        println!("one on others is refused at once: {error}");
    }
    Ok(())
}

async fn several_nodes(client: &Client) -> respec::Result<()> {
    chapter("what is about all data runs on all primaries");
    println!("dbsize: {}", client.dbsize().await?);
    for (node, size) in client.each_primary().send(cmd::dbsize()).await? {
        println!("  {node}: {}", size?);
    }
    Ok(())
}

async fn parts(client: &Client) -> respec::Result<()> {
    chapter("keys of several slots are sent in parts, and pipelines to all nodes at once");
    let keys: Vec<String> = (0..1000).map(|at| format!("key:{at}")).collect();
    client.mset(keys.iter().map(|key| (key, "1"))).await?;
    let values = client.mget(&keys).await?;
    println!(
        "mget of 1000 keys: {} values",
        values.iter().flatten().count()
    );
    let counts: Vec<i64> = client.pipeline(keys.iter().map(cmd::incr)).await?;
    println!(
        "a pipeline of 1000: {} times 2",
        counts.iter().filter(|it| **it == 2).count()
    );
    println!("del of 1000 keys: {}", client.del(&keys).await?);
    Ok(())
}

async fn scan(client: &Client) -> respec::Result<()> {
    chapter("a scan goes through all primaries");
    let mut keys = client.iterate(|cursor| cmd::scan(cursor).count(100));
    while let Some(key) = keys.next().await {
        println!("  {}", String::from_utf8_lossy(&key?));
    }
    Ok(())
}

/// What has become of writes.
#[derive(Default)]
struct Report {
    at_once: u64,
    /// The client has waited and tried again, until it was done.
    later: u64,
    slowest: Duration,
    may_have_executed: u64,
    not_executed: u64,
    errors: BTreeMap<String, u64>,
    counters: String,
    /// When the shard in trouble had first done a write for somebody who had to wait for it.
    recovered: Option<Instant>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  ok at once:          {}", self.at_once)?;
        writeln!(
            f,
            "  ok after a retry:    {} (the slowest after {:.2?})",
            self.later, self.slowest
        )?;
        writeln!(f, "  may have executed:   {}", self.may_have_executed)?;
        writeln!(f, "  failed, not executed: {}", self.not_executed)?;
        for (error, count) in &self.errors {
            writeln!(f, "    {count} times: {error}")?;
        }
        write!(f, "  {}", self.counters)
    }
}

/// Lets tasks count in the slots of all nodes, from before `trouble` until after it.
async fn writes<T: Send + 'static>(
    client: &Client,
    cluster: &Arc<Cluster>,
    trouble: impl FnOnce(&Cluster) -> respec_testkit::Result<T> + Send + 'static,
) -> Result<(T, Report), Box<dyn Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    let keys = [0, 6000, 12_000].map(|slot| format!("{}:writes", key_in_slot(slot)));
    client.del(&keys).await?;
    let tasks: Vec<_> = (0..8)
        .map(|_| tokio::spawn(count(client.clone(), keys.clone(), Arc::clone(&stop))))
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let cluster = Arc::clone(cluster);
    let told = tokio::task::spawn_blocking(move || trouble(&cluster)).await??;
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);

    let mut report = Report::default();
    for task in tasks {
        let part = task.await?;
        report.at_once += part.at_once;
        report.later += part.later;
        report.slowest = report.slowest.max(part.slowest);
        report.may_have_executed += part.may_have_executed;
        report.not_executed += part.not_executed;
        report.recovered = [report.recovered, part.recovered]
            .into_iter()
            .flatten()
            .min();
        for (error, count) in part.errors {
            *report.errors.entry(error).or_default() += count;
        }
    }
    let counters: Vec<Option<u64>> = client
        .pipeline(keys.iter().map(|key| cmd::get(key).decode::<Option<u64>>()))
        .await?;
    let counted: u64 = counters.into_iter().flatten().sum();
    let ok = report.at_once + report.later;
    report.counters = format!(
        "the counters say {counted}, for {ok} writes that are ok and {} that are not known",
        report.may_have_executed
    );
    if counted > ok + report.may_have_executed {
        return Err(format!("expected no write to run twice: {report}").into());
    }
    Ok((told, report))
}

async fn count(client: Client, keys: [String; 3], stop: Arc<AtomicBool>) -> Report {
    let mut report = Report::default();
    let mut in_trouble = false;
    for key in keys.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let start = Instant::now();
        let written = client.incr(key).await;
        let took = start.elapsed();
        let slow = took >= Duration::from_millis(100);
        if *key == keys[0] {
            in_trouble |= slow || written.is_err();
            if in_trouble && written.is_ok() {
                report.recovered.get_or_insert(start + took);
            }
        }
        match written {
            Ok(_) if !slow => report.at_once += 1,
            Ok(_) => {
                report.later += 1;
                report.slowest = report.slowest.max(took);
            }
            Err(error) => {
                if error.may_have_executed() {
                    report.may_have_executed += 1;
                } else {
                    report.not_executed += 1;
                }
                *report.errors.entry(error.to_string()).or_default() += 1;
            }
        }
    }
    report
}

fn chapter(title: &str) {
    println!("\n{title}");
}
