//! Locks know who holds them: a task that waits for itself is told so in debug mode, and others see whom they wait for.

use crate::flavour::run;
use crate::meeting::{until, waiters};
use kasasagi::sync::{Lock, RwLock};
use kasasagi::{Runtime, spawn, task, time, yield_now};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

fn in_debug_mode(test: impl Fn(&Runtime)) {
    for workers in [1, 2] {
        let builder = Runtime::builder().workers(workers).debug(true);
        test(&builder.build().expect("a runtime can be built"));
    }
}

/// Polls both each time, the first one first.
async fn both(one: impl Future<Output = ()>, two: impl Future<Output = ()>) {
    let (mut one, mut two) = (pin!(one), pin!(two));
    let (mut is_one_over, mut is_two_over) = (false, false);
    poll_fn(|cx| {
        is_one_over = is_one_over || one.as_mut().poll(cx).is_ready();
        is_two_over = is_two_over || two.as_mut().poll(cx).is_ready();
        if is_one_over && is_two_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
fn a_task_that_locks_what_it_holds_is_told_where_it_took_it() {
    in_debug_mode(|runtime| {
        run(runtime, async {
            let (lock, rw_lock) = (Arc::new(Lock::new(())), Arc::new(RwLock::new(())));
            let (theirs, theirs_too) = (Arc::clone(&lock), Arc::clone(&rw_lock));
            let first = line!() + 2;
            let task = spawn(async move {
                let _guard = theirs.lock().await;
                let _again = theirs.lock().await;
            });
            let payload = task.await.expect_err("it would wait for ever").into_panic();
            let text = payload.expect("it panicked").downcast::<String>().expect("a text");
            assert!(text.contains("a lock that it holds itself"), "{text}");
            assert!(text.contains(&format!("owners.rs:{first}")), "{text}");
            assert!(text.contains(&format!("owners.rs:{}", first + 1)), "{text}");
            assert!(!lock.is_locked(), "its guard is dropped");
            let task = spawn(async move {
                let _guard = theirs_too.write().await;
                let _again = theirs_too.read().await;
            });
            assert!(task.await.expect_err("it would wait for ever").is_panic());
            assert!(rw_lock.try_write().is_ok());
        });
    });
}

/// One part of a task holds the lock and waits for something, the other part waits for the lock: all is well.
#[test]
fn a_task_of_two_parts_that_share_a_lock_is_not_accused() {
    in_debug_mode(|runtime| {
        run(runtime, async {
            for holds_first in [true, false] {
                let lock = Lock::new(0);
                let holder = async {
                    let mut guard = lock.lock().await;
                    time::sleep(Duration::from_millis(2)).await;
                    yield_now().await;
                    *guard += 1;
                };
                let other = async {
                    yield_now().await;
                    *lock.lock().await += 1;
                };
                if holds_first {
                    both(holder, other).await;
                } else {
                    both(other, holder).await;
                }
                assert_eq!(*lock.lock().await, 2);
            }
        });
    });
}

#[test]
fn a_guard_that_was_given_to_another_task_accuses_nobody() {
    in_debug_mode(|runtime| {
        run(runtime, async {
            let lock = Arc::new(Lock::new(0));
            let mut guard = Lock::lock_owned(Arc::clone(&lock)).await;
            let other = spawn(async move {
                time::sleep(Duration::from_millis(2)).await;
                *guard += 1;
            });
            assert_eq!(*lock.lock().await, 1);
            other.await.expect("it ends");
        });
    });
}

#[test]
fn outside_debug_mode_it_waits() {
    for workers in [1, 2] {
        let builder = Runtime::builder().workers(workers).debug(false);
        run(&builder.build().expect("a runtime can be built"), async {
            let lock = Lock::new(());
            let _guard = lock.lock().await;
            assert!(time::timeout(Duration::from_millis(5), lock.lock()).await.is_err());
        });
    }
}

#[test]
fn whoever_looks_sees_which_task_holds_what_another_waits_for() {
    in_debug_mode(|runtime| {
        run(runtime, async {
            let lock = Arc::new(Lock::new(()));
            let guard = lock.lock().await;
            let line = line!() - 1;
            let mine = task::current().id();
            let theirs = Arc::clone(&lock);
            let waiter = spawn(async move { drop(theirs.lock().await) });
            waiters(&lock, 1).await;
            let infos = || task::all().into_iter().find(|info| info.id == waiter.id());
            let mut found = None;
            until(|| {
                found = infos().filter(|info| info.wait.is_some());
                found.is_some()
            })
            .await;
            let info = found.expect("it waits");
            let held = info.held_by.expect("somebody holds it");
            assert_eq!(held.task, mine.as_u64());
            assert_eq!(held.place.line(), line);
            assert!(format!("{info:?}").contains(&format!("held_by={mine} at")), "{info:?}");
            drop(guard);
            waiter.await.expect("it ends");
        });
    });
}
