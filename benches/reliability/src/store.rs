//! The file of the results, from which the table and the picture are made.

use std::{fs, path::PathBuf};

use respec_testkit::Variant;

use crate::{Result, cells::Cell};

/// All results.
#[derive(Default)]
pub(crate) struct Store(pub(crate) Vec<Entry>);

/// What came of one client in one row on one server.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) part: Part,
    pub(crate) row: String,
    pub(crate) server: Variant,
    pub(crate) client: String,
    pub(crate) scale: f64,
    pub(crate) date: String,
    pub(crate) cell: Cell,
}

/// Of which part of the program a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// respec's own rows.
    Rows,
    /// The rows that all clients have.
    Clients,
}

impl Store {
    pub(crate) fn read() -> Result<Self> {
        let file = fs::read_to_string(path(FILE)).unwrap_or_default();
        let entries = file.lines().map(|line| {
            let entry = Entry::read(line);
            entry.ok_or_else(|| format!("{FILE} has a line that cannot be read: {line}").into())
        });
        Ok(Self(entries.collect::<Result<_>>()?))
    }

    /// Takes a result instead of an earlier one.
    pub(crate) fn put(&mut self, entry: Entry) {
        self.0.retain(|other| other.key() != entry.key());
        self.0.push(entry);
    }

    pub(crate) fn write(&mut self) -> Result<()> {
        self.0.sort_by(|one, other| one.key().cmp(&other.key()));
        let lines = self.0.iter().map(|entry| entry.line() + "\n");
        Ok(fs::write(path(FILE), lines.collect::<String>())?)
    }

    /// The results of a part.
    pub(crate) fn of(&self, part: Part) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter(move |entry| entry.part == part)
    }
}

impl Entry {
    /// By number of the row, and by name.
    pub(crate) fn key(&self) -> (Part, u32, &str, &str, &str) {
        let digits = self.row.bytes().skip(1).take_while(u8::is_ascii_digit);
        let number = digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        let (row, server) = (self.row.as_str(), self.server.name());
        (self.part, number, row, server, &self.client)
    }

    fn line(&self) -> String {
        let part = match self.part {
            Part::Rows => "rows",
            Part::Clients => "clients",
        };
        let server = self.server.name();
        let (row, client, scale, date) = (&self.row, &self.client, self.scale, &self.date);
        let cell = self.cell.line();
        format!("{part}\t{row}\t{server}\t{client}\t{scale}\t{date}\t{cell}")
    }

    fn read(line: &str) -> Option<Self> {
        let mut fields = line.splitn(7, '\t');
        Some(Self {
            part: match fields.next()? {
                "rows" => Part::Rows,
                "clients" => Part::Clients,
                _ => return None,
            },
            row: fields.next()?.to_owned(),
            server: fields.next()?.parse().ok()?,
            client: fields.next()?.to_owned(),
            scale: fields.next()?.parse().ok()?,
            date: fields.next()?.to_owned(),
            cell: Cell::read(fields.next()?)?,
        })
    }
}

/// A file of the results.
pub(crate) fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), name].iter().collect()
}

const FILE: &str = "results.tsv";
