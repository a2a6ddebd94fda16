//! Runs measurements: each in a process of its own, on the cores of its row, in rounds that go
//! over all contestants.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
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
    /// The share of the machine's CPU time that went to other processes meanwhile.
    pub(crate) foreign: f64,
}

/// The samples of one contestant in one row; the one at `n` is of round `n`.
pub(crate) struct Series {
    pub(crate) row: &'static Row,
    pub(crate) who: Contestant,
    pub(crate) samples: Vec<Sample>,
}

/// The servers of all rows, with what the workloads read, on core 0.
pub(crate) struct Servers {
    alone: Server,
    /// The nodes of a cluster of primaries, which runs as long as this.
    nodes: Vec<Arc<Node>>,
    _cluster: Option<Cluster>,
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
        if !rows.iter().any(|row| is_clustered(row)) {
            return Ok(Self {
                alone,
                nodes: Vec::new(),
                _cluster: None,
            });
        }
        let cluster = Cluster::builder(Variant::Redis70)
            .replicas(0)
            // Nodes that share a busy core shall not take each other for dead.
            .node_timeout(Duration::from_secs(15))
            .start()?;
        let nodes = cluster.nodes();
        for node in &nodes {
            pin_server(node.server())?;
        }
        workload::prepare_cluster(&cluster)?;
        Ok(Self {
            alone,
            nodes,
            _cluster: Some(cluster),
        })
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
        if is_clustered(row) {
            self.nodes.iter().map(|node| node.server()).collect()
        } else {
            vec![&self.alone]
        }
    }
}

fn is_clustered(row: &Row) -> bool {
    matches!(row.workload, Workload::Cluster(_))
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
                let sample = quiet_sample(servers, row, series.who, settings)
                    .map_err(|error| format!("{row}, {}: {error}", series.who.name()))?;
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
    let output = child(servers, row, who, &budgets)?
        .stderr(Stdio::inherit())
        .output()?;
    let foreign = load.foreign_until(&Load::now(&involved)?);
    let reads = self::reads(&involved)? - reads;
    if !output.status.success() {
        return Err(format!("the measuring process ended with {}", output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let phases = text.lines().map(Phase::parse).collect::<Result<Vec<_>>>()?;
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
    let index = ROWS
        .iter()
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

/// What the command of [`child`] does.
pub(crate) fn run_child(arguments: &[String]) -> Result<()> {
    let [servers, index, who, budgets @ ..] = arguments else {
        return Err("expected servers, a row, a contestant and budgets".into());
    };
    let servers = servers
        .split(',')
        .map(|address| Ok(address.parse()?))
        .collect::<Result<Vec<SocketAddr>>>()?;
    let row = ROWS.get(index.parse::<usize>()?).ok_or("no such row")?;
    let who = Contestant::named(who).ok_or("no such contestant")?;
    let budgets = budgets
        .iter()
        .map(|budget| Budget::parse(budget))
        .collect::<Result<Vec<_>>>()?;
    pin(row.placement)?;
    let mut begin = (Instant::now(), cpu_time());
    workload::run(row, who, &servers, &budgets, &mut |edge| match edge {
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
/// The resolution of the kernel's figures is about one percent of a short measurement.
const MOST_FOREIGN: f64 = 0.05;
