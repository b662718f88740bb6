//! Tables: the generated part of the page of results, and of the README.

use super::goal_table::goal_table;
use super::goals::{self, Entry, FAMILIES, Family};
use super::measured::{Kind, Measurements, Series};
use super::text::{count, figure_of, shown_ratio, value, wrapped};
use crate::column::{FLOOR, NAMES, PEERS, index_of};
use std::fmt::Write;

/// The async peers.
const ALL: [usize; 3] = [1, 2, 3];

/// The benches keep two workers and a generator of load busy; a load above that is somebody else's.
const QUIET: f64 = 4.0;

/// The page of results.
pub(super) fn page(measured: &Measurements) -> String {
    let mut page = wrapped(&circumstances(measured));
    page.push_str("\n\n## Goals\n\n");
    page.push_str(&goal_table(measured));
    for family in FAMILIES {
        let _ = write!(page, "\n## {}\n\n{}\n\n", family.title, family_text(family));
        let alt = format!("{}, kasasagi beside its peers", family.title);
        let _ = writeln!(page, "![{alt}](charts/{}.svg)\n", family.file);
        page.push_str(&figures(measured, family));
    }
    page.push_str("\n## Counts\n\n");
    page.push_str(&counts(measured));
    page
}

fn family_text(family: &Family) -> &'static str {
    match family.file {
        "memory" => "Bytes. The floor is the bare future in a box, and a server without a runtime.",
        "network" => {
            "The server in a process of its own; the floor is a loop over epoll on one thread."
        }
        "timers" => "The floor of a late sleep is that of a thread.",
        "locks" => {
            "kasasagi's, tokio's and async-lock's, each under its own runtime; the threads' is parking_lot's mutex."
        }
        "channels" => {
            "kasasagi's, tokio's and async-channel's, each under its own runtime; the threads' is crossbeam-channel's."
        }
        "lending" => {
            "`to_thread`, tokio's `spawn_blocking` and `blocking::unblock`; by a thread, a `ThreadPool` of two; the threads take boxed closures from a crossbeam-channel."
        }
        "processes" => {
            "A number to a worker process and a number back, the worker warm; Python's is `ProcessPoolExecutor`. The floor is 40 bytes to `cat` and back."
        }
        _ => {
            "The floor is the same futures, boxed and polled by hand on one thread, without a runtime."
        }
    }
}

/// Where, when and of what the figures are.
fn circumstances(measured: &Measurements) -> String {
    let said = |name| measured.said(name);
    let versions = [
        ("tokio", "tokio"),
        ("async-executor", "async-executor (smol)"),
        ("async-io", "async-io (smol)"),
        ("rayon", "rayon"),
        ("crossbeam-channel", "crossbeam-channel (threads)"),
        ("threadpool", "threadpool"),
        ("hyper", "hyper"),
        ("async-channel", "async-channel"),
        ("async-lock", "async-lock"),
        ("event-listener", "event-listener"),
        ("parking_lot", "parking_lot"),
        ("futures-channel", "futures-channel"),
    ];
    let versions =
        versions.map(|(name, shown)| format!("{shown} {}", measured.version(name))).join(", ");
    let loads: Vec<f64> =
        measured.loads.iter().flatten().copied().filter(|load| load.is_finite()).collect();
    let least = loads.iter().copied().fold(f64::INFINITY, f64::min);
    let most = loads.iter().copied().fold(0.0, f64::max);
    let runs = measured.timed_runs();
    format!(
        "kasasagi at `{}`, on {} with {} processors; {}, {}, {}; release with thin LTO, the system's malloc \
         on all sides, {} workers each. {versions}. Medians of {} rounds{}; the load average of a minute was {least:.1} to \
         {most:.1}, the benches' own threads included.{}",
        said("commit"),
        said("machine"),
        said("cores"),
        said("kernel"),
        said("rustc").split(" (").next().unwrap_or_default(),
        said("libc"),
        said("workers"),
        measured.rounds(),
        if runs > 1 { format!(" in each of {runs} runs") } else { String::new() },
        if most > QUIET {
            " **The machine was not quiet: its times are not to be trusted, and ratios little.**"
        } else {
            ""
        },
    )
}

/// All times and bytes of the benches of a family.
fn figures(measured: &Measurements, family: &Family) -> String {
    let benches: Vec<&str> = family.entries.iter().map(|entry| entry.key.0).collect();
    let wanted = |series: &&Series| {
        let kind =
            matches!(series.kind(), Kind::Time | Kind::Memory) || series.figure.contains("tick");
        kind && benches.contains(&series.bench.as_str())
    };
    let rows: Vec<&Series> = measured.figures.iter().filter(wanted).collect();
    let has =
        |column: &usize| *column < PEERS || rows.iter().any(|row| row.median(*column).is_some());
    let columns: Vec<usize> = (0..NAMES.len()).filter(has).collect();
    let mut text = String::from("| row | figure |");
    columns.iter().for_each(|column| text.push_str(&format!(" {} |", NAMES[*column])));
    text.push_str(" to tokio | to the best async peer |\n|---|---|");
    text.push_str(&"---:|".repeat(columns.len() + 2));
    text.push('\n');
    for series in &rows {
        let _ = write!(text, "| {} | {} |", series.row, figure_of(series));
        columns.iter().for_each(|column| text.push_str(&format!(" {} |", value(series, *column))));
        let ratio = series.ratio(0, 1).map_or(String::new(), shown_ratio);
        let best = series.best_of(&ALL).map_or(String::new(), |(_, ratio)| {
            let slower = series.kind() == Kind::Time && series.slower_than(&ALL).is_some();
            let mark = if slower { "**" } else { "" };
            format!("{mark}{:.2}{mark}", ratio.mid)
        });
        let _ = writeln!(text, " {ratio} | {best} |");
    }
    let mut notes: Vec<String> = rows
        .iter()
        .filter_map(|row| Some(format!("{}: {}", row.row, row.note.as_deref()?)))
        .collect();
    notes.dedup();
    notes.iter().for_each(|note| text.push_str(&format!("\n{note}.\n")));
    text
}

/// Context switches, allocations and system calls of each row, for the async peers.
fn counts(measured: &Measurements) -> String {
    let mut text = String::from(
        "For each operation: voluntary context switches of the process (the server's, where there is one), allocations, and\n\
         system calls under strace. Under strace a worker sleeps at other moments than it would.\n\n\
         | row | switches: kasasagi | tokio | smol | smol-static | allocations: kasasagi | tokio | smol | smol-static |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for series in measured.figures.iter().filter(|series| series.figure == "context switches") {
        rows.push((&series.bench, &series.row));
    }
    for (bench, row) in rows {
        let _ = write!(text, "| {row} |");
        for figure in ["context switches", "allocations"] {
            let series = measured.find((bench, row, figure));
            for column in 0..PEERS {
                let count =
                    series.and_then(|series| series.median(column)).map_or(String::new(), count);
                let _ = write!(text, " {count} |");
            }
        }
        text.push('\n');
    }
    text.push_str(&calls(measured));
    text
}

/// System calls of each row, by name, where they were counted.
fn calls(measured: &Measurements) -> String {
    let rows: Vec<&Series> =
        measured.figures.iter().filter(|one| one.figure == "system calls").collect();
    if rows.is_empty() {
        return String::from("\nSystem calls were not counted in this run.\n");
    }
    let mut text =
        String::from("\n| row | system calls: kasasagi | tokio | smol |\n|---|---|---|---|\n");
    for all in rows {
        let _ = write!(text, "| {} |", all.row);
        for column in 0..3 {
            let of_row = |one: &&Series| one.bench == all.bench && one.row == all.row;
            let mut each: Vec<(f64, &str)> = measured
                .figures
                .iter()
                .filter(of_row)
                .filter_map(|one| {
                    Some((one.median(column)?, one.figure.strip_prefix("calls of ")?))
                })
                .filter(|(calls, _)| *calls >= 0.005)
                .collect();
            each.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
            let names: Vec<String> =
                each.iter().map(|(calls, name)| format!("{name} {calls:.2}")).collect();
            let sum = all.median(column).map_or(String::new(), |sum| format!("{sum:.2}"));
            let detail =
                if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
            let _ = write!(text, " {sum}{detail} |");
        }
        text.push('\n');
    }
    text
}

/// The chart and the sentences of the README.
pub(super) fn readme(measured: &Measurements) -> String {
    let ratio = |label: &str, what: &str| {
        let entry =
            goals::entries().into_iter().find(|entry| entry.label == label && entry.what == what);
        let series = entry.and_then(|entry| measured.find(entry.key));
        series
            .and_then(|series| series.ratio(0, 1))
            .map_or("?".into(), |ratio| format!("{:.2}", ratio.mid))
    };
    let with_goal = goals::entries().into_iter().filter(|entry| entry.at_most.is_some());
    let is_met =
        |entry: &&Entry| measured.find(entry.key).is_some_and(|series| entry.is_met(series));
    let (all, met) = (with_goal.clone().count(), with_goal.filter(is_met).count());
    wrapped(&format!(
        "![Tasks: kasasagi beside its peers, tokio's time is 1](docs/src/performance/charts/tasks.svg)\n\n\
         - **Tasks.** Of tokio's time: spawn and join {}, a turn of one among 1,000 tasks {}, a round of ping-pong \
         between two tasks {}, a wake from a foreign thread {}.\n\
         - **Timers and memory.** Of tokio's: processor time for a million timers {}, for a timeout that is cancelled \
         {}; the lateness of a `sleep(1 ms)` {}; heap of a task that waits {}, of a connection that waits {}.\n\
         - **Network.** Of tokio's processor time in the server: an echoed message on 1,000 connections {}, an \
         HTTP request through hyper {}. {met} of {all} [goals](docs/src/performance/results.md) are met, and the page \
         says which are not.\n\n\
         Medians at `{}` on {}, {} processors, beside tokio {}. Again: `benches/run && benches/report`. What \
         these numbers do not show: [how we measure](docs/src/performance/how-we-measure.md).",
        ratio("spawn and join, batches of 1,000", "time"),
        ratio("yield, 1,000 tasks", "time"),
        ratio("ping-pong, one pair, async-channel", "time"),
        ratio("wake from a foreign thread, p50", "time"),
        ratio("a million timers", "processor time"),
        ratio("timeout registered, then cancelled", "time"),
        ratio("sleep(1 ms) late, idle, p50", "time"),
        ratio("a task that waits", "heap"),
        ratio("a connection that waits", "heap"),
        ratio("TCP echo, 1,000 connections", "server's processor time"),
        ratio("HTTP hello, hyper", "server's processor time"),
        measured.said("commit"),
        measured.said("machine"),
        measured.said("cores"),
        measured.version("tokio"),
    ))
}

/// The column of the floor.
pub(super) fn floor() -> usize {
    index_of(FLOOR)
}
