//! An asynchronous generator: a future that gives items on its way.
//!
//! Body and consumer share a slot for one item. The body is polled by whoever polls the stream and nobody else; the
//! wakers in the slot are for emitters that were sent elsewhere, or stand in a combinator which polls by wakes.

use futures_core::stream::{FusedStream, Stream};
use kasasagi_primitive::sync::Mutex;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Makes a stream of a function that emits its items: an asynchronous generator.
///
/// The function gets an [`Emitter`], and its future runs only while the stream is polled: up to an item, which the
/// consumer gets, and no further until it asks for the next. When the future ends, so does the stream. If the consumer
/// stops early and drops the stream, the future is dropped where it is suspended, and what it owns with it.
///
/// # Cancel safety
/// Cancel safe: what waits for the next item may be dropped, and the item is there the next time.
///
/// # Examples
/// ```
/// use futures_util::StreamExt;
/// use kasasagi::{stream, time};
///
/// kasasagi::run(async {
///     let mut counter = stream::from_fn(|y| async move {
///         for i in 1..=3 {
///             time::sleep(time::Duration::from_millis(1)).await;
///             y.emit(i).await;
///         }
///     });
///     let mut sum = 0;
///     while let Some(i) = counter.next().await {
///         sum += i;
///     }
///     assert_eq!(sum, 6);
/// });
/// ```
///
/// Counterpart: `async def` with `yield`.
pub fn from_fn<T, F, B>(f: F) -> FromFn<T, B>
where
    F: FnOnce(Emitter<T>) -> B,
    B: Future<Output = ()>,
{
    let slot = Arc::new(Mutex::new(Slot { item: None, consumer: None, emitters: Vec::new() }));
    let body = f(Emitter { slot: Arc::clone(&slot) });
    FromFn { body: Some(Box::pin(body)), slot }
}

struct Slot<T> {
    item: Option<T>,
    /// Who polls the stream.
    consumer: Option<Waker>,
    /// Who waits until the slot is empty.
    emitters: Vec<Waker>,
}

/// A stream whose items a function emits; made by [`from_fn`].
#[must_use = "streams do nothing unless polled"]
pub struct FromFn<T, B> {
    /// None once it has ended.
    body: Option<Pin<Box<B>>>,
    slot: Arc<Mutex<Slot<T>>>,
}

/// Gives items to the consumer of a stream; what the function of [`from_fn`] gets.
pub struct Emitter<T> {
    slot: Arc<Mutex<Slot<T>>>,
}

/// Gives one item; made by [`Emitter::emit`].
#[must_use = "it emits nothing until it is awaited"]
pub struct Emit<'a, T> {
    slot: &'a Mutex<Slot<T>>,
    item: Option<T>,
}

impl<T> Emitter<T> {
    /// Gives an item to the consumer, and waits until it asks for the next.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped part way, the item may be lost, or may have been given.
    ///
    /// Counterpart: `yield`.
    pub fn emit(&self, item: T) -> Emit<'_, T> {
        Emit { slot: &self.slot, item: Some(item) }
    }
}

impl<T> Unpin for Emit<'_, T> {}

impl<T> Future for Emit<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut slot = self.slot.lock();
        if slot.item.is_some() {
            // Its own, which nobody has taken, or another's.
            slot.emitters.push(waker);
            return Poll::Pending;
        }
        let Some(item) = self.item.take() else { return Poll::Ready(()) };
        slot.item = Some(item);
        slot.emitters.push(waker);
        // Polled by the consumer itself, it is looked at as soon as this returns.
        let consumer = slot.consumer.take_if(|consumer| !consumer.will_wake(cx.waker()));
        drop(slot);
        if let Some(consumer) = consumer {
            consumer.wake();
        }
        Poll::Pending
    }
}

impl<T, B: Future<Output = ()>> FromFn<T, B> {
    /// Takes an item out of the slot, and tells those who wait for that.
    fn take(&self, cx: &Context<'_>) -> Option<T> {
        let mut slot = self.slot.lock();
        let item = slot.item.take()?;
        let emitters = mem::take(&mut slot.emitters);
        drop(slot);
        for emitter in emitters {
            // Whose waker is the consumer's is polled when the consumer asks for the next item.
            if !emitter.will_wake(cx.waker()) {
                emitter.wake();
            }
        }
        Some(item)
    }
}

impl<T, B> Unpin for FromFn<T, B> {}

impl<T, B: Future<Output = ()>> Stream for FromFn<T, B> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // There before it was asked for: a poll that was dropped, or an emitter elsewhere.
        if let Some(item) = self.take(cx) {
            return Poll::Ready(Some(item));
        }
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let waker = cx.waker().clone();
        let before = this.slot.lock().consumer.replace(waker);
        drop(before);
        let ended = body.as_mut().poll(cx).is_ready();
        if ended {
            this.body = None;
        }
        match this.take(cx) {
            None if !ended => Poll::Pending,
            item => Poll::Ready(item),
        }
    }
}

impl<T, B: Future<Output = ()>> FusedStream for FromFn<T, B> {
    fn is_terminated(&self) -> bool {
        self.body.is_none() && self.slot.lock().item.is_none()
    }
}

impl<T, B> fmt::Debug for FromFn<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").field("ended", &self.body.is_none()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Emitter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Emit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emit").field("given", &self.item.is_none()).finish_non_exhaustive()
    }
}
