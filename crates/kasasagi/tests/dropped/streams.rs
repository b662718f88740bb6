//! Streams: a `next` that is dropped has taken nothing.

use crate::drive::{Polls, cases};
use crate::world::{World, ms};
use futures_util::StreamExt;
use futures_util::stream::iter;
use kasasagi::stream::{buffered, for_each_concurrent, from_fn};
use kasasagi::{as_completed, time};
use std::pin::pin;

cases! { next_of_ends, next_task_of_ends, next_of_timed, next_of_streams, for_each }

async fn next_of_ends(polls: Polls) -> bool {
    let mut ends = as_completed(World::default().children());
    let mut numbers = Vec::new();
    let first = polls.of(ends.next()).await;
    let ended = first.is_some();
    numbers.extend(first.flatten().map(|end| end.expect("it ends")));
    while let Some(end) = ends.next().await {
        numbers.push(end.expect("it ends"));
    }
    assert_eq!(numbers, [1, 2, 3]);
    ended
}

async fn next_task_of_ends(polls: Polls) -> bool {
    let mut ends = as_completed(World::default().children());
    let mut numbers = Vec::new();
    let first = polls.of(ends.next_task()).await;
    let ended = first.is_some();
    if let Some(task) = first.flatten() {
        numbers.push(task.await.expect("it ended"));
    }
    while let Some(task) = ends.next_task().await {
        numbers.push(task.await.expect("it ended"));
    }
    assert_eq!(numbers, [1, 2, 3]);
    ended
}

/// The time runs from the first poll, and is told of once, whatever was dropped before.
async fn next_of_timed(polls: Polls) -> bool {
    let world = World::default();
    let mut ends = as_completed(world.children()).timeout(time::Duration::from_micros(2500));
    let mut told = Vec::new();
    let first = polls.of(ends.next()).await;
    let ended = first.is_some();
    let mut next = first.flatten();
    while next.is_some() || told.len() < 3 {
        told.extend(next.take().map(|end| end.map(|end| end.expect("it ends")).ok()));
        match ends.next().await {
            None => break,
            end => next = end,
        }
    }
    told.extend(next.map(|end| end.map(|end| end.expect("it ends")).ok()));
    assert_eq!(told, [Some(1), Some(2), None]);
    let left = ends.into_pending();
    assert_eq!(left.len(), 1);
    drop(left);
    world.all_end(3).await;
    ended
}

/// A generator, and one whose items run beside the consumer: each item comes once, in order.
async fn next_of_streams(polls: Polls) -> bool {
    let world = World::default();
    let theirs = world.clone();
    let children = from_fn(|y| async move {
        for child in theirs.children() {
            time::sleep(ms(1)).await;
            y.emit(child).await;
        }
    });
    let mut items = pin!(buffered(children, 2));
    let mut numbers = Vec::new();
    let first = polls.of(items.next()).await;
    let ended = first.is_some();
    numbers.extend(first.flatten().map(|end| end.expect("it ends")));
    while let Some(end) = items.next().await {
        numbers.push(end.expect("it ends"));
    }
    assert_eq!(numbers, [3, 1, 2]);
    ended
}

async fn for_each(polls: Polls) -> bool {
    let world = World::default();
    let theirs = world.clone();
    let whole = for_each_concurrent(iter([3, 1, 2]), 2, move |number| {
        let child = theirs.child(number);
        async move { _ = child.await }
    });
    let ended = polls.of(whole).await.is_some();
    world.gone().await;
    if ended {
        assert_eq!(world.ended(), 3);
    }
    ended
}
