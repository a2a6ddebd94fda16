//! The results as text.

use std::{fmt::Write as _, fs};

use respec_testkit::Variant;

use crate::{
    about::{self, thousands},
    cells::Cell,
    clients::Contestant,
    rows::Row,
    store::{Entry, Part, Store},
};

/// The whole document.
pub(crate) fn document(store: &Store) -> String {
    let mut text = String::from(
        "# What came of it\n\n\
         Written by `cargo run --manifest-path benches/reliability/Cargo.toml`; the\n\
         [README](README.md) says what the rows do, with which settings, and who judges.\n\n",
    );
    for line in facts() {
        let _ = writeln!(text, "- {line}");
    }
    let _ = writeln!(text, "- {}", runs(store, Part::Rows, "respec's own rows"));
    let _ = writeln!(text, "- {}", runs(store, Part::Clients, "all clients"));
    text.push_str("\n## respec's own rows, all of them together\n\n");
    headline(&mut text, store);
    text.push_str(
        "\n*Mismatched*: a reply that is not the call's own. *Hung*: a call that has not ended a quarter \
         of a second\nafter its time. *Doubled*: done or sent twice, though asked for once. *Denied*: done, \
         or a byte of it sent,\nthough the caller was told that it was not. *Lost*: acknowledged, and not \
         there. The blocking client\ncannot drop a call, and so has no cancellations.\n",
    );
    for variant in servers(store) {
        let _ = writeln!(text, "\n## All clients on {variant}\n");
        if variant == Variant::Redis82 {
            text.push_str("![what came of each row](results.svg)\n\n");
        }
        grid(&mut text, store, variant);
    }
    text.push_str("\n## respec's own rows, one by one\n\n");
    rows(&mut text, store);
    text.push_str("\n## All clients, with what callers were told\n\n");
    details(&mut text, store);
    text
}

/// What the machine is and how busy it was, and what was built in.
fn facts() -> [String; 4] {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').nth(2).unwrap_or("unknown");
    [
        about::processor(),
        format!("load average of the last fifteen minutes when this was written: {load}"),
        about::system(),
        about::versions(include_str!("../Cargo.lock")).join(", "),
    ]
}

/// When, and with which scale.
fn runs(store: &Store, part: Part, what: &str) -> String {
    let all = || store.of(part);
    let dates = || all().map(|entry| entry.date.as_str());
    let dates = dates().min().zip(dates().max());
    let scales = || all().map(|entry| entry.scale);
    let (least, most) = (
        scales().fold(f64::INFINITY, f64::min),
        scales().fold(0.0, f64::max),
    );
    let Some((first, last)) = dates else {
        return format!("{what}: not yet");
    };
    let date = match first == last {
        true => first.to_owned(),
        false => format!("{first} to {last}"),
    };
    let scale = match least == most {
        true => format!("{least}"),
        false => format!("{least} to {most}"),
    };
    format!("{what}: {date}, scale {scale}")
}

/// The sums for each server and client.
fn headline(text: &mut String, store: &Store) {
    let head = [
        "server",
        "client",
        "tagged operations",
        "faults in flight",
        "cancellations",
        "mismatched",
        "hung",
        "doubled",
        "denied",
        "lost",
    ];
    table(text, &head);
    for variant in Variant::ALL {
        for client in ["async", "blocking"] {
            let of = |entry: &&Entry| entry.server == variant && entry.client == client;
            let cells = store.of(Part::Rows).filter(of).map(|entry| &entry.cell);
            let cells: Vec<_> = cells.collect();
            let sum = |field: fn(&Cell) -> u64| -> String {
                thousands(cells.iter().map(|cell| field(cell)).sum::<u64>())
            };
            let fields = [
                variant.to_string(),
                client.to_owned(),
                sum(|cell| cell.operations),
                sum(|cell| cell.faults),
                sum(|cell| cell.cancelled),
                sum(|cell| cell.mismatched),
                sum(|cell| cell.hung),
                sum(|cell| cell.doubled),
                sum(|cell| cell.denied),
                sum(|cell| cell.lost),
            ];
            line(text, &fields);
        }
    }
}

/// Which servers all clients were on.
fn servers(store: &Store) -> Vec<Variant> {
    let is_there = |variant: &Variant| store.of(Part::Clients).any(|it| it.server == *variant);
    Variant::ALL.into_iter().filter(is_there).collect()
}

/// A line for each row, a column for each client.
fn grid(text: &mut String, store: &Store, variant: Variant) {
    let names = Contestant::ALL.map(Contestant::name);
    let mut head = vec!["row", "what happens"];
    head.extend(names);
    table(text, &head);
    for row in Row::ALL {
        let mut fields = vec![row.name(), row.what().to_owned()];
        for who in Contestant::ALL {
            fields.push(match find(store, row, who, variant) {
                Some(cell) => brief(cell),
                None => row.refuses(who).unwrap_or("not run").to_owned(),
            });
        }
        line(text, &fields);
    }
}

/// What came of a client in a row on a server.
pub(crate) fn find(store: &Store, row: Row, who: Contestant, variant: Variant) -> Option<&Cell> {
    let mut entries = store.of(Part::Clients);
    let found = entries.find(|entry| {
        entry.row == row.name() && entry.client == who.name() && entry.server == variant
    });
    found.map(|entry| &entry.cell)
}

/// What came of a cell, in a few words.
pub(crate) fn brief(cell: &Cell) -> String {
    if !cell.ended.is_empty() {
        return format!("**{}**", cell.ended);
    }
    let mut words = bad(cell);
    if words.is_empty() {
        words.push("0".to_owned());
    }
    words.push(match cell.errors {
        0 => "no errors".to_owned(),
        errors => {
            let asked = cell.operations - cell.cancelled;
            format!("{} of {} failed", thousands(errors), thousands(asked))
        }
    });
    if let Some((middle, longest)) = cell.recovery {
        words.push(format!("{middle} / {longest} ms"));
    }
    if cell.unserved > 0 {
        words.push(format!("{} × not served again", cell.unserved));
    }
    words.join("; ")
}

/// What must not be, and is.
pub(crate) fn bad(cell: &Cell) -> Vec<String> {
    let counts = [
        (cell.mismatched, "mismatched"),
        (cell.hung, "hung"),
        (cell.doubled, "doubled"),
        (cell.denied, "denied"),
        (cell.lost, "lost"),
        (cell.panics, "panics"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    counts
        .map(|(count, what)| format!("**{} {what}**", thousands(count)))
        .collect()
}

/// respec's own rows.
fn rows(text: &mut String, store: &Store) {
    let head = [
        "row",
        "server",
        "client",
        "operations",
        "faults in flight + idle",
        "cancellations",
        "errors",
        "mismatched",
        "hung",
        "doubled",
        "denied",
        "lost",
        "recovery beyond the servers, ms",
    ];
    table(text, &head);
    for entry in store.of(Part::Rows) {
        let cell = &entry.cell;
        let fields = [
            entry.row.clone(),
            entry.server.to_string(),
            entry.client.clone(),
            thousands(cell.operations),
            faults(cell),
            thousands(cell.cancelled),
            thousands(cell.errors),
            cell.mismatched.to_string(),
            cell.hung.to_string(),
            cell.doubled.to_string(),
            cell.denied.to_string(),
            cell.lost.to_string(),
            cell.recovery.map_or_else(String::new, |(middle, longest)| {
                format!("{middle} / {longest}")
            }),
        ];
        line(text, &fields);
    }
}

/// Everything that is known of each cell.
fn details(text: &mut String, store: &Store) {
    let head = [
        "row",
        "server",
        "client",
        "operations",
        "succeeded",
        "faults in flight + idle",
        "came of it",
        "errors that callers got most",
        "notes",
    ];
    table(text, &head);
    for entry in store.of(Part::Clients) {
        let cell = &entry.cell;
        let fields = [
            entry.row.clone(),
            entry.server.to_string(),
            entry.client.clone(),
            thousands(cell.operations),
            thousands(cell.ok),
            faults(cell),
            brief(cell),
            cell.kinds.clone(),
            cell.notes.clone(),
        ];
        line(text, &fields);
    }
}

/// The head of a table.
fn table(text: &mut String, head: &[&str]) {
    line(text, head);
    let _ = writeln!(text, "|{}", "---|".repeat(head.len()));
}

/// A line of a table.
fn line<F: AsRef<str>>(text: &mut String, fields: &[F]) {
    let fields: Vec<_> = fields.iter().map(AsRef::as_ref).collect();
    let _ = writeln!(text, "| {} |", fields.join(" | "));
}

/// The faults that struck a request in flight, and the others.
fn faults(cell: &Cell) -> String {
    format!(
        "{} + {}",
        thousands(cell.faults),
        thousands(cell.idle_faults)
    )
}
