//! Futures that wait at a queue, with others behind them.

use crate::drive::{Polls, cases};
use crate::world::ms;
use kasasagi::sync::Queue;
use kasasagi::{spawn, time};

cases! { put, get, get_guarded, join }

/// The queue is full; ours is the first in line, another is behind it, and both get their room as items are taken.
async fn put(polls: Polls) -> bool {
    let queue = Queue::bounded(1);
    queue.put('a').await.expect("it is open");
    let theirs = queue.clone();
    let behind = spawn(async move {
        time::sleep(ms(1)).await;
        theirs.put('c').await.expect("it is open");
    });
    let theirs = queue.clone();
    let taker = spawn(async move {
        time::sleep(ms(2)).await;
        theirs.get().await.expect("it is open")
    });
    let ended = polls.of(queue.put('b')).await.is_some();
    assert_eq!(taker.await.expect("it ends"), 'a');
    if ended {
        assert_eq!(queue.get().await, Ok('b'));
    }
    behind.await.expect("it gets the room that we gave up");
    assert_eq!(queue.try_get(), Ok('c'));
    assert!(queue.try_get().is_err(), "what was dropped was put");
    ended
}

/// Ours is the first in line; what it does not take goes to the one behind it, and items keep their order.
async fn contended(queue: &Queue<u32>, ended: impl Future<Output = Option<u32>>) -> bool {
    let theirs = queue.clone();
    let behind = spawn(async move {
        time::sleep(ms(1)).await;
        theirs.get().await.expect("it is open")
    });
    let theirs = queue.clone();
    let putter = spawn(async move {
        time::sleep(ms(2)).await;
        theirs.put(1).await.expect("it is open");
        theirs.put(2).await.expect("it is open");
    });
    let ours = ended.await;
    let theirs = behind.await.expect("it gets one");
    putter.await.expect("it ends");
    let left = queue.try_get().ok();
    let mut all: Vec<_> = [ours, Some(theirs), left].into_iter().flatten().collect();
    assert_eq!(left.is_none(), ours.is_some());
    if left.is_some() {
        assert_eq!(all, [1, 2], "the order was lost");
    }
    all.sort_unstable();
    assert_eq!(all, [1, 2], "an item was lost, or came twice");
    ours.is_some()
}

async fn get(polls: Polls) -> bool {
    let queue = Queue::bounded(1);
    contended(&queue, async { Some(polls.of(queue.get()).await?.expect("it is open")) }).await
}

/// What its guard held is done; what was not taken is not.
async fn get_guarded(polls: Polls) -> bool {
    let queue = Queue::bounded(1);
    let ours = async { Some(*polls.of(queue.get_guarded()).await?.expect("it is open")) };
    let ended = contended(&queue, ours).await;
    assert_eq!(queue.unfinished(), if ended { 1 } else { 2 });
    ended
}

async fn join(polls: Polls) -> bool {
    let queue = Queue::unbounded();
    queue.put(1).await.expect("it is open");
    let theirs = queue.clone();
    let behind = spawn(async move { theirs.join().await });
    let theirs = queue.clone();
    let worker = spawn(async move {
        time::sleep(ms(2)).await;
        theirs.task_done().expect("it was put");
    });
    let ended = polls.of(queue.join()).await.is_some();
    behind.await.expect("it is woken");
    worker.await.expect("it ends");
    ended
}
