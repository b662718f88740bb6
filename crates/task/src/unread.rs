//! What would be lost with a task: an output that nobody looked at, a panic that cannot be handed on.
//!
//! Whoever drops such an output (the handle, or the runner of a task without one) sends the report, and so it is sent
//! once. It goes to the hook of the runtime in which the task failed, remembered with the task when it did, since the
//! last handle may be dropped anywhere; and it is sent as if inside the task.

use crate::cell::{Ptr, guarded};
use crate::error::JoinError;
use crate::panic_site;
use kasasagi_primitive::report::{self, Hook, Report, ReportKind, Reported};
use kasasagi_primitive::sync::atomic::Ordering;
use std::any::Any;
use std::fmt;

/// The reason that a runtime gives to the tasks which it cancels at its end.
pub const SHUTDOWN: &str = "the runtime is shutting down";

/// Remembers the hook of the runtime on this thread: the task has just failed.
#[cold]
pub(crate) fn keep_hook(task: Ptr) {
    if let Some(hook) = report::current() {
        *task.cold_or_new().hook.lock() = Some(hook);
    }
}

/// Reports a panic that nobody looked at. A cancellation is nothing to report.
#[cold]
pub(crate) fn error(task: Ptr, error: &JoinError) {
    let Some(panic) = error.panic() else { return };
    if is_disregarded(task) {
        return;
    }
    let message = message(
        task,
        "a task panicked and nobody awaited it",
        "a task panicked while the runtime was shutting down",
    );
    let report = Report::new(ReportKind::TaskPanic, message).place(panic.place);
    // The payload's lock is held for the text alone: the hook is foreign code.
    let report = report.panic(&**panic.payload.lock());
    send(task, report);
}

/// Reports an error that nobody looked at.
#[cold]
pub(crate) fn failure(task: Ptr, failure: &dyn fmt::Display) {
    if is_disregarded(task) {
        return;
    }
    let message = message(
        task,
        "a task failed and nobody looked at its error",
        "a task failed while the runtime was shutting down",
    );
    send(task, Report::new(ReportKind::TaskError, message).error(failure));
}

fn is_disregarded(task: Ptr) -> bool {
    task.cold().is_some_and(|cold| cold.disregarded.load(Ordering::Acquire))
}

/// Reports a panic that can be handed to nobody, and drops its payload.
#[cold]
pub(crate) fn swallowed(what: &'static str, task: Option<Ptr>, payload: Box<dyn Any + Send>) {
    let report = Report::new(ReportKind::Drop, what).place(panic_site::take()).panic(&*payload);
    match task {
        Some(task) => send(task, report),
        None => report.send(),
    }
    if let Err(second) = guarded(|| drop(payload)) {
        // Twice is malice; the second one is leaked, as nothing else can be done with it safely.
        std::mem::forget(second);
    }
}

/// Drops a foreign value, and keeps a panic of it from whoever calls.
pub(crate) fn drop_of<T>(task: Option<Ptr>, value: T) {
    if let Err(payload) = guarded(|| drop(value)) {
        swallowed("a drop panicked where nobody could be told", task, payload);
    }
}

/// The one or the other, for a task that was asked to end since its runtime ends.
fn message(task: Ptr, usual: &'static str, at_shutdown: &'static str) -> &'static str {
    let shut = task.cold().is_some_and(|cold| cold.request.lock().is_shut());
    if shut { at_shutdown } else { usual }
}

fn send(task: Ptr, report: Report) {
    let (id, place) = (task.id().as_u64(), task.header().rest.spawned_at);
    let report = report.task(Reported::new(id, task.name(), place));
    let kept: Option<Hook> = task.cold().and_then(|cold| cold.hook.lock().clone());
    task.inside(|| report.send_to_kept(kept));
}
