//! Timeouts and shields.

use crate::trace::{Trace, cancelled, ms, named_nap, nap, programs, py, say};
use kasasagi::time::{self, timeout, timeout_scope};
use kasasagi::{catch_cancel, shield, spawn, task};

programs! {
    any: timeout_expires, timeout_in_time, timeout_outer_first, timeout_inner_first,
        timeout_rescheduled, timeout_swallowed, timeout_and_request, wait_for_a_slow_cleanup,
        shield_outer_cancelled, shield_and_timeout;
}

async fn timeout_expires(t: Trace) {
    let body = async {
        if let Err(cancelled) = catch_cancel(nap(1000)).await {
            say!(t, "interrupted");
            cancelled.rethrow::<()>().await;
        }
    };
    assert!(timeout(ms(10), body).await.is_err());
    say!(t, "expired at {} {}", t.now(), task::current().cancelling());
    nap(5).await;
    say!(t, "goes on at {}", t.now());
}

async fn timeout_in_time(t: Trace) {
    let ours = t.clone();
    let scope = timeout_scope(ms(50), |limit| async move {
        say!(ours, "{}", named_nap(ours.clone(), "fast", 10).await);
        limit
    });
    let limit = scope.await.expect("it is in time");
    say!(t, "{}", py(limit.expired()));
    nap(100).await;
    say!(t, "at {}", t.now());
}

async fn timeout_outer_first(t: Trace) {
    let inner = async {
        if timeout(ms(50), nap(1000)).await.is_err() {
            say!(t, "not the inner one");
        }
    };
    if timeout(ms(10), inner).await.is_err() {
        say!(t, "outer at {}", t.now());
    }
}

async fn timeout_inner_first(t: Trace) {
    let inner = async {
        if timeout(ms(10), nap(1000)).await.is_err() {
            say!(t, "inner at {}", t.now());
        }
        nap(1000).await;
    };
    if timeout(ms(50), inner).await.is_err() {
        say!(t, "outer at {}", t.now());
    }
}

async fn timeout_rescheduled(t: Trace) {
    let scope = timeout_scope(ms(10), |limit| async move {
        limit.reschedule(time::now() + ms(30)).expect("it is active");
        nap(1000).await;
    });
    if scope.await.is_err() {
        say!(t, "expired at {}", t.now());
    }
}

async fn timeout_swallowed(t: Trace) {
    let ours = t.clone();
    let scope = timeout_scope(ms(10), |limit| async move {
        if catch_cancel(nap(1000)).await.is_err() {
            say!(ours, "no");
        }
        limit
    });
    let limit = scope.await.expect("it swallows that");
    say!(t, "{} {}", py(limit.expired()), task::current().cancelling());
}

async fn timeout_and_request(t: Trace) {
    let theirs = t.clone();
    let task = spawn(async move {
        if timeout(ms(1000), nap(1_000_000)).await.is_err() {
            say!(theirs, "not an expiry");
        }
    });
    nap(5).await;
    task.cancel();
    cancelled(task).await;
    say!(t, "cancelled at {}", t.now());
}

async fn wait_for_a_slow_cleanup(t: Trace) {
    let theirs = t.clone();
    let mut task = spawn(async move {
        if let Err(cancelled) = catch_cancel(nap(1000)).await {
            nap(20).await;
            say!(theirs, "clean at {}", theirs.now());
            cancelled.rethrow::<()>().await;
        }
    });
    if timeout(ms(10), &mut task).await.is_err() {
        say!(t, "expired at {} {}", t.now(), py(task.is_cancelled()));
    }
}

async fn shield_outer_cancelled(t: Trace) {
    let inner = spawn(named_nap(t.clone(), "inner", 20));
    let theirs = t.clone();
    let (give, given) = futures_channel::oneshot::channel();
    let task = spawn(async move {
        let mut inner = inner;
        let caught = catch_cancel(shield(inner.by_ref())).await;
        let _ = give.send(inner);
        if let Err(cancelled) = caught {
            say!(theirs, "outer is cancelled at {}", theirs.now());
            cancelled.rethrow::<()>().await;
        }
    });
    nap(5).await;
    task.cancel();
    cancelled(task).await;
    let inner = given.await.expect("it was given back");
    say!(t, "{}", py(inner.is_finished()));
    say!(t, "{}", inner.await.expect("it goes on"));
}

async fn shield_and_timeout(t: Trace) {
    let mut inner = spawn(named_nap(t.clone(), "inner", 20));
    if timeout(ms(10), shield(inner.by_ref())).await.is_err() {
        say!(t, "expired at {}", t.now());
    }
    say!(t, "{}", inner.await.expect("it goes on"));
}
