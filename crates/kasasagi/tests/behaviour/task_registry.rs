//! Who runs: the current task, and all tasks.

use crate::child;
use crate::flavour::{for_each_flavour, for_several_workers};
use crate::hand::{CountDrop, LIMIT, until};
use futures_channel::{mpsc, oneshot};
use futures_util::StreamExt;
use kasasagi::task::{all, current, try_current};
use kasasagi::{FutureExt, Runtime, TaskId, spawn, yield_now};
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn task_12_the_current_task_is_the_same_inside_and_outside_at_every_resume() {
    for_each_flavour(|build| {
        let runtime = build();
        let threads = Mutex::new(HashSet::new());
        for _ in 0..100 {
            let seen = runtime.run(async {
                let tasks: Vec<_> = (0..10)
                    .map(|_| {
                        spawn(async {
                            let mut threads = HashSet::new();
                            let id = current().id();
                            for _ in 0..10 {
                                threads.insert(std::thread::current().id());
                                yield_now().await;
                                assert_eq!(current().id(), id);
                            }
                            (id, threads)
                        })
                    })
                    .collect();
                let mut seen = HashSet::new();
                for task in tasks {
                    let outside = task.id();
                    let (inside, threads) = task.await.expect("it ends");
                    assert_eq!(inside, outside);
                    seen.extend(threads);
                }
                seen
            });
            threads.lock().expect("no panic").extend(seen.expect("main ends"));
            assert!(try_current().is_none(), "outside tasks there is none");
        }
        println!("tasks ran on {} threads", threads.lock().expect("no panic").len());
    });
}

#[test]
fn task_13_two_tasks_that_wake_each_other_see_themselves() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let (mut to_b, mut from_a) = mpsc::channel::<usize>(1);
                let (mut to_a, mut from_b) = mpsc::channel::<usize>(1);
                let a = spawn(async move {
                    let id = current().id();
                    for n in 0..1000 {
                        to_b.try_send(n).expect("the other has taken the last");
                        assert_eq!(from_b.next().await, Some(n));
                        assert_eq!(current().id(), id);
                    }
                    id
                });
                let b = spawn(async move {
                    let id = current().id();
                    while let Some(n) = from_a.next().await {
                        assert_eq!(current().id(), id);
                        to_a.try_send(n).expect("the other has taken the last");
                    }
                    id
                });
                let (a_id, b_id) = (a.id(), b.id());
                assert_eq!(a.await.expect("it ends"), a_id);
                assert_eq!(b.await.expect("it ends"), b_id);
                assert_ne!(a_id, b_id);
            })
            .expect("main ends");
    });
}

#[test]
fn task_14_all_tasks_are_the_unfinished_ones_the_caller_among_them() {
    for_each_flavour(|build| {
        let runtime = build();
        for _ in 0..10 {
            runtime
                .run(async {
                    let (go, gone) = oneshot::channel::<()>();
                    let gone = futures_util::FutureExt::shared(gone);
                    let children: Vec<_> = (0..100)
                        .map(|_| {
                            let gone = gone.clone();
                            spawn(async move { gone.await.expect("they are told to end") })
                        })
                        .collect();
                    let ids: HashSet<TaskId> = all().iter().map(|info| info.id).collect();
                    assert_eq!(ids.len(), 101);
                    assert!(ids.contains(&current().id()));
                    assert!(children.iter().all(|child| ids.contains(&child.id())));
                    go.send(()).expect("the children wait");
                    for child in children {
                        child.await.expect("it ends");
                    }
                    assert_eq!(all().len(), 1, "{:?}", all());
                })
                .expect("main ends");
            assert!(runtime.handle().tasks().is_empty());
        }
        assert!(all().is_empty(), "outside runtimes there are none");
    });
}

#[test]
fn task_14_a_task_knows_the_one_that_spawned_it() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let parent = current().id();
                let child = spawn(async { current().info().parent });
                assert_eq!(child.await.expect("it ends"), Some(parent));
            })
            .expect("main ends");
    });
}

#[test]
fn task_15_a_list_made_elsewhere_has_every_task_that_was_spawned_before() {
    for_several_workers(|build| {
        let runtime = build();
        let (handle, lists) = (runtime.handle(), AtomicUsize::new(0));
        let (spawned, done) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let handle = handle.clone();
                let (lists, spawned, done) = (&lists, &spawned, &done);
                scope.spawn(move || {
                    while !done.load(Ordering::SeqCst) {
                        // They end only when the test does.
                        let before: Vec<TaskId> = spawned.lock().expect("no panic").clone();
                        let list: HashSet<_> = handle.tasks().iter().map(|info| info.id).collect();
                        let missing: Vec<_> =
                            before.iter().filter(|id| !list.contains(id)).collect();
                        assert!(missing.is_empty(), "{missing:?}");
                        lists.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            let (spawned, lists) = (&spawned, &lists);
            runtime
                .run(async {
                    let mut n = 0;
                    while lists.load(Ordering::SeqCst) < 1000 {
                        if n < 500 {
                            let task = spawn(std::future::pending::<()>());
                            spawned.lock().expect("no panic").push(task.id());
                            n += 1;
                            // Others come and go among them.
                            drop(spawn(async { yield_now().await }));
                        }
                        yield_now().await;
                    }
                })
                .expect("main ends");
            done.store(true, Ordering::SeqCst);
        });
        let report = runtime.shutdown(LIMIT);
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.cancelled.len(), spawned.into_inner().expect("no panic").len());
    });
}

#[test]
fn task_05_a_task_that_nobody_can_wake_is_named_at_the_end_in_debug_mode() {
    let me = "task_registry::task_05_a_task_that_nobody_can_wake_is_named_at_the_end_in_debug_mode";
    if child::is_me(me) {
        let runtime = Runtime::builder().workers(2).name("spinner").build().expect("it builds");
        let (kept, dropped) = CountDrop::new();
        runtime
            .run(async {
                let task = spawn(
                    async move {
                        let _kept = kept;
                        std::future::pending::<()>().await;
                    }
                    .named("never-woken"),
                );
                let id = task.id();
                until("it is suspended", || all().iter().any(|info| info.id == id)).await;
            })
            .expect("main ends");
        drop(runtime);
        assert_eq!(dropped.load(Ordering::SeqCst), 1, "what it held is given back");
        return;
    }
    let ended = child::run(me, |command| {
        command.env("KASASAGI_DEBUG", "1");
    });
    assert!(ended.success, "{ended:?}");
    let report: Vec<_> = ended.stderr.lines().filter(|line| !line.is_empty()).collect();
    assert!(
        ended.stderr.contains("kasasagi: runtime `spinner`: 1 tasks were cancelled"),
        "{report:?}"
    );
    assert!(ended.stderr.contains("name='never-woken'"), "{report:?}");
    assert!(ended.stderr.contains("task_registry.rs:"), "{report:?}");
    // Without debug mode nothing is said.
    let quiet = child::run(me, |command| {
        command.env("KASASAGI_DEBUG", "0");
    });
    assert!(quiet.success && !quiet.stderr.contains("kasasagi"), "{quiet:?}");
}
