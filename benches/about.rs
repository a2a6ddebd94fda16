//! What both benchmarks say about the machine, the day and the versions, and how they write numbers.

#![allow(unreachable_pub, reason = "each benchmark includes it for itself")]

use std::{fmt::Display, fs, process::Command, thread};

/// The processor and how many cores it has.
pub fn processor() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown", |(_, model)| model.trim());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!("CPU: {model}, {cores} cores")
}

/// The version of the system.
pub fn system() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", kernel.trim())
}

/// Today, such as `2026-01-31`.
pub fn date() -> String {
    first_line("date", &["-u", "+%F"])
}

/// The versions that were built in, from the lock file.
pub fn versions(lock: &str) -> Vec<String> {
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

/// The first line that a program prints, or that it is missing.
pub fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    match text.as_deref().map(|text| text.lines().next()) {
        Ok(Some(line)) => line.to_owned(),
        Ok(None) | Err(_) => format!("{program}: unknown"),
    }
}

/// A whole number such as `1,000,000`.
pub fn thousands<N: Display>(number: N) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const NAMED: [&str; 6] = ["fred", "r2d2", "redis", "respec", "rustis", "tokio"];
