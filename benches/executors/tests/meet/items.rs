//! Queues: put, get, join and shut down.

use crate::executors::Spawn;
use crate::scenes::{ROUNDS, TASKS, a_turn, give_up, once};
use kasasagi::sync::{LifoQueue, PriorityQueue, Queue};
use std::task::Poll;

/// Each item comes out once, those of one task in their order where the queue keeps one, and `join` is over when all is
/// done, and not before.
pub(crate) async fn queue(spawn: Spawn) {
    put_and_get(spawn, Queue::bounded(3), true).await;
}

pub(crate) async fn a_lifo_queue(spawn: Spawn) {
    put_and_get(spawn, (*LifoQueue::bounded(3)).clone(), false).await;
}

pub(crate) async fn a_priority_queue(spawn: Spawn) {
    put_and_get(spawn, (*PriorityQueue::bounded(3)).clone(), false).await;
}

async fn put_and_get(spawn: Spawn, queue: Queue<(usize, usize)>, is_ordered: bool) {
    let putting = (0..TASKS / 2).map(|number| {
        let queue = queue.clone();
        async move {
            for round in 0..ROUNDS {
                queue.put((number, round)).await.expect("it is open");
            }
        }
    });
    let getting = (0..TASKS / 2).map(|number| {
        let queue = queue.clone();
        async move {
            let (mut items, mut last) = (Vec::new(), [None; TASKS]);
            loop {
                if (number + items.len()) % 5 == 0 {
                    give_up(queue.join());
                    let mut get = Box::pin(queue.get());
                    if let Poll::Ready(Ok(item)) = once(get.as_mut()) {
                        items.push(item);
                        queue.task_done().expect("it was put");
                        continue;
                    }
                    // It waits, may be promised an item meanwhile, and is dropped.
                    a_turn().await;
                }
                let Ok(item) = queue.get_guarded().await else { return items };
                let (of, round) = *item;
                assert!(!is_ordered || last[of] < Some(round), "{round} after {:?}", last[of]);
                last[of] = Some(round);
                items.push((of, round));
                a_turn().await;
            }
        }
    });
    let (theirs, main) = (spawn.clone(), queue.clone());
    let putting = async move {
        spawn.all(putting).await;
        main.join().await;
        assert_eq!((main.len(), main.unfinished()), (0, 0));
        main.shutdown(false);
    };
    let (_, items) = futures_lite::future::zip(putting, theirs.all(getting)).await;
    let mut items = items.concat();
    items.sort_unstable();
    let all = (0..TASKS / 2).flat_map(|of| (0..ROUNDS).map(move |round| (of, round)));
    assert!(items.into_iter().eq(all), "an item was lost, or came twice");
}

/// Shut down at any moment: what was put is got or counted as thrown away, who waits is told, and nobody waits for ever.
pub(crate) async fn queue_shut_down(spawn: Spawn) {
    for round in 0..ROUNDS {
        let queue = Queue::bounded(2);
        let immediate = round % 2 == 0;
        let putting = (0..TASKS / 2).map(|number| {
            let queue = queue.clone();
            async move {
                let mut put = 0;
                while queue.put(number).await.is_ok() {
                    put += 1;
                    give_up(queue.put(TASKS));
                }
                put
            }
        });
        let getting = (0..TASKS / 2).map(|_| {
            let queue = queue.clone();
            async move {
                let mut got = 0;
                while let Ok(item) = queue.get().await {
                    got += usize::from(item < TASKS);
                    queue.task_done().expect("it was put");
                }
                got
            }
        });
        let shut = {
            let queue = queue.clone();
            async move {
                for _ in 0..round {
                    a_turn().await;
                }
                queue.shutdown(immediate);
                queue.join().await;
            }
        };
        let (theirs, ours) = (spawn.clone(), spawn.clone());
        let both = futures_lite::future::zip(theirs.all(putting), ours.all(getting));
        let ((put, got), _) = futures_lite::future::zip(both, spawn.all([shut])).await;
        let (put, got): (usize, usize) = (put.into_iter().sum(), got.into_iter().sum());
        assert!(got <= put && (immediate || got == put), "{got} of {put} came");
        assert_eq!(queue.len(), 0);
    }
}
