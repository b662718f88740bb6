//! Futures that wait for one thing.

use crate::drive::{Polls, cases};
use crate::world::{World, ms};
use kasasagi::sync::{BoundedSemaphore, Semaphore};
use kasasagi::{promise, spawn, time, yield_now};
use std::sync::Arc;

cases! {
    sleep, sleep_until, tick, yields, acquire, acquire_many, acquire_owned, acquire_bounded, pending_result,
    broken_promise, join_borrowed, join_owned,
}

async fn sleep(polls: Polls) -> bool {
    polls.of(time::sleep(ms(5))).await.is_some()
}

async fn sleep_until(polls: Polls) -> bool {
    polls.of(time::sleep_until(time::now() + ms(5))).await.is_some()
}

/// The tick is still to come.
async fn tick(polls: Polls) -> bool {
    let mut interval = time::interval(ms(5));
    let first = interval.tick().await;
    let ended = polls.of(interval.tick()).await;
    let next = match ended {
        Some(tick) => tick,
        None => interval.tick().await,
    };
    assert_eq!(next, first + ms(5));
    assert_eq!(interval.tick().await, first + ms(10));
    ended.is_some()
}

/// Two, so that there is one to be dropped in.
async fn yields(polls: Polls) -> bool {
    let two = async {
        yield_now().await;
        yield_now().await;
    };
    polls.of(two).await.is_some()
}

/// A permit is held; ours is the first in the line, and another behind it has to get what we give up.
async fn contended<F: IntoFuture>(
    polls: Polls,
    permits: usize,
    ours: impl FnOnce(Arc<Semaphore>) -> F,
) -> bool {
    let semaphore = Arc::new(Semaphore::new(permits));
    let mut held = Vec::new();
    for _ in 0..permits {
        held.push(Semaphore::acquire_owned(Arc::clone(&semaphore)).await.expect("it is open"));
    }
    let holder = spawn(async move {
        time::sleep(ms(2)).await;
        while held.pop().is_some() {
            yield_now().await;
        }
    });
    let theirs = Arc::clone(&semaphore);
    let behind = spawn(async move {
        time::sleep(ms(1)).await;
        drop(Semaphore::acquire_owned(theirs).await.expect("it is open"));
    });
    let given = polls.of(ours(Arc::clone(&semaphore))).await;
    let ended = given.is_some();
    drop(given);
    behind.await.expect("it gets its permit");
    holder.await.expect("it ends");
    assert_eq!(semaphore.available_permits(), permits, "a permit was lost, or doubled");
    ended
}

async fn acquire(polls: Polls) -> bool {
    let ours = |semaphore: Arc<Semaphore>| async move {
        drop(semaphore.acquire().await.expect("it is open"));
    };
    contended(polls, 1, ours).await
}

async fn acquire_many(polls: Polls) -> bool {
    let ours = |semaphore: Arc<Semaphore>| async move {
        drop(semaphore.acquire_many(3).await.expect("it is open"));
    };
    contended(polls, 3, ours).await
}

async fn acquire_owned(polls: Polls) -> bool {
    contended(polls, 1, Semaphore::acquire_owned).await
}

/// Of a bounded one, which would take no more than it had.
async fn acquire_bounded(polls: Polls) -> bool {
    let semaphore = Arc::new(BoundedSemaphore::new(1));
    let held = BoundedSemaphore::acquire_owned(Arc::clone(&semaphore)).await.expect("it is open");
    let holder = spawn(async move {
        time::sleep(ms(2)).await;
        drop(held);
    });
    let theirs = Arc::clone(&semaphore);
    let behind = spawn(async move {
        time::sleep(ms(1)).await;
        drop(theirs.acquire().await.expect("it is open"));
    });
    let given = polls.of(BoundedSemaphore::acquire_owned(Arc::clone(&semaphore))).await;
    let ended = given.is_some();
    drop(given);
    behind.await.expect("it gets its permit");
    holder.await.expect("it ends");
    assert_eq!(semaphore.available_permits(), 1, "a permit was lost");
    ended
}

/// Others who wait for it get it all the same.
async fn pending_result(polls: Polls) -> bool {
    let (promise, pending) = promise::<u64, &'static str>();
    let setter = spawn(async move {
        time::sleep(ms(2)).await;
        promise.set_result(7).expect("nobody else sets it");
    });
    let given = polls.of(pending.clone()).await;
    let ended = given.is_some();
    assert!(given.is_none() || given == Some(Ok(7)));
    assert_eq!(pending.await, Ok(7));
    setter.await.expect("it ends");
    ended
}

async fn broken_promise(polls: Polls) -> bool {
    let (promise, pending) = promise::<u64, &'static str>();
    let breaker = spawn(async move {
        time::sleep(ms(2)).await;
        drop(promise);
    });
    let ended = polls.of(pending.clone()).await.is_some();
    assert!(pending.await.is_err());
    breaker.await.expect("it ends");
    ended
}

async fn join_borrowed(polls: Polls) -> bool {
    let world = World::default();
    let mut task = spawn(world.child(4));
    match polls.of(&mut task).await {
        Some(output) => {
            assert_eq!(output.expect("it ends"), 4);
            true
        }
        None => {
            assert_eq!(task.await.expect("it was not lost"), 4);
            false
        }
    }
}

async fn join_owned(polls: Polls) -> bool {
    let world = World::default();
    let ended = polls.of(spawn(world.child(4))).await.is_some();
    world.all_end(1).await;
    ended
}
