//! Pools of one's own, from tasks and from threads.

use crate::flavour::{for_each_flavour, in_each_flavour, limited, run};
use crate::support::{LIMIT, gate};
use futures_util::StreamExt;
use kasasagi::{
    BlockingError, JobExt, Runtime, ThreadPool, gather, run_in_executor, spawn, time, to_thread,
};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How many are inside at once, at most.
#[derive(Default)]
struct Most {
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl Most {
    fn during(&self, f: impl FnOnce()) {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        f();
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn exec_15_a_pool_of_two_runs_two_at_once() {
    for_each_flavour(|build| {
        let pool = ThreadPool::new(2);
        let most = Arc::new(Most::default());
        let start = Instant::now();
        run(&build(), async {
            let jobs = (0..10).map(|_| {
                let most = Arc::clone(&most);
                run_in_executor(&pool, move || {
                    // Time is the subject: five times two of these take a tenth of a second.
                    most.during(|| thread::sleep(Duration::from_millis(20)))
                })
            });
            for result in gather(jobs.collect::<Vec<_>>()).await {
                result.expect("it ends");
            }
        });
        assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
        assert_eq!(most.most.load(Ordering::SeqCst), 2);
        assert_eq!(pool.metrics().threads, 2);
    });
}

#[test]
fn exec_16_map_hands_all_in_at_the_call_and_gives_in_order() {
    limited(|| {
        let pool = ThreadPool::new(4);
        let calls = Arc::new(AtomicUsize::new(0));
        let f = {
            let calls = Arc::clone(&calls);
            move |n: u64| {
                // The earlier, the later it ends.
                thread::sleep(Duration::from_micros(20 - n));
                calls.fetch_add(1, Ordering::SeqCst);
                n * n
            }
        };
        let mut map = pool.map(0..20, f);
        while calls.load(Ordering::SeqCst) < 20 {
            thread::yield_now();
        }
        assert_eq!(map.len(), 20, "nothing was asked for yet");
        assert_eq!(map.next().and_then(Result::ok), Some(0));
        let rest: Result<Vec<_>, _> = map.collect();
        assert_eq!(rest.expect("none panics"), (1..20).map(|n| n * n).collect::<Vec<_>>());
    });
}

#[test]
fn exec_16_a_failure_of_map_comes_in_its_place() {
    limited(|| {
        let pool = ThreadPool::new(2);
        let f = |n: u32| assert_ne!(n, 2, "no twos");
        let results: Vec<_> = pool.map(0..4, f).collect();
        assert_eq!(
            results.iter().map(Result::is_ok).collect::<Vec<_>>(),
            [true, true, false, true]
        );
        let Err(BlockingError::Panicked(panic)) = &results[2] else { panic!("{results:?}") };
        assert!(panic.message().is_some_and(|text| text.contains("no twos")));
        let results: Vec<_> = pool.map_chunks(2, 0..5, f).collect();
        assert_eq!(
            results.iter().map(Result::is_ok).collect::<Vec<_>>(),
            [true, true, false, true]
        );
    });
}

#[test]
fn exec_16_map_is_a_stream_in_tasks() {
    in_each_flavour(async || {
        let pool = ThreadPool::new(2);
        let squares: Vec<_> = pool.map(0..50_u64, |n| n * n).into_stream().collect().await;
        let squares: Result<Vec<_>, _> = squares.into_iter().collect();
        assert_eq!(squares.expect("none panics"), (0..50).map(|n| n * n).collect::<Vec<_>>());
        let squares: Vec<_> =
            pool.map_chunks(7, 0..50_u64, |n| n * n).into_stream().collect().await;
        let squares: Result<Vec<_>, _> = squares.into_iter().collect();
        assert_eq!(squares.expect("none panics"), (0..50).map(|n| n * n).collect::<Vec<_>>());
    });
}

#[test]
fn map_takes_back_what_has_not_started_when_it_is_dropped() {
    limited(|| {
        let pool = ThreadPool::new(1);
        let calls = Arc::new(AtomicUsize::new(0));
        let (gate, held) = gate();
        let first = pool.submit(move || held.pass());
        gate.wait_for_arrival();
        let count = Arc::clone(&calls);
        drop(pool.map(0..10, move |_| count.fetch_add(1, Ordering::SeqCst)));
        assert_eq!(Arc::strong_count(&calls), 1);
        gate.open();
        assert!(first.wait().is_ok());
        drop(pool);
        assert_eq!(calls.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn exec_17_a_pool_that_is_dropped_runs_what_was_handed_in_and_joins() {
    for_each_flavour(|build| {
        let ran = Arc::new(AtomicUsize::new(0));
        run(&build(), async {
            let pool = ThreadPool::new(2);
            for _ in 0..100 {
                let ran = Arc::clone(&ran);
                // Nobody waits for it.
                drop(pool.submit(move || ran.fetch_add(1, Ordering::SeqCst)));
            }
            drop(pool);
            assert_eq!(ran.load(Ordering::SeqCst), 100);
        });
    });
}

#[test]
fn a_pool_that_is_dropped_by_one_of_its_closures_joins_the_others() {
    limited(|| {
        let pool = Arc::new(ThreadPool::new(2));
        let inside = Arc::clone(&pool);
        let (gate, held) = gate();
        let submitted = pool.submit(move || {
            held.pass();
            drop(inside);
            7
        });
        gate.wait_for_arrival();
        drop(pool);
        gate.open();
        assert_eq!(submitted.wait().ok(), Some(7));
    });
}

#[test]
fn shutdown_with_cancel_ends_what_waits_and_waits_for_what_runs() {
    limited(|| {
        let pool = ThreadPool::new(1);
        let (gate, held) = gate();
        let runs = pool.submit((move || held.pass()).named("the one that runs"));
        gate.wait_for_arrival();
        let waits = pool.submit(|| 1);
        let report = pool.shutdown(false, true);
        assert_eq!((report.still_running, report.jobs.len()), (1, 1));
        assert!(report.jobs[0].to_string().contains("the one that runs"));
        let Err(BlockingError::Closed) = waits.wait() else { panic!("it was cancelled") };
        gate.open();
        assert_eq!(pool.shutdown(true, true).still_running, 0);
        assert!(runs.wait().is_ok());
    });
}

#[test]
fn a_task_that_would_block_its_worker_is_told_so() {
    in_each_flavour(async || {
        let said = |f: &dyn Fn()| match catch_unwind(AssertUnwindSafe(f)) {
            Ok(()) => String::from("it did not panic"),
            Err(payload) => match payload.downcast_ref::<&str>() {
                Some(text) => (*text).to_owned(),
                None => payload.downcast_ref::<String>().cloned().unwrap_or_default(),
            },
        };
        let pool = ThreadPool::builder().max_workers(1).max_queued(1).build();
        let free = ThreadPool::new(1);
        for (what, instead, f) in [
            ("`wait`", ".await", &(|| drop(free.submit(|| 1).wait())) as &dyn Fn()),
            ("ThreadPool::submit", "submit_when_room", &|| drop(pool.submit(|| 1))),
            ("ThreadPool::map", "submit_when_room", &|| drop(pool.map([1], |n| n))),
            ("ThreadPool::shutdown", "to_thread", &|| drop(pool.shutdown(true, false))),
            ("scoped_map", "par_map_on", &|| drop(kasasagi::scoped_map(&pool, [1], |n| n))),
        ] {
            let said = said(f);
            assert!(said.contains(what) && said.contains(instead), "{said}");
        }
    });
}

#[test]
fn a_queue_with_a_limit_makes_threads_wait_for_room() {
    limited(|| {
        let pool = Arc::new(ThreadPool::builder().max_workers(1).max_queued(2).build());
        let (gate, held) = gate();
        let first = pool.submit(move || held.pass());
        gate.wait_for_arrival();
        let waiting = [pool.submit(|| 1), pool.submit(|| 2)];
        let kasasagi::PoolFull(f) = pool.try_submit(|| 3).expect_err("the queue is full");
        assert_eq!(f(), 3, "the closure is given back");
        let (tell, told) = channel();
        let inside = Arc::clone(&pool);
        let thread = thread::spawn(move || {
            let submitted = inside.submit(|| 4);
            let _ = tell.send(());
            submitted.wait()
        });
        assert!(told.recv_timeout(Duration::from_millis(20)).is_err(), "it waits for room");
        assert!(waiting[0].cancel(), "what is taken back makes room");
        assert_eq!(told.recv_timeout(LIMIT), Ok(()));
        gate.open();
        assert_eq!(thread.join().expect("it does not panic").ok(), Some(4));
        let [_, second] = waiting;
        assert_eq!(second.wait().ok(), Some(2));
        assert!(first.wait().is_ok());
    });
}

#[test]
fn a_queue_with_a_limit_makes_tasks_wait_for_room() {
    in_each_flavour(async || {
        let pool = Arc::new(ThreadPool::builder().max_workers(1).max_queued(2).build());
        let (gate, held) = gate();
        let first = pool.submit_when_room(move || held.pass()).await;
        gate.wait_for_arrival();
        let second = pool.submit_when_room(|| 2).await;
        let third = pool.submit_when_room(|| 3).await;
        let runs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&runs);
        let fourth = pool.submit_when_room(move || count.fetch_add(1, Ordering::SeqCst));
        assert!(time::timeout(Duration::from_millis(1), fourth).await.is_err(), "there is no room");
        assert_eq!(Arc::strong_count(&runs), 1, "who gives up hands nothing in");
        let inside = Arc::clone(&pool);
        let producer = spawn(async move {
            let mut sum = 0;
            for n in 0..50_usize {
                sum += inside.submit_when_room(move || n).await.await.expect("it runs");
            }
            sum
        });
        gate.open();
        assert!(first.await.is_ok());
        assert_eq!((second.await.ok(), third.await.ok()), (Some(2), Some(3)));
        assert_eq!(producer.await.expect("it ends"), 49 * 50 / 2);
        assert_eq!(runs.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn an_initializer_runs_on_each_thread_before_its_closures() {
    limited(|| {
        let initialized = Arc::new(Mutex::new(HashSet::new()));
        let ids = Arc::clone(&initialized);
        let pool = ThreadPool::builder()
            .max_workers(3)
            .initializer(move || {
                ids.lock().unwrap_or_else(PoisonError::into_inner).insert(thread::current().id());
            })
            .build();
        let (known, all_at_it) = (Arc::clone(&initialized), Barrier::new(3));
        let is_known = move |_| {
            // Three at a time, so that each thread has its part.
            all_at_it.wait();
            let ids = known.lock().unwrap_or_else(PoisonError::into_inner);
            ids.contains(&thread::current().id())
        };
        assert!(pool.map(0..51, is_known).all(|known| known.is_ok_and(|known| known)));
        assert_eq!(initialized.lock().unwrap_or_else(PoisonError::into_inner).len(), 3);
    });
}

#[test]
fn exec_02_a_broken_pool_fails_all_that_is_handed_in() {
    in_each_flavour(async || {
        let pool =
            ThreadPool::builder().max_workers(1).initializer(|| panic!("no licence")).build();
        let Err(BlockingError::Broken(text)) = pool.submit(|| 1).await else { panic!("broken") };
        assert_eq!(&*text, "no licence");
        let error = run_in_executor(&pool, || 1).await.expect_err("it is broken");
        assert!(error.reason().is_some_and(|text| text.contains("no licence")), "{error}");
    });
}

#[test]
fn waiting_for_ones_own_pool_is_told_when_it_would_never_end() {
    in_each_flavour(async || {
        let pool = Arc::new(ThreadPool::new(1));
        let inside = Arc::clone(&pool);
        let outer = pool.submit(move || inside.submit(|| 1).wait());
        let inner = outer.await.expect("the outer one runs");
        let Err(BlockingError::Deadlock { threads: 1 }) = inner else { panic!("{inner:?}") };
        let inside = Arc::clone(&pool);
        let outer = pool.submit(move || inside.map(0..3, |n| n).next());
        let Some(Err(BlockingError::Deadlock { .. })) = outer.await.expect("it runs") else {
            panic!("the same for map")
        };
    });
}

#[test]
fn a_detached_closure_that_panics_is_reported_once() {
    let (reports, reported) = channel();
    let runtime = Runtime::builder()
        .workers(2)
        .exception_hook(move |report| drop(reports.send(report.to_string())))
        .build()
        .expect("the system gives threads");
    let pool = ThreadPool::new(1);
    run(&runtime, async {
        let (gate, held) = gate();
        drop(pool.submit((move || held.pass()).named("first")));
        let line = line!() + 1;
        drop(pool.submit(|| panic!("unseen")));
        gate.open();
        let said = to_thread(move || reported.recv_timeout(LIMIT).map(|said| (said, reported)));
        let (said, reported) = said.await.expect("it ends").expect("it is reported");
        assert!(said.contains("unseen") && said.contains(&format!("pools.rs:{line}")), "{said}");
        assert!(reported.try_recv().is_err(), "once");
    });
}

#[test]
fn exec_17_a_pool_that_is_dropped_by_one_of_its_closures_runs_what_was_handed_in() {
    limited(|| {
        let pool = Arc::new(ThreadPool::new(1));
        let inside = Arc::clone(&pool);
        let (gate, held) = gate();
        let first = pool.submit(move || {
            held.pass();
            drop(inside);
        });
        gate.wait_for_arrival();
        let second = pool.submit(|| 7);
        drop(pool);
        gate.open();
        assert_eq!(second.wait().ok(), Some(7));
        assert!(first.wait().is_ok());
    });
}
