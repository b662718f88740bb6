//! Ctrl-C while main runs: the first cancels it, the second no longer waits for it.
//!
//! No thread and no task: whoever serves the reactor finds the signal's pipe readable and wakes what watches it, a
//! waker that reads the pipe, asks main to end and waits for the next. So it works as well for a main that never
//! sleeps, since busy workers look outside too.

use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::sync::atomic::{AtomicU32, Ordering};
use kasasagi_primitive::tell::tell;
use kasasagi_reactor::{Async, Direction};
use kasasagi_signal::{CtrlC, Descriptor};
use kasasagi_task::TaskRef;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// What the tasks that it cancels are told.
pub(crate) const REASON: &str = "Ctrl-C";

/// When Ctrl-C is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Never.
    Never,
    /// Whatever thread runs main, and both signals are ours; the third is the system's.
    Always,
    /// Where the thread that runs main is the process's first; the second signal is the system's, and ends the
    /// process at once.
    OnMainThread,
}

/// Ctrl-C, watched until this is dropped.
pub(crate) struct Interrupt {
    shared: Option<Arc<Shared>>,
    // Dropped after what waits for it.
    _watch: Option<CtrlC>,
}

struct Shared {
    pipe: Mutex<Option<Async<Descriptor>>>,
    main: Mutex<Option<TaskRef>>,
    presses: AtomicU32,
}

impl Interrupt {
    /// Begins, on the thread that is about to run main, with its runtime entered. A program that handles the signal
    /// itself goes on doing so.
    pub(crate) fn watch(policy: Policy, debug: bool) -> Self {
        let times = match policy {
            Policy::Always => 2,
            Policy::OnMainThread if kasasagi_signal::is_main_thread() => 1,
            _ => return Self { shared: None, _watch: None },
        };
        let watched =
            CtrlC::watch(times).map_err(|error| error.to_string()).and_then(|mut watch| {
                let pipe = Async::new(watch.take_fd()).map_err(|error| error.to_string())?;
                Ok((watch, pipe))
            });
        match watched {
            Ok((watch, pipe)) => {
                let pipe = Mutex::new(Some(pipe));
                let shared =
                    Arc::new(Shared { pipe, main: Mutex::new(None), presses: AtomicU32::new(0) });
                shared.look();
                Self { shared: Some(shared), _watch: Some(watch) }
            }
            Err(error) => {
                if debug {
                    tell(error);
                }
                Self { shared: None, _watch: None }
            }
        }
    }

    /// This is the task to cancel.
    pub(crate) fn is_for(&self, main: TaskRef) {
        let Some(shared) = &self.shared else { return };
        let mut slot = shared.main.lock();
        // It may have been pressed before there was a main.
        let presses = shared.presses.load(Ordering::SeqCst);
        *slot = Some(main.clone());
        drop(slot);
        ask(&main, 0, presses);
    }

    /// Whether it is what ended main, which was cancelled: nobody else asked it to end, or it was given up.
    pub(crate) fn ended_main(&self) -> bool {
        let Some(shared) = &self.shared else { return false };
        match shared.presses.load(Ordering::SeqCst) {
            0 => false,
            1 => shared.main.lock().as_ref().is_some_and(|main| main.uncancel() == 0),
            _ => true,
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        let Some(shared) = &self.shared else { return };
        // The pipe keeps the waker, which keeps the pipe.
        let pipe = shared.pipe.lock().take();
        drop(pipe);
    }
}

impl Shared {
    /// Reads what is there, acts on it, and waits for more.
    fn look(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let mut cx = Context::from_waker(&waker);
        loop {
            let pipe = self.pipe.lock();
            let Some(watched) = &*pipe else { return };
            let polled = watched.poll_io(
                &mut cx,
                Direction::Read,
                Location::caller(),
                kasasagi_signal::take,
            );
            drop(pipe);
            match polled {
                Poll::Ready(Ok(count)) if count > 0 => self.pressed(count),
                // Pending; or the runtime ends, and nobody serves its reactor any more.
                _ => return,
            }
        }
    }

    fn pressed(&self, count: u32) {
        let slot = self.main.lock();
        let before = self.presses.fetch_add(count, Ordering::SeqCst);
        let main = slot.clone();
        drop(slot);
        if let Some(main) = main {
            ask(&main, before, before + count);
        }
    }
}

/// The first is a request like others, which main may swallow; the second gives main up.
fn ask(main: &TaskRef, before: u32, now: u32) {
    if before == 0 && now > 0 {
        main.cancel_with(REASON);
    }
    if now > 1 {
        main.cut(REASON);
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.look();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.look();
    }
}
