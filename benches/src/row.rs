//! Row: a workload, and the figures that come of it.

use crate::peer::Peer;
use std::fmt;
use std::time::Instant;

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

    /// The same without a runtime of futures: pools of threads, and the floor.
    fn beside(&self) -> Vec<Beside> {
        Vec::new()
    }
}

/// One column of a row beside the async peers'.
pub struct Beside {
    /// Which; one of [`NAMES`](crate::column::NAMES).
    pub column: &'static str,
    /// Does it so many times; returns the figure.
    pub run: Box<dyn Fn(u64) -> f64>,
}

impl Beside {
    /// A column.
    pub fn new(column: &'static str, run: impl Fn(u64) -> f64 + 'static) -> Self {
        Self { column, run: Box::new(run) }
    }
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Beside").field(&self.column).finish()
    }
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

    /// As a line for the parent.
    pub fn line(&self) -> String {
        format!("{}\t{}", self.value, self.name)
    }

    /// From a child's line.
    pub fn parse(line: &str) -> Option<Self> {
        let (value, name) = line.split_once('\t')?;
        Some(Self::new(name, value.parse().ok()?))
    }
}

/// A workload that is measured in a child process for each peer.
pub trait ChildRow {
    /// What is done.
    fn name(&self) -> String;

    /// In what it differs from its name on this machine.
    fn note(&self) -> Option<String> {
        None
    }

    /// Does it, in the child.
    fn run<P: Peer>(&self, peer: P, test: bool) -> Vec<Figure>;

    /// The least that the machine asks for it, in a child too.
    fn floor(&self, _test: bool) -> Option<Vec<Figure>> {
        None
    }
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
