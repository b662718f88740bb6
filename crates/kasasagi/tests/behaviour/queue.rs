//! Queues among tasks, on one worker and on several. What they do poll by poll is tested where they live.

use crate::flavour::{for_one_worker, in_each_flavour};
use kasasagi::sync::{Closed, LifoQueue, PriorityQueue, Queue, TryGetError, TryPutError};
use kasasagi::{Runtime, Task, TaskGroup, gather, spawn, time, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Lets others run until so many wait for items, and so many for room.
async fn in_line<T>(queue: &Queue<T>, getters: usize, putters: usize) {
    let shown = format!("getters: {getters}, putters: {putters},");
    while !format!("{queue:?}").contains(&shown) {
        yield_now().await;
    }
}

fn getter<T: Send + 'static>(queue: &Queue<T>) -> Task<Result<T, Closed>> {
    let queue = queue.clone();
    spawn(async move { queue.get().await })
}

/// Whether it was put; the item if not.
fn putter<T: Send + 'static>(queue: &Queue<T>, item: T) -> Task<Result<(), T>> {
    let queue = queue.clone();
    spawn(async move { queue.put(item).await.map_err(|error| error.into_inner()) })
}

async fn got<T>(task: Task<T>) -> T {
    task.await.expect("it ends by itself")
}

fn drained<T>(queue: &Queue<T>) -> Vec<T> {
    std::iter::from_fn(|| queue.try_get().ok()).collect()
}

/// One of each kind.
fn kinds(capacity: usize) -> [Queue<u32>; 3] {
    let (lifo, priority) = (LifoQueue::bounded(capacity), PriorityQueue::bounded(capacity));
    [Queue::bounded(capacity), Queue::clone(&lifo), Queue::clone(&priority)]
}

#[test]
fn que_01_02_03_each_kind_has_its_order_among_tasks() {
    in_each_flavour(async || {
        for (queue, order) in kinds(3).into_iter().zip([[1, 3, 2], [2, 3, 1], [1, 2, 3]]) {
            let from = queue.clone();
            got(spawn(async move {
                for item in [1, 3, 2] {
                    from.put(item).await.expect("it is open");
                }
            }))
            .await;
            let mut items = Vec::new();
            for _ in 0..3 {
                items.push(queue.get().await.expect("it is open"));
            }
            assert_eq!(items, order);
        }
    });
}

#[test]
fn que_04_05_a_queue_without_a_bound_is_never_full() {
    in_each_flavour(async || {
        let queue = Queue::unbounded();
        for item in 0..1_000 {
            queue.put(item).await.expect("it is open");
        }
        assert_eq!((queue.len(), queue.is_full(), queue.capacity()), (1_000, false, None));
        let queue = Queue::bounded(1);
        assert!(queue.is_empty() && queue.put(1).await.is_ok() && queue.is_full());
    });
}

#[test]
fn que_06_a_put_waits_until_a_get_makes_room() {
    in_each_flavour(async || {
        let queue = Queue::bounded(2);
        let from = queue.clone();
        let producer = spawn(async move {
            for item in 0..3 {
                from.put(item).await.expect("it is open");
            }
        });
        in_line(&queue, 0, 1).await;
        assert!(queue.len() == 2 && !producer.is_finished());
        assert_eq!(queue.get().await, Ok(0));
        got(producer).await;
        assert_eq!(drained(&queue), [1, 2]);
    });
}

#[test]
fn que_07_a_get_waits_until_something_is_put() {
    in_each_flavour(async || {
        let queue = Queue::bounded(1);
        let getter = getter(&queue);
        in_line(&queue, 1, 0).await;
        assert_eq!(queue.try_put("here"), Ok(()));
        assert_eq!(got(getter).await, Ok("here"));
    });
}

#[test]
fn que_08_20_what_needs_no_wait_is_done_at_once() {
    in_each_flavour(async || {
        let queue = Queue::bounded(1);
        assert_eq!(queue.try_get(), Err(TryGetError::Empty));
        let put = got(putter(&queue, 1)).await;
        assert_eq!((put, queue.try_put(2)), (Ok(()), Err(TryPutError::Full(2))));
        assert_eq!(queue.get().await, Ok(1));
    });
}

#[test]
fn que_09_an_item_serves_one_getter_and_room_one_putter() {
    in_each_flavour(async || {
        let queue = Queue::bounded(1);
        let getters = [getter(&queue), getter(&queue)];
        in_line(&queue, 2, 0).await;
        assert_eq!(queue.try_put(1), Ok(()));
        in_line(&queue, 1, 0).await;
        queue.put(2).await.expect("it is open");
        let mut items = [0; 2];
        for (item, getter) in items.iter_mut().zip(getters) {
            *item = got(getter).await.expect("it is open");
        }
        items.sort_unstable();
        assert_eq!(items, [1, 2]);
        assert_eq!(queue.try_put(3), Ok(()));
        let putters = [putter(&queue, 4), putter(&queue, 5)];
        in_line(&queue, 0, 2).await;
        assert_eq!(queue.try_get(), Ok(3));
        in_line(&queue, 0, 1).await;
        assert!(queue.get().await.is_ok() && queue.get().await.is_ok());
        for putter in putters {
            assert_eq!(got(putter).await, Ok(()));
        }
    });
}

#[test]
fn que_10_putters_are_served_in_the_order_in_which_they_came() {
    for_one_worker(|build| {
        let run = build().run(async {
            let queue = Queue::bounded(1);
            let putters = [putter(&queue, 'a'), putter(&queue, 'b'), putter(&queue, 'c')];
            in_line(&queue, 0, 2).await;
            for item in ['a', 'b', 'c'] {
                assert_eq!(queue.get().await, Ok(item));
            }
            for putter in putters {
                assert_eq!(got(putter).await, Ok(()));
            }
        });
        run.expect("nothing cancels it");
    });
}

#[test]
fn que_11_through_room_for_one_nobody_waits_for_ever() {
    in_each_flavour(async || {
        for _ in 0..1_000 {
            let queue = Queue::bounded(1);
            let from = queue.clone();
            let producer = spawn(async move {
                for item in 0..5 {
                    from.put(item).await.expect("it is open");
                }
            });
            for item in 0..5 {
                assert_eq!(queue.get().await, Ok(item));
            }
            got(producer).await;
        }
    });
}

#[test]
fn que_12_each_room_that_is_made_lets_one_putter_go_on() {
    in_each_flavour(async || {
        for _ in 0..1_000 {
            let queue = Queue::bounded(2);
            let putters: Vec<_> = (0..4).map(|item| putter(&queue, item)).collect();
            let mut items = Vec::new();
            while items.len() < 4 {
                items.push(queue.get().await.expect("it is open"));
                items.extend(drained(&queue));
            }
            for putter in putters {
                assert_eq!(got(putter).await, Ok(()));
            }
            items.sort_unstable();
            assert_eq!(items, [0, 1, 2, 3]);
        }
    });
}

#[test]
fn que_13_a_cancelled_getter_is_passed_over() {
    in_each_flavour(async || {
        let queue = Queue::unbounded();
        let first = getter(&queue);
        in_line(&queue, 1, 0).await;
        let second = getter(&queue);
        in_line(&queue, 2, 0).await;
        first.cancel();
        assert!(first.await.is_err());
        assert_eq!(queue.try_put('a'), Ok(()));
        assert_eq!(got(second).await, Ok('a'));
    });
}

/// One is cancelled while the first item comes: it got it, or it is still the first.
#[test]
fn que_14_a_getter_that_is_cancelled_as_it_is_woken_loses_nothing() {
    in_each_flavour(async || {
        for round in 0..1_000 {
            let queue = Queue::unbounded();
            let reader = getter(&queue);
            if round % 2 == 0 {
                in_line(&queue, 1, 0).await;
            }
            let from = queue.clone();
            let writer = spawn(async move { from.try_put(1).is_ok() && from.try_put(2).is_ok() });
            if round % 3 == 0 {
                yield_now().await;
            }
            reader.cancel();
            let outcome = reader.await;
            assert!(got(writer).await);
            match outcome {
                Ok(item) => assert_eq!((item, drained(&queue)), (Ok(1), vec![2])),
                Err(_) => assert_eq!(drained(&queue), [1, 2]),
            }
        }
    });
}

#[test]
fn que_15_of_three_getters_and_two_items_one_is_cancelled() {
    in_each_flavour(async || {
        for _ in 0..1_000 {
            let queue = Queue::unbounded();
            let readers = [getter(&queue), getter(&queue), getter(&queue)];
            in_line(&queue, 3, 0).await;
            assert!(queue.try_put(1).is_ok() && queue.try_put(2).is_ok());
            readers[0].cancel();
            let mut items = Vec::new();
            let [first, second, third] = readers;
            items.extend(first.await);
            if !items.is_empty() {
                // It was faster than its cancellation: somebody lacks one.
                assert_eq!(queue.try_put(3), Ok(()));
            }
            items.extend([got(second).await, got(third).await]);
            items.sort_unstable_by_key(|item| item.unwrap_or(0));
            assert!(items.starts_with(&[Ok(1), Ok(2)]), "{items:?}");
        }
    });
}

/// A cancelled put has put nothing, and so can be tried again; or it was done.
#[test]
fn que_16_a_putter_that_is_cancelled_as_it_is_woken_puts_nothing() {
    in_each_flavour(async || {
        for _ in 0..1_000 {
            let queue = Queue::bounded(1);
            assert_eq!(queue.try_put(1), Ok(()));
            let writer = putter(&queue, 2);
            in_line(&queue, 0, 1).await;
            assert_eq!(queue.try_get(), Ok(1));
            writer.cancel();
            match writer.await {
                Ok(put) => assert_eq!((put, queue.len()), (Ok(()), 1)),
                Err(_) => assert_eq!((queue.len(), queue.try_put(2)), (0, Ok(()))),
            }
            assert_eq!(drained(&queue), [2]);
        }
    });
}

#[test]
fn que_17_18_room_for_a_cancelled_putter_goes_to_the_next() {
    in_each_flavour(async || {
        for _ in 0..1_000 {
            let queue = Queue::bounded(1);
            assert_eq!(queue.try_put('a'), Ok(()));
            let leaves = putter(&queue, 'X');
            in_line(&queue, 0, 1).await;
            let stays = putter(&queue, 'b');
            in_line(&queue, 0, 2).await;
            assert_eq!(queue.try_get(), Ok('a'));
            leaves.cancel();
            if let Ok(put) = leaves.await {
                assert_eq!((put, queue.get().await), (Ok(()), Ok('X')));
            }
            assert_eq!(got(stays).await, Ok(()));
            assert_eq!(drained(&queue), ['b']);
        }
    });
}

#[test]
fn que_17_a_putter_that_is_cancelled_in_line_never_puts() {
    in_each_flavour(async || {
        let queue = Queue::bounded(1);
        assert_eq!(queue.try_put('a'), Ok(()));
        let second = putter(&queue, 'b');
        in_line(&queue, 0, 1).await;
        let third = putter(&queue, 'X');
        in_line(&queue, 0, 2).await;
        third.cancel();
        assert!(third.await.is_err());
        assert_eq!((queue.get().await, got(second).await), (Ok('a'), Ok(())));
        assert_eq!(drained(&queue), ['b']);
    });
}

#[test]
fn que_19_waits_whose_time_is_over_leave_nothing() {
    in_each_flavour(async || {
        let queue = Queue::bounded(1);
        let moment = Duration::from_micros(10);
        for _ in 0..20 {
            assert!(time::timeout(moment, queue.get()).await.is_err());
        }
        assert_eq!(queue.try_put(0), Ok(()));
        for _ in 0..20 {
            assert!(time::timeout(moment, queue.put(1)).await.is_err());
        }
        in_line(&queue, 0, 0).await;
        assert_eq!(drained(&queue), [0]);
    });
}

#[test]
fn que_21_28_a_join_of_nothing_returns_at_once_again_and_again() {
    in_each_flavour(async || {
        for queue in kinds(1) {
            queue.join().await;
            queue.join().await;
        }
    });
}

#[test]
fn que_22_28_a_join_waits_until_all_are_done() {
    in_each_flavour(async || {
        for queue in kinds(200).into_iter().cycle().take(1_000) {
            for item in 0..100 {
                queue.put(item).await.expect("it is open");
            }
            let sum = Arc::new(AtomicUsize::new(0));
            let workers = [(); 2].map(|()| {
                let (queue, sum) = (queue.clone(), Arc::clone(&sum));
                spawn(async move {
                    loop {
                        let item = queue.get().await.expect("it is open");
                        yield_now().await;
                        sum.fetch_add(item as usize, Ordering::Relaxed);
                        queue.task_done().expect("it was put");
                    }
                })
            });
            queue.join().await;
            assert_eq!(sum.load(Ordering::Relaxed), 4_950);
            for worker in workers {
                worker.cancel();
                let _: Result<(), _> = worker.await;
            }
        }
    });
}

#[test]
fn que_23_28_too_many_task_dones_are_an_error() {
    in_each_flavour(async || {
        for queue in kinds(1) {
            assert!(queue.task_done().is_err());
            queue.put(1).await.expect("it is open");
            assert!(queue.task_done().is_ok() && queue.task_done().is_err());
            queue.join().await;
        }
    });
}

#[test]
fn que_24_28_what_is_put_later_makes_a_later_join_wait() {
    in_each_flavour(async || {
        for queue in kinds(2) {
            for _ in 0..3 {
                queue.put(1).await.expect("it is open");
                let joined = queue.clone();
                let join = spawn(async move { joined.join().await });
                assert_eq!(queue.get().await, Ok(1));
                yield_now().await;
                assert!(!join.is_finished());
                assert_eq!(queue.task_done(), Ok(()));
                got(join).await;
            }
        }
    });
}

#[test]
fn que_25_all_who_join_are_woken() {
    in_each_flavour(async || {
        for _ in 0..1_000 {
            let queue = Queue::unbounded();
            assert_eq!(queue.try_put(1), Ok(()));
            let joins = [(); 3].map(|()| {
                let queue = queue.clone();
                spawn(async move { queue.join().await })
            });
            yield_now().await;
            assert!(queue.try_get().is_ok() && queue.task_done().is_ok());
            for join in joins {
                got(join).await;
            }
        }
    });
}

#[test]
fn que_26_an_item_of_a_cancelled_worker_is_done_only_with_a_guard() {
    in_each_flavour(async || {
        let queue = Queue::unbounded();
        assert!(queue.try_put(1).is_ok() && queue.try_put(2).is_ok());
        let from = queue.clone();
        let plain = spawn(async move {
            let _item = from.get().await;
            std::future::pending::<()>().await;
        });
        while queue.len() == 2 {
            yield_now().await;
        }
        let from = queue.clone();
        let guarded = spawn(async move {
            let _item = from.get_guarded().await;
            std::future::pending::<()>().await;
        });
        while queue.len() == 1 {
            yield_now().await;
        }
        assert_eq!(queue.unfinished(), 2);
        plain.cancel();
        guarded.cancel();
        assert!(plain.await.is_err() && guarded.await.is_err());
        assert_eq!(queue.unfinished(), 1);
        let moment = Duration::from_millis(1);
        assert!(time::timeout(moment, queue.join()).await.is_err());
        assert_eq!(queue.task_done(), Ok(()));
        queue.join().await;
    });
}

#[test]
fn que_27_an_end_mark_that_nobody_calls_done_is_seen() {
    in_each_flavour(async || {
        let queue = Queue::unbounded();
        assert!(queue.try_put(Some(1)).is_ok() && queue.try_put(None).is_ok());
        let from = queue.clone();
        got(spawn(async move {
            while let Ok(Some(_)) = from.get().await {
                from.task_done().expect("it was put");
            }
        }))
        .await;
        assert_eq!((queue.len(), queue.unfinished()), (0, 1));
    });
}

#[test]
fn que_29_33_a_shutdown_of_an_empty_queue_ends_all_waits() {
    in_each_flavour(async || {
        for queue in kinds(1) {
            let getters = [getter(&queue), getter(&queue)];
            in_line(&queue, 2, 0).await;
            queue.shutdown(false);
            for getter in getters {
                assert_eq!(got(getter).await, Err(Closed));
            }
            queue.shutdown(false);
            assert_eq!(queue.get().await, Err(Closed));
            assert_eq!(queue.put(1).await.map_err(|error| error.into_inner()), Err(1));
            assert_eq!(queue.try_put(1), Err(TryPutError::Closed(1)));
            queue.join().await;
        }
    });
}

#[test]
fn que_30_33_a_shutdown_leaves_what_is_left() {
    in_each_flavour(async || {
        for queue in kinds(1) {
            assert_eq!(queue.try_put(1), Ok(()));
            let putter = putter(&queue, 2);
            in_line(&queue, 0, 1).await;
            queue.shutdown(false);
            assert_eq!(got(putter).await, Err(2));
            assert_eq!((queue.get().await, queue.get().await), (Ok(1), Err(Closed)));
            let joined = queue.clone();
            let join = spawn(async move { joined.join().await });
            yield_now().await;
            assert!(!join.is_finished());
            assert_eq!(queue.task_done(), Ok(()));
            got(join).await;
        }
    });
}

#[test]
fn que_31_32_33_an_immediate_shutdown_waits_only_for_what_is_in_flight() {
    in_each_flavour(async || {
        for queue in kinds(3) {
            assert!(queue.try_put(1).is_ok() && queue.try_put(2).is_ok());
            assert!(queue.get().await.is_ok());
            let joined = queue.clone();
            let join = spawn(async move { joined.join().await });
            queue.shutdown(true);
            queue.shutdown(true);
            assert_eq!((queue.get().await, queue.unfinished()), (Err(Closed), 1));
            yield_now().await;
            assert!(!join.is_finished());
            assert_eq!(queue.task_done(), Ok(()));
            got(join).await;
            assert!(queue.task_done().is_err());
        }
    });
}

#[test]
fn que_34_a_bounded_queue_holds_the_producer_back() {
    in_each_flavour(async || {
        for _ in 0..1_000 {
            let queue = Queue::bounded(10);
            let from = queue.clone();
            let group = TaskGroup::<Closed>::scope(|tg| async move {
                tg.spawn(async move {
                    for item in 0..100 {
                        from.put(item).await?;
                    }
                    from.shutdown(false);
                    Ok(())
                });
                let mut items = Vec::new();
                while let Ok(item) = queue.get().await {
                    assert!(queue.len() <= 10, "{} are in it", queue.len());
                    items.push(item);
                }
                Ok(items)
            });
            let items = group.await.expect("nobody fails");
            assert_eq!(items, (0..100).collect::<Vec<_>>());
        }
    });
}

/// Many put and many get on eight workers; then many put and one gets.
#[test]
fn que_35_each_item_comes_once_and_those_of_one_producer_in_order() {
    const EACH: usize = 1_000;
    for workers in [1, 8] {
        let runtime = Runtime::builder().workers(workers).build().expect("it can be built");
        let run = runtime.run(async {
            for (capacity, consumers) in [(3, 4), (100, 1)] {
                let queue = Queue::bounded(capacity);
                let producers: Vec<_> = (0..4_usize)
                    .map(|producer| {
                        let queue = queue.clone();
                        spawn(async move {
                            for item in 0..EACH {
                                queue.put((producer, item)).await.expect("it is open");
                            }
                        })
                    })
                    .collect();
                let consumers: Vec<_> = (0..consumers)
                    .map(|_| {
                        let queue = queue.clone();
                        spawn(async move {
                            let (mut items, mut last) = (Vec::new(), [None; 4]);
                            while let Ok((producer, item)) = queue.get().await {
                                assert!(last[producer] < Some(item), "out of order");
                                last[producer] = Some(item);
                                items.push((producer, item));
                            }
                            items
                        })
                    })
                    .collect();
                for producer in gather(producers).await {
                    producer.expect("it ends");
                }
                queue.shutdown(false);
                let mut items: Vec<_> = Vec::new();
                for consumed in gather(consumers).await {
                    items.extend(consumed.expect("it ends"));
                }
                items.sort_unstable();
                let all = (0..4).flat_map(|producer| (0..EACH).map(move |item| (producer, item)));
                assert!(items.into_iter().eq(all), "an item was lost, or came twice");
            }
        });
        run.expect("nothing cancels it");
    }
}

#[test]
fn que_36_its_debug_shows_who_waits() {
    in_each_flavour(async || {
        let queue = Queue::<u8>::bounded(3);
        let getter = getter(&queue);
        in_line(&queue, 1, 0).await;
        assert_eq!(
            format!("{queue:?}"),
            "Queue { len: 0, capacity: Some(3), getters: 1, putters: 0, unfinished: 0, shut_down: false }"
        );
        queue.shutdown(false);
        assert_eq!(got(getter).await, Err(Closed));
    });
}

#[test]
fn que_37_threads_and_tasks_use_one_queue() {
    in_each_flavour(async || {
        let (there, back) = (Queue::bounded(1), Queue::bounded(1));
        let thread = {
            let (there, back) = (there.clone(), back.clone());
            std::thread::spawn(move || {
                while let Ok(item) = there.get_blocking() {
                    back.put_blocking(item + 1).expect("it is open");
                }
            })
        };
        for item in 0..1_000 {
            there.put(item).await.expect("it is open");
            assert_eq!(back.get().await, Ok(item + 1));
        }
        there.shutdown(false);
        assert!(thread.join().is_ok());
    });
}

#[test]
fn que_37_a_task_that_would_stop_its_worker_is_told_what_to_write() {
    in_each_flavour(async || {
        let queue = Queue::<u8>::bounded(1);
        let from = queue.clone();
        let refused = spawn(async move { from.get_blocking() }).await;
        assert!(refused.is_err_and(|error| error.is_panic()), "the worker would stop");
    });
}

/// A future that was polled in one task is dropped in another, on whatever thread, while items come.
#[test]
fn mt_07_a_getter_may_be_dropped_on_another_thread_than_polled_it() {
    in_each_flavour(async || {
        for _ in 0..1_000 {
            let queue = Queue::unbounded();
            let from = queue.clone();
            let mut leaver = Box::pin(async move { from.get().await });
            std::future::poll_fn(|cx| {
                assert!(leaver.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            let dropper = spawn(async move { drop(leaver) });
            let stays = getter(&queue);
            assert_eq!(queue.try_put(1), Ok(()));
            assert_eq!(got(stays).await, Ok(1));
            got(dropper).await;
        }
    });
}
