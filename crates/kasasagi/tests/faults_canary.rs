//! Planted faults that a sanitizer has to report: `.ci/tsan` and `.ci/asan` run each by its name, under the very
//! suppressions that the real tests run under, and fail if one is not seen. `cargo test` does not run them.
//!
//! The names begin with the sanitizer that has to find them.

#![allow(unsafe_code, reason = "every test here is a bug on purpose")]

use kasasagi::{Runtime, spawn, yield_now};
use std::cell::UnsafeCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A number that anybody may change at any time, which is the bug.
struct Shared(UnsafeCell<u64>);

// SAFETY: none; races are what it is for.
unsafe impl Sync for Shared {}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self(UnsafeCell::new(0)))
    }

    fn add(&self) {
        // SAFETY: none; see above.
        unsafe { *self.0.get() += 1 };
    }

    fn read(&self) -> u64 {
        // SAFETY: none; see above.
        unsafe { *self.0.get() }
    }
}

/// Where two meet without ordering anything: Relaxed.
struct Meeting(AtomicUsize);

impl Meeting {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(0)))
    }

    fn arrive(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        while self.0.load(Ordering::Relaxed) < 2 {
            std::thread::yield_now();
        }
    }
}

fn two_workers() -> Runtime {
    Runtime::builder().workers(2).build().expect("a runtime can be built")
}

#[test]
fn tsan_two_threads_change_a_number() {
    let (shared, meeting) = (Shared::new(), Meeting::new());
    let (theirs, met) = (Arc::clone(&shared), Arc::clone(&meeting));
    let thread = std::thread::spawn(move || {
        met.arrive();
        (0..1000).for_each(|_| theirs.add());
    });
    meeting.arrive();
    (0..1000).for_each(|_| shared.add());
    thread.join().expect("it does not panic");
    black_box(shared.read());
}

#[test]
fn tsan_a_flag_without_release_publishes_a_number() {
    let (shared, flag) = (Shared::new(), Arc::new(AtomicUsize::new(0)));
    let (theirs, raised) = (Arc::clone(&shared), Arc::clone(&flag));
    let thread = std::thread::spawn(move || {
        theirs.add();
        raised.store(1, Ordering::Relaxed);
    });
    while flag.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    black_box(shared.read());
    thread.join().expect("it does not panic");
}

#[test]
fn tsan_one_of_two_threads_forgets_the_lock() {
    let (shared, meeting) = (Shared::new(), Meeting::new());
    let lock = Arc::new(Mutex::new(()));
    let (theirs, met, locked) = (Arc::clone(&shared), Arc::clone(&meeting), Arc::clone(&lock));
    let thread = std::thread::spawn(move || {
        met.arrive();
        for _ in 0..1000 {
            let _guard = locked.lock().expect("nobody panics");
            theirs.add();
        }
    });
    meeting.arrive();
    (0..1000).for_each(|_| shared.add());
    thread.join().expect("it does not panic");
}

#[test]
fn tsan_two_tasks_change_a_number() {
    let runtime = two_workers();
    let (shared, meeting) = (Shared::new(), Meeting::new());
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let (shared, meeting) = (Arc::clone(&shared), Arc::clone(&meeting));
            runtime.handle().spawn(async move {
                yield_now().await;
                meeting.arrive();
                (0..1000).for_each(|_| shared.add());
            })
        })
        .collect();
    let main = async {
        for task in tasks {
            task.await.expect("it ends");
        }
    };
    runtime.run(main).expect("main ends");
}

#[test]
fn tsan_a_task_and_a_closure_of_the_pool_change_a_number() {
    let runtime = two_workers();
    let (shared, meeting) = (Shared::new(), Meeting::new());
    let main = async {
        let pool = kasasagi_blocking::Pool::current().expect("a runtime has a pool");
        let (theirs, met) = (Arc::clone(&shared), Arc::clone(&meeting));
        let closure = pool.unblock(move || {
            met.arrive();
            (0..1000).for_each(|_| theirs.add());
        });
        meeting.arrive();
        (0..1000).for_each(|_| shared.add());
        closure.await.expect("it ends");
    };
    runtime.run(main).expect("main ends");
}

#[test]
fn asan_a_task_reads_what_was_freed() {
    let runtime = two_workers();
    let main = async {
        let freed = {
            let number = Box::new(black_box(7_u64));
            &raw const *number as usize
        };
        let task = spawn(async move {
            let at = black_box(std::ptr::with_exposed_provenance::<u64>(freed));
            // SAFETY: none; it was freed.
            black_box(unsafe { at.read() })
        });
        black_box(task.await.expect("it ends"));
    };
    runtime.run(main).expect("main ends");
}

#[test]
fn asan_a_task_writes_behind_the_end() {
    let runtime = two_workers();
    let main = async {
        let task = spawn(async {
            let mut numbers = black_box(vec![0_u64; 8]);
            let end = black_box(8);
            // SAFETY: none; it is one too far.
            unsafe { *numbers.as_mut_ptr().add(end) = 1 };
            black_box(numbers.len())
        });
        black_box(task.await.expect("it ends"));
    };
    runtime.run(main).expect("main ends");
}

#[test]
fn asan_a_task_leaks_a_box() {
    let runtime = two_workers();
    let main = async {
        let task = spawn(async {
            std::mem::forget(black_box(Box::new([1_u8; 777])));
        });
        task.await.expect("it ends");
    };
    runtime.run(main).expect("main ends");
    assert!(runtime.shutdown(Duration::from_secs(10)).is_clean());
}

#[test]
fn asan_a_waker_that_is_forgotten_leaks_its_task() {
    let runtime = two_workers();
    let main = async {
        let mut first = true;
        let task = spawn(std::future::poll_fn(move |cx| {
            if std::mem::take(&mut first) {
                std::mem::forget(black_box(cx.waker().clone()));
                cx.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            std::task::Poll::Ready(())
        }));
        task.await.expect("it ends");
    };
    runtime.run(main).expect("main ends");
    assert!(runtime.shutdown(Duration::from_secs(10)).is_clean());
}
