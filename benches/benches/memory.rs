//! What does a task that waits occupy, and is the memory given back when a burst is over?
//!
//! Heap bytes are what was asked of the allocator, without what that adds.
#![allow(unsafe_code, reason = "an allocator that counts is an unsafe impl")]

use kasasagi_benches::{ChildRow, Figure, Peer, Suite, process};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

/// The system's allocator, and how many bytes are out.
struct Counting;

static OUT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        OUT.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are the ones that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        OUT.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tasks that wait for an event which never comes; their futures have 32 bytes of state.
struct Idle;

impl ChildRow for Idle {
    fn name(&self) -> String {
        "idle tasks".into()
    }

    fn run<P: Peer>(&self, peer: P, test: bool) -> Vec<Figure> {
        let n = if test { 1_000 } else { 500_000 };
        peer.inside(async move {
            let mut tasks = Vec::with_capacity(n);
            // The pages of the vector must not count.
            tasks.resize_with(n, || None);
            let (heap, (resident, _)) = (OUT.load(Ordering::Relaxed), process::resident());
            let (started, all) = async_channel::unbounded::<()>();
            let mut seen = 0;
            for (i, place) in tasks.iter_mut().enumerate() {
                let started = started.clone();
                *place = Some(peer.spawn(async move {
                    let state = [i as u64; 3];
                    let _ = started.try_send(());
                    drop(started);
                    std::future::pending::<()>().await;
                    assert_eq!(state[0], i as u64);
                }));
                while all.try_recv().is_ok() {
                    seen += 1;
                }
                if i % 64 == 0 {
                    P::yield_now().await;
                }
            }
            while seen < n {
                all.recv().await.expect("a sender is here");
                seen += 1;
            }
            let (heap_now, (resident_now, _)) = (OUT.load(Ordering::Relaxed), process::resident());
            std::mem::forget(tasks);
            let each = |before: f64, after: f64| (after - before) / n as f64;
            vec![
                Figure::new("heap bytes a task", each(heap as f64, heap_now as f64)),
                Figure::new("resident bytes a task", each(resident as f64, resident_now as f64)),
            ]
        })
    }
}

/// Where tasks wait without memory of their own: a queue's would stay in malloc, and hide what stays of the tasks.
#[derive(Default)]
struct Gate {
    open: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Gate {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.waiting.lock().expect("nobody panics")
    }

    fn passed(&'static self) -> impl Future<Output = ()> + Send {
        std::future::poll_fn(|cx| {
            let mut waiting = self.waiting();
            if self.open.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            waiting.push(cx.waker().clone());
            Poll::Pending
        })
    }

    fn open(&self) {
        self.open.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut *self.waiting());
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// A burst of tasks that live at the same time, and what is left when they are gone.
struct Burst;

impl ChildRow for Burst {
    fn name(&self) -> String {
        "after a burst of tasks".into()
    }

    fn run<P: Peer>(&self, peer: P, test: bool) -> Vec<Figure> {
        let n: usize = if test { 1_000 } else { 500_000 };
        let resident = || process::resident().0 as f64 / 1e6;
        let before = resident();
        let peak = peer.inside(async move {
            let gate: &'static Gate = Box::leak(Box::default());
            gate.waiting().reserve(n);
            let tasks: Vec<_> = (0..n).map(|_| peer.spawn(gate.passed())).collect();
            for _ in 0..100 {
                P::yield_now().await;
            }
            let peak = resident();
            gate.open();
            for task in tasks {
                task.await;
            }
            peak
        });
        // Who gives memory back does so in a quiet moment; two seconds of quiet, and a turn now and then.
        for _ in 0..if test { 1 } else { 20 } {
            peer.inside(async { P::sleep(Duration::from_millis(100)).await });
        }
        vec![
            Figure::new("MB at the peak", peak - before),
            Figure::new("MB left", resident() - before),
        ]
    }
}

fn main() {
    let suite = Suite::new("memory");
    suite.child_row(&Idle);
    suite.child_row(&Burst);
}
