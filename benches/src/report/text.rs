//! Text: figures in words of a table, and lines of a page.

use super::measured::{Kind, Series, Spread};

/// The median of a column, with its unit where that is of a figure of time or memory.
pub(super) fn value(series: &Series, column: usize) -> String {
    let Some(median) = series.median(column) else { return String::new() };
    let (unit, scale) = match series.figure.split(' ').next() {
        Some("ns") => ("", 1.0),
        Some("µs") => ("", 1e3),
        Some("ms") => ("", 1e6),
        Some("MB") => (" MB", 1.0),
        Some("heap" | "resident" | "bytes") => (" B", 1.0),
        _ => return count(median),
    };
    match unit {
        "" => time(median * scale),
        unit => format!("{}{unit}", digits(median)),
    }
}

/// What a figure is, without the unit that stands with each value.
pub(super) fn figure_of(series: &Series) -> String {
    let rest = match series.figure.split_once(' ') {
        Some(("ns" | "µs" | "ms", rest)) => rest,
        None if series.kind() == Kind::Time => "time",
        _ => &series.figure,
    };
    rest.replace("cpu", "processor time")
}

/// Breaks paragraphs and items at 120 columns, as the pages written by hand are.
pub(super) fn wrapped(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let indent = if line.starts_with("- ") { "  " } else { "" };
        let mut now = String::new();
        for word in line.split(' ') {
            if !now.is_empty() && now.chars().count() + 1 + word.chars().count() > 120 {
                lines.push(std::mem::replace(&mut now, indent.into()));
                now.push_str(word);
            } else if now.is_empty() {
                now.push_str(word);
            } else {
                now.push(' ');
                now.push_str(word);
            }
        }
        lines.push(now);
    }
    lines.join("\n")
}

/// Nanoseconds in the unit that suits them.
fn time(ns: f64) -> String {
    match ns {
        ns if ns < 10_000.0 => format!("{} ns", digits(ns)),
        ns if ns < 10_000_000.0 => format!("{} µs", digits(ns / 1e3)),
        ns => format!("{} ms", digits(ns / 1e6)),
    }
}

/// Three digits, or all those before the point, in groups of three.
fn digits(value: f64) -> String {
    let text = match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    match text.len() {
        4.. if !text.contains(['.', '-']) => {
            let (head, tail) = text.split_at(text.len() - 3);
            format!("{head},{tail}")
        }
        _ => text,
    }
}

/// A count for each operation; what is next to nothing is shown so.
pub(super) fn count(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        value if value < 0.01 => "< 0.01".into(),
        value => digits(value),
    }
}

pub(super) fn shown_ratio(ratio: Spread) -> String {
    format!("{:.2} ({:.2}–{:.2})", ratio.mid, ratio.low, ratio.high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_have_their_unit() {
        assert_eq!(time(213.4), "213 ns");
        assert_eq!(time(5_432.0), "5,432 ns");
        assert_eq!(time(12_345.0), "12.3 µs");
        assert_eq!(time(628e6), "628 ms");
        assert_eq!(digits(3.17159), "3.17");
        assert_eq!(count(0.0004), "< 0.01");
    }

    #[test]
    fn lines_are_broken_between_words() {
        let text = format!("- {}\n\nb", "word ".repeat(30).trim());
        let lines: Vec<String> = wrapped(&text).lines().map(Into::into).collect();
        assert_eq!(lines.len(), 4, "an item of two lines, an empty one, one of a letter");
        assert!(lines[0].len() <= 120 && lines[1].starts_with("  word"));
    }
}
