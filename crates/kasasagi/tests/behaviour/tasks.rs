//! What a task promises: TASK-01 and after.

use crate::flavour::{on_each, run};
use futures_channel::oneshot;
use kasasagi::{FutureExt, Runtime, TaskState, spawn, task, time, yield_now};
use std::collections::HashSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

#[test]
fn task_01_awaiting_a_task_gives_its_output() {
    on_each(|runtime| assert_eq!(run(runtime, async { spawn(async { 1 }).await }).ok(), Some(1)));
}

#[test]
fn task_02_a_task_runs_without_being_awaited_and_not_before_it_is_spawned() {
    on_each(|runtime| {
        let ran = Arc::new(AtomicUsize::new(0));
        let (send, receive) = oneshot::channel();
        let future = {
            let ran = Arc::clone(&ran);
            async move {
                ran.fetch_add(1, Ordering::SeqCst);
                let _ = send.send(());
            }
        };
        assert_eq!(ran.load(Ordering::SeqCst), 0);
        run(runtime, async {
            let _kept = spawn(future);
            receive.await.expect("it runs by itself");
        });
        assert_eq!(ran.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn task_03_what_follows_a_spawn_comes_before_the_task() {
    let runtime = Runtime::builder().current_thread().build().expect("a runtime");
    let seen = Arc::new(Mutex::new(Vec::new()));
    run(&runtime, async {
        let theirs = Arc::clone(&seen);
        let task = spawn(async move { theirs.lock().expect("no panic").push("task") });
        seen.lock().expect("no panic").push("spawner");
        task.await.expect("it ends");
    });
    assert_eq!(*seen.lock().expect("no panic"), ["spawner", "task"]);
}

#[test]
fn task_04_a_dropped_handle_detaches() {
    on_each(|runtime| {
        run(runtime, async {
            let (send, receive) = oneshot::channel();
            drop(spawn(async move {
                yield_now().await;
                let _ = send.send(7);
            }));
            assert_eq!(receive.await, Ok(7));
        });
    });
}

#[test]
fn task_05_a_task_that_nobody_can_wake_is_told_of_at_the_end_and_freed() {
    for seats in [1, 2] {
        let runtime = Runtime::builder().workers(seats).build().expect("a runtime");
        let held = Arc::new(());
        run(&runtime, async {
            let held = Arc::clone(&held);
            drop(spawn(
                async move {
                    let _held = held;
                    std::future::pending::<()>().await;
                }
                .named("forgotten"),
            ));
            yield_now().await;
        });
        let report = runtime.shutdown(Duration::from_secs(5));
        assert!(report.is_clean());
        let text = report.to_string();
        assert!(text.contains("forgotten") && text.contains("tasks.rs:"), "{text}");
        assert_eq!(Arc::strong_count(&held), 1);
    }
}

#[test]
fn task_06_names_are_seen_from_outside_and_inside() {
    on_each(|runtime| {
        run(runtime, async {
            let task = spawn(async { task::current().name() }.named("No-op"));
            assert_eq!(&*task.name(), "No-op");
            assert_eq!(&*task.await.expect("it ends"), "No-op");
            let (send, receive) = oneshot::channel::<()>();
            let task = spawn(async move {
                receive.await.expect("it is sent");
                task::current().name()
            });
            task.set_name("renamed");
            send.send(()).expect("it listens");
            assert_eq!(&*task.await.expect("it ends"), "renamed");
        });
    });
}

#[test]
fn task_07_numbers_are_unique_and_increase_among_the_spawns_of_a_thread() {
    let runtime = Runtime::builder().workers(4).build().expect("a runtime");
    let all = Mutex::new(HashSet::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let handle = runtime.handle();
                let ids: Vec<_> = (0..1000).map(|_| handle.spawn(async {}).id()).collect();
                assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
                all.lock().expect("no panic").extend(ids);
            });
        }
    });
    run(&runtime, async {
        let ids: Vec<_> = (0..1000).map(|_| spawn(async {}).id()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        all.lock().expect("no panic").extend(ids);
        let unnamed = spawn(async {});
        assert_eq!(&*unnamed.name(), format!("Task-{}", unnamed.id().as_u64()));
    });
    assert_eq!(all.into_inner().expect("no panic").len(), 5000);
}

#[test]
fn task_08_a_name_may_be_anything_that_displays() {
    let runtime = Runtime::builder().current_thread().build().expect("a runtime");
    run(&runtime, async {
        assert_eq!(&*spawn(async {}.named(987_654_321)).name(), "987654321");
    });
}

#[test]
fn task_09_debug_shows_one_word_of_state_the_name_the_place_and_the_wait() {
    on_each(|runtime| {
        run(runtime, async {
            let mut task = spawn(time::sleep(Duration::from_secs(3600)).named("sleeper"));
            let mut text = format!("{task:?}");
            for _ in 0..10_000 {
                if text.contains("waits_for=sleep") {
                    break;
                }
                yield_now().await;
                text = format!("{task:?}");
            }
            assert!(text.contains("pending") && text.contains("'sleeper'"), "{text}");
            assert!(text.contains("tasks.rs:") && text.contains("waits_for=sleep"), "{text}");
            assert!(task.cancel());
            let error = (&mut task).await.expect_err("it was cancelled");
            assert!(error.is_cancelled());
            let text = format!("{task:?}");
            assert!(text.contains("cancelled") && !text.contains("pending"), "{text}");
            let done = spawn(async {});
            while !done.is_finished() {
                yield_now().await;
            }
            assert!(format!("{done:?}").contains("finished"));
        });
    });
}

#[test]
fn task_11_a_task_that_awaits_itself_gets_an_error() {
    on_each(|runtime| {
        run(runtime, async {
            let (send, receive) = oneshot::channel();
            let task = spawn(async move {
                let me: kasasagi::Task<()> = receive.await.expect("it is sent");
                let error = me.await.expect_err("it would wait for ever");
                assert!(error.to_string().contains("cannot await itself"), "{error}");
            });
            let watch = task.handle();
            send.send(task).expect("it listens");
            while !watch.is_finished() {
                yield_now().await;
            }
            assert_eq!(watch.info().state, TaskState::Finished);
        });
    });
}

#[test]
fn task_12_the_current_task_is_the_same_after_every_await() {
    on_each(|runtime| {
        run(runtime, async {
            let tasks: Vec<_> = (0..100)
                .map(|_| {
                    spawn(async {
                        let id = task::current().id();
                        for _ in 0..20 {
                            yield_now().await;
                            assert_eq!(task::current().id(), id);
                        }
                        id
                    })
                })
                .collect();
            for task in tasks {
                let id = task.id();
                assert_eq!(task.await.expect("no assertion failed"), id);
            }
        });
        assert!(task::try_current().is_none());
    });
}

#[test]
fn task_13_two_tasks_that_wake_each_other_each_see_themselves() {
    on_each(|runtime| {
        run(runtime, async {
            let (mut to_b, mut from_a) = futures_channel::mpsc::channel::<()>(0);
            let (mut to_a, mut from_b) = futures_channel::mpsc::channel::<()>(0);
            use futures_util::{SinkExt, StreamExt};
            let a = spawn(async move {
                let me = task::current().id();
                for _ in 0..1000 {
                    to_b.send(()).await.expect("b listens");
                    from_b.next().await.expect("b sends");
                    assert_eq!(task::current().id(), me);
                }
            });
            let b = spawn(async move {
                let me = task::current().id();
                for _ in 0..1000 {
                    from_a.next().await.expect("a sends");
                    assert_eq!(task::current().id(), me);
                    to_a.send(()).await.expect("a listens");
                }
            });
            a.await.expect("no assertion failed");
            b.await.expect("no assertion failed");
        });
    });
}

#[test]
fn task_14_all_lists_every_task_that_has_not_ended() {
    on_each(|runtime| {
        run(runtime, async {
            let children: Vec<_> = (0..100).map(|_| spawn(std::future::pending::<()>())).collect();
            assert_eq!(task::all().len(), 101);
            for child in children {
                child.cancel();
                child.await.expect_err("it was cancelled");
            }
            assert_eq!(task::all().len(), 1);
        });
    });
}

#[test]
fn task_15_all_from_a_foreign_thread_holds_what_was_spawned_before() {
    let runtime = Runtime::builder().workers(2).build().expect("a runtime");
    let handle = runtime.handle();
    run(&runtime, async {
        let kept: Vec<_> = (0..100).map(|_| spawn(std::future::pending::<()>())).collect();
        let ids: HashSet<_> = kept.iter().map(kasasagi::Task::id).collect();
        let looker = std::thread::spawn(move || {
            for _ in 0..1000 {
                let seen: HashSet<_> = handle.tasks().iter().map(|task| task.id).collect();
                assert!(seen.is_superset(&ids));
            }
        });
        while !looker.is_finished() {
            for _ in 0..100 {
                drop(spawn(async {}));
            }
            yield_now().await;
        }
        looker.join().expect("every look saw them all");
    });
}

#[test]
fn task_19_an_output_that_is_a_future_stays_one() {
    on_each(|runtime| {
        let inner = run(runtime, async { spawn(std::future::ready(std::future::ready(42))).await });
        let inner = inner.expect("it ends");
        assert_eq!(run(runtime, inner), 42);
    });
}

struct ByHand(u32);

impl Future for ByHand {
    type Output = u32;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        self.0 += 1;
        if self.0 == 42 {
            return Poll::Ready(42);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn task_20_a_future_written_by_hand_is_spawned_like_others() {
    on_each(|runtime| {
        assert_eq!(run(runtime, async { spawn(ByHand(0)).await }).ok(), Some(42));
    });
}

struct SpawnsInDrop(Arc<AtomicUsize>);

impl Drop for SpawnsInDrop {
    fn drop(&mut self) {
        let count = Arc::clone(&self.0);
        drop(spawn(async move {
            count.fetch_add(1, Ordering::SeqCst);
        }));
    }
}

#[test]
fn task_21_an_output_whose_drop_spawns_does_no_harm() {
    on_each(|runtime| {
        let count = Arc::new(AtomicUsize::new(0));
        run(runtime, async {
            for _ in 0..100 {
                let task = spawn({
                    let count = Arc::clone(&count);
                    async move { SpawnsInDrop(count) }
                });
                while !task.is_finished() {
                    yield_now().await;
                }
                drop(task);
            }
            while count.load(Ordering::SeqCst) < 100 {
                yield_now().await;
            }
        });
    });
}

#[test]
fn task_22_a_spawn_that_meets_the_end_is_cancelled_and_listed_nowhere() {
    for round in 0..1_000 {
        let runtime = Runtime::builder().workers(1 + round % 2).build().expect("a runtime");
        let handle = runtime.handle();
        let spawner = std::thread::spawn({
            let handle = handle.clone();
            move || (0..30).map(|_| handle.spawn(std::future::pending::<()>())).collect::<Vec<_>>()
        });
        let report = runtime.shutdown(Duration::from_secs(10));
        assert!(report.is_clean());
        for task in spawner.join().expect("no panic") {
            assert!(task.is_cancelled());
        }
        assert!(handle.tasks().is_empty());
        let late = handle.spawn(async {});
        assert!(late.is_cancelled());
        assert!(handle.tasks().is_empty());
    }
}

#[test]
fn task_25_the_place_of_a_panic_is_kept() {
    on_each(|runtime| {
        let error = run(runtime, async { spawn(async { panic!("spam") }.named("egg")).await });
        let error: kasasagi::JoinError = error.map(|(): ()| 0).expect_err("it panicked");
        assert!(error.is_panic());
        assert!(error.panic_place().is_some_and(|place| place.contains("tasks.rs:")), "{error}");
        let text = error.to_string();
        assert!(text.contains("egg") && text.contains("spam"), "{text}");
        let payload = error.into_panic().expect("a panic has a payload");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"spam"));
    });
}

#[test]
fn task_26_a_handle_that_gave_its_output_panics_and_does_not_hang() {
    on_each(|runtime| {
        run(runtime, async {
            let mut task = spawn(async { 1 });
            assert_eq!((&mut task).await.ok(), Some(1));
            assert!(task.try_take().is_none());
            let again = spawn(async move { (&mut task).await.is_ok() }).await;
            let error = again.expect_err("awaiting it again is a mistake");
            assert!(error.to_string().contains("awaited again"), "{error}");
        });
    });
}

#[test]
fn task_27_the_last_handle_may_be_dropped_on_any_thread_at_any_time() {
    for round in 0..1_000 {
        let runtime = Runtime::builder().workers(1 + round % 2).build().expect("a runtime");
        let tasks: Vec<_> =
            (0..20).map(|i| runtime.handle().spawn(async move { vec![i; 10] })).collect();
        let dropper = std::thread::spawn(move || drop(tasks));
        drop(runtime);
        dropper.join().expect("dropping does not panic");
    }
}

#[test]
fn task_28_cancel_against_completion_ends_a_task_once() {
    let runtime = Runtime::builder().workers(2).build().expect("a runtime");
    let dropped = Arc::new(AtomicUsize::new(0));
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    run(&runtime, async {
        for round in 1..=5000 {
            let counts = Counts(Arc::clone(&dropped));
            let mut task = spawn(async move {
                yield_now().await;
                counts
            });
            let other = task.handle();
            let canceller = spawn(async move { other.cancel() });
            let output = (&mut task).await;
            let cancelled = output.is_err();
            drop(output);
            let asked = canceller.await.expect("it ends");
            assert!(asked || !cancelled);
            assert_eq!(task.is_cancelled(), cancelled);
            assert_eq!(dropped.load(Ordering::SeqCst), round);
        }
    });
}

#[test]
fn task_24_an_error_handed_on_through_five_tasks_stays_the_same() {
    on_each(|runtime| {
        run(runtime, async {
            let mut task: kasasagi::Task<Result<(), kasasagi::JoinError>> = spawn(async {
                let failed: Result<(), _> = spawn(async { panic!("once") }.named("first")).await;
                failed
            });
            for _ in 0..5 {
                task = spawn(async move { task.await.expect("it passes the error on") });
            }
            let error = task.await.expect("it ends").expect_err("the first one panicked");
            let text = error.to_string();
            assert_eq!(text.matches("panicked").count(), 1, "{text}");
            assert!(text.contains("`first`") && text.contains("once"), "{text}");
        });
    });
}
