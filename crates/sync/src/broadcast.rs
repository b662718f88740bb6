//! Every message to every receiver: news, events, the lines of a chat.
//!
//! The last `capacity` messages are kept. Sending never waits: a receiver that falls further behind misses the oldest,
//! and is told how many. Where each message is for one consumer, or producers have to wait, a queue is right; where only
//! the latest state counts, a [`watch`](mod@crate::watch).
//!
//! The messages lie in a ring, each behind a lock of its own; their number is a word that says when somebody has to wait
//! (`growing.rs`). Each message knows how many are still to get it; the last of them takes it.
//!
//! # Examples
//! ```
//! use kasasagi_sync::broadcast::{self, RecvError};
//!
//! let (news, mut first) = broadcast::channel(2);
//! let mut second = news.subscribe();
//! for line in ["one", "two"] {
//!     assert_eq!(news.send(line), Ok(2));
//! }
//! assert_eq!(first.blocking_recv(), Ok("one"));
//! // Now the second receiver has three to go, and there is room for two.
//! news.send("three").expect("there are receivers");
//! assert_eq!(second.blocking_recv(), Err(RecvError::Lagged(1)));
//! assert_eq!(second.blocking_recv(), Ok("two"));
//! drop(news);
//! assert_eq!(second.blocking_recv(), Ok("three"));
//! assert_eq!(second.blocking_recv(), Err(RecvError::Closed));
//! ```

mod error;
mod recv;
mod ring;

pub use crate::SendError;
pub use error::{RecvError, TryRecvError};
pub use recv::Recv;

use crate::blocking::block_on;
use crate::growing::Growing;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::sync::{Arc, Mutex};
use ring::Ring;
use std::fmt;
use std::panic::Location;

/// A sender and a first receiver of messages, of which the last `capacity` are kept.
///
/// Both sides can be had more often: [`Sender::clone`], [`Sender::subscribe`]. Each receiver clones what it gets; what is
/// large is sent in an `Arc`. The last one to get a message takes it without a clone. A message that has nothing to drop
/// is cloned under the lock of its place; such a `Clone` must not use the channel.
///
/// To use it from several threads, messages have to be `Send + Sync`, not `Send` alone: each is kept once for all
/// receivers, and two of them may clone it at the same time, through `&T`.
///
/// # Panics
/// When `capacity` is 0.
///
/// Counterpart: none; in asyncio each consumer has a queue of its own.
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a broadcast keeps one message at least: its capacity is not 0");
    let shared = Arc::new(Shared {
        ring: Ring::new(capacity),
        sent: Growing::new(),
        receivers: Mutex::new(1),
        senders: AtomicUsize::new(1),
    });
    let receiver = Receiver { shared: Arc::clone(&shared), next: 0 };
    (Sender { shared }, receiver)
}

struct Shared<T> {
    ring: Ring<T>,
    /// How many messages were sent; over when the last sender is gone.
    sent: Growing,
    /// How many receivers there are. Whoever sends or comes or goes holds the lock meanwhile; before that of a slot.
    receivers: Mutex<usize>,
    senders: AtomicUsize,
}

/// Sends to all receivers; made by [`channel`].
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// Gets every message that is sent while it is there; made by [`channel`] and [`Sender::subscribe`].
///
/// # Examples
/// ```
/// use kasasagi_sync::broadcast::{self, TryRecvError};
/// let (sender, mut receiver) = broadcast::channel(16);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// sender.send(7).expect("there is a receiver");
/// assert_eq!(receiver.try_recv(), Ok(7));
/// ```
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The number of the next message.
    next: u64,
}

impl<T> Sender<T> {
    /// Sends a message to every receiver that is there, and says how many they are; it never waits.
    ///
    /// Receivers that wait are woken in the order in which they came.
    ///
    /// # Errors
    /// [`SendError`], with the message, if there is no receiver. There may be one later: [`subscribe`](Self::subscribe).
    pub fn send(&self, message: T) -> Result<usize, SendError<T>> {
        let shared = &*self.shared;
        let receivers = shared.receivers.lock();
        let count = *receivers;
        if count == 0 {
            return Err(SendError(message));
        }
        let number = shared.sent.look().number;
        let old = shared.ring.put(number, message, count);
        let somebody_waits = shared.sent.grow();
        drop(receivers);
        if somebody_waits {
            shared.sent.wake();
        }
        // Foreign, and so dropped last, with no lock held.
        drop(old);
        Ok(count)
    }

    /// One more receiver; it gets what is sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(&self.shared)
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        *self.shared.receivers.lock()
    }

    /// How many senders there are.
    pub fn sender_count(&self) -> usize {
        self.shared.senders.load(Ordering::Relaxed)
    }

    /// Whether both send on one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Receiver<T> {
    fn new(shared: &Arc<Shared<T>>) -> Self {
        let mut receivers = shared.receivers.lock();
        *receivers += 1;
        // Under the lock no message is on its way.
        let next = shared.sent.look().number;
        drop(receivers);
        Self { shared: Arc::clone(shared), next }
    }

    /// One more receiver; it gets what is sent from now on, and not what this one has still to get.
    #[must_use = "the new receiver is what it gives"]
    pub fn resubscribe(&self) -> Self {
        Self::new(&self.shared)
    }

    /// How many messages there are for it; those it has missed are not counted.
    pub fn len(&self) -> usize {
        let waiting = self.shared.sent.look().number - self.next;
        usize::try_from(waiting).unwrap_or(usize::MAX).min(self.shared.ring.capacity())
    }

    /// Whether it would have to wait for the next message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the last sender is gone. What was sent before can still be received.
    pub fn is_closed(&self) -> bool {
        self.shared.sent.look().over
    }
}

impl<T: Clone> Receiver<T> {
    /// Receives the next message, waiting until there is one.
    ///
    /// # Errors
    /// [`RecvError::Lagged`] if it was too slow, with how many messages it has missed: the next call gives the oldest that
    /// is still there. [`RecvError::Closed`] once the last sender is gone and all messages are received.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has taken nothing.
    #[track_caller]
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv::new(&self.shared, &mut self.next, Location::caller())
    }

    /// Receives the next message if there is one.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] if there is none yet; else as [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.shared.try_recv(&mut self.next)
    }

    /// Receives the next message on a thread that is no task's; it sleeps until there is one.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Panics
    /// Inside a task of kasasagi, whose worker would stand still: use [`recv`](Self::recv) there.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Result<T, RecvError> {
        block_on("broadcast::Receiver::blocking_recv", self.recv())
    }
}

impl<T: Clone> Shared<T> {
    fn try_recv(&self, next: &mut u64) -> Result<T, TryRecvError> {
        let sent = self.sent.look();
        if sent.number == *next {
            return Err(if sent.over { TryRecvError::Closed } else { TryRecvError::Empty });
        }
        match self.ring.get(*next) {
            Ok(message) => {
                *next += 1;
                Ok(message.open())
            }
            Err(newer) => {
                // The newer one may be on its way still, and not counted.
                let end = self.sent.look().number.max(newer + 1);
                let oldest = end - self.ring.capacity() as u64;
                let missed = oldest - *next;
                *next = oldest;
                Err(TryRecvError::Lagged(missed))
            }
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // AcqRel: what all of them have sent has happened before the end.
        if self.shared.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.sent.end();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut receivers = self.shared.receivers.lock();
        *receivers -= 1;
        let end = self.shared.sent.look().number;
        drop(receivers);
        // What is sent from now on does not count it; what was sent before, does.
        let oldest = end.saturating_sub(self.shared.ring.capacity() as u64);
        for number in self.next.max(oldest)..end {
            self.shared.ring.skip(number);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("senders", &self.sender_count())
            .field("receivers", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Sender<u8>>();
    shared::<Receiver<u8>>();
    shared::<Recv<'_, u8>>();
};
