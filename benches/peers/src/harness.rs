//! Runs measurements: each in a process of its own, on the cores of its row, in rounds that go
//! over all contestants.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use respec_testkit::{Server, Variant};
use rustix::{
    process::Pid,
    thread::{CpuSet, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

use crate::{
    clients::Result,
    machine::Load,
    rows::{Contestant, Placement, ROWS, Row},
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

/// A server on core 0 with what the workloads read.
pub(crate) fn start_server() -> Result<Server> {
    let server = Server::builder(Variant::Redis70)
        .unix_socket(false)
        // A subscriber that is slow shall be measured, and not be disconnected.
        .config("client-output-buffer-limit", "pubsub 0 0 0")
        .start()?;
    for thread in std::fs::read_dir(format!("/proc/{}/task", server.pid()))? {
        let thread = thread?.file_name();
        let thread = thread.to_string_lossy().parse()?;
        sched_setaffinity(Pid::from_raw(thread), &cores(&[SERVER_CORE]))?;
    }
    workload::prepare(&server)?;
    Ok(server)
}

/// Measures the rows with the contestants that have what they need.
pub(crate) fn measure(
    server: &Server,
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
                let sample = quiet_sample(server, row, series.who, settings)
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
    server: &Server,
    row: &'static Row,
    who: Contestant,
    settings: &Settings,
) -> Result<Sample> {
    let mut best = sample(server, row, who, settings)?;
    for _ in 1..settings.attempts {
        if !best.is_disturbed() {
            break;
        }
        let next = sample(server, row, who, settings)?;
        if next.foreign < best.foreign {
            best = next;
        }
    }
    Ok(best)
}

/// One measurement in a process of its own.
fn sample(
    server: &Server,
    row: &'static Row,
    who: Contestant,
    settings: &Settings,
) -> Result<Sample> {
    let reads = reads(server)?;
    let load = Load::now(server.pid())?;
    let budgets = [settings.warm_up, settings.seconds].map(|seconds| format!("{seconds}s"));
    let output = child(server.addr(), row, who, &budgets)?
        .stderr(Stdio::inherit())
        .output()?;
    let foreign = load.foreign_until(&Load::now(server.pid())?);
    let reads = self::reads(server)? - reads;
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
    server: SocketAddr,
    row: &'static Row,
    who: Contestant,
    budgets: &[String],
) -> Result<Command> {
    let index = ROWS
        .iter()
        .position(|known| std::ptr::eq(known, row))
        .ok_or("the row is not one of the table")?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["child", &server.to_string(), &index.to_string(), who.name()])
        .args(budgets)
        .stdin(Stdio::null());
    Ok(command)
}

/// What the command of [`child`] does.
pub(crate) fn run_child(arguments: &[String]) -> Result<()> {
    let [server, index, who, budgets @ ..] = arguments else {
        return Err("expected a server, a row, a contestant and budgets".into());
    };
    let server = server.parse()?;
    let row = ROWS.get(index.parse::<usize>()?).ok_or("no such row")?;
    let who = Contestant::named(who).ok_or("no such contestant")?;
    let budgets = budgets
        .iter()
        .map(|budget| Budget::parse(budget))
        .collect::<Result<Vec<_>>>()?;
    pin(row.placement)?;
    let mut begin = (Instant::now(), cpu_time());
    workload::run(row, who, server, &budgets, &mut |edge| match edge {
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

/// How many batches the server has read so far.
fn reads(server: &Server) -> Result<u64> {
    let info = server.command(&[b"INFO", b"stats"])?;
    let info = String::from_utf8(info)?;
    let reads = info
        .lines()
        .find_map(|line| line.strip_prefix("total_reads_processed:"))
        .ok_or("the server does not count its reads")?;
    Ok(reads.trim().parse()?)
}

/// Whether there are enough cores for the row.
pub(crate) fn has_cores(row: &Row) -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    row.placement == Placement::Same || cores > 1
}

const SERVER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;
/// The resolution of the kernel's figures is about one percent of a short measurement.
const MOST_FOREIGN: f64 = 0.05;
