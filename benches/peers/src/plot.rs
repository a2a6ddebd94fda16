//! The plots: how every contestant compares with the best of the peers, and how figures grow.

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
    let mut svg = begin(2.0 * (PANEL + GAP) + LABELS, bottom + 40.0);
    legend(&mut svg, LABELS, Contestant::ALL);
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
        title(svg, self.left, self.title);
        let ratios = Axis {
            lowest: LOWEST,
            highest: HIGHEST,
            start: self.left,
            length: PANEL,
        };
        for (tick, label) in TICKS {
            let colour = if label == "1" { "#888" } else { GRID };
            upright(svg, ratios.at(tick), bottom, colour, label);
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
                    let ratio = figure / best;
                    point(svg, ratios.at(ratio), line(n), who, &format!("{ratio:.2}"));
                }
            }
        }
    }
}

/// One of the plots that stand side by side: how a figure of each contestant grows.
pub(crate) struct LinePanel {
    pub(crate) title: &'static str,
    /// Each with what is counted, in rising order, and the figure there; all are above zero.
    pub(crate) lines: Vec<(Contestant, Vec<(f64, f64)>)>,
}

/// Draws a line for each contestant in each of the panels, on logarithmic axes.
///
/// The ticks are where something was measured, in rising order.
pub(crate) fn lines(counted: &str, ticks: &[(f64, String)], panels: &[LinePanel]) -> String {
    let bottom = TOP + HEIGHT;
    #[expect(clippy::cast_precision_loss, reason = "there are three panels at most")]
    let width = panels.len() as f64 * (FIGURES + PANEL) + GAP;
    let mut svg = begin(width, bottom + 50.0);
    let who = panels.iter().flat_map(|panel| &panel.lines);
    let mut who: Vec<Contestant> = who.map(|(who, _)| *who).collect();
    who.sort();
    who.dedup();
    legend(&mut svg, FIGURES, who);
    let mut left = FIGURES;
    for panel in panels {
        panel.draw(&mut svg, left, counted, ticks);
        left += PANEL + FIGURES;
    }
    svg.push_str("</svg>\n");
    svg
}

impl LinePanel {
    fn draw(&self, svg: &mut String, left: f64, counted: &str, ticks: &[(f64, String)]) {
        let bottom = TOP + HEIGHT;
        let (Some((lowest, _)), Some((highest, _))) = (ticks.first(), ticks.last()) else {
            return;
        };
        let (lowest, highest) = (*lowest, *highest);
        let across = Axis {
            lowest,
            highest,
            start: left,
            length: PANEL,
        };
        title(svg, left, self.title);
        // Room for a label takes more than that for a line.
        let every = ticks.len().div_ceil(MOST_LABELS);
        for (n, (tick, label)) in ticks.iter().enumerate() {
            let label = if n % every == 0 { label } else { "" };
            upright(svg, across.at(*tick), bottom, GRID, label);
        }
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#222\">{counted}</text>",
            left + PANEL / 2.0,
            bottom + 36.0
        );
        let figures = self.lines.iter().flat_map(|(_, line)| line);
        let figures = figures.map(|(_, figure)| figure.log10());
        let Some((least, most)) = figures
            .clone()
            .reduce(f64::min)
            .zip(figures.reduce(f64::max))
        else {
            return;
        };
        let (least, most) = (least.floor(), most.ceil().max(least.floor() + 1.0));
        let up = Axis {
            lowest: 10_f64.powf(least),
            highest: 10_f64.powf(most),
            start: bottom,
            length: -HEIGHT,
        };
        let mut tick = up.lowest;
        while tick <= up.highest * 1.01 {
            let y = up.at(tick);
            let _ = writeln!(
                svg,
                "<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{}\" y2=\"{y:.1}\" stroke=\"{GRID}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
                left + PANEL,
                left - 8.0,
                y + 4.0,
                power(tick)
            );
            tick *= 10.0;
        }
        // respec comes last, so that its line is on top.
        let (respec, others): (Vec<_>, Vec<_>) = self
            .lines
            .iter()
            .partition(|(who, _)| *who == Contestant::Respec);
        for (who, line) in others.into_iter().chain(respec) {
            let at = |&(count, figure): &(f64, f64)| (across.at(count), up.at(figure));
            let corners: Vec<String> = line
                .iter()
                .map(at)
                .map(|(x, y)| format!("{x:.1},{y:.1}"))
                .collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>",
                corners.join(" "),
                colour(*who)
            );
            for measured in line {
                let (x, y) = at(measured);
                point(svg, x, y, *who, &format!("{:.3}", measured.1));
            }
        }
    }
}

/// A logarithmic axis, whose ends hold whatever is beyond them.
struct Axis {
    lowest: f64,
    highest: f64,
    /// Where the lowest is, and how far from there the highest.
    start: f64,
    length: f64,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        let (lowest, highest) = (self.lowest.ln(), self.highest.ln());
        if lowest == highest {
            return self.start + self.length / 2.0;
        }
        let share = (value.ln() - lowest) / (highest - lowest);
        self.start + self.length * share.clamp(0.0, 1.0)
    }
}

/// What each plot begins with.
fn begin(width: f64, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    )
}

fn title(svg: &mut String, left: f64, title: &str) {
    let y = TOP - 14.0;
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{y}\" fill=\"#222\" font-weight=\"bold\">{title}</text>"
    );
}

/// A line from the top to the bottom, with a label below.
fn upright(svg: &mut String, x: f64, bottom: f64, colour: &str, label: &str) {
    let _ = writeln!(
        svg,
        "<line x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"{colour}\"/>\
         <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">{label}</text>",
        TOP - 6.0,
        bottom + 16.0
    );
}

/// The point of a contestant, which tells its figure.
fn point(svg: &mut String, x: f64, y: f64, who: Contestant, figure: &str) {
    let (radius, colour) = (radius(who), colour(who));
    let _ = writeln!(
        svg,
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{colour}\">\
         <title>{}: {figure}</title></circle>",
        who.name()
    );
}

fn legend(svg: &mut String, left: f64, who: impl IntoIterator<Item = Contestant>) {
    let mut x = left;
    for who in who {
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

/// A power of ten, in few characters.
fn power(of_ten: f64) -> String {
    match of_ten {
        999_999.0.. => format!("{:.0}M", of_ten / 1e6),
        999.0.. => format!("{:.0}k", of_ten / 1e3),
        0.9.. => format!("{of_ten:.0}"),
        0.09.. => format!("{of_ten:.1}"),
        _ => format!("{of_ten:.2}"),
    }
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

const GRID: &str = "#ddd";
const LABELS: f64 = 290.0;
/// The width of the figures beside a plot of lines, its height, and how many labels are below it.
const FIGURES: f64 = 70.0;
const HEIGHT: f64 = 260.0;
const MOST_LABELS: usize = 8;
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
