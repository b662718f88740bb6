//! Closures that borrow, lent to threads that know nothing of it.
//!
//! It is modelled in `crates/blocking/tests/loom`, and so uses nothing of this crate.
#![allow(
    unsafe_code,
    reason = "a closure that borrows is lent to a thread, and is gone before the borrow ends"
)]

use kasasagi_blocking::{JobInfo, Unblock, Work, lend};
use kasasagi_primitive::sync::{Arc, Condvar, Mutex};
use std::mem;

/// Closures that borrow, on threads that know nothing of it. Dropped, it waits until they are gone.
#[derive(Default)]
pub(super) struct Scope(Arc<Count>);

#[derive(Default)]
struct Count {
    lent: Mutex<usize>,
    gone: Condvar,
}

/// Says that a closure is gone, however it went.
struct Token(Arc<Count>);

impl Drop for Token {
    fn drop(&mut self) {
        *self.0.lent.lock() -= 1;
        self.0.gone.notify_all();
    }
}

/// Fields are dropped in this order.
struct Borrowing {
    f: Box<dyn FnOnce() + Send>,
    token: Token,
}

impl Borrowing {
    fn run(self) {
        let Self { f, token } = self;
        // Gone when it returns, or unwinds; the token after it.
        f();
        drop(token);
    }
}

impl Scope {
    /// Lends a closure; what is returned takes it back, if it has not started, when it is dropped.
    pub(super) fn lend<'a>(
        &'a self,
        execute: impl FnOnce(Work),
        info: JobInfo,
        f: &'a (impl Fn() + Sync),
    ) -> Unblock<()> {
        let f: Box<dyn FnOnce() + Send + 'a> = Box::new(f);
        // SAFETY: only the lifetime is changed. The box is dropped, or called, before its token is, and the scope, which
        // lives in the frame that `'a` borrows from, does not go before all tokens have.
        let f = unsafe {
            mem::transmute::<Box<dyn FnOnce() + Send + 'a>, Box<dyn FnOnce() + Send + 'static>>(f)
        };
        *self.0.lent.lock() += 1;
        let borrowing = Borrowing { f, token: Token(Arc::clone(&self.0)) };
        let (ended, work) = lend(info, move || borrowing.run());
        execute(work);
        ended
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let mut lent = self.0.lent.lock();
        while *lent > 0 {
            self.0.gone.wait(&mut lent);
        }
    }
}
