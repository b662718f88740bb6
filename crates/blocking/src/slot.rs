//! One thread's place to wait: a cell for its orders.
//!
//! Whoever takes the thread off the idle stack, or out of the lookout's seat, gives it exactly one order.

use crate::job::AnyJob;
use kasasagi_primitive::sync::{Condvar, Mutex};
use std::time::Duration;

/// What a waiting thread is told.
pub(crate) enum Order {
    Run(AnyJob),
    Leave,
}

pub(crate) struct Slot {
    /// Which thread of its pool.
    pub(crate) id: usize,
    order: Mutex<Option<Order>>,
    given: Condvar,
}

impl Slot {
    pub(crate) fn new(id: usize) -> Self {
        Self { id, order: Mutex::new(None), given: Condvar::new() }
    }

    pub(crate) fn give(&self, order: Order) {
        *self.order.lock() = Some(order);
        self.given.notify_one();
    }

    /// Waits for an order, without limit.
    pub(crate) fn wait(&self) -> Order {
        let mut order = self.order.lock();
        loop {
            if let Some(order) = order.take() {
                return order;
            }
            self.given.wait(&mut order);
        }
    }

    /// Waits for an order, `limit` at most. A limit of zero looks and does not wait: in a model, where time does not
    /// pass, it is how a limit ends at any moment.
    pub(crate) fn wait_for(&self, limit: Duration) -> Option<Order> {
        let mut order = self.order.lock();
        if order.is_none() && !limit.is_zero() {
            self.given.wait_for(&mut order, limit);
        }
        order.take()
    }
}
