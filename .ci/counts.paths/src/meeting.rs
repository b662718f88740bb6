//! What lets tasks meet: alone, where nobody waits; and with a task that waits each time.

use kasasagi::sync::{Event, Lock, OnceCell, Queue, RwLock, Semaphore, broadcast, oneshot, watch};
use kasasagi::{spawn, yield_now};
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;

type Path = fn(usize) -> Pin<Box<dyn Future<Output = ()>>>;

pub(crate) fn path(name: &str) -> Path {
    match name {
        "semaphore" => |n| Box::pin(semaphore(n)),
        "lock" => |n| Box::pin(lock(n)),
        "lock_handed" => |n| Box::pin(lock_handed(n)),
        "rw_lock_read" => |n| Box::pin(rw_lock_read(n)),
        "rw_lock_write" => |n| Box::pin(rw_lock_write(n)),
        "event" => |n| Box::pin(event(n)),
        "event_awaited" => |n| Box::pin(event_awaited(n)),
        "queue" => |n| Box::pin(queue(n)),
        "queue_awaited" => |n| Box::pin(queue_awaited(n)),
        "once_cell" => |n| Box::pin(once_cell(n)),
        "oneshot" => |n| Box::pin(oneshots(n)),
        "promise" => |n| Box::pin(promises(n)),
        "promise_awaited" => |n| Box::pin(promises_awaited(n)),
        "broadcast" => |n| Box::pin(broadcasts(n)),
        "watch" => |n| Box::pin(watches(n)),
        other => panic!("there is no path `{other}`"),
    }
}

async fn semaphore(n: usize) {
    let semaphore = Semaphore::new(1);
    for _ in 0..n {
        drop(black_box(semaphore.acquire().await.expect("it is open")));
    }
}

async fn lock(n: usize) {
    let lock = Lock::new(0);
    for _ in 0..n {
        *black_box(&lock).lock().await += 1;
    }
}

/// Two tasks, each of which waits for the other at each turn.
async fn lock_handed(n: usize) {
    let lock = Arc::new(Lock::new(0));
    let turns = || {
        let lock = Arc::clone(&lock);
        async move {
            for _ in 0..n / 2 {
                let mut guard = lock.lock().await;
                yield_now().await;
                *guard += 1;
            }
        }
    };
    let (one, two) = (spawn(turns()), spawn(turns()));
    one.await.expect("it ends");
    two.await.expect("it ends");
}

async fn rw_lock_read(n: usize) {
    let lock = RwLock::new(0);
    for _ in 0..n {
        black_box(*black_box(&lock).read().await);
    }
}

async fn rw_lock_write(n: usize) {
    let lock = RwLock::new(0);
    for _ in 0..n {
        *black_box(&lock).write().await += 1;
    }
}

/// Set, found set, and cleared.
async fn event(n: usize) {
    let event = Event::new();
    for _ in 0..n {
        black_box(&event).set();
        event.wait().await;
        event.clear();
    }
}

/// A task waits each time.
async fn event_awaited(n: usize) {
    let event = Arc::new(Event::new());
    let theirs = Arc::clone(&event);
    let waiter = spawn(async move {
        for _ in 0..n {
            theirs.wait().await;
            theirs.clear();
        }
    });
    yield_now().await;
    for _ in 0..n {
        event.set();
        yield_now().await;
    }
    waiter.await.expect("it ends");
}

async fn queue(n: usize) {
    let queue = Queue::bounded(100);
    for i in 0..n {
        queue.put(black_box(i)).await.expect("it is open");
        assert_eq!(queue.get().await, Ok(i));
    }
}

/// A task waits for each item, and then for the other to put the next one.
async fn queue_awaited(n: usize) {
    let queue = Queue::bounded(1);
    let theirs = queue.clone();
    let getter = spawn(async move {
        for i in 0..n {
            assert_eq!(theirs.get().await, Ok(i));
        }
    });
    for i in 0..n {
        queue.put(i).await.expect("it is open");
        yield_now().await;
    }
    getter.await.expect("it ends");
}

async fn once_cell(n: usize) {
    let cell = OnceCell::new();
    for i in 0..n {
        black_box(black_box(&cell).get_or_init(async || i).await);
    }
}

async fn oneshots(n: usize) {
    for i in 0..n {
        let (sender, receiver) = oneshot::channel();
        sender.send(black_box(i)).expect("the other side waits");
        assert_eq!(receiver.await, Ok(i));
    }
}

async fn promises(n: usize) {
    for i in 0..n {
        let (promise, pending) = kasasagi::promise::<usize, ()>();
        promise.set_result(black_box(i)).expect("the other side waits");
        drop(promise);
        assert_eq!(pending.await, Ok(i));
    }
}

/// Kept by a task of its own.
async fn promises_awaited(n: usize) {
    for i in 0..n {
        let (promise, pending) = kasasagi::promise::<usize, ()>();
        drop(spawn(async move { promise.set_result(i).expect("the other side waits") }));
        assert_eq!(pending.await, Ok(i));
    }
}

/// To one who receives.
async fn broadcasts(n: usize) {
    let (sender, mut receiver) = broadcast::channel(16);
    for i in 0..n {
        sender.send(black_box(i)).expect("there is one");
        assert_eq!(receiver.recv().await, Ok(i));
    }
}

async fn watches(n: usize) {
    let (sender, mut receiver) = watch::channel(0);
    for i in 1..=n {
        sender.send(black_box(i)).expect("there is one");
        receiver.changed().await.expect("the sender is there");
        assert_eq!(*receiver.borrow_and_update(), i);
    }
}
