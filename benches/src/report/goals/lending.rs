//! The goals of closures lent to threads: held against the async peers' own ways, pools of threads, and rayon.

use super::{Entry, Family, TIME, To};
use crate::report::measured::Key;

const fn held(to: To, at_most: f64, label: &'static str, row: &'static str) -> Entry {
    Entry { label, what: TIME, key: lending(row), at_most: Some(at_most), to }
}

const fn lending(row: &'static str) -> Key<'static> {
    ("lending", row, "ns")
}

pub(super) const LENDING: Family = Family {
    file: "lending",
    title: "Closures lent to threads",
    entries: &[
        held(
            To::TheBest,
            0.50,
            "lent and awaited, one by one",
            "closure lent and awaited, one by one",
        ),
        held(To::Tokio, 0.05, "100,000 lent at once", "100k closures lent at once"),
        held(To::Tokio, 0.06, "lent, 64 in flight", "closures lent, 64 in flight"),
        Entry {
            label: "100 that block for 10 ms, all at once",
            what: "ms",
            key: ("lending", "100 closures that block for 10 ms", "ms"),
            at_most: None,
            to: To::Tokio,
        },
        held(
            To::Threads,
            0.80,
            "lent by a thread, which waits",
            "closure lent by a thread, which waits",
        ),
        held(
            To::Threadpool,
            0.80,
            "lent by a thread, which waits, beside threadpool",
            "closure lent by a thread, which waits",
        ),
        held(To::Rayon, 1.10, "map over 1M cheap items", "map over 1M cheap items"),
        held(To::Rayon, 1.05, "map over 20 sums of squares", "map over 20 sums of squares"),
    ],
};
