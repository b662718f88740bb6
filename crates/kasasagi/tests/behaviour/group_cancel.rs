//! What a task group promises when it is cancelled, from outside, by itself, or both: TG-06 and after.

use crate::flavour::{on_each, run};
use crate::gather::{Dropped, until};
use crate::group::waiting;
use futures_channel::oneshot;
use kasasagi::{FutureExt, JoinError, TaskGroup, catch_cancel, spawn, task, time, yield_now};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

type Count = Arc<AtomicUsize>;

async fn turns(n: usize) {
    for _ in 0..n {
        yield_now().await;
    }
}

/// Waits to be cancelled, cleans up in some turns, counts that, and passes it on.
async fn cleans_up(cleaned: Count) {
    if let Err(cancelled) = catch_cancel(pending::<()>()).await {
        turns(3).await;
        cleaned.fetch_add(1, Ordering::SeqCst);
        cancelled.rethrow::<()>().await;
    }
}

#[test]
fn tg_06_cancelled_while_it_waits_for_children_it_cancels_them_and_is_cancelled() {
    on_each(|runtime| {
        run(runtime, async {
            let (ended, ready) = (Count::default(), Count::default());
            let (theirs, started) = (Arc::clone(&ended), Arc::clone(&ready));
            let owner = spawn(TaskGroup::<String>::scope(|tg| async move {
                for _ in 0..5 {
                    tg.spawn(waiting(&theirs));
                }
                started.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }));
            until(&ready, 1).await;
            turns(3).await;
            assert!(owner.cancel_with("outside"));
            let error: JoinError = owner.await.expect_err("it was cancelled");
            assert_eq!((error.is_cancelled(), error.reason()), (true, Some("outside")));
            assert_eq!(ended.load(Ordering::SeqCst), 5);
        });
    });
}

#[test]
fn tg_07_cancelled_while_the_body_waits_body_and_children_clean_up() {
    on_each(|runtime| {
        run(runtime, async {
            let (cleaned, ready) = (Count::default(), Count::default());
            let (theirs, started) = (Arc::clone(&cleaned), Arc::clone(&ready));
            let owner = spawn(TaskGroup::<String>::scope(|tg| async move {
                for _ in 0..5 {
                    let (cleaned, started) = (Arc::clone(&theirs), Arc::clone(&started));
                    tg.spawn(async move {
                        started.fetch_add(1, Ordering::SeqCst);
                        cleans_up(cleaned).await;
                    });
                }
                started.fetch_add(1, Ordering::SeqCst);
                cleans_up(theirs).await;
                Ok(())
            }));
            until(&ready, 6).await;
            turns(3).await;
            owner.cancel();
            assert!(owner.await.is_err_and(|error| error.is_cancelled()));
            assert_eq!(cleaned.load(Ordering::SeqCst), 6);
        });
    });
}

#[test]
fn tg_08_16_34_errors_that_come_with_a_cancellation_are_given_and_it_comes_again() {
    on_each(|runtime| {
        run(runtime, async {
            let (ready, seen) = (Count::default(), Count::default());
            let (started, after) = (Arc::clone(&ready), Arc::clone(&seen));
            let owner = spawn(async move {
                let group = TaskGroup::scope(|tg| async move {
                    tg.spawn(async move {
                        started.fetch_add(1, Ordering::SeqCst);
                        let _ = catch_cancel(pending::<()>()).await;
                        Err::<(), _>("division by zero")
                    });
                    pending::<()>().await;
                    Ok(())
                });
                let error = group.await.expect_err("its child fails as it is cancelled");
                assert_eq!(error.errors()[0].error(), Some(&"division by zero"));
                after.fetch_add(1, Ordering::SeqCst);
                assert_eq!(task::current().cancelling(), 1);
                pending::<()>().await;
                unreachable!("the cancellation comes again at the next await");
            });
            until(&ready, 1).await;
            turns(3).await;
            owner.cancel();
            assert!(owner.await.is_err_and(|error| error.is_cancelled()));
            assert_eq!(seen.load(Ordering::SeqCst), 1);
        });
    });
}

#[test]
fn tg_11_12_nested_groups_cancelled_from_outside_wrap_what_the_inner_children_fail_with() {
    on_each(|runtime| {
        run(runtime, async {
            for sibling in [false, true] {
                let ready = Count::default();
                let started = Arc::clone(&ready);
                let owner = spawn(async move {
                    let outer = TaskGroup::scope(|outer| async move {
                        if sibling {
                            outer.spawn(pending::<()>());
                        }
                        let inner = TaskGroup::scope(|inner| async move {
                            inner.spawn(async move {
                                started.fetch_add(1, Ordering::SeqCst);
                                let _ = catch_cancel(pending::<()>()).await;
                                Err::<(), _>("inside")
                            });
                            pending::<()>().await;
                            Ok(())
                        });
                        inner.await
                    });
                    let error = outer.await.expect_err("a child of the inner one fails");
                    assert_eq!(error.errors().len(), 1);
                    let inner = error.errors()[0].error().expect("a group's error");
                    assert_eq!(inner.errors()[0].error(), Some(&"inside"));
                    "seen"
                });
                until(&ready, 1).await;
                turns(3).await;
                owner.cancel();
                // The request is given back, but there is no other await: the value wins.
                assert_eq!(owner.await.expect("it returns first"), "seen");
            }
        });
    });
}

#[test]
fn tg_15_a_child_that_fails_while_the_body_cleans_up_makes_an_error_and_the_request_comes_again() {
    on_each(|runtime| {
        run(runtime, async {
            let ready = Count::default();
            let started = Arc::clone(&ready);
            let (fail, failing) = oneshot::channel::<()>();
            let (cleaning, begun) = oneshot::channel::<()>();
            let owner = spawn(async move {
                let group = TaskGroup::scope(|tg| async move {
                    tg.spawn(async move {
                        // It is cancelled with the group later; this is a failure before that.
                        let _ = failing.await;
                        Err::<(), _>("crashed")
                    });
                    started.fetch_add(1, Ordering::SeqCst);
                    let _cancelled = catch_cancel(pending::<()>()).await;
                    let _ = cleaning.send(());
                    pending::<()>().await;
                    Ok(())
                });
                let error = group.await.expect_err("the child crashed");
                assert_eq!(error.errors()[0].error(), Some(&"crashed"));
                assert_eq!(task::current().cancelling(), 1);
                pending::<()>().await;
            });
            until(&ready, 1).await;
            turns(3).await;
            owner.cancel();
            begun.await.expect("the body cleans up");
            let _ = fail.send(());
            assert!(owner.await.is_err_and(|error| error.is_cancelled()));
        });
    });
}

#[test]
fn tg_17_18_without_children_the_body_says_what_becomes_of_a_cancellation() {
    on_each(|runtime| {
        run(runtime, async {
            for converts in [false, true] {
                let (cleaned, ready) = (Count::default(), Count::default());
                let (theirs, started) = (Arc::clone(&cleaned), Arc::clone(&ready));
                let owner = spawn(TaskGroup::<&str>::scope(|_| async move {
                    started.fetch_add(1, Ordering::SeqCst);
                    if converts {
                        let _ = catch_cancel(pending::<()>()).await;
                        return Err("mine");
                    }
                    cleans_up(theirs).await;
                    Ok(())
                }));
                until(&ready, 1).await;
                turns(3).await;
                owner.cancel();
                match owner.await {
                    Err(error) => assert!(!converts && error.is_cancelled()),
                    Ok(result) => {
                        let error = result.expect_err("the body failed");
                        assert!(converts);
                        assert_eq!(error.errors()[0].error(), Some(&"mine"));
                    }
                }
                assert_eq!(cleaned.load(Ordering::SeqCst), usize::from(!converts));
            }
        });
    });
}

#[test]
fn tg_19_31_a_failing_child_and_a_body_that_fails_as_it_cleans_up_are_both_told_of() {
    on_each(|runtime| {
        run(runtime, async {
            let group = TaskGroup::scope(|tg| async move {
                tg.spawn(async {
                    turns(2).await;
                    Err::<(), _>("child")
                });
                let cancelled = catch_cancel(pending::<()>()).await;
                assert!(cancelled.is_err());
                turns(3).await;
                Err::<(), _>("body")
            });
            let error = group.await.expect_err("both fail");
            let errors: Vec<_> = error.errors().iter().filter_map(|error| error.error()).collect();
            assert_eq!(errors, [&"child", &"body"]);
            assert_eq!(task::current().cancelling(), 0);
        });
    });
}

#[test]
fn tg_32_37_a_group_that_fails_leaves_its_task_uncancelled() {
    on_each(|runtime| {
        run(runtime, async {
            let group = TaskGroup::<&str>::scope(|tg| async move {
                tg.spawn(async { Err::<(), _>("child") });
                pending::<()>().await;
                Ok(())
            });
            assert!(group.await.is_err());
            assert_eq!(task::current().cancelling(), 0);
            turns(5).await;
            let after = catch_cancel(time::sleep(Duration::from_millis(1))).await;
            assert!(after.is_ok(), "what comes after runs as ever");
        });
    });
}

#[test]
fn tg_33_nested_groups_that_fail_at_once_both_tell() {
    crate::flavour::for_each_flavour(|build| {
        run(&build(), async {
            for round in 0..1_000 {
                let outer = TaskGroup::<&str>::scope(|outer| async move {
                    outer.spawn(async move {
                        turns(1 + round % 3).await;
                        Err::<(), _>("outer")
                    });
                    let inner = TaskGroup::<&str>::scope(|inner| async move {
                        inner.spawn(async {
                            turns(2).await;
                            Err::<(), _>("inner")
                        });
                        pending::<()>().await;
                        Ok(())
                    });
                    if inner.await.is_err() {
                        assert_eq!(task::current().cancelling(), 0);
                        pending::<()>().await;
                    }
                    Ok(())
                });
                let error = outer.await.expect_err("a child of each fails");
                assert_eq!(error.errors()[0].error(), Some(&"outer"), "round {round}");
                assert_eq!(task::current().cancelling(), 0);
            }
        });
    });
}

#[test]
fn tg_35_36_requested_again_it_still_waits_for_children_that_take_their_time() {
    on_each(|runtime| {
        run(runtime, async {
            let (ended, ready) = (Count::default(), Count::default());
            let (theirs, started) = (Arc::clone(&ended), Arc::clone(&ready));
            let (release, released) = oneshot::channel::<()>();
            let owner = spawn(TaskGroup::<Infallible>::scope(|tg| async move {
                tg.spawn(async move {
                    let _held = Dropped(theirs);
                    started.fetch_add(1, Ordering::SeqCst);
                    // Two requests are swallowed.
                    let _ = catch_cancel(pending::<()>()).await;
                    started.fetch_add(1, Ordering::SeqCst);
                    let _ = catch_cancel(pending::<()>()).await;
                    started.fetch_add(1, Ordering::SeqCst);
                    let _ = released.await;
                });
                pending::<()>().await;
                Ok(())
            }));
            until(&ready, 1).await;
            turns(2).await;
            owner.cancel();
            until(&ready, 2).await;
            turns(2).await;
            owner.cancel();
            until(&ready, 3).await;
            turns(10).await;
            assert!(!owner.is_finished() && ended.load(Ordering::SeqCst) == 0);
            release.send(()).expect("the child listens");
            assert!(owner.await.is_err_and(|error| error.is_cancelled()));
            assert_eq!(ended.load(Ordering::SeqCst), 1);
        });
    });
}

#[test]
fn tg_35_no_child_is_left_when_a_cancelled_group_returns() {
    crate::flavour::for_several_workers(|build| {
        let runtime = build();
        run(&runtime, async {
            for round in 0..1_000_usize {
                let ended = Count::default();
                let theirs = Arc::clone(&ended);
                let owner = spawn(TaskGroup::<String>::scope(|tg| async move {
                    for _ in 0..4 {
                        tg.spawn(waiting(&theirs));
                    }
                    drop(theirs);
                    turns(round % 3).await;
                    pending::<()>().await;
                    Ok(())
                }));
                turns(round % 5).await;
                owner.cancel();
                assert!(owner.await.is_err());
                assert_eq!(Arc::strong_count(&ended), 1, "round {round}");
            }
        });
    });
}

#[test]
fn tg_40_dropped_by_a_foreign_combinator_it_asks_its_children_to_end() {
    on_each(|runtime| {
        run(runtime, async {
            let ended = Count::default();
            let theirs = Arc::clone(&ended);
            let (send, receive) = oneshot::channel();
            {
                let group = TaskGroup::<String>::scope(|tg| async move {
                    tg.spawn(waiting(&theirs));
                    let _ = send.send(tg);
                    pending::<()>().await;
                    Ok(())
                });
                let mut group = Box::pin(group);
                let once = std::future::poll_fn(|cx| {
                    std::task::Poll::Ready(group.as_mut().poll(cx).is_pending())
                });
                assert!(once.await);
            }
            let tg = receive.await.expect("it was sent");
            assert!(tg.spawn(async { Ok(()) }).is_cancelled());
            until(&ended, 1).await;
        });
    });
}

#[test]
fn tg_41_cancel_ends_children_and_body_and_is_no_error_if_the_body_has_its_value() {
    on_each(|runtime| {
        run(runtime, async {
            let ended = Count::default();
            let theirs = Arc::clone(&ended);
            let group = TaskGroup::<String>::scope(|tg| async move {
                tg.spawn(waiting(&theirs));
                tg.cancel();
                tg.cancel();
                Ok("found")
            });
            assert_eq!(group.await.expect("nothing failed"), "found");
            assert_eq!(ended.load(Ordering::SeqCst), 1);
            // By a child, while the body waits: there is no value.
            let group = TaskGroup::<String>::scope(|tg| async move {
                let theirs = tg.clone();
                tg.spawn(async move {
                    turns(2).await;
                    theirs.cancel();
                });
                pending::<()>().await;
                Ok("never")
            });
            let error = group.await.expect_err("the body had no value");
            assert!(error.is_cancelled() && error.errors().is_empty());
            assert_eq!(
                error.to_string(),
                "the task group was cancelled before its body had a value"
            );
            assert_eq!(task::current().cancelling(), 0);
        });
    });
}

#[test]
fn tg_42_after_cancel_errors_are_told_and_a_cancellation_from_outside_is_not_lost() {
    on_each(|runtime| {
        run(runtime, async {
            let group = TaskGroup::<&str>::scope(|tg| async move {
                tg.spawn(async {
                    let _ = catch_cancel(pending::<()>()).await;
                    Err::<(), _>("late")
                });
                turns(3).await;
                tg.cancel();
                Ok(())
            });
            let error = group.await.expect_err("its child failed");
            assert_eq!(error.errors()[0].error(), Some(&"late"));
            let owner = spawn(
                TaskGroup::<&str>::scope(|tg| async move {
                    task::current().cancel();
                    tg.cancel();
                    pending::<()>().await;
                    Ok(())
                })
                .named("owner"),
            );
            assert!(owner.await.is_err_and(|error| error.is_cancelled()));
        });
    });
}
