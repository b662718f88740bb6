//! Futures that wait for closures on threads.

use crate::drive::{Polls, cases};
use futures_util::StreamExt;
use kasasagi::{ThreadPool, par_map, spawn, to_thread, yield_now};
use std::sync::Arc;
use std::sync::mpsc::channel;

cases! { lent, submitted, room, next_of_map, par }

/// Waits until nobody but the caller has a share: the closures that had one are gone.
async fn until_alone<T>(shared: &Arc<T>) {
    while Arc::strong_count(shared) > 1 {
        yield_now().await;
    }
}

/// Time, which stands still here, knows nothing of pools that are not the runtime's: a task that can run holds it.
async fn held<R>(case: impl Future<Output = R>) -> R {
    let busy = spawn(async {
        loop {
            yield_now().await;
        }
    });
    let result = case.await;
    busy.cancel();
    assert!(busy.await.is_err_and(|error| error.is_cancelled()));
    result
}

async fn lent(polls: Polls) -> bool {
    let shared = Arc::new(());
    let inside = Arc::clone(&shared);
    let ended = polls.of(to_thread(move || Arc::strong_count(&inside))).await;
    until_alone(&shared).await;
    ended.is_some()
}

/// The thread is free for others, whatever became of ours.
async fn submitted(polls: Polls) -> bool {
    held(submitted_held(polls)).await
}

async fn submitted_held(polls: Polls) -> bool {
    let pool = ThreadPool::new(1);
    let shared = Arc::new(());
    let inside = Arc::clone(&shared);
    let ended = polls.of(pool.submit(move || drop(inside))).await;
    assert_eq!(pool.submit(|| 7).await.ok(), Some(7));
    until_alone(&shared).await;
    ended.is_some()
}

/// The queue has one place, which somebody has; ours is the next.
async fn room(polls: Polls) -> bool {
    held(room_held(polls)).await
}

async fn room_held(polls: Polls) -> bool {
    let pool = ThreadPool::builder().max_workers(1).max_queued(1).build();
    let (open, is_open) = channel::<()>();
    let (tell, told) = channel();
    let first = pool.submit_when_room(move || {
        let _ = tell.send(());
        is_open.recv().is_ok()
    });
    let first = first.await;
    // Its place is free again.
    told.recv().expect("it starts");
    let second = pool.submit_when_room(|| 2).await;
    let opener = spawn(async move {
        for _ in 0..3 {
            yield_now().await;
        }
        drop(open);
    });
    let shared = Arc::new(());
    let inside = Arc::clone(&shared);
    let given = polls.of(pool.submit_when_room(move || drop(inside))).await;
    let ended = given.is_some();
    opener.await.expect("it ends");
    assert!(first.await.is_ok());
    assert_eq!(second.await.ok(), Some(2));
    drop(given);
    until_alone(&shared).await;
    // No place was lost.
    for n in 0..3 {
        assert_eq!(pool.submit_when_room(move || n).await.await.ok(), Some(n));
    }
    ended
}

async fn next_of_map(polls: Polls) -> bool {
    held(next_of_map_held(polls)).await
}

async fn next_of_map_held(polls: Polls) -> bool {
    let pool = ThreadPool::new(2);
    let mut squares = pool.map(1..=3, |n| n * n).into_stream();
    let first = polls.of(squares.next()).await.flatten().and_then(Result::ok);
    let rest: Vec<_> = squares.filter_map(|square| async { square.ok() }).collect().await;
    let all: Vec<_> = first.into_iter().chain(rest).collect();
    assert_eq!(all, [1, 4, 9]);
    first.is_some()
}

async fn par(polls: Polls) -> bool {
    let shared = Arc::new(());
    let inside = Arc::clone(&shared);
    let values = polls.of(par_map(0..100, move |n| n + Arc::strong_count(&inside))).await;
    until_alone(&shared).await;
    values.is_some_and(|values| values.len() == 100)
}
