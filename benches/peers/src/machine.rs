//! The machine: how busy it is with other things, and what it is.

use std::fs;

use respec_testkit::Server;
use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use crate::{about, clients::Result};

/// CPU time so far, in ticks of the kernel.
pub(crate) struct Load {
    /// Of everything.
    busy: u64,
    /// Of everything and nothing.
    total: u64,
    /// Of the servers, of this process, and of those that it has waited for.
    own: u64,
}

impl Load {
    pub(crate) fn now(servers: &[&Server]) -> Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let all = stat.lines().next().ok_or("no line in /proc/stat")?;
        // User, nice, system, idle, waiting for IO, interrupts of two kinds, stolen; after that come
        // guests, which are in the first two already.
        let ticks = all
            .split_ascii_whitespace()
            .skip(1)
            .take(8)
            .map(|ticks| Ok(ticks.parse()?))
            .collect::<Result<Vec<u64>>>()?;
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        let total: u64 = ticks.iter().sum();
        let mut own = of_process("self", 4)?;
        for server in servers {
            own += of_process(&server.pid().to_string(), 4)?;
        }
        Ok(Self {
            busy: total - idle,
            total,
            own,
        })
    }

    /// The share of the machine's time between this moment and a later one that others took.
    pub(crate) fn foreign_until(&self, later: &Self) -> f64 {
        let foreign = (later.busy - self.busy).saturating_sub(later.own - self.own);
        let total = (later.total - self.total).max(1);
        #[expect(clippy::cast_precision_loss, reason = "ticks are far below 2^53")]
        let share = foreign as f64 / total as f64;
        share
    }
}

/// Seconds of CPU time of the processes that this one has waited for, and of those they waited for.
pub(crate) fn children() -> Result<f64> {
    let ticks = of_process("self", 4)? - of_process("self", 2)?;
    #[expect(clippy::cast_precision_loss, reason = "ticks are far below 2^53")]
    let seconds = ticks as f64 / clock_ticks_per_second() as f64;
    Ok(seconds)
}

/// The first of four times of a process: its own in user space and in the kernel, and those of the
/// processes that it has waited for.
fn of_process(process: &str, times: usize) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name comes second and may hold anything; the times are the 14th field to the 17th.
    let (_, fields) = stat
        .rsplit_once(')')
        .ok_or("no name in the process's stat")?;
    let fields = fields.split_ascii_whitespace().skip(11).take(times);
    fields.map(|time| Ok(time.parse::<u64>()?)).sum()
}

/// How many bytes of memory this process has at the moment.
pub(crate) fn resident() -> Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).ok_or("no second figure in statm")?;
    Ok(pages.parse::<u64>()? * page_size() as u64)
}

/// Lets this process, and those that it starts, have as many files open as the system allows.
pub(crate) fn open_many_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: limit.maximum,
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// What the machine is, in one line each.
pub(crate) fn describe() -> Vec<String> {
    vec![
        about::processor(),
        about::system(),
        about::first_line("rustc", &["--version"]),
    ]
}

/// The versions that were built in.
pub(crate) fn versions() -> Vec<String> {
    about::versions(include_str!("../Cargo.lock"))
}
