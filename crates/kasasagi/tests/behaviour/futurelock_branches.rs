//! Futures that were given a lock, lie in a combinator that nobody polls, and whose wakes stay in it.

use crate::flavour::{for_each_flavour, run};
use crate::meeting::{all, are_waiting, waiters};
use futures_util::stream::{FuturesUnordered, StreamExt};
use kasasagi::sync::{Event, Lock, Semaphore};
use kasasagi::{spawn, yield_now};
use std::fmt::Debug;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

type Branch = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A branch that takes the lock once.
fn takes(lock: &Arc<Lock<()>>) -> Branch {
    let lock = Arc::clone(lock);
    Box::pin(async move {
        drop(lock.lock().await);
        true
    })
}

/// Adds a branch that ends at once, and waits for it, until all others are in line: they are polled, and then left.
async fn begin(branches: &mut FuturesUnordered<Branch>, lock: &Lock<()>) {
    let n = branches.len();
    // A poll that is refused, by chaos, puts nobody in line.
    while !are_waiting(lock, n) {
        branches.push(Box::pin(async { false }));
        while branches.next().await != Some(false) {}
    }
}

async fn finish(branches: FuturesUnordered<Branch>) {
    assert!(branches.all(async |has_had_it| has_had_it).await);
}

/// Runs a task that shares a lock, which is released when so many wait for it and the task has set the event.
async fn meet<F>(waits: usize, task: impl FnOnce(Arc<Lock<()>>, Arc<Event>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (lock, begun) = (Arc::new(Lock::new(())), Arc::new(Event::new()));
    let guard = lock.lock().await;
    let task = spawn(task(Arc::clone(&lock), Arc::clone(&begun)));
    begun.wait().await;
    waiters(&lock, waits).await;
    drop(guard);
    task.await.expect("it goes on");
    assert!(!lock.is_locked());
}

#[test]
fn futurelock_branches_of_a_combinator_are_passed_over_one_after_the_other() {
    for_each_flavour(|build| {
        run(&build(), async {
            for n in [1, 2, 5, 50] {
                meet(n + 1, async move |lock, begun| {
                    let mut branches: FuturesUnordered<_> = (0..n).map(|_| takes(&lock)).collect();
                    begin(&mut branches, &lock).await;
                    begun.set();
                    drop(lock.lock().await);
                    finish(branches).await;
                })
                .await;
            }
        });
    });
}

#[test]
fn futurelock_a_branch_whose_wake_stays_in_its_combinator_is_passed_over() {
    for_each_flavour(|build| {
        run(&build(), async {
            let (first, lock) = (Arc::new(Lock::new(())), Arc::new(Lock::new(())));
            let begun = Arc::new(Event::new());
            let (of_first, guard) = (first.lock().await, lock.lock().await);
            let (other, of_task, is_begun) =
                (Arc::clone(&first), Arc::clone(&lock), Arc::clone(&begun));
            let task = spawn(async move {
                let mut branches: FuturesUnordered<_> =
                    [takes(&other), takes(&of_task)].into_iter().collect();
                begin_each(&mut branches, &[&*other, &*of_task]).await;
                is_begun.set();
                drop(of_task.lock().await);
                finish(branches).await;
            });
            begun.wait().await;
            waiters(&lock, 2).await;
            // This wake the combinator passes on, and no other.
            drop(of_first);
            for _ in 0..50 {
                yield_now().await;
            }
            drop(guard);
            task.await.expect("it goes on");
            assert!(!lock.is_locked() && !first.is_locked());
        });
    });
}

/// Polls the branches until each of these has one waiter, and then leaves them.
async fn begin_each(branches: &mut FuturesUnordered<Branch>, locks: &[&Lock<()>]) {
    while !locks.iter().all(|lock| are_waiting(*lock, 1)) {
        branches.push(Box::pin(async { false }));
        while branches.next().await != Some(false) {}
    }
}

#[test]
fn futurelock_branches_that_came_later_than_others_are_passed_over() {
    for_each_flavour(|build| {
        run(&build(), async {
            meet(4, async move |lock, begun| {
                let mut branches: FuturesUnordered<_> = [takes(&lock)].into_iter().collect();
                begin(&mut branches, &lock).await;
                let of_other = Arc::clone(&lock);
                let other = spawn(async move {
                    let _guard = of_other.lock().await;
                    for _ in 0..20 {
                        yield_now().await;
                    }
                });
                waiters(&lock, 2).await;
                branches.push(takes(&lock));
                while !are_waiting(&*lock, 3) {
                    branches.push(Box::pin(async { false }));
                    while branches.next().await != Some(false) {}
                }
                begun.set();
                drop(lock.lock().await);
                finish(branches).await;
                other.await.expect("it gets the lock");
            })
            .await;
        });
    });
}

/// Has a future begin to wait under this waker, as the nth who does.
async fn begin_under<F: Future + ?Sized>(
    mut future: Pin<&mut F>,
    waker: &Waker,
    primitive: &impl Debug,
    n: usize,
) {
    while !are_waiting(primitive, n) {
        // A poll that is refused, by chaos, puts nobody in line.
        assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        yield_now().await;
    }
}

#[test]
fn futurelock_one_whose_waker_wakes_nobody_is_passed_over() {
    for_each_flavour(|build| {
        run(&build(), async {
            meet(2, async move |lock, begun| {
                let mut left = pin!(lock.lock());
                begin_under(left.as_mut(), Waker::noop(), &lock, 1).await;
                begun.set();
                drop(lock.lock().await);
                drop(left.await);
            })
            .await;
        });
    });
}

#[test]
fn futurelock_several_whose_wakers_wake_nobody_are_passed_over_by_those_behind() {
    // More than are woken at once.
    const LEFT: usize = 40;
    for_each_flavour(|build| {
        run(&build(), async {
            let limit = Arc::new(Semaphore::new(0));
            let begun = Arc::new(Event::new());
            let (of_task, is_begun) = (Arc::clone(&limit), Arc::clone(&begun));
            let task = spawn(async move {
                let mut left: Vec<_> = (0..LEFT).map(|_| Box::pin(of_task.acquire())).collect();
                for (n, left) in left.iter_mut().enumerate() {
                    begin_under(left.as_mut(), Waker::noop(), &of_task, n + 1).await;
                }
                is_begun.set();
                drop(of_task.acquire_many(LEFT).await.expect("it is open"));
                for left in left {
                    drop(left.await.expect("it is open"));
                }
            });
            begun.wait().await;
            let others = (0..3).map(|_| {
                let limit = Arc::clone(&limit);
                spawn(async move { drop(limit.acquire_many(LEFT).await.expect("it is open")) })
            });
            let others = others.collect();
            waiters(&limit, LEFT + 4).await;
            limit.add_permits(LEFT);
            all(others).await;
            task.await.expect("it goes on");
            assert_eq!(limit.available_permits(), LEFT);
        });
    });
}

/// Once it is armed, drops what it has when it is woken, and may panic. Before, chaos may wake it.
#[derive(Default)]
struct Ender {
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    is_armed: AtomicBool,
    panics: bool,
}

impl Wake for Ender {
    fn wake(self: Arc<Self>) {
        if !self.is_armed.load(Ordering::SeqCst) {
            return;
        }
        drop(mem::take(&mut *self.future.lock().expect("nobody panics with it")));
        assert!(!self.panics, "this waker panics");
    }
}

#[test]
fn futurelock_a_waker_that_drops_its_future_or_panics_keeps_nobody_from_going_on() {
    for_each_flavour(|build| {
        run(&build(), async {
            for (drops, panics) in [(true, false), (false, true), (true, true)] {
                let lock = Arc::new(Lock::new(()));
                let begun = Arc::new(Event::new());
                let guard = Lock::lock_owned(Arc::clone(&lock)).await;
                let (of_task, is_begun) = (Arc::clone(&lock), Arc::clone(&begun));
                let task = spawn(async move {
                    let ender = Arc::new(Ender { panics, ..Ender::default() });
                    let waker = Waker::from(Arc::clone(&ender));
                    let lock = Arc::clone(&of_task);
                    let mut left: Pin<Box<dyn Future<Output = ()> + Send>> =
                        Box::pin(async move { drop(lock.lock().await) });
                    begin_under(left.as_mut(), &waker, &of_task, 1).await;
                    ender.is_armed.store(true, Ordering::SeqCst);
                    if drops {
                        *ender.future.lock().expect("nobody panics with it") = Some(left);
                        is_begun.set();
                        drop(of_task.lock().await);
                    } else {
                        is_begun.set();
                        drop(of_task.lock().await);
                        left.await;
                    }
                });
                begun.wait().await;
                waiters(&lock, 2).await;
                let released = catch_unwind(AssertUnwindSafe(|| drop(guard)));
                assert_eq!(released.is_err(), panics);
                task.await.expect("it goes on");
                assert!(!lock.is_locked());
            }
        });
    });
}

/// Notes that it was woken, and tells nobody.
#[derive(Default)]
struct Noted(AtomicBool);

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn futurelock_one_that_was_moved_and_keeps_its_waker_is_passed_over_in_the_other_task() {
    for_each_flavour(|build| {
        run(&build(), async {
            let (lock, begun) = (Arc::new(Lock::new(())), Arc::new(Event::new()));
            let guard = lock.lock().await;
            let noted = Arc::new(Noted::default());
            let waker = Waker::from(Arc::clone(&noted));
            let (of_task, of_moved) = (Arc::clone(&lock), waker.clone());
            let moved = spawn(async move {
                let mut left = Box::pin(Lock::lock_owned(Arc::clone(&of_task)));
                begin_under(left.as_mut(), &of_moved, &of_task, 1).await;
                Some(left)
            });
            let mut left = moved.await.expect("it ends").expect("it gives it");
            let (of_task, is_begun) = (Arc::clone(&lock), Arc::clone(&begun));
            let task = spawn(async move {
                let mut is_refused = true;
                // A poll that is refused, by chaos, wakes it, and has not looked.
                while is_refused {
                    noted.0.store(false, Ordering::SeqCst);
                    assert!(left.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                    is_refused = noted.0.load(Ordering::SeqCst);
                    yield_now().await;
                }
                is_begun.set();
                drop(of_task.lock().await);
                drop(left.await);
            });
            begun.wait().await;
            waiters(&lock, 2).await;
            drop(guard);
            task.await.expect("it goes on");
            assert!(!lock.is_locked());
        });
    });
}
