//! Closures on threads: what `to_thread`, executors and thread pools promise.

mod exec;
#[path = "../behaviour/flavour.rs"]
#[expect(dead_code, reason = "shared with the other behaviours")]
mod flavour;
mod from_threads;
mod par;
mod pools;
mod stay;
mod support;
