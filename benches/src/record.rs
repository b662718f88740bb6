//! Record: where measured figures go; a Markdown table for the eye, and lines of JSON for the report.

use crate::column::{NAMES, PEERS, WORKERS};
use crate::row::{median, percentile};
use serde_json::{Value, json};
use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

/// The figures of one row, named and with their unit, of all columns and rounds.
pub(crate) struct Measured<'a> {
    pub(crate) bench: &'a str,
    pub(crate) row: &'a str,
    pub(crate) figure: &'a str,
    /// Of each column, in the order of [`NAMES`]; empty where it was not measured.
    pub(crate) values: &'a [Vec<f64>],
    /// How many operations one sample had, if that is known.
    pub(crate) ops: Option<u64>,
    pub(crate) note: Option<&'a str>,
    /// The load average when the row began and when it ended.
    pub(crate) load: [f64; 2],
}

/// Where they go.
#[derive(Debug)]
pub(crate) struct Record {
    run: String,
    file: Option<File>,
    quiet: bool,
    /// The bench that the last printed table is about.
    table: Cell<&'static str>,
}

impl Record {
    /// Tables only.
    pub(crate) fn to_stdout(quiet: bool) -> Self {
        Self { run: String::new(), file: None, quiet, table: Cell::new("") }
    }

    /// Tables, and lines at the end of a file.
    pub(crate) fn to_file(path: &Path, rounds: usize, test: bool, quiet: bool) -> Self {
        let mut file =
            File::options().create(true).append(true).open(path).expect("the file opens");
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
        let commit = output("git", &["rev-parse", "--short=10", "HEAD"]);
        let changed = !output("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
        let run = format!("{commit}-{now}");
        let line = json!({
            "run": run, "commit": commit, "changed": changed, "seconds": now,
            "machine": machine(), "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "kernel": output("uname", &["-sr"]), "rustc": output("rustc", &["--version"]),
            "libc": output("getconf", &["GNU_LIBC_VERSION"]),
            "optimised": !cfg!(debug_assertions),
            "workers": WORKERS, "rounds": rounds, "test": test, "versions": versions(),
        });
        writeln!(file, "{line}").expect("the file takes a line");
        Self { run, file: Some(file), quiet, table: Cell::new("") }
    }

    /// Prints a line of the table, and writes one of JSON for each column.
    pub(crate) fn figure(&mut self, bench: &'static str, measured: &Measured<'_>) {
        if !self.quiet {
            if self.table.replace(bench) != bench {
                head(bench);
            }
            line(measured);
        }
        let Some(file) = &mut self.file else { return };
        for (column, values) in
            NAMES.iter().zip(measured.values).filter(|(_, values)| !values.is_empty())
        {
            let line = json!({
                "run": self.run, "bench": measured.bench, "row": measured.row, "figure": measured.figure,
                "peer": column, "rounds": values, "median": median(values), "ops": measured.ops,
                "note": measured.note, "load": measured.load,
            });
            // At once: what was measured is kept when a later row fails.
            writeln!(file, "{line}").expect("the file takes a line");
        }
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let model =
        line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, model)| model.trim());
    let guest = text.lines().any(|line| line.starts_with("flags") && line.contains(" hypervisor"));
    format!("{model}{}", if guest { ", a guest of a hypervisor" } else { "" })
}

/// The versions of the peers, from the lock file.
fn versions() -> Value {
    const WANTED: [&str; 13] = [
        "tokio",
        "async-executor",
        "async-io",
        "rayon",
        "crossbeam-channel",
        "threadpool",
        "hyper",
        "smol-hyper",
        "async-channel",
        "async-lock",
        "event-listener",
        "parking_lot",
        "futures-channel",
    ];
    let text = include_str!("../../Cargo.lock");
    let mut versions = serde_json::Map::new();
    for package in text.split("[[package]]") {
        let field = |name: &str| {
            let line =
                package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""))?;
            line.strip_suffix('"')
        };
        let (Some(name), Some(version)) = (field("name"), field("version")) else { continue };
        if WANTED.contains(&name) {
            versions.insert(name.into(), version.into());
        }
    }
    versions.into()
}

fn head(bench: &str) {
    print!("\n## {bench}\n\n| row | figure |");
    NAMES.iter().for_each(|name| print!(" {name} |"));
    println!(" to tokio | to the best peer |");
    println!("|---|---|{}---:|---:|", "---:|".repeat(NAMES.len()));
}

fn line(measured: &Measured<'_>) {
    print!("| {} | {} |", measured.row, measured.figure);
    for values in measured.values {
        match values.is_empty() {
            true => print!(" |"),
            false => print!(" {} |", short(median(values))),
        }
    }
    let ratio = ratios(measured.values, 1).map_or(String::new(), |mut ratios| {
        let mut part = |part| percentile(&mut ratios, part);
        format!("{:.2} ({:.2}–{:.2})", part(0.5), part(0.25), part(0.75))
    });
    let to_peer = (1..PEERS).filter_map(|peer| ratios(measured.values, peer));
    let best = to_peer.map(|ratios| median(&ratios)).max_by(f64::total_cmp);
    println!(" {ratio} | {} |", best.map_or(String::new(), |ratio| format!("{ratio:.2}")));
}

/// kasasagi's figure of each round divided by that of a peer.
fn ratios(values: &[Vec<f64>], peer: usize) -> Option<Vec<f64>> {
    let ratios: Vec<f64> =
        values[0].iter().zip(&values[peer]).map(|(mine, its)| mine / its).collect();
    (!ratios.is_empty()).then_some(ratios)
}

/// A figure in three digits or so.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e7 => format!("{value:.3e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size == 0.0 || size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.2e}"),
    }
}
