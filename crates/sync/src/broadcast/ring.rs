//! The last messages, each with how many are still to get it.

use kasasagi_primitive::sync::{Arc, Mutex};
use std::mem;

struct Slot<T> {
    /// One more than the number of the message; 0 before the first.
    number: u64,
    /// How many receivers are still to get it, or to go.
    left: usize,
    message: Option<Message<T>>,
}

/// A message as it lies in its place.
///
/// What may have to be dropped is shared, so that neither a clone nor a drop of it happens under the lock: both are
/// foreign. What has nothing to drop is plain data, and copied under the lock; that saves an allocation for each message,
/// and two counts for each receiver.
pub(super) enum Message<T> {
    Plain(T),
    Shared(Arc<T>),
}

impl<T> Message<T> {
    fn new(message: T) -> Self {
        if const { mem::needs_drop::<T>() } {
            Self::Shared(Arc::new(message))
        } else {
            Self::Plain(message)
        }
    }
}

impl<T: Clone> Message<T> {
    /// One more of it, to be opened after the lock.
    fn copy(&self) -> Self {
        match self {
            Self::Plain(message) => Self::Plain(message.clone()),
            Self::Shared(message) => Self::Shared(Arc::clone(message)),
        }
    }

    /// The message itself, or a clone; with no lock held.
    pub(super) fn open(self) -> T {
        match self {
            Self::Plain(message) => message,
            Self::Shared(message) => {
                Arc::try_unwrap(message).unwrap_or_else(|shared| T::clone(&shared))
            }
        }
    }
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
    pub(super) fn put(&self, number: u64, message: T, left: usize) -> Option<Message<T>> {
        let message = Some(Message::new(message));
        let slot = Slot { number: number + 1, left, message };
        mem::replace(&mut *self.slot(number).lock(), slot).message
    }

    /// Gets a message for one of those who are to get it, by `copy` unless it is the last of them.
    ///
    /// # Errors
    /// If it was overwritten, with the number of the message that did.
    fn take<R>(
        &self,
        number: u64,
        copy: impl FnOnce(&Message<T>) -> R,
        last: impl FnOnce(Message<T>) -> R,
    ) -> Result<R, u64> {
        let mut slot = self.slot(number).lock();
        if slot.number != number + 1 {
            return Err(slot.number - 1);
        }
        if slot.left > 1 {
            let message = slot.message.as_ref().expect("it is there until all have got it");
            // Should a clone panic, it is still to be got.
            let copy = copy(message);
            slot.left -= 1;
            return Ok(copy);
        }
        slot.left = 0;
        let message = slot.message.take().expect("it is there until all have got it");
        drop(slot);
        Ok(last(message))
    }

    /// Gives up a message, for one who was to get it and goes.
    pub(super) fn skip(&self, number: u64) {
        // Overwritten, it is not counted any more.
        let _ = self.take(number, |_| (), drop);
    }
}

impl<T: Clone> Ring<T> {
    /// Gets a message for one of those who are to get it.
    ///
    /// # Errors
    /// If it was overwritten, with the number of the message that did.
    pub(super) fn get(&self, number: u64) -> Result<Message<T>, u64> {
        self.take(number, Message::copy, |message| message)
    }
}
