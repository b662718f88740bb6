//! Limits around what is shielded, around groups, and at the very moment of an end: WFOR-12, -15, -16, TMO-25.

use crate::cancel::Log;
use crate::flavour::in_each_flavour;
use crate::settled::{settle, spawn};
use futures_channel::oneshot;
use kasasagi::time::timeout;
use kasasagi::{ChildError, TaskGroup, catch_cancel, finally, shield, yield_now};
use std::future::{pending, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn wfor_12_a_thousand_requests_that_race_with_the_end_are_delivered() {
    in_each_flavour(async || {
        for round in 0..1_000 {
            let (send, receive) = oneshot::channel::<()>();
            let mut inner = spawn(async move {
                let _ = receive.await;
                "done"
            });
            let (give, given) = oneshot::channel();
            let waiter = spawn(async move {
                let caught = catch_cancel(timeout(LONG, &mut inner)).await;
                match caught {
                    // It was there before the request came: that has to come at the next suspension.
                    Ok(_) => pending::<()>().await,
                    Err(cancelled) => {
                        let _ = give.send(inner);
                        cancelled.rethrow::<()>().await;
                    }
                }
            });
            for _ in 0..round % 3 {
                yield_now().await;
            }
            let handle = waiter.handle();
            let ends = spawn(async move { send.send(()) });
            let asks = spawn(async move { handle.cancel() });
            assert!(asks.await.expect("it ends"), "the waiter has not ended");
            let _ = ends.await.expect("it ends");
            assert!(waiter.await.expect_err("it is asked").is_cancelled());
            if let Ok(inner) = given.await {
                match inner.await {
                    Ok(output) => assert_eq!(output, "done"),
                    Err(error) => assert!(error.is_cancelled()),
                }
            }
        }
    });
}

#[test]
fn wfor_15_no_time_at_all_leaves_what_is_shielded_alone() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel::<&'static str>();
        let mut inner = spawn(async move { receive.await.expect("it is sent") });
        let outcome = timeout(Duration::ZERO, shield(inner.by_ref())).await;
        assert!(outcome.is_err(), "there was no time");
        settle().await;
        assert!(!inner.is_finished() && !inner.is_cancelled() && inner.cancelling() == 0);
        send.send("later").expect("it waits");
        assert_eq!(inner.await.expect("nobody cancels it"), "later");
    });
}

#[test]
fn wfor_16_what_is_shielded_outlives_the_limit_and_can_be_awaited() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel::<()>();
        let mut inner = spawn(async move {
            receive.await.expect("it is sent");
            "done"
        });
        assert!(timeout(SHORT, shield(inner.by_ref())).await.is_err());
        assert!(!inner.is_finished());
        send.send(()).expect("it waits");
        assert_eq!(timeout(LONG, inner).await.expect("in time").expect("it ends"), "done");
    });
}

#[test]
fn tmo_25_the_expiry_around_a_group_ends_it_and_errors_of_children_surface() {
    in_each_flavour(async || {
        let log = Log::default();
        let theirs = log.clone();
        let quiet = TaskGroup::<&str>::scope(|tg| async move {
            let (child, body) = (theirs.guard("child"), theirs.guard("body"));
            tg.spawn(async move {
                let _child = child;
                pending::<()>().await;
                Ok(())
            });
            let _body = body;
            pending::<()>().await;
            Ok(())
        });
        let outcome = timeout(SHORT, quiet).await;
        assert!(outcome.is_err(), "nothing failed: it is an expiry");
        let mut said = log.take();
        said.sort_unstable();
        assert_eq!(said, ["body", "child"]);

        let crashes = TaskGroup::<&str>::scope(|tg| async move {
            tg.spawn(async {
                let caught = catch_cancel(pending::<()>()).await;
                caught.map_err(|_| "as it cleans up")
            });
            tg.spawn(finally(pending::<Result<(), &str>>(), yield_now()));
            pending::<()>().await;
            Ok(())
        });
        let group = timeout(SHORT, crashes).await.expect("the error surfaces, and no expiry");
        let error = group.expect_err("a child failed");
        let texts: Vec<_> = error.errors().iter().map(ChildError::error).collect();
        assert_eq!(texts, [Some(&"as it cleans up")], "and nothing else");
        assert_eq!(kasasagi::task::current().cancelling(), 0);
    });
}

#[test]
fn wfor_12_a_result_that_was_there_is_not_lost_with_the_request() {
    static ROUNDS_DONE: AtomicUsize = AtomicUsize::new(0);
    in_each_flavour(async || {
        let mut inner = spawn(ready("kept"));
        crate::hand::until("it ends", || inner.is_finished()).await;
        let task = spawn(async move {
            kasasagi::task::current().cancel();
            let output = timeout(LONG, &mut inner).await;
            // It was ready, so there was no suspension to interrupt.
            assert_eq!(output.expect("in time").expect("it ended"), "kept");
            ROUNDS_DONE.fetch_add(1, Ordering::SeqCst);
            yield_now().await;
        });
        assert!(task.await.expect_err("at the next suspension").is_cancelled());
    });
    assert_eq!(ROUNDS_DONE.load(Ordering::SeqCst), 2);
}
