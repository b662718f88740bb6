//! What kasasagi relies on in its run queue, explored in crossbeam-deque's own code.
//!
//! The copy has loom's atomics and a first buffer of two places, so that the third push grows it. Each task is a cell
//! that its maker writes and its taker reads: loom fails a model in which the one does not happen before the other.

use deque_models::deque::{Steal, Stealer, Worker};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::sync::atomic::{AtomicUsize, Ordering};

/// kasasagi's limit is 64; here a batch of two is a large one.
const LIMIT: usize = 3;

/// A task that tells who made it, once.
struct Item(Arc<UnsafeCell<usize>>);

// Safety: that the reads and the write are ordered is what the models show.
unsafe impl Send for Item {}

impl Item {
    fn new(number: usize) -> Self {
        let cell = Arc::new(UnsafeCell::new(0));
        cell.with_mut(|place| unsafe { *place = number });
        Self(cell)
    }

    /// Taken: its number, after which it has none any more.
    fn take(self) -> usize {
        self.0.with_mut(|place| unsafe { std::mem::replace(&mut *place, 0) })
    }
}

fn explore(name: &str, model: impl Fn() + Sync + Send + 'static) {
    let bound =
        std::env::var("LOOM_MAX_PREEMPTIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(bound);
    builder.max_branches = 100_000;
    builder.max_duration = None;
    let count = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&count);
    let start = std::time::Instant::now();
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!(
        "MODEL deque_{name} P={bound} {} iterations {:.2} s complete",
        count.load(Ordering::Relaxed),
        start.elapsed().as_secs_f64()
    );
}

/// One steal as kasasagi does it, and what it brought.
fn steal(from: &Stealer<Item>, to: &Worker<Item>) -> Vec<usize> {
    let mut got = Vec::new();
    if let Steal::Success(item) = from.steal_batch_with_limit_and_pop(to, LIMIT) {
        got.push(item.take());
    }
    got
}

fn drain(worker: &Worker<Item>) -> Vec<usize> {
    std::iter::from_fn(|| worker.pop()).map(Item::take).collect()
}

fn rising(numbers: &[usize]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

/// Everybody's finds together are 1 to `n`, each once.
fn each_once(mut all: Vec<usize>, n: usize) {
    all.sort_unstable();
    assert_eq!(all, (1..=n).collect::<Vec<_>>(), "lost, doubled or torn");
}

/// The owner pushes and pops while a thief steals one by one.
#[test]
fn an_item_goes_to_the_owner_or_to_the_thief() {
    explore("pop_against_steal", || {
        let owner = Worker::new_fifo();
        let stealer = owner.stealer();
        owner.push(Item::new(1));
        let thief = thread::spawn(move || match stealer.steal() {
            Steal::Success(item) => vec![item.take()],
            _ => vec![],
        });
        owner.push(Item::new(2));
        let mut all: Vec<_> = owner.pop().map(Item::take).into_iter().collect();
        all.extend(thief.join().unwrap());
        all.extend(drain(&owner));
        each_once(all, 2);
    });
}

/// The owner's pops, which overshoot an empty queue and step back, while a thief steals a batch.
#[test]
fn a_batch_and_pops_share_without_loss() {
    explore("pops_against_batch", || {
        let owner = Worker::new_fifo();
        let stealer = owner.stealer();
        for i in 1..=2 {
            owner.push(Item::new(i));
        }
        let thief = thread::spawn(move || {
            let own = Worker::new_fifo();
            let mut got = steal(&stealer, &own);
            got.extend(drain(&own));
            assert!(rising(&got), "a batch keeps its order");
            got
        });
        let mine = drain(&owner);
        assert!(rising(&mine), "first in, first out");
        owner.push(Item::new(3));
        let mut all = mine;
        all.extend(drain(&owner));
        all.extend(thief.join().unwrap());
        all.extend(drain(&owner));
        each_once(all, 3);
    });
}

/// The third push moves everything to a larger buffer while a thief copies a batch out of the old one.
#[test]
fn a_batch_survives_the_growth_of_the_queue() {
    explore("grow_against_batch", || {
        let owner = Worker::new_fifo();
        let stealer = owner.stealer();
        for i in 1..=2 {
            owner.push(Item::new(i));
        }
        let thief = thread::spawn(move || {
            let own = Worker::new_fifo();
            let mut got = steal(&stealer, &own);
            got.extend(drain(&own));
            got
        });
        for i in 3..=5 {
            owner.push(Item::new(i));
        }
        let mut all: Vec<_> = owner.pop().map(Item::take).into_iter().collect();
        all.extend(thief.join().unwrap());
        all.extend(drain(&owner));
        each_once(all, 5);
    });
}

/// A queue that grew shrinks again under its owner's pops while a thief copies a batch out of it.
#[test]
fn a_batch_survives_the_shrinking_of_the_queue() {
    explore("shrink_against_batch", || {
        let owner = Worker::new_fifo();
        let stealer = owner.stealer();
        for i in 1..=3 {
            owner.push(Item::new(i));
        }
        let thief = thread::spawn(move || {
            let own = Worker::new_fifo();
            let mut got = steal(&stealer, &own);
            got.extend(drain(&own));
            got
        });
        let mut all: Vec<_> = (0..2).filter_map(|_| owner.pop()).map(Item::take).collect();
        owner.push(Item::new(4));
        all.extend(thief.join().unwrap());
        all.extend(drain(&owner));
        each_once(all, 4);
    });
}

/// What a thief put into its own queue is stolen from there by a second thief.
#[test]
fn what_was_stolen_can_be_stolen_again() {
    explore("stolen_twice", || {
        let owner = Worker::new_fifo();
        let first: Worker<Item> = Worker::new_fifo();
        let from_first = first.stealer();
        let second = thread::spawn(move || match from_first.steal() {
            Steal::Success(item) => vec![item.take()],
            _ => vec![],
        });
        // Made only now, so that nothing but the queues orders them before the second thief.
        for i in 1..=3 {
            owner.push(Item::new(i));
        }
        let mut all = steal(&owner.stealer(), &first);
        all.extend(second.join().unwrap());
        all.extend(drain(&first));
        all.extend(drain(&owner));
        each_once(all, 3);
    });
}

/// The owner makes an item while two thieves come for it, without an owner's pop.
#[test]
fn two_thieves_do_not_take_the_same_item() {
    explore("two_thieves", || {
        let owner: Worker<Item> = Worker::new_fifo();
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let stealer = owner.stealer();
                thread::spawn(move || match stealer.steal() {
                    Steal::Success(item) => vec![item.take()],
                    _ => vec![],
                })
            })
            .collect();
        owner.push(Item::new(1));
        let mut all = Vec::new();
        for thief in thieves {
            all.extend(thief.join().unwrap());
        }
        all.extend(drain(&owner));
        each_once(all, 1);
    });
}

/// Two thieves come with batches for a queue that its owner does not look at.
#[test]
fn two_batches_do_not_overlap() {
    explore("two_batches", || {
        let owner: Worker<Item> = Worker::new_fifo();
        for i in 1..=2 {
            owner.push(Item::new(i));
        }
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let stealer = owner.stealer();
                thread::spawn(move || {
                    let own = Worker::new_fifo();
                    let mut got = steal(&stealer, &own);
                    got.extend(drain(&own));
                    got
                })
            })
            .collect();
        let mut all = Vec::new();
        for thief in thieves {
            all.extend(thief.join().unwrap());
        }
        all.extend(drain(&owner));
        each_once(all, 2);
    });
}

/// Who sees the queue empty after a fence, as a worker that goes to sleep does, misses no push before a fence.
#[test]
fn a_length_after_a_fence_misses_no_push() {
    explore("len_after_fence", || {
        let owner = Worker::new_fifo();
        let stealer = owner.stealer();
        let parked = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        let sleeper = {
            let parked = Arc::clone(&parked);
            thread::spawn(move || {
                parked.store(1, Ordering::Relaxed);
                loom::sync::atomic::fence(Ordering::SeqCst);
                stealer.len()
            })
        };
        owner.push(Item::new(1));
        loom::sync::atomic::fence(Ordering::SeqCst);
        let woken = parked.load(Ordering::Relaxed) == 1;
        let seen = sleeper.join().unwrap();
        assert!(woken || seen == 1, "neither saw the other");
        each_once(drain(&owner), 1);
    });
}
