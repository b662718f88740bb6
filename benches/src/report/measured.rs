//! Measured: the lines of all runs, put together; and what can be asked of them.

use crate::column::NAMES;
use crate::row::percentile;
use serde_json::Value;
use std::collections::BTreeMap;

/// Which figure: bench, row, figure.
pub(super) type Key<'a> = (&'a str, &'a str, &'a str);

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Measurements {
    /// The head line of each run, in the order of the files.
    pub(super) runs: Vec<Value>,
    /// In the order in which they were measured first.
    pub(super) figures: Vec<Series>,
    /// The load average at the begin and the end of each row.
    pub(super) loads: Vec<[f64; 2]>,
}

/// One figure, of all columns.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) bench: String,
    pub(super) row: String,
    pub(super) figure: String,
    pub(super) note: Option<String>,
    /// The rounds of each run, by column.
    columns: BTreeMap<usize, Vec<Vec<f64>>>,
}

/// A median with its quartiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) low: f64,
    pub(super) mid: f64,
    pub(super) high: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        if values.is_empty() {
            return None;
        }
        let mut part = |part| percentile(&mut values, part);
        Some(Self { low: part(0.25), mid: part(0.5), high: part(0.75) })
    }
}

/// What a figure is about, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Time,
    Memory,
    Count,
    Calls,
}

impl Series {
    pub(super) fn key(&self) -> Key<'_> {
        (&self.bench, &self.row, &self.figure)
    }

    pub(super) fn kind(&self) -> Kind {
        match self.figure.split(' ').next() {
            Some("ns" | "µs" | "ms") => Kind::Time,
            Some("heap" | "resident" | "bytes" | "MB") => Kind::Memory,
            Some("system" | "calls") => Kind::Calls,
            _ => Kind::Count,
        }
    }

    /// The median of all rounds of all runs.
    pub(super) fn median(&self, column: usize) -> Option<f64> {
        let rounds = self.columns.get(&column)?.concat();
        Spread::of(rounds).map(|spread| spread.mid)
    }

    /// A column's figure divided by another's, round by round, over all runs.
    pub(super) fn ratio(&self, column: usize, to: usize) -> Option<Spread> {
        Spread::of(self.ratios(column, to)?.concat())
    }

    /// The same, the median of each run.
    fn ratio_of_each_run(&self, column: usize, to: usize) -> Vec<f64> {
        let runs = self.ratios(column, to).unwrap_or_default();
        runs.into_iter().filter_map(Spread::of).map(|spread| spread.mid).collect()
    }

    fn ratios(&self, column: usize, to: usize) -> Option<Vec<Vec<f64>>> {
        let (one, other) = (self.columns.get(&column)?, self.columns.get(&to)?);
        let of_run = |(one, other): (&Vec<f64>, &Vec<f64>)| {
            one.iter().zip(other).map(|(one, other)| one / other).collect()
        };
        Some(one.iter().zip(other).map(of_run).collect())
    }

    /// The peer of these that is hardest to beat, and kasasagi's ratio to it.
    pub(super) fn best_of(&self, peers: &[usize]) -> Option<(usize, Spread)> {
        let each = peers.iter().filter_map(|peer| Some((*peer, self.ratio(0, *peer)?)));
        each.max_by(|a, b| a.1.mid.total_cmp(&b.1.mid))
    }

    /// The peer of these than which kasasagi is slower by more than a twentieth, in every run.
    pub(super) fn slower_than(&self, peers: &[usize]) -> Option<usize> {
        let slower = |peer: &&usize| {
            let runs = self.ratio_of_each_run(0, **peer);
            !runs.is_empty() && runs.iter().all(|ratio| *ratio > 1.05)
        };
        let all: Vec<usize> = peers.iter().filter(slower).copied().collect();
        self.best_of(&all).map(|(peer, _)| peer)
    }
}

impl Measurements {
    /// Reads lines; those of the same figure of several runs are put together.
    pub(super) fn parse(lines: &str) -> Result<Self, String> {
        let mut all = Self::default();
        for (number, line) in lines.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let wrong = |why: &str| format!("line {}: {why}", number + 1);
            let value: Value =
                serde_json::from_str(line).map_err(|error| wrong(&error.to_string()))?;
            if value["row"].is_null() {
                all.runs.push(value);
                continue;
            }
            all.add(&value).ok_or_else(|| wrong("a field is missing or of a wrong kind"))?;
        }
        match all.figures.is_empty() {
            true => Err("nothing was measured".into()),
            false => Ok(all),
        }
    }

    fn add(&mut self, value: &Value) -> Option<()> {
        let field = |name: &str| value[name].as_str();
        let key = (field("bench")?, field("row")?, field("figure")?);
        let column = NAMES.iter().position(|name| Some(*name) == field("peer"))?;
        let load = |i: usize| value["load"][i].as_f64().unwrap_or(f64::NAN);
        self.loads.push([load(0), load(1)]);
        let rounds =
            value["rounds"].as_array()?.iter().map(|round| round.as_f64().unwrap_or(f64::NAN));
        let place = self.figures.iter().position(|series| series.key() == key);
        let place = place.unwrap_or_else(|| {
            self.figures.push(Series {
                bench: key.0.into(),
                row: key.1.into(),
                figure: key.2.into(),
                note: field("note").map(Into::into),
                columns: BTreeMap::new(),
            });
            self.figures.len() - 1
        });
        self.figures[place].columns.entry(column).or_default().push(rounds.collect());
        Some(())
    }

    /// The figure of this name.
    pub(super) fn find(&self, key: Key<'_>) -> Option<&Series> {
        self.figures.iter().find(|series| series.key() == key)
    }

    /// Runs that took times; a pass that counted system calls is none.
    pub(super) fn timed_runs(&self) -> usize {
        let has = |series: &&Series| series.kind() == Kind::Time;
        let runs = self.figures.iter().filter(has).filter_map(|series| series.columns.get(&0));
        runs.map(Vec::len).max().unwrap_or(0)
    }

    /// Rounds of a run that took times.
    pub(super) fn rounds(&self) -> u64 {
        self.runs.iter().filter_map(|run| run["rounds"].as_u64()).max().unwrap_or(0)
    }

    /// A field of the first run.
    pub(super) fn said(&self, name: &str) -> String {
        match self.runs.first().map(|run| &run[name]) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => "unknown".into(),
            Some(other) => other.to_string(),
        }
    }

    /// The version of a peer.
    pub(super) fn version(&self, name: &str) -> &str {
        self.runs.first().and_then(|run| run["versions"][name].as_str()).unwrap_or("unknown")
    }

    /// Why these figures may not be published.
    pub(super) fn unfit(&self) -> Option<String> {
        let any = |test: &dyn Fn(&Value) -> bool| self.runs.iter().any(test);
        let commit = |run: &Value| run["commit"].clone();
        if self.runs.is_empty() || any(&|run| commit(run) != commit(&self.runs[0])) {
            return Some("the runs are not all of one commit".into());
        }
        if any(&|run| run["test"] != false) {
            return Some("a run was in test mode".into());
        }
        if any(&|run| run["optimised"] != true) {
            return Some("a run was not optimised".into());
        }
        any(&|run| run["changed"] != false).then(|| "the work tree differed from its commit".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(peer: &str, rounds: &str) -> String {
        format!(
            r#"{{"bench":"b","row":"r","figure":"ns","peer":"{peer}","rounds":[{rounds}],"note":null}}"#
        )
    }

    #[test]
    fn ratios_are_those_of_rounds_and_not_of_medians() {
        let lines = [line("kasasagi", "1,4,9"), line("tokio", "2,2,3")].join("\n");
        let all = Measurements::parse(&lines).expect("the lines are well formed");
        let ratio = all.figures[0].ratio(0, 1).expect("both were measured");
        assert_eq!((ratio.low, ratio.mid, ratio.high), (0.5, 2.0, 2.0));
    }

    #[test]
    fn slower_is_slower_in_every_run() {
        let run = |mine: &str| [line("kasasagi", mine), line("smol", "10,10,10")].join("\n");
        let both = |one: &str, other: &str| {
            let all = Measurements::parse(&[run(one), run(other)].join("\n")).expect("well formed");
            all.figures[0].slower_than(&[1, 2])
        };
        assert_eq!(both("11,11,11", "12,12,12"), Some(2));
        assert_eq!(both("11,11,11", "10,10,10"), None);
        assert_eq!(both("10,10,10", "10,10,10"), None);
    }

    #[test]
    fn a_line_that_is_broken_is_named() {
        let error = Measurements::parse("{}\nnot json").expect_err("the second is broken");
        assert!(error.starts_with("line 2"), "{error}");
    }
}
