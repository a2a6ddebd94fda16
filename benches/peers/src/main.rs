//! Measures respec against other clients and the floor of a raw socket; see the README.

#[path = "../../about.rs"]
mod about;
mod clients;
mod counts;
mod curves;
mod harness;
mod instructions;
mod machine;
mod plot;
mod price;
mod report;
mod rows;
mod workload;

use std::{env, fs, path::Path, process::ExitCode};

use clients::Result;
use harness::{Servers, Settings};
use rows::{Contestant, ROWS, Row};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("child") => harness::run_child(&arguments[1..]),
        Some("publish") => harness::run_publisher(&arguments[1..]),
        Some("part") => instructions::run_part(&arguments[1..]),
        Some("price") => price::print(&arguments[1..]),
        Some("curves") => curves::run(&arguments[1..]),
        Some("instructions") => count_instructions(&arguments[1..]),
        _ => measure(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What is to be measured.
struct Options {
    rows: Vec<&'static Row>,
    who: Vec<Contestant>,
    settings: Settings,
    /// Whether system calls are counted, too.
    counts: bool,
    /// Whether the files of the results are written.
    write: bool,
}

fn measure(arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, Options::of_all(arguments.is_empty()))?;
    let Options { rows, who, .. } = &options;
    let servers = Servers::start(rows)?;
    let all = harness::measure(&servers, rows, who, &options.settings)?;
    let counted = if options.counts {
        counts::count(&servers, rows, who)?
    } else {
        Vec::new()
    };
    let results = report::by_row(&all, &counted);
    print!("{}", report::tables(&results, who));
    if options.write {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let document = report::document(&results, &options.settings, servers.version());
        fs::write(here.join("results.md"), document)?;
        fs::write(here.join("results.svg"), plot::svg(&results))?;
    }
    Ok(())
}

/// The same options choose what is counted; without them, respec and redis.
fn count_instructions(arguments: &[String]) -> Result<()> {
    let Options { rows, who, .. } = Options::parse(arguments, Options::of_all(false))?;
    let who = if who.len() == Contestant::ALL.len() {
        vec![Contestant::Respec, Contestant::Redis1]
    } else {
        who
    };
    instructions::print(&Servers::start(&rows)?, &rows, &who)
}

impl Options {
    /// Everything in the table; `counts` and `write` as told.
    fn of_all(results: bool) -> Self {
        Self {
            rows: ROWS.iter().collect(),
            who: Contestant::ALL.to_vec(),
            settings: Settings {
                rounds: 7,
                seconds: 0.7,
                warm_up: 0.2,
                attempts: 3,
                leaves_out: false,
            },
            counts: results,
            write: results,
        }
    }

    /// These options with what the arguments say.
    fn parse(arguments: &[String], mut options: Self) -> Result<Self> {
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let mut value = || {
                let value = arguments.next().map(String::as_str);
                value.ok_or_else(|| format!("{name} takes a value\n{USAGE}"))
            };
            match name.as_str() {
                "--only" => {
                    let wanted: Vec<&str> = value()?.split(',').collect();
                    options.rows.retain(|row| {
                        let is_wanted = |wanted: &&str| row.to_string().starts_with(wanted);
                        wanted.iter().any(is_wanted)
                    });
                }
                "--driver" => {
                    let driver = value()?;
                    options.rows.retain(|row| row.driver.to_string() == driver);
                }
                "--who" => {
                    let who = value()?.split(',').map(|name| {
                        Contestant::named(name).ok_or_else(|| format!("nobody is called {name}"))
                    });
                    options.who = who.collect::<Result<_, _>>()?;
                    options.who.sort();
                    options.who.dedup();
                }
                "--rounds" => options.settings.rounds = value()?.parse()?,
                "--seconds" => options.settings.seconds = value()?.parse()?,
                "--warm-up" => options.settings.warm_up = value()?.parse()?,
                "--attempts" => options.settings.attempts = value()?.parse()?,
                "--system-calls" => options.counts = true,
                "--write" => options.write = true,
                _ => return Err(format!("unknown option {name}\n{USAGE}").into()),
            }
        }
        if let Some(row) = options.rows.iter().find(|row| !harness::has_cores(row)) {
            return Err(format!("{row} takes two cores").into());
        }
        Ok(options)
    }
}

const USAGE: &str =
    "without a word: measures; with `instructions`: counts them; with `price`: builds each client;
with `curves`: measures how figures grow with the work
options, with their defaults for the first:
  --only W3,W5       only rows that begin like this
  --driver ct        only rows with this driver: sync, ct or mt
  --who respec,raw   only these: raw, rawtokio, respec, redis1, redis2, fred, rustis, before
  --rounds 7         how often everything is measured
  --seconds 0.7      for how long
  --warm-up 0.2      after so long
  --attempts 3       how often, at most, while other processes are at work
  --system-calls     count system calls as well, as is done without any option
  --write            write the files of the results, as is done without any option";
