//! How figures are printed: a Markdown table, or a line of JSON each.

use crate::suite::{NAMES, median};

/// Where tokio stands in `NAMES`.
const TOKIO: usize = 1;

pub(crate) fn head(bench: &str, rounds: usize, test: bool) {
    if test {
        println!("{bench}: test mode, the numbers mean nothing");
    }
    println!("\n## {bench}, medians of {rounds}\n");
    print!("| row | unit |");
    NAMES.iter().for_each(|name| print!(" {name} |"));
    println!(" kasasagi / tokio | kasasagi / best |");
    println!("|---|---|{}---:|---:|", "---:|".repeat(NAMES.len()));
}

pub(crate) fn line(name: &str, unit: &str, values: &[Vec<f64>]) {
    print!("| {name} | {unit} |");
    for values in values {
        match values.is_empty() {
            true => print!(" |"),
            false => print!(" {} |", short(median(values))),
        }
    }
    let ratio = ratio_to_tokio(values);
    let ratio =
        ratio.map_or(String::new(), |(low, mid, high)| format!("{mid:.2} ({low:.2}–{high:.2})"));
    let best = ratio_to_best(values).map_or(String::new(), |ratio| format!("{ratio:.2}"));
    println!(" {ratio} | {best} |");
}

pub(crate) fn json(bench: &str, name: &str, unit: &str, values: &[Vec<f64>]) {
    for (peer, values) in NAMES.iter().zip(values).filter(|(_, values)| !values.is_empty()) {
        let all: Vec<String> = values.iter().map(f64::to_string).collect();
        println!(
            r#"{{"bench":"{bench}","row":"{name}","unit":"{unit}","peer":"{peer}","median":{},"rounds":[{}]}}"#,
            median(values),
            all.join(",")
        );
    }
}

/// The ratio of each round; its lower quartile, median and upper quartile.
fn ratio_to_tokio(values: &[Vec<f64>]) -> Option<(f64, f64, f64)> {
    let mut ratios: Vec<f64> =
        values[0].iter().zip(&values[TOKIO]).map(|(mine, its)| mine / its).collect();
    if ratios.is_empty() {
        return None;
    }
    let mut part = |part| crate::percentile(&mut ratios, part);
    Some((part(0.25), part(0.5), part(0.75)))
}

fn ratio_to_best(values: &[Vec<f64>]) -> Option<f64> {
    let mine = values.first().filter(|values| !values.is_empty())?;
    let others =
        values[1..].iter().filter(|values| !values.is_empty()).map(|values| median(values));
    let best = others.min_by(f64::total_cmp)?;
    Some(median(mine) / best)
}

fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e7 => format!("{value:.3e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
