//! A pool of things that few may use at a time: connections, for example.

use kasasagi::sync::{Permit, Semaphore};
use std::ops::Deref;

// The types of your own that threads share come from loom in a model. Those of kasasagi see to it themselves.
#[cfg(kasasagi_loom)]
use loom::sync::Mutex;
#[cfg(not(kasasagi_loom))]
use std::sync::Mutex;

/// Things that are lent, each to one at a time.
pub struct Pool<T> {
    permits: Semaphore,
    free: Mutex<Vec<T>>,
}

/// A thing that is lent; it goes back when this is dropped.
pub struct Lease<'a, T> {
    pool: &'a Pool<T>,
    thing: Option<T>,
    // It goes after the thing has gone back: whoever gets the permit has to find that.
    _permit: Permit<'a>,
}

impl<T> Pool<T> {
    /// A pool of these.
    pub fn new(things: Vec<T>) -> Self {
        Self { permits: Semaphore::new(things.len()), free: Mutex::new(things) }
    }

    /// Lends one, waiting until one is free.
    pub async fn get(&self) -> Lease<'_, T> {
        let permit = self.permits.acquire().await.expect("nobody closes it");
        let thing = self.free.lock().expect("nobody panics with it").pop();
        let thing = thing.expect("who has a permit finds something");
        Lease { pool: self, thing: Some(thing), _permit: permit }
    }

    /// How many are free.
    pub fn free(&self) -> usize {
        self.free.lock().expect("nobody panics with it").len()
    }
}

impl<T> Deref for Lease<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.thing.as_ref().expect("it is there until the lease is dropped")
    }
}

impl<T> Drop for Lease<'_, T> {
    fn drop(&mut self) {
        // The permit is dropped after this function.
        self.pool.free.lock().expect("nobody panics with it").extend(self.thing.take());
    }
}
