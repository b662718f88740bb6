//! Futures that were given a lock, lie in a combinator that nobody polls, and whose wakes stay in it.

use crate::flavour::{for_each_flavour, run};
use crate::meeting::{are_waiting, waiters};
use futures_util::stream::{FuturesUnordered, StreamExt};
use kasasagi::spawn;
use kasasagi::sync::{Event, Lock};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

type Branch = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A branch that takes the lock once.
fn takes(lock: &Arc<Lock<()>>) -> Branch {
    let lock = Arc::clone(lock);
    Box::pin(async move {
        drop(lock.lock().await);
        true
    })
}

/// Adds a branch that ends at once, and waits for it, until all others are in line: they are polled, and then left.
async fn begin(branches: &mut FuturesUnordered<Branch>, lock: &Lock<()>) {
    let n = branches.len();
    // A poll that is refused, by chaos, puts nobody in line.
    while !are_waiting(lock, n) {
        branches.push(Box::pin(async { false }));
        while branches.next().await != Some(false) {}
    }
}

async fn finish(branches: FuturesUnordered<Branch>) {
    assert!(branches.all(async |has_had_it| has_had_it).await);
}

/// Runs a task that shares a lock, which is released when so many wait for it and the task has set the event.
async fn meet<F>(waits: usize, task: impl FnOnce(Arc<Lock<()>>, Arc<Event>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (lock, begun) = (Arc::new(Lock::new(())), Arc::new(Event::new()));
    let guard = lock.lock().await;
    let task = spawn(task(Arc::clone(&lock), Arc::clone(&begun)));
    begun.wait().await;
    waiters(&lock, waits).await;
    drop(guard);
    task.await.expect("it goes on");
    assert!(!lock.is_locked());
}

#[test]
fn futurelock_branches_of_a_combinator_are_passed_over_one_after_the_other() {
    for_each_flavour(|build| {
        run(&build(), async {
            for n in [1, 2, 5, 50] {
                meet(n + 1, async move |lock, begun| {
                    let mut branches: FuturesUnordered<_> = (0..n).map(|_| takes(&lock)).collect();
                    begin(&mut branches, &lock).await;
                    begun.set();
                    drop(lock.lock().await);
                    finish(branches).await;
                })
                .await;
            }
        });
    });
}
