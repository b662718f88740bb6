//! What the system knows of this process: processor time, context switches, memory, limits, load.
#![allow(unsafe_code, reason = "getrusage is a call of libc")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::fs;

/// User and system time of all threads so far, in nanoseconds.
pub fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Voluntary context switches of all threads so far: how often one of them went to sleep.
pub fn voluntary_switches() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is writable and as large as the call asks for.
    let failed = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    assert_eq!(failed, 0, "a process may ask for its own usage");
    // SAFETY: all zeros are a value of the type, and the call succeeded.
    let usage = unsafe { usage.assume_init() };
    usage.ru_nvcsw as u64
}

/// The memory in use now and the most that was in use, in bytes.
pub fn resident() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = |name| field(&status, name).unwrap_or_default() * 1024;
    (kilobytes("VmRSS:"), kilobytes("VmHWM:"))
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line[name.len()..].split_whitespace().next()?.parse().ok()
}

/// How many files the process may have open, after it was raised to the most that it may be raised to.
pub fn open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // Where it may not be raised, the lower one holds, and that is what is given.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |most| most as usize)
}

/// How many threads were running or waiting for a processor, over the last minute.
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(f64::NAN)
}
