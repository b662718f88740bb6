//! Suite: the rows of all benches, run for every column, round by round.
//!
//! ```text
//! cargo bench -p kasasagi-benches -- [BENCH ...] [--test] [--rounds N] [--peer NAME] [--row TEXT] [--out FILE]
//!     [--strace]
//! ```

use crate::column::{FLOOR, NAMES, PEERS, WithPeer, index_of, with_peer};
use crate::peer::Peer;
use crate::record::{Measured, Record};
use crate::row::{Beside, ChildRow, Figure, Row};
use crate::strace::Strace;
use crate::{allocator, process};
use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What is to be run, and where the figures go.
#[derive(Debug)]
pub struct Suite {
    bench: Cell<&'static str>,
    ran: Cell<usize>,
    /// Each workload once, and small: do they still run?
    pub test: bool,
    /// System calls are counted, and nothing else.
    pub strace: bool,
    rounds: usize,
    columns: Vec<usize>,
    benches: Vec<String>,
    row: Option<String>,
    child: Option<(String, usize)>,
    record: RefCell<Record>,
}

impl Suite {
    /// Reads the arguments of the process.
    pub fn from_arguments() -> Self {
        let mut suite = Self {
            bench: Cell::new(""),
            ran: Cell::new(0),
            test: false,
            strace: false,
            rounds: 7,
            columns: (0..NAMES.len()).collect(),
            benches: Vec::new(),
            row: None,
            child: None,
            record: RefCell::new(Record::to_stdout(false)),
        };
        let (mut out, mut quiet) = (None, false);
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
            match arg.as_str() {
                "--test" => suite.test = true,
                "--strace" => suite.strace = true,
                "--quiet" => quiet = true,
                "--rounds" => suite.rounds = value().parse().expect("a number of rounds"),
                "--peer" => suite.columns = vec![index_of(&value())],
                "--row" => suite.row = Some(value()),
                "--out" => out = Some(PathBuf::from(value())),
                "--child" => suite.child = Some((value(), index_of(&value()))),
                // What cargo adds.
                "--bench" => {}
                other if !other.starts_with('-') => suite.benches.push(other.into()),
                other => panic!("no such argument: {other}"),
            }
        }
        if suite.test || suite.strace {
            suite.rounds = 1;
        }
        if suite.strace && !Strace::is_there() {
            eprintln!("strace is not installed: no system calls counted");
            std::process::exit(if suite.test { 0 } else { 1 });
        }
        if suite.child.is_none() {
            suite.record = RefCell::new(match out {
                Some(out) => Record::to_file(&out, suite.rounds, suite.test, quiet),
                None => Record::to_stdout(quiet),
            });
        }
        suite
    }

    /// Runs the rows of one bench, if it is wanted.
    pub fn bench(&self, name: &'static str, rows: impl FnOnce(&Self)) {
        let named = |wanted: &String| wanted == name;
        if self.child.is_some() || self.benches.is_empty() || self.benches.iter().any(named) {
            self.bench.set(name);
            rows(self);
        }
    }

    /// How many rows ran; they are to be at least one.
    pub fn ran(&self) -> usize {
        self.ran.get()
    }

    /// Times a row in this process.
    pub fn row(&self, row: &impl Row) {
        self.row_without(row, &[]);
    }

    /// As `row`, without peers for which it makes no sense.
    pub fn row_without(&self, row: &impl Row, without: &[&str]) {
        let name = row.name();
        let ops = if self.test { (row.ops() / 100).max(1) } else { row.ops() };
        if let Some((wanted, index)) = &self.child {
            if *wanted == name {
                trace_me(*index, row, ops);
            }
        } else if self.wants(&name) && self.strace {
            self.children(&name, None, without, |index| self.traced(&name, index));
        } else if self.wants(&name) {
            self.timed(row, ops, without);
        }
    }

    fn timed(&self, row: &impl Row, ops: u64, without: &[&str]) {
        let beside = row.beside();
        let has =
            |index: &usize| *index < PEERS || beside.iter().any(|one| one.column == NAMES[*index]);
        let columns: Vec<usize> = self.columns_without(without).into_iter().filter(has).collect();
        let one = |index| Run { row, ops, beside: &beside }.with_column(index);
        let begin = process::load_average();
        let mut values: [Vec<Vec<f64>>; 4] = std::array::from_fn(|_| vec![Vec::new(); NAMES.len()]);
        // The first round warms up, unless it is the only one.
        for round in 0..self.rounds + usize::from(!self.test) {
            for turn in 0..columns.len() {
                let index = columns[(turn + round) % columns.len()];
                let before = (process::cpu_ns(), process::voluntary_switches());
                let figure = one(index);
                let each = |before: u64, after: u64| (after - before) as f64 / ops as f64;
                if round > 0 || self.test {
                    values[0][index].push(figure);
                    values[1][index].push(each(before.0, process::cpu_ns()));
                    values[2][index].push(each(before.1, process::voluntary_switches()));
                }
            }
        }
        // Counting costs time, so it has a turn of its own.
        for index in columns {
            let calls = allocator::during(|| _ = one(index));
            values[3][index].push(calls as f64 / ops as f64);
        }
        let figures = [row.unit(), "ns cpu", "context switches", "allocations"];
        let load = [begin, process::load_average()];
        for (figure, values) in figures.into_iter().zip(&values) {
            if figure != "ns cpu" || row.has_cpu() {
                self.figure(&row.name(), figure, values, Some(ops), None, load);
            }
        }
        self.ran.set(self.ran.get() + 1);
    }

    /// Measures a row in a child process for each peer and round.
    pub fn child_row(&self, row: &impl ChildRow) {
        self.child_row_without(row, &[]);
    }

    /// As `child_row`, without peers for which it makes no sense.
    pub fn child_row_without(&self, row: &impl ChildRow, without: &[&str]) {
        let name = row.name();
        if let Some((wanted, index)) = &self.child {
            if *wanted == name {
                let figures = RunChild { row, test: self.test }.with_column(*index);
                figures.iter().for_each(|figure| println!("{}", figure.line()));
                std::process::exit(0);
            }
        } else if !self.strace {
            let note = row.note();
            self.children(&name, note.as_deref(), without, |index| self.child(&name, index));
        }
    }

    /// Measures figures by `one` for each column and round, whose order rotates; no figures, no column.
    pub fn children(
        &self,
        name: &str,
        note: Option<&str>,
        without: &[&str],
        one: impl Fn(usize) -> Vec<Figure>,
    ) {
        if self.child.is_some() || !self.wants(name) {
            return;
        }
        let begin = process::load_average();
        let columns = self.columns_without(without);
        let mut figures: Vec<(String, Vec<Vec<f64>>)> = Vec::new();
        for round in 0..self.rounds {
            for turn in 0..columns.len() {
                let index = columns[(turn + round) % columns.len()];
                for figure in one(index) {
                    let place = figures.iter().position(|(name, _)| *name == figure.name);
                    let place = place.unwrap_or_else(|| {
                        figures.push((figure.name.clone(), vec![Vec::new(); NAMES.len()]));
                        figures.len() - 1
                    });
                    figures[place].1[index].push(figure.value);
                }
            }
        }
        let load = [begin, process::load_average()];
        for (figure, values) in &figures {
            self.figure(name, figure, values, None, note, load);
        }
        self.ran.set(self.ran.get() + 1);
    }

    /// The name and column of the row of which this process is the child, if it is one.
    pub fn child_of(&self) -> Option<(&str, usize)> {
        self.child.as_ref().map(|(name, index)| (name.as_str(), *index))
    }

    /// The command that starts this program as the child of a row.
    pub fn child_command(&self, name: &str, index: usize) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.args(["--child", name, NAMES[index]]);
        if self.test {
            command.arg("--test");
        }
        command
    }

    fn child(&self, name: &str, index: usize) -> Vec<Figure> {
        let output = self.child_command(name, index).output().expect("the child starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}, {}: {errors}", NAMES[index]);
        String::from_utf8_lossy(&output.stdout).lines().filter_map(Figure::parse).collect()
    }

    /// The system calls of a row that is else timed in this process, in a child that waits for strace.
    fn traced(&self, name: &str, index: usize) -> Vec<Figure> {
        if index >= PEERS {
            return Vec::new();
        }
        let mut command = self.child_command(name, index);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the child starts");
        let mut ask = child.stdin.take().expect("it is piped");
        let mut answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut answer = move || {
            let mut line = String::new();
            answers.read_line(&mut line).expect("the child answers");
            line.trim().parse::<u64>().expect("a number of operations")
        };
        let ops = answer();
        let strace = Strace::attach(child.id()).expect("strace is installed");
        writeln!(ask, "go").expect("the child listens");
        answer();
        let calls = strace.end(ops as f64).expect("strace gives a summary");
        drop(ask);
        child.wait().expect("the child ends");
        calls
    }

    fn columns_without(&self, without: &[&str]) -> Vec<usize> {
        let kept = |index: &usize| !without.contains(&NAMES[*index]);
        self.columns.iter().copied().filter(kept).collect()
    }

    fn wants(&self, name: &str) -> bool {
        self.row.as_ref().is_none_or(|wanted| name.contains(wanted.as_str()))
    }

    fn figure(
        &self,
        row: &str,
        figure: &str,
        values: &[Vec<f64>],
        ops: Option<u64>,
        note: Option<&str>,
        load: [f64; 2],
    ) {
        let bench = self.bench.get();
        let measured = Measured { bench, row, figure, values, ops, note, load };
        self.record.borrow_mut().figure(bench, &measured);
    }
}

/// Runs a row between two lines from the parent, which attaches strace meanwhile.
fn trace_me(index: usize, row: &impl Row, ops: u64) -> ! {
    // Under strace everything takes ten times as long, or more.
    let ops = (ops / 10).max(1);
    let one = Run { row, ops, beside: &[] };
    one.with_column(index);
    println!("{ops}");
    let mut lines = io::stdin().lock().lines();
    let _go = lines.next();
    one.with_column(index);
    println!("{ops}");
    let _end = lines.next();
    std::process::exit(0);
}

struct Run<'a, R> {
    row: &'a R,
    ops: u64,
    beside: &'a [Beside],
}

impl<R: Row> Run<'_, R> {
    fn with_column(&self, index: usize) -> f64 {
        match self.beside.iter().find(|one| one.column == NAMES[index]) {
            Some(beside) => (beside.run)(self.ops),
            None => with_peer(index, self),
        }
    }
}

impl<R: Row> WithPeer for Run<'_, R> {
    type Output = f64;

    fn with<P: Peer>(&self, peer: P) -> f64 {
        self.row.run(peer, self.ops)
    }
}

struct RunChild<'a, R> {
    row: &'a R,
    test: bool,
}

impl<R: ChildRow> RunChild<'_, R> {
    fn with_column(&self, index: usize) -> Vec<Figure> {
        match index < PEERS {
            true => with_peer(index, self),
            false if NAMES[index] == FLOOR => self.row.floor(self.test).unwrap_or_default(),
            false => Vec::new(),
        }
    }
}

impl<R: ChildRow> WithPeer for RunChild<'_, R> {
    type Output = Vec<Figure>;

    fn with<P: Peer>(&self, peer: P) -> Vec<Figure> {
        self.row.run(peer, self.test)
    }
}
