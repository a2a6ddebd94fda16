//! The picture: a field for each client and row.

use std::fmt::Write as _;

use respec_testkit::Variant;

use crate::{cells::Cell, clients::Contestant, report, rows::Row, store::Store};

/// Draws a line for each row and a column for each client, on the server that all of them were on.
pub(crate) fn svg(store: &Store) -> String {
    let (width, height) = (
        LABELS + CELL * Contestant::ALL.len(),
        TOP + LINE * Row::ALL.len() + 40,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (n, who) in Contestant::ALL.into_iter().enumerate() {
        text(
            &mut svg,
            LABELS + CELL * n + CELL / 2,
            TOP - 10,
            "middle",
            who.name(),
        );
    }
    for (n, row) in Row::ALL.into_iter().enumerate() {
        let y = TOP + LINE * n;
        let label = format!("{}: {}", row.name(), row.what());
        text(&mut svg, LABELS - 8, y + 16, "end", &label);
        for (m, who) in Contestant::ALL.into_iter().enumerate() {
            let cell = report::find(store, row, who, Variant::Redis82);
            let x = LABELS + CELL * m;
            let (colour, words) = field(cell);
            let _ = writeln!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"3\" fill=\"{colour}\"/>",
                x + 1,
                y + 1,
                CELL - 2,
                LINE - 2
            );
            text(&mut svg, x + CELL / 2, y + 16, "middle", &words);
        }
    }
    let mut x = LABELS;
    for (colour, what) in LEGEND {
        let y = TOP + LINE * Row::ALL.len() + 12;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"14\" height=\"14\" rx=\"3\" fill=\"{colour}\"/>"
        );
        text(&mut svg, x + 20, y + 12, "start", what);
        x += 30 + 7 * what.len();
    }
    svg.push_str("</svg>\n");
    svg
}

/// The colour and the words of a field.
fn field(cell: Option<&Cell>) -> (&'static str, String) {
    let [(clean, _), (gone, _), (bad, _), (none, _)] = LEGEND;
    let Some(cell) = cell else {
        return (none, String::new());
    };
    if !cell.ended.is_empty() {
        return (bad, "process ended".to_owned());
    }
    if !cell.is_clean() {
        let words = report::bad(cell).join(", ").replace("**", "");
        // Only the first fits.
        return (bad, words.split(',').next().unwrap_or_default().to_owned());
    }
    let colour = if cell.unserved > 0 { gone } else { clean };
    let asked = (cell.operations - cell.cancelled).max(1);
    #[expect(clippy::cast_precision_loss, reason = "these are far below 2^53")]
    let share = 100.0 * cell.errors as f64 / asked as f64;
    let words = match cell.errors {
        0 => "no errors".to_owned(),
        _ => format!("{share:.1} % failed"),
    };
    (colour, words)
}

fn text(svg: &mut String, x: usize, y: usize, anchor: &str, words: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"#222\">{words}</text>"
    );
}

/// Colours that people with any kind of colour vision can tell apart, and what they mean.
const LEGEND: [(&str, &str); 4] = [
    (
        "#8fd3b6",
        "nothing mismatched, hung, doubled, denied or lost",
    ),
    ("#f0e08a", "the same, but not served again in 10 s"),
    ("#f0a58a", "something was, or the process ended"),
    ("#e4e4e4", "not possible"),
];

const LABELS: usize = 390;
const CELL: usize = 124;
const TOP: usize = 40;
const LINE: usize = 24;
