//! The last messages, each with how many are still to get it.

use kasasagi_primitive::sync::{Arc, Mutex};

struct Slot<T> {
    /// One more than the number of the message; 0 before the first.
    number: u64,
    /// How many receivers are still to get it, or to go.
    left: usize,
    // In an `Arc`, so that neither a clone nor a drop of it happens under the lock; both are foreign.
    message: Option<Arc<T>>,
}

pub(super) struct Ring<T> {
    slots: Box<[Mutex<Slot<T>>]>,
}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize) -> Self {
        let empty = || Mutex::new(Slot { number: 0, left: 0, message: None });
        Self { slots: (0..capacity).map(|_| empty()).collect() }
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    fn slot(&self, number: u64) -> &Mutex<Slot<T>> {
        let at = number % self.slots.len() as u64;
        // It is below a `usize`.
        &self.slots[at as usize]
    }

    /// Puts a message in the place of the one that is older by the capacity, which is returned, to be dropped.
    pub(super) fn put(&self, number: u64, message: T, left: usize) -> Option<Arc<T>> {
        let message = Some(Arc::new(message));
        let slot = Slot { number: number + 1, left, message };
        std::mem::replace(&mut *self.slot(number).lock(), slot).message
    }

    /// Gets a message for one of those who are to get it; `None` if all of them got it.
    ///
    /// # Errors
    /// If it was overwritten, with the number of the message that did.
    pub(super) fn get(&self, number: u64) -> Result<Option<Arc<T>>, u64> {
        let mut slot = self.slot(number).lock();
        if slot.number != number + 1 {
            return Err(slot.number - 1);
        }
        slot.left -= 1;
        Ok(if slot.left == 0 { slot.message.take() } else { slot.message.clone() })
    }
}
