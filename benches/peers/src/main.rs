//! Measures respec against other clients and the floor of a raw socket; see the README.

mod clients;
mod harness;
mod report;
mod rows;
mod workload;

use std::{env, process::ExitCode};

use clients::Result;
use harness::Settings;
use rows::{Contestant, ROWS, Row};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("child") => harness::run_child(&arguments[1..]),
        Some("publish") => harness::run_publisher(&arguments[1..]),
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
}

fn measure(arguments: &[String]) -> Result<()> {
    let Options {
        rows,
        who,
        settings,
    } = Options::parse(arguments)?;
    let server = harness::start_server()?;
    let all = harness::measure(&server, &rows, &who, &settings)?;
    let rows = report::by_row(&all);
    print!("{}", report::table(&rows, &who));
    if rows.iter().any(|results| results.row.group == "W3") {
        println!();
        print!("{}", report::reads_table(&rows, &who));
    }
    Ok(())
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            rows: ROWS.iter().collect(),
            who: Contestant::ALL.to_vec(),
            settings: Settings {
                rounds: 7,
                seconds: 0.7,
                warm_up: 0.2,
            },
        };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{name} takes a value\n{USAGE}"))?;
            match name.as_str() {
                "--only" => {
                    let wanted: Vec<&str> = value.split(',').collect();
                    options.rows.retain(|row| {
                        let is_wanted = |wanted: &&str| row.to_string().starts_with(wanted);
                        wanted.iter().any(is_wanted)
                    });
                }
                "--driver" => options.rows.retain(|row| row.driver.to_string() == *value),
                "--who" => {
                    let who = value.split(',').map(|name| {
                        Contestant::named(name).ok_or_else(|| format!("nobody is called {name}"))
                    });
                    options.who = who.collect::<Result<_, _>>()?;
                }
                "--rounds" => options.settings.rounds = value.parse()?,
                "--seconds" => options.settings.seconds = value.parse()?,
                "--warm-up" => options.settings.warm_up = value.parse()?,
                _ => return Err(format!("unknown option {name}\n{USAGE}").into()),
            }
        }
        if let Some(row) = options.rows.iter().find(|row| !harness::has_cores(row)) {
            return Err(format!("{row} takes two cores").into());
        }
        Ok(options)
    }
}

const USAGE: &str = "options:
  --only W3,W5       only rows that begin like this
  --driver ct        only rows with this driver: sync, ct or mt
  --who respec,raw   only these: raw, rawtokio, respec, redis1, redis2, fred, rustis
  --rounds 7         how often everything is measured
  --seconds 0.7      for how long
  --warm-up 0.2      after so long";
