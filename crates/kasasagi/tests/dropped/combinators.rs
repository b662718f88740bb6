//! What waits for several tasks. Those that it owns are cancelled or let go, as it says; those that are lent are not lost.

use crate::drive::{Polls, cases};
use crate::world::{World, ms};
use kasasagi::{
    ReturnWhen, Task, TaskGroup, as_completed, gather, map_concurrent, race, shield, spawn, time,
    try_gather, wait,
};

cases! {
    gather_owned, gather_lent, gather_limited, gather_mixed, gather_first_error, try_gather_owned, mapped,
    wait_owned, wait_lent, wait_first_lent, race_owned, race_lent, shield_owned, shield_lent, group,
    group_of_bodies, as_completed_whole, wait_with_time,
}

/// It owns its children: dropped, it cancels them, and starts nothing if it was never polled.
async fn cancels<F: IntoFuture>(polls: Polls, world: World, whole: F, many: usize) -> bool {
    let ended = polls.of(whole).await.is_some();
    world.gone().await;
    if ended {
        assert_eq!(world.ended(), many);
    }
    if polls.count == 0 {
        assert_eq!(world.begun(), 0, "it was never polled");
    }
    ended
}

/// All of them are there to be awaited, and were not cancelled.
async fn none_is_lost(tasks: Vec<Task<u64>>) {
    for (task, number) in tasks.into_iter().zip([3, 1, 2]) {
        assert_eq!(task.await.expect("nobody cancels it"), number);
    }
}

fn tasks(world: &World) -> Vec<Task<u64>> {
    world.children().into_iter().map(spawn).collect()
}

async fn gather_owned(polls: Polls) -> bool {
    let world = World::default();
    let whole = gather(world.children());
    cancels(polls, world, whole, 3).await
}

async fn gather_lent(polls: Polls) -> bool {
    let mut tasks = tasks(&World::default());
    let gathered = polls.of(gather(tasks.iter_mut().map(Task::by_ref))).await;
    if let Some(outputs) = gathered {
        let outputs: Result<Vec<_>, _> = outputs.into_iter().collect();
        assert_eq!(outputs.expect("they end"), [3, 1, 2]);
        return true;
    }
    none_is_lost(tasks).await;
    false
}

async fn gather_limited(polls: Polls) -> bool {
    let world = World::default();
    let whole = gather(world.children()).limit(1);
    cancels(polls, world, whole, 3).await
}

async fn gather_mixed(polls: Polls) -> bool {
    let world = World::default();
    let text = world.child(2);
    let whole = gather!(world.child(3), async move { text.await.to_string() });
    cancels(polls, world, whole, 2).await
}

async fn gather_first_error(polls: Polls) -> bool {
    let world = World::default();
    let whole = gather([world.fine(3), world.fine(1), world.fine(2)]).first_error();
    cancels(polls, world, whole, 3).await
}

async fn try_gather_owned(polls: Polls) -> bool {
    let world = World::default();
    let whole = try_gather([world.fine(3), world.fine(1), world.fine(2)]);
    cancels(polls, world, whole, 3).await
}

async fn mapped(polls: Polls) -> bool {
    let world = World::default();
    let theirs = world.clone();
    let whole = map_concurrent([3, 1, 2], 2, move |number| theirs.child(number));
    cancels(polls, world, whole, 3).await
}

async fn wait_owned(polls: Polls) -> bool {
    let world = World::default();
    let ended = polls.of(wait(tasks(&world))).await.is_some();
    world.all_end(3).await;
    ended
}

async fn wait_lent(polls: Polls) -> bool {
    let mut tasks = tasks(&World::default());
    let ended = polls.of(wait(tasks.iter_mut().map(Task::by_ref))).await.is_some();
    none_is_lost(tasks).await;
    ended
}

async fn wait_first_lent(polls: Polls) -> bool {
    let mut tasks = tasks(&World::default());
    let first = wait(tasks.iter_mut().map(Task::by_ref)).until(ReturnWhen::FirstCompleted);
    let ended = polls.of(first).await.is_some();
    none_is_lost(tasks).await;
    ended
}

async fn wait_with_time(polls: Polls) -> bool {
    let mut tasks = tasks(&World::default());
    let limited =
        wait(tasks.iter_mut().map(Task::by_ref)).timeout(time::Duration::from_micros(1500));
    let ended = polls.of(limited).await.is_some();
    none_is_lost(tasks).await;
    ended
}

async fn race_owned(polls: Polls) -> bool {
    let world = World::default();
    let winner = polls.of(race(world.children())).await;
    world.gone().await;
    assert!(winner.is_none_or(|number| number == 1));
    if polls.count == 0 {
        assert_eq!(world.begun(), 0, "it was never polled");
    }
    winner.is_some()
}

/// Nobody who was lent is cancelled, and nobody but the winner has given its output.
async fn race_lent(polls: Polls) -> bool {
    let mut tasks = tasks(&World::default());
    let winner = polls.of(race(tasks.iter_mut().map(Task::by_ref))).await;
    match winner {
        Some(number) => assert_eq!((number, tasks.remove(1).try_take().is_none()), (1, true)),
        None => assert_eq!(tasks.remove(1).await.expect("nobody cancels it"), 1),
    }
    for (task, number) in tasks.into_iter().zip([3, 2]) {
        assert_eq!(task.await.expect("nobody cancels it"), number);
    }
    winner.is_some()
}

async fn shield_owned(polls: Polls) -> bool {
    let world = World::default();
    let ended = polls.of(shield(world.child(4))).await.is_some();
    world.all_end(usize::from(polls.count > 0)).await;
    ended
}

async fn shield_lent(polls: Polls) -> bool {
    let mut task = spawn(World::default().child(4));
    match polls.of(shield(task.by_ref())).await {
        Some(output) => assert_eq!(output.expect("it ends"), 4),
        None => {
            assert_eq!(task.await.expect("nobody cancels it"), 4);
            return false;
        }
    }
    true
}

async fn group(polls: Polls) -> bool {
    let world = World::default();
    let theirs = world.clone();
    let whole = TaskGroup::<&str>::scope(|tg| async move {
        for child in theirs.children() {
            tg.spawn(async move { Ok(child.await) });
        }
        Ok(())
    });
    cancels(polls, world, whole, 3).await
}

async fn group_of_bodies(polls: Polls) -> bool {
    let world = World::default();
    let theirs = world.clone();
    let whole = TaskGroup::<&str>::scope(|tg| async move {
        let (child, late) = (theirs.child(3), theirs.child(2));
        tg.spawn(async move { Ok(child.await) });
        time::sleep(ms(1)).await;
        let inner = TaskGroup::<&str>::scope(|inner| async move {
            inner.spawn(async move { Ok(late.await) });
            time::sleep(ms(1)).await;
            Ok(())
        });
        inner.await.map_err(|_| "the inner group failed")
    });
    cancels(polls, world, whole, 2).await
}

async fn as_completed_whole(polls: Polls) -> bool {
    let world = World::default();
    let mut ends = as_completed(world.children());
    let whole = async move {
        let mut numbers = Vec::new();
        while let Some(end) = ends.next().await {
            numbers.push(end.expect("it ends"));
        }
        numbers
    };
    let numbers = polls.of(whole).await;
    world.all_end(3).await;
    assert!(numbers.as_ref().is_none_or(|numbers| *numbers == [1, 2, 3]));
    numbers.is_some()
}
