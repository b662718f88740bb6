//! The error that a promise ended with, which somebody has to look at.
//!
//! The last who drops it unread reports it: an error that nobody sees is how programs lose their bugs.

use kasasagi_primitive::report::{self, Hook, Report, ReportKind};
use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering};
use std::fmt;
use std::panic::Location;

pub(super) struct Failure<E> {
    // None once it was given back to whoever was refused.
    error: Option<E>,
    // Boxed, so that promises which are kept are not larger for it.
    about: Box<About<E>>,
}

struct About<E> {
    /// Somebody has looked at the error.
    seen: AtomicBool,
    /// Says the error, whose type is known where it is set.
    says: fn(&E, Report) -> Report,
    /// The hook of the runtime in which it was set.
    hook: Option<Hook>,
    place: &'static Location<'static>,
}

impl<E: fmt::Debug> Failure<E> {
    pub(super) fn new(error: E, place: &'static Location<'static>) -> Self {
        let says = |error: &E, report: Report| report.error(&format_args!("{error:?}"));
        let about = About { seen: AtomicBool::new(false), says, hook: report::current(), place };
        Self { error: Some(error), about: Box::new(about) }
    }
}

impl<E> Failure<E> {
    /// The error, for somebody who reads it.
    pub(super) fn read(&self) -> &E {
        self.about.seen.store(true, Ordering::Relaxed);
        self.glance()
    }

    /// The error, for `Debug`, which is no reader.
    pub(super) fn glance(&self) -> &E {
        self.error.as_ref().expect("only a failure that was refused is taken apart")
    }

    /// The same error, for another promise.
    pub(super) fn copy(&self) -> Self
    where
        E: Clone,
    {
        let error = self.read().clone();
        let About { says, hook, place, .. } = &*self.about;
        let about = About { seen: AtomicBool::new(false), says: *says, hook: hook.clone(), place };
        Self { error: Some(error), about: Box::new(about) }
    }

    /// Takes the error out of a failure that was refused.
    pub(super) fn into_error(mut self) -> E {
        self.error.take().expect("only a failure that was refused is taken apart")
    }
}

impl<E> Failure<E> {
    #[cold]
    #[inline(never)]
    fn report_unseen(&mut self) {
        let about = &mut *self.about;
        let Some(error) = self.error.as_ref().filter(|_| !about.seen.load(Ordering::Relaxed))
        else {
            return;
        };
        let report = Report::new(
            ReportKind::PromiseError,
            "the error of a promise was never retrieved: await its `Pending`, or ask for `error`",
        )
        .place(Some(about.place.to_string().into()));
        (about.says)(error, report).send_to_kept(about.hook.take());
    }
}

impl<E> Drop for Failure<E> {
    // A call, so that dropping a promise that was kept is a few instructions.
    #[inline]
    fn drop(&mut self) {
        self.report_unseen();
    }
}
