//! Locks, events, conditions and barriers between runtimes and threads: their futures may be dropped anywhere.

use crate::flavour::{for_each_flavour, run};
use crate::meeting::{all, until};
use kasasagi::sync::{Barrier, Condition, Event, Lock, RwLock};
use kasasagi::{Runtime, spawn, yield_now};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

#[derive(Default)]
struct World {
    lock: Lock<u32>,
    rw_lock: RwLock<u32>,
    event: Event,
    condition: Condition,
}

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future of each kind; they are ready when all is free, set and notified.
fn waits(world: &Arc<World>, barrier: &Arc<Barrier>) -> Vec<Boxed> {
    let (one, two, three, four) =
        (Arc::clone(world), Arc::clone(world), Arc::clone(world), Arc::clone(world));
    let barrier = Arc::clone(barrier);
    vec![
        Box::pin(async move { *one.lock.lock().await += 1 }),
        Box::pin(async move { *two.rw_lock.write().await += 1 }),
        Box::pin(async move { drop(three.rw_lock.read().await) }),
        Box::pin(async move { four.event.wait().await }),
        Box::pin(async move { _ = barrier.wait().await }),
    ]
}

/// Polled in one task, dropped in another, while all of it is released: whoever waits behind goes on.
#[test]
fn mt_07_waiters_of_all_kinds_are_dropped_by_other_tasks_than_polled_them() {
    for_each_flavour(|build| {
        run(&build(), async {
            let world = Arc::new(World::default());
            for _ in 0..1_000 {
                let barrier = Arc::new(Barrier::new(2));
                let held = (world.lock.lock().await, world.rw_lock.write().await);
                let mut leavers = waits(&world, &barrier);
                for future in &mut leavers {
                    let mut cx = Context::from_waker(Waker::noop());
                    assert!(future.as_mut().poll(&mut cx).is_pending());
                }
                let stayers: Vec<_> = waits(&world, &barrier).into_iter().map(spawn).collect();
                let dropper = spawn(async move { drop(leavers) });
                drop(held);
                world.event.set();
                dropper.await.expect("it ends");
                // The stayer is alone at the barrier, or the leaver was counted.
                until(|| barrier.n_waiting() == 1 || stayers[4].is_finished()).await;
                if !stayers[4].is_finished() {
                    barrier.wait().await.expect("nobody breaks it");
                }
                all(stayers).await;
                world.event.clear();
            }
        });
    });
}

#[test]
fn mt_07_waiters_of_a_condition_are_dropped_by_other_tasks_than_polled_them() {
    for_each_flavour(|build| {
        run(&build(), async {
            let world = Arc::new(World::default());
            let wait = |world: Arc<World>| async move {
                drop(world.condition.wait_for(world.lock.lock().await, |n| *n > 0).await);
            };
            for _ in 0..1_000 {
                *world.lock.lock().await = 0;
                let mut leaver: Boxed = Box::pin(wait(Arc::clone(&world)));
                let stayer = spawn(wait(Arc::clone(&world)));
                // Again and again: a budget may be refused.
                until(|| {
                    let mut cx = Context::from_waker(Waker::noop());
                    assert!(leaver.as_mut().poll(&mut cx).is_pending());
                    format!("{:?}", world.condition).contains("waiters: 2")
                })
                .await;
                let dropper = spawn(async move { drop(leaver) });
                *world.lock.lock().await = 1;
                world.condition.notify_one();
                dropper.await.expect("it ends");
                stayer.await.expect("it is notified, now or in the other's place");
            }
        });
    });
}

#[test]
fn mt_08_they_work_between_two_runtimes() {
    for_each_flavour(|build| {
        let (one, other) = (build(), build());
        let world = Arc::new(World::default());
        let barrier = Arc::new(Barrier::new(4));
        let spawn_into = |runtime: &Runtime| -> Vec<_> {
            let party = || {
                let (world, barrier) = (Arc::clone(&world), Arc::clone(&barrier));
                runtime.handle().spawn(async move {
                    world.event.wait().await;
                    for round in 1..=100 {
                        {
                            let mut guard = world.lock.lock().await;
                            *guard += 1;
                            yield_now().await;
                            world.condition.notify_all();
                            let all_here = |n: &mut u32| *n >= 4 * round;
                            drop(world.condition.wait_for(guard, all_here).await);
                        }
                        *world.rw_lock.write().await += 1;
                        barrier.wait().await.expect("nobody breaks it");
                    }
                })
            };
            vec![party(), party()]
        };
        let tasks = [spawn_into(&one), spawn_into(&other)];
        world.event.set();
        run(&one, async move {
            for task in tasks.into_iter().flatten() {
                task.await.expect("it ends");
            }
            assert_eq!((*world.lock.lock().await, *world.rw_lock.read().await), (400, 400));
        });
    });
}
