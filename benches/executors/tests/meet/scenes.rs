//! What each primitive has to do, whoever runs the tasks.

use crate::executors::{Job, Spawn};
use crate::items::{a_lifo_queue, a_priority_queue, queue, queue_shut_down};
use crate::locks::{barrier, bounded_semaphore, condition, event, lock, rw_lock};
use kasasagi::sync::broadcast::RecvError;
use kasasagi::sync::{OnceCell, RateWindow, Semaphore};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

pub(crate) const TASKS: usize = 16;
pub(crate) const ROUNDS: usize = 50;

type Scene = fn(Spawn) -> Job;

macro_rules! scenes {
    ($($name:ident),* $(,)?) => {
        pub(crate) const SCENES: &[(&str, Scene)] =
            &[$((stringify!($name), |spawn| Box::pin($name(spawn)))),*];
    };
}

scenes! {
    lock, rw_lock, semaphore, bounded_semaphore, event, condition, barrier, queue, queue_shut_down, a_lifo_queue,
    a_priority_queue, oneshot, broadcast, watch, once_cell, rate_window,
}

/// Lets others run, under any executor.
pub(crate) async fn a_turn() {
    futures_lite::future::yield_now().await;
}

/// Polls a future once, and drops it.
pub(crate) fn once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The same, of one whose output is nothing that can be lost.
pub(crate) fn give_up(future: impl Future) {
    drop(once(future));
}

/// The same, and drops it after a turn: it may have been given meanwhile what it waited for.
pub(crate) async fn leave(future: impl Future + Send) {
    let mut future = Box::pin(future);
    give_up(future.as_mut());
    a_turn().await;
}

async fn semaphore(spawn: Spawn) {
    let semaphore = Arc::new(Semaphore::new(3));
    let holders = Arc::new(AtomicUsize::new(0));
    let tasks = (0..TASKS).map(|number| {
        let (semaphore, holders) = (Arc::clone(&semaphore), Arc::clone(&holders));
        async move {
            for round in 0..ROUNDS {
                let permits = 1 + (number + round) % 2;
                if round % 5 == 0 {
                    give_up(semaphore.acquire());
                }
                let permit = semaphore.acquire_many(permits).await.expect("nobody closes it");
                assert!(holders.fetch_add(permits, Ordering::Relaxed) + permits <= 3);
                a_turn().await;
                holders.fetch_sub(permits, Ordering::Relaxed);
                drop(permit);
            }
        }
    });
    spawn.all(tasks).await;
    assert_eq!(semaphore.available_permits(), 3);
}

async fn oneshot(spawn: Spawn) {
    for _ in 0..ROUNDS {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..TASKS).map(|_| kasasagi::sync::oneshot::channel()).unzip();
        let sending = senders.into_iter().enumerate().map(|(number, sender)| async move {
            a_turn().await;
            number % 5 == 0 || sender.send(number).is_ok()
        });
        let theirs = spawn.clone();
        let (sent, received) =
            futures_lite::future::zip(spawn.all(sending), theirs.all(receivers)).await;
        assert!(sent.into_iter().all(|sent| sent));
        for (number, value) in received.into_iter().enumerate() {
            assert_eq!(value.ok(), (number % 5 != 0).then_some(number));
        }
    }
}

async fn broadcast(spawn: Spawn) {
    let (sender, first) = kasasagi::sync::broadcast::channel(8);
    let mut receivers = vec![first];
    receivers.extend((1..TASKS).map(|_| sender.subscribe()));
    let receiving = receivers.into_iter().map(|mut receiver| async move {
        let mut next = 0;
        loop {
            match receiver.recv().await {
                Ok(number) => {
                    assert_eq!(number, next, "out of order, or missed unsaid");
                    next += 1;
                }
                Err(RecvError::Lagged(missed)) => next += missed,
                Err(RecvError::Closed) => return next,
            }
        }
    });
    let sending = async move {
        for number in 0..1_000_u64 {
            sender.send(number).expect("there are receivers");
            if number % 3 == 0 {
                a_turn().await;
            }
        }
    };
    let theirs = spawn.clone();
    let (_, ends) = futures_lite::future::zip(spawn.all([sending]), theirs.all(receiving)).await;
    assert!(ends.into_iter().all(|next| next == 1_000));
}

async fn watch(spawn: Spawn) {
    let (sender, first) = kasasagi::sync::watch::channel(0);
    let watching = (0..TASKS).map(|number| {
        let mut receiver = first.clone();
        async move {
            if number % 2 == 0 {
                return *receiver.wait_for(|value| *value == 1_000).await.expect("it comes");
            }
            let mut last = 0;
            while last != 1_000 {
                receiver.changed().await.expect("it goes on");
                let value = *receiver.borrow_and_update();
                assert!(value >= last, "it goes back");
                last = value;
            }
            last
        }
    });
    // One that stays: the end of the last would wake who was forgotten.
    let stays = sender.clone();
    let sending = async move {
        for value in 1..=1_000 {
            sender.send_modify(|place| *place = value);
            if value % 3 == 0 {
                a_turn().await;
            }
        }
    };
    let theirs = spawn.clone();
    let (_, ends) = futures_lite::future::zip(spawn.all([sending]), theirs.all(watching)).await;
    assert!(ends.into_iter().all(|last| last == 1_000));
    drop(stays);
}

async fn once_cell(spawn: Spawn) {
    for _ in 0..ROUNDS {
        let cell = Arc::new(OnceCell::new());
        let tasks = (0..TASKS).map(|number| {
            let cell = Arc::clone(&cell);
            async move {
                if number % 3 == 0 {
                    give_up(cell.get_or_init(std::future::pending));
                }
                if number % 4 == 0 {
                    let fails = || async {
                        a_turn().await;
                        Err(())
                    };
                    let _ = cell.get_or_try_init(fails).await;
                }
                let make = || async {
                    a_turn().await;
                    number
                };
                *cell.get_or_init(make).await
            }
        });
        let values = spawn.all(tasks).await;
        assert!(values.iter().all(|value| Some(value) == cell.get()));
    }
}

async fn rate_window(spawn: Spawn) {
    let window = Arc::new(RateWindow::new(20, Duration::from_millis(2)));
    let tasks = (0..TASKS).map(|_| {
        let window = Arc::clone(&window);
        async move {
            let mut starts = Vec::new();
            for _ in 0..10 {
                give_up(window.turn());
                let turn = window.turn().await;
                loop {
                    match turn.start(Instant::now()) {
                        Ok(permit) => break starts.push(permit.start()),
                        Err(_) => a_turn().await,
                    }
                }
            }
            starts
        }
    });
    let mut starts = spawn.all(tasks).await.concat();
    starts.sort_unstable();
    for (first, last) in starts.iter().zip(starts.iter().skip(20)) {
        assert!(*last - *first >= Duration::from_millis(2));
    }
}
