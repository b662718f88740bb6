//! Scopes that are put aside, forgotten, moved, or dropped elsewhere: nobody waits for them for ever.

use crate::flavour::{four, in_each_flavour, run, two};
use crate::settled::{settle, spawn};
use futures_channel::oneshot;
use futures_util::StreamExt;
use futures_util::future::select;
use futures_util::stream::FuturesUnordered;
use kasasagi::{catch_cancel, finally, task, yield_now};
use std::future::{pending, poll_fn};
use std::task::Poll;

#[test]
fn a_scope_that_was_put_aside_or_forgotten_does_not_hold_a_cancellation_back() {
    in_each_flavour(async || {
        let task = spawn(async {
            let mut aside = Box::pin(catch_cancel(pending::<()>()));
            let mut forgotten = Box::pin(catch_cancel(pending::<()>()));
            poll_fn(|cx| {
                assert!(aside.as_mut().poll(cx).is_pending());
                assert!(forgotten.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            std::mem::forget(forgotten);
            yield_now().await;
            pending::<()>().await;
            drop(aside);
        });
        settle().await;
        task.cancel();
        assert!(task.await.expect_err("cancelled").is_cancelled());
    });
}

#[test]
fn a_set_of_futures_whose_owner_waits_for_something_else_is_passed_over() {
    in_each_flavour(async || {
        for busy in [false, true] {
            let task = spawn(async move {
                let mut set = FuturesUnordered::new();
                set.push(catch_cancel(pending::<()>()));
                poll_fn(|cx| Poll::Ready(set.poll_next_unpin(cx).is_pending())).await;
                loop {
                    if busy {
                        yield_now().await;
                    } else {
                        pending::<()>().await;
                    }
                }
            });
            settle().await;
            task.cancel();
            assert!(task.await.expect_err("cancelled").is_cancelled());
        }
    });
}

#[test]
fn every_scope_of_a_set_of_futures_is_told() {
    in_each_flavour(async || {
        let task = spawn(async {
            let set: FuturesUnordered<_> =
                (0..100).map(|_| catch_cancel(pending::<()>())).collect();
            set.filter(|caught| std::future::ready(caught.is_err())).count().await
        });
        settle().await;
        task.cancel();
        assert_eq!(task.await.expect("each swallows it"), 100);
    });
}

#[test]
fn a_scope_that_moved_to_another_task_is_told_there() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel();
        let first = spawn(async move {
            let mut scope = Box::pin(catch_cancel(pending::<()>()));
            poll_fn(|cx| Poll::Ready(scope.as_mut().poll(cx).is_pending())).await;
            let _ = send.send(scope);
            pending::<()>().await;
        });
        let second = spawn(async move { receive.await.expect("it is sent").await.is_err() });
        settle().await;
        first.cancel();
        assert!(first.await.expect_err("cancelled").is_cancelled());
        settle().await;
        assert!(!second.is_finished());
        second.cancel();
        assert!(second.await.expect("it swallows its own"));
    });
}

#[test]
fn losers_that_are_spawned_or_dropped_elsewhere_do_not_hold_their_old_task() {
    for runtime in [two(), four()] {
        run(&runtime, async {
            let task = spawn(async {
                for _ in 0..1_000 {
                    let loser = Box::pin(catch_cancel(pending::<()>()));
                    let mut set = FuturesUnordered::new();
                    set.push(Box::pin(catch_cancel(pending::<()>())));
                    let lost = select(loser, Box::pin(async { set.next().await }));
                    let mut lost = Some(Box::pin(lost));
                    poll_fn(|cx| match &mut lost {
                        Some(lost) => Poll::Ready(lost.as_mut().poll(cx).is_pending()),
                        None => Poll::Ready(true),
                    })
                    .await;
                    yield_now().await;
                    drop(lost);
                    let mut moved = Box::pin(catch_cancel(pending::<()>()));
                    poll_fn(|cx| Poll::Ready(moved.as_mut().poll(cx).is_pending())).await;
                    drop(spawn(async move { drop(moved) }));
                }
                task::current().cancel();
                catch_cancel(pending::<()>()).await.is_err()
            });
            assert!(task.await.expect("told once, at the end"));
        });
    }
}

#[test]
fn a_drop_that_cancels_drops_and_spawns_during_a_delivery() {
    struct Busybody;
    impl Drop for Busybody {
        fn drop(&mut self) {
            let me = task::current();
            me.cancel_with("from a drop");
            drop(spawn(async {}));
            drop(catch_cancel(pending::<()>()));
        }
    }
    in_each_flavour(async || {
        let task = spawn(async {
            let busybody = Busybody;
            let first = catch_cancel(async move {
                let _busybody = busybody;
                pending::<()>().await;
            });
            let first = first.await.expect_err("told");
            let second = catch_cancel(finally(pending::<()>(), async {})).await.expect_err("again");
            (first.reason().is_none(), second.reason() == Some("from a drop"))
        });
        settle().await;
        task.cancel();
        assert_eq!(task.await.expect("both are caught"), (true, true));
    });
}
