//! The plot of the results: how every contestant compares with the best of the peers.

use std::fmt::Write as _;

use crate::{report::RowResults, rows::Contestant};

/// One of the two halves of the plot.
struct Panel {
    title: &'static str,
    /// Where it begins.
    left: f64,
    /// The figure of a contestant in a row.
    figure: fn(&RowResults<'_>, Contestant) -> Option<f64>,
    /// Which of two peers' figures is the better one.
    better: fn(f64, f64) -> f64,
}

/// Draws one line for each row, with a point for each contestant: throughput as a multiple of the
/// best peer's on the left, CPU time per operation as a multiple of the leanest peer's on the right.
pub(crate) fn svg(rows: &[RowResults<'_>]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "there are few rows")]
    let bottom = TOP + rows.len() as f64 * LINE;
    let (width, height) = (2.0 * (PANEL + GAP) + LABELS, bottom + 40.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    legend(&mut svg);
    for (n, results) in rows.iter().enumerate() {
        let y = line(n);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#222\">{}</text>",
            LABELS - 8.0,
            y + 4.0,
            results.row
        );
    }
    let panels = [
        Panel {
            title: "throughput, × best peer (right is better)",
            left: LABELS,
            figure: |results, who| results.throughput(who),
            better: f64::max,
        },
        Panel {
            title: "CPU time per operation, × leanest peer (left is better)",
            left: LABELS + PANEL + GAP,
            figure: |results, who| results.cpu(who),
            better: f64::min,
        },
    ];
    for panel in panels {
        panel.draw(&mut svg, rows, bottom);
    }
    svg.push_str("</svg>\n");
    svg
}

impl Panel {
    fn draw(&self, svg: &mut String, rows: &[RowResults<'_>], bottom: f64) {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" fill=\"#222\" font-weight=\"bold\">{}</text>",
            self.left,
            TOP - 14.0,
            self.title
        );
        for (tick, label) in TICKS {
            let x = self.x(tick);
            let colour = if label == "1" { "#888" } else { "#ddd" };
            let _ = writeln!(
                svg,
                "<line x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"{colour}\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">{label}</text>",
                TOP - 6.0,
                bottom + 16.0
            );
        }
        for (n, results) in rows.iter().enumerate() {
            let figure = |who| (self.figure)(results, who);
            let peers = Contestant::ALL.into_iter().filter(|who| who.is_peer());
            let Some(best) = peers.filter_map(figure).reduce(self.better) else {
                continue;
            };
            // respec comes last, so that its point is on top.
            let others = Contestant::ALL.into_iter();
            let others = others.filter(|who| *who != Contestant::Respec);
            for who in others.chain([Contestant::Respec]) {
                if let Some(figure) = figure(who) {
                    let (x, radius) = (self.x(figure / best), radius(who));
                    let (y, colour) = (line(n), colour(who));
                    let _ = writeln!(
                        svg,
                        "<circle cx=\"{x:.1}\" cy=\"{y}\" r=\"{radius}\" fill=\"{colour}\">\
                         <title>{}: {:.2}</title></circle>",
                        who.name(),
                        figure / best
                    );
                }
            }
        }
    }

    /// Where a ratio is, on a logarithmic scale whose ends hold whatever is beyond them.
    fn x(&self, ratio: f64) -> f64 {
        let (lowest, highest) = (LOWEST.ln(), HIGHEST.ln());
        let share = (ratio.ln() - lowest) / (highest - lowest);
        self.left + PANEL * share.clamp(0.0, 1.0)
    }
}

fn legend(svg: &mut String) {
    let mut x = LABELS;
    for who in Contestant::ALL {
        let (colour, radius) = (colour(who), radius(who));
        let _ = writeln!(
            svg,
            "<circle cx=\"{x}\" cy=\"20\" r=\"{radius}\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"24\" fill=\"#222\">{}</text>",
            x + 10.0,
            who.name()
        );
        x += 92.0;
    }
}

/// The height of a row's line.
fn line(row: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "there are few rows")]
    let row = row as f64;
    TOP + (row + 0.5) * LINE
}

/// Colours that people with any kind of colour vision can tell apart.
fn colour(who: Contestant) -> &'static str {
    match who {
        Contestant::Raw => "#bbbbbb",
        Contestant::RawTokio => "#777777",
        Contestant::Respec => "#d55e00",
        Contestant::Redis1 => "#0072b2",
        Contestant::Redis2 => "#56b4e9",
        Contestant::Fred => "#009e73",
        Contestant::Rustis => "#cc79a7",
        Contestant::Before => "#e69f00",
    }
}

fn radius(who: Contestant) -> f64 {
    match who {
        Contestant::Respec => 6.0,
        _ => 4.5,
    }
}

const LABELS: f64 = 290.0;
const PANEL: f64 = 360.0;
const GAP: f64 = 40.0;
const TOP: f64 = 64.0;
const LINE: f64 = 20.0;
const LOWEST: f64 = 0.125;
const HIGHEST: f64 = 8.0;
const TICKS: [(f64, &str); 7] = [
    (0.125, "⅛"),
    (0.25, "¼"),
    (0.5, "½"),
    (1.0, "1"),
    (2.0, "2"),
    (4.0, "4"),
    (8.0, "8"),
];
