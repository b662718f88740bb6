//! What happens to jobs, with real processes. Each test runs under the usual harness: workers are entered before it.
#![allow(unsafe_code, reason = "jobs crash in ways that only unsafe code can")]
#![cfg(unix)]

mod crashes;
mod drive;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod entered;
mod jobs;
mod lives;
mod races;
mod results;
mod starts;
mod strangers;
