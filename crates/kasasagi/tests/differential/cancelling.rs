//! Cancellations and cleanups.

use crate::trace::{Trace, ValueError, cancelled, fails_after, named_nap, nap, programs, py, say};
use kasasagi::{Exit, Outcome, Resource, catch_cancel, finally, spawn, task, with, yield_now};

programs! {
    one: cancel_before_start, cancel_sleeping, cancel_with_cleanup, uncancel;
    any: cancel_swallowed, cancel_nested,
        cancel_again_while_cleaning_up, cancel_an_awaited_task, cancel_oneself, finally_order,
        resource;
}

async fn cancel_sleeping(t: Trace) {
    let mut task = spawn(named_nap(t.clone(), "never", 10_000));
    nap(5).await;
    say!(t, "{} {}", py(task.cancel()), py(task.is_finished()));
    assert!((&mut task).await.is_err());
    say!(t, "cancelled at {} {} {}", t.now(), py(task.is_cancelled()), py(task.cancel()));
}

async fn cancel_before_start(t: Trace) {
    let theirs = t.clone();
    let task = spawn(async move { say!(theirs, "not reached") });
    task.cancel();
    cancelled(task).await;
    say!(t, "cancelled");
}

async fn cancel_with_cleanup(t: Trace) {
    let theirs = t.clone();
    let task = spawn(async move {
        if let Err(cancelled) = catch_cancel(nap(1000)).await {
            say!(theirs, "cleaning up");
            nap(10).await;
            say!(theirs, "clean");
            cancelled.rethrow::<()>().await;
        }
    });
    nap(5).await;
    task.cancel();
    say!(t, "{}", py(task.is_finished()));
    cancelled(task).await;
    say!(t, "cancelled at {}", t.now());
}

async fn cancel_swallowed(t: Trace) {
    let theirs = t.clone();
    let mut task = spawn(async move {
        if catch_cancel(nap(1000)).await.is_err() {
            say!(theirs, "no");
        }
        nap(10).await;
        42
    });
    nap(5).await;
    task.cancel();
    let value = (&mut task).await.expect("it swallows that");
    say!(t, "{value} {} at {}", py(task.is_cancelled()), t.now());
}

async fn cancel_nested(t: Trace) {
    let theirs = t.clone();
    let task = spawn(async move {
        let inner = async {
            if let Err(cancelled) = catch_cancel(nap(1000)).await {
                say!(theirs, "inner");
                yield_now().await;
                cancelled.rethrow::<()>().await;
            }
        };
        if let Err(cancelled) = catch_cancel(inner).await {
            say!(theirs, "outer");
            yield_now().await;
            cancelled.rethrow::<()>().await;
        }
    });
    nap(5).await;
    task.cancel();
    cancelled(task).await;
    say!(t, "cancelled");
}

async fn cancel_again_while_cleaning_up(t: Trace) {
    let theirs = t.clone();
    let task = spawn(async move {
        if catch_cancel(nap(1000)).await.is_err() {
            say!(theirs, "first");
            if let Err(cancelled) = catch_cancel(nap(1000)).await {
                say!(theirs, "second {}", task::current().cancelling());
                cancelled.rethrow::<()>().await;
            }
        }
    });
    for _ in 0..2 {
        nap(5).await;
        task.cancel();
    }
    cancelled(task).await;
    say!(t, "cancelled at {}", t.now());
}

async fn cancel_an_awaited_task(t: Trace) {
    let theirs = t.clone();
    let task = spawn(async move {
        let t = theirs.clone();
        let mut inner = spawn(async move {
            if let Err(cancelled) = catch_cancel(nap(1000)).await {
                say!(t, "inner");
                cancelled.rethrow::<()>().await;
            }
        });
        if let Err(cancelled) = catch_cancel(&mut inner).await {
            say!(theirs, "outer {}", py(inner.is_cancelled()));
            cancelled.rethrow::<()>().await;
        }
    });
    nap(5).await;
    task.cancel();
    cancelled(task).await;
    say!(t, "cancelled");
}

async fn cancel_oneself(t: Trace) {
    let theirs = t.clone();
    let task = spawn(async move {
        task::current().cancel();
        say!(theirs, "still here");
        nap(1000).await;
        say!(theirs, "not reached");
    });
    cancelled(task).await;
    say!(t, "cancelled at {}", t.now());
}

async fn uncancel(t: Trace) {
    let theirs = t.clone();
    let mut task = spawn(async move {
        let me = task::current();
        if catch_cancel(nap(1000)).await.is_err() {
            say!(theirs, "cancelling {}", me.cancelling());
            say!(theirs, "uncancel {}", me.uncancel());
        }
        nap(10).await;
        say!(theirs, "goes on {}", me.cancelling());
        7
    });
    nap(5).await;
    task.cancel();
    task.cancel();
    say!(t, "{}", task.cancelling());
    let value = (&mut task).await.expect("it swallows that");
    say!(t, "{value} {}", py(task.is_cancelled()));
}

async fn finally_order(t: Trace) {
    let child = |fails: bool| {
        let (inner, outer) = (t.clone(), t.clone());
        let body = async move {
            nap(5).await;
            if fails { Err(ValueError("spam")) } else { Ok("value") }
        };
        let body = finally(body, async move {
            nap(5).await;
            say!(inner, "inner at {}", inner.now());
        });
        finally(body, async move {
            nap(5).await;
            say!(outer, "outer at {}", outer.now());
        })
    };
    say!(t, "{}", child(false).await.expect("it is fine"));
    say!(t, "error {}", child(true).await.expect_err("it fails"));
    let task = spawn(child(false));
    nap(1).await;
    task.cancel();
    cancelled(task).await;
    say!(t, "cancelled at {}", t.now());
}

struct Door(Trace);

impl Resource for Door {
    type Error = ValueError;

    async fn enter(&mut self) -> Result<(), ValueError> {
        nap(1).await;
        say!(self.0, "opened");
        Ok(())
    }

    async fn exit(self, outcome: &Outcome<ValueError>) -> Exit {
        nap(1).await;
        match outcome {
            Outcome::Ok => say!(self.0, "closed well"),
            Outcome::Err(error) => say!(self.0, "closed {error}"),
            Outcome::Cancelled(_) => say!(self.0, "closed cancelled"),
            other => say!(self.0, "closed {other:?}"),
        }
        Exit::Propagate
    }
}

async fn resource(t: Trace) {
    let inside = with(Door(t.clone()), async |door: &mut Door| {
        say!(door.0, "inside");
        Ok(())
    });
    assert_eq!(inside.await, Ok(Some(())));
    let fails = with(Door(t.clone()), async |_: &mut Door| fails_after("spam", 0).await);
    say!(t, "error {}", fails.await.expect_err("it fails"));
    let task = spawn(with(Door(t.clone()), async |_: &mut Door| {
        nap(1000).await;
        Ok(())
    }));
    nap(5).await;
    task.cancel();
    cancelled(task).await;
    say!(t, "cancelled at {}", t.now());
}
