//! Futures that wait for a lock, an event, a condition, or for others at a barrier.

use crate::drive::{Polls, cases};
use crate::world::ms;
use kasasagi::sync::{Barrier, Condition, Event, Lock, RwLock};
use kasasagi::{Task, spawn, time};
use std::sync::Arc;

cases! {
    lock, lock_owned, read, read_owned, write, write_owned, event, condition, condition_for, barrier,
}

/// The lock is held; ours is the first in the line, and another behind it has to get what we give up.
async fn contended<G, F: IntoFuture<Output = G>>(
    polls: Polls,
    lock: Arc<RwLock<()>>,
    ours: impl FnOnce(Arc<RwLock<()>>) -> F,
) -> bool {
    let held = RwLock::write_owned(Arc::clone(&lock)).await;
    let holder = spawn(async move {
        time::sleep(ms(2)).await;
        drop(held);
    });
    let theirs = Arc::clone(&lock);
    let behind = spawn(async move {
        time::sleep(ms(1)).await;
        drop(theirs.write().await);
    });
    let given = polls.of(ours(Arc::clone(&lock))).await;
    let ended = given.is_some();
    drop(given);
    behind.await.expect("it gets the lock");
    holder.await.expect("it ends");
    assert!(lock.try_write().is_ok(), "it is free again");
    ended
}

async fn read(polls: Polls) -> bool {
    let ours = |lock: Arc<RwLock<()>>| async move { drop(lock.read().await) };
    contended(polls, Arc::default(), ours).await
}

async fn read_owned(polls: Polls) -> bool {
    contended(polls, Arc::default(), RwLock::read_owned).await
}

async fn write(polls: Polls) -> bool {
    let ours = |lock: Arc<RwLock<()>>| async move { drop(lock.write().await) };
    contended(polls, Arc::default(), ours).await
}

async fn write_owned(polls: Polls) -> bool {
    contended(polls, Arc::default(), RwLock::write_owned).await
}

/// As above, of a lock without readers.
async fn contended_lock<G, F: IntoFuture<Output = G>>(
    polls: Polls,
    ours: impl FnOnce(Arc<Lock<u32>>) -> F,
) -> bool {
    let lock = Arc::new(Lock::new(0));
    let mut held = Lock::lock_owned(Arc::clone(&lock)).await;
    let holder = spawn(async move {
        time::sleep(ms(2)).await;
        *held += 1;
    });
    let theirs = Arc::clone(&lock);
    let behind = spawn(async move {
        time::sleep(ms(1)).await;
        *theirs.lock().await
    });
    let given = polls.of(ours(Arc::clone(&lock))).await;
    let ended = given.is_some();
    drop(given);
    assert_eq!(behind.await.expect("it gets the lock"), 1);
    holder.await.expect("it ends");
    assert!(!lock.is_locked(), "it is free again");
    ended
}

async fn lock(polls: Polls) -> bool {
    contended_lock(polls, |lock| async move { drop(lock.lock().await) }).await
}

async fn lock_owned(polls: Polls) -> bool {
    contended_lock(polls, Lock::lock_owned).await
}

/// Others who wait for it go on all the same.
async fn event(polls: Polls) -> bool {
    let event = Arc::new(Event::new());
    let (theirs, setter) = (Arc::clone(&event), Arc::clone(&event));
    let other = spawn(async move { theirs.wait().await });
    let setter = spawn(async move {
        time::sleep(ms(2)).await;
        setter.set();
        setter.clear();
    });
    let ended = polls.of(event.wait()).await.is_some();
    other.await.expect("it goes on");
    setter.await.expect("it ends");
    assert!(format!("{event:?}").contains("waiters: 0"));
    ended
}

type Shared = Arc<(Lock<u32>, Condition)>;

/// Waits until the number is above zero, and takes one.
fn consumer(shared: &Shared) -> Task<()> {
    let shared = Arc::clone(shared);
    spawn(async move {
        let mut guard = shared.1.wait_for(shared.0.lock().await, |now| *now > 0).await;
        *guard -= 1;
    })
}

/// One notification for each that is added: so if ours keeps one that it does not use, another waits for ever.
fn producer(shared: &Shared, many: u32) -> Task<()> {
    let shared = Arc::clone(shared);
    spawn(async move {
        time::sleep(ms(2)).await;
        for _ in 0..many {
            *shared.0.lock().await += 1;
            shared.1.notify_one();
        }
    })
}

async fn condition(polls: Polls) -> bool {
    let shared = Shared::default();
    let guard = shared.0.lock().await;
    let producer = producer(&shared, 1);
    let behind = spawn({
        let shared = Arc::clone(&shared);
        async move {
            time::sleep(ms(1)).await;
            let mut guard = shared.1.wait_for(shared.0.lock().await, |now| *now > 0).await;
            *guard -= 1;
        }
    });
    // If it is ready, it was notified, and passes that on.
    let given = polls.of(shared.1.wait(guard)).await;
    let ended = given.is_some();
    drop(given);
    if ended {
        shared.1.notify_one();
    }
    behind.await.expect("it is notified");
    producer.await.expect("it ends");
    assert!(!shared.0.is_locked());
    ended
}

async fn condition_for(polls: Polls) -> bool {
    let shared = Shared::default();
    let guard = shared.0.lock().await;
    let producer = producer(&shared, 2);
    let other = consumer(&shared);
    let given = polls.of(shared.1.wait_for(guard, |now| *now > 0)).await;
    let ended = given.is_some();
    if let Some(mut guard) = given {
        *guard -= 1;
    }
    other.await.expect("it is notified");
    producer.await.expect("it ends");
    assert_eq!(*shared.0.lock().await, u32::from(!ended));
    ended
}

/// One in its place lets the others pass, if it was not counted.
async fn barrier(polls: Polls) -> bool {
    let barrier = Arc::new(Barrier::new(2));
    let other = spawn({
        let barrier = Arc::clone(&barrier);
        async move {
            time::sleep(ms(2)).await;
            barrier.wait().await.expect("nobody breaks it");
        }
    });
    let ended = polls.of(barrier.wait()).await.is_some();
    while !other.is_finished() {
        if barrier.n_waiting() == 1 {
            barrier.wait().await.expect("nobody breaks it");
        }
        time::sleep(ms(1)).await;
    }
    other.await.expect("it passes");
    assert!(!barrier.broken());
    ended
}
