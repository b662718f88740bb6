//! Tasks by themselves.

use crate::trace::{Trace, ValueError, fails_after, programs, py, say};
use kasasagi::{FutureExt, spawn, task, yield_now};

programs! {
    one: spawn_order, lazy_start, taking_turns, names;
    any: errors_pass_through;
}

async fn spawn_order(t: Trace) {
    let tasks = ["a", "b", "c"].map(|name| {
        let t = t.clone();
        spawn(async move {
            say!(t, "{name} begins");
            yield_now().await;
            say!(t, "{name} ends");
        })
    });
    say!(t, "spawned");
    for task in tasks {
        task.await.expect("it ends");
    }
}

async fn lazy_start(t: Trace) {
    let theirs = t.clone();
    let task = spawn(async move { say!(theirs, "child") });
    say!(t, "A");
    yield_now().await;
    say!(t, "B");
    task.await.expect("it ends");
}

async fn taking_turns(t: Trace) {
    let tasks = ["a", "b"].map(|name| {
        let t = t.clone();
        spawn(async move {
            for step in 0..3 {
                say!(t, "{name} {step}");
                yield_now().await;
            }
        })
    });
    for task in tasks {
        task.await.expect("it ends");
    }
}

async fn names(t: Trace) {
    let theirs = t.clone();
    let mut task =
        spawn(async move { say!(theirs, "inside {}", task::current().name()) }.named("heron"));
    say!(t, "{}", task.name());
    (&mut task).await.expect("it ends");
    task.set_name("egret");
    say!(t, "{} {}", task.name(), py(task.is_finished()));
}

async fn errors_pass_through(t: Trace) {
    let mut task = spawn(fails_after("spam", 5));
    let ValueError(text) = (&mut task).await.expect("it ends").expect_err("it fails");
    say!(t, "caught {text} at {}", t.now());
    say!(t, "{} {}", py(task.is_finished()), py(task.is_cancelled()));
}
