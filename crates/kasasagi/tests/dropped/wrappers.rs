//! Futures around one other: what is inside is dropped with them, at once.

use crate::drive::{Polls, cases};
use crate::world::{World, ms};
use kasasagi::time::{timeout, timeout_at, timeout_scope};
use kasasagi::{Context, FutureExt, catch_cancel, time, uninterruptible};

cases! {
    in_timeout, in_timeout_at, in_timeout_scope, in_catch_cancel, in_uninterruptible, in_context, in_all_of_them,
}

async fn around<F: IntoFuture>(polls: Polls, world: World, whole: F) -> bool {
    let output = polls.of(whole).await;
    assert!(world.is_empty(), "what is inside is still there");
    let ended = output.is_some();
    assert_eq!(world.ended(), usize::from(ended));
    assert_eq!(world.begun(), usize::from(polls.count > 0));
    // What was dropped leaves no trace in the task: the next await is not disturbed, and nothing is pending.
    assert_eq!(kasasagi::task::current().cancelling(), 0);
    assert!(catch_cancel(kasasagi::yield_now()).await.is_ok());
    ended
}

async fn in_timeout(polls: Polls) -> bool {
    let world = World::default();
    let whole = timeout(ms(50), world.child(4));
    around(polls, world, whole).await
}

async fn in_timeout_at(polls: Polls) -> bool {
    let world = World::default();
    let whole = timeout_at(time::now() + ms(50), world.child(4));
    around(polls, world, whole).await
}

async fn in_timeout_scope(polls: Polls) -> bool {
    let world = World::default();
    let child = world.child(4);
    let whole = timeout_scope(ms(50), move |_| child);
    around(polls, world, whole).await
}

async fn in_catch_cancel(polls: Polls) -> bool {
    let world = World::default();
    let whole = catch_cancel(world.child(4));
    around(polls, world, whole).await
}

async fn in_uninterruptible(polls: Polls) -> bool {
    let world = World::default();
    let whole = uninterruptible(world.child(4));
    around(polls, world, whole).await
}

async fn in_context(polls: Polls) -> bool {
    let world = World::default();
    let whole = world.child(4).in_context(&Context::new());
    around(polls, world, whole).await
}

async fn in_all_of_them(polls: Polls) -> bool {
    let world = World::default();
    let inside = timeout(ms(40), catch_cancel(uninterruptible(world.child(4))));
    let whole = catch_cancel(timeout(ms(50), inside));
    around(polls, world, whole).await
}
