//! The machine, the day, and the versions.

use std::{fs, process::Command, thread};

/// What the machine is, in one line each.
pub(crate) fn describe() -> Vec<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown", |(_, model)| model.trim());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').nth(2).unwrap_or("unknown").to_owned();
    vec![
        format!("CPU: {model}, {cores} cores"),
        format!("load average of the last fifteen minutes when this was written: {load}"),
        format!("Linux {}", kernel.trim()),
        versions().join(", "),
    ]
}

/// Today, such as `2026-01-31`.
pub(crate) fn date() -> String {
    let output = Command::new("date").args(["-u", "+%F"]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}

/// The versions that were built in, from the lock file.
fn versions() -> Vec<String> {
    let lock = include_str!("../Cargo.lock");
    let packages = lock.split("[[package]]").filter_map(|package| {
        let field = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.strip_prefix(" = ")?.trim_matches('"'))
        };
        let (name, version) = (field("name")?, field("version")?);
        NAMED.contains(&name).then(|| format!("{name} {version}"))
    });
    packages.collect()
}

const NAMED: [&str; 6] = ["fred", "r2d2", "redis", "respec", "rustis", "tokio"];
