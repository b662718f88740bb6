//! What a task group promises of its children and its errors: TG-01 and after.

use crate::flavour::{for_one_worker, on_each, run};
use crate::gather::{Dropped, until};
use futures_channel::oneshot;
use kasasagi::{FutureExt, GroupError, JoinError, TaskGroup, spawn, task, yield_now};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Count = Arc<AtomicUsize>;

/// A child that waits for ever, and counts its end.
pub(crate) fn waiting(ended: &Count) -> impl Future<Output = Result<(), String>> + Send + 'static {
    let held = Dropped(Arc::clone(ended));
    async move {
        let _held = held;
        pending().await
    }
}

async fn turns(n: usize) {
    for _ in 0..n {
        yield_now().await;
    }
}

fn texts(error: &GroupError<String>) -> Vec<&str> {
    error.errors().iter().map(|error| error.error().map_or("?", String::as_str)).collect()
}

#[test]
fn tg_01_it_ends_when_its_children_have_and_their_values_can_be_read() {
    on_each(|runtime| {
        run(runtime, async {
            let values = TaskGroup::scope(|tg| async move {
                let a = tg.spawn(async {
                    turns(3).await;
                    Ok::<_, String>(42)
                });
                let b = tg.spawn(async { Ok(11) });
                Ok((a, b))
            });
            let (a, b) = values.await.expect("none fails");
            assert!(a.is_finished() && b.is_finished());
            assert_eq!((a.await.expect("it ended"), b.await.expect("it ended")), (42, 11));
        });
    });
}

#[test]
fn tg_02_24_children_spawned_late_by_the_body_or_a_child_are_waited_for() {
    on_each(|runtime| {
        run(runtime, async {
            let ended = Count::default();
            let count = |ended: &Count| {
                let held = Dropped(Arc::clone(ended));
                async move {
                    turns(2).await;
                    drop(held);
                }
            };
            let theirs = Arc::clone(&ended);
            let group = TaskGroup::scope(|tg| async move {
                turns(3).await;
                tg.spawn(count(&theirs));
                let nested = tg.clone();
                tg.spawn(async move {
                    turns(5).await;
                    let again = nested.clone();
                    nested.spawn(count(&theirs));
                    nested.spawn(async move {
                        turns(5).await;
                        again.spawn(count(&theirs));
                    });
                });
                Ok::<_, Infallible>(())
            });
            group.await.expect("none fails");
            assert_eq!(ended.load(Ordering::SeqCst), 3);
        });
    });
}

#[test]
fn tg_03_38_a_child_that_is_cancelled_is_no_failure_and_a_value_to_whoever_awaits_it() {
    on_each(|runtime| {
        run(runtime, async {
            let group = TaskGroup::scope(|tg| async move {
                let victim = tg.spawn(pending::<Result<(), String>>());
                let other = tg.spawn(async {
                    turns(5).await;
                    Ok(5)
                });
                victim.cancel_with("not needed");
                let error = victim.await.expect_err("it was cancelled");
                assert_eq!((error.is_cancelled(), error.reason()), (true, Some("not needed")));
                Ok(other.await.expect("it goes on"))
            });
            assert_eq!(group.await.expect("nothing failed"), 5);
        });
    });
}

#[test]
fn tg_04_05_a_failure_ends_body_and_siblings_and_all_have_ended() {
    on_each(|runtime| {
        run(runtime, async {
            let ended = Count::default();
            let theirs = Arc::clone(&ended);
            let group = TaskGroup::<String>::scope(|tg| async move {
                let _body = Dropped(Arc::clone(&theirs));
                for _ in 0..4 {
                    tg.spawn(waiting(&theirs));
                }
                tg.spawn(
                    async {
                        turns(2).await;
                        Err::<(), _>("division by zero".to_owned())
                    }
                    .named("divider"),
                );
                pending::<()>().await;
                Ok(())
            });
            let error = group.await.expect_err("one failed");
            assert_eq!(ended.load(Ordering::SeqCst), 5);
            assert_eq!(texts(&error), ["division by zero"]);
            assert_eq!(error.errors()[0].name(), "divider");
            assert_eq!(
                error.to_string(),
                "a task group failed: task `divider` failed: division by zero"
            );
        });
    });
}

#[test]
fn tg_05_39_all_errors_are_kept_in_the_order_of_the_ends_and_the_bodys_is_last() {
    for_one_worker(|build| {
        run(&build(), async {
            let group = TaskGroup::scope(|tg| async move {
                for (n, name) in [(3, "third"), (1, "first"), (2, "second")] {
                    let fails = async move {
                        // Each swallows its cancellation and fails all the same.
                        let _ = kasasagi::catch_cancel(pending::<()>()).await;
                        turns(n).await;
                        Err::<(), _>(name.to_owned())
                    };
                    tg.spawn(fails.named(name));
                }
                turns(2).await;
                Err::<(), _>("body".to_owned())
            });
            let error = group.await.expect_err("all failed");
            assert_eq!(texts(&error), ["first", "second", "third", "body"]);
            let text = error.to_string();
            assert!(
                text.starts_with("a task group failed, with 4 errors:\n  task `first`"),
                "{text}"
            );
        });
    });
}

#[test]
fn tg_09_10_an_error_of_the_body_ends_children_that_run_and_those_that_never_started() {
    on_each(|runtime| {
        run(runtime, async {
            for wait in [0, 3] {
                let ended = Count::default();
                let theirs = Arc::clone(&ended);
                let group = TaskGroup::scope(|tg| async move {
                    let children = [tg.spawn(waiting(&theirs)), tg.spawn(waiting(&theirs))];
                    turns(wait).await;
                    drop(children);
                    Err::<(), _>("body".to_owned())
                });
                let error = group.await.expect_err("the body failed");
                assert_eq!((texts(&error), ended.load(Ordering::SeqCst)), (vec!["body"], 2));
            }
        });
    });
}

#[test]
fn tg_10_a_child_that_never_started_is_cancelled() {
    for_one_worker(|build| {
        run(&build(), async {
            let (send, receive) = oneshot::channel();
            let group = TaskGroup::scope(|tg| async move {
                let _ = send.send(tg.spawn(async { Ok::<_, String>(()) }));
                Err::<(), _>("at once".to_owned())
            });
            assert!(group.await.is_err());
            assert!(receive.await.expect("it was sent").is_cancelled());
        });
    });
}

#[test]
fn tg_13_14_of_nested_groups_the_inner_error_is_inside_the_outer_one() {
    on_each(|runtime| {
        run(runtime, async {
            // Inner child fails: the outer error holds the inner one.
            let outer = TaskGroup::scope(|tg| async move {
                tg.spawn(pending::<Result<(), GroupError<String>>>());
                TaskGroup::scope(|inner| async move {
                    inner.spawn(async { Err::<(), _>("inside".to_owned()) });
                    pending::<()>().await;
                    Ok(())
                })
                .await
            });
            let error = outer.await.expect_err("the inner one failed");
            let inner = error.errors()[0].error().expect("the body's error is a group's");
            assert_eq!(texts(inner), ["inside"]);
            // Outer child fails while the inner group waits: flat.
            let outer = TaskGroup::scope(|tg| async move {
                tg.spawn(async {
                    turns(3).await;
                    Err::<(), _>("outside".to_owned())
                });
                let inner = TaskGroup::<String>::scope(|inner| async move {
                    inner.spawn(pending::<Result<(), String>>());
                    Ok(())
                });
                inner.await.map_err(|error| error.to_string())
            });
            assert_eq!(texts(&outer.await.expect_err("a child failed")), ["outside"]);
        });
    });
}

#[test]
fn tg_21_panics_of_children_and_of_the_body_are_among_the_errors() {
    on_each(|runtime| {
        run(runtime, async {
            let group = TaskGroup::<String>::scope(|tg| async move {
                let child = tg.spawn(
                    async {
                        turns(1).await;
                        assert!(task::try_current().is_none(), "child's");
                    }
                    .named("clumsy"),
                );
                let told = kasasagi::catch_cancel(child).await;
                drop(told);
                assert!(task::try_current().is_none(), "body's");
                Ok(())
            });
            let error = group.await.expect_err("both panicked");
            assert_eq!(error.errors().len(), 2, "{error:?}");
            assert!(error.errors().iter().all(kasasagi::ChildError::is_panic));
            assert_eq!(error.errors()[0].name(), "clumsy");
            let text = error.to_string();
            assert!(text.contains("group.rs") && text.contains("child's"), "{text}");
            let [child, _] = error.into_errors().try_into().expect("two");
            let payload = child.into_error().expect_err("it panicked").into_panic();
            assert_eq!(payload.expect("a panic").downcast_ref::<&str>(), Some(&"child's"));
        });
    });
}

#[test]
fn tg_whoever_awaits_a_failed_child_is_told_that_the_group_has_the_error() {
    on_each(|runtime| {
        run(runtime, async {
            let (send, receive) = oneshot::channel();
            let watcher = spawn(async {
                let child: kasasagi::Task<()> = receive.await.expect("it is sent");
                child.await.expect_err("it fails")
            });
            let group = TaskGroup::scope(|tg| async move {
                let child = tg.spawn(
                    async {
                        turns(3).await;
                        Err::<(), _>("mine".to_owned())
                    }
                    .named("loser"),
                );
                assert!(send.send(child).is_ok());
                pending::<()>().await;
                Ok(())
            });
            assert_eq!(texts(&group.await.expect_err("it failed")), ["mine"]);
            let error: JoinError = watcher.await.expect("it ends");
            assert!(!error.is_cancelled() && !error.is_panic());
            assert_eq!(error.to_string(), "task `loser` failed; its group has the error");
        });
    });
}

#[test]
fn tg_23_children_that_have_ended_are_let_go_at_once() {
    on_each(|runtime| {
        run(runtime, async {
            let group = TaskGroup::<String>::scope(|tg| async move {
                let ended = Count::default();
                for n in 1..=1000 {
                    let held = Dropped(Arc::clone(&ended));
                    drop(tg.spawn(async move { drop(held) }));
                    until(&ended, n).await;
                    while !tg.is_empty() {
                        yield_now().await;
                    }
                    assert!(task::all().len() <= 3, "{:?}", task::all());
                }
                let text = format!("{tg:?}");
                assert!(text.contains("live: 0"), "{text}");
                Ok(())
            });
            group.await.expect("none fails");
        });
    });
}

#[test]
fn tg_25_children_that_spawn_children_all_end_when_one_fails() {
    const MANY: usize = 20;
    fn hydra(tg: TaskGroup<String>, ended: Count, heads: Count) {
        let held = Dropped(ended);
        tg.clone().spawn(async move {
            turns(1).await;
            if heads.fetch_add(1, Ordering::SeqCst) == MANY {
                return Err::<(), _>("cut off".to_owned());
            }
            for _ in 0..2 {
                hydra(tg.clone(), Arc::clone(&held.0), Arc::clone(&heads));
            }
            pending().await
        });
    }
    crate::flavour::for_each_flavour(|build| {
        let runtime = build();
        for _ in 0..1_000 {
            let (ended, heads) = (Count::default(), Count::default());
            let (theirs, count) = (Arc::clone(&ended), Arc::clone(&heads));
            let group = TaskGroup::<String>::scope(|tg| async move {
                hydra(tg.clone(), Arc::clone(&theirs), count);
                pending::<()>().await;
                Ok(())
            });
            let error = run(&runtime, group).expect_err("one is cut off");
            assert_eq!(texts(&error), ["cut off"]);
            assert!(heads.load(Ordering::SeqCst) > MANY);
            assert_eq!(Arc::strong_count(&ended), 1, "nothing of a child is left");
        }
    });
}

#[test]
fn tg_26_27_a_group_that_ends_or_is_over_takes_no_child_and_says_so() {
    on_each(|runtime| {
        run(runtime, async {
            let dropped = Count::default();
            let (send, receive) = oneshot::channel();
            let theirs = Arc::clone(&dropped);
            let group = TaskGroup::scope(|tg| async move {
                let late = tg.clone();
                tg.spawn(async move {
                    let _ = kasasagi::catch_cancel(pending::<()>()).await;
                    let refused = late.spawn(waiting(&theirs));
                    assert!(refused.is_finished() && refused.is_cancelled());
                    assert_eq!(theirs.load(Ordering::SeqCst), 1, "dropped unpolled");
                    let error = refused.await.expect_err("it was refused");
                    let reason = error.reason().unwrap_or("").to_owned();
                    assert!(reason.contains("shutting down"), "{reason}");
                    let _ = send.send((late, theirs));
                    Ok(())
                });
                turns(3).await;
                Err::<(), _>("body".to_owned())
            });
            assert_eq!(texts(&group.await.expect_err("the body failed")), ["body"]);
            let (tg, dropped) = receive.await.expect("it was sent");
            let refused = tg.spawn(waiting(&dropped));
            assert!(refused.is_cancelled());
            assert_eq!(dropped.load(Ordering::SeqCst), 2);
            let error = refused.await.expect_err("it was refused");
            assert!(error.to_string().contains("finished"), "{error}");
        });
    });
}

#[test]
fn tg_30_names_of_children_are_theirs_and_their_parent_is_the_groups_task() {
    on_each(|runtime| {
        run(runtime, async {
            let group = TaskGroup::<Infallible>::scope(|tg| async move {
                let child = tg.spawn(async { Ok(task::current().name()) }.named("child"));
                let parent = child.handle().info().parent;
                assert_eq!(parent, Some(task::current().id()));
                Ok(child.await.expect("it ends"))
            });
            assert_eq!(&*group.await.expect("none fails"), "child");
        });
    });
}

#[test]
fn tg_29_a_group_works_where_block_on_polls_it() {
    let runtime = crate::flavour::two();
    let group = TaskGroup::<String>::scope(|tg| async move {
        let child = tg.spawn(async { Ok(7) });
        Ok(child.await.expect("it ends"))
    });
    assert_eq!(runtime.handle().block_on(group).expect("none fails"), 7);
}

#[test]
fn tg_with_a_limit_no_more_children_run_at_a_time() {
    on_each(|runtime| {
        run(runtime, async {
            let (now, most) = (Count::default(), Count::default());
            let (n, m) = (Arc::clone(&now), Arc::clone(&most));
            let group = TaskGroup::<Infallible>::scope(|tg| async move {
                tg.limit(3);
                for _ in 0..100 {
                    let (now, most) = (Arc::clone(&n), Arc::clone(&m));
                    tg.spawn(async move {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        turns(2).await;
                        now.fetch_sub(1, Ordering::SeqCst);
                    });
                }
                Ok(())
            });
            group.await.expect("none fails");
            assert!((2..=3).contains(&most.load(Ordering::SeqCst)));
            assert_eq!(now.load(Ordering::SeqCst), 0);
        });
    });
}

#[test]
fn tg_stress_groups_of_children_that_fail_by_chance_end_whole() {
    crate::flavour::for_several_workers(|build| {
        let runtime = build();
        run(&runtime, async {
            for round in 0..1_000_usize {
                let ended = Count::default();
                let theirs = Arc::clone(&ended);
                let group = TaskGroup::scope(|tg| async move {
                    for n in 0..8 {
                        let held = Dropped(Arc::clone(&theirs));
                        tg.spawn(async move {
                            let _held = held;
                            turns((n + round) % 3).await;
                            if n == round % 16 { Err(n.to_string()) } else { Ok(n) }
                        });
                    }
                    turns(round % 4).await;
                    Ok(())
                });
                let result = group.await;
                if round % 16 < 8 {
                    assert_eq!(texts(&result.expect_err("one fails")), [(round % 16).to_string()]);
                } else {
                    result.expect("none fails");
                }
                assert_eq!(ended.load(Ordering::SeqCst), 8, "round {round}");
            }
        });
    });
}

#[test]
fn tg_the_scope_is_polled_twice_however_many_children_it_has() {
    for_one_worker(|build| {
        run(&build(), async {
            for n in [1, 10, 1_000] {
                let polls = AtomicUsize::new(0);
                let mut group = Box::pin(TaskGroup::<Infallible>::scope(|tg| async move {
                    for _ in 0..n {
                        tg.spawn(yield_now());
                    }
                    Ok(())
                }));
                let counted = std::future::poll_fn(|cx| {
                    polls.fetch_add(1, Ordering::SeqCst);
                    group.as_mut().poll(cx)
                });
                counted.await.expect("none fails");
                assert_eq!(polls.load(Ordering::SeqCst), 2);
            }
        });
    });
}
