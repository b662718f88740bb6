//! Leads one task through its case.

use crate::LIMIT;
use crate::axes::{Cancel, Case, End, Flavour, Join, Wakers};
use crate::canceller::Canceller;
use crate::probe::{Output, Probe, Subject, put, take};
use crate::verdict::{self, Result};
use crate::waker::counted;
use kasasagi::{JoinError, Task, TaskRef, spawn, spawn_local, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

/// A task in the middle of its case.
pub(crate) struct Suspended {
    probe: Arc<Probe>,
    /// `None` once it was dropped.
    handle: Option<Task<Output>>,
    /// Only where something has to be cancelled later: it keeps the memory.
    reference: Option<TaskRef>,
    /// What the handle gave when it was polled.
    given: Option<std::result::Result<Output, JoinError>>,
}

/// Waits in a task, letting others run.
async fn until(what: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !what() {
        if start.elapsed() > LIMIT {
            return false;
        }
        yield_now().await;
    }
    true
}

/// Drops what may panic in its drop.
fn drop_caught<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        let second = catch_unwind(AssertUnwindSafe(|| drop(payload)));
        assert!(second.is_ok(), "a planted panic panics once");
    }
}

/// Drops a handle: no panic of what it drops may come out.
fn drop_handle<T>(probe: &Probe, handle: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(handle))) {
        probe.loud.store(true, Ordering::Release);
        drop_caught(payload);
    }
}

impl Suspended {
    fn case(&self) -> Case {
        self.probe.case
    }

    /// Polls the handle with the counted waker.
    fn poll_handle(&mut self) {
        let waker = counted(&self.probe);
        let Some(handle) = &mut self.handle else { return };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            Pin::new(&mut { handle }).poll(&mut Context::from_waker(&waker))
        }));
        match polled {
            Ok(Poll::Ready(output)) => self.given = Some(output),
            Ok(Poll::Pending) => {}
            Err(payload) => drop_caught(payload),
        }
        drop_caught(waker);
    }

    fn cancel(&self) {
        if let Some(handle) = &self.handle {
            handle.cancel();
        } else if let Some(reference) = &self.reference {
            reference.cancel();
        }
    }
}

/// Spawns the task and leads it to where it is suspended, or further if it does not wait.
pub(crate) async fn begin(case: Case, canceller: &Canceller) -> Suspended {
    let probe = Arc::new(Probe::new(case));
    let subject = Subject::new(&probe);
    let task = if case.flavour == Flavour::Local { spawn_local(subject) } else { spawn(subject) };
    let later = matches!(case.cancel, Cancel::Suspended | Cancel::Ended);
    let reference = later.then(|| task.handle());
    let mut this = Suspended { probe, handle: None, reference, given: None };
    if case.cancel == Cancel::ByAnother {
        canceller.order(task.handle(), &this.probe);
    }
    if case.cancel == Cancel::AtOnce {
        task.cancel();
    }
    match case.join {
        Join::DroppedAtOnce => drop_handle(&this.probe, task),
        Join::DroppedByTask => put(&this.probe.own_handle, task),
        _ => this.handle = Some(task),
    }
    let probe = Arc::clone(&this.probe);
    // A task that is cancelled at once may never be polled; then it is dropped.
    let reached = until(|| probe.in_poll.is_set() || probe.is_over()).await;
    assert!(reached, "{case:?}: it is neither polled nor dropped");
    if probe.in_poll.is_set() && case.cancel == Cancel::ByAnother {
        assert!(until(|| probe.cancelled.is_set()).await, "{case:?}: nobody cancelled it");
    } else if case.cancel == Cancel::ByAnother {
        // The canceller waits for the poll that never came.
        probe.in_poll.set();
    }
    if case.join.is_polled() {
        this.poll_handle();
    }
    if case.cancel == Cancel::Suspended {
        this.cancel();
    }
    if matches!(case.join, Join::DroppedSuspended | Join::PolledDroppedSuspended) {
        drop_handle(&this.probe, this.handle.take());
    }
    this
}

/// Ends the task, unless its runtime has, and judges.
pub(crate) async fn finish(mut this: Suspended) -> std::result::Result<(), String> {
    let case = this.case();
    let probe = Arc::clone(&this.probe);
    let waker = take(&probe.waker);
    if case.end == End::Itself {
        if let Some(waker) = waker {
            waker.wake();
        }
        if !until(|| probe.is_over()).await {
            return Err(format!("{case:?}: it does not end"));
        }
        if let Some(handle) = &this.handle {
            if this.given.is_none() && !until(|| handle.is_finished()).await {
                return Err(format!("{case:?}: its future is gone, and it has not ended"));
            }
        }
    } else {
        drop(waker);
    }
    if case.cancel == Cancel::Ended {
        this.cancel();
    }
    let result = this.join();
    drop(this.reference.take());
    drop_handle(&probe, take(&probe.own_handle));
    match (take(&probe.kept), case.wakers) {
        (Some(kept), Wakers::UsedAtTheEnd) => {
            kept.wake_by_ref();
            kept.wake();
        }
        (kept, _) => drop(kept),
    }
    // A worker may be dropping what nobody waits for.
    let settled = if case.end == End::Itself {
        until(|| verdict::balance(&probe).is_ok()).await
    } else {
        verdict::balance(&probe).is_ok()
    };
    let balance = verdict::balance(&probe);
    debug_assert_eq!(settled, balance.is_ok());
    balance.and(verdict::judge(&probe, result)).map_err(|text| format!("{case:?}: {text}"))
}

impl Suspended {
    /// What the handle says of the end; drops it.
    fn join(&mut self) -> Result {
        let given = self.given.take();
        let Some(mut handle) = self.handle.take() else {
            // It gave its output to the one poll, and was dropped.
            drop_caught(given);
            return Result::Unasked;
        };
        let taken = match self.case().join {
            Join::Awaited | Join::PolledAwaited | Join::Taken => {
                given.or_else(|| handle.try_take()).or_else(|| poll_now(&mut handle))
            }
            _ => {
                drop_caught(given);
                drop_handle(&self.probe, handle);
                return Result::Unasked;
            }
        };
        drop_handle(&self.probe, handle);
        match taken {
            None => Result::Missing,
            Some(Ok(output)) => {
                drop_caught(output);
                Result::Output
            }
            Some(Err(error)) if error.is_cancelled() => Result::Cancelled,
            Some(Err(error)) => {
                // The payload is ours to drop, and panics if it is made to.
                drop_caught(error.into_panic().ok());
                Result::Panicked
            }
        }
    }
}

/// Polls a handle whose task has ended.
fn poll_now(handle: &mut Task<Output>) -> Option<std::result::Result<Output, JoinError>> {
    match Pin::new(&mut { handle }).poll(&mut Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
