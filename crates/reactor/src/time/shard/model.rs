//! Models of a timer: who fires it against who drops it, polls it again, closes the shard.

use super::*;
use crate::time::clock::Clock;
use crate::time::sleep::Sleep;
use crate::time::timers::Timers;
use kasasagi_primitive::CachePadded;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::park::Parker;
use kasasagi_primitive::thread;
use std::future::Future;
use std::panic::Location;
use std::task::{Context, Poll, Wake};

/// A waker that counts its wakes; std's reference count tells whether one is left behind.
#[derive(Default)]
struct Counted(std::sync::atomic::AtomicUsize);

impl Counted {
    fn wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Counted {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counted() -> (std::sync::Arc<Counted>, Waker) {
    let counted = std::sync::Arc::new(Counted::default());
    (std::sync::Arc::clone(&counted), counted.into())
}

const DUE: u64 = 1 << 20;

/// Timers of one seat, of a shard made in this model, which closes it at its end: what it holds is the model's.
fn timers() -> (Timers, &'static Shard) {
    let shards: &'static [CachePadded<Shard>] =
        Box::leak(Box::new([CachePadded::new(Shard::new())]));
    let timers = Timers::of(shards, 1, Clock::manual());
    shards[0].open(timers.clone());
    (timers, &shards[0])
}

fn sleep(timers: &Timers) -> Pin<Box<Sleep>> {
    Box::pin(Sleep::of(timers, DUE, Location::caller()))
}

fn poll(sleep: &mut Pin<Box<Sleep>>, waker: &Waker) -> Poll<()> {
    sleep.as_mut().poll(&mut Context::from_waker(waker))
}

/// A timer is fired or dropped, never both halves of each; the shard's last touch comes before the free.
///
/// Mutation `reactor-fired-too-soon`: the node is given back before its waker is taken out of it.
#[test]
fn loom_timer_fire_against_drop() {
    explore("timer_fire_against_drop", || {
        let (timers, shard) = timers();
        let (waker_count, waker) = counted();
        let mut sleep = sleep(&timers);
        assert!(poll(&mut sleep, &waker).is_pending());
        let firing = thread::spawn(move || shard.fire(DUE, 2));
        drop(sleep);
        let fired = firing.join().expect("firing does not panic");
        assert_eq!(waker_count.wakes(), fired, "fired and cancelled, or neither");
        assert_eq!(shard.len(), 0);
        assert_eq!(shard.deadline(), NEVER);
        drop(waker);
        assert_eq!(std::sync::Arc::strong_count(&waker_count), 1);
        shard.close(1);
    });
}

/// A timer that is being fired wakes the waker of the last poll, or that poll sees that it has fired.
///
/// Mutation `reactor-rewake-unseen`: the poll that brings a new waker does not look again.
#[test]
fn loom_timer_fire_against_a_poll_with_another_waker() {
    explore("timer_fire_against_a_poll_with_another_waker", || {
        let (timers, shard) = timers();
        let (waker_count, waker) = counted();
        let mut sleep = sleep(&timers);
        assert!(poll(&mut sleep, &waker).is_pending());
        let firing = thread::spawn(move || assert_eq!(shard.fire(DUE, 2), 1));
        let parker = Parker::new();
        let second = parker.unparker().into_waker();
        while poll(&mut sleep, &second).is_pending() {
            parker.park();
        }
        firing.join().expect("firing does not panic");
        drop((sleep, waker));
        assert!(waker_count.wakes() <= 1);
        assert_eq!(std::sync::Arc::strong_count(&waker_count), 1);
        shard.close(1);
    });
}

/// A poll that brings the same waker looks at it without the lock, while the shard reads it out: who is fired wakes it.
///
/// Mutation `reactor-waker-wiped`: the shard does not leave the waker's words where the owner may look at them.
#[test]
fn loom_timer_fire_against_a_poll_with_the_same_waker() {
    explore("timer_fire_against_a_poll_with_the_same_waker", || {
        let (timers, shard) = timers();
        let parker = Parker::new();
        let waker = parker.unparker().into_waker();
        let mut sleep = sleep(&timers);
        assert!(poll(&mut sleep, &waker).is_pending());
        let firing = thread::spawn(move || assert_eq!(shard.fire(DUE, 2), 1));
        while poll(&mut sleep, &waker).is_pending() {
            parker.park();
        }
        drop(sleep);
        firing.join().expect("firing does not panic");
        shard.close(1);
    });
}

/// Two fire one timer each, while a third is dropped: each is fired or dropped, and the deadline is past until the last.
///
/// Mutation `reactor-budget-forgets`: who was told to fire so many and no more forgets that there are others.
#[test]
fn loom_timer_a_few_at_a_time() {
    explore("timer_a_few_at_a_time", || {
        let (timers, shard) = timers();
        let (waker_count, waker) = counted();
        let mut sleeps = [sleep(&timers), sleep(&timers)];
        assert!(sleeps.iter_mut().all(|sleep| poll(sleep, &waker).is_pending()));
        let firing = thread::spawn(move || shard.fire(DUE, 1));
        let [one, mut two] = sleeps;
        drop(one);
        let mut fired = firing.join().expect("firing does not panic");
        // As a worker does: until nothing is due.
        while shard.deadline() <= DUE {
            fired += shard.fire(DUE, 1);
        }
        assert_eq!(waker_count.wakes(), fired);
        assert!(poll(&mut two, &waker).is_ready(), "left behind");
        assert_eq!(shard.deadline(), NEVER);
        shard.close(1);
    });
}

/// Two threads fire the same shard while a third takes its timer out: each timer is fired by one of them.
///
/// Mutation `reactor-drop-without-lock`: `remove` trusts the state it read before it had the lock.
#[test]
fn loom_timer_rescue_against_the_seat() {
    explore("timer_rescue_against_the_seat", || {
        let (timers, shard) = timers();
        let (waker_count, waker) = counted();
        let (mut one, mut two) = (sleep(&timers), sleep(&timers));
        assert!(poll(&mut one, &waker).is_pending());
        assert!(poll(&mut two, &waker).is_pending());
        let rescue = thread::spawn(move || shard.fire(DUE, 2));
        let seat = thread::spawn(move || shard.fire(DUE, 2));
        drop(one);
        let fired = rescue.join().expect("firing does not panic") + seat.join().expect("nor here");
        assert!(fired == 1 || fired == 2);
        assert_eq!(waker_count.wakes(), fired);
        assert!(poll(&mut two, &waker).is_ready());
        drop((two, waker));
        assert_eq!(std::sync::Arc::strong_count(&waker_count), 1);
        shard.close(1);
    });
}

/// A stranger's timer makes the seat that waits for a later one, or for none, look again.
///
/// Mutation `reactor-no-hurry`: a stranger's insertion tells nobody.
#[test]
fn loom_timer_a_stranger_hurries_the_seat() {
    explore("timer_a_stranger_hurries_the_seat", || {
        let (timers, shard) = timers();
        let seat = Parker::new();
        timers.bind(0, seat.unparker().into_waker());
        let stranger = {
            let timers = timers.clone();
            thread::spawn(move || {
                let parker = Parker::new();
                let waker = parker.unparker().into_waker();
                let mut sleep = sleep(&timers);
                while poll(&mut sleep, &waker).is_pending() {
                    parker.park();
                }
            })
        };
        // As a worker does: it looks at its deadline, and waits for it.
        while shard.deadline() == NEVER {
            seat.park();
        }
        assert_eq!(shard.fire(DUE, 2), 1);
        stranger.join().expect("the stranger does not panic");
        shard.close(1);
    });
}

/// Closing ends every sleep: one that waits is woken, one that comes late does not begin to wait.
///
/// Mutation `reactor-close-open-door`: an insertion does not look whether the shard is closed.
#[test]
fn loom_timer_close_against_insert() {
    explore("timer_close_against_insert", || {
        let (timers, shard) = timers();
        let closing = thread::spawn(move || shard.close(1));
        let parker = Parker::new();
        let waker = parker.unparker().into_waker();
        let mut sleep = sleep(&timers);
        while poll(&mut sleep, &waker).is_pending() {
            parker.park();
        }
        closing.join().expect("closing does not panic");
        assert_eq!(shard.len(), 0);
    });
}
