//! What only several threads can show.

#[cfg(target_os = "linux")]
use crate::child;
use crate::flavour::{for_each_flavour, for_one_worker, for_several_workers, four, limited};
use crate::hand::{CountDrop, LIMIT, all_asleep, eventually, suspend_with, until};
use futures_channel::{mpsc, oneshot};
use futures_util::StreamExt;
use kasasagi::sync::Semaphore;
use kasasagi::time::sleep;
use kasasagi::{Runtime, spawn, yield_now};
use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc as std_mpsc};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

#[test]
fn mt_01_tasks_move_between_workers_and_one_thread_polls_at_a_time() {
    for_several_workers(|build| {
        let runtime = build();
        let moved = runtime.run(async {
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    spawn(async {
                        let inside = AtomicBool::new(false);
                        let mut threads = HashSet::new();
                        for _ in 0..1000 {
                            assert!(!inside.swap(true, Ordering::SeqCst), "two polls at a time");
                            threads.insert(std::thread::current().id());
                            crate::hand::compute(Duration::from_micros(2));
                            assert!(inside.swap(false, Ordering::SeqCst));
                            yield_now().await;
                        }
                        threads.len()
                    })
                })
                .collect();
            let mut moved = 0;
            for task in tasks {
                moved = moved.max(task.await.expect("it ends"));
            }
            moved
        });
        println!("a task ran on up to {} threads", moved.expect("main ends"));
    });
}

#[test]
fn mt_02_wakes_during_a_poll_run_the_task_once_more_and_none_is_lost() {
    for_each_flavour(|build| {
        let runtime = build();
        let polls = runtime.run(async {
            let polls = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&polls);
            // A thread that wakes at any moment, and wakes during the poll: each is answered by a poll.
            let (give, given) = std_mpsc::channel::<Waker>();
            let waking = std::thread::spawn(move || given.into_iter().for_each(Waker::wake));
            let task = spawn(async move {
                for round in 0..2000 {
                    let mut woken = false;
                    poll_fn(|cx| {
                        counted.fetch_add(1, Ordering::SeqCst);
                        if woken {
                            return Poll::Ready(());
                        }
                        woken = true;
                        if round % 2 == 0 {
                            give.send(cx.waker().clone()).expect("the thread listens");
                        } else {
                            // Three at once are one.
                            cx.waker().wake_by_ref();
                            cx.waker().wake_by_ref();
                            let third = cx.waker().clone();
                            third.wake();
                        }
                        Poll::Pending
                    })
                    .await;
                }
            });
            task.await.expect("no wake was lost");
            waking.join().expect("waking does not panic");
            polls.load(Ordering::SeqCst)
        });
        assert_eq!(polls.expect("main ends"), 4000, "two polls a round");
    });
}

#[test]
fn mt_03_tasks_that_compute_spread_over_all_workers() {
    limited(|| {
        let runtime = four();
        for round in 0..100 {
            // Four that wait for each other inside their polls: each needs a worker of its own.
            let met = Arc::new(Barrier::new(4));
            let threads = runtime.run(async {
                let tasks: Vec<_> = (0..4)
                    .map(|_| {
                        let met = Arc::clone(&met);
                        spawn(async move {
                            met.wait();
                            std::thread::current().id()
                        })
                    })
                    .collect();
                let mut threads = HashSet::new();
                for task in tasks {
                    threads.insert(task.await.expect("it ends"));
                }
                threads.len()
            });
            assert_eq!(threads.expect("main ends"), 4, "round {round}");
        }
    });
}

#[test]
fn mt_03_a_burst_is_shared_out() {
    for_several_workers(|build| {
        let runtime = build();
        let mut threads = HashSet::new();
        let start = Instant::now();
        while threads.len() < 2 && start.elapsed() < LIMIT {
            threads.extend(
                runtime
                    .run(async {
                        let tasks: Vec<_> = (0..200)
                            .map(|_| {
                                spawn(async {
                                    crate::hand::compute(Duration::from_micros(200));
                                    std::thread::current().id()
                                })
                            })
                            .collect();
                        let mut threads = HashSet::new();
                        for task in tasks {
                            threads.insert(task.await.expect("it ends"));
                        }
                        threads
                    })
                    .expect("main ends"),
            );
        }
        assert!(threads.len() >= 2, "all on one thread");
    });
}

#[test]
fn mt_04_a_task_that_never_yields_blocks_its_worker_only() {
    for_several_workers(|build| {
        let runtime = build();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        runtime
            .run(async {
                let hog = spawn(async move {
                    while !stopping.load(Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                });
                let side = spawn(async {
                    for _ in 0..20 {
                        sleep(Duration::from_millis(1)).await;
                        spawn(async { yield_now().await }).await.expect("it ends");
                    }
                });
                // Main's own worker may be the one that is blocked.
                drop(spawn(async move {
                    side.await.expect("it goes on beside the hog");
                    stop.store(true, Ordering::SeqCst);
                }));
                hog.await.expect("it was told to stop");
            })
            .expect("main ends");
    });
}

#[test]
fn mt_05_a_task_whose_leaves_are_always_ready_lets_others_run_after_its_budget() {
    for_one_worker(|build| {
        let most = build().run(async {
            let taken = Arc::new(AtomicUsize::new(0));
            let stop = Arc::new(AtomicBool::new(false));
            let (counted, stopping) = (Arc::clone(&taken), Arc::clone(&stop));
            let greedy = spawn(async move {
                let semaphore = Semaphore::new(1);
                while !stopping.load(Ordering::SeqCst) {
                    drop(semaphore.acquire().await.expect("nobody closes it"));
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            });
            let sibling = spawn(async move {
                let mut most = 0;
                for _ in 0..1000 {
                    let before = taken.load(Ordering::SeqCst);
                    yield_now().await;
                    most = most.max(taken.load(Ordering::SeqCst) - before);
                }
                stop.store(true, Ordering::SeqCst);
                most
            });
            greedy.await.expect("it ends");
            sibling.await.expect("it ends")
        });
        assert_eq!(most.expect("main ends"), 128, "leaves between two turns of the other");
    });
}

#[test]
fn mt_06_wakes_from_hand_to_hand_do_not_starve_the_injector_or_the_reactor() {
    for_each_flavour(|build| {
        let runtime = build();
        let stop = Arc::new(AtomicBool::new(false));
        let handle = runtime.handle();
        let (tell, told) = std_mpsc::channel();
        let stopping = Arc::clone(&stop);
        let outside = std::thread::spawn(move || {
            for _ in 0..200 {
                let tell = tell.clone();
                drop(handle.spawn(async move {
                    sleep(Duration::from_micros(100)).await;
                    let _ = tell.send(());
                }));
                told.recv_timeout(LIMIT).expect("neither task nor timer is starved");
            }
            stopping.store(true, Ordering::SeqCst);
        });
        runtime
            .run(async {
                // A pair for each worker: the slot is never empty.
                let pairs: Vec<_> = (0..4)
                    .map(|_| {
                        let (ping, mut pinged) = mpsc::unbounded();
                        let (pong, mut ponged) = mpsc::unbounded();
                        let stop = Arc::clone(&stop);
                        let first = spawn(async move {
                            while !stop.load(Ordering::SeqCst) {
                                ping.unbounded_send(()).expect("the other listens");
                                ponged.next().await.expect("the other answers");
                            }
                        });
                        let second = spawn(async move {
                            while pinged.next().await.is_some() {
                                let _ = pong.unbounded_send(());
                            }
                        });
                        (first, second)
                    })
                    .collect();
                for (first, second) in pairs {
                    first.await.expect("it ends");
                    second.await.expect("it ends");
                }
            })
            .expect("main ends");
        outside.join().expect("each was served in time");
    });
}

#[test]
fn mt_08_a_semaphore_and_channels_work_between_two_runtimes() {
    for_each_flavour(|build| {
        let (one, other) = (build(), build());
        let semaphore = Arc::new(Semaphore::new(1));
        let inside = Arc::new(AtomicUsize::new(0));
        let spawn_into = |runtime: &Runtime| -> Vec<_> {
            (0..8)
                .map(|_| {
                    let (semaphore, inside) = (Arc::clone(&semaphore), Arc::clone(&inside));
                    runtime.handle().spawn(async move {
                        for _ in 0..100 {
                            let permit = semaphore.acquire().await.expect("nobody closes it");
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            yield_now().await;
                            inside.fetch_sub(1, Ordering::SeqCst);
                            drop(permit);
                        }
                    })
                })
                .collect()
        };
        let tasks = [spawn_into(&one), spawn_into(&other)];
        let (tell, mut told) = mpsc::channel(1);
        let sender = other.handle().spawn(async move {
            let mut tell = tell;
            for n in 0..1000 {
                poll_fn(|cx| tell.poll_ready(cx)).await.expect("the other listens");
                tell.try_send(n).expect("there is room");
            }
        });
        one.run(async move {
            // Tasks of one runtime are awaited in the other.
            for task in tasks.into_iter().flatten() {
                task.await.expect("it ends");
            }
            let mut expected = 0;
            while let Some(n) = told.next().await {
                assert_eq!(n, expected);
                expected += 1;
            }
            assert_eq!(expected, 1000);
            sender.await.expect("it ends");
        })
        .expect("main ends");
    });
}

#[test]
fn mt_09_ten_runtimes_on_ten_threads_know_only_their_own_tasks() {
    for_each_flavour(|build| {
        let met = Barrier::new(10);
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    let runtime = build();
                    for _ in 0..5 {
                        let (go, gone) = oneshot::channel::<()>();
                        let gone = futures_util::FutureExt::shared(gone);
                        let (handle, met) = (runtime.handle(), &met);
                        runtime
                            .run(async {
                                let children: Vec<_> = (0..100)
                                    .map(|_| {
                                        let gone = gone.clone();
                                        spawn(async move { gone.await.expect("it is told") })
                                    })
                                    .collect();
                                met.wait();
                                assert_eq!(kasasagi::task::all().len(), 101);
                                assert_eq!(handle.tasks().len(), 101);
                                met.wait();
                                go.send(()).expect("they wait");
                                for child in children {
                                    child.await.expect("it ends");
                                }
                                assert_eq!(kasasagi::task::all().len(), 1);
                            })
                            .expect("main ends");
                    }
                });
            }
        });
    });
}

#[test]
fn mt_10_handles_and_wakers_in_use_outlive_their_runtime() {
    // Three threads that never rest beside two workers: by dice a round takes some 40 ms on a machine with other work.
    let rounds = if kasasagi_primitive::chaos::CHAOS { 200 } else { 1_000 };
    for_each_flavour(|build| {
        for round in 0..rounds {
            let runtime = build();
            let (kept, dropped) = CountDrop::new();
            let wakers = Arc::new(Mutex::new(Vec::<Waker>::new()));
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for n in 0..3 {
                    let (handle, wakers, stop) = (runtime.handle(), &wakers, &stop);
                    let mut mine: Vec<Waker> = Vec::new();
                    scope.spawn(move || {
                        while !stop.load(Ordering::SeqCst) {
                            mine.extend(wakers.lock().expect("no panic").iter().take(16).cloned());
                            mine.iter().for_each(Waker::wake_by_ref);
                            mine.drain(..).for_each(Waker::wake);
                            if n == 0 {
                                let _ = handle.tasks().len();
                                let _ = handle.metrics();
                                drop(handle.spawn(async { yield_now().await }));
                            }
                        }
                    });
                }
                for _ in 0..16 {
                    let (kept, wakers) = (kept.clone(), Arc::clone(&wakers));
                    drop(runtime.handle().spawn(async move {
                        let _kept = kept;
                        poll_fn(|cx| {
                            wakers.lock().expect("no panic").push(cx.waker().clone());
                            Poll::<()>::Pending
                        })
                        .await;
                    }));
                }
                eventually("the tasks show their wakers", || {
                    wakers.lock().expect("no panic").len() >= 16
                });
                let report = runtime.shutdown(LIMIT);
                assert!(report.is_clean(), "round {round}: {report}");
                assert_eq!(dropped.load(Ordering::SeqCst), 16, "round {round}");
                stop.store(true, Ordering::SeqCst);
            });
            // Woken and dropped after the end.
            let wakers = std::mem::take(&mut *wakers.lock().expect("no panic"));
            wakers.iter().for_each(Waker::wake_by_ref);
            let copies: Vec<_> = wakers.clone();
            drop(wakers);
            copies.into_iter().for_each(Waker::wake);
        }
    });
}

#[test]
fn mt_11_panics_leave_every_worker_at_work() {
    for_each_flavour(|build| {
        let runtime = build();
        let workers = runtime.handle().metrics().seats.len();
        runtime
            .run(async {
                let tasks: Vec<_> = (0..1000)
                    .map(|n| {
                        spawn(async move {
                            if n % 3 == 0 {
                                yield_now().await;
                            }
                            assert!(n > 1000, "as it was written");
                        })
                    })
                    .collect();
                for task in tasks {
                    assert!(task.await.expect_err("it panicked").is_panic());
                }
                // All of them are there: so many tasks meet inside their polls.
                let met = Arc::new(Barrier::new(workers));
                let tasks: Vec<_> = (0..workers)
                    .map(|_| {
                        let met = Arc::clone(&met);
                        spawn(async move { met.wait().is_leader() })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("it ends");
                }
            })
            .expect("main ends");
    });
}

/// User and system time of this process, in ticks of 10 ms.
#[cfg(target_os = "linux")]
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("linux has /proc");
    // Behind the name, which may hold anything: user time is the 12th field there, system time the 13th.
    let (_, rest) = stat.rsplit_once(')').expect("the name is in brackets");
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |n: usize| fields[n].parse::<u64>().expect("a number");
    number(11) + number(12)
}

#[test]
#[cfg(target_os = "linux")]
fn mt_12_idle_workers_sleep_and_use_no_processor_time() {
    let me = "mt::mt_12_idle_workers_sleep_and_use_no_processor_time";
    if !child::is_me(me) {
        let ended = child::run(me, |_| {});
        assert!(ended.success, "{ended:?}");
        return;
    }
    for workers in [1, 2, 4] {
        let runtime = Runtime::builder().workers(workers).build().expect("it builds");
        let parks = |runtime: &Runtime| -> u64 {
            runtime.handle().metrics().seats.iter().map(|seat| seat.parks).sum()
        };
        runtime
            .run(async {
                // Work first, so that there is something to come to rest from.
                for _ in 0..100 {
                    spawn(async { sleep(Duration::from_micros(50)).await }).await.expect("it ends");
                }
                let tasks: Vec<_> =
                    (0..1000).map(|_| spawn(std::future::pending::<()>())).collect();
                sleep(Duration::from_millis(300)).await;
                let (ticks, before) = (cpu_ticks(), parks(&runtime));
                sleep(Duration::from_millis(1000)).await;
                let (ticks, parked) = (cpu_ticks() - ticks, parks(&runtime) - before);
                println!("{workers} workers: {ticks} ticks of 10 ms, {parked} sleeps in a second");
                assert!(ticks <= 3, "{ticks} ticks of 10 ms in an idle second");
                assert!(parked <= 40, "{parked} sleeps in an idle second");
                drop(tasks);
            })
            .expect("main ends");
    }
}

#[test]
fn mt_12_idle_workers_see_work_at_once() {
    for_each_flavour(|build| {
        let runtime = build();
        let (stop, stopped) = oneshot::channel::<()>();
        let handle = runtime.handle();
        let outside = std::thread::spawn(move || {
            let mut slowest = Duration::ZERO;
            for round in 0..1000 {
                let (tell, told) = std_mpsc::channel();
                let start = Instant::now();
                drop(handle.spawn(async move { tell.send(Instant::now()) }));
                let began = told.recv_timeout(LIMIT).expect("no wake is missed");
                slowest = slowest.max(began - start);
                if round % 250 == 0 {
                    all_asleep(&handle);
                }
            }
            stop.send(()).expect("main waits");
            slowest
        });
        runtime.run(async { stopped.await.expect("it is told") }).expect("main ends");
        let slowest = outside.join().expect("each was seen");
        println!("the slowest was seen after {slowest:?}");
        assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    });
}

#[test]
fn mt_12_a_task_woken_from_outside_an_idle_runtime_runs() {
    for_each_flavour(|build| {
        let runtime = build();
        let (give, given) = std_mpsc::channel::<Waker>();
        let waking = std::thread::spawn(move || given.into_iter().for_each(Waker::wake));
        runtime
            .run(async move {
                let done = Arc::new(AtomicUsize::new(0));
                let tasks: Vec<_> = (0..4)
                    .map(|_| {
                        let (done, give) = (Arc::clone(&done), give.clone());
                        spawn(async move {
                            for _ in 0..1000 {
                                suspend_with(|waker| give.send(waker.clone()).expect("it listens"))
                                    .await;
                            }
                            done.fetch_add(1, Ordering::SeqCst);
                        })
                    })
                    .collect();
                drop(give);
                until("all are woken", || done.load(Ordering::SeqCst) == 4).await;
                for task in tasks {
                    task.await.expect("it ends");
                }
            })
            .expect("main ends");
        waking.join().expect("waking does not panic");
    });
}
