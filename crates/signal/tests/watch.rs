//! A watch sees each signal, is the only one, and leaves SIGINT as it found it. One test, since all of it belongs to
//! the process.
#![cfg(unix)]
#![allow(
    unsafe_code,
    reason = "the disposition is looked at and set by `sigaction`, as a program would"
)]

use kasasagi_signal::{CtrlC, NotWatched, is_main_thread};
use rustix::fd::OwnedFd;
use rustix::process::{Signal, getpid, kill_process};

fn press() {
    kill_process(getpid(), Signal::INT).expect("a process may signal itself");
}

/// What SIGINT does now, as an address.
fn action() -> libc::sighandler_t {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is installed, and there is room for what is.
    let code = unsafe { libc::sigaction(libc::SIGINT, std::ptr::null(), now.as_mut_ptr()) };
    assert_eq!(code, 0);
    // SAFETY: the call wrote it.
    unsafe { now.assume_init() }.sa_sigaction
}

fn set(action: libc::sighandler_t) {
    // SAFETY: the actions set are the default and to ignore it.
    unsafe { libc::signal(libc::SIGINT, action) };
}

/// How many signals were seen.
fn seen(fd: &OwnedFd) -> u32 {
    match kasasagi_signal::take(fd) {
        Ok(count) => count,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
        Err(error) => panic!("{error}"),
    }
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        assert!(start.elapsed().as_secs() < 30, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_watch_sees_each_signal_is_the_only_one_and_leaves_sigint_as_it_was() {
    // A shell starts what runs in the background with the signal ignored.
    set(libc::SIG_DFL);
    let mut watch = CtrlC::watch(100).expect("nothing is in the way");
    let fd = watch.take_fd();
    assert!(matches!(CtrlC::watch(1), Err(NotWatched::Watched)));
    assert_eq!(seen(&fd), 0);
    // The kernel may hand a signal to another thread, a moment later.
    for _ in 0..3 {
        press();
        eventually("the signal is seen", || seen(&fd) == 1);
    }
    drop(watch);
    assert_eq!(action(), libc::SIG_DFL);

    // After as many as were asked for, the default is back while the watch still is.
    let mut watch = CtrlC::watch(2).expect("nothing is in the way");
    let fd = watch.take_fd();
    press();
    eventually("the first is seen", || seen(&fd) == 1);
    assert_ne!(action(), libc::SIG_DFL);
    press();
    eventually("the second is seen", || seen(&fd) == 1);
    eventually("the default is back", || action() == libc::SIG_DFL);
    drop(watch);

    // Who ignores it is left alone, before and while.
    set(libc::SIG_IGN);
    assert!(matches!(CtrlC::watch(1), Err(NotWatched::Chosen)));
    assert_eq!(action(), libc::SIG_IGN);
    press();
    set(libc::SIG_DFL);
    let watch = CtrlC::watch(1).expect("nothing is in the way");
    set(libc::SIG_IGN);
    drop(watch);
    assert_eq!(action(), libc::SIG_IGN);
    set(libc::SIG_DFL);
    assert!(!std::thread::spawn(is_main_thread).join().expect("no panic"));
}
