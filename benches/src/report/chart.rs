//! Chart: a family's rows as bars, tokio's figure being 1, or Python's where it has none; SVG without anything from elsewhere.

use super::goals::{Entry, Family};
use super::measured::{Measurements, Series, Spread};
use super::{tables, text as words};
use crate::column::{NAMES, PYTHON, index_of};
use std::fmt::Write;

const WIDTH: f64 = 860.0;
/// Where the bars begin and end; what is longer is cut.
const LEFT: f64 = 270.0;
const RIGHT: f64 = 700.0;
/// The ratio at the right end.
const MOST: f64 = 2.0;
const BAR: f64 = 11.0;
const TOP: f64 = 92.0;

/// Colours that are readable on the panel, which is light or dark as the reader's system is.
const STYLE: &str = "\
.panel{fill:#ffffff;stroke:#d0d7de}.ink{fill:#1f2328}.soft{fill:#59636e}.line{stroke:#d0d7de}.one{stroke:#59636e}\
.c0{fill:#0969da}.c1{fill:#6e7781}.c2{fill:#a475f9}.c3{fill:#c8a8fb}.c4{fill:#2da44e}.c5{fill:#8bd3a0}.c6{fill:#1b7c83}.c7{fill:#bf8700}\
.halo{paint-order:stroke;stroke:#ffffff;stroke-width:3px}.floor{stroke:#cf222e}.goal{fill:#ffffff;stroke:#1f2328}.whisker{stroke:#1f2328}\
@media (prefers-color-scheme:dark){\
.panel{fill:#161b22;stroke:#30363d}.ink{fill:#e6edf3}.soft{fill:#9198a1}.line{stroke:#30363d}.one{stroke:#9198a1}\
.c0{fill:#58a6ff}.c1{fill:#8b949e}.c2{fill:#a371f7}.c3{fill:#6e40c9}.c4{fill:#3fb950}.c5{fill:#1f6f35}.c6{fill:#39c5cf}.c7{fill:#d29922}\
.halo{stroke:#161b22}.floor{stroke:#ff7b72}.goal{fill:#161b22;stroke:#e6edf3}.whisker{stroke:#e6edf3}}\
text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\
.title{font-size:17px;font-weight:600}.small{font-size:10.5px}.bold{font-weight:600}";

/// The chart of a family.
pub(super) fn svg(measured: &Measurements, family: &Family) -> String {
    let rows: Vec<(&Entry, &Series)> = family
        .entries
        .iter()
        .filter_map(|entry| Some((entry, measured.find(entry.key)?)))
        .collect();
    let (mut body, mut y) = (String::new(), TOP);
    for (entry, series) in &rows {
        y = group(&mut body, entry, series, y) + 12.0;
    }
    let height = y + 44.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>{}: kasasagi beside its peers</title>\n<style>{STYLE}</style>\n\
         <rect class=\"panel\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n",
        family.title,
        WIDTH - 1.0,
        height - 1.0,
    );
    text(&mut svg, "ink title", 20.0, 30.0, "start", family.title);
    let whose = if rows.iter().any(|(_, series)| one(series) == 1) { "tokio" } else { "Python" };
    let about = format!("as a part of {whose}'s figure in the same round; shorter is better");
    text(&mut svg, "soft", 20.0, 49.0, "start", &about);
    legend(&mut svg, &rows);
    axis(&mut svg, y);
    svg.push_str(&body);
    let foot = format!(
        "kasasagi {} · {}, {} processors · medians of {} rounds; thin lines: quartiles of the ratio",
        measured.said("commit"),
        measured.said("machine"),
        measured.said("cores"),
        measured.rounds() * measured.timed_runs().max(1) as u64,
    );
    text(&mut svg, "soft small", 20.0, height - 13.0, "start", &foot);
    svg.push_str("</svg>\n");
    svg
}

/// The bars of one row; where they end.
fn group(svg: &mut String, entry: &Entry, series: &Series, top: f64) -> f64 {
    let floor = tables::floor();
    let bars = (0..floor).filter_map(|column| Some((column, series.ratio(column, one(series))?)));
    let bars: Vec<(usize, Spread)> = bars.collect();
    let mut y = top;
    for (column, ratio) in &bars {
        let goal = goal(entry, series).filter(|_| *column == 0);
        bar(svg, series, *column, (*ratio, goal), y);
        y += BAR + 2.0;
    }
    // A row of two bars still has a label of two lines.
    let bottom = y.max(top + 28.0);
    text(svg, "ink", LEFT - 12.0, top + 10.0, "end", entry.label);
    text(svg, "soft small", LEFT - 12.0, top + 24.0, "end", entry.what);
    if let Some(ratio) = series.ratio(floor, one(series)) {
        let x = place(ratio.mid);
        let _ = writeln!(
            svg,
            "<line class=\"floor\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke-width=\"1.5\"/>",
            top - 2.0,
            y
        );
    }
    if let Some(at_most) = goal(entry, series) {
        let (x, middle) = (place(at_most), top + BAR / 2.0);
        let _ = writeln!(
            svg,
            "<path class=\"goal\" d=\"M{:.1} {middle:.1}L{x:.1} {:.1}L{:.1} {middle:.1}L{x:.1} {:.1}Z\"/>",
            x - 4.5,
            middle - 4.5,
            x + 4.5,
            middle + 4.5
        );
    }
    bottom
}

/// The column whose figure is 1.
fn one(series: &Series) -> usize {
    if series.median(1).is_some() { 1 } else { index_of(PYTHON) }
}

/// The goal as a part of that figure.
fn goal(entry: &Entry, series: &Series) -> Option<f64> {
    let (column, _) = entry.held_against(series)?;
    Some(entry.at_most? * series.ratio(column, one(series))?.mid)
}

fn bar(
    svg: &mut String,
    series: &Series,
    column: usize,
    (ratio, goal): (Spread, Option<f64>),
    y: f64,
) {
    let end = place(ratio.mid);
    let _ = writeln!(
        svg,
        "<rect class=\"c{column}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"1.5\"/>",
        (end - LEFT).max(1.0)
    );
    let (low, high) = (place(ratio.low), place(ratio.high));
    if column != one(series) && high - low > 1.0 {
        let middle = y + BAR / 2.0;
        let _ = writeln!(
            svg,
            "<line class=\"whisker\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>"
        );
    }
    let beyond = if ratio.mid > MOST { "→ " } else { "" };
    let weight = if column == 0 { "ink small bold halo" } else { "soft small halo" };
    let shown = match column {
        _ if column == one(series) => words::value(series, column),
        _ => format!("{beyond}{:.2} · {}", ratio.mid, words::value(series, column)),
    };
    let end = end.max(high).max(goal.map_or(LEFT, |goal| place(goal) + 4.0));
    text(svg, weight, end + 7.0, y + 9.5, "start", &shown);
}

fn place(ratio: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * ratio.min(MOST) / MOST
}

fn axis(svg: &mut String, bottom: f64) {
    for step in 0..=4 {
        let ratio = f64::from(step) * MOST / 4.0;
        let (x, class) = (place(ratio), if step == 2 { "one" } else { "line" });
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
            TOP - 8.0,
            bottom - 6.0
        );
        text(svg, "soft small", x, bottom + 8.0, "middle", &format!("{ratio}"));
    }
}

fn legend(svg: &mut String, rows: &[(&Entry, &Series)]) {
    let mut x = 20.0;
    let has =
        |column: usize| rows.iter().any(|(_, series)| series.ratio(column, one(series)).is_some());
    for (column, name) in NAMES.iter().enumerate().filter(|(column, _)| has(*column)) {
        if column == tables::floor() {
            let _ = writeln!(
                svg,
                "<line class=\"floor\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"60\" y2=\"72\" stroke-width=\"1.5\"/>",
                x + 5.0,
                x + 5.0
            );
        } else {
            let _ = writeln!(
                svg,
                "<rect class=\"c{column}\" x=\"{x:.1}\" y=\"61\" width=\"10\" height=\"10\" rx=\"1.5\"/>"
            );
        }
        text(svg, if column == 0 { "ink bold" } else { "ink" }, x + 15.0, 70.5, "start", name);
        x += 34.0 + 7.0 * name.len() as f64;
    }
    let _ = writeln!(
        svg,
        "<path class=\"goal\" d=\"M{:.1} 66L{:.1} 61.5L{:.1} 66L{:.1} 70.5Z\"/>",
        x,
        x + 4.5,
        x + 9.0,
        x + 4.5
    );
    text(svg, "ink", x + 15.0, 70.5, "start", "goal for kasasagi");
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    );
}
