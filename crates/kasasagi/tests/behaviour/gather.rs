//! What `gather` and its kin promise: GATH-01 and after.

use crate::flavour::{for_one_worker, in_each_flavour, on_each, run};
use crate::settled;
use futures_channel::oneshot;
use kasasagi::sync::Event;
use kasasagi::{
    FutureExt, gather, map_concurrent, shield, spawn, task, time, try_gather, yield_now,
};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Counts its drop.
pub(crate) struct Dropped(pub(crate) Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Waits until `count` is `n`, by turns.
pub(crate) async fn until(count: &AtomicUsize, n: usize) {
    while count.load(Ordering::SeqCst) != n {
        yield_now().await;
    }
}

/// A future that counts how often it is polled.
fn counted<F: Future + Unpin>(
    mut future: F,
    polls: &AtomicUsize,
) -> impl Future<Output = F::Output> {
    poll_fn(move |cx| {
        polls.fetch_add(1, Ordering::SeqCst);
        std::pin::Pin::new(&mut future).poll(cx)
    })
}

#[test]
fn gath_01_outputs_are_in_the_order_of_the_arguments() {
    on_each(|runtime| {
        run(runtime, async {
            let (tell_a, a) = oneshot::channel();
            let (tell_b, b) = oneshot::channel();
            let (tell_c, c) = oneshot::channel();
            let gathered = spawn(gather([a, b, c]));
            for (tell, n) in [(tell_b, 1), (tell_a, 2), (tell_c, 3)] {
                tell.send(n).expect("it listens");
                yield_now().await;
            }
            let outputs = gathered.await.expect("it ends");
            let outputs: Vec<_> =
                outputs.into_iter().map(|output| output.expect("it ends").expect("told")).collect();
            assert_eq!(outputs, [2, 1, 3]);
        });
    });
}

#[test]
fn gath_02_it_is_not_done_before_the_last_child() {
    on_each(|runtime| {
        run(runtime, async {
            let (tell, told) = oneshot::channel::<()>();
            let told = async move {
                let _ = told.await;
            };
            let ended = Arc::new(AtomicUsize::new(0));
            let quick = {
                let ended = Dropped(Arc::clone(&ended));
                async move { drop(ended) }
            };
            let mut gathered = pin!(gather([spawn(quick), spawn(told)]));
            let once = poll_fn(|cx| Poll::Ready(gathered.as_mut().poll(cx)));
            assert!(once.await.is_pending());
            until(&ended, 1).await;
            let again = poll_fn(|cx| Poll::Ready(gathered.as_mut().poll(cx)));
            assert!(again.await.is_pending());
            tell.send(()).expect("it listens");
            assert!(gathered.await.into_iter().all(|output| output.is_ok()));
        });
    });
}

#[test]
fn gath_03_of_nothing_it_is_ready_at_once_and_empty() {
    let nothing: [std::future::Ready<()>; 0] = [];
    let gathered: Poll<Vec<_>> =
        pin!(gather(nothing)).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(gathered, Poll::Ready(outputs) if outputs.is_empty()));
}

/// Of three, the second fails at once, and the others wait to be told.
fn one_fails(
    ended: &Arc<AtomicUsize>,
) -> (Vec<oneshot::Sender<()>>, Vec<impl Future<Output = Result<i32, String>> + Send + 'static>) {
    let mut tellers = Vec::new();
    let children = (0..3).map(|n| {
        let (tell, told) = oneshot::channel::<()>();
        tellers.push(tell);
        let ended = Arc::clone(ended);
        async move {
            if n == 1 {
                return Err("no luck".to_owned());
            }
            told.await.map_err(|_| "nobody tells".to_owned())?;
            ended.fetch_add(1, Ordering::SeqCst);
            Ok(n)
        }
    });
    let children = children.collect();
    (tellers, children)
}

#[test]
fn gath_04_05_the_first_error_is_given_at_once_and_the_others_run_on() {
    on_each(|runtime| {
        run(runtime, async {
            let ended = Arc::new(AtomicUsize::new(0));
            let (tellers, children) = one_fails(&ended);
            let error = gather(children).first_error().await.expect_err("the second one fails");
            assert_eq!(error.error().map(String::as_str), Some("no luck"));
            assert_eq!(ended.load(Ordering::SeqCst), 0);
            for tell in tellers {
                let _ = tell.send(());
            }
            until(&ended, 2).await;
        });
    });
}

#[test]
fn gath_04_without_an_error_all_values_are_given_in_order() {
    on_each(|runtime| {
        run(runtime, async {
            let children = || (0..10).map(|n| async move { Ok::<_, String>(n) });
            let expected: Vec<_> = (0..10).collect();
            assert_eq!(gather(children()).first_error().await.expect("none fails"), expected);
            assert_eq!(try_gather(children()).await.expect("none fails"), expected);
        });
    });
}

#[test]
fn gath_05_try_gather_has_cancelled_the_others_and_seen_their_ends() {
    on_each(|runtime| {
        run(runtime, async {
            let dropped = Arc::new(AtomicUsize::new(0));
            let children = (0..5).map(|n| {
                let held = Dropped(Arc::clone(&dropped));
                let child = async move {
                    let _held = held;
                    if n == 2 {
                        return Err("no luck");
                    }
                    pending::<()>().await;
                    Ok(n)
                };
                child.named(format!("child-{n}"))
            });
            let error = try_gather(children).await.expect_err("the third one fails");
            assert_eq!(error.to_string(), "task `child-2` failed: no luck");
            assert_eq!((error.name(), error.error()), ("child-2", Some(&"no luck")));
            assert_eq!(dropped.load(Ordering::SeqCst), 5, "all have ended");
        });
    });
}

#[test]
fn gath_06_errors_panics_and_cancellations_are_in_their_places() {
    on_each(|runtime| {
        run(runtime, async {
            let cancelled = spawn(pending());
            cancelled.cancel_with("for the test");
            let tasks = [
                spawn(async { Ok(1) }),
                spawn(async { Err("zde") }),
                cancelled,
                spawn(async { Ok(3) }),
                spawn(async { panic!("rte") }),
            ];
            let outputs = gather(tasks).await;
            assert!(matches!(outputs[0], Ok(Ok(1))));
            assert!(matches!(outputs[1], Ok(Err("zde"))));
            let error = outputs[2].as_ref().expect_err("it was cancelled");
            assert_eq!((error.is_cancelled(), error.reason()), (true, Some("for the test")));
            assert!(matches!(outputs[3], Ok(Ok(3))));
            assert!(outputs[4].as_ref().is_err_and(kasasagi::JoinError::is_panic));
        });
    });
}

#[test]
fn gath_07_a_cancelled_child_fails_the_gather_which_is_not_cancelled_itself() {
    on_each(|runtime| {
        run(runtime, async {
            let child = spawn(pending::<Result<(), ()>>());
            let victim = child.handle();
            let gathered = spawn(gather([child]).first_error());
            victim.cancel();
            let error = gathered.await.expect("it was not cancelled").expect_err("its child was");
            assert!(error.is_cancelled());
        });
    });
}

#[test]
fn gath_08_cancelled_it_cancels_every_child() {
    on_each(|runtime| {
        run(runtime, async {
            let proof = Arc::new(AtomicUsize::new(0));
            let dropped = Arc::new(AtomicUsize::new(0));
            let children: Vec<_> = (0..3)
                .map(|_| {
                    let (proof, held) = (Arc::clone(&proof), Dropped(Arc::clone(&dropped)));
                    spawn(async move {
                        let _held = held;
                        pending::<()>().await;
                        proof.fetch_add(1, Ordering::SeqCst);
                    })
                })
                .collect();
            let gathered = settled::spawn(gather(children));
            settled::settle().await;
            gathered.cancel();
            assert!(gathered.await.is_err_and(|error| error.is_cancelled()));
            until(&dropped, 3).await;
            assert_eq!(proof.load(Ordering::SeqCst), 0);
        });
    });
}

#[test]
fn gath_09_one_that_has_ended_cannot_be_cancelled() {
    on_each(|runtime| {
        run(runtime, async {
            let mut gathered = spawn(gather([async { 42 }]));
            while !gathered.is_finished() {
                yield_now().await;
            }
            assert!(!gathered.cancel());
            let outputs = gathered.try_take().expect("it has ended").expect("it was not cancelled");
            assert!(matches!(outputs[..], [Ok(42)]));
        });
    });
}

#[test]
fn gath_10_cancelled_it_does_not_put_that_into_the_list() {
    on_each(|runtime| {
        run(runtime, async {
            let gathered = spawn(gather([pending::<()>()]));
            yield_now().await;
            gathered.cancel_with("enough");
            let error = gathered.await.expect_err("it was cancelled");
            assert_eq!((error.is_cancelled(), error.reason()), (true, Some("enough")));
        });
    });
}

#[test]
fn gath_14_dropped_before_its_first_poll_it_starts_nothing() {
    on_each(|runtime| {
        run(runtime, async {
            let dropped = Arc::new(AtomicUsize::new(0));
            let held = Dropped(Arc::clone(&dropped));
            let gathered = gather([async move {
                let _held = held;
            }]);
            let before = task::all().len();
            drop(gathered);
            assert_eq!((dropped.load(Ordering::SeqCst), task::all().len()), (1, before));
        });
    });
}

#[test]
fn gath_14_dropped_midway_it_cancels_what_it_owns_and_not_what_is_lent() {
    on_each(|runtime| {
        run(runtime, async {
            let dropped = Arc::new(AtomicUsize::new(0));
            let wait = || {
                let held = Dropped(Arc::clone(&dropped));
                async move {
                    let _held = held;
                    pending::<()>().await;
                }
            };
            let mut lent = spawn(wait());
            {
                let mut owning = pin!(gather([wait(), wait()]));
                let mut lending = pin!(gather([lent.by_ref()]));
                let once = poll_fn(|cx| {
                    assert!(owning.as_mut().poll(cx).is_pending());
                    Poll::Ready(lending.as_mut().poll(cx).is_pending())
                });
                assert!(once.await);
            }
            until(&dropped, 2).await;
            for _ in 0..10 {
                yield_now().await;
            }
            assert!(!lent.is_finished());
            lent.cancel();
            assert!((&mut lent).await.is_err());
        });
    });
}

#[test]
fn gath_15_shielded_children_survive_a_cancelled_gather() {
    on_each(|runtime| {
        run(runtime, async {
            let ended = Arc::new(AtomicUsize::new(0));
            let (tell, told): (Vec<_>, Vec<_>) = (0..2).map(|_| oneshot::channel::<()>()).unzip();
            let children = told.into_iter().map(|told| {
                let ended = Arc::clone(&ended);
                spawn(async move {
                    let _ = told.await;
                    ended.fetch_add(1, Ordering::SeqCst);
                })
            });
            let gathered = spawn(gather(children.map(shield).collect::<Vec<_>>()));
            for _ in 0..10 {
                yield_now().await;
            }
            gathered.cancel();
            assert!(gathered.await.is_err());
            for tell in tell {
                tell.send(()).expect("it still listens");
            }
            until(&ended, 2).await;
        });
    });
}

#[test]
fn gath_16_any_number_is_gathered_in_order() {
    on_each(|runtime| {
        for n in [1, 2, 10, 1_000, 10_000_usize] {
            let outputs = run(
                runtime,
                gather((0..n).map(|i| async move {
                    if i % 3 == 0 {
                        yield_now().await;
                    }
                    i
                })),
            );
            let outputs: Vec<_> = outputs.into_iter().map(|output| output.expect("ends")).collect();
            assert_eq!(outputs, (0..n).collect::<Vec<_>>());
        }
    });
}

#[test]
fn gath_16_many_gathers_at_once_lose_nothing() {
    let rounds = 1_000;
    crate::flavour::for_several_workers(|build| {
        run(&build(), async {
            for round in 0..rounds {
                let inner = |base: usize| async move {
                    let outputs = gather((0..4).map(|i| async move {
                        if (base + i) % 2 == 0 {
                            yield_now().await;
                        }
                        base + i
                    }))
                    .await;
                    outputs.into_iter().map(|output| output.expect("ends")).sum::<usize>()
                };
                let sums = gather((0..4).map(inner)).await;
                let sums: Vec<_> = sums.into_iter().map(|sum| sum.expect("ends")).collect();
                assert_eq!(sums, [6, 10, 14, 18], "round {round}");
            }
        });
    });
}

#[test]
fn gath_16_the_gatherer_is_polled_twice_however_many_there_are() {
    for_one_worker(|build| {
        run(&build(), async {
            for n in [1, 10, 10_000] {
                let polls = AtomicUsize::new(0);
                let children = (0..n).map(|_| yield_now());
                let outputs = counted(gather(children), &polls).await;
                assert_eq!((outputs.len(), polls.load(Ordering::SeqCst)), (n, 2));
            }
        });
    });
}

#[test]
fn gath_16_with_a_limit_no_more_than_that_many_run_at_once() {
    on_each(|runtime| {
        run(runtime, async {
            let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let child = |n: usize| {
                let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                async move {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    for _ in 0..=n % 5 {
                        yield_now().await;
                    }
                    now.fetch_sub(1, Ordering::SeqCst);
                    n
                }
            };
            let expected: Vec<_> = (0..500).collect();
            let outputs = gather((0..500).map(child)).limit(7).await;
            let outputs: Vec<_> = outputs.into_iter().map(|output| output.expect("ends")).collect();
            assert_eq!(outputs, expected);
            assert_eq!(map_concurrent(0..500, 7, child).await, expected);
            assert!((2..=7).contains(&most.load(Ordering::SeqCst)));
            // Without a known end, too.
            let mut left = 500;
            let source = std::iter::from_fn(|| {
                left -= 1;
                (left >= 0).then_some(1)
            });
            assert_eq!(map_concurrent(source, 7, child).await.len(), 500);
        });
    });
}

#[test]
fn gath_05_after_an_error_a_limited_gather_starts_no_more() {
    on_each(|runtime| {
        run(runtime, async {
            let started = Arc::new(AtomicUsize::new(0));
            // Those behind the one that fails keep their place until the error was seen, however late that is.
            let seen = Arc::new(Event::new());
            let children = || {
                let (started, seen) = (Arc::clone(&started), Arc::clone(&seen));
                (0..100).map(move |n| {
                    started.fetch_add(1, Ordering::SeqCst);
                    let seen = Arc::clone(&seen);
                    async move {
                        if n > 3 {
                            seen.wait().await;
                        }
                        if n == 3 { Err(n) } else { Ok(n) }
                    }
                })
            };
            let error = try_gather(children()).limit(2).await.expect_err("the fourth fails");
            assert_eq!(error.into_error().ok(), Some(3));
            assert!(started.load(Ordering::SeqCst) <= 5);
            let error = gather(children()).limit(2).first_error().await;
            assert_eq!(error.expect_err("the fourth fails").into_error().ok(), Some(3));
            assert!(started.load(Ordering::SeqCst) <= 10);
            seen.set();
        });
    });
}

#[test]
fn gath_a_macro_gathers_what_is_of_different_types() {
    on_each(|runtime| {
        run(runtime, async {
            let (a, b, c) =
                gather!(async { 1 }, spawn(async { "two" }), async { 3.0 }.named("three")).await;
            assert_eq!((a.ok(), b.ok(), c.ok()), (Some(1), Some("two"), Some(3.0)));
            let (failed,) = gather!(async { panic!("in the macro") }).await;
            let _: Result<(), _> = failed;
        });
    });
}

#[test]
fn gath_a_panic_of_a_mapped_child_goes_on_once_the_others_have_ended() {
    on_each(|runtime| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let task = runtime.handle().spawn({
            let dropped = Arc::clone(&dropped);
            async move {
                map_concurrent(0..4, 4, move |n| {
                    let held = Dropped(Arc::clone(&dropped));
                    async move {
                        let _held = held;
                        assert!(n != 1, "the second one");
                        pending::<()>().await;
                    }
                })
                .await
            }
        });
        let error = run(runtime, async { task.await }).expect_err("it panicked");
        assert!(error.to_string().contains("the second one"), "{error}");
        assert_eq!(dropped.load(Ordering::SeqCst), 4);
    });
}

#[test]
fn gath_a_gather_of_the_task_that_waits_is_told_so() {
    on_each(|runtime| {
        run(runtime, async {
            let (send, receive) = oneshot::channel();
            let task = spawn(async {
                let itself: kasasagi::Task<()> = receive.await.expect("it is sent");
                let outputs: Vec<_> = gather([itself]).await;
                assert!(outputs[0].as_ref().is_err_and(|e| e.to_string().contains("await itself")));
            });
            let watch = task.handle();
            send.send(task).expect("it listens");
            while !watch.is_finished() {
                yield_now().await;
            }
        });
    });
}

#[test]
fn gath_a_gather_says_what_it_waits_for() {
    in_each_flavour(async || {
        let gathered = spawn(gather([pending::<()>()]));
        loop {
            let info = gathered.handle().info();
            if let Some(wait) = info.wait {
                assert_eq!(wait.kind.as_str(), "join");
                let place = wait.place.expect("it knows where").to_string();
                assert!(place.contains("gather.rs"), "{place}");
                break;
            }
            time::sleep(Duration::from_millis(1)).await;
        }
        gathered.cancel();
    });
}

#[test]
fn gath_08_11_cancelled_it_waits_for_its_children_even_if_they_swallow_that() {
    on_each(|runtime| {
        run(runtime, async {
            for form in 0..4 {
                let (ready, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
                let (tell, told): (Vec<_>, Vec<_>) =
                    (0..3).map(|_| oneshot::channel::<()>()).unzip();
                let children: Vec<_> = told
                    .into_iter()
                    .map(|told| {
                        let (ready, ended) = (Arc::clone(&ready), Arc::clone(&ended));
                        async move {
                            ready.fetch_add(1, Ordering::SeqCst);
                            let cancelled = kasasagi::catch_cancel(pending::<()>()).await;
                            assert!(cancelled.is_err());
                            let _ = told.await;
                            ended.fetch_add(1, Ordering::SeqCst);
                            Ok::<_, String>(1)
                        }
                    })
                    .collect();
                let gathered = spawn(async move {
                    match form {
                        0 => drop(gather(children).await),
                        1 => drop(gather(children).first_error().await),
                        2 => drop(try_gather(children).await),
                        _ => drop(kasasagi::race(children).await),
                    }
                });
                until(&ready, 3).await;
                for _ in 0..3 {
                    yield_now().await;
                }
                gathered.cancel_with("outside");
                for tell in tell {
                    for _ in 0..5 {
                        yield_now().await;
                    }
                    assert!(!gathered.is_finished(), "form {form}");
                    tell.send(()).expect("the child takes its time");
                }
                let error = gathered.await.expect_err("it is cancelled all the same");
                assert_eq!((error.is_cancelled(), error.reason()), (true, Some("outside")));
                assert_eq!(ended.load(Ordering::SeqCst), 3, "form {form}");
            }
        });
    });
}

#[test]
fn race_cancelled_with_its_winner_in_hand_it_gives_it_and_the_cancellation_comes_again() {
    on_each(|runtime| {
        run(runtime, async {
            let (tell, told) = oneshot::channel::<()>();
            let loses = Arc::new(AtomicUsize::new(0));
            let losing = Arc::clone(&loses);
            let racing = spawn(async move {
                let begun = Arc::new(AtomicUsize::new(0));
                let begins = Arc::clone(&begun);
                let loser = spawn(async move {
                    begins.fetch_add(1, Ordering::SeqCst);
                    let _ = kasasagi::catch_cancel(pending::<()>()).await;
                    losing.fetch_add(1, Ordering::SeqCst);
                    let _ = kasasagi::uninterruptible(told).await;
                    1
                });
                let winner = kasasagi::race([
                    loser,
                    spawn(async move {
                        // Cancelled before its first poll, the loser would not know that it loses.
                        until(&begun, 1).await;
                        for _ in 0..3 {
                            yield_now().await;
                        }
                        2
                    }),
                ])
                .await;
                let after = kasasagi::catch_cancel(pending::<()>()).await;
                (winner, after.is_err())
            });
            until(&loses, 1).await;
            for _ in 0..3 {
                yield_now().await;
            }
            racing.cancel();
            for _ in 0..3 {
                yield_now().await;
            }
            tell.send(()).expect("the loser takes its time");
            assert_eq!(racing.await.expect("it caught it"), (2, true));
        });
    });
}

#[test]
fn shld_11_what_was_shielded_can_be_awaited_again_in_the_cleanup() {
    on_each(|runtime| {
        run(runtime, async {
            let (tell, told) = oneshot::channel::<()>();
            let seen = Arc::new(AtomicUsize::new(0));
            let watch = Arc::clone(&seen);
            let outer = spawn(async move {
                let mut inner = spawn(async { told.await.is_ok() });
                watch.fetch_add(1, Ordering::SeqCst);
                if let Err(cancelled) = kasasagi::catch_cancel(shield(inner.by_ref())).await {
                    assert!(inner.await.expect("it was shielded"));
                    watch.fetch_add(1, Ordering::SeqCst);
                    cancelled.rethrow::<()>().await;
                }
            });
            until(&seen, 1).await;
            for _ in 0..3 {
                yield_now().await;
            }
            outer.cancel();
            for _ in 0..3 {
                yield_now().await;
            }
            tell.send(()).expect("it was shielded");
            assert!(outer.await.is_err_and(|error| error.is_cancelled()));
            assert_eq!(seen.load(Ordering::SeqCst), 2);
        });
    });
}
