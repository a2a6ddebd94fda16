//! Instructions per operation, counted by `valgrind`: steadier than times.
//!
//! Each program runs a number of operations and then twice as many; the difference is what the
//! operations take, without start and warm-up. Only what runs in user space is counted. For whole
//! requests, the client runs under `valgrind` and the server does not; `memcheck` counts their
//! allocations as well.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    hint::black_box,
    process::{Command, Stdio},
};

use bytes::{Bytes, BytesMut};
use respec::{
    cmd,
    command::Command as _,
    reply::{Decode, DecodeError, FromReply},
    resp::{Frame, Limits, Reply, Scanner, Writer},
};

use crate::{
    clients::{Result, raw::request},
    harness::{self, Servers},
    rows::{Contestant, Driver, Row, Workload},
};

/// One part of respec's work on a request, alone.
struct Part {
    name: &'static str,
    /// How many times are enough.
    times: u64,
    run: fn(u64) -> Result<()>,
}

const PARTS: &[Part] = &[
    Part {
        name: "encode SET",
        times: 10_000,
        run: encode_set,
    },
    Part {
        name: "encode HSET of 10 fields",
        times: 10_000,
        run: encode_hset,
    },
    Part {
        name: "encode MSET of 10 keys",
        times: 10_000,
        run: encode_mset,
    },
    Part {
        name: "scan the reply to GET",
        times: 10_000,
        run: scan_bulk,
    },
    Part {
        name: "scan an array of 1,000",
        times: 100,
        run: scan_array,
    },
    Part {
        name: "decode 1,000 as Vec<Bytes>",
        times: 100,
        run: decode_bytes,
    },
    Part {
        name: "decode 1,000 as HashMap<String, String>",
        times: 100,
        run: decode_map,
    },
    Part {
        name: "decode 1,000 as Vec<(Bytes, f64)>",
        times: 100,
        run: decode_scores,
    },
];

/// Prints both tables.
pub(crate) fn print(servers: &Servers, rows: &[&'static Row], who: &[Contestant]) -> Result<()> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Err("valgrind is missing".into());
    }
    println!("| part of respec | instructions |\n|---|---|");
    for part in PARTS {
        let run = |times: u64| -> Result<Command> {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["part", part.name, &times.to_string()]);
            Ok(command)
        };
        let counted = difference(Tool::Instructions, part.times, run)?;
        println!("| {} | {} |", part.name, thousands(counted));
    }
    let mut table = String::from("\n| whole request: instructions / allocations |");
    for who in who {
        let _ = write!(table, " {} |", who.name());
    }
    let _ = write!(table, "\n|{}", "---|".repeat(1 + who.len()));
    let mut seen = BTreeSet::new();
    for row in rows {
        let Some(operations) = operations(row) else {
            continue;
        };
        // Where a program runs makes no difference to what it executes.
        let request = format!("{} {}, {}", row.group, row.workload, row.driver);
        if !seen.insert(request.clone()) {
            continue;
        }
        let _ = write!(table, "\n| {request} |");
        for &who in who {
            if !row.has(who) {
                table.push_str(" |");
                continue;
            }
            let run =
                |operations: u64| harness::child(servers, row, who, &[operations.to_string()]);
            let instructions = difference(Tool::Instructions, operations, run)?;
            let allocations = difference(Tool::Allocations, operations, run)?;
            eprintln!(
                "{request}, {}: {instructions:.0}, {allocations:.2}",
                who.name()
            );
            let instructions = thousands(instructions);
            let _ = write!(table, " {instructions} / {:.2} |", allocations.max(0.0));
        }
    }
    println!("{table}");
    Ok(())
}

/// Runs one part, as the program under `valgrind` does.
pub(crate) fn run_part(arguments: &[String]) -> Result<()> {
    let [name, times] = arguments else {
        return Err("expected a part and a number".into());
    };
    let part = PARTS.iter().find(|part| part.name == name);
    (part.ok_or("no such part")?.run)(times.parse()?)
}

/// How many operations are enough, for the rows that do not depend on the clock.
fn operations(row: &Row) -> Option<u64> {
    // More than one thread takes turns under valgrind, which is not what happens without.
    if row.driver == Driver::MultiThread {
        return None;
    }
    match row.workload {
        Workload::Get | Workload::Set => Some(1_000),
        Workload::Tasks(tasks) | Workload::Cluster { tasks, .. } => Some(20 * tasks as u64),
        Workload::Pipeline(commands) => Some(20 * commands as u64),
        Workload::Lrange | Workload::Hgetall => Some(50),
        Workload::Messages => Some(20_000),
        Workload::BigGet
        | Workload::BigSet
        | Workload::Pool(_)
        | Workload::Connections(_)
        | Workload::Value(_) => None,
    }
}

/// What `valgrind` counts.
#[derive(Clone, Copy, Debug)]
enum Tool {
    Instructions,
    Allocations,
}

/// The count per operation: that of twice as many operations without that of so many.
fn difference(
    tool: Tool,
    operations: u64,
    command: impl Fn(u64) -> Result<Command>,
) -> Result<f64> {
    let once = tool.count(&command(operations)?)?;
    let twice = tool.count(&command(2 * operations)?)?;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let each = (twice as f64 - once as f64) / operations as f64;
    Ok(each)
}

impl Tool {
    fn count(self, program: &Command) -> Result<u64> {
        let (options, line, label): (&[&str], _, _) = match self {
            Self::Instructions => (
                &["--tool=callgrind", "--callgrind-out-file=/dev/null"],
                "Collected",
                ": ",
            ),
            Self::Allocations => (
                &[
                    "--tool=memcheck",
                    "--leak-check=no",
                    "--undef-value-errors=no",
                ],
                "total heap usage",
                ": ",
            ),
        };
        let output = Command::new("valgrind")
            .args(options)
            .arg(program.get_program())
            .args(program.get_args())
            .stdin(Stdio::null())
            .output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("valgrind ended with {}:\n{text}", output.status).into());
        }
        // `==1== Collected : 123`, or `==1==   total heap usage: 1,234 allocs, …`.
        let count = text
            .lines()
            .find_map(|text| text.split_once(line)?.1.split_once(label))
            .and_then(|(_, rest)| rest.split_ascii_whitespace().next())
            .ok_or("valgrind prints no count")?;
        Ok(count.replace(',', "").parse()?)
    }
}

fn encode_set(times: u64) -> Result<()> {
    let value = Bytes::from_static(&[b'x'; 64]);
    encode(times, |to| {
        cmd::set(black_box("key:000000000001"), value.clone()).write(to);
    })
}

fn encode_hset(times: u64) -> Result<()> {
    let pairs = pairs();
    encode(times, |to| {
        let pairs = pairs.iter().map(|(field, value)| (field, value));
        cmd::hset(black_box("key:000000000001"), pairs).write(to);
    })
}

fn encode_mset(times: u64) -> Result<()> {
    let pairs = pairs();
    encode(times, |to| {
        let pairs = black_box(&pairs).iter().map(|(key, value)| (key, value));
        cmd::mset(pairs).write(to);
    })
}

fn pairs() -> Vec<(String, Bytes)> {
    let pair = |n| (format!("name:{n:011}"), Bytes::from_static(&[b'x'; 64]));
    (0..10).map(pair).collect()
}

fn encode(times: u64, write: impl Fn(&mut Writer<'_>)) -> Result<()> {
    let mut out = BytesMut::with_capacity(64 * 1024);
    for _ in 0..times {
        out.clear();
        Writer::command(&mut out, &write)?;
        black_box(&out);
    }
    Ok(())
}

fn scan_bulk(times: u64) -> Result<()> {
    scan(times, &bulk(&[b'x'; 64]))
}

fn scan_array(times: u64) -> Result<()> {
    scan(times, &array(ELEMENTS, |_| vec![b'x'; 32]))
}

fn scan(times: u64, reply: &[u8]) -> Result<()> {
    let mut scanner = Scanner::new(Limits::default());
    for _ in 0..times {
        if black_box(scanner.scan(black_box(reply))?) != Some(reply.len()) {
            return Err("the reply is not one frame".into());
        }
    }
    Ok(())
}

fn decode_bytes(times: u64) -> Result<()> {
    let reply = array(ELEMENTS, |_| vec![b'x'; 32]);
    decode(times, reply, Vec::<Bytes>::decode)
}

/// As a caller asks for it with `decode`.
fn decode_map(times: u64) -> Result<()> {
    let element = |n: usize| match n % 2 {
        0 => format!("field:{}", n / 2).into_bytes(),
        _ => vec![b'x'; 32],
    };
    let reply = array(2 * ELEMENTS, element);
    decode(times, reply, HashMap::<String, String>::from_reply)
}

/// As `ZRANGE` with scores is answered under RESP2.
fn decode_scores(times: u64) -> Result<()> {
    let element = |n: usize| match n % 2 {
        0 => format!("member:{}", n / 2).into_bytes(),
        _ => format!("{}.5", n / 2).into_bytes(),
    };
    let reply = array(2 * ELEMENTS, element);
    decode(times, reply, Vec::<(Bytes, f64)>::decode)
}

/// Dropping what was decoded counts as well.
fn decode<T>(
    times: u64,
    reply: Vec<u8>,
    read: fn(Reply<'_>) -> Result<T, DecodeError>,
) -> Result<()> {
    let frame = Frame::parse(reply.into())?;
    for _ in 0..times {
        drop(black_box(read(black_box(&frame).reply())?));
    }
    Ok(())
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    let mut bulk = format!("${}\r\n", bytes.len()).into_bytes();
    bulk.extend_from_slice(bytes);
    bulk.extend_from_slice(b"\r\n");
    bulk
}

/// A request is an array of bulk strings, and so is such a reply.
fn array(length: usize, element: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let elements: Vec<Vec<u8>> = (0..length).map(element).collect();
    request(&elements.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// A count, in thousands or millions where it is large.
fn thousands(count: f64) -> String {
    match count {
        1e6.. => format!("{:.2}M", count / 1e6),
        1e4.. => format!("{:.0}k", count / 1e3),
        1e3.. => format!("{:.2}k", count / 1e3),
        _ => format!("{count:.0}"),
    }
}

const ELEMENTS: usize = 1_000;
