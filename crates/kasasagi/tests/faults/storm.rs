//! The echo under a storm of signals, each of which interrupts whatever system call waits.

use crate::echo::echo;
use crate::outcome::{Outcome, Settings};
use std::sync::atomic::{AtomicU64, Ordering};

static SIGNALS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Sends SIGALRM every `every` microseconds; 0 ends it.
fn every(microseconds: libc::suseconds_t) {
    let time = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let timer = libc::itimerval { it_interval: time, it_value: time };
    // SAFETY: the timer is readable, and the old one is not asked for.
    let result =
        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    assert_eq!(result, 0, "a timer can be set");
}

/// Without SA_RESTART: every call that can be interrupted is.
pub(crate) fn storm(settings: &Settings) -> Outcome {
    // SAFETY: all zeros is a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the action is readable, and its handler only adds to an atomic.
    let result = unsafe { libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()) };
    assert_eq!(result, 0, "a signal can be handled");
    every(settings.number("every_us", 200) as libc::suseconds_t);
    let mut outcome = echo(settings);
    every(0);
    outcome.injected = SIGNALS.load(Ordering::Relaxed);
    outcome
}
