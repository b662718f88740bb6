//! What waits at channels, cells and rates: dropped, it has taken nothing, and others get what they wait for.

use crate::drive::{Polls, cases};
use crate::world::{ms, until};
use kasasagi::sync::{OnceCell, RateLimiter, broadcast, oneshot, watch};
use kasasagi::{spawn, time};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

cases! {
    oneshot_receiver, oneshot_sender_goes, broadcast_recv, watch_changed, watch_wait_for, once_waits, once_makes,
    rate_acquire,
}

/// Lent, it can be asked again.
async fn oneshot_receiver(polls: Polls) -> bool {
    let (sender, mut receiver) = oneshot::channel();
    let sending = spawn(async move {
        time::sleep(ms(2)).await;
        sender.send(7).expect("it is there");
    });
    let given = polls.of(&mut receiver).await;
    let ended = given.is_some();
    let value = match given {
        Some(value) => value,
        None => receiver.await,
    };
    assert_eq!(value, Ok(7));
    sending.await.expect("it ends");
    ended
}

/// Given away, it takes the value along; the sender gets it back, or has given it.
async fn oneshot_sender_goes(polls: Polls) -> bool {
    let (sender, receiver) = oneshot::channel();
    let value = Arc::new(());
    let sent = Arc::clone(&value);
    let sending = spawn(async move {
        time::sleep(ms(2)).await;
        sender.send(sent).map_err(|back| drop(back.0)).is_ok()
    });
    let ended = polls.of(receiver).await.is_some();
    let sent = sending.await.expect("it ends");
    // Dropped between the send and its poll, it takes along what nobody has seen.
    assert!(sent || !ended);
    assert_eq!(Arc::strong_count(&value), 1);
    ended
}

async fn broadcast_recv(polls: Polls) -> bool {
    let (sender, mut ours) = broadcast::channel(4);
    let mut theirs = sender.subscribe();
    let sending = spawn(async move {
        time::sleep(ms(2)).await;
        sender.send(7).expect("there are two");
    });
    let given = polls.of(ours.recv()).await;
    let ended = given.is_some();
    let message = match given {
        Some(message) => message,
        None => ours.recv().await,
    };
    assert_eq!((message, theirs.recv().await), (Ok(7), Ok(7)));
    sending.await.expect("it ends");
    ended
}

async fn watch_changed(polls: Polls) -> bool {
    let (sender, mut ours) = watch::channel(1);
    let mut theirs = sender.subscribe();
    let sending = spawn(async move {
        time::sleep(ms(2)).await;
        sender.send(2).expect("there are two");
        sender
    });
    let given = polls.of(ours.changed()).await;
    let ended = given.is_some();
    match given {
        Some(changed) => changed.expect("the sender is there"),
        None => ours.changed().await.expect("the sender is there"),
    }
    theirs.changed().await.expect("the sender is there");
    assert_eq!((*ours.borrow(), *theirs.borrow()), (2, 2));
    sending.await.expect("it ends");
    ended
}

async fn watch_wait_for(polls: Polls) -> bool {
    let (sender, mut ours) = watch::channel(1);
    let sending = spawn(async move {
        for value in 2..5 {
            time::sleep(ms(1)).await;
            sender.send(value).expect("there is one");
        }
    });
    let given =
        polls.of(async { ours.wait_for(|value| *value > 2).await.map(|value| *value) }).await;
    let ended = given.is_some();
    let value = match given {
        Some(value) => value,
        None => ours.wait_for(|value| *value > 2).await.map(|value| *value),
    };
    assert!(value.is_ok_and(|value| value > 2));
    sending.await.expect("it ends");
    ended
}

/// Another one makes it, and fails; ours is next, and another one behind it gets what we give up.
async fn once_waits(polls: Polls) -> bool {
    let cell = Arc::new(OnceCell::new());
    let (theirs, behind) = (Arc::clone(&cell), Arc::clone(&cell));
    let makes = Arc::new(AtomicBool::new(false));
    let begun = Arc::clone(&makes);
    let fails = spawn(async move {
        let fails = theirs.get_or_try_init(async || {
            begun.store(true, Ordering::Relaxed);
            time::sleep(ms(2)).await;
            Err::<u8, _>("no")
        });
        fails.await.copied()
    });
    let behind = spawn(async move {
        time::sleep(ms(1)).await;
        *behind.get_or_init(|| async { 2 }).await
    });
    until("the other makes it", || makes.load(Ordering::Relaxed)).await;
    let ended = polls.of(async { *cell.get_or_init(|| async { 1 }).await }).await.is_some();
    let failed = fails.await.expect("it ends");
    assert!(failed.is_err() || ended);
    let value = behind.await.expect("it ends");
    assert_eq!(cell.get(), Some(&value));
    ended
}

/// Ours makes it; dropped part way, the next does.
async fn once_makes(polls: Polls) -> bool {
    let cell = Arc::new(OnceCell::new());
    let behind = Arc::clone(&cell);
    let next = spawn(async move {
        time::sleep(ms(1)).await;
        *behind.get_or_init(|| async { 2 }).await
    });
    let made = async {
        *cell
            .get_or_init(|| async {
                time::sleep(ms(2)).await;
                1
            })
            .await
    };
    let ended = polls.of(made).await.is_some();
    assert_eq!(next.await.expect("it ends"), if ended { 1 } else { 2 });
    ended
}

/// Ours is in line, then has its turn and sleeps; another one behind it starts all the same, and when it may.
async fn rate_acquire(polls: Polls) -> bool {
    let limiter = Arc::new(RateLimiter::new(1, ms(10)));
    let first = limiter.acquire().await.start();
    let behind = Arc::clone(&limiter);
    let behind = spawn(async move {
        time::sleep(ms(1)).await;
        behind.acquire().await.start()
    });
    let ended = polls.of(limiter.acquire()).await.is_some();
    let start = behind.await.expect("it starts");
    assert_eq!(start - first, ms(if ended { 20 } else { 10 }));
    ended
}
