//! gather, wait, as_completed.

use crate::trace::{Trace, cancelled, fails_after, ms, named_nap, nap, programs, py, say};
use futures_util::StreamExt;
use kasasagi::{ReturnWhen, Task, as_completed, catch_cancel, gather, spawn, task, wait};

programs! {
    none: gather_cancelled;
    one: first_of_several, gather_order;
    any: gather_first_error, gather_all_outcomes, gather_nothing, wait_first_completed,
        wait_first_exception, wait_all, wait_timeout, as_completed_order, as_completed_with_error;
}

async fn gather_order(t: Trace) {
    let naps = [("slow", 30), ("fast", 10), ("middle", 20)];
    let naps = naps.map(|(name, millis)| named_nap(t.clone(), name, millis));
    let names: Vec<_> = gather(naps).await.into_iter().map(|name| name.expect("it ends")).collect();
    say!(t, "{}", names.join(" "));
}

async fn gather_first_error(t: Trace) {
    let fine = |name, millis| {
        let t = t.clone();
        async move { Ok(named_nap(t, name, millis).await) }
    };
    let mut last = spawn(fine("survivor", 30));
    let early = spawn(fine("early", 5));
    let mut early = early;
    let mut broken = spawn(async { fails_after("broken", 10).await.map(|()| "") });
    let all = [early.by_ref(), broken.by_ref(), last.by_ref()];
    let error = gather(all).first_error().await.expect_err("one fails");
    say!(t, "error {} at {}", error.into_error().expect("its own error"), t.now());
    say!(t, "{}", last.await.expect("it ends").expect("it is fine"));
}

async fn gather_all_outcomes(t: Trace) {
    let theirs = t.clone();
    let all = [
        spawn(async move { Ok(named_nap(theirs, "fine", 10).await) }),
        spawn(async { fails_after("broken", 5).await.map(|()| "") }),
        spawn(async {
            task::current().cancel();
            nap(1).await;
            Ok("not reached")
        }),
    ];
    for outcome in gather(all).await {
        match outcome {
            Ok(Ok(value)) => say!(t, "value {value}"),
            Ok(Err(error)) => say!(t, "error {error}"),
            Err(error) => say!(t, "{}", if error.is_cancelled() { "cancelled" } else { "panic" }),
        }
    }
}

async fn sleeper(t: Trace, name: &'static str) {
    if let Err(cancelled) = catch_cancel(nap(1000)).await {
        say!(t, "{name} is cancelled");
        cancelled.rethrow::<()>().await;
    }
}

async fn gather_cancelled(t: Trace) {
    let theirs = t.clone();
    let task = spawn(async move {
        gather(["a", "b"].map(|name| sleeper(theirs.clone(), name))).await;
        say!(theirs, "not reached");
    });
    nap(5).await;
    task.cancel();
    cancelled(task).await;
    say!(t, "cancelled at {}", t.now());
}

async fn gather_nothing(t: Trace) {
    let nothing: [Task<()>; 0] = [];
    say!(t, "{}", gather(nothing).await.len());
}

fn slow_and_fast(t: &Trace) -> [Task<&'static str>; 2] {
    [("slow", 50), ("fast", 10)].map(|(name, millis)| spawn(named_nap(t.clone(), name, millis)))
}

async fn wait_first_completed(t: Trace) {
    let mut waited = wait(slow_and_fast(&t)).until(ReturnWhen::FirstCompleted).await;
    say!(t, "{} {} at {}", waited.done.len(), waited.pending.len(), t.now());
    say!(t, "{}", waited.done.remove(0).await.expect("it ended"));
    say!(t, "{}", waited.pending.remove(0).await.expect("it goes on"));
}

async fn wait_first_exception(t: Trace) {
    let panics = spawn(async {
        nap(20).await;
        std::panic::resume_unwind(Box::new("boom"))
    });
    let [slow, fast] = slow_and_fast(&t);
    let mut waited = wait([slow, fast, panics]).until(ReturnWhen::FirstException).await;
    say!(t, "{} {} at {}", waited.done.len(), waited.pending.len(), t.now());
    say!(t, "{}", waited.pending.remove(0).await.expect("it goes on"));
    for ended in waited.done {
        drop(ended.await);
    }
}

async fn wait_all(t: Trace) {
    let waited = wait(slow_and_fast(&t)).await;
    say!(t, "{} {} at {}", waited.done.len(), waited.pending.len(), t.now());
}

async fn wait_timeout(t: Trace) {
    let mut waited = wait(slow_and_fast(&t)).timeout(ms(20)).await;
    say!(t, "{} {} at {}", waited.done.len(), waited.pending.len(), t.now());
    let rest = waited.pending.remove(0);
    say!(t, "{} {}", py(rest.is_cancelled()), py(rest.is_finished()));
    say!(t, "{}", rest.await.expect("it goes on"));
}

async fn first_of_several(t: Trace) {
    let backends = [("a", 30), ("b", 10), ("c", 20)].map(|(name, millis)| {
        let t = t.clone();
        spawn(async move {
            match catch_cancel(named_nap(t.clone(), name, millis)).await {
                Ok(name) => name,
                Err(cancelled) => {
                    say!(t, "{name} is cancelled");
                    cancelled.rethrow().await
                }
            }
        })
    });
    let mut waited = wait(backends).until(ReturnWhen::FirstCompleted).await;
    let winner = waited.done.remove(0).await.expect("it ended");
    for task in waited.pending {
        task.cancel();
        cancelled(task).await;
    }
    say!(t, "{winner} wins at {}", t.now());
}

async fn as_completed_order(t: Trace) {
    let naps = [("c", 30), ("a", 10), ("b", 20)];
    let mut ends = as_completed(naps.map(|(name, millis)| named_nap(t.clone(), name, millis)));
    while let Some(end) = StreamExt::next(&mut ends).await {
        say!(t, "got {}", end.expect("it ends"));
    }
}

async fn as_completed_with_error(t: Trace) {
    let theirs = t.clone();
    let mut ends = as_completed([
        spawn(async move { Ok(named_nap(theirs, "b", 20).await) }),
        spawn(async { fails_after("broken", 10).await.map(|()| "") }),
    ]);
    while let Some(end) = ends.next().await {
        match end.expect("no panic") {
            Ok(value) => say!(t, "got {value}"),
            Err(error) => say!(t, "error {error}"),
        }
    }
}
