//! Cleanups: they run, once, to their end, before the task is done that owes them.

use crate::drive::{Polls, cases};
use crate::world::{World, ms};
use kasasagi::{
    Exit, Outcome, Resource, catch_cancel, defer, finally, spawn, time, with, yield_now,
};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

cases! { finally_in_place, finally_nested, with_resource, deferred, a_rethrow, caught_then_dropped }

#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A cleanup that takes its time.
    fn up(&self) -> impl Future<Output = ()> + Send + use<> {
        let count = self.clone();
        async move {
            yield_now().await;
            time::sleep(ms(1)).await;
            count.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Drops `whole` in a task of its own, and looks at what is counted when that is done.
async fn owed<F>(polls: Polls, whole: F, cleaned: &[Count]) -> bool
where
    F: Future<Output: Send> + Send + 'static,
{
    let theirs = polls.clone();
    let task = spawn(async move { theirs.of(whole).await.is_some() });
    let ended = task.await.expect("nobody cancels it");
    for count in cleaned {
        assert_eq!(count.get(), usize::from(polls.count > 0), "when the task is done");
    }
    ended
}

async fn finally_in_place(polls: Polls) -> bool {
    let (world, cleaned) = (World::default(), Count::default());
    let whole = finally(world.child(2), cleaned.up());
    let ended = owed(polls, whole, &[cleaned]).await;
    world.gone().await;
    ended
}

async fn finally_nested(polls: Polls) -> bool {
    let (world, inner, outer) = (World::default(), Count::default(), Count::default());
    let whole = finally(finally(world.child(2), inner.up()), outer.up());
    let ended = owed(polls, whole, &[inner, outer]).await;
    world.gone().await;
    ended
}

struct Door {
    entered: Arc<AtomicUsize>,
    left: Count,
}

impl Resource for Door {
    type Error = &'static str;

    async fn enter(&mut self) -> Result<(), &'static str> {
        yield_now().await;
        time::sleep(ms(1)).await;
        self.entered.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn exit(self, _: &Outcome<&'static str>) -> Exit {
        self.left.up().await;
        Exit::Propagate
    }
}

/// Left as often as it was entered, and not if entering was broken off.
async fn with_resource(polls: Polls) -> bool {
    let (entered, left) = (Arc::new(AtomicUsize::new(0)), Count::default());
    let door = Door { entered: Arc::clone(&entered), left: left.clone() };
    let whole = with(door, async |_: &mut Door| {
        time::sleep(ms(1)).await;
        Ok(7)
    });
    let theirs = polls.clone();
    let task = spawn(async move { theirs.of(whole).await.is_some() });
    let ended = task.await.expect("nobody cancels it");
    assert_eq!(left.get(), entered.load(Ordering::SeqCst), "when the task is done");
    ended
}

async fn deferred(polls: Polls) -> bool {
    let cleaned = Count::default();
    let theirs = cleaned.clone();
    let whole = async move {
        let _deferred = defer(theirs.up());
        time::sleep(ms(2)).await;
    };
    owed(polls, whole, &[cleaned]).await
}

/// Polled once it has passed the cancellation on; never polled, it has swallowed it.
async fn a_rethrow(polls: Polls) -> bool {
    let theirs = polls.clone();
    let task = spawn(async move {
        let cancelled = catch_cancel(pending::<()>()).await.expect_err("it is cancelled");
        let rethrow = async move {
            time::sleep(ms(1)).await;
            cancelled.rethrow::<()>().await;
        };
        let _ = theirs.of(rethrow).await;
        yield_now().await;
    });
    yield_now().await;
    time::sleep(ms(1)).await;
    task.cancel();
    let outcome = task.await;
    // The first poll begins the sleep, the second one rethrows; unless it was polled for no reason.
    if polls.count < 2 {
        assert!(outcome.is_ok(), "it was dropped before it was passed on");
    }
    outcome.is_err()
}

/// Told of a cancellation, and dropped before it could do anything about it: that comes at the next suspension.
async fn caught_then_dropped(polls: Polls) -> bool {
    let theirs = polls.clone();
    let task = spawn(async move {
        let me = kasasagi::task::current();
        let handles = async {
            let caught = catch_cancel(async {
                yield_now().await;
                me.cancel();
                pending::<()>().await;
            });
            let caught = caught.await;
            assert!(caught.is_err(), "it is asked");
        };
        let handled = theirs.of(handles).await.is_some();
        (handled, catch_cancel(yield_now()).await.is_err())
    });
    let (handled, again) = task.await.expect("it was caught");
    // Either the one that was dropped has used it up, or the next suspension gets it; never both, never neither.
    let asked = handled || again;
    assert!(!(handled && again), "delivered twice");
    assert!(asked || polls.count < 2, "neither of them was told, after {} polls", polls.count);
    handled
}
