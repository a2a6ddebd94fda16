//! Runs measurements: each in a process of its own, on the cores of its row, in rounds that go
//! over all contestants.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::SocketAddr,
    path::Path,
    process::{self, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use respec_testkit::{Cluster, Node, Server, Variant};
use rustix::{
    process::Pid,
    thread::{CpuSet, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

use crate::{
    clients::Result,
    curves,
    machine::Load,
    rows::{Contestant, Placement, ROWS, Row, Workload},
    workload::{self, Budget, Edge},
};

/// How long and how often to measure.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) warm_up: f64,
    /// How often a measurement is tried that other processes disturb.
    pub(crate) attempts: usize,
    /// Whether a contestant that fails is left out from then on, instead of ending everything.
    pub(crate) leaves_out: bool,
}

/// What one process has measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Operations per second.
    pub(crate) throughput: f64,
    /// Microseconds of CPU time of the client per operation.
    pub(crate) cpu: f64,
    /// Batches that the server has read per operation.
    pub(crate) reads: f64,
    /// Bytes of memory for each further connection, where there are several.
    pub(crate) memory: Option<f64>,
    /// The share of the machine's CPU time that went to other processes meanwhile.
    pub(crate) foreign: f64,
}

/// The samples of one contestant in one row; the one at `n` is of round `n`.
pub(crate) struct Series {
    pub(crate) row: &'static Row,
    pub(crate) who: Contestant,
    pub(crate) samples: Vec<Sample>,
    /// Why there are no more of them.
    pub(crate) failure: Option<String>,
}

/// The servers of all rows, with what the workloads read, on core 0.
pub(crate) struct Servers {
    alone: Server,
    /// Clusters of primaries by their size, which run as long as this.
    clusters: BTreeMap<usize, (Cluster, Vec<Arc<Node>>)>,
}

impl Servers {
    /// Starts what the rows take.
    pub(crate) fn start(rows: &[&'static Row]) -> Result<Self> {
        let alone = Server::builder(Variant::Redis70)
            .unix_socket(false)
            // A subscriber that is slow shall be measured, and not be disconnected.
            .config("client-output-buffer-limit", "pubsub 0 0 0")
            .start()?;
        pin_server(&alone)?;
        workload::prepare(&alone)?;
        let mut clusters = BTreeMap::new();
        for size in rows.iter().filter_map(|row| cluster_size(row)) {
            if let Entry::Vacant(entry) = clusters.entry(size) {
                entry.insert(start_cluster(size)?);
            }
        }
        Ok(Self { alone, clusters })
    }

    /// The version of the servers.
    pub(crate) fn version(&self) -> &str {
        self.alone.version()
    }

    /// A directory that goes away with the servers.
    pub(crate) fn directory(&self) -> &Path {
        self.alone.directory()
    }

    /// Those that take part in a row.
    fn of(&self, row: &Row) -> Vec<&Server> {
        match cluster_size(row).and_then(|size| self.clusters.get(&size)) {
            Some((_, nodes)) => nodes.iter().map(|node| node.server()).collect(),
            None => vec![&self.alone],
        }
    }
}

/// How many nodes the row takes, if it is one with a cluster.
fn cluster_size(row: &Row) -> Option<usize> {
    match row.workload {
        Workload::Cluster { nodes, .. } => Some(nodes),
        _ => None,
    }
}

fn start_cluster(size: usize) -> Result<(Cluster, Vec<Arc<Node>>)> {
    let cluster = Cluster::builder(Variant::Redis70)
        .primaries(size)
        .replicas(0)
        // Nodes that share a busy core shall not take each other for dead.
        .node_timeout(Duration::from_secs(15))
        .start()?;
    let nodes = cluster.nodes();
    for node in &nodes {
        pin_server(node.server())?;
    }
    workload::prepare_cluster(&cluster)?;
    Ok((cluster, nodes))
}

fn pin_server(server: &Server) -> Result<()> {
    for thread in std::fs::read_dir(format!("/proc/{}/task", server.pid()))? {
        let thread = thread?.file_name();
        let thread = thread.to_string_lossy().parse()?;
        sched_setaffinity(Pid::from_raw(thread), &cores(&[SERVER_CORE]))?;
    }
    Ok(())
}

/// Measures the rows with the contestants that have what they need.
pub(crate) fn measure(
    servers: &Servers,
    rows: &[&'static Row],
    who: &[Contestant],
    settings: &Settings,
) -> Result<Vec<Series>> {
    let mut all: Vec<Series> = rows
        .iter()
        .flat_map(|row| {
            let who = who.iter().filter(|who| row.has(**who));
            who.map(|&who| Series {
                row,
                who,
                samples: Vec::new(),
                failure: None,
            })
        })
        .collect();
    for round in 0..settings.rounds {
        let mut rest = all.as_mut_slice();
        while let Some(first) = rest.first() {
            let row = first.row;
            let contestants = rest
                .iter()
                .take_while(|series| std::ptr::eq(series.row, row))
                .count();
            let (of_row, others) = rest.split_at_mut(contestants);
            rest = others;
            // Whoever comes first in one round comes last in the next.
            for turn in 0..contestants {
                let series = &mut of_row[(round + turn) % contestants];
                if series.failure.is_some() {
                    continue;
                }
                let sample = match quiet_sample(servers, row, series.who, settings) {
                    Ok(sample) => sample,
                    Err(error) if settings.leaves_out => {
                        eprintln!("{row}, {}: {error}", series.who.name());
                        series.failure = Some(error.to_string());
                        continue;
                    }
                    Err(error) => {
                        return Err(format!("{row}, {}: {error}", series.who.name()).into());
                    }
                };
                eprintln!(
                    "round {}/{}  {row}  {}  {:.0} op/s  {:.2} µs{}",
                    round + 1,
                    settings.rounds,
                    series.who.name(),
                    sample.throughput,
                    sample.cpu,
                    if sample.is_disturbed() {
                        "  disturbed"
                    } else {
                        ""
                    }
                );
                series.samples.push(sample);
            }
        }
    }
    Ok(all)
}

/// A measurement that other processes have not disturbed, or after some attempts the one that they
/// have disturbed the least.
fn quiet_sample(
    servers: &Servers,
    row: &'static Row,
    who: Contestant,
    settings: &Settings,
) -> Result<Sample> {
    let mut best = sample(servers, row, who, settings)?;
    for _ in 1..settings.attempts {
        if !best.is_disturbed() {
            break;
        }
        let next = sample(servers, row, who, settings)?;
        if next.foreign < best.foreign {
            best = next;
        }
    }
    Ok(best)
}

/// One measurement in a process of its own.
fn sample(
    servers: &Servers,
    row: &'static Row,
    who: Contestant,
    settings: &Settings,
) -> Result<Sample> {
    let involved = servers.of(row);
    let reads = reads(&involved)?;
    let load = Load::now(&involved)?;
    let budgets = [settings.warm_up, settings.seconds].map(|seconds| format!("{seconds}s"));
    let output = child(servers, row, who, &budgets)?.output()?;
    let foreign = load.foreign_until(&Load::now(&involved)?);
    let reads = self::reads(&involved)? - reads;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let why = said.lines().last().unwrap_or("it said nothing");
        return Err(format!("the measuring process ended with {}: {why}", output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let (memory, phases): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with(MEMORY));
    let memory = memory.first().and_then(|line| line.strip_prefix(MEMORY));
    let phases = phases
        .into_iter()
        .map(Phase::parse)
        .collect::<Result<Vec<_>>>()?;
    let [warm_up, measured] = phases.as_slice() else {
        return Err(format!("expected two lines from the measuring process, got {text:?}").into());
    };
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let operations = measured.operations as f64;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let reads = reads as f64 / (warm_up.operations + measured.operations) as f64;
    Ok(Sample {
        throughput: operations / measured.wall.as_secs_f64(),
        cpu: measured.cpu.as_secs_f64() * 1e6 / operations,
        reads,
        memory: memory.map(str::parse).transpose()?,
        foreign,
    })
}

impl Sample {
    pub(crate) fn is_disturbed(&self) -> bool {
        self.foreign > MOST_FOREIGN
    }
}

/// The command that measures in a process of its own: one budget after the other.
///
/// A budget is a number of seconds, `0.7s`, or of operations, `1000`.
pub(crate) fn child(
    servers: &Servers,
    row: &'static Row,
    who: Contestant,
    budgets: &[String],
) -> Result<Command> {
    let index = known_rows()
        .position(|known| std::ptr::eq(known, row))
        .ok_or("the row is not one of the table")?;
    let addresses: Vec<String> = servers
        .of(row)
        .iter()
        .map(|server| server.addr().to_string())
        .collect();
    let (program, who) = match who {
        Contestant::Before => {
            let before = std::env::var_os(BEFORE);
            let before = before.ok_or_else(|| format!("{BEFORE} names no program"))?;
            (before.into(), Contestant::Respec)
        }
        who => (std::env::current_exe()?, who),
    };
    let mut command = Command::new(program);
    command
        .args([
            "child",
            &addresses.join(","),
            &index.to_string(),
            who.name(),
        ])
        .args(budgets)
        .stdin(Stdio::null());
    Ok(command)
}

/// The rows in the order by which processes know them.
fn known_rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().chain(curves::rows())
}

/// What the command of [`child`] does.
pub(crate) fn run_child(arguments: &[String]) -> Result<()> {
    let [servers, index, who, budgets @ ..] = arguments else {
        return Err("expected servers, a row, a contestant and budgets".into());
    };
    let servers = servers
        .split(',')
        .map(|address| Ok(address.parse()?))
        .collect::<Result<Vec<SocketAddr>>>()?;
    let row = known_rows()
        .nth(index.parse::<usize>()?)
        .ok_or("no such row")?;
    let who = Contestant::named(who).ok_or("no such contestant")?;
    let budgets = budgets
        .iter()
        .map(|budget| Budget::parse(budget))
        .collect::<Result<Vec<_>>>()?;
    pin(row.placement)?;
    watch(&budgets);
    let mut begin = (Instant::now(), cpu_time());
    workload::run(row, who, &servers, &budgets, &mut |edge| match edge {
        Edge::Memory(bytes) => println!("{MEMORY}{bytes}"),
        Edge::Begin => begin = (Instant::now(), cpu_time()),
        Edge::End(operations) => {
            let phase = Phase {
                operations,
                wall: begin.0.elapsed(),
                cpu: cpu_time().saturating_sub(begin.1),
            };
            println!("{}", phase.print());
        }
    })
}

/// Ends this process once it has taken far longer than the times of its budgets.
fn watch(budgets: &[Budget]) {
    let times = budgets.iter().map(|budget| match budget {
        Budget::Time(time) => Some(*time),
        Budget::Operations(_) => None,
    });
    if let Some(time) = times.sum::<Option<Duration>>() {
        let limit = time + LONGEST_BESIDES;
        thread::spawn(move || {
            thread::sleep(limit);
            eprintln!("not done after {} s", limit.as_secs());
            process::exit(1);
        });
    }
}

/// What `publish` does: it has the server's core, and is not measured.
pub(crate) fn run_publisher(arguments: &[String]) -> Result<()> {
    let [server] = arguments else {
        return Err("expected a server".into());
    };
    pin(Placement::Same)?;
    workload::publish(server.parse()?, &mut std::io::stdin().lock())
}

/// What was done for one budget.
struct Phase {
    operations: u64,
    wall: Duration,
    cpu: Duration,
}

impl Phase {
    fn print(&self) -> String {
        let (wall, cpu) = (self.wall.as_nanos(), self.cpu.as_nanos());
        format!("{} {wall} {cpu}", self.operations)
    }

    fn parse(line: &str) -> Result<Self> {
        let numbers = line
            .split(' ')
            .map(|number| Ok(number.parse()?))
            .collect::<Result<Vec<u64>>>()?;
        match numbers.as_slice() {
            &[operations, wall, cpu] => Ok(Self {
                operations,
                wall: Duration::from_nanos(wall),
                cpu: Duration::from_nanos(cpu),
            }),
            _ => Err(format!("expected three numbers, got {line:?}").into()),
        }
    }
}

impl Budget {
    fn parse(text: &str) -> Result<Self> {
        Ok(match text.strip_suffix('s') {
            Some(seconds) => Self::Time(Duration::try_from_secs_f64(seconds.parse()?)?),
            None => Self::Operations(text.parse()?),
        })
    }
}

/// Gives this process, and every thread that it will start, the cores of the placement.
fn pin(placement: Placement) -> Result<()> {
    let cores = match placement {
        Placement::Same => cores(&[SERVER_CORE]),
        Placement::Cross => cores(&[CLIENT_CORE]),
        Placement::Free => cores(&[SERVER_CORE, CLIENT_CORE]),
    };
    Ok(sched_setaffinity(None, &cores)?)
}

fn cores(numbers: &[usize]) -> CpuSet {
    let mut cores = CpuSet::new();
    for &number in numbers {
        cores.set(number);
    }
    cores
}

/// User and system time of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or_default(),
        time.tv_nsec.try_into().unwrap_or_default(),
    )
}

/// How many batches the servers have read so far.
fn reads(servers: &[&Server]) -> Result<u64> {
    let each = servers.iter().map(|server| {
        let info = String::from_utf8(server.command(&[b"INFO", b"stats"])?)?;
        let reads = info
            .lines()
            .find_map(|line| line.strip_prefix("total_reads_processed:"))
            .ok_or("the server does not count its reads")?;
        Ok(reads.trim().parse::<u64>()?)
    });
    each.sum()
}

/// Whether there are enough cores for the row.
pub(crate) fn has_cores(row: &Row) -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    row.placement == Placement::Same || cores > 1
}

/// The environment variable with the program of another build, which measures respec as it was then.
pub(crate) const BEFORE: &str = "BEFORE";

const SERVER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;
/// What connecting and the last operation may take.
const LONGEST_BESIDES: Duration = Duration::from_secs(20);
/// What begins the line with the memory of a connection.
const MEMORY: &str = "memory ";
/// The resolution of the kernel's figures is about one percent of a short measurement.
const MOST_FOREIGN: f64 = 0.05;
