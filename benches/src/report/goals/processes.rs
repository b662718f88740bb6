//! The goals of functions in worker processes: held against Python's.

use super::{Entry, Family, TIME, To};

pub(super) const PROCESSES: Family = Family {
    file: "processes",
    title: "Worker processes",
    entries: &[Entry {
        label: "a call, the median",
        what: TIME,
        key: ("process_pool", "process pool, a call, median", "ns"),
        at_most: Some(0.50),
        to: To::Python,
    }],
};
