//! Does the same harm to respec and to other clients, and says what came of it; see the README.

#[path = "../../about.rs"]
mod about;
mod cells;
mod clients;
mod cluster;
mod long;
mod plot;
mod report;
mod rows;
mod run;
#[path = "../../../tests/support/shape.rs"]
mod shape;
#[path = "../../../tests/support/side.rs"]
mod side;
mod store;

use std::{env, error::Error, fs, process::ExitCode};

use respec_testkit::Variant;

use clients::Contestant;
use rows::Row;
use store::{Entry, Part, Store};

/// The result of whatever the program does by itself.
type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match &words[..] {
        ["cell", row, who, server, scale] => cell(row, who, server, scale),
        ["rows", options @ ..] => Options::parse(options, LONG).and_then(|it| it.own_rows()),
        ["clients", options @ ..] => Options::parse(options, 1.0).and_then(|it| it.clients()),
        ["report"] => report(),
        [] => Options::parse(&[], LONG)
            .and_then(|it| it.own_rows())
            .and_then(|()| Options::parse(&[], 1.0)?.clients()),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What is to be done.
struct Options {
    rows: Vec<Row>,
    who: Vec<Contestant>,
    servers: Vec<Variant>,
    scale: f64,
    /// Chooses the tests of respec's own rows.
    filter: Vec<String>,
}

impl Options {
    fn parse(words: &[&str], scale: f64) -> Result<Self> {
        let mut options = Self {
            rows: Row::ALL.to_vec(),
            who: Contestant::ALL.to_vec(),
            servers: vec![Variant::Redis82],
            scale,
            filter: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(name) = words.next() {
            let value = words.next().ok_or(USAGE)?;
            let list = || value.split(',');
            match *name {
                "--scale" => options.scale = value.parse()?,
                "--test" => options.filter = list().map(str::to_owned).collect(),
                "--rows" => {
                    let rows = list().map(|name| Row::named(name).ok_or("an unknown row"));
                    options.rows = rows.collect::<Result<_, _>>()?;
                }
                "--who" => {
                    let who = list().map(|name| Contestant::named(name).ok_or("unknown client"));
                    options.who = who.collect::<Result<_, _>>()?;
                }
                "--servers" => {
                    options.servers = list().map(str::parse).collect::<Result<_, _>>()?
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }

    /// Every row with both clients of respec, as its tests have it.
    fn own_rows(&self) -> Result<()> {
        let failed = long::run(self.scale, &self.filter)?;
        report()?;
        if failed {
            Err("a test has failed".into())
        } else {
            Ok(())
        }
    }

    /// The same rows with each client.
    fn clients(&self) -> Result<()> {
        for variant in &self.servers {
            variant.locate()?;
            for row in &self.rows {
                for who in &self.who {
                    if row.refuses(*who).is_some() {
                        continue;
                    }
                    let cell = cells::measure(*row, *who, *variant, self.scale);
                    println!(
                        "{} {} {variant}: {}",
                        row.name(),
                        who.name(),
                        report::brief(&cell)
                    );
                    let mut store = Store::read()?;
                    store.put(Entry {
                        part: Part::Clients,
                        row: row.name(),
                        server: *variant,
                        client: who.name().to_owned(),
                        scale: self.scale,
                        date: about::date(),
                        cell,
                    });
                    store.write()?;
                }
            }
        }
        report()
    }
}

/// One client in one row, in this process.
fn cell(row: &str, who: &str, server: &str, scale: &str) -> Result<()> {
    let row = Row::named(row).ok_or("an unknown row")?;
    let who = Contestant::named(who).ok_or("an unknown client")?;
    cells::run(row, who, server.parse()?, scale.parse()?)
}

/// Writes the results as text and as a picture.
fn report() -> Result<()> {
    let store = Store::read()?;
    fs::write(store::path("results.md"), report::document(&store))?;
    fs::write(store::path("results.svg"), plot::svg(&store))?;
    Ok(())
}

/// What part of the long mode of respec's own rows is done.
const LONG: f64 = 0.1;

const USAGE: &str = "\
without a word: all of it
  rows     every row with both clients of respec, as its tests have it
    --scale 0.1          what part of the long mode
    --test f02,f09       only tests whose names have this in them
  clients  the same rows with each client, each in a process of its own
    --scale 1            how long each row lasts
    --rows F1,F13        only these
    --who respec,fred    only these clients
    --servers redis82    on these servers
  report   writes results.md and results.svg from results.tsv";
