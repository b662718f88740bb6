//! Ends: which of many tasks have ended, in order, for one who waits for them.
//!
//! Each task's join waker is a node of one block. The end of a task pushes its node on a stack, in one exchange, and
//! whoever brings the number of ends that are asked for to zero wakes the waiter: once a batch, not once a task.
//!
//! ```text
//! word:  left (32) · top (32)     left: so many ends more, and the waiter is woken
//!                                 top:  the node pushed last, from 1; 0: none; the largest: the waiter is gone
//! ```
//!
//! A node's waker is one counted reference to the block. A push hands it over to the waiter, who gets it with the
//! node; but who is to wake keeps its own until it has done so. So an end costs one read-modify-write.
#![allow(
    unsafe_code,
    reason = "the wakers of a block's nodes are pointers into it, and count as references to it"
)]

use crate::handle::Task;
use kasasagi_primitive::alloc;
use kasasagi_primitive::cell::UnsafeCell;
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::fmt;
use std::mem;
use std::ptr::NonNull;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// No node.
const NONE: u32 = 0;
/// Instead of a node: the waiter is gone, and nobody takes what is pushed.
const GONE: u32 = u32::MAX;

/// Which of many tasks have ended, for one who waits.
pub struct Ends {
    shared: NonNull<Shared>,
    /// References that are paid for and belong to no waker.
    stock: usize,
    /// The first of the nodes that were taken and not given out, linked in the order of the ends.
    taken: u32,
    /// The waiter has left a waker before.
    has_waited: bool,
}

struct Shared {
    word: AtomicU64,
    /// The waiter's, with its stock, and one for each waker or pushed node.
    refs: AtomicUsize,
    waiter: Mutex<Option<Waker>>,
    nodes: Box<[Node]>,
    /// Nothing; in a model, what shows it an access that does not come before the end of the block.
    life: UnsafeCell<()>,
}

struct Node {
    shared: NonNull<Shared>,
    /// Counted from 1.
    number: u32,
    /// The node below, while this one is on the stack; the next to be given out, once it was taken.
    next: AtomicU32,
    /// Whether the node has a waker, or its end was not given out: the waiter's.
    busy: AtomicBool,
}

// SAFETY: the block is reached through atomics and a lock, and the number of references says who frees it.
unsafe impl Send for Ends {}
// SAFETY: as above; what is not atomic needs `&mut`.
unsafe impl Sync for Ends {}

fn pack(left: u32, top: u32) -> u64 {
    (u64::from(left) << 32) | u64::from(top)
}

#[expect(clippy::cast_possible_truncation, reason = "each half is what is asked for")]
fn unpack(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

impl Ends {
    /// For `count` tasks; the waiter is first woken when `batch` of them have ended, and from then on at the first end
    /// that it does not know of.
    ///
    /// # Panics
    /// If there are more than 4 billion of them.
    pub fn new(count: usize, batch: usize) -> Self {
        assert!(count < GONE as usize, "no more than 4 billion tasks can be waited for at once");
        let left = u32::try_from(batch.min(count)).unwrap_or(GONE - 1);
        // Raw memory, since the model watches it for leaks.
        // SAFETY: the layout's size is not zero.
        let block = unsafe { alloc::alloc(alloc::Layout::new::<Shared>()) }.cast::<Shared>();
        let Some(shared) = NonNull::new(block) else {
            std::alloc::handle_alloc_error(alloc::Layout::new::<Shared>())
        };
        let node = |number| Node {
            shared,
            number,
            next: AtomicU32::new(NONE),
            busy: AtomicBool::new(false),
        };
        let content = Shared {
            word: AtomicU64::new(pack(left, NONE)),
            refs: AtomicUsize::new(1 + count),
            waiter: Mutex::new(None),
            nodes: (1..).take(count).map(node).collect(),
            life: UnsafeCell::new(()),
        };
        // SAFETY: the memory is for a `Shared`, and nobody else has seen it.
        unsafe { shared.write(content) };
        Self { shared, stock: count, taken: NONE, has_waited: false }
    }

    #[inline]
    fn shared(&self) -> &Shared {
        // SAFETY: the waiter's own reference keeps the block until `drop`.
        unsafe { self.shared.as_ref() }
    }

    /// Has the end of `task` told under `index`. One that has ended already is told of like the others.
    ///
    /// # Panics
    /// If `index` is not below the count, or stands for a task whose end was not given out yet.
    pub fn watch<T>(&mut self, index: usize, task: &mut Task<T>) {
        let waker = self.waker(index);
        if let Err(waker) = task.leave(waker) {
            waker.wake();
        }
    }

    /// A waker whose wake is the end of `index`.
    fn waker(&mut self, index: usize) -> Waker {
        match self.stock.checked_sub(1) {
            Some(rest) => self.stock = rest,
            None => {
                self.shared().refs.fetch_add(1, Ordering::Relaxed);
            }
        }
        let node = &self.shared().nodes[index];
        let was_busy = node.busy.load(Ordering::Relaxed);
        assert!(!was_busy, "one task at a time is waited for under an index");
        node.busy.store(true, Ordering::Relaxed);
        let raw = RawWaker::new(std::ptr::from_ref(node).cast(), &VTABLE);
        // SAFETY: the functions of the table expect a node and one reference, which was just set aside.
        unsafe { Waker::from_raw(raw) }
    }

    /// Waits until there are ends to be given out by [`pop`](Self::pop).
    pub fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.taken != NONE {
            return Poll::Ready(());
        }
        if self.is_waiting() {
            self.leave_waiter(cx.waker());
            // Once more: who brought `left` to zero before found no waker.
            if self.is_waiting() {
                return Poll::Pending;
            }
        }
        self.take();
        Poll::Ready(())
    }

    fn is_waiting(&self) -> bool {
        // Acquire, for `take`'s sake alone it need not be: an end that is seen here may be asked for at once.
        unpack(self.shared().word.load(Ordering::Acquire)).0 > 0
    }

    fn leave_waiter(&mut self, waker: &Waker) {
        if mem::replace(&mut self.has_waited, true) {
            let waiter = self.shared().waiter.lock();
            if waiter.as_ref().is_some_and(|present| present.will_wake(waker)) {
                return;
            }
        }
        // Clones and drops of foreign wakers are foreign code: not under the lock.
        let new = waker.clone();
        let mut waiter = self.shared().waiter.lock();
        let old = waiter.replace(new);
        drop(waiter);
        drop(old);
    }

    /// The index of a task that has ended, in the order of the ends; `None` if no more are known.
    pub fn pop(&mut self) -> Option<usize> {
        let index = (self.taken as usize).checked_sub(1)?;
        let node = &self.shared().nodes[index];
        let next = node.next.load(Ordering::Relaxed);
        node.busy.store(false, Ordering::Relaxed);
        self.taken = next;
        Some(index)
    }

    /// Takes what was pushed, and turns it round.
    fn take(&mut self) {
        // Acquire: sees the links, and what the tasks left. Release: who pushes next sees the links that this wrote.
        let word = self.shared().word.swap(pack(1, NONE), Ordering::AcqRel);
        let (first, count) = self.turn(word);
        self.taken = first;
        self.stock += count;
    }

    /// Turns the stack in `word` round; says its first node, and how many references came with it.
    fn turn(&self, word: u64) -> (u32, usize) {
        let (left, mut top) = unpack(word);
        let (mut first, mut count) = (NONE, 0);
        while top != NONE {
            let node = &self.shared().nodes[top as usize - 1];
            let below = node.next.load(Ordering::Relaxed);
            node.next.store(first, Ordering::Relaxed);
            (first, top) = (top, below);
            count += 1;
        }
        // Who brought `left` to zero has kept its own.
        (first, if left == 0 && count > 0 { count - 1 } else { count })
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let word = self.shared().word.swap(pack(0, GONE), Ordering::AcqRel);
        let (_, count) = self.turn(word);
        let waiter = self.shared().waiter.lock().take();
        // SAFETY: the waiter's own reference, its stock, and those that came with the nodes.
        unsafe { release(self.shared, 1 + self.stock + count) };
        crate::unread::drop_of(None, waiter);
    }
}

impl fmt::Debug for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ends").field("count", &self.shared().nodes.len()).finish_non_exhaustive()
    }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, release_one);

/// A waker that does nothing: an end is told of once, by the waker that the task has.
unsafe fn clone(_: *const ()) -> RawWaker {
    let noop = Waker::noop();
    RawWaker::new(noop.data(), noop.vtable())
}

/// The end of a task.
unsafe fn wake(node: *const ()) {
    // SAFETY: the waker's reference, which goes with the node, keeps the block until the exchange below.
    let node = unsafe { &*node.cast::<Node>() };
    let block = node.shared;
    // SAFETY: as above.
    let shared = unsafe { block.as_ref() };
    shared.life.with(|_| ());
    let mut now = shared.word.load(Ordering::Relaxed);
    loop {
        let (left, top) = unpack(now);
        if top == GONE {
            // SAFETY: the waker's own reference.
            return unsafe { release(block, 1) };
        }
        node.next.store(top, Ordering::Relaxed);
        let new = pack(left.saturating_sub(1), node.number);
        // Release: the waiter sees the link, and what the task left. Acquire: who wakes sees the waiter's waker.
        match shared.word.compare_exchange_weak(now, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) if left == 1 => break,
            // The reference is the waiter's, and the block may be gone.
            Ok(_) => return,
            Err(actual) => now = actual,
        }
    }
    let waiter = shared.waiter.lock().take();
    // SAFETY: the waker's own reference, kept since it was this one that had to wake.
    unsafe { release(block, 1) };
    if let Some(waiter) = waiter {
        waiter.wake();
    }
}

/// Nothing: see `clone`. Whoever ends a task wakes by value.
unsafe fn wake_by_ref(_: *const ()) {}

/// The handle of a task goes, or waits for it itself.
unsafe fn release_one(node: *const ()) {
    // SAFETY: the waker's own reference keeps the block.
    let block = unsafe { &*node.cast::<Node>() }.shared;
    // SAFETY: it is given up once, as wakers are dropped once.
    unsafe { release(block, 1) };
}

/// Gives references up; the last frees the block.
///
/// # Safety
/// They are the caller's.
unsafe fn release(block: NonNull<Shared>, count: usize) {
    // SAFETY: the caller's references keep the block until they are given up.
    let refs = unsafe { &block.as_ref().refs };
    if refs.fetch_sub(count, Ordering::Release) != count {
        return;
    }
    // All that was done with the block comes before its end. A load, as the sanitizer knows no fences: it reads the end of
    // the release sequence of all who left.
    let _ = refs.load(Ordering::Acquire);
    // SAFETY: nobody refers to it any more.
    let shared = unsafe { block.read() };
    shared.life.with_mut(|_| ());
    drop(shared);
    // SAFETY: allocated with this layout in `new`, and its content was moved out.
    unsafe { alloc::dealloc(block.as_ptr().cast(), alloc::Layout::new::<Shared>()) };
}
