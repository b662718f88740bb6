//! Tasks: spawned, awaited, named, cancelled, waited for by themselves.

use crate::flavour::{for_each_flavour, for_one_worker, for_several_workers};
use crate::hand::{CountDrop, LIMIT, suspend_with, until};
use futures_channel::{mpsc, oneshot};
use futures_util::StreamExt;
use kasasagi::time::sleep;
use kasasagi::{FutureExt, Handle, JoinError, Task, spawn, yield_now};
use std::collections::HashSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc as std_mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

#[test]
fn task_01_an_awaited_task_gives_its_output() {
    for_each_flavour(|build| {
        let runtime = build();
        let output = runtime.run(async {
            assert_eq!(spawn(async { 1 }).await.expect("it ends"), 1);
            let outer = spawn(async {
                let inner = spawn(async { 42 }).await.expect("it ends");
                1000 + inner
            });
            outer.await.expect("it ends")
        });
        assert_eq!(output.expect("main ends"), 1042);
    });
}

#[test]
fn task_02_a_future_begins_when_it_is_spawned_and_needs_no_await() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let begun = Arc::new(AtomicBool::new(false));
                let (tell, told) = oneshot::channel();
                let future = {
                    let begun = Arc::clone(&begun);
                    async move {
                        begun.store(true, Ordering::SeqCst);
                        let _ = tell.send(());
                    }
                };
                yield_now().await;
                assert!(!begun.load(Ordering::SeqCst), "it was not spawned yet");
                let task = spawn(future);
                told.await.expect("the task runs, though nobody awaits it");
                drop(task);
            })
            .expect("main ends");
    });
}

#[test]
fn task_03_what_follows_a_spawn_comes_before_the_task_begins() {
    for_one_worker(|build| {
        let order = build().run(async {
            let order = Arc::new(Mutex::new(Vec::new()));
            let note = {
                let order = Arc::clone(&order);
                move |what| order.lock().expect("no panic").push(what)
            };
            let tasks = ["B", "C", "D"].map(|name| {
                let note = note.clone();
                spawn(async move { note(name) })
            });
            note("A");
            for task in tasks {
                task.await.expect("it ends");
            }
            order.lock().expect("no panic").clone()
        });
        assert_eq!(order.expect("main ends"), ["A", "B", "C", "D"]);
    });
}

#[test]
fn task_04_a_dropped_handle_leaves_the_task_running() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let (go, gone) = oneshot::channel::<()>();
                let (tell, told) = oneshot::channel();
                drop(spawn(async move {
                    gone.await.expect("it is told to go on");
                    let _ = tell.send("to the end");
                }));
                yield_now().await;
                go.send(()).expect("the task waits");
                assert_eq!(told.await, Ok("to the end"));
            })
            .expect("main ends");
    });
}

#[test]
fn task_06_names_are_seen_outside_and_inside_and_can_change() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let (go, gone) = oneshot::channel::<()>();
                let (tell, told) = oneshot::channel();
                let task = spawn(
                    async move {
                        let _ = tell.send(kasasagi::task::current().name());
                        gone.await.expect("it is told to go on");
                        let me = kasasagi::task::current();
                        let renamed = me.name();
                        me.set_name("by itself");
                        renamed
                    }
                    .named("No-op"),
                );
                assert_eq!(&*task.name(), "No-op");
                assert_eq!(&*told.await.expect("the task begins"), "No-op");
                task.set_name("renamed");
                assert_eq!(&*task.name(), "renamed");
                let reference = task.handle();
                go.send(()).expect("the task waits");
                assert_eq!(&*task.await.expect("it ends"), "renamed");
                assert_eq!(&*reference.name(), "by itself");
            })
            .expect("main ends");
    });
}

#[test]
fn task_07_unnamed_tasks_are_numbered_and_the_numbers_of_one_spawner_increase() {
    for_each_flavour(|build| {
        let runtime = build();
        let mut seen = HashSet::new();
        for _ in 0..8 {
            let batches = runtime.run(async {
                let spawners: Vec<_> = (0..8)
                    .map(|_| {
                        spawn(async {
                            // One poll, and so one thread.
                            let tasks: Vec<_> = (0..64).map(|_| spawn(async {})).collect();
                            tasks.iter().map(|task| (task.id(), task.name())).collect::<Vec<_>>()
                        })
                    })
                    .collect();
                let mut batches = Vec::new();
                for spawner in spawners {
                    batches.push(spawner.await.expect("it ends"));
                }
                batches
            });
            for batch in batches.expect("main ends") {
                assert!(batch.windows(2).all(|pair| pair[0].0 < pair[1].0), "{batch:?}");
                for (id, name) in batch {
                    assert_eq!(&*name, format!("Task-{}", id.as_u64()));
                    assert!(seen.insert(id), "{id} was given twice");
                }
            }
        }
        assert_eq!(seen.len(), 8 * 8 * 64);
    });
}

#[test]
fn task_08_a_name_may_be_anything_that_can_be_displayed() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let task = spawn(async {}.named(987_654_321));
                assert_eq!(&*task.name(), "987654321");
                task.set_name(format_args!("{}-{}", "worker", 7));
                assert_eq!(&*task.name(), "worker-7");
            })
            .expect("main ends");
    });
}

const WORDS: [&str; 4] = ["pending", "cancelling", "cancelled", "finished"];

#[track_caller]
fn assert_state<T>(task: &Task<T>, word: &str) {
    let text = format!("{task:?}");
    // The name and the place hold none of the words.
    let words: Vec<_> = WORDS.iter().filter(|word| text.contains(**word)).collect();
    assert_eq!(words, [&word], "{text}");
    assert!(text.contains("name='shown'"), "{text}");
    assert!(text.contains("task.rs:"), "the place of its spawn: {text}");
}

#[test]
fn task_09_debug_shows_one_state_the_name_the_place_and_what_is_waited_for() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let line = line!() + 1;
                let sleeping = async { sleep(Duration::from_secs(600)).await };
                let mut task = spawn(sleeping.named("shown"));
                assert_state(&task, "pending");
                until("it sleeps", || format!("{task:?}").contains("waits_for=sleep")).await;
                let text = format!("{task:?}");
                assert!(text.contains(&format!("task.rs:{line}:")), "where it waits: {text}");
                assert!(task.cancel());
                assert!((&mut task).await.expect_err("it was cancelled").is_cancelled());
                assert_state(&task, "cancelled");

                let mut task = spawn(async { 5 }.named("shown"));
                assert_eq!((&mut task).await.expect("it ends"), 5);
                assert_state(&task, "finished");
            })
            .expect("main ends");
    });
    for_one_worker(|build| {
        build()
            .run(async {
                let task = spawn(std::future::pending::<()>().named("shown"));
                yield_now().await;
                assert!(task.cancel());
                assert_state(&task, "cancelling");
                assert!(task.await.expect_err("it was cancelled").is_cancelled());
            })
            .expect("main ends");
    });
}

#[test]
fn task_11_a_task_that_awaits_itself_is_told_so() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let (give, given) = oneshot::channel::<Task<String>>();
                let (tell, told) = oneshot::channel();
                let task = spawn(
                    async move {
                        let me = given.await.expect("it is given its handle");
                        let error = me.await.expect_err("it cannot wait for itself");
                        let _ =
                            tell.send((error.to_string(), error.is_cancelled(), error.is_panic()));
                        "goes on".to_owned()
                    }
                    .named("snake"),
                );
                give.send(task).expect("the task waits for its handle");
                let (text, cancelled, panicked) = told.await.expect("no deadlock");
                assert!(text.contains("task `snake` cannot await itself"), "{text}");
                assert!(!cancelled && !panicked);
            })
            .expect("main ends");
    });
}

#[test]
fn task_11_a_task_that_awaited_itself_by_reference_can_be_awaited_by_another() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let (give, given) = oneshot::channel::<Task<u32>>();
                let (hand_on, handed_on) = oneshot::channel();
                let task = spawn(async move {
                    let mut me = given.await.expect("it is given its handle");
                    assert!((&mut me).await.is_err());
                    hand_on.send(me).ok().expect("main waits for the handle");
                    yield_now().await;
                    7
                });
                give.send(task).expect("the task waits for its handle");
                let task = handed_on.await.expect("no deadlock");
                assert_eq!(task.await.expect("it ends"), 7);
            })
            .expect("main ends");
    });
}

#[test]
fn task_19_a_future_as_output_is_given_as_it_is() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let begun = Arc::new(AtomicBool::new(false));
                let inner = {
                    let begun = Arc::clone(&begun);
                    async move {
                        begun.store(true, Ordering::SeqCst);
                        42
                    }
                };
                let given = spawn(async move { inner }).await.expect("it ends");
                assert!(!begun.load(Ordering::SeqCst), "nobody has polled it");
                assert_eq!(given.await, 42);
            })
            .expect("main ends");
    });
}

struct ByHand {
    polls: usize,
}

impl Future for ByHand {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        self.polls += 1;
        if self.polls == 3 {
            return Poll::Ready(42);
        }
        // From another thread, while or after it is polled.
        let waker = cx.waker().clone();
        std::thread::spawn(move || waker.wake());
        Poll::Pending
    }
}

#[test]
fn task_20_a_future_written_by_hand_is_spawned_like_any() {
    for_each_flavour(|build| {
        let output = build().run(async { spawn(ByHand { polls: 0 }).await.expect("it ends") });
        assert_eq!(output.expect("main ends"), 42);
    });
}

/// Spawns, locks and wakes when it is dropped.
struct Busy {
    handle: Handle,
    shared: Arc<Mutex<usize>>,
    tell: mpsc::UnboundedSender<()>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut count = self.shared.lock().expect("no panic");
        *count += 1;
        let (shared, tell) = (Arc::clone(&self.shared), self.tell.clone());
        drop(self.handle.spawn(async move {
            *shared.lock().expect("no panic") += 1;
            let _ = tell.unbounded_send(());
        }));
        assert!(!self.handle.tasks().is_empty());
    }
}

#[test]
fn task_21_an_output_whose_drop_uses_the_runtime_does_no_harm() {
    for_each_flavour(|build| {
        let runtime = build();
        for round in 0..100 {
            let shared = Arc::new(Mutex::new(0));
            let (tell, mut told) = mpsc::unbounded();
            let (handle, count) = (runtime.handle(), Arc::clone(&shared));
            runtime
                .run(async move {
                    let make = || Busy {
                        handle: handle.clone(),
                        shared: Arc::clone(&shared),
                        tell: tell.clone(),
                    };
                    // Dropped by the one who awaits, by the completer, by the drop of a finished handle.
                    let (awaited, detached, finished) = (make(), make(), make());
                    drop(spawn(async move { awaited }).await.expect("it ends"));
                    drop(spawn(async move { detached }));
                    let task = spawn(async move { finished });
                    until("it ends", || task.is_finished()).await;
                    drop(task);
                    for _ in 0..3 {
                        told.next().await.expect("each drop spawns a task that tells");
                    }
                })
                .expect("main ends");
            assert_eq!(*count.lock().expect("no panic"), 6, "round {round}");
        }
    });
}

fn nest(depth: usize) -> Pin<Box<dyn Future<Output = Result<(), JoinError>> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            spawn(async { panic!("boom") }.named("innermost")).await?;
        } else {
            // An error of the task outside would be another one.
            spawn(nest(depth - 1)).await.expect("it returns the error")?;
        }
        Ok(())
    })
}

#[test]
fn task_24_an_error_that_goes_through_five_awaits_stays_the_same() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let once = nest(0).await.expect_err("it panicked");
                let often = nest(5).await.expect_err("it panicked");
                let without =
                    |error: &JoinError| error.to_string().replace(&error.id().to_string(), "Task");
                assert_eq!(without(&once), without(&often));
                assert!(often.to_string().starts_with("task `innermost` panicked at "), "{often}");
            })
            .expect("main ends");
    });
}

#[test]
fn task_25_a_panic_keeps_its_place_and_its_payload() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let line = line!() + 1;
                let error = spawn(async { panic!("spilled {}", "milk") }).await;
                let error = error.expect_err("it panicked");
                let place = error.panic_place().expect("the place is remembered").to_owned();
                assert!(place.contains(&format!("task.rs:{line}:")), "{place}");
                assert!(error.to_string().contains("spilled milk"), "{error}");
                assert!(error.to_string().contains(&place), "{error}");
                let payload = error.into_panic().expect("a panic has a payload");
                assert_eq!(crate::hand::text_of(&*payload), "spilled milk");

                let error = spawn(async { std::panic::panic_any(42_u8) }).await;
                let payload = error.expect_err("it panicked").into_panic().expect("a payload");
                assert_eq!(payload.downcast_ref::<u8>(), Some(&42));
            })
            .expect("main ends");
    });
}

#[test]
fn task_26_a_task_awaited_again_after_its_output_panics_and_does_not_hang() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let error = spawn(async {
                    let mut task = spawn(async { 1 }.named("once"));
                    assert_eq!((&mut task).await.expect("it ends"), 1);
                    assert!(task.try_take().is_none());
                    let _ = (&mut task).await;
                })
                .await
                .expect_err("the second await panics");
                let text = error.to_string();
                assert!(text.contains("task `once` was awaited again"), "{text}");
            })
            .expect("main ends");
    });
}

#[test]
fn task_27_the_last_handle_may_be_dropped_on_any_thread() {
    for_several_workers(|build| {
        let runtime = build();
        let (give, given) = std_mpsc::channel::<Task<CountDrop>>();
        let dropper = std::thread::spawn(move || given.into_iter().for_each(drop));
        let (output, dropped) = CountDrop::new();
        let made = CountDrop(Arc::new(AtomicUsize::new(0)));
        drop(made);
        let rounds = 1000;
        runtime
            .run(async {
                for round in 0..rounds {
                    let output = CountDrop(Arc::clone(&output.0));
                    let task = spawn(async move {
                        if round % 2 == 0 {
                            yield_now().await;
                        }
                        output
                    });
                    // Running, suspended, or ended: it is dropped elsewhere.
                    give.send(task).expect("the dropper listens");
                    if round % 3 == 0 {
                        yield_now().await;
                    }
                }
            })
            .expect("main ends");
        drop(give);
        dropper.join().expect("dropping handles does not panic");
        let report = runtime.shutdown(LIMIT);
        assert!(report.is_clean(), "{report}");
        assert_eq!(dropped.load(Ordering::SeqCst), rounds);
        drop(output);
    });
}

#[test]
fn task_28_of_an_end_and_a_cancellation_exactly_one_happens() {
    for_several_workers(|build| {
        let runtime = build();
        let (mut values, mut cancels) = (0, 0);
        for round in 0..1500_u32 {
            let (future, futures_dropped) = CountDrop::new();
            let (output, outputs_dropped) = CountDrop::new();
            let (go, gone) = oneshot::channel::<()>();
            let task = runtime.handle().spawn(async move {
                let _kept = future;
                let _ = gone.await;
                output
            });
            let reference = task.handle();
            let canceller = std::thread::spawn(move || {
                if round % 4 == 0 {
                    std::thread::yield_now();
                }
                reference.cancel()
            });
            let _ = go.send(());
            let ended = runtime.handle().block_on(task);
            let asked = canceller.join().expect("cancelling does not panic");
            assert_eq!(futures_dropped.load(Ordering::SeqCst), 1, "round {round}");
            match ended {
                Ok(output) => {
                    values += 1;
                    assert_eq!(outputs_dropped.load(Ordering::SeqCst), 0, "round {round}");
                    drop(output);
                }
                Err(error) => {
                    cancels += 1;
                    assert!(asked && error.is_cancelled(), "round {round}: {error}");
                }
            }
            assert_eq!(outputs_dropped.load(Ordering::SeqCst), 1, "round {round}");
        }
        println!("{values} gave a value, {cancels} were cancelled");
    });
}

#[test]
fn task_22_a_spawn_that_meets_the_shutdown_gives_a_cancelled_task() {
    for_each_flavour(|build| {
        for round in 0..120 {
            let runtime = build();
            let handle = runtime.handle();
            let (future, dropped) = CountDrop::new();
            let spawned = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                let (begun, beginning) = std_mpsc::channel();
                let (stop, stopped) = (AtomicBool::new(false), &future);
                let stop = Arc::new(stop);
                for _ in 0..2 {
                    let (handle, spawned, begun) = (runtime.handle(), &spawned, begun.clone());
                    let stop = Arc::clone(&stop);
                    let future = stopped.clone();
                    // The clone that this thread drops itself is counted like the others.
                    spawned.fetch_add(1, Ordering::SeqCst);
                    scope.spawn(move || {
                        let mut tasks = Vec::new();
                        while !stop.load(Ordering::SeqCst) && tasks.len() < 2000 {
                            let kept = future.clone();
                            spawned.fetch_add(1, Ordering::SeqCst);
                            tasks.push(handle.spawn(async move {
                                let _kept = kept;
                                suspend_with(|_| {}).await;
                            }));
                            let _ = begun.send(());
                        }
                        for task in tasks {
                            let error = handle.block_on(task).expect_err("nothing wakes it");
                            assert!(error.is_cancelled(), "{error}");
                            let reason = error.reason().expect("it says why");
                            assert!(reason.contains("shut"), "{reason}");
                        }
                    });
                }
                beginning.recv().expect("a thread spawns");
                let report = runtime.shutdown(LIMIT);
                assert!(report.is_clean(), "round {round}: {report}");
                stop.store(true, Ordering::SeqCst);
            });
            assert_eq!(dropped.load(Ordering::SeqCst), spawned.load(Ordering::SeqCst));
            // Not before: a spawn that is being refused stands in the list for a moment.
            assert!(handle.tasks().is_empty(), "{:?}", handle.tasks());
        }
    });
}

/// Spawned through a kept handle after the end: RUN-29 has the rest.
#[test]
fn task_22_a_spawn_after_the_shutdown_drops_the_future_unpolled_and_says_why() {
    for_each_flavour(|build| {
        let runtime = build();
        let handle = runtime.handle();
        assert!(runtime.shutdown(LIMIT).is_clean());
        let (future, dropped) = CountDrop::new();
        let polled = Arc::new(AtomicBool::new(false));
        let polled_inside = Arc::clone(&polled);
        let mut task = handle.spawn(async move {
            let _kept = future;
            polled_inside.store(true, Ordering::SeqCst);
        });
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert!(!polled.load(Ordering::SeqCst));
        let error = task.try_take().expect("it has ended").expect_err("and was cancelled");
        assert!(error.is_cancelled());
        assert_eq!(
            error.reason(),
            Some("the runtime is shut down: spawn before `shutdown`, or on another runtime")
        );
        assert!(handle.tasks().is_empty());
    });
}
