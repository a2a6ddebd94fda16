//! respec's own rows in their long mode: the tests `faults` and `cluster_load`, whose tables are read.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use respec_testkit::Variant;

use crate::{
    Result, about,
    cells::Cell,
    store::{Entry, Part, Store},
};

/// Runs the tests whose names have one of these in them, or all, and takes what their tables say;
/// whether a test has failed.
pub(crate) fn run(scale: f64, filter: &[String]) -> Result<bool> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut failed = false;
    let tests: &[(&str, &str, &[&str])] = &[
        ("faults", "FAULTS_LONG", &["--skip", BUSY]),
        // It keeps the machine at work, and others look at how long something takes.
        ("faults", "FAULTS_LONG", &[BUSY]),
        ("cluster_load", "CLUSTER_LOAD_LONG", &[]),
    ];
    let chosen: &[(&str, &str, &[&str])] = &[
        ("faults", "FAULTS_LONG", &[]),
        ("cluster_load", "CLUSTER_LOAD_LONG", &[]),
    ];
    for (test, variable, only) in if filter.is_empty() { tests } else { chosen } {
        let mut child = Command::new("cargo")
            .args(["test", "-q", "-p", "respec", "--test", test])
            .args(["--manifest-path", MANIFEST, "--", "--nocapture"])
            .args(*only)
            .args(filter)
            .env(variable, scale.to_string())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("it is piped")?;
        let mut head = Vec::new();
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            // There may be a dot in front of it, for a test that has succeeded.
            let Some(cells) = line.trim_start_matches('.').strip_prefix("| ") else {
                continue;
            };
            let cells: Vec<_> = cells.trim_end_matches(" |").split(" | ").collect();
            if cells.contains(&"server") && cells.contains(&"client") {
                head = cells.into_iter().map(str::to_owned).collect();
            } else if let Some(entry) = entry(&head, &cells, scale) {
                add(&mut entries, entry);
            }
        }
        failed |= !child.wait()?.success();
    }
    let mut store = Store::read()?;
    entries.into_iter().for_each(|entry| store.put(entry));
    store.write()?;
    Ok(failed)
}

/// One line of a table.
fn entry(head: &[String], cells: &[&str], scale: f64) -> Option<Entry> {
    let text = |name: &str| {
        let at = head.iter().position(|other| other == name)?;
        cells.get(at).copied()
    };
    let number = |name: &str| -> u64 {
        let digits = text(name).unwrap_or_default();
        digits
            .split(' ')
            .next()
            .unwrap_or_default()
            .parse()
            .unwrap_or(0)
    };
    let server: Variant = text("server")?.parse().ok()?;
    // Such as `async, RESP3`.
    let client = text("client")?.split(',').next()?.to_owned();
    let of_one_server = text("row");
    let row = of_one_server
        .map_or_else(|| text("fault"), Some)?
        .split(' ')
        .next()?;
    let recovery = text("recovery beyond prober ms").or_else(|| text("every caller ms"));
    let mut cell = Cell {
        operations: number("operations"),
        ok: number("ok"),
        cancelled: number("cancelled"),
        mismatched: number("mismatched"),
        hung: number("hung"),
        doubled: number("doubled"),
        denied: number("denied"),
        lost: number("lost"),
        recovery: recovery.and_then(|times| {
            let (middle, longest) = times.split_once(" / ")?;
            middle.parse().ok().zip(longest.parse().ok())
        }),
        took: text("took s")?.parse().ok()?,
        ..Cell::default()
    };
    let row = if of_one_server.is_some() {
        let (faults, idle) = text("faults in flight + idle")?.split_once(" + ")?;
        (cell.faults, cell.idle_faults) = (faults.parse().ok()?, idle.parse().ok()?);
        cell.errors = number("not sent") + number("indeterminate (never seen)");
        row.to_owned()
    } else {
        // Both clients are under load all the time.
        (cell.faults, cell.errors) = (number("runs"), number("errors"));
        format!("{row} cluster")
    };
    Some(Entry {
        part: Part::Rows,
        row,
        server,
        client,
        scale,
        date: about::date(),
        cell,
    })
}

/// Adds a line to those of the same row, server and client, such as one with another protocol.
fn add(entries: &mut Vec<Entry>, entry: Entry) {
    let mut others = entries.iter_mut();
    let Some(other) = others.find(|other| other.key() == entry.key()) else {
        return entries.push(entry);
    };
    let (sum, one) = (&mut other.cell, entry.cell);
    for (sum, one) in [
        (&mut sum.operations, one.operations),
        (&mut sum.ok, one.ok),
        (&mut sum.cancelled, one.cancelled),
        (&mut sum.faults, one.faults),
        (&mut sum.idle_faults, one.idle_faults),
        (&mut sum.errors, one.errors),
        (&mut sum.mismatched, one.mismatched),
        (&mut sum.hung, one.hung),
        (&mut sum.doubled, one.doubled),
        (&mut sum.denied, one.denied),
        (&mut sum.lost, one.lost),
    ] {
        *sum += one;
    }
    sum.recovery = sum.recovery.max(one.recovery);
    sum.took += one.took;
}

const BUSY: &str = "mixed::";
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
