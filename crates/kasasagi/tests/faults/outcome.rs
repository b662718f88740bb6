//! What a workload was told, and what came of it.

use crate::bytes;
use crate::measure::{Baseline, cpu};
use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::io;
use std::time::Duration;

/// The words `key=value` of the command line.
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    pub(crate) fn new(words: impl Iterator<Item = String>) -> Self {
        let pair =
            |word: String| word.split_once('=').map(|(key, value)| (key.into(), value.into()));
        Self(words.filter_map(pair).collect())
    }

    pub(crate) fn number(&self, key: &str, default: u64) -> u64 {
        self.0.get(key).map_or(default, |value| value.parse().expect("a number"))
    }

    pub(crate) fn word(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    pub(crate) fn size(&self, key: &str, default: usize) -> usize {
        self.0.get(key).map_or(default, |value| value.parse().expect("a number"))
    }

    pub(crate) fn time(&self, key: &str, default_ms: u64) -> Duration {
        Duration::from_millis(self.number(key, default_ms))
    }
}

/// What came of a workload. Everything that was wanted is done, or lost to an error that is counted.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) wanted: u64,
    pub(crate) done: u64,
    pub(crate) lost: u64,
    /// What was injected by the workload itself: signals, resets.
    pub(crate) injected: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) failed: Vec<String>,
}

/// An error's name: its kind, or the number that has none.
pub(crate) fn name_of(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<kasasagi::net::AddrErrors>());
    let inner = inner.and_then(|errors| errors.attempts().last()).map(|(_, error)| error);
    let error = inner.unwrap_or(error);
    let kind = format!("{:?}", error.kind());
    match error.raw_os_error() {
        Some(number) if kind == "Uncategorized" => format!("errno{number}"),
        _ => kind,
    }
}

impl Outcome {
    pub(crate) fn error(&mut self, step: &str, error: &io::Error) {
        self.error_named(format!("{step}:{}", name_of(error)));
    }

    pub(crate) fn error_named(&mut self, name: String) {
        *self.errors.entry(name).or_default() += 1;
    }

    /// A promise that did not hold.
    pub(crate) fn fail(&mut self, what: impl Display) {
        let text = what.to_string();
        eprintln!("faults: {text}");
        self.failed.push(text);
    }

    pub(crate) fn count(&mut self, what: &'static str, n: u64) {
        *self.counts.entry(what).or_default() += n;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.wanted += other.wanted;
        self.done += other.done;
        self.lost += other.lost;
        self.injected += other.injected;
        for (name, n) in other.errors {
            *self.errors.entry(name).or_default() += n;
        }
        for (name, n) in other.counts {
            *self.counts.entry(name).or_default() += n;
        }
        self.failed.extend(other.failed);
    }

    pub(crate) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// The line for the runner.
    pub(crate) fn tell(&self, before: &Baseline) -> String {
        let after = before.settle();
        let errors: Vec<_> = self.errors.iter().map(|(name, n)| format!("{name}*{n}")).collect();
        let mut line = format!(
            "wanted={} done={} lost={} injected={} errors={} fds={}/{} threads={}/{} left_kib={} peak_kib={} cpu_ms={}",
            self.wanted,
            self.done,
            self.lost,
            self.injected,
            if errors.is_empty() { "-".into() } else { errors.join(",") },
            before.descriptors,
            after.descriptors,
            before.threads,
            after.threads,
            after.bytes.saturating_sub(before.bytes) / 1024,
            bytes::peak() / 1024,
            cpu().as_millis(),
        );
        for (name, n) in &self.counts {
            write!(line, " {name}={n}").expect("a string takes all");
        }
        writeln!(line, " failed={}", self.failed.len()).expect("a string takes all");
        line
    }
}
