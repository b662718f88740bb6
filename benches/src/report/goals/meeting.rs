//! The goals of what lets tasks meet: held against the better of tokio's and async-lock's or async-channel's.

use super::{Entry, Family, TIME, To};
use crate::report::measured::Key;

const fn best(at_most: f64, label: &'static str, key: Key<'static>) -> Entry {
    Entry { label, what: TIME, key, at_most: Some(at_most), to: To::TheBest }
}

const fn threads(at_most: f64, label: &'static str, key: Key<'static>) -> Entry {
    Entry { label, what: TIME, key, at_most: Some(at_most), to: To::Threads }
}

const fn shown(label: &'static str, key: Key<'static>) -> Entry {
    Entry { label, what: TIME, key, at_most: None, to: To::TheBest }
}

const fn lock(row: &'static str) -> Key<'static> {
    ("locks", row, "ns")
}

const fn queue(row: &'static str) -> Key<'static> {
    ("queues", row, "ns")
}

const fn channel(row: &'static str) -> Key<'static> {
    ("channels", row, "ns")
}

pub(super) const LOCKS: Family = Family {
    file: "locks",
    title: "Locks, permits, events",
    entries: &[
        best(0.80, "lock and unlock", lock("lock and unlock, one task")),
        best(0.80, "acquire and release", lock("acquire and release a permit, one task")),
        best(0.80, "event: set, wait, clear", lock("set an event, wait and clear it, one task")),
        best(0.50, "lock over a yield, 2 tasks", lock("lock held over a yield, 2 tasks")),
        best(0.50, "lock over a yield, 100 tasks", lock("lock held over a yield, 100 tasks")),
        best(0.50, "lock over a yield, 1,000 tasks", lock("lock held over a yield, 1000 tasks")),
        best(0.60, "short lock, 1,000 tasks", lock("short lock, 1000 tasks")),
        best(0.60, "semaphore(100), 1,000 tasks", lock("semaphore of 100, 1000 tasks")),
        best(0.60, "event set with 1,000 waiters", lock("event set with 1000 waiters, each")),
        best(0.60, "barrier of 100", lock("barrier of 100, each")),
        best(0.80, "RwLock, 95 % reads", lock("RwLock, 95 % reads, 100 tasks")),
        shown(
            "RwLock, 95 % reads, over yields",
            lock("RwLock, 95 % reads over a yield, 100 tasks"),
        ),
        threads(1.50, "lock and unlock, a thread", lock("lock and unlock, a thread")),
        shown("short lock, 4 threads", lock("short lock, 4 threads")),
    ],
};

pub(super) const CHANNELS: Family = Family {
    file: "channels",
    title: "Queues and channels",
    entries: &[
        best(0.50, "queue(100), one producer", queue("queue(100), one producer")),
        best(0.50, "queue(100), 10 producers", queue("queue(100), 10 producers")),
        best(0.50, "queue(100), 1,000 producers", queue("queue(100), 1000 producers")),
        best(0.50, "queue(1), ping-pong", queue("queue(1), ping-pong")),
        best(0.70, "unbounded queue, a pair", queue("unbounded queue, a pair")),
        best(0.60, "oneshot: create, send, receive", channel("oneshot, sent, then received")),
        best(0.90, "broadcast from 1 to 100", channel("broadcast to 100 tasks, per message")),
        best(0.90, "watch: update, observe", channel("watch, changed, then seen")),
        threads(1.50, "put and get, a thread", queue("queue(100), a thread puts and takes")),
        shown("put and get, two threads", queue("queue(100), from a thread to another")),
    ],
};
