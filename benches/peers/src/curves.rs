//! How figures grow with the work: one number goes up by steps, and everything else stays.

use std::{fmt::Write as _, fs, path::Path, sync::LazyLock};

use crate::{
    Options,
    about::thousands,
    clients::Result,
    harness::{self, Servers, Settings},
    machine, plot,
    report::{self, RowResults, micros, rate},
    rows::{Contestant, Driver, Placement, Row, Workload, bytes},
};

/// A number that goes up.
struct Curve {
    /// By which `--only` finds it, and its files are called.
    name: &'static str,
    title: &'static str,
    /// What is counted.
    axis: &'static str,
    points: &'static [usize],
    workload: fn(usize) -> Workload,
    label: fn(usize) -> String,
}

const CURVES: &[Curve] = &[
    Curve {
        name: "tasks",
        title: "Tasks on one connection",
        axis: "tasks",
        points: &[1, 4, 16, 64, 256, 1_024, 4_096, 16_384],
        workload: Workload::Tasks,
        label: thousands,
    },
    Curve {
        name: "connections",
        title: "Connections, with a task each",
        axis: "connections",
        points: &[1, 4, 16, 64, 256, 1_024, 4_096],
        workload: Workload::Connections,
        label: thousands,
    },
    Curve {
        name: "nodes",
        title: "Nodes of a cluster, for 64 tasks",
        axis: "nodes",
        points: &[3, 6, 12],
        workload: |nodes| Workload::Cluster { nodes, tasks: 64 },
        label: thousands,
    },
    Curve {
        name: "pipelines",
        title: "Commands in a pipeline",
        axis: "commands",
        points: &[
            1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_000_000,
        ],
        workload: Workload::Pipeline,
        label: thousands,
    },
    Curve {
        name: "values",
        title: "The size of a value",
        axis: "size",
        points: &[
            1,
            4,
            16,
            64,
            256,
            1 << 10,
            4 << 10,
            16 << 10,
            64 << 10,
            256 << 10,
            1 << 20,
            4 << 20,
            16 << 20,
            64 << 20,
        ],
        workload: Workload::Value,
        label: bytes,
    },
];

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let each = CURVES.iter().flat_map(|curve| {
        curve.points.iter().map(|&point| Row {
            group: curve.name,
            workload: (curve.workload)(point),
            driver: Driver::CurrentThread,
            placement: Placement::Cross,
            targets: &[],
        })
    });
    each.collect()
});

/// The points of all curves.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter()
}

/// Measures the curves, and with `--write`, or without any option, writes their files.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = Options::parse(
        arguments,
        Options {
            rows: rows().collect(),
            // The two peers that are best in most rows.
            who: vec![Contestant::Respec, Contestant::Redis2, Contestant::Rustis],
            settings: Settings {
                rounds: 3,
                seconds: 0.5,
                warm_up: 0.1,
                attempts: 2,
                leaves_out: true,
            },
            counts: false,
            write: arguments.is_empty(),
        },
    )?;
    let Options {
        rows,
        who,
        settings,
        ..
    } = &options;
    if options.write && rows.len() != self::rows().count() {
        return Err("the files hold all curves: --write takes no --only".into());
    }
    machine::open_many_files()?;
    let mut all = Vec::new();
    let mut version = String::new();
    // One cluster at a time, so that none stands by while something else is measured.
    let is_alone = |row: &Row| !matches!(row.workload, Workload::Cluster { .. });
    for rows in rows.chunk_by(|a, b| is_alone(a) && is_alone(b)) {
        let servers = Servers::start(rows)?;
        servers.version().clone_into(&mut version);
        all.extend(harness::measure(&servers, rows, who, settings)?);
    }
    let results = report::by_row(&all, &[]);
    let curves: Vec<Measured<'_>> = CURVES
        .iter()
        .map(|curve| Measured::of(curve, &results, who))
        .filter(|curve| !curve.points.is_empty())
        .collect();
    for curve in &curves {
        println!("{}", curve.table());
    }
    if options.write {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = here.join("curves.md");
        let before = fs::read_to_string(&file).unwrap_or_default();
        let facts = report::facts(&results, settings, &version);
        let mut text = format!("# Curves\n\n{INTRODUCTION}\n\n{facts}");
        for curve in &curves {
            fs::write(here.join(curve.picture()), curve.svg())?;
            let _ = write!(text, "\n{}", curve.section(&before));
        }
        fs::write(file, text)?;
    }
    Ok(())
}

/// A curve with what was measured.
struct Measured<'r> {
    curve: &'static Curve,
    points: Vec<(usize, &'r RowResults<'r>)>,
    who: &'r [Contestant],
}

impl<'r> Measured<'r> {
    fn of(curve: &'static Curve, results: &'r [RowResults<'r>], who: &'r [Contestant]) -> Self {
        let points = curve.points.iter().filter_map(|&point| {
            let workload = (curve.workload)(point);
            let results = results.iter().find(|results| {
                results.row.group == curve.name && results.row.workload == workload
            });
            Some((point, results?))
        });
        let points = points.collect();
        Self { curve, points, who }
    }

    fn picture(&self) -> String {
        format!("curves-{}.svg", self.curve.name)
    }

    /// What the file has about the curve, with what was written there by hand.
    fn section(&self, before: &str) -> String {
        let Curve { name, title, .. } = self.curve;
        let begin = format!("<!-- by hand: {name} -->\n");
        let by_hand = before
            .split_once(&begin)
            .and_then(|(_, rest)| rest.split_once(END_OF_HAND))
            .map_or("", |(text, _)| text);
        format!(
            "## {title}\n\n![{title}]({})\n\n{}\n{begin}{by_hand}{END_OF_HAND}",
            self.picture(),
            self.table()
        )
    }

    fn table(&self) -> String {
        let ratios = ["× best", "× leanest"];
        let mut text = report::header(self.curve.axis, self.who, &ratios);
        for (point, results) in &self.points {
            let _ = write!(text, "| {} |", (self.curve.label)(*point));
            for &who in self.who {
                let figures = results.throughput(who).zip(results.cpu(who));
                let _ = match (figures, results.memory(who)) {
                    (None, _) => write!(text, " |"),
                    (Some((throughput, cpu)), None) => {
                        write!(text, " {} / {} |", rate(throughput), micros(cpu))
                    }
                    (Some((throughput, cpu)), Some(memory)) => write!(
                        text,
                        " {} / {} / {:.1} |",
                        rate(throughput),
                        micros(cpu),
                        memory / KIB
                    ),
                };
            }
            report::ratios(&mut text, &[results.to_best(), results.to_leanest()]);
            text.push('\n');
        }
        let failures = self.failures();
        if !failures.is_empty() {
            let _ = write!(text, "\n{failures}");
        }
        text
    }

    /// Why cells are empty, or of fewer rounds.
    fn failures(&self) -> String {
        let mut text = String::new();
        for (point, results) in &self.points {
            for (who, why) in results.failures() {
                let (axis, label) = (self.curve.axis, (self.curve.label)(*point));
                let _ = writeln!(text, "- {}, {axis} {label}: {why}", who.name());
            }
        }
        text
    }

    fn svg(&self) -> String {
        let ticks: Vec<(f64, String)> = self
            .points
            .iter()
            .map(|(point, _)| (number(*point), (self.curve.label)(*point)))
            .collect();
        let mut panels = vec![
            self.panel("operations per second", |results, who| {
                results.throughput(who)
            }),
            self.panel("µs of CPU time per operation", |results, who| {
                results.cpu(who)
            }),
        ];
        let memory = self.panel("KiB for each further connection", |results, who| {
            Some(results.memory(who)? / KIB)
        });
        if !memory.lines.iter().all(|(_, line)| line.is_empty()) {
            panels.push(memory);
        }
        plot::lines(self.curve.axis, &ticks, &panels)
    }

    fn panel(
        &self,
        title: &'static str,
        figure: fn(&RowResults<'_>, Contestant) -> Option<f64>,
    ) -> plot::LinePanel {
        let line = |who| {
            let points = self.points.iter();
            let points =
                points.filter_map(|(point, results)| Some((number(*point), figure(results, who)?)));
            // Nothing else has a place on a logarithmic axis.
            points
                .filter(|(_, figure)| *figure > 0.0 && figure.is_finite())
                .collect()
        };
        plot::LinePanel {
            title,
            lines: self.who.iter().map(|&who| (who, line(who))).collect(),
        }
    }
}

fn number(point: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "points are far below 2^53")]
    let number = point as f64;
    number
}

const INTRODUCTION: &str = "Written by `cargo run --release --manifest-path benches/peers/Cargo.toml -- curves`, but for the
sentences below each table; the [README](README.md) says how it is measured. One number goes up by steps, and all else
stays: a current-thread runtime on core 1, the servers on core 0, values of 64 bytes where nothing else is said.

Each cell has operations per second and microseconds of CPU time of the client per operation; with several connections
also the KiB of memory that each further one takes while nothing is sent. `× best` is respec's throughput over that of
the better peer in the same round, `× leanest` its CPU time over that of the leaner one. What a client cannot do is an
empty cell, with the reason below.";
const END_OF_HAND: &str = "<!-- until here -->\n";
const KIB: f64 = 1024.0;
