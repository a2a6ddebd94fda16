//! One client in one row on one server: a process of its own, so that nothing that a client does ends
//! the whole, and what came of it.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use respec_testkit::Variant;

use crate::{clients::Contestant, rows::Row};

/// What came of one client in one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cell {
    pub(crate) operations: u64,
    pub(crate) ok: u64,
    pub(crate) cancelled: u64,
    /// Faults that struck a request in flight, and those that did not.
    pub(crate) faults: u64,
    pub(crate) idle_faults: u64,
    /// Errors that callers got, but for the one that an operation asks for.
    pub(crate) errors: u64,
    pub(crate) mismatched: u64,
    pub(crate) hung: u64,
    pub(crate) doubled: u64,
    /// Done or handed over although the caller was told that it was not.
    pub(crate) denied: u64,
    /// Acknowledged, and not there.
    pub(crate) lost: u64,
    /// Faults after which no caller was served again for ten seconds.
    pub(crate) unserved: u64,
    /// Milliseconds until a caller was served again: the middle and the longest.
    pub(crate) recovery: Option<(u128, u128)>,
    /// The errors that occurred most.
    pub(crate) kinds: String,
    pub(crate) notes: String,
    pub(crate) took: f64,
    /// Servers have elected another primary by themselves, so that it has to be done again.
    pub(crate) disturbed: bool,
    /// How the process has ended, unless as it should.
    pub(crate) ended: String,
    /// How often a thread of the process has panicked.
    pub(crate) panics: u64,
}

impl Cell {
    /// Whether it is free of what must not be.
    pub(crate) fn is_clean(&self) -> bool {
        let bad = [
            self.mismatched,
            self.hung,
            self.doubled,
            self.denied,
            self.lost,
            self.panics,
        ];
        bad == [0; 6] && self.ended.is_empty()
    }

    /// One line, for the parent process and for the file of the results.
    pub(crate) fn line(&self) -> String {
        let (middle, longest) = self.recovery.unzip();
        let number = |time: Option<u128>| time.map_or_else(String::new, |time| time.to_string());
        let text = |text: &str| text.replace(['\t', '\n', '\r', '|'], " ");
        [
            self.operations.to_string(),
            self.ok.to_string(),
            self.cancelled.to_string(),
            self.faults.to_string(),
            self.idle_faults.to_string(),
            self.errors.to_string(),
            self.mismatched.to_string(),
            self.hung.to_string(),
            self.doubled.to_string(),
            self.denied.to_string(),
            self.lost.to_string(),
            self.unserved.to_string(),
            number(middle),
            number(longest),
            text(&self.kinds),
            text(&self.notes),
            format!("{:.1}", self.took),
            self.disturbed.to_string(),
            text(&self.ended),
            self.panics.to_string(),
        ]
        .join("\t")
    }

    /// What [`line`](Self::line) has written.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let mut text = || fields.next();
        let mut number = || text()?.parse().ok();
        Some(Self {
            operations: number()?,
            ok: number()?,
            cancelled: number()?,
            faults: number()?,
            idle_faults: number()?,
            errors: number()?,
            mismatched: number()?,
            hung: number()?,
            doubled: number()?,
            denied: number()?,
            lost: number()?,
            unserved: number()?,
            recovery: {
                let (middle, longest) = (text()?, text()?);
                middle.parse().ok().zip(longest.parse().ok())
            },
            kinds: text()?.to_owned(),
            notes: text()?.to_owned(),
            took: text()?.parse().ok()?,
            disturbed: text()? == "true",
            ended: text()?.to_owned(),
            panics: text()?.parse().ok()?,
        })
    }
}

/// Runs a cell in a process of its own, again where servers have disturbed it.
pub(crate) fn measure(row: Row, who: Contestant, variant: Variant, scale: f64) -> Cell {
    for _ in 0..2 {
        let cell = once(row, who, variant, scale);
        if !cell.disturbed {
            return cell;
        }
    }
    once(row, who, variant, scale)
}

fn once(row: Row, who: Contestant, variant: Variant, scale: f64) -> Cell {
    let begun = Instant::now();
    let mut child = Command::new(env::current_exe().expect("a program has a path"))
        .args(["cell", &row.name(), who.name(), variant.name()])
        .arg(scale.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program can be started again");
    let output = child.stdout.take().expect("it is piped");
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let status = wait(&mut child, WATCHDOG + Duration::from_secs_f64(60.0 * scale));
    let (mut cell, mut notes) = (None, String::new());
    while let Ok(line) = lines.recv_timeout(Duration::from_secs(1)) {
        if let Some(found) = line.strip_prefix(CELL) {
            cell = Cell::read(found);
        } else if let Some(note) = line.strip_prefix(LAST) {
            note.clone_into(&mut notes);
        }
    }
    cell.unwrap_or_else(|| Cell {
        ended: status.map_or_else(
            || "it did not end and was killed".to_owned(),
            |status| format!("the process ended: {status}"),
        ),
        notes,
        took: begun.elapsed().as_secs_f64(),
        ..Cell::default()
    })
}

/// Waits for a process; ends it if it takes longer.
fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// What the process of a cell does: prints its line, and ends with whatever still hangs in it.
pub(crate) fn run(row: Row, who: Contestant, variant: Variant, scale: f64) -> ! {
    let panics = panics();
    let mut cell = row.run(who, variant, scale);
    let panics = panics.lock().unwrap_or_else(PoisonError::into_inner);
    cell.panics = panics.0;
    if let Some(panic) = &panics.1 {
        cell.notes = format!("{panic}; {}", cell.notes);
    }
    drop(panics);
    println!("{CELL}{}", cell.line());
    std::process::exit(0)
}

/// From now on counts panics and keeps the text of the first.
fn panics() -> &'static Mutex<(u64, Option<String>)> {
    static COUNT: Mutex<(u64, Option<String>)> = Mutex::new((0, None));
    let count = &COUNT;
    std::panic::set_hook(Box::new(|panic| {
        let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
        count.0 += 1;
        if count.1.is_none() {
            // The process may not come to tell it otherwise.
            println!("{LAST}{panic}");
            count.1 = Some(panic.to_string());
        }
    }));
    count
}

const CELL: &str = "CELL\t";
/// Begins what is told of a process that ends before its time.
pub(crate) const LAST: &str = "LAST\t";
/// After so long a process is ended; half of it more than any row may last.
const WATCHDOG: Duration = Duration::from_secs(90);
