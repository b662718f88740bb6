//! Barriers between tasks.

use crate::flavour::{for_each_flavour, in_each_flavour, run};
use crate::meeting::{all, until, would_wait};
use kasasagi::sync::{Barrier, Broken};
use kasasagi::{Task, spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn waiter(barrier: &Arc<Barrier>) -> Task<Result<usize, Broken>> {
    let barrier = Arc::clone(barrier);
    spawn(async move { barrier.wait().await })
}

async fn filled(barrier: &Barrier, n: usize) {
    until(|| barrier.n_waiting() == n).await;
}

#[test]
fn barr_01_a_barrier_for_nobody_is_refused() {
    in_each_flavour(async || {
        let task = spawn(async { drop(Barrier::new(0)) });
        assert!(task.await.expect_err("it panics").is_panic());
    });
}

#[test]
fn barr_02_04_all_pass_together_each_with_a_number_of_its_own() {
    in_each_flavour(async || {
        let barrier = Arc::new(Barrier::new(5));
        let mut tasks = Vec::new();
        for n in 1..5 {
            tasks.push(waiter(&barrier));
            filled(&barrier, n).await;
        }
        assert!(tasks.iter().all(|task| !task.is_finished()));
        let mine = barrier.wait().await;
        assert_eq!((mine, barrier.n_waiting()), (Ok(4), 0));
        let mut numbers = all(tasks).await;
        numbers.sort_by_key(|number| *number.as_ref().expect("nobody breaks it"));
        assert_eq!(numbers, [Ok(0), Ok(1), Ok(2), Ok(3)]);
    });
}

#[test]
fn barr_03_a_barrier_for_one_holds_nobody_up() {
    in_each_flavour(async || {
        let barrier = Barrier::new(1);
        for _ in 0..3 {
            assert_eq!(barrier.wait().await, Ok(0));
        }
    });
}

/// Each counts before it waits; behind the barrier all of the round have counted, and none of the next but one.
#[test]
fn barr_05_06_generations_do_not_mix() {
    const PARTIES: usize = 4;
    for_each_flavour(|build| {
        run(&build(), async {
            let shared = Arc::new((Barrier::new(PARTIES), AtomicUsize::new(0)));
            let party = |n: usize| {
                let shared = Arc::clone(&shared);
                spawn(async move {
                    let mut sum = 0;
                    for round in 1..=1_000 {
                        shared.1.fetch_add(1, Ordering::Relaxed);
                        sum += shared.0.wait().await.expect("nobody breaks it");
                        let seen = shared.1.load(Ordering::Relaxed);
                        assert!((round * PARTIES..=(round + 1) * PARTIES).contains(&seen));
                        if (round + n) % 7 == 0 {
                            yield_now().await;
                        }
                    }
                    sum
                })
            };
            let sums = all((0..PARTIES).map(party).collect()).await;
            assert_eq!(sums.iter().sum::<usize>(), 1_000 * (1 + 2 + 3));
        });
    });
}

#[test]
fn barr_07_one_who_is_cancelled_is_replaced_and_breaks_nothing() {
    in_each_flavour(async || {
        let barrier = Arc::new(Barrier::new(3));
        let (one, two) = (waiter(&barrier), waiter(&barrier));
        filled(&barrier, 2).await;
        one.cancel();
        assert!(one.await.expect_err("it is cancelled").is_cancelled());
        assert_eq!((barrier.n_waiting(), barrier.broken()), (1, false));
        let substitute = waiter(&barrier);
        filled(&barrier, 2).await;
        assert_eq!(barrier.wait().await, Ok(2));
        assert!(two.await.expect("it ends").is_ok());
        assert!(substitute.await.expect("it ends").is_ok());
    });
}

#[test]
fn barr_08_a_reset_with_nobody_there_changes_nothing() {
    in_each_flavour(async || {
        let barrier = Arc::new(Barrier::new(2));
        barrier.reset();
        assert!(!barrier.broken());
        let other = waiter(&barrier);
        assert!(barrier.wait().await.is_ok());
        assert!(other.await.expect("it ends").is_ok());
    });
}

#[test]
fn barr_09_12_a_reset_sends_away_who_waits_and_they_may_come_again() {
    in_each_flavour(async || {
        let barrier = Arc::new(Barrier::new(3));
        let again = || {
            let barrier = Arc::clone(&barrier);
            spawn(async move {
                let first = barrier.wait().await;
                (first, barrier.wait().await)
            })
        };
        let (one, two) = (again(), again());
        filled(&barrier, 2).await;
        barrier.reset();
        assert!(!barrier.broken());
        filled(&barrier, 2).await;
        assert_eq!(barrier.wait().await, Ok(2));
        for task in [one, two] {
            let (first, second) = task.await.expect("it ends");
            assert!(first == Err(Broken) && second.is_ok());
        }
    });
}

/// Half of them have left when it is reset, and wait for the next time already. (Polled by hand, as only one thread can
/// stop a worker between two of them.)
#[test]
fn barr_10_11_13_a_reset_while_it_drains_reaches_who_has_not_left() {
    in_each_flavour(async || {
        use std::task::{Context, Poll, Waker};
        let poll = |future: &mut std::pin::Pin<Box<kasasagi::sync::BarrierWait<'_>>>| {
            // Several times: a unit of the budget may be refused, under chaos any.
            let mut polls =
                (0..32).map(|_| future.as_mut().poll(&mut Context::from_waker(Waker::noop())));
            polls.find(Poll::is_ready).unwrap_or(Poll::Pending)
        };
        for is_last_left in [false, true] {
            let barrier = Barrier::new(3);
            let (mut one, mut two) = (Box::pin(barrier.wait()), Box::pin(barrier.wait()));
            assert!(poll(&mut one).is_pending() && poll(&mut two).is_pending());
            assert_eq!(barrier.wait().await, Ok(2));
            assert_eq!(poll(&mut one), Poll::Ready(Ok(0)));
            let mut again = Box::pin(barrier.wait());
            assert!(poll(&mut again).is_pending());
            if is_last_left {
                assert_eq!(poll(&mut two), Poll::Ready(Ok(1)));
            }
            barrier.reset();
            if !is_last_left {
                assert_eq!(poll(&mut two), Poll::Ready(Err(Broken)));
            }
            let mut other = Box::pin(barrier.wait());
            assert!(poll(&mut again).is_pending() && poll(&mut other).is_pending());
            assert_eq!(barrier.wait().await, Ok(2));
            assert!(poll(&mut again).is_ready() && poll(&mut other).is_ready());
        }
    });
}

#[test]
fn barr_14_15_16_an_abort_sends_all_away_until_a_reset() {
    in_each_flavour(async || {
        let barrier = Arc::new(Barrier::new(4));
        let tasks: Vec<_> = (0..3).map(|_| waiter(&barrier)).collect();
        filled(&barrier, 3).await;
        // The fourth fails before it gets there.
        barrier.abort();
        assert!(barrier.broken());
        assert_eq!(all(tasks).await, [Err(Broken); 3]);
        assert_eq!(barrier.wait().await, Err(Broken));
        barrier.reset();
        let tasks: Vec<_> = (0..3).map(|_| waiter(&barrier)).collect();
        assert!(barrier.wait().await.is_ok());
        assert!(all(tasks).await.iter().all(Result::is_ok));
    });
}

#[test]
fn barr_17_debug_tells_the_state_and_how_many_have_come() {
    in_each_flavour(async || {
        let barrier = Arc::new(Barrier::new(2));
        let task = waiter(&barrier);
        filled(&barrier, 1).await;
        assert_eq!(format!("{barrier:?}"), "Barrier { state: filling, waiters: 1/2 }");
        barrier.abort();
        assert_eq!(format!("{barrier:?}"), "Barrier { state: broken, waiters: 0/2 }");
        assert_eq!(task.await.expect("it ends"), Err(Broken));
    });
}

/// A waiter is cancelled just as the last one arrives: it was counted, and all the others pass; or it was not, and one
/// in its place lets them pass.
#[test]
fn barr_18_a_cancellation_that_meets_the_last_arrival_leaves_nobody_stuck() {
    for_each_flavour(|build| {
        run(&build(), async {
            let barrier = Arc::new(Barrier::new(3));
            for _ in 0..1_000 {
                let (one, two) = (waiter(&barrier), waiter(&barrier));
                filled(&barrier, 2).await;
                let last = waiter(&barrier);
                one.cancel();
                let was_counted = one.await.is_ok() || {
                    until(|| last.is_finished() || barrier.n_waiting() == 2).await;
                    last.is_finished() || barrier.n_waiting() != 2
                };
                if !was_counted {
                    assert!(barrier.wait().await.is_ok());
                }
                assert!(two.await.expect("it ends").is_ok());
                assert!(last.await.expect("it ends").is_ok());
                assert!(would_wait(barrier.wait()));
            }
        });
    });
}
