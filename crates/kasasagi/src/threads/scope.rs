//! Closures that borrow, lent to threads that know nothing of it.
//!
//! It is modelled in `crates/blocking/tests/loom`, and so uses nothing of this crate.
#![allow(
    unsafe_code,
    reason = "a closure that borrows is lent to a thread, and is gone before the borrow ends"
)]

use kasasagi_blocking::{JobInfo, Unblock, Work, lend};
use kasasagi_primitive::sync::{Arc, Condvar, Mutex};
use std::marker::PhantomData;
use std::mem;

/// Closures that borrow for `'env`, on threads that know nothing of it; see [`scope`].
pub(super) struct Scope<'env> {
    count: Arc<Count>,
    // Neither longer nor shorter: nobody lends what ends before the scope does.
    env: PhantomData<&'env mut &'env ()>,
}

/// Calls `f` with a scope, and returns, or unwinds, when all that `f` lent in it is gone.
///
/// `f` cannot have the scope itself, and so neither keep it nor forget it.
pub(super) fn scope<'env, R>(f: impl FnOnce(&Scope<'env>) -> R) -> R {
    let scope = Scope { count: Arc::default(), env: PhantomData };
    f(&scope)
}

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

impl<'env> Scope<'env> {
    /// Lends a closure; what is returned takes it back, if it has not started, when it is dropped.
    pub(super) fn lend(
        &self,
        execute: impl FnOnce(Work),
        info: JobInfo,
        f: &'env (impl Fn() + Sync),
    ) -> Unblock<()> {
        let f: Box<dyn FnOnce() + Send + 'env> = Box::new(f);
        // SAFETY: only the lifetime is changed. The box is dropped, or called, before its token is, and the scope, which
        // lives in the frame of `scope`, does not go before all tokens have. That frame ends within `'env`, as whatever
        // a function is generic over outlives its call, and there is no other way to a scope.
        let f = unsafe {
            mem::transmute::<Box<dyn FnOnce() + Send + 'env>, Box<dyn FnOnce() + Send + 'static>>(f)
        };
        *self.count.lent.lock() += 1;
        let borrowing = Borrowing { f, token: Token(Arc::clone(&self.count)) };
        let (ended, work) = lend(info, move || borrowing.run());
        execute(work);
        ended
    }
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        let mut lent = self.count.lent.lock();
        while *lent > 0 {
            self.count.gone.wait(&mut lent);
        }
    }
}
