//! The table of goals: one part held against tokio, the other against the better of the peers.

use super::goals::{self, Entry, To};
use super::measured::{Kind, Measurements, Series, Spread};
use super::text::{shown_ratio, value};
use crate::column::{FLOOR, NAMES, PYTHON, RAYON, THREADPOOL, THREADS, index_of};
use std::fmt::Write;

/// The peers that the goals of the first part do not name: kasasagi is to be no slower than any of them.
const OTHERS: [usize; 2] = [2, 3];
const ALL: [usize; 3] = [1, 2, 3];

/// What is counted on the way.
#[derive(Default)]
struct Tally {
    met: usize,
    all: usize,
    slower: usize,
    missed: String,
}

impl Tally {
    /// Counts a row; its ratio, its verdict, and whom it is slower than.
    fn count(&mut self, entry: &Entry, at_most: f64, series: &Series) -> [String; 3] {
        self.all += 1;
        let ratio = entry.held_against(series).map(|(_, ratio)| ratio);
        let is_met = entry.is_met(series);
        self.met += usize::from(is_met);
        if !is_met {
            let _ = writeln!(self.missed, "{}", missed_line(entry, ratio, at_most));
        }
        let slower = (series.kind() == Kind::Time).then(|| series.slower_than(&ALL)).flatten();
        self.slower += usize::from(slower.is_some());
        let verdict = if is_met { "met" } else { "**missed**" };
        let flag = slower.map_or(String::new(), |peer| format!("**slower** than {}", NAMES[peer]));
        [ratio.map_or(String::new(), shown_ratio), verdict.into(), flag]
    }
}

pub(super) fn goal_table(measured: &Measurements) -> String {
    let mut text = String::from(
        "kasasagi's figure divided by a peer's, round by round; below 1 is in kasasagi's favour. In brackets the quartiles. A\n\
         row of time is **slower** where the median ratio to a peer is above 1.05 in every run.\n\n\
         | workload | what | kasasagi | tokio | to tokio | goal | | to the better smol | |\n\
         |---|---|---:|---:|---:|---:|---|---:|---|\n",
    );
    let mut tally = Tally::default();
    let all = goals::entries();
    let (to_tokio, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|entry| entry.to == To::Tokio);
    let (to_python, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|entry| entry.to == To::Python);
    for (entry, at_most) in with_goal(&to_tokio) {
        let Some(series) = measured.find(entry.key) else {
            let (label, what) = (entry.label, entry.what);
            let _ = writeln!(text, "| {label} | {what} | | | | {at_most:.2} | not measured | | |");
            continue;
        };
        let [ratio, verdict, flag] = tally.count(entry, at_most, series);
        let better = series.best_of(&OTHERS).map_or(String::new(), |(_, ratio)| shown_ratio(ratio));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {ratio} | {at_most:.2} | {verdict} | {better} | {flag} |",
            entry.label,
            entry.what,
            value(series, 0),
            value(series, 1),
        );
    }
    text.push_str(&meeting(measured, &others, &mut tally));
    text.push_str(&processes(measured, &to_python, &mut tally));
    let Tally { met, all, slower, missed } = tally;
    let _ = write!(
        text,
        "\n**{met} of {all} goals are met; {slower} of these rows are slower than a peer.**\n"
    );
    if !missed.is_empty() {
        let _ = write!(text, "\nMissed:\n\n{missed}");
    }
    text
}

/// What lets tasks meet.
fn meeting(measured: &Measurements, entries: &[&Entry], tally: &mut Tally) -> String {
    let mut text = String::from(
        "\nWhat lets tasks meet is held against the better of tokio's and async-lock's or async-channel's, each under its own\n\
         runtime; from plain threads, against parking_lot's mutex and crossbeam-channel. All are times.\n\n\
         | workload | kasasagi | tokio | smol | smol-static | rayon | threads | threadpool | the better | to it | goal | | |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---|---:|---:|---|---|\n",
    );
    for (entry, at_most) in with_goal(entries) {
        let Some(series) = measured.find(entry.key) else {
            let label = entry.label;
            let _ = writeln!(text, "| {label} | | | | | | | | | | {at_most:.2} | not measured | |");
            continue;
        };
        let [ratio, verdict, flag] = tally.count(entry, at_most, series);
        let _ = write!(text, "| {} |", entry.label);
        for column in (0..=3).chain([RAYON, THREADS, THREADPOOL].map(index_of)) {
            let _ = write!(text, " {} |", value(series, column));
        }
        let better = entry.held_against(series).map_or("", |(column, _)| NAMES[column]);
        let _ = writeln!(text, " {better} | {ratio} | {at_most:.2} | {verdict} | {flag} |");
    }
    text
}

/// Functions in worker processes.
fn processes(measured: &Measurements, entries: &[&Entry], tally: &mut Tally) -> String {
    let mut text = String::from(
        "\nFunctions in worker processes are held against Python's `ProcessPoolExecutor`; a call is to take 60 µs at most.\n\n\
         | workload | kasasagi | python | floor | to python | goal | |\n\
         |---|---:|---:|---:|---:|---:|---|\n",
    );
    for (entry, at_most) in with_goal(entries) {
        let found = measured.find(entry.key);
        // There may be no python3.
        let Some(series) = found.filter(|series| entry.held_against(series).is_some()) else {
            let label = entry.label;
            let _ = writeln!(text, "| {label} | | | | | {at_most:.2} | not measured |");
            continue;
        };
        let [ratio, verdict, _] = tally.count(entry, at_most, series);
        let [ours, pythons, floor] =
            [0, index_of(PYTHON), index_of(FLOOR)].map(|column| value(series, column));
        let label = entry.label;
        let _ = writeln!(
            text,
            "| {label} | {ours} | {pythons} | {floor} | {ratio} | {at_most:.2} | {verdict} |"
        );
    }
    text
}

fn with_goal<'a>(entries: &'a [&'a Entry]) -> impl Iterator<Item = (&'a Entry, f64)> {
    entries.iter().filter_map(|entry| Some((*entry, entry.at_most?)))
}

fn missed_line(entry: &Entry, ratio: Option<Spread>, at_most: f64) -> String {
    let by = ratio.map_or("without a ratio".into(), |ratio| {
        format!(
            "{:.2} instead of {at_most:.2}, {:.0} % above",
            ratio.mid,
            (ratio.mid / at_most - 1.0) * 100.0
        )
    });
    format!("- {}, {}: {by}", entry.label, entry.what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of one round of a row.
    fn lines((bench, row, figure): (&str, &str, &str), peers: &[(&str, u64)]) -> String {
        let line = |(peer, time): &(&str, u64)| {
            format!(
                r#"{{"bench":"{bench}","row":"{row}","figure":"{figure}","peer":"{peer}","rounds":[{time}]}}"#
            )
        };
        peers.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn key(label: &str) -> (&'static str, &'static str, &'static str) {
        let entry = goals::entries().into_iter().find(|entry| entry.label == label);
        entry.expect("it has a goal").key
    }

    #[test]
    fn a_goal_is_held_against_the_better_peer_whoever_that_is() {
        let peers = [("kasasagi", 70), ("tokio", 200), ("smol", 100), ("smol-static", 120)];
        let text = lines(key("lock and unlock"), &peers);
        let table = goal_table(&Measurements::parse(&text).expect("well formed"));
        assert!(table.contains("| smol | 0.70 (0.70–0.70) | 0.80 | met |"), "{table}");
        let text = lines(key("short lock, 1,000 tasks"), &peers);
        let table = goal_table(&Measurements::parse(&text).expect("well formed"));
        assert!(table.contains("| smol | 0.70 (0.70–0.70) | 0.60 | **missed** |"), "{table}");
    }

    #[test]
    fn a_goal_of_processes_is_held_against_python() {
        let peers = [("kasasagi", 60), ("python", 100), ("floor", 10)];
        let text = lines(key("a call, the median"), &peers);
        let table = goal_table(&Measurements::parse(&text).expect("well formed"));
        assert!(table.contains("| 0.60 (0.60–0.60) | 0.50 | **missed** |"), "{table}");
        assert!(table.contains("**0 of 1 goals are met; 0 of these"), "{table}");
    }

    #[test]
    fn a_goal_of_threads_is_held_against_threads() {
        let peers = [("kasasagi", 140), ("tokio", 70), ("threads", 100)];
        let text = lines(key("lock and unlock, a thread"), &peers);
        let table = goal_table(&Measurements::parse(&text).expect("well formed"));
        assert!(
            table.contains("| threads | 1.40 (1.40–1.40) | 1.50 | met | **slower** than tokio |"),
            "{table}"
        );
        assert!(table.contains("**1 of 1 goals are met; 1 of these"), "{table}");
    }
}
