//! A runtime of one thread, by hand: a future, a reactor that is turned while it waits, a pool of threads.

use kasasagi_blocking::{Config, Pool};
use kasasagi_reactor::Reactor;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// A test that takes as long has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

struct Due {
    is_due: AtomicBool,
    reactor: Reactor,
}

impl Wake for Due {
    fn wake(self: Arc<Self>) {
        self.is_due.store(true, Ordering::SeqCst);
        self.reactor.interrupt();
    }
}

/// Runs `future` to its end.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let (ended, watch) = channel::<()>();
    let name = std::thread::current().name().unwrap_or("?").to_owned();
    let watcher = std::thread::spawn(move || {
        if watch.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            let text = format!("test `{name}` did not end within {} s\n", LIMIT.as_secs());
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
            std::process::abort();
        }
    });
    let output = turn(future);
    drop(ended);
    // A process that ends meanwhile has lost what its thread has, says the leak check.
    let _ = watcher.join();
    output
}

fn turn<F: Future>(future: F) -> F::Output {
    let reactor = Reactor::new(1).expect("the system gives a poller");
    let pool = Pool::new(Config::default());
    let timers = reactor.timers();
    let _entered = (reactor.registry().enter(), timers.enter(Some(0)), pool.enter());
    let due = Arc::new(Due { is_due: AtomicBool::new(true), reactor: reactor.clone() });
    let waker = Waker::from(Arc::clone(&due));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if due.is_due.swap(false, Ordering::SeqCst) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
        } else {
            reactor.attend(reactor.deadline(0), 64);
        }
        reactor.look(64);
        reactor.fire(0, reactor.now());
    }
}

/// Waits until `done`, on a thread.
#[track_caller]
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LIMIT / 2, "{what}: not within {} s", LIMIT.as_secs() / 2);
        // It looks now and then: neither a process nor a file tells.
        std::thread::sleep(Duration::from_millis(1));
    }
}
