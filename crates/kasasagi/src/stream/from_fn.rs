//! From a function: an `async` block that emits items, as a stream.
//!
//! Body and consumer meet in a slot for one item. Nearly always the body is polled by the stream, under the consumer's
//! waker, and nobody needs to be woken. A body may poll an emit under a waker of its own, though, or give its emitter away:
//! so both sides leave their wakers, and wake each other unless they are the same.

use futures_core::Stream;
use futures_core::stream::FusedStream;
use kasasagi_primitive::coop;
use kasasagi_primitive::sync::Mutex;
use pin_project_lite::pin_project;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// Makes a stream of what `body` emits: an async generator.
///
/// The body runs only while the stream is polled; [`emit`](Emitter::emit) suspends it until the item was taken, and is
/// therefore where a consumer that wants no more leaves it: dropping the stream drops the body there, with its locals.
/// The stream ends when the body does, and stays ended. The body may borrow from outside, and await what it likes; a
/// cancellation of the consumer that comes while the body awaits is delivered in the body. Works under any executor.
///
/// # Panics
/// A panic of the body goes to whoever polls the stream, which has ended then.
///
/// # Cancel safety
/// Cancel safe: a `next` that is dropped has taken no item, and the next one goes on where it was.
///
/// # Examples
/// ```
/// use futures_util::StreamExt;
/// use kasasagi::{stream, time};
/// use std::time::Duration;
///
/// kasasagi::run(async {
///     let ticks = stream::from_fn(|y| async move {
///         for n in 1..=3 {
///             time::sleep(Duration::from_millis(1)).await;
///             y.emit(n).await;
///         }
///     });
///     assert_eq!(ticks.collect::<Vec<_>>().await, [1, 2, 3]);
/// });
/// ```
///
/// Counterpart: an `async def` with `yield`.
pub fn from_fn<T, B, F>(body: B) -> FromFn<T, F>
where
    B: FnOnce(Emitter<T>) -> F,
    F: Future<Output = ()>,
{
    let slot = Arc::new(Mutex::new(Slot::default()));
    let body = body(Emitter(Arc::clone(&slot)));
    FromFn { body: Some(body), slot }
}

struct Slot<T> {
    item: Option<T>,
    /// Of the item that is offered, or was last.
    number: u64,
    /// Nobody will take an item any more.
    closed: bool,
    /// Of who polls the stream, while it waits.
    consumer: Option<Waker>,
    /// Of emits that wait.
    emitters: Vec<Waker>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { item: None, number: 0, closed: false, consumer: None, emitters: Vec::new() }
    }
}

impl<T> Slot<T> {
    /// Whether the item with that number waits to be taken.
    fn offers(&self, number: u64) -> bool {
        self.item.is_some() && self.number == number
    }

    fn attend(&mut self, waker: Waker) {
        if !self.emitters.iter().any(|present| present.will_wake(&waker)) {
            self.emitters.push(waker);
        }
    }
}

/// The side that emits; handed to the body of [`from_fn`].
pub struct Emitter<T>(Arc<Mutex<Slot<T>>>);

impl<T> Emitter<T> {
    /// Gives an item to the consumer, and waits until it has taken it.
    ///
    /// One item is on its way at a time; several emits at once are served one after the other. Outside the body, in a
    /// task that was given the emitter, it waits for ever once the stream has ended or was dropped.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before the item was taken, it takes it back.
    pub fn emit(&self, item: T) -> Emit<'_, T> {
        Emit { slot: &self.0, stage: Stage::Held(item) }
    }
}

impl<T> fmt::Debug for Emitter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").finish_non_exhaustive()
    }
}

/// Waits until an item was taken; made by [`Emitter::emit`].
#[must_use = "futures do nothing unless awaited"]
pub struct Emit<'a, T> {
    slot: &'a Mutex<Slot<T>>,
    stage: Stage<T>,
}

enum Stage<T> {
    Held(T),
    Offered(u64),
    Done,
}

// Nothing is pinned in it: the item moves.
impl<T> Unpin for Emit<'_, T> {}

impl<T> Future for Emit<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Stage::Held(_) = this.stage {
            ready!(coop::poll_proceed(cx));
        }
        // Foreign code: not under the lock.
        let waker = cx.waker().clone();
        let mut slot = this.slot.lock();
        let mut consumer = None;
        match mem::replace(&mut this.stage, Stage::Done) {
            Stage::Held(item) if slot.closed || slot.item.is_some() => {
                this.stage = Stage::Held(item);
            }
            Stage::Held(item) => {
                slot.item = Some(item);
                slot.number += 1;
                this.stage = Stage::Offered(slot.number);
                consumer = slot.consumer.take();
            }
            Stage::Offered(number) if slot.closed || slot.offers(number) => {
                this.stage = Stage::Offered(number);
            }
            Stage::Offered(_) | Stage::Done => return Poll::Ready(()),
        }
        slot.attend(waker);
        drop(slot);
        if let Some(consumer) = consumer {
            consumer.wake();
        }
        Poll::Pending
    }
}

impl<T> Drop for Emit<'_, T> {
    fn drop(&mut self) {
        let Stage::Offered(number) = self.stage else { return };
        let mut slot = self.slot.lock();
        if !slot.offers(number) {
            return;
        }
        let item = slot.item.take();
        let others = mem::take(&mut slot.emitters);
        drop(slot);
        drop(item);
        others.into_iter().for_each(Waker::wake);
    }
}

impl<T> fmt::Debug for Emit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emit").finish_non_exhaustive()
    }
}

pin_project! {
    /// A stream of what a body emits; made by [`from_fn`].
    #[must_use = "streams do nothing unless polled"]
    pub struct FromFn<T, F> {
        // Until it has ended.
        #[pin]
        body: Option<F>,
        slot: Arc<Mutex<Slot<T>>>,
    }

    impl<T, F> PinnedDrop for FromFn<T, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.body.set(None);
            close(this.slot);
        }
    }
}

/// Takes no item any more.
fn close<T>(slot: &Mutex<Slot<T>>) {
    let mut slot = slot.lock();
    slot.closed = true;
    let left = (slot.item.take(), slot.consumer.take(), mem::take(&mut slot.emitters));
    drop(slot);
    drop(left);
}

/// Drops a body that has ended, by a panic too: it must not be polled again.
struct Ending<'a, F>(Option<Pin<&'a mut Option<F>>>);

impl<F> Drop for Ending<'_, F> {
    fn drop(&mut self) {
        if let Some(body) = &mut self.0 {
            body.set(None);
        }
    }
}

impl<F: Future<Output = ()>> Ending<'_, F> {
    fn poll(mut self, cx: &mut Context<'_>) {
        let body = self.0.as_mut().and_then(|body| body.as_mut().as_pin_mut());
        if body.is_some_and(|body| body.poll(cx).is_pending()) {
            self.0 = None;
        }
    }
}

impl<T, F: Future<Output = ()>> Stream for FromFn<T, F> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut this = self.project();
        // What is emitted in here need not wake who polls.
        let before = this.slot.lock().consumer.take();
        Ending(Some(this.body.as_mut())).poll(cx);
        let waker = before.filter(|waker| waker.will_wake(cx.waker()));
        let waker = waker.unwrap_or_else(|| cx.waker().clone());
        let mut slot = this.slot.lock();
        if let Some(item) = slot.item.take() {
            let emitters = mem::take(&mut slot.emitters);
            drop(slot);
            // The body's own is polled by the next `poll_next`.
            emitters.into_iter().filter(|e| !e.will_wake(&waker)).for_each(Waker::wake);
            return Poll::Ready(Some(item));
        }
        if this.body.is_none() {
            drop(slot);
            close(this.slot);
            return Poll::Ready(None);
        }
        slot.consumer = Some(waker);
        Poll::Pending
    }
}

impl<T, F: Future<Output = ()>> FusedStream for FromFn<T, F> {
    fn is_terminated(&self) -> bool {
        self.body.is_none() && self.slot.lock().item.is_none()
    }
}

impl<T, F> fmt::Debug for FromFn<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.body.is_none();
        f.debug_struct("FromFn").field("has_ended", &ended).finish_non_exhaustive()
    }
}
