//! Suite: the rows of one benchmark, run for every peer, and printed.
//!
//! ```text
//! cargo bench -p kasasagi-benches --bench NAME -- [--test] [--json] [--rounds N] [--peer NAME] [--row TEXT]
//! ```

use crate::peer::{Kasasagi, Peer, Smol, SmolStatic, Tokio};
use crate::{process, table};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

/// Workers of each peer.
pub const WORKERS: usize = 2;

/// A workload that is timed in this process, the peers taking turns.
pub trait Row {
    /// What is done.
    fn name(&self) -> String;

    /// How often in one sample; in test mode a hundredth of it, at least one.
    fn ops(&self) -> u64;

    /// What the wall figure counts.
    fn unit(&self) -> &'static str {
        "ns"
    }

    /// Whether the processor time means something.
    fn has_cpu(&self) -> bool {
        true
    }

    /// Does it `ops` times; returns the figure, by [`per_op`] for most.
    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64;
}

/// One measured figure of a row that runs in a child process.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What was measured, with its unit.
    pub name: String,
    /// How much.
    pub value: f64,
}

impl Figure {
    /// A figure.
    pub fn new(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value }
    }
}

/// A workload that is measured in a child process for each peer.
pub trait ChildRow {
    /// What is done.
    fn name(&self) -> String;

    /// Does it, in the child.
    fn run<P: Peer>(&self, peer: P, test: bool) -> Vec<Figure>;
}

/// Nanoseconds since `start`, for each of `ops`.
pub fn per_op(start: Instant, ops: u64) -> f64 {
    start.elapsed().as_nanos() as f64 / ops as f64
}

/// The value below which `part` of the values lie.
pub fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * part) as usize).copied().unwrap_or(f64::NAN)
}

/// The median.
pub fn median(values: &[f64]) -> f64 {
    percentile(&mut values.to_vec(), 0.5)
}

/// The peer, started at its first use.
pub fn peer<P: Peer>() -> P {
    // One cell for each type: statics in generic functions are shared by all types.
    static PEERS: OnceLock<[OnceLock<Box<dyn std::any::Any + Send + Sync>>; 4]> = OnceLock::new();
    let index = NAMES.iter().position(|name| *name == P::NAME).expect("a peer of the table");
    let cell = &PEERS.get_or_init(Default::default)[index];
    *cell
        .get_or_init(|| Box::new(P::start(WORKERS)))
        .downcast_ref::<P>()
        .expect("the cell of this peer")
}

/// The peers in the order of the tables.
pub const NAMES: [&str; 4] = [Kasasagi::NAME, Tokio::NAME, Smol::NAME, SmolStatic::NAME];

/// The rows of one benchmark.
#[derive(Debug)]
pub struct Suite {
    bench: &'static str,
    /// Each workload once, and small: do they still run?
    pub test: bool,
    json: bool,
    rounds: usize,
    peers: Vec<usize>,
    row: Option<String>,
    child: Option<(String, usize)>,
}

impl Suite {
    /// Reads the arguments of the process.
    pub fn new(bench: &'static str) -> Self {
        let mut suite = Self {
            bench,
            test: false,
            json: false,
            rounds: 7,
            peers: (0..NAMES.len()).collect(),
            row: None,
            child: None,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
            match arg.as_str() {
                "--test" => suite.test = true,
                "--json" => suite.json = true,
                "--rounds" => suite.rounds = value().parse().expect("a number of rounds"),
                "--peer" => suite.peers = vec![index_of(&value())],
                "--row" => suite.row = Some(value()),
                "--child" => suite.child = Some((value(), index_of(&value()))),
                // What cargo adds, and what a benchmark reads by itself.
                "--bench" | "--strace" => {}
                other => panic!("no such argument: {other}"),
            }
        }
        if suite.test {
            suite.rounds = 1;
        }
        if suite.child.is_none() && !suite.json {
            table::head(bench, suite.rounds, suite.test);
        }
        suite
    }

    /// Times a row in this process.
    pub fn row(&self, row: &impl Row) {
        self.row_without(row, &[]);
    }

    /// As `row`, without peers for which it makes no sense.
    pub fn row_without(&self, row: &impl Row, without: &[&str]) {
        if self.child.is_some() || !self.wants(&row.name()) {
            return;
        }
        let ops = if self.test { (row.ops() / 100).max(1) } else { row.ops() };
        let peers = self.peers_without(without);
        let mut wall = vec![Vec::new(); NAMES.len()];
        let mut cpu = vec![Vec::new(); NAMES.len()];
        // The first round warms up, unless it is the only one.
        for round in 0..self.rounds + usize::from(!self.test) {
            for turn in 0..peers.len() {
                let index = peers[(turn + round) % peers.len()];
                let before = process::cpu_ns();
                let figure = with_peer(index, &Run { row, ops });
                let used = (process::cpu_ns() - before) as f64 / ops as f64;
                if round > 0 || self.test {
                    wall[index].push(figure);
                    cpu[index].push(used);
                }
            }
        }
        self.print(&row.name(), row.unit(), &wall);
        if row.has_cpu() {
            self.print(&row.name(), "ns cpu", &cpu);
        }
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
                for figure in with_peer(*index, &RunChild { row, test: self.test }) {
                    println!("{}\t{}", figure.value, figure.name);
                }
                std::process::exit(0);
            }
            return;
        }
        if self.wants(&name) {
            self.children(&name, without, |index| self.child(&name, index));
        }
    }

    /// Measures figures by `one` for each peer and round; the peers' order rotates.
    pub fn children(&self, name: &str, without: &[&str], one: impl Fn(usize) -> Vec<Figure>) {
        if self.child.is_some() || !self.wants(name) {
            return;
        }
        let peers = self.peers_without(without);
        let mut figures: Vec<(String, Vec<Vec<f64>>)> = Vec::new();
        for round in 0..self.rounds {
            for turn in 0..peers.len() {
                let index = peers[(turn + round) % peers.len()];
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
        for (unit, values) in &figures {
            self.print(name, unit, values);
        }
    }

    /// Whether this process is the child for the row of this name, and of which peer.
    pub fn child_of(&self, name: &str) -> Option<usize> {
        self.child.as_ref().filter(|(wanted, _)| wanted == name).map(|(_, index)| *index)
    }

    /// The command that starts this benchmark as the child of a row.
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
        let parse = |line: &str| {
            let (value, name) = line.split_once('\t')?;
            Some(Figure::new(name, value.parse().ok()?))
        };
        String::from_utf8_lossy(&output.stdout).lines().filter_map(parse).collect()
    }

    fn peers_without(&self, without: &[&str]) -> Vec<usize> {
        let kept = |index: &usize| !without.contains(&NAMES[*index]);
        self.peers.iter().copied().filter(kept).collect()
    }

    fn wants(&self, name: &str) -> bool {
        self.row.as_ref().is_none_or(|wanted| name.contains(wanted.as_str()))
    }

    fn print(&self, name: &str, unit: &str, values: &[Vec<f64>]) {
        if self.json {
            table::json(self.bench, name, unit, values);
        } else {
            table::line(name, unit, values);
        }
    }
}

fn index_of(name: &str) -> usize {
    let index = NAMES.iter().position(|known| *known == name);
    index.unwrap_or_else(|| panic!("no such peer: {name}"))
}

/// Something to be done with a peer that is known by its number.
pub trait WithPeer {
    /// What comes of it.
    type Output;
    /// Does it.
    fn with<P: Peer>(&self, peer: P) -> Self::Output;
}

/// Does it with the peer of this number.
pub fn with_peer<W: WithPeer>(index: usize, what: &W) -> W::Output {
    match NAMES[index] {
        Kasasagi::NAME => what.with(peer::<Kasasagi>()),
        Tokio::NAME => what.with(peer::<Tokio>()),
        Smol::NAME => what.with(peer::<Smol>()),
        _ => what.with(peer::<SmolStatic>()),
    }
}

struct Run<'a, R> {
    row: &'a R,
    ops: u64,
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

impl<R: ChildRow> WithPeer for RunChild<'_, R> {
    type Output = Vec<Figure>;

    fn with<P: Peer>(&self, peer: P) -> Vec<Figure> {
        self.row.run(peer, self.test)
    }
}
