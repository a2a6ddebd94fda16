//! System calls per operation, counted by `strace`.
//!
//! Each contestant runs a number of operations and then twice as many, without a clock; the
//! difference is what the operations take, without connecting and warming up.

use std::{fs, process::Command};

use crate::{
    clients::Result,
    harness::{self, Servers},
    rows::{Contestant, Row, Workload},
};

/// System calls per operation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calls {
    /// That send to a socket.
    pub(crate) sends: f64,
    /// That receive from one.
    pub(crate) receives: f64,
    /// That wake or await a thread: `futex`, and `read` and `write` of an event.
    pub(crate) wakes: f64,
    /// That wait for sockets.
    pub(crate) waits: f64,
    /// That map, unmap or advise about memory.
    pub(crate) memory: f64,
}

/// What one contestant does in one row.
pub(crate) struct Counted {
    pub(crate) row: &'static Row,
    pub(crate) who: Contestant,
    pub(crate) calls: Calls,
}

/// Counts for those of the rows for which it tells something, if `strace` is there and may work.
pub(crate) fn count(
    servers: &Servers,
    rows: &[&'static Row],
    who: &[Contestant],
) -> Result<Vec<Counted>> {
    let mut counted = Vec::new();
    if !is_possible() {
        eprintln!("system calls are not counted: strace is missing or may not trace");
        return Ok(counted);
    }
    for &row in rows {
        let Some(operations) = operations(row) else {
            continue;
        };
        for &who in who.iter().filter(|who| row.has(**who)) {
            let once = calls(servers, row, who, operations)?;
            let twice = calls(servers, row, who, 2 * operations)?;
            let calls = twice.minus(once).over(operations);
            eprintln!("system calls  {row}  {}  {calls:.3?}", who.name());
            counted.push(Counted { row, who, calls });
        }
    }
    Ok(counted)
}

/// How many operations are enough, for the rows whose system calls are counted.
fn operations(row: &Row) -> Option<u64> {
    match row.workload {
        Workload::Tasks(tasks) | Workload::Cluster { tasks, .. } => Some(500 * tasks as u64),
        Workload::BigGet | Workload::BigSet => Some(100),
        _ => None,
    }
}

fn is_possible() -> bool {
    let traced = Command::new("strace")
        .args(["-f", "-c", "-o", "/dev/null", "true"])
        .output();
    traced.is_ok_and(|output| output.status.success())
}

fn calls(servers: &Servers, row: &'static Row, who: Contestant, operations: u64) -> Result<Calls> {
    let table = servers.directory().join("calls");
    let child = harness::child(servers, row, who, &[operations.to_string()])?;
    let output = Command::new("strace")
        .args(["-f", "-c", "-U", "name,calls", "-o"])
        .arg(&table)
        .arg(child.get_program())
        .args(child.get_args())
        .output()?;
    if !output.status.success() {
        return Err(format!(
            "{row}, {} under strace: {}",
            who.name(),
            String::from_utf8_lossy(&output.stderr).trim()
        )
        .into());
    }
    let mut calls = Calls::default();
    for line in fs::read_to_string(&table)?.lines() {
        if let Some((name, count)) = line.split_once(char::is_whitespace)
            && let Ok(count) = count.trim().parse::<u32>()
        {
            calls.add(name, f64::from(count));
        }
    }
    Ok(calls)
}

impl Calls {
    fn add(&mut self, name: &str, count: f64) {
        match name {
            "sendto" | "sendmsg" | "writev" => self.sends += count,
            "recvfrom" | "recvmsg" | "readv" => self.receives += count,
            "futex" | "read" | "write" => self.wakes += count,
            "epoll_wait" | "epoll_pwait" | "epoll_pwait2" | "poll" | "ppoll" => self.waits += count,
            "mmap" | "munmap" | "mremap" | "brk" | "madvise" => self.memory += count,
            _ => {}
        }
    }

    fn minus(self, other: Self) -> Self {
        self.with(other, |own, other| own - other)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn over(self, operations: u64) -> Self {
        self.with(self, |own, _| own / operations as f64)
    }

    fn with(self, other: Self, each: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            sends: each(self.sends, other.sends),
            receives: each(self.receives, other.receives),
            wakes: each(self.wakes, other.wakes),
            waits: each(self.waits, other.waits),
            memory: each(self.memory, other.memory),
        }
    }
}
