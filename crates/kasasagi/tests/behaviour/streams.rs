//! Asynchronous generators, and adapters that spawn.

use crate::flavour::in_each_flavour;
use crate::hand::{CountDrop, text_of, until};
use futures_util::{FutureExt as _, StreamExt, stream as futures};
use kasasagi::time::{Duration, sleep};
use kasasagi::{spawn, stream, yield_now};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn agen_01_a_generator_gives_its_items_ends_and_stays_ended() {
    in_each_flavour(async || {
        let mut counter = stream::from_fn(|y| async move {
            for i in 1..=3 {
                sleep(Duration::from_millis(1)).await;
                y.emit(i).await;
            }
        });
        for i in 1..=3 {
            assert_eq!(counter.next().await, Some(i));
        }
        assert_eq!((counter.next().await, counter.next().await), (None, None));
    });
}

#[test]
fn agen_02_the_body_runs_only_when_it_is_asked_for_an_item() {
    in_each_flavour(async || {
        let steps = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&steps);
        let mut items = stream::from_fn(|y| async move {
            loop {
                let step = count.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
                y.emit(step).await;
            }
        });
        yield_now().await;
        assert_eq!(steps.load(Ordering::SeqCst), 0);
        assert_eq!(items.next().await, Some(0));
        yield_now().await;
        assert_eq!(steps.load(Ordering::SeqCst), 1);
        assert_eq!(items.next().await, Some(1));
        // A wait that is dropped loses no item.
        assert_eq!(items.next().now_or_never(), None);
        assert_eq!(items.next().await, Some(2));
    });
}

#[test]
fn agen_03_a_consumer_that_stops_early_drops_the_body_at_once() {
    in_each_flavour(async || {
        let (held, dropped) = CountDrop::new();
        let mut items = stream::from_fn(|y| async move {
            let _held = held;
            loop {
                y.emit(()).await;
            }
        });
        assert_eq!(items.next().await, Some(()));
        assert_eq!(dropped.load(Ordering::SeqCst), 0);
        drop(items);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn two_branches_of_a_body_that_emit_lose_nothing() {
    in_each_flavour(async || {
        let items = stream::from_fn(|y| async move {
            let branch = |from: u32| {
                let y = &y;
                async move {
                    for i in 0..100 {
                        y.emit(from + i).await;
                    }
                }
            };
            let all: futures::FuturesUnordered<_> =
                [branch(0), branch(1_000)].into_iter().collect();
            all.collect::<()>().await;
        });
        let mut items: Vec<_> = items.collect().await;
        items.sort_unstable();
        assert_eq!(items, (0..100).chain(1_000..1_100).collect::<Vec<_>>());
    });
}

#[test]
fn an_emitter_that_was_sent_to_a_task_wakes_the_consumer() {
    in_each_flavour(async || {
        let items = stream::from_fn(|y| async move {
            let task = spawn(async move {
                for i in 0..200 {
                    y.emit(i).await;
                }
            });
            task.await.expect("it ends");
        });
        assert_eq!(items.collect::<Vec<_>>().await, (0..200).collect::<Vec<_>>());
    });
}

#[test]
fn buffered_runs_so_many_at_a_time_and_keeps_the_order() {
    in_each_flavour(async || {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = futures::iter(0..30_usize).map(|i| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(Duration::from_micros((30 - i as u64) * 20)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                i
            }
        });
        let outputs: Vec<_> =
            stream::buffered(work, 4).map(|output| output.expect("it ends")).collect().await;
        assert_eq!(outputs, (0..30).collect::<Vec<_>>());
        let most = most.load(Ordering::SeqCst);
        assert!((2..=4).contains(&most), "{most} at a time");
    });
}

#[test]
fn buffered_that_is_dropped_cancels_its_tasks() {
    in_each_flavour(async || {
        let (held, dropped) = CountDrop::new();
        let work = futures::iter(0..3).map(|_| {
            let held = held.clone();
            async move {
                let _held = held;
                std::future::pending::<()>().await;
            }
        });
        let mut outputs = stream::buffered(work, 3);
        assert!(outputs.next().now_or_never().is_none());
        drop(outputs);
        until("all are cancelled", || dropped.load(Ordering::SeqCst) == 3).await;
    });
}

#[test]
fn for_each_concurrent_waits_for_all_and_raises_a_panic() {
    in_each_flavour(async || {
        let done = Arc::new(AtomicUsize::new(0));
        let count = |i: u32| {
            let done = Arc::clone(&done);
            async move {
                yield_now().await;
                assert!(i != 1_000, "item {i}");
                done.fetch_add(1, Ordering::SeqCst);
            }
        };
        stream::for_each_concurrent(futures::iter(0..500), 3, count).await;
        assert_eq!(done.load(Ordering::SeqCst), 500);
        let fails = stream::for_each_concurrent(futures::iter(999..5_000), 3, count);
        let payload = AssertUnwindSafe(fails).catch_unwind().await.expect_err("item 1000 panics");
        assert_eq!(text_of(&*payload), "item 1000");
    });
}
