//! Computations on several threads.

use crate::flavour::{in_each_flavour, limited};
use crate::support::gate;
use kasasagi::{
    Executor, ThreadPool, Work, par_for_each, par_for_each_on, par_map, par_map_on,
    scoped_for_each, scoped_map, spawn, time, to_thread, yield_now,
};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

#[test]
fn values_come_in_the_order_of_the_items() {
    in_each_flavour(async || {
        for n in [0, 1, 2, 3, 63, 64, 65, 1000] {
            let doubled = par_map(0..n, |n: usize| n * 2).await;
            assert_eq!(doubled, (0..n).map(|n| n * 2).collect::<Vec<_>>());
            // Nobody knows beforehand how many these are.
            let even = par_map((0..n).filter(|n| n % 2 == 0), |n| n + 1).await;
            assert_eq!(even, (0..n).filter(|n| n % 2 == 0).map(|n| n + 1).collect::<Vec<_>>());
        }
        let pool = ThreadPool::new(3);
        let words = vec![String::from("a"), String::from("bc")];
        assert_eq!(par_map_on(&pool, words, |word| word.len()).await, [1, 2]);
    });
}

#[test]
fn each_item_is_seen_once() {
    in_each_flavour(async || {
        let seen = Arc::new((0..500).map(|_| AtomicUsize::new(0)).collect::<Vec<_>>());
        let see = Arc::clone(&seen);
        par_for_each(0..500, move |n: usize| {
            see[n].fetch_add(1, Ordering::Relaxed);
        })
        .await;
        assert!(seen.iter().all(|seen| seen.load(Ordering::Relaxed) == 1));
    });
}

#[test]
fn the_threads_work_side_by_side_and_the_workers_go_on() {
    in_each_flavour(async || {
        let pool = ThreadPool::new(2);
        let meeting = Arc::new(std::sync::Barrier::new(2));
        // The two wait for each other on their threads: a worker that waited with them would poll nothing.
        let both = par_map_on(&pool, 0..2, move |_| meeting.wait().is_leader());
        let ticks = spawn(async {
            for _ in 0..100 {
                yield_now().await;
            }
        });
        ticks.await.expect("it ends");
        assert_eq!(both.await.into_iter().filter(|leads| *leads).count(), 1);
    });
}

#[test]
fn a_panic_goes_on_in_who_awaits_and_no_other_item_is_begun() {
    in_each_flavour(async || {
        let begun = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&begun);
        let task = spawn(par_map(0..1_000_000, move |n: usize| {
            count.fetch_add(1, Ordering::Relaxed);
            assert_ne!(n, 0, "no zeros");
            // An item takes its time: all of them take longer than the panic does to be seen.
            thread::sleep(Duration::from_micros(10));
        }));
        let error = task.await.expect_err("it panicked");
        assert!(error.is_panic() && error.to_string().contains("no zeros"), "{error}");
        assert!(begun.load(Ordering::Relaxed) < 100_000);
    });
}

#[test]
fn who_drops_it_ends_it() {
    in_each_flavour(async || {
        let begun = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&begun);
        let work = par_map(0..1_000_000, move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            // An item takes its time: all of them take longer than the limit below.
            thread::sleep(Duration::from_micros(10));
        });
        assert!(time::timeout(Duration::from_millis(5), work).await.is_err());
        while Arc::strong_count(&begun) > 1 {
            time::sleep(Duration::from_millis(1)).await;
        }
        assert!(begun.load(Ordering::Relaxed) < 500_000);
    });
}

#[test]
fn a_pool_that_is_busy_is_not_waited_for() {
    in_each_flavour(async || {
        let pool = ThreadPool::new(2);
        let (gate, held) = gate();
        let busy = pool.submit(move || held.pass());
        gate.wait_for_arrival();
        // One thread is left: it does what there is, and the other's share is taken back.
        assert_eq!(par_map_on(&pool, 0..100, |n: u32| n).await, (0..100).collect::<Vec<_>>());
        gate.open();
        assert!(busy.await.is_ok());
    });
}

#[test]
fn a_closed_pool_has_no_values_to_give() {
    in_each_flavour(async || {
        let pool = ThreadPool::new(2);
        let _ = pool.shutdown(false, true);
        let error = spawn(par_map_on(&pool, 0..100, |n: u32| n)).await.expect_err("it is closed");
        assert!(error.to_string().contains("was shut down"), "{error}");
    });
}

#[test]
fn items_and_closure_may_borrow_where_the_caller_waits() {
    limited(|| {
        let pool = ThreadPool::new(3);
        for n in [0_usize, 1, 2, 100, 10_000] {
            let words: Vec<String> = (0..n).map(|n| n.to_string()).collect();
            let longest = AtomicUsize::new(0);
            let lengths = scoped_map(&pool, &words, |word| {
                longest.fetch_max(word.len(), Ordering::Relaxed);
                word.as_str()
            });
            assert_eq!(lengths, words);
            assert_eq!(longest.into_inner(), words.iter().map(String::len).max().unwrap_or(0));
        }
        let mut numbers: Vec<u64> = (0..1000).collect();
        scoped_for_each(&pool, &mut numbers, |n| *n *= 2);
        assert!(numbers.iter().zip(0..).all(|(n, at)| *n == at * 2));
        scoped_for_each(&pool, numbers.chunks_mut(100), |chunk| chunk.sort_by(|a, b| b.cmp(a)));
        assert_eq!((numbers[0], numbers[999]), (198, 1800));
    });
}

#[test]
fn a_panic_in_what_borrows_comes_out_when_all_is_done() {
    limited(|| {
        let pool = ThreadPool::new(4);
        for bad in [0, 50, 99] {
            let items: Vec<usize> = (0..100).collect();
            let inside = AtomicUsize::new(0);
            let run = || {
                scoped_map(&pool, &items, |n| {
                    inside.fetch_add(1, Ordering::SeqCst);
                    // An item takes its time: others are amid theirs when one panics.
                    thread::sleep(Duration::from_micros(10));
                    inside.fetch_sub(1, Ordering::SeqCst);
                    assert_ne!(*n, bad, "a bad one");
                })
            };
            let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("one panics");
            assert!(panic.downcast_ref::<String>().is_some_and(|text| text.contains("a bad one")));
            assert_eq!(inside.load(Ordering::SeqCst), 0, "nobody works on");
        }
    });
}

/// Drops all that it is given, later or at once.
struct Unwilling;

impl Executor for Unwilling {
    fn execute(&self, work: Work) {
        thread::spawn(move || drop(work));
    }

    fn parallelism(&self) -> usize {
        4
    }
}

/// Panics when it is asked a second time.
struct Fragile(AtomicUsize);

impl Executor for Fragile {
    fn execute(&self, work: Work) {
        thread::spawn(move || work.run());
        assert_eq!(self.0.fetch_add(1, Ordering::SeqCst), 0, "fragile");
    }

    fn parallelism(&self) -> usize {
        4
    }
}

#[test]
fn what_borrows_survives_executors_that_drop_or_panic() {
    limited(|| {
        for _ in 0..100 {
            let items: Vec<usize> = (0..50).collect();
            assert_eq!(scoped_map(&Unwilling, &items, |n| *n), items);
            let run = || scoped_map(&Fragile(AtomicUsize::new(0)), &items, |n| *n);
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        }
    });
}

#[test]
fn what_borrows_works_on_a_pool_that_is_busy_and_on_the_pool_itself() {
    in_each_flavour(async || {
        let pool = Arc::new(ThreadPool::new(1));
        let inside = Arc::clone(&pool);
        // The only thread there is calls it: nobody helps, and nobody waits for ever.
        let sum = pool.submit(move || {
            let numbers = [1, 2, 3];
            scoped_map(&*inside, &numbers, |n| n * 2).into_iter().sum::<i32>()
        });
        assert_eq!(sum.await.ok(), Some(12));
        let inside = Arc::clone(&pool);
        let sum = to_thread(move || scoped_map(&*inside, 0..10, |n| n).len());
        assert_eq!(sum.await.expect("it ends"), 10);
    });
}

#[test]
fn threads_help_each_other() {
    limited(|| {
        let pool = ThreadPool::new(2);
        let ids = Mutex::new(HashSet::new());
        let meeting = std::sync::Barrier::new(2);
        scoped_for_each(&pool, 0..2, |_| {
            meeting.wait();
            ids.lock().unwrap_or_else(PoisonError::into_inner).insert(thread::current().id());
        });
        let ids = ids.into_inner().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(ids.len(), 2);
        assert!(ids.contains(&thread::current().id()), "the caller works, too");
    });
}

#[test]
fn items_need_not_be_send_where_each_stays_on_its_thread() {
    limited(|| {
        let pool = ThreadPool::new(2);
        let lengths = scoped_map(&pool, (0..100).map(Rc::new), |n| *n + Rc::strong_count(&n));
        assert_eq!(lengths[99], 100);
    });
}

#[test]
fn for_each_on_an_executor_that_runs_at_once() {
    struct Inline;
    impl Executor for Inline {
        fn execute(&self, work: Work) {
            work.run();
        }
    }
    in_each_flavour(async || {
        let sum = Arc::new(AtomicUsize::new(0));
        let add = Arc::clone(&sum);
        par_for_each_on(&Inline, 0..=100, move |n| {
            add.fetch_add(n, Ordering::Relaxed);
        })
        .await;
        assert_eq!(sum.load(Ordering::Relaxed), 5050);
    });
}

/// Maps items in its drop, and tells of the values.
struct MapsInDrop(std::sync::mpsc::Sender<bool>);

impl Drop for MapsInDrop {
    fn drop(&mut self) {
        let pool = ThreadPool::new(4);
        let items: Vec<usize> = (0..100_000).collect();
        let slowly = |n: &usize| {
            if n % 64 == 0 {
                // So that the other threads of the pool get their part.
                thread::sleep(Duration::from_micros(50));
            }
            *n
        };
        let _ = self.0.send(scoped_map(&pool, &items, slowly) == items);
    }
}

#[test]
fn all_values_are_there_though_the_caller_unwinds_already() {
    limited(|| {
        for _ in 0..10 {
            let (tell, told) = std::sync::mpsc::channel();
            let unwind = || {
                let _maps = MapsInDrop(tell);
                std::panic::resume_unwind(Box::new(1));
            };
            assert!(catch_unwind(AssertUnwindSafe(unwind)).is_err());
            assert_eq!(told.recv(), Ok(true));
        }
    });
}
