//! What tests of the primitives share.

use kasasagi::{Task, yield_now};
use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

/// Lets others run until it is so; the flavour's limit ends what never is.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        yield_now().await;
    }
}

/// Whether so many wait, as its `Debug` says.
pub(crate) fn are_waiting(primitive: &impl Debug, n: usize) -> bool {
    format!("{primitive:?}").contains(&format!("waiters: {n}"))
}

/// Until so many wait.
pub(crate) async fn waiters(primitive: &impl Debug, n: usize) {
    until(|| are_waiting(primitive, n)).await;
}

/// Whether it would wait; it is dropped after one poll.
pub(crate) fn would_wait<F: Future>(future: F) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// What happened, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<usize>>>);

impl Log {
    pub(crate) fn note(&self, n: usize) {
        self.0.lock().expect("nobody panics with it").push(n);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().expect("nobody panics with it").len()
    }

    pub(crate) fn take(&self) -> Vec<usize> {
        std::mem::take(&mut *self.0.lock().expect("nobody panics with it"))
    }
}

pub(crate) async fn all<T>(tasks: Vec<Task<T>>) -> Vec<T> {
    let mut outputs = Vec::new();
    for task in tasks {
        outputs.push(task.await.expect("it ends"));
    }
    outputs
}
