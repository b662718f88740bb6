//! Goals: the rows that the charts show, and how much of a peer's figure kasasagi's may be.

mod lending;
mod meeting;
mod processes;

use super::measured::{Key, Measurements, Series, Spread};
use crate::column::{PEERS, PYTHON, RAYON, THREADPOOL, THREADS, index_of};

/// A chart, and its rows.
#[derive(Debug)]
pub(super) struct Family {
    /// The chart's file, without `.svg`.
    pub(super) file: &'static str,
    pub(super) title: &'static str,
    pub(super) entries: &'static [Entry],
}

/// A row of a chart, and of the table of goals if there is one for it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) label: &'static str,
    /// What is compared: time, processor time, bytes.
    pub(super) what: &'static str,
    pub(super) key: Key<'static>,
    /// kasasagi's figure divided by that of whom it is held against.
    pub(super) at_most: Option<f64>,
    pub(super) to: To,
}

/// Whom kasasagi is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Tokio,
    /// The async peer that is hardest to beat in the row.
    TheBest,
    /// A primitive for threads, from threads.
    Threads,
    Rayon,
    Threadpool,
    Python,
}

impl Entry {
    /// The column that it is held against, and the ratio to it.
    pub(super) fn held_against(&self, series: &Series) -> Option<(usize, Spread)> {
        let column = match self.to {
            To::Tokio => 1,
            To::Threads => index_of(THREADS),
            To::Rayon => index_of(RAYON),
            To::Threadpool => index_of(THREADPOOL),
            To::Python => index_of(PYTHON),
            To::TheBest => series.best_of(&OTHERS)?.0,
        };
        Some((column, series.ratio(0, column)?))
    }

    /// Whether the goal is met, if there is one.
    pub(super) fn is_met(&self, series: &Series) -> bool {
        let ratio = self.held_against(series).map(|(_, ratio)| ratio.mid);
        self.at_most.zip(ratio).is_some_and(|(at_most, ratio)| ratio <= at_most)
    }
}

/// All async peers but kasasagi.
const OTHERS: [usize; PEERS - 1] = [1, 2, 3];

const fn goal(at_most: f64, label: &'static str, what: &'static str, key: Key<'static>) -> Entry {
    Entry { label, what, key, at_most: Some(at_most), to: To::Tokio }
}

const fn shown(label: &'static str, what: &'static str, key: Key<'static>) -> Entry {
    Entry { label, what, key, at_most: None, to: To::Tokio }
}

const TIME: &str = "time";
const CPU: &str = "processor time";

/// All of them, in the order of the page.
pub(super) const FAMILIES: &[Family] = &[
    TASKS,
    TOGETHER,
    MESSAGES,
    meeting::LOCKS,
    meeting::CHANNELS,
    lending::LENDING,
    processes::PROCESSES,
    TIMERS,
    MEMORY,
    NETWORK,
];

const SPAWN: &str = "spawn";
const TASKS: Family = Family {
    file: "tasks",
    title: "Tasks",
    entries: &[
        goal(
            0.20,
            "spawn and join, batches of 1,000",
            TIME,
            (SPAWN, "spawn 1000 and join, inside", "ns"),
        ),
        goal(
            0.18,
            "spawn and join, batches of 1,000",
            CPU,
            (SPAWN, "spawn 1000 and join, inside", "ns cpu"),
        ),
        goal(0.20, "spawn, await, repeat", TIME, (SPAWN, "spawn, await, repeat, inside", "ns")),
        shown("spawn 1,000, detached", TIME, (SPAWN, "spawn 1000 detached, inside", "ns")),
        goal(
            0.20,
            "spawn from a foreign thread, detached",
            TIME,
            (SPAWN, "spawn from a foreign thread, detached", "ns"),
        ),
        goal(
            0.30,
            "spawn from a foreign thread, joined",
            TIME,
            (SPAWN, "spawn from a foreign thread, joined", "ns"),
        ),
        goal(
            0.10,
            "run(async { spawn(..).await })",
            TIME,
            (SPAWN, "run(spawn.await) on a runtime that exists", "ns"),
        ),
        goal(0.30, "chained spawn", TIME, (SPAWN, "chained spawn", "ns")),
        goal(0.35, "fork-join tree", TIME, (SPAWN, "fork-join tree, fib", "ns")),
        goal(0.45, "yield, 1,000 tasks", TIME, ("yield_now", "yield_now, 1000 tasks", "ns")),
        goal(0.15, "yield, one task", TIME, ("yield_now", "yield_now, one task", "ns")),
    ],
};

const GATHER: &str = "gather";
const PROMISE: &str = "promise";
const TOGETHER: Family = Family {
    file: "together",
    title: "Many tasks at once",
    entries: &[
        goal(0.40, "gather, 10 ready", TIME, (GATHER, "gather, 10 ready", "ns")),
        goal(0.40, "gather, 10 yielding", TIME, (GATHER, "gather, 10 yielding", "ns")),
        goal(0.40, "gather, 1,000 ready", TIME, (GATHER, "gather, 1000 ready", "ns")),
        goal(0.40, "gather, 1,000 yielding", TIME, (GATHER, "gather, 1000 yielding", "ns")),
        goal(0.40, "gather, 100,000 ready", TIME, (GATHER, "gather, 100000 ready", "ns")),
        goal(0.40, "gather, 100,000 yielding", TIME, (GATHER, "gather, 100000 yielding", "ns")),
        goal(0.50, "as_completed, 10,000 ready", TIME, (GATHER, "as_completed, 10000 ready", "ns")),
        goal(
            0.50,
            "as_completed, 10,000 yielding",
            TIME,
            (GATHER, "as_completed, 10000 yielding", "ns"),
        ),
        goal(0.50, "task group, 10 ready", TIME, (GATHER, "task group, 10 ready", "ns")),
        goal(0.50, "task group, 1,000 ready", TIME, (GATHER, "task group, 1000 ready", "ns")),
        goal(
            0.60,
            "promise, set, then awaited",
            TIME,
            (PROMISE, "promise, set, then awaited", "ns"),
        ),
        goal(
            0.60,
            "promise, awaited, set by a task",
            TIME,
            (PROMISE, "promise, awaited, set by a task", "ns"),
        ),
    ],
};

const PING: &str = "ping_pong";
const MESSAGES: Family = Family {
    file: "messages",
    title: "Messages and wakes",
    entries: &[
        goal(
            0.45,
            "ping-pong, one pair, async-channel",
            TIME,
            (PING, "ping-pong, one pair, async-channel", "ns"),
        ),
        goal(
            0.45,
            "ping-pong, one pair, futures-channel",
            TIME,
            (PING, "ping-pong, one pair, futures-channel", "ns"),
        ),
        goal(
            0.70,
            "ping-pong, 1,000 pairs, async-channel",
            TIME,
            (PING, "ping-pong, 1000 pairs, async-channel", "ns"),
        ),
        goal(
            0.70,
            "ping-pong, 1,000 pairs, futures-channel",
            TIME,
            (PING, "ping-pong, 1000 pairs, futures-channel", "ns"),
        ),
        goal(0.35, "two spawns, two oneshots", TIME, (PING, "two spawns, two oneshots", "ns")),
        goal(
            0.45,
            "wake from a foreign thread, p50",
            TIME,
            ("wake", "wake from a foreign thread", "ns p50"),
        ),
        goal(
            0.80,
            "wake from a foreign thread",
            CPU,
            ("wake", "wake from a foreign thread", "ns cpu"),
        ),
    ],
};

const T: &str = "timers";
const TIMERS: Family = Family {
    file: "timers",
    title: "Timers",
    entries: &[
        goal(0.35, "10,000 × sleep(10 ms)", CPU, (T, "10 000 × sleep(10 ms), joined", "ns cpu")),
        goal(
            0.30,
            "a million timers",
            CPU,
            (T, "1M tasks asleep, moments within 1 s", "ns cpu a timer"),
        ),
        goal(
            0.55,
            "a million timers",
            "peak memory",
            (T, "1M tasks asleep, moments within 1 s", "bytes at the peak, a timer"),
        ),
        goal(0.30, "timeout around a ready future", TIME, (T, "timeout, ready at once", "ns")),
        goal(
            0.20,
            "timeout registered, then cancelled",
            TIME,
            (T, "timeout, registered, then ready", "ns"),
        ),
        goal(
            0.20,
            "timeouts cancelled, 1,000 tasks",
            TIME,
            ("timeouts", "timeout, registered, then ready, 1000 tasks", "ns"),
        ),
        goal(
            0.50,
            "100,000 sleeping tasks cancelled",
            TIME,
            ("timeouts", "cancel 100000 sleeping tasks", "ns"),
        ),
        goal(
            0.10,
            "sleep(1 ms) late, idle, p50",
            TIME,
            ("timeouts", "sleep(1 ms) is late by, idle", "ns p50"),
        ),
        goal(
            0.10,
            "sleep(1 ms) late, under load, p50",
            TIME,
            ("timeouts", "sleep(1 ms) is late by, under load", "ns p50"),
        ),
    ],
};

const MEMORY: Family = Family {
    file: "memory",
    title: "Memory",
    entries: &[
        goal(0.70, "a task that waits", "heap", ("memory", "idle tasks", "heap bytes a task")),
        goal(
            0.50,
            "a task that waits",
            "resident",
            ("memory", "idle tasks", "resident bytes a task"),
        ),
        goal(
            0.75,
            "a connection that waits",
            "heap",
            ("memory", "idle TCP connections", "heap bytes a connection"),
        ),
        shown(
            "a connection that waits",
            "resident",
            ("memory", "idle TCP connections", "resident bytes a connection"),
        ),
    ],
};

const ECHO: &str = "tcp_echo";
const SERVER: &str = "ns cpu a request, server";
const NETWORK: Family = Family {
    file: "network",
    title: "Network",
    entries: &[
        goal(
            0.88,
            "TCP echo, 100 connections",
            "server's processor time",
            (ECHO, "echo, 100 connections", SERVER),
        ),
        goal(
            0.88,
            "TCP echo, 1,000 connections",
            "server's processor time",
            (ECHO, "echo, 1,000 connections", SERVER),
        ),
        goal(
            0.88,
            "TCP echo, 5,000 connections",
            "server's processor time",
            (ECHO, "echo, 5,000 connections", SERVER),
        ),
        goal(
            0.90,
            "HTTP hello, hyper",
            "server's processor time",
            ("http_hello", "HTTP hello, 64 connections", SERVER),
        ),
        shown(
            "HTTP hello, with a limit for heads",
            "server's processor time",
            ("http_hello", "HTTP hello, 64 connections, with a limit for heads", SERVER),
        ),
        goal(0.90, "10,000 fetches at once", TIME, ("fetch", "10,000 fetches at once", "ms wall")),
    ],
};

/// All entries of all families.
pub(super) fn entries() -> Vec<&'static Entry> {
    FAMILIES.iter().flat_map(|family| family.entries).collect()
}

/// Which of them kasasagi, tokio or whom they are held against have no figure for.
pub(super) fn missing(measured: &Measurements) -> Vec<String> {
    let lacks = |entry: &&&Entry| {
        let series = measured.find(entry.key);
        // There may be no python3.
        series.is_none_or(|series| entry.held_against(series).is_none() && entry.to != To::Python)
    };
    entries().iter().filter(lacks).map(|entry| format!("{:?}", entry.key)).collect()
}
