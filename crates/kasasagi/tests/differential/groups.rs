//! Groups.

use crate::trace::{Trace, ValueError, cancelled, fails_after, named_nap, nap, programs, py, say};
use kasasagi::{GroupError, TaskGroup, catch_cancel, spawn, task};

programs! {
    none: group_abort, group_cancelled;
    any: group_values, group_body_error, group_all_errors, group_cancelled_child, group_nested,
        group_spawns_late;
}

fn texts(error: &GroupError<ValueError>) -> String {
    let texts: Vec<_> =
        error.errors().iter().map(|child| child.error().expect("its own error").0).collect();
    texts.join(" ")
}

/// Sleeps until it is cancelled, and says so.
async fn sleeper(t: Trace, what: &'static str) -> Result<(), ValueError> {
    if let Err(cancelled) = catch_cancel(nap(1000)).await {
        say!(t, "{what} is cancelled");
        cancelled.rethrow::<()>().await;
    }
    Ok(())
}

async fn group_values(t: Trace) {
    let ours = t.clone();
    let both = TaskGroup::<ValueError>::scope(|tg| async move {
        let child = |name, millis| {
            let t = ours.clone();
            tg.spawn(async move { Ok(named_nap(t, name, millis).await) })
        };
        let both = (child("a", 20), child("b", 10));
        say!(ours, "body");
        Ok(both)
    });
    let (a, b) = both.await.expect("nothing fails");
    let (a, b) = (a.await.expect("it ended"), b.await.expect("it ended"));
    say!(t, "{a} {b} at {}", t.now());
}

async fn group_abort(t: Trace) {
    let ours = t.clone();
    let group = TaskGroup::scope(|tg| async move {
        tg.spawn(sleeper(ours.clone(), "a"));
        tg.spawn(fails_after("broken", 10));
        tg.spawn(sleeper(ours.clone(), "b"));
        sleeper(ours, "the body").await
    });
    let error = group.await.expect_err("a child fails");
    say!(t, "{} {} at {}", error.errors().len(), texts(&error), t.now());
    say!(t, "cancelling {}", task::current().cancelling());
}

async fn group_body_error(t: Trace) {
    let ours = t.clone();
    let group = TaskGroup::scope(|tg| async move {
        tg.spawn(async move {
            if let Err(cancelled) = catch_cancel(nap(1000)).await {
                say!(ours, "the child is cancelled");
                nap(10).await;
                say!(ours, "the child is clean");
                cancelled.rethrow::<()>().await;
            }
            Ok(())
        });
        nap(5).await;
        Err::<(), _>(ValueError("body"))
    });
    let error = group.await.expect_err("the body fails");
    say!(t, "{} at {}", texts(&error), t.now());
}

async fn group_all_errors(t: Trace) {
    let group = TaskGroup::scope(|tg| async move {
        tg.spawn(async {
            if catch_cancel(nap(1000)).await.is_err() {
                nap(5).await;
            }
            Err::<(), _>(ValueError("second"))
        });
        tg.spawn(fails_after("first", 10));
        Ok(())
    });
    let error = group.await.expect_err("both fail");
    say!(t, "{} at {}", texts(&error), t.now());
}

async fn group_cancelled_child(t: Trace) {
    let ours = t.clone();
    let group = TaskGroup::<ValueError>::scope(|tg| async move {
        let a = tg.spawn(nap(1000));
        tg.spawn(async move {
            named_nap(ours, "b", 10).await;
        });
        nap(5).await;
        a.cancel();
        Ok(a)
    });
    let a = group.await.expect("a cancelled child is no failure");
    say!(t, "fine at {} {}", t.now(), py(a.is_cancelled()));
}

async fn group_cancelled(t: Trace) {
    let ours = t.clone();
    let task = spawn(async move {
        let theirs = ours.clone();
        let group = TaskGroup::scope(|tg| async move {
            tg.spawn(sleeper(theirs.clone(), "a"));
            tg.spawn(sleeper(theirs, "b"));
            Ok(())
        });
        let _ = group.await;
        say!(ours, "not reached");
    });
    nap(5).await;
    task.cancel();
    cancelled(task).await;
    say!(t, "cancelled at {}", t.now());
}

async fn group_nested(t: Trace) {
    let group = TaskGroup::<GroupError<ValueError>>::scope(|tg| async move {
        tg.spawn(async {
            let inner = TaskGroup::scope(|tg| async move {
                tg.spawn(fails_after("deep", 10));
                Ok(())
            });
            inner.await
        });
        tg.spawn(nap(1000));
        Ok(())
    });
    let error = group.await.expect_err("a child fails");
    let inner = error.errors()[0].error();
    say!(t, "{} {}", py(inner.is_some()), error.errors().len());
    say!(t, "{} at {}", texts(inner.expect("a group's error")), t.now());
}

async fn group_spawns_late(t: Trace) {
    let ours = t.clone();
    let group = TaskGroup::<ValueError>::scope(|tg| async move {
        let group = tg.clone();
        tg.spawn(async move {
            nap(10).await;
            group.spawn(async move {
                named_nap(ours, "grandchild", 10).await;
            });
        });
        Ok(())
    });
    group.await.expect("nothing fails");
    say!(t, "over at {}", t.now());
}
